package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	apiclient "github.com/rollcall-csirt/rollcall/api/client"
	"github.com/rollcall-csirt/rollcall/directory"
)

// remote is a server that is asked over HTTP.
type remote struct {
	token      string // of a batch, which is sent beside the client
	base       *url.URL
	use, class string
	client     *apiclient.ClientWithResponses
}

// remoteTimeout is how long an answer to one request may take.
const remoteTimeout = 30 * time.Second

func (c *call) newRemote(f *lookupFlags) (*remote, error) {
	const want = "an address such as https://rollcall.example.org"
	known, err := apiclient.Open(f.server, apiclient.Options{Token: c.tokenFor(f), UserAgent: "rollcall/" + version(), Timeout: remoteTimeout})
	if err != nil {
		return nil, usage(c.cmd, "server: %v", bad(f.server, "not the URL of a server", want))
	}
	base, err := url.Parse(f.server)
	return &remote{base: base, token: c.tokenFor(f), use: f.use, class: f.class, client: known}, err
}

// ask asks one query by GET and several by POST.
func (r *remote) ask(ctx context.Context, queries []directory.Query) ([]json.RawMessage, error) {
	if len(queries) == 1 {
		answer, err := r.client.LookupWithResponse(ctx, &apiclient.LookupParams{
			Q: queries[0].Text, Use: apiclient.LookupParamsUse(r.use), Class: apiclient.LookupParamsClass(r.class)})
		if err != nil {
			return nil, r.unreachable(err)
		}
		err = r.check(answer.HTTPResponse, answer.Body)
		return []json.RawMessage{bytes.TrimSpace(answer.Body)}, err
	}
	in := apiclient.Queries{Use: apiclient.QueriesUse(r.use), Class: apiclient.QueriesClass(r.class)}
	for _, q := range queries {
		in.Queries = append(in.Queries, q.Text)
	}
	answer, err := r.client.LookupBatchWithResponse(ctx, nil, in)
	if err != nil {
		return nil, r.unreachable(err)
	}
	if err := r.check(answer.HTTPResponse, answer.Body); err != nil {
		return nil, err
	}
	var out struct{ Answers []json.RawMessage }
	if err := json.Unmarshal(answer.Body, &out); err != nil || len(out.Answers) != len(queries) {
		return nil, notAsked("server %s: an answer that is not Rollcall's", r.base.Redacted())
	}
	return out.Answers, nil
}

// check refuses an answer that is no success, or not Rollcall's.
func (r *remote) check(answer *http.Response, body []byte) error {
	if err := apiclient.Failure(answer, body); err != nil {
		return notAsked("server %s: %w", r.base.Redacted(), err)
	}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		return notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server", r.base.Redacted())
	}
	return nil
}

// unreachable says why there is no answer, without the path and the words of
// the HTTP client.
func (r *remote) unreachable(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return notAsked("server %s: no answer in time", r.base.Redacted())
	}
	return notAsked("server %s: %w", r.base.Redacted(), err)
}

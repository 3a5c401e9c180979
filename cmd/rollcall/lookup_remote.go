package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// remote is a server that is asked over HTTP.
type remote struct {
	base       *url.URL
	token      string
	use, class string
	http       *http.Client
}

// mostAnswer is the largest answer that is read.
const mostAnswer = 64 << 20

func (c *call) newRemote(f *lookupFlags) (*remote, error) {
	const want = "an address such as https://rollcall.example.org"
	u, err := url.Parse(f.server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, usage(c.cmd, "server: %v", bad(f.server, "not the URL of a server", want))
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	// A redirect would carry the token to a server that nobody named.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &remote{base: u, token: c.tokenFor(f), use: f.use, class: f.class, http: client}, nil
}

// ask asks one query by GET and several by POST.
func (r *remote) ask(ctx context.Context, queries []directory.Query) ([]json.RawMessage, error) {
	if len(queries) == 1 {
		v := url.Values{"q": {queries[0].Text}}
		for name, value := range map[string]string{"use": r.use, "class": r.class} {
			if value != "" {
				v.Set(name, value)
			}
		}
		body, err := r.do(ctx, http.MethodGet, "/v1/lookup?"+v.Encode(), nil)
		return []json.RawMessage{bytes.TrimSpace(body)}, err
	}
	in := api.Queries{Use: r.use, Class: r.class}
	for _, q := range queries {
		in.Queries = append(in.Queries, q.Text)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	body, err := r.do(ctx, http.MethodPost, "/v1/lookup", text)
	if err != nil {
		return nil, err
	}
	var out struct{ Answers []json.RawMessage }
	if err := json.Unmarshal(body, &out); err != nil || len(out.Answers) != len(queries) {
		return nil, notAsked("server %s: an answer that is not Rollcall's", r.base)
	}
	return out.Answers, nil
}

func (r *remote) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, r.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	request.Header.Set("User-Agent", "rollcall/"+version())
	response, err := r.http.Do(request)
	if err != nil {
		return nil, r.unreachable(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read or is useless
	text, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return nil, r.unreachable(err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, r.refused(response, text)
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		return nil, notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server", r.base.Redacted())
	}
	return text, nil
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

// refused tells what a problem document (RFC 9457) says.
func (r *remote) refused(response *http.Response, text []byte) error {
	var p api.Problem
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return notAsked("server %s: %s", r.base.Redacted(), response.Status)
	}
	said := p.Detail
	if said == "" {
		said = p.Title
	}
	return notAsked("server %s: %s (%s, request %s)", r.base.Redacted(), said, p.Code, p.RequestID)
}

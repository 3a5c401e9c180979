package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	apiclient "github.com/rollcall-csirt/rollcall/api/client"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// batchPatience is how long a batch waits for a server that neither takes nor
// sends anything.
const batchPatience = time.Minute

// media are the types of the forms of a batch.
func media(form format.IndicatorForm) string {
	switch form {
	case format.IndicatorJSON:
		return "application/json"
	case format.IndicatorNDJSON:
		return "application/x-ndjson"
	case format.IndicatorCSV:
		return "text/csv"
	}
	return "text/plain"
}

// batch sends the queries and returns the answer in NDJSON, which begins while
// they are still being sent.
func (r *remote) batch(ctx context.Context, b *batchRun) (io.ReadCloser, error) {
	v := url.Values{}
	for name, value := range map[string]string{"use": r.use, "class": r.class, "column": b.flags.column} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if b.group {
		v.Set("group", "recipient")
	}
	if b.form == format.IndicatorLog {
		v.Set("extract", "true")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(batchPatience, func() { cancel(context.DeadlineExceeded) })
	alive := func() { watch.Reset(batchPatience) }
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base.JoinPath("v1", "lookup").String()+"?"+v.Encode(), io.NopCloser(&liveReader{b.in, alive}))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	request.Header.Set("Content-Type", media(b.form))
	request.Header.Set("Accept", "application/x-ndjson")
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	request.Header.Set("User-Agent", "rollcall/"+version())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	// There is no limit of time: a batch takes as long as it makes progress. A
	// redirect would carry the token to a server that nobody named.
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	end := func() {
		watch.Stop()
		cancel(nil)
	}
	if err != nil {
		end()
		return nil, r.unreachable(firstError(timedOut(ctx), err))
	}
	answer := &batchAnswer{liveReader: liveReader{response.Body, alive}, ctx: ctx, close: func() error { end(); return response.Body.Close() }}
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/x-ndjson") {
		defer answer.Close() //nolint:errcheck // it is useless
		return nil, r.notBatch(response)
	}
	return answer, nil
}

// timedOut is the error of a batch that waited too long.
func timedOut(ctx context.Context) error {
	if context.Cause(ctx) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return nil
}

// notBatch says why there is no answer. A refusal of what was sent is wrong
// usage.
func (r *remote) notBatch(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return r.unreachable(err)
	}
	if response.StatusCode == http.StatusOK {
		return notAsked("server %s: it answers, but not as Rollcall does; want the URL of a Rollcall server that streams batches", r.base.Redacted())
	}
	if err = apiclient.Failure(response, text); err == nil {
		err = errors.New(response.Status)
	}
	err = notAsked("server %s: %w", r.base.Redacted(), err)
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return &exitError{exitUsage, err}
	}
	return err
}

// liveReader tells whenever something was read.
type liveReader struct {
	io.Reader
	alive func()
}

// Read implements io.Reader.
func (l *liveReader) Read(p []byte) (int, error) {
	l.alive()
	n, err := l.Reader.Read(p)
	l.alive()
	return n, err
}

// batchAnswer is the body of the answer.
type batchAnswer struct {
	liveReader
	ctx   context.Context
	close func() error
}

// Read implements io.Reader.
func (a *batchAnswer) Read(p []byte) (int, error) {
	n, err := a.liveReader.Read(p)
	if err != nil && err != io.EOF {
		err = firstError(timedOut(a.ctx), err)
	}
	return n, err
}

// Close implements io.Closer.
func (a *batchAnswer) Close() error { return a.close() }

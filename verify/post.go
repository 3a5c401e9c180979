package verify

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Post is one thing to hand to somebody's endpoint over HTTPS.
type Post struct {
	URL    string
	Type   string            // media type of the body
	Header map[string]string // beside it; names and values must be fit for a header
	Body   []byte
}

// Post hands something over, once: redirects are not followed, nothing is
// remembered, and of the answer only the status counts, so that its body is not
// read. Every other rule of [Live.Fetch] holds: the address is checked, dialled and
// checked again, and proven by its certificate.
//
// The error is as in [Network]. An answer other than 2xx is in the last hop, with
// or without a [Failure].
func (l *Live) Post(ctx context.Context, p Post) (*Exchange, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	q := Request{URL: p.URL, Redirects: -1}
	f := &fetch{l: l, req: q, post: &p, x: &Exchange{Request: q, At: l.cfg.Now()}, seen: map[string]bool{}, left: l.cfg.Total}
	err := f.follow(ctx)
	if err == nil && ctx.Err() != nil {
		err = &Trouble{Code: CodeCancelled, Ours: true, Err: context.Cause(ctx)}
	}
	if err != nil {
		return nil, err
	}
	return f.x, nil
}

// CheckPost says why a URL can't be posted to, before anything is looked up; nil
// where nothing speaks against it. What its host leads to is seen when it is dialled.
func CheckPost(url string) *Failure {
	_, failure := (&fetch{x: &Exchange{}, seen: map[string]bool{}}).admit(url)
	return failure
}

// request makes the one request of a call.
func (c *call) request(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if c.post != nil {
		method, body = http.MethodPost, bytes.NewReader(c.post.Body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", c.l.cfg.UserAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if c.req.Accept != "" {
		r.Header.Set("Accept", c.req.Accept)
	}
	if c.post == nil {
		return r, nil
	}
	for name, value := range c.post.Header {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", c.post.Type)
	return r, nil
}

// Retry returns how long a peer asks to be left alone, at most that long; 0 where it
// does not.
func (x *Exchange) Retry(most time.Duration) time.Duration {
	if x.Failure == nil {
		return 0
	}
	return min(x.Failure.Retry, most)
}

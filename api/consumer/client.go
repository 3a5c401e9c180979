package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// stall is how long the server may be silent, beside what it waits for.
	stall = 30 * time.Second
	// mostPage is the largest page of changes that is read. A server ends a
	// page at a few MB, but for one team that is larger.
	mostPage = 256 << 20
	// mostProblem is the most of a problem that is read.
	mostProblem = 1 << 20
)

// ErrStalled says that the server stopped sending in the middle. Try again.
var ErrStalled = errors.New("consumer: the server is silent")

// ErrAnswer says that the server answers, but not as Rollcall does: the URL is
// that of something else, or something on the way changed the answer.
var ErrAnswer = errors.New("consumer: not an answer of Rollcall")

// Refused is an answer that is not a success (RFC 9457).
type Refused struct {
	Status    int
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	RequestID string `json:"request_id"`

	after time.Duration
}

// Error says what the server said.
func (r *Refused) Error() string {
	if r.Code == "" {
		return fmt.Sprintf("consumer: status %d", r.Status)
	}
	return fmt.Sprintf("consumer: %s (%s, request %s)", r.Detail, r.Code, r.RequestID)
}

// temporary reports whether trying again may help.
func temporary(err error) bool {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.Status >= 500 || r.Status == http.StatusTooManyRequests || r.Status == http.StatusRequestTimeout || isEpoch(err)
	}
	if errors.Is(err, ErrStalled) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errCut) {
		return true
	}
	_, ok := errors.AsType[*url.Error](err)
	_, more := errors.AsType[net.Error](err)
	return ok || more
}

func retryAfter(err error) time.Duration {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.after
	}
	return 0
}

// isEpoch reports whether err says that the copy must begin anew.
func isEpoch(err error) bool {
	r, ok := errors.AsType[*Refused](err)
	return ok && r.Code == "changes.epoch"
}

// client asks one server.
type client struct {
	base  *url.URL
	token string
	agent string
	http  *http.Client
}

func newClient(cfg *Config) (*client, error) {
	u, err := url.Parse(cfg.Server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("consumer: %q is not the URL of a server", cfg.Server)
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	c := &client{base: u, token: cfg.Token, agent: cfg.Agent, http: cfg.HTTP}
	if c.agent == "" {
		c.agent = "rollcall"
	}
	if c.http == nil {
		c.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// change is one entry of a page.
type change struct {
	Seq        int64           `json:"seq"`
	Op         string          `json:"op"`
	ID         string          `json:"id"`
	MergedInto string          `json:"merged_into"`
	Data       json.RawMessage `json:"data"`
}

// line is what the change makes of the team in a copy, byte for byte what a
// snapshot would say.
func (c *change) line() ([]byte, error) {
	if c.Op == "delete" {
		return json.Marshal(tombstone{ID: c.ID, Op: c.Op, MergedInto: c.MergedInto})
	}
	var team struct{ ID string }
	if err := json.Unmarshal(c.Data, &team); err != nil || team.ID != c.ID || c.ID == "" || c.Op != "upsert" {
		return nil, fmt.Errorf("%w: change %d is %q of %q with the data of %q", ErrAnswer, c.Seq, c.Op, c.ID, team.ID)
	}
	if bytes.IndexByte(c.Data, '\n') < 0 {
		return c.Data, nil
	}
	var b bytes.Buffer // something on the way made it pretty
	err := json.Compact(&b, c.Data)
	return b.Bytes(), err
}

// tombstone is the line of a team that is gone.
type tombstone struct {
	ID         string `json:"id"`
	Op         string `json:"op"`
	MergedInto string `json:"merged_into,omitzero"`
}

// page is a page of changes.
type page struct {
	Changes []change `json:"changes"`
	Next    int64    `json:"next"`
	Head    int64    `json:"head"`
	Epoch   string   `json:"epoch"`
}

func (c *client) changes(ctx context.Context, after int64, epoch string, wait time.Duration) (*page, error) {
	seconds := int(wait / time.Second)
	v := url.Values{"after": {strconv.FormatInt(after, 10)}, "epoch": {epoch}, "limit": {"1000"}, "wait": {strconv.Itoa(seconds)}}
	body, err := c.get(ctx, "/v1/changes?"+v.Encode(), "application/json", wait+stall)
	if err != nil {
		return nil, err
	}
	defer body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(body, mostPage))
	if err != nil {
		return nil, err
	}
	var p page
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("%w: a page of changes: %w", ErrAnswer, err)
	}
	if p.Next < after || len(p.Changes) > 0 && p.Next == after || p.Head < p.Next || p.Epoch != epoch {
		return nil, fmt.Errorf("%w: a page after %d that goes to %d of %d", ErrAnswer, after, p.Next, p.Head)
	}
	return &p, nil
}

func (c *client) snapshot(ctx context.Context) (io.ReadCloser, error) {
	return c.get(ctx, "/v1/snapshot", "application/x-ndjson", 4*stall)
}

// get asks for one thing. The body fails when the server is silent for too
// long, however long all of it takes.
func (c *client) get(ctx context.Context, path, media string, patience time.Duration) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{cancel: cancel, ctx: ctx, timer: time.AfterFunc(patience, func() { cancel(ErrStalled) })}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+path, nil)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		err = w.cause(err)
		return nil, errors.Join(err, w.Close())
	}
	w.body = answer.Body
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(refused(answer), w.Close())
	}
	if given, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); given != media {
		return nil, errors.Join(fmt.Errorf("%w: %s of %s", ErrAnswer, given, path), w.Close())
	}
	return w, nil
}

// refused reads a problem.
func refused(answer *http.Response) error {
	r := &Refused{}
	if text, err := io.ReadAll(io.LimitReader(answer.Body, mostProblem)); err == nil {
		_ = json.Unmarshal(text, r) // what is no problem has a status at least
	}
	r.Status = answer.StatusCode
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		r.after = time.Duration(n) * time.Second
	}
	return r
}

// watched is a body that must not be silent for long.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	if n > 0 {
		w.timer.Reset(stall)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = w.cause(err)
	}
	return n, err
}

// cause names silence as the cause where it is.
func (w *watched) cause(err error) error {
	if errors.Is(context.Cause(w.ctx), ErrStalled) {
		return ErrStalled
	}
	return err
}

// Close implements [io.Closer].
func (w *watched) Close() error {
	w.timer.Stop()
	defer w.cancel(nil)
	if w.body == nil {
		return nil
	}
	return w.body.Close()
}

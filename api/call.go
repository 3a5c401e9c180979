package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/directory"
)

// maxBody is the largest body of a request, unless its operation says otherwise.
const maxBody = 1 << 20

// call is what the server knows about one request.
type call struct {
	id     string
	url    *url.URL
	viewer directory.Principal
	r      *http.Request
	w      http.ResponseWriter
}

type callKey struct{}

// callFrom returns the call that a handler of Huma runs for.
func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{viewer: directory.Nobody(), url: new(url.URL)} // Spec asks no handler; a stray one sees what anybody sees
}

// endpoint answers a request and returns the status.
type endpoint func(w http.ResponseWriter, r *http.Request, c *call) int

// adapter registers Huma's operations with the server instead of straight
// with the mux, so that one chain stands before all of them.
type adapter struct {
	huma.Adapter
	s *Server
}

// Handle implements [huma.Adapter].
func (a adapter) Handle(op *huma.Operation, next func(huma.Context)) {
	a.s.handle(op, func(w http.ResponseWriter, r *http.Request, c *call) (status int) {
		c.r, c.w = r, w
		ctx := humago.NewContext(op, r.WithContext(context.WithValue(r.Context(), callKey{}, c)), w)
		defer func() {
			if v := recover(); v != nil {
				status = a.s.panicked(w, c, v, ctx.Status() != 0)
			}
		}()
		next(ctx)
		return ctx.Status()
	})
}

// handle puts next behind the chain that every operation has: request id,
// headers, panics, authentication, metrics.
func (s *Server) handle(op *huma.Operation, next endpoint) http.HandlerFunc {
	m := s.metrics.operation(op.OperationID)
	next = s.guardEdge(op, next)
	guarded := op.OperationID != "lookup"
	var inFlight prometheus.Gauge
	if guarded {
		inFlight = s.metrics.inFlight.WithLabelValues(op.OperationID)
	}
	h := func(w http.ResponseWriter, r *http.Request) {
		start := time.Now() // of the metrics, not of the domain
		if guarded {
			s.guard(w)
			inFlight.Inc()
			defer inFlight.Dec()
		}
		m.seen(s.serve(w, r, next), time.Since(start))
	}
	s.mux.HandleFunc(op.Method+" "+op.Path, h)
	return h
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, next endpoint) (status int) {
	var c call
	s.begin(&c, w, r)
	defer func() {
		if v := recover(); v != nil {
			status = s.panicked(w, &c, v, false)
		}
	}()
	if auth := r.Header["Authorization"]; auth != nil && strings.HasPrefix(r.URL.Path, "/v1/") {
		viewer, err := s.signIn(w, r, auth)
		if err != nil {
			return s.refuse(w, r, &c, err)
		}
		c.viewer = viewer
	}
	return next(w, r, &c)
}

// begin fills c and sets the header that every answer has.
func (s *Server) begin(c *call, w http.ResponseWriter, r *http.Request) {
	c.id, c.url, c.viewer = s.requestID(r), r.URL, s.nobody
	w.Header()["X-Request-Id"] = []string{c.id}
}

// guard sets the headers of all answers but the most frequent one, a lookup by
// nobody in particular: it is public JSON, and two headers are a twentieth of
// what it costs.
func (s *Server) guard(w http.ResponseWriter) {
	h := w.Header()
	h["X-Content-Type-Options"] = s.nosniff
	// What an answer says depends on who asks and on the day.
	h["Cache-Control"] = s.noStore
}

// refuse answers with the problem that err is, and logs what the client is not
// told.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, c *call, err error) int {
	s.guard(w)
	return writeProblem(w, s.explain(r.Context(), c, err))
}

// explain turns err into the problem for this request.
func (s *Server) explain(ctx context.Context, c *call, err error) *Problem {
	p := problemOf(err).sign(c)
	if p.Status >= http.StatusInternalServerError && ctx.Err() == nil && !errors.Is(err, errOff) {
		s.cfg.Log.Error("request failed", "request", c.id, "path", c.url.Path, "status", p.Status, "err", err)
	}
	return p
}

// panicked ends a request whose handler panicked. Where the answer has begun,
// the connection is cut: half an answer must not look whole.
func (s *Server) panicked(w http.ResponseWriter, c *call, v any, begun bool) int {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	s.cfg.Log.Error("panic", "request", c.id, "path", c.url.Path, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if begun {
		panic(http.ErrAbortHandler)
	}
	return writeProblem(w, problemOf(errors.New("panic")).sign(c))
}

// authenticate reads the credentials. A request with bad ones is refused even
// where none are needed: whoever sends a token wants to be seen as its owner.
func (s *Server) authenticate(ctx context.Context, header []string) (directory.Principal, error) {
	scheme, secret, ok := strings.Cut(header[0], " ")
	if len(header) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") {
		return directory.Principal{}, inParameter("Authorization", edgeError(directory.Unauthenticated, "auth.scheme", scheme,
			"not a Bearer token (RFC 6750 section 2.1)", "Authorization: Bearer rct_…"))
	}
	p, err := s.cfg.Directory.Authenticate(ctx, strings.TrimSpace(secret))
	if err != nil {
		return p, inParameter("Authorization", err)
	}
	return p, nil
}

// requestIDs makes ids that differ between processes and within one, at the
// price of one addition.
type requestIDs struct {
	prefix string
	next   atomic.Uint64
}

func newRequestIDs() *requestIDs {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return &requestIDs{prefix: hex.EncodeToString(b) + "-"}
}

// requestID takes the id that a proxy gave the request, if it is a sane one.
func (s *Server) requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && saneID(given[0]) {
		return given[0]
	}
	var b [32]byte
	return string(strconv.AppendUint(append(b[:0], s.ids.prefix...), s.ids.next.Add(1), 36))
}

func saneID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch b := id[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '.', b == ':':
		default:
			return false
		}
	}
	return true
}

// body reads the body of a request, which must have one of the media types.
// The limit of its size is that of the operation, see guardEdge.
func (c *call) body(types ...string) ([]byte, error) {
	given := c.r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(given)
	if charset := params["charset"]; err != nil || !slices.Contains(types, media) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, inParameter("Content-Type", edgeError(wrongMedia, "body.media-type", given, "not a media type that this operation reads", strings.Join(types, " or ")))
	}
	data, err := io.ReadAll(c.r.Body)
	if err != nil {
		return nil, unreadBody(err)
	}
	if len(data) == 0 {
		return nil, edgeError(malformed, "body.missing", "", "this operation needs a body", "a JSON object")
	}
	return data, nil
}

// unreadBody says what kept a body from being read.
func unreadBody(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return edgeError(tooLarge, "body.too-large", "", fmt.Sprintf("more than %d bytes", e.Limit), "a smaller body")
	}
	switch {
	case errors.Is(err, errBomb):
		return edgeError(tooLarge, "body.too-large", "", errBomb.Error(), "a body that is not made to do that")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return edgeError(tooSlow, "body.timeout", "", "the body did not come in time", "the same again, faster")
	}
	return edgeError(malformed, "body.unreadable", "", "the body ended before it was complete, or is not what Content-Encoding says", "")
}

// revision reads If-Match: the revision that a change is based on, any, or
// none. Only strong tags can match (RFC 9110 section 13.1.1).
func (c *call) revision() (int64, error) {
	given := c.r.Header.Values("If-Match")
	switch {
	case len(given) == 0:
		return 0, nil
	case len(given) == 1 && strings.TrimSpace(given[0]) == "*":
		return directory.AnyRevision, nil
	}
	text := strings.TrimSpace(strings.Join(given, ", "))
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		if n, err := strconv.ParseUint(text[1:len(text)-1], 10, 63); err == nil && n > 0 && text[1] != '0' {
			return int64(n), nil
		}
	}
	return 0, inParameter("If-Match", edgeError(malformed, "if-match.syntax", text, "not the ETag of a team", `one ETag as it was given, such as "7", or *`))
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

package api

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// edge is what a request meets that is not the most frequent one: rules of
// browsers, compression, and the answers that no operation gives.
func (s *Server) edge(w http.ResponseWriter, r *http.Request) {
	if r.Header["Origin"] != nil {
		s.cors(w, r)
	}
	if r.Method == http.MethodHead || !compressible(r.URL.Path) {
		s.dispatch(w, r)
		return
	}
	w.Header().Add("Vary", "Accept-Encoding")
	if !wantsGzip(r.Header["Accept-Encoding"]) {
		s.dispatch(w, r)
		return
	}
	from := zipFrom
	if r.URL.Path == lookupPath && r.Method == http.MethodGet {
		from = zipLookupFrom
	}
	s.zipped(w, r, from, s.dispatch)
}

// compressible leaves out what monitoring asks every second.
func compressible(path string) bool { return path != "/healthz" && path != "/readyz" }

// dispatch finds the operation. What none answers gets a problem too, where
// the mux alone would answer in plain text or redirect.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		s.metrics.other.seen(s.noOperation(w, r), 0)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) noOperation(w http.ResponseWriter, r *http.Request) int {
	var c call
	s.begin(&c, w, r)
	if r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && wantsHTML(r) {
		w.Header().Set("Location", docsPath)
		w.WriteHeader(http.StatusSeeOther)
		return http.StatusSeeOther
	}
	allowed := s.methods(r)
	switch {
	case len(allowed) == 0:
		return s.refuse(w, r, &c, edgeError(directory.NotFound, "request.path", r.URL.Path, "there is nothing at this path", "a path that /openapi.yaml names"))
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		w.WriteHeader(http.StatusNoContent)
		return http.StatusNoContent
	}
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	return s.refuse(w, r, &c, edgeError(noMethod, "request.method", r.Method, "the path does not have this method", list))
}

// methods returns what a path can be asked, in the order of RFC 9110 section 9.3.
func (s *Server) methods(r *http.Request) []string {
	var allowed []string
	if path.Clean(r.URL.Path) != r.URL.Path {
		return nil
	}
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if s.patternOf(r, m) != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		allowed = append(allowed, http.MethodOptions)
	}
	return allowed
}

// patternOf is what the mux would answer the path of r with, were it asked by
// the method.
func (s *Server) patternOf(r *http.Request, method string) string {
	_, pattern := s.mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
	return pattern
}

// The headers of CORS (fetch.spec.whatwg.org). What anybody may read without a
// token, any page may read; a page that sends tokens has to be configured.
const (
	corsExposed = "ETag, Link, Location, Content-Location, Retry-After, X-Request-Id, RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
	corsSent    = "Accept, Content-Type, X-Request-Id"
	corsTrusted = corsSent + ", Authorization, Content-Encoding, If-Match, If-None-Match"
	corsAge     = "600"
)

// cors tells the browser what a page of the request's origin may do. Nothing is
// refused here: that is the browser's part.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) {
	h, origin := w.Header(), r.Header.Get("Origin")
	if len(s.cfg.CORSOrigins) > 0 {
		h.Add("Vary", "Origin")
	}
	trusted := slices.Contains(s.cfg.CORSOrigins, origin)
	method, preflight := r.Method, r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if preflight {
		method = r.Header.Get("Access-Control-Request-Method")
	}
	reading := (method == http.MethodGet || method == http.MethodHead) && s.public[s.patternOf(r, method)]
	switch {
	case trusted:
		h.Set("Access-Control-Allow-Origin", origin)
	case reading:
		h.Set("Access-Control-Allow-Origin", "*")
	default:
		return
	}
	if !preflight {
		h.Set("Access-Control-Expose-Headers", corsExposed)
		return
	}
	methods, headers := "GET, HEAD", corsSent
	if trusted {
		methods, headers = strings.Join(s.methods(r), ", "), corsTrusted
	}
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", corsAge)
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
}

// hasEmpty reports whether one of the parameters of a query may be empty.
func hasEmpty(query string) bool {
	for one := range strings.SplitSeq(query, "&") {
		if _, value, _ := strings.Cut(one, "="); value == "" {
			return true
		}
	}
	return false
}

// filledOf refuses numbers and times that are there and empty. Huma takes them for parameters that are
// not there, so that a client whose page is empty by mistake would read the first one for ever. An
// empty word means none: clients and forms send it for what nobody chose.
func filledOf(op *huma.Operation) func(url.Values) error {
	never := sync.OnceValue(func() (list []*huma.Param) { // Huma fills in the operation while it is registered
		for _, p := range op.Parameters {
			if s := p.Schema; p.In == "query" && s != nil && (s.Format != "" || s.Type != huma.TypeString && s.Type != huma.TypeArray) {
				list = append(list, p)
			}
		}
		return list
	})
	return func(query url.Values) error {
		for _, p := range never() {
			if slices.Contains(query[p.Name], "") {
				want := "a value, or no parameter"
				if examples := p.Schema.Examples; len(examples) > 0 {
					want = fmt.Sprintf("a value such as %v, or no parameter", examples[0])
				}
				return inParameter(p.Name, edgeError(directory.Invalid, "parameter.invalid", "", "it is empty", want))
			}
		}
		return nil
	}
}

// guardEdge puts before an operation what all of them share: the media types
// that it answers in, the coding and size of the body it is sent.
func (s *Server) guardEdge(op *huma.Operation, next endpoint) endpoint {
	if op.Security == nil || slices.ContainsFunc(op.Security, func(one map[string][]string) bool { return len(one) == 0 }) {
		s.public[op.Method+" "+op.Path] = true
	}
	limit := op.MaxBodyBytes
	offers := offersOf(op)
	filled := filledOf(op)
	next = s.limited(op, next)
	return func(w http.ResponseWriter, r *http.Request, c *call) int {
		if query := r.URL.RawQuery; query != "" && hasEmpty(query) {
			if err := filled(r.URL.Query()); err != nil {
				return s.refuse(w, r, c, err)
			}
		}
		if accept := r.Header["Accept"]; accept != nil && !acceptable(accept, offers()) {
			return s.refuse(w, r, c, inParameter("Accept", edgeError(notAcceptable, "request.accept", strings.Join(accept, ", "),
				"none of the media types that this operation answers in", strings.Join(offers(), " or "))))
		}
		if r.Method != http.MethodGet {
			if err := inflate(w, r); err != nil {
				return s.refuse(w, r, c, err)
			}
			if limit >= 0 {
				r.Body = http.MaxBytesReader(w, r.Body, limit)
			}
		}
		return next(w, r, c)
	}
}

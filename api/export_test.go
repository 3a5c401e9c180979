package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/rollcall-csirt/rollcall/directory/format"
)

// Document is the document as Huma holds it, for the tests that walk it.
func Document() *huma.OpenAPI { return described() }

// CachedAnswers returns how many answers the server keeps.
func CachedAnswers(s *Server) int {
	n, c := 0, s.cache.Load()
	for i := range c.shards {
		n += len(c.shards[i].m)
	}
	return n
}

// ForgetAnswers makes the server keep nothing of what it answered before.
func ForgetAnswers(s *Server) { s.cache.Store(nil) }

// CachedForms returns how many forms of answers the server keeps.
func CachedForms(s *Server) int { return len(s.cache.Load().forms.m) }

// Streaming serves what stream makes of teams, as the operation does.
func Streaming(s *Server, e format.Exporter, teams func() format.Teams) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, func(w http.ResponseWriter, r *http.Request, c *call) int {
			c.r, c.w = r, w
			hc := humago.NewContext(&huma.Operation{}, r.WithContext(context.WithValue(r.Context(), callKey{}, c)), w)
			s.stream(hc, e, "x", teams(), s.cfg.Now())
			return hc.Status()
		})
	})
}

// SetHeld sets how many octets the groups of a batch may hold.
func SetHeld(b *Batch, octets int) { b.maxHeld = octets }

// AddressBuckets are the buckets of addresses alone.
type AddressBuckets struct{ b *buckets[netip.Addr] }

// NewAddressBuckets returns buckets of at most most clients.
func NewAddressBuckets(r Rate, most int) AddressBuckets {
	return AddressBuckets{newBuckets[netip.Addr](r, most)}
}

// Take takes cost units and reports whether they were there.
func (a AddressBuckets) Take(client netip.Addr, cost int, now time.Time) bool {
	return a.b.take(client, cost, now).ok
}

// Size is how many buckets are kept.
func (a AddressBuckets) Size() int { return a.b.size() }

// Zipped puts the compression before a handler.
func Zipped(h http.HandlerFunc) http.Handler {
	s := &Server{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.zipped(w, r, zipFrom, h) })
}

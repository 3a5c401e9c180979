package api

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Most addresses that are asked about are in nobody's own address space, and
// what is answered then depends on little: the network and the country that
// the reference data leads to. All addresses that go one [directory.Way] share
// one rendered form, in which the address and the prefixes are blanks, for as
// long as it is true. Filling the blanks costs a tenth of looking up and
// rendering, also for an address that nobody asked about before.

// maxWays bounds the memory: 16,384 forms of one or two KB.
const maxWays = 16_384

// blank is what is filled in.
type blank uint8

const (
	blankEnd     blank = iota // nothing; the last part has no blank behind it
	blankQuery                // the query as it was asked
	blankAddress              // the address in its usual form
	blankOrigin               // the prefix that led to the network
	blankCountry              // the prefix that led to the country
	blanks
)

// form is the answer for one way. It is not changed once it is kept.
type form struct {
	parts       []formPart
	from, until time.Time
	counter     prometheus.Counter
}

// formPart is some text and what is filled in behind it.
type formPart struct {
	text []byte
	then blank
}

// forms are the forms of one index.
type forms struct {
	mu sync.RWMutex
	m  map[directory.WayKey]*form
}

func (f *forms) get(key directory.WayKey, now time.Time) *form {
	f.mu.RLock()
	known := f.m[key]
	f.mu.RUnlock()
	if known == nil || now.Before(known.from) || !now.Before(known.until) {
		return nil
	}
	return known
}

func (f *forms) put(key directory.WayKey, made *form) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.m == nil {
		f.m = map[directory.WayKey]*form{}
	}
	if len(f.m) >= maxWays {
		for old := range f.m {
			delete(f.m, old)
			break
		}
	}
	f.m[key] = made
}

// marks stand for the blanks while a form is made. They are made of random
// numbers, so that no text of a directory holds one.
type marks struct {
	query                    string
	address, origin, country netip.Prefix
	found                    [blanks]string // as they appear in an answer
}

func newMarks() *marks {
	m := &marks{query: hex.EncodeToString(randomBytes(16))}
	m.address = netip.PrefixFrom(randomAddr(), 128)
	m.origin = netip.PrefixFrom(randomAddr(), 64).Masked()
	m.country = netip.PrefixFrom(randomAddr(), 64).Masked()
	m.found = [blanks]string{blankQuery: m.query, blankAddress: m.address.Addr().String(), blankOrigin: m.origin.String(), blankCountry: m.country.String()}
	return m
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return b
}

// randomAddr is a unique local address (RFC 4193) without a zero in it, which
// would be left out when it is written.
func randomAddr() netip.Addr {
	b := [16]byte(randomBytes(16))
	for i := range b {
		b[i] |= 1
	}
	b[0] = 0xfd
	return netip.AddrFrom16(b)
}

// put returns a with marks in its blanks.
func (m *marks) put(a *directory.Answer) *directory.Answer {
	marked := *a
	marked.Query.Text = m.query
	marked.Trace = slices.Clone(a.Trace)
	for i := range marked.Trace {
		s := &marked.Trace[i]
		if s.Subject.Prefix.IsValid() {
			s.Subject.Prefix = m.address
		}
		if s.Found.Prefix.IsValid() {
			s.Found.Prefix = m.country
			if s.Rung == directory.RungASN {
				s.Found.Prefix = m.origin
			}
		}
	}
	return &marked
}

// split cuts a marked answer at its marks.
func (m *marks) split(text []byte) []formPart {
	var parts []formPart
	for {
		at, which := len(text), blankEnd
		for b := blankQuery; b < blanks; b++ {
			if i := bytes.Index(text[:at], []byte(m.found[b])); i >= 0 {
				at, which = i, b
			}
		}
		parts = append(parts, formPart{text: text[:at:at], then: which})
		if which == blankEnd {
			return parts
		}
		text = text[at+len(m.found[which]):]
	}
}

// append appends the answer about an address to dst.
func (f *form) append(dst []byte, query string, a netip.Addr, w *directory.Way) []byte {
	var address [64]byte
	var prefixes [2][64]byte
	fill := [blanks][]byte{blankAddress: a.AppendTo(address[:0])}
	if w.Origin.IsValid() {
		fill[blankOrigin] = w.Origin.AppendTo(prefixes[0][:0])
	}
	if w.Country.IsValid() {
		fill[blankCountry] = w.Country.AppendTo(prefixes[1][:0])
	}
	for i := range f.parts {
		p := &f.parts[i]
		dst = append(dst, p.text...)
		if p.then == blankQuery {
			dst = append(dst, query...)
		} else {
			dst = append(dst, fill[p.then]...)
		}
	}
	return dst
}

// lookupAddress answers a lookup of an address by anybody from the form of its
// way. It returns 0 where there is none to be had, and nothing was written.
func (s *Server) lookupAddress(w http.ResponseWriter, query string, x *directory.Index, now time.Time) int {
	a, ok := plainAddress(query)
	if !ok {
		return 0
	}
	way, ok := x.Way(a)
	if !ok {
		return 0
	}
	c := s.cacheOf(x)
	f := c.forms.get(way.Key, now)
	if f == nil {
		if f = s.newForm(x, query, a, &way, now); f == nil {
			return 0
		}
		c.forms.put(way.Key, f)
	}
	f.counter.Inc()
	u := s.asking.Get().(*asking)
	defer s.asking.Put(u)
	u.buf = f.append(u.buf[:0], query, a, &way)
	return s.writeAnswer(w, u.buf)
}

// plainAddress parses a query that is an address and nothing else.
func plainAddress(query string) (netip.Addr, bool) {
	if query[0] < '0' || query[0] > '9' {
		if strings.IndexByte(query, ':') < 0 {
			return netip.Addr{}, false // without the price of an error
		}
	}
	a, err := netip.ParseAddr(query)
	return a.Unmap(), err == nil
}

// newForm makes the form for the way of an address. It is used only if it
// gives the very answer that it was made from.
func (s *Server) newForm(x *directory.Index, query string, a netip.Addr, w *directory.Way, now time.Time) *form {
	var answer directory.Answer
	x.Lookup(directory.Query{Text: query, Kind: directory.KindIP, Addr: a}, directory.Ask{Viewer: s.nobody, Now: now}, &answer)
	f := &form{
		parts: s.marks.split(append(AppendAnswer(nil, s.marks.put(&answer)), '\n')),
		from:  now, until: trueUntil(&answer, s.cfg.Policy, now), counter: s.metrics.lookup(&answer),
	}
	if want := append(AppendAnswer(nil, &answer), '\n'); !bytes.Equal(f.append(nil, query, a, w), want) {
		return nil
	}
	return f
}

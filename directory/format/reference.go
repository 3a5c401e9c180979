package format

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

var referenceCodes = []directory.CodeInfo{
	{Code: "country.region", Title: "A registry's code for a region, not a country", Advice: "Nothing: an address whose country the registry does not say has no country here either."},
	{Code: "origins.empty", Title: "A prefix without the network that originates it", Advice: "Give at least one AS number."},
}

// entries is one reading of a file of reference data: what all codecs for such
// files share.
type entries struct {
	kind  directory.ReferenceKind
	yield func(directory.ReferenceItem) bool
	done  bool // the consumer wants no more
	rows  int  // rows of data, good and bad
	seen  map[entryKey]seenEntry
	seen4 map[uint64]seenEntry         // of IPv4, which is the most by far and hashes faster so
	known map[string]directory.Country // countries parsed already
}

// entryKey is a prefix, or the start of a range, as numbers: there may be
// millions, and the garbage collector should not look at each.
type entryKey struct{ hi, lo, rest uint64 }

// seenEntry is on which line a key was seen and, as a number, with which
// value.
type seenEntry struct {
	value uint64
	line  int
}

func newEntries(kind directory.ReferenceKind, yield func(directory.ReferenceItem) bool) *entries {
	return &entries{kind: kind, yield: yield, seen: map[entryKey]seenEntry{}, seen4: map[uint64]seenEntry{}, known: map[string]directory.Country{}}
}

func (e *entries) send(item directory.ReferenceItem) {
	if !e.done {
		e.done = !e.yield(item)
	}
}

func (e *entries) skip(n int, p directory.Problem) {
	e.send(directory.ReferenceItem{Row: n, Skipped: &directory.RowProblem{Row: n, Problem: p}})
}

func (e *entries) fail(err error) {
	e.send(directory.ReferenceItem{Fatal: err})
	e.done = true
}

func prefixKey(p netip.Prefix) entryKey {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		return entryKey{rest: uint64(binary.BigEndian.Uint32(b[:]))<<8 | uint64(p.Bits())}
	}
	b := p.Addr().As16()
	return entryKey{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), 1<<40 | uint64(p.Bits())}
}

// see returns what was seen with the key before, or remembers it.
func (e *entries) see(k entryKey, now seenEntry) (before seenEntry, twice bool) {
	if k.hi == 0 && k.lo == 0 {
		if before, twice = e.seen4[k.rest]; !twice {
			e.seen4[k.rest] = now
		}
		return before, twice
	}
	if before, twice = e.seen[k]; !twice {
		e.seen[k] = now
	}
	return before, twice
}

// again reports, as a problem, whether an earlier row had the key. The row
// that came first stays: to choose between two that contradict each other is
// not for a codec.
func (e *entries) again(n int, k entryKey, value uint64, text string) (directory.Problem, bool) {
	first, twice := e.see(k, seenEntry{value, n})
	switch {
	case !twice:
		return directory.Problem{}, false
	case first.value == value:
		return duplicate(text, first.line), true
	}
	return fault("row.conflict", text, fmt.Sprintf("line %d has the same with another value", first.line), "one row for each"), true
}

// country parses a country code of a registry.
func (e *entries) country(s string) (directory.Country, error) {
	if c, ok := e.known[s]; ok {
		return c, nil
	}
	if strings.EqualFold(strings.TrimSpace(s), "AP") {
		return "", fault("country.region", s, "the registry's code for all of Asia and the Pacific", "a country, where the registry knows it")
	}
	c, err := directory.ParseCountry(s)
	if err == nil {
		e.known[strings.Clone(s)] = c
	}
	return c, err
}

func countryValue(c directory.Country) uint64 { return uint64(c[0])<<8 | uint64(c[1]) }

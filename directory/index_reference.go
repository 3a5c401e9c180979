package directory

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
)

// numbers of countries: two letters make an index into one table.
const countryNumbers = 26 * 26

// letterPairs is AAABAC…ZZ: a country read from a block is a piece of it, so
// that 400,000 rows make no strings.
var letterPairs = func() string {
	b := make([]byte, 0, 2*countryNumbers)
	for i := range countryNumbers {
		b = append(b, byte('A'+i/26), byte('A'+i%26))
	}
	return string(b)
}()

func countryAt(n uint32) Country { return Country(letterPairs[2*n : 2*n+2]) }

// number returns the index of c in a table of countries, and whether c is two
// capital letters at all.
func (c Country) number() (uint32, bool) {
	if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
		return 0, false
	}
	return uint32(c[0]-'A')*26 + uint32(c[1]-'A'), true
}

// ReferenceBlocks calls yield with each block of one set, as
// [Reader.ReferenceBlocks] does for the set it is given.
type ReferenceBlocks func(set ReferenceSet, yield func([]byte) error) error

// ReferenceTable is the reference data of one kind from all its sources, made
// ready to be asked. It is immutable.
type ReferenceTable struct {
	kind  ReferenceKind
	sets  []ReferenceSet
	v4    *rangeTable[uint32] // each nil when it is empty
	v6    *rangeTable[uint64]
	asn   *rangeTable[uint32]
	small *directTable[uint16] // of v4, when it is large; one of the two or none
	large *directTable[uint32]
	lists [][]ASN // origins of prefixes that have several
}

// NewReferenceTable reads the sets of one kind. The more specific entry wins,
// then the one from the newer set. An error is that of blocks, or names the
// set whose block is damaged.
func NewReferenceTable(kind ReferenceKind, sets []ReferenceSet, blocks ReferenceBlocks) (*ReferenceTable, error) {
	l := referenceLoader{table: &ReferenceTable{kind: kind}}
	rows := 0
	for _, s := range sets {
		if s.Kind == kind {
			l.table.sets = append(l.table.sets, s)
			rows += s.Rows
		}
	}
	// Rows is what the store says; a wrong figure costs time and no more.
	l.v4 = make([]rangeEntry, 0, min(rows, 1<<20))
	for i, s := range l.table.sets {
		l.set = uint16(i)
		err := blocks(s, func(b []byte) error { return DecodeReference(b, l.row) })
		if err != nil {
			return nil, fmt.Errorf("reference data %s: %w", s.ID(), err)
		}
	}
	l.finish()
	return l.table, nil
}

type referenceLoader struct {
	table       *ReferenceTable
	set         uint16
	v4, v6, asn []rangeEntry
}

func (l *referenceLoader) row(r ReferenceRow) error {
	e := rangeEntry{rangeHit: rangeHit{set: l.set}}
	switch {
	case l.table.kind == PrefixASN:
		if len(r.Origins) == 0 {
			return nil
		}
		e.value = uint32(r.Origins[0])
		if len(r.Origins) > 1 {
			e.value, e.list = uint32(len(l.table.lists)), true
			l.table.lists = append(l.table.lists, slices.Clone(r.Origins))
		}
	default:
		n, ok := r.Country.number()
		if !ok {
			return nil
		}
		e.value = n
	}
	switch {
	case l.table.kind == ASNCountry:
		l.asn = appendASNs(l.asn, e, uint64(r.First), uint64(r.Last))
	case !r.Prefix.IsValid():
	case r.Prefix.Addr().Is4():
		l.v4 = append(l.v4, atPrefix(e, r.Prefix))
	default:
		l.v6 = append(l.v6, atPrefix(e, r.Prefix))
	}
	return nil
}

func atPrefix(e rangeEntry, p netip.Prefix) rangeEntry {
	e.hi, e.lo = keyOf(p.Addr())
	e.bits = uint8(p.Bits())
	return e
}

// appendASNs splits a range of AS numbers into aligned blocks, so that the
// narrower of two overlapping ranges wins as with prefixes.
func appendASNs(list []rangeEntry, e rangeEntry, first, last uint64) []rangeEntry {
	for first <= last && last < 1<<32 {
		size := bits.TrailingZeros64(first | 1<<32)
		for first+1<<size-1 > last {
			size--
		}
		e.hi, e.bits = first<<32, uint8(32-size)
		list = append(list, e)
		first += 1 << size
	}
	return list
}

func (l *referenceLoader) finish() {
	sets := l.table.sets
	newer := func(a, b uint16) bool {
		x, y := &sets[a], &sets[b]
		if c := x.AsOf.Compare(y.AsOf); c != 0 {
			return c > 0
		}
		if c := x.Loaded.Compare(y.Loaded); c != 0 {
			return c > 0
		}
		return x.Source < y.Source
	}
	if len(l.v4) > 0 {
		l.table.v4 = newRangeTable[uint32](l.v4, newer)
		l.direct()
	}
	if len(l.v6) > 0 {
		l.table.v6 = newRangeTable[uint64](l.v6, newer)
	}
	if len(l.asn) > 0 {
		l.table.asn = newRangeTable[uint32](l.asn, newer)
	}
}

// direct makes the table for single addresses where there are many prefixes.
func (l *referenceLoader) direct() {
	t := l.table
	if len(t.v4.starts) < directFrom {
		return
	}
	if t.small = newDirectTable[uint16](t.v4); t.small == nil {
		t.large = newDirectTable[uint32](t.v4)
	}
}

// loaded reports whether any set of the kind is loaded.
func (t *ReferenceTable) loaded() bool { return t != nil && len(t.sets) > 0 }

// source returns the set to name in a trace when nothing was found: the only
// one, or nil.
func (t *ReferenceTable) source() *ReferenceSet {
	if len(t.sets) == 1 {
		return &t.sets[0]
	}
	return nil
}

// prefix returns the most specific entry that covers all of p.
func (t *ReferenceTable) prefix(p netip.Prefix) (rangeHit, netip.Prefix, bool) {
	a := p.Addr()
	hi, lo := keyOf(a)
	var h rangeHit
	var ok bool
	switch {
	case !a.Is4():
		h, ok = t.v6.lookup(hi, lo, uint8(p.Bits()))
	case t.small != nil && p.Bits() == 32:
		h, ok = t.small.lookup(uint32(hi >> 32))
	case t.large != nil && p.Bits() == 32:
		h, ok = t.large.lookup(uint32(hi >> 32))
	default:
		h, ok = t.v4.lookup(hi, lo, uint8(p.Bits()))
	}
	if !ok {
		return h, netip.Prefix{}, false
	}
	return h, netip.PrefixFrom(a, int(h.bits)).Masked(), true
}

// number returns the entry that covers an AS number.
func (t *ReferenceTable) number(n ASN) (rangeHit, bool) { return t.asn.lookup(uint64(n)<<32, 0, 32) }

// Origins returns the networks that originate the address space of an address, by the
// reference data of the kind [PrefixASN]; nil where there is none, or it does not say.
func (x *Index) Origins(a netip.Addr) []ASN {
	t := x.origin
	if !t.loaded() || !a.IsValid() || a.Zone() != "" {
		return nil
	}
	a = a.Unmap()
	h, _, ok := t.prefix(netip.PrefixFrom(a, a.BitLen()))
	switch {
	case !ok:
		return nil
	case h.list:
		return slices.Clone(t.lists[h.value])
	}
	return []ASN{ASN(h.value)}
}

// size returns the number of entries in memory.
func (t *ReferenceTable) size() int {
	if t == nil {
		return 0
	}
	return t.v4.size() + t.v6.size() + t.asn.size()
}

func (t *rangeTable[K]) size() int {
	if t == nil {
		return 0
	}
	return len(t.links)
}

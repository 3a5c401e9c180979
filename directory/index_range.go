package directory

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
)

// rangeTable answers longest-prefix matches over reference data. The data is
// loaded whole and never edited, so the nested prefixes are flattened once
// into a sorted list of starting points, each with what is most specific from
// there on, behind a first level that is small enough to stay in the cache.
// What a lookup costs beyond that is lines of memory that nobody else read
// lately, so a start is eight bytes in IPv4 (keys of K), what it leads to is
// kept once in a list of some thousand, and the search in a bucket begins
// where an even spread would put the address.
//
// Single IPv4 addresses in a table of many prefixes go to a [directTable].
// Measured beside the tries of gaissmai/bart in one run on a busy machine,
// BenchmarkTables, ns for each of 10,000 addresses asked in turn:
//
//	prefixes   bart.Table   with its prefix   bart.Fast   here
//	40,000             58                74          51     54
//	400,000           369               421         100     59
//	4,000,000         780               903           –    382
//
// It holds no pointers for the collector to follow and is built from sorted
// input by one pass. IPv4 addresses and AS numbers sit in the upper 32 bits of
// a position, so that one code serves all.
type rangeTable[K uint32 | uint64] struct {
	root   []rangeRoot // by the first rootBits of a position
	level  []uint32    // bucket → index of the first start in it; one more than there are buckets
	drop   uint8       // from position to K
	starts []rangeStart[K]
	lo     []uint64   // lower halves of the starts; nil while all are zero
	hits   []rangeHit // what starts and links lead to; the first is no hit
	owner  []uint32   // per start: its prefix, an index into links plus one; 0 is none
	links  []rangeLink
}

// rootBits is how much of a position chooses a root: registries fill some /12
// of IPv6 densely and leave the rest empty, so each has buckets of its own.
const rootBits = 12

// rangeRoot is one part of the first level.
type rangeRoot struct {
	base  uint32 // its first bucket
	width uint8  // it has 1<<width of them
}

// rangeStart is where something begins to hold.
type rangeStart[K uint32 | uint64] struct {
	key K
	hit uint32
}

// rangeHit is what a prefix leads to. The prefix itself is not kept: it is the
// address that was asked for, cut to its length.
type rangeHit struct {
	value uint32 // a country's number, an AS number, or an index into the lists
	set   uint16 // index into the sets of the kind
	bits  uint8  // length of the prefix; noHit is no prefix
	list  bool   // value is an index into lists of AS numbers
}

const noHit = 255

// rangeLink leads from a prefix to the next less specific one, for those who
// ask about a prefix that the most specific one does not cover.
type rangeLink struct {
	parent uint32 // index plus one
	hit    uint32
}

// rangeEntry is one prefix on its way into a table.
type rangeEntry struct {
	hi, lo uint64
	rangeHit
}

// keyOf returns the position of an address.
func keyOf(a netip.Addr) (hi, lo uint64) {
	if a.Is4() {
		b := a.As4()
		return uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32, 0
	}
	b := a.As16()
	for i := range 8 {
		hi, lo = hi<<8|uint64(b[i]), lo<<8|uint64(b[8+i])
	}
	return hi, lo
}

// end returns the last position that the entry covers.
func (e *rangeEntry) end() (hi, lo uint64) {
	if e.bits >= 64 {
		return e.hi, e.lo | ^uint64(0)>>(e.bits-64)
	}
	return e.hi | ^uint64(0)>>e.bits, ^uint64(0)
}

func comparePosition(ahi, alo, bhi, blo uint64) int {
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

func (e *rangeEntry) compare(o *rangeEntry) int {
	return cmp.Or(comparePosition(e.hi, e.lo, o.hi, o.lo), cmp.Compare(e.bits, o.bits))
}

// newRangeTable flattens entries, which it may sort. Of two entries with one
// prefix the one whose set is better stays.
func newRangeTable[K uint32 | uint64](entries []rangeEntry, better func(a, b uint16) bool) *rangeTable[K] {
	order := func(a, b rangeEntry) int { return a.compare(&b) }
	if !slices.IsSortedFunc(entries, order) {
		slices.SortStableFunc(entries, order)
	}
	kept := entries[:0]
	for _, e := range entries {
		if n := len(kept); n > 0 && kept[n-1].compare(&e) == 0 {
			if better(e.set, kept[n-1].set) {
				kept[n-1] = e
			}
			continue
		}
		kept = append(kept, e)
	}
	t := &rangeTable[K]{hits: []rangeHit{{bits: noHit}}, drop: uint8(bits.LeadingZeros64(uint64(^K(0))))}
	b := rangeBuilder[K]{table: t, entries: kept, numbers: map[rangeHit]uint32{}}
	b.flatten()
	t.index()
	return t
}

// rangeBuilder walks sorted entries with a chain of those still open.
type rangeBuilder[K uint32 | uint64] struct {
	entries []rangeEntry
	table   *rangeTable[K]
	lo      []uint64
	numbers map[rangeHit]uint32 // index in table.hits
	open    uint32              // innermost open entry plus one
}

func (b *rangeBuilder[K]) flatten() {
	n, t := len(b.entries), b.table
	t.starts, t.owner = make([]rangeStart[K], 0, n*5/4+1), make([]uint32, 0, n*5/4+1)
	b.lo, t.links = make([]uint64, 0, n*5/4+1), make([]rangeLink, n)
	for i := range b.entries {
		e := &b.entries[i]
		for b.open != 0 && b.ends(e) {
			b.close()
		}
		t.links[i] = rangeLink{b.open, b.number(e.rangeHit)}
		b.open = uint32(i) + 1
		b.emit(e.hi, e.lo)
	}
	for b.open != 0 {
		b.close()
	}
	if slices.ContainsFunc(b.lo, func(l uint64) bool { return l != 0 }) {
		t.lo = b.lo
	}
}

func (b *rangeBuilder[K]) number(h rangeHit) uint32 {
	n, ok := b.numbers[h]
	if !ok {
		n = uint32(len(b.table.hits))
		b.table.hits = append(b.table.hits, h)
		b.numbers[h] = n
	}
	return n
}

// ends reports whether the innermost open entry ends before e begins.
func (b *rangeBuilder[K]) ends(e *rangeEntry) bool {
	hi, lo := b.entries[b.open-1].end()
	return comparePosition(hi, lo, e.hi, e.lo) < 0
}

// close ends the innermost open entry; the one around it holds from there on.
func (b *rangeBuilder[K]) close() {
	hi, lo := b.entries[b.open-1].end()
	b.open = b.table.links[b.open-1].parent
	lo, carry := bits.Add64(lo, 1, 0)
	hi, carry = bits.Add64(hi, 0, carry)
	if carry == 0 {
		b.emit(hi, lo)
	}
}

// emit says that the innermost open entry holds from here on.
func (b *rangeBuilder[K]) emit(hi, lo uint64) {
	t := b.table
	s := rangeStart[K]{key: K(hi >> t.drop)}
	if b.open != 0 {
		s.hit = t.links[b.open-1].hit
	}
	if n := len(t.starts); n > 0 && t.starts[n-1].key == s.key && b.lo[n-1] == lo {
		t.starts[n-1], t.owner[n-1] = s, b.open
		return
	}
	t.starts, t.owner, b.lo = append(t.starts, s), append(t.owner, b.open), append(b.lo, lo)
}

// index makes the first level: about one bucket for each start.
func (t *rangeTable[K]) index() {
	counts := make([]int, 1<<rootBits)
	for i := range t.starts {
		counts[t.position(i)>>(64-rootBits)]++
	}
	t.root = make([]rangeRoot, 1<<rootBits)
	buckets := uint32(0)
	for i, n := range counts {
		t.root[i] = rangeRoot{base: buckets, width: uint8(bits.Len(uint(n)))}
		buckets += 1 << t.root[i].width
	}
	t.level = make([]uint32, buckets+1)
	next := uint32(0)
	for i := range t.starts {
		for b, _ := t.bucket(t.position(i)); next <= b; next++ {
			t.level[next] = uint32(i)
		}
	}
	for ; next <= buckets; next++ {
		t.level[next] = uint32(len(t.starts))
	}
}

func (t *rangeTable[K]) position(start int) uint64 { return uint64(t.starts[start].key) << t.drop }

// bucket returns the bucket of a position, and the bits of the position that
// follow those which chose it.
func (t *rangeTable[K]) bucket(hi uint64) (b uint32, rest uint16) {
	r := t.root[hi>>(64-rootBits)]
	below := hi << rootBits
	return r.base + uint32(below>>(64-r.width)), uint16(below << r.width >> 48)
}

// lookup returns the most specific hit for a position whose prefix is not
// longer than max.
func (t *rangeTable[K]) lookup(hi, lo uint64, max uint8) (rangeHit, bool) {
	if t == nil {
		return rangeHit{}, false
	}
	at := t.above(hi, lo)
	if at == 0 {
		return rangeHit{}, false
	}
	hit := t.hits[t.starts[at-1].hit]
	if hit.bits <= max || hit.bits == noHit {
		return hit, hit.bits != noHit
	}
	for n := t.owner[at-1]; n != 0; n = t.links[n-1].parent {
		if h := t.hits[t.links[n-1].hit]; h.bits <= max {
			return h, true
		}
	}
	return rangeHit{}, false
}

// above returns the index of the first start above a position. It gallops from
// where an even spread over the bucket would put the position, so that it
// mostly reads one line, and halves what is left, so that no data makes it
// slow.
func (t *rangeTable[K]) above(hi, lo uint64) int {
	b, rest := t.bucket(hi)
	from, to := int(t.level[b]), int(t.level[b+1])
	if from == to {
		return from
	}
	key := K(hi >> t.drop)
	guess := from + int(uint64(rest)*uint64(to-from)>>16)
	if t.isAbove(guess, key, lo) {
		to = guess
		for step := 1; guess-step >= from; step *= 2 {
			if !t.isAbove(guess-step, key, lo) {
				from = guess - step + 1
				break
			}
			to = guess - step
		}
	} else {
		from = guess + 1
		for step := 1; guess+step < to; step *= 2 {
			if t.isAbove(guess+step, key, lo) {
				to = guess + step
				break
			}
			from = guess + step + 1
		}
	}
	for from < to {
		mid := int(uint(from+to) >> 1)
		if t.isAbove(mid, key, lo) {
			to = mid
		} else {
			from = mid + 1
		}
	}
	return from
}

func (t *rangeTable[K]) isAbove(i int, key K, lo uint64) bool {
	k := t.starts[i].key
	return k > key || (k == key && t.lo != nil && t.lo[i] > lo)
}

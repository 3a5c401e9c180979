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
// there on. A first level with about as many buckets as there are starts finds
// the place, so that an answer reads two or three lines of memory whether the
// table has 40,000 prefixes or 4,000,000. It holds no pointers for the
// collector to follow and is built from sorted input by one pass.
//
// IPv4 addresses sit in the upper 32 bits of a key, so that one code serves
// both families; AS numbers are treated alike.
type rangeTable struct {
	level  []uint32 // bucket → index of the first start in it; one more than there are buckets
	base   uint64   // number of the lowest bucket
	shift  uint8
	starts []rangeStart
	lo     []uint64 // lower halves of the starts; nil while all are zero
	owner  []uint32 // per start: its prefix, an index into links plus one; 0 is none
	links  []rangeLink
}

// rangeStart is where something begins to hold.
type rangeStart struct {
	hi uint64
	rangeHit
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
	rangeHit
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
func newRangeTable(entries []rangeEntry, is4 bool, better func(a, b uint16) bool) *rangeTable {
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
	b := rangeBuilder{entries: kept}
	b.flatten()
	b.table.index(is4)
	return &b.table
}

// rangeBuilder walks sorted entries with a chain of those still open.
type rangeBuilder struct {
	entries []rangeEntry
	table   rangeTable
	lo      []uint64
	open    uint32 // innermost open entry plus one
}

func (b *rangeBuilder) flatten() {
	n := len(b.entries)
	b.table.starts, b.table.owner = make([]rangeStart, 0, n*5/4+1), make([]uint32, 0, n*5/4+1)
	b.lo, b.table.links = make([]uint64, 0, n*5/4+1), make([]rangeLink, n)
	for i := range b.entries {
		e := &b.entries[i]
		for b.open != 0 && b.ends(e) {
			b.close()
		}
		b.table.links[i] = rangeLink{b.open, e.rangeHit}
		b.open = uint32(i) + 1
		b.emit(e.hi, e.lo)
	}
	for b.open != 0 {
		b.close()
	}
	if slices.ContainsFunc(b.lo, func(l uint64) bool { return l != 0 }) {
		b.table.lo = b.lo
	}
}

// ends reports whether the innermost open entry ends before e begins.
func (b *rangeBuilder) ends(e *rangeEntry) bool {
	hi, lo := b.entries[b.open-1].end()
	return comparePosition(hi, lo, e.hi, e.lo) < 0
}

// close ends the innermost open entry; the one around it holds from there on.
func (b *rangeBuilder) close() {
	hi, lo := b.entries[b.open-1].end()
	b.open = b.table.links[b.open-1].parent
	lo, carry := bits.Add64(lo, 1, 0)
	hi, carry = bits.Add64(hi, 0, carry)
	if carry == 0 {
		b.emit(hi, lo)
	}
}

// emit says that the innermost open entry holds from here on.
func (b *rangeBuilder) emit(hi, lo uint64) {
	s := rangeStart{hi, rangeHit{bits: noHit}}
	if b.open != 0 {
		s.rangeHit = b.entries[b.open-1].rangeHit
	}
	t := &b.table
	if n := len(t.starts); n > 0 && t.starts[n-1].hi == hi && b.lo[n-1] == lo {
		t.starts[n-1], t.owner[n-1] = s, b.open
		return
	}
	t.starts, t.owner, b.lo = append(t.starts, s), append(t.owner, b.open), append(b.lo, lo)
}

// index makes the first level. IPv6 is delegated from 2000::/3 only (RFC 4291
// section 4, RFC 3587), so its buckets divide that part; what is outside falls
// into the outermost ones.
func (t *rangeTable) index(is4 bool) {
	wide := min(max(bits.Len(uint(len(t.starts))), 10), 18)
	t.shift = uint8(64 - wide)
	if !is4 {
		t.shift = uint8(61 - wide)
		t.base = 1 << 61 >> t.shift
	}
	buckets := 1 << wide
	t.level = make([]uint32, buckets+1)
	next := 0
	for i := range t.starts {
		for b := t.bucket(t.starts[i].hi, buckets); next <= b; next++ {
			t.level[next] = uint32(i)
		}
	}
	for ; next <= buckets; next++ {
		t.level[next] = uint32(len(t.starts))
	}
}

func (t *rangeTable) bucket(hi uint64, buckets int) int {
	n := hi >> t.shift
	if n < t.base {
		return 0
	}
	return int(min(n-t.base, uint64(buckets-1)))
}

// lookup returns the most specific hit for a position whose prefix is not
// longer than max.
func (t *rangeTable) lookup(hi, lo uint64, max uint8) (rangeHit, bool) {
	if t == nil {
		return rangeHit{}, false
	}
	b := t.bucket(hi, len(t.level)-1)
	from, to := int(t.level[b]), int(t.level[b+1])
	for from < to { // to the first start above the position
		mid := int(uint(from+to) >> 1)
		if h := t.starts[mid].hi; h > hi || (h == hi && t.lo != nil && t.lo[mid] > lo) {
			to = mid
		} else {
			from = mid + 1
		}
	}
	if from == 0 {
		return rangeHit{}, false
	}
	hit := t.starts[from-1].rangeHit
	if hit.bits <= max || hit.bits == noHit {
		return hit, hit.bits != noHit
	}
	for n := t.owner[from-1]; n != 0; n = t.links[n-1].parent {
		if l := &t.links[n-1]; l.bits <= max {
			return l.rangeHit, true
		}
	}
	return rangeHit{}, false
}

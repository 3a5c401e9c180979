package directory

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
)

// rangeTable answers longest-prefix matches over reference data. The data is
// loaded whole and never edited, so the nested prefixes are flattened once into
// a sorted list of starting points, each with the most specific entry in force
// from there on, behind a first level of some 100,000 buckets. Compared with
// tries from gaissmai/bart in one run over 400,000 prefixes and 10,000
// addresses asked again and again (BenchmarkTables), it answers at least as
// fast as the fastest of them, holds no pointers for the collector to follow,
// and is built from sorted input by one pass.
//
// IPv4 addresses sit in the upper 32 bits of hi, so that one code serves both
// families; AS numbers are treated alike.
type rangeTable struct {
	level   []uint32 // bucket → index of the first start in it, one more than there are buckets
	base    uint64   // number of the lowest bucket
	shift   uint8
	hi      []uint64 // starts
	lo      []uint64 // their lower halves; nil while all are zero
	owner   []uint32 // per start: index of its entry plus one; 0 is none
	entries []rangeEntry
}

// rangeEntry is one prefix and what it leads to.
type rangeEntry struct {
	hi, lo uint64
	parent uint32 // index of the next less specific entry plus one
	value  uint32 // a country's number, an AS number, or an index into the lists
	set    uint16 // index into the sets of the kind
	bits   uint8
	list   bool // value is an index into lists of AS numbers
}

// bucketing of the two families. Half of the IPv6 space that is in use lies in
// few /12s, so its buckets are /20s of 2000::/3, the only part delegated
// (RFC 4291 section 4); anything outside falls into the outermost buckets.
const (
	bits4, shift4        = 16, 48
	bits6, shift6, base6 = 17, 44, 0x20000
)

func addrKey(a netip.Addr) (hi, lo uint64) {
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

// prefix returns the entry's prefix.
func (e *rangeEntry) prefix(is4 bool) netip.Prefix {
	if is4 {
		b := [4]byte{byte(e.hi >> 56), byte(e.hi >> 48), byte(e.hi >> 40), byte(e.hi >> 32)}
		return netip.PrefixFrom(netip.AddrFrom4(b), int(e.bits))
	}
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(e.hi>>(56-8*i)), byte(e.lo>>(56-8*i))
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), int(e.bits))
}

// end returns the last key that the entry covers.
func (e *rangeEntry) end() (hi, lo uint64) {
	if e.bits >= 64 {
		return e.hi, e.lo | ^uint64(0)>>(e.bits-64)
	}
	return e.hi | ^uint64(0)>>e.bits, ^uint64(0)
}

func comparePosition(ahi, alo, bhi, blo uint64) int {
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

// newRangeTable flattens entries, which it sorts and keeps. Of two entries
// with one prefix the one whose set better prefers stays.
func newRangeTable(entries []rangeEntry, is4 bool, better func(a, b uint16) bool) *rangeTable {
	order := func(a, b rangeEntry) int {
		return cmp.Or(comparePosition(a.hi, a.lo, b.hi, b.lo), cmp.Compare(a.bits, b.bits))
	}
	if !slices.IsSortedFunc(entries, order) {
		slices.SortStableFunc(entries, order)
	}
	kept := entries[:0]
	for _, e := range entries {
		if n := len(kept); n > 0 && order(kept[n-1], e) == 0 {
			if better(e.set, kept[n-1].set) {
				kept[n-1] = e
			}
			continue
		}
		kept = append(kept, e)
	}
	t := &rangeTable{entries: kept, shift: shift4}
	buckets := 1 << bits4
	if !is4 {
		t.shift, t.base, buckets = shift6, base6, 1<<bits6
	}
	t.flatten()
	t.index(buckets)
	return t
}

// flatten walks the sorted entries with a stack of those still open.
func (t *rangeTable) flatten() {
	t.hi, t.owner = make([]uint64, 0, len(t.entries)*5/4+1), make([]uint32, 0, len(t.entries)*5/4+1)
	lo := make([]uint64, 0, len(t.entries)*5/4+1)
	emit := func(h, l uint64, owner uint32) {
		if n := len(t.hi); n > 0 && t.hi[n-1] == h && lo[n-1] == l {
			t.owner[n-1] = owner
			return
		}
		t.hi, lo, t.owner = append(t.hi, h), append(lo, l), append(t.owner, owner)
	}
	var open uint32 // innermost open entry plus one
	closeTop := func() {
		e := &t.entries[open-1]
		h, l := e.end()
		open = e.parent
		l, carry := bits.Add64(l, 1, 0)
		h, carry = bits.Add64(h, 0, carry)
		if carry == 0 {
			emit(h, l, open)
		}
	}
	for i := range t.entries {
		e := &t.entries[i]
		for open != 0 {
			h, l := t.entries[open-1].end()
			if comparePosition(h, l, e.hi, e.lo) >= 0 {
				break
			}
			closeTop()
		}
		e.parent, open = open, uint32(i)+1
		emit(e.hi, e.lo, open)
	}
	for open != 0 {
		closeTop()
	}
	if slices.ContainsFunc(lo, func(l uint64) bool { return l != 0 }) {
		t.lo = lo
	}
}

func (t *rangeTable) index(buckets int) {
	t.level = make([]uint32, buckets+1)
	next := 0
	for i := range t.hi {
		for b := t.bucket(t.hi[i], buckets); next <= b; next++ {
			t.level[next] = uint32(i)
		}
	}
	for ; next <= buckets; next++ {
		t.level[next] = uint32(len(t.hi))
	}
}

func (t *rangeTable) bucket(hi uint64, buckets int) int {
	n := hi >> t.shift
	if n < t.base {
		return 0
	}
	return int(min(n-t.base, uint64(buckets-1)))
}

// lookup returns the most specific entry that covers the key and is not
// longer than max bits; nil when there is none.
func (t *rangeTable) lookup(hi, lo uint64, max int) *rangeEntry {
	if t == nil || len(t.hi) == 0 {
		return nil
	}
	b := t.bucket(hi, len(t.level)-1)
	from, to := int(t.level[b]), int(t.level[b+1])
	for from < to { // the first start above the key
		mid := int(uint(from+to) >> 1)
		h := t.hi[mid]
		if h > hi || (h == hi && t.lo != nil && t.lo[mid] > lo) {
			to = mid
		} else {
			from = mid + 1
		}
	}
	if from == 0 {
		return nil
	}
	for n := t.owner[from-1]; n != 0; n = t.entries[n-1].parent {
		if e := &t.entries[n-1]; int(e.bits) <= max {
			return e
		}
	}
	return nil
}

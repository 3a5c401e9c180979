package directory

import "net/netip"

// Way is what the reference data says about an address in nobody's own address
// space. The rest of the answer follows from its Key, the index, and who asks
// when: two addresses with one Key have the same answer, but for the address
// and the two prefixes.
type Way struct {
	Key     WayKey
	Origin  netip.Prefix // that a network was found for; zero when none was
	Country netip.Prefix // that a country was found for; zero when none was
}

// WayKey tells ways apart within one [Index].
type WayKey struct{ origin, country uint64 }

// Way returns the way of an address without a zone. It reports false for what
// Way has no words for: an address in the address space of a team, with several
// networks of origin, or with a prefix of its own.
func (x *Index) Way(a netip.Addr) (w Way, ok bool) {
	if x == nil {
		return w, false
	}
	if _, own := x.prefixes.Lookup(a); own {
		return w, false
	}
	p := netip.PrefixFrom(a, a.BitLen())
	var fine, good bool
	w.Key.origin, w.Origin, fine = x.origin.way(p)
	w.Key.country, w.Country, good = x.country.way(p)
	return w, fine && good
}

// way returns what the table says about p, packed.
func (t *ReferenceTable) way(p netip.Prefix) (key uint64, found netip.Prefix, ok bool) {
	if !t.loaded() {
		return 0, found, true
	}
	h, found, hit := t.prefix(p)
	if !hit {
		return 0, found, true
	}
	return uint64(h.value)<<32 | uint64(h.set)<<1 | 1, found, !h.list && !found.IsSingleIP()
}

package directory

import "net/netip"

// LookupReference is the bare longest-prefix match, for benchmarks and for
// comparison with a trie.
func LookupReference(t *ReferenceTable, a netip.Addr) (netip.Prefix, Country, bool) {
	h, p, ok := t.prefix(netip.PrefixFrom(a, a.BitLen()))
	if !ok {
		return p, "", false
	}
	return p, countryAt(h.value), true
}

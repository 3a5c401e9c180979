package directory

import "net/netip"

// LookupReference is the bare longest-prefix match, for benchmarks and for
// comparison with a trie.
func LookupReference(t *ReferenceTable, a netip.Addr) (netip.Prefix, Country, bool) {
	e, p := t.prefix(netip.PrefixFrom(a, a.BitLen()))
	if e == nil {
		return p, "", false
	}
	return p, countryAt(e.value), true
}

package directory

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// LookupReference is the bare longest-prefix match, for benchmarks and for
// comparison with a trie.
func LookupReference(t *ReferenceTable, a netip.Addr) (netip.Prefix, Country, bool) {
	h, p, ok := t.prefix(netip.PrefixFrom(a, a.BitLen()))
	if !ok {
		return p, "", false
	}
	return p, countryAt(h.value), true
}

// Sealed returns a block with the right version and checksum around whatever
// b holds, so that fuzzing gets past them.
func Sealed(b []byte) []byte {
	if len(b) < 5 {
		return b
	}
	body := append([]byte{blockVersion}, b[1:len(b)-4]...)
	return binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body))
}

// LookupOrigin is [LookupReference] for prefix-asn.
func LookupOrigin(t *ReferenceTable, a netip.Addr) (ASN, bool) {
	h, _, ok := t.prefix(netip.PrefixFrom(a, a.BitLen()))
	return ASN(h.value), ok
}

// HasDirect reports which of the tables for single addresses t has.
func HasDirect(t *ReferenceTable) (small, large bool) { return t.small != nil, t.large != nil }

package directory

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"
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

// NearNames is the search for names like a folded one, as "distance name".
func NearNames(x *Index, folded string) (list []string) {
	for _, n := range x.lookalikes(folded) {
		list = append(list, fmt.Sprintf("%03d %s", n.distance, n.name))
	}
	return list
}

// LikeNames is the names most like a folded one, as "nearness name".
func LikeNames(x *Index, folded string) (list []string) {
	for _, n := range x.near.like(folded) {
		list = append(list, fmt.Sprintf("%.9f %s", n.nearness, n.name))
	}
	return list
}

// StateAt is the state of a contact as filters know it.
func StateAt(c *Contact, items []Evidence, policy Policy, now time.Time) State {
	b := searchBlock{docs: []searchDoc{{}}, moments: momentsOf(c, items, policy)}
	b.docs[0].states = uint32(len(b.moments))
	for i, s := range states {
		if b.state(0, uint8(i), nanoseconds(now), func(uint8) bool { return true }) {
			return s
		}
	}
	return ""
}

// Words are the words of a text as they are searched; FoldName folds a name.
func Words(text string) []string  { return wordsOf(text) }
func FoldName(text string) string { return foldName(text) }

// SearchBlock is the number of the block of the search in which a team is, or
// would be.
func SearchBlock(x *Index, id TeamID) int { return x.search.block(id) }

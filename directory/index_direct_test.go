package directory_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gaissmai/bart"

	"github.com/rollcall-csirt/rollcall/directory"
)

// crowdedRows draws IPv4 prefixes of all lengths from /8 to /32 that lie in one
// another, enough of them for the direct table, each with an origin of its own
// number below distinct.
func crowdedRows(n, distinct int) []directory.ReferenceRow {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	seen := map[netip.Prefix]bool{}
	var rows []directory.ReferenceRow
	for len(rows) < n {
		v := rng.Uint32()
		if rng.IntN(2) == 0 { // half of them crowd into one /8
			v = 20<<24 | v>>8
		}
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), 8+rng.IntN(25)).Masked()
		if !seen[p] {
			seen[p] = true
			rows = append(rows, directory.ReferenceRow{Prefix: p, Origins: []directory.ASN{directory.ASN(1 + len(rows)%distinct)}})
		}
	}
	return rows
}

// TestDirectTable compares the table for single addresses with a trie, with
// few values, for which 16 bits do, and with many, for which they don't.
func TestDirectTable(t *testing.T) {
	for _, distinct := range []int{200, 40_000} {
		rows := crowdedRows(50_000, distinct)
		trie := new(bart.Table[directory.ASN])
		for _, r := range rows {
			trie.Insert(r.Prefix, r.Origins[0])
		}
		set := directory.ReferenceSet{Kind: directory.PrefixASN, Source: "test", Rows: len(rows)}
		table, err := directory.NewReferenceTable(set.Kind, []directory.ReferenceSet{set}, blocksFrom(directory.EncodeReference(rows)))
		if err != nil {
			t.Fatal(err)
		}
		if small, large := directory.HasDirect(table); small == large || large != (distinct == 40_000) {
			t.Errorf("%d values: table of 16 bits %v, of 32 bits %v", distinct, small, large)
		}
		rng := rand.New(rand.NewPCG(3, 3))
		for i := range 300_000 {
			v := rng.Uint32()
			if i%2 == 0 {
				v = 20<<24 | v>>8
			}
			a := netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
			want, wantOK := trie.Lookup(a)
			got, ok := directory.LookupOrigin(table, a)
			if ok != wantOK || got != want {
				t.Fatalf("%d values: %s = %v, %v; want %v, %v", distinct, a, got, ok, want, wantOK)
			}
		}
	}
}

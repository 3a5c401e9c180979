package directory_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gaissmai/bart"

	"github.com/rollcall-csirt/rollcall/directory"
)

// now is the clock of these tests.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// randomRows makes n distinct reference prefixes with the lengths that
// registries delegate: /10 to /24 in IPv4, /29 to /48 in IPv6, one in four of
// them IPv6. Equal n give equal rows.
func randomRows(n int) []directory.ReferenceRow {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	countries := []directory.Country{"AT", "DE", "NL", "US", "JP", "BR", "FR", "ZA"}
	seen := make(map[netip.Prefix]bool, n)
	rows := make([]directory.ReferenceRow, 0, n)
	for len(rows) < n {
		var p netip.Prefix
		if rng.IntN(4) == 0 {
			a := [16]byte{0x2a, byte(rng.IntN(16)), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
			p = netip.PrefixFrom(netip.AddrFrom16(a), 29+rng.IntN(20)).Masked()
		} else {
			v := rng.Uint32()
			a := [4]byte{byte(1 + rng.IntN(223)), byte(v >> 16), byte(v >> 8), byte(v)}
			p = netip.PrefixFrom(netip.AddrFrom4(a), bitsIPv4(rng, n)).Masked()
		}
		if !seen[p] {
			seen[p] = true
			rows = append(rows, directory.ReferenceRow{Prefix: p, Country: countries[rng.IntN(len(countries))]})
		}
	}
	slices.SortFunc(rows, func(a, b directory.ReferenceRow) int { return a.Prefix.Compare(b.Prefix) })
	return rows
}

// bitsIPv4 draws a length; beyond a million prefixes longer ones are needed to
// find room.
func bitsIPv4(rng *rand.Rand, n int) int {
	if n > 1_000_000 {
		return 20 + rng.IntN(9)
	}
	return 16 + rng.IntN(9)
}

// askedAddresses are n addresses, nine in ten of them in one of the rows: what
// a feed asks about again and again.
func askedAddresses(rows []directory.ReferenceRow, n int) []netip.Addr {
	rng := rand.New(rand.NewPCG(2, 2))
	list := make([]netip.Addr, n)
	for i := range list {
		v := rng.Uint32()
		list[i] = netip.AddrFrom4([4]byte{byte(1 + rng.IntN(223)), byte(v >> 16), byte(v >> 8), byte(v)})
		if rng.IntN(10) > 0 {
			list[i] = rows[rng.IntN(len(rows))].Prefix.Addr()
		}
	}
	return list
}

func blocksFrom(blocks [][]byte) directory.ReferenceBlocks {
	return func(_ directory.ReferenceSet, yield func([]byte) error) error {
		for _, b := range blocks {
			if err := yield(b); err != nil {
				return err
			}
		}
		return nil
	}
}

func tableFrom(tb testing.TB, kind directory.ReferenceKind, rows []directory.ReferenceRow) *directory.ReferenceTable {
	tb.Helper()
	set := directory.ReferenceSet{Kind: kind, Source: "test", AsOf: now.AddDate(0, -1, 0), Rows: len(rows)}
	t, err := directory.NewReferenceTable(kind, []directory.ReferenceSet{set}, blocksFrom(directory.EncodeReference(rows)))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// crowd yields n teams, each with a prefix, a domain, a mailbox and two names;
// the first eight are national teams.
func crowd(n int) func(func(directory.Record) bool) {
	countries := []directory.Country{"AT", "DE", "NL", "US", "JP", "BR", "FR", "ZA"}
	return func(yield func(directory.Record) bool) {
		for i := range n {
			r := member(i)
			if i < len(countries) {
				r.Own.Designations = []directory.Designation{{Country: countries[i], Scope: "national"}}
			}
			if !yield(r) {
				return
			}
		}
	}
}

func member(i int) directory.Record {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012x", i)
	domain := directory.Domain(fmt.Sprintf("team%d.example.org", i))
	prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>18), byte(i >> 10), byte(i >> 2), byte(i << 6)}), 26)
	return directory.Record{
		ID: directory.TeamID(id), Handle: directory.Handle(fmt.Sprintf("team%d", i)), Revision: 1, OwnAt: now,
		Own: directory.Profile{
			Names: directory.Names{Short: fmt.Sprintf("Team %d", i), Full: fmt.Sprintf("Incident Response Team %d", i)},
			Resources: []directory.Resource{
				{Type: "prefix", Prefix: prefix}, {Type: "domain", Domain: domain}, {Type: "asn", ASN: directory.ASN(100000 + i)},
			},
			Contacts: []directory.Contact{{
				ID: directory.ContactID(id), Revision: 1, Channel: "email", Value: "csirt@" + string(domain), Uses: []directory.Word{"abuse"},
			}},
		},
		Evidence: []directory.Evidence{{
			ID: id, Contact: directory.ContactID(id), Revision: 1, Level: directory.Answered, Outcome: directory.OutcomeProved, At: now.AddDate(0, -1, 0),
		}},
	}
}

func bigIndex(tb testing.TB, rows []directory.ReferenceRow, teams int) *directory.Index {
	return directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 1, Epoch: "a"}, crowd(teams), tableFrom(tb, directory.PrefixCountry, rows))
}

// nsPer returns the cost of fn for each address. It adds up the best time of
// each hundred addresses over at least thirty rounds: other work on the
// machine makes a round slower and never faster.
func nsPer(addrs []netip.Addr, fn func(netip.Addr)) float64 {
	const part = 100
	best := make([]time.Duration, (len(addrs)+part-1)/part)
	for round, start := 0, time.Now(); round < 30 || time.Since(start) < 300*time.Millisecond; round++ {
		for i := range best {
			began := time.Now()
			for _, a := range addrs[i*part : min((i+1)*part, len(addrs))] {
				fn(a)
			}
			if took := time.Since(began); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	var sum time.Duration
	for _, b := range best {
		sum += b
	}
	return float64(sum.Nanoseconds()) / float64(len(addrs))
}

// BenchmarkLookupIP is the whole ladder for an anonymous viewer at 400,000
// reference prefixes and 100,000 teams, beside a bare trie.
func BenchmarkLookupIP(b *testing.B) {
	rows := randomRows(400_000)
	x := bigIndex(b, rows, 100_000)
	addrs := askedAddresses(rows, 10_000)
	trie := new(bart.Table[uint16])
	for i, r := range rows {
		trie.Insert(r.Prefix, uint16(i))
	}
	base := nsPer(addrs, func(a netip.Addr) { trie.Lookup(a) })
	var answer directory.Answer
	ask := directory.Ask{Viewer: directory.Nobody(), Now: now}
	b.ReportAllocs()
	look := func(a netip.Addr) { x.Lookup(directory.Query{Kind: directory.KindIP, Addr: a}, ask, &answer) }
	ours := nsPer(addrs, look)
	i := 0
	for b.Loop() {
		look(addrs[i%len(addrs)])
		i++
	}
	b.ReportMetric(base, "bare-trie-ns")
	b.ReportMetric(ours, "best-ns")
	b.ReportMetric(ours/base, "x-bare-trie")
}

// together merges two sorted lists of rows; of a prefix in both it keeps one.
func together(a, b []directory.ReferenceRow) []directory.ReferenceRow {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b directory.ReferenceRow) int { return a.Prefix.Compare(b.Prefix) })
	return slices.CompactFunc(all, func(a, b directory.ReferenceRow) bool { return a.Prefix == b.Prefix })
}

// BenchmarkGrowth compares the cost of the same questions over 40,000 and over
// 4,000,000 prefixes, the first being among the second: 10,000 addresses asked
// in turn, as a feed would, and 500,000, which no cache holds.
func BenchmarkGrowth(b *testing.B) {
	feed, random := map[int]float64{}, map[int]float64{}
	few := randomRows(40_000)
	asked, anew := askedAddresses(few, 10_000), askedAddresses(few, 500_000)
	for _, n := range []int{40_000, 4_000_000} {
		rows := few
		if n > len(few) {
			rows = together(few, randomRows(n))
		}
		x := bigIndex(b, rows, 10_000)
		var answer directory.Answer
		ask := directory.Ask{Viewer: directory.Nobody(), Now: now}
		look := func(a netip.Addr) { x.Lookup(directory.Query{Kind: directory.KindIP, Addr: a}, ask, &answer) }
		feed[n] = nsPer(asked, look)
		random[n] = nsPer(anew, look)
	}
	for b.Loop() { //nolint:revive // measured above: both sizes belong to one figure
	}
	b.ReportMetric(feed[40_000], "feed-40k-ns")
	b.ReportMetric(feed[4_000_000], "feed-4M-ns")
	b.ReportMetric(feed[4_000_000]/feed[40_000], "feed-growth")
	b.ReportMetric(random[4_000_000]/random[40_000], "random-growth")
}

// BenchmarkApply is one edit at 400,000 prefixes and 100,000 teams.
func BenchmarkApply(b *testing.B) {
	x := bigIndex(b, randomRows(400_000), 100_000)
	b.ReportAllocs()
	i, best := 0, time.Duration(math.MaxInt64)
	for b.Loop() {
		r := member(50 + i%1000)
		r.Own.Resources[1].Domain = directory.Domain(fmt.Sprintf("moved%d.example.org", i))
		r.Own.Names.Short = fmt.Sprintf("Moved %d", i)
		began := time.Now()
		x = x.Apply(int64(i), []directory.Record{r})
		best = min(best, time.Since(began))
		i++
	}
	b.ReportMetric(float64(best.Microseconds()), "best-µs")
}

// BenchmarkBuildReference reads 400,000 prefixes from their blocks.
func BenchmarkBuildReference(b *testing.B) {
	rows := randomRows(400_000)
	blocks := blocksFrom(directory.EncodeReference(rows))
	sets := []directory.ReferenceSet{{Kind: directory.PrefixCountry, Source: "test", Rows: len(rows)}}
	for b.Loop() {
		if _, err := directory.NewReferenceTable(directory.PrefixCountry, sets, blocks); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuild reads 100,000 teams and 400,000 prefixes, and says how much
// memory they stay in.
func BenchmarkBuild(b *testing.B) {
	rows := randomRows(400_000)
	blocks := directory.EncodeReference(rows)
	sets := []directory.ReferenceSet{{Kind: directory.PrefixCountry, Source: "test", Rows: len(rows)}}
	rows = nil
	before := heap()
	var x *directory.Index
	for b.Loop() {
		t, err := directory.NewReferenceTable(directory.PrefixCountry, sets, blocksFrom(blocks))
		if err != nil {
			b.Fatal(err)
		}
		x = directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, crowd(100_000), t)
	}
	b.ReportMetric(float64(heap()-before)/1e6, "MB")
	runtime.KeepAlive(x)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkTables compares the ways to keep the reference data.
func BenchmarkTables(b *testing.B) {
	for _, n := range []int{40_000, 400_000, 4_000_000} {
		rows := randomRows(n)
		addrs := askedAddresses(rows, 10_000)
		table, fast := new(bart.Table[uint32]), new(bart.Fast[uint32])
		for i, r := range rows {
			table.Insert(r.Prefix, uint32(i))
			if n <= 400_000 {
				fast.Insert(r.Prefix, uint32(i))
			}
		}
		ours := tableFrom(b, directory.PrefixCountry, rows)
		measure := func(name string, fn func(netip.Addr)) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				ns := nsPer(addrs, fn)
				for b.Loop() { //nolint:revive // measured by nsPer over all addresses
				}
				b.ReportMetric(ns, "ns/lookup")
			})
		}
		measure("bart.Table", func(a netip.Addr) { table.Lookup(a) })
		measure("bart.Table-prefix", func(a netip.Addr) { table.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen())) })
		if n <= 400_000 {
			measure("bart.Fast", func(a netip.Addr) { fast.Lookup(a) })
		}
		measure("ranges", func(a netip.Addr) { directory.LookupReference(ours, a) })
	}
}

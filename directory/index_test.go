package directory_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gaissmai/bart"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// randomRecord makes one of many possible states of the n-th of a few teams,
// whose values clash with those of the others.
func randomRecord(rng *rand.Rand, n int) directory.Record {
	handle := fmt.Sprintf("t%d", n)
	r := rec(handle, named(fmt.Sprintf("Team %d", rng.IntN(6)), fmt.Sprintf("Other %d", rng.IntN(6))))
	r.Revision = rng.Int64N(1000)
	if rng.IntN(8) == 0 {
		r.Handle = directory.Handle(fmt.Sprintf("renamed%d", n))
	}
	for range rng.IntN(4) {
		has("prefix", netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, 0}), 20+rng.IntN(10)).Masked().String())(&r)
		has("domain", []string{"example.org", "a.example.org", "b.a.example.org", "example.at"}[rng.IntN(4)])(&r)
		has("asn", fmt.Sprintf("AS%d", 64496+rng.IntN(4)))(&r)
		has("country", []string{"AT", "DE", "NL"}[rng.IntN(3)])(&r)
		mail(fmt.Sprintf("m%d@example.org", rng.IntN(9)))(&r)
		nation([]directory.Country{"AT", "DE", "NL"}[rng.IntN(3)], "national", rng.IntN(3))(&r)
	}
	switch rng.IntN(12) {
	case 0:
		r.Deleted = now
	case 1:
		r.MergedInto = directory.TeamID(fmt.Sprintf("id-t%d", (n+1)%20))
	case 2:
		r.Own.Status = "inactive"
	}
	return r
}

// everyQuestion asks for each value that randomRecord draws from.
func everyQuestion() []string {
	list := []string{"192.0.2.1", "192.0.2.200", "192.0.0.1", "192.0.2.0/24", "x.b.a.example.org", "example.at", "AT", "DE", "NL", "Team 99"}
	for i := range 20 {
		list = append(list, fmt.Sprintf("t%d", i), fmt.Sprintf("renamed%d", i), fmt.Sprintf("id-t%d", i))
	}
	for i := range 9 {
		list = append(list, fmt.Sprintf("Team %d", i), fmt.Sprintf("Other %d", i), fmt.Sprintf("m%d@example.org", i), fmt.Sprintf("AS%d", 64496+i))
	}
	return list
}

// answersOf is everything that an index says to every question, as text.
func answersOf(tb testing.TB, x *directory.Index) []string {
	var all []string
	for _, q := range everyQuestion() {
		a := look(tb, x, q, directory.Ask{})
		line := q + ": " + summary(a)
		for i := range a.Candidates {
			line += fmt.Sprintf(" %s/%d", a.Candidates[i].Team.Handle, a.Candidates[i].Team.Revision)
		}
		for _, s := range a.Trace {
			line += " | " + s.Text()
		}
		all = append(all, line)
	}
	return append(all, fmt.Sprintf("%+v", x.Stats()))
}

// After any sequence of edits the index is the one that a fresh build makes,
// and the older index still answers as it did.
func TestApplyEqualsBuild(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 0))
		state := map[directory.TeamID]directory.Record{}
		x := indexOf(t)
		for i := range 1000 {
			var batch []directory.Record
			for range 1 + rng.IntN(3) {
				r := randomRecord(rng, rng.IntN(20))
				if slices.ContainsFunc(batch, func(b directory.Record) bool { return b.ID == r.ID }) {
					continue
				}
				batch = append(batch, r)
				state[r.ID] = r
			}
			before, said := x, []string(nil)
			if i%100 == 99 {
				said = answersOf(t, before)
			}
			x = x.Apply(int64(i), batch)
			if said == nil {
				continue
			}
			if diff := cmp.Diff(said, answersOf(t, before)); diff != "" {
				t.Fatalf("seed %d: edit %d changed the index before it (-then +now):\n%s", seed, i, diff)
			}
			records := slices.SortedFunc(mapValues(state), func(a, b directory.Record) int { return strings.Compare(string(a.ID), string(b.ID)) })
			if diff := cmp.Diff(answersOf(t, indexOf(t, records...)), answersOf(t, x)); diff != "" {
				t.Fatalf("seed %d: after edit %d (-built +applied):\n%s", seed, i, diff)
			}
		}
	}
}

func mapValues(m map[directory.TeamID]directory.Record) func(func(directory.Record) bool) {
	return func(yield func(directory.Record) bool) {
		for _, r := range m {
			if !yield(r) {
				return
			}
		}
	}
}

// Readers keep asking while edits go in; the race detector watches.
func TestReadersDuringApply(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var (
		mu      sync.Mutex
		x       = indexOf(t)
		readers sync.WaitGroup
		done    = make(chan struct{})
	)
	present := func() *directory.Index {
		mu.Lock()
		defer mu.Unlock()
		return x
	}
	q := directory.Query{Kind: directory.KindIP, Addr: netip.MustParseAddr("192.0.2.1")}
	for range 3 {
		readers.Go(func() {
			var a directory.Answer
			for {
				select {
				case <-done:
					return
				default:
				}
				present().Lookup(q, directory.Ask{Now: now}, &a)
			}
		})
	}
	for i := range 300 {
		next := present().Apply(int64(i), []directory.Record{randomRecord(rng, rng.IntN(20))})
		mu.Lock()
		x = next
		mu.Unlock()
	}
	close(done)
	readers.Wait()
	if got := present().Seq(); got != 299 {
		t.Errorf("Seq() = %d, want 299", got)
	}
}

func TestIndexAccessors(t *testing.T) {
	x := smallIndex(t)
	if team, ok := x.Team("id-old"); !ok || team.Handle != "alpha" {
		t.Errorf("Team of a merged id = %v, %t, want alpha", team, ok)
	}
	if team, ok := x.ByHandle("old"); !ok || team.Handle != "alpha" {
		t.Errorf("ByHandle of a merged handle = %v, %t, want alpha", team, ok)
	}
	if _, ok := x.ByHandle("dead"); ok {
		t.Error("ByHandle finds a deleted team")
	}
	ring := indexOf(t, rec("a", func(r *directory.Record) { r.MergedInto = "id-b" }), rec("b", func(r *directory.Record) { r.MergedInto = "id-a" }))
	if _, ok := ring.Team("id-a"); ok {
		t.Error("Team finds something in a ring of merges")
	}
	if got := len(x.References()); got != 3 {
		t.Errorf("References() has %d sets, want 3", got)
	}
	if got, want := x.Stats().Teams, len(smallTeams())-2; got != want {
		t.Errorf("Stats().Teams = %d, want %d", got, want)
	}
}

// The flattened ranges say what a trie says, for addresses at and around every
// border.
func TestReferenceEqualsTrie(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for round := range 40 {
		rows := nestedRows(rng, 300)
		trie := new(bart.Table[directory.Country])
		for _, r := range rows {
			trie.Insert(r.Prefix, r.Country)
		}
		table := tableFrom(t, directory.PrefixCountry, rows)
		for _, r := range rows {
			first := r.Prefix.Addr()
			for _, a := range []netip.Addr{first, first.Prev(), first.Next(), randomIn(rng, r.Prefix)} {
				if !a.IsValid() {
					continue
				}
				wantP, wantC, wantOK := trie.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen()))
				gotP, gotC, gotOK := directory.LookupReference(table, a)
				if gotOK != wantOK || gotP != wantP || gotC != wantC {
					t.Fatalf("round %d: %s = %s %s %t, want %s %s %t", round, a, gotP, gotC, gotOK, wantP, wantC, wantOK)
				}
			}
		}
	}
}

// nestedRows are prefixes crowded into little space, /0 and host routes too.
func nestedRows(rng *rand.Rand, n int) []directory.ReferenceRow {
	rows := map[netip.Prefix]directory.ReferenceRow{}
	for range n {
		var p netip.Prefix
		if rng.IntN(2) == 0 {
			p = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(rng.IntN(2) * 255), byte(rng.IntN(2) * 255), byte(rng.Uint32()), byte(rng.Uint32())}), rng.IntN(33))
		} else {
			a := [16]byte{0: byte([]int{0, 0x20, 0x2a, 0xff}[rng.IntN(4)]), 8: byte(rng.IntN(4)), 15: byte(rng.Uint32())}
			p = netip.PrefixFrom(netip.AddrFrom16(a), rng.IntN(129))
		}
		p = p.Masked()
		rows[p] = directory.ReferenceRow{Prefix: p, Country: []directory.Country{"AT", "DE", "NL"}[rng.IntN(3)]}
	}
	var list []directory.ReferenceRow
	for _, r := range rows {
		list = append(list, r)
	}
	return list
}

func randomIn(rng *rand.Rand, p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := range b {
		for bit := range 8 {
			if i*8+bit >= p.Bits() && rng.IntN(2) == 0 {
				b[i] |= 0x80 >> bit
			}
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func TestReferenceNewerSetWins(t *testing.T) {
	p := netip.MustParsePrefix
	sets := []directory.ReferenceSet{
		{Kind: directory.PrefixCountry, Source: "old", AsOf: now.AddDate(-1, 0, 0)}, {Kind: directory.PrefixCountry, Source: "new", AsOf: now},
		{Kind: directory.PrefixASN, Source: "other"},
	}
	rows := map[string][]directory.ReferenceRow{
		"old": {{Prefix: p("192.0.2.0/24"), Country: "AT"}, {Prefix: p("192.0.2.0/28"), Country: "NL"}},
		"new": {{Prefix: p("192.0.2.0/24"), Country: "DE"}},
	}
	for range 2 {
		table, err := directory.NewReferenceTable(directory.PrefixCountry, sets, func(s directory.ReferenceSet, yield func([]byte) error) error {
			return yield(directory.EncodeReference(rows[s.Source])[0])
		})
		if err != nil {
			t.Fatal(err)
		}
		for addr, want := range map[string]directory.Country{"192.0.2.200": "DE", "192.0.2.1": "NL"} {
			if _, got, _ := directory.LookupReference(table, netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s = %s, want %s", addr, got, want)
			}
		}
		sets[0], sets[1] = sets[1], sets[0]
	}
}

func TestReferenceBlocks(t *testing.T) {
	p := netip.MustParsePrefix
	rows := []directory.ReferenceRow{
		{Prefix: p("0.0.0.0/0"), Country: "AT"}, {Prefix: p("192.0.2.1/32"), Country: "ZZ"}, {Prefix: p("::/0"), Country: "NL"},
		{Prefix: p("2001:db8::1/128"), Origins: []directory.ASN{64496, 4294967294}}, {First: 1, Last: 4294967294, Country: "DE"}, {First: 64496, Last: 64496, Country: "EU"},
	}
	for len(rows) < 10_000 {
		rows = append(rows, directory.ReferenceRow{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(len(rows) >> 8), byte(len(rows)), 0}), 24), Country: "AT"})
	}
	blocks := directory.EncodeReference(rows)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks for %d rows, want 3", len(blocks), len(rows))
	}
	var got []directory.ReferenceRow
	for _, b := range blocks {
		if err := directory.DecodeReference(b, func(r directory.ReferenceRow) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(rows, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("round trip (-want +got):\n%s", diff)
	}
}

func TestReferenceBlockDamaged(t *testing.T) {
	block := directory.EncodeReference([]directory.ReferenceRow{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "AT"}})[0]
	ignore := func(directory.ReferenceRow) error { t.Error("a row came out of a damaged block"); return nil }
	for i := range block {
		bad := slices.Clone(block)
		bad[i] ^= 0x40
		if err := directory.DecodeReference(bad, ignore); err == nil {
			t.Errorf("byte %d changed: no error", i)
		}
		if err := directory.DecodeReference(block[:i], ignore); err == nil {
			t.Errorf("cut to %d bytes: no error", i)
		}
	}
}

func FuzzDecodeReference(f *testing.F) {
	f.Add(directory.EncodeReference([]directory.ReferenceRow{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "AT"}})[0])
	f.Add(directory.EncodeReference([]directory.ReferenceRow{{First: 1, Last: 9, Country: "AT"}, {Prefix: netip.MustParsePrefix("2001:db8::/32"), Origins: []directory.ASN{1, 2}}})[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = directory.Sealed(b)
		var rows []directory.ReferenceRow
		if directory.DecodeReference(b, func(r directory.ReferenceRow) error { rows = append(rows, r); return nil }) != nil || len(rows) == 0 {
			return
		}
		var again []directory.ReferenceRow
		for _, block := range directory.EncodeReference(rows) {
			if err := directory.DecodeReference(block, func(r directory.ReferenceRow) error { again = append(again, r); return nil }); err != nil {
				t.Fatalf("what was encoded from a block can't be read: %v", err)
			}
		}
		if diff := cmp.Diff(rows, again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Fatalf("round trip (-want +got):\n%s", diff)
		}
		table := tableFrom(t, directory.PrefixCountry, rows)
		for _, r := range rows {
			if r.Prefix.IsValid() {
				directory.LookupReference(table, r.Prefix.Addr())
			}
		}
	})
}

// FuzzLookup builds a directory and a query from the same text.
func FuzzLookup(f *testing.F) {
	f.Add("example.org", uint64(1))
	f.Add("192.0.2.0/30", uint64(2))
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		q, err := directory.ParseQuery(s)
		if err != nil {
			return
		}
		rng := rand.New(rand.NewPCG(seed, 1))
		var records []directory.Record
		for i := range 6 {
			records = append(records, randomRecord(rng, i))
		}
		var a directory.Answer
		indexOf(t, records...).Lookup(q, directory.Ask{Now: now}, &a)
		for i := range a.Candidates {
			if c := &a.Candidates[i]; c.Rank < 1 || i > 0 && c.Rank < a.Candidates[i-1].Rank {
				t.Fatalf("Lookup(%q): ranks out of order: %s", s, summary(&a))
			}
		}
		if (a.Status == directory.StatusNone) != (len(a.Candidates) == 0) {
			t.Fatalf("Lookup(%q) = %s with %d candidates", s, a.Status, len(a.Candidates))
		}
	})
}

// The registries' real delegations; the file is never part of the project.
func TestRealDelegations(t *testing.T) {
	dir := os.Getenv("ROLLCALL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(dir, "rir-country.csv"))
	if err != nil {
		t.Skipf("SKIPPED: the real data is not here (set ROLLCALL_TEST_DATA): %v", err)
	}
	defer file.Close()
	var rows []directory.ReferenceRow
	for lines := bufio.NewScanner(file); lines.Scan(); {
		prefix, country, _ := strings.Cut(lines.Text(), ",")
		if p, err := netip.ParsePrefix(prefix); err == nil {
			rows = append(rows, directory.ReferenceRow{Prefix: p, Country: directory.Country(country)})
		}
	}
	if len(rows) != 243_034 {
		t.Fatalf("%d rows, want 243,034", len(rows))
	}
	table := tableFrom(t, directory.PrefixCountry, rows)
	for addr, want := range map[string]string{
		"193.0.0.1": "193.0.0.0/19 NL", "2.56.160.9": "2.56.160.0/22 AT", "8.8.8.8": "8.0.0.0/9 US", "192.0.2.1": "", "10.0.0.1": "",
	} {
		got := ""
		if p, c, ok := directory.LookupReference(table, netip.MustParseAddr(addr)); ok {
			got = p.String() + " " + string(c)
		}
		if got != want {
			t.Errorf("%s = %q, want %q", addr, got, want)
		}
	}
}

package directory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// searchWords are few, so that teams share them, begin with one another and
// are spelled in several ways.
var searchWords = []string{"cert", "certain", "CERT", "at", "Austria", "österreich", "Osterreich", "bank", "banks", "incident", "response", "team",
	"a", "x", "secret", "Zürich", "中文", "co-operation", "24/7", "é", "Łódź"}

func someWords(rng *rand.Rand, most int) string {
	list := make([]string, 1+rng.IntN(most))
	for i := range list {
		list[i] = searchWords[rng.IntN(len(searchWords)-1)] // the last one is folded by a table of ours
	}
	return strings.Join(list, []string{" ", " ", "-", ", "}[rng.IntN(4)])
}

func someLabel(rng *rand.Rand) directory.TLP {
	return []directory.TLP{"", directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}[rng.IntN(6)]
}

// randomSearched makes one of many states of the n-th of a few teams.
func randomSearched(rng *rand.Rand, n int) directory.Record {
	r := rec(fmt.Sprintf("t%d", n))
	r.Revision = rng.Int64N(1000)
	p := &r.Own
	p.Names = directory.Names{Short: someWords(rng, 3), Full: someWords(rng, 4)}
	if rng.IntN(3) == 0 {
		p.Names.Former, p.Names.Other = []string{someWords(rng, 2)}, []string{someWords(rng, 2)}
	}
	if rng.IntN(2) == 0 {
		p.Host = someWords(rng, 3)
	}
	p.Country = []directory.Country{"", "AT", "DE"}[rng.IntN(3)]
	p.Kinds = []directory.Word{[]directory.Word{"csirt", "soc"}[rng.IntN(2)]}
	p.Constituency = directory.Constituency{Text: someWords(rng, 5), Sectors: []directory.Word{[]directory.Word{"banking", "energy"}[rng.IntN(2)]}}
	if rng.IntN(3) == 0 {
		p.Constituency.Types = []directory.ConstituencyType{{Type: "law-enforcement"}}
		p.Constituency.Countries = []directory.Country{"NL"}
	}
	for i := range rng.IntN(3) {
		p.Resources = append(p.Resources, directory.Resource{Type: "domain", Domain: directory.Domain(fmt.Sprintf("d%d.bank.example", i)), Holder: someWords(rng, 2), Visibility: someLabel(rng)})
	}
	for i := range rng.IntN(4) {
		text := someWords(rng, 30)
		if rng.IntN(40) == 0 {
			text += strings.Repeat(" secret", 2100) // more than one posting says
		}
		p.Prose = append(p.Prose, directory.Section{Number: directory.Sections()[i].Number, Language: "en", Text: text, Visibility: someLabel(rng)})
	}
	for i := range rng.IntN(3) {
		c := fmt.Sprintf("c%d-%d@example.org", n, i)
		contact("email", c, "tlp:"+string(someLabel(rng)))(&r)
		if rng.IntN(2) == 0 {
			evidence(c, []directory.Outcome{directory.OutcomeProved, directory.OutcomeFailed}[rng.IntN(2)], directory.Answered)(&r)
		}
	}
	if rng.IntN(2) == 0 {
		p.Memberships = []directory.Membership{{Forum: "first", Status: []directory.Word{"member", "ended"}[rng.IntN(2)]}}
	}
	switch rng.IntN(12) {
	case 0:
		r.Deleted = now
	case 1:
		r.MergedInto = directory.TeamID(fmt.Sprintf("id-t%d", (n+1)%20))
	}
	return r
}

func someSearch(rng *rand.Rand) string {
	q := someWords(rng, 3)
	switch rng.IntN(8) {
	case 0:
		q = `"` + q + `"`
	case 1:
		q += ` "` + someWords(rng, 3)
	case 2:
		q = q[:1+rng.IntN(len(q))]
		q = strings.ToValidUTF8(q, "") + "c"
	case 3:
		i := rng.IntN(len(q))
		q = strings.ToValidUTF8(q[:i]+"x"+q[i:], "")
	}
	return q
}

func someFilter(rng *rand.Rand) directory.Filter {
	if rng.IntN(2) == 0 {
		return directory.Filter{}
	}
	return directory.Filter{
		Country: []directory.Country{"", "AT"}[rng.IntN(2)], Sector: []directory.Word{"", "banking"}[rng.IntN(2)], Kind: []directory.Word{"", "", "soc"}[rng.IntN(3)],
		Forum: []string{"", "", "first"}[rng.IntN(3)], State: []directory.State{"", "", directory.Verified, directory.Unverified, directory.Failed}[rng.IntN(5)],
	}
}

// searchViewers see different things; the last is of a team that is searched.
func searchViewers() map[string]directory.Principal {
	v := viewers()
	v["own team"] = directory.Principal{Role: directory.Editor, Team: "id-t3"}
	v["no right to read"] = directory.Principal{Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeWrite}}
	return v
}

// someViewers picks up to n of them.
func someViewers(rng *rand.Rand, n int) map[string]directory.Principal {
	all, some := searchViewers(), map[string]directory.Principal{}
	names := slices.Sorted(maps.Keys(all))
	for range n {
		who := names[rng.IntN(len(names))]
		some[who] = all[who]
	}
	return some
}

// hitsOf is all pages of a search, by pages of a few.
func hitsOf(t *testing.T, x *directory.Index, query string, ask directory.SearchAsk) []string {
	t.Helper()
	q, err := directory.ParseSearch(query)
	if err != nil {
		t.Fatalf("ParseSearch(%q) = %v", query, err)
	}
	var lines []string
	for total := -1; ; {
		r, err := x.Search(q, ask)
		if err != nil {
			t.Fatal(err)
		}
		if total < 0 {
			total = r.Total
		}
		if r.Total != total {
			t.Fatalf("search for %q: total %d, and %d on the first page", query, r.Total, total)
		}
		for _, h := range r.Hits {
			fit := slices.Index([]directory.SearchFit{directory.ExactName, directory.PrefixName, directory.AllWords, directory.NearName}, h.Exactness)
			lines = append(lines, plainHit{fit, string(h.Team.Handle), h.Score}.String())
		}
		if r.Next == "" {
			if r.Total != len(lines) {
				t.Errorf("search for %q: total %d, %d hits on all pages", query, r.Total, len(lines))
			}
			return lines
		}
		if len(r.Hits) != ask.Limit {
			t.Fatalf("search for %q: a page of %d, want %d, with a next one", query, len(r.Hits), ask.Limit)
		}
		if ask.After, err = directory.ParseSearchCursor(r.Next); err != nil {
			t.Fatal(err)
		}
	}
}

// A search finds exactly what reading every text that the viewer sees finds,
// whoever asks, and after any edits.
func TestSearchEqualsReading(t *testing.T) {
	const teams = 16 // fewer than the most that are near
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		state := map[directory.TeamID]directory.Record{}
		x := indexOf(t)
		for i := range 100 {
			var batch []directory.Record
			for _, n := range rng.Perm(teams)[:1+rng.IntN(3)] {
				r := randomSearched(rng, n)
				batch, state[r.ID] = append(batch, r), r
			}
			x = x.Apply(int64(i), batch)
			if i%10 != 9 {
				continue
			}
			for range 4 {
				compareSearch(t, rng, x, state)
			}
		}
		built := indexOf(t, slices.Collect(mapValues(state))...)
		for range 20 {
			compareSearch(t, rng, built, state)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// seenTeams is the live teams as a viewer sees them.
func seenTeams(state map[directory.TeamID]directory.Record, viewer directory.Principal) []directory.Team {
	var teams []directory.Team
	for _, r := range state {
		if r.Deleted.IsZero() && r.MergedInto == "" {
			team := r.Team()
			teams = append(teams, directory.Redact(&team, viewer))
		}
	}
	return teams
}

func compareSearch(t *testing.T, rng *rand.Rand, x *directory.Index, state map[directory.TeamID]directory.Record) {
	t.Helper()
	query, filter := someSearch(rng), someFilter(rng)
	for who, viewer := range someViewers(rng, 4) {
		var want []string
		for _, h := range plainSearch(seenTeams(state, viewer), query, func(t *directory.Team) bool { return filter.Takes(t, directory.Policy{}, now) }) {
			want = append(want, h.String())
		}
		got := hitsOf(t, x, query, directory.SearchAsk{Viewer: viewer, Filter: filter, Now: now, Limit: 1 + rng.IntN(5)})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("search for %q as %s with %+v (-read +searched):\n%s", query, who, filter, diff)
		}
	}
}

// So it does where many teams share a block, many of them have all words, and
// the pages are full: most hits are only counted then. The words are so frequent
// that some names say nothing else, and are there thrice.
func TestSearchOfFullBlocksEqualsReading(t *testing.T) {
	const teams, blocks = 90, 1
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 15))
		x, state := indexOf(t, rec("first")), map[directory.TeamID]directory.Record{}
		var batch []directory.Record
		for n := 0; len(batch) < teams; n++ {
			r := randomSearched(rng, n)
			if directory.SearchBlock(x, r.ID) >= blocks {
				continue
			}
			if rng.IntN(2) == 0 {
				r.Own.Names.Full = "Bank Incident Response Team " + r.Own.Names.Full
			}
			batch, state[r.ID] = append(batch, r), r
		}
		x = x.Apply(2, append(batch, directory.Record{ID: "id-first", Deleted: now}))
		for range 16 {
			compareFull(t, rng, x, state)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// frequentSearches are phrases and words that most teams of a full block have.
var frequentSearches = []string{"cert", "at", "a x", "incident response team", `"incident response team"`, `"response team"`, `"cert cert"`, `bank "incident response" at`, "secret cert a", "c"}

// compareFull compares hits without those whose names are only near: more
// teams have such names than are shown.
func compareFull(t *testing.T, rng *rand.Rand, x *directory.Index, state map[directory.TeamID]directory.Record) {
	t.Helper()
	query, filter := someSearch(rng), someFilter(rng)
	if rng.IntN(2) == 0 {
		query = frequentSearches[rng.IntN(len(frequentSearches))]
	}
	for who, viewer := range someViewers(rng, 2) {
		takes := func(t *directory.Team) bool { return filter.Takes(t, directory.Policy{}, now) }
		var want []string
		for _, h := range plainSearch(seenTeams(state, viewer), query, takes) {
			want = append(want, h.String())
		}
		got := hitsOf(t, x, query, directory.SearchAsk{Viewer: viewer, Filter: filter, Now: now, Limit: 1 + rng.IntN(30)})
		near := func(line string) bool { return strings.HasPrefix(line, "near") }
		if diff := cmp.Diff(slices.DeleteFunc(want, near), slices.DeleteFunc(got, near)); diff != "" {
			t.Errorf("search for %q as %s with %+v (-read +searched):\n%s", query, who, filter, diff)
		}
	}
}

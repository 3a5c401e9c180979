package directory_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// listed is a state of one of a few hundred teams, many of which look alike.
func listed(rng *rand.Rand, n int) directory.Record {
	r := rec(fmt.Sprintf("t%03d", n), named([]string{"Ätna", "ATNA", "atna two", "Zug", ""}[rng.IntN(5)], fmt.Sprintf("Full %d", rng.IntN(9))))
	r.Own.Country = []directory.Country{"", "AT", "DE", "NL"}[rng.IntN(4)]
	r.Own.Kinds = [][]directory.Word{nil, {"csirt"}, {"soc", "csirt"}, {"military"}}[rng.IntN(4)]
	r.Own.Constituency.Sectors = [][]directory.Word{nil, {"energy"}, {"research", "banking"}}[rng.IntN(3)]
	r.Own.Memberships = [][]directory.Membership{nil, {{Forum: "first", Status: "member"}}, {{Forum: "first", Status: "ended"}, {Forum: "tf-csirt", Status: "listed"}}}[rng.IntN(3)]
	r.Updated = now.Add(-time.Duration(rng.IntN(50)) * time.Hour)
	if rng.IntN(10) == 0 {
		r.Handle = directory.Handle(fmt.Sprintf("moved%03d", n))
	}
	label := []directory.TLP{directory.Clear, directory.Green, directory.Red}[rng.IntN(3)]
	r.Own.Contacts = []directory.Contact{{ID: "c", Revision: 1, Channel: "email", Value: "a@example.org", Visibility: label}}
	if rng.IntN(3) == 0 {
		r.Evidence = []directory.Evidence{{Contact: "c", Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: now.Add(-time.Hour)}}
	}
	if rng.IntN(8) == 0 {
		r.Deleted = now
	}
	return r
}

// expect sorts and filters as the documentation says, and no faster.
func expect(records map[int]directory.Record, l directory.List) []string {
	type row struct {
		key    string
		handle string
	}
	var rows []row
	for _, r := range records {
		t := r.Team()
		shown := directory.Redact(&t, l.Viewer)
		if !t.Live() || !l.Filter.Takes(&shown, directory.Policy{}, l.Now) {
			continue
		}
		key := map[directory.SortKey]string{
			directory.ByName: strings.ReplaceAll(strings.ToLower(t.Name()), "ä", "a"), directory.ByCountry: string(t.Country),
			directory.ByUpdated: t.Updated.Format(time.RFC3339),
		}[l.Sort]
		rows = append(rows, row{key, string(t.Handle)})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.handle, b.handle)) })
	if l.Descending {
		slices.Reverse(rows)
	}
	var handles []string
	for _, r := range rows {
		handles = append(handles, r.handle)
	}
	return handles
}

// paged reads a list page by page.
func paged(x *directory.Index, l directory.List, limit int) []string {
	var all []string
	for l.Limit = limit; ; {
		page := x.List(l)
		for _, t := range page {
			all = append(all, string(t.Handle))
		}
		if len(page) < limit {
			return all
		}
		p := x.Position(page[limit-1], l.Sort)
		l.After = &p
	}
}

func questions(rng *rand.Rand) directory.List {
	l := directory.List{
		Now: now, Sort: directory.SortKeys()[rng.IntN(4)], Descending: rng.IntN(2) == 0,
		Viewer: []directory.Principal{directory.Nobody(), {Name: "c", Role: directory.Consumer}, operator}[rng.IntN(3)],
	}
	pick := func(words ...string) string {
		if rng.IntN(3) > 0 {
			return ""
		}
		return words[rng.IntN(len(words))]
	}
	l.Filter = directory.Filter{
		Country: directory.Country(pick("AT", "DE", "FR")), Sector: pick("energy", "banking", "space"), Kind: pick("csirt", "military", "psirt"),
		Forum: pick("first", "tf-csirt", "none"), State: directory.State(pick("verified", "unverified", "failed")),
	}
	return l
}

// TestListIsSorted edits an index again and again, and holds pages of all
// orders and filters against a list that was sorted from scratch. An index that
// was edited is asked once more, which must not have changed.
func TestListIsSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	records := map[int]directory.Record{}
	for n := range 700 {
		records[n] = listed(rng, n)
	}
	x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 1, Epoch: "e"}, func(yield func(directory.Record) bool) {
		for _, r := range records {
			if !yield(r) {
				return
			}
		}
	})
	check := func(x *directory.Index, records map[int]directory.Record) {
		t.Helper()
		l := questions(rng)
		if got, want := paged(x, l, 1+rng.IntN(90)), expect(records, l); !slices.Equal(got, want) {
			t.Fatalf("%+v = %v\nwant %v", l, got, want)
		}
	}
	for round := range 60 {
		before, was := x, map[int]directory.Record{}
		for n, r := range records {
			was[n] = r
		}
		var edits []directory.Record
		for range 1 + rng.IntN(40) {
			n := rng.IntN(1000) // new teams too
			records[n] = listed(rng, n)
			edits = append(edits, records[n])
		}
		x = x.Apply(int64(round+2), edits)
		check(x, records)
		check(before, was)
	}
}

// TestListPastAnEdit reads pages while teams between and behind them change,
// come and go: what did not change is there once.
func TestListPastAnEdit(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, sort := range directory.SortKeys() {
		records := map[int]directory.Record{}
		for n := range 300 {
			records[n] = listed(rng, n)
			r := records[n]
			r.Deleted = time.Time{}
			records[n] = r
		}
		x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 1, Epoch: "e"}, func(yield func(directory.Record) bool) {
			for _, r := range records {
				if !yield(r) {
					return
				}
			}
		})
		touched, seen := map[int]bool{}, map[string]int{}
		l := directory.List{Sort: sort, Limit: 7}
		for page := x.List(l); len(page) > 0; page = x.List(l) {
			for _, team := range page {
				seen[string(team.ID)]++
			}
			p := x.Position(page[len(page)-1], sort)
			l.After = &p
			for range 5 {
				n := rng.IntN(300)
				touched[n] = true
				x = x.Apply(x.Seq()+1, []directory.Record{listed(rng, n)})
			}
		}
		for n, r := range records {
			if got := seen[string(r.ID)]; !touched[n] && got != 1 {
				t.Errorf("sort %s: team %d, which did not change, was listed %d times", sort, n, got)
			}
		}
	}
}

package directory_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestEqualViewsSeeTheSame makes principals and teams by chance: where two
// principals have one view, they must see the same of every team; and views
// must tell principals apart often enough to be worth something.
func TestEqualViewsSeeTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	principal := func() directory.Principal {
		p := directory.Principal{Name: fmt.Sprint(rng.IntN(9)), Role: directory.Role(pick("", "anonymous", "consumer", "editor", "secretariat", "operator")),
			Team: directory.TeamID(pick("", "a", "b")), Forum: pick("", "first", "ti")}
		if rng.IntN(2) == 0 {
			p.Forums = slices.DeleteFunc([]string{"first", "ti"}, func(string) bool { return rng.IntN(2) == 0 })
		}
		if rng.IntN(3) == 0 {
			p.Scopes = []directory.Scope{directory.Scope(pick("read", "write"))}
		}
		return p
	}
	var teams []directory.Team
	for _, id := range []directory.TeamID{"a", "b", "c"} {
		for _, forum := range []string{"", "first", "ti"} {
			team := directory.Team{ID: id}
			for _, label := range []directory.TLP{"", directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red} {
				team.Contacts = append(team.Contacts, directory.Contact{ID: directory.ContactID(label), Value: string(label), Visibility: label})
			}
			team.Evidence = []directory.Evidence{{Contact: directory.ContactID(directory.Clear), Note: "secret"}}
			team.Maturity = directory.Maturity{Model: "SIM3 v1", Visibility: directory.Amber}
			if forum != "" {
				team.Memberships = []directory.Membership{{Forum: forum, Status: "member"}}
			}
			teams = append(teams, team)
		}
	}
	see := func(p directory.Principal) (list []directory.Team) {
		for i := range teams {
			list = append(list, directory.Redact(&teams[i], p))
		}
		return list
	}
	byView := map[string]directory.Principal{}
	shared := 0
	for range 3000 {
		p := principal()
		other, known := byView[p.View()]
		if !known {
			byView[p.View()] = p
			continue
		}
		shared++
		if !reflect.DeepEqual(see(p), see(other)) {
			t.Fatalf("%+v and %+v have the view %q and see different things", p, other, p.View())
		}
	}
	if len(byView) < 20 || shared < 1000 {
		t.Errorf("%d views, %d shared: the principals are too much alike or too different", len(byView), shared)
	}
}

// feed is a directory on a memory store, with a follower on it.
func feed(t *testing.T) (*memoryStore, *directory.Directory, *directory.Follower) {
	t.Helper()
	store := newMemoryStore()
	d, err := directory.New(directory.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	f := newFollower(t, directory.FollowerConfig{Store: store, Now: func() time.Time { return now }})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, d, f
}

func level(t *testing.T, f *directory.Follower) *directory.Index {
	t.Helper()
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f.Index()
}

// TestChangesComeFromTheIndex reads changes while the store is down: those that
// the index followed are in it, more of them than it keeps are not.
func TestChangesComeFromTheIndex(t *testing.T) {
	store, d, f := feed(t)
	old := f.Index()
	for i := range 20_000 {
		store.write(member(i % 50))
		if i%700 == 0 || i == 19_999 {
			level(t, f)
		}
	}
	x := f.Index()
	store.set(func() { store.down = &directory.Error{Kind: directory.Unavailable, Op: "read"} })
	read := func(after int64, limit int) ([]directory.TeamChange, int64, error) {
		return d.Changes(t.Context(), x, after, limit)
	}
	if list, next, err := read(19_990, 100); err != nil || len(list) != 10 || next != 20_000 {
		t.Errorf("changes after 19990 = %d up to %d, %v; want 10 up to 20000", len(list), next, err)
	}
	if list, next, err := read(16_000, 200); err != nil || len(list) != 50 || next != 16_200 || list[0].Seq != 16_151 {
		t.Errorf("200 changes after 16000 = %d up to %d, %v; want the last of each of 50 teams, up to 16200", len(list), next, err)
	}
	if _, _, err := read(0, 100); directory.KindOf(err) != directory.Unavailable {
		t.Errorf("changes from the beginning with the store down: %v, want unavailable", err)
	}
	if list, next, err := d.Changes(t.Context(), old, 0, 100); err != nil || len(list) != 0 || next != 0 {
		t.Errorf("changes of an index that has seen none = %v up to %d, %v", list, next, err)
	}
}

// TestChangesStopAtTheIndex reads from a store that is ahead of the index.
func TestChangesStopAtTheIndex(t *testing.T) {
	store, d, f := feed(t)
	for i := range 10 {
		store.write(member(i))
	}
	f2 := newFollower(t, directory.FollowerConfig{Store: store, Now: func() time.Time { return now }})
	if err := f2.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := f2.Index() // carries no changes
	store.write(member(11))
	list, next, err := d.Changes(t.Context(), x, 4, 100)
	if err != nil || len(list) != 6 || next != 10 {
		t.Errorf("changes after 4 = %d up to %d, %v; want 6 up to 10", len(list), next, err)
	}
	store.set(func() { store.head.Epoch = "second" })
	if _, _, err := d.Changes(t.Context(), x, 4, 100); directory.KindOf(err) != directory.Conflict {
		t.Errorf("changes of a store that was replaced: %v, want a conflict", err)
	}
	if got := level(t, f); got.Epoch() != "second" {
		t.Errorf("epoch %q, want second", got.Epoch())
	}
}

func TestChangesOfTeamsThatAreGone(t *testing.T) {
	store, d, f := feed(t)
	a, b, c := member(1), member(2), member(3)
	for _, r := range []directory.Record{a, b, c} {
		store.write(r)
	}
	a.Deleted, b.MergedInto = now, c.ID
	store.write(a)
	store.write(b)
	x := level(t, f)
	list, _, err := d.Changes(t.Context(), x, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, fmt.Sprintf("%d %s %v %s", e.Seq, e.Op, e.Team != nil, e.MergedInto))
	}
	want := []string{"3 upsert true ", "4 delete false ", "5 delete false " + string(c.ID)}
	if !slices.Equal(got, want) {
		t.Errorf("changes = %q, want %q", got, want)
	}
	gone := map[directory.TeamID]directory.TeamID{}
	for id, into := range x.Gone() {
		gone[id] = into
	}
	if len(gone) != 2 || gone[a.ID] != "" || gone[b.ID] != c.ID || len(x.Sorted()) != 1 {
		t.Errorf("gone %v beside %d teams, want %s deleted and %s merged into the one", gone, len(x.Sorted()), a.ID, b.ID)
	}
	a.Deleted, b.MergedInto = time.Time{}, ""
	store.write(a) // as when a merge is undone
	store.write(b)
	x = level(t, f)
	for id := range x.Gone() {
		t.Errorf("%s is gone after it came back", id)
	}
}

func TestSortedByID(t *testing.T) {
	store, _, f := feed(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		r := member(i)
		r.ID = directory.TeamID(fmt.Sprintf("%08x-%04x-4000-8000-%012x", rng.Uint32()>>(i%32), rng.Uint32()&0xffff>>(i%16), i))
		store.write(r)
	}
	list := level(t, f).Sorted()
	ordered := slices.IsSortedFunc(list, func(a, b *directory.Team) int { return strings.Compare(string(a.ID), string(b.ID)) })
	if len(list) != 500 || !ordered {
		t.Errorf("%d teams, in order: %v; want 500 in the order of their ids", len(list), ordered)
	}
}

func TestMoved(t *testing.T) {
	store, _, f := feed(t)
	moved := f.Moved()
	closed := func() bool {
		select {
		case <-moved:
			return true
		default:
			return false
		}
	}
	if level(t, f); closed() {
		t.Error("told of a newer index where there is none")
	}
	store.write(member(1))
	if level(t, f); !closed() {
		t.Error("not told of a newer index")
	}
	moved = f.Moved()
	store.set(func() { store.head.Epoch = "second" })
	if level(t, f); !closed() {
		t.Error("not told of another database")
	}
}

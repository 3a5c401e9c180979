package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

func testRoundTrip(t *testing.T, e Engine) {
	_, db := e.Open(t)
	want := Full()
	Write(t, db, want)
	want.Seq = 1
	wantEqual(t, "Team", team(t, db, want.ID), want)
	got := view(t, db, func(r directory.Reader) (directory.Record, error) { return r.TeamByHandle(want.Handle) })
	wantEqual(t, "TeamByHandle", got, want)
	all := view(t, db, func(r directory.Reader) ([]directory.Record, error) {
		return r.Teams(directory.TeamFilter{Deleted: true})
	})
	wantEqual(t, "Teams", all, []directory.Record{want})
	whole(t, db)
}

func testEmptyLists(t *testing.T, e Engine) {
	_, db := e.Open(t)
	want := Small(1)
	want.Own = directory.Profile{Kinds: []directory.Word{}, Contacts: []directory.Contact{}, Resources: nil}
	Write(t, db, want)
	got := team(t, db, want.ID)
	if got.Own.Kinds == nil || got.Own.Contacts == nil || got.Own.Resources != nil {
		t.Errorf("Own = %#v, want empty kinds and contacts, and no resources", got.Own)
	}
}

func testText(t *testing.T, e Engine) {
	_, db := e.Open(t)
	r := Small(1)
	for i := range 16 {
		r.Own.Prose = append(r.Own.Prose, directory.Section{Number: fmt.Sprint(i), Language: "en", Text: strings.Repeat("Grüße 例え 🛰 \\ \" ' % _ ", 2600)})
	}
	r.Own.Host = "\u202eلسلام\u0000\U0010ffff\u2028"
	Write(t, db, r)
	r.Seq = 1
	wantEqual(t, "a record of more than 1 MiB", team(t, db, r.ID), r)
}

func testBadText(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1))
	for name, note := range map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xffb"} {
		err := db.Update(context.Background(), func(tx directory.Tx) error {
			ev := Evidence("e", Moment())
			ev.Note = note
			return tx.PutEvidence(TeamID(1), []directory.Evidence{ev})
		})
		wantKind(t, name, err, directory.Invalid)
	}
}

func testNotFound(t *testing.T, e Engine) {
	_, db := e.Open(t)
	for name, read := range map[string]func(directory.Reader) error{
		"Team":         func(r directory.Reader) error { _, err := r.Team(TeamID(9)); return err },
		"TeamByHandle": func(r directory.Reader) error { _, err := r.TeamByHandle("nobody"); return err },
		"Token":        func(r directory.Reader) error { _, err := r.Token("rct_0"); return err },
	} {
		wantKind(t, name, db.View(context.Background(), read), directory.NotFound)
	}
	err := db.Update(context.Background(), func(tx directory.Tx) error {
		return tx.PutEvidence(TeamID(9), []directory.Evidence{Evidence("e", Moment())})
	})
	wantKind(t, "PutEvidence", err, directory.NotFound)
	h := head(t, db)
	if h.Seq != 0 || h.Epoch == "" {
		t.Errorf("Head of an empty store = %+v, want 0 and an epoch", h)
	}
}

func testConflict(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1))
	for _, c := range []struct {
		name     string
		id       int
		revision int64
	}{
		{"a team is not new twice", 1, 1},
		{"no revision is skipped", 1, 3},
		{"a revision is more than nothing", 2, 0},
	} {
		r := Small(c.id)
		r.Revision = c.revision
		other := Small(3)
		wantKind(t, c.name, TryWrite(db, other, r), directory.Conflict)
	}
	if got := head(t, db).Seq; got != 1 {
		t.Errorf("after three conflicts the sequence is at %d, want 1", got)
	}
	next := Small(1)
	next.Revision = 2
	Write(t, db, next)
	travelled := Small(2) // from another instance, as an export brings it
	travelled.Revision = 7
	Write(t, db, travelled)
	whole(t, db)
}

func testHandles(t *testing.T, e Engine) {
	_, db := e.Open(t)
	gone := Small(1)
	gone.Deleted = Moment()
	Write(t, db, gone, Small(2))
	thief, twin := Small(3), Small(4)
	thief.Handle, twin.Handle = gone.Handle, Small(5).Handle
	for name, records := range map[string][]directory.Record{
		"of a tombstone":       {thief},
		"twice in one write":   {twin, Small(5)},
		"within a large write": append(many(10, 400), thief),
	} {
		err := TryWrite(db, records...)
		wantKind(t, name, err, directory.Conflict)
		if p := directory.ProblemsOf(err); len(p) != 1 || p[0].Code != "handle.taken" || p[0].Field != "/handle" || p[0].Value == "" {
			t.Errorf("%s: problems %+v, want one handle.taken at /handle", name, p)
		}
	}
	// A handle that was given up is free.
	moved, taker := Small(2), Small(6)
	moved.Revision, moved.Handle = 2, "moved"
	taker.Handle = Small(2).Handle
	Write(t, db, moved)
	Write(t, db, taker)
	whole(t, db)
}

// many returns n small records from the firstth on.
func many(first, n int) []directory.Record {
	records := make([]directory.Record, n)
	for i := range records {
		records[i] = Small(first + i)
	}
	return records
}

func testBatch(t *testing.T, e Engine) {
	_, db := e.Open(t)
	records := many(0, 777)
	again := Small(5)
	again.Revision = 2
	records = append(records, again) // the same team twice in one write
	Write(t, db, records...)
	got := view(t, db, func(r directory.Reader) ([]directory.Record, error) { return r.Teams(directory.TeamFilter{}) })
	if len(got) != 777 {
		t.Fatalf("Teams returned %d records, want 777", len(got))
	}
	for i, r := range got {
		want := records[i]
		want.Seq = int64(i + 1)
		if i == 5 {
			want.Revision, want.Seq = 2, 778
		}
		wantEqual(t, "record "+string(r.Handle), r, want)
	}
	if n := head(t, db).Seq; n != 778 {
		t.Errorf("Head = %d, want 778", n)
	}
	whole(t, db)
}

func testFilter(t *testing.T, e Engine) {
	_, db := e.Open(t)
	records := many(0, 10)
	set := func(i int, h directory.Handle, c directory.Country, kinds ...directory.Word) {
		records[i].Handle, records[i].Own.Country, records[i].Own.Kinds = h, c, kinds
	}
	// The order is that of bytes: neither of a locale nor of numbers.
	set(0, "b", "DE", "csirt")
	set(1, "a.b", "AT", "psirt", "national")
	set(2, "a-b", "AT", "national-responsibility")
	set(3, "a10", "AT", "national")
	set(4, "a9", "DE", "soc")
	records[5].Deleted = Moment()
	records[6].MergedInto = TeamID(1)
	Write(t, db, records...)
	ev := Evidence("e1", Moment())
	update(t, db, func(tx directory.Tx) error { return tx.PutEvidence(TeamID(3), []directory.Evidence{ev}) })
	for _, c := range []struct {
		name string
		f    directory.TeamFilter
		want string
	}{
		{"all that live", directory.TeamFilter{}, "a-b a.b a10 a9 b team-00007 team-00008 team-00009"},
		{"tombstones too", directory.TeamFilter{Deleted: true, After: "b"}, "team-00005 team-00006 team-00007 team-00008 team-00009"},
		{"a page", directory.TeamFilter{Limit: 2, After: "a.b"}, "a10 a9"},
		{"a country", directory.TeamFilter{Country: "DE"}, "a9 b"},
		{"a kind is a whole word", directory.TeamFilter{Kind: "national"}, "a.b a10"},
		{"a kind and a country, from the layers too", directory.TeamFilter{Kind: "csirt", Country: "AT"}, "team-00007 team-00008 team-00009"},
		{"nothing", directory.TeamFilter{Country: "FR"}, ""},
		{"no wildcard", directory.TeamFilter{Kind: "%"}, ""},
	} {
		got := view(t, db, func(r directory.Reader) ([]directory.Record, error) { return r.Teams(c.f) })
		var handles []string
		for _, r := range got {
			handles = append(handles, string(r.Handle))
			if r.Handle == "a10" && len(r.Evidence) != 1 || r.Handle != "a10" && len(r.Evidence) != 0 {
				t.Errorf("%s: %s has %d items of evidence", c.name, r.Handle, len(r.Evidence))
			}
		}
		if got := strings.Join(handles, " "); got != c.want {
			t.Errorf("%s: Teams(%+v) = %q, want %q", c.name, c.f, got, c.want)
		}
	}
}

func testHistory(t *testing.T, e Engine) {
	_, db := e.Open(t)
	var states []directory.Record
	for i := range 5 {
		r := Small(1)
		r.Revision, r.Own.Host, r.Updated = int64(i+1), fmt.Sprint("host ", i), Moment().Add(time.Duration(i)*time.Second)
		Write(t, db, r)
		r.Seq = int64(i + 1)
		states = append(states, r)
	}
	read := func(before int64, limit int) []directory.Revision {
		return view(t, db, func(r directory.Reader) ([]directory.Revision, error) { return r.History(TeamID(1), before, limit) })
	}
	want := directory.Revision{Revision: 4, Seq: 4, At: states[3].Updated, Actor: "tester", Action: "test", Fields: []string{"names"},
		Before: &states[2], After: states[3]}
	wantEqual(t, "History(before 5, limit 1)", read(5, 1), []directory.Revision{want})
	all := read(0, 0)
	if len(all) != 5 || all[0].Revision != 5 || all[4].Revision != 1 || all[4].Before != nil {
		t.Errorf("History of all = %d revisions, want 5, newest first, nothing before the first", len(all))
	}
	if got := read(3, 10); len(got) != 2 || got[0].Before == nil || got[1].Before != nil {
		t.Errorf("History(before 3) = %d revisions, want 2 and 1", len(got))
	}
}

func testChanges(t *testing.T, e Engine) {
	_, db := e.Open(t)
	dead := Small(2)
	dead.Deleted = Moment()
	Write(t, db, Small(1), dead)
	c := directory.Change{Seq: 3, Type: "token", ID: "rct_1", Op: directory.OpUpsert, At: Moment()}
	a := directory.AuditEntry{At: Moment(), Actor: "cli:root", Action: "create token", Subject: "token:rct_1", Fields: []string{"a", "b"}, Detail: "d"}
	update(t, db, func(tx directory.Tx) error {
		if _, err := tx.NextSeq(1); err != nil {
			return err
		}
		return tx.Append(c, a)
	})
	a.Seq = 3
	changes := view(t, db, func(r directory.Reader) ([]directory.Change, error) { return r.Changes(1, 10) })
	wantEqual(t, "Changes(1)", changes, []directory.Change{
		{Seq: 2, Type: "team", ID: string(TeamID(2)), Op: directory.OpDelete, Revision: 1, At: Moment()}, c})
	if got := view(t, db, func(r directory.Reader) ([]directory.Change, error) { return r.Changes(0, 2) }); len(got) != 2 || got[0].Seq != 1 {
		t.Errorf("Changes(0, 2) = %+v, want 1 and 2", got)
	}
	first := directory.AuditEntry{Seq: 2, At: Moment(), Actor: "tester", Action: "test", Subject: "team:" + string(TeamID(2)), Fields: []string{"names"}}
	wantEqual(t, "Audit(0, 2)", view(t, db, func(r directory.Reader) ([]directory.AuditEntry, error) {
		return r.Audit(directory.AuditFilter{Limit: 2})
	}),
		[]directory.AuditEntry{a, first})
	if got := view(t, db, func(r directory.Reader) ([]directory.AuditEntry, error) {
		return r.Audit(directory.AuditFilter{Before: 2})
	}); len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("Audit(2, 0) = %+v, want the first", got)
	}
	for _, tt := range []struct {
		name string
		f    directory.AuditFilter
		want int
	}{
		{"an actor", directory.AuditFilter{Actor: a.Actor}, 1},
		{"another actor, newest only", directory.AuditFilter{Actor: "tester", Limit: 1}, 1},
		{"nobody", directory.AuditFilter{Actor: "nobody"}, 0},
		{"a subject", directory.AuditFilter{Subject: first.Subject}, 1},
		{"an action and an actor that did something else", directory.AuditFilter{Action: a.Action, Actor: "tester"}, 0},
		{"from a moment that is not over", directory.AuditFilter{From: Moment().AddDate(1, 0, 0)}, 0},
		{"from the moment itself", directory.AuditFilter{From: Moment(), Actor: "tester", Limit: 1}, 1},
		{"before the moment itself", directory.AuditFilter{To: Moment(), Actor: "tester"}, 0},
	} {
		if got := view(t, db, func(r directory.Reader) ([]directory.AuditEntry, error) { return r.Audit(tt.f) }); len(got) != tt.want {
			t.Errorf("Audit of %s = %+v, want %d", tt.name, got, tt.want)
		}
	}
}

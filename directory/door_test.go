package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

var operator = directory.Principal{Name: "op", Role: directory.Operator}

// clock is a time that only the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// door is a directory on a fresh database.
type door struct {
	*directory.Directory
	store directory.Store
	clock *clock
	t     *testing.T
}

// onEngines runs f on a fresh directory of each engine.
func onEngines(t *testing.T, f func(t *testing.T, d door)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, _ string, db *store.DB) {
		c := &clock{now}
		d, err := directory.New(directory.Config{Store: db, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		f(t, door{d, db, c, t})
	})
}

// create makes a team called handle with one contact, one prefix, and a seat
// in the forum "forum".
func (d door) create(handle string) directory.Team {
	d.t.Helper()
	team, err := d.Create(context.Background(), operator, directory.NewTeam{Handle: directory.Handle(handle), Profile: directory.Profile{
		Names: directory.Names{Short: strings.ToUpper(handle)}, Country: "AT",
		Contacts:    []directory.Contact{email(handle+"@example.org", "abuse")},
		Memberships: []directory.Membership{{Forum: "forum", Status: "member"}},
	}})
	if err != nil {
		d.t.Fatalf("create %s: %v", handle, err)
	}
	return team
}

func (d door) head() int64 {
	d.t.Helper()
	var head directory.Head
	err := d.store.View(context.Background(), func(r directory.Reader) (err error) {
		head, err = r.Head()
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return head.Seq
}

func edit(f func(*directory.Profile)) directory.Edit {
	return directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		f(own)
		return nil
	}}
}

func wantCode(t *testing.T, err error, kind directory.Kind, code directory.Code, field string) {
	t.Helper()
	if got := directory.KindOf(err); got != kind {
		t.Fatalf("error %v: kind %q, want %q", err, got, kind)
	}
	for _, p := range directory.ProblemsOf(err) {
		if p.Code == code && p.Field == field {
			return
		}
	}
	t.Fatalf("error %v: want code %s at %q", directory.ProblemsOf(err), code, field)
}

func TestEdit(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		first := team.Contacts[0]
		if first.ID == "" || first.Revision != 1 || team.Revision != 1 {
			t.Fatalf("created %+v at revision %d, want a contact with an id at revision 1", first, team.Revision)
		}
		d.clock.at = now.Add(time.Hour)
		team, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts[0].Label = "duty officer" }))
		if err != nil || team.Revision != 2 {
			t.Fatalf("edit = revision %d, %v; want revision 2", team.Revision, err)
		}
		if got := team.Contacts[0]; got.ID != first.ID || got.Revision != 1 || !got.Since.Equal(now) {
			t.Errorf("a new label made contact %+v, want the same id, revision 1 since %s", got, now)
		}
		team, err = d.Edit(ctx, operator, string(team.ID), edit(func(p *directory.Profile) { p.Contacts[0].Value = "new@example.org" }))
		if err != nil {
			t.Fatal(err)
		}
		if got := team.Contacts[0]; got.ID != first.ID || got.Revision != 2 || !got.Since.Equal(d.clock.at) {
			t.Errorf("a new value made contact %+v, want the same id at revision 2 since %s", got, d.clock.at)
		}
		if got := team.Origins["country"].At; !got.Equal(now) {
			t.Errorf("country is dated %s by an edit of contacts, want %s", got, now)
		}
		head := d.head()
		team, err = d.Edit(ctx, operator, "alpha", edit(func(*directory.Profile) {}))
		if err != nil || team.Revision != 3 || d.head() != head {
			t.Errorf("an edit that changes nothing: revision %d, sequence %d, %v; want 3, %d", team.Revision, d.head(), err, head)
		}
	})
}

func TestStaleEditSaysWhatChanged(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		other := operator
		other.Name = "somebody else"
		if _, err := d.Edit(ctx, other, "alpha", edit(func(p *directory.Profile) { p.Country = "DE"; p.Host = "Host" })); err != nil {
			t.Fatal(err)
		}
		head := d.head()
		mine := edit(func(p *directory.Profile) { p.Website = "https://example.org/" })
		mine.Revision = 1
		_, err := d.Edit(ctx, operator, "alpha", mine)
		wantCode(t, err, directory.Stale, "revision.stale", "/country")
		wantCode(t, err, directory.Stale, "revision.stale", "/host")
		if !strings.Contains(directory.ProblemsOf(err)[0].Reason, "somebody else") {
			t.Errorf("problem %+v does not say who", directory.ProblemsOf(err)[0])
		}
		mine.Revision = 0
		_, err = d.Edit(ctx, operator, "alpha", mine)
		wantCode(t, err, directory.Unconditional, "revision.missing", "")
		mine.Revision = 9
		_, err = d.Edit(ctx, operator, "alpha", mine)
		wantCode(t, err, directory.Stale, "revision.unknown", "")
		if d.head() != head {
			t.Errorf("refused edits moved the sequence from %d to %d", head, d.head())
		}
	})
}

// badRecords are profiles that break a rule of the whole record.
var badRecords = []struct {
	name  string
	edit  func(p *directory.Profile)
	code  directory.Code
	field string
}{
	{"a NUL in a name", func(p *directory.Profile) { p.Names.Short = "a\x00b" }, "text.control", "/names/short"},
	{"an escape in a name", func(p *directory.Profile) { p.Names.Full = "\x1b[31mred" }, "text.control", "/names/full"},
	{"invalid UTF-8", func(p *directory.Profile) { p.Host = "\xff\xfe" }, "text.encoding", "/host"},
	{"a right-to-left override", func(p *directory.Profile) { p.Host = "abc\u202egro" }, "text.bidi", "/host"},
	{"a line break in a name", func(p *directory.Profile) { p.Names.Short = "a\nb" }, "text.line-break", "/names/short"},
	{"a short name of 101", func(p *directory.Profile) { p.Names.Short = strings.Repeat("é", 101) }, "text.too-long", "/names/short"},
	{"an address of 2,001", func(p *directory.Profile) { p.Address = strings.Repeat("a", 2001) }, "text.too-long", "/address"},
	{"constituency text of 4,001", func(p *directory.Profile) { p.Constituency.Text = strings.Repeat("a", 4001) }, "text.too-long", "/constituency/text"},
	{"prose of 64 KiB and one", func(p *directory.Profile) {
		p.Prose = []directory.Section{{Number: "3.1", Language: "en", Text: strings.Repeat("a", 64<<10+1)}}
	}, "text.too-long", "/prose/0/text"},
	{"no name at all", func(p *directory.Profile) { p.Names = directory.Names{} }, "team.nameless", "/names"},
	{"201 other names", func(p *directory.Profile) { p.Names.Other = make([]string, 201) }, "list.too-long", "/names/other"},
	{"established tomorrow", func(p *directory.Profile) { p.Established = "2026-11-22" }, "date.future", "/established"},
	{"one language twice", func(p *directory.Profile) { p.Languages = []directory.Language{"de", "en", "de"} }, "list.duplicate", "/languages/2"},
	{"61 holidays", func(p *directory.Profile) { p.Holidays = days(61) }, "list.too-long", "/holidays"},
	{"one holiday twice", func(p *directory.Profile) { p.Holidays = append(days(2), days(1)...) }, "list.duplicate", "/holidays/2"},
	{"one kind twice", func(p *directory.Profile) { p.Kinds = []string{"csirt", "csirt"} }, "list.duplicate", "/kinds/1"},
	{"one service twice", func(p *directory.Profile) { p.Services = []string{"exercises", "exercises"} }, "list.duplicate", "/services/1"},
	{"one mailbox twice, in another case", func(p *directory.Profile) {
		p.Contacts = []directory.Contact{email("a@example.org"), email("A@example.org")}
	}, "contact.duplicate", "/contacts/1"},
	{"one use twice", func(p *directory.Profile) { p.Contacts[0].Uses = []string{"abuse", "abuse"} }, "list.duplicate", "/contacts/0/uses/1"},
	{"an order of 100", func(p *directory.Profile) { p.Contacts[0].Order = 100 }, "contact.order", "/contacts/0/order"},
	{"a negative order", func(p *directory.Profile) { p.Contacts[0].Order = -1 }, "contact.order", "/contacts/0/order"},
	{"an id that is nobody's", func(p *directory.Profile) { p.Contacts[0].ID = "nobody" }, "contact.unknown-id", "/contacts/0/id"},
	{"51 contacts", func(p *directory.Profile) {
		for i := range 50 {
			p.Contacts = append(p.Contacts, email(fmt.Sprintf("c%d@example.org", i)))
		}
	}, "list.too-long", "/contacts"},
	{"one prefix twice", func(p *directory.Profile) {
		p.Resources = []directory.Resource{prefix("192.0.2.0/24"), prefix("192.0.2.0/24")}
	}, "resource.duplicate", "/resources/1"},
	{"one domain twice", func(p *directory.Profile) {
		p.Resources = []directory.Resource{domain("example.org"), domain("example.org")}
	}, "resource.duplicate", "/resources/1"},
	{"a prefix inside another", func(p *directory.Profile) {
		p.Resources = []directory.Resource{prefix("192.0.2.128/25"), prefix("192.0.2.0/24")}
	}, "resource.overlap", "/resources/0"},
	{"an IPv6 prefix inside another", func(p *directory.Profile) {
		p.Resources = []directory.Resource{prefix("2001:db8::/32"), prefix("2001:db8:1::/48")}
	}, "resource.overlap", "/resources/1"},
	{"20,001 resources", func(p *directory.Profile) {
		for i := range 20_001 {
			p.Resources = append(p.Resources, directory.Resource{Type: "asn", ASN: directory.ASN(i + 1)})
		}
	}, "list.too-long", "/resources"},
	{"one key twice", func(p *directory.Profile) {
		k := directory.TeamKey{Key: directory.Key{Fingerprint: "ABCD"}}
		p.Keys = []directory.TeamKey{k, k}
	}, "key.duplicate", "/keys/1"},
	{"one section twice", func(p *directory.Profile) {
		s := directory.Section{Number: "3.1", Language: "en", Text: "x"}
		p.Prose = []directory.Section{s, s}
	}, "list.duplicate", "/prose/1"},
	{"one forum twice", func(p *directory.Profile) {
		m := directory.Membership{Forum: "first", Status: "member"}
		p.Memberships = []directory.Membership{m, m}
	}, "list.duplicate", "/memberships/1"},
	{"a forum that is no handle", func(p *directory.Profile) {
		p.Memberships = []directory.Membership{{Forum: "FIRST.Org!", Status: "member"}}
	}, "handle.syntax", "/memberships/0/forum"},
	{"a membership that ends before it begins", func(p *directory.Profile) {
		p.Memberships = []directory.Membership{{Forum: "first", Status: "ended", Since: "2020-01-02", Until: "2020-01-01"}}
	}, "date.order", "/memberships/0/until"},
	{"a designation that ends before it begins", func(p *directory.Profile) {
		p.Designations = []directory.Designation{{Country: "AT", Scope: "national", Since: "2020-01-02", Until: "2020-01-01"}}
	}, "date.order", "/designations/0/until"},
	{"one designation twice", func(p *directory.Profile) {
		x := directory.Designation{Country: "AT", Scope: "national"}
		p.Designations = []directory.Designation{x, x}
	}, "list.duplicate", "/designations/1"},
	{"a preference of 100", func(p *directory.Profile) {
		p.Designations = []directory.Designation{{Country: "AT", Scope: "national", Preference: 100}}
	}, "designation.preference", "/designations/0/preference"},
	{"a parameter that SIM3 does not have", func(p *directory.Profile) {
		p.Maturity = directory.Maturity{Model: "SIM3 v1", Levels: map[string]int{"O-12": 1}}
	}, "maturity.parameter", "/maturity/levels"},
	{"a level that SIM3 does not have", func(p *directory.Profile) {
		p.Maturity = directory.Maturity{Model: "SIM3 v1", Levels: map[string]int{"O-1": 5}}
	}, "maturity.level", "/maturity/levels/O-1"},
}

func TestBadRecordsAreRefusedWhole(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		head := d.head()
		for _, c := range badRecords {
			_, err := d.Edit(ctx, operator, "alpha", edit(c.edit))
			t.Run(c.name, func(t *testing.T) { wantCode(t, err, directory.Invalid, c.code, c.field) })
		}
		for _, handle := range []string{"", "A", "a b", strings.Repeat("a", 65)} {
			_, err := d.Create(ctx, operator, directory.NewTeam{Handle: directory.Handle(handle), Profile: team.Profile})
			wantCode(t, err, directory.Invalid, "handle.syntax", "/handle")
		}
		_, err := d.Create(ctx, operator, directory.NewTeam{ID: "1", Handle: "beta", Profile: directory.Profile{Names: directory.Names{Short: "B"}}})
		wantCode(t, err, directory.Invalid, "id.syntax", "/id")
		_, err = d.Create(ctx, operator, directory.NewTeam{Handle: "alpha", Profile: directory.Profile{Names: directory.Names{Short: "B"}}})
		wantCode(t, err, directory.Conflict, "handle.taken", "/handle")
		if after, err := d.Team(ctx, operator, "alpha"); err != nil || d.head() != head || after.Revision != 1 {
			t.Errorf("after all refusals: revision %d, sequence %d, %v; want 1, %d", after.Revision, d.head(), err, head)
		}
	})
}

func TestErrorOfApplyEndsTheEdit(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		boom := errors.New("boom")
		_, err := d.Edit(context.Background(), operator, "alpha", directory.Edit{Revision: 1,
			Apply: func(*directory.Team, *directory.Profile) error { return boom }})
		if !errors.Is(err, boom) {
			t.Errorf("Edit = %v, want the error of Apply", err)
		}
	})
}

func TestDeleteLeavesATombstone(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		if err := d.Delete(ctx, operator, "alpha", 1); err != nil {
			t.Fatal(err)
		}
		_, err := d.Team(ctx, operator, string(team.ID))
		wantCode(t, err, directory.NotFound, "team.deleted", "")
		if list, err := d.Teams(ctx, directory.Nobody(), directory.TeamFilter{Deleted: true}); err != nil || len(list) != 0 {
			t.Errorf("a stranger lists %d teams, %v; want none", len(list), err)
		}
		history, err := d.History(ctx, operator, "alpha", 0, 10)
		if err != nil || len(history) != 2 || history[0].Before == nil || history[0].Before.Deleted != (time.Time{}) || history[0].After.Deleted.IsZero() {
			t.Errorf("history = %+v, %v; want two revisions, the newer with before and after", history, err)
		}
	})
}

func TestMerge(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		alpha, beta := d.create("alpha"), d.create("beta")
		proof := directory.Evidence{Contact: alpha.Contacts[0].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: daysAgo(1)}
		if _, err := d.RecordEvidence(ctx, operator, "alpha", proof); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Edit(ctx, operator, "beta", edit(func(p *directory.Profile) { p.Contacts = nil })); err != nil {
			t.Fatal(err)
		}
		_, err := d.Merge(ctx, operator, "beta", "beta", directory.AnyRevision)
		wantCode(t, err, directory.Invalid, "merge.same", "")
		merged, err := d.Merge(ctx, operator, "alpha", "beta", directory.AnyRevision)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"alpha", string(alpha.ID), "beta", string(beta.ID)} {
			got, err := d.Team(ctx, directory.Nobody(), ref)
			if err != nil || got.ID != beta.ID {
				t.Errorf("Team(%s) = %s, %v; want beta", ref, got.ID, err)
			}
			if len(got.Contacts) != 1 || got.Contacts[0].Value != "alpha@example.org" || got.Contacts[0].ID != alpha.Contacts[0].ID {
				t.Errorf("Team(%s) contacts = %+v, want alpha's with its id", ref, got.Contacts)
			}
			if len(got.Evidence) != 1 {
				t.Errorf("Team(%s) has %d items of evidence, want alpha's one", ref, len(got.Evidence))
			}
		}
		if diff := cmp.Diff([]string{"ALPHA"}, merged.Names.Other); diff != "" {
			t.Errorf("other names (-want +got):\n%s", diff)
		}
	})
}

func TestEvidenceByHand(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		good := directory.Evidence{Contact: team.Contacts[0].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: daysAgo(1)}
		for _, c := range []struct {
			name  string
			spoil func(*directory.Evidence)
			kind  directory.Kind
			code  directory.Code
			field string
		}{
			{"level 0 is no proof", func(e *directory.Evidence) { e.Level = 0 }, directory.Invalid, "evidence.level", "/level"},
			{"level 5 does not exist", func(e *directory.Evidence) { e.Level = 5 }, directory.Invalid, "evidence.level", "/level"},
			{"a machine's method", func(e *directory.Evidence) { e.Method = "challenge.code" }, directory.Invalid, "evidence.method", "/method"},
			{"an unknown outcome", func(e *directory.Evidence) { e.Outcome = "maybe" }, directory.Invalid, "evidence.outcome", "/outcome"},
			{"tomorrow", func(e *directory.Evidence) { e.At = daysAgo(-1) }, directory.Invalid, "date.future", "/at"},
			{"no time", func(e *directory.Evidence) { e.At = time.Time{} }, directory.Invalid, "date.future", "/at"},
			{"over before it began", func(e *directory.Evidence) { e.ValidUntil = daysAgo(2) }, directory.Invalid, "date.order", "/valid_until"},
			{"for ever", func(e *directory.Evidence) { e.ValidUntil = daysAgo(-1000) }, directory.Invalid, "evidence.too-long", "/valid_until"},
			{"a NUL in the note", func(e *directory.Evidence) { e.Note = "\x00" }, directory.Invalid, "text.control", "/note"},
			{"another team's contact", func(e *directory.Evidence) { e.Contact = "x" }, directory.NotFound, "contact.unknown-id", "/contact"},
		} {
			e := good
			c.spoil(&e)
			_, err := d.RecordEvidence(ctx, operator, "alpha", e)
			t.Run(c.name, func(t *testing.T) { wantCode(t, err, c.kind, c.code, c.field) })
		}
		got, err := d.RecordEvidence(ctx, operator, "alpha", good)
		if err != nil || got.Revision != 1 || len(got.Evidence) != 1 || got.Evidence[0].By != "operator" {
			t.Fatalf("RecordEvidence = revision %d, %+v, %v; want revision 1 and one item by an operator", got.Revision, got.Evidence, err)
		}
		if s := directory.Assess(got.Contacts[0], got.Evidence, directory.Policy{}, now); s.State != directory.Verified || s.Level != 2 {
			t.Errorf("standing = %+v, want verified at level 2", s)
		}
		got, err = d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts[0].Value = "other@example.org" }))
		if err != nil {
			t.Fatal(err)
		}
		if s := directory.Assess(got.Contacts[0], got.Evidence, directory.Policy{}, now); s.State != directory.Unverified || s.Level != 0 {
			t.Errorf("standing after a new value = %+v, want unverified", s)
		}
	})
}

func TestNamedPersonIsNotPublic(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts[0].Person = "A. Person" })); err != nil {
			t.Fatal(err)
		}
		if got, _ := d.Team(ctx, directory.Nobody(), "alpha"); len(got.Contacts) != 0 {
			t.Errorf("a stranger sees %+v", got.Contacts)
		}
		explicit := edit(func(p *directory.Profile) { p.Contacts[0].Visibility = directory.Clear })
		if _, err := d.Edit(ctx, operator, "alpha", explicit); err != nil {
			t.Fatal(err)
		}
		if got, _ := d.Team(ctx, directory.Nobody(), "alpha"); len(got.Contacts) != 1 {
			t.Error("a person who chose to be public is not")
		}
	})
}

// days are so many days of the calendar.
func days(n int) (list []directory.Date) {
	for i := range n {
		list = append(list, directory.Date(time.Date(2026, 12, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)))
	}
	return list
}

package directory_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// items makes a codec's output of records.
func items(records ...directory.SourceRecord) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		for i := range records {
			if !yield(directory.ImportItem{Record: &records[i]}) {
				return
			}
		}
	}
}

func source(key string, uses ...string) directory.SourceRecord {
	return directory.SourceRecord{Row: 1, Key: key, Handle: directory.Handle(key), Profile: directory.Profile{
		Names: directory.Names{Short: key}, Country: "US", Contacts: []directory.Contact{email(key+"@example.org", uses...)},
		Resources: []directory.Resource{domain(key + ".example.org")},
	}}
}

func sources(n int) []directory.SourceRecord {
	list := make([]directory.SourceRecord, n)
	for i := range list {
		list[i] = source(fmt.Sprintf("team%03d", i))
	}
	return list
}

type counts struct{ Rows, Created, Updated, Unchanged, Skipped, Removed int }

func (d door) importing(opt directory.ImportOptions, records ...directory.SourceRecord) (counts, error) {
	d.t.Helper()
	if opt.Source == "" {
		opt.Source = "src"
	}
	r, err := d.Import(context.Background(), operator, opt, items(records...))
	return counts{r.Rows, r.Created, r.Updated, r.Unchanged, r.Skipped, r.Records.Removed}, err
}

func TestImportTwice(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		list := sources(600) // more than one batch
		for i, want := range []counts{{600, 600, 0, 0, 0, 0}, {600, 0, 0, 600, 0, 0}} {
			got, err := d.importing(directory.ImportOptions{Complete: true}, list...)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("import %d: %v (-want +got):\n%s", i+1, err, diff)
			}
		}
		if head := d.head(); head != 600 {
			t.Errorf("the sequence stands at %d, want 600", head)
		}
		team, err := d.Team(context.Background(), directory.Nobody(), "team007")
		if err != nil || team.Resources[0].Claim != "listed" || team.Contacts[0].Origin.Source != "src" || team.Contacts[0].ID == "" {
			t.Errorf("team007 = %+v, %v; want a listed resource and a contact of src with an id", team.Profile, err)
		}
	})
}

func TestImportNeverOverwritesPeople(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		if _, err := d.importing(directory.ImportOptions{}, source("alpha")); err != nil {
			t.Fatal(err)
		}
		own := func(p *directory.Profile) {
			p.Country = "AT"
			p.Contacts = []directory.Contact{email("mine@example.org")}
		}
		if _, err := d.Edit(ctx, operator, "alpha", edit(own)); err != nil {
			t.Fatal(err)
		}
		changed := source("alpha")
		changed.Profile.Country, changed.Profile.Host = "DE", "Host"
		if got, err := d.importing(directory.ImportOptions{}, changed); err != nil || got.Updated != 1 {
			t.Fatalf("second import = %+v, %v; want one updated", got, err)
		}
		team, err := d.Team(ctx, directory.Nobody(), "alpha")
		if err != nil || team.Country != "AT" || len(team.Contacts) != 1 || team.Contacts[0].Value != "mine@example.org" || team.Host != "Host" {
			t.Errorf("team = %+v, %v; want the entered country and contact and the imported host", team.Profile, err)
		}
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts, p.Country = nil, "" })); err != nil {
			t.Fatal(err)
		}
		team, _ = d.Team(ctx, directory.Nobody(), "alpha")
		if team.Country != "DE" || len(team.Contacts) != 1 || team.Contacts[0].Value != "alpha@example.org" {
			t.Errorf("after taking back what was entered: %+v, want the imported values", team.Profile)
		}
	})
}

func TestImportOfWhatVanished(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		list := sources(5)
		if _, err := d.importing(directory.ImportOptions{Complete: true}, list...); err != nil {
			t.Fatal(err)
		}
		kept, err := d.Team(ctx, operator, "team003")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Edit(ctx, operator, "team003", edit(func(p *directory.Profile) { p.Host = "ours" })); err != nil {
			t.Fatal(err)
		}
		got, err := d.importing(directory.ImportOptions{Complete: true}, list[:3]...)
		if err != nil || got.Removed != 2 {
			t.Fatalf("import = %+v, %v; want two removed", got, err)
		}
		_, err = d.Team(ctx, operator, "team004")
		wantCode(t, err, directory.NotFound, "team.deleted", "")
		if after, err := d.Team(ctx, operator, string(kept.ID)); err != nil || after.Host != "ours" || len(after.Contacts) != 0 {
			t.Errorf("a team with values of its own = %+v, %v; want it alive without the imported ones", after.Profile, err)
		}
		if got, err := d.importing(directory.ImportOptions{Complete: true}, list...); err != nil || got.Created != 2 {
			t.Fatalf("third import = %+v, %v; want two created", got, err)
		}
		if back, err := d.Team(ctx, operator, "team004"); err != nil || !back.Deleted.IsZero() {
			t.Errorf("team004 = %+v, %v; want it alive again", back.Deleted, err)
		}
	})
}

func TestMassChangeGuard(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		list := sources(20)
		if _, err := d.importing(directory.ImportOptions{Complete: true}, list...); err != nil {
			t.Fatal(err)
		}
		head := d.head()
		got, err := d.importing(directory.ImportOptions{Complete: true}, list[:15]...)
		wantCode(t, err, directory.Conflict, "import.mass-change", "")
		if got.Removed != 5 || d.head() != head {
			t.Errorf("guarded import = %+v, sequence %d; want 5 to remove told, and nothing written after %d", got, d.head(), head)
		}
		if _, err := d.importing(directory.ImportOptions{Complete: true, MaxChange: 0.25}, list[:15]...); err != nil {
			t.Errorf("with a share of 25 %%: %v, want it done", err)
		}
		for i := range list {
			list[i].Profile.Host = "new"
		}
		_, err = d.importing(directory.ImportOptions{Complete: true}, list[:15]...)
		wantCode(t, err, directory.Conflict, "import.mass-change", "")
		if got, err := d.importing(directory.ImportOptions{Complete: true, Force: true}, list[:15]...); err != nil || got.Updated != 15 {
			t.Errorf("forced import = %+v, %v; want 15 updated", got, err)
		}
	})
}

func TestDryRun(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		if _, err := d.importing(directory.ImportOptions{Complete: true}, sources(3)...); err != nil {
			t.Fatal(err)
		}
		head := d.head()
		list := sources(4)[1:]
		list[0].Profile.Host = "Host"
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "src", Complete: true, DryRun: true}, items(list...))
		if err != nil || d.head() != head {
			t.Fatalf("dry run: %v, sequence %d, want %d", err, d.head(), head)
		}
		var got []string
		for _, x := range r.Differences {
			line := x.Op + " " + x.Team
			for _, f := range x.Fields {
				if f.Field == "host" {
					line += fmt.Sprintf(" host %q -> %q", f.Before, f.After)
				}
			}
			got = append(got, line)
		}
		want := []string{`update team001 host "" -> "Host"`, "create team003", "remove team000"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("differences (-want +got):\n%s", diff)
		}
	})
}

func TestImportReportsEveryRow(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		bad, twice := source("bad"), source("good")
		bad.Profile.Names.Short = "a\x00b"
		bad.Row, bad.Rows = 7, 3
		skipped := directory.RowProblem{Row: 9, Problem: directory.Problem{Code: "x.y", Reason: "no"}}
		all := func(yield func(directory.ImportItem) bool) {
			for item := range items(source("good"), bad, twice) {
				if !yield(item) {
					return
				}
			}
			yield(directory.ImportItem{Skipped: &skipped})
		}
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "src"}, all)
		if err != nil || r.Rows != 6 || r.Created != 1 || r.Skipped != 5 {
			t.Fatalf("report = %+v, %v; want 6 rows, 1 created, 5 skipped", r, err)
		}
		var got []directory.Code
		for _, p := range r.Problems {
			got = append(got, p.Code)
		}
		if diff := cmp.Diff([]directory.Code{"import.duplicate", "text.control", "x.y"}, got); diff != "" {
			t.Errorf("codes (-want +got):\n%s", diff)
		}
	})
}

func TestImportRefusals(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		for _, name := range []string{"", "team", "A B"} {
			_, err := d.Import(ctx, operator, directory.ImportOptions{Source: name}, items())
			wantCode(t, err, directory.Invalid, "import.source", "/source")
		}
		broken := errors.New("broken pipe")
		_, err := d.Import(ctx, operator, directory.ImportOptions{Source: "src"}, func(yield func(directory.ImportItem) bool) {
			a := source("alpha")
			_ = yield(directory.ImportItem{Record: &a}) && yield(directory.ImportItem{Fatal: broken})
		})
		if !errors.Is(err, broken) || d.head() != 0 {
			t.Errorf("a file that breaks off: %v, sequence %d; want its error and nothing written", err, d.head())
		}
		stopped, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := d.Import(stopped, operator, directory.ImportOptions{Source: "src"}, items(source("alpha"))); err == nil || d.head() != 0 {
			t.Errorf("a stopped import: %v, sequence %d; want an error and nothing written", err, d.head())
		}
	})
}

// TestImportRaced makes a second import run between the plan and the writing
// of the first.
func TestImportRaced(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		done := false
		opt := directory.ImportOptions{Source: "src", Progress: func(int) {
			if !done {
				done = true
				other := source("alpha")
				other.Profile.Host = "first"
				if _, err := d.importing(directory.ImportOptions{}, other); err != nil {
					t.Error(err)
				}
			}
		}}
		_, err := d.Import(context.Background(), operator, opt, items(source("alpha"), source("beta")))
		wantCode(t, err, directory.Conflict, "import.raced", "")
		if d.head() != 1 {
			t.Errorf("the sequence stands at %d, want the other import's 1", d.head())
		}
	})
}

func TestHandlesOfImportsAreUnique(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("cert")
		var list []directory.SourceRecord
		for _, key := range []string{"one", "two", "three"} {
			s := source(key)
			s.Handle = "cert"
			list = append(list, s)
		}
		odd := source("odd")
		odd.Handle = "Not A Handle"
		if _, err := d.importing(directory.ImportOptions{}, append(list, odd)...); err != nil {
			t.Fatal(err)
		}
		teams, err := d.Teams(context.Background(), operator, directory.TeamFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, team := range teams {
			got = append(got, string(team.Handle))
		}
		if diff := cmp.Diff([]string{"cert", "cert-2", "cert-3", "cert-us"}, got[:4]); diff != "" || len(got) != 5 {
			t.Errorf("handles %v (-want +got):\n%s", got, diff)
		}
	})
}

func TestKeyringFindsItsTeams(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		d.create("beta")
		if _, err := d.Edit(context.Background(), operator, "beta", edit(func(p *directory.Profile) {
			p.Contacts = append(p.Contacts, email("shared@example.org"))
		})); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Edit(context.Background(), operator, "alpha", edit(func(p *directory.Profile) {
			p.Contacts = append(p.Contacts, email("shared@example.org"))
		})); err != nil {
			t.Fatal(err)
		}
		key := func(fpr, mailbox string) directory.SourceRecord {
			return directory.SourceRecord{Row: 1, Key: fpr, Mailboxes: []directory.Email{directory.Email(mailbox)},
				Profile: directory.Profile{Keys: []directory.TeamKey{{Key: directory.Key{Fingerprint: directory.Fingerprint(fpr)}}}}}
		}
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "keyring"},
			items(key("AAAA", "ALPHA@example.org"), key("BBBB", "nobody@example.org"), key("CCCC", "shared@example.org")))
		if err != nil || r.Created != 1 || r.Skipped != 2 {
			t.Fatalf("report = %+v, %v; want one key placed and two skipped", r, err)
		}
		if r.Problems[0].Code != "keyring.no-team" || r.Problems[1].Code != "keyring.several-teams" {
			t.Errorf("problems = %v, want no-team and several-teams", r.Problems)
		}
		team, _ := d.Team(context.Background(), directory.Nobody(), "alpha")
		if len(team.Keys) != 1 || team.Keys[0].Fingerprint != "AAAA" || team.Keys[0].Origin.Source != "keyring" {
			t.Errorf("alpha's keys = %+v, want AAAA from keyring", team.Keys)
		}
		if r, err = d.Import(context.Background(), operator, directory.ImportOptions{Source: "keyring", Team: "beta"}, items(key("BBBB", "x@example.org"))); err != nil || r.Created != 1 {
			t.Errorf("import to beta = %+v, %v; want one created", r, err)
		}
	})
}

func references(kind directory.ReferenceKind, rows ...directory.ReferenceRow) directory.ReferenceItems {
	return func(yield func(directory.ReferenceItem) bool) {
		for i, r := range rows {
			if !yield(directory.ReferenceItem{Row: i + 2, Kind: kind, Entry: r}) {
				return
			}
		}
	}
}

func TestImportReference(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		var rows []directory.ReferenceRow
		for i := range 5000 { // more than one block
			a := netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0})
			rows = append(rows, directory.ReferenceRow{Prefix: netip.PrefixFrom(a, 24), Country: "AT"})
		}
		run := func(opt directory.ImportOptions, rows ...directory.ReferenceRow) (directory.ImportReport, error) {
			opt.Source = "rir"
			return d.ImportReference(ctx, operator, opt, references(directory.PrefixCountry, rows...))
		}
		r, err := run(directory.ImportOptions{}, rows...)
		if err != nil || r.Rows != 5000 || r.Created != 5000 || r.Seq != 1 {
			t.Fatalf("first import = %+v, %v; want 5,000 created by change 1", r, err)
		}
		r, err = run(directory.ImportOptions{}, rows...)
		if err != nil || r.Unchanged != 5000 || d.head() != 1 {
			t.Fatalf("second import = %+v, %v, sequence %d; want 5,000 unchanged and nothing written", r, err, d.head())
		}
		_, err = run(directory.ImportOptions{}, rows[:100]...)
		wantCode(t, err, directory.Conflict, "import.mass-change", "")
		clash := rows[7]
		clash.Country = "DE"
		next := append(append([]directory.ReferenceRow{}, rows[1:]...), rows[5], clash, directory.ReferenceRow{Prefix: netip.MustParsePrefix("21.0.0.0/8"), Country: "US"})
		next[0].Country = "CH"
		r, err = run(directory.ImportOptions{}, next...)
		want := directory.RecordCounts{Created: 1, Updated: 1, Unchanged: 4998, Removed: 1}
		if err != nil || r.Records != want || r.Skipped != 2 || r.Rows != 5002 {
			t.Errorf("third import = %+v, %v; want %+v and two skipped of 5,002 rows", r, err, want)
		}
		if r.Problems[0].Code != "reference.duplicate" || r.Problems[1].Code != "reference.conflict" {
			t.Errorf("problems = %v", r.Problems)
		}
		var sets []directory.ReferenceSet
		stored := 0
		err = d.store.View(ctx, func(tx directory.Reader) (err error) {
			if sets, err = tx.References(); err != nil {
				return err
			}
			return tx.ReferenceBlocks(directory.PrefixCountry, "rir", func(b []byte) error {
				return directory.DecodeReference(b, func(directory.ReferenceRow) error { stored++; return nil })
			})
		})
		if err != nil || len(sets) != 1 || sets[0].Rows != 5000 || stored != 5000 || sets[0].Seq != 2 {
			t.Errorf("stored sets = %+v with %d entries, %v; want one of 5,000 from change 2", sets, stored, err)
		}
	})
}

func TestRemoveReference(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		for _, source := range []string{"one", "two"} {
			row := directory.ReferenceRow{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "AT"}
			if _, err := d.ImportReference(ctx, operator, directory.ImportOptions{Source: source}, references(directory.PrefixCountry, row)); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.RemoveReference(ctx, operator, directory.PrefixCountry, "one"); err != nil {
			t.Fatal(err)
		}
		sets, err := d.References(ctx)
		if err != nil || len(sets) != 1 || sets[0].Source != "two" {
			t.Errorf("References() after a removal = %+v, %v, want two alone", sets, err)
		}
		err = d.RemoveReference(ctx, operator, directory.PrefixCountry, "one")
		if got := directory.ProblemsOf(err); directory.KindOf(err) != directory.NotFound || len(got) != 1 || got[0].Code != "reference.unknown" {
			t.Errorf("RemoveReference again = %v, want not found, reference.unknown", err)
		}
		if _, err := d.OwnToken(ctx, operator); directory.KindOf(err) != directory.NotFound {
			t.Errorf("OwnToken of somebody without one = %v, want not found", err)
		}
	})
}

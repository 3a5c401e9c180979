package directory_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestProofNeverMovesToAnotherValue takes a contact away and back, and changes
// it again: what was proven about one value is never proof of another.
func TestProofNeverMovesToAnotherValue(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		value := func(v string) directory.Team {
			t.Helper()
			d.clock.at = d.clock.at.Add(time.Hour)
			team, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts[0].Value = v }))
			if err != nil {
				t.Fatal(err)
			}
			return team
		}
		contacts := func(list []directory.Contact) {
			t.Helper()
			if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Contacts = list })); err != nil {
				t.Fatal(err)
			}
		}
		team := value("b@example.org")
		d.clock.at = d.clock.at.Add(time.Hour)
		proof := directory.Evidence{Contact: team.Contacts[0].ID, Level: 3, Outcome: directory.OutcomeProved, Method: "phone", At: d.clock.at}
		if _, err := d.RecordEvidence(ctx, operator, "alpha", proof); err != nil {
			t.Fatal(err)
		}
		contacts([]directory.Contact{})
		contacts([]directory.Contact{email("alpha@example.org", "abuse")})
		team = value("evil@example.net")
		if s := directory.Assess(team.Contacts[0], team.Evidence, directory.Policy{}, d.clock.at); s.State != directory.Unverified {
			t.Errorf("standing of an address that nobody proved = %+v", s)
		}
		proof.At = d.clock.at.Add(-time.Minute) // before it had this value
		_, err := d.RecordEvidence(ctx, operator, "alpha", proof)
		wantCode(t, err, directory.Invalid, "date.order", "/at")
	})
}

// TestHiddenItemsSurviveTheEditsOfOthers lets a secretariat send back the lists
// that it was shown.
func TestHiddenItemsSurviveTheEditsOfOthers(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		secretariat := directory.Principal{Name: "sec", Role: directory.Secretariat, Forum: "forum", Forums: []string{"forum"}}
		d.create("alpha")
		red := email("red@example.org", "emergency")
		red.Visibility = directory.Red
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) {
			p.Contacts = append(p.Contacts, red)
			p.Maturity = directory.Maturity{Model: "SIM3 v1", Levels: map[string]int{"O-1": 2}}
		})); err != nil {
			t.Fatal(err)
		}
		shown, err := d.Team(ctx, secretariat, "alpha")
		if err != nil || len(shown.Contacts) != 1 {
			t.Fatalf("the secretariat sees %+v, %v; want one contact", shown.Contacts, err)
		}
		label := edit(func(p *directory.Profile) {
			p.Contacts = append([]directory.Contact{}, shown.Contacts...)
			p.Contacts[0].Label = "desk"
		})
		if shown, err = d.Edit(ctx, secretariat, "alpha", label); err != nil || len(shown.Contacts) != 1 || shown.Contacts[0].Label != "desk" {
			t.Fatalf("the secretariat's edit = %+v, %v", shown.Contacts, err)
		}
		if all, _ := d.Team(ctx, operator, "alpha"); len(all.Contacts) != 2 || all.Contacts[1].Value != "red@example.org" {
			t.Errorf("after the edit there are %+v, want the hidden contact too", all.Contacts)
		}
		_, err = d.Edit(ctx, secretariat, "alpha", edit(func(p *directory.Profile) { p.Contacts = nil }))
		wantCode(t, err, directory.Invalid, "auth.hidden", "/contacts")
		_, err = d.Edit(ctx, secretariat, "alpha", edit(func(p *directory.Profile) { p.Maturity.Visibility = directory.Clear }))
		wantCode(t, err, directory.Invalid, "auth.hidden", "/maturity")
	})
}

// TestSentBackIsNotEntered: memberships and designations that an editor sends
// as they were shown still follow their source.
func TestSentBackIsNotEntered(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		s := source("alpha")
		s.Profile.Memberships = []directory.Membership{{Forum: "forum", Status: "member"}, {Forum: "other", Status: "member"}}
		s.Profile.Designations = []directory.Designation{{Country: "AT", Scope: "national"}}
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		team, _ := d.Team(ctx, operator, "alpha")
		editor := directory.Principal{Name: "editor", Role: directory.Editor, Team: team.ID}
		secretariat := directory.Principal{Name: "sec", Role: directory.Secretariat, Forum: "forum"}
		echo := func(more func(*directory.Profile)) directory.Edit {
			return directory.Edit{Revision: directory.AnyRevision, Apply: func(now *directory.Team, own *directory.Profile) error {
				own.Memberships = append([]directory.Membership{}, now.Memberships...)
				own.Designations = append([]directory.Designation{}, now.Designations...)
				for i := range own.Memberships {
					own.Memberships[i].Origin = directory.Origin{}
				}
				for i := range own.Designations {
					own.Designations[i].Origin = directory.Origin{}
				}
				more(own)
				return nil
			}}
		}
		if _, err := d.Edit(ctx, editor, "alpha", echo(func(p *directory.Profile) { p.Host = "Host" })); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Edit(ctx, secretariat, "alpha", echo(func(p *directory.Profile) { p.Memberships[0].Status = "accredited" })); err != nil {
			t.Fatal(err)
		}
		s.Profile.Memberships = []directory.Membership{{Forum: "forum", Status: "member"}, {Forum: "other", Status: "ended"}}
		s.Profile.Designations = []directory.Designation{{Country: "AT", Scope: "national", Until: "2020-01-01"}}
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		team, _ = d.Team(ctx, operator, "alpha")
		if diff := cmp.Diff([]string{"forum"}, team.Forums()); diff != "" || team.Memberships[0].Status != "accredited" {
			t.Errorf("memberships %+v, want the accredited one, and the other ended (-want +got):\n%s", team.Memberships, diff)
		}
		if len(team.Designations) != 1 || team.Designations[0].Until != "2020-01-01" {
			t.Errorf("designations %+v, want the one that ended", team.Designations)
		}
	})
}

// TestClaimsThatOnlyAnOperatorMakes holds what an editor may not say of its
// own resources.
func TestClaimsThatOnlyAnOperatorMakes(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		disputed := prefix("192.0.2.0/24")
		disputed.Claim = "disputed"
		if _, err := d.Edit(ctx, operator, "alpha", edit(func(p *directory.Profile) { p.Resources = []directory.Resource{disputed} })); err != nil {
			t.Fatal(err)
		}
		editor := directory.Principal{Name: "editor", Role: directory.Editor, Team: team.ID}
		for _, c := range []struct {
			name, field string
			list        []directory.Resource
		}{
			{"a whole country", "/resources/1", []directory.Resource{disputed, {Type: "country", Country: "US"}}},
			{"a top-level domain", "/resources/1", []directory.Resource{disputed, domain("com")}},
			{"a public suffix", "/resources/1", []directory.Resource{disputed, domain("co.uk")}},
			{"a dispute lifted", "/resources/0/claim", []directory.Resource{prefix("192.0.2.0/24")}},
			{"a disputed prefix taken away", "/resources", []directory.Resource{}},
			{"a claim confirmed", "/resources/1/claim", []directory.Resource{disputed, {Type: "prefix", Prefix: netip.MustParsePrefix("198.51.100.0/24"), Claim: "confirmed"}}},
		} {
			_, err := d.Edit(ctx, editor, "alpha", edit(func(p *directory.Profile) { p.Resources = c.list }))
			t.Run(c.name, func(t *testing.T) { wantCode(t, err, directory.Invalid, "auth.field", c.field) })
		}
		if _, err := d.Edit(ctx, editor, "alpha", edit(func(p *directory.Profile) { p.Resources = []directory.Resource{disputed, domain("example.org")} })); err != nil {
			t.Errorf("a domain beside the disputed prefix: %v, want it allowed", err)
		}
	})
}

// TestSecretariatOfCandidates: a secretariat admits, suspends and takes back,
// and edits nothing else of a team that is no present member.
func TestSecretariatOfCandidates(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		secretariat := directory.Principal{Name: "sec", Role: directory.Secretariat, Forum: "forum"}
		for _, status := range []string{"suspended", "candidate", "ended", "member"} {
			if _, err := d.Edit(ctx, secretariat, "alpha", edit(func(p *directory.Profile) { p.Memberships[0].Status = status })); err != nil {
				t.Fatalf("to %s: %v", status, err)
			}
			_, err := d.Edit(ctx, secretariat, "alpha", edit(func(p *directory.Profile) { p.Host = "host of a " + status }))
			if status == "member" {
				if err != nil {
					t.Errorf("edit of a member: %v", err)
				}
				continue
			}
			wantCode(t, err, directory.Invalid, "auth.field", "/host")
		}
	})
}

func TestHandleIsNoID(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		beta := d.create("beta")
		e := edit(func(*directory.Profile) {})
		e.Handle = directory.Handle(beta.ID)
		_, err := d.Edit(context.Background(), operator, "alpha", e)
		wantCode(t, err, directory.Invalid, "handle.syntax", "/handle")
	})
}

// TestStaleAfterAnImportOfDates: also a revision in which no field changed is
// told.
func TestStaleAfterAnImportOfDates(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		s := source("alpha")
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		s.AsOf = daysAgo(1)
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		mine := edit(func(p *directory.Profile) { p.Host = "Host" })
		mine.Revision = 1
		_, err := d.Edit(context.Background(), operator, "alpha", mine)
		wantCode(t, err, directory.Stale, "revision.stale", "")
	})
}

func TestUnreadableRowsTakeNothingOut(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		list := sources(12)
		if _, err := d.importing(directory.ImportOptions{Complete: true}, list...); err != nil {
			t.Fatal(err)
		}
		broken := func(yield func(directory.ImportItem) bool) {
			for item := range items(list[:11]...) {
				if !yield(item) {
					return
				}
			}
			yield(directory.ImportItem{Skipped: &directory.RowProblem{Row: 12, Problem: directory.Problem{Code: "email.syntax", Reason: "no"}}})
		}
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "src", Complete: true}, broken)
		if err != nil || r.Records.Removed != 0 || len(r.Notes) != 1 || r.Notes[0].Code != "import.kept" {
			t.Fatalf("report = %+v, %v; want nothing removed, and a note that says so", r, err)
		}
		r, err = d.Import(context.Background(), operator, directory.ImportOptions{Source: "src", Complete: true, Force: true}, broken)
		if err != nil || r.Records.Removed != 1 {
			t.Errorf("forced report = %+v, %v; want one removed", r, err)
		}
	})
}

func TestImportDoesNotUndoADeletion(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		if _, err := d.importing(directory.ImportOptions{}, source("alpha")); err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(ctx, operator, "alpha", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		s := source("alpha")
		s.Profile.Host = "new"
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		_, err := d.Team(ctx, operator, "alpha")
		wantCode(t, err, directory.NotFound, "team.deleted", "")
	})
}

func TestImportToAnotherTeam(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.create("alpha")
		d.create("beta")
		if _, err := d.importing(directory.ImportOptions{Team: "alpha"}, source("doc")); err != nil {
			t.Fatal(err)
		}
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "src", Team: "beta"}, items(source("doc")))
		if err != nil || r.Skipped != 1 || r.Problems[0].Code != "import.other-team" {
			t.Errorf("report = %+v, %v; want the record left where it is, and said so", r, err)
		}
	})
}

// TestImportOfTwoRecordsOfOneTeam: what two records of a source know about
// teams that were merged is written one after the other.
func TestImportOfTwoRecordsOfOneTeam(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		wide, narrow := source("aaa"), source("bbb")
		wide.Profile.Resources = []directory.Resource{prefix("192.0.2.0/24")}
		narrow.Profile.Resources = []directory.Resource{prefix("192.0.2.0/25")}
		if _, err := d.importing(directory.ImportOptions{}, wide, narrow); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Merge(ctx, operator, "aaa", "bbb", directory.AnyRevision); err != nil {
			t.Fatalf("merge of teams whose prefixes overlap: %v", err)
		}
		if _, err := d.importing(directory.ImportOptions{Complete: true, Force: true}, narrow); err != nil {
			t.Fatal(err)
		}
		narrow.Profile.Host = "changed"
		if got, err := d.importing(directory.ImportOptions{Complete: true}, wide, narrow); err != nil || got.Created != 1 || got.Updated != 1 {
			t.Errorf("import of both = %+v, %v; want one created and one updated", got, err)
		}
		if team, err := d.Team(ctx, operator, "bbb"); err != nil || team.Host != "changed" || len(team.Resources) != 2 {
			t.Errorf("bbb = %+v, %v; want what both records say", team.Profile, err)
		}
	})
}

func TestEmptyScopesAreNotAll(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		_, _, err := d.CreateToken(context.Background(), operator, directory.TokenSpec{Role: directory.Operator, Scopes: []directory.Scope{}})
		wantCode(t, err, directory.Invalid, "token.scope", "/scopes")
	})
}

func TestReferenceDataIsDatedAnew(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		row := directory.ReferenceRow{Prefix: netip.MustParsePrefix("20.0.0.0/8"), Country: "AT"}
		for _, day := range []time.Time{daysAgo(100), daysAgo(1), daysAgo(50)} {
			opt := directory.ImportOptions{Source: "rir", AsOf: day}
			if _, err := d.ImportReference(context.Background(), operator, opt, references(directory.PrefixCountry, row)); err != nil {
				t.Fatal(err)
			}
		}
		var sets []directory.ReferenceSet
		err := d.store.View(context.Background(), func(r directory.Reader) (err error) { sets, err = r.References(); return err })
		if err != nil || len(sets) != 1 || !sets[0].AsOf.Equal(daysAgo(1)) {
			t.Errorf("sets = %+v, %v; want one, as of %s", sets, err, daysAgo(1))
		}
	})
}

// TestEchoKeepsItsOrigin: a contact that was sent back as a source has it is
// still the source's, with its day.
func TestEchoKeepsItsOrigin(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		s := source("alpha", "abuse")
		s.AsOf = daysAgo(3000)
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		d.clock.at = now.Add(time.Hour)
		team, err := d.Edit(ctx, operator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(now *directory.Team, own *directory.Profile) error {
			c := now.Contacts[0]
			c.Origin, c.Since = directory.Origin{}, time.Time{}
			own.Contacts = []directory.Contact{c, email("new@example.org")}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		if got := team.Contacts[0].Origin; got.Source != "src" || !got.AsOf.Equal(daysAgo(3000)) {
			t.Errorf("origin of the contact sent back = %+v, want that of the source", got)
		}
		if got := team.Contacts[1].Origin; got.Source != directory.SourceTeam {
			t.Errorf("origin of the new contact = %+v, want the team", got)
		}
	})
}

func TestOnlyAnOperatorRenames(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		team := d.create("alpha")
		e := edit(func(*directory.Profile) {})
		e.Handle = "beta"
		_, err := d.Edit(context.Background(), directory.Principal{Name: "editor", Role: directory.Editor, Team: team.ID}, "alpha", e)
		wantCode(t, err, directory.Invalid, "auth.field", "/handle")
		if team, err = d.Edit(context.Background(), operator, "alpha", e); err != nil || team.Handle != "beta" {
			t.Errorf("an operator's rename = %s, %v", team.Handle, err)
		}
	})
}

func TestFileOfAnotherFormat(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		bad := directory.RowProblem{Row: 1, Problem: directory.Problem{Code: "x.y", Reason: "no"}}
		r, err := d.Import(context.Background(), operator, directory.ImportOptions{Source: "src", Complete: true},
			func(yield func(directory.ImportItem) bool) { yield(directory.ImportItem{Skipped: &bad}) })
		wantCode(t, err, directory.Invalid, "import.nothing", "")
		if r.Rows != 1 || r.Skipped != 1 {
			t.Errorf("report = %+v, want the row told", r)
		}
		r, err = d.ImportReference(context.Background(), operator, directory.ImportOptions{Source: "src"},
			func(yield func(directory.ReferenceItem) bool) { yield(directory.ReferenceItem{Skipped: &bad}) })
		wantCode(t, err, directory.Invalid, "import.nothing", "")
		if r.Rows != 1 || r.Skipped != 1 {
			t.Errorf("report = %+v, want the row told", r)
		}
	})
}

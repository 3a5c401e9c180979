package directory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// everything returns all records as an export has them, without what every write
// moves: revision and time of the last change.
func (d door) everything() string {
	d.t.Helper()
	var b bytes.Buffer
	all := d.Records(context.Background(), operator)
	var seq iter.Seq2[directory.Record, error] = func(yield func(directory.Record, error) bool) {
		for r, err := range all {
			r.Revision, r.Updated = 1, r.Created
			if !yield(r, err) {
				return
			}
		}
	}
	if err := format.ExportRollcall(&b, seq); err != nil {
		d.t.Fatal(err)
	}
	return b.String()
}

func (d door) mustMerge(from, into string) directory.Team {
	d.t.Helper()
	team, err := d.Merge(context.Background(), operator, from, into, directory.AnyRevision)
	if err != nil {
		d.t.Fatalf("merge %s into %s: %v", from, into, err)
	}
	stored, err := d.Team(context.Background(), operator, into)
	if diff := cmp.Diff(stored, team, cmpopts.EquateComparable(netip.Prefix{})); err != nil || diff != "" {
		d.t.Errorf("Merge returns another team than is stored (-stored +returned): %v\n%s", err, diff)
	}
	return team
}

func (d door) mustUnmerge(ref string) directory.Unmerged {
	d.t.Helper()
	u, err := d.Unmerge(context.Background(), operator, ref, directory.AnyRevision)
	if err != nil {
		d.t.Fatalf("unmerge %s: %v", ref, err)
	}
	for _, team := range []directory.Team{u.Team, u.From} {
		stored, err := d.Team(context.Background(), operator, string(team.ID))
		if diff := cmp.Diff(stored, team, cmpopts.EquateComparable(netip.Prefix{})); err != nil || diff != "" {
			d.t.Errorf("Unmerge returns another team than is stored (-stored +returned): %v\n%s", err, diff)
		}
	}
	return u
}

func (d door) mustProve(ref string, c directory.ContactID, days int) {
	d.t.Helper()
	e := directory.Evidence{Contact: c, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: daysAgo(days)}
	if _, err := d.RecordEvidence(context.Background(), operator, ref, e); err != nil {
		d.t.Fatalf("evidence about %s: %v", ref, err)
	}
}

// random makes a team with entries, layers and evidence, in a small world in
// which much is the same.
func (d door) random(rng *rand.Rand, handle string) {
	d.t.Helper()
	ctx := context.Background()
	profile := func() directory.Profile {
		p := directory.Profile{Names: directory.Names{Short: fmt.Sprintf("Name %d", rng.IntN(4))}}
		if rng.IntN(2) == 0 {
			p.Country, p.Host = "AT", fmt.Sprintf("Host %d", rng.IntN(3))
		}
		for i := range rng.IntN(4) {
			c := email(fmt.Sprintf("m%d@example.org", 3*i+rng.IntN(3)), "general")
			if rng.IntN(3) == 0 {
				c.Hours = directory.Hours{Always: true}
			}
			p.Contacts = append(p.Contacts, c)
		}
		if rng.IntN(3) == 0 {
			p.Memberships = []directory.Membership{{Forum: fmt.Sprintf("forum%d", rng.IntN(2)), Status: "member"}}
		}
		return p
	}
	if rng.IntN(3) > 0 {
		if _, err := d.Create(ctx, operator, directory.NewTeam{Handle: directory.Handle(handle), Profile: profile()}); err != nil {
			d.t.Fatal(err)
		}
	}
	for _, source := range []string{"first", "ti", "national"}[rng.IntN(3):] {
		team := ""
		if _, err := d.Team(ctx, operator, handle); err == nil {
			team = handle
		}
		if _, err := d.importing(directory.ImportOptions{Source: source, Team: team}, directory.SourceRecord{Row: 1, Key: handle, Handle: directory.Handle(handle), Profile: profile()}); err != nil {
			d.t.Fatal(err)
		}
	}
	team, err := d.Team(ctx, operator, handle)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range team.Contacts {
		if c.Revision == 1 && rng.IntN(2) == 0 {
			d.mustProve(handle, c.ID, 1+rng.IntN(300))
		}
	}
}

// TestMergeThenUndoIsIdentity: whatever two teams are, merging them and taking
// it back leaves both as they were.
func TestMergeThenUndoIsIdentity(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 40 {
			a, b, c := fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i), fmt.Sprintf("c%d", i)
			d.random(rng, a)
			d.random(rng, b)
			before := d.everything()
			d.clock.at = d.clock.at.Add(time.Hour)
			d.mustMerge(a, b)
			d.clock.at = d.clock.at.Add(time.Hour)
			if i%3 == 0 { // a merge of a merge
				d.random(rng, c)
				between := d.everything()
				d.mustMerge(b, c)
				_, err := d.Unmerge(context.Background(), operator, a, directory.AnyRevision)
				wantCode(t, err, directory.Conflict, "merge.later", "")
				d.mustUnmerge(b)
				if diff := cmp.Diff(between, d.everything()); diff != "" {
					t.Fatalf("round %d: merged twice and taken back once (-before +after):\n%s", i, diff)
				}
				if err := d.Delete(context.Background(), operator, c, directory.AnyRevision); err != nil {
					t.Fatal(err)
				}
				d.mustUnmerge(a)
				continue
			}
			d.mustUnmerge(a)
			if diff := cmp.Diff(before, d.everything()); diff != "" {
				t.Fatalf("round %d (-before +after):\n%s", i, diff)
			}
		}
	})
}

// TestImportsFollowAMerge: a source whose record was merged writes to the team
// that stays from then on, and nothing is created anew.
func TestImportsFollowAMerge(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		first, ti, more := source("first-1"), source("ti-1"), source("first-2")
		load := func(name string, records ...directory.SourceRecord) counts {
			t.Helper()
			got, err := d.importing(directory.ImportOptions{Source: name, Complete: true, Force: true}, records...)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		load("first", first, more)
		load("ti", ti)
		d.mustMerge("first-1", "ti-1")
		d.mustMerge("first-2", "ti-1") // one source twice in one team
		for _, c := range []struct {
			source  string
			records []directory.SourceRecord
		}{{"first", []directory.SourceRecord{first, more}}, {"ti", []directory.SourceRecord{ti}}} {
			if got := load(c.source, c.records...); got.Created != 0 || got.Updated != 0 || got.Unchanged != len(c.records) {
				t.Errorf("%s again = %+v, want nothing but unchanged", c.source, got)
			}
		}
		first.Profile.Host, ti.Profile.Website, more.Profile.Zone = "New Host", "https://example.org/", "Europe/Vienna"
		if got := load("first", first, more); got.Created != 0 || got.Updated != 2 {
			t.Errorf("first with news = %+v, want two updates", got)
		}
		if got := load("ti", ti); got.Created != 0 || got.Updated != 1 {
			t.Errorf("ti with news = %+v, want one update", got)
		}
		team, err := d.Team(ctx, operator, "first-1")
		if err != nil || team.Handle != "ti-1" || team.Host != "New Host" || team.Website == "" || team.Zone == "" {
			t.Errorf("first-1 = %s %+v, %v; want ti-1 with all news", team.Handle, team.Profile, err)
		}
		u := d.mustUnmerge("first-1")
		if u.Team.Handle != "first-1" || u.Team.Host != "New Host" || u.From.Host != "" || u.From.Website == "" {
			t.Errorf("undone: host %q of %s and %q of %s; want the news of the source to go back", u.Team.Host, u.Team.Handle, u.From.Host, u.From.Handle)
		}
		first.Profile.Host = "Newer Host"
		if got := load("first", first, more); got.Created != 0 || got.Updated != 1 {
			t.Errorf("first after the undoing = %+v, want one update", got)
		}
		if team, _ := d.Team(ctx, operator, "first-1"); team.Handle != "first-1" || team.Host != "Newer Host" {
			t.Errorf("first-1 = %s with host %q, want itself and the news", team.Handle, team.Host)
		}
	})
}

// TestMergedEntriesBeatImports: what the absorbed team entered itself is below
// what the other one's people entered, and above what was imported.
func TestMergedEntriesBeatImports(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		s := source("list-1")
		s.Profile.Host, s.Profile.Address, s.AsOf = "Imported", "Imported", now
		if _, err := d.importing(directory.ImportOptions{}, s); err != nil {
			t.Fatal(err)
		}
		d.create("own")
		if _, err := d.Edit(context.Background(), operator, "own", edit(func(p *directory.Profile) { p.Host = "Entered" })); err != nil {
			t.Fatal(err)
		}
		team := d.mustMerge("own", "list-1")
		if team.Host != "Entered" || team.Address != "Imported" || team.Origins["host"].Source != "merged:own" || team.Names.Short != "OWN" {
			t.Errorf("host %q of %+v, address %q, name %q; want what was entered before what was imported", team.Host, team.Origins["host"], team.Address, team.Names.Short)
		}
		if len(team.Contacts) != 1 || team.Contacts[0].Value != "own@example.org" {
			t.Errorf("contacts = %+v, want the list that was entered, whole", team.Contacts)
		}
		if s := directory.Assess(team.Contacts[0], nil, directory.Policy{}, now); s.Method != "entry" {
			t.Errorf("method of what was entered = %q, want entry", s.Method)
		}
	})
}

// TestEvidenceMovesWithItsContact: what was proven about a mailbox that both
// list is proof of the one contact that is left.
func TestEvidenceMovesWithItsContact(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		stays, goes := d.create("stays"), d.create("goes")
		same := edit(func(p *directory.Profile) { p.Contacts[0].Value = "both@example.org" })
		for _, h := range []string{"stays", "goes"} {
			if _, err := d.Edit(ctx, operator, h, same); err != nil {
				t.Fatal(err)
			}
		}
		d.mustProve("goes", goes.Contacts[0].ID, 0)
		team := d.mustMerge("goes", "stays")
		if len(team.Contacts) != 1 || team.Contacts[0].ID != stays.Contacts[0].ID {
			t.Fatalf("contacts = %+v, want one, with the id of the team that stays", team.Contacts)
		}
		if s := directory.Assess(team.Contacts[0], team.Evidence, directory.Policy{}, now); s.State != directory.Verified || s.Level != 2 {
			t.Errorf("standing = %+v, want the proof of the other", s)
		}
		d.clock.at = now.Add(time.Hour)
		after := directory.Evidence{Contact: team.Contacts[0].ID, Level: 4, Outcome: directory.OutcomeProved, Method: "phone", At: d.clock.at}
		if _, err := d.RecordEvidence(ctx, operator, "stays", after); err != nil {
			t.Fatal(err)
		}
		u := d.mustUnmerge("goes")
		if len(u.Team.Evidence) != 1 || u.Team.Evidence[0].Contact != goes.Contacts[0].ID || len(u.From.Evidence) != 1 || u.From.Evidence[0].Level != 4 {
			t.Errorf("evidence of goes = %+v, of stays = %+v; want what each had, and what was proven since with the one that stayed", u.Team.Evidence, u.From.Evidence)
		}
	})
}

// TestProofGoesBackWithItsContact: what was proven since the merge about a
// contact that only the absorbed team had is its own again.
func TestProofGoesBackWithItsContact(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		a := source("from-list")
		a.Profile.Contacts = []directory.Contact{email("only-a@example.org", "general")}
		if _, err := d.importing(directory.ImportOptions{}, a, source("to-list")); err != nil {
			t.Fatal(err)
		}
		team := d.mustMerge("from-list", "to-list")
		for _, c := range team.Contacts {
			d.mustProve("to-list", c.ID, 0)
		}
		u := d.mustUnmerge("from-list")
		if len(u.Team.Evidence) != 1 || u.Team.Evidence[0].Contact != u.Team.Contacts[0].ID || len(u.From.Evidence) != len(u.From.Contacts) {
			t.Errorf("evidence %+v and %+v, want each with its contact", u.Team.Evidence, u.From.Evidence)
		}
	})
}

// TestTokensFollowAMerge: people of the absorbed team keep working, on the team
// that stays, and are back on their own after the undoing.
func TestTokensFollowAMerge(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		goes, stays := d.create("goes"), d.create("stays")
		secret, _, err := d.CreateToken(ctx, operator, directory.TokenSpec{Name: "editor", Role: directory.Editor, Team: "goes"})
		if err != nil {
			t.Fatal(err)
		}
		host := 0
		works := func(want directory.TeamID) {
			t.Helper()
			p, err := d.Authenticate(ctx, secret)
			if err != nil || p.Team != want {
				t.Fatalf("the editor edits %s, %v; want %s", p.Team, err, want)
			}
			host++
			team, err := d.Edit(ctx, p, "goes", edit(func(o *directory.Profile) { o.Host = strings.Repeat("h", host) }))
			if err != nil || team.ID != want {
				t.Errorf("edit of %s, %v; want %s", team.ID, err, want)
			}
		}
		d.mustMerge("goes", "stays")
		works(stays.ID)
		u := d.mustUnmerge("goes")
		works(goes.ID)
		if u.From.Host != "h" || u.Team.Host != "" {
			t.Errorf("host %q and %q, want the edit to stay with the team that stayed", u.From.Host, u.Team.Host)
		}
		d.Wait()
	})
}

func TestUnmergeRefusals(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		undo := func(ref string, revision int64) error { _, err := d.Unmerge(ctx, operator, ref, revision); return err }
		d.create("alone")
		wantCode(t, undo("alone", directory.AnyRevision), directory.Conflict, "merge.not-merged", "")
		wantCode(t, undo("nobody", directory.AnyRevision), directory.NotFound, "team.unknown", "")
		a, b := source("list-a"), source("list-b")
		if _, err := d.importing(directory.ImportOptions{}, a, b); err != nil {
			t.Fatal(err)
		}
		into := d.mustMerge("list-a", "list-b")
		wantCode(t, undo("list-a", 0), directory.Unconditional, "revision.missing", "")
		if err := undo("list-a", into.Revision-1); directory.KindOf(err) != directory.Stale {
			t.Errorf("undo on an old revision: %v, want it stale", err)
		}
		if _, err := d.importing(directory.ImportOptions{Complete: true, Force: true}, b); err != nil {
			t.Fatal(err)
		}
		head := d.head()
		wantCode(t, undo("list-a", directory.AnyRevision), directory.Conflict, "merge.nothing-left", "")
		if d.head() != head {
			t.Error("a refused undoing wrote something")
		}
		if err := d.Delete(ctx, operator, "list-b", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		wantCode(t, undo("list-a", directory.AnyRevision), directory.NotFound, "team.deleted", "")
		// Records of an export come without their history.
		gone, stays := testTombstone(), d.create("kept")
		gone.MergedInto = stays.ID
		records := func(yield func(directory.RecordItem) bool) { yield(directory.RecordItem{Row: 1, Record: &gone}) }
		if _, err := d.ImportRecords(ctx, operator, directory.ImportOptions{}, records); err != nil {
			t.Fatal(err)
		}
		wantCode(t, undo("tombstone", directory.AnyRevision), directory.Conflict, "merge.no-history", "")
	})
}

func testTombstone() directory.Record {
	return directory.Record{ID: "7694da62-6314-4565-9c4d-1298538826be", Handle: "tombstone", Revision: 3, Created: now, Updated: now}
}

// TestMergeIsOneTransaction: when the last statement fails, nothing of a merge
// or of its undoing is there.
func TestMergeIsOneTransaction(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		d.create("alpha")
		d.create("beta")
		broken, err := directory.New(directory.Config{Store: failing{d.store}, Now: d.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		before, head := d.everything(), d.head()
		if _, err := broken.Merge(ctx, operator, "alpha", "beta", directory.AnyRevision); !errors.Is(err, errPower) {
			t.Fatalf("merge = %v, want the failure", err)
		}
		if d.everything() != before || d.head() != head {
			t.Error("a merge that failed left something")
		}
		d.mustMerge("alpha", "beta")
		before, head = d.everything(), d.head()
		if _, err := broken.Unmerge(ctx, operator, "alpha", directory.AnyRevision); !errors.Is(err, errPower) {
			t.Fatalf("unmerge = %v, want the failure", err)
		}
		if d.everything() != before || d.head() != head {
			t.Error("an undoing that failed left something")
		}
	})
}

var errPower = errors.New("the power failed")

// failing runs each transaction to its end and lets it fail there.
type failing struct{ directory.Store }

func (f failing) Update(ctx context.Context, fn func(directory.Tx) error) error {
	return f.Store.Update(ctx, func(tx directory.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errPower
	})
}

// TestIndexFollowsMergeAndUndo asks the index that a server has.
func TestIndexFollowsMergeAndUndo(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		follow, err := directory.NewFollower(directory.FollowerConfig{Store: d.store, Now: d.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		leads := func(want string) {
			t.Helper()
			if err := follow.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
			x := follow.Index()
			if team, ok := x.ByHandle("alpha"); !ok || string(team.Handle) != want {
				t.Errorf("alpha leads to %v, want %s", team, want)
			}
			query, err := directory.ParseQuery("alpha@example.org")
			if err != nil {
				t.Fatal(err)
			}
			var got directory.Answer
			x.Lookup(query, directory.Ask{Viewer: operator, Now: now}, &got)
			if len(got.Candidates) == 0 || string(got.Candidates[0].Team.Handle) != want {
				t.Errorf("lookup of alpha's mailbox = %+v, want %s", got.Candidates, want)
			}
		}
		d.create("alpha")
		d.create("beta")
		if _, err := d.Edit(context.Background(), operator, "beta", edit(func(p *directory.Profile) { p.Contacts = nil })); err != nil {
			t.Fatal(err)
		}
		leads("alpha")
		d.mustMerge("alpha", "beta")
		leads("beta")
		d.mustUnmerge("alpha")
		leads("alpha")
	})
}

// TestTwoPeopleDecideAtOnce: one verdict holds, and the other is told.
func TestTwoPeopleDecideAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		for i := range 6 {
			a, b := d.create(fmt.Sprintf("a%d", i)), d.create(fmt.Sprintf("b%d", i))
			verdicts := []directory.Verdict{directory.VerdictSame, directory.VerdictDifferent}
			errs := make([]error, 4)
			var both sync.WaitGroup
			for n := range errs {
				both.Go(func() {
					v := directory.MatchVerdict{Verdict: verdicts[(n+i)%2], Keep: directory.MatchSide{Team: string(a.ID), Revision: 1}, Other: directory.MatchSide{Team: string(b.ID), Revision: 1}}
					if n > 1 { // the other way round
						v.Keep, v.Other = v.Other, v.Keep
					}
					_, errs[n] = d.Decide(context.Background(), operator, v)
				})
			}
			both.Wait()
			won := 0
			for _, err := range errs {
				switch directory.KindOf(err) {
				case "":
					won++
				case directory.Stale, directory.Conflict:
				default:
					t.Errorf("round %d: %v, want stale or a conflict", i, err)
				}
			}
			if won != 1 {
				t.Errorf("round %d: %d verdicts held, want one: %v", i, won, errs)
			}
		}
	})
}

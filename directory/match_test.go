package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// twins makes two teams of two sources that share a mailbox.
func (d door) twins(n int) (a, b string) {
	d.t.Helper()
	a, b = fmt.Sprintf("twin%d-first", n), fmt.Sprintf("twin%d-ti", n)
	for source, handle := range map[string]string{"first": a, "ti": b} {
		p := directory.Profile{Names: directory.Names{Short: fmt.Sprintf("TWIN%d CERT", n)}, Country: "AT", Contacts: []directory.Contact{email(fmt.Sprintf("cert@twin%d.example", n), "general")}}
		if _, err := d.importing(directory.ImportOptions{Source: source}, directory.SourceRecord{Row: 1, Key: handle, Handle: directory.Handle(handle), Profile: p}); err != nil {
			d.t.Fatal(err)
		}
	}
	return a, b
}

func (d door) decide(verdict directory.Verdict, keep, other string) (directory.Decided, error) {
	return d.Decide(context.Background(), operator, directory.MatchVerdict{Verdict: verdict, Reason: "seen",
		Keep: directory.MatchSide{Team: keep, Revision: directory.AnyRevision}, Other: directory.MatchSide{Team: other, Revision: directory.AnyRevision}})
}

// TestDecidedPairsStayAway: a decision holds until the two have something new
// in common, and for the team that one of them became part of.
func TestDecidedPairsStayAway(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		a, b := d.twins(1)
		if page := d.matches(directory.MatchQuery{Team: a}); page.Total != 1 || page.Matches[0].Decision != nil {
			t.Fatalf("matches = %+v, want one, undecided", page)
		}
		head := d.head()
		out, err := d.decide(directory.VerdictDifferent, a, b)
		if err != nil || out.Decision == nil || out.Decision.Reason != "seen" || d.head() != head+1 {
			t.Fatalf("Decide = %+v, %v, at %d; want a decision as one change", out.Decision, err, d.head()-head)
		}
		audit, err := d.Audit(ctx, operator, directory.AuditFilter{Limit: 1})
		if err != nil || audit[0].Action != "decide match" || audit[0].Detail != "different: seen" || !strings.HasPrefix(audit[0].Subject, "match:") {
			t.Errorf("audit = %+v, %v; want who decided what", audit, err)
		}
		if page := d.matches(directory.MatchQuery{}); page.Total != 0 {
			t.Errorf("decided, there are %d matches, want none", page.Total)
		}
		_, err = d.decide(directory.VerdictSame, a, b)
		wantCode(t, err, directory.Conflict, "match.decided", "/verdict")
		_, err = d.decide(directory.VerdictDifferent, b, a)
		wantCode(t, err, directory.Conflict, "match.decided", "/verdict")
		_, err = d.decide("perhaps", a, b)
		wantCode(t, err, directory.Invalid, "match.verdict", "/verdict")

		// Another of its sources becomes part of one: what was decided holds for it.
		c := source("third-list")
		if _, err := d.importing(directory.ImportOptions{Source: "third"}, c); err != nil {
			t.Fatal(err)
		}
		d.mustMerge(a, "third-list")
		if page := d.matches(directory.MatchQuery{Team: b}); page.Total != 0 {
			t.Errorf("after a merge there are %+v, want what was decided to hold", page.Matches)
		}
		d.mustUnmerge(a)
		for _, ref := range []string{a, b} { // a telephone that both have
			phone := edit(func(p *directory.Profile) {
				p.Contacts = []directory.Contact{email("cert@twin1.example", "general"), {Channel: "phone", Value: "+4315056416"}}
			})
			if _, err := d.Edit(ctx, operator, ref, phone); err != nil {
				t.Fatal(err)
			}
		}
		page := d.matches(directory.MatchQuery{Team: b})
		if page.Total != 1 || page.Matches[0].Decision == nil || page.Matches[0].Decision.By != operator.Name {
			t.Errorf("with a telephone in common: %+v, want the match again, with what was decided", page.Matches)
		}
		if _, err := d.decide(directory.VerdictSame, a, b); err != nil {
			t.Errorf("merging what is open again: %v", err)
		}
	})
}

func TestMatchCursor(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		for n := range 7 {
			d.twins(n)
		}
		all := d.matches(directory.MatchQuery{Limit: 100})
		var seen []string
		for q := (directory.MatchQuery{Limit: 3}); ; {
			page := d.matches(q)
			for _, m := range page.Matches {
				seen = append(seen, string(m.A.Handle))
			}
			if page.Total != 7 {
				t.Errorf("total = %d, want 7", page.Total)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		var want []string
		for _, m := range all.Matches {
			want = append(want, string(m.A.Handle))
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		for _, after := range []string{"x", "88", "88.a.b", "-1." + string(all.Matches[0].A.ID) + "." + string(all.Matches[0].B.ID)} {
			_, err := d.Matches(context.Background(), operator, d.index(), directory.MatchQuery{After: after})
			wantCode(t, err, directory.Invalid, "match.cursor", "/after")
		}
		_, err := d.Matches(context.Background(), operator, nil, directory.MatchQuery{})
		if directory.KindOf(err) != directory.Unavailable {
			t.Errorf("without an index: %v, want unavailable", err)
		}
	})
}

// TestMatchesDoNotDependOnOrder: the same teams in another order make the same
// list.
func TestMatchesDoNotDependOnOrder(t *testing.T) {
	teams := townsfolk(3000)
	text := func(list []directory.Match) string {
		var b strings.Builder
		for _, m := range list {
			fmt.Fprintln(&b, m.A.ID, m.B.ID, m.Score, m.Exactness, m.Reasons)
		}
		return b.String()
	}
	want := text(directory.FindMatches(teams))
	slices.Reverse(teams)
	if diff := cmp.Diff(want, text(directory.FindMatches(teams))); diff != "" || want == "" {
		t.Errorf("in reverse (-want +got):\n%s", diff)
	}
}

func TestParseRules(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []directory.Rule
	}{
		{"one", "uuid", []directory.Rule{"uuid"}},
		{"several, with commas and blanks", "uuid, key+country mailbox+near-name", []directory.Rule{"uuid", "key+country", "mailbox+near-name"}},
		{"each once", "uuid,uuid", []directory.Rule{"uuid"}},
		{"none at all", "none", []directory.Rule{}},
	} {
		if got, err := directory.ParseRules(c.text); err != nil || cmp.Diff(c.want, got) != "" {
			t.Errorf("%s: ParseRules(%q) = %v, %v; want %v", c.name, c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"", " , ", "country", "domain+name+country", "key+", "uuid,none", "key+luck", "KEY"} {
		rules, err := directory.ParseRules(text)
		if p, ok := errors.AsType[directory.Problem](err); !ok || p.Code != "match.rule" {
			t.Errorf("ParseRules(%q) = %v, %v; want match.rule", text, rules, err)
		}
	}
}

// TestRulesAfterAnImport: what the rules of the instance do is in the report,
// with the rule as its author, and never what a person undid.
func TestRulesAfterAnImport(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		with, err := directory.New(directory.Config{Store: d.store, Now: d.clock.now, Rules: []directory.Rule{"mailbox+country+near-name", "uuid"}})
		if err != nil {
			t.Fatal(err)
		}
		a, b := d.twins(1)
		d.twins(2)
		load := func(opt directory.ImportOptions, r directory.SourceRecord) directory.ImportReport {
			t.Helper()
			report, err := with.Import(ctx, operator, opt, items(r))
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if report := load(directory.ImportOptions{Source: "third", DryRun: true}, source("third-1")); len(report.Merges) != 0 {
			t.Errorf("a dry run merged %v", report.Merges)
		}
		head := d.head()
		report := load(directory.ImportOptions{Source: "third"}, source("third-1"))
		if len(report.Merges) != 2 || report.Seq != d.head() || d.head() != head+5 {
			t.Errorf("merges = %+v, at %d of %d; want both twins", report.Merges, report.Seq, d.head())
		}
		history, err := d.History(ctx, operator, a, 0, 1)
		if err != nil || history[0].Actor != "rule:mailbox+country+near-name" || history[0].Action != "merge teams" {
			t.Errorf("history = %+v, %v; want the rule as author", history, err)
		}
		gone := a
		if team, err := d.Team(ctx, operator, a); err != nil || string(team.Handle) == a {
			gone = b
		}
		d.mustUnmerge(gone)
		changed := source("third-1")
		changed.Profile.Host = "Changed"
		if report := load(directory.ImportOptions{Source: "third"}, changed); len(report.Merges) != 0 {
			t.Errorf("what was undone is merged again: %v", report.Merges)
		}
		uuid := source("third-2")
		uuid.Profile.Country = "AT"
		team, err := d.Team(ctx, operator, a)
		if err != nil {
			t.Fatal(err)
		}
		// A source learns later that its record is a team that is here.
		load(directory.ImportOptions{Source: "misp"}, uuid)
		uuid.ID = team.ID
		if report := load(directory.ImportOptions{Source: "misp", Force: true}, uuid); len(report.Merges) != 1 || report.Merges[0].Rule != "uuid" {
			t.Errorf("with a UUID: %+v, want one merge by it", report.Merges)
		}
	})
}

// TestRulesGuard: rules that would merge a large part of the directory stop,
// also after an import, which is done all the same.
func TestRulesGuard(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		for n := range 12 {
			d.twins(n)
		}
		rules := []directory.Rule{"mailbox+country"}
		head := d.head()
		report, err := d.ApplyRules(ctx, operator, directory.RuleOptions{Rules: rules})
		wantCode(t, err, directory.Conflict, "match.mass-merge", "")
		if len(report.Merges) != 12 || d.head() != head {
			t.Errorf("%d merges, %d changes; want all told and none done", len(report.Merges), d.head()-head)
		}
		with, err := directory.New(directory.Config{Store: d.store, Now: d.clock.now, Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		done, err := with.Import(ctx, operator, directory.ImportOptions{Source: "third"}, items(source("third")))
		if err != nil || done.Created != 1 || len(done.Notes) != 1 || done.Notes[0].Code != "match.held" {
			t.Errorf("import = %+v, %v; want it done, with a note", done, err)
		}
		if report, err := d.ApplyRules(ctx, operator, directory.RuleOptions{Rules: rules, DryRun: true}); err != nil || len(report.Merges) != 12 {
			t.Errorf("dry run = %d merges, %v; want 12, told", len(report.Merges), err)
		}
		if report, err := d.ApplyRules(ctx, operator, directory.RuleOptions{Rules: rules, MaxMerge: 0.5}); err != nil || len(report.Merges) != 12 || report.Seq != d.head() {
			t.Errorf("with a larger share = %d merges, %v; want 12", len(report.Merges), err)
		}
	})
}

// TestRulesRaced: a team that changes between plan and write stops all of it.
func TestRulesRaced(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		a, _ := d.twins(1)
		d.twins(2)
		late := func() {
			if _, err := d.Edit(ctx, operator, a, edit(func(p *directory.Profile) { p.Host = "Late" })); err != nil {
				t.Error(err)
			}
		}
		racing, err := directory.New(directory.Config{Store: &afterView{Store: d.store, then: late}, Now: d.clock.now})
		if err != nil {
			t.Fatal(err)
		}
		_, err = racing.ApplyRules(ctx, operator, directory.RuleOptions{Rules: []directory.Rule{"mailbox+country"}})
		wantCode(t, err, directory.Conflict, "match.raced", "")
		if page := d.matches(directory.MatchQuery{}); page.Total != 2 {
			t.Errorf("%d matches are left, want both", page.Total)
		}
	})
}

// afterView lets something happen once between a view and what follows it.
type afterView struct {
	directory.Store
	then func()
}

func (s *afterView) View(ctx context.Context, fn func(directory.Reader) error) error {
	err := s.Store.View(ctx, fn)
	if s.then != nil {
		then := s.then
		s.then = nil
		then()
	}
	return err
}

// TestWhatSpeaksAgainst: each contradiction lowers the score and is told.
func TestWhatSpeaksAgainst(t *testing.T) {
	base := func(source string) directory.Record {
		return directory.Record{Layers: []directory.Layer{{Source: source, Key: source, At: now, Profile: directory.Profile{
			Names: directory.Names{Short: "EXAMPLE"}, Country: "AT", Kinds: []string{"csirt"}, Contacts: []directory.Contact{email("cert@x.example")}}}}}
	}
	for _, c := range []struct {
		name  string
		spoil func(a, b *directory.Record)
		kind  directory.ReasonKind
		value string
	}{
		{"nothing", func(_, _ *directory.Record) {}, "", ""},
		{"another country", func(a, _ *directory.Record) { a.Layers[0].Profile.Country = "DE" }, directory.ReasonCountry, "AT / DE"},
		{"no country is no other country", func(a, _ *directory.Record) { a.Layers[0].Profile.Country = "" }, "", ""},
		{"national and government", func(a, b *directory.Record) {
			a.Layers[0].Profile.Kinds, b.Layers[0].Profile.Kinds = []string{"national"}, []string{"government"}
		}, directory.ReasonRole, "government / national"},
		{"both of them, and one of them", func(a, b *directory.Record) {
			a.Layers[0].Profile.Kinds, b.Layers[0].Profile.Kinds = []string{"national", "government"}, []string{"government"}
		}, "", ""},
		{"a PSIRT and none", func(a, _ *directory.Record) { a.Layers[0].Profile.Kinds = []string{"psirt"} }, directory.ReasonRole, "csirt / psirt"},
		{"a PSIRT that is a CSIRT too", func(a, _ *directory.Record) { a.Layers[0].Profile.Kinds = []string{"psirt", "csirt"} }, "", ""},
		{"people entered both", func(a, b *directory.Record) {
			a.Own.Names.Full, b.Own.Names.Full = "Example Team", "Example Team"
		}, directory.ReasonOwnEntries, ""},
		{"people entered one", func(a, _ *directory.Record) { a.Own.Names.Full = "Example Team" }, "", ""},
		{"one source has both", func(a, b *directory.Record) { a.Layers[0].Source = b.Layers[0].Source }, directory.ReasonSource, "ti"},
		{"two UUIDs", func(a, b *directory.Record) {
			a.Layers[0].ID, b.Layers[0].ID = "a0000000-0000-4000-8000-000000000001", "b0000000-0000-4000-8000-000000000001"
		}, directory.ReasonUUIDs, "a0000000-0000-4000-8000-000000000001 / b0000000-0000-4000-8000-000000000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := base("first"), base("ti")
			a.ID, b.ID, a.Handle, b.Handle = "a0000000-0000-4000-8000-00000000000a", "b0000000-0000-4000-8000-00000000000b", "aa", "bb"
			c.spoil(&a, &b)
			x, y := a.Team(), b.Team()
			list := directory.FindMatches([]*directory.Team{&x, &y})
			if len(list) != 1 {
				t.Fatalf("%d matches, want one", len(list))
			}
			m := list[0]
			if m.Contradicted() != (c.kind != "") || c.kind != "" && (m.Reasons[len(m.Reasons)-1].Kind != c.kind || m.Reasons[len(m.Reasons)-1].Value != c.value) {
				t.Errorf("reasons = %v, want %s %q against", m.Reasons, c.kind, c.value)
			}
			if c.kind != "" && m.Score > 0.65 {
				t.Errorf("score = %.2f, want it lowered", m.Score)
			}
		})
	}
}

// TestWhatSaysLittle: domains and mailboxes of many are worth little, and those
// of providers nothing.
func TestWhatSaysLittle(t *testing.T) {
	crowd := func(n int, mail func(int) string) []*directory.Team {
		var teams []*directory.Team
		for i := range n {
			name := strings.Repeat(string(rune('a'+i%26))+string(rune('a'+i/26)), 4)
			teams = append(teams, team(i, fmt.Sprintf("list%d", i), name, "AT", mail(i)))
		}
		return teams
	}
	best := func(teams []*directory.Team) float64 {
		list := directory.FindMatches(teams)
		if len(list) == 0 {
			return 0
		}
		return list[0].Score
	}
	own := func(i int) string { return fmt.Sprintf("desk%d@shared.example", i) }
	for _, c := range []struct {
		name  string
		teams []*directory.Team
		want  float64
	}{
		{"a domain of two", crowd(2, own), 0.35},
		{"a domain of eight", crowd(8, own), 0},
		{"a provider", crowd(2, func(i int) string { return fmt.Sprintf("team%d@gmail.com", i) }), 0},
		{"a provider with a domain in each country", crowd(2, func(i int) string { return fmt.Sprintf("team%d@yahoo.co.uk", i) }), 0},
		{"a mailbox of two", crowd(2, func(int) string { return "cert@one.example" }), 0.75},
		{"a mailbox of twelve", crowd(12, func(int) string { return "cert@one.example" }), 0.25},
		{"a mailbox of fifty", crowd(50, func(int) string { return "cert@one.example" }), 0},
	} {
		if got := best(c.teams); got != c.want {
			t.Errorf("%s: best score %.2f, want %.2f", c.name, got, c.want)
		}
	}
}

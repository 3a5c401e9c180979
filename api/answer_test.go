package api_test

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// wanted builds the JSON type of an answer field by field, as encoding/json
// would have to be told it.
func wanted(a *directory.Answer) api.Answer {
	out := api.Answer{Query: a.Query.Text, Kind: string(a.Query.Kind), Status: string(a.Status), Candidates: []api.Candidate{}, Trace: []api.Step{}, Incomplete: a.Incomplete, Seq: a.Seq}
	for i := range a.Candidates {
		out.Candidates = append(out.Candidates, wantedCandidate(&a.Candidates[i]))
	}
	for i := range a.Trace {
		out.Trace = append(out.Trace, wantedStep(&a.Trace[i]))
	}
	return out
}

func ref(t *directory.Team) *api.TeamRef {
	if t == nil {
		return nil
	}
	return &api.TeamRef{ID: string(t.ID), Handle: string(t.Handle), Name: t.Name()}
}

func wantedCandidate(c *directory.Candidate) api.Candidate {
	out := api.Candidate{
		Team: *ref(c.Team), MatchedOn: c.MatchedOn.String(), Rung: string(c.Rung), Rank: c.Rank, Why: c.Why(),
		Holder: c.Holder, Claim: c.Claim, Continuity: c.Continuity, Withheld: c.Withheld, Near: c.Near,
	}
	if k := c.Contact; k != nil {
		out.Contact = &api.AnswerContact{ID: string(k.ID), Channel: k.Channel, Value: k.Value, Uses: k.Uses, Classes: k.Classes, Label: k.Label, Person: k.Person}
		if len(k.Uses) == 0 {
			out.Contact.Uses = []string{"general"}
		}
		if !k.Hours.IsZero() {
			out.Contact.Hours = k.Hours.String()
		}
		s := c.Standing
		out.Evidence = &format.Evidence{Level: int(s.Level), LevelName: s.Level.String(), State: string(s.State), At: s.At.UTC(), Method: s.Method, By: s.By, ValidUntil: s.ValidUntil.UTC()}
	}
	for _, sum := range []*directory.CheckSummary{c.Checks, c.OnMatch} {
		if sum == nil {
			continue
		}
		if out.Checks == nil {
			out.Checks = &api.AnswerChecks{}
		}
		k := out.Checks
		k.OK, k.Warning, k.Error, k.Inconclusive = k.OK+sum.OK, k.Warning+sum.Warning, k.Error+sum.Error, k.Inconclusive+sum.Inconclusive
		if k.Checked.IsZero() || !sum.Checked.IsZero() && sum.Checked.Before(k.Checked) {
			k.Checked = sum.Checked.UTC()
		}
		for _, v := range sum.Faults {
			k.Faults = append(k.Faults, format.CheckVerdict{Check: v.Check, Kind: v.Kind, Subject: v.Subject, Verdict: v.Verdict, Since: v.Since.UTC(), Checked: v.Checked.UTC()})
		}
	}
	if d := c.Designation; d != nil {
		out.Designation = &format.Designation{Country: string(d.Country), Scope: d.Scope, By: d.By, Evidence: d.Evidence, Since: string(d.Since), Until: string(d.Until), Preference: d.Preference}
	}
	return out
}

func wantedStep(s *directory.Step) api.Step {
	found := s.Found
	if s.Result == directory.StepMapped && (found.ASN != 0 || found.Country != "") {
		found.Prefix = netip.Prefix{}
	}
	out := api.Step{Rung: string(s.Rung), Result: string(s.Result), Subject: s.Subject.String(), Found: found.String(), Team: ref(s.Team), Count: s.Count, Text: s.Text()}
	if s.Set != nil {
		out.Source = &api.StepSource{Kind: string(s.Set.Kind), Source: s.Set.Source, AsOf: s.Set.AsOf.UTC()}
		if s.Found.Prefix.IsValid() {
			out.Source.Prefix = s.Found.Prefix.String()
		}
	}
	return out
}

// answerOf fills every field of an answer by chance, with text in every string.
func answerOf(seed uint64, text string) *directory.Answer {
	rng := rand.New(rand.NewPCG(seed, 1))
	word := func() string {
		return []string{"", text, "plain", "a\"b\\c\x01", "ü→\u2028", strings.Repeat("x", 7) + text}[rng.IntN(6)]
	}
	when := func() time.Time {
		if rng.IntN(4) == 0 {
			return time.Time{}
		}
		return time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)/1000*1000)
	}
	subject := func() directory.Subject {
		return []directory.Subject{{}, {Text: word()}, {ASN: 64496}, {Country: "AT"}, {Prefix: mustPrefix("192.0.2.0/24")}, {Prefix: mustPrefix("2001:db8::1/128")},
			{Prefix: mustPrefix("192.0.2.0/24"), Country: "NL"}, {Prefix: mustPrefix("192.0.2.0/24"), ASN: 64511}}[rng.IntN(8)]
	}
	team := &directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "alpha", Profile: directory.Profile{Names: directory.Names{Short: word()}}}
	verdicts := func() *directory.CheckSummary {
		if rng.IntN(3) == 0 {
			return nil
		}
		sum := &directory.CheckSummary{OK: rng.IntN(30), Warning: rng.IntN(3), Error: rng.IntN(3), Inconclusive: rng.IntN(3), Checked: when()}
		for range rng.IntN(3) {
			sum.Faults = append(sum.Faults, directory.CheckVerdict{Check: word(), Kind: word(), Subject: word(), Verdict: word(), Since: when(), Checked: when()})
		}
		return sum
	}
	a := &directory.Answer{
		Query: directory.Query{Text: text, Kind: directory.KindTeam}, Status: directory.StatusAmbiguous, Incomplete: rng.IntN(2) == 0, Seq: rng.Int64(),
	}
	for range rng.IntN(4) {
		c := directory.Candidate{Team: team, MatchedOn: subject(), Rung: directory.RungNational, Rank: rng.IntN(9), Holder: word(), Claim: word(), Continuity: word(), Withheld: rng.IntN(2) == 0, Near: rng.IntN(2) == 0,
			Checks: verdicts(), OnMatch: verdicts()}
		if rng.IntN(3) > 0 {
			c.Contact = &directory.Contact{ID: "x", Channel: word(), Value: word(), Label: word(), Person: word(), Hours: directory.Hours{Always: rng.IntN(2) == 0}}
			for range rng.IntN(3) {
				c.Contact.Uses, c.Contact.Classes = append(c.Contact.Uses, word()), append(c.Contact.Classes, word())
			}
			c.Standing = directory.Standing{Level: directory.Level(rng.IntN(5)), State: directory.Verified, At: when(), ValidUntil: when(), Method: word(), By: word()}
		}
		if rng.IntN(2) == 0 {
			c.Designation = &directory.Designation{Country: "AT", Scope: word(), By: word(), Evidence: word(), Since: "2020-01-01", Until: directory.Date(word()), Preference: rng.IntN(3)}
		}
		a.Candidates = append(a.Candidates, c)
	}
	results := []directory.StepResult{directory.StepMatch, directory.StepMapped, directory.StepNone, directory.StepNotLoaded, directory.StepNear, directory.StepInactive, directory.StepWithheld}
	rungs := []directory.Rung{directory.RungPrefix, directory.RungASN, directory.RungCountry, directory.RungTeam, directory.RungLastResort}
	for range rng.IntN(6) {
		s := directory.Step{Rung: rungs[rng.IntN(len(rungs))], Result: results[rng.IntN(len(results))], Subject: subject(), Found: subject(), Count: rng.IntN(3)}
		if rng.IntN(2) == 0 {
			s.Team = team
		}
		if rng.IntN(2) == 0 {
			s.Set = &directory.ReferenceSet{Kind: directory.PrefixCountry, Source: word(), AsOf: when()}
		}
		a.Trace = append(a.Trace, s)
	}
	return a
}

// sameAnswer holds what AppendAnswer wrote against what encoding/json writes.
func sameAnswer(t *testing.T, a *directory.Answer) {
	t.Helper()
	text := api.AppendAnswer([]byte("before"), a)[len("before"):]
	if !json.Valid(text) || !utf8.Valid(text) {
		t.Fatalf("AppendAnswer = %q, want JSON in UTF-8", text)
	}
	want, err := json.Marshal(wanted(a))
	if err != nil {
		t.Fatal(err)
	}
	var got, as any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &as); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, as) {
		t.Errorf("AppendAnswer differs from encoding/json (-got +want):\n%s", cmp.Diff(got, as))
	}
}

func TestAppendAnswer(t *testing.T) {
	for seed := range uint64(2000) {
		sameAnswer(t, answerOf(seed, []string{"192.0.2.1", "", "\x00\"\\\n\r\t\x1f\x7f", "\xff\xfe", "a\u2028b\u2029c", "1234567\"", "12345678\\", "ü7654321ü"}[seed%8]))
	}
}

func FuzzAppendAnswer(f *testing.F) {
	f.Add(uint64(1), "192.0.2.1")
	f.Add(uint64(2), "\xed\xa0\x80\"\\\u2029")
	f.Fuzz(func(t *testing.T, seed uint64, text string) { sameAnswer(t, answerOf(seed, text)) })
}

func TestAppendAnswerDoesNotAllocate(t *testing.T) {
	team := &directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "alpha"}
	a := &directory.Answer{
		Query: directory.Query{Text: "192.0.2.1", Kind: directory.KindIP}, Status: directory.StatusMatch,
		Candidates: []directory.Candidate{{
			Team: team, Contact: &directory.Contact{Channel: "email", Value: "csirt@example.org", Uses: []string{"abuse"}}, Rung: directory.RungNational,
			MatchedOn: directory.Subject{Country: "AT"}, Standing: directory.Standing{State: directory.Verified, At: time.Unix(1, 0)}, Designation: &directory.Designation{Scope: "national"},
			Checks: &directory.CheckSummary{OK: 17, Warning: 1, Checked: time.Unix(1, 0), Faults: []directory.CheckVerdict{{Check: "securitytxt", Kind: "domain", Subject: "example.org", Verdict: "warning", Since: time.Unix(1, 0)}}},
		}},
		Trace: []directory.Step{
			{Rung: directory.RungCountry, Result: directory.StepMapped, Subject: directory.Subject{Prefix: mustPrefix("192.0.2.1/32")},
				Found: directory.Subject{Prefix: mustPrefix("192.0.2.0/24"), Country: "AT"}, Set: &directory.ReferenceSet{Kind: directory.PrefixCountry, Source: "rir", AsOf: time.Unix(1, 0)}},
			{Rung: directory.RungNational, Result: directory.StepMatch, Team: team, Subject: directory.Subject{Country: "AT"}},
		},
	}
	buf := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { buf = api.AppendAnswer(buf[:0], a) }); n != 0 {
		t.Errorf("AppendAnswer makes %v allocations, want 0", n)
	}
}

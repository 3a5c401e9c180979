package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/verify"
)

// concluded makes a check of a team conclude, on the real queue: planned,
// claimed and finished as a runner would, at the scene's time.
func (s *scene) concluded(t testing.TB, id directory.TeamID, check, subject string, r verify.Result) {
	t.Helper()
	kind, value, _ := strings.Cut(subject, ":")
	row := verify.Row{Team: id, Check: check, Subject: verify.Subject{Kind: verify.SubjectKind(kind), ID: value}}
	s.ran(t, row, verify.Outcome{Result: r})
}

// ran runs one row with an outcome. All that was planned for its team before
// stays planned.
func (s *scene) ran(t testing.TB, row verify.Row, o verify.Outcome) {
	t.Helper()
	ctx, now := context.Background(), s.clock.Now()
	s.planned[row] = true
	plan := verify.TeamPlan{Team: row.Team}
	for r := range s.planned {
		if r.Team == row.Team {
			plan.Want = append(plan.Want, verify.Want{Check: r.Check, Subject: r.Subject, Revision: 1, Every: 24 * time.Hour})
		}
	}
	if _, err := s.db.Plan(ctx, now, []string{row.Check}, []verify.TeamPlan{plan}); err != nil {
		t.Fatal(err)
	}
	for {
		jobs, err := s.db.Claim(ctx, verify.Claim{N: 1, Owner: "test", Lease: time.Minute, Now: now, Checks: []string{row.Check}})
		if err != nil || len(jobs) == 0 {
			t.Fatalf("%v is not due: %v", row, err)
		}
		if jobs[0].Row != row {
			defer func() { _ = s.db.Release(ctx, []verify.Lease{jobs[0].Lease}, time.Time{}) }() // it goes on as it was
			continue
		}
		s.finished(t, jobs[0], o, now)
		return
	}
}

func (s *scene) finished(t testing.TB, j verify.Job, o verify.Outcome, now time.Time) {
	t.Helper()
	prev := j.Previous
	prev.Check, prev.Subject = j.Check, j.Subject
	f := verify.Finish{Job: j, Now: now}
	if o.Err == nil {
		team, err := s.dir.Team(context.Background(), operator(), string(j.Team))
		if err != nil {
			t.Fatal(err)
		}
		saw := verify.Transcript{Version: 1, Check: j.Check, Target: verify.Target{Subject: j.Subject, Now: now, Claims: verify.ClaimsOf(&team)}}
		if f.Raw, o.Raw, err = saw.Encode(); err != nil {
			t.Fatal(err)
		}
		f.Control = s.seen(j, o)
	}
	f.Result = verify.Assess(prev, o, 24*time.Hour, now)
	if _, err := s.db.Finish(context.Background(), f); err != nil {
		t.Fatal(err)
	}
	if err := s.follow.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// seen is what a result says of a proof of control, nil for nothing.
func (s *scene) seen(j verify.Job, o verify.Outcome) *directory.Control {
	saw := o.Result.Control
	if saw == nil {
		return nil
	}
	team, _ := s.follow.Index().Team(j.Team)
	c := *team.Control(directory.Domain(j.Subject.ID))
	c.State, c.Since, c.Seen, c.Missing, c.DNSSEC, c.RawHash = saw.State, saw.Since, saw.Seen, saw.Missing, saw.DNSSEC, o.Raw
	return &c
}

func finding(code verify.Code, severity verify.Severity) verify.Result {
	return verify.Result{Findings: []verify.Finding{{Code: code, Severity: severity, Advice: "Mend it."}}}
}

// judged gives alpha verdicts about what everybody sees of it and what not.
func (s *scene) judged(t testing.TB) {
	t.Helper()
	s.concluded(t, s.alpha.ID, "dns", "domain:example.org", finding("dns.bad", verify.Warning))
	s.concluded(t, s.alpha.ID, "reach", "contact:clear@example.org", verify.Result{})
	s.concluded(t, s.alpha.ID, "reach", "contact:red@example.org", finding("reach.bad", verify.Error))
}

// TestVerdictsInAnswers: every answer that shows a team shows what checks found
// about what the viewer may see, and a lookup what it leans on.
func TestVerdictsInAnswers(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.judged(t)
		at := s.clock.Now()
		onDomain := format.CheckVerdict{Check: "dns", Kind: "domain", Subject: "example.org", Verdict: "warning", Since: at, Checked: at}
		onContact := format.CheckVerdict{Check: "reach", Kind: "contact", Subject: "clear@example.org", Verdict: "ok", Since: at, Checked: at}
		hidden := format.CheckVerdict{Check: "reach", Kind: "contact", Subject: "red@example.org", Verdict: "error", Since: at, Checked: at}
		for role, want := range map[string][]format.CheckVerdict{
			"": {onDomain, onContact}, "other": {onDomain, onContact}, "secretariat": {onDomain, onContact},
			"editor": {onDomain, onContact, hidden}, "operator": {onDomain, onContact, hidden},
		} {
			var one format.Team
			for range 3 { // the third time from the cache
				one = format.Team{}
				s.do(t, request{path: "/v1/teams/alpha", as: role}).into(t, 200, &one)
			}
			var list api.TeamPage
			s.do(t, request{path: "/v1/teams?limit=1", as: role}).into(t, 200, &list)
			var changes api.ChangePage
			s.do(t, request{path: "/v1/changes", as: role}).into(t, 200, &changes)
			for what, got := range map[string][]format.CheckVerdict{"the team": one.Checks, "the list": list.Teams[0].Checks, "the changes": changes.Changes[len(changes.Changes)-1].Data.Checks} {
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s as %q (-want +got):\n%s", what, role, d)
				}
			}
		}
		leans := &api.AnswerChecks{OK: 1, Warning: 1, Checked: at, Faults: []format.CheckVerdict{onDomain}}
		var answer api.Answer
		for range 3 {
			answer = api.Answer{}
			s.do(t, request{path: "/v1/lookup?q=192.0.2.1"}).into(t, 200, &answer)
		}
		if d := cmp.Diff(leans, answer.Candidates[0].Checks); d != "" {
			t.Errorf("a lookup (-want +got):\n%s", d)
		}
		var batch struct {
			Answers []api.Answer
			Groups  []api.BatchGroup
			Summary api.BatchSummary
		}
		s.do(t, request{method: http.MethodPost, path: "/v1/lookup?group=recipient", body: `{"queries":["192.0.2.1"]}`}).into(t, 200, &batch)
		if d := cmp.Diff(leans, batch.Groups[0].Recipients[0].Checks); d != "" {
			t.Errorf("a group (-want +got):\n%s", d)
		}
		// The next verdict reaches answers that were kept.
		s.clock.Advance(25 * time.Hour)
		s.concluded(t, s.alpha.ID, "dns", "domain:example.org", verify.Result{})
		answer = api.Answer{}
		s.do(t, request{path: "/v1/lookup?q=192.0.2.1"}).into(t, 200, &answer)
		if got := answer.Candidates[0].Checks; got.OK != 2 || got.Faults != nil || !got.Checked.Equal(at) {
			t.Errorf("after the warning was mended a lookup says %+v", got)
		}
	})
}

// TestVerdictsCantBeWritten: they are what checks found, and nobody's to enter.
func TestVerdictsCantBeWritten(t *testing.T) {
	s := embedded(t)
	body := `{"checks":[{"check":"dns","kind":"domain","subject":"example.org","verdict":"ok"}]}`
	a := s.do(t, request{method: http.MethodPatch, path: "/v1/teams/alpha", as: "operator", body: body, header: map[string]string{"If-Match": "*"}})
	var p api.Problem
	a.into(t, 422, &p)
	if len(p.Errors) != 1 || p.Errors[0].Code != "field.read-only" || *p.Errors[0].Pointer != "/checks" {
		t.Errorf("problem = %+v", p)
	}
}

// transcript is the hash of what a check of alpha saw.
func (s *scene) transcript() string {
	row := verify.Row{Team: s.alpha.ID, Check: "mx", Subject: verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}}
	if !s.planned[row] {
		s.ran(s.t, row, verify.Outcome{})
	}
	list, err := s.db.Verifications(context.Background(), s.alpha.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, v := range list {
		if v.Check == row.Check && v.Raw != "" {
			return v.Raw
		}
	}
	s.t.Fatal("the check saw nothing")
	return ""
}

// reached lets a check conclude about every contact of alpha, and of delta
// where there is one.
func (s *scene) reached() {
	s.t.Helper()
	for _, handle := range []directory.Handle{"alpha", "delta"} {
		team, ok := s.follow.Index().ByHandle(handle)
		if !ok {
			continue
		}
		for _, c := range team.Contacts {
			row := verify.Row{Team: team.ID, Check: "reach", Subject: verify.Subject{Kind: verify.SubjectContact, ID: c.Value}}
			if !s.planned[row] {
				s.ran(s.t, row, verify.Outcome{})
			}
		}
	}
}

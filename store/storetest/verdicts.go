package storetest

import (
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// testVerdicts: a record has the verdicts that followers were told of, as they
// were told, whatever was found since without a change.
func testVerdicts(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 2)
	at := Moment()
	day := 24 * time.Hour
	verdicts := func(what string, want ...directory.CheckVerdict) {
		t.Helper()
		equal(t, what, team(t, db, TeamID(0)).Checks, want)
		all := view(t, db, func(r directory.Reader) ([]directory.Record, error) { return r.Teams(directory.TeamFilter{}) })
		equal(t, what+", in a list", all[0].Checks, want)
		equal(t, what+", of another team", all[1].Checks, []directory.CheckVerdict{})
	}
	run := func(after time.Duration, o verify.Outcome) {
		t.Helper()
		at = at.Add(after)
		c := claimAt(9, at)
		c.Checks = []string{"dns"}
		for _, j := range claim(t, db, c) {
			if j.Team != TeamID(0) {
				continue
			}
			prev := j.Previous
			prev.Check, prev.Subject = j.Check, j.Subject
			finish(t, db, verify.Finish{Job: j, Now: at, Result: verify.Assess(prev, o, day, at)})
			return
		}
		t.Fatalf("the row is not due at %v", at)
	}
	trouble := verify.Outcome{Err: &verify.Trouble{Code: "dns.servfail"}}
	one := directory.CheckVerdict{Check: "dns", Kind: "domain", Subject: domain(0).ID}
	verdict := func(v verify.Verdict, since, checked time.Time) directory.CheckVerdict {
		out := one
		out.Verdict, out.Since, out.Checked = string(v), since, checked
		return out
	}

	verdicts("before anything ran")
	run(0, trouble)
	verdicts("after a try in vain")
	run(day, verify.Outcome{})
	first := at
	verdicts("after a conclusion", verdict(verify.VerdictOK, first, first))
	run(day, verify.Outcome{})
	verdicts("after the same, which nobody was told of", verdict(verify.VerdictOK, first, first))
	run(7*day, verify.Outcome{})
	verdicts("a week later", verdict(verify.VerdictOK, first, at))
	last := at
	for range verify.PatientTries - 1 {
		run(day, trouble)
	}
	verdicts("while it is tried in vain", verdict(verify.VerdictOK, first, last))
	run(day, trouble)
	verdicts("when there is no hope left", verdict(verify.VerdictInconclusive, at, time.Time{}))
	run(day, verify.Outcome{Result: verify.Result{Findings: []verify.Finding{bad()}}})
	verdicts("after another verdict", verdict(verify.VerdictError, at, at))
	plan(t, db, at, verify.TeamPlan{Team: TeamID(0)})
	verdicts("when nothing shall be checked any more")
	whole(t, db)
}

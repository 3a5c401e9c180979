package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
)

// known are the checks of the samples.
func known() []string { return []string{"dns", "web"} }

// wanted is what shall be checked about the nth team: its domain by both checks.
func wanted(n int) verify.TeamPlan {
	p := verify.TeamPlan{Team: TeamID(n)}
	for _, c := range known() {
		p.Want = append(p.Want, verify.Want{Check: c, Subject: domain(n), Revision: 1, Every: 24 * time.Hour})
	}
	return p
}

func domain(n int) verify.Subject {
	return verify.Subject{Kind: verify.SubjectDomain, ID: fmt.Sprintf("row-%d.example.org", n)}
}

func plan(t testing.TB, s verify.Store, at time.Time, teams ...verify.TeamPlan) verify.Planned {
	t.Helper()
	done, err := s.Plan(context.Background(), at, known(), teams)
	if err != nil {
		t.Fatalf("Plan: %v", err)
	}
	return done
}

// planned writes n teams and plans their checks.
func planned(t testing.TB, db *store.DB, n int) {
	t.Helper()
	Write(t, db, many(0, n)...)
	var plans []verify.TeamPlan
	for i := range n {
		plans = append(plans, wanted(i))
	}
	if got := plan(t, db, Moment(), plans...); got != (verify.Planned{Added: 2 * n}) {
		t.Fatalf("Plan = %+v, want %d added", got, 2*n)
	}
}

func claimAt(n int, at time.Time) verify.Claim {
	return verify.Claim{N: n, Owner: "node", Lease: time.Minute, Now: at, Checks: known()}
}

func claim(t testing.TB, s verify.Store, c verify.Claim) []verify.Job {
	t.Helper()
	jobs, err := s.Claim(context.Background(), c)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return jobs
}

// claimDNS claims the one row of check dns that is due.
func claimDNS(t testing.TB, s verify.Store, at time.Time) verify.Job {
	t.Helper()
	c := claimAt(9, at)
	c.Checks = []string{"dns"}
	jobs := claim(t, s, c)
	if len(jobs) != 1 {
		t.Fatalf("%d rows of check dns are due, want one", len(jobs))
	}
	return jobs[0]
}

func finish(t testing.TB, s verify.Store, f verify.Finish) verify.Finished {
	t.Helper()
	done, err := s.Finish(context.Background(), f)
	if err != nil || len(done) != 1 || done[0].Fenced {
		t.Fatalf("Finish of %v: %+v, %v", f.Job.Row, done, err)
	}
	return done[0]
}

// result is a Finish of a job by a conclusion at a time, as a runner makes it.
func result(j verify.Job, at time.Time, findings ...verify.Finding) verify.Finish {
	raw := fmt.Sprintf("raw of %v at %d", j.Row, at.UnixMicro())
	prev := j.Previous
	prev.Check, prev.Subject = j.Check, j.Subject
	v := verify.Assess(prev, verify.Outcome{Result: verify.Result{Findings: findings, Facts: []verify.Fact{{Name: "seen", Value: "«yes»"}}}, Raw: "hash of " + raw}, 24*time.Hour, at)
	return verify.Finish{Job: j, Now: at, Result: v, Raw: []byte(raw)}
}

func bad() verify.Finding {
	return verify.Finding{Code: "dns.bad", Severity: verify.Error, Spec: "RFC 1035", Advice: "mend it"}
}

// found reads the verifications of the nth team.
func found(t testing.TB, s verify.Store, n int) []verify.Verification {
	t.Helper()
	list, err := s.Verifications(context.Background(), TeamID(n))
	if err != nil {
		t.Fatalf("Verifications: %v", err)
	}
	return list
}

func figures(t testing.TB, s verify.Store, at time.Time) verify.Figures {
	t.Helper()
	f, err := s.Figures(context.Background(), at)
	if err != nil {
		t.Fatalf("Figures: %v", err)
	}
	return f
}

func wantFenced(t testing.TB, s verify.Store, what string, f verify.Finish) {
	t.Helper()
	done, err := s.Finish(context.Background(), f)
	if err != nil || len(done) != 1 || done[0] != (verify.Finished{Fenced: true}) {
		t.Errorf("Finish of %s: %+v, %v; want fenced", what, done, err)
	}
}

// equal compares what travelled through JSON.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(got, want, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-got +want):\n%s", what, d)
	}
}

func testPlan(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 3)
	if got := plan(t, db, Moment(), wanted(0), wanted(1)); got != (verify.Planned{}) {
		t.Errorf("the same Plan again = %+v, want nothing", got)
	}
	p := wanted(0)
	p.Want[0].Revision = 2
	p.Want = p.Want[:1] // web is not wanted any more
	q := wanted(1)
	q.Want = append(q.Want, verify.Want{Check: "dns", Subject: domain(9), Revision: 1})
	if got, want := plan(t, db, Moment(), p, q, wanted(7)), (verify.Planned{Added: 1, Removed: 1, Moved: 1}); got != want {
		t.Errorf("Plan = %+v, want %+v: a team that does not exist is passed over", got, want)
	}
	// What another version of the program checks is not ours to remove.
	if got, err := db.Plan(context.Background(), Moment(), []string{"dns"}, []verify.TeamPlan{{Team: TeamID(2)}}); err != nil || got.Removed != 1 {
		t.Errorf("Plan that knows dns only = %+v, %v, want one removed", got, err)
	}
	if got := figures(t, db, Moment()); got.Rows != 5 || got.Due != 5 {
		t.Errorf("Figures = %+v, want 5 rows that are due", got)
	}
	for _, n := range []int{1, 2} {
		gone := team(t, db, TeamID(n))
		gone.Revision, gone.Deleted = 2, Moment()
		Write(t, db, gone)
	}
	if got := plan(t, db, Moment(), verify.TeamPlan{Team: TeamID(1)}); got != (verify.Planned{Removed: 3}) {
		t.Errorf("Plan of a deleted team = %+v, want its three rows removed", got)
	}
	if _, err := db.Prune(context.Background(), verify.Retention{At: Moment(), Known: known(), Stale: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if got := figures(t, db, Moment()); got.Rows != 1 {
		t.Errorf("%d rows after two teams were deleted, want 1", got.Rows)
	}
	whole(t, db)
}

// testPlanTells: a verdict that nobody wants any more goes with a change, so that
// whoever shows verdicts does not go on showing it.
func testPlanTells(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 2)
	before := view(t, db, func(r directory.Reader) ([]directory.Change, error) { return r.Changes(0, 0) })
	p := wanted(0)
	p.Want = p.Want[:1]
	if got := plan(t, db, Moment(), p); got != (verify.Planned{Removed: 1}) {
		t.Fatalf("Plan = %+v, want one removed", got)
	}
	changes := func() []directory.Change {
		return view(t, db, func(r directory.Reader) ([]directory.Change, error) { return r.Changes(before[len(before)-1].Seq, 0) })
	}
	if got := changes(); len(got) != 0 {
		t.Errorf("a row that had no verdict went with %+v", got)
	}
	for _, j := range claim(t, db, claimAt(9, Moment())) {
		finish(t, db, result(j, Moment(), bad()))
	}
	before = append(before, changes()...)
	q := wanted(1)
	q.Want = nil
	if got := plan(t, db, Moment(), q); got != (verify.Planned{Removed: 2}) {
		t.Fatalf("Plan = %+v, want two removed", got)
	}
	got := changes()
	if len(got) != 1 || got[0].Type != "team" || got[0].ID != string(TeamID(1)) || got[0].Op != directory.OpUpsert {
		t.Errorf("two verdicts went with %+v, want one change of their team", got)
	}
	if left := found(t, db, 1); len(left) != 0 {
		t.Errorf("%d verdicts are left", len(left))
	}
	whole(t, db)
}

// testPlanClock: a clock that was years ahead must not put off a check for years.
func testPlanClock(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 1)
	wrong := Moment().AddDate(3, 0, 0)
	for _, j := range claim(t, db, claimAt(9, wrong)) {
		finish(t, db, result(j, wrong))
	}
	if got := figures(t, db, Moment()); got.Due != 0 {
		t.Errorf("%d rows are due, want none before the plan", got.Due)
	}
	if got := plan(t, db, Moment(), wanted(0)); got != (verify.Planned{Moved: 2}) {
		t.Errorf("Plan = %+v, want both rows moved", got)
	}
	if got := figures(t, db, Moment()); got.Due != 2 {
		t.Errorf("%d rows are due, want 2", got.Due)
	}
	// Half an hour of going back is no reason.
	for _, j := range claim(t, db, claimAt(9, Moment())) {
		finish(t, db, result(j, Moment()))
	}
	if got := plan(t, db, Moment().Add(-time.Hour), wanted(0)); got != (verify.Planned{}) {
		t.Errorf("Plan after a step back of an hour = %+v, want nothing", got)
	}
}

func testClaim(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 3)
	if got := claim(t, db, claimAt(9, Moment().Add(-time.Second))); len(got) != 0 {
		t.Errorf("%d claims before anything is due", len(got))
	}
	only := claimAt(2, Moment())
	only.Checks = []string{"web"}
	first := claim(t, db, only)
	if len(first) != 2 || first[0].Check != "web" || first[1].Check != "web" {
		t.Fatalf("Claim(2, web) = %+v", first)
	}
	if j := first[0]; j.Attempt != 1 || !j.Due.Equal(Moment()) || j.Fence == 0 || j.Revision != 1 || j.Previous.Verdict != "" {
		t.Errorf("job = %+v", j)
	}
	rest := claim(t, db, claimAt(9, Moment()))
	if len(rest) != 4 {
		t.Errorf("%d claims of the rest, want 4", len(rest))
	}
	if got := claim(t, db, claimAt(9, Moment().Add(59*time.Second))); len(got) != 0 {
		t.Errorf("%d claims of what is leased", len(got))
	}
	if got := figures(t, db, Moment()); got.Due != 0 || got.Leased != 6 {
		t.Errorf("Figures = %+v, want 6 leased and none due", got)
	}
	// When the leases end the rows are anybody's, and the old leases worth nothing.
	again := claim(t, db, claimAt(9, Moment().Add(time.Minute)))
	if len(again) != 6 || again[0].Attempt != 2 || !again[0].Due.Equal(Moment()) {
		t.Fatalf("after the leases ended %d claims, the first %+v; want 6, second attempt, due as before", len(again), again[0])
	}
	wantFenced(t, db, "a lease that ended", result(first[0], Moment()))
	for _, j := range again {
		finish(t, db, result(j, Moment().Add(time.Minute)))
	}
	wantFenced(t, db, "what is finished already", result(again[0], Moment()))
	if got := found(t, db, 0); len(got) != 2 || got[0].Check != "dns" || got[0].Verdict != verify.VerdictOK || !got[0].Due.After(Moment()) {
		t.Errorf("Verifications = %+v", got)
	}
	whole(t, db)
}

func testLeases(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	planned(t, db, 2)
	jobs := claim(t, db, claimAt(3, Moment()))
	leases := []verify.Lease{jobs[0].Lease, jobs[1].Lease, {Row: jobs[2].Row, Fence: 7}}
	lost, err := db.Extend(ctx, leases, Moment().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "lost leases", lost, leases[2:])
	if got := claim(t, db, claimAt(9, Moment().Add(2*time.Minute))); len(got) != 2 {
		t.Errorf("%d claims beside two that were extended, want 2", len(got))
	}
	if err := db.Release(ctx, leases, time.Time{}); err != nil {
		t.Fatal(err)
	}
	back := claim(t, db, claimAt(9, Moment()))
	if len(back) != 2 || back[0].Attempt != 1 || !back[0].Due.Equal(Moment()) {
		t.Errorf("after a release %d claims: %+v; want the two, as if never claimed", len(back), back)
	}
	later := Moment().Add(time.Hour)
	if err := db.Release(ctx, []verify.Lease{back[0].Lease}, later); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, db, claimAt(9, later.Add(-time.Minute-time.Second))); len(got) != 0 {
		for _, j := range got {
			if j.Row == back[0].Row {
				t.Errorf("a row released until later was claimed: %+v", j)
			}
		}
	}
	wantFenced(t, db, "a released lease", result(back[0], Moment()))
	// A plan that moves a row voids what is under way.
	p := wanted(0)
	for i := range p.Want {
		p.Want[i].Revision = 5
	}
	plan(t, db, Moment(), p)
	wantFenced(t, db, "a lease on what moved", result(back[1], Moment()))
}

func testFinish(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	planned(t, db, 1)
	before := head(t, db).Seq
	j := claimDNS(t, db, Moment())
	f := result(j, Moment(), bad())
	f.Evidence = []directory.Evidence{Evidence("e1", Moment())}
	if got := finish(t, db, f); got != (verify.Finished{Announced: true}) {
		t.Errorf("Finish = %+v, want announced", got)
	}
	if got := head(t, db).Seq; got != before+1 {
		t.Errorf("the sequence went from %d to %d, want one step", before, got)
	}
	r := team(t, db, TeamID(0))
	if len(r.Evidence) != 1 || r.Revision != 1 || r.Seq != before+1 {
		t.Errorf("the team has %d items of evidence, revision %d, change %d", len(r.Evidence), r.Revision, r.Seq)
	}
	audit := view(t, db, func(r directory.Reader) ([]directory.AuditEntry, error) {
		return r.Audit(directory.AuditFilter{Limit: 1})
	})
	if a := audit[0]; a.Actor != "check.dns" || a.Subject != "team:"+string(TeamID(0)) || a.Detail != "domain:row-0.example.org: error (dns.bad)" {
		t.Errorf("audit = %+v", a)
	}
	for _, v := range found(t, db, 0) {
		if v.Check == "dns" {
			equal(t, "Verification", v, f.Result)
		} else if !v.Tried.IsZero() || v.Verdict != verify.VerdictInconclusive || !v.Due.Equal(Moment()) {
			t.Errorf("a row that never ran = %+v", v)
		}
	}
	raw, err := db.Transcript(ctx, f.Result.Raw)
	if err != nil || !bytes.Equal(raw, f.Raw) {
		t.Errorf("Transcript = %q, %v", raw, err)
	}
	_, err = db.Transcript(ctx, "unknown")
	wantKind(t, "an unknown transcript", err, directory.NotFound)
	_, err = db.Transcript(ctx, "\x00\xff")
	wantKind(t, "a hash that is none", err, directory.NotFound)
	events, err := db.Events(ctx, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "Events", events, []verify.Event{{N: 1, At: Moment(), Team: TeamID(0), Verification: f.Result}})
	whole(t, db)
}

// testFinishAgain: what says the same again is told once a week, what says
// something else makes an event.
func testFinishAgain(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	planned(t, db, 1)
	at := Moment()
	run := func(after time.Duration, findings ...verify.Finding) verify.Finished {
		t.Helper()
		at = at.Add(after)
		return finish(t, db, result(claimDNS(t, db, at), at, findings...))
	}
	for i, want := range []bool{true, false, false, false, false, false, false, true, false} { // the seventh day after the first
		if got := run(24 * time.Hour); got.Announced != want {
			t.Errorf("day %d: announced = %v, want %v", i, got.Announced, want)
		}
	}
	warning := verify.Finding{Code: "dns.odd", Severity: verify.Recommendation}
	if got := run(24*time.Hour, warning); got.Announced {
		t.Error("a recommendation that leaves the verdict was announced")
	}
	if got := run(24*time.Hour, bad()); !got.Announced {
		t.Error("a new verdict was not announced")
	}
	row := verify.Row{Team: TeamID(0), Check: "dns", Subject: domain(0)}
	list, err := db.History(ctx, row, 0, 2)
	if err != nil || len(list) != 2 || list[0].N != 3 || list[0].Was != verify.VerdictOK || list[0].Verification.Verdict != verify.VerdictError || list[1].N != 2 {
		t.Errorf("History = %+v, %v; want events 3 and 2", list, err)
	}
	if list, err = db.History(ctx, row, 2, 9); err != nil || len(list) != 1 || list[0].N != 1 {
		t.Errorf("History below 2 = %+v, %v; want event 1", list, err)
	}
	for _, some := range []verify.Row{{Team: TeamID(0)}, {Team: TeamID(0), Check: "dns"}, {Team: TeamID(0), Subject: domain(0)}, {Team: TeamID(0), Subject: verify.Subject{Kind: domain(0).Kind}}} {
		if list, err = db.History(ctx, some, 0, 2); err != nil || len(list) != 2 || list[0].N != 3 {
			t.Errorf("History of %+v = %+v, %v; want events 3 and 2", some, list, err)
		}
	}
	for _, none := range []verify.Row{{Team: TeamID(1)}, {Team: TeamID(0), Check: "web"}, {Team: TeamID(0), Subject: domain(1)}} {
		if list, err = db.History(ctx, none, 0, 2); err != nil || len(list) != 0 {
			t.Errorf("History of %+v = %+v, %v; want none", none, list, err)
		}
	}
	if n, err := db.LastEvent(ctx); err != nil || n != 3 {
		t.Errorf("LastEvent = %d, %v; want 3", n, err)
	}
	if list, err = db.Events(ctx, 1, 1); err != nil || len(list) != 1 || list[0].N != 2 {
		t.Errorf("Events after 1 = %+v, %v; want event 2", list, err)
	}
	whole(t, db)
}

// testFinishMany: results that are written together are each written or fenced
// by themselves, and none at all when one can't be.
func testFinishMany(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	planned(t, db, 2)
	jobs := claim(t, db, claimAt(9, Moment()))
	lost := result(jobs[1], Moment(), bad())
	lost.Job.Fence++
	broken := result(jobs[3], Moment())
	broken.Evidence = []directory.Evidence{{ID: "\x00"}}
	if _, err := db.Finish(ctx, result(jobs[0], Moment(), bad()), broken); err == nil {
		t.Error("Finish of what can't be kept = nil")
	}
	if got := figures(t, db, Moment()); got.Leased != 4 || len(got.Runs) != 0 || len(got.Verdicts) != 0 {
		t.Errorf("after a failure: %+v, want nothing written", got)
	}
	done, err := db.Finish(ctx, result(jobs[0], Moment(), bad()), lost, result(jobs[2], Moment()))
	if err != nil || len(done) != 3 || done[0].Fenced || !done[1].Fenced || done[2].Fenced {
		t.Errorf("Finish = %+v, %v; want the second fenced", done, err)
	}
	if got := figures(t, db, Moment()); got.Leased != 2 {
		t.Errorf("after a finish: %+v, want two leases left", got)
	}
	if done, err := db.Finish(ctx); len(done) != 0 || err != nil {
		t.Errorf("Finish of nothing = %+v, %v", done, err)
	}
	whole(t, db)
}

// testFinishTrouble: trouble is counted, and is no event.
func testFinishTrouble(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 1)
	before := head(t, db).Seq
	j := claimDNS(t, db, Moment())
	prev := j.Previous
	prev.Check, prev.Subject = j.Check, j.Subject
	v := verify.Assess(prev, verify.Outcome{Err: &verify.Trouble{Code: "dns.servfail"}}, 24*time.Hour, Moment())
	if got := finish(t, db, verify.Finish{Job: j, Now: Moment(), Result: v}); got != (verify.Finished{}) {
		t.Errorf("Finish = %+v, want nothing to tell", got)
	}
	if got := head(t, db).Seq; got != before {
		t.Errorf("the sequence went from %d to %d", before, got)
	}
	j = claimDNS(t, db, Moment().Add(time.Hour))
	equal(t, "Previous", j.Previous, v)
	equal(t, "Runs", figures(t, db, Moment()).Runs, []verify.Count{{Check: "dns", Outcome: "dns.servfail", N: 1}})
	equal(t, "Verdicts", figures(t, db, Moment()).Verdicts, []verify.Count{{Check: "dns", Outcome: "inconclusive", N: 1}})
	whole(t, db)
}

// testClaimOnce lets several claimants, each as another process would, work at
// once.
func testClaimOnce(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	const teams = 100
	planned(t, db, teams)
	var mu sync.Mutex
	ran := map[verify.Row]int{}
	var all sync.WaitGroup
	for range 3 {
		own := e.Reopen(t, dsn)
		all.Go(func() {
			for {
				jobs, err := own.Claim(context.Background(), claimAt(7, Moment()))
				if err != nil {
					t.Errorf("Claim: %v", err)
					return
				}
				if len(jobs) == 0 {
					return
				}
				var results []verify.Finish
				for _, j := range jobs {
					results = append(results, result(j, Moment()))
					mu.Lock()
					ran[j.Row]++
					mu.Unlock()
				}
				if _, err := own.Finish(context.Background(), results...); err != nil {
					t.Errorf("Finish: %v", err)
				}
			}
		})
	}
	all.Wait()
	for row, n := range ran {
		if n != 1 {
			t.Errorf("%v ran %d times", row, n)
		}
	}
	if len(ran) != 2*teams {
		t.Errorf("%d rows ran, want %d", len(ran), 2*teams)
	}
	whole(t, db)
}

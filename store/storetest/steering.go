package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
)

func pauses(t testing.TB, s verify.Store) []directory.Pause {
	t.Helper()
	list, err := s.Pauses(context.Background())
	if err != nil {
		t.Fatalf("Pauses: %v", err)
	}
	return list
}

func testPauses(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 1)
	all := directory.Pause{Now: true, By: "cli:root", Why: "«maintenance»", At: Moment()}
	web := directory.Pause{Check: "web", By: "x", At: Moment()}
	put := func(list ...directory.Pause) {
		update(t, db, func(tx directory.Tx) error {
			for _, p := range list {
				if err := tx.PutPause(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	put(web, directory.Pause{Why: "replaced"}, all, directory.Pause{Guard: true, At: Moment()})
	wantEqual(t, "Pauses", pauses(t, db), []directory.Pause{all, {Guard: true, At: Moment()}, web})
	if got := claim(t, db, claimAt(9, Moment())); len(got) != 0 {
		t.Errorf("%d claims while all is paused", len(got))
	}
	update(t, db, func(tx directory.Tx) error { return tx.DropPause("", false) })
	if got := claim(t, db, claimAt(9, Moment())); len(got) != 0 {
		t.Errorf("%d claims while the guard pauses all", len(got))
	}
	update(t, db, func(tx directory.Tx) error { return tx.DropPause("", true) })
	if got := claim(t, db, claimAt(9, Moment())); len(got) != 1 || got[0].Check != "dns" {
		t.Errorf("claims while web is paused = %+v, want dns only", got)
	}
	update(t, db, func(tx directory.Tx) error { return tx.DropPause("web", false) })
	if got := claim(t, db, claimAt(9, Moment())); len(got) != 1 || got[0].Check != "web" {
		t.Errorf("claims when nothing is paused = %+v, want web", got)
	}
	wantEqual(t, "Pauses at the end", len(pauses(t, db)), 0)
}

func testRunChecks(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 3)
	for _, j := range claim(t, db, claimAt(9, Moment())) {
		finish(t, db, result(j, Moment()))
	}
	at := Moment().Add(time.Minute)
	run := func(n int) (rows int, last time.Time) {
		update(t, db, func(tx directory.Tx) (err error) {
			rows, last, err = tx.RunChecks(TeamID(n), at)
			return err
		})
		return rows, last
	}
	if rows, last := run(1); rows != 2 || !last.IsZero() {
		t.Errorf("RunChecks = %d, %v, want 2 rows and never before", rows, last)
	}
	jobs := claim(t, db, claimAt(1, at))
	if len(jobs) != 1 || jobs[0].Team != TeamID(1) {
		t.Fatalf("claims = %+v, want one of the team", jobs)
	}
	at = at.Add(time.Second) // the one that is under way stays so
	if rows, last := run(1); rows != 2 || !last.Equal(at.Add(-time.Second)) {
		t.Errorf("RunChecks again = %d, %v, want 2 rows and the time before", rows, last)
	}
	finish(t, db, result(jobs[0], at))
	if rows, _ := run(9); rows != 0 {
		t.Errorf("RunChecks of a team without rows = %d", rows)
	}
	// What somebody asked for goes before what is longer due.
	later := Moment().Add(30 * 24 * time.Hour)
	at = later
	run(2)
	asked := claim(t, db, claimAt(3, later)) // one is left of the team before
	for _, j := range asked {
		if j.Team == TeamID(0) {
			t.Errorf("claimed %v before what was asked for", j.Row)
		}
	}
	if rest := claim(t, db, claimAt(9, later)); len(asked) != 3 || len(rest) != 3 {
		t.Errorf("%d and then %d rows were claimed, want 3 and 3", len(asked), len(rest))
	}
}

// turning finishes all rows of n teams once well, and returns the jobs of a
// second round.
func turning(t testing.TB, db *store.DB, n int) ([]verify.Job, time.Time) {
	t.Helper()
	planned(t, db, n)
	for _, j := range claim(t, db, claimAt(2*n, Moment())) {
		finish(t, db, result(j, Moment()))
	}
	at := Moment().Add(25 * time.Hour)
	return claim(t, db, claimAt(2*n, at)), at
}

// testGuard: ten of a hundred may turn worse, the eleventh stops everything, be it
// that they turn to errors or to warnings.
func testGuard(t *testing.T, e Engine) {
	t.Run("errors", func(t *testing.T) { guards(t, e, bad()) })
	t.Run("warnings", func(t *testing.T) { guards(t, e, bad().As(verify.Warning)) })
}

func guards(t *testing.T, e Engine, worse verify.Finding) {
	_, db := e.Open(t)
	jobs, at := turning(t, db, 40)
	guard := verify.Guard{Share: 0.1, Least: 5, Window: time.Hour}
	end := func(j verify.Job, findings ...verify.Finding) verify.Finished {
		f := result(j, at, findings...)
		f.Guard = guard
		return finish(t, db, f)
	}
	for _, j := range jobs[:60] {
		end(j)
	}
	for i, j := range jobs[60:70] {
		want := verify.Finished{Announced: i < 6, Held: i >= 6, Tripped: i == 6} // 7 of 67 are more than a tenth
		if got := end(j, worse); got != want {
			t.Errorf("bad one %d: Finish = %+v, want %+v", i+1, got, want)
		}
	}
	if got := end(jobs[70]); got != (verify.Finished{}) {
		t.Errorf("a good one beside the guard = %+v", got)
	}
	list := pauses(t, db)
	if len(list) != 1 || !list[0].Guard || list[0].Why != "7 of 67 conclusions within 1h0m0s turned worse" || !list[0].At.Equal(at) {
		t.Errorf("Pauses = %+v", list)
	}
	if got := figures(t, db, at); got.Held != 4 || len(got.Pauses) != 1 {
		t.Errorf("Figures = %+v, want 4 held", got)
	}
	if got := claim(t, db, claimAt(9, at.Add(time.Hour))); len(got) != 0 {
		t.Errorf("%d claims although the guard paused", len(got))
	}
	published := 0
	for n := range 40 {
		for _, v := range found(t, db, n) {
			if v.Verdict == verify.VerdictOf([]verify.Finding{worse}) {
				published++
			}
		}
	}
	if published != 6 {
		t.Errorf("%d are published, want the 6 before the guard stopped", published)
	}
	whole(t, db)
}

// held trips the guard with three worse verdicts of two teams, one of them
// published already.
func held(t *testing.T, e Engine, worse verify.Finding) (*store.DB, []verify.Job, time.Time) {
	t.Helper()
	_, db := e.Open(t)
	jobs, at := turning(t, db, 2)
	for i, j := range jobs {
		f := result(j, at, worse)
		f.Guard = verify.Guard{Share: 0.1, Least: 2, Window: time.Hour}
		if got := finish(t, db, f); got.Held != (i > 0) {
			t.Fatalf("Finish %d = %+v", i, got)
		}
	}
	return db, jobs, at
}

func settle(t testing.TB, db *store.DB, accept bool, at time.Time) (n int) {
	t.Helper()
	update(t, db, func(tx directory.Tx) (err error) {
		if n, err = tx.SettleHeld(accept, "cli:root", at, at.Add(-time.Hour)); err != nil {
			return err
		}
		return tx.DropPause("", true)
	})
	return n
}

func testAcceptHeld(t *testing.T, e Engine) {
	db, _, at := held(t, e, bad())
	before := head(t, db).Seq
	if n := settle(t, db, true, at.Add(time.Minute)); n != 3 {
		t.Errorf("SettleHeld = %d, want 3", n)
	}
	for n := range 2 {
		for _, v := range found(t, db, n) {
			if v.Verdict != verify.VerdictError || !v.Checked.Equal(at) {
				t.Errorf("verification = %+v, want the error that was held", v)
			}
		}
	}
	if got := head(t, db).Seq - before; got != 2 {
		t.Errorf("%d changes, want one for each team", got)
	}
	if got := figures(t, db, at); got.Held != 0 || got.Due != 0 {
		t.Errorf("Figures = %+v, want none held and none due", got)
	}
	whole(t, db)
}

func testDiscardHeld(t *testing.T, e Engine) {
	t.Run("errors", func(t *testing.T) { discards(t, e, bad()) })
	t.Run("warnings", func(t *testing.T) { discards(t, e, bad().As(verify.Warning)) })
}

func discards(t *testing.T, e Engine, worse verify.Finding) {
	db, jobs, at := held(t, e, worse)
	before, at2 := head(t, db).Seq, at.Add(time.Minute)
	if n := settle(t, db, false, at2); n != 3 {
		t.Errorf("SettleHeld = %d, want 3", n)
	}
	if got := head(t, db).Seq; got != before {
		t.Errorf("the sequence went from %d to %d", before, got)
	}
	again := claim(t, db, claimAt(9, at2))
	if len(again) != 4 {
		t.Fatalf("%d rows are due after a discard, want all: the one that was published too", len(again))
	}
	for _, j := range again {
		if want := map[bool]verify.Verdict{true: verify.VerdictOf([]verify.Finding{worse}), false: verify.VerdictOK}[j.Row == jobs[0].Row]; j.Previous.Verdict != want {
			t.Errorf("%v: previous verdict %s, want %s", j.Row, j.Previous.Verdict, want)
		}
		// The guard begins to count anew.
		f := result(j, at2)
		f.Guard = verify.Guard{Share: 0.1, Least: 1, Window: time.Hour}
		if got := finish(t, db, f); got.Held {
			t.Errorf("a good one was held back")
		}
	}
	whole(t, db)
}

// testPruneChecks: what something refers to stays, whatever its age.
func testPruneChecks(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	planned(t, db, 3)
	var hashes []string
	at := Moment()
	for day := range 3 {
		for i, j := range claim(t, db, claimAt(9, at)) {
			f := result(j, at)
			if day == 0 && i == 0 {
				f.Evidence = []directory.Evidence{{ID: "e", Contact: "c", Level: 1, Outcome: directory.OutcomeProved, Method: "check.dns", At: at, RawHash: f.Result.Raw}}
			}
			finish(t, db, f)
			hashes = append(hashes, f.Result.Raw)
		}
		at = at.Add(24 * time.Hour)
	}
	keep := func(before time.Time) (n int) {
		more, err := db.Prune(ctx, verify.Retention{At: at, Raw: before, Known: known(), Stale: time.Hour})
		if err != nil || more {
			t.Fatalf("Prune = %v, %v", more, err)
		}
		for _, h := range hashes {
			if _, err := db.Transcript(ctx, h); err == nil {
				n++
			}
		}
		return n
	}
	if got := keep(Moment()); got != 18 {
		t.Errorf("%d transcripts left, want all 18", got)
	}
	if got := keep(Moment().Add(time.Hour)); got != 13 {
		t.Errorf("%d transcripts left, want 13: five of the first day are gone, one proves something", got)
	}
	if got := keep(at); got != 7 {
		t.Errorf("%d transcripts left, want the 6 of the last day and the one that proves something", got)
	}
	whole(t, db)
}

// testPruneUnknown: rows of checks that no program has any more go in the end.
func testPruneUnknown(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 1)
	for _, j := range claim(t, db, claimAt(9, Moment())) {
		finish(t, db, result(j, Moment()))
	}
	prune := func(at time.Time) int {
		if _, err := db.Prune(context.Background(), verify.Retention{At: at, Known: []string{"dns"}, Stale: 30 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
		return len(found(t, db, 0))
	}
	if got := prune(Moment().Add(24 * time.Hour)); got != 2 {
		t.Errorf("%d verifications after a day, want 2", got)
	}
	if got := prune(Moment().Add(40 * 24 * time.Hour)); got != 1 {
		t.Errorf("%d verifications after 40 days, want that of the check that is known", got)
	}
	whole(t, db)
}

// testChecksBackup: a backup holds what was found, and no leases. What is
// planned afterwards is due as the verifications say.
func testChecksBackup(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 3)
	jobs := claim(t, db, claimAt(4, Moment()))
	for i, j := range jobs[:3] {
		finish(t, db, result(j, Moment().Add(time.Duration(i)*time.Second)))
	}
	update(t, db, func(tx directory.Tx) error { return tx.PutPause(directory.Pause{Check: "web", By: "x", At: Moment()}) })
	archive, _ := backup(t, db)
	for _, other := range Engines(t) {
		t.Run(other.Name, func(t *testing.T) {
			_, to := other.Open(t)
			planned(t, to, 1)
			if _, err := to.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
				t.Fatalf("Restore: %v", err)
			}
			if got := figures(t, to, Moment()); got.Rows != 0 || len(got.Pauses) != 1 {
				t.Errorf("Figures after a restore = %+v, want no rows and the pause", got)
			}
			plan(t, to, Moment().Add(time.Minute), wanted(0), wanted(1), wanted(2))
			if got := figures(t, to, Moment().Add(time.Minute)); got.Rows != 6 || got.Due != 3 {
				t.Errorf("Figures after a plan = %+v, want 6 rows, the three that never ran due", got)
			}
			for n := range 3 {
				a, b := found(t, db, n), found(t, to, n)
				for i := range a {
					if !a[i].Tried.IsZero() {
						equal(t, fmt.Sprintf("verification %d of team %d", i, n), b[i], a[i])
					}
				}
			}
			if _, err := to.Transcript(context.Background(), result(jobs[0], Moment()).Result.Raw); err != nil {
				t.Errorf("Transcript after a restore: %v", err)
			}
			if events, err := to.Events(context.Background(), 0, 0); err != nil || len(events) != 3 {
				t.Errorf("%d events after a restore, %v; want 3", len(events), err)
			}
			whole(t, to)
		})
	}
}

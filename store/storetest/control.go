package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// testControls: proofs of control are read with their teams, written by checks
// of the same token only, and no backup or pruning loses what they rest on.
func testControls(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 2)
	one := directory.Control{Domain: directory.Domain(domain(0).ID), Digest: "d1", Expiry: "2030-01-01", Started: Moment(), State: directory.ControlWaiting, Since: Moment()}
	put := func(n int, c directory.Control, token string) {
		t.Helper()
		update(t, db, func(tx directory.Tx) error { return tx.PutControl(TeamID(n), c, token) })
	}
	controls := func(what string, want ...directory.Control) {
		t.Helper()
		equal(t, what, team(t, db, TeamID(0)).Controls, want)
		all := view(t, db, func(r directory.Reader) ([]directory.Record, error) { return r.Teams(directory.TeamFilter{}) })
		equal(t, what+", in a list", all[0].Controls, want)
		equal(t, what+", of another team", len(all[1].Controls), 0)
	}
	token := func(n int, d directory.Domain) (string, error) {
		var s string
		err := db.View(context.Background(), func(r directory.Reader) (err error) {
			s, err = r.ControlToken(TeamID(n), d)
			return err
		})
		return s, err
	}
	controls("before any")
	other := one
	other.Domain = "a.example.org"
	put(0, one, "T1")
	put(0, other, "T2")
	controls("two, in order", other, one)
	update(t, db, func(tx directory.Tx) error { return tx.DropControl(TeamID(0), other.Domain) })
	update(t, db, func(tx directory.Tx) error { return tx.DropControl(TeamID(1), one.Domain) })
	controls("one", one)
	if got, err := token(0, one.Domain); err != nil || got != "T1" {
		t.Errorf("ControlToken = %q, %v; want T1", got, err)
	}
	for n, d := range map[int]directory.Domain{0: other.Domain, 1: one.Domain} {
		_, err := token(n, d)
		wantKind(t, "a token that is not there", err, directory.NotFound)
	}

	seen := one
	seen.State, seen.Since, seen.Seen, seen.Until, seen.DNSSEC = directory.ControlConfirmed, Moment(), Moment(), Moment().Add(time.Hour), "secure"
	f := result(claimDNS0(t, db, Moment()), Moment())
	seen.RawHash = f.Result.Raw
	f.Control = &seen
	before := head(t, db).Seq
	if done := finish(t, db, f); !done.Announced || head(t, db).Seq != before+1 {
		t.Errorf("Finish = %+v at %d, want an announced change after %d", done, head(t, db).Seq, before)
	}
	controls("after it was seen", seen)

	// What was seen of the old token says nothing of the new one.
	renewed := one
	renewed.Digest = "d2"
	put(0, renewed, "T3")
	f = result(claimDNS0(t, db, Moment().Add(48*time.Hour)), Moment().Add(48*time.Hour))
	f.Control = &seen
	finish(t, db, f)
	controls("renewed under way", renewed)
	seen.Digest = "d2"
	put(0, seen, "T3")

	later := Moment().Add(100 * 24 * time.Hour)
	f = result(claimDNS0(t, db, later), later)
	finish(t, db, f)
	for more := true; more; {
		var err error
		if more, err = db.Prune(context.Background(), verify.Retention{At: later, Raw: later, Known: known(), Stale: 200 * 24 * time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Transcript(context.Background(), seen.RawHash); err != nil {
		t.Errorf("the transcript in which the record was seen: %v", err)
	}
	archive, _ := backup(t, db)
	for _, to := range Engines(t) {
		t.Run(to.Name, func(t *testing.T) {
			_, restored := to.Open(t)
			if _, err := restored.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
				t.Fatalf("Restore: %v", err)
			}
			equal(t, "restored", team(t, restored, TeamID(0)).Controls, []directory.Control{seen})
			whole(t, restored)
		})
	}
	whole(t, db)
}

// claimDNS0 claims the row of check dns of the first team.
func claimDNS0(t testing.TB, s verify.Store, at time.Time) verify.Job {
	t.Helper()
	c := claimAt(9, at)
	c.Checks = []string{"dns"}
	for _, j := range claim(t, s, c) {
		if j.Team == TeamID(0) {
			return j
		}
	}
	t.Fatalf("the row is not due at %v", at)
	return verify.Job{}
}

// testRunCheck: one row is made due, and goes first.
func testRunCheck(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 2)
	for _, j := range claim(t, db, claimAt(9, Moment())) {
		finish(t, db, result(j, Moment()))
	}
	run := func(check string, at time.Time) (rows int, last time.Time) {
		t.Helper()
		update(t, db, func(tx directory.Tx) (err error) {
			rows, last, err = tx.RunCheck(TeamID(1), check, "domain", domain(1).ID, at)
			return err
		})
		return rows, last
	}
	at := Moment().Add(time.Minute)
	if rows, last := run("dns", at); rows != 1 || !last.IsZero() {
		t.Errorf("RunCheck = %d, %v; want one row, never asked for before", rows, last)
	}
	if rows, last := run("dns", at.Add(time.Second)); rows != 1 || !last.Equal(at) {
		t.Errorf("RunCheck again = %d, %v; want one row, asked for at %v", rows, last, at)
	}
	if rows, _ := run("other", at); rows != 0 {
		t.Errorf("RunCheck of what is not planned = %d rows", rows)
	}
	jobs := claim(t, db, claimAt(9, at.Add(time.Second)))
	if len(jobs) != 1 || jobs[0].Team != TeamID(1) || jobs[0].Check != "dns" {
		t.Errorf("claimed %+v, want the one row", jobs)
	}
	if rows, _ := run("dns", at.Add(2*time.Second)); rows != 0 {
		t.Errorf("RunCheck of what is under way = %d rows", rows)
	}
}

package directory_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// plan makes one check of a team's domain.
func (d door) plan(team directory.TeamID) verify.Store {
	d.t.Helper()
	s := d.store.(verify.Store)
	want := verify.Want{Check: "dns", Subject: verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}, Revision: 1, Every: time.Hour}
	if _, err := s.Plan(context.Background(), d.clock.at, []string{"dns"}, []verify.TeamPlan{{Team: team, Want: []verify.Want{want}}}); err != nil {
		d.t.Fatal(err)
	}
	return s
}

func TestPauseChecks(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		s := d.plan(d.create("alpha").ID)
		if err := d.PauseChecks(ctx, operator, "", true, "too many complaints"); err != nil {
			t.Fatal(err)
		}
		pauses, err := s.Pauses(ctx)
		if want := (directory.Pause{Now: true, By: "op", Why: "too many complaints", At: now}); err != nil || len(pauses) != 1 || pauses[0] != want {
			t.Errorf("Pauses = %+v, %v; want %+v", pauses, err, want)
		}
		entries, err := d.Audit(ctx, operator, directory.AuditFilter{Subject: "checks:all"})
		if err != nil || len(entries) != 1 || entries[0].Action != "pause checks" || entries[0].Detail != "too many complaints" {
			t.Errorf("Audit = %+v, %v", entries, err)
		}
		_, err = d.ResumeChecks(ctx, operator, "dns", directory.HeldNone)
		wantCode(t, err, directory.Conflict, "checks.not-paused", "")
		if _, err := d.ResumeChecks(ctx, operator, "", directory.HeldNone); err != nil {
			t.Errorf("ResumeChecks: %v", err)
		}
		if pauses, err = s.Pauses(ctx); err != nil || len(pauses) != 0 {
			t.Errorf("Pauses = %+v, %v; want none", pauses, err)
		}
		err = d.PauseChecks(ctx, operator, "", false, strings.Repeat("x", 501))
		wantCode(t, err, directory.Invalid, "text.too-long", "/why")
	})
}

// TestResumeGuard: what the guard holds back is decided before checks go on.
func TestResumeGuard(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		err := d.store.Update(ctx, func(tx directory.Tx) error {
			return tx.PutPause(directory.Pause{Guard: true, By: "guard", At: now})
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.ResumeChecks(ctx, operator, "", directory.HeldNone)
		wantCode(t, err, directory.Conflict, "checks.guard", "")
		_, err = d.ResumeChecks(ctx, operator, "", "forget")
		wantCode(t, err, directory.Invalid, "checks.held", "/held")
		if n, err := d.ResumeChecks(ctx, operator, "", directory.HeldDiscard); n != 0 || err != nil {
			t.Errorf("ResumeChecks = %d, %v; want none held", n, err)
		}
		entries, err := d.Audit(ctx, operator, directory.AuditFilter{Action: "resume checks"})
		if err != nil || len(entries) != 1 || entries[0].Detail != "discard: 0 verdicts that were held back" {
			t.Errorf("Audit = %+v, %v", entries, err)
		}
	})
}

// TestRunChecks: a team's own editor may ask every ten minutes.
func TestRunChecks(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		s := d.plan(team.ID)
		editor := directory.Principal{Name: "editor", Role: directory.Editor, Team: team.ID}
		claim := verify.Claim{N: 9, Owner: "node", Lease: time.Minute, Checks: []string{"dns"}}
		claim.Now = now.Add(-time.Second) // nothing is due before the plan
		if jobs, err := s.Claim(ctx, claim); err != nil || len(jobs) != 0 {
			t.Fatalf("Claim = %+v, %v", jobs, err)
		}
		d.clock.at = now.Add(-time.Minute)
		if n, err := d.RunChecks(ctx, editor, "alpha"); n != 1 || err != nil {
			t.Errorf("RunChecks = %d, %v; want one row", n, err)
		}
		if jobs, err := s.Claim(ctx, claim); err != nil || len(jobs) != 1 {
			t.Errorf("Claim after RunChecks = %+v, %v; want the row", jobs, err)
		}
		d.clock.at = d.clock.at.Add(9 * time.Minute)
		head := d.head()
		_, err := d.RunChecks(ctx, editor, "alpha")
		wantCode(t, err, directory.TooMany, "checks.too-soon", "")
		if got := d.head(); got != head {
			t.Errorf("a refusal moved the sequence from %d to %d", head, got)
		}
		if _, err := d.RunChecks(ctx, operator, "alpha"); err != nil {
			t.Errorf("RunChecks of an operator: %v", err)
		}
		d.clock.at = d.clock.at.Add(11 * time.Minute)
		if _, err := d.RunChecks(ctx, editor, string(team.ID)); err != nil {
			t.Errorf("RunChecks after ten minutes: %v", err)
		}
		// A clock that went back by a year must not lock anybody out for one.
		d.clock.at = d.clock.at.AddDate(-1, 0, 0)
		if _, err := d.RunChecks(ctx, editor, "alpha"); err != nil {
			t.Errorf("RunChecks after the clock went back: %v", err)
		}
		_, err = d.RunChecks(ctx, operator, "nobody")
		wantCode(t, err, directory.NotFound, "team.unknown", "")
	})
}

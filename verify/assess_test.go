package verify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/verify"
)

const day = 24 * time.Hour

var (
	now     = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	subject = verify.Subject{Kind: verify.SubjectDomain, ID: "example.org"}

	good     = verify.Outcome{Raw: "new"}
	warned   = concluded(verify.Warning)
	failed   = concluded(verify.Error)
	peer     = verify.Outcome{Err: &verify.Trouble{Code: "dns.servfail"}}
	ours     = verify.Outcome{Err: &verify.Trouble{Code: "fetch.no-network", Ours: true}}
	wrapped  = verify.Outcome{Err: fmt.Errorf("look: %w", &verify.Trouble{Code: "dns.timeout"})}
	anything = verify.Outcome{Err: errors.New("disk full")}
	ended    = verify.Outcome{Err: context.Canceled}
)

func concluded(s verify.Severity) verify.Outcome {
	return verify.Outcome{Raw: "new", Result: verify.Result{Findings: []verify.Finding{{Code: "x.y", Severity: s}}, Facts: []verify.Fact{{Name: "a", Value: "b"}}}}
}

// known is what is known after a conclusion with a verdict, two days ago.
func known(v verify.Verdict) verify.Verification {
	at := now.Add(-2 * day)
	return verify.Verification{Check: "x", Subject: subject, Verdict: v, Since: at, Checked: at, Tried: at, Raw: "old",
		Findings: []verify.Finding{{Code: "x.old", Severity: verify.Warning}}, Facts: []verify.Fact{{Name: "old", Value: "1"}}}
}

// tried is known after n tries in vain, the first of them a time ago.
func tried(v verify.Verification, n int, ago time.Duration) verify.Verification {
	v.Tries, v.Trying, v.Trouble = n, now.Add(-ago), "dns.servfail"
	return v
}

// TestAssess asks for every kind of what was known and every kind of outcome
// what verdict follows, and whether it is a new one.
func TestAssess(t *testing.T) {
	never := verify.Verification{Check: "x", Subject: subject}
	hopeless := tried(known(verify.VerdictInconclusive), 9, 9*day)
	outcomes := []struct {
		name string
		verify.Outcome
	}{{"good", good}, {"warned", warned}, {"failed", failed}, {"peer", peer}, {"wrapped", wrapped}, {"ours", ours}, {"anything", anything}, {"ended", ended}}
	for _, c := range []struct {
		name string
		prev verify.Verification
		want [8]verify.Verdict // for each outcome above
	}{
		{"never tried", never, [8]verify.Verdict{"ok", "warning", "error", "inconclusive", "inconclusive", "inconclusive", "inconclusive", "inconclusive"}},
		{"ok", known("ok"), [8]verify.Verdict{"ok", "warning", "error", "ok", "ok", "ok", "ok", "ok"}},
		{"warning", known("warning"), [8]verify.Verdict{"ok", "warning", "error", "warning", "warning", "warning", "warning", "warning"}},
		{"error", known("error"), [8]verify.Verdict{"ok", "warning", "error", "error", "error", "error", "error", "error"}},
		{"ok, second try a day ago", tried(known("ok"), 1, 2*day), [8]verify.Verdict{"ok", "warning", "error", "ok", "ok", "ok", "ok", "ok"}},
		{"ok, third try too soon", tried(known("ok"), 2, day-time.Second), [8]verify.Verdict{"ok", "warning", "error", "ok", "ok", "ok", "ok", "ok"}},
		{"ok, third try after a day", tried(known("ok"), 2, day), [8]verify.Verdict{"ok", "warning", "error", "inconclusive", "inconclusive", "ok", "ok", "ok"}},
		{"error, many tries after a day", tried(known("error"), 7, 2*day), [8]verify.Verdict{"ok", "warning", "error", "inconclusive", "inconclusive", "error", "error", "error"}},
		{"given up", hopeless, [8]verify.Verdict{"ok", "warning", "error", "inconclusive", "inconclusive", "inconclusive", "inconclusive", "inconclusive"}},
	} {
		for i, o := range outcomes {
			t.Run(c.name+"/"+o.name, func(t *testing.T) {
				got := verify.Assess(c.prev, o.Outcome, day, now)
				if got.Verdict != c.want[i] {
					t.Fatalf("verdict = %s, want %s", got.Verdict, c.want[i])
				}
				checkAssessed(t, c.prev, o.Outcome, got)
			})
		}
	}
}

// checkAssessed holds a verification against what is true of all of them.
func checkAssessed(t *testing.T, prev verify.Verification, o verify.Outcome, got verify.Verification) {
	t.Helper()
	was := prev.Verdict
	since := prev.Since
	if got.Verdict != was {
		since = now
	}
	if !got.Since.Equal(since) || !got.Tried.Equal(now) {
		t.Errorf("since %s, tried %s; want %s, %s", got.Since, got.Tried, since, now)
	}
	if o.Err == nil {
		var facts []verify.Fact
		for _, f := range o.Result.Facts {
			if !prev.Checked.IsZero() {
				f.Since = now // none of them was there
			}
			facts = append(facts, f)
		}
		want := verify.Verification{Check: "x", Subject: subject, Verdict: got.Verdict, Findings: o.Result.Findings, Facts: facts,
			Since: since, Checked: now, Tried: now, Raw: "new", Due: got.Due}
		if d := cmp.Diff(got, want); d != "" {
			t.Errorf("a conclusion leaves nothing of the troubles before it (-got +want):\n%s", d)
		}
		if got.Due.Before(now.Add(day*4/5)) || got.Due.After(now.Add(day)) {
			t.Errorf("due %s after now, want four fifths of a day to a day", got.Due.Sub(now))
		}
		return
	}
	if !got.Checked.Equal(prev.Checked) || got.Raw != prev.Raw || !cmp.Equal(got.Facts, prev.Facts) {
		t.Errorf("trouble changed what was concluded: %+v", got)
	}
	if got.Verdict == was && !cmp.Equal(got.Findings, prev.Findings) {
		t.Errorf("trouble changed the findings: %+v", got.Findings)
	}
	if got.Trouble == "" || got.Due.Before(now.Add(12*time.Minute)) || got.Due.After(now.Add(12*time.Hour)) {
		t.Errorf("trouble %q, due %s after now; want a code, and 12 minutes to 12 hours", got.Trouble, got.Due.Sub(now))
	}
}

// TestAssessBackOff: 15 minutes, then twice as long each time, up to 12 hours,
// whoever is to blame.
func TestAssessBackOff(t *testing.T) {
	for _, o := range []verify.Outcome{peer, ours} {
		v := known(verify.VerdictOK)
		for i, want := range []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour, 12 * time.Hour} {
			v = verify.Assess(v, o, day, now)
			if wait := v.Due.Sub(now); wait > want || wait < want*4/5 {
				t.Errorf("after try %d (%v) the next is in %s, want four fifths of %s to all of it", i+1, o.Err, wait, want)
			}
		}
	}
	v := verify.Assess(known(verify.VerdictOK), verify.Outcome{Err: &verify.Trouble{Code: "fetch.status-429", Retry: 3 * time.Hour}}, day, now)
	if got := v.Due.Sub(now); got != 3*time.Hour {
		t.Errorf("a peer that asks for three hours gets %s", got)
	}
	v = verify.Assess(v, verify.Outcome{Err: &verify.Trouble{Code: "fetch.status-429", Retry: 9999 * time.Hour}}, day, now)
	if got := v.Due.Sub(now); got != day {
		t.Errorf("a peer that asks for a year gets %s, want a day", got)
	}
}

// TestAssessSpread: what is checked at one time is not due at one time.
func TestAssessSpread(t *testing.T) {
	due := map[time.Time]bool{}
	for i := range 200 {
		v := verify.Verification{Check: "x", Subject: verify.Subject{Kind: verify.SubjectDomain, ID: fmt.Sprintf("d%d.example.org", i)}}
		due[verify.Assess(v, good, day, now).Due] = true
	}
	if len(due) < 150 {
		t.Errorf("200 subjects are due at %d different times", len(due))
	}
}

func TestAssessUntil(t *testing.T) {
	for _, c := range []struct {
		name        string
		until, want time.Duration // from now; want 0: as without
	}{
		{"none", -now.Sub(time.Time{}), 0},
		{"past", -time.Hour, 0},
		{"now", 0, 0},
		{"before the check is due", 5 * time.Hour, 5*time.Hour + time.Second},
		{"a moment away, as a peer would that wants us to run in circles", time.Second, 15 * time.Minute},
		{"after the check is due", 3 * day, 0},
	} {
		o := good
		o.Result.Until = now.Add(c.until)
		got := verify.Assess(known(verify.VerdictOK), o, day, now).Due.Sub(now)
		if c.want == 0 {
			c.want = verify.Assess(known(verify.VerdictOK), good, day, now).Due.Sub(now)
		}
		if got != c.want {
			t.Errorf("%s: due in %s, want %s", c.name, got, c.want)
		}
	}
}

// TestAssessClockSteps runs a peer that is out of reach through steps of the
// clock at every place: patience ends neither much too soon nor never.
func TestAssessClockSteps(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, time.Hour, -365 * day, 0} {
		for at := range 9 {
			v, clock, passed := known(verify.VerdictOK), now, time.Duration(0)
			for try := range 12 {
				if try == at {
					clock = clock.Add(step)
				}
				v = verify.Assess(v, peer, day, clock)
				wait := v.Due.Sub(clock)
				if wait <= 0 || wait > 12*time.Hour {
					t.Fatalf("step %s at try %d: the next try is in %s", step, at, wait)
				}
				if v.Verdict == verify.VerdictInconclusive {
					break
				}
				clock, passed = v.Due, passed+wait
			}
			if v.Verdict != verify.VerdictInconclusive {
				t.Errorf("step %s at try %d: still %s after 12 tries", step, at, v.Verdict)
			}
			if passed < verify.PatientFor-max(step, 0) || v.Tries < verify.PatientTries {
				t.Errorf("step %s at try %d: patience ended after %s and %d tries", step, at, passed, v.Tries)
			}
		}
	}
}

// TestAssessAfterAWrongClock: what was dated by a clock that was a year ahead
// makes nobody wait for a year.
func TestAssessAfterAWrongClock(t *testing.T) {
	wrong := verify.Assess(known(verify.VerdictOK), peer, day, now.AddDate(1, 0, 0))
	v := wrong
	clock := now
	for range 8 {
		v = verify.Assess(v, peer, day, clock)
		clock = v.Due
	}
	if v.Verdict != verify.VerdictInconclusive || clock.Sub(now) > 5*day {
		t.Errorf("verdict %s after %s", v.Verdict, clock.Sub(now))
	}
	v = verify.Assess(verify.Assess(known(verify.VerdictOK), good, day, now.AddDate(1, 0, 0)), good, day, now)
	if !v.Checked.Equal(now) || v.Due.After(now.Add(day)) {
		t.Errorf("checked %s, due %s after a step back; want now and within a day", v.Checked, v.Due)
	}
}

// TestAssessDST: an interval is hours that pass, whatever zone the machine is
// in and whatever its clocks on the wall do (RFC 3339 section 4.4).
func TestAssessDST(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []time.Time{time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)} {
		for _, o := range []verify.Outcome{good, peer, ours} {
			utc, local := verify.Assess(known("ok"), o, day, before), verify.Assess(known("ok"), o, day, before.In(vienna))
			if !utc.Due.Equal(local.Due) {
				t.Errorf("at %s due %s in UTC and %s in Vienna", before, utc.Due, local.Due.UTC())
			}
		}
	}
}

// TestAssessIsPure: nothing that goes in is changed.
func TestAssessIsPure(t *testing.T) {
	prev, again := known(verify.VerdictOK), known(verify.VerdictOK)
	for _, o := range []verify.Outcome{failed, peer, ours} {
		a, b := verify.Assess(prev, o, day, now), verify.Assess(prev, o, day, now)
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("equal arguments, different answers:\n%s", d)
		}
		if d := cmp.Diff(prev, again); d != "" {
			t.Errorf("the argument was changed:\n%s", d)
		}
	}
}

func TestVerdictOf(t *testing.T) {
	for _, c := range []struct {
		severities []verify.Severity
		want       verify.Verdict
	}{
		{nil, "ok"},
		{[]verify.Severity{verify.Notification, verify.Info, verify.Recommendation}, "ok"},
		{[]verify.Severity{verify.Recommendation, verify.Warning}, "warning"},
		{[]verify.Severity{verify.Warning, verify.Error, verify.Info}, "error"},
		{[]verify.Severity{"unheard of"}, "ok"},
	} {
		var list []verify.Finding
		for _, s := range c.severities {
			list = append(list, verify.Finding{Severity: s})
		}
		if got := verify.VerdictOf(list); got != c.want {
			t.Errorf("VerdictOf(%v) = %s, want %s", c.severities, got, c.want)
		}
	}
}

// TestFactsAreDated: a fact is as old as it is known to be. What was there at the
// first look may have been there for years; what came later has the day.
func TestFactsAreDated(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	conclude := func(prev verify.Verification, at time.Time, values ...string) verify.Verification {
		var facts []verify.Fact
		for _, v := range values {
			facts = append(facts, verify.Fact{Name: "contact", Value: v})
		}
		return verify.Assess(prev, verify.Outcome{Result: verify.Result{Facts: facts}}, 24*time.Hour, at)
	}
	v := conclude(verify.Verification{}, day(1), "a", "b")
	v = conclude(v, day(2), "b", "c")
	v = verify.Assess(v, verify.Outcome{Err: &verify.Trouble{Code: verify.DNSTimeout}}, 24*time.Hour, day(3))
	v = conclude(v, day(4), "c", "b", "a")
	want := []verify.Fact{{Name: "contact", Value: "c", Since: day(2)}, {Name: "contact", Value: "b"}, {Name: "contact", Value: "a", Since: day(4)}}
	if !slices.Equal(v.Facts, want) {
		t.Errorf("facts = %v, want %v", v.Facts, want)
	}
}

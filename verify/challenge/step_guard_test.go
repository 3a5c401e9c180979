package challenge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// sent returns a challenge of kind that the relay took on monday.
func sent(kind challenge.Kind, p challenge.Policy) challenge.Challenge {
	c, _ := run(scheduledAt(kind), p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0))
	return c
}

// TestNothingHappens holds single guards: each event leaves its challenge as it
// is, and has no effect.
func TestNothingHappens(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	change := func(c challenge.Challenge, f func(*challenge.Challenge)) challenge.Challenge { f(&c); return c }
	locked := sent(challenge.KindCode, p)
	for i := range challenge.MaxAttempts {
		locked, _ = run(locked, p, at(challenge.EventCodeWrong, float64(i)/10))
	}
	typed, _ := run(sent(challenge.KindBoth, p), p, at(challenge.EventCodeRight, 1))
	busy, _ := run(sent(challenge.KindPhone, p), p, with(at(challenge.EventCall, 1), func(e *challenge.Event) { e.Call = &challenge.Call{Operator: "ann", Number: "+43"} }))
	tests := []struct {
		name string
		c    challenge.Challenge
		e    challenge.Event
	}{
		{"due too early", scheduledAt(challenge.KindCode), at(challenge.EventDue, -0.1)},
		{"settled too early", sent(challenge.KindCode, p), at(challenge.EventSettled, 47.9)},
		{"reminded too early", sent(challenge.KindCode, p), at(challenge.EventReminder, 23.9)},
		{"a deadline too early", sent(challenge.KindCode, p), at(challenge.EventDeadline, 239.9)},
		{"the right code after five wrong ones", locked, at(challenge.EventCodeRight, 2)},
		{"a code for the second time", typed, at(challenge.EventCodeRight, 2)},
		{"a key where none was expected", change(sent(challenge.KindCode, p), func(c *challenge.Challenge) { c.Key = "" }), with(at(challenge.EventCodeRight, 1), func(e *challenge.Event) { e.Step = "gone" })},
		{"one click where none is offered", sent(challenge.KindCode, p), at(challenge.EventConfirmed, 1)},
		{"the approval of a call that reached nobody", busy, with(at(challenge.EventCallApproved, 2), func(e *challenge.Event) { e.Operator = "bob" })},
		{"a call without a number", sent(challenge.KindPhone, p), with(at(challenge.EventCall, 1), func(e *challenge.Event) { e.Call = &challenge.Call{Operator: "ann"} })},
		{"a mail that nobody asked for is accepted", sent(challenge.KindCode, p), with(at(challenge.EventAccepted, 1), func(e *challenge.Event) { e.Step = "reminder-3" })},
		{"a new code while the old one works", sent(challenge.KindCode, p), at(challenge.EventCodeAsked, 1)},
	}
	for _, tt := range tests {
		if after, out := challenge.Step(tt.c, tt.e, tt.e.At, p); !cmp.Equal(tt.c, after) || len(out) > 0 {
			t.Errorf("%s: %v\n%s", tt.name, out, cmp.Diff(tt.c, after))
		}
	}
}

// TestNoKeyProvesNothing: an empty fingerprint is nobody's, also on both sides.
func TestNoKeyProvesNothing(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := sent(challenge.KindCode, p)
	c.Key = ""
	e := with(at(challenge.EventProof, 1), func(e *challenge.Event) { e.By = challenge.ProofBoth })
	if c, out := challenge.Step(c, e, e.At, p); c.Reached != 0 || c.State != challenge.StateDelivered {
		t.Errorf("a proof by no key, where none was expected: level %d, %v", c.Reached, out)
	}
}

// TestOneMailForAStep: a step that has had its mail gets no second, however the
// challenge came to stand where it stands.
func TestOneMailForAStep(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := scheduledAt(challenge.KindCode)
	c.Postings = []challenge.Posting{{Step: challenge.StepFirst, Asked: monday}}
	for _, e := range second(challenge.Step(c, at(challenge.EventDue, 0), monday, p)) {
		if m, ok := e.(challenge.Mail); ok {
			t.Errorf("a second mail: %s", m.Key)
		}
	}
}

func second(_ challenge.Challenge, out []challenge.Effect) []challenge.Effect { return out }

// TestClock: the first mail starts it, a reminder does not, the mail after a
// bounce does so again, and no clock that is ahead moves it.
func TestClock(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	reminder := with(at(challenge.EventAccepted, 25), func(e *challenge.Event) { e.Step = "reminder-1" })
	c, _ := run(sent(challenge.KindCode, p), p, at(challenge.EventReminder, 24), reminder)
	if !c.Accepted.Equal(monday) || c.Posting("reminder-1").Accepted.IsZero() {
		t.Errorf("after a reminder the clock began at %v", c.Accepted)
	}
	c, _ = run(sent(challenge.KindCode, p), p, at(challenge.EventBounced, 1), at(challenge.EventResend, 25))
	if kind, next := c.Next(p); !next.IsZero() || c.State != challenge.StateSent {
		t.Errorf("before the relay took the second mail: %s at %v in %s", kind, next, c.State)
	}
	c, _ = run(c, p, with(at(challenge.EventAccepted, 26), func(e *challenge.Event) { e.Step = challenge.StepAgain }))
	if want := monday.Add(26 * time.Hour); !c.Accepted.Equal(want) {
		t.Errorf("after a bounce the clock began at %v, want %v", c.Accepted, want)
	}
	ahead := at(challenge.EventCodeRight, 1000)
	if c, _ = challenge.Step(c, ahead, monday.Add(30*time.Hour), p); !c.Answered.Equal(monday.Add(30 * time.Hour)) {
		t.Errorf("an answer of the future is kept as %v", c.Answered)
	}
}

// TestPauseBeforeTheClock: only what was taken from the time to answer is given back.
func TestPauseBeforeTheClock(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c, _ := run(scheduledAt(challenge.KindCode), p, at(challenge.EventDue, 0), at(challenge.EventPaused, 1), at(challenge.EventAccepted, 5), at(challenge.EventResumed, 7))
	if c.Held != 2*time.Hour {
		t.Errorf("held for %v, want the two hours since the relay took the mail", c.Held)
	}
}

// TestBothCountsTheSecond: what is asked for both ways is answered when the second way is shown.
func TestBothCountsTheSecond(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	var events []challenge.Event
	for i, by := range []challenge.ProofBy{challenge.ProofNonce, challenge.ProofSigned} {
		events = append(events, with(at(challenge.EventProof, float64(1+i)), func(e *challenge.Event) { e.By, e.Key = by, fingerprint }))
	}
	c, _ := run(sent(challenge.KindBoth, p), p, events...)
	if !c.Answered.Equal(monday.Add(2*time.Hour)) || !c.Proof.Equal(monday.Add(time.Hour)) {
		t.Errorf("answered at %v, the first proof at %v", c.Answered, c.Proof)
	}
}

// TestImportIsNobodysSpeed: the result of another registrar is no time to an answer of ours.
func TestImportIsNobodysSpeed(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c, _ := run(sent(challenge.KindCode, p), p, whole(challenge.EventImported, monday.Add(time.Hour)))
	if c.State != challenge.StateAnswered || !c.Proof.IsZero() || !c.Human.IsZero() {
		t.Errorf("an import: %s, proof at %v, person at %v", c.State, c.Proof, c.Human)
	}
}

// TestGuessing: who has a link and guesses costs a contact no more mails than it may get.
func TestGuessing(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c, n, mails, cases := sent(challenge.KindCode, p), 0.0, 1, 0
	for range 10 {
		for i := range c.Postings {
			for range challenge.MaxAttempts {
				n++
				c, _ = run(c, p, with(at(challenge.EventCodeWrong, n/100), func(e *challenge.Event) { e.Step = c.Postings[i].Step }))
			}
		}
		n++
		var out []challenge.Effect
		c, out = run(c, p, at(challenge.EventCodeAsked, n/100))
		for _, e := range out {
			switch e.(type) {
			case challenge.Mail:
				mails++
			case challenge.Case:
				cases++
			}
		}
	}
	if mails != 4 || cases == 0 {
		t.Errorf("guessing cost %d mails and opened %d cases, want 4 and some", mails, cases)
	}
}

// TestAfterALongStop: when nobody drove the machine for days, what is overdue
// does not go out at once.
func TestAfterALongStop(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := sent(challenge.KindCode, p)
	now := monday.AddDate(0, 0, 4)
	var mails []string
	for range 10 {
		kind, due := c.Next(p)
		if due.After(now) {
			break
		}
		var out []challenge.Effect
		c, out = challenge.Step(c, challenge.Event{Kind: kind}, now, p)
		for _, e := range out {
			if m, ok := e.(challenge.Mail); ok {
				mails = append(mails, m.Step)
			}
		}
	}
	if fmt.Sprint(mails) != "[reminder-1]" {
		t.Errorf("after four days at once: %v, want one reminder", mails)
	}
}

// TestNoReminderAfterTheWindow: moved to working time, a reminder may come too late to be one.
func TestNoReminderAfterTheWindow(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := sent(challenge.KindCode, p)
	c.Calendar.Holidays = allDays(2026, 2027)[:72] // until 13 March
	for range 5 {
		kind, due := c.Next(p)
		if kind == challenge.EventReminder {
			t.Fatalf("a reminder at %v, after the window", due)
		}
		c, _ = challenge.Step(c, challenge.Event{Kind: kind}, due, p)
		if c, out := challenge.Step(c, challenge.Event{Kind: challenge.EventReminder}, monday.AddDate(0, 0, 20), p); c.State == challenge.StateReminded {
			t.Fatalf("reminded after the window: %v", out)
		}
	}
	if c.State != challenge.StateEscalated {
		t.Errorf("ends %s", c.State)
	}
}

// TestAnswerBy: a mail names the end of the window, not the later moment from which no answer
// counts; a drill's is hours away.
func TestAnswerBy(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	end := monday.AddDate(0, 0, 30)
	planned, drill := scheduledAt(challenge.KindCode), scheduledAt(challenge.KindDrill)
	drill.Calendar.Hours.Always = true
	held := sent(challenge.KindCode, p)
	held.Held = 24 * time.Hour
	friday, waited := monday.AddDate(0, 0, 4).Add(2*time.Hour), scheduledAt(challenge.KindDrill)
	waited.Calendar.Hours, waited.State, waited.Sent, waited.Held = hours(t, "Mon-Fri 08:00-13:00"), challenge.StateSent, friday, 24*time.Hour
	for _, tt := range []struct {
		name  string
		c     challenge.Challenge
		asked time.Time
		end   time.Time
		want  time.Time
	}{
		{"the first mail", planned, monday, end, monday.AddDate(0, 0, 10)},
		{"a reminder has the time of the first mail", sent(challenge.KindCode, p), monday.AddDate(0, 0, 4), end, monday.AddDate(0, 0, 10)},
		{"time for which it stood still is added", held, monday, end, monday.AddDate(0, 0, 11)},
		{"a campaign that ends sooner", planned, monday, monday.AddDate(0, 0, 3), monday.AddDate(0, 0, 3)},
		{"a new code after the window", sent(challenge.KindCode, p), monday.AddDate(0, 0, 12), end, end},
		{"a drill", drill, monday, end, monday.Add(2 * time.Hour)},
		{"a drill whose mail was held back over a weekend", waited, friday.AddDate(0, 0, 1), end, friday.AddDate(0, 0, 3).Add(-2 * time.Hour)},
	} {
		if got := tt.c.AnswerBy(p, tt.asked, tt.end); !got.Equal(tt.want) {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestDrillInTime: a drill is answered in time until the moment that its mails name, however long
// it stood still before or after the relay took the first one.
func TestDrillInTime(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	day := 24.0
	due, accepted := at(challenge.EventDue, 0), at(challenge.EventAccepted, 0)
	for name, events := range map[string][]challenge.Event{
		"never paused":                        {due, accepted},
		"paused for a day":                    {due, accepted, at(challenge.EventPaused, 0.1), at(challenge.EventResumed, day)},
		"paused twice":                        {due, accepted, at(challenge.EventPaused, 0.1), at(challenge.EventResumed, day), at(challenge.EventPaused, day+0.1), at(challenge.EventResumed, 2*day)},
		"paused before the mail was accepted": {due, at(challenge.EventPaused, 0.1), at(challenge.EventResumed, day)},
		"held back, and accepted at once":     {due, at(challenge.EventPaused, 0.1), at(challenge.EventResumed, day), at(challenge.EventAccepted, day)},
	} {
		planned := scheduledAt(challenge.KindDrill)
		planned.Calendar.Hours = hours(t, "Mon-Fri 08:00-17:00")
		c, _ := run(planned, p, events...)
		by := c.AnswerBy(p, c.Postings[0].Asked, monday.AddDate(0, 0, 30))
		for late, want := range map[time.Duration]directory.Level{-time.Hour: directory.Drilled, 0: directory.Drilled, time.Second: directory.Answered} {
			if got, _ := challenge.Step(c, challenge.Event{Kind: challenge.EventCodeRight}, by.Add(late), p); got.Reached != want {
				t.Errorf("%s: an answer at %s, to be there by %s, is level %d, want %d", name, by.Add(late), by, got.Reached, want)
			}
		}
	}
}

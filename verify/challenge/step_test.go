package challenge_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// with changes an event.
func with(e challenge.Event, f func(*challenge.Event)) challenge.Event {
	f(&e)
	return e
}

// TestLives walks through lives whose end a table of single steps does not show.
func TestLives(t *testing.T) {
	due, accepted := at(challenge.EventDue, 0), at(challenge.EventAccepted, 0)
	proof := func(by challenge.ProofBy, hours float64) challenge.Event {
		return with(at(challenge.EventProof, hours), func(e *challenge.Event) { e.By, e.Key = by, fingerprint })
	}
	call := func(hours float64, unannounced bool) challenge.Event {
		return with(at(challenge.EventCall, hours), func(e *challenge.Event) {
			e.Call = &challenge.Call{Operator: "ann", Number: "+4315550100", At: e.At, Reached: true, Unannounced: unannounced}
		})
	}
	approve := func(hours float64, operator string) challenge.Event {
		return with(at(challenge.EventCallApproved, hours), func(e *challenge.Event) { e.Operator = operator })
	}
	bounce := func(step string, hours float64) challenge.Event {
		return with(at(challenge.EventBounced, hours), func(e *challenge.Event) { e.Step, e.Status = step, "5.1.1" })
	}
	tests := []struct {
		name   string
		kind   challenge.Kind
		hours  string
		events []challenge.Event
		state  challenge.State
		level  directory.Level
		last   string // the effects of the last event
	}{
		{"both ways in two replies", challenge.KindBoth, "", []challenge.Event{due, accepted, proof(challenge.ProofNonce, 1), proof(challenge.ProofSigned, 2)}, challenge.StateAnswered, 3, "record:3:challenge.signed"},
		{"one way of two", challenge.KindBoth, "", []challenge.Event{due, accepted, proof(challenge.ProofNonce, 1)}, challenge.StateSent, 3, "record:3:challenge.nonce"},
		{"a typed code where a key is asked for", challenge.KindSigned, "", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 1)}, challenge.StateSent, 2, "record:2:challenge.code"},
		{"the code of the encrypted part, without a word about the key", challenge.KindNonce, "", []challenge.Event{due, accepted, with(at(challenge.EventCodeRight, 1), func(e *challenge.Event) { e.Sealed = true })}, challenge.StateSent, 2, "record:2:challenge.code"},
		{"the code of the encrypted part", challenge.KindNonce, "", []challenge.Event{due, accepted, with(at(challenge.EventCodeRight, 1), func(e *challenge.Event) { e.Sealed, e.Key = true, fingerprint })}, challenge.StateAnswered, 3, "record:3:challenge.nonce"},
		{"a reply by another key", challenge.KindSigned, "", []challenge.Event{due, accepted, with(proof(challenge.ProofSigned, 1), func(e *challenge.Event) { e.Key = "FFFF" })}, challenge.StateDelivered, 0, "case:other-key"},
		{"a reply of which nobody says what it proves", challenge.KindSigned, "", []challenge.Event{due, accepted, proof("", 1)}, challenge.StateSent, 0, ""},
		{"an answer from before the question", challenge.KindCode, "", []challenge.Event{due, accepted, with(proof(challenge.ProofBoth, 1), func(e *challenge.Event) { e.At = monday.AddDate(-1, 0, 0) })}, challenge.StateSent, 0, ""},
		{"a drill in time", challenge.KindDrill, "Mon-Fri 08:00-17:00", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 1.9)}, challenge.StateAnswered, 4, "record:4:challenge.drill"},
		{"a drill too late", challenge.KindDrill, "Mon-Fri 08:00-17:00", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 2.1)}, challenge.StateAnswered, 2, "record:2:challenge.code"},
		{"a drill answered by a program in time", challenge.KindDrill, "Mon-Fri 08:00-17:00", []challenge.Event{due, accepted, with(proof(challenge.ProofSigned, 1), func(e *challenge.Event) { e.Quoted = true })}, challenge.StateAnswered, 3, "record:3:challenge.signed"},
		{"a drill in the evening, answered in the morning", challenge.KindDrill, "Mon-Fri 08:00-11:00", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 22.9)}, challenge.StateAnswered, 4, "record:4:challenge.drill"},
		{"automation", challenge.KindWebhook, "", []challenge.Event{due, accepted, at(challenge.EventWebhook, 1)}, challenge.StateAnswered, 2, "record:2:challenge.webhook"},
		{"automation answers no question by mail", challenge.KindWebhook, "", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 1), proof(challenge.ProofBoth, 1)}, challenge.StateSent, 0, ""},
		{"a call", challenge.KindPhone, "", []challenge.Event{due, call(1, true), approve(2, "bob")}, challenge.StateAnswered, 2, "record:2:challenge.phone"},
		{"a call without notice in promised hours", challenge.KindPhone, "24x7", []challenge.Event{due, call(1, true), approve(2, "bob")}, challenge.StateAnswered, 4, "record:4:challenge.phone"},
		{"a call with notice in promised hours", challenge.KindPhone, "24x7", []challenge.Event{due, call(1, false), approve(2, "bob")}, challenge.StateAnswered, 2, "record:2:challenge.phone"},
		{"a call without notice outside of them", challenge.KindPhone, "Tue 08:00-17:00", []challenge.Event{due, call(1, true), approve(2, "bob")}, challenge.StateAnswered, 2, "record:2:challenge.phone"},
		{"a call that its own operator approves", challenge.KindPhone, "", []challenge.Event{due, call(1, false), approve(2, "ann")}, challenge.StateSent, 0, ""},
		{"an approval by nobody", challenge.KindPhone, "", []challenge.Event{due, call(1, false), approve(2, "")}, challenge.StateSent, 0, ""},
		{"a call that was rejected", challenge.KindPhone, "", []challenge.Event{due, call(1, false), with(at(challenge.EventCallRejected, 2), func(e *challenge.Event) { e.Operator = "bob" }), approve(3, "bob")}, challenge.StateSent, 0, ""},
		{"an import without a source", challenge.KindImported, "", []challenge.Event{due, with(at(challenge.EventImported, 1), func(e *challenge.Event) { e.Level = 3 })}, challenge.StateSent, 0, ""},
		{"an import of a level that does not exist", challenge.KindImported, "", []challenge.Event{due, with(at(challenge.EventImported, 1), func(e *challenge.Event) { e.Level, e.Source = 5, "x" })}, challenge.StateSent, 0, ""},
		{"two bounces on one day", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventReminder, 5), bounce("first", 1), bounce("reminder-1", 6)}, challenge.StateBounced, 0, ""},
		{"one bounce reported on two days", challenge.KindCode, "", []challenge.Event{due, accepted, bounce("first", 1), bounce("first", 25)}, challenge.StateBounced, 0, ""},
		{"two bounces on two days", challenge.KindCode, "", []challenge.Event{due, accepted, bounce("first", 1), at(challenge.EventResend, 25), bounce("again", 26)}, challenge.StateEscalated, 0, "record:1:challenge.bounced flag:undeliverable flag:unanswered escalate:next-contact"},
		{"two bounces while paused: nobody else is told", challenge.KindCode, "", []challenge.Event{due, accepted, bounce("first", 1), at(challenge.EventResend, 25), at(challenge.EventPaused, 25.5), bounce("again", 26)}, challenge.StateBounced, 0, "record:1:challenge.bounced flag:undeliverable"},
		{"an answer after two bounces takes the flag off", challenge.KindCode, "", []challenge.Event{due, accepted, bounce("first", 1), at(challenge.EventResend, 25), bounce("again", 26), at(challenge.EventCodeRight, 30)}, challenge.StateAnswered, 2, "record:2:challenge.code flag:none"},
		{"less than was asked for, and nothing more until the end", challenge.KindSigned, "", []challenge.Event{due, accepted, at(challenge.EventCodeRight, 1), at(challenge.EventDeadline, 24*10)}, challenge.StateExpired, 2, ""},
		{"an answer on the last day", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventDeadline, 24*10), at(challenge.EventDeadline, 24*10.1), at(challenge.EventDeadline, 24*15), at(challenge.EventDeadline, 24*21), at(challenge.EventCodeRight, 24*29)}, challenge.StateAnswered, 2, "record:2:challenge.code flag:none"},
		{"who asks to be called is not reminded", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventPleaseCall, 1), at(challenge.EventReminder, 26)}, challenge.StateSent, 0, ""},
		{"nor reported to the next contact", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventPleaseCall, 1), at(challenge.EventDeadline, 24*10), at(challenge.EventDeadline, 24*10.1)}, challenge.StateEscalated, 0, ""},
		{"our own relay refuses us", challenge.KindCode, "", []challenge.Event{due, at(challenge.EventUnsendable, 1)}, challenge.StateClosed, 0, "case:unsendable"},
		{"a reminder that we can't send", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventReminder, 26), with(at(challenge.EventUnsendable, 27), func(e *challenge.Event) { e.Step = "reminder-1" })}, challenge.StateReminded, 0, "case:unsendable"},
		{"after an opt-out no reminder", challenge.KindCode, "", []challenge.Event{due, accepted, at(challenge.EventOptOut, 1), at(challenge.EventReminder, 26), at(challenge.EventDeadline, 24*40)}, challenge.StateSent, 0, ""},
		{"an event of a clock that is ahead", challenge.KindCode, "", []challenge.Event{due, accepted, with(at(challenge.EventCodeRight, 1), func(e *challenge.Event) { e.Step = "first" })}, challenge.StateAnswered, 2, "record:2:challenge.code"},
		{"an event that nobody knows", challenge.KindCode, "", []challenge.Event{due, accepted, at("riddle", 1)}, challenge.StateSent, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := preset(t, challenge.PresetReactionTest)
			c := scheduledAt(tt.kind)
			c.Calendar.Hours = hours(t, tt.hours)
			var out []challenge.Effect
			for _, e := range tt.events {
				now := later(e.At, c.Sent)
				c, out = challenge.Step(c, e, now, p)
			}
			var words []string
			for _, e := range out {
				if _, ok := e.(challenge.Announce); !ok {
					words = append(words, e.String())
				}
			}
			if got := strings.Join(words, " "); c.State != tt.state || c.Reached != tt.level || got != tt.last {
				t.Errorf("ends %s at level %d with %q, want %s at %d with %q", c.State, c.Reached, got, tt.state, tt.level, tt.last)
			}
		})
	}
}

// TestOlderBounce: a bounce of an earlier question and one of this one are two.
func TestOlderBounce(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := scheduledAt(challenge.KindCode)
	c.Bounces = []challenge.Bounce{{Step: "older", At: monday.AddDate(0, -4, 0)}}
	c, out := run(c, p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0), at(challenge.EventBounced, 1))
	if c.State != challenge.StateEscalated || !slices.Contains(out, challenge.Effect(challenge.Flag{Flag: challenge.FlagUndeliverable})) {
		t.Errorf("after the second bounce in four months: %s, %v", c.State, out)
	}
}

// TestOldBouncesAlone: two bounces of earlier questions are none of this one, and two on the two
// sides of midnight are one trouble.
func TestOldBouncesAlone(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	c := scheduledAt(challenge.KindCode)
	c.Bounces = []challenge.Bounce{{Step: "older", At: monday.AddDate(0, -1, 0)}, {Step: "older", At: monday.AddDate(0, -1, 1)}}
	c, _ = run(c, p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0))
	for kind, due := c.Next(p); kind != ""; kind, due = c.Next(p) {
		c, _ = challenge.Step(c, challenge.Event{Kind: kind}, due, p)
	}
	if c.Outcome != challenge.OutcomeUnanswered {
		t.Errorf("silence is %s", c.Outcome)
	}
	midnight := monday.Add(24 * time.Hour).Truncate(24 * time.Hour)
	c, _ = run(sent(challenge.KindCode, p), p, challenge.Event{Kind: challenge.EventReminder, At: monday.Add(25 * time.Hour)})
	c.Bounces = []challenge.Bounce{{Step: "first", At: midnight.Add(-time.Minute)}, {Step: "reminder-1", At: midnight.Add(time.Minute)}}
	if c.Undeliverable() {
		t.Error("two bounces within two minutes are an end")
	}
}

// TestEvidence: what is recorded says about whom, by whom, when and until when.
func TestEvidence(t *testing.T) {
	p := preset(t, challenge.PresetReactionTest)
	e := at(challenge.EventProof, 3)
	e.By, e.Key, e.Raw = challenge.ProofBoth, strings.ToLower(fingerprint), "ab12"
	_, out := run(scheduledAt(challenge.KindBoth), p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0), e)
	want := challenge.Record{Level: directory.Proven, Outcome: directory.OutcomeProved, Method: "challenge.both", At: monday.Add(3 * time.Hour),
		Until: time.Date(2026, 8, 2, 13, 0, 0, 0, time.UTC), Raw: "ab12", Key: "c1/challenge.both", Contact: "k1", Revision: 3}
	if !slices.Contains(out, challenge.Effect(want)) {
		t.Errorf("effects = %+v, want %+v", out, want)
	}
	call := whole(challenge.EventCall, monday.Add(time.Hour))
	approved := whole(challenge.EventCallApproved, monday.Add(2*time.Hour))
	_, out = run(scheduledAt(challenge.KindPhone), p, at(challenge.EventDue, 0), call, approved)
	record, ok := out[len(out)-2].(challenge.Record)
	if !ok || record.By != "ann" || record.Note != "+4315550100, approved by bob" || !record.At.Equal(call.At) {
		t.Errorf("the call is recorded as %+v", out)
	}
}

func TestSchedule(t *testing.T) {
	p := preset(t, challenge.PresetHalfYearly)
	p.Holidays = []directory.Date{"2026-12-25"}
	team := &directory.Team{ID: "t1", Profile: directory.Profile{Zone: "Europe/Vienna", Country: "AT", Hours: hours(t, "24x7")}}
	contact := &directory.Contact{ID: "k1", Revision: 7, Channel: "email", Value: "cert@example.org", Hours: hours(t, "Mon-Fri 08:00-17:00")}
	c := challenge.Schedule("c1", team, contact, challenge.KindCode, p, monday)
	if c.State != challenge.StateScheduled || c.Revision != 7 || c.Address != "cert@example.org" || c.Calendar.Always() || len(c.Calendar.Holidays) != 1 || c.Policy != "half-yearly" {
		t.Errorf("Schedule = %+v", c)
	}
}

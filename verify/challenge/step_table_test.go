package challenge_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// monday is a Monday in the middle of a working day, in a zone without summer time.
var monday = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

const fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567"

// preset returns a preset by name.
func preset(t testing.TB, name string) challenge.Policy {
	t.Helper()
	p, ok := challenge.Preset(name)
	if !ok {
		t.Fatalf("no preset %q", name)
	}
	return p
}

// scheduledAt returns a challenge of kind that is due on monday.
func scheduledAt(kind challenge.Kind) challenge.Challenge {
	return challenge.Challenge{ID: "c1", Team: "t1", Contact: "k1", Revision: 3, Channel: "email", Address: "cert@example.org",
		Kind: kind, Policy: challenge.PresetReactionTest, Key: fingerprint, State: challenge.StateScheduled, Due: monday,
		Calendar: challenge.Calendar{Zone: "UTC"}}
}

// run takes steps one after the other and returns all effects.
func run(c challenge.Challenge, p challenge.Policy, events ...challenge.Event) (challenge.Challenge, []challenge.Effect) {
	var all []challenge.Effect
	for _, e := range events {
		var out []challenge.Effect
		c, out = challenge.Step(c, e, e.At, p)
		all = append(all, out...)
	}
	return c, all
}

// at builds an event of kind, hours after monday.
func at(kind challenge.EventKind, hours float64) challenge.Event {
	return challenge.Event{ID: fmt.Sprintf("%s-%g", kind, hours), Kind: kind, At: monday.Add(time.Duration(hours * float64(time.Hour)))}
}

// lives lead to each state.
func lives() map[challenge.State][]challenge.Event {
	sent := []challenge.Event{at(challenge.EventDue, 0), at(challenge.EventAccepted, 0)}
	proof := at(challenge.EventProof, 5)
	proof.By, proof.Key = challenge.ProofBoth, fingerprint
	return map[challenge.State][]challenge.Event{
		challenge.StateScheduled: nil,
		challenge.StateSent:      sent,
		challenge.StateDelivered: append(slices.Clone(sent), at(challenge.EventDeliveredDSN, 1)),
		challenge.StateBounced:   append(slices.Clone(sent), at(challenge.EventBounced, 1)),
		challenge.StateReminded:  append(slices.Clone(sent), at(challenge.EventReminder, 24)),
		challenge.StateExpired:   append(slices.Clone(sent), at(challenge.EventDeadline, 240)),
		challenge.StateEscalated: append(slices.Clone(sent), at(challenge.EventDeadline, 240), at(challenge.EventDeadline, 241)),
		challenge.StateAnswered:  append(slices.Clone(sent), proof),
		challenge.StateClosed:    append(slices.Clone(sent), at(challenge.EventStopped, 5)),
	}
}

// whole returns an event of kind with all that it needs to mean something. Two
// kinds need something to have happened before, which before returns.
func whole(kind challenge.EventKind, now time.Time) challenge.Event {
	e := challenge.Event{ID: "x-" + string(kind), Kind: kind, At: now}
	switch kind {
	case challenge.EventProof:
		e.By, e.Key = challenge.ProofBoth, fingerprint
	case challenge.EventCall:
		e.Call = &challenge.Call{Operator: "ann", Number: "+4315550100", At: now, Reached: true}
	case challenge.EventCallApproved, challenge.EventCallRejected, challenge.EventUnreachable:
		e.Operator = "bob"
	case challenge.EventImported:
		e.Source, e.Level = "registrar.example", directory.Proven
	case challenge.EventWebhook:
		e.Raw = "00"
	}
	return e
}

func before(kind challenge.EventKind, now time.Time) []challenge.Event {
	switch kind {
	case challenge.EventCallApproved, challenge.EventCallRejected:
		return []challenge.Event{whole(challenge.EventCall, now)}
	case challenge.EventCodeAsked:
		var wrong []challenge.Event
		for i := range 2 * challenge.MaxAttempts {
			e := whole(challenge.EventCodeWrong, now)
			e.ID = fmt.Sprint("wrong-", i)
			if i >= challenge.MaxAttempts {
				e.Step = "reminder-1"
			}
			wrong = append(wrong, e)
		}
		return wrong
	case challenge.EventResumed:
		return []challenge.Event{whole(challenge.EventPaused, now)}
	}
	return nil
}

// cell says what an event does in a state: "=" nothing at all, "+" only facts,
// else the state and the effects.
func cell(c, after challenge.Challenge, out []challenge.Effect) string {
	if cmp.Equal(c, after) && len(out) == 0 {
		return "="
	}
	var words []string
	if after.State != c.State {
		words = append(words, string(after.State))
	}
	for _, e := range out {
		if _, ok := e.(challenge.Announce); !ok {
			words = append(words, e.String())
		}
	}
	if len(words) == 0 {
		return "+"
	}
	return strings.Join(words, " ")
}

// table reads a file of testdata such as transitions.txt: blocks of one event, with a line for
// each state in which it does something. It is written by hand.
func table(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]map[string]string{}
	event := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case !strings.HasPrefix(line, "\t"):
			event = line
			rows[event] = map[string]string{}
		case !ok:
			t.Fatalf("%s: no row: %q", file, line)
		default:
			for _, state := range strings.Fields(strings.ReplaceAll(name, ",", " ")) {
				if _, twice := rows[event][state]; twice {
					t.Fatalf("%s: %s has two rows for %s", file, event, state)
				}
				rows[event][state] = rest
			}
		}
	}
	return rows
}

// TestEveryStateAndEvent holds each pair of a state and an event against the
// table of its kind. A pair without a row fails, and so does a row without a pair.
func TestEveryStateAndEvent(t *testing.T) {
	for kind, file := range map[challenge.Kind]string{challenge.KindCode: "transitions.txt", challenge.KindWebhook: "transitions-webhook.txt"} {
		t.Run(string(kind), func(t *testing.T) { everyPair(t, kind, file) })
	}
}

func everyPair(t *testing.T, of challenge.Kind, file string) {
	p := preset(t, challenge.PresetReactionTest)
	p.Minimum, p.Confirm = directory.Listed, true
	rows, lives := table(t, file), lives()
	if of == challenge.KindWebhook {
		lives[challenge.StateAnswered] = append(slices.Clone(lives[challenge.StateSent]), at(challenge.EventWebhook, 5))
	}
	for _, kind := range challenge.EventKinds() {
		for _, state := range challenge.States() {
			c, _ := run(scheduledAt(of), p, lives[state]...)
			if c.State != state {
				t.Fatalf("the life that leads to %s ends in %s", state, c.State)
			}
			now := monday.Add(6 * time.Hour)
			if len(lives[state]) > 0 {
				now = later(now, lives[state][len(lives[state])-1].At.Add(time.Hour))
			}
			if kind, at := c.Next(p); !at.IsZero() && slices.Contains([]challenge.EventKind{challenge.EventDue}, kind) {
				now = later(now, at)
			}
			c, _ = run(c, p, before(kind, now)...)
			e := whole(kind, timerFor(kind, state, now))
			after, out := challenge.Step(c, e, e.At, p)
			got, want := cell(c, after, out), rows[string(kind)][string(state)]
			if got != want {
				t.Errorf("%s in %s = %q, want %q", kind, state, got, want)
			}
			delete(rows[string(kind)], string(state))
		}
		if len(rows[string(kind)]) > 0 {
			t.Errorf("%s has rows for states that do not exist: %v", kind, rows[string(kind)])
		}
		delete(rows, string(kind))
	}
	if len(rows) > 0 {
		t.Errorf("rows for events that do not exist: %v", rows)
	}
}

// timerFor returns a time at which a timer may fire, other events' now.
func timerFor(kind challenge.EventKind, state challenge.State, now time.Time) time.Time {
	switch kind {
	case challenge.EventSettled:
		return now.AddDate(0, 0, 2)
	case challenge.EventReminder, challenge.EventResend:
		return now.AddDate(0, 0, 3)
	case challenge.EventDeadline:
		if state == challenge.StateEscalated {
			return monday.AddDate(0, 0, 15)
		}
		return now.AddDate(0, 0, 11)
	}
	return now
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

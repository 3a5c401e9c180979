package challenge_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// walk is one random life, with what was asked for in it.
type walk struct {
	*rand.Rand
	c      challenge.Challenge
	p      challenge.Policy
	now    time.Time
	keys   map[string]int // of mails and of evidence
	mails  int
	proofs int // events that may prove something
}

// calendars are those of teams that differ in all that matters.
var calendars = []challenge.Calendar{
	{},
	{Zone: "Europe/Vienna", Hours: directory.Hours{Always: true}},
	{Zone: "America/New_York", Holidays: []directory.Date{"2026-03-03", "2026-03-04"}},
	{Zone: "Asia/Riyadh", Country: "SA"},
	{Zone: "Australia/Lord_Howe", Hours: directory.Hours{Spans: []directory.Span{{Day: time.Monday, From: 1320, To: 360}}}},
}

func newWalk(seed uint64) *walk {
	w := &walk{Rand: rand.New(rand.NewPCG(seed, 6)), now: monday, keys: map[string]int{}}
	w.p = pick(w.Rand, challenge.Presets())
	w.c = scheduledAt(pick(w.Rand, challenge.Kinds()))
	w.c.Calendar = pick(w.Rand, calendars)
	if w.IntN(5) == 0 {
		w.c.Key = ""
	}
	return w
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// event makes up something that may happen; half of the time it is what is due.
func (w *walk) event(n int) challenge.Event {
	kind, at := w.c.Next(w.p)
	if w.IntN(2) == 0 && !at.IsZero() {
		w.now = later(w.now, at)
		return challenge.Event{ID: fmt.Sprint("e", n), Kind: kind, At: w.now}
	}
	w.now = w.now.Add(time.Duration(w.IntN(48*60)) * time.Minute)
	e := whole(pick(w.Rand, challenge.EventKinds()), w.now)
	e.ID = fmt.Sprint("e", n)
	e.Step = pick(w.Rand, []string{"", "first", "again", "reminder-1", "reminder-2", "code-1", "nonsense"})
	e.By = pick(w.Rand, []challenge.ProofBy{"", challenge.ProofNonce, challenge.ProofSigned, challenge.ProofBoth})
	e.Key = pick(w.Rand, []string{"", fingerprint, strings.ToLower(fingerprint), "FFFF"})
	e.Sealed = w.IntN(2) == 0
	if (e.Kind == challenge.EventStopped || e.Kind == challenge.EventTeamWithdrawn || e.Kind == challenge.EventContactChanged) && w.IntN(4) > 0 {
		e.Kind = challenge.EventCodeRight // or hardly any life would get old
	}
	return e
}

// proving are the events without which nothing may be answered.
var proving = []challenge.EventKind{challenge.EventCodeRight, challenge.EventProof, challenge.EventConfirmed, challenge.EventWebhook,
	challenge.EventCallApproved, challenge.EventImported}

// step takes one step and holds every rule of a life against it.
func (w *walk) step(t *testing.T, e challenge.Event) {
	t.Helper()
	was, text := w.c, mustJSON(t, w.c)
	c, out := challenge.Step(was, e, w.now, w.p)
	if got := mustJSON(t, was); got != text {
		t.Fatalf("%s changed its argument:\n%s\n%s", e.Kind, text, got)
	}
	if slices.Contains(proving, e.Kind) {
		w.proofs++
	}
	w.count(t, e, was, out)
	switch {
	case was.State.Final() && c.State != was.State:
		t.Fatalf("%s led out of %s to %s", e.Kind, was.State, c.State)
	case c.State == challenge.StateAnswered && (w.proofs == 0 || len(c.Proofs) == 0 || c.Answered.IsZero()):
		t.Fatalf("answered by %s without a proof: %s", e.Kind, mustJSON(t, c))
	case c.State == challenge.StateClosed && c.Outcome == "":
		t.Fatalf("closed by %s for no reason", e.Kind)
	case c.State.Final() && !timeOf(c.Next(w.p)).IsZero():
		t.Fatalf("a timer runs in %s", c.State)
	}
	var back challenge.Challenge
	if err := json.Unmarshal([]byte(mustJSON(t, c)), &back); err != nil || mustJSON(t, back) != mustJSON(t, c) {
		t.Fatalf("the challenge does not survive JSON: %v", err)
	}
	w.again(t, c, e)
	w.c = c
}

// again: the same event once more changes nothing. Two timers may both be over
// after a long stop; then it is the second that fires, and not the first again.
func (w *walk) again(t *testing.T, c challenge.Challenge, e challenge.Event) {
	t.Helper()
	if kind, at := c.Next(w.p); kind == e.Kind && !at.IsZero() && !at.After(w.now) {
		return
	}
	twice, out := challenge.Step(c, e, w.now, w.p)
	if len(out) > 0 && slices.ContainsFunc(out, func(e challenge.Effect) bool { _, harmless := e.(challenge.Case); return !harmless }) {
		t.Fatalf("%s twice had effects %v", e.Kind, out)
	}
	if diff := cmp.Diff(mustJSON(t, c), mustJSON(t, twice)); diff != "" {
		t.Fatalf("%s twice: %s", e.Kind, diff)
	}
}

// count holds the effects of a step against what was asked for before.
func (w *walk) count(t *testing.T, e challenge.Event, was challenge.Challenge, out []challenge.Effect) {
	t.Helper()
	for _, effect := range out {
		switch f := effect.(type) {
		case challenge.Mail:
			w.keys[f.Key]++
			w.mails++
			if w.keys[f.Key] > 1 || w.mails > 4 || w.p.MaxMails > 0 && w.mails > w.p.MaxMails {
				t.Fatalf("mail %d, of step %s for the %d. time", w.mails, f.Step, w.keys[f.Key])
			}
			if !was.Paused.IsZero() || was.State.Final() {
				t.Fatalf("%s sent a mail in %s, paused %v", e.Kind, was.State, was.Paused)
			}
		case challenge.Escalate:
			if !was.Paused.IsZero() {
				t.Fatalf("%s escalated while paused", e.Kind)
			}
		case challenge.Record:
			if w.keys[f.Key]++; w.keys[f.Key] > 1 {
				t.Fatalf("evidence %s for the second time", f.Key)
			}
			if f.Level > directory.Deliverable && f.Outcome == directory.OutcomeProved && !slices.Contains(proving, e.Kind) {
				t.Fatalf("%s proved level %d", e.Kind, f.Level)
			}
		}
	}
}

func timeOf(_ challenge.EventKind, t time.Time) time.Time { return t }

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRandomLives walks through random lives under every preset and kind.
func TestRandomLives(t *testing.T) {
	ends := map[challenge.State]int{}
	for seed := range uint64(50) {
		w := newWalk(seed)
		for n := range 30 {
			w.step(t, w.event(n))
		}
		ends[w.c.State]++
		if w.c.Rung > 0 {
			ends[challenge.StateEscalated]++
		}
	}
	if ends[challenge.StateAnswered] < 5 || ends[challenge.StateClosed] < 5 || ends[challenge.StateEscalated] < 5 {
		t.Errorf("the lives end as %v, which is too much alike to show anything", ends)
	}
}

// TestSilence walks through the life of a contact that never answers, by timers
// alone: it must end, with the mails and rungs of the policy.
func TestSilence(t *testing.T) {
	for _, p := range challenge.Presets() {
		for i, calendar := range calendars {
			c := scheduledAt(challenge.KindCode)
			c.Calendar = calendar
			var all []string
			for n := 0; c.Open(); n++ {
				kind, at := c.Next(p)
				if at.IsZero() || n > 30 {
					t.Fatalf("%s, calendar %d: stuck in %s", p.Name, i, c.State)
				}
				var out []challenge.Effect
				c, out = challenge.Step(c, challenge.Event{Kind: kind}, at, p)
				for _, e := range out {
					if m, ok := e.(challenge.Mail); ok {
						c, _ = challenge.Step(c, challenge.Event{Kind: challenge.EventAccepted, Step: m.Step}, at, p)
						if m.Step != challenge.StepFirst && !calendar.Always() && !calendar.IsOpen(at) {
							t.Errorf("%s, calendar %d: %s at %v, outside of working time", p.Name, i, m.Step, at)
						}
					}
					all = append(all, e.String())
				}
			}
			mails := len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return !strings.HasPrefix(s, "mail:") }))
			if c.Outcome != challenge.OutcomeUnanswered || c.Rung != len(p.Ladder) || mails > len(p.Reminders)+1 || mails < min(len(p.Reminders), 2) {
				t.Errorf("%s, calendar %d: closed as %s after %d rungs and %d mails: %v", p.Name, i, c.Outcome, c.Rung, mails, all)
			}
			if c.Reached != directory.Deliverable {
				t.Errorf("%s, calendar %d: silence reached level %d", p.Name, i, c.Reached)
			}
		}
	}
}

// TestOrder reports the same facts in many orders: where a challenge stands
// afterwards, and what was recorded, is the same.
func TestOrder(t *testing.T) {
	facts := []challenge.Event{at(challenge.EventAccepted, 0.1), at(challenge.EventDeliveredDSN, 0.2), at(challenge.EventOpened, 0.3),
		at(challenge.EventAutoReply, 0.4), at(challenge.EventPlainReply, 1), at(challenge.EventCodeWrong, 1.5), at(challenge.EventCodeRight, 2),
		at(challenge.EventBounced, 2.5), at(challenge.EventProof, 3), at(challenge.EventProof, 4), at(challenge.EventDelayed, 5)}
	facts[8].By, facts[8].Key = challenge.ProofNonce, fingerprint
	facts[9].By, facts[9].Key = challenge.ProofSigned, fingerprint
	now := monday.Add(6 * time.Hour)
	for _, kind := range []challenge.Kind{challenge.KindCode, challenge.KindNonce, challenge.KindSigned, challenge.KindBoth, challenge.KindDrill} {
		r := rand.New(rand.NewPCG(1, uint64(len(kind))))
		want, wantDone := lifeOf(t, kind, facts, now)
		for range 300 {
			order := slices.Clone(facts)
			order = append(order, pick(r, facts), pick(r, facts)) // and some of them twice
			r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			got, done := lifeOf(t, kind, order, now)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s in the order %v (-want +got):\n%s", kind, kindsOf(order), diff)
			}
			if diff := cmp.Diff(wantDone, done); diff != "" {
				t.Fatalf("%s in the order %v, effects (-want +got):\n%s", kind, kindsOf(order), diff)
			}
		}
		if !strings.Contains(want, `"state":"answered"`) {
			t.Errorf("%s ends as %s", kind, want)
		}
	}
}

func lifeOf(t *testing.T, kind challenge.Kind, events []challenge.Event, now time.Time) (end string, done []string) {
	t.Helper()
	p := preset(t, challenge.PresetReactionTest)
	c, _ := challenge.Step(scheduledAt(kind), at(challenge.EventDue, 0), monday, p)
	for _, e := range events {
		var out []challenge.Effect
		c, out = challenge.Step(c, e, now, p)
		for _, f := range out {
			if _, ok := f.(challenge.Announce); !ok {
				done = append(done, f.String())
			}
		}
	}
	c.Seen = nil // kept in the order of arrival
	slices.Sort(done)
	return mustJSON(t, c), done
}

func kindsOf(events []challenge.Event) (kinds []challenge.EventKind) {
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

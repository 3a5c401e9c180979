package challenge

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// MaxAttempts is how often the code of one mail may be typed wrong.
const MaxAttempts = 5

// maxSeen bounds how many events are remembered. There are at most MaxAttempts
// for each of a handful of mails, and a few of operators.
const maxSeen = 64

// The steps of postings that have no number.
const (
	StepFirst = "first"
	StepAgain = "again" // after a bounce
	stepOlder = "older" // of a [Bounce] of an earlier challenge
)

// Step returns what becomes of state through event at now, and what is to be
// done. It is pure: equal arguments give equal results, and the arguments stay as
// they are. An event that means nothing in a state changes nothing; so do
// duplicates, timers that fire too early, and everything after the end.
func Step(state Challenge, event Event, now time.Time, policy Policy) (Challenge, []Effect) {
	s := &step{c: state.clone(), e: event, p: policy, now: now, at: event.At}
	if s.at.IsZero() || s.at.After(now) {
		s.at = now // what is yet to come is of a clock that was wrong
	}
	if s.e.Step == "" {
		s.e.Step = StepFirst
	}
	if event.ID != "" && slices.Contains(s.c.Seen, event.ID) {
		return state, nil
	}
	if act, ok := acts[event.Kind]; ok && s.heeds(act) {
		s.c.Calendar = s.c.Calendar.loaded()
		act.do(s)
		if event.Quick {
			first(&s.c.Quick, s.at)
		}
		s.c.Calendar.zone = nil
	}
	return s.c, s.out
}

// step is one step while it is taken.
type step struct {
	c       Challenge
	e       Event
	p       Policy
	now, at time.Time
	out     []Effect
}

// act is what an event does, and in which states it means anything.
type act struct {
	do    func(*step)
	when  when
	timer bool // not while paused
}

// when is a set of states.
type when int

const (
	scheduled when = 1 << iota
	waiting        // sent, delivered, bounced or reminded
	late           // expired or escalated
	answered
	closed

	asked = waiting | late
	open  = scheduled | asked
	ever  = open | answered | closed
)

func whenOf(s State) when {
	switch s {
	case StateScheduled:
		return scheduled
	case StateExpired, StateEscalated:
		return late
	case StateAnswered:
		return answered
	case StateClosed:
		return closed
	}
	return waiting
}

// acts is what each kind of event does. Facts are taken in after an answer too,
// so that the order in which they are reported does not matter.
var acts = map[EventKind]act{
	EventDue:      {(*step).due, scheduled, true},
	EventSettled:  {(*step).settled, waiting, true},
	EventResend:   {(*step).resend, waiting, true},
	EventReminder: {(*step).remind, waiting, true},
	EventDeadline: {(*step).deadline, asked, true},

	EventAccepted:     {(*step).accepted, asked | answered, false},
	EventDeferred:     {(*step).nothing, asked, false},
	EventRefused:      {(*step).bounced, asked | answered, false},
	EventUnsendable:   {(*step).unsendable, asked, false},
	EventBounced:      {(*step).bounced, asked | answered, false},
	EventDelayed:      {(*step).delayed, asked | answered, false},
	EventDeliveredDSN: {(*step).arrived, asked | answered, false},

	EventOpened:       {(*step).opened, asked | answered, false},
	EventCodeRight:    {(*step).codeRight, asked | answered, false},
	EventCodeWrong:    {(*step).codeWrong, asked | answered, false},
	EventCodeAsked:    {(*step).codeAsked, asked, false},
	EventPlainReply:   {(*step).replied, asked | answered, false},
	EventAutoReply:    {(*step).autoReplied, asked | answered, false},
	EventProof:        {(*step).proof, asked | answered, false},
	EventConfirmed:    {(*step).confirmed, asked | answered, false},
	EventWrongAddress: {(*step).wrongAddress, asked | answered, false},
	EventPleaseCall:   {(*step).pleaseCall, asked | answered, false},
	EventWebhook:      {(*step).webhook, asked | answered, false},
	EventOptOut:       {(*step).optOut, ever, false},

	EventCall:         {(*step).called, asked, false},
	EventCallApproved: {(*step).callApproved, asked, false},
	EventCallRejected: {(*step).callRejected, asked, false},
	EventImported:     {(*step).imported, open | answered, false},
	EventPaused:       {(*step).pause, open, false},
	EventResumed:      {(*step).resume, open, false},
	EventStopped:      {func(s *step) { s.close(OutcomeStopped) }, open, false},
	EventUnreachable:  {(*step).unreachable, late | closed, false},

	EventContactChanged: {func(s *step) { s.close(OutcomeSuperseded) }, open, false},
	EventTeamWithdrawn:  {func(s *step) { s.close(OutcomeWithdrawn) }, open, false},
}

func (s *step) heeds(a act) bool {
	return a.when&whenOf(s.c.State) != 0 && (!a.timer || s.c.Paused.IsZero())
}

func (s *step) nothing() {}

func (s *step) emit(e Effect) { s.out = append(s.out, e) }

// once remembers the event, so that its duplicate is known. Only what would
// count twice is remembered.
func (s *step) once() {
	if s.e.ID == "" {
		return
	}
	s.c.Seen = append(s.c.Seen, s.e.ID)
	if len(s.c.Seen) > maxSeen {
		s.c.Seen = s.c.Seen[len(s.c.Seen)-maxSeen:]
	}
}

// move changes the state and says so.
func (s *step) move(to State) {
	if from := s.c.State; from != to {
		s.c.State = to
		s.emit(Announce{From: from, To: to, Outcome: s.c.Outcome})
	}
}

func (s *step) close(o Outcome) {
	s.c.Outcome, s.c.Closed = o, s.now
	s.move(StateClosed)
}

// first keeps the earliest of the times at which something was seen.
func first(t *time.Time, at time.Time) {
	if t.IsZero() || at.Before(*t) {
		*t = at
	}
}

// due asks the question, by the way that the kind has.
func (s *step) due() {
	if s.now.Before(s.c.dueAt()) {
		return
	}
	s.c.Sent, s.c.Held = s.now, 0
	switch s.c.Kind {
	case KindPhone:
		s.c.Accepted = s.now
		s.emit(Case{Kind: CaseCall})
	case KindImported:
		s.c.Accepted = s.now
	default:
		s.post(LetterFirst, StepFirst)
	}
	s.move(StateSent)
}

// post asks for a mail, or for a POST to a team's endpoint, unless the step has
// had its one.
func (s *step) post(letter Letter, name string) {
	if s.c.Posting(name) != nil {
		return
	}
	s.c.Postings = append(s.c.Postings, Posting{Step: name, Asked: s.now})
	key := s.c.IdempotencyKey(name)
	if s.c.Kind == KindWebhook {
		s.emit(Webhook{Step: name, Key: key})
		return
	}
	s.emit(Mail{Letter: letter, Step: name, Key: key, Last: len(s.c.Postings) >= s.p.mails()})
}

// accepted takes in that the relay has a mail. With the one that asks the
// question, the clock of the answer starts.
func (s *step) accepted() {
	p := s.c.Posting(s.e.Step)
	if p == nil || !p.Accepted.IsZero() {
		return
	}
	p.Issue.Expires = p.Issue.Expires.Add(max(0, s.at.Sub(p.Asked))) // nobody could answer a mail that waited
	p.Accepted = s.at
	if p.Step == s.c.startStep() {
		s.c.Accepted, s.c.Held = s.at, 0
		if !s.c.Paused.IsZero() { // what went before the clock began is not given back
			s.c.Paused = later(s.c.Paused, s.at)
		}
	}
}

// unsendable takes in that our own side can't get a mail out, which is never the team's fault.
func (s *step) unsendable() {
	p := s.c.Posting(s.e.Step)
	if p == nil {
		return
	}
	p.Lost = !p.Accepted.IsZero()
	s.emit(Case{Kind: CaseUnsendable, Note: s.e.Status})
	if s.e.Step == s.c.startStep() && s.c.Accepted.IsZero() {
		s.close(OutcomeNotSent)
	}
}

// bounced takes in that a mail can't be delivered, once for each mail. One
// bounce may be anything; two on different days are a broken address.
func (s *step) bounced() {
	if s.c.cameBack(s.e.Step) || s.c.Posting(s.e.Step) == nil {
		return
	}
	was := s.c.Undeliverable()
	s.c.Bounces = append(s.c.Bounces, Bounce{Step: s.e.Step, At: s.at, Status: s.e.Status})
	slices.SortFunc(s.c.Bounces, func(a, b Bounce) int { return strings.Compare(a.Step, b.Step) })
	switch {
	case s.c.State == StateAnswered:
	case s.c.Undeliverable() && !was:
		s.undeliverable()
	case whenOf(s.c.State) == waiting:
		s.move(StateBounced)
	}
}

// undeliverable marks the contact and goes up the ladder without waiting, since
// no reminder would arrive either.
func (s *step) undeliverable() {
	s.record(Record{Level: directory.Deliverable, Outcome: directory.OutcomeFailed, Method: MethodBounced, At: s.at, Note: s.e.Status, Raw: s.e.Raw})
	s.emit(Flag{FlagUndeliverable})
	switch {
	case len(s.p.Ladder) == 0:
		s.close(OutcomeUndeliverable)
	case !s.c.Paused.IsZero(): // nobody is told of anything meanwhile
		s.move(StateBounced)
	case s.c.Rung == 0:
		s.climb()
	}
}

// apart is how far two bounces must lie from each other, beside being of two days: one
// trouble can last over midnight.
const apart = 12 * time.Hour

// Undeliverable reports whether mail came back on two different days (UTC), of this
// question at least once.
func (c *Challenge) Undeliverable() bool {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	for _, b := range c.Bounces {
		for _, other := range c.Bounces {
			if b.Step != stepOlder && day(b.At) != day(other.At) && b.At.Sub(other.At).Abs() >= apart {
				return true
			}
		}
	}
	return false
}

// resend tries once more on another day.
func (s *step) resend() {
	if kind, at := s.c.resendAt(s.p); kind == EventResend && !s.now.Before(at) {
		s.c.Accepted = time.Time{}
		s.post(LetterFirst, StepAgain)
		s.move(StateSent)
	}
}

// arrived takes in a sign that a mail reached something. After a bounce it
// changes nothing: reports of delivery come from every relay on the way.
func (s *step) arrived() {
	first(&s.c.Arrived, s.at)
	if s.c.State == StateSent {
		s.move(StateDelivered)
	}
}

// delayed takes in that a mail has not arrived, so that silence about it no longer means that it did.
func (s *step) delayed() {
	p := s.c.Posting(s.e.Step)
	if p == nil {
		return
	}
	p.Delayed = later(p.Delayed, s.at)
	p.Lost = p.Lost || s.e.Lost
}

// opened takes in that somebody, or something, fetched the answer page. A mail
// scanner does so within seconds: it proves nothing.
func (s *step) opened() { first(&s.c.Opened, s.at) }

// replied takes in a reply that proves nothing. At one that is signed by another key somebody should look.
func (s *step) replied() {
	first(&s.c.Replied, s.at)
	s.arrived()
	if s.e.Key != "" && !s.rightKey() {
		s.emit(Case{Kind: CaseOtherKey, Note: s.e.Key})
	}
}

// autoReplied takes in an automatic answer (RFC 3834), which is a sign of
// arrival and nothing else.
func (s *step) autoReplied() {
	first(&s.c.Auto, s.at)
	s.arrived()
}

package challenge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Next returns the next timer of c and when it fires; the zero time where c waits
// for nothing but others.
func (c *Challenge) Next(p Policy) (EventKind, time.Time) {
	if c.State.Final() || !c.Paused.IsZero() {
		return "", time.Time{}
	}
	if c.State == StateScheduled {
		return EventDue, c.dueAt()
	}
	var kind EventKind
	var next time.Time
	here := *c
	here.Calendar = c.Calendar.loaded()
	for _, timer := range []func(Policy) (EventKind, time.Time){here.deadlineAt, here.settleAt, here.resendAt, here.remindAt} {
		// On a tie the deadline comes first: nobody is reminded of what is over.
		if k, at := timer(p); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			kind, next = k, at
		}
	}
	return kind, next
}

func (c *Challenge) dueAt() time.Time { return c.Due.Add(c.Held) }

// startStep is the mail that asks the question: the first, or the one after a bounce.
func (c *Challenge) startStep() string {
	if c.Posting(StepAgain) != nil {
		return StepAgain
	}
	return StepFirst
}

// clock returns when the time to answer began; zero before it did. Where nothing
// was ever accepted because the address refuses mail, that is when it was tried.
func (c *Challenge) clock() time.Time {
	if c.Accepted.IsZero() && len(c.Bounces) > 0 && c.State != StateSent {
		return c.Sent
	}
	return c.Accepted
}

// afterClock returns the moment d after the clock began, without the time for
// which it stood still.
func (c *Challenge) afterClock(d Delay) time.Time {
	if c.clock().IsZero() {
		return time.Time{}
	}
	return c.Calendar.After(c.clock(), d).Add(c.Held)
}

// answerFrom returns when the time to answer a mail that goes out at asked began, and for
// how long it stood still since. While the first mail has yet to be accepted, that is now.
func (c *Challenge) answerFrom(asked time.Time) (start time.Time, held time.Duration) {
	if start = c.clock(); start.IsZero() {
		return asked, 0
	}
	return start, c.Held
}

// drillBy returns when a drill must be answered: so much of the hours in which the team is there,
// later by as long as the drill stood still.
func (c *Challenge) drillBy(p Policy, asked time.Time) time.Time {
	start, held := c.answerFrom(asked)
	return c.Calendar.AfterOpen(start, p.drill().rough()).Add(held)
}

// AnswerBy returns until when a mail that goes out at asked wants an answer: the
// window of p, or what a drill allows, reckoned from when the first mail was accepted, or
// would be if it were at once. It is never after expires, when no answer counts any more;
// a mail that comes after the window has until then.
func (c *Challenge) AnswerBy(p Policy, asked, expires time.Time) time.Time {
	start, held := c.answerFrom(asked)
	by := c.Calendar.After(start, p.Window).Add(held)
	if c.Kind == KindDrill {
		by = c.drillBy(p, asked)
	}
	if !by.After(asked) || by.After(expires) {
		return expires
	}
	return by
}

// workTime moves a mail to when the team is at work.
func (c *Challenge) workTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return c.Calendar.NextOpen(t)
}

// settleAt: nothing came back for long enough, so that the mail counts as delivered.
func (c *Challenge) settleAt(p Policy) (EventKind, time.Time) {
	start := c.Posting(c.startStep())
	over := c.State == StateBounced || whenOf(c.State) != waiting || c.has(MethodAccepted)
	if over || !c.Kind.ByMail() || start == nil || start.Accepted.IsZero() || start.Lost || c.cameBack(start.Step) {
		return "", time.Time{}
	}
	from := start.Accepted
	if !start.Delayed.IsZero() {
		from = start.Delayed.Add(longestTried)
	}
	return EventSettled, c.Calendar.After(from, p.settle()).Add(c.Held)
}

// longestTried is how long relays try a mail: RFC 5321 section 4.5.4.1.
const longestTried = 5 * 24 * time.Hour

func (c *Challenge) has(method string) bool {
	return slices.ContainsFunc(c.Proofs, func(p Proved) bool { return p.Method == method })
}

func (c *Challenge) cameBack(name string) bool {
	return slices.ContainsFunc(c.Bounces, func(b Bounce) bool { return b.Step == name })
}

// resendAt: a mail that came back goes out again on the next business day, once.
func (c *Challenge) resendAt(p Policy) (EventKind, time.Time) {
	if c.State != StateBounced || c.Posting(StepAgain) != nil || len(c.Postings) >= p.mails() {
		return "", time.Time{}
	}
	var last time.Time
	for _, b := range c.Bounces {
		if b.Step != stepOlder {
			last = later(last, b.At)
		}
	}
	return EventResend, c.workTime(c.Calendar.After(last, Delay{Business: 1}))
}

// remindAt: the next reminder, at least a business day after whatever went before.
func (c *Challenge) remindAt(p Policy) (EventKind, time.Time) {
	n := c.reminders()
	quiet := c.State == StateBounced || whenOf(c.State) != waiting || !c.CallMe.IsZero() || c.clock().IsZero()
	if quiet || n >= len(p.Reminders) || len(c.Postings) == 0 || len(c.Postings) >= p.mails() {
		return "", time.Time{}
	}
	last := c.Postings[len(c.Postings)-1].Asked
	at := c.workTime(later(c.afterClock(p.Reminders[n]), c.Calendar.After(last, Delay{Business: 1})))
	if !at.Before(c.afterClock(p.Window)) {
		return "", time.Time{}
	}
	return EventReminder, at
}

func (c *Challenge) reminders() (n int) {
	for i := range c.Postings {
		if strings.HasPrefix(c.Postings[i].Step, "reminder-") {
			n++
		}
	}
	return n
}

// deadlineAt: the end of the window, then each rung, then the end of all.
func (c *Challenge) deadlineAt(p Policy) (EventKind, time.Time) {
	at := time.Time{}
	switch {
	case whenOf(c.State) == waiting:
		at = c.afterClock(p.Window)
	case c.Rung < len(p.Ladder):
		at = c.afterClock(p.Ladder[c.Rung].At)
	default:
		at = c.afterClock(p.Close)
	}
	return EventDeadline, at
}

// ends is when the next deadline is.
func (c *Challenge) ends(p Policy) time.Time {
	here := *c
	here.Calendar = c.Calendar.loaded()
	_, at := here.deadlineAt(p)
	return at
}

func (s *step) fires(kind EventKind, at time.Time) bool {
	return kind == s.e.Kind && !at.IsZero() && !s.now.Before(at)
}

// settled: accepted, and no bounce. That is what level 1 means.
func (s *step) settled() {
	if !s.fires(s.c.settleAt(s.p)) {
		return
	}
	s.arrived()
	s.proven(Record{Level: directory.Deliverable, Method: MethodAccepted, At: s.now})
}

func (s *step) remind() {
	if s.fires(s.c.remindAt(s.p)) {
		s.post(LetterReminder, fmt.Sprintf("reminder-%d", s.c.reminders()+1))
		s.move(StateReminded)
	}
}

func (s *step) deadline() {
	if !s.fires(s.c.deadlineAt(s.p)) {
		return
	}
	switch {
	case whenOf(s.c.State) == waiting && s.c.Reached >= max(s.p.Minimum, directory.Answered):
		s.c.Answered = s.c.lastProof() // less than was asked for, and enough for the policy
		s.finish()
	case whenOf(s.c.State) == waiting:
		s.move(StateExpired)
	case s.c.Rung < len(s.p.Ladder):
		s.climb()
	case s.c.Undeliverable():
		s.close(OutcomeUndeliverable)
	default:
		s.close(OutcomeUnanswered)
	}
}

// lastProof returns when the highest level was reached.
func (c *Challenge) lastProof() time.Time {
	var at time.Time
	for _, p := range c.Proofs {
		if p.Level == c.Reached {
			first(&at, p.At)
		}
	}
	return at
}

// climb takes the next rung of the ladder. Who asked to be called is not
// reported to others; only the last rung is told.
func (s *step) climb() {
	rung, last := s.p.Ladder[s.c.Rung], s.c.Rung == len(s.p.Ladder)-1
	s.c.Rung++
	s.move(StateEscalated)
	if !s.c.CallMe.IsZero() && !last {
		return
	}
	if rung.Flag != FlagNone {
		s.emit(Flag{rung.Flag})
	}
	switch rung.To {
	case ToOperator:
		s.emit(Case{Kind: CaseCall})
	case ToNobody:
	default:
		s.emit(Escalate{To: rung.To, Rung: s.c.Rung})
	}
	if rung.Flag == FlagUnreachable {
		s.emit(Case{Kind: CaseUnreachable})
	}
}

// pause stops the timers. What was asked may still be answered.
func (s *step) pause() {
	if s.c.Paused.IsZero() {
		s.once()
		s.c.Paused = s.now
	}
	if s.e.Operator != "" { // also where it stands still already, for whatever reason
		s.c.PausedBy = s.e.Operator
	}
}

// resume starts the timers again, later by as long as they stood still.
func (s *step) resume() {
	if s.c.Paused.IsZero() {
		return
	}
	s.once()
	for i := range s.c.Postings {
		s.c.Postings[i].Issue.Expires = s.c.expires(&s.c.Postings[i], s.now)
	}
	still := max(0, s.now.Sub(s.c.Paused))
	s.c.Held, s.c.Paused, s.c.PausedBy = s.c.Held+still, time.Time{}, ""
	if !s.c.Until.IsZero() {
		s.c.Until = s.c.Until.Add(still)
	}
}

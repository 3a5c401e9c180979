package challenge

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// life is all that could be sent because of one question. The machine itself is asked, so that a rehearsal
// can't tell anything else than what will be.
type life struct {
	notifier *Notifier
	policy   Policy
	out      *optOuts
	asked    Challenge
	mails    []lifeMail
}

// lifeMail is one mail of a life.
type lifeMail struct {
	turn   Turn
	at     time.Time
	to     string
	render func() (mail.Mail, error)
}

// mostTimers bounds a life: a question has a few reminders and ten rungs at most.
const mostTimers = 64

// live finds the mails of a life, and puts them in the order in which they could go out.
func (l *life) live(ctx context.Context, firstOnly bool) error {
	at := l.earliest(l.asked.dueAt(), true)
	c, effects := Step(l.asked, Event{ID: "due", Kind: EventDue}, at, l.policy)
	l.take(TurnQuestion, at, c, effects)
	if firstOnly {
		return nil
	}
	c = l.accepted(c, at)
	l.wrongCodes(c, at)
	l.bounce(c, at)
	if err := l.silence(ctx, c); err != nil {
		return err
	}
	slices.SortStableFunc(l.mails, func(a, b lifeMail) int { return a.at.Compare(b.at) })
	return nil
}

// earliest moves a mail to when the team may be written to.
func (l *life) earliest(at time.Time, first bool) time.Time {
	p := May(Request{Calendar: l.asked.Calendar, Kind: l.asked.Kind, New: first}, History{}, l.policy, at)
	return later(at, p.NotBefore)
}

// take keeps the mails among effects.
func (l *life) take(turn Turn, at time.Time, c Challenge, effects []Effect) {
	for _, e := range effects {
		if m, ok := e.(Mail); ok {
			l.mails = append(l.mails, lifeMail{turn, at, c.Address, func() (mail.Mail, error) { return l.notifier.cfg.Sender.rehearse(c, m, l.policy, at) }})
		}
	}
}

// accepted is c once the relay has all its mails.
func (l *life) accepted(c Challenge, at time.Time) Challenge {
	for _, p := range c.Postings {
		c, _ = Step(c, Event{Kind: EventAccepted, Step: p.Step, At: at}, at, l.policy)
	}
	return c
}

func (l *life) wrongCodes(c Challenge, at time.Time) {
	for range MaxAttempts {
		c, _ = Step(c, Event{Kind: EventCodeWrong, Step: StepFirst}, at, l.policy)
	}
	c, effects := Step(c, Event{Kind: EventCodeAsked, Step: StepFirst}, at, l.policy)
	l.take(TurnNewCode, at, c, effects)
}

func (l *life) bounce(c Challenge, at time.Time) {
	c, _ = Step(c, Event{Kind: EventBounced, Step: StepFirst, At: at}, at, l.policy)
	kind, at := c.Next(l.policy)
	if kind != EventResend {
		return
	}
	at = l.earliest(at, false)
	c, effects := Step(c, Event{Kind: kind}, at, l.policy)
	l.take(TurnAgain, at, c, effects)
}

// silence is what goes out while nobody answers.
func (l *life) silence(ctx context.Context, c Challenge) error {
	for range mostTimers {
		kind, at := c.Next(l.policy)
		if kind == "" || at.IsZero() {
			return nil
		}
		if sends(kind) {
			at = l.earliest(at, false)
		}
		next, effects := Step(c, Event{Kind: kind}, at, l.policy)
		l.take(TurnReminder, at, next, effects)
		for _, e := range effects {
			if x, ok := e.(Escalate); ok {
				if err := l.rung(ctx, &next, x.To, at); err != nil {
					return err
				}
			}
		}
		c = l.accepted(next, at)
	}
	return nil
}

// rung takes the mails that a rung of the ladder sends. One that opens a case for an operator sends none.
func (l *life) rung(ctx context.Context, c *Challenge, to Recipient, at time.Time) error {
	team, _, err := l.notifier.cfg.Sender.cfg.Desk.find(c.Team, c.Contact)
	if team == nil {
		return err
	}
	switch to {
	case ToNextContact, ToRepresentative:
		return l.instead(ctx, team, c, to, at)
	case ToSponsor, ToSecretariat:
		return l.told(ctx, team, c, to, at)
	}
	return nil
}

// instead takes the first mail to another contact, which is asked in place of the silent one.
func (l *life) instead(ctx context.Context, team *directory.Team, c *Challenge, to Recipient, at time.Time) error {
	d := l.notifier.cfg.Sender.cfg.Desk
	for passed := []directory.ContactID(nil); ; {
		target, ok := Whom(to, team, c.Contact, passed)
		if !ok {
			return nil
		}
		passed = append(passed, target.Contact.ID)
		if l.out.has(target.Contact) {
			continue
		}
		q, policy, err := d.plan(Ask{Team: c.Team, Contact: target.Contact.ID, Policy: l.policy.Name, Kind: standIn(target.Contact), Parent: c.ID, Due: at, Until: c.Until})
		if errors.Is(err, ErrNotAsked) {
			continue
		}
		if err != nil {
			return err
		}
		other := life{notifier: l.notifier, policy: policy, out: l.out, asked: rehearsalOf(q)}
		if err := other.live(ctx, true); err != nil {
			return err
		}
		for i := range other.mails {
			other.mails[i].turn = Turn(to)
		}
		l.mails = append(l.mails, other.mails...)
		return nil
	}
}

// told takes the letters to sponsors and secretariats, each as if this silence were all that there is to tell that day.
func (l *life) told(ctx context.Context, team *directory.Team, c *Challenge, to Recipient, at time.Time) error {
	d := l.notifier.cfg.Sender.cfg.Desk
	found, _ := d.recipients(team, to)
	for _, recipient := range found {
		e, err := d.earsOf(ctx, recipient)
		if err != nil {
			return err
		}
		if e.contact == nil {
			continue
		}
		salt, subject, err := d.seeds()
		if err != nil {
			return err
		}
		p := May(Request{Calendar: CalendarOf(e.team, e.contact, e.policy.Holidays), Kind: KindCode}, History{}, e.policy, at)
		when := later(at, p.NotBefore)
		letter, err := d.letterAbout(&e, recipient, []Thing{silence(team, c)}, when, salt, subject)
		if err != nil {
			return err
		}
		letter.ID = rehearsalNotice(letter.ID)
		l.mails = append(l.mails, lifeMail{Turn(to), when, e.contact.Value, func() (mail.Mail, error) { return l.notifier.render(e.team, e.contact, &letter) }})
	}
	return nil
}

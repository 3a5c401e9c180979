package challenge

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Look finds the question of a link's token, and changes nothing: machines open
// links too. The result is [Unknown] for a token that is none of ours.
func (d *Desk) Look(ctx context.Context, token string) (Challenge, Checked, error) {
	lookup, err := d.cfg.Key.Lookup(token)
	if err != nil {
		return Challenge{}, Checked{Result: Unknown}, nil //nolint:nilerr // a text that can't be a token is an unknown one
	}
	c, err := d.cfg.Store.ChallengeByToken(ctx, lookup)
	if directory.KindOf(err) == directory.NotFound {
		return c, Checked{Result: Unknown}, nil
	}
	return c, d.cfg.Key.CheckToken(&c, token, d.now()), err
}

// Opened notes that the page of a token was fetched, by whomever. It proves nothing, and of a
// question that is closed nothing is noted: its link may be fetched for years.
func (d *Desk) Opened(ctx context.Context, token string) error {
	c, checked, err := d.Look(ctx, token)
	if err != nil || checked.Result == Unknown || !c.Opened.IsZero() || c.State == StateClosed {
		return err
	}
	_, err = d.Apply(ctx, c.ID, Event{ID: "opened", Kind: EventOpened, Step: checked.Step})
	return err
}

// Type takes in a code that was typed on the page of a token, and what was said
// with it: [EventCodeRight], [EventWrongAddress] or [EventPleaseCall]. Every
// wrong code counts, in the transaction in which it was found wrong.
func (d *Desk) Type(ctx context.Context, token, code string, says EventKind) (c Challenge, checked Checked, err error) {
	found, checked, err := d.Look(ctx, token)
	if err != nil || checked.Result == Unknown {
		return found, checked, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) (err error) {
		if c, err = tx.Challenge(found.ID); err != nil {
			return err
		}
		now := d.now()
		checked = d.cfg.Key.CheckCode(&c, token, code, now)
		e := Event{At: now, Step: checked.Step, Sealed: checked.Sealed}
		switch checked.Result {
		case Right:
			e.ID, e.Kind = string(says)+"/"+checked.Step, says
			if checked.Sealed {
				e.Key = c.Key // nothing else opens the mail that had the code
			}
		case Wrong:
			e.Kind = EventCodeWrong
		default: // locked, used, or over: it changes nothing, and whoever looks into it sees who tried when
			return tx.LogEvent(c.ID, now, Event{Kind: "code-tried", At: now, Step: checked.Step, Status: string(checked.Result)}, nil)
		}
		c, err = d.step(tx, c, e)
		return err
	})
	return c, checked, err
}

// The results of asking for a new code where none is sent.
const (
	Elsewhere Result = "elsewhere" // another mail that went out has a code that works
	Spent     Result = "spent"     // no code works, and no more mails go out: an operator is told
)

// NewCode asks for a mail with a new code, after the old one was mistyped too
// often. It goes to the same address as ever. The result is [Right] where such a
// mail is on its way; else it says why none is. Locked is false where the link
// has nothing to ask for: its own code works, or it works for nothing any more.
func (d *Desk) NewCode(ctx context.Context, token string) (c Challenge, checked Checked, locked bool, err error) {
	found, checked, err := d.Look(ctx, token)
	if checked.Result == Locked && !found.Open() {
		checked.Result = Used
	}
	if err != nil || checked.Result != Locked {
		return found, checked, false, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) (err error) {
		if c, err = tx.Challenge(found.ID); err != nil {
			return err
		}
		// Without an id: the same link may ask again, once the code that came of it is locked too.
		if c, err = d.step(tx, c, Event{Kind: EventCodeAsked, Step: checked.Step}); err != nil {
			return err
		}
		checked.Result = c.codeNow(d.now())
		return nil
	})
	return c, checked, true, err
}

// codeNow returns what is left to whoever has asked for a new code, by the newest mail
// whose code is not locked: [Right] is one that is on its way.
func (c *Challenge) codeNow(now time.Time) Result {
	if !c.Open() {
		return Used
	}
	result := Spent
	for i := range c.Postings {
		p := &c.Postings[i]
		switch usable := p.usable(c, now); {
		case usable == Locked, c.cameBack(p.Step):
		case usable == Right && !p.Accepted.IsZero():
			result = Elsewhere
		default:
			result = usable
		}
	}
	return result
}

// Confirms reports whether "still right" in one click counts for a question.
func (d *Desk) Confirms(c *Challenge) bool {
	return d.policyOf(c).Confirm && c.Open()
}

// Confirm takes in "still right" by one click: freshness of level 0, where the
// policy has that, and nothing elsewhere.
func (d *Desk) Confirm(ctx context.Context, token string) (Challenge, Checked, bool, error) {
	return d.click(ctx, token, EventConfirmed, func(c *Challenge, r Result) bool { return d.Confirms(c) && (r == Right || r == Locked) })
}

// OptOut stops mails to the address of a link, until an operator has decided. It
// holds for links that no longer work for answers, too.
func (d *Desk) OptOut(ctx context.Context, token string) (Challenge, Checked, bool, error) {
	return d.click(ctx, token, EventOptOut, func(*Challenge, Result) bool { return true })
}

// click takes an event that needs the link alone, and reports whether it counts.
// Then the result is Right.
func (d *Desk) click(ctx context.Context, token string, kind EventKind, counts func(*Challenge, Result) bool) (Challenge, Checked, bool, error) {
	c, checked, err := d.Look(ctx, token)
	if err != nil || checked.Result == Unknown || !counts(&c, checked.Result) {
		return c, checked, false, err
	}
	checked.Result = Right
	c, err = d.Apply(ctx, c.ID, Event{ID: string(kind), Kind: kind, Step: checked.Step})
	return c, checked, err == nil, err
}

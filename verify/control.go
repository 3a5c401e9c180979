package verify

import (
	"errors"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Control is what is known of the proof that a team controls a domain: a
// [directory.Control] as a check sees it, without the token.
type Control struct {
	Digest  string    `json:"digest"` // of the token
	Started time.Time `json:"started"`
	State   string    `json:"state"` // of directory.ControlStates
	Since   time.Time `json:"since"`
	Seen    time.Time `json:"seen,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Missing time.Time `json:"missing,omitzero"`
	DNSSEC  string    `json:"dnssec,omitempty"`
}

// Sight is what a look for the record of a proof of control came to.
type Sight string

// What a look can come to. That nobody answered is none of them.
const (
	SightProved  Sight = "proved"  // the record is there, wherever it was asked for
	SightAbsent  Sight = "absent"  // it is not there, wherever it was asked for
	SightExpired Sight = "expired" // it is there, and its date has passed
)

// ControlPatience is how far two looks must be apart, neither of which finds the
// record, for a proof to be lost: once may be a slip in a zone file.
const ControlPatience = 24 * time.Hour

// Saw returns what is known after a look at now. until is the date of the
// record, zero for none, and dnssec what could be proven of it, where it was
// proved. It is pure. Times that are yet to come are of a clock that was wrong.
func (c Control) Saw(s Sight, until time.Time, dnssec string, now time.Time) Control {
	switch s {
	case SightProved:
		c = c.become(directory.ControlConfirmed, now)
		c.Seen, c.Until, c.DNSSEC, c.Missing = now, until, dnssec, time.Time{}
	case SightExpired:
		c.Missing = time.Time{}
		if c.State == directory.ControlConfirmed {
			c = c.become(directory.ControlLapsed, now)
		}
	case SightAbsent:
		switch {
		case c.State != directory.ControlConfirmed:
		case c.Missing.IsZero() || c.Missing.After(now):
			c.Missing = now
		case now.Sub(c.Missing) >= ControlPatience:
			c = c.become(directory.ControlLost, now)
		}
	}
	return c
}

// lapse returns what is known after a look that came to nothing: a proof that
// nobody could look at for too long runs out. Nothing else is lost by it.
func (c Control) lapse(now time.Time) Control {
	if c.State == directory.ControlConfirmed && now.Sub(c.Seen) > directory.ControlLasts {
		c = c.become(directory.ControlLapsed, now)
	}
	return c
}

func (c Control) become(state string, now time.Time) Control {
	if c.State != state {
		c.State, c.Since = state, now
	}
	return c
}

// seenAgain is how much later a record must be seen again for that to be news.
const seenAgain = 24 * time.Hour

// news reports whether c is worth telling, where was is what was told.
func (c Control) news(was Control) bool {
	again := c.Seen.Sub(was.Seen)
	c.Seen = was.Seen
	return c != was || again >= seenAgain || again < 0
}

// controlOf returns the proof that a row is about, nil for none.
func controlOf(t *directory.Team, row Row) *Control {
	if row.Check != directory.ControlCheck {
		return nil
	}
	c := t.Control(directory.Domain(row.Subject.ID))
	if c == nil {
		return nil
	}
	return &Control{Digest: c.Digest, Started: c.Started, State: c.State, Since: c.Since, Seen: c.Seen, Until: c.Until, Missing: c.Missing, DNSSEC: c.DNSSEC}
}

// ours reports whether an error is trouble of our own.
func ours(err error) bool {
	var t *Trouble
	return !errors.As(err, &t) || t.Ours
}

// control returns what a run changes in a proof of control, nil for nothing. A
// peer's trouble changes nothing before its time is up, and ours never does.
func (r *Runner) control(row Row, was *Control, o *Outcome, at time.Time) *directory.Control {
	if was == nil {
		return nil
	}
	team, ok := r.cfg.Follower.Index().Team(row.Team)
	if !ok {
		return nil
	}
	var is Control
	switch {
	case o.Err != nil && ours(o.Err):
		return nil
	case o.Err != nil || o.Result.Control == nil:
		is = was.lapse(at)
	default:
		is = *o.Result.Control
	}
	c := team.Control(directory.Domain(row.Subject.ID))
	if c == nil || c.Digest != was.Digest || !is.news(*was) {
		return nil
	}
	next := *c
	next.State, next.Since, next.Until, next.Missing, next.DNSSEC = is.State, is.Since, is.Until, is.Missing, is.DNSSEC
	if !is.Seen.Equal(next.Seen) {
		next.Seen, next.RawHash = is.Seen, o.Raw
	}
	return &next
}

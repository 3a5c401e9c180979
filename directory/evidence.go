package directory

import (
	"slices"
	"time"
)

// Level is how strongly a contact was proven.
type Level int

// The levels of evidence.
const (
	Listed      Level = 0 // well-formed, and nothing more
	Deliverable Level = 1 // mail is accepted and nothing bounced
	Answered    Level = 2 // somebody reads the mailbox or picks up
	Proven      Level = 3 // mailbox and listed key are in the team's hands
	Drilled     Level = 4 // a person answers within the hours the team promises
)

// String returns the level's name.
func (l Level) String() string {
	names := []string{"listed", "deliverable", "answered", "proven", "drilled"}
	if l < 0 || int(l) >= len(names) {
		return "unknown"
	}
	return names[l]
}

// Outcome is what an attempt to prove something showed.
type Outcome string

// The outcomes.
const (
	OutcomeProved   Outcome = "proved"
	OutcomeFailed   Outcome = "failed"   // a conclusion, not a time-out
	OutcomeDisputed Outcome = "disputed" // somebody says that it is wrong
	OutcomeSettled  Outcome = "settled"  // an operator looked into a dispute and closed it
)

// Evidence is one dated item of proof about one revision of one contact.
type Evidence struct {
	ID         string
	Contact    ContactID
	Revision   int // of the contact: evidence about an older one proves nothing
	Level      Level
	Outcome    Outcome
	Method     string // "phone", "import", "entry", later "challenge.code" …
	At         time.Time
	ValidUntil time.Time // zero: as long as the policy says
	By         string    // who vouches for it: an operator, this instance, another registrar
	Note       string
	RawHash    string // SHA-256 of the stored raw evidence, in hex; "" when there is none
}

// State is what the evidence about a contact amounts to now.
type State string

// The states, from best to worst.
const (
	Verified   State = "verified"   // proven, and the proof is fresh
	Due        State = "due"        // proven, and the proof has run out within the grace period
	Overdue    State = "overdue"    // proven once, too long ago
	Unverified State = "unverified" // never proven
	Disputed   State = "disputed"   // somebody says that it is wrong, and nobody settled it
	Failed     State = "failed"     // the newest attempt showed that it does not work
)

// Policy says how long proof lasts.
type Policy struct {
	Lasts time.Duration // from the time of the proof; 0 is 180 days
	Grace time.Duration // in which state is due before it is overdue; 0 is 30 days
}

// Standing is what the evidence says about one contact at one moment.
type Standing struct {
	Level      Level // the highest level that still counts
	State      State
	At         time.Time // when the level was proven; for level 0, when it was listed
	ValidUntil time.Time // zero for level 0
	Method     string
	By         string
}

// Assess derives the standing of c at now from the items that speak of its
// present revision. It is pure: equal arguments give equal answers. A word of
// level 0, that nothing has changed, is newer than the listing and nothing more: it
// neither mends what failed nor takes the place of what was proven. Where nobody answered,
// only an answer mends that, and not that a mail was taken.
func Assess(c Contact, items []Evidence, policy Policy, now time.Time) Standing {
	s := Standing{State: Unverified, At: c.Origin.At, Method: "entry", By: c.Origin.Source}
	if !entered(c.Origin.Source) {
		s.Method = "import"
		if !c.Origin.AsOf.IsZero() {
			s.At = c.Origin.AsOf
		}
	}
	var proved, answered, failed, silent, disputed time.Time // each the newest
	for i := range items {
		if e := &items[i]; e.speaksOf(&c, now) {
			switch e.Outcome {
			case OutcomeProved:
				if e.Level > Listed {
					proved = later(proved, e.At)
				}
				if e.Level >= Answered {
					answered = later(answered, e.At)
				}
			case OutcomeFailed:
				failed = later(failed, e.At)
				if e.Level >= Answered {
					silent = later(silent, e.At)
				}
			case OutcomeDisputed:
				disputed = later(disputed, e.At)
			}
		}
	}
	works := proved.After(failed) && (silent.IsZero() || answered.After(silent))
	for i := range items {
		e := &items[i]
		switch {
		case !e.speaksOf(&c, now):
		case e.Outcome == OutcomeProved && (!works || e.At.After(failed)):
			s.count(*e, policy, now) // a failure voids what was proven before it
		case e.Outcome == OutcomeSettled && !e.At.Before(disputed):
			disputed = time.Time{}
		}
	}
	if !failed.IsZero() && !works {
		s.State = Failed
		return s
	}
	return s.judge(disputed, policy, now)
}

// speaksOf reports whether e is about the present revision of c and has
// happened.
func (e *Evidence) speaksOf(c *Contact, now time.Time) bool {
	return e.Contact == c.ID && e.Revision == c.Revision && !e.At.After(now)
}

// count takes in one proof: the highest level that is still fresh wins, else
// the newest.
func (s *Standing) count(e Evidence, policy Policy, now time.Time) {
	if e.Level == Listed {
		if s.Level == Listed && s.ValidUntil.IsZero() && e.At.After(s.At) {
			s.At, s.Method, s.By = e.At, e.Method, e.By
		}
		return
	}
	until := policy.End(e)
	fresh, had := !now.After(until), !s.ValidUntil.IsZero() && !now.After(s.ValidUntil)
	better := e.Level > s.Level || (e.Level == s.Level && e.At.After(s.At))
	if s.ValidUntil.IsZero() || (fresh && !had) || (fresh == had && better) {
		s.Level, s.At, s.ValidUntil, s.Method, s.By = e.Level, e.At, until, e.Method, e.By
	}
}

func (s Standing) judge(disputed time.Time, policy Policy, now time.Time) Standing {
	switch {
	case !disputed.IsZero():
		s.State = Disputed
	case s.Level == Listed:
		s.State = Unverified
	case !now.After(s.ValidUntil):
		s.State = Verified
	case !now.After(policy.Overdue(s.ValidUntil)):
		s.State = Due
	default:
		s.State = Overdue
	}
	return s
}

// End returns the last moment at which e is fresh.
func (p Policy) End(e Evidence) time.Time {
	switch {
	case !e.ValidUntil.IsZero():
		return e.ValidUntil
	case p.Lasts == 0:
		return e.At.Add(180 * 24 * time.Hour)
	}
	return e.At.Add(p.Lasts)
}

// Overdue returns the last moment at which a proof that was fresh until end is
// due, and not yet overdue.
func (p Policy) Overdue(end time.Time) time.Time {
	if p.Grace == 0 {
		return end.Add(30 * 24 * time.Hour)
	}
	return end.Add(p.Grace)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// methods that an operator may name when recording evidence by hand.
var operatorMethods = []string{"phone", "in-person", "letter", "other-registrar"}

func knownMethod(m string) bool { return slices.Contains(operatorMethods, m) }

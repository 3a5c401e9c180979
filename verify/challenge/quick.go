package challenge

import (
	"slices"
	"time"
)

// QuickWithin is how soon after its mail an answer is too quick to be taken for a person's without a second
// look: acknowledgements of ticket systems, and mail scanners, come within seconds.
const QuickWithin = 120 * time.Second

// quickKinds are the events that look like the act of a person.
func quickKinds() []EventKind {
	return []EventKind{EventPlainReply, EventCodeRight, EventWrongAddress, EventPleaseCall, EventConfirmed, EventProof}
}

// tooQuick reports whether what looks like the act of a person came within [QuickWithin] of the relay's word on the
// mail that it is about. Where the event does not say which, that is the newest one before it. It is a mark for
// people to see, and decides nothing: a code that was typed was in the mail, however quickly that was.
func (c *Challenge) tooQuick(e *Event, now time.Time) bool {
	if !slices.Contains(quickKinds(), e.Kind) || !c.Kind.ByMail() {
		return false
	}
	at := e.At
	if at.IsZero() || at.After(now) {
		at = now
	}
	if p := c.Posting(e.Step); p != nil {
		return p.quick(at)
	}
	for i := len(c.Postings) - 1; i >= 0; i-- {
		if p := &c.Postings[i]; !p.Asked.After(at) {
			return p.quick(at)
		}
	}
	return false
}

// quick: an answer can come before the relay's word is written down.
func (p *Posting) quick(at time.Time) bool {
	from := p.Accepted
	if from.IsZero() {
		from = p.Asked
	}
	return at.Sub(from) < QuickWithin
}

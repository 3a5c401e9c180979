package directory

import (
	"slices"
	"strings"
)

// Vouches reports whether somebody beside the team's own editors stands for a contact as it is now:
// whoever entered it is an operator or a secretariat, a source lists it, the team has proven that it
// controls the domain of the address, or something was proven of the contact, be it by an operator's
// call. Anybody who may edit a team could have strangers mailed otherwise.
func (t *Team) Vouches(c *Contact) bool {
	if c.Vouched || !entered(c.Origin.Source) {
		return true
	}
	if e, err := ParseEmail(c.Value); err == nil && c.Channel == "email" && t.controls(e.Domain()) {
		return true
	}
	return slices.ContainsFunc(t.Evidence, func(e Evidence) bool {
		return e.Contact == c.ID && e.Revision == c.Revision && e.Outcome == OutcomeProved
	})
}

// controls reports whether a domain, or one above it, is proven to be the team's.
func (t *Team) controls(d Domain) bool {
	return slices.ContainsFunc(t.Controls, func(c Control) bool {
		return c.State == ControlConfirmed && (c.Domain == d || strings.HasSuffix(string(d), "."+string(c.Domain)))
	})
}

// vouchAll marks the contacts of a record that an operator takes in from an archive, and leaves those
// that are here already as they are.
func vouchAll(here, from []Contact) []Contact {
	return each(from, func(c *Contact) {
		i := slices.IndexFunc(here, func(x Contact) bool { return x.ID == c.ID && x.Revision == c.Revision })
		c.Vouched = i < 0 || here[i].Vouched
	})
}

// vouch marks the contacts that p enters or changes, if p may stand for them, and keeps the marks of
// the others: an edit may send back what it was shown, and must not make it more.
func vouch(before *Team, list []Contact, p Principal) {
	for i := range list {
		c := &list[i]
		old := slices.IndexFunc(before.Contacts, func(x Contact) bool { return x.ID == c.ID && x.Revision == c.Revision })
		if old >= 0 {
			c.Vouched = before.Contacts[old].Vouched || !entered(before.Contacts[old].Origin.Source)
			continue
		}
		c.Vouched = p.Role == Operator || p.Role == Secretariat
	}
}

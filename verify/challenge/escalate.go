package challenge

import (
	"cmp"
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Target is whom an escalation reaches. What is empty is nobody of that sort.
type Target struct {
	Contact  *directory.Contact // of the same team
	Sponsors []directory.Handle // of the team's memberships
	Forums   []string           // whose secretariats are to know
}

// Whom finds who an escalation reaches, for the silence of one contact of team t.
// Contacts in asked were asked or told already, and are not again. False means
// that there is nobody; a secretariat without a forum is the instance's own, and
// is always there.
func Whom(to Recipient, t *directory.Team, silent directory.ContactID, asked []directory.ContactID) (Target, bool) {
	switch to {
	case ToNextContact:
		return contactTarget(nextContact(t, silent, asked))
	case ToRepresentative:
		return contactTarget(nextOf(t, silent, asked, func(c *directory.Contact) bool { return slices.Contains(c.Uses, "representative") }))
	case ToSponsor:
		var sponsors []directory.Handle
		for _, m := range active(t) {
			sponsors = append(sponsors, m.Sponsors...)
		}
		slices.Sort(sponsors)
		return Target{Sponsors: slices.Compact(sponsors)}, len(sponsors) > 0
	case ToSecretariat:
		var forums []string
		for _, m := range active(t) {
			forums = append(forums, m.Forum)
		}
		slices.Sort(forums)
		return Target{Forums: slices.Compact(forums)}, true
	}
	return Target{}, false
}

func contactTarget(c *directory.Contact) (Target, bool) { return Target{Contact: c}, c != nil }

func active(t *directory.Team) []directory.Membership {
	return slices.DeleteFunc(slices.Clone(t.Memberships), func(m directory.Membership) bool {
		return m.Status == "ended" || m.Status == "suspended"
	})
}

// nextContact is the contact that stands in for the silent one: for the same
// use, else for general use, else any but the representative, who has a rung of
// their own.
func nextContact(t *directory.Team, silent directory.ContactID, asked []directory.ContactID) *directory.Contact {
	var uses []directory.Word
	if i := slices.IndexFunc(t.Contacts, func(c directory.Contact) bool { return c.ID == silent }); i >= 0 {
		uses = t.Contacts[i].Uses
	}
	if len(uses) == 0 {
		uses = []directory.Word{"general"}
	}
	for _, fits := range []func(*directory.Contact) bool{
		func(c *directory.Contact) bool { return slices.ContainsFunc(uses, c.Serves) },
		func(c *directory.Contact) bool { return c.Serves("general") },
		func(c *directory.Contact) bool { return !c.Serves("representative") },
	} {
		if c := nextOf(t, silent, asked, fits); c != nil {
			return c
		}
	}
	return nil
}

// nextOf returns the first contact that fits, can be reached and was not asked:
// mail before telephone, then in the team's own order.
func nextOf(t *directory.Team, silent directory.ContactID, asked []directory.ContactID, fits func(*directory.Contact) bool) *directory.Contact {
	var found []*directory.Contact
	for i := range t.Contacts {
		c := &t.Contacts[i]
		if c.ID != silent && !slices.Contains(asked, c.ID) && (c.Channel == "email" || c.Channel == "phone") && fits(c) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return slices.MinFunc(found, func(a, b *directory.Contact) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Order, b.Order)) // "email" sorts before "phone"
	})
}

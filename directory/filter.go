package directory

import (
	"slices"
	"time"
)

// Filter narrows a list of teams, or what a search finds. Each part that is set
// must hold; the zero value takes every team.
type Filter struct {
	Country Country // of the team, not of its constituency
	Sector  Word    // of [Sectors], in the constituency
	Kind    Word    // of [Kinds]
	Forum   string  // of which the team is a present member
	State   State   // of at least one of its contacts
}

// Takes reports whether t passes. Give it a team as the viewer sees it: what
// is withheld must not be found by asking for it either.
func (f *Filter) Takes(t *Team, policy Policy, now time.Time) bool {
	if !f.takesFacts(t) {
		return false
	}
	return f.State == "" || slices.ContainsFunc(t.Contacts, func(c Contact) bool { return Assess(c, t.Evidence, policy, now).State == f.State })
}

// takesFacts is Takes without the state of proof: of these fields nothing is
// ever withheld.
func (f *Filter) takesFacts(t *Team) bool {
	switch {
	case f.Country != "" && t.Country != f.Country,
		f.Sector != "" && !slices.Contains(t.Constituency.Sectors, f.Sector),
		f.Kind != "" && !slices.Contains(t.Kinds, f.Kind),
		f.Forum != "" && !t.inForum(f.Forum):
		return false
	}
	return true
}

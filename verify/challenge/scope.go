package challenge

import (
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Scope says which contacts a campaign asks. Empty fields hold for all; what is
// given must all hold.
type Scope struct {
	Forum   string             `json:"forum,omitempty"` // present members of this forum
	Tier    string             `json:"tier,omitempty"`  // whose membership is of this type or status
	Country directory.Country  `json:"country,omitempty"`
	Sector  directory.Word     `json:"sector,omitempty"`
	Uses    []directory.Word   `json:"uses,omitempty"`  // contacts that serve one of these
	Teams   []directory.TeamID `json:"teams,omitempty"` // these alone
}

// holds reports whether a contact is asked by a campaign of kind: by mail where
// the kind does not say otherwise.
func (s *Scope) holds(t *directory.Team, c *directory.Contact, kind Kind) bool {
	channel := directory.Word("email")
	if kind == KindPhone {
		channel = "phone"
	}
	if c.Channel != channel || len(s.Uses) > 0 && !slices.ContainsFunc(s.Uses, c.Serves) {
		return false
	}
	return s.includes(t)
}

// includes reports whether a team is within s.
func (s *Scope) includes(t *directory.Team) bool {
	return (len(s.Teams) == 0 || slices.Contains(s.Teams, t.ID)) &&
		(s.Country == "" || s.Country == t.Country) &&
		(s.Sector == "" || slices.Contains(t.Constituency.Sectors, s.Sector)) &&
		Rule{Forum: s.Forum, Tier: s.Tier}.holds(t, &directory.Contact{})
}

// Skip is why a campaign does not ask a contact.
type Skip string

// The reasons.
const (
	SkipPolicy    Skip = "no-policy"       // no rule says by which policy
	SkipUnvouched Skip = "unvouched"       // nobody but editors stands for the address
	SkipWay       Skip = "no-way"          // it can't be asked so: no key, or a channel that does not fit
	SkipOpen      Skip = "asked-already"   // it is being asked something else
	SkipHours     Skip = "no-working-time" // the window has no working time of its team
	SkipOptOut    Skip = "opted-out"       // and no operator has decided yet
	SkipRemoved   Skip = "removed"         // its team went while questions were planned
)

// forumOf is the forum that a campaign is about, for deciding who may run it.
func (c *Campaign) forumOf() string { return strings.TrimSpace(c.Scope.Forum) }

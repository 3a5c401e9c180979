package directory

import (
	"net/netip"
	"strings"
	"time"
)

// TeamID is a team's stable UUID in lower case (RFC 9562). It is taken over
// from MISP where the team has one there.
type TeamID string

// ContactID is the stable UUID of one contact of one team.
type ContactID string

// Handle is a team's unique short name in addresses and on the command line:
// 2 to 64 of a-z, 0-9, dot and hyphen, beginning with a letter or digit.
type Handle string

// Profile is what one source says about a team: the team itself, or one
// imported directory. Empty fields say nothing. A nil list says nothing; an
// empty list that is not nil says "none".
//
// The json tags here and below name nothing: they keep empty fields out of
// what the store writes. The wire names belong to directory/format.
type Profile struct {
	Names        Names         `json:",omitzero"`
	Kinds        []Word        `json:",omitzero"` // of [Kinds]
	Status       Word          `json:",omitzero"` // of [Statuses]; "" is active
	Host         string        `json:",omitzero"` // host organisation
	Country      Country       `json:",omitzero"`
	Address      string        `json:",omitzero"` // postal, with line breaks
	Zone         Zone          `json:",omitzero"`
	Hours        Hours         `json:",omitzero"`
	Holidays     []Date        `json:",omitzero"` // days in the team's zone on which nobody is at their desk
	Languages    []Language    `json:",omitzero"` // in order of preference
	Website      string        `json:",omitzero"`
	Established  Date          `json:",omitzero"`
	Constituency Constituency  `json:",omitzero"`
	Resources    []Resource    `json:",omitzero"`
	Contacts     []Contact     `json:",omitzero"` // in order of preference within a use
	Keys         []TeamKey     `json:",omitzero"`
	Prose        []Section     `json:",omitzero"` // RFC 2350 text
	Services     []Word        `json:",omitzero"` // of [Services]
	Memberships  []Membership  `json:",omitzero"`
	Designations []Designation `json:",omitzero"`
	Maturity     Maturity      `json:",omitzero"`
}

// Names are what a team is called. Lookup by name knows all of them.
type Names struct {
	Short  string   `json:",omitzero"` // at most 100 characters
	Full   string   `json:",omitzero"` // at most 300 characters
	Former []string `json:",omitzero"` // names the team gave up
	Other  []string `json:",omitzero"` // other names sources use for it
}

// Constituency is whom a team serves.
type Constituency struct {
	Types     []ConstituencyType `json:",omitzero"`
	Sectors   []Word             `json:",omitzero"` // of [Sectors]
	Countries []Country          `json:",omitzero"`
	Text      string             `json:",omitzero"`
}

// ConstituencyType is one kind of constituency and on which side of the host
// organisation it lies.
type ConstituencyType struct {
	Type  Word // of [ConstituencyTypes]
	Scope Word `json:",omitzero"` // of [ConstituencyScopes]; "" is unknown
}

// Resource is something on the Internet that a team is responsible for.
// Exactly one of Prefix, ASN, Domain and Country is set, as Type says.
type Resource struct {
	Type       Word         // of [ResourceTypes]
	Prefix     netip.Prefix `json:",omitzero"`
	ASN        ASN          `json:",omitzero"`
	Domain     Domain       `json:",omitzero"` // covers the names below it
	Country    Country      `json:",omitzero"` // the team is a contact for all of it
	Claim      Word         `json:",omitzero"` // of [Claims]; "" is declared
	Holder     string       `json:",omitzero"` // the organisation that holds it, where it is not the team's host
	Visibility TLP          `json:",omitzero"` // "" is CLEAR
	Origin     Origin       `json:"-"`         // set in a [Team] only
}

// Value returns the resource in the form its parser reads.
func (r Resource) Value() string {
	switch r.Type {
	case "prefix":
		return r.Prefix.String()
	case "asn":
		return r.ASN.String()
	case "domain":
		return string(r.Domain)
	}
	return string(r.Country)
}

// Key identifies the resource within a team.
func (r Resource) Key() string { return r.Type + ":" + r.Value() }

// Contact is one way of reaching a team, as a role: a named person is optional
// and then never CLEAR.
type Contact struct {
	ID         ContactID `json:",omitzero"` // given by [Directory] when empty
	Revision   int       `json:",omitzero"` // grows when what was proven about it no longer holds: on a new channel, value or hours
	Channel    Word      // of [Channels]
	Value      string    // e-mail address, E.164 number or URI, in canonical form
	Uses       []Word    `json:",omitzero"` // of [Uses]; nil is general
	Person     string    `json:",omitzero"` // the person's name, if it is not a role
	Label      string    `json:",omitzero"` // a word for people: "duty officer"
	Hours      Hours     `json:",omitzero"` // zero: the team's hours
	Order      int       `json:",omitzero"` // 0 to 99, lower first among contacts of one use
	Classes    []Word    `json:",omitzero"` // of [IncidentClasses]; nil is all
	Visibility TLP       `json:",omitzero"` // "" is CLEAR
	Since      time.Time `json:",omitzero"` // when this revision was entered or imported
	Vouched    bool      `json:",omitzero"` // an operator or a secretariat entered this revision, see [Team.Vouches]
	Origin     Origin    `json:"-"`         // set in a [Team] only
}

// Key identifies the contact within a team by what it reaches.
func (c Contact) Key() string { return c.Channel + ":" + strings.ToLower(c.Value) }

// Serves reports whether the contact is for use; every contact without uses
// is for general use.
func (c Contact) Serves(use Word) bool {
	if len(c.Uses) == 0 {
		return use == "general"
	}
	for _, u := range c.Uses {
		if u == use {
			return true
		}
	}
	return false
}

// TeamKey is an OpenPGP key that a team publishes.
type TeamKey struct {
	Key
	Visibility TLP    `json:",omitzero"` // "" is CLEAR
	Origin     Origin `json:"-"`         // set in a [Team] only

	// Continuity says of a key that came beside or in place of another that nothing
	// speaks for it: [ContinuityUnproven] or [ContinuityRefused]. Set in a [Team] only.
	Continuity Word `json:"-"`
}

// Section is the text of one section of RFC 2350 appendix D in one language.
type Section struct {
	Number     string   // as in [Sections]: "3.2"
	Language   Language // "en" when a document does not say
	Text       string   // Markdown, at most 64 KiB
	Visibility TLP      `json:",omitzero"` // "" is CLEAR
	Origin     Origin   `json:"-"`         // set in a [Team] only
}

// Membership is a team's place in a forum, with its history.
type Membership struct {
	Forum    string             // the forum's handle: "first", "tf-csirt"
	Type     string             `json:",omitzero"` // the forum's own word: "Full Member"
	Status   Word               // of [MembershipStatuses]
	Sponsors []Handle           `json:",omitzero"`
	Since    Date               `json:",omitzero"`
	Until    Date               `json:",omitzero"`
	History  []MembershipStatus `json:",omitzero"` // older states, oldest first
	Origin   Origin             `json:"-"`         // set in a [Team] only
}

// MembershipStatus is one past state of a [Membership].
type MembershipStatus struct {
	Status Word
	Since  Date `json:",omitzero"`
}

// Designation says that a government named the team for a country: scoped,
// dated and sourced.
type Designation struct {
	Country    Country
	Scope      Word   // of [DesignationScopes]
	By         string `json:",omitzero"` // who designated it
	Evidence   string `json:",omitzero"` // URL of the act or listing
	Since      Date   `json:",omitzero"`
	Until      Date   `json:",omitzero"` // "" is still in force
	Preference int    `json:",omitzero"` // 1 is asked first; 0 is not said, and never decides
	Origin     Origin `json:"-"`         // set in a [Team] only
}

// ActiveAt reports whether the designation is in force on the day of now.
func (d Designation) ActiveAt(now time.Time) bool {
	today := Date(now.UTC().Format(time.DateOnly))
	return (d.Since == "" || d.Since <= today) && (d.Until == "" || d.Until >= today)
}

// Maturity is a SIM3 self-assessment. It is never shown below TLP:RED unless
// the team lowers Visibility.
type Maturity struct {
	Model      string         `json:",omitzero"` // "SIM3 v1", "SIM3 v2 interim"
	By         Word           `json:",omitzero"` // self, peer or auditor
	Assessed   Date           `json:",omitzero"`
	ValidUntil Date           `json:",omitzero"`
	Levels     map[string]int `json:",omitzero"` // parameter ("O-1") to level 0 to 4
	Visibility TLP            `json:",omitzero"` // "" is RED
}

// IsZero reports whether there is no assessment.
func (m Maturity) IsZero() bool { return m.Model == "" && m.Assessed == "" && len(m.Levels) == 0 }

// Origin says where a value comes from.
type Origin struct {
	Source string    // "team", or the name of the imported source
	AsOf   time.Time // the day the source vouches for; zero when it does not say
	At     time.Time // when it was entered or imported here
}

// SourceTeam is the [Origin.Source] of what a team, or somebody on its
// behalf, entered here. No import may use it.
const SourceTeam = "team"

// Layer is what one imported source says about a team.
type Layer struct {
	Source  string    // "dotgov", "national-csirts", "ti" …
	Key     string    // the source's own key for the record
	AsOf    time.Time `json:",omitzero"` // the day the source vouches for
	At      time.Time // when the values were imported
	Hash    string    // of the values, to see at once that nothing changed
	ID      TeamID    `json:",omitzero"` // the team's UUID as the source knows it, where it does
	Dates   Dates     `json:",omitzero"`
	Profile Profile
	Raw     []Raw `json:",omitzero"` // what no field of Profile could take
}

// Dates says since when fields have had their value, by wire name. Fields that
// are not in it have it since the profile was last written.
type Dates map[string]time.Time

// Record is a team as the store keeps it.
type Record struct {
	ID         TeamID
	Handle     Handle
	Revision   int64     // grows by one with each write
	Seq        int64     // number of the change that made this revision, or added evidence
	Created    time.Time //
	Updated    time.Time
	Deleted    time.Time `json:",omitzero"` // zero while the team lives; a tombstone stays
	MergedInto TeamID    `json:",omitzero"` // the team this one became part of
	Own        Profile   // what the team entered
	OwnAt      time.Time `json:",omitzero"`
	OwnBy      string    `json:",omitzero"` // who entered it last
	OwnDates   Dates     `json:",omitzero"`
	Layers     []Layer   `json:",omitzero"` // in order of import

	// Successions are how keys came beside or in place of others, in that order, and
	// FormerKeys those that left, the last first.
	Successions []Succession `json:",omitzero"`
	FormerKeys  []FormerKey  `json:",omitzero"`

	Evidence []Evidence `json:"-"` // newest first; kept beside the record

	// Checks are what followers were told of checks, in the order of checks and
	// subjects; kept beside the record.
	Checks []CheckVerdict `json:"-"`

	// Controls are proofs of control in the order of their domains; kept beside the record.
	Controls []Control `json:"-"`
}

// Team is a team as it is shown: the merge of a [Record]'s layers.
type Team struct {
	ID         TeamID
	Handle     Handle
	Revision   int64
	Seq        int64
	Created    time.Time
	Updated    time.Time
	Deleted    time.Time
	MergedInto TeamID
	Profile
	Origins  map[string]Origin // wire field name → where its value comes from; lists carry theirs in each item
	Sources  []TeamSource      // who says something about the team: itself first, then its layers in order of import
	Evidence []Evidence        // newest first
	Checks   []CheckVerdict    // what checks found, in the order of checks and subjects
	Controls []Control         // proofs that the team controls its domains, in their order

	Successions []Succession // how keys came beside or in place of others
	FormerKeys  []FormerKey  // that were relied on and left, the last first

	Raw      []Raw    // what sources say in their own words, where no field could take it
	Withheld []string // what [Redact] took out, as "contacts" or "keys"
}

// TeamSource is one source that says something about a team.
type TeamSource struct {
	Source string // as in [Origin]
	Key    string // the source's own key for the record; "" for the team itself
	ID     TeamID // the team's UUID as the source knows it; usually ""
}

// Name returns the name to show: the short one, else the full one, else the
// handle.
func (t *Team) Name() string {
	switch {
	case t.Names.Short != "":
		return t.Names.Short
	case t.Names.Full != "":
		return t.Names.Full
	}
	return string(t.Handle)
}

// Live reports whether the team is neither deleted nor merged.
func (t *Team) Live() bool { return t.Deleted.IsZero() && t.MergedInto == "" }

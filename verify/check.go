package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// SubjectKind is what sort of thing a check looks at.
type SubjectKind string

// The kinds of subjects.
const (
	SubjectDomain  SubjectKind = "domain"  // ID is a directory.Domain
	SubjectContact SubjectKind = "contact" // ID is an e-mail address, a URL or a number
	SubjectKey     SubjectKind = "key"     // ID is a fingerprint in upper case hex
)

// Subject is one thing that a check looks at.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	ID   string      `json:"id"`
}

// String returns "kind:id".
func (s Subject) String() string { return string(s.Kind) + ":" + s.ID }

// Check is one way of holding a claim against the world. Checks are values
// listed in verify/catalog; they keep no state
// that a result depends on.
type Check struct {
	// Name is stable and public: "securitytxt". Evidence names it as "check.securitytxt".
	Name string
	// Title says in a few words what is looked at.
	Title string
	// Kinds are the kinds of subjects that the check can be run on by hand.
	Kinds []SubjectKind
	// Claimed says that there is nothing to look at but what a team claims, so
	// that the check is not run by hand unless it is asked for by name.
	Claimed bool
	// Every is how long a conclusion lasts before the check is due again.
	Every time.Duration
	// Applies returns the subjects of a team that the check looks at, each
	// once. It is pure and fast: it runs for each team after each edit.
	Applies func(*directory.Team) []Subject
	// Run looks. An error that is or wraps a *[Trouble] means no conclusion; any
	// other error is taken for trouble of our own. Run does nothing that does not
	// go through the [Network], reads no clock but [Target.Now], and treats all
	// that it gets as hostile.
	Run func(context.Context, Network, Target) (Result, error)
	// Problems is the table of the findings that Run can report.
	Problems []Problem
}

// Target is what one run of a check looks at, and all that it may know beside
// the network's answers. It is part of a [Transcript].
type Target struct {
	Subject  Subject   `json:"subject"`
	Now      time.Time `json:"now"`
	Claims   Claims    `json:"claims,omitzero"`    // what the team says of itself; zero in a check by hand
	Previous []Fact    `json:"previous,omitempty"` // facts of the last conclusion
	Control  *Control  `json:"control,omitempty"`  // the proof of control of the subject, where one was begun
	// Selectors are the DKIM keys that replies have shown, of a [SelectorCheck]; the latest first.
	Selectors []Selector `json:"selectors,omitempty"`
}

// Claims are the parts of a team's profile that checks compare with the world.
// They hold all contacts, hidden ones too: findings must not quote a claim that
// the world does not say itself.
type Claims struct {
	Team      directory.TeamID `json:"team,omitempty"`
	Handle    directory.Handle `json:"handle,omitempty"`
	Name      string           `json:"name,omitempty"`
	Website   string           `json:"website,omitempty"`
	Languages []string         `json:"languages,omitempty"`
	Contacts  []ClaimedContact `json:"contacts,omitempty"`
	Keys      []ClaimedKey     `json:"keys,omitempty"`
	Domains   []string         `json:"domains,omitempty"`
	Controls  []ClaimedControl `json:"controls,omitempty"`
}

// ClaimedContact is one contact of a team.
type ClaimedContact struct {
	ID       directory.ContactID `json:"id"`
	Revision int                 `json:"revision"`
	Channel  string              `json:"channel"`
	Value    string              `json:"value"`
	Uses     []string            `json:"uses,omitempty"`
	Public   bool                `json:"public,omitempty"` // TLP:CLEAR
}

// ClaimedKey is one OpenPGP key of a team, as the directory holds it.
type ClaimedKey struct {
	Fingerprint string `json:"fingerprint"`
	Armor       string `json:"armor"`

	// Continuity says that nothing speaks for a key that came beside or in place of
	// another ([directory.TeamKey]), and Since when it did.
	Continuity string    `json:"continuity,omitempty"`
	Since      time.Time `json:"since,omitzero"`
}

// Trusted reports whether the key may be relied on at now, as far as its succession
// goes ([directory.Team.Trusts]).
func (k *ClaimedKey) Trusted(now time.Time) bool {
	return k.Continuity == "" || k.Continuity == directory.ContinuityUnproven && !now.Before(k.Since.Add(directory.KeyWait))
}

// ClaimedControl is a domain that a team is proving, or has proven, to control.
type ClaimedControl struct {
	Domain string `json:"domain"`
	Digest string `json:"digest"` // of the token, as directory.TokenDigest makes it
}

// ClaimsOf returns what t, not redacted, says of itself.
func ClaimsOf(t *directory.Team) Claims {
	c := Claims{Team: t.ID, Handle: t.Handle, Name: t.Name(), Website: t.Website}
	for _, l := range t.Languages {
		c.Languages = append(c.Languages, string(l))
	}
	for _, o := range t.Contacts {
		c.Contacts = append(c.Contacts, ClaimedContact{ID: o.ID, Revision: o.Revision, Channel: string(o.Channel), Value: o.Value,
			Uses: append([]string(nil), o.Uses...), Public: o.Visibility == "" || o.Visibility == directory.Clear})
	}
	for _, k := range t.Keys {
		claim := ClaimedKey{Fingerprint: string(k.Fingerprint), Armor: k.Armor, Continuity: k.Continuity}
		if s := t.Succession(k.Fingerprint); s != nil && k.Continuity != "" {
			claim.Since = s.At
		}
		c.Keys = append(c.Keys, claim)
	}
	for _, r := range t.Resources {
		if r.Type == "domain" {
			c.Domains = append(c.Domains, string(r.Domain))
		}
	}
	for _, o := range t.Controls {
		c.Controls = append(c.Controls, ClaimedControl{Domain: string(o.Domain), Digest: o.Digest})
	}
	return c
}

// Fact is something that was seen, whether good or bad, by name: "expires",
// "contact", "encryption". A name may occur several times; the order counts.
type Fact struct {
	Name  string    `json:"name"`
	Value string    `json:"value"`
	Since time.Time `json:"since,omitzero"` // set by [Assess]: when it was first seen, after it had not been there; zero: there since before the first look
}

// Result is what a check concluded.
type Result struct {
	Findings []Finding
	Facts    []Fact
	// Until is when the result changes by itself, such as the moment of an
	// Expires, or of a reminder before it; zero: it does not. The check is due then.
	Until time.Time
	// Proofs are what the result proves about contacts of [Target.Claims].
	Proofs []Proof
	// Revocations are what was found that the keys of [Target.Claims] lack.
	Revocations []Revocation
	// Sightings are where keys of [Target.Claims] that nothing speaks for were found.
	Sightings []directory.KeySighting
	// Control is what the check saw of [Target.Control]; nil: nothing that counts.
	Control *Control
}

// Revocation is a copy of a claimed key that the owner has revoked, or a part of
// which. It proves itself to whoever takes it over.
type Revocation struct {
	Fingerprint directory.Fingerprint
	Copy        []byte
}

// Proof is what a check proved about one contact.
type Proof struct {
	Contact  directory.ContactID
	Revision int
	Level    directory.Level
	Lasts    time.Duration // from now; 0: as long as the directory's policy says
	Note     string
}

// Trouble is why a run came to no conclusion.
type Trouble struct {
	Code   Code          // of fetch.*, dns.* or check.*; for people and statistics, never a verdict
	Detail string        // what happened; shown to operators only
	Ours   bool          // our own trouble: no network, no disk, cancelled; says nothing at all of the peer
	Retry  time.Duration // not before then, as a peer's Retry-After asks; 0: as usual
	Err    error
}

// Error returns the code and the detail.
func (t *Trouble) Error() string {
	if t.Err != nil {
		return fmt.Sprintf("%s: %s: %v", t.Code, t.Detail, t.Err)
	}
	return fmt.Sprintf("%s: %s", t.Code, t.Detail)
}

// Unwrap returns what caused the trouble.
func (t *Trouble) Unwrap() error { return t.Err }

package directory

import (
	"net/netip"
	"time"
)

// QueryKind is what somebody asks about.
type QueryKind string

// The kinds of query.
const (
	KindIP          QueryKind = "ip"
	KindCIDR        QueryKind = "cidr"
	KindASN         QueryKind = "asn"
	KindDomain      QueryKind = "domain"
	KindURL         QueryKind = "url"
	KindEmail       QueryKind = "email"
	KindCountry     QueryKind = "country"
	KindFingerprint QueryKind = "fingerprint"
	KindTeam        QueryKind = "team" // handle, UUID or any name
)

// Query is a parsed question. Which fields are set depends on Kind.
type Query struct {
	Text        string // as asked
	Kind        QueryKind
	Addr        netip.Addr   // ip, and a URL whose host is an address
	Prefix      netip.Prefix // cidr
	ASN         ASN
	Domain      Domain // domain, url, email
	Email       Email
	Country     Country
	Fingerprint Fingerprint
	Name        string // team
}

// Ask is who asks for what.
type Ask struct {
	Viewer Principal
	Use    Word // of [Uses]; "" is abuse, then general
	Class  Word // of [IncidentClasses]; "" is any
	Now    time.Time
	Exact  bool // no search for names that look like the one asked for, which reads them all
}

// Status is how a lookup ended.
type Status string

// The statuses. None and Unavailable are never mixed up: None means that
// every step that could be asked was asked.
const (
	StatusMatch       Status = "match"       // the first rung that answered names one team
	StatusNone        Status = "none"        // nobody is known
	StatusAmbiguous   Status = "ambiguous"   // several teams answer alike; nothing was chosen
	StatusUnavailable Status = "unavailable" // could not ask
)

// Rung is a step of the ladder, from the most specific down.
type Rung string

// The rungs in the order they are tried.
const (
	RungFingerprint Rung = "fingerprint" // the key is a team's
	RungMailbox     Rung = "mailbox"     // the address is a team's contact
	RungTeam        Rung = "team"        // handle, id or name
	RungPrefix      Rung = "prefix"      // a team is responsible for the address space
	RungASN         Rung = "asn"         // a team is responsible for the network that originates it
	RungDomain      Rung = "domain"      // a team is responsible for the name or one above it
	RungCountry     Rung = "country"     // a team is responsible for all of a country
	RungNational    Rung = "national"    // a team is designated by a country's government
	RungLastResort  Rung = "last-resort" // the team this instance names for everything else
)

// StepResult is what one step of the trace found.
type StepResult string

// The results.
const (
	StepMatch     StepResult = "match"
	StepAmbiguous StepResult = "ambiguous"
	StepNone      StepResult = "none"
	StepNoContact StepResult = "no_contact" // a team is known and publishes no contact
	StepWithheld  StepResult = "withheld"   // a contact exists that the viewer may not see
	StepMapped    StepResult = "mapped"     // reference data led to another subject
	StepNotLoaded StepResult = "not_loaded" // the reference data for this step is not loaded
	StepInactive  StepResult = "inactive"   // a team is known that no longer operates
	StepNear      StepResult = "near"       // no such name, and some that look like it
)

// Step is one line of the trace. It holds values, not text, so that an answer
// can be built without allocation; [Step.Text] puts it in words.
type Step struct {
	Rung    Rung
	Result  StepResult
	Subject Subject       // what was tried: 193.0.0.1, AS3333, www.example.org, NL
	Found   Subject       // what it matched or was mapped to; zero when nothing
	Team    *Team         // the only team found; nil for none or several
	Count   int           // how many teams were found, those without a contact too
	Exact   bool          // names that look like the one asked for were not looked for
	Set     *ReferenceSet // the reference data that was asked, if any
}

// Subject is one of the things a lookup is about.
type Subject struct {
	Prefix  netip.Prefix // an address is a full-length prefix
	ASN     ASN
	Country Country
	Text    string // domain, address, name, fingerprint
}

// Candidate is one team to contact, and why.
type Candidate struct {
	Team        *Team    // belongs to the index: never change it, and redact it before showing it
	Contact     *Contact // nil when the viewer may see none, or when the team itself was asked for and has none
	Withheld    bool     // a better contact exists that the viewer may not see
	Near        bool     // the name only looks like the one asked for: never to be taken without asking
	Standing    Standing // of Contact
	Rung        Rung
	MatchedOn   Subject      // 192.0.2.0/24, AS64496, example.org, AT
	Rank        int          // from 1; candidates of one rank are undecided
	Holder      string       // the organisation behind what matched, where known
	Claim       Word         // of [Claims], of a resource; "" is declared
	Continuity  Word         // of [TeamKey], of a key
	Designation *Designation // of a national team

	// What checks found about what the answer leans on: the contact, the domain
	// that it is reached by and the team's keys; and about the domain that
	// matched, where that is another one. nil where there are no verdicts. They
	// belong to the index.
	Checks, OnMatch *CheckSummary
}

// Answer is the answer to one query. An Answer may be used again: Lookup
// resets it and keeps its memory.
type Answer struct {
	Query      Query
	Status     Status
	Candidates []Candidate // best first
	Trace      []Step      // every step in the order it was tried
	Incomplete bool        // a step could not be asked, as the trace says
	Seq        int64       // the change the index had reached
	Err        error       // why it is unavailable
}

// Best returns the first candidate with a contact that is not known to fail,
// else the first with any contact, else nil. It says nothing about the other
// candidates of its rank: look at Status before using it.
func (a *Answer) Best() *Candidate {
	var failed *Candidate
	for i := range a.Candidates {
		switch c := &a.Candidates[i]; {
		case c.Contact == nil || c.Near:
		case c.Standing.State != Failed:
			return c
		case failed == nil:
			failed = c
		}
	}
	return failed
}

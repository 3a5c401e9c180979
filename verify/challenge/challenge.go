package challenge

import (
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ID is a challenge's UUID.
type ID string

// CampaignID is a campaign's UUID; "" for challenges that fell due by themselves.
type CampaignID string

// Kind is how a contact is asked to prove itself.
type Kind string

// The kinds.
const (
	KindCode     Kind = "code"     // a code from the mail, typed on the answer page
	KindNonce    Kind = "nonce"    // a code or nonce that only the key opens
	KindSigned   Kind = "signed"   // a reply signed by the stored key
	KindBoth     Kind = "both"     // encrypted to the key, and the reply signed by it
	KindDrill    Kind = "drill"    // unannounced, within promised hours
	KindWebhook  Kind = "webhook"  // a team's automation signs an answer
	KindPhone    Kind = "phone"    // an operator calls
	KindImported Kind = "imported" // another registrar asked, and passes on the result
)

// Kinds returns every kind.
func Kinds() []Kind {
	return []Kind{KindCode, KindNonce, KindSigned, KindBoth, KindDrill, KindWebhook, KindPhone, KindImported}
}

// ByMail reports whether the question goes out as a mail.
func (k Kind) ByMail() bool {
	switch k {
	case KindCode, KindNonce, KindSigned, KindBoth, KindDrill:
		return true
	}
	return false
}

// NeedsKey reports whether only a team with an OpenPGP key can answer.
func (k Kind) NeedsKey() bool { return k == KindNonce || k == KindSigned || k == KindBoth }

// Level returns the level that a full answer proves.
func (k Kind) Level() directory.Level {
	switch k {
	case KindNonce, KindSigned, KindBoth:
		return directory.Proven
	case KindDrill:
		return directory.Drilled
	}
	return directory.Answered
}

// State is where a challenge stands.
type State string

// The states. Answered and closed are final.
const (
	StateScheduled State = "scheduled" // its moment is yet to come
	StateSent      State = "sent"      // handed over, and nothing known of its arrival
	StateDelivered State = "delivered" // arrived: a delivery report, an automatic reply, or two days without a bounce
	StateBounced   State = "bounced"   // came back once; it goes out again on another day
	StateReminded  State = "reminded"  // arrived or not, and a reminder went after it
	StateExpired   State = "expired"   // the window is over; a late answer still counts
	StateEscalated State = "escalated" // others were told
	StateAnswered  State = "answered"  // proven, at Challenge.Reached
	StateClosed    State = "closed"    // over without proof, for the reason in Challenge.Outcome
)

// States returns every state, in the order of a life.
func States() []State {
	return []State{StateScheduled, StateSent, StateDelivered, StateBounced, StateReminded, StateExpired, StateEscalated,
		StateAnswered, StateClosed}
}

// Final reports whether nothing leads out of s.
func (s State) Final() bool { return s == StateAnswered || s == StateClosed }

// Outcome is why a challenge was closed without proof.
type Outcome string

// The outcomes.
const (
	OutcomeUnanswered    Outcome = "unanswered"
	OutcomeUndeliverable Outcome = "undeliverable" // came back on two days
	OutcomeNotSent       Outcome = "not-sent"      // our relay would not take it: our trouble, not theirs
	OutcomeWrongAddress  Outcome = "wrong-address" // whoever reads the mailbox says that it isn't the team's
	OutcomeSuperseded    Outcome = "superseded"    // the contact changed
	OutcomeWithdrawn     Outcome = "withdrawn"     // the team left the directory
	OutcomeStopped       Outcome = "stopped"       // by an operator, or with its campaign
)

// Challenge is one question to one contact, as it is stored. Values are never
// changed in place: [Step] returns a new one.
type Challenge struct {
	ID       ID                  `json:"id"`
	Team     directory.TeamID    `json:"team"`
	Contact  directory.ContactID `json:"contact"`
	Revision int                 `json:"revision"` // of the contact: an answer proves nothing about another
	Channel  directory.Word      `json:"channel"`
	Address  string              `json:"address"` // the contact's value at that revision
	Campaign CampaignID          `json:"campaign,omitempty"`
	Kind     Kind                `json:"kind"`
	Policy   string              `json:"policy"`        // its name
	Key      string              `json:"key,omitempty"` // fingerprint of the key that must sign or open, in hex
	Calendar Calendar            `json:"calendar,omitzero"`
	Parent   ID                  `json:"parent,omitempty"`  // the challenge whose silence led to this one
	Subject  string              `json:"subject,omitempty"` // the subject token: a handle, no secret

	State    State     `json:"state"`
	Outcome  Outcome   `json:"outcome,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	Due      time.Time `json:"due"`               // when it is to go out
	Until    time.Time `json:"until,omitzero"`    // the end of its campaign, where there is one: tokens die with it
	Sent     time.Time `json:"sent,omitzero"`     // handed over
	Accepted time.Time `json:"accepted,omitzero"` // the relay took the first mail: the clock starts
	Arrived  time.Time `json:"arrived,omitzero"`  // first sign that it arrived
	Opened   time.Time `json:"opened,omitzero"`   // first GET of the answer page, by whomever
	Replied  time.Time `json:"replied,omitzero"`  // first plain reply
	Auto     time.Time `json:"auto,omitzero"`     // first automatic reply
	Quick    time.Time `json:"quick,omitzero"`    // first act that came within [QuickWithin]
	Human    time.Time `json:"human,omitzero"`    // first act of a person
	Proof    time.Time `json:"proof,omitzero"`    // first proof of level 3 or more
	Answered time.Time `json:"answered,omitzero"` // when what was asked for was proven
	Closed   time.Time `json:"closed,omitzero"`   // when it was closed without

	Reached  directory.Level `json:"reached"`          // the highest level proven so far
	Proofs   []Proved        `json:"proofs,omitempty"` // what was proven, each method once, by method
	Postings []Posting       `json:"postings,omitempty"`
	Bounces  []Bounce        `json:"bounces,omitempty"`   // hard ones; older ones of the same address are put in when it is made
	Rung     int             `json:"rung,omitempty"`      // how many steps of the escalation ladder were taken
	Call     *Call           `json:"call,omitempty"`      // a call that waits for a second operator
	CallMe   time.Time       `json:"call_me,omitzero"`    // the contact asks to be called
	Disputed time.Time       `json:"disputed,omitzero"`   // a reader says that the address is not the team's
	Paused   time.Time       `json:"paused,omitzero"`     // since when; zero while it runs
	PausedBy string          `json:"paused_by,omitempty"` // the operator who wants it so; "" for a campaign that stands still, or an opt-out
	Held     time.Duration   `json:"held,omitempty"`      // for how long it was paused before
	OptedOut time.Time       `json:"opted_out,omitzero"`
	Seen     []string        `json:"seen,omitempty"` // ids of the newest events that must not count twice
}

// Posting is one mail of a challenge. Its secrets are stored as digests only.
type Posting struct {
	Step     string    `json:"step"` // "first", "again", "reminder-1", "code-1": at most one mail for each
	Asked    time.Time `json:"asked"`
	Accepted time.Time `json:"accepted,omitzero"`  // by the relay
	Delayed  time.Time `json:"delayed,omitzero"`   // when it was last reported that it has not arrived yet
	Lost     bool      `json:"lost,omitempty"`     // it was given up on the way, for a reason that is not the address
	Issue    Issue     `json:"issue,omitzero"`     // set by [Challenge.WithIssue]
	Attempts int       `json:"attempts,omitempty"` // wrong codes
	Used     time.Time `json:"used,omitzero"`      // its code was typed right: it counts once
}

// Proved is what one method proved.
type Proved struct {
	Method string          `json:"method"`
	Level  directory.Level `json:"level"`
	At     time.Time       `json:"at"`
}

// Bounce is one permanent failure of delivery.
type Bounce struct {
	Step   string    `json:"step"` // of which mail; "older" for one of an earlier challenge
	At     time.Time `json:"at"`
	Status string    `json:"status,omitempty"` // the enhanced status code (RFC 3463)
}

// Call is an operator's telephone call as it was logged.
type Call struct {
	Operator    string    `json:"operator"`
	Number      string    `json:"number"` // as dialled
	At          time.Time `json:"at"`
	Reached     bool      `json:"reached"`     // a person of the team answered and read back the code
	Unannounced bool      `json:"unannounced"` // within promised hours and without notice
	Raw         string    `json:"raw,omitempty"`
}

// Open reports whether the challenge still waits for something.
func (c *Challenge) Open() bool { return !c.State.Final() }

// IdempotencyKey names the one mail of a step: the unique key of its row in the outbox.
func (c *Challenge) IdempotencyKey(step string) string { return string(c.ID) + "/" + step }

// Posting returns the mail of a step, or nil.
func (c *Challenge) Posting(step string) *Posting {
	for i := range c.Postings {
		if c.Postings[i].Step == step {
			return &c.Postings[i]
		}
	}
	return nil
}

// WithIssue returns c with the digests of the secrets that the mail of step
// carries. The step must be one that [Step] asked for.
func (c Challenge) WithIssue(step string, issue Issue) Challenge {
	c = c.clone()
	if p := c.Posting(step); p != nil {
		p.Issue = issue
	}
	return c
}

// clone copies what Step may change behind a slice or pointer.
func (c Challenge) clone() Challenge {
	c.Proofs = slices.Clone(c.Proofs)
	c.Postings = slices.Clone(c.Postings)
	c.Bounces = slices.Clone(c.Bounces)
	c.Seen = slices.Clone(c.Seen)
	if c.Call != nil {
		call := *c.Call
		c.Call = &call
	}
	return c
}

// Schedule returns a new challenge of kind for a contact. The caller gives it an
// id, a subject token, and a campaign where there is one.
func Schedule(id ID, team *directory.Team, contact *directory.Contact, kind Kind, policy Policy, due time.Time) Challenge {
	return Challenge{ID: id, Team: team.ID, Contact: contact.ID, Revision: contact.Revision, Channel: contact.Channel,
		Address: contact.Value, Kind: kind, Policy: policy.Name, Calendar: CalendarOf(team, contact, policy.Holidays),
		State: StateScheduled, Due: due}
}

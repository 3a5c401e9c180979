package challenge

import (
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Effect is something to do because of a step: one of [Mail], [Webhook],
// [Record], [Flag], [Case], [Escalate] and [Announce]. Effects are data. Whoever drives the machine writes them in the
// transaction that stores the challenge, and carries them out afterwards.
type Effect interface {
	fmt.Stringer
	effect()
}

// Letter is which text a mail has.
type Letter string

// The letters.
const (
	LetterFirst    Letter = "first"
	LetterReminder Letter = "reminder"
	LetterCode     Letter = "code" // a new code, because the old one was mistyped too often
	LetterPost     Letter = "post" // no mail: a [Question] that is posted to an endpoint
)

// Mail asks for one mail to the challenged contact. The sender makes new
// secrets for it ([Key.Issue]) and keeps their digests ([Challenge.WithIssue]).
type Mail struct {
	Letter Letter
	Step   string // as in [Posting]
	Key    string // the idempotency key: unique in the outbox
	Last   bool   // no further mail will follow
}

// Webhook asks for a signed POST of the challenge to the contact's endpoint.
type Webhook struct {
	Step string // as in [Posting]
	Key  string // the idempotency key
}

// Record asks for evidence.
type Record struct {
	Level    directory.Level
	Outcome  directory.Outcome
	Method   string // "challenge.code" …
	At       time.Time
	Until    time.Time // zero: as long as the policy of the directory says
	By       string    // "" is this instance
	Note     string
	Raw      string
	Key      string // the evidence's own unique key: a repeated step writes it once
	Machine  bool   // it proves that the team's automation answers, and says nothing of people
	Contact  directory.ContactID
	Revision int
}

// FlagKind is what a contact is marked with.
type FlagKind string

// The flags.
const (
	FlagUnanswered    FlagKind = "unanswered"
	FlagTemporarily   FlagKind = "temporarily-unanswered"
	FlagUnreachable   FlagKind = "unreachable" // to be shown in public once an operator confirmed it
	FlagUndeliverable FlagKind = "undeliverable"
	FlagOptOut        FlagKind = "opt-out-asked"
	FlagNone          FlagKind = "" // takes the flags of challenges off
)

// Flag marks the contact.
type Flag struct{ Flag FlagKind }

// CaseKind is why an operator is asked to look.
type CaseKind string

// The kinds of cases.
const (
	CaseCall         CaseKind = "call"          // the kind of the challenge, or the ladder, asks for a call
	CasePleaseCall   CaseKind = "please-call"   // the contact asks for a call
	CaseApprove      CaseKind = "approve-call"  // a second operator is to approve
	CaseWrongAddress CaseKind = "wrong-address" //
	CaseOptOut       CaseKind = "opt-out"       // nobody is let off silently
	CaseOtherKey     CaseKind = "other-key"     // a reply proven by a key that is not the stored one
	CaseLocked       CaseKind = "locked"        // codes guessed wrong until no mail was left
	CaseUnsendable   CaseKind = "unsendable"    // our own mail does not get out
	CaseUnreachable  CaseKind = "unreachable"   // the end of the ladder
)

// CaseKinds returns all kinds of cases.
func CaseKinds() []CaseKind {
	return []CaseKind{CaseCall, CasePleaseCall, CaseApprove, CaseWrongAddress, CaseOptOut, CaseOtherKey, CaseLocked, CaseUnsendable, CaseUnreachable}
}

// Case opens a case for the operator; one of a kind for each challenge.
type Case struct {
	Kind CaseKind
	Note string
}

// Escalate asks for the next who is to know. The driver finds out who that is;
// where there is nobody, the next rung comes at its own time.
type Escalate struct {
	To   Recipient
	Rung int
}

// Announce tells followers (events, webhooks of this instance) of a change of state.
type Announce struct {
	From, To State
	Outcome  Outcome
}

func (Mail) effect()     {}
func (Webhook) effect()  {}
func (Record) effect()   {}
func (Flag) effect()     {}
func (Case) effect()     {}
func (Escalate) effect() {}
func (Announce) effect() {}

// String returns a short form, as it stands in logs and in the table of transitions.
func (m Mail) String() string { return "mail:" + m.Step }

// String returns a short form.
func (Webhook) String() string { return "webhook" }

// String returns a short form.
func (r Record) String() string { return fmt.Sprintf("record:%d:%s", r.Level, r.Method) }

// String returns a short form.
func (f Flag) String() string {
	if f.Flag == FlagNone {
		return "flag:none"
	}
	return "flag:" + string(f.Flag)
}

// String returns a short form.
func (c Case) String() string { return "case:" + string(c.Kind) }

// String returns a short form.
func (e Escalate) String() string { return "escalate:" + string(e.To) }

// String returns a short form.
func (a Announce) String() string { return "announce:" + string(a.To) }

package challenge

import (
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// EventKind is what happened.
type EventKind string

// The kinds of events. Which fields of [Event] each needs is said beside it.
const (
	// Timers: [Challenge.Next] says when. Too early, they change nothing.
	EventDue      EventKind = "due"           // the moment to ask has come
	EventSettled  EventKind = "settled"       // nothing came back for long enough
	EventResend   EventKind = "resend-due"    // another day after a bounce
	EventReminder EventKind = "reminder-due"  //
	EventDeadline EventKind = "deadline-past" // the window, a rung of the ladder, or the end

	// Of the relay and of delivery reports: Step.
	EventAccepted     EventKind = "accepted"      // the relay took the mail
	EventDeferred     EventKind = "deferred"      // the relay will take it later
	EventRefused      EventKind = "refused"       // refused for good because of the address; Status
	EventUnsendable   EventKind = "unsendable"    // given up because of ourselves
	EventBounced      EventKind = "bounced"       // came back for good; Status
	EventDelayed      EventKind = "delayed"       // a report of delay, or a temporary failure
	EventDeliveredDSN EventKind = "delivered-dsn" // a report of delivery (RFC 3461 NOTIFY=SUCCESS)

	// Of the contact.
	EventOpened       EventKind = "opened"         // the answer page was fetched
	EventCodeRight    EventKind = "code-right"     // Step, Sealed, Raw
	EventCodeWrong    EventKind = "code-wrong"     // Step
	EventCodeAsked    EventKind = "code-asked"     // a new code, after too many wrong ones
	EventPlainReply   EventKind = "plain-reply"    // Raw
	EventAutoReply    EventKind = "auto-reply"     // Raw
	EventProof        EventKind = "proof"          // By, Key, Raw
	EventConfirmed    EventKind = "confirmed"      // "still right", in one click: freshness, no proof
	EventWrongAddress EventKind = "wrong-address"  // with the right code
	EventPleaseCall   EventKind = "please-call"    // with the right code
	EventWebhook      EventKind = "webhook-answer" // Raw
	EventOptOut       EventKind = "opt-out"        //

	// Of operators and other registrars.
	EventCall         EventKind = "phone-result"   // Call
	EventCallApproved EventKind = "phone-approved" // Operator: another than the one who called
	EventCallRejected EventKind = "phone-rejected" // Operator
	EventImported     EventKind = "imported"       // Level, Source, Raw
	EventPaused       EventKind = "paused"
	EventResumed      EventKind = "resumed"
	EventStopped      EventKind = "stopped"
	EventUnreachable  EventKind = "unreachable-confirmed" // Operator: nobody answers there

	// Of the directory.
	EventContactChanged EventKind = "contact-changed"
	EventTeamWithdrawn  EventKind = "team-withdrawn"
)

// EventKinds returns every kind of event.
func EventKinds() []EventKind {
	return []EventKind{EventDue, EventSettled, EventResend, EventReminder, EventDeadline,
		EventAccepted, EventDeferred, EventRefused, EventUnsendable, EventBounced, EventDelayed, EventDeliveredDSN,
		EventOpened, EventCodeRight, EventCodeWrong, EventCodeAsked, EventPlainReply, EventAutoReply, EventProof,
		EventConfirmed, EventWrongAddress, EventPleaseCall, EventWebhook, EventOptOut,
		EventCall, EventCallApproved, EventCallRejected, EventImported, EventPaused, EventResumed, EventStopped, EventUnreachable,
		EventContactChanged, EventTeamWithdrawn}
}

// ProofBy is what a reply proved.
type ProofBy string

// The proofs of a reply.
const (
	ProofNonce  ProofBy = "nonce"  // it has what only the key opens
	ProofSigned ProofBy = "signed" // the stored key signed it, nonce inside
	ProofBoth   ProofBy = "both"
)

// Event is something that happened to a challenge.
type Event struct {
	ID   string    // unique for each happening, the same for its duplicates; "" is not remembered
	Kind EventKind //
	At   time.Time // when it happened; zero is the time of the step

	Step     string // of which mail: [Posting.Step]; "" is the first
	Status   string // enhanced status code (RFC 3463); of a reply, why its signature proves nothing ([mail.Refusal])
	Lost     bool   `json:",omitempty"` // of a delay: there will be no other try
	Raw      string // SHA-256 of the stored raw evidence, in hex
	By       ProofBy
	Key      string // fingerprint of the key that signed or opened, in hex
	Sealed   bool   // the code stood in the encrypted part only
	Quoted   bool   // the nonce of a proof stands in quoted lines only: a program may have sent it
	Quick    bool   `json:",omitempty"` // it came so soon after its mail that a program may have sent it ([QuickWithin])
	Operator string
	Call     *Call
	Level    directory.Level // of an imported result
	Source   string          // the registrar of an imported result

	// Origin is what speaks for where a mail came from. It decides nothing.
	Origin *mail.Authentication `json:",omitempty"`
}

// origin says it in one line, for evidence.
func (e *Event) origin() string {
	if e.Origin == nil {
		return ""
	}
	return e.Origin.String()
}

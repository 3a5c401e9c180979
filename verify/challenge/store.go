package challenge

import (
	"context"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Store keeps challenges, what happened to them, and the mails that are to go
// out. Both engines of package store implement it.
//
// Implementations MUST write all of what a function given to Challenges writes,
// or nothing; MUST let no two such functions see the same state and both write; and
// MUST give a mail to one claimant at a time.
type Store interface {
	// Challenges runs fn in a transaction. It may run fn again when the engine
	// asks for that.
	Challenges(ctx context.Context, fn func(Tx) error) error
	// Challenge returns one; [directory.NotFound] where there is none.
	Challenge(context.Context, ID) (Challenge, error)
	// ChallengeByToken returns the one whose link has the token of a digest.
	ChallengeByToken(context.Context, Digest) (Challenge, error)
	// ChallengeBySubject returns the one with a subject token.
	ChallengeBySubject(ctx context.Context, subject string) (Challenge, error)
	// ListChallenges returns those that pass, newest first unless the filter says otherwise.
	ListChallenges(context.Context, ListFilter) ([]Challenge, error)
	// LastAsked returns how it stands with the contacts of a team that were ever asked; ""
	// is of all teams.
	LastAsked(context.Context, directory.TeamID) (map[directory.ContactID]LastAsked, error)
	// DueChallenges returns those whose next timer has fired, the longest due first.
	DueChallenges(ctx context.Context, now time.Time, limit int) ([]ID, error)
	// ChallengeLog returns what happened to one, oldest first.
	ChallengeLog(context.Context, ID) ([]Logged, error)
	// ListCases returns what operators are asked to look at, oldest first.
	ListCases(context.Context, CaseFilter) ([]OpenCase, error)
	// Campaign returns one; [directory.NotFound] where there is none.
	Campaign(context.Context, CampaignID) (Campaign, error)
	// Campaigns returns those that pass, newest first.
	Campaigns(context.Context, CampaignFilter) ([]Campaign, error)
	// Marks returns what the contacts of a team are marked with, and all that opted out, who may be
	// listed by the team too; "" is of all teams.
	Marks(context.Context, directory.TeamID) ([]Mark, error)
	// Consents reports whether a team lets others see how quickly it answers.
	Consents(context.Context, directory.TeamID) (bool, error)
	// DeskFigures counts what waits now.
	DeskFigures(context.Context) (DeskFigures, error)
	// Stopped reports whether the kill switch is on: nothing is sent to anybody.
	Stopped(context.Context) (bool, error)
	// ClaimMails leases mails that are to go out, the longest due first; or questions
	// to endpoints, whose letter is [LetterPost].
	ClaimMails(context.Context, ClaimMails) ([]OutMail, error)
	// Outgoing tells how a claimed mail stands, just before it is handed over.
	Outgoing(context.Context, OutMail) (Outgoing, error)
	// NextMail returns when a mail is to go out next; the zero time for none.
	NextMail(context.Context) (time.Time, error)
	HookStore
	NoticeStore
	HistoryStore
	TellingStore
}

// Tx is one transaction on challenges.
type Tx interface {
	Challenge(ID) (Challenge, error)
	// OpenChallenge returns what a contact is being asked, false for nothing.
	OpenChallenge(directory.ContactID) (Challenge, bool, error)
	// PutChallenge writes one, and when its next timer fires.
	PutChallenge(c Challenge, next time.Time) error
	// LogEvent adds what happened, and what came of it.
	LogEvent(id ID, at time.Time, e Event, effects []Effect) error
	// PostMail adds a mail to the outbox, unless its key is there.
	PostMail(OutMail) error
	// HoldMails makes the waiting mails of a question due at another time, but for those that
	// somebody has a lease of: whoever has it may be handing one over.
	HoldMails(ID, time.Time) error
	// HeldMails returns the questions with a mail to an address that is due at a moment.
	HeldMails(address string, due time.Time) ([]ID, error)
	// SettleMail ends the lease of a mail: it is done, or due again. It reports
	// whether the lease was still the claimant's.
	SettleMail(m OutMail, again time.Time) (bool, error)
	// KeepMail makes the lease of a mail last until another time. It reports whether the
	// lease was still the claimant's.
	KeepMail(m OutMail, until time.Time) (bool, error)
	PutLink(Digest, ID) error
	// OpenCase opens a case of a kind for a challenge, or opens it again. To the note of one
	// that is open it adds what is new.
	OpenCase(id ID, c Case, at time.Time) error
	// Case returns one, open or closed, false for none.
	Case(id ID, kind CaseKind) (OpenCase, bool, error)
	// CloseCase closes one, and reports whether it was open.
	CloseCase(id ID, kind CaseKind, by string, at time.Time) (bool, error)
	// MarkContact marks a contact, or takes the mark off. A mark of an opt-out stays: it is
	// taken off by AllowContact alone.
	MarkContact(c *Challenge, flag FlagKind, at time.Time) error
	// AllowContact takes the mark of an opt-out off, unless another case about one is open,
	// and reports whether the contact has none any more.
	AllowContact(c *Challenge) (free bool, err error)
	// Prove writes evidence with its change and audit entry, unless an item of
	// its id is there already.
	Prove(team directory.TeamID, e directory.Evidence) error
	// KeepRaw keeps the raw evidence that a hash names, compressed.
	KeepRaw(hash string, at time.Time, data []byte) error
	// SeeSelector notes that a valid signature by a DKIM key has come. The [verify.MaxSelectors]
	// latest of a domain are kept.
	SeeSelector(verify.Selector) error
	// Sent tells what was sent before, and who has said stop: no more than matters under
	// caps.
	Sent(c *Challenge, caps Caps, now time.Time) (History, error)
	Campaign(CampaignID) (Campaign, error)
	PutCampaign(Campaign) error
	// PutConsent notes that a team lets others see how quickly it answers, or does no more.
	PutConsent(team directory.TeamID, given bool, by string, at time.Time) error
	// Note writes down who did what, under the next number of the one sequence. Its subject
	// is "campaign:UUID", "challenge:UUID", "webhook:UUID", or "consent:UUID" of a team.
	Note(directory.AuditEntry) error
	HookTx
	NoticeTx
	TellingTx
}

// ListFilter says which challenges are listed.
type ListFilter struct {
	Team     directory.TeamID    // "" is all
	Contact  directory.ContactID // "" is all
	Campaign CampaignID          // "" is all
	Open     bool                // only those that wait
	Since    time.Time           // created at or after; zero is all
	Before   time.Time           // created before; zero is all
	BeforeID ID                  // with Before: of those created at that moment, the ones after this id
	Oldest   bool                // the oldest first, in place of the newest
	After    time.Time           // with Oldest: those that follow the one created at After with the id AfterID
	AfterID  ID                  //
	Limit    int
}

// LastAsked is how it stands with the questions to a contact.
type LastAsked struct {
	Open bool      // one waits
	At   time.Time // when the newest went out; zero where none did, or our own relay would not take it
}

// CampaignFilter says which campaigns are listed.
type CampaignFilter struct {
	Before   time.Time  // planned before; zero is all
	BeforeID CampaignID // with Before: of those planned at that moment, the ones after this id
	Limit    int
}

// CaseFilter says which cases are listed.
type CaseFilter struct {
	Closed bool      // those that are closed, in place of those that are open
	After  *OpenCase // the last one of the page before; nil is the first page
	Limit  int
}

// Logged is one line of a challenge's log.
type Logged struct {
	N       int       `json:"n"`
	At      time.Time `json:"at"`
	Event   Event     `json:"event"`
	Effects []string  `json:"effects,omitempty"`
}

// OpenCase is what an operator is asked to look at.
type OpenCase struct {
	Challenge ID               `json:"challenge"`
	Team      directory.TeamID `json:"team"`
	Kind      CaseKind         `json:"kind"`
	Opened    time.Time        `json:"opened"`
	Closed    time.Time        `json:"closed,omitzero"`
	ClosedBy  string           `json:"closed_by,omitempty"`
	Note      string           `json:"note,omitempty"`
}

// DeskFigures is how much waits.
type DeskFigures struct {
	Open  int // questions
	Mails int // to be handed over
	Posts int // to endpoints: notices and questions
	Cases int // for operators
}

// Mark is what a contact is marked with by challenges.
type Mark struct {
	Contact   directory.ContactID
	Team      directory.TeamID
	Flag      FlagKind
	At        time.Time
	Challenge ID     // that led to it
	Address   string // that was asked, in lower case; "" where that was not kept
}

// Of reports whether a mark is that of a contact. An opt-out is that of its address too,
// whichever contacts have it.
func (m *Mark) Of(c *directory.Contact) bool {
	mailbox, _ := MailTo(c.Value)
	return m.Contact == c.ID || m.Flag == FlagOptOut && m.Address != "" && m.Address == mailbox
}

// OutMail is a mail that is to go out, once. It holds no secret: these are made
// of Salt and of the server's key each time that it is tried.
type OutMail struct {
	Key       string // [Challenge.IdempotencyKey]
	Challenge ID
	Step      string
	Letter    Letter
	Last      bool
	Salt      string
	Address   string // in lower case
	Domain    string
	Created   time.Time
	Due       time.Time // when to try
	Attempt   int       // claims so far; the fence of the lease
}

// Outgoing is how a claimed mail stands just before it is handed over.
type Outgoing struct {
	Question Challenge
	Mine     bool // the lease is still the claimant's
	Stopped  bool // the kill switch is on
	Halted   bool // its campaign is, or was aborted: the question may not have been told yet
	OptedOut bool // its contact or address has, by whatever question
}

// ClaimMails asks for mails.
type ClaimMails struct {
	N     int
	Owner string // who asks, for people; not empty, since a lease without an owner is none
	Now   time.Time
	Lease time.Duration
	Posts bool // questions to endpoints in place of mails
}

// MailTo returns a contact's address and its domain in the form in which mails
// are counted.
func MailTo(address string) (mailbox, domain string) {
	mailbox = strings.ToLower(address)
	return mailbox, mailbox[strings.LastIndexByte(mailbox, '@')+1:]
}

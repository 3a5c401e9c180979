// Package web is the pages that people see in a browser. So far that is the
// answer page of a challenge ([Page]): a contact opens the link of its mail, types
// the code that the mail shows, and says who it is.
//
// Three rules shape the page. Looking at it changes nothing and shows nothing
// sensitive, because mail scanners look at every link. An answer needs what the
// link has not, the code, and a choice that nobody made for the reader, because
// scanners submit forms too. And it works with a keyboard alone, on a telephone,
// without scripts, in six languages, since it may be opened at night by somebody
// who never heard of us.
//
// The page knows no challenges: it asks an [Answers], which [Desk] is for a real
// desk. Beside it stands the page on which a reader stops the mails, or a mail
// program does in one click (RFC 8058). They set no cookies, so there
// is no session that another site could ride on (see [Page]).
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Answers is what the page asks. Implementations must be safe for concurrent use.
//
// Show must change nothing but a note that the page was fetched. Answer must
// check the code against the token and count every wrong one; both must take
// about the same time whether a token is known or not. An error means that
// nothing could be found out; everything else is a [View] or [Result].
type Answers interface {
	Show(ctx context.Context, token string) (View, error)
	Answer(ctx context.Context, token, code string, choice Choice, meta Meta) (Result, error)
}

// Notices is what the pages of notices ask, on the terms of [Answers]: the page on which a team says that nothing
// has changed, and the one on which it wants no more notices. Looking must change nothing, and a
// confirmation must count once.
type Notices interface {
	LookNotice(ctx context.Context, token string) (View, error)
	ConfirmNotice(ctx context.Context, token string, meta Meta) (Result, error)
	SilenceNotices(ctx context.Context, token string, meta Meta) (Result, error)
}

// Status is what the page can be about.
type Status string

// The statuses.
const (
	Open    Status = "open"
	Locked  Status = "locked"  // the code was typed wrong too often
	Expired Status = "expired" //
	Used    Status = "used"    // answered, or closed
	Unknown Status = "unknown"
)

// View is what the page may show before an answer: nothing of it is secret, for
// whoever has the link may be a machine.
type View struct {
	Status   Status
	Team     string    // the name of the team as everybody may see it; "" shows none
	Language string    // BCP 47: what the team prefers; "" is unknown
	Expires  time.Time // when the link stops working
	Confirm  bool      // "still right" in one click is offered beside the code
	NewCode  bool      // a new code can be had (when locked)
}

// Choice is what the reader says.
type Choice string

// The choices. The first three need the code.
const (
	ForTeam      Choice = "team"          // "I answer for team X"
	WrongAddress Choice = "wrong-address" // "this address is not theirs"
	PleaseCall   Choice = "please-call"   // "call us instead"
	Confirm      Choice = "confirm"       // "still right", freshness alone
	NewCode      Choice = "new-code"      // "send me another code", to the same address as ever
	Stop         Choice = "stop"          // "no more mails", from the page of its own
)

func (c Choice) needsCode() bool { return c == ForTeam || c == WrongAddress || c == PleaseCall }

func (c Choice) known() bool { return c.needsCode() || c == Confirm || c == NewCode }

// Meta is who answered, for the log of attempts.
type Meta struct {
	Client   netip.Addr
	Agent    string // of the browser, at most 200 octets
	Language string
	At       time.Time
}

// Said is what became of an answer.
type Said string

// What can become of an answer.
const (
	SaidTaken   Said = "taken"   // by its choice: proven, noted, a call is arranged, a new code is on its way
	SaidMore    Said = "more"    // taken, and a reply proven by the key is still awaited
	SaidWrong   Said = "wrong"   // the code was wrong; Left says how often it may be tried
	SaidLocked  Said = "locked"  //
	SaidExpired Said = "expired" //
	SaidUsed    Said = "used"    //
	SaidUnknown Said = "unknown" //
	SaidNothing Said = "open"    // nothing came of it, since it is not offered: the form is shown again

	// Where a new code was asked for, and none is on its way.
	SaidElsewhere Said = "elsewhere" // another mail has one that works
	SaidSpent     Said = "spent"     // no more are sent: an operator is told
)

// Result is what became of an answer, with what is needed to show the page again.
type Result struct {
	Said Said
	Left int // attempts, after a wrong code
	View View
}

// Config is what a [Page] needs.
type Config struct {
	Answers  Answers
	Notices  Notices                        // nil: there are no pages of notices
	Operator string                         // who asks, as readers know it: "Example Forum"
	Client   func(*http.Request) netip.Addr // the address of the reader; nil takes the connection's
	Now      func() time.Time               // nil is time.Now
	Log      *slog.Logger                   // nil logs nothing
	Rate     Rate                           // zero is [DefaultRate]
}

// Rate is how often one client may look and answer.
type Rate struct {
	Looks   int // a minute
	Answers int // a minute
}

// DefaultRate lets an office behind one address answer for all its teams, and
// makes guessing pointless: a code has 40 bits and five attempts anyway.
func DefaultRate() Rate { return Rate{Looks: 120, Answers: 20} }

// ErrConfig is returned by [New] for a Config that lacks something.
var ErrConfig = errors.New("web: no Answers, or no Operator")

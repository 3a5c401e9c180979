package mail

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ErrLetter is a letter that must not be sent as it is: a mistake of the caller's,
// or a value that is none of those that may stand in a mail.
var ErrLetter = errors.New("mail: letter")

// Kind is what a letter asks for.
type Kind string

// The kinds of letters.
const (
	KindCode       Kind = "code"       // type the code from the mail on a page
	KindNonce      Kind = "nonce"      // decrypt, and type or send back what was inside
	KindSigned     Kind = "signed"     // send back the nonce in a signed reply
	KindBoth       Kind = "both"       // decrypt, and send back the nonce signed and encrypted
	KindDrill      Kind = "drill"      // as Of, within the promised hours, unannounced
	KindReminder   Kind = "reminder"   // Of is still asked for
	KindEscalation Kind = "escalation" // to the next contact: Of was asked of another, who did not answer
	KindDigest     Kind = "digest"     // what about a team needs attention; asks for no proof
	KindSilent     Kind = "silent"     // to a sponsor or secretariat: which teams do not answer; asks for no proof
	KindConfirm    Kind = "confirm"    // one click says that nothing has changed; proves nothing
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{KindCode, KindNonce, KindSigned, KindBoth, KindDrill, KindReminder, KindEscalation, KindDigest, KindSilent, KindConfirm}
}

// Repeats tells whether a kind asks for what Letter.Of says.
func (k Kind) Repeats() bool {
	return k == KindDrill || k == KindReminder || k == KindEscalation
}

// Letter is a mail to be made. Everything in it is of a fixed alphabet: no text that a
// user entered can stand in a mail.
type Letter struct {
	ID        string // names the mail in its return path and message id: a-z, 0-9 and dashes, 48 at most
	Kind      Kind
	Of        Kind   // of a drill, reminder or escalation: code, nonce, signed or both
	Language  string // a BCP 47 tag; one without templates falls back to English
	To        string // the contact's address
	Key       string // the team's certificate, armoured: the mail is encrypted to it; "": it is not
	Handle    string // of the team
	Domain    string // of the team or contact; "": none is named
	Tag       string // in the subject, as [ROLLCALL-TAG]: 8 characters of Crockford's base32
	Token     string // in the reply address: letters and digits of any case, 16 to 54
	Code      string // to be typed on the page; only in the body, never in a URL
	Nonce     string // to be decrypted or signed
	Link      string // the page of the answer, https; none of a letter that asks nothing
	Stop      string // the page for "stop writing to this address", https
	Deadline  time.Time
	Date      time.Time // when it is made; it is in the mail
	InReplyTo string    // the ID of the letter that a reminder repeats; "": none
	Items     []Item    // of a digest, or of a letter about silent teams
	Older     int       // of a digest: things that still stand and were in an earlier one; of a letter about silent teams: how many follow in the next
}

// Item is a thing in a digest. Title and Advice are of the table of codes, and of nobody else.
type Item struct {
	Code    string    `json:"code"` // of a finding
	Group   Group     `json:"group,omitempty"`
	Subject string    `json:"subject"` // an address, domain, fingerprint or handle
	Title   string    `json:"title,omitempty"`
	Advice  string    `json:"advice,omitempty"`
	Due     time.Time `json:"due,omitzero"`
	Asks    bool      `json:"asks,omitempty"` // whether the contact is still right
	Last    time.Time `json:"last,omitzero"`  // when somebody last said so; zero: nobody ever did
}

// Group is what an item of a digest is about.
type Group string

// The groups of items, in the order in which they stand in a mail.
const (
	GroupContact     Group = "contact"
	GroupKey         Group = "key"
	GroupSecurityTxt Group = "securitytxt"
	GroupOther       Group = ""
)

func groups() []Group { return []Group{GroupContact, GroupKey, GroupSecurityTxt, GroupOther} }

const (
	maxURL   = 200
	maxItems = 50
	maxProse = 500 // octets of a title or advice
)

// MaxSubject is how long the subject of an item is at most.
const MaxSubject = 254

// MaxItems is how many items a digest has at most.
const MaxItems = maxItems

var (
	handleForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,63}$`) // as directory.ParseHandle has it
	codeForm    = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-?[0-9A-HJKMNP-TV-Z]{4}$`)
	nonceForm   = regexp.MustCompile(`^[0-9A-Za-z-]{16,64}$`)
	itemCode    = regexp.MustCompile(`^[a-z0-9]+(?:[.-][a-z0-9]+)*$`)
	itemSubject = regexp.MustCompile(`^[A-Za-z0-9.@:_+/-]{1,254}$`)
	urlForm     = regexp.MustCompile(`^https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/[A-Za-z0-9/._~?=&-]*$`)
)

// asks is what a letter asks for in the end.
func (l Letter) asks() Kind {
	if l.Kind.Repeats() {
		return l.Of
	}
	return l.Kind
}

// check refuses a letter with anything in it that must not be there, or without what it needs.
func (l Letter) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %s: %s", ErrLetter, l.ID, fmt.Sprintf(format, args...))
	}
	if !letterID.MatchString(l.ID) {
		return fmt.Errorf("%w: the id %q", ErrLetter, l.ID)
	}
	switch {
	case !handleForm.MatchString(l.Handle):
		return bad("the handle %q", l.Handle)
	case !subjectTag.MatchString(l.Tag):
		return bad("the tag %q", l.Tag)
	case l.Date.IsZero():
		return bad("no date")
	case l.InReplyTo != "" && !letterID.MatchString(l.InReplyTo):
		return bad("it replies to %q", l.InReplyTo)
	case !goodURL(l.Link) && (l.Kind != KindSilent || l.Link != "") || l.Stop != "" && !goodURL(l.Stop):
		return bad("a link is no plain https URL of %d characters at most", maxURL)
	}
	if l.Domain != "" {
		if d, err := directory.ParseDomain(l.Domain); err != nil || string(d) != l.Domain {
			return bad("the domain %q", l.Domain)
		}
	}
	if err := l.checkItems(); err != nil {
		return err
	}
	return l.checkProof()
}

// checkProof looks at what the proof needs.
func (l Letter) checkProof() error {
	ask := l.asks()
	var why string
	switch ask {
	case KindDigest, KindSilent, KindConfirm:
		return nil
	case KindCode:
		if !codeForm.MatchString(l.Code) {
			why = "no code of eight characters of Crockford's base32"
		}
	case KindNonce, KindSigned, KindBoth:
		if !nonceForm.MatchString(l.Nonce) {
			why = "no nonce of 16 to 64 letters and digits"
		}
	default:
		why = fmt.Sprintf("nothing can be asked for as %q of %q", l.Kind, l.Of)
	}
	switch {
	case why != "":
	case (ask == KindNonce || ask == KindBoth) && l.Key == "":
		why = "an encrypted nonce needs the team's key"
	case !replyToken.MatchString(l.Token):
		why = "no token of 16 to 54 letters and digits"
	case l.Deadline.IsZero():
		why = "no deadline"
	case l.leaks():
		why = "what is to be typed stands in a URL or the reply address, where prefetchers and loggers read it"
	}
	if why != "" {
		return fmt.Errorf("%w %s: %s", ErrLetter, l.ID, why)
	}
	return nil
}

// Names reports whether a text is of the form of a handle: the only names that stand in mails.
func Names(s string) bool { return handleForm.MatchString(s) }

// leaks tells whether the secret is in anything that machines follow or log.
func (l Letter) leaks() bool {
	places := strings.ToUpper(strings.ReplaceAll(l.Link+" "+l.Stop+" "+l.Token+" "+l.ID+" "+l.Tag, "-", ""))
	for _, s := range []string{l.Code, l.Nonce} {
		if s = strings.ToUpper(strings.ReplaceAll(s, "-", "")); s != "" && strings.Contains(places, s) {
			return true
		}
	}
	return false
}

func (l Letter) checkItems() error {
	if (l.Kind == KindDigest || l.Kind == KindSilent) && len(l.Items) == 0 || len(l.Items) > maxItems {
		return fmt.Errorf("%w %s: %d items, want 1 to %d", ErrLetter, l.ID, len(l.Items), maxItems)
	}
	for _, i := range l.Items {
		if !itemCode.MatchString(i.Code) || !slices.Contains(groups(), i.Group) || !itemSubject.MatchString(i.Subject) {
			return fmt.Errorf("%w %s: the item %q about %q", ErrLetter, l.ID, i.Code, i.Subject)
		}
		if prose := i.Title + i.Advice; len(i.Title) > maxProse || len(i.Advice) > maxProse || clean(prose) != nil || strings.Contains(prose, "\n") {
			return fmt.Errorf("%w %s: what is said of the item %q", ErrLetter, l.ID, i.Code)
		}
	}
	return nil
}

func goodURL(s string) bool {
	if len(s) > maxURL || !urlForm.MatchString(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.User == nil
}

// Mail is a letter made: what is handed to a relay, and kept until it was.
type Mail struct {
	ID        string // of the letter
	MessageID string // without brackets
	From      string // the return path
	To        string
	Raw       []byte // RFC 5322, CRLF, seven bits, signed
	Subject   string // as the reader sees it, decoded; of an encrypted mail the inner one
	Text      string // as the reader sees it
	Encrypted bool
}

package challenge

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Recipient is who hears of silence.
type Recipient string

// The recipients of an escalation.
const (
	ToNextContact    Recipient = "next-contact"
	ToRepresentative Recipient = "representative"
	ToSponsor        Recipient = "sponsor"
	ToOperator       Recipient = "operator" // who is to call
	ToSecretariat    Recipient = "secretariat"
	ToNobody         Recipient = "" // only the flag
)

// Recipients returns everybody a rung can name.
func Recipients() []Recipient {
	return []Recipient{ToNextContact, ToRepresentative, ToSponsor, ToOperator, ToSecretariat, ToNobody}
}

// Rung is one step of the escalation ladder.
type Rung struct {
	At   Delay     `json:"at"` // after the relay accepted the question
	To   Recipient `json:"to,omitempty"`
	Flag FlagKind  `json:"flag,omitempty"`
}

// Lasts says how long proof of each level counts.
type Lasts struct {
	Deliverable Delay `json:"deliverable,omitzero"`
	Answered    Delay `json:"answered,omitzero"`
	Proven      Delay `json:"proven,omitzero"`
	Drilled     Delay `json:"drilled,omitzero"`
}

func (l Lasts) of(level directory.Level) Delay {
	switch level {
	case directory.Deliverable:
		return l.Deliverable
	case directory.Answered:
		return l.Answered
	case directory.Proven:
		return l.Proven
	case directory.Drilled:
		return l.Drilled
	}
	return Delay{}
}

// Caps are the most mails to send within an hour and a day. Zero is no cap.
type Caps struct {
	AddressDay  int `json:"address_day,omitempty"` // to one address, from all teams that list it
	DomainHour  int `json:"domain_hour,omitempty"` // to one domain
	DomainDay   int `json:"domain_day,omitempty"`
	OverallHour int `json:"overall_hour,omitempty"` // from this instance
}

// Quiet are hours of the day, on the wall of the team, in which nothing is
// sent to a team that does not promise to be there. From and To are minutes
// after midnight; From after To runs over midnight; equal is never.
type Quiet struct{ From, To int }

// Policy says how often contacts are asked, how long they have, who hears of
// silence, and how long proof lasts. Its JSON form is what operators write.
type Policy struct {
	Name      string           `json:"name"`
	About     string           `json:"about,omitempty"`
	Interval  Delay            `json:"interval"`            // from one proof to the next question
	Again     Delay            `json:"again"`               // the least time between two questions to one contact: 14 days or more
	Window    Delay            `json:"window"`              // in which the answer is due
	Reminders []Delay          `json:"reminders,omitempty"` // after the relay accepted the question
	Ladder    []Rung           `json:"ladder,omitempty"`    // what follows silence
	Close     Delay            `json:"close"`               // after which no answer counts
	Settle    Delay            `json:"settle,omitzero"`     // without a bounce for this long, a mail was delivered; zero is two days
	Drill     Delay            `json:"drill,omitzero"`      // of promised hours, in which a drill must be answered; zero is 2h
	Minimum   directory.Level  `json:"minimum"`             // what a contact must prove: 0 to 4
	Kind      Kind             `json:"kind"`                // how to ask; a contact without a key is asked by code
	Quiet     Quiet            `json:"quiet,omitzero"`
	Holidays  []directory.Date `json:"holidays,omitempty"`  // of the instance
	MaxMails  int              `json:"max_mails,omitempty"` // to one contact for one question: 1 to 4; 0 is 4
	Caps      Caps             `json:"caps,omitzero"`
	Lasts     Lasts            `json:"lasts"`
	Digest    bool             `json:"digest,omitempty"`  // contacts that are due are listed in the notices to their team, see [Policy.Digests]
	Confirm   bool             `json:"confirm,omitempty"` // "still right" in one click counts as freshness
	Notices   Delay            `json:"notices,omitzero"`  // the least time between two notices to a team, a week or more; zero is a week
}

const mostMails = 4

func (p Policy) mails() int {
	if p.MaxMails <= 0 || p.MaxMails > mostMails {
		return mostMails
	}
	return p.MaxMails
}

func (p Policy) settle() Delay {
	if p.Settle.IsZero() {
		return Delay{Clock: 48 * time.Hour}
	}
	return p.Settle
}

func (p Policy) drill() Delay {
	if p.Drill.IsZero() {
		return Delay{Clock: 2 * time.Hour}
	}
	return p.Drill
}

func (p Policy) notices() time.Duration {
	return max(leastNotices, p.Notices.rough())
}

// String returns the form "22:00-07:00"; "" for never.
func (q Quiet) String() string {
	if q == (Quiet{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", q.From/60, q.From%60, q.To/60, q.To%60)
}

// MarshalText writes the text form.
func (q Quiet) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText reads the text form.
func (q *Quiet) UnmarshalText(text []byte) error {
	*q = Quiet{}
	if len(text) == 0 {
		return nil
	}
	from, to, ok := strings.Cut(string(text), "-")
	f, errF := time.Parse("15:04", from)
	t, errT := time.Parse("15:04", to)
	if !ok || errF != nil || errT != nil {
		return errQuiet
	}
	*q = Quiet{f.Hour()*60 + f.Minute(), t.Hour()*60 + t.Minute()}
	return nil
}

package challenge

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// CampaignState is where a campaign stands.
type CampaignState string

// The states of a campaign.
const (
	CampaignPlanned CampaignState = "planned" // may still be changed
	CampaignRunning CampaignState = "running"
	CampaignHalted  CampaignState = "halted" // stopped for now; it can be resumed
	CampaignDone    CampaignState = "done"   // every question came to its end
	CampaignAborted CampaignState = "aborted"
)

// Campaign asks many contacts within one announced window.
type Campaign struct {
	ID     CampaignID    `json:"id"`
	Name   string        `json:"name"`
	Policy string        `json:"policy"`         // its name
	Kind   Kind          `json:"kind,omitempty"` // "" is what [Choose] says for each contact
	Scope  Scope         `json:"scope,omitzero"`
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	State  CampaignState `json:"state"`

	Created time.Time    `json:"created,omitzero"`
	By      string       `json:"by,omitempty"`
	Filled  bool         `json:"filled,omitempty"`  // every contact has its question, or is in Skipped
	Skipped map[Skip]int `json:"skipped,omitempty"` // contacts that are not asked, by why
	Pending EventKind    `json:"pending,omitempty"` // what its open questions are still to be told
	Since   time.Time    `json:"since,omitzero"`    // of Pending, or of the state

	// Secret decides each contact's moment. Who knows it knows all moments, so it
	// stays on the server until the campaign is over; then anybody may check that
	// nobody was favoured.
	Secret []byte        `json:"secret,omitempty"`
	Halted time.Time     `json:"halted,omitzero"` // since when
	Held   time.Duration `json:"held,omitempty"`  // for how long it stood still before; To is that much later than announced
}

// ErrCampaign is the error of a campaign that can't be as it is asked for.
var ErrCampaign = errors.New("challenge: campaign")

// mostWindow is how long a campaign's window may be.
const mostWindow = 366 * 24 * time.Hour

// problems returns what is wrong with a campaign by itself.
func (c *Campaign) problems() []directory.Problem {
	var x policyChecker
	x.add(c.Name == "" || len([]rune(c.Name)) > 200, CodeCampaignName, "/name", c.Name, "a campaign has a name", "1 to 200 characters")
	x.add(!c.From.Before(c.To), CodeCampaignWindow, "/to", c.To.Format(time.RFC3339), "the window ends before it begins", "a time after "+c.From.Format(time.RFC3339))
	x.add(c.To.Sub(c.From) > mostWindow, CodeCampaignWindow, "/to", c.To.Format(time.RFC3339), "the window is longer than a year", "at most 366 days after its beginning")
	return x.found
}

// Check returns [ErrCampaign] with the reason where c can't be run.
func (c Campaign) Check() error {
	if found := c.problems(); len(found) > 0 {
		return fmt.Errorf("%w: %s", ErrCampaign, found[0].Reason)
	}
	if len(c.Secret) < leastKey {
		return fmt.Errorf("%w: the secret has fewer than %d octets", ErrCampaign, leastKey)
	}
	return nil
}

// NewSecret makes a campaign's secret.
func NewSecret(random io.Reader) ([]byte, error) {
	secret := make([]byte, leastKey)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, fmt.Errorf("challenge: randomness: %w", err)
	}
	return secret, nil
}

// Moment returns when a contact is asked: a moment drawn from the campaign's
// secret and the contact, evenly over the working time of its team within the
// window. A team that promises to be there around the clock may be asked at any
// time; a drill comes within promised hours. False means that the window has no
// such time. Nothing but the secret and the contact's id goes into the draw, so
// nobody is favoured by place in a list, name or time zone. A halt does not alter
// it: the time that the campaign stood still is no part of the window, and whoever
// asks at the moment adds it.
func (c Campaign) Moment(contact directory.ContactID, calendar Calendar, kind Kind) (time.Time, bool) {
	if kind == KindDrill && !calendar.promised() {
		return time.Time{}, false
	}
	open := calendar.Open(c.From, c.To.Add(-c.Held))
	var total time.Duration
	for _, s := range open {
		total += s.To.Sub(s.From)
	}
	if total < time.Second {
		return time.Time{}, false
	}
	at := c.draw(contact, uint64(total/time.Second))
	for _, s := range open {
		if length := s.To.Sub(s.From); at >= length {
			at -= length
			continue
		}
		return s.From.Add(at).UTC().Truncate(time.Second), true
	}
	return time.Time{}, false
}

// draw returns a number of whole seconds below n: HKDF-SHA256 (RFC 5869) with
// the campaign as salt and the contact as info. The remainder of 64 bits by a
// year of seconds favours nobody by more than one in 10^11.
func (c Campaign) draw(contact directory.ContactID, n uint64) time.Duration {
	out, err := hkdf.Key(sha256.New, c.Secret, []byte(c.ID), "rollcall moment "+string(contact), 8)
	if err != nil {
		panic("challenge: " + err.Error()) // eight octets are never too many
	}
	return time.Duration(binary.BigEndian.Uint64(out)%n) * time.Second
}

// Start makes a planned campaign run. Of a window that has begun, what is left is
// the window: else all whose moment has passed would be asked at once.
func (c Campaign) Start(now time.Time) (Campaign, error) {
	switch {
	case c.State != CampaignPlanned:
		return c, fmt.Errorf("%w: %s, and only a planned one can start", ErrCampaign, c.State)
	case !c.To.After(now):
		return c, fmt.Errorf("%w: its window is over", ErrCampaign)
	}
	c.State, c.From = CampaignRunning, later(c.From, now.Truncate(time.Second))
	return c, c.Check()
}

// Halt stops c for now. Each of its open challenges takes the event that is returned.
func (c Campaign) Halt(now time.Time) (Campaign, EventKind, error) {
	if c.State != CampaignRunning {
		return c, "", fmt.Errorf("%w: %s, and only a running one can be halted", ErrCampaign, c.State)
	}
	c.State, c.Halted = CampaignHalted, now
	return c, EventPaused, nil
}

// Resume lets c go on, with a window that is longer by as long as it stood still.
func (c Campaign) Resume(now time.Time) (Campaign, EventKind, error) {
	if c.State != CampaignHalted {
		return c, "", fmt.Errorf("%w: %s, and only a halted one can be resumed", ErrCampaign, c.State)
	}
	still := max(0, now.Sub(c.Halted))
	c.State, c.Halted, c.Held, c.To = CampaignRunning, time.Time{}, c.Held+still, c.To.Add(still)
	return c, EventResumed, nil
}

// Abort ends c for good.
func (c Campaign) Abort() (Campaign, EventKind, error) {
	if c.State == CampaignDone || c.State == CampaignAborted {
		return c, "", fmt.Errorf("%w: over already", ErrCampaign)
	}
	c.State = CampaignAborted
	return c, EventStopped, nil
}

// Progress is how far a campaign has come.
type Progress struct {
	Total     int             `json:"total"`
	States    map[State]int   `json:"states"`
	Outcomes  map[Outcome]int `json:"outcomes"`
	Levels    map[int]int     `json:"levels"`    // the highest level reached, of those that were asked
	Asked     int             `json:"asked"`     // no longer scheduled
	Over      int             `json:"over"`      // answered or closed
	Mails     int             `json:"mails"`     // asked for, reminders included
	Accepted  int             `json:"accepted"`  // mails that the relay took
	Bounced   int             `json:"bounced"`   // contacts with at least one bounce
	Automatic int             `json:"automatic"` // contacts that sent an automatic reply
	Quick     int             `json:"quick"`     // contacts of which something came within [QuickWithin] that looks like the act of a person
	Paused    int             `json:"paused"`
	Next      time.Time       `json:"next,omitzero"` // when the next one is due
}

// Count adds up the challenges of a campaign. The states add up to the total,
// and so do outcomes, those answered and those open.
func Count(challenges []Challenge) Progress {
	p := Progress{States: map[State]int{}, Outcomes: map[Outcome]int{}, Levels: map[int]int{}}
	for i := range challenges {
		p.add(&challenges[i])
	}
	return p
}

func (p *Progress) add(c *Challenge) {
	p.Total++
	p.States[c.State]++
	if c.State == StateScheduled {
		if p.Next.IsZero() || c.Due.Before(p.Next) {
			p.Next = c.Due
		}
	} else {
		p.Asked++
		p.Levels[int(c.Reached)]++
	}
	if c.State.Final() {
		p.Over++
	}
	if c.Outcome != "" {
		p.Outcomes[c.Outcome]++
	}
	for i := range c.Postings {
		p.Mails++
		p.Accepted += count(!c.Postings[i].Accepted.IsZero())
	}
	p.Bounced += count(len(c.Bounces) > 0)
	p.Automatic += count(!c.Auto.IsZero())
	p.Quick += count(!c.Quick.IsZero())
	p.Paused += count(!c.Paused.IsZero())
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Published returns the secret in hex once c is over, so that anybody may check the
// draw; "" before that.
func (c Campaign) Published() string {
	if c.State != CampaignDone && c.State != CampaignAborted {
		return ""
	}
	return hex.EncodeToString(c.Secret)
}

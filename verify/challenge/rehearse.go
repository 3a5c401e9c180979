package challenge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// Rehearsal is what a campaign would do.
type Rehearsal struct {
	Contacts int          `json:"contacts"` // that would be asked by mail
	Mails    int          `json:"mails"`    // all that they, and others in their place, could get
	Calls    int          `json:"calls"`    // contacts that an operator would call
	Kinds    map[Kind]int `json:"kinds"`    // contacts by how they would be asked
	Skipped  map[Skip]int `json:"skipped,omitempty"`
	Failed   int          `json:"failed,omitempty"` // mails that could not be made
}

// Turn is which mail of a question one is.
type Turn string

// The turns.
const (
	TurnQuestion Turn = "question"
	TurnReminder Turn = "reminder" // nobody has answered
	TurnNewCode  Turn = "new-code" // after five wrong codes
	TurnAgain    Turn = "again"    // the first one came back
)

// Rehearsed is one mail that a contact of a campaign, or another one in its place, could get.
type Rehearsed struct {
	Contact int       // the number of the contact, from 1, in the order of the rehearsal
	N       int       // the number of the mail for that contact, from 1, in the order of At
	Turn    Turn      // or the [Recipient] of a rung, for a mail to somebody else
	At      time.Time // the earliest moment at which it would go out: caps are left out
	Asked   Challenge // the question to the contact
	To      string    // the address that gets the mail
	Mail    mail.Mail
	Err     error // why it can't be made; then Mail is empty
}

// RehearseCampaign makes every mail that could go out because of a campaign, as it would: the questions and, unless
// firstOnly, their reminders, what follows a bounce or five wrong codes, and what the rungs of the ladder send
// to other contacts, sponsors and secretariats. Each is handed to each, contact by contact. It sends and stores nothing: the links, codes
// and return paths of these mails are of questions that there are not.
func (n *Notifier) RehearseCampaign(ctx context.Context, p directory.Principal, id CampaignID, firstOnly bool, each func(*Rehearsed) error) (Rehearsal, error) {
	s := n.cfg.Sender
	d := s.cfg.Desk
	r := Rehearsal{Kinds: map[Kind]int{}, Skipped: map[Skip]int{}}
	c, err := d.cfg.Store.Campaign(ctx, id)
	if err != nil {
		return r, err
	}
	if err := directory.MayRunCampaign(p, c.forumOf()); err != nil {
		return r, err
	}
	out, err := d.optedOut(ctx, "")
	if err != nil {
		return r, err
	}
	return r, d.draw(ctx, &c, func(_ *directory.Contact, q *drawn, skip Skip) error {
		if skip != "" {
			r.Skipped[skip]++
			return ctx.Err()
		}
		r.Kinds[q.challenge.Kind]++
		if !q.challenge.Kind.ByMail() {
			r.Calls++
			return ctx.Err()
		}
		r.Contacts++
		l := life{notifier: n, policy: q.policy, out: &out, asked: rehearsalOf(q.challenge)}
		if err := l.live(ctx, firstOnly); err != nil {
			return err
		}
		for i := range l.mails {
			m := &l.mails[i]
			one := Rehearsed{Contact: r.Contacts, N: i + 1, Turn: m.turn, At: m.at, Asked: q.challenge, To: m.to}
			one.Mail, one.Err = m.render()
			if one.Err != nil {
				r.Failed++
			} else {
				r.Mails++
			}
			if err := each(&one); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// rehearsalSpace is what the questions of rehearsals are named in.
var rehearsalSpace = uuid.MustParse("7d2a4a35-5a0f-4a6e-9f39-5d4c2b1e8c60")

// rehearsalOf is a question with an id that no question has: a mail that is found on a disk must not
// be worth anything to whoever finds it, be it for a bounce.
func rehearsalOf(c Challenge) Challenge {
	c.ID = ID(uuid.NewSHA1(rehearsalSpace, []byte(c.ID)).String())
	return c
}

// rehearsalNotice is the id of a notice with which the same holds.
func rehearsalNotice(id NoticeID) NoticeID {
	kind, rest, _ := strings.Cut(string(id), "-")
	return NoticeID(kind + "-" + uuid.NewSHA1(rehearsalSpace, []byte(rest)).String())
}

// rehearse makes one mail of a question.
func (s *Sender) rehearse(c Challenge, m Mail, policy Policy, at time.Time) (mail.Mail, error) {
	if c.Posting(m.Step) == nil {
		return mail.Mail{}, fmt.Errorf("%w: the question of %s is not asked by mail", ErrDesk, c.Contact)
	}
	salt := "rehearsal " + string(c.ID)
	_, issue, err := s.cfg.Desk.secrets(&c, m.Step, salt, c.Expiry(policy, at))
	if err != nil {
		return mail.Mail{}, err
	}
	c = c.WithIssue(m.Step, issue)
	letter, err := s.letter(&c, &OutMail{Key: m.Key, Challenge: c.ID, Step: m.Step, Letter: m.Letter, Salt: salt, Created: at})
	if err != nil {
		return mail.Mail{}, err
	}
	return s.cfg.Composer.Render(letter)
}

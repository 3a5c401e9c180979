package challenge

import (
	"context"
	"fmt"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// Rehearsal is what a campaign would do.
type Rehearsal struct {
	Mails   int          `json:"mails"`
	Calls   int          `json:"calls"`             // contacts that an operator would call
	Kinds   map[Kind]int `json:"kinds"`             // contacts by how they would be asked
	Skipped map[Skip]int `json:"skipped,omitempty"` // contacts that would not be asked
	Failed  int          `json:"failed,omitempty"`  // mails that could not be made
}

// Rehearse makes the first mail of each contact of a campaign as it would go out, and
// hands it to each with its question, or the error for which it can't be made. It sends
// and stores nothing: links and codes in these mails lead nowhere.
func (s *Sender) Rehearse(ctx context.Context, p directory.Principal, id CampaignID, each func(*Challenge, mail.Mail, error) error) (Rehearsal, error) {
	d := s.cfg.Desk
	r := Rehearsal{Kinds: map[Kind]int{}, Skipped: map[Skip]int{}}
	c, err := d.cfg.Store.Campaign(ctx, id)
	if err != nil {
		return r, err
	}
	if err := directory.MayRunCampaign(p, c.forumOf()); err != nil {
		return r, err
	}
	return r, d.draw(ctx, &c, func(_ *directory.Contact, q *drawn, skip Skip) error {
		if skip != "" {
			r.Skipped[skip]++
			return nil
		}
		r.Kinds[q.challenge.Kind]++
		if !q.challenge.Kind.ByMail() {
			r.Calls++
			return nil
		}
		asked, m, err := s.rehearse(q)
		if err != nil {
			r.Failed++
		} else {
			r.Mails++
		}
		return each(&asked, m, err)
	})
}

// rehearse makes the first mail of one question.
func (s *Sender) rehearse(q *drawn) (Challenge, mail.Mail, error) {
	c, _ := Step(q.challenge, Event{ID: "rehearsal", Kind: EventDue}, q.challenge.dueAt(), q.policy)
	salt := "rehearsal " + string(c.ID)
	_, issue, err := s.cfg.Desk.secrets(&c, StepFirst, salt, c.Expiry(q.policy, c.Due))
	if err != nil {
		return c, mail.Mail{}, err
	}
	if c.Posting(StepFirst) == nil {
		return c, mail.Mail{}, fmt.Errorf("%w: the question of %s is not asked by mail", ErrDesk, c.Contact)
	}
	c = c.WithIssue(StepFirst, issue)
	letter, err := s.letter(&c, &OutMail{Key: c.IdempotencyKey(StepFirst), Challenge: c.ID, Step: StepFirst, Letter: LetterFirst, Salt: salt, Created: c.Due})
	if err != nil {
		return c, mail.Mail{}, err
	}
	m, err := s.cfg.Composer.Render(letter)
	return c, m, err
}

package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// The codes of items in a letter about teams that do not answer.
const (
	itemUnanswered    = "contact.unanswered"
	itemUndeliverable = "contact.undeliverable"
)

// tellAtOnce is how much is looked at in one go.
const tellAtOnce = 2000

// Tell decides which sponsors and secretariats get a letter about teams that do not answer: one a day
// each, with all that there is to say, which then waits for [Notifier.Send]. It returns how many do.
func (n *Notifier) Tell(ctx context.Context) (decided int, err error) {
	d := n.cfg.Sender.cfg.Desk
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	list, err := d.cfg.Store.Untold(ctx, tellAtOnce)
	if err != nil {
		return 0, err
	}
	var errs []error
	for len(list) > 0 && ctx.Err() == nil {
		recipient := list[0].Recipient
		end := slices.IndexFunc(list, func(t Telling) bool { return t.Recipient != recipient })
		if end < 0 {
			end = len(list)
		}
		done, err := d.tellOne(ctx, recipient, list[:end])
		if err != nil { // the others go on
			errs = append(errs, fmt.Errorf("letter to %s: %w", recipient, err))
		}
		if done {
			decided++
		}
		list = list[end:]
	}
	return decided, errors.Join(append(errs, ctx.Err())...)
}

// ears is who listens for a recipient now; contact is nil where nobody does.
type ears struct {
	team    *directory.Team
	contact *directory.Contact
	policy  Policy
}

func (d *Desk) earsOf(ctx context.Context, recipient string) (e ears, err error) {
	var marks []Mark
	var state NoticeState
	if id, ok := strings.CutPrefix(recipient, toTeam); ok {
		if marks, err = d.cfg.Store.Marks(ctx, directory.TeamID(id)); err != nil {
			return e, err
		}
		if state, err = d.cfg.Store.NoticeState(ctx, directory.TeamID(id)); err != nil {
			return e, err
		}
	}
	team, contacts := d.listener(recipient, marks, &state)
	if len(contacts) == 0 {
		return e, nil
	}
	e = ears{team: team, contact: contacts[0]}
	if e.policy, err = d.holds("", team, e.contact); errors.Is(err, ErrNoPolicy) {
		e.policy, _ = Preset(PresetYearly)
		err = nil
	}
	return e, err
}

// tellOne decides the letter to one recipient, and reports whether there is one.
func (d *Desk) tellOne(ctx context.Context, recipient string, list []Telling) (decided bool, err error) {
	e, err := d.earsOf(ctx, recipient)
	if err != nil {
		return false, err
	}
	salt, subject, err := d.seeds()
	if err != nil {
		return false, err
	}
	now := d.now()
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		decided = false
		said, things, err := d.sift(tx, &e, list, now)
		if err != nil || len(things) == 0 {
			return err
		}
		if ok, err := d.mayNotify(tx, &draft{team: e.team, contact: e.contact, policy: e.policy}, now); err != nil || !ok {
			return err
		}
		letter, err := d.letterAbout(&e, recipient, things, now, salt, subject)
		if err != nil {
			return err
		}
		if decided, err = tx.PostNotice(letter); err != nil || !decided {
			return err
		}
		for _, t := range said {
			if slices.ContainsFunc(letter.Things, func(x Thing) bool { return x.Key == string(t.Challenge) }) {
				t.Letter = letter.ID
				if err := tx.Told(t); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return decided && err == nil, err
}

// sift returns what is to be told, and gives the rest up: where there is nothing to tell any more, and where nobody
// can be written to, of which an operator hears.
func (d *Desk) sift(tx Tx, e *ears, list []Telling, now time.Time) (said []Telling, things []Thing, err error) {
	for _, t := range list {
		c, err := tx.Challenge(t.Challenge)
		if err != nil {
			return nil, nil, err
		}
		team, _, _ := d.find(c.Team, c.Contact)
		switch {
		case team == nil || !c.unanswered():
			t.Letter = letterVoid
		case e.contact == nil || t.Tries >= tellTries:
			t.Letter = letterNone
			note := fmt.Sprintf("rung %d: %s is to know, and can't be written to", t.Rung, d.nameOf(t.Recipient))
			if err := tx.OpenCase(c.ID, Case{Kind: CaseUnreachable, Note: note}, now); err != nil {
				return nil, nil, err
			}
		default:
			said = append(said, t)
			if thing := silence(team, &c); !slices.ContainsFunc(things, func(x Thing) bool { return x.Key == thing.Key }) {
				things = append(things, thing)
			}
			continue
		}
		if err := tx.Told(t); err != nil {
			return nil, nil, err
		}
	}
	return said, things, nil
}

// unanswered reports whether the time to answer has passed without the answer.
func (c *Challenge) unanswered() bool {
	return whenOf(c.State) == late || c.Outcome == OutcomeUnanswered || c.Outcome == OutcomeUndeliverable
}

// silence says that a question was not answered. A contact that not everybody may see is not named.
func silence(team *directory.Team, c *Challenge) Thing {
	item := mail.Item{Code: itemUnanswered, Group: mail.GroupContact, Subject: string(team.Handle), Due: c.clock()}
	if c.Undeliverable() {
		item.Code = itemUndeliverable
	}
	anybody := directory.Nobody()
	for i := range team.Contacts {
		if k := &team.Contacts[i]; k.ID == c.Contact && anybody.Sees(k.Visibility, team) && subjectForm.MatchString(c.Address) {
			item.Subject += "/" + c.Address
		}
	}
	return Thing{Key: string(c.ID), Item: item}
}

// nameOf is a recipient for people.
func (d *Desk) nameOf(recipient string) string {
	if id, ok := strings.CutPrefix(recipient, toTeam); ok {
		if team, ok := d.cfg.Index().Team(directory.TeamID(id)); ok {
			return "the sponsor " + string(team.Handle)
		}
		return "a sponsor that is gone"
	}
	return strings.TrimSuffix("the secretariat "+strings.TrimPrefix(recipient, toForum), " ")
}

// letterAbout makes the row of a letter about teams that do not answer.
func (d *Desk) letterAbout(e *ears, recipient string, things []Thing, now time.Time, salt, subject string) (TeamNotice, error) {
	n := TeamNotice{ID: letterTo(recipient, now), Team: e.team.ID, Recipient: recipient, Contact: e.contact.ID, Revision: e.contact.Revision, Policy: e.policy.Name,
		Things: things[:min(len(things), mail.MaxItems)], Older: max(0, len(things)-mail.MaxItems), Expires: now.Add(noticeLasts), Subject: subject, Salt: salt, Created: now, Due: now}
	slices.SortFunc(n.Things, func(a, b Thing) int { return strings.Compare(a.Item.Subject, b.Item.Subject) })
	n.Address, n.Domain = MailTo(e.contact.Value)
	token, err := d.cfg.Key.noticeToken(&n)
	if err != nil {
		return n, err
	}
	n.Lookup, err = d.cfg.Key.noticeLookup(token)
	return n, err
}

// noteTold writes into the log of each question that a letter says who was told.
func (d *Desk) noteTold(tx Tx, n *TeamNotice) error {
	for _, t := range n.Things {
		if err := tx.LogEvent(ID(t.Key), n.Accepted, Event{Kind: "told", At: n.Accepted, Source: d.nameOf(n.Recipient)}, nil); err != nil {
			return err
		}
	}
	return nil
}

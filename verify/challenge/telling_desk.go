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

// tellAtOnce is how much of what a recipient is to be told is looked at in one go: more than stands in a
// letter, since much may have been answered.
const tellAtOnce = 4 * mail.MaxItems

// Tell decides which sponsors and secretariats get a letter about teams that do not answer: one a day
// each, with all that there is to say, which then waits for [Notifier.Send]. It returns how many do.
func (n *Notifier) Tell(ctx context.Context) (decided int, err error) {
	d := n.cfg.Sender.cfg.Desk
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	recipients, err := d.cfg.Store.Listeners(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, recipient := range recipients {
		if ctx.Err() != nil {
			break
		}
		done, err := d.tellOne(ctx, recipient)
		if err != nil { // the others go on
			errs = append(errs, fmt.Errorf("letter to %s: %w", recipient, err))
		}
		if done {
			decided++
		}
	}
	return decided, errors.Join(append(errs, ctx.Err())...)
}

// ears is who listens for a recipient now; contact is nil where nobody does.
type ears struct {
	team    *directory.Team
	contact *directory.Contact
	policy  Policy
}

// present is the recipient that a recipient is by now: a sponsor may have been merged.
func (d *Desk) present(recipient string) string {
	if id, ok := strings.CutPrefix(recipient, toTeam); ok {
		if team, ok := d.cfg.Index().Team(directory.TeamID(id)); ok {
			return toTeam + string(team.ID)
		}
	}
	return recipient
}

func (d *Desk) earsOf(ctx context.Context, recipient string) (e ears, err error) {
	id, _ := strings.CutPrefix(recipient, toTeam)
	marks, err := d.cfg.Store.Marks(ctx, directory.TeamID(id)) // of a secretariat: all opt-outs
	if err != nil {
		return e, err
	}
	state, err := d.cfg.Store.NoticeState(ctx, directory.TeamID(id))
	if err != nil {
		return e, err
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
func (d *Desk) tellOne(ctx context.Context, recipient string) (decided bool, err error) {
	now, present := d.now(), d.present(recipient)
	if _, err := d.cfg.Store.NoticeByID(ctx, letterTo(present, now)); directory.KindOf(err) != directory.NotFound {
		return false, err // it has had the letter of this day
	}
	list, err := d.cfg.Store.Untold(ctx, recipient, tellAtOnce)
	if err != nil {
		return false, err
	}
	e, err := d.earsOf(ctx, present)
	if err != nil {
		return false, err
	}
	salt, subject, err := d.seeds()
	if err != nil {
		return false, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		decided = false
		said, things, err := d.sift(tx, &e, list, now)
		if err != nil || len(things) == 0 {
			return err
		}
		if ok, err := d.mayNotify(tx, &draft{team: e.team, contact: e.contact, policy: e.policy}, now); err != nil || !ok {
			return err
		}
		letter, err := d.letterAbout(&e, present, things, now, salt, subject)
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
		team, stands := d.stillSilent(&c)
		switch {
		case !stands:
			t.Letter = letterVoid
		case !c.Paused.IsZero(): // nobody is told of anything meanwhile
			continue
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

// stillSilent reports whether there is something to tell of a question: it was not answered, nor was a later one, and
// the contact is there as it was.
func (d *Desk) stillSilent(c *Challenge) (*directory.Team, bool) {
	team, contact, err := d.find(c.Team, c.Contact)
	if err != nil || contact.Revision != c.Revision || !c.unanswered() {
		return team, false
	}
	_, answered := answeredSince(team, c)
	return team, !answered
}

// answeredSince returns by what a contact has answered since a question was due.
func answeredSince(team *directory.Team, c *Challenge) (method string, ok bool) {
	for _, e := range team.Evidence {
		if e.Contact == c.Contact && e.Revision == c.Revision && e.Outcome == directory.OutcomeProved && e.Level >= directory.Answered && e.At.After(c.Due) {
			return e.Method, true
		}
	}
	return "", false
}

// current returns a letter with what still holds of it: it may have waited for days.
func (n *Notifier) current(ctx context.Context, m *TeamNotice) (TeamNotice, error) {
	d, now := n.cfg.Sender.cfg.Desk, *m
	now.Things = nil
	for _, t := range m.Things {
		c, err := d.cfg.Store.Challenge(ctx, ID(t.Key))
		if err != nil {
			return now, err
		}
		if _, stands := d.stillSilent(&c); stands {
			now.Things = append(now.Things, t)
		}
	}
	return now, nil
}

// silence says that a question was not answered. A contact that not everybody may see is not named.
func silence(team *directory.Team, c *Challenge) Thing {
	item := mail.Item{Code: itemUnanswered, Group: mail.GroupContact, Subject: string(team.Handle), Due: c.clock()}
	if c.Undeliverable() {
		item.Code = itemUndeliverable
	}
	anybody := directory.Nobody()
	for i := range team.Contacts {
		k := &team.Contacts[i]
		shown := k.ID == c.Contact && k.Revision == c.Revision && anybody.Sees(k.Visibility, team) && subjectForm.MatchString(c.Address)
		if named := item.Subject + "/" + c.Address; shown && len(named) <= mail.MaxSubject {
			item.Subject = named
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

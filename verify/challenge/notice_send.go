package challenge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// staleAfter is how old a notice may be when it gets out. What it says may not be so any more
// after that; it is decided anew instead.
const staleAfter = 3 * 24 * time.Hour

// Send hands over so many notices at most that are due, and returns how many the relay took: none
// while the kill switch is on, and no more from when it is turned on. Like the mails of questions they are handed over at least once.
func (n *Notifier) Send(ctx context.Context, most int) (sent int, err error) {
	d, cfg := n.cfg.Sender.cfg.Desk, &n.cfg.Sender.cfg
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	list, err := d.cfg.Store.ClaimNotices(ctx, ClaimMails{N: most, Owner: cfg.Name, Now: d.now(), Lease: cfg.Lease})
	if err != nil {
		return 0, err
	}
	var errs []error
	for i := range list {
		if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped { // what was claimed waits for the end of its lease
			return sent, errors.Join(append(errs, err)...)
		}
		taken, err := n.one(ctx, &list[i])
		if ctx.Err() != nil {
			return sent, errors.Join(append(errs, ctx.Err())...)
		}
		if err != nil { // it is tried again when its lease ends; the others go on
			errs = append(errs, fmt.Errorf("%s: %w", list[i].ID, err))
		}
		if taken {
			sent++
		}
	}
	return sent, errors.Join(errs...)
}

// one hands over one notice, and reports whether the relay took it.
func (n *Notifier) one(ctx context.Context, m *TeamNotice) (bool, error) {
	d, cfg := n.cfg.Sender.cfg.Desk, &n.cfg.Sender.cfg
	team, contact, err := d.readerOf(ctx, m)
	if err != nil {
		return false, err
	}
	if contact == nil || d.now().After(m.Created.Add(staleAfter)) {
		return false, n.settle(ctx, m, noticeDropped, time.Time{})
	}
	said := *m
	if m.Recipient != "" {
		if said, err = n.current(ctx, m); err != nil {
			return false, err
		}
		if len(said.Things) == 0 {
			return false, n.settle(ctx, m, noticeVoid, time.Time{})
		}
	}
	out, err := n.render(team, contact, &said)
	if err != nil {
		d.cfg.Log.Error("a notice can't be made", "notice", m.ID, "team", team.Handle, "err", err)
		return false, n.settle(ctx, m, noticeUnmade, time.Time{})
	}
	handing, done := outlasting(ctx, noteTime)
	r := cfg.Submit(handing, out)
	done()
	if ctx.Err() != nil && r.Outcome != mail.Accepted {
		return false, ctx.Err() // the lease ends by itself
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	switch {
	case r.Outcome == mail.Accepted:
		return true, n.settle(ctx, &said, noticeTaken, time.Time{})
	case r.Outcome == mail.Permanent && !r.Ours:
		return false, n.settle(ctx, m, noticeRefused, time.Time{})
	case m.Attempt >= cfg.Tries:
		return false, n.settle(ctx, m, noticeDropped, time.Time{})
	}
	d.cfg.Log.Warn("the relay does not take a notice", "notice", m.ID, "stage", r.Stage, "code", r.Code, "err", r.Err)
	return false, n.settle(ctx, m, noticeLater, d.now().Add(min(longestRetry, firstRetry<<min(m.Attempt-1, 10))))
}

// readerOf returns who is to read a notice; no contact where it is not for them any more.
func (d *Desk) readerOf(ctx context.Context, m *TeamNotice) (*directory.Team, *directory.Contact, error) {
	if m.Recipient != "" {
		e, err := d.earsOf(ctx, m.Recipient)
		if err != nil || e.contact == nil || e.contact.ID != m.Contact || e.contact.Revision != m.Revision {
			return nil, nil, err
		}
		return e.team, e.contact, nil
	}
	state, err := d.cfg.Store.NoticeState(ctx, m.Team)
	if err != nil {
		return nil, nil, err
	}
	marks, err := d.cfg.Store.Marks(ctx, m.Team)
	if err != nil {
		return nil, nil, err
	}
	team, contact, err := d.find(m.Team, m.Contact)
	if err != nil || contact.Revision != m.Revision || !slices.Contains(readers(team, marks, &state), contact) || !state.Stopped.IsZero() {
		return nil, nil, nil //nolint:nilerr // a contact that is gone reads nothing
	}
	return team, contact, nil
}

// fate is what became of a notice.
type fate int

const (
	noticeTaken   fate = iota
	noticeLater        // it is tried again
	noticeDropped      // it did not get out, and what it said is news again
	noticeUnmade       // the same, and it can't be made
	noticeRefused      // the same, and not to this contact again
	noticeVoid         // there was nothing to say any more
)

// settle notes what became of a notice. Of a lease that is over nothing is noted.
func (n *Notifier) settle(ctx context.Context, m *TeamNotice, f fate, again time.Time) error {
	d := n.cfg.Sender.cfg.Desk
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		mine, err := tx.SettleNotice(*m, again)
		if err != nil || !mine || f == noticeLater || f == noticeVoid {
			return err
		}
		if f == noticeTaken {
			now, err := tx.Notice(m.ID)
			if err != nil {
				return err
			}
			now.Accepted = d.now()
			if now.Recipient != "" {
				now.Things = m.Things // what was said in the end
				if err := d.noteTold(tx, &now); err != nil {
					return err
				}
			}
			return tx.PutNotice(now)
		}
		if f == noticeUnmade && m.Recipient != "" {
			return tx.Untell(m.ID, true)
		}
		return d.undo(tx, m, f == noticeRefused)
	})
}

// undo makes what a notice said news again, since nobody read it.
func (d *Desk) undo(tx Tx, m *TeamNotice, refused bool) error {
	if m.Recipient != "" {
		if err := tx.Untell(m.ID, refused); err != nil || m.Team == "" {
			return err
		}
	}
	s, err := tx.NoticeState(m.Team)
	if err != nil {
		return err
	}
	if m.Recipient == "" {
		s = s.forget(m.Things, m.Created)
	}
	if refused {
		s.Bounced = maps.Clone(s.Bounced)
		if s.Bounced == nil {
			s.Bounced = map[directory.ContactID]int{}
		}
		s.Bounced[m.Contact] = m.Revision
	}
	return tx.PutNoticeState(s)
}

// render makes the mail of a notice: encrypted where the team has a key that can be encrypted to. A team
// whose keys can't be used must hear of that, so then it is not.
func (n *Notifier) render(team *directory.Team, contact *directory.Contact, m *TeamNotice) (mail.Mail, error) {
	d, cfg := n.cfg.Sender.cfg.Desk, &n.cfg.Sender.cfg
	token, err := d.cfg.Key.noticeToken(m)
	if err != nil {
		return mail.Mail{}, err
	}
	l := mail.Letter{ID: string(m.ID), Kind: mail.KindDigest, Language: languageOf(team), To: contact.Value, Handle: string(team.Handle), Tag: strings.TrimPrefix(m.Subject, SubjectPrefix),
		Link: n.cfg.Confirm + token, Stop: n.cfg.Stop + token, Date: m.Created, Older: m.Older, Key: armorOf(team, string(keyFor(team, contact, d.now())), d.now())}
	if mailbox, err := directory.ParseEmail(contact.Value); err == nil {
		l.Domain = string(mailbox.Domain())
	}
	for _, t := range m.Things {
		l.Items = append(l.Items, t.Item)
	}
	if m.Recipient != "" {
		l.Kind, l.Link, l.Domain = mail.KindSilent, "", ""
		if m.Team == "" { // it is the operator who says where secretariats are
			l.Stop = ""
		}
	}
	out, err := cfg.Composer.Render(l)
	if errors.Is(err, mail.ErrKey) {
		l.Key = ""
		out, err = cfg.Composer.Render(l)
	}
	return out, err
}

// Rehearse makes the notices that would be decided now, whatever limits say, and hands each to each, by handle, with its
// team, or the error for which it can't be made. It sends and stores nothing: the links in these mails lead nowhere.
func (n *Notifier) Rehearse(ctx context.Context, each func(*directory.Team, *directory.Contact, mail.Mail, error) error) error {
	d := n.cfg.Sender.cfg.Desk
	now := d.now()
	teams := slices.SortedFunc(d.cfg.Index().Teams(), func(a, b *directory.Team) int { return strings.Compare(string(a.Handle), string(b.Handle)) })
	for _, team := range teams {
		state, err := d.cfg.Store.NoticeState(ctx, team.ID)
		if err != nil {
			return err
		}
		dr, err := n.draft(ctx, team, &state, now)
		if err != nil {
			return err
		}
		if dr == nil {
			continue
		}
		news, next, _ := state.tell(dr.things, dr.policy.notices(), mail.MaxItems, now)
		if len(news) == 0 {
			continue
		}
		next = next.list(dr, news, now)
		salt, subject, err := d.seeds()
		if err != nil {
			return err
		}
		notice, err := d.notice(dr, news, &next, now, salt, subject)
		if err != nil {
			return err
		}
		notice.ID = rehearsalNotice(notice.ID)
		m, err := n.render(team, dr.contact, &notice)
		if err := each(team, dr.contact, m, err); err != nil {
			return err
		}
	}
	return ctx.Err()
}

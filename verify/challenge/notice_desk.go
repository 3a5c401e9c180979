package challenge

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// NotifierConfig is what a [Notifier] needs.
type NotifierConfig struct {
	Sender  *Sender                                                                // required: whose desk, composer and relay serve notices too
	Known   func(context.Context, directory.TeamID) ([]verify.Verification, error) // required: what checks found
	Explain func(verify.Code) (verify.Problem, bool)                               // required: the row of a code
	Proof   directory.Policy                                                       // how long proof lasts
	Confirm string                                                                 // where "nothing has changed" is said: "https://rollcall.example.org/confirm/"
	Stop    string                                                                 // where notices are stopped: "https://rollcall.example.org/notices/"
}

// Notifier tells teams what about them needs attention, in one mail a week at most, and
// only when there is news ([Things]). Any number may work on one store.
type Notifier struct {
	cfg   NotifierConfig
	queue []directory.TeamID // of the round that is under way
}

// NewNotifier returns a notifier on cfg.
func NewNotifier(cfg NotifierConfig) (*Notifier, error) {
	if cfg.Sender == nil || cfg.Known == nil || cfg.Explain == nil {
		return nil, fmt.Errorf("%w: a notifier needs a sender, what checks found, and the table of codes", ErrDesk)
	}
	for _, page := range []string{cfg.Confirm, cfg.Stop} {
		if !strings.HasPrefix(page, "https://") || !strings.HasSuffix(page, "/") {
			return nil, fmt.Errorf("%w: the address of a page is %q, want https://…/", ErrDesk, page)
		}
	}
	return &Notifier{cfg: cfg}, nil
}

// Decide looks at n more teams of its round, and decides which of them get a notice, which then waits for
// [Notifier.Send]. It returns how many do. It is not for several goroutines at once.
func (n *Notifier) Decide(ctx context.Context, teams int) (decided int, err error) {
	d := n.cfg.Sender.cfg.Desk
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	if len(n.queue) == 0 {
		for team := range d.cfg.Index().Teams() {
			n.queue = append(n.queue, team.ID)
		}
	}
	var errs []error
	for ; teams > 0 && len(n.queue) > 0 && ctx.Err() == nil; teams-- {
		id := n.queue[0]
		n.queue = n.queue[1:]
		team, ok := d.cfg.Index().Team(id)
		if !ok || team.ID != id {
			continue
		}
		done, err := n.decide(ctx, team)
		if err != nil { // the others go on; this one is looked at again in the next round
			errs = append(errs, fmt.Errorf("notice to %s: %w", team.Handle, err))
		}
		if done {
			decided++
		}
	}
	return decided, errors.Join(append(errs, ctx.Err())...)
}

// draft is a notice that is not decided yet.
type draft struct {
	team    *directory.Team
	contact *directory.Contact
	policy  Policy
	things  []Thing
	silent  []directory.ContactID // once it went out: who did not react to those before
}

// draft finds out what a team may be told of, and who is told; nil for nobody.
func (n *Notifier) draft(ctx context.Context, team *directory.Team, s *NoticeState, now time.Time) (*draft, error) {
	d := n.cfg.Sender.cfg.Desk
	if len(readers(team, nil, s)) == 0 || !s.Stopped.IsZero() {
		return nil, nil
	}
	marks, err := d.cfg.Store.Marks(ctx, team.ID)
	if err != nil {
		return nil, err
	}
	asks, err := n.asks(ctx, team, s)
	if err != nil {
		return nil, err
	}
	for _, contact := range asks.unsilent(readers(team, marks, s)) {
		policy, err := d.holds("", team, contact)
		if errors.Is(err, ErrNoPolicy) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known, err := n.cfg.Known(ctx, team.ID)
		if err != nil {
			return nil, err
		}
		list := slices.DeleteFunc(verify.Digest(team, known, n.cfg.Proof, n.cfg.Explain, now), func(a verify.Attention) bool {
			return asks.spared[string(a.Code)+" "+a.Finding.Subject]
		})
		return &draft{team, contact, policy, append(Things(team, list, n.cfg.Explain, now), asks.things...), asks.silent}, nil
	}
	return nil, nil
}

// decide looks at one team, and reports whether it gets a notice.
func (n *Notifier) decide(ctx context.Context, team *directory.Team) (decided bool, err error) {
	d, now := n.cfg.Sender.cfg.Desk, n.cfg.Sender.cfg.Desk.now()
	state, err := d.cfg.Store.NoticeState(ctx, team.ID)
	if err != nil {
		return false, err
	}
	dr, err := n.draft(ctx, team, &state, now)
	if err != nil || dr == nil {
		return false, err
	}
	// Nearly always there is nothing to write: that needs no transaction.
	if _, _, changed := state.tell(dr.things, dr.policy.notices(), mail.MaxItems, now); !changed {
		return false, nil
	}
	salt, subject, err := d.seeds()
	if err != nil {
		return false, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		decided = false
		drafted := state
		state, err := tx.NoticeState(team.ID) // another node may have been quicker, or somebody has clicked meanwhile
		if err != nil || !reflect.DeepEqual(state.Listed, drafted.Listed) || !slices.Equal(state.Silent, drafted.Silent) {
			return err
		}
		news, next, changed := state.tell(dr.things, dr.policy.notices(), mail.MaxItems, now)
		switch {
		case !changed:
			return nil
		case len(news) == 0:
			return tx.PutNoticeState(next)
		}
		next = next.list(dr, news, now)
		if ok, err := d.mayNotify(tx, dr, now); err != nil || !ok {
			return err
		}
		notice, err := d.notice(dr, news, &next, now, salt, subject)
		if err != nil {
			return err
		}
		if decided, err = tx.PostNotice(notice); err != nil || !decided {
			return err
		}
		return tx.PutNoticeState(next)
	})
	return decided && err == nil, err
}

// seeds are what is random about a notice.
func (d *Desk) seeds() (salt, subject string, err error) {
	var raw [sha256.Size]byte
	if _, err := io.ReadFull(d.cfg.Random, raw[:]); err != nil {
		return "", "", fmt.Errorf("challenge: randomness: %w", err)
	}
	subject, err = NewSubject(d.cfg.Random)
	return hex.EncodeToString(raw[:]), subject, err
}

// mayNotify asks the limits, which are those of all mails.
func (d *Desk) mayNotify(tx Tx, dr *draft, now time.Time) (bool, error) {
	history, err := tx.Sent(&Challenge{Team: dr.team.ID, Contact: dr.contact.ID, Address: dr.contact.Value}, dr.policy.Caps, now)
	if err != nil {
		return false, err
	}
	p := May(Request{Calendar: CalendarOf(dr.team, dr.contact, dr.policy.Holidays), Kind: KindCode}, history, dr.policy, now)
	return p.OK, nil
}

// noticeLasts is for how long the links of a notice work.
const noticeLasts = 60 * 24 * time.Hour

// notice makes the row of a notice of news, after which the team was told of what next says.
func (d *Desk) notice(dr *draft, news []Thing, next *NoticeState, now time.Time, salt, subject string) (TeamNotice, error) {
	n := TeamNotice{ID: noticeID(dr.team.ID, now), Team: dr.team.ID, Contact: dr.contact.ID, Revision: dr.contact.Revision, Policy: dr.policy.Name,
		Things: news, Older: next.count(dr.things) - next.count(news), Expires: now.Add(noticeLasts), Subject: subject, Salt: salt, Created: now, Due: now}
	n.Address, n.Domain = MailTo(dr.contact.Value)
	for i := range dr.team.Contacts {
		n.Record = append(n.Record, AsWas{dr.team.Contacts[i].ID, dr.team.Contacts[i].Revision})
	}
	token, err := d.cfg.Key.noticeToken(&n)
	if err != nil {
		return n, err
	}
	n.Lookup, err = d.cfg.Key.noticeLookup(token)
	return n, err
}

// noticeToken makes the token of a notice's links, always the same one.
func (k Key) noticeToken(n *TeamNotice) (string, error) {
	raw, err := hkdf.Key(sha256.New, k.secret, []byte(n.Salt), "rollcall notice "+string(n.ID), secretBytes)
	if err != nil {
		return "", fmt.Errorf("challenge: secrets: %w", err)
	}
	return encode(raw), nil
}

// noticeLookup is the digest by which a notice is found. It is none of those by which
// questions are found: a token of one is nothing to the other.
func (k Key) noticeLookup(token string) (Digest, error) {
	token, err := normal(token, secretLength)
	if err != nil {
		return "", err
	}
	return k.digest("notice/lookup", token), nil
}

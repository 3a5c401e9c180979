package challenge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// ReceiverConfig is what a [Receiver] needs.
type ReceiverConfig struct {
	Desk     *Desk           // required
	Identity *mail.Identity  // required
	Own      *openpgp.Entity // by which encrypted replies are read; nil: they prove nothing
	Limits   mail.Limits     // zero fields have the defaults
	// Origin finds out what speaks for where a mail came from, which is kept beside what the
	// mail proves and decides nothing ([mail.Authenticate]); nil: nobody looks.
	Origin func(context.Context, mail.Envelope, *mail.Message) mail.Authentication
	// Aside keeps a mail that belongs to no question, with the reason. Such a mail
	// is never answered.
	Aside func(ctx context.Context, env mail.Envelope, why string) error // required
}

// Receiver takes mails in: it finds out to which question a mail belongs, what
// it is, and what it proves.
type Receiver struct{ cfg ReceiverConfig }

// NewReceiver returns a receiver on cfg.
func NewReceiver(cfg ReceiverConfig) (*Receiver, error) {
	if cfg.Desk == nil || cfg.Identity == nil || cfg.Aside == nil {
		return nil, fmt.Errorf("%w: a receiver needs a desk, an identity and a place for other mail", ErrDesk)
	}
	return &Receiver{cfg}, nil
}

// Received is what a mail was found to be.
type Received struct {
	Challenge ID         // "" for none
	Notice    NoticeID   // that it is about; "" for none
	Step      string     // of which mail, where it says
	By        mail.By    // what it was found by
	Seen      bool       // it has what only who saw our mail can have: a token, or a MAC
	Class     mail.Class // what it looks like, which proves nothing
	Event     EventKind  // what it was taken for; "" for nothing
	Quick     bool       // it came within [QuickWithin]
	Refused   string     // why it proves nothing, where it was to prove something
	Signer    string     // the key that it says it was signed by, where that is not the one asked for
}

// Receive takes one mail in. After it returned nil the mail is kept; an error
// means that it must come again. It is a [mail.Handler].
func (r *Receiver) Receive(ctx context.Context, env mail.Envelope) error {
	_, err := r.Look(ctx, env)
	return err
}

// Look is Receive, and tells what came of it.
func (r *Receiver) Look(ctx context.Context, env mail.Envelope) (got Received, err error) {
	m, err := mail.Read(env.Raw, r.cfg.Limits)
	if err != nil {
		var refused *mail.Refused
		if !errors.As(err, &refused) {
			return got, err
		}
		got.Refused = string(refused.Code)
		return got, r.cfg.Aside(ctx, env, got.Refused)
	}
	c, found, err := r.belongs(ctx, env, m, &got)
	if err != nil {
		return got, err
	}
	got.Class = r.cfg.Identity.Classify(env, m)
	if !found {
		return got, r.noticed(ctx, env, m, &got)
	}
	e := r.event(&c, env, m, &got)
	got.Event, e.Quick = e.Kind, c.tooQuick(&e, r.cfg.Desk.now())
	if e.Quick && e.Kind == EventPlainReply {
		got.Class.Sort = mail.Suspected
	}
	got.Quick = e.Quick
	if e.Kind == "" {
		return got, r.cfg.Aside(ctx, env, string(got.Class.Sort))
	}
	e.Origin = r.origin(ctx, env, m)
	return got, r.take(ctx, &c, env, e)
}

// originTime bounds all questions about where a mail came from: what has not been
// answered by then is a temporary error, and the mail goes on without.
const originTime = 15 * time.Second

func (r *Receiver) origin(ctx context.Context, env mail.Envelope, m *mail.Message) *mail.Authentication {
	if r.cfg.Origin == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, originTime)
	defer cancel()
	a := r.cfg.Origin(ctx, env, m)
	return &a
}

// belongs finds the question of a mail by any one of its handles.
func (r *Receiver) belongs(ctx context.Context, env mail.Envelope, m *mail.Message, got *Received) (Challenge, bool, error) {
	for _, h := range r.cfg.Identity.Correlate(env, m) {
		c, step, err := r.named(ctx, h)
		if err == nil {
			got.Challenge, got.Step, got.By, got.Seen = c.ID, step, h.By, h.Of != mail.NamesTag
			return c, true, nil
		}
		if directory.KindOf(err) != directory.NotFound && !errors.Is(err, ErrSecret) && !errors.Is(err, errNoLetter) {
			return c, false, err
		}
	}
	return Challenge{}, false, nil
}

// named finds the question that a handle names.
func (r *Receiver) named(ctx context.Context, h mail.Handle) (c Challenge, step string, err error) {
	d := r.cfg.Desk
	switch h.Of {
	case mail.NamesLetter:
		var id ID
		if id, step, err = ofLetter(h.Value); err == nil {
			c, err = d.cfg.Store.Challenge(ctx, id)
		}
	case mail.NamesToken:
		var lookup Digest
		if lookup, err = d.cfg.Key.Lookup(h.Value); err == nil {
			c, err = d.cfg.Store.ChallengeByToken(ctx, lookup)
			step = d.cfg.Key.CheckToken(&c, h.Value, d.now()).Step
		}
	case mail.NamesTag:
		c, err = d.cfg.Store.ChallengeBySubject(ctx, SubjectPrefix+h.Value)
	default:
		err = errNoLetter
	}
	return c, step, err
}

// event says what a mail means for its question. What a mail proves counts, as
// long as a person may have sent it; what it looks like counts for the rest. Of a
// mail that nobody need have seen no word about delivery counts.
func (r *Receiver) event(c *Challenge, env mail.Envelope, m *mail.Message, got *Received) Event {
	sum := sha256.Sum256(env.Raw)
	hash := hex.EncodeToString(sum[:])
	e := Event{ID: "mail/" + hash, At: r.cfg.Desk.now(), Step: got.Step, Raw: hash}
	class := got.Class
	if class.Sort != mail.Loop && class.Sort != mail.Feedback {
		if kind, ok := r.proved(c, m, got, &e); ok {
			e.Kind = kind
			return e
		}
	}
	if class.Sort.Bounce() && !got.Seen {
		return Event{}
	}
	e.Status = class.Status
	switch class.Sort {
	case mail.BounceHard:
		switch {
		case ourTrouble(class.Status):
			e.Kind = EventUnsendable
		case class.Elsewhere(c.Address):
			e.Kind, e.Lost = EventDelayed, true
		default:
			e.Kind = EventBounced
		}
	case mail.BounceSoft, mail.Delayed:
		e.Kind, e.Lost = EventDelayed, class.Sort == mail.BounceSoft
	case mail.Delivered:
		e.Kind = EventDeliveredDSN
	case mail.AutoReply, mail.Ticket:
		e.Kind = EventAutoReply
	case mail.Feedback:
		e.Kind = EventOptOut
	case mail.Reply:
		e.Kind, e.Status, e.Key = EventPlainReply, got.Refused, got.Signer
	}
	return e
}

// ourTrouble reports whether a mail was not taken for what its sender is or may do, which says nothing of
// the address: RFC 3463 section 3.8, without what RFC 7293 section 5 added to it.
func ourTrouble(status string) bool {
	return strings.HasPrefix(status, "5.7.") && status != "5.7.17" && status != "5.7.18"
}

// proved is proof without what programs send: a gateway signs, and opens, whatever passes it.
func (r *Receiver) proved(c *Challenge, m *mail.Message, got *Received, e *Event) (EventKind, bool) {
	likely, sure := got.Class.Automatic()
	if sure {
		return "", false
	}
	with, copied := *e, false
	kind, ok := r.proof(c, m, got, &with, &copied)
	if ok && likely && (with.Quoted || copied || with.By == ProofNonce) {
		got.Refused = "automatic"
		return "", false
	}
	*e = with
	return kind, ok
}

// proof looks whether a mail proves what was asked for.
func (r *Receiver) proof(c *Challenge, m *mail.Message, got *Received, e *Event, copied *bool) (EventKind, bool) {
	if c.Key == "" {
		return "", false
	}
	d := r.cfg.Desk
	team, _, _ := d.find(c.Team, c.Contact)
	if team == nil {
		return "", false
	}
	armor := armorOf(team, c.Key, d.now())
	if armor == "" && !slices.ContainsFunc(team.FormerKeys, func(k directory.FormerKey) bool { return string(k.Fingerprint) == c.Key }) {
		return "", false // it never was one to rely on, or is none any more
	}
	for i := len(c.Postings) - 1; i >= 0; i-- {
		p := &c.Postings[i]
		nonce := d.cfg.Key.Nonce(c, p.Issue)
		if nonce == "" || p.Accepted.IsZero() && p.Asked.IsZero() {
			continue
		}
		opener := mail.Opener{Own: r.cfg.Own, Key: armor, Nonce: nonce, From: append(aliases(team, c.Key), c.Address), Since: p.Asked, Until: c.expires(p, d.now()), Now: d.now()}
		proof, err := opener.Open(m)
		if err == nil {
			e.By, e.Key, e.Quoted, e.Step, *copied = ProofSigned, string(proof.Fingerprint), proof.Quoted, p.Step, proof.Copied
			if p.Issue.Sealed {
				e.By = ProofBoth
			}
			got.Refused = ""
			return EventProof, true
		}
		var refused *mail.Refused
		if errors.As(err, &refused) {
			got.Refused = string(refused.Code)
			if refused.Code == mail.OtherKey {
				got.Signer = refused.Detail
			}
		}
		// A nonce that only the key opens shows that the key was there, also
		// without a signature. It must be in words of the mail's own.
		if p.Issue.Sealed && c.Kind == KindNonce && !c.expired(p, d.now()) && opener.Says(m) && (&mail.Opener{From: []string{c.Address}}).Knows(m.Sender()) {
			e.By, e.Key, e.Step = ProofNonce, c.Key, p.Step
			return EventProof, true
		}
	}
	return "", false
}

// aliases are the addresses that a key of a team names itself: whoever signs with it may
// write from them.
func aliases(team *directory.Team, fingerprint string) (list []string) {
	keys := slices.Clone(team.Keys)
	for i := range team.FormerKeys {
		keys = append(keys, team.FormerKeys[i].TeamKey)
	}
	for i := range keys {
		for _, u := range keys[i].UserIDs {
			if string(keys[i].Fingerprint) == fingerprint && !u.Revoked && u.Email != "" {
				list = append(list, u.Email)
			}
		}
	}
	return list
}

// take notes what a mail means, and keeps the mail as evidence.
func (r *Receiver) take(ctx context.Context, c *Challenge, env mail.Envelope, e Event) error {
	d := r.cfg.Desk
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if err := tx.KeepRaw(e.Raw, e.At, packed(env.Raw)); err != nil {
			return err
		}
		now, err := tx.Challenge(c.ID)
		if err != nil {
			return err
		}
		if err := learn(tx, &now, &e); err != nil {
			return err
		}
		_, err = d.step(tx, now, e)
		return err
	})
}

// learn keeps the names of the keys by which the contact's domain, or its organisation's,
// validly signed a mail. What strangers sign teaches nothing.
func learn(tx Tx, c *Challenge, e *Event) error {
	if e.Origin == nil {
		return nil
	}
	_, domain := MailTo(c.Address)
	for _, s := range e.Origin.DKIM {
		if s.Result != "pass" {
			continue
		}
		if known, ok := verify.Learn(domain, s.Domain, s.Selector, e.At); ok {
			if err := tx.SeeSelector(known); err != nil {
				return err
			}
		}
	}
	return nil
}

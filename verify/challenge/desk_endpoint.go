package challenge

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Endpoint returns how the automation behind a contact is asked. Its secrets are
// sealed.
func (d *Desk) Endpoint(ctx context.Context, p directory.Principal, team *directory.Team, contact directory.ContactID) (e Endpoint, err error) {
	if err := directory.MayReadWebhooks(p, team); err != nil {
		return e, err
	}
	list, err := d.cfg.Store.Endpoints(ctx, team.ID)
	if err != nil {
		return e, err
	}
	for _, e := range list {
		if e.Contact == contact {
			return e, nil
		}
	}
	return e, &directory.Error{Kind: directory.NotFound, Op: "read endpoint", Subject: string(contact)}
}

// SetEndpoint registers the key with which the automation behind a contact of channel
// url answers, and returns the new secret with which we sign questions to it: nobody
// is shown it again. Questions go to the contact's URL.
func (d *Desk) SetEndpoint(ctx context.Context, p directory.Principal, team *directory.Team, contact directory.ContactID, scheme Scheme, key string) (e Endpoint, secret string, err error) {
	if err := directory.MayKeepWebhooks(p, team); err != nil {
		return e, "", err
	}
	if found := d.checkEndpoint(team, contact, scheme, key); len(found) > 0 {
		return e, "", &directory.Error{Kind: directory.Invalid, Op: "set endpoint", Problems: found}
	}
	e = Endpoint{Contact: contact, Team: team.ID, Scheme: scheme, Created: d.now(), By: p.Name}
	if secret, err = newSecret(d.cfg.Random); err != nil {
		return e, "", err
	}
	if e.Secret, err = d.cfg.Key.seal(d.cfg.Random, e.ours(), []byte(secret)); err != nil {
		return e, "", err
	}
	if e.Key, err = d.cfg.Key.seal(d.cfg.Random, e.theirs(), []byte(key)); err != nil {
		return e, "", err
	}
	return e, secret, d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if err := tx.PutEndpoint(e); err != nil {
			return err
		}
		return tx.Note(endpointEntry(p, "set endpoint", &e, e.Created))
	})
}

func endpointEntry(p directory.Principal, action string, e *Endpoint, at time.Time) directory.AuditEntry {
	return directory.AuditEntry{At: at, Actor: p.Name, Action: action, Subject: "webhook:" + string(e.Contact), Fields: []string{"endpoint"},
		Detail: string(e.Scheme) + ", of team " + string(e.Team)}
}

// checkEndpoint returns what keeps a contact's automation from being asked.
func (d *Desk) checkEndpoint(team *directory.Team, id directory.ContactID, scheme Scheme, key string) []directory.Problem {
	var x policyChecker
	const want = "a contact of channel url with an https URL, which takes questions"
	_, contact, _ := d.find(team.ID, id)
	switch {
	case contact == nil || contact.Channel != "url":
		x.add(true, CodeEndpoint, "", id, "no automation is asked by this contact", want)
	default:
		if f := verify.CheckPost(contact.Value); f != nil {
			x.add(true, CodeEndpoint, "", contact.Value, "nothing is posted there: "+string(f.Code), want)
		}
	}
	if scheme != SchemeHMAC && scheme != SchemeEd25519 {
		x.add(true, CodeAnswerKey, "/scheme", scheme, "not a scheme", "hmac or ed25519")
		return x.found
	}
	if _, err := answerKey(scheme, key); err != nil {
		// The value is not shown: it is to be a secret.
		x.found = append(x.found, directory.Problem{Code: CodeAnswerKey, Field: "/key", Reason: "not a key of this scheme", Want: "a secret of 32 to 1,024 characters, or a public Ed25519 key of 32 octets in base64"})
	}
	return x.found
}

// DropEndpoint forgets how the automation behind a contact is asked.
func (d *Desk) DropEndpoint(ctx context.Context, p directory.Principal, team *directory.Team, contact directory.ContactID) error {
	if err := directory.MayKeepWebhooks(p, team); err != nil {
		return err
	}
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		e, found, err := tx.Endpoint(contact)
		if err != nil {
			return err
		}
		if !found || e.Team != team.ID {
			return &directory.Error{Kind: directory.NotFound, Op: "remove endpoint", Subject: string(contact)}
		}
		if _, err := tx.DropEndpoint(contact); err != nil {
			return err
		}
		return tx.Note(endpointEntry(p, "remove endpoint", &e, d.now()))
	})
}

// Answer takes in what a team's automation says, with the signature that it sent
// beside. Nobody signs in for it: an unknown question, one of another kind and a wrong
// signature are one and the same refusal.
func (d *Desk) Answer(ctx context.Context, header string, body []byte) (c Challenge, err error) {
	a, err := ParseAnswer(body)
	if err != nil {
		return c, refusedAnswer(directory.Invalid, CodeAnswer, strings.TrimPrefix(err.Error(), "challenge: "), "an object with challenge and nonce, as they were sent, of at most 4 KiB")
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		now := d.now()
		if c, err = d.signedBy(tx, a.Challenge, header, body, now); err != nil {
			return err
		}
		checked := d.cfg.Key.CheckNonce(&c, a.Nonce, now)
		switch {
		case checked.Result == Used, c.has(MethodWebhook):
			return refusedAnswer(directory.Conflict, CodeOver, "the question is over", "no answer: it was taken before, or comes too late")
		case checked.Result != Right:
			return refusedAnswer(directory.Forbidden, CodeAnswerNonce, "the nonce is not one of this question, or has run out", "the nonce of the last question, as it was sent")
		}
		raw := []byte(SignatureHeader + ": " + header + "\n" + string(body))
		sum := sha256.Sum256(raw)
		hash := hex.EncodeToString(sum[:])
		if err := tx.KeepRaw(hash, now, packed(raw)); err != nil {
			return err
		}
		c, err = d.step(tx, c, Event{ID: "answer/" + hash, Kind: EventWebhook, At: now, Step: checked.Step, Raw: hash})
		return err
	})
	return c, err
}

func refusedAnswer(kind directory.Kind, code directory.Code, reason, want string) error {
	return &directory.Error{Kind: kind, Op: "answer question", Problems: []directory.Problem{{Code: code, Reason: reason, Want: want}}}
}

// signedBy returns the question that an answer is about, once its signature is
// the automation's.
func (d *Desk) signedBy(tx Tx, id ID, header string, body []byte, now time.Time) (Challenge, error) {
	// Where there is no key, one is checked that nobody has: in the same time, with the same words.
	key := AnswerKey{Scheme: SchemeHMAC, Key: d.cfg.Key.secret}
	known := false
	c, err := tx.Challenge(id)
	if err == nil && c.Kind == KindWebhook {
		e, found, failed := tx.Endpoint(c.Contact)
		if failed != nil {
			return c, failed
		}
		if found && e.Team == c.Team {
			text, failed := d.cfg.Key.unseal(e.theirs(), e.Key)
			if failed != nil {
				return c, failed
			}
			if key, failed = answerKey(e.Scheme, string(text)); failed != nil {
				return c, failed
			}
			known = true
		}
	} else if err != nil && directory.KindOf(err) != directory.NotFound {
		return c, err
	}
	if err := VerifyAnswer(key, header, body, now); err != nil || !known {
		reason := ErrSignature
		for _, e := range []error{ErrSignatureForm, ErrSignatureTime} {
			if errors.Is(err, e) {
				reason = e
			}
		}
		return Challenge{}, refusedAnswer(directory.Forbidden, CodeSignature, strings.TrimPrefix(reason.Error(), "challenge: "),
			SignatureHeader+" over the time and the body, by the key that is registered for the contact")
	}
	return c, nil
}

func packed(raw []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // fails on a wrong level only
	_, _ = z.Write(raw)                               // a Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// postQuestion writes a question to an endpoint into the outbox, beside the mails.
func (d *Desk) postQuestion(tx Tx, c Challenge, w Webhook, policy Policy, now time.Time) (Challenge, error) {
	return d.post(tx, c, Mail{Letter: LetterPost, Step: w.Step, Key: w.Key}, policy, now)
}

// askable refuses a question to an automation that nobody has registered.
func askable(tx Tx, c *Challenge) error {
	if c.Kind != KindWebhook {
		return nil
	}
	e, found, err := tx.Endpoint(c.Contact)
	if err == nil && (!found || e.Team != c.Team) {
		err = fmt.Errorf("%w: no key is registered for the automation at %s", ErrNotAsked, c.Address)
	}
	return err
}

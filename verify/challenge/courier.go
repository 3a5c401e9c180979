package challenge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// CourierConfig is what a [Courier] needs.
type CourierConfig struct {
	Desk   *Desk                                                        // required
	Post   func(context.Context, verify.Post) (*verify.Exchange, error) // required: [verify.Live.Post]
	Answer string                                                       // where automation answers: "https://rollcall.example.org/v1/webhook-answers"
	Name   string                                                       // of this process, for people; "" is "courier"
	Lease  time.Duration                                                // for a batch; 0 is 5 minutes
	Tries  int                                                          // before a question comes back; 0 is 20
	Tally  func(outcome string)                                         // is told what became of each try; nil: nobody is
}

// Courier posts notices to hooks and questions to endpoints. Any number may work on
// one store.
//
// Each is posted at least once, and in order for each hook: what follows waits until
// what went before is over. When the process ends between the endpoint's word and the
// note of it, it is posted again with the same id and the same body.
type Courier struct{ cfg CourierConfig }

// Limits of deliveries; the pauses between tries are those of mails.
const (
	longestTrying = 72 * time.Hour // before a notice is given up
	mostGivenUp   = 3              // in a row, before a hook is switched off
)

// NewCourier returns a courier on cfg.
func NewCourier(cfg CourierConfig) (*Courier, error) {
	if cfg.Desk == nil || cfg.Post == nil || !strings.HasPrefix(cfg.Answer, "https://") {
		return nil, fmt.Errorf("%w: a courier needs a desk, a way to post, and an https URL for answers", ErrDesk)
	}
	if cfg.Lease <= 0 {
		cfg.Lease = 5 * time.Minute
	}
	if cfg.Tries <= 0 {
		cfg.Tries = mostTries
	}
	if cfg.Name == "" {
		cfg.Name = "courier"
	}
	if cfg.Tally == nil {
		cfg.Tally = func(string) {}
	}
	return &Courier{cfg}, nil
}

// Deliver posts at most n notices and n questions that are due, and returns how many
// it tried: none while the kill switch is on.
func (k *Courier) Deliver(ctx context.Context, n int) (int, error) {
	d := k.cfg.Desk
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped {
		return 0, err
	}
	claim := ClaimMails{N: n, Owner: k.cfg.Name, Now: d.now(), Lease: k.cfg.Lease}
	notices, err := d.cfg.Store.ClaimDeliveries(ctx, claim)
	if err != nil {
		return 0, err
	}
	claim.Posts = true
	questions, err := d.cfg.Store.ClaimMails(ctx, claim)
	if stopped, err := d.cfg.Store.Stopped(ctx); err != nil || stopped { // while they were claimed
		return 0, err
	}
	errs := []error{err}
	// All at once: one endpoint that is slow must not hold up the others.
	var parts sync.WaitGroup
	var mu sync.Mutex
	failed := func(what string, err error) {
		if err != nil { // it is tried again when its lease ends
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	for i := range notices {
		parts.Go(func() { failed("delivery "+notices[i].ID(), k.notice(ctx, &notices[i])) })
	}
	for i := range questions {
		parts.Go(func() { failed("question "+questions[i].Key, k.question(ctx, &questions[i])) })
	}
	parts.Wait()
	return len(notices) + len(questions), errors.Join(errs...)
}

// posted is how a POST ended.
type posted struct {
	status int           // 0 without an answer
	code   string        // of what went wrong
	wait   time.Duration // what the endpoint asks for
	ours   bool          // it was our doing, and says nothing of the endpoint
	over   string        // why nothing shall be posted there again
}

func (p *posted) fine() bool { return p.code == "" }

// outcome is what the figures count it as.
func (p *posted) outcome() string {
	switch {
	case p.fine():
		return "delivered"
	case p.ours:
		return "ours"
	case p.status != 0:
		return "status"
	}
	return "failed"
}

// post posts a body, signed now.
func (k *Courier) post(ctx context.Context, url string, body []byte, header map[string]string, secrets ...[]byte) posted {
	header[SignatureHeader] = Sign(body, k.cfg.Desk.now(), secrets...)
	posting, done := outlasting(ctx, noteTime)
	x, err := k.cfg.Post(posting, verify.Post{URL: url, Type: "application/json", Header: header, Body: body})
	done()
	var out posted
	switch {
	case err != nil:
		out = posted{code: string(verify.CodeInternal), ours: true}
		if trouble, ok := errors.AsType[*verify.Trouble](err); ok {
			out.code = string(trouble.Code)
		}
	case x.Last().Status/100 == 2 && x.Failure == nil:
		out = posted{status: x.Last().Status}
	default:
		out = posted{status: x.Last().Status, code: string(verify.FetchStatus), wait: x.Retry(longestRetry)}
		if x.Failure != nil {
			out.code = string(x.Failure.Code)
		}
		if out.status == http.StatusGone {
			out.over = "the endpoint answered 410 Gone"
		}
	}
	k.cfg.Tally(out.outcome())
	return out
}

// again is when to try once more after a try went wrong.
func (p *posted) again(now time.Time, attempt int) time.Time {
	return now.Add(max(p.wait, min(longestRetry, firstRetry<<min(max(attempt-1, 0), 10))))
}

// notice posts one notice to its hook.
func (k *Courier) notice(ctx context.Context, v *Delivery) error {
	d := k.cfg.Desk
	h, err := d.cfg.Store.Hook(ctx, v.Hook)
	if err != nil {
		if directory.KindOf(err) == directory.NotFound {
			err = nil // somebody took it away meanwhile
		}
		return err
	}
	secrets, err := h.secretsAt(d.cfg.Key, d.now())
	if err != nil {
		p := posted{code: string(CodeSecret), over: "its secret can't be opened, since the server's key is another one: rotate it"}
		return d.cfg.Store.Challenges(ctx, func(tx Tx) error { return d.delivered(tx, *v, &p) })
	}
	p := k.post(ctx, h.URL, v.Body, map[string]string{"Rollcall-Event": v.Type, "Rollcall-Delivery": v.ID()}, secrets...)
	if ctx.Err() != nil && !p.fine() {
		return ctx.Err() // the lease ends by itself
	}
	if !p.fine() {
		d.cfg.Log.Warn("a webhook was not delivered", "delivery", v.ID(), "code", p.code, "status", p.status)
	}
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	return d.cfg.Store.Challenges(noting, func(tx Tx) error { return d.delivered(tx, *v, &p) })
}

// delivered notes how a try ended, together with what it means for the hook. Of a
// lease that is over nothing is noted: whoever has it now will.
func (d *Desk) delivered(tx Tx, v Delivery, p *posted) error {
	now := d.now()
	if v.Begun.IsZero() {
		v.Begun = now
	}
	v.Status, v.Problem, v.Due, v.Done = p.status, p.code, time.Time{}, now
	switch {
	case p.fine():
		v.State = DeliveryDone
	case p.over != "", !p.ours && now.Sub(v.Begun) >= longestTrying:
		v.State = DeliveryGivenUp
	default:
		v.State, v.Due, v.Done = DeliveryWaiting, p.again(now, v.Attempt), time.Time{}
	}
	mine, err := tx.SettleDelivery(v)
	if err != nil || !mine || v.State == DeliveryWaiting {
		return err
	}
	h, err := tx.Hook(v.Hook)
	if err != nil || v.State == DeliveryDone && h.Failed == 0 {
		return err
	}
	h.Failed++
	why := p.over
	switch {
	case v.State == DeliveryDone:
		h.Failed = 0
	case why == "" && h.Failed >= mostGivenUp:
		why = fmt.Sprintf("%d notices in a row were given up, the last with %s", h.Failed, p.code)
	}
	if why != "" && h.Active {
		return d.switchOff(tx, h, why, now)
	}
	return tx.PutHook(h)
}

// switchOff keeps a hook from being told of anything more, and says why.
func (d *Desk) switchOff(tx Tx, h Hook, why string, now time.Time) error {
	h.Active, h.Off = false, why
	if err := tx.DropDeliveries(h.ID, now); err != nil {
		return err
	}
	if err := tx.PutHook(h); err != nil {
		return err
	}
	d.cfg.Log.Warn("a webhook was switched off", "webhook", h.ID, "why", why)
	entry := hookEntry("webhooks", "switch webhook off", &h, now)
	entry.Detail += ": " + why
	return tx.Note(entry)
}

// question posts one question to the endpoint of its contact.
func (k *Courier) question(ctx context.Context, m *OutMail) error {
	d := k.cfg.Desk
	now, err := d.cfg.Store.Outgoing(ctx, *m)
	if err != nil || now.Stopped || !now.Mine { // what is not posted now waits for the end of its lease
		return err
	}
	c := now.Question
	switch gone, is := d.moved(&c); {
	case !c.Open(): // answered or stopped in the meantime
		return d.settle(ctx, m, Event{}, time.Time{})
	case !c.Paused.IsZero():
		return d.settle(ctx, m, Event{}, heldBack)
	case is:
		return d.settle(ctx, m, Event{Kind: gone}, time.Time{})
	}
	secret, err := k.signer(ctx, &c)
	if err != nil {
		return err
	}
	if secret == nil { // the team took its automation back, or the server's key is another one
		return d.settle(ctx, m, Event{Kind: EventUnsendable, Step: m.Step, Status: "no endpoint"}, time.Time{})
	}
	body, err := k.body(&c, m)
	if err != nil {
		return err
	}
	p := k.post(ctx, c.Address, body, map[string]string{"Rollcall-Event": "question", "Rollcall-Delivery": letterID(c.ID, m.Step)}, secret)
	if ctx.Err() != nil && !p.fine() {
		return ctx.Err()
	}
	return k.asked(ctx, m, &p)
}

// signer returns the secret that questions to a contact are signed with, nil where
// there is none.
func (k *Courier) signer(ctx context.Context, c *Challenge) ([]byte, error) {
	d := k.cfg.Desk
	list, err := d.cfg.Store.Endpoints(ctx, c.Team)
	for i := range list {
		if list[i].Contact != c.Contact {
			continue
		}
		secret, err := d.cfg.Key.unseal(list[i].ours(), list[i].Secret)
		if err != nil {
			d.cfg.Log.Error("a question can't be signed", "challenge", c.ID, "err", err)
		}
		return secret, nil
	}
	return nil, err
}

// body is the question of an outbox row: the same each time that it is posted, but for whole days that it had to wait.
func (k *Courier) body(c *Challenge, m *OutMail) ([]byte, error) {
	p := c.Posting(m.Step)
	if p == nil {
		return nil, fmt.Errorf("%w: no step %s", ErrDesk, m.Step)
	}
	waited := c.expiresOut(p, k.cfg.Desk.now()).Sub(p.Issue.Expires).Truncate(24 * time.Hour)
	return json.Marshal(Question{Challenge: c.ID, Contact: c.Contact, Revision: c.Revision, Nonce: k.cfg.Desk.cfg.Key.Nonce(c, p.Issue), Answer: k.cfg.Answer, Expires: p.Issue.Expires.Add(waited)})
}

// asked takes in what became of a question. One that nobody takes is one that came
// back: the endpoint's trouble, not ours.
func (k *Courier) asked(ctx context.Context, m *OutMail, p *posted) error {
	d := k.cfg.Desk
	e := Event{ID: fmt.Sprintf("post/%s/%d", m.Step, m.Attempt), Step: m.Step, At: d.now(), Status: p.code}
	switch {
	case p.fine():
		e.Kind, e.ID = EventAccepted, "accepted/"+m.Step
		return d.settle(ctx, m, e, time.Time{})
	case p.ours && m.Attempt >= k.cfg.Tries:
		e.Kind = EventUnsendable
		return d.settle(ctx, m, e, time.Time{})
	case !p.ours && (p.over != "" || m.Attempt >= k.cfg.Tries):
		e.Kind = EventRefused
		return d.settle(ctx, m, e, time.Time{})
	}
	d.cfg.Log.Warn("an endpoint does not take a question", "question", m.Key, "code", p.code, "status", p.status)
	e.Kind = EventDeferred
	return d.settle(ctx, m, e, p.again(d.now(), m.Attempt))
}

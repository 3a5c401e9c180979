package challenge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Order asks a contact on behalf of somebody: of its team, of a secretariat, or of
// an operator. What limits say about when mails may go out holds all the same.
func (d *Desk) Order(ctx context.Context, p directory.Principal, a Ask) (Challenge, error) {
	team, ok := d.cfg.Index().Team(a.Team)
	if !ok {
		return Challenge{}, &directory.Error{Kind: directory.NotFound, Op: "ask contact", Subject: string(a.Team)}
	}
	if err := directory.MayAsk(p, team); err != nil {
		return Challenge{}, err
	}
	c, policy, err := d.plan(a)
	if err != nil {
		return c, asError(err)
	}
	if err := d.older(ctx, &c); err != nil {
		return c, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if err := d.put(tx, &c, policy); err != nil {
			return err
		}
		return tx.Note(d.entry(p, "ask contact", &c, string(c.Kind)+" by "+c.Policy))
	})
	return c, asError(err)
}

func (d *Desk) entry(p directory.Principal, action string, c *Challenge, detail string) directory.AuditEntry {
	return directory.AuditEntry{At: d.now(), Actor: p.Name, Action: action, Subject: "challenge:" + string(c.ID), Fields: []string{"state"}, Detail: detail}
}

// asError makes what a desk refuses one of the directory's errors, for whoever asked.
func asError(err error) error {
	for _, known := range []struct {
		err  error
		kind directory.Kind
		code directory.Code
		want string
	}{
		{ErrNoPolicy, directory.Invalid, CodeNoPolicy, "a policy by name, or a rule for the contact"},
		{ErrUnvouched, directory.Conflict, CodeUnvouched, "a proof that the team controls the domain, or an operator's evidence that the address is right"},
		{ErrNotAsked, directory.Invalid, CodeNoWay, "a kind that the contact can answer"},
		{ErrAskedNow, directory.Conflict, CodeOpen, "wait for the answer, or stop the open question"},
	} {
		if errors.Is(err, known.err) {
			return &directory.Error{Kind: known.kind, Op: "ask contact", Err: err,
				Problems: []directory.Problem{{Code: known.code, Reason: strings.TrimPrefix(err.Error(), "challenge: "), Want: known.want}}}
		}
	}
	return err
}

// work applies an event on behalf of an operator. The check sees the question as
// it is in the transaction.
func (d *Desk) work(ctx context.Context, p directory.Principal, id ID, action, detail string, e Event, check func(*Challenge) *directory.Problem) (c Challenge, err error) {
	if err := directory.MayWorkDesk(p); err != nil {
		return c, err
	}
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if c, err = tx.Challenge(id); err != nil {
			return err
		}
		if problem := check(&c); problem != nil {
			kind := directory.Conflict
			if problem.Field != "" {
				kind = directory.Invalid
			}
			return &directory.Error{Kind: kind, Op: action, Subject: string(id), Problems: []directory.Problem{*problem}}
		}
		if c, err = d.step(tx, c, e); err != nil {
			return err
		}
		if e.Kind == EventCallApproved || e.Kind == EventCallRejected {
			if _, err := tx.CloseCase(id, CaseApprove, p.Name, d.now()); err != nil {
				return err
			}
		}
		return tx.Note(d.entry(p, action, &c, detail))
	})
	return c, err
}

func stillOpen(c *Challenge) *directory.Problem {
	if c.Open() {
		return nil
	}
	return &directory.Problem{Code: CodeOver, Value: string(c.State), Reason: "the question is over", Want: "a question that is open"}
}

// Stop closes a question without an answer.
func (d *Desk) Stop(ctx context.Context, p directory.Principal, id ID, why string) (Challenge, error) {
	return d.work(ctx, p, id, "stop question", why, Event{ID: "stop/" + p.Name, Kind: EventStopped, Operator: p.Name}, stillOpen)
}

// Pause stops the timers of a question and holds its mails back; an answer still counts.
func (d *Desk) Pause(ctx context.Context, p directory.Principal, id ID, why string) (Challenge, error) {
	return d.work(ctx, p, id, "pause question", why, Event{Kind: EventPaused, Operator: p.Name}, stillOpen)
}

// Unpause lets a question go on, with the time back for which it stood still.
func (d *Desk) Unpause(ctx context.Context, p directory.Principal, id ID, why string) (Challenge, error) {
	return d.work(ctx, p, id, "resume question", why, Event{Kind: EventResumed, Operator: p.Name}, stillOpen)
}

// PhoneCode returns the digits that an operator has read back on the telephone; "" where
// no call can be logged about the question.
func (d *Desk) PhoneCode(p directory.Principal, c *Challenge) string {
	if directory.MayReadCases(p) != nil || !c.callable() {
		return ""
	}
	return d.cfg.Key.PhoneCode(c)
}

func (c *Challenge) callable() bool { return c.Open() && c.State != StateScheduled }

// Log notes a telephone call about a question. One that reached somebody has the code that was
// read back ([Desk.PhoneCode]). It proves nothing before another operator has approved it.
func (d *Desk) Log(ctx context.Context, p directory.Principal, id ID, call Call, code string) (Challenge, error) {
	call.Operator, call.Number = p.Name, strings.TrimSpace(call.Number)
	if _, err := directory.ParsePhone(call.Number, ""); err != nil {
		return Challenge{}, &directory.Error{Kind: directory.Invalid, Op: "log call", Problems: []directory.Problem{{
			Code: CodeCall, Field: "/number", Value: clip(call.Number), Reason: "not a telephone number", Want: "the number as it was dialled, in the form +4315056416"}}}
	}
	if call.At.After(d.now()) {
		return Challenge{}, &directory.Error{Kind: directory.Invalid, Op: "log call", Problems: []directory.Problem{{
			Code: CodeCall, Field: "/at", Value: call.At.Format(time.RFC3339), Reason: "the call is yet to come", Want: "when the call was made"}}}
	}
	if call.At.IsZero() {
		call.At = d.now()
	}
	detail := fmt.Sprintf("%s, reached %t, unannounced %t", call.Number, call.Reached, call.Unannounced)
	return d.work(ctx, p, id, "log call", detail, Event{ID: "call/" + call.At.Format(time.RFC3339Nano) + "/" + detail, Kind: EventCall, At: call.At, Call: &call}, func(c *Challenge) *directory.Problem {
		switch {
		case !c.callable():
			return &directory.Problem{Code: CodeOver, Value: string(c.State), Reason: "the question is over, or was not asked yet", Want: "a question that waits for its answer"}
		case call.Reached && !equal(Digest(digits(code)), Digest(d.cfg.Key.PhoneCode(c))):
			return &directory.Problem{Code: CodeCall, Field: "/code", Value: clip(code), Reason: "not the code of this question", Want: "the six digits that stand with the question, as they were read back"}
		}
		return nil
	})
}

// digits are those of what was read back, in groups or not.
func digits(s string) string { return strings.NewReplacer(" ", "", "-", "").Replace(s) }

// Judge approves or rejects a call that another operator has logged.
func (d *Desk) Judge(ctx context.Context, p directory.Principal, id ID, good bool) (Challenge, error) {
	action, kind := "reject call", EventCallRejected
	if good {
		action, kind = "approve call", EventCallApproved
	}
	e := Event{Kind: kind, Operator: p.Name}
	return d.work(ctx, p, id, action, "", e, func(c *Challenge) *directory.Problem {
		switch {
		case c.Call == nil || !c.Open() || good && !c.Call.Reached:
			return &directory.Problem{Code: CodeCall, Value: string(c.State), Reason: "no call of this question waits for approval", Want: "a call that was logged, and reached somebody"}
		case c.Call.Operator == p.Name:
			return &directory.Problem{Code: CodeSecondOperator, Value: p.Name, Reason: "whoever called can't approve the call", Want: "another operator"}
		}
		return nil
	})
}

// Closing is how a case ends.
type Closing struct {
	Note      string
	Allowed   bool // of an opt-out: the contact may be mailed again; otherwise it is left alone
	Confirmed bool // of an unreachable contact: nobody answers there, which becomes evidence
}

// Close closes a case of a question. An opt-out that was closed without Allowed may be closed once more with it.
func (d *Desk) Close(ctx context.Context, p directory.Principal, id ID, kind CaseKind, how Closing) error {
	if err := directory.MayWorkDesk(p); err != nil {
		return err
	}
	if how.Confirmed && kind != CaseUnreachable {
		return &directory.Error{Kind: directory.Invalid, Op: "close case", Problems: []directory.Problem{{
			Code: CodeUnconfirmed, Field: "/confirmed", Value: string(kind), Reason: "only that a contact is unreachable is confirmed", Want: "the case " + string(CaseUnreachable)}}}
	}
	if how.Allowed && kind != CaseOptOut {
		return &directory.Error{Kind: directory.Invalid, Op: "close case", Problems: []directory.Problem{{
			Code: CodeNotOptedOut, Field: "/allowed", Value: string(kind), Reason: "only who opted out is allowed to be mailed again", Want: "the case " + string(CaseOptOut)}}}
	}
	return d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		c, err := tx.Challenge(id)
		if err != nil {
			return err
		}
		found, err := tx.CloseCase(id, kind, p.Name, d.now())
		if err != nil {
			return err
		}
		if !found {
			if err := d.closedBefore(tx, &c, kind, how); err != nil {
				return err
			}
		}
		if how.Confirmed {
			if err := d.confirm(tx, &c, p); err != nil {
				return err
			}
		}
		if kind == CaseOptOut && how.Allowed {
			if err := d.letGo(tx, c, p); err != nil {
				return err
			}
		}
		return tx.Note(d.entry(p, "close case", &c, string(kind)+": "+how.Note))
	})
}

// closedBefore refuses to close a case that is not open, unless a closed opt-out is to be allowed that still holds.
func (d *Desk) closedBefore(tx Tx, c *Challenge, kind CaseKind, how Closing) error {
	one, found, err := tx.Case(c.ID, kind)
	if err != nil {
		return err
	}
	if !found {
		return &directory.Error{Kind: directory.NotFound, Op: "close case", Subject: string(c.ID) + "/" + string(kind)}
	}
	if how.Allowed {
		if history, err := tx.Sent(c, Caps{}, d.now()); err != nil || history.OptedOut {
			return err
		}
	}
	return &directory.Error{Kind: directory.Conflict, Op: "close case", Subject: string(c.ID) + "/" + string(kind), Problems: []directory.Problem{{
		Code: CodeCaseClosed, Value: string(kind), Reason: "closed already, by " + one.ClosedBy + " at " + one.Closed.Format(time.RFC3339), Want: "a case that is open"}}}
}

// OptedOut reports whether the contact of a question, or its address, gets nothing because it opted out.
func (d *Desk) OptedOut(ctx context.Context, p directory.Principal, c *Challenge) (bool, error) {
	if err := directory.MayReadCases(p); err != nil {
		return false, err
	}
	out, err := d.optedOut(ctx, c.Team)
	return out.of(c), err
}

// confirm writes down that nobody answers at the contact, unless somebody did since.
func (d *Desk) confirm(tx Tx, c *Challenge, p directory.Principal) error {
	refuse := func(reason string) error {
		return &directory.Error{Kind: directory.Conflict, Op: "close case", Subject: string(c.ID), Problems: []directory.Problem{{
			Code: CodeUnconfirmed, Field: "/confirmed", Value: string(c.State), Reason: reason, Want: "close the case without confirming it"}}}
	}
	team, contact, err := d.find(c.Team, c.Contact)
	switch {
	case err != nil || contact.Revision != c.Revision:
		return refuse("the contact is not there any more, or has changed since it was asked")
	case !c.silent():
		return refuse("somebody answered, or the time to answer is not over")
	}
	if method, ok := answeredSince(team, c); ok {
		return refuse("the contact has answered since, by " + method)
	}
	_, err = d.step(tx, *c, Event{ID: string(EventUnreachable), Kind: EventUnreachable, Operator: p.Name})
	return err
}

// letGo takes the mark of an opt-out off a contact, and lets what it, or its address, is being asked go on.
// Who says stop again is heard again.
func (d *Desk) letGo(tx Tx, c Challenge, p directory.Principal) error {
	free, err := tx.AllowContact(&c)
	if err != nil {
		return err
	}
	c.OptedOut = time.Time{}
	if !free { // another case about it is open
		_, err := d.step(tx, c, Event{Kind: "allowed", Operator: p.Name})
		return err
	}
	if err := d.letOn(tx, c, p); err != nil {
		return err
	}
	mailbox, _ := MailTo(c.Address)
	waiting, err := tx.HeldMails(mailbox, heldBack)
	if err != nil {
		return err
	}
	if open, found, err := tx.OpenChallenge(c.Contact); err != nil {
		return err
	} else if found && !slices.Contains(waiting, open.ID) {
		waiting = append(waiting, open.ID)
	}
	for _, id := range waiting {
		other, err := tx.Challenge(id)
		if err != nil {
			return err
		}
		if id == c.ID || !other.Open() || other.Paused.IsZero() || other.PausedBy != "" {
			continue
		}
		if err := d.letOn(tx, other, p); err != nil {
			return err
		}
	}
	return nil
}

// letOn lets a question go on that an opt-out has paused. One of a campaign that stands still waits for that.
func (d *Desk) letOn(tx Tx, c Challenge, p directory.Principal) error {
	c, err := d.step(tx, c, Event{Kind: EventResumed, Operator: p.Name})
	if err != nil || !c.Open() {
		return err
	}
	history, err := tx.Sent(&c, Caps{}, d.now())
	if err != nil || !history.Paused {
		return err
	}
	_, err = d.step(tx, c, Event{Kind: EventPaused})
	return err
}

// Found is what another registrar found out about a contact.
type Found struct {
	Team    directory.TeamID
	Contact directory.ContactID
	Level   directory.Level // 1 to 4
	Source  string          // the registrar, as people know it: 1 to 100 characters
	At      time.Time       // when they found it: at most two years ago
}

// Check returns what is wrong with a result, apart from whom it is about.
func (f Found) Check(now time.Time) []directory.Problem {
	var x policyChecker
	x.add(f.Source == "" || len([]rune(f.Source)) > 100, CodeResult, "/source", f.Source, "the registrar has a name", "1 to 100 characters")
	x.add(f.Level < directory.Deliverable || f.Level > directory.Drilled, CodeResult, "/level", int(f.Level), "no level that anybody can prove", "1 to 4")
	x.add(f.At.IsZero() || f.At.After(now) || now.Sub(f.At) > mostInterval, CodeResult, "/at", f.At.Format(time.RFC3339), "a result has a date that has passed, and two years ago at most", "when it was found")
	return x.found
}

// TakeIn takes in what another registrar found, as evidence under its name. No
// contact is asked.
func (d *Desk) TakeIn(ctx context.Context, p directory.Principal, f Found) (Challenge, error) {
	if err := directory.MayWorkDesk(p); err != nil {
		return Challenge{}, err
	}
	f.Source = strings.TrimSpace(f.Source)
	if found := f.Check(d.now()); len(found) > 0 {
		return Challenge{}, &directory.Error{Kind: directory.Invalid, Op: "take in result", Problems: found}
	}
	c, policy, err := d.plan(Ask{Team: f.Team, Contact: f.Contact, Kind: KindImported, Due: f.At, found: true})
	if err != nil {
		return c, asError(err)
	}
	fresh := c
	err = d.cfg.Store.Challenges(ctx, func(tx Tx) error {
		if c, err = d.takeIn(tx, fresh, policy, &f, p); err != nil {
			return err
		}
		return tx.Note(d.entry(p, "take in result", &c, fmt.Sprintf("level %d of %s", f.Level, f.Source)))
	})
	return c, asError(err)
}

// takeIn notes a result with the open question to the contact, or with one of its
// own, which is over at once.
func (d *Desk) takeIn(tx Tx, c Challenge, policy Policy, f *Found, p directory.Principal) (Challenge, error) {
	e := Event{ID: "imported/" + f.Source + "/" + f.At.Format(time.RFC3339), Kind: EventImported, At: f.At, Level: f.Level, Source: f.Source}
	open, found, err := tx.OpenChallenge(c.Contact)
	if err != nil {
		return c, err
	}
	if found && open.Revision == c.Revision {
		return d.step(tx, open, e)
	}
	if err := d.put(tx, &c, policy); err != nil {
		return c, err
	}
	for _, e := range []Event{{ID: "due", Kind: EventDue}, e} {
		if c, err = d.step(tx, c, e); err != nil {
			return c, err
		}
	}
	if !c.Open() { // it proves less than a question would ask for
		return c, nil
	}
	return d.step(tx, c, Event{ID: "done", Kind: EventStopped, Operator: p.Name})
}

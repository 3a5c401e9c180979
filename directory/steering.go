package directory

import (
	"context"
	"fmt"
	"time"
)

// Pause stops checks of teams' claims on all nodes. Package verify runs them;
// people stop them, and let them go on, here.
type Pause struct {
	Check string // one check; "" is all of them
	Guard bool   // because too many verdicts turned bad at once
	Now   bool   // what is running ends too; else it may finish
	By    string
	Why   string
	At    time.Time
}

// SteeringReader is the part of a [Reader] about checks.
type SteeringReader interface {
	// Pauses returns what is paused, that of all checks first.
	Pauses() ([]Pause, error)
}

// SteeringTx is the part of a [Tx] by which people steer checks.
type SteeringTx interface {
	// PutPause adds a pause, or replaces the one of its check and kind.
	PutPause(Pause) error
	// DropPause takes a pause out; it is no error if there is none.
	DropPause(check string, guard bool) error
	// SettleHeld publishes the verdicts that the guard holds back, with a change
	// for each team, or throws them away; then they are due again, and with them
	// what turned bad since the given time. It returns how many were held.
	SettleHeld(accept bool, by string, at, since time.Time) (held int, err error)
	// RunChecks makes due what is planned for a team and not under way. It
	// returns how much that is, and when it was last asked for.
	RunChecks(id TeamID, at time.Time) (rows int, last time.Time, err error)
}

// Held says what becomes of the verdicts that the guard holds back.
type Held string

// What can become of them.
const (
	HeldNone    Held = ""        // there are none
	HeldAccept  Held = "accept"  // they are right: publish them
	HeldDiscard Held = "discard" // they are not: check again
)

// PauseOfChallenges is the name under which challenges are stopped, apart from
// checks: see [Directory.PauseChecks].
const PauseOfChallenges = "challenge"

// checksPatience is how often an editor may have the checks of a team run.
const checksPatience = 10 * time.Minute

// guardWindow is how far back a discard looks for verdicts that the guard was
// too late for.
const guardWindow = time.Hour

// MayReadTranscripts returns the error of a principal that may not read what
// checks of a team saw: it holds all that the team claims.
func (d *Directory) MayReadTranscripts(p Principal, t *Team) error {
	return authorise(p, actTranscripts, t)
}

// MayWatchChecks returns the error of a principal that may not see how the
// checks are getting on.
func (d *Directory) MayWatchChecks(p Principal) error { return authorise(p, actWatch, nil) }

// PauseChecks stops one check, or all for "", on all nodes. What is running
// finishes, unless now is set: then it ends, and begins again later.
func (d *Directory) PauseChecks(ctx context.Context, p Principal, check string, now bool, why string) error {
	if err := authorise(p, actSteer, nil); err != nil {
		return err
	}
	var c checker
	c.text("/why", why, 500)
	c.text("/check", check, 100)
	if len(c.found) > 0 {
		return &Error{Kind: Invalid, Op: string(actSteer), Problems: c.found}
	}
	at := d.cfg.Now()
	pause := Pause{Check: check, Now: now, By: p.Name, Why: why, At: at}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		if err := tx.PutPause(pause); err != nil {
			return err
		}
		return d.noteSteering(tx, p, at, scopeOf(check), "pause checks", why)
	})
	return d.committed(ctx, err)
}

// scopeOf names what a pause is about in changes and audit entries.
func scopeOf(check string) string {
	if check == "" {
		return "all"
	}
	return check
}

// ResumeChecks lets one check, or all for "", go on. What the guard stopped
// goes on with all, and then held says what becomes of the verdicts that it
// holds back: not to say so is a [Conflict], and so is to resume what is not
// paused. It returns how many were held.
func (d *Directory) ResumeChecks(ctx context.Context, p Principal, check string, held Held) (n int, err error) {
	if err := authorise(p, actSteer, nil); err != nil {
		return 0, err
	}
	switch held {
	case HeldNone, HeldAccept, HeldDiscard:
	default:
		return 0, &Error{Kind: Invalid, Op: string(actSteer), Problems: []Problem{
			problem("checks.held", string(held), "not what can become of verdicts that are held back", "accept or discard").At("/held")}}
	}
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		pauses, err := tx.Pauses()
		if err != nil {
			return err
		}
		n, err = d.resume(tx, p, check, held, pauses)
		return err
	})
	return n, d.committed(ctx, err)
}

func (d *Directory) resume(tx Tx, p Principal, check string, held Held, pauses []Pause) (n int, err error) {
	found, guard := false, false
	for _, pause := range pauses {
		found = found || pause.Check == check
		guard = guard || pause.Check == check && pause.Guard
	}
	at := d.cfg.Now()
	switch {
	case !found:
		return 0, steeringConflict("checks.not-paused", scopeOf(check), "this is not paused", "a check that is, or none for all")
	case guard && held == HeldNone:
		return 0, steeringConflict("checks.guard", "", "too many verdicts turned bad at once, and are held back", "accept, if they are right, or discard, to check again")
	case guard:
		if n, err = tx.SettleHeld(held == HeldAccept, p.Name, at, at.Add(-guardWindow)); err != nil {
			return n, err
		}
	}
	for _, g := range []bool{false, true} {
		if err := tx.DropPause(check, g); err != nil {
			return n, err
		}
	}
	detail := ""
	if guard {
		detail = fmt.Sprintf("%s: %d verdicts that were held back", held, n)
	}
	return n, d.noteSteering(tx, p, at, scopeOf(check), "resume checks", detail)
}

func steeringConflict(code Code, value, reason, want string) error {
	return &Error{Kind: Conflict, Op: string(actSteer), Problems: []Problem{problem(code, value, reason, want)}}
}

// RunChecks makes all checks of a team due now, and returns how many there are.
// An editor may ask for it every ten minutes.
func (d *Directory) RunChecks(ctx context.Context, p Principal, ref string) (n int, err error) {
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, err := findIn(tx, ref)
		if err != nil {
			return err
		}
		t := r.Team()
		if err := authorise(p, actRunChecks, &t); err != nil {
			return err
		}
		at := d.cfg.Now()
		rows, last, err := tx.RunChecks(t.ID, at)
		if err != nil {
			return err
		}
		// A last time that is yet to come is of a clock that was wrong.
		if wait := checksPatience - at.Sub(last); p.Role != Operator && wait > 0 && wait <= checksPatience {
			return tooSoon(&t, last, wait)
		}
		n = rows
		return d.noteSteering(tx, p, at, string(t.ID), string(actRunChecks), "")
	})
	return n, d.committed(ctx, err)
}

func tooSoon(t *Team, last time.Time, wait time.Duration) error {
	return &Error{Kind: TooMany, Op: string(actRunChecks), Subject: string(t.Handle), Retry: wait, Problems: []Problem{
		problem("checks.too-soon", string(t.Handle), "the checks of this team were run on demand at "+last.UTC().Format(time.RFC3339),
			"another try in "+wait.Round(time.Second).String())}}
}

// noteSteering writes the change and audit rows of something that steers
// checks. It is no change of a team.
func (d *Directory) noteSteering(tx Tx, p Principal, at time.Time, id, action, detail string) error {
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	return tx.Append(
		Change{Seq: seq, Type: "checks", ID: id, Op: OpUpsert, At: at},
		AuditEntry{Seq: seq, At: at, Actor: p.Name, Action: action, Subject: "checks:" + id, Detail: detail})
}

package verify

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// mostAttempts is how often a row may be claimed without a result. One that
// ends the process each time must not do so for ever.
const mostAttempts = 3

// work runs one job and hands on what came of it.
func (r *Runner) work(t *task) {
	check := r.checks[t.job.Check]
	target, ok := r.target(t)
	if !ok {
		return
	}
	var o Outcome
	var data []byte
	if t.job.Attempt > mostAttempts {
		o.Err = &Trouble{Code: CodeCrash, Detail: fmt.Sprintf("claimed %d times without a result", t.job.Attempt-1), Ours: true}
	} else {
		o, data = r.run(t, check, target)
	}
	switch cause := context.Cause(t.ctx); {
	case cause == errLost, cause != nil && o.Err != nil:
		r.abort(t)
		return
	}
	var trouble *Trouble
	if errors.As(o.Err, &trouble) && trouble.Code == CodeBusy {
		r.release(t, r.now().Add(min(longestRetry, trouble.Retry+jitter(5*time.Second))))
		return
	}
	prev := t.job.Previous
	prev.Check, prev.Subject = t.job.Check, t.job.Subject
	o.Result.bound()
	at := r.now()
	f := Finish{Job: t.job, Now: at, Raw: data, Guard: r.cfg.Guard, Result: Assess(prev, o, check.Every, at)}
	if o.Err == nil {
		f.Evidence = r.evidence(&target.Claims, t.job.Check, &o, at)
		r.revoke(t, o.Result.Revocations)
		r.sight(t, o.Result.Sightings)
	}
	f.Control = r.control(t.job.Row, target.Control, &o, at)
	r.results <- finished{t, f}
}

// target makes what a check looks at, from the team as the index has it. A row
// that was planned on another state of the team than that waits until the two
// agree.
func (r *Runner) target(t *task) (Target, bool) {
	team, ok := r.cfg.Follower.Index().Team(t.job.Team)
	if !ok || team.ID != t.job.Team { // gone, or merged: the planner takes the row out
		r.release(t, r.now().Add(r.cfg.Lease))
		return Target{}, false
	}
	claims := ClaimsOf(team)
	if claims.revision() != t.job.Revision {
		r.release(t, r.now().Add(jitter(2*r.cfg.Poll)))
		return Target{}, false
	}
	target := Target{Subject: t.job.Subject, Now: r.now(), Claims: claims, Previous: t.job.Previous.Facts, Control: controlOf(team, t.job.Row)}
	if t.job.Check == SelectorCheck {
		var err error
		if target.Selectors, err = r.cfg.Store.Selectors(t.ctx, SigningDomains(t.job.Subject.ID)); err != nil {
			r.cfg.Log.Warn("selectors can't be read", "team", t.job.Team, "err", err)
			r.release(t, r.now().Add(jitter(5*time.Second)))
			return Target{}, false
		}
	}
	return target, true
}

// run runs a check under its limits. Whatever it does, there is an outcome.
func (r *Runner) run(t *task, check *Check, target Target) (Outcome, []byte) {
	ctx, cancel := context.WithTimeoutCause(t.ctx, r.cfg.Limit,
		&Trouble{Code: CodeTimeout, Detail: "not done after " + r.cfg.Limit.String(), Ours: true})
	defer cancel()
	recorder := Record(r.cfg.Network)
	done := make(chan Outcome, 1)
	go func() { done <- r.isolated(ctx, check, recorder, target) }()
	var o Outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		timer := time.NewTimer(r.cfg.abandon)
		defer timer.Stop()
		select {
		case o = <-done:
		case <-timer.C:
			// It can't be ended from outside. What it still does counts for nothing.
			r.cfg.Log.Error("check does not end", "check", check.Name, "team", target.Claims.Team, "subject", target.Subject.String())
			return Outcome{Err: context.Cause(ctx)}, nil
		}
	}
	if o.Err != nil {
		if cause := context.Cause(ctx); cause != nil {
			o.Err = cause // what ended it says more than what came of that
		}
		return o, nil
	}
	if err := recorder.Whole(); err != nil {
		return Outcome{Err: err}, nil
	}
	data, hash, err := r.encode(recorder.Transcript(check.Name, target))
	if err != nil { // a verdict without evidence is none
		r.cfg.Log.Warn("transcript can't be kept", "check", check.Name, "team", target.Claims.Team, "err", err)
		return Outcome{Err: &Trouble{Code: CodeTooLarge, Detail: "the transcript", Err: err}}, nil
	}
	o.Raw = hash
	return o, data
}

func (r *Runner) encode(t Transcript) (data []byte, hash string, err error) {
	z := r.zips.Get().(*gzip.Writer)
	defer r.zips.Put(z)
	return t.encode(z)
}

// isolated runs a check; a panic ends that run only, and says nothing of the
// subject.
func (r *Runner) isolated(ctx context.Context, check *Check, n Network, target Target) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("check panicked", "check", check.Name, "team", target.Claims.Team, "subject", target.Subject.String(),
				"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			o = Outcome{Err: &Trouble{Code: CodePanic, Detail: fmt.Sprint(p), Ours: true}}
		}
	}()
	o.Result, o.Err = check.Run(ctx, n, target)
	return o
}

// sight has the directory take in where keys were found that have to be proven.
func (r *Runner) sight(t *task, list []directory.KeySighting) {
	verifier := directory.Principal{Name: "check." + t.job.Check, Role: directory.Operator}
	for _, x := range list {
		news, err := r.cfg.Directory.SightKey(t.ctx, verifier, string(t.job.Team), x)
		switch {
		case err != nil:
			r.cfg.Log.Warn("a sighting can't be taken in", "team", t.job.Team, "key", x.Fingerprint, "err", err)
		case news:
			r.cfg.Log.Info("a key was proven by where it is", "team", t.job.Team, "key", x.Fingerprint)
		}
	}
}

// revoke has the directory take over what a check found to be revoked. The team is
// another one then, so that the check runs again. What fails is found again by the
// next run.
func (r *Runner) revoke(t *task, list []Revocation) {
	verifier := directory.Principal{Name: "check." + t.job.Check, Role: directory.Operator}
	for _, v := range list {
		n, err := r.cfg.Directory.MergeRevocations(t.ctx, verifier, string(t.job.Team), v.Fingerprint, v.Copy)
		switch {
		case err != nil:
			r.cfg.Log.Warn("revocations can't be merged", "team", t.job.Team, "key", v.Fingerprint, "err", err)
		case n > 0:
			r.cfg.Log.Info("revocations were merged", "team", t.job.Team, "key", v.Fingerprint, "n", n)
		}
	}
}

package verify

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// finished is a result on its way to the store.
type finished struct {
	task   *task
	finish Finish
}

// Results are written together where several are ready: a transaction costs
// much the same for one and for many. The first waits so long for others.
const (
	writeLinger = 50 * time.Millisecond
	writeMost   = 32
)

// write writes results until there are no more to come.
func (r *Runner) write(ctx context.Context) {
	for first := range r.results {
		r.writeAll(ctx, r.gather(first))
	}
}

// gather waits a moment for results to come, or for as many as are written at
// once.
func (r *Runner) gather(first finished) []finished {
	list := []finished{first}
	timer := time.NewTimer(writeLinger)
	defer timer.Stop()
	for len(list) < writeMost {
		select {
		case next, ok := <-r.results:
			if !ok {
				return list
			}
			list = append(list, next)
		case <-timer.C:
			return list
		}
	}
	return list
}

// writeAll writes results. While the store can't take them it tries again: the
// keeper makes the leases last. One that it will never take keeps nobody else's
// from being written.
func (r *Runner) writeAll(ctx context.Context, list []finished) {
	defer func() {
		for i := range list {
			r.forget(list[i].task)
		}
	}()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := r.writeOnce(ctx, list)
		kind := directory.KindOf(err)
		switch {
		case err == nil:
			return
		case ctx.Err() != nil:
			r.cfg.Log.Warn("results were lost at the stop; their checks run again", "results", len(list), "err", err)
			return
		case kind != directory.Unavailable && len(list) == 1:
			j := &list[0].finish.Job
			r.cfg.Log.Error("result can't be written; its check runs again", "team", j.Team, "check", j.Check, "subject", j.Subject.String(), "err", err)
			return
		case kind != directory.Unavailable:
			for i := range list {
				r.writeAll(ctx, list[i:i+1])
			}
			return
		}
		r.cfg.Log.Warn("results can't be written yet", "results", len(list), "err", err)
		pause(ctx, wait)
	}
}

func (r *Runner) writeOnce(ctx context.Context, list []finished) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	all := make([]Finish, len(list))
	for i := range list {
		all[i] = list[i].finish
	}
	done, err := r.cfg.Store.Finish(ctx, all...)
	for i := range done {
		r.tell(&all[i], done[i])
	}
	return err
}

// tell logs what came of a job.
func (r *Runner) tell(f *Finish, done Finished) {
	t := &f.Job
	log := r.cfg.Log.With("team", t.Team, "check", t.Check, "subject", t.Subject.String(), "verdict", f.Result.Verdict)
	switch {
	case done.Fenced:
		log.Debug("result was not wanted any more")
	case done.Tripped:
		log.Error("too many verdicts turned bad at once: checks are paused until an operator resumes them")
	case f.Result.Trouble != "":
		log.Debug("check came to no conclusion", "code", f.Result.Trouble)
	case f.Changed():
		log.Info("verdict changed", "was", t.Previous.Verdict, "held", done.Held)
	default:
		log.Debug("checked")
	}
}

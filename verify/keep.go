package verify

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// keep makes leases last, and obeys pauses, until ctx ends.
func (r *Runner) keep(ctx context.Context) {
	extended := time.Now()
	for pause(ctx, r.cfg.Poll) {
		r.obey(ctx)
		if time.Since(extended) >= r.cfg.Lease/3 {
			extended = time.Now()
			r.extend(ctx)
		}
	}
}

// extend renews all leases, and ends what was lost.
func (r *Runner) extend(ctx context.Context) {
	r.mu.Lock()
	tasks := slices.Collect(maps.Values(r.leased))
	r.mu.Unlock()
	var leases []Lease
	for _, t := range tasks {
		leases = append(leases, t.job.Lease)
	}
	lost, err := r.cfg.Store.Extend(ctx, leases, r.now().Add(r.cfg.Lease))
	if err != nil {
		if ctx.Err() == nil {
			r.cfg.Log.Warn("leases can't be extended", "err", err)
		}
		return
	}
	for _, t := range tasks {
		if slices.Contains(lost, t.job.Lease) {
			t.cancel(errLost)
		}
	}
}

// obey ends what is paused at once, and tells when the guard has stopped
// everything.
func (r *Runner) obey(ctx context.Context) {
	pauses, err := r.cfg.Store.Pauses(ctx)
	if err != nil {
		return // the next look will see it; claims fail meanwhile
	}
	i := slices.IndexFunc(pauses, func(p directory.Pause) bool { return p.Guard })
	r.mu.Lock()
	defer r.mu.Unlock()
	if i >= 0 && !r.guard {
		r.cfg.Log.Error("the guard has paused checks", "why", pauses[i].Why, "since", pauses[i].At)
	}
	r.guard = i >= 0
	for _, t := range r.leased {
		if slices.ContainsFunc(pauses, func(p directory.Pause) bool { return p.Now && (p.Check == "" || p.Check == t.job.Check) }) {
			t.cancel(errPaused)
		}
	}
}

// Pruning happens now and then; it is work for the store.
const (
	pruneEvery = time.Hour
	pruneStale = 30 * 24 * time.Hour
)

// prune removes what is not needed any more, until ctx ends.
func (r *Runner) prune(ctx context.Context) {
	for next := time.Minute; pause(ctx, next); next = pruneEvery {
		for more := true; more && ctx.Err() == nil; {
			at := r.now()
			var err error
			more, err = r.cfg.Store.Prune(ctx, Retention{At: at, Raw: at.Add(-r.cfg.KeepRaw), Known: r.names, Stale: pruneStale})
			if err != nil && ctx.Err() == nil {
				r.cfg.Log.Warn("old transcripts can't be removed", "err", err)
			}
			more = more && pause(ctx, 100*time.Millisecond)
		}
	}
}

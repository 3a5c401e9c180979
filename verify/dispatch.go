package verify

import (
	"context"
	mathrand "math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// dispatcher hands leased rows to workers. It is one goroutine's.
type dispatcher struct {
	r       *Runner
	pending []*task        // leased, and not begun
	waiting map[string]int // of those, by lane
	busy    map[string]bool
	running int
	ended   chan *task
	workers sync.WaitGroup
	failing bool // the store, at the last claim
	dry     bool // there was less than asked for, at the last claim
}

// Rows wait here while another one of their domain is being looked at, so that
// the checks of one team follow one another. That many of one domain may, and
// that many for each worker. Those above, and those that have waited for
// backToQueue when there is no room left, go back to the queue for at least as
// long, so that others get a worker.
const (
	mostOfLane  = 32
	mostPending = 8
	backToQueue = 30 * time.Second
)

// dispatch claims and starts until ctx ends, and then sees everything to its end.
func (r *Runner) dispatch(ctx context.Context) {
	d := &dispatcher{r: r, busy: map[string]bool{}, waiting: map[string]int{}, ended: make(chan *task, r.cfg.Concurrency)}
	tick := time.NewTicker(jitter(r.cfg.Poll))
	defer tick.Stop()
	for ctx.Err() == nil {
		d.reap()
		d.start()
		if d.claim(ctx) {
			continue // there was as much as could be asked for
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
			d.dry = false
		case <-tick.C:
			d.dry = false
		case t := <-d.ended:
			d.end(t)
		}
	}
	d.drain(ctx)
}

// reap takes in all that ended.
func (d *dispatcher) reap() {
	for {
		select {
		case t := <-d.ended:
			d.end(t)
		default:
			return
		}
	}
}

func (d *dispatcher) end(t *task) {
	d.running--
	delete(d.busy, t.lane)
	if d.waiting[t.lane] <= 0 {
		delete(d.waiting, t.lane)
	}
}

// start starts what may run: at most one for each domain.
func (d *dispatcher) start() {
	d.pending = slices.DeleteFunc(d.pending, func(t *task) bool {
		switch {
		case t.ctx.Err() != nil: // the keeper found its lease lost, or a pause
			d.waiting[t.lane]--
			d.r.abort(t)
			return true
		case d.running >= d.r.cfg.Concurrency || d.busy[t.lane]:
			return false
		}
		d.running++
		d.waiting[t.lane]--
		if t.lane != "" {
			d.busy[t.lane] = true
		}
		d.workers.Go(func() {
			d.r.work(t)
			d.ended <- t
		})
		return true
	})
}

// claim leases as much as soon will have a worker, and reports whether that
// was there. What waits for its domain keeps no worker from others.
func (d *dispatcher) claim(ctx context.Context) bool {
	r := d.r
	free, ahead := r.cfg.Concurrency-d.running, max(2, r.cfg.Concurrency/2)
	want := free + ahead
	if free == 0 {
		want -= len(d.pending)
	} else if room := mostPending*r.cfg.Concurrency - len(d.pending); room < want {
		d.giveBack()
		want = room
	}
	if d.dry || want <= ahead/2 || ctx.Err() != nil {
		return false
	}
	jobs, err := r.cfg.Store.Claim(ctx, Claim{N: want, Owner: r.cfg.Name, Lease: r.cfg.Lease, Now: r.now(), Checks: r.names})
	if err != nil {
		if !d.failing && ctx.Err() == nil {
			r.cfg.Log.Warn("checks can't be claimed", "err", err)
		}
		d.failing = true
		return false
	}
	d.failing, d.dry = false, len(jobs) < want
	for _, j := range jobs {
		d.add(r.lease(ctx, j))
	}
	return !d.dry
}

func (d *dispatcher) add(t *task) {
	if t.lane != "" && d.waiting[t.lane] >= mostOfLane {
		d.r.release(t, d.later())
		return
	}
	d.pending = append(d.pending, t)
	d.waiting[t.lane]++
}

// later is when a row is due again that was given back.
func (d *dispatcher) later() time.Time {
	return d.r.now().Add(backToQueue + mathrand.N(backToQueue))
}

// giveBack returns what has waited for long to the queue.
func (d *dispatcher) giveBack() {
	d.pending = slices.DeleteFunc(d.pending, func(t *task) bool {
		if time.Since(t.since) < backToQueue {
			return false
		}
		d.waiting[t.lane]--
		d.r.release(t, d.later())
		return true
	})
}

// drain gives back what has not begun, lets the rest finish for a while, and
// then ends it.
func (d *dispatcher) drain(ctx context.Context) {
	for _, t := range d.pending {
		d.r.release(t, time.Time{})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		d.workers.Wait()
	}()
	timer := time.NewTimer(d.r.cfg.Grace)
	defer timer.Stop()
	for {
		select {
		case <-over:
			return
		case <-d.ended:
		case <-timer.C:
			d.r.stopAll(errStopping)
		}
	}
}

// lease notes that a row is leased to this runner.
func (r *Runner) lease(ctx context.Context, j Job) *task {
	t := &task{job: j, lane: laneOf(j.Subject), since: time.Now()}
	// A stop lets it finish, so it has no part in ctx's end.
	t.ctx, t.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leased[j.Lease] = t
	return t
}

// forget notes that a row is no longer leased to this runner.
func (r *Runner) forget(t *task) {
	t.cancel(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leased, t.job.Lease)
}

// abort ends a task that came to no result, by the cause that ended it.
func (r *Runner) abort(t *task) {
	if context.Cause(t.ctx) == errLost {
		r.forget(t)
		return
	}
	r.release(t, time.Time{})
}

// release gives a row back. If that fails the lease ends by itself.
func (r *Runner) release(t *task, due time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 10*time.Second)
	defer cancel()
	if err := r.cfg.Store.Release(ctx, []Lease{t.job.Lease}, due); err != nil {
		r.cfg.Log.Warn("check can't be given back", "team", t.job.Team, "check", t.job.Check, "err", err)
	}
	r.forget(t)
}

// stopAll ends everything that is leased here.
func (r *Runner) stopAll(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.leased {
		t.cancel(cause)
	}
}

// laneOf returns the registrable domain that a subject lies under, of which one
// is looked at at a time; "" for none.
func laneOf(s Subject) string {
	name := s.ID
	switch s.Kind {
	case SubjectDomain:
	case SubjectContact:
		if u, err := url.Parse(name); err == nil && u.Host != "" {
			name = u.Hostname()
		} else {
			name = name[strings.LastIndexByte(name, '@')+1:]
		}
	default:
		return ""
	}
	d, err := directory.ParseDomain(name)
	if err != nil {
		return ""
	}
	if r := d.Registrable(); r != "" {
		return string(r)
	}
	return string(d)
}

package verify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// RunnerConfig is what a [Runner] needs.
type RunnerConfig struct {
	Store     Queue                // required
	Directory *directory.Directory // required
	Follower  *directory.Follower  // required; somebody else runs it
	Checks    []Check              // required, see verify/catalog
	Network   Network              // required

	Name        string           // of this process, for people; "": a random one
	Concurrency int              // checks at once; 0 is 32
	Limit       time.Duration    // for one run of a check; 0 is 60 seconds
	Lease       time.Duration    // how long a process that says nothing is believed to be alive; 0 is one minute
	Poll        time.Duration    // how often to look for what is due or paused; 0 is one second
	Grace       time.Duration    // for checks under way at a stop; 0 is 10 seconds
	Guard       Guard            // the zero Guard never stops anything
	KeepRaw     time.Duration    // how long transcripts are kept to which nothing refers; 0 is 30 days
	Policy      directory.Policy // how long proof lasts
	Now         func() time.Time // nil: the system's clock
	Log         *slog.Logger     // nil: silence

	abandon time.Duration // how long a check may go on that does not heed its end; 0 is 5 seconds
}

// Runner runs checks when they are due, apart from whatever else the process
// does. Any number of processes may run one on the same store.
type Runner struct {
	cfg    RunnerConfig
	checks map[string]*Check
	names  []string
	wake   chan struct{}
	zips   sync.Pool // of *gzip.Writer

	results chan finished

	plans planner

	mu     sync.Mutex
	leased map[Lease]*task // to this runner, and not ended
	guard  bool            // the guard's pause was seen
}

// task is a leased row on its way through the runner.
type task struct {
	job    Job
	lane   string
	since  time.Time       // it was leased, by the monotonic clock
	ctx    context.Context // of the one run that the task is for
	cancel context.CancelCauseFunc
}

// The causes that end a task before its time.
var (
	errLost     = errors.New("verify: the lease was lost")
	errStopping = errors.New("verify: the runner stops")
	errPaused   = errors.New("verify: checks are paused")
)

// leastInterval is the shortest interval that a check can have.
const leastInterval = time.Minute

// NewRunner returns a runner that does nothing before Run.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	if cfg.Store == nil || cfg.Directory == nil || cfg.Follower == nil || cfg.Network == nil {
		return nil, errors.New("verify: a runner needs a store, a directory, a follower and a network")
	}
	r := &Runner{cfg: cfg, checks: map[string]*Check{}, wake: make(chan struct{}, 1), leased: map[Lease]*task{}}
	r.zips.New = newZipper
	for i := range cfg.Checks {
		c := &cfg.Checks[i]
		switch {
		case c.Name == "" || c.Applies == nil || c.Run == nil || c.Every < leastInterval:
			return nil, fmt.Errorf("verify: check %q lacks a name, a function or an interval", c.Name)
		case r.checks[c.Name] != nil:
			return nil, fmt.Errorf("verify: two checks are called %q", c.Name)
		}
		r.checks[c.Name] = c
		r.names = append(r.names, c.Name)
	}
	r.defaults()
	return r, nil
}

func (r *Runner) defaults() {
	c := &r.cfg
	for _, d := range []struct {
		to     *time.Duration
		preset time.Duration
	}{{&c.Limit, time.Minute}, {&c.Lease, time.Minute}, {&c.Poll, time.Second}, {&c.Grace, 10 * time.Second}, {&c.KeepRaw, 30 * 24 * time.Hour}, {&c.abandon, 5 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.preset
		}
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 32
	}
	if c.Name == "" {
		c.Name = rand.Text()[:8]
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// now is the time as the store keeps it.
func (r *Runner) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// Wake makes the runner look for work at once.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // one look will see both
	}
}

// Run runs checks until ctx ends. Those that are under way then get some time
// to finish; after that they are ended, and run again later. It returns nil.
func (r *Runner) Run(ctx context.Context) error {
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	var parts, keeper sync.WaitGroup
	keeper.Go(func() { r.keep(keeping) })
	parts.Go(func() { r.follow(ctx) })
	parts.Go(func() { r.prune(ctx) })
	r.results = make(chan finished, writeMost)
	parts.Go(func() { r.write(ctx) })
	r.dispatch(ctx)
	close(r.results)
	parts.Wait()
	stopKeeping()
	keeper.Wait()
	return nil
}

// jitter is d, shortened or stretched by up to a tenth, so that processes which
// were started together do not stay in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + mathrand.N(d/5+1)
}

// pause waits for about d, and reports whether ctx lets it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(jitter(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

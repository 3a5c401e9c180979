package directory

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ImportRunnerConfig is what an [ImportRunner] needs.
type ImportRunnerConfig struct {
	Directory *Directory // required
	// Import reads file and takes it in, by the codec of the job's format.
	// Required.
	Import func(ctx context.Context, j ImportJob, p Principal, o ImportOptions, file io.Reader) (ImportReport, error)
	// Report renders what is kept of an import's end. Required.
	Report   func(ImportReport, error) []byte
	Keep     time.Duration // how long ended jobs are kept; 0 is 30 days
	Lease    time.Duration // how long a runner that says nothing is believed to be alive; 0 is 10 seconds
	Poll     time.Duration // how often it looks for what other processes queued; 0 is one second
	Attempts int           // how often a job is begun whose runner goes away; 0 is 3
	Log      *slog.Logger  // nil: silence
}

// ImportRunner runs import jobs, one at a time for each database, however many
// processes have a runner: a job is leased in the store, and what it writes
// commits only while the lease is its own.
type ImportRunner struct {
	cfg  ImportRunnerConfig
	d    *Directory
	name string // of this runner
	wake chan struct{}

	mu      sync.Mutex
	current string // the job that runs here
	stop    context.CancelCauseFunc
}

// The causes that end a run before its time.
var (
	errJobCancelled = errors.New("directory: the job was cancelled")
	errJobLost      = errors.New("directory: the job is another runner's")
)

// NewImportRunner returns a runner that does nothing before Run.
func NewImportRunner(cfg ImportRunnerConfig) (*ImportRunner, error) {
	if cfg.Directory == nil || cfg.Import == nil || cfg.Report == nil {
		return nil, errors.New("directory: an import runner needs a directory, an importer and a report")
	}
	for _, d := range []struct {
		to     *time.Duration
		preset time.Duration
	}{{&cfg.Keep, 30 * 24 * time.Hour}, {&cfg.Lease, 10 * time.Second}, {&cfg.Poll, time.Second}} {
		if *d.to <= 0 {
			*d.to = d.preset
		}
	}
	if cfg.Attempts <= 0 {
		cfg.Attempts = 3
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &ImportRunner{cfg: cfg, d: cfg.Directory, name: hex.EncodeToString(cfg.Directory.random(8)), wake: make(chan struct{}, 1)}
	cfg.Directory.runner.Store(r)
	return r, nil
}

// Wake makes the runner look for work at once.
func (r *ImportRunner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default: // one look will see both
	}
}

// cancel ends the run of a job, if it is this runner's.
func (r *ImportRunner) cancel(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == id {
		r.stop(errJobCancelled)
	}
}

// Run runs jobs until ctx ends. A job that is under way then is undone and
// queued again.
func (r *ImportRunner) Run(ctx context.Context) error {
	tick := time.NewTicker(r.cfg.Poll)
	defer tick.Stop()
	for {
		for r.next(ctx) {
			if ctx.Err() != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-tick.C:
		}
	}
}

// next runs one job, and reports whether there may be another.
func (r *ImportRunner) next(ctx context.Context) bool {
	j, err := r.claim(ctx)
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Warn("import jobs can't be looked at", "err", err)
	}
	if err != nil || j.ID == "" {
		return false
	}
	r.cfg.Log.Info("import job begins", "job", j.ID, "format", j.Format, "by", j.By, "attempt", j.Attempts)
	err = r.run(ctx, j)
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Error("import job can't be ended", "job", j.ID, "err", err)
	}
	return err == nil
}

// claim leases the oldest job, unless another runner is at work. It first looks
// without a lock: most of the time there is nothing to do.
func (r *ImportRunner) claim(ctx context.Context) (j ImportJob, err error) {
	due := false
	err = r.d.cfg.Store.View(ctx, func(tx Reader) error {
		list, err := tx.ImportJobs()
		due = r.due(list)
		return err
	})
	if err != nil || !due {
		return j, err
	}
	err = r.d.cfg.Store.Update(ctx, func(tx Tx) error {
		j = ImportJob{}
		list, err := tx.ImportJobs()
		if err != nil {
			return err
		}
		j, err = r.lease(tx, list)
		return err
	})
	return j, err
}

// due reports whether something waits, ran out, or is too old.
func (r *ImportRunner) due(list []ImportJob) bool {
	queued, busy, dead, now := false, false, false, r.d.cfg.Now()
	for i := range list {
		j := &list[i]
		switch {
		case j.State == JobQueued:
			queued = true
		case j.State.Over():
			dead = dead || now.Sub(j.Ended) > r.cfg.Keep
		case !now.Before(j.Lease):
			dead = true
		case j.State == JobRunning:
			busy = true
		}
	}
	return dead || queued && !busy
}

// lease cleans up what was left behind, and takes the oldest job that waits.
func (r *ImportRunner) lease(tx Tx, list []ImportJob) (ImportJob, error) {
	var oldest ImportJob
	busy, now := false, r.d.cfg.Now()
	for _, j := range list { // newest first
		var err error
		switch {
		case j.State.Over() && now.Sub(j.Ended) > r.cfg.Keep, j.State == JobReceiving && !now.Before(j.Lease):
			err = tx.DropImportJob(j.ID, false)
		case j.State == JobRunning && now.Before(j.Lease):
			busy = true
		case j.State == JobRunning && j.Attempts < r.cfg.Attempts && !j.Cancel, j.State == JobQueued:
			oldest = j
		case j.State == JobRunning:
			err = r.abandon(tx, j)
		}
		if err != nil {
			return ImportJob{}, err
		}
	}
	if busy || oldest.ID == "" {
		return ImportJob{}, nil
	}
	j := oldest
	j.State, j.Runner, j.Lease, j.Started, j.Rows = JobRunning, r.name, now.Add(r.cfg.Lease), now, 0
	j.Attempts++
	return j, tx.PutImportJob(j)
}

// abandon ends a job whose runner went away and that nobody will begin again.
func (r *ImportRunner) abandon(tx Tx, j ImportJob) error {
	state, err := JobFailed, error(&Error{Kind: Unavailable, Op: "import", Problems: []Problem{
		problem("import.interrupted", "", "the server ended in the middle of it each time; nothing was written", "a look at the server's log, and the import once more")}})
	if j.Cancel {
		state, err = JobCancelled, nil
	}
	j.end(state, r.d.cfg.Now())
	if err != nil {
		j.Report = r.cfg.Report(ImportReport{DryRun: j.Options.DryRun}, err)
	}
	if err := tx.DropImportJob(j.ID, true); err != nil {
		return err
	}
	return tx.PutImportJob(j)
}

// run runs a leased job to its end, whatever that is.
func (r *ImportRunner) run(ctx context.Context, j ImportJob) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.mu.Lock()
	r.current, r.stop = j.ID, stop
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.current, r.stop = "", nil
	}()
	var rows atomic.Int64
	beating, stopBeating := context.WithCancel(running)
	var beat sync.WaitGroup
	beat.Go(func() { r.beat(beating, j.ID, &rows, stop) })
	committed := false
	report, err := r.work(running, j, &rows, func(tx Tx, report ImportReport) error {
		committed = true
		return r.finish(tx, j.ID, JobDone, report, nil)
	})
	stopBeating()
	beat.Wait()
	if err == nil && committed {
		return r.amend(ctx, j.ID, report) // that it is done, it said in the transaction that wrote
	}
	return r.settle(ctx, running, j, report, err)
}

// amend adds to the report of a job that is done what came after it: what rules
// merged, or why they did not.
func (r *ImportRunner) amend(ctx context.Context, id string, report ImportReport) error {
	return r.d.cfg.Store.Update(context.WithoutCancel(ctx), func(tx Tx) error {
		j, err := tx.ImportJob(id)
		if err != nil {
			return err
		}
		j.Report = r.cfg.Report(report, nil)
		return tx.PutImportJob(j)
	})
}

// work checks that whoever asked may still do so, and imports.
func (r *ImportRunner) work(ctx context.Context, j ImportJob, rows *atomic.Int64, commit func(Tx, ImportReport) error) (ImportReport, error) {
	p, err := r.d.submitter(ctx, j.By)
	if err != nil {
		return ImportReport{}, err
	}
	o := ImportOptions{
		Source: j.Options.Source, Format: j.Format, AsOf: j.Options.AsOf, Complete: j.Options.Complete, DryRun: j.Options.DryRun, Force: j.Options.Force,
		Team: j.Options.Team, MaxChange: j.Options.MaxChange, Progress: func(n int) { rows.Store(int64(n)) }, Commit: commit,
	}
	return r.cfg.Import(ctx, j, p, o, &upload{ctx: ctx, store: r.d.cfg.Store, id: j.ID, size: j.Size})
}

// submitter is who a job runs as: an operator, whose token must still hold.
func (d *Directory) submitter(ctx context.Context, by string) (Principal, error) {
	p := Principal{Name: by, Role: Operator, Scopes: []Scope{ScopeImport}}
	id, ok := strings.CutPrefix(by, "token:")
	if !ok {
		return p, nil
	}
	t, err := d.token(ctx, id)
	switch {
	case KindOf(err) == NotFound:
		return p, unauthenticated("auth.token", "the token that asked for the import is gone")
	case err != nil:
		return p, err
	}
	switch t.State(d.cfg.Now()) {
	case "expired":
		return p, unauthenticated("auth.token-expired", "the token that asked for the import has expired")
	case "revoked":
		return p, unauthenticated("auth.token-revoked", "the token that asked for the import was revoked")
	}
	return p, nil
}

// beat renews the lease, notes the progress and looks for a wish to cancel,
// until the run is over. While the import itself writes, nobody else can take
// the lease, so that a beat that has to wait does no harm.
func (r *ImportRunner) beat(ctx context.Context, id string, rows *atomic.Int64, stop context.CancelCauseFunc) {
	tick := time.NewTicker(min(r.cfg.Lease/3, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := r.d.cfg.Store.Update(ctx, func(tx Tx) error {
			j, err := r.own(tx, id)
			if err != nil {
				return err
			}
			j.Rows, j.Lease = int(rows.Load()), r.d.cfg.Now().Add(r.cfg.Lease)
			return tx.PutImportJob(j)
		})
		if errors.Is(err, errJobLost) || errors.Is(err, errJobCancelled) {
			stop(err)
			return
		}
	}
}

// own returns a job if it is leased to this runner and wanted.
func (r *ImportRunner) own(tx Reader, id string) (ImportJob, error) {
	j, err := tx.ImportJob(id)
	switch {
	case KindOf(err) == NotFound:
		return j, errJobLost
	case err != nil:
		return j, err
	case j.State != JobRunning || j.Runner != r.name:
		return j, errJobLost
	case j.Cancel:
		return j, errJobCancelled
	}
	return j, nil
}

// finish ends a job that is this runner's, in the transaction of whoever calls.
func (r *ImportRunner) finish(tx Tx, id string, s JobState, report ImportReport, cause error) error {
	j, err := r.own(tx, id)
	if err != nil && (s != JobCancelled || !errors.Is(err, errJobCancelled)) {
		return err
	}
	j.end(s, r.d.cfg.Now())
	j.Rows = max(j.Rows, report.Rows)
	j.Report = r.cfg.Report(report, cause)
	if err := tx.DropImportJob(id, true); err != nil {
		return err
	}
	return tx.PutImportJob(j)
}

// settle writes the end of a run that wrote nothing.
func (r *ImportRunner) settle(ctx, running context.Context, j ImportJob, report ImportReport, err error) error {
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	state := JobDone
	switch cause := context.Cause(running); {
	case errors.Is(cause, errJobLost), errors.Is(err, errJobLost):
		r.cfg.Log.Warn("import job was taken over by another runner", "job", j.ID)
		return nil
	case errors.Is(cause, errJobCancelled), errors.Is(err, errJobCancelled):
		state, err = JobCancelled, nil
	case ctx.Err() != nil:
		return r.release(after, j.ID)
	case KindOf(err) == Unavailable && j.Attempts < r.cfg.Attempts:
		r.cfg.Log.Warn("import job will be tried again", "job", j.ID, "err", err)
		return nil // when its lease ends
	case err != nil:
		state = JobFailed
	}
	if KindOf(err) == Internal {
		r.cfg.Log.Error("import job failed", "job", j.ID, "err", err)
	}
	ended := r.d.cfg.Store.Update(after, func(tx Tx) error { return r.finish(tx, j.ID, state, report, err) })
	if errors.Is(ended, errJobCancelled) {
		ended = r.d.cfg.Store.Update(after, func(tx Tx) error { return r.finish(tx, j.ID, JobCancelled, report, nil) })
	}
	r.cfg.Log.Info("import job ended", "job", j.ID, "state", state, "rows", report.Rows)
	return ended
}

// release queues a job again that a stop of the server interrupted.
func (r *ImportRunner) release(ctx context.Context, id string) error {
	return r.d.cfg.Store.Update(ctx, func(tx Tx) error {
		j, err := r.own(tx, id)
		if err != nil {
			return nil //nolint:nilerr // it is somebody else's, or over
		}
		j.State, j.Runner, j.Lease = JobQueued, "", time.Time{}
		j.Attempts--
		return tx.PutImportJob(j)
	})
}

// cancelling stops the run of a job in this process, at once.
func (d *Directory) cancelling(id string) {
	if r := d.runner.Load(); r != nil {
		r.cancel(id)
	}
}

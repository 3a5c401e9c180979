package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// JobState is how far an import job is.
type JobState string

// The states. A job moves down the list, and back from running to queued when
// whoever ran it went away.
const (
	JobReceiving JobState = "receiving" // its file is being uploaded
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"    // nothing was written
	JobCancelled JobState = "cancelled" // nothing was written
)

// Over reports whether the job has ended.
func (s JobState) Over() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// ImportJob is an import that runs by itself after its file was uploaded. What
// it writes and that it is done is one transaction, so that a job that is not
// done has written nothing.
type ImportJob struct {
	ID       string
	State    JobState
	Format   string
	Options  JobOptions
	By       string // who asked for it
	Created  time.Time
	Started  time.Time // of the last attempt
	Ended    time.Time
	Size     int64 // of the file, in bytes
	Rows     int   // read so far
	Attempts int   // how often it was begun
	Runner   string
	Lease    time.Time // until when the runner, or whoever uploads, is believed to be alive
	Cancel   bool      // somebody wants it to end
	Report   []byte    // what came of it, as the runner wrote it
}

// JobOptions are what an import job was asked to do. They are stored as JSON.
type JobOptions struct {
	Source    string // "": as the file says
	AsOf      time.Time
	Complete  bool
	DryRun    bool
	Force     bool
	Team      string
	MaxChange float64
	Columns   map[string]string // of a spreadsheet: its columns by field
	Key       string            // of a spreadsheet: the column that identifies a team
	Separator string            // of a spreadsheet: between its fields
}

// uploadBlock is the size of the pieces in which an upload is stored.
const uploadBlock = 512 << 10

// uploadPatience is how long an upload may pause before it counts as given up.
const uploadPatience = 10 * time.Minute

// MayImport returns the error of a principal that may not import, for a caller
// that would have to read a large file to be told so.
func (d *Directory) MayImport(p Principal) error { return authorise(p, actImport, nil) }

// SubmitImport stores the file and queues its import. The error is that of
// file where it can't be read, and then nothing is left of the job.
func (d *Directory) SubmitImport(ctx context.Context, p Principal, format string, o JobOptions, file io.Reader) (ImportJob, error) {
	if err := authorise(p, actImport, nil); err != nil {
		return ImportJob{}, err
	}
	if err := o.check(d.cfg.Now()); err != nil {
		return ImportJob{}, err
	}
	now := d.cfg.Now()
	j := ImportJob{ID: d.newID(), State: JobReceiving, Format: format, Options: o, By: p.Name, Created: now, Lease: now.Add(uploadPatience)}
	err := d.receive(ctx, &j, file)
	if err != nil {
		// Also when the request is over; what can't be removed now is when its lease ends.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = d.cfg.Store.Update(ctx, func(tx Tx) error { return tx.DropImportJob(j.ID, false) })
		return ImportJob{}, err
	}
	d.wakeImports()
	return j, nil
}

func (o JobOptions) check(now time.Time) error {
	if o.Source != "" {
		if err := (ImportOptions{Source: o.Source}).check(); err != nil {
			return err
		}
	}
	if o.AsOf.After(now) {
		return &Error{Kind: Invalid, Op: "import", Problems: []Problem{
			problem("date.future", o.AsOf.Format(time.DateOnly), "the day has not come yet", "the day that the file describes").At("/as_of")}}
	}
	return nil
}

// receive stores the file, a block in a transaction, and queues the job with
// the last one.
func (d *Directory) receive(ctx context.Context, j *ImportJob, file io.Reader) error {
	block := make([]byte, uploadBlock)
	for n := 0; j.State == JobReceiving; n++ {
		size, err := io.ReadFull(file, block)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			j.State = JobQueued
		case err != nil:
			return err
		}
		j.Size += int64(size)
		if j.Size == 0 {
			return &Error{Kind: Invalid, Op: "import", Problems: []Problem{problem("import.empty", "", "the file is empty", "a file of the format")}}
		}
		if j.Lease = d.cfg.Now().Add(uploadPatience); j.State == JobQueued {
			j.Lease = time.Time{}
		}
		err = d.cfg.Store.Update(ctx, func(tx Tx) error {
			if err := tx.PutImportJob(*j); err != nil || size == 0 {
				return err
			}
			return tx.PutImportBlock(j.ID, n, block[:size])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) wakeImports() {
	if r := d.runner.Load(); r != nil {
		r.Wake()
	}
}

// ImportJobs returns the import jobs whose files have arrived, newest first,
// without their reports.
func (d *Directory) ImportJobs(ctx context.Context, p Principal) (list []ImportJob, err error) {
	if err := authorise(p, actImport, nil); err != nil {
		return nil, err
	}
	err = d.cfg.Store.View(ctx, func(r Reader) error {
		list, err = r.ImportJobs()
		return err
	})
	return slices.DeleteFunc(list, func(j ImportJob) bool { return j.State == JobReceiving }), err
}

// ImportJobStates counts the jobs by state, for whoever watches the server: it
// tells nothing about any of them.
func (d *Directory) ImportJobStates(ctx context.Context) (map[JobState]int, error) {
	states := map[JobState]int{JobReceiving: 0, JobQueued: 0, JobRunning: 0, JobDone: 0, JobFailed: 0, JobCancelled: 0}
	err := d.cfg.Store.View(ctx, func(r Reader) error {
		list, err := r.ImportJobs()
		for i := range list {
			states[list[i].State]++
		}
		return err
	})
	return states, err
}

// ImportJob returns one job.
func (d *Directory) ImportJob(ctx context.Context, p Principal, id string) (j ImportJob, err error) {
	if err := authorise(p, actImport, nil); err != nil {
		return j, err
	}
	err = d.cfg.Store.View(ctx, func(r Reader) error {
		j, err = r.ImportJob(id)
		return err
	})
	if KindOf(err) == NotFound || err == nil && j.State == JobReceiving {
		err = noJob(id)
	}
	return j, err
}

func noJob(id string) error {
	return &Error{Kind: NotFound, Op: "find import job", Subject: id, Problems: []Problem{
		problem("import.unknown", id, "no import job has this id", "an id from the list of import jobs")}}
}

// CancelImport ends a job that has not ended yet. A running one ends as soon as
// its runner sees it, and has then written nothing. An ended one is a
// [Conflict]; cancelling twice is none.
func (d *Directory) CancelImport(ctx context.Context, p Principal, id string) (j ImportJob, err error) {
	if err := authorise(p, actImport, nil); err != nil {
		return j, err
	}
	d.cancelling(id) // first of all: while a job writes, nobody else can
	defer d.wakeImports()
	err = d.cfg.Store.Update(ctx, func(tx Tx) error {
		if j, err = tx.ImportJob(id); err != nil {
			return err
		}
		switch {
		case j.State == JobReceiving:
			return noJob(id)
		case j.State == JobCancelled:
			return nil
		case j.State.Over():
			return &Error{Kind: Conflict, Op: "cancel import", Subject: id, Problems: []Problem{
				problem("import.over", string(j.State), "the job has ended already", "a job that is queued or running")}}
		case j.State == JobQueued:
			j.end(JobCancelled, d.cfg.Now())
			if err := tx.DropImportJob(id, true); err != nil {
				return err
			}
		default:
			j.Cancel = true
		}
		return tx.PutImportJob(j)
	})
	if KindOf(err) == NotFound {
		err = noJob(id)
	}
	return j, err
}

func (j *ImportJob) end(s JobState, at time.Time) {
	j.State, j.Ended, j.Runner, j.Lease, j.Cancel = s, at, "", time.Time{}, false
}

// upload reads what was uploaded for a job, a block at a time.
type upload struct {
	ctx   context.Context // of the one run that reads it
	store Store
	id    string
	n     int
	size  int64 // what is still to come
	block []byte
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	if len(u.block) == 0 {
		if u.size <= 0 {
			return 0, io.EOF
		}
		err := u.store.View(u.ctx, func(r Reader) (err error) {
			u.block, err = r.ImportBlock(u.id, u.n)
			return err
		})
		if KindOf(err) == NotFound {
			return 0, &Error{Kind: Invalid, Op: "import", Subject: u.id, Problems: []Problem{
				problem("import.upload-lost", strconv.Itoa(u.n), "what was uploaded is not here any more; a backup does not hold it", "the file once more")}}
		}
		if err != nil {
			return 0, fmt.Errorf("upload %s: %w", u.id, err)
		}
		u.n++
		u.size -= int64(len(u.block))
	}
	n := copy(p, u.block)
	u.block = u.block[n:]
	return n, nil
}

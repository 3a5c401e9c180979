package directory_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// runner runs the jobs of d until the test ends. A job imports one record,
// after reading its file to the end.
func (d door) runner(t *testing.T, during func(context.Context)) {
	t.Helper()
	r, err := directory.NewImportRunner(directory.ImportRunnerConfig{
		Directory: d.Directory, Poll: time.Millisecond,
		Report: func(_ directory.ImportReport, err error) []byte {
			if err != nil {
				return []byte(`"` + string(directory.ProblemsOf(err)[0].Code) + `"`)
			}
			return []byte(`"fine"`)
		},
		Import: func(ctx context.Context, _ directory.ImportJob, p directory.Principal, o directory.ImportOptions, file io.Reader) (directory.ImportReport, error) {
			if _, err := io.ReadAll(file); err != nil {
				return directory.ImportReport{}, err
			}
			o.Source = "list"
			commit := o.Commit
			o.Commit = func(tx directory.Tx, r directory.ImportReport) error {
				if during != nil {
					during(ctx) // in the transaction, before its end
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return commit(tx, r)
			}
			return d.Import(ctx, p, o, items(source("a")))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func (d door) submit(t *testing.T) string {
	t.Helper()
	j, err := d.SubmitImport(context.Background(), operator, "list", directory.JobOptions{}, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	return j.ID
}

func (d door) ended(t *testing.T, id string) directory.ImportJob {
	t.Helper()
	tick, timeout := time.NewTicker(2*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		j, err := d.ImportJob(context.Background(), operator, id)
		if err != nil {
			t.Fatal(err)
		}
		if j.State.Over() {
			return j
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("job %+v does not end", j)
		}
	}
}

func codeOf(err error) directory.Code {
	for _, p := range directory.ProblemsOf(err) {
		return p.Code
	}
	return ""
}

func TestImportJobProblems(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		if _, err := d.SubmitImport(ctx, operator, "list", directory.JobOptions{}, strings.NewReader("")); codeOf(err) != "import.empty" {
			t.Errorf("an empty file = %v, want import.empty", err)
		}
		if _, err := d.SubmitImport(ctx, operator, "list", directory.JobOptions{Source: "A B"}, strings.NewReader("x")); codeOf(err) != "import.source" {
			t.Errorf("a wrong source = %v, want import.source", err)
		}
		if _, err := d.SubmitImport(ctx, operator, "list", directory.JobOptions{AsOf: now.AddDate(0, 0, 2)}, strings.NewReader("x")); codeOf(err) != "date.future" {
			t.Errorf("a day to come = %v, want date.future", err)
		}
		if _, err := d.ImportJob(ctx, operator, "x"); codeOf(err) != "import.unknown" {
			t.Errorf("an unknown job = %v, want import.unknown", err)
		}
		if _, err := d.CancelImport(ctx, operator, "x"); codeOf(err) != "import.unknown" {
			t.Errorf("cancelling an unknown job = %v, want import.unknown", err)
		}
		lost, dead := d.submit(t), d.submit(t)
		err := d.store.Update(ctx, func(tx directory.Tx) error {
			j, err := tx.ImportJob(dead)
			if err != nil {
				return err
			}
			j.State, j.Attempts, j.Lease = directory.JobRunning, 3, now.Add(-time.Second)
			return errors.Join(tx.PutImportJob(j), tx.DropImportJob(lost, true))
		})
		if err != nil {
			t.Fatal(err)
		}
		d.runner(t, nil)
		for id, want := range map[string]string{lost: "import.upload-lost", dead: "import.interrupted"} {
			if j := d.ended(t, id); j.State != directory.JobFailed || string(j.Report) != `"`+want+`"` {
				t.Errorf("job ended as %s with %s, want failed with %s", j.State, j.Report, want)
			}
		}
		if j := d.ended(t, d.submit(t)); j.State != directory.JobDone || string(j.Report) != `"fine"` {
			t.Errorf("job ended as %s with %s, want done", j.State, j.Report)
		} else if _, err := d.CancelImport(ctx, operator, j.ID); codeOf(err) != "import.over" {
			t.Errorf("cancelling an ended job = %v, want import.over", err)
		}
	})
}

// TestImportJobIsCancelledWhileItWrites cancels in the middle of the
// transaction, while nobody else can write.
func TestImportJobIsCancelledWhileItWrites(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		writing := make(chan struct{})
		d.runner(t, func(ctx context.Context) {
			close(writing)
			<-ctx.Done()
		})
		id := d.submit(t)
		<-writing
		if _, err := d.CancelImport(context.Background(), operator, id); err != nil {
			t.Errorf("CancelImport = %v, want nil", err)
		}
		if j := d.ended(t, id); j.State != directory.JobCancelled {
			t.Errorf("the job ended as %s, want cancelled", j.State)
		}
		if list, err := d.Teams(context.Background(), operator, directory.TeamFilter{}); err != nil || len(list) != 0 {
			t.Errorf("%d teams (%v) after a cancelled import, want none", len(list), err)
		}
	})
}

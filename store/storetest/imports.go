package storetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

func testImportJobs(t *testing.T, e Engine) {
	_, db := e.Open(t)
	full := directory.ImportJob{
		ID: "b", State: directory.JobRunning, Format: "csv", By: "token:rct_1", Created: Moment(), Started: Moment().Add(time.Second), Ended: Moment().Add(time.Minute),
		Options: directory.JobOptions{Source: "list", AsOf: Moment(), Complete: true, DryRun: true, Force: true, Team: "alpha", MaxChange: 0.5,
			Columns: map[string]string{"Name": "names.short"}, Key: "Name", Separator: ";"},
		Size: 1 << 40, Rows: 7, Attempts: 2, Runner: "r", Lease: Moment().Add(time.Hour), Cancel: true, Report: []byte(`{"a":"ä"}`),
	}
	newer := directory.ImportJob{ID: "a", State: directory.JobQueued, Created: Moment().Add(time.Second)}
	put := func(jobs ...directory.ImportJob) {
		t.Helper()
		update(t, db, func(tx directory.Tx) error {
			for _, j := range jobs {
				if err := tx.PutImportJob(j); err != nil {
					return err
				}
			}
			return nil
		})
	}
	put(full, newer)
	short := full
	short.Report = nil
	wantEqual(t, "ImportJobs", view(t, db, directory.Reader.ImportJobs), []directory.ImportJob{newer, short})
	one := func(id string) directory.ImportJob {
		return view(t, db, func(r directory.Reader) (directory.ImportJob, error) { return r.ImportJob(id) })
	}
	wantEqual(t, "ImportJob", one("b"), full)
	full.State, full.Cancel, full.Runner, full.Lease = directory.JobDone, false, "", time.Time{}
	put(full)
	wantEqual(t, "ImportJob that was replaced", one("b"), full)
	if got := head(t, db).Seq; got != 0 {
		t.Errorf("the sequence is at %d after jobs, want 0", got)
	}
	uploads(t, db)
	// A backup holds the jobs, and not what was uploaded for them.
	archive, _ := backup(t, db)
	_, other := e.Open(t)
	put2 := directory.ImportJob{ID: "gone", State: directory.JobQueued}
	update(t, other, func(tx directory.Tx) error {
		if err := tx.PutImportJob(put2); err != nil {
			return err
		}
		return tx.PutImportBlock("gone", 0, []byte("x"))
	})
	if _, err := other.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
		t.Fatalf("Restore: %v", err)
	}
	wantEqual(t, "ImportJobs after a restore", len(view(t, other, directory.Reader.ImportJobs)), 2)
	for _, id := range []string{"a", "gone"} {
		wantKind(t, "the upload of "+id+" after a restore", noBlock(other, id, 0), directory.NotFound)
	}
	whole(t, other)
}

func noBlock(db directory.Store, id string, n int) error {
	return db.View(context.Background(), func(r directory.Reader) error {
		_, err := r.ImportBlock(id, n)
		return err
	})
}

// uploads stores two blocks for job a, and takes them away again.
func uploads(t *testing.T, db directory.Store) {
	t.Helper()
	blocks := [][]byte{bytes.Repeat([]byte{0, 0xff, 'x'}, 100_000), {1}}
	fill := func() {
		update(t, db, func(tx directory.Tx) error {
			for n, b := range blocks {
				if err := tx.PutImportBlock("a", n, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	fill()
	for n, want := range blocks {
		got := view(t, db, func(r directory.Reader) ([]byte, error) { return r.ImportBlock("a", n) })
		if !bytes.Equal(got, want) {
			t.Errorf("block %d has %d bytes, want the %d that were written", n, len(got), len(want))
		}
	}
	wantKind(t, "a block behind the end", noBlock(db, "a", 2), directory.NotFound)
	err := db.Update(context.Background(), func(tx directory.Tx) error { return tx.PutImportBlock("nobody", 0, []byte("x")) })
	wantKind(t, "a block of no job", err, directory.Conflict)
	update(t, db, func(tx directory.Tx) error { return tx.DropImportJob("a", true) })
	wantKind(t, "a block after the upload was dropped", noBlock(db, "a", 0), directory.NotFound)
	fill()
	update(t, db, func(tx directory.Tx) error { return tx.DropImportJob("b", false) })
	update(t, db, func(tx directory.Tx) error { return tx.PutImportJob(directory.ImportJob{ID: "b"}) })
}

package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

// importFile is a request of the operator to import a file.
func importFile(name, file string, more ...string) request {
	path := "/v1/imports?format=" + name + strings.Join(append([]string{""}, more...), "&")
	return request{method: "POST", path: path, as: "operator", body: file, header: map[string]string{"Content-Type": "text/plain"}}
}

// queuedImport is the id of a job that nobody runs.
func (s *scene) queuedImport() string {
	s.t.Helper()
	j, err := s.dir.SubmitImport(context.Background(), operator(), "prefix-country", directory.JobOptions{}, strings.NewReader("192.0.2.0/24,AT\n"))
	if err != nil {
		s.t.Fatal(err)
	}
	return j.ID
}

// importer runs jobs on a database as one more process would, until the test
// ends or stop is called. before is called with each job before its import.
func (s *scene) importer(t testing.TB, db *store.DB, before func(context.Context, directory.ImportJob) error, after ...func(error)) (stop func()) {
	t.Helper()
	dir := s.dir
	if db != s.db {
		var err error
		if dir, err = directory.New(directory.Config{Store: db, Now: s.clock.Now}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := directory.NewImportRunner(directory.ImportRunnerConfig{
		Directory: dir, Report: format.EncodeJobResult, Poll: 5 * time.Millisecond,
		Import: func(ctx context.Context, j directory.ImportJob, p directory.Principal, o directory.ImportOptions, file io.Reader) (directory.ImportReport, error) {
			if before != nil {
				if err := before(ctx, j); err != nil {
					return directory.ImportReport{}, err
				}
			}
			report, err := format.RunImportJob(ctx, dir, j, p, o, file)
			for _, f := range after {
				f(err)
			}
			return report, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// submit uploads a file and returns its job.
func (s *scene) submit(t testing.TB, q request) api.ImportJob {
	t.Helper()
	var j api.ImportJob
	a := s.do(t, q)
	a.into(t, 202, &j)
	if want := "/v1/imports/" + j.ID; a.header.Get("Location") != want {
		t.Errorf("Location = %q, want %q", a.header.Get("Location"), want)
	}
	return j
}

// ended waits for the end of a job.
func (s *scene) ended(t testing.TB, id string) api.ImportJob {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(30 * time.Second)
	for {
		var j api.ImportJob
		s.do(t, get("/v1/imports/"+id).by("operator")).into(t, 200, &j)
		if directory.JobState(j.State).Over() {
			return j
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("job %+v does not end", j)
		}
	}
}

const prefixes = "prefix,country\n192.0.2.0/24,AT\n198.51.100.0/24,DE\nnonsense,DE\n"

func TestImportJobs(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		queued := s.submit(t, importFile("prefix-country", prefixes, "source=rir", "as_of=2026-11-20", "dry_run=true"))
		if queued.State != "queued" || queued.Size != int64(len(prefixes)) || queued.AsOf != "2026-11-20" || !queued.DryRun || queued.Report != nil {
			t.Errorf("a new job = %+v, want queued as asked", queued)
		}
		s.importer(t, s.db, nil)
		dry := s.ended(t, queued.ID)
		if dry.State != "done" || dry.Report == nil || dry.Report.Rows != 3 || dry.Report.Created != 2 || dry.Report.Skipped != 1 || !dry.Report.DryRun || dry.Report.Seq != 0 {
			t.Errorf("a dry run ended as %+v with %+v, want two of three rows, and nothing written", dry, dry.Report)
		}
		for i, want := range []struct{ created, unchanged int }{{2, 0}, {0, 2}} {
			j := s.ended(t, s.submit(t, importFile("prefix-country", prefixes, "source=rir")).ID)
			if j.State != "done" || j.Report.Created != want.created || j.Report.Unchanged != want.unchanged || len(j.Report.Problems) != 1 || j.Report.Problems[0].Row != 4 || j.Rows < 3 || j.Attempts != 1 {
				t.Errorf("import %d ended as %+v with %+v, want %+v", i, j, j.Report, want)
			}
		}
		// What a job wrote has the token's name in the audit trail.
		if text := string(s.do(t, get("/v1/audit?limit=1").by("operator")).body); !strings.Contains(text, "reference:prefix-country/rir") || !strings.Contains(text, `"actor":"token:`) {
			t.Errorf("audit = %s, want the import by its token", text)
		}
		s.pages(t)
	})
}

// pages reads the list of jobs one by one.
func (s *scene) pages(t *testing.T) {
	t.Helper()
	var seen []string
	for path := "/v1/imports?limit=1"; path != ""; {
		var page api.ImportJobPage
		s.do(t, get(path).by("operator")).into(t, 200, &page)
		for _, j := range page.Jobs {
			seen = append(seen, j.ID)
			if j.Report != nil {
				t.Errorf("a list shows the report of %s", j.ID)
			}
		}
		if path = ""; page.Next != "" {
			path = "/v1/imports?limit=1&after=" + page.Next
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d jobs in pages of one, want 3", len(seen))
	}
}

func teamFile(n int, host string) string {
	var b strings.Builder
	b.WriteString("Domain name,Domain type,Organization name,Suborganization name,City,State,Security contact email\n")
	for i := range n {
		fmt.Fprintf(&b, "d%05d.example.org,City,%s %d,,Springfield,VA,security@d%05d.example.org\n", i, host, i, i)
	}
	return b.String()
}

// TestImportJobsFail looks at what is told of imports that write nothing.
func TestImportJobsFail(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.importer(t, s.db, func(_ context.Context, j directory.ImportJob) error {
			if j.Options.Key == "break" {
				return errors.New("secret of the machine")
			}
			return nil
		})
		if j := s.ended(t, s.submit(t, importFile("dotgov", teamFile(20, "Office"))).ID); j.State != "done" {
			t.Fatalf("the first import ended as %+v, want done", j)
		}
		for _, tt := range []struct {
			name string
			request
			state, code, kind string
		}{
			{"a file of another format", importFile("ti", "<html></html>"), "failed", "", "invalid"},
			{"a mass change", importFile("dotgov", teamFile(20, "Bureau")), "failed", "import.mass-change", "conflict"},
			{"a mass change that is forced", importFile("dotgov", teamFile(20, "Bureau"), "force=true"), "done", "", ""},
			{"a mass change that is allowed", importFile("dotgov", teamFile(20, "Agency"), "max_change=1"), "done", "", ""},
			{"a team that does not exist", importFile("rfc2350", "# x\n", "team=nobody"), "failed", "team.unknown", "not_found"},
			{"an error of ours", importFile("csv", "x\n", "key=break"), "failed", "server.internal", "internal"},
			{"columns", importFile("csv", "Team;Mail\nX;x@example.org\n", "separator=%3B", "key=Team", `columns=%7B%22Team%22%3A%22name%22%2C%22Mail%22%3A%22email%22%7D`), "", "", ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				j := s.ended(t, s.submit(t, tt.request).ID)
				if tt.state != "" && j.State != tt.state {
					t.Fatalf("ended as %s with %+v, want %s", j.State, j.Failure, tt.state)
				}
				if tt.state != "failed" {
					return
				}
				if j.Failure == nil || j.Failure.Kind != tt.kind || j.Report == nil || j.Report.Error == nil || tt.code != "" && j.Report.Error.Code != tt.code {
					t.Errorf("failure %+v with the report %+v, want %s %s", j.Failure, j.Report, tt.kind, tt.code)
				}
				if text := fmt.Sprintf("%+v %+v", j.Failure, j.Report.Error); strings.Contains(text, "secret") {
					t.Errorf("the job tells %s, want no inner detail", text)
				}
			})
		}
	})
}

// TestImportJobIsCancelled cancels a job that waits, one that is being read,
// and one that has ended.
func TestImportJobIsCancelled(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		begun := make(chan struct{}, 1)
		s.importer(t, s.db, func(ctx context.Context, j directory.ImportJob) error {
			if j.Format == "csv" {
				begun <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		running := s.submit(t, importFile("csv", "x\n"))
		<-begun
		waiting := s.submit(t, importFile("dotgov", teamFile(5, "Office")))
		for _, id := range []string{waiting.ID, running.ID} {
			for _, q := range []request{{method: "POST", path: "/v1/imports/" + id + "/cancel", as: "operator"}, {method: "DELETE", path: "/v1/imports/" + id, as: "operator"}} {
				var j api.ImportJob
				s.do(t, q).into(t, 200, &j)
				if j.State != "cancelled" && !j.Cancelling {
					t.Errorf("a cancelled job = %+v, want cancelled or about to be", j)
				}
			}
			if j := s.ended(t, id); j.State != "cancelled" || j.Failure != nil {
				t.Errorf("a cancelled job ended as %+v", j)
			}
		}
		done := s.ended(t, s.submit(t, importFile("prefix-country", prefixes)).ID)
		a := s.do(t, request{method: "POST", path: "/v1/imports/" + done.ID + "/cancel", as: "operator"})
		if p := problemIn(t, a); p.Status != 409 || p.Code != "import.over" {
			t.Errorf("cancelling what has ended = %d %s, want 409 import.over", p.Status, p.Code)
		}
		if text := string(s.do(t, get("/v1/teams?limit=100")).body); strings.Contains(text, "Office") {
			t.Error("a cancelled import wrote a team")
		}
	})
}

// TestImportJobChangesHands lets a second process on the database cancel what
// the first one runs, and take over what the first one leaves.
func TestImportJobChangesHands(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		began := make(chan string, 10)
		hang := func(ctx context.Context, j directory.ImportJob) error {
			if j.Format == "csv" {
				began <- j.ID
				<-ctx.Done()
			}
			return ctx.Err()
		}
		stop := s.importer(t, s.db, hang)
		left := s.submit(t, importFile("csv", "x\n"))
		<-began
		second := s.submit(t, importFile("prefix-country", prefixes))
		stop() // as at a graceful end: the job goes back into the queue
		var j api.ImportJob
		s.do(t, get("/v1/imports/"+left.ID).by("operator")).into(t, 200, &j)
		if j.State != "queued" || j.Attempts != 0 {
			t.Errorf("after a stop the job is %+v, want queued", j)
		}
		s.importer(t, s.db, hang)
		<-began
		// By the store alone, as another server would.
		if _, err := s.otherDoor(t).CancelImport(context.Background(), operator(), left.ID); err != nil {
			t.Fatal(err)
		}
		if j := s.ended(t, left.ID); j.State != "cancelled" {
			t.Errorf("cancelled by another process it ended as %+v", j)
		}
		if j := s.ended(t, second.ID); j.State != "done" {
			t.Errorf("the next one ended as %+v, want done", j)
		}
	})
}

// otherDoor is a directory on the same database that runs no jobs.
func (s *scene) otherDoor(t testing.TB) *directory.Directory {
	t.Helper()
	d, err := directory.New(directory.Config{Store: s.db, Now: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestImportJobOutlivesItsRunner takes the runner away without a word, as a
// crash does: the job begins anew when the lease is over, and after three times
// it is given up.
func TestImportJobOutlivesItsRunner(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		crash := func(j api.ImportJob, attempts int) {
			err := s.db.Update(context.Background(), func(tx directory.Tx) error {
				job, err := tx.ImportJob(j.ID)
				if err != nil {
					return err
				}
				job.State, job.Runner, job.Attempts, job.Lease = directory.JobRunning, "dead", attempts, s.clock.Now().Add(30*time.Second)
				return tx.PutImportJob(job)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		again, given := s.submit(t, importFile("prefix-country", prefixes)), s.submit(t, importFile("dotgov", teamFile(3, "Office")))
		crash(again, 1)
		crash(given, 3)
		s.importer(t, s.db, nil)
		later := s.submit(t, importFile("prefix-country", prefixes, "source=late"))
		var j api.ImportJob
		s.do(t, get("/v1/imports/"+later.ID).by("operator")).into(t, 200, &j)
		if j.State != "queued" {
			t.Errorf("while another runner has a lease, a job is %s, want queued", j.State)
		}
		s.clock.Advance(31 * time.Second)
		if j := s.ended(t, again.ID); j.State != "done" || j.Attempts != 2 {
			t.Errorf("a job whose runner died ended as %+v, want done at the second attempt", j)
		}
		if j := s.ended(t, given.ID); j.State != "failed" || j.Report.Error.Code != "import.interrupted" {
			t.Errorf("a job whose runner died three times ended as %+v, want failed", j)
		}
		if j := s.ended(t, later.ID); j.State != "done" {
			t.Errorf("the job behind ended as %+v, want done", j)
		}
		// Ended jobs are forgotten after their time.
		s.clock.Advance(31 * 24 * time.Hour)
		last := s.ended(t, s.submit(t, importFile("prefix-country", prefixes)).ID)
		var page api.ImportJobPage
		s.do(t, get("/v1/imports").by("operator")).into(t, 200, &page)
		if len(page.Jobs) != 1 || page.Jobs[0].ID != last.ID {
			t.Errorf("after a month %d jobs are left, want the last one", len(page.Jobs))
		}
	})
}

// TestImportJobIsFenced takes the lease away from a runner that is about to
// write: what it wrote is undone.
func TestImportJobIsFenced(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		taken, ends := false, make(chan error, 2)
		s.importer(t, s.db, func(_ context.Context, j directory.ImportJob) error {
			if taken || j.Format != "dotgov" {
				return nil
			}
			taken = true
			return s.db.Update(context.Background(), func(tx directory.Tx) error {
				job, err := tx.ImportJob(j.ID)
				if err != nil {
					return err
				}
				job.Runner, job.Lease = "thief", s.clock.Now().Add(30*time.Second)
				return tx.PutImportJob(job)
			})
		}, func(err error) { ends <- err })
		before := s.do(t, get("/v1/audit?limit=1").by("operator")).body
		stolen := s.submit(t, importFile("dotgov", teamFile(5, "Office")))
		if err := <-ends; err == nil {
			t.Error("an import whose job is another runner's was committed")
		}
		if after := s.do(t, get("/v1/audit?limit=1").by("operator")).body; string(after) != string(before) {
			t.Errorf("the first run wrote %s", after)
		}
		s.clock.Advance(31 * time.Second) // the thief dies too, and the job is run again
		if j := s.ended(t, stolen.ID); j.State != "done" || j.Report.Created != 5 {
			t.Errorf("the job ended as %+v with %+v, want done, once", j, j.Report)
		}
		if after := s.do(t, get("/v1/audit?limit=1").by("operator")).body; string(after) == string(before) {
			t.Error("the second run wrote nothing")
		}
	})
}

// TestImportJobOfLostToken does nothing for a token that was revoked meanwhile,
// and nothing with an upload that a restore left behind.
func TestImportJobOfLostToken(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		expiring := s.submit(t, importFile("dotgov", teamFile(5, "Office")).by("expiring"))
		lost := s.submit(t, importFile("dotgov", teamFile(5, "Office")))
		s.clock.Advance(2 * time.Hour)
		if err := s.db.Update(context.Background(), func(tx directory.Tx) error { return tx.DropImportJob(lost.ID, true) }); err != nil {
			t.Fatal(err)
		}
		s.importer(t, s.db, nil)
		for id, code := range map[string]string{expiring.ID: "auth.token-expired", lost.ID: "import.upload-lost"} {
			if j := s.ended(t, id); j.State != "failed" || j.Report.Error == nil || j.Report.Error.Code != code {
				t.Errorf("ended as %+v with %+v, want failed with %s", j, j.Report, code)
			}
		}
	})
}

// TestImportUploads looks at files that are too large, that break off, and
// that need several blocks.
func TestImportUploads(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		small := s.changed(t, func(c *api.Config) { c.ImportMax = 1000 })
		if p := problemIn(t, small.do(t, importFile("dotgov", teamFile(100, "Office")))); p.Status != http.StatusRequestEntityTooLarge || p.Code != "body.too-large" {
			t.Errorf("a file that is too large = %d %s, want 413 body.too-large", p.Status, p.Code)
		}
		if _, err := s.dir.SubmitImport(context.Background(), operator(), "dotgov", directory.JobOptions{}, io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), brokenReader{})); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("an upload that breaks off = %v, want the error of the reader", err)
		}
		var page api.ImportJobPage
		s.do(t, get("/v1/imports").by("operator")).into(t, 200, &page)
		if len(page.Jobs) != 0 {
			t.Errorf("%d jobs are left of uploads that failed, want none", len(page.Jobs))
		}
		s.importer(t, s.db, nil)
		long := "prefix,country\n" + strings.Repeat("192.0.2.0/24,AT\n", 100_000) // 1.6 MB, four blocks
		j := s.ended(t, s.submit(t, importFile("prefix-country", long)).ID)
		if j.State != "done" || j.Size != int64(len(long)) || j.Report.Created != 1 || j.Report.Skipped != 99_999 || len(j.Report.Problems) != 20_000 || j.Omitted != 79_999 {
			t.Errorf("a long file ended as %s with %d bytes, %d created, %d skipped, %d problems, %d left out", j.State, j.Size, j.Report.Created, j.Report.Skipped, len(j.Report.Problems), j.Omitted)
		}
		q := importFile("prefix-country", string(zip(t, []byte(prefixes))), "source=packed").with("Content-Encoding", "gzip")
		if j := s.ended(t, s.submit(t, q).ID); j.State != "done" || j.Size != int64(len(prefixes)) || j.Report.Created != 2 {
			t.Errorf("a compressed upload ended as %+v", j)
		}
	})
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// upload sends a file and returns the id of its job.
func (c client) upload(t testing.TB, query, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	status, _, answer := c.do(http.MethodPost, "/v1/imports?"+query, string(text), map[string]string{"Content-Type": "text/csv"})
	var job api.ImportJob
	if err := json.Unmarshal(answer, &job); err != nil || status != http.StatusAccepted {
		t.Fatalf("upload = %d %s", status, answer)
	}
	return job.ID
}

// ended waits for the end of a job.
func (c client) ended(t testing.TB, id string) api.ImportJob {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		var job api.ImportJob
		status, _, answer := c.do(http.MethodGet, "/v1/imports/"+id, "", nil)
		if err := json.Unmarshal(answer, &job); err != nil || status != http.StatusOK {
			t.Fatalf("job %s = %d %s", id, status, answer)
		}
		if directory.JobState(job.State).Over() {
			return job
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-timeout:
			t.Fatalf("job %+v does not end", job)
		}
	}
}

// TestSoakKillImportJob kills the server in the middle of jobs. After each kill
// the database is whole and of one round, and the next server ends the job.
func TestSoakKillImportJob(t *testing.T) {
	kills := 2
	if soaking() {
		kills = 25
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel() // each waits for leases to end
			k := &killer{t: t, engine: e, db: e.Create(t), random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 9)), acked: map[string]int{}}
			k.prepare()
			interrupted := 0
			for n := range kills {
				s, err := startServer(k.db)
				if err != nil {
					t.Fatal(err)
				}
				id := client{s.url, k.token}.upload(t, "format=dotgov&force=true", writeDotgov(t, killRows, n+2))
				<-time.After(k.moment())
				if err := s.kill(); err != nil {
					t.Fatal(err)
				}
				k.verify(n)
				if s, err = startServer(k.db); err != nil {
					t.Fatal(err)
				}
				job := client{s.url, k.token}.ended(t, id)
				if job.State != "done" || job.Report == nil || job.Report.Updated != killRows {
					t.Errorf("after kill %d the job ended as %+v with %+v, want done with all rows", n, job, job.Report)
				}
				if job.Attempts > 1 {
					interrupted++
				}
				if err := s.stop(); err != nil {
					t.Fatal(err)
				}
				k.verify(n)
				k.ofRound(n + 2)
			}
			t.Logf("%d of %d jobs were begun again", interrupted, kills)
		})
	}
}

// ofRound wants the imported teams to be of one round.
func (k *killer) ofRound(round int) {
	k.t.Helper()
	db, err := k.engine.Connect(context.Background(), k.db, store.MustExist)
	if err != nil {
		k.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	err = db.View(context.Background(), func(r directory.Reader) error {
		refs, err := r.Layers("dotgov")
		for _, ref := range refs {
			record, err := r.Team(ref.Team)
			text, _ := json.Marshal(record.Layers) // a record is always JSON
			if want := fmt.Sprintf("of round %d", round); err == nil && !strings.Contains(string(text), want) {
				return fmt.Errorf("team %s is not %s", record.Handle, want)
			}
		}
		return err
	})
	if err != nil {
		k.t.Error(err)
	}
}

// TestOneRunner gives jobs to two servers on one database: all are done, one at
// a time.
func TestOneRunner(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			db := e.Create(t)
			_, first := start(t, db)
			_, second := start(t, db)
			var ids []string
			for n := range 6 {
				c := []client{first, second}[n%2]
				ids = append(ids, c.upload(t, fmt.Sprintf("format=dotgov&source=list-%d", n), writeDotgov(t, 200, n)))
			}
			running := regexp.MustCompile(`"state":"running"`)
			for done := false; !done; {
				_, _, text := second.do(http.MethodGet, "/v1/imports", "", nil)
				if n := len(running.FindAll(text, -1)); n > 1 {
					t.Fatalf("%d jobs run at once: %s", n, text)
				}
				done = strings.Count(string(text), `"state":"done"`) == len(ids) || strings.Contains(string(text), `"state":"failed"`)
			}
			for _, id := range ids {
				if job := second.ended(t, id); job.State != "done" || job.Attempts != 1 || job.Report.Created != 200 {
					t.Errorf("job %+v with %+v, want done at once", job, job.Report)
				}
			}
		})
	}
}

// TestInterruptedUpload cuts an upload off: nothing is left of it.
func TestInterruptedUpload(t *testing.T) {
	w, _, _ := testWorld(nil)
	db := filepath.Join(t.TempDir(), "rollcall.db")
	_, c := start(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	w.stdin = readerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})
	w.getenv = func(name string) string { return map[string]string{"ROLLCALL_TOKEN": c.token}[name] }
	if code := w.report(run(ctx, w, []string{"import", "--server", c.url, "dotgov", "-"})); code != exitFailed {
		t.Errorf("an interrupted upload ends with %d, want %d", code, exitFailed)
	}
	_, _, text := c.do(http.MethodGet, "/v1/imports", "", nil)
	if !strings.Contains(string(text), `"jobs":[]`) {
		t.Errorf("after an interrupted upload there are the jobs %s", text)
	}
}

type readerFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

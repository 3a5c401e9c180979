package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
)

// subjectsEach is how many subjects a noting worker sees in each team.
const subjectsEach = 50

// testLease is the lease of a noting worker where others take over its rows.
const testLease = 2 * time.Second

// notingCheck appends a line to a file when it begins: process and subject.
// With hang set it then waits to be killed.
func notingCheck(file *os.File, hang bool) verify.Check {
	return verify.Check{
		Name: "noting", Every: 24 * time.Hour,
		Applies: func(t *directory.Team) (list []verify.Subject) {
			for i := range subjectsEach {
				list = append(list, verify.Subject{Kind: verify.SubjectDomain, ID: fmt.Sprintf("%s-%d.example", t.Handle, i)})
			}
			return list
		},
		Run: func(_ context.Context, _ verify.Network, t verify.Target) (verify.Result, error) {
			if _, err := fmt.Fprintf(file, "%d %s\n", os.Getpid(), t.Subject.ID); err != nil { // one write, which O_APPEND keeps whole
				return verify.Result{}, err
			}
			if hang {
				select {}
			}
			return verify.Result{}, nil
		},
	}
}

// nowhere is a network without a way out.
type nowhere struct{ verify.Network }

// notingWorkerMain is the command noting-worker DB FILE LEASE [hang].
func notingWorkerMain() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	file, err := os.OpenFile(os.Args[2], os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		fatal(err)
	}
	w := osWorld()
	cfg := &config{DB: os.Args[1], LogFormat: "text", ShutdownTimeout: 10 * time.Second, Verify: verifyConfig{Concurrency: 8, Memory: 256}}
	c := &call{world: w, ctx: ctx, cfg: cfg, log: w.logger(cfg)}
	lease, err := time.ParseDuration(os.Args[3])
	if err != nil {
		fatal(err)
	}
	check := notingCheck(file, len(os.Args) > 4)
	if err := c.runWorker(verify.RunnerConfig{Network: nowhere{}, Checks: []verify.Check{check}, Lease: lease, Poll: 100 * time.Millisecond}); err != nil {
		fatal(err)
	}
}

// crew is a database with teams, and the workers on it.
type crew struct {
	t    *testing.T
	dsn  string
	db   *store.DB
	runs string // the file in which workers note what they run
	rows int

	lease time.Duration // of workers
}

func newCrew(t *testing.T, e storetest.Engine, teams int) *crew {
	t.Helper()
	c := &crew{t: t, runs: filepath.Join(t.TempDir(), "runs"), rows: teams * subjectsEach, lease: testLease}
	c.dsn, c.db = e.Open(t)
	records := make([]directory.Record, teams)
	for i := range records {
		records[i] = storetest.Small(i)
	}
	storetest.Write(t, c.db, records...)
	return c
}

// worker is a noting worker of its own process.
type worker struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

func (c *crew) start(more ...string) *worker {
	c.t.Helper()
	w := &worker{log: new(bytes.Buffer)}
	w.cmd = exec.Command("noting-worker", append([]string{c.dsn, c.runs, c.lease.String()}, more...)...)
	w.cmd.Stderr = w.log
	if err := w.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = w.cmd.Process.Kill() }) // most have ended by then
	return w
}

// stop ends a worker well, and wants a log without complaints.
func (c *crew) stop(w *worker) {
	c.t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Error(err)
	}
	if err := w.cmd.Wait(); err != nil || strings.Contains(w.log.String(), "level=WARN") || strings.Contains(w.log.String(), "level=ERROR") {
		c.t.Errorf("worker: %v\n%s", err, w.log)
	}
}

func (c *crew) kill(w *worker) {
	c.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		c.t.Error(err)
	}
	_ = w.cmd.Wait() // killed
}

// figures looks at the queue.
func (c *crew) figures() verify.Figures {
	c.t.Helper()
	f, err := c.db.Figures(context.Background(), time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// until waits for something that the workers bring about.
func (c *crew) until(what string, is func() bool) {
	c.t.Helper()
	tick, timeout := time.NewTicker(50*time.Millisecond), time.After(5*time.Minute)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			c.t.Fatalf("%s: not so after five minutes: %+v", what, c.figures())
		}
	}
}

// done reports whether everything is planned and has run.
func (c *crew) done() bool {
	f := c.figures()
	return f.Rows == c.rows && f.Due == 0 && f.Leased == 0
}

// noted returns how often each subject ran, and in how many processes.
func (c *crew) noted() (runs map[string]int, processes int) {
	c.t.Helper()
	text, err := os.ReadFile(c.runs)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Fatal(err)
	}
	runs = map[string]int{}
	by := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		process, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
		runs[subject]++
		by[process] = true
	}
	return runs, len(by)
}

// whole wants a verdict on every subject, and a database without a flaw.
func (c *crew) whole() {
	c.t.Helper()
	f := c.figures()
	if len(f.Verdicts) != 1 || f.Verdicts[0] != (verify.Count{Check: "noting", Outcome: "ok", N: int64(c.rows)}) {
		c.t.Errorf("verdicts = %+v, want %d that are ok", f.Verdicts, c.rows)
	}
	if err := c.db.Check(context.Background()); err != nil {
		c.t.Error(err)
	}
}

// busyWriter writes teams until it is stopped, and wants no error.
func (c *crew) busyWriter(e storetest.Engine) (stop func() (writes int)) {
	db := e.Reopen(c.t, c.dsn)
	over := make(chan struct{})
	var writer sync.WaitGroup
	n := 0
	writer.Go(func() {
		r := storetest.Small(1_000_000)
		r.Deleted = time.Now() // a tombstone has no checks
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for ; ; n++ {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if err := storetest.TryWrite(db, r); err != nil {
				c.t.Errorf("the busy writer: %v", err)
				return
			}
			r.Revision++
		}
	})
	return func() int {
		close(over)
		writer.Wait()
		return n
	}
}

// TestSoakWorkersOnce has three processes share a queue beside a busy writer:
// every row runs exactly once.
func TestSoakWorkersOnce(t *testing.T) {
	teams, least := 60, 2 // a short queue may be empty before the third process is up
	if soaking() {
		teams, least = 600, 3 // 30,000 rows
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			c := newCrew(t, e, teams)
			c.lease = time.Minute // as it is in earnest: nobody dies here
			stopWriter := c.busyWriter(e)
			begun := time.Now()
			workers := []*worker{c.start(), c.start(), c.start()}
			c.until("all has run", c.done)
			took := time.Since(begun)
			for _, w := range workers {
				c.stop(w)
			}
			writes := stopWriter()
			runs, processes := c.noted()
			for subject, n := range runs {
				if n != 1 {
					t.Errorf("%s ran %d times", subject, n)
				}
			}
			if len(runs) != c.rows || processes < least {
				t.Errorf("%d subjects ran in %d processes, want %d in %d or more", len(runs), processes, c.rows, least)
			}
			if f := c.figures(); len(f.Runs) != 1 || f.Runs[0].N != int64(c.rows) {
				t.Errorf("runs = %+v, want %d", f.Runs, c.rows)
			}
			c.whole()
			t.Logf("%d rows in %s by 3 processes, beside %d writes", c.rows, took.Round(time.Millisecond), writes)
		})
	}
}

// TestSoakKillWorker kills workers at random moments: nothing is lost, and what
// ran twice was under way.
func TestSoakKillWorker(t *testing.T) {
	teams, kills := 30, 2 // a row that is in hand at more of them is given up as one that ends processes
	if soaking() {
		teams, kills = 600, 60
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			random := rand.New(rand.NewPCG(seed, 4))
			c := newCrew(t, e, teams)
			for range kills {
				had, _ := c.noted()
				w := c.start()
				c.until("it is at work", func() bool { runs, _ := c.noted(); return len(runs) > len(had) })
				<-time.After(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
				c.kill(w)
				if err := c.db.Check(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			before := c.figures()
			w := c.start()
			c.until("all has run", c.done)
			c.stop(w)
			runs, _ := c.noted()
			again := 0
			for _, n := range runs {
				again += n - 1
			}
			// A worker has eight rows in work, and some results on their way to the store.
			const inHand = 8 + 3*32
			if len(runs) != c.rows || again > inHand*kills {
				t.Errorf("%d subjects ran, %d runs too many; want %d, and at most %d", len(runs), again, c.rows, inHand*kills)
			}
			c.whole()
			t.Logf("seed %d: %d kills, %d rows were left behind by them, %d ran again", seed, kills, before.Leased, again)
		})
	}
}

// TestKilledWorkersRows: what a killed worker had in hand runs again, in
// another process, before two leases have passed.
func TestKilledWorkersRows(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			c := newCrew(t, e, 1)
			dies := c.start("hang")
			c.until("the first has all hands full", func() bool { runs, _ := c.noted(); return len(runs) == 8 })
			other := c.start()
			c.until("the other has done the rest", func() bool { f := c.figures(); return f.Due == 0 && f.Leased <= 12 && f.Rows == c.rows }) // four are leased ahead
			c.kill(dies)
			killed := time.Now()
			c.until("all has run", c.done)
			if took := time.Since(killed); took > 2*testLease {
				t.Errorf("the rows ran again after %s, want two leases of %s at most", took, testLease)
			}
			c.stop(other)
			c.whole()
		})
	}
}

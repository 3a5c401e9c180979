package verify_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// held is a check that runs until it is let go, or ended.
type held struct {
	begun chan verify.Target
	free  chan struct{}
}

func newHeld() *held { return &held{begun: make(chan verify.Target, 100), free: make(chan struct{})} }

func (h *held) run(ctx context.Context, _ verify.Network, t verify.Target) (verify.Result, error) {
	h.begun <- t
	select {
	case <-h.free:
		return verify.Result{}, nil
	case <-ctx.Done():
		return verify.Result{}, ctx.Err()
	}
}

// figures reads them.
func (s *scene) figures() verify.Figures {
	s.t.Helper()
	f, err := s.db.Figures(context.Background(), s.clock.now())
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// TestRunnerStop: at a stop a check may finish, and what has not begun goes
// back at once.
func TestRunnerStop(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "a.example", "b.example", "c.example")
	h := newHeld()
	cfg := s.config(domains("x", h.run))
	cfg.Concurrency = 1
	stop := s.run(cfg)
	first := <-h.begun
	s.until("the others are leased", func() bool { return s.figures().Leased == 3 })
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	s.until("the others are given back", func() bool { return s.figures().Leased == 1 })
	close(h.free)
	<-stopped
	if v, _ := s.known(team.ID, "x", first.Subject.ID); v.Verdict != verify.VerdictOK || v.Checked.IsZero() {
		t.Errorf("what was under way left %+v, want its result", v)
	}
	if f := s.figures(); f.Leased != 0 || f.Due != 2 {
		t.Errorf("figures after the stop = %+v, want two due and nothing leased", f)
	}
}

// TestRunnerStopInTime: a check that takes longer than the grace is ended, and
// its row is due as before.
func TestRunnerStopInTime(t *testing.T) {
	s := newScene(t)
	s.team("alpha", "example.org")
	h := newHeld()
	cfg := s.config(domains("x", h.run))
	cfg.Grace = 10 * time.Millisecond
	stop := s.run(cfg)
	<-h.begun
	stop()
	if f := s.figures(); f.Leased != 0 || f.Due != 1 || len(f.Runs) != 0 {
		t.Errorf("figures after the stop = %+v, want the row due, and no run", f)
	}
}

// TestRunnerKillSwitch: a pause that is meant at once ends what runs, on every
// node; nothing begins until somebody resumes.
func TestRunnerKillSwitch(t *testing.T) {
	s := newScene(t)
	ctx := context.Background()
	s.team("alpha", "a.example")
	h := newHeld()
	other := atomic.Int32{}
	cfg := s.config(domains("x", h.run), domains("y", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		other.Add(1)
		return verify.Result{}, nil
	}))
	s.run(cfg)
	<-h.begun
	if err := s.PauseChecks(ctx, operator, "x", true, "complaints"); err != nil {
		t.Fatal(err)
	}
	s.until("x is ended, and y runs", func() bool { return s.figures().Leased == 0 && other.Load() == 1 })
	beta := s.team("beta", "b.example")
	s.await("y of another team", beta.ID, "y", "b.example", verdict(verify.VerdictOK))
	select {
	case <-h.begun:
		t.Error("x began while it is paused")
	default:
	}
	if f := s.figures(); f.Due != 2 || len(f.Pauses) != 1 {
		t.Errorf("figures = %+v, want both rows of x due", f)
	}
	if _, err := s.ResumeChecks(ctx, operator, "x", directory.HeldNone); err != nil {
		t.Fatal(err)
	}
	close(h.free)
	s.until("x runs again", func() bool { return s.figures().Due == 0 && s.figures().Leased == 0 })
}

// TestRunnerPause: a pause lets what runs finish.
func TestRunnerPause(t *testing.T) {
	s := newScene(t)
	ctx := context.Background()
	alpha := s.team("alpha", "a.example")
	h := newHeld()
	s.run(s.config(domains("x", h.run)))
	<-h.begun
	if err := s.PauseChecks(ctx, operator, "", false, ""); err != nil {
		t.Fatal(err)
	}
	beta := s.team("beta", "b.example")
	s.until("the new team is planned", func() bool { _, ok := s.known(beta.ID, "x", "b.example"); return ok })
	close(h.free)
	s.await("what was under way", alpha.ID, "x", "a.example", verdict(verify.VerdictOK))
	if v, _ := s.known(beta.ID, "x", "b.example"); !v.Tried.IsZero() {
		t.Errorf("%+v was tried during the pause", v)
	}
	if _, err := s.ResumeChecks(ctx, operator, "", directory.HeldNone); err != nil {
		t.Fatal(err)
	}
	s.await("the other after it", beta.ID, "x", "b.example", verdict(verify.VerdictOK))
}

// TestRunnerMoved: an edit voids what is under way; the keeper ends it, and the
// check runs on the new claims.
func TestRunnerMoved(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "a.example")
	h := newHeld()
	ended := make(chan error, 10)
	cfg := s.config(domains("x", func(ctx context.Context, n verify.Network, target verify.Target) (verify.Result, error) {
		r, err := h.run(ctx, n, target)
		if err != nil {
			ended <- context.Cause(ctx)
		}
		return r, err
	}))
	cfg.Lease = 60 * time.Millisecond
	s.run(cfg)
	if got := (<-h.begun).Claims.Website; got != "" {
		t.Fatalf("website = %q", got)
	}
	s.edit("alpha", func(p *directory.Profile) { p.Website = "https://a.example/" })
	if got := (<-h.begun).Claims.Website; got != "https://a.example/" {
		t.Errorf("the second run sees website %q, want the new one", got)
	}
	if err := <-ended; !strings.Contains(fmt.Sprint(err), "lease was lost") {
		t.Errorf("the first run ended by %v, want its lost lease", err)
	}
	close(h.free)
	s.await("the second run", team.ID, "x", "a.example", verdict(verify.VerdictOK))
	if runs := s.figures().Runs; len(runs) != 1 || runs[0].N != 1 {
		t.Errorf("runs = %+v, want one that counts", runs)
	}
}

// TestRunnerGuard: when all turn bad at once nobody is told, everything stops,
// and people decide.
func TestRunnerGuard(t *testing.T) {
	for _, c := range []struct {
		decide directory.Held
		after  verify.Verdict
	}{{directory.HeldAccept, verify.VerdictError}, {directory.HeldDiscard, verify.VerdictOK}} {
		t.Run(string(c.decide), func(t *testing.T) {
			s := newScene(t)
			var teams []directory.Team
			for i := range 8 {
				teams = append(teams, s.team(fmt.Sprintf("team-%d", i), fmt.Sprintf("d%d.example", i)))
			}
			var x switched
			x.to(fine)
			cfg := s.config(domains("x", x.do))
			cfg.Guard = verify.Guard{Share: 0.1, Least: 3, Window: time.Hour}
			s.run(cfg)
			count := func(want verify.Verdict) (n int) {
				for i, team := range teams {
					if v, ok := s.known(team.ID, "x", fmt.Sprintf("d%d.example", i)); ok && v.Verdict == want && v.Due.After(s.clock.now()) {
						n++
					}
				}
				return n
			}
			s.until("all are fine", func() bool { return count(verify.VerdictOK) == 8 })
			x.to(broken)
			s.clock.move(25 * time.Hour)
			s.until("the guard has paused", func() bool { return len(s.figures().Pauses) == 1 && s.figures().Leased == 0 })
			s.until("it is logged", func() bool {
				return s.log.has("too many verdicts turned bad") && s.log.has("the guard has paused checks")
			})
			if got := count(verify.VerdictError); got != 2 {
				t.Errorf("%d errors are published, want the two before the guard stopped", got)
			}
			x.to(fine)
			if _, err := s.ResumeChecks(context.Background(), operator, "", c.decide); err != nil {
				t.Fatal(err)
			}
			held := 8 - 2
			if c.decide == directory.HeldAccept {
				s.until("what was held is published, and the rest is checked", func() bool {
					return count(verify.VerdictError) >= 3 && count(verify.VerdictError)+count(verify.VerdictOK) == 8
				})
				return
			}
			s.until("all are checked again and fine", func() bool { return count(verify.VerdictOK) == held+2 })
		})
	}
}

// TestRunnerCrash: a row that ends the process each time does not do so for ever.
func TestRunnerCrash(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "a.example")
	stop := s.run(s.config(domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		return verify.Result{}, &verify.Trouble{Code: verify.CodeBusy, Ours: true, Retry: time.Minute}
	})))
	s.until("the row is planned and was claimed", func() bool {
		v, ok := s.known(team.ID, "x", "a.example")
		return ok && v.Due.After(now)
	})
	stop()
	// Three processes die with it.
	for range 3 {
		s.clock.move(10 * time.Minute)
		jobs, err := s.db.Claim(context.Background(), verify.Claim{N: 1, Owner: "dies", Lease: time.Minute, Now: s.clock.now(), Checks: []string{"x"}})
		if err != nil || len(jobs) != 1 {
			t.Fatalf("Claim = %+v, %v", jobs, err)
		}
	}
	s.clock.move(10 * time.Minute)
	at := s.clock.now()
	var runs atomic.Int32
	s.run(s.config(domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		runs.Add(1)
		return verify.Result{}, nil
	})))
	v := s.await("the fourth", team.ID, "x", "a.example", trouble(verify.CodeCrash))
	if runs.Load() != 0 || !v.Due.After(at) {
		t.Errorf("%d runs, due %s; want none, and later", runs.Load(), v.Due)
	}
	s.clock.move(time.Hour)
	s.await("and when it is due again it is tried again", team.ID, "x", "a.example", verdict(verify.VerdictOK))
}

// failing is a queue that can't take results for a while.
type failing struct {
	verify.Store
	times atomic.Int32
}

func (f *failing) Finish(ctx context.Context, in ...verify.Finish) ([]verify.Finished, error) {
	if f.times.Add(-1) >= 0 {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "finish check", Err: errDisk}
	}
	return f.Store.Finish(ctx, in...)
}

// TestRunnerKeepsResults: our own full disk costs nobody a result.
func TestRunnerKeepsResults(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "a.example")
	var runs atomic.Int32
	f := &failing{Store: s.db}
	f.times.Store(3)
	cfg := s.config(domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		runs.Add(1)
		return verify.Result{}, nil
	}))
	cfg.Store = f
	s.run(cfg)
	if v := s.await("the result", team.ID, "x", "a.example", verdict(verify.VerdictOK)); runs.Load() != 1 || v.Ours != 0 {
		t.Errorf("%d runs, %+v; want one, and no trouble", runs.Load(), v)
	}
	if !s.log.has("results can't be written yet") {
		t.Error("the log does not tell of it")
	}
}

// TestRunnerClockSteps: the clock goes back and forth while checks run on three
// runners; every row gets a result, none a wrong one, and all are due within a day.
func TestRunnerClockSteps(t *testing.T) {
	s := newScene(t)
	const teams = 30
	var list []directory.Team
	for i := range teams {
		list = append(list, s.team(fmt.Sprintf("team-%d", i), fmt.Sprintf("d%d.example", i)))
	}
	var runs atomic.Int32
	steps := []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour}
	check := domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		if n := runs.Add(1); n%5 == 0 {
			s.clock.move(steps[int(n/5)%len(steps)])
		}
		return verify.Result{}, nil
	})
	for range 3 {
		cfg := s.config(check)
		cfg.Concurrency = 4
		s.run(cfg)
	}
	for i, team := range list {
		v := s.await("a result", team.ID, "x", fmt.Sprintf("d%d.example", i), func(v verify.Verification) bool {
			s.clock.move(10 * time.Second) // what was planned before a step back is due when its time comes
			return verdict(verify.VerdictOK)(v)
		})
		if d := v.Due.Sub(v.Checked); d <= 0 || d > 24*time.Hour || v.Tries+v.Ours != 0 {
			t.Errorf("due %s after it was checked, %+v", d, v)
		}
	}
}

package verify_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
)

// TestRunner follows a team from its first day to its last, on both engines.
func TestRunner(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string, db *store.DB) {
		s := onStore(t, dsn, db)
		before := s.team("before", "before.example.org")
		var targets sync.Map
		s.run(s.config(domains("good", fine), domains("bad", func(_ context.Context, _ verify.Network, target verify.Target) (verify.Result, error) {
			targets.Store(target.Subject.ID, target)
			return broken(context.Background(), nil, target)
		})))
		s.await("a team that was there", before.ID, "good", "before.example.org", verdict(verify.VerdictOK))
		after := s.team("after", "after.example.org")
		v := s.await("a team that came", after.ID, "bad", "after.example.org", verdict(verify.VerdictError))
		if !v.Checked.Equal(now) || v.Findings[0].Code != "x.broken" || !v.Due.After(now) {
			t.Errorf("verification = %+v", v)
		}
		got, _ := targets.Load("after.example.org")
		if target := got.(verify.Target); target.Claims.Handle != "after" || target.Claims.Contacts[0].Value != "csirt@after.example.org" || !target.Now.Equal(now) {
			t.Errorf("target = %+v", target)
		}
		s.clock.move(time.Minute)
		s.edit("after", func(p *directory.Profile) {
			p.Resources = append(p.Resources, directory.Resource{Type: "domain", Domain: "new.example.org"})
		})
		s.await("a domain that was added", after.ID, "bad", "new.example.org", verdict(verify.VerdictError))
		s.await("what is checked anew after an edit", after.ID, "good", "after.example.org", func(v verify.Verification) bool { return v.Checked.After(now) })
		s.edit("after", func(p *directory.Profile) { p.Resources = p.Resources[:1] })
		s.until("a domain that was taken out", func() bool { _, ok := s.known(after.ID, "good", "new.example.org"); return !ok })
		if err := s.Delete(context.Background(), operator, "after", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		s.until("a team that was deleted", func() bool { _, ok := s.known(after.ID, "good", "after.example.org"); return !ok })
	})
}

// TestRunnerDue: a check runs again when it is due, and not before; run now
// makes it due.
func TestRunnerDue(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	var runs atomic.Int32
	s.run(s.config(domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		runs.Add(1)
		return verify.Result{}, nil
	})))
	v := s.await("the first run", team.ID, "x", "example.org", verdict(verify.VerdictOK))
	s.clock.move(v.Due.Sub(now) - time.Second)
	if _, err := s.RunChecks(context.Background(), operator, "alpha"); err != nil {
		t.Fatal(err)
	}
	v = s.await("a run that was asked for", team.ID, "x", "example.org", func(v verify.Verification) bool { return v.Checked.After(now) })
	if got := runs.Load(); got != 2 {
		t.Errorf("%d runs, want 2: nothing was due before it was asked for", got)
	}
	s.clock.move(v.Due.Sub(s.clock.now()))
	s.await("the run of the next day", team.ID, "x", "example.org", func(w verify.Verification) bool { return w.Checked.After(v.Checked) })
}

// TestRunnerTooLarge: there is no verdict without the answers that it rests on, also of
// a check that goes on when it does not get one.
func TestRunnerTooLarge(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	cfg := s.config(domains("x", func(ctx context.Context, n verify.Network, _ verify.Target) (verify.Result, error) {
		for range 5 {
			_, _ = n.Fetch(ctx, verify.Request{URL: "https://example.org/"})
		}
		return verify.Result{}, nil
	}))
	cfg.Network = torrent{}
	s.run(cfg)
	v := s.await("no conclusion", team.ID, "x", "example.org", trouble(verify.CodeTooLarge))
	if v.Verdict != verify.VerdictInconclusive || v.Raw != "" || v.Tries != 1 {
		t.Errorf("verification = %+v, want no conclusion, one try", v)
	}
}

// TestRunnerTrouble: whatever keeps a check from a conclusion, the verdict
// stays, and other checks go on.
func TestRunnerTrouble(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	var x switched
	x.to(broken)
	cfg := s.config(domains("x", x.do), domains("other", fine))
	cfg.Limit = 20 * time.Millisecond
	s.run(cfg)
	s.await("the first run", team.ID, "x", "example.org", verdict(verify.VerdictError))
	for _, c := range []struct {
		code verify.Code
		run  func(context.Context, verify.Network, verify.Target) (verify.Result, error)
	}{
		{"dns.servfail", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
			return verify.Result{}, fmt.Errorf("zone: %w", &verify.Trouble{Code: "dns.servfail"})
		}},
		{verify.CodeInternal, func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
			return verify.Result{}, errDisk
		}},
		{verify.CodePanic, func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
			panic("a check that breaks")
		}},
		{verify.CodeTimeout, func(ctx context.Context, _ verify.Network, _ verify.Target) (verify.Result, error) {
			<-ctx.Done()
			return verify.Result{}, ctx.Err()
		}},
		{"fetch.unreachable", func(ctx context.Context, n verify.Network, _ verify.Target) (verify.Result, error) {
			_, err := n.Fetch(ctx, verify.Request{URL: "https://example.org/"})
			return verify.Result{}, err
		}},
	} {
		x.to(c.run)
		if _, err := s.RunChecks(context.Background(), operator, "alpha"); err != nil {
			t.Fatal(err)
		}
		v := s.await(string(c.code), team.ID, "x", "example.org", trouble(c.code))
		if v.Verdict != verify.VerdictError || len(v.Findings) != 1 || !v.Checked.Equal(now) {
			t.Errorf("%s left %+v, want the error that was there", c.code, v)
		}
		if ours := c.code != "dns.servfail"; (v.Ours > 0) != ours {
			t.Errorf("%s: %d tries failed through us", c.code, v.Ours)
		}
	}
	if !s.log.has("a check that breaks") || !s.log.has("runner_test.go") {
		t.Error("the log has no panic with its stack")
	}
	s.await("the other check", team.ID, "other", "example.org", verdict(verify.VerdictOK))
}

// TestRunnerAbandons: a check that heeds nothing keeps no worker.
func TestRunnerAbandons(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	free := make(chan struct{})
	t.Cleanup(func() { close(free) })
	cfg := s.config(domains("deaf", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		<-free
		return verify.Result{}, nil
	}), domains("other", fine))
	cfg.Concurrency, cfg.Limit = 1, time.Millisecond
	verify.AbandonAfter(&cfg, 5*time.Millisecond)
	s.run(cfg)
	s.await("the deaf check", team.ID, "deaf", "example.org", trouble(verify.CodeTimeout))
	s.await("the other check", team.ID, "other", "example.org", verdict(verify.VerdictOK))
	if !s.log.has("check does not end") {
		t.Error("the log does not tell of it")
	}
}

// TestRunnerPolite: of one domain one subject is looked at at a time, of all
// together as many as may.
func TestRunnerPolite(t *testing.T) {
	s := newScene(t)
	var names []string
	for i := range 50 { // more than wait beside a worker
		names = append(names, fmt.Sprintf("h%d.crowd.example.net", i))
	}
	crowd := s.team("crowd", names...)
	for i := range 20 {
		s.team(fmt.Sprintf("team-%d", i), fmt.Sprintf("d%d.example", i))
	}
	var mu sync.Mutex
	inside, most, mostCrowd := map[string]int{}, 0, 0
	cfg := s.config(domains("x", func(_ context.Context, _ verify.Network, target verify.Target) (verify.Result, error) {
		mu.Lock()
		inside[string(target.Claims.Handle)]++
		all := 0
		for _, n := range inside {
			all += n
		}
		most, mostCrowd = max(most, all), max(mostCrowd, inside["crowd"])
		mu.Unlock()
		<-time.After(5 * time.Millisecond)
		mu.Lock()
		inside[string(target.Claims.Handle)]--
		mu.Unlock()
		return verify.Result{}, nil
	}))
	cfg.Concurrency = 4
	s.run(cfg)
	for _, name := range names {
		s.until(name, func() bool {
			s.clock.move(100 * time.Millisecond) // those that were given back are due again some time
			v, ok := s.known(crowd.ID, "x", name)
			return ok && v.Verdict == verify.VerdictOK
		})
	}
	mu.Lock()
	defer mu.Unlock()
	if mostCrowd != 1 || most > 4 || most < 2 {
		t.Errorf("at most %d at once, %d of one domain; want 2 to 4, and 1", most, mostCrowd)
	}
}

// TestRunnerBusy: what would wait too long for its turn goes back to the queue,
// and is no trouble.
func TestRunnerBusy(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	var runs atomic.Int32
	s.run(s.config(domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		if runs.Add(1) == 1 {
			return verify.Result{}, &verify.Trouble{Code: verify.CodeBusy, Ours: true, Retry: time.Hour}
		}
		return verify.Result{}, nil
	})))
	s.until("the row is given back", func() bool {
		v, ok := s.known(team.ID, "x", "example.org")
		return ok && v.Due.After(now.Add(time.Hour))
	})
	if v, _ := s.known(team.ID, "x", "example.org"); !v.Tried.IsZero() || v.Trouble != "" {
		t.Errorf("verification = %+v, want one that was never tried", v)
	}
	s.clock.move(2 * time.Hour)
	s.await("the next run", team.ID, "x", "example.org", verdict(verify.VerdictOK))
}

// TestRunnerTranscript: what a check knew and saw is kept, and leads to the
// same findings again.
func TestRunnerTranscript(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	check := domains("x", func(ctx context.Context, n verify.Network, target verify.Target) (verify.Result, error) {
		x, err := n.Fetch(ctx, verify.Request{URL: "https://" + target.Subject.ID + "/"})
		if err != nil {
			return verify.Result{}, err
		}
		return verify.Result{Findings: []verify.Finding{{Code: "x.seen", Severity: verify.Warning, Evidence: string(x.Body) + " of " + string(target.Claims.Handle)}}}, nil
	})
	cfg := s.config(check)
	cfg.Network = verify.Replay(verify.Transcript{Exchanges: []verify.Exchange{{Request: verify.Request{URL: "https://example.org/"}, Body: []byte("a page")}}})
	s.run(cfg)
	v := s.await("the run", team.ID, "x", "example.org", verdict(verify.VerdictWarning))
	data, err := s.db.Transcript(context.Background(), v.Raw)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := verify.DecodeTranscript(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := check.Run(context.Background(), verify.Replay(kept), kept.Target)
	if err != nil || !slices.Equal(again.Findings, v.Findings) || again.Findings[0].Evidence != "a page of alpha" {
		t.Errorf("the replay finds %+v, %v; want %+v", again.Findings, err, v.Findings)
	}
	if err := s.db.Check(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestRunnerEvidence: a proof is recorded when it is news.
func TestRunnerEvidence(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	contact := team.Contacts[0]
	level := atomic.Int32{}
	level.Store(1)
	check := domains("x", func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
		l := directory.Level(level.Load())
		return verify.Result{Proofs: []verify.Proof{
			{Contact: contact.ID, Revision: 1, Level: l, Lasts: 10 * 24 * time.Hour, Note: "it answers"},
			{Contact: contact.ID, Revision: 2, Level: l}, {Contact: "another's", Revision: 1, Level: l}, {Contact: contact.ID, Revision: 1, Level: 0},
		}}, nil
	})
	s.run(s.config(check))
	items := func() []directory.Evidence {
		got, err := s.Team(context.Background(), operator, "alpha")
		if err != nil {
			t.Fatal(err)
		}
		return got.Evidence
	}
	s.until("the proof", func() bool { return len(items()) == 1 })
	if e := items()[0]; e.Method != "check.x" || e.By != "this instance" || e.Level != 1 || e.Outcome != directory.OutcomeProved ||
		!e.At.Equal(now) || !e.ValidUntil.Equal(now.Add(10*24*time.Hour)) || e.Note != "it answers" {
		t.Errorf("evidence = %+v", e)
	}
	again := func(after time.Duration, want int) {
		t.Helper()
		s.clock.move(after)
		at := s.clock.now()
		if _, err := s.RunChecks(context.Background(), operator, "alpha"); err != nil {
			t.Fatal(err)
		}
		s.await("a run", team.ID, "x", "example.org", func(v verify.Verification) bool { return v.Checked.Equal(at) })
		s.until("the index sees it", func() bool { x := s.follower.Index(); tt, _ := x.Team(team.ID); return len(tt.Evidence) >= want })
		if got := len(items()); got != want {
			t.Errorf("%s later there are %d items, want %d", after, got, want)
		}
	}
	again(4*24*time.Hour, 1) // in the first half of its life
	level.Store(2)
	again(time.Minute, 2) // a higher level
	level.Store(1)
	again(time.Minute, 2)    // a lower one is no news
	again(6*24*time.Hour, 3) // the second half of both
	if list := items(); !slices.IsSortedFunc(list, func(a, b directory.Evidence) int { return b.At.Compare(a.At) }) {
		t.Errorf("evidence is not newest first: %+v", list)
	}
}

func TestNewRunner(t *testing.T) {
	s := newScene(t)
	ok := s.config(domains("x", fine))
	for name, spoil := range map[string]func(*verify.RunnerConfig){
		"no store":     func(c *verify.RunnerConfig) { c.Store = nil },
		"no network":   func(c *verify.RunnerConfig) { c.Network = nil },
		"no directory": func(c *verify.RunnerConfig) { c.Directory = nil },
		"no follower":  func(c *verify.RunnerConfig) { c.Follower = nil },
		"twice":        func(c *verify.RunnerConfig) { c.Checks = append(c.Checks, c.Checks[0]) },
		"no name":      func(c *verify.RunnerConfig) { c.Checks = []verify.Check{domains("", fine)} },
		"no function":  func(c *verify.RunnerConfig) { c.Checks = []verify.Check{domains("x", nil)} },
		"no interval": func(c *verify.RunnerConfig) {
			hasty := domains("x", fine)
			hasty.Every = time.Second
			c.Checks = []verify.Check{hasty}
		},
	} {
		cfg := ok
		spoil(&cfg)
		if _, err := verify.NewRunner(cfg); err == nil {
			t.Errorf("%s: NewRunner = nil, want an error", name)
		}
	}
	if _, err := verify.NewRunner(ok); err != nil {
		t.Errorf("NewRunner = %v", err)
	}
}

package verify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
)

var operator = directory.Principal{Name: "op", Role: directory.Operator}

// clock is a time that only the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// logbook is a log that tests read.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) has(words string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), words)
}

// nowhere is a network without a way out.
type nowhere struct{}

func (nowhere) Fetch(context.Context, verify.Request) (*verify.Exchange, error) {
	return nil, &verify.Trouble{Code: "fetch.unreachable", Ours: true}
}

func (nowhere) Query(context.Context, verify.Question) (*verify.Answer, error) {
	return nil, &verify.Trouble{Code: "dns.unreachable", Ours: true}
}

func (nowhere) Greet(context.Context, verify.Greeting) (*verify.Visit, error) {
	return nil, &verify.Trouble{Code: "fetch.unreachable", Ours: true}
}

func (nowhere) Origins(netip.Addr) []directory.ASN { return nil }

// scene is a directory on a database with what follows it.
type scene struct {
	*directory.Directory
	t        testing.TB
	dsn      string
	db       *store.DB
	follower *directory.Follower
	clock    *clock
	log      *logbook
}

func newScene(t testing.TB) *scene {
	t.Helper()
	dsn, db := storetest.SQLite().Open(t)
	return onStore(t, dsn, db)
}

func onStore(t testing.TB, dsn string, db *store.DB) *scene {
	t.Helper()
	s := bareScene(t, dsn, db)
	s.follower = s.follow(directory.FollowerConfig{Store: db, Poll: 5 * time.Millisecond})
	return s
}

// bareScene is a scene that nobody follows yet.
func bareScene(t testing.TB, dsn string, db *store.DB) *scene {
	t.Helper()
	s := &scene{t: t, dsn: dsn, db: db, clock: &clock{at: now}, log: &logbook{}}
	var err error
	if s.Directory, err = directory.New(directory.Config{Store: db, Now: s.clock.now}); err != nil {
		t.Fatal(err)
	}
	return s
}

// follow starts a follower that lives as long as the test.
func (s *scene) follow(cfg directory.FollowerConfig) *directory.Follower {
	s.t.Helper()
	f, err := directory.NewFollower(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := f.Start(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = f.Run(ctx) }) // it has no error but its end
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return f
}

// config is of a runner that loses no time.
func (s *scene) config(checks ...verify.Check) verify.RunnerConfig {
	return verify.RunnerConfig{Store: s.db, Directory: s.Directory, Follower: s.follower, Checks: checks, Network: nowhere{},
		Poll: 5 * time.Millisecond, Grace: 10 * time.Second, Now: s.clock.now, Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

// run runs a runner until the test ends or stop is called.
func (s *scene) run(cfg verify.RunnerConfig) (stop func()) {
	s.t.Helper()
	r, err := verify.NewRunner(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			s.t.Errorf("Run = %v, want nil", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// team makes a team with the domains and the contact csirt@ of the first.
func (s *scene) team(handle string, domains ...string) directory.Team {
	s.t.Helper()
	p := directory.Profile{Names: directory.Names{Short: handle},
		Contacts: []directory.Contact{{Channel: "email", Value: "csirt@" + domains[0], Uses: []directory.Word{"abuse"}}}}
	for _, d := range domains {
		p.Resources = append(p.Resources, directory.Resource{Type: "domain", Domain: directory.Domain(d)})
	}
	team, err := s.Create(context.Background(), operator, directory.NewTeam{Handle: directory.Handle(handle), Profile: p})
	if err != nil {
		s.t.Fatal(err)
	}
	return team
}

func (s *scene) edit(handle string, f func(*directory.Profile)) {
	s.t.Helper()
	_, err := s.Edit(context.Background(), operator, handle, directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		f(own)
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// known returns what is known of a team by one check and the subject with an id.
func (s *scene) known(team directory.TeamID, check, id string) (verify.Verification, bool) {
	s.t.Helper()
	list, err := s.db.Verifications(context.Background(), team)
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(v verify.Verification) bool { return v.Check == check && v.Subject.ID == id })
	if i < 0 {
		return verify.Verification{}, false
	}
	return list[i], true
}

// await waits until what a check knows of a team's domain is right.
func (s *scene) await(what string, team directory.TeamID, check, id string, right func(verify.Verification) bool) verify.Verification {
	s.t.Helper()
	var v verify.Verification
	s.until(what, func() bool {
		var ok bool
		v, ok = s.known(team, check, id)
		return ok && right(v)
	})
	return v
}

// until waits for something that others bring about.
func (s *scene) until(what string, is func() bool) {
	s.t.Helper()
	s.within(30*time.Second, what, is)
}

func (s *scene) within(d time.Duration, what string, is func() bool) {
	s.t.Helper()
	tick, timeout := time.NewTicker(2*time.Millisecond), time.After(d)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-timeout:
			s.t.Fatalf("%s: not so after %s; the log:\n%s", what, d, s.log.b.String())
		}
	}
}

func verdict(want verify.Verdict) func(verify.Verification) bool {
	return func(v verify.Verification) bool { return v.Verdict == want && !v.Checked.IsZero() }
}

func trouble(want verify.Code) func(verify.Verification) bool {
	return func(v verify.Verification) bool { return v.Trouble == want }
}

// domains is a check of all domains of a team.
func domains(name string, run func(context.Context, verify.Network, verify.Target) (verify.Result, error)) verify.Check {
	return verify.Check{Name: name, Every: 24 * time.Hour, Run: run, Applies: func(t *directory.Team) []verify.Subject {
		var list []verify.Subject
		for _, r := range t.Resources {
			if r.Type == "domain" {
				list = append(list, verify.Subject{Kind: verify.SubjectDomain, ID: string(r.Domain)})
			}
		}
		return list
	}}
}

func fine(context.Context, verify.Network, verify.Target) (verify.Result, error) {
	return verify.Result{}, nil
}

func broken(context.Context, verify.Network, verify.Target) (verify.Result, error) {
	return verify.Result{Findings: []verify.Finding{{Code: "x.broken", Severity: verify.Error}}}, nil
}

// switched is a check's function that tests exchange while it runs.
type switched struct {
	mu  sync.Mutex
	run func(context.Context, verify.Network, verify.Target) (verify.Result, error)
}

func (s *switched) to(run func(context.Context, verify.Network, verify.Target) (verify.Result, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run = run
}

func (s *switched) do(ctx context.Context, n verify.Network, t verify.Target) (verify.Result, error) {
	s.mu.Lock()
	run := s.run
	s.mu.Unlock()
	return run(ctx, n, t)
}

var errDisk = errors.New("disk full")

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// TestSoakFollow has two followers, one with a token and one without, keep
// copies of a server's directory while it is edited, merged, deleted and
// imported into by other processes, and while followers and server are killed
// again and again. At the end both copies are the server's state, byte for byte.
func TestSoakFollow(t *testing.T) {
	p := plan{changes: 2000, rows: 250, imports: 5, kills: 2}
	if soaking() {
		p = plan{changes: 100_000, rows: 600, imports: 90, kills: 25}
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d, %+v", seed, p)
			s := newSyncScene(t, e, p, rand.New(rand.NewPCG(seed, 3)))
			begun := time.Now()
			s.run()
			busy := time.Since(begun)
			for _, f := range s.followers {
				f.awaitLevel(t, s.head())
				s.compare(f)
				f.stop(t)
			}
			t.Logf("%d changes in %v (%v), level %v later", s.head(), busy.Round(time.Millisecond), s.done, (time.Since(begun) - busy).Round(time.Millisecond))
		})
	}
}

// plan says how much happens.
type plan struct {
	changes int // at least
	imports int // of rows teams each
	rows    int
	kills   int // of each follower, and of the server
}

// syncScene is a database with a server, its followers, and the door by which
// the test edits as another process.
type syncScene struct {
	t         *testing.T
	plan      plan
	random    *rand.Rand
	dsn       string
	db        *store.DB
	door      *directory.Directory
	server    *testServer
	address   string
	followers []*follower
	live      []string       // teams that the door made
	made      int            // how many
	done      map[string]int // what was done
}

func newSyncScene(t *testing.T, e storetest.Engine, p plan, random *rand.Rand) *syncScene {
	t.Helper()
	s := &syncScene{t: t, plan: p, random: random, dsn: e.Create(t), done: map[string]int{}}
	token := command(t, "token", "create", "--db", s.dsn, "--role", "operator")
	command(t, "import", "--db", s.dsn, "dotgov", writeDotgov(t, p.rows, 0))
	s.db = e.Reopen(t, s.dsn, store.MustExist)
	var err error
	if s.door, err = directory.New(directory.Config{Store: s.db}); err != nil {
		t.Fatal(err)
	}
	s.serve("127.0.0.1:0")
	t.Cleanup(func() { _ = s.server.kill() })
	s.address = strings.TrimPrefix(s.server.url, "http://")
	for _, token := range []string{token, ""} {
		f := &follower{url: s.server.url, token: token, dir: filepath.Join(t.TempDir(), "copy")}
		f.start(t)
		t.Cleanup(f.kill)
		s.followers = append(s.followers, f)
	}
	return s
}

func (s *syncScene) serve(address string) {
	s.t.Helper()
	var err error
	if s.server, err = startServer(s.dsn, "--listen", address); err != nil {
		s.t.Fatal(err)
	}
}

func (s *syncScene) head() (seq int64) {
	s.t.Helper()
	err := s.db.View(context.Background(), func(r directory.Reader) error {
		h, err := r.Head()
		seq = h.Seq
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return seq
}

// run does all that the plan says, spread evenly.
func (s *syncScene) run() {
	edits := s.plan.changes - s.plan.imports*s.plan.rows
	kills := s.plan.kills * (1 + len(s.followers))
	for n := 1; n <= edits; n++ {
		s.act()
		if n%(edits/s.plan.imports) == 0 {
			command(s.t, "import", "--db", s.dsn, "--force", "dotgov", writeDotgov(s.t, s.plan.rows, n))
			s.done["import"]++
		}
		if k := n / (edits / kills); n%(edits/kills) == 0 && k <= kills {
			s.kill(k % (1 + len(s.followers)))
		}
	}
}

// kill kills the server or a follower as a power cut would, and starts it again.
func (s *syncScene) kill(which int) {
	s.t.Helper()
	if which < len(s.followers) {
		s.followers[which].kill()
		s.followers[which].start(s.t)
		s.done["kill follower"]++
		return
	}
	if err := s.server.kill(); err != nil {
		s.t.Fatal(err)
	}
	s.act() // while nobody serves
	s.serve(s.address)
	s.done["kill server"]++
}

func operator() directory.Principal {
	return directory.Principal{Name: "test", Role: directory.Operator}
}

// act does one thing to one team.
func (s *syncScene) act() {
	s.t.Helper()
	ctx, dice := context.Background(), s.random.IntN(100)
	if len(s.live) < 20 {
		dice = 99
	}
	name, err := "", error(nil)
	switch handle := s.any(); {
	case dice < 35:
		name, err = "edit", s.edit(handle, func(own *directory.Profile) { own.Host = fmt.Sprintf("host «%d»", s.random.IntN(1000)) })
	case dice < 50:
		labels := []directory.TLP{directory.Clear, directory.Green, directory.Red}
		name, err = "relabel", s.edit(handle, func(own *directory.Profile) { own.Contacts[0].Visibility = labels[s.random.IntN(3)] })
	case dice < 60:
		name, err = "delete", s.door.Delete(ctx, operator(), handle, directory.AnyRevision)
		s.drop(handle)
	case dice < 70:
		other := s.any()
		if other == handle {
			return
		}
		name = "merge"
		_, err = s.door.Merge(ctx, operator(), handle, other, directory.AnyRevision)
		s.drop(handle)
	case dice < 80:
		name, err = "evidence", s.prove(handle)
	default:
		name, err = "create", s.create()
	}
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	s.done[name]++
}

func (s *syncScene) any() string {
	if len(s.live) == 0 {
		return ""
	}
	return s.live[s.random.IntN(len(s.live))]
}

func (s *syncScene) drop(handle string) {
	s.live = slices.DeleteFunc(s.live, func(h string) bool { return h == handle })
}

func (s *syncScene) edit(handle string, change func(*directory.Profile)) error {
	_, err := s.door.Edit(context.Background(), operator(), handle, directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		change(own)
		return nil
	}})
	return err
}

func (s *syncScene) create() error {
	s.made++
	handle := fmt.Sprintf("made-%d", s.made)
	_, err := s.door.Create(context.Background(), operator(), directory.NewTeam{Handle: directory.Handle(handle), Profile: directory.Profile{
		Names: directory.Names{Short: handle}, Country: "AT", Contacts: []directory.Contact{{Channel: "email", Value: handle + "@example.org"}}}})
	if err == nil {
		s.live = append(s.live, handle)
	}
	return err
}

func (s *syncScene) prove(handle string) error {
	team, err := s.door.Team(context.Background(), operator(), handle)
	if err != nil {
		return err
	}
	_, err = s.door.RecordEvidence(context.Background(), operator(), handle, directory.Evidence{
		Contact: team.Contacts[0].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: time.Now().Truncate(time.Second)})
	return err
}

// compare holds a copy against what the server gives to the same token.
func (s *syncScene) compare(f *follower) {
	s.t.Helper()
	status, _, text := client{s.server.url, f.token}.snapshot()
	if status != http.StatusOK {
		s.t.Fatalf("snapshot = %d", status)
	}
	copied, err := os.ReadFile(filepath.Join(f.dir, "teams.ndjson"))
	if err != nil {
		s.t.Fatal(err)
	}
	// The first line has the time of the snapshot that each began with.
	first, want, _ := bytes.Cut(text, []byte("\n"))
	_, got, _ := bytes.Cut(copied, []byte("\n"))
	if bytes.Equal(got, want) {
		return
	}
	gotLines, wantLines := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(gotLines), len(wantLines)) {
		if !bytes.Equal(gotLines[i], wantLines[i]) {
			s.t.Fatalf("line %d of the copy is\n%s\nwant, at %s\n%s", i+2, gotLines[i], first, wantLines[i])
		}
	}
	s.t.Fatalf("the copy has %d lines, the server %d", len(gotLines), len(wantLines))
}

// snapshot takes one without a token where there is none.
func (c client) snapshot() (status int, revision int64, text []byte) {
	if c.token != "" {
		return c.do(http.MethodGet, "/v1/snapshot", "", nil)
	}
	answer, err := http.Get(c.url + "/v1/snapshot")
	if err != nil {
		return 0, 0, nil
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	var b bytes.Buffer
	if _, err := b.ReadFrom(answer.Body); err != nil {
		return 0, 0, nil
	}
	return answer.StatusCode, 0, b.Bytes()
}

// follower is a rollcall follow of its own process.
type follower struct {
	url, token, dir string
	cmd             *exec.Cmd
	log             bytes.Buffer // of all its processes
	over            chan error
	quiet           int // length of the log when the present process began
}

func (f *follower) start(t *testing.T) {
	t.Helper()
	f.cmd = exec.Command("rollcall", "follow", "--server", f.url, "--dir", f.dir, "--write", "1s")
	f.cmd.Env = append(os.Environ(), "ROLLCALL_CONFIG=", "ROLLCALL_TOKEN="+f.token)
	f.cmd.Stderr, f.quiet = &f.log, f.log.Len()
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, over := f.cmd, make(chan error, 1)
	f.over = over
	go func() {
		over <- cmd.Wait()
		close(over)
	}()
}

// kill ends the follower as a power cut would.
func (f *follower) kill() {
	_ = f.cmd.Process.Kill() // it may have ended by itself
	<-f.over
}

func (f *follower) stop(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-f.over
	// One that has only just begun does not look at signals yet, and dies of it.
	if err != nil && (err.Error() != "signal: terminated" || f.log.Len() > f.quiet) {
		t.Errorf("follow ended with %v on SIGTERM\n%s", err, &f.log)
	}
}

// awaitLevel waits until the copy holds all changes up to seq.
func (f *follower) awaitLevel(t *testing.T, seq int64) {
	t.Helper()
	tick, begun := time.NewTicker(20*time.Millisecond), time.Now()
	defer tick.Stop()
	var got int64
	for time.Since(begun) < 2*time.Minute {
		var err error
		if got, err = f.seq(); err == nil && got >= seq {
			return
		}
		select {
		case err := <-f.over:
			t.Fatalf("follow ended: %v\n%s", err, &f.log)
		case <-tick.C:
		}
	}
	t.Fatalf("the copy is at change %d, want %d\n%s", got, seq, &f.log)
}

func (f *follower) seq() (int64, error) {
	text, err := os.ReadFile(filepath.Join(f.dir, "teams.ndjson"))
	if err != nil {
		return 0, err
	}
	line, _, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return 0, errors.New("no line")
	}
	var head struct{ Snapshot struct{ Seq int64 } }
	err = json.Unmarshal(line, &head)
	return head.Snapshot.Seq, err
}

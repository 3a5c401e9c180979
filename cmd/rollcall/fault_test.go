package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// command runs rollcall to its end and returns what it printed.
func command(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("rollcall", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rollcall %q: %v\n%s", args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// writeDotgov makes a file of n teams in the form of dotgov. Every name holds
// round, so that two rounds can't be mixed without being seen.
func writeDotgov(t testing.TB, n, round int) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("Domain name,Domain type,Organization name,Suborganization name,City,State,Security contact email\n")
	for i := range n {
		fmt.Fprintf(&b, "d%05d.example.org,City,Organization %d of round %d,,Springfield,VA,security@d%05d.example.org\n", i, i, round, i)
	}
	name := filepath.Join(t.TempDir(), "dotgov.csv")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// client asks one server with one token.
type client struct{ url, token string }

// do returns the status, the ETag's revision and the body; status 0 is no answer.
func (c client) do(method, path, body string, header map[string]string) (status int, revision int64, text []byte) {
	r, err := http.NewRequestWithContext(context.Background(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, 0, nil
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, 0, nil
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	if text, err = io.ReadAll(answer.Body); err != nil {
		return 0, 0, nil
	}
	revision, _ = strconv.ParseInt(strings.Trim(answer.Header.Get("ETag"), `"`), 10, 64) // absent: 0
	return answer.StatusCode, revision, text
}

func (c client) create(handle string) (status int, revision int64) {
	body := fmt.Sprintf(`{"handle":%q,"names":{"short":%q},"host":"0"}`, handle, handle)
	status, revision, _ = c.do(http.MethodPost, "/v1/teams", body, map[string]string{"Content-Type": "application/json"})
	return status, revision
}

func (c client) patchHost(handle, host string, revision int64) (status int, next int64, text []byte) {
	return c.do(http.MethodPatch, "/v1/teams/"+handle, fmt.Sprintf(`{"host":%q}`, host), map[string]string{
		"Content-Type": "application/merge-patch+json", "If-Match": fmt.Sprintf(`"%d"`, revision)})
}

// start starts a server on db with an operator's token, until the test ends.
func start(t *testing.T, db string) (*testServer, client) {
	t.Helper()
	token := command(t, "token", "create", "--db", db, "--role", "operator")
	s, err := startServer(db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kill() })
	return s, client{s.url, token}
}

// TestTwoWriters proves that of two edits on one revision one wins and the
// other gets 412, which says what changed.
func TestTwoWriters(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			_, c := start(t, e.Create(t))
			status, revision := c.create("contested")
			if status != http.StatusCreated {
				t.Fatalf("create = %d, want 201", status)
			}
			for round := range 20 {
				var got [2]int
				var next [2]int64
				var texts [2][]byte
				var both sync.WaitGroup
				for i := range got {
					both.Go(func() {
						got[i], next[i], texts[i] = c.patchHost("contested", fmt.Sprintf("%d by %d", round, i), revision)
					})
				}
				both.Wait()
				winner := 0
				if got[1] == http.StatusOK {
					winner = 1
				}
				if got[winner] != http.StatusOK || got[1-winner] != http.StatusPreconditionFailed {
					t.Fatalf("round %d: statuses %v, want one 200 and one 412\n%s\n%s", round, got, texts[0], texts[1])
				}
				if !bytes.Contains(texts[1-winner], []byte("revision.stale")) || !bytes.Contains(texts[1-winner], []byte("/host")) {
					t.Errorf("412 says %s, want what changed", texts[1-winner])
				}
				revision = next[winner]
			}
		})
	}
}

// soaking reports whether the long form of a test is asked for.
func soaking() bool { return os.Getenv("ROLLCALL_SOAK") != "" }

// TestSoakKill9 kills the process at random moments of imports and of writes
// over HTTP, and after each kill looks at everything that is stored.
func TestSoakKill9(t *testing.T) {
	rounds := 6
	if soaking() {
		rounds = 100
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d, %d kills", seed, rounds)
			k := &killer{t: t, engine: e, db: e.Create(t), random: rand.New(rand.NewPCG(seed, 9)), acked: map[string]int{}}
			k.prepare()
			for n := range rounds {
				if n%2 == 0 {
					k.killImport(n + 2)
				} else {
					k.killServer(n)
				}
				k.verify(n)
			}
			t.Logf("%d of %d imports ended before their kill, %d edits were acknowledged", k.ended, (rounds+1)/2, k.edits)
			if soaking() && (k.ended == (rounds+1)/2 || k.ended == 0 || k.edits == 0) {
				t.Error("the kills missed what they aim at")
			}
		})
	}
}

// killer is one database that has processes killed under it.
type killer struct {
	t      *testing.T
	engine storetest.Engine
	db     string
	random *rand.Rand
	token  string
	full   time.Duration  // what an import takes that is left alone
	head   int64          // of the sequence at the last look
	acked  map[string]int // team → the last edit that a server acknowledged
	said   map[string]int // team → the last edit that was asked for
	ended  int            // imports that were quicker than their kill
	edits  int            // that were acknowledged
}

// killRows is how many teams the killed imports have.
const killRows = 600

func (k *killer) prepare() {
	k.token = command(k.t, "token", "create", "--db", k.db, "--role", "operator")
	command(k.t, "import", "--db", k.db, "dotgov", writeDotgov(k.t, killRows, 0))
	begun := time.Now()
	command(k.t, "import", "--db", k.db, "--force", "dotgov", writeDotgov(k.t, killRows, 1))
	k.full = time.Since(begun)
	k.said = map[string]int{}
}

// moment is when to kill: at once, somewhere, or near the end, where it commits.
func (k *killer) moment() time.Duration {
	switch k.random.IntN(4) {
	case 0:
		return time.Duration(k.random.Int64N(int64(5 * time.Millisecond)))
	case 1:
		return k.full*7/10 + time.Duration(k.random.Int64N(int64(k.full*5/10)))
	}
	return time.Duration(k.random.Int64N(int64(k.full)))
}

// killImport kills an import that changes every record.
func (k *killer) killImport(round int) {
	cmd := exec.Command("rollcall", "import", "--db", k.db, "--force", "dotgov", writeDotgov(k.t, killRows, round))
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	over, begun, moment := make(chan struct{}), time.Now(), k.moment()
	go func() {
		_ = cmd.Wait() // killed, or done before
		close(over)
	}()
	select {
	case <-over:
		k.ended++
		k.full = time.Since(begun)
	case <-time.After(moment):
		_ = cmd.Process.Kill() // it may have ended just now
		<-over
		k.full = max(k.full, moment) // imports take longer as histories grow
	}
}

// killServer kills a server that four clients write to.
func (k *killer) killServer(round int) {
	s, err := startServer(k.db)
	if err != nil {
		k.t.Fatal(err)
	}
	c := client{s.url, k.token}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var mu sync.Mutex
	for w := range 4 {
		writers.Go(func() { k.write(c, fmt.Sprintf("writer-%d-%d", round, w), stop, &mu) })
	}
	<-time.After(time.Duration(k.random.Int64N(int64(300 * time.Millisecond))))
	if err := s.kill(); err != nil {
		k.t.Fatal(err)
	}
	close(stop)
	writers.Wait()
}

// write edits one team until the server is gone, and notes what was acknowledged.
func (k *killer) write(c client, handle string, stop chan struct{}, mu *sync.Mutex) {
	note := func(m map[string]int, n int) {
		mu.Lock()
		defer mu.Unlock()
		m[handle] = n
	}
	note(k.said, 0)
	status, revision := c.create(handle)
	if status != http.StatusCreated {
		return
	}
	note(k.acked, 0)
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		note(k.said, n)
		if status, revision, _ = c.patchHost(handle, strconv.Itoa(n), revision); status != http.StatusOK {
			return
		}
		note(k.acked, n)
		mu.Lock()
		k.edits++
		mu.Unlock()
	}
}

// verify opens the database as the next process would and reads all of it.
func (k *killer) verify(n int) {
	k.t.Helper()
	ctx := context.Background()
	db, err := k.engine.Connect(ctx, k.db, store.MustExist)
	if err != nil {
		k.t.Fatalf("after kill %d: open: %v", n, err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	if err := db.Check(ctx); err != nil {
		k.t.Fatalf("after kill %d: %v", n, err)
	}
	err = db.View(ctx, func(r directory.Reader) error {
		if err := k.sequence(r); err != nil {
			return err
		}
		if err := wholeImport(r); err != nil {
			return err
		}
		return k.acknowledged(r)
	})
	if err != nil {
		k.t.Fatalf("after kill %d: %v", n, err)
	}
}

// sequence wants changes 1 to the head, each once, each with its audit entry.
func (k *killer) sequence(r directory.Reader) error {
	head, err := r.Head()
	if err != nil {
		return err
	}
	if head.Seq < k.head {
		return fmt.Errorf("the sequence went back from %d to %d", k.head, head.Seq)
	}
	k.head = head.Seq
	changes, err := r.Changes(0, int(head.Seq)+10)
	if err != nil {
		return err
	}
	if int64(len(changes)) != head.Seq {
		return fmt.Errorf("%d changes, and the head is %d", len(changes), head.Seq)
	}
	entries, err := r.Audit(directory.AuditFilter{Limit: len(changes) + 10})
	if err != nil || len(entries) != len(changes) {
		return fmt.Errorf("%d audit entries for %d changes: %v", len(entries), len(changes), err)
	}
	for i, c := range changes {
		audit := entries[len(entries)-1-i]
		if c.Seq != int64(i+1) || audit.Seq != c.Seq || audit.Subject != c.Type+":"+c.ID {
			return fmt.Errorf("change %d is %+v with the audit entry %+v", i+1, c, audit)
		}
	}
	return nil
}

var roundIn = regexp.MustCompile(`of round (\d+)`)

// wholeImport wants all imported teams to be of one round.
func wholeImport(r directory.Reader) error {
	refs, err := r.Layers("dotgov")
	if err != nil {
		return err
	}
	if len(refs) != killRows {
		return fmt.Errorf("%d imported records, want %d", len(refs), killRows)
	}
	rounds := map[string]int{}
	for key, ref := range refs {
		record, err := r.Team(ref.Team)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		text, err := json.Marshal(record.Layers)
		if err != nil {
			return err
		}
		if m := roundIn.FindSubmatch(text); m != nil {
			rounds[string(m[1])]++
		}
	}
	if len(rounds) != 1 {
		return fmt.Errorf("half an import: records by round %v", rounds)
	}
	return nil
}

// acknowledged wants every edit that a server said it had made, and none that
// nobody asked for.
func (k *killer) acknowledged(r directory.Reader) error {
	for handle, n := range k.acked {
		record, err := r.TeamByHandle(directory.Handle(handle))
		if err != nil {
			return fmt.Errorf("acknowledged and gone: %w", err)
		}
		got, err := strconv.Atoi(record.Own.Host)
		if err != nil || got < n || got > k.said[handle] {
			return fmt.Errorf("team %s has edit %q; %d was acknowledged, %d asked for", handle, record.Own.Host, n, k.said[handle])
		}
		if record.Revision != int64(got+1) {
			return fmt.Errorf("team %s has edit %d and revision %d", handle, got, record.Revision)
		}
	}
	return nil
}

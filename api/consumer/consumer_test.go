package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/api/consumer"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// scene is a server and a folder for a copy of it.
type scene struct {
	t      *testing.T
	db     *store.DB
	dir    *directory.Directory
	follow *directory.Follower
	server *httptest.Server
	folder string
	token  string

	mu    sync.Mutex
	asked []string // paths with their queries
	spoil func(http.ResponseWriter, *http.Request) bool
}

func newScene(t *testing.T) *scene {
	t.Helper()
	_, db := storetest.SQLite().Open(t)
	s := &scene{t: t, db: db, folder: filepath.Join(t.TempDir(), "copy")}
	var err error
	if s.follow, err = directory.NewFollower(directory.FollowerConfig{Store: db}); err != nil {
		t.Fatal(err)
	}
	if s.dir, err = directory.New(directory.Config{Store: db, Committed: s.follow.Sync}); err != nil {
		t.Fatal(err)
	}
	if err := s.follow.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Config{Directory: s.dir, Index: s.follow.Index, Moved: s.follow.Moved, Sync: s.follow.Sync})
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.String())
		spoil := s.spoil
		s.mu.Unlock()
		if spoil == nil || !spoil(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.server.Close)
	t.Cleanup(handler.Release)
	for i := range 6 {
		s.create(i)
	}
	return s
}

func operator() directory.Principal {
	return directory.Principal{Name: "test", Role: directory.Operator}
}

func (s *scene) create(i int) {
	s.t.Helper()
	_, err := s.dir.Create(context.Background(), operator(), directory.NewTeam{Handle: directory.Handle(fmt.Sprintf("team-%d", i)), Profile: directory.Profile{
		Names: directory.Names{Short: "T"}, Contacts: []directory.Contact{{Channel: "email", Value: fmt.Sprintf("t%d@example.org", i), Visibility: directory.Green}}}})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) edit(i int, host string) {
	s.t.Helper()
	_, err := s.dir.Edit(context.Background(), operator(), fmt.Sprintf("team-%d", i), directory.Edit{Revision: directory.AnyRevision,
		Apply: func(_ *directory.Team, own *directory.Profile) error { own.Host = host; return nil }})
	if err != nil {
		s.t.Fatal(err)
	}
}

// change does something of everything.
func (s *scene) change(round int) {
	s.t.Helper()
	n := 100 * round
	for i := range 4 {
		s.create(n + i)
	}
	s.edit(0, fmt.Sprintf("host «%d» </>", n))
	if _, err := s.dir.Merge(context.Background(), operator(), fmt.Sprintf("team-%d", n), fmt.Sprintf("team-%d", n+1), directory.AnyRevision); err != nil {
		s.t.Fatal(err)
	}
	if err := s.dir.Delete(context.Background(), operator(), fmt.Sprintf("team-%d", n+2), directory.AnyRevision); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) config() consumer.Config {
	return consumer.Config{Server: s.server.URL, Token: s.token, Dir: s.folder}
}

func (s *scene) open(cfg consumer.Config) *consumer.Mirror {
	s.t.Helper()
	m, err := consumer.Open(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// once brings the copy level and compares it with the server.
func (s *scene) once() {
	s.t.Helper()
	m := s.open(s.config())
	if err := m.Once(s.t.Context()); err != nil {
		s.t.Error(err)
	}
	if err := m.Close(); err != nil {
		s.t.Error(err)
	}
	s.same()
}

// body is a snapshot without its first line, which has the time in it.
func body(t testing.TB, text []byte) string {
	t.Helper()
	_, rest, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		t.Fatalf("no snapshot: %.200q", text)
	}
	return string(rest)
}

// same compares the copy with the server's snapshot, byte for byte.
func (s *scene) same() {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.server.URL+"/v1/snapshot", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	want, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if got, want := body(s.t, s.read("teams.ndjson")), body(s.t, want); got != want {
		s.t.Errorf("the copy is\n%s\nwant\n%s", got, want)
	}
}

func (s *scene) read(name string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.folder, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *scene) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// requests returns what was asked since the last call, without the queries.
func (s *scene) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, path := range s.asked {
		path, _, _ = strings.Cut(path, "?")
		list = append(list, path)
	}
	s.asked = nil
	return list
}

func (s *scene) spoiled(by func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil = by
}

func TestOnce(t *testing.T) {
	s := newScene(t)
	s.once()
	if got, want := s.requests(), []string{"/v1/snapshot", "/v1/changes", "/v1/snapshot"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q, the last by the test", got, want)
	}
	for round := range 3 {
		s.change(round + 1)
		s.once()
		if got, want := s.requests(), []string{"/v1/changes", "/v1/snapshot"}; !slices.Equal(got, want) {
			t.Errorf("asked for %q, want %q, the last by the test", got, want)
		}
	}
	if info, err := os.Stat(filepath.Join(s.folder, "teams.ndjson")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("teams.ndjson: %v %v, want it for its owner only", info.Mode(), err)
	}
}

// journalled leaves a copy whose journal holds the changes of some pages, as a
// process that was killed would.
func (s *scene) journalled() (first, journal []byte) {
	s.t.Helper()
	s.once()
	first = s.read("teams.ndjson")
	cfg := s.config()
	cfg.Write = time.Hour
	m := s.open(cfg)
	ctx, stop := context.WithCancel(s.t.Context())
	level := make(chan struct{})
	for round := range 3 {
		s.change(round + 1)
	}
	head := s.follow.Index().Seq()
	s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		if q.Get("after") == fmt.Sprint(head) && ctx.Err() == nil {
			journal = s.read("changes.ndjson") // before Close writes the copy
			stop()
			close(level)
		}
		q.Set("limit", "3") // several pages
		r.URL.RawQuery = q.Encode()
		return false
	})
	if err := m.Run(ctx); err != nil {
		s.t.Error(err)
	}
	<-level
	s.spoiled(nil)
	if err := m.Close(); err != nil {
		s.t.Error(err)
	}
	if n := bytes.Count(journal, []byte(`{"commit":`)); n < 3 {
		s.t.Fatalf("a journal of %d pages, want several: %s", n, journal)
	}
	return first, journal
}

// TestCrashes cuts the journal at bytes everywhere in it, as a crash in the middle of a
// write may, and fills what is behind with zeros, as a power cut may.
func TestCrashes(t *testing.T) {
	s := newScene(t)
	first, journal := s.journalled()
	for _, junk := range [][]byte{nil, make([]byte, 100)} {
		for n := 0; n <= len(journal); n += 149 {
			s.write("teams.ndjson", first)
			s.write("changes.ndjson", append(slices.Clone(journal[:n]), junk...))
			s.requests()
			if s.once(); slices.Contains(s.requests()[:1], "/v1/snapshot") {
				t.Errorf("a journal cut at byte %d lost the copy too", n)
			}
			if t.Failed() {
				t.Fatalf("at byte %d", n)
			}
		}
	}
}

// TestDamagedPage changes a byte in a page that has been committed: the pages
// from there on are not believed.
func TestDamagedPage(t *testing.T) {
	s := newScene(t)
	first, journal := s.journalled()
	bad := bytes.Replace(journal, []byte(`"short":"T"`), []byte(`"short":"X"`), 1)
	s.write("teams.ndjson", first)
	s.write("changes.ndjson", bad)
	s.once()
}

// TestCrashBetweenFiles leaves the journal of an older copy beside a newer one.
func TestCrashBetweenFiles(t *testing.T) {
	s := newScene(t)
	_, journal := s.journalled() // the copy itself has been written behind it
	s.edit(5, "later")
	s.write("changes.ndjson", journal)
	s.once()
	if got := s.read("changes.ndjson"); bytes.Count(got, []byte("\n")) != 1 {
		t.Errorf("the journal after a write is %s, want its first line only", got)
	}
}

// TestDamagedCopy cuts the copy and changes bytes of it.
func TestDamagedCopy(t *testing.T) {
	s := newScene(t)
	s.once()
	whole := s.read("teams.ndjson")
	for name, text := range map[string][]byte{
		"empty": nil, "half": whole[:len(whole)/2], "no last byte": whole[:len(whole)-1], "more behind": append(slices.Clone(whole), 'x'),
		"a team changed": bytes.Replace(whole, []byte(`"short":"T"`), []byte(`"short":"X"`), 1), "no JSON": []byte("<html>\n"),
		"no first line": whole[bytes.IndexByte(whole, '\n')+1:],
	} {
		s.write("teams.ndjson", text)
		s.requests()
		if s.once(); s.requests()[0] != "/v1/snapshot" {
			t.Errorf("%s: the copy was believed", name)
		}
	}
}

// TestSnapshotCut cuts the snapshot on its way; the copy stays as it was.
func TestSnapshotCut(t *testing.T) {
	s := newScene(t)
	s.once()
	before := s.read("teams.ndjson")
	answer, err := http.Get(s.server.URL + "/v1/snapshot")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	whole, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for name, text := range map[string][]byte{
		"in the middle of a line": whole[:len(whole)/2], "before the last line": whole[:last],
		"without a team": slices.Concat(whole[:bytes.IndexByte(whole, '\n')+1], whole[bytes.IndexByte(whole[200:], '\n')+201:]),
	} {
		s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = w.Write(text)
			return true
		})
		cfg := s.config()
		cfg.Now = func() time.Time { return time.Now().Add(48 * time.Hour) } // a new snapshot is due
		m := s.open(cfg)
		if err := m.Once(t.Context()); err == nil {
			t.Errorf("a snapshot cut %s was taken", name)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := s.read("teams.ndjson"); !bytes.Equal(got, before) {
			t.Errorf("a snapshot cut %s left %s", name, got)
		}
	}
}

// TestRefresh takes a new snapshot of what is old, once.
func TestRefresh(t *testing.T) {
	s := newScene(t)
	s.once()
	s.requests()
	cfg := s.config()
	cfg.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	m := s.open(cfg)
	if err := m.Once(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if got, want := s.requests(), []string{"/v1/snapshot", "/v1/changes"}; !slices.Equal(got, want) {
		t.Errorf("two days later: %q, want %q", got, want)
	}
}

// TestRestore restores the server's database under the copy.
func TestRestore(t *testing.T) {
	s := newScene(t)
	var archive bytes.Buffer
	if _, err := s.db.Backup(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	s.change(1)
	s.once()
	if _, err := s.db.Restore(t.Context(), &archive, true); err != nil {
		t.Fatal(err)
	}
	s.edit(1, "after the restore")
	s.requests()
	s.once()
	if got, want := s.requests(), []string{"/v1/changes", "/v1/snapshot", "/v1/changes", "/v1/snapshot"}; !slices.Equal(got, want) {
		t.Errorf("after a restore: %q, want %q", got, want)
	}
}

// TestContradiction has a server say of each snapshot of its own that it is
// worth nothing: a copy must not be taken over and over.
func TestContradiction(t *testing.T) {
	s := newScene(t)
	s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/v1/changes" {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"code":"changes.epoch","detail":"no","request_id":"1"}`)
		return true
	})
	m := s.open(s.config())
	defer m.Close() //nolint:errcheck // nothing was written
	err := m.Once(t.Context())
	if r, ok := errors.AsType[*consumer.Refused](err); !ok || r.Code != "changes.epoch" || r.Status != 409 {
		t.Errorf("Once = %v, want the refusal", err)
	}
	if got, want := s.requests(), []string{"/v1/snapshot", "/v1/changes"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

func TestOneProcess(t *testing.T) {
	s := newScene(t)
	m := s.open(s.config())
	if _, err := consumer.Open(s.config()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second Mirror on the folder: %v, want that another process has it", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	s.once()
}

func TestToken(t *testing.T) {
	s := newScene(t)
	secret, token, err := s.dir.CreateToken(t.Context(), operator(), directory.TokenSpec{Name: "mirror", Role: directory.Consumer})
	if err != nil {
		t.Fatal(err)
	}
	s.token = secret
	if s.once(); !bytes.Contains(s.read("teams.ndjson"), []byte("t1@example.org")) {
		t.Error("the copy of a token lacks what only a token sees")
	}
	if _, err := s.dir.RevokeToken(t.Context(), operator(), token.ID); err != nil {
		t.Fatal(err)
	}
	m := s.open(s.config())
	defer m.Close() //nolint:errcheck // nothing was written
	err = m.Run(t.Context())
	if r, ok := errors.AsType[*consumer.Refused](err); !ok || r.Status != 401 || r.Code != "auth.token-revoked" {
		t.Errorf("Run with a revoked token = %v, want the refusal", err)
	}
}

// TestTroubleIsTried again: while the server can't answer, nothing is lost.
func TestTroubleIsTried(t *testing.T) {
	s := newScene(t)
	s.once()
	s.change(1)
	var tries atomic.Int32 // a connection that was cut is served beside the next
	ctx, stop := context.WithCancel(t.Context())
	head := s.follow.Index().Seq()
	s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
		switch tries.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		case 2:
			panic(http.ErrAbortHandler)
		}
		if r.URL.Query().Get("after") == fmt.Sprint(head) {
			stop()
		}
		return false
	})
	m := s.open(s.config())
	if err := m.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	s.spoiled(nil)
	s.same()
	if n := tries.Load(); n < 4 {
		t.Errorf("%d tries, want two in vain and two more", n)
	}
}

func TestNotRollcall(t *testing.T) {
	s := newScene(t)
	for name, spoil := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a page for people": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, "<html>welcome</html>")
			return true
		},
		"another page of changes": func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/v1/snapshot" {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"changes":[],"next":1,"head":0}`)
			return true
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return true
		},
	} {
		s.spoiled(spoil)
		m := s.open(s.config())
		err := m.Once(t.Context())
		if r, ok := errors.AsType[*consumer.Refused](err); !errors.Is(err, consumer.ErrAnswer) && (!ok || r.Status != 302) {
			t.Errorf("%s: %v, want that it is not Rollcall", name, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]consumer.Config{
		"no server": {Dir: t.TempDir()}, "no URL": {Server: "example.org", Dir: t.TempDir()}, "another scheme": {Server: "ftp://example.org", Dir: t.TempDir()},
		"a query": {Server: "https://example.org?x", Dir: t.TempDir()}, "no folder": {Server: "https://example.org"},
	} {
		if _, err := consumer.Open(cfg); err == nil {
			t.Errorf("%s: Open = nil, want an error", name)
		}
	}
}

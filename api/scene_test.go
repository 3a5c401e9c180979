package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// scene is a whole server on one engine, with three teams and a token of each
// role.
type scene struct {
	t       testing.TB
	db      *store.DB
	dir     *directory.Directory
	follow  *directory.Follower
	server  *httptest.Server
	clock   *clock
	log     *lockedBuffer
	tokens  map[string]string   // by role; "other" is an editor of another team
	alpha   directory.Team      // of the forum first, with a contact of each label
	beta    directory.Team      // of no forum
	n       int                 // see next
	keys    map[string]string   // armour of the keys of alpha that newKey made, by fingerprint
	planned map[verify.Row]bool // what ran so far
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) Advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func operator() directory.Principal {
	return directory.Principal{Name: "test", Role: directory.Operator}
}

// each runs fn on both engines.
func each(t *testing.T, fn func(*testing.T, *scene)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, _ string, db *store.DB) { fn(t, newScene(t, db)) })
}

// embedded is a scene on SQLite, for what does not depend on the engine.
func embedded(t testing.TB) *scene {
	_, db := storetest.SQLite().Open(t)
	return newScene(t, db)
}

// The limits of a batch in a scene, which are quicker to reach than the real ones.
const (
	sceneBatchBody = 2 << 20
	sceneBatch     = 30_000
)

func newScene(t testing.TB, db *store.DB) *scene {
	t.Helper()
	s := &scene{t: t, db: db, clock: &clock{now: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)}, log: &lockedBuffer{}, tokens: map[string]string{}, planned: map[verify.Row]bool{}}
	var err error
	if s.follow, err = directory.NewFollower(directory.FollowerConfig{Store: db, Now: s.clock.Now}); err != nil {
		t.Fatal(err)
	}
	s.dir, err = directory.New(directory.Config{Store: db, Now: s.clock.Now, Committed: s.follow.Sync})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.follow.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.serve(t, nil)
	s.people()
	return s
}

// desk is what asks contacts, on the store of the scene.
func (s *scene) desk(t testing.TB) *challenge.Desk {
	t.Helper()
	key, err := challenge.NewKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	policy, _ := challenge.Preset(challenge.PresetHalfYearly)
	desk, err := challenge.NewDesk(challenge.DeskConfig{Store: s.db, Index: s.follow.Index, Key: key, Policies: []challenge.Policy{policy},
		Rules: []challenge.Rule{{Policy: policy.Name}}, Random: rand.Reader, Now: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

// serve starts the server of a scene.
func (s *scene) serve(t testing.TB, change func(*api.Config)) {
	t.Helper()
	cfg := api.Config{
		Directory: s.dir, Index: s.follow.Index, IndexAge: s.follow.Age, Moved: s.follow.Moved, Sync: s.follow.Sync, Now: s.clock.Now, Version: "test",
		Verify: s.db, Challenges: s.desk(t),
		Log: slog.New(slog.NewTextHandler(s.log, nil)), MaxBatchBody: sceneBatchBody, MaxBatch: sceneBatch,
	}
	if change != nil {
		change(&cfg)
	}
	handler, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewServer(handler)
	t.Cleanup(s.server.Close)
}

// changed is the same scene behind another server.
func (s *scene) changed(t testing.TB, change func(*api.Config)) *scene {
	t.Helper()
	other := *s
	other.serve(t, change)
	return &other
}

func contact(value string, label directory.TLP) directory.Contact {
	return directory.Contact{Channel: "email", Value: value, Visibility: label}
}

func (s *scene) people() {
	s.alpha = s.create("alpha", directory.Profile{
		Names: directory.Names{Short: "ALPHA-CSIRT"}, Country: "AT", Kinds: []string{"csirt"}, Host: "Example University",
		Resources: []directory.Resource{
			{Type: "prefix", Prefix: mustPrefix("192.0.2.0/24")},
			{Type: "domain", Domain: "example.org"},
		},
		Contacts: []directory.Contact{
			contact("clear@example.org", directory.Clear), contact("green@example.org", directory.Green), contact("amber@example.org", directory.Amber),
			contact("strict@example.org", directory.AmberStrict), contact("red@example.org", directory.Red),
		},
		Memberships: []directory.Membership{{Forum: "first", Status: "member"}},
	})
	s.beta = s.create("beta", directory.Profile{Names: directory.Names{Short: "BETA"}, Country: "DE", Kinds: []string{"soc"},
		Contacts: []directory.Contact{contact("beta@example.net", directory.Clear)}})
	s.create("gamma", directory.Profile{Names: directory.Names{Short: "GAMMA"}, Country: "AT", Kinds: []string{"csirt"}})
	for role, spec := range map[string]directory.TokenSpec{
		"consumer": {Role: directory.Consumer}, "member": {Role: directory.Consumer, Team: "alpha"},
		"editor": {Role: directory.Editor, Team: "alpha"}, "other": {Role: directory.Editor, Team: "beta"},
		"secretariat": {Role: directory.Secretariat, Forum: "first"}, "stranger": {Role: directory.Secretariat, Forum: "tf-csirt"},
		"operator": {Role: directory.Operator}, "reader": {Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeRead}},
		"expiring": {Role: directory.Operator, Expires: time.Hour}, "revoked": {Role: directory.Operator},
	} {
		spec.Name = role
		secret, token, err := s.dir.CreateToken(context.Background(), operator(), spec)
		if err != nil {
			s.t.Fatal(err)
		}
		s.tokens[role] = secret
		if role == "revoked" {
			if _, err := s.dir.RevokeToken(context.Background(), operator(), token.ID); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *scene) create(handle directory.Handle, p directory.Profile) directory.Team {
	s.t.Helper()
	team, err := s.dir.Create(context.Background(), operator(), directory.NewTeam{Handle: handle, Profile: p})
	if err != nil {
		s.t.Fatal(err)
	}
	return team
}

// request is one request; the zero value of a field leaves it out.
type request struct {
	method, path string
	as           string // role whose token is sent
	body         string
	header       map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (s *scene) do(t testing.TB, q request) answer {
	t.Helper()
	method := q.method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(context.Background(), method, s.server.URL+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	if q.as != "" {
		r.Header.Set("Authorization", "Bearer "+s.tokens[q.as])
	}
	if q.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	resp, err := s.server.Client().Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, q.path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, q.path, err)
	}
	a := answer{resp.StatusCode, resp.Header, body}
	if len(body) < 1<<20 { // longer ones are more of the same, and take long
		conform(t, q, a)
	}
	return a
}

// into decodes the body, which must have the status.
func (a answer) into(t testing.TB, status int, v any) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status = %d, want %d: %s", a.status, status, a.body)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("body: %v: %s", err, a.body)
	}
}

func mustTime(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// mustTeam is team alpha as the index has it.
func mustTeam(t testing.TB, s *scene) *directory.Team {
	t.Helper()
	team, ok := s.follow.Index().Team(s.alpha.ID)
	if !ok {
		t.Fatal("the index has no team alpha")
	}
	return team
}

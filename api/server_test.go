package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

func TestNewWantsItsParts(t *testing.T) {
	if _, err := api.New(api.Config{}); err == nil {
		t.Error("New without a directory = nil, want an error")
	}
	if _, err := api.New(api.Config{Directory: new(directory.Directory)}); err == nil {
		t.Error("New without an index = nil, want an error")
	}
}

func TestRequestIDs(t *testing.T) {
	s := embedded(t)
	own := regexp.MustCompile(`^[0-9a-f]{12}-[0-9a-z]+$`)
	seen := map[string]bool{}
	for _, tt := range []struct {
		name, given string
		kept        bool
	}{
		{"none is given", "", false},
		{"a sane one is kept", "proxy-1.2:3_4", true},
		{"one with a blank is not", "a b", false},
		{"one with a quote is not", `a"b`, false},
		{"one that is too long is not", strings.Repeat("a", 65), false},
		{"the longest is", strings.Repeat("a", 64), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/v1/lookup?q=192.0.2.1", "/v1/teams", "/nothing"} {
				q := get(path)
				if tt.given != "" {
					q = q.with("X-Request-Id", tt.given)
				}
				got := s.do(t, q).header.Get("X-Request-Id")
				switch {
				case tt.kept && got != tt.given:
					t.Errorf("%s: id %q, want %q", path, got, tt.given)
				case !tt.kept && (!own.MatchString(got) || seen[got]):
					t.Errorf("%s: id %q, want a new one of ours", path, got)
				}
				seen[got] = true
			}
		})
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	s := embedded(t)
	if h := s.do(t, get("/v1/lookup?q=192.0.2.1")).header; h.Get("X-Request-Id") == "" {
		t.Errorf("an anonymous lookup: headers %v, want a request id", h)
	}
	if h := s.do(t, request{path: "/v1/lookup?q=192.0.2.1", as: "consumer"}).header; h.Get("Cache-Control") != "no-store" {
		t.Errorf("a lookup with a token: headers %v, want no-store", h)
	}
	for _, path := range []string{"/v1/lookup?q=", "/v1/teams/alpha", "/healthz", "/metrics", "/openapi.yaml", "/nothing"} {
		h := s.do(t, get(path)).header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v, want nosniff and no-store", path, h)
		}
	}
	if a := s.do(t, request{method: http.MethodHead, path: "/v1/teams/alpha"}); a.status != 200 || len(a.body) != 0 || a.header.Get("ETag") != `"1"` {
		t.Errorf("HEAD = %d with %d bytes and ETag %s, want 200, none and \"1\"", a.status, len(a.body), a.header.Get("ETag"))
	}
}

// bare is a server whose parts fail as told.
func bare(t *testing.T, cfg api.Config) (*httptest.Server, *lockedBuffer) {
	t.Helper()
	s := embedded(t)
	log := &lockedBuffer{}
	cfg.Directory, cfg.Log = s.dir, slog.New(slog.NewTextHandler(log, nil))
	handler, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server, log
}

func noIndex() *directory.Index { return nil }

func TestCouldNotAsk(t *testing.T) {
	server, _ := bare(t, api.Config{Index: noIndex})
	s := &scene{server: server}
	for _, q := range []request{get("/v1/lookup?q=192.0.2.1"), {method: "POST", path: "/v1/lookup", body: `{"queries":["192.0.2.1"]}`}} {
		a := s.do(t, q)
		if p := problemIn(t, a); p.Status != 503 || p.Code != "lookup.unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("lookup without an index = %d %s, want 503 lookup.unavailable with Retry-After", p.Status, p.Code)
		}
	}
}

func TestReadiness(t *testing.T) {
	empty := directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, func(func(directory.Record) bool) {})
	index := func() *directory.Index { return empty }
	fails := func(err error) []api.Check {
		return []api.Check{{Name: "store", Run: func(context.Context) error { return err }}}
	}
	aged := func(d time.Duration) func() time.Duration { return func() time.Duration { return d } }
	for _, tt := range []struct {
		name   string
		cfg    api.Config
		status int
		code   string
		want   string
	}{
		{"everything works", api.Config{Index: index, Ready: fails(nil), IndexAge: aged(time.Second)}, 200, "", `"checks":["index","store"]`},
		{"there is no index", api.Config{Index: noIndex}, 503, "ready.index", "not built yet"},
		{"the index is old", api.Config{Index: index, IndexAge: aged(time.Minute)}, 503, "ready.index", "not level with the store for 1m0s"},
		{"the index was never level", api.Config{Index: index, IndexAge: aged(-1)}, 503, "ready.index", "not level"},
		{"an old index is allowed", api.Config{Index: index, IndexAge: aged(time.Minute), MaxIndexAge: time.Hour}, 200, "", "60"},
		{"the store says what is wrong", api.Config{Index: index, Ready: fails(directory.Problem{Code: "x", Reason: "the disk is full"})}, 503, "ready.check", "store: the disk is full"},
		{"a secret stays one", api.Config{Index: index, Ready: fails(errors.New("password=x"))}, 503, "ready.check", "the log says why"},
		{"two things fail", api.Config{Index: noIndex, Ready: fails(errors.New("x"))}, 503, "server.unavailable", "store"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, _ := bare(t, tt.cfg)
			s := &scene{server: server}
			a := s.do(t, get("/readyz"))
			if a.status != tt.status || !strings.Contains(string(a.body), tt.want) || strings.Contains(string(a.body), "password") {
				t.Errorf("readyz = %d %s, want %d with %s", a.status, a.body, tt.status, tt.want)
			}
			if tt.code != "" && problemIn(t, a).Code != tt.code {
				t.Errorf("code = %s, want %s", problemIn(t, a).Code, tt.code)
			}
			if a := s.do(t, get("/healthz")); a.status != 200 {
				t.Errorf("healthz = %d, want 200 whatever is not ready", a.status)
			}
		})
	}
}

// TestInternalErrors breaks the store and the index: the client is told
// nothing but the id, under which the log has the rest.
func TestInternalErrors(t *testing.T) {
	server, log := bare(t, api.Config{Index: func() *directory.Index { panic("secret of the index") }})
	s := &scene{server: server}
	for _, q := range []request{get("/v1/lookup?q=192.0.2.1"), {method: "POST", path: "/v1/lookup", body: `{"queries":["192.0.2.1"]}`}} {
		a := s.do(t, q)
		p := problemIn(t, a)
		if p.Status != 500 || p.Code != "server.internal" || p.Detail != "internal error" || strings.Contains(string(a.body), "secret") {
			t.Errorf("a panic = %d %s, want 500 server.internal without its cause", a.status, a.body)
		}
		if !strings.Contains(log.String(), "secret of the index") || !strings.Contains(log.String(), p.RequestID) {
			t.Errorf("the log has nothing of %s: %s", p.RequestID, log)
		}
	}
}

func TestClosedStore(t *testing.T) {
	s := embedded(t)
	token := s.tokens["operator"]
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	s.tokens["operator"] = token
	for _, q := range []request{get("/v1/teams/nobody"), get("/v1/teams?deleted=true").by("operator"), get("/v1/audit").by("operator"), get("/v1/lookup?q=192.0.2.1").by("operator")} {
		a := s.do(t, q)
		if p := problemIn(t, a); a.status < 500 || strings.Contains(string(a.body), "sql") || !strings.Contains(s.log.String(), p.RequestID) {
			t.Errorf("%s on a closed store = %d %s, want 5xx without detail, and a line in the log", q.path, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/lookup?q=192.0.2.1", "/v1/teams", "/v1/teams/alpha"} {
		if a := s.do(t, get(path)); a.status != 200 {
			t.Errorf("%s on a closed store = %d, want 200: it needs none", path, a.status)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := embedded(t)
	s.do(t, get("/v1/lookup?q=192.0.2.1"))
	s.do(t, get("/v1/lookup?q=192.0.2.256"))
	s.do(t, request{method: "POST", path: "/v1/lookup", body: `{"queries":["nobody","192.0.2.9"]}`})
	s.do(t, get("/v1/teams/nobody"))
	s.do(t, get("/nothing"))
	text := string(s.do(t, get("/metrics")).body)
	for _, want := range []string{
		`rollcall_http_requests_total{operation="lookup",status="200"} 1`,
		`rollcall_http_requests_total{operation="lookup",status="422"} 1`,
		`rollcall_http_requests_total{operation="get-team",status="404"} 1`,
		`rollcall_http_requests_total{operation="none",status="404"} 1`,
		`rollcall_http_request_seconds_count{operation="lookup"} 2`,
		`rollcall_lookups_total{kind="ip",status="match"} 2`,
		`rollcall_lookups_total{kind="team",status="none"} 1`,
		`rollcall_lookups_total{kind="url",status="unavailable"} 0`,
		`rollcall_index_teams 3`,
		`rollcall_index_prefixes 1`,
		`rollcall_index_seq 14`,
		`rollcall_index_age_seconds 0`,
		`go_goroutines `,
		`process_cpu_seconds_total `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

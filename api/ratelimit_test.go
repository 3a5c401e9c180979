package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
)

func nets(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// small are limits that a test reaches.
func small() api.Limits {
	return api.Limits{Anonymous: api.Rate{PerMinute: 60, Burst: 20}, Token: api.Rate{PerMinute: 600, Burst: 100}, Failed: api.Rate{PerMinute: 6, Burst: 3}}
}

func limitedScene(t testing.TB, l api.Limits) *scene {
	return embedded(t).changed(t, func(c *api.Config) { c.Limits = l })
}

func TestRateLimit(t *testing.T) {
	s := limitedScene(t, small())
	for i := range 20 {
		a := s.do(t, get("/v1/lookup?q=192.0.2.1"))
		if a.status != 200 || a.header.Get("RateLimit-Remaining") != fmt.Sprint(19-i) || a.header.Get("Retry-After") != "" {
			t.Fatalf("lookup %d = %d with %v, want 200 and %d left", i, a.status, a.header, 19-i)
		}
	}
	a := s.do(t, get("/v1/lookup?q=192.0.2.1"))
	p := problemIn(t, a)
	if p.Status != 429 || p.Code != "request.too-many" {
		t.Errorf("one more = %d %s, want 429 request.too-many", p.Status, p.Code)
	}
	for name, want := range map[string]string{
		"RateLimit-Limit": "20", "RateLimit-Remaining": "0", "RateLimit-Reset": "20", "Retry-After": "1",
		"RateLimit": `"address";r=0;t=20`, "RateLimit-Policy": `"address";q=20;w=20`,
	} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if a := s.do(t, get("/v1/lookup?q=192.0.2.1").by("consumer")); a.status != 200 || a.header.Get("RateLimit-Limit") != "100" || !strings.HasPrefix(a.header.Get("RateLimit"), `"token";r=99`) {
		t.Errorf("a token at the same address = %d with %v, want a bucket of its own", a.status, a.header)
	}
	s.clock.Advance(4 * time.Second)
	if a := s.do(t, get("/v1/teams")); a.status != 429 || a.header.Get("Retry-After") != "1" || a.header.Get("RateLimit-Remaining") != "4" {
		t.Errorf("a list, which costs 5, with 4 units = %d with %v, want 429, 1 s", a.status, a.header)
	}
	if a := s.do(t, get("/v1/lookup?q=192.0.2.1")); a.status != 200 {
		t.Errorf("a lookup with 4 units = %d, want 200: what was refused cost nothing", a.status)
	}
	s.clock.Advance(time.Hour)
	if a := s.do(t, request{method: "POST", path: "/v1/lookup", body: `{"queries":["192.0.2.1"]}`}); a.status != 200 || a.header.Get("RateLimit-Remaining") != "0" {
		t.Errorf("a batch dearer than the bucket = %d with %v, want 200 and none left", a.status, a.header)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if a := s.do(t, get(path)); a.status == 429 || a.header.Get("RateLimit") != "" {
			t.Errorf("%s with an empty bucket = %d with %v, want no limit", path, a.status, a.header)
		}
	}
	text := string(s.do(t, get("/metrics")).body)
	for _, want := range []string{`rollcall_rate_limited_total{by="address",class="lookup"} 1`, `rollcall_rate_limited_total{by="address",class="list"} 1`, `rollcall_rate_clients{by="address"} 1`, `rollcall_rate_clients{by="token"} 1`} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

func TestFailedSignIns(t *testing.T) {
	s := limitedScene(t, small())
	bad := get("/v1/lookup?q=192.0.2.1").with("Authorization", "Bearer rct_aaaaaaaa_bbbbbbbb")
	for i := range 3 {
		if a := s.do(t, bad); a.status != 401 {
			t.Fatalf("wrong token %d = %d, want 401", i, a.status)
		}
	}
	for _, q := range []request{bad, get("/v1/me").by("consumer")} {
		a := s.do(t, q)
		if p := problemIn(t, a); p.Status != 429 || p.Code != "auth.too-many" || a.header.Get("Retry-After") != "10" {
			t.Errorf("a token after three wrong ones = %d %s after %s, want 429 auth.too-many after 10", p.Status, p.Code, a.header.Get("Retry-After"))
		}
	}
	if a := s.do(t, get("/v1/me")); a.status != 200 {
		t.Errorf("without a token = %d, want 200", a.status)
	}
	s.clock.Advance(10 * time.Second)
	if a := s.do(t, get("/v1/me").by("consumer")); a.status != 200 {
		t.Errorf("a good token after the pause = %d, want 200", a.status)
	}
	if text := string(s.do(t, get("/metrics")).body); !strings.Contains(text, `rollcall_rate_limited_total{by="address",class="sign-in"} 2`) {
		t.Error("metrics do not count refused sign-ins")
	}
}

// TestExempt proves that this machine is not limited and sees no header.
func TestExempt(t *testing.T) {
	l := small()
	l.Exempt = nets("127.0.0.0/8", "::1/128")
	s := limitedScene(t, l)
	for range 30 {
		for _, q := range []request{get("/v1/teams"), get("/v1/lookup?q=192.0.2.1"), get("/v1/me").by("consumer"), get("/v1/me").by("revoked")} {
			a := s.do(t, q)
			if a.status == 429 || a.header.Get("RateLimit") != "" {
				t.Fatalf("%s as %q = %d with %v, want no limit", q.path, q.as, a.status, a.header)
			}
		}
	}
	s.do(t, get("/v1/teams").with("X-Forwarded-For", "192.0.2.1"))
	s.do(t, get("/v1/teams").with("X-Forwarded-For", "192.0.2.1"))
	if n := strings.Count(s.log.String(), "trusted_proxies does not name"); n != 1 {
		t.Errorf("%d warnings about a proxy that is not configured, want 1: %s", n, s.log)
	}
}

// TestClientAddress sends requests as if from many addresses and looks which
// of them share a bucket.
func TestClientAddress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		peer    string
		header  map[string]string
		bucket  string // whose bucket it must be: the address of another peer, without headers
		proxies []netip.Prefix
		kind    string
	}{
		{name: "the peer itself", peer: "192.0.2.1:4711", bucket: "192.0.2.1:80"},
		{name: "the /64 of IPv6", peer: "[2001:db8::1]:4711", bucket: "[2001:db8::ffff:1]:80"},
		{name: "IPv4 in IPv6", peer: "[::ffff:192.0.2.1]:4711", bucket: "192.0.2.1:80"},
		{name: "nobody's word", peer: "192.0.2.1:1", header: map[string]string{"X-Forwarded-For": "198.51.100.1"}, bucket: "192.0.2.1:80"},
		{name: "somebody else's word", peer: "192.0.2.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "198.51.100.1"}, bucket: "192.0.2.1:80"},
		{name: "the proxy's word", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "198.51.100.1"}, bucket: "198.51.100.1:80"},
		{name: "the last word", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "192.0.2.99, 198.51.100.1"}, bucket: "198.51.100.1:80"},
		{name: "through two proxies", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "192.0.2.99, 198.51.100.1, 203.0.113.2"}, bucket: "198.51.100.1:80"},
		{name: "with a port", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "[2001:db8:1::1]:55"}, bucket: "[2001:db8:1::1]:80"},
		{name: "nonsense is the proxy", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"X-Forwarded-For": "198.51.100.1, unknown"}, bucket: "203.0.113.1:80"},
		{name: "no word is the proxy", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), bucket: "203.0.113.1:80"},
		{name: "the other header is not read", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), header: map[string]string{"Forwarded": "for=198.51.100.1"}, bucket: "203.0.113.1:80"},
		{name: "Forwarded", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), kind: "Forwarded", header: map[string]string{"Forwarded": `for=192.0.2.9;proto=http, For="[2001:db8:1::1]:4711";by=203.0.113.1`}, bucket: "[2001:db8:1::1]:80"},
		{name: "Forwarded with a hidden name", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), kind: "Forwarded", header: map[string]string{"Forwarded": `for=192.0.2.9, for=_hidden`}, bucket: "203.0.113.1:80"},
		{name: "Forwarded with a separator in quotes", peer: "203.0.113.1:1", proxies: nets("203.0.113.0/24"), kind: "Forwarded", header: map[string]string{"Forwarded": `for=198.51.100.1;x="a,for=192.0.2.9"`}, bucket: "198.51.100.1:80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := limitedHandler(t, api.Limits{Anonymous: api.Rate{PerMinute: 60, Burst: 10}, Proxies: tt.proxies, ProxyHeader: tt.kind})
			ask := func(peer string, header map[string]string) string {
				r, w := httptest.NewRequest(http.MethodGet, "/v1/me", nil), httptest.NewRecorder()
				r.RemoteAddr = peer
				for k, v := range header {
					r.Header.Set(k, v)
				}
				h.ServeHTTP(w, r)
				return w.Header().Get("RateLimit-Remaining")
			}
			first, second := ask(tt.bucket, nil), ask(tt.peer, tt.header)
			if first != "5" || second != "0" {
				t.Errorf("units left %s and %s, want 5 and 0: one bucket", first, second)
			}
		})
	}
}

func limitedHandler(t testing.TB, l api.Limits) http.Handler {
	t.Helper()
	s := embedded(t)
	h, err := api.New(api.Config{Directory: s.dir, Index: s.follow.Index, Now: s.clock.Now, Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestManyClients lets a million addresses ask: memory stays within the bound,
// and a client that keeps asking is not forgotten meanwhile.
func TestManyClients(t *testing.T) {
	b := api.NewAddressBuckets(api.Rate{PerMinute: 60, Burst: 10}, 10_000)
	now := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC)
	busy := netip.MustParseAddr("192.0.2.1")
	for i := range 1_000_000 {
		b.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1, now)
		if ok := b.Take(busy, 1, now); ok && i >= 10 {
			t.Fatalf("after %d other addresses a client with an empty bucket was let through", i)
		}
	}
	if n := b.Size(); n > 10_000 {
		t.Errorf("%d buckets are kept, want at most 10,000", n)
	}
}

func TestClockSetBack(t *testing.T) {
	b := api.NewAddressBuckets(api.Rate{PerMinute: 60, Burst: 2}, 100)
	now, client := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC), netip.MustParseAddr("192.0.2.1")
	b.Take(client, 2, now)
	if b.Take(client, 1, now.Add(-time.Hour)) {
		t.Error("an empty bucket lets through after the clock was set back, want not")
	}
	if !b.Take(client, 1, now.Add(-time.Hour+time.Second)) {
		t.Error("a bucket stays empty for the hour that the clock was set back, want a second")
	}
}

// BenchmarkLimit is what a limited request pays beside the lookup: hostile
// addresses, each new.
func BenchmarkLimit(b *testing.B) {
	buckets := api.NewAddressBuckets(api.Rate{PerMinute: 600, Burst: 300}, 200_000)
	now := time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := uint32(0); pb.Next(); i++ {
			buckets.Take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1, now)
		}
	})
}

func TestTokensShareNothing(t *testing.T) {
	s := limitedScene(t, api.Limits{Token: api.Rate{PerMinute: 60, Burst: 5}})
	for _, role := range []string{"consumer", "editor"} {
		if a := s.do(t, get("/v1/teams").by(role)); a.status != 200 {
			t.Errorf("a list as %s = %d, want 200: each token has its own", role, a.status)
		}
	}
	if a := s.do(t, get("/v1/teams").by("consumer")); a.status != 429 {
		t.Errorf("a second list = %d, want 429", a.status)
	}
	if a := s.do(t, get("/v1/teams")); a.status != 200 {
		t.Errorf("nobody, who is not limited here = %d, want 200", a.status)
	}
}

package verify_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// tagged is a site that knows its only page by an ETag, and counts.
type tagged struct {
	mu            sync.Mutex
	etag, body    string
	fields        string // beside
	full, same    int
	alwaysTheSame bool // as a broken server says
}

func (s *tagged) serve(c net.Conn) {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := r.Header.Get("If-None-Match")
	if asked != "" && (asked == s.etag || s.alwaysTheSame) {
		s.same++
		_, _ = fmt.Fprintf(c, "HTTP/1.1 304 Not Modified\r\nETag: %s\r\nX-Now: later\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n", s.etag)
		return
	}
	s.full++
	_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nETag: %s\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", s.etag, s.fields, len(s.body), s.body)
}

func withCache(c *verify.LiveConfig) { c.Cache = 4 << 10 }

// TestNotModified asks a server whether its answer is still what it was.
func TestNotModified(t *testing.T) {
	n := newNet(t)
	s := &tagged{etag: `"one"`, body: "hello\n"}
	n.see("a.example", s.serve)
	l := n.live(withCache)
	q := verify.Request{URL: "https://a.example/x"}
	first, second := n.fetch(l, q), n.fetch(l, q)
	if s.full != 1 || s.same != 1 || first.Last().NotModified {
		t.Fatalf("%d full answers and %d confirmed ones, first %+v", s.full, s.same, first.Last())
	}
	hop := second.Last()
	if !hop.NotModified || hop.Status != 200 || string(second.Body) != "hello\n" || http.Header(hop.Header).Get("Content-Type") != "text/plain" || http.Header(hop.Header).Get("X-Now") != "later" {
		t.Errorf("what was confirmed is %+v with %q", hop, second.Body)
	}
	if !hop.TLS.Verified {
		t.Error("the certificate was not looked at again")
	}
	s.mu.Lock()
	s.etag, s.body = `W/"two"`, "changed\n"
	s.mu.Unlock()
	if x := n.fetch(l, q); string(x.Body) != "changed\n" || x.Last().NotModified {
		t.Errorf("after a change: %+v with %q", x.Last(), x.Body)
	}
	if x := n.fetch(l, q); string(x.Body) != "changed\n" || !x.Last().NotModified {
		t.Errorf("a weak tag: %+v with %q", x.Last(), x.Body)
	}
}

// TestNotRemembered are answers that are asked for in full again.
func TestNotRemembered(t *testing.T) {
	q := func(host string) verify.Request { return verify.Request{URL: "https://" + host + "/x"} }
	for _, c := range []struct {
		name   string
		site   *tagged
		change func(*net_, *tagged, *verify.Request)
	}{
		{"no-cache", &tagged{etag: `"a"`, body: "x\n"}, nil},
		{"no-tag", &tagged{body: "x\n"}, nil},
		{"no-quotes", &tagged{etag: "a", body: "x\n"}, nil},
		{"long-tag", &tagged{etag: `"` + strings.Repeat("a", 300) + `"`, body: "x\n"}, nil},
		{"control", &tagged{etag: "\"a\x01\"", body: "x\n"}, nil},
		{"no-store", &tagged{etag: `"a"`, body: "x\n", fields: "Cache-Control: private, No-Store\r\n"}, nil},
		{"too-large", &tagged{etag: `"a"`, body: strings.Repeat("x", 5<<10)}, nil},
		{"old", &tagged{etag: `"a"`, body: "x\n"}, func(n *net_, _ *tagged, _ *verify.Request) { n.now = n.now.Add(8 * 24 * time.Hour) }},
		{"back-in-time", &tagged{etag: `"a"`, body: "x\n"}, func(n *net_, _ *tagged, _ *verify.Request) { n.now = n.now.Add(-time.Hour) }},
		{"less-wanted", &tagged{etag: `"a"`, body: "xxxxx\n"}, func(_ *net_, _ *tagged, q *verify.Request) { q.Limit = 3 }},
		{"other-kind", &tagged{etag: `"a"`, body: "x\n"}, func(_ *net_, _ *tagged, q *verify.Request) { q.Accept = "application/json" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, s := newNet(t), c.site
			host := c.name + ".example"
			n.see(host, s.serve)
			set := withCache
			if c.name == "no-cache" {
				set = func(*verify.LiveConfig) {}
			}
			l, ask := n.live(set), q(host)
			n.fetch(l, ask)
			if c.change != nil {
				c.change(n, s, &ask)
			}
			n.fetch(l, ask)
			if s.full != 2 || s.same != 0 {
				t.Errorf("%d full answers and %d confirmed ones, want 2 and none", s.full, s.same)
			}
		})
	}
}

// TestRememberedBounded keeps no more than it may, the last ones used.
func TestRememberedBounded(t *testing.T) {
	n := newNet(t)
	s := &tagged{etag: `"a"`, body: strings.Repeat("x", 1000)}
	n.see("a.example", s.serve)
	l := n.live(withCache)
	page := func(i int) verify.Request { return verify.Request{URL: fmt.Sprintf("https://a.example/%d", i)} }
	for i := range 20 { // there is room for two
		n.fetch(l, page(i))
		n.fetch(l, page(0)) // stays in use
	}
	for _, c := range []struct {
		page int
		want bool
	}{{0, true}, {19, true}, {18, false}, {1, false}} {
		if x := n.fetch(l, page(c.page)); x.Last().NotModified != c.want {
			t.Errorf("page %d: remembered is %v, want %v", c.page, x.Last().NotModified, c.want)
		}
	}
}

// TestRememberedByAddress takes no address's word for what another one said.
func TestRememberedByAddress(t *testing.T) {
	n := newNet(t)
	s := &tagged{etag: `"a"`, body: "x\n", alwaysTheSame: true}
	n.see("a.example", s.serve)
	l := n.live(withCache)
	q := verify.Request{URL: "https://a.example/x"}
	n.fetch(l, q)
	n.mu.Lock()
	port, from := n.ports[netip.MustParseAddr("127.0.1.2")], n.zone["a.example. A"]
	n.ports[netip.MustParseAddr("127.0.1.99")] = port
	n.zone["a.example. A"] = []string{"A 127.0.1.99"}
	n.mu.Unlock()
	old := l
	move := n.live(withCache, func(c *verify.LiveConfig) {
		inner := c.Map
		c.Map = func(at netip.AddrPort) netip.AddrPort {
			if at.Addr() == netip.MustParseAddr("127.0.1.99") {
				return netip.AddrPortFrom(netip.MustParseAddr("127.0.1.2"), port)
			}
			return inner(at)
		}
	})
	n.fetch(move, q)
	if x := n.fetch(move, q); !x.Last().NotModified {
		t.Errorf("at its address: %+v", x.Last())
	}
	n.mu.Lock()
	n.zone["a.example. A"] = from
	n.mu.Unlock()
	if x := n.fetch(move, q); x.Last().NotModified || x.Last().Addr.Addr() != netip.MustParseAddr("127.0.1.2") {
		t.Errorf("at another address: %+v", x.Last())
	}
	if x := n.fetch(old, q); !x.Last().NotModified {
		t.Errorf("at the first address, by who asked there: %+v", x.Last())
	}
}

// TestFresh gives an answer again without asking, where that is allowed.
func TestFresh(t *testing.T) {
	n := newNet(t)
	s := &tagged{body: "hello\n"}
	n.see("a.example", s.serve)
	l := n.live(withCache)
	q := verify.Request{URL: "https://a.example/x", Fresh: time.Hour}
	ask := func(change func(*verify.Request), full int, at time.Time) {
		t.Helper()
		q := q
		if change != nil {
			change(&q)
		}
		x := n.fetch(l, q)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.full != full || string(x.Body) != "hello\n" || !x.At.Equal(at) {
			t.Errorf("%d answers, the last %q of %s; want %d, of %s", s.full, x.Body, x.At, full, at)
		}
	}
	first := n.now
	ask(nil, 1, first)
	n.now = first.Add(time.Hour - time.Second)
	ask(nil, 1, first)
	ask(func(q *verify.Request) { q.Fresh = time.Minute }, 2, n.now)
	ask(nil, 2, n.now)
	ask(func(q *verify.Request) { q.Fresh = 0 }, 3, n.now)
	ask(func(q *verify.Request) { q.URL += "y" }, 4, n.now)
	n.now = first.Add(-time.Hour) // the clock was wrong
	ask(nil, 5, n.now)
	s.mu.Lock()
	s.full = 0
	s.mu.Unlock()
	n.now = first.Add(48 * time.Hour)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { n.fetch(l, q) })
	}
	wg.Wait()
	s.mu.Lock()
	full := s.full
	s.mu.Unlock()
	if full != 1 {
		t.Errorf("%d answers to five who ask at once, want 1", full)
	}
	n.listen("b.example", nil, status("404 Not Found", "", ""))
	missing := verify.Request{URL: "https://b.example/", Fresh: time.Hour}
	before := n.fetch(l, missing).At
	n.now = n.now.Add(time.Second)
	if after := n.fetch(l, missing).At; after.Equal(before) {
		t.Error("an answer that is no success was given again")
	}
}

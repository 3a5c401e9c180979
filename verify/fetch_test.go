package verify_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// listenPlain starts a server without TLS for a host, listenRaw one that hands
// over the connection before the request was read, see the same with TLS.
func (n *net_) listenPlain(host string, serve func(net.Conn)) {
	n.listenRaw(host, func(c net.Conn) {
		if readHeader(c) {
			serve(c)
		}
	})
}

func (n *net_) see(host string, serve func(net.Conn)) {
	cfg := &tls.Config{Certificates: []tls.Certificate{n.cert(host, nil, false)}}
	n.listenRaw(host, func(c net.Conn) {
		t := tls.Server(c, cfg)
		serve(t)
		_ = t.CloseWrite()
	})
}

func (n *net_) listenRaw(host string, serve func(net.Conn)) {
	n.mu.Lock()
	n.last++
	ip := netip.AddrFrom4([4]byte{127, 0, 1, n.last})
	n.mu.Unlock()
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	n.ports[ip] = netip.MustParseAddrPort(l.Addr().String()).Port()
	n.mu.Unlock()
	n.record(host+".", "A "+ip.String())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			serve(c)
			_ = c.Close()
		}
	}()
	n.t.Cleanup(func() { _ = l.Close(); <-done })
}

func status(line, fields, body string) func(net.Conn) {
	return raw("HTTP/1.1 " + line + "\r\n" + fields + "Connection: close\r\n\r\n" + body)
}

// TestStatusFirst holds the rule that a status is not hidden by what comes with
// it: neither a redirect nor an error has a body that matters.
func TestStatusFirst(t *testing.T) {
	n := newNet(t)
	page := strings.Repeat("<p>no</p>", 20_000)
	endless := func(first string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := c.Write([]byte(first))
			for err == nil {
				_, err = c.Write([]byte("1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"))
			}
		}
	}
	n.listen("end.example", nil, raw(okText))
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		want   verify.Code
		status int
		body   string
	}{
		{"404 with a large page", status("404 Not Found", "", page), "", 404, ""},
		{"404 in another encoding", status("404 Not Found", "Content-Encoding: br\r\n", "xx"), "", 404, ""},
		{"404 that breaks off", status("404 Not Found", "Content-Length: 100\r\n", "xx"), "", 404, ""},
		{"500 with a large page", status("500 Oh", "", page), verify.FetchServerError, 500, ""},
		{"503 in another encoding", status("503 Oh", "Content-Encoding: zstd\r\n", "xx"), verify.FetchServerError, 503, ""},
		{"429 without end", endless("HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n"), verify.FetchThrottled, 429, ""},
		{"redirect without end", endless("HTTP/1.1 301 Moved\r\nLocation: https://end.example/\r\nTransfer-Encoding: chunked\r\n\r\n"), "", 200, "hello\n"},
		{"redirect to nowhere", status("302 Found", "", page), "", 302, ""},
		{"not modified", status("304 Not Modified", "Location: https://end.example/\r\n", ""), "", 304, ""},
		{"switching protocols", status("101 Switching Protocols", "Upgrade: x\r\n", "x"), "", 101, ""},
		{"no content", status("204 No Content", "", ""), "", 204, ""},
		{"hints, then an answer", raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + okText), "", 200, "hello\n"},
	} {
		host := hostOf(c.name)
		n.listen(host, nil, c.serve)
		begun := time.Now()
		x := n.fetch(n.live(), verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != c.want || x.Last().Status != c.status || string(x.Body) != c.body {
			t.Errorf("%s: %+v, status %d, body %.20q; want %q, %d, %q", c.name, x.Failure, x.Last().Status, x.Body, c.want, c.status, c.body)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s: took %s", c.name, took)
		}
	}
}

// TestEncodings are bodies in gzip, whole and broken.
func TestEncodings(t *testing.T) {
	n := newNet(t)
	noise := make([]byte, 32<<10) // gzip makes it larger
	_, _ = rand.Read(noise)
	corrupt := gzipped([]byte(strings.Repeat("hello ", 1000)))
	for i := 12; i < 24; i++ {
		corrupt[i] ^= 0x5a
	}
	whole := gzipped([]byte("hello"))
	gz := "Content-Encoding: gzip\r\n"
	length := func(b []byte) string { return fmt.Sprintf("Content-Length: %d\r\n", len(b)) }
	for name, c := range map[string]struct {
		serve     func(net.Conn)
		want      verify.Code
		temporary bool
	}{
		"as large as is allowed":            {raw(head(gz) + string(gzipped(noise))), "", false},
		"one octet more":                    {raw(head(gz) + string(gzipped(append([]byte("x"), noise...)))), verify.FetchTooLarge, false},
		"corrupt":                           {raw(head(gz+length(corrupt)) + string(corrupt)), verify.FetchEncoding, false},
		"a wrong checksum":                  {raw(head(gz) + string(whole[:len(whole)-8]) + "12345678"), verify.FetchEncoding, false},
		"cut, and sent as whole":            {raw(head(gz+length(whole[:10])) + string(whole[:10])), verify.FetchEncoding, false},
		"cut by the connection":             {raw(head(gz+length(whole)) + string(whole[:10])), verify.FetchTruncated, true},
		"text after the end":                {raw(head(gz) + string(whole) + "text"), verify.FetchEncoding, false},
		"nothing":                           {raw(head(gz + "Content-Length: 0\r\n")), verify.FetchEncoding, false},
		"a header without end":              {raw(head(gz) + "\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03" + strings.Repeat("n", 1<<20)), verify.FetchTooLarge, false},
		"thousands of empty members":        {raw(head(gz) + strings.Repeat(string(gzipped(nil)), 20_000)), verify.FetchTooLarge, false},
		"two fields":                        {raw(head(gz+"Content-Encoding: br\r\n") + string(whole)), verify.FetchEncoding, false},
		"a name of old, in capital letters": {raw(head("Content-Encoding: X-GZIP\r\n") + string(whole)), "", false},
		"said to be itself":                 {raw(head("Content-Encoding: identity\r\nContent-Length: 2\r\n") + "ok"), "", false},
	} {
		host := hostOf(name)
		n.listen(host, nil, c.serve)
		x := n.fetch(n.live(), verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != c.want || x.Failure != nil && x.Failure.Temporary != c.temporary {
			t.Errorf("%s: %+v, want %q, temporary %v", name, x.Failure, c.want, c.temporary)
		}
	}
}

// TestRequest holds every octet that a site gets to see: no cookie, no Referer,
// no credentials, and nothing of this machine.
func TestRequest(t *testing.T) {
	n := newNet(t)
	got := make(chan string, 4)
	see := func(answer string) func(net.Conn) {
		return func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				t.Error(err)
				return
			}
			var b bytes.Buffer
			fmt.Fprintf(&b, "%s %s %s\n", r.Method, r.URL, r.Host)
			_ = r.Header.Write(&b)
			got <- b.String()
			_, _ = c.Write([]byte(answer))
		}
	}
	n.see("first.example", see("HTTP/1.1 302 Found\r\nSet-Cookie: a=b; Domain=example\r\nLocation: https://second.example/b?c=d#e\r\nContent-Length: 0\r\n\r\n"))
	n.see("second.example", see(okText))
	l := n.live(func(c *verify.LiveConfig) { c.UserAgent = "Rollcall/1 (+https://rollcall.example.org/about)" })
	if x := n.fetch(l, verify.Request{URL: "https://FIRST.example/a", Accept: "text/plain"}); x.Failure != nil {
		t.Fatalf("Fetch = %+v", x.Failure)
	}
	fields := "Accept: text/plain\r\nAccept-Encoding: identity\r\nConnection: close\r\nUser-Agent: Rollcall/1 (+https://rollcall.example.org/about)\r\n"
	for _, want := range []string{"GET /a first.example\n" + fields, "GET /b?c=d second.example\n" + fields} {
		if one := <-got; one != want {
			t.Errorf("a site got\n%s\nwant\n%s", one, want)
		}
	}
}

// TestEnvironment holds the rule that no proxy is used by accident. It runs in a
// process of its own, since the library reads the environment once.
func TestEnvironment(t *testing.T) {
	if os.Getenv("ROLLCALL_TEST_PROXY") == "" {
		port, count := trap(t)
		c := exec.Command(os.Args[0], "-test.run=^TestEnvironment$")
		c.Env = append(os.Environ(), "ROLLCALL_TEST_PROXY=1", "NO_PROXY=", "no_proxy=")
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
			c.Env = append(c.Env, fmt.Sprintf("%s=http://127.0.0.1:%d", name, port))
		}
		if out, err := c.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS")) {
			t.Errorf("%v\n%s", err, out)
		}
		if count.Load() != 0 {
			t.Errorf("the proxy of the environment was asked %d times", count.Load())
		}
		return
	}
	n := newNet(t)
	got := make(chan string, 2)
	see := func(c net.Conn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		got <- line
		raw(okText)(c)
	}
	n.see("a.example", see)
	n.listenRaw("b.example", see)
	for _, url := range []string{"https://a.example/x", "http://b.example/x"} {
		x := n.fetch(n.live(), verify.Request{URL: url, Plain: true})
		if line := <-got; x.Failure != nil || line != "GET /x HTTP/1.1\r\n" {
			t.Errorf("Fetch(%s) = %+v; the site was asked %q", url, x.Failure, line)
		}
	}
}

// TestPlain is http where a check is about it: the same limits, and no TLS.
func TestPlain(t *testing.T) {
	n := newNet(t)
	n.listen("secure.example", nil, raw(okText))
	n.listenPlain("plain.example", raw(okText))
	n.listenPlain("up.example", redirect("https://secure.example/"))
	n.record("inside.example.", "A 10.0.0.1")
	n.listenPlain("down.example", redirect("http://inside.example/"))
	l := n.live()
	x := n.fetch(l, verify.Request{URL: "http://plain.example/x", Plain: true})
	if x.Failure != nil || string(x.Body) != "hello\n" || x.Last().TLS != nil || x.Last().Addr.Port() != 80 {
		t.Errorf("Fetch = %+v %+v", x.Failure, x.Hops)
	}
	x = n.fetch(l, verify.Request{URL: "http://up.example/", Plain: true})
	if x.Failure != nil || len(x.Hops) != 2 || x.Last().TLS == nil || !x.Last().TLS.Verified {
		t.Errorf("Fetch over a redirect to https = %+v %+v", x.Failure, x.Hops)
	}
	for url, want := range map[string]verify.Code{
		"http://inside.example/": verify.FetchAddress, "http://down.example/": verify.FetchAddress, "http://127.0.0.1/": verify.FetchAddress, "http://2130706433/": verify.FetchAddress,
		"http://plain.example:443/": verify.FetchURL, "http://plain.example:8080/": verify.FetchURL, "http://u@plain.example/": verify.FetchURL,
	} {
		if x := n.fetch(l, verify.Request{URL: url, Plain: true}); failureOf(x.Failure) != want {
			t.Errorf("Fetch(%s) = %+v, want %s", url, x.Failure, want)
		}
	}
}

// TestWaitingIsOurs holds the rule that the wait for a turn is not taken off
// the time that a host has.
func TestWaitingIsOurs(t *testing.T) {
	n := newNet(t)
	n.listen("a.example", nil, raw(okText))
	n.listen("b.example", nil, redirect("https://a.example/x"))
	limiter := verify.NewLimiter(map[verify.LimitKind]verify.Pace{verify.LimitHost: {Concurrent: 1, Every: 1200 * time.Millisecond}, verify.LimitServer: {Every: 1200 * time.Millisecond}}, 0)
	l := n.live(func(c *verify.LiveConfig) {
		c.Limiter, c.Total, c.Query = limiter, time.Second, time.Second
		c.Map = func(at netip.AddrPort) netip.AddrPort {
			if at.Port() == 53 {
				return netip.MustParseAddrPort(n.dns)
			}
			return netip.AddrPortFrom(at.Addr(), n.ports[at.Addr()])
		}
		c.Allow = append(c.Allow, netip.MustParsePrefix("127.0.0.1/32"))
	})
	begun := time.Now()
	for _, url := range []string{"https://a.example/", "https://b.example/"} {
		if x := n.fetch(l, verify.Request{URL: url}); x.Failure != nil {
			t.Errorf("Fetch(%s) = %+v, though nobody was slow but ourselves", url, x.Failure)
		}
	}
	if took := time.Since(begun); took < 1200*time.Millisecond {
		t.Errorf("the host was asked twice within %s", took)
	}
	begun = time.Now()
	for range 2 {
		a, err := l.Query(t.Context(), verify.Question{Name: "a.example", Type: "A", Server: netip.MustParseAddrPort("127.0.1.250:53")})
		if err != nil || a.Failure != nil {
			t.Errorf("Query = %+v, %v", a, err)
		}
	}
	if took := time.Since(begun); took < 1200*time.Millisecond {
		t.Errorf("the name server was asked twice within %s", took)
	}
}

// TestTurnsComeBack holds the rule that an address that did not answer is not
// held while another one is asked.
func TestTurnsComeBack(t *testing.T) {
	n := newNet(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	begun, end := sync.OnceFunc(func() { close(inside) }), sync.OnceFunc(func() { close(leave) })
	defer end()
	dead := netip.MustParseAddr("127.0.1.251")
	n.ports[dead] = 1
	n.record("both.example.", "A "+dead.String()) // tried first
	n.listen("both.example", nil, func(c net.Conn) { begun(); <-leave; raw(okText)(c) })
	n.record("dead.example.", "A "+dead.String())
	limiter := verify.NewLimiter(map[verify.LimitKind]verify.Pace{verify.LimitAddr: {Concurrent: 1}}, 200*time.Millisecond)
	l := n.live(func(c *verify.LiveConfig) { c.Limiter = limiter })
	done := make(chan struct{})
	go func() {
		defer close(done)
		x, err := l.Fetch(t.Context(), verify.Request{URL: "https://both.example/"})
		if err != nil || x.Failure != nil || x.Last().Addr.Addr() == dead {
			t.Errorf("Fetch = %+v, %v", x, err)
		}
	}()
	<-inside
	if x := n.fetch(l, verify.Request{URL: "https://dead.example/"}); failureOf(x.Failure) != verify.FetchRefused {
		t.Errorf("Fetch = %+v, want %s", x.Failure, verify.FetchRefused)
	}
	end()
	<-done
	if got := verify.Lanes(limiter); got != 0 {
		t.Errorf("%d peers are still held", got)
	}
}

// TestRetryAfter reads what a server asks for, in both forms.
func TestRetryAfter(t *testing.T) {
	n := newNet(t)
	at := func(d time.Duration) string { return n.now.Add(d).UTC().Format(http.TimeFormat) }
	for i, c := range []struct {
		value string
		want  time.Duration
	}{
		{"30", 30 * time.Second}, {"0", 0}, {"-5", 0}, {"1e3", 0}, {"soon", 0}, {"99999999", 24 * time.Hour}, {"99999999999999999999", 0},
		{at(time.Hour), time.Hour}, {at(-time.Hour), 0}, {at(1000 * time.Hour), 24 * time.Hour},
	} {
		host := fmt.Sprintf("r%d.example", i)
		n.listen(host, nil, status("503 Busy", "Retry-After: "+c.value+"\r\nContent-Length: 0\r\n", ""))
		limiter := verify.NewLimiter(verify.Paces(), 0)
		l := n.live(func(cfg *verify.LiveConfig) { cfg.Limiter = limiter })
		x := n.fetch(l, verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != verify.FetchServerError || x.Failure.Retry != c.want {
			t.Errorf("Retry-After: %s: %+v, want %s", c.value, x.Failure, c.want)
		}
		if c.want < time.Minute {
			continue
		}
		_, err := l.Fetch(t.Context(), verify.Request{URL: "https://" + host + "/"})
		if trouble := wantTrouble(t, err, verify.CodeBusy); trouble.Retry < c.want-time.Minute {
			t.Errorf("Retry-After: %s: come back in %s", c.value, trouble.Retry)
		}
	}
}

// TestRebindingHop resolves each hop anew: a name that led to a public address
// a moment ago does not get the next request to loopback.
func TestRebindingHop(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	s := n.listen("re.example", nil, redirect("https://re.example/again"))
	var asked atomic.Int64
	n.on("re.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			addr := "127.0.0.1"
			if asked.Add(1) == 1 {
				addr = s.addr.Addr().String()
			}
			rr, _ := dns.NewRR("re.example. 0 IN A " + addr)
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})
	n.ports[netip.MustParseAddr("127.0.0.1")] = port
	x := n.fetch(n.live(), verify.Request{URL: "https://re.example/"})
	if failureOf(x.Failure) != verify.FetchAddress || len(x.Hops) != 2 || x.Hops[0].Status != 302 || s.conns.Load() != 1 {
		t.Errorf("Fetch = %+v over %+v, %d connections to the first address", x.Failure, x.Hops, s.conns.Load())
	}
	if got := asked.Load(); got != 2 {
		t.Errorf("the name was looked up %d times for two hops", got)
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// TestSlowDNSIsNotOurs has name servers that use up all the time there is:
// trouble of the host, and not of this machine.
func TestSlowDNSIsNotOurs(t *testing.T) {
	n := newNet(t)
	n.on("mute.example.", func(dns.ResponseWriter, *dns.Msg) {})
	l := n.live(func(c *verify.LiveConfig) {
		c.UDP, c.TCP, c.Query, c.Total = 400*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond, 600*time.Millisecond
	})
	if x := n.fetch(l, verify.Request{URL: "https://mute.example/"}); failureOf(x.Failure) != verify.DNSTimeout || !x.Failure.Temporary {
		t.Errorf("Fetch = %+v, want %s", x.Failure, verify.DNSTimeout)
	}
}

// TestCancelledFetch ends in the middle of a body: trouble of our own.
func TestCancelledFetch(t *testing.T) {
	n := newNet(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	n.listen("a.example", nil, func(c net.Conn) {
		raw(head("Content-Length: 1000\r\n") + "begun")(c)
		cancel(stop)
		_, _ = c.Read(make([]byte, 1)) // until the other end hangs up
	})
	_, err := n.live().Fetch(ctx, verify.Request{URL: "https://a.example/"})
	wantTrouble(t, err, verify.CodeCancelled)
	if !errors.Is(err, stop) {
		t.Errorf("error %v does not name its cause", err)
	}
}

// TestCrossSite flags what leaves the registrable domain (by the Public Suffix
// List), and nothing else.
func TestCrossSite(t *testing.T) {
	n := newNet(t)
	for _, host := range []string{"www.team.example", "team.example", "team.other.example", "other.co.uk", "www.team.co.uk"} {
		n.listen(host, nil, raw(okText))
	}
	for i, c := range []struct {
		from, to string
		want     bool
	}{
		{"a.team.example", "team.example", false}, {"b.team.example", "www.team.example", false}, {"c.team.example", "team.other.example", true},
		{"team.co.uk", "www.team.co.uk", false}, {"d.team.co.uk", "other.co.uk", true},
	} {
		n.listen(c.from, nil, redirect("https://"+c.to+"/"))
		x := n.fetch(n.live(), verify.Request{URL: "https://" + c.from + "/"})
		if x.Failure != nil || len(x.Hops) != 2 || x.Hops[0].CrossSite || x.Hops[1].CrossSite != c.want {
			t.Errorf("%d: from %s to %s: %+v, %+v; want cross-site %v", i, c.from, c.to, x.Failure, x.Hops, c.want)
		}
	}
}

// TestTimeLimits holds each limit alone, with the others far away.
func TestTimeLimits(t *testing.T) {
	n := newNet(t)
	wait := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) } // until the other end hangs up
	n.listenRaw("shake.example", wait)
	n.listen("header.example", nil, wait)
	n.listen("body.example", nil, func(c net.Conn) { raw(head("Content-Length: 5\r\n"))(c); wait(c) })
	for host, set := range map[string]func(*verify.LiveConfig){
		"shake":  func(c *verify.LiveConfig) { c.Connect = 200 * time.Millisecond },
		"header": func(c *verify.LiveConfig) { c.Header = 200 * time.Millisecond },
		"body":   func(c *verify.LiveConfig) { c.Total = 400 * time.Millisecond },
	} {
		far := func(c *verify.LiveConfig) { c.Connect, c.Header, c.Total = time.Minute, time.Minute, time.Minute }
		begun := time.Now()
		x := n.fetch(n.live(far, set), verify.Request{URL: "https://" + host + ".example/"})
		if failureOf(x.Failure) != verify.FetchTimeout || !x.Failure.Temporary || time.Since(begun) > 10*time.Second {
			t.Errorf("%s: %+v after %s", host, x.Failure, time.Since(begun))
		}
	}
}

// TestOneAddressManyHosts holds the pace of an address that many hosts share.
func TestOneAddressManyHosts(t *testing.T) {
	n := newNet(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	begun, end := sync.OnceFunc(func() { close(inside) }), sync.OnceFunc(func() { close(leave) })
	defer end()
	s := n.listen("one.example", nil, func(c net.Conn) { begun(); <-leave; raw(okText)(c) })
	n.record("two.example.", "A "+s.addr.Addr().String())
	limiter := verify.NewLimiter(map[verify.LimitKind]verify.Pace{verify.LimitAddr: {Concurrent: 1}}, 100*time.Millisecond)
	l := n.live(func(c *verify.LiveConfig) { c.Limiter = limiter })
	done := make(chan struct{})
	go func() {
		defer close(done)
		if x, err := l.Fetch(t.Context(), verify.Request{URL: "https://one.example/"}); err != nil || x.Failure != nil {
			t.Errorf("Fetch = %+v, %v", x, err)
		}
	}()
	<-inside
	_, err := l.Fetch(t.Context(), verify.Request{URL: "https://two.example/"})
	wantTrouble(t, err, verify.CodeBusy)
	end()
	<-done
}

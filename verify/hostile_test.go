package verify_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// specials are addresses that are nobody's public site: each special-purpose
// range of IANA's registries, multicast, and forms that hide one in another.
var specials = []string{
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
	"192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.51.100.1",
	"203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
	"::", "::1", "::2", "::7f00:1", "::ffff:127.0.0.1", "::ffff:192.0.2.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1",
	"2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
}

// trap listens where nothing may ever connect.
func trap(t *testing.T) (port uint16, count *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	count = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return netip.MustParseAddrPort(l.Addr().String()).Port(), count
}

// TestSpecialAddresses leads the fetcher to every special range: by DNS, by a
// redirect, and by a literal. Every dial would end in the trap.
func TestSpecialAddresses(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	n.listen("door.example", nil, func(c net.Conn) { // says where to go in the path
		redirect("https://bait.example/")(c)
	})
	for i, addr := range specials {
		host := fmt.Sprintf("s%d.example", i)
		kind := "A "
		if strings.Contains(addr, ":") {
			kind = "AAAA "
		}
		n.record(host+".", kind+addr)
		n.listen("to"+host, nil, redirect("https://"+host+"/"))
		literal := addr
		if kind == "AAAA " {
			literal = "[" + addr + "]"
		}
		n.listen("lit"+host, nil, redirect("https://"+literal+"/"))
		l := n.live(func(c *verify.LiveConfig) {
			lab := c.Map
			c.Map = func(at netip.AddrPort) netip.AddrPort {
				if to := lab(at); to != at {
					return to
				}
				return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
			}
		})
		for _, url := range []string{"https://" + host + "/", "https://to" + host + "/", "https://lit" + host + "/", "https://" + literal + "/"} {
			x := n.fetch(l, verify.Request{URL: url})
			if failureOf(x.Failure) != verify.FetchAddress || x.Failure.Detail != "" || x.Failure.Temporary {
				t.Errorf("%s: Fetch(%s) = %+v, want %s without detail", addr, url, x.Failure, verify.FetchAddress)
			}
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// TestLiterals are the ways of writing 127.0.0.1 that some parser takes.
func TestLiterals(t *testing.T) {
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) { c.Allow = append(c.Allow, netip.MustParsePrefix("127.0.0.0/8")) })
	for _, host := range append(loopbackLiterals(), "0x", "１２７.０.０.１", "①②⑦.⓪.⓪.①") {
		x := n.fetch(l, verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != verify.FetchAddress {
			t.Errorf("Fetch(%s) = %+v, want %s", host, x.Failure, verify.FetchAddress)
		}
	}
	if n.queries.Load() != 0 {
		t.Errorf("%d questions were put to the DNS", n.queries.Load())
	}
}

func TestRefusedURLs(t *testing.T) {
	n := newNet(t)
	l := n.live()
	for _, url := range []string{
		"", "x", "/x", "//a.example/", "http://a.example/", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "javascript:alert(1)", "data:text/plain,x",
		"https://user@a.example/", "https://user:pw@a.example/", "https://a.example:8443/", "https://a.example:22/", "https://a.example:80/", "https:a.example", "https:///x",
		"https://localhost/", "https://a..example/", "https://a_b.example/", "https://-a.example/", "https://a.example\x00.test/", "https://a.exam\nple/", "https://xn--a.example/",
		"https://a.example/" + strings.Repeat("x", 2048), "https://" + strings.Repeat("a.", 130) + "example/", "https://%61.example/%zz",
	} {
		x := n.fetch(l, verify.Request{URL: url})
		if failureOf(x.Failure) != verify.FetchURL {
			t.Errorf("Fetch(%q) = %+v, want %s", url, x.Failure, verify.FetchURL)
		}
	}
	if n.queries.Load() != 0 {
		t.Errorf("%d questions were put to the DNS", n.queries.Load())
	}
}

// TestRedirects leads to what a redirect must not lead to.
func TestRedirects(t *testing.T) {
	n := newNet(t)
	n.listen("loop.example", nil, redirect("https://loop.example/"))
	n.listen("ping.example", nil, redirect("https://pong.example/"))
	n.listen("pong.example", nil, redirect("https://ping.example/"))
	for i := range 12 {
		n.listen(fmt.Sprintf("hop%d.example", i), nil, redirect(fmt.Sprintf("https://hop%d.example/", i+1)))
	}
	for host, c := range map[string]struct {
		to   string
		want verify.Code
	}{
		"http": {"http://a.example/", verify.FetchPlain}, "port": {"https://a.example:8443/", verify.FetchURL}, "file": {"file:///etc/passwd", verify.FetchURL},
		"gopher": {"gopher://a.example/", verify.FetchURL}, "user": {"https://u:p@a.example/", verify.FetchURL}, "long": {"/" + strings.Repeat("x", 3000), verify.FetchURL},
		"garbage": {"https://%zz/", verify.FetchURL}, "control": {"https://a\x7f.example/", verify.FetchProtocol}, "gone": {"https://gone.example/", verify.FetchNoHost},
	} {
		n.listen(host+".from.example", nil, redirect(c.to))
		x := n.fetch(n.live(), verify.Request{URL: "https://" + host + ".from.example/"})
		if failureOf(x.Failure) != c.want || len(x.Hops) == 0 {
			t.Errorf("redirect to %s: %+v after %d hops, want %s", c.to, x.Failure, len(x.Hops), c.want)
		}
	}
	for url, want := range map[string]verify.Code{"https://loop.example/": verify.FetchLoop, "https://ping.example/": verify.FetchLoop, "https://hop0.example/": verify.FetchRedirects, "https://hop7.example/": verify.FetchNoHost} {
		x := n.fetch(n.live(), verify.Request{URL: url})
		if failureOf(x.Failure) != want {
			t.Errorf("Fetch(%s) = %+v, want %s", url, x.Failure, want)
		}
		if len(x.Hops) > 6 {
			t.Errorf("Fetch(%s) took %d hops", url, len(x.Hops))
		}
	}
}

// TestRebinding answers with a public address first and with loopback after:
// what was checked is what is dialled, and the kernel's own address counts.
func TestRebinding(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	var asked atomic.Int64
	n.on("re.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			addr := "127.0.0.1"
			if asked.Add(1) == 1 {
				addr = "127.0.1.200" // allowed here
			}
			rr, _ := dns.NewRR("re.example. 0 IN A " + addr)
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	})
	l := n.live(func(c *verify.LiveConfig) {
		c.Map = func(at netip.AddrPort) netip.AddrPort { // as if a route led astray
			return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		}
	})
	for range 2 {
		if x := n.fetch(l, verify.Request{URL: "https://re.example/"}); failureOf(x.Failure) != verify.FetchAddress {
			t.Errorf("Fetch = %+v, want %s", x.Failure, verify.FetchAddress)
		}
	}
	n.record("two.example.", "A 127.0.1.201")
	n.record("two.example.", "A 10.0.0.1")
	if x := n.fetch(n.live(), verify.Request{URL: "https://two.example/"}); failureOf(x.Failure) != verify.FetchAddress {
		t.Errorf("a host with one special address: %+v, want %s", x.Failure, verify.FetchAddress)
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// TestDenyWins holds the order of the operator's lists: what is public and denied is told apart, as nobody's
// fault; a hole in what is allowed looks as every special address does.
func TestDenyWins(t *testing.T) {
	n := newNet(t)
	s := n.listen("hole.example", nil, raw(okText))
	l := n.live(func(c *verify.LiveConfig) {
		c.Deny = []netip.Prefix{netip.MustParsePrefix("9.9.9.0/24"), netip.PrefixFrom(s.addr.Addr(), 32)}
	})
	n.record("public.example.", "A 9.9.9.9")
	n.record("special.example.", "A 10.0.0.1")
	for host, want := range map[string]verify.Failure{"public": {Code: verify.FetchDenied, Detail: "public.example has an address in verify_deny", Temporary: true},
		"hole": {Code: verify.FetchAddress}, "special": {Code: verify.FetchAddress}} {
		n.listen("to"+host+".example", nil, redirect("https://"+host+".example/"))
		for _, from := range []string{"", "to"} {
			if x := n.fetch(l, verify.Request{URL: "https://" + from + host + ".example/"}); x.Failure == nil || *x.Failure != want {
				t.Errorf("Fetch(%s) = %+v, want %+v", from+host, x.Failure, want)
			}
		}
	}
	if s.conns.Load() != 0 {
		t.Errorf("%d connections to what is denied", s.conns.Load())
	}
	n.record("public.example.", "A 10.0.0.1")
	if x := n.fetch(l, verify.Request{URL: "https://public.example/"}); failureOf(x.Failure) != verify.FetchAddress {
		t.Errorf("Fetch of a host that has a private address as well = %+v, want %s", x.Failure, verify.FetchAddress)
	}
}

func TestCertificates(t *testing.T) {
	n := newNet(t)
	good := n.listen("good.example", nil, raw(okText))
	for _, c := range []struct {
		host, problem string
		change        func(*x509.Certificate)
		self          bool
	}{
		{"expired.example", "expired", func(c *x509.Certificate) { c.NotAfter = n.now.Add(-time.Hour) }, false},
		{"early.example", "not-yet-valid", func(c *x509.Certificate) { c.NotBefore = n.now.Add(time.Hour) }, false},
		{"wrong.example", "wrong-name", func(c *x509.Certificate) { c.DNSNames = []string{"other.example"} }, false},
		{"common.example", "wrong-name", func(c *x509.Certificate) { c.DNSNames = nil }, false}, // the common name never counts (RFC 9525 section 2)
		{"a.wild.example", "wrong-name", func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} }, false},
		{"self.example", "self-signed", nil, true},
	} {
		got := ""
		n.listen(c.host, &tls.Config{Certificates: []tls.Certificate{n.cert(c.host, c.change, c.self)}}, func(net.Conn) { got = "a request was sent" })
		n.listen("to."+c.host, nil, redirect("https://"+c.host+"/"))
		for hop, url := range []string{"https://" + c.host + "/", "https://to." + c.host + "/"} {
			x := n.fetch(n.live(), verify.Request{URL: url})
			if failureOf(x.Failure) != verify.FetchCertificate || x.Failure.Detail != c.problem || x.Failure.Temporary || len(x.Body) > 0 || got != "" {
				t.Errorf("Fetch(%s) = %+v %s, want %s %s", url, x.Failure, got, verify.FetchCertificate, c.problem)
			}
			if tl := x.Last().TLS; tl == nil || tl.Verified || tl.Problem != c.problem || len(tl.Chain) == 0 || len(x.Hops) != hop+1 {
				t.Errorf("Fetch(%s) describes %+v", url, tl)
			}
		}
	}
	stranger := newNet(t)
	x := n.fetch(n.live(func(c *verify.LiveConfig) { c.Roots = stranger.roots }), verify.Request{URL: "https://good.example/"})
	if failureOf(x.Failure) != verify.FetchCertificate || x.Failure.Detail != "unknown-authority" || good.conns.Load() != 2 {
		t.Errorf("an unknown authority: %+v, %d connections", x.Failure, good.conns.Load())
	}
	n.listen("old.example", &tls.Config{Certificates: []tls.Certificate{n.cert("old.example", nil, false)}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, raw(okText))
	if x := n.fetch(n.live(), verify.Request{URL: "https://old.example/"}); failureOf(x.Failure) != verify.FetchTLSVersion {
		t.Errorf("TLS 1.1: %+v, want %s", x.Failure, verify.FetchTLSVersion)
	}
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func head(fields string) string { return "HTTP/1.1 200 OK\r\n" + fields + "Connection: close\r\n\r\n" }

// TestHostileAnswers are answers that keep a reader busy, full or confused.
func TestHostileAnswers(t *testing.T) {
	n := newNet(t)
	quick := func(c *verify.LiveConfig) { c.Header, c.Total = 300*time.Millisecond, 600*time.Millisecond }
	bomb := gzipped(make([]byte, 8<<20))
	forever := func(chunk string, first string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := c.Write([]byte(first))
			for i := 0; err == nil && i < 1<<17; i++ {
				_, err = c.Write([]byte(chunk))
			}
		}
	}
	slow := func(first string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := c.Write([]byte(first))
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for i := 0; err == nil && i < 100; i++ {
				<-tick.C
				_, err = c.Write([]byte("x"))
			}
		}
	}
	for _, c := range []struct {
		name      string
		serve     func(net.Conn)
		want      verify.Code
		temporary bool
	}{
		{"endless chunks", forever("10000\r\n"+strings.Repeat("x", 0x10000)+"\r\n", head("Transfer-Encoding: chunked\r\n")), verify.FetchTooLarge, false},
		{"one octet too many", raw(head("Content-Length: 32769\r\n") + strings.Repeat("x", 32769)), verify.FetchTooLarge, false},
		{"just enough", raw(head("Content-Length: 32768\r\n") + strings.Repeat("x", 32768)), "", false},
		{"gzip bomb", raw(head("Content-Encoding: gzip\r\n") + string(bomb)), verify.FetchTooLarge, false},
		{"small gzip", raw(head("Content-Encoding: gzip\r\n") + string(gzipped([]byte("hello")))), "", false},
		{"broken gzip", raw(head("Content-Encoding: gzip\r\nContent-Length: 5\r\n") + "hello"), verify.FetchEncoding, false},
		{"another encoding", raw(head("Content-Encoding: br\r\nContent-Length: 5\r\n") + "hello"), verify.FetchEncoding, false},
		{"two encodings", raw(head("Content-Encoding: gzip, gzip\r\nContent-Length: 5\r\n") + "hello"), verify.FetchEncoding, false},
		{"a slow body", slow(head("Content-Length: 1000\r\n")), verify.FetchTimeout, true},
		{"a slow header", slow("HTTP/1.1 200 OK\r\nX-Slow: "), verify.FetchTimeout, true},
		{"headers without end", forever("X-More: "+strings.Repeat("y", 1000)+"\r\n", "HTTP/1.1 200 OK\r\n"), verify.FetchHeaderLarge, false},
		{"one huge header", raw("HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("y", 40<<10) + "\r\n\r\n"), verify.FetchHeaderLarge, false},
		{"a body that breaks off", raw(head("Content-Length: 1000\r\n") + "short"), verify.FetchTruncated, true},
		{"chunks that break off", raw(head("Transfer-Encoding: chunked\r\n") + "10\r\nshort"), verify.FetchTruncated, true},
		{"nothing", raw(""), verify.FetchTruncated, true},
		{"HTTP/0.9", raw("hello world\r\n"), verify.FetchProtocol, false},
		{"another protocol", raw("SSH-2.0-OpenSSH_9.2\r\n"), verify.FetchProtocol, false},
		{"a bad status", raw("HTTP/1.1 abc OK\r\n\r\n"), verify.FetchProtocol, false},
		{"NUL in a header", raw("HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n"), verify.FetchProtocol, false},
		{"a bad length", raw(head("Content-Length: -1\r\n")), verify.FetchProtocol, false},
		{"two lengths", raw(head("Content-Length: 1\r\nContent-Length: 2\r\n") + "xx"), verify.FetchProtocol, false},
		{"500", raw("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), verify.FetchServerError, true},
		{"429", raw("HTTP/1.1 429 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"), verify.FetchThrottled, true},
		{"NUL and verbs in the body", raw(head("Content-Length: 11\r\n") + "\x00%s%n%d\xff\xfe\r\n"), "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := hostOf(c.name)
			t.Parallel()
			n.listen(host, nil, c.serve)
			var change []func(*verify.LiveConfig)
			if c.want == verify.FetchTimeout {
				change = append(change, quick)
			}
			x := n.fetch(n.live(change...), verify.Request{URL: "https://" + host + "/"})
			if failureOf(x.Failure) != c.want || x.Failure != nil && x.Failure.Temporary != c.temporary {
				t.Errorf("Fetch = %+v, want %q, temporary %v", x.Failure, c.want, c.temporary)
			}
			if c.want == verify.FetchThrottled && x.Failure.Retry != 2*time.Minute {
				t.Errorf("Retry = %s, want what the server asks for", x.Failure.Retry)
			}
		})
	}
}

// TestErrorsOfTheNetwork: what a kernel says of a way to a host is no defect of
// the host's, and what it says of this machine is our own.
func TestErrorsOfTheNetwork(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("127.0.0.1:443"), netip.MustParseAddrPort("[::1]:443")
	for _, c := range []struct {
		at   netip.AddrPort
		err  syscall.Errno
		want verify.Code // "": trouble of our own
	}{
		{v4, syscall.ECONNREFUSED, verify.FetchRefused}, {v4, syscall.ETIMEDOUT, verify.FetchTimeout}, {v4, syscall.ECONNRESET, verify.FetchReset},
		{v4, syscall.ECONNABORTED, verify.FetchReset}, {v4, syscall.EHOSTUNREACH, verify.FetchUnreachable}, {v4, syscall.EHOSTDOWN, verify.FetchUnreachable},
		{v4, syscall.ENONET, verify.FetchUnreachable}, {v4, syscall.ENOPROTOOPT, verify.FetchUnreachable}, {v6, syscall.EPROTO, verify.FetchUnreachable},
		{v4, syscall.ENETDOWN, ""}, {v4, syscall.EACCES, ""}, {v4, syscall.EPERM, ""}, {v6, syscall.EPERM, ""}, {v4, syscall.EMFILE, ""},
	} {
		f, err := verify.FailureAt(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", c.err)}, c.at)
		if failureOf(f) != c.want || (err != nil) != (c.want == "") || f != nil && !f.Temporary {
			t.Errorf("%s at %s: %+v, %v, want %q, temporary", c.err, c.at, f, err, c.want)
		}
	}
	// ICMPv6 "administratively prohibited", on a machine with IPv6 and on one without.
	f, err := verify.FailureAt(os.NewSyscallError("connect", syscall.EACCES), v6)
	if code := failureOf(f); err != nil || code != verify.FetchUnreachable && code != verify.FetchNoRoute || !f.Temporary {
		t.Errorf("EACCES over IPv6: %+v, %v, want trouble that is not our own", f, err)
	}
}

// TestAlerts: an alert by which a server tells of an error of its own is no
// defect of what it publishes; the others are.
func TestAlerts(t *testing.T) {
	n := newNet(t)
	for alert, want := range map[byte]verify.Code{80: verify.FetchServerError, 40: verify.FetchTLS, 112: verify.FetchTLS} {
		host := fmt.Sprintf("alert%d.example", alert)
		n.listenRaw(host, func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, alert}) // RFC 8446 section 6: a fatal alert
		})
		x := n.fetch(n.live(), verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != want || x.Failure.Temporary != (want == verify.FetchServerError) {
			t.Errorf("alert %d: %+v, want %s", alert, x.Failure, want)
		}
	}
}

// TestUnreachable are hosts that can't be reached: never a defect.
func TestUnreachable(t *testing.T) {
	n := newNet(t)
	s := n.listen("closed.example", nil, raw(okText))
	n.mu.Lock()
	n.ports[s.addr.Addr()] = 1 // nobody listens there
	n.mu.Unlock()
	reply := func(rcode int) func(dns.ResponseWriter, *dns.Msg) {
		return func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Rcode = rcode
			_ = w.WriteMsg(m)
		}
	}
	n.on("fail.example.", reply(dns.RcodeServerFailure))
	n.on("no.example.", reply(dns.RcodeRefused))
	n.on("mute.example.", func(dns.ResponseWriter, *dns.Msg) {})
	n.record("empty.example.", "TXT x")
	quick := func(c *verify.LiveConfig) {
		c.UDP, c.TCP, c.Query = 300*time.Millisecond, 50*time.Millisecond, 400*time.Millisecond
	}
	for host, c := range map[string]struct {
		want      verify.Code
		temporary bool
	}{
		"closed.example": {verify.FetchRefused, true}, "fail.example": {verify.DNSServFail, true}, "no.example": {verify.DNSRefused, true}, "mute.example": {verify.DNSTimeout, true},
		"missing.example": {verify.FetchNoHost, false}, "empty.example": {verify.FetchNoAddress, false},
	} {
		var change []func(*verify.LiveConfig)
		if c.want == verify.DNSTimeout {
			change = append(change, quick)
		}
		x := n.fetch(n.live(change...), verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != c.want || x.Failure.Temporary != c.temporary {
			t.Errorf("Fetch(%s) = %+v, want %s, temporary %v", host, x.Failure, c.want, c.temporary)
		}
	}
}

// TestQueryHostile are answers that a forger or a broken server gives.
func TestQueryHostile(t *testing.T) {
	n := newNet(t)
	good := func(q *dns.Msg) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR(q.Question[0].Name + " 60 IN TXT good")
		m.Answer = append(m.Answer, rr)
		return m
	}
	one, _ := dns.NewRR("q.example. 60 IN A 192.0.2.1")
	many := slices.Repeat([]dns.RR{one}, 3000)
	udp := func(w dns.ResponseWriter) bool { _, ok := w.RemoteAddr().(*net.UDPAddr); return ok }
	for name, c := range map[string]struct {
		handle func(w dns.ResponseWriter, q *dns.Msg)
		want   verify.Code
	}{
		"a wrong id before the right one": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			m.Id++
			_ = w.WriteMsg(m)
			_ = w.WriteMsg(good(q))
		}, ""},
		"only a wrong id": {func(w dns.ResponseWriter, q *dns.Msg) { m := good(q); m.Id++; _ = w.WriteMsg(m) }, verify.DNSGarbled},
		"another question": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			m.Question[0].Name = "evil.example."
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"a question instead of an answer": {func(w dns.ResponseWriter, q *dns.Msg) { m := good(q); m.Response = false; _ = w.WriteMsg(m) }, verify.DNSGarbled},
		"cut over UDP, whole over TCP": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			if udp(w) {
				m.Truncated, m.Answer = true, nil
			}
			_ = w.WriteMsg(m)
		}, ""},
		"cut over both": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			m.Truncated, m.Answer = true, nil
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"a loop of compression": {func(w dns.ResponseWriter, q *dns.Msg) {
			wire, _ := good(q).Pack()
			i := len(wire) - 17
			wire[i], wire[i+1] = 0xc0, byte(i) // the owner points to itself
			_, _ = w.Write(wire)
		}, verify.DNSGarbled},
		"three thousand records": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			if udp(w) {
				m.Truncated = true
			} else {
				m.Compress = true
				m.Answer = many
			}
			_ = w.WriteMsg(m)
		}, verify.DNSTooLarge},
		"junk": {func(w dns.ResponseWriter, q *dns.Msg) {
			for range 10 {
				_, _ = w.Write([]byte("\x00\x01junk"))
			}
		}, verify.DNSGarbled},
		"silence": {func(dns.ResponseWriter, *dns.Msg) {}, verify.DNSTimeout},
		"FORMERR to EDNS": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			if q.IsEdns0() != nil {
				m.Rcode, m.Answer = dns.RcodeFormatError, nil
			}
			_ = w.WriteMsg(m)
		}, ""},
		"bogus": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := good(q)
			if !q.CheckingDisabled {
				m.Rcode, m.Answer = dns.RcodeServerFailure, nil
			}
			_ = w.WriteMsg(m)
		}, verify.DNSBogus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := hostOf(name)
			n.on(host+".", c.handle)
			a, err := n.live(quickDNS).Query(context.Background(), verify.Question{Name: host, Type: "TXT"})
			if err != nil || failureOf(a.Failure) != c.want || a.Failure != nil && !a.Failure.Temporary {
				t.Fatalf("Query = %+v %+v, %v; want %q", a, a.Failure, err, c.want)
			}
			if c.want == "" && !strings.Contains(string(a.Wire), "good") {
				t.Errorf("Query = %q", a.Wire)
			}
		})
	}
}

// TestQueryMoves holds the rule that another resolver is asked when one fails.
func TestQueryMoves(t *testing.T) {
	n := newNet(t)
	n.record("a.example.", "A 192.0.2.1")
	bad := n.serveDNS(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Rcode = dns.RcodeServerFailure
		_ = w.WriteMsg(m)
	})
	l := n.live(func(c *verify.LiveConfig) { c.Resolvers = []string{bad, n.dns} })
	for range 8 { // whichever comes first
		a, err := l.Query(context.Background(), verify.Question{Name: "a.example", Type: "A"})
		if err != nil || a.Failure != nil || a.Server != n.dns {
			t.Fatalf("Query = %+v %+v, %v", a, a.Failure, err)
		}
	}
}

// TestQueryDirect asks one server: with mixed letters, without recursion, and
// only where that is allowed.
func TestQueryDirect(t *testing.T) {
	n := newNet(t)
	var mixed, recursive atomic.Bool
	n.on("long-name-of-letters.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		mixed.Store(mixed.Load() || q.Question[0].Name != strings.ToLower(q.Question[0].Name))
		recursive.Store(recursive.Load() || q.RecursionDesired)
		m := new(dns.Msg).SetReply(q)
		m.Authoritative = true
		_ = w.WriteMsg(m)
	})
	at := netip.MustParseAddrPort(n.dns)
	server := netip.AddrPortFrom(netip.MustParseAddr("127.0.1.99"), 53)
	l := n.live(func(c *verify.LiveConfig) {
		c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Map = func(netip.AddrPort) netip.AddrPort { return at }
	})
	q := verify.Question{Name: "long-name-of-letters.example", Type: "SOA", Server: server}
	for range 4 {
		a, err := l.Query(context.Background(), q)
		if err != nil || a.Failure != nil || a.Secure {
			t.Fatalf("Query = %+v, %v", a, err)
		}
	}
	if !mixed.Load() || recursive.Load() {
		t.Errorf("mixed letters %v, recursion desired %v", mixed.Load(), recursive.Load())
	}
	q.Server = netip.MustParseAddrPort("127.0.0.1:53")
	if a, err := n.live().Query(context.Background(), q); err != nil || failureOf(a.Failure) != verify.DNSAddress {
		t.Errorf("Query of a special address = %+v, %v; want %s", a, err, verify.DNSAddress)
	}
	for _, bad := range []verify.Question{{Name: "a.example", Type: "NONSENSE"}, {Name: "a.example", Type: "AXFR"}, {Name: "a.example", Type: "ANY"}, {Name: strings.Repeat("a", 64) + ".example", Type: "A"}, {Name: "a..example", Type: "A"}} {
		if a, err := l.Query(context.Background(), bad); err != nil || failureOf(a.Failure) != verify.DNSQuestion {
			t.Errorf("Query(%+v) = %+v, %v; want %s", bad, a, err, verify.DNSQuestion)
		}
	}
}

// TestNewLive refuses what would make every peer look broken.
func TestNewLive(t *testing.T) {
	for _, bad := range []string{"resolver.example", "192.0.2.1:x", "300.0.0.1", ""} {
		if _, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{bad}}); err == nil {
			t.Errorf("NewLive with resolver %q: no error", bad)
		}
	}
	for _, bad := range []string{"socks5://127.0.0.1:1080", "http://", "http://127.0.0.1:3128/path", "http://127.0.0.1:3128?x", "//127.0.0.1"} {
		if _, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{"192.0.2.1"}, Proxy: mustURL(bad)}); err == nil {
			t.Errorf("NewLive with proxy %q: no error", bad)
		}
	}
	for _, bad := range []string{"x\r\nCookie: a", "x\x00"} {
		if _, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{"192.0.2.1"}, UserAgent: bad}); err == nil {
			t.Errorf("NewLive with user agent %q: no error", bad)
		}
	}
	for _, bad := range []string{"mx example", "mx.example\r\nMAIL FROM:<>", "mx\u00e9.example"} {
		if _, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{"192.0.2.1"}, Helo: bad}); err == nil {
			t.Errorf("NewLive takes the name %q", bad)
		}
	}
	if _, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{"192.0.2.1", "[2001:db8::53]:53", "2001:db8::53"}, Proxy: mustURL("https://u:p@proxy.example:3128/"), UserAgent: "Rollcall/1 (+https://rollcall.example.org)"}); err != nil {
		t.Errorf("NewLive = %v", err)
	}
}

// TestProxy goes through a proxy that is told an address and never a name.
func TestProxy(t *testing.T) {
	n := newNet(t)
	s := n.listen("a.example", nil, raw(okText))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test ends
	asked := make(chan string, 4)
	go proxy(l, s.addr, asked)
	live := n.live(func(c *verify.LiveConfig) { c.Proxy = mustURL("http://" + l.Addr().String()) })
	if x := n.fetch(live, verify.Request{URL: "https://a.example/"}); x.Failure != nil || string(x.Body) != "hello\n" {
		t.Fatalf("Fetch = %+v", x.Failure)
	}
	if got, want := <-asked, "CONNECT "+netip.AddrPortFrom(s.addr.Addr(), 443).String()+" HTTP/1.1"; got != want {
		t.Errorf("the proxy was asked %q, want %q", got, want)
	}
	_ = l.Close()
	_, err = live.Fetch(context.Background(), verify.Request{URL: "https://a.example/"})
	var trouble *verify.Trouble
	if !errors.As(err, &trouble) || !trouble.Ours {
		t.Errorf("without its proxy: %v, want trouble of our own", err)
	}
}

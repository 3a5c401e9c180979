package verify_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// loopbackLiterals are the ways of writing an address of this machine that some
// parser takes.
func loopbackLiterals() []string {
	return []string{
		"127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "[::1]", "[::ffff:127.0.0.1]",
		"[fe80::1%25lo]", "[::1%25lo]", "127.0.0.1.", "1.2.3.0x4", "0", "0.0.0.0", "127.0.0.0x1",
	}
}

// TestLiteralRedirects leads to each literal by a redirect, over https and http.
func TestLiteralRedirects(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	l := n.live(func(c *verify.LiveConfig) {
		lab := c.Map
		c.Map = func(at netip.AddrPort) netip.AddrPort {
			if to := lab(at); to != at {
				return to
			}
			return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		}
		c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("0.0.0.0/8")}
	})
	for i, host := range loopbackLiterals() {
		for _, scheme := range []string{"https", "http"} {
			from := fmt.Sprintf("%s%d.example", scheme, i)
			n.listen(from, nil, redirect(scheme+"://"+host+"/"))
			x := n.fetch(l, verify.Request{URL: "https://" + from + "/", Plain: true})
			if failureOf(x.Failure) != verify.FetchAddress || x.Failure.Detail != "" || len(x.Hops) != 1 {
				t.Errorf("redirect to %s://%s/ = %+v, want %s", scheme, host, x.Failure, verify.FetchAddress)
			}
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// TestResolvedAddresses proves the first of the two locks alone: every special
// address is refused when it is found, though the map would lead the dial to a
// place that is allowed and listens.
func TestResolvedAddresses(t *testing.T) {
	n := newNet(t)
	s := n.listen("open.example", nil, raw(okText))
	l := n.live(func(c *verify.LiveConfig) { c.Map = func(netip.AddrPort) netip.AddrPort { return s.addr } })
	if x := n.fetch(l, verify.Request{URL: "https://open.example/"}); x.Failure != nil || s.conns.Load() != 1 {
		t.Fatalf("the way is not open: %+v", x.Failure)
	}
	for i, addr := range specials {
		kind := "A "
		if strings.Contains(addr, ":") {
			kind = "AAAA "
		}
		host := fmt.Sprintf("s%d.example", i)
		n.record(host+".", kind+addr)
		alias := fmt.Sprintf("alias%d.example", i)
		n.on(alias+".", func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			for _, text := range []string{alias + ". 60 IN CNAME " + host + ".", host + ". 60 IN " + kind + addr} {
				rr, err := dns.NewRR(text)
				if err != nil {
					t.Error(err)
				}
				m.Answer = append(m.Answer, rr)
			}
			_ = w.WriteMsg(m)
		})
		for _, name := range []string{host, alias} {
			x := n.fetch(l, verify.Request{URL: "https://" + name + "/"})
			if failureOf(x.Failure) != verify.FetchAddress || x.Failure.Detail != "" || x.Last().Addr.IsValid() {
				t.Errorf("Fetch of a host at %s = %+v, %+v", addr, x.Failure, x.Hops)
			}
		}
	}
	at := netip.MustParseAddrPort(n.dns)
	l = n.live(func(c *verify.LiveConfig) {
		c.Map, c.Allow = func(netip.AddrPort) netip.AddrPort { return at }, []netip.Prefix{netip.PrefixFrom(at.Addr(), 32)}
	})
	asked := n.queries.Load()
	for _, addr := range specials {
		server := netip.AddrPortFrom(netip.MustParseAddr(addr), 53)
		if server.Addr() == at.Addr() {
			continue
		}
		a, err := l.Query(t.Context(), verify.Question{Name: "open.example", Type: "A", Server: server})
		if err != nil || failureOf(a.Failure) != verify.DNSAddress {
			t.Errorf("Query of a server at %s = %+v, %v; want %s", addr, a, err, verify.DNSAddress)
		}
	}
	if got := n.queries.Load() - asked; got != 0 {
		t.Errorf("%d questions were put", got)
	}
	if got := s.conns.Load(); got != 1 {
		t.Errorf("%d connections, want that of the beginning only", got)
	}
}

// TestDialledAddress proves the second lock alone: the address was allowed when
// it was found, and the one that is about to be dialled is not.
func TestDialledAddress(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	n.record("a.example.", "A 127.0.1.200")
	l := n.live(func(c *verify.LiveConfig) {
		c.Map = func(netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port) }
	})
	if x := n.fetch(l, verify.Request{URL: "https://a.example/"}); failureOf(x.Failure) != verify.FetchAddress || x.Failure.Detail != "" {
		t.Errorf("Fetch = %+v, want %s", x.Failure, verify.FetchAddress)
	}
	a, err := l.Query(t.Context(), verify.Question{Name: "a.example", Type: "A", Server: netip.MustParseAddrPort("127.0.1.200:53")})
	if err != nil || failureOf(a.Failure) != verify.DNSAddress {
		t.Errorf("Query = %+v, %v; want %s", a, err, verify.DNSAddress)
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
}

// TestCloudSecrets stay closed when the range around them is opened.
func TestCloudSecrets(t *testing.T) {
	n := newNet(t)
	s := n.listen("open.example", nil, raw(okText))
	l := n.live(func(c *verify.LiveConfig) {
		c.Map = func(netip.AddrPort) netip.AddrPort { return s.addr }
		c.Allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	})
	n.record("mapped.example.", "AAAA ::ffff:127.0.1.1") // an IPv4 address that hides its kind
	if x := n.fetch(l, verify.Request{URL: "https://mapped.example/"}); failureOf(x.Failure) != verify.FetchAddress {
		t.Errorf("Fetch of a host at an IPv4-mapped address = %+v, want %s", x.Failure, verify.FetchAddress)
	}
	for i, addr := range []string{"168.63.129.16", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"} {
		kind := map[bool]string{true: "AAAA ", false: "A "}[strings.Contains(addr, ":")]
		host, near := fmt.Sprintf("s%d.example", i), fmt.Sprintf("n%d.example", i)
		n.record(host+".", kind+addr)
		n.record(near+".", kind+netip.MustParseAddr(addr).Next().String())
		if x := n.fetch(l, verify.Request{URL: "https://" + host + "/"}); failureOf(x.Failure) != verify.FetchAddress {
			t.Errorf("Fetch of a host at %s = %+v, want %s", addr, x.Failure, verify.FetchAddress)
		}
		if x := n.fetch(l, verify.Request{URL: "https://" + near + "/"}); failureOf(x.Failure) != verify.FetchCertificate {
			t.Errorf("Fetch of a host beside %s = %+v, want what the open range has", addr, x.Failure)
		}
	}
}

// TestNAT64 looks at the address within the address (RFC 6052 section 2.1).
func TestNAT64(t *testing.T) {
	n := newNet(t)
	s := n.listen("open.example", nil, raw(okText))
	for host, addr := range map[string]string{"public": "64:ff9b::c633:6407", "inside": "64:ff9b::a00:1", "loop": "64:ff9b::7f00:1", "denied": "64:ff9b::909:909", "cloud": "64:ff9b::a83f:8110", "local": "64:ff9b:1::c633:6407"} {
		n.record(host+".example.", "AAAA "+addr)
	}
	for _, on := range []bool{false, true} {
		l := n.live(func(c *verify.LiveConfig) {
			c.NAT64 = on
			c.Map = func(netip.AddrPort) netip.AddrPort { return s.addr }
			c.Allow = append(c.Allow, netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"))
			c.Deny = []netip.Prefix{netip.MustParsePrefix("9.9.9.9/32")}
		})
		for _, host := range []string{"public", "inside", "loop", "denied", "cloud", "local"} {
			want := verify.FetchAddress
			switch {
			case on && host == "public":
				want = verify.FetchCertificate // it was reached, and has the certificate of another
			case on && host == "denied":
				want = verify.FetchDenied
			}
			if x := n.fetch(l, verify.Request{URL: "https://" + host + ".example/"}); failureOf(x.Failure) != want {
				t.Errorf("NAT64 %v: Fetch(%s) = %+v, want %s", on, host, x.Failure, want)
			}
		}
	}
}

// TestOldTLS are servers of TLS versions that are over (RFC 8996), on either hop.
func TestOldTLS(t *testing.T) {
	n := newNet(t)
	for name, version := range map[string]uint16{"tls10": tls.VersionTLS10, "tls11": tls.VersionTLS11} {
		host := name + ".example"
		asked := false
		n.listen(host, &tls.Config{Certificates: []tls.Certificate{n.cert(host, nil, false)}, MinVersion: version, MaxVersion: version}, func(net.Conn) { asked = true })
		n.listen("to"+host, nil, redirect("https://"+host+"/"))
		for _, url := range []string{"https://" + host + "/", "https://to" + host + "/"} {
			if x := n.fetch(n.live(), verify.Request{URL: url}); failureOf(x.Failure) != verify.FetchTLSVersion || asked {
				t.Errorf("Fetch(%s) = %+v, want %s", url, x.Failure, verify.FetchTLSVersion)
			}
		}
	}
}

// TestRefusedOnce proves that a host with a bad certificate is connected to
// twice, to refuse it and to describe it, and that no request goes there.
func TestRefusedOnce(t *testing.T) {
	n := newNet(t)
	asked := false
	s := n.listen("old.example", &tls.Config{Certificates: []tls.Certificate{n.cert("old.example", func(c *x509.Certificate) { c.NotAfter = n.now.AddDate(0, 0, -1) }, false)}},
		func(net.Conn) { asked = true })
	x := n.fetch(n.live(), verify.Request{URL: "https://old.example/"})
	if tl := x.Last().TLS; failureOf(x.Failure) != verify.FetchCertificate || tl == nil || tl.Version != "TLS 1.3" || !tl.Chain[0].NotAfter.Equal(n.now.AddDate(0, 0, -1)) {
		t.Errorf("Fetch = %+v, %+v", x.Failure, tl)
	}
	if s.conns.Load() != 2 || asked {
		t.Errorf("%d connections, a request: %v; want 2 and none", s.conns.Load(), asked)
	}
}

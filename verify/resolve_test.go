package verify_test

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

func quickDNS(c *verify.LiveConfig) {
	c.UDP, c.TCP, c.Query = 500*time.Millisecond, time.Second, 3*time.Second
}

// hostOf makes a host's name of that of a test.
func hostOf(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ' || r == '/':
			return '-'
		}
		return -1
	}, strings.ToLower(name)) + ".example"
}

// txt answers with one TXT record.
func txt(q *dns.Msg, value string) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{value}}}
	return m
}

func overUDP(w dns.ResponseWriter) bool { _, ok := w.RemoteAddr().(*net.UDPAddr); return ok }

// TestQueryTransports are answers that come another way than they should.
func TestQueryTransports(t *testing.T) {
	n := newNet(t)
	late := make(chan func(), 1)
	for name, c := range map[string]struct {
		handle func(w dns.ResponseWriter, q *dns.Msg)
		want   verify.Code
	}{
		"cut by a server from before EDNS": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "good")
			switch {
			case q.IsEdns0() != nil:
				m.Rcode, m.Answer = dns.RcodeFormatError, nil
			case overUDP(w):
				m.Truncated, m.Answer = true, nil
			}
			_ = w.WriteMsg(m)
		}, ""},
		"FORMERR to everything": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "")
			m.Rcode, m.Answer, m.Question = dns.RcodeFormatError, nil, nil
			_ = w.WriteMsg(m)
		}, verify.DNSRcode},
		"larger than a datagram may be": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "good")
			for range 20 {
				m.Answer = append(m.Answer, txt(q, strings.Repeat("x", 200)).Answer...)
			}
			_ = w.WriteMsg(m)
		}, ""},
		"short datagrams before the answer": {func(w dns.ResponseWriter, q *dns.Msg) {
			if overUDP(w) {
				for _, junk := range []string{"", "x", "\x00\x01junk", strings.Repeat("z", 11)} {
					_, _ = w.Write([]byte(junk))
				}
				_ = w.WriteMsg(txt(q, "good"))
			}
		}, ""},
		"an answer that comes too late": {func(w dns.ResponseWriter, q *dns.Msg) {
			if overUDP(w) {
				late <- func() { _ = w.WriteMsg(txt(q, "late")) }
				return
			}
			(<-late)()
			_ = w.WriteMsg(txt(q, "good"))
		}, ""},
		"another type": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "bad")
			m.Question[0].Qtype = dns.TypeA
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"another class": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "bad")
			m.Question[0].Qclass = dns.ClassCHAOS
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"no question": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "bad")
			m.Question = nil
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"two questions": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "bad")
			m.Question = append(m.Question, m.Question[0])
			_ = w.WriteMsg(m)
		}, verify.DNSGarbled},
		"ten thousand records, it says": {func(w dns.ResponseWriter, q *dns.Msg) {
			wire, _ := txt(q, "bad").Pack()
			wire[6], wire[7] = 10_000>>8, 10_000&0xff
			_, _ = w.Write(wire)
		}, verify.DNSTooLarge},
		"ten thousand additional records, it says": {func(w dns.ResponseWriter, q *dns.Msg) {
			wire, _ := txt(q, "bad").Pack()
			wire[10], wire[11] = 10_000>>8, 10_000&0xff
			_, _ = w.Write(wire)
		}, verify.DNSTooLarge},
		"fewer records than it says": {func(w dns.ResponseWriter, q *dns.Msg) {
			wire, _ := txt(q, "bad").Pack()
			wire[7] = 3
			_, _ = w.Write(wire)
		}, verify.DNSGarbled},
		"a hang-up over TCP": {func(w dns.ResponseWriter, q *dns.Msg) {
			if overUDP(w) {
				m := txt(q, "")
				m.Truncated, m.Answer = true, nil
				_ = w.WriteMsg(m)
				return
			}
			_ = w.Close()
		}, verify.DNSGarbled},
		"REFUSED": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "")
			m.Rcode, m.Answer = dns.RcodeRefused, nil
			_ = w.WriteMsg(m)
		}, verify.DNSRefused},
		"NOTIMP": {func(w dns.ResponseWriter, q *dns.Msg) {
			m := txt(q, "")
			m.Rcode, m.Answer = dns.RcodeNotImplemented, nil
			_ = w.WriteMsg(m)
		}, verify.DNSRcode},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := hostOf(name)
			n.on(host+".", c.handle)
			a, err := n.live(quickDNS).Query(t.Context(), verify.Question{Name: host, Type: "TXT"})
			if err != nil || failureOf(a.Failure) != c.want || a.Failure != nil && !a.Failure.Temporary {
				t.Fatalf("Query = %+v %+v, %v; want %q", a, a.Failure, err, c.want)
			}
			if c.want == "" && !strings.Contains(string(a.Wire), "good") {
				t.Errorf("Query = %q", a.Wire)
			}
		})
	}
}

// TestQueryReason hands on why a resolver has no answer (RFC 8914).
func TestQueryReason(t *testing.T) {
	n := newNet(t)
	n.on("q.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNoReachableAuthority, ExtraText: "all\x1b[2J silent"}}
		_ = w.WriteMsg(m)
	})
	a, err := n.live(quickDNS).Query(t.Context(), verify.Question{Name: "q.example", Type: "TXT"})
	if err != nil || failureOf(a.Failure) != verify.DNSServFail || a.Failure.Detail != `SERVFAIL No Reachable Authority all\u001b[2J silent` {
		t.Errorf("Query = %+v, %v", a.Failure, err)
	}
}

// TestQueryBound holds how many messages one question can cost, whatever the
// servers do: at most thirty.
func TestQueryBound(t *testing.T) {
	n := newNet(t)
	var asked atomic.Int64
	behave := map[string]func(w dns.ResponseWriter, q *dns.Msg){
		"SERVFAIL": func(w dns.ResponseWriter, q *dns.Msg) {
			_ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeServerFailure))
		},
		"FORMERR": func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeFormatError)) },
		"cut": func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			m.Truncated = true
			if q.IsEdns0() != nil {
				m.Rcode = dns.RcodeFormatError
			}
			_ = w.WriteMsg(m)
		},
		"junk":    func(w dns.ResponseWriter, _ *dns.Msg) { _, _ = w.Write(make([]byte, 20)) },
		"silence": func(dns.ResponseWriter, *dns.Msg) {},
	}
	var resolvers []string
	for range 5 {
		resolvers = append(resolvers, n.serveDNS(func(w dns.ResponseWriter, q *dns.Msg) {
			if q.Question[0].Name == "." { // whether the resolver lives
				_ = w.WriteMsg(new(dns.Msg).SetReply(q))
				return
			}
			asked.Add(1)
			behave[strings.Split(q.Question[0].Name, ".")[0]](w, q)
		}))
	}
	l := n.live(quickDNS, func(c *verify.LiveConfig) { c.Resolvers = resolvers })
	for name := range behave {
		asked.Store(0)
		a, err := l.Query(t.Context(), verify.Question{Name: name + ".example", Type: "TXT"})
		if err != nil || a.Failure == nil {
			t.Errorf("%s: %+v, %v; want a failure", name, a, err)
		}
		if got := asked.Load(); got == 0 || got > 30 {
			t.Errorf("%s: one question cost %d messages, want at most 30", name, got)
		}
	}
}

// TestMaze has name servers that refer to further ones for ever, and aliases
// that lead on for ever: neither is followed.
func TestMaze(t *testing.T) {
	n := newNet(t)
	var asked atomic.Int64
	maze := n.serveDNS(func(w dns.ResponseWriter, q *dns.Msg) {
		i := asked.Add(1)
		m := new(dns.Msg).SetReply(q)
		next := fmt.Sprintf("ns%d.maze.example.", i)
		ns, _ := dns.NewRR(q.Question[0].Name + " 60 IN NS " + next)
		glue, _ := dns.NewRR(next + " 60 IN A 127.0.1.250")
		cname, _ := dns.NewRR(q.Question[0].Name + " 60 IN CNAME " + next)
		m.Ns, m.Extra = []dns.RR{ns}, []dns.RR{glue}
		if q.RecursionDesired {
			m.Answer = []dns.RR{cname}
		}
		_ = w.WriteMsg(m)
	})
	l := n.live(quickDNS, func(c *verify.LiveConfig) {
		c.Resolvers = []string{maze}
		c.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Map = func(netip.AddrPort) netip.AddrPort { return netip.MustParseAddrPort(maze) }
	})
	a, err := l.Query(t.Context(), verify.Question{Name: "x.maze.example", Type: "A", Server: netip.MustParseAddrPort("127.0.1.250:53")})
	if err != nil || a.Failure != nil {
		t.Fatalf("Query = %+v, %v", a, err)
	}
	if x := n.fetch(l, verify.Request{URL: "https://x.maze.example/"}); failureOf(x.Failure) != verify.FetchNoAddress {
		t.Errorf("Fetch = %+v, want %s", x.Failure, verify.FetchNoAddress)
	}
	if got := asked.Load(); got > 30 {
		t.Errorf("the maze was asked %d times", got)
	}
}

// TestAliases follows sixteen of them, in the answer that has them, and none in
// a circle.
func TestAliases(t *testing.T) {
	n := newNet(t)
	s := n.listen("open.example", nil, raw(okText))
	chain := func(aliases int, end string) func(dns.ResponseWriter, *dns.Msg) {
		return func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetReply(q)
			owner := q.Question[0].Name
			for i := range aliases {
				next := fmt.Sprintf("c%d.example.", i)
				if end == "" && i == aliases-1 {
					next = q.Question[0].Name
				}
				rr, _ := dns.NewRR(owner + " 60 IN CNAME " + next)
				m.Answer = append([]dns.RR{rr}, m.Answer...) // in any order
				owner = next
			}
			if end != "" && q.Question[0].Qtype == dns.TypeA {
				rr, _ := dns.NewRR(owner + " 60 IN A " + end)
				m.Answer = append(m.Answer, rr)
			}
			_ = w.WriteMsg(m)
		}
	}
	here := s.addr.Addr().String()
	n.on("one.example.", chain(1, here))
	n.on("sixteen.example.", chain(16, here))
	n.on("seventeen.example.", chain(17, here))
	n.on("loop.example.", chain(3, ""))
	n.on("self.example.", chain(1, ""))
	n.on("stray.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		rr, _ := dns.NewRR("other.example. 60 IN A " + here)
		m.Answer = []dns.RR{rr}
		_ = w.WriteMsg(m)
	})
	for host, want := range map[string]verify.Code{
		"one": verify.FetchCertificate, "sixteen": verify.FetchCertificate, // reached: the certificate is that of open.example
		"seventeen": verify.FetchNoAddress, "loop": verify.FetchNoAddress, "self": verify.FetchNoAddress, "stray": verify.FetchNoAddress,
	} {
		if x := n.fetch(n.live(), verify.Request{URL: "https://" + host + ".example/"}); failureOf(x.Failure) != want {
			t.Errorf("Fetch(%s) = %+v, want %s", host, x.Failure, want)
		}
	}
}

// TestOwnResolvers holds the rule that a resolver of ours which is down says
// nothing of anybody's name.
func TestOwnResolvers(t *testing.T) {
	n := newNet(t)
	n.record("a.example.", "A 127.0.1.200")
	brief := func(c *verify.LiveConfig) { c.UDP, c.TCP = 40*time.Millisecond, 40*time.Millisecond }
	mute := n.serveDNS(func(dns.ResponseWriter, *dns.Msg) {})
	pc, l := onePort(t)
	closed := l.Addr().String()
	_, _ = pc.Close(), l.Close()
	for name, resolvers := range map[string][]string{"closed": {closed}, "mute": {mute}, "both": {mute, closed}} {
		live := n.live(brief, func(c *verify.LiveConfig) { c.Resolvers = resolvers })
		_, err := live.Query(t.Context(), verify.Question{Name: "a.example", Type: "A"})
		wantTrouble(t, err, verify.CodeInternal)
		_, err = live.Fetch(t.Context(), verify.Request{URL: "https://a.example/"})
		if trouble := wantTrouble(t, err, verify.CodeInternal); trouble.Detail == "" {
			t.Errorf("%s: %+v says nothing", name, trouble)
		}
	}
	live := n.live(quickDNS, func(c *verify.LiveConfig) { c.Resolvers = []string{closed, mute, n.dns} })
	for range 3 { // whichever comes first
		if a, err := live.Query(t.Context(), verify.Question{Name: "a.example", Type: "A"}); err != nil || a.Failure != nil || a.Server != n.dns {
			t.Errorf("Query = %+v, %v", a, err)
		}
	}
}

// TestTrusted holds when AD counts: over loopback, from a resolver that was
// asked to validate.
func TestTrusted(t *testing.T) {
	loopback, elsewhere := netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddrPort("192.0.2.53:53")
	ad := &dns.Msg{MsgHdr: dns.MsgHdr{AuthenticatedData: true}}
	for _, c := range []struct {
		name  string
		reply *dns.Msg
		q     verify.Question
		from  netip.AddrPort
		want  bool
	}{
		{"a resolver on this machine", ad, verify.Question{}, loopback, true},
		{"the same over IPv6", ad, verify.Question{}, netip.MustParseAddrPort("[::1]:53"), true},
		{"without AD", new(dns.Msg), verify.Question{}, loopback, false},
		{"over a network, where anybody may set it", ad, verify.Question{}, elsewhere, false},
		{"asked not to validate", ad, verify.Question{NoCheck: true}, loopback, false},
		{"a server of the zone, which does not validate", ad, verify.Question{Server: loopback}, loopback, false},
	} {
		if got := verify.Trusted(c.reply, c.q, c.from); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	n := newNet(t)
	var asks atomic.Bool
	n.on("q.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		o := q.IsEdns0()
		asks.Store(q.AuthenticatedData && q.RecursionDesired && !q.CheckingDisabled && o != nil && o.Do() && o.UDPSize() == 1232)
		m := txt(q, "good")
		m.AuthenticatedData = true
		_ = w.WriteMsg(m)
	})
	a, err := n.live().Query(t.Context(), verify.Question{Name: "q.example", Type: "TXT"})
	if err != nil || !a.Secure || !asks.Load() {
		t.Errorf("Query = %+v, %v; the question had AD, RD, DO and 1232: %v", a, err, asks.Load())
	}
}

package verify_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// TestBrokenWay: what breaks or bars the way to a host is temporary, each with
// its code.
func TestBrokenWay(t *testing.T) {
	n := newNet(t)
	n.listen("reset.example", nil, func(c net.Conn) {
		if x, ok := c.(*tls.Conn).NetConn().(*net.TCPConn); ok {
			_ = x.SetLinger(0)
			_ = x.Close()
		}
	})
	// No TCP connection is ever made to a multicast group: the kernel says at
	// once that no way leads there, and nothing leaves the machine.
	group := netip.MustParseAddr("224.0.0.1")
	n.record("group.example.", "A "+group.String())
	n.on("odd.example.", func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Rcode = dns.RcodeNotImplemented
		_ = w.WriteMsg(m)
	})
	open := func(c *verify.LiveConfig) { c.Allow = append(c.Allow, netip.PrefixFrom(group, 32)) }
	for host, want := range map[string]verify.Code{"reset.example": verify.FetchReset, "group.example": verify.FetchUnreachable, "odd.example": verify.DNSRcode} {
		x := n.fetch(n.live(open), verify.Request{URL: "https://" + host + "/"})
		if failureOf(x.Failure) != want || !x.Failure.Temporary {
			t.Errorf("Fetch(%s) = %+v, want %s, temporary", host, x.Failure, want)
		}
	}
}

// TestNoResolver: a resolver that is not there is no answer about a name.
func TestNoResolver(t *testing.T) {
	n := newNet(t)
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := gone.LocalAddr().String()
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	l := n.live(func(c *verify.LiveConfig) { c.Resolvers = []string{at} })
	a, err := l.Query(t.Context(), verify.Question{Name: "www.example.", Type: "A"})
	if err != nil {
		t.Fatal(err)
	}
	if failureOf(a.Failure) != verify.DNSUnreachable || !a.Failure.Temporary {
		t.Errorf("Query of a resolver that is gone = %+v, want %s, temporary", a.Failure, verify.DNSUnreachable)
	}
}

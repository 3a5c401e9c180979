package verify_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// secureDNS starts a resolver over TLS and returns its address.
func (n *net_) secureDNS(cert tls.Certificate, h dns.HandlerFunc) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		n.t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{Listener: l, Handler: h, NotifyStartedFunc: func() { close(started) }}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	n.t.Cleanup(func() { _ = s.Shutdown() })
	return l.Addr().String()
}

// TestOverTLS asks a resolver over TLS (RFC 7858), which has to prove its name.
func TestOverTLS(t *testing.T) {
	n := newNet(t)
	var asked atomic.Int64
	answer := func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		m := txt(q, "good")
		m.AuthenticatedData = true
		_ = w.WriteMsg(m)
	}
	named := n.secureDNS(n.cert("dns.example", nil, false), answer)
	numbered := n.secureDNS(n.cert("dns.example", func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{{127, 0, 0, 1}} }, false), answer)
	own := n.secureDNS(n.cert("dns.example", nil, true), answer)
	old := n.secureDNS(n.cert("dns.example", func(c *x509.Certificate) { c.NotAfter = n.now.AddDate(0, 0, -1) }, false), answer)
	for resolver, good := range map[string]bool{
		"tls://" + named + "#dns.example":   true,
		"tls://" + numbered:                 true,
		"tls://" + named + "#other.example": false,
		"tls://" + named:                    false,
		"tls://" + own + "#dns.example":     false,
		"tls://" + old + "#dns.example":     false,
		"tls://" + n.dns + "#dns.example":   false, // speaks no TLS
	} {
		asked.Store(0)
		l := n.live(quickDNS, func(c *verify.LiveConfig) { c.Resolvers = []string{resolver} })
		a, err := l.Query(t.Context(), verify.Question{Name: "q.example", Type: "TXT"})
		if !good {
			wantTrouble(t, err, verify.CodeInternal)
			if asked.Load() != 0 {
				t.Errorf("%s: it was asked all the same", resolver)
			}
			continue
		}
		if err != nil || a.Failure != nil || !a.Secure || !strings.HasPrefix(a.Server, "tls://127.0.0.1:") {
			t.Errorf("%s: %+v, %v; want a secure answer", resolver, a, err)
		}
	}
}

func TestParseResolver(t *testing.T) {
	for _, good := range []string{"192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:53", "tls://192.0.2.53", "tls://192.0.2.53:8853",
		"tls://2001:db8::53", "tls://[2001:db8::53]:853#dns.example.org", "tls://192.0.2.53#dns.example.org"} {
		if err := verify.ParseResolver(good); err != nil {
			t.Errorf("ParseResolver(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "dns.example.org", "192.0.2.53:x", "tls://", "tls://dns.example.org", "tls://192.0.2.53#", "192.0.2.53#dns.example.org", "https://192.0.2.53/dns-query", "tls:192.0.2.53"} {
		if err := verify.ParseResolver(bad); err == nil {
			t.Errorf("ParseResolver(%q) = nil, want an error", bad)
		}
	}
}

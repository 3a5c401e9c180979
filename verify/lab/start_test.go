package lab_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// TestTwoLabs runs two labs beside each other, as tests of two packages do.
func TestTwoLabs(t *testing.T) {
	one, two := start(t, lab.Config{}), start(t, lab.Config{})
	if one.Resolver() == two.Resolver() || one.Addr("anchor.example") != two.Addr("anchor.example") {
		t.Errorf("resolvers %s and %s, addresses %s and %s", one.Resolver(), two.Resolver(), one.Addr("anchor.example"), two.Addr("anchor.example"))
	}
	for _, l := range []*lab.Lab{one, two} {
		if _, _, err := get(t, l, dns.TypeA, "https://anchor.example/"); err != nil {
			t.Error(err)
		}
	}
	if one.TrustAnchor() == two.TrustAnchor() {
		t.Error("both have the same keys")
	}
}

// TestPorts asks for ports, and for ports that are taken.
func TestPorts(t *testing.T) {
	free := lab.Config{Bare: true, HTTPSPort: freePort(t), DNSPort: freePort(t), HTTPPort: freePort(t),
		Sites: []lab.Site{{Host: "www.mine.test", Plain: map[string]lab.Page{"/": {Body: "plain\n"}}}}}
	l := start(t, free)
	if l.ResolverAddr().Port() != free.DNSPort || l.Socket("www.mine.test").Port() != free.HTTPSPort {
		t.Errorf("resolver %s, site %s, want ports %d and %d", l.Resolver(), l.Socket("www.mine.test"), free.DNSPort, free.HTTPSPort)
	}
	if _, body, err := get(t, l, dns.TypeA, "http://www.mine.test/"); err != nil || body != "plain\n" {
		t.Errorf("over http: %q, %v", body, err)
	}
	if second, err := lab.Start(free); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second lab on the same ports: %v, %v", second, err)
	}
}

// TestCloseEndsFaults closes a lab while a client waits for an answer that
// never comes. Close waits for whatever it started.
func TestCloseEndsFaults(t *testing.T) {
	l, err := lab.Start(lab.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	site := l.DialMap(netip.AddrPortFrom(l.Addr("silent.hostile.example"), 443))
	c, err := d.DialContext(ctx, "tcp", site.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	closed := make(chan error, 1)
	go func() { closed <- l.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-ctx.Done():
		t.Fatal("the lab does not close")
	}
	if _, err := dns.Exchange(new(dns.Msg).SetQuestion("anchor.example.", dns.TypeA), l.Resolver()); err == nil {
		t.Error("the resolver answers after the end")
	}
}

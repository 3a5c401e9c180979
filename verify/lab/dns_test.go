package lab_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// TestResolver asks the resolver about the state of each kind of name.
func TestResolver(t *testing.T) {
	l := start(t, lab.Config{})
	tests := []struct {
		name    string
		qtype   uint16
		rcode   int
		answers int
	}{
		{"anchor.example", dns.TypeA, dns.RcodeSuccess, 1},
		{"anchor.example", dns.TypeAAAA, dns.RcodeSuccess, 1},
		{"anchor.example", dns.TypeNS, dns.RcodeSuccess, 2},
		{"anchor.example", dns.TypeHINFO, dns.RcodeSuccess, 0},
		{"ns1.hoster.example", dns.TypeA, dns.RcodeSuccess, 1},
		{"no-such-name.example", dns.TypeA, dns.RcodeNameError, 0},
		{"example.org", dns.TypeA, dns.RcodeNameError, 0},
		{"localhost", dns.TypeA, dns.RcodeNameError, 0},
		{"a.b.wildcard.example", dns.TypeTXT, dns.RcodeSuccess, 1},
		{"across-a.hostile.example", dns.TypeTXT, dns.RcodeSuccess, 2},
		{"nowhere.hostile.example", dns.TypeA, dns.RcodeNameError, 1},
		{"alias30.hostile.example", dns.TypeA, dns.RcodeSuccess, 11},
		{"alias0.hostile.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"loop-a.hostile.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"self-alias.hostile.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"tramway.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"lame.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"half-lame.example", dns.TypeA, dns.RcodeSuccess, 1},
		{"humble.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"quiet.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"deaf.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"half-deaf.example", dns.TypeA, dns.RcodeSuccess, 1},
		{"mismatch.example", dns.TypeNS, dns.RcodeSuccess, 2},
		{"x.maze0.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"fail.odd.example", dns.TypeA, dns.RcodeServerFailure, 0},
		{"refused.odd.example", dns.TypeA, dns.RcodeRefused, 0},
	}
	for _, tt := range tests {
		m, _ := lookup(t, l, tt.name, tt.qtype)
		if m.Rcode != tt.rcode || len(m.Answer) != tt.answers || !m.RecursionAvailable {
			t.Errorf("%s %s: %s\nwant %s and %d answers", tt.name, dns.TypeToString[tt.qtype], m, dns.RcodeToString[tt.rcode], tt.answers)
		}
	}
}

// TestDelegation goes down from the root over the network, as a resolver of
// somebody else's does.
func TestDelegation(t *testing.T) {
	l := start(t, lab.Config{})
	at := netip.MustParseAddr("127.80.0.1")
	for hops := 0; ; hops++ {
		q := new(dns.Msg).SetQuestion("anchor.example.", dns.TypeA)
		q.RecursionDesired = false
		m, err := dns.Exchange(q, l.DialMap(netip.AddrPortFrom(at, 53)).String())
		if err != nil {
			t.Fatal(err)
		}
		if m.Authoritative {
			if len(m.Answer) != 1 || hops != 2 {
				t.Errorf("after %d referrals: %s", hops, m)
			}
			return
		}
		glue, ok := m.Extra[0].(*dns.A)
		if !ok || hops > 5 {
			t.Fatalf("no way down: %s", m)
		}
		at, _ = netip.AddrFromSlice(glue.A.To4())
	}
}

// TestOddNames proves what each broken name does, by how a plain client
// takes it. With a resolver and with a server of the zone it is the same.
func TestOddNames(t *testing.T) {
	l := start(t, lab.Config{})
	server := l.DialMap(netip.MustParseAddrPort("127.80.0.5:53")).String()
	for name, does := range lab.OddNames() {
		if name == lab.Rebind {
			continue
		}
		for _, at := range []string{l.Resolver(), server} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testOddName(t, strings.TrimSuffix(name, ".odd.example"), at, does)
			})
		}
	}
}

func testOddName(t *testing.T, label, at, does string) {
	c := &dns.Client{Timeout: 10 * time.Second}
	if label == "timeout" || label == "late" || label == "wrong-id" {
		c.Timeout = 300 * time.Millisecond
	}
	q := new(dns.Msg).SetQuestion(label+".odd.example.", dns.TypeA)
	q.SetEdns0(1232, false)
	m, _, err := c.Exchange(q, at)
	tcp := &dns.Client{Net: "tcp", Timeout: 10 * time.Second}
	if label == "tcp-closed" {
		tcp.Timeout = 300 * time.Millisecond
	}
	ok := false
	switch label {
	case "timeout", "late", "wrong-id":
		ok = err != nil && strings.Contains(err.Error(), "timeout")
	case "fail", "refused", "no-edns":
		ok = err == nil && m.Rcode == map[string]int{"fail": dns.RcodeServerFailure, "refused": dns.RcodeRefused, "no-edns": dns.RcodeFormatError}[label]
	case "spoofed":
		ok = err == nil && m.Answer[0].(*dns.A).A.String() == "127.80.0.99"
	case "wrong-question":
		ok = err == nil && m.Question[0].Name == "other.odd.example."
	case "no-question":
		ok = err == nil && len(m.Question) == 0
	case "truncated", "truncated-always", "tcp-closed", "many":
		ok = err == nil && m.Truncated
		m, _, err = tcp.Exchange(q, at)
		switch label {
		case "truncated":
			ok = ok && err == nil && len(m.Answer) == 1
		case "truncated-always":
			ok = ok && err == nil && m.Truncated
		case "tcp-closed":
			ok = ok && err != nil
		case "many":
			ok = ok && err == nil && len(m.Answer) > 4000
		}
	default: // what no parser should take
		ok = err != nil || label == "lying-count" && len(m.Answer) < 10_000
	}
	if !ok {
		t.Errorf("%s at %s (%s): %v, %v", label, at, does, m, err)
	}
}

func TestRebind(t *testing.T) {
	l := start(t, lab.Config{})
	for _, want := range []string{l.Addr(lab.Rebind).String(), "127.0.0.1", l.Addr(lab.Rebind).String()} {
		if _, addrs := lookup(t, l, lab.Rebind, dns.TypeA); len(addrs) != 1 || addrs[0].String() != want {
			t.Errorf("%v, want %s", addrs, want)
		}
	}
}

// TestZonesRead proves that the zones are files that a parser takes.
func TestZonesRead(t *testing.T) {
	l := start(t, lab.Config{})
	zones := l.Zones()
	for _, origin := range []string{".", "example.", "anchor.example.", "hostile.example.", "wildcard.example."} {
		n := 0
		zp := dns.NewZoneParser(strings.NewReader(zones[origin]), origin, "")
		for _, ok := zp.Next(); ok; _, ok = zp.Next() {
			n++
		}
		if zp.Err() != nil || n < 3 {
			t.Errorf("%s: %d records, %v", origin, n, zp.Err())
		}
	}
}

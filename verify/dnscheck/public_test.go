package dnscheck_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
)

// TestOpen: what is opened counts as public, unless it is closed again; what is public by the registries
// is so whatever we ask.
func TestOpen(t *testing.T) {
	nets := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	for _, tt := range []struct {
		name, addr   string
		open, closed []netip.Prefix
		special      bool
	}{
		{"a private address", "10.1.0.1", nil, nil, true},
		{"in an open network", "10.1.0.1", nets("10.0.0.0/8"), nil, false},
		{"in a part of it that is closed", "10.1.0.1", nets("10.0.0.0/8"), nets("10.1.0.0/16"), true},
		{"in another part of it", "10.2.0.1", nets("10.0.0.0/8"), nets("10.1.0.0/16"), false},
		{"a public address that we do not ask", "9.9.9.9", nil, nets("9.9.9.0/24"), false},
		{"the same, opened as well", "9.9.9.9", nets("9.0.0.0/8"), nets("9.9.9.0/24"), false},
	} {
		n := newNetwork(t)
		n.domain("@ 300 MX 10 mail\nmail 300 A " + tt.addr + "\n")
		checks := dnscheck.Checks(dnscheck.Config{Open: tt.open, Closed: tt.closed})
		i := slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == "mx" })
		r, err := checks[i].Run(t.Context(), n, verify.Target{Subject: subjectOf("mx"), Now: now})
		if err != nil || (len(r.Findings) == 1 && r.Findings[0].Code == "mx.special-address") != tt.special || len(r.Findings) > 1 {
			t.Errorf("%s: Run = %+v, %v; want mx.special-address: %t", tt.name, r.Findings, err, tt.special)
		}
	}
}

// TestOneValidator: the keys of a zone are asked for once in a run, however many mail servers are in it.
func TestOneValidator(t *testing.T) {
	n := newNetwork(t)
	zone := ""
	for i := range 8 {
		zone += "@ 300 MX 10 m" + itoa(i) + "\nm" + itoa(i) + " 300 A 192.0.2." + itoa(i+1) + "\n_25._tcp.m" + itoa(i) + " 300 TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
	}
	n.domain(zone)
	asked := &questions{Network: n, of: map[string]int{}}
	for _, c := range n.checks() {
		if c.Name != "dane" {
			continue
		}
		r, err := c.Run(t.Context(), asked, verify.Target{Subject: subjectOf("dane"), Now: now})
		if err != nil || len(r.Findings) != 0 || len(r.Facts) != 8 {
			t.Fatalf("Run = %+v, %v", r, err)
		}
	}
	for _, q := range []string{"team.test. DNSKEY", "test. DNSKEY", "team.test. DS", ". DNSKEY"} {
		if asked.of[q] != 1 {
			t.Errorf("%s was asked for %d times, want 1", q, asked.of[q])
		}
	}
	if got := asked.of["team.test. MX"]; got != 2 { // to find the servers, and to prove the records
		t.Errorf("team.test. MX was asked for %d times, want 2", got)
	}
}

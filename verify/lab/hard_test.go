package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// hardZones are names at which the DNS goes round, is cut, answers to everything
// or is served wrongly, and what the checks find there: codes, or trouble.
func hardZones() map[string]map[string]string {
	const trouble = "trouble"
	out := map[string]string{"domain": trouble, "mx": trouble, "spf": trouble, "dnssec": trouble, "dane": trouble, "nameserver": trouble}
	return map[string]map[string]string{
		"loop-a.hostile.example":       out,
		"self-alias.hostile.example":   out,
		"alias0.hostile.example":       {"domain": trouble, "mx": trouble, "spf": trouble},
		"alias30.hostile.example":      {"domain": "", "mx": "mx.implicit", "spf": "spf.missing", "wildcard": ""},
		"nowhere.hostile.example":      {"domain": "domain.missing", "mx": "mx.no-domain", "nameserver": ""},
		"mx-alias.hostile.example":     {"domain": "", "mx": "mx.alias mx.dead mx.unresolvable"},
		"across-a.hostile.example":     {"domain": "", "mx": "", "wildcard": ""},
		"hostile.example":              {"domain": "domain.no-records", "mx": "mx.none"},
		"truncated.odd.example":        {"domain": "", "mx": "mx.implicit", "spf": "spf.missing", "dnssec": "dnssec.unsigned", "wildcard": "wildcard.address wildcard.txt"},
		"truncated-always.odd.example": out,
		"wildcard.example": {"domain": "", "mx": "mx.implicit", "wildcard": "wildcard.address wildcard.txt", "dmarc": "dmarc.missing", "mtasts": "", "tlsrpt": "",
			"dnssecuritytxt": "", "nameserver": ""},
		"lame.example":      out,
		"servfail.example":  out,
		"maze0.example":     out,
		"half-lame.example": {"domain": "", "mx": "", "nameserver": "nameserver.lame nameserver.one-network"},
		"half-deaf.example": {"nameserver": "nameserver.one-network nameserver.silent"},
		"lonely.example":    {"domain": "", "mx": "", "nameserver": "nameserver.single"},
		"mismatch.example":  {"domain": "", "nameserver": "nameserver.delegation-differs nameserver.one-network"},
	}
}

// TestHardZones runs checks on these names through the lab's resolver and through
// a real one that validates.
func TestHardZones(t *testing.T) {
	l := start(t, lab.Config{})
	for _, at := range []struct{ name, resolver string }{{"the lab's resolver", l.Resolver()}, {"Unbound", unbound(t, l)}} {
		checks, live := checksOf(t, l, at.resolver)
		for domain, wants := range hardZones() {
			for check, want := range wants {
				c := checks[slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == check })]
				if got := codes(t, c, live, l, domain); got != want {
					t.Errorf("%s of %s through %s: %q, want %q", check, domain, at.name, got, want)
				}
			}
		}
	}
}

// codes are what a check finds, in order, or that there is trouble of the peer's.
func codes(t *testing.T, c verify.Check, live verify.Network, l *lab.Lab, domain string) string {
	t.Helper()
	r, err := c.Run(context.Background(), live, verify.Target{Subject: verify.Subject{Kind: c.Kinds[0], ID: domain}, Now: l.Now()})
	var trouble *verify.Trouble
	switch {
	case errors.As(err, &trouble) && !trouble.Ours:
		return "trouble"
	case err != nil:
		return err.Error()
	}
	var list []string
	for _, f := range r.Findings {
		list = append(list, string(f.Code))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// TestTeamsThroughNSD lets a real authoritative server answer in place of the
// lab's two, and runs the checks that ask those themselves.
func TestTeamsThroughNSD(t *testing.T) {
	l := start(t, lab.Config{})
	real := map[netip.Addr]netip.AddrPort{}
	for _, s := range []string{"127.80.0.5", "127.80.64.6"} {
		addr := netip.MustParseAddr(s)
		real[addr] = netip.MustParseAddrPort(nsd(t, l, addr))
	}
	asked := map[netip.Addr]int{}
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	if err != nil {
		t.Fatal(err)
	}
	allow := append(l.Allow(), netip.MustParsePrefix("127.0.0.1/32"))
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver()}, Allow: allow, Roots: l.Roots(), Now: l.Now,
		Map: func(at netip.AddrPort) netip.AddrPort {
			if to, ok := real[at.Addr()]; ok && at.Port() == 53 {
				asked[at.Addr()]++
				return to
			}
			return l.DialMap(at)
		}})
	if err != nil {
		t.Fatal(err)
	}
	checks := dnscheck.Checks(dnscheck.Config{Open: l.Allow(), Anchors: anchors, RDAP: lab.RDAPBootstrap})
	checks = slices.DeleteFunc(checks, func(c verify.Check) bool { return c.Name != "nameserver" && c.Name != directory.ControlCheck })
	for _, team := range l.Teams() {
		for _, c := range checks {
			if want := team.Expected(c.Name, team.Domain); want != "" {
				if got := verdict(t, c, live, l, team, team.Domain); got != want {
					t.Errorf("%s, %s: %s, want %s", team.Handle, c.Name, got, want)
				}
			}
		}
	}
	for domain, want := range map[string]string{"wildcard.example": "", "lonely.example": "nameserver.single", "half-lame.example": "nameserver.lame nameserver.one-network",
		"mismatch.example": "nameserver.delegation-differs nameserver.one-network"} {
		for _, c := range checks {
			if got := codes(t, c, live, l, domain); c.Name == "nameserver" && got != want {
				t.Errorf("%s of %s: %q, want %q", c.Name, domain, got, want)
			}
		}
	}
	for addr := range real {
		if asked[addr] < 40 {
			t.Errorf("NSD was asked %d times in place of %s", asked[addr], addr)
		}
	}
}

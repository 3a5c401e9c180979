package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// checksOf are the DNS checks set up for the lab, and the network they ask.
func checksOf(t *testing.T, l *lab.Lab, resolver string) ([]verify.Check, verify.Network) {
	t.Helper()
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	if err != nil {
		t.Fatal(err)
	}
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{resolver}, Allow: l.Allow(), Map: l.DialMap, Roots: l.Roots(), Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	public := func(a netip.Addr) bool {
		return slices.ContainsFunc(l.Allow(), func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return dnscheck.Checks(dnscheck.Config{Public: public, Anchors: anchors, RDAP: lab.RDAPBootstrap}), live
}

// TestTeamsThroughUnbound runs every DNS check on every team through a real
// resolver that validates, and holds the verdicts against what the lab expects.
func TestTeamsThroughUnbound(t *testing.T) {
	l := start(t, lab.Config{})
	checks, live := checksOf(t, l, unbound(t, l))
	compared := 0
	for _, team := range l.Teams() {
		for _, c := range checks {
			for _, e := range team.Expect {
				if e.Check != c.Name {
					continue
				}
				compared++
				if got := verdict(t, c, live, l, team, e.Subject); got != e.Verdict {
					t.Errorf("%s, %s of %s: %s, want %s: %s", team.Handle, c.Name, e.Subject, got, e.Verdict, e.Why)
				}
			}
		}
	}
	if compared < 300 {
		t.Errorf("%d verdicts compared, too few to say anything", compared)
	}
}

// verdict runs a check and once more from its transcript, with the same end.
func verdict(t *testing.T, c verify.Check, live verify.Network, l *lab.Lab, team lab.Team, subject string) string {
	t.Helper()
	target := verify.Target{Subject: verify.Subject{Kind: c.Kinds[0], ID: subject}, Now: l.Now(), Claims: claims(team), Control: control(c.Name, team)}
	rec := verify.Record(live)
	result, err := c.Run(context.Background(), rec, target)
	again, err2 := c.Run(context.Background(), verify.Replay(rec.Transcript(c.Name, target)), target)
	if (err == nil) != (err2 == nil) || !slices.Equal(result.Findings, again.Findings) {
		t.Errorf("%s, %s: the replay finds %+v (%v), the run found %+v (%v)", team.Handle, c.Name, again.Findings, err2, result.Findings, err)
	}
	var trouble *verify.Trouble
	switch {
	case err == nil:
		return string(verify.VerdictOf(result.Findings))
	case !errors.As(err, &trouble) || trouble.Ours:
		t.Errorf("%s, %s of %s: %v", team.Handle, c.Name, subject, err)
	}
	return string(verify.VerdictInconclusive)
}

func claims(team lab.Team) verify.Claims {
	c := verify.Claims{Name: team.Name, Website: team.Website}
	for _, o := range team.Contacts {
		c.Contacts = append(c.Contacts, verify.ClaimedContact{Channel: o.Channel, Value: o.Value, Uses: o.Uses, Public: true})
	}
	for _, k := range team.Keys {
		c.Keys = append(c.Keys, verify.ClaimedKey{Fingerprint: k.Fingerprint, Armor: k.Armor})
	}
	return c
}

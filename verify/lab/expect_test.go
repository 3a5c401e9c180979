package lab_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// network is the live network, over the lab only.
func network(t testing.TB, l *lab.Lab) *verify.Live {
	t.Helper()
	n, err := verify.NewLive(verify.LiveConfig{
		Resolvers: []string{l.Resolver()}, Allow: l.Allow(), Roots: l.Roots(), Map: l.DialMap, Now: l.Now,
		Connect: 4 * time.Second, Header: 4 * time.Second, Total: 12 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checks are all that ship, for the lab in place of the Internet.
func checks(t testing.TB, l *lab.Lab) []verify.Check {
	t.Helper()
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor())
	if err != nil {
		t.Fatal(err)
	}
	public := func(a netip.Addr) bool {
		return slices.ContainsFunc(l.Allow(), func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return catalog.Config{
		DNS:  dnscheck.Config{Public: public, Anchors: anchors, RDAP: lab.RDAPBootstrap},
		Keys: pgpkey.Config{VKS: []string{lab.VKS}, HKP: []string{lab.HKP}, Anchors: anchors},
	}.Checks()
}

// profile is what a directory holds of a team.
func profile(t testing.TB, team lab.Team) *directory.Team {
	t.Helper()
	p := &directory.Team{ID: directory.TeamID(team.Handle), Handle: directory.Handle(team.Handle)}
	p.Names.Short, p.Website, p.Languages = team.Name, team.Website, []directory.Language{"en"}
	for i, c := range team.Contacts {
		p.Contacts = append(p.Contacts, directory.Contact{ID: directory.ContactID(fmt.Sprint(i)), Revision: 1,
			Channel: directory.Word(c.Channel), Value: c.Value, Uses: c.Uses})
	}
	for _, k := range team.Keys {
		key, _, err := directory.ParseKey([]byte(k.Armor))
		if err != nil {
			t.Fatalf("%s: %v", team.Handle, err)
		}
		p.Keys = append(p.Keys, directory.TeamKey{Key: key})
	}
	p.Resources = []directory.Resource{{Type: "domain", Domain: directory.Domain(team.Domain)}}
	p.Controls = []directory.Control{{Domain: directory.Domain(team.Domain), Digest: directory.TokenDigest(team.Control.Token)}}
	return p
}

// control is what is known of the proof that a team controls its domain, for
// the check of that and for no other.
func control(check string, team lab.Team) *verify.Control {
	if check != directory.ControlCheck {
		return nil
	}
	c := &verify.Control{Digest: directory.TokenDigest(team.Control.Token), Started: now.AddDate(0, -1, 0), State: directory.ControlWaiting, Since: now.AddDate(0, -1, 0)}
	if team.Control.Lost {
		c.State, c.Seen, c.Missing = directory.ControlConfirmed, now.AddDate(0, 0, -9), now.AddDate(0, 0, -2)
	}
	return c
}

// TestChecksAgree runs every check that ships over every team, and holds what it
// concludes against what the lab was built for.
func TestChecksAgree(t *testing.T) {
	l := start(t, lab.Config{})
	n := network(t, l)
	places := make(chan struct{}, 8)
	var wg sync.WaitGroup
	compared := map[string]int{}
	for _, team := range l.Teams() {
		p := profile(t, team)
		for _, c := range checks(t, l) {
			for _, s := range c.Applies(p) {
				want := team.Expected(c.Name, s.ID)
				if want == "" {
					continue
				}
				compared[c.Name]++
				places <- struct{}{}
				wg.Go(func() {
					defer func() { <-places }()
					got, said := conclude(t.Context(), n, c, verify.Target{Subject: s, Now: now, Claims: verify.ClaimsOf(p), Control: control(c.Name, team)})
					if string(got) != want {
						t.Errorf("%s: %s of %s is %s, want %s (%s)\n%s", team.Handle, c.Name, s, got, want, team.Does, said)
					}
				})
			}
		}
	}
	wg.Wait()
	for _, c := range checks(t, l) {
		switch c.Name {
		case "smtp", verify.SelectorCheck: // the lab has no mail servers, and nothing is known of keys of teams whose replies nobody signs
			continue
		}
		if compared[c.Name] < 25 {
			t.Errorf("%s was compared for %d teams only", c.Name, compared[c.Name])
		}
	}
	if l.Strays() != 0 {
		t.Errorf("%d connections to what is not the lab's", l.Strays())
	}
}

// conclude runs a check once and says what it came to.
func conclude(ctx context.Context, n verify.Network, c verify.Check, target verify.Target) (verify.Verdict, string) {
	r, err := c.Run(ctx, n, target)
	v := verify.Assess(verify.Verification{Check: c.Name, Subject: target.Subject}, verify.Outcome{Result: r, Err: err}, c.Every, target.Now)
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "  trouble: %v\n", err)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s %s %s: %s\n", f.Severity, f.Code, f.Subject, f.Evidence)
	}
	return v.Verdict, b.String()
}

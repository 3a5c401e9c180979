package securitytxt_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/lab"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// startLab starts a lab and a network that reaches it, with little patience.
func startLab(t *testing.T) (*lab.Lab, verify.Network) {
	t.Helper()
	start := now
	l, err := lab.Start(lab.Config{Now: func() time.Time { return start }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver()}, Allow: l.Allow(), Map: l.DialMap, Roots: l.Roots(), Now: l.Now,
		Connect: 2 * time.Second, Header: 2 * time.Second, Total: 4 * time.Second, UDP: time.Second, TCP: time.Second, Query: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return l, live
}

// TestLabTeams: over real DNS, TLS and HTTP, the check concludes about each team of the lab
// what the lab expects, and a replay of it concludes the same.
func TestLabTeams(t *testing.T) {
	l, network := startLab(t)
	check := securitytxt.Check()
	teams, seen := l.Teams(), map[string]int{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	limit := make(chan bool, 4)
	for _, team := range teams {
		wg.Go(func() {
			limit <- true
			defer func() { <-limit }()
			target := labTarget(team, l.Now())
			recorder := verify.Record(network)
			got, findings := conclude(check, recorder, target)
			want := team.Expected(check.Name, team.Domain)
			if string(got) != want {
				t.Errorf("%s: verdict %s, want %s. %s\n%+v", team.Domain, got, want, team.Does, findings)
			}
			again, replayed := conclude(check, verify.Replay(recorder.Transcript(check.Name, target)), target)
			if d := cmp.Diff(replayed, findings); again != got || d != "" {
				t.Errorf("%s: replayed to %s (-got +want):\n%s", team.Domain, again, d)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[want]++
		})
	}
	wg.Wait()
	for _, v := range []string{"ok", "warning", "error", "inconclusive"} {
		if seen[v] == 0 {
			t.Errorf("no team of the lab is expected to be %s: %v", v, seen)
		}
	}
}

// conclude runs a check; trouble of the peer is inconclusive.
func conclude(check verify.Check, network verify.Network, target verify.Target) (verify.Verdict, []verify.Finding) {
	result, err := check.Run(context.Background(), network, target)
	var trouble *verify.Trouble
	switch {
	case errors.As(err, &trouble) && !trouble.Ours:
		return verify.VerdictInconclusive, nil
	case err != nil:
		return verify.Verdict("trouble of ours: " + err.Error()), nil
	}
	return verify.VerdictOf(result.Findings), result.Findings
}

func labTarget(team lab.Team, at time.Time) verify.Target {
	claims := verify.Claims{Website: team.Website}
	for _, c := range team.Contacts {
		claims.Contacts = append(claims.Contacts, verify.ClaimedContact{ID: directory.ContactID(c.Value), Channel: c.Channel, Value: c.Value, Public: true})
	}
	for _, k := range team.Keys {
		claims.Keys = append(claims.Keys, verify.ClaimedKey{Fingerprint: k.Fingerprint, Armor: k.Armor})
	}
	return verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: team.Domain}, Now: at, Claims: claims}
}

// TestLabHostile: whatever a site does, the check ends, and finds a file only on
// sites that have a usable one.
func TestLabHostile(t *testing.T) {
	l, network := startLab(t)
	usable := map[string]bool{lab.Rebind: true} // refused from its second address on
	for _, label := range []string{"deep.wildcard", "plain", "only4", "only6", "differs", "to-other-site"} {
		usable[label+".hostile.example"] = true
	}
	var wg sync.WaitGroup
	limit := make(chan bool, 8)
	for _, site := range lab.Hostile() {
		wg.Go(func() {
			limit <- true
			defer func() { <-limit }()
			target := verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: site.Host}, Now: l.Now()}
			verdict, findings := conclude(securitytxt.Check(), network, target)
			if good := verdict == verify.VerdictOK || verdict == verify.VerdictWarning; good != usable[site.Host] {
				t.Errorf("%s: verdict %s, and %s\n%+v", site.Host, verdict, site.What, findings)
			}
			checkFindings(t, findings)
		})
	}
	wg.Wait()
	if n := l.Strays(); n > 0 {
		t.Errorf("%d connections to addresses that should have been refused", n)
	}
}

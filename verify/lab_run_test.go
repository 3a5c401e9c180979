package verify_test

import (
	"context"
	"net/netip"
	"slices"
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

// labChecks are all that ship, for a lab in place of the Internet.
func labChecks(t testing.TB, anchors string, allow []netip.Prefix) []verify.Check {
	t.Helper()
	parsed, err := dnssec.ParseAnchors(anchors)
	if err != nil {
		t.Fatal(err)
	}
	public := func(a netip.Addr) bool {
		return slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return catalog.Config{
		DNS:  dnscheck.Config{Public: public, Anchors: parsed, RDAP: lab.RDAPBootstrap},
		Keys: pgpkey.Config{VKS: []string{lab.VKS}, HKP: []string{lab.HKP}, Anchors: parsed},
	}.Checks()
}

// labTeam makes a team of the lab one of the directory's.
func (s *scene) labTeam(team *lab.Team) directory.TeamID {
	s.t.Helper()
	p := directory.Profile{Names: directory.Names{Short: team.Name}, Website: team.Website, Languages: []directory.Language{"en"},
		Resources: []directory.Resource{{Type: "domain", Domain: directory.Domain(team.Domain)}}}
	for _, c := range team.Contacts {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: directory.Word(c.Channel), Value: c.Value, Uses: c.Uses})
	}
	for _, k := range team.Keys {
		key, _, err := directory.ParseKey([]byte(k.Armor))
		if err != nil {
			s.t.Fatal(err)
		}
		p.Keys = append(p.Keys, directory.TeamKey{Key: key})
	}
	made, err := s.Create(context.Background(), operator, directory.NewTeam{Handle: directory.Handle(team.Handle), Profile: p})
	if err != nil {
		s.t.Fatalf("%s: %v", team.Handle, err)
	}
	return made.ID
}

// quickPaces are as polite as the real ones, in a smaller world.
func quickPaces() map[verify.LimitKind]verify.Pace {
	paces := verify.Paces()
	for kind, p := range paces {
		p.Every /= 100
		paces[kind] = p
	}
	return paces
}

// TestRunnerOnLab has all checks that ship run on all teams of the lab, and
// holds what is stored against what the lab was built for.
func TestRunnerOnLab(t *testing.T) {
	s := newScene(t)
	l, err := lab.Start(lab.Config{Now: s.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver()}, Allow: l.Allow(), Roots: l.Roots(), Map: l.DialMap, Now: l.Now,
		Limiter: verify.NewLimiter(quickPaces(), 0), Connect: 2 * time.Second, Header: 2 * time.Second, Total: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]directory.TeamID{}
	for _, team := range l.Teams() {
		ids[team.Handle] = s.labTeam(&team)
	}
	cfg := s.config(labChecks(t, l.TrustAnchor(), l.Allow())...)
	cfg.Network, cfg.Limit = live, 40*time.Second
	stop := s.run(cfg)
	s.within(3*time.Minute, "everything has run", func() bool {
		f := s.figures()
		return f.Rows > 100 && f.Due == 0 && f.Leased == 0
	})
	stop()
	compared, mailboxes := 0, 0
	for _, team := range l.Teams() {
		list, err := s.db.Verifications(context.Background(), ids[team.Handle])
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			want := team.Expected(v.Check, v.Subject.ID)
			if want == "" {
				continue
			}
			if team.Handle == "reservoir" && v.Tried.IsZero() && v.Due.After(now.Add(50*time.Minute)) {
				continue // its site asked another check for an hour, which holds for all
			}
			compared++
			if string(v.Verdict) != want || v.Ours != 0 {
				t.Errorf("%s: %s of %s is %s (trouble %q), want %s (%s)", team.Handle, v.Check, v.Subject, v.Verdict, v.Trouble, want, team.Does)
			}
			if v.Subject.Kind == verify.SubjectContact {
				mailboxes++
			}
			s.replays(&v, cfg.Checks)
		}
	}
	if compared < 200 {
		t.Errorf("%d verdicts were compared", compared)
	}
	if l.Strays() != 0 {
		t.Errorf("%d connections to what is not the lab's", l.Strays())
	}
	if err := s.db.Check(context.Background()); err != nil {
		t.Error(err)
	}
	t.Logf("%d verdicts compared, %d of contacts", compared, mailboxes)
}

// replays wants the stored transcript to lead to the stored findings.
func (s *scene) replays(v *verify.Verification, checks []verify.Check) {
	s.t.Helper()
	if v.Raw == "" {
		return
	}
	data, err := s.db.Transcript(context.Background(), v.Raw)
	if err != nil {
		s.t.Errorf("%s of %s: %v", v.Check, v.Subject, err)
		return
	}
	kept, err := verify.DecodeTranscript(data)
	if err != nil {
		s.t.Error(err)
		return
	}
	i := slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == v.Check })
	again, err := checks[i].Run(context.Background(), verify.Replay(kept), kept.Target)
	if err != nil || !slices.Equal(again.Findings, v.Findings) {
		s.t.Errorf("%s of %s: the replay finds %+v, %v; want %+v", v.Check, v.Subject, again.Findings, err, v.Findings)
	}
}

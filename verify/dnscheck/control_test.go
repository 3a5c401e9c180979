package dnscheck_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
)

const (
	proofToken = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
	proofName  = "_rollcall-challenge.team.test."
	proofZone  = good + "@ 300 NS ns1\n@ 300 NS ns2\nns1 300 A 192.0.2.53\nns2 300 A 198.51.100.53\n"
)

// proof is one that was begun ten days ago and is in a state since yesterday.
func proof(state string, change ...func(*verify.Control)) *verify.Control {
	c := &verify.Control{Digest: directory.TokenDigest(proofToken), Started: now.AddDate(0, 0, -10), State: state, Since: now.AddDate(0, 0, -1)}
	if state != directory.ControlWaiting {
		c.Seen = now.AddDate(0, 0, -7)
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// gone says that the record was not there some time ago either.
func gone(ago time.Duration) func(*verify.Control) {
	return func(c *verify.Control) { c.Missing = now.Add(-ago) }
}

func published(text string) string {
	return proofName + ` 60 TXT "` + text + `"`
}

// proofServers lets the two name servers of the zone answer each by itself.
func proofServers(first, second func(verify.Question) *verify.Answer) func(*network) {
	return func(n *network) {
		z := n.Zones["team.test."]
		z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { ns, ok := r.(*dns.NS); return ok && ns.Ns == "ns.invalid." })
		n.servers[netip.MustParseAddr("192.0.2.53")], n.servers[netip.MustParseAddr("198.51.100.53")] = first, second
	}
}

// everywhere puts a record where resolvers see it, and at both servers.
func everywhere(text string) func(*network) {
	return func(n *network) {
		z := n.Zones["team.test."]
		z.Records = append(z.Records, rr(published(text)))
		proofServers(authority(published(text)), authority(published(text)))(n)
	}
}

// delegated is a zone in which the name is an alias of one in another zone.
func delegated(chain ...string) func(*network) {
	return func(n *network) {
		z := n.Add("host.test.", "@ 300 NS ns1.team.test.\nproofs 60 TXT \"token="+proofToken+" expiry=never\"\n")
		n.Delegate("test.", "host.test.")
		z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { ns, ok := r.(*dns.NS); return ok && ns.Ns == "ns.invalid." })
		lines := []string{`proofs.host.test. 60 TXT "token=` + proofToken + ` expiry=never"`}
		for i, name := range chain[:len(chain)-1] {
			lines = append(lines, name+" 60 CNAME "+chain[i+1])
		}
		for _, line := range lines[1:] {
			n.Zones["team.test."].Records = append(n.Zones["team.test."].Records, rr(line))
		}
		answers := func(q verify.Question) *verify.Answer {
			only := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, dns.CanonicalName(q.Name)+" ") })
			return authority(only...)(q)
		}
		proofServers(answers, answers)(n)
	}
}

func aliases(n int) (chain []string) {
	chain = append(chain, proofName)
	for i := range n - 1 {
		chain = append(chain, "a"+string(rune('a'+i))+".team.test.")
	}
	return append(chain, "proofs.host.test.")
}

const (
	waiting   = directory.ControlWaiting
	confirmed = directory.ControlConfirmed
	lost      = directory.ControlLost
	lapsed    = directory.ControlLapsed
	forever   = "token=" + proofToken + " expiry=never"
)

// controlCase is a case of the check, and what becomes of the proof.
type controlCase struct {
	a
	state string // "": nothing is said of it
	then  func(*verify.Control)
}

func proofCases() []controlCase {
	absent := proofServers(authority(), authority())
	seen := func(c *verify.Control) { c.Seen = now }
	until := func(day string) func(*verify.Control) {
		return func(c *verify.Control) {
			c.Seen = now
			c.Until, _ = time.Parse(time.DateOnly, day)
			c.Until = c.Until.AddDate(0, 0, 1)
		}
	}
	with := func(sets ...func(*network)) func(*network) {
		return func(n *network) {
			for _, set := range sets {
				set(n)
			}
		}
	}
	return []controlCase{
		{a: a{name: "seen for the first time", control: proof(waiting), set: everywhere(forever)}, state: confirmed, then: seen},
		{a: a{name: "seen again", control: proof(confirmed), set: everywhere(forever)}, state: confirmed, then: seen},
		{a: a{name: "seen again after it was gone once", control: proof(confirmed, gone(time.Hour)), set: everywhere(forever)}, state: confirmed, then: seen},
		{a: a{name: "seen again after it was lost", control: proof(lost), set: everywhere(forever)}, state: confirmed, then: seen},
		{a: a{name: "in small letters, among keys of others", control: proof(waiting), set: everywhere("v=1  EXPIRY=Never token=" + strings.ToLower(proofToken))}, state: confirmed, then: seen},
		{a: a{name: "without an expiry", control: proof(waiting), set: everywhere("token=" + proofToken)}, state: confirmed, then: seen},
		{a: a{name: "in several strings", control: proof(waiting), set: everywhere(forever[:20] + `" "` + forever[20:])}, state: confirmed, then: seen},
		{a: a{name: "one of several records", control: proof(waiting), set: func(n *network) {
			everywhere("v=spf1 -all")(n)
			n.Zones["team.test."].Records = append(n.Zones["team.test."].Records, rr(published(forever)))
			both := authority(published("token=AAAA"), published(forever))
			proofServers(both, both)(n)
		}}, state: confirmed, then: seen},
		{a: a{name: "by a wildcard that has the value", control: proof(waiting), zone: proofZone + "* 60 TXT \"" + forever + "\"\n",
			set: proofServers(authority(published(forever)), authority(published(forever)))}, state: confirmed, then: seen},
		{a: a{name: "a wildcard that has another", control: proof(waiting), zone: proofZone + "* 60 TXT everything\n", want: []string{"control.not-published"},
			set: proofServers(authority(published("everything")), authority(published("everything")))}, state: waiting},
		{a: a{name: "with a day to come", control: proof(waiting), set: everywhere("token=" + proofToken + " expiry=2027-11-20")}, state: confirmed, then: until("2027-11-20")},
		{a: a{name: "on its last day", control: proof(confirmed), want: []string{"control.expires-soon"}, set: everywhere("token=" + proofToken + " expiry=2026-11-21")},
			state: confirmed, then: until("2026-11-21")},
		{a: a{name: "the day after", control: proof(confirmed), want: []string{"control.expired"}, set: everywhere("token=" + proofToken + " expiry=2026-11-20")}, state: lapsed},
		{a: a{name: "expired before it was ever seen", control: proof(waiting), want: []string{"control.expired"}, set: everywhere("token=" + proofToken + " expiry=2026-11-20")}, state: waiting},
		{a: a{name: "with a day that is none", control: proof(waiting), want: []string{"control.malformed"}, set: everywhere("token=" + proofToken + " expiry=2026-13-45")}, state: waiting},
		{a: a{name: "with two expiries", control: proof(waiting), want: []string{"control.malformed"}, set: everywhere("token=" + proofToken + " expiry=never expiry=2027-01-01")}, state: waiting},
		{a: a{name: "in a zone that is not signed", control: proof(waiting), zone: "none", set: func(n *network) { n.domain(proofZone, plain); everywhere(forever)(n) }},
			state: confirmed, then: func(c *verify.Control) { c.Seen, c.DNSSEC = now, "insecure" }},
		{a: a{name: "through an alias", control: proof(waiting), set: delegated(aliases(1)...)}, state: confirmed, then: seen},
		{a: a{name: "through eight aliases", control: proof(waiting), set: delegated(aliases(8)...)}, state: confirmed, then: seen},
		{a: a{name: "through nine aliases", control: proof(waiting), set: delegated(aliases(9)...), want: []string{"control.not-published", "control.too-many-aliases"}}, state: waiting},
		{a: a{name: "through a circle", control: proof(waiting), set: delegated(proofName, "aa.team.test.", proofName), want: []string{"control.not-published", "control.too-many-aliases"}}, state: waiting},

		{a: a{name: "not published", control: proof(waiting), set: absent, want: []string{"control.not-published"}}, state: waiting},
		{a: a{name: "the token of somebody else", control: proof(waiting), want: []string{"control.not-published"},
			set: everywhere("token=NFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U expiry=never")}, state: waiting},
		{a: a{name: "the token bare", control: proof(waiting), set: everywhere(proofToken), want: []string{"control.not-published"}}, state: waiting},
		{a: a{name: "gone once", control: proof(confirmed), set: absent, want: []string{"control.missing"}}, state: confirmed, then: func(c *verify.Control) { c.Missing = now }},
		{a: a{name: "gone twice within a day", control: proof(confirmed, gone(24*time.Hour-time.Second)), set: absent, want: []string{"control.missing"}}, state: confirmed,
			then: gone(24*time.Hour - time.Second)},
		{a: a{name: "gone twice, a day apart", control: proof(confirmed, gone(24*time.Hour)), set: absent, want: []string{"control.lost"}}, state: lost, then: gone(24 * time.Hour)},
		{a: a{name: "gone since a time that is yet to come", control: proof(confirmed, gone(-48*time.Hour)), set: absent, want: []string{"control.missing"}}, state: confirmed,
			then: func(c *verify.Control) { c.Missing = now }},
		{a: a{name: "still lost", control: proof(lost), set: absent, want: []string{"control.lost"}}, state: lost},
		{a: a{name: "the domain is gone", zone: "none", control: proof(confirmed), want: []string{"control.missing"}, set: func(n *network) {
			z := n.Zones["test."]
			z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { ns, ok := r.(*dns.NS); return ok && ns.Ns == "ns.invalid." })
			z.Records = append(z.Records, rr("test. 300 NS ns.test."), rr("ns.test. 300 A 192.0.2.99"))
			n.servers[netip.MustParseAddr("192.0.2.99")] = authority()
		}}, state: confirmed, then: func(c *verify.Control) { c.Missing = now }},
		{a: a{name: "nobody began a proof", want: []string{"control.not-begun"}}},

		{a: a{name: "two servers disagree", control: proof(waiting), want: []string{"control.inconsistent"}, set: with(everywhere(forever), proofServers(authority(published(forever)), authority()))}},
		{a: a{name: "two servers disagree about the day", control: proof(confirmed), want: []string{"control.inconsistent"},
			set: with(everywhere(forever), proofServers(authority(published(forever)), authority(published("token="+proofToken+" expiry=2027-01-01"))))}},
		{a: a{name: "the resolvers know nothing yet", control: proof(waiting), want: []string{"control.inconsistent"}, set: proofServers(authority(published(forever)), authority(published(forever)))}},
		{a: a{name: "the resolvers remember", control: proof(confirmed, gone(48*time.Hour)), want: []string{"control.inconsistent"}, set: with(everywhere(forever), absent)}},
		{a: a{name: "seen by all, and proven not to be there", control: proof(waiting), want: []string{"control.inconsistent"},
			set: with(proofServers(authority(published(forever)), authority(published(forever))), lies(published(forever)))}},
		{a: a{name: "seen by all, and proven to be another", control: proof(waiting), want: []string{"control.inconsistent"},
			set: with(everywhere("token=AAAA"), proofServers(authority(published(forever)), authority(published(forever))), lies(published(forever)))}},
		{a: a{name: "seen by all, behind an alias that is proven to lead to nothing", control: proof(waiting), want: []string{"control.inconsistent"}, set: func(n *network) {
			delegated(aliases(1)...)(n)
			z := n.Zones["host.test."]
			z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { return r.Header().Rrtype == dns.TypeTXT })
			lies(published(forever))(n)
		}}},
		{a: a{name: "seen by nobody, and proven to be there", control: proof(confirmed, gone(48*time.Hour)), want: []string{"control.inconsistent"},
			set: with(everywhere(forever), absent, func(n *network) { n.lies = map[string][]string{proofName + " TXT": nil} })}},
		{a: a{name: "its signatures expired", control: proof(confirmed, gone(48*time.Hour)), want: []string{"control.bogus"}, set: func(n *network) {
			absent(n)
			n.Zones["team.test."].Until = now.Add(-time.Second)
		}}},
		{a: a{name: "one server does not serve the zone", control: proof(waiting), set: with(everywhere(forever), proofServers(authority(published(forever)), refuses))}, state: confirmed, then: seen},
		{a: a{name: "one server knows a delegation only", control: proof(waiting), set: with(everywhere(forever), proofServers(authority("referral . 300 NS a.root."), authority(published(forever))))},
			state: confirmed, then: seen},
		{a: a{name: "no way to one server from here", control: proof(waiting), set: with(everywhere(forever), proofServers(unreached, authority(published(forever))))}, state: confirmed, then: seen},

		{a: a{name: "one server is silent", control: proof(confirmed, gone(48*time.Hour)), set: proofServers(authority(), nil), trouble: verify.DNSTimeout}},
		{a: a{name: "one server may not be asked", control: proof(waiting), set: with(everywhere(forever), proofServers(authority(published(forever)), forbidden)), trouble: verify.DNSAddress, ours: true}},
		{a: a{name: "no server serves the zone", control: proof(confirmed, gone(48*time.Hour)), set: proofServers(refuses, refuses), trouble: verify.DNSRefused}},
		{a: a{name: "no way to any server", control: proof(confirmed, gone(48*time.Hour)), set: proofServers(unreached, unreached), trouble: verify.DNSNoRoute}},
		{a: a{name: "servers are private", control: proof(confirmed, gone(48*time.Hour)), zone: good + "@ 300 NS ns1\nns1 300 A 10.0.0.53\n", set: absent, trouble: verify.DNSUnreachable}},
		{a: a{name: "the resolvers fail", control: proof(confirmed, gone(48*time.Hour)), set: with(absent, broken(proofName+" TXT")), trouble: verify.DNSServFail}},
	}
}

func controlCases() (list []a) {
	for _, c := range proofCases() {
		c.a.check = directory.ControlCheck
		if c.zone == "" {
			c.a.zone = proofZone
		}
		list = append(list, c.a)
	}
	return list
}

// TestControl: what becomes of a proof, in each case, and nothing where nothing
// was concluded.
func TestControl(t *testing.T) {
	for i, c := range controlCases() {
		want := proofCases()[i]
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t)
			if c.zone != "none" {
				n.domain(c.zone)
			}
			if c.set != nil {
				c.set(n)
			}
			result, err := n.run(t, c.check, verify.Target{Subject: subjectOf(c.check), Control: c.control})
			if (err != nil) != (c.trouble != "") {
				t.Fatalf("Run: %v", err)
			}
			var next *verify.Control
			if want.state != "" {
				next = proof(want.control.State, func(to *verify.Control) { *to = *want.control })
				if next.State != want.state {
					next.State, next.Since = want.state, now
				}
				next.Missing = time.Time{}
				if want.then != nil {
					want.then(next)
				}
				if next.Seen.Equal(now) && next.DNSSEC == "" {
					next.DNSSEC = "secure"
				}
			}
			if diff := cmp.Diff(next, result.Control); diff != "" {
				t.Errorf("the proof is not what it should be (-want +got):\n%s", diff)
			}
			for _, f := range result.Findings {
				if strings.Contains(strings.ToUpper(f.Evidence+f.Corrected), proofToken) {
					t.Errorf("the finding %+v tells the token", f)
				}
			}
			for _, f := range result.Facts {
				if strings.Contains(strings.ToUpper(f.Value), proofToken) {
					t.Errorf("the fact %+v tells the token", f)
				}
			}
		})
	}
}

// TestControlNames: a finding names who says what.
func TestControlNames(t *testing.T) {
	n := newNetwork(t)
	n.domain(proofZone)
	everywhere(forever)(n)
	proofServers(authority(published(forever)), authority())(n)
	result, err := n.run(t, directory.ControlCheck, verify.Target{Subject: subjectOf("domain"), Control: proof(waiting)})
	const want = "ns1.team.test. 192.0.2.53: the record; ns2.team.test. 198.51.100.53: no such record"
	if err != nil || len(result.Findings) != 1 || result.Findings[0].Evidence != want {
		t.Errorf("Run = %+v, %v, want evidence %q", result.Findings, err, want)
	}
}

// TestControlDue: a record that somebody is about to publish is looked for
// soon, one that is missing a day later, one that ends when it does.
func TestControlDue(t *testing.T) {
	for _, c := range []struct {
		name    string
		control *verify.Control
		set     func(*network)
		want    time.Duration // from now; 0: as usual
	}{
		{"just begun", proof(waiting, func(c *verify.Control) { c.Started = now.Add(-time.Minute) }), proofServers(authority(), authority()), 15 * time.Minute},
		{"begun eight hours ago", proof(waiting, func(c *verify.Control) { c.Started = now.Add(-8 * time.Hour) }), proofServers(authority(), authority()), 2 * time.Hour},
		{"begun long ago", proof(waiting), proofServers(authority(), authority()), 24 * time.Hour},
		{"missing", proof(confirmed), proofServers(authority(), authority()), 24 * time.Hour},
		{"missing for an hour", proof(confirmed, gone(time.Hour)), proofServers(authority(), authority()), 23 * time.Hour},
		{"there", proof(confirmed), everywhere(forever), 0},
		{"there until next year", proof(confirmed), everywhere("token=" + proofToken + " expiry=2027-11-20"), time.Date(2027, 10, 22, 0, 0, 0, 0, time.UTC).Sub(now)},
		{"there until tonight", proof(confirmed), everywhere("token=" + proofToken + " expiry=2026-11-21"), 12 * time.Hour},
		{"disagreement", proof(confirmed), proofServers(authority(published(forever)), authority()), time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNetwork(t)
			n.domain(proofZone)
			c.set(n)
			result, err := n.run(t, directory.ControlCheck, verify.Target{Subject: subjectOf("domain"), Control: c.control})
			var want time.Time
			if c.want > 0 {
				want = now.Add(c.want)
			}
			if err != nil || !result.Until.Equal(want) {
				t.Errorf("Run: until %v, %v, want %v", result.Until, err, want)
			}
		})
	}
}

// TestControlApplies: a proof is looked at while its domain is the team's.
func TestControlApplies(t *testing.T) {
	checks := dnscheck.Checks(dnscheck.Config{})
	c := checks[slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == directory.ControlCheck })]
	team := &directory.Team{Controls: []directory.Control{{Domain: "team.test"}, {Domain: "elsewhere.test"}}}
	team.Resources = []directory.Resource{{Type: "domain", Domain: "other.test"}, {Type: "domain", Domain: "team.test"}, {Type: "asn", ASN: 64496}}
	if got := c.Applies(team); len(got) != 1 || got[0].ID != "team.test" {
		t.Errorf("Applies = %v, want team.test only", got)
	}
	if c.Every != 7*24*time.Hour {
		t.Errorf("looked at every %v, want weekly", c.Every)
	}
}

package dnscheck_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/dnssec/dnssectest"
)

const (
	domain  = "team.test"
	address = "cert@team.test"
	good    = "@ 300 MX 10 mail\nmail 300 A 192.0.2.1\n"
)

// a is one case: what the zone of team.test has, and what a check finds in it.
type a struct {
	check, name string
	zone        string
	want        []string // codes, sorted; nil: nothing
	set         func(n *network)
	trouble     verify.Code     // instead of findings
	ours        bool            // the trouble is our own
	worst       verify.Severity // of the findings; "": any
	claims      verify.Claims
	control     *verify.Control
	selectors   []verify.Selector
	previous    []verify.Fact
}

func plain(z *dnssectest.Zone) { z.Plain = true }

// cases are the rows of the table of checks, each good, bad and out of reach.
func cases(t *testing.T) []a {
	list := [][]a{domainCases(), mxCases(), spfCases(), dkimCases(t), dmarcCases(), stsCases(), tlsrptCases(), daneCases(), smtpCases(t), keyCases(t), caaCases(), dnssecCases(), nsCases(), expiryCases(), otherCases(), controlCases()}
	return slices.Concat(list...)
}

func TestChecks(t *testing.T) {
	seen := map[verify.Code]bool{}
	kinds := map[string]map[string]bool{}
	for _, c := range cases(t) {
		t.Run(c.check+"/"+c.name, func(t *testing.T) {
			n := newNetwork(t)
			if c.zone != "none" {
				n.domain(c.zone)
			}
			if c.set != nil {
				c.set(n)
			}
			result, err := n.run(t, c.check, verify.Target{Subject: subjectOf(c.check), Claims: c.claims, Control: c.control, Selectors: c.selectors, Previous: c.previous})
			var trouble *verify.Trouble
			if c.trouble != "" {
				if !errors.As(err, &trouble) || trouble.Code != c.trouble || trouble.Ours != c.ours {
					t.Fatalf("Run = %+v, %v; want trouble %s, our own: %t", result.Findings, err, c.trouble, c.ours)
				}
				return
			}
			if err != nil {
				t.Fatalf("Run: %v", err)
			}
			var got []string
			for _, f := range result.Findings {
				got = append(got, string(f.Code))
				seen[f.Code] = true
			}
			if worst := verify.Worst(result.Findings); c.worst != "" && worst != c.worst {
				t.Errorf("Run finds something of severity %s, want %s", worst, c.worst)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("Run finds %v, want %v: %+v", got, c.want, result.Findings)
			}
		})
		sort := "good"
		if c.trouble != "" {
			sort = "temporary"
		} else if len(c.want) > 0 {
			sort = "bad"
		}
		if kinds[c.check] == nil {
			kinds[c.check] = map[string]bool{}
		}
		kinds[c.check][sort] = true
	}
	for _, p := range dnscheck.Problems() {
		if !seen[p.Code] {
			t.Errorf("no case finds %s", p.Code)
		}
	}
	for _, c := range dnscheck.Checks(dnscheck.Config{}) {
		for _, sort := range []string{"good", "bad", "temporary"} {
			if !kinds[c.Name][sort] {
				t.Errorf("check %s has no %s case", c.Name, sort)
			}
		}
	}
}

// TestAnchorsRunOut: trust anchors that hold no more say nothing of the domain, whose zone is as it was.
func TestAnchorsRunOut(t *testing.T) {
	for _, name := range []string{"dnssec", "dane"} {
		for _, end := range []time.Duration{0, time.Second} {
			n := newNetwork(t)
			n.domain(good + "_25._tcp.mail 300 TLSA 3 1 1 " + strings.Repeat("ab", 32) + "\n")
			anchors := n.Anchors()
			anchors[0].Until = now.Add(end)
			checks := dnscheck.Checks(dnscheck.Config{Public: public, Anchors: anchors})
			i := slices.IndexFunc(checks, func(c verify.Check) bool { return c.Name == name })
			r, err := checks[i].Run(t.Context(), n, verify.Target{Subject: subjectOf(name), Now: now})
			var trouble *verify.Trouble
			if ours := errors.As(err, &trouble) && trouble.Ours && errors.Is(err, dnssec.ErrAnchor); ours != (end == 0) || len(r.Findings) > 0 {
				t.Errorf("%s, %s before the end: %+v, %v", name, end, r.Findings, err)
			}
		}
	}
}

func subjectOf(check string) verify.Subject {
	switch check {
	case "openpgpkey", "smimea", "cert":
		return verify.Subject{Kind: verify.SubjectContact, ID: address}
	}
	return verify.Subject{Kind: verify.SubjectDomain, ID: domain}
}

func broken(keys ...string) func(*network) {
	return func(n *network) {
		for _, k := range keys {
			n.broken[k] = verify.DNSServFail
		}
	}
}

func domainCases() []a {
	return []a{
		{check: "domain", name: "it exists", zone: good},
		{check: "domain", name: "it does not", zone: "none", want: []string{"domain.missing"}},
		{check: "domain", name: "nothing but a text", zone: "@ 300 TXT x\n", want: []string{"domain.no-records"}},
		{check: "domain", name: "no mail, but an address", zone: "@ 300 AAAA 2001:db8::1\n"},
		{check: "domain", name: "servers fail", zone: good, set: broken("team.test."), trouble: verify.DNSServFail},
		{check: "domain", name: "time-out", zone: good, set: func(n *network) { n.broken["team.test. MX"] = verify.DNSTimeout }, trouble: verify.DNSTimeout},
	}
}

func mxCases() []a {
	return []a{
		{check: "mx", name: "one server", zone: good},
		{check: "mx", name: "two servers", zone: good + "@ 300 MX 20 back\nback 300 AAAA 2001:db8::2\n"},
		{check: "mx", name: "no domain", zone: "none", want: []string{"mx.no-domain"}},
		{check: "mx", name: "null", zone: "@ 300 MX 0 .\n", want: []string{"mx.null"}},
		{check: "mx", name: "null beside another", zone: good + "@ 300 MX 0 .\n", want: []string{"mx.null-mixed"}},
		{check: "mx", name: "implicit", zone: "@ 300 A 192.0.2.1\n", want: []string{"mx.implicit"}},
		{check: "mx", name: "implicit and private", zone: "@ 300 A 10.0.0.1\n", want: []string{"mx.implicit", "mx.special-address"}},
		{check: "mx", name: "none", zone: "@ 300 TXT x\n", want: []string{"mx.none"}},
		{check: "mx", name: "an address for a name", zone: "@ 300 MX 10 192.0.2.1.\n", want: []string{"mx.address-literal", "mx.dead"}},
		{check: "mx", name: "an alias", zone: "@ 300 MX 10 mail\nmail 300 CNAME host\nhost 300 A 192.0.2.1\n", want: []string{"mx.alias"}},
		{check: "mx", name: "one without address", zone: good + "@ 300 MX 20 gone\n", want: []string{"mx.unresolvable"}},
		{check: "mx", name: "all without address", zone: "@ 300 MX 20 gone\n", want: []string{"mx.dead", "mx.unresolvable"}},
		{check: "mx", name: "the first eight without address, the ninth has one", zone: "@ 300 MX 90 mail\nmail 300 A 192.0.2.1\n" + dead(10, 8), want: slices.Repeat([]string{"mx.unresolvable"}, 8)},
		{check: "mx", name: "eight without address", zone: dead(10, 8), want: append([]string{"mx.dead"}, slices.Repeat([]string{"mx.unresolvable"}, 8)...)},
		{check: "mx", name: "loopback", zone: "@ 300 MX 10 mail\nmail 300 A 127.0.0.1\n", want: []string{"mx.special-address"}},
		{check: "mx", name: "the domain is an alias", zone: "none", set: func(n *network) {
			n.Add("team.test.", good+"other 300 MX 10 mail\n")
			n.Delegate("test.", "team.test.")
		}},
		{check: "mx", name: "servers fail", zone: good, set: broken("team.test. MX"), trouble: verify.DNSServFail},
		{check: "mx", name: "the mail server's zone fails", zone: good, set: broken("mail.team.test. A"), trouble: verify.DNSServFail},
		{check: "mx", name: "aliases without end", zone: "none", set: func(n *network) {
			n.Zones["test."].Spoil = func(m *dns.Msg) {
				rr, _ := dns.NewRR(fmt.Sprintf("%s 1 IN CNAME x%s", m.Question[0].Name, m.Question[0].Name))
				m.Rcode, m.Ns, m.Answer = 0, nil, []dns.RR{rr}
			}
		}, trouble: verify.DNSAliases},
	}
}

// dead are mail servers without an address.
func dead(preference, n int) (text string) {
	for i := range n {
		text += fmt.Sprintf("@ 300 MX %d gone%d\n", preference, i)
	}
	return text
}

func spfCases() []a {
	many := ""
	for i := range 11 {
		many += fmt.Sprintf(" include:s%d.team.test", i)
	}
	included := ""
	for i := range 11 {
		included += fmt.Sprintf("s%d 300 TXT \"v=spf1 -all\"\n", i)
	}
	txt := func(s string) string { return "@ 300 TXT \"" + s + "\"\n" }
	return []a{
		{check: "spf", name: "good", zone: good + txt("v=spf1 mx -all")},
		{check: "spf", name: "in two strings", zone: good + "@ 300 TXT \"v=spf1 m\" \"x -all\"\n"},
		{check: "spf", name: "missing", zone: good + txt("hello"), want: []string{"spf.missing"}},
		{check: "spf", name: "another version", zone: good + txt("v=spf10 -all"), want: []string{"spf.missing"}},
		{check: "spf", name: "two", zone: txt("v=spf1 -all") + txt("v=spf1 ~all"), want: []string{"spf.several"}},
		{check: "spf", name: "an unknown term", zone: txt("v=spf1 mix -all"), want: []string{"spf.invalid"}},
		{check: "spf", name: "a bad network", zone: txt("v=spf1 ip4:300.1.1.1 -all"), want: []string{"spf.invalid"}},
		{check: "spf", name: "include of nothing", zone: txt("v=spf1 include:none.team.test -all"), want: []string{"spf.invalid"}},
		{check: "spf", name: "eleven includes", zone: txt("v=spf1"+many+" -all") + included, want: []string{"spf.too-many-lookups"}},
		{check: "spf", name: "names that are gone", zone: txt("v=spf1 a:x1.team.test a:x2.team.test a:x3.team.test -all"), want: []string{"spf.too-many-void-lookups"}},
		{check: "spf", name: "eleven mail servers", zone: txt("v=spf1 mx -all") + servers(11), want: []string{"spf.too-many-names"}},
		{check: "spf", name: "anybody", zone: txt("v=spf1 +all"), want: []string{"spf.pass-all"}},
		{check: "spf", name: "anybody, again", zone: txt("v=spf1 all"), want: []string{"spf.pass-all"}},
		{check: "spf", name: "neutral", zone: txt("v=spf1 ?all"), want: []string{"spf.neutral-all"}},
		{check: "spf", name: "ptr", zone: txt("v=spf1 ptr:team.test -all") + "x 300 A 192.0.2.1\n", want: []string{"spf.ptr"}},
		{check: "spf", name: "servers fail", zone: good, set: broken("team.test. TXT"), trouble: verify.DNSServFail},
		{check: "spf", name: "an include fails", zone: txt("v=spf1 include:s.team.test -all"), set: broken("s.team.test. TXT"), trouble: verify.DNSServFail},
	}
}

func servers(n int) (text string) {
	for i := range n {
		text += fmt.Sprintf("@ 300 MX 10 m%d\nm%d 300 A 192.0.2.%d\n", i, i, i+1)
	}
	return text
}

func dmarcCases() []a {
	txt := func(s string) string { return good + "_dmarc 300 TXT \"" + s + "\"\n" }
	over := func(texts ...string) func(*network) {
		return func(n *network) {
			for _, s := range texts {
				n.Zones["test."].Records = append(n.Zones["test."].Records, rr("_dmarc.test. 300 TXT \""+s+"\""))
			}
		}
	}
	return []a{
		{check: "dmarc", name: "good", zone: txt("v=DMARC1; p=reject; rua=mailto:d@team.test")},
		{check: "dmarc", name: "of the domain above", zone: good, set: over("v=DMARC1; p=none; sp=reject; rua=mailto:d@test")},
		{check: "dmarc", name: "blanks around the version", zone: txt("v = DMARC1 ; p=reject; rua=mailto:d@team.test")},
		{check: "dmarc", name: "another way of writing the version", zone: txt("v=dmarc1; p=reject"), want: []string{"dmarc.invalid"}},
		{check: "dmarc", name: "another version", zone: txt("v=DMARC12; p=reject"), want: []string{"dmarc.missing"}},
		{check: "dmarc", name: "another version beside it", zone: txt("v=DMARC2; p=none") + "_dmarc 300 TXT \"v=DMARC1; p=reject; rua=mailto:d@team.test\"\n"},
		{check: "dmarc", name: "the domain above has two", zone: good, set: over("v=DMARC1; p=none", "v=DMARC1; p=reject"), want: []string{"dmarc.missing"}},
		{check: "dmarc", name: "the domain above has a garbled one", zone: good, set: over("v=DMARC1; p reject"), want: []string{"dmarc.missing"}},
		{check: "dmarc", name: "the domain above fails", zone: good, set: broken("_dmarc.test. TXT"), trouble: verify.DNSServFail},
		{check: "dmarc", name: "missing", zone: good, want: []string{"dmarc.missing"}},
		{check: "dmarc", name: "two", zone: txt("v=DMARC1; p=none") + "_dmarc 300 TXT \"v=DMARC1; p=reject\"\n", want: []string{"dmarc.several"}},
		{check: "dmarc", name: "garbled", zone: txt("v=DMARC1; p reject"), want: []string{"dmarc.invalid"}},
		{check: "dmarc", name: "twice the same tag", zone: txt("v=DMARC1; p=none; p=reject"), want: []string{"dmarc.invalid"}},
		{check: "dmarc", name: "no policy", zone: txt("v=DMARC1; rua=mailto:d@team.test"), want: []string{"dmarc.no-policy"}},
		{check: "dmarc", name: "none, no reports", zone: txt("v=DMARC1; p=none"), want: []string{"dmarc.no-reports", "dmarc.none"}},
		{check: "dmarc", name: "testing", zone: txt("v=DMARC1; p=reject; t=y; rua=mailto:d@team.test"), want: []string{"dmarc.testing"}},
		{check: "dmarc", name: "a tag of the old days", zone: txt("v=DMARC1; p=reject; pct=50; rua=mailto:d@team.test"), want: []string{"dmarc.removed-tag"}},
		{check: "dmarc", name: "reports to nowhere", zone: txt("v=DMARC1; p=reject; rua=d@team.test"), want: []string{"dmarc.report-address"}},
		{check: "dmarc", name: "servers fail", zone: good, set: broken("_dmarc.team.test. TXT"), trouble: verify.DNSServFail},
	}
}

// TestDMARCTree has records at several names above a domain: which of them counts
// (RFC 9989 sections 4.10.1 and 4.10.2).
func TestDMARCTree(t *testing.T) {
	const low, mid, high = "a.b.team.test.", "b.team.test.", "team.test."
	none := func(psd string) string { return "v=DMARC1; p=none; psd=" + psd }
	reject := func(psd string) string { return "v=DMARC1; p=reject; psd=" + psd }
	for _, c := range []struct {
		name    string
		records map[string]string
		want    string // where the record is that counts; "": nowhere
	}{
		{"its own", map[string]string{low: reject("u"), high: none("u")}, low},
		{"its own, and a registry's", map[string]string{low: reject("y"), high: none("u")}, low},
		{"of two above the higher", map[string]string{mid: none("u"), high: reject("u")}, high},
		{"an organisation that says so", map[string]string{mid: reject("n"), high: none("u"), "test.": none("u")}, mid},
		{"the name below a registry", map[string]string{mid: none("u"), high: reject("u"), "test.": none("y")}, high},
		{"the name below a registry has none", map[string]string{mid: none("u"), "test.": reject("y")}, "test."},
		{"right below a registry", map[string]string{mid: reject("y"), high: none("u")}, mid},
		{"of the highest name", map[string]string{high: none("u"), "test.": reject("u")}, "test."},
		{"none", nil, ""},
	} {
		n := newNetwork(t)
		z := n.domain(good + "a.b 300 MX 10 mail\n")
		for name, text := range c.records {
			if name == "test." {
				n.Zones["test."].Records = append(n.Zones["test."].Records, rr("_dmarc.test. 300 TXT \""+text+"\""))
				continue
			}
			z.Records = append(z.Records, rr("_dmarc."+name+" 300 TXT \""+text+"\""))
		}
		result, err := n.run(t, "dmarc", verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: "a.b.team.test"}})
		got := ""
		for _, f := range result.Facts {
			if f.Name == "dmarc" {
				got, _, _ = strings.Cut(f.Value, " ")
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%s: the record at %q counts, %v, want %q: %+v", c.name, got, err, c.want, result.Findings)
		}
	}
}

func rr(line string) dns.RR {
	r, err := dns.NewRR(line)
	if err != nil {
		panic(err)
	}
	return r
}

func stsCases() []a {
	const record = good + "_mta-sts 300 TXT \"v=STSv1; id=20261121\"\n"
	const url = "https://mta-sts.team.test/.well-known/mta-sts.txt"
	const policy = "version: STSv1\r\nmode: enforce\r\nmx: mail.team.test\r\nmax_age: 604800\r\n"
	serve := func(status int, media, body string) func(*network) {
		return func(n *network) { n.pages[url] = page(status, media, body) }
	}
	return []a{
		{check: "mtasts", name: "none", zone: good},
		{check: "mtasts", name: "good", zone: record, set: serve(200, "text/plain", policy)},
		{check: "mtasts", name: "extensions", zone: good + "_mta-sts 300 TXT \"v=STSv1; id=20261121; x-note=1; 1.ext_2=a;\"\n", set: serve(200, "text/plain", policy)},
		{check: "mtasts", name: "no name of an extension", zone: good + "_mta-sts 300 TXT \"v=STSv1; id=20261121; -note=1;\"\n", want: []string{"mtasts.invalid"}},
		{check: "mtasts", name: "two records", zone: record + "_mta-sts 300 TXT \"v=STSv1; id=1\"\n", want: []string{"mtasts.several"}},
		{check: "mtasts", name: "no id", zone: good + "_mta-sts 300 TXT \"v=STSv1;\"\n", want: []string{"mtasts.invalid"}},
		{check: "mtasts", name: "a bad id", zone: good + "_mta-sts 300 TXT \"v=STSv1; id=2026-11-21\"\n", want: []string{"mtasts.invalid"}},
		{check: "mtasts", name: "no policy", zone: record, want: []string{"mtasts.policy-unreachable"}},
		{check: "mtasts", name: "a bad certificate", zone: record, set: func(n *network) {
			n.pages[url] = verify.Exchange{Failure: &verify.Failure{Code: verify.FetchCertificate, Detail: "expired"}}
		}, want: []string{"mtasts.policy-unreachable"}},
		{check: "mtasts", name: "HTML", zone: record, set: serve(200, "text/html", policy), want: []string{"mtasts.media-type"}},
		{check: "mtasts", name: "no version", zone: record, set: serve(200, "text/plain", "mode: enforce\nmx: mail.team.test\nmax_age: 1\n"), want: []string{"mtasts.policy-invalid"}},
		{check: "mtasts", name: "another server", zone: record, set: serve(200, "text/plain", strings.Replace(policy, "mail.", "post.", 1)), want: []string{"mtasts.mx-not-listed"}, worst: verify.Error},
		{check: "mtasts", name: "testing", zone: record, set: serve(200, "text/plain", strings.Replace(policy, "enforce", "testing", 1)), want: []string{"mtasts.not-enforced"}},
		{check: "mtasts", name: "another server, testing", zone: record, set: serve(200, "text/plain", strings.NewReplacer("mail.", "post.", "enforce", "testing").Replace(policy)),
			want: []string{"mtasts.mx-not-listed", "mtasts.not-enforced"}, worst: verify.Warning},
		{check: "mtasts", name: "short", zone: record, set: serve(200, "text/plain", strings.Replace(policy, "604800", "60", 1)), want: []string{"mtasts.short-age"}},
		{check: "mtasts", name: "the host is down", zone: record, set: func(n *network) { n.broken[url] = verify.FetchTimeout }, trouble: verify.FetchTimeout},
		{check: "mtasts", name: "servers fail", zone: record, set: broken("_mta-sts.team.test. TXT"), trouble: verify.DNSServFail},
	}
}

func tlsrptCases() []a {
	txt := func(s string) string { return good + "_smtp._tls 300 TXT \"" + s + "\"\n" }
	return []a{
		{check: "tlsrpt", name: "none needed", zone: good},
		{check: "tlsrpt", name: "good", zone: txt("v=TLSRPTv1; rua=mailto:t@team.test,https://t.team.test/r")},
		{check: "tlsrpt", name: "extensions", zone: txt("v=TLSRPTv1; rua=mailto:t@team.test; x-note=1; 1.ext_2=a")},
		{check: "tlsrpt", name: "missing", zone: good + "_mta-sts 300 TXT \"v=STSv1; id=1\"\n", want: []string{"tlsrpt.missing"}},
		{check: "tlsrpt", name: "missing, with DANE", zone: good + "_25._tcp.mail 300 TLSA 3 1 1 " + strings.Repeat("ab", 32) + "\n", want: []string{"tlsrpt.missing"}},
		{check: "tlsrpt", name: "none needed, DANE behind an alias that is not signed", zone: "none", set: strayed},
		{check: "tlsrpt", name: "the mail server's zone fails", zone: good, set: broken("_25._tcp.mail.team.test. TLSA"), trouble: verify.DNSServFail},
		{check: "tlsrpt", name: "two", zone: txt("v=TLSRPTv1; rua=mailto:t@team.test") + "_smtp._tls 300 TXT \"v=TLSRPTv1; rua=mailto:u@team.test\"\n", want: []string{"tlsrpt.several"}},
		{check: "tlsrpt", name: "no rua", zone: txt("v=TLSRPTv1;"), want: []string{"tlsrpt.invalid"}},
		{check: "tlsrpt", name: "http", zone: txt("v=TLSRPTv1; rua=http://t.team.test/"), want: []string{"tlsrpt.invalid"}},
		{check: "tlsrpt", name: "servers fail", zone: good, set: broken("_smtp._tls.team.test. TXT"), trouble: verify.DNSServFail},
	}
}

// forged lets the signatures of the team's zone be over, before a resolver that
// validates.
func forged(n *network) {
	n.strict = true
	n.Zones["team.test."].Until = now.Add(-time.Minute)
}

// lies lets the resolver give other records to whoever does not ask for proof.
func lies(lines ...string) func(*network) {
	return func(n *network) {
		n.lies = map[string][]string{}
		for _, line := range lines {
			h := rr(line).Header()
			key := dns.CanonicalName(h.Name) + " " + dns.TypeToString[h.Rrtype]
			if h.Rrtype == dns.TypeCNAME {
				key = dns.CanonicalName(h.Name) + " A"
			}
			n.lies[key] = append(n.lies[key], line)
		}
	}
}

// provider has a mail server in a zone of its own, named by the domain.
func provider(n *network) {
	n.domain("@ 300 MX 10 mail.host.test.\n", plain)
	n.Add("host.test.", "mail 300 A 192.0.2.1\n_25._tcp.mail 300 TLSA 3 1 1 "+strings.Repeat("ab", 32)+"\n")
	n.Delegate("test.", "host.test.")
}

// strayed has a mail server whose name is an alias of no signed zone, for one that
// has TLSA records which can't be used.
func strayed(n *network) {
	n.domain("@ 300 MX 10 mail.plain.test.\n")
	n.Add("plain.test.", "mail 300 CNAME mx.host.test.\n", plain)
	n.Delegate("test.", "plain.test.")
	n.Add("host.test.", "mx 300 A 192.0.2.1\n_25._tcp.mx 300 TLSA 1 1 1 "+strings.Repeat("ab", 32)+"\n")
	n.Delegate("test.", "host.test.")
}

func daneCases() []a {
	digest := strings.Repeat("ab", 32)
	tlsa := func(s string) string { return good + "_25._tcp.mail 300 TLSA " + s + "\n" }
	return []a{
		{check: "dane", name: "none", zone: good},
		{check: "dane", name: "good", zone: tlsa("3 1 1 " + digest)},
		{check: "dane", name: "behind an alias", zone: "@ 300 MX 10 mail\nmail 300 CNAME host\nhost 300 A 192.0.2.1\n_25._tcp.host 300 TLSA 3 1 1 " + digest + "\n"},
		{check: "dane", name: "behind an alias, not usable", zone: "@ 300 MX 10 mail\nmail 300 CNAME host\nhost 300 A 192.0.2.1\n_25._tcp.host 300 TLSA 1 1 1 " + digest + "\n", want: []string{"dane.none-usable", "dane.unusable"}},
		{check: "dane", name: "behind an alias that is not signed, where nobody looks", zone: "none", set: strayed},
		{check: "dane", name: "behind an alias that can't be proven now", zone: "none", set: func(n *network) {
			strayed(n)
			broken("plain.test. DS")(n)
		}, trouble: verify.DNSServFail},
		{check: "dane", name: "not signed", zone: "none", set: func(n *network) { n.domain(tlsa("3 1 1 "+digest), plain) }, want: []string{"dane.insecure"}},
		{check: "dane", name: "signed wrongly", zone: tlsa("3 1 1 " + digest), set: func(n *network) { n.Zones["team.test."].Until = now.Add(-time.Minute) }, want: []string{"dane.bogus"}},
		{check: "dane", name: "signed wrongly, by a resolver that validates", zone: tlsa("3 1 1 " + digest), set: forged, want: []string{"dane.bogus"}},
		{check: "dane", name: "none, signed wrongly, by a resolver that validates", zone: good, set: forged, trouble: verify.DNSBogus},
		{check: "dane", name: "none, at a provider whose signatures are over, by a resolver that validates", zone: "none", set: func(n *network) {
			provider(n)
			z := n.Zones["host.test."]
			n.strict, z.Until, z.Records = true, now.Add(-time.Minute), slices.DeleteFunc(z.Records, func(r dns.RR) bool { return r.Header().Rrtype == dns.TypeTLSA })
		}, want: []string{"dane.bogus"}},
		{check: "dane", name: "not signed, at a provider that is", zone: "none", set: provider},
		{check: "dane", name: "not signed, at a provider whose signatures are over", zone: "none", set: func(n *network) {
			provider(n)
			n.Zones["host.test."].Until = now.Add(-time.Minute)
		}, want: []string{"dane.bogus"}},
		{check: "dane", name: "usage 1 only", zone: tlsa("1 1 1 " + digest), want: []string{"dane.none-usable", "dane.unusable"}},
		{check: "dane", name: "a short digest", zone: tlsa("3 1 1 abab") + "_25._tcp.mail 300 TLSA 3 1 1 " + digest + "\n", want: []string{"dane.unusable"}},
		{check: "dane", name: "a whole key", zone: tlsa("3 1 0 " + digest), want: []string{"dane.full-match"}},
		{check: "dane", name: "other records without proof", zone: tlsa("3 1 1 " + digest), set: lies("_25._tcp.mail.team.test. 300 TLSA 1 1 1 " + digest)},
		{check: "dane", name: "records that are proven not to be there", zone: good, set: lies("_25._tcp.mail.team.test. 300 TLSA 1 1 1 " + digest)},
		{check: "dane", name: "not usable, and others without proof", zone: tlsa("1 1 1 " + digest), set: lies("_25._tcp.mail.team.test. 300 TLSA 3 1 1 " + digest), want: []string{"dane.none-usable", "dane.unusable"}},
		{check: "dane", name: "another mail server without proof", zone: good + "x 300 A 192.0.2.2\n_25._tcp.x 300 TLSA 1 1 1 " + digest + "\n", set: lies("team.test. 300 MX 10 x.team.test.")},
		{check: "dane", name: "another alias without proof", zone: "@ 300 MX 10 mail\nmail 300 CNAME host\nhost 300 A 192.0.2.1\nx 300 A 192.0.2.2\n_25._tcp.x 300 TLSA 1 1 1 " + digest + "\n",
			set: lies("mail.team.test. 300 CNAME x.team.test.", "x.team.test. 300 A 192.0.2.2")},
		{check: "dane", name: "servers fail", zone: good, set: broken("_25._tcp.mail.team.test. TLSA"), trouble: verify.DNSServFail},
		{check: "dane", name: "the keys can't be had", zone: tlsa("3 1 1 " + digest), set: broken("team.test. DNSKEY"), trouble: verify.DNSServFail},
	}
}

func keyCases(t *testing.T) []a {
	armor, err := os.ReadFile("testdata/cert-team.asc")
	if err != nil {
		t.Fatal(err)
	}
	k, _, err := directory.ParseKey(armor)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile("testdata/cert-team.pgp")
	if err != nil {
		t.Fatal(err)
	}
	claims := verify.Claims{Keys: []verify.ClaimedKey{{Fingerprint: string(k.Fingerprint)}}}
	other := verify.Claims{Keys: []verify.ClaimedKey{{Fingerprint: strings.Repeat("A", 40)}}}
	owner, _ := dnscheck.OwnerOf(address, "_openpgpkey")
	smime, _ := dnscheck.OwnerOf(address, "_smimecert")
	record := good + owner + " 300 TYPE61 \\# " + fmt.Sprint(len(binary)) + " " + fmt.Sprintf("%x", binary) + "\n"
	sm := func(s string) string { return good + smime + " 300 SMIMEA " + s + "\n" }
	digest := strings.Repeat("cd", 32)
	return []a{
		{check: "openpgpkey", name: "none", zone: good},
		{check: "openpgpkey", name: "good", zone: record, claims: claims},
		{check: "openpgpkey", name: "nothing to compare with", zone: record},
		{check: "openpgpkey", name: "another key, which pgpkey-contact tells of", zone: record, claims: other},
		{check: "openpgpkey", name: "not signed", zone: "none", set: func(n *network) { n.domain(record, plain) }, claims: claims, want: []string{"openpgpkey.insecure"}},
		{check: "openpgpkey", name: "signed wrongly", zone: record, set: func(n *network) { n.Zones["team.test."].From = now.Add(time.Minute) }, claims: claims, want: []string{"openpgpkey.bogus"}},
		{check: "openpgpkey", name: "signed wrongly, by a resolver that validates", zone: record, set: forged, claims: claims, want: []string{"openpgpkey.bogus"}},
		{check: "openpgpkey", name: "none, signed wrongly, by a resolver that validates", zone: good, set: forged, trouble: verify.DNSBogus},
		{check: "openpgpkey", name: "no key", zone: good + owner + " 300 OPENPGPKEY aGVsbG8=\n", want: []string{"openpgpkey.garbled"}},
		{check: "openpgpkey", name: "a wildcard", zone: good + "*._openpgpkey 300 TYPE61 \\# " + fmt.Sprint(len(binary)) + " " + fmt.Sprintf("%x", binary) + "\n", claims: claims, want: []string{"openpgpkey.wildcard"}},
		{check: "openpgpkey", name: "another without proof", zone: record, set: lies(owner + " 300 OPENPGPKEY aGVsbG8="), claims: claims},
		{check: "openpgpkey", name: "one that is not there, in a zone that is not signed", zone: "none", set: func(n *network) { n.domain(good, plain); lies(owner + " 300 OPENPGPKEY aGVsbG8=")(n) }},
		{check: "openpgpkey", name: "one that may be there, signed wrongly", zone: good, set: func(n *network) {
			n.Zones["team.test."].Until = now.Add(-time.Minute)
			lies(owner + " 300 OPENPGPKEY aGVsbG8=")(n)
		}, trouble: verify.DNSBogus},
		{check: "openpgpkey", name: "servers fail", zone: record, set: broken(owner + " OPENPGPKEY"), trouble: verify.DNSServFail},
		{check: "smimea", name: "none", zone: good},
		{check: "smimea", name: "good", zone: sm("3 0 1 " + digest)},
		{check: "smimea", name: "not signed", zone: "none", set: func(n *network) { n.domain(sm("3 0 1 "+digest), plain) }, want: []string{"smimea.insecure"}},
		{check: "smimea", name: "signed wrongly", zone: sm("3 0 1 " + digest), set: func(n *network) { n.Zones["team.test."].Until = now.Add(-time.Minute) }, want: []string{"smimea.bogus"}},
		{check: "smimea", name: "signed wrongly, by a resolver that validates", zone: sm("3 0 1 " + digest), set: forged, want: []string{"smimea.bogus"}},
		{check: "smimea", name: "unknown numbers", zone: sm("3 7 1 " + digest), want: []string{"smimea.unusable"}},
		{check: "smimea", name: "a wildcard", zone: good + "*._smimecert 300 SMIMEA 3 0 1 " + digest + "\n", want: []string{"smimea.wildcard"}},
		{check: "smimea", name: "another without proof", zone: sm("3 0 1 " + digest), set: lies(smime + " 300 SMIMEA 3 7 1 " + digest)},
		{check: "smimea", name: "servers fail", zone: good, set: broken(smime + " SMIMEA"), trouble: verify.DNSServFail},
		{check: "cert", name: "none", zone: good},
		{check: "cert", name: "an OpenPGP key", zone: good + "cert 300 CERT PGP 0 0 aGVsbG8=\n", want: []string{"cert.legacy"}},
		{check: "cert", name: "of X.509", zone: good + "cert 300 CERT PKIX 0 0 aGVsbG8=\n"},
		{check: "cert", name: "servers fail", zone: good, set: broken("cert.team.test. CERT"), trouble: verify.DNSServFail},
	}
}

func caaCases() []a {
	caa := func(s string) string { return good + "@ 300 CAA " + s + "\n" }
	claims := verify.Claims{Contacts: []verify.ClaimedContact{{Channel: "email", Value: address, Public: true}}}
	return []a{
		{check: "caa", name: "good", zone: caa(`0 issue "ca.test"`) + "@ 300 CAA 0 iodef \"mailto:cert@team.test\"\n", claims: claims},
		{check: "caa", name: "of the zone above", zone: good, set: func(n *network) {
			n.Zones["test."].Records = append(n.Zones["test."].Records, rr(`test. 300 CAA 0 issue ";"`))
		}},
		{check: "caa", name: "none", zone: good, want: []string{"caa.missing"}},
		{check: "caa", name: "critical and unknown", zone: caa(`128 tbs "x"`), want: []string{"caa.unknown-critical"}},
		{check: "caa", name: "a bad iodef", zone: caa(`0 iodef "cert@team.test"`), want: []string{"caa.iodef-invalid"}},
		{check: "caa", name: "another contact", zone: caa(`0 iodef "mailto:pki@team.test"`), claims: claims, want: []string{"caa.iodef-differs"}},
		{check: "caa", name: "an encoded iodef", zone: caa(`0 iodef "mailto:cert%40team.test?subject=CAA"`), claims: claims},
		{check: "caa", name: "an iodef in two addresses", zone: caa(`0 iodef "mailto:Cert@team.test,pki@team.test"`), claims: claims, want: []string{"caa.iodef-differs"}},
		{check: "caa", name: "an iodef of a service", zone: caa(`0 iodef "https://iodef.team.test/"`), claims: claims},
		{check: "caa", name: "an iodef without an address", zone: caa(`0 iodef "mailto:?subject=CAA"`), claims: claims, want: []string{"caa.iodef-invalid"}},
		{check: "caa", name: "servers fail", zone: good, set: broken("team.test. CAA"), trouble: verify.DNSServFail},
	}
}

func dnssecCases() []a {
	return []a{
		{check: "dnssec", name: "good", zone: good},
		{check: "dnssec", name: "not signed", zone: "none", set: func(n *network) { n.domain(good, plain) }, want: []string{"dnssec.unsigned"}},
		{check: "dnssec", name: "expired", zone: good, set: func(n *network) { n.Zones["team.test."].Until = now.Add(-time.Second) }, want: []string{"dnssec.bogus"}},
		{check: "dnssec", name: "soon", zone: good, set: signed(-30*24*time.Hour, 71*time.Hour), want: []string{"dnssec.expires-soon"}},
		{check: "dnssec", name: "not so soon", zone: good, set: signed(-30*24*time.Hour, 73*time.Hour)},
		{check: "dnssec", name: "signed when asked", zone: good, set: signed(-25*time.Hour, 25*time.Hour)},
		{check: "dnssec", name: "signed for a week, with less than a quarter left", zone: good, set: signed(-127*time.Hour, 41*time.Hour), want: []string{"dnssec.expires-soon"}},
		{check: "dnssec", name: "signed for a week, with more than a quarter left", zone: good, set: signed(-125*time.Hour, 43*time.Hour)},
		{check: "dnssec", name: "an alias of a name that is not signed", zone: "none", set: aliased(plain)},
		{check: "dnssec", name: "an alias of a name that is signed wrongly", zone: "none", set: aliased(func(z *dnssectest.Zone) { z.Until = now.Add(-time.Minute) })},
		{check: "dnssec", name: "an alias that is signed wrongly", zone: "none", set: func(n *network) {
			aliased(plain)(n)
			n.Zones["test."].Spoil = func(m *dns.Msg) {
				if m.Question[0].Name == "team.test." {
					m.Answer = m.Answer[:1]
				}
			}
		}, want: []string{"dnssec.bogus"}},
		{check: "dnssec", name: "no anchor", zone: good, set: func(n *network) { n.Zones["."].Key.Hdr.Name = "elsewhere." }, want: []string{"dnssec.indeterminate"}},
		{check: "dnssec", name: "servers fail", zone: good, set: broken("team.test. DS"), trouble: verify.DNSServFail},
		{check: "dnssec", name: "the answer is an error", zone: good, set: func(n *network) {
			n.Zones["team.test."].Spoil = func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }
		}, trouble: verify.DNSRcode},
	}
}

// signed sets from when to when the signatures of the team's zone are valid.
func signed(from, until time.Duration) func(*network) {
	return func(n *network) {
		n.Zones["team.test."].From, n.Zones["team.test."].Until = now.Add(from), now.Add(until)
	}
}

// aliased makes the domain an alias of a name in the zone of somebody else.
func aliased(change func(*dnssectest.Zone)) func(*network) {
	return func(n *network) {
		n.Zones["test."].Records = append(n.Zones["test."].Records, rr("team.test. 300 CNAME edge.cdn.test."))
		n.Add("cdn.test.", "edge 300 A 192.0.2.7\n", change)
		n.Delegate("test.", "cdn.test.")
	}
}

func nsCases() []a {
	const two = good + "@ 300 NS ns1\n@ 300 NS ns2\nns1 300 A 192.0.2.53\nns2 300 A 198.51.100.53\n"
	const soa = "team.test. 300 SOA ns1.team.test. root.team.test. 1 1 1 1 1"
	set := func(first, second func(verify.Question) *verify.Answer) func(*network) {
		return func(n *network) {
			z := n.Zones["team.test."]
			z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { ns, ok := r.(*dns.NS); return ok && ns.Ns == "ns.invalid." })
			n.servers[netip.MustParseAddr("192.0.2.53")], n.servers[netip.MustParseAddr("198.51.100.53")] = first, second
		}
	}
	from := func(first, second []directory.ASN) func(*network) {
		return func(n *network) {
			set(authority(soa), authority(soa))(n)
			n.origins = map[string][]directory.ASN{"192.0.2.53": first, "198.51.100.53": second}
		}
	}
	many := func(count int) string { // servers in one network
		zone := good
		for i := 1; i <= count; i++ {
			zone += "@ 300 NS ns" + itoa(i) + "\nns" + itoa(i) + " 300 A 192.0.2." + itoa(100+i) + "\n"
		}
		return zone
	}
	all := func(n *network) {
		set(nil, authority(soa))(n)
		for i := 1; i <= 8; i++ {
			n.servers[netip.MustParseAddr("192.0.2."+itoa(100+i))] = authority(soa)
		}
	}
	parent := func(listed ...string) func(*network) {
		return func(n *network) {
			set(authority(soa), authority(soa))(n)
			z := n.Zones["test."]
			z.Records = append(z.Records, rr("test. 300 NS ns.test."), rr("ns.test. 300 A 192.0.2.99"))
			lines := []string{"glue ns1.team.test. 300 A 192.0.2.53", "glue ns2.team.test. 300 A 198.51.100.53"}
			for _, l := range listed {
				if strings.Contains(l, " ") { // in place of the glue that there is
					lines[1] = "glue " + l
					continue
				}
				lines = append(lines, "referral team.test. 300 NS "+l)
			}
			n.servers[netip.MustParseAddr("192.0.2.99")] = authority(lines...)
		}
	}
	differs := authority("referral team.test. 300 NS ns1.team.test.", "referral team.test. 300 NS ns3.team.test.", "glue ns1.team.test. 300 A 192.0.2.53")
	// above are the servers of the parent: the two addresses of the first, and that of the second
	above := func(servers ...func(verify.Question) *verify.Answer) func(*network) {
		return func(n *network) {
			set(authority(soa), authority(soa))(n)
			z := n.Zones["test."]
			z.Records = append(z.Records, rr("test. 300 NS ns.test."), rr("test. 300 NS ns2.test."),
				rr("ns.test. 300 A 192.0.2.99"), rr("ns.test. 300 AAAA 2001:db8::99"), rr("ns2.test. 300 A 192.0.2.98"))
			for i, f := range append(servers, servers[len(servers)-1], servers[len(servers)-1])[:3] {
				n.servers[netip.MustParseAddr([]string{"192.0.2.99", "2001:db8::99", "192.0.2.98"}[i])] = f
			}
		}
	}
	return []a{
		{check: "nameserver", name: "good", zone: two, set: set(authority(soa), authority(soa))},
		{check: "nameserver", name: "no such domain", zone: "none"},
		{check: "nameserver", name: "the parent agrees", zone: two, set: parent("ns1.team.test.", "ns2.team.test.")},
		{check: "nameserver", name: "the parent differs", zone: two, set: parent("ns1.team.test.", "ns3.team.test."), want: []string{"nameserver.delegation-differs"}},
		{check: "nameserver", name: "the parent has another address", zone: two, set: parent("ns1.team.test.", "ns2.team.test.", "ns2.team.test. 300 A 198.51.100.54"), want: []string{"nameserver.glue-differs"}},
		{check: "nameserver", name: "the parent has no address", zone: two, set: parent("ns1.team.test.", "ns2.team.test.", "other.test. 300 A 198.51.100.53"), want: []string{"nameserver.glue-differs"}},
		{check: "nameserver", name: "the parent does not answer", zone: two, set: above(nil), trouble: verify.DNSTimeout},
		{check: "nameserver", name: "the parent refuses", zone: two, set: above(refuses), trouble: verify.DNSRefused},
		{check: "nameserver", name: "the parent may not be asked", zone: two, set: above(forbidden), trouble: verify.DNSAddress, ours: true},
		{check: "nameserver", name: "there is no way to the parent from here", zone: two, set: above(unreached), trouble: verify.DNSNoRoute},
		{check: "nameserver", name: "there is a way to the parent's other address", zone: two, set: above(unreached, differs), want: []string{"nameserver.delegation-differs"}},
		{check: "nameserver", name: "the parent's first server does not answer", zone: two, set: above(nil, nil, differs), want: []string{"nameserver.delegation-differs"}},
		{check: "nameserver", name: "the parent's first server serves both zones, the other does not answer", zone: two, set: above(authority("team.test. 300 NS ns1.team.test.", "team.test. 300 NS ns2.team.test."), nil)},
		{check: "nameserver", name: "the name of the parent's server can't be resolved", zone: two, set: func(n *network) {
			above(differs)(n)
			n.broken = map[string]verify.Code{"ns.test. A": verify.DNSServFail, "ns2.test. A": verify.DNSServFail}
		}, trouble: verify.DNSServFail},
		{check: "nameserver", name: "one", zone: strings.Replace(two, "@ 300 NS ns2\n", "", 1), set: set(authority(soa), nil), want: []string{"nameserver.single"}},
		{check: "nameserver", name: "one is lame", zone: two, set: set(authority(soa), refuses), want: []string{"nameserver.lame"}},
		{check: "nameserver", name: "one answers without authority", zone: two, set: set(authority(soa), authority("referral . 300 NS a.root.")), want: []string{"nameserver.lame"}},
		{check: "nameserver", name: "all are lame", zone: two, set: set(refuses, refuses), want: []string{"nameserver.all-lame", "nameserver.lame", "nameserver.lame"}},
		{check: "nameserver", name: "one has no address", zone: strings.Replace(two, "ns2 300 A 198.51.100.53\n", "x 300 A 192.0.2.7\n", 1), set: set(authority(soa), nil), want: []string{"nameserver.no-address"}},
		{check: "nameserver", name: "one is private", zone: strings.Replace(two, "198.51.100.53", "10.0.0.53", 1), set: set(authority(soa), nil), want: []string{"nameserver.special-address"}},
		{check: "nameserver", name: "one is silent", zone: two, set: set(authority(soa), nil), want: []string{"nameserver.silent"}},
		{check: "nameserver", name: "one network", zone: strings.Replace(two, "198.51.100.53", "192.0.2.54", 1), set: func(n *network) {
			set(authority(soa), nil)(n)
			n.servers[netip.MustParseAddr("192.0.2.54")] = authority(soa)
		}, want: []string{"nameserver.one-network"}},
		{check: "nameserver", name: "one autonomous system", zone: two, set: from([]directory.ASN{64496}, []directory.ASN{64496}), want: []string{"nameserver.one-as"}, worst: verify.Info},
		{check: "nameserver", name: "two autonomous systems", zone: two, set: from([]directory.ASN{64496}, []directory.ASN{64497})},
		{check: "nameserver", name: "one of two at one of them", zone: two, set: from([]directory.ASN{64496}, []directory.ASN{64496, 64497})},
		{check: "nameserver", name: "the reference data does not know one", zone: two, set: from([]directory.ASN{64496}, nil)},
		{check: "nameserver", name: "one server with two addresses of one autonomous system", zone: strings.Replace(two, "@ 300 NS ns2\n", "ns1 300 A 198.51.100.53\n", 1), set: from([]directory.ASN{64496}, []directory.ASN{64496}), want: []string{"nameserver.single"}},
		{check: "nameserver", name: "eight in one network", zone: many(8), set: all, want: []string{"nameserver.one-network"}},
		{check: "nameserver", name: "nine, of which the last is elsewhere", zone: many(8) + "@ 300 NS z\nz 300 A 198.51.100.53\n", set: all},
		{check: "nameserver", name: "eight with nine addresses, of which the last is elsewhere", zone: many(8) + "ns8 300 A 198.51.100.53\n", set: all},
		{check: "nameserver", name: "two versions", zone: two, set: set(authority(soa), authority(strings.Replace(soa, " 1 1 1 1 1", " 2 1 1 1 1", 1))), want: []string{"nameserver.serials-differ"}},
		{check: "nameserver", name: "one has an address of a kind to which there is no way from here", zone: two, set: set(authority(soa), unreached)},
		{check: "nameserver", name: "one may not be asked", zone: two, set: set(authority(soa), forbidden)},
		{check: "nameserver", name: "one is lame, the other may not be asked", zone: two, set: set(refuses, forbidden), want: []string{"nameserver.lame"}},
		{check: "nameserver", name: "none may be asked", zone: two, set: set(forbidden, forbidden), trouble: verify.DNSAddress, ours: true},
		{check: "nameserver", name: "all are silent", zone: two, set: set(nil, nil), trouble: verify.DNSTimeout},
		{check: "nameserver", name: "servers fail", zone: two, set: broken("team.test. NS"), trouble: verify.DNSServFail},
	}
}

// full is a network on which our turn to ask one server has not come.
type full struct {
	*network
	server netip.Addr
}

func (n full) Query(ctx context.Context, q verify.Question) (*verify.Answer, error) {
	if q.Server.Addr() == n.server {
		return nil, &verify.Trouble{Code: verify.CodeBusy, Ours: true}
	}
	return n.network.Query(ctx, q)
}

// TestParentBusy: trouble of our own while the parent is asked is no conclusion,
// though another of its servers would answer.
func TestParentBusy(t *testing.T) {
	for _, c := range nsCases() {
		if c.name != "the parent's first server does not answer" {
			continue
		}
		n := newNetwork(t)
		n.domain(c.zone)
		c.set(n)
		i := slices.IndexFunc(n.checks(), func(c verify.Check) bool { return c.Name == "nameserver" })
		_, err := n.checks()[i].Run(t.Context(), full{n, netip.MustParseAddr("192.0.2.99")}, verify.Target{Subject: subjectOf("nameserver"), Now: now})
		var trouble *verify.Trouble
		if !errors.As(err, &trouble) || trouble.Code != verify.CodeBusy || !trouble.Ours {
			t.Errorf("Run = %v, want our own trouble %s", err, verify.CodeBusy)
		}
		return
	}
	t.Fatal("no such case")
}

func expiryCases() []a {
	const bootstrap = `{"services":[[["com"],["https://rdap.com.test/"]],[["test"],["http://rdap.test/x/","https://rdap.test/x/"]]]}`
	set := func(body string) func(*network) {
		return func(n *network) {
			n.pages["https://rdap.test/dns.json"] = page(200, "application/json", bootstrap)
			n.pages["https://rdap.test/x/domain/team.test"] = page(200, "application/rdap+json", body)
		}
	}
	ends := func(days int) string {
		return fmt.Sprintf(`{"ldhName":"team.test","status":["active"],"events":[{"eventAction":"registration","eventDate":"2001-01-01T00:00:00Z"},{"eventAction":"expiration","eventDate":%q}]}`, now.AddDate(0, 0, days).Format(time.RFC3339))
	}
	return []a{
		{check: "expiry", name: "in a year", zone: good, set: set(ends(365))},
		{check: "expiry", name: "the registry has no RDAP", zone: good, set: func(n *network) {
			n.pages["https://rdap.test/dns.json"] = page(200, "application/json", `{"services":[]}`)
		}},
		{check: "expiry", name: "the registry does not know it", zone: good, set: func(n *network) { set("")(n); delete(n.pages, "https://rdap.test/x/domain/team.test") }},
		{check: "expiry", name: "in a month", zone: good, set: set(ends(30)), want: []string{"domain.expires-soon"}},
		{check: "expiry", name: "yesterday", zone: good, set: set(ends(-1)), want: []string{"domain.expired"}},
		{check: "expiry", name: "on hold", zone: good, set: set(`{"status":["client hold"],"events":[]}`), want: []string{"domain.on-hold"}},
		{check: "expiry", name: "of the domain that was asked about", zone: good, set: set(`{"ldhName":"TEAM.test.","status":["client hold"]}`), want: []string{"domain.on-hold"}},
		{check: "expiry", name: "of another domain", zone: good, set: set(`{"ldhName":"other.test","status":["client hold"]}`), trouble: verify.FetchFormat},
		{check: "expiry", name: "the registry is down", zone: good, set: func(n *network) { n.broken["https://rdap.test/dns.json"] = verify.FetchTimeout }, trouble: verify.FetchTimeout},
		{check: "expiry", name: "the registry errs", zone: good, set: func(n *network) {
			set("")(n)
			n.pages["https://rdap.test/x/domain/team.test"] = page(400, "text/html", "no")
		}, trouble: verify.FetchStatus},
		{check: "expiry", name: "the registry sends no JSON", zone: good, set: set("<html>"), trouble: verify.FetchFormat},
	}
}

func otherCases() []a {
	txt := func(s string) string { return good + "_security 300 TXT \"" + s + "\"\n" }
	claims := verify.Claims{Contacts: []verify.ClaimedContact{{Channel: "email", Value: address, Public: true}}}
	more := verify.Claims{Website: "https://www.team.test/", Contacts: []verify.ClaimedContact{
		{Channel: "url", Value: "https://team.test/report", Public: true}, {Channel: "phone", Value: "+4315056416", Public: true}}}
	return []a{
		{check: "dnssecuritytxt", name: "none", zone: good},
		{check: "dnssecuritytxt", name: "good", zone: txt("security_contact=mailto:cert@team.test"), claims: claims},
		{check: "dnssecuritytxt", name: "a page", zone: txt("security_contact=https://team.test/report"), claims: claims},
		{check: "dnssecuritytxt", name: "a bare address", zone: txt("security_contact=cert@team.test"), want: []string{"dnssecuritytxt.invalid"}},
		{check: "dnssecuritytxt", name: "another contact", zone: txt("security_contact=mailto:x@team.test"), claims: claims, want: []string{"dnssecuritytxt.differs"}},
		{check: "dnssecuritytxt", name: "an encoded address", zone: txt("security_contact=mailto:Cert%40team.test"), claims: claims},
		{check: "dnssecuritytxt", name: "an address in the header", zone: txt("security_contact=mailto:?to=cert%40team.test"), claims: claims},
		{check: "dnssecuritytxt", name: "the profile's page", zone: txt("security_contact=https://Team.test/report/"), claims: more},
		{check: "dnssecuritytxt", name: "the profile's website", zone: txt("security_contact=https://www.team.test"), claims: more},
		{check: "dnssecuritytxt", name: "another page", zone: txt("security_contact=https://team.test/other"), claims: more, want: []string{"dnssecuritytxt.differs"}},
		{check: "dnssecuritytxt", name: "the profile's number", zone: txt("security_contact=tel:+43-1-5056416"), claims: more},
		{check: "dnssecuritytxt", name: "another number", zone: txt("security_contact=tel:+43-1-5056417"), claims: more, want: []string{"dnssecuritytxt.differs"}},
		{check: "dnssecuritytxt", name: "of a wildcard", zone: good + "* 300 TXT \"security_contact=mailto:x@team.test\"\n", claims: claims},
		{check: "dnssecuritytxt", name: "beside a wildcard", zone: txt("security_contact=mailto:x@team.test") + "* 300 TXT other\n", claims: claims, want: []string{"dnssecuritytxt.differs"}},
		{check: "dnssecuritytxt", name: "servers fail", zone: good, set: broken("_security.team.test. TXT"), trouble: verify.DNSServFail},
		{check: "wildcard", name: "none", zone: good},
		{check: "wildcard", name: "of texts", zone: good + "* 300 TXT x\n", want: []string{"wildcard.txt"}},
		{check: "wildcard", name: "of addresses", zone: good + "* 300 A 192.0.2.1\n", want: []string{"wildcard.address"}},
		{check: "wildcard", name: "servers fail", zone: good, set: func(n *network) {
			n.broken["_"+probe(n)+".team.test. TXT"] = verify.DNSServFail
		}, trouble: verify.DNSServFail},
	}
}

// TestHiddenContacts: nothing that the checks say depends on what others may not see.
func TestHiddenContacts(t *testing.T) {
	zone := good + "@ 300 CAA 0 iodef \"mailto:pki@team.test\"\n_security 300 TXT \"security_contact=mailto:pki@team.test\"\n"
	public := verify.ClaimedContact{Channel: "email", Value: address, Public: true}
	for check, code := range map[string]verify.Code{"caa": "caa.iodef-differs", "dnssecuritytxt": "dnssecuritytxt.differs"} {
		for _, claims := range [][]verify.ClaimedContact{{public}, {public, {Channel: "email", Value: "pki@team.test"}}, {{Channel: "email", Value: "hidden@team.test"}}} {
			n := newNetwork(t)
			n.domain(zone)
			result, err := n.run(t, check, verify.Target{Subject: subjectOf(check), Claims: verify.Claims{Contacts: claims}})
			found := slices.ContainsFunc(result.Findings, func(f verify.Finding) bool { return f.Code == code })
			if err != nil || found != claims[0].Public {
				t.Errorf("%s with %+v: %+v, %v", check, claims, result.Findings, err)
			}
		}
	}
}

// probe is the name that the wildcard check asks for on the day of the tests.
func probe(*network) string {
	sum := sha256.Sum256([]byte(domain + "." + now.Format(time.DateOnly)))
	return "rollcall-" + hex.EncodeToString(sum[:8])
}

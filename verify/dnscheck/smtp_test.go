package dnscheck_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
)

// maker makes certificates of one authority.
type maker struct {
	t   *testing.T
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

func newMaker(t *testing.T) *maker {
	m := &maker{t: t}
	m.ca, m.key = m.make(&x509.Certificate{Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true})
	return m
}

func (m *maker) make(c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(1), now.AddDate(-1, 0, 0)
	if c.NotAfter.IsZero() {
		c.NotAfter = now.AddDate(1, 0, 0)
	}
	parent, signer := m.ca, m.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		m.t.Fatal(err)
	}
	return out, key
}

// leaf makes a certificate for a name.
func (m *maker) leaf(name string) *x509.Certificate {
	c, _ := m.make(&x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}})
	return c
}

// visit is one that went well up to what change does.
func visit(change ...func(*verify.Visit)) func() *verify.Visit {
	return func() *verify.Visit {
		v := &verify.Visit{Replies: []verify.Reply{
			{Code: 220, Lines: []string{"mail.team.test ESMTP"}}, {Sent: "EHLO rollcall.test", Code: 250, Lines: []string{"mail.team.test", "SIZE 1000", "STARTTLS"}}, {Sent: "STARTTLS", Code: 220, Lines: []string{"Go"}}}}
		for _, f := range change {
			f(v)
		}
		return v
	}
}

// shows ends a visit with a certificate; problem says what a public authority finds.
func shows(problem string, chain ...*x509.Certificate) func(*verify.Visit) {
	return func(v *verify.Visit) {
		v.TLS = &verify.TLS{Version: "TLS 1.3", Verified: problem == "", Problem: problem}
		for _, c := range chain {
			v.Chain = append(v.Chain, c.Raw)
			v.TLS.Chain = append(v.TLS.Chain, verify.Certificate{Names: c.DNSNames, NotAfter: c.NotAfter})
		}
	}
}

// says ends a visit with the nth reply.
func says(n, code int, lines ...string) func(*verify.Visit) {
	return func(v *verify.Visit) {
		v.Replies = v.Replies[:n+1]
		v.Replies[n].Code, v.Replies[n].Lines = code, lines
	}
}

func fails(code verify.Code, after int) func(*verify.Visit) {
	return func(v *verify.Visit) {
		v.Replies, v.Failure = v.Replies[:after], &verify.Failure{Code: code, Detail: "x", Temporary: code != verify.FetchTLSVersion}
	}
}

func smtpCases(t *testing.T) []a {
	m := newMaker(t)
	leaf := m.leaf("mail.team.test")
	digest := func(raw []byte) string { sum := sha256.Sum256(raw); return hex.EncodeToString(sum[:]) }
	long := sha512.Sum512(leaf.Raw)
	at := func(visits ...func() *verify.Visit) func(*network) {
		return func(n *network) {
			for i, f := range visits {
				n.mail[fmt.Sprintf("mail.team.test 192.0.2.%d", i+1)] = f
				n.mail[fmt.Sprintf("mail%d.team.test 192.0.2.%d", i+1, i+1)] = f
			}
		}
	}
	fine := visit(shows("", leaf))
	wrong := visit(shows("wrong-name", m.leaf("other.test")))
	clear := visit(says(1, 250, "mail.team.test"))
	tlsa := func(s string) string { return good + "_25._tcp.mail 300 TLSA " + s + "\n" }
	sts := func(mode, mx string, f func() *verify.Visit) func(*network) {
		return func(n *network) {
			at(f)(n)
			n.pages["https://mta-sts.team.test/.well-known/mta-sts.txt"] = page(200, "text/plain", "version: STSv1\nmode: "+mode+"\nmx: "+mx+"\nmax_age: 604800\n")
		}
	}
	policy := good + "_mta-sts 300 TXT \"v=STSv1; id=1\"\n"
	two := "@ 300 MX 10 mail1\n@ 300 MX 20 mail2\nmail1 300 A 192.0.2.1\nmail2 300 A 192.0.2.2\n"
	was := func(ago time.Duration) []verify.Fact {
		return []verify.Fact{{Name: "smtp-silent", Value: "mail2.team.test 192.0.2.2 since " + now.Add(-ago).Format(time.RFC3339)}}
	}
	none := func(*network) {}
	const aliased = "@ 300 MX 10 mail\nmail 300 CNAME mx.host.test.\n"
	behind := func(leaf *x509.Certificate, authority string) func(*network) { // a provider's server
		return func(n *network) {
			n.Add("host.test.", "mx 300 A 192.0.2.1\n_25._tcp.mx 300 TLSA 2 0 1 "+authority+"\n")
			n.Delegate("test.", "host.test.")
			at(visit(shows("unknown-authority", leaf, m.ca)))(n)
		}
	}
	lied := func(line string, f func() *verify.Visit) func(*network) {
		return func(n *network) { at(f)(n); lies(line)(n) }
	}
	fits, other := "3 1 1 "+digest(leaf.RawSubjectPublicKeyInfo), "3 1 1 "+strings.Repeat("ab", 32)
	return []a{
		{check: "smtp", name: "good", zone: good, set: at(fine)},
		{check: "smtp", name: "no mail at all", zone: "@ 300 MX 0 .\n", set: none},
		{check: "smtp", name: "no domain", zone: "none", set: none},
		{check: "smtp", name: "an address for a name", zone: "@ 300 MX 10 192.0.2.1.\n", set: none},
		{check: "smtp", name: "a private address, of which mx tells", zone: "@ 300 MX 10 mail\nmail 300 A 10.0.0.1\n", set: none},
		{check: "smtp", name: "the domain itself", zone: "@ 300 A 192.0.2.1\n", set: func(n *network) { n.mail["team.test 192.0.2.1"] = clear }, want: []string{"smtp.no-starttls"}},
		{check: "smtp", name: "in clear", zone: good, set: at(clear), want: []string{"smtp.no-starttls"}, worst: verify.Warning},
		{check: "smtp", name: "no EHLO", zone: good, set: at(visit(says(1, 502, "What?"))), want: []string{"smtp.no-starttls"}},
		{check: "smtp", name: "STARTTLS is offered and refused", zone: good, set: at(visit(says(2, 502, "No"))), want: []string{"smtp.no-starttls"}},
		{check: "smtp", name: "in clear against a policy", zone: policy, set: sts("enforce", "mail.team.test", clear), want: []string{"smtp.no-starttls"}, worst: verify.Error},
		{check: "smtp", name: "in clear against TLSA records", zone: tlsa("3 1 1 " + strings.Repeat("ab", 32)), set: at(clear), want: []string{"smtp.no-starttls"}, worst: verify.Error},
		{check: "smtp", name: "TLS 1.1", zone: good, set: at(visit(fails(verify.FetchTLSVersion, 3))), want: []string{"smtp.tls-version"}, worst: verify.Warning},
		{check: "smtp", name: "another's certificate", zone: good, set: at(wrong), want: []string{"smtp.certificate"}, worst: verify.Info},
		{check: "smtp", name: "another's certificate, testing", zone: policy, set: sts("testing", "mail.team.test", wrong), want: []string{"smtp.certificate"}, worst: verify.Info},
		{check: "smtp", name: "another's certificate against a policy", zone: policy, set: sts("enforce", "*.team.test", wrong), want: []string{"smtp.certificate"}, worst: verify.Error},
		{check: "smtp", name: "another's certificate at a host that the policy has not", zone: policy, set: sts("enforce", "mx.team.test", wrong), want: []string{"smtp.certificate"}, worst: verify.Info},
		{check: "smtp", name: "the policy can't be had", zone: policy, set: func(n *network) {
			at(wrong)(n)
			n.broken["https://mta-sts.team.test/.well-known/mta-sts.txt"] = verify.FetchTimeout
		}, trouble: verify.FetchTimeout},
		{check: "smtp", name: "the policy is not asked for where all is well", zone: policy, set: func(n *network) {
			at(fine)(n)
			n.broken["https://mta-sts.team.test/.well-known/mta-sts.txt"] = verify.FetchTimeout
		}},
		{check: "smtp", name: "a policy that can't be read", zone: policy, set: sts("no such mode", "x", wrong), want: []string{"smtp.certificate"}, worst: verify.Info},
		{check: "smtp", name: "DANE, the key", zone: tlsa("3 1 1 " + digest(leaf.RawSubjectPublicKeyInfo)), set: at(visit(shows("self-signed", leaf)))},
		{check: "smtp", name: "DANE, the certificate", zone: tlsa("3 0 2 " + hex.EncodeToString(long[:])), set: at(visit(shows("expired", leaf)))},
		{check: "smtp", name: "DANE, whole", zone: tlsa("3 0 0 " + hex.EncodeToString(leaf.Raw)), set: at(visit(shows("expired", leaf)))},
		{check: "smtp", name: "DANE, the authority", zone: tlsa("2 0 1 " + digest(m.ca.Raw)), set: at(visit(shows("unknown-authority", leaf, m.ca)))},
		{check: "smtp", name: "DANE, the authority of another name", zone: tlsa("2 0 1 " + digest(m.ca.Raw)), set: at(visit(shows("unknown-authority", m.leaf("other.test"), m.ca))), want: []string{"smtp.dane-mismatch"}},
		{check: "smtp", name: "DANE, the authority of the domain's name", zone: tlsa("2 0 1 " + digest(m.ca.Raw)), set: at(visit(shows("unknown-authority", m.leaf("team.test"), m.ca)))},
		{check: "smtp", name: "DANE, the authority of the name behind an alias", zone: aliased, set: behind(m.leaf("mx.host.test"), digest(m.ca.Raw))},
		{check: "smtp", name: "DANE, the authority of no name on the way", zone: aliased, set: behind(m.leaf("other.test"), digest(m.ca.Raw)), want: []string{"smtp.dane-mismatch"}},
		{check: "smtp", name: "DANE, behind an alias that is not signed", zone: "none", set: func(n *network) {
			n.domain("@ 300 MX 10 mail.plain.test.\n")
			n.Add("plain.test.", "mail 300 CNAME mx.host.test.\n", plain)
			n.Delegate("test.", "plain.test.")
			behind(m.leaf("other.test"), digest(m.ca.Raw))(n)
			n.mail["mail.plain.test 192.0.2.1"] = visit(shows("", m.leaf("mail.plain.test")))
		}},
		{check: "smtp", name: "DANE, another key", zone: tlsa("3 1 1 " + strings.Repeat("ab", 32)), set: at(fine), want: []string{"smtp.dane-mismatch"}, worst: verify.Error},
		{check: "smtp", name: "DANE, another key and the right one", zone: tlsa("3 1 1 "+strings.Repeat("ab", 32)) + "_25._tcp.mail 300 TLSA 3 1 1 " + digest(leaf.RawSubjectPublicKeyInfo) + "\n", set: at(fine)},
		{check: "smtp", name: "DANE, another key, and the right one without proof", zone: tlsa(other), set: lied("_25._tcp.mail.team.test. 300 TLSA "+fits, fine), want: []string{"smtp.dane-mismatch"}},
		{check: "smtp", name: "DANE, the key, and another without proof", zone: tlsa(fits), set: lied("_25._tcp.mail.team.test. 300 TLSA "+other, fine)},
		{check: "smtp", name: "DANE, of a mail server that is named without proof", zone: tlsa(other) + "@ 300 MX 20 x\n", set: func(n *network) {
			lied("team.test. 300 MX 10 mail.team.test.", fine)(n)
			z := n.Zones["team.test."]
			z.Records = slices.DeleteFunc(z.Records, func(r dns.RR) bool { mx, ok := r.(*dns.MX); return ok && mx.Preference == 10 })
		}},
		{check: "smtp", name: "DANE, of the domain itself", zone: "@ 300 A 192.0.2.1\n_25._tcp 300 TLSA " + other + "\n", set: func(n *network) { n.mail["team.test 192.0.2.1"] = fine }, want: []string{"smtp.dane-mismatch"}},
		{check: "smtp", name: "TLSA records that are not signed", zone: "none", set: func(n *network) { n.domain(tlsa("3 1 1 "+strings.Repeat("ab", 32)), plain); at(fine)(n) }},
		{check: "smtp", name: "no service", zone: good, set: at(visit(says(0, 554, "No SMTP service here"))), want: []string{"smtp.refused"}, worst: verify.Warning},
		{check: "smtp", name: "never", zone: good, set: at(visit(says(0, 521, "No mail here"))), want: []string{"smtp.refused"}, worst: verify.Warning},
		{check: "smtp", name: "never, to EHLO", zone: good, set: at(visit(says(1, 521, "Your address is blocked"))), want: []string{"smtp.refused"}, worst: verify.Warning},
		{check: "smtp", name: "it does not like our name", zone: good, set: at(visit(says(1, 550, "Go away"))), want: []string{"smtp.refused"}, worst: verify.Warning},
		{check: "smtp", name: "one is away", zone: two, set: at(fine), want: []string{"smtp.silent"}, worst: verify.Info},
		{check: "smtp", name: "one has been away since yesterday", zone: two, set: at(fine), previous: was(47 * time.Hour), want: []string{"smtp.silent"}, worst: verify.Info},
		{check: "smtp", name: "one has been away for two days", zone: two, set: at(fine), previous: was(48 * time.Hour), want: []string{"smtp.silent"}, worst: verify.Warning},
		{check: "smtp", name: "one says later", zone: two, set: at(fine, visit(says(0, 421, "Busy"))), want: []string{"smtp.silent"}, worst: verify.Info},
		{check: "smtp", name: "one talks junk", zone: two, set: at(fine, visit(fails(verify.FetchNoSMTP, 0))), want: []string{"smtp.silent"}},
		{check: "smtp", name: "no handshake with one", zone: two, set: at(fine, visit(fails(verify.FetchTLS, 3)))},
		{check: "smtp", name: "no way to one", zone: two, set: at(fine, visit(fails(verify.FetchNoRoute, 0)))},
		{check: "smtp", name: "one that may not be visited", zone: two, set: at(fine, visit(fails(verify.FetchDenied, 0)))},
		{check: "smtp", name: "the fourth is not visited", zone: two + "@ 300 MX 30 mail3\n@ 300 MX 40 mail4\nmail3 300 A 192.0.2.3\nmail4 300 A 192.0.2.4\n", set: at(fine, visit(shows("", m.leaf("mail2.team.test"))), fine)},
		{check: "smtp", name: "IPv6 as well", zone: good + "mail 300 AAAA 2001:db8::1\nmail 300 AAAA 2001:db8::2\n", set: func(n *network) { at(fine)(n); n.mail["mail.team.test 2001:db8::1"] = clear }, want: []string{"smtp.no-starttls"}},
		{check: "smtp", name: "no way out by IPv6", zone: two + "mail1 300 AAAA 2001:db8::1\nmail2 300 AAAA 2001:db8::2\n", set: at(fine, visit(shows("", m.leaf("mail2.team.test"))))},
		{check: "smtp", name: "no way out by IPv4", zone: good + "mail 300 AAAA 2001:db8::1\n", set: func(n *network) { n.mail["mail.team.test 2001:db8::1"] = fine }},
		{check: "smtp", name: "one is away by IPv6", zone: two + "mail1 300 AAAA 2001:db8::1\nmail2 300 AAAA 2001:db8::2\n", set: func(n *network) {
			at(fine, visit(shows("", m.leaf("mail2.team.test"))))(n)
			n.mail["mail1.team.test 2001:db8::1"] = fine
		}, want: []string{"smtp.silent"}, worst: verify.Info},
		{check: "smtp", name: "the same address whatever the order", zone: "@ 300 MX 10 mail\nmail 300 A 192.0.2.2\nmail 300 A 192.0.2.1\n", set: at(fine, clear)},
		{check: "smtp", name: "nobody is there", zone: two, set: none, trouble: verify.FetchRefused},
		{check: "smtp", name: "all may not be visited", zone: good, set: at(visit(fails(verify.FetchDenied, 0))), trouble: verify.FetchDenied},
		{check: "smtp", name: "later", zone: good, set: at(visit(says(0, 421, "Busy"))), trouble: verify.FetchThrottled},
		{check: "smtp", name: "later, after EHLO", zone: good, set: at(visit(says(1, 451, "Busy"))), trouble: verify.FetchThrottled},
		{check: "smtp", name: "TLS not now", zone: good, set: at(visit(says(2, 454, "Not now"))), trouble: verify.FetchThrottled},
		{check: "smtp", name: "junk for TLS", zone: good, set: at(visit(fails(verify.FetchTLS, 3))), trouble: verify.FetchTLS},
		{check: "smtp", name: "no handshake", zone: good, set: at(visit(fails(verify.FetchTLS, 3))), trouble: verify.FetchTLS},
		{check: "smtp", name: "the network breaks", zone: good, set: func(n *network) { n.mail["mail.team.test 192.0.2.1"] = func() *verify.Visit { panic("broken") } }, trouble: verify.CodePanic, ours: true},
		{check: "smtp", name: "servers fail", zone: good, set: broken("team.test. MX"), trouble: verify.DNSServFail},
		{check: "smtp", name: "TLSA records can't be had", zone: good, set: func(n *network) { at(fine)(n); n.broken["_25._tcp.mail.team.test. TLSA"] = verify.DNSServFail }, trouble: verify.DNSServFail},
	}
}

// TestSMTPIsOptIn: without the configuration no team's server is visited, and by hand only who asks for
// the check by name visits one.
func TestSMTPIsOptIn(t *testing.T) {
	team := &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{{Channel: "email", Value: address}}}}
	for _, on := range []bool{false, true} {
		for _, c := range dnscheck.Checks(dnscheck.Config{SMTP: on}) {
			if c.Name != "smtp" {
				continue
			}
			if list := c.Applies(team); (len(list) == 1) != on || c.Claimed == on {
				t.Errorf("with %t it applies to %v, and is run by hand unasked: %t", on, list, !c.Claimed)
			}
		}
	}
}

// crowded is a network on which one host's turn is far away.
type crowded struct {
	*network
	host string
}

func (n crowded) Greet(ctx context.Context, q verify.Greeting) (*verify.Visit, error) {
	if q.Host == n.host {
		return nil, &verify.Trouble{Code: verify.CodeBusy, Ours: true, Retry: 2 * time.Second}
	}
	return n.network.Greet(ctx, q)
}

// TestSMTPBusy: a run that is sent away in the middle does not visit the same servers again within seconds.
func TestSMTPBusy(t *testing.T) {
	n := newNetwork(t)
	n.domain("@ 300 MX 10 mail1\n@ 300 MX 20 mail2\nmail1 300 A 192.0.2.1\nmail2 300 A 192.0.2.2\n")
	n.mail["mail1.team.test 192.0.2.1"] = visit(shows("", newMaker(t).leaf("mail1.team.test")))
	for _, c := range n.checks() {
		if c.Name != "smtp" {
			continue
		}
		_, err := c.Run(t.Context(), crowded{n, "mail2.team.test"}, verify.Target{Subject: subjectOf("smtp"), Now: now})
		var trouble *verify.Trouble
		if !errors.As(err, &trouble) || trouble.Code != verify.CodeBusy || !trouble.Ours || trouble.Retry != 15*time.Minute+2*time.Second {
			t.Errorf("Run = %v, to come back in %v; want %s, in a quarter of an hour", err, trouble, verify.CodeBusy)
		}
	}
}

// TestSMTPSince: since when a server is out of reach is known from one conclusion to the next.
func TestSMTPSince(t *testing.T) {
	n := newNetwork(t)
	n.domain("@ 300 MX 10 mail1\n@ 300 MX 20 mail2\nmail1 300 A 192.0.2.1\nmail2 300 A 192.0.2.2\n")
	n.mail["mail1.team.test 192.0.2.1"] = visit(shows("", newMaker(t).leaf("mail1.team.test")))
	facts := func(previous []verify.Fact) string {
		t.Helper()
		r, err := n.run(t, "smtp", verify.Target{Subject: subjectOf("smtp"), Previous: previous})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Facts {
			if f.Name == "smtp-silent" {
				return f.Value
			}
		}
		return ""
	}
	const where = "mail2.team.test 192.0.2.2 since "
	if got, want := facts(nil), where+now.UTC().Format(time.RFC3339); got != want {
		t.Errorf("at first it is %q, want %q", got, want)
	}
	before := where + now.Add(-time.Hour).UTC().Format(time.RFC3339)
	if got := facts([]verify.Fact{{Name: "smtp-silent", Value: before}}); got != before {
		t.Errorf("then it is %q, want %q", got, before)
	}
	for _, other := range []string{"mail1.team.test 192.0.2.1 since 2020-01-01T00:00:00Z", "x", where + "long ago", where + now.AddDate(1, 0, 0).Format(time.RFC3339)} {
		if got, want := facts([]verify.Fact{{Name: "smtp-silent", Value: other}}), where+now.UTC().Format(time.RFC3339); got != want {
			t.Errorf("after %q it is %q, want %q", other, got, want)
		}
	}
}

package dnscheck_test

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
	"github.com/rollcall-csirt/rollcall/verify/dnssec/dnssectest"
)

var now = dnssectest.Now()

// network is a [verify.Network] over signed zones and a few pages.
type network struct {
	*dnssectest.World
	servers map[netip.Addr]func(q verify.Question) *verify.Answer // name servers that are asked themselves
	broken  map[string]verify.Code                                // "name TYPE", "name" or URL -> failure, temporary
	pages   map[string]verify.Exchange
	origins map[string][]directory.ASN      // by address
	mail    map[string]func() *verify.Visit // "host address"; a server that is not there refuses
	strict  bool                            // the resolver validates, and gives SERVFAIL for what is forged
	lies    map[string][]string             // "name TYPE" -> records that the resolver gives to whoever asks for no proof
}

func newNetwork(t testing.TB) *network {
	n := &network{World: dnssectest.New(t), servers: map[netip.Addr]func(verify.Question) *verify.Answer{}, broken: map[string]verify.Code{}, pages: map[string]verify.Exchange{}, mail: map[string]func() *verify.Visit{}}
	n.Add(".", "")
	n.Add("test.", "")
	n.Delegate(".", "test.")
	return n
}

// domain adds team.test with the records of a zone file.
func (n *network) domain(text string, change ...func(*dnssectest.Zone)) *dnssectest.Zone {
	z := n.Add("team.test.", text, change...)
	n.Delegate("test.", "team.test.")
	return z
}

// Query answers from the zones, or as a single server does.
func (n *network) Query(ctx context.Context, q verify.Question) (*verify.Answer, error) {
	name := dns.CanonicalName(q.Name)
	for _, key := range []string{name + " " + q.Type, name} {
		if code, ok := n.broken[key]; ok {
			return &verify.Answer{Question: q, At: now, Failure: &verify.Failure{Code: code, Temporary: true}}, nil
		}
	}
	if q.Server.IsValid() {
		if f := n.servers[q.Server.Addr()]; f != nil {
			return f(q), nil
		}
		return &verify.Answer{Question: q, At: now, Failure: &verify.Failure{Code: verify.DNSTimeout, Temporary: true}}, nil
	}
	if lines, ok := n.lies[name+" "+q.Type]; ok && !q.NoCheck {
		return authority(lines...)(q), nil
	}
	if n.strict && !q.NoCheck {
		v, err := dnssec.New(dnssec.Config{Now: now, Anchors: n.Anchors(), Exchange: n.Exchange})
		if err != nil {
			return nil, err
		}
		if a, err := v.Query(ctx, name, dns.StringToType[q.Type]); err != nil || a.Status == dnssec.Bogus {
			return &verify.Answer{Question: q, At: now, Rcode: "SERVFAIL", Failure: &verify.Failure{Code: verify.DNSBogus, Temporary: true}}, err
		}
	}
	m, err := n.Exchange(ctx, name, dns.StringToType[q.Type])
	if err != nil {
		return nil, err
	}
	wire, err := m.Pack()
	return &verify.Answer{Question: q, At: now, Rcode: dns.RcodeToString[m.Rcode], Wire: wire}, err
}

// Fetch answers from the pages.
func (n *network) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	x, ok := n.pages[q.URL]
	switch code, bad := n.broken[q.URL]; {
	case bad:
		x.Failure = &verify.Failure{Code: code, Temporary: true}
	case !ok:
		x = page(404, "text/html", "no such page")
	}
	x.Request, x.At = q, now
	return &x, nil
}

// Greet visits what was put up as a mail server.
func (n *network) Greet(_ context.Context, q verify.Greeting) (*verify.Visit, error) {
	v := &verify.Visit{Failure: &verify.Failure{Code: verify.FetchRefused, Temporary: true}}
	if f := n.mail[q.Host+" "+q.Addr.String()]; f != nil {
		v = f()
	}
	v.Greeting, v.At = q, now
	return v, nil
}

// Origins is what the reference data says.
func (n *network) Origins(a netip.Addr) []directory.ASN { return n.origins[a.String()] }

func page(status int, media, body string) verify.Exchange {
	return verify.Exchange{Hops: []verify.Hop{{Status: status, Header: map[string][]string{"Content-Type": {media}}}}, Body: []byte(body)}
}

// authority makes a name server of a zone: soa is what it says of itself.
func authority(lines ...string) func(verify.Question) *verify.Answer {
	return func(q verify.Question) *verify.Answer {
		m := new(dns.Msg)
		m.SetQuestion(dns.Fqdn(q.Name), dns.StringToType[q.Type])
		m.Response, m.Authoritative = true, true
		for _, line := range lines {
			section := &m.Answer
			if rest, ok := strings.CutPrefix(line, "referral "); ok {
				line, section, m.Authoritative = rest, &m.Ns, false
			}
			if rest, ok := strings.CutPrefix(line, "glue "); ok {
				line, section = rest, &m.Extra
			}
			rr, err := dns.NewRR(line)
			if err != nil {
				panic(err)
			}
			*section = append(*section, rr)
		}
		wire, _ := m.Pack()
		return &verify.Answer{Question: q, At: now, Rcode: "NOERROR", Wire: wire}
	}
}

func refuses(q verify.Question) *verify.Answer {
	return &verify.Answer{Question: q, At: now, Rcode: "REFUSED", Failure: &verify.Failure{Code: verify.DNSRefused, Temporary: true}}
}

func unreached(q verify.Question) *verify.Answer {
	return &verify.Answer{Question: q, At: now, Failure: &verify.Failure{Code: verify.DNSNoRoute, Temporary: true}}
}

// forbidden is what the network says of an address that the operator denies.
func forbidden(q verify.Question) *verify.Answer {
	return &verify.Answer{Question: q, At: now, Failure: &verify.Failure{Code: verify.DNSAddress, Temporary: true}}
}

// public takes the documentation's ranges for everybody's (RFC 5737, 3849).
func public(a netip.Addr) bool {
	return slices.ContainsFunc([]string{"192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"}, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) })
}

func (n *network) checks() []verify.Check {
	return dnscheck.Checks(dnscheck.Config{Public: public, Anchors: n.Anchors(), RDAP: "https://rdap.test/dns.json", SMTP: true})
}

// run runs a check as the engine does, and once more from the transcript.
func (n *network) run(t *testing.T, name string, target verify.Target) (verify.Result, error) {
	t.Helper()
	i := slices.IndexFunc(n.checks(), func(c verify.Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check %q", name)
	}
	c := n.checks()[i]
	target.Now = now
	rec := verify.Record(n)
	result, err := c.Run(context.Background(), rec, target)
	data, _, bad := rec.Transcript(name, target).Encode()
	if bad != nil {
		t.Fatal(bad)
	}
	kept, bad := verify.DecodeTranscript(data)
	if bad != nil {
		t.Fatal(bad)
	}
	again, err2 := c.Run(context.Background(), verify.Replay(kept), kept.Target)
	if !slices.Equal(again.Findings, result.Findings) || (err == nil) != (err2 == nil) {
		t.Errorf("the replay finds %+v (%v), the run found %+v (%v)", again.Findings, err2, result.Findings, err)
	}
	return result, err
}

// counted counts what is asked.
type counted struct {
	verify.Network
	questions int
}

func (n *counted) Query(ctx context.Context, q verify.Question) (*verify.Answer, error) {
	n.questions++
	return n.Network.Query(ctx, q)
}

// questions counts them by name and type.
type questions struct {
	verify.Network
	of map[string]int
}

func (n *questions) Query(ctx context.Context, q verify.Question) (*verify.Answer, error) {
	n.of[dns.CanonicalName(q.Name)+" "+q.Type]++
	return n.Network.Query(ctx, q)
}

// TestMazes has zones that lead to as much as they can: mail servers, name
// servers, aliases and included records by the hundred.
func TestMazes(t *testing.T) {
	n := newNetwork(t)
	var zone strings.Builder
	for i := range 200 {
		h := strings.Repeat("x", 1+i%3) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		zone.WriteString("@ 300 NS " + h + ".ns\n" + h + ".ns 300 A 192.0.2." + itoa(i) + "\n")
		zone.WriteString("@ 300 MX 10 " + h + ".mx\n" + h + ".mx 300 A 192.0.2." + itoa(i) + "\n")
		zone.WriteString("a" + itoa(i) + " 300 CNAME a" + itoa(i+1) + "\n")
	}
	zone.WriteString("@ 300 TXT \"v=spf1 include:s0.team.test mx ptr ~all\"\n")
	for i := range 40 {
		zone.WriteString("s" + itoa(i) + " 300 TXT \"v=spf1 mx:a0.team.test include:s" + itoa(i+1) + ".team.test include:s" + itoa(i+2) + ".team.test ~all\"\n")
	}
	n.domain(zone.String())
	for _, c := range n.checks() {
		count := &counted{Network: n}
		target := verify.Target{Subject: subjectOf(c.Name), Now: now}
		_, err := verify.Corroborated(c).Run(context.Background(), count, target)
		if count.questions > verify.MaxTreeQuestions {
			t.Errorf("%s put %d questions, and came to %v", c.Name, count.questions, err)
		}
	}
}

func itoa(i int) string { return strconv.Itoa(i) }

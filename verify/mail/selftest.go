package mail

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"blitiri.com.ar/go/spf"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ErrSelftest says that others would not believe our mails. Nothing is to be sent before that is mended.
var ErrSelftest = errors.New("mail: the self-test failed")

// Way is how mails leave: what [Selftest] needs to know beside the identity.
type Way struct {
	Relay *Submitter
	// Addresses are those from which the relay sends to the world. They are configured:
	// nobody behind a relay can find them out.
	Addresses []netip.Addr
	// Blocklists are those of the DNS (RFC 5782) that are asked about Addresses, such as those that receivers use.
	Blocklists []directory.Domain
}

// Finding is one line of a self-test.
type Finding struct {
	Test   string // spf, dkim, dmarc, reverse, blocklist, mx, tlsrpt, mtasts, relay
	OK     bool
	Reason string // what was found
	Want   string // what would be right, or with OK what would be better; "" when there is nothing
	// Temporary says that it could not be found out. That is no pass.
	Temporary bool
}

// Report is what a self-test found, in the order of the tests.
type Report []Finding

// Err is nil when all is well, and [ErrSelftest] with all reasons otherwise.
func (r Report) Err() error {
	var why []string
	for _, f := range r {
		if !f.OK {
			why = append(why, f.Test+": "+f.Reason)
		}
	}
	if len(why) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrSelftest, strings.Join(why, "; "))
}

// Selftest looks at our own mail identity as a receiver would. The DNS is asked through r; the relay is
// connected to, and no mail is sent.
func Selftest(ctx context.Context, r Resolver, id *Identity, way Way) Report {
	t := selftest{ctx: ctx, dns: r, id: id}
	if len(way.Addresses) == 0 {
		t.fail("spf", "the addresses that mails leave from are not configured", "the addresses of the relay")
	}
	for _, a := range way.Addresses {
		t.spf(a)
		t.reverse(a)
	}
	for _, list := range way.Blocklists {
		t.blocklist(list, way.Addresses)
	}
	if len(id.DKIM) == 0 {
		t.fail("dkim", "there is no key", "a key of RSA and one of Ed25519")
	}
	for _, k := range id.DKIM {
		t.dkim(k)
	}
	t.both()
	t.dmarc()
	t.mx()
	t.announced("tlsrpt", "_smtp._tls.", "v=TLSRPTv1", "v=TLSRPTv1; rua=mailto:…")
	t.announced("mtasts", "_mta-sts.", "v=STSv1", "v=STSv1; id=…")
	t.relay(way.Relay)
	return t.report
}

type selftest struct {
	ctx    context.Context
	dns    Resolver
	id     *Identity
	report Report
}

func (t *selftest) pass(test, reason string) {
	t.report = append(t.report, Finding{Test: test, OK: true, Reason: reason})
}

// advise is a pass that could be better.
func (t *selftest) advise(test, reason, want string) {
	t.report = append(t.report, Finding{Test: test, OK: true, Reason: reason, Want: want})
}

func (t *selftest) fail(test, reason, want string) {
	t.report = append(t.report, Finding{Test: test, Reason: reason, Want: want})
}

func (t *selftest) unknown(test string, err error) {
	t.report = append(t.report, Finding{Test: test, Reason: cut(printable(err.Error()), 300), Want: "an answer; try again", Temporary: true})
}

// spf: RFC 7208, for the domain of the return path. A softfail is a fail on its way.
func (t *selftest) spf(a netip.Addr) {
	sender := "bounce@" + string(t.id.Domain)
	res, err := spf.CheckHostWithSender(net.IP(a.AsSlice()), t.id.Host, sender, spf.WithContext(t.ctx), spf.WithResolver(t.dns))
	kind := "ip4:"
	if a.Is6() {
		kind = "ip6:"
	}
	want := fmt.Sprintf(`%s TXT "v=spf1 %s%s -all"`, t.id.Domain, kind, a)
	switch res {
	case spf.Pass:
		t.pass("spf", fmt.Sprintf("%s may send for %s", a, t.id.Domain))
	case spf.TempError:
		t.unknown("spf", err)
	default:
		t.fail("spf", fmt.Sprintf("%s for %s: %s (%v)", t.id.Domain, a, res, err), want)
	}
}

// reverse: a name for the address that leads back to it (RFC 8499 section 2 knows the term, receivers demand it).
func (t *selftest) reverse(a netip.Addr) {
	want := fmt.Sprintf("PTR of %s to a name, such as %s, that has this address", a, t.id.Host)
	names, err := t.dns.LookupAddr(t.ctx, a.String())
	if err != nil && !absent(err) {
		t.unknown("reverse", err)
		return
	}
	if len(names) == 0 {
		t.fail("reverse", a.String()+" has no name", want)
		return
	}
	for _, name := range names[:min(len(names), 5)] {
		ips, err := t.dns.LookupIPAddr(t.ctx, strings.TrimSuffix(name, "."))
		if err != nil && !absent(err) {
			t.unknown("reverse", err)
			return
		}
		for _, ip := range ips {
			if got, ok := netip.AddrFromSlice(ip.IP); ok && got.Unmap() == a.Unmap() {
				t.pass("reverse", a.String()+" is "+strings.TrimSuffix(name, "."))
				return
			}
		}
	}
	t.fail("reverse", fmt.Sprintf("%s is called %s, which does not lead back", a, cut(printable(names[0]), 253)), want)
}

// both: most receivers know RSA only, and those that know Ed25519 (RFC 8463) need no long record.
func (t *selftest) both() {
	var rsaKeys, edKeys int
	for _, k := range t.id.DKIM {
		if _, ok := k.Signer.Public().(*rsa.PublicKey); ok {
			rsaKeys++
		} else {
			edKeys++
		}
	}
	switch {
	case edKeys > 0 && rsaKeys == 0:
		t.fail("dkim", "no key is of RSA, and most receivers know no other", "a key of RSA beside it")
	case rsaKeys > 0 && edKeys == 0:
		t.advise("dkim", "all keys are of RSA", "a key of Ed25519 beside it (RFC 8463)")
	}
}

// announced: how TLS towards us fares is told to us (RFC 8460), and demanded of others (RFC 8461).
func (t *selftest) announced(test, label, version, record string) {
	name := label + string(t.id.Domain)
	texts, err := lookupTXT(t.ctx, t.dns, name)
	texts = slices.DeleteFunc(texts, func(text string) bool { return tagList(text)["v"] != strings.TrimPrefix(version, "v=") })
	switch {
	case err != nil && !absent(err):
		t.unknown(test, err)
	case len(texts) != 1:
		t.advise(test, "no policy at "+name, fmt.Sprintf("%s TXT %q", name, record))
	default:
		t.pass(test, name+" has a policy")
	}
}

// dkim: the published key is the one that signs. RFC 6376 section 3.6.1. RFC 8301 section 3.2: signers
// use 2048 bits at least.
func (t *selftest) dkim(k DKIMKey) {
	if pub, ok := k.Signer.Public().(*rsa.PublicKey); ok && pub.N.BitLen() < 2048 {
		t.fail("dkim", fmt.Sprintf("the key %s has %d bits", k.Selector, pub.N.BitLen()), "a key of 2048 bits")
		return
	}
	value, err := k.value()
	if err != nil {
		t.fail("dkim", err.Error(), "a key of RSA or Ed25519")
		return
	}
	name := k.name(t.id.Domain)
	want := name + ` TXT "` + value + `"`
	texts, err := lookupTXT(t.ctx, t.dns, name)
	switch {
	case err != nil && !absent(err):
		t.unknown("dkim", err)
	case len(texts) == 0:
		t.fail("dkim", "nothing is published at "+name, want)
	case len(texts) > 1: // section 3.6.2.2: then the result is undefined
		t.fail("dkim", "several records at "+name, want)
	default:
		if why := differs(texts[0], value); why != "" {
			t.fail("dkim", name+": "+why, want)
			return
		}
		t.pass("dkim", name+" is our key")
	}
}

// differs compares a published record with ours.
func differs(published, ours string) string {
	got, want := tagList(published), tagList(ours)
	if got["k"] == "" {
		got["k"] = "rsa" // section 3.6.1: the default
	}
	if strings.HasPrefix(want["p"], "MI") && !sameRSA(got["p"], want["p"]) || !strings.HasPrefix(want["p"], "MI") && got["p"] != want["p"] {
		return "the published key is another"
	}
	switch {
	case got["k"] != want["k"]:
		return "it says that the key is of the type " + cut(printable(got["k"]), 20)
	case got["v"] != "" && got["v"] != "DKIM1":
		return "v is not DKIM1"
	case strings.Contains(":"+got["t"]+":", ":y:"):
		return "t=y: the domain says that it is only testing"
	case got["h"] != "" && !strings.Contains(":"+got["h"]+":", ":sha256:"):
		return "h does not allow sha256"
	}
	return ""
}

// sameRSA compares keys, not how they are written: some publish them without the outer frame (RFC 8301 has both).
func sameRSA(a, b string) bool {
	key := func(s string) []byte {
		der := unbase64([]byte(s))
		if k, err := x509.ParsePKIXPublicKey(der); err == nil {
			der, _ = x509.MarshalPKIXPublicKey(k)
		} else if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
			der, _ = x509.MarshalPKIXPublicKey(k)
		}
		return der
	}
	return a != "" && string(key(a)) == string(key(b))
}

func tagList(s string) map[string]string {
	out := map[string]string{}
	for t := range strings.SplitSeq(cut(s, 8<<10), ";") {
		name, value, _ := strings.Cut(t, "=")
		out[strings.TrimSpace(name)] = strings.Join(strings.Fields(value), "")
	}
	return out
}

// dmarc: RFC 9989: the domain in From has a policy that is enforced, and what is authenticated (the return
// path, the signatures) is aligned with it.
func (t *selftest) dmarc() {
	from, domain := string(t.id.Address.Domain()), string(t.id.Domain)
	want := fmt.Sprintf(`_dmarc.%s TXT "v=DMARC1; p=reject; rua=mailto:…"`, from)
	p, err := findDMARC(t.ctx, t.dns, from)
	switch {
	case err != nil:
		t.unknown("dmarc", err)
	case p == nil:
		t.fail("dmarc", from+" has no policy", want)
	case p.policy != "reject" && p.policy != "quarantine":
		t.fail("dmarc", fmt.Sprintf("the policy of %s is %q: anybody may forge our mails", p.at, cut(printable(p.policy), 20)), want)
	case !p.aligned(t.ctx, t.dns, domain, p.strictDKIM) || !p.aligned(t.ctx, t.dns, domain, p.strictSPF):
		t.fail("dmarc", fmt.Sprintf("%s, which signs and sends, is not aligned with %s in From", domain, from), "mails from an address of "+domain)
	case p.policy != "reject":
		t.advise("dmarc", fmt.Sprintf("%s: %s, aligned", p.at, p.policy), want)
	default:
		t.pass("dmarc", fmt.Sprintf("%s: %s, aligned", p.at, p.policy))
	}
}

// mx: answers and bounces have somewhere to go. RFC 5321 section 5.1; RFC 7505.
func (t *selftest) mx() {
	want := fmt.Sprintf("%s MX 10 to the host that takes mails for this instance", t.id.Domain)
	found, err := t.dns.LookupMX(t.ctx, string(t.id.Domain))
	switch {
	case err != nil && !absent(err):
		t.unknown("mx", err)
		return
	case len(found) == 0:
		t.fail("mx", string(t.id.Domain)+" has no MX: answers and bounces go nowhere", want)
		return
	case len(found) == 1 && strings.TrimSuffix(found[0].Host, ".") == "":
		t.fail("mx", string(t.id.Domain)+" takes no mail (null MX)", want)
		return
	}
	for _, mx := range found[:min(len(found), 10)] {
		host := strings.TrimSuffix(mx.Host, ".")
		ips, err := t.dns.LookupIPAddr(t.ctx, host)
		switch {
		case err != nil && !absent(err):
			t.unknown("mx", err)
			return
		case len(ips) == 0:
			t.fail("mx", cut(printable(host), 253)+" has no address", want)
			return
		}
	}
	t.pass("mx", fmt.Sprintf("%s has %d", t.id.Domain, len(found)))
}

// relay: it takes us in, under the policy that is configured.
func (t *selftest) relay(s *Submitter) {
	if s == nil {
		t.fail("relay", "none is configured", "a relay that takes mails over TLS")
		return
	}
	l, stage, err := s.open(t.ctx)
	if err != nil {
		want := "a relay that can be reached, and takes us in"
		if stage == "tls" {
			want = "STARTTLS or TLS, with a certificate for " + s.relay.TLS.ServerName + " that this machine trusts"
		}
		t.fail("relay", stage+": "+cut(printable(err.Error()), 300), want)
		return
	}
	defer l.quit()
	state, secure := l.client.TLSConnectionState()
	switch {
	case secure && s.relay.Policy == TLSOpportunistic:
		t.pass("relay", tlsName(state.Version)+", the certificate not looked at")
	case secure:
		t.pass("relay", tlsName(state.Version))
	case s.relay.Policy == TLSNone:
		t.pass("relay", "on this machine")
	default:
		t.fail("relay", "it offers no TLS", "STARTTLS")
	}
}

func tlsName(version uint16) string {
	return map[uint16]string{0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}[version]
}

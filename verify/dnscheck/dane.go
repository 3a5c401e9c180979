package dnscheck

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

var (
	daneInsecure = verify.Problem{Code: "dane.insecure", Severity: verify.Warning, Spec: "RFC 7672 section 2.2",
		Title: "There are TLSA records that are not signed, so nobody uses them", Advice: "Sign the zone of the mail server and of the MX records, or remove the TLSA records."}
	daneBogus = verify.Problem{Code: "dane.bogus", Severity: verify.Error, Spec: "RFC 7672 section 2.1.3",
		Title: "TLSA records or MX records are signed wrongly: senders with DANE deliver nothing", Advice: "Sign the zone again; look for expired signatures and for a DS record of an older key."}
	daneUnusable = verify.Problem{Code: "dane.unusable", Severity: verify.Warning, Spec: "RFC 7672 section 3.1.3",
		Title: "A TLSA record can't be used for mail", Advice: "Use usage 3 (DANE-EE) or 2 (DANE-TA), selector 0 or 1, matching type 1 or 2 with a digest of the right length."}
	daneNone = verify.Problem{Code: "dane.none-usable", Severity: verify.Error, Spec: "RFC 7672 section 2.2",
		Title: "A mail server has TLSA records, and none that can be used", Advice: "Publish a record 3 1 1 with the SHA-256 digest of the server's public key."}
	daneTesting = verify.Problem{Code: "dane.full-match", Severity: verify.Info, Spec: "RFC 7671 section 10.1",
		Title: "A TLSA record holds a whole certificate or key instead of a digest", Advice: "Use matching type 1."}
)

// daneCheck looks for TLSA records of the mail servers and proves them by
// itself. It does not connect to the servers.
func daneCheck(cfg Config) verify.Check {
	problems := []verify.Problem{daneInsecure, daneBogus, daneUnusable, daneNone, daneTesting}
	return check(cfg, "dane", "DANE of the contact's mail servers", mailDomains, problems, func(r *run) error {
		f, err := r.unproven(r.domain(), dns.TypeMX)
		if err != nil {
			return err
		}
		for _, mx := range lookedAt(f.rrs) {
			if err := r.tlsa(mx.Mx); err != nil {
				return err
			}
		}
		return nil
	})
}

// tlsa looks at one mail server's records. Those that a resolver names are only
// the reason to ask for proof: what is judged is what was proven.
func (r *run) tlsa(host string) error {
	owner, f, err := r.tlsaOf(host)
	if err != nil || len(f.rrs) == 0 && !f.bogus {
		return err
	}
	p, err := r.proofDANE(owner)
	if err != nil {
		return err
	}
	if len(p.tlsa.RRs) > 0 {
		r.fact("tlsa", owner)
	}
	if err := r.proveDANE(p, host); err != nil {
		return err
	}
	r.usableTLSA(owner, host, p.records(host))
	return nil
}

// tlsaLabels are in front of the name that TLSA records of a mail server are for
// (RFC 7672 section 2.2.3).
const tlsaLabels = "_25._tcp."

// tlsaOf finds the TLSA records of a mail server as senders do: first at the name
// that its aliases lead to, where these are proven, then at its own (RFC 7672
// section 2.2.2).
func (r *run) tlsaOf(host string) (owner string, f found, err error) {
	addr, err := r.unproven(host, dns.TypeA)
	if err != nil {
		return "", f, err
	}
	host = dns.CanonicalName(host)
	if len(addr.aliases) > 0 {
		owner = tlsaLabels + addr.owner
		if f, err = r.unproven(owner, dns.TypeTLSA); err != nil {
			return "", f, err
		}
		if len(f.rrs) > 0 || f.bogus {
			if followed, err := r.provenAliases(host, addr.owner); err != nil || followed {
				return owner, f, err
			}
		}
	}
	owner = tlsaLabels + host
	f, err = r.unproven(owner, dns.TypeTLSA)
	return owner, f, err
}

// provenAliases reports whether the way from a mail server's name to its addresses
// is signed, and leads to the name end.
func (r *run) provenAliases(host, end string) (bool, error) {
	v, err := r.validator()
	if err != nil {
		return false, err
	}
	a, err := v.Query(r.ctx, host, dns.TypeA)
	if err != nil {
		return false, asTrouble(err)
	}
	return a.Status == dnssec.Secure && a.Owner == end, nil
}

// usableTLSA judges proven records.
func (r *run) usableTLSA(owner, host string, list []*dns.TLSA) {
	good := 0
	for _, t := range list {
		text := fmt.Sprintf("%s %d %d %d", owner, t.Usage, t.Selector, t.MatchingType)
		switch {
		case !usable(t):
			r.find(daneUnusable, text)
			continue
		case t.MatchingType == 0:
			r.find(daneTesting, text)
		}
		good++
	}
	if good == 0 && len(list) > 0 {
		r.find(daneNone, host)
	}
}

// usable reports whether senders can go by a record (RFC 7672 section 3.1.3).
func usable(t *dns.TLSA) bool {
	want := map[uint8]int{1: 64, 2: 128}[t.MatchingType]
	return (t.Usage == 2 || t.Usage == 3) && t.Selector <= 1 && t.MatchingType <= 2 && (want == 0 || len(t.Certificate) == want)
}

// daneProof is what could be proven of MX records and of TLSA records.
type daneProof struct{ mx, tlsa dnssec.Answer }

// records are the TLSA records of a mail server that were proven. DANE counts only
// where the MX records are secure as well (RFC 7672 section 2.2), and name it.
func (p *daneProof) records(host string) (list []*dns.TLSA) {
	if p.mx.Status != dnssec.Secure || p.tlsa.Status != dnssec.Secure || !p.names(host) {
		return nil
	}
	for _, rr := range p.tlsa.RRs {
		list = append(list, rr.(*dns.TLSA))
	}
	return list
}

// names reports whether the MX records name a mail server. Where there are none,
// it is the domain itself (RFC 5321 section 5.1).
func (p *daneProof) names(host string) bool {
	host = dns.CanonicalName(host)
	if len(p.mx.RRs) == 0 {
		return host == p.mx.Owner
	}
	return slices.ContainsFunc(p.mx.RRs, func(rr dns.RR) bool { return dns.CanonicalName(rr.(*dns.MX).Mx) == host })
}

// proofDANE proves both, the MX records once a run.
func (r *run) proofDANE(owner string) (*daneProof, error) {
	v, err := r.validator()
	if err != nil {
		return nil, err
	}
	if r.mx == nil {
		mx, err := v.Query(r.ctx, r.domain(), dns.TypeMX)
		if err != nil {
			return nil, asTrouble(err)
		}
		r.mx = &mx
	}
	tlsa, err := v.Query(r.ctx, owner, dns.TypeTLSA)
	if err != nil {
		return nil, asTrouble(err)
	}
	return &daneProof{*r.mx, tlsa}, nil
}

// proveDANE finds why DANE does not count. That the domain is not signed and its
// provider's TLSA records are is nothing to correct about these; the check dnssec
// tells of the domain.
func (r *run) proveDANE(p *daneProof, host string) error {
	switch mx, tlsa := &p.mx, &p.tlsa; {
	case mx.Status == dnssec.Bogus && len(tlsa.RRs) == 0: // of which the check dnssec tells
		return &verify.Trouble{Code: verify.DNSBogus, Detail: mx.Reason}
	case mx.Status == dnssec.Bogus:
		r.find(daneBogus, mx.Reason)
	case mx.Status == dnssec.Secure && !p.names(host): // no mail goes there
	case tlsa.Status == dnssec.Bogus: // even that there are none has to be proven (RFC 7672 section 2.1.1)
		r.find(daneBogus, tlsa.Reason)
	case tlsa.Status != dnssec.Secure && len(tlsa.RRs) > 0:
		r.find(daneInsecure, tlsa.Reason)
	case tlsa.Status == dnssec.Secure && mx.Status != dnssec.Secure:
		r.fact("dane", "not used: "+mx.Reason)
	}
	return nil
}

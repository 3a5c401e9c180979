package dnscheck

import (
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	domainMissing = verify.Problem{Code: "domain.missing", Severity: verify.Error, Spec: "RFC 1034 section 4.3.1",
		Title: "The domain does not exist in the DNS", Advice: "Register the domain again, or name another one in the profile: everything under it is out of reach, and somebody else may register it."}
	domainEmpty = verify.Problem{Code: "domain.no-records", Severity: verify.Warning, Spec: "RFC 2308 section 2.2",
		Title: "The name exists, and has neither addresses nor mail servers", Advice: "Add MX or address records, or name a domain that has them."}
)

// domainCheck asks whether the domain exists at all.
func domainCheck(cfg Config) verify.Check {
	return check(cfg, "domain", "the domain exists", domains, []verify.Problem{domainMissing, domainEmpty}, func(r *run) error {
		soa, err := r.records(r.domain(), dns.TypeSOA)
		if err != nil {
			return err
		}
		if soa.missing {
			r.find(domainMissing, r.t.Subject.ID)
			return nil
		}
		r.fact("zone", zoneOf(soa))
		mx, err := r.records(r.domain(), dns.TypeMX)
		if err != nil || len(mx.rrs) > 0 {
			return err
		}
		addrs, _, err := r.addresses(r.domain())
		if err == nil && len(addrs) == 0 {
			r.find(domainEmpty, r.t.Subject.ID)
		}
		return err
	})
}

// zoneOf names the apex where the SOA record itself was at the name.
func zoneOf(f found) string {
	if len(f.rrs) > 0 {
		return f.owner
	}
	return "part of a zone above"
}

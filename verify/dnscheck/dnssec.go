package dnscheck

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

var (
	dnssecUnsigned = verify.Problem{Code: "dnssec.unsigned", Severity: verify.Recommendation, Spec: "RFC 9364 section 1.1",
		Title: "The domain is not signed with DNSSEC", Advice: "Sign the zone and give the parent its DS record."}
	dnssecBogus = verify.Problem{Code: "dnssec.bogus", Severity: verify.Error, Spec: "RFC 4035 section 5",
		Title: "The domain's DNSSEC is broken: resolvers that validate see nothing of it", Advice: "Sign the zone again, and see that the DS records at the parent name a key that is in use."}
	dnssecSoon = verify.Problem{Code: "dnssec.expires-soon", Severity: verify.Warning, Spec: "RFC 6781 section 4.4.2",
		Title: "The domain's signatures expire within 72 hours", Advice: "See why the zone was not signed again in time."}
	dnssecIndeterminate = verify.Problem{Code: "dnssec.indeterminate", Severity: verify.Info, Spec: "RFC 4033 section 5",
		Title: "No trust anchor covers the domain", Advice: "Nothing to do, unless the domain ought to hang below the root."}
)

// soonBogus is how long before their end signatures are warned of, at most.
const soonBogus = 72 * time.Hour

// dnssecCheck proves the domain's SOA and MX records by itself. Where the domain is
// an alias, that is proven instead: the zone that it leads to is of others.
func dnssecCheck(cfg Config) verify.Check {
	problems := []verify.Problem{dnssecUnsigned, dnssecBogus, dnssecSoon, dnssecIndeterminate}
	return check(cfg, "dnssec", "DNSSEC of the domain", domains, problems, func(r *run) error {
		v, err := r.validator()
		if err != nil {
			return err
		}
		var signed []dnssec.Validity
		for _, qtype := range []uint16{dns.TypeSOA, dns.TypeMX} {
			a, err := v.QueryOwn(r.ctx, r.domain(), qtype)
			if err != nil {
				return asTrouble(err)
			}
			if a.Status != dnssec.Secure {
				r.fact("dnssec", string(a.Status))
				return r.notSecure(a)
			}
			signed = append(signed, a.Signatures...)
		}
		r.fact("dnssec", string(dnssec.Secure))
		r.expiring(signed)
		return nil
	})
}

func (r *run) notSecure(a dnssec.Answer) error {
	switch a.Status {
	case dnssec.Bogus:
		r.find(dnssecBogus, a.Reason)
	case dnssec.Insecure:
		r.find(dnssecUnsigned, a.Reason)
	case dnssec.Indeterminate:
		if a.Rcode != dns.RcodeSuccess && a.Rcode != dns.RcodeNameError {
			return &verify.Trouble{Code: verify.DNSRcode, Detail: a.Reason}
		}
		r.find(dnssecIndeterminate, a.Reason)
	}
	return nil
}

// expiring warns of signatures that nobody renewed.
func (r *run) expiring(signed []dnssec.Validity) {
	if len(signed) == 0 {
		return
	}
	slices.SortFunc(signed, func(a, b dnssec.Validity) int { return a.Until.Compare(b.Until) })
	if i := slices.IndexFunc(signed, func(s dnssec.Validity) bool { return !soon(s).After(r.t.Now) }); i >= 0 {
		r.find(dnssecSoon, signed[i].Until.UTC().Format(time.RFC3339))
		r.out.Until = signed[0].Until
		return
	}
	r.out.Until = soon(slices.MinFunc(signed, func(a, b dnssec.Validity) int { return soon(a).Compare(soon(b)) }))
}

// soon is from when on a signature is warned of. Those who sign when they are asked
// do so for two days or less, and must have renewed it when a quarter is left.
func soon(s dnssec.Validity) time.Time {
	return s.Until.Add(-min(soonBogus, s.Until.Sub(s.From)/4))
}

package dnscheck

import (
	"net/url"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	caaMissing = verify.Problem{Code: "caa.missing", Severity: verify.Info, Spec: "RFC 8659 section 3",
		Title: "No CAA record says who may issue certificates for the domain", Advice: "Publish CAA records with issue, and iodef with an address for incidents."}
	caaCritical = verify.Problem{Code: "caa.unknown-critical", Severity: verify.Error, Spec: "RFC 8659 section 4.1",
		Title: "A critical CAA property that nobody knows: no authority may issue", Advice: "Correct the property's name, or take away the critical flag."}
	caaIodef = verify.Problem{Code: "caa.iodef-invalid", Severity: verify.Warning, Spec: "RFC 8659 section 4.4",
		Title: "The CAA record's iodef is not a usable URL", Advice: "Write mailto: and an address, or an https: URL."}
	caaDiffers = verify.Problem{Code: "caa.iodef-differs", Severity: verify.Warning, Spec: "RFC 8659 section 4.4",
		Title: "The CAA record names a contact for incidents that is not in the profile", Advice: "Name the same address in both places, or add it to the profile."}
)

// knownCAA are the properties that authorities know (RFC 8659 section 4, RFC
// 9495 section 3, CA/Browser Forum).
var knownCAA = map[string]bool{"issue": true, "issuewild": true, "iodef": true, "issuemail": true, "issuevmc": true, "contactemail": true, "contactphone": true}

// caaCheck finds the CAA records that apply, which may name a second published
// contact for incidents.
func caaCheck(cfg Config) verify.Check {
	return check(cfg, "caa", "CAA of the domain", domains, []verify.Problem{caaMissing, caaCritical, caaIodef, caaDiffers}, func(r *run) error {
		for name := r.domain(); name != "." && name != ""; name = above(name) { // RFC 8659 section 3: climb the tree
			f, err := r.records(name, dns.TypeCAA)
			if err != nil {
				return err
			}
			if len(f.rrs) > 0 {
				for _, rr := range f.rrs {
					r.property(rr.(*dns.CAA))
				}
				return nil
			}
		}
		r.find(caaMissing, r.t.Subject.ID)
		return nil
	})
}

func above(name string) string {
	if i, end := dns.NextLabel(name, 0); !end {
		return name[i:]
	}
	return "."
}

func (r *run) property(rr *dns.CAA) {
	name := strings.ToLower(rr.Tag)
	r.fact("caa", name+" "+rr.Value)
	if rr.Flag&128 != 0 && !knownCAA[name] {
		r.find(caaCritical, rr.Tag)
	}
	if name != "iodef" {
		return
	}
	// A URL is of a service for machines (RFC 6546), and no contact of a profile.
	addresses, mail := mailto(rr.Value)
	u, err := url.Parse(rr.Value)
	switch {
	case mail:
		r.compare(caaDiffers, "email", addresses...)
	case err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "":
	default:
		r.find(caaIodef, rr.Value)
	}
}

package dnscheck

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	wildcardTXT = verify.Problem{Code: "wildcard.txt", Severity: verify.Warning, Spec: "RFC 4592 section 2.2.1",
		Title: "Every name below the domain has a TXT record, by a wildcard", Advice: "Remove the wildcard, or see that it gives nothing for names that begin with an underscore: records there mean something."}
	wildcardAddress = verify.Problem{Code: "wildcard.address", Severity: verify.Info, Spec: "RFC 4592 section 2.2.1",
		Title: "Every name below the domain has an address, by a wildcard", Advice: "Nothing, if that is meant."}
)

// wildcardCheck asks for a name that nobody has. What answers there answers
// everywhere, and a record found at an underscore name proves less.
func wildcardCheck(cfg Config) verify.Check {
	return check(cfg, "wildcard", "wildcards of the domain", domains, []verify.Problem{wildcardTXT, wildcardAddress}, func(r *run) error {
		name := r.probe() + "." + r.domain()
		f, err := r.records("_"+name, dns.TypeTXT)
		if err != nil {
			return err
		}
		if len(f.rrs) > 0 {
			r.find(wildcardTXT, strings.Join(f.rrs[0].(*dns.TXT).Txt, ""))
		}
		addrs, _, err := r.addresses(name)
		if err == nil && len(addrs) > 0 {
			r.find(wildcardAddress, addrs[0].String())
		}
		return err
	})
}

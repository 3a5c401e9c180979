package dnscheck

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	recordInvalid = verify.Problem{Code: "dnssecuritytxt.invalid", Severity: verify.Warning, Spec: "DNS Security TXT section 3",
		Title: "The _security record names a contact that can't be used", Advice: "Write security_contact=mailto: and an address, or an https: URL."}
	recordDiffers = verify.Problem{Code: "dnssecuritytxt.differs", Severity: verify.Warning, Spec: "",
		Title: "The _security record names a contact that is not in the profile", Advice: "Name the same contact in both places, or add it to the profile."}
)

// securityRecordCheck reads the TXT records at _security, a third place where
// domains publish a contact.
func securityRecordCheck(cfg Config) verify.Check {
	return check(cfg, "dnssecuritytxt", "the contact in the domain's _security record", domains, []verify.Problem{recordInvalid, recordDiffers}, func(r *run) error {
		list, _, err := r.texts("_security."+r.domain(), "security_")
		if err != nil || len(list) == 0 {
			return err
		}
		everywhere, _, err := r.texts("_"+r.probe()+"."+r.domain(), "security_")
		for _, s := range list {
			if slices.Contains(everywhere, s) { // a wildcard's, meant for no name (RFC 4592 section 2.1.1)
				continue
			}
			key, value, _ := strings.Cut(s, "=")
			if value = strings.TrimSpace(value); strings.EqualFold(key, "security_contact") {
				r.fact("security-contact", value)
				r.securityContact(value)
			}
		}
		return err
	})
}

func (r *run) securityContact(value string) {
	addresses, mail := mailto(value)
	u, err := url.Parse(value)
	switch {
	case mail:
		r.compare(recordDiffers, "email", addresses...)
	case err == nil && u.Scheme == "https" && u.Host != "":
		r.compare(recordDiffers, "url", value)
	case err == nil && u.Scheme == "tel":
		r.compare(recordDiffers, "phone", u.Opaque)
	case strings.Contains(value, "@") && !strings.ContainsAny(value, " :/"):
		r.find(recordInvalid, value).Corrected = "mailto:" + value
	default:
		r.find(recordInvalid, value)
	}
}

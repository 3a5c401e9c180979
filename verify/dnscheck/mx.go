package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	mxNoDomain = verify.Problem{Code: "mx.no-domain", Severity: verify.Error, Spec: "RFC 5321 section 5.1",
		Title: "Mail can't arrive: the domain does not exist", Advice: "Register the domain, or give a contact in another one."}
	mxNull = verify.Problem{Code: "mx.null", Severity: verify.Error, Spec: "RFC 7505 section 3",
		Title: "The domain says that it accepts no mail (null MX)", Advice: "Publish the real mail servers, or give a contact in a domain that receives mail."}
	mxNullMixed = verify.Problem{Code: "mx.null-mixed", Severity: verify.Warning, Spec: "RFC 7505 section 3",
		Title: "A null MX stands beside other mail servers", Advice: "Remove the record with the single dot: a domain either accepts mail or does not."}
	mxImplicit = verify.Problem{Code: "mx.implicit", Severity: verify.Info, Spec: "RFC 5321 section 5.1",
		Title: "No MX record: mail goes to the address of the domain itself", Advice: "Publish an MX record, so that it is plain which server takes mail."}
	mxNone = verify.Problem{Code: "mx.none", Severity: verify.Error, Spec: "RFC 5321 section 5.1",
		Title: "Mail can't arrive: the domain has neither MX nor address records", Advice: "Publish an MX record that names your mail server."}
	mxLiteral = verify.Problem{Code: "mx.address-literal", Severity: verify.Error, Spec: "RFC 1035 section 3.3.9",
		Title: "An MX record holds an IP address where a host name belongs", Advice: "Give the server a name with address records, and put the name there."}
	mxAlias = verify.Problem{Code: "mx.alias", Severity: verify.Warning, Spec: "RFC 2181 section 10.3",
		Title: "A mail server's name is an alias (CNAME)", Advice: "Name the host that the alias leads to: some senders refuse aliases."}
	mxUnresolvable = verify.Problem{Code: "mx.unresolvable", Severity: verify.Warning, Spec: "RFC 5321 section 5.1",
		Title: "A mail server's name has no address", Advice: "Add address records for it, or remove the MX record."}
	mxDead = verify.Problem{Code: "mx.dead", Severity: verify.Error, Spec: "RFC 5321 section 5.1",
		Title: "Mail can't arrive: no mail server has an address", Advice: "Add address records for at least one of the servers."}
	mxSpecial = verify.Problem{Code: "mx.special-address", Severity: verify.Error, Spec: "RFC 6890 section 2",
		Title: "A mail server has an address that nobody outside can reach", Advice: "Publish public addresses only."}
)

// mxCheck asks whether mail to the domain has somewhere to go. It follows the
// order of RFC 5321 section 5.1.
func mxCheck(cfg Config) verify.Check {
	problems := []verify.Problem{mxNoDomain, mxNull, mxNullMixed, mxImplicit, mxNone, mxLiteral, mxAlias, mxUnresolvable, mxDead, mxSpecial}
	return check(cfg, "mx", "mail to the domain has somewhere to go", mailDomains, problems, func(r *run) error {
		f, err := r.records(r.domain(), dns.TypeMX)
		switch {
		case err != nil:
			return err
		case f.missing:
			r.find(mxNoDomain, r.t.Subject.ID)
			return nil
		case len(f.rrs) == 0:
			return r.implicitMX(f.owner)
		}
		return r.targets(exchangers(f.rrs))
	})
}

// exchangers returns MX records in the order in which senders try them.
func exchangers(rrs []dns.RR) (list []*dns.MX) {
	for _, rr := range rrs {
		list = append(list, rr.(*dns.MX))
	}
	slices.SortFunc(list, func(a, b *dns.MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Mx, b.Mx))
	})
	return list
}

func (r *run) implicitMX(owner string) error {
	addrs, _, err := r.addresses(owner)
	switch {
	case err != nil:
		return err
	case len(addrs) == 0:
		r.find(mxNone, r.t.Subject.ID)
		return nil
	}
	r.find(mxImplicit, r.t.Subject.ID)
	r.judgeAddresses(owner, addrs)
	return nil
}

// maxExchangers is how many mail servers are looked at.
const maxExchangers = 8

// lookedAt are the mail servers that are looked at beyond their addresses.
func lookedAt(rrs []dns.RR) []*dns.MX {
	list := slices.DeleteFunc(exchangers(rrs), func(mx *dns.MX) bool { return mx.Mx == "." })
	return list[:min(len(list), maxExchangers)]
}

// targets looks at each mail server.
func (r *run) targets(list []*dns.MX) error {
	if len(list) == 1 && list[0].Mx == "." {
		r.find(mxNull, "0 .")
		return nil
	}
	alive, looked := 0, 0
	for _, mx := range list[:min(len(list), maxExchangers)] {
		host := dns.CanonicalName(mx.Mx)
		r.fact("mx", fmt.Sprintf("%d %s", mx.Preference, host))
		if host == "." {
			r.find(mxNullMixed, fmt.Sprintf("%d .", mx.Preference))
			continue
		}
		looked++
		ok, err := r.target(host)
		if err != nil {
			return err
		}
		if ok {
			alive++
		}
	}
	if alive == 0 && looked > 0 && len(list) <= maxExchangers { // of the others nothing is known
		r.find(mxDead, r.t.Subject.ID)
	}
	return nil
}

// target looks at one mail server; ok means that it has an address.
func (r *run) target(host string) (ok bool, err error) {
	if _, err := netip.ParseAddr(strings.Trim(host, "[].")); err == nil {
		r.find(mxLiteral, host)
		return false, nil
	}
	addrs, aliases, err := r.addresses(host)
	if err != nil {
		return false, err
	}
	if len(aliases) > 0 {
		r.find(mxAlias, host)
	}
	if len(addrs) == 0 {
		r.find(mxUnresolvable, host)
		return false, nil
	}
	r.judgeAddresses(host, addrs)
	return true, nil
}

func (r *run) judgeAddresses(host string, addrs []netip.Addr) {
	for _, a := range addrs {
		if !r.cfg.Public(a) {
			r.find(mxSpecial, host+" "+a.String())
		}
	}
}

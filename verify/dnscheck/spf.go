package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	spfMissing = verify.Problem{Code: "spf.missing", Severity: verify.Recommendation, Spec: "RFC 7208 section 4.5",
		Title: "The domain has no SPF record", Advice: "Publish one, so that forged replies in the team's name can be told apart."}
	spfSeveral = verify.Problem{Code: "spf.several", Severity: verify.Error, Spec: "RFC 7208 section 3.2",
		Title: "The domain has more than one SPF record, so none of them counts", Advice: "Merge them into one TXT record that begins with v=spf1."}
	spfInvalid = verify.Problem{Code: "spf.invalid", Severity: verify.Error, Spec: "RFC 7208 section 4.6",
		Title: "The SPF record can't be evaluated", Advice: "Correct the term that is named; an include must lead to a domain that has an SPF record."}
	spfLookups = verify.Problem{Code: "spf.too-many-lookups", Severity: verify.Error, Spec: "RFC 7208 section 4.6.4",
		Title: "The SPF record needs more than 10 DNS lookups", Advice: "Remove includes that are not needed, or list networks instead."}
	spfVoid = verify.Problem{Code: "spf.too-many-void-lookups", Severity: verify.Warning, Spec: "RFC 7208 section 4.6.4",
		Title: "More than two of the names in the SPF record do not exist", Advice: "Remove names that are gone: receivers give up after two."}
	spfMX = verify.Problem{Code: "spf.too-many-names", Severity: verify.Error, Spec: "RFC 7208 section 4.6.4",
		Title: "An mx or ptr term of the SPF record leads to more than 10 names", Advice: "List networks instead."}
	spfAll = verify.Problem{Code: "spf.pass-all", Severity: verify.Warning, Spec: "RFC 7208 section 5.1",
		Title: "The SPF record lets anybody send in the domain's name", Advice: "End the record with -all or ~all."}
	spfNeutral = verify.Problem{Code: "spf.neutral-all", Severity: verify.Warning, Spec: "RFC 7208 section 8.2",
		Title: "The SPF record says nothing about senders that it does not name", Advice: "End the record with -all or ~all."}
	spfPTR = verify.Problem{Code: "spf.ptr", Severity: verify.Warning, Spec: "RFC 7208 section 5.5",
		Title: "The SPF record uses ptr, which should not be used", Advice: "List the hosts or networks instead."}
)

// spfCheck reads and evaluates the SPF record, which says whether replies in
// the team's name can be told from forged ones.
func spfCheck(cfg Config) verify.Check {
	problems := []verify.Problem{spfMissing, spfSeveral, spfInvalid, spfLookups, spfVoid, spfMX, spfAll, spfNeutral, spfPTR}
	return check(cfg, "spf", "SPF of the contact's domain", mailDomains, problems, func(r *run) error {
		all, _, err := r.texts(r.domain(), "v=spf1")
		if err != nil {
			return err
		}
		var records []string
		for _, s := range all {
			if s = s[len("v=spf1"):]; s == "" || s[0] == ' ' { // RFC 7208 section 4.5
				records = append(records, "v=spf1"+s)
			}
		}
		switch len(records) {
		case 0:
			r.find(spfMissing, r.t.Subject.ID)
			return nil
		case 1:
			r.fact("spf", records[0])
			r.spfTerms(records[0])
			return r.spfEvaluate(records[0])
		}
		r.find(spfSeveral, strings.Join(records, "\n"))
		return nil
	})
}

// spfTerms looks at the terms that are plainly unwise.
func (r *run) spfTerms(record string) {
	for _, term := range strings.Fields(strings.ToLower(record)) {
		switch bare := strings.TrimLeft(term, "+-~?"); {
		case term == "+all" || term == "all":
			r.find(spfAll, term)
		case term == "?all":
			r.find(spfNeutral, term)
		case bare == "ptr" || strings.HasPrefix(bare, "ptr:"):
			r.find(spfPTR, term)
		}
	}
}

// spfEvaluate walks the whole record as a receiver would, for an address that
// no sender has (RFC 5737), so that no term ends the walk.
func (r *run) spfEvaluate(record string) error {
	res := &spfResolver{run: r}
	result, err := spf.CheckHostWithSender(net.IPv4(192, 0, 2, 255), r.t.Subject.ID, "postmaster@"+r.t.Subject.ID, spf.WithResolver(res), spf.WithContext(r.ctx))
	switch {
	case res.trouble != nil:
		return res.trouble
	case result != spf.PermError:
		return nil
	case errors.Is(err, spf.ErrLookupLimitReached):
		r.find(spfLookups, record)
	case errors.Is(err, spf.ErrVoidLookupLimitReached):
		r.find(spfVoid, record)
	case errors.Is(err, spf.ErrTooManyMXRecords):
		r.find(spfMX, record)
	default:
		r.find(spfInvalid, fmt.Sprintf("%s: %v", record, err))
	}
	return nil
}

// spfResolver answers the SPF library through the run's network, and remembers
// trouble, which the library only knows as a temporary error.
type spfResolver struct {
	run     *run
	trouble error
}

func (s *spfResolver) records(name string, qtype uint16) ([]dns.RR, error) {
	f, err := s.run.records(name, qtype)
	if err != nil {
		s.trouble = err
		return nil, &net.DNSError{Err: "temporary", Name: name, IsTemporary: true}
	}
	if len(f.rrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return f.rrs, nil
}

// LookupTXT returns the TXT records of a name.
func (s *spfResolver) LookupTXT(_ context.Context, name string) (list []string, err error) {
	rrs, err := s.records(name, dns.TypeTXT)
	for _, rr := range rrs {
		list = append(list, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	return list, err
}

// LookupMX returns the mail servers of a name.
func (s *spfResolver) LookupMX(_ context.Context, name string) (list []*net.MX, err error) {
	rrs, err := s.records(name, dns.TypeMX)
	for _, mx := range exchangers(rrs) {
		list = append(list, &net.MX{Host: mx.Mx, Pref: mx.Preference})
	}
	return list, err
}

// LookupIPAddr returns the addresses of a host.
func (s *spfResolver) LookupIPAddr(_ context.Context, host string) (list []net.IPAddr, err error) {
	addrs, _, err := s.run.addresses(host)
	if err != nil {
		s.trouble = err
		return nil, &net.DNSError{Err: "temporary", Name: host, IsTemporary: true}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, a := range addrs {
		list = append(list, net.IPAddr{IP: a.AsSlice()})
	}
	return list, nil
}

// LookupAddr returns the names of an address.
func (s *spfResolver) LookupAddr(_ context.Context, addr string) (list []string, err error) {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
	}
	rrs, err := s.records(name, dns.TypePTR)
	for _, rr := range rrs {
		list = append(list, rr.(*dns.PTR).Ptr)
	}
	return list, err
}

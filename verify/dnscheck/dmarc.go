package dnscheck

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// DMARC is a DMARC policy record (RFC 9989 section 4.7).
type DMARC struct {
	Policy       string   // none, quarantine or reject; none when the record does not say
	Subdomains   string   // sp; "" as Policy
	NonExistent  string   // np; "" as Subdomains
	PSD          string   // y, n or u
	Testing      bool     // t=y
	StrictDKIM   bool     // adkim=s
	StrictSPF    bool     // aspf=s
	Reports      []string // rua, as written
	Failures     []string // ruf, as written
	Removed      []string // tags of RFC 7489 that no longer exist
	WithoutWords bool     // the record has no p
}

// ErrDMARC is why a record is no DMARC record.
var ErrDMARC = errors.New("dnscheck: no DMARC record")

// ParseDMARC reads a record by RFC 9989 section 4.7: v comes first, unknown tags
// and values that no reader knows are passed over, and a record without a
// valid p counts as p=none.
func ParseDMARC(s string) (DMARC, error) {
	tags, err := parseTags(s, isTagName)
	if err != nil {
		return DMARC{}, fmt.Errorf("%w: %w", ErrDMARC, err)
	}
	if len(tags) == 0 || tags[0].name != "v" || strings.TrimRight(tags[0].value, " \t") != "DMARC1" {
		return DMARC{}, fmt.Errorf("%w: it does not begin with v=DMARC1", ErrDMARC)
	}
	d := DMARC{Policy: "none", PSD: "u", WithoutWords: true}
	for _, t := range tags[1:] {
		d.take(t)
	}
	return d, nil
}

func (d *DMARC) take(t tag) {
	value := strings.ToLower(strings.TrimRight(t.value, " \t"))
	known := value == "none" || value == "quarantine" || value == "reject"
	switch t.name {
	case "p":
		if known {
			d.Policy, d.WithoutWords = value, false
		}
	case "sp":
		if known {
			d.Subdomains = value
		}
	case "np":
		if known {
			d.NonExistent = value
		}
	case "psd":
		if value == "y" || value == "n" {
			d.PSD = value
		}
	case "t":
		d.Testing = value == "y"
	case "adkim":
		d.StrictDKIM = value == "s"
	case "aspf":
		d.StrictSPF = value == "s"
	case "rua":
		d.Reports = splitList(t.value)
	case "ruf":
		d.Failures = splitList(t.value)
	case "pct", "rf", "ri": // RFC 9989 appendix C.5
		d.Removed = append(d.Removed, t.name)
	}
}

func splitList(s string) (list []string) {
	for _, part := range strings.Split(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

var (
	dmarcMissing = verify.Problem{Code: "dmarc.missing", Severity: verify.Recommendation, Spec: "RFC 9989 section 4.10",
		Title: "Neither the domain nor one above it has a DMARC record", Advice: "Publish one at _dmarc, p=none to begin with, so that forged mail in the team's name can be refused."}
	dmarcSeveral = verify.Problem{Code: "dmarc.several", Severity: verify.Error, Spec: "RFC 9989 section 4.10",
		Title: "There is more than one DMARC record, so none of them counts", Advice: "Keep one."}
	dmarcInvalid = verify.Problem{Code: "dmarc.invalid", Severity: verify.Error, Spec: "RFC 9989 section 4.7",
		Title: "The DMARC record can't be read", Advice: "Begin it with v=DMARC1 and write name=value pairs with semicolons between them, each name once."}
	dmarcNoPolicy = verify.Problem{Code: "dmarc.no-policy", Severity: verify.Warning, Spec: "RFC 9989 section 4.7",
		Title: "The DMARC record has no policy that anybody knows, which counts as none", Advice: "Say p=none, p=quarantine or p=reject."}
	dmarcNone = verify.Problem{Code: "dmarc.none", Severity: verify.Recommendation, Spec: "RFC 9989 section 5.1.3",
		Title: "The DMARC policy is none: forged mail is delivered", Advice: "When the reports show that real mail passes, say p=quarantine or p=reject."}
	dmarcTesting = verify.Problem{Code: "dmarc.testing", Severity: verify.Info, Spec: "RFC 9989 section 4.7",
		Title: "The DMARC policy is only being tested (t=y)", Advice: "Remove t=y when the reports are good."}
	dmarcRemoved = verify.Problem{Code: "dmarc.removed-tag", Severity: verify.Warning, Spec: "RFC 9989 appendix C.5",
		Title: "The DMARC record uses a tag that no longer exists", Advice: "Remove pct, rf and ri; where pct was 0, t=y takes its place."}
	dmarcReports = verify.Problem{Code: "dmarc.no-reports", Severity: verify.Recommendation, Spec: "RFC 9989 section 5.1.2",
		Title: "The DMARC record asks nobody to report", Advice: "Add rua=mailto: with an address that somebody reads."}
	dmarcReportURI = verify.Problem{Code: "dmarc.report-address", Severity: verify.Warning, Spec: "RFC 9989 section 4.7",
		Title: "The place for DMARC reports is not a usable URI", Advice: "Write mailto: and an address."}
)

// dmarcCheck finds the policy that receivers apply and reads it.
func dmarcCheck(cfg Config) verify.Check {
	problems := []verify.Problem{dmarcMissing, dmarcSeveral, dmarcInvalid, dmarcNoPolicy, dmarcNone, dmarcTesting, dmarcRemoved, dmarcReports, dmarcReportURI}
	return check(cfg, "dmarc", "DMARC of the contact's domain", mailDomains, problems, func(r *run) error {
		own, others, err := r.dmarcAt(r.domain())
		switch {
		case err != nil:
			return err
		case len(own) > 1:
			r.find(dmarcSeveral, strings.Join(own, "\n"))
			return nil
		case len(own) == 1:
			r.dmarc(r.domain(), own[0], false)
			return nil
		case len(others) > 0:
			r.find(dmarcInvalid, others[0])
			return nil
		}
		return r.dmarcAbove()
	})
}

// dmarcAt returns the DMARC records of a domain, and what was meant to be one:
// records that begin with another way of writing the version are discarded (RFC
// 9989 section 4.10).
func (r *run) dmarcAt(domain string) (records, others []string, err error) {
	list, _, err := r.texts("_dmarc."+domain, "v")
	for _, s := range list {
		first, _, _ := strings.Cut(s, ";")
		name, version, _ := strings.Cut(first, "=")
		if name, version = strings.TrimRight(name, " \t"), strings.Trim(version, " \t"); !strings.EqualFold(name, "v") {
			continue
		}
		word, _, _ := strings.Cut(version, " ")
		switch {
		case word == "DMARC1":
			records = append(records, s)
		case strings.EqualFold(word, "DMARC1"):
			others = append(others, s)
		}
	}
	return records, others, err
}

// dmarcAbove finds the record that counts for a domain without one of its own:
// that of its organisation, else that of the registry above (RFC 9989 section
// 4.10.1). What is wrong with records that do not count is nobody's finding here.
func (r *run) dmarcAbove() error {
	names := walk(r.domain())
	records := map[string]string{}
	organisation := 0 // in names
	for i, name := range names[1:] {
		list, _, err := r.dmarcAt(name)
		if err != nil {
			return err
		}
		if len(list) != 1 { // several are discarded
			continue
		}
		d, err := ParseDMARC(list[0])
		if err != nil {
			continue
		}
		records[name] = list[0]
		organisation = i + 1 // section 4.10.2: the fewest labels
		if d.PSD == "y" {    // … or the one below the registry's
			organisation = i
		}
		if d.PSD != "u" {
			break
		}
	}
	for _, name := range names[organisation:] {
		if record, ok := records[name]; ok {
			r.dmarc(name, record, true)
			return nil
		}
	}
	r.find(dmarcMissing, r.t.Subject.ID)
	return nil
}

// walk returns the names at which receivers look for a policy: the domain, then
// upwards, at most eight (RFC 9989 section 4.10).
func walk(domain string) (list []string) {
	list = []string{domain}
	labels := dns.SplitDomainName(domain)
	if len(labels) > 8 {
		labels = labels[len(labels)-8:]
	}
	for len(labels) > 1 {
		labels = labels[1:]
		list = append(list, dns.Fqdn(strings.Join(labels, ".")))
	}
	return list
}

// dmarc judges the record that counts; above means that it is of a domain above.
// np is for domains that do not exist, and has no part in it.
func (r *run) dmarc(name, record string, above bool) {
	r.fact("dmarc", name+" "+record)
	d, err := ParseDMARC(record)
	if err != nil {
		r.find(dmarcInvalid, record)
		return
	}
	policy := d.Policy
	if above && d.Subdomains != "" {
		policy = d.Subdomains
	}
	r.fact("dmarc-policy", policy)
	switch {
	case d.WithoutWords:
		r.find(dmarcNoPolicy, record)
	case policy == "none":
		r.find(dmarcNone, record)
	case d.Testing:
		r.find(dmarcTesting, record)
	}
	for _, name := range d.Removed {
		r.find(dmarcRemoved, name)
	}
	if len(d.Reports) == 0 {
		r.find(dmarcReports, record)
	}
	for _, uri := range append(d.Reports, d.Failures...) {
		if !isMailto(uri) {
			r.find(dmarcReportURI, uri)
		}
	}
}

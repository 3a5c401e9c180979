package dnscheck

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// ErrTLSRPT is why a record is no TLS-RPT record.
var ErrTLSRPT = errors.New("dnscheck: no TLS-RPT record")

// ParseTLSRPT returns where reports go (RFC 8460 section 3): mailto: and https:
// URIs.
func ParseTLSRPT(s string) ([]string, error) {
	tags, err := parseTags(s, isExtensionName)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTLSRPT, err)
	}
	if len(tags) == 0 || tags[0] != (tag{"v", "TLSRPTv1"}) {
		return nil, fmt.Errorf("%w: it does not begin with v=TLSRPTv1", ErrTLSRPT)
	}
	for _, t := range tags {
		if t.name != "rua" {
			continue
		}
		list := splitList(t.value)
		for _, uri := range list {
			if u, err := url.Parse(uri); !isMailto(uri) && (err != nil || u.Scheme != "https" || u.Host == "") {
				return nil, fmt.Errorf("%w: %q is neither a mailto: nor an https: URI", ErrTLSRPT, uri)
			}
		}
		if len(list) > 0 {
			return list, nil
		}
	}
	return nil, fmt.Errorf("%w: no rua", ErrTLSRPT)
}

var (
	tlsrptSeveral = verify.Problem{Code: "tlsrpt.several", Severity: verify.Error, Spec: "RFC 8460 section 3",
		Title: "There is more than one TLS-RPT record, so senders see none", Advice: "Keep one TXT record at _smtp._tls."}
	tlsrptInvalid = verify.Problem{Code: "tlsrpt.invalid", Severity: verify.Error, Spec: "RFC 8460 section 3",
		Title: "The TLS-RPT record can't be read", Advice: "Write v=TLSRPTv1; rua=mailto: and an address that somebody reads."}
	tlsrptMissing = verify.Problem{Code: "tlsrpt.missing", Severity: verify.Recommendation, Spec: "RFC 8460 section 1",
		Title: "The domain has an MTA-STS or DANE policy, and asks nobody to report when it fails", Advice: "Publish a TLS-RPT record at _smtp._tls: without reports nobody learns that mail does not arrive."}
)

// tlsRPTCheck reads where senders report failures of TLS.
func tlsRPTCheck(cfg Config) verify.Check {
	return check(cfg, "tlsrpt", "TLS reports of the contact's domain", mailDomains, []verify.Problem{tlsrptSeveral, tlsrptInvalid, tlsrptMissing}, func(r *run) error {
		records, _, err := r.texts("_smtp._tls."+r.domain(), "v=TLSRPTv1")
		if err != nil {
			return err
		}
		switch len(records) {
		case 0:
			return r.reportless()
		case 1:
			list, err := ParseTLSRPT(records[0])
			if err != nil {
				r.find(tlsrptInvalid, records[0])
			}
			r.fact("tlsrpt", strings.Join(list, " "))
			return nil
		}
		r.find(tlsrptSeveral, strings.Join(records, "\n"))
		return nil
	})
}

// reportless recommends reports where there is a policy that can fail: MTA-STS or
// DANE (RFC 8460 section 1.1).
func (r *run) reportless() error {
	records, _, err := r.texts("_mta-sts."+r.domain(), "v=STSv1")
	switch {
	case err != nil:
		return err
	case len(records) > 0:
		r.find(tlsrptMissing, records[0])
		return nil
	}
	mx, err := r.records(r.domain(), dns.TypeMX)
	if err != nil {
		return err
	}
	for _, x := range lookedAt(mx.rrs) {
		owner, f, err := r.tlsaOf(x.Mx)
		if err != nil {
			return err
		}
		if len(f.rrs) > 0 {
			r.find(tlsrptMissing, owner+" TLSA")
			return nil
		}
	}
	return nil
}

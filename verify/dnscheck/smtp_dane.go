package dnscheck

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// provenTLSA returns the TLSA records of a mail server that senders go by: proven
// ones that can be used, of a domain whose MX records are proven too and name it. base is the
// name that they are for: the host's, or that which its aliases lead to. What is
// wrong with others is for the check dane to say.
func (r *run) provenTLSA(host string) (base string, list []*dns.TLSA, err error) {
	owner, f, err := r.tlsaOf(host)
	if err != nil || len(f.rrs) == 0 {
		return "", nil, err
	}
	p, err := r.proofDANE(owner)
	if err != nil {
		return "", nil, err
	}
	list = slices.DeleteFunc(p.records(host), func(t *dns.TLSA) bool { return !usable(t) })
	return strings.TrimSuffix(strings.TrimPrefix(owner, tlsaLabels), "."), list, nil
}

// fitsDANE reports whether one of the records fits what a server sent. An authority
// has to vouch for one of names.
func fitsDANE(records []*dns.TLSA, v *verify.Visit, names []string, now time.Time) bool {
	var chain []*x509.Certificate
	for _, raw := range v.Chain {
		if c, err := x509.ParseCertificate(raw); err == nil {
			chain = append(chain, c)
		}
	}
	return len(chain) > 0 && slices.ContainsFunc(records, func(t *dns.TLSA) bool {
		if t.Usage == 3 { // name and dates do not count (RFC 7672 section 3.1.1)
			return fits(t, chain[0])
		}
		return slices.ContainsFunc(chain, func(c *x509.Certificate) bool {
			return fits(t, c) && slices.ContainsFunc(names, func(name string) bool { return vouches(c, chain, name, now) })
		})
	})
}

// fits compares one record with one certificate (RFC 6698 section 2.1).
func fits(t *dns.TLSA, c *x509.Certificate) bool {
	want, err := hex.DecodeString(t.Certificate)
	if err != nil {
		return false
	}
	data := c.Raw
	if t.Selector == 1 {
		data = c.RawSubjectPublicKeyInfo
	}
	switch t.MatchingType {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(data, want)
}

// vouches reports whether an authority of the chain leads to a certificate for a
// name.
func vouches(authority *x509.Certificate, chain []*x509.Certificate, name string, now time.Time) bool {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority)
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between, CurrentTime: now})
	return err == nil
}

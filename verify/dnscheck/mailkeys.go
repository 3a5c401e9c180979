package dnscheck

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// OwnerOf returns the name at which the key for an address stands: label is
// "_openpgpkey" (RFC 7929 section 3) or "_smimecert" (RFC 8162 section 3). The
// local part is hashed as it is written, without lower-casing.
func OwnerOf(address, label string) (string, bool) {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 || at == len(address)-1 {
		return "", false
	}
	sum := sha256.Sum256([]byte(address[:at]))
	return hex.EncodeToString(sum[:28]) + "." + label + "." + dns.CanonicalName(address[at+1:]), true
}

var (
	openpgpkeyInsecure = verify.Problem{Code: "openpgpkey.insecure", Severity: verify.Warning, Spec: "RFC 7929 section 5",
		Title: "The key in the DNS is not signed, so nobody may trust it", Advice: "Sign the zone with DNSSEC, or remove the OPENPGPKEY record."}
	openpgpkeyBogus = verify.Problem{Code: "openpgpkey.bogus", Severity: verify.Error, Spec: "RFC 7929 section 5",
		Title: "The key in the DNS is signed wrongly", Advice: "Sign the zone again."}
	openpgpkeyGarbled = verify.Problem{Code: "openpgpkey.garbled", Severity: verify.Error, Spec: "RFC 7929 section 2.1",
		Title: "The OPENPGPKEY record holds no OpenPGP key", Advice: "Publish the binary key, not armoured: gpg --export-options export-dane --export ADDRESS."}
	openpgpkeyWildcard = verify.Problem{Code: "openpgpkey.wildcard", Severity: verify.Warning, Spec: "RFC 7929 section 3",
		Title: "Every address of the domain has the same OPENPGPKEY record, by a wildcard", Advice: "Remove the wildcard: it vouches for addresses that nobody has."}
	smimeaInsecure = verify.Problem{Code: "smimea.insecure", Severity: verify.Warning, Spec: "RFC 8162 section 6",
		Title: "The certificate association in the DNS is not signed, so nobody may trust it", Advice: "Sign the zone with DNSSEC, or remove the SMIMEA record."}
	smimeaBogus = verify.Problem{Code: "smimea.bogus", Severity: verify.Error, Spec: "RFC 8162 section 6",
		Title: "The certificate association in the DNS is signed wrongly", Advice: "Sign the zone again."}
	smimeaUnusable = verify.Problem{Code: "smimea.unusable", Severity: verify.Warning, Spec: "RFC 8162 section 2",
		Title: "An SMIMEA record has parameters that are not defined", Advice: "Use usage 0 to 3, selector 0 or 1, matching type 0 to 2 with a digest of the right length."}
	smimeaWildcard = verify.Problem{Code: "smimea.wildcard", Severity: verify.Warning, Spec: "RFC 8162 section 3",
		Title: "Every address of the domain has the same SMIMEA record, by a wildcard", Advice: "Remove the wildcard: it vouches for addresses that nobody has."}
	certLegacy = verify.Problem{Code: "cert.legacy", Severity: verify.Info, Spec: "RFC 4398 section 2.1",
		Title: "The address has a CERT record with an OpenPGP key, which hardly anybody reads", Advice: "Publish the key by WKD or OPENPGPKEY as well."}
)

// addressCheck makes a Check of a function over one e-mail address.
func addressCheck(cfg Config, name, title string, problems []verify.Problem, f func(*run) error) verify.Check {
	c := check(cfg, name, title, contacts, problems, f)
	c.Kinds = []verify.SubjectKind{verify.SubjectContact}
	c.Every = 7 * 24 * time.Hour
	return c
}

// openPGPKeyCheck looks for the address's key in the DNS (RFC 7929).
func openPGPKeyCheck(cfg Config) verify.Check {
	problems := []verify.Problem{openpgpkeyInsecure, openpgpkeyBogus, openpgpkeyGarbled, openpgpkeyWildcard}
	return addressCheck(cfg, "openpgpkey", "the contact's key in the DNS", problems, func(r *run) error {
		owner, ok := OwnerOf(r.t.Subject.ID, "_openpgpkey")
		if !ok {
			return nil
		}
		a, err := r.prove(owner, dns.TypeOPENPGPKEY, openpgpkeyInsecure, openpgpkeyBogus)
		if err != nil || len(a.RRs) == 0 {
			return err
		}
		if a.Wildcard {
			r.find(openpgpkeyWildcard, owner)
		}
		for _, rr := range a.RRs {
			r.keyRecord(owner, rr.(*dns.OPENPGPKEY))
		}
		return nil
	})
}

// keyRecord reads one record. Whether it is the profile's key is for the check
// pgpkey-contact to say, which knows the other channels too.
func (r *run) keyRecord(owner string, rr *dns.OPENPGPKEY) {
	raw, err := base64.StdEncoding.DecodeString(rr.PublicKey)
	if err != nil {
		r.find(openpgpkeyGarbled, owner)
		return
	}
	k, _, err := directory.ParseKey(raw)
	if err != nil {
		r.find(openpgpkeyGarbled, fmt.Sprintf("%s: %v", owner, err))
		return
	}
	r.fact("openpgpkey", string(k.Fingerprint))
}

// smimeaCheck looks for the address's certificate association (RFC 8162).
func smimeaCheck(cfg Config) verify.Check {
	return addressCheck(cfg, "smimea", "the contact's S/MIME certificate in the DNS", []verify.Problem{smimeaInsecure, smimeaBogus, smimeaUnusable, smimeaWildcard}, func(r *run) error {
		owner, ok := OwnerOf(r.t.Subject.ID, "_smimecert")
		if !ok {
			return nil
		}
		a, err := r.prove(owner, dns.TypeSMIMEA, smimeaInsecure, smimeaBogus)
		if a.Wildcard {
			r.find(smimeaWildcard, owner)
		}
		for _, rr := range a.RRs {
			s := rr.(*dns.SMIMEA)
			r.fact("smimea", fmt.Sprintf("%d %d %d %s", s.Usage, s.Selector, s.MatchingType, s.Certificate))
			if want := map[uint8]int{1: 64, 2: 128}[s.MatchingType]; s.Usage > 3 || s.Selector > 1 || s.MatchingType > 2 || want > 0 && len(s.Certificate) != want {
				r.find(smimeaUnusable, fmt.Sprintf("%d %d %d", s.Usage, s.Selector, s.MatchingType))
			}
		}
		return err
	})
}

// prove asks for records and proves them by itself: for what stands in the DNS
// about a single address, the word of a resolver is not enough. It is only the
// reason to ask.
func (r *run) prove(owner string, qtype uint16, insecure, bogus verify.Problem) (dnssec.Answer, error) {
	f, err := r.unproven(owner, qtype)
	if err == nil && f.bogus && len(f.rrs) == 0 { // whether something stands there, nobody can tell
		err = &verify.Trouble{Code: verify.DNSBogus, Detail: owner + " " + dns.TypeToString[qtype]}
	}
	if err != nil || len(f.rrs) == 0 {
		return dnssec.Answer{}, err
	}
	v, err := r.validator()
	if err != nil {
		return dnssec.Answer{}, err
	}
	a, err := v.Query(r.ctx, owner, qtype)
	if err != nil {
		return a, asTrouble(err)
	}
	switch {
	case a.Status == dnssec.Secure:
	case len(a.RRs) == 0 && a.Status == dnssec.Bogus:
		return a, &verify.Trouble{Code: verify.DNSBogus, Detail: a.Reason}
	case len(a.RRs) == 0: // what was seen before is not in the answer that counts
	case a.Status == dnssec.Bogus:
		r.find(bogus, a.Reason)
	default:
		r.find(insecure, a.Reason)
	}
	return a, nil
}

// certCheck looks for CERT records of the address (RFC 4398), at the name that
// its section 3.3 gives.
func certCheck(cfg Config) verify.Check {
	return addressCheck(cfg, "cert", "CERT records of the contact", []verify.Problem{certLegacy}, func(r *run) error {
		local, domain, ok := strings.Cut(r.t.Subject.ID, "@")
		if !ok || !isHost(local) {
			return nil
		}
		f, err := r.records(local+"."+domain, dns.TypeCERT)
		for _, rr := range f.rrs {
			if c := rr.(*dns.CERT); c.Type == dns.CertPGP || c.Type == dns.CertIPGP {
				r.find(certLegacy, fmt.Sprintf("%s type %d", f.owner, c.Type))
			}
		}
		return err
	})
}

// asTrouble makes trouble of what kept a validator from a conclusion.
func asTrouble(err error) error {
	var t *verify.Trouble
	switch {
	case errors.As(err, &t):
		return err
	case errors.Is(err, dnssec.ErrWork):
		return &verify.Trouble{Code: verify.DNSWork, Err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &verify.Trouble{Code: verify.CodeInternal, Ours: true, Err: err}
	}
	return &verify.Trouble{Code: verify.DNSGarbled, Err: err}
}

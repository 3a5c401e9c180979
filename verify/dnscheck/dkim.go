package dnscheck

import (
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// DKIMKey is a key record (RFC 6376 section 3.6.1).
type DKIMKey struct {
	Type    string // rsa, ed25519
	Bits    int    // of an RSA key's modulus
	Revoked bool   // p= is empty
	Testing bool   // t=y
}

// ErrDKIMKey is why a record is no key that mail can be verified by.
var ErrDKIMKey = errors.New("dnscheck: no DKIM key")

// ParseDKIMKey reads a key record. One by which no mail can be verified, since it
// is for another service, hash or kind of key, is an error too.
func ParseDKIMKey(s string) (k DKIMKey, err error) {
	refuse := func(format string, args ...any) (DKIMKey, error) {
		return k, fmt.Errorf("%w: "+format, append([]any{ErrDKIMKey}, args...)...)
	}
	list, err := parseTags(withoutBlanks(s), isTagName)
	if err != nil {
		return k, fmt.Errorf("%w: %w", ErrDKIMKey, err)
	}
	tags := map[string]string{"k": "rsa", "h": "sha256", "s": "*"}
	for i, t := range list {
		if t.name == "v" && (i > 0 || t.value != "DKIM1") {
			return refuse("v=%s; want v=DKIM1 in front", t.value)
		}
		tags[t.name] = t.value
	}
	p, ok := tags["p"]
	k.Type, k.Revoked, k.Testing = tags["k"], ok && p == "", slices.Contains(colons(tags["t"]), "y")
	switch {
	case !ok:
		return refuse("no p=")
	case !slices.Contains(colons(tags["s"]), "*") && !slices.Contains(colons(tags["s"]), "email"):
		return refuse("s=%s; want email among it", tags["s"])
	case !slices.Contains(colons(tags["h"]), "sha256"): // RFC 8301 section 3.1
		return refuse("h=%s; want sha256 among it", tags["h"])
	case k.Revoked:
		return k, nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(p), ""))
	if err != nil {
		return refuse("p= is no base64")
	}
	switch k.Type {
	case "rsa":
		k.Bits, err = rsaBits(raw)
		if err != nil {
			return refuse("p= is no RSA key")
		}
	case "ed25519": // RFC 8463 section 4.2
		if len(raw) != ed25519.PublicKeySize {
			return refuse("p= has %d octets; an Ed25519 key has 32", len(raw))
		}
	default:
		return refuse("k=%s; want rsa or ed25519", k.Type)
	}
	return k, nil
}

// withoutBlanks takes empty parts out of a list of tags, as "v=DKIM1;; p=" has one.
// Against RFC 6376 section 3.2: verifiers in use pass over them.
func withoutBlanks(s string) string {
	parts := slices.DeleteFunc(strings.Split(s, ";"), func(p string) bool { return strings.TrimSpace(p) == "" })
	return strings.Join(parts, ";")
}

// colons splits a list with colons (RFC 6376 section 3.6.1).
func colons(s string) []string {
	list := strings.Split(s, ":")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// rsaBits is the size of a key in either of the two forms that are in use
// (RFC 6376 erratum 3017).
func rsaBits(raw []byte) (int, error) {
	if k, err := x509.ParsePKCS1PublicKey(raw); err == nil {
		return k.N.BitLen(), nil
	}
	k, err := x509.ParsePKIXPublicKey(raw)
	if r, ok := k.(*rsa.PublicKey); ok {
		return r.N.BitLen(), nil
	}
	return 0, errors.Join(ErrDKIMKey, err)
}

var (
	dkimMissing = verify.Problem{Code: "dkim.key-missing", Severity: verify.Info, Spec: "RFC 6376 section 3.6.2.2",
		Title: "The key by which the last reply was signed is not published any more", Advice: "Nothing, if another one is in use by now; keep a key for a week after its last signature."}
	dkimRevoked = verify.Problem{Code: "dkim.key-revoked", Severity: verify.Info, Spec: "RFC 6376 section 3.6.1",
		Title: "The key by which the last reply was signed has been revoked", Advice: "Nothing, if another one is in use by now; keep a key for a week after its last signature."}
	dkimSeveral = verify.Problem{Code: "dkim.several", Severity: verify.Error, Spec: "RFC 6376 section 3.6.2.2",
		Title: "There is more than one TXT record at a DKIM key's name, so receivers may use none", Advice: "Keep one record."}
	dkimInvalid = verify.Problem{Code: "dkim.key-invalid", Severity: verify.Error, Spec: "RFC 6376 section 3.6.1",
		Title: "A DKIM key can't be read, or not be used for mail", Advice: "Publish v=DKIM1; k=rsa; p= and the key in base64, in one TXT record."}
	dkimShort = verify.Problem{Code: "dkim.key-too-short", Severity: verify.Error, Spec: "RFC 8301 section 3.2",
		Title: "A DKIM key has less than 1024 bits: receivers hold its signatures for invalid, and others can find out the private key", Advice: "Sign with a key of 2048 bits under a new selector, and revoke this one."}
	dkimWeak = verify.Problem{Code: "dkim.key-weak", Severity: verify.Warning, Spec: "RFC 8301 section 3.2",
		Title: "A DKIM key has less than 2048 bits", Advice: "Sign with a key of 2048 bits under a new selector."}
	dkimTesting = verify.Problem{Code: "dkim.testing", Severity: verify.Warning, Spec: "RFC 6376 section 3.6.1",
		Title: "A DKIM key says that the domain is only testing (t=y), so its signatures count for nothing", Advice: "Take t=y out of the record once signing works."}
)

// dkimKept is how long a key has to stay after its last signature, for what is
// still on its way or waits to be read.
const dkimKept = 7 * 24 * time.Hour

// dkimCheck looks at the keys by which replies of the domain were signed. The
// DNS does not tell the names of keys, so that without a reply nothing is known.
func dkimCheck(cfg Config) verify.Check {
	problems := []verify.Problem{dkimMissing, dkimRevoked, dkimSeveral, dkimInvalid, dkimShort, dkimWeak, dkimTesting}
	c := check(cfg, verify.SelectorCheck, "DKIM keys that replies have shown", mailDomains, problems, func(r *run) error {
		known := r.t.Selectors[:min(len(r.t.Selectors), 2*verify.MaxSelectors)]
		if len(known) == 0 {
			r.fact("dkim", "not applicable: no signed reply has shown the name of a key")
			return nil
		}
		for i, s := range known {
			if err := r.dkimKey(s, i == 0); err != nil {
				return err
			}
		}
		return nil
	})
	c.Claimed = true
	return c
}

// dkimKey looks at one key. That one is gone, or of no use, is news only of the
// latest: others have been replaced.
func (r *run) dkimKey(s verify.Selector, latest bool) error {
	f, err := r.records(s.Owner(), dns.TypeTXT)
	if err != nil {
		return err
	}
	var texts []string
	for _, rr := range f.rrs {
		texts = append(texts, strings.Join(rr.(*dns.TXT).Txt, ""))
	}
	switch {
	case !slices.ContainsFunc(texts, likeKey):
		r.dkimGone(dkimMissing, s, latest)
		return nil
	case len(texts) > 1:
		r.dkimUseless(dkimSeveral, fmt.Sprintf("%s has %d records", s.Owner(), len(texts)), latest)
		return nil
	}
	k, err := ParseDKIMKey(texts[0])
	switch {
	case err != nil:
		r.dkimUseless(dkimInvalid, s.Owner()+": "+strings.TrimPrefix(err.Error(), ErrDKIMKey.Error()+": "), latest)
		return nil
	case k.Revoked:
		r.dkimGone(dkimRevoked, s, latest)
		return nil
	}
	size := k.Type
	if k.Type == "rsa" {
		size = fmt.Sprintf("rsa %d bits", k.Bits)
	}
	r.fact("dkim", s.Owner()+" "+size)
	switch {
	case k.Type != "rsa":
	case k.Bits < 1024 && latest:
		r.find(dkimShort, s.Owner()+" "+size)
	case k.Bits < 2048:
		r.find(dkimWeak, s.Owner()+" "+size)
	}
	if k.Testing {
		r.find(dkimTesting, s.Owner())
	}
	return nil
}

// likeKey tells a record that is meant for a key from what a wildcard gives.
func likeKey(text string) bool {
	return strings.HasPrefix(text, "v=DKIM1") || slices.ContainsFunc(strings.Split(text, ";"), func(tag string) bool {
		name, _, ok := strings.Cut(tag, "=")
		return ok && strings.TrimSpace(name) == "p"
	})
}

// dkimUseless notes a record by which no mail is verified: of a key that was
// replaced as a fact.
func (r *run) dkimUseless(p verify.Problem, evidence string, latest bool) {
	if !latest {
		r.fact("dkim", evidence)
		return
	}
	r.find(p, evidence)
}

// dkimGone notes that a key is gone. Soon after it signed, that breaks mail which
// is still read.
func (r *run) dkimGone(p verify.Problem, s verify.Selector, latest bool) {
	seen := s.Seen.UTC().Format(time.DateOnly)
	r.fact("dkim", s.Owner()+" gone, last used "+seen)
	if !latest {
		return
	}
	f := r.find(p, s.Owner()+" last used "+seen)
	if r.t.Now.Sub(s.Seen) < dkimKept {
		f.Severity = verify.Warning
	}
}

package dnssec

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// zone is what is known of one zone: its keys, or why they can't be had.
type zone struct {
	name   string
	status Status
	reason string
	keys   []*dns.DNSKEY
	ended  bool // nothing exists below the name that led here: no deeper cut
}

// zoneOf returns the deepest zone that name lies in. A DS record lies in the
// zone above (RFC 4035 section 3.1.4.1).
func (v *Validator) zoneOf(ctx context.Context, name string, qtype uint16) (*zone, error) {
	if qtype == dns.TypeDS && name != "." {
		name = parentOf(name)
	}
	z, err := v.anchored(ctx, name)
	if err != nil || z.status != Secure {
		return z, err
	}
	for _, child := range between(z.name, name) {
		cut, err := v.descend(ctx, z, child)
		if err != nil {
			return nil, err
		}
		z = cut
		if z.status != Secure || z.ended {
			break
		}
	}
	return z, nil
}

// signerOf returns the zone that says it signed a set of records; where none
// says so, the deepest one that they lie in. Whether a zone above signs what a
// zone below ought to is not asked: it could as well have delegated elsewhere. Zones
// above the closest trust anchor have no say.
func (v *Validator) signerOf(ctx context.Context, h *dns.RR_Header, sigs []*dns.RRSIG) (*zone, error) {
	owner, signer := dns.CanonicalName(h.Name), ""
	for _, s := range sigs {
		name := dns.CanonicalName(s.SignerName)
		if s.TypeCovered == h.Rrtype && dns.IsSubDomain(name, owner) && len(name) > len(signer) && len(name) >= len(v.anchorOf(owner)) {
			signer = name
		}
	}
	if signer == "" || h.Rrtype == dns.TypeDS {
		return v.zoneOf(ctx, owner, h.Rrtype)
	}
	return v.zoneOf(ctx, signer, dns.TypeDNSKEY)
}

// anchorOf returns the closest name above name that has a trust anchor; "" if none
// has.
func (v *Validator) anchorOf(name string) (apex string) {
	for _, a := range v.cfg.Anchors {
		owner := dns.CanonicalName(a.DS.Hdr.Name)
		if a.holds(v.cfg.Now) && dns.IsSubDomain(owner, name) && len(owner) > len(apex) {
			apex = owner
		}
	}
	return apex
}

// anchored returns the zone of the closest trust anchor above name.
func (v *Validator) anchored(ctx context.Context, name string) (*zone, error) {
	apex := v.anchorOf(name)
	if apex == "" {
		return &zone{name: name, status: Indeterminate, reason: "no trust anchor covers " + name}, nil
	}
	if z := v.zones[apex]; z != nil {
		return z, nil
	}
	var ds []*dns.DS
	for _, a := range v.cfg.Anchors {
		if a.holds(v.cfg.Now) && dns.CanonicalName(a.DS.Hdr.Name) == apex {
			ds = append(ds, a.DS)
		}
	}
	z, err := v.load(ctx, apex, ds)
	if err == nil {
		v.zones[apex] = z
	}
	return z, err
}

// descend returns the zone of child, which is z itself when there is no cut.
func (v *Validator) descend(ctx context.Context, z *zone, child string) (*zone, error) {
	if known := v.zones[child]; known != nil {
		return known, nil
	}
	m, err := v.ask(ctx, child, dns.TypeDS)
	if err != nil {
		return nil, err
	}
	cut, err := v.cut(ctx, z, child, m)
	if err == nil {
		v.zones[child] = cut
	}
	return cut, err
}

// cut reads the answer to a question for DS records at child.
func (v *Validator) cut(ctx context.Context, z *zone, child string, m *dns.Msg) (*zone, error) {
	bogus := func(reason string) *zone {
		return &zone{name: child, status: Bogus, reason: child + " DS: " + reason}
	}
	rrs, alias := pick(m.Answer, child, dns.TypeDS), false
	if len(rrs) == 0 {
		rrs, alias = pick(m.Answer, child, dns.TypeCNAME), true
	}
	if len(rrs) == 0 {
		return v.noCut(z, child, m)
	}
	sig, reason, err := v.verify(z, rrs, signatures(m.Answer, child))
	switch {
	case err != nil:
		return nil, err
	case sig == nil:
		return bogus(reason), nil
	case alias: // an alias is no cut, and nothing lies below it
		same := *z
		same.ended = true
		return &same, nil
	}
	ds := usable(rrs)
	if len(ds) == 0 { // RFC 4035 section 5.2: no algorithm that we know
		return &zone{name: child, status: Insecure, reason: child + " is signed with algorithms that are not supported only"}, nil
	}
	return v.load(ctx, child, ds)
}

// noCut reads the proof that child has no DS records: it is no zone of its
// own, or one that is not signed.
func (v *Validator) noCut(z *zone, child string, m *dns.Msg) (*zone, error) {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return &zone{name: child, status: Indeterminate, reason: child + " DS: the answer is " + dns.RcodeToString[m.Rcode]}, nil
	}
	d, err := v.denials(z, m)
	if err != nil {
		return nil, err
	}
	what, reason := d.noDS(child)
	switch what {
	case unsigned:
		return &zone{name: child, status: Insecure, reason: child + " is delegated without DS: " + reason}, nil
	case noDelegation:
		return z, nil
	case nothing:
		same := *z
		same.ended = true
		return &same, nil
	}
	return &zone{name: child, status: Bogus, reason: child + " DS: " + reason}, nil
}

// load fetches the keys of a zone and proves them by its DS records.
func (v *Validator) load(ctx context.Context, apex string, ds []*dns.DS) (*zone, error) {
	m, err := v.ask(ctx, apex, dns.TypeDNSKEY)
	if err != nil {
		return nil, err
	}
	rrs := pick(m.Answer, apex, dns.TypeDNSKEY)
	z := &zone{name: apex, status: Bogus, reason: apex + " DNSKEY: no key that the zone above, or the trust anchor, vouches for"}
	var trusted []*dns.DNSKEY
	var all []*dns.DNSKEY
	for _, rr := range rrs {
		k := rr.(*dns.DNSKEY)
		if k.Flags&dns.ZONE == 0 || k.Flags&dns.REVOKE != 0 || k.Protocol != 3 || len(all) >= 64 {
			continue
		}
		all = append(all, k)
		if slices.ContainsFunc(ds, func(d *dns.DS) bool { return vouches(d, k) }) {
			trusted = append(trusted, k)
		}
	}
	if len(trusted) == 0 {
		return z, nil
	}
	sig, reason, err := v.verify(&zone{name: apex, keys: trusted}, rrs, signatures(m.Answer, apex))
	if err != nil {
		return nil, err
	}
	if sig == nil {
		z.reason = apex + " DNSKEY: " + reason
		return z, nil
	}
	return &zone{name: apex, status: Secure, keys: all}, nil
}

// vouches reports whether d is the digest of k.
func vouches(d *dns.DS, k *dns.DNSKEY) bool {
	if d.KeyTag != k.KeyTag() || d.Algorithm != k.Algorithm {
		return false
	}
	own := k.ToDS(d.DigestType)
	return own != nil && strings.EqualFold(own.Digest, d.Digest)
}

// supported are the algorithms that validators must or should know (RFC 8624
// section 3.1). RSA with SHA-1 is not among them (RFC 9905).
func supported(algorithm uint8) bool {
	switch algorithm {
	case dns.RSASHA256, dns.RSASHA512, dns.ECDSAP256SHA256, dns.ECDSAP384SHA384, dns.ED25519:
		return true
	}
	return false
}

// usable returns the DS records whose algorithms are known. SHA-1 digests count
// only where there is no better one (RFC 4509 section 3).
func usable(rrs []dns.RR) (list []*dns.DS) {
	better := slices.ContainsFunc(rrs, func(rr dns.RR) bool { d := rr.(*dns.DS); return supported(d.Algorithm) && strong(d.DigestType) })
	for _, rr := range rrs {
		d := rr.(*dns.DS)
		if supported(d.Algorithm) && (strong(d.DigestType) || !better && d.DigestType == dns.SHA1) {
			list = append(list, d)
		}
	}
	return list
}

func strong(digest uint8) bool { return digest == dns.SHA256 || digest == dns.SHA384 }

// verify finds a signature on rrs that a key of z made and that is valid now.
// The reason is that of the signature that came closest.
func (v *Validator) verify(z *zone, rrs []dns.RR, sigs []*dns.RRSIG) (sig *dns.RRSIG, reason string, err error) {
	h := rrs[0].Header()
	reason = "no signature"
	tried := 0
	for _, s := range sigs {
		if s.TypeCovered != h.Rrtype {
			continue
		}
		if tried++; tried > maxSignatures {
			return nil, "", fmt.Errorf("%w: more than %d signatures on %s", ErrWork, maxSignatures, h.Name)
		}
		if why := v.unfit(z, s, h.Name); why != "" {
			reason = why
			continue
		}
		good, err := v.byKeys(z, s, rrs)
		if err != nil {
			return nil, "", err
		}
		if good {
			return s, "", nil
		}
		reason = fmt.Sprintf("the signature by key %d does not verify", s.KeyTag)
	}
	return nil, reason, nil
}

// unfit says why a signature can't count (RFC 4035 section 5.3.1), "" if it can.
func (v *Validator) unfit(z *zone, s *dns.RRSIG, owner string) string {
	now := v.cfg.Now
	switch {
	case dns.CanonicalName(s.SignerName) != z.name:
		return "signed by " + s.SignerName + " and not by " + z.name
	case int(s.Labels) > dns.CountLabel(owner):
		return "a signature with more labels than the name"
	case !supported(s.Algorithm):
		return fmt.Sprintf("signed with algorithm %d, which is not supported", s.Algorithm)
	case now.After(sigTime(s.Expiration, now)):
		return "the signature expired on " + sigTime(s.Expiration, now).Format(time.RFC3339)
	case now.Before(sigTime(s.Inception, now)):
		return "the signature is valid from " + sigTime(s.Inception, now).Format(time.RFC3339) + " only"
	}
	return ""
}

// byKeys tries the keys that a signature names.
func (v *Validator) byKeys(z *zone, s *dns.RRSIG, rrs []dns.RR) (bool, error) {
	same := 0
	for _, k := range z.keys {
		if k.Algorithm != s.Algorithm || k.KeyTag() != s.KeyTag {
			continue
		}
		same++
		v.verifies++
		if same > maxSameTag || v.verifies > maxVerifies {
			return false, fmt.Errorf("%w: too many keys or signatures in %s", ErrWork, z.name)
		}
		if v.cfg.Memory.verify(s, k, rrs) {
			return true, nil
		}
	}
	return false, nil
}

// sigTime reads a time of an RRSIG, which counts seconds modulo 2^32 around
// now (RFC 4034 section 3.1.5).
func sigTime(t uint32, now time.Time) time.Time {
	return time.Unix(now.Unix()+int64(int32(t-uint32(now.Unix()))), 0).UTC() //nolint:gosec // serial arithmetic, RFC 1982
}

// parentOf returns the name one label up.
func parentOf(name string) string {
	if i, end := dns.NextLabel(name, 0); !end {
		return name[i:]
	}
	return "."
}

// between returns the names below apex up to name, the shortest first.
func between(apex, name string) (list []string) {
	for n := name; n != apex && n != "."; n = parentOf(n) {
		list = append(list, n)
	}
	slices.Reverse(list)
	return list
}

package lab

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Signing is how a zone is signed.
type Signing string

// The ways. Algorithm 13 (ECDSA P-256, RFC 6605) throughout.
const (
	Unsigned    Signing = ""            // no keys, no DS: an insecure delegation
	SignNSEC    Signing = "nsec"        // as it should be, with NSEC
	SignNSEC3   Signing = "nsec3"       // as it should be, with NSEC3 (RFC 9276: no salt, no iterations)
	SignOptOut  Signing = "opt-out"     // NSEC3 that passes over insecure delegations
	SignSoon    Signing = "ends-soon"   // the signatures end in two days
	SignIsland  Signing = "island"      // signed, and the parent has no DS: insecure
	SignUnknown Signing = "unknown-alg" // the DS names an algorithm that nobody knows: insecure (RFC 4035 section 5.2)
	SignExpired Signing = "expired"     // bogus: the signatures ended yesterday
	SignFuture  Signing = "future"      // bogus: the signatures begin in a week
	SignOther   Signing = "other-key"   // bogus: the DS is another key's
	SignForged  Signing = "forged"      // bogus: no signature holds
	SignGone    Signing = "stripped"    // bogus: a DS at the parent, and no signatures
	SignNoProof Signing = "no-proof"    // bogus where nothing is: no NSEC
)

// State is what a validator finds of a zone (RFC 4033 section 5), if all zones
// above are secure: "secure", "insecure" or "bogus".
func (s Signing) State() string {
	switch s {
	case SignNSEC, SignNSEC3, SignOptOut, SignSoon, SignNoProof:
		return "secure"
	case Unsigned, SignIsland, SignUnknown:
		return "insecure"
	}
	return "bogus"
}

// ede is the code by which a resolver says why (RFC 8914 section 4).
func (s Signing) ede() uint16 {
	switch s {
	case SignExpired:
		return dns.ExtendedErrorCodeSignatureExpired
	case SignFuture:
		return dns.ExtendedErrorCodeSignatureNotYetValid
	case SignOther:
		return dns.ExtendedErrorCodeDNSKEYMissing
	case SignGone:
		return dns.ExtendedErrorCodeRRSIGsMissing
	}
	return dns.ExtendedErrorCodeDNSBogus
}

func (s Signing) hashed() bool { return s == SignNSEC3 || s == SignOptOut }

// signedText is what each zone of [SignedZones] holds beside its own.
const signedText = "@ A 127.80.0.99\n@ MX 10 mail\nmail A 127.80.0.99\n@ TXT \"here\"\na.b TXT \"below an empty name\"\n*.wild TXT \"any\"\n" +
	"alias CNAME mail\n_25._tcp.mail TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000\n"

// SignedZones are zones signed in each of the ways, by origin: "nsec.signed.example."
// and so on. All have the same records, among them TXT at the origin and at a.b,
// and a wildcard at wild. The first two have children, signed and not.
func SignedZones() map[string]Signing {
	out := map[string]Signing{"signed.example.": SignNSEC, "unsigned.signed.example.": Unsigned}
	for _, s := range []Signing{SignNSEC, SignNSEC3, SignOptOut, SignSoon, SignIsland, SignUnknown, SignExpired, SignFuture, SignOther,
		SignForged, SignGone, SignNoProof} {
		out[string(s)+".signed.example."] = s
	}
	for _, parent := range []string{"nsec.", "nsec3.", "opt-out."} {
		out["plain."+parent+"signed.example."] = Unsigned
		out["child."+parent+"signed.example."] = SignNSEC3
	}
	return out
}

func signedZones() (all []Zone) {
	for origin, s := range SignedZones() {
		z := Zone{Origin: origin, Sign: s, Text: signedText}
		if origin == "signed.example." {
			z.Text += "out CNAME mail.unsigned\nbad-end CNAME mail.expired\n"
		}
		all = append(all, z)
	}
	return all
}

// zoneKeys are the keys of a zone: one signs the keys, one all else.
type zoneKeys struct{ key, zone *dnsKey }

type dnsKey struct {
	public *dns.DNSKEY
	secret crypto.Signer
}

func newDNSKey(origin string, flags uint16) (*dnsKey, error) {
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: origin, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600},
		Flags: flags, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	secret, err := k.Generate(256)
	for err == nil && k.KeyTag() == 0 { // the library takes the tag 0, which one key in 65,536 has, for none
		secret, err = k.Generate(256)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := secret.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key of %s: a %T does not sign", origin, secret)
	}
	return &dnsKey{public: k, secret: signer}, nil
}

// makeKeys makes a zone's keys, as far as it is to have some.
func (z *zone) makeKeys() (err error) {
	if z.Sign == Unsigned {
		return nil
	}
	const zoneKey, entryPoint = 256, 257 // RFC 4034 section 2.1.1
	if z.keys.key, err = newDNSKey(z.Origin, entryPoint); err != nil {
		return err
	}
	z.keys.zone, err = newDNSKey(z.Origin, zoneKey)
	return err
}

// ds is what the parent is to say of the zone's keys; nil is nothing.
func (z *zone) ds() (dns.RR, error) {
	if z.Sign == Unsigned || z.Sign == SignIsland {
		return nil, nil
	}
	k := z.keys.key.public
	if z.Sign == SignOther {
		other, err := newDNSKey(z.Origin, k.Flags)
		if err != nil {
			return nil, err
		}
		k = other.public
	}
	ds := k.ToDS(dns.SHA256)
	if z.Sign == SignUnknown {
		ds.Algorithm = 200
	}
	return ds, nil
}

// sign signs the zone. Everything that belongs into it is there already.
func (z *zone) sign(now time.Time) error {
	if z.Sign == Unsigned || z.Sign == SignGone {
		return nil
	}
	z.add(z.keys.key.public)
	z.add(z.keys.zone.public)
	owners := z.authoritative()
	if z.Sign != SignNoProof {
		z.makeChain(owners)
	}
	from, until := now.Add(-10*day), now.Add(30*day)
	switch z.Sign {
	case SignExpired:
		until = now.Add(-day)
	case SignFuture:
		from = now.Add(7 * day)
	case SignSoon:
		until = now.Add(2 * day)
	}
	for _, name := range slices.Collect(maps.Keys(z.names)) {
		if err := z.signName(name, from, until); err != nil {
			return fmt.Errorf("zone %s: %s: %w", z.Origin, name, err)
		}
	}
	if z.Sign == SignForged {
		z.forge()
	}
	return nil
}

// authoritative are the names that are not below a delegation.
func (z *zone) authoritative() (names []string) {
	for name := range z.names {
		if at := z.cut(name, dns.TypeDS); at == "" || at == name {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, canonicalOrder)
	return names
}

// delegated tells whether a name is a delegation.
func (z *zone) delegated(name string) bool {
	return name != z.Origin && z.names[name][dns.TypeNS] != nil
}

// signName signs the sets of a name: all that the zone has authority for (RFC
// 4035 section 2.2).
func (z *zone) signName(name string, from, until time.Time) error {
	if at := z.cut(name, dns.TypeDS); at != "" && at != name {
		return nil
	}
	for t, set := range z.names[name] {
		if t == dns.TypeRRSIG || z.delegated(name) && t != dns.TypeDS && t != dns.TypeNSEC {
			continue
		}
		k := z.keys.zone
		if t == dns.TypeDNSKEY {
			k = z.keys.key
		}
		sig := &dns.RRSIG{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: set[0].Header().Ttl},
			Algorithm: k.public.Algorithm, Inception: uint32(from.Unix()), Expiration: uint32(until.Unix()),
			KeyTag: k.public.KeyTag(), SignerName: z.Origin}
		if err := sig.Sign(k.secret, set); err != nil {
			return err
		}
		z.names[name][dns.TypeRRSIG] = append(z.names[name][dns.TypeRRSIG], sig)
	}
	return nil
}

// forge spoils all signatures, the keys' own too.
func (z *zone) forge() {
	for _, sets := range z.names {
		for _, rr := range sets[dns.TypeRRSIG] {
			sig := []byte(rr.(*dns.RRSIG).Signature)
			sig[0] = map[bool]byte{true: 'B', false: 'A'}[sig[0] == 'A']
			rr.(*dns.RRSIG).Signature = string(sig)
		}
	}
}

// link is one record of the chain that proves what is not there: NSEC under its
// owner, NSEC3 under its owner's hash.
type link struct {
	order string // by which the chain is sorted, for NSEC3; the owner for NSEC
	owner string // of the record
}

// makeChain makes the NSEC or NSEC3 records over names in canonical order.
func (z *zone) makeChain(owners []string) {
	if z.Sign.hashed() {
		z.makeHashed(owners)
		return
	}
	owners = slices.DeleteFunc(owners, func(n string) bool { return len(z.names[n]) == 0 }) // empty names have none
	for i, name := range owners {
		rr := &dns.NSEC{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: z.soa.Minttl},
			NextDomain: owners[(i+1)%len(owners)], TypeBitMap: z.types(name, dns.TypeNSEC, dns.TypeRRSIG)}
		z.add(rr)
		z.chain = append(z.chain, link{order: name, owner: name})
	}
}

// types lists what a name has, and what its chain and its signatures add.
func (z *zone) types(name string, more ...uint16) []uint16 {
	types := slices.Collect(maps.Keys(z.names[name]))
	if z.delegated(name) { // glue beside it is not the zone's
		types = slices.DeleteFunc(types, func(t uint16) bool { return t != dns.TypeNS && t != dns.TypeDS })
	}
	types = append(types, more...)
	slices.Sort(types)
	return slices.Compact(types)
}

// makeHashed makes the NSEC3 records (RFC 5155 section 7.1).
func (z *zone) makeHashed(owners []string) {
	z.add(&dns.NSEC3PARAM{Hdr: dns.RR_Header{Name: z.Origin, Rrtype: dns.TypeNSEC3PARAM, Class: dns.ClassINET}, Hash: dns.SHA1})
	names := map[string]string{} // by hash
	for _, n := range owners {
		if z.Sign == SignOptOut && z.delegated(n) && z.names[n][dns.TypeDS] == nil {
			continue
		}
		names[hashOf(n)] = n
	}
	hashes := slices.Sorted(maps.Keys(names))
	var flags uint8
	if z.Sign == SignOptOut {
		flags = 1
	}
	for i, h := range hashes {
		owner := strings.ToLower(h) + "." + strings.TrimPrefix(z.Origin, ".")
		rr := &dns.NSEC3{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC3, Class: dns.ClassINET, Ttl: z.soa.Minttl},
			Hash: dns.SHA1, Flags: flags, HashLength: 20, NextDomain: hashes[(i+1)%len(hashes)], TypeBitMap: z.hashedTypes(names[h])}
		z.add(rr)
		z.chain = append(z.chain, link{order: h, owner: owner})
	}
}

// hashedTypes is types without NSEC, and RRSIG only where something is signed.
func (z *zone) hashedTypes(name string) []uint16 {
	if len(z.names[name]) == 0 || z.delegated(name) && z.names[name][dns.TypeDS] == nil {
		return z.types(name)
	}
	return z.types(name, dns.TypeRRSIG)
}

func hashOf(name string) string { return dns.HashName(name, dns.SHA1, 0, hex.EncodeToString(nil)) }

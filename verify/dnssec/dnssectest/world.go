// Package dnssectest has signed zones in memory, and a resolver over them that
// does not validate, for tests of whatever proves answers. Zones are signed when
// they are asked, so that a test may spoil any record. It listens on no socket.
package dnssectest

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// Now returns the moment around which signatures are valid.
func Now() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// Zone is a signed zone, enough of an authoritative server to answer with proof.
type Zone struct {
	Apex    string
	Records []dns.RR
	Key     *dns.DNSKEY
	Plain   bool             // not signed at all
	NSEC3   bool             // instead of NSEC
	OptOut  bool             // NSEC3 leaves delegations without DS out
	Salt    string           // of NSEC3, in hex
	Rounds  uint16           // of NSEC3
	From    time.Time        // signatures are valid from then
	Until   time.Time        // until then
	Spoil   func(m *dns.Msg) // the last word before an answer leaves; nil: none

	t       testing.TB
	private crypto.Signer
}

// World answers like a resolver that does not validate: from the deepest zone.
type World struct {
	Zones map[string]*Zone // by apex, "." among them
	t     testing.TB
}

// New returns a world without zones.
func New(t testing.TB) *World { return &World{t: t, Zones: map[string]*Zone{}} }

// Add makes a zone of lines of a zone file, signed with P-256 unless changed.
func (w *World) Add(apex, text string, change ...func(*Zone)) *Zone {
	z := &Zone{t: w.t, Apex: apex, From: Now().Add(-24 * time.Hour), Until: Now().Add(14 * 24 * time.Hour)}
	for _, f := range change {
		f(z)
	}
	text = fmt.Sprintf("@ 300 SOA ns.%[1]s root.%[1]s 1 3600 600 86400 300\n@ 300 NS ns.invalid.\n", strings.TrimPrefix(apex, ".")) + text
	zp := dns.NewZoneParser(strings.NewReader(text), apex, "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		z.Records = append(z.Records, rr)
	}
	if err := zp.Err(); err != nil {
		w.t.Fatal(err)
	}
	z.Key = &dns.DNSKEY{Hdr: dns.RR_Header{Name: apex, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	for z.private == nil || z.Key.KeyTag() == 0 { // the library takes a tag of 0 for none
		private, err := z.Key.Generate(256)
		if err != nil {
			w.t.Fatal(err)
		}
		z.private = private.(crypto.Signer)
	}
	if !z.Plain {
		z.Records = append(z.Records, z.Key)
	}
	w.Zones[apex] = z
	return z
}

// Delegate puts the NS and, for a signed child, the DS records above it.
func (w *World) Delegate(parent, child string) {
	p, c := w.Zones[parent], w.Zones[child]
	p.Records = append(p.Records, &dns.NS{Hdr: dns.RR_Header{Name: child, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 300}, Ns: "ns.invalid."})
	if !c.Plain {
		p.Records = append(p.Records, c.Key.ToDS(dns.SHA256))
	}
}

// Anchors returns the trust anchor of the root.
func (w *World) Anchors() []dnssec.Anchor {
	return []dnssec.Anchor{{DS: w.Zones["."].Key.ToDS(dns.SHA256)}}
}

// Exchange answers one question.
func (w *World) Exchange(_ context.Context, name string, qtype uint16) (*dns.Msg, error) {
	z := w.Zones["."]
	for apex, other := range w.Zones {
		deeper := dns.IsSubDomain(apex, name) && len(apex) >= len(z.Apex) && apex != "."
		if deeper && (qtype != dns.TypeDS || apex != name) {
			z = other
		}
	}
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.Response = true
	z.answer(m, name, qtype)
	if z.Spoil != nil {
		z.Spoil(m)
	}
	return m, nil
}

// At returns the records of one owner and type.
func (z *Zone) At(name string, qtype uint16) (list []dns.RR) {
	for _, rr := range z.Records {
		if dns.CanonicalName(rr.Header().Name) == name && (qtype == dns.TypeANY || rr.Header().Rrtype == qtype) {
			list = append(list, rr)
		}
	}
	return list
}

// exists reports whether name or something below it has records.
func (z *Zone) exists(name string) bool {
	return slices.ContainsFunc(z.Records, func(rr dns.RR) bool { return dns.IsSubDomain(name, rr.Header().Name) })
}

func (z *Zone) answer(m *dns.Msg, name string, qtype uint16) {
	owner := name
	wildcard := ""
	if !z.exists(name) {
		for up := name; up != z.Apex; {
			next, _ := dns.NextLabel(up, 0)
			up = up[next:]
			if up == "" {
				up = "."
			}
			if z.exists(up) {
				wildcard = "*." + strings.TrimPrefix(up, ".")
				break
			}
		}
		owner = wildcard
	}
	rrs := z.At(owner, qtype)
	if len(rrs) == 0 {
		rrs = z.At(owner, dns.TypeCNAME)
	}
	switch {
	case len(rrs) > 0:
		m.Answer = append(m.Answer, z.Signed(rrs, name)...)
		if wildcard != "" {
			z.Deny(m, name, wildcard)
		}
	case !z.exists(owner):
		m.Rcode = dns.RcodeNameError
		z.Deny(m, name, wildcard)
	default:
		z.Deny(m, name, wildcard)
	}
}

// Signed returns records under the name asked for, with their signature.
func (z *Zone) Signed(rrs []dns.RR, name string) []dns.RR {
	var out []dns.RR
	sig := z.sign(rrs)
	for _, rr := range rrs {
		c := dns.Copy(rr)
		c.Header().Name = name
		out = append(out, c)
	}
	if sig != nil {
		sig.Hdr.Name = name
		out = append(out, sig)
	}
	return out
}

func (z *Zone) sign(rrs []dns.RR) *dns.RRSIG {
	delegation := rrs[0].Header().Rrtype == dns.TypeNS && dns.CanonicalName(rrs[0].Header().Name) != z.Apex
	if z.Plain || delegation {
		return nil
	}
	sig := &dns.RRSIG{Hdr: dns.RR_Header{Ttl: 300}, Algorithm: z.Key.Algorithm, KeyTag: z.Key.KeyTag(), SignerName: z.Apex,
		Inception: uint32(z.From.Unix()), Expiration: uint32(z.Until.Unix())}
	if err := sig.Sign(z.private, rrs); err != nil {
		z.t.Fatal(err)
	}
	return sig
}

// Deny adds all records that a proof could need: those that match or cover the
// name, its ancestors and the wildcard.
func (z *Zone) Deny(m *dns.Msg, name, wildcard string) {
	m.Ns = append(m.Ns, z.Signed(z.At(z.Apex, dns.TypeSOA), z.Apex)...)
	if z.Plain {
		return
	}
	names := []string{name}
	if wildcard != "" {
		names = append(names, wildcard)
	}
	if z.NSEC3 {
		for up := name; up != z.Apex; {
			next, _ := dns.NextLabel(up, 0)
			if up = up[next:]; up == "" {
				up = "."
			}
			names = append(names, up)
		}
	}
	for _, rr := range z.spans() {
		if slices.ContainsFunc(names, func(n string) bool { return speaks(rr, n, z.Apex) }) {
			m.Ns = append(m.Ns, z.Signed([]dns.RR{rr}, rr.Header().Name)...)
		}
	}
}

func speaks(rr dns.RR, name, apex string) bool {
	switch rr := rr.(type) {
	case *dns.NSEC3:
		return rr.Match(name) || rr.Cover(name)
	case *dns.NSEC:
		owner := rr.Hdr.Name
		return owner == name || canonical(owner) < canonical(name) && (canonical(name) < canonical(rr.NextDomain) || rr.NextDomain == apex)
	}
	return false
}

// canonical gives names of plain letters a string in their canonical order.
func canonical(name string) string {
	labels := dns.SplitDomainName(name)
	slices.Reverse(labels)
	return strings.Join(labels, "\x00")
}

// spans makes the NSEC or NSEC3 chain of the zone.
func (z *Zone) spans() (list []dns.RR) {
	types := map[string][]uint16{}
	for _, rr := range z.Records {
		h := rr.Header()
		n := dns.CanonicalName(h.Name)
		if !slices.Contains(types[n], h.Rrtype) {
			types[n] = append(types[n], h.Rrtype)
		}
		for up := n; z.NSEC3 && up != z.Apex; { // empty non-terminals have an NSEC3 too
			next, _ := dns.NextLabel(up, 0)
			if up = up[next:]; up == "" {
				up = "."
			}
			types[up] = append(types[up], []uint16{}...)
		}
	}
	if z.NSEC3 {
		return z.hashed(types)
	}
	var names []string
	for n := range types {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(canonical(a), canonical(b)) })
	for i, n := range names {
		bits := append(slices.Clone(types[n]), dns.TypeRRSIG, dns.TypeNSEC)
		slices.Sort(bits)
		list = append(list, &dns.NSEC{Hdr: dns.RR_Header{Name: n, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 300},
			NextDomain: names[(i+1)%len(names)], TypeBitMap: slices.Compact(bits)})
	}
	return list
}

func (z *Zone) hashed(types map[string][]uint16) (list []dns.RR) {
	byHash := map[string][]uint16{}
	var hashes []string
	for n, bits := range types {
		if z.OptOut && n != z.Apex && slices.Contains(bits, dns.TypeNS) && !slices.Contains(bits, dns.TypeDS) {
			continue
		}
		h := dns.HashName(n, dns.SHA1, z.Rounds, z.Salt)
		hashes = append(hashes, h)
		byHash[h] = bits
	}
	slices.Sort(hashes)
	flags := uint8(0)
	if z.OptOut {
		flags = 1
	}
	for i, h := range hashes {
		bits := append(slices.Clone(byHash[h]), dns.TypeRRSIG)
		slices.Sort(bits)
		owner := strings.ToLower(h) + "." + strings.TrimPrefix(z.Apex, ".")
		list = append(list, &dns.NSEC3{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC3, Class: dns.ClassINET, Ttl: 300},
			Hash: dns.SHA1, Flags: flags, Iterations: z.Rounds, SaltLength: uint8(len(z.Salt) / 2), Salt: z.Salt,
			HashLength: 20, NextDomain: hashes[(i+1)%len(hashes)], TypeBitMap: slices.Compact(bits)})
	}
	return list
}

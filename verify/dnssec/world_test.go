package dnssec_test

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

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// zone is a signed zone in memory, enough of an authoritative server to answer
// with proof. Its records are signed when they are asked for, so that a test
// may spoil any of them.
type zone struct {
	t       testing.TB
	apex    string
	rrs     []dns.RR
	key     *dns.DNSKEY
	private crypto.Signer
	salt    string // of NSEC3
	nsec3   bool
	optOut  bool
	rounds  uint16
	plain   bool // not signed at all
	from    time.Time
	until   time.Time
	spoil   func(m *dns.Msg) // the last word before an answer leaves
}

// world answers like a resolver that does not validate: from the deepest zone.
type world struct {
	t     testing.TB
	zones map[string]*zone
	asked []string
}

func newWorld(t testing.TB) *world { return &world{t: t, zones: map[string]*zone{}} }

// add makes a zone of lines of a zone file, signed with P-256 unless changed.
func (w *world) add(apex, text string, change ...func(*zone)) *zone {
	z := &zone{t: w.t, apex: apex, from: now.Add(-24 * time.Hour), until: now.Add(14 * 24 * time.Hour)}
	for _, f := range change {
		f(z)
	}
	text = fmt.Sprintf("@ 300 SOA ns.%[1]s root.%[1]s 1 3600 600 86400 300\n@ 300 NS ns.invalid.\n", strings.TrimPrefix(apex, ".")) + text
	zp := dns.NewZoneParser(strings.NewReader(text), apex, "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		z.rrs = append(z.rrs, rr)
	}
	if err := zp.Err(); err != nil {
		w.t.Fatal(err)
	}
	z.key = &dns.DNSKEY{Hdr: dns.RR_Header{Name: apex, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 300},
		Flags: dns.ZONE | dns.SEP, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	private, err := z.key.Generate(256)
	if err != nil {
		w.t.Fatal(err)
	}
	z.private = private.(crypto.Signer)
	if !z.plain {
		z.rrs = append(z.rrs, z.key)
	}
	w.zones[apex] = z
	return z
}

// delegate puts the NS and, for a signed child, the DS records above it.
func (w *world) delegate(parent, child string) {
	p, c := w.zones[parent], w.zones[child]
	p.rrs = append(p.rrs, &dns.NS{Hdr: dns.RR_Header{Name: child, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 300}, Ns: "ns.invalid."})
	if !c.plain {
		p.rrs = append(p.rrs, c.key.ToDS(dns.SHA256))
	}
}

func (w *world) anchors() []dnssec.Anchor {
	return []dnssec.Anchor{{DS: w.zones["."].key.ToDS(dns.SHA256)}}
}

func (w *world) exchange(_ context.Context, name string, qtype uint16) (*dns.Msg, error) {
	w.asked = append(w.asked, name+" "+dns.TypeToString[qtype])
	z := w.zones["."]
	for apex, other := range w.zones {
		deeper := dns.IsSubDomain(apex, name) && len(apex) >= len(z.apex) && apex != "."
		if deeper && (qtype != dns.TypeDS || apex != name) {
			z = other
		}
	}
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.Response = true
	z.answer(m, name, qtype)
	if z.spoil != nil {
		z.spoil(m)
	}
	return m, nil
}

func (z *zone) at(name string, qtype uint16) (list []dns.RR) {
	for _, rr := range z.rrs {
		if dns.CanonicalName(rr.Header().Name) == name && (qtype == dns.TypeANY || rr.Header().Rrtype == qtype) {
			list = append(list, rr)
		}
	}
	return list
}

// exists reports whether name or something below it has records.
func (z *zone) exists(name string) bool {
	return slices.ContainsFunc(z.rrs, func(rr dns.RR) bool { return dns.IsSubDomain(name, rr.Header().Name) })
}

func (z *zone) answer(m *dns.Msg, name string, qtype uint16) {
	owner := name
	wildcard := ""
	if !z.exists(name) {
		for up := name; up != z.apex; {
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
	rrs := z.at(owner, qtype)
	if len(rrs) == 0 {
		rrs = z.at(owner, dns.TypeCNAME)
	}
	switch {
	case len(rrs) > 0:
		m.Answer = append(m.Answer, z.signed(rrs, name)...)
		if wildcard != "" {
			z.deny(m, name, wildcard)
		}
	case !z.exists(owner):
		m.Rcode = dns.RcodeNameError
		z.deny(m, name, wildcard)
	default:
		z.deny(m, name, wildcard)
	}
}

// signed returns records under the name asked for, with their signature.
func (z *zone) signed(rrs []dns.RR, name string) []dns.RR {
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

func (z *zone) sign(rrs []dns.RR) *dns.RRSIG {
	delegation := rrs[0].Header().Rrtype == dns.TypeNS && dns.CanonicalName(rrs[0].Header().Name) != z.apex
	if z.plain || delegation {
		return nil
	}
	sig := &dns.RRSIG{Hdr: dns.RR_Header{Ttl: 300}, Algorithm: z.key.Algorithm, KeyTag: z.key.KeyTag(), SignerName: z.apex,
		Inception: uint32(z.from.Unix()), Expiration: uint32(z.until.Unix())}
	if err := sig.Sign(z.private, rrs); err != nil {
		z.t.Fatal(err)
	}
	return sig
}

// deny adds all records that a proof could need: those that match or cover the
// name, its ancestors and the wildcard.
func (z *zone) deny(m *dns.Msg, name, wildcard string) {
	m.Ns = append(m.Ns, z.signed(z.at(z.apex, dns.TypeSOA), z.apex)...)
	if z.plain {
		return
	}
	names := []string{name}
	if wildcard != "" {
		names = append(names, wildcard)
	}
	if z.nsec3 {
		for up := name; up != z.apex; {
			next, _ := dns.NextLabel(up, 0)
			if up = up[next:]; up == "" {
				up = "."
			}
			names = append(names, up)
		}
	}
	for _, rr := range z.spans() {
		if slices.ContainsFunc(names, func(n string) bool { return speaks(rr, n, z.apex) }) {
			m.Ns = append(m.Ns, z.signed([]dns.RR{rr}, rr.Header().Name)...)
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
func (z *zone) spans() (list []dns.RR) {
	types := map[string][]uint16{}
	for _, rr := range z.rrs {
		h := rr.Header()
		n := dns.CanonicalName(h.Name)
		if !slices.Contains(types[n], h.Rrtype) {
			types[n] = append(types[n], h.Rrtype)
		}
		for up := n; z.nsec3 && up != z.apex; { // empty non-terminals have an NSEC3 too
			next, _ := dns.NextLabel(up, 0)
			if up = up[next:]; up == "" {
				up = "."
			}
			types[up] = append(types[up], []uint16{}...)
		}
	}
	if z.nsec3 {
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

func (z *zone) hashed(types map[string][]uint16) (list []dns.RR) {
	byHash := map[string][]uint16{}
	var hashes []string
	for n, bits := range types {
		if z.optOut && n != z.apex && slices.Contains(bits, dns.TypeNS) && !slices.Contains(bits, dns.TypeDS) {
			continue
		}
		h := dns.HashName(n, dns.SHA1, z.rounds, z.salt)
		hashes = append(hashes, h)
		byHash[h] = bits
	}
	slices.Sort(hashes)
	flags := uint8(0)
	if z.optOut {
		flags = 1
	}
	for i, h := range hashes {
		bits := append(slices.Clone(byHash[h]), dns.TypeRRSIG)
		slices.Sort(bits)
		owner := strings.ToLower(h) + "." + strings.TrimPrefix(z.apex, ".")
		list = append(list, &dns.NSEC3{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC3, Class: dns.ClassINET, Ttl: 300},
			Hash: dns.SHA1, Flags: flags, Iterations: z.rounds, SaltLength: uint8(len(z.salt) / 2), Salt: z.salt,
			HashLength: 20, NextDomain: hashes[(i+1)%len(hashes)], TypeBitMap: slices.Compact(bits)})
	}
	return list
}

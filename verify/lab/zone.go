package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Zone is a zone of the lab, as one would write it for any name server.
type Zone struct {
	Origin string // absolute: "harbour.example."
	// Text is a zone file (RFC 1035 section 5) without SOA and NS of the
	// origin, which the lab adds. Names are relative to the origin.
	Text string
	// Servers are the hosts that serve it, from [Lab]'s name servers; nil: ns1 and ns2.
	Servers []string
	// Parent are the hosts that the parent's delegation names; nil: Servers and Lame.
	Parent []string
	// Lame are hosts that the zone names as its servers and that do not have it.
	Lame []string
	// Sign says how the zone is signed; its delegation has a DS record to match.
	Sign Signing
}

// names of a zone in lower case; each has its sets by type.
type nameSets map[uint16][]dns.RR

// zone is a zone ready to answer.
type zone struct {
	Zone
	names map[string]nameSets // owners, and empty non-terminals with no sets
	soa   *dns.SOA
	keys  zoneKeys
	chain []link // what proves that names and types do not exist
}

const (
	soaText = "@ 3600 SOA ns1.hoster.example. hostmaster.hoster.example. 2026112101 7200 3600 1209600 300\n"
	ttl     = "$TTL 300\n"
)

// parse reads a zone.
func (z Zone) parse() (*zone, error) {
	z.Origin = dns.CanonicalName(z.Origin)
	if z.Servers == nil {
		z.Servers = []string{"ns1.hoster.example.", "ns2.hoster.example."}
	}
	if z.Parent == nil {
		z.Parent = slices.Concat(z.Servers, z.Lame)
	}
	var b strings.Builder
	b.WriteString(ttl + soaText)
	for _, s := range slices.Concat(z.Servers, z.Lame) {
		fmt.Fprintf(&b, "@ 3600 NS %s\n", s)
	}
	b.WriteString(z.Text)
	p := &zone{Zone: z, names: map[string]nameSets{}}
	zp := dns.NewZoneParser(strings.NewReader(b.String()), z.Origin, "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		p.add(rr)
	}
	if err := zp.Err(); err != nil {
		return nil, fmt.Errorf("zone %s: %w", z.Origin, err)
	}
	p.soa = p.names[z.Origin][dns.TypeSOA][0].(*dns.SOA)
	return p, nil
}

// add takes in a record, and each name between it and the origin: a name that
// has only names below it exists all the same (RFC 4592 section 2.2.2).
func (z *zone) add(rr dns.RR) {
	h := rr.Header()
	h.Name = dns.CanonicalName(h.Name)
	for name := h.Name; name != z.Origin; name = above(name) {
		if z.names[name] == nil {
			z.names[name] = nameSets{}
		}
	}
	if z.names[h.Name] == nil {
		z.names[h.Name] = nameSets{}
	}
	z.names[h.Name][h.Rrtype] = append(z.names[h.Name][h.Rrtype], rr)
}

// above is the name without its first label.
func above(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// holds tells whether a name lies in or below the zone.
func (z *zone) holds(name string) bool { return dns.IsSubDomain(z.Origin, name) }

// cut returns the delegation on the way to a name, "" for none. A question for
// DS is the parent's to answer (RFC 4035 section 3.1.4.1).
func (z *zone) cut(name string, qtype uint16) string {
	found := ""
	for n := name; n != z.Origin; n = above(n) {
		if z.names[n][dns.TypeNS] != nil && (n != name || qtype != dns.TypeDS) {
			found = n
		}
	}
	return found
}

// answer fills in a reply, as RFC 1034 section 4.3.2 says, with signatures and
// proofs if do is set (RFC 4035 section 3.1).
func (z *zone) answer(m *dns.Msg, name string, qtype uint16, do bool) {
	if at := z.cut(name, qtype); at != "" {
		z.refer(m, at, do)
		return
	}
	m.Authoritative = true
	if sets, ok := z.names[name]; ok {
		z.give(m, sets, name, qtype, do)
		return
	}
	encloser, closer := z.encloser(name)
	wild := "*." + strings.TrimPrefix(encloser, ".")
	missing := proof{encloser: encloser, closer: closer, wild: wild, name: name}
	sets := z.names[wild]
	if sets == nil {
		m.Rcode = dns.RcodeNameError
		z.nothing(m, do, missing)
		return
	}
	if sets = sets.under(name); sets[qtype] == nil && sets[dns.TypeCNAME] == nil {
		z.nothing(m, do, missing)
		return
	}
	if do {
		z.prove(m, proof{closer: closer, name: name}) // that the wildcard may stand in
	}
	z.give(m, sets, name, qtype, do)
}

// give answers from the sets of a name.
func (z *zone) give(m *dns.Msg, sets nameSets, name string, qtype uint16, do bool) {
	switch {
	case sets[dns.TypeCNAME] != nil && qtype != dns.TypeCNAME && qtype != dns.TypeANY:
		m.Answer = append(m.Answer, sets.signed(dns.TypeCNAME, do)...)
		target := dns.CanonicalName(sets[dns.TypeCNAME][0].(*dns.CNAME).Target)
		// The chain goes on as far as it stays in the zone and does not go round.
		if z.holds(target) && !owns(m.Answer, target) {
			z.answer(m, target, qtype, do)
		}
	case qtype == dns.TypeANY:
		for _, t := range slices.Sorted(maps.Keys(sets)) {
			m.Answer = append(m.Answer, sets[t]...)
		}
	case sets[qtype] != nil:
		m.Answer = append(m.Answer, sets.signed(qtype, do)...)
	default:
		z.nothing(m, do, proof{name: name, exists: true})
	}
}

// nothing says that there is nothing, and proves it.
func (z *zone) nothing(m *dns.Msg, do bool, p proof) {
	for _, rr := range z.names[z.Origin].signed(dns.TypeSOA, do) {
		rr = dns.Copy(rr)
		rr.Header().Ttl = min(z.soa.Hdr.Ttl, z.soa.Minttl) // RFC 2308 section 3
		m.Ns = append(m.Ns, rr)
	}
	if do {
		z.prove(m, p)
	}
}

// signed are the records of a type, with their signatures if do is set.
func (s nameSets) signed(t uint16, do bool) []dns.RR {
	if !do {
		return s[t]
	}
	return append(slices.Clone(s[t]), s.signatures(t)...)
}

// signatures are those that cover a type.
func (s nameSets) signatures(t uint16) (sigs []dns.RR) {
	for _, rr := range s[dns.TypeRRSIG] {
		if rr.(*dns.RRSIG).TypeCovered == t {
			sigs = append(sigs, rr)
		}
	}
	return sigs
}

// owns tells whether one of the records is a name's.
func owns(rrs []dns.RR, name string) bool {
	return slices.ContainsFunc(rrs, func(rr dns.RR) bool { return dns.CanonicalName(rr.Header().Name) == name })
}

// encloser is the longest existing name above a name that does not exist, and
// the name one label below it on the way (RFC 5155 section 1.3).
func (z *zone) encloser(name string) (encloser, closer string) {
	closer = name
	for {
		encloser = above(closer)
		if _, ok := z.names[encloser]; ok || encloser == z.Origin || encloser == "." {
			return encloser, closer
		}
		closer = encloser
	}
}

// under returns the sets as those of another name.
func (s nameSets) under(name string) nameSets {
	out := nameSets{}
	for t, set := range s {
		for _, rr := range set {
			c := dns.Copy(rr)
			c.Header().Name = name
			out[t] = append(out[t], c)
		}
	}
	return out
}

// refer answers with a delegation, what proves its state, and its glue.
func (z *zone) refer(m *dns.Msg, at string, do bool) {
	sets := z.names[at]
	m.Ns = append(m.Ns, sets[dns.TypeNS]...)
	switch {
	case do && sets[dns.TypeDS] != nil:
		m.Ns = append(m.Ns, sets.signed(dns.TypeDS, do)...)
	case do: // RFC 4035 section 3.1.4: that there is no DS
		z.prove(m, proof{name: at, exists: true})
	}
	for _, rr := range sets[dns.TypeNS] {
		glue := z.names[dns.CanonicalName(rr.(*dns.NS).Ns)]
		m.Extra = append(m.Extra, glue[dns.TypeA]...)
		m.Extra = append(m.Extra, glue[dns.TypeAAAA]...)
	}
}

// text renders the zone as a file in canonical order.
func (z *zone) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s\n", z.Origin)
	fmt.Fprintln(&b, z.soa)
	for _, name := range slices.SortedFunc(maps.Keys(z.names), canonicalOrder) {
		for _, t := range slices.Sorted(maps.Keys(z.names[name])) {
			for _, rr := range z.names[name][t] {
				if t != dns.TypeSOA {
					b.WriteString(line(rr))
				}
			}
		}
	}
	return b.String()
}

// line renders a record. Parsers do not take words of any length, so that a key
// is cut into pieces.
func line(rr dns.RR) string {
	s := rr.String()
	if k, ok := rr.(*dns.OPENPGPKEY); ok {
		s = k.Hdr.String() + pieces(k.PublicKey)
	}
	return s + "\n"
}

func pieces(s string) string {
	var parts []string
	for part := range slices.Chunk([]byte(s), 64) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}

// canonicalOrder compares names from the last label to the first (RFC 4034
// section 6.1). The lab's names have no escapes.
func canonicalOrder(a, b string) int {
	x, y := dns.SplitDomainName(a), dns.SplitDomainName(b)
	slices.Reverse(x)
	slices.Reverse(y)
	return slices.Compare(x, y)
}

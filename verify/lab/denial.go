package lab

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// proof is what is to be proven: that a name does not exist, and no wildcard
// for it, or that an existing name lacks a type.
type proof struct {
	encloser string // the longest name above that exists; "" where it need not be proven
	closer   string // one label below it
	wild     string // the wildcard at the encloser; "" where it need not be proven
	name     string
	exists   bool
}

// prove adds the records of the chain that prove p, and their signatures.
func (z *zone) prove(m *dns.Msg, p proof) {
	if len(z.chain) == 0 {
		return
	}
	var at []link
	if z.Sign.hashed() {
		at = z.hashedProof(p)
	} else {
		// RFC 4035 section 3.1.3: what matches or covers the name, and the wildcard.
		at = append(at, z.linkAt(p.name))
		if p.wild != "" {
			at = append(at, z.linkAt(p.wild))
		}
	}
	t := dns.TypeNSEC
	if z.Sign.hashed() {
		t = dns.TypeNSEC3
	}
	for i, l := range at {
		if !slices.Contains(at[:i], l) { // one record may prove several things
			m.Ns = append(m.Ns, z.names[l.owner].signed(t, true)...)
		}
	}
}

// hashedProof is what RFC 5155 section 7.2 asks for.
func (z *zone) hashedProof(p proof) (at []link) {
	if p.exists {
		l := z.linkAt(hashOf(p.name))
		if l.order == hashOf(p.name) {
			return []link{l}
		}
		// A delegation that opt-out passed over (section 7.2.4).
		p.encloser, p.closer = z.provable(p.name)
	}
	if p.encloser != "" {
		at = append(at, z.linkAt(hashOf(p.encloser)))
	}
	at = append(at, z.linkAt(hashOf(p.closer)))
	if p.wild != "" {
		at = append(at, z.linkAt(hashOf(p.wild)))
	}
	return at
}

// provable is the closest encloser that has a record of its own.
func (z *zone) provable(name string) (encloser, closer string) {
	for closer = name; ; closer = encloser {
		encloser = above(closer)
		if h := hashOf(encloser); z.linkAt(h).order == h || encloser == z.Origin {
			return encloser, closer
		}
	}
}

// linkAt is the record that matches or covers a place in the chain: the last
// that is not behind it, or the last of all.
func (z *zone) linkAt(place string) link {
	compare := func(l link, place string) int { return canonicalOrder(l.order, place) }
	if z.Sign.hashed() {
		compare = func(l link, place string) int { return strings.Compare(l.order, place) }
	}
	i, ok := slices.BinarySearchFunc(z.chain, place, compare)
	if !ok {
		i = (i - 1 + len(z.chain)) % len(z.chain)
	}
	return z.chain[i]
}

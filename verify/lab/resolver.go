package lab

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// maxQueries is how many questions the resolver puts to answer one.
const maxQueries = 30

// walk is one question on its way down from the root. The servers are asked as
// functions, not over the network: a silent one costs no time.
type walk struct {
	lab     *Lab
	queries int
	zones   []*zone // that the answer is from
}

// recurse answers as a recursive resolver (RFC 1034 section 5.3.3). What does
// not exist in the lab is NXDOMAIN, since its root is the only one.
func (l *Lab) recurse(q *dns.Msg, tcp bool) packets {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	if !q.RecursionDesired {
		m.Rcode = dns.RcodeRefused
		return packed(q, m, tcp)
	}
	w := &walk{lab: l}
	o := q.IsEdns0()
	do := o != nil && o.Do()
	r := w.resolve(dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype)
	switch state, why := w.state(r, q.Question[0]); {
	case r == nil:
		m.Rcode = dns.RcodeServerFailure
	case state == bogus && !q.CheckingDisabled:
		m.Rcode = dns.RcodeServerFailure
		explain(q, m, why.ede())
	default:
		m.Rcode, m.Answer, m.Ns = r.Rcode, r.Answer, r.Ns
		m.AuthenticatedData = state == secure && (do || q.AuthenticatedData) // RFC 6840 section 5.7
		if !do {                                                             // RFC 4035 section 3.2.1
			m.Answer, m.Ns = unsigned(m.Answer, q.Question[0].Qtype), unsigned(m.Ns, q.Question[0].Qtype)
		}
	}
	return packed(q, m, tcp)
}

// The states of RFC 4033 section 5 that occur under a trust anchor for the root.
const (
	secure   = "secure"
	insecure = "insecure"
	bogus    = "bogus"
)

// unsigned leaves out what is only for those who ask for DNSSEC.
func unsigned(rrs []dns.RR, qtype uint16) []dns.RR {
	return slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool {
		t := rr.Header().Rrtype
		return t != qtype && (t == dns.TypeRRSIG || t == dns.TypeNSEC || t == dns.TypeNSEC3)
	})
}

// state is the worst of the zones that an answer is from. The resolver knows it
// instead of finding it out; a test holds that against a real validator.
func (w *walk) state(r *dns.Msg, q dns.Question) (state string, why Signing) {
	state = secure
	for _, z := range w.zones {
		s, sign := w.lab.state(z)
		switch {
		case r == nil || s != secure:
		case sign == SignNoProof && needsProof(r):
			s = bogus
		case optedOut(r, q): // RFC 5155 section 9.2: such a proof is not secure
			s = insecure
		}
		if s == bogus {
			return s, sign
		}
		if s == insecure {
			state = s
		}
	}
	return state, why
}

// needsProof tells whether something in an answer is there only because
// something else is not: nothing at all, or a wildcard (RFC 4035 section 5.3.4).
func needsProof(r *dns.Msg) bool {
	return negative(r) || slices.ContainsFunc(r.Answer, func(rr dns.RR) bool {
		sig, ok := rr.(*dns.RRSIG)
		return ok && int(sig.Labels) < dns.CountLabel(sig.Hdr.Name)
	})
}

// optedOut tells whether what is not there is so by a range that opt-out passed
// over, and not by a record of the name itself.
func optedOut(r *dns.Msg, q dns.Question) bool {
	name, _ := follow(r, dns.CanonicalName(q.Name), q.Qtype)
	flagged := false
	for _, rr := range r.Ns {
		if n, ok := rr.(*dns.NSEC3); ok {
			if n.Match(name) {
				return false
			}
			flagged = flagged || n.Flags&1 != 0
		}
	}
	return flagged
}

// state is what a validator finds of a zone, from the root down: below what is
// insecure nothing is secure, and nothing is bogus.
func (l *Lab) state(z *zone) (string, Signing) {
	for _, above := range l.zones { // in canonical order, parents first
		if above.holds(z.Origin) && above.Sign.State() != secure {
			return above.Sign.State(), above.Sign
		}
	}
	return secure, z.Sign
}

// explain adds why a question failed (RFC 8914) for those who speak EDNS.
func explain(q, m *dns.Msg, code uint16) {
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: code})
	}
}

// resolve follows aliases to an answer; nil is a failure.
func (w *walk) resolve(name string, qtype uint16) *dns.Msg {
	all := new(dns.Msg)
	for {
		r := w.ask(name, qtype)
		if r == nil {
			return nil
		}
		all.Answer, all.Ns, all.Rcode = append(all.Answer, r.Answer...), r.Ns, r.Rcode
		target, done := follow(r, name, qtype)
		switch {
		case aliases(all.Answer) > maxAliases:
			return nil
		case done:
			return all
		case owns(all.Answer, target):
			return nil // it goes round
		}
		name = target
	}
}

func aliases(rrs []dns.RR) (n int) {
	for _, rr := range rrs {
		if rr.Header().Rrtype == dns.TypeCNAME {
			n++
		}
	}
	return n
}

// maxAliases is how many aliases are followed.
const maxAliases = 16

// follow returns the name at which the aliases of an answer end, and whether
// what was asked is answered there.
func follow(r *dns.Msg, name string, qtype uint16) (target string, done bool) {
	target = name
	for range len(r.Answer) {
		for _, rr := range r.Answer {
			if dns.CanonicalName(rr.Header().Name) != target {
				continue
			}
			if c, ok := rr.(*dns.CNAME); ok && qtype != dns.TypeCNAME && qtype != dns.TypeANY {
				target = dns.CanonicalName(c.Target)
			} else {
				return target, true
			}
		}
	}
	return target, len(r.Answer) == 0 || negative(r)
}

// negative tells whether an answer says itself that there is nothing.
func negative(r *dns.Msg) bool {
	return len(r.Ns) > 0 && r.Ns[0].Header().Rrtype == dns.TypeSOA
}

// ask goes down from the root to the servers that know a name.
func (w *walk) ask(name string, qtype uint16) *dns.Msg {
	var at []netip.Addr
	for _, s := range nameServers()[:len(rootServers)] {
		at = append(at, s.addr)
	}
	for {
		r := w.try(at, name, qtype)
		if r == nil {
			return nil
		}
		if r.Authoritative {
			w.zones = append(w.zones, closest(w.lab.zones, name, qtype))
			return r
		}
		if at = w.addresses(r); len(at) == 0 {
			return nil
		}
	}
}

// try asks servers in turn for one that is of use.
func (w *walk) try(at []netip.Addr, name string, qtype uint16) *dns.Msg {
	for _, addr := range at {
		s := w.lab.servers[addr]
		if w.queries++; s == nil || w.queries > maxQueries {
			continue
		}
		q := new(dns.Msg).SetQuestion(name, qtype)
		q.RecursionDesired = false
		q.SetEdns0(1232, true)
		r := s.answer(q)
		if r != nil && (r.Rcode == dns.RcodeSuccess || r.Rcode == dns.RcodeNameError) && (r.Authoritative || referral(r)) {
			return r
		}
	}
	return nil
}

func referral(r *dns.Msg) bool {
	return len(r.Answer) == 0 && len(r.Ns) > 0 && r.Ns[0].Header().Rrtype == dns.TypeNS
}

// addresses are those of the servers that a referral names: its glue, or else
// what can be found out under the same limit of questions.
func (w *walk) addresses(r *dns.Msg) []netip.Addr {
	var at []netip.Addr
	for _, rr := range r.Extra {
		if a, ok := rr.(*dns.A); ok {
			addr, _ := netip.AddrFromSlice(a.A.To4())
			at = append(at, addr)
		}
	}
	for _, rr := range r.Ns {
		ns, ok := rr.(*dns.NS)
		if !ok || len(at) > 0 || w.queries > maxQueries {
			continue
		}
		aside := &walk{lab: w.lab, queries: w.queries}
		found := aside.resolve(dns.CanonicalName(ns.Ns), dns.TypeA)
		if w.queries = aside.queries; found == nil {
			continue
		}
		for _, rr := range found.Answer {
			if a, ok := rr.(*dns.A); ok {
				addr, _ := netip.AddrFromSlice(a.A.To4())
				at = append(at, addr)
			}
		}
	}
	return at
}

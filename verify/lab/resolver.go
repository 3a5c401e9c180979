package lab

import (
	"net/netip"

	"github.com/miekg/dns"
)

// maxQueries is how many questions the resolver puts to answer one.
const maxQueries = 30

// walk is one question on its way down from the root. The servers are asked as
// functions, not over the network: a silent one costs no time.
type walk struct {
	lab     *Lab
	queries int
	do      bool
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
	if o := q.IsEdns0(); o != nil {
		w.do = o.Do()
	}
	if r := w.resolve(dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype); r != nil {
		m.Rcode, m.Answer, m.Ns = r.Rcode, r.Answer, r.Ns
	} else {
		m.Rcode = dns.RcodeServerFailure
	}
	return packed(q, m, tcp)
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
		if r == nil || r.Authoritative {
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
		if w.do {
			q.SetEdns0(1232, true)
		}
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
		found := w.resolve(dns.CanonicalName(ns.Ns), dns.TypeA)
		if found == nil {
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

package dnscheck

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

const (
	txtType = dns.TypeTXT
	// maxControlAliases is how many CNAME records are followed: a team may
	// delegate the name to whoever publishes for it.
	maxControlAliases = 8
	// maxControlServers is how many addresses of authoritative servers are asked;
	// each name comes before the second address of any.
	maxControlServers = 16
	// maxZoneSteps is how far above a name its zone is looked for.
	maxZoneSteps = 5
)

// everywhere asks all authoritative servers for the record, each by itself, so
// that no cache stands in between, and then the resolvers, so that nobody is
// believed whom the rest of the world does not ask. What DNSSEC proves has to be
// the same: that the record is not there is proven as well as that it is. nil is
// that they disagree.
func (r *run) everywhere(name string, proof dnssec.Answer) (*controlView, error) {
	var view *controlView
	owner := dns.CanonicalName(name)
	for hops := 0; ; hops++ {
		v, err := r.authoritative(owner)
		if err != nil || v == nil {
			return nil, err
		}
		if v.alias == "" {
			view = v
			break
		}
		r.fact("alias", v.alias)
		if owner = v.alias; hops == maxControlAliases {
			r.find(controlAliases, name)
			view = &controlView{sight: verify.SightAbsent}
			return view, nil
		}
	}
	return r.resolvers(name, *view, proof)
}

// answer is what one who was asked says.
type answer struct {
	by   string
	view controlView
}

// agreed returns what all say, nil and a finding if they do not.
func (r *run) agreed(list []answer) *controlView {
	said := map[string][]string{}
	for _, a := range list {
		said[a.view.String()] = append(said[a.view.String()], a.by)
	}
	if len(said) == 1 {
		return &list[0].view
	}
	var parts []string
	for view, by := range said {
		parts = append(parts, strings.Join(by, ", ")+": "+view)
	}
	slices.Sort(parts)
	r.find(controlInconsistent, strings.Join(parts, "; "))
	return nil
}

// authoritative asks the servers of the zone that a name lies in. One that does
// not serve the zone is asked by nobody else either and does not count; one
// that does not answer, or that the operator forbids to ask, keeps us from a
// conclusion.
func (r *run) authoritative(owner string) (*controlView, error) {
	servers, err := r.authorities(owner)
	if err != nil {
		return nil, err
	}
	var list []answer
	trouble := error(&verify.Trouble{Code: verify.DNSRefused, Detail: "no name server serves " + owner})
	silent := false
	for _, s := range servers {
		m, err := r.put(verify.Question{Name: owner, Type: "TXT", Server: netip.AddrPortFrom(s.addr, 53)})
		var t *verify.Trouble
		switch errors.As(err, &t); {
		case err == nil && m.Authoritative:
			list = append(list, answer{s.String(), r.view(m, owner)})
		case err == nil || isRefusal(err):
		case t == nil || t.Ours:
			return nil, err
		case isDenied(err):
			return nil, denied(s)
		case t.Code == verify.DNSNoRoute:
			if len(list) == 0 && !silent {
				trouble = err
			}
		default:
			silent, trouble = true, &verify.Trouble{Code: t.Code, Detail: s.String() + ": " + t.Detail, Retry: t.Retry}
		}
	}
	if silent || len(list) == 0 {
		return nil, trouble
	}
	return r.agreed(list), nil
}

// view reads what a message says of one name.
func (r *run) view(m reply, owner string) controlView {
	var texts []string
	alias := ""
	for _, rr := range m.Answer {
		if dns.CanonicalName(rr.Header().Name) != owner {
			continue
		}
		switch rr := rr.(type) {
		case *dns.TXT:
			texts = append(texts, strings.Join(rr.Txt, ""))
		case *dns.CNAME:
			alias = dns.CanonicalName(rr.Target)
		}
	}
	if alias != "" {
		return controlView{alias: alias}
	}
	return viewOf(texts, r.t.Control.Digest, r.t.Now)
}

// authorities are the addresses of the servers of the zone that a name lies in.
func (r *run) authorities(owner string) ([]server, error) {
	zone, err := r.zoneAt(owner)
	if err != nil {
		return nil, err
	}
	f, err := r.records(zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	var rounds [][]server // the first address of each name, the second, and so on
	for _, name := range serverNames(f.rrs) {
		addrs, _, err := r.addresses(name)
		if err != nil {
			return nil, err
		}
		addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return !r.cfg.Public(a) })
		for i, a := range addrs {
			if i == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[i] = append(rounds[i], server{name, a})
		}
	}
	list := slices.Concat(rounds...)
	if len(list) == 0 {
		return nil, &verify.Trouble{Code: verify.DNSUnreachable, Detail: "no name server of " + zone + " has an address"}
	}
	return list[:min(len(list), maxControlServers)], nil
}

// zoneAt returns the zone that a name lies in. What is asked about an alias is
// answered about its target, so that the zone is looked for above it: no apex
// is an alias (RFC 1034 section 3.6.2).
func (r *run) zoneAt(name string) (string, error) {
	for range maxZoneSteps {
		m, err := r.ask(name, dns.TypeSOA)
		if err != nil {
			return "", err
		}
		alias := slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
			return rr.Header().Rrtype == dns.TypeCNAME && dns.CanonicalName(rr.Header().Name) == name
		})
		if zone := soaOwner(m, name); !alias && zone != "." || name == "." {
			return zone, nil
		}
		name = above(name)
	}
	return ".", nil
}

// resolvers asks the resolvers for the record and holds what they say against
// what the authoritative servers said. Where a second resolver is configured
// it has to lead to the same (see [verify.Corroborated]).
func (r *run) resolvers(name string, view controlView, proof dnssec.Answer) (*controlView, error) {
	v, err := r.resolved(name)
	if err != nil {
		return nil, err
	}
	list := []answer{{"the name servers", view}, {"the resolver", v}}
	if proof.Status == dnssec.Secure {
		list = append(list, answer{"DNSSEC", viewOf(textsOf(proof.RRs), r.t.Control.Digest, r.t.Now)})
	}
	return r.agreed(list), nil
}

// textsOf are those of TXT records, each record's strings joined.
func textsOf(rrs []dns.RR) (texts []string) {
	for _, rr := range rrs {
		if t, ok := rr.(*dns.TXT); ok {
			texts = append(texts, strings.Join(t.Txt, ""))
		}
	}
	return texts
}

// resolved asks for the record as anybody would, and again where an answer ends
// at an alias.
func (r *run) resolved(name string) (controlView, error) {
	owner := dns.CanonicalName(name)
	for asked := 0; asked <= maxControlAliases; asked++ {
		m, err := r.ask(owner, txtType)
		if err != nil {
			return controlView{}, err
		}
		for hops := 0; hops <= maxControlAliases; hops++ {
			v := r.view(m, owner)
			if v.alias == "" {
				if hops == 0 || v.sight != verify.SightAbsent || v.malformed != "" || m.missing() || len(m.Ns) > 0 {
					return v, nil
				}
				break
			}
			owner = v.alias
		}
	}
	return controlView{sight: verify.SightAbsent}, nil
}

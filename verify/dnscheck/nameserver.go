package dnscheck

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

var (
	nsOne = verify.Problem{Code: "nameserver.single", Severity: verify.Warning, Spec: "RFC 2182 section 5",
		Title: "The zone has one name server only", Advice: "Add a second one in another network."}
	nsLame = verify.Problem{Code: "nameserver.lame", Severity: verify.Warning, Spec: "RFC 1912 section 2.8",
		Title: "A name server does not know the zone that is delegated to it", Advice: "Configure the zone there, or take the server out of the delegation."}
	nsAllLame = verify.Problem{Code: "nameserver.all-lame", Severity: verify.Error, Spec: "RFC 1912 section 2.8",
		Title: "No name server knows the zone", Advice: "Configure the zone at the servers that the parent names."}
	nsNoAddress = verify.Problem{Code: "nameserver.no-address", Severity: verify.Warning, Spec: "RFC 1034 section 4.2.2",
		Title: "A name server's name has no address", Advice: "Add address records for it, or take it out of the delegation."}
	nsSpecial = verify.Problem{Code: "nameserver.special-address", Severity: verify.Error, Spec: "RFC 6890 section 2",
		Title: "A name server has an address that nobody outside can reach", Advice: "Publish public addresses only."}
	nsSilent = verify.Problem{Code: "nameserver.silent", Severity: verify.Info, Spec: "RFC 2182 section 3",
		Title: "A name server did not answer this time", Advice: "See whether it is up and reachable; others answered."}
	nsMismatch = verify.Problem{Code: "nameserver.delegation-differs", Severity: verify.Warning, Spec: "RFC 1034 section 4.2.2",
		Title: "The parent zone and the zone itself name different name servers", Advice: "Make both lists the same."}
	nsGlue = verify.Problem{Code: "nameserver.glue-differs", Severity: verify.Warning, Spec: "RFC 1034 section 4.2.1",
		Title: "The parent zone has no address, or another one, for a name server below the zone", Advice: "Have the registrar give the parent the addresses that the zone has: without them the server can't be found."}
	nsOneNetwork = verify.Problem{Code: "nameserver.one-network", Severity: verify.Info, Spec: "RFC 2182 section 3.1",
		Title: "All name servers are in one network", Advice: "Put one of them elsewhere."}
	nsOneAS = verify.Problem{Code: "nameserver.one-as", Severity: verify.Info, Spec: "RFC 2182 section 3.1",
		Title: "All name servers are announced by one autonomous system", Advice: "Put one of them with another provider; nothing, if they are anycast."}
	nsSerials = verify.Problem{Code: "nameserver.serials-differ", Severity: verify.Info, Spec: "RFC 1034 section 4.3.5",
		Title: "The name servers have different versions of the zone", Advice: "Nothing, if the zone was changed just now; else see why transfers fail."}
)

// maxServers is how many name servers are looked at, and how many addresses of
// them are asked: a delegation may name hundreds.
const maxServers = 8

// nameserverCheck asks each name server of the domain's zone itself.
func nameserverCheck(cfg Config) verify.Check {
	problems := []verify.Problem{nsOne, nsLame, nsAllLame, nsNoAddress, nsSpecial, nsSilent, nsMismatch, nsGlue, nsOneNetwork, nsOneAS, nsSerials}
	return check(cfg, "nameserver", "the domain's name servers", domains, problems, func(r *run) error {
		zone, err := r.apex(r.domain())
		if err != nil || zone == "." {
			return err
		}
		f, err := r.records(zone, dns.TypeNS)
		if err != nil {
			return err
		}
		names := serverNames(f.rrs)
		if len(names) == 1 {
			r.find(nsOne, names[0])
		}
		servers, err := r.servers(names)
		if err != nil {
			return err
		}
		if err := r.interview(zone, servers); err != nil {
			return err
		}
		return r.compareParent(zone, names)
	})
}

// apex returns the zone that name lies in, by the SOA record that an answer
// carries; "." for a name that does not exist: the zone that says so is not its own.
func (r *run) apex(name string) (string, error) {
	m, err := r.ask(name, dns.TypeSOA)
	if err != nil || m.missing() {
		return ".", err
	}
	return soaOwner(m, name), nil
}

// soaOwner is the apex that an answer about name tells of, "." for none.
func soaOwner(m reply, name string) string {
	for _, rr := range slices.Concat(m.Answer, m.Ns) {
		if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, name) {
			return dns.CanonicalName(soa.Hdr.Name)
		}
	}
	return "."
}

func serverNames(rrs []dns.RR) (names []string) {
	for _, rr := range rrs {
		if ns, ok := rr.(*dns.NS); ok {
			names = append(names, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// server is one address of a name server.
type server struct {
	name string
	addr netip.Addr
}

func (s server) String() string { return s.name + " " + s.addr.String() }

// servers resolves the names of name servers.
func (r *run) servers(names []string) (list []server, err error) {
	whole := len(names) <= maxServers
	for _, name := range names[:min(len(names), maxServers)] {
		addrs, _, err := r.addresses(name)
		if err != nil {
			return nil, err
		}
		if len(addrs) == 0 {
			r.find(nsNoAddress, name)
		}
		for _, a := range addrs {
			if !r.cfg.Public(a) {
				r.find(nsSpecial, name+" "+a.String())
			} else if len(list) < maxServers {
				list = append(list, server{name, a})
			} else {
				whole = false
			}
		}
	}
	if whole { // else one that is left out may be elsewhere
		r.spreadOut(list)
	}
	return list, nil
}

// spreadOut looks whether the servers share one network: a /24 or a /48, or else
// one autonomous system.
func (r *run) spreadOut(list []server) {
	networks := map[netip.Prefix]bool{}
	for _, s := range list {
		bits := 24
		if s.addr.Is6() {
			bits = 48
		}
		if p, err := s.addr.Prefix(bits); err == nil {
			networks[p] = true
		}
	}
	switch {
	case len(list) < 2:
	case len(networks) == 1:
		for p := range networks {
			r.find(nsOneNetwork, p.String())
		}
	default:
		if asn, ok := r.oneOrigin(list); ok {
			r.find(nsOneAS, asn.String())
		}
	}
}

// oneOrigin returns the autonomous system that announces all servers, by the
// reference data of the installation; false where that is not known of one of
// them, or one has several.
func (r *run) oneOrigin(list []server) (asn directory.ASN, ok bool) {
	if !slices.ContainsFunc(list, func(s server) bool { return s.name != list[0].name }) {
		return 0, false // it is one server, of which nameserver.single tells
	}
	for i, s := range list {
		origins := r.net.Origins(s.addr)
		if len(origins) != 1 || i > 0 && origins[0] != asn {
			return 0, false
		}
		asn = origins[0]
	}
	return asn, true
}

// interview asks each server for the zone's SOA record. A server that does not
// answer is no finding but a remark, and trouble when none answers.
func (r *run) interview(zone string, servers []server) error {
	var silent error
	answered, lame := 0, 0
	serials := map[uint32]bool{}
	for _, s := range servers {
		m, err := r.put(verify.Question{Name: zone, Type: "SOA", Server: netip.AddrPortFrom(s.addr, 53)})
		refused := isRefusal(err)
		if err != nil && !refused {
			var t *verify.Trouble
			if errors.As(err, &t) && t.Ours {
				return err
			}
			silent = err
			switch {
			case isDenied(err):
				silent = denied(s)
			case t == nil || t.Code != verify.DNSNoRoute: // that there is no IPv6 here is no remark about them
				r.find(nsSilent, s.String())
			}
			continue
		}
		answered++
		serial, ok := authoritative(m, zone)
		if refused || !ok {
			lame++
			r.find(nsLame, s.String())
			continue
		}
		serials[serial] = true
	}
	switch {
	case answered == 0 && silent != nil:
		r.out.Findings = nil
		return silent
	case lame > 0 && lame == answered && silent == nil:
		r.find(nsAllLame, zone)
	}
	if len(serials) > 1 {
		r.find(nsSerials, fmt.Sprintf("%d versions", len(serials)))
	}
	return nil
}

// isRefusal reports whether a server said that it does not serve the name,
// which is a conclusion when the server itself was asked.
func isRefusal(err error) bool {
	var t *verify.Trouble
	return errors.As(err, &t) && !t.Ours && t.Code == verify.DNSRefused
}

// isDenied reports whether a server was not asked because the operator forbids
// its address: what is not public is no address of a server that is asked.
func isDenied(err error) bool {
	var t *verify.Trouble
	return errors.As(err, &t) && t.Code == verify.DNSAddress
}

// denied is the trouble of not being allowed to ask a server, which says nothing
// of it.
func denied(s server) error {
	return &verify.Trouble{Code: verify.DNSAddress, Detail: s.String(), Ours: true}
}

// authoritative reads a server's own answer for the apex of a zone.
func authoritative(m reply, zone string) (serial uint32, ok bool) {
	if m.Msg == nil || !m.Authoritative {
		return 0, false
	}
	for _, rr := range m.Answer {
		if soa, is := rr.(*dns.SOA); is && dns.CanonicalName(soa.Hdr.Name) == zone {
			return soa.Serial, true
		}
	}
	return 0, false
}

// compareParent asks one server of the zone above what it delegates. That none of
// them is heard is trouble: what was found there before has not gone away.
func (r *run) compareParent(zone string, names []string) error {
	parent, err := r.apex(above(zone))
	if err != nil {
		return err
	}
	f, err := r.records(parent, dns.TypeNS)
	if err != nil {
		return err
	}
	var silent error
	heard := false
	servers := serverNames(f.rrs)
	for _, name := range servers[:min(len(servers), maxServers)] {
		m, err := r.askParent(name, zone)
		var t *verify.Trouble
		switch {
		case errors.As(err, &t) && !t.Ours, isDenied(err):
			silent = err
			continue
		case err != nil:
			return err
		case m.Msg == nil:
			continue
		case m.Authoritative && len(m.Answer) > 0: // a server of both zones answers for the lower one
			heard = true
			continue
		}
		if listed := serverNames(delegation(m, zone)); len(listed) > 0 && !slices.Equal(listed, names) {
			r.find(nsMismatch, "parent: "+strings.Join(listed, " ")+"; zone: "+strings.Join(names, " "))
		}
		return r.glue(m, zone, names)
	}
	if heard {
		return nil
	}
	return silent
}

// askParent asks a server of the zone above for the delegation, at its first
// public address to which there is a way from here. No message: it has none.
func (r *run) askParent(name, zone string) (m reply, err error) {
	addrs, _, err := r.addresses(name)
	if err != nil {
		return reply{}, err
	}
	for _, a := range addrs {
		if !r.cfg.Public(a) {
			continue
		}
		m, err = r.put(verify.Question{Name: zone, Type: "NS", Server: netip.AddrPortFrom(a, 53)})
		var t *verify.Trouble
		switch {
		case isDenied(err):
			return reply{}, denied(server{name, a})
		case !errors.As(err, &t) || t.Code != verify.DNSNoRoute:
			return m, err
		}
	}
	return reply{}, err
}

// glue looks at the addresses that the parent gives for servers whose names lie
// in the zone: nobody else can. Older servers leave out what has no room, without
// a word (RFC 9471 section 1), so that nothing is missing of a large answer.
func (r *run) glue(m reply, zone string, names []string) error {
	room := m.Len() < 1000
	for _, name := range serverNames(delegation(m, zone)) {
		if !dns.IsSubDomain(zone, name) || !slices.Contains(names, name) {
			continue
		}
		real, _, err := r.addresses(name)
		if err != nil {
			return err
		}
		given := addressesOf(m.Extra, name)
		wrong := slices.DeleteFunc(slices.Clone(given), func(a netip.Addr) bool { return slices.Contains(real, a) })
		if len(real) > 0 && (len(given) == 0 && room || len(wrong) > 0) {
			r.find(nsGlue, fmt.Sprintf("%s parent: %v; zone: %v", name, given, real))
		}
	}
	return nil
}

func delegation(m reply, zone string) (list []dns.RR) {
	for _, rr := range m.Ns {
		if rr.Header().Rrtype == dns.TypeNS && dns.CanonicalName(rr.Header().Name) == zone {
			list = append(list, rr)
		}
	}
	return list
}

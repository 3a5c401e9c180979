package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// nameServers are the lab's authoritative servers.
func nameServers() []*nameServer {
	list := []*nameServer{
		{host: "a.root-servers.example."}, {host: "b.root-servers.example."},
		{host: "a.nic.example."}, {host: "b.nic.example."},
		{host: "ns1.hoster.example."}, {host: "ns2.hoster.example."}, {host: "ns3.hoster.example."},
		{host: "lame.hoster.example.", manner: lame}, {host: "humble.hoster.example.", manner: humble},
		{host: "broken.hoster.example.", manner: broken}, {host: "quiet.hoster.example.", manner: quiet},
		{host: "deaf.hoster.example.", manner: deaf}, {host: "behind.hoster.example.", manner: behind},
	}
	for i, s := range list {
		network := byte(0)
		if s.host[0] == 'b' || s.host == "ns2.hoster.example." { // the second of two is in another network
			network = 64
		}
		s.addr = netip.AddrFrom4([4]byte{127, 80, network, byte(i + 1)})
	}
	return list
}

var (
	rootServers = []string{"a.root-servers.example.", "b.root-servers.example."}
	nicServers  = []string{"a.nic.example.", "b.nic.example."}
)

// hostileZones are zones that are wrong in how they are served or delegated.
func hostileZones() []Zone {
	on := func(origin string, servers ...string) Zone {
		for i := range servers {
			servers[i] += ".hoster.example."
		}
		return Zone{Origin: origin, Servers: servers, Text: "@ A 127.80.0.99\n@ MX 10 mail\nmail A 127.80.0.99\n"}
	}
	mismatch := on("mismatch.example.", "ns1", "ns3")
	mismatch.Parent = []string{"ns1.hoster.example.", "ns2.hoster.example."}
	return []Zone{
		on("lame.example.", "lame"), on("half-lame.example.", "lame", "ns1"), on("humble.example.", "humble"),
		on("servfail.example.", "broken"), on("quiet.example.", "quiet"), on("deaf.example.", "deaf"),
		on("half-deaf.example.", "deaf", "ns1"), on("lonely.example.", "ns1"), mismatch,
		{Origin: "wildcard.example.", Text: "@ A 127.80.0.99\n* TXT \"everything\"\n* A 127.80.0.99\n* MX 10 mail\nmail A 127.80.0.99\n"},
		{Origin: hostileDomain + ".", Text: aliasText()}, {Origin: oddDomain + "."},
	}
}

// aliasText has CNAMEs that go round, too far, and where they must not.
func aliasText() string {
	var b strings.Builder
	b.WriteString("loop-a CNAME loop-b\nloop-b CNAME loop-a\nself-alias CNAME self-alias\nnowhere CNAME no-such-name.example.\n" +
		"across-a CNAME across.wildcard.example.\nmx-alias MX 10 nowhere\n")
	for i := range 40 {
		fmt.Fprintf(&b, "alias%d CNAME alias%d\n", i, i+1)
	}
	b.WriteString("alias40 A 127.80.0.99\n")
	return b.String()
}

// maze is a chain of delegations without glue, each server's name below the
// next delegation: whoever follows it works, and finds nothing.
func maze() string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "maze%d NS ns1.maze%d\nmaze%d NS ns2.maze%d\n", i, i+1, i, i+1)
	}
	return b.String()
}

// makeZones makes all zones: those given, those that sites need, and what lies
// above them up to the root.
func (l *Lab) makeZones() ([]*zone, error) {
	given := append(slices.Clone(l.cfg.Zones), Zone{Origin: "hoster.example.", Sign: SignNSEC})
	if !l.cfg.Bare {
		given = append(append(given, hostileZones()...), signedZones()...)
		for _, t := range l.teams {
			given = append(given, t.zones...)
		}
	}
	s := zoneSet{}
	for _, z := range given {
		if err := s.add(z); err != nil {
			return nil, err
		}
	}
	for _, e := range l.sites {
		if err := s.addSite(e); err != nil {
			return nil, err
		}
	}
	if err := s.addAbove(); err != nil {
		return nil, err
	}
	s.addServers()
	s.delegate()
	return s.list(), s.sign(l.start)
}

// sign signs all zones: children first, since parents sign what they say of them.
func (s zoneSet) sign(now time.Time) error {
	for _, z := range slices.Backward(s.list()) {
		if err := z.makeKeys(); err != nil {
			return err
		}
		if z.Origin != "." {
			ds, err := z.ds()
			if err != nil {
				return err
			}
			if ds != nil {
				s.closest(above(z.Origin)).add(ds)
			}
		}
		if err := z.sign(now); err != nil {
			return err
		}
	}
	return nil
}

// zoneSet is a tree of zones by origin.
type zoneSet map[string]*zone

func (s zoneSet) add(z Zone) error {
	p, err := z.parse()
	if err != nil {
		return err
	}
	if s[p.Origin] != nil {
		return fmt.Errorf("zone %s twice", p.Origin)
	}
	s[p.Origin] = p
	return nil
}

// closest is the zone that a name lies in.
func (s zoneSet) closest(name string) *zone {
	for n := name; ; n = above(n) {
		if s[n] != nil || n == "." {
			return s[n]
		}
	}
}

// addSite puts a site's address into its zone, which is made if there is none.
func (s zoneSet) addSite(e *endpoint) error {
	name := dns.CanonicalName(e.site.Host)
	if s.closest(name) == nil {
		labels := dns.SplitDomainName(name)
		if err := s.add(Zone{Origin: strings.Join(labels[max(0, len(labels)-2):], ".") + "."}); err != nil {
			return err
		}
	}
	s.closest(name).add(addressRecord(name, e.addr))
	return nil
}

func addressRecord(name string, addr netip.Addr) dns.RR {
	if addr.Is4() {
		return &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300}, A: addr.AsSlice()}
	}
	return &dns.AAAA{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: 300}, AAAA: addr.AsSlice()}
}

// addAbove makes the top-level domains that are needed, and the root.
func (s zoneSet) addAbove() error {
	tops := map[string]Zone{".": {Origin: ".", Servers: rootServers, Sign: SignNSEC}}
	for origin := range s {
		labels := dns.SplitDomainName(origin)
		top := labels[len(labels)-1] + "."
		tops[top] = Zone{Origin: top, Servers: nicServers, Sign: SignNSEC}
	}
	for _, z := range tops {
		if z.Origin == "example." {
			z.Text = maze()
		}
		if s[z.Origin] != nil {
			continue
		}
		if err := s.add(z); err != nil {
			return err
		}
	}
	return nil
}

// addServers puts the addresses of the name servers into the zones they lie in.
func (s zoneSet) addServers() {
	for _, ns := range nameServers() {
		s.closest(ns.host).add(addressRecord(ns.host, ns.addr))
	}
}

// delegate puts into each parent what leads to its children, with glue for
// servers whose names lie below the parent.
func (s zoneSet) delegate() {
	addrs := map[string]netip.Addr{}
	for _, ns := range nameServers() {
		addrs[ns.host] = ns.addr
	}
	for _, z := range s {
		if z.Origin == "." {
			continue
		}
		parent := s.closest(above(z.Origin))
		for _, host := range z.Parent {
			host = dns.CanonicalName(host)
			parent.add(&dns.NS{Hdr: dns.RR_Header{Name: z.Origin, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 3600}, Ns: host})
			if addr, ok := addrs[host]; ok && parent.holds(host) && len(parent.names[host][dns.TypeA]) == 0 {
				parent.add(addressRecord(host, addr))
			}
		}
	}
}

func (s zoneSet) list() []*zone {
	all := make([]*zone, 0, len(s))
	for _, z := range s {
		all = append(all, z)
	}
	slices.SortFunc(all, func(a, b *zone) int { return canonicalOrder(a.Origin, b.Origin) })
	return all
}

// TrustAnchor is the DS record of the root's key as a line of a zone file: what
// a validator trusts in place of the real root's (RFC 4035 section 4.4).
func (l *Lab) TrustAnchor() string {
	for _, z := range l.zones {
		if z.Origin == "." {
			return z.keys.key.public.ToDS(dns.SHA256).String() + "\n"
		}
	}
	return ""
}

// ZoneServers are the addresses and ports at which a zone is served, by origin:
// those of its own list, not of its delegation.
func (l *Lab) ZoneServers() map[string][]netip.AddrPort {
	out := map[string][]netip.AddrPort{}
	for _, s := range l.servers {
		for _, z := range s.zones {
			out[z.Origin] = append(out[z.Origin], netip.AddrPortFrom(s.addr, l.ports.dns))
		}
	}
	return out
}

// Zones returns each zone of the lab as a zone file, by origin.
func (l *Lab) Zones() map[string]string {
	out := map[string]string{}
	for _, z := range l.zones {
		out[z.Origin] = z.text()
	}
	return out
}

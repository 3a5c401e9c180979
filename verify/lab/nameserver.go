package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// manner is how a name server treats all questions.
type manner string

const (
	sound  manner = ""
	lame   manner = "refuses"  // it is delegated to and knows nothing
	humble manner = "humble"   // it never sets AA
	broken manner = "servfail" // it fails all questions
	quiet  manner = "quiet"    // it takes questions and never answers
	deaf   manner = "deaf"     // nothing listens at its address
	behind manner = "behind"   // its zones are from before there were records that prove control
)

// nameServer is an authoritative server at one address.
type nameServer struct {
	host   string
	addr   netip.Addr
	manner manner
	zones  []*zone
	asked  atomic.Int64
}

// zoneFor returns the zone that answers a question.
func (s *nameServer) zoneFor(name string, qtype uint16) *zone { return closest(s.zones, name, qtype) }

// closest is the zone that answers a question: the closest one, but for DS the
// one above, if that is here too.
func closest(zones []*zone, name string, qtype uint16) *zone {
	var best, apex *zone
	for _, z := range zones {
		switch {
		case !z.holds(name):
		case qtype == dns.TypeDS && z.Origin == name:
			apex = z
		case best == nil || len(z.Origin) > len(best.Origin):
			best = z
		}
	}
	if best == nil {
		return apex
	}
	return best
}

// answer is what the server says to a well-formed question; nil is nothing.
func (s *nameServer) answer(q *dns.Msg) *dns.Msg {
	s.asked.Add(1)
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = false
	switch s.manner {
	case quiet, deaf:
		return nil
	case broken:
		m.Rcode = dns.RcodeServerFailure
	case lame:
		m.Rcode = dns.RcodeRefused
	default:
		name, qtype := dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype
		if z := s.zoneFor(name, qtype); z != nil {
			o := q.IsEdns0()
			z.answer(m, name, qtype, o != nil && o.Do())
		} else {
			m.Rcode = dns.RcodeRefused
		}
		m.Authoritative = m.Authoritative && s.manner != humble
		if s.manner == behind && strings.HasPrefix(name, challenge+".") {
			m.Answer = nil
		}
	}
	return m
}

// ask is answer on the wire.
func (s *nameServer) ask(q *dns.Msg, tcp bool) packets { return packed(q, s.answer(q), tcp) }

// packets are what goes over the wire in answer to a question, after delay.
type packets struct {
	delay time.Duration
	wire  [][]byte
}

// asker answers a message that came over UDP or TCP.
type asker func(q *dns.Msg, tcp bool) packets

// serveDNS binds an address for DNS and answers there.
func (l *Lab) serveDNS(addr netip.Addr, ask asker) error {
	at := netip.AddrPortFrom(addr, l.ports.dns).String()
	pc, err := net.ListenPacket("udp4", at)
	if err != nil {
		return err
	}
	l.closers = append(l.closers, pc.Close)
	ln, err := net.Listen("tcp4", at)
	if err != nil {
		return err
	}
	l.closers = append(l.closers, ln.Close)
	l.serve = append(l.serve, func() { l.serveUDP(pc, ask) }, func() { l.serveTCP(ln, ask) })
	return nil
}

func (l *Lab) serveUDP(pc net.PacketConn, ask asker) {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // such as the port unreachable of a client that went away
		}
		q := new(dns.Msg)
		if q.Unpack(buf[:n]) != nil || len(q.Question) != 1 || q.Response {
			continue
		}
		send := func(p packets) {
			for _, w := range p.wire {
				_, _ = pc.WriteTo(w, from)
			}
		}
		if p := ask(q, false); p.delay == 0 {
			send(p)
		} else {
			l.wg.Go(func() {
				if pause(l.ctx, p.delay) {
					send(p)
				}
			})
		}
	}
}

func (l *Lab) serveTCP(ln net.Listener, ask asker) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		l.wg.Go(func() { l.converse(c, ask) })
	}
}

// converse answers the questions of one TCP connection (RFC 7766).
func (l *Lab) converse(c net.Conn, ask asker) {
	defer c.Close()
	stop := context.AfterFunc(l.ctx, func() { _ = c.Close() })
	defer stop()
	conn := &dns.Conn{Conn: c}
	for {
		_ = c.SetDeadline(time.Now().Add(faultTime))
		q, err := conn.ReadMsg()
		if err != nil || len(q.Question) != 1 || q.Response {
			return
		}
		p := ask(q, true)
		if p.delay > 0 && !pause(l.ctx, p.delay) {
			return
		}
		for _, w := range p.wire {
			if _, err := conn.Write(w); err != nil {
				return
			}
		}
	}
}

// packed puts a message on the wire as a server does: with EDNS if it was asked
// with EDNS (RFC 6891 section 6.1.1), and cut to what the asker takes over UDP.
func packed(q, m *dns.Msg, tcp bool) packets {
	if m == nil {
		return packets{}
	}
	size := dns.MinMsgSize
	if o := q.IsEdns0(); o != nil {
		size = max(size, int(o.UDPSize()))
		reply := new(dns.OPT)
		reply.Hdr.Name, reply.Hdr.Rrtype = ".", dns.TypeOPT
		reply.SetUDPSize(1232)
		if o.Do() {
			reply.SetDo()
		}
		if m.IsEdns0() == nil {
			m.Extra = append(m.Extra, reply)
		}
	}
	m.Compress = true
	if tcp {
		size = dns.MaxMsgSize
	}
	m.Truncate(min(size, dns.MaxMsgSize))
	wire, err := m.Pack()
	if err != nil {
		m = new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		if wire, err = m.Pack(); err != nil {
			return packets{}
		}
	}
	return packets{wire: [][]byte{wire}}
}

// delegate builds the zones, puts them on their servers and lets those listen.
func (l *Lab) delegate() error {
	zones, err := l.makeZones()
	if err != nil {
		return err
	}
	l.zones = zones
	hosts := map[string]*nameServer{}
	for _, s := range nameServers() {
		hosts[s.host] = s
		l.servers[s.addr] = s
	}
	for _, z := range zones {
		for _, host := range z.Servers {
			s := hosts[dns.CanonicalName(host)]
			if s == nil {
				return fmt.Errorf("zone %s: no name server %s", z.Origin, host)
			}
			s.zones = append(s.zones, z)
		}
	}
	faults := l.dnsFaults()
	for _, s := range l.servers {
		if s.manner == deaf {
			continue
		}
		if err := l.serveDNS(s.addr, faults.before(s.ask)); err != nil {
			return fmt.Errorf("name server %s: %w", strings.TrimSuffix(s.host, "."), err)
		}
	}
	for _, addr := range []netip.Addr{resolverAddr, resolverAddr2} {
		if err := l.serveDNS(addr, faults.before(l.recurse)); err != nil {
			return fmt.Errorf("resolver: %w", err)
		}
	}
	return nil
}

package lab

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// The domain of names at which DNS is broken.
const oddDomain = "odd.example"

// dnsFault answers a question that it is asked about a name of its own; the
// answer that would be right is at hand.
type dnsFault func(q, right *dns.Msg, tcp bool) packets

// dnsFaults are names at which every server of the lab, the resolvers too,
// breaks the protocol. What lies below such a name is treated as it is.
type dnsFaults map[string]dnsFault

// before lets the faults answer what is theirs.
func (f dnsFaults) before(ask asker) asker {
	return func(q *dns.Msg, tcp bool) packets {
		for n := dns.CanonicalName(q.Question[0].Name); n != "."; n = above(n) {
			if fault := f[n]; fault != nil {
				return fault(q, rightAnswer(q), tcp)
			}
		}
		return ask(q, tcp)
	}
}

// rightAnswer is what a name with a fault would answer without it.
func rightAnswer(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative, m.RecursionAvailable = true, true
	name := q.Question[0].Name
	switch q.Question[0].Qtype {
	case dns.TypeA:
		m.Answer = []dns.RR{addressRecord(name, netip.MustParseAddr("127.80.0.99"))}
	case dns.TypeTXT:
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 300}, Txt: []string{"right"}}}
	}
	return m
}

// OddNames are the names of the lab at which DNS itself is broken, each
// with what happens there.
func OddNames() map[string]string {
	return map[string]string{
		"timeout." + oddDomain:          "no answer",
		"late." + oddDomain:             "the right answer after six seconds",
		"fail." + oddDomain:             "SERVFAIL",
		"refused." + oddDomain:          "REFUSED",
		"no-edns." + oddDomain:          "FORMERR to questions with EDNS, else the right answer",
		"wrong-id." + oddDomain:         "an answer with another id",
		"spoofed." + oddDomain:          "a wrong answer with another id, then the right one",
		"wrong-question." + oddDomain:   "an answer to another question",
		"no-question." + oddDomain:      "an answer without its question",
		"truncated." + oddDomain:        "cut over UDP, whole over TCP",
		"truncated-always." + oddDomain: "cut over UDP and over TCP",
		"tcp-closed." + oddDomain:       "cut over UDP, nothing over TCP",
		"oversized." + oddDomain:        "4,000 octets over UDP, whatever was asked for",
		"many." + oddDomain:             "as many records as fit into a message",
		"lying-count." + oddDomain:      "a header that announces 10,000 records, and one",
		"compression." + oddDomain:      "a name whose pointer leads to itself",
		"short." + oddDomain:            "half a message",
		"garbage." + oddDomain:          "octets that are no message",
		"rebind." + oddDomain:           "an address of the lab, then 127.0.0.1, by turns",
	}
}

// Rebind is the name whose address is the lab's at every first question and
// 127.0.0.1 at every second.
const Rebind = "rebind." + oddDomain

func (l *Lab) dnsFaults() dnsFaults {
	f := dnsFaults{}
	if l.cfg.Bare {
		return f
	}
	add := func(label string, fault dnsFault) { f[label+"."+oddDomain+"."] = fault }
	add("timeout", func(_, _ *dns.Msg, _ bool) packets { return packets{} })
	add("late", func(q, m *dns.Msg, tcp bool) packets {
		p := packed(q, m, tcp)
		p.delay = 6 * time.Second
		return p
	})
	add("fail", rcode(dns.RcodeServerFailure))
	add("refused", rcode(dns.RcodeRefused))
	add("no-edns", func(q, m *dns.Msg, tcp bool) packets {
		if q.IsEdns0() != nil {
			m = new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
		}
		return plainWire(m)
	})
	add("wrong-id", func(q, m *dns.Msg, tcp bool) packets { m.Id++; return packed(q, m, tcp) })
	add("spoofed", spoofed)
	add("wrong-question", func(q, m *dns.Msg, tcp bool) packets {
		m.Question = []dns.Question{{Name: "other." + oddDomain + ".", Qtype: q.Question[0].Qtype, Qclass: dns.ClassINET}}
		return packed(q, m, tcp)
	})
	add("no-question", func(q, m *dns.Msg, tcp bool) packets { m.Question = nil; return packed(q, m, tcp) })
	f.addSizes()
	f.addBroken()
	f["rebind."+oddDomain+"."] = l.rebind()
	return f
}

func rcode(code int) dnsFault {
	return func(q, m *dns.Msg, tcp bool) packets {
		m.Rcode, m.Answer = code, nil
		return packed(q, m, tcp)
	}
}

// plainWire packs a message as it is.
func plainWire(m *dns.Msg) packets {
	wire, err := m.Pack()
	if err != nil {
		return packets{}
	}
	return packets{wire: [][]byte{wire}}
}

// spoofed sends what an attacker beside the path would send, then the answer.
func spoofed(q, m *dns.Msg, tcp bool) packets {
	wrong := m.Copy()
	wrong.Id++
	wrong.Answer = []dns.RR{addressRecord(q.Question[0].Name, netip.MustParseAddr("127.0.0.1"))}
	p := packed(q, wrong, tcp)
	p.wire = append(p.wire, packed(q, m, tcp).wire...)
	return p
}

// addSizes adds the faults of size.
func (f dnsFaults) addSizes() {
	add := func(label string, fault dnsFault) { f[label+"."+oddDomain+"."] = fault }
	cut := func(m *dns.Msg) packets { m.Truncated, m.Answer = true, nil; return plainWire(m) }
	add("truncated", func(q, m *dns.Msg, tcp bool) packets {
		if tcp {
			return packed(q, m, tcp)
		}
		return cut(m)
	})
	add("truncated-always", func(_, m *dns.Msg, _ bool) packets { return cut(m) })
	add("tcp-closed", func(_, m *dns.Msg, tcp bool) packets {
		if tcp {
			return packets{}
		}
		return cut(m)
	})
	add("oversized", func(q, m *dns.Msg, _ bool) packets { fill(q, m, 4000); return plainWire(m) })
	add("many", func(q, m *dns.Msg, tcp bool) packets {
		if !tcp {
			return cut(m)
		}
		fill(q, m, dns.MaxMsgSize-200)
		return plainWire(m)
	})
}

// fill adds addresses to an answer until it has about that many octets.
func fill(q, m *dns.Msg, octets int) {
	m.Compress, m.Answer = true, nil
	for i := range octets / 16 { // a record is a pointer and 14 octets (RFC 1035 sections 3.2.1, 4.1.4)
		m.Answer = append(m.Answer, addressRecord(q.Question[0].Name, netip.AddrFrom4([4]byte{127, 80, byte(i >> 8), byte(i)})))
	}
}

// addBroken adds the faults in which the octets are no sound message.
func (f dnsFaults) addBroken() {
	spoil := func(label string, change func([]byte) []byte) {
		f[label+"."+oddDomain+"."] = func(q, m *dns.Msg, tcp bool) packets {
			p := plainWire(m)
			for i := range p.wire {
				p.wire[i] = change(p.wire[i])
			}
			return p
		}
	}
	const header = 12
	spoil("lying-count", func(b []byte) []byte { b[6], b[7] = 10_000>>8, 10_000&0xff; return b })
	spoil("short", func(b []byte) []byte { return b[:len(b)/2] })
	spoil("garbage", func(b []byte) []byte { return append(b[:2:2], strings.Repeat("\xff\xc0\x00", 50)...) })
	// RFC 1035 section 4.1.4: a pointer leads to a prior occurrence, never to itself.
	spoil("compression", func(b []byte) []byte { return append(b[:header:header], 0xc0, header, 0, 1, 0, 1, 0xc0, header) })
}

// rebind answers by turns.
func (l *Lab) rebind() dnsFault {
	var n atomic.Int64
	return func(q, m *dns.Msg, tcp bool) packets {
		m.Answer = nil
		if q.Question[0].Qtype == dns.TypeA {
			addr := netip.MustParseAddr("127.0.0.1")
			if n.Add(1)%2 == 1 {
				addr = l.Addr(Rebind)
			}
			rr := addressRecord(q.Question[0].Name, addr)
			rr.Header().Ttl = 0
			m.Answer = []dns.RR{rr}
		}
		return packed(q, m, tcp)
	}
}

// Addr is the IPv4 address of a site's host, as DNS gives it.
func (l *Lab) Addr(host string) netip.Addr {
	for addr, e := range l.sites {
		if e.site.Host == host && addr.Is4() {
			return addr
		}
	}
	return netip.Addr{}
}

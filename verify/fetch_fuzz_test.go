package verify_test

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// inetAton reads IPv4 addresses as the C library does: one to four numbers,
// decimal, octal or hexadecimal, of which the last fills what is left.
func inetAton(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return false
	}
	for i, p := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		base, digits := 10, p
		switch {
		case strings.HasPrefix(p, "0x") || strings.HasPrefix(p, "0X"):
			base, digits = 16, p[2:]
		case len(p) > 1 && p[0] == '0':
			base = 8
		}
		if _, err := strconv.ParseUint(digits, base, bits); err != nil && digits != "" || p == "" {
			return false
		}
	}
	return true
}

// FuzzHostName holds that whatever is taken for a name is one for everybody: no
// parser reads an address in it, it is in lower case A-labels, and taking it
// again changes nothing.
func FuzzHostName(f *testing.F) {
	for _, s := range append(loopbackLiterals(), "example.org", "EXAMPLE.ORG.", "münchen.example", "xn--mnchen-3ya.example", "a_b.example", "1.2.3.4.example", "①.example", "a。b", "0x7f。1", "١٢٧.٠.٠.١", "-.example", "a\u200d.example") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, why := verify.HostName(s)
		if why != "" {
			if name != "" {
				t.Errorf("HostName(%q) = %q, though %s", s, name, why)
			}
			return
		}
		if _, err := netip.ParseAddr(name); err == nil || inetAton(name) {
			t.Errorf("HostName(%q) = %q, which is an address", s, name)
		}
		for _, r := range name {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' {
				t.Errorf("HostName(%q) = %q, with %q", s, name, r)
			}
		}
		if again, why := verify.HostName(name); again != name {
			t.Errorf("HostName(%q) = %q %s", name, again, why)
		}
		if _, ok := dns.IsDomainName(name); !ok {
			t.Errorf("HostName(%q) = %q, which the DNS can't be asked for", s, name)
		}
	})
}

// FuzzParseReply holds that what is taken for an answer answers the question,
// whole, and that reading addresses from it ends.
func FuzzParseReply(f *testing.F) {
	ask := new(dns.Msg).SetQuestion("a.example.", dns.TypeA)
	ask.Id = 0x1234
	good := new(dns.Msg).SetReply(ask)
	for _, line := range []string{"a.example. 60 IN CNAME b.example.", "b.example. 60 IN CNAME a.example.", "b.example. 60 IN A 192.0.2.1"} {
		rr, _ := dns.NewRR(line)
		good.Answer = append(good.Answer, rr)
		wire, _ := good.Pack()
		f.Add(wire)
	}
	good.Compress = true
	wire, _ := good.Pack()
	f.Add(wire)
	f.Add(wire[:len(wire)-3])
	f.Fuzz(func(t *testing.T, wire []byte) {
		reply, err := verify.ParseReply(wire, ask)
		if err != nil {
			return
		}
		if reply.Id != ask.Id || !reply.Response || len(reply.Question) == 1 && reply.Question[0] != ask.Question[0] {
			t.Errorf("taken for the answer: %v", reply)
		}
		if reply.Truncated {
			return
		}
		if len(reply.Question) != 1 && reply.Rcode != dns.RcodeFormatError {
			t.Errorf("taken for the answer: %v", reply)
		}
		list, err := verify.AddressesIn(&verify.Answer{Question: verify.Question{Name: "a.example"}, Wire: wire})
		if err != nil || len(list) > len(reply.Answer) {
			t.Errorf("AddressesIn = %v, %v", list, err)
		}
	})
}

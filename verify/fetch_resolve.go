package verify

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Limits of what one host resolves to.
const (
	maxAddresses = 16 // that are looked at
	maxAliases   = 16 // CNAME records on the way to them
)

// resolve finds the addresses of a host, of one family or of both. A host that
// has one special address is refused whole: which one is dialled must not
// depend on luck.
func (l *Live) resolve(ctx context.Context, host, family string) (list []netip.Addr, failure *Failure, err error) {
	types := map[string][]string{"ip4": {"A"}, "ip6": {"AAAA"}, "": {"A", "AAAA"}}[family]
	var missing, trouble *Failure
	for _, t := range types {
		a, err := l.query(ctx, Question{Name: host, Type: t})
		switch {
		case err != nil:
			return nil, nil, err
		case a.Failure != nil:
			trouble = a.Failure
			continue
		case a.Rcode == "NXDOMAIN":
			missing = &Failure{Code: FetchNoHost, Detail: host}
			continue
		}
		found, err := addressesIn(a)
		if err != nil {
			trouble = &Failure{Code: DNSGarbled, Temporary: true}
		}
		list = append(list, found...)
	}
	for _, a := range list {
		if !l.allowed(a) {
			return nil, &Failure{Code: FetchAddress}, nil
		}
	}
	switch {
	case len(list) > 0:
		return list[:min(len(list), maxAddresses)], nil, nil
	case trouble != nil:
		return nil, trouble, nil
	case missing != nil:
		return nil, missing, nil
	}
	return nil, &Failure{Code: FetchNoAddress, Detail: host}, nil
}

// addressesIn returns the addresses at the end of an answer's aliases. Records
// of other names are not taken.
func addressesIn(a *Answer) (list []netip.Addr, err error) {
	m := new(dns.Msg)
	if err := m.Unpack(a.Wire); err != nil {
		return nil, err
	}
	owner := dns.CanonicalName(a.Question.Name)
	for range maxAliases + 1 {
		next := ""
		for _, rr := range m.Answer {
			if dns.CanonicalName(rr.Header().Name) != owner {
				continue
			}
			switch rr := rr.(type) {
			case *dns.A:
				list = appendAddr(list, rr.A.To4())
			case *dns.AAAA:
				list = appendAddr(list, rr.AAAA)
			case *dns.CNAME:
				next = strings.ToLower(rr.Target)
			}
		}
		if next == "" || len(list) > 0 {
			break
		}
		owner = next
	}
	return list, nil
}

func appendAddr(list []netip.Addr, ip []byte) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		return append(list, a)
	}
	return list
}

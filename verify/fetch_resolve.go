package verify

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Limits of what one host resolves to.
const (
	maxAddresses = 16 // that are looked at
	maxAliases   = 16 // CNAME records on the way to them
)

// resolve finds the addresses of a host, of one family or of both. That it has
// none, or one that is not fetched from, speaks against whoever named it: where
// there is another resolver, that one has to say the same.
func (l *Live) resolve(ctx context.Context, host, family string) ([]netip.Addr, *Failure, error) {
	h, err := l.lookup(ctx, host, family, nil)
	if err != nil || h.failure == nil || h.failure.Temporary || len(l.resolvers) < 2 {
		return h.addrs, h.failure, err
	}
	other, err := l.lookup(ctx, host, family, h.from)
	switch {
	case err != nil:
		return nil, nil, err
	case other.failure != nil && (other.failure.Temporary || other.failure.Code == h.failure.Code):
		return nil, other.failure, nil
	}
	says := "addresses"
	if other.failure != nil {
		says = string(other.failure.Code)
	}
	return nil, &Failure{Code: DNSInconsistent, Detail: host + ": " + string(h.failure.Code) + " by one resolver, " + says + " by another", Temporary: true}, nil
}

// hosted is what one look at a host came to.
type hosted struct {
	addrs   []netip.Addr
	failure *Failure
	from    map[string]string // who answered, by type
}

// lookup asks for the addresses of a host, apart from those who have answered
// before. A host that has one special address is refused whole: which one is
// dialled must not depend on luck.
func (l *Live) lookup(ctx context.Context, host, family string, before map[string]string) (h hosted, err error) {
	h.from = map[string]string{}
	var missing, trouble *Failure
	for _, t := range map[string][]string{"ip4": {"A"}, "ip6": {"AAAA"}, "": {"A", "AAAA"}}[family] {
		a, err := l.query(ctx, Question{Name: host, Type: t, Apart: before[t]})
		if err != nil {
			return h, err
		}
		h.from[t] = a.Server
		found, failure := hostAnswer(a, host)
		h.addrs = append(h.addrs, found...)
		switch {
		case failure == nil:
		case failure.Code == FetchNoHost:
			missing = failure
		default:
			trouble = failure
		}
	}
	for _, a := range h.addrs {
		if !l.public(a) {
			h.addrs, h.failure = nil, &Failure{Code: FetchAddress}
			return h, nil
		}
	}
	if slices.ContainsFunc(h.addrs, l.forbids) {
		h.addrs, h.failure = nil, forbidden(host)
		return h, nil
	}
	if h.addrs = h.addrs[:min(len(h.addrs), maxAddresses)]; len(h.addrs) == 0 {
		h.failure = cmp.Or(trouble, missing, &Failure{Code: FetchNoAddress, Detail: host})
	}
	return h, nil
}

// hostAnswer reads the answer about one type of address.
func hostAnswer(a *Answer, host string) ([]netip.Addr, *Failure) {
	switch {
	case a.Failure != nil:
		return nil, a.Failure
	case a.Rcode == "NXDOMAIN":
		return nil, &Failure{Code: FetchNoHost, Detail: host}
	}
	found, err := addressesIn(a)
	if err != nil {
		return nil, &Failure{Code: DNSGarbled, Temporary: true}
	}
	return found, nil
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

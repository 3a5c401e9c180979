package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
)

// mailResolver asks the DNS through the network of the checks, as package mail wants it.
type mailResolver struct{ network verify.Network }

// ask returns the records of a type, or the error that says whether there are none.
func (r mailResolver) ask(ctx context.Context, name, kind string) ([]dns.RR, error) {
	fail := &net.DNSError{Name: name, Server: "the configured resolvers"}
	a, err := r.network.Query(ctx, verify.Question{Name: dns.Fqdn(name), Type: kind})
	if err != nil {
		fail.Err, fail.IsTemporary = err.Error(), true
		return nil, fail
	}
	if a.Failure != nil {
		fail.Err, fail.IsTemporary = fmt.Sprint(a.Failure.Code), true
		return nil, fail
	}
	m := new(dns.Msg)
	if err := m.Unpack(a.Wire); err != nil {
		fail.Err, fail.IsTemporary = err.Error(), true
		return nil, fail
	}
	if m.Rcode == dns.RcodeNameError || len(m.Answer) == 0 {
		fail.Err, fail.IsNotFound = "no such record", true
		return nil, fail
	}
	return m.Answer, nil
}

// none is the answer without a record of the type that was asked for.
func none(name string) error {
	return &net.DNSError{Err: "no such record", Name: name, IsNotFound: true}
}

// LookupTXT implements [mail.Resolver].
func (r mailResolver) LookupTXT(ctx context.Context, name string) (out []string, err error) {
	list, err := r.ask(ctx, name, "TXT")
	for _, rr := range list {
		if t, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(t.Txt, ""))
		}
	}
	if err == nil && out == nil {
		err = none(name)
	}
	return out, err
}

// LookupMX implements [mail.Resolver].
func (r mailResolver) LookupMX(ctx context.Context, name string) (out []*net.MX, err error) {
	list, err := r.ask(ctx, name, "MX")
	for _, rr := range list {
		if t, ok := rr.(*dns.MX); ok {
			out = append(out, &net.MX{Host: t.Mx, Pref: t.Preference})
		}
	}
	if err == nil && out == nil {
		err = none(name)
	}
	return out, err
}

// LookupIPAddr implements [mail.Resolver]: IPv4 and IPv6, of which one may be absent.
func (r mailResolver) LookupIPAddr(ctx context.Context, host string) (out []net.IPAddr, err error) {
	var trouble error
	for _, kind := range []string{"A", "AAAA"} {
		list, err := r.ask(ctx, host, kind)
		if e, ok := err.(*net.DNSError); ok && !e.IsNotFound {
			trouble = err
		}
		for _, rr := range list {
			switch t := rr.(type) {
			case *dns.A:
				out = append(out, net.IPAddr{IP: t.A})
			case *dns.AAAA:
				out = append(out, net.IPAddr{IP: t.AAAA})
			}
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case trouble != nil:
		return nil, trouble
	}
	return nil, none(host)
}

// LookupAddr implements [mail.Resolver].
func (r mailResolver) LookupAddr(ctx context.Context, addr string) (out []string, err error) {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		return nil, none(addr)
	}
	list, err := r.ask(ctx, name, "PTR")
	for _, rr := range list {
		if t, ok := rr.(*dns.PTR); ok {
			out = append(out, t.Ptr)
		}
	}
	if err == nil && out == nil {
		err = none(addr)
	}
	return out, err
}

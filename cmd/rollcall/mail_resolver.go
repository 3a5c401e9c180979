package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// mailResolver asks the DNS through the network of the checks, as package mail wants it.
type mailResolver struct{ network verify.Network }

// mailDNS is the DNS that the mails of this instance and those that come in are judged by. Who would
// have to wait longer than wait for a resolver is sent away.
func (c *call) mailDNS(wait time.Duration) (mailResolver, error) {
	cfg := c.liveConfig()
	cfg.Limiter = verify.NewLimiter(verify.Paces(), wait)
	if c.lab != nil {
		c.lab(&cfg)
	}
	network, err := verify.NewLive(cfg)
	if err != nil {
		return mailResolver{}, notAsked("%w", err)
	}
	return mailResolver{network}, nil
}

// originWait is how long a question about where a mail came from waits for its turn.
const originWait = 5 * time.Second

// newReceiver makes what takes mails in. Without resolvers it takes them in all the same.
func (c *call) newReceiver(desk *challenge.Desk, id *mail.Identity, aside *asideFolder) (*challenge.Receiver, error) {
	cfg := challenge.ReceiverConfig{Desk: desk, Identity: id, Own: id.Key, Limits: mail.Limits{Size: int(c.cfg.Challenge.MaxSize)}, Aside: aside.keep}
	if dns, err := c.mailDNS(originWait); err != nil {
		c.log.Error("nobody looks at where mails come from", "err", err)
	} else {
		trusted := c.cfg.Challenge.AuthServs
		cfg.Origin = func(ctx context.Context, env mail.Envelope, m *mail.Message) mail.Authentication {
			return mail.Authenticate(ctx, dns, env, m, trusted...)
		}
	}
	return challenge.NewReceiver(cfg)
}

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

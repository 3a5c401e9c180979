package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const maxServers = 3 // that are tried for one question

// server is one that is asked: a resolver of our own, or, direct, a name server
// that a question names.
type server struct {
	at     netip.AddrPort
	tls    *tls.Config // over TLS (RFC 7858); nil: in clear
	direct bool
}

// String is what answers tell of who gave them.
func (s server) String() string {
	if s.tls != nil {
		return "tls://" + s.at.String()
	}
	return s.at.String()
}

// private reports whether nobody on the way could have changed what a resolver
// said: that is what its word on DNSSEC hangs on (RFC 4035 section 4.9.3).
func (s server) private() bool { return s.tls != nil || s.at.Addr().IsLoopback() }

// parseResolver reads a resolver: an address, with a port or without, or
// "tls://ADDRESS#NAME" for DNS over TLS, where the certificate must be for NAME
// or, without one, for the address (RFC 8310 section 8.1).
func (c LiveConfig) parseResolver(s string) (server, error) {
	rest, secure := strings.CutPrefix(s, "tls://")
	if !secure {
		at, err := parseServer(s, 53)
		return server{at: at}, err
	}
	address, name, named := strings.Cut(rest, "#")
	at, err := parseServer(address, 853)
	if err != nil {
		return server{}, err
	}
	if _, ok := dns.IsDomainName(name); named && (!ok || name == "") {
		return server{}, fmt.Errorf("verify: resolver %q: %q is no name of a host", s, name)
	}
	if !named {
		name = at.Addr().String()
	}
	conf := &tls.Config{ServerName: name, RootCAs: c.Roots, MinVersion: tls.VersionTLS12, Time: c.Now, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	return server{at: at, tls: conf}, nil
}

// ParseResolver reports what is wrong with a resolver of [LiveConfig].
func ParseResolver(s string) error {
	_, err := LiveConfig{}.parseResolver(s)
	return err
}

// parseServer reads an address, with a port unless it is the usual one.
func parseServer(s string, port uint16) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return at, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("verify: resolver %q is not an IP address, with or without a port", s)
	}
	return netip.AddrPortFrom(a, port), nil
}

// order is those who are asked a question, the first of our resolvers a random
// one, without the one that it shall be apart from.
func (l *Live) order(q Question) []server {
	if q.Server.IsValid() {
		return []server{{at: q.Server, direct: true}}
	}
	n := len(l.resolvers)
	first := rand.IntN(n) //nolint:gosec // spreads load; nothing depends on it
	list := slices.Concat(l.resolvers[first:], l.resolvers[:first])
	list = slices.DeleteFunc(list, func(s server) bool { return s.String() == q.Apart })
	return list[:min(len(list), maxServers)]
}

// deaf asks the resolvers, none of which answered a question, for what each of
// them knows: the root. One that does not answer that either is broken or cut
// off, which is trouble of our own.
func (l *Live) deaf(ctx context.Context, q Question) error {
	m, err := l.message(Question{Name: ".", Type: "NS"})
	if err != nil {
		return err
	}
	for _, s := range l.order(q) {
		if _, _, err := l.over(ctx, "udp", m, s); err == nil {
			return nil
		}
	}
	return &Trouble{Code: CodeInternal, Detail: "no resolver answers", Ours: true}
}

// errUntrusted is a resolver that did not prove to be the one that was meant.
var errUntrusted = errors.New("verify: the resolver's TLS")

// connect dials a server: our own resolvers as they were configured, others
// under the guard.
func (l *Live) connect(ctx context.Context, network string, s server) (*dns.Conn, error) {
	if s.direct {
		c, err := l.dial(ctx, network, s.at)
		return &dns.Conn{Conn: c, UDPSize: udpSize}, err
	}
	c, err := l.own.DialContext(ctx, network, s.at.String())
	if err != nil || s.tls == nil {
		return &dns.Conn{Conn: c, UDPSize: udpSize}, err
	}
	secure := tls.Client(c, s.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, errors.Join(errUntrusted, err)
	}
	return &dns.Conn{Conn: secure}, nil
}

// read waits for the answer to m. Over UDP what is not the answer is passed
// over, since anybody can send it; over TCP it ends the exchange.
func read(c *dns.Conn, m *dns.Msg, exact bool) ([]byte, *dns.Msg, error) {
	_, datagrams := c.Conn.(net.PacketConn)
	var bad error
	for range maxJunk {
		wire, err := c.ReadMsgHeader(nil)
		short := errors.Is(err, dns.ErrShortRead)
		if err != nil && !short {
			if what, _ := kindOf(err); what == "timeout" && bad != nil {
				return nil, nil, bad
			}
			return nil, nil, err
		}
		reply, err := parseReply(wire, m, exact)
		if err == nil {
			return wire, reply, nil
		}
		if bad = err; !datagrams {
			break
		}
	}
	return nil, nil, bad
}

// policy returns the extended error by which a resolver says that it does not
// tell what the DNS has, but what somebody wants to be seen (RFC 8914 sections 4.5
// and 4.16 to 4.19).
func policy(m *dns.Msg) (why string) {
	for _, e := range extended(m) {
		switch e.InfoCode {
		case dns.ExtendedErrorCodeForgedAnswer, dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeCensored,
			dns.ExtendedErrorCodeFiltered, dns.ExtendedErrorCodeProhibited:
			return explained(e)
		}
	}
	return ""
}

// extended returns the extended errors of a message (RFC 8914).
func extended(m *dns.Msg) (list []*dns.EDNS0_EDE) {
	opt := m.IsEdns0()
	if opt == nil {
		return nil
	}
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_EDE); ok {
			list = append(list, e)
		}
	}
	return list
}

func explained(e *dns.EDNS0_EDE) string {
	return strings.TrimSpace(dns.ExtendedErrorCodeToString[e.InfoCode] + " " + Quote(e.ExtraText))
}

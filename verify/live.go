package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
	"github.com/miekg/dns"
	"golang.org/x/net/http/httpguts"
)

// LiveConfig is what a [Live] needs. The zero value is for the Internet, with
// the system's resolvers.
type LiveConfig struct {
	// UserAgent says who asks, with a URL or address for questions; "" names
	// Rollcall and no contact.
	UserAgent string
	// Resolvers are recursive resolvers as "192.0.2.1", "192.0.2.1:5353" or, over
	// TLS, "tls://192.0.2.1#dns.example.org", tried from a random one on; nil: those
	// of /etc/resolv.conf. They are the operator's choice and may have any address.
	// With two or more, what speaks against a team is held against what another of
	// them says ([Corroborated]).
	Resolvers []string
	// Allow opens ranges that are refused otherwise, such as a lab on loopback.
	Allow []netip.Prefix
	// Deny closes ranges beside all that are no public addresses; it wins over Allow.
	Deny []netip.Prefix
	// NAT64 allows 64:ff9b::/96 (RFC 6052) where the address in it is allowed.
	NAT64 bool
	// Roots are the authorities that count; nil: the system's.
	Roots *x509.CertPool
	// Map says where to dial instead of an allowed address; nil: there. It is
	// for a lab that can't listen on ports 53 and 443.
	Map func(netip.AddrPort) netip.AddrPort
	// Proxy is an HTTP proxy, http or https, that fetches go through by CONNECT to
	// the address that was found, with its user and password if it has them; nil:
	// none. The environment is never asked.
	Proxy *url.URL
	// Limiter keeps to paces; nil: no politeness, for a few questions by hand.
	Limiter *Limiter
	// Blocked is asked before each question; an error keeps it from being put.
	Blocked func(context.Context) error
	// Cache is how many octets of bodies with an ETag are remembered, for their
	// servers to say that nothing changed; 0: none, and nothing by [Request.Fresh].
	Cache int64
	// Helo is the name that is told to mail servers; "" is the address that the
	// connection comes from. Where that is no public one and theirs is, a visit ends
	// with trouble of our own.
	Helo string
	// Now is the clock for what is kept; nil: the system's.
	Now func() time.Time
	// Limits of time; zero fields have the defaults.
	Connect time.Duration // for a connection, and for a handshake; 5 s
	Header  time.Duration // from the request to the end of the header; 5 s
	Total   time.Duration // for a fetch with all its hops; 15 s
	UDP     time.Duration // for an answer over UDP; 2 s
	TCP     time.Duration // for an answer over TCP; 4 s
	Query   time.Duration // for a question with all its tries; 10 s
}

// Live is the [Network] that asks the world. It is safe for concurrent use.
type Live struct {
	cfg       LiveConfig
	resolvers []server
	guard     *ssrf.Guardian
	secrets   []netip.Addr // see deniedAlways
	own       net.Dialer   // for the resolvers, which are the operator's choice
	seen      *responses
	recent    recent
}

// deniedAlways are where clouds tell a machine its secrets. The first is public
// by its range; the others stay closed when Allow opens the range around them.
func deniedAlways() []netip.Addr {
	var list []netip.Addr
	for _, s := range []string{"168.63.129.16", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"} {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

// NewLive returns a Live on cfg.
func NewLive(cfg LiveConfig) (*Live, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l := &Live{cfg: cfg.complete(), guard: ssrf.New(ssrf.WithAnyPort()), secrets: deniedAlways(), seen: newResponses(cfg.Cache)}
	l.own = net.Dialer{Timeout: l.cfg.Connect, KeepAlive: -1}
	list := cfg.Resolvers
	if len(list) == 0 {
		system, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			return nil, fmt.Errorf("verify: no resolvers configured, and the system has none: %w", err)
		}
		list = system.Servers
	}
	for _, s := range list {
		r, err := l.cfg.parseResolver(s)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(l.resolvers, func(o server) bool { return o.String() == r.String() }) {
			l.resolvers = append(l.resolvers, r)
		}
	}
	if len(l.resolvers) == 0 {
		return nil, errors.New("verify: no resolvers")
	}
	return l, nil
}

// check finds what would make every peer look broken.
func (c LiveConfig) check() error {
	if !httpguts.ValidHeaderFieldValue(c.UserAgent) {
		return fmt.Errorf("verify: user agent %q can't stand in a header", c.UserAgent)
	}
	if strings.ContainsFunc(c.Helo, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("verify: %q is no name that can be told to mail servers", c.Helo)
	}
	return checkProxy(c.Proxy)
}

func (c LiveConfig) complete() LiveConfig {
	if c.UserAgent == "" {
		c.UserAgent = "Rollcall (checks published contacts of incident response teams)"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.Connect, 5 * time.Second}, {&c.Header, 5 * time.Second}, {&c.Total, 15 * time.Second},
		{&c.UDP, 2 * time.Second}, {&c.TCP, 4 * time.Second}, {&c.Query, 10 * time.Second}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return c
}

// allowed reports whether questions may go to an address (RFC 6890 and the
// operator's lists).
func (l *Live) allowed(a netip.Addr) bool { return l.public(a) && !l.forbids(a) }

// public is allowed without what the operator forbids. A hole in what Allow opens
// is as special as ever: that it is forbidden would tell strangers that it is there.
func (l *Live) public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is4In6() || slices.Contains(l.secrets, a) {
		return false
	}
	for _, p := range l.cfg.Allow {
		if p.Contains(a) && !l.forbids(a) {
			return true
		}
	}
	if b := l.inside(a); b != a {
		return l.public(b)
	}
	return l.guard.SafeAddr(a) == nil
}

// forbids reports whether the operator keeps an address from being asked. That
// says nothing of whoever has it.
func (l *Live) forbids(a netip.Addr) bool {
	return slices.ContainsFunc(l.cfg.Deny, func(p netip.Prefix) bool { return p.Contains(a) || p.Contains(l.inside(a)) })
}

// forbidden is the failure of that. It passes when the configuration does.
func forbidden(host string) *Failure {
	return &Failure{Code: FetchDenied, Detail: host + " has an address in verify_deny", Temporary: true}
}

// inside is the address that one of NAT64 stands for, where those are allowed;
// others stand for themselves.
func (l *Live) inside(a netip.Addr) netip.Addr {
	if l.cfg.NAT64 && netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// errRefused is why a dial did not happen. It says nothing of what lies there.
var errRefused = errors.New("verify: an address that is not dialled")

// control stands where the kernel is about to connect: whatever happened
// before, this is the address that counts.
func (l *Live) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !l.allowed(at.Addr()) {
		return errRefused
	}
	return nil
}

// dial connects to an allowed address, or where the lab's map says instead.
func (l *Live) dial(ctx context.Context, network string, at netip.AddrPort) (net.Conn, error) {
	if !l.allowed(at.Addr()) {
		return nil, errRefused
	}
	if l.cfg.Map != nil {
		at = l.cfg.Map(at)
	}
	d := net.Dialer{Timeout: l.cfg.Connect, Control: l.control, KeepAlive: -1}
	return d.DialContext(ctx, network, at.String())
}

// ready asks whether a question may be put at all.
func (l *Live) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &Trouble{Code: CodeCancelled, Ours: true, Err: context.Cause(ctx)}
	}
	if l.cfg.Blocked == nil {
		return nil
	}
	err := l.cfg.Blocked(ctx)
	var t *Trouble
	if err == nil || errors.As(err, &t) {
		return err
	}
	return &Trouble{Code: CodePaused, Ours: true, Err: err}
}

// CodePaused is trouble: somebody has stopped all questions.
const CodePaused Code = "check.paused"

// turn waits for a turn with a peer.
func (l *Live) turn(ctx context.Context, kind LimitKind, key string) (func(), error) {
	if l.cfg.Limiter == nil {
		return func() {}, nil
	}
	return l.cfg.Limiter.Wait(ctx, kind, key)
}

// kindOf sorts errors of the network. ours means that this machine is out of
// something, which says nothing of the peer.
func kindOf(err error) (what string, ours bool) {
	var timeout interface{ Timeout() bool }
	var number syscall.Errno
	switch {
	case errors.Is(err, errRefused):
		return "address", false
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.ENETDOWN),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "here", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused", false
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "reset", false
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout", false
	case errors.As(err, &number), errors.Is(err, errBadGateway):
		// EHOSTUNREACH and ENETUNREACH, and what the kernel makes of the rarer kinds of ICMP
		// (RFC 1122 section 3.2.2.1), such as EHOSTDOWN, ENONET and EPROTO: never an answer.
		return "unreachable", false
	}
	return "", false
}

// kindAt is kindOf, and asks this machine's routing table about what can't be
// reached: "no-route" is an address of a kind that it has no way to, as to IPv6
// where there is only IPv4. Without a way to anywhere, it is cut off itself.
// EACCES is of a rule of this machine's in IPv4; in IPv6 it is also what Linux
// makes of somebody else's (RFC 4443 section 3.1, codes 1, 5 and 6).
func kindAt(err error, at netip.AddrPort) (what string, ours bool) {
	what, ours = kindOf(err)
	forbidden := at.Addr().Is6() && errors.Is(err, syscall.EACCES)
	ask := forbidden || errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
	switch {
	case !ask:
		return what, ours
	case routed(at) && forbidden:
		return "unreachable", false
	case routed(at):
		return what, ours
	case routed(netip.MustParseAddrPort("192.0.2.1:9")), routed(netip.MustParseAddrPort("[2001:db8::1]:9")):
		return "no-route", false
	}
	return "here", true
}

// routed reports whether this machine has a route to an address. Connecting a
// socket for datagrams asks for one and sends nothing.
func routed(at netip.AddrPort) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

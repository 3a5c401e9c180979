package lab

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Config says how a lab is started. The zero value is a whole lab on free ports
// that lives in the present.
type Config struct {
	// Now is the clock of certificates, signatures and dates in files; nil is
	// time.Now. Everything is made when the lab starts, relative to that moment.
	Now func() time.Time
	// The ports are the same on each address of the lab; 0 is any free one.
	// DNS takes UDP and TCP.
	HTTPSPort, HTTPPort, DNSPort uint16
	// Sites and Zones come in addition to the lab's own. A host of Sites needs
	// no zone: it gets one, with its addresses in it.
	Sites []Site
	Zones []Zone
	// Bare leaves out the lab's own teams and hostile sites.
	Bare bool
}

// Lab is a running small Internet. Its methods are safe for concurrent use.
type Lab struct {
	start time.Time
	cfg   Config
	ports ports
	ca    *authority
	plan  addressPlan
	teams []Team

	sites   map[netip.Addr]*endpoint // by the address that DNS gives
	servers map[netip.Addr]*nameServer
	zones   []*zone

	sockets map[netip.AddrPort]*endpoint // by the socket's own address
	stray   netip.AddrPort
	strays  atomic.Int64

	stop    context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	closers []func() error
	serve   []func() // what runs once all is built
}

// Start starts a lab. The caller closes it.
func Start(cfg Config) (*Lab, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for tries := 1; ; tries++ {
		l := &Lab{
			start: cfg.Now().UTC().Truncate(time.Second), cfg: cfg,
			sites: map[netip.Addr]*endpoint{}, servers: map[netip.Addr]*nameServer{},
			sockets: map[netip.AddrPort]*endpoint{},
		}
		l.ctx, l.stop = context.WithCancel(context.Background())
		err := l.build()
		if err == nil {
			return l, nil
		}
		// A port that was free at one address may be taken at another.
		if err = errors.Join(fmt.Errorf("lab: %w", err), l.Close()); tries == 5 || !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
	}
}

// build makes everything and lets it listen.
func (l *Lab) build() (err error) {
	if l.ca, err = newAuthority(l.start); err != nil {
		return err
	}
	sites := slices.Clone(l.cfg.Sites)
	if !l.cfg.Bare {
		if l.teams, err = makeTeams(l.start); err != nil {
			return err
		}
		for i := range l.teams {
			sites = append(sites, l.teams[i].sites...)
		}
		sites = append(append(sites, serviceSites(l.teams)...), Site{Host: "elsewhere.example", Pages: anywhere(Page{Body: harmless})})
		sites = append(sites, hostileSites()...)
	}
	if err := l.listen(sites); err != nil {
		return err
	}
	if err := l.delegate(); err != nil {
		return err
	}
	for _, f := range l.serve {
		l.wg.Go(f)
	}
	return nil
}

// Close stops everything and waits for it.
func (l *Lab) Close() error {
	l.stop()
	var errs []error
	for _, c := range slices.Backward(l.closers) {
		if err := c(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	l.closers = nil
	l.wg.Wait()
	return errors.Join(errs...)
}

// Now is the lab's clock.
func (l *Lab) Now() time.Time { return l.cfg.Now() }

// Roots holds the lab's root certificate and nothing else.
func (l *Lab) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(l.ca.root.cert)
	return pool
}

// RootPEM is the lab's root certificate, for tools that want a file.
func (l *Lab) RootPEM() []byte { return l.ca.root.pem() }

// Resolver is the address and port of the recursive resolver.
func (l *Lab) Resolver() string { return l.ResolverAddr().String() }

// ResolverAddr is [Lab.Resolver] in parsed form.
func (l *Lab) ResolverAddr() netip.AddrPort { return netip.AddrPortFrom(resolverAddr, l.ports.dns) }

// SecondResolver is a second one, for those that compare two.
func (l *Lab) SecondResolver() string { return netip.AddrPortFrom(resolverAddr2, l.ports.dns).String() }

// Allow are the prefixes that a client must open to reach the lab: of the
// addresses that DNS gives, and of those that DialMap makes of them. Other
// loopback addresses stay closed: a redirect to 127.0.0.1 is one to refuse.
func (l *Lab) Allow() []netip.Prefix { return []netip.Prefix{prefix4, prefix6} }

// DialMap returns the socket to dial for an address and port as the lab's names
// give it: 127.80.1.7:443 is 127.80.1.7:34567, and [2001:db8:80::7]:443 is
// 127.80.129.7:34567. What is not the lab's maps to a socket that counts the
// connection and closes it.
//
// It belongs after all checks of the address.
func (l *Lab) DialMap(a netip.AddrPort) netip.AddrPort {
	if !prefix4.Contains(a.Addr()) && l.sites[a.Addr()] == nil {
		return l.stray
	}
	switch port := a.Port(); port {
	case 443:
		return netip.AddrPortFrom(socket(a.Addr()), l.ports.https)
	case 80:
		return netip.AddrPortFrom(socket(a.Addr()), l.ports.http)
	case 53:
		return netip.AddrPortFrom(socket(a.Addr()), l.ports.dns)
	default:
		return netip.AddrPortFrom(socket(a.Addr()), port)
	}
}

// Socket is where a site's host listens for https, by IPv4: for tools that are
// told where to connect to.
func (l *Lab) Socket(host string) netip.AddrPort {
	return l.DialMap(netip.AddrPortFrom(l.Addr(host), 443))
}

// DialContext dials what DialMap says, for net/http and other plain clients.
// The address must be an IP address and a port.
func (l *Lab) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, network[:3], l.DialMap(a).String())
}

// Strays is how many connections came to the socket for addresses that are not
// the lab's. It stays 0 with a client that refuses what it must.
func (l *Lab) Strays() int64 { return l.strays.Load() }

// Visits is what a host saw: connections, requests, and octets of bodies and
// raw answers that were sent.
type Visits struct {
	Connections, Requests, Sent int64
}

// Visits returns what a host saw over both families so far.
func (l *Lab) Visits(host string) Visits {
	var v Visits
	for _, e := range l.sites {
		if e.site.Host == host {
			v.Connections += e.connections.Load()
			v.Requests += e.requests.Load()
			v.Sent += e.sent.Load()
		}
	}
	return v
}

// Teams are the lab's invented teams, in the order of their handles.
func (l *Lab) Teams() []Team { return slices.Clone(l.teams) }

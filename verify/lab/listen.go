package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
)

// Where the lab lives. RFC 6890 gives all of 127.0.0.0/8 to the host itself, and
// Linux lets anybody bind there. IPv6 has one loopback address only, and some
// machines have no IPv6: its addresses are from the block for documentation
// (RFC 3849) and exist in DNS alone. [Lab.DialMap] leads each to an address of
// IPv4 that no name has.
var (
	prefix4       = netip.MustParsePrefix("127.80.0.0/16")
	prefix6       = netip.MustParsePrefix("2001:db8:80::/48")
	resolverAddr  = netip.MustParseAddr("127.80.0.53")
	resolverAddr2 = netip.MustParseAddr("127.80.0.54")
	strayAddr     = netip.MustParseAddr("127.80.255.254")
)

// ports are those that all addresses of the lab share.
type ports struct{ https, http, dns uint16 }

// socket is the address that is bound for an address of the lab: for one of
// IPv6 its twin in 127.80.128.0/17.
func socket(addr netip.Addr) netip.Addr {
	if addr.Is4() {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte{127, 80, 128 + b[14], b[15]})
}

// addressPlan hands out addresses in the order of asking, so that a host has
// the same ones in every lab.
type addressPlan struct{ n uint16 }

func (p *addressPlan) next() (v4, v6 netip.Addr) {
	p.n++
	hi, lo := 1+byte(p.n>>8), byte(p.n)
	a := prefix6.Addr().As16()
	a[14], a[15] = hi, lo
	return netip.AddrFrom4([4]byte{127, 80, hi, lo}), netip.AddrFrom16(a)
}

// endpoint is one site at one address.
type endpoint struct {
	site *Site
	addr netip.Addr // as DNS gives it

	connections, requests, sent atomic.Int64
}

// listen gives every site its addresses and lets it listen there.
func (l *Lab) listen(sites []Site) error {
	if err := l.choosePorts(); err != nil {
		return err
	}
	if err := l.listenStray(); err != nil {
		return err
	}
	secure, plain := l.newServer(), l.newServer()
	l.closers = append(l.closers, secure.Close, plain.Close)
	for i := range sites {
		if err := l.listenSite(&sites[i], secure, plain); err != nil {
			return fmt.Errorf("site %s: %w", sites[i].Host, err)
		}
	}
	return nil
}

// choosePorts finds ports that are free. They are tried on the address of the
// stray socket, which nothing else of ours binds on that port.
func (l *Lab) choosePorts() error {
	l.ports = ports{https: l.cfg.HTTPSPort, http: l.cfg.HTTPPort, dns: l.cfg.DNSPort}
	for _, p := range []*uint16{&l.ports.https, &l.ports.http, &l.ports.dns} {
		if *p != 0 {
			continue
		}
		// Held until all are chosen, so that no two are the same.
		ln, err := net.Listen("tcp4", netip.AddrPortFrom(strayAddr, 0).String())
		if err != nil {
			return err
		}
		defer ln.Close()
		*p = addrPort(ln.Addr()).Port()
	}
	return nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// listenStray opens the socket for whatever is not the lab's.
func (l *Lab) listenStray() error {
	ln, err := net.Listen("tcp4", netip.AddrPortFrom(strayAddr, 0).String())
	if err != nil {
		return err
	}
	l.stray = addrPort(ln.Addr())
	l.closers = append(l.closers, ln.Close)
	l.serve = append(l.serve, func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			l.strays.Add(1)
			_ = c.Close()
		}
	})
	return nil
}

func (l *Lab) newServer() *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(l.serveHTTP), ReadHeaderTimeout: faultTime, IdleTimeout: faultTime,
		ErrorLog:    log.New(io.Discard, "", 0), // most clients here go away in anger
		BaseContext: func(net.Listener) context.Context { return l.ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, endpointKey{}, l.sockets[addrPort(c.LocalAddr())])
		},
	}
}

type endpointKey struct{}

// listenSite lets a site listen over the families it has.
func (l *Lab) listenSite(s *Site, secure, plain *http.Server) error {
	v4, v6 := l.plan.next()
	conf, err := l.ca.config(s, l.start)
	if err != nil {
		return err
	}
	for _, addr := range []netip.Addr{v4, v6} {
		if addr.Is4() && s.NoIPv4 || addr.Is6() && s.NoIPv6 {
			continue
		}
		e := &endpoint{site: s, addr: addr}
		l.sites[addr] = e
		if s.Refuse {
			continue
		}
		if err := l.open(e, conf, l.ports.https, secure); err != nil {
			return err
		}
		if s.Plain == nil {
			continue
		}
		if err := l.open(e, nil, l.ports.http, plain); err != nil {
			return err
		}
	}
	return nil
}

// open binds the socket behind one port of an endpoint.
func (l *Lab) open(e *endpoint, conf *tls.Config, bound uint16, srv *http.Server) error {
	ln, err := net.Listen("tcp4", netip.AddrPortFrom(socket(e.addr), bound).String())
	if err != nil {
		return err
	}
	l.sockets[addrPort(ln.Addr())] = e
	l.closers = append(l.closers, ln.Close)
	l.serve = append(l.serve, func() { _ = srv.Serve(&gate{Listener: ln, lab: l, e: e, tls: conf}) })
	return nil
}

// gate counts who comes, and hands connections to the site's own mischief
// before anything of TLS is spoken.
type gate struct {
	net.Listener
	lab *Lab
	e   *endpoint
	tls *tls.Config
}

// Accept returns the next connection that is to be served in the ordinary way.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.e.connections.Add(1)
		switch {
		case g.e.site.Conn != nil:
			g.lab.misbehave(g.e, c, g.e.site.Conn)
		case g.tls != nil:
			return tls.Server(c, g.tls), nil
		default:
			return c, nil
		}
	}
}

// misbehave runs a fault on a connection until it ends, its time is over, or
// the lab closes.
func (l *Lab) misbehave(e *endpoint, c net.Conn, f Fault) {
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(l.ctx, faultTime)
		defer cancel()
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		defer stop()
		f(ctx, &counted{Conn: c, e: e})
	})
}

// counted counts what is written, and refuses to write more than a fault may.
type counted struct {
	net.Conn
	e    *endpoint
	sent int64
}

// errFaultSize ends a fault that nobody stopped.
var errFaultSize = errors.New("lab: the fault has sent all that it may")

// Write writes to the connection.
func (c *counted) Write(b []byte) (int, error) {
	if c.sent > faultSize {
		return 0, errFaultSize
	}
	n, err := c.Conn.Write(b)
	c.sent += int64(n)
	c.e.sent.Add(int64(n))
	return n, err
}

package api

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// holds reports whether an address lies in one of the networks.
func holds(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// network is what one client is told by: the address, or the /64 of IPv6,
// within which one may have as many addresses as one likes (RFC 7934).
func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64) // 64 is never too many
		return p.Addr()
	}
	return a
}

// client returns the address that a request comes from: that of the
// connection, or what trusted proxies say. Each proxy adds the address that it
// was asked from at the end, so that the list is read from there, for as long
// as those who wrote it are trusted; what stands before is the client's word.
func (l *limiter) client(r *http.Request) netip.Addr { return l.cfg.Client(r) }

// Client returns the address that a request comes from, as trusted proxies say it.
func (l *Limits) Client(r *http.Request) netip.Addr {
	peer := peerOf(r)
	if len(l.Proxies) == 0 || !holds(l.Proxies, peer) {
		return peer
	}
	hops := forwardedFor(r.Header.Values("X-Forwarded-For"))
	if strings.EqualFold(l.ProxyHeader, "Forwarded") {
		hops = forwarded(r.Header.Values("Forwarded"))
	}
	for _, hop := range slices.Backward(hops) {
		a, ok := hopAddr(hop)
		if !ok {
			break // "unknown", a hidden name, or nonsense: the last who is known answers for it
		}
		peer = a
		if !holds(l.Proxies, a) {
			break
		}
	}
	return peer
}

// peerOf is the address of the connection.
func peerOf(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified() // such as a unix socket: all of them are one client
	}
	return p.Addr().Unmap()
}

func forwardedFor(values []string) []string {
	return strings.Split(strings.Join(values, ","), ",")
}

// forwarded reads the for= of every element (RFC 7239 section 4). An element
// without one is a hop that tells nothing.
func forwarded(values []string) []string {
	var hops []string
	for _, element := range splitQuoted(strings.Join(values, ","), ',') {
		hop := ""
		for _, pair := range splitQuoted(element, ';') {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "for") {
				hop = strings.Trim(value, `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitQuoted splits at a separator that stands outside of quotes.
func splitQuoted(s string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// hopAddr reads 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1] and
// [2001:db8::1]:4711.
func hopAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap(), err == nil && a.Zone() == ""
}

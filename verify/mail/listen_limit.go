package mail

import (
	"net/netip"
	"sync"
	"time"
)

// peers counts what each client has open, and how many mails it may still bring. What
// is kept of a client is the moment at which its bucket would be full (GCRA), in two
// generations of bounded size: to forget can only forgive.
type peers struct {
	conns int           // at once; 0: no limit
	every time.Duration // one mail; 0: no limit

	mu       sync.Mutex
	open     map[netip.Prefix]int // no more than there are connections
	now, old map[netip.Prefix]time.Time
}

// maxPeers is how many clients a generation remembers.
const maxPeers = 20_000

func newPeers(conns, perMinute int) *peers {
	p := &peers{conns: conns, open: map[netip.Prefix]int{}, now: map[netip.Prefix]time.Time{}}
	if perMinute > 0 {
		p.every = time.Minute / time.Duration(perMinute)
	}
	return p
}

// enter takes a connection in, if the client may have one more. Each that was taken in leaves once.
func (p *peers) enter(client netip.Addr) bool {
	key := network(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns > 0 && p.open[key] >= p.conns {
		return false
	}
	p.open[key]++
	return true
}

func (p *peers) leave(client netip.Addr) {
	key := network(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[key]--; p.open[key] <= 0 {
		delete(p.open, key)
	}
}

// mail reports whether a client may bring one more mail, of a minute's worth at once.
func (p *peers) mail(client netip.Addr, at time.Time) bool {
	if p.every == 0 {
		return true
	}
	key := network(client)
	p.mu.Lock()
	defer p.mu.Unlock()
	full, ok := p.now[key]
	if !ok {
		full = p.old[key]
	}
	if full.Before(at) {
		full = at
	}
	if full = full.Add(p.every); full.Sub(at) > time.Minute {
		return false
	}
	if len(p.now) >= maxPeers {
		p.now, p.old = map[netip.Prefix]time.Time{}, p.now
	}
	p.now[key] = full
	return true
}

// network is what one client can have for free: an IPv4 address, or an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero prefix for no address: all of those are one client
	return p
}

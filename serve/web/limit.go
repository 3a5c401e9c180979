package web

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// limiter is how often each client may come, or each link be answered. What is kept of
// one is the moment at which its bucket would be full (GCRA), in two generations of
// bounded size: to forget can only forgive.
type limiter[K comparable] struct {
	mu       sync.Mutex
	every    time.Duration // one unit
	burst    time.Duration // units that may be used at once
	now, old map[K]time.Time
}

// maxClients is how many clients a generation remembers.
const maxClients = 20_000

func newLimiter[K comparable](perMinute int) *limiter[K] {
	every := time.Minute / time.Duration(perMinute)
	return &limiter[K]{every: every, burst: time.Minute, now: map[K]time.Time{}}
}

// take uses one unit of a key, or returns how long to wait for one.
func (l *limiter[K]) take(key K, at time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, ok := l.now[key]
	if !ok {
		full = l.old[key]
	}
	if full.Before(at) {
		full = at
	}
	if full = full.Add(l.every); full.Sub(at) > l.burst {
		return full.Sub(at) - l.burst
	}
	if len(l.now) >= maxClients {
		l.now, l.old = map[K]time.Time{}, l.now
	}
	l.now[key] = full
	return 0
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

// longestToken is more than any token has.
const longestToken = 64

// tokenKey is one link, however its token is written; what can't be a token is all one.
func tokenKey(token string) string {
	if len(token) > longestToken {
		return ""
	}
	return strings.ToUpper(token)
}

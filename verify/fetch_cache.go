package verify

import (
	"container/list"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Limits of what a [Live] remembers to ask whether it changed.
const (
	maxCachedBody = 512 << 10
	// maxCachedAge is how long a server's word that nothing changed is taken
	// before the whole is fetched again.
	maxCachedAge = 7 * 24 * time.Hour
	maxETag      = 256
)

// cacheKey is one representation: what one address says is not taken for what
// another one of the same host would.
type cacheKey struct {
	url, accept string
	addr        netip.Addr
}

// cached is a success with the validator by which its server knows it again.
type cached struct {
	key    cacheKey
	etag   string // as sent, with its quotes
	header http.Header
	body   []byte
	at     time.Time
}

// responses are the successes that were seen last, as many as fit. It is safe
// for concurrent use; a nil one keeps nothing.
type responses struct {
	most int64 // octets

	mu    sync.Mutex
	size  int64
	known map[cacheKey]*list.Element // of *cached
	order list.List                  // the one used last is in front
}

func newResponses(most int64) *responses {
	if most <= 0 {
		return nil
	}
	return &responses{most: most, known: map[cacheKey]*list.Element{}}
}

// get returns what is known of a representation, nil when there is nothing
// that is young enough and fits the limit.
func (r *responses) get(k cacheKey, limit int64, now time.Time) *cached {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.known[k]
	if !ok {
		return nil
	}
	c := e.Value.(*cached)
	if age := now.Sub(c.at); age < 0 || age > maxCachedAge || int64(len(c.body)) > limit {
		return nil
	}
	r.order.MoveToFront(e)
	return c
}

// put keeps a success that has a validator.
func (r *responses) put(c *cached) {
	if r == nil || !validator(c.etag) || len(c.body) > maxCachedBody || noStore(c.header) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(r.known[c.key])
	r.known[c.key] = r.order.PushFront(c)
	for r.size += c.cost(); r.size > r.most; {
		r.drop(r.order.Back())
	}
}

func (r *responses) drop(e *list.Element) {
	if e == nil {
		return
	}
	c := r.order.Remove(e).(*cached)
	delete(r.known, c.key)
	r.size -= c.cost()
}

// cost is about how much memory it takes: headers are limited before they get here.
func (c *cached) cost() int64 {
	n := len(c.body) + len(c.key.url) + 512
	for name, values := range c.header {
		n += len(name) + len(strings.Join(values, ""))
	}
	return int64(n)
}

// validator reports whether s is an entity-tag (RFC 9110 section 8.8.3) that may
// be sent back.
func validator(s string) bool {
	opaque := strings.TrimPrefix(s, "W/")
	if len(s) > maxETag || len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return false
	}
	return !strings.ContainsFunc(opaque[1:len(opaque)-1], func(r rune) bool { return r < 0x21 || r == '"' || r == 0x7f })
}

// noStore reports whether the response forbids to be kept (RFC 9111 section 5.2.2.5).
func noStore(h http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), "no-store")
}

// confirmed is the header of a response that a 304 confirmed: fields of the
// latter replace those of the former (RFC 9111 section 4.3.4), but for what
// describes the body, which did not come.
func (c *cached) confirmed(by http.Header) http.Header {
	h := maps.Clone(c.header)
	for name, values := range by {
		switch name {
		case "Content-Length", "Content-Encoding", "Content-Type", "Transfer-Encoding", "Content-Range":
		default:
			h[name] = values
		}
	}
	return h
}

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Limits say how much a client may ask for. The zero value limits nobody.
type Limits struct {
	Anonymous Rate // for each address, or /64 of IPv6, without a token
	Token     Rate // for each token
	Failed    Rate // failed authentications, for each address
	// Exempt are the networks that are never limited. A connection from one of
	// them that a trusted proxy made counts as that of the client behind.
	Exempt []netip.Prefix
	// Proxies are the networks whose word about the client's address is taken.
	Proxies []netip.Prefix
	// ProxyHeader is where they say it: "X-Forwarded-For", which is also the
	// meaning of "", or "Forwarded" (RFC 7239). Only one is read: proxies pass
	// on the other one as the client sent it.
	ProxyHeader string
	Clients     int // how many clients are told apart at once, at least; 0 is 100,000
}

// rateClass is how dear an operation is.
type rateClass string

// The classes. Their costs are in units of one lookup.
const (
	rateFree   rateClass = "free"   // never limited: what machines watch the server by
	rateLookup rateClass = "lookup" // answered from memory
	rateRead   rateClass = "read"   // one thing
	rateList   rateClass = "list"   // lists, pages and searches
	rateWrite  rateClass = "write"  // changes
	rateBulk   rateClass = "bulk"   // batches, snapshots, exports, imports
)

func (c rateClass) cost() int {
	switch c {
	case rateFree:
		return 0
	case rateLookup, rateRead:
		return 1
	case rateList, rateWrite:
		return 5
	}
	return 50
}

// rateOf is the class of an operation: the one that its spec names, or what
// its shape says.
func (sp *spec) rateOf() rateClass {
	switch {
	case sp.rate != "":
		return sp.rate
	case sp.method != http.MethodGet:
		return rateWrite
	case strings.HasSuffix(sp.path, "}"):
		return rateRead
	}
	return rateList
}

// limiter holds the buckets of all clients.
type limiter struct {
	cfg       Limits
	anonymous *buckets[netip.Addr]
	token     *buckets[string]
	failed    *buckets[netip.Addr]
	loopback  bool // 127.0.0.0/8 is exempt, and no proxy could speak for somebody else
	hinted    atomic.Bool
}

func newLimiter(cfg Limits) *limiter {
	if cfg.Anonymous.off() && cfg.Token.off() && cfg.Failed.off() {
		return nil
	}
	if cfg.Clients <= 0 {
		cfg.Clients = 100_000
	}
	if cfg.ProxyHeader == "" {
		cfg.ProxyHeader = "X-Forwarded-For"
	}
	home := netip.MustParsePrefix("127.0.0.0/8")
	l := &limiter{
		cfg: cfg, loopback: len(cfg.Proxies) == 0 && holds(cfg.Exempt, home.Addr()) && holds(cfg.Exempt, netip.MustParseAddr("127.255.255.255")),
		anonymous: newBuckets[netip.Addr](cfg.Anonymous, 2*cfg.Clients),
		token:     newBuckets[string](cfg.Token, 2*cfg.Clients),
		failed:    newBuckets[netip.Addr](cfg.Failed, 2*cfg.Clients),
	}
	return l
}

// limited puts the limit of its class before an operation. It takes nothing
// where nothing is limited, and one comparison where this machine asks.
func (s *Server) limited(op *huma.Operation, next endpoint) endpoint {
	class, ok := op.Metadata["rate"].(rateClass)
	if !ok {
		class = rateRead
	}
	l := s.limits
	if l == nil || class == rateFree {
		return next
	}
	refused := s.metrics.limited(class)
	return func(w http.ResponseWriter, r *http.Request, c *call) int {
		if class != rateLookup {
			l.hint(r.Context(), s, r)
		}
		if l.loopback && strings.HasPrefix(r.RemoteAddr, "127.") {
			return next(w, r, c)
		}
		v, rate, who := l.ask(r, c.viewer, class.cost(), s.cfg.Now())
		if who == "" {
			return next(w, r, c)
		}
		l.tell(w.Header(), v, rate, who)
		if v.ok {
			return next(w, r, c)
		}
		refused[who].Inc()
		return s.refuse(w, r, c, tooMany("request.too-many", v, fmt.Sprintf("more than %d a minute and %d at once, in units of one lookup", rate.PerMinute, rate.burst())))
	}
}

// The two ways in which clients are told apart.
const (
	byAddress = "address"
	byToken   = "token"
)

// ask takes the cost of a request from the bucket of whoever asks. who is ""
// where nothing is limited.
func (l *limiter) ask(r *http.Request, viewer directory.Principal, cost int, now time.Time) (v verdict, rate Rate, who string) {
	client := l.client(r)
	switch {
	case holds(l.cfg.Exempt, client):
		return v, rate, ""
	case viewer.SignedIn() && !l.cfg.Token.off():
		return l.token.take(viewer.Name, cost, now), l.cfg.Token, byToken
	case !viewer.SignedIn() && !l.cfg.Anonymous.off():
		return l.anonymous.take(network(client), cost, now), l.cfg.Anonymous, byAddress
	}
	return v, rate, ""
}

// tell sets the headers. RateLimit and RateLimit-Policy are those of
// draft-ietf-httpapi-ratelimit-headers-10, in which a bucket of n units that
// fills in w seconds is a quota of n in a window of w; the three others are
// what clients know from its early versions.
func (l *limiter) tell(h http.Header, v verdict, rate Rate, who string) {
	quota, left, reset := strconv.Itoa(rate.burst()), strconv.Itoa(v.remaining), strconv.Itoa(seconds(v.reset))
	h.Set("RateLimit-Limit", quota)
	h.Set("RateLimit-Remaining", left)
	h.Set("RateLimit-Reset", reset)
	h.Set("RateLimit-Policy", fmt.Sprintf("%q;q=%s;w=%d", who, quota, seconds(rate.window())))
	h.Set("RateLimit", fmt.Sprintf("%q;r=%s;t=%s", who, left, reset))
	if !v.ok {
		h.Set("Retry-After", strconv.Itoa(max(1, seconds(v.retry))))
	}
}

// seconds rounds up: whoever waits that long has waited long enough.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func tooMany(code directory.Code, v verdict, reason string) error {
	return edgeError(directory.TooMany, code, "", reason, fmt.Sprintf("the same again in %d s", max(1, seconds(v.retry))))
}

// signIn reads the credentials of a request. Failed attempts have a small
// bucket of their own, and with an empty one nothing is looked up any more.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, header []string) (directory.Principal, error) {
	l := s.limits
	if l == nil || l.cfg.Failed.off() {
		return s.authenticate(r.Context(), header)
	}
	client := l.client(r)
	if holds(l.cfg.Exempt, client) {
		return s.authenticate(r.Context(), header)
	}
	now := s.cfg.Now()
	left := l.failed.take(network(client), 0, now)
	if left.remaining > 0 {
		p, err := s.authenticate(r.Context(), header)
		if directory.KindOf(err) == directory.Unauthenticated {
			l.failed.take(network(client), 1, now)
		}
		return p, err
	}
	left.retry = max(l.cfg.Failed.unit()-(l.cfg.Failed.window()-left.reset), 1)
	w.Header().Set("Retry-After", strconv.Itoa(max(1, seconds(left.retry))))
	s.metrics.failedSignIns.Inc()
	return directory.Principal{}, inParameter("Authorization", tooMany("auth.too-many", left, "too many tokens from this address were refused"))
}

// hint tells the operator once of a proxy that is not configured: all of its
// clients count as one, and as none where its address is exempt.
func (l *limiter) hint(ctx context.Context, s *Server, r *http.Request) {
	if len(l.cfg.Proxies) > 0 || r.Header["X-Forwarded-For"] == nil && r.Header["Forwarded"] == nil || l.hinted.Swap(true) {
		return
	}
	s.cfg.Log.WarnContext(ctx, "requests come through a proxy that trusted_proxies does not name, so its clients are not told apart", "proxy", r.RemoteAddr)
}

// rateHeaders describes the headers for the document.
func rateHeaders() map[string]*huma.Header {
	text := func(about, example string) *huma.Header {
		return &huma.Header{Description: about, Schema: &huma.Schema{Type: huma.TypeString}, Example: example}
	}
	number := func(about string, example int) *huma.Header {
		return &huma.Header{Description: about, Schema: &huma.Schema{Type: huma.TypeInteger}, Example: example}
	}
	return map[string]*huma.Header{
		"Retry-After":         number("Seconds after which the same request would be let through", 2),
		"RateLimit":           text("Units left (r) and seconds until all are there again (t), by address or by token; absent where nothing is limited", `"address";r=295;t=1`),
		"RateLimit-Policy":    text("Units that the client has (q) in a window of so many seconds (w); x-rate-limit says what an operation costs", `"address";q=300;w=30`),
		"RateLimit-Limit":     number("Units that the client has", 300),
		"RateLimit-Remaining": number("Units left", 0),
		"RateLimit-Reset":     number("Seconds until all units are there again", 30),
	}
}

func headerRefs(names ...string) map[string]*huma.Header {
	refs := map[string]*huma.Header{}
	for _, n := range names {
		refs[n] = &huma.Header{Ref: "#/components/headers/" + n}
	}
	return refs
}

package verify

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Limits of one fetch; see also [Request].
const (
	maxURL         = 2048
	defaultBody    = 32 << 10 // what RFC 9116 section 5.4 lets us choose for security.txt
	maxHeader      = 32 << 10
	maxHopRedirect = 5
	maxDials       = 3 // addresses of one host that are tried
	maxRetryAfter  = 24 * time.Hour
)

// fetch is one fetch under way.
type fetch struct {
	l    *Live
	req  Request
	post *Post // nil: it fetches
	x    *Exchange
	seen map[string]bool // URLs that were asked
	left time.Duration   // of the time for all hops
}

// Fetch fetches one URL with all its redirects. Each hop is resolved, checked,
// dialled at the address that was checked, and proven by its certificate.
func (l *Live) Fetch(ctx context.Context, q Request) (*Exchange, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	if q.Fresh <= 0 || l.cfg.Cache <= 0 {
		return l.fetch(ctx, q)
	}
	return l.recent.fetch(ctx, q, l.cfg.Now(), func() (*Exchange, error) { return l.fetch(ctx, q) })
}

// fetch is Fetch without a memory of whole answers.
func (l *Live) fetch(ctx context.Context, q Request) (*Exchange, error) {
	f := &fetch{l: l, req: q, x: &Exchange{Request: q, At: l.cfg.Now()}, seen: map[string]bool{}, left: l.cfg.Total}
	if f.req.Limit <= 0 {
		f.req.Limit = defaultBody
	}
	if f.req.Redirects == 0 {
		f.req.Redirects = maxHopRedirect
	}
	err := f.follow(ctx)
	if err == nil && ctx.Err() != nil {
		err = &Trouble{Code: CodeCancelled, Detail: q.URL, Ours: true, Err: context.Cause(ctx)}
	}
	if err != nil {
		return nil, err
	}
	return f.x, nil
}

// follow goes from hop to hop until one answers, fails, or there were enough.
func (f *fetch) follow(ctx context.Context) error {
	next := f.req.URL
	for {
		u, failure := f.admit(next)
		if failure != nil {
			f.x.Failure = failure
			return nil
		}
		f.seen[u.String()] = true
		location, err := f.hop(ctx, u)
		if err != nil || f.x.Failure != nil || location == "" {
			return err
		}
		to, err := u.Parse(location)
		switch {
		case err != nil:
			f.x.Failure = &Failure{Code: FetchURL, Detail: "a redirect to " + Quote(location)}
			return nil
		case f.req.Redirects < 0 || len(f.x.Hops) > f.req.Redirects:
			f.x.Failure = &Failure{Code: FetchRedirects, Detail: fmt.Sprintf("after %d redirects, to %s", len(f.x.Hops)-1, Quote(to.String()))}
			return nil
		}
		to.Fragment = ""
		next = to.String()
	}
}

// admit decides whether a URL may be fetched at all, before anything is looked
// up.
func (f *fetch) admit(raw string) (*url.URL, *Failure) {
	refuse := func(why string) *Failure {
		return &Failure{Code: FetchURL, Detail: why + ": " + Quote(cutText(raw, 200))}
	}
	if len(raw) > maxURL {
		return nil, refuse("longer than 2,048 characters")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, refuse("no absolute URL")
	}
	switch {
	case u.Scheme == "http" && !f.req.Plain:
		if len(f.x.Hops) > 0 {
			return nil, &Failure{Code: FetchPlain, Detail: Quote(cutText(raw, 200))}
		}
		return nil, refuse("http, not https")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refuse("neither https nor http")
	case u.User != nil:
		return nil, refuse("a user name or password")
	case u.Port() != "" && u.Port() != strconv.Itoa(portOf(u)):
		return nil, refuse("another port than the default")
	}
	host, failure := hostName(u.Hostname())
	if failure != "" {
		if failure == literal {
			return nil, &Failure{Code: FetchAddress}
		}
		return nil, refuse(failure)
	}
	u.Host, u.Fragment = host, ""
	if f.seen[u.String()] {
		return nil, &Failure{Code: FetchLoop, Detail: Quote(cutText(raw, 200))}
	}
	return u, nil
}

func portOf(u *url.URL) int {
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// literal is why hostName refuses addresses in all the forms that some parser
// takes for one: sites have names, and names can be checked.
const literal = "an address instead of a name"

// hostName returns the A-label form of a host's name, or why it is none.
func hostName(host string) (name, why string) {
	host = strings.TrimSuffix(host, ".")
	if _, err := netip.ParseAddr(host); err == nil || strings.ContainsAny(host, ":%[]") {
		return "", literal
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil || len(ascii) > 253 {
		return "", "no host name"
	}
	// The library makes A-labels that it does not take itself (RFC 5891 section 4.4).
	if again, err := idna.Lookup.ToASCII(ascii); err != nil || again != ascii {
		return "", "no host name"
	}
	labels := strings.Split(ascii, ".")
	last := labels[len(labels)-1]
	if number(last) { // WHATWG URL section 3.5: a host whose last label is a number is an IPv4 address
		return "", literal
	}
	if len(labels) < 2 || slices.Contains(labels, "") {
		return "", "a name without a domain"
	}
	return ascii, ""
}

// number reports whether parsers of IPv4 addresses take s for a number, decimal,
// octal or hexadecimal.
func number(s string) bool {
	_, err := strconv.ParseUint(s, 0, 64)
	digits := strings.Trim(s, "0123456789") == ""
	return s != "" && (err == nil || digits || strings.EqualFold(s, "0x"))
}

// timed runs one part of a fetch and takes its time off what is left. Waiting
// for a turn lies between the parts: it is our doing, and must not make a host
// look slow.
func (f *fetch) timed(ctx context.Context, part func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.left)
	defer cancel()
	begun := time.Now()
	err := part(ctx)
	f.left -= time.Since(begun)
	return err
}

// hop asks one URL and returns where it redirects to.
func (f *fetch) hop(ctx context.Context, u *url.URL) (location string, err error) {
	if err := f.l.ready(ctx); err != nil {
		return "", err
	}
	c := &call{fetch: f, hop: &Hop{URL: u.String(), CrossSite: f.crosses(u)}, url: u}
	defer c.close()
	failure, err := c.ask(ctx)
	if err != nil {
		return "", err
	}
	f.x.Hops, f.x.Failure = append(f.x.Hops, *c.hop), failure
	return c.location, nil
}

// crosses reports whether u leaves the registrable domain of the hop before.
func (f *fetch) crosses(u *url.URL) bool {
	if len(f.x.Hops) == 0 {
		return false
	}
	before, err := url.Parse(f.x.Last().URL)
	return err == nil && site(before.Hostname()) != site(u.Hostname())
}

// site is the registrable domain of a host, or the host itself.
func site(host string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return d
	}
	return host
}

// retryAfter reads Retry-After (RFC 9110 section 10.2.3), at most a day.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return min(maxRetryAfter, time.Duration(n)*time.Second) //nolint:gosec // 31 bits
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return min(maxRetryAfter, at.Sub(now))
	}
	return 0
}

func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

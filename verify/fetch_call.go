package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
)

// maxPacking is what gzip may add to a body that it can't make smaller.
const maxPacking = 4 << 10

// call is one request to one host at one of its addresses.
type call struct {
	*fetch
	hop      *Hop
	url      *url.URL
	addrs    []netip.Addr
	location string  // where it redirects to
	known    *cached // what is asked whether it changed

	conn  net.Conn
	leave []func() // turns to give back
}

func (c *call) close() {
	if c.conn != nil {
		_ = c.conn.Close()
	}
	for _, f := range c.leave {
		f()
	}
}

// ask finds the host, waits for a turn with it, connects and asks.
func (c *call) ask(ctx context.Context) (failure *Failure, err error) {
	host := c.url.Hostname()
	err = c.timed(ctx, func(ctx context.Context) (err error) {
		c.addrs, failure, err = c.l.resolve(ctx, host, c.req.Family)
		return err
	})
	if err == nil && failure != nil && failure.Code == DNSTimeout {
		err = c.l.deaf(ctx, Question{})
	}
	if err != nil || failure != nil {
		return failure, err
	}
	done, err := c.l.turn(ctx, LimitHost, host)
	if err != nil {
		return nil, err
	}
	c.leave = append(c.leave, done)
	if err = c.reach(ctx); err == nil {
		err = c.timed(ctx, func(ctx context.Context) (err error) {
			failure, err = c.exchange(ctx)
			return err
		})
	}
	if err != nil {
		return c.failure(err)
	}
	return failure, nil
}

// reach tries the addresses in turn and leaves a connection to the first that
// takes one.
func (c *call) reach(ctx context.Context) (err error) {
	for _, a := range c.addrs[:min(len(c.addrs), maxDials)] {
		c.hop.Addr = netip.AddrPortFrom(a, uint16(portOf(c.url))) //nolint:gosec // 80 or 443
		done, busy := c.l.turn(ctx, LimitAddr, a.String())
		if busy != nil {
			return busy
		}
		err = c.timed(ctx, func(ctx context.Context) (err error) {
			c.conn, err = c.dial(ctx, c.hop.Addr)
			return err
		})
		if err == nil {
			c.leave = append(c.leave, done)
			return nil
		}
		done()
		var t *Trouble
		if errors.As(err, &t) || errors.Is(err, errRefused) || ctx.Err() != nil || c.left <= 0 {
			return err
		}
	}
	return err
}

// exchange proves the host, where it is to be proven, and asks.
func (c *call) exchange(ctx context.Context) (*Failure, error) {
	if c.url.Scheme == "https" {
		if err := c.handshake(ctx, c.hop.Addr); err != nil {
			return nil, err
		}
	}
	resp, err := c.send(ctx)
	if err != nil {
		return nil, err
	}
	return c.read(resp), nil
}

// errAgain is a second try of the library's, over a connection that is over.
var errAgain = errors.New("verify: the connection was used")

// brokenTwo reports whether HTTP/2 ended in a way that may be another in an hour
// (RFC 9113 sections 6.8 and 7).
func brokenTwo(err error) bool {
	if errors.Is(err, errAgain) {
		return true
	}
	for _, word := range []string{"GOAWAY", "REFUSED_STREAM", "INTERNAL_ERROR", "CANCEL", "ENHANCE_YOUR_CALM", "client connection lost", "client connection force closed"} {
		if strings.Contains(err.Error(), word) {
			return true
		}
	}
	return false
}

// send asks over the connection, which is used once.
func (c *call) send(ctx context.Context) (*http.Response, error) {
	var used atomic.Bool
	once := func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errAgain
		}
		return c.conn, nil
	}
	transport := &http.Transport{
		DialContext:            once,
		DialTLSContext:         once,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		ResponseHeaderTimeout:  c.l.cfg.Header,
	}
	if c.overTwo() { // the windows are small, so that nobody fills our memory ahead of the limits
		transport.ForceAttemptHTTP2 = true
		transport.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 64 << 10, MaxReadFrameSize: 16 << 10, MaxDecoderHeaderTableSize: 4 << 10}
	}
	r, err := c.request(ctx)
	if err != nil {
		return nil, err
	}
	if c.post != nil {
		return transport.RoundTrip(r)
	}
	if c.known = c.l.seen.get(c.cacheKey(), c.req.Limit, c.l.cfg.Now()); c.known != nil {
		r.Header.Set("If-None-Match", c.known.etag)
	}
	// One round trip and not a Client: no cookies, no redirects, no Referer.
	return transport.RoundTrip(r)
}

// read takes in the header and, of a success, the body under its limit. What a
// redirect or an error page says beside is not read: its size, its encoding or
// its slowness would hide the status, which is what counts.
func (c *call) read(resp *http.Response) *Failure {
	defer resp.Body.Close() //nolint:errcheck // it was only read
	c.hop.Status, c.hop.Proto, c.hop.Header = resp.StatusCode, resp.Proto, resp.Header
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return c.rest(FetchThrottled, resp)
	case resp.StatusCode >= 500:
		return c.rest(FetchServerError, resp)
	case resp.StatusCode == http.StatusNotModified && c.known != nil:
		c.hop.Status, c.hop.NotModified, c.hop.Header = http.StatusOK, true, c.known.confirmed(resp.Header)
		c.x.Body = c.known.body
		return nil
	case resp.StatusCode/100 != 2:
		c.location = location(resp)
		return nil
	case c.post != nil:
		return nil
	}
	body, failure := c.body(resp)
	c.x.Body = body
	if failure == nil && resp.StatusCode == http.StatusOK {
		c.l.seen.put(&cached{key: c.cacheKey(), etag: resp.Header.Get("ETag"), header: resp.Header, body: body, at: c.l.cfg.Now()})
	}
	return failure
}

func (c *call) cacheKey() cacheKey {
	return cacheKey{url: c.url.String(), accept: c.req.Accept, addr: c.hop.Addr.Addr()}
}

// rest leaves the host alone for as long as it asks.
func (c *call) rest(code Code, resp *http.Response) *Failure {
	f := &Failure{Code: code, Detail: Quote(resp.Status), Temporary: true, Retry: retryAfter(resp.Header, c.l.cfg.Now())}
	if f.Retry > 0 && c.l.cfg.Limiter != nil {
		c.l.cfg.Limiter.Rest(LimitHost, c.url.Hostname(), f.Retry)
	}
	return f
}

// body takes in a body, unpacked.
func (c *call) body(resp *http.Response) ([]byte, *Failure) {
	limit := c.req.Limit
	// RFC 9110 section 8.4: several fields are one list of encodings.
	enc := strings.ToLower(strings.TrimSpace(strings.Join(resp.Header.Values("Content-Encoding"), ",")))
	switch enc {
	case "", "identity":
		body, err := readLimited(resp.Body, limit)
		return body, bodyFailure(err, limit)
	case "gzip", "x-gzip": // not asked for, but harmless under the limit
	default:
		return nil, &Failure{Code: FetchEncoding, Detail: Quote(enc)}
	}
	packed, err := readLimited(resp.Body, limit+maxPacking)
	if err != nil {
		return nil, bodyFailure(err, limit)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, &Failure{Code: FetchEncoding, Detail: "broken gzip"}
	}
	body, err := readLimited(z, limit)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, &Failure{Code: FetchEncoding, Detail: "broken gzip"}
	}
	return body, bodyFailure(err, limit)
}

// errTooLarge is a body that goes on after the limit.
var errTooLarge = errors.New("verify: the body is too large")

// readLimited reads one octet more than is allowed, to tell enough from too much.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(body)) > limit:
		return nil, errTooLarge
	case err != nil:
		return nil, err
	}
	return body, nil
}

// bodyFailure says why a body did not come whole, nil when it did.
func bodyFailure(err error, limit int64) *Failure {
	switch what, _ := kindOf(err); {
	case err == nil:
		return nil
	case errors.Is(err, errTooLarge):
		return &Failure{Code: FetchTooLarge, Detail: fmt.Sprintf("more than %d octets", limit)}
	case what == "timeout":
		return &Failure{Code: FetchTimeout, Detail: "in the middle of the body", Temporary: true}
	}
	return &Failure{Code: FetchTruncated, Detail: "in the middle of the body", Temporary: true}
}

// location returns where a redirect leads (RFC 9110 section 15.4).
func location(resp *http.Response) string {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
		return resp.Header.Get("Location")
	}
	return ""
}

// failure says what an error of the network means; an error of its own is
// trouble of ours.
func (c *call) failure(err error) (*Failure, error) {
	var t *Trouble
	var bad *certError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	what, ours := kindAt(err, c.hop.Addr)
	switch {
	case errors.As(err, &t):
		return nil, err
	case ours:
		return nil, &Trouble{Code: CodeInternal, Detail: c.url.Hostname(), Ours: true, Err: err}
	case what == "address":
		return &Failure{Code: FetchAddress}, nil
	case errors.As(err, &bad):
		return &Failure{Code: FetchCertificate, Detail: bad.problem}, nil
	case what != "":
		code := map[string]Code{"refused": FetchRefused, "reset": FetchReset, "unreachable": FetchUnreachable, "no-route": FetchNoRoute, "timeout": FetchTimeout}[what]
		return &Failure{Code: code, Detail: c.url.Hostname(), Temporary: true}, nil
	case errors.As(err, &alert) && alert == 70, strings.Contains(err.Error(), "protocol version"), strings.Contains(err.Error(), "unsupported versions"):
		return &Failure{Code: FetchTLSVersion, Detail: c.url.Hostname()}, nil
	case errors.As(err, &alert) && alert == 80, err.Error() == "remote error: tls: internal error":
		// RFC 8446 section 6.2: an error "unrelated to the peer or the correctness of the
		// protocol", which is what 500 is to HTTP.
		return &Failure{Code: FetchServerError, Detail: c.url.Hostname() + ": the TLS alert internal_error", Temporary: true}, nil
	case errors.As(err, &alert), errors.As(err, &record), strings.HasPrefix(err.Error(), "tls: "), strings.HasPrefix(err.Error(), "remote error: tls: "),
		strings.HasPrefix(err.Error(), "local error: tls: "):
		return &Failure{Code: FetchTLS, Detail: Quote(cutText(err.Error(), 200))}, nil
	case c.overTwo() && brokenTwo(err):
		return &Failure{Code: FetchReset, Detail: c.url.Hostname(), Temporary: true}, nil
	case strings.Contains(err.Error(), "server response headers exceeded"), strings.Contains(err.Error(), "response header list larger than"):
		return &Failure{Code: FetchHeaderLarge, Detail: "more than 32 KiB"}, nil
	case c.overTwo() && strings.Contains(err.Error(), "COMPRESSION_ERROR"): // what the library makes of one field that is too large
		return &Failure{Code: FetchHeaderLarge, Detail: "a field of more than 32 KiB, or one that can't be unpacked"}, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return &Failure{Code: FetchTruncated, Detail: "before the end of the header", Temporary: true}, nil
	}
	return &Failure{Code: FetchProtocol, Detail: Quote(cutText(err.Error(), 200))}, nil
}

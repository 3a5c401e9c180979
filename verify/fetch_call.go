package verify

import (
	"bufio"
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
)

// call is one request to one host at one of its addresses.
type call struct {
	*fetch
	hop   *Hop
	addrs []netip.Addr
	url   *url.URL

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

// send connects, proves the host, and asks. The connection is used once.
func (c *call) send(ctx context.Context) (*http.Response, error) {
	if err := c.connect(ctx); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:            func(context.Context, string, string) (net.Conn, error) { return c.conn, nil },
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return c.conn, nil },
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		ResponseHeaderTimeout:  c.l.cfg.Header,
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", c.l.cfg.UserAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if c.req.Accept != "" {
		r.Header.Set("Accept", c.req.Accept)
	}
	// One round trip and not a Client: no cookies, no redirects, no Referer.
	return transport.RoundTrip(r)
}

// connect tries the addresses in turn and leaves a connection that is proven,
// for https, to be the host's.
func (c *call) connect(ctx context.Context) (err error) {
	for i, a := range c.addrs[:min(len(c.addrs), maxDials)] {
		at := netip.AddrPortFrom(a, uint16(portOf(c.url))) //nolint:gosec // 80 or 443
		c.hop.Addr = at
		done, busy := c.l.turn(ctx, LimitAddr, a.String())
		if busy != nil {
			return busy
		}
		c.leave = append(c.leave, done)
		if c.conn, err = c.dial(ctx, at); err == nil {
			break
		}
		if what, _ := kindOf(err); what == "address" || ctx.Err() != nil || i == maxDials-1 {
			break
		}
	}
	if err != nil || c.url.Scheme == "http" {
		return err
	}
	return c.handshake(ctx, c.hop.Addr)
}

// dial connects to the address, through the proxy where there is one.
func (c *call) dial(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
	if c.l.cfg.Proxy == nil {
		return c.l.dial(ctx, "tcp", at)
	}
	if !c.l.allowed(at.Addr()) {
		return nil, errRefused
	}
	conn, err := c.l.own.DialContext(ctx, "tcp", c.l.cfg.Proxy.Host)
	if err != nil {
		return nil, &Trouble{Code: CodeInternal, Detail: "the proxy", Ours: true, Err: err}
	}
	if err := tunnel(ctx, conn, at, c.l.cfg.UserAgent); err != nil {
		_ = conn.Close()
		return nil, &Trouble{Code: CodeInternal, Detail: "the proxy", Ours: true, Err: err}
	}
	return conn, nil
}

// tunnel asks a proxy for a connection to an address (RFC 9110 section 9.3.6).
func tunnel(ctx context.Context, conn net.Conn, at netip.AddrPort, agent string) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n\r\n", at, at, agent); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(conn, 4096), 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}

// read takes in the header and the body under their limits.
func (c *call) read(resp *http.Response) *Failure {
	defer resp.Body.Close() //nolint:errcheck // it was only read
	c.hop.Status, c.hop.Proto, c.hop.Header = resp.StatusCode, resp.Proto, resp.Header
	body, failure := c.body(resp)
	if failure != nil {
		return failure
	}
	c.x.Body = body
	now := c.l.cfg.Now()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return c.rest(&Failure{Code: FetchThrottled, Detail: resp.Status, Temporary: true, Retry: retryAfter(resp.Header, now)})
	case resp.StatusCode >= 500:
		return c.rest(&Failure{Code: FetchServerError, Detail: resp.Status, Temporary: true, Retry: retryAfter(resp.Header, now)})
	}
	return nil
}

// rest leaves the host alone for as long as it asks.
func (c *call) rest(f *Failure) *Failure {
	f.Detail = Quote(f.Detail)
	if f.Retry > 0 && c.l.cfg.Limiter != nil {
		c.l.cfg.Limiter.Rest(LimitHost, c.url.Hostname(), f.Retry)
	}
	return f
}

// body reads one octet more than is allowed, to tell enough from too much.
func (c *call) body(resp *http.Response) ([]byte, *Failure) {
	var r io.Reader = resp.Body
	switch enc := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
	case "gzip", "x-gzip": // not asked for, but harmless under the limit
		z, err := gzip.NewReader(io.LimitReader(resp.Body, c.req.Limit+1))
		if err != nil {
			return nil, &Failure{Code: FetchEncoding, Detail: "broken gzip"}
		}
		r = z
	default:
		return nil, &Failure{Code: FetchEncoding, Detail: Quote(enc)}
	}
	body, err := io.ReadAll(io.LimitReader(r, c.req.Limit+1))
	switch {
	case int64(len(body)) > c.req.Limit:
		return nil, &Failure{Code: FetchTooLarge, Detail: fmt.Sprintf("more than %d octets", c.req.Limit)}
	case err == nil:
		return body, nil
	case r != io.Reader(resp.Body) && (errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader)):
		return nil, &Failure{Code: FetchEncoding, Detail: "broken gzip"}
	}
	if what, _ := kindOf(err); what == "timeout" {
		return nil, &Failure{Code: FetchTimeout, Detail: "in the middle of the body", Temporary: true}
	}
	return nil, &Failure{Code: FetchTruncated, Detail: "in the middle of the body", Temporary: true}
}

// location returns where a redirect leads (RFC 9110 section 15.4).
func (c *call) location(resp *http.Response) string {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
		return resp.Header.Get("Location")
	}
	return ""
}

// failure says what an error of the network means; an error of its own is
// trouble of ours.
func (c *call) failure(ctx context.Context, err error) (*Failure, error) {
	var bad *certError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	what, ours := kindOf(err)
	switch {
	case ours:
		return nil, &Trouble{Code: CodeInternal, Detail: c.url.Hostname(), Ours: true, Err: err}
	case what == "address":
		return &Failure{Code: FetchAddress}, nil
	case errors.As(err, &bad):
		return &Failure{Code: FetchCertificate, Detail: bad.problem}, nil
	case what != "" || ctx.Err() != nil:
		code := map[string]Code{"refused": FetchRefused, "reset": FetchReset, "unreachable": FetchUnreachable}[what]
		if code == "" {
			code = FetchTimeout
		}
		return &Failure{Code: code, Detail: c.url.Hostname(), Temporary: true}, nil
	case errors.As(err, &alert) && alert == 70, strings.Contains(err.Error(), "protocol version"), strings.Contains(err.Error(), "unsupported versions"):
		return &Failure{Code: FetchTLSVersion, Detail: c.url.Hostname()}, nil
	case errors.As(err, &alert), errors.As(err, &record), strings.HasPrefix(err.Error(), "tls: "), strings.HasPrefix(err.Error(), "remote error: tls: "):
		return &Failure{Code: FetchTLS, Detail: Quote(cutText(err.Error(), 200))}, nil
	case strings.Contains(err.Error(), "server response headers exceeded"):
		return &Failure{Code: FetchHeaderLarge, Detail: "more than 32 KiB"}, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return &Failure{Code: FetchTruncated, Detail: "before the end of the header", Temporary: true}, nil
	}
	return &Failure{Code: FetchProtocol, Detail: Quote(cutText(err.Error(), 200))}, nil
}

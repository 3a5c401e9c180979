package verify

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// checkProxy reports what is wrong with the URL of a proxy.
func checkProxy(u *url.URL) error {
	if u == nil {
		return nil
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return errors.New("verify: the proxy is not given as http://host:port or https://host:port")
	}
	return nil
}

// dial connects to the address, through the proxy where there is one.
func (c *call) dial(ctx context.Context, at netip.AddrPort) (net.Conn, error) {
	if c.l.cfg.Proxy == nil {
		return c.l.dial(ctx, "tcp", at)
	}
	if !c.l.allowed(at.Addr()) {
		return nil, errRefused
	}
	ctx, cancel := context.WithTimeout(ctx, c.l.cfg.Connect)
	defer cancel()
	conn, err := c.l.dialProxy(ctx)
	if err != nil {
		return nil, &Trouble{Code: CodeInternal, Detail: "the proxy", Ours: true, Err: err}
	}
	if err := c.l.tunnel(ctx, conn, at); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// dialProxy connects to the proxy, which is the operator's choice and may have
// any address.
func (l *Live) dialProxy(ctx context.Context) (net.Conn, error) {
	u := l.cfg.Proxy
	port := u.Port()
	if port == "" {
		port = fmt.Sprint(portOf(u))
	}
	conn, err := l.own.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme == "http" {
		return conn, err
	}
	t := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: l.cfg.Roots, MinVersion: tls.VersionTLS12, Time: l.cfg.Now})
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return t, nil
}

// tunnel asks the proxy for a connection to an address, never to a name: what
// was checked is what it dials (RFC 9110 section 9.3.6).
func (l *Live) tunnel(ctx context.Context, conn net.Conn, at netip.AddrPort) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	ask := fmt.Sprintf("CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", at, at, l.cfg.UserAgent)
	if user := l.cfg.Proxy.User; user != nil {
		password, _ := user.Password()
		ask += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(conn, ask+"\r\n"); err != nil {
		return &Trouble{Code: CodeInternal, Detail: "the proxy", Ours: true, Err: err}
	}
	// The buffer is as small as can be, since what follows the header is not the proxy's.
	resp, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(conn, maxHeader), 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		if what, _ := kindOf(err); what == "timeout" {
			return err // it waits for the host, as far as anybody can tell
		}
		return &Trouble{Code: CodeInternal, Detail: "the proxy", Ours: true, Err: err}
	}
	_ = resp.Body.Close()
	return proxyAnswer(resp.StatusCode)
}

// proxyAnswer sorts what a proxy says: that it could not reach the host (RFC
// 9110 sections 15.6.3 and 15.6.5), or that it does not serve us.
func proxyAnswer(status int) error {
	switch status {
	case http.StatusOK:
		return nil
	case http.StatusBadGateway:
		return errBadGateway
	case http.StatusGatewayTimeout:
		return context.DeadlineExceeded
	}
	return &Trouble{Code: CodeInternal, Detail: fmt.Sprintf("the proxy answered %d", status), Ours: true}
}

// errBadGateway is a host that a proxy could not reach.
var errBadGateway = errors.New("verify: the proxy can't reach the host")

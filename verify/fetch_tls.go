package verify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// certError is a certificate that does not prove the host's name.
type certError struct {
	problem string
	err     error
}

// Error returns what is wrong with the certificate.
func (e *certError) Error() string { return "certificate: " + e.problem }

// Unwrap returns what the library said.
func (e *certError) Unwrap() error { return e.err }

// handshake proves that the other end is the host. When the proof fails, a
// second connection looks at the certificate once more, to describe it; nothing
// is asked over that one.
func (c *call) handshake(ctx context.Context, at netip.AddrPort) error {
	prove := func(protocol string) (tls.ConnectionState, error) {
		return c.shake(ctx, &tls.Config{RootCAs: c.l.cfg.Roots, MinVersion: tls.VersionTLS12, Time: c.l.cfg.Now, NextProtos: []string{protocol}})
	}
	raw := c.conn
	state, err := prove("http/1.1")
	if noProtocol(err) { // then the host may speak HTTP/2 alone: it is asked once more, by that
		_ = raw.Close()
		if raw, err = c.dial(ctx, at); err != nil {
			return err
		}
		c.conn = raw
		state, err = prove("h2")
	}
	if err == nil {
		c.hop.TLS = describe(state, true, "")
		return nil
	}
	_ = raw.Close()
	c.conn = nil
	problem := certProblem(err, c.l.cfg.Now())
	if problem == "" {
		return err
	}
	bad := &certError{problem, err}
	c.hop.TLS = describe(tls.ConnectionState{PeerCertificates: refusedChain(err)}, false, problem)
	if c.conn, err = c.dial(ctx, at); err != nil {
		return bad
	}
	//nolint:gosec // to describe the certificate that was refused; nothing is sent
	if state, err = c.shake(ctx, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, Time: c.l.cfg.Now, NextProtos: []string{"http/1.1", "h2"}}); err == nil {
		c.hop.TLS = describe(state, false, selfSigned(state, problem))
		bad.problem = c.hop.TLS.Problem
	}
	return bad
}

// noProtocol reports whether a host speaks none of the protocols that it was
// offered (RFC 7301 section 3.2).
func noProtocol(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) && alert == 120 || err != nil && strings.HasSuffix(err.Error(), "tls: no application protocol")
}

// overTwo reports whether HTTP/2 was agreed on (RFC 9113 section 3.2).
func (c *call) overTwo() bool {
	t, ok := c.conn.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

// refusedChain is the chain of a handshake that failed for its sake.
func refusedChain(err error) []*x509.Certificate {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return verification.UnverifiedCertificates
	}
	return nil
}

// shake makes one handshake over the connection and puts TLS in its place.
func (c *call) shake(ctx context.Context, cfg *tls.Config) (tls.ConnectionState, error) {
	cfg.ServerName = c.url.Hostname()
	ctx, cancel := context.WithTimeout(ctx, c.l.cfg.Connect)
	defer cancel()
	t := tls.Client(c.conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	c.conn = t
	return t.ConnectionState(), nil
}

// certProblem says in a word why a chain was refused, "" when the error is not
// about the certificate.
func certProblem(err error, now time.Time) string {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	switch {
	case errors.As(err, &host):
		return "wrong-name"
	case errors.As(err, &authority):
		return "unknown-authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if invalid.Cert != nil && now.Before(invalid.Cert.NotBefore) {
			return "not-yet-valid"
		}
		return "expired"
	case errors.As(err, &invalid), errors.As(err, &verification):
		return "other"
	}
	return ""
}

// selfSigned tells a certificate that vouches for itself from one of an unknown
// authority.
func selfSigned(state tls.ConnectionState, problem string) string {
	if problem != "unknown-authority" || len(state.PeerCertificates) == 0 {
		return problem
	}
	leaf := state.PeerCertificates[0]
	if len(state.PeerCertificates) == 1 && leaf.Subject.String() == leaf.Issuer.String() {
		return "self-signed"
	}
	return problem
}

// Limits of what evidence keeps of a handshake.
const (
	maxChain = 8
	maxNames = 50
)

// describe keeps what a handshake showed.
func describe(state tls.ConnectionState, verified bool, problem string) *TLS {
	t := &TLS{Verified: verified, Problem: problem}
	if state.Version != 0 {
		t.Version = tls.VersionName(state.Version)
	}
	for _, c := range state.PeerCertificates[:min(len(state.PeerCertificates), maxChain)] {
		sum := sha256.Sum256(c.Raw)
		one := Certificate{Subject: Quote(c.Subject.String()), Issuer: Quote(c.Issuer.String()), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SHA256: hex.EncodeToString(sum[:])}
		for _, name := range c.DNSNames[:min(len(c.DNSNames), maxNames)] {
			one.Names = append(one.Names, Quote(name))
		}
		t.Chain = append(t.Chain, one)
	}
	return t
}

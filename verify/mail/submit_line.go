package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	maxUses = 100              // mails over one connection; relays have limits of their own
	maxIdle = 30 * time.Second // that a connection is kept without use
)

// line is a connection to the relay.
type line struct {
	client *smtp.Client
	used   int
	since  time.Time // of its last use
}

// kept returns a connection that was used before, or nil.
func (s *Submitter) kept() *line {
	for {
		select {
		case l := <-s.idle:
			if s.relay.Now().Sub(l.since) < maxIdle {
				return l
			}
			l.quit()
		default:
			return nil
		}
	}
}

func (s *Submitter) keep(l *line) {
	l.used++
	l.since = s.relay.Now()
	if l.used < maxUses {
		select {
		case s.idle <- l:
			return
		default:
		}
	}
	l.quit()
}

// quit says goodbye, and does not wait long for the answer.
func (l *line) quit() {
	l.client.CommandTimeout = time.Second
	if l.client.Quit() != nil {
		_ = l.client.Close()
	}
}

// open connects, greets, and identifies. stage says how far it came.
func (s *Submitter) open(ctx context.Context) (l *line, stage string, err error) {
	c, stage, err := s.connect(ctx)
	if err != nil {
		return nil, stage, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	c.CommandTimeout, c.SubmissionTimeout = s.relay.Command, s.relay.Data
	if err := c.Hello(s.relay.Helo); err != nil { // after STARTTLS, this is where the handshake happens
		stage = "hello"
		if state, ok := c.TLSConnectionState(); ok && !state.HandshakeComplete {
			stage = "tls"
		}
		_ = c.Close()
		return nil, stage, err
	}
	if s.relay.User != "" {
		if _, secure := c.TLSConnectionState(); !secure { // NewSubmitter made sure of it
			_ = c.Close()
			return nil, "auth", ErrRelay
		}
		if err := c.Auth(plain{s.relay.User, s.relay.Password}); err != nil {
			_ = c.Close()
			return nil, "auth", err
		}
	}
	return &line{client: c}, "", nil
}

// connect connects under the policy.
func (s *Submitter) connect(ctx context.Context) (*smtp.Client, string, error) {
	starttls := s.relay.Policy == TLSRequired
	if s.relay.Policy == TLSOpportunistic {
		offered, stage, err := s.offers(ctx)
		if err != nil {
			return nil, stage, err
		}
		starttls = offered
	}
	conn, err := s.relay.Dial(ctx, "tcp", s.relay.Address)
	if err != nil {
		return nil, "connect", err
	}
	switch {
	case starttls:
		return s.startTLS(ctx, conn)
	case s.relay.Policy == TLSImplicit:
		return s.implicit(ctx, conn)
	}
	return smtp.NewClient(conn), "", nil
}

// offers asks a relay whether it has STARTTLS: go-smtp can't go on from there.
func (s *Submitter) offers(ctx context.Context) (bool, string, error) {
	conn, err := s.relay.Dial(ctx, "tcp", s.relay.Address)
	if err != nil {
		return false, "connect", err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := smtp.NewClient(conn)
	c.CommandTimeout = s.relay.Command
	if err := c.Hello(s.relay.Helo); err != nil {
		_ = c.Close()
		return false, "hello", err
	}
	ok, _ := c.Extension("STARTTLS")
	(&line{client: c}).quit()
	return ok, "", nil
}

// startTLS: RFC 3207. go-smtp waits five minutes for a greeting; we don't.
func (s *Submitter) startTLS(ctx context.Context, conn net.Conn) (*smtp.Client, string, error) {
	timer := time.AfterFunc(2*s.relay.Command, func() { _ = conn.Close() })
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, err := smtp.NewClientStartTLS(conn, s.relay.TLS)
	timer.Stop()
	stop()
	if err != nil {
		_ = conn.Close()
		return nil, "tls", err
	}
	return c, "", nil
}

// implicit: RFC 8314 section 3.3.
func (s *Submitter) implicit(ctx context.Context, conn net.Conn) (*smtp.Client, string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.relay.Command)
	defer cancel()
	c := tls.Client(conn, s.relay.TLS)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, "tls", err
	}
	return smtp.NewClient(c), "", nil
}

// send sends one mail.
func (l *line) send(m Mail) (stage, reply string, err error) {
	if size, ok := l.client.MaxMessageSize(); ok && size > 0 && len(m.Raw) > size { // RFC 1870 section 6.1
		return "mail", "", &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "larger than the relay takes"}
	}
	if eight, _ := l.client.Extension("8BITMIME"); !eight && !sevenBit(m.Raw) { // RFC 6152
		return "mail", "", &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 3}, Message: "eight bits, and the relay takes seven"}
	}
	if err := l.client.Mail(m.From, &smtp.MailOptions{Size: int64(len(m.Raw))}); err != nil {
		return "mail", "", err
	}
	if err := l.client.Rcpt(m.To, nil); err != nil {
		return "rcpt", "", err
	}
	w, err := l.client.Data()
	if err != nil {
		return "data", "", err
	}
	if _, err := w.Write(m.Raw); err != nil {
		return "data", "", err
	}
	res, err := w.CloseWithResponse()
	if err != nil {
		return "end", "", err
	}
	return "end", res.StatusText, nil
}

func sevenBit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// unfit says what makes octets no mail: RFC 5322 sections 2.1.1 and 2.3.
func unfit(raw []byte) string {
	if len(raw) == 0 {
		return "there is nothing in it"
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		return "it has NUL"
	}
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		return "its last line does not end"
	}
	for line := range bytes.Lines(raw) {
		line, ok := bytes.CutSuffix(line, []byte("\r\n"))
		switch {
		case !ok || bytes.IndexByte(line, '\r') >= 0:
			return "a line does not end with CRLF alone"
		case len(line) > 998:
			return "a line has more than 998 octets"
		}
	}
	return ""
}

// plain is AUTH PLAIN: RFC 4616.
type plain struct{ user, password string }

func (p plain) Start() (mech string, ir []byte, err error) {
	if strings.ContainsRune(p.user+p.password, 0) {
		return "", nil, errors.New("mail: NUL in a user name or password")
	}
	return "PLAIN", []byte("\x00" + p.user + "\x00" + p.password), nil
}

func (p plain) Next([]byte) ([]byte, error) {
	return nil, errors.New("mail: the relay asks more than PLAIN has")
}

package verify

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one visit to a mail server.
const (
	maxReplyLine  = 1000      // octets; RFC 5321 section 4.5.3.1.5 has 512
	maxReplyLines = 64        // of one reply
	maxTalk       = 128 << 10 // octets in all that are read in clear
	maxRawChain   = 32 << 10  // octets of certificates that are kept
)

// SMTPPort is where mail servers take mail from others.
const SMTPPort = 25

// Greeting is a visit to one mail server: hear its greeting, say EHLO, begin TLS
// and say QUIT (RFC 5321, RFC 3207). No mail and no address is ever named.
type Greeting struct {
	Host string     `json:"host"` // its name, without the final dot: what its certificate should be for
	Addr netip.Addr `json:"addr"`
}

// Visit is what became of a [Greeting]: all that was said, and then either the
// end in peace or a [Failure]. Those of one's own making aside, a failure is
// always temporary, but for an address that is not dialled and a TLS version.
type Visit struct {
	Greeting Greeting  `json:"greeting"`
	At       time.Time `json:"at"`
	Replies  []Reply   `json:"replies,omitempty"`
	TLS      *TLS      `json:"tls,omitempty"`   // nil: no handshake was made
	Chain    [][]byte  `json:"chain,omitempty"` // certificates as they were sent, leaf first
	Failure  *Failure  `json:"failure,omitempty"`
}

// Reply is what a mail server answered to one command.
type Reply struct {
	Sent  string   `json:"sent,omitempty"` // the command; "": none, it is the greeting
	Code  int      `json:"code"`
	Lines []string `json:"lines"` // without the code
}

// To returns the answer to a command by its first word, "" the greeting; nil for
// none.
func (v *Visit) To(command string) *Reply {
	for i := range v.Replies {
		if word, _, _ := strings.Cut(v.Replies[i].Sent, " "); word == command {
			return &v.Replies[i]
		}
	}
	return nil
}

// Offers reports whether EHLO was answered with an extension.
func (v *Visit) Offers(extension string) bool {
	r := v.To("EHLO")
	if r == nil || r.Code != 250 {
		return false
	}
	for _, line := range r.Lines[1:] {
		if word, _, _ := strings.Cut(line, " "); strings.EqualFold(word, extension) {
			return true
		}
	}
	return false
}

// Greet visits a mail server at one address, which is checked as those of
// fetches are. A proxy for fetches has no part in it.
func (l *Live) Greet(ctx context.Context, q Greeting) (*Visit, error) {
	if err := l.ready(ctx); err != nil {
		return nil, err
	}
	v := &Visit{Greeting: q, At: l.cfg.Now()}
	switch {
	case !l.public(q.Addr):
		v.Failure = &Failure{Code: FetchAddress}
		return v, nil
	case l.forbids(q.Addr):
		v.Failure = forbidden(q.Host)
		return v, nil
	}
	host, err := l.turn(ctx, LimitHost, q.Host)
	if err != nil {
		return nil, err
	}
	defer host()
	addr, err := l.turn(ctx, LimitAddr, q.Addr.String())
	if err != nil {
		return nil, err
	}
	defer addr()
	at := netip.AddrPortFrom(q.Addr, SMTPPort)
	err = l.visit(ctx, v, at)
	if ctx.Err() != nil {
		return nil, &Trouble{Code: CodeCancelled, Detail: q.Host, Ours: true, Err: context.Cause(ctx)}
	}
	if err != nil {
		v.Failure, err = greetFailure(err, at, q.Host)
	}
	return v, err
}

// visit connects and talks, for as long as one fetch may take.
func (l *Live) visit(ctx context.Context, v *Visit, at netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Total)
	defer cancel()
	conn, err := l.dial(ctx, "tcp", at)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing was to be kept
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t := &talk{visit: v, conn: conn, read: bufio.NewReaderSize(io.LimitReader(conn, maxTalk), maxReplyLine+2)}
	name := l.cfg.Helo
	if name == "" { // RFC 5321 section 4.1.4: who has no name says its address
		if name = l.addressLiteral(conn.LocalAddr(), at.Addr()); name == "" {
			return &Trouble{Code: CodeInternal, Detail: "no name to say to mail servers, and no public address: set mail_host", Ours: true}
		}
	}
	begin, err := t.open(name)
	switch {
	case err != nil:
		return err
	case !begin:
		t.quit()
		return nil
	}
	return l.startTLS(ctx, t)
}

// addressLiteral is where a connection comes from as EHLO has it (RFC 5321 section
// 4.1.3); "" for an inside address that a peer outside would learn by it.
func (l *Live) addressLiteral(from net.Addr, peer netip.Addr) string {
	at, err := netip.ParseAddrPort(from.String())
	own := at.Addr().Unmap().WithZone("")
	outside := l.guard.SafeAddr(l.inside(peer)) == nil
	switch {
	case err != nil, outside && l.guard.SafeAddr(own) != nil:
		return ""
	case own.Is4():
		return "[" + own.String() + "]"
	}
	return "[IPv6:" + own.String() + "]"
}

// talk is a visit under way.
type talk struct {
	visit *Visit
	conn  net.Conn
	read  *bufio.Reader
}

// open hears the greeting and says EHLO and STARTTLS; begin means that the
// server waits for TLS.
func (t *talk) open(name string) (begin bool, err error) {
	r, err := t.say("")
	if err != nil || r.Code != 220 {
		return false, err
	}
	r, err = t.say("EHLO " + name)
	if err != nil || r.Code != 250 || !t.visit.Offers("STARTTLS") {
		return false, err
	}
	r, err = t.say("STARTTLS")
	if err != nil || r.Code != 220 {
		return false, err
	}
	if t.read.Buffered() > 0 { // RFC 3207 section 5: what came in clear is not to be used
		return false, fmt.Errorf("%w: it went on in clear after STARTTLS", errNoSMTP)
	}
	return true, nil
}

// say sends a command, "" for none, and keeps the reply.
func (t *talk) say(command string) (Reply, error) {
	r := Reply{Sent: command}
	if command != "" {
		if _, err := io.WriteString(t.conn, command+"\r\n"); err != nil {
			return r, err
		}
	}
	for {
		code, text, more, err := t.line()
		switch {
		case err != nil:
			return r, err
		case r.Code != 0 && code != r.Code, len(r.Lines) == maxReplyLines:
			return r, fmt.Errorf("%w: a reply without an end", errNoSMTP)
		}
		r.Code, r.Lines = code, append(r.Lines, Quote(text))
		if !more {
			t.visit.Replies = append(t.visit.Replies, r)
			return r, nil
		}
	}
}

// errNoSMTP is what is no reply of a mail server.
var errNoSMTP = errors.New("verify: no reply of a mail server")

// line reads one line of a reply (RFC 5321 section 4.2).
func (t *talk) line() (code int, text string, more bool, err error) {
	raw, err := t.read.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, "", false, fmt.Errorf("%w: a line of more than %d octets", errNoSMTP, maxReplyLine)
	}
	if err != nil {
		return 0, "", false, err
	}
	s := strings.TrimRight(string(raw), "\r\n")
	if len(s) < 3 || len(s) > 3 && s[3] != ' ' && s[3] != '-' {
		return 0, "", false, fmt.Errorf("%w: %q", errNoSMTP, cutText(s, 80))
	}
	if code, err = strconv.Atoi(s[:3]); err != nil || code < 200 || code > 599 {
		return 0, "", false, fmt.Errorf("%w: %q", errNoSMTP, cutText(s, 80))
	}
	return code, s[min(4, len(s)):], len(s) > 3 && s[3] == '-', nil
}

// quitTime is for the last words, which do not matter.
const quitTime = 2 * time.Second

// quit takes leave, whether it is heard or not.
func (t *talk) quit() {
	_ = t.conn.SetDeadline(time.Now().Add(quitTime))
	_, _ = t.say("QUIT")
}

// startTLS makes the handshake with whatever certificate there is, describes it,
// and takes leave inside.
func (l *Live) startTLS(ctx context.Context, t *talk) error {
	shake, cancel := context.WithTimeout(ctx, l.cfg.Connect)
	defer cancel()
	//nolint:gosec // senders take any certificate (RFC 7435); what this one proves is looked at below
	secure := tls.Client(t.conn, &tls.Config{ServerName: t.visit.Greeting.Host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, Time: l.cfg.Now})
	if err := secure.HandshakeContext(shake); err != nil {
		return err
	}
	state := secure.ConnectionState()
	problem := l.provesMX(state, t.visit.Greeting.Host)
	t.visit.TLS = describe(state, problem == "", problem)
	for _, c := range state.PeerCertificates[:min(len(state.PeerCertificates), maxChain)] {
		t.visit.Chain = append(t.visit.Chain, c.Raw)
	}
	if octets(t.visit.Chain) > maxRawChain {
		t.visit.Chain = nil
	}
	t.conn, t.read = secure, bufio.NewReaderSize(io.LimitReader(secure, maxTalk), maxReplyLine+2)
	t.quit()
	return nil
}

func octets(list [][]byte) (n int) {
	for _, b := range list {
		n += len(b)
	}
	return n
}

// provesMX says in a word why a chain does not prove a mail server's name, "" if
// it does (RFC 8461 section 4.1).
func (l *Live) provesMX(state tls.ConnectionState, host string) string {
	if len(state.PeerCertificates) == 0 {
		return "other"
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	now := l.cfg.Now()
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: l.cfg.Roots, Intermediates: between, CurrentTime: now})
	if err == nil {
		return ""
	}
	problem := certProblem(err, now)
	if problem == "" {
		problem = "other"
	}
	return selfSigned(state, problem)
}

// greetFailure says what an error of a visit means; one of our own is trouble.
func greetFailure(err error, at netip.AddrPort, host string) (*Failure, error) {
	var t *Trouble
	var alert tls.AlertError
	passing := func(code Code) (*Failure, error) {
		return &Failure{Code: code, Detail: Quote(host + ": " + cutText(err.Error(), 200)), Temporary: true}, nil
	}
	what, ours := kindAt(err, at)
	switch {
	case errors.As(err, &t):
		return nil, err
	case ours:
		return nil, &Trouble{Code: CodeInternal, Detail: host, Ours: true, Err: err}
	case what == "address":
		return &Failure{Code: FetchAddress}, nil
	case what != "":
		code := map[string]Code{"refused": FetchRefused, "reset": FetchReset, "unreachable": FetchUnreachable, "no-route": FetchNoRoute, "timeout": FetchTimeout}[what]
		return &Failure{Code: code, Detail: host, Temporary: true}, nil
	case errors.Is(err, errNoSMTP): // first: it quotes the peer, which may say anything
		return passing(FetchNoSMTP)
	case errors.As(err, &alert) && alert == 70, strings.Contains(err.Error(), "protocol version"), strings.Contains(err.Error(), "unsupported versions"):
		return &Failure{Code: FetchTLSVersion, Detail: host}, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Failure{Code: FetchTruncated, Detail: host + ": it hung up", Temporary: true}, nil
	case ofTLS(err):
		return passing(FetchTLS)
	}
	return passing(FetchNoSMTP)
}

// ofTLS reports whether a handshake failed for what was said in it. Senders with
// another library may well succeed with that server.
func ofTLS(err error) bool {
	var header tls.RecordHeaderError
	if errors.As(err, &header) {
		return true
	}
	return slices.ContainsFunc([]string{"tls: ", "remote error: tls: ", "local error: tls: "}, func(p string) bool { return strings.HasPrefix(err.Error(), p) })
}

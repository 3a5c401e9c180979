package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// Handler takes a mail over. When it returns nil the mail is ours, and whoever
// handed it over forgets it; so what it says must be stored by then. An error means "try again later", and [ErrNotOurs]
// means "never".
type Handler func(ctx context.Context, env Envelope) error

// ErrNotOurs is a mail that is not for this instance, whenever it comes again.
var ErrNotOurs = errors.New("mail: not for this instance")

// ServerConfig is what a [Server] is made from. Zero fields have the defaults given.
type ServerConfig struct {
	LMTP       bool   // RFC 2033, for a site's MTA; else SMTP
	Host       string // in the greeting
	Accepts    func(address string) bool
	Handle     Handler
	TLS        *tls.Config // offers STARTTLS; nil: does not
	MaxSize    int64       // 1 MiB
	Recipients int         // of one mail; 10
	Conns      int         // at once; 50
	PeerConns  int         // at once from one address (IPv6: one /64); 0: no limit of its own
	PeerMails  int         // a minute from one address; 0: no limit
	Idle       time.Duration
	Now        func() time.Time
	Log        *slog.Logger // nil: nothing is logged
}

// Server is an SMTP or LMTP server that takes mails to this instance, and no others. It stands behind a site's MTA:
// it neither queues nor relays, and refuses at once what it does not know.
type Server struct {
	cfg   ServerConfig
	smtp  *smtp.Server
	peers *peers
}

// NewServer makes a server. Accepts and Handle must be there.
func NewServer(cfg ServerConfig) *Server {
	if cfg.MaxSize == 0 {
		cfg.MaxSize = 1 << 20
	}
	if cfg.Recipients == 0 {
		cfg.Recipients = 10
	}
	if cfg.Conns == 0 {
		cfg.Conns = 50
	}
	if cfg.Idle == 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, peers: newPeers(cfg.PeerConns, cfg.PeerMails)}
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	s.smtp.Domain, s.smtp.LMTP, s.smtp.TLSConfig = cfg.Host, cfg.LMTP, cfg.TLS
	s.smtp.MaxMessageBytes, s.smtp.MaxRecipients = cfg.MaxSize, cfg.Recipients
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = cfg.Idle, cfg.Idle
	s.smtp.EnableSMTPUTF8 = true // RFC 6531: a reply with raw UTF-8 in its header would bounce without it, at a server that has it
	s.smtp.ErrorLog = errorLog{cfg.Log}
	return s
}

// Serve accepts connections until ctx ends, then lets those that are open finish, for
// ten seconds at most. The listener is closed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if s.smtp.Shutdown(grace) != nil {
			_ = s.smtp.Close()
		}
	})
	err := s.smtp.Serve(&bounded{Listener: l, slots: make(chan struct{}, s.cfg.Conns), peers: s.peers})
	if stop() { // ctx has not ended
		_ = s.smtp.Close()
		return err
	}
	<-stopped
	return nil
}

// bounded is a listener with so many open connections at most, of all clients and of each.
type bounded struct {
	net.Listener
	slots chan struct{}
	peers *peers
}

func (b *bounded) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	client := peer(c)
	if b.peers.enter(client) {
		select {
		case b.slots <- struct{}{}:
			return &slotted{Conn: c, leave: func() { <-b.slots; b.peers.leave(client) }}, nil
		default:
			b.peers.leave(client)
		}
	}
	// RFC 5321 section 3.1 has 554 for a refusal; 421 (section 3.8) says that it may be tried again.
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(c, "421 4.3.2 Too many connections\r\n")
	_ = c.Close()
	return c, nil
}

// slotted gives its slot back once.
type slotted struct {
	net.Conn
	leave func()
	once  sync.Once
}

func (c *slotted) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// session is one connection.
type session struct {
	server *Server
	conn   *smtp.Conn
	from   string
	to     []string
}

// Reset forgets the mail that was begun.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the session.
func (s *session) Logout() error { return nil }

// Mail notes the return path; it may be null. Who brings too many mails keeps this one, and
// tries again later (RFC 5321 section 4.2.1).
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.server.peers.mail(peer(s.conn.Conn()), s.server.cfg.Now()) {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Too many mails from your address; try again later"}
	}
	s.from = from
	return nil
}

// Rcpt refuses whoever is not ours: here, since a bounce later would go to somebody
// who never wrote (backscatter).
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !s.server.cfg.Accepts(to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such recipient here"}
	}
	s.to = append(s.to, to)
	return nil
}

// Data takes the mail and hands it on.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err // go-smtp's own, with its code: too large, a line too long
	}
	cfg := s.server.cfg
	env := Envelope{From: s.from, To: s.to, Raw: raw, Peer: peer(s.conn.Conn()), Helo: s.conn.Hostname(), At: cfg.Now()}
	if cfg.LMTP { // RFC 2033: the site's own server, which is not the sender
		env.Peer = netip.Addr{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch err := cfg.Handle(ctx, env); {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotOurs):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Not for this instance"}
	default: // RFC 5321 section 4.2.1: the peer keeps it and tries again
		cfg.Log.Error("a mail could not be taken over", "peer", env.Peer, "error", err)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later"}
	}
}

func peer(c net.Conn) netip.Addr {
	if a, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{} // a socket in the file system
}

// errorLog is what go-smtp complains to.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Printf(format string, v ...any) { l.Println(v...) }

func (l errorLog) Println(v ...any) {
	for _, x := range v {
		if err, ok := x.(error); ok && !errors.Is(err, io.EOF) {
			l.log.Warn("smtp session", "error", strings.TrimSpace(err.Error()))
		}
	}
}

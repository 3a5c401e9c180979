package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/emersion/go-smtp"
)

// ErrRelay is a relay that can't be used as it is configured.
var ErrRelay = errors.New("mail: relay")

// TLSPolicy says how the way to the relay is protected.
type TLSPolicy string

// The policies.
const (
	TLSRequired      TLSPolicy = "required"      // STARTTLS with a good certificate (RFC 3207), or nothing is sent
	TLSImplicit      TLSPolicy = "implicit"      // TLS from the start (RFC 8314 section 3.3)
	TLSOpportunistic TLSPolicy = "opportunistic" // STARTTLS where it is offered, whatever the certificate: against listeners only
	TLSNone          TLSPolicy = "none"          // to a relay on this machine only
)

// Relay is the mail server that mails are handed to. It queues and retries; we do not.
type Relay struct {
	Address  string // host:port
	Policy   TLSPolicy
	User     string // AUTH PLAIN (RFC 4616), never without TLS; "": none
	Password string
	Helo     string // our own name
	TLS      *tls.Config
	Conns    int           // at once; 4
	Command  time.Duration // for the answer to a command; 30 s
	Data     time.Duration // for the answer to a mail; 2 min (RFC 5321 section 4.5.3.2 has 10, a relay nearby needs none)
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	Now      func() time.Time
}

// Outcome is what became of a mail.
type Outcome string

// The outcomes.
const (
	Accepted  Outcome = "accepted"  // the relay has taken it over, and the clock of the answer starts
	Temporary Outcome = "temporary" // not yet; try again
	Permanent Outcome = "permanent" // never as it is
)

// Result is what became of a mail, and what the relay said.
type Result struct {
	Outcome Outcome
	At      time.Time // of the relay's answer
	Stage   string    // how far it came: connect, tls, hello, auth, mail, rcpt, data, end
	Code    int       // SMTP reply; 0: none came
	Status  string    // RFC 3463; "": none
	Reply   string    // the relay's words
	// Ours says that the relay or our configuration is in trouble, not the recipient.
	Ours bool
	// Uncertain says that the whole mail was sent and no answer came: the relay may have taken it over.
	// RFC 5321 section 4.5.5 has no cure for it. A second one has the same message id.
	Uncertain bool
	Err       error
}

// Submitter hands mails to a relay over connections that it keeps. It is safe for
// concurrent use.
type Submitter struct {
	relay Relay
	slots chan struct{} // one for each open connection
	idle  chan *line
}

// NewSubmitter checks the configuration. It does not connect.
func NewSubmitter(r Relay) (*Submitter, error) {
	host, _, err := net.SplitHostPort(r.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: address: %w", ErrRelay, err)
	}
	switch r.Policy {
	case TLSRequired, TLSImplicit, TLSOpportunistic:
	case TLSNone:
		if !loopback(host) {
			return nil, fmt.Errorf("%w: %s is not this machine; only there mails may be handed over without TLS", ErrRelay, host)
		}
	default:
		return nil, fmt.Errorf("%w: no TLS policy %q", ErrRelay, r.Policy)
	}
	if r.User != "" && (r.Policy == TLSNone || r.Policy == TLSOpportunistic) {
		return nil, fmt.Errorf("%w: a password is sent over TLS with a good certificate only", ErrRelay)
	}
	r.defaults(host)
	return &Submitter{relay: r, slots: make(chan struct{}, r.Conns), idle: make(chan *line, r.Conns)}, nil
}

func (r *Relay) defaults(host string) {
	if r.Conns == 0 {
		r.Conns = 4
	}
	if r.Command == 0 {
		r.Command = 30 * time.Second
	}
	if r.Data == 0 {
		r.Data = 2 * time.Minute
	}
	if r.Dial == nil {
		r.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	cfg := &tls.Config{}
	if r.TLS != nil {
		cfg = r.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	if cfg.MinVersion < tls.VersionTLS12 { // RFC 8996
		cfg.MinVersion = tls.VersionTLS12
	}
	// RFC 7435: what is not authenticated at all without TLS is no worse with a certificate that nobody knows.
	cfg.InsecureSkipVerify = r.Policy == TLSOpportunistic
	r.TLS = cfg
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// Submit hands over one mail. It waits for a connection as long as ctx allows. A kept connection that
// turns out to be dead is replaced once, if nothing of the mail was sent over it.
func (s *Submitter) Submit(ctx context.Context, m Mail) Result {
	if why := unfit(m.Raw); why != "" {
		return Result{Outcome: Permanent, At: s.relay.Now(), Stage: "mail", Ours: true, Err: fmt.Errorf("%w %s: %s", ErrLetter, m.ID, why)}
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return s.result("connect", "", ctx.Err())
	}
	defer func() { <-s.slots }()
	l := s.kept()
	if l != nil {
		if r, again := s.over(ctx, l, m); !again {
			return r
		}
	}
	l, stage, err := s.open(ctx)
	if err != nil {
		return s.result(stage, "", err)
	}
	r, _ := s.over(ctx, l, m)
	return r
}

// over sends a mail over a line, and keeps the line if it is good for another. again: the line was dead.
func (s *Submitter) over(ctx context.Context, l *line, m Mail) (r Result, again bool) {
	stop := context.AfterFunc(ctx, func() { _ = l.client.Close() })
	stage, reply, err := l.send(m)
	fresh := stop()
	r = s.result(stage, reply, err)
	var said *smtp.SMTPError
	switch {
	case !fresh: // the line was closed under it
		r.Err = errors.Join(ctx.Err(), r.Err)
	case err == nil, errors.As(err, &said) && said.Code != 421 && l.client.Reset() == nil:
		s.keep(l)
		return r, false
	}
	_ = l.client.Close()
	return r, l.used > 0 && fresh && stage == "mail" && (r.Code == 0 || r.Code == 421)
}

// result makes of what the relay said what is to be done.
func (s *Submitter) result(stage, reply string, err error) Result {
	r := Result{Outcome: Accepted, At: s.relay.Now(), Stage: stage, Code: 250, Reply: cut(printable(reply), 500), Status: statusForm.FindString(reply)}
	if err == nil {
		return r
	}
	r.Outcome, r.Code, r.Err = Temporary, 0, err
	var said *smtp.SMTPError
	if errors.As(err, &said) {
		r.Code, r.Reply = said.Code, cut(printable(said.Message), 500)
		if e := said.EnhancedCode; e[0] > 0 {
			r.Status = fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
		}
	}
	switch stage {
	case "mail", "rcpt", "data", "end":
		r.Ours = r.Code == 0 || r.Code == 421
		r.Uncertain = stage == "end" && r.Code == 0
		if r.Code >= 500 {
			r.Outcome = Permanent
		}
	default: // whatever the relay has against us, it has nothing to do with the recipient
		r.Ours = true
	}
	return r
}

// Close ends the connections that are kept.
func (s *Submitter) Close() error {
	for {
		select {
		case l := <-s.idle:
			l.quit()
		default:
			return nil
		}
	}
}

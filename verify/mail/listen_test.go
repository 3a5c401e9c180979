package mail_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// inbox takes mails.
type inbox struct {
	mu    sync.Mutex
	got   []mail.Envelope
	fails error
}

func (b *inbox) handle(_ context.Context, env mail.Envelope) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return b.fails
	}
	b.got = append(b.got, env)
	return nil
}

func (b *inbox) all() []mail.Envelope {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]mail.Envelope(nil), b.got...)
}

// listen serves until the test ends.
func listen(t testing.TB, cfg mail.ServerConfig) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Host == "" {
		cfg.Host = "mail.example.org"
	}
	s := mail.NewServer(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return l.Addr().String()
}

func anybody(string) bool { return true }

func TestServer(t *testing.T) {
	id := instance(t)
	b := &inbox{}
	address := listen(t, mail.ServerConfig{Accepts: id.Accepts, Handle: b.handle, MaxSize: 4096})
	s := submitter(t, mail.Relay{Address: address, Policy: mail.TLSNone})
	large := small(id.Reply(token))
	large.Raw = append([]byte("Subject: x\r\n\r\n"), strings.Repeat("0123456789\r\n", 1000)...)
	tests := []struct {
		name  string
		mail  mail.Mail
		fails error
		code  int
	}{
		{"to a reply address", small(id.Reply(token)), nil, 250},
		{"to a return path", small(id.Return(letter)), nil, 250},
		{"to our address", small("Rollcall@EXAMPLE.org"), nil, 250},
		{"to somebody else", small("x@example.org"), nil, 550},
		{"to another domain", small("rollcall@other.example"), nil, 550},
		{"to a forged return path", small("bounce+" + letter + ".aaaaaaaa@example.org"), nil, 550},
		{"too large", large, nil, 552},
		{"in trouble", small(id.Reply(token)), errors.New("the database is away"), 451},
		{"not ours after all", small(id.Reply(token)), fmt.Errorf("no such challenge: %w", mail.ErrNotOurs), 550},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.mu.Lock()
			b.fails = tt.fails
			b.mu.Unlock()
			if r := s.Submit(t.Context(), tt.mail); r.Code != tt.code {
				t.Errorf("Submit = %+v, want %d", r, tt.code)
			}
		})
	}
	if n := len(b.all()); n != 3 {
		t.Errorf("%d mails were taken, want 3", n)
	}
}

// TestServerLMTP: RFC 2033, as a site's MTA speaks it.
func TestServerLMTP(t *testing.T) {
	id, b := instance(t), &inbox{}
	c, err := net.Dial("tcp", listen(t, mail.ServerConfig{LMTP: true, Accepts: id.Accepts, Handle: b.handle}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it ends here
	r := bufio.NewReader(c)
	for _, step := range []struct{ say, want string }{
		{"", "220"}, {"LHLO mta.example\r\n", "250"}, {"MAIL FROM:<> BODY=8BITMIME SMTPUTF8\r\n", "250"}, {"RCPT TO:<" + id.Reply(token) + ">\r\n", "250"}, {"RCPT TO:<x@example.org>\r\n", "550"},
		{"DATA\r\n", "354"}, {"Subject: x\r\n\r\nhello\r\n.\r\n", "250"}, {"QUIT\r\n", "221"},
	} {
		if _, err := io.WriteString(c, step.say); err != nil {
			t.Fatal(err)
		}
		line, err := r.ReadString('\n')
		for err == nil && len(line) > 3 && line[3] == '-' {
			line, err = r.ReadString('\n')
		}
		if err != nil || !strings.HasPrefix(line, step.want) {
			t.Fatalf("%q: %q, %v, want %s", step.say, line, err, step.want)
		}
	}
	if got := b.all(); len(got) != 1 || got[0].From != "" || len(got[0].To) != 1 || got[0].Peer.IsValid() {
		t.Errorf("%+v arrived", got)
	}
}

// TestServerBounds: beyond its connections, the server says so and goes on.
func TestServerBounds(t *testing.T) {
	address := listen(t, mail.ServerConfig{Accepts: anybody, Handle: (&inbox{}).handle, Conns: 2, Idle: 5 * time.Second})
	greeting := func() (net.Conn, string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		return c, line
	}
	a, first := greeting()
	b, second := greeting()
	c, third := greeting()
	if !strings.HasPrefix(first, "220") || !strings.HasPrefix(second, "220") || !strings.HasPrefix(third, "421") {
		t.Errorf("greeted with %q, %q, %q", first, second, third)
	}
	for _, c := range []net.Conn{a, b, c} {
		_ = c.Close()
	}
	for { // until the server has seen them go
		d, line := greeting()
		_ = d.Close()
		if strings.HasPrefix(line, "220") {
			return
		}
	}
}

// TestServerPeers: one client can't take all there is, and another is served meanwhile. What it brings too
// much of it keeps, and may bring later.
func TestServerPeers(t *testing.T) {
	var minutes atomic.Int64
	id, b := instance(t), &inbox{}
	address := listen(t, mail.ServerConfig{Accepts: id.Accepts, Handle: b.handle, PeerConns: 2, PeerMails: 2, Now: func() time.Time { return time.Unix(1.8e9+60*minutes.Load(), 0) }})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	greeting := func(from string) (net.Conn, string) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		line, _ := bufio.NewReader(c).ReadString('\n')
		return c, line
	}
	for i, want := range []string{"220", "220", "421"} {
		if _, line := greeting("127.0.0.2"); !strings.HasPrefix(line, want) {
			t.Errorf("connection %d is greeted with %q, want %s", i+1, line, want)
		}
	}
	if _, line := greeting("127.0.0.3"); !strings.HasPrefix(line, "220") {
		t.Errorf("another client is greeted with %q", line)
	}
	s := submitter(t, mail.Relay{Address: address, Policy: mail.TLSNone})
	for i, want := range []int{250, 250, 451} {
		if r := s.Submit(t.Context(), small(id.Reply(token))); r.Code != want {
			t.Errorf("mail %d: %+v, want %d", i+1, r, want)
		}
	}
	minutes.Add(1)
	if r := s.Submit(t.Context(), small(id.Reply(token))); r.Code != 250 {
		t.Errorf("a minute later: %+v", r)
	}
}

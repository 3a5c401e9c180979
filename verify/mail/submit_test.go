package mail_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

func submitter(t testing.TB, r mail.Relay) *mail.Submitter {
	t.Helper()
	if r.Helo == "" {
		r.Helo = "mail.example.org"
	}
	s, err := mail.NewSubmitter(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func small(to string) mail.Mail {
	return mail.Mail{ID: letter, From: "bounce+x@example.org", To: to, Raw: []byte("Subject: x\r\n\r\nhello\r\n.dot\r\n")}
}

func TestSubmit(t *testing.T) {
	cert, roots := mailtest.Certificate(t)
	b := &inbox{}
	offering := listen(t, mail.ServerConfig{Accepts: anybody, Handle: b.handle, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	bare := listen(t, mail.ServerConfig{Accepts: anybody, Handle: b.handle})
	tests := []struct {
		name    string
		relay   mail.Relay
		outcome mail.Outcome
		stage   string
	}{
		{"STARTTLS", mail.Relay{Address: offering, Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: roots}}, mail.Accepted, "end"},
		{"STARTTLS that is not offered", mail.Relay{Address: bare, Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: roots}}, mail.Temporary, "tls"},
		{"a certificate that nobody knows", mail.Relay{Address: offering, Policy: mail.TLSRequired}, mail.Temporary, "tls"},
		{"a certificate for another", mail.Relay{Address: offering, Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}}, mail.Temporary, "tls"},
		{"opportunistic, offered", mail.Relay{Address: offering, Policy: mail.TLSOpportunistic}, mail.Accepted, "end"},
		{"opportunistic, not offered", mail.Relay{Address: bare, Policy: mail.TLSOpportunistic}, mail.Accepted, "end"},
		{"none, on this machine", mail.Relay{Address: bare, Policy: mail.TLSNone}, mail.Accepted, "end"},
		{"implicit, where there is none", mail.Relay{Address: bare, Policy: mail.TLSImplicit, Command: time.Second}, mail.Temporary, "tls"},
		{"nobody listens", mail.Relay{Address: "127.0.0.1:1", Policy: mail.TLSNone}, mail.Temporary, "connect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := submitter(t, tt.relay).Submit(t.Context(), small("csirt@team.example"))
			if r.Outcome != tt.outcome || r.Stage != tt.stage || r.At.IsZero() || (r.Err == nil) != (tt.outcome == mail.Accepted) || r.Ours != (tt.outcome != mail.Accepted) {
				t.Errorf("Submit = %+v", r)
			}
		})
	}
	for _, env := range b.all() {
		if string(env.Raw) != string(small("").Raw) || env.From != "bounce+x@example.org" || env.Helo != "mail.example.org" || env.Peer != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%+v arrived: %q", env, env.Raw)
		}
	}
	if n := len(b.all()); n != 4 {
		t.Errorf("%d mails arrived, want 4", n)
	}
}

func TestSubmitterRefuses(t *testing.T) {
	for _, r := range []mail.Relay{
		{Address: "no port", Policy: mail.TLSRequired},
		{Address: "relay.example:587"},
		{Address: "relay.example:587", Policy: mail.TLSNone},
		{Address: "192.0.2.1:25", Policy: mail.TLSNone},
		{Address: "127.0.0.1:25", Policy: mail.TLSNone, User: "x"},
		{Address: "relay.example:587", Policy: mail.TLSOpportunistic, User: "x"},
	} {
		if _, err := mail.NewSubmitter(r); !errors.Is(err, mail.ErrRelay) {
			t.Errorf("NewSubmitter(%+v) = %v", r, err)
		}
	}
}

// scripted is a relay that says what it is told, for what go-smtp's server never says. Each connection gets the
// next script; a step is an answer to what came, "" closes.
func scripted(t *testing.T, scripts ...[]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, script := range scripts {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { play(c, script) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

func play(c net.Conn, script []string) {
	defer c.Close() //nolint:errcheck // it ends here
	r := bufio.NewReader(c)
	for i, say := range script {
		if say == "" {
			return
		}
		if _, err := io.WriteString(c, say+"\r\n"); err != nil {
			return
		}
		if i == len(script)-1 {
			break
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if !strings.HasPrefix(say, "354") || line == ".\r\n" {
				break
			}
		}
	}
	for { // until the other side goes
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line == "QUIT\r\n" {
			_, _ = io.WriteString(c, "221 bye\r\n")
			return
		}
	}
}

func TestSubmitJudges(t *testing.T) {
	const hello, size = "250 relay.example", "250-relay.example\r\n250 SIZE 20"
	tests := []struct {
		name              string
		script            []string
		want              string
		code              int
		status            string
		uncertain, ours   bool
		raw               string
		outcome, outcome2 mail.Outcome
	}{
		{name: "accepted, with its words", script: []string{"220 relay", hello, "250 ok", "250 ok", "354 go", "250 2.0.0 Ok: queued as 4ABC"}, want: "end", code: 250, status: "2.0.0", outcome: mail.Accepted},
		{name: "no such mailbox", script: []string{"220 relay", hello, "250 ok", "550 5.1.1 unknown", "250 ok"}, want: "rcpt", code: 550, status: "5.1.1", outcome: mail.Permanent},
		{name: "greylisted", script: []string{"220 relay", hello, "250 ok", "450 4.7.1 greylisted", "250 ok"}, want: "rcpt", code: 450, status: "4.7.1", outcome: mail.Temporary},
		{name: "refused at the end", script: []string{"220 relay", hello, "250 ok", "250 ok", "354 go", "554 5.7.1 no", "250 ok"}, want: "end", code: 554, status: "5.7.1", outcome: mail.Permanent},
		{name: "gone at the end", script: []string{"220 relay", hello, "250 ok", "250 ok", "354 go", ""}, want: "end", outcome: mail.Temporary, uncertain: true, ours: true},
		{name: "shutting down", script: []string{"220 relay", hello, "421 4.3.2 bye"}, want: "mail", code: 421, status: "4.3.2", outcome: mail.Temporary, ours: true},
		{name: "it will not greet", script: []string{"554 go away"}, want: "hello", code: 554, outcome: mail.Temporary, ours: true},
		{name: "larger than it takes", script: []string{"220 relay", size, "250 ok"}, want: "mail", code: 552, status: "5.3.4", outcome: mail.Permanent},
		{name: "eight bits where seven are taken", script: []string{"220 relay", hello, "250 ok"}, raw: "Subject: x\r\n\r\n\xc3\xa9\r\n", want: "mail", code: 554, status: "5.6.3", outcome: mail.Permanent},
		{name: "a line without CR", script: nil, raw: "Subject: x\n\nhello\r\n", want: "mail", outcome: mail.Permanent, ours: true},
		{name: "a line of 2,000 octets", script: nil, raw: "Subject: x\r\n\r\n" + strings.Repeat("x", 2000) + "\r\n", want: "mail", outcome: mail.Permanent, ours: true},
		{name: "NUL", script: nil, raw: "Subject: x\r\n\r\n\x00\r\n", want: "mail", outcome: mail.Permanent, ours: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small("csirt@team.example")
			if tt.raw != "" {
				m.Raw = []byte(tt.raw)
			}
			r := submitter(t, mail.Relay{Address: scripted(t, tt.script), Policy: mail.TLSNone}).Submit(t.Context(), m)
			if r.Outcome != tt.outcome || r.Stage != tt.want || r.Code != tt.code || r.Status != tt.status || r.Uncertain != tt.uncertain || r.Ours != tt.ours {
				t.Errorf("Submit = %+v", r)
			}
			if tt.outcome == mail.Accepted && r.Reply != "2.0.0 Ok: queued as 4ABC" {
				t.Errorf("the relay said %q", r.Reply)
			}
		})
	}
}

// TestSubmitKeeps: one connection is used again, and a dead one is replaced without a word.
func TestSubmitKeeps(t *testing.T) {
	ok := []string{"250 ok", "250 ok", "354 go", "250 2.0.0 queued"}
	first := append([]string{"220 relay", "250 relay.example"}, append(append([]string{}, ok...), ok...)...)
	first = append(first, "") // and gone
	second := append([]string{"220 relay", "250 relay.example"}, ok...)
	s := submitter(t, mail.Relay{Address: scripted(t, first, second), Policy: mail.TLSNone, Conns: 1})
	for i := range 3 {
		if r := s.Submit(t.Context(), small("csirt@team.example")); r.Outcome != mail.Accepted {
			t.Errorf("mail %d: %+v", i, r)
		}
	}
}

func TestSubmitGivesUp(t *testing.T) {
	silent := scripted(t, []string{"220 relay", "250 relay.example", "250 ok", "250 ok", "354 go"}) // and never an answer
	ctx, cancel := context.WithCancel(t.Context())
	s := submitter(t, mail.Relay{Address: silent, Policy: mail.TLSNone, Conns: 1})
	done := make(chan mail.Result)
	go func() { done <- s.Submit(ctx, small("csirt@team.example")) }()
	cancel()
	if r := <-done; r.Outcome != mail.Temporary || r.Err == nil {
		t.Errorf("Submit = %+v", r)
	}
	slow := submitter(t, mail.Relay{Address: scripted(t, []string{"220 relay", "250 relay.example", "250 ok", "250 ok", "354 go"}), Policy: mail.TLSNone, Data: 50 * time.Millisecond})
	if r := slow.Submit(t.Context(), small("csirt@team.example")); r.Outcome != mail.Temporary || !r.Uncertain {
		t.Errorf("Submit = %+v", r)
	}
}

// TestSubmitImplicit: TLS from the start, and a password over it.
func TestSubmitImplicit(t *testing.T) {
	cert, roots := mailtest.Certificate(t)
	for _, tt := range []struct {
		name, answer, stage string
		outcome             mail.Outcome
	}{
		{"the right password", "235 2.7.0 ok", "end", mail.Accepted},
		{"a wrong password", "535 5.7.8 no", "auth", mail.Temporary},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
			if err != nil {
				t.Fatal(err)
			}
			said := make(chan string, 1)
			go func() { said <- relayOnce(l, tt.answer) }()
			s := submitter(t, mail.Relay{Address: l.Addr().String(), Policy: mail.TLSImplicit, User: "rollcall", Password: "secret", TLS: &tls.Config{RootCAs: roots}})
			r := s.Submit(t.Context(), small("csirt@team.example"))
			if r.Outcome != tt.outcome || r.Stage != tt.stage || r.Ours != (tt.outcome != mail.Accepted) {
				t.Errorf("Submit = %+v", r)
			}
			_ = s.Close()
			_ = l.Close()
			if auth := <-said; auth != "AUTH PLAIN AHJvbGxjYWxsAHNlY3JldA==" { // RFC 4616: NUL, user, NUL, password
				t.Errorf("it said %q", auth)
			}
		})
	}
}

// relayOnce takes one connection, and returns how the client identified itself.
func relayOnce(l net.Listener, answer string) (auth string) {
	c, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer c.Close() //nolint:errcheck // it ends here
	r, say := bufio.NewReader(c), "220 relay"
	for {
		if _, err := io.WriteString(c, say+"\r\n"); err != nil {
			return auth
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return auth
		}
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch say = "250 ok"; word {
		case "EHLO":
			say = "250-relay.example\r\n250 AUTH PLAIN"
		case "AUTH":
			auth, say = strings.TrimSpace(line), answer
		case "DATA":
			say = "354 go"
			_, _ = io.WriteString(c, say+"\r\n")
			for line != ".\r\n" && err == nil {
				line, err = r.ReadString('\n')
			}
			say = "250 queued"
		case "QUIT":
			_, _ = io.WriteString(c, "221 bye\r\n")
			return auth
		}
	}
}

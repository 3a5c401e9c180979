package verify_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

// greet visits a host of the test's net, and sees that its transcript is whole.
func (n *net_) greet(l verify.Network, host string) *verify.Visit {
	n.t.Helper()
	n.mu.Lock()
	addr := netip.MustParseAddr(strings.TrimPrefix(n.zone[host+". A"][0], "A "))
	n.mu.Unlock()
	rec := verify.Record(l)
	q := verify.Greeting{Host: host, Addr: addr}
	v, err := rec.Greet(n.t.Context(), q)
	if err != nil {
		n.t.Fatalf("Greet(%s): %v", host, err)
	}
	data, _, err := rec.Transcript("x", verify.Target{}).Encode()
	if err != nil {
		n.t.Fatal(err)
	}
	kept, err := verify.DecodeTranscript(data)
	if err != nil {
		n.t.Fatal(err)
	}
	again, err := verify.Replay(kept).Greet(n.t.Context(), q)
	if err != nil || len(again.Replies) != len(v.Replies) || len(again.Chain) != len(v.Chain) || failureOf(again.Failure) != failureOf(v.Failure) {
		n.t.Errorf("the replay of %s is %+v, %v; want %+v", host, again, err, v)
	}
	var trouble *verify.Trouble
	if _, err := verify.Replay(kept).Greet(n.t.Context(), verify.Greeting{Host: "else", Addr: addr}); !errors.As(err, &trouble) || trouble.Code != verify.CodeNotRecorded {
		n.t.Errorf("a visit that was not recorded: %v", err)
	}
	return v
}

// counting is a mail server that counts what nobody may ask of it.
type counting struct{ asked atomic.Int64 }

func (b *counting) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (b *counting) Mail(string, *smtp.MailOptions) error        { b.asked.Add(1); return nil }
func (b *counting) Rcpt(string, *smtp.RcptOptions) error        { b.asked.Add(1); return nil }
func (b *counting) Data(io.Reader) error                        { b.asked.Add(1); return nil }
func (*counting) Reset()                                        {}
func (*counting) Logout() error                                 { return nil }

// TestGreet visits real mail servers: with a good certificate, with bad ones, and without TLS.
func TestGreet(t *testing.T) {
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) { c.Helo = "rollcall.example.org" })
	b := &counting{}
	serve := func(host string, cfg *tls.Config) {
		n.listenRaw(host, func(c net.Conn) {
			s := smtp.NewServer(b)
			s.Domain, s.TLSConfig = host, cfg
			_ = s.Serve(&oneConn{conn: c, closed: make(chan struct{})})
		})
	}
	with := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	serve("good.example", with(n.cert("good.example", nil, false)))
	serve("name.example", with(n.cert("other.example", nil, false)))
	serve("old.example", with(n.cert("old.example", func(c *x509.Certificate) { c.NotAfter = n.now.Add(-time.Hour) }, false)))
	serve("self.example", with(n.cert("self.example", nil, true)))
	serve("plain.example", nil)
	serve("tls11.example", &tls.Config{Certificates: []tls.Certificate{n.cert("tls11.example", nil, false)}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	for _, tt := range []struct {
		host, problem string
		tls           bool
		failure       verify.Code
	}{
		{"good.example", "", true, ""}, {"name.example", "wrong-name", true, ""}, {"old.example", "expired", true, ""}, {"self.example", "self-signed", true, ""},
		{"plain.example", "", false, ""}, {"tls11.example", "", false, verify.FetchTLSVersion},
	} {
		v := n.greet(l, tt.host)
		if failureOf(v.Failure) != tt.failure || (v.TLS != nil) != tt.tls || v.Offers("STARTTLS") != (tt.host != "plain.example") {
			t.Errorf("Greet(%s) = %+v, %+v", tt.host, v, v.Failure)
			continue
		}
		if e := v.To("EHLO"); e == nil || e.Sent != "EHLO rollcall.example.org" || v.To("").Code != 220 {
			t.Errorf("%s: it was said %+v", tt.host, v.Replies)
		}
		if q := v.To("QUIT"); tt.failure == "" && (q == nil || q.Code != 221) {
			t.Errorf("%s: no leave was taken: %+v", tt.host, v.Replies)
		}
		if tt.tls && (v.TLS.Problem != tt.problem || v.TLS.Verified != (tt.problem == "") || v.TLS.Version != "TLS 1.3" || len(v.Chain) != 1 || len(v.TLS.Chain) != 1) {
			t.Errorf("%s: %+v with %d certificates, want %q", tt.host, v.TLS, len(v.Chain), tt.problem)
		}
	}
	if b.asked.Load() != 0 {
		t.Errorf("servers were asked %d things about mails and addresses", b.asked.Load())
	}
	nameless := n.greet(n.live(), "good.example")
	if e := nameless.To("EHLO"); e == nil || !strings.HasPrefix(e.Sent, "EHLO [127.0.0.1") {
		t.Errorf("without a name it was said %+v", e)
	}
}

// TestGreetNameless: without a name, nobody outside is told an inside address.
func TestGreetNameless(t *testing.T) {
	n := newNet(t)
	heard := make(chan string, 1)
	n.listenRaw("mx.example", func(c net.Conn) {
		_, _ = io.WriteString(c, "220 mx ESMTP\r\n")
		said, _ := io.ReadAll(c)
		heard <- string(said)
	})
	n.mu.Lock()
	lies := netip.MustParseAddr(strings.TrimPrefix(n.zone["mx.example. A"][0], "A "))
	at := netip.AddrPortFrom(lies, n.ports[lies])
	n.mu.Unlock()
	l := n.live(func(c *verify.LiveConfig) { c.Map = func(netip.AddrPort) netip.AddrPort { return at } })
	for _, outside := range []string{"9.9.9.9", "2620:fe::fe"} {
		_, err := l.Greet(t.Context(), verify.Greeting{Host: "mx.example", Addr: netip.MustParseAddr(outside)})
		if trouble := wantTrouble(t, err, verify.CodeInternal); !strings.Contains(trouble.Detail, "mail_host") {
			t.Errorf("Greet(%s) = %v; want mail_host named", outside, err)
		}
		if said := <-heard; said != "" {
			t.Errorf("Greet(%s) said %q", outside, said)
		}
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	used   bool
	closed chan struct{}
}

func (o *oneConn) Accept() (net.Conn, error) {
	if !o.used {
		o.used = true
		return &endingConn{Conn: o.conn, closed: o.closed}, nil
	}
	<-o.closed
	return nil, net.ErrClosed
}
func (o *oneConn) Close() error   { return nil }
func (o *oneConn) Addr() net.Addr { return o.conn.LocalAddr() }

// endingConn tells when it is closed.
type endingConn struct {
	net.Conn
	closed chan struct{}
	once   atomic.Bool
}

func (e *endingConn) Close() error {
	if e.once.CompareAndSwap(false, true) {
		close(e.closed)
	}
	return e.Conn.Close()
}

// TestGreetHostile: whatever answers at port 25, a visit is short, keeps little, says nothing for good of
// what may be different in an hour, and names no mail and no address.
func TestGreetHostile(t *testing.T) {
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) { c.Connect, c.Total = time.Second, 2*time.Second })
	const hello = "220 mx ESMTP\r\n"
	// after says something when so many commands were heard.
	after := func(says ...string) func(net.Conn) {
		return func(c net.Conn) {
			r := bufio.NewReader(c)
			for i, s := range says {
				if i > 0 {
					if line, err := r.ReadString('\n'); err != nil || strings.HasPrefix(line, "MAIL") || strings.HasPrefix(line, "RCPT") {
						return
					}
				}
				if _, err := io.WriteString(c, s); err != nil {
					return
				}
			}
			_, _ = r.ReadString('\n')
		}
	}
	endless := func(first, again string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for err == nil {
				_, err = io.WriteString(c, again)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		serve func(net.Conn)
		want  verify.Code // always temporary; "": it ends in peace
		last  int         // code of the last reply
	}{
		{"silence", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, verify.FetchTimeout, 0},
		{"it hangs up", func(net.Conn) {}, verify.FetchTruncated, 0},
		{"a banner without end", endless("", "220-hello\r\n"), verify.FetchNoSMTP, 0},
		{"a line without end", endless("220 ", strings.Repeat("x", 512)), verify.FetchNoSMTP, 0},
		{"a line of 1,003 octets", after("220 " + strings.Repeat("x", 999) + "\r\n"), verify.FetchNoSMTP, 0},
		{"letters by and by", func(c net.Conn) {
			_, err := io.WriteString(c, "220-")
			for tick := time.NewTicker(50 * time.Millisecond); err == nil; <-tick.C {
				_, err = io.WriteString(c, "x")
			}
		}, verify.FetchTimeout, 0},
		{"a page", after("HTTP/1.1 400 Bad Request\r\n\r\n"), verify.FetchNoSMTP, 0},
		{"octets", after("\x00\x01\x02\x03\xff\xfe\r\n"), verify.FetchNoSMTP, 0},
		{"another code in one reply", after("220-a\r\n250 b\r\n"), verify.FetchNoSMTP, 0},
		{"a code that there is not", after("999 mx\r\n"), verify.FetchNoSMTP, 0},
		{"an empty line", after("\r\n"), verify.FetchNoSMTP, 0},
		{"no service", after("554 No SMTP service here\r\n", "221 Bye\r\n"), "", 221},
		{"later", after("421 Too busy\r\n", "221 Bye\r\n"), "", 221},
		{"no leave", after("554 No\r\n", "xx"), "", 554},
		{"no EHLO", after(hello, "502 What?\r\n", "221 Bye\r\n"), "", 221},
		{"extensions without end", func(c net.Conn) {
			after(hello)(c) // and hears EHLO
			endless("", "250-X\r\n")(c)
		}, verify.FetchNoSMTP, 220},
		{"TLS not now", after(hello, "250-mx\r\n250 STARTTLS\r\n", "454 Not now\r\n", "221 Bye\r\n"), "", 221},
		{"it goes on in clear", after(hello, "250-mx\r\n250 STARTTLS\r\n", "220 Go\r\n250 mx\r\n"), verify.FetchNoSMTP, 220},
		{"junk for TLS", after(hello, "250-mx\r\n250 STARTTLS\r\n", "220 Go\r\n", strings.Repeat("junk ", 100)), verify.FetchTLS, 220},
		{"a handshake that fails", after(hello, "250-mx\r\n250 STARTTLS\r\n", "220 Go\r\n", "\x15\x03\x03\x00\x02\x02\x28"), verify.FetchTLS, 220},
		{"words about versions", after("unsupported protocol version\r\n"), verify.FetchNoSMTP, 0},
		{"silence for TLS", func(c net.Conn) {
			after(hello, "250-mx\r\n250 STARTTLS\r\n", "220 Go\r\n")(c)
			_, _ = io.Copy(io.Discard, c)
		}, verify.FetchTimeout, 220},
		{"it hangs up for TLS", after(hello, "250-mx\r\n250 STARTTLS\r\n", "220 Go\r\n", ""), verify.FetchTruncated, 220},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := hostOf(tt.name)
			n.listenRaw(host, tt.serve)
			begun := time.Now()
			v := n.greet(l, host)
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("it took %s", took)
			}
			last := 0
			if len(v.Replies) > 0 {
				last = v.Replies[len(v.Replies)-1].Code
			}
			if failureOf(v.Failure) != tt.want || v.Failure != nil && !v.Failure.Temporary || last != tt.last {
				t.Errorf("Greet = %+v, %+v; want %q after %d", v.Replies, v.Failure, tt.want, tt.last)
			}
			for _, r := range v.Replies {
				for _, line := range r.Lines {
					if len(line) > verify.MaxEvidence || len(r.Lines) > 64 {
						t.Errorf("%d lines are kept, one of %d octets", len(r.Lines), len(line))
					}
				}
			}
		})
	}
}

// TestGreetRefuses: addresses that are not fetched from are not visited either.
func TestGreetRefuses(t *testing.T) {
	n := newNet(t)
	port, count := trap(t)
	deny, hole := netip.MustParsePrefix("9.9.9.0/24"), netip.MustParsePrefix("127.0.1.200/32")
	l := n.live(func(c *verify.LiveConfig) {
		c.Map = func(netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port) }
		c.Deny = []netip.Prefix{deny, hole}
	})
	for _, addr := range append(specials, hole.Addr().String(), "9.9.9.9") {
		a := netip.MustParseAddr(addr)
		want := verify.FetchAddress
		if deny.Contains(a) {
			want = verify.FetchDenied
		}
		v, err := l.Greet(t.Context(), verify.Greeting{Host: "mx.example", Addr: a})
		if err != nil || failureOf(v.Failure) != want {
			t.Errorf("Greet(%s) = %+v, %v; want %s", addr, v, err, want)
		}
	}
	if count.Load() != 0 {
		t.Errorf("%d connections were made", count.Load())
	}
	if v := n.greet(n.live(), nobody(n)); failureOf(v.Failure) != verify.FetchRefused || !v.Failure.Temporary {
		t.Errorf("where nobody listens: %+v", v.Failure)
	}
}

// nobody is a host at which nobody listens.
func nobody(n *net_) string {
	port := netip.MustParseAddrPort(mailtest.FreePort(n.t.(*testing.T))).Port()
	n.mu.Lock()
	n.ports[netip.MustParseAddr("127.0.1.250")] = port
	n.mu.Unlock()
	n.record("nobody.example.", "A 127.0.1.250")
	return "nobody.example"
}

// TestGreetPostfix visits a real Postfix.
func TestGreetPostfix(t *testing.T) {
	p := mailtest.StartPostfix(t, mailtest.Site{Domain: "team.example", Boxes: []string{"csirt"}, Own: "example.org", LMTP: mailtest.FreePort(t), Refuses: mailtest.FreePort(t)})
	at := netip.MustParseAddrPort(p.Address)
	n := newNet(t)
	l := n.live(func(c *verify.LiveConfig) {
		c.Now, c.Roots, c.Helo = time.Now, p.Roots, "rollcall.example.org"
		c.Allow = append(c.Allow, netip.PrefixFrom(at.Addr(), 32))
		c.Map = func(netip.AddrPort) netip.AddrPort { return at }
		c.Connect, c.Total = 10*time.Second, 30*time.Second
	})
	n.record("127.0.0.1.", "A 127.0.1.1") // the certificate is for the address
	if v := n.greet(l, "127.0.0.1"); v.Failure != nil || v.TLS == nil || !v.TLS.Verified || v.To("QUIT") == nil || !strings.Contains(v.To("").Lines[0], "Postfix") {
		t.Errorf("Greet = %+v, %+v", v, v.Failure)
	}
	n.record("mx.team.example.", "A 127.0.1.1")
	if v := n.greet(l, "mx.team.example"); v.Failure != nil || v.TLS == nil || v.TLS.Problem != "wrong-name" {
		t.Errorf("Greet by another name = %+v, %+v", v, v.Failure)
	}
}

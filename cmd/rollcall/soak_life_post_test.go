package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

var letterOf = regexp.MustCompile(`<([0-9a-f-]{36})-([a-z0-9-]+)\.[0-9a-z]+@`)

// postman answers mails as the habit of each contact says, and delivers until somebody took it.
type postman struct {
	l       *life
	maildir string
	taken   atomic.Int64 // deliveries that a server took
	waiting atomic.Int64
	hands   chan struct{} // how many deliver at once
	ctx     context.Context
	parts   sync.WaitGroup

	mu    sync.Mutex
	heard map[string]bool // message ids: what is handed over again is not answered again
}

func newPostman(l *life, dir string) *postman {
	p := &postman{l: l, maildir: filepath.Join(dir, "maildir"), hands: make(chan struct{}, 6), heard: map[string]bool{}}
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(p.maildir, sub), 0o700); err != nil {
			l.t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	p.ctx = ctx
	l.t.Cleanup(func() { stop(); p.parts.Wait() })
	return p
}

// idle reports whether all answers have been taken.
func (p *postman) idle() bool {
	left, err := os.ReadDir(filepath.Join(p.maildir, "new"))
	return err == nil && len(left) == 0 && p.waiting.Load() == 0
}

// hear is told of each mail that the relay took.
func (p *postman) hear(env mail.Envelope) {
	id := string(messageID.FindSubmatch(env.Raw)[1])
	p.mu.Lock()
	again := p.heard[id]
	p.heard[id] = true
	p.mu.Unlock()
	if again {
		return
	}
	letter := letterOf.FindStringSubmatch(id)
	if letter == nil {
		p.l.t.Errorf("a mail with the id %s", id)
		return
	}
	p.waiting.Add(1)
	p.parts.Go(func() {
		defer p.waiting.Add(-1)
		p.hands <- struct{}{}
		defer func() { <-p.hands }()
		p.react(env, habitOf(env.To[0]), letter[2])
	})
}

// react does what a contact does about the mail of a step.
func (p *postman) react(env mail.Envelope, h habit, step string) {
	read, err := netmail.ReadMessage(bytes.NewReader(env.Raw))
	if err != nil {
		p.l.t.Error(err)
		return
	}
	reply, err := netmail.ParseAddress(read.Header.Get("Reply-To"))
	if err != nil {
		p.l.t.Error(err)
		return
	}
	first := step == "first"
	switch {
	case h == answersSMTP && first:
		for range 2 {
			p.deliver("smtp", env.To[0], reply.Address, p.signed(env, reply.Address))
		}
	case h == answersLMTP && first:
		p.deliver("lmtp", env.To[0], reply.Address, p.signed(env, reply.Address))
	case h == reminded && step == "reminder-1":
		p.store(p.signed(env, reply.Address))
	case h == bounces:
		for range 2 {
			p.deliver("lmtp", "", env.From, "From: MAILER-DAEMON@team.example\r\nTo: "+env.From+"\r\nMessage-ID: <b"+step+"-"+env.To[0]+">\r\nSubject: Undelivered Mail Returned to Sender\r\n"+
				"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
				"Reporting-MTA: dns; mx.team.example\r\n\r\nFinal-Recipient: rfc822; "+env.To[0]+"\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n")
		}
	case h == away && first:
		p.deliver("smtp", env.To[0], reply.Address, p.head(env, reply.Address)+"Auto-Submitted: auto-replied\r\nContent-Type: text/plain\r\n\r\nWe are away.\r\n")
	case h == types && first:
		p.typeCode(env)
	}
}

func (p *postman) head(env mail.Envelope, to string) string {
	return fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: Re: your mail\r\nMessage-ID: <answer-%s>\r\nMIME-Version: 1.0\r\n", env.To[0], to, env.To[0])
}

// signed is the same mail however often it is delivered.
func (p *postman) signed(env mail.Envelope, to string) string {
	return p.head(env, to) + signedAnswer(p.l.t, p.l.key, p.l.now(), env.Raw)
}

// until tries again and again, each time with another server, until one took it.
func (p *postman) until(try func(node []string) error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; p.ctx.Err() == nil; n++ {
		if err := try(p.l.ports[n%len(p.l.ports)]); err == nil {
			p.taken.Add(1)
			return
		}
		select {
		case <-p.ctx.Done():
		case <-tick.C:
		}
	}
}

func (p *postman) deliver(by, from, to, raw string) {
	p.until(func(node []string) error {
		port, client := node[1], smtp.NewClient
		if by == "lmtp" {
			port, client = node[2], smtp.NewClientLMTP
		}
		conn, err := net.Dial("tcp", port)
		if err != nil {
			return err
		}
		c := client(conn)
		defer c.Close() //nolint:errcheck // it said what it had to say
		return c.SendMail(from, []string{to}, strings.NewReader(raw))
	})
}

// store puts a mail into the Maildir, as the site's mail server does.
func (p *postman) store(raw string) {
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(raw)))
	tmp := filepath.Join(p.maildir, "tmp", name)
	err := os.WriteFile(tmp, []byte(raw), 0o600)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(p.maildir, "new", name))
	}
	if err != nil {
		p.l.t.Error(err)
	}
	p.taken.Add(1)
}

// typeCode types the code of a mail on the page of its link.
func (p *postman) typeCode(env mail.Envelope) {
	text := strings.ReplaceAll(string(env.Raw), "=\r\n", "")
	link, code := answerLink.FindStringSubmatch(text), strings.TrimSpace(mailedCode.FindString(text))
	if link == nil || code == "" {
		p.l.t.Errorf("no link or code in\n%s", env.Raw)
		return
	}
	p.until(func(node []string) error {
		r, err := http.PostForm("http://"+node[0]+link[1], url.Values{"code": {code}, "choice": {"team"}})
		if err != nil {
			return err
		}
		defer r.Body.Close() //nolint:errcheck // it is not read
		if r.StatusCode == http.StatusTooManyRequests || r.StatusCode >= 500 {
			return fmt.Errorf("%s", r.Status)
		}
		return nil // it counts, or has counted: then the word of it was lost with a server
	})
}

// hookSite takes webhooks, and keeps what it was posted by id.
type hookSite struct {
	resolver, proxy, ca string
	all                 atomic.Int64

	mu    sync.Mutex
	got   map[string][]string // bodies by id of delivery
	order []string            // ids as they came first
}

func newHookSite(t *testing.T) *hookSite {
	t.Helper()
	h := &hookSite{got: map[string][]string{}, ca: filepath.Join(t.TempDir(), "ca.pem")}
	certificate, root, err := hookCertificate("hooks.example")
	if err == nil {
		err = os.WriteFile(h.ca, root, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	site, proxy := listen(), listen()
	server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		_ = server.Serve(tls.NewListener(site, &tls.Config{Certificates: []tls.Certificate{certificate}}))
	}()
	go leadTo(proxy, site.Addr().String())
	names, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	resolver := &dns.Server{PacketConn: names, Handler: dns.HandlerFunc(answerHooks), NotifyStartedFunc: func() { close(started) }}
	go func() { _ = resolver.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = resolver.Shutdown(); _ = server.Close() })
	h.resolver, h.proxy = names.LocalAddr().String(), "http://"+proxy.Addr().String()
	return h
}

// ServeHTTP notes what was posted.
func (h *hookSite) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	id := q.Header.Get("Rollcall-Delivery")
	h.mu.Lock()
	if h.got[id] == nil {
		h.order = append(h.order, id)
	}
	h.got[id] = append(h.got[id], string(body))
	h.mu.Unlock()
	h.all.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

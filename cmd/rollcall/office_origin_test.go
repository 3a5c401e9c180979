package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net"
	netmail "net/mail"
	"net/smtp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// zone is a DNS of texts on loopback: what a name has not, does not exist.
type zone struct {
	address string

	mu    sync.Mutex
	texts map[string]string // by name, with its last dot
	away  bool
}

func newZone(t testing.TB) *zone {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	z := &zone{address: pc.LocalAddr().String(), texts: map[string]string{}}
	started, done := make(chan struct{}), make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: z}
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return z
}

func (z *zone) set(texts map[string]string, away bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.texts, z.away = texts, away
}

// ServeDNS implements [dns.Handler].
func (z *zone) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	z.mu.Lock()
	text, away := z.texts[strings.ToLower(q.Question[0].Name)], z.away
	z.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	switch {
	case away:
		m.Rcode = dns.RcodeServerFailure
	case text == "":
		m.Rcode = dns.RcodeNameError
	case q.Question[0].Qtype == dns.TypeTXT:
		m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{text}})
	}
	_ = w.WriteMsg(m)
}

// TestOfficeOrigin: what speaks for where an answer came from is kept in the log of the question, and
// decides nothing: a mail that DKIM and DMARC vouch for proves as little as one without. DNS that is away is a
// temporary error, and the mail is taken in.
func TestOfficeOrigin(t *testing.T) {
	p := newWorkplace(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	zone := map[string]string{"k._domainkey.alpha.example.": "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public), "_dmarc.alpha.example.": "v=DMARC1; p=reject"}
	p.zone.set(zone, false)
	q, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode})
	if err != nil {
		t.Fatal(err)
	}
	sent, err := netmail.ReadMessage(bytes.NewReader(p.mail().Raw))
	if err != nil {
		t.Fatal(err)
	}
	to := sent.Header.Get("Reply-To")
	answer := func(subject string) {
		t.Helper()
		var signed bytes.Buffer
		text := "From: csirt@alpha.example\r\nTo: rollcall@rollcall.example\r\nSubject: " + subject + "\r\nAuthentication-Results: mx.evil.example; dmarc=pass header.from=alpha.example\r\n\r\nWe are here.\r\n"
		if err := dkim.Sign(&signed, strings.NewReader(text), &dkim.SignOptions{Domain: "alpha.example", Selector: "k", Signer: private, HeaderKeys: []string{"From", "Subject"}}); err != nil {
			t.Fatal(err)
		}
		if err := smtp.SendMail(p.s.office.doors[0].listener.Addr().String(), nil, "csirt@alpha.example", []string{to}, signed.Bytes()); err != nil {
			t.Fatalf("%v; the log says %s", err, p.log)
		}
	}
	answer("Re: one")
	p.until(q.ID, "replied to", func(c *challenge.Challenge) bool { return !c.Replied.IsZero() })
	p.zone.set(nil, true)
	answer("Re: two")
	log, err := p.s.db.ChallengeLog(t.Context(), q.ID)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range log {
		if l.Event.Kind == challenge.EventPlainReply && l.Event.Origin != nil {
			got = append(got, l.Event.Origin.String())
		}
	}
	const none = "spf=none (the sender's address is not known); " // loopback is a machine of the site
	if want := none + "dkim=pass alpha.example; dmarc=pass reject|" + none + "dkim=temperror alpha.example; dmarc=temperror"; strings.Join(got, "|") != want {
		t.Errorf("the log has %q, want %q", got, want)
	}
	if known, err := p.s.db.Selectors(t.Context(), []string{"alpha.example"}); err != nil || len(known) != 1 || known[0].Owner() != "k._domainkey.alpha.example." {
		t.Errorf("the name of the key that was learnt: %+v, %v", known, err)
	}
	if c, err := p.s.db.Challenge(t.Context(), q.ID); err != nil || c.State.Final() || c.Reached > directory.Deliverable {
		t.Errorf("after replies that prove nothing: %+v, %v", c, err)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// workplace is a whole server that asks contacts, with a relay behind it.
type workplace struct {
	t     *testing.T
	c     *call
	log   *lockedBuffer
	s     *server
	relay chan mail.Envelope
	team  directory.Team
	zone  *zone
}

// newWorkplace starts one; it is stopped at the end of the test.
func newWorkplace(t *testing.T) *workplace {
	t.Helper()
	p := &workplace{t: t, relay: make(chan mail.Envelope, 100), zone: newZone(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relay := mail.NewServer(mail.ServerConfig{Host: "relay.example", Accepts: func(string) bool { return true }, Handle: func(_ context.Context, env mail.Envelope) error {
		p.relay <- env
		return nil
	}})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = relay.Serve(ctx, l) }()
	p.c, p.log = newTestCall(t, config{ShutdownTimeout: time.Minute, Verify: verifyConfig{Resolvers: []string{p.zone.address}}, Challenge: challengeConfig{On: true, Dir: filepath.Join(t.TempDir(), "mail"), Name: "Rollcall",
		Address: "rollcall@rollcall.example", Contact: "https://rollcall.example/about", Pages: "https://rollcall.example/", Operator: "Example Forum",
		Relay: l.Addr().String(), RelayTLS: mail.TLSNone, SMTP: "127.0.0.1:0"}})
	p.c.now = time.Now // mails and their answers pass real programs
	if _, err := mail.CreateIdentity(p.c.cfg.Challenge.identity()); err != nil {
		t.Fatal(err)
	}
	if _, err := makeChallengeKey(filepath.Join(p.c.cfg.Challenge.Dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if p.s, err = p.c.newServer(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- p.s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	p.team, err = p.s.door.Create(t.Context(), directory.Principal{Name: "op", Role: directory.Operator}, directory.NewTeam{Handle: "alpha", Profile: directory.Profile{
		Names: directory.Names{Short: "ALPHA"}, Hours: directory.Hours{Always: true}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@alpha.example"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// mail waits for the next mail that the relay takes.
func (p *workplace) mail() mail.Envelope {
	p.t.Helper()
	select {
	case env := <-p.relay:
		return env
	case <-time.After(30 * time.Second):
		p.t.Fatalf("no mail came; the log says %s", p.log)
	}
	return mail.Envelope{}
}

// until waits until a question is as it should be.
func (p *workplace) until(id challenge.ID, what string, as func(*challenge.Challenge) bool) challenge.Challenge {
	p.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		c, err := p.s.db.Challenge(p.t.Context(), id)
		if err != nil {
			p.t.Fatal(err)
		}
		if as(&c) {
			return c
		}
		if time.Since(begun) > 30*time.Second {
			p.t.Fatalf("the question is not %s: %+v; the log says %s", what, c, p.log)
		}
	}
}

var (
	answerLink = regexp.MustCompile(`https://rollcall\.example(/answer/[0-9A-Z]{32})`)
	stopLink   = regexp.MustCompile(`https://rollcall\.example(/stop/[0-9A-Z]{32})`)
	mailedCode = regexp.MustCompile(`(?m)^ *[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\r?$`)
)

// TestOffice lets a server ask a contact over SMTP: nobody answers by looking, an automatic
// reply and a bounce count as what they are, the code typed on the page proves level 2, and
// one click on the page of the mail's own header stops the mails.
func TestOffice(t *testing.T) {
	p := newWorkplace(t)
	q, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode})
	if err != nil {
		t.Fatal(err)
	}
	env := p.mail()
	text := strings.ReplaceAll(string(env.Raw), "=\r\n", "")
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	link, code := answerLink.FindStringSubmatch(text), strings.TrimSpace(mailedCode.FindString(body))
	unsubscribe := stopLink.FindStringSubmatch(strings.ReplaceAll(text, "\r\n ", ""))
	if link == nil || code == "" || unsubscribe == nil || !strings.Contains(text, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Fatalf("the mail lacks a link, a code or a way to stop:\n%s", text)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{link[1], unsubscribe[1]} {
			if status, page := p.ask(method, path, nil); status != 200 || method == http.MethodGet && !strings.Contains(page, "Example Forum") {
				t.Errorf("%s %s: %d %.200s", method, path, status, page)
			}
		}
	}
	for choice, not := range map[string]string{"confirm": "have noted", "new-code": "on its way"} { // which this policy, and a code that works, do not offer
		if status, page := p.ask(http.MethodPost, link[1], url.Values{"choice": {choice}}); status != 200 || strings.Contains(page, not) || !strings.Contains(page, "Code from the mail") {
			t.Errorf("%s: %d %.600s", choice, status, page)
		}
	}
	p.reply(env.From, "", "Subject: Automatic reply: away\r\nAuto-Submitted: auto-replied\r\n", "I am away. "+code)
	p.until(q.ID, "known as automatically answered", func(c *challenge.Challenge) bool { return !c.Auto.IsZero() && c.State == challenge.StateDelivered })
	if status, page := p.ask(http.MethodPost, link[1], url.Values{"code": {"0000-0000"}, "choice": {"team"}}); status != 422 || !strings.Contains(page, "Attempts left: 4") {
		t.Errorf("a wrong code: %d %.600s", status, page)
	}
	if status, page := p.ask(http.MethodPost, link[1], url.Values{"code": {strings.ToLower(code)}, "choice": {"team"}}); status != 200 || !strings.Contains(page, "Your answer for") {
		t.Errorf("the right code: %d %.600s", status, page)
	}
	c := p.until(q.ID, "answered", func(c *challenge.Challenge) bool { return c.State == challenge.StateAnswered })
	if c.Reached != directory.Answered || strings.Contains(p.log.String(), code) || strings.Contains(p.log.String(), link[1]) {
		t.Errorf("level %d; the log must have neither code nor token: %s", c.Reached, p.log)
	}
	if status, page := p.ask(http.MethodPost, unsubscribe[1], url.Values{"List-Unsubscribe": {"One-Click"}}); status != 200 || !strings.Contains(page, "no further mail") {
		t.Errorf("stopping by one click: %d %.600s", status, page)
	}
	marks, err := p.s.db.Marks(t.Context(), p.team.ID)
	if err != nil || len(marks) != 1 || marks[0].Flag != challenge.FlagOptOut {
		t.Errorf("marks %+v, %v, want an opt-out", marks, err)
	}
	if status, page := p.ask(http.MethodGet, "/v1//teams", nil); status != 404 || !strings.Contains(page, "request.path") {
		t.Errorf("the API beside the pages, asked at a path that is none: %d %s", status, page)
	}
	p.reply("stranger@elsewhere.example", "rollcall@rollcall.example", "Subject: hello\r\n", "who are you?")
	if figures := p.figures(); !strings.Contains(figures, `rollcall_challenge_replies_total{event="auto-reply"} 1`) || !strings.Contains(figures, `{event="aside"} 1`) || !strings.Contains(figures, "rollcall_challenge_cases_open 1") {
		t.Errorf("the figures: %s", figures)
	}
}

// TestOfficeBounce: a report of delivery that came to the return path of the mail is a bounce.
func TestOfficeBounce(t *testing.T) {
	p := newWorkplace(t)
	q, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode})
	if err != nil {
		t.Fatal(err)
	}
	env := p.mail()
	p.until(q.ID, "taken by the relay", func(c *challenge.Challenge) bool { return !c.Accepted.IsZero() })
	p.reply("", env.From, "Subject: Undelivered Mail Returned to Sender\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
		"--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.alpha.example\r\n\r\n"+
			"Final-Recipient: rfc822; csirt@alpha.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n")
	c := p.until(q.ID, "bounced", func(c *challenge.Challenge) bool { return c.State == challenge.StateBounced })
	if len(c.Bounces) != 1 || c.Bounces[0].Status != "5.1.1" {
		t.Errorf("bounces %+v", c.Bounces)
	}
}

func (p *workplace) ask(method, path string, form url.Values) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.s.url()+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it has been read
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer.StatusCode, string(page)
}

func (p *workplace) figures() string {
	_, text := p.ask(http.MethodGet, "/metrics", nil)
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "rollcall_challenge_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// reply hands a mail to the server, as the site's mail server does. With to "" it answers
// from the contact to the return path from.
func (p *workplace) reply(from, to, header, body string) {
	p.t.Helper()
	if to == "" {
		from, to = "csirt@alpha.example", from
	}
	sender := from
	if sender == "" {
		sender = "MAILER-DAEMON@alpha.example"
	}
	text := fmt.Sprintf("From: %s\r\nTo: %s\r\nDate: %s\r\nMessage-ID: <%d@alpha.example>\r\n%s\r\n%s", sender, to, time.Now().Format(time.RFC1123Z), time.Now().UnixNano(), header, body)
	if err := smtp.SendMail(p.s.office.doors[0].listener.Addr().String(), nil, from, []string{to}, []byte(text)); err != nil {
		p.t.Fatalf("%v; the log says %s", err, p.log)
	}
}

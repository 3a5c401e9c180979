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
	"github.com/rollcall-csirt/rollcall/verify"
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

// mailServer takes mail until the end of the test, and returns where.
func mailServer(t testing.TB, accepts func(string) bool, handle mail.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := mail.NewServer(mail.ServerConfig{Host: "relay.example", Accepts: accepts, Handle: handle})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-done })
	return l.Addr().String()
}

func anybody(string) bool { return true }

// newWorkplace starts one; it is stopped at the end of the test.
func newWorkplace(t *testing.T, changes ...func(*challengeConfig)) *workplace {
	t.Helper()
	p := &workplace{t: t, relay: make(chan mail.Envelope, 100), zone: newZone(t)}
	relay := mailServer(t, anybody, func(_ context.Context, env mail.Envelope) error {
		p.relay <- env
		return nil
	})
	p.c, p.log = newTestCall(t, config{ShutdownTimeout: time.Minute, Verify: verifyConfig{Resolvers: []string{p.zone.address}}, Challenge: challengeConfig{On: true, Dir: filepath.Join(t.TempDir(), "mail"), Name: "Rollcall",
		Address: "rollcall@rollcall.example", Contact: "https://rollcall.example/about", Pages: "https://rollcall.example/", Operator: "Example Forum",
		Relay: relay, RelayTLS: mail.TLSNone, SMTP: "127.0.0.1:0"}})
	p.c.now = time.Now // mails and their answers pass real programs
	for _, change := range changes {
		change(&p.c.cfg.Challenge)
	}
	if _, err := mail.CreateIdentity(p.c.cfg.Challenge.identity()); err != nil {
		t.Fatal(err)
	}
	if _, err := makeChallengeKey(filepath.Join(p.c.cfg.Challenge.Dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.s, err = p.c.newServer(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- p.s.run(ctx) }()
	t.Cleanup(func() {
		stop()
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
	link, code := linkAndCode(t, env)
	unsubscribe := stopLink.FindStringSubmatch(strings.ReplaceAll(text, "\r\n ", ""))
	if unsubscribe == nil || !strings.Contains(text, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Fatalf("the mail lacks a way to stop:\n%s", text)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{link, unsubscribe[1]} {
			if status, page := p.ask(method, path, nil); status != 200 || method == http.MethodGet && !strings.Contains(page, "Example Forum") {
				t.Errorf("%s %s: %d %.200s", method, path, status, page)
			}
		}
	}
	for choice, not := range map[string]string{"confirm": "have noted", "new-code": "on its way"} { // which this policy, and a code that works, do not offer
		if status, page := p.ask(http.MethodPost, link, url.Values{"choice": {choice}}); status != 200 || strings.Contains(page, not) || !strings.Contains(page, "Code from the mail") {
			t.Errorf("%s: %d %.600s", choice, status, page)
		}
	}
	p.reply(env.From, "", "Subject: Automatic reply: away\r\nAuto-Submitted: auto-replied\r\n", "I am away. "+code)
	p.until(q.ID, "known as automatically answered", func(c *challenge.Challenge) bool { return !c.Auto.IsZero() && c.State == challenge.StateDelivered })
	if status, page := p.ask(http.MethodPost, link, url.Values{"code": {"0000-0000"}, "choice": {"team"}}); status != 422 || !strings.Contains(page, "Attempts left: 4") {
		t.Errorf("a wrong code: %d %.600s", status, page)
	}
	if status, page := p.ask(http.MethodPost, link, url.Values{"code": {strings.ToLower(code)}, "choice": {"team"}}); status != 200 || !strings.Contains(page, "Your answer for") {
		t.Errorf("the right code: %d %.600s", status, page)
	}
	c := p.until(q.ID, "answered", func(c *challenge.Challenge) bool { return c.State == challenge.StateAnswered })
	if c.Quick.IsZero() {
		t.Error("an answer within seconds is not flagged")
	}
	if c.Reached != directory.Answered || strings.Contains(p.log.String(), code) || strings.Contains(p.log.String(), link) {
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
	if figures := p.figures(); !strings.Contains(figures, `rollcall_challenge_replies_total{event="auto-reply"} 1`) || !strings.Contains(figures, `{event="aside"} 1`) || !strings.Contains(figures, `rollcall_challenge_mails_total{outcome="accepted"} 1`) || !strings.Contains(figures, "rollcall_challenge_cases_open 1") {
		t.Errorf("the figures: %s", figures)
	}
}

// linkAndCode are those of a mail that is not encrypted.
func linkAndCode(t *testing.T, env mail.Envelope) (link, code string) {
	t.Helper()
	text := strings.ReplaceAll(string(env.Raw), "=\r\n", "")
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	m := answerLink.FindStringSubmatch(text)
	if code = strings.TrimSpace(mailedCode.FindString(body)); m == nil || code == "" {
		t.Fatalf("the mail lacks a link or a code:\n%s", text)
	}
	return m[1], code
}

// TestOfficeLock: after five wrong codes the right one is wrong too; one click has a mail with
// a new code sent to the same address, and that one counts.
func TestOfficeLock(t *testing.T) {
	p := newWorkplace(t)
	q, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode})
	if err != nil {
		t.Fatal(err)
	}
	link, code := linkAndCode(t, p.mail())
	answer := func(link, code, choice string) (int, string) {
		return p.ask(http.MethodPost, link, url.Values{"code": {code}, "choice": {choice}})
	}
	for n := range challenge.MaxAttempts {
		want := http.StatusUnprocessableEntity
		if n == challenge.MaxAttempts-1 {
			want = http.StatusForbidden // locked
		}
		if status, page := answer(link, fmt.Sprintf("0000-000%d", n), "team"); status != want || !strings.Contains(page, "<title>Does this contact reach ALPHA?</title>") {
			t.Fatalf("wrong code %d: %d %.400s", n, status, page)
		}
	}
	for _, c := range []string{code, "0000-0009"} {
		if status, page := answer(link, c, "team"); status == 200 || !strings.Contains(page, "new-code") {
			t.Errorf("the sixth code: %d %.900s", status, page)
		}
	}
	if status, page := p.ask(http.MethodPost, link, url.Values{"choice": {"new-code"}}); status != 200 || !strings.Contains(page, "on its way") {
		t.Errorf("a new code: %d %.900s", status, page)
	}
	env := p.mail()
	link2, code2 := linkAndCode(t, env)
	if link2 == link || code2 == code || env.To[0] != "csirt@alpha.example" {
		t.Errorf("the new mail has %s %s, to %v", link2, code2, env.To)
	}
	if status, _ := answer(link, code2, "team"); status == 200 {
		t.Error("the new code counts with the old link")
	}
	if status, page := answer(link2, code2, "team"); status != 200 {
		t.Errorf("the new code: %d %.600s", status, page)
	}
	p.until(q.ID, "answered", func(c *challenge.Challenge) bool {
		return c.State == challenge.StateAnswered && c.Reached == directory.Answered
	})
}

// TestOfficeSays: who says on the page that the address is wrong, or asks to be called, gives
// an operator something to do, and proves nothing of the team.
func TestOfficeSays(t *testing.T) {
	for choice, want := range map[string]struct {
		kind challenge.CaseKind
		says func(*challenge.Challenge) bool
	}{
		"wrong-address": {challenge.CaseWrongAddress, func(c *challenge.Challenge) bool { return c.Outcome == challenge.OutcomeWrongAddress && !c.Open() }},
		"please-call":   {challenge.CasePleaseCall, func(c *challenge.Challenge) bool { return !c.CallMe.IsZero() && c.Open() }},
	} {
		t.Run(choice, func(t *testing.T) {
			p := newWorkplace(t)
			q, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode})
			if err != nil {
				t.Fatal(err)
			}
			link, code := linkAndCode(t, p.mail())
			if status, page := p.ask(http.MethodPost, link, url.Values{"choice": {choice}}); status == 200 {
				t.Errorf("without the code: %d %.400s", status, page)
			}
			if status, page := p.ask(http.MethodPost, link, url.Values{"code": {code}, "choice": {choice}}); status != 200 {
				t.Errorf("%d %.600s", status, page)
			}
			if c := p.until(q.ID, choice, want.says); c.Reached >= directory.Answered {
				t.Errorf("it proves level %d: %+v", c.Reached, c)
			}
			cases, err := p.s.db.ListCases(t.Context(), challenge.CaseFilter{Limit: 10})
			if err != nil || len(cases) != 1 || cases[0].Kind != want.kind {
				t.Errorf("cases %+v, %v; want %s", cases, err, want.kind)
			}
		})
	}
}

// TestOfficeApart: a server has the pages and takes orders, and hands over no mail itself; a
// worker beside it does.
func TestOfficeApart(t *testing.T) {
	p := newWorkplace(t, func(m *challengeConfig) { m.Aloof = true })
	if len(p.s.office.doors) != 0 {
		t.Fatal("a server that leaves the mail to others takes mail")
	}
	if _, err := p.s.office.Ask(t.Context(), challenge.Ask{Team: p.team.ID, Contact: p.team.Contacts[0].ID, Kind: challenge.KindCode}); err != nil {
		t.Fatal(err)
	}
	if figures := p.figures(); !strings.Contains(figures, "rollcall_challenge_open 1") || !strings.Contains(figures, "rollcall_challenge_mails_tried_total 0") {
		t.Errorf("the server's figures: %s", figures)
	}
	select {
	case env := <-p.relay:
		t.Fatalf("a mail before there is a worker:\n%s", env.Raw)
	case <-time.After(3 * lookEvery):
	}
	worker := *p.c
	cfg := *p.c.cfg
	cfg.Challenge.Aloof = false
	var out lockedBuffer
	worker.cfg, worker.stdout = &cfg, &out
	var stop context.CancelFunc
	worker.ctx, stop = context.WithCancel(context.Background())
	over := make(chan error, 1)
	check := verify.Check{Name: "none", Every: time.Hour, Applies: func(*directory.Team) []verify.Subject { return nil },
		Run: func(context.Context, verify.Network, verify.Target) (verify.Result, error) {
			return verify.Result{}, nil
		}}
	go func() {
		over <- worker.runWorker(verify.RunnerConfig{Network: nowhere{}, Checks: []verify.Check{check}})
	}()
	var env mail.Envelope
	select {
	case env = <-p.relay:
	case err := <-over:
		t.Fatalf("the worker ended: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatalf("no mail came; the log says %s", p.log)
	}
	link := answerLink.FindStringSubmatch(strings.ReplaceAll(string(env.Raw), "=\r\n", ""))
	if link == nil {
		t.Fatalf("no link in\n%s", env.Raw)
	}
	if status, page := p.ask(http.MethodGet, link[1], nil); status != http.StatusOK || !strings.Contains(page, "Code from the mail") {
		t.Errorf("the page of a mail that a worker sent: %d %.300s", status, page)
	}
	stop()
	if err := <-over; err != nil {
		t.Errorf("%v; it printed %s", err, &out)
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

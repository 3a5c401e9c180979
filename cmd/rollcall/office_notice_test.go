package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

var (
	confirmLink = regexp.MustCompile(`https://rollcall\.example(/confirm/[0-9A-Z]{32})`)
	silenceLink = regexp.MustCompile(`https://rollcall\.example(/notices/[0-9A-Z]{32})`)
)

// TestOfficeNotices lets a server tell teams what needs attention, over SMTP: nothing of what a team calls itself is in
// the mail, looking at its pages changes nothing, a click is worth level 0, and one click of a mail program stops them.
func TestOfficeNotices(t *testing.T) {
	p := newWorkplace(t)
	op := directory.Principal{Name: "op", Role: directory.Operator}
	const evil = `"Mallory" <b>, Bcc: all@evil.example {{.Link}} %s https://evil.example/x`
	_, err := p.s.door.Create(t.Context(), op, directory.NewTeam{Handle: "evil.team", Profile: directory.Profile{
		Names: directory.Names{Short: evil[:60], Full: evil}, Hours: directory.Hours{Always: true}, Languages: []directory.Language{"fr"},
		Contacts: []directory.Contact{{Channel: "email", Value: "csirt@evil-team.example"}, {Channel: "url", Value: "https://evil.example/please?call=+1900"}}}})
	if err != nil {
		t.Fatal(err)
	}
	send := func() {
		t.Helper()
		if _, err := p.s.office.decide(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.s.office.notify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	send()
	mails := map[string]string{}
	for range 2 {
		env := p.mail()
		mails[env.To[0]] = strings.ReplaceAll(string(env.Raw), "=\r\n", "")
	}
	hostile, ours := mails["csirt@evil-team.example"], mails["csirt@alpha.example"]
	if hostile == "" || ours == "" {
		t.Fatalf("the mails: %v", mails)
	}
	for _, word := range []string{"Mallory", "all@evil", "\nBcc:", "please?call", "1900", "{{", " ALPHA"} {
		if strings.Contains(hostile+ours, word) {
			t.Errorf("a notice has %q:\n%s", word, hostile)
		}
	}
	if !strings.Contains(hostile, "Contacts :") || !strings.Contains(hostile, "contact.unproven") || !strings.Contains(ours, "contact.one-channel") {
		t.Errorf("the notices:\n%s\n%s", hostile, ours)
	}
	send()
	if figures := p.figures(); !strings.Contains(figures, "rollcall_challenge_notices_sent_total 2") {
		t.Errorf("the figures: %s", figures)
	}

	confirm, silence := confirmLink.FindStringSubmatch(ours), silenceLink.FindStringSubmatch(strings.ReplaceAll(ours, "\r\n ", ""))
	if confirm == nil || silence == nil || !strings.Contains(ours, "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
		t.Fatalf("the notice lacks a link:\n%s", ours)
	}
	evidence := func() (items []directory.Evidence) {
		t.Helper()
		team, err := p.s.door.Team(t.Context(), op, "alpha")
		if err != nil {
			t.Fatal(err)
		}
		return team.Evidence
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{confirm[1], silence[1]} {
			if status, page := p.ask(method, path, nil); status != 200 || method == http.MethodGet && !strings.Contains(page, "ALPHA") {
				t.Errorf("%s %s: %d %.200s", method, path, status, page)
			}
		}
	}
	for _, path := range []string{strings.Replace(confirm[1], "confirm", "answer", 1), strings.Replace(confirm[1], "confirm", "stop", 1), "/confirm/" + strings.Repeat("0", 32)} {
		if status, _ := p.ask(http.MethodPost, path, url.Values{"choice": {"confirm"}}); status != 404 {
			t.Errorf("POST %s: %d, want 404: the token of a notice is nothing to a question", path, status)
		}
	}
	if items := evidence(); len(items) != 0 {
		t.Errorf("looking proved %+v", items)
	}
	for i, want := range []int{200, 410} {
		if status, page := p.ask(http.MethodPost, confirm[1], url.Values{"choice": {"confirm"}}); status != want {
			t.Errorf("click %d: %d %.300s", i+1, status, page)
		}
	}
	if items := evidence(); len(items) != 1 || items[0].Level != directory.Listed || items[0].Method != challenge.MethodConfirmed {
		t.Errorf("the click proved %+v", items)
	}
	if status, page := p.ask(http.MethodPost, silence[1], url.Values{"List-Unsubscribe": {"One-Click"}}); status != 200 || !strings.Contains(page, "no more notices") {
		t.Errorf("one click: %d %.300s", status, page)
	}
	if state, err := p.s.db.NoticeState(t.Context(), p.team.ID); err != nil || state.Stopped.IsZero() {
		t.Errorf("after one click: %+v, %v", state, err)
	}
	if log := p.log.String(); strings.Contains(log, confirm[1]) || strings.Contains(log, silence[1]) {
		t.Errorf("the log has a token: %s", log)
	}
}

// TestOfficeTellsSecretariat lets a server write to the secretariat of its policies, with notices off.
func TestOfficeTellsSecretariat(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.json")
	const policies = `{"policies":[{"name":"any-hour","interval":"6mo","again":"14d","window":"15d","close":"60d","minimum":2,"kind":"code",
		"lasts":{"deliverable":"6mo","answered":"6mo","proven":"6mo","drilled":"6mo"}}],"rules":[{"policy":"any-hour"}],"secretariats":[{"address":"own@rollcall.example","language":"fr"}]}`
	if err := os.WriteFile(file, []byte(policies), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newWorkplace(t, func(c *challengeConfig) { c.Policies = file })
	asked := time.Now().AddDate(0, 0, -50)
	c := challenge.Challenge{ID: "0a5c9d2e-5b0e-4c7e-9a53-0e3a5c1f7d01", Team: p.team.ID, Contact: p.team.Contacts[0].ID, Revision: 1, Channel: "email", Address: p.team.Contacts[0].Value, Kind: challenge.KindCode,
		Policy: "any-hour", Subject: "ROLLCALL-7F3K9Q2M", State: challenge.StateEscalated, Rung: 3, Created: asked, Due: asked, Sent: asked, Accepted: asked}
	err := p.s.db.Challenges(t.Context(), func(tx challenge.Tx) error {
		if err := tx.PutChallenge(c, time.Time{}); err != nil {
			return err
		}
		return tx.PutTelling(challenge.Telling{Recipient: "forum:", Challenge: c.ID, Rung: 3, Created: asked})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.s.office.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	env := p.mail() // the server's own loop sends it
	if text := strings.ReplaceAll(string(env.Raw), "=\r\n", ""); env.To[0] != "own@rollcall.example" || !strings.Contains(text, "alpha/csirt@alpha.example") || !strings.Contains(text, "question du "+asked.UTC().Format(time.DateOnly)) {
		t.Errorf("to %v:\n%s", env.To, text)
	}
}

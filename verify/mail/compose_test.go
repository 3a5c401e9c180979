package mail_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// letters has each form of letter, encrypted where it must be.
func letters(key string) []mail.Letter {
	var out []mail.Letter
	for _, k := range mail.Kinds() {
		ofs := []mail.Kind{""}
		if k == mail.KindDrill || k == mail.KindReminder || k == mail.KindEscalation {
			ofs = []mail.Kind{mail.KindCode, mail.KindNonce, mail.KindSigned, mail.KindBoth}
		}
		for _, of := range ofs {
			l := sample(k, of)
			if k == mail.KindNonce || k == mail.KindBoth || of == mail.KindNonce || of == mail.KindBoth {
				l.Key = key
			}
			out = append(out, l)
		}
	}
	return out
}

func TestRender(t *testing.T) {
	team := keyPlan{}.key(t)
	c, zone := composer(t, now), published(t)
	for _, lang := range mail.Languages() {
		for _, l := range letters(public(t, team)) {
			keys := []string{l.Key}
			if lang == "en" && l.Key == "" {
				keys = append(keys, public(t, team))
			}
			for _, key := range keys {
				l.Language, l.Key = lang, key
				m, err := c.Render(l)
				if err != nil {
					t.Fatalf("%s %s of %q: %v", lang, l.Kind, l.Of, err)
				}
				wire(t, m)
				signedByDKIM(t, zone, m)
				headers(t, l, m)
			}
		}
	}
}

// wire: what every mail of ours is on the wire.
func wire(t *testing.T, m mail.Mail) {
	t.Helper()
	for line := range bytes.Lines(m.Raw) {
		text, ok := bytes.CutSuffix(line, []byte("\r\n"))
		if !ok || len(text) > 998 || bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x80 || r < ' ' && r != '\t' }) {
			t.Fatalf("a line that is no plain line: %q", line)
		}
		if len(text) > 78 && bytes.Count(text, []byte(" ")) > 1 && !bytes.HasPrefix(text, []byte("DKIM-Signature:")) { // what can't be folded, and what go-msgauth writes
			t.Errorf("a line of %d octets: %q", len(text), text)
		}
	}
	for line := range strings.Lines(m.Text) {
		if utf8.RuneCountInString(line) > 79 {
			t.Errorf("a line of text of %d characters: %q", utf8.RuneCountInString(line), line)
		}
	}
}

func signedByDKIM(t *testing.T, zone names, m mail.Mail) {
	t.Helper()
	found, err := dkim.VerifyWithOptions(bytes.NewReader(m.Raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return zone.LookupTXT(context.Background(), name)
	}})
	if err != nil || len(found) != 2 || found[0].Err != nil || found[1].Err != nil {
		t.Fatalf("DKIM: %v %+v", err, found)
	}
	for _, covered := range []string{"From", "To", "Subject", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted", "Message-ID", "Content-Type"} {
		if !strings.Contains(strings.Join(found[0].HeaderKeys, " ")+" ", covered+" ") {
			t.Errorf("DKIM does not cover %s: %v", covered, found[0].HeaderKeys)
		}
	}
}

func headers(t *testing.T, l mail.Letter, m mail.Mail) {
	t.Helper()
	id, got := instance(t), read(t, m.Raw)
	for name, want := range map[string]string{
		"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "X-Loop": "rollcall@example.org",
		"From": `"Rollcall of Example" <rollcall@example.org>`, "To": "csirt@team.example", "Reply-To": "challenge+" + token + "@example.org",
		"Message-ID": "<" + id.MessageID(letter) + ">", "Date": "Sat, 28 Nov 2026 12:00:00 +0000", "MIME-Version": "1.0",
		"List-Unsubscribe":      "<mailto:rollcall@example.org?subject=%5BROLLCALL-" + tag + "%5D-stop>, <https://rollcall.example.org/stop/9b3c1d>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	} {
		if all := got.Header.All(name); len(all) != 1 || all[0] != want {
			t.Errorf("%s of %q: %s = %q, want %q", l.Kind, l.Of, name, all, want)
		}
	}
	for _, name := range []string{"Precedence", "Disposition-Notification-To", "Return-Receipt-To", "Content-Disposition"} {
		if got.Header.Has(name) {
			t.Errorf("%s: there is a field %s", l.Kind, name)
		}
	}
	if from, ok := id.Bounced(m.From); !ok || from != letter {
		t.Errorf("the return path %s leads to %q", m.From, from)
	}
	subject := got.Header.Text("Subject")
	switch {
	case l.Key != "" && subject != "[ROLLCALL-"+tag+"] encrypted message":
		t.Errorf("the subject outside is %q", subject)
	case l.Key != "" && bytes.Contains(m.Raw, []byte(nonce)):
		t.Error("the nonce stands outside")
	case l.Key == "" && subject != m.Subject:
		t.Errorf("the subject is %q, want %q", subject, m.Subject)
	}
}

// TestRenderOpens: a mail of ours is signed by the instance's key, and opened by the team's; the real
// subject is inside.
func TestRenderOpens(t *testing.T) {
	team := keyPlan{}.key(t)
	id := instance(t)
	for _, key := range []string{"", public(t, team)} {
		l := sample(mail.KindSigned, "")
		l.Key = key
		m, err := composer(t, now).Render(l)
		if err != nil {
			t.Fatal(err)
		}
		o := mail.Opener{Own: team, Key: public(t, id.Key), Nonce: nonce, From: []string{"rollcall@example.org"}, Since: now, Now: now}
		p, err := o.Open(read(t, m.Raw))
		if err != nil || p.Encrypted != (key != "") {
			t.Errorf("Open = %+v, %v", p, err)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	team := public(t, keyPlan{}.key(t))
	tests := []struct {
		name  string
		kind  mail.Kind
		spoil func(*mail.Letter)
		want  error
	}{
		{"an id with an at sign", mail.KindCode, func(l *mail.Letter) { l.ID = "a@b" }, mail.ErrLetter},
		{"a recipient with a line break", mail.KindCode, func(l *mail.Letter) { l.To = "a@example.org\r\nBcc: b@example.org" }, mail.ErrLetter},
		{"several recipients", mail.KindCode, func(l *mail.Letter) { l.To = "a@example.org, b@example.org" }, mail.ErrLetter},
		{"a handle that is text", mail.KindCode, func(l *mail.Letter) { l.Handle = "Call 0900 for a prize" }, mail.ErrLetter},
		{"a domain that is text", mail.KindCode, func(l *mail.Letter) { l.Domain = "see evil.example" }, mail.ErrLetter},
		{"a code in the link", mail.KindCode, func(l *mail.Letter) { l.Link += "/k7qm3t9x" }, mail.ErrLetter},
		{"a code in the link, as it is written", mail.KindCode, func(l *mail.Letter) { l.Link += "/K7QM-3T9X" }, mail.ErrLetter},
		{"a nonce in the reply address", mail.KindSigned, func(l *mail.Letter) { l.Token = strings.ToLower(nonce) }, mail.ErrLetter},
		{"a nonce in the link to stop", mail.KindSigned, func(l *mail.Letter) { l.Stop += nonce }, mail.ErrLetter},
		{"a link without TLS", mail.KindCode, func(l *mail.Letter) { l.Link = "http://rollcall.example.org/a" }, mail.ErrLetter},
		{"a link with a user", mail.KindCode, func(l *mail.Letter) { l.Link = "https://a@rollcall.example.org/a" }, mail.ErrLetter},
		{"a link with a space", mail.KindCode, func(l *mail.Letter) { l.Link += " x" }, mail.ErrLetter},
		{"no code", mail.KindCode, func(l *mail.Letter) { l.Code = "" }, mail.ErrLetter},
		{"no deadline", mail.KindCode, func(l *mail.Letter) { l.Deadline = now.AddDate(-3000, 0, 0).UTC(); l.Deadline = mail.Letter{}.Deadline }, mail.ErrLetter},
		{"no date", mail.KindCode, func(l *mail.Letter) { l.Date = mail.Letter{}.Date }, mail.ErrLetter},
		{"a tag with other letters", mail.KindCode, func(l *mail.Letter) { l.Tag = "7F3K9Q2U" }, mail.ErrLetter},
		{"an encrypted nonce without a key", mail.KindNonce, func(l *mail.Letter) {}, mail.ErrLetter},
		{"a drill of nothing", mail.KindDrill, func(l *mail.Letter) {}, mail.ErrLetter},
		{"a kind that is none", "poem", func(l *mail.Letter) {}, mail.ErrLetter},
		{"a digest of nothing", mail.KindDigest, func(l *mail.Letter) { l.Items = nil }, mail.ErrLetter},
		{"a digest with text", mail.KindDigest, func(l *mail.Letter) { l.Items[0].Subject = "please call" }, mail.ErrLetter},
		{"a key that is none", mail.KindNonce, func(l *mail.Letter) { l.Key = "no key" }, mail.ErrKey},
		{"a revoked key", mail.KindNonce, func(l *mail.Letter) { l.Key = public(t, keyPlan{revoked: true}.key(t)) }, mail.ErrKey},
		{"an expired key", mail.KindNonce, func(l *mail.Letter) {
			l.Key = public(t, keyPlan{lasts: 24 * 3600e9}.key(t))
		}, mail.ErrKey},
	}
	c := composer(t, now)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := sample(tt.kind, "")
			tt.spoil(&l)
			if m, err := c.Render(l); !errors.Is(err, tt.want) || m.Raw != nil {
				t.Errorf("Render = %v, want %v", err, tt.want)
			}
		})
	}
	l := sample(mail.KindNonce, "")
	if l.Key = team; l.Key != "" {
		if _, err := c.Render(l); err != nil {
			t.Errorf("Render of a good one = %v", err)
		}
	}
}

// TestRenderIDN: what goes over the wire is ASCII, however the contact was written.
func TestRenderIDN(t *testing.T) {
	l := sample(mail.KindCode, "")
	l.To = "csirt@b\u00fccher.example"
	m, err := composer(t, now).Render(l)
	if err != nil || m.To != "csirt@xn--bcher-kva.example" || read(t, m.Raw).Header.Get("To") != m.To {
		t.Errorf("Render = %s, %v", m.To, err)
	}
}

func TestTemplates(t *testing.T) {
	good := func() string {
		_, text, err := composer(t, now).Preview(mail.KindCode, "", "en")
		if err != nil || !strings.Contains(text, "K7QM-3T9X") {
			t.Fatalf("Preview = %q, %v", text, err)
		}
		return english(t)
	}()
	tests := []struct{ name, from, to, want string }{
		{"as it ships", "", "", ""},
		{"a letter without its code", "{{.Code}}", "", "lacks .Code"},
		{"a letter without its link", "{{.Link}}", "", "lacks .Link"},
		{"a letter that does not say who", "{{.Contact}}", "", "lacks .Contact"},
		{"a block too few", `{{define "ask.both"}}`, `{{define "ask.other"}}`, "ask.both"},
		{"a field that is none", "{{.Handle}}", "{{.Password}}", "Password"},
		{"markup", "Hello,", "<b>Hello</b>", "angle brackets"},
		{"a line that is too long", "Hello,", strings.Repeat("Hello ", 20), "more than 78"},
		{"a character that turns the text around", "Hello,", "Hello\u202e", "U+202E"},
		{"a subject of two lines", "Please confirm that this mailbox is read", "Please\nconfirm", "subject.code"},
		{"what is no template", "Hello,", "{{", "en.tmpl"},
		{"other octets than UTF-8", "Hello,", "\xff", "UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := fstest.MapFS{"en.tmpl": {Data: []byte(strings.ReplaceAll(good, tt.from, tt.to))}}
			if tt.from == "" {
				own = fstest.MapFS{"nl.tmpl": {Data: []byte(strings.ReplaceAll(good, "Hello,", "Hallo,"))}}
			}
			c, err := mail.NewComposer(mail.ComposerConfig{Identity: instance(t), Templates: own, Now: at(now)})
			if tt.want != "" {
				if !errors.Is(err, mail.ErrTemplate) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("NewComposer = %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l := sample(mail.KindCode, "")
			l.Language = "nl-BE"
			if m, err := c.Render(l); err != nil || !strings.HasPrefix(m.Text, "Hallo,") {
				t.Errorf("Render in a language of the operator's = %q, %v", m.Text, err)
			}
		})
	}
}

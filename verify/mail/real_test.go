package mail_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

// TestPostfixAndGnuPG is the whole way with real programs: we render, Postfix relays and delivers, gpg decrypts, checks who
// we are and signs, Postfix hands the reply over, and we open it.
func TestPostfixAndGnuPG(t *testing.T) {
	g := mailtest.NewGnuPG(t, "csirt@team.example")
	id := instance(t)
	replies := make(chan mail.Envelope, 10)
	lmtp := listen(t, mail.ServerConfig{LMTP: true, Accepts: id.Accepts, Handle: func(_ context.Context, env mail.Envelope) error {
		replies <- env
		return nil
	}})
	refuses := listen(t, mail.ServerConfig{Accepts: func(string) bool { return false }, Handle: (&inbox{}).handle})
	p := mailtest.StartPostfix(t, mailtest.Site{Domain: "team.example", Boxes: []string{"csirt"}, Own: "example.org", LMTP: lmtp, Refuses: refuses})
	relay := submitter(t, mail.Relay{Address: p.Address, Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: p.Roots}})
	began := time.Now()
	l := sample(mail.KindBoth, "")
	l.Date, l.Deadline, l.Key = began, began.AddDate(0, 0, 7), g.Run("", "--armor", "--export", "csirt@team.example")
	m, err := composer(t, began).Render(l)
	if err != nil {
		t.Fatal(err)
	}
	if r := relay.Submit(t.Context(), m); r.Outcome != mail.Accepted || !strings.Contains(r.Reply, "queued as") {
		t.Fatalf("Submit = %+v", r)
	}
	word := opens(t, g, id, p.Arrived("csirt"))
	if word != nonce {
		t.Fatalf("the team reads %q, want the nonce", word)
	}
	payload := string(crlf("Content-Type: text/plain; charset=utf-8\n\nYes, we are here: " + word + "\n"))
	for form, content := range map[mail.Form]string{
		mail.FormSigned:    mixed(`signed; micalg=pgp-sha512; protocol="application/pgp-signature"`, "s1", payload, signatureOf(g.Run(payload, "--armor", "--detach-sign"))),
		mail.FormClear:     text(g.Run("Yes, we are here: "+word+"\n", "--clearsign")),
		mail.FormEncrypted: encryptedArmor(g.Run(payload, "--armor", "--sign", "--encrypt", "--recipient", "rollcall@example.org")),
		mail.FormInline:    text(g.Run("Yes: "+word+"\n", "--armor", "--sign", "--encrypt", "--recipient", "rollcall@example.org")),
	} {
		subject := "Subject: [cert #4711] Re: [ROLLCALL-" + tag + "] encrypted message\n" // as a ticket system leaves it
		answer := mail.Mail{ID: "answer", From: "csirt@team.example", To: id.Reply(token), Raw: crlf(reply{subject: subject, content: content}.mail())}
		if r := relay.Submit(t.Context(), answer); r.Outcome != mail.Accepted {
			t.Fatalf("Submit = %+v", r)
		}
		env := await(t, replies)
		got := read(t, env.Raw)
		if c := id.Classify(env, got); c.Sort != mail.Reply {
			t.Errorf("%s: %+v", form, c)
		}
		if h := id.Correlate(env, got); len(h) < 2 || h[0].Value != token || h[1].Value != tag {
			t.Errorf("%s: handles %+v", form, h)
		}
		o := mail.Opener{Own: id.Key, Key: l.Key, Nonce: nonce, From: []string{"csirt@team.example"}, Since: began, Until: l.Deadline, Now: time.Now()}
		if proof, err := o.Open(got); err != nil || proof.Form != form || proof.Encrypted != (form == mail.FormEncrypted || form == mail.FormInline) {
			t.Errorf("%s: %+v, %v", form, proof, err)
		}
	}
	verifies(t, g, p, relay)
	bounced(t, relay, replies)
}

// verifies: a mail that is only signed comes through relay and delivery with its signatures whole: gpg
// verifies ours, and both of DKIM verify.
func verifies(t *testing.T, g *mailtest.GnuPG, p *mailtest.Postfix, relay *mail.Submitter) {
	t.Helper()
	l := sample(mail.KindSigned, "")
	l.Language, l.Date = "ru", time.Now()
	m, err := composer(t, time.Now()).Render(l)
	if err != nil {
		t.Fatal(err)
	}
	if r := relay.Submit(t.Context(), m); r.Outcome != mail.Accepted {
		t.Fatalf("Submit = %+v", r)
	}
	delivered := p.Arrived("csirt")
	got := read(t, []byte(delivered))
	sig := filepath.Join(p.Dir, "sig.asc")
	if err := os.WriteFile(sig, got.Root.Parts[1].Body, 0o600); err != nil {
		t.Fatal(err)
	}
	if status := g.Run(string(crlf(string(got.Root.Parts[0].Whole))), "--status-fd", "1", "--verify", sig, "-"); !strings.Contains(status, "[GNUPG:] VALIDSIG") {
		t.Errorf("gpg says\n%s", status)
	}
	a := mail.Authenticate(t.Context(), published(t), mail.Envelope{Raw: []byte(delivered)}, got)
	if len(a.DKIM) != 2 || a.DKIM[0].Result != "pass" || a.DKIM[1].Result != "pass" || a.DMARC != "pass" {
		t.Errorf("Authenticate = %+v", a)
	}
	if subject := got.Header.Text("Subject"); subject != m.Subject || got.Root.Parts[0].Header.Text("Subject") != m.Subject {
		t.Errorf("the subject is %q, want %q", subject, m.Subject)
	}
}

func await(t *testing.T, from <-chan mail.Envelope) mail.Envelope {
	t.Helper()
	select {
	case env := <-from:
		return env
	case <-time.After(30 * time.Second):
		t.Fatal("no mail comes back")
		return mail.Envelope{}
	}
}

func encryptedArmor(armor string) string {
	return mixed(`encrypted; protocol="application/pgp-encrypted"`, "e1", "Content-Type: application/pgp-encrypted\n\nVersion: 1\n", "Content-Type: application/octet-stream\n\n"+armor)
}

// opens lets gpg decrypt a mail of ours: the way of the word is the team's, who has our key from the
// attachment.
func opens(t *testing.T, g *mailtest.GnuPG, id *mail.Identity, delivered string) string {
	t.Helper()
	m := read(t, []byte(delivered))
	if m.Root.Type != "multipart/encrypted" || m.Header.Get("Return-Path") != "<"+id.Return(letter)+">" {
		t.Fatalf("delivered:\n%s", delivered)
	}
	inside := read(t, []byte(g.Run(string(m.Root.Parts[1].Decoded()), "--skip-verify", "--decrypt"))) // the signature follows
	if s := inside.Header.Text("Subject"); !strings.Contains(s, "signed and encrypted") {
		t.Errorf("the subject inside is %q", s)
	}
	g.Run(string(inside.Root.Parts[1].Decoded()), "--import")
	status := g.Run(string(m.Root.Parts[1].Decoded()), "--status-fd", "1", "--decrypt")
	if want := fmt.Sprintf("[GNUPG:] VALIDSIG %X", id.Key.PrimaryKey.Fingerprint); !strings.Contains(status, want) || !strings.Contains(status, "[GNUPG:] DECRYPTION_OKAY") {
		t.Errorf("gpg says\n%s", status)
	}
	for _, word := range strings.Fields(inside.Root.Parts[0].Text()) {
		if len(word) == len(nonce) && strings.ToUpper(word) == word {
			return word
		}
	}
	return ""
}

// bounced: Postfix accepts, and then sends a bounce to the return path.
func bounced(t *testing.T, relay *mail.Submitter, back <-chan mail.Envelope) {
	t.Helper()
	id := instance(t)
	l := sample(mail.KindCode, "")
	l.To = "gone@team.example"
	m, err := composer(t, time.Now()).Render(l)
	if err != nil {
		t.Fatal(err)
	}
	if r := relay.Submit(t.Context(), m); r.Outcome != mail.Accepted {
		t.Fatalf("Submit = %+v", r)
	}
	env := await(t, back)
	got := id.Classify(env, read(t, env.Raw))
	if got.Sort != mail.BounceHard || got.Rule != "verp+dsn" || got.Letter != letter || got.Status != "5.1.1" || got.Recipient != "gone@team.example" {
		t.Errorf("the bounce is %+v\n%s", got, env.Raw)
	}
	l.To = "nobody@team.example"
	if m, err = composer(t, time.Now()).Render(l); err != nil {
		t.Fatal(err)
	}
	if r := relay.Submit(t.Context(), m); r.Outcome != mail.Permanent || r.Stage != "rcpt" || r.Status != "5.1.1" {
		t.Errorf("Submit to nobody = %+v", r)
	}
}

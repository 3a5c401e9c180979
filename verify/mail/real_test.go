package mail_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// gnupg is GnuPG with a home of its own.
type gnupg struct {
	t    *testing.T
	home string
}

// newGnuPG starts with a key of the team. Its agent ends with the test.
func newGnuPG(t *testing.T) *gnupg {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	home, err := os.MkdirTemp("", "gpg") // a short path: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	g := &gnupg{t, home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
		_ = os.RemoveAll(home)
	})
	g.run("", "--quick-generate-key", "Team CSIRT <csirt@team.example>", "ed25519", "sign,cert", "1y")
	fpr := strings.Split(g.run("", "--with-colons", "--list-keys"), "fpr:::::::::")[1]
	g.run("", "--quick-add-key", fpr[:40], "cv25519", "encr", "1y")
	return g
}

func (g *gnupg) run(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %v: %v\n%s", args, err, &errs)
	}
	return string(out)
}

// postfix is Postfix with a configuration, a queue and ports of its own: the relay of the
// instance, and the mail server of the team.
type postfix struct {
	t       *testing.T
	dir     string
	address string
	roots   *x509.CertPool
}

// startPostfix delivers mails to csirt@team.example into a Maildir, sends those to gone@team.example to a server that refuses
// them, so that they bounce, and
// hands those to example.org over by LMTP.
func startPostfix(t *testing.T, lmtp string) *postfix {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/postfix"); err != nil {
		t.Skip("postfix is not installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can start postfix")
	}
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{t: t, dir: dir, address: freePort(t)}
	t.Cleanup(func() {
		if out, err := exec.Command("/usr/sbin/postfix", "-c", dir, "stop").CombinedOutput(); err != nil {
			t.Errorf("postfix stop: %v\n%s", err, out)
		}
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("postfix:\n%s", log)
		}
		_ = os.RemoveAll(dir)
	})
	p.configure(lmtp)
	if out, err := exec.Command("/usr/sbin/postfix", "-c", dir, "start").CombinedOutput(); err != nil {
		t.Fatalf("postfix start: %v\n%s", err, out)
	}
	return p
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only to find a port
	return l.Addr().String()
}

func (p *postfix) configure(lmtp string) {
	p.t.Helper()
	cert, roots := certificate(p.t)
	p.roots = roots
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		p.t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(lmtp)
	_, gone, _ := net.SplitHostPort(listen(p.t, mail.ServerConfig{Accepts: func(string) bool { return false }, Handle: (&inbox{}).handle}))
	p.write("tls.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))+string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})))
	p.write("mailboxes", "csirt@team.example csirt/\ngone@team.example gone/\n")
	p.write("transport", fmt.Sprintf("example.org lmtp:inet:[%s]:%s\ngone@team.example smtp:[127.0.0.1]:%s\n", host, port, gone))
	p.write("main.cf", fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/log
maillog_file_prefixes = %[1]s
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.team.example
mydestination =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = %[1]s/tls.pem
smtp_dns_support_level = disabled
relay_domains = example.org
transport_maps = texthash:%[1]s/transport
virtual_mailbox_domains = team.example
virtual_mailbox_base = %[1]s/mail
virtual_mailbox_maps = texthash:%[1]s/mailboxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
`, p.dir))
	services := fmt.Sprintf("%s inet n - n - - smtpd\n", p.address)
	for _, s := range []string{"cleanup unix n - n - 0", "tlsmgr unix - - n 1000? 1", "bounce unix - - n - 0", "defer unix - - n - 0", "trace unix - - n - 0", "error unix - - n - -", "retry unix - - n - -", "virtual unix - n n - -", "lmtp unix - - n - -",
		"smtp unix - - n - -", "qmgr unix n - n 300 1", "anvil unix - - n - 1", "scache unix - - n - 1", "proxymap unix - - n - -", "flush unix n - n 1000? 0", "verify unix - - n - 1"} {
		name, _, _ := strings.Cut(s, " ")
		services += s + " " + map[string]string{"defer": "bounce", "trace": "bounce", "retry": "error"}[name]
		if !strings.Contains("defer trace retry", name) {
			services += name
		}
		services += "\n"
	}
	p.write("master.cf", services+"rewrite unix - - n - - trivial-rewrite\npostlog unix-dgram n - n - 1 postlogd\n")
	p.prepare()
}

// prepare makes the folders, with the owners that Postfix wants.
func (p *postfix) prepare() {
	p.t.Helper()
	if err := os.Chmod(p.dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	for name, owner := range map[string]string{"queue": "root", "data": "postfix", "mail": "nobody"} {
		path := filepath.Join(p.dir, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			p.t.Fatal(err)
		}
		if out, err := exec.Command("chown", owner, path).CombinedOutput(); err != nil {
			p.t.Fatalf("chown: %v\n%s", err, out)
		}
	}
}

func (p *postfix) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// arrived waits for the next mail in the team's mailbox.
func (p *postfix) arrived() string {
	p.t.Helper()
	dir := filepath.Join(p.dir, "mail", "csirt", "new")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		entries, _ := os.ReadDir(dir)
		if len(entries) == 0 {
			continue
		}
		path := filepath.Join(dir, entries[0].Name())
		text, err := os.ReadFile(path)
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			p.t.Fatal(err)
		}
		return string(text)
	}
	p.t.Fatal("no mail arrives at the team")
	return ""
}

// TestPostfixAndGnuPG is the whole way with real programs: we render, Postfix relays and delivers, gpg decrypts, checks who
// we are and signs, Postfix hands the reply over, and we open it.
func TestPostfixAndGnuPG(t *testing.T) {
	g := newGnuPG(t)
	id := instance(t)
	replies := make(chan mail.Envelope, 10)
	lmtp := listen(t, mail.ServerConfig{LMTP: true, Accepts: id.Accepts, Handle: func(_ context.Context, env mail.Envelope) error {
		replies <- env
		return nil
	}})
	p := startPostfix(t, lmtp)
	relay := submitter(t, mail.Relay{Address: p.address, Policy: mail.TLSRequired, TLS: &tls.Config{RootCAs: p.roots}})
	began := time.Now()
	l := sample(mail.KindBoth, "")
	l.Date, l.Deadline, l.Key = began, began.AddDate(0, 0, 7), g.run("", "--armor", "--export", "csirt@team.example")
	m, err := composer(t, began).Render(l)
	if err != nil {
		t.Fatal(err)
	}
	if r := relay.Submit(t.Context(), m); r.Outcome != mail.Accepted || !strings.Contains(r.Reply, "queued as") {
		t.Fatalf("Submit = %+v", r)
	}
	word := g.opens(t, id, p.arrived())
	if word != nonce {
		t.Fatalf("the team reads %q, want the nonce", word)
	}
	payload := string(crlf("Content-Type: text/plain; charset=utf-8\n\nYes, we are here: " + word + "\n"))
	for form, content := range map[mail.Form]string{
		mail.FormSigned:    mixed(`signed; micalg=pgp-sha512; protocol="application/pgp-signature"`, "s1", payload, signatureOf(g.run(payload, "--armor", "--detach-sign"))),
		mail.FormClear:     text(g.run("Yes, we are here: "+word+"\n", "--clearsign")),
		mail.FormEncrypted: encryptedArmor(g.run(payload, "--armor", "--sign", "--encrypt", "--recipient", "rollcall@example.org")),
		mail.FormInline:    text(g.run("Yes: "+word+"\n", "--armor", "--sign", "--encrypt", "--recipient", "rollcall@example.org")),
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
	g.verifies(t, p, relay)
	bounced(t, relay, replies)
}

// verifies: a mail that is only signed comes through relay and delivery with its signatures whole: gpg
// verifies ours, and both of DKIM verify.
func (g *gnupg) verifies(t *testing.T, p *postfix, relay *mail.Submitter) {
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
	delivered := p.arrived()
	got := read(t, []byte(delivered))
	sig := filepath.Join(p.dir, "sig.asc")
	p.write("sig.asc", string(got.Root.Parts[1].Body))
	if status := g.run(string(crlf(string(got.Root.Parts[0].Whole))), "--status-fd", "1", "--verify", sig, "-"); !strings.Contains(status, "[GNUPG:] VALIDSIG") {
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
func (g *gnupg) opens(t *testing.T, id *mail.Identity, delivered string) string {
	t.Helper()
	m := read(t, []byte(delivered))
	if m.Root.Type != "multipart/encrypted" || m.Header.Get("Return-Path") != "<"+id.Return(letter)+">" {
		t.Fatalf("delivered:\n%s", delivered)
	}
	inside := read(t, []byte(g.run(string(m.Root.Parts[1].Decoded()), "--skip-verify", "--decrypt"))) // the signature follows
	if s := inside.Header.Text("Subject"); !strings.Contains(s, "signed and encrypted") {
		t.Errorf("the subject inside is %q", s)
	}
	g.run(string(inside.Root.Parts[1].Decoded()), "--import")
	status := g.run(string(m.Root.Parts[1].Decoded()), "--status-fd", "1", "--decrypt")
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

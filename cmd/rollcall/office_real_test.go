package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/smtp"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail/mailtest"
)

var mailedWord = regexp.MustCompile(`(?m)^ *([0-9A-HJKMNP-TV-Z]{32})\r?$`)

// realOffice is the binary, with Postfix as its relay and as the team's mail server, and
// GnuPG as the team's tool.
type realOffice struct {
	t    *testing.T
	gpg  *mailtest.GnuPG
	post *mailtest.Postfix
	db   *store.DB
	log  lockedBuffer
	args []string // database and mail, for every command
}

func newRealOffice(t *testing.T, e storetest.Engine) *realOffice {
	t.Helper()
	o := &realOffice{t: t, gpg: mailtest.NewGnuPG(t, "csirt@team.example")}
	lmtp := mailtest.FreePort(t)
	o.post = mailtest.StartPostfix(t, mailtest.Site{Domain: "team.example", Boxes: []string{"csirt", "soc", "desk"}, Own: "rollcall.example", LMTP: lmtp, Refuses: mailServer(t, func(string) bool { return false }, nil)})
	dsn, db := e.Open(t)
	o.db = db
	o.args = []string{"--db", dsn, "--mail-dir", filepath.Join(t.TempDir(), "mail")}
	o.run("mail", "init", "--mail-dir", o.args[3], "--mail-address", "rollcall@rollcall.example", "--mail-contact", "https://rollcall.example/about")
	o.team()
	cmd := exec.Command("rollcall", append([]string{"serve", "--listen", "127.0.0.1:0", "--verify", "off", "--challenge", "on", "--mail-address", "rollcall@rollcall.example",
		"--mail-contact", "https://rollcall.example/about", "--mail-relay", o.post.Address, "--mail-relay-tls", "required", "--mail-relay-ca", o.post.PEM,
		"--mail-lmtp", lmtp, "--challenge-pages", "https://rollcall.example/"}, o.args...)...)
	cmd.Stderr = &o.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if t.Failed() {
			t.Logf("the server says\n%s", &o.log)
		}
	})
	return o
}

// run runs a command of the binary and returns what it prints.
func (o *realOffice) run(args ...string) string {
	o.t.Helper()
	cmd := exec.Command("rollcall", args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		o.t.Fatalf("rollcall %v: %v\n%s", args, err, &errs)
	}
	return string(out)
}

// team enters a team with four mailboxes and the key that GnuPG made.
func (o *realOffice) team() {
	o.t.Helper()
	key, _, err := directory.ParseKey([]byte(o.gpg.Run("", "--armor", "--export", "csirt@team.example")))
	if err != nil {
		o.t.Fatal(err)
	}
	door, err := directory.New(directory.Config{Store: o.db, Now: time.Now})
	if err != nil {
		o.t.Fatal(err)
	}
	p := directory.Profile{Names: directory.Names{Short: "Team CSIRT"}, Hours: directory.Hours{Always: true}, Keys: []directory.TeamKey{{Key: key}}}
	for _, box := range []string{"csirt", "soc", "desk", "gone"} {
		p.Contacts = append(p.Contacts, directory.Contact{Channel: "email", Value: box + "@team.example"})
	}
	if _, err := door.Create(o.t.Context(), directory.Principal{Name: "op", Role: directory.Operator}, directory.NewTeam{Handle: "team", Profile: p}); err != nil {
		o.t.Fatal(err)
	}
}

func (o *realOffice) ask(kind challenge.Kind, box string) challenge.ID {
	o.t.Helper()
	return challenge.ID(strings.TrimSpace(o.run(append([]string{"challenge", "ask", "--kind", string(kind), "team", box + "@team.example"}, o.args...)...)))
}

// until waits until a question is as it should be.
func (o *realOffice) until(id challenge.ID, as func(*challenge.Challenge) bool) challenge.Challenge {
	o.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		c, err := o.db.Challenge(context.Background(), id)
		if err != nil {
			o.t.Fatal(err)
		}
		if as(&c) {
			return c
		}
		if time.Since(begun) > time.Minute {
			o.t.Fatalf("not as it should be after a minute: %+v", c)
		}
	}
}

// delivered is a mail as the team reads it: its header, what GnuPG decrypts of it or else
// its text, and what is attached.
type delivered struct {
	header netmail.Header
	text   string
	keys   string
}

// read waits for the next mail in a mailbox.
func (o *realOffice) read(box string) delivered {
	o.t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(o.post.Arrived(box)))
	if err != nil {
		o.t.Fatal(err)
	}
	d := delivered{header: m.Header}
	o.part(&d, m.Header.Get, m.Body)
	return d
}

func (o *realOffice) part(d *delivered, header func(string) string, body io.Reader) {
	o.t.Helper()
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	if err != nil {
		o.t.Fatal(err)
	}
	if header("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		content, err := io.ReadAll(body)
		if err != nil {
			o.t.Fatal(err)
		}
		switch kind {
		case "application/octet-stream":
			inner, err := netmail.ReadMessage(strings.NewReader(o.gpg.Run(string(content), "--skip-verify", "--decrypt")))
			if err != nil {
				o.t.Fatal(err)
			}
			o.part(d, inner.Header.Get, inner.Body)
		case "application/pgp-keys":
			d.keys += string(content)
		case "text/plain":
			d.text += string(content)
		}
		return
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if err != nil {
			return
		}
		o.part(d, p.Header.Get, p)
	}
}

func (d *delivered) word(t *testing.T) string {
	t.Helper()
	m := mailedWord.FindStringSubmatch(d.text)
	if m == nil {
		t.Fatalf("no word in %q", d.text)
	}
	return m[1]
}

// answer sends a reply through Postfix.
func (o *realOffice) answer(d *delivered, box, subject, content string) {
	o.t.Helper()
	to, err := netmail.ParseAddress(d.header.Get("Reply-To"))
	if err != nil {
		o.t.Fatal(err)
	}
	raw := fmt.Sprintf("From: <%s@team.example>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%d@team.example>\nIn-Reply-To: %s\nMIME-Version: 1.0\n%s",
		box, to.Address, subject, time.Now().Format(time.RFC1123Z), time.Now().UnixNano(), d.header.Get("Message-ID"), content)
	if err := o.send(box+"@team.example", to.Address, []byte(strings.ReplaceAll(raw, "\n", "\r\n"))); err != nil {
		o.t.Fatal(err)
	}
}

// send hands a mail to Postfix as a mail program does.
func (o *realOffice) send(from, to string, raw []byte) error {
	c, err := smtp.Dial(o.post.Address)
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // Quit has closed it
	if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: o.post.Roots, MinVersion: tls.VersionTLS12}); err != nil {
		return err
	}
	if err := errors.Join(c.Mail(from), c.Rcpt(to)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = w.Write(raw)
	return errors.Join(err, w.Close(), c.Quit())
}

// TestOfficeWithPostfixAndGnuPG goes the whole way with real programs: the binary asks through
// Postfix, GnuPG decrypts and signs in the forms that mail programs use, and the answers come
// back through Postfix by LMTP. One went through a ticket system, one mail comes back.
func TestOfficeWithPostfixAndGnuPG(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			o := newRealOffice(t, e)
			answered := func(level directory.Level, method string) func(*challenge.Challenge) bool {
				return func(c *challenge.Challenge) bool {
					return c.State == challenge.StateAnswered && c.Reached == level && slices.ContainsFunc(c.Proofs, func(p challenge.Proved) bool { return p.Method == method })
				}
			}

			// Encrypted and signed both ways: PGP/MIME, encrypted to the key that came with the mail.
			both := o.ask(challenge.KindBoth, "csirt")
			d := o.read("csirt")
			o.gpg.Run(d.keys, "--import")
			payload := "Content-Type: text/plain; charset=utf-8\r\n\r\nYes: " + d.word(t) + "\r\n"
			sealed := o.gpg.Run(payload, "--armor", "--sign", "--encrypt", "--recipient", "rollcall@rollcall.example")
			o.answer(&d, "csirt", "Re: "+d.header.Get("Subject"), "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\n\n"+
				"--e\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--e\nContent-Type: application/octet-stream\n\n"+sealed+"\n--e--\n")
			o.until(both, answered(directory.Proven, "challenge.both"))

			// A signed reply, inline, through a ticket system that has a subject of its own and keeps no references.
			signed := o.ask(challenge.KindSigned, "desk")
			d = o.read("desk")
			clear := o.gpg.Run("Yes: "+d.word(t)+"\n", "--clearsign")
			rewritten := d
			rewritten.header = netmail.Header{"Reply-To": {"rollcall@rollcall.example"}, "Message-Id": {"<ticket-4711@team.example>"}}
			o.answer(&rewritten, "desk", "[team.example #4711] "+d.header.Get("Subject")+" (fwd)", "Content-Type: text/plain; charset=utf-8\n\n"+clear)
			o.until(signed, answered(directory.Proven, "challenge.signed"))

			// The word that only the key opens, in a plain reply.
			nonce := o.ask(challenge.KindNonce, "soc")
			d = o.read("soc")
			o.answer(&d, "soc", "Re: "+d.header.Get("Subject"), "Content-Type: text/plain; charset=utf-8\n\n"+d.word(t)+"\n")
			o.until(nonce, answered(directory.Proven, "challenge.nonce"))

			// Accepted by the relay, and refused further on.
			gone := o.ask(challenge.KindCode, "gone")
			c := o.until(gone, func(c *challenge.Challenge) bool { return len(c.Bounces) == 1 })
			if c.State != challenge.StateBounced || c.Bounces[0].Status != "5.1.1" {
				t.Errorf("the mail that came back: %+v", c)
			}
			if out := o.run(append([]string{"challenge", "list", "--team", "team"}, o.args...)...); strings.Count(out, "answered") != 3 || strings.Count(out, "bounced") != 1 {
				t.Errorf("the list:\n%s", out)
			}
		})
	}
}

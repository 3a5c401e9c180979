package lab

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Manner is how a team treats a mail that asks whether it answers.
type Manner string

// The manners.
const (
	Signs  Manner = "signed reply"    // signed, and encrypted where the mail brings a key
	Types  Manner = "code"            // opens the page and types the code
	Away   Manner = "auto-reply"      // RFC 3834, with all of the mail quoted
	Ticket Manner = "ticket"          // the receipt of a ticket system, with another subject
	Gone   Manner = "bounce"          // RFC 3464: there is no such mailbox
	Moved  Manner = "wrong address"   // a person says on the page that it is not theirs
	Silent Manner = "nothing happens" // the mailbox is not read
)

// manners are the teams that do not sign their answers.
func manners() map[string]Manner {
	return map[string]Manner{
		"beacon": Types, "canal": Types, "foundry": Types, "inlet": Types, "lagoon": Types, "mill": Types, "reservoir": Types, "rookery": Types, "tannery": Types,
		"courier": Away, "jetty": Away, "oven": Away, "viaduct": Away, "cooper": Ticket, "parcel": Ticket,
		"heron": Gone, "nursery": Gone, "smithy": Gone, "kiln": Moved,
		"dairy": Silent, "lantern": Silent, "sawmill": Silent, "weir": Silent,
	}
}

// Reaction is what comes back of a mail: a mail, a form that is sent, or neither.
type Reaction struct {
	After time.Duration // that people and machines take for it; seconds, in this hurried world
	From  string        // the return path; "" for reports of delivery
	To    string        // "" where no mail comes back
	Raw   []byte
	Page  string // where a form is sent; "" where none is
	Form  url.Values
}

// ErrUnread is a mail that a team can't make sense of.
var ErrUnread = errors.New("lab: the team can't read the mail")

var (
	pageLink   = regexp.MustCompile(`https://\S+/answer/\S+`)
	codeLine   = regexp.MustCompile(`(?m)^\s*([0-9A-Z]{4}-[0-9A-Z]{4})\s*$`)
	secretWord = regexp.MustCompile(`(?m)^\s*([0-9A-Z]{32})\s*$`)
)

// React reads a mail that was sent to the team from the address sender, with the
// tools that people have, and says what the team does about it.
func (t *Team) React(sender string, raw []byte, now time.Time) (Reaction, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Reaction{}, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	r := reader{team: t, mail: m, raw: raw, now: now}
	switch t.Manner {
	case Signs, Types, Moved:
		if err := r.part(m.Header.Get, m.Body, 0); err != nil {
			return Reaction{}, fmt.Errorf("%w: %w", ErrUnread, err)
		}
		return r.person()
	case Away:
		return r.machine(2*time.Second, "Automatic reply: ", "Auto-Submitted: auto-replied\n", "We are all at a conference.\n\n> "+strings.ReplaceAll(string(raw), "\n", "\n> "))
	case Ticket:
		return r.machine(time.Second, fmt.Sprintf("[%s #%d] AutoReply: ", t.Domain, 4000+len(raw)%1000), "Auto-Submitted: auto-generated\nRT-Ticket: "+t.Domain+" #4711\n", "Your message was received. Nobody has read it.")
	case Gone:
		return r.bounce(sender), nil
	}
	return Reaction{}, nil
}

// reader is a team that reads a mail.
type reader struct {
	team *Team
	mail *mail.Message
	raw  []byte
	now  time.Time
	text strings.Builder
	keys openpgp.EntityList // that came with the mail
}

// part reads a part of a mail, and what is in it.
func (r *reader) part(header func(string) string, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	if err != nil || depth > 8 {
		return errors.Join(err, fmt.Errorf("a part of %q at depth %d", kind, depth))
	}
	if strings.HasPrefix(kind, "multipart/") {
		return r.parts(kind, multipart.NewReader(body, params["boundary"]), depth)
	}
	switch strings.ToLower(header("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	switch kind {
	case "application/pgp-keys":
		list, err := openpgp.ReadArmoredKeyRing(body)
		r.keys = append(r.keys, list...)
		return err
	case "text/plain":
		_, err = io.Copy(&r.text, body)
	}
	return err
}

func (r *reader) parts(kind string, all *multipart.Reader, depth int) error {
	for n := 0; ; n++ {
		p, err := all.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if kind == "multipart/encrypted" {
			if n == 1 {
				return r.open(p, depth)
			}
			continue
		}
		if err := r.part(p.Header.Get, p, depth+1); err != nil {
			return err
		}
	}
}

// open decrypts (RFC 3156 section 4), and reads what was inside.
func (r *reader) open(body io.Reader, depth int) error {
	block, err := armor.Decode(body)
	if err != nil {
		return err
	}
	opened, err := openpgp.ReadMessage(block.Body, openpgp.EntityList{r.team.secret.entity}, nil, &packet.Config{Time: func() time.Time { return r.now }})
	if err != nil {
		return err
	}
	inner, err := mail.ReadMessage(opened.UnverifiedBody)
	if err != nil {
		return err
	}
	return r.part(inner.Header.Get, inner.Body, depth+1)
}

// person does what the mail asks for.
func (r *reader) person() (Reaction, error) {
	text := strings.ReplaceAll(r.text.String(), "\r\n", "\n")
	link, code, word := pageLink.FindString(text), codeLine.FindStringSubmatch(text), secretWord.FindStringSubmatch(text)
	after := time.Duration(2+len(r.team.Handle)%5) * time.Second
	switch {
	case link == "":
		return Reaction{}, fmt.Errorf("%w: there is no link in it", ErrUnread)
	case r.team.Manner == Signs && word != nil:
		raw, err := r.reply("I answer for the team. The word is\n\n" + word[1] + "\n")
		return Reaction{After: after, From: r.address(), To: r.answerTo(), Raw: raw}, err
	case code == nil:
		return Reaction{}, fmt.Errorf("%w: it asks for nothing that the team does", ErrUnread)
	case r.team.Manner == Moved:
		return Reaction{After: after, Page: link, Form: url.Values{"code": {code[1]}, "choice": {"wrong-address"}}}, nil
	}
	return Reaction{After: after, Page: link, Form: url.Values{"code": {strings.ToLower(code[1])}, "choice": {"team"}}}, nil
}

func (r *reader) address() string { return r.team.Contacts[0].Value }

// answerTo is where answers go (RFC 5322 section 3.6.2).
func (r *reader) answerTo() string {
	for _, name := range []string{"Reply-To", "From"} {
		if a, err := mail.ParseAddress(r.mail.Header.Get(name)); err == nil {
			return a.Address
		}
	}
	return ""
}

// header is the head of a mail that answers.
func (r *reader) header(subject string) string {
	return fmt.Sprintf("From: %s <%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMessage-ID: <%d.%s@%s>\nIn-Reply-To: %s\nMIME-Version: 1.0\n",
		r.team.Name, r.address(), r.answerTo(), subject+r.mail.Header.Get("Subject"), r.now.Format(time.RFC1123Z), r.now.UnixNano(), r.team.Handle, r.team.Domain, r.mail.Header.Get("Message-ID"))
}

// reply is a mail with a text, signed and, where a key came with the question, encrypted to it.
func (r *reader) reply(text string) ([]byte, error) {
	conf := &packet.Config{DefaultHash: crypto.SHA512, Time: func() time.Time { return r.now }}
	own := []*openpgp.Entity{r.team.secret.entity}
	part := crlf("Content-Type: text/plain; charset=utf-8\n\n" + text)
	if len(r.keys) > 0 {
		sealed, err := armored(openpgp.MessageType, func(w io.Writer) error {
			in, err := openpgp.Encrypt(w, r.keys, nil, own, nil, conf)
			if err != nil {
				return err
			}
			_, err = io.WriteString(in, part)
			return errors.Join(err, in.Close())
		})
		return []byte(crlf(r.header("Re: ") + "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"lab\"\n\n" +
			"--lab\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--lab\nContent-Type: application/octet-stream\n\n" + sealed + "\n--lab--\n")), err
	}
	sig, err := armored(openpgp.SignatureType, func(w io.Writer) error { return openpgp.DetachSign(w, own, strings.NewReader(part), conf) })
	return []byte(crlf(r.header("Re: ") + "Content-Type: multipart/signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"; boundary=\"lab\"\n\n" +
		"--lab\n" + part + "\n--lab\nContent-Type: application/pgp-signature\n\n" + sig + "\n--lab--\n")), err
}

// machine is a mail that a program sends back at once.
func (r *reader) machine(after time.Duration, subject, fields, text string) (Reaction, error) {
	raw := crlf(r.header(subject) + fields + "Content-Type: text/plain; charset=utf-8\n\n" + text)
	return Reaction{After: after, From: r.address(), To: r.answerTo(), Raw: []byte(raw)}, nil
}

// bounce is the report that there is no such mailbox (RFC 3464).
func (r *reader) bounce(sender string) Reaction {
	raw := fmt.Sprintf(`From: MAILER-DAEMON@mx.%[1]s
To: <%[2]s>
Subject: Undelivered Mail Returned to Sender
Date: %[3]s
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="lab"

--lab
Content-Type: text/plain

There is no mailbox %[4]s.
--lab
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.%[1]s

Final-Recipient: rfc822; %[4]s
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user
--lab--
`, r.team.Domain, sender, r.now.Format(time.RFC1123Z), r.address())
	return Reaction{After: time.Second, To: sender, Raw: []byte(crlf(raw))}
}

func armored(kind string, write func(io.Writer) error) (string, error) {
	var b strings.Builder
	w, err := armor.EncodeWithChecksumOption(&b, kind, nil, false)
	if err == nil {
		err = errors.Join(write(w), w.Close())
	}
	return b.String(), err
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
}

// TeamAt is the team with a mailbox.
func (l *Lab) TeamAt(address string) (Team, bool) {
	teams := l.Teams()
	i := slices.IndexFunc(teams, func(t Team) bool { return strings.EqualFold(t.Contacts[0].Value, address) })
	if i < 0 {
		return Team{}, false
	}
	return teams[i], true
}

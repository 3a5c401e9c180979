package mail

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ComposerConfig is what a [Composer] is made from.
type ComposerConfig struct {
	Identity  *Identity
	Templates fs.FS            // the operator's own texts, one file a language ("fr.tmpl"); nil: those that ship
	Now       func() time.Time // of signatures; nil: time.Now
	// Plain leaves mails that are not encrypted without an OpenPGP signature: some ticket
	// systems show a signed mail as an attachment.
	Plain bool
}

// Composer makes mails of letters. It is safe for concurrent use.
type Composer struct {
	cfg       ComposerConfig
	templates templates
	autocrypt string // value of the header, "" without a key
	publicKey []byte // armoured
}

// NewComposer reads and tries all texts. An error names the file and what it lacks.
func NewComposer(cfg ComposerConfig) (*Composer, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := cfg.Identity.check(); err != nil {
		return nil, err
	}
	ts, err := loadTemplates(cfg.Templates)
	if err != nil {
		return nil, err
	}
	c := &Composer{cfg: cfg, templates: ts}
	if cfg.Identity.Key == nil {
		return c, nil
	}
	return c, c.publish()
}

// Preview renders the text of a kind of letter in a language, with invented values.
// Of is what a drill, reminder or escalation asks for.
func (c *Composer) Preview(kind, of Kind, language string) (subject, text string, err error) {
	for _, l := range samples() {
		if l.Kind == kind && (!kind.Repeats() || l.Of == of) {
			l.Language = language
			subject, text, err = c.templates.text(c.cfg.Identity, l)
			return tagged(l) + " " + subject, text, err
		}
	}
	return "", "", fmt.Errorf("%w: nothing can be asked for as %q of %q", ErrLetter, kind, of)
}

// Languages lists the tags of those that there are texts in, the operator's own too, in small letters.
func (c *Composer) Languages() []string { return slices.Sorted(maps.Keys(c.templates)) }

// Render makes a letter into a mail. The errors are [ErrLetter] for a letter that must not be sent,
// and [ErrKey] for a team's key that can't be encrypted to now.
func (c *Composer) Render(l Letter) (Mail, error) {
	if err := l.check(); err != nil {
		return Mail{}, err
	}
	to, err := directory.ParseEmail(l.To)
	if err != nil {
		return Mail{}, fmt.Errorf("%w %s: the recipient: %w", ErrLetter, l.ID, err)
	}
	l.To = string(to) // its domain in ASCII, as it goes over the wire
	id := c.cfg.Identity
	subject, text, err := c.templates.text(id, l)
	if err != nil {
		return Mail{}, err
	}
	if err := clean(text); err != nil { // the operator's texts may have conditions that no sample met
		return Mail{}, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	m := Mail{ID: l.ID, MessageID: id.MessageID(l.ID), From: id.Return(l.ID), To: l.To, Text: text, Encrypted: l.Key != ""}
	m.Subject = tagged(l) + " " + subject
	raw, err := c.message(l, m)
	if err != nil {
		return Mail{}, err
	}
	m.Raw, err = id.signDKIM(raw)
	return m, err
}

func tagged(l Letter) string { return "[ROLLCALL-" + l.Tag + "]" }

// message is the mail but for its DKIM signatures.
func (c *Composer) message(l Letter, m Mail) ([]byte, error) {
	inner := c.fields(l, m)
	switch {
	case m.Encrypted:
		return c.encrypted(l, m, inner)
	case c.cfg.Identity.Key != nil && !c.cfg.Plain:
		return c.signed(l, m, inner)
	}
	var b bytes.Buffer
	writeFields(&b, inner)
	writeFields(&b, c.machine(l))
	writeFields(&b, fields{{"MIME-Version", "1.0"}})
	writeText(&b, m.Text, "")
	return b.Bytes(), nil
}

// fields are what people see above a mail, and what the mail is threaded by.
func (c *Composer) fields(l Letter, m Mail) fields {
	id := c.cfg.Identity
	out := fields{
		{"Date", l.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"From", id.from()},
		{"To", l.To},
		{"Message-ID", "<" + m.MessageID + ">"},
		{"Subject", encodeSubject(m.Subject)},
	}
	if l.Token != "" {
		out = append(out, field{"Reply-To", id.Reply(l.Token)})
	}
	if l.InReplyTo != "" {
		parent := "<" + id.MessageID(l.InReplyTo) + ">"
		out = append(out, field{"In-Reply-To", parent}, field{"References", parent})
	}
	return out
}

// encodeSubject leaves the tag readable for ticket systems, and encodes the rest
// (RFC 2047) where it has to be.
func encodeSubject(s string) string {
	tag, rest, _ := strings.Cut(s, " ")
	return tag + " " + mime.BEncoding.Encode("utf-8", rest)
}

// machine are the fields for programs. RFC 3834 section 5: auto-generated, so that nobody's program
// answers. There is no Precedence: it asks some servers to drop the mail, and says nothing to the others.
func (c *Composer) machine(l Letter) fields {
	id := c.cfg.Identity
	out := fields{
		{"Auto-Submitted", "auto-generated"},
		{"X-Auto-Response-Suppress", "All"}, // [MS-OXCMAIL] section 2.2.3.2.14
		{"X-Loop", id.loop()},
	}
	// RFC 2369 section 3.2, RFC 8058 section 3.1: what a click does is for the page to decide: it opens a case.
	leave := "<mailto:" + string(id.Address) + "?subject=" + url.QueryEscape(tagged(l)+"-stop") + ">"
	if l.Stop == "" {
		out = append(out, field{"List-Unsubscribe", leave})
	} else {
		out = append(out, field{"List-Unsubscribe", leave + ", <" + l.Stop + ">"}, field{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	}
	if c.autocrypt != "" {
		out = append(out, field{"Autocrypt", c.autocrypt})
	}
	return out
}

// signedFields are what DKIM covers (RFC 6376 section 5.4.1, RFC 8058 section 4). Those that
// must not be added later are named once more than they are there (section 5.4.2).
func signedFields() []string {
	return []string{
		"From", "From", "To", "To", "Subject", "Subject", "Date", "Date", "Message-ID", "Message-ID", "Reply-To", "Reply-To",
		"In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Type", "Content-Transfer-Encoding",
		"Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post", "Autocrypt",
	}
}

// signDKIM puts the signature of each key before a mail. RFC 8463 section 3: both, since
// not everybody can verify Ed25519.
func (id *Identity) signDKIM(raw []byte) ([]byte, error) {
	var out bytes.Buffer
	for _, k := range id.DKIM {
		s, err := dkim.NewSigner(&dkim.SignOptions{
			Domain: string(id.Domain), Selector: k.Selector, Signer: k.Signer, HeaderKeys: signedFields(),
			HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		})
		if err != nil {
			return nil, fmt.Errorf("mail: DKIM key %s: %w", k.Selector, err)
		}
		_, err = s.Write(raw)
		if cerr := s.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, fmt.Errorf("mail: DKIM key %s: %w", k.Selector, err)
		}
		out.WriteString(s.Signature())
	}
	out.Write(raw)
	return out.Bytes(), nil
}

// publish makes the public forms of the instance's key: armoured, and as Autocrypt has it.
func (c *Composer) publish() error {
	id := c.cfg.Identity
	var bin bytes.Buffer
	if err := id.Key.Serialize(&bin); err != nil {
		return fmt.Errorf("%w: the public key: %w", ErrIdentity, err)
	}
	armored, err := armorOf("PGP PUBLIC KEY BLOCK", bin.Bytes())
	if err != nil {
		return fmt.Errorf("%w: the public key: %w", ErrIdentity, err)
	}
	c.publicKey = armored
	c.autocrypt = "addr=" + string(id.Address) + "; keydata=" + spaced(base64.StdEncoding.EncodeToString(bin.Bytes()), 72)
	return nil
}

// spaced puts a space after every n characters, at which a header can be folded.
func spaced(s string, n int) string {
	var b strings.Builder
	for ; len(s) > n; s = s[n:] {
		b.WriteString(" " + s[:n])
	}
	b.WriteString(" " + s)
	return b.String()
}

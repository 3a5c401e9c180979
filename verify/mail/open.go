package mail

import (
	"regexp"
	"slices"
	"strings"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Limits of what is opened.
const (
	maxInside  = 4 << 20         // octets of a decrypted, decompressed mail
	maxPackets = 64              // OpenPGP packets of a message
	maxSigners = 8               // signatures of one text
	clockSkew  = 5 * time.Minute // that a signer's clock may be off
)

// Opener says what a mail has to be to prove something. The zero fields have the meanings given.
type Opener struct {
	Own   *openpgp.Entity // by which mails are decrypted; nil: encrypted ones prove nothing
	Key   string          // the stored certificate of the team, armoured
	Nonce string
	From  []string  // the contact and its allowed aliases
	Since time.Time // when the challenge was handed to the relay
	Until time.Time // its end; zero: now
	Now   time.Time
}

// Form is how a mail was signed.
type Form string

// The forms in which mails are signed.
const (
	FormSigned    Form = "multipart/signed"    // RFC 3156 section 5
	FormEncrypted Form = "multipart/encrypted" // RFC 3156 section 6, signed within
	FormClear     Form = "cleartext"           // RFC 9580 section 7, inline
	FormInline    Form = "inline message"      // an armoured message in the text
	FormDetached  Form = "detached"            // an attached signature of the text
)

// Proof is what a mail proves: that the holder of the stored key signed the nonce.
type Proof struct {
	Form        Form
	Encrypted   bool                  // to our key
	Fingerprint directory.Fingerprint // of the stored key
	Issuer      string                // of the part of it that signed
	Made        time.Time             // by the signature's own words
	// Quoted says that the nonce stands only in lines that quote our mail. A program
	// that signs whatever it sends can do that too.
	Quoted bool
	// Copied says that another word like the nonce, such as the token of our link, stands with
	// it in lines that quote nothing: some programs repeat a mail without any sign.
	Copied bool
}

// Open looks for the proof that was asked for. The order is fixed: who it says it is from, what is signed, by which
// key, when, and whether the nonce is within what was signed. The error is [*Refused].
func (o *Opener) Open(m *Message) (Proof, error) {
	if err := o.from(m); err != nil {
		return Proof{}, err
	}
	s, err := o.find(m)
	if err != nil {
		return Proof{}, err
	}
	p, err := o.judge(s)
	if err != nil {
		return Proof{}, err
	}
	p.Form, p.Encrypted = s.form, s.encrypted
	inside, alone, copied := o.contains(s)
	switch {
	case inside:
		p.Quoted, p.Copied = !alone, copied
		return p, nil
	case hasWord(m.text(), o.Nonce):
		return Proof{}, refuse(NonceOutside, "")
	}
	return Proof{}, refuse(NonceMissing, "")
}

// from: one From field, one address, and one that we know. RFC 5322 section 3.6.2 allows several authors: who of
// them would it be? A field that decides how the rest is read must not be there twice (section 3.6).
func (o *Opener) from(m *Message) error {
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding", "Subject", "Message-ID", "Date"} {
		if n := len(m.Header.All(name)); n > 1 {
			return refuse(Duplicate, "%d × %s", n, name)
		}
	}
	sender := m.Sender()
	if sender == "" {
		return refuse(FromSeveral, "%d fields", len(m.Header.All("From")))
	}
	if !o.Knows(sender) {
		return refuse(FromOther, "%s", cut(printable(sender), 254))
	}
	return nil
}

// Knows reports whether an address is one of From, however it is written.
func (o *Opener) Knows(sender string) bool {
	return slices.ContainsFunc(o.From, func(a string) bool { return addressKey(a) == addressKey(sender) })
}

// addressKey is an address in a form to compare: its domain in ASCII, and all of it in lower case.
func addressKey(a string) string {
	if e, err := directory.ParseEmail(a); err == nil {
		return e.Key()
	}
	return strings.ToLower(a)
}

// contains looks for the nonce in the text that was signed: in one leaf of it, whole. Attached mails
// were written on another occasion, and are not looked into. alone: not only in quoted lines;
// copied: with another word of its sort there.
func (o *Opener) contains(s *sealed) (inside, alone, copied bool) {
	look := func(text string) {
		inside = inside || hasWord(text, o.Nonce)
		text = own(text)
		alone = alone || hasWord(text, o.Nonce)
		for _, word := range secretWord.FindAllString(text, -1) {
			copied = copied || !strings.EqualFold(word, o.Nonce)
		}
	}
	if s.part == nil {
		look(string(s.text))
		return inside, alone, copied
	}
	s.part.Leaves(func(p *Part) {
		if p.Type == "text/plain" || p.Type == "text/html" {
			look(p.Text())
		}
	})
	return inside, alone, copied
}

// secretWord is how tokens and nonces look: 160 bits in Crockford's base 32.
var secretWord = regexp.MustCompile(`(?i)\b[0-9a-hjkmnp-tv-z]{32}\b`)

// hasWord looks for a nonce as a word of its own, in any case.
func hasWord(text, nonce string) bool {
	if nonce == "" {
		return false
	}
	word := regexp.MustCompile(`(?i)(?:^|[^0-9a-z-])` + regexp.QuoteMeta(nonce) + `(?:[^0-9a-z-]|$)`)
	return word.MatchString(text)
}

// Says tells whether a mail says the nonce in its own words, signed or not, plain or encrypted to us. For a nonce that was
// sent encrypted, that shows that somebody read it, as much as typing it does. It does not show who; From is not looked at.
func (o *Opener) Says(m *Message) bool {
	if o.says(m.text()) {
		return true
	}
	found := candidates(m.Root)
	if len(found) != 1 || found[0].form != FormEncrypted && found[0].form != FormInline {
		return false
	}
	text, err := o.inside(m, found[0])
	return err == nil && o.says(text)
}

// says looks for the nonce in words of somebody's own. Our mail has it once, beside the token of our link: where both stand,
// the mail may be repeated without any sign, as by a gateway that decrypts, and the nonce is looked for once more.
func (o *Opener) says(text string) bool {
	text = own(text)
	nonces, others := 0, 0
	for _, word := range secretWord.FindAllString(text, -1) {
		if strings.EqualFold(word, o.Nonce) {
			nonces++
		} else {
			others++
		}
	}
	return hasWord(text, o.Nonce) && (others == 0 || nonces > 1)
}

// inside is the text of an encrypted mail, whoever signed it or not.
func (o *Opener) inside(m *Message, c candidate) (string, error) {
	if c.form == FormInline {
		s, err := o.decrypt(c.part.Decoded())
		if err != nil {
			return "", err
		}
		return string(s.text), nil
	}
	_, within, err := o.unwrap(m, c.part)
	if err != nil {
		return "", err
	}
	return within.text(), nil
}

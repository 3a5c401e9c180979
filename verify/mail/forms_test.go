package mail_test

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// reply is a mail of the team, in whichever form.
type reply struct {
	from    string // "": csirt@team.example
	subject string
	fields  string // more of them, each with its line break
	content string // Content-Type and what follows
}

func (r reply) mail() string {
	if r.from == "" {
		r.from = "From: Team CSIRT <csirt@team.example>\n"
	}
	if r.subject == "" {
		r.subject = "Subject: Re: [ROLLCALL-" + tag + "] Please answer this mail with a signature\n"
	}
	return r.from + "To: challenge+" + token + "@example.org\n" + r.subject + "Date: Sat, 28 Nov 2026 11:30:00 +0000\nMessage-ID: <1@team.example>\nMIME-Version: 1.0\n" + r.fields + r.content
}

// text is a part of plain text.
func text(body string) string { return "Content-Type: text/plain; charset=utf-8\n\n" + body + "\n" }

// yes is what a team writes.
const yes = "Hello,\n\nyes, we are here: " + nonce + "\n\n-- \nTeam CSIRT"

// signer signs as a team does.
type signer struct {
	key   *openpgp.Entity
	at    time.Time
	spoil func(*packet.Config)
}

func (s signer) config() *packet.Config {
	if s.at.IsZero() {
		s.at = now.Add(-30 * time.Minute)
	}
	cfg := &packet.Config{Time: at(s.at), DefaultHash: crypto.SHA256}
	if s.spoil != nil {
		s.spoil(cfg)
	}
	return cfg
}

func (s signer) detached(t testing.TB, data string) string {
	t.Helper()
	var b bytes.Buffer
	if err := openpgp.DetachSign(&b, []*openpgp.Entity{s.key}, strings.NewReader(data), s.config()); err != nil {
		t.Fatal(err)
	}
	return armored(t, openpgp.SignatureType, b.Bytes())
}

// mixed is a multipart.
func mixed(kind, boundary string, parts ...string) string {
	out := "Content-Type: multipart/" + kind + "; boundary=\"" + boundary + "\"\n\n"
	for _, p := range parts {
		out += "--" + boundary + "\n" + p + "\n"
	}
	return out + "--" + boundary + "--\n"
}

// signed is multipart/signed over a part.
func (s signer) signed(t testing.TB, part string) string {
	t.Helper()
	return mixed(`signed; micalg=pgp-sha256; protocol="application/pgp-signature"`, "s1", part, signatureOf(s.detached(t, string(crlf(part)))))
}

func signatureOf(armor string) string {
	return "Content-Type: application/pgp-signature; name=signature.asc\n\n" + armor
}

// clear is a cleartext signature.
func (s signer) clear(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	k, ok := s.key.SigningKey(s.config().Now(), s.config())
	if !ok {
		t.Fatal("no key to sign with")
	}
	w, err := clearsign.Encode(&b, k.PrivateKey, s.config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// sealed is an OpenPGP message: encrypted to keys if there are any, signed if there is a signer.
func (s signer) sealed(t testing.TB, data string, to ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	var signers []*openpgp.Entity
	if s.key != nil {
		signers = []*openpgp.Entity{s.key}
	}
	if len(to) > 0 {
		w, err = openpgp.Encrypt(&b, to, nil, signers, nil, s.config())
	} else {
		w, err = openpgp.Sign(&b, signers, nil, s.config())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encrypted is multipart/encrypted with a message.
func encrypted(t testing.TB, message []byte) string {
	t.Helper()
	return mixed(`encrypted; protocol="application/pgp-encrypted"`, "e1",
		"Content-Type: application/pgp-encrypted\n\nVersion: 1\n", "Content-Type: application/octet-stream\n\n"+armored(t, openpgp.MessageType, message))
}

// raw is a packet of the new format: RFC 9580 section 4.2.1.
func raw(tag byte, body []byte) []byte {
	n := len(body)
	return append([]byte{0xc0 | tag, 0xff, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// literal is a literal data packet.
func literal(s string) []byte {
	return raw(11, append([]byte{'b', 0, 0, 0, 0, 0}, s...))
}

// encryptRaw encrypts packets as they are.
func encryptRaw(t testing.TB, packets []byte, to *openpgp.Entity) []byte {
	t.Helper()
	cfg := &packet.Config{Time: at(now)}
	key, ok := to.EncryptionKey(now, cfg)
	if !ok {
		t.Fatal("no key to encrypt to")
	}
	session := bytes.Repeat([]byte{7}, 32)
	var b bytes.Buffer
	if err := packet.SerializeEncryptedKeyAEAD(&b, key.PublicKey, packet.CipherAES256, false, session, cfg); err != nil {
		t.Fatal(err)
	}
	w, err := packet.SerializeSymmetricallyEncrypted(&b, packet.CipherAES256, false, packet.CipherSuite{}, session, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packets); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deep is a MIME tree of so many levels.
func deep(levels int, leaf string) string {
	out := leaf
	for i := range levels {
		out = mixed("mixed", fmt.Sprintf("d%d", i), out)
	}
	return out
}

package mail_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func structureCases(s scene) []hostileCase {
	t, by, inner := s.t, s.by(s.team), text(yes)
	good, empty := by.signed(t, inner), by.signed(t, text("We are here."))
	old := strings.ReplaceAll(reply{content: good}.mail(), "s1", "old1")
	clear := by.clear(t, yes)
	return []hostileCase{
		{name: "the nonce in a part beside the signed one", mail: reply{content: mixed("mixed", "m1", inner, empty)}.mail(), want: mail.NonceOutside},
		{name: "the nonce in the subject only", mail: reply{subject: "Subject: " + nonce + "\n", content: empty}.mail(), want: mail.NonceMissing},
		{name: "the nonce before the first part", mail: reply{content: strings.Replace(empty, "\n--s1", "\n"+nonce+"\n--s1", 1)}.mail(), want: mail.NonceMissing},
		{name: "the nonce behind a cleartext signature", mail: reply{content: text(by.clear(t, "We are here.") + "\n" + nonce)}.mail(), want: mail.NonceOutside},
		{name: "the nonce before a cleartext signature", mail: reply{content: text(nonce + "\n" + by.clear(t, "We are here."))}.mail(), want: mail.TextBefore},
		{name: "any text before a cleartext signature", mail: reply{content: text("Wrong address!\n" + clear)}.mail(), want: mail.TextBefore},
		{name: "text before an inline message", mail: reply{content: text("Wrong address!\n" + armored(t, openpgp.MessageType, by.sealed(t, yes)))}.mail(), want: mail.TextBefore},
		{name: "text in the header of a cleartext signature", mail: reply{content: text(strings.Replace(by.clear(t, "We are here."), "Hash: SHA256\n", "Hash: SHA256\nComment: "+nonce+"\n", 1))}.mail(), want: mail.Malformed},
		{name: "a part of a longer word", mail: reply{content: by.signed(t, text("X"+nonce+"Y"))}.mail(), want: mail.NonceMissing},
		{name: "half of the nonce", mail: reply{content: by.signed(t, text(nonce[:10]))}.mail(), want: mail.NonceMissing},
		{name: "the nonce in two parts", mail: reply{content: by.signed(t, mixed("mixed", "m1", text(nonce[:10]), text(nonce[10:])))}.mail(), want: mail.NonceMissing},
		{name: "the nonce in a comment of HTML", mail: reply{content: by.signed(t, "Content-Type: text/html\n\n<p>Hello</p><!-- "+nonce+" -->\n")}.mail(), want: mail.NonceMissing},
		{name: "the nonce in a link of HTML", mail: reply{content: by.signed(t, "Content-Type: text/html\n\n<a href=\"https://x.example/"+nonce+"\">x</a>\n")}.mail(), want: mail.NonceMissing},
		{name: "the nonce in a signed attachment that is no text", mail: reply{content: by.signed(t, mixed("mixed", "m1", text("hello"), "Content-Type: application/octet-stream\n\n"+nonce+"\n"))}.mail(), want: mail.NonceMissing},
		{name: "two signed parts", mail: reply{content: mixed("mixed", "m1", good, empty)}.mail(), want: mail.SeveralSigned},
		{name: "a signed part and a cleartext signature", mail: reply{content: mixed("mixed", "m1", good, text(clear))}.mail(), want: mail.SeveralSigned},
		{name: "two cleartext signatures", mail: reply{content: text(by.clear(t, "We are here.") + clear)}.mail(), want: mail.SeveralSigned},
		{name: "a cleartext signature and an inline message", mail: reply{content: text(clear + armored(t, openpgp.MessageType, by.sealed(t, "x")))}.mail(), want: mail.SeveralSigned},
		{name: "an old reply, attached", mail: reply{content: mixed("mixed", "m1", text("see below"), "Content-Type: message/rfc822\n\n"+old)}.mail(), want: mail.NotSigned},
		{name: "an old reply, attached within what is signed", mail: reply{content: by.signed(t, mixed("mixed", "m1", text("see below"), "Content-Type: message/rfc822\n\n"+old))}.mail(), want: mail.NonceMissing},
		{name: "signed, of one part", mail: reply{content: mixed(`signed; protocol="application/pgp-signature"`, "s1", inner)}.mail(), want: mail.Malformed},
		{name: "signed, of three parts", mail: reply{content: strings.Replace(good, "--s1--", "--s1\n"+inner+"\n--s1--", 1)}.mail(), want: mail.Malformed},
		{name: "signed, the signature first", mail: reply{content: mixed(`signed; protocol="application/pgp-signature"`, "s1", signatureOf(by.detached(t, string(crlf(inner)))), inner)}.mail(), want: mail.Malformed},
		{name: "a signature beside a multipart", mail: reply{content: mixed("mixed", "m1", mixed("alternative", "a1", inner, inner), signatureOf(by.detached(t, yes)))}.mail(), want: mail.Malformed},
		{name: "an attached signature of another text", mail: reply{content: mixed("mixed", "m1", inner, signatureOf(by.detached(t, "other")))}.mail(), want: mail.BadSignature},
		{name: "two types", mail: reply{fields: "Content-Type: text/plain\n", content: good}.mail(), want: mail.Duplicate},
		{name: "two subjects", mail: reply{fields: "Subject: x\n", content: good}.mail(), want: mail.Duplicate},
		{name: "a forged From", mail: reply{from: "From: csirt@evil.example\n", content: good}.mail(), want: mail.FromOther},
		{name: "the contact as the name of another", mail: reply{from: "From: \"csirt@team.example\" <x@evil.example>\n", content: good}.mail(), want: mail.FromOther},
		{name: "two From fields", mail: reply{from: "From: csirt@team.example\nFrom: x@evil.example\n", content: good}.mail(), want: mail.FromSeveral},
		{name: "two authors", mail: reply{from: "From: csirt@team.example, x@evil.example\n", content: good}.mail(), want: mail.FromSeveral},
		{name: "no From", mail: reply{from: "X-From: csirt@team.example\n", content: good}.mail(), want: mail.FromSeveral},
		{name: "a From that can't be read", mail: reply{from: "From: <csirt@team.example> <x@evil.example>\n", content: good}.mail(), want: mail.FromSeveral},
		{name: "a From of a look-alike", mail: reply{from: "From: csirt@t\u0435am.example\n", content: good}.mail(), want: mail.FromOther},
		{name: "another type than it has", mail: reply{content: strings.Replace(good, "multipart/signed", "text/plain", 1)}.mail(), want: mail.NotSigned},
		{name: "no boundary", mail: reply{content: strings.Replace(good, "boundary", "b", 1)}.mail(), want: mail.Malformed},
	}
}

func messageCases(s scene) []hostileCase {
	t, by, inner := s.t, s.by(s.team), text(yes)
	ops := raw(4, []byte{3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 0})
	sealed := by.sealed(t, inner, s.own)
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-30] ^= 1
	nested := func(p []byte) []byte { return raw(8, append([]byte{0}, p...)) } // RFC 9580 section 9.4: uncompressed
	var password bytes.Buffer
	w, err := openpgp.SymmetricallyEncrypt(&password, []byte("secret"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(inner))
	_ = w.Close()
	return []hostileCase{
		{name: "encrypted to another", mail: reply{content: encrypted(t, by.sealed(t, inner, s.other))}.mail(), want: mail.NotForUs},
		{name: "encrypted by a password", mail: reply{content: encrypted(t, password.Bytes())}.mail(), want: mail.NotForUs},
		{name: "encrypted, and we have no key", mail: reply{content: encrypted(t, sealed)}.mail(), spoil: func(o *mail.Opener) { o.Own = nil }, want: mail.NotForUs},
		{name: "encrypted, and not signed", mail: reply{content: encrypted(t, signer{}.sealed(t, inner, s.own))}.mail(), want: mail.NotSigned},
		{name: "inline, encrypted, and not signed", mail: reply{content: text(armored(t, openpgp.MessageType, signer{}.sealed(t, yes, s.own)))}.mail(), want: mail.NotSigned},
		{name: "encrypted without protection", mail: reply{content: encrypted(t, unprotected(sealed))}.mail(), want: mail.NotProtected},
		{name: "encrypted and damaged", mail: reply{content: encrypted(t, damaged)}.mail(), want: mail.NotProtected},
		{name: "encrypted and cut", mail: reply{content: encrypted(t, sealed[:len(sealed)-40])}.mail(), want: mail.NotProtected},
		{name: "encrypted in encrypted", mail: reply{content: encrypted(t, signer{}.sealed(t, encrypted(t, sealed), s.own))}.mail(), want: mail.SeveralSigned},
		{name: "encrypted, two signed parts within", mail: reply{content: encrypted(t, signer{}.sealed(t, mixed("mixed", "m1", by.signed(t, inner), by.signed(t, text("x"))), s.own))}.mail(), want: mail.SeveralSigned},
		{name: "as Exchange leaves it, and touched", mail: strings.Replace(strings.Replace(reply{content: by.signed(t, inner)}.mail(), "multipart/signed", "multipart/mixed", 1), "Hello", "Hallo", 1), want: mail.BadSignature},
		{name: "two attached files", mail: reply{content: mixed("mixed", "m1", "Content-Type: application/pgp\n\n"+by.clear(t, yes), "Content-Type: application/pgp\n\n"+by.clear(t, "x"))}.mail(), want: mail.SeveralSigned},
		{name: "encrypted, of one part", mail: reply{content: mixed(`encrypted; protocol="application/pgp-encrypted"`, "e1", "Content-Type: application/octet-stream\n\nx\n")}.mail(), want: mail.Malformed},
		{name: "encrypted, no mail within", mail: reply{content: encrypted(t, by.sealed(t, "no header", s.own))}.mail(), want: mail.NoHeader},
		{name: "encrypted, a deep tree within", mail: reply{content: encrypted(t, by.sealed(t, deep(1000, inner), s.own))}.mail(), want: mail.TooDeep},
		{name: "encrypted, NUL within", mail: reply{content: encrypted(t, by.sealed(t, text(yes+"\x00"), s.own))}.mail(), want: mail.HasNUL},
		{name: "525 KB that grow to 512 MB", mail: reply{content: encrypted(t, encryptRaw(t, bomb(), s.own))}.mail(), want: mail.TooMuchInside},
		{name: "525 KB that grow to 512 MB, inline and not encrypted", mail: reply{content: text(armored(t, openpgp.MessageType, bomb()))}.mail(), want: mail.TooMuchInside},
		{name: "compressed in compressed", mail: reply{content: encrypted(t, encryptRaw(t, nested(nested(literal(inner))), s.own))}.mail(), want: mail.Malformed},
		{name: "10,000 one-pass signatures", mail: reply{content: encrypted(t, encryptRaw(t, append(bytes.Repeat(ops, 10000), literal(inner)...), s.own))}.mail(), want: mail.TooMuchInside},
		{name: "two texts in one message", mail: reply{content: encrypted(t, encryptRaw(t, append(literal(inner), literal(inner)...), s.own))}.mail(), want: mail.SeveralSigned},
		{name: "no text in a message", mail: reply{content: encrypted(t, encryptRaw(t, ops, s.own))}.mail(), want: mail.Malformed},
		{name: "a key in a message", mail: reply{content: encrypted(t, encryptRaw(t, keyPackets(t, s.team), s.own))}.mail(), want: mail.Malformed},
		{name: "1,000 session keys", mail: reply{content: encrypted(t, append(bytes.Repeat(raw(1, append([]byte{3, 1, 2, 3, 4, 5, 6, 7, 8, 1}, 0, 8, 255)), 1000), sealed...))}.mail(), want: mail.TooMuchInside},
		{name: "noise where the message should be", mail: reply{content: encrypted(t, []byte("\xff\xff\xff\xff\xff\xff"))}.mail(), want: mail.Malformed},
	}
}

func keyPackets(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unprotected makes of a message one of the old kind (tag 9): RFC 9580 section 5.7.
func unprotected(message []byte) []byte {
	r := packet.NewOpaqueReader(bytes.NewReader(message))
	var out []byte
	for {
		p, err := r.Next()
		if err != nil {
			return out
		}
		if p.Tag == 18 {
			out = append(out, raw(9, p.Contents[1:])...)
			continue
		}
		out = append(out, raw(p.Tag, p.Contents)...)
	}
}

func sizeCases(s scene) []hostileCase {
	good := s.by(s.team).signed(s.t, text(yes))
	flood := strings.Repeat("X-Flood: x\n", 5000)
	return []hostileCase{
		{name: "a tree 1,000 deep", mail: reply{content: deep(1000, good)}.mail(), want: mail.TooDeep},
		{name: "a tree of nine levels", mail: reply{content: deep(8, text("x"))}.mail(), want: mail.TooDeep},
		{name: "51 parts", mail: reply{content: mixed("mixed", "m1", strings.Split(strings.TrimSuffix(strings.Repeat(text("x")+"|", 51), "|"), "|")...)}.mail(), want: mail.TooManyParts},
		{name: "100,000 boundaries", mail: reply{content: "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", 100000)}.mail(), want: mail.TooManyParts},
		{name: "5,000 fields", mail: reply{fields: flood, content: good}.mail(), want: mail.HeaderFlood},
		{name: "5,000 fields in a part", mail: reply{content: mixed("mixed", "m1", flood+"\nx", good)}.mail(), want: mail.HeaderFlood},
		{name: "a field of 300 KB", mail: reply{fields: "X-Flood: " + strings.Repeat("x", 300<<10) + "\n", content: good}.mail(), want: mail.HeaderFlood},
		{name: "a field of 100,000 folded lines", mail: reply{fields: "X-Flood: x\n" + strings.Repeat(" x\n", 100000), content: good}.mail(), want: mail.HeaderFlood},
		{name: "more than 1 MiB", mail: reply{content: text(strings.Repeat("x\n", 600<<10))}.mail(), want: mail.TooLarge},
		{name: "NUL in the text", mail: reply{content: text("\x00")}.mail(), want: mail.HasNUL},
		{name: "NUL in the header", mail: reply{subject: "Subject: \x00\n", content: good}.mail(), want: mail.HasNUL},
		{name: "nothing", mail: "", want: mail.NoHeader},
		{name: "no header", mail: "\nhello\n", want: mail.NoHeader},
		{name: "noise", mail: "\xff\xfe\xfd" + strings.Repeat("\x80", 100), want: mail.NoHeader},
		{name: "lines that end with CR alone", mail: strings.ReplaceAll(reply{content: good}.mail(), "\n", "\r"), want: mail.FromSeveral},
		{name: "a child with the boundary of its parent", mail: reply{content: mixed("mixed", "s1", good)}.mail(), want: mail.SeveralSigned},
		{name: "an address field of 1 MB", mail: reply{from: "From: " + strings.Repeat("a@b.example, ", 5000) + "csirt@team.example\n", content: good}.mail(), want: mail.FromSeveral},
	}
}

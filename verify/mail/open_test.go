package mail_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// scene has the keys of the cases.
type scene struct {
	t                                             testing.TB
	own                                           *openpgp.Entity // the instance's
	team, other, rsa, weak, subkey, revoked, sub2 *openpgp.Entity
	sha1, young, lapsed                           *openpgp.Entity
	expired                                       *openpgp.Entity
}

func newScene(t testing.TB) scene {
	s := scene{t: t, own: instance(t).Key}
	s.team, s.other = keyPlan{}.key(t), keyPlan{}.key(t)
	s.subkey, s.sub2 = keyPlan{subkey: true}.key(t), keyPlan{subkey: true}.key(t)
	s.revoked = keyPlan{revoked: true}.key(t)
	s.expired = keyPlan{made: now.AddDate(0, 0, -30), lasts: 30*24*time.Hour - 10*time.Minute}.key(t)
	s.rsa = keyPlan{algo: packet.PubKeyAlgoRSA}.key(t)
	var err error
	s.sha1 = keyPlan{}.key(t)
	for _, id := range s.sha1.Identities {
		self := id.SelfCertifications[0].Packet
		self.Hash = crypto.SHA1
		if err := self.SignUserId(id.UserId.Id, s.sha1.PrimaryKey, s.sha1.PrivateKey, &packet.Config{Time: at(self.CreationTime), NonDeterministicSignaturesViaNotation: new(bool)}); err != nil {
			t.Fatal(err)
		}
	}
	s.lapsed = keyPlan{made: now.AddDate(0, 0, -30), lasts: 30*24*time.Hour - 40*time.Minute}.key(t)
	for _, id := range s.lapsed.Identities { // extended ten minutes ago
		longer := *id.SelfCertifications[0].Packet
		lasts := uint32(60 * 24 * 3600)
		longer.CreationTime, longer.KeyLifetimeSecs = now.Add(-10*time.Minute), &lasts
		if err := longer.SignUserId(id.UserId.Id, s.lapsed.PrimaryKey, s.lapsed.PrivateKey, &packet.Config{Time: at(longer.CreationTime)}); err != nil {
			t.Fatal(err)
		}
		id.SelfCertifications = append(id.SelfCertifications, packet.NewVerifiableSig(&longer))
	}
	s.young = keyPlan{made: now.Add(-5 * time.Minute)}.key(t)
	if s.weak, err = openpgp.NewEntity("Team", "", "csirt@team.example", &packet.Config{Time: at(now.AddDate(-1, 0, 0)), Algorithm: packet.PubKeyAlgoRSA, RSABits: 1024}); err != nil {
		t.Fatal(err)
	}
	for i := range s.sub2.Subkeys {
		if sub := &s.sub2.Subkeys[i]; sub.PublicKey.PubKeyAlgo == packet.PubKeyAlgoEdDSA {
			if err := sub.Revoke(packet.KeyCompromised, "", &packet.Config{Time: at(now.AddDate(0, -1, 0))}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// by signs as the team does.
func (s scene) by(e *openpgp.Entity) signer { return signer{key: e} }

// bomb is a compressed packet that grows to 512 MB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	zeros := make([]byte, 1<<20)
	head := []byte{0xcb, 0xff, 0x20, 0, 0, 0, 'b', 0, 0, 0, 0, 0} // a literal of 512 MB
	_, _ = w.Write(append(head, zeros...))
	_ = w.Flush()
	first := bytes.Clone(b.Bytes())
	b.Reset()
	_, _ = w.Write(zeros)
	_ = w.Flush() // a block that repeats what stands before it: it can be repeated itself
	return raw(8, append(append([]byte{1}, first...), bytes.Repeat(b.Bytes(), 511)...))
})

// hostileCase is a mail, and what is to become of it.
type hostileCase struct {
	name  string
	key   *openpgp.Entity // that is stored; nil: the team's
	mail  string
	spoil func(*mail.Opener)
	want  mail.Refusal
	form  mail.Form
	quote bool
}

func goodCases(s scene) []hostileCase {
	t, by := s.t, s.by(s.team)
	compressed := signer{key: s.team, spoil: func(c *packet.Config) { c.DefaultCompressionAlgo = packet.CompressionZIP }}
	inner := text(yes)
	return []hostileCase{
		{name: "multipart/signed", mail: reply{content: by.signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "multipart/signed by a subkey", key: s.subkey, mail: reply{content: s.by(s.subkey).signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "multipart/signed by RSA", key: s.rsa, mail: reply{content: s.by(s.rsa).signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "multipart/signed with a footer of a list", mail: reply{content: mixed("mixed", "m1", by.signed(t, inner), text("_____\nlist footer"))}.mail(), form: mail.FormSigned},
		{name: "multipart/signed of text and attachment", mail: reply{content: by.signed(t, mixed("mixed", "m1", inner, "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n"))}.mail(), form: mail.FormSigned},
		{name: "multipart/signed of an alternative", mail: reply{content: by.signed(t, mixed("alternative", "m1", text("see HTML"), "Content-Type: text/html\n\n<p>We are here: <b>"+nonce+"</b></p>\n"))}.mail(), form: mail.FormSigned},
		{name: "multipart/signed in base64", mail: reply{content: by.signed(t, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nV2UgYXJlIGhlcmU6IFI3UUsyTTlYVDRWQjZOV0U4WlBBCg==\n")}.mail(), form: mail.FormSigned},
		{name: "multipart/signed in quoted-printable", mail: reply{content: by.signed(t, "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe R7QK2M9XT4=\nVB6NWE8ZPA\n")}.mail(), form: mail.FormSigned},
		{name: "the nonce in lower case", mail: reply{content: by.signed(t, text(strings.ToLower(yes)))}.mail(), form: mail.FormSigned},
		{name: "a signature without the parameter protocol", mail: strings.Replace(reply{content: by.signed(t, inner)}.mail(), `; protocol="application/pgp-signature"`, "", 1), form: mail.FormSigned},
		{name: "from an alias", mail: reply{from: "From: \"CSIRT, Team\" <Alias@Team.example>\n", content: by.signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "from an alias in Unicode", mail: reply{from: "From: csirt@b\u00fccher.example\n", content: by.signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "a subject of raw octets", mail: reply{subject: "Subject: Gr\xfc\xdfe \xff\xfe\n", content: by.signed(t, inner)}.mail(), form: mail.FormSigned},
		{name: "cleartext", mail: reply{content: text(by.clear(t, yes))}.mail(), form: mail.FormClear},
		{name: "cleartext with a disclaimer behind", mail: reply{content: text(by.clear(t, yes) + "\n\nThis message is confidential.")}.mail(), form: mail.FormClear},
		{name: "cleartext with dashes", mail: reply{content: text(by.clear(t, "- "+yes+"\n-----\n- x"))}.mail(), form: mail.FormClear},
		{name: "an inline message that is signed", mail: reply{content: text(armored(t, openpgp.MessageType, by.sealed(t, yes)))}.mail(), form: mail.FormInline},
		{name: "an inline message, signed and encrypted", mail: reply{content: text(armored(t, openpgp.MessageType, by.sealed(t, yes, s.own)))}.mail(), form: mail.FormInline},
		{name: "an inline message, cleartext within", mail: reply{content: text(armored(t, openpgp.MessageType, signer{}.sealed(t, by.clear(t, yes), s.own)))}.mail(), form: mail.FormInline},
		{name: "multipart/encrypted, signed", mail: reply{content: encrypted(t, by.sealed(t, inner, s.own))}.mail(), form: mail.FormEncrypted},
		{name: "multipart/encrypted to several", mail: reply{content: encrypted(t, by.sealed(t, inner, s.team, s.own))}.mail(), form: mail.FormEncrypted},
		{name: "multipart/encrypted, compressed", mail: reply{content: encrypted(t, compressed.sealed(t, inner, s.own))}.mail(), form: mail.FormEncrypted},
		{name: "multipart/encrypted with multipart/signed within", mail: reply{content: encrypted(t, signer{}.sealed(t, by.signed(t, inner), s.own))}.mail(), form: mail.FormEncrypted},
		{name: "an attached signature of the text", mail: reply{content: mixed("mixed", "m1", inner, signatureOf(by.detached(t, yes+"\n")))}.mail(), form: mail.FormDetached},
		{name: "an attached signature of the text with CRLF", mail: reply{content: mixed("mixed", "m1", inner, signatureOf(by.detached(t, string(crlf(yes+"\n")))))}.mail(), form: mail.FormDetached},
		{name: "multipart/signed, as Exchange leaves it", mail: strings.Replace(reply{content: by.signed(t, inner)}.mail(), `multipart/signed; micalg=pgp-sha256; protocol="application/pgp-signature"`, "multipart/mixed", 1), form: mail.FormDetached},
		{name: "multipart/encrypted, as Exchange leaves it", mail: strings.Replace(strings.Replace(reply{content: encrypted(t, by.sealed(t, inner, s.own))}.mail(), `multipart/encrypted; protocol="application/pgp-encrypted"`, "multipart/mixed", 1), "--e1\n", "--e1\nContent-Type: text/plain\n\n\n--e1\n", 1), form: mail.FormEncrypted},
		{name: "an attached file, signed and encrypted", mail: reply{content: mixed("mixed", "m1", text("see the file"), "Content-Type: application/octet-stream; name=answer.txt.asc\nContent-Disposition: attachment\n\n"+armored(t, openpgp.MessageType, by.sealed(t, yes, s.own)))}.mail(), form: mail.FormInline},
		{name: "an attached file with a cleartext signature", mail: reply{content: mixed("mixed", "m1", text("see the file"), "Content-Type: application/pgp; name=answer.asc\n\n"+by.clear(t, yes))}.mail(), form: mail.FormClear},
		{name: "a key attached to a signed mail", mail: reply{content: mixed("mixed", "m1", by.signed(t, inner), "Content-Type: application/pgp-keys\n\n"+public(t, s.team))}.mail(), form: mail.FormSigned},
		{name: "the nonce only in what is quoted", mail: reply{content: by.signed(t, text("We are here.\n\n> this word:\n> "+nonce+"\n"))}.mail(), form: mail.FormSigned, quote: true},
		{name: "the nonce in quoted lines and out of them", mail: reply{content: by.signed(t, text(nonce+"\n> "+nonce+"\n"))}.mail(), form: mail.FormSigned},
		{name: "a second signature, of somebody else", mail: reply{content: encrypted(t, bothSealed(s, inner))}.mail(), form: mail.FormEncrypted},
	}
}

// bothSealed is signed by two.
func bothSealed(s scene, data string) []byte {
	var b bytes.Buffer
	w, err := openpgp.Encrypt(&b, []*openpgp.Entity{s.own}, nil, []*openpgp.Entity{s.other, s.team}, nil, signer{}.config())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := w.Write([]byte(data)); err != nil {
		s.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		s.t.Fatal(err)
	}
	return b.Bytes()
}

func signatureCases(s scene) []hostileCase {
	t, by, inner := s.t, s.by(s.team), text(yes)
	good := by.signed(t, inner)
	critical := func(c *packet.Config) {
		c.SignatureNotations = []*packet.Notation{{Name: "x@example.org", Value: []byte("1"), IsCritical: true, IsHumanReadable: true}}
	}
	return []hostileCase{
		{name: "a plain reply with the nonce", mail: reply{content: inner}.mail(), want: mail.NotSigned},
		{name: "an auto-reply that quotes the whole mail", mail: reply{fields: "Auto-Submitted: auto-replied\n", content: text("I am away.\n\n> " + nonce)}.mail(), want: mail.NotSigned},
		{name: "signed by another key", mail: reply{content: s.by(s.other).signed(t, inner)}.mail(), want: mail.OtherKey},
		{name: "cleartext by another key", mail: reply{content: text(s.by(s.other).clear(t, yes))}.mail(), want: mail.OtherKey},
		{name: "encrypted and signed by another key", mail: reply{content: encrypted(t, s.by(s.other).sealed(t, inner, s.own))}.mail(), want: mail.OtherKey},
		{name: "signed by our own key", mail: reply{content: s.by(s.own).signed(t, inner)}.mail(), want: mail.OtherKey},
		{name: "another key, attached to the mail", mail: reply{content: mixed("mixed", "m1", s.by(s.other).signed(t, inner), "Content-Type: application/pgp-keys\n\n"+public(t, s.other))}.mail(), want: mail.OtherKey},
		{name: "a revoked key", key: s.revoked, mail: reply{content: s.revokedSigned(inner)}.mail(), want: mail.KeyRevoked},
		{name: "a revoked subkey", key: s.sub2, mail: reply{content: s.sub2Signed(inner)}.mail(), want: mail.KeyRevoked},
		{name: "a key that has expired since", key: s.expired, mail: reply{content: s.by(s.expired).signed(t, inner)}.mail(), want: mail.KeyExpired},
		{name: "a key that had expired when it signed, and was extended since", key: s.lapsed, mail: reply{content: s.low(s.lapsed.PrivateKey, inner, bytes.Clone)}.mail(), want: mail.KeyExpired},
		{name: "a key that is held together by SHA-1", key: s.sha1, mail: reply{content: s.by(s.sha1).signed(t, inner)}.mail(), want: mail.KeyUnfit},
		{name: "a key that was made after it signed", key: s.young, mail: reply{content: s.low(s.young.PrivateKey, inner, bytes.Clone)}.mail(), want: mail.KeyUnfit},
		{name: "a signature over no text", mail: reply{content: s.standalone(inner)}.mail(), want: mail.BadSignature},
		{name: "a key of 1,024 bits", key: s.weak, mail: reply{content: signer{key: s.weak, spoil: func(c *packet.Config) { c.MinRSABits = 1023 }}.signed(t, inner)}.mail(), want: mail.WeakSignature},
		{name: "a signature over SHA-1", key: s.rsa, mail: reply{content: s.sha1Signed(inner)}.mail(), want: mail.WeakSignature},
		{name: "a signature with a critical notation", mail: reply{content: signer{key: s.team, spoil: critical}.signed(t, inner)}.mail(), want: mail.BadSignature},
		{name: "a signature that has expired", mail: reply{content: signer{key: s.team, spoil: func(c *packet.Config) { c.SigLifetimeSecs = 60 }}.signed(t, inner)}.mail(), want: mail.OutOfTime},
		{name: "a replay of last year's reply", mail: reply{content: signer{key: s.team, at: now.AddDate(-1, 0, 1)}.signed(t, inner)}.mail(), want: mail.OutOfTime},
		{name: "signed an hour before the challenge", mail: reply{content: signer{key: s.team, at: now.Add(-2 * time.Hour)}.signed(t, inner)}.mail(), want: mail.OutOfTime},
		{name: "signed in the future", mail: reply{content: signer{key: s.team, at: now.Add(time.Hour)}.signed(t, inner)}.mail(), want: mail.OutOfTime},
		{name: "signed after the end", mail: reply{content: good}.mail(), spoil: func(o *mail.Opener) { o.Until = now.Add(-50 * time.Minute) }, want: mail.OutOfTime},
		{name: "last year's reply, with last year's nonce", mail: reply{content: by.signed(t, text("ABCDEFGHJKMNPQRSTVWX"))}.mail(), want: mail.NonceMissing},
		{name: "the text was touched", mail: strings.Replace(reply{content: good}.mail(), "Hello", "Hallo", 1), want: mail.BadSignature},
		{name: "the nonce was put in later", mail: strings.Replace(reply{content: by.signed(t, text("WORD"))}.mail(), "WORD", nonce, 1), want: mail.BadSignature},
		{name: "cleartext that was touched", mail: strings.Replace(reply{content: text(by.clear(t, "WORD"))}.mail(), "WORD", nonce, 1), want: mail.BadSignature},
		{name: "a header within the signed part was touched", mail: strings.Replace(reply{content: good}.mail(), "text/plain; charset=utf-8", "text/plain; charset=koi8-r", 1), want: mail.BadSignature},
		{name: "the stored key can't be read", mail: reply{content: good}.mail(), spoil: func(o *mail.Opener) { o.Key = "no key" }, want: mail.KeyUnreadable},
		{name: "a signature that is none", mail: reply{content: mixed(`signed; protocol="application/pgp-signature"`, "s1", inner, signatureOf("none"))}.mail(), want: mail.Malformed},
		{name: "a signature of damaged armour", mail: strings.Replace(reply{content: good}.mail(), "\n\nw", "\n\n!", 1), want: mail.Malformed},
		{name: "nine signatures", mail: reply{content: mixed(`signed; protocol="application/pgp-signature"`, "s1", inner, signatureOf(strings.Repeat("x", 0)+s.nine(inner)))}.mail(), want: mail.Malformed},
		{name: "S/MIME", mail: reply{content: mixed(`signed; protocol="application/pkcs7-signature"`, "s1", inner, "Content-Type: application/pkcs7-signature\n\nMII=\n")}.mail(), want: mail.NotSigned},
		{name: "a key where the signature should be", mail: reply{content: mixed(`signed; protocol="application/pgp-signature"`, "s1", inner, signatureOf(public(t, s.team)))}.mail(), want: mail.Malformed},
	}
}

func (s scene) nine(inner string) string {
	var b bytes.Buffer
	for range 9 {
		if err := openpgp.DetachSign(&b, []*openpgp.Entity{s.other}, bytes.NewReader(crlf(inner)), signer{}.config()); err != nil {
			s.t.Fatal(err)
		}
	}
	return armored(s.t, openpgp.SignatureType, b.Bytes())
}

// low signs with a private key as it is, whatever stands against that.
func (s scene) low(priv *packet.PrivateKey, inner string, spoil func([]byte) []byte) string {
	hash := crypto.SHA256
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: priv.PubKeyAlgo, Hash: hash, CreationTime: now.Add(-30 * time.Minute),
		IssuerKeyId: &priv.KeyId, IssuerFingerprint: priv.Fingerprint,
	}
	h := hash.New()
	h.Write(crlf(inner))
	if err := sig.Sign(h, priv, &packet.Config{Time: at(now)}); err != nil {
		s.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		s.t.Fatal(err)
	}
	return mixed(`signed; protocol="application/pgp-signature"`, "s1", inner, signatureOf(armored(s.t, openpgp.SignatureType, spoil(b.Bytes()))))
}

func (s scene) revokedSigned(inner string) string {
	return s.low(s.revoked.PrivateKey, inner, bytes.Clone)
}

func (s scene) sub2Signed(inner string) string {
	for _, sub := range s.sub2.Subkeys {
		if sub.PublicKey.PubKeyAlgo == packet.PubKeyAlgoEdDSA {
			return s.low(sub.PrivateKey, inner, bytes.Clone)
		}
	}
	s.t.Fatal("no signing subkey")
	return ""
}

// standalone signs nothing but itself (RFC 9580 section 5.2.1.3), beside a text.
func (s scene) standalone(inner string) string {
	priv := s.team.PrivateKey
	sig := &packet.Signature{
		Version: 4, SigType: 2, PubKeyAlgo: priv.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: now.Add(-30 * time.Minute), IssuerKeyId: &priv.KeyId, IssuerFingerprint: priv.Fingerprint,
	}
	h := crypto.SHA256.New()
	h.Write(crlf(inner)) // as if it were over the text: only its type says otherwise
	if err := sig.Sign(h, priv, &packet.Config{Time: at(now)}); err != nil {
		s.t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		s.t.Fatal(err)
	}
	return mixed(`signed; protocol="application/pgp-signature"`, "s1", inner, signatureOf(armored(s.t, openpgp.SignatureType, b.Bytes())))
}

// sha1Signed says of itself that it is over SHA-1: go-crypto makes none.
func (s scene) sha1Signed(inner string) string {
	return s.low(s.rsa.PrivateKey, inner, func(sig []byte) []byte {
		p, err := packet.NewOpaqueReader(bytes.NewReader(sig)).Next()
		if err != nil {
			s.t.Fatal(err)
		}
		p.Contents[3] = 2
		return raw(2, p.Contents)
	})
}

func TestOpen(t *testing.T) {
	s := newScene(t)
	good := goodCases(s)
	hostile := append(append(append(signatureCases(s), structureCases(s)...), messageCases(s)...), sizeCases(s)...)
	if len(good) < 25 || len(hostile) < 100 {
		t.Fatalf("%d good and %d hostile mails", len(good), len(hostile))
	}
	for _, tt := range append(good, hostile...) {
		for _, wire := range []struct{ name, mail string }{{"LF", tt.mail}, {"CRLF", string(crlf(tt.mail))}} {
			if wire.name == "CRLF" && strings.Contains(tt.name, "CR alone") {
				continue
			}
			t.Run(tt.name+"/"+wire.name, func(t *testing.T) { tt.run(t, s, wire.mail) })
		}
	}
}

func (tt hostileCase) run(t *testing.T, s scene, text string) {
	key := tt.key
	if key == nil {
		key = s.team
	}
	o := mail.Opener{Own: s.own, Key: public(t, key), Nonce: nonce, From: []string{"csirt@team.example", "alias@team.example", "csirt@xn--bcher-kva.example"},
		Since: now.Add(-time.Hour), Until: now.AddDate(0, 0, 7), Now: now}
	if tt.spoil != nil {
		tt.spoil(&o)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := mail.Read([]byte(text), mail.Limits{})
	var p mail.Proof
	if err == nil {
		env := mail.Envelope{From: "csirt@team.example", To: []string{instance(t).Reply(token)}, Raw: []byte(text)}
		if c := instance(t).Classify(env, m); c.Sort.Bounce() {
			t.Errorf("it is taken for a bounce: %+v", c)
		}
		p, err = o.Open(m)
	}
	runtime.ReadMemStats(&after)
	if got := code(err); got != tt.want {
		t.Fatalf("%v, want %q", err, tt.want)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB allocated", grown>>20)
	}
	if err != nil && (p != mail.Proof{}) {
		t.Errorf("a refused mail proves %+v", p)
	}
	if err == nil && (p.Form != tt.form || p.Quoted != tt.quote || len(p.Fingerprint) < 40 || p.Made.IsZero()) {
		t.Errorf("it proves %+v, want form %s, quoted %t", p, tt.form, tt.quote)
	}
}

// TestSays: a nonce that was sent encrypted can be sent back in the clear, or encrypted, and not by quoting.
func TestSays(t *testing.T) {
	s := newScene(t)
	o := mail.Opener{Own: s.own, Nonce: nonce, Now: now}
	for _, tt := range []struct {
		name, mail string
		want       bool
	}{
		{"plain", reply{content: text(yes)}.mail(), true},
		{"HTML", reply{content: "Content-Type: text/html\n\n<p>" + nonce + "</p>\n"}.mail(), true},
		{"quoted only", reply{content: text("I am away.\n> " + nonce)}.mail(), false},
		{"encrypted", reply{content: encrypted(t, signer{}.sealed(t, text(yes), s.own))}.mail(), true},
		{"encrypted and signed", reply{content: encrypted(t, s.by(s.other).sealed(t, text(yes), s.own))}.mail(), true},
		{"encrypted, quoted only", reply{content: encrypted(t, signer{}.sealed(t, text("> "+nonce), s.own))}.mail(), false},
		{"inline", reply{content: text(armored(t, openpgp.MessageType, signer{}.sealed(t, yes, s.own)))}.mail(), true},
		{"encrypted to another", reply{content: encrypted(t, signer{}.sealed(t, text(yes), s.other))}.mail(), false},
		{"our own mail, sent back", reply{content: encrypted(t, signer{}.sealed(t, text(yes), s.team))}.mail(), false},
		{"attached", reply{content: mixed("mixed", "m1", text("see"), "Content-Type: message/rfc822\n\n"+reply{content: text(yes)}.mail())}.mail(), false},
		{"nothing", reply{content: text("hello")}.mail(), false},
		{"525 KB that grow to 512 MB", reply{content: encrypted(t, encryptRaw(t, bomb(), s.own))}.mail(), false},
	} {
		if got := o.Says(read(t, []byte(tt.mail))); got != tt.want {
			t.Errorf("%s: Says = %t", tt.name, got)
		}
	}
}

package mail

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ErrKey is a team's key that can't be encrypted to: the mail can't be sent in that
// form, and the key needs attention.
var ErrKey = errors.New("mail: the team's key")

// signed is multipart/signed (RFC 3156 section 5), the fields that people see inside
// the signature too (RFC 9788 section 5.2).
func (c *Composer) signed(l Letter, m Mail, inner fields) ([]byte, error) {
	var payload, sig bytes.Buffer
	writeFields(&payload, inner)
	writeText(&payload, m.Text, "clear")
	// RFC 3156 section 5: what is signed ends before the line break that belongs to the boundary.
	params := &openpgp.SignParams{Config: c.config()}
	if err := openpgp.DetachSignWithParams(&sig, []*openpgp.Entity{c.cfg.Identity.Key}, bytes.NewReader(payload.Bytes()), params); err != nil {
		return nil, fmt.Errorf("%w: signing: %w", ErrIdentity, err)
	}
	armored, err := armorOf(openpgp.SignatureType, sig.Bytes())
	if err != nil {
		return nil, err
	}
	signature := part(fields{
		{"Content-Type", `application/pgp-signature; name="signature.asc"`}, {"Content-Description", "OpenPGP digital signature"},
	}, armored)
	return c.wrap(l, inner, `multipart/signed; micalg="pgp-sha512"; protocol="application/pgp-signature"`, payload.Bytes(), signature), nil
}

// encrypted is multipart/encrypted, signed and encrypted in one (RFC 3156 section 6.2). The real subject is
// inside only. Against RFC 9788 section 3.2.1 (hcp_baseline, "[...]"): outside stands the tag, which answers
// are found by. The other fields are needed outside, and are repeated inside.
func (c *Composer) encrypted(l Letter, m Mail, inner fields) ([]byte, error) {
	outer := make(fields, len(inner))
	for i, f := range inner {
		if f.name == "Subject" {
			f.value = tagged(l) + " encrypted message"
		}
		outer[i] = f
	}
	sealed, err := c.seal(l, c.payload(m, inner, outer))
	if err != nil {
		return nil, err
	}
	version := part(fields{{"Content-Type", "application/pgp-encrypted"}, {"Content-Description", "PGP/MIME version identification"}}, []byte("Version: 1\n"))
	data := part(fields{
		{"Content-Type", `application/octet-stream; name="encrypted.asc"`}, {"Content-Description", "OpenPGP encrypted message"},
		{"Content-Disposition", `inline; filename="encrypted.asc"`},
	}, sealed)
	return c.wrap(l, outer, `multipart/encrypted; protocol="application/pgp-encrypted"`, version, data), nil
}

// payload is what is encrypted: the fields, those that stand outside (RFC 9788 section 2.2), the
// text, and our key, to which an answer may be encrypted.
func (c *Composer) payload(m Mail, inner, outer fields) []byte {
	var text, b bytes.Buffer
	writeText(&text, m.Text, "")
	limit := boundary()
	writeFields(&b, inner)
	for _, f := range outer {
		writeFields(&b, fields{{"HP-Outer", f.name + ": " + f.value}})
	}
	if c.publicKey == nil {
		writeText(&b, m.Text, "cipher")
		return b.Bytes()
	}
	writeFields(&b, fields{{"Content-Type", `multipart/mixed; boundary="` + limit + `"; hp="cipher"`}})
	b.WriteString("\r\n")
	key := part(fields{
		{"Content-Type", `application/pgp-keys; name="rollcall.asc"`}, {"Content-Disposition", `attachment; filename="rollcall.asc"`},
	}, c.publicKey)
	multipart(&b, limit, text.Bytes(), key)
	return b.Bytes()
}

// wrap puts two parts under the outer fields.
func (c *Composer) wrap(l Letter, outer fields, contentType string, parts ...[]byte) []byte {
	limit := boundary()
	var b bytes.Buffer
	writeFields(&b, outer)
	writeFields(&b, c.machine(l))
	writeFields(&b, fields{{"MIME-Version", "1.0"}, {"Content-Type", contentType + `; boundary="` + limit + `"`}})
	b.WriteString("\r\n")
	multipart(&b, limit, parts...)
	return b.Bytes()
}

// seal signs with the instance's key and encrypts to the team's.
func (c *Composer) seal(l Letter, payload []byte) ([]byte, error) {
	cfg := c.config()
	team, err := encryptTo(l.Key, cfg)
	if err != nil {
		return nil, err
	}
	var signers []*openpgp.Entity
	if c.cfg.Identity.Key != nil {
		signers = append(signers, c.cfg.Identity.Key)
	}
	var out bytes.Buffer
	w, err := openpgp.EncryptWithParams(&out, []*openpgp.Entity{team}, nil, &openpgp.EncryptParams{Signers: signers, Config: cfg})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if _, err := w.Write(payload); err != nil {
		return nil, fmt.Errorf("mail: encrypting: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("mail: encrypting: %w", err)
	}
	return armorOf(openpgp.MessageType, out.Bytes())
}

// encryptTo reads a team's key and judges whether it can be encrypted to now.
func encryptTo(armored string, cfg *packet.Config) (*openpgp.Entity, error) {
	c, err := directory.ParseCertificate([]byte(armored))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	settle(c.Entity, cfg)
	if ok, _, why := c.Key.UsableAt(cfg.Now()); !ok {
		return nil, fmt.Errorf("%w: %s", ErrKey, why)
	}
	if _, err := c.Entity.EncryptionKeyWithError(cfg.Now(), cfg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return c.Entity, nil
}

// config is how the instance signs and encrypts. Nothing is compressed: there is little to gain.
func (c *Composer) config() *packet.Config {
	cfg := policy(c.cfg.Now())
	cfg.DefaultHash = crypto.SHA512
	cfg.DefaultCipher = packet.CipherAES256
	return cfg
}

// policy is what is accepted of keys and signatures: no hash that can be forged
// (RFC 9580 section 9.5), no RSA that can be broken.
func policy(now time.Time) *packet.Config {
	weak := map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true}
	return &packet.Config{Time: func() time.Time { return now }, RejectHashAlgorithms: weak, RejectMessageHashAlgorithms: weak, MinRSABits: 2047}
}

// settle decides once what go-crypto would decide, and keep, when it is first asked: the directory has
// verified what a key says of itself, whatever the hash. Revocations count in any case.
func settle(e *openpgp.Entity, cfg *packet.Config) {
	mark := func(list []*packet.VerifiableSignature, revocation bool) {
		for _, s := range list {
			good := s.Valid != nil && *s.Valid && (revocation || holds(s.Packet, cfg))
			s.Valid = &good
		}
	}
	mark(e.Revocations, true)
	mark(e.DirectSignatures, false)
	for _, id := range e.Identities {
		mark(id.SelfCertifications, false)
		mark(id.Revocations, true)
	}
	for i := range e.Subkeys {
		mark(e.Subkeys[i].Bindings, false)
		mark(e.Subkeys[i].Revocations, true)
	}
}

// holds reports whether a signature may hold a key together.
func holds(s *packet.Signature, cfg *packet.Config) bool {
	if back := s.EmbeddedSignature; cfg.RejectHashAlgorithm(s.Hash) || back != nil && s.FlagSign && cfg.RejectHashAlgorithm(back.Hash) {
		return false
	}
	return !unknownCritical(s)
}

// unknownCritical: RFC 9580 section 5.2.3.24: a signature with a critical notation that
// is not known is in error.
func unknownCritical(s *packet.Signature) bool {
	for _, n := range s.Notations {
		if n.IsCritical {
			return true
		}
	}
	return false
}

// armorOf writes ASCII armour, with its checksum. Against RFC 9580 section 6.1, which advises to leave it out:
// GnuPG 2.2 takes the end of armour without one for data, and calls the message manipulated.
func armorOf(kind string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, kind, nil)
	if err != nil {
		return nil, fmt.Errorf("mail: armour: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("mail: armour: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("mail: armour: %w", err)
	}
	return append(b.Bytes(), '\n'), nil
}

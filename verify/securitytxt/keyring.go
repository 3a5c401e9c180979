package securitytxt

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// Limits of signatures.
const (
	maxSignatures = 8
	clockSkew     = 5 * time.Minute // that a signer's clock may be ahead
)

// Keyring are the keys by which signatures are verified. It is safe for
// concurrent use.
type Keyring struct {
	keys []key
}

// key is a key that was read once, under the one policy of this package: go-crypto
// keeps its verdicts on the entity, whatever it is asked for later.
type key struct {
	entity  *openpgp.Entity
	revoked bool
}

// NewKeyring reads keys, armoured or binary. A key that can't be read costs no other;
// the error joins what was wrong with them.
func NewKeyring(keys ...string) (*Keyring, error) {
	k := &Keyring{}
	var errs []error
	for i, text := range keys {
		c, err := directory.ParseCertificate([]byte(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("securitytxt: key %d: %w", i+1, err))
			continue
		}
		settle(c.Entity)
		k.keys = append(k.keys, key{entity: c.Entity, revoked: c.Key.Revoked})
	}
	return k, errors.Join(errs...)
}

// Signature is what is known of a signature.
type Signature struct {
	// Verified says that a key of the keyring that was in force made it over
	// exactly this text, and is in force still.
	Verified bool
	Issuer   string    // the fingerprint that it names, or the id of the key, in upper case hex
	Made     time.Time // by its own words
}

// Verify verifies how a file was signed, at a moment. Of several signatures one
// good one is enough. A signature by none of the keys proves nothing, and is no defect.
func (k *Keyring) Verify(s *Signed, now time.Time) (Signature, []verify.Finding) {
	packets, finding := s.packets()
	if finding != nil {
		return Signature{}, []verify.Finding{*finding}
	}
	var worst *verify.Finding
	var first Signature
	for i, p := range packets {
		j := judgement{keyring: k, sig: p, text: s.Text, now: now, cfg: config(now)}
		name, evidence := j.verdict()
		told := Signature{Verified: name == "", Issuer: issuer(p), Made: p.CreationTime.UTC()}
		if told.Verified {
			return told, nil
		}
		if f := find(name, evidence); worst == nil || worst.Severity != verify.Error {
			worst = &f
		}
		if i == 0 {
			first = told
		}
	}
	return first, []verify.Finding{*worst}
}

// packets reads the signature packets. Others have no place in a cleartext signature.
func (s *Signed) packets() ([]*packet.Signature, *verify.Finding) {
	malformed := func(why string) *verify.Finding {
		f := find("signature-malformed", why)
		return &f
	}
	var out []*packet.Signature
	for r := packet.NewReader(bytes.NewReader(s.Signature)); ; {
		p, err := r.Next()
		switch sig, ok := p.(*packet.Signature); {
		case errors.Is(err, io.EOF) && len(out) == 0:
			return nil, s.unread()
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, malformed("a damaged packet")
		case !ok:
			return nil, malformed("a packet that is no signature")
		case len(out) == maxSignatures:
			return nil, malformed(fmt.Sprintf("more than %d signatures", maxSignatures))
		default:
			out = append(out, sig)
		}
	}
}

// unread says why no signature could be read: go-crypto passes over those with hashes
// that it does not know any more.
func (s *Signed) unread() *verify.Finding {
	f := find("signature-malformed", "there is no signature in the armour that can be read")
	p, err := packet.NewOpaqueReader(bytes.NewReader(s.Signature)).Next()
	if err != nil || p.Tag != 2 || len(p.Contents) < 17 {
		return &f
	}
	hash := p.Contents[3] // RFC 9580 section 5.2.3
	if p.Contents[0] == 3 {
		hash = p.Contents[16] // section 5.2.2
	}
	if hash >= 1 && hash <= 3 { // section 9.5: MD5, SHA-1, RIPEMD-160
		f = find("signature-weak", fmt.Sprintf("hash algorithm %d", hash))
	}
	return &f
}

// issuer returns what a signature says of who made it.
func issuer(s *packet.Signature) string {
	switch {
	case len(s.IssuerFingerprint) > 0:
		return fmt.Sprintf("%X", s.IssuerFingerprint)
	case s.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	return ""
}

// config is the policy in go-crypto's terms: no hash that can be forged (RFC 9580
// section 9.5), no key that can be broken.
func config(now time.Time) *packet.Config {
	weak := map[crypto.Hash]bool{crypto.MD5: true, crypto.SHA1: true, crypto.RIPEMD160: true}
	return &packet.Config{Time: func() time.Time { return now }, RejectHashAlgorithms: weak, RejectMessageHashAlgorithms: weak, MinRSABits: 2047}
}

// settle decides once what go-crypto would decide, and keep, when it is first asked.
// The directory has verified what a key says of itself, whatever the hash; what is not
// marked by now is of others and does not count.
func settle(e *openpgp.Entity) {
	cfg := config(time.Time{})
	each(e, func(s *packet.VerifiableSignature, revocation bool) {
		good := s.Valid != nil && *s.Valid && (revocation || holds(s.Packet, cfg))
		s.Valid = &good
	})
}

// each visits the signatures of a key of its own.
func each(e *openpgp.Entity, visit func(s *packet.VerifiableSignature, revocation bool)) {
	all := func(list []*packet.VerifiableSignature, revocation bool) {
		for _, s := range list {
			visit(s, revocation)
		}
	}
	all(e.Revocations, true)
	all(e.DirectSignatures, false)
	for _, id := range e.Identities {
		all(id.SelfCertifications, false)
		all(id.Revocations, true)
	}
	for i := range e.Subkeys {
		all(e.Subkeys[i].Bindings, false)
		all(e.Subkeys[i].Revocations, true)
	}
}

// holds reports whether a signature may hold a key together. A revocation counts
// whatever its hash: who could forge one could do worse.
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

package securitytxt

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// judgement is a signature being judged.
type judgement struct {
	keyring *Keyring
	sig     *packet.Signature
	text    []byte
	now     time.Time
	cfg     *packet.Config
}

// verdict returns the name of what is wrong with the signature, "" for nothing.
// Whether it holds comes before who made it when: only then are its words its maker's.
func (j *judgement) verdict() (name, evidence string) {
	s := j.sig
	made := "made " + s.CreationTime.UTC().Format(time.RFC3339)
	if j.cfg.RejectHashAlgorithm(s.Hash) {
		return "signature-weak", s.Hash.String()
	}
	k, pub := j.maker()
	switch {
	case k == nil:
		return "signature-unverifiable", "by " + issuer(s)
	case s.SigType != packet.SigTypeText && s.SigType != packet.SigTypeBinary:
		return "signature-invalid", fmt.Sprintf("of type 0x%02x, which is not over a text", int(s.SigType))
	case directory.VerifySignature(pub, s, j.text) != nil:
		return "signature-invalid", "by " + issuer(s)
	case unknownCritical(s):
		return "signature-invalid", "it has a critical notation that nobody knows"
	case s.CreationTime.After(j.now.Add(clockSkew)):
		return "signature-future", made
	case s.SigExpired(notBefore(j.now, s.CreationTime)):
		return "signature-expired", made
	}
	return j.key(k, pub)
}

// maker finds the key that the signature names, by its fingerprint where there
// is one; key ids can be forged.
func (j *judgement) maker() (*key, *packet.PublicKey) {
	for i := range j.keyring.keys {
		k := &j.keyring.keys[i]
		if j.sig.CheckKeyIdOrFingerprint(k.entity.PrimaryKey) {
			return k, k.entity.PrimaryKey
		}
		for _, sub := range k.entity.Subkeys {
			if j.sig.CheckKeyIdOrFingerprint(sub.PublicKey) {
				return k, sub.PublicKey
			}
		}
	}
	return nil, nil
}

// key judges the key that made the signature, then and now.
func (j *judgement) key(k *key, pub *packet.PublicKey) (name, evidence string) {
	if k.revoked {
		return "signature-key-revoked", "by " + issuer(j.sig)
	}
	for _, at := range []time.Time{j.sig.CreationTime, j.now} {
		if !pub.CreationTime.After(at) && signs(k.entity, pub, notBefore(at, bound(k.entity, pub)), j.cfg) {
			continue
		}
		on := "on " + at.UTC().Format(time.DateOnly)
		switch {
		case subkeyRevoked(k.entity, pub):
			return "signature-key-revoked", "by " + issuer(j.sig)
		case weak(pub, j.cfg):
			return "signature-weak", "by " + issuer(j.sig)
		case expiredAt(k.entity, pub, at, j.cfg):
			return "signature-key-expired", on
		}
		return "signature-key-unfit", on
	}
	return "", ""
}

// bound returns when the key that holds pub was first held together as it is known
// here. Keys are often published with the newest of their own signatures only: what
// they were before that, nobody knows, and it is no fault of an older signature.
func bound(e *openpgp.Entity, pub *packet.PublicKey) time.Time {
	primary, sub := firstMade(time.Time{}, e.DirectSignatures), time.Time{}
	for _, id := range e.Identities {
		primary = firstMade(primary, id.SelfCertifications)
	}
	for i := range e.Subkeys {
		if e.Subkeys[i].PublicKey == pub {
			sub = firstMade(sub, e.Subkeys[i].Bindings)
		}
	}
	return notBefore(primary, sub)
}

// firstMade returns when the first of the signatures that count was made, or at, if
// that is earlier.
func firstMade(at time.Time, sigs []*packet.VerifiableSignature) time.Time {
	for _, s := range sigs {
		if made := s.Packet.CreationTime; *s.Valid && (at.IsZero() || made.Before(at)) {
			at = made
		}
	}
	return at
}

func notBefore(at, least time.Time) time.Time {
	if at.Before(least) {
		return least
	}
	return at
}

// signs reports whether pub could sign for its key at a moment.
func signs(e *openpgp.Entity, pub *packet.PublicKey, at time.Time, cfg *packet.Config) bool {
	k, ok := e.SigningKeyById(at, pub.KeyId, cfg)
	return ok && bytes.Equal(k.PublicKey.Fingerprint, pub.Fingerprint)
}

func subkeyRevoked(e *openpgp.Entity, pub *packet.PublicKey) bool {
	for i := range e.Subkeys {
		if s := &e.Subkeys[i]; s.PublicKey == pub && s.Revoked(nil, time.Time{}) {
			return true
		}
	}
	return false
}

func weak(pub *packet.PublicKey, cfg *packet.Config) bool {
	bits, err := pub.BitLength()
	rsa := pub.PubKeyAlgo == packet.PubKeyAlgoRSA || pub.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly
	return cfg.RejectPublicKeyAlgorithm(pub.PubKeyAlgo) || rsa && (err != nil || bits < cfg.MinimumRSABits())
}

// expiredAt reports whether only the time stands against the key: it could sign
// at some other.
func expiredAt(e *openpgp.Entity, pub *packet.PublicKey, at time.Time, cfg *packet.Config) bool {
	if pub.CreationTime.After(at) {
		return true
	}
	return signs(e, pub, time.Time{}, cfg)
}

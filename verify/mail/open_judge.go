package mail

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// judge looks for a signature of the stored key. One good one is enough; of bad ones, the reason of the
// first by the stored key is told, since those of others may be anything.
func (o *Opener) judge(s *sealed) (Proof, error) {
	if len(s.sigs) == 0 {
		return Proof{}, refuse(NotSigned, "%s", s.form)
	}
	c, err := directory.ParseCertificate([]byte(o.Key))
	if err != nil {
		return Proof{}, refuse(KeyUnreadable, "%v", err)
	}
	cfg := policy(o.Now)
	settle(c.Entity, cfg)
	var first error
	for _, sig := range s.sigs {
		pub := maker(c.Entity, sig)
		if pub == nil {
			continue
		}
		err := o.holds(c, pub, sig, s, cfg)
		if err == nil {
			return Proof{Fingerprint: c.Key.Fingerprint, Issuer: fmt.Sprintf("%X", pub.Fingerprint), Made: sig.CreationTime.UTC()}, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = refuse(OtherKey, "%s", issuer(s.sigs[0]))
	}
	return Proof{}, first
}

// maker finds the part of the stored key that a signature names. Its fingerprint decides where there
// is one: key ids can be forged.
func maker(e *openpgp.Entity, s *packet.Signature) *packet.PublicKey {
	if s.CheckKeyIdOrFingerprint(e.PrimaryKey) {
		return e.PrimaryKey
	}
	for _, sub := range e.Subkeys {
		if s.CheckKeyIdOrFingerprint(sub.PublicKey) {
			return sub.PublicKey
		}
	}
	return nil
}

func issuer(s *packet.Signature) string {
	switch {
	case len(s.IssuerFingerprint) > 0:
		return fmt.Sprintf("%X", s.IssuerFingerprint)
	case s.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *s.IssuerKeyId)
	}
	return "unnamed"
}

// holds judges one signature: what it is over, when it was made, and the key then and now.
func (o *Opener) holds(c directory.Certificate, pub *packet.PublicKey, sig *packet.Signature, s *sealed, cfg *packet.Config) error {
	switch {
	case cfg.RejectHashAlgorithm(sig.Hash) || weakKey(pub, cfg):
		return refuse(WeakSignature, "%s", sig.Hash)
	case sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText:
		return refuse(BadSignature, "of type 0x%02x, which is not over a text", int(sig.SigType))
	case !s.over(pub, sig):
		return refuse(BadSignature, "")
	case unknownCritical(sig):
		return refuse(BadSignature, "a critical notation that nobody knows")
	}
	if err := o.inTime(sig); err != nil {
		return err
	}
	return o.keyHolds(c, pub, sig, cfg)
}

// over tells whether a signature is over one of the forms of the text, and makes that the text.
func (s *sealed) over(pub *packet.PublicKey, sig *packet.Signature) bool {
	for _, text := range s.texts {
		if directory.VerifySignature(pub, sig, text) == nil {
			return true
		}
	}
	return false
}

// inTime: after the challenge went out, or it is a replay; before its end; and not in the future.
func (o *Opener) inTime(sig *packet.Signature) error {
	made := sig.CreationTime
	until := o.Until
	if until.IsZero() || o.Now.Before(until) {
		until = o.Now
	}
	switch {
	case made.Before(o.Since.Add(-clockSkew)):
		return refuse(OutOfTime, "signed %s, before the challenge", made.UTC().Format(time.RFC3339))
	case made.After(until.Add(clockSkew)):
		return refuse(OutOfTime, "signed %s, after the end or in the future", made.UTC().Format(time.RFC3339))
	case sig.SigExpired(o.Now):
		return refuse(OutOfTime, "the signature has expired")
	}
	return nil
}

// keyHolds: the key could sign when it did, and can now. What a key was before the first of its own
// signatures that is stored, nobody knows, and it is no fault of the reply.
func (o *Opener) keyHolds(c directory.Certificate, pub *packet.PublicKey, sig *packet.Signature, cfg *packet.Config) error {
	switch {
	case c.Key.Revoked || subkeyRevoked(c.Entity, pub):
		return refuse(KeyRevoked, "%s", c.Key.RevocationReason)
	case sig.CreationTime.Before(pub.CreationTime.Add(-clockSkew)):
		return refuse(KeyUnfit, "it signed before it was made")
	}
	for _, at := range []time.Time{sig.CreationTime, o.Now} {
		if signs(c.Entity, pub, later(at, bound(c.Entity, pub)), cfg) {
			continue
		}
		if signs(c.Entity, pub, time.Time{}, cfg) { // only the time stands against it
			return refuse(KeyExpired, "on %s", at.UTC().Format(time.DateOnly))
		}
		return refuse(KeyUnfit, "%X", pub.Fingerprint)
	}
	return nil
}

// bound returns when the key that holds pub was first held together, as it is stored.
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
	return later(later(primary, sub), pub.CreationTime)
}

func firstMade(at time.Time, sigs []*packet.VerifiableSignature) time.Time {
	for _, s := range sigs {
		if made := s.Packet.CreationTime; *s.Valid && (at.IsZero() || made.Before(at)) {
			at = made
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

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

func weakKey(pub *packet.PublicKey, cfg *packet.Config) bool {
	bits, err := pub.BitLength()
	rsa := pub.PubKeyAlgo == packet.PubKeyAlgoRSA || pub.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly
	return cfg.RejectPublicKeyAlgorithm(pub.PubKeyAlgo) || rsa && (err != nil || bits < cfg.MinimumRSABits())
}

package pgpkey

import (
	"crypto"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Policy is what a key must be like to be relied on. The zero Policy is the
// strict one, which agrees with what current programs accept.
type Policy struct {
	// AllowSHA1 accepts signatures over SHA-1 that hold a key together, as
	// programs did until 2026.
	AllowSHA1 bool
	// MinRSA is the least size of an RSA key in bits; 0: 2047, since a
	// modulus of 2,048 bits may have a leading zero.
	MinRSA int
	// WantRSA is the size of an RSA key below which there is a warning; 0: 3071.
	WantRSA int
}

func (p Policy) minRSA() int { return orDefault(p.MinRSA, 2047) }

func (p Policy) wantRSA() int { return orDefault(p.WantRSA, 3071) }

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// config puts the policy into go-crypto's terms.
func (p Policy) config(now time.Time) *packet.Config {
	cfg := &packet.Config{
		Time:                 func() time.Time { return now },
		MinRSABits:           uint16(p.minRSA()),
		RejectHashAlgorithms: map[crypto.Hash]bool{crypto.MD5: true, crypto.RIPEMD160: true},
	}
	if !p.AllowSHA1 {
		cfg.RejectHashAlgorithms[crypto.SHA1] = true
	}
	return cfg
}

// apply unmarks the self-signatures that the policy does not accept. go-crypto
// caches its verdict on the entity, so an entity serves one policy only.
// Revocations count whatever their hash: who could forge one could do worse.
func (p Policy) apply(e *openpgp.Entity, cfg *packet.Config) {
	unmark := func(sigs []*packet.VerifiableSignature) {
		for _, s := range sigs {
			if s.Valid != nil && *s.Valid && !accepts(cfg, s.Packet) {
				refused := false
				s.Valid = &refused
			}
		}
	}
	unmark(e.DirectSignatures)
	for _, id := range e.Identities {
		unmark(id.SelfCertifications)
	}
	for _, s := range e.Subkeys {
		unmark(s.Bindings)
	}
}

// accepts reports whether the policy accepts a signature that holds a key together.
func accepts(cfg *packet.Config, s *packet.Signature) bool {
	if cfg.RejectHashAlgorithm(s.Hash) {
		return false
	}
	// A back-signature is what keeps an attacker from adopting somebody else's
	// signing subkey; one over SHA-1 does not.
	if back := s.EmbeddedSignature; back != nil && s.FlagSign && !encrypts(s) && cfg.RejectHashAlgorithm(back.Hash) {
		return false
	}
	for _, n := range s.Notations { // RFC 9580 section 5.2.3.24
		if n.IsCritical && !cfg.KnownNotation(n.Name) {
			return false
		}
	}
	return true
}

func encrypts(s *packet.Signature) bool { return s.FlagEncryptCommunications || s.FlagEncryptStorage }

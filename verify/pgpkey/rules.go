package pgpkey

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// state says why the primary key, and with it all of the certificate, is of no
// use now. The first reason is enough.
func (j *judgement) state() {
	switch k := j.Key; {
	case k.Revoked:
		code := verify.Code("pgpkey.revoked")
		if j.onlyRetired() {
			code = "pgpkey.retired"
		}
		j.say(find(code, fmt.Sprintf("on %s: %s", day(k.RevokedAt), k.RevocationReason)))
	case k.Created.After(j.now):
		j.say(find("pgpkey.not-yet-valid", "made on "+day(k.Created)))
	case j.broken == nil:
		if k.Signed.After(j.now) {
			j.say(find("pgpkey.signed-in-future", "signed on "+day(k.Signed)))
		}
	case errors.Is(j.broken, pgperrors.ErrKeyExpired):
		j.say(find("pgpkey.expired", "on "+day(j.primaryExpiry())))
	case k.Version < 6 && len(j.liveIdentities()) == 0:
		j.say(find("pgpkey.user-ids-revoked", fmt.Sprintf("user IDs: %d", len(k.UserIDs))))
	case j.anyRefused(j.selfSignatures()):
		j.say(find("pgpkey.weak-hash", "signed on "+day(k.Signed)))
	case k.Signed.After(j.now):
		j.say(find("pgpkey.not-yet-valid", "signed on "+day(k.Signed)))
	default: // the signatures themselves have an end (RFC 9580 section 5.2.3.18)
		j.say(find("pgpkey.expired", "on "+day(k.Expires)))
	}
}

// onlyRetired reports whether every revocation gives a reason that leaves old
// signatures good: superseded, or no longer used (RFC 9580 section 5.2.3.31).
func (j *judgement) onlyRetired() bool {
	for _, r := range j.cert.Entity.Revocations {
		if r.Valid == nil || !*r.Valid {
			continue
		}
		reason := r.Packet.RevocationReason
		if reason == nil || *reason != packet.KeySuperseded && *reason != packet.KeyRetired {
			return false
		}
	}
	return true
}

// selfSignatures are those that may state the properties of the primary key.
func (j *judgement) selfSignatures() []*packet.VerifiableSignature {
	if j.Key.Version == 6 {
		return j.cert.Entity.DirectSignatures
	}
	var all []*packet.VerifiableSignature
	for _, id := range j.liveIdentities() {
		all = append(all, id.SelfCertifications...)
	}
	return all
}

// anyRefused reports whether the policy refused one of the signatures.
func (j *judgement) anyRefused(sigs []*packet.VerifiableSignature) bool {
	for _, s := range sigs {
		if s.Valid != nil && !*s.Valid {
			return true
		}
	}
	return false
}

// purposes judges what the key may be used for, if it can be used at all.
func (j *judgement) purposes() {
	if j.Key.Revoked || j.broken != nil {
		return
	}
	j.weakSubkeys()
	j.flags()
	if !j.Encrypts {
		j.say(j.whyNoEncryption())
	}
	if !j.Signs {
		j.say(find("pgpkey.no-signing", ""))
	}
}

// weakSubkeys names the subkeys that only a weak hash binds. Of one that has
// expired or is revoked nobody needs to know.
func (j *judgement) weakSubkeys() {
	for i, s := range j.cert.Entity.Subkeys {
		if !j.live(j.Key.Subkeys[i]) || !j.anyRefused(s.Bindings) {
			continue
		}
		if _, err := s.LatestValidBindingSignature(j.now, j.cfg); err != nil {
			j.say(find("pgpkey.weak-hash-subkey", describe(j.Key.Subkeys[i])).On(string(j.Key.Subkeys[i].Fingerprint)))
		}
	}
}

// live reports whether a subkey is one that could be used now.
func (j *judgement) live(s directory.Subkey) bool {
	return !s.Revoked && (s.Expires.IsZero() || !j.now.After(s.Expires))
}

// flags looks for parts in use without key flags: RFC 9580 section 5.2.3.29
// asks for them in a self-signature.
func (j *judgement) flags() {
	var without []string
	if !j.sig.FlagsValid {
		without = append(without, "primary key")
	}
	for i, s := range j.cert.Entity.Subkeys {
		if b, err := s.Verify(j.now, j.cfg); err == nil && !b.FlagsValid {
			without = append(without, describe(j.Key.Subkeys[i]))
		}
	}
	if len(without) > 0 {
		j.say(find("pgpkey.flags-missing", strings.Join(without, ", ")))
	}
}

// whyNoEncryption says what stands against encrypting to the key.
func (j *judgement) whyNoEncryption() verify.Finding {
	var expired, weak []string
	for _, s := range j.Key.EncryptTo {
		if j.live(s) {
			weak = append(weak, describe(s))
		} else {
			expired = append(expired, describe(s)+" on "+day(s.Expires))
		}
	}
	switch {
	case len(weak) > 0:
		return find("pgpkey.encryption-refused", strings.Join(weak, ", "))
	case len(expired) > 0:
		return find("pgpkey.encryption-expired", strings.Join(expired, ", "))
	}
	return find("pgpkey.no-encryption", fmt.Sprintf("subkeys: %d", len(j.Key.Subkeys)))
}

// algorithms judges the algorithms of the primary key and of subkeys in use.
// For a subkey it is a warning: programs do without it if they can.
func (j *judgement) algorithms() {
	k := j.Key
	if k.Version == 6 {
		j.say(find("pgpkey.version-6", ""))
	}
	j.algorithm(directory.Subkey{Fingerprint: k.Fingerprint, Algorithm: k.Algorithm, Bits: k.Bits}, verify.Error)
	for _, s := range k.Subkeys {
		if j.live(s) {
			j.algorithm(s, verify.Warning)
		}
	}
}

func (j *judgement) algorithm(s directory.Subkey, atWorst verify.Severity) {
	code, severity := verify.Code(""), atWorst
	switch name := s.Algorithm; {
	case name == "RSA" && s.Bits < j.policy.minRSA():
		code = "pgpkey.weak-rsa"
	case name == "RSA" && s.Bits < j.policy.wantRSA():
		code, severity = "pgpkey.rsa-below-3072", verify.Warning
	case name == "DSA", name == "ElGamal":
		code = "pgpkey.obsolete-algorithm"
	case strings.HasSuffix(name, " secp256k1"):
		code = "pgpkey.curve-refused"
	case strings.HasPrefix(name, "ML-"), strings.HasPrefix(name, "SLH-"):
		code, severity = "pgpkey.post-quantum", verify.Info
	default:
		return
	}
	j.say(find(code, describe(s)).On(string(s.Fingerprint)).As(severity))
}

// describe names a subkey for people.
func describe(s directory.Subkey) string {
	if s.Algorithm == "RSA" || s.Algorithm == "DSA" || s.Algorithm == "ElGamal" {
		return fmt.Sprintf("%s %d %s", s.Algorithm, s.Bits, s.Fingerprint)
	}
	return fmt.Sprintf("%s %s", s.Algorithm, s.Fingerprint)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

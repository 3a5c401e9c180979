package directory

import (
	"crypto"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// facts states what the verified signatures say.
func (c *certificate) facts() Key {
	k := Key{
		Fingerprint: c.fpr, Version: c.pub.Version, Algorithm: algorithmName(c.pub), Bits: keyBits(c.pub),
		Created: c.pub.CreationTime.UTC(), Stripped: c.stripped,
	}
	k.UserIDs = c.userFacts()
	self, direct := c.selfSignature(), c.primary.newest(isDirect)
	k.Signed = self.CreationTime.UTC()
	k.Expires = earliest(expiry(c.pub, self), expiry(c.pub, direct))
	flags := c.primaryFlags(self, direct)
	k.Certifies, k.Signs = flags.certifies, flags.signs
	c.revocationFacts(&k)
	for _, s := range c.subkeys {
		k.Subkeys = append(k.Subkeys, s.subkeyFacts())
	}
	k.EncryptTo = encryptTo(k, flags.encrypts)
	k.EncryptionExpires = lastExpiry(k)
	return k
}

// userFacts returns the user IDs and marks the primary one: of those that are
// not revoked one that says it is, else the one signed last.
func (c *certificate) userFacts() []UserID {
	var ids []UserID
	primary := c.primaryUser()
	for _, u := range c.users {
		id := readUserID(u.raw.body)
		id.Revoked, id.Primary = u.userRevoked(), u == primary
		ids = append(ids, id)
	}
	return ids
}

func (c *certificate) primaryUser() *component {
	var best *component
	for _, u := range c.users {
		if u.userRevoked() {
			continue
		}
		if best == nil || prefer(u.newest(isCertification), best.newest(isCertification)) {
			best = u
		}
	}
	return best
}

// prefer reports whether a makes a better primary user ID than b (RFC 9580 section 5.2.3.27).
func prefer(a, b *packet.Signature) bool {
	am, bm := a.IsPrimaryId != nil && *a.IsPrimaryId, b.IsPrimaryId != nil && *b.IsPrimaryId
	if am != bm {
		return am
	}
	return a.CreationTime.After(b.CreationTime)
}

// userRevoked: the newer of certification and revocation counts, and a tie is a
// revocation. Unlike a key, a user ID may come back to life.
func (at *component) userRevoked() bool {
	cert := at.newest(isCertification)
	rev := at.newest(func(s *packet.Signature) bool { return s.SigType == packet.SigTypeCertificationRevocation })
	return rev != nil && !rev.CreationTime.Before(cert.CreationTime)
}

// selfSignature is the signature that states the properties of the primary key:
// the direct-key signature of version 6 (RFC 9580 section 10.1.1), before that
// the one on the primary user ID. If every user ID is revoked the newest speaks.
func (c *certificate) selfSignature() *packet.Signature {
	if c.pub.Version == 6 {
		return c.primary.newest(isDirect)
	}
	if u := c.primaryUser(); u != nil {
		return u.newest(isCertification)
	}
	var best *packet.Signature
	for _, u := range c.users {
		if s := u.newest(isCertification); best == nil || s.CreationTime.After(best.CreationTime) {
			best = s
		}
	}
	return best
}

type keyFlags struct{ certifies, signs, encrypts, missing bool }

// primaryFlags reads what the primary key may be used for. Keys from before
// flags existed have none; programs then take the algorithm for the answer.
func (c *certificate) primaryFlags(self, direct *packet.Signature) keyFlags {
	for _, s := range []*packet.Signature{self, direct} {
		if s != nil && s.FlagsValid {
			return keyFlags{
				certifies: s.FlagCertify, signs: s.FlagSign,
				encrypts: (s.FlagEncryptCommunications || s.FlagEncryptStorage) && c.pub.PubKeyAlgo.CanEncrypt(),
			}
		}
	}
	return keyFlags{certifies: true, signs: true, encrypts: c.pub.PubKeyAlgo.CanEncrypt(), missing: true}
}

// revocationFacts: any valid revocation counts for good, whatever its reason and
// date, as gpg has it; a directory that recommends a revoked key does harm.
func (c *certificate) revocationFacts(k *Key) {
	for _, s := range c.primary.sigs {
		if s.SigType != packet.SigTypeKeyRevocation {
			continue
		}
		at := s.CreationTime.UTC()
		told := Key{Revoked: true, RevokedAt: at, RevocationReason: revocationReason(s.Signature)}
		switch {
		case !k.Revoked, told.Compromised() && !k.Compromised(): // a key that is lost later was not just superseded
			k.RevocationReason = told.RevocationReason
		case told.Compromised() == k.Compromised() && at.Before(k.RevokedAt):
			k.RevocationReason = told.RevocationReason
		}
		if !k.Revoked || at.Before(k.RevokedAt) {
			k.RevokedAt = at
		}
		k.Revoked = true
	}
}

// The reasons that leave what the key signed before as it is.
const (
	reasonSuperseded = "superseded"
	reasonRetired    = "no longer used"
)

// revocationReason words the reason of RFC 9580 section 5.2.3.31.
func revocationReason(s *packet.Signature) string {
	reason := "no reason given"
	if s.RevocationReason != nil {
		switch *s.RevocationReason {
		case packet.KeySuperseded:
			reason = reasonSuperseded
		case packet.KeyCompromised:
			reason = "key compromised"
		case packet.KeyRetired:
			reason = reasonRetired
		case packet.UserIDNotValid:
			reason = "user ID no longer valid"
		}
	}
	if text := cut(printable([]byte(s.RevocationReasonText)), 200); text != "" {
		reason += ": " + text
	}
	return reason
}

func (at *component) subkeyFacts() Subkey {
	bind := at.newest(isBinding)
	s := Subkey{
		Fingerprint: at.fpr, Algorithm: algorithmName(at.key), Bits: keyBits(at.key),
		Created: at.key.CreationTime.UTC(), Signed: bind.CreationTime.UTC(), Expires: expiry(at.key, bind),
	}
	s.Encrypts = at.key.PubKeyAlgo.CanEncrypt() &&
		(!bind.FlagsValid || bind.FlagEncryptCommunications || bind.FlagEncryptStorage)
	s.Signs = bind.FlagSign && at.key.PubKeyAlgo.CanSign() // go-crypto verified the back-signature with the binding
	if s.Signs {
		s.Expires = earliest(s.Expires, sigExpiry(bind.EmbeddedSignature))
	}
	for _, sig := range at.sigs {
		s.Revoked = s.Revoked || sig.SigType == packet.SigTypeSubkeyRevocation
	}
	return s
}

// expiry is when the signature, or the lifetime it gives the key, ends
// (RFC 9580 sections 5.2.3.13 and 5.2.3.18: counted from the key's creation and
// from the signature's). Zero is never.
func expiry(pub *packet.PublicKey, s *packet.Signature) time.Time {
	if s == nil {
		return time.Time{}
	}
	var end time.Time
	if s.KeyLifetimeSecs != nil && *s.KeyLifetimeSecs > 0 {
		end = pub.CreationTime.Add(time.Duration(*s.KeyLifetimeSecs) * time.Second).UTC()
	}
	return earliest(end, sigExpiry(s))
}

func sigExpiry(s *packet.Signature) time.Time {
	if s == nil || s.SigLifetimeSecs == nil || *s.SigLifetimeSecs == 0 {
		return time.Time{}
	}
	return s.CreationTime.Add(time.Duration(*s.SigLifetimeSecs) * time.Second).UTC()
}

// earliest returns the earlier of two ends, where zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func encryptTo(k Key, primary bool) []Subkey {
	var to []Subkey
	for _, s := range k.Subkeys {
		if s.Encrypts && !s.Revoked {
			to = append(to, s)
		}
	}
	if primary {
		to = append(to, Subkey{
			Fingerprint: k.Fingerprint, Algorithm: k.Algorithm, Bits: k.Bits, Created: k.Created,
			Signed: k.Signed, Expires: k.Expires, Encrypts: true, Signs: k.Signs,
		})
	}
	return to
}

func lastExpiry(k Key) time.Time {
	var last time.Time
	for _, s := range k.EncryptTo {
		end := earliest(s.Expires, k.Expires)
		if end.IsZero() {
			return time.Time{}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// ParseUserID takes a user ID of a key apart. Whether the key vouches for it, and
// which is the primary one, is not said.
func ParseUserID(s string) UserID { return readUserID([]byte(s)) }

// readUserID takes a user ID apart by the convention "Name (comment) <address>"
// (RFC 9580 section 5.11 calls it that, a convention).
func readUserID(body []byte) UserID {
	raw := printable(body)
	id := UserID{Raw: raw}
	name := raw
	if open := strings.LastIndexByte(raw, '<'); open >= 0 && strings.HasSuffix(raw, ">") {
		id.Email, name = strings.TrimSpace(raw[open+1:len(raw)-1]), raw[:open]
	} else if strings.Count(raw, "@") == 1 && !strings.ContainsAny(raw, " <>()") {
		id.Email, name = raw, ""
	}
	if !strings.Contains(id.Email, "@") {
		id.Email = ""
	}
	if open := strings.IndexByte(name, '('); open > 0 {
		name = name[:open]
	}
	id.Name = strings.TrimSpace(name)
	return id
}

// printable makes b valid UTF-8 without control and direction characters. Old
// user IDs are in Latin 1, whatever RFC 9580 section 5.11 says.
func printable(b []byte) string {
	runes := []rune(string(b))
	if !utf8.Valid(b) {
		runes = runes[:0]
		for _, c := range b {
			runes = append(runes, rune(c))
		}
	}
	for i, r := range runes {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			runes[i] = utf8.RuneError
		}
	}
	return string(runes)
}

// usesSHA1 reports whether a signature, or the back-signature in it, rests on SHA-1.
func usesSHA1(s *packet.Signature) bool {
	return s != nil && (s.Hash == crypto.SHA1 || s.EmbeddedSignature != nil && s.EmbeddedSignature.Hash == crypto.SHA1)
}

package directory

import (
	"fmt"
	"strings"
	"time"

	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// Limits of what [ParseKey] reads. Of 905 keys of Debian's developers the
// largest has 362 KB with all its third-party signatures.
const (
	maxKeySize        = 512 << 10
	maxUserIDs        = 64
	maxSubkeys        = 64
	maxSelfSignatures = 2000
	maxUserIDSize     = 2048  // gpg's limit
	maxKeyBits        = 16384 // larger numbers are there to keep the reader busy
	maxDSABits        = 4096
)

// Key is an OpenPGP certificate (RFC 9580 section 10.1): its smallest useful
// form and the facts that its owner's signatures state. Facts are dated, not
// judged: Key knows no clock, [Key.UsableAt] does.
//
// The tags keep empty fields out of the store's own encoding; they are no wire format.
type Key struct {
	Fingerprint Fingerprint `json:",omitzero"`
	Version     int         `json:",omitzero"` // 4 or 6
	Armor       string      `json:",omitzero"` // primary key, valid self-signatures and revocations, user IDs, subkeys; nothing else
	UserIDs     []UserID    `json:",omitzero"` // those that the key itself vouches for, in the key's order
	Algorithm   string      `json:",omitzero"` // of the primary key: "RSA", "Ed25519", "ECDSA P-256"
	Bits        int         `json:",omitzero"` // 0 where a number would mislead (post-quantum)
	Created     time.Time   `json:",omitzero"`
	Signed      time.Time   `json:",omitzero"` // when the newest self-signature that the facts rest on was made
	Expires     time.Time   `json:",omitzero"` // of the primary key, and so of all; zero: never
	Certifies   bool        `json:",omitzero"` // the primary key may certify
	Signs       bool        `json:",omitzero"` // the primary key may sign messages
	Subkeys     []Subkey    `json:",omitzero"` // those with a valid binding, in the key's order

	// EncryptTo are the keys, not revoked, that the certificate offers for
	// encryption: subkeys, and the primary key if its flags say so. They may have expired.
	EncryptTo []Subkey `json:",omitzero"`
	// EncryptionExpires is when the last of EncryptTo expires; zero when
	// EncryptTo is empty or one of them never does.
	EncryptionExpires time.Time `json:",omitzero"`

	Revoked          bool      `json:",omitzero"`
	RevokedAt        time.Time `json:",omitzero"`
	RevocationReason string    `json:",omitzero"` // "key compromised: laptop stolen"

	Stripped int      `json:",omitzero"` // third-party signatures dropped
	Repairs  []string `json:",omitzero"` // what was done to the input to read it
}

// UserID is a user ID that the key has signed itself. Nobody else vouches for it here.
type UserID struct {
	Name    string `json:",omitzero"`
	Email   string `json:",omitzero"` // as written; "" when there is none
	Raw     string `json:",omitzero"` // all of it, made valid UTF-8 without control characters
	Primary bool   `json:",omitzero"`
	Revoked bool   `json:",omitzero"`
}

// Subkey is a subkey bound by a valid signature of the primary key; in
// [Key.EncryptTo] it may also stand for the primary key.
type Subkey struct {
	Fingerprint Fingerprint `json:",omitzero"`
	Algorithm   string      `json:",omitzero"`
	Bits        int         `json:",omitzero"`
	Created     time.Time   `json:",omitzero"`
	Signed      time.Time   `json:",omitzero"` // when it was last bound
	Expires     time.Time   `json:",omitzero"` // zero: as the primary key
	Revoked     bool        `json:",omitzero"`
	Encrypts    bool        `json:",omitzero"`
	Signs       bool        `json:",omitzero"` // allowed to, and proven by a back-signature (RFC 9580 section 5.2.1.9)
}

// ParseKey reads one OpenPGP certificate, binary or armoured, and repairs armour
// that lost its line breaks. The problems are notes: the key is kept all the same.
// A refused input gives a zero Key and a [Problem] as error; neither notes nor
// error ever quote key material, because it may be secret.
func ParseKey(data []byte) (Key, []Problem, error) {
	c, err := ParseCertificate(data)
	return c.Key, c.Notes, err
}

// Certificate is a key that was read, and the same key as go-crypto sees it.
type Certificate struct {
	Key   Key
	Notes []Problem // as from [ParseKey]

	// Entity is the certificate that Key.Armor holds, its subkeys in the order of
	// Key.Subkeys. Its signatures are marked as verified, whatever their hash
	// and date: a policy has to unmark what it does not accept. It is the caller's own.
	Entity *openpgp.Entity
}

// ParseCertificate is [ParseKey] for callers that go on to judge the key.
func ParseCertificate(data []byte) (Certificate, error) {
	in, err := openKey(data)
	if err != nil {
		return Certificate{}, err
	}
	if n := countPrimaries(in.packets); n > 1 {
		return Certificate{}, problem("key.several-certificates", "",
			fmt.Sprintf("the block holds %d keys, and which one is meant cannot be guessed", n), "one key at a time")
	}
	c, err := parseCertificate(in.packets)
	if err != nil {
		return Certificate{}, err
	}
	c.Key.Repairs, c.Notes = in.repairs, append(in.notes, c.Notes...)
	return c, nil
}

// UsableAt tells whether now the key can be encrypted to and can have made
// signatures; why says what stands against the first that it cannot. It judges
// revocation, dates and purpose; the strength of algorithms is a policy's matter.
func (k Key) UsableAt(now time.Time) (encrypt, sign bool, why string) {
	if why := k.unusableAt(now); why != "" {
		return false, false, why
	}
	whyNot := "the key has no encryption subkey"
	for _, s := range k.EncryptTo {
		if reason := s.unusableAt(now); reason != "" {
			whyNot = "the encryption subkey " + reason
			continue
		}
		encrypt = true
	}
	sign = k.Signs
	for _, s := range k.Subkeys {
		sign = sign || s.Signs && !s.Revoked && s.unusableAt(now) == ""
	}
	switch {
	case !encrypt:
		return encrypt, sign, whyNot
	case !sign:
		return encrypt, sign, "no part of the key can sign now"
	}
	return encrypt, sign, ""
}

// unusableAt says why nothing of the key can be used at now, or "".
func (k Key) unusableAt(now time.Time) string {
	switch {
	case k.Fingerprint == "":
		return "there is no key"
	case k.Revoked:
		return strings.TrimSuffix("the key is revoked: "+k.RevocationReason, ": ")
	case k.Version < 6 && !k.hasLiveUserID():
		return "every user ID of the key is revoked"
	}
	if reason := datesAgainst(k.Created, k.Signed, k.Expires, now); reason != "" {
		return "the key " + reason
	}
	return ""
}

func (k Key) hasLiveUserID() bool {
	for _, u := range k.UserIDs {
		if !u.Revoked {
			return true
		}
	}
	return false
}

func (s Subkey) unusableAt(now time.Time) string {
	return datesAgainst(s.Created, s.Signed, s.Expires, now)
}

// datesAgainst judges dates as RFC 9580 section 5.2.3.13 counts them: a key is
// valid up to and including the second of its expiry.
func datesAgainst(created, signed, expires, now time.Time) string {
	switch {
	case created.After(now):
		return "is dated in the future: " + created.Format(time.DateOnly)
	case signed.After(now):
		return "is signed in the future: " + signed.Format(time.DateOnly)
	case !expires.IsZero() && now.After(expires):
		return "expired on " + expires.Format(time.DateOnly)
	}
	return ""
}

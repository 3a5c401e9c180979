package mail

import "fmt"

// Refusal is the code of what stands against a mail. Codes are kept as evidence: none is renamed.
type Refusal string

// What stands against reading a mail at all.
const (
	TooLarge     Refusal = "too-large"      // more octets than Limits.Size
	HeaderFlood  Refusal = "header-flood"   // more fields or octets of header than the limits
	NoHeader     Refusal = "no-header"      // it does not begin with a header
	HasNUL       Refusal = "nul"            // NUL octets, which RFC 5322 section 4 has forbidden since 2001
	TooDeep      Refusal = "too-deep"       // MIME parts within parts, beyond Limits.Depth
	TooManyParts Refusal = "too-many-parts" // beyond Limits.Parts
)

// What stands against a mail as proof.
const (
	FromSeveral   Refusal = "from-several"   // not exactly one From field with exactly one address
	FromOther     Refusal = "from-other"     // the address is neither the contact nor an alias
	Duplicate     Refusal = "duplicate"      // a field that decides how the mail is read is there twice
	NotSigned     Refusal = "not-signed"     // nothing in it is signed
	SeveralSigned Refusal = "several-signed" // more than one thing is signed or encrypted: which one is meant?
	TextBefore    Refusal = "text-before"    // text that nobody signed stands before a cleartext signature
	Malformed     Refusal = "malformed"      // the signed or encrypted part can't be read
	NotForUs      Refusal = "not-for-us"     // encrypted, and our key does not open it
	NotProtected  Refusal = "not-protected"  // encrypted without protection of its integrity, or damaged
	TooMuchInside Refusal = "too-much-inside"
	KeyUnreadable Refusal = "key-unreadable" // the stored key; our trouble
	OtherKey      Refusal = "other-key"      // signed, and not by the stored key
	BadSignature  Refusal = "bad-signature"  // the signature is not over this text
	WeakSignature Refusal = "weak-signature" // its hash, or its key, can be forged
	OutOfTime     Refusal = "out-of-time"    // signed before the challenge was sent, after its end, or in the future
	KeyRevoked    Refusal = "key-revoked"
	KeyExpired    Refusal = "key-expired" // at the time of signing, or now
	KeyUnfit      Refusal = "key-unfit"   // it may not sign
	NonceMissing  Refusal = "nonce-missing"
	NonceOutside  Refusal = "nonce-outside" // it is in the mail, and not in the signed part
)

// Refused is the error of [Read] and [Opener.Open].
type Refused struct {
	Code   Refusal
	Detail string // for the log and the operator
}

func (r *Refused) Error() string {
	if r.Detail == "" {
		return "mail: " + string(r.Code)
	}
	return "mail: " + string(r.Code) + ": " + r.Detail
}

func refuse(code Refusal, format string, args ...any) error {
	return &Refused{Code: code, Detail: fmt.Sprintf(format, args...)}
}

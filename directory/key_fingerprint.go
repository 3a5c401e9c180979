package directory

import (
	"strings"
)

// Fingerprint is the full fingerprint of an OpenPGP key in upper-case hex: 40
// digits for a version 4 key (SHA-1), 64 for version 6 (SHA-256), RFC 9580
// section 5.5.4. It is the only name a key has here: key IDs are its last or
// first 8 bytes and others can be made to share them.
type Fingerprint string

// ParseFingerprint reads a fingerprint as people write it: upper or lower case,
// with spaces or colons, after "0x" or "openpgp4fpr:". A key ID is refused with
// a [Problem] that says why; so is everything else that is not 40 or 64 digits.
func ParseFingerprint(s string) (Fingerprint, error) {
	const want = "40 hex digits (version 4) or 64 (version 6)"
	digits, ok := fingerprintDigits(s)
	switch {
	case !ok:
		return "", problem("key.fingerprint-malformed", s, "a fingerprint has hex digits only", want)
	case len(digits) == 40 || len(digits) == 64:
		return Fingerprint(digits), nil
	case len(digits) == 8 || len(digits) == 16:
		return "", problem("key.fingerprint-is-key-id", s,
			"this is a key ID, and anybody can make another key with the same key ID", want)
	case len(digits) == 32:
		return "", problem("key.fingerprint-malformed", s,
			"32 hex digits are the MD5 fingerprint of a version 3 key, which nobody accepts any more", want)
	}
	return "", problem("key.fingerprint-malformed", s, "the number of hex digits is that of no fingerprint", want)
}

// fingerprintDigits returns the upper-case digits of s without prefix and
// separators, and whether nothing else was in it.
func fingerprintDigits(s string) (string, bool) {
	if len(s) > 256 {
		return "", false
	}
	s = strings.ToUpper(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "OPENPGP4FPR:")
	s = strings.TrimPrefix(s, "0X")
	var b strings.Builder
	for _, r := range s {
		switch {
		case '0' <= r && r <= '9', 'A' <= r && r <= 'F':
			b.WriteRune(r)
		case r == ' ', r == ':', r == '\t', r == '\u00A0': // no-break spaces come with text copied from web pages
		default:
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

// Spaced returns the fingerprint in groups of four digits, as it is read out on
// the telephone and printed on cards.
func (f Fingerprint) Spaced() string {
	var b strings.Builder
	for i, r := range string(f) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

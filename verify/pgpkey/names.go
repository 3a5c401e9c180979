package pgpkey

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// WKDHash is the name of a mailbox in a Web Key Directory: the SHA-1 of the part
// before the @, ASCII letters in lower case, in Z-Base-32 (draft-koch-openpgp-webkey-service-17
// section 3.1).
func WKDHash(local string) string {
	sum := sha1.Sum([]byte(lowerASCII(local)))
	return base32.NewEncoding("ybndrfg8ejkmcpqxot1uwisza345h769").WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

// lowerASCII maps A to Z only, as the draft says: "all other characters are not changed".
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// WKDHost is the host of the advanced method of a Web Key Directory.
func WKDHost(d directory.Domain) string { return "openpgpkey." + string(d) }

// WKDAdvanced is the URL of an address's key by the advanced method.
func WKDAdvanced(e directory.Email) string {
	d := e.Domain()
	return "https://" + WKDHost(d) + "/.well-known/openpgpkey/" + string(d) + "/hu/" + WKDHash(e.Local()) + "?l=" + url.QueryEscape(e.Local())
}

// WKDDirect is the URL of an address's key by the direct method.
func WKDDirect(e directory.Email) string {
	return "https://" + string(e.Domain()) + "/.well-known/openpgpkey/hu/" + WKDHash(e.Local()) + "?l=" + url.QueryEscape(e.Local())
}

// WKDPolicy is the URL of the policy file beside a key of a Web Key Directory
// (draft-koch-openpgp-webkey-service-17 section 4.5).
func WKDPolicy(key string) string {
	base, _, _ := strings.Cut(key, "/hu/")
	return base + "/policy"
}

// OPENPGPKEYName is the owner name of an address's OPENPGPKEY record, with the
// final dot: the SHA-256 of the part before the @, cut to 28 octets. It
// is taken as it is written, in upper and lower case (RFC 7929 section 3).
func OPENPGPKEYName(e directory.Email) string {
	sum := sha256.Sum256([]byte(e.Local()))
	return hex.EncodeToString(sum[:28]) + "._openpgpkey." + string(e.Domain()) + "."
}

// VKSByFingerprint is where a verifying key server, such as Hagrid, has a key
// by its fingerprint. base is the server's URL.
func VKSByFingerprint(base string, f directory.Fingerprint) string {
	return strings.TrimSuffix(base, "/") + "/vks/v1/by-fingerprint/" + string(f)
}

// VKSByEmail is where a verifying key server has the key of an address.
func VKSByEmail(base string, e directory.Email) string {
	return strings.TrimSuffix(base, "/") + "/vks/v1/by-email/" + url.QueryEscape(string(e))
}

// HKPGet is where a key server has a key by its fingerprint
// (draft-ietf-openpgp-hkp-01): any key server, any copy of the key.
func HKPGet(base string, f directory.Fingerprint) string {
	return strings.TrimSuffix(base, "/") + "/pks/lookup?op=get&options=mr&search=0x" + string(f)
}

// HKPIndex is where a key server says whether it has a key, by its fingerprint
// (draft-ietf-openpgp-hkp-01), in a few lines for programs.
func HKPIndex(base string, f directory.Fingerprint) string {
	return strings.TrimSuffix(base, "/") + "/pks/lookup?op=index&options=mr&search=0x" + string(f)
}

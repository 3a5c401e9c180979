package directory

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// notes tells what was dropped and what is odd about a key that was read.
func (c *certificate) notes(k Key) []Problem {
	notes := c.droppedNotes()
	notes = append(notes, c.stateNotes(k)...)
	notes = append(notes, algorithmNotes(c.pub, k.Fingerprint)...)
	for i, s := range c.subkeys {
		if !k.Subkeys[i].Revoked {
			notes = append(notes, algorithmNotes(s.key, s.fpr)...)
		}
	}
	return notes
}

// droppedNotes counts what is not stored.
func (c *certificate) droppedNotes() []Problem {
	var notes []Problem
	count := func(n int, code Code, what string) {
		if n > 0 {
			notes = append(notes, problem(code, strconv.Itoa(n), what, ""))
		}
	}
	count(c.stripped, "key.signatures-stripped", "signatures by others were dropped; anybody can add any number of them")
	count(c.attributes, "key.attributes-dropped", "photos or other user attributes were dropped")
	count(c.unknown, "key.packets-dropped", "packets of an unknown type were dropped")
	count(c.bad, "key.self-signature-bad", "signatures in the key's own name do not verify and were dropped")
	count(c.noBack, "key.back-signature-missing", "bindings of subkeys for signing were dropped, since the subkey has not signed that it belongs to this key")
	count(c.droppedUIDs, "key.user-id-dropped", "user IDs without a valid signature of the key were dropped")
	count(c.droppedKeys, "key.subkey-dropped", "subkeys without a valid binding, or of an unknown kind, were dropped")
	count(len(c.thirdParty), "key.designated-revocation", "revocations by a designated revoker are kept, but cannot be verified without the revoker's key")
	return notes
}

// stateNotes tells what limits the use of the key at any time.
func (c *certificate) stateNotes(k Key) []Problem {
	var notes []Problem
	if k.Revoked {
		notes = append(notes, problem("key.revoked", k.RevocationReason, "the key was revoked on "+k.RevokedAt.Format("2006-01-02"), "the key that replaces it"))
	}
	if len(k.EncryptTo) == 0 {
		notes = append(notes, problem("key.no-encryption", "", "the key cannot be encrypted to: it has no encryption subkey that is not revoked", "a key with an encryption subkey"))
	}
	self, direct := c.selfSignature(), c.primary.newest(isDirect)
	missing := c.primaryFlags(self, direct).missing
	weak := usesSHA1(self) || usesSHA1(direct)
	for _, u := range c.users {
		weak = weak || !u.userRevoked() && usesSHA1(u.newest(isCertification))
	}
	for i, s := range c.subkeys {
		if !k.Subkeys[i].Revoked {
			bind := s.newest(isBinding)
			weak, missing = weak || usesSHA1(bind), missing || !bind.FlagsValid
		}
	}
	if weak {
		notes = append(notes, problem("key.sha1-self-signature", "",
			"the key is held together by signatures over SHA-1, which current programs reject",
			"the key's expiry set anew with a current program, which signs it again"))
	}
	if missing {
		notes = append(notes, problem("key.flags-missing", "", "the key does not say what it may be used for", "a key made by a current program"))
	}
	return notes
}

// algorithmNotes judges nothing but names what RFC 9580 or a policy may.
func algorithmNotes(pub *packet.PublicKey, fpr Fingerprint) []Problem {
	name := algorithmName(pub)
	value := fmt.Sprintf("%s %s", name, fpr)
	switch {
	case name == "RSA" && keyBits(pub) < 2048:
		return []Problem{problem("key.weak-rsa", fmt.Sprintf("RSA %d %s", keyBits(pub), fpr), "RSA with less than 2048 bits is not safe any more", "RSA with 3072 bits or more, or Ed25519 and X25519")}
	case name == "DSA", name == "ElGamal":
		return []Problem{problem("key.obsolete-algorithm", value, "RFC 9580 forbids new DSA and ElGamal keys, and current programs refuse them", "Ed25519 and X25519, or RSA with 3072 bits or more")}
	case strings.HasSuffix(name, " secp256k1"):
		return []Problem{problem("key.curve-refused", value, "secp256k1 is no curve of RFC 9580, and many programs refuse it", "Ed25519 and X25519")}
	case pub.IsPQ():
		return []Problem{problem("key.post-quantum", value, "the key uses post-quantum algorithms that few programs can read yet", "")}
	}
	return nil
}

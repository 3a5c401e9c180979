package directory

import (
	"crypto"
	"crypto/rsa"
)

// KeyCodes is the part of [Codes] that reading keys answers for.
func KeyCodes() []CodeInfo { return keyCodes }

// VerifyRSA is verifyRSA, and whether it would be asked.
func VerifyRSA(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) (asked bool, err error) {
	info := digestInfo(hash)
	return longRSA(key) && info != nil, verifyRSA(key, append(info, digest...), signature)
}

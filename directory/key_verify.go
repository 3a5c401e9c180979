package directory

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"math/big"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var (
	errMisplaced     = errors.New("a signature of a type that does not belong here")
	errRSA           = errors.New("the RSA signature does not verify")
	errBackSignature = errors.New("a subkey for signing without its own signature over the primary key")
)

// verifyPrimary verifies a signature over the primary key alone.
func (c *certificate) verifyPrimary(s *packet.Signature) error {
	if s.SigType != packet.SigTypeDirectSignature && s.SigType != packet.SigTypeKeyRevocation {
		return errMisplaced
	}
	return VerifySignature(c.pub, s, hashedKey(c.primary.raw.body))
}

// verifyUser verifies a signature over a user ID.
func (c *certificate) verifyUser(u *component, s *packet.Signature) error {
	if !isCertification(s) && s.SigType != packet.SigTypeCertificationRevocation {
		return errMisplaced
	}
	return VerifySignature(c.pub, s, hashedKey(c.primary.raw.body), hashedUserID(u.raw.body))
}

// verifySubkey verifies a signature over a subkey. RFC 9580 section 5.2.1.8: one
// that lets it sign MUST have the subkey's own signature over the primary key in it.
func (c *certificate) verifySubkey(sub *component, s *packet.Signature) error {
	if s.SigType != packet.SigTypeSubkeyBinding && s.SigType != packet.SigTypeSubkeyRevocation {
		return errMisplaced
	}
	primary, subkey := hashedKey(c.primary.raw.body), hashedKey(sub.raw.body)
	if err := VerifySignature(c.pub, s, primary, subkey); err != nil {
		return err
	}
	if s.SigType == packet.SigTypeSubkeyRevocation || !s.FlagSign {
		return nil
	}
	back := s.EmbeddedSignature
	if back == nil || back.SigType != packet.SigTypePrimaryKeyBinding || VerifySignature(sub.key, back, primary, subkey) != nil {
		return errBackSignature
	}
	return nil
}

// hashedKey is the form in which a key is hashed (RFC 9580 section 5.2.4). It is
// made of the bytes as sent, whose fingerprint readPublicKey has compared.
func hashedKey(body []byte) []byte {
	if body[0] == 6 {
		return binaryPrefix(0x9b, 4, body)
	}
	return binaryPrefix(0x99, 2, body)
}

// hashedUserID is the form in which a user ID is hashed.
func hashedUserID(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xb4}, uint32(len(body))), body...)
}

// VerifySignature returns nil if s is pub's signature over the parts, whatever its
// hash and date, and whatever pub is good for. It is
// go-crypto's own function but for one case. crypto/rsa has fast code for moduli
// of up to 2048 bits only, and 93 % of real keys are longer: there math/big takes
// two fifths of the time, and verifying is nearly all that reading a key costs.
func VerifySignature(pub *packet.PublicKey, s *packet.Signature, parts ...[]byte) error {
	h, err := s.PrepareVerify()
	if err != nil {
		return err
	}
	for _, p := range parts {
		h.Write(p)
	}
	key, isRSA := pub.PublicKey.(*rsa.PublicKey)
	if info := digestInfo(s.Hash); isRSA && longRSA(key) && info != nil && s.Version == 4 && s.PubKeyAlgo == pub.PubKeyAlgo && pub.CanSign() {
		h.Write(s.HashSuffix)
		return verifyRSA(key, h.Sum(info), s.RSASignature.Bytes())
	}
	return pub.VerifySignature(h, s)
}

// longRSA reports whether a key is one for [verifyRSA]. Odd ones are left to
// crypto/rsa, which refuses them.
func longRSA(key *rsa.PublicKey) bool {
	return key.Size() > 256 && key.N.Bit(0) == 1 && key.E > 2 && key.E&1 == 1
}

// verifyRSA verifies as RFC 8017 section 8.2.2 does: by making the one block that
// a good signature can hold and comparing all of it, so that nothing of the
// block is ever parsed. What is computed with is public, so time may tell.
func verifyRSA(key *rsa.PublicKey, info, signature []byte) error {
	size := key.Size()
	s := new(big.Int).SetBytes(signature)
	if len(signature) > size || s.Cmp(key.N) >= 0 || size < len(info)+11 {
		return errRSA
	}
	want := bytes.Repeat([]byte{0xff}, size)
	want[0], want[1], want[size-len(info)-1] = 0, 1, 0
	copy(want[size-len(info):], info)
	got := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	if !bytes.Equal(got, want) {
		return errRSA
	}
	return nil
}

// digestInfo is what stands before a hash in an RSA signature (RFC 9580 section
// 5.2.2, table 17); nil for hashes that are left to crypto/rsa.
func digestInfo(h crypto.Hash) []byte {
	nist := func(size, last, length byte) []byte {
		return []byte{0x30, size, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last, 0x05, 0x00, 0x04, length}
	}
	switch h {
	case crypto.SHA1:
		return []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}
	case crypto.SHA256:
		return nist(0x31, 1, 32)
	case crypto.SHA384:
		return nist(0x41, 2, 48)
	case crypto.SHA512:
		return nist(0x51, 3, 64)
	case crypto.SHA224:
		return nist(0x2d, 4, 28)
	}
	return nil
}

package directory_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha512"
	"math/big"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TestVerifyRSA holds our verification of long RSA signatures against crypto/rsa:
// both must say the same of good signatures and of every kind of bad one.
func TestVerifyRSA(t *testing.T) {
	for _, bits := range []int{2056, 3072} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		other, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			h := hash.New()
			h.Write([]byte("csirt@example.org"))
			digest := h.Sum(nil)
			good, err := rsa.SignPKCS1v15(rand.Reader, key, hash, digest)
			if err != nil {
				t.Fatal(err)
			}
			for name, signature := range forgeries(t, key, other, hash, digest, good) {
				want := rsa.VerifyPKCS1v15(&key.PublicKey, hash, digest, signature) == nil
				asked, err := directory.VerifyRSA(&key.PublicKey, hash, digest, signature)
				if got := err == nil; !asked || got != want || want != (name == "good") {
					t.Errorf("RSA %d, %v, %s: verified %v (asked: %v), crypto/rsa %v", bits, hash, name, got, asked, want)
				}
			}
		}
	}
}

// forgeries are a good signature and what attackers make of one.
func forgeries(t *testing.T, key, other *rsa.PrivateKey, hash crypto.Hash, digest, good []byte) map[string][]byte {
	t.Helper()
	raw := func(block []byte) []byte { // a block of the forger's choice, signed with the real key
		return new(big.Int).Exp(new(big.Int).SetBytes(block), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	block := new(big.Int).Exp(new(big.Int).SetBytes(good), big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
	at := func(i int, b byte) []byte {
		changed := append([]byte(nil), block...)
		changed[i] = b
		return raw(changed)
	}
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	foreign, err := rsa.SignPKCS1v15(rand.Reader, other, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	n := len(block)
	short := append(append([]byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, block[n-len(digest)-19:]...), make([]byte, n)...)[:n]
	return map[string][]byte{
		"good": good, "one bit flipped": flipped, "another key's": foreign, "zero": make([]byte, n), "nothing": nil,
		"plus the modulus":          new(big.Int).Add(new(big.Int).SetBytes(good), key.N).Bytes(),
		"negated":                   new(big.Int).Sub(key.N, new(big.Int).SetBytes(good)).FillBytes(make([]byte, n)),
		"an octet too long":         append([]byte{0}, good...),
		"block type 2":              at(1, 2),
		"a hole in the padding":     at(20, 0xfe),
		"the end of padding early":  at(20, 0),
		"another algorithm's name":  at(n-len(digest)-3, 7),
		"a hash one off":            at(n-1, block[n-1]^1),
		"short padding, then trash": raw(short), // Bleichenbacher's forgery of 2006
	}
}

// TestVerifyRSALeaves lists what goes to crypto/rsa.
func TestVerifyRSALeaves(t *testing.T) {
	odd := func(bits uint) *big.Int {
		return new(big.Int).SetBit(new(big.Int).SetBit(new(big.Int), int(bits)-1, 1), 0, 1)
	}
	for _, tt := range []struct {
		name string
		key  rsa.PublicKey
		hash crypto.Hash
		want bool
	}{
		{"3072 bits", rsa.PublicKey{N: odd(3072), E: 65537}, crypto.SHA256, true},
		{"2048 bits", rsa.PublicKey{N: odd(2048), E: 65537}, crypto.SHA256, false},
		{"an even modulus", rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 3071), E: 65537}, crypto.SHA256, false},
		{"an even exponent", rsa.PublicKey{N: odd(3072), E: 65536}, crypto.SHA256, false},
		{"exponent 1", rsa.PublicKey{N: odd(3072), E: 1}, crypto.SHA256, false},
		{"a hash of SHA-3", rsa.PublicKey{N: odd(3072), E: 65537}, crypto.SHA3_256, false},
	} {
		if got, _ := directory.VerifyRSA(&tt.key, tt.hash, make([]byte, 32), []byte{1}); got != tt.want {
			t.Errorf("%s: verified by our own code: %v, want %v", tt.name, got, tt.want)
		}
	}
}

package pgpkey_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// made is when the generated keys say they were made, today when they are judged.
var (
	made  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	today = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
)

// gpgKey reads a key that real gpg made (see generate.sh beside the keys).
func gpgKey(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "directory", "testdata", "keys", name+".asc"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at is a configuration for signing at a moment, with the algorithm of most new keys.
func at(when time.Time) *packet.Config {
	return &packet.Config{
		Time: func() time.Time { return when }, Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA512,
		NonDeterministicSignaturesViaNotation: packet.BoolPointer(false), // which SHA-1 cannot do
	}
}

// newEntity makes a key with go-crypto, by default without an expiry.
func newEntity(t testing.TB, address string, edit ...func(*packet.Config)) *openpgp.Entity {
	t.Helper()
	cfg := at(made)
	for _, f := range edit {
		f(cfg)
	}
	e, err := openpgp.NewEntity("Example", "", address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// lasting gives a key a lifetime.
func lasting(d time.Duration) func(*packet.Config) {
	return func(c *packet.Config) { c.KeyLifetimeSecs = uint32(d / time.Second) }
}

// algorithm gives a key an algorithm.
func algorithm(a packet.PublicKeyAlgorithm, v6 bool) func(*packet.Config) {
	return func(c *packet.Config) { c.Algorithm, c.V6Keys = a, v6 }
}

// self signs the user IDs of a key again after edit.
func self(t testing.TB, e *openpgp.Entity, edit func(*packet.Signature)) {
	t.Helper()
	for _, id := range e.Identities {
		for _, s := range id.SelfCertifications {
			edit(s.Packet)
			must(t, s.Packet.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, at(s.Packet.CreationTime)))
		}
	}
}

// binding signs the last subkey of a key again after edit.
func binding(t testing.TB, e *openpgp.Entity, edit func(*packet.Signature)) {
	t.Helper()
	s := e.Subkeys[len(e.Subkeys)-1]
	edit(s.Bindings[0].Packet)
	must(t, s.Bindings[0].Packet.SignKey(s.PublicKey, e.PrivateKey, at(s.Bindings[0].Packet.CreationTime)))
}

// sha1 makes a signature one over SHA-1, which go-crypto no longer makes by itself.
func sha1(s *packet.Signature) { s.Hash = crypto.SHA1 }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// public is the key as it is published.
func public(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, e.Serialize(&b))
	return b.Bytes()
}

// private is the key as nobody should see it.
func private(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, e.SerializePrivateWithoutSigning(&b, nil))
	return b.Bytes()
}

func armored(t testing.TB, packets []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, "PGP PUBLIC KEY BLOCK", nil)
	must(t, err)
	_, err = w.Write(packets)
	must(t, err)
	must(t, w.Close())
	b.WriteByte('\n')
	return b.Bytes()
}

func dearmored(t testing.TB, text []byte) []byte {
	t.Helper()
	block, err := armor.Decode(bytes.NewReader(text))
	must(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(block.Body)
	must(t, err)
	return b.Bytes()
}

// split returns the packets of a key.
func split(t testing.TB, data []byte) []*packet.OpaquePacket {
	t.Helper()
	var all []*packet.OpaquePacket
	for r := packet.NewOpaqueReader(bytes.NewReader(data)); ; {
		p, err := r.Next()
		if err != nil {
			return all
		}
		all = append(all, p)
	}
}

func join(t testing.TB, packets ...*packet.OpaquePacket) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range packets {
		must(t, p.Serialize(&b))
	}
	return b.Bytes()
}

// flooded puts n junk certifications behind the user ID of a key.
func flooded(t testing.TB, key []byte, n int) []byte {
	t.Helper()
	packets := split(t, key)
	user := slices.IndexFunc(packets, func(p *packet.OpaquePacket) bool { return p.Tag == 13 })
	out := join(t, packets[:user+2]...)
	for i := range n {
		b := []byte{4, 0x10, 1, 8, 0, 6, 5, 2}
		b = binary.BigEndian.AppendUint32(b, uint32(made.Unix()))
		b = append(b, 0, 10, 9, 16)
		b = binary.BigEndian.AppendUint64(b, 0xDEAD000000000000|uint64(i))
		b = append(b, 1, 2, 0x10, 0)
		b = append(b, bytes.Repeat([]byte{byte(i) | 0x80}, 512)...)
		out = append(out, join(t, &packet.OpaquePacket{Tag: 2, Contents: b})...)
	}
	return append(out, join(t, packets[user+2:]...)...)
}

// swap replaces old in a text, and fails if it is not there.
func swap(t testing.TB, text []byte, old, by string) []byte {
	t.Helper()
	if !strings.Contains(string(text), old) {
		t.Fatalf("%q is not in the text to change", old)
	}
	return []byte(strings.ReplaceAll(string(text), old, by))
}

func encoded(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

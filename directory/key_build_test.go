package directory_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// made is when the generated keys say they were made.
var made = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// keyFile reads a key of testdata/keys.
func keyFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "keys", name+".asc"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// dearmored returns the packets of an armoured text.
func dearmored(t testing.TB, text string) []byte {
	t.Helper()
	block, err := armor.Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(block.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// armored wraps packets in armour of the given type.
func armored(t testing.TB, kind string, packets []byte) string {
	t.Helper()
	var b strings.Builder
	w, err := armor.EncodeWithChecksumOption(&b, kind, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(packets); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// split returns the raw packets of a key, each with its header.
func split(t testing.TB, data []byte) []*packet.OpaquePacket {
	t.Helper()
	var all []*packet.OpaquePacket
	r := packet.NewOpaqueReader(bytes.NewReader(data))
	for {
		p, err := r.Next()
		if err != nil {
			return all
		}
		all = append(all, p)
	}
}

// join writes packets one after the other.
func join(t testing.TB, packets ...*packet.OpaquePacket) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, p := range packets {
		if err := p.Serialize(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func opaque(tag uint8, contents ...byte) *packet.OpaquePacket {
	return &packet.OpaquePacket{Tag: tag, Contents: contents}
}

// entity generates a key with go-crypto at the fixed time.
func entity(t testing.TB, cfg packet.Config) *openpgp.Entity {
	t.Helper()
	cfg.Time = func() time.Time { return made }
	e, err := openpgp.NewEntity("Example", "", "csirt@example.org", &cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func secret(t testing.TB, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.SerializePrivateWithoutSigning(&b, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// junkCertification is a signature by an invented key, never verifiable.
func junkCertification(n uint32) *packet.OpaquePacket {
	b := []byte{4, 0x10, 22, 8, 0, 6, 5, 2}
	b = binary.BigEndian.AppendUint32(b, uint32(made.Unix()))
	b = append(b, 0, 10, 9, 16)
	b = binary.BigEndian.AppendUint64(b, 0xDEAD000000000000|uint64(n))
	b = append(b, 1, 2, 0, 8, 0xff, 0, 8, byte(n)|0x80)
	return opaque(2, b...)
}

// flood puts size bytes of junk certifications behind the user ID of a key.
func flood(t testing.TB, key []byte, size int) []byte {
	t.Helper()
	packets := split(t, key)
	out := join(t, packets[:3]...)
	for n := uint32(0); len(out) < size; n++ {
		out = append(out, join(t, junkCertification(n))...)
	}
	return append(out, join(t, packets[3:]...)...)
}

// body returns the lines of base64 between the blank line and the checksum.
func body(armor string) []string {
	_, rest, _ := strings.Cut(armor, "\n\n")
	rest, _, _ = strings.Cut(rest, "-----END")
	return strings.Fields(rest)
}

func toUTF16(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// rawKey is a v4-style public key packet body of any version and algorithm.
func rawKey(version, algorithm byte, material ...byte) []byte {
	b := []byte{version}
	b = binary.BigEndian.AppendUint32(b, uint32(made.Unix()))
	switch version {
	case 2, 3:
		b = append(b, 0, 0) // days of validity
	}
	b = append(b, algorithm)
	if version >= 5 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(material)))
	}
	return append(b, material...)
}

// mpi is a number of so many bits, all ones.
func mpi(bits int) []byte {
	n := bytes.Repeat([]byte{0xff}, (bits+7)/8)
	if bits%8 != 0 {
		n[0] >>= 8 - bits%8
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(bits)), n...)
}

// withSignature re-signs the user ID of a fresh key with edit applied.
func withSignature(t testing.TB, edit func(*packet.Signature)) []byte {
	t.Helper()
	e := entity(t, packet.Config{})
	cfg := &packet.Config{Time: func() time.Time { return made }}
	for _, id := range e.Identities {
		for _, s := range id.SelfCertifications {
			s.Packet.Hash = crypto.SHA256
			edit(s.Packet)
			if err := s.Packet.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, cfg); err != nil {
				t.Fatal(err)
			}
		}
	}
	return public(t, e)
}

// signingSubkey makes a key with a subkey for signing whose binding was signed anew after edit.
func signingSubkey(t testing.TB, edit func(*packet.Signature)) []byte {
	t.Helper()
	e := entity(t, packet.Config{})
	cfg := &packet.Config{Time: func() time.Time { return made }}
	if err := e.AddSigningSubkey(cfg); err != nil {
		t.Fatal(err)
	}
	s := e.Subkeys[len(e.Subkeys)-1]
	edit(s.Bindings[0].Packet)
	if err := s.Bindings[0].Packet.SignKey(s.PublicKey, e.PrivateKey, cfg); err != nil {
		t.Fatal(err)
	}
	return public(t, e)
}

// sub returns s with old replaced by new, and fails if old is not in it.
func sub(t testing.TB, s, old, new string) string {
	t.Helper()
	if !strings.Contains(s, old) {
		t.Fatalf("%q is not in the text to change", old)
	}
	return strings.ReplaceAll(s, old, new)
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

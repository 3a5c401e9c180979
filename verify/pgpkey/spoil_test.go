package pgpkey_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// What accidents, old programs and attackers make of keys.

func seconds(d time.Duration) *uint32 {
	n := uint32(d / time.Second)
	return &n
}

func badSum(t testing.TB, text []byte) []byte {
	t.Helper()
	_, sum, ok := strings.Cut(string(text), "\n=")
	if !ok {
		t.Fatal("the armour has no checksum")
	}
	return swap(t, text, "\n="+sum[:4], "\n=AAAA")
}

func widened(text []byte) []byte {
	var b []byte
	for _, c := range text {
		b = append(b, c, 0)
	}
	return b
}

func onlyCertification(e *openpgp.Entity) *packet.Signature {
	for _, id := range e.Identities {
		return id.SelfCertifications[0].Packet
	}
	return nil
}

func revokeUsers(t testing.TB, e *openpgp.Entity) {
	t.Helper()
	for _, id := range e.Identities {
		s := *id.SelfCertifications[0].Packet
		s.SigType, s.CreationTime = packet.SigTypeCertificationRevocation, made.Add(time.Hour)
		must(t, s.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, at(s.CreationTime)))
		id.Revocations = append(id.Revocations, packet.NewVerifiableSig(&s))
	}
}

// addUser adds a user ID with a signature that another key made.
func addUser(t testing.TB, key []byte) []byte {
	t.Helper()
	p := split(t, key)
	return join(t, slices.Concat(p[:3], []*packet.OpaquePacket{{Tag: 13, Contents: []byte("Mallory <m@example.org>")}}, p[3:])...)
}

func unknownSubkey(t testing.TB, key []byte) []byte {
	t.Helper()
	body := append([]byte{4}, binary.BigEndian.AppendUint32(nil, uint32(made.Unix()))...)
	return append(bytes.Clone(key), join(t, &packet.OpaquePacket{Tag: 14, Contents: append(body, 99, 1, 2)})...)
}

func otherVersion(t testing.TB, text []byte, version byte) []byte {
	t.Helper()
	p := split(t, dearmored(t, text))
	p[0].Contents = bytes.Clone(p[0].Contents)
	p[0].Contents[0] = version
	return join(t, p...)
}

func otherAlgorithm(t testing.TB, text []byte) []byte {
	t.Helper()
	p := split(t, dearmored(t, text))
	p[0].Contents = bytes.Clone(p[0].Contents)
	p[0].Contents[5] = 99
	return join(t, p...)
}

func tinyRSA(t testing.TB, text []byte) []byte {
	t.Helper()
	p := split(t, dearmored(t, text))
	body := append(bytes.Clone(p[0].Contents[:5]), 1, 2, 0)
	body = append(append(body, bytes.Repeat([]byte{0xff}, 64)...), 0, 17, 1, 0, 1)
	p[0] = &packet.OpaquePacket{Tag: 6, Contents: body}
	return join(t, p...)
}

func secondUserSHA1(t testing.TB, e *openpgp.Entity) {
	t.Helper()
	first := *onlyCertification(e)
	must(t, e.AddUserId("Second", "", "second@example.org", at(made)))
	const second = "Second <second@example.org>"
	weak := first
	notPrimary := false
	weak.IsPrimaryId = &notPrimary
	sha1(&weak)
	must(t, weak.SignUserId(second, e.PrimaryKey, e.PrivateKey, at(made)))
	e.Identities[second].SelfCertifications = []*packet.VerifiableSignature{packet.NewVerifiableSig(&weak)}
}

// olderSHA1 puts a SHA-1 signature of the year before beside the one of today.
func olderSHA1(t testing.TB, e *openpgp.Entity) {
	t.Helper()
	for _, id := range e.Identities {
		old := *id.SelfCertifications[0].Packet
		sha1(&old)
		must(t, old.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, at(made)))
		now := *id.SelfCertifications[0].Packet
		now.CreationTime = made.Add(time.Hour)
		must(t, now.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, at(now.CreationTime)))
		id.SelfCertifications = []*packet.VerifiableSignature{packet.NewVerifiableSig(&old), packet.NewVerifiableSig(&now)}
	}
}

func backSHA1(t testing.TB, e *openpgp.Entity) {
	t.Helper()
	must(t, e.AddSigningSubkey(at(made)))
	s := e.Subkeys[len(e.Subkeys)-1]
	binding(t, e, func(b *packet.Signature) {
		sha1(b.EmbeddedSignature)
		must(t, b.EmbeddedSignature.CrossSignKey(s.PublicKey, e.PrimaryKey, s.PrivateKey, at(made)))
	})
}

// forgedSignature puts a changed signature of the key itself behind the good one.
func forgedSignature(t testing.TB, key []byte) []byte {
	t.Helper()
	p := split(t, key)
	forged := bytes.Clone(p[2].Contents)
	forged[len(forged)-1] ^= 1
	return join(t, slices.Concat(p[:3], []*packet.OpaquePacket{{Tag: 2, Contents: forged}}, p[3:])...)
}

// crowded repeats one kind of packet beyond its limit.
func crowded(t testing.TB, key []byte, tag uint8) []byte {
	t.Helper()
	p := split(t, key)
	var more []*packet.OpaquePacket
	for i := range map[uint8]int{13: 65, 14: 65, 2: 2001}[tag] {
		switch tag {
		case 13:
			more = append(more, &packet.OpaquePacket{Tag: 13, Contents: fmt.Appendf(nil, "User %d <u%d@example.org>", i, i)}, p[2])
		case 14:
			body := append([]byte{4}, binary.BigEndian.AppendUint32(nil, uint32(made.Unix()))...)
			more = append(more, &packet.OpaquePacket{Tag: 14, Contents: append(append(body, 25), bytes.Repeat([]byte{byte(i + 1)}, 32)...)})
		case 2:
			s := bytes.Clone(p[2].Contents)
			binary.BigEndian.PutUint16(s[len(s)-2:], uint16(i))
			more = append(more, &packet.OpaquePacket{Tag: 2, Contents: s})
		}
	}
	return join(t, slices.Concat(p[:3], more)...)
}

func revokedPQ(t testing.TB) []byte {
	t.Helper()
	e := newEntity(t, address, algorithm(packet.PubKeyAlgoMldsa65Ed25519, true), lasting(10*365*24*time.Hour))
	must(t, e.Subkeys[0].Revoke(packet.KeyRetired, "", at(made.Add(time.Hour))))
	return public(t, e)
}

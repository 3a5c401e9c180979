package securitytxt_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// pgpKey is a key with its secret part.
type pgpKey struct {
	entity *openpgp.Entity
	signer *packet.PrivateKey
}

// keyPlans say how the keys of the cases are made, by name.
func keyPlans() map[string]func(t testing.TB) *pgpKey {
	made := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	plain := func(t testing.TB, conf packet.Config) *pgpKey {
		if conf.Time == nil {
			conf.Time = func() time.Time { return made }
		}
		if conf.Algorithm == 0 {
			conf.Algorithm, conf.Curve = packet.PubKeyAlgoEdDSA, packet.Curve25519
		}
		e, err := openpgp.NewEntity("Example CSIRT", "", "csirt@example.com", &conf)
		if err != nil {
			t.Fatal(err)
		}
		return &pgpKey{e, e.PrivateKey}
	}
	at := func(day string) func() time.Time {
		when, err := time.Parse(time.DateOnly, day)
		if err != nil {
			panic(err)
		}
		return func() time.Time { return when }
	}
	return map[string]func(t testing.TB) *pgpKey{
		"team":  func(t testing.TB) *pgpKey { return plain(t, packet.Config{}) },
		"other": func(t testing.TB) *pgpKey { return plain(t, packet.Config{}) },
		"v6": func(t testing.TB) *pgpKey {
			return plain(t, packet.Config{V6Keys: true, Algorithm: packet.PubKeyAlgoEd25519})
		},
		"young":   func(t testing.TB) *pgpKey { return plain(t, packet.Config{Time: at("2026-11-01")}) },
		"expired": func(t testing.TB) *pgpKey { return plain(t, packet.Config{KeyLifetimeSecs: 600 * 86400}) }, // on 2026-08-24
		"sha1": func(t testing.TB) *pgpKey {
			return resigned(t, plain(t, packet.Config{}), func(self *packet.Signature) { self.Hash = crypto.SHA1 })
		},
		"rsa1024": func(t testing.TB) *pgpKey {
			return fileKey(t, "rsa1024.key")
		},
		"revoked": func(t testing.TB) *pgpKey {
			k := plain(t, packet.Config{})
			if err := k.entity.Revoke(packet.KeySuperseded, "a new one", &packet.Config{Time: at("2026-11-01")}); err != nil {
				t.Fatal(err)
			}
			return k
		},
		"subkey": func(t testing.TB) *pgpKey {
			k := plain(t, packet.Config{})
			if err := k.entity.AddSigningSubkey(&packet.Config{Time: at("2025-02-01"), Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519}); err != nil {
				t.Fatal(err)
			}
			k.signer = k.entity.Subkeys[len(k.entity.Subkeys)-1].PrivateKey
			return k
		},
		"subkey-revoked": func(t testing.TB) *pgpKey {
			k := plain(t, packet.Config{})
			if err := k.entity.AddSigningSubkey(&packet.Config{Time: at("2025-02-01"), Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519}); err != nil {
				t.Fatal(err)
			}
			sub := &k.entity.Subkeys[len(k.entity.Subkeys)-1]
			k.signer = sub.PrivateKey
			if err := sub.Revoke(packet.KeyCompromised, "stolen", &packet.Config{Time: at("2026-11-01")}); err != nil {
				t.Fatal(err)
			}
			return k
		},
		"no-signing": func(t testing.TB) *pgpKey {
			return resigned(t, plain(t, packet.Config{}), func(self *packet.Signature) { self.FlagSign = false })
		},
		"rsa4096": func(t testing.TB) *pgpKey { return fileKey(t, "rsa4096.key") },
	}
}

// resigned makes the signatures of a key's user IDs anew.
func resigned(t testing.TB, k *pgpKey, edit func(*packet.Signature)) *pgpKey {
	for _, id := range k.entity.Identities {
		self := id.SelfCertifications[0].Packet
		edit(self)
		if err := self.SignUserId(id.UserId.Id, k.entity.PrimaryKey, k.entity.PrivateKey, plainly(self.CreationTime)); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// plainly is a configuration that lets old hashes sign.
func plainly(at time.Time) *packet.Config {
	no := false
	return &packet.Config{Time: func() time.Time { return at }, NonDeterministicSignaturesViaNotation: &no}
}

// fileKey reads a secret key that gpg made for these tests.
func fileKey(t testing.TB, name string) *pgpKey {
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	list, err := openpgp.ReadArmoredKeyRing(f)
	if err != nil {
		t.Fatal(err)
	}
	return &pgpKey{list[0], list[0].PrivateKey}
}

var madeKeys sync.Map // by name: making them takes time, and cases name them again and again

// testKey returns a key by its name.
func testKey(t testing.TB, name string) *pgpKey {
	t.Helper()
	if k, ok := madeKeys.Load(name); ok {
		return k.(*pgpKey)
	}
	plan := keyPlans()[name]
	if plan == nil {
		t.Fatalf("no key is called %q", name)
	}
	k, _ := madeKeys.LoadOrStore(name, plan(t))
	return k.(*pgpKey)
}

func (k *pgpKey) fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// public returns the public part, armoured.
func (k *pgpKey) public(t testing.TB) string {
	var b strings.Builder
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.entity.Serialize(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// signing says how the body of a case is signed, and what is done to it then.
type signing struct {
	By       string      `json:"by"`
	And      string      `json:"and"` // who else signs
	At       time.Time   `json:"at"`
	Hash     string      `json:"hash"`     // "": SHA256
	Type     string      `json:"type"`     // "binary", "standalone"; "": text
	Life     uint32      `json:"life"`     // seconds; 0: for ever
	Critical bool        `json:"critical"` // with a critical notation that nobody knows
	Edit     [][2]string `json:"edit"`     // texts to replace in the signed file, everywhere
}

func (s *signing) sign(t testing.TB, body string) string {
	t.Helper()
	text := s.clearSign(t, body)
	for _, e := range s.Edit {
		if !strings.Contains(text, e[0]) {
			t.Fatalf("there is no %q in the signed text", e[0])
		}
		text = strings.ReplaceAll(text, e[0], e[1])
	}
	return text
}

// clearSign signs as RFC 9580 section 7 has it. go-crypto's own function refuses to
// make what we have to refuse to read.
func (s *signing) clearSign(t testing.TB, body string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	var shown, packets strings.Builder
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
		if strings.HasPrefix(line, "-") {
			line = "- " + line
		}
		shown.WriteString(line + "\n")
	}
	for _, name := range []string{s.By, s.And} {
		if name != "" {
			s.packet(t, testKey(t, name).signer, strings.Join(lines, "\r\n"), &packets)
		}
	}
	var armored strings.Builder
	w, err := armor.Encode(&armored, "PGP SIGNATURE", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(packets.String())); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + shown.String() + armored.String() + "\n"
}

// packet writes the signature of one key over a text.
func (s *signing) packet(t testing.TB, k *packet.PrivateKey, text string, out *strings.Builder) {
	t.Helper()
	hash := map[string]crypto.Hash{"": crypto.SHA256, "SHA512": crypto.SHA512, "SHA1": crypto.SHA1, "MD5": crypto.SHA1}[s.Hash]
	kind := map[string]packet.SignatureType{"": packet.SigTypeText, "binary": packet.SigTypeBinary, "standalone": 0x02}[s.Type]
	sig := &packet.Signature{Version: k.Version, SigType: kind, PubKeyAlgo: k.PubKeyAlgo, Hash: hash, CreationTime: s.At,
		IssuerKeyId: &k.KeyId, IssuerKeyVersion: uint8(k.Version), IssuerFingerprint: k.Fingerprint, SigLifetimeSecs: &s.Life}
	if s.Critical {
		sig.Notations = []*packet.Notation{{Name: "nobody@example.com", Value: []byte("x"), IsCritical: true, IsHumanReadable: true}}
	}
	h := hash.New()
	if k.Version == 6 {
		salt, err := packet.SignatureSaltForHash(hash, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := sig.SetSalt(salt); err != nil {
			t.Fatal(err)
		}
		h.Write(salt)
	}
	h.Write([]byte(text))
	if err := sig.Sign(h, k, plainly(s.At)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := sig.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	if s.Hash == "MD5" { // go-crypto does not write it
		b.Bytes()[2+3] = 1
	}
	out.Write(b.Bytes())
}

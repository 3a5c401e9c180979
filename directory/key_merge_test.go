package directory_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// without drops the signatures of one type from a key.
func without(t testing.TB, key []byte, kind byte) []byte {
	t.Helper()
	packets := slices.DeleteFunc(split(t, key), func(p *packet.OpaquePacket) bool { return p.Tag == 2 && p.Contents[1] == kind })
	return join(t, packets...)
}

// only keeps the primary key and the signatures of one type: what a key server
// gives out of a key whose addresses nobody confirmed.
func only(t testing.TB, key []byte, kind byte) []byte {
	t.Helper()
	packets := slices.DeleteFunc(split(t, key), func(p *packet.OpaquePacket) bool {
		return p.Tag == 13 || p.Tag == 14 || p.Tag == 2 && p.Contents[1] != kind
	})
	return join(t, packets...)
}

func TestWithRevocations(t *testing.T) {
	raw := func(name string) []byte { return dearmored(t, keyFile(t, name)) }
	const key, subkey, user = 0x20, 0x28, 0x30
	type state struct {
		added                     int
		revoked                   bool
		subkeys, users, encryptTo int // revoked subkeys and user IDs, and what can be encrypted to
	}
	rewritten := split(t, only(t, raw("revoked"), key))
	last := rewritten[len(rewritten)-1]
	last.Contents = append(bytes.Clone(last.Contents[:len(last.Contents)-1]), last.Contents[len(last.Contents)-1]^1)
	for _, tt := range []struct {
		name         string
		stored, from []byte
		want         state
	}{
		{"a revocation by itself", without(t, raw("revoked"), key), []byte(keyFile(t, "revocation")), state{1, true, 0, 0, 1}},
		{"the whole revoked key", without(t, raw("revoked"), key), []byte(keyFile(t, "revoked")), state{1, true, 0, 0, 1}},
		{"the key without user IDs, binary", without(t, raw("revoked"), key), only(t, raw("revoked"), key), state{1, true, 0, 0, 1}},
		{"what is known already", raw("revoked"), raw("revoked"), state{0, true, 0, 0, 1}},
		{"a revocation of the subkey", without(t, raw("revokedsub"), subkey), only(t, raw("revokedsub"), subkey), state{1, false, 1, 0, 0}},
		{"a revocation of a user ID", without(t, raw("twoids"), user), only(t, raw("twoids"), user), state{1, false, 0, 1, 1}},
		{"another key's revocation", raw("good"), raw("revoked"), state{0, false, 0, 0, 1}},
		{"a forged revocation", without(t, raw("revoked"), key), join(t, rewritten...), state{0, false, 0, 0, 1}},
		{"a copy with everything but revocations", raw("revoked"), without(t, raw("revoked"), key), state{0, true, 0, 0, 1}},
		{"cut short before it", without(t, raw("revoked"), key), raw("revoked")[:60], state{0, false, 0, 0, 1}},
		{"words", raw("good"), []byte("not found"), state{0, false, 0, 0, 1}},
		{"nothing", raw("good"), nil, state{0, false, 0, 0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stored, _, err := directory.ParseKey(tt.stored)
			if err != nil {
				t.Fatal(err)
			}
			k, added, err := stored.WithRevocations(tt.from)
			if err != nil {
				t.Fatal(err)
			}
			got := state{added: added, revoked: k.Revoked, encryptTo: len(k.EncryptTo)}
			for _, s := range k.Subkeys {
				got.subkeys += map[bool]int{true: 1}[s.Revoked]
			}
			for _, u := range k.UserIDs {
				got.users += map[bool]int{true: 1}[u.Revoked]
			}
			if got != tt.want {
				t.Errorf("merged to %+v, want %+v", got, tt.want)
			}
			if added == 0 {
				if diff := cmp.Diff(stored, k); diff != "" {
					t.Errorf("the key changed without a revocation (-stored +merged):\n%s", diff)
				}
			}
			checkMinimal(t, k)
		})
	}
}

// A copy adds nothing else: no signature that extends the key, no user ID, no subkey.
func TestWithRevocationsTakesNothingElse(t *testing.T) {
	e := entity(t, packet.Config{})
	stored, _, err := directory.ParseKey(public(t, e))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &packet.Config{Time: func() time.Time { return made.Add(time.Hour) }}
	for _, err := range []error{e.AddUserId("New", "", "new@example.org", cfg), e.AddEncryptionSubkey(cfg)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	k, added, err := stored.WithRevocations(public(t, e))
	if diff := cmp.Diff(stored, k); err != nil || added != 0 || diff != "" {
		t.Errorf("WithRevocations = %d, %v, and a difference (-stored +merged):\n%s", added, err, diff)
	}
}

// Rewriting what is not signed makes no new revocation, however often it comes.
func TestWithRevocationsGrowsOnce(t *testing.T) {
	revoked := dearmored(t, keyFile(t, "revoked"))
	k, _, err := directory.ParseKey(without(t, revoked, 0x20))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		packets := split(t, only(t, revoked, 0x20))
		s := packets[len(packets)-1]
		hashed := int(s.Contents[4])<<8 | int(s.Contents[5])
		at := 6 + hashed // the count of unhashed subpackets
		size := int(s.Contents[at])<<8 | int(s.Contents[at+1])
		body := bytes.Clone(s.Contents[:at])
		body = append(body, byte((size+3)>>8), byte(size+3), 2, 100, byte(n)) // one of a private type
		s.Contents = append(body, s.Contents[at+2:]...)
		var added int
		if k, added, err = k.WithRevocations(join(t, packets...)); err != nil || added != map[bool]int{true: 1}[n == 0] {
			t.Errorf("round %d added %d, %v, want one in the first round only", n, added, err)
		}
	}
	if !k.Revoked {
		t.Error("the key is not revoked")
	}
}

func TestWithRevocationsRefuses(t *testing.T) {
	k := parse(t, "good")
	if _, _, err := k.WithRevocations(make([]byte, 512<<10+1)); directory.ProblemsOf(err)[0].Code != "key.too-large" {
		t.Errorf("a large copy gave %v, want key.too-large", err)
	}
	if _, _, err := (directory.Key{}).WithRevocations(nil); directory.ProblemsOf(err)[0].Code != "key.empty" {
		t.Errorf("no key gave %v, want key.empty", err)
	}
}

func FuzzWithRevocations(f *testing.F) {
	f.Add([]byte(keyFile(f, "revocation")))
	f.Add(dearmored(f, keyFile(f, "revoked")))
	stored, _, err := directory.ParseKey(without(f, dearmored(f, keyFile(f, "revoked")), 0x20))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 32<<10 {
			return
		}
		k, added, err := stored.WithRevocations(data)
		if err != nil || k.Fingerprint != stored.Fingerprint || k.Revoked != (added > 0) {
			t.Errorf("merged to %s, %d added, revoked %v, %v", k.Fingerprint, added, k.Revoked, err)
		}
	})
}

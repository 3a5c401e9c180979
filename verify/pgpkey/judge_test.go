package pgpkey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

const address = "csirt@example.org"

// judged is one key and what must be said of it, in full.
type judged struct {
	point int // of the list in docs/openpgp.md
	name  string
	data  []byte
	codes string // without "pgpkey.", worst first
	grade pgpkey.Grade
	uses  string // "encrypt sign", "encrypt", "sign" or ""
}

func keyCases(t testing.TB) []judged {
	year := 365 * 24 * time.Hour
	until := func(end time.Time) []byte { return public(t, newEntity(t, address, lasting(end.Sub(made)))) }
	edited := func(edit func(e *openpgp.Entity)) []byte {
		e := newEntity(t, address, lasting(10*year))
		edit(e)
		return public(t, e)
	}
	good, other := gpgKey(t, "good"), gpgKey(t, "other")
	priv := private(t, newEntity(t, address))
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	revoked := func(reason packet.ReasonForRevocation, when time.Time) []byte {
		return edited(func(e *openpgp.Entity) { must(t, e.Revoke(reason, "", at(when))) })
	}
	user := func(e *openpgp.Entity, name, mail string) { must(t, e.AddUserId(name, "", mail, at(made))) }
	return []judged{
		{1, "one primary key, binary", dearmored(t, good), "", "A", "encrypt sign"},
		{1, "one primary key, armoured", good, "", "A", "encrypt sign"},
		{1, "two primary keys in one block", armored(t, cat(dearmored(t, good), dearmored(t, other))), "several-certificates", "F", ""},
		{1, "a private key", priv, "private", "F", ""},
		{1, "a private key behind a public one", cat(dearmored(t, good), priv), "private", "F", ""},
		{1, "a private key in the armour of a public one", armored(t, priv), "private", "F", ""},
		{2, "two armoured blocks", cat(good, other), "several-blocks", "F", ""},
		{2, "words before the block", cat([]byte("Our key:\n\n"), good), "surrounding-text", "C", "encrypt sign"},
		{2, "a page around the block", cat([]byte("<html><body><pre>\n"), good, []byte("</pre></body></html>")), "surrounding-text", "C", "encrypt sign"},
		{2, "no line breaks left", bytes.ReplaceAll(good, []byte("\n"), []byte(" ")), "armor-repaired", "C", "encrypt sign"},
		{2, "a page instead of a key", []byte("<!DOCTYPE html>\n<html><title>404</title></html>"), "html-page", "F", ""},
		{2, "words", []byte("Our key is on the key servers."), "not-openpgp", "F", ""},
		{2, "nothing", nil, "empty", "F", ""},
		{2, "the end missing", dearmored(t, good)[:200], "truncated", "F", ""},
		{2, "a checksum that is wrong", badSum(t, good), "armor-checksum", "A", "encrypt sign"},
		{2, "undecodable armour", []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!\n-----END PGP PUBLIC KEY BLOCK-----\n"), "armor-broken", "F", ""},
		{2, "a message", gpgKey(t, "message"), "message-only", "F", ""},
		{2, "a signature", gpgKey(t, "signature"), "signature-only", "F", ""},
		{2, "UTF-16 without its mark", widened(good), "nul-bytes", "F", ""},
		{2, "a packet out of place", cat(dearmored(t, good), []byte("garbage")), "malformed", "F", ""},
		{4, "valid without an expiry", other, "never-expires", "A", "encrypt sign"},
		{4, "expired", gpgKey(t, "expired"), "expired", "F", ""},
		{4, "expiry extended by a newer signature", gpgKey(t, "extended"), "", "A", "encrypt sign"},
		{4, "revoked for compromise", gpgKey(t, "revoked"), "revoked", "F", ""},
		{4, "revoked without a reason", revoked(packet.NoReason, made), "revoked", "F", ""},
		{4, "superseded", revoked(packet.KeySuperseded, made), "retired", "F", ""},
		{4, "no longer used", revoked(packet.KeyRetired, made), "retired", "F", ""},
		{4, "superseded, then compromised", edited(func(e *openpgp.Entity) {
			must(t, e.Revoke(packet.KeySuperseded, "", at(made)))
			must(t, e.Revoke(packet.KeyCompromised, "", at(made)))
		}), "revoked", "F", ""},
		{4, "revoked in the future, as a clock may have it", revoked(packet.KeyRetired, today.Add(year)), "retired", "F", ""},
		{4, "a designated revoker's word, which nobody can verify here", gpgKey(t, "designated"), "designated-revocation never-expires", "C", "encrypt sign"},
		{4, "made in the future", public(t, newEntity(t, address, func(c *packet.Config) { c.Time = at(today.Add(year)).Time })), "not-yet-valid", "F", ""},
		{4, "signed in the future only", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.CreationTime = today.Add(year) })
		}), "not-yet-valid", "F", ""},
		{4, "signed again in the future", edited(func(e *openpgp.Entity) {
			first := onlyCertification(e)
			second := *first
			second.CreationTime = today.Add(year)
			must(t, second.SignUserId("Example <csirt@example.org>", e.PrimaryKey, e.PrivateKey, at(second.CreationTime)))
			for _, id := range e.Identities {
				id.SelfCertifications = append(id.SelfCertifications, packet.NewVerifiableSig(&second))
			}
		}), "signed-in-future", "C", "encrypt sign"},
		{4, "a self-signature that has itself an end", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.SigLifetimeSecs = seconds(year) })
		}), "expired", "F", ""},
		{4, "nothing signed", join(t, split(t, dearmored(t, good))[:2]...), "no-self-signature", "F", ""},
		{5, "an address", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{5, "a second user ID without an address", edited(func(e *openpgp.Entity) { user(e, "Example Team", "") }), "", "A", "encrypt sign"},
		{5, "no address in any user ID", public(t, newEntity(t, "", lasting(10*year))), "no-address", "B", "encrypt sign"},
		{5, "one of two user IDs revoked", gpgKey(t, "twoids"), "never-expires", "A", "encrypt sign"},
		{5, "every user ID revoked", edited(func(e *openpgp.Entity) { revokeUsers(t, e) }), "user-ids-revoked", "F", ""},
		{5, "no user ID", join(t, append(split(t, dearmored(t, good))[:1:1], split(t, dearmored(t, good))[3:]...)...), "no-user-id", "F", ""},
		{5, "a user ID added by another", addUser(t, dearmored(t, good)), "user-id-dropped", "A", "encrypt sign"},
		{6, "an encryption subkey", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{6, "one RSA key for all", gpgKey(t, "rsaprimary"), "rsa-below-3072 never-expires", "C", "encrypt sign"},
		{6, "none", gpgKey(t, "noencrypt"), "no-encryption never-expires", "F", "sign"},
		{6, "expired", gpgKey(t, "expiredsub"), "encryption-expired never-expires", "F", "sign"},
		{6, "revoked", gpgKey(t, "revokedsub"), "no-encryption never-expires", "F", "sign"},
		{6, "of unknown algorithm", unknownSubkey(t, dearmored(t, good)), "subkey-dropped", "A", "encrypt sign"},
		{7, "the primary key signs", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{7, "a signing subkey with its back-signature", gpgKey(t, "signsub"), "never-expires", "A", "encrypt sign"},
		{7, "a signing subkey without it", edited(func(e *openpgp.Entity) {
			must(t, e.AddSigningSubkey(at(made)))
			binding(t, e, func(s *packet.Signature) { s.EmbeddedSignature = nil })
		}), "back-signature-missing subkey-dropped", "C", "encrypt sign"},
		{7, "nothing that signs", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.FlagSign = false })
		}), "no-signing", "C", "encrypt"},
		{8, "Ed25519", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{8, "Ed25519 of RFC 9580 in version 4", public(t, newEntity(t, address, algorithm(packet.PubKeyAlgoEd25519, false), lasting(10*year))), "", "A", "encrypt sign"},
		{8, "Ed448", public(t, newEntity(t, address, algorithm(packet.PubKeyAlgoEd448, true), lasting(10*year))), "version-6", "A", "encrypt sign"},
		{8, "version 6", public(t, newEntity(t, address, algorithm(packet.PubKeyAlgoEd25519, true), lasting(10*year))), "version-6", "A", "encrypt sign"},
		{8, "NIST curves", gpgKey(t, "nistp256"), "never-expires", "A", "encrypt sign"},
		{8, "brainpool curves", gpgKey(t, "brainpool"), "never-expires", "A", "encrypt sign"},
		{8, "secp256k1", gpgKey(t, "secp256k1"), "encryption-refused curve-refused no-signing curve-refused", "D", ""},
		{8, "RSA 3072", gpgKey(t, "rsa3072"), "never-expires", "A", "encrypt sign"},
		{8, "RSA 1024", gpgKey(t, "rsa1024"), "encryption-refused weak-rsa no-signing weak-rsa", "D", ""},
		{8, "DSA and ElGamal", gpgKey(t, "dsa"), "encryption-refused obsolete-algorithm no-signing obsolete-algorithm", "D", ""},
		{8, "version 3", otherVersion(t, good, 3), "version-3", "F", ""},
		{8, "version 5, LibrePGP's own", otherVersion(t, good, 5), "version-5", "F", ""},
		{8, "version 7", otherVersion(t, good, 7), "version-unknown", "F", ""},
		{8, "an algorithm nobody knows", otherAlgorithm(t, good), "algorithm-unknown", "F", ""},
		{8, "RSA 512", tinyRSA(t, good), "size-refused", "F", ""},
		{9, "SHA-512", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{9, "SHA-1 throughout", gpgKey(t, "sha1"), "weak-hash rsa-below-3072 rsa-below-3072", "D", ""},
		{9, "SHA-1 in the binding of the encryption subkey", edited(func(e *openpgp.Entity) { binding(t, e, sha1) }), "encryption-refused weak-hash-subkey", "D", "sign"},
		{9, "SHA-1 on the second user ID", edited(func(e *openpgp.Entity) { secondUserSHA1(t, e) }), "weak-hash-user-id", "C", "encrypt sign"},
		{9, "SHA-1 before, SHA-512 now", edited(func(e *openpgp.Entity) { olderSHA1(t, e) }), "", "A", "encrypt sign"},
		{9, "SHA-1 in the back-signature only", edited(func(e *openpgp.Entity) { backSHA1(t, e) }), "weak-hash-subkey", "C", "encrypt sign"},
		{9, "an unknown critical notation", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) {
				s.Notations = []*packet.Notation{{Name: "x@example.org", Value: []byte("y"), IsCritical: true, IsHumanReadable: true}}
			})
		}), "no-self-signature", "F", ""},
		{10, "key flags on all parts", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{10, "none on the primary key", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.FlagsValid, s.FlagCertify, s.FlagSign = false, false, false })
		}), "flags-missing no-signing", "C", "encrypt"},
		{10, "none on the encryption subkey", edited(func(e *openpgp.Entity) {
			binding(t, e, func(s *packet.Signature) {
				s.FlagsValid, s.FlagEncryptCommunications, s.FlagEncryptStorage = false, false, false
			})
		}), "encryption-refused flags-missing", "D", "sign"},
		{11, "91 days left", until(today.Add(91 * 24 * time.Hour)), "", "A", "encrypt sign"},
		{11, "90 days left", until(today.Add(90 * 24 * time.Hour)), "expires-90", "B", "encrypt sign"},
		{11, "30 days and a second left", until(today.Add(30*24*time.Hour + time.Second)), "expires-90", "B", "encrypt sign"},
		{11, "30 days left", until(today.Add(30 * 24 * time.Hour)), "expires-30", "C", "encrypt sign"},
		{11, "7 days left", until(today.Add(7 * 24 * time.Hour)), "expires-7", "C", "encrypt sign"},
		{11, "the last second", until(today), "expires-7", "C", "encrypt sign"},
		{11, "a second later", until(today.Add(-time.Second)), "expired", "F", ""},
		{11, "only the encryption subkey ends soon", edited(func(e *openpgp.Entity) {
			binding(t, e, func(s *packet.Signature) { s.KeyLifetimeSecs = seconds(today.Add(20 * 24 * time.Hour).Sub(made)) })
		}), "expires-30", "C", "encrypt sign"},
		{12, "AES and modification detection", edited(func(*openpgp.Entity) {}), "", "A", "encrypt sign"},
		{12, "no features", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.SEIPDv1, s.SEIPDv2 = false, false })
		}), "features-missing", "B", "encrypt sign"},
		{12, "CAST5 and SHA-1 first", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.PreferredSymmetric, s.PreferredHash = []byte{3, 9}, []byte{2, 8} })
		}), "preferences-weak", "B", "encrypt sign"},
		{12, "no preferences at all", edited(func(e *openpgp.Entity) {
			self(t, e, func(s *packet.Signature) { s.PreferredSymmetric, s.PreferredHash = nil, nil })
		}), "", "A", "encrypt sign"},
		{13, "a certification by another", gpgKey(t, "certified"), "signatures-stripped never-expires", "A", "encrypt sign"},
		{13, "a flood of 400 KB", flooded(t, dearmored(t, good), 750), "signatures-stripped", "A", "encrypt sign"},
		{13, "a flood of 27 MB", flooded(t, dearmored(t, good), 50000), "too-large", "F", ""},
		{13, "a photo and a packet of unknown type", cat(dearmored(t, good), join(t, &packet.OpaquePacket{Tag: 17, Contents: []byte{3, 1, 0xff}}, &packet.OpaquePacket{Tag: 61, Contents: []byte{1}})), "attributes-dropped packets-dropped", "A", "encrypt sign"},
		{13, "a forgery in the key's own name", forgedSignature(t, dearmored(t, good)), "self-signature-bad", "C", "encrypt sign"},
		{13, "65 user IDs", crowded(t, dearmored(t, good), 13), "too-many-user-ids", "F", ""},
		{13, "65 subkeys", crowded(t, dearmored(t, good), 14), "too-many-subkeys", "F", ""},
		{13, "2,001 signatures", crowded(t, dearmored(t, good), 2), "too-many-signatures", "F", ""},
		{17, "ML-DSA with ML-KEM", public(t, newEntity(t, address, algorithm(packet.PubKeyAlgoMldsa65Ed25519, true), lasting(10*year))), "version-6 post-quantum post-quantum", "A", "encrypt sign"},
		{17, "SLH-DSA with ML-KEM", public(t, newEntity(t, address, algorithm(packet.PubKeyAlgoSlhdsaShake128f, true), lasting(10*year))), "version-6 post-quantum post-quantum", "A", "encrypt sign"},
		{17, "ML-KEM revoked beside nothing", revokedPQ(t), "no-encryption version-6 post-quantum", "F", "sign"},
	}
}

// TestPointsHaveCases counts the cases of each of the seventeen points: what is
// accepted, what is refused or pointed out, and what is no conclusion. What is seen
// of a key by itself is fetched and not reached in [TestJudgeFetched], case by case.
func TestPointsHaveCases(t *testing.T) {
	type count struct{ all, accepted, refused, temporary int }
	cases := map[int]*count{}
	for point := 1; point <= 17; point++ {
		cases[point] = &count{}
	}
	add := func(point int, accepted, refused, temporary bool) {
		c := cases[point]
		c.all++
		c.accepted += b2i(accepted)
		c.refused += b2i(refused)
		c.temporary += b2i(temporary)
	}
	for _, tt := range keyCases(t) {
		add(tt.point, tt.grade == "A", tt.codes != "", true)
	}
	k := &kit{TB: t, named: map[string]string{}}
	for _, s := range append(contactScenes(k), keyScenes(k)...) {
		add(s.point, s.codes == "" && s.trouble == "", s.codes != "", s.trouble != "")
	}
	for point, c := range cases {
		if c.all < 3 || c.accepted == 0 || c.refused == 0 || c.temporary == 0 {
			t.Errorf("point %d has %+v, want three cases or more, one of each kind", point, *c)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestJudgeFetched has the check fetch each key from where a security.txt names it:
// it finds the same as without a network, and the same again on what was recorded.
// While the page is out of reach there is no conclusion, whatever the key is like, and
// what was known stays in force.
func TestJudgeFetched(t *testing.T) {
	const host, at = "example.org", "https://example.org/key.asc"
	check := checkOf(pgpkey.Config{}, verify.Subject{Kind: verify.SubjectDomain, ID: host})
	target := verify.Target{Subject: verify.Subject{Kind: verify.SubjectDomain, ID: host}, Now: today}
	file := []byte("Contact: mailto:" + address + "\nExpires: 2027-06-01T00:00:00Z\nEncryption: " + at + "\n")
	run := func(t *testing.T, n verify.Network) (verify.Result, error) {
		rec := verify.Record(n)
		got, err := check.Run(context.Background(), rec, target)
		data, _, encodeErr := rec.Transcript(check.Name, target).Encode()
		must(t, encodeErr)
		transcript, decodeErr := verify.DecodeTranscript(data)
		must(t, decodeErr)
		again, againErr := check.Run(context.Background(), verify.Replay(transcript), transcript.Target)
		if diff := cmp.Diff(got, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(againErr) {
			t.Errorf("replayed to another result: %v, then %v (-first +again):\n%s", err, againErr, diff)
		}
		return got, err
	}
	for _, tt := range keyCases(t) {
		t.Run(fmt.Sprintf("%d/%s", tt.point, tt.name), func(t *testing.T) {
			want := map[verify.Code]bool{}
			for r := range pgpkey.JudgeKeyring(tt.data, pgpkey.Policy{}, today) {
				for _, f := range r.Findings {
					want[f.Code] = true
				}
			}
			pages := pageNetwork{"https://" + host + "/.well-known/security.txt": {Body: file}, at: {Body: tt.data}}
			if len(tt.data) > 256<<10 { // a network cuts it, see verify.Live
				pages[at] = pageAnswer{Failure: &verify.Failure{Code: verify.FetchTooLarge}}
				want = map[verify.Code]bool{"pgpkey.encryption-unreachable": true}
			}
			concluded, err := run(t, pages)
			if err != nil {
				t.Fatal(err)
			}
			got := map[verify.Code]bool{}
			for _, f := range concluded.Findings {
				got[f.Code] = true
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("codes (-got +want):\n%s", diff)
			}
			pages[at] = pageAnswer{Failure: &verify.Failure{Code: verify.FetchTimeout, Temporary: true}}
			_, err = run(t, pages)
			if trouble, _ := err.(*verify.Trouble); trouble == nil || trouble.Ours || trouble.Code != verify.FetchTimeout {
				t.Fatalf("%v while the page is out of reach, want no conclusion", err)
			}
			known := verify.Assess(verify.Verification{Check: check.Name, Subject: target.Subject}, verify.Outcome{Result: concluded}, check.Every, today)
			if after := verify.Assess(known, verify.Outcome{Err: err}, check.Every, today.Add(time.Hour)); after.Verdict != known.Verdict || len(after.Findings) != len(known.Findings) {
				t.Errorf("verdict %s after one try in vain, want %s", after.Verdict, known.Verdict)
			}
		})
	}
}

// pageNetwork answers by URL; what it does not have is not there.
type pageNetwork map[string]pageAnswer

type pageAnswer struct {
	Body    []byte
	Failure *verify.Failure
}

func (n pageNetwork) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	x := &verify.Exchange{Request: q, At: today, Hops: []verify.Hop{{URL: q.URL, Status: 404}}}
	if p, ok := n[q.URL]; ok {
		x.Hops[0].Status, x.Body, x.Failure = 200, p.Body, p.Failure
	}
	return x, nil
}

func (n pageNetwork) Query(context.Context, verify.Question) (*verify.Answer, error) {
	return nil, errors.New("no DNS here")
}

func (n pageNetwork) Greet(context.Context, verify.Greeting) (*verify.Visit, error) {
	return nil, errors.New("no mail here")
}

func (n pageNetwork) Origins(netip.Addr) []directory.ASN { return nil }

func TestJudge(t *testing.T) {
	for _, tt := range keyCases(t) {
		t.Run(fmt.Sprintf("%d/%s", tt.point, tt.name), func(t *testing.T) {
			r := pgpkey.Judge(tt.data, pgpkey.Policy{}, today)
			if got := strings.Join(codes(r.Findings), " "); got != tt.codes {
				t.Errorf("codes %q, want %q\n%+v", got, tt.codes, r.Findings)
			}
			uses := strings.TrimSpace(map[bool]string{true: "encrypt"}[r.Encrypts] + map[bool]string{true: " sign"}[r.Signs])
			if r.Grade != tt.grade || uses != tt.uses {
				t.Errorf("grade %s and uses %q, want %s and %q", r.Grade, uses, tt.grade, tt.uses)
			}
			if r.Encrypts != (r.EncryptTo != "") {
				t.Errorf("it encrypts: %v, to %q", r.Encrypts, r.EncryptTo)
			}
			for _, f := range r.Findings {
				if f.Advice == "" {
					t.Errorf("%s is not in the table", f.Code)
				}
			}
		})
	}
}

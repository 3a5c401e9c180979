package pgpkey_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// signedBy clear-signs a text.
func signedBy(t testing.TB, e *openpgp.Entity, when time.Time, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, e.PrivateKey, at(when))
	must(t, err)
	_, err = w.Write([]byte(text))
	must(t, err)
	must(t, w.Close())
	b.WriteByte('\n')
	return b.Bytes()
}

// certifiedBy has old certify the user ID of next.
func certifiedBy(t testing.TB, next, old *openpgp.Entity, when time.Time) {
	t.Helper()
	for name := range next.Identities {
		must(t, next.SignIdentity(name, old, at(when)))
	}
}

func TestSucceeds(t *testing.T) {
	year := 365 * 24 * time.Hour
	later := made.Add(year)
	key := func() *openpgp.Entity { return newEntity(t, address, lasting(10*year)) }
	statement := func(e *openpgp.Entity) string {
		return "Our key has changed. The new one is\n" + directory.Fingerprint(print(e)).Spaced() + "\nPlease use it from today on.\n"
	}
	revoked := func(e *openpgp.Entity, reason packet.ReasonForRevocation, when time.Time) {
		must(t, e.Revoke(reason, "", at(when)))
	}
	for _, tt := range []struct {
		name     string
		build    func(old, next *openpgp.Entity, s *pgpkey.Succession)
		grounds  string
		proposed bool
	}{
		{"certified by the old key", func(old, next *openpgp.Entity, _ *pgpkey.Succession) { certifiedBy(t, next, old, later) }, "certified", true},
		{"certified by the old key before that was superseded", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, later)
			revoked(old, packet.KeySuperseded, later.Add(year))
		}, "certified", true},
		{"certified by the old key, which was compromised", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, later)
			revoked(old, packet.KeyCompromised, later.Add(year))
		}, "", false},
		{"certified by a stranger", func(_, next *openpgp.Entity, _ *pgpkey.Succession) { certifiedBy(t, next, key(), later) }, "", false},
		{"certified by the old key after 70 strangers", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			stranger := key()
			for range 70 {
				certifiedBy(t, next, stranger, later)
			}
			certifiedBy(t, next, old, later)
		}, "certified", true},
		{"certified in the future", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, today.Add(time.Hour))
		}, "", false},
		{"certified, and taken back", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, later)
			for name, id := range next.Identities {
				r := *id.OtherCertifications[0].Packet
				r.SigType, r.CreationTime = packet.SigTypeCertificationRevocation, later.Add(time.Hour)
				must(t, r.SignUserId(name, next.PrimaryKey, old.PrivateKey, at(r.CreationTime)))
				id.OtherCertifications = append(id.OtherCertifications, packet.NewVerifiableSig(&r))
			}
		}, "", false},
		{"certified over SHA-1", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, later)
			for name, id := range next.Identities {
				sha1(id.OtherCertifications[0].Packet)
				must(t, id.OtherCertifications[0].Packet.SignUserId(name, next.PrimaryKey, old.PrivateKey, at(later)))
			}
		}, "", false},
		{"certified with a bit changed", func(old, next *openpgp.Entity, _ *pgpkey.Succession) {
			certifiedBy(t, next, old, later)
			for _, id := range next.Identities {
				id.OtherCertifications[0].Packet.EdDSASigR.Bytes()[3] ^= 1
			}
		}, "", false},
		{"a statement by the old key", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, later, statement(next))
		}, "statement", true},
		{"a statement by the old key before that expired", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			self(t, old, func(g *packet.Signature) { g.KeyLifetimeSecs = seconds(2 * year) })
			s.Statement = signedBy(t, old, later, statement(next))
		}, "statement", true},
		{"one after it expired", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, made.Add(800*24*time.Hour), statement(next))
			self(t, old, func(g *packet.Signature) { g.KeyLifetimeSecs = seconds(2 * year) })
		}, "", false},
		{"one by the old key, which was compromised", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, later, statement(next))
			revoked(old, packet.NoReason, later.Add(year))
		}, "", false},
		{"one dated in the future", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, today.Add(24*time.Hour), statement(next))
		}, "", false},
		{"one by the new key itself", func(_, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, next, later, statement(next))
		}, "", false},
		{"one about another key", func(old, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, later, statement(old))
		}, "", false},
		{"one with a key ID only", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, later, "new key: 0x"+print(next)[24:]+"\n")
		}, "", false},
		{"words of another before it", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = append([]byte(statement(next)), signedBy(t, old, later, "Good morning.\n")...)
		}, "", false},
		{"words of another behind it", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = append(signedBy(t, old, later, statement(next)), statement(next)...)
		}, "", false},
		{"two messages", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			one := signedBy(t, old, later, statement(next))
			s.Statement = append(bytes.Clone(one), one...)
		}, "", false},
		{"the text changed afterwards", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = swap(t, signedBy(t, old, later, statement(key())), "Please", directory.Fingerprint(print(next)).Spaced())
		}, "", false},
		{"no armour", func(_, next *openpgp.Entity, s *pgpkey.Succession) { s.Statement = []byte(statement(next)) }, "", false},
		{"100 KB of statement", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			s.Statement = signedBy(t, old, later, statement(next)+strings.Repeat("so long\n", 12<<10))
		}, "", false},
		{"two channels", func(_, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.Channels = []pgpkey.Channel{pgpkey.ChannelWKD, pgpkey.ChannelVKS}
		}, "channels", true},
		{"one channel twice", func(_, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.Channels = []pgpkey.Channel{pgpkey.ChannelWKD, pgpkey.ChannelWKD}
		}, "", false},
		{"a channel and a server that takes anything", func(_, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.Channels = []pgpkey.Channel{pgpkey.ChannelWKD, pgpkey.ChannelHKP, pgpkey.ChannelProfile}
		}, "", false},
		{"two operators", func(_, _ *openpgp.Entity, s *pgpkey.Succession) { s.Operators = []string{"anna", "bert"} }, "operators", true},
		{"one operator twice", func(_, _ *openpgp.Entity, s *pgpkey.Succession) { s.Operators = []string{"anna", " Anna ", ""} }, "", false},
		{"a compromised old key, and two operators", func(old, _ *openpgp.Entity, s *pgpkey.Succession) {
			revoked(old, packet.KeyCompromised, later)
			s.Operators = []string{"anna", "bert"}
		}, "operators", true},
		{"all grounds, and the new key has expired", func(old, next *openpgp.Entity, s *pgpkey.Succession) {
			self(t, next, func(g *packet.Signature) { g.KeyLifetimeSecs = seconds(2 * year) })
			certifiedBy(t, next, old, later)
			s.Statement, s.Operators = signedBy(t, old, later, statement(next)), []string{"anna", "bert"}
			s.Channels = []pgpkey.Channel{pgpkey.ChannelWKD, pgpkey.ChannelSecurityTxt}
		}, "certified statement channels operators", false},
		{"two operators, and the new key lacks the address", func(_, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.Address, s.Operators = "psirt@example.org", []string{"anna", "bert"}
		}, "operators", false},
		{"two operators, and no new key", func(_, _ *openpgp.Entity, s *pgpkey.Succession) {
			s.New, s.Operators = []byte("-"), []string{"anna", "bert"}
		}, "operators", false},
		{"nothing", func(_, _ *openpgp.Entity, _ *pgpkey.Succession) {}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, next := key(), key()
			s := pgpkey.Succession{Fingerprint: directory.Fingerprint(print(next)), Address: address, Now: today}
			tt.build(old, next, &s)
			if s.Old = public(t, old); s.New == nil {
				s.New = armored(t, public(t, next))
			}
			p := pgpkey.Succeeds(s)
			var grounds []string
			for _, g := range p.Grounds {
				grounds = append(grounds, string(g))
			}
			if got := strings.Join(grounds, " "); got != tt.grounds || p.Proposed() != tt.proposed {
				t.Errorf("grounds %q, proposed %v, want %q and %v; %q", got, p.Proposed(), tt.grounds, tt.proposed, p.Reasons())
			}
			if said := strings.Contains(tt.grounds, "statement"); said != (p.Statement != "") {
				t.Errorf("statement %q", p.Statement)
			}
			if len(tt.grounds) > 0 && len(p.Reasons()) == 0 {
				t.Error("no reasons")
			}
		})
	}
}

// TestSucceedsGPG has real gpg certify a new key and sign a statement with the old.
func TestSucceedsGPG(t *testing.T) {
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("gpg is missing: install the package gnupg")
		}
		t.Skip("SKIPPED: no gpg on this machine; install the package gnupg")
	}
	home, err := os.MkdirTemp("", "gpg") // a path short enough for its socket
	must(t, err)
	t.Cleanup(func() {
		stop := exec.Command("gpgconf", "--kill", "all")
		stop.Env = append(os.Environ(), "GNUPGHOME="+home)
		_ = stop.Run()
		must(t, os.RemoveAll(home))
	})
	run := func(when, stdin string, args ...string) []byte {
		t.Helper()
		cmd := exec.Command(gpg, append([]string{"--homedir", home, "--batch", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", when + "!"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %q: %v\n%s", args, err, &complaints)
		}
		return out
	}
	fingerprint := func(name string) string {
		for line := range strings.Lines(string(run("20240601T000000", "", "--with-colons", "--list-keys", "="+name))) {
			if f := strings.Split(line, ":"); f[0] == "fpr" {
				return f[9]
			}
		}
		t.Fatalf("gpg has no key of %s", name)
		return ""
	}
	const oldName, newName = "Old <csirt@example.org>", "New <csirt@example.org>"
	for _, name := range []string{oldName, newName} {
		run("20240101T000000", "", "--quick-gen-key", name, "ed25519", "default", "20280101T000000")
		run("20240101T000000", "", "--quick-add-key", fingerprint(name), "cv25519", "encrypt", "20280101T000000")
	}
	oldPrint, nextPrint := fingerprint(oldName), fingerprint(newName)
	s := pgpkey.Succession{Old: run("20240101T000000", "", "--export", oldPrint), New: run("20240101T000000", "", "--export", nextPrint),
		Fingerprint: directory.Fingerprint(nextPrint), Address: address, Now: today}
	if p := pgpkey.Succeeds(s); p.Proposed() {
		t.Errorf("proposed before anything was signed: %q", p.Reasons())
	}
	s.Statement = run("20240601T000000", "Our new key:\n- "+directory.Fingerprint(nextPrint).Spaced()+"\n", "--local-user", oldPrint, "--clear-sign")
	if p := pgpkey.Succeeds(s); !p.Proposed() || p.For[0] != "named in a statement that the old key signed on 2024-06-01" {
		t.Errorf("after the statement: %v, %q", p.Proposed(), p.Reasons())
	}
	s.Statement = nil
	run("20240602T000000", "", "--local-user", oldPrint, "--quick-sign-key", nextPrint)
	s.New = run("20240602T000000", "", "--export", nextPrint)
	if p := pgpkey.Succeeds(s); !p.Proposed() || p.For[0] != "certified by the old key on 2024-06-02" {
		t.Errorf("after the certification: %v, %q", p.Proposed(), p.Reasons())
	}
	if r := pgpkey.Judge(s.New, pgpkey.Policy{}, today); r.Grade != pgpkey.GradeA || !r.Encrypts || !r.Signs || r.Key.Stripped != 1 {
		t.Errorf("the new key is judged %s, %+v", r.Grade, r.Findings)
	}
}

// succession reads what real gpg made (see generate.sh beside it).
func succession(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "succession", name+".asc"))
	must(t, err)
	return b
}

const newPrint = "8A15F4BE5791B2C495F476ADED6E27219EAA6301"

// FuzzStatement: whatever is sent as a statement, only the real one counts.
func FuzzStatement(f *testing.F) {
	good := succession(f, "statement")
	f.Add(good)
	f.Add(append([]byte("x\n"), good...))
	f.Add(append(bytes.Clone(good), good...))
	_, text, _ := bytes.Cut(good, []byte("\n\n"))
	text, _, _ = bytes.Cut(text, []byte("\n-----BEGIN"))
	s := pgpkey.Succession{Old: succession(f, "old"), New: succession(f, "new"), Fingerprint: newPrint, Now: today}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 8<<10 {
			return
		}
		s := s
		s.Statement = data
		p := pgpkey.Succeeds(s)
		if slices.Contains(p.Grounds, pgpkey.GroundStatement) && strings.TrimSpace(p.Statement) != strings.TrimSpace(string(text)) {
			t.Errorf("taken for a statement: %q", p.Statement)
		}
	})
}

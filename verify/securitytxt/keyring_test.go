package securitytxt_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

// gnupg is GnuPG with a home of its own.
type gnupg struct {
	t    *testing.T
	home string
}

// newGnuPG starts with an empty keyring. Its agent ends with the test.
func newGnuPG(t *testing.T) *gnupg {
	home, err := os.MkdirTemp("", "gpg") // a short path: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	g := &gnupg{t, home}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
		_ = os.RemoveAll(home)
	})
	return g
}

func (g *gnupg) run(stdin string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", "20261101T000000"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %v: %v\n%s", args, err, &errs)
	}
	return string(out)
}

// TestGnuPG: what gpg --clearsign makes is verified, with each kind of key that
// people have, and nothing of it may be touched.
func TestGnuPG(t *testing.T) {
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("gpg is not installed")
	}
	for _, algo := range []string{"ed25519", "rsa3072", "nistp256"} {
		t.Run(algo, func(t *testing.T) {
			g := newGnuPG(t)
			g.run("", "--quick-generate-key", "CSIRT <csirt@example.org>", algo, "sign,cert", "1y")
			text := g.run(typical+"- dashed: x\n-----\n", "--clearsign")
			ring, err := securitytxt.NewKeyring(g.run("", "--armor", "--export", "csirt@example.org"))
			if err != nil {
				t.Fatal(err)
			}
			file, _ := securitytxt.Parse([]byte(text))
			if file.Signed == nil {
				t.Fatalf("no signature is seen in\n%s", text)
			}
			s, findings := ring.Verify(file.Signed, now)
			if !s.Verified || len(findings) != 0 || len(s.Issuer) != 40 {
				t.Errorf("Verify = %+v, %+v", s, findings)
			}
			if v := file.Values(securitytxt.Contact); len(v) != 2 || file.Fields[0].Line != 5 {
				t.Errorf("fields %+v", file.Fields)
			}
			touched, _ := securitytxt.Parse([]byte(strings.Replace(text, "security@", "Security@", 1)))
			if s, findings = ring.Verify(touched.Signed, now); s.Verified || len(findings) != 1 || findings[0].Code != "securitytxt.signature-invalid" {
				t.Errorf("Verify of a touched text = %+v, %+v", s, findings)
			}
		})
	}
}

// TestKeyExtendedLater: a key that was extended and published with only its newest
// signature vouches for what it signed before, and for nothing before it was made.
func TestKeyExtendedLater(t *testing.T) {
	made, extended := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	k := keyPlans()["other"](t)
	resigned(t, k, func(self *packet.Signature) { self.CreationTime = extended })
	madeKeys.Store("extended later", k)
	ring, err := securitytxt.NewKeyring(k.public(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		signed, now time.Time
		code        string
	}{
		{extended.AddDate(0, -6, 0), now, ""},
		{extended.AddDate(0, 0, 1), now, ""},
		{made.AddDate(0, 0, -1), now, "securitytxt.signature-key-expired"},
		{extended.AddDate(0, -6, 0), extended.AddDate(0, -1, 0), ""}, // a replay of what was seen before
	} {
		s := &signing{By: "extended later", At: tt.signed}
		file, _ := securitytxt.Parse([]byte(s.sign(t, typical)))
		got, findings := ring.Verify(file.Signed, tt.now)
		code := ""
		if len(findings) > 0 {
			code = string(findings[0].Code)
		}
		if code != tt.code || got.Verified != (code == "") {
			t.Errorf("signed %s, seen %s: %+v, %+v; want %q", tt.signed, tt.now, got, findings, tt.code)
		}
	}
}

// TestKeyringOfBrokenKeys: a key that can't be read costs no other.
func TestKeyringOfBrokenKeys(t *testing.T) {
	ring, err := securitytxt.NewKeyring("no key", testKey(t, "team").public(t))
	if err == nil || !strings.HasPrefix(err.Error(), "securitytxt: key 1: ") {
		t.Errorf("NewKeyring = %v, want what is wrong with the first", err)
	}
	file, _ := securitytxt.Parse([]byte((&signing{By: "team", At: now.Add(-time.Hour)}).sign(t, typical)))
	if s, findings := ring.Verify(file.Signed, now); !s.Verified {
		t.Errorf("Verify = %+v, %+v", s, findings)
	}
}

// TestKeyringKeepsNoVerdict: what a keyring was asked before, at which moment and by
// how many at once, does not change what it answers (go-crypto keeps verdicts).
func TestKeyringKeepsNoVerdict(t *testing.T) {
	k := testKey(t, "expired")
	ring, err := securitytxt.NewKeyring(k.public(t), testKey(t, "sha1").public(t), testKey(t, "subkey-revoked").public(t))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	file, _ := securitytxt.Parse([]byte((&signing{By: "expired", At: at}).sign(t, typical)))
	weak, _ := securitytxt.Parse([]byte((&signing{By: "sha1", At: at}).sign(t, typical)))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			moment, want := now, false
			if i%2 == 0 {
				moment, want = at.AddDate(0, 1, 0), true
			}
			if s, findings := ring.Verify(file.Signed, moment); s.Verified != want {
				t.Errorf("at %s: %+v, %+v", moment, s, findings)
			}
			if s, _ := ring.Verify(weak.Signed, moment); s.Verified {
				t.Errorf("at %s a key held together by SHA-1 verifies", moment)
			}
		})
	}
	wg.Wait()
}

func FuzzSigned(f *testing.F) {
	good := []byte((&signing{By: "team", At: now.Add(-time.Hour)}).sign(f, typical))
	ring, err := securitytxt.NewKeyring(testKey(f, "team").public(f))
	if err != nil {
		f.Fatal(err)
	}
	file, _ := securitytxt.Parse(good)
	signed := string(file.Signed.Text)
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	f.Add(append([]byte("Contact: x\n"), good...))
	f.Add([]byte((&signing{By: "rsa4096", And: "team", At: now}).sign(f, "- \n--\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, findings := securitytxt.Parse(data)
		checkFindings(t, findings)
		if file.Signed == nil {
			return
		}
		s, more := ring.Verify(file.Signed, now)
		checkFindings(t, more)
		if s.Verified == (len(more) > 0) {
			t.Fatalf("verified %t, with findings %+v", s.Verified, more)
		}
		if s.Verified && string(file.Signed.Text) != signed && string(file.Signed.Text) != "-\r\n--" {
			t.Fatalf("a text that nobody signed verifies: %q", file.Signed.Text)
		}
		if s.Verified && string(file.Signed.Text) == signed && len(file.Fields) != 7 { // whatever stands around it gives no field
			t.Fatalf("%d fields of a text that has seven: %+v", len(file.Fields), file.Fields)
		}
		roundTrip(t, file)
	})
}

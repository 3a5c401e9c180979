package pgpkey_test

import (
	"bytes"
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

const debianKeyring = "/usr/share/keyrings/debian-keyring.gpg"

// figures are what is said of a keyring under a policy.
type figures struct{ Items, Read, Valid, Encrypt, Sign int }

// TestSoakDebianKeyring judges the keys of Debian's developers, with every oddity of
// thirty years, under the strict policy and under the one of before. When soaking,
// go-crypto by itself stands beside: the same keys must be valid and have the same
// encryption key. The one that is not read is held together by MD5.
func TestSoakDebianKeyring(t *testing.T) {
	ring, err := os.ReadFile(debianKeyring)
	if err != nil {
		t.Skipf("no real keyring; install the package debian-keyring: %v", err)
	}
	if version, err := exec.Command("dpkg-query", "-W", "-f", "${Version}", "debian-keyring").Output(); err != nil || string(version) != "2022.12.24" {
		t.Skipf("the figures are those of debian-keyring 2022.12.24, not %s (%v)", version, err)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		policy pgpkey.Policy
		want   figures
	}{
		{"strict", pgpkey.Policy{}, figures{905, 904, 557, 456, 550}},
		{"with SHA-1", pgpkey.Policy{AllowSHA1: true}, figures{905, 904, 642, 591, 634}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]string{}
			var f figures
			for r := range pgpkey.JudgeKeyring(ring, tt.policy, now) {
				f.Items++
				if r.Refused() {
					continue
				}
				f.Read++
				got[r.Subject()] = f.count(valid(r), r.Encrypts, r.Signs, string(r.EncryptTo))
			}
			if diff := cmp.Diff(tt.want, f); diff != "" {
				t.Errorf("figures (-want +got):\n%s", diff)
			}
			if os.Getenv("ROLLCALL_SOAK") == "" {
				return
			}
			if diff := cmp.Diff(bare(t, ring, tt.policy, now), got); diff != "" {
				t.Errorf("key by key (-go-crypto +got):\n%s", diff)
			}
		})
	}
}

// count adds a key and puts in words what was said of it.
func (f *figures) count(valid, encrypts, signs bool, to string) string {
	for n, yes := range map[*int]bool{&f.Valid: valid, &f.Encrypt: encrypts, &f.Sign: signs} {
		if yes {
			*n++
		}
	}
	return fmt.Sprint(valid, encrypts, signs, to)
}

// valid reports whether the primary key is valid: none of the findings says otherwise.
func valid(r pgpkey.Report) bool {
	for _, f := range r.Findings {
		switch f.Code {
		case "pgpkey.revoked", "pgpkey.retired", "pgpkey.expired", "pgpkey.not-yet-valid", "pgpkey.user-ids-revoked", "pgpkey.weak-hash":
			return false
		}
	}
	return true
}

// bare is go-crypto by itself, on the keyring as it is.
func bare(t testing.TB, ring []byte, p pgpkey.Policy, now time.Time) map[string]string {
	t.Helper()
	cfg := &packet.Config{Time: func() time.Time { return now }}
	if !p.AllowSHA1 {
		cfg.RejectHashAlgorithms = map[crypto.Hash]bool{crypto.MD5: true, crypto.RIPEMD160: true, crypto.SHA1: true}
	}
	entities, err := openpgp.ReadKeyRing(bytes.NewReader(ring))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, e := range entities {
		_, broken := e.VerifyPrimaryKey(now, cfg)
		k, encrypts := e.EncryptionKey(now, cfg)
		_, signs := e.SigningKey(now, cfg)
		to := ""
		if encrypts {
			to = fmt.Sprintf("%X", k.PublicKey.Fingerprint)
		}
		said[fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)] = fmt.Sprint(broken == nil, encrypts, signs, to)
	}
	return said
}

// BenchmarkDebianKeyring is the figure of the README: all keys on one core, and
// go-crypto by itself in the same run.
func BenchmarkDebianKeyring(b *testing.B) {
	ring, err := os.ReadFile(debianKeyring)
	if err != nil {
		b.Skipf("no real keyring; install the package debian-keyring: %v", err)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	run := func(name string, all func() int) {
		b.Run(name, func(b *testing.B) {
			n, cpu := 0, processTime(b)
			for b.Loop() {
				n += all()
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
			b.ReportMetric(float64(n)/(processTime(b)-cpu).Seconds(), "keys/cpu-s")
		})
	}
	run("judge", func() int {
		n := 0
		for range pgpkey.JudgeKeyring(ring, pgpkey.Policy{}, now) {
			n++
		}
		return n
	})
	run("bare go-crypto", func() int { return len(bare(b, ring, pgpkey.Policy{}, now)) })
}

func processTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// codes lists the codes of findings.
func codes(findings []verify.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, strings.TrimPrefix(string(f.Code), "pgpkey."))
	}
	return all
}

package securitytxt_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

const typical = `# Our security policy is below.
Contact: mailto:security@example.org
Contact: https://example.org/security-contact.html
Expires: 2027-06-30T12:00:00Z
Encryption: https://example.org/pgp-key.txt
Preferred-Languages: en, de
Canonical: https://example.org/.well-known/security.txt
Policy: https://example.org/security-policy.html
`

func BenchmarkParse(b *testing.B) {
	data := []byte(typical)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		f, findings := securitytxt.Parse(data)
		if len(f.Fields) != 7 || len(findings) != 0 {
			b.Fatal(findings)
		}
	}
}

// BenchmarkBareSigned is what go-crypto alone takes for the signature.
func BenchmarkBareSigned(b *testing.B) {
	for _, by := range []string{"team", "rsa4096"} {
		b.Run(by, func(b *testing.B) {
			s := &signing{By: by, At: now.Add(-time.Hour), Hash: "SHA512"}
			data := []byte(s.sign(b, typical))
			ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(testKey(b, by).public(b)))
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			defer cpu(b)()
			for b.Loop() {
				block, _ := clearsign.Decode(data)
				if _, _, err := openpgp.VerifyDetachedSignature(ring, bytes.NewReader(block.Bytes), block.ArmoredSignature.Body, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// cpu reports the processor time of an operation, which other work on the
// machine changes less than the time that passes.
func cpu(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	from := used()
	return func() { b.ReportMetric(float64(used()-from)/float64(b.N), "cpu-ns/op") }
}

func BenchmarkParseAndValidate(b *testing.B) {
	data := []byte(typical)
	b.ReportAllocs()
	defer cpu(b)()
	for b.Loop() {
		f, findings := securitytxt.Parse(data)
		more := f.Validate(now, "https://example.org/.well-known/security.txt")
		if len(f.Fields) != 7 || len(findings) != 0 || len(more) != 1 {
			b.Fatal(findings, more)
		}
	}
}

// BenchmarkSigned reads, validates and verifies a signed file, by a key that was read once.
func BenchmarkSigned(b *testing.B) {
	for _, by := range []string{"team", "v6", "rsa4096"} {
		b.Run(by, func(b *testing.B) {
			s := &signing{By: by, At: now.Add(-time.Hour), Hash: "SHA512"}
			data := []byte(s.sign(b, typical))
			ring, err := securitytxt.NewKeyring(testKey(b, by).public(b))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			defer cpu(b)()
			for b.Loop() {
				f, findings := securitytxt.Parse(data)
				findings = append(findings, f.Validate(now, "https://example.org/.well-known/security.txt")...)
				s, more := ring.Verify(f.Signed, now)
				if !s.Verified || len(findings) != 1 || len(more) != 0 {
					b.Fatal(findings, more)
				}
			}
		})
	}
}

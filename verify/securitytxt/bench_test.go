package securitytxt_test

import (
	"syscall"
	"testing"
	"time"

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

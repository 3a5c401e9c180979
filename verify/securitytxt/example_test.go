package securitytxt_test

import (
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

func Example() {
	text := "Contact: security@example.org\nExpires: Thu, 31 Dec 2026 23:00:00 +0000\n"
	file, findings := securitytxt.Parse([]byte(text))
	findings = append(findings, file.Validate(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))...)
	for _, f := range findings {
		fmt.Println(f.Line, f.Severity, f.Code, f.Corrected)
	}
	// Output:
	// 1 error securitytxt.contact-bare mailto:security@example.org
	// 2 error securitytxt.expires-old-format 2026-12-31T23:00:00Z
	// 0 recommendation securitytxt.unsigned
}

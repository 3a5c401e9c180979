package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

// Grade sums up in a letter what findings amount to.
type Grade string

// The grades.
const (
	GradeA Grade = "A" // nothing to do
	GradeB Grade = "B" // recommendations
	GradeC Grade = "C" // warnings
	GradeD Grade = "D" // errors beside which it can still be used
	GradeF Grade = "F" // nobody can or should rely on it
)

// GradeOf grades findings about a subject and says why in a sentence.
func GradeOf(kind verify.SubjectKind, findings []verify.Finding) (Grade, string) {
	counts := countsOf(findings)
	switch verify.Worst(findings) {
	case verify.Error:
		for _, f := range findings {
			if p, ok := Find(f.Code); ok && f.Severity == verify.Error && useless(kind, f.Code) {
				return GradeF, fmt.Sprintf("%s; nobody can or should rely on it (%s)", p.Title, counts)
			}
		}
		return GradeD, "part of it does not work, or not for everybody (" + counts + ")"
	case verify.Warning:
		return GradeC, counts
	case verify.Recommendation:
		return GradeB, counts
	}
	return GradeA, "nothing to do"
}

// countsOf is "2 errors, 1 warning".
func countsOf(findings []verify.Finding) string {
	var parts []string
	for _, s := range []verify.Severity{verify.Error, verify.Warning, verify.Recommendation} {
		n := 0
		for _, f := range findings {
			if f.Severity == s {
				n++
			}
		}
		switch {
		case n == 1:
			parts = append(parts, "1 "+string(s))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// File is the kind of a security.txt by itself, whether it was retrieved from a
// host or not.
const File verify.SubjectKind = "file"

// useless reports whether an error leaves nothing of a subject to rely on. That
// no mail arrives at a domain leaves nothing of a mailbox in it; that a domain's
// security.txt, or a key that it names, has expired leaves nothing of the file or
// the key, and much of the domain.
func useless(kind verify.SubjectKind, code verify.Code) bool {
	switch Area(code) {
	case "pgpkey":
		return kind != verify.SubjectDomain && !pgpkey.StrictOnly(code)
	case "mx":
		return kind == verify.SubjectContact
	case "securitytxt":
		return kind == File && slices.Contains(uselessCodes(), code)
	}
	return slices.Contains(uselessCodes(), code)
}

// uselessCodes are the other errors after which nothing is left to rely on.
func uselessCodes() []verify.Code {
	return []verify.Code{
		"dnssec.bogus", "domain.expired", "domain.missing", "domain.on-hold", "nameserver.all-lame",
		"securitytxt.address-refused", "securitytxt.canonical-mismatch", "securitytxt.certificate", "securitytxt.contact-missing",
		"securitytxt.content-type-missing", "securitytxt.content-type-wrong", "securitytxt.data-after-signature", "securitytxt.expired",
		"securitytxt.fetch-failed", "securitytxt.http-only", "securitytxt.no-host", "securitytxt.not-found", "securitytxt.redirect-refused",
		"securitytxt.redirect-to-http", "securitytxt.redirects-too-many", "securitytxt.signature-invalid", "securitytxt.signature-key-revoked",
		"securitytxt.signature-malformed", "securitytxt.signature-several", "securitytxt.status", "securitytxt.text-before-signature", "securitytxt.tls",
		"securitytxt.too-large",
	}
}

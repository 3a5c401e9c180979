package pgpkey

import (
	"slices"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Grade sums a report up in a letter.
type Grade string

// The grades.
const (
	GradeA Grade = "A" // nothing to do
	GradeB Grade = "B" // recommendations
	GradeC Grade = "C" // warnings: it works, but not everywhere or not for long
	GradeD Grade = "D" // strict programs refuse it for its cryptography
	GradeF Grade = "F" // nobody can or should use it
)

// cryptographic are the errors that only strict programs see.
var cryptographic = []verify.Code{
	"pgpkey.curve-refused", "pgpkey.encryption-refused", "pgpkey.obsolete-algorithm", "pgpkey.weak-hash", "pgpkey.weak-rsa",
}

// StrictOnly reports whether an error is one that only strict programs see: it
// makes a [GradeD] and not a [GradeF].
func StrictOnly(code verify.Code) bool { return slices.Contains(cryptographic, code) }

func gradeOf(findings []verify.Finding) Grade {
	switch verify.Worst(findings) {
	case verify.Warning:
		return GradeC
	case verify.Recommendation:
		return GradeB
	case verify.Error:
	default:
		return GradeA
	}
	for _, f := range findings {
		if f.Severity == verify.Error && !StrictOnly(f.Code) {
			return GradeF
		}
	}
	return GradeD
}

// finish sorts the findings, worst first, and grades them.
func (j *judgement) finish() {
	order := verify.Severities()
	slices.SortStableFunc(j.Findings, func(a, b verify.Finding) int {
		return slices.Index(order, a.Severity) - slices.Index(order, b.Severity)
	})
	j.Grade = gradeOf(j.Findings)
}

package catalog

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/pgpkey"
)

func TestGradeOf(t *testing.T) {
	of := func(s verify.Severity) verify.Finding { return verify.Finding{Code: "x.y", Severity: s} }
	row := func(code verify.Code) verify.Finding {
		p, ok := Find(code)
		if !ok {
			t.Fatalf("no row for %s", code)
		}
		return p.Find("")
	}
	for _, tt := range []struct {
		name     string
		findings []verify.Finding
		grade    Grade
		reason   string
		kind     verify.SubjectKind // "": a contact
	}{
		{"nothing", nil, GradeA, "nothing to do", ""},
		{"what needs nothing done", []verify.Finding{of(verify.Info), of(verify.Notification)}, GradeA, "nothing to do", ""},
		{"a recommendation", []verify.Finding{of(verify.Recommendation), of(verify.Info)}, GradeB, "1 recommendation", ""},
		{"warnings", []verify.Finding{of(verify.Warning), of(verify.Recommendation), of(verify.Warning)}, GradeC, "2 warnings, 1 recommendation", ""},
		{"an error that leaves something to use", []verify.Finding{of(verify.Warning), of(verify.Error)}, GradeD, "part of it does not work, or not for everybody (1 error, 1 warning)", ""},
		{"an error that leaves nothing", []verify.Finding{of(verify.Error), row("pgpkey.expired")}, GradeF, "The key has expired; nobody can or should rely on it (2 errors)", verify.SubjectKey},
		{"the same, of a key that a domain's file names", []verify.Finding{row("pgpkey.expired")}, GradeD, "part of it does not work, or not for everybody (1 error)", verify.SubjectDomain},
		{"the same, made mild by circumstances", []verify.Finding{row("pgpkey.expired").As(verify.Warning)}, GradeC, "1 warning", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			grade, reason := GradeOf(cmp.Or(tt.kind, verify.SubjectContact), tt.findings)
			if grade != tt.grade || reason != tt.reason {
				t.Errorf("GradeOf = %s, %q; want %s, %q", grade, reason, tt.grade, tt.reason)
			}
		})
	}
}

// TestGradeByKind: what is the end of one thing is a fault of another.
func TestGradeByKind(t *testing.T) {
	for _, tt := range []struct {
		code verify.Code
		kind verify.SubjectKind
		want Grade
	}{
		{"mx.null", verify.SubjectDomain, GradeD},
		{"mx.null", verify.SubjectContact, GradeF},
		{"securitytxt.expired", verify.SubjectDomain, GradeD},
		{"securitytxt.expired", File, GradeF},
		{"domain.missing", verify.SubjectDomain, GradeF},
		{"domain.missing", verify.SubjectContact, GradeF},
	} {
		p, ok := Find(tt.code)
		if !ok {
			t.Fatalf("no row for %s", tt.code)
		}
		if got, _ := GradeOf(tt.kind, []verify.Finding{p.Find("")}); got != tt.want {
			t.Errorf("GradeOf(%s, %s) = %s, want %s", tt.kind, tt.code, got, tt.want)
		}
	}
}

// TestGradesOfKeys: the two packages that grade keys agree on each finding.
func TestGradesOfKeys(t *testing.T) {
	for _, p := range pgpkey.Problems() {
		want := GradeA
		switch {
		case p.Severity == verify.Recommendation:
			want = GradeB
		case p.Severity == verify.Warning:
			want = GradeC
		case p.Severity == verify.Error && pgpkey.StrictOnly(p.Code):
			want = GradeD
		case p.Severity == verify.Error:
			want = GradeF
		}
		if got, _ := GradeOf(verify.SubjectKey, []verify.Finding{p.Find("")}); got != want {
			t.Errorf("GradeOf(%s) = %s, want %s", p.Code, got, want)
		}
	}
}

func TestUselessCodes(t *testing.T) {
	list := uselessCodes()
	if !slices.IsSorted(list) {
		t.Error("the list is not in order")
	}
	for _, code := range list {
		p, ok := Find(code)
		if !ok || p.Severity != verify.Error || strings.HasPrefix(string(code), "pgpkey.") {
			t.Errorf("%s is not an error of another table than that of keys", code)
		}
	}
}

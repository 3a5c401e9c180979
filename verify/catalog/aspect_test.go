package catalog

import (
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
)

func TestEveryCheckHasAnAspect(t *testing.T) {
	aspects := AspectOf()
	for _, c := range Checks() {
		if !slices.Contains(Aspects(), aspects[c.Name]) {
			t.Errorf("the check %s is of aspect %q, want one of %v", c.Name, aspects[c.Name], Aspects())
		}
	}
	if got := aspects["mx"]; got != DNS {
		t.Errorf("mx is of aspect %q", got)
	}
}

func TestAspectLike(t *testing.T) {
	for kind, want := range map[verify.SubjectKind]Aspect{verify.SubjectDomain: DNS, verify.SubjectContact: Keys, verify.SubjectKey: Keys} {
		if got := AspectLike(kind); got != want {
			t.Errorf("AspectLike(%s) = %q, want %q", kind, got, want)
		}
	}
}

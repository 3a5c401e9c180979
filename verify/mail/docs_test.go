package mail_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// TestDocs: docs/mail.md names every refusal, sort and kind, and every test of the self-test.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/mail.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"spf", "reverse", "dkim", "dmarc", "mx", "relay"}
	for _, k := range mail.Kinds() {
		want = append(want, string(k))
	}
	for _, source := range []struct{ file, kind string }{{"refused.go", "Refusal"}, {"classify.go", "Sort"}} {
		src, err := os.ReadFile(source.file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(source.kind+` += "([a-z-]+)"`).FindAllStringSubmatch(string(src), -1)
		if len(found) < 10 {
			t.Fatalf("%s: %d found", source.file, len(found))
		}
		for _, m := range found {
			want = append(want, m[1])
		}
	}
	for _, w := range want {
		if !strings.Contains(string(doc), "`"+w+"`") {
			t.Errorf("docs/mail.md says nothing of `%s`", w)
		}
	}
}

package securitytxt_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

var update = flag.Bool("update", false, "write docs/securitytxt.md anew")

// TestDocs: the table at the end of docs/securitytxt.md is that of the package.
func TestDocs(t *testing.T) {
	const file, mark = "../../docs/securitytxt.md", "from the table of the package. -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := bytes.Cut(text, []byte(mark))
	if !ok {
		t.Fatalf("%s lacks the mark before its table", file)
	}
	var want bytes.Buffer
	want.WriteString("\n| code | severity | what is wrong | standard | sectxt |\n|---|---|---|---|---|\n")
	for _, p := range securitytxt.Problems() {
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s | %s |\n", p.Code, p.Severity, p.Title, cmp.Or(p.Spec, "–"), cmp.Or(p.Sectxt, "–"))
	}
	if bytes.Equal(rest, want.Bytes()) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: run go generate ./verify/securitytxt", file)
	}
	if err := os.WriteFile(file, append(append(head, mark...), want.Bytes()...), 0o644); err != nil {
		t.Fatal(err)
	}
}

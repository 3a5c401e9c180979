package openapi

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/rollcall-csirt/rollcall/api"
)

// Problems returns the page docs/problems.md: every problem code with its rule,
// its source and what to do, from the tables that the programs use.
func Problems() []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Made by go generate ./openapi from the tables of codes. -->

# Problem codes

Codes are stable: they are never renamed, only retired. A problem names the code, the place (a JSON pointer, a parameter, or a row and field of a file), the
value, why it is refused, and what would be right. Those marked "(note)" come with something that was accepted.
`)
	subject := ""
	for _, c := range api.AllCodes() {
		if s, _, _ := strings.Cut(string(c.Code), "."); s != subject {
			subject = s
			fmt.Fprintf(&b, "\n## %s\n\n| code | rule | source | what to do |\n|---|---|---|---|\n", subject)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Code, cell(c.Title), cmp.Or(cell(c.Spec), "–"), cell(c.Advice))
	}
	return b.Bytes()
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }

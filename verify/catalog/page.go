package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/verify"
)

const pageHead = `<!-- Made by go generate ./verify/catalog from the tables of the checks. -->

# Findings

What a check reports, by code. Codes are stable: they are never renamed, only retired. The severity follows the word of the standard: an **error** breaks a MUST,
or it does not work; a **warning** breaks a SHOULD, or will stop working soon; a **recommendation** is RECOMMENDED, or good practice; **info** is worth knowing,
with nothing to do; a **notification** was noticed in passing. A finding can have another severity than its row where the circumstances make it better or worse.

` + "`rollcall check --explain CODE`" + ` prints one row. [How to check anything](checking.md).
`

const troubleHead = `
Codes of this kind are why a question had no full answer. Where a check tried in vain, it has come to no conclusion: that is never a finding about a team by itself.
`

// Page returns docs/findings.md: the checks, and every code with its severity,
// the standard it follows and what to do.
func Page() []byte { return page(Checks(), Problems()) }

func page(checks []verify.Check, problems []verify.Problem) []byte {
	var b bytes.Buffer
	b.WriteString(pageHead)
	checkTable(&b, checks)
	area := ""
	for _, p := range problems {
		if a := Area(p.Code); a != area {
			area = a
			fmt.Fprintf(&b, "\n## %s\n", area)
			if area == "fetch" || area == "dns" || area == "check" {
				b.WriteString(troubleHead)
			}
			b.WriteString("\n| code | severity | what is wrong | standard | what to do |\n|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| <a id=\"%s\"></a>`%s` | %s | %s | %s | %s |\n", p.Code, p.Code, p.Severity, cell(p.Title), cmp.Or(cell(p.Spec), "–"), cell(p.Advice))
	}
	sectxtTable(&b, problems)
	return b.Bytes()
}

// Area is the part of a code before the dot: what its finding is about.
func Area(code verify.Code) string {
	area, _, _ := strings.Cut(string(code), ".")
	return area
}

func checkTable(b *bytes.Buffer, checks []verify.Check) {
	b.WriteString("\n## Checks\n\n| check | looks at | of a |\n|---|---|---|\n")
	for _, c := range checks {
		var kinds []string
		for _, k := range c.Kinds {
			kinds = append(kinds, string(k))
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", c.Name, cell(c.Title), strings.Join(kinds, ", "))
	}
}

// sectxtTable maps the codes of the reference checker for security.txt to ours.
func sectxtTable(b *bytes.Buffer, problems []verify.Problem) {
	ours := map[string][]string{}
	var theirs []string
	for _, p := range problems {
		for _, s := range strings.Fields(strings.ReplaceAll(p.Sectxt, ",", " ")) {
			if ours[s] == nil {
				theirs = append(theirs, s)
			}
			ours[s] = append(ours[s], fmt.Sprintf("[`%s`](#%s)", p.Code, p.Code))
		}
	}
	if len(theirs) == 0 {
		return
	}
	slices.Sort(theirs)
	b.WriteString("\n## Codes of the reference checker\n\nFor those who come from `sectxt`, the reference checker for security.txt:\n\n| sectxt | here |\n|---|---|\n")
	for _, s := range theirs {
		fmt.Fprintf(b, "| `%s` | %s |\n", s, strings.Join(ours[s], ", "))
	}
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }

package directory_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

var codeForm = regexp.MustCompile(`^[a-z0-9]+\.[a-z][a-z0-9-]*$`)

// TestCodes proves of every problem code: it is in the table, once, with words
// that help; the code that is used is in the table; and a test asks for it.
func TestCodes(t *testing.T) {
	listed := map[string]bool{}
	for _, c := range directory.Codes() {
		code := string(c.Code)
		if listed[code] || !codeForm.MatchString(code) {
			t.Errorf("code %q is listed twice or is not of the form subject.rule", code)
		}
		if c.Title == "" || c.Advice == "" {
			t.Errorf("code %s has no title or no advice", code)
		}
		listed[code] = true
	}
	sources, _ := filepath.Glob("*.go")
	used, tested := map[string]bool{}, map[string]bool{}
	for _, file := range sources {
		into := used
		if strings.HasSuffix(file, "_test.go") {
			into = tested
		}
		if file == "codes.go" || file == "key_problems.go" {
			continue
		}
		for _, s := range literals(t, file) {
			if codeForm.MatchString(s) {
				into[s] = true
			}
		}
	}
	for code := range listed {
		if byStore := code == "handle.taken" || code == "revision.conflict"; !used[code] && !byStore {
			t.Errorf("code %s is in the table and nothing gives it", code)
		}
		// value.invalid is for errors of parsers that are no problem, of which there
		// are none; storetest asks for revision.conflict.
		if elsewhere := code == "value.invalid" || code == "revision.conflict"; !tested[code] && !elsewhere {
			t.Errorf("code %s has no test", code)
		}
	}
	subjects := map[string]bool{}
	for code := range listed {
		subject, _, _ := strings.Cut(code, ".")
		subjects[subject] = true
	}
	for code := range used {
		if subject, _, _ := strings.Cut(code, "."); subjects[subject] && !listed[code] {
			t.Errorf("code %s is given and is not in the table", code)
		}
	}
}

// literals returns the string literals of a Go file.
func literals(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				list = append(list, s)
			}
		}
		return true
	})
	return list
}

package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// noStandard are the errors that no standard speaks of, and why they are errors
// all the same. Limits of our own ("…too-…") need no word here.
var noStandard = map[verify.Code]string{
	"contact.failed":     "that a contact answers is asked by no standard",
	"pgpkey.empty":       "there is nothing that could break one",
	"pgpkey.html-page":   "what is no key at all is held to no standard",
	"pgpkey.not-openpgp": "what is no key at all is held to no standard",
	"pgpkey.nul-bytes":   "it is text in another encoding, which no key is in",
}

func TestTable(t *testing.T) {
	for _, breach := range tableBreaches(Problems(), noStandard) {
		t.Error(breach)
	}
	for code := range noStandard {
		if p, ok := Find(code); !ok || p.Spec != "" || p.Severity != verify.Error {
			t.Errorf("noStandard has %s, which is no error without a standard", code)
		}
	}
}

// TestCodesMeanOneThing: what the directory calls a problem is not also the
// name of a finding.
func TestCodesMeanOneThing(t *testing.T) {
	for _, c := range directory.Codes() {
		if p, ok := Find(verify.Code(c.Code)); ok {
			t.Errorf("%s is %q in the directory and %q here", c.Code, c.Title, p.Title)
		}
	}
}

var codeForm = regexp.MustCompile(`^[a-z0-9]+\.[a-z0-9]+(-[a-z0-9]+)*$`)

// tableBreaches names every row that is there twice or lacks something.
func tableBreaches(all []verify.Problem, excused map[verify.Code]string) []string {
	var out []string
	say := func(p verify.Problem, what string) { out = append(out, fmt.Sprintf("%s %s", p.Code, what)) }
	seen := map[verify.Code]bool{}
	for _, p := range all {
		if seen[p.Code] {
			say(p, "has two rows that differ")
		}
		seen[p.Code] = true
		if !codeForm.MatchString(string(p.Code)) {
			say(p, "is not of the form area.what-is-wrong")
		}
		if !slices.Contains(verify.Severities(), p.Severity) {
			say(p, "has no severity")
		}
		if p.Title == "" || strings.HasSuffix(p.Title, ".") || strings.ContainsAny(p.Title, "\n\t") {
			say(p, "has no title in one sentence without a full stop")
		}
		if p.Advice == "" || strings.ContainsAny(p.Advice, "\n\t") {
			say(p, "has no advice")
		}
		if p.Severity == verify.Error && p.Spec == "" && excused[p.Code] == "" && !strings.Contains(string(p.Code), "too-") {
			say(p, "is an error without a standard that it breaks")
		}
	}
	return out
}

func TestTableBreaches(t *testing.T) {
	good := verify.Problem{Code: "a.b-c", Severity: verify.Error, Spec: "RFC 9116 section 3", Title: "It is wrong", Advice: "Mend it."}
	row := func(edit func(*verify.Problem)) []verify.Problem {
		p := good
		edit(&p)
		return []verify.Problem{p}
	}
	for _, tt := range []struct {
		name string
		rows []verify.Problem
		want int
	}{
		{"a good row", []verify.Problem{good}, 0},
		{"a warning without a standard", row(func(p *verify.Problem) { p.Severity, p.Spec = verify.Warning, "" }), 0},
		{"an error without a standard", row(func(p *verify.Problem) { p.Spec = "" }), 1},
		{"a limit of ours", row(func(p *verify.Problem) { p.Code, p.Spec = "a.line-too-long", "" }), 0},
		{"an excused error", row(func(p *verify.Problem) { p.Code, p.Spec = "a.excused", "" }), 0},
		{"two rows", append(row(func(p *verify.Problem) { p.Title = "Else" }), good), 1},
		{"no area", row(func(p *verify.Problem) { p.Code = "b-c" }), 1},
		{"capitals", row(func(p *verify.Problem) { p.Code = "a.Bc" }), 1},
		{"no severity", row(func(p *verify.Problem) { p.Severity = "" }), 1},
		{"no title", row(func(p *verify.Problem) { p.Title = "" }), 1},
		{"a title with a full stop", row(func(p *verify.Problem) { p.Title = "It is wrong." }), 1},
		{"no advice", row(func(p *verify.Problem) { p.Advice = "" }), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tableBreaches(tt.rows, map[verify.Code]string{"a.excused": "for a reason"}); len(got) != tt.want {
				t.Errorf("tableBreaches = %q, want %d", got, tt.want)
			}
		})
	}
}

func TestChecks(t *testing.T) {
	names := map[string]bool{}
	for _, s := range (Config{}).sources() {
		for _, c := range s.checks {
			if names[c.Name] || c.Name == "" {
				t.Errorf("the name %q is there twice, or none", c.Name)
			}
			names[c.Name] = true
			if c.Title == "" || c.Every <= 0 || c.Applies == nil || c.Run == nil || len(c.Kinds) == 0 || len(c.Problems) == 0 {
				t.Errorf("the check %s lacks a title, an interval, a function, a kind or problems", c.Name)
			}
			for _, p := range c.Problems {
				if !slices.Contains(s.problems, p) {
					t.Errorf("%s of the check %s is not among all problems of %s", p.Code, c.Name, s.dir)
				}
			}
		}
	}
}

// TestCases looks for every code in a test case of the package that reports it.
func TestCases(t *testing.T) {
	for _, s := range (Config{}).sources() {
		if s.dir == "" {
			continue // what peers do to us is put on by the lab
		}
		words, err := caseWords(os.DirFS(".."), path.Join(".", s.dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range untested(s.problems, words) {
			t.Errorf("%s is in no test case of %s", code, path.Join("verify", s.dir))
		}
	}
}

// untested returns the codes that no test names, in full or without its area.
func untested(problems []verify.Problem, words map[string]bool) []verify.Code {
	var out []verify.Code
	for _, p := range problems {
		_, name, _ := strings.Cut(string(p.Code), ".")
		if !words[string(p.Code)] && !words[name] {
			out = append(out, p.Code)
		}
	}
	return out
}

var caseWord = regexp.MustCompile(`[a-z0-9]+(?:[.-][a-z0-9]+)*`)

// caseWords collects the words in the strings of the tests of a package, and in
// its files of cases.
func caseWords(fsys fs.FS, dir string) (map[string]bool, error) {
	words := map[string]bool{}
	note := func(text string) {
		for _, w := range caseWord.FindAllString(text, -1) {
			words[w] = true
		}
	}
	err := fs.WalkDir(fsys, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && p != dir && d.IsDir() && d.Name() != "testdata" && !strings.Contains(p, "testdata/") {
				return fs.SkipDir // another package
			}
			return err
		}
		inTests := strings.HasSuffix(p, "_test.go")
		if !inTests && !strings.Contains(p, "testdata/") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		if !inTests {
			note(string(src))
			return nil
		}
		for _, s := range literals(src) {
			note(s)
		}
		return nil
	})
	return words, err
}

// literals returns the strings in Go source, comments aside.
func literals(src []byte) []string {
	var s scanner.Scanner
	set := token.NewFileSet()
	s.Init(set.AddFile("", set.Base(), len(src)), src, nil, 0)
	var out []string
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return out
		}
		if text, err := strconv.Unquote(lit); tok == token.STRING && err == nil {
			out = append(out, text)
		}
	}
}

func TestCaseWords(t *testing.T) {
	fsys := fstest.MapFS{
		"x/a.go":              {Data: []byte("package x\n\nvar s = \"x.in-code\"\n")},
		"x/a_test.go":         {Data: []byte("package x\n\n// x.in-comment\nvar s = \"x.in-test no-area\"\n")},
		"x/testdata/c.jsonl":  {Data: []byte(`{"want":[["x.in-data",1]]}`)},
		"x/deeper/b_test.go":  {Data: []byte("package deeper\n\nvar s = \"x.elsewhere\"\n")},
		"x/testdata/d/e.json": {Data: []byte(`"x.in-folder"`)},
	}
	words, err := caseWords(fsys, "x")
	if err != nil {
		t.Fatal(err)
	}
	var table []verify.Problem
	for _, code := range []verify.Code{"x.in-code", "x.in-comment", "x.in-test", "x.no-area", "x.in-data", "x.elsewhere", "x.in-folder", "x.in"} {
		table = append(table, verify.Problem{Code: code})
	}
	got, want := untested(table, words), []verify.Code{"x.in-code", "x.in-comment", "x.elsewhere", "x.in"}
	if !slices.Equal(got, want) {
		t.Errorf("untested = %q, want %q", got, want)
	}
	if _, err := caseWords(fsys, "y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("caseWords of no package = %v, want %v", err, fs.ErrNotExist)
	}
}

func TestPageIsFresh(t *testing.T) {
	file, err := os.ReadFile("../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, Page()) {
		t.Error("docs/findings.md is stale: run go generate ./verify/catalog")
	}
}

func TestPage(t *testing.T) {
	text := string(page(
		[]verify.Check{{Name: "x", Title: "a look", Kinds: []verify.SubjectKind{verify.SubjectDomain, verify.SubjectContact}}},
		[]verify.Problem{
			{Code: "fetch.y", Severity: verify.Error, Spec: "RFC 9110", Title: "A | B", Advice: "Wait."},
			{Code: "x.one", Severity: verify.Info, Title: "One", Advice: "Do one.", Sectxt: "uno, due"},
			{Code: "x.two", Severity: verify.Warning, Title: "Two", Advice: "Do two.", Sectxt: "due"},
		}))
	for _, want := range []string{
		"| `x` | a look | domain, contact |\n",
		"## fetch\n\nCodes of this kind are why",
		"| <a id=\"fetch.y\"></a>`fetch.y` | error | A \\| B | RFC 9110 | Wait. |\n",
		"## x\n\n| code |", "| info | One | – | Do one. |\n",
		"| `due` | [`x.one`](#x.one), [`x.two`](#x.two) |\n| `uno` | [`x.one`](#x.one) |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
}

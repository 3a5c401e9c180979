// Package rollcall_test holds the rules of the whole tree: who may import whom,
// what lies where, what no file may contain. Each rule is a function over an
// [fs.FS] that names every breach, so that the rules are themselves tested on
// small trees that break them.
package rollcall_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

const module = "github.com/rollcall-csirt/rollcall"

// mayImport is the import table of ARCHITECTURE.md: each package with the
// packages of ours that its code (tests aside) may import. "*" in a key stands
// for one path element and yields to a key that names the package; "all" is
// every package. A package that no key matches is a breach: a new one is placed
// here first.
var mayImport = map[string][]string{
	"cmd/rollcall": {"all"},

	"api/consumer":    {}, // what follows a server needs nothing of it
	"api":             {"directory", "directory/format", "verify", "verify/catalog", "verify/challenge", "verify/securitytxt"},
	"api/client":      {},
	"api/browsertest": {},
	"openapi":         {"api"},
	"serve/web":       {"directory", "directory/format", "verify", "verify/challenge"},
	"serve/*":         {"directory"},

	"store/sqlite":    {"store", "directory", "verify", "verify/challenge", "verify/mail"},
	"store/postgres":  {"store", "directory", "verify", "verify/challenge", "verify/mail"},
	"store/storetest": {"store", "store/sqlite", "store/postgres", "directory", "verify", "verify/challenge", "verify/mail"},
	"store":           {"directory", "verify", "verify/challenge", "verify/mail"},

	"verify/challenge":         {"directory", "verify", "verify/mail"},
	"verify/securitytxt":       {"directory", "verify"},
	"verify/dnscheck":          {"directory", "verify", "verify/dnssec"},
	"verify/pgpkey":            {"directory", "verify", "verify/dnssec"},
	"verify/dnssec/dnssectest": {"verify/dnssec"},
	"verify/mail/mailtest":     {},
	"verify/dnssec":            {}, // proves answers, whoever fetched them
	"verify/catalog":           {"directory", "verify", "verify/securitytxt", "verify/dnscheck", "verify/dnssec", "verify/pgpkey"},
	"verify/mail":              {"directory"},
	"verify":                   {"directory"},
	"verify/lab":               {},

	"directory/format": {"directory"},
	"directory":        {},

	".ci/results": {},
}

// directoryModules are the modules that the domain may use, beside the standard library.
var directoryModules = []string{
	"golang.org/x/net", "golang.org/x/text", "github.com/gaissmai/bart", "github.com/nyaruka/phonenumbers",
	"github.com/ProtonMail/go-crypto", "github.com/google/uuid",
}

// directoryBanned are the packages of the standard library that do I/O, which
// the domain does not. A trailing slash takes in what lies below.
var directoryBanned = []string{
	"os", "os/", "net", "net/http", "net/http/", "net/smtp", "net/rpc", "net/rpc/", "database/sql", "database/sql/",
	"io/fs", "io/ioutil", "path/filepath", "syscall", "plugin",
}

// engines are what only the store, and the command that wires it, may touch.
var engines = []string{"database/sql", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx"}

// topLevel lists what may lie at the top; a name with a slash is a folder, and
// only files must exist.
var topLevel = []string{
	".ci/", "api/", "cmd/", "directory/", "docs/", "openapi/", "serve/", "store/", "verify/",
	".editorconfig", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile",
	"README.md", "SECURITY.md", "STANDARDS.md", "all_test.go", "go.mod", "go.sum",
}

// apache is the SHA-256 of the licence's text as the Apache Software Foundation publishes it.
const apache = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"

// maxDependencies is the most modules go.mod may require directly.
const maxDependencies = 21

// rules are all the rules by name.
var rules = map[string]func(tree) []string{
	"imports":       importBreaches,
	"directory":     directoryBreaches,
	"engines":       engineBreaches,
	"code":          codeBreaches,
	"package-docs":  packageDocBreaches,
	"top-level":     topLevelBreaches,
	"words":         wordBreaches,
	"dependencies":  dependencyBreaches,
	"licence":       licenceBreaches,
	"no-empty-tree": emptyTreeBreaches,
}

func TestTree(t *testing.T) {
	tr, err := readTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		t.Run(name, func(t *testing.T) {
			breaches := rules[name](tr)
			slices.Sort(breaches)
			for _, breach := range breaches {
				t.Error(breach)
			}
		})
	}
}

// TestImportTable proves that the table itself only points down: following it
// from any package never leads back.
func TestImportTable(t *testing.T) {
	var visit func(pkg string, above []string)
	visit = func(pkg string, above []string) {
		if slices.Contains(above, pkg) {
			t.Fatalf("mayImport goes round: %s", strings.Join(append(above, pkg), " -> "))
		}
		allowed, ok := allowedFor(pkg)
		if !ok {
			t.Fatalf("mayImport[%q] names %q, which is no key", above[len(above)-1], pkg)
		}
		for _, next := range allowed {
			if next != "all" {
				visit(next, append(slices.Clone(above), pkg))
			}
		}
	}
	for pkg := range mayImport {
		visit(pkg, nil)
	}
}

// tree is the source as the rules see it.
type tree struct {
	fsys  fs.FS
	set   *token.FileSet
	files []goFile          // every Go file outside testdata, for any platform; generators (go:build ignore) aside
	texts map[string]string // every text file, testdata aside, by path
}

type goFile struct {
	path, dir string
	test      bool
	ast       *ast.File
}

// readTree reads and parses all files but those git ignores at the top and testdata.
func readTree(fsys fs.FS) (tree, error) {
	tr := tree{fsys: fsys, set: token.NewFileSet(), texts: map[string]string{}}
	ignored := ignoredAtTop(fsys)
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == ".":
			return nil
		case ignored(p) || d.IsDir() && d.Name() == "testdata":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		return tr.add(p)
	})
	return tr, err
}

func (tr *tree) add(p string) error {
	src, err := fs.ReadFile(tr.fsys, p)
	if err != nil {
		return err
	}
	if utf8.Valid(src) && !slices.Contains(src, 0) {
		tr.texts[p] = string(src)
	}
	if !strings.HasSuffix(p, ".go") {
		return nil
	}
	f, err := parser.ParseFile(tr.set, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if generator(f) {
		return nil
	}
	tr.files = append(tr.files, goFile{path: p, dir: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), ast: f})
	return nil
}

// generator tells whether f is a program of its own inside another package, for go generate.
func generator(f *ast.File) bool {
	return slices.ContainsFunc(f.Comments, func(g *ast.CommentGroup) bool {
		return g.Pos() < f.Package && slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return c.Text == "//go:build ignore" })
	})
}

// at renders a position as file:line.
func (tr tree) at(p token.Pos) string {
	pos := tr.set.Position(p)
	return fmt.Sprintf("%s:%d", pos.Filename, pos.Line)
}

// ignoredAtTop tells whether git ignores an entry at the top of the tree. It
// knows the plain patterns of our .gitignore, which are all that it needs.
func ignoredAtTop(fsys fs.FS) func(string) bool {
	text, _ := fs.ReadFile(fsys, ".gitignore") // its absence is a breach of the rule top-level
	patterns := []string{".git"}
	for line := range strings.Lines(string(text)) {
		if p := strings.Trim(strings.TrimSpace(line), "/"); p != "" {
			patterns = append(patterns, p)
		}
	}
	return func(name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(p, name)
			return ok && err == nil
		})
	}
}

// importsOf yields the path and the place of each import of f.
func importsOf(tr tree, f goFile) map[string]string {
	m := map[string]string{}
	for _, spec := range f.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			m[p] = tr.at(spec.Pos())
		}
	}
	return m
}

// within tells whether import path p is module or package m or lies below it.
func within(p, m string) bool { return p == m || strings.HasPrefix(p, m+"/") }

// allowedFor returns the table's row for a package.
func allowedFor(pkg string) ([]string, bool) {
	if allowed, ok := mayImport[pkg]; ok {
		return allowed, true
	}
	for key, allowed := range mayImport {
		if ok, err := path.Match(key, pkg); ok && err == nil {
			return allowed, true
		}
	}
	return nil, false
}

// importBreaches holds the code against mayImport. Tests may import any package
// of ours but the command: what they need to build a scene is not a dependency.
func importBreaches(tr tree) []string {
	var out []string
	for _, f := range tr.files {
		allowed, known := allowedFor(f.dir)
		if !known && f.dir != "." {
			out = append(out, fmt.Sprintf("%s: package %s is not in the import table (mayImport in all_test.go)", f.path, f.dir))
			continue
		}
		for p, at := range importsOf(tr, f) {
			own, ours := strings.CutPrefix(p, module+"/")
			if !ours {
				continue
			}
			fine := slices.Contains(allowed, own) || slices.Contains(allowed, "all")
			if f.test {
				fine = !within(own, "cmd")
			}
			if !fine {
				out = append(out, fmt.Sprintf("%s: %s imports %s; the import table allows it %v", at, f.dir, own, allowed))
			}
		}
	}
	return out
}

// directoryBreaches keeps the domain free of I/O and of other people's modules.
func directoryBreaches(tr tree) []string {
	var out []string
	for _, f := range tr.files {
		if f.dir != "directory" || f.test {
			continue
		}
		for p, at := range importsOf(tr, f) {
			first, _, _ := strings.Cut(p, "/")
			banned := slices.ContainsFunc(directoryBanned, func(b string) bool {
				return p == b || strings.HasSuffix(b, "/") && strings.HasPrefix(p, b)
			})
			external := strings.Contains(first, ".") && !within(p, module)
			switch {
			case banned:
				out = append(out, fmt.Sprintf("%s: directory imports %s; the domain does no I/O", at, p))
			case external && !slices.ContainsFunc(directoryModules, func(m string) bool { return within(p, m) }):
				out = append(out, fmt.Sprintf("%s: directory imports %s; beside the standard library it may use %v", at, p, directoryModules))
			}
		}
	}
	return out
}

// engineBreaches keeps SQL and its drivers inside the store, tests included.
func engineBreaches(tr tree) []string {
	var out []string
	for _, f := range tr.files {
		if within(f.dir, "store") || within(f.dir, "cmd") {
			continue
		}
		for p, at := range importsOf(tr, f) {
			if slices.ContainsFunc(engines, func(e string) bool { return within(p, e) }) {
				out = append(out, fmt.Sprintf("%s: %s imports %s; only store and cmd may", at, f.dir, p))
			}
		}
	}
	return out
}

// codeBreaches looks for init functions, assertion frameworks and sleeping tests.
func codeBreaches(tr tree) []string {
	var out []string
	for _, f := range tr.files {
		for p, at := range importsOf(tr, f) {
			if within(p, "github.com/stretchr/testify") {
				out = append(out, fmt.Sprintf("%s: imports %s; tests use testing and go-cmp", at, p))
			}
		}
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				out = append(out, fmt.Sprintf("%s: func init; list things explicitly in cmd", tr.at(fn.Pos())))
			}
		}
		if f.test {
			out = append(out, sleeps(tr, f)...)
		}
	}
	return out
}

// sleeps finds time.Sleep under whatever name the file imports time.
func sleeps(tr tree, f goFile) []string {
	local := "time"
	for _, spec := range f.ast.Imports {
		if spec.Path.Value == `"time"` && spec.Name != nil {
			local = spec.Name.Name
		}
	}
	var out []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				out = append(out, fmt.Sprintf("%s: time.Sleep in a test; wait for what is awaited, or move the injected clock", tr.at(sel.Pos())))
			}
		}
		return true
	})
	return out
}

// packageDocBreaches asks each package for one comment that begins as godoc expects.
func packageDocBreaches(tr tree) []string {
	names, docs := map[string]string{}, map[string]string{}
	for _, f := range tr.files {
		if f.test {
			continue
		}
		names[f.dir] = f.ast.Name.Name
		if f.ast.Doc != nil {
			docs[f.dir] = f.ast.Doc.Text()
		}
	}
	var out []string
	for dir, name := range names {
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(docs[dir], want) {
			out = append(out, fmt.Sprintf("%s: no package comment that begins with %q", dir, want))
		}
	}
	return out
}

// topLevelBreaches holds the first level against topLevel.
func topLevelBreaches(tr tree) []string {
	entries, err := fs.ReadDir(tr.fsys, ".")
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	ignored, seen := ignoredAtTop(tr.fsys), map[string]bool{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		seen[name] = true
		if !ignored(e.Name()) && !slices.Contains(topLevel, name) {
			out = append(out, fmt.Sprintf("%s: does not belong at the top (topLevel in all_test.go)", name))
		}
	}
	for _, name := range topLevel {
		if !strings.HasSuffix(name, "/") && !seen[name] {
			out = append(out, fmt.Sprintf("%s: missing at the top", name))
		}
	}
	return out
}

var (
	todo = regexp.MustCompile(`\bTO` + `DO\b(\(#\d+\))?`)
	// outside is what would tie the product to the machine or the way it was written on.
	outside = regexp.MustCompile(`(?i)(^|[^\w.])/wor` + `k/|co-` + `authored`)
	sibling = regexp.MustCompile(`\.\./sha` + `red`)
)

// wordBreaches looks into every text file for loose ends and for what is not the product's.
func wordBreaches(tr tree) []string {
	var out []string
	for _, p := range slices.Sorted(maps.Keys(tr.texts)) {
		n := 0
		for line := range strings.Lines(tr.texts[p]) {
			n++
			for _, m := range todo.FindAllStringSubmatch(line, -1) {
				if m[1] == "" {
					out = append(out, fmt.Sprintf("%s:%d: a %s needs its issue: %s(#123)", p, n, m[0], m[0]))
				}
			}
			if m := outside.FindString(line); m != "" {
				out = append(out, fmt.Sprintf("%s:%d: %q has no place in the product", p, n, strings.TrimSpace(m)))
			}
			if sibling.MatchString(line) && !strings.HasSuffix(p, "_test.go") {
				out = append(out, fmt.Sprintf("%s:%d: only tests may look outside the tree", p, n))
			}
		}
	}
	return out
}

// requirement is a module that go.mod names. Its mark "indirect" is not asked:
// it is right only after go mod tidy, the imports always are.
var requirement = regexp.MustCompile(`(?m)^(?:require\s+|\t)([\w.~/-]+\.[\w.~/-]+) v`)

var majorSuffix = regexp.MustCompile(`/v\d+$`)

// dependencyBreaches counts the modules that our files import, tests included,
// and looks for each in ARCHITECTURE.md.
func dependencyBreaches(tr tree) []string {
	imported := map[string]string{}
	for _, f := range tr.files {
		maps.Copy(imported, importsOf(tr, f))
	}
	var out []string
	direct := 0
	for _, m := range requirement.FindAllStringSubmatch(tr.texts["go.mod"], -1) {
		used := false
		for p := range imported {
			used = used || within(p, m[1])
		}
		if !used {
			continue
		}
		direct++
		if name := majorSuffix.ReplaceAllString(m[1], ""); !strings.Contains(tr.texts["ARCHITECTURE.md"], name) {
			out = append(out, fmt.Sprintf("go.mod: ARCHITECTURE.md does not say what %s is for", name))
		}
	}
	if direct > maxDependencies {
		out = append(out, fmt.Sprintf("go.mod: the code imports %d modules of others, at most %d", direct, maxDependencies))
	}
	return out
}

func licenceBreaches(tr tree) []string {
	sum := sha256.Sum256([]byte(tr.texts["LICENSE"]))
	if got := hex.EncodeToString(sum[:]); got != apache {
		return []string{fmt.Sprintf("LICENSE: SHA-256 %s, want %s, the unchanged text of Apache-2.0", got, apache)}
	}
	return nil
}

// emptyTreeBreaches guards the rules against a walk that finds nothing to judge.
func emptyTreeBreaches(tr tree) []string {
	if len(tr.files) == 0 || len(tr.texts) == 0 {
		return []string{fmt.Sprintf("%d Go files and %d text files read", len(tr.files), len(tr.texts))}
	}
	return nil
}

// soundTree is a small tree without a breach, for the cases to spoil.
func soundTree(t *testing.T) fstest.MapFS {
	t.Helper()
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for _, name := range topLevel {
		if !strings.HasSuffix(name, "/") {
			fsys[name] = &fstest.MapFile{}
		}
	}
	for name, text := range map[string]string{
		"LICENSE":                   string(licence),
		".gitignore":                "/bin/\n*.db\n",
		"bin/rollcall":              "\x7fELF\x00",
		"left.db":                   "SQLite format 3\x00",
		"all_test.go":               "// Package rollcall_test holds the rules.\npackage rollcall_test\n",
		"go.mod":                    "module " + module + "\n\ngo 1.26.0\n\nrequire (\n\tgolang.org/x/text v0.43.0\n\tgolang.org/x/sys v0.49.0 // indirect\n)\n",
		"ARCHITECTURE.md":           "golang.org/x/text: names of domains\n",
		"directory/team.go":         "// Package directory is the domain.\npackage directory\n\nimport _ \"golang.org/x/text/language\"\n",
		"directory/team_test.go":    "package directory_test\n\nimport (\n\t_ \"os\"\n\n\t_ \"" + module + "/store/sqlite\"\n)\n",
		"directory/gen.go":          "//go:build ignore\n\npackage main\n\nimport _ \"os\"\n",
		"store/sqlite/db.go":        "// Package sqlite is an engine.\npackage sqlite\n\nimport _ \"database/sql\"\n",
		"serve/whois/whois.go":      "// Package whois answers.\npackage whois\n\nimport _ \"" + module + "/directory\"\n",
		"cmd/rollcall/main.go":      "// Command rollcall is the binary.\npackage main\n\nimport _ \"" + module + "/serve/whois\"\n",
		"verify/mail/testdata/x.go": "package broken, and left alone\n",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// TestRulesCatch proves that each rule sees a breach of it, and that no rule
// sees one where there is none.
func TestRulesCatch(t *testing.T) {
	tests := []struct {
		name string
		rule string // "" wants a clean tree
		path string
		text string // "" removes the file
		want string
	}{
		{name: "a sound tree has no breach", path: "docs/guide.md", text: "TO" + "DO(#12): more\n"},
		{"a package outside the table", "imports", "verify/novel/x.go", "// Package novel x.\npackage novel\n", "verify/novel is not in the import table"},
		{"an import upwards", "imports", "directory/x.go", goImport("directory", module+"/api"), "directory/x.go:3: directory imports api"},
		{"an import on one level", "imports", "serve/whois/x.go", goImport("whois", module+"/serve/rdap"), "serve/whois imports serve/rdap"},
		{"a protocol that knows more than the domain", "imports", "serve/whois/x.go", goImport("whois", module+"/verify"), "serve/whois imports verify"},
		{"an import upwards on another platform", "imports", "directory/x_windows.go", goImport("directory", module+"/api"), "directory imports api"},
		{"the laboratory outside tests and demo", "imports", "verify/x.go", goImport("verify", module+"/verify/lab"), "verify imports verify/lab"},
		{"a test that imports the command", "imports", "api/x_test.go", goImport("api_test", module+"/cmd/rollcall"), "api imports cmd/rollcall"},
		{"files in the domain", "directory", "directory/x.go", goImport("directory", "os"), "directory imports os"},
		{"processes in the domain", "directory", "directory/x.go", goImport("directory", "os/exec"), "directory imports os/exec"},
		{"HTTP in the domain", "directory", "directory/x.go", goImport("directory", "net/http"), "directory imports net/http"},
		{"another module in the domain", "directory", "directory/x.go", goImport("directory", "github.com/miekg/dns"), "directory imports github.com/miekg/dns"},
		{"SQL outside the store", "engines", "api/x.go", goImport("api", "database/sql"), "api imports database/sql"},
		{"an engine in a test outside the store", "engines", "api/x_test.go", goImport("api_test", "github.com/jackc/pgx/v5"), "api imports github.com/jackc/pgx/v5"},
		{"an init function", "code", "api/x.go", "package api\n\nfunc init() {}\n", "api/x.go:3: func init"},
		{"an assertion framework", "code", "api/x_test.go", goImport("api_test", "github.com/stretchr/testify/assert"), "testify"},
		{"a test that sleeps", "code", "api/x_test.go", "package api_test\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", "api/x_test.go:5: time.Sleep"},
		{"a test that sleeps under another name", "code", "api/x_test.go", "package api_test\n\nimport clock \"time\"\n\nfunc f() { clock.Sleep(1) }\n", "time.Sleep"},
		{"a package without a comment", "package-docs", "api/x.go", "package api\n", `api: no package comment that begins with "Package api "`},
		{"a command with a comment of another form", "package-docs", "cmd/rollcall/main.go", "// Rollcall is the binary.\npackage main\n", `"Command rollcall "`},
		{"a folder too many", "top-level", "internal/x.txt", "x", "internal/: does not belong"},
		{"a file too many", "top-level", "notes.txt", "x", "notes.txt: does not belong"},
		{"a file missing", "top-level", "SECURITY.md", "", "SECURITY.md: missing"},
		{"a loose end without an issue", "words", "api/x.go", "package api\n\n// TO" + "DO: more\n", "api/x.go:3: a TO" + "DO needs its issue"},
		{"a path of one machine", "words", "docs/x.md", "see /wor" + "k/main\n", "docs/x.md:1"},
		{"a word about who wrote it", "words", "docs/x.md", "\nCo-" + "Authored-By: x\n", "docs/x.md:2"},
		{"a look outside the tree", "words", "Makefile", "x: ../sha" + "red/data\n", "Makefile:1: only tests may look outside"},
		{"a dependency nobody explains", "dependencies", "ARCHITECTURE.md", "no names\n", "does not say what golang.org/x/text is for"},
		{"too many dependencies", "dependencies", "go.mod", "require (\n" + strings.Repeat("\tgolang.org/x/text v0.43.0\n", maxDependencies+1) + ")\n", "imports 22 modules"},
		{"a licence that was touched", "licence", "LICENSE", "Apache License, shortened\n", "LICENSE: SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := soundTree(t)
			fsys[tt.path] = &fstest.MapFile{Data: []byte(tt.text)}
			if tt.text == "" {
				delete(fsys, tt.path)
			}
			tr, err := readTree(fsys)
			if err != nil {
				t.Fatal(err)
			}
			if tt.rule == "" {
				for name, rule := range rules {
					if got := rule(tr); len(got) > 0 {
						t.Errorf("%s on a sound tree = %q, want none", name, got)
					}
				}
				return
			}
			got := rules[tt.rule](tr)
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("%s = %q, want one breach that says %q", tt.rule, got, tt.want)
			}
		})
	}
}

// goImport is a file of package name that imports p.
func goImport(name, p string) string {
	return fmt.Sprintf("package %s\n\nimport _ %q\n", name, p)
}

func TestEmptyTreeIsABreach(t *testing.T) {
	tr, err := readTree(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if got := emptyTreeBreaches(tr); len(got) != 1 {
		t.Errorf("emptyTreeBreaches of nothing = %q, want one breach", got)
	}
}

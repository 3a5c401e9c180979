package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var parameter = regexp.MustCompile(`\$\d+`)

// inOrder reports whether the parameters of a statement first appear as
// $1, $2, $3 …
func inOrder(statement string) bool {
	last := 0
	for _, p := range parameter.FindAllString(statement, -1) {
		n, err := strconv.Atoi(p[1:])
		if err != nil || n > last+1 || n < 1 {
			return false
		}
		last = max(last, n)
	}
	return true
}

// TestParameterOrder: SQLite numbers $-parameters as they come, whatever their
// digits, so that any other order binds wrong values and says nothing.
func TestParameterOrder(t *testing.T) {
	found := 0
	for _, folder := range []string{".", "sqlite", "postgres"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			found += checkFile(t, name)
		}
	}
	if found < 20 {
		t.Errorf("%d statements with parameters found, which can't be all", found)
	}
}

func checkFile(t *testing.T, name string) (found int) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil || !parameter.MatchString(text) {
			return true
		}
		found++
		if !inOrder(text) {
			t.Errorf("%s: parameters are not numbered in the order of first appearance: %s", set.Position(lit.Pos()), text)
		}
		return true
	})
	return found
}

func TestInOrder(t *testing.T) {
	for statement, want := range map[string]bool{
		"SELECT 1": true, "a = $1 AND ($2 = '' OR b = $2) AND c = $1 LIMIT $3": true,
		"a = $2 AND b = $1": false, "a = $1 AND b = $3": false, "a = $0": false,
	} {
		if got := inOrder(statement); got != want {
			t.Errorf("inOrder(%q) = %v, want %v", statement, got, want)
		}
	}
}

func TestInsert(t *testing.T) {
	for _, table := range tables() {
		for _, n := range []int{1, 2, batch} {
			s := table.insert(n, "")
			got := parameter.FindAllString(s, -1)
			if len(got) != n*len(table.columns) || !inOrder(s) || got[len(got)-1] != "$"+strconv.Itoa(len(got)) {
				t.Errorf("%s: insert(%d) has %d parameters, or not in order: %.200s", table.name, n, len(got), s)
			}
			// The lower of the engines' limits: SQLITE_MAX_VARIABLE_NUMBER.
			if len(got) > 32766 {
				t.Errorf("%s: insert(%d) has %d parameters, more than SQLite takes", table.name, n, len(got))
			}
		}
	}
	const want = "INSERT INTO layer (source, source_key, team_id, hash) VALUES ($1, $2, $3, $4) ON CONFLICT (source, source_key) DO UPDATE SET team_id = excluded.team_id, hash = excluded.hash"
	if got := layerTable.insert(1, layerTable.overwrite()); got != want {
		t.Errorf("insert = %s, want %s", got, want)
	}
}

// TestTablesMatchMigrations: what is not in tables is not in a backup, and what
// is missing there is named in unsaved.
func TestTablesMatchMigrations(t *testing.T) {
	create := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\);`)
	added := regexp.MustCompile(`ALTER TABLE (\w+) ADD COLUMN ([a-z_]+) +(TEXT|BIGINT|INTEGER|BYTEA|BLOB)`)
	renamed := regexp.MustCompile(`ALTER TABLE (\w+) RENAME TO (\w+);`)
	columnLine := regexp.MustCompile(`(?m)^\t([a-z_]+) +(TEXT|BIGINT|INTEGER|BYTEA|BLOB)`)
	types := map[string]columnType{"TEXT": text, "BIGINT": integer, "INTEGER": integer, "BYTEA": blob, "BLOB": blob}
	want := map[string][]column{}
	for _, t := range slices.Concat(tables(), unsaved()) {
		want[t.name] = t.columns
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		files, err := filepath.Glob(filepath.Join(engine, "migrations", "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		for _, file := range files {
			step, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			body = append(body, step...)
		}
		made := create.FindAllStringSubmatch(string(body), -1)
		for _, r := range renamed.FindAllStringSubmatch(string(body), -1) { // a table made anew takes the place of the first one
			made = slices.DeleteFunc(made, func(m []string) bool { return m[1] == r[2] })
			for _, m := range made {
				if m[1] == r[1] {
					m[1] = r[2]
				}
			}
		}
		if len(made) != len(want) {
			t.Errorf("%s: the migrations make %d tables, the store knows %d", engine, len(made), len(want))
		}
		for _, m := range made {
			var got []column
			for _, c := range columnLine.FindAllStringSubmatch(m[2], -1) {
				got = append(got, column{c[1], types[c[2]]})
			}
			for _, c := range added.FindAllStringSubmatch(string(body), -1) {
				if c[1] == m[1] {
					got = append(got, column{c[2], types[c[3]]})
				}
			}
			if len(got) != len(want[m[1]]) {
				t.Fatalf("%s: table %s has columns %v, the store knows %v", engine, m[1], got, want[m[1]])
			}
			for i := range got {
				if got[i] != want[m[1]][i] {
					t.Errorf("%s: table %s has column %v where the store has %v", engine, m[1], got[i], want[m[1]][i])
				}
			}
		}
	}
}

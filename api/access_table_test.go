package api_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
)

var update = flag.Bool("update", false, "write docs/access.md again")

const accessPage = "../docs/access.md"

// labels are the TLP labels of the contacts of a team in the table.
var labels = []string{"clear", "green", "amber", "strict", "red"}

// onOther says as whom each role counts for a team that it is not bound to:
// team delta, a member of the stranger's forum.
var onOther = map[string]string{
	"": "", "consumer": "consumer", "member": "consumer", "editor": "other", "other": "other",
	"secretariat": "stranger", "stranger": "secretariat", "operator": "operator", "reader": "reader",
}

// cell is what one role gets from one operation about one team.
type cell struct {
	status int
	field  bool     // refused, because the field is not for this role to decide
	shown  []string // labels of the team's contacts in the answer
}

// refused reports whether the role may not do it.
func refused(status int) bool { return status == 401 || status == 403 }

// TestAccessTable asks every operation as every role, about team alpha, which
// roles are bound to, and where the operation names a team also about delta,
// which they are not. Each team has a contact of every label. It holds the whole
// against the two rules that decide, and the page of the documentation against
// the result.
func TestAccessTable(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(accessHead)
	var kept *scene // of what only reads
	for _, id := range slices.Sorted(maps.Keys(rights)) {
		for _, other := range []bool{false, true} {
			s := kept
			if s == nil {
				s = embedded(t)
				s.delta()
			}
			kept = nil
			if reads := rights[id].ask(s).method; reads == "" || reads == "GET" {
				kept = s
			}
			if other && !strings.Contains(rights[id].ask(s).path, "/alpha") {
				continue
			}
			page.WriteString(s.accessRow(t, id, other))
		}
	}
	if *update {
		if err := os.WriteFile(accessPage, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(accessPage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page.Bytes(), want) {
		t.Error("docs/access.md is stale: run go test ./api -run AccessTable -update")
	}
}

const accessHead = `# Who may do what

Made by a test that asks every operation as every role; a new operation without a row fails it.

Roles: nobody; a **consumer**; a **member**, a consumer of the team; its **editor**; the editor of an **other team**; the **secretariat** of the team's forum; that of an
**other forum**; an **operator**; an operator's token that may only **read**. *own* is a team that member, editor and secretariat are bound to, *other* one that they are not.

` + "`401` sign in first, `403` not allowed, `422` may change the team, but this is for another forum or an operator to decide (`auth.field`), ✓ allowed. Letters are the labels of the team's contacts that the answer shows: **C**LEAR, **G**REEN, **A**MBER, AMBER+**S**TRICT, **R**ED." + `

| operation | request | team | nobody | consumer | member | editor | other team | secretariat | other forum | operator | read |
|---|---|---|---|---|---|---|---|---|---|---|---|
`

// delta adds the team that nobody but the stranger is bound to.
func (s *scene) delta() {
	p := directory.Profile{Names: directory.Names{Short: "DELTA"}, Country: "NL", Memberships: []directory.Membership{{Forum: "tf-csirt", Status: "member"}}}
	for i, label := range []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red} {
		p.Contacts = append(p.Contacts, contact(labels[i]+"@delta.example.org", label))
	}
	s.create("delta", p)
}

// accessRow asks one operation as everybody; the operator comes last.
func (s *scene) accessRow(t *testing.T, id string, other bool) string {
	q := rights[id].ask(s)
	team, domain := "own", "@example.org"
	if other {
		team, domain = "other", "@delta.example.org"
		q.path = strings.Replace(q.path, "/alpha", "/delta", 1)
	}
	cells := map[string]cell{}
	for _, operator := range []bool{false, true} {
		for _, role := range roles {
			if (role == "operator") == operator {
				cells[role] = s.cell(t, q.by(role), domain)
			}
		}
	}
	row := fmt.Sprintf("| %s | %s | %s |", id, requestOf(id), team)
	if q.path == rights[id].ask(s).path && !strings.Contains(q.path, "/alpha") {
		row = fmt.Sprintf("| %s | %s | – |", id, requestOf(id))
	}
	for _, role := range roles {
		as := role
		if other {
			as = onOther[role]
		}
		want := rights[id].want[slices.Index(roles, as)]
		c := cells[role]
		if c.status != want && (refused(c.status) || refused(want) || c.field) {
			t.Errorf("%s about the %s team as %q = %d, want as for %q: %d", id, team, role, c.status, as, want)
		}
		for _, label := range c.shown {
			if !slices.Contains(seen[as], label) {
				t.Errorf("%s about the %s team shows %s to %q", id, team, label, role)
			}
		}
		// Where the operator is shown all, everybody is shown all that they may see.
		if ok := c.status < 300 && len(cells["operator"].shown) == len(labels); ok && len(c.shown) != len(seen[as]) {
			t.Errorf("%s about the %s team shows %v to %q, want %v", id, team, c.shown, role, seen[as])
		}
		row += " " + c.text() + " |"
	}
	return row + "\n"
}

// requestOf is the method and path of an operation.
func requestOf(id string) string {
	for _, op := range operations() {
		if op.OperationID == id {
			return fmt.Sprintf("`%s %s`", op.method, op.path)
		}
	}
	return "–"
}

func (s *scene) cell(t *testing.T, q request, domain string) cell {
	a := s.do(t, q)
	c := cell{status: a.status, field: a.status == http.StatusUnprocessableEntity && bytes.Contains(a.body, []byte(`"auth.field"`))}
	for _, label := range labels {
		if bytes.Contains(a.body, []byte(`"`+label+domain)) || bytes.Contains(a.body, []byte(":"+label+domain)) {
			c.shown = append(c.shown, label)
		}
	}
	return c
}

func (c cell) text() string {
	if refused(c.status) || c.field {
		return fmt.Sprint(c.status)
	}
	out := "✓"
	for _, label := range c.shown {
		out += " " + strings.ToUpper(label[:1])
	}
	return out
}

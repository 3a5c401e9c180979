package api_test

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/api"
)

// document is the document of all tests, which only read it.
var document = sync.OnceValue(api.Document)

// operation is one operation of the document.
type operation struct {
	method, path string
	*huma.Operation
}

func operations() []operation {
	var list []operation
	for p, item := range document().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil {
				list = append(list, operation{method, p, op})
			}
		}
	}
	return list
}

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// TestGuard asks of every operation what a reader and a client need.
func TestGuard(t *testing.T) {
	seen := map[string]bool{}
	var tags []string
	for _, tag := range document().Tags {
		tags = append(tags, tag.Name)
	}
	for _, op := range operations() {
		t.Run(op.method+" "+op.path, func(t *testing.T) {
			if !kebab.MatchString(op.OperationID) || seen[op.OperationID] {
				t.Errorf("id %q, want words joined by hyphens, once", op.OperationID)
			}
			seen[op.OperationID] = true
			if op.Summary == "" || strings.HasSuffix(op.Summary, ".") || len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
				t.Errorf("summary %q and tags %v, want a line without full stop and one tag of %v", op.Summary, op.Tags, tags)
			}
			if len(op.Security) == 0 {
				t.Error("neither security nor an explicit public")
			}
			if _, ok := rights[op.OperationID]; !ok {
				t.Error("no row in the table of rights")
			}
			guardParameters(t, op)
			guardResponses(t, op)
			if op.RequestBody != nil {
				for media, m := range op.RequestBody.Content {
					validate(t, "example of the body as "+media, m.Schema, huma.ModeWriteToServer, m.Example)
				}
			}
		})
	}
	for id := range rights {
		if !seen[id] {
			t.Errorf("the table of rights has a row for %q, which is no operation", id)
		}
	}
}

func guardParameters(t *testing.T, op operation) {
	for _, p := range op.Parameters {
		if p.Description == "" || p.Schema == nil || len(p.Schema.Examples) == 0 {
			t.Errorf("parameter %s lacks a description, schema or example", p.Name)
		}
	}
	for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(op.path, -1) {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "path" && p.Name == name[1] && p.Required }) {
			t.Errorf("the path has %s, which is no parameter", name[1])
		}
	}
}

func guardResponses(t *testing.T, op operation) {
	for _, status := range []string{"500", "429"} {
		if rate := op.Extensions["x-rate-limit"].(map[string]any); op.Responses[status] == nil && (status != "429" || rate["class"] != "free") {
			t.Errorf("the status %s is not documented", status)
		}
	}
	for status, r := range op.Responses {
		code, err := strconv.Atoi(status)
		if err != nil || r.Description == "" {
			t.Errorf("response %s: %q, want a number and a description", status, r.Description)
		}
		for media, m := range r.Content {
			switch {
			case code >= 400 && (media != "application/problem+json" || m.Schema.Ref != "#/components/schemas/Problem"):
				t.Errorf("response %s is %s %s, want a problem", status, media, m.Schema.Ref)
			case code >= 400:
				guardProblem(t, code, m)
			case code < 400 && m.Example == nil:
				t.Errorf("response %s has no example", status)
			case code < 400:
				validate(t, "example of response "+status, m.Schema, huma.ModeReadFromServer, m.Example)
			}
		}
	}
}

// guardProblem wants an example that has the status that it is an example of.
func guardProblem(t *testing.T, status int, m *huma.MediaType) {
	name := strings.TrimPrefix(m.Examples["problem"].Ref, "#/components/examples/")
	example := document().Components.Examples[name]
	if example == nil {
		t.Fatalf("response %d has no example", status)
	}
	if p, ok := example.Value.(*api.Problem); !ok || p.Status != status {
		t.Errorf("the example of response %d is %+v", status, example.Value)
	}
	validate(t, "example of response "+strconv.Itoa(status), m.Schema, huma.ModeReadFromServer, example.Value)
}

// TestRateClasses wants every operation to say what it costs, and the cheap
// and the dear ones to be what they are.
func TestRateClasses(t *testing.T) {
	costs := map[string]int{"free": 0, "lookup": 1, "read": 1, "list": 5, "write": 5, "bulk": 50}
	want := map[string]string{"lookup": "lookup", "lookup-batch": "bulk", "list-teams": "list", "get-team": "read", "patch-team": "write", "healthz": "free", "readyz": "free", "metrics": "free"}
	for _, op := range operations() {
		rate, _ := op.Extensions["x-rate-limit"].(map[string]any)
		class, _ := rate["class"].(string)
		if cost, ok := costs[class]; !ok || rate["cost"] != cost {
			t.Errorf("%s: x-rate-limit %v, want a class of %v with its cost", op.OperationID, rate, costs)
		}
		if w := want[op.OperationID]; w != "" && w != class {
			t.Errorf("%s is of class %q, want %q", op.OperationID, class, w)
		}
	}
}

// validate holds a value against its schema.
func validate(t testing.TB, what string, schema *huma.Schema, mode huma.ValidateMode, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	validateText(t, what, schema, mode, text)
}

func validateText(t testing.TB, what string, schema *huma.Schema, mode huma.ValidateMode, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Errorf("%s: %v: %s", what, err, text)
		return
	}
	var result huma.ValidateResult
	validating.Lock()
	defer validating.Unlock()
	huma.Validate(document().Components.Schemas, schema, huma.NewPathBuffer(nil, 0), mode, v, &result)
	for _, e := range result.Errors {
		t.Errorf("%s: %v", what, e)
	}
}

// validating is held while a schema is used: schemas prepare themselves on
// first use.
var validating sync.Mutex

// TestReferences proves that each reference of the document leads somewhere,
// and that no schema is left over.
func TestReferences(t *testing.T) {
	text, err := document().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	schemas, used := document().Components.Schemas.Map(), map[string]bool{}
	for _, m := range regexp.MustCompile(`"\$ref":"([^"]*)"`).FindAllStringSubmatch(string(text), -1) {
		dir, name := path.Split(m[1])
		used[name] = true
		c := document().Components
		if (dir != "#/components/schemas/" || schemas[name] == nil) && (dir != "#/components/headers/" || c.Headers[name] == nil) &&
			(dir != "#/components/examples/" || c.Examples[name] == nil) {
			t.Errorf("reference %q leads nowhere", m[1])
		}
	}
	for name, schema := range schemas {
		if !used[name] {
			t.Errorf("schema %s is never used", name)
		}
		for field, p := range schema.Properties {
			if p.Description == "" {
				t.Errorf("schema %s: %s has no description", name, field)
			}
		}
	}
}

// route is an operation and the paths that are its.
type route struct {
	operation
	paths *regexp.Regexp
}

// routes has words before parameters.
var routes = sync.OnceValue(func() (list []route) {
	parameter := regexp.MustCompile(`\{\w+\}`)
	for _, op := range operations() {
		list = append(list, route{op, regexp.MustCompile("^" + parameter.ReplaceAllString(op.path, `[^/]+`) + "$")})
	}
	slices.SortStableFunc(list, func(a, b route) int { return strings.Count(a.path, "{") - strings.Count(b.path, "{") })
	return list
})

// conform holds an answer against what the document says of its operation.
func conform(t testing.TB, q request, a answer) {
	t.Helper()
	p, _, _ := strings.Cut(q.path, "?")
	for _, op := range routes() {
		if method := q.method; op.method != method && (method != "" || op.method != "GET") || !op.paths.MatchString(p) {
			continue
		}
		r := op.Responses[strconv.Itoa(a.status)]
		if r == nil {
			t.Errorf("%s %.80s answers %d, which is not documented: %s", op.method, q.path, a.status, a.body)
			return
		}
		media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		switch m := r.Content[media]; {
		case len(r.Content) > 0 && m == nil:
			t.Errorf("%s %.80s answers %s, which is not documented", op.method, q.path, media)
		case strings.HasSuffix(media, "json") && media != "application/x-ndjson":
			validateText(t, op.method+" "+p, m.Schema, huma.ModeReadFromServer, a.body)
		}
		return
	}
}

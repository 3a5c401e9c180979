package openapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/openapi"
)

var release = flag.Bool("release", false, "add what the document promises now to released.txt")

func TestFresh(t *testing.T) {
	want, err := api.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(openapi.YAML, want) {
		t.Error("openapi.yaml is stale: run go generate ./openapi")
	}
}

func TestProblemsPageIsFresh(t *testing.T) {
	page, err := os.ReadFile("../docs/problems.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, openapi.Problems()) {
		t.Error("docs/problems.md is stale: run go generate ./openapi")
	}
}

// TestCompatible holds the document against released.txt, which lists what
// clients may rely on: a promise must stay, and nothing more may be demanded.
// What is new is added with -release when a version is released.
func TestCompatible(t *testing.T) {
	now := contract(t)
	file, err := os.ReadFile("released.txt")
	if err != nil && !*release {
		t.Fatal(err)
	}
	released := map[string]bool{}
	for line := range strings.Lines(string(file)) {
		released[strings.TrimSpace(line)] = true
	}
	for _, breach := range breaches(released, now) {
		t.Error(breach)
	}
	if *release && !t.Failed() {
		maps.Copy(released, now)
		text := strings.Join(slices.Sorted(maps.Keys(released)), "\n") + "\n"
		if err := os.WriteFile("released.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// breaches compares two contracts. Of an operation or type that was never
// released, anything can be demanded.
func breaches(released, now map[string]bool) []string {
	var out []string
	for line := range released {
		if strings.HasPrefix(line, "promise ") && !now[line] {
			out = append(out, "taken back: "+line)
		}
	}
	for line := range now {
		owner, _, _ := strings.Cut(strings.TrimPrefix(line, "demand "), ": ")
		if strings.HasPrefix(line, "demand ") && !released[line] && released["promise "+owner] {
			out = append(out, "newly demanded: "+line)
		}
	}
	slices.Sort(out)
	return out
}

func TestBreaches(t *testing.T) {
	lines := func(list ...string) map[string]bool {
		m := map[string]bool{}
		for _, l := range list {
			m[l] = true
		}
		return m
	}
	released := lines("promise GET /a", "promise GET /a: answers 200 A", "promise A", "promise A: field x string", "demand A: x")
	for _, tt := range []struct {
		name string
		now  map[string]bool
		want int
	}{
		{"nothing changed", released, 0},
		{"a new operation with demands", lines("promise GET /a", "promise GET /a: answers 200 A", "promise A", "promise A: field x string", "demand A: x", "promise GET /b", "demand GET /b: q"), 0},
		{"a demand less", lines("promise GET /a", "promise GET /a: answers 200 A", "promise A", "promise A: field x string"), 0},
		{"an operation less", lines("promise A", "promise A: field x string", "demand A: x"), 2},
		{"a field of another type", lines("promise GET /a", "promise GET /a: answers 200 A", "promise A", "promise A: field x integer", "demand A: x"), 1},
		{"a new parameter that must be there", lines("promise GET /a", "promise GET /a: answers 200 A", "promise A", "promise A: field x string", "demand A: x", "demand GET /a: q"), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := breaches(released, tt.now); len(got) != tt.want {
				t.Errorf("breaches = %q, want %d", got, tt.want)
			}
		})
	}
}

// node is a part of the document.
type node = map[string]any

// contract lists what the document promises and demands, one line each.
func contract(t *testing.T) map[string]bool {
	t.Helper()
	text, err := api.SpecJSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc node
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for path, item := range doc["paths"].(node) {
		for method, op := range item.(node) {
			operationLines(lines, strings.ToUpper(method)+" "+path, op.(node))
		}
	}
	sent, answered := reached(t, doc, "requestBody"), reached(t, doc, "responses")
	for name, schema := range doc["components"].(node)["schemas"].(node) {
		schemaLines(lines, name, schema.(node))
		required, _ := schema.(node)["required"].([]any)
		for _, field := range required {
			if sent[name] {
				lines[fmt.Sprintf("demand %s: %v", name, field)] = true
			}
			if answered[name] {
				lines[fmt.Sprintf("promise %s: always %v", name, field)] = true
			}
		}
	}
	return lines
}

var reference = regexp.MustCompile(`"#/components/schemas/([^"]*)"`)

// reached names the schemas that one part of the operations leads to.
func reached(t *testing.T, doc node, part string) map[string]bool {
	t.Helper()
	schemas, found := doc["components"].(node)["schemas"].(node), map[string]bool{}
	var follow func(any)
	follow = func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllSubmatch(text, -1) {
			if name := string(m[1]); !found[name] {
				found[name] = true
				follow(schemas[name])
			}
		}
	}
	for _, item := range doc["paths"].(node) {
		for _, op := range item.(node) {
			follow(op.(node)[part])
		}
	}
	return found
}

func operationLines(lines map[string]bool, name string, op node) {
	lines["promise "+name] = true
	lines[fmt.Sprintf("promise %s: id %v", name, op["operationId"])] = true
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		p := p.(node)
		lines[fmt.Sprintf("promise %s: takes %v %v", name, p["in"], p["name"])] = true
		if p["required"] == true {
			lines[fmt.Sprintf("demand %s: %v", name, p["name"])] = true
		}
		schemaLines(lines, fmt.Sprintf("%s %v", name, p["name"]), p["schema"].(node))
	}
	if body, ok := op["requestBody"].(node); ok {
		for media := range body["content"].(node) {
			lines[fmt.Sprintf("promise %s: reads %s", name, media)] = true
		}
	}
	for status, r := range op["responses"].(node) {
		content, _ := r.(node)["content"].(node)
		for media, m := range content {
			lines[fmt.Sprintf("promise %s: answers %s %s %s", name, status, media, typeOf(m.(node)["schema"].(node)))] = true
		}
		headers, _ := r.(node)["headers"].(node)
		for header := range headers {
			lines[fmt.Sprintf("promise %s: answers %s with %s", name, status, header)] = true
		}
	}
}

func schemaLines(lines map[string]bool, name string, schema node) {
	lines["promise "+name] = true
	properties, _ := schema["properties"].(node)
	for field, p := range properties {
		lines[fmt.Sprintf("promise %s: field %s %s", name, field, typeOf(p.(node)))] = true
		schemaLines(lines, name+"."+field, p.(node))
	}
	words, _ := schema["enum"].([]any)
	for _, w := range words {
		lines[fmt.Sprintf("promise %s: word %v", name, w)] = true
	}
	if items, ok := schema["items"].(node); ok && items["enum"] != nil {
		schemaLines(lines, name+"[]", items)
	}
}

func typeOf(schema node) string {
	if ref, ok := schema["$ref"].(string); ok {
		return ref[strings.LastIndexByte(ref, '/')+1:]
	}
	if list, ok := schema["anyOf"].([]any); ok {
		return typeOf(list[0].(node)) + " or null"
	}
	if items, ok := schema["items"].(node); ok {
		return "list of " + typeOf(items)
	}
	return fmt.Sprint(schema["type"])
}

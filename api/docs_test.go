package api_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// docsTree reads the page.
func docsTree(t testing.TB, s *scene) *html.Node {
	t.Helper()
	a := s.raw(t, "GET", "/docs", nil, nil)
	if a.status != 200 || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("docs = %d %s", a.status, a.header.Get("Content-Type"))
	}
	tree, err := html.Parse(bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestDocs walks the page: nothing is loaded, every link leads somewhere, every
// operation, schema and code is there, and headings come in order.
func TestDocs(t *testing.T) {
	s := embedded(t)
	ids, links, level := map[string]bool{}, []string{}, 0
	var text strings.Builder
	for n := range docsTree(t, s).Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
			continue
		}
		if n.Type != html.ElementNode {
			continue
		}
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %q is there twice", id)
			}
			ids[id] = true
		}
		switch n.Data {
		case "script", "img", "iframe", "object", "embed", "form", "input", "audio", "video", "base", "svg":
			t.Errorf("the page has a <%s>", n.Data)
		case "link":
			if attribute(n, "href") != "data:," {
				t.Errorf("the page links %q", attribute(n, "href"))
			}
		case "a":
			links = append(links, attribute(n, "href"))
		case "h1", "h2", "h3", "h4":
			if next := int(n.Data[1] - '0'); next > level+1 {
				t.Errorf("heading %s follows level %d", n.Data, level)
			} else {
				level = next
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Error("a heading of a table has no scope")
			}
		case "pre":
			if attribute(n, "aria-label") == "" || attribute(n, "tabindex") != "0" {
				t.Error("text that scrolls has no name, or can't be reached by keyboard")
			}
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" {
				t.Errorf("<%s %s=%q>, want nothing inline and nothing loaded", n.Data, a.Key, a.Val)
			}
		}
	}
	docsLinks(t, s, links, ids)
	for _, op := range operations() {
		if !ids[op.OperationID] || !strings.Contains(text.String(), op.Summary) {
			t.Errorf("operation %s is not on the page", op.OperationID)
		}
		for _, p := range op.Parameters {
			if !strings.Contains(text.String(), p.Description) {
				t.Errorf("parameter %s of %s is not on the page", p.Name, op.OperationID)
			}
		}
	}
	for name := range document().Components.Schemas.Map() {
		if !ids["schema-"+name] {
			t.Errorf("schema %s is not on the page", name)
		}
	}
	for _, want := range []string{"code-if-match.syntax", "code-email.syntax", "status-429", "limits"} {
		if !ids[want] {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, want := range []string{
		`curl "$ROLLCALL/v1/lookup?q=192.0.2.17"`,
		`curl -X PATCH -H "Authorization: Bearer $ROLLCALL_TOKEN" -H 'If-Match: "7"' -H 'Content-Type: application/json' --data-binary '{"host":"Example University"}' "$ROLLCALL/v1/teams/example-csirt"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func docsLinks(t *testing.T, s *scene, links []string, ids map[string]bool) {
	t.Helper()
	slices.Sort(links)
	for _, link := range slices.Compact(links) {
		anchor, inside := strings.CutPrefix(link, "#")
		switch {
		case inside && !ids[anchor]:
			t.Errorf("the link %q leads nowhere", link)
		case !inside && !strings.HasPrefix(link, "/"):
			t.Errorf("the link %q leads away", link)
		case !inside && s.raw(t, "GET", link, nil, nil).status != 200:
			t.Errorf("the link %q is not answered", link)
		}
	}
}

func TestDocsPolicy(t *testing.T) {
	s := embedded(t)
	h := s.raw(t, "GET", "/docs", nil, nil).header
	want := regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$`)
	if got := h.Get("Content-Security-Policy"); !want.MatchString(got) {
		t.Errorf("Content-Security-Policy = %q, want %s", got, want)
	}
	if h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v, want no-referrer and nosniff", h)
	}
}

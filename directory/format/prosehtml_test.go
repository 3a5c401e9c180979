package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// pageElements are the elements of a description with the attributes that each
// may have; a void one has no end.
var pageElements = map[string]string{
	"html": "lang", "head": "", "meta": "charset name content http-equiv", "title": "", "style": "", "body": "", "header": "", "nav": "aria-label", "main": "",
	"h1": "", "h2": "id", "h3": "id", "h4": "id", "p": "class", "ul": "", "ol": "", "li": "", "pre": "tabindex", "div": "lang dir", "a": "rel href",
	"strong": "", "em": "", "code": "", "br": "",
}

// checkHTML reads a page token by token: every element is one of ours, with
// attributes of ours, and closed in order; links lead to the web, to mailboxes
// or within the page.
func checkHTML(page string) error {
	z := html.NewTokenizer(strings.NewReader(page))
	var open []string
	for {
		kind := z.Next()
		token := z.Token()
		switch kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) || len(open) > 0 {
				return fmt.Errorf("%v with %v open", z.Err(), open)
			}
			return nil
		case html.CommentToken, html.SelfClosingTagToken:
			return fmt.Errorf("%s", token)
		case html.StartTagToken:
			if err := checkElement(token); err != nil {
				return err
			}
			if token.Data != "meta" && token.Data != "br" {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				return fmt.Errorf("%s with %v open", token, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func checkElement(token html.Token) error {
	attributes, known := pageElements[token.Data]
	if !known {
		return fmt.Errorf("element %s", token)
	}
	for _, a := range token.Attr {
		if !slices.Contains(strings.Fields(attributes), a.Key) {
			return fmt.Errorf("attribute %s of %s", a.Key, token)
		}
		if a.Key == "href" && !strings.HasPrefix(a.Val, "#s") && !hasAnyPrefix(strings.ToLower(a.Val), "https://", "http://", "mailto:") {
			return fmt.Errorf("a link to %q", a.Val)
		}
	}
	return nil
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// page is the page of a team whose mission is text.
func page(t testing.TB, text string) string {
	t.Helper()
	team := directory.Team{ID: "t", Handle: "t", Profile: directory.Profile{Names: directory.Names{Short: "T"}, Prose: []directory.Section{{Number: "3.1", Language: "de", Text: text}}}}
	var b bytes.Buffer
	if err := format.WriteRFC2350(&b, &team, format.RFC2350Options{Form: format.RFC2350HTML, Language: "de"}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestProseHTML(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a paragraph", "We guard\nthe harbour.", "<p>We guard\nthe harbour.</p>"},
		{"two paragraphs", "One.\n\nTwo.", "<p>One.</p>\n<p>Two.</p>"},
		{"a list", "* one\n* two\n  goes on\n", "<ul>\n<li>one</li>\n<li>two\ngoes on</li>\n</ul>"},
		{"a list in order", "1. one\n2) two", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>"},
		{"a heading within", "#### Scope\nAll.", "<p><strong>Scope</strong></p>\n<p>All.</p>"},
		{"emphasis", "**very** *much* so", "<p><strong>very</strong> <em>much</em> so</p>"},
		{"a star that is none", "2 * 3 * 4", "<p>2 * 3 * 4</p>"},
		{"code", "use `a<b` here", "<p>use <code>a&lt;b</code> here</p>"},
		{"a fence that is open", "```\n<b>", `<pre tabindex="0">&lt;b&gt;</pre>`},
		{"a link", "see [our *site*](https://example.org/a?b=1&c=2)", `see <a rel="nofollow noopener" href="https://example.org/a?b=1&amp;c=2">our <em>site</em></a>`},
		{"an address", "<csirt@example.org>", `<a rel="nofollow noopener" href="mailto:csirt@example.org">csirt@example.org</a>`},
		{"a link to a script", "[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"},
		{"a link to a file", "<file:///etc/passwd>", "<p>&lt;file:///etc/passwd&gt;</p>"},
		{"a quote in a link", `[x](https://example.org/"onclick=x)`, `[x](https://example.org/&#34;onclick=x)`},
		{"an element", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"},
		{"an escape", `\<b> and \*`, "<p>&lt;b&gt; and *</p>"},
		{"a line break", "a\\\nb", "<p>a<br>\nb</p>"},
		{"an entity", "&lt;b&gt;", "<p>&amp;lt;b&amp;gt;</p>"},
	} {
		got := page(t, c.text)
		if !strings.Contains(got, c.want) || !strings.Contains(got, `<div lang="de" dir="auto">`) {
			_, got, _ = strings.Cut(got, `id="s3.1">`)
			t.Errorf("%s: %q gives\n%.300s\nwant\n%s", c.name, c.text, got, c.want)
		}
		if err := checkHTML(page(t, c.text)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A section's Markdown stays within its section.
func TestProseMarkdown(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an element", "<img src=x onerror=y>", `\<img src=x onerror=y>`},
		{"an element that is escaped", `\<img>`, `\<img>`},
		{"an element behind a backslash that is escaped", `\\<img>`, `\\\<img>`},
		{"an element in what looks like code", "`a\nb` <img> `c", "`a\nb` \\<img> `c"},
		{"an underlined heading of the template", "x\n\nDisclaimers\n---", "x\n\nDisclaimers\n\\---"},
		{"a fence that is not closed by all readers", "````\n``` x\n## 7. Disclaimers", "```\n```\n\\## 7. Disclaimers"},
		{"a fence within a key", "-----BEGIN PGP X-----\n```\nx", "```text\n-----BEGIN PGP X-----\n'''\nx\n```"},
		{"a link to the web", "<https://example.org/>", "<https://example.org/>"},
		{"a link to a script", "<javascript:x>", `\<javascript:x>`},
		{"a heading of the template", "## 7. Disclaimers", `\## 7. Disclaimers`},
		{"a heading of its own", "#### Scope", "#### Scope"},
		{"a fence that is open", "```\nx", "```\nx\n```"},
	} {
		team := directory.Team{ID: "t", Handle: "t", Profile: directory.Profile{Prose: []directory.Section{{Number: "3.1", Language: "en", Text: c.text}}}}
		got := sectionsOf(render(t, team.Profile, format.RFC2350Options{Form: format.RFC2350Markdown}))["3.1 Mission Statement"]
		if got != c.want {
			t.Errorf("%s: %q is written as %q, want %q", c.name, c.text, got, c.want)
		}
	}
}

func TestRFC2350Languages(t *testing.T) {
	prose := func(languages ...directory.Language) []directory.Section {
		var list []directory.Section
		for _, l := range languages {
			list = append(list, directory.Section{Number: "3.1", Language: l, Text: "in " + string(l)})
		}
		return list
	}
	for _, c := range []struct {
		want  directory.Language
		there []directory.Section
		got   string
	}{
		{"", prose("de", "en"), "en"}, {"de", prose("en", "de"), "de"}, {"de-AT", prose("en", "de", "de-CH"), "de"}, {"de-AT", prose("en", "de-CH"), "de-CH"},
		{"de", prose("en", "de-AT"), "de-AT"}, {"fr", prose("de", "en-GB"), "en-GB"}, {"fr", prose("de", "pt"), "de"}, {"DE-at", prose("de", "de-AT"), "de-AT"},
	} {
		team := directory.Team{ID: "t", Handle: "t", Profile: directory.Profile{Prose: c.there}}
		d := format.DescribeRFC2350(&team, format.RFC2350Options{Language: c.want})
		i := slices.IndexFunc(d.Sections, func(s format.RFC2350Section) bool { return s.Number == "3.1" })
		if s := d.Sections[i]; s.Language != c.got || s.Text != "in "+c.got || s.Source != "prose" {
			t.Errorf("of %v, %q gives %+v, want %s", d.Languages, c.want, s, c.got)
		}
	}
}

func FuzzProse(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Add("* a\n\n**b** `c` [d](https://example.org/) <e@example.org>\n```\nf\n```\n")
	f.Fuzz(func(t *testing.T, s string) {
		if err := checkHTML(page(t, s)); err != nil {
			t.Fatalf("%q: %v\n%s", s, err, page(t, s))
		}
		team := hostileTeam(s)
		var b bytes.Buffer
		if err := format.WriteRFC2350(&b, &team, format.RFC2350Options{Form: format.RFC2350Markdown}); err != nil {
			t.Fatal(err)
		}
		if err := checkHeadings(b.String(), "## 7. Disclaimers"); err != nil {
			t.Fatalf("%q: %v\n%s", s, err, b.String())
		}
	})
}

// Time grows with the length of a text, whatever is in it.
func BenchmarkProse(b *testing.B) {
	for name, unit := range map[string]string{"stars": "*", "brackets": "[", "links": "[x](", "ticks": "` `` ", "angles": "<", "autolinks": "<a@b ", "backslashes": `\`, "headings": "# Co-operation, Interaction\n", "lists": "* x\n", "text": "We guard the harbour.\n"} {
		text := strings.Repeat(unit, 64<<10/len(unit))
		for _, form := range []format.RFC2350Form{format.RFC2350HTML, format.RFC2350Markdown} {
			b.Run(name+"/"+string(form), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					render(b, directory.Profile{Prose: []directory.Section{{Number: "3.1", Language: "en", Text: text}}}, format.RFC2350Options{Form: form})
				}
			})
		}
	}
}

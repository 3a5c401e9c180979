package format

import (
	"bufio"
	"fmt"
	"html"
	"regexp"
	"strings"
)

// proseHTML writes text as HTML. It follows the marks of Markdown that
// descriptions use (paragraphs, lists, code, emphasis, links) and shows all
// others as they are. Whatever the text, what comes out is its escaped
// characters within these elements, each of them closed.
type proseHTML struct {
	out   *bufio.Writer
	plain bool // text of the record: lists and keys, but no marks within lines, and every line is one
}

var (
	bulletForm = regexp.MustCompile(`^ {0,3}[*+-][ \t]+(.*)$`)
	orderForm  = regexp.MustCompile(`^ {0,3}(\d{1,9})[.)][ \t]+(.*)$`)
)

// blocks writes lines as paragraphs, lists and preformatted text.
func (m proseHTML) blocks(lines []string) {
	for i := 0; i < len(lines); {
		l := lines[i]
		t := strings.TrimSpace(l)
		switch {
		case t == "":
			i++
		case strings.HasPrefix(t, "```"), strings.HasPrefix(t, "~~~"):
			i += m.fenced(lines[i:], t[:3])
		case strings.HasPrefix(t, "-----BEGIN PGP"):
			i += m.armoured(lines[i:])
		case bulletForm.MatchString(l):
			i += m.list(lines[i:], bulletForm, "ul")
		case orderForm.MatchString(l) && !m.plain:
			i += m.list(lines[i:], orderForm, "ol")
		default:
			i += m.paragraph(lines[i:])
		}
	}
}

// fenced writes a code block and returns how many lines it took.
func (m proseHTML) fenced(lines []string, fence string) int {
	n := 1
	for n < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[n]), fence) {
		n++
	}
	m.preformatted(lines[1:n])
	return min(n+1, len(lines))
}

func (m proseHTML) armoured(lines []string) int {
	n := 1
	for n < len(lines) && !strings.HasPrefix(strings.TrimSpace(lines[n-1]), "-----END PGP") {
		n++
	}
	m.preformatted(lines[:n])
	return n
}

// preformatted writes lines as they are, in a region that the keyboard can
// scroll.
func (m proseHTML) preformatted(lines []string) {
	fmt.Fprintf(m.out, "<pre tabindex=\"0\">%s</pre>\n", html.EscapeString(strings.Join(lines, "\n")))
}

// list writes the items of one list; a line that is indented goes on with its
// item. Lists in lists become items of the outer one.
func (m proseHTML) list(lines []string, form *regexp.Regexp, element string) int {
	fmt.Fprintf(m.out, "<%s>\n", element)
	n := 0
	for n < len(lines) {
		match := form.FindStringSubmatch(lines[n])
		if match == nil {
			break
		}
		item := []string{match[len(match)-1]}
		for n++; n < len(lines) && continues(lines[n]); n++ {
			item = append(item, strings.TrimSpace(lines[n]))
		}
		fmt.Fprint(m.out, "<li>")
		m.inline(strings.Join(item, "\n"))
		fmt.Fprint(m.out, "</li>\n")
	}
	fmt.Fprintf(m.out, "</%s>\n", element)
	return n
}

func continues(l string) bool {
	return strings.TrimSpace(l) != "" && (l[0] == ' ' || l[0] == '\t') && !bulletForm.MatchString(l) && !orderForm.MatchString(l)
}

// paragraph writes lines up to the next block. A heading within a section is a
// paragraph in bold: the headings of the page are the template's.
func (m proseHTML) paragraph(lines []string) int {
	n := 1
	if h := atxForm.FindStringSubmatch(lines[0]); h != nil && !m.plain {
		fmt.Fprint(m.out, "<p><strong>")
		m.inline(h[1])
		fmt.Fprint(m.out, "</strong></p>\n")
		return n
	}
	for n < len(lines) && !m.opens(lines[n]) {
		n++
	}
	fmt.Fprint(m.out, "<p>")
	m.inline(strings.Join(lines[:n], "\n"))
	fmt.Fprint(m.out, "</p>\n")
	return n
}

// opens reports whether a line ends the paragraph before it.
func (m proseHTML) opens(l string) bool {
	t := strings.TrimSpace(l)
	return t == "" || strings.HasPrefix(t, "```") || strings.HasPrefix(t, "~~~") || strings.HasPrefix(t, "-----BEGIN PGP") ||
		bulletForm.MatchString(l) || !m.plain && atxForm.MatchString(l)
}

// inline writes the text of one block.
func (m proseHTML) inline(text string) {
	if m.plain {
		fmt.Fprint(m.out, strings.ReplaceAll(html.EscapeString(text), "\n", "<br>\n"))
		return
	}
	m.marks(text, 3)
}

// maxMark is how far the end of a mark is looked for, which keeps the time
// linear whatever the text.
const maxMark = 2048

// marks writes text and follows the marks in it; depth limits marks in marks.
func (m proseHTML) marks(text string, depth int) {
	for text != "" {
		i := strings.IndexAny(text, "\\`*[<\n")
		if i < 0 || depth == 0 {
			fmt.Fprint(m.out, html.EscapeString(text))
			return
		}
		fmt.Fprint(m.out, html.EscapeString(text[:i]))
		n := m.mark(text[i:], depth)
		if n == 0 {
			n = 1
			fmt.Fprint(m.out, html.EscapeString(text[i:i+n]))
		}
		text = text[i+n:]
	}
}

// mark writes the mark that text begins with and returns its length; 0 for a
// character that is none.
func (m proseHTML) mark(text string, depth int) int {
	switch text[0] {
	case '\\':
		return m.escape(text)
	case '`':
		return m.code(text)
	case '*':
		return m.emphasis(text, depth)
	case '[':
		return m.link(text, depth)
	case '<':
		n := autolink(text[:min(len(text), maxMark)])
		if n > 0 {
			m.anchor(linkTarget(text[1:n-1]), func() { fmt.Fprint(m.out, html.EscapeString(text[1:n-1])) })
		}
		return n
	}
	return 0
}

// escape takes a backslash for what it is before punctuation; at the end of a
// line it breaks the line.
func (m proseHTML) escape(text string) int {
	switch {
	case len(text) > 1 && text[1] == '\n':
		fmt.Fprint(m.out, "<br>\n")
	case len(text) > 1 && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", text[1]) >= 0:
		fmt.Fprint(m.out, html.EscapeString(text[1:2]))
	default:
		return 0
	}
	return 2
}

func (m proseHTML) code(text string) int {
	text = text[:min(len(text), maxMark)]
	ticks := len(text) - len(strings.TrimLeft(text, "`"))
	n := codeSpan(text)
	if n == ticks {
		fmt.Fprint(m.out, text[:n])
		return n
	}
	fmt.Fprintf(m.out, "<code>%s</code>", html.EscapeString(strings.TrimSpace(text[ticks:n-ticks])))
	return n
}

func (m proseHTML) emphasis(text string, depth int) int {
	element, sign := "em", "*"
	if strings.HasPrefix(text, "**") {
		element, sign = "strong", "**"
	}
	body := text[len(sign):min(len(text), maxMark)]
	end := strings.Index(body, sign)
	if end < 1 || strings.TrimSpace(body[:end]) != body[:end] {
		return 0
	}
	fmt.Fprintf(m.out, "<%s>", element)
	m.marks(body[:end], depth-1)
	fmt.Fprintf(m.out, "</%s>", element)
	return end + 2*len(sign)
}

// link writes [text](target) where the target is one that people may follow.
func (m proseHTML) link(text string, depth int) int {
	text = text[:min(len(text), maxMark)]
	middle := strings.Index(text, "](")
	if middle < 0 {
		return 0
	}
	end := strings.IndexByte(text[middle:], ')')
	if end < 0 {
		return 0
	}
	target := linkTarget(text[middle+2 : middle+end])
	if target == "" || strings.Contains(text[1:middle], "](") || strings.ContainsAny(text[1:middle], "[<") {
		return 0 // a link in a link is no HTML
	}
	m.anchor(target, func() { m.marks(text[1:middle], depth-1) })
	return middle + end + 1
}

func (m proseHTML) anchor(target string, text func()) {
	fmt.Fprintf(m.out, "<a rel=\"nofollow noopener\" href=\"%s\">", html.EscapeString(target))
	text()
	fmt.Fprint(m.out, "</a>")
}

package format

import (
	"html"
	"regexp"
	"strings"
	"unicode"

	"github.com/rollcall-csirt/rollcall/directory"
)

// A document is an RFC 2350 document taken apart at its headings.
type document struct {
	language directory.Language
	label    directory.TLP     // its Traffic Light Protocol label; "" when it has none
	text     map[string]string // by section number
	lines    map[string][]string
	row      map[string]int // line of the section's heading, from 1
	unknown  []heading      // headings that the template does not have
}

// heading is a line that opens a section.
type heading struct {
	row    int
	number string // in appendix D; "" when the title is not of the template
	title  string
	lines  int // that it takes: 2 when underlined
}

var (
	commentForm  = regexp.MustCompile(`(?s)<!--.*?-->`)
	labelForm    = regexp.MustCompile(`(?i)^[*_\x60\s]*(?:classification|label)?[:\s]*TLP\s*[:\s]\s*(clear|white|green|amber\s*\+\s*strict|amber|red)\b[*_\x60\s.]*$`)
	languageForm = regexp.MustCompile(`(?m)^lang(?:uage)?:\s*["']?([A-Za-z-]+)["']?\s*$`)
	atxForm      = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$`)
	numberForm   = regexp.MustCompile(`^\s*(?:(?i:section|appendix)\s+)?\d+(?:\.\d+)*[.):]?\s+(\S.*?)\s*$`)
	nestedForm   = regexp.MustCompile(`^\s*\d+\.\d+(?:\.\d+)*\.?\s+[A-Z]\S*(?:\s+\S+){0,8}\s*$`)
	underForm    = regexp.MustCompile(`^ {0,3}(?:={3,}|-{3,})\s*$`)
	leaderForm   = regexp.MustCompile(`\.{4,}\s*\d+\s*$|(?:\. ){4,}\s*\d+\s*$`)
)

// outline takes a document apart. Headings are known by title, since some
// documents carry the numbers of the RFC's body instead of its appendix.
func outline(text string) document {
	d := document{language: "en", text: map[string]string{}, lines: map[string][]string{}, row: map[string]int{}}
	lines := strings.Split(d.frontMatter(text), "\n")
	heads := headings(lines)
	at, from := "1", 0 // what stands before the first section is about the document
	begun := false
	for _, h := range append(heads, heading{row: len(lines)}) {
		d.append(at, lines[from:min(h.row, len(lines))])
		switch {
		case h.row == len(lines):
		case h.number != "":
			at, begun = h.number, true
			if _, ok := d.row[at]; !ok {
				d.row[at] = h.row + 1
			}
		case begun:
			d.unknown = append(d.unknown, h)
			d.append(at, lines[h.row:h.row+h.lines])
		default: // the title of the document
		}
		from = h.row + h.lines
	}
	for number := range d.lines {
		d.tidy(number)
	}
	return d
}

// frontMatter blanks what is no text, so that line numbers stay what they are:
// YAML front matter and HTML comments.
func (d *document) frontMatter(text string) string {
	blank := func(s string) string { return strings.Repeat("\n", strings.Count(s, "\n")) }
	if rest, ok := strings.CutPrefix(text, "---\n"); ok {
		if matter, body, ok := strings.Cut(rest, "\n---\n"); ok {
			if m := languageForm.FindStringSubmatch(matter); m != nil {
				if l, err := directory.ParseLanguage(m[1]); err == nil {
					d.language = l
				}
			}
			text = "\n" + blank(matter) + "\n\n" + body
		}
	}
	return commentForm.ReplaceAllStringFunc(text, blank)
}

func (d *document) append(number string, lines []string) {
	for _, l := range lines {
		if m := labelForm.FindStringSubmatch(l); m != nil && (number == "1" || len(d.row) == 0) && d.label == "" {
			if label, err := directory.ParseTLP(strings.ReplaceAll(m[1], " ", "")); err == nil {
				d.label = label
				continue
			}
		}
		if !leaderForm.MatchString(l) { // a line of the table of contents
			d.lines[number] = append(d.lines[number], strings.TrimRightFunc(l, unicode.IsSpace))
		}
	}
	d.lines[number] = append(d.lines[number], "")
}

// tidy takes off the indentation that all lines of a section share, and the
// empty lines around and between them that are more than one.
func (d *document) tidy(number string) {
	lines := d.lines[number]
	indent := -1
	for _, l := range lines {
		if n := len(l) - len(strings.TrimLeft(l, " ")); l != "" && (indent < 0 || n < indent) {
			indent = n
		}
	}
	var out []string
	for _, l := range lines {
		if l == "" && (len(out) == 0 || out[len(out)-1] == "") {
			continue
		}
		out = append(out, l[min(max(indent, 0), len(l)):])
	}
	if text := strings.Trim(strings.Join(out, "\n"), "\n"); text != "" {
		d.text[number] = text
	}
}

// headings finds the lines that open a section. A Markdown document is known
// by its # headings; then a number at the start of a line is a list.
func headings(lines []string) []heading {
	known := templateTitles()
	markdown := 0
	walkText(lines, func(i int) {
		if m := atxForm.FindStringSubmatch(lines[i]); m != nil && known.section(m[1]) != "" {
			markdown++
		}
	})
	var out []heading
	skip := -1
	walkText(lines, func(i int) {
		if i == skip || leaderForm.MatchString(lines[i]) {
			return
		}
		h, ok := known.heading(lines, i, markdown >= 3)
		if ok {
			out = append(out, h)
			skip = i + h.lines - 1
		}
	})
	return out
}

// walkText calls visit with the lines outside of code fences and keys.
func walkText(lines []string, visit func(int)) {
	fence := ""
	for i, l := range lines {
		t := strings.TrimSpace(l)
		switch {
		case fence != "":
			if strings.HasPrefix(t, fence) {
				fence = ""
			}
		case strings.HasPrefix(t, "```"), strings.HasPrefix(t, "~~~"):
			fence = t[:3]
		case strings.HasPrefix(t, "-----BEGIN PGP"):
			fence = "-----END PGP"
		default:
			visit(i)
		}
	}
}

// maxTitle is longer than any title; what is longer is text.
const maxTitle = 120

// heading tells whether line i opens a section.
func (t titles) heading(lines []string, i int, markdown bool) (heading, bool) {
	l := lines[i]
	if m := atxForm.FindStringSubmatch(l); m != nil {
		number := t.section(m[1])
		return heading{row: i, number: number, title: m[1], lines: 1}, markdown || number != ""
	}
	number := t.section(l)
	alone := i == 0 || strings.TrimSpace(lines[i-1]) == ""
	ends := i+1 == len(lines) || strings.TrimSpace(lines[i+1]) == ""
	title := strings.TrimSpace(l)
	switch {
	case title == "" || len(title) > maxTitle:
	case i+1 < len(lines) && underForm.MatchString(lines[i+1]) && alone:
		return heading{row: i, number: number, title: title, lines: 2}, true
	case markdown:
	case number != "" && (numberForm.MatchString(l) || alone && ends && title[0] < 'a'):
		return heading{row: i, number: number, title: title, lines: 1}, true
	case alone && ends && nestedForm.MatchString(l):
		return heading{row: i, title: title, lines: 1}, true
	}
	return heading{}, false
}

// titles are the forms of the template's titles, in order.
type titles []directory.SectionInfo

func templateTitles() titles {
	known := directory.Sections()
	for i := range known {
		known[i].Title = titleForm(known[i].Title)
	}
	return known
}

// section returns the number in appendix D of a heading, whatever its own
// number is; "" when the title is not of the template.
func (t titles) section(title string) string {
	if len(title) > maxTitle || !strings.ContainsFunc(title, unicode.IsLetter) {
		return ""
	}
	form := titleForm(title)
	if form == "" {
		return ""
	}
	for _, s := range t {
		near := len(s.Title) >= 12 && len(form)-len(s.Title) <= 2 && len(s.Title)-len(form) <= 2
		if form == s.Title || near && editDistance(form, s.Title) <= 2 {
			return s.Number
		}
	}
	return otherTitles[form]
}

// otherTitles are titles that documents and the RFC's own body use.
var otherTitles = map[string]string{
	"about document": "1", "about this document": "1", "obtaining document": "1", "publishing document": "1",
	"last update": "1.1", "date last updated": "1.1", "distribution list": "1.2", "location document": "1.3",
	"contact": "2", "contact detail": "2", "team name": "2.1", "name csirt": "2.1", "postal address": "2.2", "timezone": "2.3",
	"telephone": "2.4", "phone": "2.4", "phone number": "2.4", "facsimile": "2.5", "fax": "2.5", "fax number": "2.5",
	"other communication": "2.6", "other telecommunication": "2.6", "electronic mail": "2.7", "email": "2.7", "email address": "2.7",
	"public key other encryption information": "2.8", "public key": "2.8", "public key encryption": "2.8",
	"public key cryptographic information": "2.8", "customer contact": "2.11", "point contact": "2.11",
	"mission": "3.1", "sponsoring organization affiliation": "3.3", "sponsoring organisation affiliation": "3.3",
	"sponsorship affiliation": "3.3", "affiliation": "3.3", "policy": "4", "incident type level support": "4.1",
	"cooperation interaction disclosure information": "4.2", "communication authentication": "4.3", "service": "5",
	"triage": "5.1.1", "coordination": "5.1.2", "resolution": "5.1.3", "proactive service": "5.2", "incident reporting": "6",
	"reporting form": "6", "incident reporting form": "6", "disclaimer": "7",
}

// titleForm is a title without what documents differ in: number, case,
// punctuation, articles and plurals.
func titleForm(title string) string {
	title = html.UnescapeString(title)
	if m := numberForm.FindStringSubmatch(title); m != nil {
		title = m[1]
	}
	title = strings.Map(func(r rune) rune {
		if r == '-' || r == '\u2010' || r == '\u2011' {
			return -1
		}
		return r
	}, strings.ToLower(title))
	words := strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	out := words[:0]
	for _, w := range words {
		switch w {
		case "the", "a", "of", "and", "or", "our", "for", "this":
			continue
		}
		switch {
		case w == "policies":
			w = "policy"
		case w == "addresses":
			w = "address"
		case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
			w = strings.TrimSuffix(w, "s")
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

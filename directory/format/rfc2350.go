package format

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	maxDocument = 2 << 20
	maxSection  = 64 << 10
)

// RFC2350 reads one team's description in the form of RFC 2350 appendix D, as
// Markdown or plain text. All of its prose is kept by section; name, address,
// zone, telephone numbers, mail addresses and keys are read out of it where
// they can be read without a guess, and a Note says where they can't.
func RFC2350(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		x, err := readRFC2350(r)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		for i := range x.notes {
			if !yield(directory.ImportItem{Note: &x.notes[i]}) {
				return
			}
		}
		yield(directory.ImportItem{Record: x.record()})
	}
}

func readRFC2350(r io.Reader) (*extractor, error) {
	data, err := readWhole(r, maxDocument)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, wireProblem("import.encoding", "", "", "the file is not UTF-8 text", "the document as UTF-8")
	}
	x := &extractor{doc: outline(documentText(string(data)))}
	return x, x.extract()
}

// readWhole reads a file that is only understood as a whole, and refuses what
// can't be data.
func readWhole(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("after %d bytes: %w", len(data), err)
	case int64(len(data)) > most:
		return nil, wireProblem("import.too-large", "", "", fmt.Sprintf("more than %d MiB", most>>20), "one file of the right kind")
	case len(bytes.TrimSpace(data)) == 0:
		return nil, wireProblem("import.empty", "", "", "the file is empty", "")
	}
	// Markdown may begin with a comment, as a page does.
	if err := sniff(commentForm.ReplaceAll(data[:min(len(data), 4096)], nil)); err != nil {
		return nil, err
	}
	return bytes.TrimPrefix(data, bom), nil
}

// documentText takes out what a text shows nothing of.
func documentText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\u00A0':
			return ' '
		case r == '\u00AD' || r == '\uFEFF' || r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// extractor reads facts out of a document.
type extractor struct {
	doc     document
	profile directory.Profile
	notes   []directory.RowProblem
}

// note reports what somebody should look at, at the line of a section.
func (x *extractor) note(section string, p directory.Problem) {
	x.notes = append(x.notes, directory.RowProblem{Row: max(x.doc.row[section], 1), Problem: p})
}

func (x *extractor) extract() error {
	if len(x.doc.row) < 3 {
		return wireProblem("rfc2350.no-sections", "", "", fmt.Sprintf("only %d headings of the template were found", len(x.doc.row)),
			"a document with the sections of RFC 2350 appendix D")
	}
	for _, h := range x.doc.unknown {
		x.notes = append(x.notes, directory.RowProblem{Row: h.row + 1, Problem: wireProblem("rfc2350.unknown-section", "", h.title,
			"not a section of the template; its text is kept in the section before it", "")})
	}
	x.names()
	x.address()
	x.zone()
	x.phones()
	x.keys()
	x.mail()
	x.links()
	x.prose()
	x.label()
	if x.key() == "" {
		return wireProblem("rfc2350.nobody", "", "", "the document has neither a name in section 2.1 nor a mail address in section 2.7", "")
	}
	return nil
}

// key names the team within the source: by mail address, else by name.
func (x *extractor) key() string {
	for _, c := range x.profile.Contacts {
		if c.Channel == "email" {
			return strings.ToLower(c.Value)
		}
	}
	return strings.ToLower(strings.Join(strings.Fields(x.profile.Names.Short+" "+x.profile.Names.Full), " "))
}

func (x *extractor) record() *directory.SourceRecord {
	return &directory.SourceRecord{Row: 1, Rows: 1, Key: x.key(), Handle: wishHandle(cmp.Or(x.profile.Names.Short, x.profile.Names.Full)), Profile: x.profile}
}

// none reports whether a section says that there is nothing.
func none(text string) bool {
	t := strings.ToLower(strings.Trim(text, " .\n*_-–()[]"))
	switch t {
	case "", "none", "none available", "not available", "n/a", "na", "not applicable", "nothing", "no", "none known", "keine", "not published":
		return true
	}
	return false
}

// prose keeps the text of each section; a section that says "none" is empty.
func (x *extractor) prose() {
	for _, s := range directory.Sections() {
		text := x.doc.text[s.Number]
		if none(text) {
			continue
		}
		if len(text) > maxSection {
			x.note(s.Number, wireProblem("text.too-long", "", text, "more than 64 KiB in one section; the rest was cut off", ""))
			text = strings.ToValidUTF8(text[:maxSection], "")
		}
		x.profile.Prose = append(x.profile.Prose, directory.Section{Number: s.Number, Language: x.doc.language, Text: text})
	}
}

// label gives all that was read the label of the document, so that nothing is
// shown to more people than its authors meant.
func (x *extractor) label() {
	label := x.doc.label
	if label == "" || label == directory.Clear {
		return
	}
	p := &x.profile
	for i := range p.Contacts {
		p.Contacts[i].Visibility = label
	}
	for i := range p.Keys {
		p.Keys[i].Visibility = label
	}
	for i := range p.Prose {
		p.Prose[i].Visibility = label
	}
}

var (
	nameLineForm = regexp.MustCompile(`(?i)^(full|official|short|abbreviated|long|team|former|previous)?[ -]*(?:team )?names?[^:]{0,20}:\s*(.+)$`)
	acronymForm  = regexp.MustCompile(`^(.*\S)\s+\(([A-Za-z0-9][A-Za-z0-9./-]{1,29})\)\.?$`)
	shortForm    = regexp.MustCompile(`^([A-Z0-9][A-Za-z0-9./-]{1,29})\s*(?:: | [–—-] )\s*(\S.*\s.*)$`)
)

// names takes labelled names, else the first line of section 2.1.
func (x *extractor) names() {
	n := &x.profile.Names
	var first string
	for l := range strings.SplitSeq(x.doc.text["2.1"], "\n") {
		l = plainLine(l)
		if m := nameLineForm.FindStringSubmatch(l); m != nil {
			switch strings.ToLower(m[1]) {
			case "short", "abbreviated":
				n.Short = nameText(m[2], 100)
			case "former", "previous":
				for f := range strings.SplitSeq(m[2], ",") {
					n.Former = append(n.Former, nameText(f, 300))
				}
			default:
				n.Full = nameText(m[2], 300)
			}
			continue
		}
		if first == "" && !none(l) {
			first = l
		}
	}
	if n.Short != "" || n.Full != "" {
		return
	}
	if m := acronymForm.FindStringSubmatch(first); m != nil && !genericName(m[2]) {
		n.Full, n.Short = nameText(m[1], 300), nameText(m[2], 100)
		return
	}
	if m := shortForm.FindStringSubmatch(first); m != nil && !genericName(m[1]) {
		n.Short, n.Full = nameText(m[1], 100), nameText(m[2], 300)
		return
	}
	if strings.ContainsRune(first, ' ') {
		n.Full = nameText(first, 300)
	} else {
		n.Short = nameText(first, 100)
	}
}

// genericName reports what many teams are called, so that it names none.
func genericName(s string) bool {
	return slices.Contains([]string{"SIRT", "CSIRT", "PSIRT", "CERT", "SOC", "CIRT", "ISAC", "IRT", "CC"}, strings.ToUpper(s))
}

// plainLine takes list marks, emphasis and quotes off a line.
func plainLine(l string) string {
	l = strings.TrimSpace(l)
	l = strings.TrimLeft(l, "*-+>• ")
	return strings.Trim(strings.NewReplacer("**", "", "__", "", "`", "", `\<`, "<", `\[`, "[").Replace(l), ` "“”*_`)
}

func nameText(s string, most int) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most])
	}
	return s
}

package securitytxt

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/verify"
)

// Limits of what is read (RFC 9116 section 5.4 lets implementations choose).
const (
	MaxSize  = 32 << 10 // octets of a file
	MaxLine  = 2048     // characters of a line
	MaxLines = 1000

	maxFindings = 100 // of one file
)

// Parse reads a file and says what is wrong with its text, line by line. It
// never fails: what can't be read is not in the File, and a finding says so.
// Fields of a signed file are taken from the signed text alone. What a file as a
// whole must have, and have today, is [File.Validate]'s.
func Parse(data []byte) (File, []verify.Finding) {
	var p parser
	if len(data) > MaxSize {
		p.say(find("too-large", ""))
		p.file.partial, p.file.frame = true, true
		return p.file, p.findings
	}
	p.dirty = mayHaveControl(data)
	text := p.decode(data)
	p.armored = strings.Contains(text, beginPGP)
	at := -1
	if p.armored {
		at = lineWith(text, beginSigned)
	}
	if at >= 0 {
		p.signed(text, at)
	} else {
		p.lines(text, true)
	}
	return p.file, p.findings
}

// parser reads one file.
type parser struct {
	file     File
	findings []verify.Finding
	line     int  // that is being read
	cr       bool // a bare carriage return was reported
	dirty    bool // somewhere there may be a control character
	armored  bool // somewhere armour begins
}

func (p *parser) say(f verify.Finding) {
	switch n := len(p.findings); {
	case n < maxFindings:
		p.findings = append(p.findings, f)
	case n == maxFindings:
		p.findings = append(p.findings, find("too-many-findings", "").AtLine(f.Line))
	}
}

// tell reports something about the line that is being read.
func (p *parser) tell(name, evidence string) { p.say(find(name, evidence).AtLine(p.line)) }

// tellRight is tell with what would be right.
func (p *parser) tellRight(name, evidence, right string) {
	p.say(find(name, evidence).AtLine(p.line).Right(verify.Quote(right)))
}

// decode returns the text of a file. RFC 9116 section 4: it MUST be UTF-8 as
// RFC 5198 has it, which forbids the byte order mark.
func (p *parser) decode(data []byte) string {
	text := string(data)
	if rest, ok := strings.CutPrefix(text, "\ufeff"); ok {
		p.say(find("bom", "").AtLine(1))
		text = rest
	}
	if !utf8.ValidString(text) {
		at := 0
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		p.say(find("not-utf8", lineAt(text, at)).AtLine(1 + strings.Count(text[:at], "\n")))
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	return text
}

// lineAt returns the line around an offset.
func lineAt(text string, at int) string {
	from := strings.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := strings.Cut(text[from:], "\n")
	return line
}

// lines reads lines of fields and comments; whole says that the last must
// end with a line break.
func (p *parser) lines(text string, whole bool) {
	for n := 0; len(text) > 0; n++ {
		if n == MaxLines {
			p.line++
			p.tell("too-many-lines", "")
			p.file.partial = true
			return
		}
		p.line++
		line, rest, ended := p.next(text)
		if !ended && whole {
			p.tell("line-unterminated", line)
		}
		if skip := p.read(line, rest); skip > 0 {
			p.line += strings.Count(rest[:skip], "\n")
			rest = rest[skip:]
		}
		text = rest
	}
}

// next cuts off a line. RFC 9116 section 2.2: lines end with CRLF or LF. A
// carriage return alone ends a line too, since some show it so.
func (p *parser) next(text string) (line, rest string, ended bool) {
	i := strings.IndexByte(text, '\n')
	ended = i >= 0
	if line = text; ended {
		line, rest = text[:i], text[i+1:]
	}
	j := strings.IndexByte(line, '\r')
	switch {
	case j < 0:
		return line, rest, ended
	case j == len(line)-1 && ended:
		return line[:j], rest, true
	case !p.cr:
		p.cr = true
		p.tell("bare-cr", line)
	}
	return line[:j], text[j+1:], true
}

// read reads one line. It returns how much of what follows belongs to it: an
// armoured block that has no place here.
func (p *parser) read(line, rest string) (skip int) {
	line = p.clean(trimRight(line))
	switch {
	case line == "":
		return 0
	case len(line) > MaxLine && utf8.RuneCountInString(line) > MaxLine:
		p.tooLong(line)
		return 0
	case line[0] == '#':
		p.file.Comments = append(p.file.Comments, Comment{line[1:], p.line})
		return 0
	case strings.HasPrefix(line, beginPGP):
		return p.armor(line, rest)
	}
	return p.field(line, rest)
}

func (p *parser) tooLong(line string) {
	p.tell("line-too-long", line)
	p.file.partial = p.file.partial || line[0] != '#'
}

// clean reports control characters and puts U+FFFD in their place. RFC 5198
// section 2 forbids them, those above ASCII included, but for the line break;
// RFC 9116 section 4 has the tab as white space.
func (p *parser) clean(line string) string {
	if !p.dirty || !hasControl(line) {
		return line
	}
	p.tell("control-character", line)
	return printable(line)
}

// mayHaveControl looks for control characters in eight octets at a time. It may find
// what is none, and overlooks nothing.
func mayHaveControl(data []byte) bool {
	const ones = 0x0101010101010101
	for len(data) >= 8 {
		x := binary.LittleEndian.Uint64(data)
		// An octet below 0x20, of 0x7f, or above it sets the highest bit of its place, or of one beside it.
		if (x-0x20*ones|(x^0x7f*ones)-ones|x)&(0x80*ones) != 0 && suspicious(data[:8]) {
			return true
		}
		data = data[8:]
	}
	return suspicious(data)
}

func suspicious(data []byte) bool {
	for _, c := range data {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c == 0x7f || c == 0xc2 {
			return true
		}
	}
	return false
}

// printable puts U+FFFD in the place of control characters.
func printable(s string) string {
	if !hasControl(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

func hasControl(line string) bool {
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c < 0x20 && c != '\t' || c == 0x7f || c == 0xc2 && i+1 < len(line) && line[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

func control(r rune) bool { return r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 }

// field reads a line that is no comment: name, colon, space, value.
func (p *parser) field(line, rest string) (skip int) {
	colon := strings.IndexByte(line, ':')
	if line[0] == ' ' || line[0] == '\t' {
		// There is no folding as in RFC 5322; an indented field is still recognised.
		trimmed := strings.TrimLeft(line, " \t")
		p.tellRight("line-folded", line, trimmed)
		if _, ok := known(trimRight(before(trimmed, ':'))); !ok {
			return 0
		}
		line, colon = trimmed, strings.IndexByte(trimmed, ':')
	}
	if colon < 0 || p.bareURI(line, colon) {
		p.noField(line, colon)
		return 0
	}
	name, value := line[:colon], line[colon+1:]
	f := Field{Line: p.line, Value: trim(value)}
	if name = trimRight(name); len(name) < colon {
		p.tellRight("space-before-colon", line, name+": "+f.Value)
	}
	registered := false
	if f.Name, registered = known(name); !registered && !p.nameFits(name, line) {
		return 0
	}
	if len(name)+2+len(f.Value) > MaxLine && utf8.RuneCountInString(name)+2+utf8.RuneCountInString(f.Value) > MaxLine {
		p.tooLong(line) // in its proper form
		return 0
	}
	if f.Value != "" && value[0] != ' ' {
		p.tellRight("space-missing", line, name+": "+f.Value)
	}
	if p.file.Fields == nil {
		p.file.Fields = make([]Field, 0, 8)
	}
	p.file.Fields = append(p.file.Fields, f)
	added := &p.file.Fields[len(p.file.Fields)-1]
	skip = p.inlineKey(added, rest)
	p.value(added, registered)
	return skip
}

func before(s string, c byte) string {
	if i := strings.IndexByte(s, c); i >= 0 {
		return s[:i]
	}
	return s
}

// bareURI reports whether a line is a URI without the name of a field.
func (p *parser) bareURI(line string, colon int) bool {
	return colon+1 < len(line) && line[colon+1] != ' ' && slices.ContainsFunc([]string{"https", "http", "mailto", "tel"}, func(scheme string) bool {
		return strings.EqualFold(line[:colon], scheme)
	})
}

func (p *parser) noField(line string, colon int) {
	if colon >= 0 || strings.Contains(line, "@") && !strings.Contains(line, " ") {
		p.tellRight("line-invalid", line, "Contact: "+withScheme(line))
		return
	}
	p.tell("line-invalid", line)
}

// nameFits judges a name that is not registered. RFC 9116 section 4 has the
// names of RFC 5322 section 3.6.8: ftext is 33 to 57 and 59 to 126.
func (p *parser) nameFits(name, line string) bool {
	if name == "" {
		p.tell("name-empty", line)
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= 32 || name[i] >= 127 {
			p.tell("name-invalid", line)
			return false
		}
	}
	return true
}

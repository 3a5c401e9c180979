package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// jsonStart is how the JSON form begins, as far as a glance tells.
var jsonStart = regexp.MustCompile(`^(\xef\xbb\xbf)?\s*\{\s*"(queries"\s*:\s*\[|(use|class)"\s*:[^{}\[\]]*"queries"\s*:\s*\[)`)

// indicatorList is the list of queries of the JSON form, as far as it was read.
type indicatorList struct {
	ended bool // its bracket is closed
	list  int  // of what was cut last: octets that are of the list
	items int  // and how many queries
}

// head reads the members before the queries, and the bracket.
func (x *IndicatorReader) head() error {
	for {
		d := json.NewDecoder(bytes.NewReader(x.buf))
		err := x.members(d)
		if err == nil {
			x.drop(int(d.InputOffset()))
			return nil
		}
		cut := err == io.EOF || err == io.ErrUnexpectedEOF
		if _, told := err.(directory.Problem); told {
			return err
		} else if !cut || x.eof || len(x.buf) > 64<<10 {
			return wireProblem("json.syntax", "", "", fmt.Sprintf("not JSON (RFC 8259) at byte %d", d.InputOffset()), `{"queries":[…]}`)
		}
		if err := x.more(); err != nil {
			return err
		}
	}
}

// members reads up to the bracket of the queries.
func (x *IndicatorReader) members(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return firstMember(err, wireProblem("field.type", "", "", "not an object", `{"queries":[…]}`))
	}
	x.Use, x.Class = "", ""
	seen := map[string]bool{}
	for {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return wireProblem("field.missing", "/queries", "", "there are no queries", `{"queries":[…]}`)
		}
		at := "/" + escapePointer(name)
		if seen[name] {
			return wireProblem("json.duplicate-key", at, name, "the same name twice in one object (RFC 8259 section 4)", "each name once")
		}
		seen[name] = true
		if t, err = d.Token(); err != nil {
			return err
		}
		text, isText := t.(string)
		switch {
		case name == "queries" && t == json.Delim('['):
			return nil
		case name == "use" && isText:
			x.Use = text
		case name == "class" && isText:
			x.Class = text
		case name == "queries", name == "use", name == "class":
			return wireProblem("field.type", at, fmt.Sprint(t), "a value of the wrong type", "")
		default:
			return wireProblem("field.unknown", at, name, "there is no field of this name", "queries, use or class")
		}
	}
}

func firstMember(err error, p directory.Problem) error {
	if err != nil {
		return err
	}
	return p
}

// cut returns the length of the whole queries that text begins with, with the
// comma behind them; at the end of the list, of all that follows.
func (l *indicatorList) cut(text string, eof bool) (int, error) {
	if l.ended {
		return 0, errMore // only as long as blanks come behind the end
	}
	n, depth, items := 0, 0, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if size := stringEnd(text[i:]); size > 0 {
				i += size - 1
			} else {
				i = len(text) // its end is not there yet
			}
		case c == '[' || c == '{':
			depth++
		case c == ']' && depth == 0:
			if size, err := l.tail(text, i, items, eof); err != errMore || n == 0 {
				return size, err
			}
			i = len(text)
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			n, items = i+1, items+1
		}
	}
	if n == 0 {
		if eof {
			return 0, wireProblem("json.syntax", "", "", "not JSON (RFC 8259): the text ends too early", "")
		}
		return 0, errMore
	}
	l.list, l.items = n-1, items
	return n, nil
}

// tail reads what is behind the list, which is the end of the object.
func (l *indicatorList) tail(text string, end, items int, eof bool) (int, error) {
	if !eof && len(text)-end < 4096 {
		return 0, errMore
	}
	rest := strings.TrimSpace(text[end+1:])
	switch {
	case strings.HasPrefix(rest, ","):
		return 0, wireProblem("indicator.order", "", rest[:min(len(rest), 60)], "something behind the queries", `{"use":…,"class":…,"queries":[…]}`)
	case rest != "}" || !eof:
		return 0, wireProblem("json.syntax", "", "", "more text behind the JSON value, or less than its end", "one JSON value")
	}
	l.ended, l.list, l.items = true, end, items+1
	return len(text), nil
}

// stringEnd returns the length of the JSON string that b begins with, or 0
// where its end is not there.
func stringEnd(b string) int {
	for i := 1; ; {
		n := strings.IndexByte(b[i:], '"')
		if n < 0 {
			return 0
		}
		i += n + 1
		slashes := 0
		for j := i - 2; j > 0 && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// queries yields the queries of a chunk of the JSON form.
func (c *IndicatorChunk) queries(in *Indicator, yield func(*Indicator, error) bool) {
	if in.Line == 1 && strings.TrimSpace(c.text) == "" {
		return // an empty list
	}
	for rest, more := c.text, true; more; in.Line++ {
		var item string
		item, rest, more = cutItem(rest)
		text, err := queryText(item)
		if p, told := err.(directory.Problem); told && p.Code != "field.type" {
			yield(nil, p.At(pointerTo("/queries", in.Line-1)))
			return
		}
		if in.parse(text); err != nil {
			in.refuse(item, faultOf(err, ""))
		}
		if !yield(in, nil) {
			return
		}
	}
}

// cutItem cuts at the first comma that is not inside of a value.
func cutItem(s string) (item, rest string, more bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += max(stringEnd(s[i:]), 1) - 1
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				return s[:i], s[i+1:], true
			}
		}
	}
	return s, "", false
}

// queryText reads one JSON value that has to be a string.
func queryText(item string) (string, error) {
	item = trimLine(item)
	if text, ok := plainString(item); ok {
		return text, nil
	}
	v, err := parseJSON([]byte(item))
	if err != nil {
		return "", err
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	return "", wireProblem("field.type", "", item, "not a string", "a string")
}

// plainString returns what is between the quotes of a JSON string that needs
// no more than taking them off.
func plainString(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	s = s[1 : len(s)-1]
	for i := range len(s) {
		if b := s[i]; b < ' ' || b == '"' || b == '\\' || b >= utf8.RuneSelf {
			return "", false
		}
	}
	return s, true
}

// objectReader takes the indicator out of lines of NDJSON.
type objectReader struct {
	names []string
	found []string // values by name, of one line
	keys  []string // all names of one line
}

func newObjectReader(column string) *objectReader {
	names := indicatorNames()
	if column != "" {
		names = []string{column}
	}
	return &objectReader{names: names, found: make([]string, len(names))}
}

// line yields what one line holds.
func (o *objectReader) line(in *Indicator, line string, yield func(*Indicator, error) bool) bool {
	text, err := o.text(line)
	if in.parse(text); err != nil {
		in.refuse(line, faultOf(err, ""))
	}
	return yield(in, nil)
}

// text returns the indicator of a line: a string, or a member of an object.
func (o *objectReader) text(line string) (string, error) {
	if text, ok := plainString(line); ok {
		return text, nil
	}
	if text, ok := o.plainObject(line); ok {
		return text, nil
	}
	v, err := parseJSON([]byte(line))
	if err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case *object:
		return o.member(v)
	}
	return "", wireProblem("field.type", "", line, "neither a string nor an object", `"192.0.2.1" or {"ip":"192.0.2.1"}`)
}

// member returns the member of an object that is the indicator.
func (o *objectReader) member(v *object) (string, error) {
	for _, name := range o.names {
		switch value := v.values[name].(type) {
		case nil:
		case string:
			if value != "" {
				return value, nil
			}
		case json.Number:
			return value.String(), nil // an AS number
		default:
			return "", wireProblem("field.type", "/"+escapePointer(name), "", "not a string", "a string")
		}
	}
	want := `a member such as "ip"`
	if len(o.names) == 1 {
		want = "a member " + strconv.Quote(o.names[0])
	}
	return "", wireProblem("indicator.missing", "", "", "the object has no member that is an indicator", want)
}

// plainObject reads a flat object of plain strings and numbers, the usual
// line, in one pass. Of everything else it says no, and the parser decides.
func (o *objectReader) plainObject(s string) (string, bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return "", false
	}
	clear(o.found)
	o.keys = o.keys[:0]
	for s = unblank(s[1 : len(s)-1]); ; {
		key, rest, ok := plainValue(s)
		if !ok || s[0] != '"' || rest == "" || rest[0] != ':' || !o.first(key) {
			return "", false
		}
		s = unblank(rest[1:])
		value, rest, ok := plainValue(s)
		if !ok {
			return "", false
		}
		o.keep(key, value)
		if rest == "" {
			return o.best()
		}
		if rest[0] != ',' {
			return "", false
		}
		s = unblank(rest[1:])
	}
}

// first reports whether the name is there for the first time, and notes it.
func (o *objectReader) first(key string) bool {
	for _, k := range o.keys {
		if k == key {
			return false
		}
	}
	o.keys = append(o.keys, key)
	return len(o.keys) <= 16
}

func (o *objectReader) keep(key, value string) {
	for i, name := range o.names {
		if name == key {
			o.found[i] = value
			return
		}
	}
}

func (o *objectReader) best() (string, bool) {
	for _, value := range o.found {
		if value != "" {
			return value, true
		}
	}
	return "", false
}

// plainValue cuts a string without escapes, or a whole number, off the start
// of s, and the blanks behind it.
func plainValue(s string) (value, rest string, ok bool) {
	if s == "" {
		return "", "", false
	}
	if s[0] == '"' {
		n := strings.IndexByte(s[1:], '"') + 1
		if n == 0 {
			return "", "", false
		}
		value, ok = plainString(s[:n+1])
		return value, unblank(s[n+1:]), ok
	}
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	// RFC 8259 section 6: no leading zero.
	return s[:n], unblank(s[n:]), n > 0 && (n == 1 || s[0] != '0')
}

// unblank takes blanks off the start.
func unblank(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

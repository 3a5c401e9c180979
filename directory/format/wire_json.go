package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Limits of a JSON text that comes from outside.
const (
	maxWireSize  = 4 << 20
	maxWireDepth = 16
)

// object is a JSON object with its members in the order of the text. A value
// is nil, bool, json.Number, string, []any or *object.
type object struct {
	names  []string
	values map[string]any
}

func (o *object) set(name string, value any) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// parseJSON reads one JSON text (RFC 8259) more strictly than encoding/json,
// which lets the last of two equal names win (section 4), and turns what is
// not UTF-8 silently into U+FFFD (section 8).
func parseJSON(data []byte) (any, error) {
	switch {
	case len(data) > maxWireSize:
		return nil, wireProblem("json.too-large", "", "", fmt.Sprintf("more than %d bytes", maxWireSize), "a smaller record")
	case !utf8.Valid(data):
		return nil, wireProblem("json.encoding", "", "", "bytes that are not UTF-8 (RFC 8259 section 8.1)", "UTF-8")
	case loneSurrogate(data):
		return nil, wireProblem("json.encoding", "", "", `a \u escape of half a character (RFC 8259 section 8.2)`, "surrogates in pairs")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	p := jsonParser{d: d}
	v, err := p.value("", 0)
	if err != nil {
		return nil, p.explain(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, wireProblem("json.syntax", "", "", fmt.Sprintf("more text behind the JSON value at byte %d", d.InputOffset()), "one JSON value")
	}
	return v, nil
}

type jsonParser struct{ d *json.Decoder }

func (p *jsonParser) explain(err error) error {
	if _, ok := errors.AsType[directory.Problem](err); ok {
		return err
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		text = "the text ends too early"
	}
	return wireProblem("json.syntax", "", "", fmt.Sprintf("not JSON (RFC 8259) at byte %d: %s", p.d.InputOffset(), text), "")
}

func (p *jsonParser) value(pointer string, depth int) (any, error) {
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth++; depth > maxWireDepth {
		return nil, wireProblem("json.too-deep", "", "", fmt.Sprintf("values are nested more than %d deep", maxWireDepth), "")
	}
	if delim == '{' {
		return p.object(pointer, depth)
	}
	return p.array(pointer, depth)
}

func (p *jsonParser) object(pointer string, depth int) (any, error) {
	o := &object{values: map[string]any{}}
	for p.d.More() {
		t, err := p.d.Token()
		if err != nil {
			return nil, err
		}
		name, at := t.(string), pointer+"/"+escapePointer(t.(string))
		if _, ok := o.values[name]; ok {
			return nil, wireProblem("json.duplicate-key", at, name, "the same name twice in one object (RFC 8259 section 4)", "each name once")
		}
		v, err := p.value(at, depth)
		if err != nil {
			return nil, err
		}
		o.set(name, v)
	}
	_, err := p.d.Token()
	return o, err
}

func (p *jsonParser) array(pointer string, depth int) (any, error) {
	list := []any{}
	for p.d.More() {
		v, err := p.value(pointer+"/"+strconv.Itoa(len(list)), depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := p.d.Token()
	return list, err
}

// escapePointer writes a name as a reference token (RFC 6901 section 3).
func escapePointer(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// loneSurrogate reports whether a \u escape names half a character.
func loneSurrogate(data []byte) bool {
	for i := 0; i+1 < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++
		if data[i] != 'u' {
			continue
		}
		first := hex4(data[i+1:])
		if first < 0xD800 || first > 0xDFFF {
			continue
		}
		rest := data[min(i+5, len(data)):]
		if first > 0xDBFF || len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
			return true
		}
		if second := hex4(rest[2:]); second < 0xDC00 || second > 0xDFFF {
			return true
		}
		i += 10
	}
	return false
}

// hex4 reads four hex digits; -1 when there are none, which the parser reports.
func hex4(b []byte) int {
	if len(b) < 4 {
		return -1
	}
	n, err := strconv.ParseUint(string(b[:4]), 16, 32)
	if err != nil {
		return -1
	}
	return int(n)
}

// wireProblem builds a problem at a JSON pointer.
func wireProblem(code directory.Code, pointer, value, reason, want string) directory.Problem {
	return directory.Problem{Code: code, Field: pointer, Value: shorten(value), Reason: reason, Want: want}
}

// shorten cuts a value that is shown in a problem to 120 bytes.
func shorten(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// pointerTo is the pointer to an item of a list.
func pointerTo(list string, i int) string { return list + "/" + strconv.Itoa(i) }

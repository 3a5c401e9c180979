package format

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// binder fills the wire types from parsed JSON and collects every problem,
// where encoding/json stops at the first and names no place.
type binder struct {
	stored   bool // our own format: what the directory itself sets may be there
	echoed   bool // items may carry what the directory sets, as they were read; it is passed over
	problems []directory.Problem
	fields   map[reflect.Type][]wireField
}

// DecodeProfile decodes a profile strictly: unknown and repeated names, wrong
// types and what only the directory sets are problems. Values are not parsed
// yet; [ProfileFrom] does that.
func DecodeProfile(data []byte) (Profile, []directory.Problem) {
	var w Profile
	return w, decodeInto(data, &w, false)
}

// ReadProfile decodes and parses a profile, and returns the problems of both.
func ReadProfile(data []byte) (directory.Profile, []directory.Problem) {
	var w Profile
	bad := decodeInto(data, &w, false)
	p, more := ProfileFrom(w)
	return p, withoutRepeats(bad, more)
}

func decodeInto(data []byte, to any, stored bool) []directory.Problem {
	v, err := parseJSON(data)
	if err != nil {
		return directory.ProblemsOf(err)
	}
	b := binder{stored: stored}
	b.bind("", v, reflect.ValueOf(to).Elem())
	return b.problems
}

// withoutRepeats adds to bad the problems about values that bad did not
// already find fault with: a number where text belongs is not missing as well.
func withoutRepeats(bad, more []directory.Problem) []directory.Problem {
	known := slices.Clone(bad)
	for _, p := range more {
		if !slices.ContainsFunc(known, func(k directory.Problem) bool {
			return k.Field == p.Field || strings.HasPrefix(p.Field, k.Field+"/")
		}) {
			bad = append(bad, p)
		}
	}
	return bad
}

func (b *binder) add(code directory.Code, pointer, value, reason, want string) {
	b.problems = append(b.problems, wireProblem(code, pointer, value, reason, want))
}

func (b *binder) wrongType(pointer string, v any, want string) {
	b.add("field.type", pointer, jsonText(v), "a value of the wrong type: "+typeName(v), want)
}

func (b *binder) bind(pointer string, v any, to reflect.Value) {
	if to.Type() == reflect.TypeFor[time.Time]() {
		b.time(pointer, v, to)
		return
	}
	switch to.Kind() {
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		b.bind(pointer, v, to.Elem())
	case reflect.Struct:
		b.object(pointer, v, to)
	case reflect.Slice:
		b.list(pointer, v, to)
	case reflect.Map:
		b.table(pointer, v, to)
	case reflect.String:
		s, ok := v.(string)
		if !ok {
			b.wrongType(pointer, v, "text")
			return
		}
		to.SetString(s)
	case reflect.Bool:
		t, ok := v.(bool)
		if !ok {
			b.wrongType(pointer, v, "true or false")
			return
		}
		to.SetBool(t)
	default:
		b.number(pointer, v, to)
	}
}

func (b *binder) number(pointer string, v any, to reflect.Value) {
	n, ok := v.(json.Number)
	if !ok || strings.ContainsAny(n.String(), ".eE") {
		b.wrongType(pointer, v, "a whole number")
		return
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || to.OverflowInt(i) {
		b.add("field.range", pointer, n.String(), "a number that is too large", "")
		return
	}
	to.SetInt(i)
}

func (b *binder) time(pointer string, v any, to reflect.Value) {
	s, ok := v.(string)
	if !ok {
		b.wrongType(pointer, v, "a time such as 2026-11-21T20:00:00Z")
		return
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		b.add("time.syntax", pointer, s, "not a date and time (RFC 3339 section 5.6)", "a time such as 2026-11-21T20:00:00Z")
		return
	}
	to.Set(reflect.ValueOf(t.UTC()))
}

func (b *binder) list(pointer string, v any, to reflect.Value) {
	items, ok := v.([]any)
	if !ok {
		b.wrongType(pointer, v, "a list")
		return
	}
	to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
	for i, item := range items {
		b.bind(pointer+"/"+strconv.Itoa(i), item, to.Index(i))
	}
}

func (b *binder) table(pointer string, v any, to reflect.Value) {
	o, ok := v.(*object)
	if !ok {
		b.wrongType(pointer, v, "an object")
		return
	}
	to.Set(reflect.MakeMap(to.Type()))
	for _, name := range o.names {
		item := reflect.New(to.Type().Elem()).Elem()
		b.bind(pointer+"/"+escapePointer(name), o.values[name], item)
		to.SetMapIndex(reflect.ValueOf(name), item)
	}
}

func (b *binder) object(pointer string, v any, to reflect.Value) {
	o, ok := v.(*object)
	if !ok {
		b.wrongType(pointer, v, "an object")
		return
	}
	fields, ok := b.fields[to.Type()]
	if !ok {
		if b.fields == nil {
			b.fields = map[reflect.Type][]wireField{}
		}
		fields = wireFields(to.Type())
		b.fields[to.Type()] = fields
	}
	for _, name := range o.names {
		at := pointer + "/" + escapePointer(name)
		i := slices.IndexFunc(fields, func(f wireField) bool { return f.name == name })
		switch {
		case i < 0:
			b.problems = append(b.problems, unknownField(at, name, fields))
		case o.values[name] == nil && b.lenient(): // as if it were not there
		case fields[i].readOnly && b.echoed:
		case fields[i].readOnly && !b.stored:
			b.add("field.read-only", at, jsonText(o.values[name]), "only the directory itself sets this", "leave it out")
		default:
			b.bind(at, o.values[name], to.FieldByIndex(fields[i].index))
		}
	}
}

// lenient reports whether null may stand for nothing: in what we or an older
// version of ours wrote. In a request it is a mistake; only a merge patch has a
// meaning for it, and has given it that before.
func (b *binder) lenient() bool { return b.stored || b.echoed }

// wireField is one member that a wire type knows.
type wireField struct {
	name     string
	index    []int
	readOnly bool
}

func wireFields(t reflect.Type) []wireField {
	var fields []wireField
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" {
			continue
		}
		fields = append(fields, wireField{name, f.Index, f.Tag.Get("readOnly") == "true"})
	}
	return fields
}

func unknownField(pointer, name string, fields []wireField) directory.Problem {
	best, names := "", make([]string, len(fields))
	least := 3
	for i, f := range fields {
		names[i] = f.name
		if d := editDistance(strings.ToLower(name), f.name); d < least && d < len(f.name) {
			best, least = f.name, d
		}
	}
	want := "one of " + strings.Join(names, ", ")
	if best != "" {
		want = "perhaps " + best
	}
	return wireProblem("field.unknown", pointer, name, "there is no field of this name", want)
}

// editDistance counts the letters to add, drop or change (Levenshtein); names
// far longer than any of ours are far from all of them.
func editDistance(a, b string) int {
	if len(a) > 2*len(b)+4 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}

// typeName names the JSON type of a parsed value.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	}
	return "an object"
}

// jsonText shows a parsed value in a problem.
func jsonText(v any) string {
	switch v := v.(type) {
	case *object:
		return "{…}"
	case []any:
		return "[…]"
	case string:
		return v
	}
	return strings.ReplaceAll(fmt.Sprint(v), "<nil>", "null")
}

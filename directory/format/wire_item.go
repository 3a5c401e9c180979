package format

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Item is the wire type of an item of one of a profile's lists.
type Item interface {
	Contact | Key | Resource | Section | Membership | Designation
}

// DecodeItem decodes one item as a client sends it. What only the directory
// sets is passed over, so that an item can be read, changed and sent back.
// Values are not parsed yet; [ItemFrom] does that.
func DecodeItem[T Item](data []byte) (item T, bad []directory.Problem) {
	v, err := parseJSON(data)
	if err != nil {
		return item, directory.ProblemsOf(err)
	}
	b := binder{echoed: true}
	b.bind("", v, reflect.ValueOf(&item).Elem())
	return item, b.problems
}

// PatchItem applies a JSON merge patch (RFC 7396) to an item.
func PatchItem[T Item](item T, patch []byte) (out T, bad []directory.Problem) {
	v, err := parseJSON(patch)
	if err != nil {
		return out, directory.ProblemsOf(err)
	}
	b := binder{echoed: true}
	if _, ok := v.(*object); !ok {
		b.wrongType("", v, "an object (RFC 7396 section 2)")
		return out, b.problems
	}
	text, err := json.Marshal(item)
	if err != nil {
		return out, []directory.Problem{wireProblem("value.invalid", "", "", err.Error(), "")}
	}
	now, err := parseJSON(text)
	if err != nil {
		return out, directory.ProblemsOf(err)
	}
	b.bind("", v, reflect.ValueOf(new(T)).Elem()) // what the patch itself has, a wrong name set to null too
	if len(b.problems) > 0 {
		return out, b.problems
	}
	b.bind("", mergePatch(now, v), reflect.ValueOf(&out).Elem())
	return out, b.problems
}

// ItemFrom parses one item. list is the wire name of the profile's list that it
// belongs to; home is the country whose phone numbers need no country code. The
// profile has that list alone, with the one item, and the pointers of the
// problems begin at the item.
func ItemFrom[T Item](list string, item T, home directory.Country) (directory.Profile, []directory.Problem) {
	var w Profile
	field := wireList(&w, list)
	field.Set(reflect.ValueOf([]T{item}))
	p := parser{home: home}
	out := p.profile("", w)
	for i := range p.problems {
		p.problems[i].Field = strings.TrimPrefix(p.problems[i].Field, "/"+list+"/0")
	}
	return out, p.problems
}

// wireList returns the list of w with a wire name.
func wireList(w *Profile, name string) reflect.Value {
	v := reflect.ValueOf(w).Elem()
	for _, f := range wireFields(v.Type()) {
		if f.name == name {
			return v.FieldByIndex(f.index)
		}
	}
	panic("format: a profile has no list " + name)
}

// ReplaceProfile reads a whole team as it shall be: what a field of the team's
// own is not given, it loses, so that an imported value shows again. What only
// the directory sets is passed over. The handle is the one in data, if any.
func ReplaceProfile(own directory.Profile, data []byte) (directory.Profile, string, []directory.Problem) {
	v, err := parseJSON(data)
	if err != nil {
		return own, "", directory.ProblemsOf(err)
	}
	p := patcher{own: own}
	p.echoed = true
	var w Team
	p.bind("", v, reflect.ValueOf(&w).Elem())
	p.contacts(&w.Profile)
	from := parser{}
	next := from.profile("", w.Profile)
	if bad := withoutRepeats(p.problems, from.problems); len(bad) > 0 {
		return own, w.Handle, bad
	}
	return next, w.Handle, nil
}

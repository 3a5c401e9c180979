package format

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// PatchProfile applies a JSON merge patch (RFC 7396) to what a team entered
// and returns the new profile and the wire names of the fields it touched.
//
// null clears the team's own value, so that an imported one shows again; a
// list replaces the whole list; names, constituency and maturity are merged
// member by member. What only the directory sets is refused; within the items
// of a list it is passed over, so that a list can be read, changed and sent
// back. The members id and handle name the team and are left to the caller.
// With any problem the profile is own, unchanged.
func PatchProfile(own directory.Profile, patch []byte) (directory.Profile, []string, []directory.Problem) {
	v, err := parseJSON(patch)
	if err != nil {
		return own, nil, directory.ProblemsOf(err)
	}
	o, ok := v.(*object)
	if !ok {
		b := binder{}
		b.wrongType("", v, "an object (RFC 7396 section 2)")
		return own, nil, b.problems
	}
	p := patcher{own: own, wire: ProfileTo(own)}
	p.echoed = true
	target := p.target(o)
	var w Profile
	p.bind("", target, reflect.ValueOf(&w).Elem())
	p.contacts(&w)
	from := parser{home: own.Country}
	parsed := from.profile("", w)
	if bad := withoutRepeats(p.problems, from.problems); len(bad) > 0 {
		return own, nil, bad
	}
	for _, name := range p.touched {
		fieldOf(&own, name).Set(fieldOf(&parsed, name))
	}
	return own, p.touched, nil
}

// patcher applies one patch.
type patcher struct {
	binder
	own     directory.Profile
	wire    Profile // of own
	touched []string
}

// target returns the fields that the patch touches as they shall be. Fields it
// does not touch are not parsed again: a rule that came later must not keep a
// team from editing something else.
func (p *patcher) target(patch *object) *object {
	fields := wireFields(reflect.TypeFor[Team]())
	out := &object{values: map[string]any{}}
	for _, name := range patch.names {
		at := "/" + escapePointer(name)
		i := slices.IndexFunc(fields, func(f wireField) bool { return f.name == name })
		switch {
		case name == "id" || name == "handle":
		case i < 0:
			p.problems = append(p.problems, unknownField(at, name, wireFields(reflect.TypeFor[Profile]())))
		case fields[i].readOnly:
			p.add("field.read-only", at, jsonText(patch.values[name]), "only the directory itself sets this", "leave it out")
		default:
			p.touched = append(p.touched, name)
			out.set(name, mergePatch(p.ownValue(name), patch.values[name]))
		}
	}
	return out
}

// ownValue returns a field of the team's own profile where a patch merges into
// it: when it is an object.
func (p *patcher) ownValue(name string) any {
	fields := wireFields(reflect.TypeFor[Profile]())
	i := slices.IndexFunc(fields, func(f wireField) bool { return f.name == name })
	f := reflect.ValueOf(p.wire).FieldByIndex(fields[i].index)
	if f.Kind() != reflect.Pointer || f.IsNil() {
		return nil
	}
	text, err := json.Marshal(f.Interface())
	if err != nil {
		return nil // the wire types hold nothing that encoding/json can't write
	}
	v, err := parseJSON(text)
	if err != nil {
		return nil
	}
	return v
}

// contacts gives the contacts that the team has what only the directory sets:
// a patch can't name it.
func (p *patcher) contacts(w *Profile) {
	known := map[string]directory.Contact{}
	for _, c := range p.own.Contacts {
		known[string(c.ID)] = c
	}
	for i := range w.Contacts {
		c := &w.Contacts[i]
		if have, ok := known[strings.ToLower(c.ID)]; ok {
			c.Revision, c.Since = have.Revision, utc(have.Since)
		}
	}
}

// mergePatch is the algorithm of RFC 7396 section 2.
func mergePatch(target, patch any) any {
	p, ok := patch.(*object)
	if !ok {
		return patch
	}
	out := &object{values: map[string]any{}}
	if t, ok := target.(*object); ok {
		for _, name := range t.names {
			out.set(name, t.values[name])
		}
	}
	for _, name := range p.names {
		if p.values[name] == nil {
			out.remove(name)
			continue
		}
		out.set(name, mergePatch(out.values[name], p.values[name]))
	}
	return out
}

func (o *object) remove(name string) {
	delete(o.values, name)
	o.names = slices.DeleteFunc(o.names, func(n string) bool { return n == name })
}

// fieldOf returns the field of a profile with a wire name, which is the Go
// name in lower case.
func fieldOf(p *directory.Profile, name string) reflect.Value {
	return reflect.ValueOf(p).Elem().FieldByNameFunc(func(n string) bool { return strings.ToLower(n) == name })
}

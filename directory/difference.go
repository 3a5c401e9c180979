package directory

import (
	"encoding/json"
	"reflect"
	"strings"
)

// fieldChanges lists the differences of two profiles as text for people.
func fieldChanges(before, after *Profile) []FieldChange {
	var list []FieldChange
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range b.NumField() {
		old, now := fieldText(b.Field(i)), fieldText(a.Field(i))
		if old != now {
			field := strings.ToLower(b.Type().Field(i).Name)
			list = append(list, FieldChange{Field: field, Before: cut(old, 200), After: cut(now, 200)})
		}
	}
	return list
}

// fieldText prints a field of a profile in one line, without what the
// directory added to it: ids, dates, origins.
func fieldText(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	switch x := v.Interface().(type) {
	case Names:
		return joined(" / ", append(append([]string{x.Short, x.Full}, x.Other...), x.Former...)...)
	case Hours:
		return x.String()
	case []Contact:
		return listText(x, func(c Contact) string { return c.Channel + " " + c.Value + " " + strings.Join(c.Uses, "+") })
	case []Resource:
		return listText(x, Resource.Value)
	case []TeamKey:
		return listText(x, func(k TeamKey) string { return string(k.Fingerprint) })
	case []Section:
		return listText(x, Section.key)
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return "?"
	}
	return strings.Trim(string(text), `"`)
}

func listText[T any](list []T, text func(T) string) string {
	parts := make([]string, len(list))
	for i, item := range list {
		parts[i] = strings.TrimSpace(text(item))
	}
	return strings.Join(parts, ", ")
}

func joined(sep string, parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}

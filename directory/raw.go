package directory

import (
	"slices"
	"strings"
)

// Raw is what a source says in its own words where no field could take it, or
// not all of it: hours that are no hours, a fax number, a second website. It is
// kept with the layer, so that a person can look and an export in the source's
// shape can give it back. Nothing is decided by it.
type Raw struct {
	Field      string // that it would belong to: "hours", "contacts.fax"
	Text       string // at most 1,000 characters
	Visibility TLP    `json:",omitzero"` // "" is CLEAR
	Origin     Origin `json:"-"`         // set in a [Team] only
}

// rawOf collects what the layers keep in the sources' own words. Where the team
// itself entered a field, nobody needs them any more.
func (r *Record) rawOf(precedence []int) []Raw {
	if !slices.ContainsFunc(r.Layers, func(l Layer) bool { return len(l.Raw) > 0 }) {
		return nil // as of most: this runs for every team that is read
	}
	var list []Raw
	entered := changed(&Profile{}, &r.Own)
	for _, i := range precedence {
		l := &r.Layers[i]
		for _, x := range l.Raw {
			field, _, _ := strings.Cut(x.Field, ".")
			same := func(have Raw) bool { return have.Field == x.Field && have.Text == x.Text }
			if slices.Contains(entered, field) || slices.ContainsFunc(list, same) {
				continue
			}
			x.Origin = Origin{Source: l.Source, AsOf: l.AsOf, At: l.At}
			list = append(list, x)
		}
	}
	return list
}

// rawText prints them in one line.
func rawText(list []Raw) string {
	return listText(list, func(r Raw) string { return r.Field + ": " + strings.Join(strings.Fields(r.Text), " ") })
}

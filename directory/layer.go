package directory

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Team merges what the team entered with the imported layers. What the team
// entered wins, field by field: a list it entered is the whole list, except
// for memberships and designations, which are entered one by one. Where it
// entered nothing, a single value comes from the layer with the newest day,
// and a list is the union of the layers'. What another team entered before it
// became part of this one comes second, and before what was imported.
func (r *Record) Team() Team {
	t := Team{
		ID: r.ID, Handle: r.Handle, Revision: r.Revision, Seq: r.Seq, Created: r.Created, Updated: r.Updated,
		Deleted: r.Deleted, MergedInto: r.MergedInto, Evidence: r.Evidence, Origins: map[string]Origin{},
	}
	m := merger{team: &t}
	m.add(&r.Own, Origin{Source: SourceTeam, At: r.OwnAt}, r.OwnDates)
	t.Sources = make([]TeamSource, 0, len(r.Layers)+1)
	if !r.Own.Names.isZero() || r.Own.Contacts != nil {
		t.Sources = append(t.Sources, TeamSource{Source: SourceTeam})
	}
	for i := range r.Layers {
		t.Sources = append(t.Sources, TeamSource{Source: r.Layers[i].Source, Key: r.Layers[i].Key, ID: r.Layers[i].ID})
	}
	order := r.precedence()
	for _, i := range order {
		l := &r.Layers[i]
		m.add(&l.Profile, Origin{Source: l.Source, AsOf: l.AsOf, At: l.At}, l.Dates)
	}
	t.confirm(r.Controls)
	t.succeed(r.Successions, r.FormerKeys)
	t.Raw = r.rawOf(order)
	t.Checks = t.onlyOf(r.Checks)
	return t
}

// mergedPrefix begins the name of the layer that holds what a team had entered
// itself before it became part of another one; its handle follows.
const mergedPrefix = "merged:"

// entered reports whether values of a source were entered by people here, and
// not imported.
func entered(source string) bool {
	return source == SourceTeam || strings.HasPrefix(source, mergedPrefix)
}

func (n *Names) isZero() bool {
	return n.Short == "" && n.Full == "" && n.Former == nil && n.Other == nil
}

// precedence orders the layers: what people entered before what was imported,
// then the newest day first, then the newest import, then by name, so that the
// order never depends on chance.
func (r *Record) precedence() []int {
	order := make([]int, len(r.Layers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &r.Layers[a], &r.Layers[b]
		if p, q := entered(x.Source), entered(y.Source); p != q {
			if p {
				return -1
			}
			return 1
		}
		return cmp.Or(y.AsOf.Compare(x.AsOf), y.At.Compare(x.At), strings.Compare(x.Source, y.Source), strings.Compare(x.Key, y.Key))
	})
	return order
}

// listsOfOthers is the number, in merger.lists, of the first list whose items
// are decided by others: an item that was entered wins over an imported one
// for the same forum or country, and leaves the rest of the list as it is.
const listsOfOthers = 4

// merger builds a [Team] from layers given in the order of their weight.
type merger struct {
	team   *Team
	closed [listsOfOthers]bool // lists that people entered, numbered as in lists
	people bool                // what is being added was entered by people
}

func (m *merger) add(p *Profile, origin Origin, dates Dates) {
	t := m.team
	m.people = entered(origin.Source)
	o := func(field string) Origin { return origin.since(dates[field]) }
	m.names(&p.Names, o("names"))
	pick(t, "status", &t.Status, p.Status, o)
	pick(t, "host", &t.Host, p.Host, o)
	pick(t, "country", &t.Country, p.Country, o)
	pick(t, "address", &t.Address, p.Address, o)
	pick(t, "zone", &t.Zone, p.Zone, o)
	pick(t, "website", &t.Website, p.Website, o)
	pick(t, "established", &t.Established, p.Established, o)
	if t.Hours.IsZero() && !p.Hours.IsZero() {
		t.Hours, t.Origins["hours"] = p.Hours, o("hours")
	}
	if t.Maturity.IsZero() && !p.Maturity.IsZero() {
		t.Maturity, t.Origins["maturity"] = p.Maturity, o("maturity")
	}
	m.constituency(&p.Constituency, o("constituency"))
	words(t, "kinds", &t.Kinds, p.Kinds, o("kinds"))
	words(t, "holidays", &t.Holidays, p.Holidays, o("holidays"))
	words(t, "languages", &t.Languages, p.Languages, o("languages"))
	words(t, "services", &t.Services, p.Services, o("services"))
	m.lists(p, origin, o)
}

func (m *merger) lists(p *Profile, origin Origin, o func(string) Origin) {
	t := m.team
	at := o("resources")
	items(m, 0, &t.Resources, p.Resources, Resource.Key, func(r *Resource) { r.Origin = at })
	items(m, 1, &t.Contacts, p.Contacts, Contact.Key, func(c *Contact) {
		c.Origin = origin.since(c.Since)
		c.Vouched = c.Vouched && m.people // a source stands for what it lists anyway
	})
	at = o("keys")
	items(m, 2, &t.Keys, p.Keys, func(k TeamKey) string { return string(k.Fingerprint) }, func(k *TeamKey) { k.Origin = at })
	at = o("prose")
	items(m, 3, &t.Prose, p.Prose, Section.key, func(s *Section) { s.Origin = at })
	at = o("memberships")
	items(m, 4, &t.Memberships, p.Memberships, func(x Membership) string { return x.Forum }, func(x *Membership) { x.Origin = at })
	at = o("designations")
	items(m, 5, &t.Designations, p.Designations, Designation.key, func(d *Designation) { d.Origin = at })
}

// since returns o with its time replaced by t, if t is known.
func (o Origin) since(t time.Time) Origin {
	if !t.IsZero() {
		o.At = t
	}
	return o
}

// redate returns since when each field of after has had its value, given what
// held of before until at, its last writing.
func redate(before, after *Profile, old Dates, at time.Time) Dates {
	var dates Dates
	news := changed(before, after)
	v := reflect.ValueOf(after).Elem()
	for i := range v.NumField() {
		field := strings.ToLower(v.Type().Field(i).Name)
		if v.Field(i).IsZero() || slices.Contains(news, field) || at.IsZero() {
			continue
		}
		if dates == nil {
			dates = Dates{}
		}
		dates[field] = at
		if t, ok := old[field]; ok {
			dates[field] = t
		}
	}
	return dates
}

func (s Section) key() string     { return s.Number + "/" + string(s.Language) }
func (d Designation) key() string { return string(d.Country) + "/" + d.Scope }

// pick takes a single value from the first layer that has one.
func pick[T ~string](t *Team, field string, to *T, from T, o func(string) Origin) {
	if *to == "" && from != "" {
		*to, t.Origins[field] = from, o(field)
	}
}

// words takes a plain list: one that people entered, else the union of the layers'.
func words[T ~string](t *Team, field string, to *[]T, from []T, o Origin) {
	if from == nil || entered(t.Origins[field].Source) {
		return
	}
	if _, ok := t.Origins[field]; !ok {
		t.Origins[field] = o
		*to = from
		return
	}
	for _, w := range from {
		if !slices.Contains(*to, w) {
			*to = append(slices.Clip(*to), w)
		}
	}
}

// items takes a list whose items have a key and an origin of their own.
func items[T any](m *merger, list int, to *[]T, from []T, key func(T) string, mark func(*T)) {
	if from == nil {
		return
	}
	if list < listsOfOthers && m.closed[list] {
		recognise(*to, from, key, mark)
		return
	}
	// What forums and governments decide is never one list of the team's.
	if m.people && list < listsOfOthers {
		m.closed[list] = true
	}
	if *to == nil {
		*to = make([]T, 0, len(from))
	}
	have := make(map[string]bool, len(*to))
	for _, item := range *to {
		have[key(item)] = true
	}
	for _, item := range from {
		if have[key(item)] {
			continue
		}
		mark(&item)
		*to = append(*to, item)
	}
}

// recognise gives an item that was entered just as a source has it the origin
// of the source: sending a list back does not make old values new.
func recognise[T any](own, from []T, key func(T) string, mark func(*T)) {
	if len(own) == 0 || len(from) == 0 {
		return
	}
	theirs := make(map[string]T, len(from))
	for _, item := range from {
		theirs[key(item)] = item
	}
	for i := range own {
		item, ok := theirs[key(own[i])]
		if !ok {
			continue
		}
		mine := own[i]
		mark(&mine)
		mark(&item)
		if reflect.DeepEqual(mine, item) {
			own[i] = mine
		}
	}
}

// names keeps the first short and full name, and every other one as a name
// under which the team is found too.
func (m *merger) names(n *Names, o Origin) {
	t := m.team
	if n.isZero() {
		return
	}
	if _, ok := t.Origins["names"]; !ok {
		t.Origins["names"] = o
		t.Names = *n
		return
	}
	t.Names.Former = addNames(t.Names, t.Names.Former, n.Former...)
	t.Names.Other = addNames(t.Names, t.Names.Other, slices.Concat([]string{n.Short, n.Full}, n.Other)...)
}

func addNames(have Names, list []string, more ...string) []string {
	for _, name := range more {
		if name != "" && name != have.Short && name != have.Full && !slices.Contains(list, name) {
			list = append(slices.Clip(list), name)
		}
	}
	return list
}

func (m *merger) constituency(c *Constituency, o Origin) {
	t := m.team
	if c.Types == nil && c.Sectors == nil && c.Countries == nil && c.Text == "" {
		return
	}
	if t.Origins["constituency"].Source == "" {
		t.Origins["constituency"] = o
	}
	have := &t.Constituency
	if have.Types == nil {
		have.Types = c.Types
	}
	if have.Sectors == nil {
		have.Sectors = c.Sectors
	}
	if have.Countries == nil {
		have.Countries = c.Countries
	}
	if have.Text == "" {
		have.Text = c.Text
	}
}

// changed names the top-level fields, as on the wire, in which two profiles
// differ.
func changed(before, after *Profile) []string {
	var fields []string
	x, y := bare(*before), bare(*after)
	b, a := reflect.ValueOf(&x).Elem(), reflect.ValueOf(&y).Elem()
	for i := range b.NumField() {
		if !reflect.DeepEqual(b.Field(i).Interface(), a.Field(i).Interface()) {
			fields = append(fields, strings.ToLower(b.Type().Field(i).Name))
		}
	}
	return fields
}

// bare returns p without origins and dates, which say nothing about the values.
func bare(p Profile) Profile {
	p.Resources = each(p.Resources, func(r *Resource) { r.Origin = Origin{} })
	p.Contacts = each(p.Contacts, func(c *Contact) { c.Origin, c.Since = Origin{}, time.Time{} })
	p.Keys = each(p.Keys, func(k *TeamKey) { k.Origin, k.Continuity = Origin{}, "" })
	p.Prose = each(p.Prose, func(s *Section) { s.Origin = Origin{} })
	p.Memberships = each(p.Memberships, func(m *Membership) { m.Origin = Origin{} })
	p.Designations = each(p.Designations, func(d *Designation) { d.Origin = Origin{} })
	return p
}

func each[T any](list []T, do func(*T)) []T {
	list = slices.Clone(list)
	for i := range list {
		do(&list[i])
	}
	return list
}

// length counts characters as people do, for the limits of text fields.
func length(s string) int { return utf8.RuneCountInString(s) }

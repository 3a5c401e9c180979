package directory

import (
	"strconv"
	"sync"
)

// tier is what kind of text of a team something was found in: the higher, the
// more it says that the team itself is meant.
type tier uint8

const (
	tierProse        tier = iota
	tierConstituency      // whom the team serves, and where
	tierHost              // the organisations behind it
	tierName
)

// searchField is one text of a team that is searched.
type searchField struct {
	kind  fieldKind
	item  int // in the list that kind names
	label TLP
	text  string
}

// fieldKind says where in a team a text is.
type fieldKind uint8

const (
	fieldHandle fieldKind = iota
	fieldShort
	fieldFull
	fieldFormer
	fieldOther
	fieldHost
	fieldHolder
	fieldServes
	fieldType
	fieldSector
	fieldServed
	fieldCountry
	fieldDomain
	fieldProse
)

// fieldInfo has a row for each kind of field: where it ranks, and its JSON
// pointer (RFC 6901) into the team as it goes over the wire, with * for the
// number of the item.
var fieldInfo = [...]struct {
	tier   tier
	before string
	after  string
	list   bool
}{
	fieldHandle:  {tierName, "/handle", "", false},
	fieldShort:   {tierName, "/names/short", "", false},
	fieldFull:    {tierName, "/names/full", "", false},
	fieldFormer:  {tierName, "/names/former/", "", true},
	fieldOther:   {tierName, "/names/other/", "", true},
	fieldHost:    {tierHost, "/host", "", false},
	fieldHolder:  {tierHost, "/resources/", "/holder", true},
	fieldServes:  {tierConstituency, "/constituency/text", "", false},
	fieldType:    {tierConstituency, "/constituency/types/", "/type", true},
	fieldSector:  {tierConstituency, "/constituency/sectors/", "", true},
	fieldServed:  {tierConstituency, "/constituency/countries/", "", true},
	fieldCountry: {tierConstituency, "/country", "", false},
	fieldDomain:  {tierConstituency, "/resources/", "/value", true},
	fieldProse:   {tierProse, "/prose/", "/text", true},
}

func (f *searchField) tier() tier { return fieldInfo[f.kind].tier }

func (f *searchField) pointer() string {
	i := &fieldInfo[f.kind]
	if !i.list {
		return i.before
	}
	return i.before + strconv.Itoa(f.item) + i.after
}

// nameFields yields the names of a team. They are shown to everyone.
func nameFields(t *Team, yield func(searchField)) {
	yield(searchField{fieldHandle, 0, Clear, string(t.Handle)})
	yield(searchField{fieldShort, 0, Clear, t.Names.Short})
	yield(searchField{fieldFull, 0, Clear, t.Names.Full})
	for i, n := range t.Names.Former {
		yield(searchField{fieldFormer, i, Clear, n})
	}
	for i, n := range t.Names.Other {
		yield(searchField{fieldOther, i, Clear, n})
	}
}

// textFields yields every other text of a team that is searched, the higher
// tiers first. What else a team has is looked up, not searched: addresses,
// keys, contacts.
func textFields(t *Team, yield func(searchField)) {
	yield(searchField{fieldHost, 0, Clear, t.Host})
	for i := range t.Resources {
		if r := &t.Resources[i]; r.Holder != "" {
			yield(searchField{fieldHolder, i, r.Visibility, r.Holder})
		}
	}
	yield(searchField{fieldServes, 0, Clear, t.Constituency.Text})
	for i, c := range t.Constituency.Types {
		yield(searchField{fieldType, i, Clear, c.Type})
	}
	for i, s := range t.Constituency.Sectors {
		yield(searchField{fieldSector, i, Clear, s})
	}
	for i, c := range t.Constituency.Countries {
		yield(searchField{fieldServed, i, Clear, c.searched()})
	}
	yield(searchField{fieldCountry, 0, Clear, t.Country.searched()})
	for i := range t.Resources {
		if r := &t.Resources[i]; r.Type == "domain" {
			yield(searchField{fieldDomain, i, r.Visibility, string(r.Domain)})
		}
	}
	for i := range t.Prose {
		s := &t.Prose[i]
		yield(searchField{fieldProse, i, s.Visibility, s.Text})
	}
}

// searched returns the words by which a country is found: its code and its
// English name.
func (c Country) searched() string { return searchedCountries()[c] }

var searchedCountries = sync.OnceValue(func() map[Country]string {
	words := map[Country]string{}
	for c, name := range countryNames() {
		words[c] = string(c) + " " + name
	}
	return words
})

// foldedNames returns the distinct names and the handle of a team, folded.
func foldedNames(t *Team) []string {
	var list []string
	nameFields(t, func(f searchField) {
		n := foldName(f.text)
		for _, known := range list {
			if known == n {
				return
			}
		}
		if n != "" {
			list = append(list, n)
		}
	})
	return list
}

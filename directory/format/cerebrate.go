package format

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// cerebrateOrg is one organisation of Cerebrate's index, or of MISP's, whose
// members are fewer. Contact data is in meta fields, whose names the templates
// give: FIRST Directory, ENISA CSIRT Network, CSIRT Constituency and others.
type cerebrateOrg struct {
	ID          json.Number   `json:"id"`
	UUID        string        `json:"uuid"`
	Name        string        `json:"name"`
	Nationality string        `json:"nationality"`
	Sector      string        `json:"sector"`
	Type        string        `json:"type"`
	URL         string        `json:"url"`
	Contacts    string        `json:"contacts"`
	Description string        `json:"description"`
	Modified    string        `json:"modified"`
	DateChanged string        `json:"date_modified"`
	MetaFields  metaFields    `json:"meta_fields"`
	Fields      metaFields    `json:"MetaFields"`
	Templates   metaTemplates `json:"MetaTemplates"`
}

// metaField is one value of a field of a template.
type metaField struct {
	Template string `json:"meta_template,omitempty"`
	Field    string `json:"field"`
	Value    string `json:"value"`
}

// metaFields are a list of fields, or an object from name to value, or to
// several.
type metaFields []metaField

// UnmarshalJSON reads either.
func (l *metaFields) UnmarshalJSON(data []byte) error {
	*l = nil
	if data[0] == '[' {
		var items []struct {
			Template json.RawMessage `json:"meta_template"`
			Field    string          `json:"field"`
			Value    oneOrMore       `json:"value"`
		}
		err := json.Unmarshal(data, &items)
		for _, x := range items {
			for _, v := range x.Value {
				*l = append(*l, metaField{templateName(x.Template), x.Field, v})
			}
		}
		return err
	}
	var table map[string]oneOrMore
	if err := json.Unmarshal(data, &table); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		for _, v := range table[name] {
			*l = append(*l, metaField{Field: name, Value: v})
		}
	}
	return nil
}

// templateName reads the name of a template, or the template.
func templateName(data json.RawMessage) string {
	var name string
	var template struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(data, &name) != nil && json.Unmarshal(data, &template) == nil {
		name = template.Name
	}
	return name
}

// metaTemplates are fields as Cerebrate's pages of one organisation have them:
// under each template its fields, and under each field its values.
type metaTemplates []metaField

// UnmarshalJSON reads a list of templates, or an object from id to template.
func (l *metaTemplates) UnmarshalJSON(data []byte) error {
	templates, err := listOrTable(data)
	if err != nil {
		return err
	}
	for _, raw := range templates {
		var t struct {
			Name   string          `json:"name"`
			Fields json.RawMessage `json:"meta_template_fields"`
		}
		if err := json.Unmarshal(raw, &t); err != nil {
			return err
		}
		fields, err := listOrTable(t.Fields)
		if err != nil {
			return err
		}
		for _, raw := range fields {
			var f struct {
				Field  string          `json:"field"`
				Values json.RawMessage `json:"metaFields"`
			}
			if err := json.Unmarshal(raw, &f); err != nil {
				return err
			}
			if err := l.values(t.Name, f.Field, f.Values); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *metaTemplates) values(template, field string, data json.RawMessage) error {
	values, err := listOrTable(data)
	for _, raw := range values {
		var v struct {
			Value oneOrMore `json:"value"`
		}
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		for _, s := range v.Value {
			*l = append(*l, metaField{template, field, s})
		}
	}
	return err
}

// listOrTable returns the items of a list, or the values of an object in the
// order of their names: PHP writes either, as the keys happen to be.
func listOrTable(data json.RawMessage) ([]json.RawMessage, error) {
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0 || string(data) == "null":
		return nil, nil
	case data[0] == '[':
		var list []json.RawMessage
		return list, json.Unmarshal(data, &list)
	}
	var table map[string]json.RawMessage
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, err
	}
	var list []json.RawMessage
	for _, name := range slices.Sorted(maps.Keys(table)) {
		list = append(list, table[name])
	}
	return list, nil
}

// Cerebrate reads the organisations of Cerebrate (organisations/index.json,
// with ?full=1 for the meta fields), or of MISP. Row counts the organisations,
// from 1. The UUID is the team's. A field that is not known, or that can't be
// read, is a Note with the raw value, which is kept, and the rest is taken.
func Cerebrate(r io.Reader) directory.ImportItems {
	l := &jsonList{what: "a JSON array of organisations, as organisations/index.json is", bare: true}
	return l.listed(r, cerebrateItems)
}

func cerebrateItems(row int, raw json.RawMessage) []directory.ImportItem {
	var wrapped struct {
		Organisation json.RawMessage `json:"Organisation"`
	}
	if json.Unmarshal(raw, &wrapped) == nil && len(wrapped.Organisation) > 0 {
		raw = wrapped.Organisation // as MISP does
	}
	var w cerebrateOrg
	if err := json.Unmarshal(raw, &w); err != nil {
		return skippedRow(row, wireProblem("field.type", "", string(raw), "not an organisation of Cerebrate: "+err.Error(), ""))
	}
	c := cerebrateReader{}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skippedRow(row, wireProblem("field.missing", "/name", "", "the organisation has no name", ""))
	}
	id := optional(&c.parser, "/uuid", w.UUID, directory.ParseTeamID)
	return c.items(row, directory.SourceRecord{
		Key: cmp.Or(string(id), "name:"+strings.ToLower(name)), ID: id, Handle: wishHandle(name), Profile: p,
		AsOf: c.moment("/modified", cmp.Or(w.Modified, w.DateChanged)),
	})
}

// cerebrateReader reads one organisation.
type cerebrateReader struct {
	teamReader
	fields map[string][]string // of the templates, by folded name
}

func (c *cerebrateReader) profile(w cerebrateOrg) directory.Profile {
	var p directory.Profile
	// A name that is too long to be a short one is the full one.
	if name := c.name("/name", w.Name, 300); len([]rune(name)) > 100 {
		p.Names.Full = name
	} else {
		p.Names.Short = name
	}
	c.collect(slices.Concat(w.MetaFields, w.Fields, metaFields(w.Templates)))
	p.Country = c.country("/nationality", "country", notWord(w.Nationality), "")
	c.kinds(&p, "/type", notWord(w.Type))
	c.website(&p, "/url", w.URL)
	p.Constituency.Text = c.text("/description", w.Description, 4000)
	// In a fixed order, so that the country is known before the telephone.
	for _, f := range cerebrateFields() {
		for name := range strings.SplitSeq(f.names, "|") {
			for _, value := range c.fields[name] {
				f.read(c, &p, "/meta_fields/"+escapePointer(name), value)
			}
			delete(c.fields, name)
		}
		c.home = p.Country
	}
	c.sector(&p, "/sector", notWord(w.Sector))
	c.contacts(&p, w.Contacts)
	for _, name := range slices.Sorted(maps.Keys(c.fields)) {
		for _, value := range c.fields[name] {
			c.keepTold("/meta_fields/"+escapePointer(name), "meta."+name, value, directory.Green)
		}
	}
	return p
}

// notWord is "" for the words that stand for nothing in MISP.
func notWord(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "not specified", "unknown", "other", "n/a", "none", "-":
		return ""
	}
	return s
}

// collect gathers the values of the meta fields, each once.
func (c *cerebrateReader) collect(list []metaField) {
	c.fields = map[string][]string{}
	for _, f := range list {
		name, value := foldColumn(f.Field), strings.TrimSpace(f.Value)
		if name == "country" && strings.EqualFold(f.Template, "FIRST Directory") {
			name = "country name"
		}
		if name != "" && value != "" && !slices.Contains(c.fields[name], value) {
			c.fields[name] = append(c.fields[name], value)
		}
	}
}

// cerebrateField reads a field of the templates by its folded names.
type cerebrateField struct {
	names string
	read  func(c *cerebrateReader, p *directory.Profile, at, s string)
}

// cerebrateFields lists the fields of the templates FIRST Directory, ENISA
// CSIRT Network and CSIRT Constituency that have a place here.
func cerebrateFields() []cerebrateField {
	return slices.Concat(cerebrateTeamFields(), cerebrateScopeFields(), cerebrateContactFields())
}

func cerebrateTeamFields() []cerebrateField {
	return []cerebrateField{
		{"iso 3166 1 code|country name", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			p.Country = cmp.Or(p.Country, c.country(at, "country", s, ""))
		}},
		{"team full|official team name|team name", (*cerebrateReader).fullName},
		{"short team name|team", (*cerebrateReader).otherName},
		{"host|host organisation", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.host(p, at, s) }},
		{"address|postal address", func(c *cerebrateReader, p *directory.Profile, at, s string) { p.Address = c.text(at, s, 2000) }},
		{"timezone|time zone", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			p.Zone = takeValue(&c.teamReader, at, "zone", s, func(s string) (directory.Zone, error) {
				return readZone(s, strings.Join(c.fields["timezone dst"], " "))
			})
		}},
		{"operating hours|business hours", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			p.Hours = takeValue(&c.teamReader, at, "hours", s, readHours)
		}},
		{"establishment|date of establishment", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			p.Established = takeValue(&c.teamReader, at, "established", s, parseTextDate)
		}},
		{"language|languages", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.language(p, at, s) }},
		{"team type|cert type", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.kinds(p, at, s) }},
		{"membership|first member type", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			since := strings.Join(c.fields["member since"], " ")
			delete(c.fields, "member since")
			c.place(p, at, "first", s, since, firstStatuses)
		}},
		{"enisa tistatus|ti status|ti level", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.place(p, at, "ti", s, "", tiStatuses) }},
		{"csirt network status", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			c.place(p, at, "csirts-network", s, "", map[string]directory.Word{"member": "member", "full member": "member", "associate": "associate",
				"observer": "associate", "candidate": "candidate", "suspended": "suspended", "former member": "ended"})
		}},
	}
}

func cerebrateScopeFields() []cerebrateField {
	resource := func(kind string) func(c *cerebrateReader, p *directory.Profile, at, s string) {
		return func(c *cerebrateReader, p *directory.Profile, at, s string) {
			for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" ,;\n\t", r) }) {
				c.resource(p, at, kind, part)
			}
		}
	}
	return []cerebrateField{
		{"ipv4|ipv6|ip range|ip ranges", resource("prefix")},
		{"as number|asn|asns", resource("asn")},
		{"domain|domains", resource("domain")},
		{"country|country code", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.served(p, at, s, "") }},
		{"sector|sectors", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.sector(p, at, s) }},
		{"constituency|constituency type", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.constituencyType(p, at, s) }},
		{"constituency description", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			p.Constituency.Text = cmp.Or(p.Constituency.Text, c.text(at, s, 4000))
		}},
	}
}

func cerebrateContactFields() []cerebrateField {
	mail := func(uses ...directory.Word) func(c *cerebrateReader, p *directory.Profile, at, s string) {
		return func(c *cerebrateReader, p *directory.Profile, at, s string) {
			x := c.mailbox(at, s)
			x.Uses = uses
			c.reach(p, at, x)
		}
	}
	return []cerebrateField{
		{"website|url", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.website(p, at, s) }},
		{"email|e mail", mail()},
		{"email abuse", mail("abuse")},
		{"email vulnerability", mail("vulnerability")},
		{"email emergency", mail("emergency")},
		{"phone|telephone|phone numbers", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.phones(p, at, s, nil) }},
		{"phone emergency|emergency phone", func(c *cerebrateReader, p *directory.Profile, at, s string) {
			c.phones(p, at, s, []directory.Word{"emergency"})
		}},
		{"fax", func(c *cerebrateReader, _ *directory.Profile, at, s string) { c.fax(at, s) }},
		{"key|pgp key|openpgp key|encryption key", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.enckey(p, at, s) }},
		{"pgp fingerprint|fingerprint", func(c *cerebrateReader, p *directory.Profile, at, s string) { c.fingerprint(p, at, s, "") }},
	}
}

func (c *cerebrateReader) fullName(p *directory.Profile, at, s string) {
	name := c.name(at, s, 300)
	switch {
	case name == p.Names.Short:
	case p.Names.Full == "":
		p.Names.Full = name
	default:
		c.otherName(p, at, s)
	}
}

// otherName takes a name beside that of the organisation.
func (c *cerebrateReader) otherName(p *directory.Profile, at, s string) {
	name := c.name(at, s, 300)
	if p.Names.Short == "" && len([]rune(name)) <= 100 {
		p.Names.Short = name
		return
	}
	p.Names.Other = otherNames([]string{p.Names.Short, p.Names.Full}, append(p.Names.Other, name), maxTeamNames)
}

func (c *cerebrateReader) place(p *directory.Profile, at, forum, word, since string, words map[string]directory.Word) {
	if membershipOf(p, forum) {
		c.keepTold(at, "memberships."+forum, word, "")
		return
	}
	c.forum(p, at, forum, word, since, words)
}

// sector reads sectors, or types of constituency, which MISP calls so too.
func (c *cerebrateReader) sector(p *directory.Profile, at, s string) {
	for part := range pieces(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == '\n' })) {
		word, err := directory.ParseWord("sector.unknown", part, directory.Sectors)
		t, also := parseConstituencyType(part)
		switch {
		case err == nil && !slices.Contains(p.Constituency.Sectors, word):
			p.Constituency.Sectors = append(p.Constituency.Sectors, word)
		case err == nil:
		case also == nil && slices.ContainsFunc(p.Constituency.Types, func(x directory.ConstituencyType) bool { return x.Type == t.Type }):
		case also == nil:
			p.Constituency.Types = append(p.Constituency.Types, t)
		default:
			c.fail(at, part, err)
			c.keep("constituency.sectors", part, "")
		}
	}
}

// contacts reads a free text, in which mailboxes and telephone numbers stand,
// one on a line as a rule.
func (c *cerebrateReader) contacts(p *directory.Profile, s string) {
	parts := breaksForm.Split(s, -1)
	if all := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ,;\r\n\t", r) }); !slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(s, "@") }) {
		parts = all
	}
	for part := range pieces(parts) {
		switch {
		case strings.Contains(part, "@"):
			c.reach(p, "/contacts", c.mailbox("/contacts", part))
		case phonePlain.MatchString(part):
			c.phones(p, "/contacts", part, nil)
		default:
			c.keepTold("/contacts", "contacts.other", part, directory.Green)
		}
	}
}

package format

import (
	"bufio"
	"strconv"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// cerebrateExporter writes organisations as Cerebrate's index does, for MISP,
// which takes in name, uuid, nationality, sector and type, and for other
// Cerebrates, which take the meta fields too.
func cerebrateExporter() Exporter {
	return Exporter{Name: "cerebrate", About: "JSON in the shape of Cerebrate's organisations/index, for MISP", MediaType: "application/json", Extension: ".json", write: writeCerebrate}
}

// CerebrateOrg is one organisation as Cerebrate shows it.
type CerebrateOrg struct {
	ID          int64       `json:"id"`
	UUID        string      `json:"uuid"`
	Name        string      `json:"name"`
	Nationality string      `json:"nationality"`
	Sector      string      `json:"sector"`
	Type        string      `json:"type"`
	URL         string      `json:"url"`
	Contacts    string      `json:"contacts"`
	Modified    string      `json:"modified"`
	MetaFields  []metaField `json:"meta_fields"`
	Evidence    *shapeNote  `json:"evidence,omitempty"` // of the first of contacts
}

func writeCerebrate(w *bufio.Writer, o ExportOptions, teams Teams) error {
	if _, err := jsonArray(w, teams, func(t *directory.Team) any { return CerebrateFrom(t, o) }); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

// CerebrateID is the number by which Cerebrate's clients ask for a team again:
// the first 52 bits of its UUID, which every number of JSON can hold.
func CerebrateID(id directory.TeamID) int64 {
	digits := strings.ReplaceAll(string(id), "-", "")
	n, err := strconv.ParseInt(digits[:min(13, len(digits))], 16, 64)
	if err != nil {
		return 0 // not the id of a team
	}
	return n
}

// CerebrateFrom returns a team, redacted before, as Cerebrate shows it.
func CerebrateFrom(t *directory.Team, o ExportOptions) CerebrateOrg {
	out := CerebrateOrg{
		ID: CerebrateID(t.ID), UUID: string(t.ID), Name: t.Name(), Type: strings.Join(firstKinds(t.Kinds), ", "),
		URL: t.Website, MetaFields: []metaField{},
	}
	modified := asOf(t)
	if modified.IsZero() {
		modified = t.Updated
	}
	out.Modified = strings.Replace(stamp(modified), "Z", "+00:00", 1)
	if t.Country != "" {
		out.Nationality = t.Country.Name()
	}
	switch c := &t.Constituency; {
	case len(c.Sectors) > 0:
		out.Sector = titleCase(strings.ReplaceAll(c.Sectors[0], "-", " "))
	case len(c.Types) > 0:
		out.Sector = titleCase(strings.ReplaceAll(c.Types[0].Type, "-", " "))
	}
	var general []string
	for _, c := range contactsOf(t, "email") {
		if !c.Serves("general") {
			continue
		}
		if general = append(general, c.Value); len(general) == 1 {
			out.Evidence = noteOf(t, c, o)
		}
	}
	out.Contacts = strings.Join(general, "\n")
	out.metaFields(t)
	return out
}

// metaFields are those of the templates that teams of CSIRTs have in
// Cerebrate.
func (o *CerebrateOrg) metaFields(t *directory.Team) {
	add := func(template, field string, values ...string) {
		for _, v := range values {
			if v != "" {
				o.MetaFields = append(o.MetaFields, metaField{template, field, v})
			}
		}
	}
	const enisa, first, served = "ENISA CSIRT Network", "FIRST Directory", "CSIRT Constituency"
	add(enisa, "ISO 3166-1 Code", string(t.Country))
	if t.Names.Short != "" {
		add(enisa, "team-name", t.Names.Full)
	}
	add(enisa, "establishment", string(t.Established))
	add(enisa, "first-member-type", statusWord(membershipIn(t, "first"), firstStatuses, []string{"Full Member", "Associate Member", "Liaison", "Suspended"}))
	add(enisa, "enisa-tistatus", tiLevelOf(t).Name)
	add(first, "host", t.Host)
	add(first, "address", t.Address)
	add(first, "timezone", string(t.Zone))
	add(first, "operating-hours", t.Hours.String())
	add(first, "languages", textsTo(t.Languages)...)
	add(first, "constituency-description", t.Constituency.Text)
	for _, x := range t.Constituency.Types {
		title := titleCase(strings.ReplaceAll(x.Type, "-", " "))
		if x.Scope != "" {
			title += " - " + map[directory.Word]string{"internal": "Internal", "external": "External", "both": "External and Internal"}[x.Scope]
		}
		add(enisa, "constituency", title)
	}
	o.reachable(t, add)
	for _, r := range t.Resources {
		field := map[directory.Word]string{"asn": "AS Number", "domain": "Domain"}[r.Type]
		switch {
		case r.Type == "prefix" && r.Prefix.Addr().Is4():
			field = "IPv4"
		case r.Type == "prefix":
			field = "IPv6"
		}
		if field != "" {
			add(served, field, strings.TrimPrefix(r.Value(), "AS"))
		}
	}
	add(served, "Country Code", textsTo(t.Constituency.Countries)...)
	add(served, "Sector", t.Constituency.Sectors...)
	for _, r := range t.Raw {
		if name, ok := strings.CutPrefix(r.Field, "meta."); ok {
			add("", name, r.Text)
		}
	}
}

// reachable adds the contacts and keys.
func (o *CerebrateOrg) reachable(t *directory.Team, add func(template, field string, values ...string)) {
	const first = "FIRST Directory"
	fields := map[string]string{"email general": "email", "email abuse": "email-abuse", "email vulnerability": "email-vulnerability", "email emergency": "email-emergency",
		"phone general": "phone", "phone emergency": "phone-emergency"}
	for _, channel := range []directory.Word{"email", "phone"} {
		for _, c := range contactsOf(t, channel) {
			for _, use := range directory.Uses {
				if field := fields[channel+" "+use]; field != "" && c.Serves(use) {
					add(first, field, c.Value)
				}
			}
		}
	}
	add(first, "fax", rawOf(t, "contacts.fax")...)
	for _, k := range t.Keys {
		if k.Armor != "" {
			add(first, "pgp-key", k.Armor)
			continue
		}
		add(first, "pgp-fingerprint", string(k.Fingerprint))
	}
}

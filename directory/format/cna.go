package format

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// cnaEntry is one entry of the CVE Program's CNAsList.json. Unknown members
// are passed over: the list grows without notice.
type cnaEntry struct {
	ShortName    string `json:"shortName"`
	ID           string `json:"cnaID"`
	Organisation string `json:"organizationName"`
	Scope        string `json:"scope"`
	Contact      []struct {
		Email []struct {
			Label   string `json:"label"`
			Address string `json:"emailAddr"`
		} `json:"email"`
		Page []cnaLink `json:"contact"`
		Form []cnaLink `json:"form"`
	} `json:"contact"`
	Policy     []cnaLink `json:"disclosurePolicy"`
	Advisories struct {
		Alerts     []cnaLink `json:"alerts"`
		Advisories []cnaLink `json:"advisories"`
	} `json:"securityAdvisories"`
	Resources []cnaLink `json:"resources"`
	CNA       struct {
		IsRoot bool      `json:"isRoot"`
		Root   cnaName   `json:"root"`
		Top    cnaName   `json:"TLR"`
		Type   oneOrMore `json:"type"`
		Roles  []struct {
			Help string `json:"helpText"`
			Role string `json:"role"`
		} `json:"roles"`
	} `json:"CNA"`
	Country string `json:"country"`
}

type cnaLink struct {
	Label    string `json:"label"`
	Language string `json:"language"`
	URL      string `json:"url"`
}

type cnaName struct {
	ShortName    string `json:"shortName"`
	Organisation string `json:"organizationName"`
}

// CNA reads the CVE Program's CNAsList.json, in which each CVE numbering
// authority says who takes reports of vulnerabilities in its scope. Row counts
// the entries, from 1. An address that can't be read is a Note with the raw
// value, and the rest of the team is taken.
//
// Policies, advisories and the place among the roots become text of the
// sections of RFC 2350 appendix D that are about them: 4.2, 2.10 and 3.3.
func CNA(r io.Reader) directory.ImportItems {
	l := &jsonList{what: "a JSON array of CNAs as the CVE Program's CNAsList.json is", bare: true}
	countries := &countryNames{}
	return l.listed(r, func(row int, raw json.RawMessage) []directory.ImportItem { return cnaItems(row, raw, countries) })
}

func cnaItems(row int, raw json.RawMessage, countries *countryNames) []directory.ImportItem {
	var w cnaEntry
	if err := json.Unmarshal(raw, &w); err != nil {
		return skippedRow(row, wireProblem("field.type", "", string(raw), "not an entry of CNAsList.json: "+err.Error(), ""))
	}
	c := cnaReader{countries: countries}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skippedRow(row, wireProblem("field.missing", "/shortName", "", "the CNA has no name", ""))
	}
	key := c.name("/cnaID", w.ID, 300)
	if key == "" {
		key = "name:" + strings.ToLower(name)
		c.add("field.missing", "/cnaID", "", "the CNA has no id; its name stands for it", "an id such as CNA-2016-0001")
	}
	return c.items(row, directory.SourceRecord{Key: key, Handle: wishHandle(name), Profile: p})
}

// cnaReader reads one entry.
type cnaReader struct {
	teamReader
	countries *countryNames
}

func (c *cnaReader) profile(w cnaEntry) directory.Profile {
	p := directory.Profile{
		Names:        directory.Names{Short: c.name("/shortName", w.ShortName, 100), Full: c.name("/organizationName", w.Organisation, 300)},
		Kinds:        []directory.Word{"psirt"},
		Constituency: directory.Constituency{Text: c.text("/scope", w.Scope, 4000)},
		Memberships:  []directory.Membership{{Forum: "cve", Type: c.membershipType(w), Status: "member"}},
	}
	if !notSaid(w.Country) {
		p.Country = takeValue(&c.teamReader, "/country", "country", w.Country, c.countries.parse)
	}
	c.contacts(&p, w)
	c.section(&p, "2.10", c.information(w))
	c.section(&p, "3.3", c.affiliation(w))
	c.section(&p, "4.2", c.links("/disclosurePolicy", "Disclosure policy:", w.Policy))
	return p
}

// notSaid reports whether a value of the list stands for none.
func notSaid(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "n/a", "none", "no country affiliation":
		return true
	}
	return false
}

// membershipType is in the program's own words: "CNA, Root (Vendor, CERT)".
func (c *cnaReader) membershipType(w cnaEntry) string {
	var roles, types []string
	for _, r := range w.CNA.Roles {
		if !notSaid(r.Role) && !slices.Contains(roles, r.Role) {
			roles = append(roles, r.Role)
		}
	}
	if w.CNA.IsRoot && !slices.ContainsFunc(roles, func(s string) bool { return strings.Contains(s, "Root") }) {
		roles = append(roles, "Root")
	}
	for _, t := range w.CNA.Type {
		if !notSaid(t) && !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	text := cmp.Or(strings.Join(roles, ", "), "CNA")
	if len(types) > 0 {
		text += " (" + strings.Join(types, ", ") + ")"
	}
	return c.name("/CNA/type", text, 100)
}

// contacts takes the addresses, pages and forms for reports.
func (c *cnaReader) contacts(p *directory.Profile, w cnaEntry) {
	for i, group := range w.Contact {
		at := pointerTo("/contact", i)
		for j, e := range group.Email {
			c.address(p, pointerTo(at+"/email", j)+"/emailAddr", e.Address, e.Label)
		}
		for j, l := range group.Page {
			c.page(p, pointerTo(at+"/contact", j)+"/url", l)
		}
		for j, l := range group.Form {
			c.page(p, pointerTo(at+"/form", j)+"/url", l)
		}
	}
}

func (c *cnaReader) page(p *directory.Profile, at string, l cnaLink) {
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(l.URL)), "mailto:") {
		c.address(p, at, strings.TrimSpace(l.URL)[len("mailto:"):], l.Label)
		return
	}
	c.contact(p, at, directory.Contact{Channel: "url", Value: c.link(at, l), Label: c.name(at, l.Label, 200)})
}

// link reads the address of a link. The list has empty ones as placeholders.
func (c *cnaReader) link(at string, l cnaLink) string {
	switch {
	case strings.TrimSpace(l.URL) != "":
		return required(&c.parser, at, l.URL, directory.ParseURL)
	case !notSaid(l.Label):
		c.add("field.missing", at, l.Label, "a link without an address", "https://example.org/path")
	}
	return ""
}

func (c *cnaReader) address(p *directory.Profile, at, s, label string) {
	if strings.TrimSpace(s+label) == "" { // a placeholder
		return
	}
	contact := c.mailbox(at, s)
	contact.Label = c.name(at, label, 200)
	c.contact(p, at, contact)
}

// maxTeamContacts is how many contacts a team can have.
const maxTeamContacts = 50

// contact adds a contact for reports of vulnerabilities, once.
func (c *cnaReader) contact(p *directory.Profile, at string, x directory.Contact) {
	have := slices.IndexFunc(p.Contacts, func(have directory.Contact) bool { return have.Key() == x.Key() })
	switch {
	case x.Value == "":
	case have >= 0:
		p.Contacts[have].Label = cmp.Or(p.Contacts[have].Label, x.Label)
	case len(p.Contacts) == maxTeamContacts:
		c.add("list.too-long", at, x.Value, "more contacts than a team can have; left out", fmt.Sprintf("at most %d", maxTeamContacts))
	default:
		x.Uses = []directory.Word{"vulnerability"}
		p.Contacts = append(p.Contacts, x)
	}
}

// section adds the text of one section of RFC 2350 appendix D.
func (c *cnaReader) section(p *directory.Profile, number string, lines []string) {
	text := strings.Join(lines, "\n")
	if len(text) > maxSection {
		c.add("text.too-long", "", text, "more than 64 KiB of text for section "+number+"; the rest was cut off", "")
		text = text[:strings.LastIndexByte(text[:maxSection], '\n')]
	}
	if text = strings.TrimSpace(text); text != "" {
		p.Prose = append(p.Prose, directory.Section{Number: number, Language: "en", Text: text})
	}
}

func (c *cnaReader) information(w cnaEntry) []string {
	return slices.Concat(
		c.links("/securityAdvisories/alerts", "Alerts:", w.Advisories.Alerts),
		c.links("/securityAdvisories/advisories", "Security advisories:", w.Advisories.Advisories),
		c.links("/resources", "Resources:", w.Resources))
}

func (c *cnaReader) affiliation(w cnaEntry) []string {
	var lines []string
	add := func(what, at string, n cnaName) {
		name := cmp.Or(c.name(at+"/organizationName", n.Organisation, 300), c.name(at+"/shortName", n.ShortName, 100))
		if !notSaid(name) {
			lines = append(lines, "- "+what+" in the CVE Program: "+markdown(name))
		}
	}
	add("Root", "/CNA/root", w.CNA.Root)
	add("Top-level root", "/CNA/TLR", w.CNA.Top)
	for i, r := range w.CNA.Roles {
		if help := c.name(pointerTo("/CNA/roles", i)+"/helpText", r.Help, 1000); help != "" {
			lines = append(lines, "- "+markdown(cmp.Or(c.name(pointerTo("/CNA/roles", i)+"/role", r.Role, 100), "Role"))+": "+markdown(help))
		}
	}
	return lines
}

// links writes links as a list in Markdown, under a line that says what they
// are.
func (c *cnaReader) links(at, what string, list []cnaLink) []string {
	var lines []string
	for i, l := range list {
		at := pointerTo(at, i)
		address := c.link(at+"/url", l)
		label, language := c.name(at+"/label", l.Label, 200), c.name(at+"/language", l.Language, 50)
		if address == "" {
			continue
		}
		link := "<" + strings.NewReplacer("<", "%3C", ">", "%3E").Replace(address) + ">"
		if label != "" {
			link = markdown(label) + ": " + link
		}
		if !notSaid(language) {
			link += " (" + markdown(language) + ")"
		}
		lines = append(lines, "- "+link)
	}
	if len(lines) > 0 {
		lines = slices.Concat([]string{what, ""}, lines, []string{""})
	}
	return lines
}

// markdown writes a text of others so that it stands in Markdown as it is.
func markdown(s string) string {
	return markdownMarks.Replace(s)
}

var markdownMarks = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "&", `\&`, "|", `\|`)

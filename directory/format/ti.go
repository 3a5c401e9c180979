package format

import (
	"cmp"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// maxTeamList is far above the list of any forum with all its keys.
const maxTeamList = 256 << 20

// tiTeam is one entry of the Trusted Introducer's teams.json. Unknown members
// are passed over: the feed grows without notice.
type tiTeam struct {
	OfficialName     string    `json:"official_name"`
	ShortName        string    `json:"short_name"`
	Established      string    `json:"established"`
	HostOrganisation string    `json:"host_organisation"`
	PostalAddress    string    `json:"postal_address"`
	Country          tiCountry `json:"country"`
	Classification   struct {
		Name  string `json:"name"`
		Since string `json:"since"`
	} `json:"classification"`
	Constituency struct {
		Types     []string      `json:"types"`
		ASNs      []json.Number `json:"asns"`
		Domains   []string      `json:"domains"`
		IPRanges  []string      `json:"ipranges"`
		Countries []tiCountry   `json:"countries"`
	} `json:"constituency"`
	BusinessHours string `json:"business_hours"`
	BusinessZone  string `json:"business_hours_timezone"`
	Keys          []struct {
		Fingerprint string `json:"fingerprint"`
		Expires     string `json:"expires"`
	} `json:"pgp_keys"`
	Phones []struct {
		Usage  []string `json:"usage"`
		Number string   `json:"number"`
	} `json:"phones"`
	Emails []struct {
		Address string   `json:"address"`
		Usage   []string `json:"usage"`
	} `json:"emails"`
	MISP struct {
		UUID string `json:"org_uuid"`
	} `json:"misp"`
}

type tiCountry struct {
	Code string `json:"code"`
}

// TI reads the Trusted Introducer's teams.json. Row counts the teams, from 1.
// What the feed says in a form that can't be read is a Note with the raw
// value, and the rest of the team is taken.
func TI(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		data, err := readWhole(r, maxTeamList)
		var teams []json.RawMessage
		if err == nil && json.Unmarshal(data, &teams) != nil {
			err = wireProblem("import.header", "", "", "not a JSON array of teams", "the Trusted Introducer's teams.json")
		}
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		for i, raw := range teams {
			for _, item := range tiItems(i+1, raw) {
				if !yield(item) {
					return
				}
			}
		}
	}
}

func tiItems(row int, raw json.RawMessage) []directory.ImportItem {
	var w tiTeam
	if err := json.Unmarshal(raw, &w); err != nil {
		return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: row, Problem: wireProblem("field.type", "", string(raw), "not a team of teams.json: "+err.Error(), "")}}}
	}
	c := tiConverter{}
	p := c.profile(w)
	if p.Names.Short == "" && p.Names.Full == "" {
		return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: row, Problem: wireProblem("field.missing", "/official_name", "", "the team has no name", "")}}}
	}
	id := optional(&c.parser, "/misp/org_uuid", w.MISP.UUID, directory.ParseTeamID)
	var items []directory.ImportItem
	for _, n := range c.problems {
		items = append(items, directory.ImportItem{Note: &directory.RowProblem{Row: row, Problem: n}})
	}
	name := cmp.Or(p.Names.Short, p.Names.Full)
	return append(items, directory.ImportItem{Record: &directory.SourceRecord{
		Row: row, Rows: 1, Key: strings.ToLower(name), ID: id,
		Handle: wishHandle(name), Profile: p,
	}})
}

// tiConverter collects as notes what can't be read.
type tiConverter struct{ parser }

func (c *tiConverter) profile(w tiTeam) directory.Profile {
	p := directory.Profile{
		Names:       directory.Names{Short: c.name("/short_name", w.ShortName, 100), Full: c.name("/official_name", w.OfficialName, 300)},
		Host:        c.name("/host_organisation", w.HostOrganisation, 300),
		Address:     strings.TrimSpace(documentText(w.PostalAddress)),
		Country:     c.country("/country/code", w.Country.Code),
		Established: optional(&c.parser, "/established", w.Established, directory.ParseDate),
		Hours:       optional(&c.parser, "/business_hours", w.BusinessHours, directory.ParseHours),
		Zone:        optional(&c.parser, "/business_hours_timezone", w.BusinessZone, directory.ParseZone),
	}
	c.home = p.Country
	c.membership(&p, w)
	c.constituency(&p, w)
	c.contacts(&p, w)
	for i, k := range w.Keys {
		at := pointerTo("/pgp_keys", i)
		fpr := required(&c.parser, at+"/fingerprint", k.Fingerprint, directory.ParseFingerprint)
		if fpr == "" || slices.ContainsFunc(p.Keys, func(have directory.TeamKey) bool { return have.Fingerprint == fpr }) {
			continue
		}
		expires := optional(&c.parser, at+"/expires", k.Expires, directory.ParseDate)
		p.Keys = append(p.Keys, directory.TeamKey{Key: directory.Key{Fingerprint: fpr, Version: map[int]int{40: 4, 64: 6}[len(fpr)], Expires: expires.Time()}})
	}
	return p
}

// name takes a text of one line.
func (c *tiConverter) name(at, s string, most int) string {
	text, mended := clean(s, most)
	if mended != nil {
		c.problems = append(c.problems, mended.At(at))
	}
	return text
}

// country passes over the pseudo codes 00, 01 … that stand for the world and
// its parts, and for nobody's country.
func (c *tiConverter) country(at, code string) directory.Country {
	if strings.Trim(code, "0123456789") == "" {
		return ""
	}
	return optional(&c.parser, at, code, directory.ParseCountry)
}

func (c *tiConverter) membership(p *directory.Profile, w tiTeam) {
	status := map[string]directory.Word{
		"listed": "listed", "accredited": "accredited", "certified": "certified", "candidate": "candidate",
		"accreditation candidate": "candidate", "suspended": "suspended", "not operational": "ended", "outdated": "ended",
	}[strings.ToLower(w.Classification.Name)]
	switch {
	case w.Classification.Name == "":
	case status == "":
		c.add("membership-status.unknown", "/classification/name", w.Classification.Name, "not a level of the Trusted Introducer", "Listed, Accredited or Certified")
	default:
		p.Memberships = []directory.Membership{{Forum: "ti", Type: w.Classification.Name, Status: status,
			Since: optional(&c.parser, "/classification/since", w.Classification.Since, directory.ParseDate)}}
	}
}

// tiTypes are the constituencies of the Trusted Introducer in our words.
var tiTypes = map[string]directory.Word{
	"research & education": "research-education", "government": "government", "national": "national", "military": "military",
	"financial sector": "financial", "commercial organisation": "commercial", "service provider customer base": "service-provider",
	"isp customer base": "isp", "vendor customer base": "vendor", "ciip": "ciip", "law enforcement": "law-enforcement",
	"energy sector": "energy", "health sector": "health", "industrial sector": "industrial",
}

var tiScopeForm = regexp.MustCompile(`(?i)[\s(–-]*\b(external and internal|internal and external|internal|external|n/a)\)?\s*$`)

func (c *tiConverter) constituency(p *directory.Profile, w tiTeam) {
	for i, t := range w.Constituency.Types {
		name, scope := t, ""
		if m := tiScopeForm.FindStringSubmatchIndex(t); m != nil {
			name, scope = t[:m[0]], strings.ToLower(t[m[2]:m[3]])
		}
		scope = map[string]directory.Word{"internal": "internal", "external": "external", "external and internal": "both", "internal and external": "both"}[scope]
		word := tiTypes[strings.ToLower(strings.TrimSpace(name))]
		if word == "" {
			c.add("constituency-type.unknown", pointerTo("/constituency/types", i), t, "not a type of constituency that is known here", "")
			continue
		}
		p.Constituency.Types = append(p.Constituency.Types, directory.ConstituencyType{Type: word, Scope: scope})
	}
	for i, x := range w.Constituency.Countries {
		if country := c.country(pointerTo("/constituency/countries", i)+"/code", x.Code); country != "" {
			p.Constituency.Countries = append(p.Constituency.Countries, country)
		}
	}
	for i, x := range w.Constituency.ASNs {
		c.resource(p, directory.Resource{Type: "asn", ASN: required(&c.parser, pointerTo("/constituency/asns", i), x.String(), directory.ParseASN)})
	}
	for i, x := range w.Constituency.Domains {
		c.resource(p, directory.Resource{Type: "domain", Domain: required(&c.parser, pointerTo("/constituency/domains", i), x, directory.ParseDomain)})
	}
	for i, x := range w.Constituency.IPRanges {
		c.resource(p, directory.Resource{Type: "prefix", Prefix: required(&c.parser, pointerTo("/constituency/ipranges", i), x, directory.ParsePrefix)})
	}
}

// resource adds what could be read, once, and leaves out a prefix that another
// one covers.
func (c *tiConverter) resource(p *directory.Profile, r directory.Resource) {
	if r == (directory.Resource{Type: r.Type}) {
		return
	}
	r.Claim = "listed"
	covers := func(a, b directory.Resource) bool {
		return a.Key() == b.Key() || a.Type == "prefix" && b.Type == "prefix" && a.Prefix.Bits() <= b.Prefix.Bits() && a.Prefix.Contains(b.Prefix.Addr())
	}
	if slices.ContainsFunc(p.Resources, func(have directory.Resource) bool { return covers(have, r) }) {
		return
	}
	p.Resources = slices.DeleteFunc(p.Resources, func(have directory.Resource) bool { return covers(r, have) })
	p.Resources = append(p.Resources, r)
}

func (c *tiConverter) contacts(p *directory.Profile, w tiTeam) {
	add := func(x directory.Contact) {
		if x.Value != "" && !slices.ContainsFunc(p.Contacts, func(have directory.Contact) bool { return have.Key() == x.Key() }) {
			p.Contacts = append(p.Contacts, x)
		}
	}
	for i, e := range w.Emails {
		address := required(&c.parser, pointerTo("/emails", i)+"/address", e.Address, directory.ParseEmail)
		add(directory.Contact{Channel: "email", Value: string(address), Uses: usesIn(strings.Join(e.Usage, " "))})
	}
	for i, f := range w.Phones {
		at := pointerTo("/phones", i) + "/number"
		if slices.Contains(f.Usage, "fax") && !slices.Contains(f.Usage, "voice") {
			c.add("contact.fax", at, f.Number, "a fax number, for which there is no channel here", "")
			continue
		}
		number := required(&c.parser, at, f.Number, func(s string) (directory.Phone, error) {
			return directory.ParsePhone(strings.ReplaceAll(s, "(0)", ""), c.home)
		})
		add(directory.Contact{Channel: "phone", Value: string(number), Uses: usesIn(strings.Join(f.Usage, " "))})
	}
}

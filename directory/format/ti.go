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
	OfficialName     string      `json:"official_name"`
	ShortName        string      `json:"short_name"`
	Established      string      `json:"established"`
	HostOrganisation string      `json:"host_organisation"`
	PostalAddress    string      `json:"postal_address"`
	Country          tiCountry   `json:"country"`
	Classification   tiLevel     `json:"classification"`
	Constituency     tiServed    `json:"constituency"`
	BusinessHours    string      `json:"business_hours"`
	BusinessZone     string      `json:"business_hours_timezone"`
	Keys             []tiKey     `json:"pgp_keys"`
	Phones           []tiPhone   `json:"phones"`
	Emails           []tiMailbox `json:"emails"`
	MISP             *tiMISP     `json:"misp,omitempty"`
}

type tiCountry struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

type tiLevel struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Since string `json:"since"`
}

type tiServed struct {
	Types     []string      `json:"types"`
	ASNs      []json.Number `json:"asns"`
	Domains   []string      `json:"domains"`
	IPRanges  []string      `json:"ipranges"`
	Countries []tiCountry   `json:"countries"`
}

type tiKey struct {
	Fingerprint string `json:"fingerprint"`
	Expires     string `json:"expires"`
}

type tiPhone struct {
	Usage    []string   `json:"usage"`
	Number   string     `json:"number"`
	TimeZone string     `json:"timezone"`
	Comments string     `json:"comments,omitempty"`
	Evidence *shapeNote `json:"evidence,omitempty"`
}

// tiMailbox has two members more than the feed. uses is there where usage says
// more than the team does, since clients need one mailbox with "contact".
type tiMailbox struct {
	Address  string     `json:"address"`
	Usage    []string   `json:"usage"`
	Uses     []string   `json:"uses,omitempty"`
	Evidence *shapeNote `json:"evidence,omitempty"`
}

type tiMISP struct {
	UUID  string `json:"org_uuid"`
	Name  string `json:"org_name"`
	Email string `json:"org_email"`
}

// TI reads the Trusted Introducer's teams.json. Row counts the teams, from 1.
// What the feed says in a form that can't be read is a Note with the raw
// value, which is kept, and the rest of the team is taken.
func TI(r io.Reader) directory.ImportItems {
	l := &jsonList{what: "a JSON array of teams as the Trusted Introducer's teams.json is", bare: true}
	return l.listed(r, tiItems)
}

func tiItems(row int, raw json.RawMessage) []directory.ImportItem {
	var w tiTeam
	if err := json.Unmarshal(raw, &w); err != nil {
		return skippedRow(row, wireProblem("field.type", "", string(raw), "not a team of teams.json: "+err.Error(), ""))
	}
	c := tiReader{}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skippedRow(row, wireProblem("field.missing", "/official_name", "", "the team has no name", ""))
	}
	r := directory.SourceRecord{Key: strings.ToLower(name), Handle: wishHandle(name), Profile: p}
	if w.MISP != nil {
		r.ID = optional(&c.parser, "/misp/org_uuid", w.MISP.UUID, directory.ParseTeamID)
		c.misp(&r.Profile, *w.MISP)
	}
	return c.items(row, r)
}

// tiReader reads one team of the feed.
type tiReader struct{ teamReader }

func (c *tiReader) profile(w tiTeam) directory.Profile {
	p := directory.Profile{
		Names:       directory.Names{Short: c.name("/short_name", w.ShortName, 100), Full: c.name("/official_name", w.OfficialName, 300)},
		Address:     c.text("/postal_address", w.PostalAddress, 2000),
		Country:     c.country("/country/code", "country", w.Country.Code, w.Country.Name),
		Established: takeValue(&c.teamReader, "/established", "established", w.Established, parseTextDate),
		Hours:       takeValue(&c.teamReader, "/business_hours", "hours", w.BusinessHours, readHours),
		Zone: takeValue(&c.teamReader, "/business_hours_timezone", "zone", w.BusinessZone,
			func(s string) (directory.Zone, error) { return readZone(s, "") }),
	}
	c.home = p.Country
	c.host(&p, "/host_organisation", w.HostOrganisation)
	c.forum(&p, "/classification/name", "ti", w.Classification.Name, w.Classification.Since, tiStatuses)
	c.constituency(&p, w.Constituency)
	c.contacts(&p, w)
	for i, k := range w.Keys {
		at := pointerTo("/pgp_keys", i)
		c.fingerprint(&p, at+"/fingerprint", k.Fingerprint, takeValue(&c.teamReader, at+"/expires", "keys.expires", k.Expires, parseTextDate))
	}
	return p
}

// misp takes the name of the team's organisation in MISP, by which others may
// look for it. Its address is not that of the team.
func (c *tiReader) misp(p *directory.Profile, w tiMISP) {
	if name := c.name("/misp/org_name", w.Name, 300); name != "" && name != p.Names.Short && name != p.Names.Full {
		p.Names.Other = []string{name}
	}
	c.keep("misp.email", w.Email, directory.Green)
}

// tiStatuses are the levels of the Trusted Introducer in our words.
var tiStatuses = map[string]directory.Word{
	"listed": "listed", "accredited": "accredited", "certified": "certified", "candidate": "candidate",
	"accreditation candidate": "candidate", "suspended": "suspended", "not operational": "ended", "outdated": "ended",
}

// tiTypes are the constituencies of the Trusted Introducer in our words.
var tiTypes = map[string]directory.Word{
	"research & education": "research-education", "government": "government", "national": "national", "military": "military",
	"financial sector": "financial", "commercial organisation": "commercial", "service provider customer base": "service-provider",
	"isp customer base": "isp", "vendor customer base": "vendor", "ciip": "ciip", "law enforcement": "law-enforcement",
	"energy sector": "energy", "health sector": "health", "industrial sector": "industrial",
}

var tiScopeForm = regexp.MustCompile(`(?i)[\s(–-]*\b(external and internal|internal and external|internal|external|n/a)\)?\s*$`)

func (c *tiReader) constituency(p *directory.Profile, w tiServed) {
	for i, t := range w.Types {
		c.constituencyType(p, pointerTo("/constituency/types", i), t)
	}
	for i, x := range w.Countries {
		c.served(p, pointerTo("/constituency/countries", i)+"/code", x.Code, x.Name)
	}
	for i, x := range w.ASNs {
		c.resource(p, pointerTo("/constituency/asns", i), "asn", x.String())
	}
	for i, x := range w.Domains {
		c.resource(p, pointerTo("/constituency/domains", i), "domain", x)
	}
	for i, x := range w.IPRanges {
		c.resource(p, pointerTo("/constituency/ipranges", i), "prefix", x)
	}
}

func (c *tiReader) contacts(p *directory.Profile, w tiTeam) {
	for i, e := range w.Emails {
		at := pointerTo("/emails", i)
		x := c.mailbox(at+"/address", e.Address)
		x.Uses = tiUses(e.Usage)
		if len(e.Uses) > 0 {
			x.Uses = tiUses(e.Uses)
		}
		c.reach(p, at, x)
	}
	for i, f := range w.Phones {
		at := pointerTo("/phones", i) + "/number"
		if slices.Contains(f.Usage, "fax") && !slices.Contains(f.Usage, "voice") {
			c.fax(at, f.Number)
			continue
		}
		had := len(p.Contacts)
		c.phones(p, at, f.Number, tiUses(f.Usage))
		for j := had; j < len(p.Contacts); j++ {
			p.Contacts[j].Label = c.name(at, f.Comments, 200)
			if zone := strings.TrimSpace(f.TimeZone); zone != "" && zone != string(p.Zone) && zone != w.BusinessZone {
				c.keepTold(pointerTo("/phones", i)+"/timezone", "contacts.phone.zone", p.Contacts[j].Value+" "+zone, "")
			}
		}
	}
}

// tiUses are the uses that the words of the feed stand for. "contact" is the
// general one; "voice" is the kind of a number, and says nothing of its use.
func tiUses(usage []string) []directory.Word {
	uses := usesIn(strings.Join(usage, " "))
	for _, word := range usage {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "representative", "rep":
			uses = append(uses, "representative")
		}
	}
	general := slices.ContainsFunc(usage, func(s string) bool { return strings.EqualFold(s, "contact") || strings.EqualFold(s, "general") })
	switch {
	case general && len(uses) > 0:
		return append([]directory.Word{"general"}, uses...)
	case general:
		return nil
	}
	return uses
}

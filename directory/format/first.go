package format

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// firstTeam is one entry of the FIRST API v1 (GET /data/v1/teams).
type firstTeam struct {
	ID            string    `json:"id"`
	Team          string    `json:"team"`
	TeamFull      string    `json:"team-full"`
	Host          string    `json:"host"`
	Membership    string    `json:"membership"`
	TeamType      oneOrMore `json:"team-type"`
	Establishment string    `json:"establishment"`
	MemberSince   string    `json:"member-since"`
	Address       string    `json:"address"`
	Country       string    `json:"country"`
	CountryOther  oneOrMore `json:"country-other"`
	Website       oneOrMore `json:"website"`
	Email         oneOrMore `json:"email"`
	Phone         oneOrMore `json:"phone"`
	Emergency     oneOrMore `json:"phone-emergency"`
	Fax           oneOrMore `json:"fax"`
	TimeZone      string    `json:"timezone"`
	Fingerprint   string    `json:"pgp-fingerprint"`
	Key           string    `json:"pgp-key"`
	Hours         string    `json:"operating-hours"`
	Constituency  string    `json:"constituency"`
	Description   string    `json:"constituency-description"`
	Modified      string    `json:"last-modified"`
}

// oneOrMore is a text or a list of them: records of different age have either.
type oneOrMore []string

// UnmarshalJSON reads a text, a list of texts, or null.
func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = nil
		if one != "" {
			*o = oneOrMore{one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}

// FIRST reads the answer of the FIRST API v1. Row counts the teams, from 1.
// What it says in a form that can't be read without a guess ("UTC-0500",
// "8 a.m. to 5 p.m.") is a Note with the raw value, and the rest is taken.
func FIRST(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		data, err := readWhole(r, maxTeamList)
		var answer struct {
			Data []json.RawMessage `json:"data"`
		}
		if err == nil && (json.Unmarshal(data, &answer) != nil || answer.Data == nil) {
			err = wireProblem("import.header", "", "", "not an answer of the FIRST API", `{"status":"OK", … "data":[…]}`)
		}
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		for i, raw := range answer.Data {
			for _, item := range firstItems(i+1, raw) {
				if !yield(item) {
					return
				}
			}
		}
	}
}

func firstItems(row int, raw json.RawMessage) []directory.ImportItem {
	skip := func(p directory.Problem) []directory.ImportItem {
		return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: row, Problem: p}}}
	}
	var w firstTeam
	if err := json.Unmarshal(raw, &w); err != nil {
		return skip(wireProblem("field.type", "", string(raw), "not a team of the FIRST API: "+err.Error(), ""))
	}
	c := firstConverter{}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skip(wireProblem("field.missing", "/team", "", "the team has no name", ""))
	}
	record := &directory.SourceRecord{Row: row, Rows: 1, Key: cmp.Or(w.ID, strings.ToLower(name)), Handle: wishHandle(name), Profile: p}
	if t, err := time.Parse(time.RFC1123, w.Modified); err == nil {
		record.AsOf = t.UTC()
	}
	var items []directory.ImportItem
	for _, n := range c.problems {
		items = append(items, directory.ImportItem{Note: &directory.RowProblem{Row: row, Problem: n}})
	}
	return append(items, directory.ImportItem{Record: record})
}

// firstConverter collects as notes what can't be read.
type firstConverter struct{ tiConverter }

func (c *firstConverter) profile(w firstTeam) directory.Profile {
	p := directory.Profile{
		Names:   directory.Names{Short: c.name("/team", w.Team, 100), Full: c.name("/team-full", w.TeamFull, 300)},
		Host:    c.name("/host", w.Host, 300),
		Address: strings.TrimSpace(documentText(w.Address)),
		Country: optional(&c.parser, "/country", w.Country, directory.ParseCountry),
		Zone:    optional(&c.parser, "/timezone", w.TimeZone, directory.ParseZone),
		Hours:   optional(&c.parser, "/operating-hours", w.Hours, directory.ParseHours),
		Established: optional(&c.parser, "/establishment", w.Establishment,
			parseTextDate),
	}
	c.home = p.Country
	c.kinds(&p, w)
	c.standing(&p, w)
	c.reach(&p, w)
	c.key(&p, w)
	return p
}

// parseTextDate reads "September 8, 2008" beside the form of ISO 8601.
func parseTextDate(s string) (directory.Date, error) {
	if t, err := time.Parse("January 2, 2006", strings.TrimSpace(s)); err == nil {
		s = t.Format(time.DateOnly)
	}
	return directory.ParseDate(s)
}

// kinds splits the comma list within the text; a name that stands in it twice
// counts once.
func (c *firstConverter) kinds(p *directory.Profile, w firstTeam) {
	for s := range strings.SplitSeq(strings.Join(w.TeamType, ","), ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		kind := required(&c.parser, "/team-type", s, vocabulary("kind.unknown", directory.Kinds))
		if kind != "" && !slices.Contains(p.Kinds, kind) {
			p.Kinds = append(p.Kinds, kind)
		}
	}
}

// firstTypes are the constituencies of FIRST in our words.
var firstTypes = map[string]directory.Word{
	"financial sector": "financial", "other commercial": "commercial", "industrial sector": "industrial",
	"research & education": "research-education", "isp customer base": "isp", "government": "government", "military": "military",
}

func (c *firstConverter) standing(p *directory.Profile, w firstTeam) {
	status := map[string]directory.Word{"full member": "member", "associate member": "associate", "associate": "associate",
		"liaison": "liaison", "liaison member": "liaison", "suspended": "suspended"}[strings.ToLower(w.Membership)]
	switch {
	case status != "":
		p.Memberships = []directory.Membership{{Forum: "first", Type: w.Membership, Status: status,
			Since: optional(&c.parser, "/member-since", w.MemberSince, parseTextDate)}}
	case w.Membership != "":
		c.add("membership-status.unknown", "/membership", w.Membership, "not a membership of FIRST that is known here", "Full Member, Associate or Liaison")
	}
	if word := firstTypes[strings.ToLower(w.Constituency)]; word != "" {
		p.Constituency.Types = []directory.ConstituencyType{{Type: word}}
	} else if w.Constituency != "" {
		c.add("constituency-type.unknown", "/constituency", w.Constituency, "not a type of constituency that is known here", "")
	}
	text := strings.TrimSpace(documentText(w.Description))
	if runes := []rune(text); len(runes) > 4000 {
		c.add("text.too-long", "/constituency-description", text, "more than 4,000 characters; the rest was cut off", "")
		text = string(runes[:4000])
	}
	p.Constituency.Text = text
	for i, x := range w.CountryOther {
		country := required(&c.parser, pointerTo("/country-other", i), x, directory.ParseCountry)
		if country != "" && !slices.Contains(p.Constituency.Countries, country) {
			p.Constituency.Countries = append(p.Constituency.Countries, country)
		}
	}
}

// reach takes the ways of reaching the team.
func (c *firstConverter) reach(p *directory.Profile, w firstTeam) {
	for i, s := range w.Website {
		if u := required(&c.parser, pointerTo("/website", i), s, directory.ParseURL); p.Website == "" {
			p.Website = u
		}
	}
	add := func(channel, value string, uses []directory.Word) {
		x := directory.Contact{Channel: channel, Value: value, Uses: uses}
		if value != "" && !slices.ContainsFunc(p.Contacts, func(have directory.Contact) bool { return have.Key() == x.Key() }) {
			p.Contacts = append(p.Contacts, x)
		}
	}
	for i, s := range w.Email {
		add("email", string(required(&c.parser, pointerTo("/email", i), s, directory.ParseEmail)), nil)
	}
	for i, s := range w.Phone {
		add("phone", c.phone(pointerTo("/phone", i), s), nil)
	}
	for i, s := range w.Emergency {
		add("phone", c.phone(pointerTo("/phone-emergency", i), s), []directory.Word{"emergency"})
	}
	for i, s := range w.Fax {
		c.phone(pointerTo("/fax", i), s+" (fax)")
	}
}

// phone reads a number in the ways that FIRST's records write it; fax numbers
// stand among the others, marked by a word or nothing but the word.
func (c *firstConverter) phone(at, s string) string {
	if strings.Contains(strings.ToLower(s), "fax") {
		c.add("contact.fax", at, s, "a fax number, for which there is no channel here", "")
		return ""
	}
	number := required(&c.parser, at, s, func(s string) (directory.Phone, error) {
		return directory.ParsePhone(strings.ReplaceAll(s, "(0)", ""), c.home)
	})
	return string(number)
}

// key takes the key and compares it with the fingerprint beside it.
func (c *firstConverter) key(p *directory.Profile, w firstTeam) {
	if strings.TrimSpace(w.Key) == "" {
		if fpr := optional(&c.parser, "/pgp-fingerprint", w.Fingerprint, directory.ParseFingerprint); fpr != "" {
			p.Keys = []directory.TeamKey{{Key: directory.Key{Fingerprint: fpr, Version: map[int]int{40: 4, 64: 6}[len(fpr)]}}}
		}
		return
	}
	k, notes, err := directory.ParseKey([]byte(w.Key))
	if err != nil {
		c.fail("/pgp-key", "", err)
		return
	}
	for _, n := range notes {
		c.problems = append(c.problems, n.At("/pgp-key"))
	}
	p.Keys = []directory.TeamKey{{Key: k}}
	if fpr := optional(&c.parser, "/pgp-fingerprint", w.Fingerprint, directory.ParseFingerprint); fpr != "" && fpr != k.Fingerprint {
		c.add("key.fingerprint-mismatch", "/pgp-fingerprint", w.Fingerprint, "the fingerprint belongs to another key", string(k.Fingerprint))
	}
}

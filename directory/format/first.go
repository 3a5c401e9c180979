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

// firstTeam is one entry of the FIRST API v1 (GET /data/v1/teams). Members
// whose name ends in -other, but for country-other, are ours: what the shape
// has one place for and a team has several of.
type firstTeam struct {
	ID             string    `json:"id"`
	Team           string    `json:"team"`
	TeamFull       string    `json:"team-full"`
	Host           string    `json:"host"`
	Membership     string    `json:"membership"`
	TeamType       oneOrMore `json:"team-type"`
	Establishment  string    `json:"establishment"`
	MemberSince    string    `json:"member-since"`
	Address        string    `json:"address"`
	Country        string    `json:"country"`
	CountryOther   oneOrMore `json:"country-other"`
	Website        oneOrMore `json:"website"`
	Email          oneOrMore `json:"email"`
	EmailOther     oneOrMore `json:"email-other"`
	Phone          oneOrMore `json:"phone"`
	Emergency      oneOrMore `json:"phone-emergency"`
	EmergencyOther oneOrMore `json:"phone-emergency-other"`
	Fax            oneOrMore `json:"fax"`
	FaxOther       oneOrMore `json:"fax-other"`
	OtherWay       oneOrMore `json:"other-communication"`
	TimeZone       string    `json:"timezone"`
	TimeZoneDST    string    `json:"timezone-dst"`
	KeyID          string    `json:"pgp-id"`
	Fingerprint    string    `json:"pgp-fingerprint"`
	Key            string    `json:"pgp-key"`
	Hours          string    `json:"operating-hours"`
	Constituency   oneOrMore `json:"constituency"`
	Description    string    `json:"constituency-description"`
	Modified       string    `json:"last-modified"`
}

// oneOrMore is a text or a list of them: records of different age have either.
type oneOrMore []string

// UnmarshalJSON reads a text, a number, a list of them, or null.
func (o *oneOrMore) UnmarshalJSON(data []byte) error {
	var list []any
	if data[0] != '[' {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		return err
	}
	*o = nil
	for _, v := range list {
		switch v := v.(type) {
		case nil:
		case string, bool, json.Number:
			if text := fmt.Sprint(v); strings.TrimSpace(text) != "" {
				*o = append(*o, text)
			}
		default:
			return fmt.Errorf("%s instead of a text", typeName(v))
		}
	}
	return nil
}

// FIRST reads the answer of the FIRST API v1; several answers, as one page
// after the other gives them, may stand in one file. Row counts the teams,
// from 1. What it says in a form that can't be read without a guess
// ("UTC-0500", "8 a.m. to 5 p.m.") is a Note with the raw value, which is kept,
// and the rest is taken.
func FIRST(r io.Reader) directory.ImportItems {
	l := &jsonList{what: `an answer of the FIRST API: {"status":"OK", … "data":[…]}`, member: "data", other: firstStatus}
	return l.listed(r, firstItems)
}

// firstStatus refuses an answer that says that there is none.
func firstStatus(name string, value json.RawMessage) error {
	var status string
	if name != "status" || json.Unmarshal(value, &status) == nil && strings.EqualFold(status, "OK") {
		return nil
	}
	return fault("import.header", string(value), "the API answered with an error instead of teams", `"status":"OK"`)
}

func firstItems(row int, raw json.RawMessage) []directory.ImportItem {
	var w firstTeam
	if err := json.Unmarshal(raw, &w); err != nil {
		return skippedRow(row, wireProblem("field.type", "", string(raw), "not a team of the FIRST API: "+err.Error(), ""))
	}
	c := firstReader{}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skippedRow(row, wireProblem("field.missing", "/team", "", "the team has no name", ""))
	}
	id := c.name("/id", w.ID, 300)
	r := directory.SourceRecord{Key: cmp.Or(id, string(wishHandle(name)), strings.ToLower(name)), Handle: cmp.Or(wishHandle(id), wishHandle(name)), Profile: p}
	if id != "" && id != string(r.Handle) {
		c.keep("handle", id, "") // an export in this shape gives it back
	}
	r.AsOf = c.moment("/last-modified", w.Modified)
	return c.items(row, r)
}

// firstReader reads one team of FIRST.
type firstReader struct{ teamReader }

func (c *firstReader) profile(w firstTeam) directory.Profile {
	p := directory.Profile{
		Names:       directory.Names{Short: c.name("/team", w.Team, 100), Full: c.name("/team-full", w.TeamFull, 300)},
		Address:     c.text("/address", w.Address, 2000),
		Country:     c.country("/country", "country", w.Country, ""),
		Hours:       takeValue(&c.teamReader, "/operating-hours", "hours", w.Hours, readHours),
		Established: takeValue(&c.teamReader, "/establishment", "established", w.Establishment, parseTextDate),
	}
	c.home = p.Country
	p.Zone = takeValue(&c.teamReader, "/timezone", "zone", w.TimeZone, func(s string) (directory.Zone, error) { return readZone(s, w.TimeZoneDST) })
	c.keepTold("/timezone-dst", "zone.dst", w.TimeZoneDST, "")
	c.kinds(&p, "/team-type", strings.Join(w.TeamType, ","))
	c.forum(&p, "/membership", "first", w.Membership, w.MemberSince, firstStatuses)
	c.constituency(&p, w)
	c.contacts(&p, w)
	c.key(&p, w)
	return p
}

// firstStatuses are the memberships of FIRST in our words.
var firstStatuses = map[string]directory.Word{"full member": "member", "associate member": "associate", "associate": "associate",
	"liaison": "liaison", "liaison member": "liaison", "suspended": "suspended"}

// firstTypes are the constituencies of FIRST in our words.
var firstTypes = map[string]directory.Word{
	"financial sector": "financial", "other commercial": "commercial", "industrial sector": "industrial",
	"research & education": "research-education", "isp customer base": "isp", "government": "government", "military": "military",
}

// constituency takes a text that is one type, or several with commas between:
// "Government, Private and Public sectors" is neither.
func (c *firstReader) constituency(p *directory.Profile, w firstTeam) {
	for _, s := range w.Constituency {
		list := []string{s}
		if parts := strings.Split(s, ","); !slices.ContainsFunc(parts, func(s string) bool { _, err := parseConstituencyType(strings.TrimSpace(s)); return err != nil }) {
			list = parts
		}
		for _, t := range list {
			c.constituencyType(p, "/constituency", t)
		}
	}
	p.Constituency.Text = c.text("/constituency-description", w.Description, 4000)
	for i, x := range w.CountryOther {
		c.served(p, pointerTo("/country-other", i), x, "")
	}
}

// contacts takes the ways of reaching the team.
func (c *firstReader) contacts(p *directory.Profile, w firstTeam) {
	for i, s := range w.Website {
		c.website(p, pointerTo("/website", i), s)
	}
	c.host(p, "/host", w.Host)
	for i, s := range slices.Concat(w.Email, w.EmailOther) {
		at := pointerTo("/email", i)
		c.reach(p, at, c.mailbox(at, s))
	}
	for i, s := range w.Phone {
		c.phones(p, pointerTo("/phone", i), s, nil)
	}
	for i, s := range slices.Concat(w.Emergency, w.EmergencyOther) {
		c.phones(p, pointerTo("/phone-emergency", i), s, []directory.Word{"emergency"})
	}
	for i, s := range slices.Concat(w.Fax, w.FaxOther) {
		c.fax(pointerTo("/fax", i), s)
	}
	for i, s := range w.OtherWay {
		c.keepTold(pointerTo("/other-communication", i), "contacts.other", s, directory.Green) // telephone numbers of people, as a rule
	}
}

// key takes the key and compares it with what is said beside it.
func (c *firstReader) key(p *directory.Profile, w firstTeam) {
	var have directory.Fingerprint
	if strings.TrimSpace(w.Key) != "" {
		have = c.armor(p, "/pgp-key", w.Key)
	}
	if have == "" {
		c.fingerprint(p, "/pgp-fingerprint", w.Fingerprint, "")
	} else if fpr := takeValue(&c.teamReader, "/pgp-fingerprint", "keys.other", w.Fingerprint, directory.ParseFingerprint); fpr != "" && fpr != have {
		c.add("key.fingerprint-mismatch", "/pgp-fingerprint", w.Fingerprint, "the fingerprint belongs to another key", string(have))
		c.keep("keys.other", w.Fingerprint, "")
	}
	id := strings.ToUpper(strings.NewReplacer(" ", "", "0x", "", "0X", "").Replace(w.KeyID))
	switch {
	case id == "":
	case len(p.Keys) == 0:
		c.keepTold("/pgp-id", "keys.id", w.KeyID, "")
	case !strings.HasSuffix(string(p.Keys[0].Fingerprint), id):
		c.add("key.fingerprint-mismatch", "/pgp-id", w.KeyID, "the key ID belongs to another key", p.Keys[0].Fingerprint.Spaced())
		c.keep("keys.other", w.KeyID, "")
	}
}

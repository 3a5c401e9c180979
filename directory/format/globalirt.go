package format

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// irtTeam is one entry of the Global IRT format, version 1 and the draft of
// version 2, which FIRST, the Trusted Introducer, ENISA and OAS made together.
// Members whose name begins with - belong to one of them.
type irtTeam struct {
	ShortName    string          `json:"short-team-name"`
	OfficialName string          `json:"official-team-name"`
	Address      string          `json:"postal-address"`
	Country      string          `json:"country-code"`
	CountryOther oneOrMore       `json:"additional-country-code"`
	Website      oneOrMore       `json:"website"`
	Email        oneOrMore       `json:"email"`
	Host         string          `json:"host"`
	Established  string          `json:"establishment"`
	Phones       irtTexts        `json:"phone-numbers"`
	Keys         irtTexts        `json:"enckeys"`
	Hours        json.RawMessage `json:"operating-hours"`
	Constituency oneOrMore       `json:"constituency"`
	Code         oneOrMore       `json:"constituency-code"`
	Description  string          `json:"constituency-description"`
	Kinds        oneOrMore       `json:"cert-type"`
	Languages    oneOrMore       `json:"languages"`
	Members      []irtMember     `json:"team-members"`
	Source       string          `json:"source-name"`
	Modified     string          `json:"last-modified"`
	Meta         struct {
		Source string `json:"source-name"`
	} `json:"meta"`
}

// irtMember is one person of a team.
type irtMember struct {
	Name      string    `json:"name"`
	Email     oneOrMore `json:"email"`
	IsRep     any       `json:"is-first-rep"`
	Languages oneOrMore `json:"languages"`
	Keys      irtTexts  `json:"enckeys"`
}

// irtText is a telephone number or a key: a text, or an object in which one of
// the members is it.
type irtText struct{ text, kind string }

type irtTexts []irtText

// UnmarshalJSON reads a text, an object, or a list of them.
func (l *irtTexts) UnmarshalJSON(data []byte) error {
	if data[0] != '[' {
		data = slices.Concat([]byte("["), data, []byte("]"))
	}
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return err
	}
	*l = nil
	for _, raw := range items {
		x, err := irtTextOf(raw)
		if err != nil {
			return err
		}
		if x.text != "" {
			*l = append(*l, x)
		}
	}
	return nil
}

func irtTextOf(raw json.RawMessage) (irtText, error) {
	if raw[0] != '{' {
		var texts oneOrMore
		err := texts.UnmarshalJSON(raw)
		return irtText{text: strings.Join(texts, " ")}, err
	}
	var o map[string]any
	err := json.Unmarshal(raw, &o)
	var x irtText
	for _, name := range []string{"number", "phone", "value", "key", "armor", "enckey", "fingerprint"} {
		if s, ok := o[name].(string); ok && x.text == "" {
			x.text = s
		}
	}
	for _, name := range []string{"type", "usage", "label"} {
		x.kind += fmt.Sprint(cmp.Or(o[name], any(""))) + " "
	}
	return x, err
}

// GlobalIRT reads the Global IRT format as JSON, as the API's envelope or as a
// bare array, or as CSV, whose columns are the names of its members. Row counts
// the teams of JSON from 1, and is the line in CSV. What can't be read is a
// Note with the raw value, which is kept, and the rest of the team is taken.
func GlobalIRT(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		text, err := openText(r)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		items := irtCSV(text)
		switch first := firstByte(text); {
		case first == '[' || first == '{':
			l := &jsonList{what: `the Global IRT format: {"status":"OK", … "data":[…]} or […]`, bare: true, member: "data", other: firstStatus}
			items = l.listed(text, func(row int, raw json.RawMessage) []directory.ImportItem { return irtItems(row, raw, nil) })
		case first == '<' || first == '-':
			err := fault("import.header", string(first), "the Global IRT format as XML or YAML", "the same as JSON or CSV: add .json or .csv to the address")
			items = func(yield func(directory.ImportItem) bool) { yield(directory.ImportItem{Fatal: err}) }
		}
		items(yield)
	}
}

// firstByte looks at the first byte that is not white space.
func firstByte(r *bufio.Reader) byte {
	head, _ := r.Peek(1024) // what can't be read is an error again when it is read
	if head = bytes.TrimSpace(head); len(head) > 0 {
		return head[0]
	}
	return 0
}

// irtLists are the members that hold lists, which CSV writes with line breaks,
// semicolons or bars between.
var irtLists = []string{"additional-country-code", "website", "email", "phone-numbers", "enckeys", "constituency", "constituency-code", "cert-type", "languages"}

// irtCSV reads rows as the objects that JSON would have.
func irtCSV(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		t, err := openTable(r, maxGrouped, "short-team-name")
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		for rows := 0; ; {
			row, err := t.next()
			switch {
			case errors.Is(err, io.EOF) && rows == 0:
				err = fault("import.empty", "", "there are no rows behind the header", "")
			case errors.Is(err, io.EOF):
				return
			}
			if err != nil {
				yield(directory.ImportItem{Fatal: err})
				return
			}
			for _, item := range irtRow(t.columns, row) {
				rows++
				if !yield(item) {
					return
				}
			}
		}
	}
}

func irtRow(columns []string, r row) []directory.ImportItem {
	if r.bad != nil {
		return skippedRow(r.n, *r.bad)
	}
	object := map[string]any{}
	for i, cell := range r.fields {
		switch name := columns[i]; {
		case strings.TrimSpace(cell) == "", name == "team-members", name == "meta":
		case name == "enckeys" && strings.Contains(cell, "-----BEGIN"):
			object[name] = []string{cell}
		case slices.Contains(irtLists, name):
			object[name] = slices.Collect(pieces(irtBreaks.Split(cell, -1)))
		default:
			object[name] = cell
		}
	}
	if len(object) == 0 {
		return nil
	}
	raw, err := json.Marshal(object)
	if err != nil {
		return skippedRow(r.n, wireProblem("field.type", "", "", err.Error(), ""))
	}
	return irtItems(r.n, raw, object)
}

var irtBreaks = regexp.MustCompile(`[;|\n]`)

func irtItems(row int, raw json.RawMessage, members map[string]any) []directory.ImportItem {
	var w irtTeam
	err := json.Unmarshal(raw, &w)
	if err == nil && members == nil {
		err = json.Unmarshal(raw, &members)
	}
	if err != nil {
		return skippedRow(row, wireProblem("field.type", "", string(raw), "not a team of the Global IRT format: "+err.Error(), ""))
	}
	c := irtReader{}
	p := c.profile(w)
	name := cmp.Or(p.Names.Short, p.Names.Full)
	if name == "" {
		return skippedRow(row, wireProblem("field.missing", "/short-team-name", "", "the team has no name", ""))
	}
	c.private(&p, members)
	// The same team may be there from several of the four.
	source := c.name("/source-name", cmp.Or(w.Source, w.Meta.Source), 100)
	key := strings.ToLower(name)
	if source != "" {
		key = strings.ToLower(source) + ":" + key
		c.keep("source-name", source, "")
	}
	return c.items(row, directory.SourceRecord{Key: key, Handle: wishHandle(name), Profile: p, AsOf: c.moment("/last-modified", w.Modified)})
}

// irtReader reads one team.
type irtReader struct{ teamReader }

func (c *irtReader) profile(w irtTeam) directory.Profile {
	p := directory.Profile{
		Names:       directory.Names{Short: c.name("/short-team-name", w.ShortName, 100), Full: c.name("/official-team-name", w.OfficialName, 300)},
		Address:     c.text("/postal-address", w.Address, 2000),
		Country:     c.country("/country-code", "country", w.Country, ""),
		Established: takeValue(&c.teamReader, "/establishment", "established", w.Established, parseTextDate),
		Hours:       c.hours(w.Hours),
	}
	c.home = p.Country
	c.kinds(&p, "/cert-type", strings.Join(w.Kinds, ","))
	for i, s := range w.Languages {
		c.language(&p, pointerTo("/languages", i), s)
	}
	for i, s := range slices.Concat(w.Constituency, w.Code) {
		c.constituencyType(&p, pointerTo("/constituency", i), s)
	}
	p.Constituency.Text = c.text("/constituency-description", w.Description, 4000)
	for i, x := range w.CountryOther {
		c.served(&p, pointerTo("/additional-country-code", i), x, "")
	}
	c.contacts(&p, w)
	for i, k := range w.Keys {
		c.enckey(&p, pointerTo("/enckeys", i), k.text)
	}
	return p
}

func (c *teamReader) language(p *directory.Profile, at, s string) {
	if l := takeValue(c, at, "languages", s, directory.ParseLanguage); l != "" && !slices.Contains(p.Languages, l) {
		p.Languages = append(p.Languages, l)
	}
}

// enckey takes a key, or a fingerprint where there is no more.
func (c *teamReader) enckey(p *directory.Profile, at, s string) {
	if len(s) > 256 || strings.Contains(s, "BEGIN") {
		c.armor(p, at, s)
		return
	}
	c.fingerprint(p, at, s, "")
}

func (c *irtReader) contacts(p *directory.Profile, w irtTeam) {
	for i, s := range w.Website {
		c.website(p, pointerTo("/website", i), s)
	}
	c.host(p, "/host", w.Host)
	for i, s := range w.Email {
		at := pointerTo("/email", i)
		c.reach(p, at, c.mailbox(at, s))
	}
	for i, x := range w.Phones {
		at := pointerTo("/phone-numbers", i)
		if strings.Contains(strings.ToLower(x.kind), "fax") {
			c.fax(at, x.text)
			continue
		}
		c.phones(p, at, x.text, usesIn(x.kind))
	}
	for i, m := range w.Members {
		c.member(p, pointerTo("/team-members", i), m)
	}
}

// member takes a person, who is never shown to everyone. Keys of people are
// not those of the team.
func (c *irtReader) member(p *directory.Profile, at string, m irtMember) {
	for _, s := range m.Email {
		x := c.mailbox(at+"/email", s)
		x.Visibility, x.Person = directory.Amber, c.name(at+"/name", m.Name, 200)
		if rep := strings.ToLower(fmt.Sprint(m.IsRep)); rep == "true" || rep == "1" || rep == "yes" {
			x.Uses = []directory.Word{"representative"}
		}
		c.reach(p, at, x)
	}
	if len(m.Email) == 0 {
		c.keep("team-members", m.Name, directory.Amber)
	}
}

// irtDays is the order of the days in mon_1_open.
var irtDays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// hours reads free text, or an object of mon_1_open, mon_1_close, mon_2_open …
func (c *irtReader) hours(raw json.RawMessage) directory.Hours {
	var text string
	var table map[string]any
	switch {
	case len(raw) == 0 || json.Unmarshal(raw, &text) == nil:
		return takeValue(&c.teamReader, "/operating-hours", "hours", text, readHours)
	case json.Unmarshal(raw, &table) != nil:
		c.add("field.type", "/operating-hours", string(raw), "neither a text nor a table of hours", "")
		c.keep("hours", string(raw), "")
		return directory.Hours{}
	}
	var rules []string
	for _, day := range irtDays {
		for n := 1; n <= 4; n++ {
			at := day + "_" + strconv.Itoa(n)
			from, to := fmt.Sprint(cmp.Or(table[at+"_open"], any(""))), fmt.Sprint(cmp.Or(table[at+"_close"], any("")))
			if strings.TrimSpace(from+to) != "" {
				rules = append(rules, day+" "+shortClock(from)+"-"+shortClock(to))
			}
		}
	}
	return takeValue(&c.teamReader, "/operating-hours", "hours", strings.Join(rules, "; "), directory.ParseHours)
}

// shortClock takes the seconds off 09:00:00.
func shortClock(s string) string {
	s = strings.TrimSpace(s)
	if len(s) == 8 && strings.HasSuffix(s, ":00") {
		return s[:5]
	}
	return s
}

// irtPrivate is a member that only one of the four has: -first-member-type.
var irtPrivate = regexp.MustCompile(`^-([a-z0-9]+)-(member-type|membership|level|status)$`)

// private takes the places in forums, and keeps what else the four say.
func (c *irtReader) private(p *directory.Profile, members map[string]any) {
	names := make([]string, 0, len(members))
	for name := range members {
		if strings.HasPrefix(name, "-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		text, ok := members[name].(string)
		m := irtPrivate.FindStringSubmatch(name)
		words := map[string]map[string]directory.Word{"first": firstStatuses, "ti": tiStatuses}
		switch {
		case !ok || strings.TrimSpace(text) == "":
		case m == nil || words[m[1]] == nil || membershipOf(p, m[1]):
			c.keepTold("/"+escapePointer(name), name, text, directory.Green)
		default:
			c.forum(p, "/"+escapePointer(name), m[1], text, "", words[m[1]])
		}
	}
}

func membershipOf(p *directory.Profile, forum string) bool {
	return slices.ContainsFunc(p.Memberships, func(m directory.Membership) bool { return m.Forum == forum })
}

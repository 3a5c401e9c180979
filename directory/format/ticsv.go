package format

import (
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// TICSV reads the older list of members of the Trusted Introducer
// (ti-l2-l1-l0-info.v2.csv), with semicolons or commas between the fields and
// " - " between several values of one. What can't be read is a Note with the
// raw value, which is kept, and the rest of the team is taken.
func TICSV(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		t, err := openTICSV(r)
		rows := 0
		for err == nil {
			var r row
			if r, err = t.next(); err != nil {
				break
			}
			for _, item := range tiCSVRow(t.columns, r) {
				rows++
				if !yield(item) {
					return
				}
			}
		}
		switch {
		case !errors.Is(err, io.EOF):
			yield(directory.ImportItem{Fatal: err})
		case rows == 0:
			yield(directory.ImportItem{Fatal: fault("import.empty", "", "there are no rows behind the header", "")})
		}
	}
}

func openTICSV(r io.Reader) (*table, error) {
	l, err := openLines(r, maxGrouped)
	if err != nil {
		return nil, err
	}
	t := &table{lines: l}
	if t.sep, err = separator(l, CSVMap{}); err != nil {
		return nil, err
	}
	const begin = "a first line with Team Name, TI Level, First entered, …"
	header, err := t.header(begin)
	if err != nil {
		return nil, err
	}
	for i, c := range t.columns {
		t.columns[i] = foldColumn(c) // "-Type of Constituency", "*RFC2350"
	}
	for _, name := range []string{"team name", "ti level"} {
		if t.count(name) != 1 {
			return nil, fault("import.header", strings.Join(header.fields, t.sep), "there is not one column named "+name, begin)
		}
	}
	return t, nil
}

// tiCSVTeam is the team of one row.
type tiCSVTeam struct {
	teamReader
	cells  map[string]string
	record directory.SourceRecord
}

func tiCSVRow(columns []string, r row) []directory.ImportItem {
	if r.bad != nil {
		return skippedRow(r.n, *r.bad)
	}
	c := &tiCSVTeam{cells: map[string]string{}}
	for i, cell := range r.fields {
		if !blankCell(cell) && c.cells[columns[i]] == "" {
			c.cells[columns[i]] = strings.TrimSpace(cell)
		}
	}
	if len(c.cells) == 0 {
		return nil
	}
	c.profile(&c.record.Profile)
	name := cmp.Or(c.record.Profile.Names.Short, c.record.Profile.Names.Full)
	if name == "" {
		return skippedRow(r.n, wireProblem("field.missing", "/Team Name", "", "the team has no name", ""))
	}
	c.record.Key, c.record.Handle = strings.ToLower(name), wishHandle(name)
	c.record.AsOf = c.moment("/Last changed", c.cells["last changed"])
	return c.items(r.n, c.record)
}

// values splits a cell. A piece that is a scope belongs to the one in front:
// "Government - External - National - Internal" is two.
func (c *tiCSVTeam) values(column string) []string {
	var list []string
	for piece := range pieces(tiBreaks.Split(c.cells[column], -1)) {
		if len(list) > 0 && tiScopeWord.MatchString(piece) {
			list[len(list)-1] += " - " + piece
			continue
		}
		list = append(list, piece)
	}
	return list
}

var (
	tiBreaks    = regexp.MustCompile(`\s-\s|\n`)
	tiScopeWord = regexp.MustCompile(`(?i)^(?:external and internal|internal and external|internal|external|n/a)$`)
)

// lists calls take for each value of a column.
func (c *tiCSVTeam) each(column, title string, take func(at, s string)) {
	for _, s := range c.values(column) {
		take("/"+title, s)
	}
}

func (c *tiCSVTeam) profile(p *directory.Profile) {
	p.Names = directory.Names{Short: c.name("/Team Name", c.cells["team name"], 100), Full: c.name("/Official Team Name", c.cells["official team name"], 300)}
	c.each("former team names", "Former Team Names", func(at, s string) {
		if name := c.name(at, s, 300); name != "" && len(p.Names.Former) < maxTeamNames && !slices.Contains(p.Names.Former, name) {
			p.Names.Former = append(p.Names.Former, name)
		}
	})
	p.Country = c.country("/Country", "country", c.cells["country"], "")
	c.home = p.Country
	p.Established = takeValue(&c.teamReader, "/Date of Establishment", "established", c.cells["date of establishment"], parseTextDate)
	p.Address = c.text("/Address", tiBreaks.ReplaceAllString(c.cells["address"], "\n"), 2000)
	p.Hours = takeValue(&c.teamReader, "/-Business Hours", "hours", c.cells["business hours"], readHours)
	c.keepTold("/Contacting outside Business Hours", "hours.outside", c.cells["contacting outside business hours"], directory.Green)
	c.operating(p)
	c.forum(p, "/TI Level", "ti", c.cells["ti level"], c.cells["first entered"], tiStatuses)
	c.first(p)
	c.constituency(p)
	c.reaching(p)
}

// operating reads whether the team operates.
func (c *tiCSVTeam) operating(p *directory.Profile) {
	switch word := strings.ToLower(c.cells["operating status"]); word {
	case "", "operational", "active", "yes":
	case "not operational", "inactive", "closed":
		p.Status = "inactive"
	default:
		p.Status = takeValue(&c.teamReader, "/Operating Status", "status", word, vocabulary("status.unknown", directory.Statuses))
	}
}

// first reads the column of the membership in FIRST.
func (c *tiCSVTeam) first(p *directory.Profile) {
	switch word := c.cells["first membership"]; strings.ToLower(word) {
	case "no", "not a member":
	case "yes", "member":
		c.forum(p, "/FIRST Membership", "first", "Full Member", "", firstStatuses)
	default:
		c.forum(p, "/FIRST Membership", "first", word, "", firstStatuses)
	}
}

func (c *tiCSVTeam) constituency(p *directory.Profile) {
	c.each("type of constituency", "-Type of Constituency", func(at, s string) { c.constituencyType(p, at, s) })
	c.each("constituency asns", "Constituency ASNs", func(at, s string) { c.resource(p, at, "asn", s) })
	c.each("constituency domains", "Constituency Domains", func(at, s string) { c.resource(p, at, "domain", s) })
	c.each("constituency nets", "Constituency Nets", func(at, s string) { c.resource(p, at, "prefix", s) })
	c.each("country of constituents", "Country of Constituents", func(at, s string) { c.served(p, at, s, "") })
	if s := c.cells["rfc2350"]; strings.HasPrefix(s, "http") {
		c.keepTold("/*RFC2350", "rfc2350", s, "")
	}
}

func (c *tiCSVTeam) reaching(p *directory.Profile) {
	c.each("www", "WWW", func(at, s string) { c.website(p, at, s) })
	c.each("email", "Email", func(at, s string) { c.reach(p, at, c.mailbox(at, s)) })
	c.each("telephone", "Telephone", func(at, s string) { c.phones(p, at, s, nil) })
	c.each("emergency phone", "Emergency Phone", func(at, s string) { c.phones(p, at, s, []directory.Word{"emergency"}) })
	c.each("telefax", "Telefax", c.fax)
	c.each("email rep", "Email (Rep)", func(at, s string) {
		x := c.mailbox(at, s)
		x.Uses, x.Visibility = []directory.Word{"representative"}, directory.Amber
		x.Person = c.name("/Team Representative", c.cells["team representative"], 200)
		c.reach(p, at, x)
	})
	if c.cells["email rep"] == "" {
		c.keep("team-members", c.cells["team representative"], directory.Amber)
	}
	c.each("pgp key team", "PGP Key (Team)", func(at, s string) { c.enckey(p, at, s) })
	for _, x := range []struct{ column, title, field string }{
		{"other communication", "Other communication", "contacts.other"}, {"pgp key rep", "PGP Key (Rep)", "keys.representative"},
		{"ftp", "FTP", "ftp"}, {"ti url", "TI URL", "ti-url"},
	} {
		c.keepTold("/"+x.title, x.field, c.cells[x.column], directory.Green)
	}
}

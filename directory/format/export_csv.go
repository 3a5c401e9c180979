package format

import (
	"bufio"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-csirt/rollcall/directory"
)

// csvExporter writes a spreadsheet whose columns are called what the fields of
// [CSV] are called, so that it is read back without a map. No cell begins with
// a character that makes a spreadsheet compute it.
func csvExporter() Exporter {
	return Exporter{Name: "csv", About: "a spreadsheet, one row for each team", MediaType: "text/csv; charset=utf-8", Extension: ".csv", write: writeCSV}
}

// csvColumn is one column and what a team has in it.
type csvColumn struct {
	name string
	cell func(t *directory.Team, o ExportOptions) string
}

// csvAside are the columns that are for people only: nothing is read from them.
var csvAside = []string{"evidence", "checks", "withheld"}

func csvColumns() []csvColumn {
	columns := csvTeamColumns()
	for _, channel := range directory.Channels {
		for _, use := range directory.Uses {
			name := "contacts." + channel
			if use != "general" {
				name += "." + use
			}
			columns = append(columns, csvColumn{name, func(t *directory.Team, _ ExportOptions) string { return csvContacts(t, channel, use) }})
		}
	}
	return append(columns,
		csvColumn{"contacts.fax", func(t *directory.Team, _ ExportOptions) string { return strings.Join(rawOf(t, "contacts.fax"), "; ") }},
		csvColumn{"evidence", csvEvidence},
		csvColumn{"checks", csvChecks},
		csvColumn{"withheld", func(t *directory.Team, _ ExportOptions) string { return strings.Join(t.Withheld, "; ") }},
	)
}

func csvTeamColumns() []csvColumn {
	type team = *directory.Team
	text := func(name string, cell func(t team) string) csvColumn {
		return csvColumn{name, func(t team, _ ExportOptions) string { return cell(t) }}
	}
	return []csvColumn{
		text("handle", func(t team) string { return string(t.Handle) }),
		text("names.short", func(t team) string { return t.Names.Short }),
		text("names.full", func(t team) string { return t.Names.Full }),
		text("names.former", func(t team) string { return strings.Join(t.Names.Former, "\n") }),
		text("names.other", func(t team) string { return strings.Join(t.Names.Other, "\n") }),
		text("uuid", func(t team) string { return string(t.ID) }),
		text("kinds", func(t team) string { return strings.Join(t.Kinds, "; ") }),
		text("status", func(t team) string { return t.Status }),
		text("host", func(t team) string { return t.Host }),
		text("country", func(t team) string { return string(t.Country) }),
		text("address", func(t team) string { return t.Address }),
		text("zone", func(t team) string { return string(t.Zone) }),
		text("hours", func(t team) string { return t.Hours.String() }),
		text("holidays", func(t team) string { return strings.Join(textsTo(t.Holidays), "; ") }),
		text("languages", func(t team) string { return strings.Join(textsTo(t.Languages), "; ") }),
		text("website", func(t team) string { return t.Website }),
		text("established", func(t team) string { return string(t.Established) }),
		text("services", func(t team) string { return strings.Join(t.Services, "; ") }),
		text("memberships", csvMemberships),
		text("constituency.text", func(t team) string { return t.Constituency.Text }),
		text("constituency.types", csvTypes),
		text("constituency.sectors", func(t team) string { return strings.Join(t.Constituency.Sectors, "; ") }),
		text("constituency.countries", func(t team) string { return strings.Join(textsTo(t.Constituency.Countries), "; ") }),
		text("resources.prefix", func(t team) string { return csvResources(t, "prefix") }),
		text("resources.asn", func(t team) string { return csvResources(t, "asn") }),
		text("resources.domain", func(t team) string { return csvResources(t, "domain") }),
		text("keys.fingerprint", func(t team) string {
			return strings.Join(each(t.Keys, func(k directory.TeamKey) string { return string(k.Fingerprint) }), "; ")
		}),
		text("as_of", func(t team) string { return stamp(asOf(t)) }),
	}
}

func csvMemberships(t *directory.Team) string {
	return strings.Join(each(t.Memberships, func(m directory.Membership) string {
		word := m.Status
		status, err := directory.ParseWord("", m.Type, directory.MembershipStatuses)
		if memberWords[strings.ToLower(m.Type)] == m.Status && len(m.Type) > 3 || err == nil && status == m.Status {
			word = m.Type
		}
		return m.Forum + ": " + word
	}), "; ")
}

func csvTypes(t *directory.Team) string {
	return strings.Join(each(t.Constituency.Types, func(x directory.ConstituencyType) string {
		if x.Scope == "both" {
			return x.Type + " (external and internal)"
		}
		return strings.TrimSuffix(x.Type+" ("+x.Scope+")", " ()")
	}), "; ")
}

func csvResources(t *directory.Team, kind directory.Word) string {
	var list []string
	for _, r := range t.Resources {
		if r.Type == kind {
			list = append(list, r.Value())
		}
	}
	return strings.Join(list, "; ")
}

// csvContacts writes telephone numbers as URIs (RFC 3966): a spreadsheet makes
// 4.3E+09 of others.
func csvContacts(t *directory.Team, channel, use directory.Word) string {
	sep, prefix := "; ", ""
	switch channel {
	case "phone":
		prefix = "tel:"
	case "url", "chat":
		sep = "\n" // a URI can hold a semicolon
	}
	var list []string
	for _, c := range contactsOf(t, channel) {
		if c.Serves(use) {
			list = append(list, prefix+c.Value)
		}
	}
	return strings.Join(list, sep)
}

// csvEvidence says of each contact what was proven about it.
func csvEvidence(t *directory.Team, o ExportOptions) string {
	var lines []string
	for _, c := range t.Contacts {
		s := directory.Assess(c, t.Evidence, o.Policy, o.Now)
		line := fmt.Sprintf("%s: %s, level %d %s (%s)", c.Value, s.State, int(s.Level), s.Level, s.Method)
		if !s.At.IsZero() {
			line += " " + s.At.UTC().Format(time.DateOnly)
		}
		if !s.ValidUntil.IsZero() {
			line += " until " + s.ValidUntil.UTC().Format(time.DateOnly)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// csvChecks says of each thing that was checked what was found.
func csvChecks(t *directory.Team, _ ExportOptions) string {
	var lines []string
	for _, v := range t.Checks {
		lines = append(lines, fmt.Sprintf("%s of %s: %s since %s", v.Check, v.Subject, v.Verdict, v.Since.UTC().Format(time.DateOnly)))
	}
	return strings.Join(lines, "\n")
}

func writeCSV(w *bufio.Writer, o ExportOptions, teams Teams) error {
	columns := csvColumns()
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	if err := csvLine(w, cells); err != nil {
		return err
	}
	for t, err := range teams {
		if err != nil {
			return err
		}
		for i, c := range columns {
			cells[i] = c.cell(&t, o)
		}
		if err := csvLine(w, cells); err != nil {
			return err
		}
	}
	return nil
}

// csvLine writes a row as RFC 4180 section 2 has it, quotes where they are
// needed. An apostrophe in front keeps a text from being a formula.
func csvLine(w *bufio.Writer, cells []string) error {
	for i, s := range cells {
		if i > 0 {
			w.WriteByte(',') //nolint:errcheck // a bufio.Writer keeps its error for the last write
		}
		s = csvText(s)
		if s != "" && strings.ContainsRune("=+-@\t", rune(s[0])) || len(s) > 1 && s[0] == '\'' {
			s = "'" + s
		}
		if strings.ContainsAny(s, ",;\"\r\n\t") {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		w.WriteString(s) //nolint:errcheck // as above
	}
	_, err := w.WriteString("\r\n")
	return err
}

// csvText leaves out what makes a row something else than it seems to be.
// Other breaks of lines than LF become LF.
func csvText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\u2028' || r == '\u2029' || r == '\u0085':
			return '\n'
		case r != '\n' && unicode.IsControl(r), turning(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

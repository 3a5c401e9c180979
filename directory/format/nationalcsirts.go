package format

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

var csirtCodes = []directory.CodeInfo{
	{Code: "contact.personal", Title: "The address seems to be a person's, not a role's", Spec: "RFC 2142", Advice: "Name a role address. Until then only those who are signed in see this one."},
	{Code: "csirts.scope", Title: "What a team is designated for is not said, or not understood", Advice: "Nothing, unless the scope that was assumed is wrong; then the team enters its designation here."},
	{Code: "csirts.name", Title: "A row has no name, or a name that had to be mended", Advice: "Correct the name at the source."},
	{Code: "csirts.active", Title: "Whether a team is active can't be read", Advice: "Write t or f."},
	{Code: "csirts.date", Title: "A time can't be read", Advice: "Write times as PostgreSQL does: 2017-06-29 01:23:28+02."},
	{Code: "row.escape", Title: "A backslash escape is broken", Advice: "Export the table again; a line was probably cut."},
}

// NationalCSIRTs reads a table of national CSIRTs from the text of a
// PostgreSQL dump: the rows of each COPY … FROM stdin whose columns include
// iso2, team_name and email, in the order that the COPY names them. Other
// statements and tables are passed over.
//
// Rows with the same mailbox and country become one team. The row changed
// last gives its names and whether it is active; the names of the others are
// kept beside them. Each type_of_cert becomes a designation; where there is
// none it is national, as the list is one of national CSIRTs. A team that is
// not active keeps its designation until the day of the last change, so that
// it is found by name and not asked.
//
// Against the source: "confirmed" is true on nearly every row whatever its
// age, so it is no evidence and not read; "weight" never decides whom to ask;
// "editor_email" names who kept the list and is not stored. An address that
// seems to be a person's is not shown to everybody.
//
// Records come in the order of country and mailbox.
func NationalCSIRTs(r io.Reader) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		l, err := openLines(r, maxGrouped)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		c := csirts{copyReader: copyReader{lines: l}, groups: map[string][]csirtRow{}}
		for {
			in, err := c.next()
			if err == io.EOF {
				break
			}
			if err != nil {
				yield(directory.ImportItem{Fatal: err})
				return
			}
			for _, item := range c.add(in) {
				if !yield(item) {
					return
				}
			}
		}
		c.yield(yield)
	}
}

// copyReader reads the COPY blocks of a dump.
type copyReader struct {
	*lines
	columns []string // of the block being read; nil outside of one
	found   bool     // there was a block of ours
	rows    int
}

var copyStart = regexp.MustCompile(`(?i)^COPY\s+(?:ONLY\s+)?([^\s(]+)\s*(?:\(([^)]*)\))?\s*FROM\s+stdin\b\s*(.*?);?\s*$`)

// next returns the next row of a block of ours. The error is io.EOF at the end
// of a file that had one, and that was whole.
func (c *copyReader) next() (row, error) {
	for {
		t, err := c.lines.next()
		switch {
		case err == io.EOF:
			return row{}, c.end()
		case err != nil:
			return row{}, err
		case t.bad == nil && t.text == `\.`:
			c.columns = nil
		case t.bad != nil && c.ours():
			c.rows++
			return row{n: t.n, bad: t.bad}, nil
		case c.ours():
			c.rows++
			return c.split(t), nil
		case c.columns == nil && t.bad == nil:
			if err := c.start(t.text); err != nil {
				return row{}, err
			}
		}
	}
}

var csirtColumns = []string{"iso2", "team_name", "email"}

// ours reports whether the block being read is the table we look for.
func (c *copyReader) ours() bool {
	return !slices.ContainsFunc(csirtColumns, func(w string) bool { return !slices.Contains(c.columns, w) })
}

// start looks whether a statement begins a block of rows.
func (c *copyReader) start(text string) error {
	m := copyStart.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	c.columns = []string{}
	for name := range strings.SplitSeq(m[2], ",") {
		c.columns = append(c.columns, strings.ToLower(strings.Trim(strings.TrimSpace(name), `"`)))
	}
	if !c.ours() {
		return nil
	}
	if m[3] != "" {
		return fault("import.header", text, "the rows are not in COPY's text format", "a dump made without format options")
	}
	if sorted := slices.Sorted(slices.Values(c.columns)); len(slices.Compact(sorted)) != len(c.columns) {
		return fault("import.header", text, "a column is named twice", "each column once")
	}
	c.found = true
	return nil
}

func (c *copyReader) end() error {
	switch {
	case c.columns != nil:
		return fault("import.truncated", "", fmt.Sprintf(`the rows end at line %d without the line \.`, c.n), "the whole file")
	case !c.found:
		return fault("import.header", "", "there is no COPY of a table with the columns iso2, team_name and email",
			"a dump by pg_dump, made without --inserts")
	case c.rows == 0:
		return fault("import.empty", "", "the table has no rows", "")
	}
	return io.EOF
}

// split undoes COPY's text format. NULL and "" are the same to us.
func (c *copyReader) split(t line) row {
	fields := strings.Split(t.text, "\t")
	if len(fields) != len(c.columns) {
		p := fault("row.fields", t.text, fmt.Sprintf("%d fields instead of %d", len(fields), len(c.columns)),
			"one field for each column that COPY names")
		return row{n: t.n, bad: &p}
	}
	for i, f := range fields {
		text, ok := unescape(f)
		if !ok {
			p := fault("row.escape", f, "a backslash escape that stands for no text", `\t, \n, \\ and the like, or \N for nothing`).At("/" + c.columns[i])
			return row{n: t.n, bad: &p}
		}
		fields[i] = text
	}
	return row{n: t.n, fields: fields}
}

func (c *copyReader) get(r row, column string) string {
	if i := slices.Index(c.columns, column); i >= 0 {
		return strings.TrimSpace(r.fields[i])
	}
	return ""
}

// escaped returns the character that \c stands for.
func escaped(c byte) byte {
	if i := strings.IndexByte("bfnrtv", c); i >= 0 {
		return "\b\f\n\r\t\v"[i]
	}
	return c
}

var copyNumber = regexp.MustCompile(`^(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3}))`)

// unescape undoes the escapes of one field (PostgreSQL manual, "COPY", text
// format). It reports false for what does not give a text.
func unescape(s string) (string, bool) {
	if s == `\N` {
		return "", true
	}
	if !strings.Contains(s, `\`) {
		return s, true
	}
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(s, `\`)
		b.WriteString(text)
		if !found {
			out := b.String()
			return out, strings.ToValidUTF8(out, "") == out && !strings.Contains(out, "\x00")
		}
		if rest == "" {
			return "", false
		}
		if m := copyNumber.FindStringSubmatch(rest); m != nil {
			n, _ := strconv.ParseUint(m[1]+m[2], map[bool]int{true: 16, false: 8}[m[1] != ""], 16)
			b.WriteByte(byte(n))
			s = rest[len(m[0]):]
			continue
		}
		b.WriteByte(escaped(rest[0]))
		s = rest[1:]
	}
}

// csirts is one reading of a file.
type csirts struct {
	copyReader
	groups map[string][]csirtRow // by key, in file order
}

type csirtRow struct {
	n                int
	country          directory.Country
	email            directory.Email
	short, full      string
	scopes           []directory.Word
	source, tiURL    string
	active           bool
	created, changed time.Time
	day              directory.Date // of changed
}

func (r csirtRow) key() string { return "mailto:" + r.email.Key() + "|" + string(r.country) }

// add takes a row in. It returns what is to be told of it.
func (c *csirts) add(in row) []directory.ImportItem {
	if in.bad != nil {
		return []directory.ImportItem{skipped(in.n, *in.bad)}
	}
	country, err := directory.ParseCountry(c.get(in, "iso2"))
	if err != nil {
		return []directory.ImportItem{skipped(in.n, faultOf(err, "iso2"))}
	}
	email, err := directory.ParseEmail(c.get(in, "email"))
	if err != nil {
		return []directory.ImportItem{skipped(in.n, faultOf(err, "email"))}
	}
	active, err := parseActive(c.get(in, "active"))
	if err != nil {
		return []directory.ImportItem{skipped(in.n, faultOf(err, "active"))}
	}
	r := csirtRow{n: in.n, country: country, email: email, active: active}
	var told []directory.ImportItem
	note := func(column string, p directory.Problem) { told = append(told, noted(in.n, p.At("/"+column))) }
	r.short, r.full = c.name(in, "team_name", 100, note), c.name(in, "full_team_name", 300, note)
	if r.short == "" && r.full == "" {
		return []directory.ImportItem{skipped(in.n, fault("csirts.name", "", "the team has no name", "team_name or full_team_name").At("/team_name"))}
	}
	c.facts(&r, in, note)
	c.groups[r.key()] = append(c.groups[r.key()], r)
	return told
}

// facts reads what a row may lack.
func (c *csirts) facts(r *csirtRow, in row, note func(string, directory.Problem)) {
	var unknown string
	if r.scopes, unknown = designationScopes(c.get(in, "type_of_cert")); unknown != "" {
		note("type_of_cert", fault("csirts.scope", unknown, "not understood, and taken as other", "national, government, military or academic"))
	}
	r.source, _ = clean(c.get(in, "source"), 260) // room for what accordingTo puts before it
	if text := c.get(in, "ti_url"); text != "" {
		u, err := directory.ParseURL(text)
		if err != nil {
			note("ti_url", faultOf(err, ""))
		}
		r.tiURL = u
	}
	when := func(column string) time.Time {
		text := c.get(in, column)
		t, ok := parseTimestamp(text)
		if !ok && text != "" {
			note(column, fault("csirts.date", text, "not a time", "a time such as 2017-06-29 01:23:28+02"))
		}
		return t
	}
	r.created, r.changed = when("created"), when("changed")
	if !r.changed.IsZero() {
		r.day = directory.Date(r.changed.Format(time.DateOnly)) // as written, in the list's own zone
	}
}

// name reads a name. Doubled apostrophes are what is left of SQL that was
// quoted once too often.
func (c *csirts) name(in row, column string, max int, note func(string, directory.Problem)) string {
	text := c.get(in, column)
	if strings.Contains(text, "''") {
		note(column, fault("csirts.name", text, "a doubled apostrophe, made a single one", strings.ReplaceAll(text, "''", "'")))
		text = strings.ReplaceAll(text, "''", "'")
	}
	text, mended := clean(text, max)
	if mended != nil {
		note(column, *mended)
	}
	return text
}

func parseActive(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "", "t", "true":
		return true, nil
	case "f", "false":
		return false, nil
	}
	return false, fault("csirts.active", s, "neither true nor false", "t or f")
}

// parseTimestamp reads PostgreSQL's timestamptz, timestamp or date.
func parseTimestamp(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02 15:04:05Z07", "2006-01-02 15:04:05Z07:00", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1900 && t.Year() <= 2199 {
			return t, true
		}
	}
	return time.Time{}, false
}

// designationScopes reads type_of_cert, in which several may stand: "Government.
// - National", "national, governmental". National comes first. What is not
// understood is the scope other, and returned.
func designationScopes(s string) (scopes []directory.Word, unknown string) {
	for word := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(".,;-/|", r) }) {
		word = strings.TrimSpace(word)
		scope := "other"
		switch word {
		case "":
			continue
		case "national":
			scope = "national"
		case "government", "governmental", "govcert", "gov":
			scope = "government"
		case "academic", "research & education", "research and education", "research", "education", "nren":
			scope = "academic"
		case "military", "defence", "defense":
			scope = "military"
		case "ciip", "sector", "sectoral": // critical information infrastructure protection
			scope = "sector"
		default:
			unknown = word
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	slices.SortFunc(scopes, byScope)
	return scopes, unknown
}

// byScope orders scopes as the vocabulary does.
func byScope(a, b directory.Word) int {
	return slices.Index(directory.DesignationScopes, a) - slices.Index(directory.DesignationScopes, b)
}

func (c *csirts) yield(yield func(directory.ImportItem) bool) {
	groups := make([][]csirtRow, 0, len(c.groups))
	for _, rows := range c.groups {
		groups = append(groups, rows)
	}
	slices.SortFunc(groups, func(a, b []csirtRow) int {
		return cmp.Or(cmp.Compare(a[0].country, b[0].country), cmp.Compare(a[0].email.Key(), b[0].email.Key()))
	})
	for _, rows := range groups {
		record, notes := csirtRecord(rows)
		for _, n := range notes {
			if !yield(n) {
				return
			}
		}
		if !yield(directory.ImportItem{Record: record}) {
			return
		}
	}
}

// csirtRecord makes the team of rows that share a mailbox and a country.
func csirtRecord(rows []csirtRow) (*directory.SourceRecord, []directory.ImportItem) {
	first := rows[0].n
	rows = newestFirst(rows)
	lead := rows[0]
	rec := &directory.SourceRecord{Row: first, Rows: len(rows), Key: lead.key(), AsOf: lead.day.Time(),
		Handle: wishHandle(cmp.Or(lead.short, lead.full))}
	p := &rec.Profile
	p.Country, p.Status, p.Kinds = lead.country, "active", []directory.Word{"csirt"}
	contact, person, notes := csirtContact(rows)
	p.Contacts = []directory.Contact{contact}
	p.Names = csirtNames(rows, person)
	if !lead.active {
		p.Status = "inactive"
	}
	p.Designations = designations(rows)
	for _, d := range p.Designations {
		if d.Scope == "national" || d.Scope == "government" {
			p.Kinds = append(p.Kinds, d.Scope)
		}
	}
	if !slices.ContainsFunc(rows, func(r csirtRow) bool { return len(r.scopes) > 0 }) {
		notes = append(notes, noted(lead.n, fault("csirts.scope", "",
			"not said what the team is designated for; national is assumed, as this is a list of national CSIRTs", "").At("/type_of_cert")))
	}
	if !lead.active && lead.day == "" {
		p.Designations = nil // else it would be in force for ever
		notes = append(notes, noted(lead.n, fault("csirts.date", "",
			"a team that is not active and no day since when; its designation is left out", "").At("/changed")))
	}
	return rec, notes
}

// newestFirst sorts rows so that the one that speaks for the team comes first:
// the last changed, then the one whose name most rows use, then the one that
// was made last.
func newestFirst(rows []csirtRow) []csirtRow {
	uses := map[string]int{}
	for _, r := range rows {
		uses[strings.ToLower(r.short)]++
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b csirtRow) int {
		return cmp.Or(b.changed.Compare(a.changed), uses[strings.ToLower(b.short)]-uses[strings.ToLower(a.short)],
			b.created.Compare(a.created))
	})
	return rows
}

func csirtNames(rows []csirtRow, person string) directory.Names {
	var full []string // in place of a person's name comes that of another row
	var others []string
	for _, r := range rows {
		others = append(others, r.short)
		if r.full != person {
			full, others = append(full, r.full), append(others, r.full)
		}
	}
	n := directory.Names{Short: rows[0].short}
	if len(full) > 0 {
		n.Full = full[0]
	}
	n.Other = otherNames([]string{n.Short, n.Full}, others, maxOtherNames)
	return n
}

// designations makes one designation for each scope that a row names, with the
// newest row that does as its source.
func designations(rows []csirtRow) []directory.Designation {
	var ds []directory.Designation
	for _, r := range rows {
		for _, scope := range r.scopes {
			if !slices.ContainsFunc(ds, func(d directory.Designation) bool { return d.Scope == scope }) {
				ds = append(ds, directory.Designation{Country: r.country, Scope: scope, By: accordingTo(r.source)})
			}
			i := slices.IndexFunc(ds, func(d directory.Designation) bool { return d.Scope == scope })
			ds[i].Evidence = cmp.Or(ds[i].Evidence, r.tiURL)
		}
	}
	if ds == nil {
		ds = []directory.Designation{{Country: rows[0].country, Scope: "national", By: accordingTo(rows[0].source), Evidence: rows[0].tiURL}}
	}
	slices.SortFunc(ds, func(a, b directory.Designation) int { return byScope(a.Scope, b.Scope) })
	if !rows[0].active {
		for i := range ds {
			ds[i].Until = rows[0].day
		}
	}
	return ds
}

// accordingTo marks what the list gives as its source: it heard there of the
// team, which is not the government that designated it.
func accordingTo(source string) string {
	if source == "" {
		return ""
	}
	return "not said; listed according to " + source
}

// csirtContact makes the contact of a team: the mailbox as it is written on
// most rows. Incidents are what a national team is told about, so it serves
// for abuse as well. If the address is a person's and a row gives that
// person's name as the name of the team, the name is returned too.
func csirtContact(rows []csirtRow) (c directory.Contact, person string, notes []directory.ImportItem) {
	c = directory.Contact{Channel: "email", Uses: []directory.Word{"general", "abuse"},
		Value: mostOften(rows, func(r csirtRow) string { return string(r.email) })}
	local := rows[0].email.Local()
	if !personal(local) {
		return c, "", nil
	}
	c.Visibility = directory.Green
	for _, r := range rows {
		if r.full != "" && letters(r.full) == letters(local) {
			c.Person, _ = clean(r.full, 200)
			person = r.full
		}
	}
	p := fault("contact.personal", string(rows[0].email), "seems to be a person's address, and is shown to those who are signed in only", "the address of a role")
	return c, person, []directory.ImportItem{noted(rows[0].n, p.At("/email"))}
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// roleWords in an address say that it is a role's.
var roleWords = []string{"cert", "csirt", "cirt", "irt", "incident", "security", "secur", "abuse", "report", "info", "soc", "noc",
	"contact", "kontakt", "office", "team", "admin", "support", "help", "mail", "poc", "staff", "cyber", "response", "communication",
	"national", "service", "desk", "duty", "vuln", "emergency"}

var firstLast = regexp.MustCompile(`^(?i)[a-z]{2,}(\.[a-z]{1,2})?[._][a-z][a-z-]+$`)

// personal reports whether the local part of an address looks like first name
// and last name. It is a guess, and only ever makes an address less visible.
func personal(local string) bool {
	lower := strings.ToLower(local)
	return firstLast.MatchString(local) && !slices.ContainsFunc(roleWords, func(w string) bool { return strings.Contains(lower, w) })
}

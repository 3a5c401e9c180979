package format

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

var csvCodes = []directory.CodeInfo{
	{Code: "csv.map", Title: "The map of the columns does not fit", Advice: "Correct the line of the map that the message names."},
	{Code: "csv.column-unused", Title: "Nothing is read from a column", Advice: "Rename the column, or name its field in a map file; \"-\" there says that it is left out on purpose."},
	{Code: "csv.nobody", Title: "A row has neither a name nor a contact", Advice: "Give the team a name or an address that can be read."},
	{Code: "csv.key", Title: "The column that identifies teams is empty in a row", Advice: "Fill it in: without it the row is known by its handle or mailbox, and is another team when that changes."},
	{Code: "csv.several", Title: "A field that holds one value has several in a row", Advice: "Keep the one that is meant. The first was taken."},
}

// CSVMap says how the columns of a spreadsheet are read. The zero value goes
// by the names of the columns alone.
type CSVMap struct {
	// Columns names the field of columns, in any case: "Org-CERT" to
	// "names.short". The field "-" leaves a column out. What is not here goes
	// by its name; see [CSVFields] for the fields.
	Columns map[string]string
	// Key is the column whose value identifies a team from one file to the
	// next. "" is the handle, else the mailbox and country.
	Key string
	// Separator stands between fields: "," ";" or a tab. "" is the one that
	// the header has most of.
	Separator string
}

// CSV reads a spreadsheet of teams, one row for each, whose first row names
// the columns. Columns are known by the names of our fields and by usual names
// of them in any case ("E-mail", "Time zone"), or by m. A cell of a list may
// hold several values, with line breaks, semicolons or, where that can't be
// misread, commas between them.
//
// A column that is not known is a Note, once. A cell that can't be read is a
// Note with line, column and value, and the rest of the row is taken, unless
// nothing is left by which to find or reach the team.
func CSV(r io.Reader, m CSVMap) directory.ImportItems {
	return func(yield func(directory.ImportItem) bool) {
		s, err := openSheet(r, m)
		if err != nil {
			yield(directory.ImportItem{Fatal: err})
			return
		}
		rows := 0
		for items := range s.all() {
			for _, item := range items {
				if item.Record != nil || item.Skipped != nil {
					rows++
				}
				if !yield(item) || item.Fatal != nil {
					return
				}
			}
		}
		if rows == 0 {
			yield(directory.ImportItem{Fatal: fault("import.empty", "", "there are no rows behind the header", "")})
		}
	}
}

// sheet is a spreadsheet whose header has been read.
type sheet struct {
	table     *table
	line      int // of the header
	header    []string
	fields    []csvField
	columns   [][]int // of each field
	more      []boundColumn
	unused    []int // columns that are not read
	key       int   // column of the key, or -1
	countries *countryNames
}

// boundColumn is a column of a field that names a forum or section itself.
type boundColumn struct {
	column int
	field  csvField
}

func openSheet(r io.Reader, m CSVMap) (*sheet, error) {
	l, err := openLines(r, maxGrouped)
	if err != nil {
		return nil, err
	}
	s := &sheet{table: &table{lines: l}, key: -1, countries: &countryNames{}}
	if s.table.sep, err = separator(l, m); err != nil {
		return nil, err
	}
	header, err := s.table.header("a first line that names the columns, such as name;email;country")
	if err != nil {
		return nil, err
	}
	s.line, s.header = header.n, header.fields
	if err := s.bind(m); err != nil {
		return nil, err
	}
	return s, nil
}

// separator returns that of the map, of a first line "sep=;" as Excel writes
// it, or the one that stands most often in the header.
func separator(l *lines, m CSVMap) (string, error) {
	marks := []string{",", ";", "\t"}
	if m.Separator != "" && !slices.Contains(marks, m.Separator) {
		return "", fault("csv.map", m.Separator, "not a separator of fields", "a comma, a semicolon or a tab")
	}
	for {
		first, err := l.next()
		if err == io.EOF {
			return "", fault("import.empty", "", "the file is empty", "")
		}
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(first.text) == "" && first.bad == nil {
			continue
		}
		if sep, ok := strings.CutPrefix(first.text, "sep="); ok && slices.Contains(marks, sep) {
			return cmp.Or(m.Separator, sep), nil
		}
		l.unread([]line{first})
		plain := quotedForm.ReplaceAllString(first.text, "")
		most := slices.MaxFunc(marks, func(a, b string) int { return strings.Count(plain, a) - strings.Count(plain, b) })
		return cmp.Or(m.Separator, most), nil
	}
}

var quotedForm = regexp.MustCompile(`"[^"]*"`)

// bind gives each column its field.
func (s *sheet) bind(m CSVMap) error {
	named, err := mapped(m)
	if err != nil {
		return err
	}
	s.fields = csvFields()
	s.columns = make([][]int, len(s.fields))
	known := false
	for column, name := range s.header {
		name := foldColumn(name)
		field, said := named[name]
		delete(named, name)
		if name != "" && name == foldColumn(m.Key) {
			s.key = column
		}
		if !said {
			field, _ = fieldNamed(s.fields, name)
		}
		switch i := slices.IndexFunc(s.fields, func(f csvField) bool { return f.name == field.name }); {
		case i >= 0:
			s.columns[i] = append(s.columns[i], column)
			known = known || field.finds
		case field.name != "" && field.name != "-":
			s.more = append(s.more, boundColumn{column, field})
		case field.name == "" && s.key != column:
			s.unused = append(s.unused, column)
		}
	}
	return s.bound(m, named, known)
}

// bound reports what is wrong with the columns as a whole.
func (s *sheet) bound(m CSVMap, left map[string]csvField, known bool) error {
	header := strings.Join(s.header, s.table.sep)
	for _, name := range slices.Sorted(maps.Keys(left)) {
		return fault("csv.map", name, "the file has no column of this name", "one of "+header)
	}
	if m.Key != "" && s.key < 0 {
		return fault("csv.map", m.Key, "the file has no column of this name to be the key", "one of "+header)
	}
	if !known {
		return fault("import.header", header, "no column is known to hold a name or a contact", "a column such as name or email, or a map of the columns")
	}
	return nil
}

// mapped reads the map: folded name of the column to field.
func mapped(m CSVMap) (map[string]csvField, error) {
	named := map[string]csvField{}
	fields := csvFields()
	for _, column := range slices.Sorted(maps.Keys(m.Columns)) {
		name := m.Columns[column]
		field, ok := openField(strings.ToLower(name))
		if !ok {
			field, ok = fieldNamed(fields, foldColumn(name))
		}
		if name == "-" {
			field, ok = csvField{name: "-"}, true
		}
		folded := foldColumn(column)
		switch _, twice := named[folded]; {
		case !ok:
			return nil, fault("csv.map", name, fmt.Sprintf("the map of column %q names no field", column), "one of "+strings.Join(CSVFields(), ", "))
		case twice || folded == "":
			return nil, fault("csv.map", column, "the map names a column twice, or none", "each column once")
		}
		named[folded] = field
	}
	return named, nil
}

// foldColumn takes out of a column's name what spellings differ in: "E-Mail"
// and "e mail" are one.
func foldColumn(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "(s)", "s")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' && r < 0x80 }), " ")
}

// all yields what became of each row.
func (s *sheet) all() iter.Seq[[]directory.ImportItem] {
	return func(yield func([]directory.ImportItem) bool) {
		if !yield(s.unusedColumns()) {
			return
		}
		for {
			r, err := s.table.next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield([]directory.ImportItem{{Fatal: err}})
				return
			}
			if !yield(s.row(r)) {
				return
			}
		}
	}
}

// unusedColumns tells of columns that nothing is read from. One without a name
// is told of when it has a value.
func (s *sheet) unusedColumns() []directory.ImportItem {
	var items []directory.ImportItem
	for _, column := range s.unused {
		if name := s.header[column]; strings.TrimSpace(name) != "" {
			items = append(items, s.unusedColumn(s.line, column, name, "nothing is read from this column"))
		}
	}
	s.unused = slices.DeleteFunc(s.unused, func(column int) bool { return strings.TrimSpace(s.header[column]) != "" })
	return items
}

func (s *sheet) unusedColumn(line, column int, value, reason string) directory.ImportItem {
	want := "a name such as email, or a map of the columns"
	if near := nearestField(foldColumn(s.header[column])); near != "" {
		want = "perhaps " + near
	}
	return noted(line, fault("csv.column-unused", value, reason, want).At(s.pointer(column)))
}

// pointer names a column in problems; one without a name goes by its number.
func (s *sheet) pointer(column int) string {
	return "/" + escapePointer(cmp.Or(strings.TrimSpace(s.header[column]), fmt.Sprint(column+1)))
}

// row reads one row.
func (s *sheet) row(r row) []directory.ImportItem {
	if r.bad != nil {
		return []directory.ImportItem{{Skipped: &directory.RowProblem{Row: r.n, Problem: *r.bad}}}
	}
	if !slices.ContainsFunc(r.fields, func(f string) bool { return strings.TrimSpace(f) != "" }) {
		return nil // blank, or nothing but separators, as spreadsheets have them behind the last row
	}
	var items []directory.ImportItem
	for i, column := range slices.Backward(s.unused) {
		if value := r.fields[column]; !blankCell(value) {
			items = append(items, s.unusedColumn(r.n, column, value, "a value in a column without a name, which is not read"))
			s.unused = slices.Delete(s.unused, i, i+1)
		}
	}
	c := &csvTeam{countries: s.countries}
	c.record.Row, c.record.Rows = r.n, 1
	s.fill(c, r.fields)
	s.identify(c, r.fields)
	for _, n := range c.problems {
		items = append(items, noted(r.n, n))
	}
	c.record.Raw = c.raw
	p := &c.record.Profile
	if p.Names.Short == "" && p.Names.Full == "" && c.handle == "" && len(p.Contacts) == 0 {
		bad := fault("csv.nobody", strings.Join(r.fields, s.table.sep), "neither a name nor a contact that can be read", "")
		return append(items, directory.ImportItem{Skipped: &directory.RowProblem{Row: r.n, Problem: bad}})
	}
	return append(items, directory.ImportItem{Record: &c.record})
}

// fill reads the cells in the order of the fields, so that the country is
// known before the telephone.
func (s *sheet) fill(c *csvTeam, cells []string) {
	read := func(f csvField, column int) {
		if value := cells[column]; !blankCell(value) {
			f.read(c, csvCell{s.pointer(column), unguarded(strings.TrimSpace(value)), f.name})
		}
	}
	for i, f := range s.fields {
		for _, column := range s.columns[i] {
			read(f, column)
		}
	}
	for _, b := range s.more {
		read(b.field, b.column)
	}
	c.settle()
}

// unguarded takes off the apostrophe by which a text is kept from being a
// formula, in our own export as in the spreadsheets that people type in.
func unguarded(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.ContainsRune("=+-@'", rune(s[1])) {
		return s[1:]
	}
	return s
}

// blankCell reports whether a cell says nothing.
func blankCell(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "-", "--", "–", "—", "n/a", "none", "(blank)", "(none)":
		return true
	}
	return false
}

// identify gives the record its key and the handle that it asks for.
func (s *sheet) identify(c *csvTeam, cells []string) {
	p := &c.record.Profile
	i := slices.IndexFunc(p.Contacts, func(x directory.Contact) bool { return x.Channel == "email" })
	name := cmp.Or(p.Names.Short, p.Names.Full)
	c.record.Handle = cmp.Or(c.handle, wishHandle(name))
	switch {
	case c.handle != "":
		c.record.Key = "handle:" + string(c.handle)
	case i >= 0:
		mailbox := directory.Email(p.Contacts[i].Value)
		c.record.Key = "mailto:" + mailbox.Key() + "|" + string(p.Country)
		c.record.Handle = cmp.Or(c.record.Handle, wishHandle(string(mailbox.Domain())))
	case name != "":
		c.record.Key = "name:" + strings.ToLower(name) + "|" + string(p.Country)
	case len(p.Contacts) > 0:
		c.record.Key = p.Contacts[0].Key() + "|" + string(p.Country)
	}
	if s.key < 0 {
		return
	}
	if key, _ := clean(cells[s.key], 300); !blankCell(key) {
		c.record.Key = key
		return
	}
	c.add("csv.key", s.pointer(s.key), cells[s.key], "the column that identifies teams is empty; "+cmp.Or(c.record.Key, "nothing")+" stands for it", "a value that stays the same")
}

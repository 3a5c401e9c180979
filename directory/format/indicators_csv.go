package format

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// tableShape is what the first row of a table says of the others.
type tableShape struct {
	sep     string
	columns int
	at      int    // the column of the indicators
	name    string // of that column
}

// header reads the first row of the text.
func (x *IndicatorReader) header() error {
	for {
		// Blank lines before the header are passed over, as in other tables.
		for len(x.buf) > 0 && (x.buf[0] == '\n' || x.buf[0] == '\r') {
			x.line += bytes.Count(x.buf[:1], []byte("\n"))
			x.buf = x.buf[1:]
		}
		n := bytes.IndexByte(x.buf, '\n')
		switch {
		case n < 0 && !x.eof && len(x.buf) < 64<<10:
			if err := x.more(); err != nil {
				return err
			}
			continue
		case n < 0 && !x.eof:
			return fault("indicator.column", "", "the first row is longer than 64 KiB", "a first row that names the columns")
		case n < 0:
			n = len(x.buf)
		}
		if err := x.shape.header(strings.TrimSuffix(string(x.buf[:n]), "\r"), x.o.Column); err != nil {
			return err
		}
		x.drop(min(n+1, len(x.buf)))
		x.line++
		return nil
	}
}

// header finds the separator and the column of the indicators.
func (t *tableShape) header(line, column string) error {
	const want = "a first row that names the columns, one of them ip, domain, url, email, asn or query, or the parameter column"
	if !utf8.ValidString(line) {
		return fault("row.encoding", line, "the first row is not UTF-8", "the same text as UTF-8")
	}
	t.sep = ","
	for _, sep := range []string{";", "\t"} {
		if strings.Count(line, sep) > strings.Count(line, t.sep) {
			t.sep = sep
		}
	}
	row := csvRow{sep: t.sep}
	if !row.feed(line) || row.open {
		return fault("row.quote", line, "the quotes of the first row do not match", want)
	}
	for i, f := range row.fields {
		row.fields[i] = strings.ToLower(strings.TrimSpace(f))
	}
	t.columns = len(row.fields)
	names := indicatorNames()
	if column != "" {
		names = []string{strings.ToLower(strings.TrimSpace(column))}
	}
	for _, name := range names {
		if t.at = slices.Index(row.fields, name); t.at < 0 {
			continue
		}
		if slices.Contains(row.fields[t.at+1:], name) {
			return fault("indicator.column", line, fmt.Sprintf("two columns are named %q", name), want)
		}
		t.name = name
		return nil
	}
	if column != "" {
		return fault("indicator.column", line, fmt.Sprintf("no column is named %q", column), "one of the first row")
	}
	return fault("indicator.column", line, "no column has a name by which indicators are known", want)
}

// cutRows returns the length of the whole rows that buf begins with. Only where
// there are quotes do line ends have to be told from those inside of fields.
func (x *IndicatorReader) cutRows(buf []byte, eof bool) (int, error) {
	n := bytes.LastIndexByte(buf, '\n') + 1
	if eof {
		n = len(buf)
	}
	if bytes.IndexByte(buf, '"') >= 0 {
		n = x.cutQuoted(string(buf), eof)
	}
	if n == 0 {
		return 0, errMore
	}
	return n, nil
}

func (x *IndicatorReader) cutQuoted(text string, eof bool) (n int) {
	for n < len(text) {
		size, _, open := x.shape.row(&x.scan, text[n:])
		if !eof && (open || n+size == len(text) && text[len(text)-1] != '\n') {
			return n
		}
		n += size
	}
	return n
}

// row reads into to the row that s begins with, which may go on over several
// lines, and returns its length with the line end. Where its quotes do not
// match, the row is its first line. open says that a quote is open at the end
// of s.
func (t *tableShape) row(to *csvRow, s string) (size int, fine, open bool) {
	first := strings.IndexByte(s, '\n') + 1
	if first == 0 {
		first = len(s)
	}
	to.sep, to.fields, to.open = t.sep, to.fields[:0], false
	to.quoted.Reset()
	for n := 0; n < len(s); {
		end := strings.IndexByte(s[n:], '\n') + n + 1
		if end == n {
			end = len(s)
		}
		if !to.feed(strings.TrimSuffix(strings.TrimSuffix(s[n:end], "\n"), "\r")) || end > maxLine {
			return first, false, false
		}
		if n = end; !to.open {
			return n, true, false
		}
	}
	return first, false, true
}

// rows yields what the rows hold.
func (c *IndicatorChunk) rows(in *Indicator, yield func(*Indicator, error) bool) {
	row := new(csvRow)
	for rest := c.text; rest != ""; {
		n := strings.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		line := strings.TrimSuffix(strings.TrimSuffix(rest[:n], "\n"), "\r")
		if strings.IndexByte(line, '"') < 0 {
			c.plainRow(in, line)
		} else {
			var fine bool
			n, fine, _ = c.shape.row(row, rest)
			c.quotedRow(in, row, rest[:n], fine)
		}
		if (in.Text != "" || in.Problem != nil) && !yield(in, nil) {
			return
		}
		in.Line += strings.Count(rest[:n], "\n")
		rest = rest[n:]
	}
}

// plainRow takes the indicator out of a row without quotes. A blank one holds
// none.
func (c *IndicatorChunk) plainRow(in *Indicator, line string) {
	if strings.TrimSpace(line) == "" {
		in.Text, in.Problem = "", nil
		return
	}
	field, rest := "", line
	for i := 0; ; i++ {
		f, after, more := strings.Cut(rest, c.shape.sep)
		if i == c.shape.at {
			field = f
		}
		if rest = after; more {
			continue
		}
		if i+1 != c.shape.columns {
			in.refuse(line, tooManyFields(i+1, c.shape.columns))
			return
		}
		c.field(in, line, field)
		return
	}
}

func (c *IndicatorChunk) quotedRow(in *Indicator, row *csvRow, text string, fine bool) {
	switch text = strings.TrimRight(text, "\r\n"); {
	case !fine:
		in.refuse(text, fault("row.quote", text, "the quotes of the row do not match", `quotes around the whole field, and "" for a quote inside of it`))
	case len(row.fields) != c.shape.columns:
		in.refuse(text, tooManyFields(len(row.fields), c.shape.columns))
	default:
		c.field(in, text, row.fields[c.shape.at])
	}
}

// field takes the indicator out of its field of a row.
func (c *IndicatorChunk) field(in *Indicator, row, field string) {
	if field = trimLine(field); field == "" {
		in.refuse(row, fault("indicator.missing", "", fmt.Sprintf("the column %s of this row is empty", c.shape.name), ""))
		return
	}
	in.parse(field)
}

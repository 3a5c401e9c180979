package format

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Limits of what is read. They are far above every real file and keep a
// hostile one, or a gzip bomb, from filling memory.
const (
	maxLine    = 1 << 20   // octets in one line, or in one record with quoted line breaks
	maxGrouped = 128 << 20 // octets of a file whose rows are held in memory
	maxStream  = 4 << 30   // octets of a file that is read row by row
)

var readCodes = []directory.CodeInfo{
	{Code: "import.html", Title: "A web page was saved instead of the data", Advice: "Open the address in a browser: it probably wants a login or consent. Download the data file itself and import that."},
	{Code: "import.empty", Title: "The file has no rows", Advice: "Check that the download finished; an empty file is never taken for an empty directory."},
	{Code: "import.header", Title: "The file does not begin as this format does", Advice: "Check that the format named is the format of the file; the message says how it has to begin."},
	{Code: "import.encoding", Title: "The file is not UTF-8 text", Spec: "RFC 3629", Advice: "Convert the file to UTF-8."},
	{Code: "import.gzip", Title: "The compressed file is damaged", Spec: "RFC 1952", Advice: "Download the file again."},
	{Code: "import.truncated", Title: "The end of the file is missing", Advice: "Download the file again: nothing was imported."},
	{Code: "import.too-large", Title: "The file is larger than any real one of its format", Advice: "Check that it is the right file."},
	{Code: "row.too-long", Title: "A line is longer than 1 MiB", Advice: "Mend the line; a quote that is never closed is the usual cause."},
	{Code: "row.nul", Title: "A line has a NUL character", Advice: "Take the character out, or export the file again."},
	{Code: "row.encoding", Title: "A line is not UTF-8", Spec: "RFC 3629", Advice: "Convert the file to UTF-8."},
	{Code: "row.quote", Title: "The quotes of a row do not match", Spec: "RFC 4180 section 2", Advice: "Put a field that has quotes between quotes and double those inside."},
	{Code: "row.fields", Title: "A row has another number of fields than its header", Advice: "Mend the row; a comma without quotes is the usual cause."},
	{Code: "row.duplicate", Title: "A row says again what an earlier row said", Advice: "Take one of the two out."},
}

// fault builds a [directory.Problem] as the parsers of package directory do.
func fault(code directory.Code, value, reason, want string) directory.Problem {
	if len(value) > 120 {
		value = value[:120] + "…"
	}
	return directory.Problem{Code: code, Value: strings.ToValidUTF8(value, "\uFFFD"), Reason: reason, Want: want}
}

// faultOf turns a value parser's error into the problem of one column, or of
// the row where column is "".
func faultOf(err error, column string) directory.Problem {
	var p directory.Problem
	if !errors.As(err, &p) {
		p = fault("value.invalid", "", err.Error(), "")
	}
	if column == "" {
		return p
	}
	return p.At("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(column)) // RFC 6901 section 3
}

// line is one line of text, or what is wrong with it.
type line struct {
	n    int // from 1
	text string
	bad  *directory.Problem
}

// lines reads a text file line by line. Lines that can't be used come with
// bad set; the error is io.EOF at the end and fatal otherwise.
type lines struct {
	r    *bufio.Reader
	n    int
	left int64
	back []line // lines given back, to be read again
}

// openLines opens a file of lines.
func openLines(r io.Reader, limit int64) (*lines, error) {
	br, err := openText(r)
	if err != nil {
		return nil, err
	}
	return &lines{r: br, left: limit}, nil
}

// openText looks at the start of a file: gzip is unpacked, a byte order mark
// dropped, and what is not text, or is a web page, refused.
func openText(r io.Reader) (*bufio.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, readError(err, 0)
		}
		br = bufio.NewReaderSize(z, 64<<10)
	}
	head, err := br.Peek(1024)
	if err != nil && err != io.EOF {
		return nil, readError(err, 0)
	}
	if len(bytes.TrimSpace(bytes.TrimPrefix(head, bom))) == 0 && err == io.EOF {
		return nil, fault("import.empty", "", "the file is empty", "")
	}
	if err := sniff(head); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(head, bom) {
		if _, err := br.Discard(len(bom)); err != nil {
			return nil, readError(err, 0)
		}
	}
	return br, nil
}

var bom = []byte("\uFEFF")

// sniff says why the start of a file can't be that of any text format here.
func sniff(head []byte) error {
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) {
		return fault("import.encoding", "", "the file is UTF-16", "the same text as UTF-8")
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("%PDF")) {
		return fault("import.encoding", string(head[:4]), "an archive or document, not text", "the data file inside of it")
	}
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, bom)))
	for _, tag := range []string{"<!doctype", "<html", "<head", "<body", "<script", "<meta", "<?xml", "<!--"} {
		if bytes.HasPrefix(text, []byte(tag)) {
			return fault("import.html", string(text[:min(len(text), 40)]),
				"the download is a web page (a login, error or consent page), not data", "the data file itself")
		}
	}
	return nil
}

// readError names the errors that a reader returns for a file's own fault.
func readError(err error, n int) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault("import.truncated", "", fmt.Sprintf("the compressed file ends in the middle, after line %d", n), "the whole file")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return fault("import.gzip", "", fmt.Sprintf("the compressed file is damaged after line %d", n), "the whole file")
	}
	return fmt.Errorf("line %d: %w", n+1, err)
}

// next returns the next line without its line end, LF or CRLF.
func (l *lines) next() (line, error) {
	if last := len(l.back) - 1; last >= 0 {
		t := l.back[last]
		l.back = l.back[:last]
		return t, nil
	}
	raw, long, err := l.read()
	if err != nil {
		return line{}, err
	}
	l.n++
	t := line{n: l.n, text: raw}
	var p directory.Problem
	switch {
	case long:
		p = fault("row.too-long", raw, "the line is longer than 1 MiB", "")
	case !utf8.ValidString(raw):
		p = fault("row.encoding", raw, "the line is not UTF-8", "the same text as UTF-8")
	case strings.IndexByte(raw, 0) >= 0:
		p = fault("row.nul", raw, "there is a NUL character in the line", "the text without it")
	default:
		return t, nil
	}
	t.bad = &p
	return t, nil
}

// read returns one raw line; of one that is too long, the start only.
func (l *lines) read() (raw string, long bool, err error) {
	var kept []byte
	for {
		part, err := l.r.ReadSlice('\n')
		if l.left -= int64(len(part)); l.left < 0 {
			return "", false, fault("import.too-large", "", fmt.Sprintf("the file is larger than any real one (after line %d)", l.n), "")
		}
		switch {
		case err == nil && kept == nil:
			return trimEnd(part), false, nil
		case err == io.EOF && len(part) == 0 && kept == nil:
			return "", false, io.EOF
		case err != nil && err != bufio.ErrBufferFull && err != io.EOF:
			return "", false, readError(err, l.n)
		}
		kept = append(kept, part...)
		if err == nil || err == io.EOF {
			text := trimEnd(kept)
			return text[:min(len(text), maxLine)], long || len(text) > maxLine, nil
		}
		if len(kept) > maxLine {
			kept, long = kept[:maxLine], true
		}
	}
}

func trimEnd(b []byte) string {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return string(bytes.TrimSuffix(b, []byte("\r")))
}

// unread gives lines back, to be returned by next again.
func (l *lines) unread(ts []line) {
	for i := len(ts) - 1; i >= 0; i-- {
		l.back = append(l.back, ts[i])
	}
}

// table reads CSV (RFC 4180) whose first row names the columns.
type table struct {
	*lines
	sep     string   // between fields; "" is a comma
	columns []string // in lower case
	fields  []string // of the last row; used again for the next
}

// row is one row of a [table], or what is wrong with it. Its fields are good
// until the next row is read.
type row struct {
	n      int // the line it begins on
	fields []string
	bad    *directory.Problem
}

// openTable reads the header, in which the columns of want have to be, in any
// order and any case.
func openTable(r io.Reader, limit int64, want ...string) (*table, error) {
	l, err := openLines(r, limit)
	if err != nil {
		return nil, err
	}
	t := &table{lines: l}
	begin := "a first line that names the columns: " + strings.Join(want, ",")
	header, err := t.header(begin)
	if err != nil {
		return nil, err
	}
	for _, w := range want {
		if n := t.count(w); n != 1 {
			reason := "there is no column named " + w
			if n > 1 {
				reason = "two columns are named " + w
			}
			return nil, fault("import.header", strings.Join(header.fields, ","), reason, begin)
		}
	}
	return t, nil
}

// header reads the row that names the columns, which has to be there.
func (t *table) header(begin string) (row, error) {
	header, err := t.next()
	for err == nil && header.bad == nil && len(header.fields) == 0 {
		header, err = t.next()
	}
	switch {
	case err == io.EOF:
		return row{}, fault("import.empty", "", "the file is empty", "")
	case err != nil:
		return row{}, err
	case header.bad != nil:
		return row{}, fault("import.header", header.bad.Value, "the first line can't be read: "+header.bad.Reason, begin)
	}
	header.fields = slices.Clone(header.fields) // the next row is read into the same memory
	for _, c := range header.fields {
		t.columns = append(t.columns, strings.ToLower(strings.TrimSpace(c)))
	}
	return header, nil
}

func (t *table) count(column string) (n int) {
	for _, c := range t.columns {
		if c == strings.ToLower(column) {
			n++
		}
	}
	return n
}

// column returns the number of a column, or -1 where there is no such column.
func (t *table) column(name string) int {
	return slices.Index(t.columns, strings.ToLower(name))
}

// next returns the next row; a blank line is a row without fields. A quote
// that is never closed costs only the line it is on: the lines after it are
// read again.
func (t *table) next() (row, error) {
	first, err := t.lines.next()
	if err != nil {
		return row{}, err
	}
	if first.bad != nil || strings.TrimSpace(first.text) == "" {
		return row{n: first.n, bad: first.bad}, nil
	}
	c := csvRow{sep: cmp.Or(t.sep, ","), fields: t.fields[:0]}
	var after []line
	size := 0
	for at := first; ; {
		size += len(at.text) + 1
		if at.bad != nil || size > maxLine {
			return t.giveUp(first, after, "a quote is opened and not closed within 1 MiB of text that can be read"), nil
		}
		if !c.feed(at.text) {
			return t.giveUp(first, after, "a quote inside a field without quotes, or text behind a closing quote"), nil
		}
		if !c.open {
			t.fields = c.fields
			return t.fit(first, c.fields), nil
		}
		if at, err = t.lines.next(); err == io.EOF {
			return t.giveUp(first, after, "a quote is opened and never closed"), nil
		}
		if err != nil {
			return row{}, err
		}
		after = append(after, at)
	}
}

func (t *table) giveUp(first line, after []line, reason string) row {
	t.unread(after)
	p := fault("row.quote", first.text, reason, `quotes around the whole field, and "" for a quote inside of it`)
	return row{n: first.n, bad: &p}
}

func (t *table) fit(first line, fields []string) row {
	if t.columns != nil && len(fields) != len(t.columns) {
		p := fault("row.fields", first.text, fmt.Sprintf("%d fields instead of %d", len(fields), len(t.columns)),
			"one field for each column of the header")
		return row{n: first.n, bad: &p}
	}
	return row{n: first.n, fields: fields}
}

// csvRow is one row as far as it was read.
type csvRow struct {
	sep    string
	fields []string
	quoted strings.Builder
	open   bool // the row goes on in the next line, inside quotes
}

// feed adds a line and reports whether its quotes are right.
func (c *csvRow) feed(s string) bool {
	if c.open {
		c.quoted.WriteByte('\n')
	}
	for {
		if !c.open && !strings.HasPrefix(s, `"`) {
			field, rest, more := strings.Cut(s, c.sep)
			if strings.Contains(field, `"`) {
				return false
			}
			c.fields = append(c.fields, field)
			if !more {
				return true
			}
			s = rest
			continue
		}
		if !c.open {
			s, c.open = s[1:], true
		}
		rest, closed := c.unquote(s)
		if !closed {
			return true
		}
		c.fields = append(c.fields, c.quoted.String())
		c.quoted.Reset()
		c.open = false
		if rest == "" {
			return true
		}
		if s, closed = strings.CutPrefix(rest, c.sep); !closed {
			return false
		}
	}
}

// unquote reads up to the closing quote and returns what is behind it.
func (c *csvRow) unquote(s string) (rest string, closed bool) {
	for {
		text, after, found := strings.Cut(s, `"`)
		c.quoted.WriteString(text)
		switch {
		case !found:
			return "", false
		case !strings.HasPrefix(after, `"`):
			return after, true
		}
		c.quoted.WriteByte('"')
		s = after[1:]
	}
}

package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// IndicatorForm is how a text holds indicators: what people want to look up.
type IndicatorForm string

// The forms.
const (
	IndicatorJSON   IndicatorForm = "json"   // {"queries":["192.0.2.1", …]}
	IndicatorNDJSON IndicatorForm = "ndjson" // a string or an object a line
	IndicatorCSV    IndicatorForm = "csv"    // RFC 4180, the first row names the columns
	IndicatorText   IndicatorForm = "text"   // one a line
	IndicatorLog    IndicatorForm = "log"    // free text: whatever is found in it
)

// IndicatorForms lists the forms.
func IndicatorForms() []IndicatorForm {
	return []IndicatorForm{IndicatorJSON, IndicatorNDJSON, IndicatorCSV, IndicatorText, IndicatorLog}
}

// indicatorNames are the columns of a table and the members of an object that
// hold the indicator where none is named, the first that is there. Those with a
// dot are of IntelMQ's events.
func indicatorNames() []string {
	return []string{"query", "q", "indicator", "ioc", "ip", "source.ip", "src_ip", "ip_address", "ipaddress", "address", "addr",
		"cidr", "prefix", "network", "source.network", "domain", "fqdn", "source.fqdn", "hostname", "host", "url", "source.url",
		"email", "mail", "asn", "source.asn"}
}

// Indicator is one thing to look up, or what is wrong with a piece of the
// text. It belongs to the iterator that yields it and is good until the next.
type Indicator struct {
	Line    int    // on which it begins, from 1; in JSON the number of the query
	Text    string // as it stands there; of a piece that can't be read its start
	Query   directory.Query
	Problem *directory.Problem // nil: Query holds
}

// IndicatorOptions say how a text is read.
type IndicatorOptions struct {
	Form   IndicatorForm
	Column string // CSV, NDJSON: where the indicator is; "" is the first usual name
	Chunk  int    // octets in a chunk, about; 0 is 128 KiB
}

// IndicatorReader cuts a text into chunks of whole indicators, which can be
// read at the same time. It holds one chunk, however long the text is.
type IndicatorReader struct {
	// Use and Class are what a JSON text says of its queries.
	Use, Class string

	o        IndicatorOptions
	r        io.Reader
	buf      []byte // read and not handed out
	eof      bool
	line     int // number of the first line, or query, in buf
	skipping bool
	shape    tableShape // of CSV
	scan     csvRow
	json     indicatorList
}

// IndicatorChunk is a stretch of the text. Its methods may be called by any
// goroutine.
type IndicatorChunk struct {
	form   IndicatorForm
	text   string
	line   int // of its start
	bad    *directory.Problem
	shape  *tableShape
	column string
}

var indicatorCodes = []directory.CodeInfo{
	{Code: "indicator.column", Title: "The first row of a table names the column of the indicators", Advice: "Begin with a row such as ip,seen, or name the column with the parameter column."},
	{Code: "indicator.missing", Title: "Each row or line of a batch has an indicator", Advice: "Fill the field, or take the row out."},
	{Code: "indicator.order", Title: "A large JSON batch has use and class before its queries, and nothing behind them", Advice: "Put queries last, or send NDJSON with use and class as parameters."},
	{Code: "indicator.too-long", Title: "A line, row or query of a batch has at most 1 MiB", Advice: "Mend the line; a quote that is never closed is the usual cause."},
}

// errMore says that a text goes on and that more of it is needed.
var errMore = errors.New("format: more text is needed")

// NewIndicatorReader reads the beginning of a text: the header of a table, the
// members before the queries of JSON. The error is a [directory.Problem] where
// the text is no use as a whole, and io.EOF where it is empty.
func NewIndicatorReader(r io.Reader, o IndicatorOptions) (*IndicatorReader, error) {
	if o.Chunk <= 0 {
		o.Chunk = 128 << 10
	}
	x := &IndicatorReader{o: o, r: r, line: 1}
	if err := x.fill(4096); err != nil {
		return nil, err
	}
	if x.buf = bytes.TrimPrefix(x.buf, bom); len(x.buf) == 0 {
		return nil, io.EOF
	}
	if err := sniff(x.buf[:min(len(x.buf), 1024)]); err != nil && o.Form != IndicatorLog {
		return nil, err
	}
	switch o.Form {
	case IndicatorCSV:
		return x, x.header()
	case IndicatorJSON:
		return x, x.head()
	case IndicatorNDJSON, IndicatorText, IndicatorLog:
		return x, nil
	}
	return nil, fault("indicator.form", string(o.Form), "not a form of indicators", "")
}

// fill reads until buf holds n octets or the text ends.
func (x *IndicatorReader) fill(n int) error {
	for !x.eof && len(x.buf) < n {
		x.buf = slices.Grow(x.buf, n-len(x.buf))
		got, err := x.r.Read(x.buf[len(x.buf):cap(x.buf)])
		x.buf = x.buf[:len(x.buf)+got]
		if err == io.EOF {
			x.eof = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// more reads twice as much as there is.
func (x *IndicatorReader) more() error { return x.fill(2*len(x.buf) + 1) }

// Next returns the next chunk, or io.EOF. A [directory.Problem] says why the
// rest of the text can't be read; any other error is the reader's.
func (x *IndicatorReader) Next() (*IndicatorChunk, error) {
	for window := x.o.Chunk; ; window *= 2 {
		if err := x.fill(window); err != nil {
			return nil, err
		}
		if x.skipping {
			if err := x.skip(); err != nil {
				return nil, err
			}
		}
		if len(x.buf) == 0 && x.eof {
			return nil, x.end()
		}
		part := x.buf[:min(window, len(x.buf))]
		n, err := x.cut(part, x.eof && len(part) == len(x.buf))
		switch {
		case err == nil:
			return x.take(n), nil
		case err != errMore:
			return nil, err
		case len(part) >= maxLine:
			return x.tooLong(part)
		}
	}
}

// end says how the text ended.
func (x *IndicatorReader) end() error {
	if x.o.Form == IndicatorJSON && !x.json.ended {
		return wireProblem("json.syntax", "", "", "not JSON (RFC 8259): the text ends too early", "")
	}
	return io.EOF
}

// cut returns the length of the whole indicators that buf begins with.
func (x *IndicatorReader) cut(buf []byte, eof bool) (int, error) {
	switch x.o.Form {
	case IndicatorJSON:
		return x.json.cut(string(buf), eof)
	case IndicatorCSV:
		return x.cutRows(buf, eof)
	}
	if eof {
		return len(buf), nil
	}
	if n := bytes.LastIndexByte(buf, '\n'); n >= 0 {
		return n + 1, nil
	}
	return 0, errMore
}

func (x *IndicatorReader) take(n int) *IndicatorChunk {
	c := &IndicatorChunk{form: x.o.Form, text: string(x.buf[:n]), line: x.line, shape: &x.shape, column: x.o.Column}
	if x.o.Form == IndicatorJSON {
		c.text = c.text[:x.json.list]
		x.line += x.json.items
	} else {
		x.line += bytes.Count(x.buf[:n], []byte("\n"))
	}
	x.drop(n)
	return c
}

// drop takes n octets off the start of buf.
func (x *IndicatorReader) drop(n int) { x.buf = append(x.buf[:0], x.buf[n:]...) }

// tooLong reports a line that is longer than any, and leaves it out.
func (x *IndicatorReader) tooLong(part []byte) (*IndicatorChunk, error) {
	p := fault("indicator.too-long", string(x.buf[:100]), "longer than 1 MiB", "one indicator a line")
	if x.o.Form == IndicatorJSON {
		return nil, p.At(pointerTo("/queries", x.line-1))
	}
	if n := bytes.IndexByte(part, '\n'); n >= 0 {
		return x.take(n + 1), nil // an open quote of CSV costs one line
	}
	x.skipping = true
	return &IndicatorChunk{form: x.o.Form, text: string(x.buf[:100]), line: x.line, bad: &p}, nil
}

// skip drops what is left of a line that is too long.
func (x *IndicatorReader) skip() error {
	for {
		if n := bytes.IndexByte(x.buf, '\n'); n >= 0 {
			x.drop(n + 1)
			x.line++
			x.skipping = false
			return nil
		}
		x.buf = x.buf[:0]
		if x.eof {
			x.skipping = false
			return nil
		}
		if err := x.fill(x.o.Chunk); err != nil {
			return err
		}
	}
}

// All yields what the chunk holds, in order: every line that is not blank,
// every row, every query gives one indicator or one problem; of free text only
// what is found in it. An error ends the whole text: its JSON is broken.
func (c *IndicatorChunk) All() iter.Seq2[*Indicator, error] {
	return func(yield func(*Indicator, error) bool) {
		in := &Indicator{Line: c.line}
		if c.bad != nil {
			in.Text, in.Problem = c.text, c.bad
			yield(in, nil)
			return
		}
		switch c.form {
		case IndicatorCSV:
			c.rows(in, yield)
		case IndicatorJSON:
			c.queries(in, yield)
		default:
			c.lines(in, yield)
		}
	}
}

// lines yields what the lines hold.
func (c *IndicatorChunk) lines(in *Indicator, yield func(*Indicator, error) bool) {
	read := oneALine
	switch c.form {
	case IndicatorNDJSON:
		read = newObjectReader(c.column).line
	case IndicatorLog:
		read = new(finder).line
	}
	for rest, more := c.text, true; more; in.Line++ {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		if line = trimLine(line); line != "" && !read(in, line, yield) {
			return
		}
	}
}

// trimLine takes blanks off both ends, faster than [strings.TrimSpace] where
// there are none.
func trimLine(s string) string {
	if s == "" || s[0] > ' ' && s[0] < utf8.RuneSelf && s[len(s)-1] > ' ' && s[len(s)-1] < utf8.RuneSelf {
		return s
	}
	return strings.TrimSpace(s)
}

// oneALine yields a line that is one indicator.
func oneALine(in *Indicator, line string, yield func(*Indicator, error) bool) bool {
	in.parse(line)
	return yield(in, nil)
}

// parse takes text for the indicator.
func (in *Indicator) parse(text string) {
	in.Text, in.Problem = text, nil
	var err error
	if in.Query, err = directory.ParseQuery(text); err != nil {
		in.refuse(text, faultOf(err, ""))
	}
}

// refuse says what is wrong with a piece of the text.
func (in *Indicator) refuse(text string, p directory.Problem) {
	in.Text, in.Query, in.Problem = shown(text), directory.Query{}, &p
}

// shown is as much of a piece of text as is told back.
func shown(s string) string {
	if len(s) > 2048 {
		s = s[:2048]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// DetectIndicators guesses the form of a file by the beginning of its content,
// and by its name where that says more. It never guesses free text, in which
// lines without an indicator are passed over.
func DetectIndicators(name string, head []byte, column string) IndicatorForm {
	name = strings.ToLower(name)
	first, _, _ := bytes.Cut(bytes.TrimSpace(bytes.TrimPrefix(head, bom)), []byte("\n"))
	var shape tableShape
	switch {
	case strings.HasSuffix(name, ".log"):
		return IndicatorLog
	case jsonStart.Match(head):
		return IndicatorJSON
	case bytes.HasPrefix(first, []byte("{")), bytes.HasPrefix(first, []byte(`"`)) && strings.HasSuffix(name, "json"):
		return IndicatorNDJSON
	case shape.header(string(bytes.TrimRight(first, "\r")), column) == nil && (shape.columns > 1 || column != "" || strings.HasSuffix(name, ".csv")):
		return IndicatorCSV
	}
	return IndicatorText
}

func tooManyFields(got, want int) directory.Problem {
	return fault("row.fields", "", fmt.Sprintf("%d fields instead of %d", got, want), "one field for each column of the header")
}

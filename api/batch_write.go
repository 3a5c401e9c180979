package api

import (
	"bufio"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// batchCodec writes the records of a batch in one form. Each record but the
// first is to be divided from the one before; answer and unread put the divider
// before each.
type batchCodec interface {
	head() string
	divider() string
	answer(dst []byte, a *directory.Answer, line int) []byte
	unread(dst []byte, in *format.Indicator, seq int64) []byte
	group(w *bufio.Writer, g *directory.Group) error
	end(dst []byte, s *BatchSummary) []byte
}

// codec returns the codec of the form, JSON where none is said.
func (b *Batch) codec() batchCodec {
	switch b.Form {
	case BatchNDJSON:
		return jsonCodec{lines: b.Lines, after: "\n"}
	case BatchCSV:
		return csvCodec{grouped: b.Group}
	}
	return jsonCodec{lines: b.Lines, whole: true, grouped: b.Group}
}

// jsonCodec writes JSON: one value, or one a line.
type jsonCodec struct {
	lines   bool // answers name their lines
	whole   bool
	grouped bool
	after   string // a record
}

func (c jsonCodec) head() string {
	switch {
	case !c.whole:
		return ""
	case c.grouped:
		return `{"answers":[],"groups":[`
	}
	return `{"answers":[`
}

func (c jsonCodec) divider() string {
	if c.whole {
		return ","
	}
	return ""
}

func (c jsonCodec) answer(dst []byte, a *directory.Answer, line int) []byte {
	return c.numbered(AppendAnswer(append(dst, c.divider()...), a), line)
}

// numbered adds the line to a record, which is a JSON object, and ends it.
func (c jsonCodec) numbered(dst []byte, line int) []byte {
	if c.lines {
		dst = append(dst[:len(dst)-1], `,"line":`...)
		dst = append(strconv.AppendInt(dst, int64(line), 10), '}')
	}
	return append(dst, c.after...)
}

func (c jsonCodec) unread(dst []byte, in *format.Indicator, seq int64) []byte {
	dst = appendString(append(append(dst, c.divider()...), `{"query":`...), in.Text)
	dst = append(dst, `,"kind":"","status":"unavailable","candidates":[],"trace":[],"seq":`...)
	dst = append(strconv.AppendInt(dst, seq, 10), `,"error":`...)
	return c.numbered(append(appendItem(dst, in.Problem), '}'), in.Line)
}

// appendItem appends the JSON of a problem that needs no pointer: the record
// that it is in says where.
func appendItem(dst []byte, p *directory.Problem) []byte {
	dst = appendString(append(dst, `{"code":`...), string(p.Code))
	dst = appendOptional(dst, `,"value":`, p.Value)
	dst = appendString(append(dst, `,"reason":`...), p.Reason)
	dst = appendOptional(dst, `,"want":`, p.Want)
	return append(dst, '}')
}

// group writes a group piece by piece: it may hold all of a batch.
func (c jsonCodec) group(w *bufio.Writer, g *directory.Group) error {
	dst := append(w.AvailableBuffer(), `{"group":`...)
	dst = strconv.AppendInt(dst, int64(g.Number), 10)
	if g.Part > 0 {
		dst = strconv.AppendInt(append(dst, `,"part":`...), int64(g.Part), 10)
	}
	dst = append(append(append(dst, `,"status":"`...), g.Status...), `","recipients":[`...)
	for i := range g.Recipients {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendRecipient(dst, &g.Recipients[i])
	}
	dst = strconv.AppendInt(append(dst, `],"count":`...), int64(g.Count), 10)
	if _, err := w.Write(append(dst, `,"indicators":[`...)); err != nil {
		return err
	}
	comma := ""
	for text := range g.Indicators() {
		dst = append(append(w.AvailableBuffer(), comma...), '"')
		from := len(dst)
		if _, err := w.Write(append(escapeFrom(append(dst, text...), from), '"')); err != nil {
			return err
		}
		comma = ","
	}
	return c.problems(w, g)
}

func (c jsonCodec) problems(w *bufio.Writer, g *directory.Group) error {
	before := `],"problems":[`
	for i := range g.Unread {
		u := &g.Unread[i]
		dst := append(append(w.AvailableBuffer(), before...), `{"line":`...)
		dst = append(strconv.AppendInt(dst, int64(u.Line), 10), `,"query":`...)
		dst = append(appendString(dst, u.Text), `,"error":`...)
		if _, err := w.Write(append(appendItem(dst, &u.Problem), '}')); err != nil {
			return err
		}
		before = ","
	}
	_, err := w.WriteString("]}" + c.after)
	return err
}

func appendRecipient(dst []byte, r *directory.Recipient) []byte {
	dst = appendTeam(append(dst, `{"team":`...), r.Team)
	if r.Contact == nil {
		dst = append(dst, `,"contact":null,"evidence":null`...)
	} else {
		dst = appendContact(append(dst, `,"contact":`...), r.Contact)
		dst = appendStanding(dst, &r.Standing)
	}
	if r.Withheld {
		dst = append(dst, `,"withheld":true`...)
	}
	if r.Checks != nil {
		dst = appendChecks(dst, r.Checks, nil)
	}
	return append(dst, '}')
}

// end of one value closes it; the summary of an interrupted one is the last of
// it that can be read, and leaves it open.
func (c jsonCodec) end(dst []byte, s *BatchSummary) []byte {
	text, _ := json.Marshal(s) // numbers and words
	if !c.whole {
		return append(append(dst, text...), '\n')
	}
	dst = append(append(dst, `],"summary":`...), text...)
	if s.End {
		dst = append(dst, '}')
	}
	return append(dst, '\n')
}

// csvCodec writes tables (RFC 4180): a row for each indicator. Several teams
// that are undecided share a row, divided by " | ".
type csvCodec struct{ grouped bool }

// csvRecipient are the columns about whom to tell.
const csvRecipient = "handle,team,contact,evidence_level,evidence_state,evidence_at,valid_until,checks"

// csvEnd is the end of a row.
const csvEnd = "\r\n"

func (c csvCodec) head() string {
	if c.grouped {
		return "line,status,query,group," + csvRecipient + ",code,reason" + csvEnd
	}
	return "line,status,query,kind,rung,matched_on," + csvRecipient + ",code,reason" + csvEnd
}

func (csvCodec) divider() string { return "" }

func (c csvCodec) answer(dst []byte, a *directory.Answer, line int) []byte {
	dst = strconv.AppendInt(dst, int64(line), 10)
	dst = append(append(append(dst, ','), a.Status...), ',')
	dst = appendCell(dst, a.Query.Text)
	dst = append(append(append(dst, ','), a.Query.Kind...), ',')
	if len(a.Candidates) > 0 {
		dst = append(append(dst, a.Candidates[0].Rung...), ',')
		dst = appendCell(dst, a.Candidates[0].MatchedOn.String())
	} else {
		dst = append(dst, ',')
	}
	dst = appendRecipients(append(dst, ','), a.Recipients(nil))
	return append(dst, ",,"+csvEnd...)
}

func (c csvCodec) unread(dst []byte, in *format.Indicator, _ int64) []byte {
	dst = strconv.AppendInt(dst, int64(in.Line), 10)
	dst = appendCell(append(dst, ",unavailable,"...), in.Text)
	return appendFault(append(dst, ",,,"...), in.Problem)
}

// appendFault appends the empty columns of a recipient, the problem, and the
// end of the row.
func appendFault(dst []byte, p *directory.Problem) []byte {
	dst = append(append(dst, strings.Repeat(",", strings.Count(csvRecipient, ",")+2)...), p.Code...)
	return append(appendCell(append(dst, ','), p.Error()), csvEnd...)
}

// appendRecipients appends the columns about the recipients.
func appendRecipients(dst []byte, list []directory.Recipient) []byte {
	columns := []func(*directory.Recipient) string{
		func(r *directory.Recipient) string { return string(r.Team.Handle) },
		func(r *directory.Recipient) string { return r.Team.Name() },
		contactOr(func(r *directory.Recipient) string { return r.Contact.Value }),
		contactOr(func(r *directory.Recipient) string { return r.Standing.Level.String() }),
		contactOr(func(r *directory.Recipient) string { return string(r.Standing.State) }),
		contactOr(func(r *directory.Recipient) string { return stamp(r.Standing.At) }),
		contactOr(func(r *directory.Recipient) string { return stamp(r.Standing.ValidUntil) }),
		func(r *directory.Recipient) string { return r.Checks.Worst() },
	}
	for i, column := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch len(list) {
		case 0:
		case 1:
			dst = appendCell(dst, column(&list[0]))
		default:
			words := make([]string, len(list))
			for k := range list {
				words[k] = column(&list[k])
			}
			dst = appendCell(dst, strings.Join(words, " | "))
		}
	}
	return dst
}

// contactOr is of for recipients whose contact can be seen.
func contactOr(of func(*directory.Recipient) string) func(*directory.Recipient) string {
	return func(r *directory.Recipient) string {
		if r.Contact == nil {
			return ""
		}
		return of(r)
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// appendCell appends a field, in quotes where RFC 4180 section 2 wants them.
func appendCell(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsAny(s, "\",\r\n") {
		return append(dst, s...)
	}
	return append(append(append(dst, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}

// group writes one row for each indicator.
func (c csvCodec) group(w *bufio.Writer, g *directory.Group) error {
	after := append(strconv.AppendInt([]byte(","), int64(g.Number), 10), ',')
	after = append(appendRecipients(after, g.Recipients), ",,"+csvEnd...)
	for text := range g.Indicators() {
		dst := append(append(append(w.AvailableBuffer(), ','), g.Status...), ',')
		if _, err := w.Write(append(appendCell(dst, string(text)), after...)); err != nil {
			return err
		}
	}
	for i := range g.Unread {
		u := &g.Unread[i]
		dst := strconv.AppendInt(w.AvailableBuffer(), int64(u.Line), 10)
		dst = appendCell(append(dst, ",unavailable,"...), u.Text)
		dst = strconv.AppendInt(append(dst, ','), int64(g.Number), 10)
		if _, err := w.Write(appendFault(dst, &u.Problem)); err != nil {
			return err
		}
	}
	return nil
}

// end is a row that no indicator has: its status is end, or interrupted, and
// its line how many indicators were answered.
func (c csvCodec) end(dst []byte, s *BatchSummary) []byte {
	status, p := "end", directory.Problem{}
	if !s.End {
		status, p = "interrupted", directory.Problem{Code: directory.Code(s.Error.Code), Reason: s.Error.Reason}
	}
	dst = strconv.AppendInt(dst, int64(s.Count), 10)
	dst = append(append(append(dst, ','), status...), ",,"...)
	if !c.grouped {
		dst = append(dst, ",,"...)
	}
	return appendFault(dst, &p)
}

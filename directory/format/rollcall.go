package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

// RollcallVersion is the version of our own format that this program writes.
const RollcallVersion = 1

const (
	maxRollcallLine = 4 << 20
	rollcallName    = "rollcall"
)

// rollcallEdge is the first and the last line of a file. The last one has the
// count, by which a file that was cut off is known.
type rollcallEdge struct {
	Format  string `json:"format,omitzero"`
	Version int    `json:"version,omitzero"`
	End     bool   `json:"end,omitzero"`
	Records *int   `json:"records,omitzero"`
}

// rollcallRecord is one line in between: all that the directory knows about a
// team, so that a restored directory shows and proves the same. The number of
// the last change is not part of it: it belongs to one store.
type rollcallRecord struct {
	ID         string          `json:"id"`
	Handle     string          `json:"handle"`
	Revision   int64           `json:"revision"`
	Created    time.Time       `json:"created"`
	Updated    time.Time       `json:"updated"`
	Deleted    time.Time       `json:"deleted,omitzero"`
	MergedInto string          `json:"merged_into,omitzero"`
	Own        Profile         `json:"own"`
	OwnAt      time.Time       `json:"own_at,omitzero"`
	OwnBy      string          `json:"own_by,omitzero"`
	OwnDates   rollcallDates   `json:"own_dates,omitzero"`
	Layers     []rollcallLayer `json:"layers,omitzero"`
	Evidence   []rollcallProof `json:"evidence,omitzero"`

	Successions []rollcallSuccession `json:"successions,omitzero"`
	FormerKeys  []rollcallFormer     `json:"former_keys,omitzero"`
}

type rollcallLayer struct {
	Source  string        `json:"source"`
	Key     string        `json:"key"`
	AsOf    time.Time     `json:"as_of,omitzero"`
	At      time.Time     `json:"at"`
	Hash    string        `json:"hash,omitzero"`
	ID      string        `json:"id,omitzero"`
	Dates   rollcallDates `json:"dates,omitzero"`
	Profile Profile       `json:"profile"`
	Raw     []Raw         `json:"raw,omitzero"`
}

// rollcallDates says since when fields have had their value.
type rollcallDates map[string]time.Time

// dates copies times field by field, in UTC; none stay none.
func dates[From, To ~map[string]time.Time](from From) To {
	if len(from) == 0 {
		return nil
	}
	to := make(To, len(from))
	for field, t := range from {
		to[field] = utc(t)
	}
	return to
}

type rollcallProof struct {
	ID         string    `json:"id"`
	Contact    string    `json:"contact"`
	Revision   int       `json:"revision"`
	Level      int       `json:"level"`
	Outcome    string    `json:"outcome"`
	Method     string    `json:"method"`
	At         time.Time `json:"at"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	By         string    `json:"by,omitzero"`
	Note       string    `json:"note,omitzero"`
	RawHash    string    `json:"raw_hash,omitzero"`
}

// ExportRollcall writes records as our own NDJSON: a first line with format
// and version, one record a line, and a last line with their number. It stops
// at the first error; the file then has no last line and is known as cut off.
func ExportRollcall(w io.Writer, records iter.Seq2[directory.Record, error]) error {
	out := bufio.NewWriterSize(w, 1<<16)
	n := 0
	if err := writeLine(out, rollcallEdge{Format: rollcallName, Version: RollcallVersion}); err != nil {
		return err
	}
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := writeLine(out, recordTo(r)); err != nil {
			return fmt.Errorf("team %s: %w", r.Handle, err)
		}
		n++
	}
	if err := writeLine(out, rollcallEdge{End: true, Records: &n}); err != nil {
		return err
	}
	return out.Flush()
}

// errLineTooLong keeps an export from writing what no import would read.
var errLineTooLong = errors.New("format: a record of more than 4 MiB")

func writeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	if b.Len() > maxRollcallLine {
		return errLineTooLong
	}
	_, err := w.Write(b.Bytes())
	return err
}

func recordTo(r directory.Record) rollcallRecord {
	return rollcallRecord{
		ID: string(r.ID), Handle: string(r.Handle), Revision: r.Revision, Created: utc(r.Created), Updated: utc(r.Updated),
		Deleted: utc(r.Deleted), MergedInto: string(r.MergedInto), Own: ProfileTo(r.Own), OwnAt: utc(r.OwnAt), OwnBy: r.OwnBy, OwnDates: dates[directory.Dates, rollcallDates](r.OwnDates),
		Layers: each(r.Layers, layerTo), Evidence: each(r.Evidence, proofTo),
		Successions: each(r.Successions, successionTo), FormerKeys: each(r.FormerKeys, formerTo),
	}
}

func layerTo(l directory.Layer) rollcallLayer {
	return rollcallLayer{Source: l.Source, Key: l.Key, AsOf: utc(l.AsOf), At: utc(l.At), Hash: l.Hash, ID: string(l.ID), Dates: dates[directory.Dates, rollcallDates](l.Dates), Profile: ProfileTo(l.Profile), Raw: each(l.Raw, rawTo)}
}

func proofTo(e directory.Evidence) rollcallProof {
	return rollcallProof{
		ID: e.ID, Contact: string(e.Contact), Revision: e.Revision, Level: int(e.Level), Outcome: string(e.Outcome),
		Method: e.Method, At: utc(e.At), ValidUntil: utc(e.ValidUntil), By: e.By, Note: e.Note, RawHash: e.RawHash,
	}
}

// Rollcall reads our own NDJSON. A line that can't be read is reported and the
// rest goes on; a file without its last line, or with another number of
// records than that says, is refused as cut off: the end is Fatal, so that
// nothing of half a file is taken in.
func Rollcall(r io.Reader) directory.RecordItems {
	return func(yield func(directory.RecordItem) bool) {
		f := rollcallFile{lines: bufio.NewReaderSize(r, 1<<16), yield: yield}
		f.read()
	}
}

// rollcallFile is one file on its way in.
type rollcallFile struct {
	lines   *bufio.Reader
	yield   func(directory.RecordItem) bool
	row     int
	records int  // lines that should be records
	ended   bool // the last line was seen
}

func (f *rollcallFile) read() {
	for {
		line, long, err := f.line()
		if len(line) == 0 && err != nil {
			f.end(err)
			return
		}
		f.row++
		switch {
		case f.row == 1:
			if !f.header(line) {
				return
			}
		case long:
			f.records++
			if !f.skip(wireProblem("rollcall.line-too-long", "", "", "a line of more than 4 MiB", "")) {
				return
			}
		case !f.take(bytes.TrimSpace(line)):
			return
		}
	}
}

// line reads one line, of which it keeps no more than allowed.
func (f *rollcallFile) line() (line []byte, long bool, err error) {
	for {
		part, err := f.lines.ReadSlice('\n')
		if len(line)+len(part) <= maxRollcallLine {
			line = append(line, part...)
		} else {
			long = true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, long, err
		}
	}
}

func (f *rollcallFile) skip(p directory.Problem) bool {
	return f.yield(directory.RecordItem{Row: f.row, Skipped: &directory.RowProblem{Row: f.row, Problem: p}})
}

// refuse ends the file.
func (f *rollcallFile) refuse(code directory.Code, pointer, value, reason, want string) bool {
	f.yield(directory.RecordItem{Row: f.row, Fatal: wireProblem(code, pointer, value, reason, want)})
	return false
}

func (f *rollcallFile) header(line []byte) bool {
	const want = `{"format":"rollcall","version":1} as the first line`
	var h rollcallEdge
	line = bytes.TrimSpace(bytes.TrimPrefix(line, bom))
	if err := sniff(line); err != nil {
		f.yield(directory.RecordItem{Row: f.row, Fatal: err})
		return false
	}
	if bad := decodeInto(line, &h, true); len(bad) > 0 || h.Format != rollcallName {
		return f.refuse("rollcall.header", "", string(line), "not a file of our own format", want)
	}
	if h.Version != RollcallVersion {
		return f.refuse("rollcall.version", "/version", strconv.Itoa(h.Version), "a version of the format that this program does not know", "version 1")
	}
	return true
}

func (f *rollcallFile) take(line []byte) bool {
	if len(line) == 0 {
		return true
	}
	if f.ended {
		return f.refuse("rollcall.after-end", "", "", "a line behind the last one", "one export in one file")
	}
	if bytes.HasPrefix(line, []byte(`{"end":`)) {
		return f.trailer(line)
	}
	f.records++
	r, bad := recordFrom(line)
	if len(bad) > 0 {
		return f.skip(summary(bad))
	}
	return f.yield(directory.RecordItem{Row: f.row, Record: &r})
}

// summary is the first problem of a line, with the number of the others.
func summary(bad []directory.Problem) directory.Problem {
	p := bad[0]
	if n := len(bad) - 1; n > 0 {
		p.Reason += fmt.Sprintf(", and %d more in this record", n)
	}
	return p
}

func (f *rollcallFile) trailer(line []byte) bool {
	var e rollcallEdge
	bad := decodeInto(line, &e, true)
	f.ended = true
	if len(bad) > 0 || e.Records == nil || *e.Records != f.records {
		return f.refuse("rollcall.count", "/records", string(line),
			fmt.Sprintf("the file has %d records, and its last line says something else", f.records), "the whole file, unchanged")
	}
	return true
}

func (f *rollcallFile) end(err error) {
	f.row++
	switch {
	case !errors.Is(err, io.EOF):
		f.yield(directory.RecordItem{Row: f.row, Fatal: fmt.Errorf("line %d: %w", f.row, err)})
	case f.row == 1:
		f.refuse("import.empty", "", "", "the file is empty", "a file that rollcall export wrote")
	case !f.ended:
		f.refuse("rollcall.truncated", "", "", "the file ends without its last line, so it was cut off", "a file whose last line has the number of records")
	}
}

// recordFrom reads one line.
func recordFrom(line []byte) (directory.Record, []directory.Problem) {
	var w rollcallRecord
	bad := decodeInto(line, &w, true)
	p := parser{stored: true}
	r := directory.Record{
		ID:         required(&p, "/id", w.ID, directory.ParseTeamID),
		Handle:     required(&p, "/handle", w.Handle, directory.ParseHandle),
		Revision:   w.Revision,
		Created:    w.Created,
		Updated:    w.Updated,
		Deleted:    w.Deleted,
		MergedInto: optional(&p, "/merged_into", w.MergedInto, directory.ParseTeamID),
		Own:        p.profile("/own", w.Own),
		OwnAt:      w.OwnAt,
		OwnBy:      p.plain("/own_by", w.OwnBy),
		OwnDates:   dates[rollcallDates, directory.Dates](w.OwnDates),
		Layers:     convert("/layers", w.Layers, p.layer),
		Evidence:   convert("/evidence", w.Evidence, p.proof),

		Successions: convert("/successions", w.Successions, p.succession),
		FormerKeys:  convert("/former_keys", w.FormerKeys, p.former),
	}
	if w.Revision < 1 {
		p.add("field.range", "/revision", strconv.FormatInt(w.Revision, 10), "a revision below 1", "1 or more")
	}
	return r, withoutRepeats(bad, p.problems)
}

// parseSource parses the name of a layer's source. What a team brought along
// when it became part of another one is a layer named after its handle.
func parseSource(s string) (directory.Handle, error) {
	if _, err := directory.ParseHandle(strings.TrimPrefix(s, "merged:")); err != nil {
		return "", err
	}
	return directory.Handle(s), nil
}

func (p *parser) layer(at string, w rollcallLayer) directory.Layer {
	p.home = ""
	l := directory.Layer{Source: string(required(p, at+"/source", w.Source, parseSource)), Key: p.plain(at+"/key", w.Key), AsOf: w.AsOf, At: w.At, Hash: p.plain(at+"/hash", w.Hash), Dates: dates[rollcallDates, directory.Dates](w.Dates)}
	if l.Source == directory.SourceTeam {
		p.add("layer.source", at+"/source", l.Source, "the team's own values are not a layer", "the name of an imported source")
	}
	l.ID = optional(p, at+"/id", w.ID, directory.ParseTeamID)
	l.Profile = p.profile(at+"/profile", w.Profile)
	l.Raw = convert(at+"/raw", w.Raw, p.raw)
	return l
}

// maxRaw is how many characters of a source's own words are kept.
const maxRaw = 1000

func (p *parser) raw(at string, w Raw) directory.Raw {
	if utf8.RuneCountInString(w.Text) > maxRaw {
		p.add("text.too-long", at+"/text", w.Text, "more than 1,000 characters", "")
	}
	return directory.Raw{
		Field:      required(p, at+"/field", w.Field, func(s string) (string, error) { return p.plain(at+"/field", s), nil }),
		Text:       p.plain(at+"/text", w.Text),
		Visibility: optional(p, at+"/visibility", w.Visibility, directory.ParseTLP),
	}
}

var outcomes = []directory.Word{
	string(directory.OutcomeProved), string(directory.OutcomeFailed), string(directory.OutcomeDisputed), string(directory.OutcomeSettled),
}

func (p *parser) proof(at string, w rollcallProof) directory.Evidence {
	if w.At.IsZero() {
		p.add("field.missing", at+"/at", "", "evidence without a date proves nothing", "a time such as 2026-11-21T20:00:00Z")
	}
	return directory.Evidence{
		ID:         p.plain(at+"/id", w.ID),
		Contact:    required(p, at+"/contact", w.Contact, parseContactID),
		Revision:   p.number(at+"/revision", w.Revision, 0, 1<<31-1),
		Level:      directory.Level(p.number(at+"/level", w.Level, int(directory.Listed), int(directory.Drilled))),
		Outcome:    directory.Outcome(required(p, at+"/outcome", w.Outcome, vocabulary("outcome.unknown", outcomes))),
		Method:     p.plain(at+"/method", w.Method),
		At:         w.At,
		ValidUntil: w.ValidUntil,
		By:         p.plain(at+"/by", w.By),
		Note:       p.plain(at+"/note", w.Note),
		RawHash:    p.plain(at+"/raw_hash", w.RawHash),
	}
}

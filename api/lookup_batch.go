package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// maxQueries is how many queries in JSON are answered all or none. More, and
// those of the other forms, are answered as they come.
const maxQueries = 1000

// defaultMaxBatchBody is the largest body of a batch, unless Config says so.
const defaultMaxBatchBody = 128 << 20

// batchInput describes the parameters of POST /v1/lookup; the handler reads
// them itself.
type batchInput struct {
	Use     string `query:"use" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contacts are for; absent is abuse, then general" example:"abuse"`
	Class   string `query:"class" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident class" example:"malicious-code"`
	Group   string `query:"group" enum:"recipient" doc:"recipient: one record for each recipient, with all indicators to tell it about, instead of one for each indicator" example:"recipient"`
	Column  string `query:"column" maxLength:"200" doc:"CSV: the column of the indicators; NDJSON: the member of the objects. Absent is the first usual name, such as query, ip, domain, url, email or asn" example:"source.ip"`
	Extract bool   `query:"extract" doc:"text/plain: the body is free text, such as a log, and everything in it that can be looked up is" example:"false"`
}

type batchOutput struct{ Body []byte }

// Queries is the body of POST /v1/lookup in JSON.
type Queries struct {
	Queries []string `json:"queries" minItems:"1" maxItems:"1000000" doc:"What to look up, in any mix of kinds" example:"[\"192.0.2.17\",\"example.org\"]"`
	Use     string   `json:"use,omitzero" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contacts are for; absent is abuse, then general" example:"abuse"`
	Class   string   `json:"class,omitzero" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident class" example:"malicious-code"`
}

// Answers is the answer to [Queries], in their order.
type Answers struct {
	Answers []Answer     `json:"answers" doc:"One for each query, in the order of the queries; none where they are grouped"`
	Groups  []BatchGroup `json:"groups,omitzero" doc:"With group=recipient: one for each recipient"`
	Summary BatchSummary `json:"summary" doc:"What it came to, behind the answers"`
}

func (s *Server) registerLookupBatch() {
	e := exampleEvidence()
	answer := exampleAnswer()
	many := spec{
		id: "lookup-batch", method: http.MethodPost, path: lookupPath, tag: "lookup", access: public, rate: rateBulk, maxBody: -1, // it counts itself
		summary: "Find whom to contact about many things",
		more: "Up to 1,000,000 queries of any kind, of one moment of the directory. The body is JSON, NDJSON (a string or an object a line), CSV (the first row names the columns), or text, " +
			"one query a line or, with extract, whatever is found in it. The answer is JSON, NDJSON or CSV, as Accept says, and written while the body is read: a client reads and sends at the same time, or sends no more than 16 MiB. " +
			"What can't be read is told in its place, and the rest is answered; only up to 1,000 queries in JSON, answered in JSON and not grouped, are answered all or none. " +
			"An answer that was interrupted lacks its end: the last record of NDJSON and CSV, the last bracket of JSON, and the connection is cut. Names are matched exactly where there are more than ten queries.",
		body: Queries{Queries: []string{"192.0.2.17", "example.org"}, Use: "abuse"},
		answer: Answers{Answers: []Answer{answer}, Summary: BatchSummary{End: true, Count: 1, Match: 1, Seq: 812},
			Groups: []BatchGroup{{Group: 1, Status: "match", Count: 1, Indicators: []string{"192.0.2.17"},
				Recipients: []BatchRecipient{{Team: answer.Candidates[0].Team, Contact: answer.Candidates[0].Contact, Evidence: &e}}}}},
	}
	op := describeOnly[batchInput, batchOutput](s, many)
	s.handle(&op, s.lookupBatch)
	s.batchSchemas(many)
}

// describeOnly lets Huma describe an operation from its types, for a handler
// that Huma does not call.
func describeOnly[I, O any](s *Server, sp spec) huma.Operation {
	op := sp.operation(s.huma.OpenAPI().Components.Schemas)
	described := huma.NewAPI(huma.Config{OpenAPI: s.huma.OpenAPI()}, undone{})
	huma.Register(described, op, func(context.Context, *I) (*O, error) { return nil, nil })
	s.describe(sp)
	return op
}

// batchSchemas adds the forms that Go types do not tell, and what may be null,
// for which Huma knows no references.
func (s *Server) batchSchemas(sp spec) {
	doc := s.huma.OpenAPI()
	op := operationAt(doc.Paths[sp.path], sp.method)
	text := func(about, example string) *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Description: about}, Example: example}
	}
	const ndjson, csv = string(BatchNDJSON), string(BatchCSV)
	in, out := op.RequestBody.Content, map[string]*huma.MediaType{}
	op.Responses["200"].Content = out
	out[string(BatchJSON)] = &huma.MediaType{Schema: schemaOf[Answers](doc.Components.Schemas), Example: sp.answer}
	in[ndjson] = text("A string, or an object with a member such as ip, domain, url, email, asn or query, a line", "\"192.0.2.17\"\n{\"ip\":\"192.0.2.18\"}\n")
	in[csv] = text("A table (RFC 4180) whose first row names the columns; also divided by semicolons or tabs", "ip,seen\n192.0.2.17,2026-11-21\n")
	in["text/plain"] = text("One query a line; with extract any text", "192.0.2.17\nexample.org\n")
	out[ndjson] = text("An Answer a line, or a BatchGroup; the last line is a BatchSummary", "{\"query\":\"192.0.2.17\",\"kind\":\"ip\",…}\n{\"end\":true,\"count\":1,…}\n")
	out[csv] = text("A row for each query, which says in status how it ended; the status of the last row is end", "line,status,query,…\r\n2,match,192.0.2.17,…\r\n1,end,,…\r\n")
	for schema, names := range map[string][]string{"Candidate": {"contact", "evidence"}, "BatchRecipient": {"contact", "evidence"}} {
		properties := doc.Components.Schemas.Map()[schema].Properties
		for _, name := range names {
			properties[name] = orNull(properties[name])
		}
	}
}

// batchQuestion is what the parameters and headers of a batch say.
type batchQuestion struct {
	input      format.IndicatorForm
	output     BatchForm
	group      bool
	column     string
	use, class string
}

// lookupBatch answers POST /v1/lookup.
func (s *Server) lookupBatch(w http.ResponseWriter, r *http.Request, c *call) int {
	c.r, c.w = r, w
	q, err := readBatchQuestion(r)
	if err != nil {
		return s.refuse(w, r, c, err)
	}
	if most := s.maxBatchBody(); r.ContentLength > most {
		return s.refuse(w, r, c, bodyTooLarge(most))
	}
	body := newPacedBody(w, r, s.maxBatchBody(), s.cfg.BatchPatience)
	defer body.end()
	b := &Batch{
		Index: s.cfg.Index(), Form: q.output, Group: q.group, Lines: q.input != format.IndicatorJSON, Most: s.cfg.MaxBatch, Some: q.input != format.IndicatorLog,
		Stop: body.stop, heldAll: &s.held, counted: s.metrics.looked,
		Ask: directory.Ask{Viewer: c.viewer, Now: s.cfg.Now(), Use: q.use, Class: q.class},
	}
	// Half-duplex clients send all before they read: what they send is taken
	// in while the answer waits for them.
	from := io.Reader(body)
	if !q.group {
		from = body.readAhead()
	}
	in, err := s.batchReader(from, q, b)
	if err != nil {
		body.leave(w, r)
		return s.refuse(w, r, c, bodyError(err))
	}
	return s.runBatch(w, r, c, b, in, body)
}

// runBatch writes the answer while it reads the body.
func (s *Server) runBatch(w http.ResponseWriter, r *http.Request, c *call, b *Batch, in *format.IndicatorReader, body *pacedBody) int {
	out := &batchConn{w: w, control: body.control, patience: body.patience, media: string(b.Form)}
	_ = body.control.EnableFullDuplex() // HTTP/2 needs no leave
	// That the client has gone is seen by reading and writing: one that only
	// closed its side still reads why the answer breaks off.
	sum, err := b.Run(context.WithoutCancel(r.Context()), in, out)
	switch {
	case err == nil:
		out.done(r)
		return http.StatusOK
	case !out.begun:
		body.leave(w, r)
		return s.refuse(w, r, c, bodyError(err))
	case !out.failed:
		s.cfg.Log.Warn("batch interrupted", "request", c.id, "answered", sum.Count, "err", err)
	}
	// Half an answer must not look whole: without its last chunk the client
	// sees that it isn't.
	_ = body.control.Flush()
	body.linger()
	panic(http.ErrAbortHandler)
}

func (s *Server) maxBatchBody() int64 {
	if s.cfg.MaxBatchBody > 0 {
		return s.cfg.MaxBatchBody
	}
	return defaultMaxBatchBody
}

// readBatchQuestion reads the parameters and headers.
func readBatchQuestion(r *http.Request) (batchQuestion, error) {
	var q batchQuestion
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, edgeError(malformed, "request.query", r.URL.RawQuery, "not a query string: "+err.Error(), "names and values, percent-encoded")
	}
	for name, list := range values {
		switch {
		case !slices.Contains([]string{"use", "class", "group", "column", "extract"}, name):
			return q, inParameter(name, edgeError(directory.Invalid, "parameter.unknown", "", "there is no parameter of this name", "a parameter that the API document names"))
		case len(list) > 1:
			return q, inParameter(name, edgeError(directory.Invalid, "parameter.repeated", list[1], "the parameter is there more than once", "it once"))
		}
	}
	q.use, q.class, q.column = values.Get("use"), values.Get("class"), values.Get("column")
	if err := checkWord("use.unknown", q.use, directory.Uses); err != nil {
		return q, inParameter("use", err)
	}
	if err := checkWord("incident-class.unknown", q.class, directory.IncidentClasses); err != nil {
		return q, inParameter("class", err)
	}
	if err := q.forms(values, r.Header); err != nil {
		return q, err
	}
	return q, nil
}

// forms finds out what is read and what is written.
func (q *batchQuestion) forms(values url.Values, h http.Header) error {
	wrong := func(name, reason, want string) error {
		return inParameter(name, edgeError(directory.Invalid, "parameter.invalid", values.Get(name), reason, want))
	}
	given := h.Get("Content-Type")
	media, params, err := mime.ParseMediaType(given)
	charset := strings.ToLower(params["charset"])
	if err != nil || charset != "" && charset != "utf-8" && charset != "us-ascii" {
		media = ""
	}
	switch media {
	case "application/json":
		q.input = format.IndicatorJSON
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		q.input = format.IndicatorNDJSON
	case "text/csv", "text/tab-separated-values":
		q.input = format.IndicatorCSV
	case "text/plain":
		q.input = format.IndicatorText
	default:
		return inParameter("Content-Type", edgeError(wrongMedia, "body.media-type", given, "not a media type that this operation reads", "application/json, application/x-ndjson, text/csv or text/plain, in UTF-8"))
	}
	switch values.Get("extract") {
	case "", "false":
	case "true":
		if q.input != format.IndicatorText {
			return wrong("extract", "only text/plain is searched for what can be looked up", "text/plain, or no extract")
		}
		q.input = format.IndicatorLog
	default:
		return wrong("extract", "not a value for this parameter", "true or false")
	}
	switch values.Get("group") {
	case "":
	case "recipient":
		q.group = true
	default:
		return wrong("group", "not a value for this parameter", "recipient")
	}
	switch {
	case q.column != "" && q.input != format.IndicatorCSV && q.input != format.IndicatorNDJSON:
		return wrong("column", "only text/csv and application/x-ndjson have columns", "no column")
	case len(q.column) > 200:
		return wrong("column", "longer than 200 bytes", "the name of a column")
	}
	q.output = acceptedBatch(strings.Join(h.Values("Accept"), ","))
	return nil
}

// acceptedBatch returns the form that Accept likes best (RFC 9110 section
// 12.5.1); JSON where it names none of them.
func acceptedBatch(accept string) BatchForm {
	best, most := BatchJSON, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if text, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		form := BatchForm(media)
		switch media {
		case "application/ndjson", "application/jsonl":
			form = BatchNDJSON
		case "*/*", "application/*":
			form = BatchJSON
		case "text/*":
			form = BatchCSV
		}
		if weight > most && (form == BatchJSON || form == BatchNDJSON || form == BatchCSV) {
			best, most = form, weight
		}
	}
	return best
}

// batchReader makes the reader of a body. JSON of up to 1 MiB, which is what
// this operation took before it streamed, is read as strictly as all others.
func (s *Server) batchReader(body io.Reader, q batchQuestion, b *Batch) (*format.IndicatorReader, error) {
	o := b.IndicatorOptions(q.input, q.column)
	if q.input != format.IndicatorJSON {
		return emptyBody(format.NewIndicatorReader(body, o))
	}
	data, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBody {
		in, err := format.NewIndicatorReader(io.MultiReader(bytes.NewReader(data), body), o)
		if err == nil {
			err = b.choose(in.Use, in.Class)
		}
		return in, err
	}
	var queries Queries
	if len(data) == 0 {
		return nil, bodyMissing()
	}
	if err := invalid("read body", format.Decode(data, &queries)); err != nil {
		return nil, err
	}
	if err := queries.check(b); err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	for _, text := range queries.Queries {
		line, _ := json.Marshal(text) // a string
		lines.Write(append(line, '\n'))
	}
	o.Form = format.IndicatorNDJSON
	return format.NewIndicatorReader(&lines, o)
}

// check checks the queries of a body of JSON. In the form that this operation
// always had, all of them can be read, or it is refused.
func (in *Queries) check(b *Batch) error {
	if len(in.Queries) == 0 {
		return invalid("look up", []directory.Problem{noQueries(b.Most).At("/queries")})
	}
	bad := slices.Clone(directory.ProblemsOf(b.choose(in.Use, in.Class)))
	if b.Form == BatchJSON && !b.Group && len(in.Queries) <= maxQueries {
		for i, text := range in.Queries {
			_, err := directory.ParseQuery(text)
			for _, p := range directory.ProblemsOf(err) {
				bad = append(bad, p.At("/queries/"+strconv.Itoa(i)))
			}
		}
	}
	return invalid("look up", bad)
}

// choose takes the use and the class that a body names.
func (b *Batch) choose(use, class string) error {
	var bad []directory.Problem
	for _, m := range []struct {
		pointer, text string
		code          directory.Code
		words         []directory.Word
		to            *directory.Word
	}{{"/use", use, "use.unknown", directory.Uses, &b.Ask.Use}, {"/class", class, "incident-class.unknown", directory.IncidentClasses, &b.Ask.Class}} {
		switch err := checkWord(m.code, m.text, m.words); {
		case m.text == "":
		case err != nil:
			for _, p := range directory.ProblemsOf(err) {
				bad = append(bad, p.At(m.pointer))
			}
		case *m.to != "" && *m.to != m.text:
			bad = append(bad, directory.Problem{Code: "parameter.repeated", Field: m.pointer, Value: m.text, Reason: "the parameter of this name says something else", Want: "it once"})
		default:
			*m.to = m.text
		}
	}
	return invalid("look up", bad)
}

// emptyBody tells a body that is empty.
func emptyBody(in *format.IndicatorReader, err error) (*format.IndicatorReader, error) {
	if err == io.EOF {
		return nil, bodyMissing()
	}
	return in, err
}

func bodyMissing() error {
	return edgeError(malformed, "body.missing", "", "this operation needs a body", "queries")
}

func bodyTooLarge(most int64) error {
	return edgeError(tooLarge, "body.too-large", "", fmt.Sprintf("more than %d bytes", most), "a smaller body")
}

func noQueries(most int) directory.Problem {
	if most == 0 {
		most = MaxIndicators
	}
	return directory.Problem{Code: "lookup.queries", Value: "0", Reason: "not a number of queries for one request", Want: fmt.Sprintf("1 to %d", most)}
}

// bodyError turns what ended a batch into what the client is told.
func bodyError(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(e.Limit)
	}
	if p, ok := errors.AsType[directory.Problem](err); ok {
		return &directory.Error{Kind: directory.Invalid, Op: "look up", Problems: []directory.Problem{p}}
	}
	switch e, ok := errors.AsType[*directory.Error](err); {
	case ok && e.Kind == directory.Unavailable:
		return couldNotAsk(e)
	case ok:
		return err
	case errors.Is(err, errBomb):
		return unreadBody(err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return edgeError(tooSlow, "body.timeout", "", "the body came too slowly", "64 KiB in 30 seconds, or more")
	}
	return edgeError(malformed, "body.unreadable", "", "the body ended before it was complete", "")
}

// couldNotAsk is the error of a lookup without an index.
func couldNotAsk(err error) error {
	return &directory.Error{Kind: directory.Unavailable, Op: "look up", Err: err, Problems: []directory.Problem{{
		Code: "lookup.unavailable", Reason: "the directory can't be asked now, so nothing is known about the query", Want: "the same request again in a moment"}}}
}

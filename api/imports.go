package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// maxImport is the largest file that is taken for import, unless the
// configuration says otherwise.
const maxImport = 256 << 20

// ImportJob is an import that runs by itself.
type ImportJob struct {
	ID         string               `json:"id" format:"uuid" doc:"Id of the job" example:"7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10"`
	State      string               `json:"state" enum:"queued,running,done,failed,cancelled" doc:"How far it is; failed and cancelled have written nothing" example:"done"`
	Format     string               `json:"format" doc:"Format of the file" example:"dotgov"`
	Source     string               `json:"source,omitzero" doc:"Name of the layer, where the request named it" example:"dotgov"`
	AsOf       string               `json:"as_of,omitzero" format:"date" doc:"Day that the file describes" example:"2026-11-21"`
	Team       string               `json:"team,omitzero" doc:"The one team that all of the file is about" example:"example-csirt"`
	Complete   bool                 `json:"complete" doc:"The file is all that the source has" example:"true"`
	DryRun     bool                 `json:"dry_run" doc:"Nothing is written" example:"false"`
	Force      bool                 `json:"force" doc:"As much is changed as the file demands" example:"false"`
	By         string               `json:"by" doc:"Who asked for it" example:"token:rct_4f2a9c1b"`
	Created    time.Time            `json:"created" format:"date-time" doc:"When the file had arrived"`
	Started    time.Time            `json:"started,omitzero" format:"date-time" doc:"When it was begun, the last time"`
	Ended      time.Time            `json:"ended,omitzero" format:"date-time" doc:"When it ended"`
	Size       int64                `json:"size" doc:"Bytes of the file" example:"1738201"`
	Rows       int                  `json:"rows" doc:"Rows read so far" example:"16539"`
	Attempts   int                  `json:"attempts" doc:"How often it was begun: again when its server went away" example:"1"`
	Cancelling bool                 `json:"cancelling,omitzero" doc:"Somebody cancelled it, and it is about to end" example:"true"`
	Report     *format.ImportReport `json:"report,omitzero" doc:"What it did, or would do, once it has ended; not in lists"`
	Failure    *format.JobFailure   `json:"failure,omitzero" doc:"Why it failed; not in lists"`
	Omitted    int                  `json:"omitted,omitzero" doc:"Problems, notes and differences that the report leaves out: it has 20,000 of each at most" example:"12"`
}

// ImportJobPage is a page of jobs.
type ImportJobPage struct {
	Jobs []ImportJob `json:"jobs" doc:"Newest first, without their reports"`
	Next string      `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10"`
}

type (
	newImportInput struct {
		Format    string  `query:"format" required:"true" maxLength:"64" doc:"Format of the file" example:"dotgov"`
		Source    string  `query:"source" maxLength:"64" doc:"Name of the layer; absent: by the format" example:"dotgov"`
		AsOf      string  `query:"as_of" maxLength:"10" doc:"Day that the file describes" example:"2026-11-21"`
		Team      string  `query:"team" maxLength:"64" doc:"Handle or id of the one team that all of the file is about" example:"example-csirt"`
		DryRun    bool    `query:"dry_run" doc:"Report what would change, and write nothing" example:"true"`
		Force     bool    `query:"force" doc:"Change as much as the file demands" example:"false"`
		Complete  bool    `query:"complete" doc:"The file is the whole source: what it no longer lists is taken out" example:"true"`
		Partial   bool    `query:"partial" doc:"The file is a part of the source: nothing is taken out" example:"false"`
		MaxChange float64 `query:"max_change" minimum:"0" maximum:"1" doc:"Share of the source's records that may change without force; 0 is 0.2" example:"0.2"`
		Columns   string  `query:"columns" maxLength:"8192" doc:"Of a csv file: a JSON object from the names of columns to fields" example:"{\"Team\":\"names.short\"}"`
		Key       string  `query:"key" maxLength:"200" doc:"Of a csv file: the column that identifies a team" example:"Team"`
		Separator string  `query:"separator" maxLength:"4" doc:"Of a csv file: what stands between fields" example:";"`
	}
	newImportOutput struct {
		Location string `header:"Location" doc:"Where the job is to be asked about"`
		Body     ImportJob
	}
	importsInput struct {
		After string `query:"after" maxLength:"64" doc:"The next of the page before" example:"7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10"`
		Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Jobs on a page" example:"20"`
	}
	importsOutput struct{ Body ImportJobPage }
	importInput   struct {
		ID string `path:"id" maxLength:"64" doc:"Id of the job" example:"7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10"`
	}
	importOutput struct{ Body ImportJob }
)

// importMedia are the media types of files, first those that the document
// names. The format says what a file is; the type only has to be that of a
// file, and not of a form.
func importMedia() []string {
	return []string{"application/octet-stream", "text/csv", "text/plain", "application/json", "text/markdown", "application/x-ndjson", "application/gzip", "application/pgp-keys"}
}

func (s *Server) registerImports() {
	var formats []string
	for _, i := range format.Importers() {
		formats = append(formats, i.Name)
	}
	job := exampleImport()
	register(s, spec{id: "create-import", method: http.MethodPost, path: "/v1/imports", tag: "imports", access: token, status: http.StatusAccepted, rate: rateBulk,
		summary: "Upload a file for import",
		more: "The body is the file, plain or gzip; markdown, NDJSON and keys may also be sent with their own media types. The import then runs by itself, one at a time, in one transaction: ask the address in Location how far it is. For operators. Formats: " +
			strings.Join(formats, ", ") + ".",
		media: importMedia()[:4], body: "prefix,country\n192.0.2.0/24,AT\n", maxBody: cmp.Or(s.cfg.ImportMax, maxImport), answer: exampleQueued()}, s.createImport)
	register(s, spec{id: "list-imports", method: http.MethodGet, path: "/v1/imports", tag: "imports", access: token,
		summary: "List import jobs", more: "Newest first. Ended ones are kept for a time that the operator sets. For operators.",
		answer: ImportJobPage{Jobs: []ImportJob{exampleQueued()}}}, s.listImports)
	register(s, spec{id: "get-import", method: http.MethodGet, path: "/v1/imports/{id}", tag: "imports", access: token,
		summary: "Show an import job", more: "Its state, its progress and, once it has ended, its report. For operators.", errors: []int{notFound}, answer: job}, s.getImport)
	cancel := spec{id: "cancel-import", method: http.MethodPost, path: "/v1/imports/{id}/cancel", tag: "imports", access: token,
		summary: "Cancel an import job",
		more:    "A job that runs ends within about a second, unless it has just finished; what it was doing is undone. One that has ended stays as it is. For operators.",
		errors:  []int{notFound, conflict}, answer: exampleQueued()}
	register(s, cancel, s.cancelImport)
	cancel.id, cancel.method, cancel.path, cancel.summary = "delete-import", http.MethodDelete, "/v1/imports/{id}", "Cancel an import job, by its address"
	register(s, cancel, s.cancelImport)
}

// importFrom makes the wire form of a job, with its report where it has one.
func importFrom(j directory.ImportJob) (ImportJob, error) {
	out := ImportJob{
		ID: j.ID, State: string(j.State), Format: j.Format, Source: j.Options.Source, Team: j.Options.Team, Complete: j.Options.Complete,
		DryRun: j.Options.DryRun, Force: j.Options.Force, By: j.By, Created: j.Created.UTC(), Started: utc(j.Started), Ended: utc(j.Ended),
		Size: j.Size, Rows: j.Rows, Attempts: j.Attempts, Cancelling: j.Cancel && !j.State.Over(),
	}
	if !j.Options.AsOf.IsZero() {
		out.AsOf = j.Options.AsOf.UTC().Format(time.DateOnly)
	}
	if j.Report == nil {
		return out, nil
	}
	result, err := format.DecodeJobResult(j.Report)
	if err != nil {
		return out, fmt.Errorf("report of import job %s: %w", j.ID, err)
	}
	out.Report, out.Failure, out.Omitted = &result.Report, result.Failure, result.Omitted
	return out, nil
}

func (s *Server) createImport(ctx context.Context, in *newImportInput) (*newImportOutput, error) {
	c := callFrom(ctx)
	if err := s.cfg.Directory.MayImport(c.viewer); err != nil {
		return nil, err // before a large file is read for nothing
	}
	from, options, err := in.options(s.cfg.Now())
	if err != nil {
		return nil, err
	}
	if err := c.fileType(); err != nil {
		return nil, err
	}
	body := &patientBody{r: c.r.Body, control: http.NewResponseController(c.w)}
	job, err := s.cfg.Directory.SubmitImport(ctx, c.viewer, from.Name, options, body)
	switch {
	case body.err != nil:
		return nil, bodyError(body.err)
	case err != nil:
		return nil, err
	}
	out, err := importFrom(job)
	return &newImportOutput{Location: "/v1/imports/" + job.ID, Body: out}, err
}

// fileType wants a file. No type at all is one (RFC 9110 section 8.3).
func (c *call) fileType() error {
	given := c.r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(given)
	if err != nil || !slices.Contains(importMedia(), media) {
		return inParameter("Content-Type", edgeError(wrongMedia, "body.media-type", given, "not the media type of a file", strings.Join(importMedia(), " or ")))
	}
	return nil
}

// options reads the parameters.
func (in *newImportInput) options(now time.Time) (format.Importer, directory.JobOptions, error) {
	o := directory.JobOptions{Source: in.Source, Team: in.Team, DryRun: in.DryRun, Force: in.Force, MaxChange: in.MaxChange, Key: in.Key, Separator: in.Separator}
	from, ok := format.ImporterNamed(in.Format)
	if !ok {
		return from, o, inParameter("format", directory.Problem{Code: "import.format", Value: shorten(in.Format), Reason: "not a format that can be imported", Want: "one that the API document names"})
	}
	if in.Complete && in.Partial {
		return from, o, inParameter("partial", directory.Problem{Code: "import.complete", Reason: "a file can't be all of its source and a part of it", Want: "one of complete and partial"})
	}
	o.Complete = (from.Complete || in.Complete) && !in.Partial
	if in.Source != "" {
		if _, err := directory.ParseHandle(in.Source); err != nil || in.Source == directory.SourceTeam {
			return from, o, inParameter("source", directory.Problem{Code: "import.source", Value: shorten(in.Source), Reason: "not a name for a source", Want: "2 to 64 of a-z, 0-9, dot and hyphen; not " + directory.SourceTeam})
		}
	}
	if in.AsOf != "" {
		day, err := directory.ParseDate(in.AsOf)
		if err != nil {
			return from, o, inParameter("as_of", err)
		}
		if o.AsOf = day.Time(); o.AsOf.After(now) {
			return from, o, inParameter("as_of", directory.Problem{Code: "date.future", Value: in.AsOf, Reason: "the day has not come yet", Want: "the day that the file describes"})
		}
	}
	err := in.columns(from, &o)
	return from, o, err
}

// columns reads what only spreadsheets have.
func (in *newImportInput) columns(from format.Importer, o *directory.JobOptions) error {
	if in.Columns == "" && in.Key == "" && in.Separator == "" {
		return nil
	}
	if _, ok := from.WithColumns(format.CSVMap{}); !ok {
		return inParameter("columns", directory.Problem{Code: "import.columns", Value: in.Format, Reason: "the format has no columns to name", Want: "columns, key and separator with the format csv only"})
	}
	if in.Columns == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(in.Columns), &o.Columns); err != nil {
		return inParameter("columns", directory.Problem{Code: "import.columns", Value: shorten(in.Columns), Reason: "not a JSON object of texts", Want: `an object such as {"Team":"names.short"}`})
	}
	return nil
}

// patientBody lets an upload take the time that it takes, as long as something
// comes: the deadlines of the server are for requests that are read at once.
type patientBody struct {
	r       io.Reader
	control *http.ResponseController
	err     error // of reading, but for the end
}

// uploadPause is how long a client may send nothing.
const uploadPause = 30 * time.Second

// Read implements io.Reader.
func (b *patientBody) Read(p []byte) (int, error) {
	now := time.Now() // of the connection, not of the domain
	// Where there are no deadlines, none has to be moved.
	_ = b.control.SetReadDeadline(now.Add(uploadPause))
	_ = b.control.SetWriteDeadline(now.Add(2 * uploadPause))
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (s *Server) listImports(ctx context.Context, in *importsInput) (*importsOutput, error) {
	list, err := s.cfg.Directory.ImportJobs(ctx, callFrom(ctx).viewer)
	if err != nil {
		return nil, err
	}
	if in.After != "" {
		i := slices.IndexFunc(list, func(j directory.ImportJob) bool { return j.ID == in.After })
		if i < 0 {
			return nil, inParameter("after", directory.Problem{Code: "import.unknown", Value: shorten(in.After), Reason: "no import job has this id", Want: "the next of the page before"})
		}
		list = list[i+1:]
	}
	out := &importsOutput{Body: ImportJobPage{Jobs: []ImportJob{}}}
	limit := cmp.Or(in.Limit, 20)
	if len(list) > limit {
		list = list[:limit]
		out.Body.Next = list[limit-1].ID
	}
	for _, j := range list {
		one, err := importFrom(j)
		if err != nil {
			return nil, err
		}
		out.Body.Jobs = append(out.Body.Jobs, one)
	}
	return out, nil
}

func (s *Server) getImport(ctx context.Context, in *importInput) (*importOutput, error) {
	return jobAnswer(s.cfg.Directory.ImportJob(ctx, callFrom(ctx).viewer, in.ID))
}

func (s *Server) cancelImport(ctx context.Context, in *importInput) (*importOutput, error) {
	return jobAnswer(s.cfg.Directory.CancelImport(ctx, callFrom(ctx).viewer, in.ID))
}

func jobAnswer(j directory.ImportJob, err error) (*importOutput, error) {
	switch directory.KindOf(err) {
	case "":
	case directory.NotFound, directory.Conflict:
		return nil, inParameter("id", err)
	default:
		return nil, err
	}
	out, err := importFrom(j)
	return &importOutput{Body: out}, err
}

func exampleQueued() ImportJob {
	return ImportJob{
		ID: "7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10", State: "queued", Format: "dotgov", Complete: true, By: "token:rct_4f2a9c1b",
		Created: exampleDay(), Size: 1738201,
	}
}

func exampleImport() ImportJob {
	j := exampleQueued()
	j.State, j.Started, j.Ended, j.Rows, j.Attempts = "done", exampleDay(), exampleDay().Add(4*time.Second), 16539, 1
	j.Report = &format.ImportReport{
		Rows: 16539, Created: 16538, Skipped: 1, Records: format.ReportRecords{Created: 9021}, Seq: 9021, Notes: []format.ReportRow{},
		Problems: []format.ReportRow{{Row: 17, ReportProblem: format.ReportProblem{Code: "email.syntax", Field: "/contacts/0/value", Value: "csirt@@example.org", Reason: "not an e-mail address", Want: "one address such as csirt@example.org"}}},
	}
	return j
}

package format

import (
	"encoding/json"
	"errors"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ImportReport is what an import did, or would do, as import --json prints it
// and as the API tells of an import job. Scripts rely on the names.
type ImportReport struct {
	Rows        int                `json:"rows" doc:"Rows of the file: created, updated, unchanged and skipped together" example:"16539"`
	Created     int                `json:"created" doc:"Rows whose record is new" example:"16539"`
	Updated     int                `json:"updated" doc:"Rows whose record changed" example:"0"`
	Unchanged   int                `json:"unchanged" doc:"Rows whose record says what it said" example:"0"`
	Skipped     int                `json:"skipped" doc:"Rows that could not be used" example:"0"`
	Problems    []ReportRow        `json:"problems" doc:"One for each skipped row"`
	Notes       []ReportRow        `json:"notes" doc:"Rows that count, but at which somebody should look"`
	Records     ReportRecords      `json:"records" doc:"Records, or entries of reference data, instead of rows"`
	Differences []ReportDifference `json:"differences,omitempty" doc:"What a dry run would do"`
	Merges      []ReportMerge      `json:"merges,omitempty" doc:"What rules merged afterwards"`
	DryRun      bool               `json:"dry_run" doc:"Nothing was to be written" example:"false"`
	Seq         int64              `json:"seq,omitempty" doc:"The last change that was written" example:"16539"`
	Error       *ReportProblem     `json:"error,omitempty" doc:"Why nothing was written"`
}

// ReportRecords counts records.
type ReportRecords struct {
	Created   int `json:"created" doc:"New records" example:"9021"`
	Updated   int `json:"updated" doc:"Changed records" example:"0"`
	Unchanged int `json:"unchanged" doc:"Records that say what they said" example:"0"`
	Removed   int `json:"removed" doc:"Records that the source no longer has" example:"0"`
}

// ReportProblem is one breach of one rule.
type ReportProblem struct {
	Code   string `json:"code" doc:"Stable code of the rule" example:"email.syntax"`
	Field  string `json:"field,omitempty" doc:"JSON pointer of the value" example:"/contacts/0/value"`
	Value  string `json:"value,omitempty" doc:"The offending value, shortened" example:"csirt@@example.org"`
	Reason string `json:"reason" doc:"Why it is refused" example:"not an e-mail address"`
	Want   string `json:"want,omitempty" doc:"What would be right" example:"one address such as csirt@example.org"`
}

// ReportRow is a problem and where in the file it is.
type ReportRow struct {
	Row int `json:"row" doc:"Line or row of the file, from 1" example:"17"`
	ReportProblem
}

// ReportDifference is what an import would do to one record.
type ReportDifference struct {
	Op     string        `json:"op" enum:"create,update,remove" doc:"What would be done" example:"update"`
	Team   string        `json:"team" doc:"Handle of the team" example:"example-csirt"`
	Key    string        `json:"key" doc:"What the source knows the record by" example:"example.org"`
	Fields []ReportField `json:"fields" doc:"The fields that would change"`
}

// ReportField is a field before and after, as text for people.
type ReportField struct {
	Field  string `json:"field" doc:"Name of the field" example:"host"`
	Before string `json:"before" doc:"What it says; empty: nothing" example:"Example College"`
	After  string `json:"after" doc:"What it would say; empty: nothing" example:"Example University"`
}

// ReportMerge is one merge by a rule.
type ReportMerge struct {
	Rule    string         `json:"rule" doc:"The rule that decided" example:"uuid"`
	From    string         `json:"from" doc:"Handle of the team that became part of the other" example:"example-cert"`
	Into    string         `json:"into" doc:"Handle of the team that stays" example:"example-csirt"`
	Reasons []ReportReason `json:"reasons" doc:"Why"`
}

// ReportReason is why two teams were held for one.
type ReportReason struct {
	Kind   string  `json:"kind" doc:"What the two have in common, or differ in" example:"mailbox"`
	Value  string  `json:"value,omitzero" doc:"The thing itself" example:"csirt@example.org"`
	Weight float64 `json:"weight" doc:"How much it counts; below 0 it speaks against" example:"0.75"`
}

func mergesFrom(list []directory.RuleMerge) []ReportMerge {
	var out []ReportMerge
	for _, m := range list {
		one := ReportMerge{Rule: string(m.Rule), From: string(m.From.Handle), Into: string(m.Into.Handle), Reasons: []ReportReason{}}
		for _, r := range m.Reasons {
			one.Reasons = append(one.Reasons, ReportReason(r))
		}
		out = append(out, one)
	}
	return out
}

func mergesTo(list []ReportMerge) []directory.RuleMerge {
	var out []directory.RuleMerge
	for _, m := range list {
		one := directory.RuleMerge{Rule: directory.Rule(m.Rule), From: directory.TeamRef{Handle: directory.Handle(m.From)}, Into: directory.TeamRef{Handle: directory.Handle(m.Into)}}
		for _, r := range m.Reasons {
			one.Reasons = append(one.Reasons, directory.Reason(r))
		}
		out = append(out, one)
	}
	return out
}

// ReportFrom makes the report of an import that ended with err.
func ReportFrom(r directory.ImportReport, err error) ImportReport {
	out := ImportReport{
		Rows: r.Rows, Created: r.Created, Updated: r.Updated, Unchanged: r.Unchanged, Skipped: r.Skipped,
		Problems: rowsFrom(r.Problems), Notes: rowsFrom(r.Notes), Records: ReportRecords(r.Records), DryRun: r.DryRun, Seq: r.Seq, Error: errorFrom(err), Merges: mergesFrom(r.Merges),
	}
	for _, d := range r.Differences {
		x := ReportDifference{Op: d.Op, Team: d.Team, Key: d.Key, Fields: []ReportField{}}
		for _, f := range d.Fields {
			x.Fields = append(x.Fields, ReportField(f))
		}
		out.Differences = append(out.Differences, x)
	}
	return out
}

func problemFrom(p directory.Problem) ReportProblem {
	return ReportProblem{string(p.Code), p.Field, p.Value, p.Reason, p.Want}
}

func (p ReportProblem) problem() directory.Problem {
	return directory.Problem{Code: directory.Code(p.Code), Field: p.Field, Value: p.Value, Reason: p.Reason, Want: p.Want}
}

// errorFrom puts an error into the shape of a problem.
func errorFrom(err error) *ReportProblem {
	if err == nil {
		return nil
	}
	if list := directory.ProblemsOf(err); len(list) > 0 {
		p := problemFrom(list[0])
		return &p
	}
	return &ReportProblem{Code: string(directory.KindOf(err)), Reason: err.Error()}
}

func rowsFrom(list []directory.RowProblem) []ReportRow {
	out := make([]ReportRow, len(list))
	for i, p := range list {
		out[i] = ReportRow{p.Row, problemFrom(p.Problem)}
	}
	return out
}

func rowsTo(list []ReportRow) []directory.RowProblem {
	var out []directory.RowProblem
	for _, p := range list {
		out = append(out, directory.RowProblem{Row: p.Row, Problem: p.problem()})
	}
	return out
}

// Report is the report as the directory made it, but for its error.
func (r ImportReport) Report() directory.ImportReport {
	out := directory.ImportReport{
		Rows: r.Rows, Created: r.Created, Updated: r.Updated, Unchanged: r.Unchanged, Skipped: r.Skipped,
		Problems: rowsTo(r.Problems), Notes: rowsTo(r.Notes), Records: directory.RecordCounts(r.Records), DryRun: r.DryRun, Seq: r.Seq, Merges: mergesTo(r.Merges),
	}
	for _, d := range r.Differences {
		x := directory.Difference{Op: d.Op, Team: d.Team, Key: d.Key}
		for _, f := range d.Fields {
			x.Fields = append(x.Fields, directory.FieldChange(f))
		}
		out.Differences = append(out.Differences, x)
	}
	return out
}

// JobFailure is an error that a job ended with.
type JobFailure struct {
	Kind     string          `json:"kind" doc:"What sort of trouble" example:"conflict"`
	Op       string          `json:"op" doc:"What was tried" example:"import"`
	Subject  string          `json:"subject,omitempty" doc:"On what" example:"dotgov"`
	Problems []ReportProblem `json:"problems" doc:"Each thing to mend"`
}

// failureFrom keeps of an internal error no more than that there was one: who
// may see the job may not see that.
func failureFrom(err error) *JobFailure {
	if err == nil {
		return nil
	}
	kind := directory.KindOf(err)
	f := &JobFailure{Kind: string(kind), Op: "import", Problems: []ReportProblem{}}
	if e, ok := errors.AsType[*directory.Error](err); ok {
		f.Op, f.Subject = e.Op, e.Subject
	}
	for _, p := range directory.ProblemsOf(err) {
		f.Problems = append(f.Problems, problemFrom(p))
	}
	return f
}

// Err is the failure as an error again.
func (f *JobFailure) Err() error {
	if f == nil {
		return nil
	}
	e := &directory.Error{Kind: directory.Kind(f.Kind), Op: f.Op, Subject: f.Subject}
	for _, p := range f.Problems {
		e.Problems = append(e.Problems, p.problem())
	}
	return e
}

// JobResult is what is kept of how an import job ended.
type JobResult struct {
	Report  ImportReport `json:"report"`
	Failure *JobFailure  `json:"failure,omitempty"`
	Omitted int          `json:"omitted,omitempty"` // problems, notes and differences beyond the limit
}

// mostKept is how many problems, notes and differences of a job are kept, of
// each: a file of another format has one in every line.
const mostKept = 20_000

// EncodeJobResult renders the end of an import job. A report of any size is
// kept in bounded space, and says how much was left out.
func EncodeJobResult(r directory.ImportReport, err error) []byte {
	omitted := 0
	cut := func(n int) int {
		omitted += max(0, n-mostKept)
		return min(n, mostKept)
	}
	r.Problems, r.Notes = r.Problems[:cut(len(r.Problems))], r.Notes[:cut(len(r.Notes))]
	r.Differences, r.Merges = r.Differences[:cut(len(r.Differences))], r.Merges[:cut(len(r.Merges))]
	out := JobResult{Report: ReportFrom(r, err), Failure: failureFrom(err), Omitted: omitted}
	if directory.KindOf(err) == directory.Internal {
		out.Report.Error = &ReportProblem{Code: "server.internal", Reason: "internal error; the server's log says more"}
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic("format: a report that JSON can't hold: " + err.Error())
	}
	return text
}

// DecodeJobResult reads what [EncodeJobResult] rendered.
func DecodeJobResult(text []byte) (JobResult, error) {
	var r JobResult
	err := json.Unmarshal(text, &r)
	return r, err
}

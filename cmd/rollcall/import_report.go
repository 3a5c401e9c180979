package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// importJSON is what import --json prints. Scripts rely on the names.
type importJSON struct {
	Rows        int              `json:"rows"`
	Created     int              `json:"created"`
	Updated     int              `json:"updated"`
	Unchanged   int              `json:"unchanged"`
	Skipped     int              `json:"skipped"`
	Problems    []rowJSON        `json:"problems"`
	Notes       []rowJSON        `json:"notes"`
	Records     recordsJSON      `json:"records"`
	Differences []differenceJSON `json:"differences,omitempty"`
	Merges      []mergeJSON      `json:"merges,omitempty"`
	DryRun      bool             `json:"dry_run"`
	Seq         int64            `json:"seq,omitempty"`
	Error       *problemJSON     `json:"error,omitempty"`
}

type recordsJSON struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Removed   int `json:"removed"`
}

type problemJSON struct {
	Code   string `json:"code"`
	Field  string `json:"field,omitempty"`
	Value  string `json:"value,omitempty"`
	Reason string `json:"reason"`
	Want   string `json:"want,omitempty"`
}

type rowJSON struct {
	Row int `json:"row"`
	problemJSON
}

type differenceJSON struct {
	Op     string      `json:"op"`
	Team   string      `json:"team"`
	Key    string      `json:"key"`
	Fields []fieldJSON `json:"fields"`
}

type fieldJSON struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func problemTo(p directory.Problem) problemJSON {
	return problemJSON{string(p.Code), p.Field, p.Value, p.Reason, p.Want}
}

// errorTo puts an error into the shape of a problem.
func errorTo(err error) *problemJSON {
	if err == nil {
		return nil
	}
	if list := directory.ProblemsOf(err); len(list) > 0 {
		p := problemTo(list[0])
		return &p
	}
	return &problemJSON{Code: string(directory.KindOf(err)), Reason: err.Error()}
}

func rowsTo(list []directory.RowProblem) []rowJSON {
	out := make([]rowJSON, len(list))
	for i, p := range list {
		out[i] = rowJSON{p.Row, problemTo(p.Problem)}
	}
	return out
}

func (c *call) printImportJSON(r directory.ImportReport, err error) error {
	out := importJSON{
		Rows: r.Rows, Created: r.Created, Updated: r.Updated, Unchanged: r.Unchanged, Skipped: r.Skipped,
		Problems: rowsTo(r.Problems), Notes: rowsTo(r.Notes), Records: recordsJSON(r.Records), DryRun: r.DryRun, Seq: r.Seq, Error: errorTo(err),
	}
	for _, d := range r.Differences {
		x := differenceJSON{Op: d.Op, Team: d.Team, Key: d.Key, Fields: []fieldJSON{}}
		for _, f := range d.Fields {
			x.Fields = append(x.Fields, fieldJSON(f))
		}
		out.Differences = append(out.Differences, x)
	}
	out.Merges = mergesTo(r.Merges)
	return printJSON(c.stdout, out)
}

// printJSON writes v on one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// mostNotes is how many notes are shown to people; JSON has all of them.
const mostNotes = 20

// printImport prints the report for people.
func (c *call) printImport(f format.Importer, r directory.ImportReport, err error) error {
	var b strings.Builder
	for _, d := range r.Differences {
		difference(&b, d)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "skipped line %d: %s: %s\n", p.Row, p.Code, p.Problem.Error())
	}
	for i, p := range r.Notes {
		if i == mostNotes {
			fmt.Fprintf(&b, "note: %d more notes; --json has them all\n", len(r.Notes)-i)
			break
		}
		fmt.Fprintf(&b, "note on line %d: %s: %s\n", p.Row, p.Code, p.Problem.Error())
	}
	verb := ""
	switch {
	case err != nil:
		verb = " (nothing was written)"
	case r.DryRun:
		verb = " (dry run: nothing was written)"
	}
	fmt.Fprintf(&b, "%s: %d rows: %d created, %d updated, %d unchanged, %d skipped%s\n", f.Name, r.Rows, r.Created, r.Updated, r.Unchanged, r.Skipped, verb)
	printMerges(&b, r.Merges, "merged")
	n := r.Records
	fmt.Fprintf(&b, "records: %d created, %d updated, %d unchanged, %d removed\n", n.Created, n.Updated, n.Unchanged, n.Removed)
	_, err = io.WriteString(c.stdout, b.String())
	return err
}

// difference prints what an import would do to one record.
func difference(b *strings.Builder, d directory.Difference) {
	mark := map[string]string{"create": "+", "update": "~", "remove": "-"}[d.Op]
	fmt.Fprintf(b, "%s %s (%s)\n", mark, d.Team, d.Key)
	for _, f := range d.Fields {
		switch {
		case f.Before == "":
			fmt.Fprintf(b, "    + %s: %s\n", f.Field, f.After)
		case f.After == "":
			fmt.Fprintf(b, "    - %s: %s\n", f.Field, f.Before)
		default:
			fmt.Fprintf(b, "    ~ %s: %s\n      now %s\n", f.Field, f.Before, f.After)
		}
	}
}

// progress shows on a terminal how far an import is.
type progress struct {
	out     io.Writer // nil: nobody looks
	in      *input
	now     func() time.Time
	started time.Time
	shown   time.Time
}

func (c *call) newProgress(in *input) *progress {
	p := &progress{in: in, now: c.now, started: c.now()}
	if c.terminal(c.stderr) {
		p.out = c.stderr
	}
	return p
}

// rows is called with the number of rows read so far.
func (p *progress) rows(n int) {
	if p.out == nil || n%256 != 0 {
		return
	}
	now := p.now()
	if now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	line := fmt.Sprintf("%d rows", n)
	if s := now.Sub(p.started).Seconds(); s > 0 {
		line += fmt.Sprintf(", %.0f rows/s", float64(n)/s)
	}
	if p.in.size > 0 {
		line += fmt.Sprintf(", %d %%", 100*atomic.LoadInt64(&p.in.count.n)/p.in.size)
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", line)
}

// done takes the line away.
func (p *progress) done() {
	if p.out != nil && !p.shown.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

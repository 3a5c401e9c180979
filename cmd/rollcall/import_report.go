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
	if n%256 != 0 {
		return
	}
	p.show(func() string {
		line := fmt.Sprintf("%d rows", n)
		if s := p.now().Sub(p.started).Seconds(); s > 0 {
			line += fmt.Sprintf(", %.0f rows/s", float64(n)/s)
		}
		if p.in.size > 0 {
			line += fmt.Sprintf(", %d %%", 100*atomic.LoadInt64(&p.in.count.n)/p.in.size)
		}
		return line
	})
}

// show shows a line, if somebody looks and has not seen one just now.
func (p *progress) show(line func() string) {
	if p.out == nil {
		return
	}
	now := p.now()
	if now.Sub(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = now
	fmt.Fprintf(p.out, "\r%s\x1b[K", line())
}

// done takes the line away.
func (p *progress) done() {
	if p.out != nil && !p.shown.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// mostTold is how many queries that can't be read are told on stderr; all of
// them are in the answer.
const mostTold = 20

// checkBatch checks the flags about batches.
func (c *call) checkBatch(f *lookupFlags) error {
	flags := c.cmd.Flags()
	for _, name := range []string{"input", "column", "group"} {
		if f.batch == "" && flags.Changed(name) {
			return usage(c.cmd, "%s: only for a batch; want --batch too", name)
		}
	}
	var forms []string
	for _, form := range format.IndicatorForms() {
		forms = append(forms, string(form))
	}
	if f.input != "auto" && !slices.Contains(forms, f.input) {
		return usage(c.cmd, "input: %v", bad(f.input, "not a form of a batch", "one of auto, "+strings.Join(forms, ", ")))
	}
	if f.column != "" && f.input != "auto" && f.input != "csv" && f.input != "ndjson" {
		return usage(c.cmd, "column: --input=%s has no columns; want csv or ndjson", f.input)
	}
	return nil
}

// batchRun is one batch under way.
type batchRun struct {
	*call
	flags    *lookupFlags
	in       *input
	form     format.IndicatorForm
	lines    bool // the input has lines that people know
	text     bool
	group    bool
	progress *progress

	answered int
	told     int
	sum      api.BatchSummary
}

// lookupBatch answers many queries.
func (c *call) lookupBatch(f *lookupFlags) error {
	b := &batchRun{call: c, flags: f, text: f.text || !f.json && c.terminal(c.stdout)}
	b.group = f.group || b.text
	if err := b.open(); err != nil {
		return err
	}
	defer b.in.Close() //nolint:errcheck // it was only read
	if _, err := b.in.Peek(1); err == io.EOF {
		return nil // nothing was asked
	}
	b.progress = c.newProgress(b.in)
	ask := b.askIndex
	if f.server != "" {
		ask = b.askServer
	}
	err := ask()
	b.progress.done()
	if err != nil {
		return b.failed(err)
	}
	return b.end()
}

// open opens what the queries come from, and finds out in which form.
func (b *batchRun) open() error {
	f := b.flags
	if f.batch == "-" && len(b.args) > 0 && !slices.Equal(b.args, []string{"-"}) {
		var lines bytes.Buffer
		for _, q := range b.args {
			line, _ := json.Marshal(q) // a string
			lines.Write(append(line, '\n'))
		}
		b.in, b.form = &input{Reader: bufio.NewReader(&lines), count: &counter{}, closer: io.NopCloser(nil)}, format.IndicatorNDJSON
		return nil
	}
	if len(b.args) > 0 && f.batch != "-" {
		return usage(b.cmd, "batch: queries from a file and arguments at once; want one of them")
	}
	in, err := b.input(f.batch)
	if err != nil {
		return usage(b.cmd, "batch: %v", err)
	}
	b.in, b.form = in, format.IndicatorForm(f.input)
	if f.input == "auto" {
		head, _ := in.Peek(4096) // a shorter file is all there is
		b.form = format.DetectIndicators(f.batch, head, f.column)
	}
	b.lines = b.form != format.IndicatorJSON
	return nil
}

// askIndex asks the database.
func (b *batchRun) askIndex() error {
	x, err := b.loadIndex()
	if err != nil {
		return &notAskedError{err}
	}
	batch := &api.Batch{
		Index: x, Form: api.BatchNDJSON, Group: b.group, Lines: b.lines, Stop: func() { _ = b.in.Close() }, // a second time does no harm
		Ask:      directory.Ask{Viewer: b.operator(), Use: b.flags.use, Class: b.flags.class, Now: b.now()},
		Progress: func(n int) { b.progress.rows(n &^ 255) },
	}
	in, err := format.NewIndicatorReader(b.in, batch.IndicatorOptions(b.form, b.flags.column))
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	over := make(chan error, 1)
	go func() {
		_, err := batch.Run(b.ctx, in, w)
		_ = w.Close() // never fails
		over <- err
	}()
	err = b.read(r)
	_ = r.Close() // never fails; the batch sees it when nobody reads on
	failed := <-over
	if e, cut := errors.AsType[*cutError](err); cut && failed != nil {
		return firstError(b.ctx.Err(), fmt.Errorf("after %d answers: %w", e.answers, failed))
	}
	return err
}

// askServer asks a server in one request.
func (b *batchRun) askServer() error {
	s, err := b.newRemote(b.flags)
	if err != nil {
		return err
	}
	answer, err := s.batch(b.ctx, b)
	if err != nil {
		return err
	}
	defer answer.Close() //nolint:errcheck // it was read or is useless
	err = b.read(answer)
	if e, cut := errors.AsType[*cutError](err); cut && b.ctx.Err() == nil {
		return notAsked("server %s: the answer broke off after %d records: %w; the rest was not asked", s.base.Redacted(), e.answers, e.err)
	}
	return firstError(b.ctx.Err(), err)
}

// notAskedError is an error of a database or server that was not asked at all.
type notAskedError struct{ err error }

func (e *notAskedError) Error() string { return e.err.Error() }
func (e *notAskedError) Unwrap() error { return e.err }

// cutError is an answer without its end.
type cutError struct {
	answers int
	err     error
}

func (e *cutError) Error() string { return fmt.Sprintf("the answer broke off: %v", e.err) }
func (e *cutError) Unwrap() error { return e.err }

// read reads the records of an answer and prints them as they come.
func (b *batchRun) read(from io.Reader) error {
	r := bufio.NewReaderSize(from, 64<<10)
	out := bufio.NewWriterSize(b.stdout, 64<<10)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return firstError(out.Flush(), &cutError{b.answered, err})
		}
		last, err := b.record(out, line)
		if err != nil || last {
			return firstError(out.Flush(), err)
		}
	}
}

// record prints one record. The last one is the summary.
func (b *batchRun) record(out *bufio.Writer, line []byte) (last bool, err error) {
	if bytes.HasPrefix(line, []byte(`{"end":`)) {
		if err := json.Unmarshal(line, &b.sum); err != nil {
			return true, &cutError{b.answered, err}
		}
		if b.group && !b.text {
			if _, err := out.Write(line); err != nil {
				return true, err
			}
		}
		if !b.sum.End {
			why := errors.New("the server does not say why")
			if b.sum.Error != nil {
				why = fmt.Errorf("%s (%s)", b.sum.Error.Reason, b.sum.Error.Code)
			}
			return true, &cutError{b.answered, why}
		}
		return true, nil
	}
	b.answered++
	if b.flags.server != "" {
		b.progress.rows(b.answered)
	}
	if b.text {
		return false, b.printGroup(out, line)
	}
	b.unread(line)
	_, err = out.Write(line)
	return false, err
}

// unread tells on stderr what could not be read.
func (b *batchRun) unread(line []byte) {
	if b.group || !bytes.Contains(line[:min(len(line), 4096)], []byte(`"kind":"","status":"unavailable"`)) {
		return
	}
	var a api.Answer
	if json.Unmarshal(line, &a) != nil || a.Error == nil {
		return
	}
	if b.told++; b.told > mostTold {
		return
	}
	place := "QUERY"
	if a.Line > 0 {
		place = fmt.Sprintf("line %d:", a.Line)
	}
	fmt.Fprintf(b.stderr, "rollcall: %s %q: %s\n", place, a.Query, a.Error.Reason)
}

// printGroup prints a group for people.
func (b *batchRun) printGroup(out *bufio.Writer, line []byte) error {
	var g api.BatchGroup
	if err := json.Unmarshal(line, &g); err != nil {
		return &cutError{b.answered, err}
	}
	more := ""
	if g.Part > 1 {
		more = ", more of it"
	}
	fmt.Fprintf(out, "%s: %d%s\n", plain(recipientsText(&g)), g.Count, more)
	for _, q := range g.Indicators {
		fmt.Fprintf(out, "  %s\n", plain(q))
	}
	for _, p := range g.Problems {
		fmt.Fprintf(out, "  line %d: %s (%s)\n", p.Line, plain(p.Query), plain(p.Error.Reason))
	}
	return nil // a failed write is seen when out is flushed
}

// recipientsText names whom a group is to go to.
func recipientsText(g *api.BatchGroup) string {
	var names []string
	for _, r := range g.Recipients {
		value := "no contact shown"
		if r.Contact != nil {
			value = r.Contact.Value
		}
		if name := fmt.Sprintf("%s (%s)", value, r.Team.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	switch {
	case g.Status == string(directory.StatusUnavailable):
		return "could not be read"
	case len(names) == 0:
		return "nobody is known"
	case g.Status == string(directory.StatusAmbiguous):
		return "undecided: " + strings.Join(names, " or ")
	}
	return names[0]
}

// end returns the exit status as an error.
func (b *batchRun) end() error {
	if n := b.told - mostTold; n > 0 {
		fmt.Fprintf(b.stderr, "rollcall: %d more could not be read; the answers say why\n", n)
	}
	switch {
	case b.sum.Unavailable > 0:
		return &exitError{code: exitUsage}
	case b.sum.None+b.sum.Ambiguous > 0:
		return &exitError{code: exitFailed}
	}
	return nil
}

// failed says what became of the batch. Where nothing was asked, every query
// gets the object that says so.
func (b *batchRun) failed(err error) error {
	if b.text && b.answered > 0 {
		fmt.Fprintln(b.stdout, "INTERRUPTED: this list is not complete")
	}
	_, unopened := errors.AsType[*notAskedError](err)
	dial, ok := errors.AsType[*net.OpError](err)
	if unopened || ok && dial.Op == "dial" {
		if exitCode(err) == exitUsage {
			return err
		}
		fmt.Fprintln(b.stderr, "rollcall: "+describe(err))
		return b.unasked(err)
	}
	if p, ok := errors.AsType[directory.Problem](err); ok {
		return &exitError{exitUsage, fmt.Errorf("batch: %w", p)}
	}
	if _, coded := errors.AsType[*exitError](err); coded || errors.Is(err, context.Canceled) || errors.Is(err, os.ErrClosed) {
		return firstError(b.ctx.Err(), err)
	}
	return notAsked("batch: %w", err)
}

// unasked prints an object for each query of a batch that could not be asked.
func (b *batchRun) unasked(why error) error {
	p := &lookupPrinter{call: b.call, flags: b.flags, text: b.text, worst: exitNotAsked}
	in, err := format.NewIndicatorReader(b.in, format.IndicatorOptions{Form: b.form, Column: b.flags.column})
	for err == nil {
		var chunk *format.IndicatorChunk
		if chunk, err = in.Next(); err != nil {
			break
		}
		for one, broken := range chunk.All() {
			if broken != nil {
				return &exitError{code: exitNotAsked}
			}
			reason := why
			if one.Problem != nil {
				reason = *one.Problem
			}
			if err := p.unanswered(one.Text, string(one.Query.Kind), reason, exitNotAsked); err != nil {
				return err
			}
		}
	}
	return &exitError{code: exitNotAsked}
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// checkPrinter prints reports and keeps the worst exit status.
type checkPrinter struct {
	*call
	flags *checkFlags
	paint func(colour, s string) string
	seen  map[verify.Verdict]bool
	own   *lab.Lab // of --lab; nil for the Internet
}

// report prints one report.
func (p *checkPrinter) report(r *checkReport) error {
	if p.seen == nil {
		p.seen = map[verify.Verdict]bool{}
	}
	p.seen[r.Verdict] = true
	if p.flags.json {
		return written(printJSON(p.stdout, r))
	}
	var b strings.Builder
	p.head(&b, r)
	for i := range r.Checks {
		p.outcome(&b, &r.Checks[i], p.facts(r))
	}
	troubles(&b, r)
	p.silent(&b, r)
	b.WriteString("\n")
	_, err := io.WriteString(p.stdout, b.String())
	return written(err)
}

// written makes an error of the output one of status 3: what was found did not
// arrive, and 1 would say that an error was found.
func written(err error) error {
	if err != nil {
		return notAsked("standard output: %w", err)
	}
	return nil
}

// end returns the exit status as an error: an error that was found counts
// before what could not be concluded.
func (p *checkPrinter) end() error {
	switch {
	case p.seen[verify.VerdictError]:
		return &exitError{code: exitFailed}
	case p.seen[verify.VerdictInconclusive]:
		return &exitError{code: exitNotAsked}
	}
	return nil
}

func (p *checkPrinter) head(b *strings.Builder, r *checkReport) {
	verdict := string(r.Verdict)
	if r.Grade != "" {
		verdict += ", grade " + string(r.Grade)
	}
	fmt.Fprintf(b, "%s: %s\n", p.paint(bold, plain(r.Subject)), p.paint(verdictColour(r.Verdict), verdict))
	verify.WrapText(b, "  ", "  ", fmt.Sprintf("%s, as of %s", r.Reason, r.At.UTC().Format(time.RFC3339)))
}

// outcome prints one check with its findings. One that has none is left to
// [checkPrinter.silent], one without a conclusion to [troubles].
func (p *checkPrinter) outcome(b *strings.Builder, o *checkOutcome, facts bool) {
	if o.Trouble != nil || quiet(o) && !facts {
		return
	}
	name := o.Check
	if o.Subject != "" {
		name += " of " + plain(o.Subject)
	}
	fmt.Fprintf(b, "\n  %s: %s\n", p.paint(bold, name), p.paint(verdictColour(o.Verdict), string(o.Verdict)))
	groups := alike(o.reported)
	for _, list := range groups[:min(len(groups), mostGroups)] {
		p.findings(b, list)
	}
	if n := len(groups) - mostGroups; n > 0 {
		fmt.Fprintf(b, "    and %d kinds of findings more; --json shows all\n", n)
	}
	if facts {
		for _, f := range o.Facts {
			fmt.Fprintf(b, "    %s = %s\n", plain(f.Name), plain(f.Value))
		}
	}
}

// What is shown of one check to people; JSON has all of it.
const (
	mostGroups = 25  // kinds of findings
	mostPlaces = 10  // of one kind
	mostOfText = 160 // characters of evidence
)

// alike groups the findings of one code, in the order of the first of each.
func alike(list []checkFinding) (groups [][]checkFinding) {
	for _, f := range list {
		i := slices.IndexFunc(groups, func(g []checkFinding) bool {
			return g[0].Code == f.Code && g[0].Severity == f.Severity && g[0].Advice == f.Advice
		})
		if i < 0 {
			groups, i = append(groups, nil), len(groups)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// troubles prints what came to no conclusion, by reason: one server that does
// not answer keeps many checks from theirs.
func troubles(b *strings.Builder, r *checkReport) {
	told := map[verify.Code]bool{}
	for i := range r.Checks {
		t := r.Checks[i].Trouble
		if t == nil || told[t.Code] {
			continue
		}
		told[t.Code] = true
		var names []string
		for _, o := range r.Checks {
			if o.Trouble != nil && o.Trouble.Code == t.Code {
				names = append(names, o.Check)
			}
		}
		b.WriteString("\n")
		verify.WrapText(b, "  no conclusion: ", "    ", strings.Join(names, ", "))
		verify.WrapText(b, "    ", "    ", fmt.Sprintf("%s (%s)", cmp.Or(t.Title, "Something failed"), t.Code))
		if t.Detail != "" {
			verify.WrapText(b, "    ", "    ", plain(t.Detail))
		}
	}
}

// facts reports whether to show what was seen. What a key is cannot be seen
// from its file, so it is told.
func (p *checkPrinter) facts(r *checkReport) bool { return p.flags.facts || r.Kind == "key" }

func quiet(o *checkOutcome) bool { return o.Trouble == nil && len(o.findings) == 0 }

// silent names the checks that found nothing.
func (p *checkPrinter) silent(b *strings.Builder, r *checkReport) {
	var names []string
	for i := range r.Checks {
		if quiet(&r.Checks[i]) && !p.facts(r) {
			names = append(names, r.Checks[i].Check)
		}
	}
	if len(names) > 0 {
		b.WriteString("\n")
		verify.WrapText(b, "  nothing to report: ", "    ", strings.Join(names, ", "))
	}
}

// findings prints findings of one code, with all that is needed to act on them.
func (p *checkPrinter) findings(b *strings.Builder, list []checkFinding) {
	f := &list[0]
	fmt.Fprintf(b, "    %s %s\n", p.paint(severityColour(f.Severity), string(f.Severity)), f.Code)
	verify.WrapText(b, "      ", "      ", f.Title)
	for i := range list[:min(len(list), mostPlaces)] {
		p.place(b, &list[i])
	}
	if n := len(list) - mostPlaces; n > 0 {
		fmt.Fprintf(b, "      and %d more; --json shows all\n", n)
	}
	verify.WrapText(b, "      do:       ", "                ", f.Advice)
	if f.Spec != "" {
		fmt.Fprintf(b, "      standard: %s\n", f.Spec)
	}
}

// place says where a finding is, what stands there and what would be right.
func (p *checkPrinter) place(b *strings.Builder, f *checkFinding) {
	row := func(name, value string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("      %-9s %s", name+":", value), " ") + "\n")
	}
	short := func(s string) string {
		if r := []rune(plain(s)); len(r) > mostOfText {
			return string(r[:mostOfText]) + "…"
		}
		return plain(s)
	}
	if f.Subject != "" {
		row("about", short(f.Subject))
	}
	switch {
	case f.Line != nil:
		row(fmt.Sprintf("line %d", *f.Line), short(f.Evidence))
	case f.Evidence != "":
		row("found", short(f.Evidence))
	}
	if f.Corrected != "" {
		row("right", p.paint(green, short(f.Corrected)))
	}
}

func verdictColour(v verify.Verdict) string {
	switch v {
	case verify.VerdictOK:
		return green
	case verify.VerdictError:
		return red
	}
	return yellow
}

func severityColour(s verify.Severity) string {
	switch s {
	case verify.Error:
		return red
	case verify.Warning:
		return yellow
	}
	return bold
}

// listChecks prints all checks and codes.
func (c *call) listChecks(asJSON bool) error {
	if asJSON {
		for _, p := range catalog.Problems() {
			if err := printJSON(c.stdout, p); err != nil {
				return written(err)
			}
		}
		return nil
	}
	var b strings.Builder
	b.WriteString("Checks:\n")
	for _, x := range catalog.Checks() {
		fmt.Fprintf(&b, "  %-16s %s\n", x.Name, x.Title)
	}
	b.WriteString("\nCodes:\n")
	for _, p := range catalog.Problems() {
		fmt.Fprintf(&b, "  %-14s %s\n", p.Severity, p.Code)
	}
	_, err := io.WriteString(c.stdout, b.String())
	return written(err)
}

// explainCode prints the row of a code.
func (c *call) explainCode(code string, asJSON bool) error {
	p, ok := catalog.Find(verify.Code(code))
	if !ok {
		var codes []string
		for _, p := range catalog.Problems() {
			codes = append(codes, string(p.Code))
		}
		want := "one that rollcall check --list shows"
		if near := nearest(code, codes); near != "" {
			want = near
		}
		return usage(c.cmd, "explain: %v", bad(code, "not a code", want))
	}
	if asJSON {
		return written(printJSON(c.stdout, p))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", p.Code, p.Severity)
	verify.WrapText(&b, "  ", "  ", p.Title+".")
	verify.WrapText(&b, "  do:       ", "            ", p.Advice)
	if p.Spec != "" {
		fmt.Fprintf(&b, "  standard: %s\n", p.Spec)
	}
	if p.Sectxt != "" {
		fmt.Fprintf(&b, "  sectxt:   %s\n", p.Sectxt)
	}
	_, err := io.WriteString(c.stdout, b.String())
	return written(err)
}

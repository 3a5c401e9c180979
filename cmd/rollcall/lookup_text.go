package main

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// ladder prints one answer for people.
func (p *lookupPrinter) ladder(a *api.Answer) error {
	var b strings.Builder
	paint := painter(p.colour(p.stdout))
	fmt.Fprintf(&b, "%s (%s): %s\n", paint(bold, plain(a.Query)), a.Kind, verdict(a))
	for i := range a.Candidates {
		p.candidate(&b, paint, a, i)
	}
	p.steps(&b, a)
	b.WriteString("\n")
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

// telling are the results of steps that people should see without asking for
// the trace: a team that is known and can't be asked, and what was not asked.
func telling(result string) bool {
	switch directory.StepResult(result) {
	case directory.StepNoContact, directory.StepInactive, directory.StepNotLoaded:
		return true
	}
	return false
}

// steps prints the trace: all of it when nobody is known or it is asked for.
func (p *lookupPrinter) steps(b *strings.Builder, a *api.Answer) {
	all, word := p.flags.trace || a.Status == string(directory.StatusNone), "  note: "
	if all {
		b.WriteString("  tried:\n")
		word = "    "
	}
	for _, s := range a.Trace {
		if all || telling(s.Result) {
			fmt.Fprintf(b, "%s%s\n", word, plain(s.Text))
		}
	}
}

// verdict says in words how a lookup ended.
func verdict(a *api.Answer) string {
	switch directory.Status(a.Status) {
	case directory.StatusMatch:
		return "match"
	case directory.StatusAmbiguous:
		if len(a.Candidates) > 0 && a.Candidates[0].Near {
			return "no such name; these look like it"
		}
		return fmt.Sprintf("undecided, %d teams answer alike and nothing was chosen", undecided(a.Candidates))
	case directory.StatusNone:
		return "nobody is known"
	}
	return "could not ask"
}

// undecided counts the teams of the first rank that can be asked.
func undecided(list []api.Candidate) int {
	rank, teams := 0, map[string]bool{}
	for _, c := range list {
		if rank == 0 && c.Contact != nil {
			rank = c.Rank
		}
		if c.Rank == rank {
			teams[c.Team.ID] = true
		}
	}
	return len(teams)
}

// candidate prints one rung of the ladder.
func (p *lookupPrinter) candidate(b *strings.Builder, paint func(string, string) string, a *api.Answer, i int) {
	c := &a.Candidates[i]
	alike := 0
	for j := range a.Candidates {
		if a.Candidates[j].Rank == c.Rank && a.Candidates[j].Team.ID != c.Team.ID {
			alike++
		}
	}
	mark := fmt.Sprintf("%d.", c.Rank)
	if alike > 0 || c.Near {
		mark = fmt.Sprintf("%d?", c.Rank) // not decided
	}
	fmt.Fprintf(b, "  %s %s (%s)\n", mark, paint(bold, plain(c.Team.Name)), c.Team.Handle)
	switch {
	case c.Contact != nil:
		line := plain(c.Contact.Value)
		if len(c.Contact.Uses) > 0 {
			line += "  for " + strings.Join(c.Contact.Uses, ", ")
		}
		if c.Contact.Hours != "" {
			line += ", " + c.Contact.Hours
		}
		fmt.Fprintf(b, "     %s\n", line)
	case c.Withheld:
		b.WriteString("     a contact that is not shown to everyone; a token may show it\n")
	}
	fmt.Fprintf(b, "     %s\n", plain(c.Why))
	if e := c.Evidence; e != nil {
		s := proof{e.LevelName, directory.State(e.State), e.Method, e.By, e.At, e.ValidUntil}
		fmt.Fprintf(b, "     %s\n", paint(colourOf(s.state), plain(s.words())))
	}
	if c.Checks != nil {
		for i := range c.Checks.Faults {
			v := &c.Checks.Faults[i]
			fmt.Fprintf(b, "     %s\n", paint(colourOfVerdict(v.Verdict), plain(verdictWords(v))))
		}
	}
}

// verdictWords says in one line what a check found: "security.txt of
// example.org: warning since 2026-11-01".
func verdictWords(v *format.CheckVerdict) string {
	check, found := v.Check, v.Verdict
	if check == "securitytxt" {
		check = "security.txt" // as people call it; the other names are spoken as they are written
	}
	if found == "inconclusive" {
		found = "could not be checked"
	}
	said := fmt.Sprintf("%s of %s: %s", check, v.Subject, found)
	if !v.Since.IsZero() {
		said += " since " + v.Since.UTC().Format(time.DateOnly)
	}
	return said
}

func colourOfVerdict(verdict string) string {
	if verdict == "error" {
		return red
	}
	return yellow
}

// proof is what the evidence about a contact says.
type proof struct {
	level      string
	state      directory.State
	method, by string
	at, until  time.Time
}

// standing puts s into words.
func standing(s directory.Standing, _ time.Time) string {
	return proof{s.Level.String(), s.State, s.Method, s.By, s.At, s.ValidUntil}.words()
}

// words says in one line what is known: "listed 2017-07-03 by national-csirts,
// never verified".
func (p proof) words() string {
	date := func(t time.Time) string {
		if t.IsZero() {
			return "on an unknown day"
		}
		return t.UTC().Format(time.DateOnly)
	}
	said := fmt.Sprintf("%s %s", p.level, date(p.at))
	if p.method != "import" && p.method != "entry" {
		said += " by " + p.method
	}
	if p.by != "" && p.method == "import" {
		said += " by " + p.by
	} else if p.by == directory.SourceTeam {
		said += " by the team itself"
	}
	switch p.state {
	case directory.Verified:
		return said + ", good until " + date(p.until)
	case directory.Due:
		return said + ", due for a new proof since " + date(p.until)
	case directory.Overdue:
		return said + ", overdue since " + date(p.until)
	case directory.Failed:
		return said + "; FAILED when it was last tried: use a fallback"
	case directory.Disputed:
		return said + "; disputed, and nobody has settled it"
	}
	return said + ", never verified"
}

// The colours of a terminal (ECMA-48 section 8.3.117).
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func colourOf(s directory.State) string {
	switch s {
	case directory.Verified:
		return green
	case directory.Failed, directory.Disputed:
		return red
	}
	return yellow
}

// painter returns a function that colours, or leaves all as it is.
func painter(on bool) func(colour, s string) string {
	return func(colour, s string) string {
		if !on {
			return s
		}
		return "\x1b[" + colour + "m" + s + "\x1b[0m"
	}
}

// plain takes out what would steer a terminal: an answer may come from a
// server that is not ours.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

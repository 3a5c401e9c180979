package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// digestParts are the headings of a digest's text, by severity.
var digestParts = []struct {
	severity Severity
	heading  string
}{
	{Error, "Mend at once"},
	{Warning, "Mend soon"},
	{Recommendation, "Make better"},
	{Info, "Good to know"},
}

// DigestText is a digest for people: plain text in lines that fit a mail.
func DigestText(t *directory.Team, list []Attention, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s), %s\n", Quote(t.Name()), t.Handle, now.UTC().Format(time.DateOnly))
	if len(list) == 0 {
		b.WriteString("\nNothing needs attention.\n")
	}
	n := 0
	for _, part := range digestParts {
		first := true
		for i := range list {
			if list[i].Severity != part.severity {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n%s:\n", part.heading)
				first = false
			}
			n++
			list[i].text(&b, n)
		}
	}
	return b.String()
}

func (a *Attention) text(b *strings.Builder, n int) {
	const indent = "    "
	WrapText(b, fmt.Sprintf("\n%2d. ", n), indent, a.Finding.Subject+": "+a.Title)
	if a.Evidence != "" {
		at := "found: "
		if a.Line > 0 {
			at = fmt.Sprintf("line %d: ", a.Line)
		}
		b.WriteString(indent + at + a.Evidence + "\n")
	}
	if a.Corrected != "" {
		b.WriteString(indent + "right: " + a.Corrected + "\n")
	}
	WrapText(b, indent, indent, a.Advice)
	WrapText(b, indent, indent, strings.Join(a.footnotes(), "; "))
}

func (a *Attention) footnotes() []string {
	notes := make([]string, 0, 4)
	if !a.Due.IsZero() {
		notes = append(notes, "due "+a.Due.UTC().Format(time.DateOnly))
	}
	if !a.Since.IsZero() {
		notes = append(notes, "since "+a.Since.UTC().Format(time.DateOnly))
	}
	notes = append(notes, string(a.Code))
	if a.Spec != "" {
		notes = append(notes, a.Spec)
	}
	return notes
}

// TextWidth is how wide running text is at most: what fits every terminal and mail.
const TextWidth = 80

// WrapText writes text in lines of at most [TextWidth] columns. The first
// begins with first, the others with next. Words that are longer stay whole.
func WrapText(b *strings.Builder, first, next, text string) {
	b.WriteString(first)
	column := len(first) - strings.LastIndexByte(first, '\n') - 1
	fresh := true
	for _, word := range strings.Fields(text) {
		width := len([]rune(word))
		if !fresh && column+1+width > TextWidth {
			b.WriteString("\n" + next)
			column, fresh = len(next), true
		}
		if !fresh {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column, fresh = column+width, false
	}
	b.WriteByte('\n')
}

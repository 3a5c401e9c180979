package format

import (
	"strings"
)

// factMarkdown escapes what a value of the record must not become in Markdown:
// an element of HTML, or a link. Other marks do no harm, and addresses are
// full of them.
func factMarkdown(s string) string {
	return strings.NewReplacer("<", `\<`, "[", `\[`).Replace(s)
}

// proseMarkdown keeps a section's own Markdown within its section: no HTML, no
// heading of the template, no fence that swallows what follows.
func proseMarkdown(text string) string {
	known := templateTitles()
	lines := strings.Split(text, "\n")
	walkText(lines, func(i int) {
		lines[i] = withoutHTML(lines[i])
		if m := atxForm.FindStringSubmatch(lines[i]); m != nil && known.section(m[1]) != "" {
			lines[i] = strings.Replace(lines[i], "#", `\#`, 1)
		}
	})
	if fence := openFence(lines); fence != "" {
		lines = append(lines, fence)
	}
	return strings.Join(lines, "\n")
}

// openFence returns the end of a code fence that lines open and do not close.
func openFence(lines []string) string {
	fence := ""
	for _, l := range lines {
		t := strings.TrimSpace(l)
		switch {
		case fence != "" && strings.HasPrefix(t, fence):
			fence = ""
		case fence == "" && (strings.HasPrefix(t, "```") || strings.HasPrefix(t, "~~~")):
			fence = t[:3]
		}
	}
	return fence
}

// withoutHTML escapes each < of a line that could open an element, but not in
// code, in an autolink, or where it is escaped already.
func withoutHTML(l string) string {
	if !strings.Contains(l, "<") {
		return l
	}
	var b strings.Builder
	for i := 0; i < len(l); {
		switch {
		case l[i] == '\\' && i+1 < len(l):
			b.WriteString(l[i : i+2])
			i += 2
		case l[i] == '`':
			n := codeSpan(l[i:])
			b.WriteString(l[i : i+n])
			i += n
		case l[i] == '<':
			n := autolink(l[i:])
			if n == 0 {
				b.WriteByte('\\')
				n = 1
			}
			b.WriteString(l[i : i+n])
			i += n
		default:
			b.WriteByte(l[i])
			i++
		}
	}
	return b.String()
}

// codeSpan returns the length of the code span that s begins with, or of the
// backticks alone where nothing closes them (CommonMark section 6.1).
func codeSpan(s string) int {
	ticks := len(s) - len(strings.TrimLeft(s, "`"))
	rest := s[ticks:]
	for at := 0; ; {
		i := strings.Index(rest[at:], s[:ticks])
		if i < 0 {
			return ticks
		}
		at += i
		run := len(rest[at:]) - len(strings.TrimLeft(rest[at:], "`"))
		if run == ticks {
			return ticks + at + run
		}
		at += run
	}
}

// autolink returns the length of an autolink such as <https://example.org/> or
// <csirt@example.org> that s begins with; 0 for none.
func autolink(s string) int {
	end := strings.IndexAny(s[1:], "<> \t")
	if end < 0 || s[1+end] != '>' {
		return 0
	}
	if linkTarget(s[1:1+end]) == "" {
		return 0
	}
	return end + 2
}

// linkTarget returns where a link of a text may lead: to the web or to a
// mailbox; "" for everything else.
func linkTarget(s string) string {
	lower := strings.ToLower(s)
	switch {
	case len(s) > 2048 || strings.ContainsAny(s, " \t\n\"'<>`"):
		return ""
	case strings.HasPrefix(lower, "https://"), strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "mailto:"):
		return s
	case strings.Count(s, "@") == 1 && !strings.ContainsAny(s, ":/?#()[]\\") && s[0] != '@' && s[len(s)-1] != '@':
		return "mailto:" + s
	}
	return ""
}

// fenceKeys puts keys into code fences, since Markdown would run their lines
// together.
func fenceKeys(text string) string {
	const begin, end = "-----BEGIN PGP", "-----END PGP"
	lines := strings.Split(text, "\n")
	var out []string
	fence, key := "", false
	for _, l := range lines {
		t := strings.TrimSpace(l)
		switch {
		case key:
			if out = append(out, l); strings.HasPrefix(t, end) {
				out, key = append(out, "```"), false
			}
			continue
		case fence != "":
			if strings.HasPrefix(t, fence) {
				fence = ""
			}
		case strings.HasPrefix(t, "```"), strings.HasPrefix(t, "~~~"):
			fence = t[:3]
		case strings.HasPrefix(l, begin):
			out, key = append(out, "```text"), true
		}
		out = append(out, l)
	}
	if key {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

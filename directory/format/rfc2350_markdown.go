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
// heading of the template, no fence that swallows what follows. Keys are put
// into fences, since Markdown would run their lines together.
func proseMarkdown(text string) string {
	m := proseWriter{known: templateTitles()}
	for l := range strings.SplitSeq(text, "\n") {
		m.line(l)
	}
	if m.fence != "" {
		m.out = append(m.out, m.fence)
	}
	return strings.Join(m.out, "\n")
}

// proseWriter writes lines of Markdown so that every reader of it sees the same
// fences: three marks at the start of a line, and nothing behind the last.
type proseWriter struct {
	known titles
	out   []string
	fence string // that is open
	key   bool   // the fence is ours, around a key
}

func (m *proseWriter) line(l string) {
	t := strings.TrimSpace(l)
	switch {
	case m.key && strings.HasPrefix(t, m.fence):
		m.out = append(m.out, strings.ReplaceAll(l, "`", "'"))
	case m.key && strings.HasPrefix(t, "-----END PGP"):
		m.out = append(m.out, l, m.fence)
		m.fence, m.key = "", false
	case m.fence != "" && strings.HasPrefix(t, m.fence) && !m.key:
		m.out = append(m.out, m.fence)
		m.fence = ""
	case m.fence != "":
		m.out = append(m.out, l)
	case strings.HasPrefix(t, "```"), strings.HasPrefix(t, "~~~"):
		m.fence = t[:3]
		m.out = append(m.out, m.fence+strings.Trim(t[3:], "`~ "))
		if strings.Contains(t[3:], "`") { // code on one line
			m.out[len(m.out)-1] = m.fence
		}
	case strings.HasPrefix(t, "-----BEGIN PGP"):
		m.fence, m.key = "```", true
		m.out = append(m.out, "```text", l)
	default:
		m.out = append(m.out, m.text(l))
	}
}

// text writes a line outside of fences.
func (m *proseWriter) text(l string) string {
	if h := atxForm.FindStringSubmatch(l); h != nil && m.known.section(h[1]) != "" {
		l = strings.Replace(l, "#", `\#`, 1)
	}
	if n := len(m.out); n > 0 && underForm.MatchString(l) && m.known.section(m.out[n-1]) != "" {
		l = `\` + strings.TrimSpace(l)
	}
	return withoutHTML(l)
}

// withoutHTML escapes each < of a line that could open an element, but not in
// an autolink or where it is escaped already. It does not spare code: where
// code ends depends on lines before and behind.
func withoutHTML(l string) string {
	if !strings.Contains(l, "<") {
		return l
	}
	var b strings.Builder
	for i := 0; i < len(l); {
		n := 1
		switch {
		case l[i] == '\\' && i+1 < len(l):
			n = 2
		case l[i] == '<':
			if n = autolink(l[i:]); n == 0 {
				b.WriteByte('\\')
				n = 1
			}
		}
		b.WriteString(l[i : i+n])
		i += n
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

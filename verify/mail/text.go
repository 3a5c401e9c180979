package mail

import (
	"bytes"
	"encoding/base64"
	"html"
	"io"
	"mime/quotedprintable"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxText is how much of a mail's text is looked at to classify it.
const maxText = 64 << 10

// Decoded returns the content of a leaf, its transfer encoding undone. It is never much larger than
// what came; what can't be decoded is given up to where it could be.
func (p *Part) Decoded() []byte {
	switch strings.ToLower(strings.TrimSpace(p.Header.Get("Content-Transfer-Encoding"))) {
	case "base64":
		return unbase64(p.Body)
	case "quoted-printable":
		out, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(p.Body)))
		return out
	}
	return p.Body
}

// unbase64: RFC 2045 section 6.8: characters outside the alphabet are to be ignored.
func unbase64(b []byte) []byte {
	clean := make([]byte, 0, len(b))
	for _, c := range b {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			clean = append(clean, c)
		}
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(out, clean)
	return out[:n]
}

// Text returns the text of a leaf in UTF-8; of HTML, the words alone. Nothing is rendered, and
// nothing that it refers to is fetched.
func (p *Part) Text() string {
	data := p.Decoded()
	if c := p.Params["charset"]; c != "" && !strings.EqualFold(c, "utf-8") {
		if e, err := htmlindex.Get(c); err == nil {
			if out, err := e.NewDecoder().Bytes(data); err == nil {
				data = out
			}
		}
	}
	s := strings.ToValidUTF8(string(data), "\uFFFD")
	if p.Type == "text/html" {
		return words(s)
	}
	return s
}

// words takes the tags out of HTML. It is no parser: what it gives is searched, never shown. What is quoted
// gets the sign that plain text has for it.
func words(s string) string {
	var b strings.Builder
	depth := 0
	for s != "" {
		text, rest, found := strings.Cut(s, "<")
		if depth > 0 {
			text = strings.ReplaceAll(text, "\n", "\n> ")
		}
		b.WriteString(text)
		if !found {
			break
		}
		b.WriteByte(' ')
		skip := ">"
		switch {
		case hasPrefixFold(rest, "blockquote"):
			depth++
			b.WriteString("\n> ")
		case hasPrefixFold(rest, "/blockquote") && depth > 0:
			if depth--; depth == 0 {
				b.WriteByte('\n')
			}
		case strings.HasPrefix(rest, "!--"):
			skip = "-->"
		case hasPrefixFold(rest, "style"), hasPrefixFold(rest, "script"):
			skip = "</"
		}
		if _, s, found = strings.Cut(rest, skip); !found {
			break
		}
		if skip == "</" {
			_, s, _ = strings.Cut(s, ">")
		}
	}
	return html.UnescapeString(b.String())
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// text is what a mail says, for classifying: its plain parts, else its HTML.
func (m *Message) text() string {
	var plain, rich strings.Builder
	m.Root.Leaves(func(p *Part) {
		switch {
		case p.Type == "text/plain" && plain.Len() < maxText:
			plain.WriteString(p.Text() + "\n")
		case p.Type == "text/html" && rich.Len() < maxText:
			rich.WriteString(p.Text() + "\n")
		}
	})
	if strings.TrimSpace(plain.String()) == "" {
		return cut(rich.String(), maxText)
	}
	return cut(plain.String(), maxText)
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// quoted matches lines that repeat what somebody else wrote.
var quoted = regexp.MustCompile(`(?m)^[ \t]*>.*$`)

// own takes from a text what it quotes by the usual sign. Programs that quote otherwise are many:
// what is left proves nothing.
func own(text string) string { return quoted.ReplaceAllString(text, "") }

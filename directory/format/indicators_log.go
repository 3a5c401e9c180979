package format

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/rollcall-csirt/rollcall/directory"
)

// finder finds what can be looked up in lines of free text: addresses,
// prefixes, AS numbers, domains, mail addresses and URLs, in the spellings by
// which people keep them from being clicked too. It takes what has the form of
// one of them and stands by itself. So that the version in a User-Agent or the
// name of a file is not taken for an address or a domain:
//
//   - four numbers that end in .0.0 behind a word and a slash are a version
//     (Chrome/120.0.0.0);
//   - a domain ends in a top-level domain that exists, and a name of two labels
//     not in one that is also the usual end of a file's name (script.py).
type finder struct {
	text  []byte // a word, with the defanged signs as they are meant
	at    []int  // where each octet of it begins in the line
	end   int    // of the word
	in    *Indicator
	line0 string
	yield func(*Indicator, error) bool
	over  bool // nobody wants more
}

// line yields what is in one line.
func (e *finder) line(in *Indicator, line string, yield func(*Indicator, error) bool) bool {
	e.in, e.line0, e.yield = in, line, yield
	for i := 0; i < len(line) && !e.over; {
		e.text, e.at = e.text[:0], e.at[:0]
		for i < len(line) {
			sign, n := sign(line[i:])
			if sign == "" {
				break
			}
			for k := range len(sign) {
				e.text, e.at = append(e.text, sign[k]), append(e.at, i)
			}
			i += n
		}
		if e.end = i; len(e.text) > 0 {
			e.word(0, len(e.text))
			continue
		}
		i++
	}
	return !e.over
}

// defanged are signs as they are written so that nothing becomes a link.
func defanged() [][2]string {
	return [][2]string{
		{"[.]", "."}, {"(.)", "."}, {"{.}", "."}, {"[dot]", "."}, {"(dot)", "."}, {"{dot}", "."}, {"[DOT]", "."}, {"(DOT)", "."},
		{"[at]", "@"}, {"(at)", "@"}, {"{at}", "@"}, {"[AT]", "@"}, {"(AT)", "@"}, {"[@]", "@"}, {"(@)", "@"},
		{"[://]", "://"}, {"[:/]", ":/"}, {"[:]", ":"}, {"[/]", "/"},
	}
}

// sign returns the sign of a word that s begins with, and its length in s; ""
// where a word ends.
func sign(s string) (string, int) {
	switch c := s[0]; {
	case c < utf8.RuneSelf && alnum(c), strings.IndexByte("._-:/@%+~=?&#,;!$*", c) >= 0:
		return s[:1], 1
	case c >= utf8.RuneSelf:
		if r, n := utf8.DecodeRuneInString(s); unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
			return s[:n], n
		}
	case (c == '[' || c == '(' || c == '{') && len(s) > 2 && strings.IndexByte(".dDaA@:/", s[1]) >= 0:
		for _, d := range defanged() {
			if strings.HasPrefix(s, d[0]) {
				return d[1], len(d[0])
			}
		}
	case c == ' ' && len(s) > 6 && s[5] == ' ' && (s[1:5] == "(at)" || s[1:5] == "[at]"):
		return "@", 6
	}
	return "", 0
}

// word takes a word apart: a URL as a whole, else what is between signs that
// neither addresses nor names have.
func (e *finder) word(from, to int) {
	text := e.text[from:to]
	if k := strings.Index(string(text), "://"); k > 0 {
		start := from + k
		for start > from && letter(e.text[start-1]) {
			start--
		}
		if e.word(from, start); start < from+k && e.take(start, e.trim(start, to), directory.KindURL) {
			return
		}
		e.word(from+k+3, to)
		return
	}
	for i := from; i <= to; i++ {
		if i < to && strings.IndexByte("=?&#,;!$*", e.text[i]) < 0 {
			continue
		}
		e.piece(from, i)
		from = i + 1
	}
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// trim leaves out the signs that end a sentence, not a word.
func (e *finder) trim(from, to int) int {
	for to > from && strings.IndexByte(".,;:!?-_*", e.text[to-1]) >= 0 {
		to--
	}
	return to
}

// piece looks at one piece of a word.
func (e *finder) piece(from, to int) {
	for from < to && strings.IndexByte(".:-_~%+", e.text[from]) >= 0 && !(e.text[from] == ':' && from+1 < to && e.text[from+1] == ':') {
		from++
	}
	to = e.trim(from, to)
	if to-from < 3 {
		return
	}
	text := string(e.text[from:to])
	if strings.IndexByte(text, '@') >= 0 {
		e.mail(from, text)
		return
	}
	if strings.Count(text, ":") > 1 && e.address6(from, text) {
		return
	}
	for part := range strings.SplitSeq(text, ":") {
		e.part(from, part)
		from += len(part) + 1
	}
}

// mail takes the mail address around the first @.
func (e *finder) mail(from int, text string) {
	at := strings.IndexByte(text, '@')
	start, end := at, at+1
	for start > 0 && (alnum(text[start-1]) || strings.IndexByte("._%+~-", text[start-1]) >= 0) {
		start--
	}
	for end < len(text) && (alnum(text[end]) || text[end] == '.' || text[end] == '-') {
		end++
	}
	domain := strings.TrimRight(text[at+1:end], ".-")
	if start < at && topLevel(domain) && e.take(from+start, from+at+1+len(domain), directory.KindEmail) {
		return
	}
	e.piece(from, from+at)
	e.piece(from+at+1, from+len(text))
}

func alnum(b byte) bool { return letter(b) || b >= '0' && b <= '9' || b >= 0x80 }

// address6 takes an IPv6 address or prefix.
func (e *finder) address6(from int, text string) bool {
	host, _, isPrefix := strings.Cut(text, "/")
	if a, err := netip.ParseAddr(host); err != nil || a.Zone() != "" || a.IsUnspecified() {
		return false
	}
	if _, err := netip.ParsePrefix(text); isPrefix && err == nil {
		return e.take(from, from+len(text), directory.KindCIDR)
	}
	return e.take(from, from+len(host), directory.KindIP)
}

// part looks at what is between colons: an IPv4 address or prefix, an AS
// number, or a domain, and what a slash divides.
func (e *finder) part(from int, text string) {
	head, rest, slash := strings.Cut(text, "/")
	switch {
	case head == "" && slash: // /192.0.2.1, as Java writes addresses
		if quad, _, _ := strings.Cut(rest, "/"); isQuad(quad) {
			e.part(from+1, rest)
		}
	case isQuad(head):
		if size, _, _ := strings.Cut(rest, "/"); slash && len(size) <= 2 && size == rest {
			if _, err := netip.ParsePrefix(text); err == nil {
				e.take(from, from+len(text), directory.KindCIDR)
				return
			}
		}
		e.take(from, from+len(head), directory.KindIP)
	case strings.Count(head, ".") > 2 && strings.Trim(head, "0123456789.-") == "":
		e.span(from, head)
	case isNumber(head):
		e.take(from, from+len(head), directory.KindASN)
	case isDomain(head):
		e.take(from, from+len(head), directory.KindDomain)
	case slash && !strings.HasSuffix(rest, ".0.0"):
		if quad, _, _ := strings.Cut(rest, "/"); isQuad(quad) {
			e.take(from+len(head)+1, from+len(head)+1+len(quad), directory.KindIP)
		}
	}
}

// span takes the ends of 192.0.2.1-192.0.2.9.
func (e *finder) span(from int, text string) {
	for part := range strings.SplitSeq(text, "-") {
		if isQuad(part) {
			e.take(from, from+len(part), directory.KindIP)
		}
		from += len(part) + 1
	}
}

func isQuad(s string) bool {
	if len(s) < 7 || len(s) > 15 || s[0] < '0' || s[0] > '9' {
		return false
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

// isNumber reports whether s is an AS number in the form of RFC 5396.
func isNumber(s string) bool {
	return len(s) > 2 && len(s) <= 12 && strings.EqualFold(s[:2], "as") && strings.Trim(s[2:], "0123456789") == ""
}

// isDomain reports whether s looks like a name on the Internet.
func isDomain(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	if dot < 1 || !topLevel(s) {
		return false
	}
	if strings.IndexByte(s, '.') < dot {
		return true
	}
	switch strings.ToLower(s[dot+1:]) {
	case "ai", "app", "bz", "cab", "cc", "cpp", "cs", "gz", "java", "md", "mm", "mov", "pl", "pm", "ps", "py", "rs", "sc", "sh", "so", "st", "tf", "vi", "zip":
		return false
	}
	return true
}

// topLevel reports whether a name ends in a top-level domain that exists
// according to the public suffix list, or in one that is reserved for examples
// (RFC 6761 section 6.5).
func topLevel(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot < 1 {
		return false
	}
	last := strings.ToLower(name[dot+1:])
	if len(last) < 2 || !letter(last[0]) && last[0] < 0x80 {
		return false
	}
	if last[0] >= 0x80 || last == "example" {
		return true // the parser knows names beyond ASCII
	}
	_, managed := publicsuffix.PublicSuffix(last)
	return managed
}

// take yields a part of the word, if it can be looked up as what it seems.
func (e *finder) take(from, to int, kind directory.QueryKind) bool {
	if e.over || from >= to {
		return e.over
	}
	end := e.end
	if to < len(e.at) {
		end = e.at[to]
	}
	text := e.line0[e.at[from]:end]
	e.in.parse(text)
	if e.in.Problem != nil || e.in.Query.Kind != kind {
		return false
	}
	e.over = !e.yield(e.in, nil)
	return true
}

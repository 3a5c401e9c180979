package format

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-csirt/rollcall/directory"
)

// clean puts a text that is one line for people in order: control characters
// and runs of spaces become one space. It reports whether the text had to be
// cut to max characters.
func clean(s string, max int) (text string, cut bool) {
	if plain(s) && len(s) <= max {
		return s, false
	}
	text = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if utf8.RuneCountInString(text) <= max {
		return text, false
	}
	return strings.TrimSpace(string([]rune(text)[:max])), true
}

// plain reports whether s is printable ASCII with single spaces between words,
// as nearly every text is.
func plain(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return s == "" || last != ' '
}

// unaccented are letters that Unicode does not take apart into a base letter
// and a mark.
var unaccented = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "þ", "th", "ł", "l", "ı", "i", "ħ", "h")

// wishHandle makes the handle that a name asks for: "CERT.at" gives cert.at,
// "Équipe CSIRT/CC" gives equipe-csirt-cc. It is "" when the name has fewer
// than two letters or digits that a handle can hold.
func wishHandle(name string) directory.Handle {
	var b strings.Builder
	last := byte('-') // so that no handle begins with a mark
	put := func(c byte) {
		b.WriteByte(c)
		last = c
	}
	for _, r := range norm.NFKD.String(unaccented.Replace(strings.ToLower(name))) {
		switch {
		case b.Len() == 64, unicode.Is(unicode.Mn, r): // full; the accent of the letter before
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			put(byte(r))
		case last == '-' || last == '.':
		case r == '.':
			put('.')
		default:
			put('-')
		}
	}
	h := strings.TrimRight(b.String(), "-.")
	if len(h) < 2 {
		return ""
	}
	return directory.Handle(h)
}

// otherNames collects names beside the main one: each once, whatever its
// case, in the order given, at most max.
func otherNames(main []string, candidates []string, max int) []string {
	seen := map[string]bool{"": true}
	for _, m := range main {
		seen[strings.ToLower(m)] = true
	}
	var names []string
	for _, c := range candidates {
		if key := strings.ToLower(c); !seen[key] && len(names) < max {
			seen[key] = true
			names = append(names, c)
		}
	}
	return names
}

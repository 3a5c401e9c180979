package format

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-csirt/rollcall/directory"
)

// clean puts a text that is one line for people in order: every run of white
// space becomes one space. Control characters, those that turn the direction
// of text, and what is longer than max characters are left out, and then the
// problem says so: the row is still good.
func clean(s string, max int) (text string, mended *directory.Problem) {
	if plain(s) && len(s) <= max {
		return s, nil
	}
	mend := func(code directory.Code, reason, want string) {
		if mended == nil {
			p := fault(code, s, reason, want)
			mended = &p
		}
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			mend("text.control", "a control character, left out", "text without control characters")
			return -1
		case unicode.Is(unicode.Bidi_Control, r):
			mend("text.bidi", "a character that can make text read as what it is not, left out", "text without bidi controls")
			return -1
		}
		return r
	}, s)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > max {
		mend("text.too-long", fmt.Sprintf("longer than %d characters, and cut", max), "")
		text = strings.TrimSpace(string([]rune(text)[:max]))
	}
	return text, mended
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

// otherNames collects names beside the main ones: each once, whatever its
// case, in the order given, at most max.
func otherNames(main []string, candidates []string, max int) []string {
	var names []string
	for _, c := range candidates {
		same := func(have string) bool { return strings.EqualFold(have, c) }
		if c != "" && len(names) < max && !slices.ContainsFunc(main, same) && !slices.ContainsFunc(names, same) {
			names = append(names, c)
		}
	}
	return names
}

package directory

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxWord is how many bytes of a word count. Prose holds armoured keys and the
// like, of which nobody searches for more.
const maxWord = 64

// asciiFolded is what [foldName] makes of each ASCII character; 0 is a gap.
var asciiFolded = func() (t [utf8.RuneSelf]byte) {
	for b := range t {
		switch {
		case b >= 'a' && b <= 'z', b >= '0' && b <= '9':
			t[b] = byte(b)
		case b >= 'A' && b <= 'Z':
			t[b] = byte(b) + 'a' - 'A'
		}
	}
	return t
}()

// wordScanner cuts a text into words as [foldName] folds them, and knows where
// in the text each was. Use it again with reset: it keeps its memory.
type wordScanner struct {
	text       string
	at         int    // where to go on
	rest       []byte // folded, and not given out yet: one character can fold to several words, as ½ does
	word       []byte // the word that next found; valid until the next call
	start, end int    // of the word in text
	folded     []byte
	decomposed []byte
}

func (s *wordScanner) reset(text string) { s.text, s.at, s.rest = text, 0, s.rest[:0] }

// next moves to the next word and reports whether there is one.
func (s *wordScanner) next() bool {
	s.word = s.word[:0]
	for s.at < len(s.text) || len(s.rest) > 0 {
		if len(s.rest) > 0 {
			if s.take() {
				break
			}
			continue
		}
		b := s.text[s.at]
		if b >= utf8.RuneSelf {
			s.fold()
			continue
		}
		s.at++
		if f := asciiFolded[b]; f != 0 {
			if len(s.word) == 0 {
				s.start = s.at - 1
			}
			s.word = append(s.word, f)
			s.end = s.at
		} else if len(s.word) > 0 {
			break
		}
	}
	s.word = cutWord(s.word)
	return len(s.word) > 0
}

// take moves folded characters into the word and reports whether it ended.
func (s *wordScanner) take() (ended bool) {
	if s.rest[0] == ' ' {
		ended = len(s.word) > 0
		s.rest = s.rest[1:]
		return ended
	}
	n := bytes.IndexByte(s.rest, ' ')
	if n < 0 {
		n = len(s.rest)
	}
	if len(s.word) == 0 {
		s.start = s.at - s.width()
	}
	s.word = append(s.word, s.rest[:n]...)
	s.rest, s.end = s.rest[n:], s.at
	return false
}

// width is the length of the character that was folded last.
func (s *wordScanner) width() int {
	_, n := utf8.DecodeLastRuneInString(s.text[:s.at])
	return n
}

// fold puts the next character, which is not ASCII, into rest; a gap is a space.
func (s *wordScanner) fold() {
	_, size := utf8.DecodeRuneInString(s.text[s.at:])
	s.decomposed = norm.NFKD.AppendString(s.decomposed[:0], s.text[s.at:s.at+size])
	s.at += size
	s.folded = s.folded[:0]
	for d := s.decomposed; len(d) > 0; {
		r, n := utf8.DecodeRune(d)
		d = d[n:]
		switch {
		case unicode.Is(unicode.Mn, r), invisible(r):
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			s.folded = append(s.folded, ' ')
		default:
			s.folded = appendFolded(s.folded, r)
		}
	}
	s.rest = s.folded
}

func appendFolded(dst []byte, r rune) []byte {
	r = unicode.ToLower(r)
	if f, ok := foldedLetters[r]; ok {
		return append(dst, f...)
	}
	return utf8.AppendRune(dst, r)
}

// invisible reports whether r is a mark that shows nothing and parts no words.
func invisible(r rune) bool {
	switch r {
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\ufeff':
		return true
	}
	return false
}

// cutWord cuts a word to maxWord bytes, at a character's border.
func cutWord(w []byte) []byte {
	if len(w) <= maxWord {
		return w
	}
	n := maxWord
	for !utf8.RuneStart(w[n]) {
		n--
	}
	return w[:n]
}

// wordsOf returns the words of a text.
func wordsOf(text string) []string {
	var s wordScanner
	var list []string
	for s.reset(text); s.next(); {
		list = append(list, string(s.word))
	}
	return list
}

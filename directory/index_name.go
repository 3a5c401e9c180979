package directory

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldedLetters are Latin letters that Unicode does not decompose, and how
// they are written without the keyboard for them.
var foldedLetters = map[rune]string{'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ı': "i", 'ŧ': "t", 'ħ': "h"}

// foldName puts a name in the form in which two spellings of it are equal:
// compatibility forms, accents and case gone, and everything but letters and
// digits squeezed into single spaces. "CERT.at" and "cert-at" are equal,
// "CERTAT" is another name.
func foldName(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	if !isASCII(s) {
		s = norm.NFKD.String(s)
	}
	gap := false
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\u00ad', r == '\u200b', r == '\u200c', r == '\u200d', r == '\ufeff':
			continue // accents, and marks that show nothing
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		r = unicode.ToLower(r)
		if f, ok := foldedLetters[r]; ok {
			b.WriteString(f)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// maxNear is how many near names an answer lists.
const maxNear = 10

// nearName is a name that looks like the one asked for.
type nearName struct {
	name     string
	distance int // edits; those that only contain the name come after
}

// lookalikes returns the names closest to a folded one that none equals: those with
// one edit (two from six characters on), then those that contain it whole.
func (x *Index) lookalikes(folded string) []nearName {
	allowed := editsFor(folded)
	var d editDistance
	found := x.near.within(folded, allowed, func(name string, found []nearName) []nearName {
		if n := d.atMost(folded, name, allowed); n <= allowed {
			found = append(found, nearName{name, n})
		}
		return found
	})
	if len(folded) >= 3 && len(found) < maxNear {
		found = x.near.containing(found, folded, allowed)
	}
	return closest(found)
}

// editsFor is how many slips a name of this length is forgiven.
func editsFor(folded string) int {
	if len(folded) >= 6 {
		return 2
	}
	return 1
}

func closest(found []nearName) []nearName {
	slices.SortFunc(found, func(a, b nearName) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	return found[:min(len(found), maxNear)]
}

// editDistance computes the Levenshtein distance of byte strings; it keeps its
// row from call to call.
type editDistance struct{ row []int }

// atMost returns the distance of a and b, or some number above limit.
func (d *editDistance) atMost(a, b string, limit int) int {
	if n := len(a) - len(b); n > limit || -n > limit {
		return limit + 1
	}
	d.row = d.row[:0]
	for j := 0; j <= len(b); j++ {
		d.row = append(d.row, j)
	}
	for i := range len(a) {
		diagonal, least := d.row[0], i+1
		d.row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, d.row[j], d.row[j+1])
			}
			diagonal, d.row[j+1] = d.row[j+1], cost
			least = min(least, cost)
		}
		if least > limit {
			return limit + 1
		}
	}
	return d.row[len(b)]
}

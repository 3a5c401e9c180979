package directory

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a search text: that of the longest name, and more words than
// people type.
const (
	maxSearch = 300
	maxWords  = 16
)

// shortWord is the length in bytes below which a word finds others that begin
// with it in names only: half of all prose begins with any one letter.
const shortWord = 3

// SearchQuery is a parsed search text. The zero value finds nothing; make one
// with [ParseSearch].
type SearchQuery struct {
	Text  string // as asked
	name  string // all of it as [foldName] folds a name
	items []searchItem
}

// searchItem is a word or a quoted phrase. All items must be found.
type searchItem struct {
	words []string // folded; several are a phrase
	whole bool     // quoted: words that only begin with it do not count
}

// ParseSearch parses a search text: words, of which all must be found, and
// phrases in quotation marks. Accents, case and everything between letters and
// digits are no matter. A quotation mark that is never closed reaches to the
// end, as while somebody is typing.
func ParseSearch(s string) (SearchQuery, error) {
	if err := checkSearch(s); err != nil {
		return SearchQuery{}, err
	}
	q := SearchQuery{Text: s, name: foldName(s)}
	quoted, words := false, 0
	for len(s) > 0 {
		part := s
		if i := strings.IndexFunc(s, isQuote); i >= 0 {
			_, n := utf8.DecodeRuneInString(s[i:])
			part, s = s[:i], s[i+n:]
		} else {
			s = ""
		}
		found := wordsOf(part)
		words += len(found)
		q.add(found, quoted)
		quoted = !quoted
	}
	switch {
	case words == 0:
		return SearchQuery{}, problem("query.syntax", q.Text, "no letter or digit to search for", "words or a name")
	case words > maxWords:
		return SearchQuery{}, problem("search.words", strconv.Itoa(words), "too many words for one search", "at most "+strconv.Itoa(maxWords))
	}
	return q, nil
}

func isQuote(r rune) bool {
	switch r {
	case '"', '“', '”', '„', '«', '»':
		return true
	}
	return false
}

// checkSearch checks the text as a whole.
func checkSearch(s string) error {
	switch {
	case !utf8.ValidString(s):
		return problem("query.encoding", s, "not UTF-8", "the text in UTF-8")
	case strings.TrimSpace(s) == "":
		return problem("query.empty", s, "the search is empty", "words or a name")
	case utf8.RuneCountInString(s) > maxSearch:
		return problem("query.too-long", s, "a search has at most 300 characters", "the words that matter")
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return problem("query.control", s, "a control character inside the search", "words on one line")
	}
	return nil
}

// add takes in the words of a part; a word that was said before says nothing new.
func (q *SearchQuery) add(words []string, quoted bool) {
	if quoted && len(words) > 0 {
		q.addItem(searchItem{words, true})
		return
	}
	for i := range words {
		q.addItem(searchItem{words[i : i+1 : i+1], false})
	}
}

func (q *SearchQuery) addItem(it searchItem) {
	same := func(o searchItem) bool { return o.whole == it.whole && slices.Equal(o.words, it.words) }
	if !slices.ContainsFunc(q.items, same) {
		q.items = append(q.items, it)
	}
}

// searchCodes are the rules that a search can break beside those of queries.
var searchCodes = []CodeInfo{
	{"search.after", "A search goes on where a page of it ended", "", "Send next as it was given, or leave after out."},
	{"search.words", "A search has at most 16 words", "", "Leave out the words that matter least."},
}

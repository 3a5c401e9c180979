package directory

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SearchMatch is one text of a team in which something was found.
type SearchMatch struct {
	Field string // JSON pointer into the team as the viewer sees it: "/names/short", "/prose/0/text"
	Text  string // the text, or an excerpt of it, on one line
	Marks []Mark // the words that were found in Text, in order; none for a name that is only near
}

// Mark is a part of a text, in characters: from the one at Start to before End.
type Mark struct{ Start, End int }

const (
	maxMatches  = 4   // of one hit
	excerptSize = 160 // characters
	excerptLead = 40  // bytes, at least, before what was found
)

// span is where something is in a text, in bytes.
type span struct{ start, end int }

// matches says where in t, which is redacted, the search was found: the name
// that fits, or else, tier by tier, the texts that have words not seen before.
func (q *SearchQuery) matches(t *Team, fit uint8) []SearchMatch {
	m := searchMatcher{q: q}
	if fit != fitWords {
		return m.name(t, fit)
	}
	var fields []searchField
	collect := func(f searchField) { fields = append(fields, f) }
	nameFields(t, collect)
	textFields(t, collect)
	slices.SortStableFunc(fields, func(a, b searchField) int { return cmp.Compare(b.tier(), a.tier()) })
	var list []SearchMatch
	seen := make([]bool, len(q.items))
	for i := range fields {
		if spans, news := m.find(&fields[i], seen); news >= 0 {
			list = append(list, excerpt(fields[i].pointer(), fields[i].text, spans, spans[news]))
		}
		if len(list) == maxMatches || !slices.Contains(seen, false) {
			break
		}
	}
	return list
}

type searchMatcher struct {
	q    *SearchQuery
	scan wordScanner
}

// name returns the name that is the search, or begins with it, or looks most
// like it.
func (m *searchMatcher) name(t *Team, fit uint8) []SearchMatch {
	var best searchField
	most := 0.0
	var r *resemblance
	if fit == fitNear {
		r = newResemblance(m.q.name)
	}
	nameFields(t, func(f searchField) {
		name, near := foldName(f.text), 0.0
		switch {
		case r != nil:
			near = r.nearness(name, signatureOf(name), nearFrom)
		case strings.HasPrefix(name, m.q.name):
			near = float64(len(m.q.name)) / float64(len(name))
		}
		if near > most {
			best, most = f, near
		}
	})
	if most == 0 {
		return nil
	}
	var spans []span
	if r == nil {
		spans, _ = m.find(&best, make([]bool, len(m.q.items)))
	}
	return []SearchMatch{excerpt(best.pointer(), best.text, spans, span{})}
}

// find returns where in a field the items are, and which of these places is
// the first of an item that was not seen before, and is now; -1 for none.
func (m *searchMatcher) find(f *searchField, seen []bool) (spans []span, news int) {
	news = -1
	for i := range m.q.items {
		it := &m.q.items[i]
		prefix := !it.whole && (f.tier() == tierName || len(it.words[0]) >= shortWord)
		n := len(spans)
		if spans = m.item(spans, f.text, it, prefix); len(spans) == n || seen[i] {
			continue
		}
		seen[i] = true
		if news < 0 {
			news = n
		}
	}
	return spans, news
}

// item appends where one item is.
func (m *searchMatcher) item(spans []span, text string, it *searchItem, prefix bool) []span {
	var run []span // where the first words of a phrase are, which may go on
	var at []int   // how many of its words
	for m.scan.reset(text); m.scan.next(); {
		here := span{m.scan.start, m.scan.end}
		if len(it.words) == 1 {
			if string(m.scan.word) == it.words[0] || prefix && bytes.HasPrefix(m.scan.word, []byte(it.words[0])) {
				spans = append(spans, here)
			}
			continue
		}
		run, at = append(run, span{here.start, here.start}), append(at, 0)
		kept := 0
		for i := range run {
			if string(m.scan.word) != it.words[at[i]] {
				continue
			}
			run[i].end = here.end
			if at[i]++; at[i] == len(it.words) {
				spans = append(spans, run[i])
				continue
			}
			run[kept], at[kept] = run[i], at[i]
			kept++
		}
		run, at = run[:kept], at[:kept]
	}
	return spans
}

// excerpt shows a text, or the part of it around one of the spans, on one line.
func excerpt(field, text string, spans []span, about span) SearchMatch {
	from, to := 0, len(text)
	if utf8.RuneCountInString(text) > excerptSize {
		from = wordStart(text, about.start-excerptLead)
		to = wordEnd(text, from, max(about.end, from))
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	e := excerptWriter{}
	if from > 0 {
		e.put("… ")
	}
	e.text(text, from, to, spans)
	switch {
	case to == len(text):
	case e.space:
		e.put("…")
	default:
		e.put(" …")
	}
	return SearchMatch{Field: field, Text: strings.TrimRight(e.b.String(), " "), Marks: e.marks}
}

// wordStart returns where the word begins that is at or before a place.
func wordStart(text string, at int) int {
	if at <= 0 {
		return 0
	}
	if i := strings.LastIndexFunc(text[:at], unicode.IsSpace); i >= 0 && at-i < excerptLead {
		_, n := utf8.DecodeRuneInString(text[i:])
		return i + n
	}
	for !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

// wordEnd returns the end of an excerpt that begins at from and has what ends
// at least at least.
func wordEnd(text string, from, least int) int {
	end, n := len(text), 0
	for i := range text[from:] {
		if n == excerptSize {
			end = from + i
			break
		}
		n++
	}
	if end == len(text) {
		return end
	}
	if i := strings.LastIndexFunc(text[from:end], unicode.IsSpace); i > 0 && from+i > least {
		return from + i
	}
	if least > end+excerptSize { // a phrase with a page of dashes in it
		return end
	}
	return max(end, least)
}

// excerptWriter writes an excerpt and where its marks are.
type excerptWriter struct {
	b     strings.Builder
	n     int // characters written
	space bool
	marks []Mark
}

func (e *excerptWriter) put(s string) {
	e.b.WriteString(s)
	e.n += utf8.RuneCountInString(s)
	e.space = strings.HasSuffix(s, " ")
}

// text writes text from one place to another; white space becomes one space.
func (e *excerptWriter) text(text string, from, to int, spans []span) {
	end := -1 // of the open mark
	for i := from; i < to; {
		r, size := utf8.DecodeRuneInString(text[i:])
		for len(spans) > 0 && spans[0].start <= i {
			if spans[0].start == i && end < 0 && spans[0].end <= to {
				end = spans[0].end
				e.marks = append(e.marks, Mark{Start: e.n})
			}
			spans = spans[1:]
		}
		if unicode.IsSpace(r) {
			if !e.space && i > from {
				e.put(" ")
			}
		} else {
			e.put(text[i : i+size])
		}
		if i += size; end >= 0 && i >= end {
			e.marks[len(e.marks)-1].End, end = e.n, -1
		}
	}
}

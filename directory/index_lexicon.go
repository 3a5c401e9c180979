package directory

import (
	"encoding/binary"
	"slices"
	"sort"
	"strings"
)

// posting says that a word is in a document: 16 bits for the number of the
// document within its block, 5 for the zone, 11 for how often.
type posting uint32

// maxCount is the most often that one posting can say; a word that is there
// more often has several.
const maxCount = 1<<11 - 1

func newPosting(doc uint16, z zone, count int) posting {
	return posting(doc)<<16 | posting(z)<<11 | posting(count)
}

func (p posting) doc() uint16 { return uint16(p >> 16) }
func (p posting) zone() zone  { return zone(p >> 11 & 31) }
func (p posting) count() int  { return int(p & maxCount) }

// key orders postings: by document, then by zone.
func (p posting) key() uint32 { return uint32(p >> 11) }

// zone is a tier of text and the rank of the label on it: words of different
// zones are never taken for neighbours, so that a hidden text completes no
// phrase of an open one.
type zone uint8

func zoneOf(t tier, label TLP) zone { return zone(t)<<3 | zone(label.rank()) }

func (z zone) tier() tier  { return tier(z >> 3) }
func (z zone) rank() uint8 { return uint8(z & 7) }

// lexicon is every word of some documents with where it is. It is immutable
// and holds no pointers but these, however many words there are.
type lexicon struct {
	heads     []uint32  // the first four bytes of each word, by which most searches end
	text      string    // the words, sorted, one after the other
	textEnds  []uint32  // of each word
	postEnds  []uint32  // of each word in posts
	placeEnds []uint32  // of each word in places
	posts     []posting // sorted within a word
	places    []byte    // for each posting its places within the zone, as differences (varint)
}

func (l *lexicon) size() int { return len(l.textEnds) }

func endBefore(ends []uint32, i int) uint32 {
	if i == 0 {
		return 0
	}
	return ends[i-1]
}

func (l *lexicon) word(i int) string { return l.text[endBefore(l.textEnds, i):l.textEnds[i]] }

// headOf returns the first four bytes of a word as a number that sorts as the
// words do; what is missing is filled with fill.
func headOf(word string, fill byte) uint32 {
	b := [4]byte{fill, fill, fill, fill}
	copy(b[:], word)
	return binary.BigEndian.Uint32(b[:])
}

// run returns the places of the words whose first bytes lie between two numbers.
func (l *lexicon) run(low, high uint32) (from, to int) {
	from, _ = slices.BinarySearch(l.heads, low)
	if low == high {
		for to = from; to < len(l.heads) && l.heads[to] == low; to++ {
		}
		return from, to
	}
	to = from + sort.Search(len(l.heads)-from, func(i int) bool { return l.heads[from+i] > high })
	return from, to
}

// at returns the place of a word, or that where it would be.
func (l *lexicon) at(word string) (int, bool) {
	head := headOf(word, 0)
	from, to := l.run(head, head)
	i := from + sort.Search(to-from, func(i int) bool { return l.word(from+i) >= word })
	return i, i < to && l.word(i) == word
}

// behind returns the first place from i on whose word does not begin with
// prefix; i is that of prefix, or the one after it.
func (l *lexicon) behind(i int, prefix string) int {
	if len(prefix) < 4 {
		_, to := l.run(headOf(prefix, 0), headOf(prefix, 0xff))
		return max(i, to)
	}
	for i < l.size() && strings.HasPrefix(l.word(i), prefix) {
		i++
	}
	return i
}

// wordsAt is where the words of an item are in a lexicon.
type wordsAt struct {
	from, to int   // those that begin with the one asked for
	whole    bool  // the first of them is that one itself
	phrase   []int // instead: each word of a phrase; empty where one is missing
	postings int   // of all; of the rarest word of a phrase
}

// wordAt finds a word, and those that begin with it where prefix is true.
func (l *lexicon) wordAt(word string, prefix bool) wordsAt {
	at, whole := l.at(word)
	w := wordsAt{from: at, to: at, whole: whole}
	if whole {
		w.to++
	}
	if prefix {
		w.to = l.behind(w.to, word)
	}
	w.postings = len(l.postings(w.from, w.to))
	return w
}

// phraseAt finds all words of a phrase, with memory that it may use.
func (l *lexicon) phraseAt(memory []int, words []string) wordsAt {
	w := wordsAt{phrase: memory}
	for _, word := range words {
		at, ok := l.at(word)
		if !ok {
			return wordsAt{phrase: memory}
		}
		if n := len(l.postings(at, at+1)); w.postings == 0 || n < w.postings {
			w.postings = n
		}
		w.phrase = append(w.phrase, at)
	}
	return w
}

// postings returns those of the words from i to before j.
func (l *lexicon) postings(i, j int) []posting {
	if i >= j {
		return nil
	}
	return l.posts[endBefore(l.postEnds, i):l.postEnds[j-1]]
}

// entries returns the postings of one word with their places.
func (l *lexicon) entries(i int) postingReader {
	return postingReader{posts: l.postings(i, i+1), places: l.places[endBefore(l.placeEnds, i):l.placeEnds[i]]}
}

// postingReader reads postings together with their places.
type postingReader struct {
	posts  []posting
	places []byte
	post   int // the next one
	place  int // where its places begin
}

// next passes the next posting, and returns it with its places as they are stored.
func (r *postingReader) next() (posting, []byte) {
	p, from := r.posts[r.post], r.place
	r.pass()
	return p, r.places[from:r.place]
}

func (r *postingReader) pass() {
	to := r.place
	for left := r.posts[r.post].count(); left > 0; to++ {
		if r.places[to] < 0x80 { // the last byte of a varint
			left--
		}
	}
	r.post, r.place = r.post+1, to
}

func (r *postingReader) empty() bool { return r.post == len(r.posts) }

func (r *postingReader) key() uint32 { return r.posts[r.post].key() }

// lexiconWriter writes a lexicon, word by word in order. Its memory serves
// the next one too.
type lexiconWriter struct {
	text []byte
	l    lexicon
}

func (w *lexiconWriter) reset() {
	w.text = w.text[:0]
	l := &w.l
	l.heads, l.textEnds, l.postEnds, l.placeEnds = l.heads[:0], l.textEnds[:0], l.postEnds[:0], l.placeEnds[:0]
	l.posts, l.places = l.posts[:0], l.places[:0]
}

// end closes a word whose postings were added; without any, nothing happened.
func (w *lexiconWriter) end(word string) {
	l := &w.l
	if uint32(len(l.posts)) == endBefore(l.postEnds, len(l.postEnds)) {
		return
	}
	w.text = append(w.text, word...)
	l.heads = append(l.heads, headOf(word, 0))
	l.textEnds = append(l.textEnds, uint32(len(w.text)))
	l.postEnds = append(l.postEnds, uint32(len(l.posts)))
	l.placeEnds = append(l.placeEnds, uint32(len(l.places)))
}

func (w *lexiconWriter) add(p posting, places []byte) {
	w.l.posts = append(w.l.posts, p)
	w.l.places = append(w.l.places, places...)
}

// lexicon returns what was written, in no more memory than it needs.
func (w *lexiconWriter) lexicon() *lexicon {
	l := &w.l
	return &lexicon{
		heads: exact(l.heads), text: string(w.text), textEnds: exact(l.textEnds), postEnds: exact(l.postEnds), placeEnds: exact(l.placeEnds),
		posts: exact(l.posts), places: exact(l.places),
	}
}

func exact[T any](list []T) []T { return append(make([]T, 0, len(list)), list...) }

// merged returns l without the documents that are gone, and with those of
// fresh, which has none of l's others.
func (l *lexicon) merged(w *lexiconWriter, gone []bool, fresh *lexicon) *lexicon {
	w.reset()
	i, j := 0, 0
	for i < l.size() || j < fresh.size() {
		switch {
		case j == fresh.size() || i < l.size() && l.word(i) < fresh.word(j):
			w.keep(l.entries(i), gone)
			w.end(l.word(i))
			i++
		case i == l.size() || fresh.word(j) < l.word(i):
			w.keep(fresh.entries(j), nil)
			w.end(fresh.word(j))
			j++
		default:
			w.weave(l.entries(i), fresh.entries(j), gone)
			w.end(l.word(i))
			i, j = i+1, j+1
		}
	}
	return w.lexicon()
}

func isGone(gone []bool, p posting) bool { return int(p.doc()) < len(gone) && gone[p.doc()] }

// keep adds what is not gone. Nearly always that is all, in one piece.
func (w *lexiconWriter) keep(r postingReader, gone []bool) {
	if !slices.ContainsFunc(r.posts, func(p posting) bool { return isGone(gone, p) }) {
		w.l.posts = append(w.l.posts, r.posts...)
		w.l.places = append(w.l.places, r.places...)
		return
	}
	for !r.empty() {
		if p, places := r.next(); !isGone(gone, p) {
			w.add(p, places)
		}
	}
}

// weave adds the postings of both in order.
func (w *lexiconWriter) weave(old, fresh postingReader, gone []bool) {
	for !old.empty() || !fresh.empty() {
		if fresh.empty() || !old.empty() && old.key() <= fresh.key() {
			if p, places := old.next(); !isGone(gone, p) {
				w.add(p, places)
			}
			continue
		}
		p, places := fresh.next()
		w.add(p, places)
	}
}

// occurrence is one word at one place.
type occurrence struct {
	word  uint32 // its number
	place uint32
	doc   uint16
	zone  zone
}

// lexiconBuilder makes a lexicon of documents that come in the order of their
// numbers, each zone after zone. It keeps its memory for the next.
type lexiconBuilder struct {
	numbers map[string]uint32
	words   []string
	counts  []uint32 // per word: how often; later, where its occurrences go
	found   []occurrence
	sorted  []occurrence
}

func (b *lexiconBuilder) add(doc uint16, z zone, place uint32, word []byte) {
	n, ok := b.numbers[string(word)]
	if !ok {
		if b.numbers == nil {
			b.numbers = map[string]uint32{}
		}
		n = uint32(len(b.words))
		w := string(word)
		b.numbers[w], b.words, b.counts = n, append(b.words, w), append(b.counts, 0)
	}
	b.counts[n]++
	b.found = append(b.found, occurrence{n, place, doc, z})
}

// build returns the lexicon of what was added, and forgets it. Occurrences of
// one word are in order already, so that it takes no more than to deal them out.
func (b *lexiconBuilder) build(w *lexiconWriter) *lexicon {
	order := make([]uint32, len(b.words))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int { return strings.Compare(b.words[x], b.words[y]) })
	from := uint32(0)
	for _, n := range order {
		b.counts[n], from = from, from+b.counts[n]
	}
	b.sorted = slices.Grow(b.sorted[:0], len(b.found))[:len(b.found)]
	for _, o := range b.found {
		b.sorted[b.counts[o.word]] = o
		b.counts[o.word]++
	}
	w.reset()
	from = 0
	for _, n := range order {
		w.occurrences(b.sorted[from:b.counts[n]])
		w.end(b.words[n])
		from = b.counts[n]
	}
	clear(b.numbers)
	clear(b.words)
	b.words, b.counts, b.found = b.words[:0], b.counts[:0], b.found[:0]
	return w.lexicon()
}

// occurrences adds the postings of one word.
func (w *lexiconWriter) occurrences(list []occurrence) {
	for len(list) > 0 {
		first, n, before := list[0], 0, uint32(0)
		for n < len(list) && n < maxCount && list[n].doc == first.doc && list[n].zone == first.zone {
			w.l.places = binary.AppendUvarint(w.l.places, uint64(list[n].place-before))
			before = list[n].place
			n++
		}
		w.l.posts = append(w.l.posts, newPosting(first.doc, first.zone, n))
		list = list[n:]
	}
}

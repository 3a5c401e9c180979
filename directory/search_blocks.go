package directory

import (
	"cmp"
	"slices"
)

// searching is one search under way.
type searching struct {
	x     *Index
	q     *SearchQuery
	ask   *SearchAsk
	best  bestHits
	named bool // a hit has all words in its names

	always, ever uint8       // labels that the viewer sees of every team, and of some; see reach
	zones        [32]uint8   // for each zone that the viewer sees of every team, the bit of its tier
	shares       [32]float64 // what an item in a name counts, by the number of words in the names

	filter  filter
	b       *searchBlock
	docs    []docState  // of b, by number
	items   []itemPlace // where the items are in b; the order is that of the block before
	present []presence  // of each item, in that order, for each document
	phrase  phraseReader
}

// prepare fills what depends on the viewer and the search alone.
func (s *searching) prepare() {
	s.always, s.ever = s.ask.Viewer.reach()
	s.filter = newFilter(&s.ask.Filter, s.ask.Now)
	for z := range s.zones {
		if z := zone(z); z.rank() == 0 || s.always&(1<<z.rank()) != 0 {
			s.zones[z] = 1 << z.tier()
		}
	}
	for n := range s.shares {
		s.shares[n] = shareOf(len(s.q.items), uint16(n))
	}
}

// itemPlace is where one item of the search is in a block.
type itemPlace struct {
	*searchItem
	names, text wordsAt
	most        int // documents that can have it
}

// locate finds where an item is, and reports whether any document can have it.
func (it *itemPlace) locate(b *searchBlock) bool {
	word := it.words[0]
	if len(it.words) > 1 {
		it.names, it.text = b.names.phraseAt(it.names.phrase[:0], it.words), b.text.phraseAt(it.text.phrase[:0], it.words)
	} else {
		it.names, it.text = b.names.wordAt(word, !it.whole), b.text.wordAt(word, !it.whole && len(word) >= shortWord)
	}
	it.most = it.names.postings + it.text.postings
	return it.most > 0
}

// docState is what is known about one document while its block is searched.
type docState struct {
	got   uint8  // items found so far, in their order
	named uint8  // those of them that are in the names
	sees  uint8  // ranks of labels that the viewer sees here, a bit each; 0 is not known yet
	prose uint32 // words of prose that the viewer sees here, and one; 0 is not known yet
}

// presence is what is known about one item in one document.
type presence struct {
	forms uint8  // per tier a bit, shifted by 4 where the word only begins with it
	count uint32 // how often; read where it is in prose alone
}

// inNames are the forms of what is in a name.
const inNames = 1<<tierName | 1<<tierName<<4

// block finds the hits of one block.
func (s *searching) block(b *searchBlock) {
	if !s.match(b) {
		return
	}
	for n := range s.docs {
		d := &s.docs[n]
		if int(d.got) == len(s.q.items) {
			s.named = s.named || int(d.named) == len(s.q.items)
			s.hit(n)
		}
	}
}

// match fills docs for a block, and reports whether any document has all items
// and passes the filter. The filter is asked where the first item is, which is
// the rarest: documents that it does not take have none of the others.
func (s *searching) match(b *searchBlock) bool {
	s.b = b
	s.docs = slices.Grow(s.docs[:0], len(b.docs))[:len(b.docs)]
	clear(s.docs)
	if !s.locate(b) {
		return false
	}
	all := len(s.items) * len(b.docs)
	s.present = slices.Grow(s.present[:0], all)[:all]
	clear(s.present)
	have := len(b.docs)
	for n := range s.items {
		s.item(n, have)
		if have = s.settle(n); have == 0 {
			return false
		}
	}
	return true
}

// item finds an item in the documents that have those before, of which there
// are so many. Where all have it in their names, it is the same to all what
// else they say.
func (s *searching) item(n, have int) {
	it := &s.items[n]
	s.look(s.b.names, &it.names, n, have)
	if it.names.postings < have || s.found(n) < have {
		s.look(s.b.text, &it.text, n, have)
	}
}

func (s *searching) look(l *lexicon, at *wordsAt, item, have int) {
	if len(s.items[item].words) > 1 {
		s.follow(l, at.phrase, item)
	} else {
		s.word(l, at, item, have)
	}
}

// presenceOf returns what is known of an item, by document.
func (s *searching) presenceOf(item int) []presence {
	return s.present[item*len(s.docs):][:len(s.docs)]
}

// found returns in how many documents an item was found so far.
func (s *searching) found(item int) (have int) {
	present := s.presenceOf(item)
	for n := range present {
		if present[n].forms != 0 {
			have++
		}
	}
	return have
}

// locate finds the places of all items in a block, and puts the rarest first,
// which spares most of what the others would cost. It reports whether all are
// there. An item that is not is likely to be missing in the next block as well,
// and asked first there.
func (s *searching) locate(b *searchBlock) bool {
	if s.items == nil {
		for i := range s.q.items {
			s.items = append(s.items, itemPlace{searchItem: &s.q.items[i]})
		}
	}
	for n := range s.items {
		if !s.items[n].locate(b) {
			s.items[0], s.items[n] = s.items[n], s.items[0]
			return false
		}
	}
	slices.SortStableFunc(s.items, func(a, b itemPlace) int { return cmp.Compare(a.most, b.most) })
	return true
}

// word counts a word, and those that begin with it, in the documents that have
// the items before, of which there are so many.
func (s *searching) word(l *lexicon, at *wordsAt, item, have int) {
	from := at.from
	if at.whole {
		if list := l.postings(from, from+1); have*sparse < len(list) {
			s.tallyFew(list, item)
		} else {
			s.tally(list, item, 0)
		}
		from++
	}
	s.tally(l.postings(from, at.to), item, 4)
}

// sparse is how many postings are passed in the time in which one is searched.
const sparse = 8

// tallyFew is tally for a single word that far more documents have than are
// asked about.
func (s *searching) tallyFew(list []posting, item int) {
	for n := range s.docs {
		if int(s.docs[n].got) != item {
			continue
		}
		first := newPosting(uint16(n), 0, 0)
		i, _ := slices.BinarySearch(list, first)
		end := i
		for end < len(list) && list[end].doc() == uint16(n) {
			end++
		}
		s.tally(list[i:end], item, 0)
		list = list[end:]
	}
}

// tally counts postings, of words as they were asked for or, with a shift of
// 4, that only begin so.
func (s *searching) tally(list []posting, item, shift int) {
	docs, present := s.docs, s.presenceOf(item)
	for _, p := range list {
		doc := p.doc()
		if int(docs[doc].got) != item {
			continue
		}
		bit := s.zones[p.zone()]
		if bit == 0 {
			if bit = s.bit(doc, p.zone()); bit == 0 {
				continue
			}
		}
		f := &present[doc]
		f.forms |= bit << shift
		f.count += uint32(p.count())
	}
}

// bit returns the bit of the tier of a zone of a document, 0 where the viewer
// does not see it.
func (s *searching) bit(doc uint16, z zone) uint8 {
	if bit := s.zones[z]; bit != 0 || s.ever&(1<<z.rank()) == 0 || !s.sees(doc, z) {
		return bit
	}
	return 1 << z.tier()
}

// sees reports whether the viewer sees what is in a zone of a document. Most
// viewers see the same labels of all teams.
func (s *searching) sees(doc uint16, z zone) bool {
	bit := uint8(1) << z.rank()
	switch {
	case s.always&bit != 0:
		return true
	case s.ever&bit == 0:
		return false
	}
	d := &s.docs[doc]
	if d.sees == 0 {
		d.sees = 1
		for rank, label := range labels {
			if rank > 0 && s.ask.Viewer.Sees(label, s.b.docs[doc].team) {
				d.sees |= 1 << rank
			}
		}
	}
	return d.sees&bit != 0
}

// follow counts where words follow one another.
func (s *searching) follow(l *lexicon, words []int, item int) {
	if len(words) == 0 {
		return
	}
	present := s.presenceOf(item)
	s.phrase.reset(l, words)
	for key, ok := s.phrase.meet(0); ok; key, ok = s.phrase.meet(key + 1) {
		at := posting(key << 11)
		doc, bit := at.doc(), uint8(0)
		f := &present[doc]
		if int(s.docs[doc].got) != item || f.forms&inNames != 0 {
			continue
		}
		if bit = s.bit(doc, at.zone()); bit == 0 {
			continue
		}
		if n := s.phrase.count(key); n > 0 {
			f.forms |= bit
			f.count += uint32(n)
		}
	}
}

// settle counts the item that was just looked for, and returns how many
// documents have it.
func (s *searching) settle(item int) (have int) {
	present := s.presenceOf(item)
	for n := range s.docs {
		d, forms := &s.docs[n], present[n].forms
		if forms == 0 || item == 0 && !s.takes(n) {
			continue
		}
		have++
		d.got++
		if forms&inNames != 0 {
			d.named++
		}
	}
	return have
}

package directory

import (
	"cmp"
	"math/bits"
	"slices"
)

// searching is one search under way.
type searching struct {
	x     *Index
	q     *SearchQuery
	ask   *SearchAsk
	best  bestHits
	named bool // a hit has all words in its names

	always, ever uint8 // labels that the viewer sees of every team, and of some; see reach

	filter filter
	b      *searchBlock
	docs   []docState  // of b, by number
	items  []itemPlace // where the items are in b; the order is that of the block before
	phrase phraseReader
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
	got   uint8 // items found so far, in their order
	named uint8 // those of them that are in the names
	forms uint8 // of the present item: per tier a bit, shifted by 4 where the word only begins with it
	sees  uint8 // ranks of labels that the viewer sees here, a bit each; 0 is not known yet
	count uint32
	prose uint32 // words of prose that the viewer sees here, and one; 0 is not known yet
	score float64
}

// block finds the hits of one block.
func (s *searching) block(b *searchBlock) {
	if !s.match(b) {
		return
	}
	for n := range s.docs {
		d := &s.docs[n]
		if int(d.got) != len(s.q.items) || !s.takes(n) {
			continue
		}
		fit, score := s.fit(n)
		s.named = s.named || int(d.named) == len(s.q.items)
		s.add(n, fit, score)
	}
}

// match fills docs for a block, and reports whether any document has all items.
func (s *searching) match(b *searchBlock) bool {
	s.b = b
	s.docs = slices.Grow(s.docs[:0], len(b.docs))[:len(b.docs)]
	clear(s.docs)
	if !s.locate(b) {
		return false
	}
	have := len(b.docs)
	for n := range s.items {
		it := &s.items[n]
		if len(it.words) == 1 {
			s.word(b.names, it.names, uint8(n), have)
			s.word(b.text, it.text, uint8(n), have)
		} else {
			s.follow(b.names, it.names.phrase, uint8(n))
			s.follow(b.text, it.text.phrase, uint8(n))
		}
		if have = s.settle(uint8(n)); have == 0 {
			return false
		}
	}
	return true
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
func (s *searching) word(l *lexicon, at wordsAt, item uint8, have int) {
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
func (s *searching) tallyFew(list []posting, item uint8) {
	for n := range s.docs {
		if s.docs[n].got != item {
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
func (s *searching) tally(list []posting, item, shift uint8) {
	for _, p := range list {
		d := &s.docs[p.doc()]
		z := p.zone()
		if d.got != item || z.rank() > 0 && !s.sees(p.doc(), z) {
			continue
		}
		d.forms |= 1 << z.tier() << shift
		if z.tier() == tierProse {
			d.count += uint32(p.count())
		}
	}
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
func (s *searching) follow(l *lexicon, words []int, item uint8) {
	if len(words) == 0 {
		return
	}
	want := func(doc uint16, z zone) bool { return s.docs[doc].got == item && (z.rank() == 0 || s.sees(doc, z)) }
	s.phrase.read(l, words, want, func(doc uint16, z zone, count int) {
		d := &s.docs[doc]
		d.forms |= 1 << z.tier()
		if z.tier() == tierProse {
			d.count += uint32(count)
		}
	})
}

// settle scores the item that was just looked for, and returns how many
// documents have it.
func (s *searching) settle(item uint8) (have int) {
	for n := range s.docs {
		d := &s.docs[n]
		if d.got != item || d.forms == 0 {
			continue
		}
		have++
		d.got++
		d.score += exactly(s.weigh(uint16(n)))
		if d.forms&(1<<tierName|1<<tierName<<4) != 0 {
			d.named++
		}
		d.forms, d.count = 0, 0
	}
	return have
}

// exactly rounds the weight of an item, so that the sum of some is the same in
// any order of adding.
func exactly(weight float64) float64 {
	const steps = 1 << 44 // and 4 bits for 16 items are less than the 53 of a float64
	return float64(int64(weight*steps+0.5)) / steps
}

// The weights of the tiers. A word that only begins with the one asked for
// counts four fifths, which keeps it above the next tier.
const (
	weightName         = 1.0
	weightHost         = 0.6
	weightConstituency = 0.4
	weightProse        = 0.2
	weightPrefix       = 0.8
)

// weigh returns what one item is worth in a document, from 0 to 1: the weight
// of the best tier it is in. In a name it counts more the less else is in the
// names; in prose as BM25 has it, for a usual length that is a constant, since
// that of all teams would tell of hidden ones.
func (s *searching) weigh(n uint16) float64 {
	doc, d := &s.b.docs[n], &s.docs[n]
	best := tier(bits.Len8((d.forms|d.forms>>4)&0xf) - 1)
	form := 1.0
	if d.forms&(1<<best) == 0 {
		form = weightPrefix
	}
	switch best {
	case tierName:
		return form * weightName * (0.85 + 0.15*min(1, float64(len(s.q.items))/float64(doc.words)))
	case tierHost:
		return form * weightHost
	case tierConstituency:
		return form * weightConstituency
	}
	return form * weightProse * (0.5 + 0.5*saturated(float64(d.count), float64(s.proseOf(n))))
}

// proseOf returns how many words of prose the viewer sees of a document.
func (s *searching) proseOf(n uint16) uint32 {
	d := &s.docs[n]
	if d.prose == 0 {
		d.prose = 1
		for rank, words := range s.b.docs[n].prose {
			if words > 0 && (rank == 0 || s.sees(n, zone(rank))) {
				d.prose += words
			}
		}
	}
	return d.prose - 1
}

// saturated is the part of BM25 that grows with how often a word is in a text,
// with its usual constants, from 0 to below 1.
func saturated(count, length float64) float64 {
	const k, b, usual = 1.2, 0.75, 300
	return count / (count + k*(1-b+b*length/usual))
}

// fit decides how well a team that has all items fits.
func (s *searching) fit(n int) (uint8, float64) {
	d := &s.docs[n]
	if int(d.named) == len(s.q.items) {
		switch share := s.b.longestShare(n, s.q.name); {
		case share == 1:
			return fitExact, 1
		case share > 0:
			return fitPrefix, share
		}
	}
	return fitWords, d.score / float64(len(s.q.items))
}

func (s *searching) add(n int, fit uint8, score float64) {
	doc := &s.b.docs[n]
	s.best.add(found{doc.entry, doc.handle, doc.begin, fit, score})
}

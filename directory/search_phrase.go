package directory

import "encoding/binary"

// phraseReader finds where the words of a phrase follow one another. Only
// where all of them are in the same text are places read. It keeps its memory.
type phraseReader struct {
	words       []postingReader
	found, next []uint32
}

// read calls found for each document and zone that want takes and that have
// the phrase, with how often.
func (p *phraseReader) read(l *lexicon, words []int, want func(uint16, zone) bool, found func(doc uint16, z zone, count int)) {
	p.words = p.words[:0]
	for _, at := range words {
		p.words = append(p.words, l.entries(at))
	}
	for key, ok := p.meet(0); ok; key, ok = p.meet(key + 1) {
		at := posting(key << 11)
		if !want(at.doc(), at.zone()) {
			continue
		}
		if n := p.count(key); n > 0 {
			found(at.doc(), at.zone(), n)
		}
	}
}

// meet moves all words on to the first key they share, from one on.
func (p *phraseReader) meet(key uint32) (uint32, bool) {
	for i, together := -1, 0; together < len(p.words); {
		if i++; i == len(p.words) {
			i = 0
		}
		switch at, ok := p.words[i].skip(key); {
		case !ok:
			return 0, false
		case at > key:
			key, together = at, 1
		default:
			together++
		}
	}
	return key, true
}

// count returns how often the phrase is where all words are.
func (p *phraseReader) count(key uint32) int {
	p.found = p.words[0].take(p.found[:0], key)
	for n := 1; n < len(p.words) && len(p.found) > 0; n++ {
		p.next = p.words[n].take(p.next[:0], key)
		p.found = followed(p.found, p.next, uint32(n))
	}
	return len(p.found)
}

// skip passes postings before key, and returns that of the next one.
func (r *postingReader) skip(key uint32) (uint32, bool) {
	for !r.empty() {
		if at := r.key(); at >= key {
			return at, true
		}
		r.next()
	}
	return 0, false
}

// take reads the places of the postings of one key. A word that is there more
// often than one posting can say has several, each of which counts from 0.
func (r *postingReader) take(dst []uint32, key uint32) []uint32 {
	for ; !r.empty() && r.key() == key; r.post++ {
		at := uint32(0)
		for range r.posts[r.post].count() {
			if b := r.places[r.place]; b < 0x80 { // nearly always
				at, r.place = at+uint32(b), r.place+1
			} else {
				d, n := binary.Uvarint(r.places[r.place:])
				at, r.place = at+uint32(d), r.place+n
			}
			dst = append(dst, at)
		}
	}
	return dst
}

// followed keeps those of all that have one of next behind them, at a
// distance. Both are in order.
func followed(all, next []uint32, distance uint32) []uint32 {
	kept, j := all[:0], 0
	for _, at := range all {
		for j < len(next) && next[j] < at+distance {
			j++
		}
		if j < len(next) && next[j] == at+distance {
			kept = append(kept, at)
		}
	}
	return kept
}

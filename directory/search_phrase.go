package directory

import "encoding/binary"

// phraseReader finds where the words of a phrase follow one another. Only
// where all of them are in the same text are places read. It keeps its memory.
type phraseReader struct {
	words []postingReader
	marks []uint32 // per place, where the phrase may begin: the last mark it was given
	mark  uint32   // the last one that was given
}

// reset begins with the words of a lexicon.
func (p *phraseReader) reset(l *lexicon, words []int) {
	p.words = p.words[:0]
	for _, at := range words {
		p.words = append(p.words, l.entries(at))
	}
}

// meet moves all words on to the first key they share, from one on.
func (p *phraseReader) meet(key uint32) (uint32, bool) {
	for i, together := 0, 0; together < len(p.words); i++ {
		if i == len(p.words) {
			i = 0
		}
		r := &p.words[i]
		if !r.skip(key) {
			return 0, false
		}
		if at := r.key(); at > key {
			key, together = at, 0
		}
		together++
	}
	return key, true
}

// skip passes postings before key, and reports whether there is another one.
func (r *postingReader) skip(key uint32) bool {
	for ; r.post < len(r.posts); r.pass() {
		if r.key() >= key {
			return true
		}
	}
	return false
}

// count returns how often the phrase is where all words are. Word after word
// marks the places where the phrase would begin, if the word before did.
func (p *phraseReader) count(key uint32) int {
	if p.once() {
		return p.single()
	}
	p.mark++
	n := p.words[0].begin(p, key)
	for i := 1; i < len(p.words) && n > 0; i++ {
		p.mark++
		n = p.words[i].follow(p, key, uint32(i))
	}
	return n
}

// once reports whether each word is there once, as nearly always in names.
func (p *phraseReader) once() bool {
	for i := range p.words {
		if r := &p.words[i]; r.posts[r.post].count() != 1 {
			return false
		}
	}
	return true
}

// single is count where each word is there once.
func (p *phraseReader) single() int {
	first, _ := p.words[0].placeAt(p.words[0].place)
	for i := 1; i < len(p.words); i++ {
		if at, _ := p.words[i].placeAt(p.words[i].place); at != first+uint32(i) {
			return 0
		}
	}
	return 1
}

// placeAt reads the difference that is stored at i, and returns what is behind it.
func (r *postingReader) placeAt(i int) (uint32, int) {
	if b := r.places[i]; b < 0x80 { // nearly always
		return uint32(b), i + 1
	}
	d, n := binary.Uvarint(r.places[i:])
	return uint32(d), i + n
}

// begin marks the places of the postings of one key, and returns how many
// there are. A word that is there more often than one posting can say has
// several, each of which counts from 0.
func (r *postingReader) begin(p *phraseReader, key uint32) (n int) {
	for ; r.post < len(r.posts) && r.key() == key; r.post++ {
		at, d := uint32(0), uint32(0)
		for range r.posts[r.post].count() {
			d, r.place = r.placeAt(r.place)
			if at += d; int(at) >= len(p.marks) {
				p.marks = append(p.marks, make([]uint32, int(at)+256-len(p.marks))...)
			}
			p.marks[at] = p.mark
			n++
		}
	}
	return n
}

// follow marks the places, so far before those of the postings of one key,
// that the word before has marked, and returns how many there are.
func (r *postingReader) follow(p *phraseReader, key, distance uint32) (n int) {
	marks, before := p.marks, p.mark-1
	for ; r.post < len(r.posts) && r.key() == key; r.post++ {
		at, d := -distance, uint32(0) // below 0 is behind all marks
		for range r.posts[r.post].count() {
			d, r.place = r.placeAt(r.place)
			if at += d; at < uint32(len(marks)) && marks[at] == before {
				marks[at] = p.mark
				n++
			}
		}
	}
	return n
}

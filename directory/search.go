package directory

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// SearchFit says how well a team fits a search. A near team is a candidate
// and nothing more: never to be taken without asking.
type SearchFit string

// The ways of fitting, from best to worst.
const (
	ExactName  SearchFit = "exact"  // the search is a name or the handle of the team
	PrefixName SearchFit = "prefix" // a name begins with the search
	AllWords   SearchFit = "words"  // every word is in a text of the team
	NearName   SearchFit = "near"   // not all words are there, and a name looks like the search
)

// exactnesses in their order.
var exactnesses = [...]SearchFit{ExactName, PrefixName, AllWords, NearName}

// The numbers of exactnesses.
const (
	fitExact uint8 = iota
	fitPrefix
	fitWords
	fitNear
)

// SearchAsk is who searches, and what part of the hits is wanted.
type SearchAsk struct {
	Viewer Principal
	Filter Filter
	Now    time.Time
	Limit  int          // hits on the page: 1 to 100; 0 is 20
	After  SearchCursor // zero: from the first hit on
}

// maxHits is the largest page of a search.
const maxHits = 100

// Hit is one team that a search found.
type Hit struct {
	Team      Team // as the viewer sees it
	Exactness SearchFit
	Score     float64       // above 0 and up to 1; compares hits of one exactness
	Matches   []SearchMatch // where it was found, the most telling first
}

// SearchResult is one page of what a search found.
type SearchResult struct {
	Hits  []Hit  // by exactness, then score, then handle
	Total int    // on all pages
	Next  string // for [ParseSearchCursor]: where the next page begins; "" on the last
	Seq   int64  // the change that the index had reached
}

// SearchCursor is the place behind a hit. It holds no state of the server, and
// stays good when teams change meanwhile.
type SearchCursor struct {
	set bool
	hit found
}

// found is a hit before it is shown.
type found struct {
	entry  *entry // nil in a cursor
	handle Handle
	begin  uint64 // of handle
	fit    uint8
	score  float64
}

// before reports whether a comes before b in a result.
func (a *found) before(b *found) bool {
	switch {
	case a.fit != b.fit:
		return a.fit < b.fit
	case a.score != b.score:
		return a.score > b.score
	case a.begin != b.begin:
		return a.begin < b.begin
	}
	return a.handle < b.handle
}

// String returns the cursor in the form that [ParseSearchCursor] reads.
func (c SearchCursor) String() string {
	if !c.set {
		return ""
	}
	b := binary.BigEndian.AppendUint64([]byte{c.hit.fit}, math.Float64bits(c.hit.score))
	return base64.RawURLEncoding.EncodeToString(append(b, c.hit.handle...))
}

// ParseSearchCursor parses what [SearchResult] gave as Next; "" is the
// beginning.
func ParseSearchCursor(s string) (SearchCursor, error) {
	if s == "" {
		return SearchCursor{}, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && len(b) > 9 {
		h := Handle(b[9:])
		c := SearchCursor{true, found{fit: b[0], score: math.Float64frombits(binary.BigEndian.Uint64(b[1:9])), handle: h, begin: beginOf(h)}}
		_, err = ParseHandle(string(c.hit.handle))
		if err == nil && c.hit.fit <= fitNear && c.hit.score > 0 && c.hit.score <= 1 && c.String() == s {
			return c, nil
		}
	}
	return SearchCursor{}, problem("search.after", s, "not the end of a page of a search", "the next of the page before, as it was given")
}

// Search finds the teams in which every word of q is, in names, host
// organisation, constituency or RFC 2350 prose, best first. Only what the
// viewer may see is searched, so that neither hits nor their order nor their
// number tell of anything else; a score depends on the search and on what is
// seen of that one team, and on no other team.
//
// Where no name fits, teams whose names look like the search follow as
// candidates. A nil index is the error unavailable.
func (x *Index) Search(q SearchQuery, ask SearchAsk) (SearchResult, error) {
	if x == nil {
		return SearchResult{}, &Error{Kind: Unavailable, Op: "search"}
	}
	limit := ask.Limit
	if limit <= 0 {
		limit = 20
	}
	s := searching{x: x, q: &q, ask: &ask, best: bestHits{limit: min(limit, maxHits), after: ask.After}}
	s.always, s.ever = ask.Viewer.reach()
	s.filter = newFilter(&ask.Filter, ask.Now)
	if len(q.items) > 0 && x.search != nil {
		s.blocks()
		if !s.named {
			s.near()
		}
	}
	r := SearchResult{Total: s.best.total, Seq: x.seq, Hits: make([]Hit, len(s.best.list))}
	for i, f := range s.best.list {
		t := Redact(f.entry.team, ask.Viewer)
		r.Hits[i] = Hit{Team: t, Exactness: exactnesses[f.fit], Score: f.score, Matches: q.matches(&t, f.fit)}
	}
	if n := len(s.best.list); s.best.left > n {
		r.Next = SearchCursor{true, s.best.list[n-1]}.String()
	}
	return r, nil
}

// bestHits keeps the first hits of a page while all of them come by.
type bestHits struct {
	limit       int
	after       SearchCursor
	list        []found
	total, left int // all hits, and those behind after
}

func (b *bestHits) add(f found) {
	b.total++
	if b.after.set && !b.after.hit.before(&f) {
		return
	}
	b.left++
	if len(b.list) == b.limit && !f.before(&b.list[b.limit-1]) {
		return
	}
	at, _ := slices.BinarySearchFunc(b.list, f, func(a, b found) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	if len(b.list) == b.limit {
		b.list = b.list[:b.limit-1]
	}
	b.list = slices.Insert(b.list, at, f)
}

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
	docs   []docState // of b, by number
	spots  [2][]uint64
	places []int // of the words of a phrase in a lexicon
}

// docState is what is known about one document while its block is searched.
type docState struct {
	got   uint8 // items found so far, in their order
	named uint8 // those of them that are in the names
	forms uint8 // of the present item: per tier a bit, shifted by 4 where the word only begins with it
	sees  uint8 // ranks of labels that the viewer sees here, a bit each; 0 is not known yet
	count uint32
	score float64
}

// together is how many teams one processor searches by itself: below that, to
// bring in another costs more than it saves.
const together = 4096

// blocks finds the hits of all blocks, on as many processors as it is worth.
func (s *searching) blocks() {
	teams := 0
	for _, b := range s.x.search.blocks {
		if b != nil {
			teams += len(b.docs)
		}
	}
	others := make([]searching, max(0, min(runtime.GOMAXPROCS(0), 1+teams/together)-1))
	var next atomic.Int64
	work := func(w *searching) {
		for i := next.Add(1) - 1; i < searchBlocks; i = next.Add(1) - 1 {
			if b := w.x.search.blocks[i]; b != nil {
				w.block(b)
			}
		}
	}
	var workers sync.WaitGroup
	for i := range others {
		w := &others[i]
		*w = searching{x: s.x, q: s.q, ask: s.ask, best: s.best, always: s.always, ever: s.ever, filter: s.filter}
		workers.Go(func() { work(w) })
	}
	work(s)
	workers.Wait()
	for i := range others {
		s.named = s.named || others[i].named
		s.best.merge(&others[i].best)
	}
}

// merge takes in the hits of another part.
func (b *bestHits) merge(other *bestHits) {
	total, left := b.total+other.total, b.left+other.left
	for _, f := range other.list {
		b.add(f)
	}
	b.total, b.left = total, left
}

// possible reports whether each item has a word in the block at all. Nearly all
// searches for a name are done with a block then.
func (s *searching) possible(b *searchBlock) bool {
	for i := range s.q.items {
		it := &s.q.items[i]
		for _, w := range it.words {
			if !b.names.has(w, !it.whole) && !b.text.has(w, !it.whole && len(w) >= shortWord) {
				return false
			}
		}
	}
	return true
}

// block finds the hits of one block.
func (s *searching) block(b *searchBlock) {
	if !s.possible(b) {
		return
	}
	s.match(b)
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

// match fills docs for a block.
func (s *searching) match(b *searchBlock) {
	s.b = b
	s.docs = slices.Grow(s.docs[:0], len(b.docs))[:len(b.docs)]
	clear(s.docs)
	for i := range s.q.items {
		it := &s.q.items[i]
		if len(it.words) == 1 {
			s.word(b.names, it.words[0], uint8(i), !it.whole)
			s.word(b.text, it.words[0], uint8(i), !it.whole && len(it.words[0]) >= shortWord)
		} else {
			s.phrase(b.names, it.words, uint8(i))
			s.phrase(b.text, it.words, uint8(i))
		}
		if !s.settle(uint8(i)) {
			return
		}
	}
}

// word counts a word, and those that begin with it where prefix is true.
func (s *searching) word(l *lexicon, word string, item uint8, prefix bool) {
	at, ok := l.at(word)
	if ok {
		s.tally(l.postings(at, at+1), item, 0)
		at++
	}
	if prefix {
		s.tally(l.postings(at, l.behind(at, word)), item, 4)
	}
}

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

// phrase counts where words follow one another.
func (s *searching) phrase(l *lexicon, words []string, item uint8) {
	s.places = s.places[:0]
	for _, w := range words {
		at, ok := l.at(w)
		if !ok {
			return
		}
		s.places = append(s.places, at)
	}
	want := func(doc uint16, z zone) bool { return s.docs[doc].got == item && (z.rank() == 0 || s.sees(doc, z)) }
	all := l.spots(s.spots[0][:0], s.places[0], want)
	for n, at := range s.places[1:] {
		s.spots[1] = l.spots(s.spots[1][:0], at, want)
		all = followed(all, s.spots[1], uint64(n+1))
	}
	s.spots[0] = all
	for _, at := range all {
		p := posting(at >> 32 << 11)
		d := &s.docs[p.doc()]
		d.forms |= 1 << p.zone().tier()
		if p.zone().tier() == tierProse {
			d.count++
		}
	}
}

// followed keeps those of all that have one of next behind them, at a
// distance. Both are in order.
func followed(all, next []uint64, distance uint64) []uint64 {
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

// settle scores the item that was just looked for, and reports whether any
// document has it.
func (s *searching) settle(item uint8) bool {
	some := false
	for n := range s.docs {
		d := &s.docs[n]
		if d.got != item || d.forms == 0 {
			continue
		}
		some = true
		d.got++
		d.score += s.weigh(uint16(n))
		if d.forms&(1<<tierName|1<<tierName<<4) != 0 {
			d.named++
		}
		d.forms, d.count = 0, 0
	}
	return some
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
	best := tierName
	for d.forms&(0x11<<best) == 0 {
		best--
	}
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
	length := uint32(0)
	for rank, words := range doc.prose {
		if words > 0 && (rank == 0 || s.sees(n, zone(rank))) {
			length += words
		}
	}
	return form * weightProse * (0.5 + 0.5*saturated(float64(d.count), float64(length)))
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

// filter is a [Filter] made ready for facts.
type filter struct {
	*Filter
	sectors, kinds uint32
	state          uint8
	now            int64
	plain          bool // it asks for words outside of the vocabularies, which facts do not know
}

func newFilter(f *Filter, now time.Time) filter {
	list := func(w Word) []Word {
		if w == "" {
			return nil
		}
		return []Word{w}
	}
	sectors, knownSector := bitsOf(list(f.Sector), Sectors)
	kinds, knownKind := bitsOf(list(f.Kind), Kinds)
	state := slices.Index(states[:], f.State)
	return filter{f, sectors, kinds, uint8(max(state, 0)), nanoseconds(now), !knownSector || !knownKind || state < 0 && f.State != ""}
}

// takes reports whether a team passes the filter, as [Filter.Takes] does for
// the team as the viewer sees it.
func (s *searching) takes(n int) bool {
	f, doc := &s.filter, &s.b.docs[n]
	switch {
	case f.plain:
		t := Redact(doc.team, s.ask.Viewer)
		return f.Takes(&t, s.x.options.Policy, s.ask.Now)
	case f.Country != "" && doc.country != f.Country, f.sectors&^doc.sectors != 0, f.kinds&^doc.kinds != 0,
		f.Forum != "" && !doc.team.inForum(f.Forum):
		return false
	case f.State == "":
		return true
	}
	return s.b.state(n, f.state, f.now, func(rank uint8) bool { return s.sees(uint16(n), zone(rank)) })
}

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
	s.prepare()
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

// behind counts a hit that is behind the last of the page, whatever its handle,
// and reports whether it is. Its score may be a bound.
func (b *bestHits) behind(fit uint8, score float64) bool {
	if b.after.set || len(b.list) < b.limit {
		return false
	}
	last := &b.list[b.limit-1]
	if fit < last.fit || fit == last.fit && score >= last.score {
		return false
	}
	b.total++
	b.left++
	return true
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
		*w = searching{x: s.x, q: s.q, ask: s.ask, best: s.best, always: s.always, ever: s.ever, zones: s.zones, shares: s.shares, filter: s.filter}
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

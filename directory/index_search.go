package directory

import (
	"cmp"
	"hash/maphash"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// searchBlocks is into how many blocks the teams are dealt. An edit makes one
// block anew, and a search asks all: with 100,000 teams a block holds some
// 200, and both take a millisecond or two.
const searchBlocks = 512

// searchIndex holds the words of all live teams. It is immutable.
type searchIndex struct {
	seed   maphash.Seed
	blocks [searchBlocks]*searchBlock // nil where there is no team
}

// searchBlock holds the words of some teams.
type searchBlock struct {
	docs  []searchDoc // by number; those of teams that went are empty
	names *lexicon
	text  *lexicon // everything but the names

	nameText []byte // the folded names of all, one after the other
	nameEnds []uint32
	moments  []moment // of all contacts
}

// searchDoc is a team as a document.
type searchDoc struct {
	*entry
	searchFacts
	words uint16           // words in its names
	prose [tlpSteps]uint32 // words in its prose, by the rank of the label
}

func (x *searchIndex) block(id TeamID) int {
	return int(maphash.String(x.seed, string(id)) % searchBlocks)
}

// searchEdit makes the next version of a searchIndex.
type searchEdit struct {
	x       *searchIndex
	changed map[int][]searchChange
}

// searchChange is a team before and after; either may be nil.
type searchChange struct{ old, next *entry }

func editSearch(x *searchIndex) searchEdit { return searchEdit{x: x} }

func (e *searchEdit) swap(old, next *entry) {
	if old == nil && next == nil {
		return
	}
	if e.changed == nil {
		fresh := &searchIndex{}
		if e.x == nil {
			fresh.seed = maphash.MakeSeed()
		} else {
			*fresh = *e.x
		}
		e.x, e.changed = fresh, map[int][]searchChange{}
	}
	some := old
	if next != nil {
		some = next
	}
	n := e.x.block(some.team.ID)
	e.changed[n] = append(e.changed[n], searchChange{old, next})
}

// finish returns the next version. Many blocks are made on all processors.
func (e *searchEdit) finish() *searchIndex {
	var todo []int
	for n := range e.changed {
		todo = append(todo, n)
	}
	var next atomic.Int64
	work := func() {
		var m blockMaker
		for i := next.Add(1) - 1; int(i) < len(todo); i = next.Add(1) - 1 {
			n := todo[i]
			e.x.blocks[n] = m.next(e.x.blocks[n], e.changed[n])
		}
	}
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(todo)) - 1 {
		workers.Go(work)
	}
	work()
	workers.Wait()
	return e.x
}

// blockMaker makes blocks, one after the other, in the same memory.
type blockMaker struct {
	names, text lexiconBuilder
	writer      lexiconWriter
	scan        wordScanner
	fields      []searchField
}

// next returns b after some changes; nil when no team is left.
func (m *blockMaker) next(b *searchBlock, changes []searchChange) *searchBlock {
	var fresh searchBlock
	if b != nil {
		fresh.docs = slices.Clone(b.docs)
	}
	gone, added := m.change(&fresh, changes)
	for _, n := range added {
		if fresh.docs[n].entry != nil {
			m.add(&fresh.docs[n], uint16(n))
		}
	}
	fresh.names, fresh.text = m.names.build(&m.writer), m.text.build(&m.writer)
	if b != nil {
		fresh.names, fresh.text = b.names.merged(&m.writer, gone, fresh.names), b.text.merged(&m.writer, gone, fresh.text)
	}
	if !slices.ContainsFunc(fresh.docs, func(d searchDoc) bool { return d.entry != nil }) {
		return nil
	}
	fresh.flatten()
	return &fresh
}

// change puts the teams after the changes into the documents of b. It returns
// which numbers no longer say what they said, and those of which the words are
// to be read, in order. Numbers of teams that went are given out again.
func (m *blockMaker) change(b *searchBlock, changes []searchChange) (gone []bool, added []int) {
	gone = make([]bool, len(b.docs))
	free := b.free()
	for _, c := range changes {
		at := -1
		if c.old != nil {
			at = b.number(c.old)
			if c.next != nil && slices.Equal(c.old.names, c.next.names) && m.sameText(c.old.team, c.next.team) {
				b.docs[at].entry = c.next // evidence, a contact: nothing that is searched
				continue
			}
			b.docs[at], free = searchDoc{}, append(free, at)
			if at < len(gone) {
				gone[at] = true
			}
		}
		if c.next != nil {
			at, free = b.place(free, c.next)
			added = append(added, at)
		}
	}
	slices.Sort(added)
	return gone, slices.Compact(added)
}

// free returns the numbers that no team has.
func (b *searchBlock) free() []int {
	var list []int
	for n := range b.docs {
		if b.docs[n].entry == nil {
			list = append(list, n)
		}
	}
	return list
}

func (b *searchBlock) number(t *entry) int {
	return slices.IndexFunc(b.docs, func(d searchDoc) bool { return d.entry == t })
}

// place gives a team the number that came free last, or else a new one.
func (b *searchBlock) place(free []int, t *entry) (int, []int) {
	if len(free) == 0 {
		b.docs = append(b.docs, searchDoc{entry: t})
		return len(b.docs) - 1, free
	}
	at := free[len(free)-1]
	b.docs[at] = searchDoc{entry: t}
	return at, free[:len(free)-1]
}

// sameText reports whether the same can be found of two versions of a team,
// its names aside.
func (m *blockMaker) sameText(a, b *Team) bool {
	m.fields = m.fields[:0]
	collect := func(f searchField) { m.fields = append(m.fields, f) }
	textFields(a, collect)
	n := len(m.fields)
	textFields(b, collect)
	return slices.Equal(m.fields[:n], m.fields[n:])
}

// add reads the words of a team.
func (m *blockMaker) add(d *searchDoc, doc uint16) {
	place := uint32(0)
	for _, name := range d.entry.names {
		for w := range strings.SplitSeq(name, " ") {
			m.names.add(doc, zoneOf(tierName, Clear), place, cutWord([]byte(w)))
			place++
			d.words++
		}
		place++ // the end of one name and the beginning of the next are no phrase
	}
	m.fields = m.fields[:0]
	textFields(d.team, func(f searchField) { m.fields = append(m.fields, f) })
	slices.SortStableFunc(m.fields, func(a, b searchField) int { return cmp.Compare(zoneOf(a.tier(), a.label), zoneOf(b.tier(), b.label)) })
	for i := range m.fields {
		f := &m.fields[i]
		z := zoneOf(f.tier(), f.label)
		if i == 0 || z != zoneOf(m.fields[i-1].tier(), m.fields[i-1].label) {
			place = 0
		}
		for m.scan.reset(f.text); m.scan.next(); place++ {
			m.text.add(doc, z, place, m.scan.word)
			if f.kind == fieldProse {
				d.prose[z.rank()]++
			}
		}
		place++
	}
}

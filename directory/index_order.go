package directory

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"
)

// SortKey is what a list of teams is ordered by. Ties are in the order of
// handles, whatever the key.
type SortKey string

// The keys.
const (
	ByHandle  SortKey = "handle"
	ByName    SortKey = "name"    // without case and accents
	ByCountry SortKey = "country" // teams of no country first
	ByUpdated SortKey = "updated" // the oldest first
)

// SortKeys lists all keys.
func SortKeys() []SortKey { return []SortKey{ByHandle, ByName, ByCountry, ByUpdated} }

// Position is a place in an order of teams: that of a team, and where it would
// stand if it is no longer there. A page that begins behind the position of the
// last team of the page before skips and repeats nothing that did not move.
type Position struct {
	Key    string // what [Index.Position] says
	Handle Handle
}

// List asks for a page of teams.
type List struct {
	Filter     Filter
	Viewer     Principal // what is withheld from it is not found by State
	Now        time.Time // for State
	Sort       SortKey   // "" is by handle
	Descending bool
	After      *Position // nil: from the beginning
	Limit      int       // 0: all
}

// List returns live teams, on the terms of [Index.Team]. It costs the teams
// that the filter passes over, at a few nanoseconds each.
func (x *Index) List(l List) []*Team {
	q := listing{List: l, x: x, facts: l.Filter.facts()}
	orders := &x.orders
	from, to := orders.places(&q.List)
	set := orders.of(q.Sort)
	if q.Filter.Country != "" && (q.Sort == "" || q.Sort == ByHandle) {
		// Within a country the order by country is that of handles.
		set = orders.country
	}
	if l.Descending {
		set.down(from, to, q.take)
	} else {
		set.up(from, to, q.take)
	}
	return q.found
}

// Position returns the place of t in the order by key.
func (x *Index) Position(t *Team, key SortKey) Position {
	return Position{Key: orderKey(t, key), Handle: t.Handle}
}

// listing is one page in the making.
type listing struct {
	List
	x     *Index
	facts facts
	found []*Team
}

// take looks at one team and reports whether there is room for more.
func (q *listing) take(o *ordinal) bool {
	if o.facts&q.facts != q.facts || !q.takes(o.team) {
		return true
	}
	q.found = append(q.found, o.team)
	return len(q.found) != q.Limit
}

func (q *listing) takes(t *Team) bool {
	coarse := q.Filter
	coarse.State = ""
	if !coarse.Takes(t, q.x.options.Policy, q.Now) {
		return false
	}
	if q.Filter.State == "" {
		return true
	}
	// As on a redacted copy: of a contact that is seen, so is its evidence.
	for i := range t.Contacts {
		c := &t.Contacts[i]
		if q.Viewer.Sees(c.Visibility, t) && Assess(*c, t.Evidence, q.x.options.Policy, q.Now).State == q.Filter.State {
			return true
		}
	}
	return false
}

// orders are the live teams of an index in each order.
type orders struct{ handle, name, country, updated orderedSet }

func (o *orders) of(key SortKey) orderedSet {
	switch key {
	case ByName:
		return o.name
	case ByCountry:
		return o.country
	case ByUpdated:
		return o.updated
	}
	return o.handle
}

// places returns the ends between which the teams of a list stand; nil is open.
func (o *orders) places(l *List) (from, to *Position) {
	switch c := string(l.Filter.Country); {
	case c == "" || l.Sort != "" && l.Sort != ByHandle && l.Sort != ByCountry:
		return l.After, nil
	case l.After != nil && l.Descending:
		return &Position{c, l.After.Handle}, &Position{Key: c}
	case l.After != nil:
		return &Position{c, l.After.Handle}, &Position{Key: c + "\x00"}
	case l.Descending:
		return &Position{Key: c + "\x00"}, &Position{Key: c}
	default:
		return &Position{Key: c}, &Position{Key: c + "\x00"}
	}
}

// orderKey is what stands before the handle in the order by key, so that the
// order of texts is the order that is meant.
func orderKey(t *Team, key SortKey) string {
	switch key {
	case ByName:
		return foldName(t.Name())
	case ByCountry:
		return string(t.Country)
	case ByUpdated:
		return string(binary.BigEndian.AppendUint64(nil, uint64(t.Updated.UnixMicro())^1<<63))
	}
	return ""
}

// ordinal is one team in an order.
type ordinal struct {
	key   string
	team  *Team
	facts facts
}

// compare orders two teams. The id comes last: while changes are taken in, two
// teams may have one handle.
func (o *ordinal) compare(p *ordinal) int {
	return cmp.Or(strings.Compare(o.key, p.key), strings.Compare(string(o.team.Handle), string(p.team.Handle)), strings.Compare(string(o.team.ID), string(p.team.ID)))
}

// behind compares o with a place.
func (o *ordinal) behind(p *Position) int {
	return cmp.Or(strings.Compare(o.key, p.Key), strings.Compare(string(o.team.Handle), string(p.Handle)))
}

// orderedSet is a sorted list in chunks, so that a changed copy costs one
// chunk and the list of them. It is immutable once [orderEdit] is done with it.
type orderedSet struct{ chunks [][]ordinal }

// chunkSize is how many teams a chunk has at most.
const chunkSize = 256

// search returns the first place whose team is not before what cmp compares
// with; c may be the number of chunks.
func (s *orderedSet) search(cmp func(*ordinal) int) (c, i int) {
	c, _ = slices.BinarySearchFunc(s.chunks, 0, func(chunk []ordinal, _ int) int { return cmp(&chunk[len(chunk)-1]) })
	if c < len(s.chunks) {
		i, _ = slices.BinarySearchFunc(s.chunks[c], 0, func(o ordinal, _ int) int { return cmp(&o) })
	}
	return c, i
}

// up yields what stands behind from and before to.
func (s *orderedSet) up(from, to *Position, yield func(*ordinal) bool) {
	c, i := 0, 0
	if from != nil {
		c, i = s.search(func(o *ordinal) int { return cmp.Or(o.behind(from), -1) })
	}
	for ; c < len(s.chunks); c, i = c+1, 0 {
		for ; i < len(s.chunks[c]); i++ {
			o := &s.chunks[c][i]
			if to != nil && o.behind(to) >= 0 || !yield(o) {
				return
			}
		}
	}
}

// down yields what stands before from and behind to, the last first.
func (s *orderedSet) down(from, to *Position, yield func(*ordinal) bool) {
	c, i := len(s.chunks), 0
	if from != nil {
		c, i = s.search(func(o *ordinal) int { return o.behind(from) })
	}
	for {
		if i--; i < 0 {
			if c--; c < 0 {
				return
			}
			i = len(s.chunks[c]) - 1
		}
		o := &s.chunks[c][i]
		if to != nil && o.behind(to) < 0 || !yield(o) {
			return
		}
	}
}

// orderEdit makes the next version of a set. It copies the list of chunks on
// the first change and each chunk on its first change.
type orderEdit struct {
	key SortKey
	orderedSet
	own []bool // per chunk; nil: nothing changed yet
}

// swap replaces old by next; either may be nil.
func (e *orderEdit) swap(old, next *Team) {
	if old != nil && next != nil && old.Handle == next.Handle {
		if key := orderKey(old, e.key); key == orderKey(next, e.key) {
			o := ordinal{key: key, team: next, facts: factsOf(next)}
			if c, i, ok := e.find(&o); ok {
				chunk := e.chunk(c)
				chunk[i] = o
				return
			}
		}
	}
	if old != nil {
		e.remove(&ordinal{key: orderKey(old, e.key), team: old})
	}
	if next != nil {
		e.insert(ordinal{key: orderKey(next, e.key), team: next, facts: factsOf(next)})
	}
}

func (e *orderEdit) find(o *ordinal) (c, i int, ok bool) {
	c, i = e.search(func(p *ordinal) int { return p.compare(o) })
	return c, i, c < len(e.chunks) && e.chunks[c][i].compare(o) == 0
}

// chunk returns a chunk that can be changed in place.
func (e *orderEdit) chunk(c int) []ordinal {
	if e.own == nil {
		e.chunks = slices.Clone(e.chunks)
		e.own = make([]bool, len(e.chunks))
	}
	if !e.own[c] {
		e.chunks[c] = append(make([]ordinal, 0, chunkSize), e.chunks[c]...)
		e.own[c] = true
	}
	return e.chunks[c]
}

func (e *orderEdit) remove(o *ordinal) {
	c, i, ok := e.find(o)
	if !ok {
		return
	}
	chunk := e.chunk(c)
	e.chunks[c] = slices.Delete(chunk, i, i+1)
	if len(e.chunks[c]) == 0 {
		e.chunks, e.own = slices.Delete(e.chunks, c, c+1), slices.Delete(e.own, c, c+1)
	}
}

func (e *orderEdit) insert(o ordinal) {
	if len(e.chunks) == 0 {
		e.chunks, e.own = [][]ordinal{append(make([]ordinal, 0, chunkSize), o)}, []bool{true}
		return
	}
	c, i := e.search(func(p *ordinal) int { return p.compare(&o) })
	if c == len(e.chunks) { // behind all others
		c--
		i = len(e.chunks[c])
	}
	chunk := e.chunk(c)
	if len(chunk) == chunkSize {
		half := append(make([]ordinal, 0, chunkSize), chunk[chunkSize/2:]...)
		clear(chunk[chunkSize/2:])
		e.chunks[c] = chunk[:chunkSize/2]
		e.chunks, e.own = slices.Insert(e.chunks, c+1, half), slices.Insert(e.own, c+1, true)
		if i > chunkSize/2 {
			c, i = c+1, i-chunkSize/2
		}
		chunk = e.chunks[c]
	}
	e.chunks[c] = slices.Insert(chunk, i, o)
}

// fill makes the set of all teams at once, which is cheaper than one by one.
func (e *orderEdit) fill(teams []*Team) {
	all := make([]ordinal, len(teams))
	for i, t := range teams {
		all[i] = ordinal{key: orderKey(t, e.key), team: t, facts: factsOf(t)}
	}
	slices.SortFunc(all, func(a, b ordinal) int { return a.compare(&b) })
	e.chunks = nil
	for chunk := range slices.Chunk(all, chunkSize) {
		e.chunks = append(e.chunks, chunk)
	}
}

// ordersEdit makes the next version of all orders.
type ordersEdit [4]orderEdit

func (o *orders) edit() *ordersEdit {
	return &ordersEdit{{key: ByHandle, orderedSet: o.handle}, {key: ByName, orderedSet: o.name}, {key: ByCountry, orderedSet: o.country}, {key: ByUpdated, orderedSet: o.updated}}
}

// put takes in a team that was old and is next; either may be nil. A whole
// index is ordered at its end, by done.
func (e *ordersEdit) put(old, next *entry, later bool) {
	if later || old == nil && next == nil {
		return
	}
	var was, is *Team
	if old != nil {
		was = old.team
	}
	if next != nil {
		is = next.team
	}
	for i := range e {
		e[i].swap(was, is)
	}
}

// done returns the orders. all are the teams where put left them for later.
func (e *ordersEdit) done(later bool, all *shardMap[TeamID, *entry]) orders {
	if later {
		teams := make([]*Team, 0, all.size)
		for _, entry := range all.all() {
			teams = append(teams, entry.team)
		}
		for i := range e {
			e[i].fill(teams)
		}
	}
	return orders{handle: e[0].orderedSet, name: e[1].orderedSet, country: e[2].orderedSet, updated: e[3].orderedSet}
}

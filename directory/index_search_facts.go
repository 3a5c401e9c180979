package directory

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// searchFacts is what a search asks of every team that has its words, kept in the
// block: a common word is in all teams, and following pointers to each of
// them would take longer than everything else.
type searchFacts struct {
	handle  Handle
	begin   uint64 // the first bytes of the handle, which nearly always tell two apart
	sectors uint32 // of [Sectors], a bit each
	kinds   uint32 // of [Kinds], a bit each
	country Country
	names   uint32 // end of its names in the block's
	states  uint32 // end of its contacts' states in the block's
}

// bitsOf returns a bit for each word of list, by its number in a vocabulary,
// and whether all of them are in it.
func bitsOf(list, vocabulary []Word) (set uint32, known bool) {
	known = true
	for _, w := range list {
		if i := slices.Index(vocabulary, w); i >= 0 {
			set |= 1 << i
		} else {
			known = false
		}
	}
	return set, known
}

func beginOf(h Handle) uint64 {
	var b [8]byte
	copy(b[:], h)
	return binary.BigEndian.Uint64(b[:])
}

// moment is since when a contact has a state. The first one of a contact is at
// the beginning of time.
type moment struct {
	at    int64 // Unix nanoseconds
	rank  uint8 // of the contact's label
	state uint8 // index into states
}

// states are in the order of their numbers in a moment.
var states = [...]State{Verified, Due, Overdue, Unverified, Disputed, Failed}

// momentsOf returns the states that a contact has had and will have without
// new evidence. [Assess] decides; it says the same from one of the moments at
// which an item happens, ends or is overdue to the next.
func momentsOf(c *Contact, items []Evidence, policy Policy) []moment {
	const instant = time.Nanosecond
	var turns []time.Time
	for _, e := range items {
		end := policy.End(e)
		turns = append(turns, e.At, end.Add(instant), policy.Overdue(end).Add(instant))
	}
	slices.SortFunc(turns, time.Time.Compare)
	at := func(now time.Time) moment {
		state := Assess(*c, items, policy, now).State
		return moment{nanoseconds(now), c.Visibility.rank(), uint8(slices.Index(states[:], state))}
	}
	first := at(time.Time{})
	first.at = math.MinInt64
	list := []moment{first}
	for _, t := range turns {
		switch m := at(t); {
		case m.at == math.MinInt64:
			list[0] = m
		case m.state != list[len(list)-1].state:
			list = append(list, m)
		}
	}
	return list
}

// nanoseconds is UnixNano for all times that are written here.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Year() < 1700:
		return math.MinInt64
	case t.Year() > 2250:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// flatten copies into the block what is asked of every team.
func (b *searchBlock) flatten() {
	b.nameText, b.nameEnds, b.moments = nil, nil, nil
	for n := range b.docs {
		d := &b.docs[n]
		if d.entry != nil {
			t := d.team
			d.searchFacts = searchFacts{handle: t.Handle, begin: beginOf(t.Handle), country: t.Country}
			d.sectors, _ = bitsOf(t.Constituency.Sectors, Sectors)
			d.kinds, _ = bitsOf(t.Kinds, Kinds)
			for _, name := range d.entry.names {
				b.nameText = append(b.nameText, name...)
				b.nameEnds = append(b.nameEnds, uint32(len(b.nameText)))
			}
			for _, list := range d.moments {
				b.moments = append(b.moments, list...)
			}
		}
		d.searchFacts.names, d.searchFacts.states = uint32(len(b.nameEnds)), uint32(len(b.moments))
	}
	b.nameText, b.nameEnds, b.moments = exact(b.nameText), exact(b.nameEnds), exact(b.moments)
}

// state reports whether a contact of a document that sees takes has a state
// at a moment.
func (b *searchBlock) state(n int, state uint8, now int64, sees func(rank uint8) bool) bool {
	from := uint32(0)
	if n > 0 {
		from = b.docs[n-1].states
	}
	list := b.moments[from:b.docs[n].states]
	for i := 0; i < len(list); {
		last := i // of this contact, and not in the time to come
		for i++; i < len(list) && list[i].at != math.MinInt64; i++ {
			if list[i].at <= now {
				last = i
			}
		}
		if list[last].state == state && sees(list[last].rank) {
			return true
		}
	}
	return false
}

// longestShare returns how much of the name of a document that begins with
// prefix, which is not empty, it is, for the name of which it is most: 1 for an equal one, 0 where
// no name begins with it.
func (b *searchBlock) longestShare(n int, prefix string) float64 {
	from := uint32(0)
	if n > 0 {
		from = b.docs[n-1].searchFacts.names
	}
	share := 0.0
	for i := from; i < b.docs[n].searchFacts.names; i++ {
		name := b.nameText[endBefore(b.nameEnds, int(i)):b.nameEnds[i]]
		if len(name) >= len(prefix) && name[0] == prefix[0] && string(name[:len(prefix)]) == prefix {
			share = max(share, float64(len(prefix))/float64(len(name)))
		}
	}
	return share
}

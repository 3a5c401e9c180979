package directory

import (
	"cmp"
	"hash/maphash"
	"strings"
)

// Limits of how many share something before it leads nowhere: with more than
// these holders a fact or a word of a name says little, and pairing all of them
// would cost the square of their number.
const (
	mostHolders = 40
	mostAlike   = 40 // teams of one country with one name
	mostParts   = 40 // names of one country with one word or initials
)

// matcher compares the teams of one directory.
type matcher struct {
	subjects []subject
	holders  map[fact][]int32
	names    []matchName
	words    map[countryWord]int32 // in how many names of a country a word is
}

// countryWord is a word, or a name, within a country.
type countryWord struct {
	country Country
	text    string
}

func newMatcher(teams []*Team) *matcher {
	m := &matcher{subjects: make([]subject, len(teams)), holders: make(map[fact][]int32, 4*len(teams)), words: map[countryWord]int32{}}
	for i, t := range teams {
		s := &m.subjects[i]
		*s = subject{team: t, facts: matchFacts(t), role: roleOf(t)}
		for _, f := range s.facts {
			m.holders[f] = append(m.holders[f], int32(i))
		}
		m.addNames(int32(i), t)
	}
	for i := range m.names {
		m.names[i].weigh(m.words)
	}
	return m
}

// candidates returns the pairs worth a look, each with what its names say.
func (m *matcher) candidates() map[pair]Reason {
	pairs := map[pair]Reason{}
	for f, list := range m.holders {
		if len(list) > mostHolders || f.kind == ReasonNetwork && len(list) > 8 {
			continue
		}
		for i, a := range list {
			for _, b := range list[i+1:] {
				pairs[pairOf(a, b)] = Reason{}
			}
		}
	}
	better := func(a, b int32, r Reason) {
		p := pairOf(a, b)
		if old, ok := pairs[p]; a != b && (!ok || betterName(r, old)) {
			pairs[p] = r
		}
	}
	m.equalNames(better)
	m.initials(better)
	m.nearNames(better)
	return pairs
}

// betterName decides between two things that the names of a pair say.
func betterName(r, old Reason) bool {
	return cmp.Or(cmp.Compare(r.Weight, old.Weight), strings.Compare(old.Value, r.Value)) > 0
}

// equalNames pairs the teams of a country with the same name.
func (m *matcher) equalNames(found func(a, b int32, r Reason)) {
	same := map[countryWord][]int32{}
	for i := range m.names {
		n := &m.names[i]
		key := countryWord{n.country, n.compact}
		if list := same[key]; n.country != "" && (len(list) == 0 || m.names[list[len(list)-1]].subject != n.subject) {
			same[key] = append(list, int32(i))
		}
	}
	for _, list := range same {
		if len(list) < 2 || len(list) > mostAlike {
			continue
		}
		weight := round(weights[ReasonName] * rarity(len(list)))
		for i, a := range list {
			for _, b := range list[i+1:] {
				found(m.names[a].subject, m.names[b].subject, Reason{ReasonName, min(m.names[a].folded, m.names[b].folded), weight})
			}
		}
	}
}

// initials pairs a short name with the long name that it stands for.
func (m *matcher) initials(found func(a, b int32, r Reason)) {
	short, long := map[countryWord][]int32{}, map[countryWord][]int32{}
	for i := range m.names {
		n := &m.names[i]
		if n.country == "" {
			continue
		}
		if n.short {
			key := countryWord{n.country, n.compact}
			short[key] = append(short[key], int32(i))
		}
		if n.initials != "" {
			key := countryWord{n.country, n.initials}
			long[key] = append(long[key], int32(i))
		}
	}
	for key, list := range long {
		others := short[key]
		if len(list)+len(others) > mostParts {
			continue
		}
		for _, a := range list {
			for _, b := range others {
				found(m.names[a].subject, m.names[b].subject, Reason{ReasonInitials, key.text + ": " + m.names[a].folded, round(weights[ReasonInitials] * rarity(len(list)+len(others)))})
			}
		}
	}
}

// nearNames pairs the names of a country that are alike. Names that are have
// one of their rarest words in common, or two that are one slip apart: that is
// where they are sought.
func (m *matcher) nearNames(found func(a, b int32, r Reason)) {
	seed := maphash.MakeSeed()
	at := make(map[uint64][]int32, 8*len(m.names))
	for i := range m.names {
		n := &m.names[i]
		if n.country == "" {
			continue
		}
		for _, w := range n.telling() {
			n.keys(seed, w, func(key uint64) { at[key] = append(at[key], int32(i)) })
		}
	}
	for _, list := range at {
		if len(list) < 2 || len(list) > mostParts {
			continue
		}
		for i, a := range list {
			for _, b := range list[i+1:] {
				x, y := &m.names[a], &m.names[b]
				if x.subject == y.subject || x.country != y.country {
					continue
				}
				if like := alike(x, y); like >= leastAlike {
					found(x.subject, y.subject, Reason{ReasonNearName, inOrder(x.folded, y.folded), round(weights[ReasonNearName] * like)})
				}
			}
		}
	}
}

// nameAnywhere compares the names of two teams that are not known to be of one
// country, which other facts brought together. It weighs less.
func (m *matcher) nameAnywhere(a, b *subject) (best Reason) {
	const share = 0.6
	for _, i := range a.names {
		for _, j := range b.names {
			x, y := &m.names[i], &m.names[j]
			r := Reason{}
			if x.compact == y.compact {
				r = Reason{ReasonName, min(x.folded, y.folded), round(share * weights[ReasonName])}
			} else if like := alike(x, y); like >= leastAlike {
				r = Reason{ReasonNearName, inOrder(x.folded, y.folded), round(share * weights[ReasonNearName] * like)}
			}
			if r.Kind != "" && betterName(r, best) {
				best = r
			}
		}
	}
	return best
}

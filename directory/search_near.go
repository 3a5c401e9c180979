package directory

import (
	"cmp"
	"slices"
	"strings"
)

const (
	nearFrom      = 0.5 // how like the search a name must be to be a candidate
	nearTeams     = 20  // candidates of one search
	nearNamesKept = 64  // names that are looked at for them: some teams have several, a filter takes others
	nearShortest  = 3   // bytes below which nothing looks like anything
)

// near adds the teams whose names look like the search and that are no hit
// already. Names are shown to everyone, so that none is hidden here.
func (s *searching) near() {
	taken := map[*entry]bool{}
	for _, like := range s.x.near.like(s.q.name) {
		holders, _ := s.x.names.get(like.name)
		for _, h := range holders {
			if len(taken) == nearTeams {
				return
			}
			if !taken[h.entry] && s.takes(h.entry) && !s.hit(h.entry) {
				taken[h.entry] = true
				s.best.add(found{h.entry, h.team.Handle, fitNear, like.nearness})
			}
		}
	}
}

// hit reports whether a team has all items of the search.
func (s *searching) hit(e *entry) bool {
	b := s.x.search.blocks[s.x.search.block(e.team.ID)]
	if s.b != b {
		s.match(b)
	}
	return int(s.docs[b.number(e)].got) == len(s.q.items)
}

// likeName is a name that looks like a search.
type likeName struct {
	name     string
	nearness float64
}

// like returns the names most like a folded one, best first.
func (n *nearNames) like(folded string) []likeName {
	if len(folded) < nearShortest {
		return nil
	}
	var list []likeName
	r := newResemblance(folded)
	least := nearFrom
	n.shards(0, nearLengths, func(s *nearShard) {
		for i := range s.signs {
			if !r.possible(s.signs[i], len(s.names[i]), least) {
				continue
			}
			name := s.names[i]
			if like := (likeName{name, r.nearness(name)}); like.nearness >= least {
				list = append(list, like)
			}
			if len(list) >= 4*nearNamesKept {
				list = mostLike(list)
				least = list[len(list)-1].nearness
			}
		}
	})
	return mostLike(list)
}

func mostLike(list []likeName) []likeName {
	slices.SortFunc(list, func(a, b likeName) int {
		return cmp.Or(cmp.Compare(b.nearness, a.nearness), cmp.Compare(a.name, b.name))
	})
	return list[:min(len(list), nearNamesKept)]
}

// resemblance compares names with one name.
type resemblance struct {
	name  string
	sign  signature
	edits int
	pairs []uint16 // how often each pair of bytes is in name
	used  []uint16
	d     editDistance
}

func newResemblance(name string) *resemblance {
	r := &resemblance{name: name, sign: signatureOf(name), edits: editsFor(name), pairs: make([]uint16, 1<<16)}
	for i := 1; i < len(name); i++ {
		r.pairs[pairAt(name, i)]++
	}
	return r
}

func pairAt(s string, i int) uint16 { return uint16(s[i-1])<<8 | uint16(s[i]) }

// possible reports whether a name of this signature and length can be near
// enough. It never denies one that is.
func (r *resemblance) possible(sign signature, length int, least float64) bool {
	// Of n pairs in both names together, n*(1-least) at most can be in one only,
	// if the others are to make that share.
	differ := float64(r.sign.differs(sign))
	const rounding = 1e-9
	if differ <= (1-least)*float64(len(r.name)+length-2)+rounding {
		return true
	}
	return differ <= float64(4*r.edits) && abs(length-len(r.name)) <= r.edits || r.sign.in(sign)
}

// nearness says how like the two names are, from 0 to 1: by the share of pairs
// of letters that they have in common (Dice's coefficient), which forgives
// words that are missing or in another order; by edits, for short names; or by
// how much of the name the other is, where it is part of it.
func (r *resemblance) nearness(name string) float64 {
	near := r.dice(name)
	if n := r.d.atMost(r.name, name, r.edits); n <= r.edits {
		near = max(near, 1-float64(n)/float64(max(len(r.name), len(name))))
	}
	if len(name) > len(r.name) && strings.Contains(name, r.name) {
		near = max(near, 0.5+0.5*float64(len(r.name))/float64(len(name)))
	}
	return near
}

func (r *resemblance) dice(name string) float64 {
	r.used = r.used[:0]
	for i := 1; i < len(name); i++ {
		if p := pairAt(name, i); r.pairs[p] > 0 {
			r.pairs[p]--
			r.used = append(r.used, p)
		}
	}
	for _, p := range r.used {
		r.pairs[p]++
	}
	if len(r.used) == 0 {
		return 0
	}
	return 2 * float64(len(r.used)) / float64(len(r.name)+len(name)-2)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

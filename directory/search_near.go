package directory

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

const (
	nearFrom      = 0.6 // how like the search a name must be to be a candidate
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
			if n := s.find(h.entry); !taken[h.entry] && int(s.docs[n].got) < len(s.q.items) && s.takes(n) {
				taken[h.entry] = true
				s.add(n, fitNear, like.nearness)
			}
		}
	}
}

// find looks for the search in the block of a team, and returns the number
// that the team has there.
func (s *searching) find(e *entry) int {
	if b := s.x.search.blocks[s.x.search.block(e.team.ID)]; s.b != b {
		s.match(b)
	}
	return s.b.number(e)
}

// likeName is a name that looks like a search.
type likeName struct {
	name     string
	nearness float64
}

// like returns the names most like a folded one, best first. Nearly all are
// passed by on the strength of their signatures, without a look at them.
func (n *nearNames) like(folded string) []likeName {
	if n == nil || len(folded) < nearShortest {
		return nil
	}
	var parts [4][]likeName // the lengths are dealt out, one to each processor in turn
	workers := min(runtime.GOMAXPROCS(0), len(parts))
	var others sync.WaitGroup
	for w := 1; w < workers; w++ {
		others.Go(func() { parts[w] = n.likeAmong(folded, w, workers) })
	}
	parts[0] = n.likeAmong(folded, 0, workers)
	others.Wait()
	return mostLike(slices.Concat(parts[:]...))
}

// likeAmong looks at every step-th length from first on, those that are most
// like that of the name first: the sooner the best are found, the more of the
// others need no look.
func (n *nearNames) likeAmong(folded string, first, step int) []likeName {
	var list []likeName
	r := newResemblance(folded)
	least := nearFrom
	lengths := nearestLengths(len(folded))
	for at := first; at < len(lengths); at += step {
		length := lengths[at]
		byLength := n.byLength[length]
		if byLength == nil {
			continue
		}
		for i := range byLength {
			s := &byLength[i]
			b := r.bounds(length, least)
			if b.none() {
				break
			}
			for k := range s.signs {
				if !b.admit(&r.sign, &s.signs[k]) || !b.admit(&r.other, &s.others[k]) {
					continue
				}
				if near := r.nearness(s.names[k], s.signs[k], least); near >= least {
					list = append(list, likeName{s.names[k], near})
				}
			}
			if len(list) >= 2*nearNamesKept {
				list = mostLike(list)
				least = list[len(list)-1].nearness
			}
		}
	}
	return mostLike(list)
}

// nearestLengths returns the places of all lengths, that of n bytes first.
func nearestLengths(n int) []int {
	list := make([]int, nearLengths)
	for i := range list {
		list[i] = i
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(max(n-a, a-n), max(n-b, b-n)) })
	return list
}

// nearBounds is what the signatures of names of one length must keep to, for
// the names to be near. They never shut out one that is.
type nearBounds struct {
	missing, extra int  // bits that only the one asked for has, and only the name
	differ         int  // or both together, for names that a few edits make of each other
	within         bool // or the name may hold the other whole
}

func (r *resemblance) bounds(length int, least float64) nearBounds {
	if length == nearLengths-1 { // and all that are longer
		return nearBounds{signatureBits, signatureBits, signatureBits, true}
	}
	b := nearBounds{differ: -1, within: length > len(r.name) && containedNearness(len(r.name), length) >= least}
	pairs, own := length-1, len(r.name)-1
	shared := least*float64(pairs+own)/2 - rounding // so many pairs must be in both
	b.missing, b.extra = int(math.Floor(float64(own)-shared)), int(math.Floor(float64(pairs)-shared))
	if d := length - len(r.name); d <= r.edits && -d <= r.edits {
		b.differ = 4 * r.edits
	}
	return b
}

// none reports whether no name of that length can be near.
func (b *nearBounds) none() bool {
	return (b.missing < 0 || b.extra < 0) && b.differ < 0 && !b.within
}

func (b *nearBounds) admit(asked, name *signature) bool {
	missing := asked.lacks(name)
	if missing > max(b.missing, b.differ) && (missing > 0 || !b.within) { // nearly always
		return false
	}
	extra := name.lacks(asked)
	return missing <= b.missing && extra <= b.extra || missing+extra <= b.differ || b.within && missing == 0
}

// rounding is what floating point may be off.
const rounding = 1e-9

// containedNearness is how near a name is of which the other is a part.
func containedNearness(part, whole int) float64 { return 0.5 + 0.5*float64(part)/float64(whole) }

func mostLike(list []likeName) []likeName {
	slices.SortFunc(list, func(a, b likeName) int {
		return cmp.Or(cmp.Compare(b.nearness, a.nearness), cmp.Compare(a.name, b.name))
	})
	return list[:min(len(list), nearNamesKept)]
}

// resemblance compares names with one name.
type resemblance struct {
	name    string
	sign    signature
	other   signature
	edits   int
	letters [256]uint8 // a number for each byte that is in name, from 1 on
	row     int        // one more than these numbers
	pairs   []uint16   // how often each pair of these is in name
	used    []int
	d       editDistance
}

func newResemblance(name string) *resemblance {
	r := &resemblance{name: name, sign: signatureOf(name), other: otherSignatureOf(name), edits: editsFor(name), row: 1}
	for i := range len(name) {
		if r.letters[name[i]] == 0 { // UTF-8 has no more than 243 different bytes
			r.letters[name[i]] = uint8(r.row)
			r.row++
		}
	}
	r.pairs = make([]uint16, r.row*r.row)
	for i := 1; i < len(name); i++ {
		r.pairs[r.pairAt(name, i)]++
	}
	return r
}

// pairAt is the place of the pair of bytes that ends at i: one without pairs
// where a byte is not in the name.
func (r *resemblance) pairAt(s string, i int) int {
	return int(r.letters[s[i-1]])*r.row + int(r.letters[s[i]])
}

// nearness says how like a name of this signature the two names are, from 0 to
// 1: by the share of pairs of letters that they have in common (Dice's
// coefficient), which forgives words that are missing or in another order; by
// edits, for short names; or by how much of the name the other is, where it is
// part of it. What is below least can be said to be less.
func (r *resemblance) nearness(name string, sign signature, least float64) float64 {
	near, differ := 0.0, r.sign.differs(&sign)
	// Of n pairs in both names together n*(1-least) at most can be in one only.
	if n := float64(len(r.name) + len(name) - 2); float64(differ) <= (1-least)*n+rounding {
		near = r.dice(name, int(n/2*least-rounding))
	}
	if d := len(r.name) - len(name); differ <= 4*r.edits && d <= r.edits && -d <= r.edits {
		if n := r.d.atMost(r.name, name, r.edits); n <= r.edits {
			near = max(near, 1-float64(n)/float64(max(len(r.name), len(name))))
		}
	}
	if len(name) > len(r.name) && r.sign.in(&sign) {
		if contained := containedNearness(len(r.name), len(name)); contained >= least && strings.Contains(name, r.name) {
			near = max(near, contained)
		}
	}
	return near
}

// dice gives up where the names can't have more than least pairs in common.
func (r *resemblance) dice(name string, least int) float64 {
	r.used = r.used[:0]
	spare := len(name) - 1 - least // pairs that may be missing
	for i := 1; i < len(name) && spare >= 0; i++ {
		if p := r.pairAt(name, i); r.pairs[p] > 0 {
			r.pairs[p]--
			r.used = append(r.used, p)
		} else {
			spare--
		}
	}
	for _, p := range r.used {
		r.pairs[p]++
	}
	if len(r.used) == 0 || spare < 0 {
		return 0
	}
	return 2 * float64(len(r.used)) / float64(len(r.name)+len(name)-2)
}

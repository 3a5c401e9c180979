package directory

import (
	"math"
	"math/bits"
)

// The weights of the tiers. A word that only begins with the one asked for
// counts four fifths, which keeps it above the next tier.
const (
	weightName         = 1.0
	weightHost         = 0.6
	weightConstituency = 0.4
	weightProse        = 0.2
	weightPrefix       = 0.8
)

// presenceWeights is what [presence] is worth by its forms: the weight of the
// best tier it is in.
var presenceWeights = func() (t [256]float64) {
	weights := [...]float64{tierProse: weightProse, tierConstituency: weightConstituency, tierHost: weightHost, tierName: weightName}
	for forms := 1; forms < len(t); forms++ {
		best := bits.Len8(uint8(forms|forms>>4)&0xf) - 1
		t[forms] = weights[best]
		if forms&(1<<best) == 0 {
			t[forms] = weightPrefix * weights[best]
		}
	}
	return t
}()

// inProse reports whether an item is in prose alone.
func (p *presence) inProse() bool { return p.forms&^(1<<tierProse|1<<tierProse<<4) == 0 }

// steps is what weights are rounded to, so that the sum of some is the same in
// any order of adding.
const steps = 1 << 44 // and 4 bits for 16 items are less than the 53 of a float64

// grid is what scores are rounded to: two that differ by less than their weights' rounding are equal,
// and stand by handle.
const grid = 1 << 20

func onGrid(score float64) float64 { return math.Round(score*grid) / grid }

func inSteps(weight float64) int64 { return int64(weight*steps + 0.5) }

// hit adds a document that has all items. Of most, where there are many, a
// bound of what they are worth says that they are behind the page.
func (s *searching) hit(n int) {
	fit, score := fitWords, 0.0
	if int(s.docs[n].named) == len(s.items) {
		fit, score = s.nameFit(n)
	}
	if fit == fitWords {
		if s.best.behind(fit, s.score(n, true)) {
			return
		}
		score = s.score(n, false)
	}
	if !s.best.behind(fit, score) {
		s.add(n, fit, score)
	}
}

// nameFit decides how well a team fits that has all items in its names.
func (s *searching) nameFit(n int) (fit uint8, score float64) {
	switch share := s.b.longestShare(n, s.q.name); {
	case share == 1:
		return fitExact, 1
	case share > 0:
		return fitPrefix, share
	}
	return fitWords, 0
}

// score returns the mean of what the items are worth in a document, or a bound
// of it, for which nothing is asked about prose.
func (s *searching) score(n int, bound bool) float64 {
	names, sum := s.nameShare(n), int64(0)
	for i := n; i < len(s.present); i += len(s.docs) {
		p := &s.present[i]
		weight := presenceWeights[p.forms]
		switch {
		case p.forms&inNames != 0:
			weight *= names
		case !bound && p.inProse():
			weight *= 0.5 + 0.5*saturated(float64(p.count), float64(s.proseOf(uint16(n))))
		}
		sum += inSteps(weight)
	}
	return onGrid(float64(sum) / steps / float64(len(s.items)))
}

// nameShare is how much an item in a name counts: more, the less else is in
// the names.
func (s *searching) nameShare(n int) float64 {
	words := s.b.docs[n].words
	if int(words) < len(s.shares) {
		return s.shares[words]
	}
	return shareOf(len(s.items), words)
}

func shareOf(items int, words uint16) float64 {
	return 0.85 + 0.15*min(1, float64(items)/float64(max(1, words)))
}

// saturated is the part of BM25 that grows with how often a word is in a text,
// with its usual constants, from 0 to below 1. The usual length is a constant,
// since that of all teams would tell of hidden ones.
func saturated(count, length float64) float64 {
	const k, b, usual = 1.2, 0.75, 300
	return count / (count + k*(1-b+b*length/usual))
}

// proseOf returns how many words of prose the viewer sees of a document.
func (s *searching) proseOf(n uint16) uint32 {
	d := &s.docs[n]
	if d.prose == 0 {
		d.prose = 1
		for rank, words := range s.b.docs[n].prose {
			if words > 0 && (rank == 0 || s.sees(n, zone(rank))) {
				d.prose += words
			}
		}
	}
	return d.prose - 1
}

func (s *searching) add(n int, fit uint8, score float64) {
	doc := &s.b.docs[n]
	s.best.add(found{doc.entry, doc.handle, doc.begin, fit, score})
}

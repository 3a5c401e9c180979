package directory

import (
	"hash/fnv"
	"slices"
)

// facts are what a filter asks about a team, as bits beside its place in an
// order: a list passes over the teams that it does not want without touching
// them. A bit may be set where the fact is not true, never the other way round.
type facts uint64

// The bits: one for each kind and sector, a few for forums, and one for proof.
// The words that come in later share the last bit of theirs.
const (
	kindBits    = 20
	sectorBits  = 22
	forumBits   = 20
	sectorFacts = kindBits
	forumFacts  = sectorFacts + sectorBits
	provenFact  = facts(1) << (forumFacts + forumBits)
)

func wordFact(list []Word, w Word, from, n int) facts {
	i := slices.Index(list, w)
	if i < 0 || i >= n {
		i = n - 1
	}
	return 1 << (from + i)
}

func forumFact(forum string) facts {
	h := fnv.New32a()
	_, _ = h.Write([]byte(forum)) // never fails
	return 1 << (forumFacts + h.Sum32()%forumBits)
}

// factsOf returns the facts of a team.
func factsOf(t *Team) facts {
	var f facts
	for _, k := range t.Kinds {
		f |= wordFact(Kinds, k, 0, kindBits)
	}
	for _, s := range t.Constituency.Sectors {
		f |= wordFact(Sectors, s, sectorFacts, sectorBits)
	}
	for i := range t.Memberships {
		if m := &t.Memberships[i]; m.current() {
			f |= forumFact(m.Forum)
		}
	}
	if len(t.Evidence) > 0 {
		f |= provenFact
	}
	return f
}

// facts returns what a team must have to pass. Without evidence a contact is
// unverified and nothing else.
func (f *Filter) facts() facts {
	var want facts
	if f.Kind != "" {
		want |= wordFact(Kinds, f.Kind, 0, kindBits)
	}
	if f.Sector != "" {
		want |= wordFact(Sectors, f.Sector, sectorFacts, sectorBits)
	}
	if f.Forum != "" {
		want |= forumFact(f.Forum)
	}
	if f.State != "" && f.State != Unverified {
		want |= provenFact
	}
	return want
}

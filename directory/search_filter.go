package directory

import (
	"slices"
	"time"
)

// filter is a [Filter] made ready for facts.
type filter struct {
	*Filter
	sectors, kinds uint32
	state          uint8
	now            int64
	none           bool
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
	return filter{f, sectors, kinds, uint8(max(state, 0)), nanoseconds(now), *f == Filter{}, !knownSector || !knownKind || state < 0 && f.State != ""}
}

// takes reports whether a team passes the filter, as [Filter.Takes] does for
// the team as the viewer sees it.
func (s *searching) takes(n int) bool {
	f, doc := &s.filter, &s.b.docs[n]
	switch {
	case f.none:
		return true
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

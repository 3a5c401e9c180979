package directory

import (
	"iter"

	"github.com/gaissmai/bart"
)

// Index is the whole directory in memory, at one number of the change
// sequence. It is immutable: any number of goroutines may ask it at once, and
// [Index.Apply] makes the next one without disturbing them.
type Index struct {
	options IndexOptions
	seq     int64
	epoch   string

	teams   shardMap[TeamID, *entry]   // live teams
	merged  shardMap[TeamID, merged]   // teams that became part of another
	deleted shardMap[TeamID, struct{}] // teams that were
	handles shardMap[Handle, TeamID]   // of both
	names   shardMap[string, []holder] // folded names and handles of live teams

	near   *nearNames   // the folded names again, by what they look like
	search *searchIndex // their words, and those of all other text; nil while there is none

	prefixes     *bart.Table[[]holder]
	asns         shardMap[ASN, []holder]
	domains      shardMap[Domain, []holder]
	mailboxes    shardMap[string, []holder]
	fingerprints shardMap[Fingerprint, []holder]
	countries    *countryTable // teams responsible for all of a country
	nations      *countryTable // teams designated by a country
	orders       orders        // live teams, for lists

	country    *ReferenceTable // nil while nothing of the kind is loaded
	origin     *ReferenceTable
	asnCountry *ReferenceTable
	last       *entry // the team of last resort; nil when there is none
	recent     recentChanges
}

// merged is a team that became part of another.
type merged struct {
	into   TeamID
	handle Handle
}

// countryTable holds a list for each pair of letters.
type countryTable [countryNumbers][]holder

func (t *countryTable) get(c Country) []holder {
	if n, ok := c.number(); ok && t != nil {
		return t[n]
	}
	return nil
}

// IndexOptions say what this instance wants of its index. The zero value is
// useful.
type IndexOptions struct {
	LastResort Handle // the team named when nobody else is known; "" is nobody
	Policy     Policy // how long proof lasts
}

// BuildIndex builds an index from all records of a store, tombstones and
// merged teams included, and its reference data. Records are not kept.
func BuildIndex(o IndexOptions, head Head, records iter.Seq[Record], references ...*ReferenceTable) *Index {
	x := &Index{options: o, epoch: head.Epoch, prefixes: new(bart.Table[[]holder])}
	e := x.edit()
	e.inPlace, e.near.inPlace = true, true
	for r := range records {
		e.put(&r)
	}
	for _, t := range references {
		e.reference(t)
	}
	return e.finish(head.Seq)
}

// Apply returns the index after some records changed, each as it is now, and
// some kinds of reference data were loaded anew. It costs the size of those
// records, whatever the size of the directory; x stays as it is.
func (x *Index) Apply(seq int64, records []Record, references ...*ReferenceTable) *Index {
	e := x.edit()
	for i := range records {
		e.put(&records[i])
	}
	for _, t := range references {
		e.reference(t)
	}
	return e.finish(seq)
}

// Seq returns the number of the last change that the index holds.
func (x *Index) Seq() int64 { return x.seq }

// Epoch returns the epoch of the store that the index was built from.
func (x *Index) Epoch() string { return x.epoch }

// Team returns a live team by its id, or the team that it was merged into. The
// team belongs to the index: never change it, and [Redact] it before showing
// it.
func (x *Index) Team(id TeamID) (*Team, bool) {
	if e := x.resolve(id); e != nil {
		return e.team, true
	}
	return nil, false
}

// ByHandle returns a live team by its handle, or the team that the handle's
// team was merged into, on the terms of [Index.Team].
func (x *Index) ByHandle(h Handle) (*Team, bool) {
	id, ok := x.handles.get(h)
	if !ok {
		return nil, false
	}
	return x.Team(id)
}

// resolve follows merges to a live team; nil when there is none. The number of
// steps is limited, since imported data could name a ring.
func (x *Index) resolve(id TeamID) *entry {
	for range 16 {
		if e, ok := x.teams.get(id); ok {
			return e
		}
		m, ok := x.merged.get(id)
		if !ok {
			return nil
		}
		id = m.into
	}
	return nil
}

// Teams yields all live teams, in no order, on the terms of [Index.Team].
func (x *Index) Teams() iter.Seq[*Team] {
	return func(yield func(*Team) bool) {
		for _, e := range x.teams.all() {
			if !yield(e.team) {
				return
			}
		}
	}
}

// Forums returns the forums that a team is a present member of: whose AMBER
// its people may see.
func (x *Index) Forums(id TeamID) []string {
	if t, ok := x.Team(id); ok {
		return t.Forums()
	}
	return nil
}

// References describes the reference data that is loaded.
func (x *Index) References() []ReferenceSet {
	var sets []ReferenceSet
	for _, t := range []*ReferenceTable{x.country, x.origin, x.asnCountry} {
		if t != nil {
			sets = append(sets, t.sets...)
		}
	}
	return sets
}

// IndexStats counts what an index holds.
type IndexStats struct {
	Teams, Merged, Names               int
	Prefixes, ASNs, Domains, Mailboxes int // distinct ones that teams list
	Keys                               int
	ReferenceEntries                   int // of all kinds, after merging the sources
}

// Stats counts what the index holds.
func (x *Index) Stats() IndexStats {
	return IndexStats{
		Teams: x.teams.size, Merged: x.merged.size, Names: x.names.size,
		Prefixes: x.prefixes.Size(), ASNs: x.asns.size, Domains: x.domains.size, Mailboxes: x.mailboxes.size, Keys: x.fingerprints.size,
		ReferenceEntries: x.country.size() + x.origin.size() + x.asnCountry.size(),
	}
}

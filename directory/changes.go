package directory

import (
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/google/uuid"
)

// recentChanges are the newest changes of teams, which an [Index] carries so
// that those who are waiting for a change cost the store nothing.
type recentChanges struct {
	from int64 // list has all changes of teams above this number, up to the index's
	list []Change
}

// keptChanges is how many changes an index carries at least, once there were
// that many; it carries up to twice as many.
const keptChanges = 4096

// add appends c. Indexes follow one another in a line, so that those before
// share the array and never see what is appended behind their own end.
func (r *recentChanges) add(c Change) {
	if len(r.list) >= 2*keptChanges {
		r.from = r.list[keptChanges-1].Seq
		r.list = slices.Clone(r.list[keptChanges:])
	}
	r.list = append(r.list, c)
}

// after returns at most limit changes above seq; false when they are too old.
func (r *recentChanges) after(seq int64, limit int) ([]Change, bool) {
	if seq < r.from {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(r.list, seq+1, func(c Change, n int64) int { return cmp.Compare(c.Seq, n) })
	return r.list[i:min(len(r.list), i+limit)], true
}

// TeamChange is a change of a team, with the team as an index has it now:
// later changes may be in it already, and follow under their own numbers.
type TeamChange struct {
	Change            // Op is delete, and Revision that of the change, when the team is gone by now
	Team       *Team  // on the terms of [Index.Team]; nil when the team is gone
	MergedInto TeamID // of a team that became part of another
}

// ErrEpoch says that the store was replaced, by a restore, under the index
// that was asked about. Take a newer one.
var ErrEpoch = &Error{Kind: Conflict, Op: "read changes", Problems: []Problem{
	problem("changes.epoch", "", "the directory was replaced by an older one", "a new snapshot")}}

// Changes returns what changed among the teams above number after, as x has
// it, in order, reading at most limit entries of the sequence. A team is in the
// list once, at its last change of those read. All up to next is in it: the
// sequence counts other things too, so that a list may have gaps, or be empty.
func (d *Directory) Changes(ctx context.Context, x *Index, after int64, limit int) (list []TeamChange, next int64, err error) {
	changes, ok := x.recent.after(after, limit)
	next = x.seq
	if !ok {
		if changes, err = d.olderChanges(ctx, x, after, limit); err != nil {
			return nil, after, err
		}
	}
	if len(changes) == limit {
		next = changes[limit-1].Seq
	}
	return x.changed(changes), next, nil
}

// olderChanges reads from the store what x does not carry. The store may be
// ahead of x: what x does not know yet is for later.
func (d *Directory) olderChanges(ctx context.Context, x *Index, after int64, limit int) (changes []Change, err error) {
	err = d.cfg.Store.View(ctx, func(r Reader) error {
		head, err := r.Head()
		if err == nil && head.Epoch != x.epoch {
			err = ErrEpoch
		}
		if err == nil {
			changes, err = r.Changes(after, limit)
		}
		return err
	})
	for len(changes) > 0 && changes[len(changes)-1].Seq > x.seq {
		changes = changes[:len(changes)-1]
	}
	return changes, err
}

// changed gives changes their teams and leaves out what is no team, and all
// but the last of each.
func (x *Index) changed(changes []Change) []TeamChange {
	list := make([]TeamChange, 0, len(changes))
	seen := make(map[string]bool, len(changes))
	for _, c := range slices.Backward(changes) {
		if c.Type != "team" || seen[c.ID] {
			continue
		}
		seen[c.ID] = true
		list = append(list, x.now(c))
	}
	slices.Reverse(list)
	return list
}

// now returns c with the team as it is in x.
func (x *Index) now(c Change) TeamChange {
	id := TeamID(c.ID)
	if e, ok := x.teams.get(id); ok {
		c.Op, c.Revision = OpUpsert, e.team.Revision
		return TeamChange{Change: c, Team: e.team}
	}
	c.Op = OpDelete
	m, _ := x.merged.get(id)
	return TeamChange{Change: c, MergedInto: m.into}
}

// Sorted returns all live teams in the order of their ids, on the terms of
// [Index.Team].
func (x *Index) Sorted() []*Team {
	type keyed struct {
		high, low uint64
		team      *Team
	}
	list := make([]keyed, 0, x.teams.size)
	for t := range x.Teams() {
		high, low := number(t.ID)
		list = append(list, keyed{high, low, t})
	}
	// A million ids compared as text would take seconds.
	slices.SortFunc(list, func(a, b keyed) int {
		switch {
		case a.high != b.high:
			return cmp.Compare(a.high, b.high)
		case a.low != b.low:
			return cmp.Compare(a.low, b.low)
		}
		return cmp.Compare(a.team.ID, b.team.ID)
	})
	teams := make([]*Team, len(list))
	for i := range list {
		teams[i] = list[i].team
	}
	return teams
}

// number reads a UUID as a number of 128 bits, in the order of which the texts
// are too. What is no UUID, as in a test, is 0.
func number(id TeamID) (high, low uint64) {
	u, err := uuid.Parse(string(id))
	if err != nil {
		return 0, 0
	}
	return binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
}

// Gone yields the teams that are no more, in the order of their ids, each with
// the team that it became part of; "" for one that was deleted.
func (x *Index) Gone() iter.Seq2[TeamID, TeamID] {
	into := make(map[TeamID]TeamID, x.merged.size+x.deleted.size)
	for id, m := range x.merged.all() {
		into[id] = m.into
	}
	for id := range x.deleted.all() {
		into[id] = ""
	}
	ids := slices.Sorted(func(yield func(TeamID) bool) {
		for id := range into {
			if !yield(id) {
				return
			}
		}
	})
	return func(yield func(TeamID, TeamID) bool) {
		for _, id := range ids {
			if !yield(id, into[id]) {
				return
			}
		}
	}
}

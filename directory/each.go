package directory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// eachPage is how many records are held at once by [Directory.Each].
const eachPage = 500

// Each yields the live teams that f takes, in the order of their handles, as p
// may see them: redacted first and filtered then, so that nothing is found by
// what is withheld. An error ends the teams.
//
// It reads pages within one view of the store: the teams are of one moment,
// each of them once, whatever is written meanwhile. The view stays open until
// the caller is done, and holds a connection and the engine's old versions for
// so long: it is for callers that go as fast as the machine. Whoever waits for
// somebody else, such as a slow client, asks [Index.Each].
func (d *Directory) Each(ctx context.Context, p Principal, f Filter, policy Policy, now time.Time) iter.Seq2[Team, error] {
	return func(yield func(Team, error) bool) {
		page := TeamFilter{Limit: eachPage, Country: f.Country, Kind: f.Kind}
		err := d.cfg.Store.View(ctx, func(tx Reader) error {
			for {
				list, err := tx.Teams(page)
				if err != nil {
					return err
				}
				for i := range list {
					t := list[i].Team()
					if t = Redact(&t, p); f.Takes(&t, policy, now) && !yield(t, nil) {
						return nil
					}
					page.After = list[i].Handle
				}
				if len(list) < eachPage {
					return nil
				}
			}
		})
		if err != nil {
			yield(Team{}, err)
		}
	}
}

// Each yields the live teams of the index on the terms of [Directory.Each].
// An index is of one moment by nature, and nobody waits for who reads it: it
// costs memory for a pointer to each team. A nil index is [Unavailable].
func (x *Index) Each(ctx context.Context, p Principal, f Filter, policy Policy, now time.Time) iter.Seq2[Team, error] {
	return func(yield func(Team, error) bool) {
		if x == nil {
			yield(Team{}, &Error{Kind: Unavailable, Op: "read teams"})
			return
		}
		for _, t := range x.sorted() {
			if err := ctx.Err(); err != nil {
				yield(Team{}, &Error{Kind: Unavailable, Op: "read teams", Err: err})
				return
			}
			if t := Redact(t, p); f.Takes(&t, policy, now) && !yield(t, nil) {
				return
			}
		}
	}
}

// sorted returns the teams in the order of their handles.
func (x *Index) sorted() []*Team {
	list := make([]*Team, 0, x.teams.size)
	for t := range x.Teams() {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *Team) int { return cmp.Compare(a.Handle, b.Handle) })
	return list
}

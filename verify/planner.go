package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"runtime/debug"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// planner remembers what was planned. It is one goroutine's.
type planner struct {
	epoch string
	seq   int64
	done  map[directory.TeamID]uint64 // digest of the last plan of a team
	full  time.Time                   // of the last plan of all teams, by the monotonic clock
}

const (
	replanEvery = 6 * time.Hour // all teams, which mends whatever went wrong
	planAtOnce  = 500           // teams
	changesRead = 1000
)

// follow keeps the queue level with the directory until ctx ends.
func (r *Runner) follow(ctx context.Context) {
	for {
		moved := r.cfg.Follower.Moved()
		if x := r.cfg.Follower.Index(); x != nil {
			if err := r.planUpTo(ctx, x); err != nil {
				if ctx.Err() == nil {
					r.cfg.Log.Warn("checks can't be planned", "err", err)
				}
				if !pause(ctx, 5*r.cfg.Poll) {
					return
				}
				continue
			}
		}
		timer := time.NewTimer(replanEvery)
		select {
		case <-ctx.Done():
		case <-moved:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		r.Wake() // somebody may have asked for a run, or resumed
	}
}

// planUpTo plans what changed up to an index, or everything.
func (r *Runner) planUpTo(ctx context.Context, x *directory.Index) error {
	p := &r.plans
	if p.epoch != x.Epoch() || x.Seq() < p.seq || time.Since(p.full) >= replanEvery {
		p.done, p.epoch, p.seq, p.full = map[directory.TeamID]uint64{}, "", 0, time.Time{}
		if err := r.planTeams(ctx, slices.Collect(x.Teams())); err != nil {
			return err
		}
		p.epoch, p.seq, p.full = x.Epoch(), x.Seq(), time.Now()
		return nil
	}
	for p.seq < x.Seq() {
		changes, next, err := r.cfg.Directory.Changes(ctx, x, p.seq, changesRead)
		if err != nil {
			p.epoch = "" // plan everything
			return err
		}
		var teams []*directory.Team
		var gone []TeamPlan
		for i := range changes {
			if t := changes[i].Team; t != nil {
				teams = append(teams, t)
			} else {
				id := directory.TeamID(changes[i].ID)
				delete(p.done, id)
				gone = append(gone, TeamPlan{Team: id})
			}
		}
		if err := r.planTeams(ctx, teams); err != nil {
			return err
		}
		if err := r.put(ctx, gone); err != nil {
			return err
		}
		p.seq = next
	}
	return nil
}

// planTeams plans those teams whose plans are other ones than before.
func (r *Runner) planTeams(ctx context.Context, teams []*directory.Team) error {
	for some := range slices.Chunk(teams, planAtOnce) {
		var plans []TeamPlan
		digests := map[directory.TeamID]uint64{}
		for _, t := range some {
			plan, ok := r.planFor(t)
			digest := digestOf(plan)
			if last, had := r.plans.done[t.ID]; !ok || had && last == digest {
				continue
			}
			plans = append(plans, plan)
			digests[t.ID] = digest
		}
		if err := r.put(ctx, plans); err != nil {
			return err
		}
		for id, digest := range digests {
			r.plans.done[id] = digest
		}
	}
	return nil
}

func (r *Runner) put(ctx context.Context, plans []TeamPlan) error {
	if len(plans) == 0 {
		return ctx.Err()
	}
	done, err := r.cfg.Store.Plan(ctx, r.now(), r.names, plans)
	if err != nil {
		return fmt.Errorf("%d teams: %w", len(plans), err)
	}
	if done != (Planned{}) {
		r.cfg.Log.Debug("checks planned", "added", done.Added, "moved", done.Moved, "removed", done.Removed)
		r.Wake()
	}
	return nil
}

// planFor asks all checks what they look at. A check that breaks leaves the
// team's plan as it was.
func (r *Runner) planFor(t *directory.Team) (plan TeamPlan, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.cfg.Log.Error("checks can't be planned for a team", "team", t.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			plan, ok = TeamPlan{}, false
		}
	}()
	claims := ClaimsOf(t)
	revision := claims.revision()
	plan.Team = t.ID
	for _, name := range r.names {
		c := r.checks[name]
		for _, s := range c.Applies(t) {
			w := Want{Check: name, Subject: s, Revision: revision, Every: c.Every}
			if s.ID != "" && !slices.Contains(plan.Want, w) {
				plan.Want = append(plan.Want, w)
			}
		}
	}
	return plan, true
}

// revision is a number that is another one whenever the claims are.
func (c *Claims) revision() int64 {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(c) // plain data; a hash takes all that is written
	return int64(h.Sum64())
}

func digestOf(p TeamPlan) uint64 {
	h := fnv.New64a()
	for _, w := range p.Want {
		fmt.Fprintf(h, "%s %s %d %d\n", w.Check, w.Subject, w.Revision, w.Every)
	}
	return h.Sum64()
}

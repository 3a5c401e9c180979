package directory

import (
	"context"
	"slices"
	"time"
)

// Unmerged is what [Directory.Unmerge] made of one team.
type Unmerged struct {
	Team Team // the one that is on its own again
	From Team // the one that it was part of
}

// Unmerge takes a merge back: the team with the handle or id ref is on its own
// again, as it was before, and the one that it was part of loses what came
// with it. What was changed since stays where it was entered, with the team
// that stayed; what a source imported since goes back with its layer, and what
// was proven since with its contact. revision is that of the team that stayed.
//
// The two are decided to be different from then on, so that no rule makes them
// one again. A merge that can't be taken back is a [Conflict] that says why.
func (d *Directory) Unmerge(ctx context.Context, p Principal, ref string, revision int64) (Unmerged, error) {
	var out Unmerged
	if err := authorise(p, actMerge, nil); err != nil {
		return out, err
	}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		gone, err := byRef(tx, ref)
		if err != nil {
			return err
		}
		if gone.MergedInto == "" {
			return cannotUnmerge(ref, "merge.not-merged", ref, "the team is not part of another one", "the handle or id of a team that was merged")
		}
		now, _, err := d.forWrite(tx, p, actMerge, string(gone.MergedInto), revision)
		if err != nil {
			return err
		}
		out, err = d.unmerge(tx, p.Name, &gone, &now)
		return err
	})
	out.Team, out.From = Redact(&out.Team, p), Redact(&out.From, p)
	return out, d.committed(ctx, err)
}

func cannotUnmerge(ref string, code Code, value, reason, want string) error {
	return &Error{Kind: Conflict, Op: "unmerge team", Subject: ref, Problems: []Problem{problem(code, value, reason, want)}}
}

func (d *Directory) unmerge(tx Tx, actor string, gone, into *Record) (Unmerged, error) {
	before, err := beforeMerge(tx, gone, into)
	if err != nil {
		return Unmerged{}, err
	}
	s := d.split(before, gone, into)
	for _, r := range []*Record{&s.back, &s.left} {
		if t := r.Team(); t.Names.Short == "" && t.Names.Full == "" {
			return Unmerged{}, cannotUnmerge(string(gone.Handle), "merge.nothing-left", string(r.Handle),
				"since the merge all that was known of "+string(r.Handle)+" alone was taken out, so that nothing would be left of it", "")
		}
	}
	seq, err := tx.NextSeq(2)
	if err != nil {
		return Unmerged{}, err
	}
	s.left.Seq, s.back.Seq = seq, seq+1
	had, have, was := into.Team(), s.left.Team(), Team{}
	old, back := before.Team(), s.back.Team()
	s.left.disinherit(before, &had, &have, actor, s.left.Updated)
	s.back.succeed(&old, &back, actor, s.back.Updated)
	err = tx.PutTeams([]TeamWrite{
		{Record: s.left, Op: OpUpsert, Actor: actor, Action: actUnmerge, Fields: changed(&had.Profile, &have.Profile)},
		{Record: s.back, Op: OpUpsert, Actor: actor, Action: actUnmerge, Fields: append(changed(&was.Profile, &back.Profile), "merged_into")},
	})
	if err == nil {
		err = tx.DropEvidence(into.ID, s.dropped)
	}
	if err == nil {
		err = tx.PutEvidence(gone.ID, s.returned)
	}
	if err == nil {
		err = d.decide(tx, actor, &MatchDecision{A: gone.ID, B: into.ID, Reason: "merge undone", Facts: sharedFacts(&back, &have)})
	}
	if err != nil {
		return Unmerged{}, err
	}
	return Unmerged{Team: s.back.Team(), From: s.left.Team()}, nil
}

// actUnmerge is how the history and the audit trail call it.
const actUnmerge = "unmerge teams"

// beforeMerge returns the record that gone was before it became part of into.
func beforeMerge(tx Reader, gone, into *Record) (*Record, error) {
	if into.ID != gone.MergedInto {
		return nil, cannotUnmerge(string(gone.Handle), "merge.later", string(into.Handle),
			"the team that it became part of is part of "+string(into.Handle)+" itself", "that merge undone first")
	}
	history, err := tx.History(gone.ID, 0, 1)
	if err != nil {
		return nil, err
	}
	if len(history) == 0 || history[0].Before == nil || history[0].Before.MergedInto != "" || history[0].Action != string(actMerge) {
		return nil, cannotUnmerge(string(gone.Handle), "merge.no-history", string(gone.Handle),
			"the history of this merge is not in this database, since the team came from an export", "a look at the database that it came from")
	}
	return history[0].Before, nil
}

// parted is what undoing a merge makes of two records, before it is written.
type parted struct {
	back, left Record
	returned   []Evidence // what was proven since about contacts that go back
	dropped    []string   // ids of evidence that leaves the team that stayed
}

// split parts two records: before is what gone was before it became part of
// into.
func (d *Directory) split(before, gone, into *Record) parted {
	now := d.cfg.Now()
	s := parted{back: *before, left: *into}
	s.back.Revision, s.back.Updated, s.back.Evidence = gone.Revision+1, now, gone.Evidence
	s.left.Revision, s.left.Updated = into.Revision+1, now
	s.back.Layers, s.left.Layers = nil, nil
	old := before.Team()
	old.Evidence = gone.Evidence
	for _, l := range before.Layers {
		i := slices.IndexFunc(into.Layers, func(x Layer) bool { return x.Source == l.Source && x.Key == l.Key })
		switch {
		case i < 0: // the source took it out since
		case into.Layers[i].Hash == l.Hash:
			s.back.Layers = append(s.back.Layers, l)
		default:
			s.back.Layers = append(s.back.Layers, d.resettle(&old, into.Layers[i], now))
		}
	}
	for _, l := range into.Layers {
		brought := l.Source == mergedPrefix+string(gone.Handle) && l.Key == string(gone.ID)
		if !brought && !slices.ContainsFunc(before.Layers, func(x Layer) bool { return x.Source == l.Source && x.Key == l.Key }) {
			s.left.Layers = append(s.left.Layers, l)
		}
	}
	s.evidence(gone, into)
	return s
}

// resettle gives the contacts of a layer that was imported meanwhile the ids
// that they had in the team that the layer goes back to.
func (d *Directory) resettle(old *Team, l Layer, now time.Time) Layer {
	l.Profile.Contacts = each(l.Profile.Contacts, func(c *Contact) { c.ID = "" })
	settleContacts(old, &l.Profile, old.ID, d.newID, now)
	return l
}

// evidence decides what goes: what came with the merge, and what was proven
// since about contacts that only the team that goes back has.
func (s *parted) evidence(gone, into *Record) {
	moved := map[string]bool{}
	for _, e := range gone.Evidence {
		moved[movedEvidence(gone.ID, e.ID)] = true
	}
	back, left := s.back.Team(), s.left.Team()
	var kept []Evidence
	for _, e := range into.Evidence {
		switch has := func(c Contact) bool { return c.ID == e.Contact }; {
		case moved[e.ID]:
			s.dropped = append(s.dropped, e.ID)
		case !slices.ContainsFunc(left.Contacts, has) && slices.ContainsFunc(back.Contacts, func(c Contact) bool { return has(c) && c.Revision == e.Revision }):
			s.dropped = append(s.dropped, e.ID)
			s.returned = append(s.returned, e)
		default:
			kept = append(kept, e)
		}
	}
	s.left.Evidence = kept
	s.back.Evidence = newestFirst(s.returned, gone.Evidence)
}

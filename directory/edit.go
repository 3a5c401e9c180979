package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Edit changes what a team entered. Apply gets the stored team, merged, and
// the team's own profile to change; it may run more than once. An error of
// Apply ends the edit.
type Edit struct {
	Revision int64  // the revision the edit is based on, or [AnyRevision]
	Handle   Handle // "": unchanged
	Apply    func(now *Team, own *Profile) error
}

// Edit edits the team with the handle or id ref. If the team has moved on
// since e.Revision, nothing is written and the error is [Stale]; its problems
// name each field that changed meanwhile, when, and by whom. An edit that
// changes nothing writes nothing.
func (d *Directory) Edit(ctx context.Context, p Principal, ref string, e Edit) (Team, error) {
	var out Team
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, before, err := d.forWrite(tx, p, actEdit, ref, e.Revision)
		if err != nil {
			return err
		}
		fields, err := d.apply(&r, before, p, e)
		if err != nil {
			return err
		}
		if len(fields) > 0 {
			err = d.put(tx, &r, OpUpsert, p, actEdit, fields)
		}
		out = r.Team()
		return err
	})
	return Redact(&out, p), d.committed(ctx, err)
}

// forWrite loads a record that p wants to change on the base of revision.
func (d *Directory) forWrite(tx Tx, p Principal, act action, ref string, revision int64) (Record, *Team, error) {
	r, err := findIn(tx, ref)
	if err != nil {
		return Record{}, nil, err
	}
	before := r.Team()
	if err := authorise(p, act, &before); err != nil {
		return Record{}, nil, err
	}
	switch {
	case revision == 0:
		err = &Error{Kind: Unconditional, Op: string(act), Subject: string(r.Handle), Problems: []Problem{
			problem("revision.missing", "", "the revision that the change is based on is not named", fmt.Sprintf("revision %d, if you have seen it", r.Revision))}}
	case revision != AnyRevision && revision != r.Revision:
		err = stale(tx, act, &r, revision)
	}
	return r, &before, err
}

func (d *Directory) apply(r *Record, before *Team, p Principal, e Edit) ([]string, error) {
	now := d.cfg.Now()
	ownBefore := r.Own
	unprovenBefore := r.unproven() // a copy: Apply may write into lists
	if err := e.Apply(before, &r.Own); err != nil {
		return nil, err
	}
	old := r.Handle
	r.keepClaims(&unprovenBefore)
	problems := p.spare(before, &ownBefore, &r.Own)
	if e.Handle != "" && e.Handle != old {
		r.Handle = e.Handle
		if p.Role != Operator { // addresses and bookmarks lead to it
			problems = append(problems, problem("auth.field", string(e.Handle), "only an operator gives a team another handle", string(old)).At("/handle"))
		}
	}
	problems = append(problems, r.settle(before, d, p, now)...)
	after, unprovenAfter := r.Team(), r.unproven()
	problems = append(problems, restricted(p, &unprovenBefore.Profile, &unprovenAfter.Profile)...)
	if len(problems) > 0 {
		return nil, &Error{Kind: Invalid, Op: string(actEdit), Subject: string(old), Problems: problems}
	}
	fields := changed(&before.Profile, &after.Profile)
	for _, f := range changed(&ownBefore, &r.Own) {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	if r.Handle != old {
		fields = append(fields, "handle")
	}
	if len(fields) > 0 {
		r.Revision++
		r.succeed(before, &after, p.Name, now)
		r.OwnDates = redate(&ownBefore, &r.Own, r.OwnDates, r.OwnAt)
		r.Updated, r.OwnAt, r.OwnBy = now, now, p.Name
	}
	return fields, nil
}

// stale says what changed since revision.
func stale(tx Reader, act action, r *Record, revision int64) error {
	e := &Error{Kind: Stale, Op: string(act), Subject: string(r.Handle)}
	if revision > r.Revision {
		e.Problems = []Problem{problem("revision.unknown", fmt.Sprint(revision), "the team never had this revision", fmt.Sprintf("revision %d", r.Revision))}
		return e
	}
	history, err := tx.History(r.ID, 0, int(min(r.Revision-revision, 100)))
	if err != nil {
		return err
	}
	told := map[string]bool{}
	for _, h := range history {
		if h.Revision <= revision {
			continue
		}
		for _, f := range h.Fields {
			if !told[f] {
				told[f] = true
				e.Problems = append(e.Problems, Problem{Code: "revision.stale", Field: "/" + f, Value: fmt.Sprint(revision),
					Reason: fmt.Sprintf("changed in revision %d by %s at %s", h.Revision, h.Actor, h.At.UTC().Format(time.RFC3339)),
					Want:   fmt.Sprintf("the change made again on revision %d", r.Revision)})
			}
		}
	}
	if len(e.Problems) == 0 && len(history) > 0 { // an import that moved a date only
		h := history[0]
		e.Problems = []Problem{problem("revision.stale", fmt.Sprint(revision),
			fmt.Sprintf("revision %d was written by %s (%s) at %s", h.Revision, h.Actor, h.Action, h.At.UTC().Format(time.RFC3339)),
			fmt.Sprintf("the change made again on revision %d", r.Revision))}
	}
	return e
}

// Delete ends a team. A tombstone with its history stays; its handle is not
// given to another team.
func (d *Directory) Delete(ctx context.Context, p Principal, ref string, revision int64) error {
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, _, err := d.forWrite(tx, p, actDelete, ref, revision)
		if err != nil {
			return err
		}
		r.Revision++
		r.Updated = d.cfg.Now()
		r.Deleted = r.Updated
		return d.put(tx, &r, OpDelete, p, actDelete, []string{"deleted"})
	})
	return d.committed(ctx, err)
}

// RecordEvidence writes down what an operator proved by another way than a
// machine can: a call, a meeting, a letter, another registrar's word.
func (d *Directory) RecordEvidence(ctx context.Context, p Principal, ref string, e Evidence) (Team, error) {
	if problems := d.checkEvidence(e); len(problems) > 0 {
		return Team{}, &Error{Kind: Invalid, Op: string(actEvidence), Subject: ref, Problems: problems}
	}
	var out Team
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		r, before, err := d.forWrite(tx, p, actEvidence, ref, AnyRevision)
		if err != nil {
			return err
		}
		old := previous(before, Contact{ID: e.Contact})
		if old == nil {
			return &Error{Kind: NotFound, Op: string(actEvidence), Subject: ref, Problems: []Problem{{
				Code: "contact.unknown-id", Field: "/contact", Value: string(e.Contact), Reason: "the team has no contact with this id", Want: "the id of one of its contacts"}}}
		}
		if old.Revision > 1 && e.At.Before(old.Since) {
			p := problem("date.order", e.At.UTC().Format(time.RFC3339), "the contact has its present value since "+old.Since.UTC().Format(time.RFC3339)+
				" only, so this is not about it", "a later time")
			return &Error{Kind: Invalid, Op: string(actEvidence), Subject: ref, Problems: []Problem{p.At("/at")}}
		}
		e.ID, e.Revision, e.By = d.newID(), old.Revision, "operator" // which one, the audit says
		if err := tx.PutEvidence(r.ID, []Evidence{e}); err != nil {
			return err
		}
		r.Evidence = append([]Evidence{e}, r.Evidence...)
		out = r.Team()
		return d.note(tx, p, &r, e)
	})
	return Redact(&out, p), d.committed(ctx, err)
}

// note writes the change and audit rows of evidence. The team's revision stays:
// proof is no edit, and must not make the edits of others stale.
func (d *Directory) note(tx Tx, p Principal, r *Record, e Evidence) error {
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	now := d.cfg.Now()
	return tx.Append(
		Change{Seq: seq, Type: "team", ID: string(r.ID), Op: OpUpsert, Revision: r.Revision, At: now},
		AuditEntry{Seq: seq, At: now, Actor: p.Name, Action: string(actEvidence), Subject: "team:" + string(r.ID),
			Fields: []string{"evidence"}, Detail: fmt.Sprintf("contact %s: %s level %d by %s", e.Contact, e.Outcome, e.Level, e.Method)})
}

func (d *Directory) checkEvidence(e Evidence) []Problem {
	c := checker{now: d.cfg.Now()}
	c.text("/note", e.Note, 2000)
	if !knownMethod(e.Method) {
		c.add("evidence.method", "/method", e.Method, "not a way in which a person proves something", "one of "+strings.Join(operatorMethods, ", "))
	}
	switch e.Outcome {
	case OutcomeProved, OutcomeFailed, OutcomeDisputed, OutcomeSettled:
	default:
		c.add("evidence.outcome", "/outcome", string(e.Outcome), "not an outcome", "proved, failed, disputed or settled")
	}
	if e.Level < Listed || e.Level > Drilled || e.Outcome == OutcomeProved && e.Level == Listed {
		c.add("evidence.level", "/level", fmt.Sprint(int(e.Level)), "not a level that can be proved", "1 to 4")
	}
	if e.At.IsZero() || e.At.After(c.now) {
		c.add("date.future", "/at", e.At.Format(time.RFC3339), "not a time that has passed", "when it was proved")
	}
	if !e.ValidUntil.IsZero() && !e.ValidUntil.After(e.At) {
		c.add("date.order", "/valid_until", e.ValidUntil.Format(time.RFC3339), "not after the time of the proof", "a later time")
	}
	if e.ValidUntil.After(e.At.AddDate(2, 0, 0)) {
		c.add("evidence.too-long", "/valid_until", e.ValidUntil.Format(time.RFC3339), "more than two years after the proof", "a day within two years, or none for the policy's")
	}
	return c.found
}

// History returns the revisions of a team below before (0: all), newest first.
func (d *Directory) History(ctx context.Context, p Principal, ref string, before int64, limit int) (list []Revision, err error) {
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		r, err := byRef(tx, ref)
		if err != nil {
			return err
		}
		t := r.Team()
		if err := authorise(p, actHistory, &t); err != nil {
			return err
		}
		list, err = tx.History(r.ID, before, limit)
		return err
	})
	return list, err
}

// Audit returns the audit entries that f selects, newest first.
func (d *Directory) Audit(ctx context.Context, p Principal, f AuditFilter) (list []AuditEntry, err error) {
	if err := authorise(p, actAudit, nil); err != nil {
		return nil, err
	}
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		list, err = tx.Audit(f)
		return err
	})
	return list, err
}

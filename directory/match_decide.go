package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict is what somebody says about two teams.
type Verdict string

// The verdicts.
const (
	VerdictSame      Verdict = "same"      // they are one: merge them
	VerdictDifferent Verdict = "different" // they are two: propose them no more
	VerdictOpen      Verdict = "open"      // what was decided no longer holds
)

// MatchDecision says that two teams are different, who decided so, and on the
// ground of what. It holds until the two have something in common that they
// had not then.
type MatchDecision struct {
	A, B   TeamID   // A is the lower one
	Facts  []string // what the two had in common, as "mailbox csirt@example.org"
	Reason string   // in words; may be ""
	By     string
	At     time.Time
	Seq    int64
}

// reopened returns the first fact that the decision did not know of; "" when it
// still holds.
func (d *MatchDecision) reopened(facts []string) string {
	for _, f := range facts {
		if !slices.Contains(d.Facts, f) {
			return f
		}
	}
	return ""
}

// MatchSide names one team of a verdict and the revision that was looked at.
type MatchSide struct {
	Team     string // handle or id
	Revision int64  // or [AnyRevision]
}

// MatchVerdict is a verdict on its way to [Directory.Decide].
type MatchVerdict struct {
	Verdict     Verdict
	Keep, Other MatchSide // of [VerdictSame], Other becomes part of Keep; else in any order
	Reason      string    // in words, at most 500 characters
}

// Decided is what came of a verdict.
type Decided struct {
	Keep, Other Team            // Other is merged, where the verdict was "same"
	Conflicts   []MergeConflict // of a merge: what both had entered
	Decision    *MatchDecision  // of "different"
}

// Decide carries out a verdict about two teams. Both must be at the revision
// that the verdict names, else it is [Stale]: of two people who decide at once
// one wins. A pair that was decided to be different, and has nothing new in
// common, is a [Conflict] until it is reopened.
func (d *Directory) Decide(ctx context.Context, p Principal, v MatchVerdict) (Decided, error) {
	if err := authorise(p, actMerge, nil); err != nil {
		return Decided{}, err
	}
	if problems := v.check(); len(problems) > 0 {
		return Decided{}, &Error{Kind: Invalid, Op: "decide match", Problems: problems}
	}
	var out Decided
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		keep, _, err := d.forWrite(tx, p, actMerge, v.Keep.Team, v.Keep.Revision)
		if err != nil {
			return inSide("/keep", err)
		}
		other, _, err := d.forWrite(tx, p, actMerge, v.Other.Team, v.Other.Revision)
		if err != nil {
			return inSide("/other", err)
		}
		if keep.ID == other.ID {
			return inSide("/other", mergeSame(v.Other.Team, v.Keep.Team))
		}
		out, err = d.carryOut(tx, p.Name, v, &keep, &other)
		return err
	})
	out.Keep, out.Other = Redact(&out.Keep, p), Redact(&out.Other, p)
	return out, d.committed(ctx, err)
}

func (v *MatchVerdict) check() []Problem {
	var c checker
	c.text("/reason", v.Reason, 500)
	switch v.Verdict {
	case VerdictSame, VerdictDifferent, VerdictOpen:
	default:
		c.add("match.verdict", "/verdict", string(v.Verdict), "not a verdict", "same, different or open")
	}
	return c.found
}

func (d *Directory) carryOut(tx Tx, actor string, v MatchVerdict, keep, other *Record) (Decided, error) {
	out := Decided{Keep: keep.Team(), Other: other.Team()}
	if v.Verdict == VerdictOpen {
		return out, d.forget(tx, actor, keep.ID, other.ID)
	}
	facts := sharedFacts(&out.Keep, &out.Other)
	if err := stillOpen(tx, keep, other, facts); err != nil {
		return out, err
	}
	if v.Verdict == VerdictDifferent {
		m := MatchDecision{A: keep.ID, B: other.ID, Facts: facts, Reason: v.Reason}
		err := d.decide(tx, actor, &m)
		out.Decision = &m
		return out, err
	}
	out.Conflicts = conflictsOf(&other.Own, &keep.Own)
	team, err := d.merge(tx, actor, other, keep)
	out.Keep, out.Other.MergedInto = team, keep.ID
	return out, err
}

// stillOpen refuses to decide a pair once more.
func stillOpen(tx Reader, keep, other *Record, facts []string) error {
	m, err := decisionOn(tx, keep.ID, other.ID)
	if err != nil || m == nil || m.reopened(facts) != "" {
		return err
	}
	reason := fmt.Sprintf("%s decided on %s that they are different", m.By, m.At.UTC().Format(time.DateOnly))
	if m.Reason != "" {
		reason += ": " + m.Reason
	}
	return &Error{Kind: Conflict, Op: "decide match", Subject: string(keep.Handle), Problems: []Problem{
		problem("match.decided", string(other.Handle), reason, "the pair reopened first (verdict open)").At("/verdict")}}
}

// decisionOn returns the decision about two teams, or nil.
func decisionOn(tx Reader, a, b TeamID) (*MatchDecision, error) {
	a, b = min(a, b), max(a, b)
	list, err := tx.Decisions(a)
	for i := range list {
		if list[i].A == a && list[i].B == b {
			return &list[i], nil
		}
	}
	return nil, err
}

// decide writes a decision as the next change, and completes it.
func (d *Directory) decide(tx Tx, actor string, m *MatchDecision) error {
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	m.A, m.B = min(m.A, m.B), max(m.A, m.B)
	m.By, m.At, m.Seq = actor, d.cfg.Now(), seq
	if err := tx.PutDecision(*m); err != nil {
		return err
	}
	return d.noteMatch(tx, OpUpsert, m, string(VerdictDifferent))
}

// forget takes the decision about two teams out, if there is one.
func (d *Directory) forget(tx Tx, actor string, a, b TeamID) error {
	m, err := decisionOn(tx, a, b)
	if err != nil || m == nil {
		return err
	}
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	m.Seq, m.By, m.At, m.Reason = seq, actor, d.cfg.Now(), ""
	if err := tx.DropDecision(m.A, m.B); err != nil {
		return err
	}
	return d.noteMatch(tx, OpDelete, m, string(VerdictOpen))
}

func (d *Directory) noteMatch(tx Tx, op Op, m *MatchDecision, verdict string) error {
	id := string(m.A) + "/" + string(m.B)
	return tx.Append(
		Change{Seq: m.Seq, Type: "match", ID: id, Op: op, At: m.At},
		AuditEntry{Seq: m.Seq, At: m.At, Actor: m.By, Action: "decide match", Subject: "match:" + id,
			Detail: strings.TrimSuffix(verdict+": "+m.Reason, ": ")})
}

// inSide says which team of a verdict an error is about.
func inSide(side string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	again := *e
	again.Problems = nil
	for _, p := range e.Problems {
		switch e.Kind {
		case Stale, Unconditional:
			if p.Field != "" {
				p.Reason = p.Field[1:] + " was " + p.Reason
			}
			p.Field = side + "/revision"
		case NotFound, Invalid:
			p.Field = side + "/team"
		}
		again.Problems = append(again.Problems, p)
	}
	return &again
}

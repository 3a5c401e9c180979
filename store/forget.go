package store

import (
	"context"
	"fmt"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	// forgetQuestions is how many questions lose their history in one transaction.
	forgetQuestions = 100

	// Every log begins with line 1, by which an index finds the old ones. Once a log is gone its question is not found any more.
	forgettable = ` FROM challenge_log l JOIN challenge c ON c.id = l.challenge WHERE l.n = 1 AND l.at < $1 AND c.is_open = 0
		AND NOT EXISTS (SELECT 1 FROM challenge_log m WHERE m.challenge = c.id AND m.at >= $1)
		AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.challenge = c.id AND o.due_at <> 0)
		AND NOT EXISTS (SELECT 1 FROM challenge_case k WHERE k.challenge = c.id AND k.closed = 0)
		AND NOT EXISTS (SELECT 1 FROM challenge_telling w WHERE w.challenge = c.id AND w.letter = '')`
	forgetList  = `SELECT c.doc` + forgettable + ` ORDER BY l.at, l.challenge LIMIT %d`
	forgetLines = `DELETE FROM challenge_log WHERE challenge IN (%s)`
	forgetLinks = `DELETE FROM challenge_token WHERE lookup IN (%s)`
	forgetMails = `DELETE FROM outbox WHERE challenge IN (%s) AND step <> 'first'`
	forgetTold  = `DELETE FROM challenge_telling WHERE challenge IN (%s)`

	oldTeamNotices = ` FROM notice WHERE created < $1 AND due_at = 0`
	forgetNotices  = `DELETE FROM notice WHERE id IN (SELECT id` + oldTeamNotices + ` ORDER BY created LIMIT %d)`
	// Who opted out did so for an address, whoever lists it.
	oldMarks    = ` FROM challenge_flag WHERE flag <> 'opt-out-asked' AND at < $1 AND team_id IN (SELECT id FROM team WHERE gone = 1)`
	forgetMarks = `DELETE` + oldMarks

	countForgettable = `SELECT (SELECT COUNT(*)` + forgettable + `),
		(SELECT COUNT(*) FROM challenge_log x WHERE x.challenge IN (SELECT c.id` + forgettable + `)),
		(SELECT COUNT(*) FROM challenge_token x WHERE x.challenge IN (SELECT c.id` + forgettable + `)),
		(SELECT COUNT(*) FROM outbox x WHERE x.step <> 'first' AND x.challenge IN (SELECT c.id` + forgettable + `)),
		(SELECT COUNT(*) FROM challenge_telling x WHERE x.challenge IN (SELECT c.id` + forgettable + `)),
		(SELECT COUNT(*)` + oldTeamNotices + `), (SELECT COUNT(*)` + oldMarks + `)`
	countRaw = `SELECT COUNT(*)` + oldRaw
)

// Forget implements [challenge.HistoryStore]. Who writes challenges is alone, so that nothing
// happens to a question while its history goes.
func (db *DB) Forget(ctx context.Context, f challenge.Forget) (gone challenge.Forgotten, more bool, err error) {
	const op = "forget questions"
	err = db.update(ctx, op, func(t *tx) error {
		gone, more = challenge.Forgotten{}, false // it may run again
		if !f.Before.IsZero() {
			if err := t.forgetOver(micros(f.Before), &gone); err != nil {
				return db.fail(op, "", err)
			}
			more = gone.Questions == forgetQuestions || gone.Notices == pruneRows
		}
		if !f.Raw.IsZero() {
			if gone.Raw, err = t.affect(fmt.Sprintf(pruneRaw, pruneRows), micros(f.Raw)); err != nil {
				return db.fail(op, "", err)
			}
			more = more || gone.Raw == pruneRows
		}
		return nil
	})
	return gone, more, err
}

// forgetOver removes what questions that are over have left behind, of some of them.
func (t *tx) forgetOver(before int64, gone *challenge.Forgotten) (err error) {
	if gone.Notices, err = t.affect(fmt.Sprintf(forgetNotices, pruneRows), before); err != nil {
		return err
	}
	if gone.Marks, err = t.affect(forgetMarks, before); err != nil {
		return err
	}
	list, err := collect(&t.view, scanChallenge, fmt.Sprintf(forgetList, forgetQuestions), before)
	if err != nil {
		return err
	}
	gone.Questions = len(list)
	var ids, lookups []any
	for i := range list {
		ids = append(ids, string(list[i].ID))
		for _, p := range list[i].Postings {
			if p.Issue.Lookup != "" {
				lookups = append(lookups, string(p.Issue.Lookup))
			}
		}
	}
	for _, d := range []struct {
		query string
		rows  []any
		n     *int
	}{{forgetLines, ids, &gone.Lines}, {forgetLinks, lookups, &gone.Links}, {forgetMails, ids, &gone.Mails}, {forgetTold, ids, &gone.Tellings}} {
		if len(d.rows) == 0 {
			continue
		}
		if *d.n, err = t.affect(fmt.Sprintf(d.query, parameters(1, len(d.rows))), d.rows...); err != nil {
			return err
		}
	}
	return nil
}

// Forgettable implements [challenge.HistoryStore].
func (db *DB) Forgettable(ctx context.Context, f challenge.Forget) (n challenge.Forgotten, err error) {
	const op = "count what is old"
	err = db.view(ctx, op, func(v *view) error {
		n = challenge.Forgotten{}
		if !f.Before.IsZero() {
			if err := v.tx.QueryRowContext(v.ctx, countForgettable, micros(f.Before)).Scan(&n.Questions, &n.Lines, &n.Links, &n.Mails, &n.Tellings, &n.Notices, &n.Marks); err != nil {
				return db.fail(op, "", err)
			}
		}
		if !f.Raw.IsZero() {
			return db.fail(op, "", v.tx.QueryRowContext(v.ctx, countRaw, micros(f.Raw)).Scan(&n.Raw))
		}
		return nil
	})
	return n, err
}

package store

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	// pruneRows is how much goes in one transaction, so that others need not wait.
	pruneRows = 500

	oldRaw = ` FROM check_raw r WHERE r.at < $1
		AND NOT EXISTS (SELECT 1 FROM verification v WHERE v.raw = r.hash) AND NOT EXISTS (SELECT 1 FROM verification v WHERE v.held_raw = r.hash)
		AND NOT EXISTS (SELECT 1 FROM evidence e WHERE e.raw_hash = r.hash)
		AND NOT EXISTS (SELECT 1 FROM domain_control c WHERE c.raw_hash = r.hash)`
	pruneRaw       = `DELETE FROM check_raw WHERE hash IN (SELECT r.hash` + oldRaw + ` LIMIT %d)`
	pruneMinutes   = `DELETE FROM check_minute WHERE minute < $1`
	pruneGoneDue   = `DELETE FROM check_due WHERE team_id IN (SELECT id FROM team WHERE gone = 1)`
	pruneGoneFound = `DELETE FROM verification WHERE team_id IN (SELECT id FROM team WHERE gone = 1)`
	pruneUnknown   = `DELETE FROM check_due WHERE due_at < $1 AND check_name NOT IN (%s)`
	pruneOrphans   = `DELETE FROM verification WHERE check_name NOT IN (%s) AND NOT EXISTS (SELECT 1 FROM check_due d
		WHERE d.team_id = verification.team_id AND d.check_name = verification.check_name AND d.kind = verification.kind AND d.subject = verification.subject)`
)

// Prune implements [verify.Queue].
func (db *DB) Prune(ctx context.Context, r verify.Retention) (more bool, err error) {
	const op = "prune checks"
	err = db.beside(ctx, op, func(t *tx) error {
		n, err := t.affect(fmt.Sprintf(pruneRaw, pruneRows), micros(r.Raw))
		more = n == pruneRows
		if err != nil || more {
			return db.fail(op, "", err)
		}
		if err := t.exec(pruneMinutes, r.At.Add(-24*time.Hour).Unix()/60); err != nil {
			return db.fail(op, "", err)
		}
		for _, query := range []string{pruneGoneDue, pruneGoneFound} {
			if err := t.exec(query); err != nil {
				return db.fail(op, "", err)
			}
		}
		return db.fail(op, "", t.pruneUnknown(r))
	})
	return more, err
}

// pruneUnknown removes what is left of checks that no program has any more:
// nobody ran them for a long time, although this one runs.
func (t *tx) pruneUnknown(r verify.Retention) error {
	if len(r.Known) == 0 || r.Stale <= 0 {
		return nil
	}
	var known []any
	for _, name := range r.Known {
		known = append(known, name)
	}
	args := append([]any{micros(r.At.Add(-r.Stale))}, known...)
	if err := t.exec(fmt.Sprintf(pruneUnknown, parameters(2, len(known))), args...); err != nil {
		return err
	}
	return t.exec(fmt.Sprintf(pruneOrphans, parameters(1, len(known))), known...)
}

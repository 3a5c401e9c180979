package store

import (
	"context"
	"database/sql"
	"fmt"
)

// orphans are questions whose answer is how many rows refer to nothing. The
// foreign keys ask most of them too; these also hold where a key was not
// enforced, and look into the sequence.
func orphans() map[string]string {
	return map[string]string{
		"layers without a team":                  `SELECT COUNT(*) FROM layer WHERE team_id NOT IN (SELECT id FROM team)`,
		"history without a team":                 `SELECT COUNT(*) FROM history WHERE team_id NOT IN (SELECT id FROM team)`,
		"evidence without a team":                `SELECT COUNT(*) FROM evidence WHERE team_id NOT IN (SELECT id FROM team)`,
		"decisions without a team":               `SELECT COUNT(*) FROM match_decision WHERE team_a NOT IN (SELECT id FROM team) OR team_b NOT IN (SELECT id FROM team)`,
		"verifications without a team":           `SELECT COUNT(*) FROM verification WHERE team_id NOT IN (SELECT id FROM team)`,
		"verifications without their transcript": `SELECT COUNT(*) FROM verification v WHERE (raw <> '' AND NOT EXISTS (SELECT 1 FROM check_raw r WHERE r.hash = v.raw)) OR (held_raw <> '' AND NOT EXISTS (SELECT 1 FROM check_raw r WHERE r.hash = v.held_raw))`,
		"proofs of control without a team":       `SELECT COUNT(*) FROM domain_control WHERE team_id NOT IN (SELECT id FROM team)`,
		"proofs of control without transcript":   `SELECT COUNT(*) FROM domain_control c WHERE raw_hash <> '' AND NOT EXISTS (SELECT 1 FROM check_raw r WHERE r.hash = c.raw_hash)`,
		"events missing from their numbers":      `SELECT COUNT(*) FROM check_event e WHERE n <> 1 AND NOT EXISTS (SELECT 1 FROM check_event p WHERE p.n = e.n - 1)`,
		"reference blocks without a set":         `SELECT COUNT(*) FROM reference_block b WHERE NOT EXISTS (SELECT 1 FROM reference_set s WHERE s.kind = b.kind AND s.source = b.source)`,
		"teams without their last revision":      `SELECT COUNT(*) FROM team t WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.team_id = t.id AND h.revision = t.revision)`,
		"revisions that were skipped":            `SELECT COUNT(*) FROM history h WHERE EXISTS (SELECT 1 FROM history o WHERE o.team_id = h.team_id AND o.revision < h.revision) AND NOT EXISTS (SELECT 1 FROM history p WHERE p.team_id = h.team_id AND p.revision = h.revision - 1)`,
		"changes missing from the sequence":      `SELECT c.seq - (SELECT COUNT(*) FROM change WHERE seq BETWEEN 1 AND c.seq) FROM counter c`,
		"changes beyond the end of the sequence": `SELECT COUNT(*) FROM change WHERE seq < 1 OR seq > (SELECT seq FROM counter)`,
		"changes without an audit entry":         `SELECT COUNT(*) FROM change c WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.seq = c.seq)`,
		"records that point at a later change":   `SELECT COUNT(*) FROM team WHERE seq > (SELECT seq FROM counter)`,
	}
}

// Check reads everything and returns an error ([directory.Unavailable]) that
// says what is damaged: a document that can't be decoded, a reference that
// leads nowhere, a gap in the change sequence.
func (db *DB) Check(ctx context.Context) error {
	return db.view(ctx, "check", func(v *view) error { return v.checkIntegrity("check") })
}

// prove reads back what a restore wrote: as many rows as the backup has, every
// document decoded, every reference followed.
func (t *tx) prove(info BackupInfo) error {
	for _, table := range tables() {
		var n int
		if err := t.tx.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM `+table.name).Scan(&n); err != nil {
			return t.db.fail(opRestore, table.name, err)
		}
		if n != info.Rows[table.name] {
			return internal(opRestore, table.name, fmt.Errorf("%d rows written, %d in the backup", n, info.Rows[table.name]))
		}
	}
	return t.checkIntegrity(opRestore)
}

// checkIntegrity reads every record and asks whether all references lead
// somewhere.
func (v *view) checkIntegrity(op string) error {
	for what, query := range orphans() {
		var n int64
		if err := v.tx.QueryRowContext(v.ctx, query).Scan(&n); err != nil {
			return v.db.fail(op, what, err)
		}
		if n != 0 {
			return Unavailable("", fmt.Sprintf("the database is damaged: %d %s", n, what), nil)
		}
	}
	for _, query := range []string{`SELECT id, doc FROM team`, `SELECT team_id, doc FROM history`} {
		err := v.each(func(rows *sql.Rows) error {
			var id string
			var doc sql.RawBytes
			if err := rows.Scan(&id, &doc); err != nil {
				return err
			}
			r, err := DecodeRecord(doc)
			if err == nil && string(r.ID) != id {
				err = fmt.Errorf("the record of team %s is that of %s", id, r.ID)
			}
			return err
		}, query)
		if err != nil {
			return v.db.fail(op, "records", err)
		}
	}
	return nil
}

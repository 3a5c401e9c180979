package store

import (
	"database/sql"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	decisionList = `SELECT team_a, team_b, facts, reason, actor, at, seq FROM match_decision
		WHERE $1 = '' OR team_a = $1 OR team_b = $1 ORDER BY team_a, team_b`
	dropDecision = `DELETE FROM match_decision WHERE team_a = $1 AND team_b = $2`
)

// Decisions implements [directory.Reader].
func (v *view) Decisions(team directory.TeamID) ([]directory.MatchDecision, error) {
	list, err := collect(v, func(rows *sql.Rows) (directory.MatchDecision, error) {
		var d directory.MatchDecision
		var facts string
		var at int64
		err := rows.Scan(&d.A, &d.B, &facts, &d.Reason, &d.By, &at, &d.Seq)
		if err != nil {
			return d, err
		}
		d.At = timeOf(at)
		d.Facts, err = listOf[string](facts)
		return d, err
	}, decisionList, string(team))
	return list, v.db.fail("read decisions", string(team), err)
}

// PutDecision implements [directory.Tx].
func (t *tx) PutDecision(d directory.MatchDecision) error {
	row := []any{string(d.A), string(d.B), list(d.Facts), d.Reason, d.By, micros(d.At), d.Seq}
	return t.db.fail("write decision", string(d.A), t.insertAll(decisionTable, decisionTable.overwrite(), row))
}

// DropDecision implements [directory.Tx].
func (t *tx) DropDecision(a, b directory.TeamID) error {
	return t.db.fail("drop decision", string(a), t.exec(dropDecision, string(a), string(b)))
}

// DropEvidence implements [directory.Tx].
func (t *tx) DropEvidence(id directory.TeamID, items []string) error {
	for len(items) > 0 {
		n := min(len(items), batch)
		args := []any{string(id)}
		for _, item := range items[:n] {
			args = append(args, item)
		}
		if err := t.exec(`DELETE FROM evidence WHERE team_id = $1 AND id IN (`+parameters(2, n)+`)`, args...); err != nil {
			return t.db.fail("drop evidence", string(id), err)
		}
		items = items[n:]
	}
	return nil
}

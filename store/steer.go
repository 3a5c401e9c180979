package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	dropPause   = `DELETE FROM check_pause WHERE check_name = $1 AND guard = $2`
	lastAsked   = `SELECT COALESCE(MAX(asked), 0) FROM check_due WHERE team_id = $1`
	askForAll   = `UPDATE check_due SET asked = $1 WHERE team_id = $2`
	runNow      = `UPDATE check_due SET rank = 0, due_at = $1, since = $1 WHERE team_id = $2 AND fence = 0`
	heldList    = `SELECT team_id, check_name, kind, subject, verdict, held FROM verification WHERE held <> '' ORDER BY ` + rowKey
	forgetHeld  = `UPDATE verification SET held = '', held_raw = '' WHERE held <> ''`
	forgetTurns = `DELETE FROM check_minute`
	// What is held is looked at again, and so is what turned worse of which followers
	// were told before the guard saw what was going on.
	recheckHeld = `UPDATE check_due SET rank = 0, due_at = $1, since = $1 WHERE fence = 0 AND EXISTS (SELECT 1 FROM verification v
		WHERE v.held <> '' AND v.team_id = check_due.team_id AND v.check_name = check_due.check_name AND v.kind = check_due.kind AND v.subject = check_due.subject)`
	recheckTurned = `UPDATE check_due SET rank = 0, due_at = $1, since = $1 WHERE fence = 0 AND EXISTS (SELECT 1 FROM check_event e
		WHERE e.at >= $2 AND (e.verdict = 'error' AND e.was IN ('ok', 'warning') OR e.verdict = 'warning' AND e.was = 'ok')
		AND e.team_id = check_due.team_id AND e.check_name = check_due.check_name AND e.kind = check_due.kind AND e.subject = check_due.subject)`
)

// PutPause implements [directory.SteeringTx].
func (t *tx) PutPause(p directory.Pause) error {
	row := []any{p.Check, flag(p.Guard), flag(p.Now), p.By, p.Why, micros(p.At)}
	return t.db.fail("write pause", p.Check, t.insertAll(pauseTable, pauseTable.overwrite(), row))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// DropPause implements [directory.SteeringTx].
func (t *tx) DropPause(check string, guard bool) error {
	return t.db.fail("drop pause", check, t.exec(dropPause, check, flag(guard)))
}

// RunChecks implements [directory.SteeringTx].
func (t *tx) RunChecks(id directory.TeamID, at time.Time) (rows int, last time.Time, err error) {
	const op = "run checks"
	var asked int64
	if err := t.tx.QueryRowContext(t.ctx, lastAsked, string(id)).Scan(&asked); err != nil {
		return 0, last, t.db.fail(op, string(id), err)
	}
	if rows, err = t.affect(askForAll, micros(at), string(id)); err == nil {
		err = t.exec(runNow, micros(at), string(id))
	}
	return rows, timeOf(asked), t.db.fail(op, string(id), err)
}

// heldRow is a verdict that is held back.
type heldRow struct {
	row verify.Row
	was verify.Verdict
	is  verify.Verification
}

// SettleHeld implements [directory.SteeringTx].
func (t *tx) SettleHeld(accept bool, by string, at, since time.Time) (int, error) {
	const op = "settle verdicts"
	list, err := collect(&t.view, func(rows *sql.Rows) (heldRow, error) {
		var h heldRow
		var doc []byte
		err := rows.Scan(&h.row.Team, &h.row.Check, &h.row.Subject.Kind, &h.row.Subject.ID, &h.was, &doc)
		if err == nil {
			err = json.Unmarshal(doc, &h.is)
		}
		return h, err
	}, heldList)
	if err == nil {
		err = t.exec(forgetTurns)
	}
	switch {
	case err != nil:
	case accept:
		err = t.acceptHeld(list, by, at)
	default:
		if err = t.exec(recheckHeld, micros(at)); err == nil {
			err = t.exec(recheckTurned, micros(at), micros(since))
		}
		if err == nil {
			err = t.exec(forgetHeld)
		}
	}
	return len(list), t.db.fail(op, "", err)
}

// acceptHeld publishes verdicts, with one change for each team.
func (t *tx) acceptHeld(list []heldRow, by string, at time.Time) error {
	for i, h := range list {
		if err := t.putFound(h.row, &h.is, at); err != nil {
			return err
		}
		if err := t.putEvent(h.row, at, h.was, &h.is); err != nil {
			return err
		}
		if i+1 < len(list) && list[i+1].row.Team == h.row.Team {
			continue // the last of a team tells of it
		}
		var revision int64
		if err := t.tx.QueryRowContext(t.ctx, `SELECT revision FROM team WHERE id = $1`, string(h.row.Team)).Scan(&revision); err != nil {
			return err
		}
		err := t.say(directory.Change{Type: "team", ID: string(h.row.Team), Op: directory.OpUpsert, Revision: revision, At: at},
			directory.AuditEntry{At: at, Actor: by, Action: "accept verdicts", Subject: "team:" + string(h.row.Team),
				Fields: []string{"verification"}, Detail: fmt.Sprintf("check.%s %s", h.row.Check, detail(&verify.Verification{Verdict: h.was}, &h.is))})
		if err != nil {
			return err
		}
	}
	return nil
}

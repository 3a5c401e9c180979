package store

import (
	"database/sql"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	controlColumns  = `SELECT c.team_id, c.domain, c.digest, c.expiry, c.started, c.state, c.since, c.seen, c.until, c.missing, c.dnssec, c.raw_hash FROM domain_control c `
	controlsOf      = controlColumns + `WHERE c.team_id = $1 ORDER BY c.domain`
	controlsBetween = controlColumns + `JOIN team t ON t.id = c.team_id WHERE t.handle >= $1 AND t.handle <= $2 ORDER BY c.team_id, c.domain`
	controlToken    = `SELECT token FROM domain_control WHERE team_id = $1 AND domain = $2`
	dropControl     = `DELETE FROM domain_control WHERE team_id = $1 AND domain = $2`
	// What was seen of one token says nothing of another.
	seeControl = `UPDATE domain_control SET state = $1, since = $2, seen = $3, until = $4, missing = $5, dnssec = $6, raw_hash = $7
		WHERE team_id = $8 AND domain = $9 AND digest = $10`
	rowAsked   = `SELECT COALESCE(MAX(asked), 0) FROM check_due WHERE ` + sameRow
	askForRow  = `UPDATE check_due SET asked = $1 WHERE team_id = $2 AND check_name = $3 AND kind = $4 AND subject = $5`
	runRowNow  = `UPDATE check_due SET rank = 0, due_at = $1, since = $1 WHERE team_id = $2 AND check_name = $3 AND kind = $4 AND subject = $5 AND fence = 0`
	opControl  = "write proof of control"
	opRunCheck = "run check"
)

// ControlToken implements [directory.ControlReader].
func (v *view) ControlToken(id directory.TeamID, domain directory.Domain) (string, error) {
	const op = "read token of control"
	list, err := collect(v, func(rows *sql.Rows) (s string, err error) {
		err = rows.Scan(&s)
		return s, err
	}, controlToken, string(id), string(domain))
	if err == nil && len(list) == 0 {
		return "", notFound(op, string(domain))
	}
	if err != nil {
		return "", v.db.fail(op, string(domain), err)
	}
	return list[0], nil
}

func scanControl(rows *sql.Rows) (id directory.TeamID, c directory.Control, err error) {
	var started, since, seen, until, missing int64
	err = rows.Scan(&id, &c.Domain, &c.Digest, &c.Expiry, &started, &c.State, &since, &seen, &until, &missing, &c.DNSSEC, &c.RawHash)
	c.Started, c.Since, c.Seen, c.Until, c.Missing = timeOf(started), timeOf(since), timeOf(seen), timeOf(until), timeOf(missing)
	return id, c, err
}

func (v *view) controls(id directory.TeamID) ([]directory.Control, error) {
	return collect(v, func(rows *sql.Rows) (directory.Control, error) {
		_, c, err := scanControl(rows)
		return c, err
	}, controlsOf, string(id))
}

// controlsOfAll reads the proofs of the teams between two handles.
func (v *view) controlsOfAll(first, last directory.Handle) (map[directory.TeamID][]directory.Control, error) {
	byTeam := map[directory.TeamID][]directory.Control{}
	err := v.each(func(rows *sql.Rows) error {
		id, c, err := scanControl(rows)
		byTeam[id] = append(byTeam[id], c)
		return err
	}, controlsBetween, string(first), string(last))
	return byTeam, err
}

// PutControl implements [directory.ControlTx].
func (t *tx) PutControl(id directory.TeamID, c directory.Control, token string) error {
	row := []any{string(id), string(c.Domain), token, c.Digest, string(c.Expiry), micros(c.Started), c.State,
		micros(c.Since), micros(c.Seen), micros(c.Until), micros(c.Missing), c.DNSSEC, c.RawHash}
	return t.db.fail(opControl, string(c.Domain), t.insertAll(controlTable, controlTable.overwrite(), row))
}

// DropControl implements [directory.ControlTx].
func (t *tx) DropControl(id directory.TeamID, domain directory.Domain) error {
	return t.db.fail(opControl, string(domain), t.exec(dropControl, string(id), string(domain)))
}

// RunCheck implements [directory.ControlTx].
func (t *tx) RunCheck(id directory.TeamID, check string, kind directory.Word, subject string, at time.Time) (rows int, last time.Time, err error) {
	row := rowArgs(verify.Row{Team: id, Check: check, Subject: verify.Subject{Kind: verify.SubjectKind(kind), ID: subject}})
	var asked int64
	if err := t.tx.QueryRowContext(t.ctx, rowAsked, row...).Scan(&asked); err != nil {
		return 0, last, t.db.fail(opRunCheck, string(id), err)
	}
	args := append([]any{micros(at)}, row...)
	if err = t.exec(askForRow, args...); err == nil {
		rows, err = t.affect(runRowNow, args...)
	}
	return rows, timeOf(asked), t.db.fail(opRunCheck, string(id), err)
}

// seeControl writes what a check saw of a proof.
func (t *tx) seeControl(f *verify.Finish) error {
	c := f.Control
	return t.exec(seeControl, c.State, micros(c.Since), micros(c.Seen), micros(c.Until), micros(c.Missing), c.DNSSEC, c.RawHash,
		string(f.Job.Team), string(c.Domain), c.Digest)
}

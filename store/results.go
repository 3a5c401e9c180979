package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	foundOfTeam  = `SELECT team_id, check_name, kind, subject, announced, doc FROM verification WHERE team_id = $1`
	dueOfTeam    = `SELECT check_name, kind, subject, CASE WHEN fence = 0 THEN due_at ELSE since END FROM check_due WHERE team_id = $1`
	eventColumns = `SELECT n, at, team_id, was, doc FROM check_event `
	eventsAfter  = eventColumns + `WHERE n > $1 ORDER BY n LIMIT $2`
	eventsOfRow  = eventColumns + `WHERE team_id = $1 AND ($2 = '' OR check_name = $2) AND ($3 = '' OR kind = $3) AND ($4 = '' OR subject = $4) AND n < $5
		ORDER BY n DESC LIMIT $6`
	rawByHash  = `SELECT data FROM check_raw WHERE hash = $1`
	dueFigures = `SELECT COUNT(*), COALESCE(SUM(CASE WHEN fence = 0 AND due_at <= $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN fence <> 0 THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN fence = 0 AND due_at <= $1 THEN due_at END), 0) FROM check_due`
	heldFigure  = `SELECT COUNT(*) FROM verification WHERE held <> ''`
	verdictList = `SELECT check_name, verdict, COUNT(*) FROM verification GROUP BY check_name, verdict ORDER BY check_name, verdict`
	runList     = `SELECT check_name, outcome, n FROM check_run ORDER BY check_name, outcome`
)

// Verifications implements [verify.Results].
func (db *DB) Verifications(ctx context.Context, team directory.TeamID) (list []verify.Verification, err error) {
	const op = "read verifications"
	err = db.view(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (verify.Verification, error) {
			_, _, found, err := scanFound(rows)
			return found, err
		}, foundOfTeam, string(team))
		if err == nil {
			list, err = v.withDue(list, team)
		}
		return db.fail(op, string(team), err)
	})
	return list, err
}

// withDue says of each verification when its row is due, and adds those that
// were never tried.
func (v *view) withDue(list []verify.Verification, team directory.TeamID) ([]verify.Verification, error) {
	at := map[verify.Row]int{}
	for i := range list {
		at[verify.Row{Check: list[i].Check, Subject: list[i].Subject}] = i
	}
	err := v.each(func(rows *sql.Rows) error {
		var row verify.Row
		var due int64
		err := rows.Scan(&row.Check, &row.Subject.Kind, &row.Subject.ID, &due)
		if i, ok := at[row]; ok {
			list[i].Due = timeOf(due)
		} else {
			list = append(list, verify.Verification{Check: row.Check, Subject: row.Subject, Verdict: verify.VerdictInconclusive, Due: timeOf(due)})
		}
		return err
	}, dueOfTeam, string(team))
	slices.SortFunc(list, func(a, b verify.Verification) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Subject.Kind, b.Subject.Kind), cmp.Compare(a.Subject.ID, b.Subject.ID))
	})
	return list, err
}

// Events implements [verify.Results].
func (db *DB) Events(ctx context.Context, after int64, limit int) ([]verify.Event, error) {
	return db.events(ctx, eventsAfter, after, most(limit))
}

// History implements [verify.Results].
func (db *DB) History(ctx context.Context, row verify.Row, before int64, limit int) ([]verify.Event, error) {
	return db.events(ctx, eventsOfRow, append(rowArgs(row), below(before), most(limit))...)
}

// LastEvent implements [verify.Results].
func (db *DB) LastEvent(ctx context.Context) (n int64, err error) {
	const op = "read events of checks"
	err = db.glance(ctx, op, func(v *view) error {
		return db.fail(op, "", v.tx.QueryRowContext(ctx, lastEvent).Scan(&n))
	})
	return n, err
}

func (db *DB) events(ctx context.Context, query string, args ...any) (list []verify.Event, err error) {
	const op = "read events of checks"
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (verify.Event, error) {
			var e verify.Event
			var at int64
			var doc []byte
			err := rows.Scan(&e.N, &at, &e.Team, &e.Was, &doc)
			e.At = timeOf(at)
			if err == nil {
				err = json.Unmarshal(doc, &e.Verification)
			}
			return e, err
		}, query, args...)
		return db.fail(op, "", err)
	})
	return list, err
}

// Transcript implements [verify.Results].
func (db *DB) Transcript(ctx context.Context, hash string) (data []byte, err error) {
	const op = "read transcript"
	if err := checkArgs([]any{hash}); err != nil {
		return nil, notFound(op, "")
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err := collect(v, func(rows *sql.Rows) (data []byte, err error) {
			err = rows.Scan(&data)
			return data, err
		}, rawByHash, hash)
		if err == nil && len(list) == 0 {
			return notFound(op, hash)
		}
		if err == nil {
			data = list[0]
		}
		return db.fail(op, hash, err)
	})
	return data, err
}

// Figures implements [verify.Results].
func (db *DB) Figures(ctx context.Context, at time.Time) (f verify.Figures, err error) {
	const op = "read figures of checks"
	err = db.view(ctx, op, func(v *view) error {
		var oldest int64
		if err := v.tx.QueryRowContext(ctx, dueFigures, micros(at)).Scan(&f.Rows, &f.Due, &f.Leased, &oldest); err != nil {
			return db.fail(op, "", err)
		}
		if oldest != 0 {
			f.Lag = at.Sub(timeOf(oldest))
		}
		if err := v.tx.QueryRowContext(ctx, heldFigure).Scan(&f.Held); err != nil {
			return db.fail(op, "", err)
		}
		if f.Verdicts, err = v.counts(verdictList); err == nil {
			f.Runs, err = v.counts(runList)
		}
		if err == nil {
			f.Pauses, err = v.Pauses()
		}
		return db.fail(op, "", err)
	})
	return f, err
}

func (v *view) counts(query string) ([]verify.Count, error) {
	return collect(v, func(rows *sql.Rows) (verify.Count, error) {
		var c verify.Count
		err := rows.Scan(&c.Check, &c.Outcome, &c.N)
		return c, err
	}, query)
}

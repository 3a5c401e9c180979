package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	sameRow = `team_id = $1 AND check_name = $2 AND kind = $3 AND subject = $4`
	// pickDue and takeDue are one statement, so that nobody gets in between.
	// Parameters: the rank, now, how many; the checks; then those of takeDue.
	pickDue = `WITH picked AS MATERIALIZED (SELECT team_id, check_name, kind, subject FROM check_due
		WHERE rank = $1 AND due_at <= $2 AND check_name IN (%s) ORDER BY due_at LIMIT %s%s)
		UPDATE check_due SET owner = %s, fence = %s, attempt = attempt + 1, since = CASE WHEN fence = 0 THEN due_at ELSE since END, due_at = %s
		FROM picked p WHERE check_due.team_id = p.team_id AND check_due.check_name = p.check_name AND check_due.kind = p.kind AND check_due.subject = p.subject
		RETURNING check_due.team_id, check_due.check_name, check_due.kind, check_due.subject, check_due.revision, check_due.since, check_due.attempt`
	foundBefore = `SELECT team_id, check_name, kind, subject, announced, doc FROM verification WHERE (team_id, check_name, kind, subject) IN (VALUES %s)`
	extendLease = `UPDATE check_due SET due_at = $1 WHERE team_id = $2 AND check_name = $3 AND kind = $4 AND subject = $5 AND fence = $6`
	releaseAsIs = `UPDATE check_due SET due_at = since, owner = '', fence = 0, attempt = attempt - 1 WHERE team_id = $1 AND check_name = $2 AND kind = $3 AND subject = $4 AND fence = $5`
	releaseAt   = `UPDATE check_due SET due_at = $1, owner = '', fence = 0, attempt = attempt - 1 WHERE team_id = $2 AND check_name = $3 AND kind = $4 AND subject = $5 AND fence = $6`
	pauseList   = `SELECT check_name, guard, at_once, paused_by, why, at FROM check_pause ORDER BY check_name, guard`
)

// Claim implements [verify.Queue].
func (db *DB) Claim(ctx context.Context, c verify.Claim) (jobs []verify.Job, err error) {
	const op = "claim checks"
	err = db.beside(ctx, op, func(t *tx) error {
		jobs = nil
		checks, err := t.unpaused(c.Checks)
		if err != nil || len(checks) == 0 || c.N < 1 {
			return err
		}
		fence := 1 + rand.Int64N(1<<62) // 0 is nobody's
		for rank := 0; rank <= 1 && len(jobs) < c.N; rank++ {
			more, err := t.take(c, rank, c.N-len(jobs), checks, fence)
			if err != nil {
				return db.fail(op, "", err)
			}
			jobs = append(jobs, more...)
		}
		return db.fail(op, "", t.recall(jobs))
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// unpaused returns those of checks that are not paused.
func (v *view) unpaused(checks []string) ([]string, error) {
	pauses, err := v.Pauses()
	if err != nil {
		return nil, err
	}
	paused := map[string]bool{}
	for _, p := range pauses {
		if p.Check == "" {
			return nil, nil
		}
		paused[p.Check] = true
	}
	var list []string
	for _, c := range checks {
		if !paused[c] {
			list = append(list, c)
		}
	}
	return list, nil
}

// take leases due rows of one rank.
func (t *tx) take(c verify.Claim, rank, n int, checks []string, fence int64) ([]verify.Job, error) {
	args := []any{rank, micros(c.Now)}
	for _, name := range checks {
		args = append(args, name)
	}
	at := func(i int) string { return fmt.Sprintf("$%d", len(checks)+2+i) }
	query := fmt.Sprintf(pickDue, parameters(3, len(checks)), at(1), t.db.dialect.SkipLocked, at(2), at(3), at(4))
	args = append(args, n, c.Owner, fence, micros(c.Now.Add(c.Lease)))
	if err := checkArgs(args); err != nil {
		return nil, t.broke(err)
	}
	jobs, err := collect(&t.view, func(rows *sql.Rows) (verify.Job, error) {
		var j verify.Job
		var since int64
		err := rows.Scan(&j.Team, &j.Check, &j.Subject.Kind, &j.Subject.ID, &j.Revision, &since, &j.Attempt)
		j.Fence, j.Due = fence, timeOf(since)
		return j, err
	}, query, args...)
	slices.SortFunc(jobs, func(a, b verify.Job) int { return a.Due.Compare(b.Due) }) // RETURNING has no order
	return jobs, t.broke(err)
}

// recall gives jobs what is known of them already.
func (t *tx) recall(jobs []verify.Job) error {
	at := make(map[verify.Row]int, len(jobs))
	for i := range jobs {
		at[jobs[i].Row] = i
	}
	for first := 0; first < len(jobs); first += batch {
		some := jobs[first:min(first+batch, len(jobs))]
		var args []any
		for i := range some {
			args = append(args, rowArgs(some[i].Row)...)
		}
		err := t.each(func(rows *sql.Rows) error {
			row, announced, found, err := scanFound(rows)
			j := &jobs[at[row]]
			j.Previous, j.Announced = found, announced
			return err
		}, fmt.Sprintf(foundBefore, tuples(len(some), 4)), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func rowArgs(r verify.Row) []any {
	return []any{string(r.Team), r.Check, string(r.Subject.Kind), r.Subject.ID}
}

// tuples writes n groups of width parameters.
func tuples(n, width int) string {
	groups := make([]string, n)
	for i := range groups {
		groups[i] = "(" + parameters(1+i*width, width) + ")"
	}
	return strings.Join(groups, ", ")
}

func scanFound(rows *sql.Rows) (row verify.Row, announced time.Time, v verify.Verification, err error) {
	var at int64
	var doc []byte
	if err = rows.Scan(&row.Team, &row.Check, &row.Subject.Kind, &row.Subject.ID, &at, &doc); err == nil {
		err = json.Unmarshal(doc, &v)
	}
	return row, timeOf(at), v, err
}

// Extend implements [verify.Queue].
func (db *DB) Extend(ctx context.Context, leases []verify.Lease, until time.Time) (lost []verify.Lease, err error) {
	const op = "extend leases"
	for _, l := range leases {
		// One row each: a transaction that holds many can be in the way of one that
		// writes results of the same rows in another order, and both would wait.
		var n int
		err = db.beside(ctx, op, func(t *tx) (err error) {
			n, err = t.affect(extendLease, append(append([]any{micros(until)}, rowArgs(l.Row)...), l.Fence)...)
			return db.fail(op, string(l.Team), err)
		})
		if err != nil {
			return lost, err
		}
		if n == 0 {
			lost = append(lost, l)
		}
	}
	return lost, nil
}

// Release implements [verify.Queue].
func (db *DB) Release(ctx context.Context, leases []verify.Lease, due time.Time) error {
	const op = "release leases"
	if len(leases) == 0 {
		return nil
	}
	return db.beside(ctx, op, func(t *tx) error {
		for _, l := range leases {
			query, args := releaseAsIs, append(rowArgs(l.Row), l.Fence)
			if !due.IsZero() {
				query, args = releaseAt, append([]any{micros(due)}, args...)
			}
			if err := t.exec(query, args...); err != nil {
				return db.fail(op, string(l.Team), err)
			}
		}
		return nil
	})
}

// Pauses implements [verify.Queue].
func (db *DB) Pauses(ctx context.Context) (list []directory.Pause, err error) {
	err = db.glance(ctx, "read pauses", func(v *view) error {
		list, err = v.Pauses()
		return err
	})
	return list, err
}

// Pauses implements [directory.SteeringReader].
func (v *view) Pauses() ([]directory.Pause, error) {
	list, err := collect(v, func(rows *sql.Rows) (directory.Pause, error) {
		var p directory.Pause
		var guard, now, at int64
		err := rows.Scan(&p.Check, &guard, &now, &p.By, &p.Why, &at)
		p.Guard, p.Now, p.At = guard != 0, now != 0, timeOf(at)
		return p, err
	}, pauseList)
	return list, v.db.fail("read pauses", "", err)
}

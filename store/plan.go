package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	liveTeams   = `SELECT id FROM team WHERE gone = 0 AND id IN (%s)`
	plannedRows = `SELECT team_id, check_name, kind, subject, revision, due_at FROM check_due WHERE team_id IN (%s)`
	dueOfFound  = `SELECT team_id, check_name, kind, subject, announced, doc FROM verification WHERE ` + sameRow
	moveDue     = `UPDATE check_due SET revision = $1, due_at = $2, since = $2, owner = '', fence = 0, attempt = 0
		WHERE team_id = $3 AND check_name = $4 AND kind = $5 AND subject = $6`
	dropDue   = `DELETE FROM check_due WHERE ` + sameRow
	dropFound = `DELETE FROM verification WHERE ` + sameRow
)

// clockPatience is how much later than a check's interval a row may be due: by
// what a peer asks for (Retry-After), or after many tries in vain.
const clockPatience = 48 * time.Hour

// steps are what a plan has to change.
type steps struct {
	add, move []step
	remove    []verify.Row
}

type step struct {
	row  verify.Row
	want verify.Want
}

func (s *steps) none() bool { return len(s.add)+len(s.move)+len(s.remove) == 0 }

// Plan implements [verify.Queue]. It looks before it takes any lock: most of
// the time there is nothing to do.
func (db *DB) Plan(ctx context.Context, at time.Time, known []string, teams []verify.TeamPlan) (verify.Planned, error) {
	const op = "plan checks"
	var done verify.Planned
	for some := range slices.Chunk(teams, batch) {
		var s steps
		look := func(v *view) (err error) {
			s, err = v.steps(at, known, some)
			return db.fail(op, "", err)
		}
		if err := db.view(ctx, op, look); err != nil {
			return done, err
		}
		if s.none() {
			continue
		}
		do := db.beside
		if len(s.remove) > 0 {
			do = db.update // who followed the verdicts is told that they are gone
		}
		err := do(ctx, op, func(t *tx) error {
			if err := look(&t.view); err != nil {
				return err
			}
			if err := t.plan(at, s); err != nil {
				return db.fail(op, "", err)
			}
			return db.fail(op, "", t.unplan(at, s.remove))
		})
		if err != nil {
			return done, err
		}
		done.Added, done.Moved, done.Removed = done.Added+len(s.add), done.Moved+len(s.move), done.Removed+len(s.remove)
	}
	return done, nil
}

// steps compares the rows that there are with those that there shall be.
func (v *view) steps(at time.Time, known []string, teams []verify.TeamPlan) (steps, error) {
	var s steps
	var ids []any
	for i := range teams {
		ids = append(ids, string(teams[i].Team))
	}
	live := map[directory.TeamID]bool{}
	err := v.each(func(rows *sql.Rows) error {
		var id directory.TeamID
		err := rows.Scan(&id)
		live[id] = true
		return err
	}, fmt.Sprintf(liveTeams, parameters(1, len(ids))), ids...)
	if err != nil {
		return s, err
	}
	want := map[verify.Row]verify.Want{}
	for i := range teams {
		for _, w := range teams[i].Want {
			if live[teams[i].Team] {
				want[verify.Row{Team: teams[i].Team, Check: w.Check, Subject: w.Subject}] = w
			}
		}
	}
	err = v.each(func(rows *sql.Rows) error {
		var row verify.Row
		var revision, due int64
		if err := rows.Scan(&row.Team, &row.Check, &row.Subject.Kind, &row.Subject.ID, &revision, &due); err != nil {
			return err
		}
		w, wanted := want[row]
		delete(want, row)
		switch {
		case !wanted:
			if !live[row.Team] || slices.Contains(known, row.Check) {
				s.remove = append(s.remove, row)
			}
		case revision != w.Revision || timeOf(due).After(latest(at, w)):
			s.move = append(s.move, step{row, w})
		}
		return nil
	}, fmt.Sprintf(plannedRows, parameters(1, len(ids))), ids...)
	for row, w := range want {
		s.add = append(s.add, step{row, w})
	}
	return s, err
}

// latest is when a row can be due that no wrong clock dated.
func latest(at time.Time, w verify.Want) time.Time { return at.Add(w.Every + clockPatience) }

// plan takes steps. A row that comes back, as after a restore, is due when its
// verification says.
func (t *tx) plan(at time.Time, s steps) error {
	var rows []any
	for _, a := range s.add {
		due := at
		found, err := t.found(a.row)
		if err != nil {
			return err
		}
		if len(found) > 0 && found[0].Due.After(at) && !found[0].Due.After(latest(at, a.want)) {
			due = found[0].Due
		}
		rows = append(append(rows, rowArgs(a.row)...), a.want.Revision, 1, micros(due), micros(due), 0, 0, "", 0)
	}
	if err := t.insertAll(dueTable, ` ON CONFLICT (`+rowKey+`) DO NOTHING`, rows); err != nil {
		return err
	}
	for _, m := range s.move {
		if err := t.exec(moveDue, append([]any{m.want.Revision, micros(at)}, rowArgs(m.row)...)...); err != nil {
			return err
		}
	}
	return nil
}

// unplan takes rows out with what they led to. A team that loses a verdict so
// is a changed one: whoever follows changes must not go on showing it.
func (t *tx) unplan(at time.Time, rows []verify.Row) error {
	lost := map[directory.TeamID][]string{}
	for _, row := range rows {
		found, err := t.found(row)
		if err != nil {
			return err
		}
		if len(found) > 0 && found[0].Verdict != "" {
			lost[row.Team] = append(lost[row.Team], row.Check+" of "+row.Subject.String())
		}
		for _, drop := range []string{dropDue, dropFound} {
			if err := t.exec(drop, rowArgs(row)...); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lost)) {
		if err := t.tellLost(at, id, lost[id]); err != nil {
			return err
		}
	}
	return nil
}

// tellLost writes the change of a team that lost verdicts; one that is gone
// itself has told more.
func (t *tx) tellLost(at time.Time, id directory.TeamID, verdicts []string) error {
	revisions, err := collect(&t.view, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		return n, err
	}, liveRevision, string(id))
	if err != nil || len(revisions) == 0 {
		return err
	}
	slices.Sort(verdicts)
	if more := len(verdicts) - 10; more > 0 {
		verdicts = append(verdicts[:10], fmt.Sprintf("%d more", more))
	}
	return t.say(
		directory.Change{Type: "team", ID: string(id), Op: directory.OpUpsert, Revision: revisions[0], At: at},
		directory.AuditEntry{At: at, Actor: "checks", Action: "forget verdicts", Subject: "team:" + string(id), Fields: []string{"verification"},
			Detail: strings.Join(verdicts, ", ")})
}

// found returns what is known of a row, if there is something.
func (v *view) found(row verify.Row) ([]verify.Verification, error) {
	return collect(v, func(rows *sql.Rows) (verify.Verification, error) {
		_, _, found, err := scanFound(rows)
		return found, err
	}, dueOfFound, rowArgs(row)...)
}

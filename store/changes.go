package store

import (
	"database/sql"
	"math"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	headNow    = `SELECT c.seq, m.value FROM counter c, meta m WHERE m.name = 'epoch'`
	changeList = `SELECT seq, type, id, op, revision, at FROM change WHERE seq > $1 ORDER BY seq LIMIT $2`
	auditList  = `SELECT seq, at, actor, action, subject, fields, detail FROM audit
		WHERE seq < $1 AND ($2 = '' OR actor = $2) AND ($3 = '' OR subject = $3) AND ($4 = '' OR action = $4) AND at >= $5 AND at < $6
		ORDER BY seq DESC LIMIT $7`
	historyList = `SELECT revision, seq, at, actor, action, fields, doc FROM history
		WHERE team_id = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3`
)

// Head implements [directory.Reader].
func (v *view) Head() (directory.Head, error) {
	var h directory.Head
	err := v.tx.QueryRowContext(v.ctx, headNow).Scan(&h.Seq, &h.Epoch)
	return h, v.db.fail("read head", "", err)
}

// Changes implements [directory.Reader]. A limit of 0 is no limit, here and in
// every list.
func (v *view) Changes(after int64, limit int) ([]directory.Change, error) {
	list, err := collect(v, func(rows *sql.Rows) (directory.Change, error) {
		var c directory.Change
		var at int64
		err := rows.Scan(&c.Seq, &c.Type, &c.ID, &c.Op, &c.Revision, &at)
		c.At = timeOf(at)
		return c, err
	}, changeList, after, most(limit))
	return list, v.db.fail("read changes", "", err)
}

// Audit implements [directory.Reader].
func (v *view) Audit(f directory.AuditFilter) ([]directory.AuditEntry, error) {
	list, err := collect(v, func(rows *sql.Rows) (directory.AuditEntry, error) {
		var a directory.AuditEntry
		var at int64
		var fields string
		if err := rows.Scan(&a.Seq, &at, &a.Actor, &a.Action, &a.Subject, &fields, &a.Detail); err != nil {
			return a, err
		}
		var err error
		a.At = timeOf(at)
		a.Fields, err = listOf[string](fields)
		return a, err
	}, auditList, below(f.Before), f.Actor, f.Subject, f.Action, micros(f.From), until(f.To), most(f.Limit))
	return list, v.db.fail("read audit", "", err)
}

// until is the end of a span of time, which zero does not have.
func until(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return micros(t)
}

// History implements [directory.Reader].
func (v *view) History(id directory.TeamID, before int64, limit int) ([]directory.Revision, error) {
	// One more than asked for, since each is the state before the next.
	rows := most(limit)
	if limit > 0 {
		rows++
	}
	list, err := collect(v, scanRevision, historyList, string(id), below(before), rows)
	if err != nil {
		return nil, v.db.fail("read history", string(id), err)
	}
	for i := range len(list) - 1 {
		list[i].Before = &list[i+1].After
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}

func scanRevision(rows *sql.Rows) (directory.Revision, error) {
	var r directory.Revision
	var at int64
	var fields string
	var doc []byte
	err := rows.Scan(&r.Revision, &r.Seq, &at, &r.Actor, &r.Action, &fields, &doc)
	if err != nil {
		return r, err
	}
	r.At = timeOf(at)
	if r.Fields, err = listOf[string](fields); err != nil {
		return r, err
	}
	r.After, err = DecodeRecord(doc)
	return r, err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	noticeState     = `SELECT doc FROM notice_state WHERE team_id = $1`
	noticeColumns   = `id, subject, lookup, salt, address, domain, created, due_at, attempt, doc`
	noticeByID      = `SELECT ` + noticeColumns + ` FROM notice WHERE id = $1`
	noticeByToken   = `SELECT ` + noticeColumns + ` FROM notice WHERE lookup = $1`
	noticeBySubject = `SELECT ` + noticeColumns + ` FROM notice WHERE subject = $1`
	// Who claims moves due_at to the end of the lease; attempt is the fence.
	claimNotices = `UPDATE notice SET due_at = $1, owner = $2, attempt = attempt + 1
		WHERE id IN (SELECT id FROM notice WHERE due_at <> 0 AND due_at <= $3 ORDER BY due_at, id LIMIT $4%s)
		RETURNING ` + noticeColumns
	postNotice  = `INSERT INTO notice (id, team_id, subject, lookup, salt, address, domain, created, due_at, attempt, owner, doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, '', $10)` + nothing
	noticeDoc   = `UPDATE notice SET doc = $1 WHERE id = $2`
	noticeDone  = `UPDATE notice SET due_at = 0, owner = '', salt = '' WHERE id = $1 AND attempt = $2 AND due_at <> 0`
	noticeLater = `UPDATE notice SET due_at = $1, owner = '' WHERE id = $2 AND attempt = $3 AND due_at <> 0`
)

func scanNotice(rows *sql.Rows) (n challenge.TeamNotice, err error) {
	var doc []byte
	var id string
	var created, due int64
	if err = rows.Scan(&id, &n.Subject, &n.Lookup, &n.Salt, &n.Address, &n.Domain, &created, &due, &n.Attempt, &doc); err == nil {
		err = json.Unmarshal(doc, &n)
	}
	n.Created, n.Due = timeOf(created), timeOf(due)
	return n, err
}

// oneNotice reads the notice that a query finds.
func (v *view) oneNotice(query, value string) (challenge.TeamNotice, error) {
	const op = "read notice"
	list, err := collect(v, scanNotice, query, value)
	switch {
	case err != nil:
		return challenge.TeamNotice{}, v.db.fail(op, value, err)
	case len(list) == 0:
		return challenge.TeamNotice{}, notFound(op, value)
	}
	return list[0], nil
}

func (db *DB) readNotice(ctx context.Context, query, value string) (n challenge.TeamNotice, err error) {
	err = db.glance(ctx, "read notice", func(v *view) error {
		n, err = v.oneNotice(query, value)
		return err
	})
	return n, err
}

// NoticeByToken implements [challenge.NoticeStore].
func (db *DB) NoticeByToken(ctx context.Context, lookup challenge.Digest) (challenge.TeamNotice, error) {
	return db.readNotice(ctx, noticeByToken, string(lookup))
}

// NoticeBySubject implements [challenge.NoticeStore].
func (db *DB) NoticeBySubject(ctx context.Context, subject string) (challenge.TeamNotice, error) {
	return db.readNotice(ctx, noticeBySubject, subject)
}

// NoticeByID implements [challenge.NoticeStore].
func (db *DB) NoticeByID(ctx context.Context, id challenge.NoticeID) (challenge.TeamNotice, error) {
	return db.readNotice(ctx, noticeByID, string(id))
}

// NoticeState implements [challenge.NoticeStore].
func (db *DB) NoticeState(ctx context.Context, team directory.TeamID) (s challenge.NoticeState, err error) {
	err = db.view(ctx, "read what a team was told", func(v *view) error {
		s, err = v.NoticeState(team)
		return err
	})
	return s, err
}

// ClaimNotices implements [challenge.NoticeStore].
func (db *DB) ClaimNotices(ctx context.Context, c challenge.ClaimMails) (list []challenge.TeamNotice, err error) {
	const op = "claim notices"
	err = db.beside(ctx, op, func(t *tx) error {
		list, err = collect(&t.view, scanNotice, fmt.Sprintf(claimNotices, t.db.dialect.SkipLocked), micros(c.Now.Add(c.Lease)), c.Owner, micros(c.Now), c.N)
		return db.fail(op, "", t.broke(err))
	})
	return list, err
}

// NoticeState implements [challenge.NoticeTx].
func (v *view) NoticeState(team directory.TeamID) (challenge.NoticeState, error) {
	list, err := collect(v, func(rows *sql.Rows) (s challenge.NoticeState, err error) {
		var doc []byte
		if err = rows.Scan(&doc); err == nil {
			err = json.Unmarshal(doc, &s)
		}
		return s, err
	}, noticeState, string(team))
	if err != nil || len(list) == 0 {
		return challenge.NoticeState{Team: team}, v.db.fail("read what a team was told", string(team), err)
	}
	return list[0], nil
}

// PutNoticeState implements [challenge.NoticeTx].
func (t *tx) PutNoticeState(s challenge.NoticeState) error {
	const op = "write what a team was told"
	doc, err := json.Marshal(s)
	if err != nil {
		return internal(op, string(s.Team), err)
	}
	return t.db.fail(op, string(s.Team), t.insertAll(noticeStateTable, noticeStateTable.overwrite(), []any{string(s.Team), string(doc)}))
}

// PostNotice implements [challenge.NoticeTx].
func (t *tx) PostNotice(n challenge.TeamNotice) (bool, error) {
	const op = "post notice"
	doc, err := json.Marshal(n)
	if err != nil {
		return false, internal(op, string(n.ID), err)
	}
	rows, err := t.affect(postNotice, string(n.ID), string(n.Team), n.Subject, string(n.Lookup), n.Salt, n.Address, n.Domain, micros(n.Created), micros(n.Due), string(doc))
	return rows == 1, t.db.fail(op, string(n.ID), err)
}

// Notice implements [challenge.NoticeTx].
func (t *tx) Notice(id challenge.NoticeID) (challenge.TeamNotice, error) {
	return t.oneNotice(noticeByID, string(id))
}

// PutNotice implements [challenge.NoticeTx].
func (t *tx) PutNotice(n challenge.TeamNotice) error {
	const op = "write notice"
	doc, err := json.Marshal(n)
	if err != nil {
		return internal(op, string(n.ID), err)
	}
	return t.db.fail(op, string(n.ID), t.exec(noticeDoc, string(doc), string(n.ID)))
}

// SettleNotice implements [challenge.NoticeTx].
func (t *tx) SettleNotice(n challenge.TeamNotice, again time.Time) (bool, error) {
	query, args := noticeDone, []any{string(n.ID), n.Attempt}
	if !again.IsZero() {
		query, args = noticeLater, []any{micros(again), string(n.ID), n.Attempt}
	}
	rows, err := t.affect(query, args...)
	return rows == 1, t.db.fail("settle notice", string(n.ID), err)
}

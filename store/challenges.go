package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

var _ challenge.Store = (*DB)(nil)

const (
	challengeByID      = `SELECT doc FROM challenge WHERE id = $1`
	challengeByToken   = `SELECT c.doc FROM challenge_token t JOIN challenge c ON c.id = t.challenge WHERE t.lookup = $1`
	challengeBySubject = `SELECT doc FROM challenge WHERE subject = $1`
	challengeOpen      = `SELECT doc FROM challenge WHERE contact = $1 AND is_open = 1`
	// A question at a time, as in standing.
	askedLast = `SELECT c.contact, MAX(c.is_open), MAX(COALESCE((SELECT MAX(o.created) FROM outbox o WHERE o.challenge = c.id AND o.step = $1
		AND NOT EXISTS (SELECT 1 FROM challenge_case k WHERE k.challenge = c.id AND k.kind = $2)), 0)) FROM challenge c WHERE c.team_id = $3 OR $3 = '' GROUP BY c.contact`
	challengesDue = `SELECT id FROM challenge WHERE next_at <> 0 AND next_at <= $1 ORDER BY next_at, id LIMIT $2`
	challengeLog  = `SELECT n, at, event, effects FROM challenge_log WHERE challenge = $1 ORDER BY n`
	caseList      = `SELECT k.challenge, c.team_id, k.kind, k.opened, k.closed, k.closed_by, k.note FROM challenge_case k JOIN challenge c ON c.id = k.challenge
		WHERE (k.closed = 0) = ($1 = 0) AND (k.opened, k.challenge, k.kind) > ($2, $3, $4) ORDER BY k.opened, k.challenge, k.kind LIMIT $5`
	outgoing = `SELECT c.doc, CASE WHEN o.attempt = $1 AND o.due_at <> 0 THEN 1 ELSE 0 END, (SELECT COUNT(*) FROM check_pause WHERE check_name IN ('', $2)),
		(SELECT COUNT(*) FROM campaign k WHERE k.id = c.campaign AND k.state IN ('halted', 'aborted')),
		(SELECT COUNT(*) FROM challenge_flag f WHERE f.flag = 'opt-out-asked' AND (f.contact = c.contact OR f.address = o.address AND f.address <> ''))
		FROM outbox o JOIN challenge c ON c.id = o.challenge WHERE o.key = $3`
	nextMail = `SELECT COALESCE(MIN(due_at), 0) FROM outbox WHERE due_at <> 0`
	// Who claims moves due_at to the end of the lease; attempt is the fence.
	claimMails = `UPDATE outbox SET due_at = $1, owner = $2, attempt = attempt + 1
		WHERE key IN (SELECT key FROM outbox WHERE due_at <> 0 AND due_at <= $3 AND (letter = $4) = ($5 = 1) ORDER BY due_at, key LIMIT $6%s)
		RETURNING key, challenge, step, letter, last, salt, address, domain, created, attempt`
)

// Challenges implements [challenge.Store]. Evidence takes numbers of the one
// sequence, so its writers are alone from the start.
func (db *DB) Challenges(ctx context.Context, fn func(challenge.Tx) error) error {
	return db.update(ctx, "write challenge", func(t *tx) error { return fn(t) })
}

func scanChallenge(rows *sql.Rows) (c challenge.Challenge, err error) {
	var doc []byte
	if err = rows.Scan(&doc); err == nil {
		err = json.Unmarshal(doc, &c)
	}
	return c, err
}

// oneChallenge reads the challenge that a query finds.
func (v *view) oneChallenge(query, value string) (challenge.Challenge, error) {
	const op = "read challenge"
	list, err := collect(v, scanChallenge, query, value)
	switch {
	case err != nil:
		return challenge.Challenge{}, v.db.fail(op, value, err)
	case len(list) == 0:
		return challenge.Challenge{}, notFound(op, value)
	}
	return list[0], nil
}

func (db *DB) readChallenge(ctx context.Context, query, value string) (c challenge.Challenge, err error) {
	err = db.glance(ctx, "read challenge", func(v *view) error {
		c, err = v.oneChallenge(query, value)
		return err
	})
	return c, err
}

// Challenge implements [challenge.Store].
func (db *DB) Challenge(ctx context.Context, id challenge.ID) (challenge.Challenge, error) {
	return db.readChallenge(ctx, challengeByID, string(id))
}

// ChallengeByToken implements [challenge.Store].
func (db *DB) ChallengeByToken(ctx context.Context, lookup challenge.Digest) (challenge.Challenge, error) {
	return db.readChallenge(ctx, challengeByToken, string(lookup))
}

// ChallengeBySubject implements [challenge.Store].
func (db *DB) ChallengeBySubject(ctx context.Context, subject string) (challenge.Challenge, error) {
	return db.readChallenge(ctx, challengeBySubject, subject)
}

// ListChallenges implements [challenge.Store].
func (db *DB) ListChallenges(ctx context.Context, f challenge.ListFilter) (list []challenge.Challenge, err error) {
	const op = "list challenges"
	var where []string
	var args []any
	put := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	for _, c := range []struct{ column, value string }{{"team_id", string(f.Team)}, {"contact", string(f.Contact)}, {"campaign", string(f.Campaign)}} {
		if c.value != "" {
			put(c.column+" = $%d", c.value)
		}
	}
	if f.Open {
		where = append(where, "is_open = 1")
	}
	if f.Campaign != "" { // as its index has it
		where = append(where, "campaign <> ''")
	}
	if !f.Since.IsZero() {
		put("created >= $%d", micros(f.Since))
	}
	if !f.Before.IsZero() {
		args = append(args, micros(f.Before), string(f.BeforeID))
		where = append(where, fmt.Sprintf("(created < $%[1]d OR created = $%[1]d AND id > $%[2]d AND $%[2]d <> '')", len(args)-1, len(args)))
	}
	order := "created DESC, id"
	if f.Oldest {
		order = "created, id"
	}
	if f.Oldest && !f.After.IsZero() {
		args = append(args, micros(f.After), string(f.AfterID))
		where = append(where, fmt.Sprintf("(created, id) > ($%d, $%d)", len(args)-1, len(args)))
	}
	query := "SELECT doc FROM challenge"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, max(1, f.Limit))
	query += fmt.Sprintf(" ORDER BY %s LIMIT $%d", order, len(args))
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, scanChallenge, query, args...)
		return db.fail(op, "", err)
	})
	return list, err
}

// LastAsked implements [challenge.Store].
func (db *DB) LastAsked(ctx context.Context, team directory.TeamID) (asked map[directory.ContactID]challenge.LastAsked, err error) {
	const op = "find who was asked"
	err = db.glance(ctx, op, func(v *view) error {
		asked = map[directory.ContactID]challenge.LastAsked{}
		return db.fail(op, string(team), v.each(func(rows *sql.Rows) error {
			var contact directory.ContactID
			var open, at int64
			err := rows.Scan(&contact, &open, &at)
			asked[contact] = challenge.LastAsked{Open: open == 1, At: timeOf(at)}
			return err
		}, askedLast, challenge.StepFirst, string(challenge.CaseUnsendable), string(team)))
	})
	return asked, err
}

// DueChallenges implements [challenge.Store].
func (db *DB) DueChallenges(ctx context.Context, now time.Time, limit int) (list []challenge.ID, err error) {
	const op = "find due challenges"
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (id challenge.ID, err error) {
			err = rows.Scan(&id)
			return id, err
		}, challengesDue, micros(now), limit)
		return db.fail(op, "", err)
	})
	return list, err
}

// ChallengeLog implements [challenge.Store].
func (db *DB) ChallengeLog(ctx context.Context, id challenge.ID) (list []challenge.Logged, err error) {
	const op = "read the log of a challenge"
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (l challenge.Logged, err error) {
			var at int64
			var event, effects []byte
			if err = rows.Scan(&l.N, &at, &event, &effects); err != nil {
				return l, err
			}
			l.At = timeOf(at)
			return l, errors.Join(json.Unmarshal(event, &l.Event), json.Unmarshal(effects, &l.Effects))
		}, challengeLog, string(id))
		return db.fail(op, string(id), err)
	})
	return list, err
}

// ListCases implements [challenge.Store].
func (db *DB) ListCases(ctx context.Context, f challenge.CaseFilter) (list []challenge.OpenCase, err error) {
	const op = "list cases"
	var after challenge.OpenCase
	if f.After != nil {
		after = *f.After
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, scanCase, caseList, flag(f.Closed), micros(after.Opened), string(after.Challenge), string(after.Kind), max(1, f.Limit))
		return db.fail(op, "", err)
	})
	return list, err
}

func scanCase(rows *sql.Rows) (c challenge.OpenCase, err error) {
	var opened, ended int64
	err = rows.Scan(&c.Challenge, &c.Team, &c.Kind, &opened, &ended, &c.ClosedBy, &c.Note)
	c.Opened, c.Closed = timeOf(opened), timeOf(ended)
	return c, err
}

// ClaimMails implements [challenge.Store].
func (db *DB) ClaimMails(ctx context.Context, c challenge.ClaimMails) (list []challenge.OutMail, err error) {
	const op = "claim mails"
	err = db.beside(ctx, op, func(t *tx) error {
		list, err = collect(&t.view, func(rows *sql.Rows) (m challenge.OutMail, err error) {
			var created int64
			var last int
			err = rows.Scan(&m.Key, &m.Challenge, &m.Step, &m.Letter, &last, &m.Salt, &m.Address, &m.Domain, &created, &m.Attempt)
			m.Last, m.Created, m.Due = last == 1, timeOf(created), c.Now.Add(c.Lease)
			return m, err
		}, fmt.Sprintf(claimMails, t.db.dialect.SkipLocked), micros(c.Now.Add(c.Lease)), c.Owner, micros(c.Now), string(challenge.LetterPost), flag(c.Posts), c.N)
		return db.fail(op, "", t.broke(err))
	})
	return list, err
}

// Outgoing implements [challenge.Store].
func (db *DB) Outgoing(ctx context.Context, m challenge.OutMail) (out challenge.Outgoing, err error) {
	const op = "read an outgoing mail"
	err = db.glance(ctx, op, func(v *view) error {
		list, err := collect(v, func(rows *sql.Rows) (o challenge.Outgoing, err error) {
			var doc []byte
			var mine, pauses, halts, outs int
			if err = rows.Scan(&doc, &mine, &pauses, &halts, &outs); err == nil {
				err = json.Unmarshal(doc, &o.Question)
			}
			o.Mine, o.Stopped, o.Halted, o.OptedOut = mine == 1, pauses > 0, halts > 0, outs > 0
			return o, err
		}, outgoing, m.Attempt, directory.PauseOfChallenges, m.Key)
		switch {
		case err != nil:
			return db.fail(op, m.Key, err)
		case len(list) == 0:
			return notFound(op, m.Key)
		}
		out = list[0]
		return nil
	})
	return out, err
}

// NextMail implements [challenge.Store].
func (db *DB) NextMail(ctx context.Context) (at time.Time, err error) {
	const op = "find the next mail"
	err = db.glance(ctx, op, func(v *view) error {
		var due int64
		if err := v.tx.QueryRowContext(v.ctx, nextMail).Scan(&due); err != nil {
			return db.fail(op, "", err)
		}
		at = timeOf(due)
		return nil
	})
	return at, err
}

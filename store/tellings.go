package store

import (
	"context"
	"database/sql"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	listeners  = `SELECT DISTINCT recipient FROM challenge_telling WHERE letter = '' ORDER BY recipient`
	untold     = `SELECT recipient, challenge, rung, created, letter, tries FROM challenge_telling WHERE letter = '' AND recipient = $1 ORDER BY created, challenge, rung LIMIT $2`
	putTelling = `INSERT INTO challenge_telling (recipient, challenge, rung, created, letter, tries) VALUES ($1, $2, $3, $4, '', 0)` + nothing
	told       = `UPDATE challenge_telling SET letter = $1 WHERE recipient = $2 AND challenge = $3 AND rung = $4 AND letter = ''`
	untell     = `UPDATE challenge_telling SET letter = '', tries = tries + $1 WHERE letter = $2`
)

// Listeners implements [challenge.TellingStore].
func (db *DB) Listeners(ctx context.Context) (list []string, err error) {
	err = db.glance(ctx, "read who is to be told", func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (r string, err error) {
			err = rows.Scan(&r)
			return r, err
		}, listeners)
		return err
	})
	return list, err
}

// Untold implements [challenge.TellingStore].
func (db *DB) Untold(ctx context.Context, recipient string, limit int) (list []challenge.Telling, err error) {
	err = db.glance(ctx, "read what is to be told", func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (t challenge.Telling, err error) {
			var created int64
			err = rows.Scan(&t.Recipient, &t.Challenge, &t.Rung, &created, &t.Letter, &t.Tries)
			t.Created = timeOf(created)
			return t, err
		}, untold, recipient, limit)
		return err
	})
	return list, err
}

// PutTelling implements [challenge.TellingTx].
func (t *tx) PutTelling(x challenge.Telling) error {
	return t.db.fail("write who is to be told", x.Recipient, t.exec(putTelling, x.Recipient, string(x.Challenge), x.Rung, micros(x.Created)))
}

// Told implements [challenge.TellingTx].
func (t *tx) Told(x challenge.Telling) error {
	return t.db.fail("write who was told", x.Recipient, t.exec(told, string(x.Letter), x.Recipient, string(x.Challenge), x.Rung))
}

// Untell implements [challenge.TellingTx].
func (t *tx) Untell(letter challenge.NoticeID, back bool) error {
	return t.db.fail("write who was not told", string(letter), t.exec(untell, flag(back), string(letter)))
}

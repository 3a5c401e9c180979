package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"math"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	campaignByID = `SELECT doc FROM campaign WHERE id = $1`
	campaignList = `SELECT doc FROM campaign WHERE created < $1 OR created = $1 AND id > $2 AND $2 <> '' ORDER BY created DESC, id LIMIT $3`
	openNow      = `SELECT COUNT(*) FROM challenge WHERE is_open = 1`
	mailsNow     = `SELECT (SELECT COUNT(*) FROM outbox WHERE due_at <> 0 AND address <> '') + (SELECT COUNT(*) FROM notice WHERE due_at <> 0)`
	postsNow     = `SELECT (SELECT COUNT(*) FROM outbox WHERE due_at <> 0 AND address = '') + (SELECT COUNT(*) FROM webhook_delivery WHERE due_at <> 0)`
	casesNow     = `SELECT COUNT(*) FROM challenge_case WHERE closed = 0`
	hasConsent   = `SELECT COUNT(*) FROM challenge_consent WHERE team_id = $1`
	dropConsent  = `DELETE FROM challenge_consent WHERE team_id = $1`
	marksOfTeam  = `SELECT contact, team_id, flag, at, challenge, address FROM challenge_flag WHERE team_id = $1 OR $1 = '' OR flag = 'opt-out-asked' ORDER BY team_id, contact`
)

func scanCampaign(rows *sql.Rows) (c challenge.Campaign, err error) {
	var doc []byte
	if err = rows.Scan(&doc); err == nil {
		err = json.Unmarshal(doc, &c)
	}
	return c, err
}

func (v *view) oneCampaign(id challenge.CampaignID) (challenge.Campaign, error) {
	const op = "read campaign"
	list, err := collect(v, scanCampaign, campaignByID, string(id))
	switch {
	case err != nil:
		return challenge.Campaign{}, v.db.fail(op, string(id), err)
	case len(list) == 0:
		return challenge.Campaign{}, notFound(op, string(id))
	}
	return list[0], nil
}

// Campaign implements [challenge.Store].
func (db *DB) Campaign(ctx context.Context, id challenge.CampaignID) (c challenge.Campaign, err error) {
	err = db.glance(ctx, "read campaign", func(v *view) error {
		c, err = v.oneCampaign(id)
		return err
	})
	return c, err
}

// Campaigns implements [challenge.Store].
func (db *DB) Campaigns(ctx context.Context, f challenge.CampaignFilter) (list []challenge.Campaign, err error) {
	const op = "list campaigns"
	until := int64(math.MaxInt64)
	if !f.Before.IsZero() {
		until = micros(f.Before)
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, scanCampaign, campaignList, until, string(f.BeforeID), max(1, f.Limit))
		return db.fail(op, "", err)
	})
	return list, err
}

// Marks implements [challenge.Store].
func (db *DB) Marks(ctx context.Context, team directory.TeamID) (list []challenge.Mark, err error) {
	const op = "list marks of contacts"
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (m challenge.Mark, err error) {
			var at int64
			err = rows.Scan(&m.Contact, &m.Team, &m.Flag, &at, &m.Challenge, &m.Address)
			m.At = timeOf(at)
			return m, err
		}, marksOfTeam, string(team))
		return db.fail(op, string(team), err)
	})
	return list, err
}

// Stopped implements [challenge.Store].
func (db *DB) Stopped(ctx context.Context) (stopped bool, err error) {
	err = db.glance(ctx, "read pauses", func(v *view) error {
		pauses, err := v.Pauses()
		stopped = stopsChallenges(pauses)
		return err
	})
	return stopped, err
}

// Consents implements [challenge.Store].
func (db *DB) Consents(ctx context.Context, team directory.TeamID) (given bool, err error) {
	const op = "read consent"
	err = db.glance(ctx, op, func(v *view) error {
		var n int64
		err := v.tx.QueryRowContext(v.ctx, hasConsent, string(team)).Scan(&n)
		given = n > 0
		return db.fail(op, string(team), err)
	})
	return given, err
}

// PutConsent implements [challenge.Tx].
func (t *tx) PutConsent(team directory.TeamID, given bool, by string, at time.Time) error {
	const op = "write consent"
	if !given {
		return t.db.fail(op, string(team), t.exec(dropConsent, string(team)))
	}
	return t.db.fail(op, string(team), t.insertAll(consentTable, consentTable.overwrite(), []any{string(team), micros(at), by}))
}

// DeskFigures implements [challenge.Store].
func (db *DB) DeskFigures(ctx context.Context) (f challenge.DeskFigures, err error) {
	const op = "count questions"
	err = db.view(ctx, op, func(v *view) error {
		for query, to := range map[string]*int{openNow: &f.Open, mailsNow: &f.Mails, postsNow: &f.Posts, casesNow: &f.Cases} {
			if err := v.tx.QueryRowContext(v.ctx, query).Scan(to); err != nil {
				return db.fail(op, "", err)
			}
		}
		return nil
	})
	return f, err
}

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const (
	hookByID     = `SELECT doc FROM webhook WHERE id = $1`
	hookList     = `SELECT doc FROM webhook WHERE team_id = $1 OR $1 = '' ORDER BY created, id`
	hooksFor     = `SELECT doc FROM webhook WHERE active = 1 AND (team_id = '' OR team_id = $1) ORDER BY created, id`
	endpointList = `SELECT doc FROM contact_endpoint WHERE team_id = $1 OR $1 = '' ORDER BY contact`
	endpointOf   = `SELECT doc FROM contact_endpoint WHERE contact = $1`
	lastNotice   = `SELECT COALESCE(MAX(n), 0) FROM challenge_notice`
	// Who claims moves due_at to the end of the lease. Only the lowest that is not over is claimed of each hook, so that what is leased holds up the rest.
	claimDeliveries = `UPDATE webhook_delivery SET due_at = $1, owner = $2, attempt = attempt + 1
		WHERE (webhook, n) IN (SELECT d.webhook, d.n FROM webhook_delivery d WHERE d.due_at <> 0 AND d.due_at <= $3
			AND d.n = (SELECT MIN(e.n) FROM webhook_delivery e WHERE e.webhook = d.webhook AND e.due_at <> 0)
			ORDER BY d.due_at, d.n, d.webhook LIMIT $4%s)
		RETURNING webhook, n, created, begun, attempt, (SELECT c.type FROM challenge_notice c WHERE c.n = webhook_delivery.n), (SELECT c.doc FROM challenge_notice c WHERE c.n = webhook_delivery.n)`
	deliveryList = `SELECT d.webhook, d.n, c.type, d.created, d.begun, d.due_at, d.attempt, d.state, d.status, d.problem, d.done
		FROM webhook_delivery d JOIN challenge_notice c ON c.n = d.n WHERE d.webhook = $1 AND d.n < $2 ORDER BY d.n DESC LIMIT $3`
	settleDelivery = `UPDATE webhook_delivery SET due_at = $1, owner = '', begun = $2, state = $3, status = $4, problem = $5, done = $6
		WHERE webhook = $7 AND n = $8 AND attempt = $9 AND due_at <> 0`
	dropDeliveries    = `UPDATE webhook_delivery SET due_at = 0, owner = '', state = $1, done = $2 WHERE webhook = $3 AND due_at <> 0`
	waitingDeliveries = `SELECT COUNT(*) FROM webhook_delivery WHERE webhook = $1 AND due_at <> 0`
	deleteDeliveries  = `DELETE FROM webhook_delivery WHERE webhook = $1`
	deleteHook        = `DELETE FROM webhook WHERE id = $1`
	deleteEndpoint    = `DELETE FROM contact_endpoint WHERE contact = $1`
	// The newest stays, since its number must not be given again.
	oldNotices = `SELECT c.n FROM challenge_notice c WHERE c.at < $1 AND c.n < (SELECT MAX(n) FROM challenge_notice)
		AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.n = c.n AND d.due_at <> 0) ORDER BY c.n LIMIT $2`
	pruneDeliveries = `DELETE FROM webhook_delivery WHERE n IN (%s)`
	pruneNotices    = `DELETE FROM challenge_notice WHERE n IN (%s)`
)

// scanDoc reads a row that is one value as JSON.
func scanDoc[T any](rows *sql.Rows) (v T, err error) {
	var doc []byte
	if err = rows.Scan(&doc); err == nil {
		err = json.Unmarshal(doc, &v)
	}
	return v, err
}

func (v *view) oneHook(id challenge.HookID) (challenge.Hook, error) {
	const op = "read webhook"
	list, err := collect(v, scanDoc[challenge.Hook], hookByID, string(id))
	switch {
	case err != nil:
		return challenge.Hook{}, v.db.fail(op, string(id), err)
	case len(list) == 0:
		return challenge.Hook{}, notFound(op, string(id))
	}
	return list[0], nil
}

func (v *view) hooks(query string, team directory.TeamID) ([]challenge.Hook, error) {
	list, err := collect(v, scanDoc[challenge.Hook], query, string(team))
	return list, v.db.fail("list webhooks", string(team), err)
}

// Hook implements [challenge.HookStore].
func (db *DB) Hook(ctx context.Context, id challenge.HookID) (h challenge.Hook, err error) {
	err = db.glance(ctx, "read webhook", func(v *view) error {
		h, err = v.oneHook(id)
		return err
	})
	return h, err
}

// Hooks implements [challenge.HookStore].
func (db *DB) Hooks(ctx context.Context, team directory.TeamID) (list []challenge.Hook, err error) {
	err = db.glance(ctx, "list webhooks", func(v *view) error {
		list, err = v.hooks(hookList, team)
		return err
	})
	return list, err
}

// Endpoints implements [challenge.HookStore].
func (db *DB) Endpoints(ctx context.Context, team directory.TeamID) (list []challenge.Endpoint, err error) {
	const op = "list endpoints"
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, scanDoc[challenge.Endpoint], endpointList, string(team))
		return db.fail(op, string(team), err)
	})
	return list, err
}

// Deliveries implements [challenge.HookStore].
func (db *DB) Deliveries(ctx context.Context, id challenge.HookID, before int64, limit int) (list []challenge.Delivery, err error) {
	const op = "list deliveries"
	if before <= 0 {
		before = math.MaxInt64
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (d challenge.Delivery, err error) {
			var created, begun, due, done int64
			err = rows.Scan(&d.Hook, &d.N, &d.Type, &created, &begun, &due, &d.Attempt, &d.State, &d.Status, &d.Problem, &done)
			d.Created, d.Begun, d.Due, d.Done = timeOf(created), timeOf(begun), timeOf(due), timeOf(done)
			return d, err
		}, deliveryList, string(id), before, max(1, limit))
		return db.fail(op, string(id), err)
	})
	return list, err
}

// ClaimDeliveries implements [challenge.HookStore].
func (db *DB) ClaimDeliveries(ctx context.Context, c challenge.ClaimMails) (list []challenge.Delivery, err error) {
	const op = "claim deliveries"
	until := c.Now.Add(c.Lease)
	err = db.beside(ctx, op, func(t *tx) error {
		list, err = collect(&t.view, func(rows *sql.Rows) (d challenge.Delivery, err error) {
			var created, begun int64
			err = rows.Scan(&d.Hook, &d.N, &created, &begun, &d.Attempt, &d.Type, &d.Body)
			d.Created, d.Begun, d.Due, d.State = timeOf(created), timeOf(begun), until, challenge.DeliveryWaiting
			return d, err
		}, fmt.Sprintf(claimDeliveries, t.db.dialect.SkipLocked), micros(until), c.Owner, micros(c.Now), c.N)
		return db.fail(op, "", t.broke(err))
	})
	return list, err
}

// Notices implements [challenge.HookStore].
func (db *DB) Notices(ctx context.Context, f challenge.NoticeFilter) (list []challenge.Notice, err error) {
	const op = "list notices"
	query, args := `SELECT doc FROM challenge_notice WHERE n > $1 AND webhook = ''`, []any{f.After}
	for _, c := range []struct{ column, value string }{{"team_id", string(f.Team)}, {"campaign", string(f.Campaign)}, {"type", f.Type}} {
		if c.value != "" {
			args = append(args, c.value)
			query += fmt.Sprintf(" AND %s = $%d", c.column, len(args))
		}
	}
	args = append(args, max(1, f.Limit))
	query += fmt.Sprintf(" ORDER BY n LIMIT $%d", len(args))
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, scanDoc[challenge.Notice], query, args...)
		return db.fail(op, "", err)
	})
	return list, err
}

// LastNotice implements [challenge.HookStore].
func (db *DB) LastNotice(ctx context.Context) (n int64, err error) {
	const op = "read the last notice"
	err = db.glance(ctx, op, func(v *view) error {
		return db.fail(op, "", v.tx.QueryRowContext(v.ctx, lastNotice).Scan(&n))
	})
	return n, err
}

// PruneNotices implements [challenge.HookStore].
func (db *DB) PruneNotices(ctx context.Context, before time.Time) (more bool, err error) {
	const op = "prune notices"
	err = db.update(ctx, op, func(t *tx) error {
		old, err := collect(&t.view, func(rows *sql.Rows) (n any, err error) {
			var number int64
			err = rows.Scan(&number)
			return number, err
		}, oldNotices, micros(before), pruneRows)
		if more = len(old) == pruneRows; err != nil || len(old) == 0 {
			return db.fail(op, "", err)
		}
		for _, query := range []string{pruneDeliveries, pruneNotices} {
			if err := t.exec(fmt.Sprintf(query, parameters(1, len(old))), old...); err != nil {
				return db.fail(op, "", err)
			}
		}
		return nil
	})
	return more, err
}

// Hook implements [challenge.HookTx].
func (t *tx) Hook(id challenge.HookID) (challenge.Hook, error) { return t.oneHook(id) }

// Hooks implements [challenge.HookTx].
func (t *tx) Hooks(team directory.TeamID) ([]challenge.Hook, error) { return t.hooks(hookList, team) }

// HooksFor implements [challenge.HookTx].
func (t *tx) HooksFor(team directory.TeamID) ([]challenge.Hook, error) {
	return t.hooks(hooksFor, team)
}

// PutHook implements [challenge.HookTx].
func (t *tx) PutHook(h challenge.Hook) error {
	const op = "write webhook"
	doc, err := json.Marshal(h)
	if err != nil {
		return internal(op, string(h.ID), err)
	}
	row := []any{string(h.ID), string(h.Team), flag(h.Active), micros(h.Created), string(doc)}
	return t.db.fail(op, string(h.ID), t.insertAll(hookTable, hookTable.overwrite(), row))
}

// DropHook implements [challenge.HookTx].
func (t *tx) DropHook(id challenge.HookID) (bool, error) {
	const op = "remove webhook"
	if err := t.exec(deleteDeliveries, string(id)); err != nil {
		return false, t.db.fail(op, string(id), err)
	}
	n, err := t.affect(deleteHook, string(id))
	return n == 1, t.db.fail(op, string(id), err)
}

// PutEvent implements [challenge.HookTx]. Whoever writes challenges is alone, so
// that numbers come in the order of commits and have no gaps.
func (t *tx) PutEvent(n challenge.Notice, only challenge.HookID) (int64, error) {
	const op = "write notice"
	if t.noticed == 0 {
		if err := t.tx.QueryRowContext(t.ctx, lastNotice).Scan(&t.noticed); err != nil {
			return 0, t.db.fail(op, n.ID, err)
		}
	}
	t.noticed++
	n.Number = t.noticed
	doc, err := json.Marshal(n)
	if err != nil {
		return 0, internal(op, n.ID, err)
	}
	row := []any{n.Number, micros(n.At), n.Type, string(n.Team), string(n.Campaign), string(only), string(doc)}
	return n.Number, t.db.fail(op, n.ID, t.insertAll(askEventTable, "", row))
}

// PutDelivery implements [challenge.HookTx].
func (t *tx) PutDelivery(id challenge.HookID, n int64, at time.Time) error {
	row := []any{string(id), n, micros(at), 0, micros(at), 0, "", string(challenge.DeliveryWaiting), 0, "", 0}
	return t.db.fail("write delivery", string(id), t.insertAll(deliveryTable, "", row))
}

// SettleDelivery implements [challenge.HookTx].
func (t *tx) SettleDelivery(d challenge.Delivery) (bool, error) {
	n, err := t.affect(settleDelivery, micros(d.Due), micros(d.Begun), string(d.State), d.Status, d.Problem, micros(d.Done), string(d.Hook), d.N, d.Attempt)
	return n == 1, t.db.fail("settle delivery", d.ID(), err)
}

// DropDeliveries implements [challenge.HookTx].
func (t *tx) DropDeliveries(id challenge.HookID, at time.Time) error {
	return t.db.fail("drop deliveries", string(id), t.exec(dropDeliveries, string(challenge.DeliveryDropped), micros(at), string(id)))
}

// WaitingDeliveries implements [challenge.HookTx].
func (t *tx) WaitingDeliveries(id challenge.HookID) (n int, err error) {
	err = t.tx.QueryRowContext(t.ctx, waitingDeliveries, string(id)).Scan(&n)
	return n, t.db.fail("count deliveries", string(id), err)
}

// Endpoint implements [challenge.HookTx].
func (t *tx) Endpoint(contact directory.ContactID) (challenge.Endpoint, bool, error) {
	list, err := collect(&t.view, scanDoc[challenge.Endpoint], endpointOf, string(contact))
	if err != nil || len(list) == 0 {
		return challenge.Endpoint{}, false, t.db.fail("read endpoint", string(contact), err)
	}
	return list[0], true, nil
}

// PutEndpoint implements [challenge.HookTx].
func (t *tx) PutEndpoint(e challenge.Endpoint) error {
	const op = "write endpoint"
	doc, err := json.Marshal(e)
	if err != nil {
		return internal(op, string(e.Contact), err)
	}
	row := []any{string(e.Contact), string(e.Team), string(doc)}
	return t.db.fail(op, string(e.Contact), t.insertAll(endpointTable, endpointTable.overwrite(), row))
}

// DropEndpoint implements [challenge.HookTx].
func (t *tx) DropEndpoint(contact directory.ContactID) (bool, error) {
	n, err := t.affect(deleteEndpoint, string(contact))
	return n == 1, t.db.fail("remove endpoint", string(contact), err)
}

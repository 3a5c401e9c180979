package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	// A signature that came earlier is no news.
	laterSeen     = ` ON CONFLICT (domain, selector) DO UPDATE SET seen = CASE WHEN excluded.seen > dkim_selector.seen THEN excluded.seen ELSE dkim_selector.seen END`
	dropSelectors = `DELETE FROM dkim_selector WHERE domain = $1 AND selector NOT IN (SELECT selector FROM dkim_selector WHERE domain = $1 ORDER BY seen DESC, selector LIMIT $2)`
	selectorsOf   = `SELECT domain, selector, seen FROM dkim_selector WHERE domain IN (%s) ORDER BY seen DESC, domain, selector`
)

// SeeSelector implements [challenge.Tx].
func (t *tx) SeeSelector(s verify.Selector) error {
	const op = "learn selector"
	if err := t.insertAll(selectorTable, laterSeen, []any{s.Domain, s.Name, micros(s.Seen)}); err != nil {
		return t.db.fail(op, s.Domain, err)
	}
	return t.db.fail(op, s.Domain, t.exec(dropSelectors, s.Domain, verify.MaxSelectors))
}

// Selectors implements [verify.Queue].
func (db *DB) Selectors(ctx context.Context, domains []string) (list []verify.Selector, err error) {
	const op = "read selectors"
	var args []any
	for _, d := range domains {
		args = append(args, d)
	}
	if len(args) == 0 {
		return nil, nil
	}
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	err = db.glance(ctx, op, func(v *view) error {
		list, err = collect(v, func(rows *sql.Rows) (s verify.Selector, err error) {
			var seen int64
			err = rows.Scan(&s.Domain, &s.Name, &seen)
			s.Seen = timeOf(seen)
			return s, err
		}, fmt.Sprintf(selectorsOf, parameters(1, len(args))), args...)
		return db.fail(op, "", err)
	})
	return list, err
}

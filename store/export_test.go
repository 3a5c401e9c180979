package store

import (
	"context"

	"github.com/rollcall-csirt/rollcall/verify"
)

// PutFound writes a verification for each row, as many runs would have.
func PutFound(ctx context.Context, db *DB, rows []verify.Row, v verify.Verification) error {
	return db.update(ctx, "fill", func(t *tx) error {
		for _, row := range rows {
			v.Check, v.Subject = row.Check, row.Subject
			if err := t.putFound(row, &v, v.Checked); err != nil {
				return err
			}
		}
		return nil
	})
}

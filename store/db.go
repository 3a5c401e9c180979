package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// DB is an open database. It is safe for concurrent use. Open one with
// sqlite.Open or postgres.Open.
type DB struct {
	// Now is the clock for what the store dates by itself: migrations and
	// backups. Set it before use only.
	Now func() time.Time

	write, read *sql.DB
	dialect     Dialect
}

var (
	_ directory.Store = (*DB)(nil)
	_ verify.Store    = (*DB)(nil)
)

// New makes a DB of two pools of connections, which may be one. It owns them
// from then on. Open of an engine calls it, nobody else needs to.
func New(write, read *sql.DB, d Dialect) *DB {
	return &DB{Now: time.Now, write: write, read: read, dialect: d}
}

// Ready does what opts ask for and else refuses a schema that is not the one
// this program was built for.
func (db *DB) Ready(ctx context.Context, opts ...Option) error {
	for _, o := range opts {
		switch o {
		case AnySchema:
			return nil
		case MigrateFirst:
			_, err := db.Migrate(ctx)
			return err
		}
	}
	return db.checkSchema(ctx)
}

// Engine returns "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.Name }

// Close ends all connections. Transactions that are under way fail.
func (db *DB) Close() error {
	err := db.read.Close()
	if db.write != db.read {
		err = errors.Join(err, db.write.Close())
	}
	return err
}

// attempts bounds how often a transaction is run again because the engine
// asked for it.
const attempts = 6

// Update implements [directory.Store]. An Update within the fn of another one
// waits for itself and fails.
func (db *DB) Update(ctx context.Context, fn func(directory.Tx) error) error {
	return db.update(ctx, "write", func(t *tx) error { return fn(t) })
}

func (db *DB) update(ctx context.Context, op string, fn func(*tx) error) error {
	return db.retried(ctx, op, db.dialect.Lock, fn)
}

// beside is update for what takes no number of the sequence: it waits for no
// other writer where rows can be locked one by one.
func (db *DB) beside(ctx context.Context, op string, fn func(*tx) error) error {
	return db.retried(ctx, op, "", fn)
}

func (db *DB) retried(ctx context.Context, op, lock string, fn func(*tx) error) error {
	for i := 1; ; i++ {
		err := ended(ctx, op, db.writeOnce(ctx, op, lock, fn))
		if err == nil || i == attempts || db.fault(err) != FaultRetry {
			return err
		}
		pause := time.Duration(i*i) * (2*time.Millisecond + rand.N(3*time.Millisecond))
		select {
		case <-ctx.Done():
			return db.fail(op, "", ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (db *DB) writeOnce(ctx context.Context, op, lock string, fn func(*tx) error) error {
	begun, err := db.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return db.fail(op, "", err)
	}
	// After a commit this does nothing; after an error or a panic it undoes all.
	defer begun.Rollback() //nolint:errcheck // the first error is the one to tell
	t := &tx{view: view{ctx: ctx, db: db, tx: begun}}
	if lock != "" {
		if _, err := begun.ExecContext(ctx, lock); err != nil {
			return db.fail(op, "", err)
		}
	}
	if err := fn(t); err != nil {
		return err
	}
	if err := t.finish(op); err != nil {
		return err
	}
	return db.fail(op, "", begun.Commit())
}

// View implements [directory.Store].
func (db *DB) View(ctx context.Context, fn func(directory.Reader) error) error {
	return db.view(ctx, "read", func(v *view) error { return fn(v) })
}

func (db *DB) view(ctx context.Context, op string, fn func(*view) error) error {
	begun, err := db.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return db.fail(op, "", err)
	}
	defer begun.Rollback() //nolint:errcheck // there is nothing to undo
	return ended(ctx, op, fn(&view{ctx: ctx, db: db, tx: begun}))
}

// glance is view for what asks one statement, which sees one state by itself: a transaction
// around it would be two conversations more with PostgreSQL.
func (db *DB) glance(ctx context.Context, op string, fn func(*view) error) error {
	return ended(ctx, op, fn(&view{ctx: ctx, db: db, tx: db.read}))
}

// ended names the end of the context as the cause where database/sql or the
// driver only says what came of it: a transaction that is done already, a
// statement that was interrupted.
func ended(ctx context.Context, op string, err error) error {
	if e, ok := errors.AsType[*directory.Error](err); !ok || e.Kind != directory.Internal || ctx.Err() == nil {
		return err
	}
	return &directory.Error{Kind: directory.Unavailable, Op: op, Err: errors.Join(ctx.Err(), err)}
}

// asked is whom a view asks: a transaction, or the database for one statement.
type asked interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// view is a [directory.Reader]. It lives as long as its transaction and keeps
// that one's context, since the methods of a Reader take none.
type view struct {
	ctx context.Context
	db  *DB
	tx  asked
}

// each calls row for every row of a query. row MUST NOT ask the database
// anything: PostgreSQL has one conversation per connection.
func (v *view) each(row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := v.tx.QueryContext(v.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect gathers what scan makes of every row.
func collect[T any](v *view, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	var list []T
	err := v.each(func(rows *sql.Rows) error {
		item, err := scan(rows)
		list = append(list, item)
		return err
	}, query, args...)
	return list, err
}

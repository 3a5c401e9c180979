// Package postgres opens a [store.DB] in PostgreSQL 15 or later, for several
// nodes. It expects a database of its own, or at least a schema of its own in
// the search path.
//
// Write transactions are READ COMMITTED and begin by locking the counter's
// row, so that each sees all that was committed before it; read transactions
// are REPEATABLE READ. Every commit of a change notifies the channel
// rollcall_change.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rollcall-csirt/rollcall/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	channel     = "rollcall_change"
	connections = 12 // of one process; PostgreSQL's own default allows 100
)

// Open connects to the database at url, a postgres:// URL or a list of
// key=value. The error is [directory.Unavailable] and says what is wrong, and
// never holds the password.
func Open(ctx context.Context, url string, opts ...store.Option) (*store.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, store.Unavailable("postgres", "not a PostgreSQL URL", err)
	}
	subject := net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))) + "/" + config.Database
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "rollcall"
	}
	// As long as SQLite waits for another writer.
	config.RuntimeParams["lock_timeout"] = "10s"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	db := store.New(pool, pool, dialect(config))
	if err := pool.PingContext(ctx); err != nil {
		return nil, store.Unavailable(subject, explain(err), errors.Join(err, db.Close()))
	}
	if err := db.Ready(ctx, opts...); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func dialect(config *pgx.ConnConfig) store.Dialect {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic("postgres: " + err.Error()) // the name is a constant
	}
	return store.Dialect{
		Name:          "postgres",
		Migrations:    files,
		HasTable:      `SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1`,
		Lock:          `SELECT seq FROM counter WHERE id = 1 FOR UPDATE`,
		SkipLocked:    ` FOR UPDATE SKIP LOCKED`,
		MigrationLock: `SELECT pg_advisory_xact_lock(7954261337)`, // any number that is always the same
		Notify:        `SELECT pg_notify('` + channel + `', '')`,
		Listen:        func(ctx context.Context, wake func()) { listen(ctx, config, wake) },
		Poll:          time.Second,
		Fault:         fault,
	}
}

// listen holds a connection of its own until ctx ends and makes a new one,
// with growing pauses, when it is lost.
func listen(ctx context.Context, config *pgx.ConnConfig, wake func()) {
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	for pause := first; ctx.Err() == nil; pause = min(2*pause, longest) {
		listenOnce(ctx, config, func() {
			pause = first
			wake()
		})
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// listenOnce returns when the connection is lost. That needs no report: the
// poll of [store.DB.Watch] covers the time without one.
func listenOnce(ctx context.Context, config *pgx.ConnConfig, wake func()) {
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return
	}
	defer func() {
		// ctx may be over, and the server still deserves a goodbye.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(ctx) //nolint:errcheck // it is over either way
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	wake() // for what was committed before we listened
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return
		}
		wake()
	}
}

func explain(err error) string {
	switch fault(err) {
	case store.FaultDenied:
		return "the PostgreSQL server refuses the user or there is no such database"
	case store.FaultDown:
		return "the PostgreSQL server can't be reached"
	}
	return "the database can't be opened"
}

// fault classifies SQLSTATEs (PostgreSQL manual, appendix A).
func fault(err error) store.Fault {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err) {
			return store.FaultDown
		}
		return store.FaultOther
	}
	switch e.Code {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return store.FaultRetry
	case "55P03": // lock_not_available
		return store.FaultBusy
	case "53100": // disk_full
		return store.FaultFull
	case "42P01", "3F000": // undefined_table, invalid_schema_name
		return store.FaultSchema
	case "23505", "23503": // unique_violation, foreign_key_violation
		return store.FaultConflict
	case "25006", "42501", "3D000": // read_only_sql_transaction, insufficient_privilege, invalid_catalog_name
		return store.FaultDenied
	}
	switch e.Code[:2] {
	case "08", "53", "57", "58": // connection, resources, operator intervention, system error
		return store.FaultDown
	case "28": // authorization
		return store.FaultDenied
	case "22": // data
		return store.FaultInput
	case "XX":
		return store.FaultCorrupt
	}
	return store.FaultOther
}

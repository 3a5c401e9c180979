// Package sqlite opens a [store.DB] in one SQLite file: the embedded default,
// for one node. Several processes may have the file open at once; they must be
// on one machine, since SQLite's write-ahead log needs shared memory.
//
// Every commit is on the disk before it is acknowledged (synchronous=FULL): in
// WAL mode the cheaper NORMAL keeps the database whole after a power loss but
// may lose the last commits, and an acknowledged change that vanishes would
// take its sequence number with it. It costs one fsync for each transaction
// and nothing in an import, which is one transaction.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/rollcall-csirt/rollcall/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// readers is how many connections read at once. Lookups are answered from
// memory, so that these few serve lists, history and backups.
const readers = 8

// Open opens the database in the file at path, making it if there is none
// (unless [store.MustExist]). The error is [directory.Unavailable] and says
// what is wrong with the file or its schema.
func Open(ctx context.Context, path string, opts ...store.Option) (*store.DB, error) {
	file, err := prepare(path, slices.Contains(opts, store.MustExist))
	if err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite3", dsn(file, url.Values{"_txlock": {"immediate"}, "_query_only": {"0"}}))
	if err != nil {
		return nil, store.Unavailable(path, "the database can't be opened", err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite3", dsn(file, url.Values{"_txlock": {"deferred"}, "_query_only": {"1"}}))
	if err != nil {
		return nil, store.Unavailable(path, "the database can't be opened", errors.Join(err, write.Close()))
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db := store.New(write, read, dialect())
	// The writer goes first: after a kill it is the one that may recover the log.
	if err := write.PingContext(ctx); err != nil {
		return nil, store.Unavailable(path, explain(err), errors.Join(err, db.Close()))
	}
	if err := ours(ctx, write); err != nil {
		return nil, store.Unavailable(path, err.Error(), errors.Join(err, db.Close()))
	}
	if err := db.Ready(ctx, opts...); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// ours refuses the database of another application, whose file migrations
// would otherwise move into.
func ours(ctx context.Context, db *sql.DB) error {
	var tables, known int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(CASE WHEN name IN ('migration', 'meta') THEN 1 END) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`).Scan(&tables, &known)
	if err == nil && tables > 0 && known == 0 {
		err = errors.New("the file is the database of another application")
	}
	return err
}

func dialect() store.Dialect {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic("sqlite: " + err.Error()) // the name is a constant
	}
	return store.Dialect{
		Name:       "sqlite",
		Migrations: files,
		HasTable:   `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`,
		Poll:       100 * time.Millisecond,
		Fault:      fault,
	}
}

// dsn builds the URI of a file whose name may hold any character.
func dsn(file string, more url.Values) string {
	v := url.Values{
		"_journal_mode":    {"WAL"},
		"_synchronous":     {"FULL"},
		"_busy_timeout":    {"10000"},
		"_foreign_keys":    {"1"},
		"_cache_size":      {"-16000"}, // KiB
		"_stmt_cache_size": {"64"},
	}
	for k, values := range more {
		v[k] = values
	}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + v.Encode()
}

// prepare looks at the file before SQLite does, whose own words for what is
// wrong help nobody, and makes it readable for its owner only: it holds
// contacts that are not public.
func prepare(path string, mustExist bool) (string, error) {
	file, err := filepath.Abs(path)
	if err != nil || path == "" {
		return "", store.Unavailable(path, "not the name of a file", err)
	}
	flags := os.O_RDWR | os.O_CREATE
	if mustExist {
		flags = os.O_RDWR
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return "", store.Unavailable(path, "a directory or device, not a database file", nil)
	}
	f, err := os.OpenFile(file, flags, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mustExist:
		return "", store.Unavailable(path, "there is no such database", err)
	case errors.Is(err, fs.ErrNotExist):
		return "", store.Unavailable(path, "the folder of the database does not exist", err)
	case errors.Is(err, fs.ErrPermission):
		return "", store.Unavailable(path, "no permission to read and write the database", err)
	case err != nil:
		return "", store.Unavailable(path, "the database can't be opened", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if n == 0 && errors.Is(err, io.EOF) {
		return file, nil // new
	}
	if string(head) != "SQLite format 3\x00" {
		return "", store.Unavailable(path, "not a SQLite database", nil)
	}
	return file, nil
}

func explain(err error) string {
	switch fault(err) {
	case store.FaultBusy, store.FaultRetry:
		return "the database is locked by another process"
	case store.FaultFull:
		return "the disk is full"
	case store.FaultCorrupt:
		return "not a SQLite database, or a damaged one"
	case store.FaultDenied:
		return "no permission to read and write the database"
	}
	return "the database can't be opened"
}

// fault classifies SQLite's result codes (sqlite.org/rescode.html).
func fault(err error) store.Fault {
	e, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return store.FaultOther
	}
	switch e.Code {
	case sqlite3.ErrBusy:
		if e.ExtendedCode == sqlite3.ErrBusySnapshot {
			return store.FaultRetry
		}
		return store.FaultBusy
	case sqlite3.ErrLocked:
		return store.FaultRetry
	case sqlite3.ErrFull:
		return store.FaultFull
	case sqlite3.ErrIoErr:
		// A full disk shows as an I/O error where the log's index is enlarged.
		if e.SystemErrno == syscall.ENOSPC {
			return store.FaultFull
		}
		return store.FaultDown
	case sqlite3.ErrCantOpen, sqlite3.ErrProtocol:
		return store.FaultDown
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrAuth:
		return store.FaultDenied
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return store.FaultCorrupt
	case sqlite3.ErrConstraint:
		return store.FaultConflict
	case sqlite3.ErrTooBig:
		return store.FaultInput
	}
	return store.FaultOther
}

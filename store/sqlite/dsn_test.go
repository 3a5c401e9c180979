package sqlite

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

// TestConnection pins what the package promises of every connection: these
// settings are a connection's own and not kept in the file.
func TestConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	for name, c := range map[string]struct {
		more      url.Values
		queryOnly int
	}{
		"writer": {url.Values{"_txlock": {"immediate"}, "_query_only": {"0"}}, 0},
		"reader": {url.Values{"_txlock": {"deferred"}, "_query_only": {"1"}}, 1},
	} {
		db, err := sql.Open("sqlite3", dsn(file, c.more))
		if err != nil {
			t.Fatal(err)
		}
		for pragma, want := range map[string]int{"synchronous": 2, "busy_timeout": 10000, "foreign_keys": 1, "query_only": c.queryOnly} {
			var got int
			if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s = %d, %v, want %d", name, pragma, got, err, want)
			}
		}
		var mode string
		if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("%s: journal_mode = %q, %v, want wal", name, mode, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLocked waits for a writer that does not end, with less patience than Open
// has.
func TestLocked(t *testing.T) {
	ctx := context.Background()
	uri := dsn(filepath.Join(t.TempDir(), "a.db"), url.Values{"_txlock": {"immediate"}, "_busy_timeout": {"50"}})
	var pools []*sql.DB
	for range 2 {
		pool, err := sql.Open("sqlite3", uri)
		if err != nil {
			t.Fatal(err)
		}
		pools = append(pools, pool)
	}
	db := store.New(pools[0], pools[0], dialect())
	if err := db.Ready(ctx, store.MigrateFirst); err != nil {
		t.Fatal(err)
	}
	nothing := func(directory.Tx) error { return nil }
	held, err := pools[1].Begin()
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(ctx, nothing)
	if directory.KindOf(err) != directory.Unavailable || err == nil || !strings.Contains(err.Error(), "the database is locked by another writer") {
		t.Errorf("Update = %v, want unavailable, locked", err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(ctx, nothing); err != nil {
		t.Errorf("Update after the lock was given up: %v", err)
	}
	for _, err := range []error{db.Close(), pools[1].Close()} {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestRetry(t *testing.T) {
	ctx := context.Background()
	db, err := Open(ctx, filepath.Join(t.TempDir(), "a.db"), store.MigrateFirst)
	if err != nil {
		t.Fatal(err)
	}
	again := sqlite3.Error{Code: sqlite3.ErrBusy, ExtendedCode: sqlite3.ErrBusySnapshot}
	runs := 0
	err = db.Update(ctx, func(directory.Tx) error {
		if runs++; runs < 4 {
			return again
		}
		return nil
	})
	if err != nil || runs != 4 {
		t.Errorf("Update = %v after %d runs, want success after 4", err, runs)
	}
	runs = 0
	err = db.Update(ctx, func(directory.Tx) error { runs++; return again })
	if err == nil || runs < 2 || runs > 10 {
		t.Errorf("Update = %v after %d runs, want an error after a few", err, runs)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// Package storetest is the suite that every engine of package store must pass
// ([Run]), and lends both engines to the tests of other packages ([Engines],
// [Each]).
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx", to make and drop databases

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/postgres"
	"github.com/rollcall-csirt/rollcall/store/sqlite"
)

// PostgresVariable names the environment variable with the URL of a PostgreSQL
// server whose user may create databases.
const PostgresVariable = "ROLLCALL_TEST_POSTGRES"

// Engine is one engine to test on.
type Engine struct {
	Name string // "sqlite" or "postgres"
	// Create makes an empty database without tables that is gone after the
	// test, and returns what --db would name it by. It skips the test, saying
	// so, when the engine is not at hand.
	Create func(t testing.TB) (dsn string)
	// Connect opens the database as one more process would.
	Connect func(ctx context.Context, dsn string, opts ...store.Option) (*store.DB, error)

	driver string // of database/sql
}

// Open makes a migrated, empty database and opens it until the test ends.
func (e Engine) Open(t testing.TB) (dsn string, db *store.DB) {
	t.Helper()
	dsn = e.Create(t)
	return dsn, e.Reopen(t, dsn, store.MigrateFirst)
}

// Reopen opens a database once more until the test ends.
func (e Engine) Reopen(t testing.TB, dsn string, opts ...store.Option) *store.DB {
	t.Helper()
	db, err := e.Connect(context.Background(), dsn, opts...)
	if err != nil {
		t.Fatalf("open %s database: %v", e.Name, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s database: %v", e.Name, err)
		}
	})
	return db
}

// exec does behind the store's back what it would never do.
func (e Engine) exec(t testing.TB, dsn, statement string) {
	t.Helper()
	raw, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
	if err := raw.Close(); err != nil {
		t.Error(err)
	}
}

// Engines returns both engines. t is the test they are for.
func Engines(t testing.TB) []Engine { t.Helper(); return []Engine{SQLite(), Postgres()} }

// Each runs fn as a subtest on each engine, with an empty database.
func Each(t *testing.T, fn func(t *testing.T, dsn string, db *store.DB)) {
	t.Helper()
	for _, e := range Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			dsn, db := e.Open(t)
			fn(t, dsn, db)
		})
	}
}

// SQLite returns the embedded engine, which is always at hand.
func SQLite() Engine {
	return Engine{
		Name:    "sqlite",
		Create:  func(t testing.TB) string { return filepath.Join(t.TempDir(), "rollcall.db") },
		Connect: sqlite.Open,
		driver:  "sqlite3",
	}
}

// Postgres returns the server at [PostgresVariable].
func Postgres() Engine {
	return Engine{Name: "postgres", Create: createPostgres, Connect: postgres.Open, driver: "pgx"}
}

func createPostgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv(PostgresVariable)
	if server == "" {
		t.Skip(PostgresVariable + " is not set")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatalf("%s: %v", PostgresVariable, err)
	}
	name := "rollcall_test_" + strings.ToLower(rand.Text())
	// A database is made for every test: copying files is quicker than logging
	// every page.
	if _, err := admin.Exec(`CREATE DATABASE ` + name + ` STRATEGY file_copy`); err != nil {
		t.Fatalf("%s: create database: %v", PostgresVariable, err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("drop database: %v", err)
		}
		if err := admin.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	u.Path = "/" + name
	return u.String()
}

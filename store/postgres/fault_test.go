package postgres_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/postgres"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"nobody listens", "postgres://u:secret@127.0.0.1:1/x", "can't be reached"},
		{"not a URL", "postgres://u:secret@127.0.0.1:port/x", "not a PostgreSQL URL"},
	} {
		_, err := postgres.Open(context.Background(), c.url)
		if directory.KindOf(err) != directory.Unavailable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open = %v (%s), want unavailable with %q", c.name, err, directory.KindOf(err), c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
	}
}

func TestOpenNoDatabase(t *testing.T) {
	dsn, _ := storetest.Postgres().Open(t)
	_, err := postgres.Open(context.Background(), strings.Replace(dsn, "rollcall_test_", "no_such_", 1))
	if err == nil || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("Open = %v, want no such database", err)
	}
}

// TestConnectionLost ends every connection, as a restart of the server does:
// what was under way fails as unavailable, and everything comes back by itself.
func TestConnectionLost(t *testing.T) {
	e := storetest.Postgres()
	dsn, db := e.Open(t)
	other := e.Reopen(t, dsn)
	ctx, cancel := context.WithCancel(context.Background())
	woken, done := make(chan struct{}, 100), make(chan error)
	go func() { done <- db.Watch(ctx, func() { woken <- struct{}{} }) }()
	expect := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(15 * time.Second):
			t.Fatalf("%s: nothing within 15 seconds", what)
		}
	}
	expect("the start")
	err := db.Update(ctx, func(tx directory.Tx) error {
		terminate(t, dsn)
		_, err := tx.Head()
		return err
	})
	if got := directory.KindOf(err); got != directory.Unavailable {
		t.Errorf("Update over a lost connection: %v (%s), want unavailable", err, got)
	}
	// The pools find out by themselves which of their connections are dead.
	deadline := time.Now().Add(10 * time.Second)
	for n := 0; ; n++ {
		err := storetest.TryWrite(other, storetest.Small(n))
		if err == nil {
			break
		}
		if directory.KindOf(err) != directory.Unavailable || time.Now().After(deadline) {
			t.Fatalf("write after the connections were lost: %v", err)
		}
	}
	expect("a write after the connections were lost")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Watch returned %v, want nil", err)
	}
}

func terminate(t *testing.T, dsn string) {
	t.Helper()
	raw, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // nothing is kept
	if _, err := raw.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
}

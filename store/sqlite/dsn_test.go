package sqlite

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
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

package sqlite_test

import (
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/sqlite"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, path, want string
		opts             []store.Option
	}{
		{"a folder", dir, "a directory", nil},
		{"a device", os.DevNull, "device", nil},
		{"no name", "", "not the name of a file", nil},
		{"a text file", write(t, filepath.Join(dir, "a.txt"), "-- a dump of a database\n"), "not a SQLite database", nil},
		{"a short file", write(t, filepath.Join(dir, "b.txt"), "SQLite"), "not a SQLite database", nil},
		{"a header and nothing more", write(t, filepath.Join(dir, "c.db"), "SQLite format 3\x00"+strings.Repeat("x", 5000)), "not a SQLite database", nil},
		{"a folder that is not there", filepath.Join(dir, "no", "a.db"), "folder of the database does not exist", nil},
		{"a file that must exist", filepath.Join(dir, "no.db"), "no such database", []store.Option{store.MustExist}},
		{"a new file without tables", filepath.Join(dir, "new.db"), "rollcall migrate", nil},
	} {
		db, err := sqlite.Open(context.Background(), c.path, c.opts...)
		if err == nil {
			db.Close() //nolint:errcheck // the test has failed
			t.Errorf("%s: Open succeeded", c.name)
			continue
		}
		if directory.KindOf(err) != directory.Unavailable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open = %v (%s), want unavailable with %q", c.name, err, directory.KindOf(err), c.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "no.db")); err == nil {
		t.Error("MustExist made the file")
	}
}

func TestOpenUnreadable(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.db"), "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // root may read everything, so be somebody else for the length of the test
		const nobody = 65534
		if err := syscall.Setresuid(-1, nobody, -1); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setresuid(-1, 0, -1); err != nil {
				t.Fatal(err)
			}
		}()
	}
	_, err := sqlite.Open(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), "no permission") {
		t.Errorf("Open = %v, want no permission", err)
	}
}

func TestOpenOddNames(t *testing.T) {
	for _, name := range []string{"a b.db", "a?mode=ro.db", "a#b.db", "a%20b.db", "ä&_txlock=x.db", ":memory:", "file:x.db"} {
		path := filepath.Join(t.TempDir(), name)
		db, err := sqlite.Open(context.Background(), path, store.MigrateFirst)
		if err != nil {
			t.Errorf("Open(%q): %v", name, err)
			continue
		}
		storetest.Write(t, db, storetest.Small(1))
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Errorf("Open(%q) made no such file: %v", name, err)
		} else if info.Mode().Perm() != 0o600 {
			t.Errorf("%q has mode %v, want 0600", name, info.Mode())
		}
	}
}

// TestRecovery opens what a killed process leaves: a file, a log that was not
// written back, and the log's index.
func TestRecovery(t *testing.T) {
	e := storetest.SQLite()
	dsn, db := e.Open(t)
	storetest.Write(t, db, storetest.Small(1), storetest.Small(2))
	left := filepath.Join(t.TempDir(), "left.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		from, err := os.Open(dsn + suffix)
		if err != nil {
			t.Fatal(err)
		}
		to, err := os.Create(left + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(to, from); err != nil || suffix == "-wal" && n == 0 {
			t.Fatalf("copy of %d bytes: %v", n, err)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		from.Close() //nolint:errcheck // only read
	}
	again := e.Reopen(t, left)
	if err := again.Check(context.Background()); err != nil {
		t.Error(err)
	}
	storetest.Write(t, again, storetest.Small(3))
	err := again.View(context.Background(), func(r directory.Reader) error {
		h, err := r.Head()
		if h.Seq != 3 {
			t.Errorf("Head = %d, want 3", h.Seq)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestOpenForeign refuses the database of another application, and leaves it
// as it is.
func TestOpenForeign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	raw, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Exec(`CREATE TABLE a (b TEXT)`); err != nil {
		t.Fatal(err)
	}
	_, err = sqlite.Open(context.Background(), path, store.MigrateFirst)
	if err == nil || !strings.Contains(err.Error(), "another application") {
		t.Errorf("Open = %v, want the file refused", err)
	}
	var tables int
	if err := raw.QueryRow(`SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil || tables != 1 {
		t.Errorf("the file has %d tables, %v; want its one", tables, err)
	}
	if err := raw.Close(); err != nil {
		t.Error(err)
	}
}

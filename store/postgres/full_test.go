package postgres_test

import (
	"database/sql"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// TestDiskFull puts the tables on a small file system, fills it, and makes
// room again. It needs a server on this machine and the right to mount.
func TestDiskFull(t *testing.T) {
	e := storetest.Postgres()
	dsn := e.Create(t)
	dir := smallDisk(t)
	raw, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	space := "small_" + name
	if _, err := raw.Exec(`CREATE TABLESPACE ` + space + ` LOCATION '` + dir + `'`); err != nil {
		t.Skipf("the server can't use a small file system of ours: %v", err)
	}
	run := func(statement string) {
		t.Helper()
		if _, err := raw.Exec(statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	t.Cleanup(func() {
		run(`DROP SCHEMA public CASCADE`)
		run(`DROP TABLESPACE ` + space)
		if err := raw.Close(); err != nil {
			t.Error(err)
		}
	})
	run(`ALTER DATABASE ` + name + ` SET default_tablespace = ` + space)
	db := e.Reopen(t, dsn, store.MigrateFirst)
	run(`CREATE TABLE ballast TABLESPACE ` + space + ` AS SELECT repeat(md5(i::text), 50) AS x FROM generate_series(1, 1000) i`)
	n := 0
	for err = nil; err == nil && n < 100000; n += 100 {
		err = storetest.TryWrite(db, some(n)...)
	}
	n -= 100
	if directory.KindOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("after %d records: %v (%s), want unavailable, the disk is full", n, err, directory.KindOf(err))
	}
	run(`DROP TABLE ballast`)
	// A checkpoint gives back the space of what was dropped.
	run(`CHECKPOINT`)
	storetest.Write(t, db, some(n)[:10]...)
	if err := db.Check(t.Context()); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func some(first int) []directory.Record {
	var list []directory.Record
	for i := range 100 {
		list = append(list, storetest.Small(first+i))
	}
	return list
}

// smallDisk mounts 6 MiB that belong to the server's user.
func smallDisk(t *testing.T) string {
	t.Helper()
	owner, err := user.Lookup("postgres")
	if err != nil || os.Getuid() != 0 {
		t.Skip("only root can mount a small file system, and the server's user must be postgres")
	}
	dir, err := os.MkdirTemp("", "rollcall-small-") // t.TempDir lies below a folder that only we may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m,mode=0700,uid="+owner.Uid+",gid="+owner.Gid); err != nil {
		t.Skipf("no small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		t.Fatal(err)
	}
	// The folder above the mount is ours; the server has to pass through it only.
	if err := os.Chown(dir, uid, -1); err != nil {
		t.Fatal(err)
	}
	return dir
}

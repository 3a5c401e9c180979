package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// smallDisk mounts 4 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestDiskFull fills a small file system: writes fail and say why, reads go
// on, and once there is space writes go on too.
func TestDiskFull(t *testing.T) {
	ctx := context.Background()
	dir := smallDisk(t)
	var err error
	db := storetest.SQLite().Reopen(t, filepath.Join(dir, "a.db"), store.MigrateFirst)
	ballast := write(t, filepath.Join(dir, "ballast"), strings.Repeat("x", 1<<20))
	n := 0
	for ; err == nil && n < 100000; n += 10 {
		err = storetest.TryWrite(db, batch(n)...)
	}
	n -= 10 // the last one failed
	if directory.KindOf(err) != directory.Unavailable || !strings.Contains(err.Error(), "the disk is full") {
		t.Fatalf("after %d records: %v (%s), want unavailable, the disk is full", n, err, directory.KindOf(err))
	}
	if err := storetest.TryWrite(db, batch(n)...); directory.KindOf(err) != directory.Unavailable {
		t.Errorf("a second write: %v, want unavailable", err)
	}
	if err := db.Check(ctx); err != nil {
		t.Errorf("Check on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	storetest.Write(t, db, batch(n)...)
	if err := db.Check(ctx); err != nil {
		t.Errorf("Check: %v", err)
	}
	err = db.View(ctx, func(r directory.Reader) error {
		h, err := r.Head()
		if h.Seq != int64(n+10) {
			t.Errorf("Head = %d, want %d", h.Seq, n+10)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func batch(first int) []directory.Record {
	var list []directory.Record
	for i := range 10 {
		list = append(list, storetest.Small(first+i))
	}
	return list
}

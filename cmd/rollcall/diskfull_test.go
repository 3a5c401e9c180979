//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/sqlite"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// TestDiskFull fills a real file system in the middle of an import: the error
// says so, what was there before is there, and with room it goes on.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, "1m")
	db := filepath.Join(dir, "rollcall.db")
	command(t, "import", "--db", db, "dotgov", writeDotgov(t, 5, 1))
	big := writeDotgov(t, 4000, 2)

	cmd := exec.Command("rollcall", "import", "--db", db, "--force", "dotgov", big)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != exitNotAsked || !strings.Contains(stderr.String(), "the disk is full") {
		t.Fatalf("import on a full disk: %v, stderr %q; want status 3 and the disk named", err, &stderr)
	}
	if got := command(t, "team", "list", "--db", db); strings.Count(got, "\n") != 4 {
		t.Errorf("after the full disk the teams are\n%s\nwant the five from before", got)
	}
	check(t, db)

	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=256m"); err != nil {
		t.Fatalf("more room: %v", err)
	}
	command(t, "import", "--db", db, "--force", "dotgov", big)
	if got := command(t, "team", "list", "--db", db); strings.Count(got, "\n") != 3999 {
		t.Errorf("with room there are %d teams, want 4000", strings.Count(got, "\n")+1)
	}
	check(t, db)
}

// smallDisk is a file system of a size, until the end of the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system can't be mounted (%v); this test needs root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestOfficeDiskFull fills the disk under a server that asks a campaign's contacts: nothing
// more goes out, and with room each contact has one mail, once.
func TestOfficeDiskFull(t *testing.T) {
	dir := smallDisk(t, "24m")
	const contacts = 120
	e := storetest.SQLite()
	e.Create = func(testing.TB) string { return filepath.Join(dir, "rollcall.db") }
	f := newOfficeFaults(t, e, contacts)
	c := f.campaign(4 * time.Second)
	f.start()
	f.wait("twenty mails", func() bool { return f.sink.count() >= 20 })

	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = filler.Write(block)
	}
	f.wait("the disk is full", func() bool { return strings.Contains(f.log.String(), "the disk is full") })
	before := f.sink.count()
	<-time.After(3 * lookEvery) // enough for the rest of the campaign
	if now := f.sink.count(); now > before+senders {
		t.Errorf("%d mails went out while nothing could be written, want %d at most", now-before, senders)
	}
	if err := errors.Join(filler.Close(), os.Remove(filler.Name())); err != nil {
		t.Fatal(err)
	}
	f.until(c.ID, contacts)
	f.adds(c.ID, contacts, 0)
}

// check reads everything in a database.
func check(t *testing.T, name string) {
	t.Helper()
	db, err := sqlite.Open(context.Background(), name, store.MustExist)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	if err := db.Check(context.Background()); err != nil {
		t.Error(err)
	}
}

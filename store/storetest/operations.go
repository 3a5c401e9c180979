package storetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

// fill writes something of every kind.
func fill(t testing.TB, db *store.DB) {
	t.Helper()
	Write(t, db, many(10, 300)...)
	Write(t, db, Full())
	next := Small(10)
	next.Revision = 2
	Write(t, db, next)
	update(t, db, func(tx directory.Tx) error {
		seq, err := tx.NextSeq(1)
		if err != nil {
			return err
		}
		set := directory.ReferenceSet{Kind: directory.PrefixASN, Source: "rir", Loaded: Moment(), Rows: 2, Hash: "h", Seq: seq}
		if err := tx.PutReference(set, [][]byte{{0, 1, 0xff}, bytes.Repeat([]byte{7}, 1<<20), {}}); err != nil {
			return err
		}
		if err := tx.PutToken(directory.Token{ID: "rct_1", Name: "日本", Created: Moment()}); err != nil {
			return err
		}
		if err := tx.PutEvidence(TeamID(1), []directory.Evidence{Evidence("e2", Moment()), Evidence("e1", Moment())}); err != nil {
			return err
		}
		if err := tx.PutDecision(decision(1, 10)); err != nil {
			return err
		}
		return tx.Append(directory.Change{Seq: seq, Type: "reference", ID: set.ID(), Op: directory.OpUpsert, At: Moment()}, directory.AuditEntry{At: Moment()})
	})
}

func backup(t testing.TB, db *store.DB) ([]byte, store.BackupInfo) {
	t.Helper()
	var b bytes.Buffer
	info, err := db.Backup(context.Background(), &b)
	if err != nil {
		t.Fatalf("Backup: %v", err)
	}
	return b.Bytes(), info
}

func unpack(t testing.TB, archive []byte) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pack(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rows returns the lines of an archive between header and trailer, without the
// one with the epoch.
func rows(t testing.TB, archive []byte) string {
	t.Helper()
	var kept []string
	for line := range strings.Lines(unpack(t, archive)) {
		if strings.HasPrefix(line, "[") && !strings.HasPrefix(line, `["meta","epoch"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func testBackup(t *testing.T, e Engine) {
	_, db := e.Open(t)
	fill(t, db)
	archive, info := backup(t, db)
	if info.Seq != 303 || info.Rows["team"] != 301 || info.Rows["history"] != 302 || info.Rows["reference_block"] != 3 || info.Engine != e.Name {
		t.Errorf("BackupInfo = %+v", info)
	}
	for _, to := range Engines(t) {
		t.Run("to "+to.Name, func(t *testing.T) {
			_, target := to.Open(t)
			before := head(t, target)
			// Not a file, so that it has to be copied first.
			got, err := target.Restore(context.Background(), io.MultiReader(bytes.NewReader(archive)), false)
			if err != nil {
				t.Fatalf("Restore: %v", err)
			}
			wantEqual(t, "BackupInfo", got, info)
			h := head(t, target)
			if h.Epoch == before.Epoch || h.Epoch == info.Epoch || h.Seq != info.Seq {
				t.Errorf("Head = %+v after %+v, want a new epoch and sequence %d", h, before, info.Seq)
			}
			again, _ := backup(t, target)
			if rows(t, again) != rows(t, archive) {
				t.Error("a backup of what was restored differs from the backup")
			}
			wantEqual(t, "Team", team(t, target, TeamID(1)), team(t, db, TeamID(1)))
			Write(t, target, Small(5000))
			whole(t, target)
		})
	}
}

func testRestoreForce(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	other := e.Reopen(t, dsn) // a server that goes on meanwhile
	Write(t, db, many(0, 5)...)
	archive, _ := backup(t, db)
	Write(t, db, many(5, 5)...)
	_, err := db.Restore(context.Background(), bytes.NewReader(archive), false)
	wantKind(t, "Restore without force", err, directory.Conflict)
	if got := head(t, other).Seq; got != 10 {
		t.Errorf("after a refused restore the head is %d, want 10", got)
	}
	if _, err := db.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
		t.Fatalf("Restore with force: %v", err)
	}
	Write(t, other, Small(7))
	if got := head(t, other).Seq; got != 6 {
		t.Errorf("after a restore and a write the head is %d, want 6", got)
	}
	whole(t, db)
}

func testDamagedBackup(t *testing.T, e Engine) {
	_, db := e.Open(t)
	fill(t, db)
	archive, _ := backup(t, db)
	before := head(t, db)
	text := unpack(t, archive)
	swap := func(old, with string) []byte {
		if !strings.Contains(text, old) {
			t.Fatalf("the archive has no %q", old)
		}
		return pack(t, strings.Replace(text, old, with, 1))
	}
	flipped := bytes.Clone(archive)
	flipped[len(flipped)/2] ^= 0x10
	for name, bad := range map[string][]byte{
		"nothing":             nil,
		"not gzip":            []byte("-- PostgreSQL database dump"),
		"another gzip":        swap(`"format":"rollcall-backup"`, `"format":"other"`),
		"half":                archive[:len(archive)/2],
		"without its end":     archive[:len(archive)-9],
		"a flipped bit":       flipped,
		"a changed value":     swap("Team 17 of Example", "Team 71 of Example"),
		"without a trailer":   pack(t, text[:strings.LastIndex(text, `{"rows"`)]),
		"more behind its end": pack(t, text+"{}\n"),
		"a later format":      swap(`"version":1`, `"version":2`),
		"a later schema":      swap(`"migration":`, `"migration":9999`),
		"an unknown table":    swap(`{"name":"team"`, `{"name":"crew"`),
		"an unknown column":   swap(`"handle"`, `"handle) SELECT 1; --"`),
	} {
		_, err := db.Restore(context.Background(), bytes.NewReader(bad), true)
		wantKind(t, name, err, directory.Invalid)
	}
	if got := head(t, db); got != before {
		t.Errorf("Head = %+v, want %+v", got, before)
	}
	whole(t, db)
}

// fullDisk takes some bytes and no more.
type fullDisk int

func (d *fullDisk) Write(p []byte) (int, error) {
	if *d -= fullDisk(len(p)); *d < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func testBackupFails(t *testing.T, e Engine) {
	_, db := e.Open(t)
	fill(t, db)
	for _, size := range []fullDisk{0, 100, 5000} {
		_, err := db.Backup(context.Background(), &size)
		wantKind(t, "Backup to a full disk", err, directory.Unavailable)
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Backup: %v, want the writer's error in its chain", err)
		}
	}
}

func testBackupBeside(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, many(0, 200)...)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 200; ; i += 5 {
			select {
			case <-stop:
				return
			default:
			}
			if err := TryWrite(db, many(i, 5)...); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var archives [][]byte
	for range 3 {
		archive, info := backup(t, db)
		if info.Rows["team"] != int(info.Seq) || info.Rows["audit"] != int(info.Seq) {
			t.Errorf("a backup at %d has %d teams and %d audit entries", info.Seq, info.Rows["team"], info.Rows["audit"])
		}
		archives = append(archives, archive)
	}
	close(stop)
	wg.Wait()
	for _, a := range archives {
		_, target := e.Open(t)
		if _, err := target.Restore(context.Background(), bytes.NewReader(a), false); err != nil {
			t.Errorf("Restore: %v", err)
		}
	}
}

func testMigrate(t *testing.T, e Engine) {
	dsn := e.Create(t)
	ctx := context.Background()
	_, err := e.Connect(ctx, dsn)
	wantKind(t, "Open without tables", err, directory.Unavailable)
	if err == nil || !strings.Contains(err.Error(), "rollcall migrate") {
		t.Errorf("Open: %v, want advice to run rollcall migrate", err)
	}
	dbs := make([]*store.DB, 4)
	for i := range dbs {
		dbs[i] = e.Reopen(t, dsn, store.AnySchema)
	}
	pending, err := dbs[0].Pending(ctx)
	if err != nil || len(pending) == 0 || pending[0].Name != "directory" || !pending[0].Applied.IsZero() {
		t.Fatalf("Pending = %+v, %v, want the first step", pending, err)
	}
	var wg sync.WaitGroup
	counts := make([]int, len(dbs))
	for i, db := range dbs {
		wg.Go(func() {
			done, err := db.Migrate(ctx)
			if err != nil {
				t.Errorf("Migrate: %v", err)
			}
			counts[i] = len(done)
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	if sum != len(pending) {
		t.Errorf("four processes took %v steps, want %d together", counts, len(pending))
	}
	if left, err := dbs[1].Pending(ctx); err != nil || len(left) != 0 {
		t.Errorf("Pending = %+v, %v, want nothing", left, err)
	}
	Write(t, e.Reopen(t, dsn), Small(1))
}

func testSchema(t *testing.T, e Engine) {
	ctx := context.Background()
	for _, c := range []struct{ name, statement, want string }{
		{"a step that was changed", `UPDATE migration SET hash = 'x' WHERE number = 1`, "changed"},
		{"a step of the future", `INSERT INTO migration (number, name, hash, at) VALUES (9999, 'future', 'x', 0)`, "newer rollcall"},
	} {
		dsn, _ := e.Open(t)
		e.exec(t, dsn, c.statement)
		_, err := e.Connect(ctx, dsn)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Open = %v, want an error with %q", c.name, err, c.want)
		}
		wantKind(t, c.name, err, directory.Unavailable)
		_, err = e.Connect(ctx, dsn, store.MigrateFirst)
		wantKind(t, c.name+", migrating", err, directory.Unavailable)
	}
}

func testWatch(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	other := e.Reopen(t, dsn)
	ctx, cancel := context.WithCancel(context.Background())
	woken := make(chan struct{}, 100)
	done := make(chan error)
	go func() { done <- db.Watch(ctx, func() { woken <- struct{}{} }) }()
	expect := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: nothing within ten seconds", what)
		}
	}
	expect("the start, for what was committed before it")
	Write(t, other, Small(1))
	expect("a write")
	archive, _ := backup(t, other)
	drain(woken)
	if _, err := other.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
		t.Fatal(err)
	}
	expect("a restore, which does not move the sequence")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Watch returned %v, want nil", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Watch goes on after its context ended")
	}
}

func drain(c chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

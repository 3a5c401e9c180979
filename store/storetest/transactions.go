package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
)

func testUnusedNumbers(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx := context.Background()
	for name, fn := range map[string]func(directory.Tx) error{
		"one taken, none used": func(tx directory.Tx) error { _, err := tx.NextSeq(1); return err },
		"two taken, one used": func(tx directory.Tx) error {
			if _, err := tx.NextSeq(2); err != nil {
				return err
			}
			return tx.Append(directory.Change{Seq: 1, Type: "token", At: Moment()}, directory.AuditEntry{})
		},
		"none taken, one used": func(tx directory.Tx) error {
			return tx.Append(directory.Change{Seq: 1, Type: "token", At: Moment()}, directory.AuditEntry{})
		},
		"a record with a number of nobody": func(tx directory.Tx) error {
			if _, err := tx.NextSeq(1); err != nil {
				return err
			}
			r := Small(1)
			r.Seq = 7
			return tx.PutTeams([]directory.TeamWrite{{Record: r}})
		},
		"no number asked for": func(tx directory.Tx) error { _, err := tx.NextSeq(0); return err },
	} {
		wantKind(t, name, db.Update(ctx, fn), directory.Internal)
	}
	if got := head(t, db).Seq; got != 0 {
		t.Errorf("the sequence is at %d, want 0", got)
	}
	whole(t, db)
}

func testSwallowedError(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(0))
	err := db.Update(context.Background(), func(tx directory.Tx) error {
		bad := Small(0) // which is stored
		bad.Revision = 9
		if err := put(tx, append(many(1, 150), bad)...); err == nil {
			t.Error("PutTeams of a conflict returned nil")
		}
		return nil // as a caller that forgets would
	})
	wantKind(t, "Update", err, directory.Conflict)
	if got := head(t, db).Seq; got != 1 {
		t.Errorf("the sequence is at %d, want 1", got)
	}
	whole(t, db)
}

func testRollback(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, Small(1))
	before := head(t, db)
	mine := errors.New("mine")
	half := func(tx directory.Tx) {
		if err := put(tx, many(2, 200)...); err != nil {
			t.Error(err)
		}
		if err := tx.PutToken(directory.Token{ID: "rct_1"}); err != nil {
			t.Error(err)
		}
	}
	if err := db.Update(context.Background(), func(tx directory.Tx) error { half(tx); return mine }); err != mine {
		t.Errorf("Update returned %v, want the error of fn itself", err)
	}
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v, want the panic of fn", got)
			}
		}()
		_ = db.Update(context.Background(), func(tx directory.Tx) error { half(tx); panic("boom") })
	}()
	if got := head(t, db); got != before {
		t.Errorf("Head = %+v, want %+v", got, before)
	}
	Write(t, db, Small(2)) // and the store still works
	if got := view(t, db, directory.Reader.Tokens); len(got) != 0 {
		t.Errorf("%d tokens, want none", len(got))
	}
	whole(t, db)
}

// testWriters lets half of the writers use a connection of their own, as
// another process would.
func testWriters(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	other := e.Reopen(t, dsn)
	const writers, rounds = 8, 15
	var wg sync.WaitGroup
	for w := range writers {
		s := []*store.DB{db, other}[w%2]
		wg.Go(func() {
			for i := range rounds {
				err := s.Update(context.Background(), func(tx directory.Tx) error {
					if err := put(tx, many((w*rounds+i)*3, 3)...); err != nil {
						return err
					}
					if i%3 == 1 {
						return errors.ErrUnsupported // undone
					}
					return nil
				})
				if want := i%3 == 1; (err != nil) != want || want && err != errors.ErrUnsupported {
					t.Errorf("writer %d round %d: %v", w, i, err)
				}
			}
		})
	}
	wg.Wait()
	const want = writers * (rounds - rounds/3) * 3
	if got := head(t, db).Seq; got != want {
		t.Errorf("Head = %d, want %d", got, want)
	}
	changes := view(t, db, func(r directory.Reader) ([]directory.Change, error) { return r.Changes(0, 0) })
	for i, c := range changes {
		if c.Seq != int64(i+1) {
			t.Fatalf("change %d has number %d", i+1, c.Seq)
		}
	}
	whole(t, db)
}

// testOrder reads while others write: whatever the head is, all changes up to
// it are there, and nothing that was seen goes away.
func testOrder(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	reader := e.Reopen(t, dsn)
	ctx, cancel := context.WithCancel(context.Background())
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		var last int64
		for ctx.Err() == nil {
			err := reader.View(context.Background(), func(r directory.Reader) error {
				changes, err := r.Changes(last, 0)
				if err != nil {
					return err
				}
				h, err := r.Head()
				if err != nil {
					return err
				}
				if int64(len(changes)) != h.Seq-last {
					return fmt.Errorf("%d changes after %d, and the head is %d", len(changes), last, h.Seq)
				}
				last = h.Seq
				return nil
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for w := range 4 {
		writers.Go(func() {
			for i := range 25 {
				if err := TryWrite(db, Small(w*100+i)); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
}

func testView(t *testing.T, e Engine) {
	_, db := e.Open(t)
	Write(t, db, many(0, 3)...)
	err := db.View(context.Background(), func(r directory.Reader) error {
		before, err := r.Head()
		if err != nil {
			return err
		}
		Write(t, db, many(3, 3)...)
		list, err := r.Teams(directory.TeamFilter{})
		if err != nil {
			return err
		}
		after, err := r.Head()
		if len(list) != 3 || after != before {
			t.Errorf("within a view there are %d teams and the head went from %d to %d, want 3 and no step", len(list), before.Seq, after.Seq)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if got := head(t, db).Seq; got != 6 {
		t.Errorf("after the view the head is %d, want 6", got)
	}
	// What is written is seen within the transaction.
	update(t, db, func(tx directory.Tx) error {
		if err := put(tx, Small(9)); err != nil {
			return err
		}
		r, err := tx.Team(TeamID(9))
		if err == nil && r.Seq != 7 {
			t.Errorf("Seq = %d, want 7", r.Seq)
		}
		return err
	})
}

func testContext(t *testing.T, e Engine) {
	_, db := e.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	err := db.Update(ctx, func(tx directory.Tx) error {
		if err := put(tx, Small(1)); err != nil {
			return err
		}
		cancel()
		return nil
	})
	wantKind(t, "Update", err, directory.Unavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want context.Canceled in its chain", err)
	}
	late, stop := context.WithCancel(context.Background())
	err = db.View(late, func(r directory.Reader) error {
		stop()
		for { // until the driver has noticed
			if _, err := r.Teams(directory.TeamFilter{}); err != nil {
				return err
			}
		}
	})
	wantKind(t, "View that is cut short", err, directory.Unavailable)
	wantKind(t, "View", db.View(ctx, func(directory.Reader) error { return nil }), directory.Unavailable)
	if got := head(t, db).Seq; got != 0 {
		t.Errorf("the sequence is at %d, want 0", got)
	}
}

func testRace(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	other := e.Reopen(t, dsn)
	Write(t, db, Small(1))
	next := team(t, db, TeamID(1))
	next.Revision++
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, s := range []*store.DB{db, other} {
		wg.Go(func() { errs[i] = TryWrite(s, next) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("errors %v and %v, want one winner", errs[0], errs[1])
	}
	wantKind(t, "the loser", errors.Join(errs...), directory.Conflict)
	whole(t, db)
}

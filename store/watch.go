package store

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Watch calls wake once at the start, for what was committed before it, and
// soon after any process has committed a change, until ctx ends; then it
// returns nil. It compares the head of the sequence and the
// epoch every [Dialect.Poll] and, where the engine can tell, at once. While the
// database is away it keeps trying, and wakes when something happened
// meanwhile. wake is never called twice at the same time.
func (db *DB) Watch(ctx context.Context, wake func()) error {
	told := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	if db.dialect.Listen != nil {
		wg.Go(func() {
			db.dialect.Listen(ctx, func() {
				select {
				case told <- struct{}{}:
				default: // one look will see both
				}
			})
		})
	}
	tick := time.NewTicker(db.dialect.Poll)
	defer tick.Stop()
	var last directory.Head // no store has this one: every epoch is something
	for {
		if now, ok := db.head(ctx); ok && now != last {
			last = now
			wake()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-told:
		case <-tick.C:
		}
	}
}

// head asks outside of a transaction, and gives up before the next tick would
// find it still waiting for a server that is gone.
func (db *DB) head(ctx context.Context) (directory.Head, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var h directory.Head
	err := db.read.QueryRowContext(ctx, headNow).Scan(&h.Seq, &h.Epoch)
	return h, err == nil
}

package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// FollowerConfig configures a [Follower].
type FollowerConfig struct {
	Store Store
	Now   func() time.Time // nil is time.Now
	// Watch blocks until ctx ends and calls wake after each commit of any
	// process on the store. Nil where the engine has nothing of the kind; Poll
	// is then all there is.
	Watch   func(ctx context.Context, wake func()) error
	Poll    time.Duration // how often to look without being woken; 0 is 500 ms
	Log     *slog.Logger  // nil is silence
	Options IndexOptions
}

// Follower keeps an [Index] level with a store. It holds the only reference
// to the newest one, which readers load without a lock.
type Follower struct {
	cfg   FollowerConfig
	index atomic.Pointer[Index]
	kick  chan struct{}
	turn  chan struct{} // holds one token: whoever has it may apply changes

	mu     sync.Mutex // guards the three below
	synced time.Time
	err    error
	moved  chan struct{} // closed when index is replaced
}

// rebuildAfter is the number of changes behind from which reading everything
// is cheaper than reading what changed one by one.
const rebuildAfter = 5000

// pageSize is how many records or changes are read at once.
const pageSize = 1000

// NewFollower returns a follower that has read nothing yet; see
// [Follower.Start].
func NewFollower(cfg FollowerConfig) (*Follower, error) {
	if cfg.Store == nil {
		return nil, errors.New("directory: a follower needs a store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 500 * time.Millisecond
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{cfg: cfg, kick: make(chan struct{}, 1), turn: make(chan struct{}, 1), moved: make(chan struct{})}
	f.turn <- struct{}{}
	return f, nil
}

// Index returns the newest index; nil only before [Follower.Start] succeeded,
// and a nil Index answers every lookup with unavailable.
func (f *Follower) Index() *Index { return f.index.Load() }

// Start builds the first index. Its error is that of the store.
func (f *Follower) Start(ctx context.Context) error { return f.Sync(ctx) }

// Run follows the store until ctx ends, and then returns nil. While the store
// can't be asked the last index keeps answering, and [Follower.Err] and
// [Follower.Age] say so.
func (f *Follower) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	if f.cfg.Watch != nil {
		watching.Go(func() { f.watch(ctx) })
	}
	timer := time.NewTimer(f.cfg.Poll)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.kick:
		case <-timer.C:
		}
		timer.Reset(f.cfg.Poll)
		had := f.Err()
		err := f.Sync(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && had == nil:
			f.cfg.Log.Error("index can't follow the store", "err", err, "seq", f.Index().reached())
		case err == nil && had != nil:
			f.cfg.Log.Info("index follows the store again", "seq", f.Index().reached())
		}
	}
}

// reached is Seq for an index that may be nil.
func (x *Index) reached() int64 {
	if x == nil {
		return 0
	}
	return x.seq
}

// watch keeps the store's watch going; while it fails, polling does its work.
func (f *Follower) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := f.cfg.Watch(ctx, f.Kick)
		if ctx.Err() != nil {
			return
		}
		f.cfg.Log.Warn("watch on the store ended", "err", err)
		f.Kick() // what was committed in between
		select {
		case <-ctx.Done():
		case <-time.After(f.cfg.Poll):
		}
	}
}

// Kick makes Run look at the store soon. It never blocks.
func (f *Follower) Kick() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Sync brings the index level with everything that was committed before the
// call, so that a writer reads its own write. Calls run one after another.
func (f *Follower) Sync(ctx context.Context) error {
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { f.turn <- struct{}{} }()
	now := f.cfg.Now()
	newer := false
	err := f.cfg.Store.View(ctx, func(r Reader) error {
		x, err := f.next(r)
		if err == nil && x != nil {
			f.index.Store(x)
			newer = true
		}
		return err
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if newer {
		close(f.moved)
		f.moved = make(chan struct{})
	}
	f.err = err
	if err == nil {
		f.synced = now
	}
	return err
}

// Moved returns a channel that is closed when the present index is replaced by
// a newer one, whoever committed what is new. Whoever waits asks for the
// channel first and looks at the index then, so that nothing falls between.
func (f *Follower) Moved() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved
}

// Err returns why the last look at the store failed; nil when it did not.
func (f *Follower) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Age returns how long ago the index was last known to be level with the
// store; a negative number when it never was.
func (f *Follower) Age() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.synced.IsZero() {
		return -1
	}
	return f.cfg.Now().Sub(f.synced)
}

// next returns the index for what the store holds now, or nil when the present
// one is it. A new epoch, or a sequence that went back, means that another
// database is there than the one the index was built from.
func (f *Follower) next(r Reader) (*Index, error) {
	head, err := r.Head()
	if err != nil {
		return nil, err
	}
	x := f.index.Load()
	switch {
	case x == nil, x.epoch != head.Epoch, head.Seq < x.seq, head.Seq-x.seq > rebuildAfter:
		return LoadIndex(r, f.cfg.Options)
	case head.Seq == x.seq:
		return nil, nil
	}
	return advance(x, r, head.Seq)
}

// LoadIndex reads all of a store and builds its index. r must give one
// consistent picture, as that of [Store.View] does.
func LoadIndex(r Reader, o IndexOptions) (*Index, error) {
	head, err := r.Head()
	if err != nil {
		return nil, err
	}
	var tables []*ReferenceTable
	sets, err := r.References()
	if err != nil {
		return nil, err
	}
	for _, kind := range []ReferenceKind{PrefixCountry, PrefixASN, ASNCountry} {
		t, err := NewReferenceTable(kind, sets, blocksOf(r))
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	x := BuildIndex(o, head, allRecords(r, &err), tables...)
	return x, err
}

func blocksOf(r Reader) ReferenceBlocks {
	return func(s ReferenceSet, yield func([]byte) error) error {
		return r.ReferenceBlocks(s.Kind, s.Source, yield)
	}
}

// allRecords reads the records of a store page by page; an error ends the
// sequence and is left in err.
func allRecords(r Reader, err *error) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for after := Handle(""); ; {
			page, e := r.Teams(TeamFilter{After: after, Limit: pageSize, Deleted: true})
			if e != nil {
				*err = e
				return
			}
			for i := range page {
				if !yield(page[i]) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			after = page[len(page)-1].Handle
		}
	}
}

// advance reads what changed since x was built and applies it. A record that
// changed several times is read once, as it is now: the picture is that of
// head, so nothing later is in it.
func advance(x *Index, r Reader, head int64) (*Index, error) {
	teams, kinds := map[TeamID]bool{}, map[ReferenceKind]bool{}
	recent := x.recent
	for after := x.seq; after < head; {
		changes, err := r.Changes(after, pageSize)
		if err != nil {
			return nil, err
		}
		if len(changes) == 0 {
			return nil, &Error{Kind: Internal, Op: "follow changes", Err: fmt.Errorf("the sequence ends at %d and its head is %d", after, head)}
		}
		for _, c := range changes {
			switch c.Type {
			case "team":
				teams[TeamID(c.ID)] = true
				recent.add(c)
			case "reference":
				kinds[kindOf(c.ID)] = true
			}
		}
		after = changes[len(changes)-1].Seq
	}
	records := make([]Record, 0, len(teams))
	for id := range teams {
		rec, err := r.Team(id)
		if err != nil {
			return nil, fmt.Errorf("team %s: %w", id, err)
		}
		records = append(records, rec)
	}
	tables, err := reload(r, kinds)
	if err != nil {
		return nil, err
	}
	next := x.Apply(head, records, tables...)
	next.recent = recent
	return next, nil
}

func reload(r Reader, kinds map[ReferenceKind]bool) ([]*ReferenceTable, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	sets, err := r.References()
	if err != nil {
		return nil, err
	}
	var tables []*ReferenceTable
	for kind := range kinds {
		t, err := NewReferenceTable(kind, sets, blocksOf(r))
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// kindOf takes the kind out of [ReferenceSet.ID].
func kindOf(id string) ReferenceKind {
	for i := range len(id) {
		if id[i] == '/' {
			return ReferenceKind(id[:i])
		}
	}
	return ReferenceKind(id)
}

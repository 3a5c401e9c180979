package directory_test

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// memoryStore is a store of which a follower needs only the reading half.
type memoryStore struct {
	directory.Store
	mu      sync.Mutex
	head    directory.Head
	records map[directory.TeamID]directory.Record
	changes []directory.Change
	rows    []directory.ReferenceRow
	sets    []directory.ReferenceSet
	down    error
	loads   int // how often the records were listed
}

func newMemoryStore() *memoryStore {
	return &memoryStore{head: directory.Head{Epoch: "first"}, records: map[directory.TeamID]directory.Record{}}
}

func (m *memoryStore) write(r directory.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Seq++
	m.records[r.ID] = r
	m.changes = append(m.changes, directory.Change{Seq: m.head.Seq, Type: "team", ID: string(r.ID)})
}

func (m *memoryStore) load(rows ...directory.ReferenceRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head.Seq++
	m.rows = rows
	m.sets = []directory.ReferenceSet{{Kind: directory.PrefixCountry, Source: "rir", Rows: len(rows)}}
	m.changes = append(m.changes, directory.Change{Seq: m.head.Seq, Type: "reference", ID: m.sets[0].ID()})
}

func (m *memoryStore) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *memoryStore) View(_ context.Context, fn func(directory.Reader) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return m.down
	}
	return fn(memoryReader{m: m})
}

type memoryReader struct {
	directory.Reader
	m *memoryStore
}

func (r memoryReader) Head() (directory.Head, error) { return r.m.head, nil }

func (r memoryReader) Team(id directory.TeamID) (directory.Record, error) {
	rec, ok := r.m.records[id]
	if !ok {
		return rec, &directory.Error{Kind: directory.NotFound, Op: "read team", Subject: string(id)}
	}
	return rec, nil
}

func (r memoryReader) Teams(f directory.TeamFilter) ([]directory.Record, error) {
	r.m.loads++
	var list []directory.Record
	for _, rec := range r.m.records {
		if rec.Handle > f.After {
			list = append(list, rec)
		}
	}
	slices.SortFunc(list, func(a, b directory.Record) int { return cmp.Compare(a.Handle, b.Handle) })
	return list[:min(len(list), f.Limit)], nil
}

func (r memoryReader) Changes(after int64, limit int) ([]directory.Change, error) {
	var list []directory.Change
	for _, c := range r.m.changes {
		if c.Seq > after && len(list) < limit {
			list = append(list, c)
		}
	}
	return list, nil
}

func (r memoryReader) References() ([]directory.ReferenceSet, error) { return r.m.sets, nil }

func (r memoryReader) ReferenceBlocks(_ directory.ReferenceKind, _ string, yield func([]byte) error) error {
	for _, b := range directory.EncodeReference(r.m.rows) {
		if err := yield(b); err != nil {
			return err
		}
	}
	return nil
}

func newFollower(t *testing.T, cfg directory.FollowerConfig) *directory.Follower {
	t.Helper()
	f, err := directory.NewFollower(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFollowerReadsItsOwnWrites(t *testing.T) {
	store := newMemoryStore()
	for i := range 2500 { // more than a page
		store.write(member(i))
	}
	f := newFollower(t, directory.FollowerConfig{Store: store, Now: func() time.Time { return now }})
	if f.Index() != nil || f.Age() >= 0 {
		t.Errorf("before Start: index %v, age %v, want none and negative", f.Index(), f.Age())
	}
	ctx := t.Context()
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	first := f.Index()
	if got := first.Stats().Teams; got != 2500 {
		t.Fatalf("%d teams after Start, want 2500", got)
	}
	loads := store.loads
	store.write(rec("new", mail("csirt@new.example"), has("domain", "new.example")))
	store.write(rec("new", mail("moved@new.example"), has("domain", "new.example")))
	store.load(directory.ReferenceRow{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Country: "AT"})
	if err := f.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(look(t, f.Index(), "new.example", directory.Ask{})), "match; 1 domain moved@new.example"; got != want {
		t.Errorf("after the edits: %s, want %s", got, want)
	}
	if got := f.Index(); got.Seq() != 2503 || len(got.References()) != 1 || store.loads != loads {
		t.Errorf("seq %d, %d reference sets, %d listings, want 2503, 1 and no listing", got.Seq(), len(got.References()), store.loads-loads)
	}
	if got := look(t, first, "new.example", directory.Ask{}).Status; got != directory.StatusNone {
		t.Errorf("the index from before says %s, want none", got)
	}
}

func TestFollowerKeepsAnsweringWhileTheStoreIsDown(t *testing.T) {
	clock := now
	store := newMemoryStore()
	store.write(rec("a", mail("a@a.example"), has("domain", "a.example")))
	f := newFollower(t, directory.FollowerConfig{Store: store, Now: func() time.Time { return clock }})
	ctx := t.Context()
	down := &directory.Error{Kind: directory.Unavailable, Op: "read"}
	store.set(func() { store.down = down })
	if err := f.Start(ctx); directory.KindOf(err) != directory.Unavailable {
		t.Fatalf("Start without store = %v, want unavailable", err)
	}
	if a := look(t, f.Index(), "a.example", directory.Ask{}); a.Status != directory.StatusUnavailable {
		t.Errorf("lookup before the first index = %s, want unavailable", a.Status)
	}
	store.set(func() { store.down = nil })
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	store.set(func() { store.down = down })
	clock = clock.Add(time.Minute)
	if err := f.Sync(ctx); !errors.Is(err, down) || !errors.Is(f.Err(), down) || f.Age() != time.Minute {
		t.Errorf("Sync without store = %v, Err %v, Age %v, want the store's error and a minute", err, f.Err(), f.Age())
	}
	if a := look(t, f.Index(), "a.example", directory.Ask{}); a.Status != directory.StatusMatch {
		t.Errorf("lookup while the store is down = %s, want match", a.Status)
	}
	store.set(func() { store.down = nil })
	if err := f.Sync(ctx); err != nil || f.Err() != nil || f.Age() != 0 {
		t.Errorf("Sync with the store back = %v, Err %v, Age %v, want none and 0", err, f.Err(), f.Age())
	}
}

func TestFollowerRebuilds(t *testing.T) {
	replace := func(m *memoryStore, epoch string, seq int64) {
		m.records = map[directory.TeamID]directory.Record{"id-b": rec("b")}
		m.head = directory.Head{Seq: seq, Epoch: epoch}
		m.changes = nil
	}
	for name, change := range map[string]func(*memoryStore){
		"a new epoch":                  func(m *memoryStore) { replace(m, "second", 3) },
		"a sequence that went back":    func(m *memoryStore) { replace(m, "first", 1) },
		"too many changes to read all": func(m *memoryStore) { replace(m, "first", 9000) },
	} {
		store := newMemoryStore()
		for range 3 {
			store.write(rec("a"))
		}
		f := newFollower(t, directory.FollowerConfig{Store: store})
		if err := f.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.set(func() { change(store) })
		if err := f.Sync(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, old := f.Index().ByHandle("a")
		_, fresh := f.Index().ByHandle("b")
		if old || !fresh || f.Index().Epoch() != store.head.Epoch {
			t.Errorf("%s: old team there %t, new team there %t, want a rebuilt index", name, old, fresh)
		}
	}
}

func TestFollowerTrustsNoGap(t *testing.T) {
	store := newMemoryStore()
	f := newFollower(t, directory.FollowerConfig{Store: store})
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.set(func() { store.head.Seq = 5 }) // and no change to go with it
	if err := f.Sync(t.Context()); directory.KindOf(err) != directory.Internal || f.Index().Seq() != 0 {
		t.Errorf("Sync over a gap = %v at %d, want an internal error at 0", err, f.Index().Seq())
	}
}

// Run sees what a watch reports, survives a watch that ends, and stops with
// its context.
func TestFollowerRun(t *testing.T) {
	store := newMemoryStore()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls atomic.Int32
	watches := make(chan func())
	f := newFollower(t, directory.FollowerConfig{
		Store: store, Poll: 20 * time.Millisecond,
		Watch: func(ctx context.Context, wake func()) error {
			select {
			case watches <- wake:
			case <-ctx.Done():
			}
			if calls.Add(1) == 1 {
				return errors.New("the connection was lost")
			}
			<-ctx.Done()
			return ctx.Err()
		},
	})
	if err := f.Start(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	<-watches
	wake := <-watches // the second watch
	store.write(rec("a"))
	wake()
	for f.Index().Seq() != 1 {
		select {
		case err := <-done:
			t.Fatalf("Run ended: %v", err)
		case <-ctx.Done():
			t.Fatal("the index never saw the change")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil when its context ends", err)
	}
}

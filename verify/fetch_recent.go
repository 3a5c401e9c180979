package verify

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// maxFresh is how many answers a [Live] gives again without asking.
const maxFresh = 16

// recent are answers to requests that may be given again. Those who ask for one
// that is on its way wait for it.
type recent struct {
	mu    sync.Mutex
	known map[string]*Exchange
	under map[string]*flight
}

// flight is a fetch under way.
type flight struct {
	done chan struct{}
	x    *Exchange
	err  error
}

// fetch returns an answer that is young enough, and has one fetched where there
// is none.
func (f *recent) fetch(ctx context.Context, q Request, now time.Time, fetch func() (*Exchange, error)) (*Exchange, error) {
	key := keyOf(q)
	f.mu.Lock()
	if x := f.known[key]; x != nil && !x.At.After(now) && now.Sub(x.At) < q.Fresh {
		f.mu.Unlock()
		again := *x
		return &again, nil
	}
	if a := f.under[key]; a != nil {
		f.mu.Unlock()
		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, cancelled(ctx)
		}
		if a.err != nil {
			return nil, a.err
		}
		again := *a.x
		return &again, nil
	}
	a := &flight{done: make(chan struct{})}
	if f.under == nil {
		f.known, f.under = map[string]*Exchange{}, map[string]*flight{}
	}
	f.under[key] = a
	f.mu.Unlock()
	a.x, a.err = fetch()
	f.land(key, a)
	return a.x, a.err
}

// land keeps a success, and lets those go on who wait.
func (f *recent) land(key string, a *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.under, key)
	if a.err == nil && a.x.Failure == nil && a.x.Last().Status == http.StatusOK && (len(f.known) < maxFresh || f.known[key] != nil) {
		f.known[key] = a.x
	}
	close(a.done)
}

package api

import (
	"sync/atomic"

	"github.com/rollcall-csirt/rollcall/directory"
)

// places limits how many requests do something costly at once. Requests
// without a token get half of them, so that strangers never keep out those
// who are known.
type places struct {
	most           int64
	taken, unknown atomic.Int64
}

// enter takes a place, which leave gives back; false when there is none.
func (p *places) enter(viewer *directory.Principal) (leave func(), ok bool) {
	if viewer.SignedIn() {
		return func() { p.taken.Add(-1) }, p.take(&p.taken, p.most)
	}
	if !p.take(&p.unknown, p.most/2) {
		return nil, false
	}
	if !p.take(&p.taken, p.most) {
		p.unknown.Add(-1)
		return nil, false
	}
	return func() { p.taken.Add(-1); p.unknown.Add(-1) }, true
}

func (p *places) take(n *atomic.Int64, most int64) bool {
	if n.Add(1) > most {
		n.Add(-1)
		return false
	}
	return true
}

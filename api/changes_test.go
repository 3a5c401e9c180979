package api_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// longPoll waits for a change after a number.
func (s *scene) longPoll(t testing.TB, after int64) api.ChangePage {
	var page api.ChangePage
	s.do(t, get(fmt.Sprintf("/v1/changes?after=%d&wait=60", after))).into(t, 200, &page)
	return page
}

var waiting = regexp.MustCompile(`(?m)^rollcall_change_waiters (\d+)$`)

// awaitWaiters returns when n requests wait for a change.
func (s *scene) awaitWaiters(t testing.TB, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 12000 {
		m := waiting.FindSubmatch(s.do(t, get("/metrics")).body)
		if len(m) == 2 && string(m[1]) == fmt.Sprint(n) {
			return
		}
		<-tick.C
	}
	t.Fatalf("not %d requests wait for a change", n)
}

// touch changes team alpha.
func (s *scene) touch(t testing.TB) {
	t.Helper()
	_, err := s.dir.Edit(t.Context(), operator(), "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		own.Host += "."
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}

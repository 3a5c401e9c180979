package verify_test

import (
	"net/netip"
	"runtime"
	"syscall"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
)

// TestNoNetwork is a machine without a network: it has no route to anywhere,
// which says nothing of those whom it can't reach.
func TestNoNetwork(t *testing.T) {
	n := newNet(t)
	l := n.live()
	at := netip.MustParseAddrPort("127.0.1.1:443")
	if !verify.Routed(l, at) {
		t.Fatal("no route to loopback")
	}
	type result struct {
		skip   error
		routed bool
		err    error
	}
	got := make(chan result)
	go func() {
		// The thread ends with this goroutine, since it is never unlocked: nobody
		// else gets to run without a network.
		runtime.LockOSThread()
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			got <- result{skip: err}
			return
		}
		_, err := l.Query(t.Context(), verify.Question{Name: "a.example", Type: "A", Server: at})
		got <- result{routed: verify.Routed(l, at), err: err}
	}()
	r := <-got
	if r.skip != nil {
		t.Skipf("a thread without a network needs rights: %v", r.skip)
	}
	if r.routed {
		t.Error("a route without a network")
	}
	wantTrouble(t, r.err, verify.CodeNoRoute)
}

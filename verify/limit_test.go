package verify_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// turn waits for a turn and returns what ends it; it fails the test when there
// is none.
func turn(t *testing.T, l *verify.Limiter, kind verify.LimitKind, key string) func() {
	t.Helper()
	done, err := l.Wait(t.Context(), kind, key)
	if err != nil {
		t.Fatalf("Wait(%s %s): %v", kind, key, err)
	}
	return done
}

func wantTrouble(t *testing.T, err error, code verify.Code) *verify.Trouble {
	t.Helper()
	var trouble *verify.Trouble
	if !errors.As(err, &trouble) || trouble.Code != code || !trouble.Ours {
		t.Fatalf("error %v, want trouble of our own, %s", err, code)
	}
	return trouble
}

// TestLimiterPace: a host is asked once a second, one question at a time.
func TestLimiterPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := verify.NewLimiter(verify.Paces(), 0)
		begun := time.Now()
		for i := range 5 {
			done := turn(t, l, verify.LimitHost, "example.org")
			if got := time.Since(begun); got != time.Duration(i)*time.Second {
				t.Errorf("question %d began after %s", i, got)
			}
			turn(t, l, verify.LimitHost, fmt.Sprintf("h%d.example.org", i))() // others do not wait for it
			done()
		}
		begun = time.Now()
		for range 11 {
			turn(t, l, verify.LimitServer, "192.0.2.53:53")()
		}
		if got := time.Since(begun); got != 2*time.Second {
			t.Errorf("11 questions to a name server took %s, want 2s", got)
		}
	})
}

// TestLimiterConcurrent: of many at once, as many as may are inside, each gets
// its turn, and nobody comes in twice.
func TestLimiterConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := verify.NewLimiter(verify.Paces(), time.Minute)
		var mu sync.Mutex
		inside, most := 0, 0
		note := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			inside += n
			most = max(most, inside)
		}
		var all sync.WaitGroup
		begun := time.Now()
		for range 20 {
			all.Go(func() {
				done := turn(t, l, verify.LimitAddr, "192.0.2.1")
				note(1)
				<-time.After(time.Second)
				note(-1)
				done()
			})
		}
		all.Wait()
		if took := time.Since(begun); most != 2 || took != 10*time.Second {
			t.Errorf("at most %d were inside and all took %s, want 2 and 10s", most, took)
		}
	})
}

// TestLimiterSendsAway: a turn that is too far away is none, whether the
// limiter or the caller has no time.
func TestLimiterSendsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := verify.NewLimiter(verify.Paces(), 3*time.Second)
		done := turn(t, l, verify.LimitHost, "slow.example.org")
		begun := time.Now()
		_, err := l.Wait(t.Context(), verify.LimitHost, "slow.example.org")
		if trouble := wantTrouble(t, err, verify.CodeBusy); trouble.Retry <= 0 || time.Since(begun) != 3*time.Second {
			t.Errorf("sent away after %s, to come back in %s", time.Since(begun), trouble.Retry)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		_, err = l.Wait(ctx, verify.LimitHost, "slow.example.org")
		wantTrouble(t, err, verify.CodeBusy)
		if got := time.Since(begun); got > time.Second {
			t.Errorf("sent away after %s, want within the second that the caller has", got)
		}
		done()
		turn(t, l, verify.LimitHost, "slow.example.org")() // who was sent away left no trace

		l.Rest(verify.LimitHost, "slow.example.org", time.Hour)
		begun = time.Now()
		_, err = l.Wait(t.Context(), verify.LimitHost, "slow.example.org")
		if trouble := wantTrouble(t, err, verify.CodeBusy); trouble.Retry < time.Hour || trouble.Retry > time.Hour+time.Minute || time.Since(begun) != 0 {
			t.Errorf("a peer that wants an hour: sent away after %s for %s", time.Since(begun), trouble.Retry)
		}
	})
}

// TestLimiterCrowd: thousands want to ask one peer, which takes one question a
// second. Those who are sent away come back when they are told to; few come in
// vain, and the peer is hardly ever idle.
func TestLimiterCrowd(t *testing.T) {
	for _, crowd := range []int{50, 2_000, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			l := verify.NewLimiter(verify.Paces(), 0)
			places := make(chan struct{}, 32) // as many at once as a runner has workers
			var tries atomic.Int32
			var all sync.WaitGroup
			begun := time.Now()
			for range crowd {
				all.Go(func() {
					for {
						places <- struct{}{}
						tries.Add(1)
						err := ask(l, t.Context(), 3)
						<-places
						if err == nil {
							return
						}
						<-time.After(wantTrouble(t, err, verify.CodeBusy).Retry)
					}
				})
			}
			all.Wait()
			if took, limit := time.Since(begun), time.Duration(crowd)*4*time.Second+time.Minute; took > limit {
				t.Errorf("%d runs of three questions took %s, want at most %s", crowd, took, limit)
			}
			if got := int(tries.Load()); got > 3*crowd {
				t.Errorf("%d runs took %d tries, want at most three each", crowd, got)
			}
		})
	}
}

// ask asks one peer n times, as one run of a check does.
func ask(l *verify.Limiter, ctx context.Context, n int) error {
	for range n {
		done, err := l.Wait(ctx, verify.LimitHost, "registry.example.org")
		if err != nil {
			return err
		}
		done()
	}
	return nil
}

func TestLimiterCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := verify.NewLimiter(verify.Paces(), 0)
		turn(t, l, verify.LimitHost, "a")()
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		time.AfterFunc(100*time.Millisecond, func() { cancel(stop) })
		_, err := l.Wait(ctx, verify.LimitHost, "a") // waits for the second to pass
		wantTrouble(t, err, verify.CodeCancelled)
		if !errors.Is(err, stop) {
			t.Errorf("error %v does not name its cause", err)
		}
		turn(t, l, verify.LimitHost, "a")()
	})
}

// TestLimiterForgets: peers of long ago take no memory.
func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := verify.NewLimiter(verify.Paces(), 0)
		for i := range 50_000 {
			turn(t, l, verify.LimitHost, fmt.Sprintf("h%d.example.org", i))()
			if i%100 == 99 {
				<-time.After(time.Second)
			}
		}
		if got := verify.Lanes(l); got > 2048 {
			t.Errorf("the limiter remembers %d hosts of 50000", got)
		}
	})
}

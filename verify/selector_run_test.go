package verify_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestRunnerSelectors: a check of DKIM keys is told what replies have shown of the domain and of its
// organisation, and so is whoever replays it; no other check is.
func TestRunnerSelectors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, dsn string, db *store.DB) {
		s := onStore(t, dsn, db)
		see := func(domain, name string) verify.Selector {
			t.Helper()
			sel := verify.Selector{Domain: domain, Name: name, Seen: now}
			if err := db.Challenges(context.Background(), func(tx challenge.Tx) error { return tx.SeeSelector(sel) }); err != nil {
				t.Fatal(err)
			}
			return sel
		}
		want := []verify.Selector{see("csirt.example.org", "own"), see("example.org", "theirs")}
		see("other.example.org", "beside")
		team := s.team("alpha", "csirt.example.org")
		var targets sync.Map
		look := func(name string) verify.Check {
			return domains(name, func(_ context.Context, _ verify.Network, target verify.Target) (verify.Result, error) {
				targets.Store(name, target.Selectors)
				return verify.Result{}, nil
			})
		}
		s.run(s.config(look(verify.SelectorCheck), look("other")))
		v := s.await("the check of keys", team.ID, verify.SelectorCheck, "csirt.example.org", verdict(verify.VerdictOK))
		s.await("another", team.ID, "other", "csirt.example.org", verdict(verify.VerdictOK))
		if got, _ := targets.Load(verify.SelectorCheck); !slices.Equal(got.([]verify.Selector), want) {
			t.Errorf("the target has %+v, want %+v", got, want)
		}
		if got, _ := targets.Load("other"); len(got.([]verify.Selector)) != 0 {
			t.Errorf("another check is told %+v", got)
		}
		data, err := db.Transcript(context.Background(), v.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := verify.DecodeTranscript(data); err != nil || !slices.Equal(kept.Target.Selectors, want) {
			t.Errorf("the transcript has %+v, %v; want %+v", kept.Target.Selectors, err, want)
		}
	})
}

// noSelectors is a store that has everything but selectors.
type noSelectors struct {
	verify.Store
	fails atomic.Bool
}

func (n *noSelectors) Selectors(ctx context.Context, domains []string) ([]verify.Selector, error) {
	if n.fails.Load() {
		return nil, errDisk
	}
	return n.Store.Selectors(ctx, domains)
}

// TestRunnerSelectorsTrouble: selectors that can't be read end no check with a verdict; it comes again.
func TestRunnerSelectorsTrouble(t *testing.T) {
	s := newScene(t)
	team := s.team("alpha", "example.org")
	broken := &noSelectors{Store: s.db}
	broken.fails.Store(true)
	cfg := s.config(domains(verify.SelectorCheck, fine))
	cfg.Store = broken
	s.run(cfg)
	s.until("a try in vain", func() bool { return s.log.has("selectors can't be read") })
	if v, _ := s.known(team.ID, verify.SelectorCheck, "example.org"); !v.Tried.IsZero() {
		t.Errorf("without the selectors there is %+v", v)
	}
	broken.fails.Store(false)
	s.clock.move(10 * time.Second)
	s.await("the next try", team.ID, verify.SelectorCheck, "example.org", verdict(verify.VerdictOK))
}

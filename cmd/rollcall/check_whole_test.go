package main

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
)

// flood answers everything with a megabyte.
type flood struct{ noNetwork }

func (flood) Fetch(_ context.Context, q verify.Request) (*verify.Exchange, error) {
	return &verify.Exchange{Request: q, Hops: []verify.Hop{{URL: q.URL, Status: 200}}, Body: make([]byte, 1<<20)}, nil
}

// TestCheckWhole: by hand, too, there is no verdict without the answers that it rests on, of a check
// that goes on when it does not get one.
func TestCheckWhole(t *testing.T) {
	for asks, want := range map[int]verify.Verdict{1: verify.VerdictOK, 5: verify.VerdictInconclusive} {
		c := verify.Check{Name: "x", Run: func(ctx context.Context, n verify.Network, _ verify.Target) (verify.Result, error) {
			for range asks {
				_, _ = n.Fetch(ctx, verify.Request{URL: "https://example.org/"})
			}
			return verify.Result{}, nil
		}}
		p := &checkPrinter{call: &call{ctx: t.Context()}, flags: &checkFlags{timeout: time.Minute}}
		r := &checkRun{check: c}
		p.run(r, flood{}, nil)
		if got := r.outcome; got.Verdict != want || want == verify.VerdictInconclusive && (got.Trouble == nil || got.Trouble.Code != verify.CodeTooLarge) {
			t.Errorf("after %d answers of a megabyte: %s, %+v; want %s", asks, got.Verdict, got.Trouble, want)
		}
	}
}

package verify

import (
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// AbandonAfter sets how long a check may go on that does not heed its end.
func AbandonAfter(c *RunnerConfig, d time.Duration) { c.abandon = d }

// Lanes returns how many peers a limiter remembers.
func Lanes(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lanes)
}

// NewEvidence is what a runner makes of proofs.
func NewEvidence(have []directory.Evidence, claims *Claims, method string, o *Outcome, policy directory.Policy, at time.Time) []directory.Evidence {
	return newEvidence(have, claims, method, o, policy, at)
}

// Bound cuts a result to what is kept of it.
func Bound(r *Result) { r.bound() }

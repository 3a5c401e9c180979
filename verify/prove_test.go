package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// TestNewEvidence asks for every sort of proof that is there already whether
// one more is news.
func TestNewEvidence(t *testing.T) {
	proof := verify.Proof{Contact: "c", Revision: 2, Level: directory.Deliverable, Lasts: 10 * day}
	had := func(age time.Duration, spoil func(*directory.Evidence)) []directory.Evidence {
		e := directory.Evidence{Contact: "c", Revision: 2, Level: directory.Deliverable, Outcome: directory.OutcomeProved, Method: "check.x",
			At: now.Add(-age), ValidUntil: now.Add(10*day - age), By: verify.ThisInstance}
		if spoil != nil {
			spoil(&e)
		}
		return []directory.Evidence{e}
	}
	for _, c := range []struct {
		name string
		have []directory.Evidence
		want int
	}{
		{"none", nil, 1},
		{"one of today", had(0, nil), 0},
		{"one in the first half of its life", had(5*day-time.Second, nil), 0},
		{"one at half its life", had(5*day, nil), 1},
		{"one that ran out", had(11*day, nil), 1},
		{"one of tomorrow, by a clock that was wrong", had(-day, nil), 1},
		{"one that lasts as long as the policy says, at a tenth of it", had(18*day, func(e *directory.Evidence) { e.ValidUntil = time.Time{} }), 0},
		{"one that lasts as long as the policy says, past half of it", had(91*day, func(e *directory.Evidence) { e.ValidUntil = time.Time{} }), 1},
		{"a lower level", had(0, func(e *directory.Evidence) { e.Level = directory.Listed }), 1},
		{"a higher level", had(0, func(e *directory.Evidence) { e.Level = directory.Proven }), 0},
		{"another revision", had(0, func(e *directory.Evidence) { e.Revision = 1 }), 1},
		{"another contact", had(0, func(e *directory.Evidence) { e.Contact = "d" }), 1},
		{"another method", had(0, func(e *directory.Evidence) { e.Method = "phone" }), 1},
		{"another registrar's", had(0, func(e *directory.Evidence) { e.By = "registrar" }), 1},
		{"a failure", had(0, func(e *directory.Evidence) { e.Outcome = directory.OutcomeFailed }), 1},
	} {
		claims := verify.Claims{Team: "t", Contacts: []verify.ClaimedContact{{ID: "c", Revision: 2}}}
		got := verify.NewEvidence(c.have, &claims, "check.x", &verify.Outcome{Raw: "hash", Result: verify.Result{Proofs: []verify.Proof{proof, proof}}}, directory.Policy{}, now)
		if len(got) != c.want {
			t.Errorf("%s: %d new items, want %d", c.name, len(got), c.want)
		}
		for _, e := range got {
			if e.ID == "" || e.RawHash != "hash" || !e.ValidUntil.Equal(now.Add(10*day)) {
				t.Errorf("%s: evidence %+v", c.name, e)
			}
		}
	}
}

// TestBound: a hostile peer has many things to find, and the worst are kept.
func TestBound(t *testing.T) {
	var r verify.Result
	for i := range 10_000 {
		r.Findings = append(r.Findings, verify.Finding{Code: "x.y", Severity: verify.Notification, Line: i})
		r.Facts = append(r.Facts, verify.Fact{Name: "f", Value: strings.Repeat("ä", 5000)})
	}
	r.Findings[9999].Severity = verify.Error
	verify.Bound(&r)
	if len(r.Findings) != 500 || r.Findings[0].Severity != verify.Error || r.Findings[1].Line != 0 {
		t.Errorf("%d findings, first %+v, %+v", len(r.Findings), r.Findings[0], r.Findings[1])
	}
	if len(r.Facts) != 500 || r.Facts[0].Value != strings.Repeat("ä", 2048) {
		t.Errorf("%d facts of %d octets", len(r.Facts), len(r.Facts[0].Value))
	}
}

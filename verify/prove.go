package verify

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-csirt/rollcall/directory"
)

// ThisInstance is who vouches for what our own checks proved.
const ThisInstance = "this instance"

// proofSpace is the name space of the ids of proofs (RFC 9562 section 5.5).
var proofSpace = uuid.MustParse("3f0d0c0e-7a55-5c0b-9a52-5f6f0f4f6c31")

// evidence makes evidence of what an outcome proves about contacts, where that
// is news: new, of a higher level, or in place of a proof that is past half its
// life. Newest first, which at one moment is any order.
func (r *Runner) evidence(claims *Claims, check string, o *Outcome, at time.Time) []directory.Evidence {
	if len(o.Result.Proofs) == 0 {
		return nil
	}
	team, ok := r.cfg.Follower.Index().Team(claims.Team)
	if !ok {
		return nil
	}
	return newEvidence(team.Evidence, claims, "check."+check, o, r.cfg.Policy, at)
}

func newEvidence(have []directory.Evidence, claims *Claims, method string, o *Outcome, policy directory.Policy, at time.Time) []directory.Evidence {
	var list []directory.Evidence
	for _, p := range o.Result.Proofs {
		claimed := slices.ContainsFunc(claims.Contacts, func(c ClaimedContact) bool { return c.ID == p.Contact && c.Revision == p.Revision })
		if !claimed || p.Level <= directory.Listed || p.Level > directory.Drilled {
			continue
		}
		e := directory.Evidence{Contact: p.Contact, Revision: p.Revision, Level: p.Level, Outcome: directory.OutcomeProved,
			Method: method, At: at, By: ThisInstance, Note: clip(p.Note, maxFact), RawHash: o.Raw}
		if p.Lasts > 0 {
			e.ValidUntil = at.Add(p.Lasts)
		}
		if fresh(have, &e, policy) || fresh(list, &e, policy) {
			continue
		}
		e.ID = uuid.NewSHA1(proofSpace, fmt.Appendf(nil, "%s %s %d %s %d %d", claims.Team, e.Contact, e.Revision, e.Method, e.Level, at.UnixMicro())).String()
		list = append(list, e)
	}
	return list
}

// fresh reports whether a proof by the same method, of the same or a higher
// level, is in the first half of its life. One that is yet to come is of a
// clock that was wrong.
func fresh(have []directory.Evidence, e *directory.Evidence, policy directory.Policy) bool {
	return slices.ContainsFunc(have, func(h directory.Evidence) bool {
		age := e.At.Sub(h.At)
		return h.Contact == e.Contact && h.Revision == e.Revision && h.Method == e.Method && h.By == e.By &&
			h.Outcome == e.Outcome && h.Level >= e.Level && age >= 0 && age < policy.End(h).Sub(h.At)/2
	})
}

// What is kept of one result. A hostile peer decides how much there is to find.
const (
	maxFindings = 500
	maxFacts    = 500
	maxFact     = 4096 // octets
)

// bound cuts a result to what is kept of it, the worst findings first.
func (r *Result) bound() {
	if len(r.Findings) > maxFindings {
		order := Severities()
		slices.SortStableFunc(r.Findings, func(a, b Finding) int { return slices.Index(order, a.Severity) - slices.Index(order, b.Severity) })
		r.Findings = r.Findings[:maxFindings]
	}
	if len(r.Facts) > maxFacts {
		r.Facts = r.Facts[:maxFacts]
	}
	for i := range r.Facts {
		r.Facts[i].Value = clip(r.Facts[i].Value, maxFact)
	}
}

// clip cuts text at a rune's border.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

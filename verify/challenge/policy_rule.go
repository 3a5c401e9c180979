package challenge

import (
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Rule says for whom a policy holds. Empty fields hold for all; a rule without
// any is the instance's own.
type Rule struct {
	Policy string         `json:"policy"`          // its name
	Forum  string         `json:"forum,omitempty"` // members of this forum
	Tier   string         `json:"tier,omitempty"`  // whose membership is of this type or status
	Use    directory.Word `json:"use,omitempty"`   // contacts for this use
}

// String says for whom r holds, for people.
func (r Rule) String() string {
	var words []string
	for _, w := range []struct{ name, value string }{{"forum", r.Forum}, {"tier", r.Tier}, {"use", r.Use}} {
		if w.value != "" {
			words = append(words, w.name+" "+w.value)
		}
	}
	if len(words) == 0 {
		return "everybody"
	}
	return strings.Join(words, ", ")
}

// weight orders rules: a tier says more than a forum, a forum more than a use.
func (r Rule) weight() (n int) {
	for bit, s := range []string{r.Use, r.Forum, r.Tier} {
		if s != "" {
			n |= 1 << bit
		}
	}
	return n
}

func (r Rule) holds(t *directory.Team, c *directory.Contact) bool {
	if r.Use != "" && !c.Serves(r.Use) {
		return false
	}
	if r.Forum == "" && r.Tier == "" {
		return true
	}
	return slices.ContainsFunc(t.Memberships, func(m directory.Membership) bool {
		tier := r.Tier == "" || strings.EqualFold(r.Tier, m.Type) || strings.EqualFold(r.Tier, m.Status)
		return tier && (r.Forum == "" || strings.EqualFold(r.Forum, m.Forum)) && m.Status != "ended" && m.Status != "suspended"
	})
}

// Resolved is which policy holds for a contact, and why.
type Resolved struct {
	Policy Policy
	Rule   Rule
	Others []Rule // that hold too, and yield
}

// Resolve returns the policy that holds for contact c of team t: of the rules
// that hold, the one that says most; among equals, the policy that asks more
// often, so that membership of two forums never weakens what one of them wants;
// then the first. False means that no rule holds, or its policy is not there:
// nobody is asked by guesswork.
func Resolve(rules []Rule, policies []Policy, t *directory.Team, c *directory.Contact) (Resolved, bool) {
	var best Resolved
	found := false
	for _, r := range rules {
		i := slices.IndexFunc(policies, func(p Policy) bool { return p.Name == r.Policy })
		if i < 0 || !r.holds(t, c) {
			continue
		}
		better := !found || r.weight() > best.Rule.weight() ||
			r.weight() == best.Rule.weight() && policies[i].Interval.rough() < best.Policy.Interval.rough()
		switch {
		case better && found:
			best = Resolved{policies[i], r, append(best.Others, best.Rule)}
		case better:
			best, found = Resolved{policies[i], r, best.Others}, true
		default:
			best.Others = append(best.Others, r)
		}
	}
	return best, found
}

// Choose returns how a contact is asked under p. A contact that can't be asked
// so is asked by what it can do; false means that nothing here reaches it.
func Choose(p Policy, c *directory.Contact, calendar Calendar, hasKey bool) (Kind, bool) {
	switch c.Channel {
	case "phone":
		return KindPhone, true
	case "url":
		return KindWebhook, p.Kind == KindWebhook // most URLs are forms for people
	case "email":
		if p.Kind.NeedsKey() && !hasKey || p.Kind == KindDrill && !calendar.promised() || p.Kind == KindWebhook {
			return KindCode, true
		}
		return p.Kind, true
	}
	return "", false
}

// DueWhy is why a contact is to be asked, or not.
type DueWhy string

// The reasons.
const (
	DueNever    DueWhy = "never-proven"
	DueInterval DueWhy = "interval"    // the last proof is an interval old
	DueRunsOut  DueWhy = "runs-out"    // the last proof says itself how long it counts
	DueFailed   DueWhy = "failed"      // something failed since the last proof
	DueTooLow   DueWhy = "below-level" // proven, and below the minimum
	DueDisputed DueWhy = "disputed"    // somebody has to look first: At is zero
	DueAsked    DueWhy = "asked"       // the last question, which came to nothing, is an interval old
	DueOptOut   DueWhy = "opted-out"   // an operator has to decide first: At is zero

	// Others say that the contact is not asked, or not by a mail of its own. At is zero but for a digest.
	DueNoPolicy  DueWhy = "no-policy" // no rule holds for it
	DueNoWay     DueWhy = "no-way"    // nothing that its policy asks for fits it
	DueUnvouched DueWhy = "unvouched" // nobody but the team's own editors stands for the address
	DueStopped   DueWhy = "stopped"   // the kill switch is on
	DueDigest    DueWhy = "digest"    // from At on the notices to its team list it
)

// DueWhys returns every reason.
func DueWhys() []DueWhy {
	return []DueWhy{DueNever, DueInterval, DueRunsOut, DueFailed, DueTooLow, DueDisputed, DueAsked, DueOptOut,
		DueNoPolicy, DueNoWay, DueUnvouched, DueStopped, DueDigest}
}

// NextDue is when a contact is to be asked next.
type NextDue struct {
	At    time.Time // may have passed; zero for never
	Why   DueWhy
	Proof time.Time // the proof that it counts from; zero without one
}

// Due returns when contact c is to be asked next under p, from the evidence
// about its present revision. That a mail was accepted is no proof that anybody
// reads it, so level 1 never counts; a confirmation in one click counts where
// the minimum is level 0.
func Due(c *directory.Contact, evidence []directory.Evidence, p Policy, now time.Time) NextDue {
	var proof directory.Evidence
	var failed, disputed, settled, low time.Time
	for _, e := range evidence {
		if e.Contact != c.ID || e.Revision != c.Revision || e.At.After(now) {
			continue
		}
		counts := e.Level >= max(p.Minimum, directory.Answered) || p.Minimum == directory.Listed && e.Method == MethodConfirmed
		switch {
		case e.Outcome == directory.OutcomeFailed:
			failed = later(failed, e.At)
		case e.Outcome == directory.OutcomeDisputed:
			disputed = later(disputed, e.At)
		case e.Outcome == directory.OutcomeSettled:
			settled = later(settled, e.At)
		case counts && e.At.After(proof.At):
			proof = e
		case !counts && e.Level >= directory.Answered:
			low = later(low, e.At)
		}
	}
	switch {
	case disputed.After(settled):
		return NextDue{Why: DueDisputed, Proof: proof.At}
	case failed.After(proof.At):
		return NextDue{At: failed, Why: DueFailed, Proof: proof.At}
	case proof.At.IsZero() && !low.IsZero():
		// It did what it could, such as a mailbox without a key: it is not asked more often than others.
		return NextDue{At: Calendar{}.After(low, p.Interval), Why: DueTooLow}
	case proof.At.IsZero():
		return NextDue{At: since(c, now), Why: DueNever}
	}
	next := NextDue{At: Calendar{}.After(proof.At, p.Interval), Why: DueInterval, Proof: proof.At}
	if !proof.ValidUntil.IsZero() && proof.ValidUntil.Before(next.At) {
		next.At, next.Why = proof.ValidUntil, DueRunsOut
	}
	return next
}

// Spaced returns when contact c is to be asked next when its last question went out at
// asked. One that came to nothing counts as much as one that was answered: who stays
// silent, or can't be reached, is asked again after the interval of p, and not at once.
func (n NextDue) Spaced(asked time.Time, c *directory.Contact, p Policy) NextDue {
	at := Calendar{}.After(asked, p.Interval)
	if asked.IsZero() || asked.Before(c.Since) || n.Proof.After(asked) || n.At.IsZero() || !at.After(n.At) {
		return n
	}
	return NextDue{At: at, Why: DueAsked, Proof: n.Proof}
}

func since(c *directory.Contact, now time.Time) time.Time {
	if c.Since.IsZero() || c.Since.After(now) {
		return now
	}
	return c.Since
}

package verify

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Attention is one thing about a team that somebody should look at.
type Attention struct {
	Finding           // Subject is always set; Severity says how urgent it is
	Title   string    `json:"title"`           // what is wrong, in a sentence without a full stop
	Check   string    `json:"check,omitempty"` // that found it; "" for what is known of contacts
	Since   time.Time `json:"since,omitzero"`  // since when it is so; zero: unknown
	Due     time.Time `json:"due,omitzero"`    // by when to act; zero: at once for an error, else whenever it suits
}

// SoonWithin is how long before a proof runs out that is worth mentioning.
const SoonWithin = 30 * 24 * time.Hour

// Digest returns what about a team needs attention at now, in the order in
// which to look at it: by severity, then by when it is due. It is pure. known is
// what checks found; of that, what needs nothing done is left out. t is seen as
// the reader may see it: what was redacted is not mentioned. explain gives
// the row of a code, as catalog.Find does.
func Digest(t *directory.Team, known []Verification, policy directory.Policy, explain func(Code) (Problem, bool), now time.Time) []Attention {
	d := &digest{policy: policy, explain: explain, now: now}
	for i := range known {
		d.verification(&known[i])
	}
	for i := range t.Contacts {
		d.contact(t, &t.Contacts[i])
	}
	d.channels(t)
	for i := range t.Keys {
		d.key(t, &t.Keys[i])
	}
	slices.SortStableFunc(d.list, attentionOrder)
	return d.list
}

func attentionOrder(a, b Attention) int {
	order := Severities()
	return cmp.Or(
		cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity)),
		compareDue(a.Due, b.Due),
		strings.Compare(a.Check, b.Check), strings.Compare(a.Finding.Subject, b.Finding.Subject),
		cmp.Compare(a.Line, b.Line), strings.Compare(string(a.Code), string(b.Code)))
}

// compareDue puts what has a date before what has none.
func compareDue(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return cmp.Compare(b2i(a.IsZero()), b2i(b.IsZero()))
	}
	return a.Compare(b)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// digest is one being made.
type digest struct {
	policy  directory.Policy
	explain func(Code) (Problem, bool)
	now     time.Time
	list    []Attention
}

// What the check of keys says of those that follow others. The digest knows it from
// the team, so that nobody is told of a key that was proven since the check.
const (
	codeUnproven Code = "pgpkey.successor-unproven"
	codeRefused  Code = "pgpkey.successor-refused"
)

// key says of a key that came beside or in place of another that nothing speaks for it.
func (d *digest) key(t *directory.Team, k *directory.TeamKey) {
	s := t.Succession(k.Fingerprint)
	if s == nil || k.Continuity == "" {
		return
	}
	code, since := codeUnproven, s.At
	if k.Continuity == directory.ContinuityRefused {
		code, since = codeRefused, s.Refused
	}
	p, ok := d.explain(code)
	if !ok {
		return
	}
	a := Attention{Finding: p.Find("").On(string(k.Fingerprint)), Title: p.Title, Since: since}
	if t.KeyState(k.Fingerprint, d.now) == directory.KeyWaiting {
		a.Due = s.At.Add(directory.KeyWait)
	}
	d.list = append(d.list, a)
}

func (d *digest) verification(v *Verification) {
	if v.Verdict == VerdictInconclusive {
		if v.Tries > 0 { // it was tried, and the trouble was not ours
			f := problemNoConclusion.Find(string(v.Trouble)).On(v.Subject.ID)
			d.list = append(d.list, Attention{Finding: f, Title: problemNoConclusion.Title, Check: v.Check, Since: v.Trying})
		}
		return
	}
	for _, f := range v.Findings {
		if f.Severity != Error && f.Severity != Warning && f.Severity != Recommendation {
			continue
		}
		if f.Code == codeUnproven || f.Code == codeRefused { // the team says it itself, as it is now
			continue
		}
		if f.Subject == "" {
			f.Subject = v.Subject.ID
		}
		a := Attention{Finding: f, Check: v.Check}
		if p, ok := d.explain(f.Code); ok {
			a.Title = p.Title
		}
		if f.Severity == Error {
			a.Since = v.Since
		} else if strings.Contains(string(f.Code), "expir") {
			a.Due = d.expiry(v.Facts)
		}
		d.list = append(d.list, a)
	}
}

// expiry returns the first end that is yet to come among facts.
func (d *digest) expiry(facts []Fact) (first time.Time) {
	for _, f := range facts {
		if f.Name != "expires" {
			continue
		}
		t, err := time.Parse(time.RFC3339, f.Value)
		if err == nil && t.After(d.now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// contact says what the evidence about a contact calls for.
func (d *digest) contact(t *directory.Team, c *directory.Contact) {
	s := directory.Assess(*c, t.Evidence, d.policy, d.now)
	a := Attention{Since: s.At}
	var p Problem
	switch s.State {
	case directory.Failed:
		p, a.Since = problemFailed, time.Time{}
	case directory.Disputed:
		p, a.Since = problemDisputed, time.Time{}
	case directory.Overdue:
		p, a.Due = problemOverdue, s.ValidUntil
	case directory.Due:
		p, a.Due = problemDue, d.policy.Overdue(s.ValidUntil)
	case directory.Unverified:
		p = problemUnproven
	default:
		if s.ValidUntil.Sub(d.now) > SoonWithin {
			return
		}
		p, a.Due = problemEnds, s.ValidUntil
	}
	a.Finding, a.Title = p.Find("").On(c.Value), p.Title
	d.list = append(d.list, a)
}

// channels looks for a team that falls silent when one thing fails. Where
// something was redacted, that can't be said.
func (d *digest) channels(t *directory.Team) {
	if len(t.Contacts) == 0 || slices.Contains(t.Withheld, "contacts") {
		return
	}
	for _, c := range t.Contacts[1:] {
		if c.Channel != t.Contacts[0].Channel {
			return
		}
	}
	f := problemOneChannel.Find(t.Contacts[0].Channel).On(string(t.Handle))
	d.list = append(d.list, Attention{Finding: f, Title: problemOneChannel.Title})
}

// The problems that a digest names beside the findings of checks.
var (
	problemFailed       = Problem{"contact.failed", Error, "", "The contact failed when it was last tried", "Correct the contact, or see why nobody answered there.", ""}
	problemDisputed     = Problem{"contact.disputed", Warning, "", "Somebody says that the contact is wrong, and nobody has settled it", "Correct the contact, or tell the operator that it is right.", ""}
	problemOverdue      = Problem{"contact.overdue", Warning, "", "The proof that the contact answers ran out too long ago", "Answer the next challenge, or ask the operator for one.", ""}
	problemDue          = Problem{"contact.due", Recommendation, "", "The proof that the contact answers has run out", "Answer the next challenge, or ask the operator for one.", ""}
	problemUnproven     = Problem{"contact.unproven", Recommendation, "", "Nobody has ever proven that the contact answers", "Answer the next challenge, or ask the operator for one.", ""}
	problemEnds         = Problem{"contact.ends-soon", Info, "", "The proof that the contact answers runs out soon", "Nothing yet: a new challenge will come.", ""}
	problemOneChannel   = Problem{"contact.one-channel", Recommendation, "Directive (EU) 2022/2555 article 11", "All contacts are of one channel, so that one fault silences the team", "Add a contact of another channel, such as a telephone number.", ""}
	problemConfirm      = Problem{"contact.confirm", Recommendation, "", "Somebody should say whether the contact is still right", "If it is, say so by the link in the notice; if not, correct it.", ""}
	problemNoConclusion = Problem{"check.inconclusive", Info, "", "The check has come to no conclusion for a while", "See whether the servers in question answer; it is tried again.", ""}
)

// DigestProblems is the table of what [Digest] names beside the findings of checks.
func DigestProblems() []Problem {
	return []Problem{problemFailed, problemDisputed, problemOverdue, problemDue, problemUnproven, problemEnds, problemOneChannel, problemConfirm, problemNoConclusion}
}

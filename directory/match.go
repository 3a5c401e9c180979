package directory

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Match says that two teams may be one, how likely that is, and why.
type Match struct {
	A, B      *Team    // A has the lower handle; never change them
	Reasons   []Reason // those in favour first, each kind by weight
	Score     float64  // 0 to 1, rounded to hundredths
	Exactness Exactness
	// Decision is what somebody decided about the two before, where something
	// has changed since that reopens the question; nil: nothing was decided.
	Decision *MatchDecision
}

// Reason is one fact that speaks for or against two teams being one.
type Reason struct {
	Kind   ReasonKind
	Value  string  // what both have, or how they differ
	Weight float64 // -1 to 1: below 0 it speaks against
}

// ReasonKind says what a reason is about.
type ReasonKind = Word

// The kinds of reason. Those of the first group are facts that both teams have,
// those of the last speak against.
const (
	ReasonUUID    ReasonKind = "uuid"    // a source calls one by the UUID of the other
	ReasonKey     ReasonKind = "key"     // the same OpenPGP key
	ReasonMailbox ReasonKind = "mailbox" // the same address
	ReasonPhone   ReasonKind = "phone"   // the same number
	ReasonNetwork ReasonKind = "network" // the same prefix or AS number
	ReasonDomain  ReasonKind = "domain"  // the same registrable domain

	ReasonName     ReasonKind = "name"      // the same name, but for case, accents and signs
	ReasonNearName ReasonKind = "near-name" // a name that differs in a letter or a general word
	ReasonInitials ReasonKind = "initials"  // the short name of one is the initials of the other's

	ReasonCountry    ReasonKind = "country"     // different countries
	ReasonRole       ReasonKind = "role"        // national and government, or product security and not
	ReasonOwnEntries ReasonKind = "own-entries" // people entered both
	ReasonSource     ReasonKind = "source"      // one source lists both
	ReasonUUIDs      ReasonKind = "uuids"       // sources know them by different UUIDs
)

// ReasonKinds lists all kinds of reason.
func ReasonKinds() []ReasonKind {
	return []ReasonKind{ReasonUUID, ReasonKey, ReasonMailbox, ReasonPhone, ReasonNetwork, ReasonDomain, ReasonName, ReasonNearName, ReasonInitials,
		ReasonCountry, ReasonRole, ReasonOwnEntries, ReasonSource, ReasonUUIDs}
}

// weights say how much one reason is worth. Reasons in favour add up as
// independent chances do, 1 - (1-a)(1-b)…; what speaks against takes its share
// of the sum.
var weights = map[ReasonKind]float64{
	ReasonUUID: 0.99, ReasonKey: 0.9, ReasonMailbox: 0.75, ReasonPhone: 0.4, ReasonNetwork: 0.3, ReasonDomain: 0.35,
	ReasonName: 0.5, ReasonNearName: 0.35, ReasonInitials: 0.3,
	ReasonCountry: -0.6, ReasonRole: -0.6, ReasonOwnEntries: -0.3, ReasonSource: -0.6, ReasonUUIDs: -0.5,
}

// Exactness says how alike two teams are at best.
type Exactness string

// The degrees of exactness.
const (
	ExactIdentity Exactness = "identity" // the same UUID or key
	ExactContact  Exactness = "contact"  // the same address, number or name
	ExactNear     Exactness = "near"     // a name that looks alike, or the same surroundings
)

// leastScore is the score below which two teams are not proposed at all.
const leastScore = 0.2

// favours reports whether the reason speaks for the two being one.
func (r *Reason) favours() bool { return r.Weight > 0 }

// Has reports whether one of the reasons is of kind.
func (m *Match) Has(kind ReasonKind) bool {
	return slices.ContainsFunc(m.Reasons, func(r Reason) bool { return r.Kind == kind })
}

// Contradicted reports whether something speaks against the two being one.
func (m *Match) Contradicted() bool {
	return slices.ContainsFunc(m.Reasons, func(r Reason) bool { return !r.favours() })
}

// Keep returns the two with the one first that had better stay: that which
// people entered, else that which more sources know, else the older.
func (m *Match) Keep() (stays, goes *Team) {
	if better(m.A, m.B) <= 0 {
		return m.A, m.B
	}
	return m.B, m.A
}

// FindMatches returns all pairs of teams that may be one, best first. It is
// pure, and its order depends on nothing but the teams. Pairs are not compared
// one by one: candidates are those that share a fact, a name, or one of the
// rarest words of a name within a country.
func FindMatches(teams []*Team) []Match {
	// Where a list is cut, the order says where.
	m := newMatcher(slices.SortedFunc(slices.Values(teams), func(a, b *Team) int { return strings.Compare(string(a.ID), string(b.ID)) }))
	pairs := m.candidates()
	list := make([]Match, 0, len(pairs))
	for p, name := range pairs {
		if match, ok := m.compare(p, name); ok {
			list = append(list, match)
		}
	}
	slices.SortFunc(list, func(x, y Match) int { return x.compare(&y) })
	return list
}

// compare is the order of matches: by score, then by id.
func (m *Match) compare(o *Match) int {
	return cmp.Or(cmp.Compare(o.Score, m.Score), strings.Compare(string(m.A.ID), string(o.A.ID)), strings.Compare(string(m.B.ID), string(o.B.ID)))
}

// pair is two subjects of a matcher by number, the lower first.
type pair struct{ a, b int32 }

func pairOf(a, b int32) pair {
	if a > b {
		a, b = b, a
	}
	return pair{a, b}
}

// compare scores one pair; false when it is not worth a proposal.
func (m *matcher) compare(p pair, name Reason) (Match, bool) {
	a, b := &m.subjects[p.a], &m.subjects[p.b]
	reasons := m.common(a, b)
	if a.team.Country == "" || b.team.Country == "" || a.team.Country != b.team.Country {
		name = m.nameAnywhere(a, b)
	}
	if name.Kind != "" {
		reasons = append(reasons, name)
	}
	reasons = append(reasons, against(a, b)...)
	match := Match{A: a.team, B: b.team, Reasons: reasons, Score: score(reasons)}
	if match.Score < leastScore {
		return match, false
	}
	if match.A.Handle > match.B.Handle {
		match.A, match.B = match.B, match.A
	}
	match.Exactness = exactness(reasons)
	slices.SortFunc(match.Reasons, func(x, y Reason) int {
		return cmp.Or(cmp.Compare(y.Weight, x.Weight), strings.Compare(x.Kind, y.Kind), strings.Compare(x.Value, y.Value))
	})
	return match, true
}

// common returns what two teams share. Of several facts of one kind the best
// counts; a domain that follows from a shared mailbox is no second reason.
func (m *matcher) common(a, b *subject) []Reason {
	var reasons []Reason
	add := func(f fact, weight float64) {
		for i := range reasons {
			if r := &reasons[i]; r.Kind == f.kind {
				if weight > r.Weight {
					*r = Reason{f.kind, f.value, weight}
				}
				return
			}
		}
		reasons = append(reasons, Reason{f.kind, f.value, weight})
	}
	mailboxes := ""
	shared(a.facts, b.facts, func(f fact) {
		if f.kind == ReasonMailbox {
			mailboxes += f.value + "\n"
		}
	})
	shared(a.facts, b.facts, func(f fact) {
		if f.kind == ReasonDomain && (strings.Contains(mailboxes, "@"+f.value+"\n") || strings.Contains(mailboxes, "."+f.value+"\n")) {
			return
		}
		add(f, round(weights[f.kind]*rarity(len(m.holders[f]))))
	})
	return reasons
}

// rarity takes weight from what many teams have. Up to four say nothing: the
// team itself, a forum, a list of its region and one of its country.
func rarity(holders int) float64 { return min(1, 4/float64(max(holders, 1))) }

// against returns what speaks against two teams being one.
func against(a, b *subject) []Reason {
	var reasons []Reason
	add := func(kind ReasonKind, value string) {
		reasons = append(reasons, Reason{kind, value, weights[kind]})
	}
	if x, y := a.team.Country, b.team.Country; x != "" && y != "" && x != y {
		add(ReasonCountry, inOrder(string(x), string(y)))
	}
	if x, y := a.role, b.role; x != y && (x == "psirt" || y == "psirt") && len(a.team.Kinds) > 0 && len(b.team.Kinds) > 0 || x != y && stateRole(x) && stateRole(y) {
		add(ReasonRole, inOrder(cmp.Or(x, "csirt"), cmp.Or(y, "csirt")))
	}
	if a.team.hasOwn() && b.team.hasOwn() {
		add(ReasonOwnEntries, "")
	}
	if s := sameSource(a.team, b.team); s != "" {
		add(ReasonSource, s)
	}
	if x, y := knownID(a.team), knownID(b.team); x != "" && y != "" && x != y && !a.has(fact{ReasonUUID, string(y)}) && !b.has(fact{ReasonUUID, string(x)}) {
		add(ReasonUUIDs, inOrder(string(x), string(y)))
	}
	return reasons
}

func inOrder(x, y string) string { return min(x, y) + " / " + max(x, y) }

// sameSource returns the source that lists both teams.
func sameSource(a, b *Team) string {
	for _, s := range a.Sources {
		if !entered(s.Source) && slices.ContainsFunc(b.Sources, func(o TeamSource) bool { return o.Source == s.Source }) {
			return s.Source
		}
	}
	return ""
}

// knownID returns the UUID by which a source knows the team.
func knownID(t *Team) TeamID {
	for _, s := range t.Sources {
		if s.ID != "" {
			return s.ID
		}
	}
	return ""
}

// score weighs the reasons.
func score(reasons []Reason) float64 {
	no, share := 1.0, 1.0
	for _, r := range reasons {
		if r.favours() {
			no *= 1 - r.Weight
		} else {
			share *= 1 + r.Weight
		}
	}
	return round((1 - no) * share)
}

func round(x float64) float64 { return math.Round(100*x) / 100 }

func exactness(reasons []Reason) Exactness {
	best := ExactNear
	for _, r := range reasons {
		switch r.Kind {
		case ReasonUUID, ReasonKey:
			return ExactIdentity
		case ReasonMailbox, ReasonPhone, ReasonName:
			best = ExactContact
		}
	}
	return best
}

package directory

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// entry is a team in the index, with what can be worked out once.
type entry struct {
	team     *Team
	names    []string          // handle and names, folded, each once
	evidence [][]Evidence      // per contact: what speaks of its present revision
	orders   [uses][]preferred // per use asked for: all contacts, best first
	moments  [][]moment        // per contact: its states in the course of time
	inForce  []dayRange        // per designation
	verdicts *entryVerdicts    // nil: no check has found anything yet
}

// entryVerdicts are what answers lean on that name a team.
type entryVerdicts struct {
	contacts  []*CheckSummary // per contact
	resources []*CheckSummary // per resource, where it is a domain
}

// preferred is one contact in the order for a use.
type preferred struct {
	contact uint16
	tier    uint8 // 0: it is for this use; higher: it stands in
}

// uses is how many uses there are; useFallbacks has a row for each.
const uses = 5

// useFallbacks says, per use asked for, contacts of which use answer, and who
// stands in for them. The representative speaks for the team in a forum and is
// asked last.
var useFallbacks = [uses][uses]Word{
	{"abuse", "general", "vulnerability", "emergency", "representative"},
	{"general", "abuse", "emergency", "vulnerability", "representative"},
	{"vulnerability", "general", "abuse", "emergency", "representative"},
	{"emergency", "general", "abuse", "vulnerability", "representative"},
	{"representative", "general", "abuse", "emergency", "vulnerability"},
}

// useNumber returns the row of useFallbacks; an unknown use is abuse.
func useNumber(use Word) int {
	for i := range useFallbacks {
		if useFallbacks[i][0] == use {
			return i
		}
	}
	return 0
}

func newEntry(t Team, policy Policy) *entry {
	e := &entry{team: &t, names: foldedNames(&t)}
	n := min(len(t.Contacts), 1<<16-1)
	e.evidence, e.moments = make([][]Evidence, n), make([][]moment, n)
	for i := range n {
		e.evidence[i] = evidenceFor(&t.Contacts[i], t.Evidence)
		e.moments[i] = momentsOf(&t.Contacts[i], e.evidence[i], policy)
	}
	for i := range t.Designations {
		e.inForce = append(e.inForce, daysOf(&t.Designations[i]))
	}
	e.order(n)
	e.lean(n)
	return e
}

// lean finds the verdicts that the first n contacts, and the domains, lean on.
func (e *entry) lean(n int) {
	t := e.team
	if len(t.Checks) == 0 {
		return
	}
	v := &entryVerdicts{make([]*CheckSummary, n), make([]*CheckSummary, len(t.Resources))}
	for i := range n {
		v.contacts[i] = t.verdictsOn(&t.Contacts[i])
	}
	for i := range t.Resources {
		if t.Resources[i].Type == "domain" {
			v.resources[i] = t.verdictsOf(t.Resources[i].Domain)
		}
	}
	e.verdicts = v
}

// on sums up the verdicts that an answer with this contact leans on.
func (e *entry) on(c *Contact) *CheckSummary {
	if e.verdicts == nil || c == nil {
		return nil
	}
	for i := range e.verdicts.contacts {
		if &e.team.Contacts[i] == c {
			return e.verdicts.contacts[i]
		}
	}
	return nil
}

// order sorts the first n contacts for each use.
func (e *entry) order(n int) {
	t := e.team
	all := make([]preferred, 0, uses*n)
	for u := range uses {
		from := len(all)
		for i := range n {
			all = append(all, preferred{uint16(i), tierOf(&t.Contacts[i], u)})
		}
		e.orders[u] = all[from:len(all):len(all)]
		slices.SortStableFunc(e.orders[u], func(a, b preferred) int {
			x, y := &t.Contacts[a.contact], &t.Contacts[b.contact]
			return cmp.Or(cmp.Compare(a.tier, b.tier), cmp.Compare(channelRank(x, u), channelRank(y, u)), cmp.Compare(x.Order, y.Order))
		})
	}
}

// evidenceFor returns the items about c as it is now; when all of a team's
// items are, it returns the list itself.
func evidenceFor(c *Contact, items []Evidence) []Evidence {
	about := func(e Evidence) bool { return e.Contact == c.ID && e.Revision == c.Revision }
	n := 0
	for i := range items {
		if about(items[i]) {
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case len(items):
		return items
	}
	list := make([]Evidence, 0, n)
	for i := range items {
		if about(items[i]) {
			list = append(list, items[i])
		}
	}
	return list
}

func tierOf(c *Contact, use int) uint8 {
	for i, w := range useFallbacks[use] {
		if c.Serves(w) {
			return uint8(i)
		}
	}
	return uses
}

// channelRank puts mail first, since it can be sent by a program and leaves a
// trace; in an emergency the phone, since somebody picks it up.
func channelRank(c *Contact, use int) int {
	order := [...]Word{"email", "phone", "url", "chat"}
	if useFallbacks[use][0] == "emergency" {
		order = [...]Word{"phone", "email", "chat", "url"}
	}
	for i, w := range order {
		if c.Channel == w {
			return i
		}
	}
	return len(order)
}

// operates reports whether the team answers for what it is responsible for.
func (e *entry) operates() bool { return e.team.Status != "inactive" }

// choice is a team's contact for one question.
type choice struct {
	contact  *Contact // nil: none that can be seen
	standing Standing
	failed   *Contact // one that would be better, if it worked
	was      Standing // of failed
	withheld bool     // one that would be better, if it could be seen
}

// choose picks the contact for what is asked: the one for the asked use, then
// those that stand in; within that one that names the incident class before
// one that takes all (and, when no class is asked for, the other way round);
// then mail before phone, then the team's own order.
//
// A contact whose proof failed comes after every working one of its team, and
// is still returned so that it can be shown, marked, beside it. A disputed one
// keeps its place: a dispute is somebody's word, not a conclusion.
func (e *entry) choose(c *climb) choice {
	const none = ^uint(0)
	best, failed, hidden := none, none, none
	var ch choice
	for at, p := range e.orders[c.use] {
		contact := &e.team.Contacts[p.contact]
		class, ok := classRank(contact, c.ask.Class)
		key := (uint(p.tier)<<1|class)<<32 | uint(at)
		if !ok || key > best {
			continue
		}
		if !c.ask.Viewer.Sees(contact.Visibility, e.team) {
			hidden = min(hidden, key)
			continue
		}
		standing := Assess(*contact, e.evidence[p.contact], c.x.options.Policy, c.ask.Now)
		switch {
		case standing.State != Failed:
			best, ch.contact, ch.standing = key, contact, standing
		case key < failed:
			failed, ch.failed, ch.was = key, contact, standing
		}
	}
	if failed > best {
		ch.failed = nil
	}
	if ch.contact == nil {
		best, ch.contact, ch.standing, ch.failed = failed, ch.failed, ch.was, nil
	}
	ch.withheld = hidden < best
	return ch
}

func classRank(c *Contact, asked Word) (rank uint, ok bool) {
	switch {
	case len(c.Classes) == 0:
		if asked == "" {
			return 0, true
		}
		return 1, true
	case asked == "":
		return 1, true
	}
	return 0, slices.Contains(c.Classes, asked)
}

// holder is a team in one of the lists that the maps of the index hold. The
// lists are sorted by handle and never changed.
type holder struct {
	*entry
	item uint32 // index of the resource, contact, key or designation that put it there
}

// dayRange is from when to when a designation is in force, in numbers, so
// that asking needs no text.
type dayRange struct{ since, until int32 }

func dayNumber(t time.Time) int32 {
	s := t.Unix()
	if s < 0 {
		s -= 86399
	}
	return int32(s / 86400)
}

func daysOf(d *Designation) dayRange {
	r := dayRange{math.MinInt32, math.MaxInt32}
	if t := d.Since.Time(); !t.IsZero() {
		r.since = dayNumber(t)
	}
	if t := d.Until.Time(); !t.IsZero() {
		r.until = dayNumber(t)
	}
	return r
}

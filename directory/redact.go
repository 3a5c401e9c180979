package directory

import "slices"

// Sees reports whether p may see an item of t that carries label. It is the
// only place that knows what the labels mean here; [Redact] and
// [Index.Lookup] both ask it. It does not allocate.
func (p *Principal) Sees(label TLP, t *Team) bool {
	rank := label.rank()
	switch {
	case rank == 0:
		return true
	case !p.may(ScopeRead), p.AtMost != "" && rank > p.AtMost.rank():
		return false
	case p.Role == Operator:
		return true
	case p.Team != "" && p.Team == t.ID:
		return true
	case rank == Green.rank():
		return p.SignedIn()
	case rank == Amber.rank():
		return t.inForum(p.Forum) || slices.ContainsFunc(p.Forums, t.inForum)
	case rank == AmberStrict.rank():
		return p.Role == Secretariat && t.inForum(p.Forum)
	}
	return false
}

// reach returns the labels that p sees of every team, and those that it sees
// of some team: a bit each, by rank. It asks [Principal.Sees] about a team
// that p has nothing to do with, and about one that is as near to p as any.
func (p *Principal) reach() (always, ever uint8) {
	stranger, own := Team{ID: p.Team + "-"}, Team{ID: p.Team}
	for _, f := range append([]string{p.Forum}, p.Forums...) {
		own.Memberships = append(own.Memberships, Membership{Forum: f})
	}
	for rank, label := range labels {
		if p.Sees(label, &stranger) {
			always |= 1 << rank
		}
		if p.Sees(label, &own) {
			ever |= 1 << rank
		}
	}
	return always, ever
}

// inForum reports whether the team is a present member of forum.
func (t *Team) inForum(forum string) bool {
	if forum == "" {
		return false
	}
	for i := range t.Memberships {
		if m := &t.Memberships[i]; m.Forum == forum && m.current() {
			return true
		}
	}
	return false
}

func (m *Membership) current() bool {
	switch m.Status {
	case "ended", "suspended", "candidate":
		return false
	}
	return m.Until == ""
}

// Forums returns the handles of the forums the team is a present member of.
func (t *Team) Forums() []string {
	var forums []string
	for i := range t.Memberships {
		if m := &t.Memberships[i]; m.current() {
			forums = append(forums, m.Forum)
		}
	}
	return forums
}

// Redact returns a copy of t without what p may not see, and names in
// Withheld the lists that lost something. Every way out of the directory
// passes through it. The lists of the copy are new where anything was taken
// out and shared with t where nothing was.
func Redact(t *Team, p Principal) Team {
	out := *t
	out.Withheld = nil
	out.Contacts = redactList(&out, "contacts", t.Contacts, func(c *Contact) bool { return p.Sees(c.Visibility, t) })
	out.Keys = redactList(&out, "keys", t.Keys, func(k *TeamKey) bool { return p.Sees(k.Visibility, t) })
	out.Resources = redactList(&out, "resources", t.Resources, func(r *Resource) bool { return p.Sees(r.Visibility, t) })
	out.Prose = redactList(&out, "prose", t.Prose, func(s *Section) bool { return p.Sees(s.Visibility, t) })
	out.Raw = redactList(&out, "raw", t.Raw, func(r *Raw) bool { return p.Sees(r.Visibility, t) })
	label := t.Maturity.Visibility
	if label == "" {
		label = Red
	}
	if !t.Maturity.IsZero() && !p.Sees(label, t) {
		out.Maturity = Maturity{}
		out.Withheld = append(out.Withheld, "maturity")
	}
	out.Evidence = redactEvidence(&out, t.Evidence, p)
	out.Controls = redactControls(&out, t.Controls)
	if len(t.Successions)+len(t.FormerKeys) > 0 {
		redactSuccessions(&out, t, p)
	}
	if out.Withheld != nil {
		out.Checks = out.onlyOf(t.Checks)
	}
	return out
}

func redactList[T any](out *Team, name string, list []T, sees func(*T) bool) []T {
	for i := range list {
		if sees(&list[i]) {
			continue
		}
		out.Withheld = append(out.Withheld, name)
		kept := slices.Clone(list[:i])
		for j := i + 1; j < len(list); j++ {
			if sees(&list[j]) {
				kept = append(kept, list[j])
			}
		}
		return kept
	}
	return list
}

// redactEvidence drops items about contacts that were taken out, and, for
// everyone but the team and the operator, the notes, in which people write
// what they were told on the phone.
func redactEvidence(out *Team, list []Evidence, p Principal) []Evidence {
	insider := p.Sees(Red, out)
	kept := make([]Evidence, 0, len(list))
	for _, e := range list {
		if !slices.ContainsFunc(out.Contacts, func(c Contact) bool { return c.ID == e.Contact }) {
			continue
		}
		if !insider {
			e.Note = ""
		}
		kept = append(kept, e)
	}
	return kept
}

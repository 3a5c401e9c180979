package directory

import "math"

// holders takes in the teams that one step found: it traces them and adds
// their contacts. It reports false, and leaves no trace, when the viewer can't
// be told of any of them.
func (c *climb) holders(r Rung, subject, found Subject, list []holder) bool {
	step := Step{Rung: r, Subject: subject, Found: found, Result: StepNone}
	inactive, ranked := 0, true
	var gone *Team
	for i := range list {
		if !c.admits(r, list, i) {
			continue
		}
		if !c.answers(r, &list[i]) {
			inactive++
			gone = list[i].team
			continue
		}
		step.Team = list[i].team
		step.Count++
		ranked = ranked && c.numbered(r, list, i)
	}
	if step.Count+inactive == 0 {
		return false
	}
	if step.Count == 0 {
		step.Result, step.Count, step.Team = StepInactive, inactive, gone
	} else {
		step.Result = c.tiers(r, found, list, ranked)
	}
	if step.Count > 1 {
		step.Team = nil
	}
	c.trace(step)
	return true
}

// admits reports whether the viewer may know that the i-th team is in list,
// and whether its designation is in force. A team that is in the list more
// than once counts once.
func (c *climb) admits(r Rung, list []holder, i int) bool {
	if !c.visible(r, &list[i]) {
		return false
	}
	for j := i - 1; j >= 0 && list[j].entry == list[i].entry; j-- {
		if c.visible(r, &list[j]) {
			return false
		}
	}
	return true
}

func (c *climb) visible(r Rung, h *holder) bool {
	t := h.team
	switch r {
	case RungPrefix, RungASN, RungDomain, RungCountry:
		return c.ask.Viewer.Sees(t.Resources[h.item].Visibility, t)
	case RungMailbox:
		return c.ask.Viewer.Sees(t.Contacts[h.item].Visibility, t)
	case RungFingerprint:
		return c.ask.Viewer.Sees(t.Keys[h.item].Visibility, t)
	case RungNational:
		d := h.inForce[h.item]
		return d.since <= c.today && c.today <= d.until
	}
	return true
}

// answers reports whether the team is to be asked. Whose a key, a mailbox or a
// name is can be said of a team that no longer operates; it is responsible for
// nothing.
func (c *climb) answers(r Rung, h *holder) bool {
	switch r {
	case RungFingerprint, RungMailbox, RungTeam:
		return true
	}
	return h.operates()
}

// numbered reports whether the government gave the i-th team a number of its
// own. Unless it did so for all of them, none decides: 0 is not said.
func (c *climb) numbered(r Rung, list []holder, i int) bool {
	return r == RungNational && list[i].team.Designations[list[i].item].Preference > 0
}

// tier is the order among the teams that one step found: those of one tier
// are undecided.
func (c *climb) tier(r Rung, h *holder, ranked bool) int {
	switch r {
	case RungPrefix, RungASN, RungDomain, RungCountry:
		switch h.team.Resources[h.item].Claim {
		case "confirmed":
			return 0
		case "disputed":
			return 2
		}
		return 1
	case RungFingerprint: // a key that has to be proven first, here and not elsewhere
		switch h.team.Keys[h.item].Continuity {
		case ContinuityUnproven:
			return 1
		case ContinuityRefused:
			return 2
		}
	case RungNational:
		if ranked {
			return h.team.Designations[h.item].Preference
		}
	}
	return 0
}

// tiers adds the contacts of the teams, tier by tier, and says what came of
// the first tier that had any.
func (c *climb) tiers(r Rung, found Subject, list []holder, ranked bool) StepResult {
	if len(list) == 1 {
		return c.oneTier(r, found, list, ranked, c.tier(r, &list[0], ranked))
	}
	result := StepNoContact
	for low := math.MinInt; ; {
		next := math.MaxInt
		for i := range list {
			if t := c.tier(r, &list[i], ranked); t > low && t < next && c.admits(r, list, i) && c.answers(r, &list[i]) {
				next = t
			}
		}
		if next == math.MaxInt {
			return result
		}
		low = next
		if got := c.oneTier(r, found, list, ranked, low); result == StepNoContact || result == StepWithheld && got != StepNoContact {
			result = got
		}
	}
}

// oneTier adds the contacts of the teams of one tier: the working ones in one
// rank, then, in the next, those that would be better if they worked.
func (c *climb) oneTier(r Rung, found Subject, list []holder, ranked bool, tier int) StepResult {
	rank, teams, hidden, failed := c.rank, 0, false, false
	for i := range list {
		h := &list[i]
		if c.tier(r, h, ranked) != tier || !c.admits(r, list, i) || !c.answers(r, h) {
			continue
		}
		ch := c.chosen(r, h)
		if ch.contact == nil && !ch.withheld && !c.identifies(r) {
			continue
		}
		hidden = hidden || ch.contact == nil && ch.withheld
		if ch.contact != nil {
			teams++
		}
		failed = failed || ch.failed != nil
		c.add(r, found, h, ch, rank+1)
	}
	if failed {
		c.failing(r, found, list, ranked, tier)
	}
	switch {
	case teams > 1:
		return StepAmbiguous
	case teams == 1:
		return StepMatch
	case hidden:
		return StepWithheld
	}
	return StepNoContact
}

// identifies reports whether the question is which team it is, and not only
// how to reach it: then a team without contact is an answer.
func (c *climb) identifies(r Rung) bool {
	return r == RungFingerprint || r == RungTeam && c.a.Query.Kind == KindTeam
}

// failing adds the contacts that would have been chosen if they worked.
func (c *climb) failing(r Rung, found Subject, list []holder, ranked bool, tier int) {
	rank := c.rank
	for i := range list {
		h := &list[i]
		if c.tier(r, h, ranked) != tier || !c.admits(r, list, i) || !c.answers(r, h) {
			continue
		}
		if ch := c.chosen(r, h); ch.failed != nil {
			c.add(r, found, h, choice{contact: ch.failed, standing: ch.was}, rank+1)
		}
	}
}

// chosen picks the contact of a team that was found. Who asks for a mailbox
// means that mailbox, whatever it is for, unless it is known not to work.
func (c *climb) chosen(r Rung, h *holder) choice {
	if r != RungMailbox {
		return h.choose(c)
	}
	asked := &h.team.Contacts[h.item]
	standing := Assess(*asked, h.evidence[h.item], c.x.options.Policy, c.ask.Now)
	if standing.State == Failed {
		if ch := h.choose(c); ch.contact != nil && ch.contact != asked {
			ch.failed, ch.was = asked, standing
			return ch
		}
	}
	return choice{contact: asked, standing: standing}
}

// add appends a candidate, unless the same team was named with the same
// contact before: the more specific reason is the one to show.
func (c *climb) add(r Rung, found Subject, h *holder, ch choice, rank int) {
	for i := range c.a.Candidates {
		if k := &c.a.Candidates[i]; k.Team == h.team && k.Contact == ch.contact {
			return
		}
	}
	k := Candidate{
		Team: h.team, Contact: ch.contact, Withheld: ch.withheld, Standing: ch.standing,
		Rung: r, MatchedOn: found, Rank: rank, Holder: h.team.Host, Checks: h.on(ch.contact),
	}
	switch r {
	case RungPrefix, RungASN, RungDomain, RungCountry:
		res := &h.team.Resources[h.item]
		k.Claim = res.Claim
		if res.Holder != "" {
			k.Holder = res.Holder
		}
		if h.verdicts != nil && r == RungDomain && (ch.contact == nil || string(res.Domain) != ch.contact.host()) {
			k.OnMatch = h.verdicts.resources[h.item]
		}
	case RungFingerprint:
		k.Continuity = h.team.Keys[h.item].Continuity
	case RungNational:
		k.Designation = &h.team.Designations[h.item]
	}
	c.a.Candidates = append(c.a.Candidates, k)
	c.rank = rank
}

// nearCandidate adds a team whose name only looks like the one asked for.
func (c *climb) nearCandidate(h holder, name string) {
	for i := range c.a.Candidates {
		if c.a.Candidates[i].Team == h.team {
			return
		}
	}
	ch := h.choose(c)
	c.add(RungTeam, Subject{Text: name}, &h, ch, c.rank)
	c.a.Candidates[len(c.a.Candidates)-1].Near = true
}

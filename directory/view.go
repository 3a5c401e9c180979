package directory

import (
	"slices"
	"strconv"
	"strings"
)

// View names all that decides what p sees: two principals with equal views see
// the same of every team, as [Principal.Sees] has it. A copy that somebody
// keeps of what they saw is worth nothing to them once their view is another
// one: a team that leaves a forum loses sight of teams that did not change.
func (p *Principal) View() string {
	switch {
	case !p.may(ScopeRead), !p.SignedIn() && p.Team == "" && p.Forum == "" && len(p.Forums) == 0:
		return "public"
	case p.Role == Operator:
		return "all"
	}
	// A forum that is kept is among p.Forums too, but shows more.
	kept := ""
	if p.Role == Secretariat {
		kept = p.Forum
	}
	forums := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(p.Forums), p.Forum))))
	return strings.Join([]string{"signed:" + strconv.FormatBool(p.SignedIn()), "team:" + string(p.Team), "keeps:" + kept, "in:" + strings.Join(forums, ",")}, " ")
}

package directory

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// MatchQuery selects proposals. The zero value selects the first page of all
// that are worth a look.
type MatchQuery struct {
	Team     string  // handle or id of one of the two; "": any
	Source   string  // a source that knows one of the two, "team" for what people entered; "": any
	MinScore float64 // 0: 0.3
	After    string  // the Next of the page before
	Limit    int     // 0: 20
}

// MatchPage is a page of proposals.
type MatchPage struct {
	Matches []Match
	Next    string // "" on the last page
	Total   int    // that the query selects, on all pages
	Seq     int64  // of the picture that the proposals are about
}

// usualScore is the least score that is worth a person's look.
const usualScore = 0.3

// Matches returns which teams may be one, best first, as the directory is now:
// proposals are not stored, so they are never stale. Pairs that were decided
// to be different are left out, until they have something new in common. A
// secretariat gets proposals about members of its forum, for which nothing
// counts that it may not see.
func (d *Directory) Matches(ctx context.Context, p Principal, x *Index, q MatchQuery) (MatchPage, error) {
	if err := authorise(p, actMatches, nil); err != nil {
		return MatchPage{}, err
	}
	if x == nil {
		return MatchPage{}, &Error{Kind: Unavailable, Op: string(actMatches)}
	}
	after, err := parseMatchCursor(q.After)
	if err != nil {
		return MatchPage{}, err
	}
	var team *Team
	if q.Team != "" {
		if team = x.byRef(q.Team); team == nil {
			return MatchPage{}, noTeam(q.Team)
		}
	}
	decided, err := d.decisions(ctx, x)
	if err != nil {
		return MatchPage{}, err
	}
	page := MatchPage{Seq: x.seq}
	limit, least := q.Limit, q.MinScore
	if limit <= 0 {
		limit = 20
	}
	if least <= 0 {
		least = usualScore
	}
	for _, m := range d.matches.of(x, p) {
		if m.Score < least || !q.takes(&m, team) || p.Role == Secretariat && !m.A.inForum(p.Forum) && !m.B.inForum(p.Forum) || !decided.open(&m, p) {
			continue
		}
		page.Total++
		switch {
		case after != nil && after.compare(&m) >= 0:
		case len(page.Matches) == limit:
			page.Next = page.Matches[limit-1].cursor()
		default:
			page.Matches = append(page.Matches, m)
		}
	}
	return page, nil
}

func (q *MatchQuery) takes(m *Match, team *Team) bool {
	if team != nil && m.A.ID != team.ID && m.B.ID != team.ID {
		return false
	}
	knows := func(t *Team) bool {
		return slices.ContainsFunc(t.Sources, func(s TeamSource) bool { return s.Source == q.Source })
	}
	return q.Source == "" || knows(m.A) || knows(m.B)
}

// byRef returns a live team by handle or id, or nil.
func (x *Index) byRef(ref string) *Team {
	var t *Team
	if id, err := ParseTeamID(ref); err == nil {
		t, _ = x.Team(id)
	} else {
		t, _ = x.ByHandle(Handle(strings.ToLower(ref)))
	}
	return t
}

// cursor names the place of a match in the list, which it keeps while others
// come and go.
func (m *Match) cursor() string {
	return strconv.Itoa(int(100*m.Score+0.5)) + "." + string(m.A.ID) + "." + string(m.B.ID)
}

func parseMatchCursor(s string) (*Match, error) {
	if s == "" {
		return nil, nil
	}
	parts := strings.Split(s, ".")
	if len(parts) == 3 {
		n, bad := strconv.ParseUint(parts[0], 10, 7)
		a, badA := ParseTeamID(parts[1])
		b, badB := ParseTeamID(parts[2])
		if bad == nil && badA == nil && badB == nil {
			return &Match{A: &Team{ID: a}, B: &Team{ID: b}, Score: float64(n) / 100}, nil
		}
	}
	return nil, &Error{Kind: Invalid, Op: string(actMatches), Problems: []Problem{
		problem("match.cursor", s, "not the next of a page before", "next as it was given").At("/after")}}
}

// matchCache keeps the matches of the newest index: finding them again for
// each page would cost as much as for all.
type matchCache struct {
	mu    sync.Mutex
	index *Index
	lists map[string][]Match // by who looks
}

// mostViews is how many different views are kept.
const mostViews = 8

// of returns the matches of an index as p sees its teams. Whoever comes while
// they are sought waits for them.
func (c *matchCache) of(x *Index, p Principal) []Match {
	view := string(p.Role) + " " + p.Forum
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.index != x || len(c.lists) >= mostViews {
		c.index, c.lists = x, map[string][]Match{}
	}
	if list, ok := c.lists[view]; ok {
		return list
	}
	teams := make([]*Team, 0, x.teams.size)
	for t := range x.Teams() {
		if p.Role != Operator {
			shown := Redact(t, p)
			t = &shown
		}
		teams = append(teams, t)
	}
	c.lists[view] = FindMatches(teams)
	return c.lists[view]
}

// decidedPairs are the decisions by the teams that they are about now.
type decidedPairs map[[2]TeamID]*MatchDecision

func (d *Directory) decisions(ctx context.Context, x *Index) (decidedPairs, error) {
	var list []MatchDecision
	err := d.cfg.Store.View(ctx, func(tx Reader) (err error) {
		list, err = tx.Decisions("")
		return err
	})
	return pairsOf(list, func(id TeamID) TeamID {
		if e := x.resolve(id); e != nil {
			return e.team.ID
		}
		return id
	}), err
}

// pairsOf indexes decisions. What was decided about a team that became part of
// another holds for that one.
func pairsOf(list []MatchDecision, now func(TeamID) TeamID) decidedPairs {
	pairs := decidedPairs{}
	for i := range list {
		a, b := now(list[i].A), now(list[i].B)
		pairs[[2]TeamID{min(a, b), max(a, b)}] = &list[i]
	}
	return pairs
}

// open reports whether a match is still to be decided. Where it was decided,
// and something new came up, m gets the decision; only operators see it.
func (pairs decidedPairs) open(m *Match, p Principal) bool {
	d := pairs[[2]TeamID{min(m.A.ID, m.B.ID), max(m.A.ID, m.B.ID)}]
	if d == nil {
		return true
	}
	if d.reopened(sharedFacts(m.A, m.B)) == "" {
		return false
	}
	if p.Role == Operator {
		m.Decision = d
	}
	return true
}

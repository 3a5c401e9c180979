package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// Match says that two teams may be one.
type Match struct {
	Keep      MatchTeam      `json:"keep" doc:"The one that had better stay: that which people entered, else that which more sources know, else the older"`
	Other     MatchTeam      `json:"other" doc:"The one that would become part of it"`
	Score     float64        `json:"score" minimum:"0" maximum:"1" doc:"How likely it is that the two are one" example:"0.88"`
	Exactness string         `json:"exactness" enum:"identity,contact,near" doc:"How alike they are at best: the same UUID or key, the same address, number or name, or less" example:"contact"`
	Reasons   []MatchReason  `json:"reasons" doc:"What speaks for it and what against it"`
	Decision  *MatchDecision `json:"decision,omitzero" doc:"What was decided before the two had something new in common"`
}

// MatchTeam is one of two teams that may be one.
type MatchTeam struct {
	ID       string   `json:"id" format:"uuid" doc:"Id of the team" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle   string   `json:"handle" doc:"Unique short name" example:"example-csirt"`
	Name     string   `json:"name" doc:"Name to show" example:"EXAMPLE-CSIRT"`
	Country  string   `json:"country,omitzero" doc:"ISO 3166-1 alpha-2 code" example:"AT"`
	Revision int64    `json:"revision" doc:"The revision that was compared, for a verdict" example:"7"`
	Sources  []string `json:"sources" doc:"Who says something about the team; team is what people entered here" example:"[\"first\"]"`
}

// MatchReason is one fact for or against.
type MatchReason struct {
	Kind   string  `json:"kind" enum:"uuid,key,mailbox,phone,network,domain,name,near-name,initials,country,role,own-entries,source,uuids" doc:"What the two have in common, or, from country on, in what they differ" example:"mailbox"`
	Value  string  `json:"value,omitzero" doc:"The thing itself" example:"csirt@example.org"`
	Weight float64 `json:"weight" minimum:"-1" maximum:"1" doc:"How much it counts; below 0 it speaks against" example:"0.75"`
}

// MatchDecision says that two teams were decided to be different.
type MatchDecision struct {
	Reason string    `json:"reason,omitzero" doc:"Why, in words" example:"two teams of one host"`
	By     string    `json:"by" doc:"Who decided" example:"token:rct_4f2a9c1b"`
	At     time.Time `json:"at" format:"date-time" doc:"When"`
	Facts  []string  `json:"facts" doc:"What the two had in common then" example:"[\"domain example.org\"]"`
}

// MatchPage is a page of matches.
type MatchPage struct {
	Matches []Match `json:"matches" doc:"The likeliest first"`
	Next    string  `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"88.5694da62-6314-4565-9c4d-1298538826be.6694da62-6314-4565-9c4d-1298538826be"`
	Total   int     `json:"total" doc:"How many there are on all pages" example:"1"`
	Seq     int64   `json:"seq" doc:"Number of the last change that was taken into account" example:"812"`
}

// MatchSide names one team of a verdict.
type MatchSide struct {
	Team     string `json:"team" doc:"Handle or id of the team" example:"example-csirt"`
	Revision int64  `json:"revision" minimum:"1" doc:"The revision that was looked at; if the team has moved on, nothing is written" example:"7"`
}

// MatchVerdict is the body of a request that decides about two teams.
type MatchVerdict struct {
	Verdict string    `json:"verdict" enum:"same,different,open" doc:"same: other becomes part of keep; different: they are proposed no more; open: what was decided no longer holds" example:"same"`
	Keep    MatchSide `json:"keep" doc:"The team that stays"`
	Other   MatchSide `json:"other" doc:"The other one"`
	Reason  string    `json:"reason,omitzero" maxLength:"500" doc:"Why, in words, for those who come after" example:"both are the team of Example University"`
}

// MatchDecided is what came of a verdict.
type MatchDecided struct {
	Verdict   string          `json:"verdict" enum:"same,different,open" doc:"The verdict" example:"same"`
	Team      format.Team     `json:"team" doc:"The team that stays, as it is now"`
	Conflicts []MatchConflict `json:"conflicts,omitzero" doc:"What people had entered in both, each in its own way"`
}

// MatchConflict is a field that two merged teams had entered differently.
type MatchConflict struct {
	Field  string `json:"field" doc:"Name of the field" example:"host"`
	Shown  string `json:"shown" doc:"What the team that stays entered, and what is shown" example:"Example University"`
	Hidden string `json:"hidden" doc:"What the other one had entered; it is kept below" example:"Example College"`
}

// UnmergedTeams is what undoing a merge made of one team.
type UnmergedTeams struct {
	Team format.Team `json:"team" doc:"The team that is on its own again"`
	From format.Team `json:"from" doc:"The team that it was part of"`
}

type (
	matchesInput struct {
		Team     string  `query:"team" maxLength:"64" doc:"Only matches of the team with this handle or id" example:"example-csirt"`
		Source   string  `query:"source" maxLength:"64" doc:"Only where this source knows one of the two; team is what people entered" example:"first"`
		MinScore float64 `query:"min_score" minimum:"0.2" maximum:"1" default:"0.3" doc:"Only matches at least as likely" example:"0.5"`
		After    string  `query:"after" maxLength:"80" doc:"The next of the page before" example:"88.5694da62-6314-4565-9c4d-1298538826be.6694da62-6314-4565-9c4d-1298538826be"`
		Limit    int     `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Matches on a page" example:"20"`
	}
	matchesOutput struct {
		Link string `header:"Link" doc:"The next page as rel=next (RFC 8288)"`
		Body MatchPage
	}
	decidedOutput struct {
		ETag string `header:"ETag" doc:"The revision of the team that stays, for If-Match"`
		Body MatchDecided
	}
	unmergedOutput struct {
		ETag string `header:"ETag" doc:"The revision of the team that is on its own again, for If-Match"`
		Body UnmergedTeams
	}
)

func (s *Server) registerMatches() {
	register(s, spec{id: "list-matches", method: http.MethodGet, path: "/v1/matches", tag: "teams", access: token,
		summary: "List teams that may be one",
		more: "Compared as they are now: matches are not stored. Pairs that were decided to be different are left out until they have something new in common. " +
			"For operators; a secretariat gets matches of members of its forum, for which nothing counts that it may not see.",
		errors: []int{notFound}, answer: exampleMatches()}, s.listMatches)
	register(s, spec{id: "decide-match", method: http.MethodPost, path: "/v1/matches/decide", tag: "teams", access: token,
		summary: "Decide about two teams",
		more: "Both teams must be at the revision that the verdict names: of two people who decide at once one wins, and the other gets a 412 or 409. " +
			"A merge keeps what every source says; see unmerge-team. For operators.",
		errors: []int{notFound, conflict, stale, conditionOff}, body: exampleVerdict(), answer: MatchDecided{Verdict: "same", Team: exampleTeam()}}, s.decideMatch)
	register(s, spec{id: "unmerge-team", method: http.MethodPost, path: "/v1/teams/{id}/unmerge", tag: "teams", access: token,
		summary: "Undo a merge",
		more: "The team of the path, which became part of another, is on its own again as it was before; If-Match is about the team that it is part of. " +
			"What was edited since stays with that team; what sources imported since goes back with their layers. The two are decided to be different. " +
			"A merge that can't be undone is a 409 that says why. For operators.",
		errors: []int{badRequest, notFound, conflict, stale, conditionOff}, answer: UnmergedTeams{Team: exampleTeam(), From: exampleTeam()}}, s.unmergeTeam)
}

func exampleMatches() MatchPage {
	keep := MatchTeam{ID: exampleTeamID, Handle: "example-csirt", Name: "EXAMPLE-CSIRT", Country: "AT", Revision: 7, Sources: []string{"team", "first"}}
	other := MatchTeam{ID: "6694da62-6314-4565-9c4d-1298538826be", Handle: "example-cert", Name: "Example CERT", Country: "AT", Revision: 3, Sources: []string{"ti"}}
	return MatchPage{Seq: 812, Total: 1, Matches: []Match{{Keep: keep, Other: other, Score: 0.75, Exactness: "contact",
		Reasons: []MatchReason{{Kind: "mailbox", Value: "csirt@example.org", Weight: 0.75}}}}}
}

func exampleVerdict() MatchVerdict {
	return MatchVerdict{Verdict: "same", Keep: MatchSide{Team: "example-csirt", Revision: 7}, Other: MatchSide{Team: "example-cert", Revision: 3}}
}

func (s *Server) listMatches(ctx context.Context, in *matchesInput) (*matchesOutput, error) {
	q := directory.MatchQuery{Team: in.Team, Source: in.Source, MinScore: in.MinScore, After: in.After, Limit: in.Limit}
	page, err := s.cfg.Directory.Matches(ctx, callFrom(ctx).viewer, s.cfg.Index(), q)
	switch p := directory.ProblemsOf(err); {
	case directory.KindOf(err) == directory.NotFound:
		return nil, inParameter("team", err)
	case len(p) == 1 && p[0].Field == "/after":
		return nil, inParameter("after", err)
	case err != nil:
		return nil, err
	}
	out := &matchesOutput{Body: MatchPage{Matches: make([]Match, len(page.Matches)), Next: page.Next, Total: page.Total, Seq: page.Seq}}
	for i := range page.Matches {
		out.Body.Matches[i] = MatchFrom(&page.Matches[i])
	}
	if page.Next != "" {
		next := url.Values{"after": {page.Next}, "limit": {strconv.Itoa(in.Limit)}, "min_score": {fmt.Sprint(in.MinScore)}}
		if in.Team != "" {
			next.Set("team", in.Team)
		}
		if in.Source != "" {
			next.Set("source", in.Source)
		}
		out.Link = "</v1/matches?" + next.Encode() + `>; rel="next"`
	}
	return out, nil
}

// MatchFrom puts a match into its shape on the wire.
func MatchFrom(m *directory.Match) Match {
	keep, other := m.Keep()
	out := Match{Keep: matchTeam(keep), Other: matchTeam(other), Score: m.Score, Exactness: string(m.Exactness), Reasons: []MatchReason{}}
	for _, r := range m.Reasons {
		out.Reasons = append(out.Reasons, MatchReason{Kind: r.Kind, Value: r.Value, Weight: r.Weight})
	}
	if d := m.Decision; d != nil {
		out.Decision = &MatchDecision{Reason: d.Reason, By: d.By, At: d.At.UTC(), Facts: d.Facts}
	}
	return out
}

func matchTeam(t *directory.Team) MatchTeam {
	out := MatchTeam{ID: string(t.ID), Handle: string(t.Handle), Name: t.Name(), Country: string(t.Country), Revision: t.Revision, Sources: []string{}}
	for _, s := range t.Sources {
		out.Sources = append(out.Sources, s.Source)
	}
	return out
}

func (s *Server) decideMatch(ctx context.Context, _ *struct{}) (*decidedOutput, error) {
	c := callFrom(ctx)
	var in MatchVerdict
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := invalid("decide match", in.problems()); err != nil {
		return nil, err
	}
	d, err := s.cfg.Directory.Decide(ctx, c.viewer, directory.MatchVerdict{
		Verdict: directory.Verdict(in.Verdict), Keep: directory.MatchSide(in.Keep), Other: directory.MatchSide(in.Other), Reason: in.Reason,
	})
	if err != nil {
		return nil, err
	}
	out := &decidedOutput{ETag: etag(d.Keep.Revision), Body: MatchDecided{Verdict: in.Verdict, Team: format.TeamFrom(&d.Keep, s.cfg.Policy, s.cfg.Now())}}
	for _, x := range d.Conflicts {
		out.Body.Conflicts = append(out.Body.Conflicts, MatchConflict{Field: x.Field, Shown: x.After, Hidden: x.Before})
	}
	return out, nil
}

// problems are of what only a body can get wrong: the domain takes a revision
// below 0 for any.
func (v *MatchVerdict) problems() []directory.Problem {
	var bad []directory.Problem
	for i, n := range []int64{v.Keep.Revision, v.Other.Revision} {
		if n < 0 {
			pointer := []string{"/keep/revision", "/other/revision"}[i]
			bad = append(bad, directory.Problem{Code: "field.range", Field: pointer, Value: strconv.FormatInt(n, 10), Reason: "a revision below 1", Want: "the revision that was looked at"})
		}
	}
	return bad
}

func (s *Server) unmergeTeam(ctx context.Context, in *teamWriteInput) (*unmergedOutput, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	u, err := s.cfg.Directory.Unmerge(ctx, c.viewer, in.ID, revision)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	now := s.cfg.Now()
	return &unmergedOutput{ETag: etag(u.Team.Revision), Body: UnmergedTeams{
		Team: format.TeamFrom(&u.Team, s.cfg.Policy, now), From: format.TeamFrom(&u.From, s.cfg.Policy, now)}}, nil
}

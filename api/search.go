package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rollcall-csirt/rollcall/directory"
)

// SearchAnswer is a page of what a search found.
type SearchAnswer struct {
	Query string      `json:"query" doc:"The search as it was asked" example:"cert bund"`
	Total int         `json:"total" minimum:"0" doc:"Hits on all pages" example:"1"`
	Hits  []SearchHit `json:"hits" doc:"By exactness, then score, then handle"`
	Next  string      `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"Aj_wAAAAAAAAZXhhbXBsZS1jc2lydA"`
	Seq   int64       `json:"seq" doc:"The change that the directory had reached" example:"812"`
}

// SearchHit is one team that a search found.
type SearchHit struct {
	Team      TeamRef       `json:"team" doc:"The team"`
	Country   string        `json:"country,omitzero" doc:"ISO 3166-1 alpha-2 code, or EU or XK" example:"AT"`
	Host      string        `json:"host,omitzero" doc:"Host organisation" example:"Example University"`
	Exactness string        `json:"exactness" enum:"exact,prefix,words,near" doc:"exact: the search is a name or the handle; prefix: a name begins with it; words: all words are there; near: a name only looks like it, never to be taken without asking" example:"words"`
	Score     float64       `json:"score" minimum:"0" maximum:"1" doc:"How well the team fits; compares hits of one exactness" example:"0.925"`
	Matches   []SearchMatch `json:"matches" doc:"Where it was found, the most telling text first; four at most"`
}

// SearchMatch is a text in which something was found.
type SearchMatch struct {
	Field string  `json:"field" doc:"JSON pointer (RFC 6901) into the team as the viewer sees it" example:"/names/short"`
	Text  string  `json:"text" doc:"The text, or an excerpt of it, on one line" example:"EXAMPLE-CSIRT"`
	Marks [][]int `json:"marks" doc:"What was found in text: from which character to before which, counted in code points from 0; none where a name is only near"`
}

type (
	searchInput struct {
		Query   string `query:"q" required:"true" doc:"Words, of which all must be found, and phrases in quotation marks; a word finds those that begin with it. At most 300 characters and 16 words" example:"cert bund"`
		Country string `query:"country" maxLength:"64" doc:"Only teams of this country: ISO 3166-1 alpha-2, EU or XK" example:"AT"`
		Sector  string `query:"sector" enum:"energy,transport,banking,financial,health,drinking-water,waste-water,digital-infrastructure,ict-services,public-administration,space,courier,waste-management,chemical,food,manufacturing,digital-providers,research" doc:"Only teams with this NIS2 sector in their constituency" example:"energy"`
		Kind    string `query:"kind" enum:"csirt,psirt,soc,isac,coordination,national,national-responsibility,government,sector,nren,enterprise,commercial,publicly-funded,pirt,military" doc:"Only teams of this kind" example:"csirt"`
		Forum   string `query:"forum" maxLength:"64" doc:"Only present members of the forum with this handle" example:"first"`
		State   string `query:"state" enum:"verified,due,overdue,unverified,disputed,failed" doc:"Only teams with a contact whose proof is in this state" example:"verified"`
		Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Hits on a page" example:"20"`
		After   string `query:"after" maxLength:"128" doc:"The next of the page before" example:"Aj_wAAAAAAAAZXhhbXBsZS1jc2lydA"`
	}
	searchOutput struct {
		Link string `header:"Link" doc:"The next page as rel=next (RFC 8288)"`
		Body SearchAnswer
	}
)

func (s *Server) registerSearch() {
	register(s, spec{id: "search", method: http.MethodGet, path: "/v1/search", tag: "lookup", access: public,
		summary: "Search teams by words",
		more: "In handles, names, host organisations, constituency, domains and RFC 2350 prose, as far as the viewer may see them; accents and case are no matter. " +
			"A name counts more than the host organisation, that more than the constituency, and that more than prose. " +
			"Where no name fits, teams whose names look like the search follow as near: candidates, of which none is chosen.",
		answer: exampleSearch()}, s.search)
}

func exampleSearch() SearchAnswer {
	return SearchAnswer{Query: "example", Total: 1, Seq: 812, Hits: []SearchHit{{
		Team: TeamRef{ID: exampleTeamID, Handle: "example-csirt", Name: "EXAMPLE-CSIRT"}, Country: "AT", Host: "Example University", Exactness: "prefix", Score: 0.5384615384615384,
		Matches: []SearchMatch{{Field: "/handle", Text: "example-csirt", Marks: [][]int{{0, 7}}}},
	}}}
}

// ask reads the parameters.
func (in *searchInput) ask() (q directory.SearchQuery, a directory.SearchAsk, err error) {
	if q, err = directory.ParseSearch(in.Query); err != nil {
		return q, a, inParameter("q", err)
	}
	a.Limit = in.Limit
	a.Filter = directory.Filter{Sector: in.Sector, Kind: in.Kind, State: directory.State(in.State)}
	if in.Country != "" {
		if a.Filter.Country, err = directory.ParseCountry(in.Country); err != nil {
			return q, a, inParameter("country", err)
		}
	}
	if in.Forum != "" {
		h, err := directory.ParseHandle(in.Forum)
		if err != nil {
			return q, a, inParameter("forum", err)
		}
		a.Filter.Forum = string(h)
	}
	a.After, err = directory.ParseSearchCursor(in.After)
	return q, a, inParameter("after", err)
}

func (s *Server) search(ctx context.Context, in *searchInput) (*searchOutput, error) {
	q, ask, err := in.ask()
	if err != nil {
		return nil, err
	}
	ask.Viewer, ask.Now = callFrom(ctx).viewer, s.cfg.Now()
	r, err := s.cfg.Index().Search(q, ask)
	if err != nil {
		return nil, unavailable("search", err)
	}
	out := &searchOutput{Body: SearchAnswerFrom(q, r)}
	if r.Next != "" {
		out.Link = "</v1/search?" + in.next(r.Next).Encode() + `>; rel="next"`
	}
	return out, nil
}

// next returns the parameters of the next page.
func (in *searchInput) next(after string) url.Values {
	v := url.Values{"q": {in.Query}, "after": {after}}
	if in.Limit > 0 {
		v.Set("limit", strconv.Itoa(in.Limit))
	}
	for name, value := range map[string]string{"country": in.Country, "sector": in.Sector, "kind": in.Kind, "forum": in.Forum, "state": in.State} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return v
}

// unavailable is the error of an index that can't be asked.
func unavailable(op string, err error) error {
	return &directory.Error{Kind: directory.KindOf(err), Op: op, Err: err, Problems: []directory.Problem{{
		Code: "lookup.unavailable", Reason: "the directory can't be asked now, so nothing is known about the query", Want: "the same request again in a moment"}}}
}

// SearchAnswerFrom converts a result, which is redacted already.
func SearchAnswerFrom(q directory.SearchQuery, r directory.SearchResult) SearchAnswer {
	out := SearchAnswer{Query: q.Text, Total: r.Total, Hits: make([]SearchHit, len(r.Hits)), Next: r.Next, Seq: r.Seq}
	for i := range r.Hits {
		h := &r.Hits[i]
		out.Hits[i] = SearchHit{
			Team:    TeamRef{ID: string(h.Team.ID), Handle: string(h.Team.Handle), Name: h.Team.Name()},
			Country: string(h.Team.Country), Host: h.Team.Host, Exactness: string(h.Exactness), Score: h.Score, Matches: make([]SearchMatch, len(h.Matches)),
		}
		for j, m := range h.Matches {
			marks := make([][]int, len(m.Marks))
			for k, mark := range m.Marks {
				marks[k] = []int{mark.Start, mark.End}
			}
			out.Hits[i].Matches[j] = SearchMatch{Field: m.Field, Text: m.Text, Marks: marks}
		}
	}
	return out
}

package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// TeamPage is a page of teams.
type TeamPage struct {
	Teams []format.Team `json:"teams" doc:"In the order that was asked for"`
	Next  string        `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"aGFuZGxlAABleGFtcGxlLWNzaXJ0"`
}

type (
	teamsInput struct {
		After   string `query:"after" maxLength:"2048" doc:"The next of the page before; it means nothing to anybody else" example:"aGFuZGxlAABleGFtcGxlLWNzaXJ0"`
		Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Teams on a page" example:"20"`
		Sort    string `query:"sort" enum:"handle,-handle,name,-name,country,-country,updated,-updated" default:"handle" doc:"Order; - turns it round. Names are in order without case and accents; ties are in the order of handles" example:"-updated"`
		Country string `query:"country" maxLength:"64" doc:"Only teams of this country: ISO 3166-1 alpha-2, EU or XK" example:"AT"`
		Kind    string `query:"kind" enum:"csirt,psirt,soc,isac,coordination,national,national-responsibility,government,sector,nren,enterprise,commercial,publicly-funded,pirt,military" doc:"Only teams of this kind" example:"csirt"`
		Sector  string `query:"sector" enum:"energy,transport,banking,financial,health,drinking-water,waste-water,digital-infrastructure,ict-services,public-administration,space,courier,waste-management,chemical,food,manufacturing,digital-providers,research" doc:"Only teams with this NIS2 sector in their constituency" example:"energy"`
		Forum   string `query:"forum" maxLength:"64" doc:"Only present members of this forum" example:"first"`
		State   string `query:"state" enum:"verified,due,overdue,unverified,disputed,failed" doc:"Only teams of which a contact that you see is in this state" example:"overdue"`
		Deleted bool   `query:"deleted" doc:"Deleted and merged teams too, in the order of handles; for operators" example:"true"`
	}
	teamsOutput struct {
		Link        string `header:"Link" doc:"The next page (RFC 8288), rel=next"`
		ContentType string `header:"Content-Type" hidden:"true"`
		Body        []byte
	}
)

func (s *Server) registerTeamList() {
	team := exampleTeam()
	sp := spec{id: "list-teams", method: http.MethodGet, path: "/v1/teams", tag: "teams", access: public,
		summary: "List teams",
		more: "Pages of all live teams that pass every filter. Send next as after until it is absent, or follow Link. A page begins behind the last team of the page before, " +
			"wherever that team stands by now: what did not change is neither skipped nor repeated.",
		errors: []int{http.StatusForbidden}, answer: TeamPage{Teams: []format.Team{team}, Next: "aGFuZGxlAABleGFtcGxlLWNzaXJ0"}}
	register(s, sp, s.listTeams)
	rawSchema[TeamPage](s, sp)
}

// rawSchema gives the answer of an operation, which is already JSON, the schema
// that its Go type does not tell.
func rawSchema[T any](s *Server, sp spec) {
	doc := s.huma.OpenAPI()
	op := operationAt(doc.Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{"application/json": {Schema: schemaOf[T](doc.Components.Schemas), Example: sp.answer}}
}

// list reads the parameters of a list.
func (in *teamsInput) list(c *call) (l directory.List, err error) {
	l = directory.List{Viewer: c.viewer, Limit: in.Limit + 1, Filter: directory.Filter{Kind: in.Kind, Sector: in.Sector, State: directory.State(in.State)}}
	key, descending := strings.CutPrefix(in.Sort, "-")
	l.Sort, l.Descending = directory.SortKey(key), descending
	if in.Country != "" {
		if l.Filter.Country, err = directory.ParseCountry(in.Country); err != nil {
			return l, inParameter("country", err)
		}
	}
	if in.Forum != "" {
		forum, err := directory.ParseHandle(in.Forum)
		if err != nil {
			return l, inParameter("forum", err)
		}
		l.Filter.Forum = string(forum)
	}
	if in.After != "" {
		if l.After, err = parseCursor(in.After, l.Sort); err != nil {
			return l, inParameter("after", err)
		}
	}
	return l, nil
}

// cursor writes a place in an order in a form that nobody takes apart.
func cursor(key directory.SortKey, p directory.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(key) + "\x00" + p.Key + "\x00" + string(p.Handle)))
}

func parseCursor(s string, key directory.SortKey) (*directory.Position, error) {
	bad := directory.Problem{Code: "cursor.syntax", Value: shorten(s), Reason: "not the next of any page", Want: "the next of the page before, as it was given"}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, bad
	}
	of, rest, _ := strings.Cut(string(data), "\x00")
	at := strings.LastIndexByte(rest, 0)
	if at < 0 || !slices.Contains(directory.SortKeys(), directory.SortKey(of)) {
		return nil, bad
	}
	if directory.SortKey(of) != key {
		bad.Code, bad.Reason, bad.Want = "cursor.sort", "the next of a page in another order", "the same sort as for that page: "+of+" or -"+of
		return nil, bad
	}
	if _, err := directory.ParseHandle(rest[at+1:]); err != nil {
		return nil, bad
	}
	return &directory.Position{Key: rest[:at], Handle: directory.Handle(rest[at+1:])}, nil
}

func (s *Server) listTeams(ctx context.Context, in *teamsInput) (*teamsOutput, error) {
	c := callFrom(ctx)
	l, err := in.list(c)
	if err != nil {
		return nil, err
	}
	l.Now = s.cfg.Now()
	x := s.cfg.Index()
	if in.Deleted || x == nil {
		return s.listStored(ctx, in, l)
	}
	teams := x.List(l)
	body := newPage(in.Limit)
	for _, t := range teams[:min(len(teams), in.Limit)] {
		body = append(s.appendTeam(body, t, l.Viewer, l.Now), ',')
	}
	next := ""
	if len(teams) > in.Limit {
		next = cursor(l.Sort, x.Position(teams[in.Limit-1], l.Sort))
	}
	return in.page(body, next), nil
}

// newPage begins the JSON of a page with room for teams of usual size.
func newPage(limit int) []byte {
	return append(make([]byte, 0, limit*1500+100), `{"teams":[`...)
}

// listStored reads a list from the store: tombstones are not in the index.
func (s *Server) listStored(ctx context.Context, in *teamsInput, l directory.List) (*teamsOutput, error) {
	if in.Deleted && l.Viewer.Role != directory.Operator {
		return nil, inParameter("deleted", edgeError(directory.Forbidden, "auth.role", "true", "only operators see what was deleted", "no such parameter"))
	}
	if l.Sort != directory.ByHandle || l.Descending {
		return nil, inParameter("sort", edgeError(directory.Invalid, "parameter.invalid", in.Sort, "this list has the order of handles only", "handle"))
	}
	f := directory.TeamFilter{Limit: l.Limit, Country: l.Filter.Country, Kind: l.Filter.Kind, Deleted: in.Deleted}
	if l.After != nil {
		f.After = l.After.Handle
	}
	var teams []directory.Team
	for more := true; more && len(teams) < l.Limit; {
		page, err := s.cfg.Directory.Teams(ctx, l.Viewer, f)
		if err != nil {
			return nil, err
		}
		if more = len(page) == f.Limit; more {
			f.After = page[len(page)-1].Handle
		}
		for i := range page {
			if l.Filter.Takes(&page[i], s.cfg.Policy, l.Now) {
				teams = append(teams, page[i])
			}
		}
	}
	body := newPage(in.Limit)
	for i := range teams[:min(len(teams), in.Limit)] {
		body = append(format.AppendTeam(body, &teams[i], s.cfg.Policy, l.Now), ',')
	}
	next := ""
	if len(teams) > in.Limit {
		next = cursor(directory.ByHandle, directory.Position{Handle: teams[in.Limit-1].Handle})
	}
	return in.page(body, next), nil
}

// page ends a page, behind the comma of its last team, and names the next one.
func (in *teamsInput) page(body []byte, next string) *teamsOutput {
	out := &teamsOutput{ContentType: "application/json"}
	body = append(bytes.TrimSuffix(body, []byte(",")), ']')
	if next != "" {
		body = append(body, `,"next":"`+next+`"`...)
		out.Link = "</v1/teams?" + in.query(next) + `>; rel="next"`
	}
	out.Body = append(body, "}\n"...)
	return out
}

// query is the query string of the page after, with what was asked for here.
func (in *teamsInput) query(after string) string {
	q := url.Values{"after": {after}, "limit": {strconv.Itoa(in.Limit)}}
	for name, value := range map[string]string{"country": in.Country, "kind": in.Kind, "sector": in.Sector, "forum": in.Forum, "state": in.State, "sort": in.Sort} {
		if value != "" && value != "handle" {
			q.Set(name, value)
		}
	}
	if in.Deleted {
		q.Set("deleted", "true")
	}
	return q.Encode()
}

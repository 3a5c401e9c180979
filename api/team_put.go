package api

import (
	"context"
	"net/http"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// TeamPut is a whole team as it shall be.
type TeamPut struct {
	ID     string `json:"id,omitzero" format:"uuid" doc:"May be there if it is the id in the path" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle string `json:"handle,omitzero" pattern:"^[a-z0-9][a-z0-9.-]{1,63}$" doc:"Unique short name; absent: it stays. A new team needs one" example:"example-csirt"`
	format.Profile
}

type (
	teamPutInput struct {
		ID          string `path:"id" maxLength:"64" doc:"Handle or id of the team; to add one, the UUID that it shall have" example:"example-csirt"`
		IfMatch     string `header:"If-Match" doc:"ETag of the revision that the change is based on, or *; without it the answer is 428" example:"\"7\""`
		IfNoneMatch string `header:"If-None-Match" doc:"* to add a team at a chosen id; 412 if there is one" example:"*"`
	}
	teamPutOutput struct {
		Status   int
		ETag     string `header:"ETag" doc:"The revision, for If-Match"`
		Location string `header:"Content-Location" doc:"The team's address by its id"`
		Body     format.Team
	}
)

func (s *Server) registerTeamPut() {
	team := exampleTeam()
	sp := spec{id: "put-team", method: http.MethodPut, path: "/v1/teams/{id}", tag: "teams", access: token,
		summary: "Replace a team",
		more: "The whole of what the team itself entered: a field that is not there is cleared, so that an imported value shows again. What only the directory sets is passed over, " +
			"so that a team can be read, changed and sent back; values that came from a source are the team's own then. With If-None-Match: * and a UUID in the path, a new team (201).",
		errors: []int{notFound, conflict, stale, conditionOff},
		body:   TeamPut{Handle: "example-csirt", Profile: exampleProfile()}, answer: team}
	register(s, sp, s.putTeam)
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	created := *op.Responses["200"]
	created.Description = http.StatusText(http.StatusCreated)
	op.Responses["201"] = &created
}

func (s *Server) putTeam(ctx context.Context, in *teamPutInput) (*teamPutOutput, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	if in.IfNoneMatch != "" && (in.IfNoneMatch != "*" || revision != 0) {
		return nil, inParameter("If-None-Match", edgeError(directory.Invalid, "if-none-match.syntax", in.IfNoneMatch, "not *, or not alone", "* without If-Match, to add a team"))
	}
	data, err := c.body("application/json")
	if err != nil {
		return nil, err
	}
	if in.IfNoneMatch != "" {
		return s.putNew(ctx, in.ID, data)
	}
	names := namesIn(data)
	t, err := s.cfg.Directory.Edit(ctx, c.viewer, in.ID, directory.Edit{
		Revision: revision, Handle: directory.Handle(names.handle()),
		Apply: func(now *directory.Team, own *directory.Profile) error {
			next, _, bad := format.ReplaceProfile(*own, data)
			if bad = append(bad, unlike(bad, names.problems(now))...); len(bad) > 0 {
				return invalid("edit team", bad)
			}
			*own = next
			return nil
		},
	})
	return s.teamPut(http.StatusOK, t, inPath(err, in.ID))
}

// putNew adds a team at the id in the path.
func (s *Server) putNew(ctx context.Context, ref string, data []byte) (*teamPutOutput, error) {
	id, err := directory.ParseTeamID(ref)
	if err != nil {
		return nil, inParameter("id", err)
	}
	next, handle, bad := format.ReplaceProfile(directory.Profile{}, data)
	if bad = append(bad, unlike(bad, namesIn(data).problems(&directory.Team{ID: id, Handle: "example-csirt"}))...); len(bad) > 0 {
		return nil, invalid("create team", bad)
	}
	t, err := s.cfg.Directory.Create(ctx, callFrom(ctx).viewer, directory.NewTeam{ID: id, Handle: directory.Handle(handle), Profile: next})
	for _, p := range directory.ProblemsOf(err) {
		if p.Code == "revision.stale" { // RFC 9110 section 13.1.2: the condition is false
			return nil, inParameter("If-None-Match", edgeError(directory.Stale, "team.exists", ref, "there is a team with this id", "If-Match with its ETag, to replace it"))
		}
	}
	return s.teamPut(http.StatusCreated, t, err)
}

func (s *Server) teamPut(status int, t directory.Team, err error) (*teamPutOutput, error) {
	if err != nil {
		return nil, err
	}
	return &teamPutOutput{Status: status, ETag: etag(t.Revision), Location: teamsPath + string(t.ID), Body: format.TeamFrom(&t, s.cfg.Policy, s.cfg.Now())}, nil
}

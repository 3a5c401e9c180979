package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// NewTeam is the body of a request for a new team.
type NewTeam struct {
	ID     string `json:"id,omitzero" format:"uuid" doc:"UUID that the team has elsewhere, such as its organisation's in MISP; absent: a new one" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle string `json:"handle" pattern:"^[a-z0-9][a-z0-9.-]{1,63}$" doc:"Unique short name" example:"example-csirt"`
	format.Profile
}

// TeamPatch is a JSON merge patch (RFC 7396) of a team.
type TeamPatch struct {
	Handle string `json:"handle,omitzero" pattern:"^[a-z0-9][a-z0-9.-]{1,63}$" doc:"Another unique short name" example:"example-csirt"`
	format.Profile
}

// MergeInto is the body of a request to merge two teams.
type MergeInto struct {
	Into string `json:"into" doc:"Handle or id of the team that stays" example:"example-csirt"`
}

// NewEvidence is what an operator proved about a contact by another way than a
// machine can.
type NewEvidence struct {
	Contact    string `json:"contact" format:"uuid" doc:"Id of the contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Level      int    `json:"level,omitzero" minimum:"0" maximum:"4" doc:"1 deliverable, 2 answered, 3 proven, 4 drilled; 0 where nothing was proved" example:"2"`
	Outcome    string `json:"outcome" enum:"proved,failed,disputed,settled" doc:"What the attempt showed" example:"proved"`
	Method     string `json:"method" enum:"phone,in-person,letter,other-registrar" doc:"How" example:"phone"`
	At         string `json:"at,omitzero" format:"date-time" doc:"When; absent is now" example:"2026-11-21T20:00:00Z"`
	ValidUntil string `json:"valid_until,omitzero" format:"date-time" doc:"When the proof runs out; absent: as the policy says" example:"2027-05-20T20:00:00Z"`
	Note       string `json:"note,omitzero" maxLength:"2000" doc:"For the team and the operators" example:"spoke to the duty officer"`
}

type (
	teamInput struct {
		ID string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	}
	teamWriteInput struct {
		ID      string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		IfMatch string `header:"If-Match" doc:"ETag of the revision that the change is based on, or *; without it the answer is 428" example:"\"7\""`
	}
	teamOutput struct {
		ETag     string `header:"ETag" doc:"The revision, for If-Match"`
		Location string `header:"Content-Location" doc:"The team's address by its id"`
		Body     format.Team
	}
	createdOutput struct {
		ETag     string `header:"ETag" doc:"The revision, for If-Match"`
		Location string `header:"Location" doc:"The new team's address"`
		Body     format.Team
	}
)

const (
	badRequest   = http.StatusBadRequest
	notFound     = http.StatusNotFound
	conflict     = http.StatusConflict
	stale        = http.StatusPreconditionFailed
	conditionOff = http.StatusPreconditionRequired
)

func (s *Server) registerTeams() {
	team := exampleTeam()
	s.registerTeamList()
	register(s, spec{id: "create-team", method: http.MethodPost, path: "/v1/teams", tag: "teams", access: token, status: http.StatusCreated,
		summary: "Add a team", more: "By an operator, or by a secretariat for a member of its forum.",
		errors: []int{conflict}, body: exampleNewTeam(), answer: team}, s.createTeam)
	s.describeTeam(spec{id: "get-team", method: http.MethodGet, path: "/v1/teams/{id}", tag: "teams", access: public,
		summary: "Show a team", more: "As the viewer may see it; withheld names what is not shown. The handle and id of a merged team lead to the one that it became part of.",
		errors: []int{badRequest, notFound}, answer: team})
	register(s, spec{id: "patch-team", method: http.MethodPatch, path: "/v1/teams/{id}", tag: "teams", access: token,
		summary: "Change a team",
		more: "A JSON merge patch (RFC 7396) of what the team itself entered: null clears a field, so that an imported value shows again; a list replaces the list. " +
			"If the team has changed since the revision in If-Match, nothing is written and the 412 says what changed, when and by whom.",
		errors: []int{notFound, conflict, stale, conditionOff}, media: []string{"application/merge-patch+json", "application/json"},
		body: TeamPatch{Profile: format.Profile{Host: "Example University"}}, answer: team}, s.patchTeam)
	register(s, spec{id: "delete-team", method: http.MethodDelete, path: "/v1/teams/{id}", tag: "teams", access: token, status: http.StatusNoContent,
		summary: "Delete a team", more: "A tombstone with the history stays, and the handle is not given away again.",
		errors: []int{badRequest, notFound, stale, conditionOff}}, s.deleteTeam)
	register(s, spec{id: "merge-team", method: http.MethodPost, path: "/v1/teams/{id}/merge", tag: "teams", access: token,
		summary: "Merge a team into another", more: "The team of the path becomes part of the one that into names; both handles and ids lead there. If-Match is about the team that stays.",
		errors: []int{notFound, conflict, stale, conditionOff}, body: MergeInto{Into: "example-csirt"}, answer: team}, s.mergeTeam)
	register(s, spec{id: "record-evidence", method: http.MethodPost, path: "/v1/teams/{id}/evidence", tag: "teams", access: token,
		summary: "Record what was proven by hand", more: "A call, a meeting, a letter, or another registrar's word. The revision of the team stays.",
		errors: []int{notFound}, body: exampleNewEvidence(), answer: team}, s.recordEvidence)
}

// teamOutput shows the team that ref in the path named. There is no If-None-Match: evidence ages and
// visibility differs without a new revision, so that a 304 would lie.
func (s *Server) teamOutput(ref string, t directory.Team, err error) (*teamOutput, error) {
	if err != nil {
		return nil, inPath(err, ref)
	}
	return &teamOutput{ETag: etag(t.Revision), Location: "/v1/teams/" + string(t.ID), Body: format.TeamFrom(&t, s.cfg.Policy, s.cfg.Now())}, nil
}

func (s *Server) createTeam(ctx context.Context, _ *struct{}) (*createdOutput, error) {
	c := callFrom(ctx)
	data, err := c.body("application/json")
	if err != nil {
		return nil, err
	}
	var in NewTeam
	bad := format.Decode(data, &in)
	profile, more := format.ProfileFrom(in.Profile)
	n := directory.NewTeam{ID: directory.TeamID(in.ID), Handle: directory.Handle(in.Handle), Profile: profile}
	if bad = append(bad, unlike(bad, more)...); len(bad) > 0 {
		return nil, invalid("create team", bad)
	}
	t, err := s.cfg.Directory.Create(ctx, c.viewer, n)
	if err != nil {
		return nil, err
	}
	return &createdOutput{ETag: etag(t.Revision), Location: "/v1/teams/" + string(t.ID), Body: format.TeamFrom(&t, s.cfg.Policy, s.cfg.Now())}, nil
}

// unlike returns the problems of more about places that known says nothing of.
func unlike(known, more []directory.Problem) []directory.Problem {
	at := map[string]bool{}
	for _, p := range known {
		at[p.Field] = true
	}
	var out []directory.Problem
	for _, p := range more {
		if !at[p.Field] {
			out = append(out, p)
		}
	}
	return out
}

func (s *Server) patchTeam(ctx context.Context, in *teamWriteInput) (*teamOutput, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	patch, err := c.body("application/merge-patch+json", "application/json")
	if err != nil {
		return nil, err
	}
	names := namesIn(patch)
	t, err := s.cfg.Directory.Edit(ctx, c.viewer, in.ID, directory.Edit{
		Revision: revision,
		Handle:   directory.Handle(names.handle()),
		Apply: func(now *directory.Team, own *directory.Profile) error {
			next, _, bad := format.PatchProfile(*own, patch)
			if bad = append(bad, names.problems(now)...); len(bad) > 0 {
				return invalid("edit team", bad)
			}
			*own = next
			return nil
		},
	})
	return s.teamOutput(in.ID, t, err)
}

// patchNames are the members of a patch that name the team, which
// [format.PatchProfile] leaves to its caller.
type patchNames struct{ ID, Handle json.RawMessage }

func namesIn(patch []byte) patchNames {
	var members map[string]json.RawMessage
	if json.Unmarshal(patch, &members) != nil {
		return patchNames{} // PatchProfile says what is wrong
	}
	return patchNames{ID: members["id"], Handle: members["handle"]}
}

// handle returns the new handle; "" for none, or for one that is no text.
func (n patchNames) handle() string {
	var handle string
	_ = json.Unmarshal(n.Handle, &handle)
	return handle
}

func (n patchNames) problems(now *directory.Team) []directory.Problem {
	var bad []directory.Problem
	if n.Handle != nil && n.handle() == "" {
		bad = append(bad, directory.Problem{Code: "handle.syntax", Field: "/handle", Value: shorten(string(n.Handle)), Reason: "not a handle", Want: "text such as " + string(now.Handle)})
	}
	var id string
	if n.ID != nil && (json.Unmarshal(n.ID, &id) != nil || id != string(now.ID)) {
		bad = append(bad, directory.Problem{Code: "field.read-only", Field: "/id", Value: shorten(string(n.ID)), Reason: "a team keeps its id", Want: fmt.Sprintf("%q, or nothing", now.ID)})
	}
	return bad
}

func (s *Server) deleteTeam(ctx context.Context, in *teamWriteInput) (*struct{}, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	return nil, inPath(s.cfg.Directory.Delete(ctx, c.viewer, in.ID, revision), in.ID)
}

func (s *Server) mergeTeam(ctx context.Context, in *teamWriteInput) (*teamOutput, error) {
	c := callFrom(ctx)
	revision, err := c.revision()
	if err != nil {
		return nil, err
	}
	var body MergeInto
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	t, err := s.cfg.Directory.Merge(ctx, c.viewer, in.ID, body.Into, revision)
	return s.teamOutput(in.ID, t, placed(err, body.Into, "/into"))
}

func (s *Server) recordEvidence(ctx context.Context, in *teamInput) (*teamOutput, error) {
	c := callFrom(ctx)
	var body NewEvidence
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	e, err := body.evidence(s)
	if err != nil {
		return nil, err
	}
	t, err := s.cfg.Directory.RecordEvidence(ctx, c.viewer, in.ID, e)
	return s.teamOutput(in.ID, t, err)
}

func (n *NewEvidence) evidence(s *Server) (directory.Evidence, error) {
	var bad []directory.Problem
	e := directory.Evidence{
		Contact: directory.ContactID(n.Contact), Level: directory.Level(n.Level), Outcome: directory.Outcome(n.Outcome),
		Method: n.Method, Note: n.Note, At: instant(&bad, "/at", n.At), ValidUntil: instant(&bad, "/valid_until", n.ValidUntil),
	}
	if n.At == "" {
		e.At = s.cfg.Now().UTC()
	}
	return e, invalid("record evidence", bad)
}

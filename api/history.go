package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// TeamRevision is one state of a team and what made it so.
type TeamRevision struct {
	Revision int64             `json:"revision" doc:"Number of the revision" example:"7"`
	Seq      int64             `json:"seq" doc:"Number of the change in the directory's one sequence" example:"812"`
	At       time.Time         `json:"at" format:"date-time" doc:"When"`
	Actor    string            `json:"actor" doc:"Who" example:"token:rct_4f2a9c1b"`
	Action   string            `json:"action" doc:"What was done" example:"edit team"`
	Changes  map[string]Values `json:"changes" doc:"The fields that changed, by name"`
}

// Values are a field before and after a change; absent is empty, or hidden
// from the viewer.
type Values struct {
	Before any `json:"before,omitzero" doc:"Value before"`
	After  any `json:"after,omitzero" doc:"Value after"`
}

// RevisionPage is a page of the history of a team.
type RevisionPage struct {
	Revisions []TeamRevision `json:"revisions" doc:"Newest first"`
	Next      int64          `json:"next,omitzero" doc:"What to send as before for the next page; absent on the last" example:"2"`
}

// AuditEntry says who did what to what.
type AuditEntry struct {
	Seq     int64     `json:"seq" doc:"Number of the change that it belongs to" example:"812"`
	At      time.Time `json:"at" format:"date-time" doc:"When"`
	Actor   string    `json:"actor" doc:"Who" example:"token:rct_4f2a9c1b"`
	Action  string    `json:"action" doc:"What was done" example:"edit team"`
	Subject string    `json:"subject" doc:"To what" example:"team:5694da62-6314-4565-9c4d-1298538826be"`
	Fields  []string  `json:"fields,omitzero" doc:"What changed" example:"[\"host\"]"`
	Detail  string    `json:"detail,omitzero" doc:"More, in words"`
}

// AuditPage is a page of the audit trail.
type AuditPage struct {
	Entries []AuditEntry `json:"entries" doc:"Newest first"`
	Next    int64        `json:"next,omitzero" doc:"What to send as before for the next page; absent on the last" example:"790"`
}

type (
	historyInput struct {
		ID     string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Before int64  `query:"before" minimum:"1" doc:"Only revisions below this one" example:"7"`
		Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Revisions on a page" example:"20"`
	}
	historyOutput struct{ Body RevisionPage }
	auditInput    struct {
		Before  int64  `query:"before" minimum:"1" doc:"Only entries below this number" example:"812"`
		Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Entries on a page" example:"20"`
		Actor   string `query:"actor" maxLength:"200" doc:"Only what this one did, as in actor" example:"token:rct_4f2a9c1b"`
		Subject string `query:"subject" maxLength:"200" doc:"Only what was done to this, as in subject" example:"team:5694da62-6314-4565-9c4d-1298538826be"`
		Action  string `query:"action" maxLength:"200" doc:"Only this action, as in action" example:"edit team"`
		Since   string `query:"since" format:"date-time" maxLength:"64" doc:"Only entries at or after this time" example:"2026-11-21T00:00:00Z"`
		Until   string `query:"until" format:"date-time" maxLength:"64" doc:"Only entries before this time" example:"2026-11-22T00:00:00Z"`
	}
	auditOutput struct{ Body AuditPage }
)

func (s *Server) registerTeamHistory() {
	register(s, spec{id: "team-history", method: http.MethodGet, path: "/v1/teams/{id}/history", tag: "teams", access: token,
		summary: "Show the history of a team", more: "Who changed what, when, from what to what. For the team's editors, the secretariats of its forums, and operators. The history of a deleted team stays.",
		errors: []int{notFound}, answer: exampleRevisions()}, s.teamHistory)
}

func (s *Server) registerAudit() {
	register(s, spec{id: "audit", method: http.MethodGet, path: "/v1/audit", tag: "access", access: token,
		summary: "Show the audit trail", more: "Every change of anything, newest first. For operators.", answer: exampleAudit()}, s.audit)
}

func (s *Server) teamHistory(ctx context.Context, in *historyInput) (*historyOutput, error) {
	viewer := callFrom(ctx).viewer
	list, err := s.cfg.Directory.History(ctx, viewer, in.ID, in.Before, in.Limit+1)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	out := &historyOutput{Body: RevisionPage{Revisions: make([]TeamRevision, min(len(list), in.Limit))}}
	for i := range out.Body.Revisions {
		if out.Body.Revisions[i], err = revisionFrom(&list[i], viewer); err != nil {
			return nil, err
		}
	}
	if len(list) > in.Limit {
		out.Body.Next = list[in.Limit-1].Revision
	}
	return out, nil
}

func revisionFrom(r *directory.Revision, viewer directory.Principal) (TeamRevision, error) {
	out := TeamRevision{Revision: r.Revision, Seq: r.Seq, At: r.At.UTC(), Actor: r.Actor, Action: r.Action, Changes: map[string]Values{}}
	before, err := membersOf(r.Before, viewer)
	if err != nil {
		return out, err
	}
	after, err := membersOf(&r.After, viewer)
	for _, f := range r.Fields {
		out.Changes[f] = Values{Before: before[f], After: after[f]}
	}
	return out, err
}

// membersOf returns the members of a team's JSON as the viewer may see it.
// What was proven is not among them: evidence has its own dates.
func membersOf(r *directory.Record, viewer directory.Principal) (map[string]any, error) {
	members := map[string]any{}
	if r == nil {
		return members, nil
	}
	t := r.Team()
	t = directory.Redact(&t, viewer)
	data, err := json.Marshal(format.ProfileTo(t.Profile))
	if err == nil {
		err = json.Unmarshal(data, &members)
	}
	members["handle"] = t.Handle
	if !t.Deleted.IsZero() {
		members["deleted"] = t.Deleted.UTC()
	}
	if t.MergedInto != "" {
		members["merged_into"] = t.MergedInto
	}
	return members, err
}

func (s *Server) audit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	f := directory.AuditFilter{Before: in.Before, Limit: in.Limit + 1, Actor: in.Actor, Subject: in.Subject, Action: in.Action}
	for _, at := range []struct {
		name, text string
		to         *time.Time
	}{{"since", in.Since, &f.From}, {"until", in.Until, &f.To}} {
		var bad []directory.Problem
		if *at.to = instant(&bad, "", at.text); len(bad) > 0 {
			return nil, inParameter(at.name, bad[0])
		}
	}
	list, err := s.cfg.Directory.Audit(ctx, callFrom(ctx).viewer, f)
	if err != nil {
		return nil, err
	}
	out := &auditOutput{Body: AuditPage{Entries: make([]AuditEntry, min(len(list), in.Limit))}}
	for i := range out.Body.Entries {
		e := &list[i]
		out.Body.Entries[i] = AuditEntry{Seq: e.Seq, At: e.At.UTC(), Actor: e.Actor, Action: e.Action, Subject: e.Subject, Fields: e.Fields, Detail: e.Detail}
	}
	if len(list) > in.Limit {
		out.Body.Next = list[in.Limit-1].Seq
	}
	return out, nil
}

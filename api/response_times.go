package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TeamResponseTimes is how quickly a team answered.
type TeamResponseTimes struct {
	Team     TeamRef `json:"team" doc:"The team"`
	Consent  bool    `json:"consent" doc:"The team lets every signed-in viewer see this" example:"false"`
	Asked    int     `json:"asked" doc:"Questions whose clock began, at most the last 1,000" example:"6"`
	Answered int     `json:"answered" doc:"Those that were answered" example:"5"`
	Human    Waits   `json:"human" doc:"Until the first act of a person"`
	Proof    Waits   `json:"proof" doc:"Until the first proof by key"`
}

// Waits are times until something. Who has not answered counts as still waiting.
type Waits struct {
	Count  int    `json:"count" doc:"For how many questions it happened" example:"5"`
	Median *int64 `json:"median_seconds,omitzero" doc:"By when half had answered; absent where so many have not that nobody can say" example:"7260"`
	P90    *int64 `json:"p90_seconds,omitzero" doc:"By when nine in ten had; absent likewise" example:"86400"`
}

type (
	responseTimesInput struct {
		Forum string    `query:"forum" maxLength:"64" doc:"Members of this forum; without it everybody, for operators" example:"tf-csirt"`
		Since time.Time `query:"since" format:"date-time" doc:"Questions made at or after this; absent: all" example:"2026-01-01T00:00:00Z"`
		Until time.Time `query:"until" format:"date-time" doc:"Questions made before this; absent: all" example:"2027-01-01T00:00:00Z"`
	}
	teamTimesOutput struct{ Body TeamResponseTimes }
)

func (s *Server) registerResponseTimes() {
	const tag, one = "challenges", "/v1/teams/{id}/response-times"
	s.registerReport(spec{id: "get-response-times", method: http.MethodGet, path: "/v1/response-times", tag: tag, access: token,
		summary: "Show how quickly contacts answer",
		more: "Of all questions that were made in a stretch of time, by campaign, forum, sector and country; who has not answered counts as still waiting. Groups of fewer than five teams have no figures. " +
			"As JSON, or as Accept asks as CSV or as one HTML page with its charts. For operators, and for secretariats of their forum."})
	median, most := int64(7260), int64(86400)
	answer := TeamResponseTimes{Team: exampleRef(), Asked: 6, Answered: 5, Human: Waits{Count: 5, Median: &median, P90: &most}, Proof: Waits{}}
	register(s, spec{id: "team-response-times", method: http.MethodGet, path: one, tag: tag, access: token,
		summary: "Show how quickly a team answers", more: "For the team's editors, for the secretariats of its forums and for operators; for every signed-in viewer where the team consents.",
		errors: []int{notFound}, answer: answer}, s.teamTimes)
	answer.Consent = true
	register(s, spec{id: "give-consent", method: http.MethodPut, path: one + "/consent", tag: tag, access: token,
		summary: "Let others see how quickly a team answers", more: "For the team's editors, and for operators on its behalf.", errors: []int{notFound}, answer: answer}, s.consenting(true))
	answer.Consent = false
	register(s, spec{id: "withdraw-consent", method: http.MethodDelete, path: one + "/consent", tag: tag, access: token,
		summary: "Let others see no more how quickly a team answers", more: "For the team's editors, and for operators on its behalf.", errors: []int{notFound}, answer: answer}, s.consenting(false))
}

func (s *Server) responseTimes(ctx context.Context, in *responseTimesInput) (*outcomeOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	r, err := desk.Figures(ctx, callFrom(ctx).viewer, in.Forum, in.Since, in.Until)
	if err != nil {
		return nil, err
	}
	return reportAs(callFrom(ctx), &r)
}

func (s *Server) teamTimes(ctx context.Context, in *outlookInput) (*teamTimesOutput, error) {
	d, err := s.deskTeam(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	g, consent, err := d.TeamFigures(ctx, d.viewer, d.whole)
	if err != nil {
		return nil, err
	}
	return &teamTimesOutput{TeamTimesOf(&d.shown, &g, consent)}, nil
}

// TeamTimesOf makes the wire form of how quickly a team answered.
func TeamTimesOf(team *directory.Team, g *challenge.Group, consent bool) TeamResponseTimes {
	return TeamResponseTimes{Team: refOf(team), Consent: consent, Asked: g.Asked, Answered: g.Answered, Human: waitsFrom(&g.Human), Proof: waitsFrom(&g.Proof)}
}

func waitsFrom(t *challenge.Times) Waits { return Waits{t.Count, t.Median, t.P90} }

func (s *Server) consenting(given bool) func(context.Context, *outlookInput) (*teamTimesOutput, error) {
	return func(ctx context.Context, in *outlookInput) (*teamTimesOutput, error) {
		d, err := s.deskTeam(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if err := d.Consent(ctx, d.viewer, d.whole, given); err != nil {
			return nil, err
		}
		return s.teamTimes(ctx, in)
	}
}

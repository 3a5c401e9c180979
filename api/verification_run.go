package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// DueCheck is one row that was made due.
type DueCheck struct {
	Check   string    `json:"check" doc:"Name of the check" example:"mx"`
	Kind    string    `json:"kind" enum:"domain,contact,key" doc:"What the subject is" example:"domain"`
	Subject string    `json:"subject" doc:"The domain, the contact's value or the key's fingerprint" example:"example.org"`
	Due     time.Time `json:"due" format:"date-time" doc:"When it was due before or is now; a check under way goes on"`
}

// ChecksRun is what was made due.
type ChecksRun struct {
	Team   TeamRef    `json:"team" doc:"The team"`
	Count  int        `json:"count" doc:"How many checks the team has" example:"12"`
	Due    []DueCheck `json:"due" doc:"Those that are due now"`
	Paused bool       `json:"paused,omitzero" doc:"All checks are paused: nothing runs before they go on"`
}

// PauseRequest is the body of a request that pauses checks.
type PauseRequest struct {
	Check string `json:"check,omitzero" maxLength:"100" doc:"Only this check; absent is all" example:"mx"`
	Now   bool   `json:"now,omitzero" doc:"End what is running too; it begins again later. Else it may finish" example:"false"`
	Why   string `json:"why,omitzero" maxLength:"500" doc:"Why, for those who come after" example:"our resolver is being replaced"`
}

// ResumeRequest is the body of a request that lets checks go on.
type ResumeRequest struct {
	Check string `json:"check,omitzero" maxLength:"100" doc:"Only this check; absent is all" example:"mx"`
	Held  string `json:"held,omitzero" enum:"accept,discard" doc:"What becomes of verdicts that the guard holds back, where it stopped the checks: they are published, or thrown away and checked again" example:"discard"`
}

// CheckPause is one pause.
type CheckPause struct {
	Check string    `json:"check,omitzero" doc:"The check; absent is all" example:"mx"`
	Guard bool      `json:"guard,omitzero" doc:"Too many verdicts turned bad at once; people decide whether they are right"`
	Now   bool      `json:"now,omitzero" doc:"What was running ended too"`
	By    string    `json:"by" doc:"Who paused it" example:"token:rct_4f2a9c1b"`
	Why   string    `json:"why,omitzero" doc:"Why" example:"our resolver is being replaced"`
	At    time.Time `json:"at" format:"date-time" doc:"When"`
}

// CheckPauses is what is paused.
type CheckPauses struct {
	Pauses  []CheckPause `json:"pauses" doc:"What is paused now, a pause of all first"`
	Settled int          `json:"settled,omitzero" doc:"How many verdicts that were held back were published or thrown away" example:"12"`
}

type (
	transcriptInput struct {
		ID   string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Hash string `path:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 of the transcript in hex, as evidence in a result" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	}
	transcriptOutput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Disposition string `header:"Content-Disposition" doc:"A name for the file"`
		ETag        string `header:"ETag" doc:"The hash"`
		Body        []byte
	}
	checksRunOutput   struct{ Body ChecksRun }
	checkPausesOutput struct{ Body CheckPauses }
)

func (s *Server) registerTranscript() {
	sp := spec{id: "get-transcript", method: http.MethodGet, path: "/v1/teams/{id}/verification/evidence/{hash}", tag: "verification", access: token,
		summary: "Show what a check saw",
		more: "All that one run of a check asked and was answered, in full: rollcall check --replay comes to the same findings from it, offline. " +
			"It holds what the team claims, hidden contacts too: for the team's editors and operators. What nothing refers to any more is kept for a time only.",
		errors: []int{notFound}, answer: exampleTranscript()}
	register(s, sp, s.transcript)
	doc := s.huma.OpenAPI()
	operationAt(doc.Paths[sp.path], sp.method).Responses["200"].Content = map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, Description: "A transcript; its members may grow", AdditionalProperties: true}, Example: sp.answer}}
}

func exampleTranscript() map[string]any {
	return map[string]any{"version": 1, "check": "mx", "target": map[string]any{
		"subject": map[string]any{"kind": "domain", "id": "example.org"}, "now": exampleDay(), "claims": map[string]any{"team": exampleTeamID}}}
}

func (s *Server) transcript(ctx context.Context, in *transcriptInput) (*transcriptOutput, error) {
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	team, err := s.seen(ctx, viewer, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Directory.MayReadTranscripts(viewer, &team); err != nil {
		return nil, err
	}
	unknown := inParameter("hash", edgeError(directory.NotFound, "checks.evidence", in.Hash, "nothing of this hash is kept for this team", "the evidence of a result, as it is now"))
	data, err := results.Transcript(ctx, in.Hash)
	if directory.KindOf(err) == directory.NotFound {
		return nil, unknown
	}
	if err != nil {
		return nil, err
	}
	text, err := verify.TranscriptText(data)
	if err != nil {
		return nil, err
	}
	t, err := verify.DecodeTranscript(text)
	if err != nil {
		return nil, err
	}
	if t.Target.Claims.Team != team.ID && !s.became(t.Target.Claims.Team, team.ID) {
		return nil, unknown
	}
	return &transcriptOutput{ContentType: "application/json", Disposition: `attachment; filename="` + in.Hash + `.json"`, ETag: `"` + in.Hash + `"`, Body: text}, nil
}

// became reports whether a team is part of another now.
func (s *Server) became(old, now directory.TeamID) bool {
	x := s.cfg.Index()
	if x == nil {
		return false
	}
	t, ok := x.Team(old)
	return ok && t.ID == now
}

func (s *Server) registerVerificationRun() {
	register(s, spec{id: "run-verification", method: http.MethodPost, path: "/v1/teams/{id}/verification/run", tag: "verification", access: token, status: http.StatusAccepted,
		summary: "Check a team now",
		more:    "Makes all checks of the team due; they run as soon as there is room. For the team's editors, every ten minutes (429 says when), and for operators.",
		errors:  []int{notFound}, answer: ChecksRun{Team: exampleRef(), Count: 1, Due: []DueCheck{{Check: "mx", Kind: "domain", Subject: "example.org", Due: exampleDay()}}}}, s.runVerification)
}

func (s *Server) runVerification(ctx context.Context, in *verificationInput) (*checksRunOutput, error) {
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	n, err := s.cfg.Directory.RunChecks(ctx, viewer, in.ID)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	k, err := s.known(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	pauses, err := results.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	out := &checksRunOutput{ChecksRun{Team: refOf(&k.team), Count: n, Due: []DueCheck{}, Paused: pausesCheck(pauses, "")}}
	now := s.cfg.Now()
	for _, v := range k.list {
		if !v.Due.After(now) {
			out.Body.Due = append(out.Body.Due, DueCheck{v.Check, string(v.Subject.Kind), v.Subject.ID, v.Due.UTC()})
		}
	}
	return out, nil
}

func (s *Server) registerSteering() {
	pauses := CheckPauses{Pauses: []CheckPause{{Check: "mx", By: "token:rct_4f2a9c1b", Why: "our resolver is being replaced", At: exampleDay()}}}
	register(s, spec{id: "pause-verification", method: http.MethodPost, path: "/v1/verification/pause", tag: "verification", access: token,
		summary: "Pause checks", more: "One check, or all, on all nodes. What is known stays and is shown. For operators.",
		body: PauseRequest{Check: "mx", Why: "our resolver is being replaced"}, answer: pauses}, s.pauseVerification)
	register(s, spec{id: "resume-verification", method: http.MethodPost, path: "/v1/verification/resume", tag: "verification", access: token,
		summary: "Let checks go on",
		more:    "One check, or all. Where the guard stopped them, held says what becomes of the verdicts that it holds back; 409 checks.guard asks for it. For operators.",
		errors:  []int{conflict}, body: ResumeRequest{Held: "discard"}, answer: CheckPauses{Pauses: []CheckPause{}, Settled: 12}}, s.resumeVerification)
}

func (s *Server) pauseVerification(ctx context.Context, _ *struct{}) (*checkPausesOutput, error) {
	c := callFrom(ctx)
	var in PauseRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if _, ok := s.table.titles[in.Check]; in.Check != "" && !ok {
		return nil, invalid("pause checks", []directory.Problem{{Code: "checks.unknown", Field: "/check", Value: shorten(in.Check), Reason: "no check of this name ships", Want: "a name of /v1/checks, or none for all"}})
	}
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Directory.PauseChecks(ctx, c.viewer, in.Check, in.Now, in.Why); err != nil {
		return nil, err
	}
	return pausesNow(ctx, results, 0)
}

func (s *Server) resumeVerification(ctx context.Context, _ *struct{}) (*checkPausesOutput, error) {
	c := callFrom(ctx)
	var in ResumeRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	results, err := s.results()
	if err != nil {
		return nil, err
	}
	n, err := s.cfg.Directory.ResumeChecks(ctx, c.viewer, in.Check, directory.Held(in.Held))
	if err != nil {
		return nil, err
	}
	return pausesNow(ctx, results, n)
}

func pausesNow(ctx context.Context, results verify.Results, settled int) (*checkPausesOutput, error) {
	list, err := results.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	return &checkPausesOutput{CheckPauses{Pauses: pausesFrom(list), Settled: settled}}, nil
}

func pausesFrom(list []directory.Pause) []CheckPause {
	out := make([]CheckPause, len(list))
	for i, p := range list {
		out[i] = CheckPause{Check: p.Check, Guard: p.Guard, Now: p.Now, By: p.By, Why: p.Why, At: p.At.UTC()}
	}
	return out
}

// retryAfter is the header of an error that says when to try again.
func retryAfter(err error) http.Header {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || e.Retry <= 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(max(1, seconds(e.Retry)))}}
}

package api

import (
	"context"
	"net/http"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

type (
	casesInput struct {
		Closed bool   `query:"closed" doc:"Those that are closed, in place of those that are open" example:"false"`
		After  string `query:"after" maxLength:"200" doc:"The next of the page before" example:"MTc2NzIyNTYwMDAwMDAwMA"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Cases on a page" example:"200"`
	}
	casesOutput struct{ Body DeskCaseList }
	caseInput   struct {
		ID   string `path:"id" maxLength:"64" doc:"Id of the question" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
		Kind string `path:"kind" maxLength:"40" doc:"Kind of the case" example:"please-call"`
	}
)

func (s *Server) registerDesk() {
	const tag, one = "challenges", "/v1/challenges/{id}"
	paused, yes := exampleQuestion(), true
	for _, act := range []struct{ id, word, summary, more string }{
		{"stop-challenge", "stop", "Close a question without an answer", "It counts for nothing. For operators."},
		{"pause-challenge", "pause", "Let a question stand still", "Its timers stop and its mails are held back; an answer still counts. For operators."},
		{"resume-challenge", "resume", "Let a question go on", "With the time back for which it stood still. For operators."},
	} {
		word := act.word
		register(s, spec{id: act.id, method: http.MethodPost, path: one + "/" + word, tag: tag, access: token, summary: act.summary, more: act.more,
			errors: []int{notFound, conflict}, body: Reason{Why: "the team asked for it"}, answer: paused}, func(ctx context.Context, in *questionInput) (*questionOutput, error) {
			return s.steerQuestion(ctx, in, word)
		})
	}
	register(s, spec{id: "log-call", method: http.MethodPost, path: one + "/calls", tag: tag, access: token,
		summary: "Log a telephone call about a question", more: "One that reached somebody has the code that was read back: the six digits that stand with the question. It proves nothing before another operator has approved it. For operators.",
		errors: []int{notFound, conflict}, body: NewCall{Number: "+4315056416", Reached: true, Code: "402917"}, answer: exampleQuestion()}, s.logCall)
	register(s, spec{id: "judge-call", method: http.MethodPost, path: one + "/calls/judge", tag: tag, access: token,
		summary: "Approve or reject a call that another operator has logged", more: "Whoever called can't. For operators.",
		errors: []int{notFound, conflict}, body: Judgement{Approve: &yes}, answer: exampleQuestion()}, s.judgeCall)
	register(s, spec{id: "list-cases", method: http.MethodGet, path: "/v1/cases", tag: tag, access: token,
		summary: "List what operators are asked to look at", more: "For operators.",
		answer: DeskCaseList{Cases: []DeskCase{{Question: exampleQuestion().ID, Team: exampleRef(), Kind: "please-call", Opened: exampleDay()}}}}, s.listCases)
	register(s, spec{id: "close-case", method: http.MethodPost, path: one + "/cases/{kind}/close", tag: tag, access: token, status: http.StatusNoContent,
		summary: "Close a case", more: "An operator who confirms that nobody answers at an unreachable contact makes that evidence, which everybody sees who sees the contact. For operators.", errors: []int{notFound, conflict}, body: CaseClosing{Note: "spoke with them by telephone"}}, s.closeCase)
	register(s, spec{id: "take-in-result", method: http.MethodPost, path: "/v1/desk/results", tag: tag, access: token, status: http.StatusCreated,
		summary: "Take in what another registrar found", more: "It becomes evidence under its name, and nobody is asked. For operators.",
		body: ForeignResult{Team: "example-csirt", Contact: exampleQuestion().Contact, Level: 2, Source: "Example Forum", At: exampleDay()}, answer: exampleQuestion()}, s.takeInResult)
	policies := PolicyList{Policies: []AskingPolicy{}, Rules: []PolicyRule{}, Stopped: true}
	register(s, spec{id: "stop-challenges", method: http.MethodPost, path: "/v1/desk/stop", tag: tag, access: token,
		summary: "Stop all questions: the kill switch", more: "Nothing is sent to anybody, on all nodes, until it is lifted; answers still count. For operators.",
		body: Reason{Why: "our relay is on a block list"}, answer: policies}, s.stopChallenges)
	policies.Stopped = false
	register(s, spec{id: "resume-challenges", method: http.MethodPost, path: "/v1/desk/resume", tag: tag, access: token,
		summary: "Lift the kill switch", more: "For operators.", errors: []int{conflict}, answer: policies}, s.resumeChallenges)
}

// words refuses a note that is longer than anybody reads.
func words(field, text string) error {
	if len([]rune(text)) <= 500 {
		return nil
	}
	return invalid("read body", []directory.Problem{{Code: "text.too-long", Field: field, Value: shorten(text), Reason: "longer than 500 characters", Want: "at most 500 characters"}})
}

func (s *Server) steerQuestion(ctx context.Context, in *questionInput, word string) (*questionOutput, error) {
	d, err := readDesk[Reason](ctx, s)
	if err != nil {
		return nil, err
	}
	if err := words("/why", d.body.Why); err != nil {
		return nil, err
	}
	act := map[string]func(context.Context, directory.Principal, challenge.ID, string) (challenge.Challenge, error){"stop": d.Stop, "pause": d.Pause, "resume": d.Unpause}[word]
	return s.oneQuestion(ctx, in.ID)(act(ctx, d.viewer, challenge.ID(in.ID), d.body.Why))
}

// oneQuestion answers with the question that an operator's work gave.
func (s *Server) oneQuestion(ctx context.Context, id string) func(challenge.Challenge, error) (*questionOutput, error) {
	return func(q challenge.Challenge, err error) (*questionOutput, error) {
		if err != nil {
			return nil, unknownQuestion(err, id)
		}
		return &questionOutput{s.asked(&q, callFrom(ctx).viewer)}, nil
	}
}

func (s *Server) logCall(ctx context.Context, in *questionInput) (*questionOutput, error) {
	d, err := readDesk[NewCall](ctx, s)
	if err != nil {
		return nil, err
	}
	return s.oneQuestion(ctx, in.ID)(d.Log(ctx, d.viewer, challenge.ID(in.ID), challenge.Call{Number: d.body.Number, At: d.body.At, Reached: d.body.Reached, Unannounced: d.body.Unannounced}, d.body.Code))
}

func (s *Server) judgeCall(ctx context.Context, in *questionInput) (*questionOutput, error) {
	d, err := readDesk[Judgement](ctx, s)
	if err != nil {
		return nil, err
	}
	if d.body.Approve == nil {
		return nil, invalid("read body", []directory.Problem{{Code: challenge.CodeCall, Field: "/approve", Reason: "nothing says whether the call counts", Want: "true or false"}})
	}
	return s.oneQuestion(ctx, in.ID)(d.Judge(ctx, d.viewer, challenge.ID(in.ID), *d.body.Approve))
}

func (s *Server) listCases(ctx context.Context, in *casesInput) (*casesOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	f := challenge.CaseFilter{Closed: in.Closed, Limit: in.Limit + 1}
	var last [2]string
	at, err := parsePageMark(in.After, last[:])
	if err != nil {
		return nil, inParameter("after", err)
	}
	if in.After != "" {
		f.After = &challenge.OpenCase{Opened: at, Challenge: challenge.ID(last[0]), Kind: challenge.CaseKind(last[1])}
	}
	list, err := desk.ListCases(ctx, callFrom(ctx).viewer, f)
	if err != nil {
		return nil, err
	}
	out := &casesOutput{DeskCaseList{Cases: []DeskCase{}}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		end := &list[in.Limit-1]
		out.Body.Next = pageMark(end.Opened, string(end.Challenge), string(end.Kind))
	}
	for i := range list {
		out.Body.Cases = append(out.Body.Cases, CaseOf(s.cfg.Index(), &list[i]))
	}
	return out, nil
}

func (s *Server) closeCase(ctx context.Context, in *caseInput) (*struct{}, error) {
	d, err := readDesk[CaseClosing](ctx, s)
	if err != nil {
		return nil, err
	}
	if err := words("/note", d.body.Note); err != nil {
		return nil, err
	}
	err = d.Close(ctx, d.viewer, challenge.ID(in.ID), challenge.CaseKind(in.Kind), challenge.Closing{Note: d.body.Note, Allowed: d.body.Allowed, Confirmed: d.body.Confirmed})
	return nil, unknownOf(err, "kind", "case.unknown", in.Kind, "no case of this kind is open for the question", "one of the list of cases")
}

func (s *Server) takeInResult(ctx context.Context, _ *struct{}) (*newQuestion, error) {
	d, err := readDesk[ForeignResult](ctx, s)
	if err != nil {
		return nil, err
	}
	in := &d.body
	if err := directory.MayWorkDesk(d.viewer); err != nil {
		return nil, err
	}
	found := challenge.Found{Contact: directory.ContactID(in.Contact), Level: directory.Level(in.Level), Source: in.Source, At: in.At}
	if err := invalid("read body", found.Check(s.cfg.Now())); err != nil {
		return nil, err
	}
	team, err := s.teamOf(ctx, d.viewer, in.Team, in.Contact)
	if err != nil {
		return nil, err
	}
	found.Team = team.ID
	q, err := d.TakeIn(ctx, d.viewer, found)
	if err != nil {
		return nil, err
	}
	return &newQuestion{Location: "/v1/challenges/" + string(q.ID), Body: s.asked(&q, d.viewer)}, nil
}

func (s *Server) stopChallenges(ctx context.Context, _ *struct{}) (*policiesOutput, error) {
	d, err := readDesk[Reason](ctx, s)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Directory.PauseChecks(ctx, d.viewer, directory.PauseOfChallenges, true, d.body.Why); err != nil {
		return nil, err
	}
	return s.listPolicies(ctx, nil)
}

func (s *Server) resumeChallenges(ctx context.Context, _ *struct{}) (*policiesOutput, error) {
	if _, err := s.desk(); err != nil {
		return nil, err
	}
	if _, err := s.cfg.Directory.ResumeChecks(ctx, callFrom(ctx).viewer, directory.PauseOfChallenges, directory.HeldNone); err != nil {
		return nil, err
	}
	return s.listPolicies(ctx, nil)
}

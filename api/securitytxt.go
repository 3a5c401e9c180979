package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/securitytxt"
)

type (
	securityTxtInput struct {
		ID              string   `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Days            int      `query:"days" default:"180" minimum:"1" maximum:"365" doc:"How long the file is good for, in days" example:"90"`
		Hosts           []string `query:"host,explode" maxItems:"20" doc:"Where the file will lie; absent is the host of the team's website. Give it several times" example:"[\"www.example.org\"]"`
		Keys            []string `query:"key,explode" maxItems:"20" doc:"https URLs of the team's keys; absent names their fingerprints. Give it several times" example:"[\"https://www.example.org/key.asc\"]"`
		Policy          string   `query:"policy" maxLength:"2048" doc:"https URL of the disclosure policy" example:"https://www.example.org/disclosure"`
		Acknowledgments string   `query:"acknowledgments" maxLength:"2048" doc:"https URL of the page of thanks" example:"https://www.example.org/thanks"`
		Hiring          string   `query:"hiring" maxLength:"2048" doc:"https URL of the team's vacancies" example:"https://www.example.org/jobs"`
		CSAF            string   `query:"csaf" maxLength:"2048" doc:"https URL of provider-metadata.json" example:"https://www.example.org/.well-known/csaf/provider-metadata.json"`
	}
	securityTxtOutput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Body        []byte
	}
)

func (s *Server) registerSecurityTxt() {
	sp := spec{id: "get-security-txt", method: http.MethodGet, path: "/v1/teams/{id}/security.txt", tag: "teams", access: open, errors: []int{notFound, http.StatusConflict},
		summary: "Write a security.txt from a team's profile", answer: "Contact: mailto:cert@example.org\nExpires: 2026-12-01T00:00:00Z\n",
		more: "A file (RFC 9116) with the contacts, keys and languages that the team shows everybody, whoever asks, to be signed and put at /.well-known/security.txt. " +
			"It breaks no rule; what is left to recommend is a signature, and a key where the team shows none."}
	register(s, sp, s.securityTxt)
	op := operationAt(s.huma.OpenAPI().Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}, Example: sp.answer}}
}

func (s *Server) securityTxt(ctx context.Context, in *securityTxtInput) (*securityTxtOutput, error) {
	t, err := s.cfg.Directory.Team(ctx, directory.Nobody(), in.ID)
	if err != nil {
		return nil, inPath(err, in.ID)
	}
	plan := securitytxt.Plan{Now: s.cfg.Now(), Lasts: time.Duration(in.Days) * 24 * time.Hour, Keys: in.Keys,
		Policy: in.Policy, Acknowledgments: in.Acknowledgments, Hiring: in.Hiring, CSAF: in.CSAF}
	for _, h := range in.Hosts {
		d, err := directory.ParseDomain(h)
		if err != nil {
			return nil, inParameter("host", err)
		}
		plan.Hosts = append(plan.Hosts, d)
	}
	f, err := securitytxt.Generate(&t, plan)
	if err != nil {
		return nil, notGenerated(err)
	}
	return &securityTxtOutput{"text/plain; charset=utf-8", []byte(f.String())}, nil
}

// notGenerated says what keeps a file from being written, and which parameter
// is to blame.
func notGenerated(err error) error {
	if errors.Is(err, securitytxt.ErrNoContact) {
		return &directory.Error{Kind: directory.Conflict, Op: "write security.txt", Problems: []directory.Problem{{Code: "securitytxt.no-contact",
			Reason: "the team shows everybody no contact that a security.txt can have", Want: "a contact for vulnerabilities with the label clear"}}}
	}
	bad, ok := errors.AsType[*securitytxt.PlanError](err)
	if !ok {
		return err
	}
	name := strings.ToLower(string(bad.Field))
	if bad.Field == securitytxt.Encryption {
		name = "key"
	}
	return inParameter(name, directory.Problem{Code: "securitytxt.value", Value: shorten(bad.Value), Reason: "the line would break a rule: " + string(bad.Code), Want: "an https URL"})
}

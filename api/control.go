package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// DomainControl is the proof, under way or in force, that a team controls one
// of its domains.
type DomainControl struct {
	Domain   string         `json:"domain" doc:"The domain, one of the team's resources" example:"example.org"`
	State    string         `json:"state" enum:"waiting,confirmed,lost,lapsed" doc:"waiting: the record was not seen yet; confirmed: it was, and the claim to the domain is confirmed; lost: it was, and was missing twice, a day apart; lapsed: its date has passed, or nobody could look for 90 days" example:"confirmed"`
	Since    time.Time      `json:"since" format:"date-time" doc:"Since when it is in this state"`
	Started  time.Time      `json:"started" format:"date-time" doc:"When its token was made"`
	Method   string         `json:"method" doc:"How it is proven: by the check of this name, weekly" example:"check.domain-control"`
	Seen     time.Time      `json:"seen,omitzero" format:"date-time" doc:"When the record was last seen; absent before the first time"`
	Until    time.Time      `json:"until,omitzero" format:"date-time" doc:"Until when it holds if the record is not seen again; absent unless it is confirmed"`
	Missing  time.Time      `json:"missing,omitzero" format:"date-time" doc:"Since when the record is not there, where that was seen once, which does not count yet"`
	DNSSEC   string         `json:"dnssec,omitzero" enum:"secure,insecure,indeterminate" doc:"What could be proven of the record when it was last seen" example:"secure"`
	Expiry   string         `json:"expiry,omitzero" format:"date" doc:"To when the record to publish says that it holds; absent is never. What is published decides" example:"2027-12-31"`
	Evidence string         `json:"evidence,omitzero" doc:"SHA-256 of all that was asked and answered when the record was last seen, to be had from verification/evidence; for whoever may read it" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Record   *ControlRecord `json:"record,omitzero" doc:"What to publish; for the team's editors and operators only"`
}

// ControlRecord is the record that proves control.
type ControlRecord struct {
	Name string `json:"name" doc:"Its name; a CNAME there may lead elsewhere, over at most 8 steps" example:"_rollcall-challenge.example.org"`
	Type string `json:"type" enum:"TXT" doc:"Its type" example:"TXT"`
	TTL  int    `json:"ttl" doc:"A good time to live, in seconds, until it is seen; later it may be longer" example:"300"`
	Text string `json:"text" doc:"Its text; several records there are no fault" example:"token=MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U expiry=never"`
}

// DomainControlList is the proofs of a team.
type DomainControlList struct {
	Controls []DomainControl `json:"controls" doc:"In the order of the domains; those of domains that the viewer may not see are left out"`
}

// ControlRequest is the body of a request that begins a proof.
type ControlRequest struct {
	Expiry string `json:"expiry,omitzero" maxLength:"10" doc:"Day to the end of which the record shall hold; absent, or never, is for as long as it is published" example:"2027-12-31"`
}

// ControlRun is what came of asking for a look.
type ControlRun struct {
	Domain string `json:"domain" doc:"The domain" example:"example.org"`
	Due    bool   `json:"due" doc:"It is looked at as soon as there is room; false: it is being looked at, or will be in a moment"`
}

type (
	controlsInput struct {
		ID string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	}
	controlInput struct {
		ID     string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Domain string `path:"domain" maxLength:"253" doc:"The domain, one of the team's resources" example:"example.org"`
	}
	controlsOutput   struct{ Body DomainControlList }
	controlOutput    struct{ Body DomainControl }
	controlRunOutput struct{ Body ControlRun }
)

func exampleControl() DomainControl {
	at := exampleDay()
	c := directory.Control{Domain: "example.org", State: directory.ControlConfirmed, Since: at.AddDate(0, 0, -20), Started: at.AddDate(0, 0, -21), Seen: at, DNSSEC: "secure"}
	return controlFrom(&c)
}

func exampleNewControl() DomainControl {
	c := directory.Control{Domain: "example.org", State: directory.ControlWaiting, Since: exampleDay(), Started: exampleDay()}
	out := controlFrom(&c)
	out.Record = recordOf(directory.ControlLabel, &c, "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U")
	return out
}

func (s *Server) registerControl() {
	const list, one = "/v1/teams/{id}/control", "/v1/teams/{id}/control/{domain}"
	register(s, spec{id: "list-control", method: http.MethodGet, path: list, tag: "verification", access: public,
		summary: "List the proofs that a team controls its domains", more: "With the records to publish for the team's editors and operators, and for nobody else.",
		errors: []int{notFound}, answer: DomainControlList{Controls: []DomainControl{exampleControl()}}}, s.controls)
	register(s, spec{id: "get-control", method: http.MethodGet, path: one, tag: "verification", access: public,
		summary: "Show the proof that a team controls a domain", more: "With the record to publish for the team's editors and operators, and for nobody else.",
		errors: []int{notFound}, answer: exampleControl()}, s.control)
	register(s, spec{id: "start-control", method: http.MethodPut, path: one, tag: "verification", access: token,
		summary: "Begin to prove that a team controls a domain",
		more: "Makes a token and says which TXT record to publish. Once all name servers of the domain and the resolvers of this server show it, the claim to the domain is confirmed, " +
			"and stays so while the record is seen; it is looked for weekly. Where a proof was begun already it stays as it is, but for the expiry. For the team's editors and operators.",
		errors: []int{notFound}, body: ControlRequest{}, answer: exampleNewControl()}, s.startControl)
	register(s, spec{id: "renew-control", method: http.MethodPost, path: one + "/renew", tag: "verification", access: token,
		summary: "Begin a proof of control anew", more: "Makes another token. The old one counts for nothing from now on, and what it confirmed is confirmed no more.",
		errors: []int{notFound}, answer: exampleNewControl()}, s.renewControl)
	register(s, spec{id: "check-control", method: http.MethodPost, path: one + "/run", tag: "verification", access: token, status: http.StatusAccepted,
		summary: "Look for the record of a proof of control now", more: "For the team's editors, every minute (429 says when), and for operators.",
		errors: []int{notFound}, answer: ControlRun{Domain: "example.org", Due: true}}, s.checkControl)
	register(s, spec{id: "withdraw-control", method: http.MethodDelete, path: one, tag: "verification", access: token, status: http.StatusNoContent,
		summary: "Withdraw a proof of control", more: "What it confirmed is confirmed no more, and the record can be taken out of the DNS.",
		errors: []int{notFound}}, s.withdrawControl)
}

func controlFrom(c *directory.Control) DomainControl {
	return DomainControl{
		Domain: string(c.Domain), State: c.State, Since: instantOf(c.Since), Started: instantOf(c.Started), Method: "check." + directory.ControlCheck,
		Seen: instantOf(c.Seen), Until: instantOf(c.End()), Missing: instantOf(c.Missing), DNSSEC: c.DNSSEC, Expiry: string(c.Expiry),
	}
}

func recordOf(label string, c *directory.Control, token string) *ControlRecord {
	return &ControlRecord{Name: label + "." + string(c.Domain), Type: "TXT", TTL: 300, Text: directory.ControlRecord(token, c.Expiry)}
}

// ControlFrom is the form on the wire of a proof with its token, for those who
// publish it; label is where.
func ControlFrom(c *directory.Control, label, token string) DomainControl {
	out := controlFrom(c)
	out.Evidence, out.Record = c.RawHash, recordOf(label, c, token)
	return out
}

// shownControl is a proof as the viewer may see it.
func (s *Server) shownControl(ctx context.Context, viewer directory.Principal, t *directory.Team, c *directory.Control) (DomainControl, error) {
	out := controlFrom(c)
	if s.cfg.Directory.MayReadTranscripts(viewer, t) == nil {
		out.Evidence = c.RawHash
	}
	if s.cfg.Directory.MayReadControlTokens(viewer, t) != nil {
		return out, nil
	}
	_, token, err := s.cfg.Directory.ControlToken(ctx, viewer, string(t.ID), c.Domain)
	out.Record = recordOf(s.cfg.ControlLabel, c, token)
	return out, err
}

func (s *Server) controls(ctx context.Context, in *controlsInput) (*controlsOutput, error) {
	viewer := callFrom(ctx).viewer
	t, err := s.seen(ctx, viewer, in.ID)
	if err != nil {
		return nil, err
	}
	out := &controlsOutput{DomainControlList{Controls: []DomainControl{}}}
	for i := range t.Controls {
		one, err := s.shownControl(ctx, viewer, &t, &t.Controls[i])
		if err != nil {
			return nil, err
		}
		out.Body.Controls = append(out.Body.Controls, one)
	}
	return out, nil
}

func (s *Server) control(ctx context.Context, in *controlInput) (*controlOutput, error) {
	domain, err := in.domain()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	t, err := s.seen(ctx, viewer, in.ID)
	if err != nil {
		return nil, err
	}
	c := t.Control(domain)
	if c == nil {
		return nil, in.explain(edgeError(directory.NotFound, "control.unknown", in.Domain, "no proof of control was begun for this domain", "a domain for which one was"))
	}
	out, err := s.shownControl(ctx, viewer, &t, c)
	return &controlOutput{out}, err
}

func (in *controlInput) domain() (directory.Domain, error) {
	d, err := directory.ParseDomain(in.Domain)
	return d, inParameter("domain", err)
}

// explain says which part of the path an error is about.
func (in *controlInput) explain(err error) error {
	for _, p := range directory.ProblemsOf(err) {
		if p.Code == "control.unknown" || p.Code == "control.no-resource" {
			return inParameter("domain", err)
		}
	}
	return inPath(err, in.ID)
}

func (s *Server) startControl(ctx context.Context, in *controlInput) (*controlOutput, error) {
	c := callFrom(ctx)
	domain, err := in.domain()
	if err != nil {
		return nil, err
	}
	var body ControlRequest
	if err := c.decode(&body); err != nil {
		return nil, err
	}
	n := directory.NewControl{Domain: domain}
	if body.Expiry != "" && body.Expiry != "never" {
		if n.Expiry, err = directory.ParseDate(body.Expiry); err != nil {
			return nil, invalid("start proof of control", []directory.Problem{directory.ProblemsOf(err)[0].At("/expiry")})
		}
	}
	made, token, err := s.cfg.Directory.StartControl(ctx, c.viewer, in.ID, n)
	if err != nil {
		return nil, in.explain(err)
	}
	return &controlOutput{ControlFrom(&made, s.cfg.ControlLabel, token)}, nil
}

func (s *Server) renewControl(ctx context.Context, in *controlInput) (*controlOutput, error) {
	domain, err := in.domain()
	if err != nil {
		return nil, err
	}
	made, token, err := s.cfg.Directory.RenewControl(ctx, callFrom(ctx).viewer, in.ID, domain)
	if err != nil {
		return nil, in.explain(err)
	}
	return &controlOutput{ControlFrom(&made, s.cfg.ControlLabel, token)}, nil
}

func (s *Server) checkControl(ctx context.Context, in *controlInput) (*controlRunOutput, error) {
	domain, err := in.domain()
	if err != nil {
		return nil, err
	}
	due, err := s.cfg.Directory.CheckControl(ctx, callFrom(ctx).viewer, in.ID, domain)
	if err != nil {
		return nil, in.explain(err)
	}
	return &controlRunOutput{ControlRun{Domain: string(domain), Due: due}}, nil
}

func (s *Server) withdrawControl(ctx context.Context, in *controlInput) (*struct{}, error) {
	domain, err := in.domain()
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Directory.WithdrawControl(ctx, callFrom(ctx).viewer, in.ID, domain); err != nil {
		return nil, in.explain(err)
	}
	return nil, nil
}

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Campaign asks many contacts within one announced window.
type Campaign struct {
	ID       string         `json:"id" format:"uuid" doc:"Its id" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
	Name     string         `json:"name" doc:"As the people who are asked know it" example:"Autumn 2026"`
	State    string         `json:"state" enum:"planned,running,halted,done,aborted" doc:"Where it stands" example:"running"`
	Policy   string         `json:"policy,omitzero" doc:"By which policy; absent: by the one that holds for each contact" example:"half-yearly"`
	Kind     string         `json:"kind,omitzero" doc:"How contacts are asked; absent: by what fits each" example:"code"`
	Scope    CampaignScope  `json:"scope" doc:"Who is asked"`
	From     time.Time      `json:"from" format:"date-time" doc:"When its window begins; not before it was started"`
	To       time.Time      `json:"to" format:"date-time" doc:"When its window ends; later by as long as it stood still"`
	Created  time.Time      `json:"created" format:"date-time" doc:"When it was planned"`
	By       string         `json:"by" doc:"By whom" example:"token:rct_4f2a9c1b"`
	Halted   time.Time      `json:"halted,omitzero" format:"date-time" doc:"Since when it stands still"`
	Still    int64          `json:"still_seconds,omitzero" doc:"For how long it stood still before; moments are drawn over the window without that, and come so much later" example:"259200"`
	Filled   bool           `json:"filled" doc:"Every contact has its question, or is among the skipped" example:"true"`
	Skipped  map[string]int `json:"skipped,omitzero" doc:"Contacts that are not asked, by why: no-policy, unvouched, no-way, asked-already, no-working-time, opted-out, removed" example:"{\"no-way\":2}"`
	Secret   string         `json:"secret,omitzero" doc:"Once it is over: from which each contact's moment was drawn, in hex, so that anybody can check that nobody was favoured" example:"6f1d…"`
	Progress *Progress      `json:"progress,omitzero" doc:"How far it has come; not in lists"`
}

// CampaignScope says who is asked. What is given must all hold.
type CampaignScope struct {
	Forum   string   `json:"forum,omitzero" maxLength:"64" doc:"Present members of this forum" example:"tf-csirt"`
	Tier    string   `json:"tier,omitzero" maxLength:"64" doc:"Whose membership is of this type or status" example:"accredited"`
	Country string   `json:"country,omitzero" maxLength:"64" doc:"Teams of this country" example:"AT"`
	Sector  string   `json:"sector,omitzero" maxLength:"64" doc:"Teams that serve this sector" example:"energy"`
	Uses    []string `json:"uses,omitzero" maxItems:"20" doc:"Contacts that serve one of these uses" example:"[\"abuse\"]"`
	Teams   []string `json:"teams,omitzero" maxItems:"10000" doc:"These teams alone, by handle or id" example:"[\"example-csirt\"]"`
}

// Progress is how far a campaign has come. The states add up to the total.
type Progress struct {
	Total     int            `json:"total" doc:"Questions" example:"212"`
	Asked     int            `json:"asked" doc:"Those that went out" example:"180"`
	Over      int            `json:"over" doc:"Those that are answered or closed" example:"122"`
	Mails     int            `json:"mails" doc:"Mails that were asked for, reminders included" example:"190"`
	Accepted  int            `json:"accepted" doc:"Mails that the relay took" example:"188"`
	Bounced   int            `json:"bounced" doc:"Contacts of which a mail came back" example:"7"`
	Automatic int            `json:"automatic" doc:"Contacts that sent an automatic reply" example:"11"`
	Quick     int            `json:"quick" doc:"Contacts of which something came within 120 seconds of its mail that looks like the act of a person: it counts, and may be a program's" example:"2"`
	Paused    int            `json:"paused" doc:"Questions that stand still" example:"0"`
	States    map[string]int `json:"states" doc:"Questions by state" example:"{\"answered\":115,\"scheduled\":97}"`
	Outcomes  map[string]int `json:"outcomes" doc:"Closed questions by why" example:"{\"undeliverable\":7}"`
	Levels    map[string]int `json:"levels" doc:"Questions that went out, by the highest level that was proven" example:"{\"2\":100,\"3\":15}"`
	Next      time.Time      `json:"next,omitzero" format:"date-time" doc:"When the next one goes out"`
}

// CampaignPage is a page of campaigns.
type CampaignPage struct {
	Campaigns []Campaign `json:"campaigns" doc:"Newest first"`
	Next      string     `json:"next,omitzero" doc:"What to send as after for the next page; absent on the last" example:"MTc2NzIyNTYwMDAwMDAwMA"`
}

// NewCampaign is the body of a request that plans a campaign.
type NewCampaign struct {
	Name   string        `json:"name" maxLength:"200" doc:"As the people who are asked know it" example:"Autumn 2026"`
	Policy string        `json:"policy,omitzero" maxLength:"40" doc:"By which policy; absent: by the one that holds for each contact" example:"half-yearly"`
	Kind   string        `json:"kind,omitzero" enum:"code,nonce,signed,both,drill,phone" doc:"How to ask; absent: by what fits each contact" example:"code"`
	Scope  CampaignScope `json:"scope,omitzero" doc:"Who is asked; absent: everybody. A secretariat names its forum"`
	From   time.Time     `json:"from" format:"date-time" doc:"When the window begins"`
	To     time.Time     `json:"to" format:"date-time" doc:"When it ends, at most 366 days later"`
}

// CampaignMove is the body of a request that moves a campaign on.
type CampaignMove struct {
	Move string `json:"move" enum:"start,halt,resume,abort" doc:"halt: nothing more is sent, answers still count; resume: and everything has that much more time; abort: for good" example:"start"`
}

type (
	campaignsInput struct {
		Before time.Time `query:"before" format:"date-time" doc:"Those planned before a moment" example:"2026-11-21T12:00:00Z"`
		After  string    `query:"after" maxLength:"200" doc:"The next of the page before, in place of before" example:"MTc2NzIyNTYwMDAwMDAwMA"`
		Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Campaigns on a page" example:"50"`
	}
	campaignsOutput struct{ Body CampaignPage }
	campaignInput   struct {
		ID string `path:"id" maxLength:"64" doc:"Id of the campaign" example:"9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"`
	}
	campaignOutput    struct{ Body Campaign }
	newCampaignOutput struct {
		Location string `header:"Location" doc:"Where the campaign is"`
		Body     Campaign
	}
	outcomeOutput struct {
		ContentType string `header:"Content-Type" hidden:"true"`
		Policy      string `header:"Content-Security-Policy" hidden:"true"`
		Vary        string `header:"Vary" doc:"Accept: the form depends on it"`
		Body        []byte
	}
)

func exampleCampaign() Campaign {
	at := exampleDay()
	return Campaign{ID: "9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55", Name: "Autumn 2026", State: "running", Policy: "half-yearly", Scope: CampaignScope{Forum: "tf-csirt"},
		From: at, To: at.AddDate(0, 0, 14), Created: at.AddDate(0, 0, -7), By: "token:rct_4f2a9c1b", Filled: true,
		Progress: &Progress{Total: 1, Asked: 1, Over: 1, Mails: 1, Accepted: 1, States: map[string]int{"answered": 1}, Outcomes: map[string]int{}, Levels: map[string]int{"2": 1}}}
}

func (s *Server) registerCampaigns() {
	const tag, one = "challenges", "/v1/campaigns/{id}"
	listed, planned := exampleCampaign(), exampleCampaign()
	listed.Progress = nil
	planned.State, planned.Filled, planned.Progress = "planned", false, nil
	register(s, spec{id: "list-campaigns", method: http.MethodGet, path: "/v1/campaigns", tag: tag, access: token,
		summary: "List campaigns", more: "Newest first. For operators, and for secretariats those of their forum.", answer: CampaignPage{Campaigns: []Campaign{listed}}}, s.listCampaigns)
	register(s, spec{id: "plan-campaign", method: http.MethodPost, path: "/v1/campaigns", tag: tag, access: token, status: http.StatusCreated,
		summary: "Plan a campaign", more: "Nobody is asked before it is started. Each contact's moment is drawn over the working time of its team within the window. For operators, and for secretariats of their forum.",
		body: NewCampaign{Name: "Autumn 2026", Policy: "half-yearly", Scope: CampaignScope{Forum: "tf-csirt"}, From: planned.From, To: planned.To}, answer: planned}, s.planCampaign)
	register(s, spec{id: "get-campaign", method: http.MethodGet, path: one, tag: tag, access: token,
		summary: "Show a campaign and how far it has come", more: "For operators, and for secretariats of their forum.", errors: []int{notFound}, answer: exampleCampaign()}, s.getCampaign)
	register(s, spec{id: "move-campaign", method: http.MethodPost, path: one + "/move", tag: tag, access: token,
		summary: "Start, halt, resume or abort a campaign", more: "Nothing goes out while it stands still. It starts, and goes on, once the self-test of our own mails passes. For operators, and for secretariats of their forum.", errors: []int{notFound, conflict}, body: CampaignMove{Move: "start"}, answer: exampleCampaign()}, s.moveCampaign)
	s.registerReport(spec{id: "get-campaign-report", method: http.MethodGet, path: one + "/report", tag: tag, access: token,
		summary: "Show what a campaign came to",
		more: "How many answered, how they were proven, and how quickly, by forum, sector and country; who has not answered counts as still waiting. Groups of fewer than five teams have no figures. " +
			"As JSON, or as Accept asks as CSV or as one HTML page with its charts.", errors: []int{notFound}})
}

// registerReport registers what answers with a report in three forms.
func (s *Server) registerReport(sp spec) {
	switch sp.id {
	case "get-campaign-report":
		register(s, sp, s.campaignReport)
	default:
		register(s, sp, s.responseTimes)
	}
	doc := s.huma.OpenAPI()
	ok := operationAt(doc.Paths[sp.path], sp.method).Responses["200"]
	ok.Content = map[string]*huma.MediaType{
		"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, Description: "A report; its members may grow", AdditionalProperties: true}, Example: exampleReport()},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}, Example: "by,name,suppressed,teams,asked,answered\r\nall,,false,40,42,35\r\n"},
		"text/html":        {Schema: &huma.Schema{Type: huma.TypeString}, Example: "<h1>Autumn 2026</h1>\n"},
	}
}

func exampleReport() map[string]any {
	return map[string]any{"title": "Autumn 2026", "policy": "half-yearly", "made": exampleDay(), "progress": map[string]any{"total": 42, "over": 42},
		"groups": []any{map[string]any{"by": "all", "teams": 40, "asked": 42, "answered": 35, "human": map[string]any{"count": 35, "median_seconds": 7260}}}}
}

// campaignFrom makes the wire form of a campaign.
func campaignFrom(c *challenge.Campaign) Campaign {
	out := Campaign{ID: string(c.ID), Name: c.Name, State: string(c.State), Policy: c.Policy, Kind: string(c.Kind), From: utc(c.From), To: utc(c.To), Created: utc(c.Created), By: c.By,
		Halted: utc(c.Halted), Still: int64(c.Held / time.Second), Filled: c.Filled,
		Scope: CampaignScope{Forum: c.Scope.Forum, Tier: c.Scope.Tier, Country: string(c.Scope.Country), Sector: c.Scope.Sector, Uses: c.Scope.Uses}}
	if len(c.Skipped) > 0 {
		out.Skipped = counts(c.Skipped)
	}
	for _, t := range c.Scope.Teams {
		out.Scope.Teams = append(out.Scope.Teams, string(t))
	}
	out.Secret = c.Published()
	return out
}

// counts makes the keys of a map plain.
func counts[K ~string](m map[K]int) map[string]int {
	out := make(map[string]int, len(m))
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

// CampaignOf makes the wire form of a campaign, with how far it has come.
func CampaignOf(c *challenge.Campaign, p *challenge.Progress) Campaign {
	out := campaignFrom(c)
	out.Progress = progressFrom(p)
	return out
}

func progressFrom(p *challenge.Progress) *Progress {
	out := &Progress{Total: p.Total, Asked: p.Asked, Over: p.Over, Mails: p.Mails, Accepted: p.Accepted, Bounced: p.Bounced, Automatic: p.Automatic, Quick: p.Quick, Paused: p.Paused,
		States: counts(p.States), Outcomes: counts(p.Outcomes), Levels: map[string]int{}, Next: utc(p.Next)}
	for k, n := range p.Levels {
		out.Levels[string(rune('0'+k))] = n
	}
	return out
}

func (s *Server) listCampaigns(ctx context.Context, in *campaignsInput) (*campaignsOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	f := challenge.CampaignFilter{Before: in.Before, Limit: in.Limit + 1}
	if in.After != "" {
		var last [1]string
		if f.Before, err = parsePageMark(in.After, last[:]); err != nil {
			return nil, inParameter("after", err)
		}
		f.BeforeID = challenge.CampaignID(last[0])
	}
	list, err := desk.Campaigns(ctx, callFrom(ctx).viewer, f)
	if err != nil {
		return nil, err
	}
	out := &campaignsOutput{CampaignPage{Campaigns: []Campaign{}}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.Next = pageMark(list[in.Limit-1].Created, string(list[in.Limit-1].ID))
	}
	for i := range list {
		out.Body.Campaigns = append(out.Body.Campaigns, campaignFrom(&list[i]))
	}
	return out, nil
}

func (s *Server) planCampaign(ctx context.Context, _ *struct{}) (*newCampaignOutput, error) {
	d, err := readDesk[NewCampaign](ctx, s)
	if err != nil {
		return nil, err
	}
	in := &d.body
	scope, err := s.scopeFrom(ctx, d.viewer, &in.Scope)
	if err != nil {
		return nil, err
	}
	made, err := d.PlanCampaign(ctx, d.viewer, challenge.Campaign{Name: in.Name, Policy: in.Policy, Kind: challenge.Kind(in.Kind), Scope: scope, From: in.From, To: in.To})
	if err != nil {
		return nil, err
	}
	return &newCampaignOutput{Location: "/v1/campaigns/" + string(made.ID), Body: campaignFrom(&made)}, nil
}

// scopeFrom reads who is to be asked.
func (s *Server) scopeFrom(ctx context.Context, viewer directory.Principal, in *CampaignScope) (challenge.Scope, error) {
	out := challenge.Scope{Forum: in.Forum, Tier: in.Tier, Sector: in.Sector, Uses: in.Uses}
	var found []directory.Problem
	if in.Country != "" {
		country, err := directory.ParseCountry(in.Country)
		if err != nil {
			p, _ := errors.AsType[directory.Problem](err)
			p.Field = "/scope/country"
			found = append(found, p)
		}
		out.Country = country
	}
	for i, ref := range in.Teams {
		team, err := s.cfg.Directory.Team(ctx, viewer, ref)
		if directory.KindOf(err) == directory.NotFound {
			found = append(found, directory.Problem{Code: "team.unknown", Field: "/scope/teams/" + strconv.Itoa(i), Value: shorten(ref), Reason: "no team has this handle or id", Want: "a handle or id of the directory"})
			continue
		}
		if err != nil {
			return out, err
		}
		out.Teams = append(out.Teams, team.ID)
	}
	return out, invalid("read body", found)
}

func unknownCampaign(err error, id string) error {
	return unknownOf(err, "id", "campaign.unknown", id, "no campaign has this id", "an id of the list of campaigns")
}

func (s *Server) getCampaign(ctx context.Context, in *campaignInput) (*campaignOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	c, progress, err := desk.Campaign(ctx, callFrom(ctx).viewer, challenge.CampaignID(in.ID))
	if err != nil {
		return nil, unknownCampaign(err, in.ID)
	}
	return &campaignOutput{CampaignOf(&c, &progress)}, nil
}

func (s *Server) moveCampaign(ctx context.Context, in *campaignInput) (*campaignOutput, error) {
	d, err := readDesk[CampaignMove](ctx, s)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(challenge.Moves(), challenge.Move(d.body.Move)) {
		return nil, invalid("read body", []directory.Problem{{Code: challenge.CodeCampaignState, Field: "/move", Value: shorten(d.body.Move), Reason: "no campaign moves so", Want: "start, halt, resume or abort"}})
	}
	// A client that goes away does not leave a campaign half steered: what is left is carried on by the server.
	if _, err := d.Steer(context.WithoutCancel(ctx), d.viewer, challenge.CampaignID(in.ID), challenge.Move(d.body.Move)); err != nil {
		return nil, unknownCampaign(err, in.ID)
	}
	return s.getCampaign(ctx, in)
}

func (s *Server) campaignReport(ctx context.Context, in *campaignInput) (*outcomeOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	r, err := desk.Report(ctx, callFrom(ctx).viewer, challenge.CampaignID(in.ID))
	if err != nil {
		return nil, unknownCampaign(err, in.ID)
	}
	return reportAs(callFrom(ctx), &r)
}

// reportAs writes a report in the form that Accept likes best.
func reportAs(c *call, r *challenge.Report) (*outcomeOutput, error) {
	out := &outcomeOutput{ContentType: "application/json", Vary: "Accept"}
	ranges := strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",")
	best := preference(ranges, "application/json")
	var b bytes.Buffer
	write := func() error {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	if q := preference(ranges, "text/csv"); q > best {
		best, out.ContentType, write = q, "text/csv; charset=utf-8", func() error { return r.WriteCSV(&b) }
	}
	if preference(ranges, "text/html") > best {
		out.ContentType, write = "text/html; charset=utf-8", func() error { return r.WriteHTML(&b) }
		out.Policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	}
	err := write()
	out.Body = b.Bytes()
	return out, err
}

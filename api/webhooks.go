package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Webhook is an endpoint that is told what becomes of questions, without its secret.
type Webhook struct {
	ID        string    `json:"id" format:"uuid" doc:"Its id" example:"c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11"`
	Team      *TeamRef  `json:"team,omitzero" doc:"Whose questions it hears of; absent: everybody's"`
	URL       string    `json:"url" format:"uri" doc:"Where events are posted" example:"https://hooks.example.org/rollcall"`
	Types     []string  `json:"types,omitzero" doc:"What it hears of; absent: everything" example:"[\"challenge.answered\"]"`
	Note      string    `json:"note,omitzero" doc:"What it is for" example:"our ticket system"`
	Active    bool      `json:"active" doc:"It is told of what happens" example:"true"`
	Off       string    `json:"off,omitzero" doc:"Why it was switched off by itself" example:"the endpoint answered 410 Gone"`
	Created   time.Time `json:"created" format:"date-time" doc:"When it was made"`
	By        string    `json:"by" doc:"By whom" example:"token:rct_4f2a9c1b"`
	BothUntil time.Time `json:"both_until,omitzero" format:"date-time" doc:"Until when the secret before the present one signs as well"`
}

// NewWebhook is the body of a request for a webhook, or of one that changes it.
type NewWebhook struct {
	Team   string   `json:"team,omitzero" maxLength:"64" doc:"Handle or id of the team whose questions it hears of; absent: everybody's, for operators. It can't be changed" example:"example-csirt"`
	URL    string   `json:"url" maxLength:"2048" doc:"https URL with a host name, on the default port" example:"https://hooks.example.org/rollcall"`
	Types  []string `json:"types,omitzero" enum:"challenge.sent,challenge.delivered,challenge.bounced,challenge.reminded,challenge.expired,challenge.escalated,challenge.answered,challenge.closed" doc:"What it hears of; absent or empty: everything"`
	Note   string   `json:"note,omitzero" maxLength:"200" doc:"What it is for" example:"our ticket system"`
	Active *bool    `json:"active,omitzero" doc:"Whether it is told of what happens; absent: yes" example:"true"`
}

// CreatedWebhook is a webhook with its secret.
type CreatedWebhook struct {
	Secret  string  `json:"secret" doc:"What events are signed with: its characters are the key of HMAC-SHA-256. It can't be shown again" example:"rcw_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJK"`
	Webhook Webhook `json:"webhook" doc:"What it is for"`
}

// WebhookList is the webhooks that somebody may see.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks" doc:"Oldest first"`
}

// WebhookDelivery is what became of one event for one webhook.
type WebhookDelivery struct {
	ID       string    `json:"id" doc:"As in the header Rollcall-Delivery: the same each time that it is tried" example:"c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11-4711"`
	Number   int64     `json:"number" doc:"Number of the event" example:"4711"`
	Type     string    `json:"type" doc:"Type of the event, or ping" example:"challenge.answered"`
	State    string    `json:"state" enum:"waiting,done,given-up,dropped" doc:"What became of it; dropped is what waited when the webhook was switched off" example:"done"`
	Attempts int       `json:"attempts" doc:"How often it was tried" example:"1"`
	Status   int       `json:"status,omitzero" doc:"HTTP status of the last try" example:"204"`
	Problem  string    `json:"problem,omitzero" doc:"Code of what went wrong at the last try" example:"fetch.timeout"`
	Created  time.Time `json:"created" format:"date-time" doc:"When it happened"`
	Due      time.Time `json:"due,omitzero" format:"date-time" doc:"When it is tried next"`
	Done     time.Time `json:"done,omitzero" format:"date-time" doc:"When it was over"`
}

// WebhookDeliveries is a page of deliveries.
type WebhookDeliveries struct {
	Deliveries []WebhookDelivery `json:"deliveries" doc:"Newest first"`
	Next       int64             `json:"next,omitzero" doc:"What to send as before for the next page; absent on the last" example:"4700"`
}

// WebhookPing is a ping on its way.
type WebhookPing struct {
	Delivery string `json:"delivery" doc:"Id of the delivery, in the list of deliveries" example:"c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11-4712"`
	Number   int64  `json:"number" doc:"Number of the event" example:"4712"`
}

type (
	webhooksInput struct {
		Team string `query:"team" maxLength:"64" doc:"Handle or id of a team; without it, those of the editor's team, or all for operators" example:"example-csirt"`
	}
	webhooksOutput struct{ Body WebhookList }
	webhookInput   struct {
		ID string `path:"id" maxLength:"64" doc:"Id of the webhook" example:"c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11"`
	}
	webhookOutput struct{ Body Webhook }
	secretOutput  struct{ Body CreatedWebhook }
	newWebhook    struct {
		Location string `header:"Location" doc:"Where the webhook is"`
		Body     CreatedWebhook
	}
	deliveriesInput struct {
		ID     string `path:"id" maxLength:"64" doc:"Id of the webhook" example:"c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11"`
		Before int64  `query:"before" minimum:"1" doc:"Only events below this number: the next of the page before" example:"4711"`
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Deliveries on a page" example:"50"`
	}
	deliveriesOutput struct{ Body WebhookDeliveries }
	pingOutput       struct{ Body WebhookPing }
)

func exampleWebhook() Webhook {
	team := exampleRef()
	return Webhook{ID: "c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11", Team: &team, URL: "https://hooks.example.org/rollcall", Types: []string{"challenge.answered", "challenge.closed"}, Note: "our ticket system", Active: true,
		Created: exampleDay(), By: "token:rct_4f2a9c1b"}
}

func (s *Server) registerWebhooks() {
	const tag, all, one = "challenges", "/v1/webhooks", "/v1/webhooks/{id}"
	w := exampleWebhook()
	yes := true
	body := NewWebhook{Team: "example-csirt", URL: w.URL, Types: w.Types, Note: w.Note, Active: &yes}
	made := CreatedWebhook{Secret: "rcw_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJK", Webhook: w}
	change := body
	change.Team = ""
	register(s, spec{id: "list-webhooks", method: http.MethodGet, path: all, tag: tag, access: token,
		summary: "List webhooks", more: "Without their secrets. Those of a team are for its editors and for operators.", errors: []int{notFound}, answer: WebhookList{Webhooks: []Webhook{w}}}, s.listWebhooks)
	register(s, spec{id: "create-webhook", method: http.MethodPost, path: all, tag: tag, access: token, status: http.StatusCreated,
		summary: "Have events about questions posted to an endpoint",
		more:    "Each event is posted in order, signed, until the endpoint answers 2xx. The secret is in this answer and nowhere else. Those of a team are for its editors and for operators, those of everybody for operators.",
		errors:  []int{conflict}, body: body, answer: made}, s.createWebhook)
	register(s, spec{id: "get-webhook", method: http.MethodGet, path: one, tag: tag, access: token,
		summary: "Show a webhook", more: "Without its secret. For the team's editors and for operators.", errors: []int{notFound}, answer: w}, s.getWebhook)
	register(s, spec{id: "change-webhook", method: http.MethodPut, path: one, tag: tag, access: token,
		summary: "Change a webhook", more: "Replaces all but its team and secret. Switched on again, it hears of what happens from then on. For the team's editors and for operators.",
		errors: []int{notFound}, body: change, answer: w}, s.changeWebhook)
	register(s, spec{id: "delete-webhook", method: http.MethodDelete, path: one, tag: tag, access: token, status: http.StatusNoContent,
		summary: "Remove a webhook", more: "With what is known of its deliveries. For the team's editors and for operators.", errors: []int{notFound}}, s.deleteWebhook)
	register(s, spec{id: "webhook-deliveries", method: http.MethodGet, path: one + "/deliveries", tag: tag, access: token,
		summary: "Show what became of a webhook's events", more: "For the team's editors and for operators.", errors: []int{notFound},
		answer: WebhookDeliveries{Deliveries: []WebhookDelivery{{ID: w.ID + "-4711", Number: 4711, Type: "challenge.answered", State: "done", Attempts: 1, Status: 204, Created: exampleDay(), Done: exampleDay()}}}}, s.webhookDeliveries)
	register(s, spec{id: "ping-webhook", method: http.MethodPost, path: one + "/ping", tag: tag, access: token, status: http.StatusAccepted,
		summary: "Try out a webhook", more: "An event of type ping is posted in its turn, also to one that is switched off; the list of deliveries shows what came of it. For the team's editors and for operators.",
		errors: []int{notFound, conflict}, answer: WebhookPing{Delivery: w.ID + "-4712", Number: 4712}}, s.pingWebhook)
	register(s, spec{id: "rotate-webhook", method: http.MethodPost, path: one + "/secret", tag: tag, access: token,
		summary: "Give a webhook a new secret", more: "It is in this answer and nowhere else. For a day both secrets sign. For the team's editors and for operators.",
		errors: []int{notFound}, answer: made}, s.rotateWebhook)
}

func unknownWebhook(err error, id string) error {
	return unknownOf(err, "id", "webhook.unknown", id, "no webhook has this id", "an id of the list of webhooks")
}

func (s *Server) webhookFrom(h *challenge.Hook) Webhook {
	w := Webhook{ID: string(h.ID), URL: h.URL, Types: h.Types, Note: h.Note, Active: h.Active, Off: h.Off, Created: h.Created.UTC(), By: h.By}
	if s.cfg.Now().Before(h.OldUntil) {
		w.BothUntil = utc(h.OldUntil)
	}
	if h.Team == "" {
		return w
	}
	w.Team = &TeamRef{ID: string(h.Team)}
	if x := s.cfg.Index(); x != nil {
		if t, ok := x.Team(h.Team); ok {
			ref := refOf(t)
			w.Team = &ref
		}
	}
	return w
}

func (s *Server) listWebhooks(ctx context.Context, in *webhooksInput) (*webhooksOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	viewer := callFrom(ctx).viewer
	var team directory.TeamID
	if in.Team != "" {
		t, err := s.cfg.Directory.Team(ctx, viewer, in.Team)
		if err != nil {
			return nil, inParameter("team", err)
		}
		team = t.ID
	}
	list, err := desk.Hooks(ctx, viewer, team)
	if err != nil {
		return nil, err
	}
	out := &webhooksOutput{WebhookList{Webhooks: []Webhook{}}}
	for i := range list {
		out.Body.Webhooks = append(out.Body.Webhooks, s.webhookFrom(&list[i]))
	}
	return out, nil
}

// hookTerms reads what somebody wants of a webhook.
func hookTerms(in *NewWebhook) challenge.HookTerms {
	return challenge.HookTerms{URL: in.URL, Types: in.Types, Note: in.Note, Active: in.Active == nil || *in.Active}
}

func (s *Server) createWebhook(ctx context.Context, _ *struct{}) (*newWebhook, error) {
	d, err := readDesk[NewWebhook](ctx, s)
	if err != nil {
		return nil, err
	}
	terms := hookTerms(&d.body)
	if d.body.Team != "" {
		t, err := s.cfg.Directory.Team(ctx, d.viewer, d.body.Team)
		if directory.KindOf(err) == directory.NotFound {
			return nil, invalid("read body", []directory.Problem{{Code: "team.unknown", Field: "/team", Value: shorten(d.body.Team), Reason: "no team has this handle or id", Want: "a handle or id of the directory"}})
		}
		if err != nil {
			return nil, err
		}
		terms.Team = t.ID
	}
	h, secret, err := d.AddHook(ctx, d.viewer, terms)
	if err != nil {
		return nil, err
	}
	return &newWebhook{Location: "/v1/webhooks/" + string(h.ID), Body: CreatedWebhook{Secret: secret, Webhook: s.webhookFrom(&h)}}, nil
}

// oneWebhook answers with what a desk said of a webhook.
func (s *Server) oneWebhook(id string) func(challenge.Hook, error) (*webhookOutput, error) {
	return func(h challenge.Hook, err error) (*webhookOutput, error) {
		if err != nil {
			return nil, unknownWebhook(err, id)
		}
		return &webhookOutput{s.webhookFrom(&h)}, nil
	}
}

func (s *Server) getWebhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	return s.oneWebhook(in.ID)(desk.Hook(ctx, callFrom(ctx).viewer, challenge.HookID(in.ID)))
}

func (s *Server) changeWebhook(ctx context.Context, in *webhookInput) (*webhookOutput, error) {
	d, err := readDesk[NewWebhook](ctx, s)
	if err != nil {
		return nil, err
	}
	if d.body.Team != "" {
		return nil, invalid("read body", []directory.Problem{{Code: "webhook.team", Field: "/team", Value: shorten(d.body.Team), Reason: "the team of a webhook stays", Want: "no team, or a new webhook"}})
	}
	return s.oneWebhook(in.ID)(d.ChangeHook(ctx, d.viewer, challenge.HookID(in.ID), hookTerms(&d.body)))
}

func (s *Server) deleteWebhook(ctx context.Context, in *webhookInput) (*struct{}, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	return nil, unknownWebhook(desk.RemoveHook(ctx, callFrom(ctx).viewer, challenge.HookID(in.ID)), in.ID)
}

func (s *Server) webhookDeliveries(ctx context.Context, in *deliveriesInput) (*deliveriesOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	list, err := desk.Deliveries(ctx, callFrom(ctx).viewer, challenge.HookID(in.ID), in.Before, in.Limit+1)
	if err != nil {
		return nil, unknownWebhook(err, in.ID)
	}
	out := &deliveriesOutput{WebhookDeliveries{Deliveries: []WebhookDelivery{}}}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		out.Body.Next = list[in.Limit-1].N
	}
	for i := range list {
		d := &list[i]
		out.Body.Deliveries = append(out.Body.Deliveries, WebhookDelivery{ID: d.ID(), Number: d.N, Type: d.Type, State: string(d.State), Attempts: d.Attempt, Status: d.Status, Problem: d.Problem,
			Created: d.Created.UTC(), Due: utc(d.Due), Done: utc(d.Done)})
	}
	return out, nil
}

func (s *Server) pingWebhook(ctx context.Context, in *webhookInput) (*pingOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	n, err := desk.Ping(ctx, callFrom(ctx).viewer, challenge.HookID(in.ID))
	if err != nil {
		return nil, unknownWebhook(err, in.ID)
	}
	d := challenge.Delivery{Hook: challenge.HookID(in.ID), N: n.Number}
	return &pingOutput{WebhookPing{Delivery: d.ID(), Number: n.Number}}, nil
}

func (s *Server) rotateWebhook(ctx context.Context, in *webhookInput) (*secretOutput, error) {
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	h, secret, err := desk.RotateHook(ctx, callFrom(ctx).viewer, challenge.HookID(in.ID))
	if err != nil {
		return nil, unknownWebhook(err, in.ID)
	}
	return &secretOutput{CreatedWebhook{Secret: secret, Webhook: s.webhookFrom(&h)}}, nil
}

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// Endpoint says how the automation behind a contact answers, without any key.
type Endpoint struct {
	Contact string    `json:"contact" doc:"Id of the contact, to whose URL questions are posted" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Scheme  string    `json:"scheme" enum:"hmac,ed25519" doc:"How its answers are signed" example:"hmac"`
	Created time.Time `json:"created" format:"date-time" doc:"When the keys were set"`
	By      string    `json:"by" doc:"By whom" example:"token:rct_4f2a9c1b"`
}

// NewEndpoint is the key with which a team's automation answers.
type NewEndpoint struct {
	Scheme string `json:"scheme" enum:"hmac,ed25519" doc:"How its answers are signed" example:"hmac"`
	Key    string `json:"key" maxLength:"1024" doc:"Of hmac the shared secret, 32 characters or more, which are the key; of ed25519 the public key in base64" example:"correct-horse-battery-staple-and-more"`
}

// SetEndpoint is an endpoint with the secret of our questions to it.
type SetEndpoint struct {
	Secret   string   `json:"secret" doc:"What questions are signed with: its characters are the key of HMAC-SHA-256. It can't be shown again" example:"rcw_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJK"`
	Endpoint Endpoint `json:"endpoint" doc:"What it is for"`
}

// AutomationAnswer is what a team's automation sends, signed.
type AutomationAnswer struct {
	Challenge string `json:"challenge" doc:"Id of the question, as it was sent" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	Nonce     string `json:"nonce" doc:"The nonce, as it was sent" example:"7F3K9Q2M7F3K9Q2M7F3K9Q2M7F3K9Q2M"`
}

// AnswerTaken says what became of a question by an answer.
type AnswerTaken struct {
	Challenge string `json:"challenge" format:"uuid" doc:"The question" example:"4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11"`
	State     string `json:"state" doc:"Where it stands now" example:"answered"`
	Level     int    `json:"level" minimum:"0" maximum:"4" doc:"The highest level proven: 2 by automation, which says nothing about people" example:"2"`
}

type (
	endpointInput struct {
		ID      string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
		Contact string `path:"contact" maxLength:"64" doc:"Id of the contact" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	}
	endpointOutput    struct{ Body Endpoint }
	setEndpointOutput struct{ Body SetEndpoint }
	answerInput       struct {
		Signature string `header:"Rollcall-Signature" maxLength:"1024" doc:"Time and signature over time and body" example:"t=1767225600,v1=b97481a1a3e3a27ebb671fa495fcc9de0fea863cd0046f9f99bab1d57461106a"`
	}
	answerTakenOutput struct{ Body AnswerTaken }
)

func (s *Server) registerEndpoints() {
	const tag, one = "challenges", "/v1/teams/{id}/contacts/{contact}/webhook"
	e := Endpoint{Contact: exampleContactID, Scheme: "hmac", Created: exampleDay(), By: "token:rct_4f2a9c1b"}
	register(s, spec{id: "get-endpoint", method: http.MethodGet, path: one, tag: tag, access: token,
		summary: "Show how the automation behind a contact answers", more: "Without any key. For the team's editors and for operators.", errors: []int{notFound}, answer: e}, s.getEndpoint)
	register(s, spec{id: "set-endpoint", method: http.MethodPut, path: one, tag: tag, access: token,
		summary: "Have the automation behind a contact asked",
		more: "The contact is one of channel url: questions are posted there, signed by the secret that is in this answer and nowhere else. What the automation answers proves level 2 for itself, and nothing about people. " +
			"A new key ends the old one at once. For the team's editors and for operators.",
		errors: []int{notFound}, body: NewEndpoint{Scheme: "hmac", Key: "correct-horse-battery-staple-and-more"}, answer: SetEndpoint{Secret: "rcw_0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJK", Endpoint: e}}, s.setEndpoint)
	register(s, spec{id: "delete-endpoint", method: http.MethodDelete, path: one, tag: tag, access: token, status: http.StatusNoContent,
		summary: "Have the automation behind a contact asked no more", more: "For the team's editors and for operators.", errors: []int{notFound}}, s.deleteEndpoint)
	register(s, spec{id: "answer-question", method: http.MethodPost, path: "/v1/webhook-answers", tag: tag, access: open, maxBody: maxAnswerBody,
		summary: "Answer a question as a team's automation",
		more:    "No token is needed: the signature counts, by the key that is registered for the contact, over the body as it is sent. An answer is taken once.",
		errors:  []int{http.StatusForbidden, conflict, http.StatusServiceUnavailable}, body: AutomationAnswer{Challenge: exampleQuestion().ID, Nonce: "7F3K9Q2M7F3K9Q2M7F3K9Q2M7F3K9Q2M"},
		answer: AnswerTaken{Challenge: exampleQuestion().ID, State: "answered", Level: 2}}, s.answerQuestion)
}

// maxAnswerBody is the largest answer of automation.
const maxAnswerBody = 4 << 10

// deskContact is a request to a desk about a contact of a team, for what may allows.
func (s *Server) deskContact(ctx context.Context, in *endpointInput, may func(directory.Principal, *directory.Team) error) (deskTeam, error) {
	d, err := s.deskTeam(ctx, in.ID)
	if err != nil {
		return d, err
	}
	if err := may(d.viewer, d.whole); err != nil {
		return d, err
	}
	for i := range d.shown.Contacts {
		if string(d.shown.Contacts[i].ID) == in.Contact {
			return d, nil
		}
	}
	return d, inParameter("contact", edgeError(directory.NotFound, "contact.unknown", in.Contact, "the team has no such contact, or it is not shown to you", "the id of one of its contacts"))
}

func unknownEndpoint(err error, contact string) error {
	return unknownOf(err, "contact", "webhook.none", contact, "no automation is registered for this contact", "a contact with one, or PUT to register it")
}

func endpointFrom(e *challenge.Endpoint) Endpoint {
	return Endpoint{Contact: string(e.Contact), Scheme: string(e.Scheme), Created: e.Created.UTC(), By: e.By}
}

func (s *Server) getEndpoint(ctx context.Context, in *endpointInput) (*endpointOutput, error) {
	d, err := s.deskContact(ctx, in, directory.MayReadWebhooks)
	if err != nil {
		return nil, err
	}
	e, err := d.Endpoint(ctx, d.viewer, d.whole, directory.ContactID(in.Contact))
	if err != nil {
		return nil, unknownEndpoint(err, in.Contact)
	}
	return &endpointOutput{endpointFrom(&e)}, nil
}

func (s *Server) setEndpoint(ctx context.Context, in *endpointInput) (*setEndpointOutput, error) {
	var body NewEndpoint
	if err := callFrom(ctx).decode(&body); err != nil {
		return nil, err
	}
	d, err := s.deskContact(ctx, in, directory.MayKeepWebhooks)
	if err != nil {
		return nil, err
	}
	e, secret, err := d.SetEndpoint(ctx, d.viewer, d.whole, directory.ContactID(in.Contact), challenge.Scheme(body.Scheme), body.Key)
	if err != nil {
		return nil, err
	}
	return &setEndpointOutput{SetEndpoint{Secret: secret, Endpoint: endpointFrom(&e)}}, nil
}

func (s *Server) deleteEndpoint(ctx context.Context, in *endpointInput) (*struct{}, error) {
	d, err := s.deskContact(ctx, in, directory.MayKeepWebhooks)
	if err != nil {
		return nil, err
	}
	return nil, unknownEndpoint(d.DropEndpoint(ctx, d.viewer, d.whole, directory.ContactID(in.Contact)), in.Contact)
}

func (s *Server) answerQuestion(ctx context.Context, in *answerInput) (*answerTakenOutput, error) {
	body, err := callFrom(ctx).body("application/json")
	if err != nil {
		return nil, err
	}
	desk, err := s.desk()
	if err != nil {
		return nil, err
	}
	c, err := desk.Answer(ctx, in.Signature, body)
	if err != nil {
		return nil, err
	}
	return &answerTakenOutput{AnswerTaken{Challenge: string(c.ID), State: string(c.State), Level: int(c.Reached)}}, nil
}

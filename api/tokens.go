package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Token is an API token, without its secret.
type Token struct {
	ID       string    `json:"id" doc:"Public part of the token" example:"rct_4f2a9c1b"`
	Name     string    `json:"name" doc:"What it is for" example:"IntelMQ at example.org"`
	Role     string    `json:"role" enum:"consumer,editor,secretariat,operator" doc:"What its owner is to the directory" example:"consumer"`
	Team     string    `json:"team,omitzero" format:"uuid" doc:"Id of the team that its owner belongs to"`
	Forum    string    `json:"forum,omitzero" doc:"Forum that a secretariat keeps" example:"first"`
	Scopes   []string  `json:"scopes,omitzero" enum:"read,write,import,admin" doc:"What it is good for; absent: all that the role allows"`
	State    string    `json:"state" enum:"valid,expired,revoked" doc:"Whether it can be used" example:"valid"`
	Created  time.Time `json:"created" format:"date-time" doc:"When it was made"`
	By       string    `json:"by" doc:"Who made it" example:"cli:root"`
	Expires  time.Time `json:"expires,omitzero" format:"date-time" doc:"When it ends; absent: never"`
	LastUsed time.Time `json:"last_used,omitzero" format:"date-time" doc:"When it was last used, to the minute; absent: never"`
	Revoked  time.Time `json:"revoked,omitzero" format:"date-time" doc:"When it was revoked; absent: it was not"`
}

// NewToken is the body of a request for a token.
type NewToken struct {
	Name    string   `json:"name" maxLength:"100" doc:"What it is for" example:"IntelMQ at example.org"`
	Role    string   `json:"role" enum:"consumer,editor,secretariat,operator" doc:"What its owner is to the directory" example:"consumer"`
	Team    string   `json:"team,omitzero" doc:"Handle or id of the team; an editor needs one, a consumer may have one" example:"example-csirt"`
	Forum   string   `json:"forum,omitzero" doc:"Forum that a secretariat keeps" example:"first"`
	Scopes  []string `json:"scopes,omitzero" enum:"read,write,import,admin" doc:"What it is good for; absent: all that the role allows"`
	Expires string   `json:"expires,omitzero" pattern:"^[0-9]{1,5}[hdwy]$" doc:"How long it lasts, in hours, days, weeks or years; absent: for ever" example:"90d"`
}

// CreatedToken is a new token with its secret.
type CreatedToken struct {
	Secret string `json:"secret" doc:"The token itself. It is stored nowhere and can't be shown again" example:"rct_4f2a9c1b_abcdefghijklmnopqrstuvwxyz234567"`
	Token  Token  `json:"token" doc:"What it is"`
}

// TokenList is all tokens.
type TokenList struct {
	Tokens []Token `json:"tokens" doc:"Newest first"`
}

// Me is whoever asks.
type Me struct {
	Name   string   `json:"name" doc:"As in the audit trail" example:"token:rct_4f2a9c1b"`
	Role   string   `json:"role" enum:"anonymous,consumer,editor,secretariat,operator" doc:"What the asker is to the directory" example:"editor"`
	Team   *TeamRef `json:"team,omitzero" doc:"The team that the asker belongs to"`
	Forum  string   `json:"forum,omitzero" doc:"The forum that a secretariat keeps" example:"first"`
	Forums []string `json:"forums,omitzero" doc:"Forums whose AMBER the asker may see"`
	Scopes []string `json:"scopes" enum:"read,write,import,admin" doc:"What the token is good for, within its role"`
}

type (
	tokensOutput       struct{ Body TokenList }
	createdTokenOutput struct {
		Location string `header:"Location" doc:"The new token's address"`
		Body     CreatedToken
	}
	tokenInput struct {
		ID string `path:"id" maxLength:"64" doc:"Public part of the token" example:"rct_4f2a9c1b"`
	}
	tokenOutput struct{ Body Token }
	meOutput    struct{ Body Me }
)

func (s *Server) registerTokens() {
	one := exampleToken()
	register(s, spec{id: "list-tokens", method: http.MethodGet, path: "/v1/tokens", tag: "access", access: token,
		summary: "List tokens", more: "Without their secrets. For operators.", answer: TokenList{Tokens: []Token{one}}}, s.listTokens)
	register(s, spec{id: "create-token", method: http.MethodPost, path: "/v1/tokens", tag: "access", access: token, status: http.StatusCreated,
		summary: "Make a token", more: "The secret is in this answer and nowhere else. For operators.", errors: []int{notFound},
		body: NewToken{Name: one.Name, Role: one.Role, Expires: "90d"}, answer: CreatedToken{Secret: "rct_4f2a9c1b_abcdefghijklmnopqrstuvwxyz234567", Token: one}}, s.createToken)
	register(s, spec{id: "revoke-token", method: http.MethodDelete, path: "/v1/tokens/{id}", tag: "access", access: token,
		summary: "Revoke a token", more: "It ends at once and stays in the list. Revoking twice is no error. For operators.", errors: []int{notFound}, answer: one}, s.revokeToken)
	register(s, spec{id: "get-token", method: http.MethodGet, path: "/v1/tokens/{id}", tag: "access", access: token,
		summary: "Show a token", more: "Without its secret. For operators.", errors: []int{notFound}, answer: one}, s.getToken)
	register(s, spec{id: "my-token", method: http.MethodGet, path: "/v1/me/token", tag: "access", access: token,
		summary: "Show the token that the request carries", more: "When it ends and what it is good for, for whoever holds it.", errors: []int{notFound}, answer: one}, s.myToken)
	register(s, spec{id: "me", method: http.MethodGet, path: "/v1/me", tag: "access", access: public,
		summary: "Show who is asking", more: "Role, scopes and bindings of the token that the request carries; anonymous without one.",
		answer: Me{Name: "token:rct_4f2a9c1b", Role: "consumer", Scopes: []string{"read"}}}, s.me)
}

func (s *Server) tokenFrom(t directory.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Role: string(t.Role), Team: string(t.Team), Forum: t.Forum, Scopes: texts(t.Scopes), State: t.State(s.cfg.Now()),
		Created: t.Created.UTC(), By: t.By, Expires: utc(t.Expires), LastUsed: utc(t.LastUsed), Revoked: utc(t.Revoked),
	}
}

func (s *Server) listTokens(ctx context.Context, _ *struct{}) (*tokensOutput, error) {
	list, err := s.cfg.Directory.Tokens(ctx, callFrom(ctx).viewer)
	if err != nil {
		return nil, err
	}
	out := &tokensOutput{Body: TokenList{Tokens: make([]Token, len(list))}}
	for i, t := range list {
		out.Body.Tokens[i] = s.tokenFrom(t)
	}
	return out, nil
}

func (s *Server) createToken(ctx context.Context, _ *struct{}) (*createdTokenOutput, error) {
	c := callFrom(ctx)
	var in NewToken
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	expires, err := parseLasting(in.Expires)
	if err != nil {
		return nil, err
	}
	spec := directory.TokenSpec{Name: in.Name, Role: directory.Role(in.Role), Team: in.Team, Forum: in.Forum, Expires: expires}
	if in.Scopes != nil {
		spec.Scopes = []directory.Scope{} // none is not the same as no word about it
	}
	for _, scope := range in.Scopes {
		spec.Scopes = append(spec.Scopes, directory.Scope(scope))
	}
	secret, t, err := s.cfg.Directory.CreateToken(ctx, c.viewer, spec)
	if err != nil {
		return nil, placed(err, in.Team, "/team")
	}
	return &createdTokenOutput{Location: "/v1/tokens/" + t.ID, Body: CreatedToken{Secret: secret, Token: s.tokenFrom(t)}}, nil
}

// parseLasting parses "90d".
func parseLasting(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	const day = 24 * time.Hour
	unit := map[byte]time.Duration{'h': time.Hour, 'd': day, 'w': 7 * day, 'y': 365 * day}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 31)
	if err != nil || unit == 0 || n == 0 || n > uint64(100*365*day/unit) {
		return 0, directory.Problem{Code: "token.expires", Field: "/expires", Value: shorten(s), Reason: "not a length of time up to 100 years", Want: "a number and h, d, w or y, such as 90d"}
	}
	return time.Duration(n) * unit, nil
}

func (s *Server) revokeToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	t, err := s.cfg.Directory.RevokeToken(ctx, callFrom(ctx).viewer, in.ID)
	return s.tokenOutput(in.ID, t, err)
}

func (s *Server) getToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	t, err := s.cfg.Directory.Token(ctx, callFrom(ctx).viewer, in.ID)
	return s.tokenOutput(in.ID, t, err)
}

func (s *Server) myToken(ctx context.Context, _ *struct{}) (*tokenOutput, error) {
	t, err := s.cfg.Directory.OwnToken(ctx, callFrom(ctx).viewer)
	return s.tokenOutput("", t, err)
}

// tokenOutput shows the token that id in the path named.
func (s *Server) tokenOutput(id string, t directory.Token, err error) (*tokenOutput, error) {
	if directory.KindOf(err) == directory.NotFound {
		return nil, inParameter("id", edgeError(directory.NotFound, "token.unknown", id, "no token has this id", "an id from the list of tokens"))
	}
	if err != nil {
		return nil, err
	}
	return &tokenOutput{Body: s.tokenFrom(t)}, nil
}

func (s *Server) me(ctx context.Context, _ *struct{}) (*meOutput, error) {
	p := callFrom(ctx).viewer
	me := Me{Name: p.Name, Role: string(p.Role), Forum: p.Forum, Forums: p.Forums, Scopes: texts(p.Scopes)}
	if p.Scopes == nil {
		me.Scopes = texts(directory.Scopes())
	}
	if !p.SignedIn() {
		me.Scopes = []string{string(directory.ScopeRead)}
	}
	if p.Team != "" {
		t, err := s.cfg.Directory.Team(ctx, p, string(p.Team))
		if err != nil {
			return nil, err
		}
		me.Team = &TeamRef{ID: string(t.ID), Handle: string(t.Handle), Name: t.Name()}
	}
	return &meOutput{Body: me}, nil
}

// texts turns words of a type of their own into plain ones.
func texts[T ~string](list []T) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

// utc keeps one instant from having two spellings, and zero zero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// instant parses a time; "" is none.
func instant(bad *[]directory.Problem, pointer, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		*bad = append(*bad, directory.Problem{Code: "time.syntax", Field: pointer, Value: shorten(s), Reason: "not a date and time (RFC 3339 section 5.6)", Want: "a time such as 2026-11-21T20:00:00Z"})
	}
	return t.UTC()
}

package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Problem is the body of every answer that is not a success (RFC 9457).
type Problem struct {
	Type      string        `json:"type" format:"uri-reference" doc:"Where the code is explained, on this server" example:"/problems/team.unknown"`
	Title     string        `json:"title" doc:"The kind of problem in a few words" example:"Not found"`
	Status    int           `json:"status" minimum:"400" maximum:"599" doc:"The HTTP status" example:"404"`
	Detail    string        `json:"detail" doc:"What went wrong this time, for people" example:"no team has this handle or id"`
	Code      string        `json:"code" doc:"Stable code: that of the errors where they share one, else one for the kind of problem" example:"team.unknown"`
	Instance  string        `json:"instance" format:"uri-reference" doc:"The path that was asked" example:"/v1/teams/nobody"`
	RequestID string        `json:"request_id" doc:"Also in X-Request-Id and in the server's log" example:"5f0c2a9be1d4-2f"`
	Errors    []ProblemItem `json:"errors,omitzero" doc:"Each thing to mend"`

	header http.Header
}

// ProblemItem is one thing to mend.
type ProblemItem struct {
	Code      string  `json:"code" doc:"Stable code of the rule that was broken" example:"email.syntax"`
	Pointer   *string `json:"pointer,omitzero" doc:"JSON pointer (RFC 6901) into the body; empty is the whole of it" example:"/contacts/0/value"`
	Parameter string  `json:"parameter,omitzero" doc:"Name of the query, path or header parameter, where it is not the body" example:"limit"`
	Value     string  `json:"value,omitzero" doc:"The offending value, shortened" example:"csirt@@example.org"`
	Reason    string  `json:"reason" doc:"Why it is refused" example:"not an e-mail address"`
	Want      string  `json:"want,omitzero" doc:"What would be right, where that can be said" example:"one address such as csirt@example.org"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements [huma.StatusError].
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders implements [huma.HeadersError].
func (p *Problem) GetHeaders() http.Header { return p.header }

// ContentType implements [huma.ContentTypeFilter].
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// kindRow says what the edge makes of one kind of error.
type kindRow struct {
	status int
	code   string // of the problem, where its errors do not share one
	title  string
}

// kinds is the one table from what went wrong to what HTTP says. The kinds
// below the line are the edge's own: the domain never sees such requests.
func kinds(k directory.Kind) kindRow {
	switch k {
	case directory.NotFound:
		return kindRow{http.StatusNotFound, "request.not-found", "Not found"}
	case directory.Invalid:
		return kindRow{http.StatusUnprocessableEntity, "request.invalid", "The input breaks a rule"}
	case directory.Conflict:
		return kindRow{http.StatusConflict, "request.conflict", "The input clashes with what is stored"}
	case directory.Stale:
		return kindRow{http.StatusPreconditionFailed, "revision.stale", "The record has changed since"}
	case directory.Unconditional:
		return kindRow{http.StatusPreconditionRequired, "revision.missing", "The change does not say on which revision it is based"}
	case directory.Forbidden:
		return kindRow{http.StatusForbidden, "auth.forbidden", "Not allowed"}
	case directory.Unauthenticated:
		return kindRow{http.StatusUnauthorized, "auth.required", "Not signed in"}
	case directory.TooMany:
		return kindRow{http.StatusTooManyRequests, "request.too-many", "Too many requests"}
	case directory.Unavailable:
		return kindRow{http.StatusServiceUnavailable, "server.unavailable", "Try again later"}

	case malformed:
		return kindRow{http.StatusBadRequest, "request.malformed", "The request can't be read"}
	case tooLarge:
		return kindRow{http.StatusRequestEntityTooLarge, "body.too-large", "The body is too large"}
	case wrongMedia:
		return kindRow{http.StatusUnsupportedMediaType, "body.media-type", "The body has the wrong media type"}
	case noMethod:
		return kindRow{http.StatusMethodNotAllowed, "request.method", "The method is not for this path"}
	case notAcceptable:
		return kindRow{http.StatusNotAcceptable, "request.accept", "The answer can't be given as asked for"}
	case tooSlow:
		return kindRow{http.StatusRequestTimeout, "body.timeout", "The body took too long"}
	}
	return kindRow{http.StatusInternalServerError, "server.internal", "Internal error"}
}

// The edge's own kinds of error.
const (
	malformed     directory.Kind = "malformed"
	tooLarge      directory.Kind = "too_large"
	wrongMedia    directory.Kind = "wrong_media"
	noMethod      directory.Kind = "no_method"
	notAcceptable directory.Kind = "not_acceptable"
	tooSlow       directory.Kind = "too_slow"
)

// problemKinds lists all kinds of error that [kinds] knows.
func problemKinds() []directory.Kind {
	return []directory.Kind{
		directory.NotFound, directory.Invalid, directory.Conflict, directory.Stale, directory.Unconditional, directory.Forbidden, directory.Unauthenticated,
		directory.TooMany, directory.Unavailable, directory.Internal, malformed, tooLarge, wrongMedia, noMethod, notAcceptable, tooSlow,
	}
}

// edgeError makes an error of the edge about the whole request.
func edgeError(kind directory.Kind, code directory.Code, value, reason, want string) error {
	return &directory.Error{Kind: kind, Op: "read request", Problems: []directory.Problem{{Code: code, Value: shorten(value), Reason: reason, Want: want}}}
}

// parameterError is a problem of a query, path or header parameter.
type parameterError struct {
	name string
	err  error
}

func (e *parameterError) Error() string { return e.name + ": " + e.err.Error() }
func (e *parameterError) Unwrap() error { return e.err }

// inParameter says that err is about a parameter and not about the body.
func inParameter(name string, err error) error {
	if err == nil {
		return nil
	}
	return &parameterError{name, err}
}

// problemOf turns any error into what the client is told. Of an internal error
// it is told nothing but the request's id; the caller logs the rest.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	row := kinds(kindOf(err))
	p := &Problem{Title: row.title, Status: row.status, Code: row.code}
	if row.status == http.StatusInternalServerError {
		p.Detail = "internal error"
		return p.typed()
	}
	name := ""
	if e, ok := errors.AsType[*parameterError](err); ok {
		name = e.name
	}
	for _, one := range directory.ProblemsOf(err) {
		p.Errors = append(p.Errors, itemOf(one, name))
	}
	p.Detail = detailOf(p)
	p.Code = sharedCode(p)
	p.typed()
	if h := retryAfter(err); h != nil {
		p.header = h
	}
	return p
}

// kindOf is [directory.KindOf] with what only the edge tells apart: a body
// that is no JSON at all is a request that can't be read.
func kindOf(err error) directory.Kind {
	kind := directory.KindOf(err)
	if kind != directory.Invalid {
		return kind
	}
	for _, p := range directory.ProblemsOf(err) {
		switch {
		case p.Code == "json.too-large":
			return tooLarge
		case strings.HasPrefix(string(p.Code), "json."):
			return malformed
		}
	}
	return kind
}

func itemOf(p directory.Problem, parameter string) ProblemItem {
	item := ProblemItem{Code: string(p.Code), Parameter: parameter, Value: p.Value, Reason: p.Reason, Want: p.Want}
	if parameter == "" {
		item.Pointer = &p.Field
	}
	return item
}

func detailOf(p *Problem) string {
	switch {
	case len(p.Errors) == 0:
		return strings.ToLower(p.Title[:1]) + p.Title[1:]
	case len(p.Errors) == 1:
		return p.Errors[0].Reason
	}
	return "several problems, the first: " + p.Errors[0].Reason
}

// sharedCode is the code of the errors where all have the same.
func sharedCode(p *Problem) string {
	for i := range p.Errors {
		if p.Errors[i].Code != p.Errors[0].Code {
			return p.Code
		}
	}
	if len(p.Errors) == 0 {
		return p.Code
	}
	return p.Errors[0].Code
}

func (p *Problem) typed() *Problem {
	p.Type = "/problems/" + p.Code
	switch p.Status {
	case http.StatusUnauthorized:
		// RFC 9110 section 11.6.1: a 401 MUST carry a challenge; the attribute
		// tells a client that its token is bad from that it has none (RFC 6750 section 3).
		challenge := `Bearer realm="rollcall"`
		if p.Code != "auth.required" {
			challenge += `, error="invalid_token"`
		}
		p.header = http.Header{"Www-Authenticate": {challenge}}
	case http.StatusServiceUnavailable:
		p.header = http.Header{"Retry-After": {"1"}}
	}
	return p
}

// fromHuma turns an error that Huma made itself, while it read parameters,
// into ours. It is a [huma.Transformer], which keeps the package's variable
// huma.NewError, shared by everybody in the process, as it is.
func fromHuma(ctx huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	row := kinds(directory.Invalid)
	p := &Problem{Title: row.title, Status: model.Status, Code: row.code}
	for _, e := range model.Errors {
		p.Errors = append(p.Errors, parameterItem(e))
	}
	p.Detail, p.Code = detailOf(p), sharedCode(p)
	p.typed().sign(callFrom(ctx.Context()))
	return p, nil
}

// parameterItem reads one of Huma's messages. Those that it does not know are
// a parameter that is not what its schema says.
func parameterItem(e *huma.ErrorDetail) ProblemItem {
	_, name, _ := strings.Cut(e.Location, ".")
	item := ProblemItem{Code: "parameter.invalid", Parameter: name, Value: textOf(e.Value), Reason: e.Message}
	switch {
	case e.Message == "unknown query parameter":
		item.Code, item.Value, item.Reason, item.Want = "parameter.unknown", "", "there is no parameter of this name", "a parameter that the API document names"
	case strings.HasPrefix(e.Message, "required "):
		item.Code, item.Value = "parameter.missing", ""
	case strings.HasPrefix(e.Message, "expected "):
		item.Reason, item.Want = "not a value for this parameter", strings.TrimPrefix(e.Message, "expected ")
	case e.Message == "invalid integer":
		item.Reason, item.Want = "not a number", "a whole number"
	}
	return item
}

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return shorten(v)
	}
	text, _ := json.Marshal(v) // what Huma parsed itself
	return shorten(string(text))
}

// shorten cuts a value that is shown in a problem.
func shorten(s string) string {
	if len(s) > 120 {
		s = s[:120] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// sign ties the problem to its request.
func (p *Problem) sign(c *call) *Problem {
	p.Instance, p.RequestID = c.url.EscapedPath(), c.id
	return p
}

// writeProblem answers with p and returns its status.
func writeProblem(w http.ResponseWriter, p *Problem) int {
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	h.Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(p) // the client has gone
	return p.Status
}

// placed returns err with its problem at pointer, where it is about the value
// that the body has there: the domain names the value and not the place.
func placed(err error, value, pointer string) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || len(e.Problems) != 1 || e.Problems[0].Field != "" || e.Problems[0].Value != value {
		return err
	}
	again := *e
	again.Problems = []directory.Problem{e.Problems[0].At(pointer)}
	return &again
}

// inPath says that err is about the id in the path, where it is.
func inPath(err error, id string) error {
	e, ok := errors.AsType[*directory.Error](err)
	if !ok || e.Kind != directory.NotFound || len(e.Problems) != 1 || e.Problems[0].Field != "" || e.Problems[0].Value != shorten(id) {
		return err
	}
	return inParameter("id", err)
}

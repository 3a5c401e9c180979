package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// apiVersion is the version of the API, which is not that of the program: it
// moves when a released operation gains something.
const apiVersion = "1.0.0"

// document is the configuration that the OpenAPI document begins with. Huma's
// own pages are off: they load their scripts from elsewhere.
func document() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Rollcall",
				Version: apiVersion,
				Description: "A directory of incident response teams that proves that its contacts answer. " +
					"Every answer that is not a success is a problem (RFC 9457) with a stable code; every answer has X-Request-Id.",
				Contact: &huma.Contact{Name: "Rollcall", URL: "https://github.com/rollcall-csirt/rollcall"},
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "this server"}},
			Tags: []*huma.Tag{
				{Name: "lookup", Description: "Whom to tell about an address, a name or a network"},
				{Name: "teams", Description: "The teams and what was proven about their contacts"},
				{Name: "parts", Description: "What a team lists, item by item. The ETag and If-Match of an item are those of its team"},
				{Name: "verification", Description: "What machines find about what teams say"},
				{Name: "challenges", Description: "Whether contacts answer: what they are asked, and what came of it"},
				{Name: "reference", Description: "Facts about the Internet that no team enters, and the words that fields can hold"},
				{Name: "sync", Description: "Copies of the directory that follow it"},
				{Name: "access", Description: "Tokens, and what was done with them"},
				{Name: "imports", Description: "Files that are taken in by jobs of their own"},
				{Name: "operation", Description: "What the machines that run this server ask"},
			},
			Components: &huma.Components{
				Schemas:  huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				Headers:  rateHeaders(),
				Examples: problemExamples(),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token": {Type: "http", Scheme: "bearer", BearerFormat: "rct_…", Description: "A token that an operator made. A request with a bad or expired token is refused even where none is needed."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{fromHuma},
	}
}

// access says who can call an operation.
type access int

const (
	open   access = iota // anybody; a token shows nothing more
	public               // anybody; a token shows more
	token                // only with a token
)

func (a access) security() []map[string][]string {
	switch a {
	case open:
		return []map[string][]string{{}}
	case public:
		return []map[string][]string{{}, {"token": {}}}
	}
	return []map[string][]string{{"token": {}}}
}

// spec describes one operation beside what its Go types say.
type spec struct {
	id, method, path string
	tag              string
	summary, more    string
	access           access
	status           int           // of success; 0 is 200
	errors           []int         // beside those that every operation of its access has
	body             any           // a value of the type of the request's body, as an example; nil: no body
	media            []string      // of the body; nil is application/json
	params           []*huma.Param // of the path, beside those that the input's type tells
	answer           any           // an example of the answer's body; nil: no body
	rate             rateClass     // how dear it is; "": by its shape, see rateOf
	maxBody          int64         // 0 is 1 MiB, -1 no limit
}

func (sp *spec) operation(r huma.Registry) huma.Operation {
	class := sp.rateOf()
	op := huma.Operation{
		OperationID: sp.id, Method: sp.method, Path: sp.path, Tags: []string{sp.tag}, Summary: sp.summary, Description: sp.more,
		Parameters: slices.Clone(sp.params),
		Security:   sp.access.security(), DefaultStatus: sp.status, Responses: map[string]*huma.Response{},
		// A change whose client went away is finished or undone, never half done; the limit is on the slow reader.
		MaxBodyBytes: cmp.Or(sp.maxBody, maxBody), Metadata: map[string]any{"rate": class},
		Extensions: map[string]any{"x-rate-limit": map[string]any{"class": string(class), "cost": class.cost()}},
	}
	for _, status := range sp.statuses() {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content: map[string]*huma.MediaType{problemType: {
				Schema:   r.Schema(reflect.TypeFor[Problem](), true, "Problem"),
				Examples: map[string]*huma.Example{"problem": {Ref: "#/components/examples/problem-" + strconv.Itoa(status)}},
			}},
		}
	}
	if many := op.Responses["429"]; many != nil {
		many.Headers = headerRefs("Retry-After", "RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
	}
	return op
}

// statuses are the errors that an operation can end with.
func (sp *spec) statuses() []int {
	all := append([]int{http.StatusUnprocessableEntity, http.StatusInternalServerError}, sp.errors...)
	if sp.readsToken() {
		all = append(all, http.StatusUnauthorized, http.StatusServiceUnavailable)
	}
	if sp.access == token {
		all = append(all, http.StatusForbidden)
	}
	if sp.rateOf() != rateFree || sp.readsToken() {
		all = append(all, http.StatusTooManyRequests)
	}
	if sp.answer != nil {
		all = append(all, http.StatusNotAcceptable)
	}
	if sp.body != nil {
		all = append(all, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return all
}

// readsToken: a bad token is refused even where none is needed, see authenticate.
func (sp *spec) readsToken() bool { return sp.access != open || strings.HasPrefix(sp.path, "/v1/") }

// register registers an operation with Huma. next returns domain errors.
func register[I, O any](s *Server, sp spec, next func(context.Context, *I) (*O, error)) {
	huma.Register(s.huma, sp.operation(s.huma.OpenAPI().Components.Schemas), func(ctx context.Context, in *I) (*O, error) {
		c := callFrom(ctx)
		if sp.access == token && !c.viewer.SignedIn() { // before anything is said about the request
			return nil, s.explain(ctx, c, edgeError(directory.Unauthenticated, "auth.required", "", "this needs a token", "an Authorization header with a Bearer token"))
		}
		out, err := next(ctx, in)
		if err != nil {
			return nil, s.explain(ctx, c, err)
		}
		return out, nil
	})
	s.describe(sp)
}

// describe adds to the document what Huma's registration can't be told: it
// would read and check a body that it knows of.
func (s *Server) describe(sp spec) {
	doc := s.huma.OpenAPI()
	op := operationAt(doc.Paths[sp.path], sp.method)
	if sp.body != nil {
		schema := doc.Components.Schemas.Schema(reflect.TypeOf(sp.body), true, sp.id+"Request")
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, media := range sp.bodyMedia() {
			op.RequestBody.Content[media] = &huma.MediaType{Schema: schema, Example: sp.body}
		}
	}
	for i, p := range op.Parameters {
		// Huma would refuse it with a code of its own, so that it is not told.
		if pattern := conditionPattern(sp.method, p.Name); p.In == "header" && pattern != "" {
			described, schema := *p, *p.Schema
			schema.Pattern = pattern
			described.Schema = &schema
			op.Parameters[i] = &described
		}
	}
	if ok := op.Responses[strconv.Itoa(max(sp.status, op.DefaultStatus))]; ok != nil {
		if ok.Headers == nil {
			ok.Headers = map[string]*huma.Param{}
		}
		ok.Headers["X-Request-Id"] = &huma.Param{Description: "The id of the request, as in the server's log", Schema: &huma.Schema{Type: "string"}}
		if sp.rateOf() != rateFree {
			maps.Copy(ok.Headers, headerRefs("RateLimit", "RateLimit-Policy"))
		}
		for _, media := range ok.Content {
			media.Example = sp.answer
		}
	}
}

// conditionPattern is the form of a header that makes a request conditional.
func conditionPattern(method, name string) string {
	switch {
	case name == "If-Match":
		return `^(\*|"[1-9][0-9]{0,17}")$`
	case name == "If-None-Match" && method == http.MethodPut:
		return `^\*$`
	}
	return ""
}

func (sp *spec) bodyMedia() []string {
	if sp.media == nil {
		return []string{"application/json"}
	}
	return sp.media
}

func operationAt(item *huma.PathItem, method string) *huma.Operation {
	switch method {
	case http.MethodGet:
		return item.Get
	case http.MethodPost:
		return item.Post
	case http.MethodPut:
		return item.Put
	case http.MethodPatch:
		return item.Patch
	}
	return item.Delete
}

// prune takes out of the document what no answer has: the schemas of Huma's
// own errors, since fromHuma turns each into a [Problem], and lists that are
// null. In a merge patch, on the other hand, every member may be null.
func prune(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	for _, schema := range schemas {
		for _, p := range schema.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
		}
	}
	patch := schemas["TeamPatch"]
	patch.Required = nil
	for name, p := range patch.Properties {
		patch.Properties[name] = orNull(p)
	}
}

// orNull returns the schema that takes null as well. Huma's own way knows no
// references and no lists of words.
func orNull(p *huma.Schema) *huma.Schema {
	one := *p
	one.Description = ""
	return &huma.Schema{Description: p.Description, AnyOf: []*huma.Schema{&one, {Type: "null"}}}
}

// Spec returns the OpenAPI document as YAML. It is the same for every server.
func Spec() ([]byte, error) { return described().YAML() }

// SpecJSON returns the OpenAPI document as JSON.
func SpecJSON() ([]byte, error) { return described().MarshalJSON() }

// described returns the document of a server that serves nobody.
func described() *huma.OpenAPI {
	return newServer(Config{Index: func() *directory.Index { return nil }}).huma.OpenAPI()
}

// registerSpec serves the document. It is not part of itself.
func (s *Server) registerSpec() {
	text := sync.OnceValues(s.huma.OpenAPI().YAML)
	data := sync.OnceValues(s.huma.OpenAPI().MarshalJSON)
	for suffix, build := range map[string]func() ([]byte, error){"yaml": text, "json": data} {
		op := &huma.Operation{OperationID: "openapi-" + suffix, Method: http.MethodGet, Path: "/openapi." + suffix}
		media := "application/openapi+" + suffix
		s.handle(op, func(w http.ResponseWriter, r *http.Request, c *call) int {
			doc, err := build()
			if err != nil {
				return s.refuse(w, r, c, err)
			}
			w.Header().Set("Content-Type", media)
			_, _ = w.Write(doc) // the client has gone
			return http.StatusOK
		})
	}
}

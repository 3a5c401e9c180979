package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// maxQueries is how many queries one request may hold.
const maxQueries = 1000

// maxNearQueries is the size of a batch up to which names that are not known
// are answered with those that look like them.
const maxNearQueries = 10

// lookupInput describes the parameters of GET /v1/lookup; the handler reads
// them itself.
type lookupInput struct {
	Query string `query:"q" required:"true" minLength:"1" maxLength:"2048" doc:"IP address, CIDR prefix, AS number, domain, URL, e-mail address, country, team name or handle, or key fingerprint; defanged spellings are understood" example:"192.0.2.17"`
	Use   string `query:"use" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contact is for; absent is abuse, then general" example:"abuse"`
	Class string `query:"class" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident class" example:"malicious-code"`
}

type lookupOutput struct{ Body Answer }

// Queries is the body of POST /v1/lookup.
type Queries struct {
	Queries []string `json:"queries" minItems:"1" maxItems:"1000" doc:"What to look up, in any mix of kinds" example:"[\"192.0.2.17\",\"example.org\"]"`
	Use     string   `json:"use,omitzero" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contacts are for; absent is abuse, then general" example:"abuse"`
	Class   string   `json:"class,omitzero" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident class" example:"malicious-code"`
}

// Answers is the answer to [Queries], in their order.
type Answers struct {
	Answers []Answer `json:"answers" doc:"One for each query, in the order of the queries"`
}

type answersOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (s *Server) registerLookup() {
	one := spec{
		id: "lookup", method: http.MethodGet, path: "/v1/lookup", tag: "lookup", access: public,
		summary: "Find whom to contact",
		more: "The answer is 200 whenever the question could be asked: status says whether a team was found, and the trace why. " +
			"An answer that could not be given is the problem lookup.unavailable, never an empty list.",
		errors: []int{badRequest}, answer: exampleAnswer(),
	}
	many := spec{
		id: "lookup-batch", method: http.MethodPost, path: "/v1/lookup", tag: "lookup", access: public,
		summary: "Find whom to contact about many things",
		more:    "Up to 1,000 queries of any kind. Names are matched exactly where there are more than ten queries. All of them are answered, or none: a query that can't be read refuses the request and is named by its pointer.",
		body:    Queries{Queries: []string{"192.0.2.17", "example.org"}, Use: "abuse"},
		answer:  Answers{Answers: []Answer{exampleAnswer()}},
	}
	s.describeLookup(one)
	register(s, many, s.lookupMany)
	s.answersSchema(many)
}

// describeLookup lets Huma describe GET /v1/lookup from its types and serves
// it by lookupOne: Huma's reading of parameters and writing of bodies alone
// would take longer than the rest of the request.
func (s *Server) describeLookup(sp spec) {
	op := sp.operation(s.huma.OpenAPI().Components.Schemas)
	described := huma.NewAPI(huma.Config{OpenAPI: s.huma.OpenAPI()}, undone{})
	huma.Register(described, op, func(context.Context, *lookupInput) (*lookupOutput, error) { return nil, nil })
	s.describe(sp)
	s.lookup = s.handle(&op, s.lookupOne)
}

// undone is an adapter that serves nothing.
type undone struct{ huma.Adapter }

func (undone) Handle(*huma.Operation, func(huma.Context)) {}

// asking is what one lookup needs, used again by the next.
type asking struct {
	answer directory.Answer
	buf    []byte
}

// lookupOne answers GET /v1/lookup. It allocates little beside what net/http
// does for every request.
func (s *Server) lookupOne(w http.ResponseWriter, r *http.Request, c *call) int {
	x, now := s.cfg.Index(), s.cfg.Now()
	plain, cacheable := strings.CutPrefix(r.URL.RawQuery, "q=")
	cacheable = cacheable && x != nil && !c.viewer.SignedIn() && isPlain(plain)
	if cacheable {
		if status := s.lookupAddress(w, plain, x, now); status != 0 {
			return status
		}
		if known := s.cacheOf(x).get(plain, now); known != nil {
			known.counter.Inc()
			return s.writeAnswer(w, known.body)
		}
	}
	text, ask, err := s.question(r.URL.RawQuery)
	if err != nil {
		return s.refuse(w, r, c, err)
	}
	q, err := directory.ParseQuery(text)
	if err != nil {
		return s.refuse(w, r, c, inParameter("q", err))
	}
	if c.viewer.SignedIn() {
		s.guard(w)
	}
	ask.Viewer, ask.Now = c.viewer, now
	a := s.asking.Get().(*asking)
	defer s.asking.Put(a)
	if err := s.ask(x, q, ask, &a.answer); err != nil {
		return s.refuse(w, r, c, err)
	}
	a.buf = append(AppendAnswer(a.buf[:0], &a.answer), '\n')
	if cache := s.cacheOf(x); cacheable && cache.admit(plain) {
		until := trueUntil(&a.answer, s.cfg.Policy, now)
		cache.put(plain, cachedAnswer{body: slices.Clone(a.buf), from: now, until: until, counter: s.metrics.lookup(&a.answer)})
	}
	return s.writeAnswer(w, a.buf)
}

func (s *Server) writeAnswer(w http.ResponseWriter, body []byte) int {
	h := w.Header()
	h["Content-Type"] = s.jsonType
	if len(body) > 2000 { // net/http counts shorter ones itself, at no price
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	_, _ = w.Write(body) // the client has gone
	return http.StatusOK
}

// ask looks q up in x and counts it.
func (s *Server) ask(x *directory.Index, q directory.Query, ask directory.Ask, a *directory.Answer) error {
	x.Lookup(q, ask, a)
	s.metrics.lookup(a).Inc()
	if a.Status != directory.StatusUnavailable {
		return nil
	}
	return &directory.Error{Kind: directory.Unavailable, Op: "look up", Err: a.Err, Problems: []directory.Problem{{
		Code: "lookup.unavailable", Reason: "the directory can't be asked now, so nothing is known about the query", Want: "the same request again in a moment"}}}
}

// question reads the query string of a lookup. The usual one is q and an
// address, which needs no unescaping and no map.
func (s *Server) question(raw string) (q string, ask directory.Ask, err error) {
	if plain, ok := strings.CutPrefix(raw, "q="); ok && isPlain(plain) {
		return plain, ask, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", ask, edgeError(malformed, "request.query", raw, "not a query string: "+err.Error(), "names and values, percent-encoded")
	}
	for name, list := range values {
		switch {
		case name != "q" && name != "use" && name != "class":
			return "", ask, inParameter(name, edgeError(directory.Invalid, "parameter.unknown", "", "there is no parameter of this name", "a parameter that the API document names"))
		case len(list) > 1:
			return "", ask, inParameter(name, edgeError(directory.Invalid, "parameter.repeated", list[1], "the parameter is there more than once", "it once"))
		}
	}
	if values.Get("q") == "" {
		return "", ask, inParameter("q", edgeError(directory.Invalid, "parameter.missing", "", "required query parameter is missing", ""))
	}
	ask.Use, ask.Class = values.Get("use"), values.Get("class")
	if err := checkWord("use.unknown", ask.Use, directory.Uses); err != nil {
		return "", ask, inParameter("use", err)
	}
	return values.Get("q"), ask, inParameter("class", checkWord("incident-class.unknown", ask.Class, directory.IncidentClasses))
}

// isPlain reports whether s means itself in a query string.
func isPlain(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '.', b == ':', b == '-', b == '_', b == '/', b == '@':
		default:
			return false
		}
	}
	return s != ""
}

// checkWord refuses what is not in a vocabulary; "" says nothing.
func checkWord(code directory.Code, word string, vocabulary []directory.Word) error {
	if word == "" || slices.Contains(vocabulary, word) {
		return nil
	}
	return directory.Problem{Code: code, Value: shorten(word), Reason: "not a word of this vocabulary", Want: "one of " + strings.Join(vocabulary, ", ")}
}

// lookupMany answers POST /v1/lookup.
func (s *Server) lookupMany(ctx context.Context, _ *struct{}) (*answersOutput, error) {
	c := callFrom(ctx)
	var in Queries
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	queries, err := in.parse()
	if err != nil {
		return nil, err
	}
	body := []byte(`{"answers":[`)
	x, now := s.cfg.Index(), s.cfg.Now() // one for all, so that the answers agree
	var a directory.Answer
	// A search among all names for each of a thousand unknown ones would take
	// half a minute, for anybody who asks.
	exact := len(queries) > maxNearQueries
	for i, q := range queries {
		if ctx.Err() != nil {
			return nil, ctx.Err() // nobody waits for the rest
		}
		if err := s.ask(x, q, directory.Ask{Viewer: c.viewer, Use: in.Use, Class: in.Class, Now: now, Exact: exact}, &a); err != nil {
			return nil, err
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = AppendAnswer(body, &a)
	}
	return &answersOutput{ContentType: "application/json", Body: append(body, "]}\n"...)}, nil
}

// parse parses all queries and returns the problems of all.
func (in *Queries) parse() ([]directory.Query, error) {
	var bad []directory.Problem
	add := func(pointer string, err error) {
		for _, p := range directory.ProblemsOf(err) {
			bad = append(bad, p.At(pointer))
		}
	}
	if n := len(in.Queries); n == 0 || n > maxQueries {
		add("/queries", directory.Problem{Code: "lookup.queries", Value: strconv.Itoa(n), Reason: "not a number of queries for one request", Want: fmt.Sprintf("1 to %d", maxQueries)})
		return nil, invalid("look up", bad)
	}
	add("/use", checkWord("use.unknown", in.Use, directory.Uses))
	add("/class", checkWord("incident-class.unknown", in.Class, directory.IncidentClasses))
	queries := make([]directory.Query, len(in.Queries))
	for i, text := range in.Queries {
		q, err := directory.ParseQuery(text)
		add("/queries/"+strconv.Itoa(i), err)
		queries[i] = q
	}
	return queries, invalid("look up", bad)
}

// invalid makes one error of problems; nil where there are none.
func invalid(op string, problems []directory.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &directory.Error{Kind: directory.Invalid, Op: op, Problems: problems}
}

// decode reads the JSON body of the request strictly.
func (c *call) decode(to any) error {
	data, err := c.body("application/json")
	if err != nil {
		return err
	}
	return invalid("read body", format.Decode(data, to))
}

// answersSchema gives the answers the schemas that their Go types do not tell:
// the batch is already JSON, and Huma knows no reference that may be null.
func (s *Server) answersSchema(sp spec) {
	doc := s.huma.OpenAPI()
	op := operationAt(doc.Paths[sp.path], sp.method)
	op.Responses["200"].Content = map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Answers](doc.Components.Schemas), Example: sp.answer}}
	properties := doc.Components.Schemas.Map()["Candidate"].Properties
	for _, name := range []string{"contact", "evidence"} {
		properties[name] = orNull(properties[name])
	}
}

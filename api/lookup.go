package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

const lookupPath = "/v1/lookup"

// lookupInput describes the parameters of GET /v1/lookup; the handler reads
// them itself.
type lookupInput struct {
	Query string `query:"q" required:"true" minLength:"1" maxLength:"2048" doc:"IP address, CIDR prefix, AS number, domain, URL, e-mail address, country, team name or handle, or key fingerprint; defanged spellings are understood" example:"192.0.2.17"`
	Use   string `query:"use" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contact is for; absent is abuse, then general" example:"abuse"`
	Class string `query:"class" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident class" example:"malicious-code"`
}

type lookupOutput struct{ Body Answer }

func (s *Server) registerLookup() {
	one := spec{
		id: "lookup", method: http.MethodGet, path: lookupPath, tag: "lookup", access: public, rate: rateLookup,
		summary: "Find whom to contact",
		more: "The answer is 200 whenever the question could be asked: status says whether a team was found, and the trace why. " +
			"An answer that could not be given is the problem lookup.unavailable, never an empty list.",
		errors: []int{badRequest}, answer: exampleAnswer(),
	}
	s.describeLookup(one)
}

// describeLookup lets Huma describe GET /v1/lookup from its types and serves
// it by lookupOne: Huma's reading of parameters and writing of bodies alone
// would take longer than the rest of the request.
func (s *Server) describeLookup(sp spec) {
	op := describeOnly[lookupInput, lookupOutput](s, sp)
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
	return couldNotAsk(a.Err)
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

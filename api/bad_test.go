package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
)

// bad is a request that is refused, and how.
type bad struct {
	name string
	request
	status int
	code   string // of the problem
	where  string // pointer or parameter of the first error; "-" is none
}

func get(path string) request { return request{path: path} }

// send is a request of the operator with a body.
func send(method, path, body string) request {
	return request{method: method, path: path, as: "operator", body: body}
}

// patch is a patch of team alpha, at any revision.
func patch(body string) request {
	return request{method: "PATCH", path: "/v1/teams/alpha", as: "operator", body: body, header: map[string]string{"If-Match": "*"}}
}

func (q request) with(name, value string) request {
	header := map[string]string{name: value}
	for n, v := range q.header {
		if n != name {
			header[n] = v
		}
	}
	q.header = header
	return q
}

func (q request) by(role string) request { q.as = role; return q }

func badRequests() []bad {
	return slices.Concat(badBasics(), badParts(), badSync(), badExports(), badMatches(), badBatches(), badSearches(), badImports(), badVerification(), badChallenges(), badWebhooks(), badEdge(), badContinuity())
}

func badBasics() []bad {
	token := func(body string) request { return send("POST", "/v1/tokens", body) }
	team := func(body string) request { return send("POST", "/v1/teams", body) }
	batch := func(body string) request { return send("POST", "/v1/lookup", body) }
	evidence := func(body string) request { return send("POST", "/v1/teams/alpha/evidence", body) }
	good := `{"host":"x"}`
	return []bad{
		{"a path that does not exist", get("/v1/nothing"), 404, "request.path", "-"},
		{"the root", get("/"), 404, "request.path", "-"},
		{"a path with an empty segment", get("/v1//teams"), 404, "request.path", "-"},
		{"a path with a slash at its end", get("/v1/teams/"), 404, "request.path", "-"},
		{"a path that climbs", get("/v1/../v1/teams"), 404, "request.path", "-"},
		{"a method that the path does not have", request{method: "PUT", path: "/v1/teams"}, 405, "request.method", "-"},
		{"a method that nothing has", request{method: "BREW", path: "/v1/lookup"}, 405, "request.method", "-"},
		{"a method on a path that does not exist", request{method: "DELETE", path: "/v1/nothing"}, 404, "request.path", "-"},

		{"a lookup of nothing", get("/v1/lookup"), 422, "parameter.missing", "q"},
		{"a lookup of an empty query", get("/v1/lookup?q="), 422, "parameter.missing", "q"},
		{"a lookup of blanks", get("/v1/lookup?q=%20%20"), 422, "query.empty", "q"},
		{"a lookup of a wrong address", get("/v1/lookup?q=192.0.2.256"), 422, "query.address", "q"},
		{"a lookup of an address with a zone", get("/v1/lookup?q=fe80::1%25eth0"), 422, "query.zone", "q"},
		{"a lookup of a wrong prefix", get("/v1/lookup?q=192.0.2.0/33"), 422, "query.prefix", "q"},
		{"a lookup of AS 0", get("/v1/lookup?q=AS0"), 422, "asn.reserved", "q"},
		{"a lookup that is not UTF-8", get("/v1/lookup?q=%ff"), 422, "query.encoding", "q"},
		{"a lookup that is too long", get("/v1/lookup?q=" + strings.Repeat("a", 2049)), 422, "query.too-long", "q"},
		{"a lookup with an escape that is none", get("/v1/lookup?q=%zz"), 400, "request.query", "-"},
		{"a lookup with a parameter that does not exist", get("/v1/lookup?q=x&limit=1"), 422, "parameter.unknown", "limit"},
		{"a lookup with two queries", get("/v1/lookup?q=x&q=y"), 422, "parameter.repeated", "q"},
		{"a lookup for an unknown use", get("/v1/lookup?q=x&use=fun"), 422, "use.unknown", "use"},
		{"a lookup for an unknown class", get("/v1/lookup?q=x&class=fun"), 422, "incident-class.unknown", "class"},

		{"a batch without a body", request{method: "POST", path: "/v1/lookup", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"a batch without queries", batch(`{}`), 422, "lookup.queries", "/queries"},
		{"a batch with null for a word", batch(`{"queries":["x"],"use":null}`), 422, "field.type", "/use"},
		{"a team with null for a text", team(`{"handle":"fresh","names":{"short":"F"},"host":null}`), 422, "field.type", "/host"},
		{"a batch of none", batch(`{"queries":[]}`), 422, "lookup.queries", "/queries"},
		{"a batch with a wrong query", batch(`{"queries":["192.0.2.1","192.0.2.256"]}`), 422, "query.address", "/queries/1"},
		{"a batch of a number", batch(`{"queries":[1]}`), 422, "field.type", "/queries/0"},
		{"a batch that is a list", batch(`["x"]`), 422, "field.type", ""},
		{"a batch with an unknown member", batch(`{"queries":["x"],"limit":1}`), 422, "field.unknown", "/limit"},
		{"a batch for an unknown use", batch(`{"queries":["x"],"use":"fun"}`), 422, "use.unknown", "/use"},
		{"a batch for an unknown class", batch(`{"queries":["x"],"class":"fun"}`), 422, "incident-class.unknown", "/class"},
		{"a body that is no JSON", batch(`{"queries":`), 400, "json.syntax", ""},
		{"a body with text behind it", batch(`{"queries":["x"]} x`), 400, "json.syntax", ""},
		{"a body that is not UTF-8", batch("{\"queries\":[\"\xff\"]}"), 400, "json.encoding", ""},
		{"a body with a name twice", batch(`{"queries":["x"],"queries":["y"]}`), 400, "json.duplicate-key", "/queries"},
		{"a body that is too large", batch(`{"queries":["` + strings.Repeat("x", sceneBatchBody) + `"]}`), 413, "body.too-large", "-"},
		{"a body of another type", batch(`{"queries":["x"]}`).with("Content-Type", "application/xml"), 415, "body.media-type", "Content-Type"},
		{"a body of a type that is none", batch(`{"queries":["x"]}`).with("Content-Type", "/"), 415, "body.media-type", "Content-Type"},
		{"a body in Latin 1", batch(`{"queries":["x"]}`).with("Content-Type", "application/json; charset=iso-8859-1"), 415, "body.media-type", "Content-Type"},

		{"a list with a limit of 0", get("/v1/teams?limit=0"), 422, "parameter.invalid", "limit"},
		{"a list with a limit of 101", get("/v1/teams?limit=101"), 422, "parameter.invalid", "limit"},
		{"a list with a limit that is no number", get("/v1/teams?limit=all"), 422, "parameter.invalid", "limit"},
		{"a list with a limit beyond numbers", get("/v1/teams?limit=99999999999999999999"), 422, "parameter.invalid", "limit"},
		{"a list after what is no cursor", get("/v1/teams?after=A%20B"), 422, "cursor.syntax", "after"},
		{"a list after what is too long", get("/v1/teams?after=" + strings.Repeat("a", 2049)), 422, "parameter.invalid", "after"},
		{"a list of an unknown country", get("/v1/teams?country=ZZ"), 422, "country.unknown", "country"},
		{"a list of an unknown kind", get("/v1/teams?kind=fun"), 422, "parameter.invalid", "kind"},
		{"a list with a parameter that does not exist", get("/v1/teams?page=2"), 422, "parameter.unknown", "page"},

		{"a team that does not exist", get("/v1/teams/nobody"), 404, "team.unknown", "id"},
		{"a team by an id that does not exist", get("/v1/teams/5694da62-6314-4565-9c4d-1298538826be"), 404, "team.unknown", "id"},
		{"a team by what is no handle", get("/v1/teams/a%20b"), 404, "team.unknown", "id"},
		{"a team by what is too long", get("/v1/teams/" + strings.Repeat("a", 65)), 422, "parameter.invalid", "id"},

		{"a new team without a handle", team(`{"names":{"short":"X"}}`), 422, "handle.syntax", "/handle"},
		{"a new team with a wrong handle", team(`{"handle":"A B","names":{"short":"X"}}`), 422, "handle.syntax", "/handle"},
		{"a new team with a wrong id", team(`{"id":"1","handle":"new","names":{"short":"X"}}`), 422, "id.syntax", "/id"},
		{"a new team without a name", team(`{"handle":"new"}`), 422, "team.nameless", "/names"},
		{"a new team with a taken handle", team(`{"handle":"alpha","names":{"short":"X"}}`), 409, "handle.taken", "/handle"},
		{"a new team that sets its revision", team(`{"handle":"new","names":{"short":"X"},"revision":5}`), 422, "field.unknown", "/revision"},
		{"a new team with a wrong address", team(`{"handle":"new","names":{"short":"X"},"contacts":[{"channel":"email","value":"a@@b"}]}`), 422, "email.syntax", "/contacts/0/value"},
		{"a new team with an unknown label", team(`{"handle":"new","names":{"short":"X"},"contacts":[{"channel":"email","value":"a@example.org","visibility":"pink"}]}`), 422, "tlp.unknown", "/contacts/0/visibility"},
		{"a new team of an unknown country", team(`{"handle":"new","names":{"short":"X"},"country":"ZZ"}`), 422, "country.unknown", "/country"},

		{"a patch on no revision", request{method: "PATCH", path: "/v1/teams/alpha", as: "operator", body: good}, 428, "revision.missing", ""},
		{"a patch on an old revision", patch(good).with("If-Match", `"9"`), 412, "revision.unknown", ""},
		{"a patch on what is no tag", patch(good).with("If-Match", `7`), 400, "if-match.syntax", "If-Match"},
		{"a patch on a weak tag", patch(good).with("If-Match", `W/"1"`), 400, "if-match.syntax", "If-Match"},
		{"a patch on revision 0", patch(good).with("If-Match", `"0"`), 400, "if-match.syntax", "If-Match"},
		{"a patch on a revision with a sign", patch(good).with("If-Match", `"+1"`), 400, "if-match.syntax", "If-Match"},
		{"a patch on two tags", patch(good).with("If-Match", `"1", "2"`), 400, "if-match.syntax", "If-Match"},
		{"a patch of an unknown field", patch(`{"hots":"x"}`), 422, "field.unknown", "/hots"},
		{"a patch of what only the directory sets", patch(`{"revision":9}`), 422, "field.read-only", "/revision"},
		{"a patch of the id", patch(`{"id":"5694da62-6314-4565-9c4d-1298538826be"}`), 422, "field.read-only", "/id"},
		{"a patch of the handle to null", patch(`{"handle":null}`), 422, "handle.syntax", "/handle"},
		{"a patch of the handle to a number", patch(`{"handle":1}`), 422, "handle.syntax", "/handle"},
		{"a patch of the handle to one that is taken", patch(`{"handle":"beta"}`), 409, "handle.taken", "/handle"},
		{"a patch of the wrong type", patch(`{"host":["x"]}`), 422, "field.type", "/host"},
		{"a patch that takes all names", patch(`{"names":null}`), 422, "team.nameless", "/names"},
		{"a patch that is a list", patch(`[]`), 422, "field.type", ""},
		{"a patch that is no JSON", patch(`{`), 400, "json.syntax", ""},
		{"a patch of another type", patch(good).with("Content-Type", "application/json-patch+json"), 415, "body.media-type", "Content-Type"},
		{"a patch of a team that does not exist", send("PATCH", "/v1/teams/nobody", good).with("If-Match", "*"), 404, "team.unknown", "id"},
		{"a deletion on no revision", request{method: "DELETE", path: "/v1/teams/alpha", as: "operator"}, 428, "revision.missing", ""},
		{"a deletion of a team that does not exist", request{method: "DELETE", path: "/v1/teams/nobody", as: "operator", header: map[string]string{"If-Match": "*"}}, 404, "team.unknown", "id"},

		{"a merge into a team that does not exist", send("POST", "/v1/teams/alpha/merge", `{"into":"nobody"}`).with("If-Match", "*"), 404, "team.unknown", "/into"},
		{"a merge into itself", send("POST", "/v1/teams/alpha/merge", `{"into":"alpha"}`).with("If-Match", "*"), 422, "merge.same", "/into"},
		{"a merge on no revision", send("POST", "/v1/teams/alpha/merge", `{"into":"beta"}`), 428, "revision.missing", ""},

		{"evidence about a contact that does not exist", evidence(`{"contact":"x","level":2,"outcome":"proved","method":"phone"}`), 404, "contact.unknown-id", "/contact"},
		{"evidence by an unknown method", evidence(`{"contact":"x","level":2,"outcome":"proved","method":"dream"}`), 422, "evidence.method", "/method"},
		{"evidence of an unknown outcome", evidence(`{"contact":"x","level":2,"outcome":"perhaps","method":"phone"}`), 422, "evidence.outcome", "/outcome"},
		{"evidence of an unknown level", evidence(`{"contact":"x","level":9,"outcome":"proved","method":"phone"}`), 422, "evidence.level", "/level"},
		{"evidence from tomorrow", evidence(`{"contact":"x","level":2,"outcome":"proved","method":"phone","at":"2026-11-22T20:00:00Z"}`), 422, "date.future", "/at"},
		{"evidence at no time", evidence(`{"contact":"x","level":2,"outcome":"proved","method":"phone","at":"today"}`), 422, "time.syntax", "/at"},
		{"evidence that ends before it begins", evidence(`{"contact":"x","level":2,"outcome":"proved","method":"phone","valid_until":"2020-01-01T00:00:00Z"}`), 422, "date.order", "/valid_until"},

		{"a token of an unknown role", token(`{"name":"x","role":"king"}`), 422, "token.role", "/role"},
		{"an editor of no team", token(`{"name":"x","role":"editor"}`), 422, "token.team", "/team"},
		{"an editor of a team that does not exist", token(`{"name":"x","role":"editor","team":"nobody"}`), 404, "team.unknown", "/team"},
		{"a secretariat of no forum", token(`{"name":"x","role":"secretariat"}`), 422, "token.forum", "/forum"},
		{"a token of an unknown scope", token(`{"name":"x","role":"consumer","scopes":["all"]}`), 422, "token.scope", "/scopes"},
		{"a token for no time", token(`{"name":"x","role":"consumer","expires":"0d"}`), 422, "token.expires", "/expires"},
		{"a token for an unknown unit", token(`{"name":"x","role":"consumer","expires":"9m"}`), 422, "token.expires", "/expires"},
		{"a token beyond time", token(`{"name":"x","role":"consumer","expires":"99999999y"}`), 422, "token.expires", "/expires"},
		{"revoking a token that does not exist", request{method: "DELETE", path: "/v1/tokens/rct_nothing", as: "operator"}, 404, "token.unknown", "id"},
		{"history before revision 0", request{path: "/v1/teams/alpha/history?before=0", as: "operator"}, 422, "parameter.invalid", "before"},
		{"the audit trail with a limit of 1000", request{path: "/v1/audit?limit=1000", as: "operator"}, 422, "parameter.invalid", "limit"},

		{"a token of another place", get("/v1/me").with("Authorization", "Bearer ghp_x"), 401, "auth.token", "Authorization"},
		{"a token that was never given", get("/v1/lookup?q=x").with("Authorization", "Bearer rct_aaaaaaaa_bbbbbbbb"), 401, "auth.token", "Authorization"},
		{"a token that was revoked", get("/v1/teams").by("revoked"), 401, "auth.token-revoked", "Authorization"},
		{"another scheme", get("/v1/teams").with("Authorization", "Basic eDp5"), 401, "auth.scheme", "Authorization"},
		{"a scheme without a token", get("/v1/teams").with("Authorization", "Bearer"), 401, "auth.scheme", "Authorization"},
		{"reference data of an empty day", send("PUT", "/v1/reference/prefix-country/ripencc?as_of=", "prefix,country\n").with("Content-Type", "text/csv"), 422, "parameter.invalid", "as_of"},
		{"no token where one is needed", get("/v1/audit"), 401, "auth.required", ""},
	}
}

// where says what an item is about.
func where(p *api.Problem) string {
	switch {
	case len(p.Errors) == 0 || p.Errors[0].Pointer != nil && p.Errors[0].Parameter != "":
		return "nothing"
	case p.Errors[0].Parameter != "":
		return p.Errors[0].Parameter
	}
	return *p.Errors[0].Pointer
}

func TestBadRequests(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		before := s.do(t, request{path: "/v1/audit?limit=1", as: "operator"}).body
		for _, tt := range badRequests() {
			t.Run(tt.name, func(t *testing.T) {
				a := s.do(t, tt.request)
				p := problemIn(t, a)
				if p.Status != tt.status || p.Code != tt.code || tt.where != "-" && where(p) != tt.where {
					t.Errorf("%s %.80s = %d %s at %q, want %d %s at %q: %s", tt.method, tt.path, p.Status, p.Code, where(p), tt.status, tt.code, tt.where, a.body)
				}
			})
		}
		if after := s.do(t, request{path: "/v1/audit?limit=1", as: "operator"}).body; string(after) != string(before) {
			t.Errorf("a bad request wrote something: %s", after)
		}
	})
}

// TestCodesAreExplained follows the type of every problem above.
func TestCodesAreExplained(t *testing.T) {
	s := embedded(t)
	for _, tt := range badRequests() {
		var code api.ProblemCode
		if s.do(t, get("/problems/"+tt.code)).into(t, 200, &code); code.Code != tt.code || code.Title == "" || code.Advice == "" {
			t.Errorf("%s is explained as %+v", tt.code, code)
		}
	}
	if p := problemIn(t, s.do(t, get("/problems/nothing"))); p.Status != 404 {
		t.Errorf("an unknown code = %d, want 404", p.Status)
	}
}

// problemIn reads a problem and holds it against what every problem has.
func problemIn(t *testing.T, a answer) *api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	switch {
	case a.header.Get("Content-Type") != "application/problem+json":
		t.Errorf("Content-Type = %q, want application/problem+json", a.header.Get("Content-Type"))
	case p.Status != a.status, p.Title == "", p.Detail == "", p.Type != "/problems/"+p.Code, !strings.HasPrefix(p.Instance, "/"):
		t.Errorf("problem of status %d = %+v, lacks something", a.status, p)
	case p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id"):
		t.Errorf("request id in the problem %q, in the header %q, want them the same", p.RequestID, a.header.Get("X-Request-Id"))
	case a.status == http.StatusUnauthorized != (a.header.Get("WWW-Authenticate") != ""):
		t.Errorf("status %d with WWW-Authenticate %q", a.status, a.header.Get("WWW-Authenticate"))
	case a.status == http.StatusMethodNotAllowed != (a.header.Get("Allow") != ""):
		t.Errorf("status %d with Allow %q", a.status, a.header.Get("Allow"))
	}
	return &p
}

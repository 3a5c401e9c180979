package api_test

import "strings"

func badSearches() []bad {
	return []bad{
		{"a search without q", get("/v1/search"), 422, "parameter.missing", "q"},
		{"a search of nothing", get("/v1/search?q="), 422, "parameter.missing", "q"},
		{"a search of blanks", get("/v1/search?q=%20%20"), 422, "query.empty", "q"},
		{"a search of dots", get("/v1/search?q=..."), 422, "query.syntax", "q"},
		{"a search of an empty phrase", get("/v1/search?q=%22%22"), 422, "query.syntax", "q"},
		{"a search that is not UTF-8", get("/v1/search?q=%ff"), 422, "query.encoding", "q"},
		{"a search of two lines", get("/v1/search?q=a%0Ab"), 422, "query.control", "q"},
		{"a search with characters that reorder text", get("/v1/search?q=a%E2%80%AEb"), 422, "query.control", "q"},
		{"a search that is too long", get("/v1/search?q=" + strings.Repeat("a", 301)), 422, "query.too-long", "q"},
		{"a search of too many words", get("/v1/search?q=" + strings.Repeat("a+b+", 9)), 422, "search.words", "q"},
		{"a search in an unknown country", get("/v1/search?q=x&country=ZZ"), 422, "country.unknown", "country"},
		{"a search in an unknown sector", get("/v1/search?q=x&sector=fun"), 422, "parameter.invalid", "sector"},
		{"a search for an unknown kind", get("/v1/search?q=x&kind=fun"), 422, "parameter.invalid", "kind"},
		{"a search in what is no handle of a forum", get("/v1/search?q=x&forum=a%20b"), 422, "handle.syntax", "forum"},
		{"a search for an unknown state", get("/v1/search?q=x&state=fine"), 422, "parameter.invalid", "state"},
		{"a search with a limit of 0", get("/v1/search?q=x&limit=0"), 422, "parameter.invalid", "limit"},
		{"a search with a limit of 101", get("/v1/search?q=x&limit=101"), 422, "parameter.invalid", "limit"},
		{"a search with a limit that is no number", get("/v1/search?q=x&limit=many"), 422, "parameter.invalid", "limit"},
		{"a search after nothing that was given", get("/v1/search?q=x&after=alpha"), 422, "search.after", "after"},
		{"a search after a place that is cut", get("/v1/search?q=x&after=Aj_wAAAA"), 422, "search.after", "after"},
		{"a search after a place that no hit has", get("/v1/search?q=x&after=_z_wAAAAAAAAYWxwaGE"), 422, "search.after", "after"},
		{"a search with a parameter that does not exist", get("/v1/search?q=x&use=abuse"), 422, "parameter.unknown", "use"},
		{"a search by another method", request{method: "POST", path: "/v1/search?q=x"}, 405, "request.method", "-"},
		{"a search with a token that was revoked", get("/v1/search?q=x").by("revoked"), 401, "auth.token-revoked", "Authorization"},
	}
}

package api_test

import "strings"

// badMatches are requests about matches and merges that are refused. Alpha and
// beta are at revision 1, whatever else the scene does to them.
func badMatches() []bad {
	decide := func(body string) request { return send("POST", "/v1/matches/decide", body) }
	undo := func(ref string) request {
		return request{method: "POST", path: "/v1/teams/" + ref + "/unmerge", as: "operator", header: map[string]string{"If-Match": "*"}}
	}
	list := func(query string) request { return request{path: "/v1/matches?" + query, as: "operator"} }
	const sides = `"keep":{"team":"alpha","revision":1},"other":{"team":"beta","revision":1}`
	return []bad{
		{"matches without a token", get("/v1/matches"), 401, "auth.required", ""},
		{"matches with a limit of 0", list("limit=0"), 422, "parameter.invalid", "limit"},
		{"matches with a limit of 101", list("limit=101"), 422, "parameter.invalid", "limit"},
		{"matches with a score above 1", list("min_score=2"), 422, "parameter.invalid", "min_score"},
		{"matches with a score that nothing has", list("min_score=0.1"), 422, "parameter.invalid", "min_score"},
		{"matches with a score that is no number", list("min_score=high"), 422, "parameter.invalid", "min_score"},
		{"matches of a team that does not exist", list("team=nobody"), 404, "team.unknown", "team"},
		{"matches of what is no handle", list("team=a%20b"), 404, "team.unknown", "team"},
		{"matches of what is too long", list("team=" + strings.Repeat("a", 65)), 422, "parameter.invalid", "team"},
		{"matches after what is no place", list("after=nothing"), 422, "match.cursor", "after"},
		{"matches after a score alone", list("after=88"), 422, "match.cursor", "after"},
		{"matches after a score above 1", list("after=999." + exampleID + "." + exampleID), 422, "match.cursor", "after"},
		{"matches after what is too long", list("after=" + strings.Repeat("a", 81)), 422, "parameter.invalid", "after"},
		{"matches with a parameter that does not exist", list("score=1"), 422, "parameter.unknown", "score"},

		{"a verdict without a body", request{method: "POST", path: "/v1/matches/decide", as: "operator", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"a verdict that is no JSON", decide(`{`), 400, "json.syntax", ""},
		{"a verdict that is a list", decide(`[]`), 422, "field.type", ""},
		{"a verdict of another type", decide(`{}`).with("Content-Type", "text/plain"), 415, "body.media-type", "Content-Type"},
		{"an empty verdict", decide(`{` + sides + `}`), 422, "match.verdict", "/verdict"},
		{"an unknown verdict", decide(`{"verdict":"perhaps",` + sides + `}`), 422, "match.verdict", "/verdict"},
		{"a verdict with an unknown member", decide(`{"verdict":"same",` + sides + `,"score":1}`), 422, "field.unknown", "/score"},
		{"a verdict with a revision that is text", decide(`{"verdict":"same","keep":{"team":"alpha","revision":"1"},"other":{"team":"beta","revision":1}}`), 422, "field.type", "/keep/revision"},
		{"a verdict on no revision of the team that stays", decide(`{"verdict":"same","keep":{"team":"alpha"},"other":{"team":"beta","revision":1}}`), 428, "revision.missing", "/keep/revision"},
		{"a verdict on no revision of the other", decide(`{"verdict":"different","keep":{"team":"alpha","revision":1},"other":{"team":"beta"}}`), 428, "revision.missing", "/other/revision"},
		{"a verdict on a revision below 1", decide(`{"verdict":"same","keep":{"team":"alpha","revision":-1},"other":{"team":"beta","revision":1}}`), 422, "field.range", "/keep/revision"},
		{"a verdict on a revision that never was", decide(`{"verdict":"same","keep":{"team":"alpha","revision":1},"other":{"team":"beta","revision":9}}`), 412, "revision.unknown", "/other/revision"},
		{"a verdict about no team", decide(`{"verdict":"same","keep":{"team":"","revision":1},"other":{"team":"beta","revision":1}}`), 404, "team.unknown", "/keep/team"},
		{"a verdict about a team that does not exist", decide(`{"verdict":"same","keep":{"team":"alpha","revision":1},"other":{"team":"nobody","revision":1}}`), 404, "team.unknown", "/other/team"},
		{"a verdict about one team", decide(`{"verdict":"different","keep":{"team":"alpha","revision":1},"other":{"team":"alpha","revision":1}}`), 422, "merge.same", "/other/team"},
		{"a verdict with a reason that is too long", decide(`{"verdict":"different",` + sides + `,"reason":"` + strings.Repeat("x", 501) + `"}`), 422, "text.too-long", "/reason"},
		{"a verdict with a reason that is invisible", decide(`{"verdict":"different",` + sides + `,"reason":"\u202e"}`), 422, "text.bidi", "/reason"},
		{"a verdict by nobody", request{method: "POST", path: "/v1/matches/decide", body: `{"verdict":"same",` + sides + `}`}, 401, "auth.required", ""},

		{"undoing on no revision", request{method: "POST", path: "/v1/teams/alpha/unmerge", as: "operator"}, 409, "merge.not-merged", ""},
		{"undoing what was not merged", undo("alpha"), 409, "merge.not-merged", ""},
		{"undoing the merge of a team that does not exist", undo("nobody"), 404, "team.unknown", "id"},
		{"undoing the merge of what is no handle", undo("a%20b"), 404, "team.unknown", "id"},
		{"undoing the merge of what is too long", undo(strings.Repeat("a", 65)), 422, "parameter.invalid", "id"},
		{"undoing on what is no tag", undo("alpha").with("If-Match", "7"), 400, "if-match.syntax", "If-Match"},
		{"undoing on a weak tag", undo("alpha").with("If-Match", `W/"1"`), 400, "if-match.syntax", "If-Match"},
		{"undoing on two tags", undo("alpha").with("If-Match", `"1", "2"`), 400, "if-match.syntax", "If-Match"},
		{"undoing by nobody", request{method: "POST", path: "/v1/teams/alpha/unmerge", header: map[string]string{"If-Match": "*"}}, 401, "auth.required", ""},
		{"undoing by a method that the path does not have", request{method: "PUT", path: "/v1/teams/alpha/unmerge", as: "operator"}, 405, "request.method", "-"},
	}
}

const exampleID = "5694da62-6314-4565-9c4d-1298538826be"

package api_test

import "strings"

const (
	noQuestion = "/v1/challenges/00000000-0000-4000-8000-000000000000"
	noCampaign = "/v1/campaigns/00000000-0000-4000-8000-000000000000"
)

// badChallenges are requests about questions and campaigns that are refused.
func badChallenges() []bad {
	post := func(path, body string) request { return send("POST", path, body) }
	by := func(path string) request { return get(path).by("operator") }
	ask := func(body string) request { return post("/v1/challenges", body) }
	plan := func(body string) request { return post("/v1/campaigns", body) }
	window := `"from":"2026-11-23T00:00:00Z","to":"2026-11-28T00:00:00Z"`
	list := []bad{
		{"questions of everybody, for an editor", get("/v1/challenges").by("editor"), 403, "auth.role", ""},
		{"questions of nobody", by("/v1/challenges?team=nobody"), 404, "team.unknown", "team"},
		{"questions of no campaign", by("/v1/challenges?campaign=nothing"), 404, "campaign.unknown", "campaign"},
		{"questions after what is no page", by("/v1/challenges?after=x"), 422, "cursor.syntax", "after"},
		{"questions after a page of nothing", by("/v1/challenges?after=MTIzIHg"), 422, "cursor.syntax", "after"},
		{"questions by thousands", by("/v1/challenges?limit=501"), 422, "parameter.invalid", "limit"},
		{"no question", by(noQuestion), 404, "challenge.unknown", "id"},
		{"a question by an id that is too long", by("/v1/challenges/" + strings.Repeat("a", 65)), 422, "parameter.invalid", "id"},
		{"asking nobody", ask(`{"team":"nobody","contact":"x"}`), 422, "team.unknown", "/team"},
		{"asking no contact", ask(`{"team":"alpha","contact":"x"}`), 422, "contact.unknown", "/contact"},
		{"asking for a dance", ask(`{"team":"alpha","contact":"x","kind":"dance"}`), 422, "challenge.no-way", "/kind"},
		{"asking without a contact", ask(`{"team":"alpha"}`), 422, "contact.unknown", "/contact"},
		{"asking with an unknown member", ask(`{"team":"alpha","contact":"x","now":true}`), 422, "field.unknown", "/now"},
		{"asking without a body", request{method: "POST", path: "/v1/challenges", as: "operator", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"asking without a token", request{method: "POST", path: "/v1/challenges", body: `{}`}, 401, "auth.required", ""},
		{"the outlook of nobody", by("/v1/teams/nobody/challenges"), 404, "team.unknown", "id"},
		{"the outlook by no reason", by("/v1/teams/alpha/challenges?why=tired"), 422, "parameter.invalid", "why"},
		{"contacts of all without a reason", by("/v1/desk/contacts"), 422, "parameter.missing", "why"},
		{"contacts of all by no reason", by("/v1/desk/contacts?why=tired"), 422, "parameter.invalid", "why"},
		{"contacts of all after what is no page", by("/v1/desk/contacts?why=unvouched&after=x"), 422, "cursor.syntax", "after"},
		{"policies with a parameter", get("/v1/policies?name=x"), 422, "parameter.unknown", "name"},

		{"judging no call", post(noQuestion+"/calls/judge", `{"approve":true}`), 404, "challenge.unknown", "id"},
		{"judging without a word", post(noQuestion+"/calls/judge", `{}`), 422, "challenge.call", "/approve"},
		{"a call of no number", post(noQuestion+"/calls", `{"number":"call","reached":true}`), 422, "challenge.call", "/number"},
		{"closing no case", post(noQuestion+"/cases/call/close", `{}`), 404, "case.unknown", "kind"},
		{"cases after what is no page", by("/v1/cases?after=x"), 422, "cursor.syntax", "after"},
		{"campaigns after a page of nothing", by("/v1/campaigns?after=MTIzIHg"), 422, "cursor.syntax", "after"},
		{"cases by thousands", by("/v1/cases?limit=1001"), 422, "parameter.invalid", "limit"},
		{"a result of level 9", post("/v1/desk/results", `{"team":"alpha","contact":"x","level":9,"source":"S","at":"2026-11-01T00:00:00Z"}`), 422, "challenge.result", "/level"},
		{"a result of nobody", post("/v1/desk/results", `{"team":"nobody","contact":"x","level":2,"source":"S","at":"2026-11-01T00:00:00Z"}`), 422, "team.unknown", "/team"},
		{"going on with what was not stopped", request{method: "POST", path: "/v1/desk/resume", as: "operator"}, 409, "checks.not-paused", ""},
		{"stopping everything with a list", post("/v1/desk/stop", `[]`), 422, "field.type", ""},
		{"going on with a parameter", request{method: "POST", path: "/v1/desk/resume?now=1", as: "operator"}, 422, "parameter.unknown", "now"},

		{"no campaign", by(noCampaign), 404, "campaign.unknown", "id"},
		{"the report of no campaign", by(noCampaign + "/report"), 404, "campaign.unknown", "id"},
		{"moving no campaign", post(noCampaign+"/move", `{"move":"start"}`), 404, "campaign.unknown", "id"},
		{"moving a campaign sideways", post(noCampaign+"/move", `{"move":"sideways"}`), 422, "campaign.state", "/move"},
		{"campaigns before what is no time", by("/v1/campaigns?before=yesterday"), 422, "parameter.invalid", "before"},
		{"a campaign without a name", plan(`{"name":"",` + window + `}`), 422, "campaign.name", "/name"},
		{"a campaign that ends before it begins", plan(`{"name":"A","from":"2026-12-23T00:00:00Z","to":"2026-11-28T00:00:00Z"}`), 422, "campaign.window", "/to"},
		{"a campaign by no policy", plan(`{"name":"A","policy":"none",` + window + `}`), 422, "policy.unknown", "/policy"},
		{"a campaign of no country", plan(`{"name":"A","scope":{"country":"Atlantis"},` + window + `}`), 422, "country.unknown", "/scope/country"},
		{"a campaign of no team", plan(`{"name":"A","scope":{"teams":["nobody"]},` + window + `}`), 422, "team.unknown", "/scope/teams/0"},
		{"a campaign of another forum", plan(`{"name":"A","scope":{"forum":"first"},` + window + `}`).by("stranger"), 403, "auth.role", ""},
		{"response times of another forum", get("/v1/response-times?forum=first").by("stranger"), 403, "auth.role", ""},
		{"response times until nothing", by("/v1/response-times?until="), 422, "parameter.invalid", "until"},
		{"campaigns before nothing", by("/v1/campaigns?before="), 422, "parameter.invalid", "before"},
		{"a campaign of a tier with a long name", plan(`{"name":"A","scope":{"tier":"` + strings.Repeat("a", 65) + `"},` + window + `}`), 422, "campaign.scope", "/scope/tier"},
		{"a reason of 501 characters", post(noQuestion+"/stop", `{"why":"`+strings.Repeat("a", 501)+`"}`), 422, "text.too-long", "/why"},
		{"response times since no time", by("/v1/response-times?since=x"), 422, "parameter.invalid", "since"},
		{"response times of nobody", by("/v1/teams/nobody/response-times"), 404, "team.unknown", "id"},
		{"consent of nobody", request{method: "PUT", path: "/v1/teams/nobody/response-times/consent", as: "operator"}, 404, "team.unknown", "id"},
		{"consent withdrawn of nobody", request{method: "DELETE", path: "/v1/teams/nobody/response-times/consent", as: "operator"}, 404, "team.unknown", "id"},
	}
	for _, word := range []string{"stop", "pause", "resume"} {
		list = append(list,
			bad{word + " of no question", post(noQuestion+"/"+word, `{}`), 404, "challenge.unknown", "id"},
			bad{word + " with an unknown member", post(noQuestion+"/"+word, `{"reason":"x"}`), 422, "field.unknown", "/reason"})
	}
	return list
}

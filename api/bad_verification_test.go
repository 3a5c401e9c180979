package api_test

import (
	"cmp"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

// badVerification are requests about checks and what they found that are refused.
func badVerification() []bad {
	post := func(path, body string) request { return send("POST", path, body) }
	long := strings.Repeat("a", 65)
	hash := strings.Repeat("0", 64)
	const team = "/v1/teams/alpha/"
	list := []bad{
		{"history before event 0", get(team + "verification/history?before=0"), 422, "parameter.invalid", "before"},
		{"history before what is no number", get(team + "verification/history?before=now"), 422, "parameter.invalid", "before"},
		{"history with a limit of 0", get(team + "verification/history?limit=0"), 422, "parameter.invalid", "limit"},
		{"history with a limit of 101", get(team + "verification/history?limit=101"), 422, "parameter.invalid", "limit"},
		{"history of an unknown kind", get(team + "verification/history?kind=team"), 422, "parameter.invalid", "kind"},
		{"history of a check whose name is too long", get(team + "verification/history?check=" + long), 422, "parameter.invalid", "check"},
		{"history with a parameter that does not exist", get(team + "verification/history?after=1"), 422, "parameter.unknown", "after"},

		{"sources of nobody", get("/v1/teams/nobody/verification/sources"), 404, "team.unknown", "id"},
		{"sources with a parameter that does not exist", get(team + "verification/sources?limit=1"), 422, "parameter.unknown", "limit"},
		{"disagreements after what is no page", get("/v1/verification/sources?after=x"), 422, "cursor.syntax", "after"},
		{"disagreements by hundreds", get("/v1/verification/sources?limit=101"), 422, "parameter.invalid", "limit"},

		{"evidence of what is no hash", request{path: team + "verification/evidence/x", as: "operator"}, 422, "parameter.invalid", "hash"},
		{"evidence of a hash in capitals", request{path: team + "verification/evidence/" + strings.Repeat("A", 64), as: "operator"}, 422, "parameter.invalid", "hash"},
		{"evidence of a hash that is too long", request{path: team + "verification/evidence/" + hash + "0", as: "operator"}, 422, "parameter.invalid", "hash"},
		{"evidence that is not kept", request{path: team + "verification/evidence/" + hash, as: "operator"}, 404, "checks.evidence", "hash"},
		{"evidence of no hash", request{path: team + "verification/evidence", as: "operator"}, 404, "request.path", "-"},
		{"evidence for nobody", get(team + "verification/evidence/" + hash), 401, "auth.required", ""},
		{"evidence for another team's editor", get(team + "verification/evidence/" + hash).by("other"), 403, "auth.role", ""},

		{"running checks for nobody", request{method: "POST", path: team + "verification/run"}, 401, "auth.required", ""},
		{"running the checks of another team", request{method: "POST", path: team + "verification/run", as: "other"}, 403, "auth.role", ""},
		{"running checks with a token that only reads", request{method: "POST", path: team + "verification/run", as: "reader"}, 403, "auth.scope", ""},
		{"running checks by reading", request{path: team + "verification/run", as: "operator"}, 405, "request.method", "-"},
		{"running checks with a parameter that does not exist", request{method: "POST", path: team + "verification/run?check=mx", as: "operator"}, 422, "parameter.unknown", "check"},

		{"events after a number below 0", get("/v1/verification/events?after=-1"), 422, "parameter.invalid", "after"},
		{"events after what has not happened", get("/v1/verification/events?after=999999"), 409, "changes.epoch", "after"},
		{"events of another epoch", get("/v1/verification/events?epoch=0123456789abcdef0123456789abcdef"), 409, "changes.epoch", "epoch"},
		{"events of an epoch that is too long", get("/v1/verification/events?epoch=" + long), 422, "parameter.invalid", "epoch"},
		{"events with a limit of 201", get("/v1/verification/events?limit=201"), 422, "parameter.invalid", "limit"},
		{"events with a limit of 0", get("/v1/verification/events?limit=0"), 422, "parameter.invalid", "limit"},
		{"a wait for events of more than a minute", get("/v1/verification/events?wait=61"), 422, "parameter.invalid", "wait"},
		{"events with a parameter that does not exist", get("/v1/verification/events?since=1"), 422, "parameter.unknown", "since"},
		{"events that are sent", post("/v1/verification/events", `{}`), 405, "request.method", "-"},

		{"a pause without a body", request{method: "POST", path: "/v1/verification/pause", as: "operator", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"a pause that is no JSON", post("/v1/verification/pause", `{`), 400, "json.syntax", ""},
		{"a pause that is a list", post("/v1/verification/pause", `[]`), 422, "field.type", ""},
		{"a pause with an unknown member", post("/v1/verification/pause", `{"until":"tomorrow"}`), 422, "field.unknown", "/until"},
		{"a pause of a check that does not exist", post("/v1/verification/pause", `{"check":"nothing"}`), 422, "checks.unknown", "/check"},
		{"a pause of a number", post("/v1/verification/pause", `{"check":1}`), 422, "field.type", "/check"},
		{"a pause now and perhaps", post("/v1/verification/pause", `{"now":"perhaps"}`), 422, "field.type", "/now"},
		{"a pause for a reason that is too long", post("/v1/verification/pause", `{"why":"`+strings.Repeat("x", 501)+`"}`), 422, "text.too-long", "/why"},
		{"a pause for a reason that is invisible", post("/v1/verification/pause", `{"why":"\u202e"}`), 422, "text.bidi", "/why"},
		{"a pause of another type", post("/v1/verification/pause", `{}`).with("Content-Type", "text/plain"), 415, "body.media-type", "Content-Type"},
		{"a pause by nobody", request{method: "POST", path: "/v1/verification/pause", body: `{}`}, 401, "auth.required", ""},

		{"going on without a body", request{method: "POST", path: "/v1/verification/resume", as: "operator", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"going on with what is not paused", post("/v1/verification/resume", `{"check":"mx"}`), 409, "checks.not-paused", ""},
		{"going on with all when nothing is paused", post("/v1/verification/resume", `{}`), 409, "checks.not-paused", ""},
		{"going on with held verdicts forgotten", post("/v1/verification/resume", `{"held":"forget"}`), 422, "checks.held", "/held"},
		{"going on with an unknown member", post("/v1/verification/resume", `{"now":true}`), 422, "field.unknown", "/now"},
		{"going on that is no JSON", post("/v1/verification/resume", `held`), 400, "json.syntax", ""},
		{"going on by an editor", post("/v1/verification/resume", `{}`).by("editor"), 403, "auth.role", ""},

		{"codes of an unknown kind", get("/v1/problems?kind=error"), 422, "parameter.invalid", "kind"},
		{"codes of an empty kind", get("/v1/problems?kind="), 422, "parameter.invalid", "kind"},
		{"codes with a prefix that is too long", get("/v1/problems?prefix=" + long), 422, "parameter.invalid", "prefix"},
		{"codes with a parameter that does not exist", get("/v1/problems?code=mx.implicit"), 422, "parameter.unknown", "code"},
		{"codes that are sent", post("/v1/problems", `{}`), 405, "request.method", "-"},
		{"codes as XML", get("/v1/problems").with("Accept", "application/xml"), 406, "request.accept", "Accept"},
		{"a code that does not exist", get("/v1/problems/nothing"), 404, "request.not-found", "code"},
		{"a code that is too long", get("/v1/problems/" + long), 422, "parameter.invalid", "code"},
		{"a code with a parameter that does not exist", get("/v1/problems/mx.implicit?lang=de"), 422, "parameter.unknown", "lang"},
		{"a code with a slash", get("/v1/problems/mx/implicit"), 404, "request.path", "-"},
		{"a code that is deleted", request{method: "DELETE", path: "/v1/problems/mx.implicit", as: "operator"}, 405, "request.method", "-"},

		{"checks with a parameter that does not exist", get("/v1/checks?name=mx"), 422, "parameter.unknown", "name"},
		{"a check by its name", get("/v1/checks/mx"), 404, "request.path", "-"},
		{"checks that are sent", post("/v1/checks", `{}`), 405, "request.method", "-"},
		{"checks for a revoked token", get("/v1/checks").by("revoked"), 401, "auth.token-revoked", "Authorization"},
		{"checks as XML", get("/v1/checks").with("Accept", "application/xml"), 406, "request.accept", "Accept"},

		{"a badge as a bitmap", get(team+"badge.svg").with("Accept", "image/png"), 406, "request.accept", "Accept"},
		{"a badge of another kind", get(team + "badge.png"), 404, "request.path", "-"},
		{"a badge of a style", get(team + "badge.svg?style=flat"), 422, "parameter.unknown", "style"},
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		ask := func(path string) request {
			return request{method: method, path: path, as: "operator", body: map[string]string{"PUT": `{}`}[method]}
		}
		unknown := map[string]directory.Code{"PUT": "control.no-resource"}[method]
		list = append(list,
			bad{method + " of a proof for what is no domain", ask(team + "control/exa_mple..org"), 422, "domain.syntax", "domain"},
			bad{method + " of a proof for a domain that is too long", ask(team + "control/" + strings.Repeat("a", 254)), 422, "parameter.invalid", "domain"},
			bad{method + " of a proof for another's domain", ask(team + "control/example.edu"), 404, string(cmp.Or(unknown, "control.unknown")), "domain"},
			bad{method + " of a proof of a team that does not exist", ask("/v1/teams/nobody/control/example.org"), 404, "team.unknown", "id"},
			bad{method + " of a proof with a parameter", ask(team + "control/example.org?expiry=never"), 422, "parameter.unknown", "expiry"},
		)
	}
	prove := func(body string) request { return send("PUT", team+"control/example.org", body) }
	list = append(list,
		bad{"a proof with a day that is none", prove(`{"expiry":"soon"}`), 422, "date.syntax", "/expiry"},
		bad{"a proof with a day in another century", prove(`{"expiry":"1899-01-01"}`), 422, "date.range", "/expiry"},
		bad{"a proof with a day that has passed", prove(`{"expiry":"2026-11-21"}`), 422, "control.expiry", "/expiry"},
		bad{"a proof with a number for a day", prove(`{"expiry":1}`), 422, "field.type", "/expiry"},
		bad{"a proof with a token", prove(`{"token":"x"}`), 422, "field.unknown", "/token"},
		bad{"a proof that is no JSON", prove(`x`), 400, "json.syntax", ""},
		bad{"a proof by nobody", request{method: "PUT", path: team + "control/example.org", body: `{}`}, 401, "auth.required", ""},
		bad{"a proof by another team", prove(`{}`).by("other"), 403, "auth.role", ""},
		bad{"a proof by a secretariat", prove(`{}`).by("secretariat"), 403, "auth.role", ""},
		bad{"a proof by a token that only reads", prove(`{}`).by("reader"), 403, "auth.scope", ""},
		bad{"a proof that is patched", send("PATCH", team+"control/example.org", `{}`), 405, "request.method", "-"},
		bad{"a new proof of nothing", request{method: "POST", path: team + "control/example.edu/renew", as: "operator"}, 404, "control.unknown", "domain"},
		bad{"a new proof for what is no domain", request{method: "POST", path: team + "control/..org/renew", as: "operator"}, 422, "domain.syntax", "domain"},
		bad{"a look for nothing", request{method: "POST", path: team + "control/example.edu/run", as: "operator"}, 404, "control.unknown", "domain"},
		bad{"a look for what is no domain", request{method: "POST", path: team + "control/..org/run", as: "operator"}, 422, "domain.syntax", "domain"},
		bad{"proofs of a team that does not exist", get("/v1/teams/nobody/control"), 404, "team.unknown", "id"},
		bad{"proofs with a parameter that does not exist", get(team + "control?domain=example.org"), 422, "parameter.unknown", "domain"},
		bad{"proofs that are sent", send("POST", team+"control", `{}`), 405, "request.method", "-"},
	)
	for _, what := range []string{"verification", "digest", "badge.svg", "verification/history"} {
		list = append(list,
			bad{what + " of a team that does not exist", get("/v1/teams/nobody/" + what), 404, "team.unknown", "id"},
			bad{what + " of what is no handle", get("/v1/teams/a%20b/" + what), 404, "team.unknown", "id"},
			bad{what + " of what is too long", get("/v1/teams/" + long + "/" + what), 422, "parameter.invalid", "id"},
			bad{what + " with a parameter that does not exist", get(team + what + "?at=now"), 422, "parameter.unknown", "at"},
			bad{what + " that is replaced", send("PUT", team+what, `{}`), 405, "request.method", "-"},
		)
	}
	for _, what := range []string{"verification", "digest", "verification/history"} {
		list = append(list, bad{what + " by a revoked token", get(team + what).by("revoked"), 401, "auth.token-revoked", "Authorization"})
	}
	return append(list, bad{"running the checks of a team that does not exist", request{method: "POST", path: "/v1/teams/nobody/verification/run", as: "operator"}, 404, "team.unknown", "id"})
}

package api_test

import "strings"

// badContinuity are bad requests about how a team came to its keys.
func badContinuity() []bad {
	const keys = "/v1/teams/alpha/keys/"
	unknown := strings.Repeat("A", 40)
	list := []bad{
		{"the continuity of nobody's keys", get("/v1/teams/nobody/continuity"), 404, "team.unknown", "id"},
		{"the continuity of keys of a team with a long name", get("/v1/teams/" + strings.Repeat("a", 65) + "/continuity"), 422, "parameter.invalid", "id"},
		{"the continuity of keys with a parameter", get("/v1/teams/alpha/continuity?key=" + unknown), 422, "parameter.unknown", "key"},
		{"the continuity of keys that is sent", send("POST", "/v1/teams/alpha/continuity", `{}`), 405, "request.method", "-"},
		{"the continuity of keys as XML", get("/v1/teams/alpha/continuity").with("Accept", "application/xml"), 406, "request.accept", "Accept"},
	}
	for word, body := range map[string]string{"statement": `{"statement":"x"}`, "vouch": `{"note":"called"}`, "refuse": `{"note":"wrong"}`} {
		at := keys + unknown + "/" + word
		list = append(list,
			bad{word + " of a key that the team does not have", send("POST", at, body), 404, "key.unknown", "key"},
			bad{word + " of a key with a long name", send("POST", keys+strings.Repeat("A", 65)+"/"+word, body), 422, "parameter.invalid", "key"},
			bad{word + " of a key of nobody", send("POST", "/v1/teams/nobody/keys/"+unknown+"/"+word, body), 404, "team.unknown", "id"},
			bad{word + " with a parameter", send("POST", at+"?force=1", body), 422, "parameter.unknown", "force"},
			bad{word + " that is no JSON", send("POST", at, `x`), 400, "json.syntax", ""},
			bad{word + " that is XML", send("POST", at, `<x/>`).with("Content-Type", "application/xml"), 415, "body.media-type", "Content-Type"},
			bad{word + " with something unknown", send("POST", at, `{"force":true}`), 422, "field.unknown", "/force"},
			bad{word + " with a number", send("POST", at, strings.NewReplacer(`"x"`, "1", `"called"`, "1", `"wrong"`, "1").Replace(body)), 422, "field.type", "-"},
			bad{word + " by nobody", request{method: "POST", path: at, body: body}, 401, "auth.required", ""},
			bad{word + " that is asked for", get(at), 405, "request.method", "-"},
		)
	}
	return list
}

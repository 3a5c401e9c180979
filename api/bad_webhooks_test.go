package api_test

import "strings"

const noHook = "/v1/webhooks/00000000-0000-4000-8000-000000000000"

// badWebhooks are requests about webhooks, events and answers of automation that are refused.
func badWebhooks() []bad {
	post := func(path, body string) request { return send("POST", path, body) }
	by := func(path string) request { return get(path).by("operator") }
	add := func(body string) request { return post("/v1/webhooks", body) }
	url := func(u string) request { return add(`{"url":"` + u + `"}`) }
	answer := func(body string) request { return request{method: "POST", path: "/v1/webhook-answers", body: body} }
	const good = `{"challenge":"00000000-0000-4000-8000-000000000000","nonce":"7F3K9Q2M7F3K9Q2M7F3K9Q2M7F3K9Q2M"}`
	const endpoint = "/v1/teams/alpha/contacts/none/webhook"
	put := func(path, body string) request { return send("PUT", path, body) }
	list := []bad{
		{"events of everybody, for an editor", get("/v1/challenges/events").by("editor"), 403, "auth.role", ""},
		{"events of nobody", by("/v1/challenges/events?team=nobody"), 404, "team.unknown", "team"},
		{"events of no campaign", by("/v1/challenges/events?campaign=nothing"), 404, "campaign.unknown", "campaign"},
		{"events of no type", by("/v1/challenges/events?type=challenge.danced"), 422, "webhook.type", "type"},
		{"pings as events", by("/v1/challenges/events?type=ping"), 422, "webhook.type", "type"},
		{"events that are yet to come", by("/v1/challenges/events?after=4711"), 409, "changes.epoch", "after"},
		{"events of another database", by("/v1/challenges/events?epoch=x"), 409, "changes.epoch", "epoch"},
		{"events by thousands", by("/v1/challenges/events?limit=501"), 422, "parameter.invalid", "limit"},
		{"events in an hour", by("/v1/challenges/events?wait=3600"), 422, "parameter.invalid", "wait"},
		{"events without a token", get("/v1/challenges/events"), 401, "auth.required", ""},

		{"webhooks of everybody, for a secretariat", get("/v1/webhooks").by("secretariat"), 403, "auth.role", ""},
		{"webhooks of nobody", by("/v1/webhooks?team=nobody"), 404, "team.unknown", "team"},
		{"webhooks of another team", get("/v1/webhooks?team=alpha").by("other"), 403, "auth.role", ""},
		{"no webhook", by(noHook), 404, "webhook.unknown", "id"},
		{"no webhook, for an editor", get(noHook).by("editor"), 403, "auth.role", ""},
		{"a webhook by an id that is too long", by("/v1/webhooks/" + strings.Repeat("a", 65)), 422, "parameter.invalid", "id"},
		{"changing no webhook", put(noHook, `{"url":"https://hooks.example.org/"}`), 404, "webhook.unknown", "id"},
		{"changing the team of a webhook", put(noHook, `{"url":"https://hooks.example.org/","team":"beta"}`), 422, "webhook.team", "/team"},
		{"removing no webhook", request{method: "DELETE", path: noHook, as: "operator"}, 404, "webhook.unknown", "id"},
		{"trying out no webhook", request{method: "POST", path: noHook + "/ping", as: "operator"}, 404, "webhook.unknown", "id"},
		{"a new secret of no webhook", request{method: "POST", path: noHook + "/secret", as: "operator"}, 404, "webhook.unknown", "id"},
		{"deliveries of no webhook", by(noHook + "/deliveries"), 404, "webhook.unknown", "id"},
		{"deliveries by thousands", by(noHook + "/deliveries?limit=501"), 422, "parameter.invalid", "limit"},
		{"deliveries before the first", by(noHook + "/deliveries?before=0"), 422, "parameter.invalid", "before"},
		{"a webhook of nobody", add(`{"team":"nobody","url":"https://hooks.example.org/"}`), 422, "team.unknown", "/team"},
		{"a webhook of everybody, for an editor", url("https://hooks.example.org/").by("editor"), 403, "auth.role", ""},
		{"a webhook for what does not happen", add(`{"url":"https://hooks.example.org/","types":["challenge.answered","challenge.danced"]}`), 422, "webhook.type", "/types/1"},
		{"a webhook with a long note", add(`{"url":"https://hooks.example.org/","note":"` + strings.Repeat("a", 201) + `"}`), 422, "webhook.note", "/note"},
		{"a webhook with an unknown member", add(`{"url":"https://hooks.example.org/","secret":"x"}`), 422, "field.unknown", "/secret"},
		{"a webhook with a word for a list", add(`{"url":"https://hooks.example.org/","types":"all"}`), 422, "field.type", "/types"},

		{"the automation of nobody", by("/v1/teams/nobody/contacts/x/webhook"), 404, "team.unknown", "id"},
		{"the automation of no contact", by(endpoint), 404, "contact.unknown", "contact"},
		{"registering for no contact", put(endpoint, `{"scheme":"hmac","key":"`+automationKey+`"}`), 404, "contact.unknown", "contact"},
		{"registering without a body", request{method: "PUT", path: endpoint, as: "operator", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
		{"removing from no contact", request{method: "DELETE", path: endpoint, as: "operator"}, 404, "contact.unknown", "contact"},

		{"an answer that is no JSON", answer(`{`), 422, "webhook.answer", ""},
		{"an answer without a nonce", answer(`{"challenge":"x"}`), 422, "webhook.answer", ""},
		{"an answer with something behind it", answer(good + `{}`), 422, "webhook.answer", ""},
		{"an answer that is too large", answer(`{"challenge":"` + strings.Repeat("a", 5000) + `"}`), 413, "body.too-large", "-"},
		{"an answer of another type", answer(good).with("Content-Type", "text/plain"), 415, "body.media-type", "Content-Type"},
		{"an answer without a signature", answer(good), 403, "webhook.signature", ""},
		{"an answer with a long signature", answer(good).with("Rollcall-Signature", strings.Repeat("a", 1025)), 422, "parameter.invalid", "Rollcall-Signature"},
		{"an answer that is too old", answer(good).with("Rollcall-Signature", "t=1,v1=00"), 403, "webhook.signature", ""},
		{"an answer without a body", request{method: "POST", path: "/v1/webhook-answers", header: map[string]string{"Content-Type": "application/json"}}, 400, "body.missing", "-"},
	}
	for _, u := range []string{"", "http://hooks.example.org/", "ftp://hooks.example.org/", "hooks.example.org", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "https://localhost/",
		"https://me:word@hooks.example.org/", "https://hooks.example.org:8443/", "https://hooks.example.org/" + strings.Repeat("a", 2048)} {
		list = append(list, bad{"a webhook at " + u[:min(len(u), 40)], url(u), 422, "webhook.url", "/url"})
	}
	return list
}

package api_test

import "strings"

// badSync are bad requests for changes and snapshots.
func badSync() []bad {
	post := func(path string) request { return send("POST", path, `{}`) }
	return []bad{
		{"changes after a number below 0", get("/v1/changes?after=-1"), 422, "parameter.invalid", "after"},
		{"changes after what is no number", get("/v1/changes?after=start"), 422, "parameter.invalid", "after"},
		{"changes after a number beyond numbers", get("/v1/changes?after=99999999999999999999"), 422, "parameter.invalid", "after"},
		{"changes after half a number", get("/v1/changes?after=1.5"), 422, "parameter.invalid", "after"},
		{"changes after what has not happened", get("/v1/changes?after=999999"), 409, "changes.epoch", "after"},
		{"changes of another epoch", get("/v1/changes?epoch=0123456789abcdef0123456789abcdef"), 409, "changes.epoch", "epoch"},
		{"changes of another viewer's epoch", get("/v1/changes?epoch=0123456789abcdef0123456789abcdef").by("consumer"), 409, "changes.epoch", "epoch"},
		{"changes of an epoch that is too long", get("/v1/changes?epoch=" + strings.Repeat("a", 65)), 422, "parameter.invalid", "epoch"},
		{"changes with a limit of 0", get("/v1/changes?limit=0"), 422, "parameter.invalid", "limit"},
		{"changes with a limit of 1001", get("/v1/changes?limit=1001"), 422, "parameter.invalid", "limit"},
		{"changes with a limit that is no number", get("/v1/changes?limit=all"), 422, "parameter.invalid", "limit"},
		{"a wait of more than a minute", get("/v1/changes?wait=61"), 422, "parameter.invalid", "wait"},
		{"a wait of less than nothing", get("/v1/changes?wait=-1"), 422, "parameter.invalid", "wait"},
		{"a wait with a unit", get("/v1/changes?wait=30s"), 422, "parameter.invalid", "wait"},
		{"changes with a parameter that does not exist", get("/v1/changes?since=1"), 422, "parameter.unknown", "since"},
		{"changes by a revoked token", get("/v1/changes").by("revoked"), 401, "auth.token-revoked", "Authorization"},
		{"changes that are sent", post("/v1/changes"), 405, "request.method", "-"},
		{"a change by its number", get("/v1/changes/1"), 404, "request.path", "-"},

		{"a snapshot with a parameter that does not exist", get("/v1/snapshot?seq=1"), 422, "parameter.unknown", "seq"},
		{"a snapshot of a country", get("/v1/snapshot?country=AT"), 422, "parameter.unknown", "country"},
		{"a snapshot by a revoked token", get("/v1/snapshot").by("revoked"), 401, "auth.token-revoked", "Authorization"},
		{"a snapshot by an unknown token", get("/v1/snapshot").with("Authorization", "Bearer rct_aaaaaaaa_aaaa"), 401, "auth.token", "Authorization"},
		{"a snapshot by what is no token", get("/v1/snapshot").with("Authorization", "Basic YTpi"), 401, "auth.scheme", "Authorization"},
		{"a snapshot that is sent", post("/v1/snapshot"), 405, "request.method", "-"},
		{"a snapshot that is replaced", send("PUT", "/v1/snapshot", `{}`), 405, "request.method", "-"},
		{"a snapshot that is deleted", request{method: "DELETE", path: "/v1/snapshot", as: "operator"}, 405, "request.method", "-"},
		{"a snapshot with a slash at its end", get("/v1/snapshot/"), 404, "request.path", "-"},
	}
}

package api_test

import "strings"

// badImports are what import jobs refuse.
func badImports() []bad {
	file := func(query string) request {
		return request{method: "POST", path: "/v1/imports?" + query, as: "operator", body: "192.0.2.0/24,AT\n", header: map[string]string{"Content-Type": "text/csv"}}
	}
	nobody := "/v1/imports/7c1e9a52-0f43-4a5e-9a53-6f2b8b3f6d10"
	return []bad{
		{"an import of no format", file(""), 422, "parameter.missing", "format"},
		{"an import of an unknown format", file("format=excel"), 422, "import.format", "format"},
		{"an import of a format that is too long", file("format=" + strings.Repeat("x", 65)), 422, "parameter.invalid", "format"},
		{"an import with a parameter that does not exist", file("format=csv&dryrun=true"), 422, "parameter.unknown", "dryrun"},
		{"an import with a switch that is none", file("format=csv&dry_run=maybe"), 422, "parameter.invalid", "dry_run"},
		{"an import that is forced perhaps", file("format=csv&force=2"), 422, "parameter.invalid", "force"},
		{"an import of all and of a part", file("format=csv&complete=true&partial=true"), 422, "import.complete", "partial"},
		{"an import of a source with a blank", file("format=csv&source=a%20b"), 422, "import.source", "source"},
		{"an import in the name of the teams", file("format=csv&source=team"), 422, "import.source", "source"},
		{"an import of no day", file("format=csv&as_of=today"), 422, "date.syntax", "as_of"},
		{"an import of a day that has not come", file("format=csv&as_of=2026-11-22"), 422, "date.future", "as_of"},
		{"an import of a day that does not exist", file("format=csv&as_of=2026-02-30"), 422, "date.syntax", "as_of"},
		{"an import that may change more than all", file("format=csv&max_change=1.5"), 422, "parameter.invalid", "max_change"},
		{"an import that may change what is no share", file("format=csv&max_change=most"), 422, "parameter.invalid", "max_change"},
		{"an import with columns that are no object", file("format=csv&columns=%5B%5D"), 422, "import.columns", "columns"},
		{"an import with columns that are no JSON", file("format=csv&columns=x"), 422, "import.columns", "columns"},
		{"an import with columns of what has none", file("format=dotgov&key=Team"), 422, "import.columns", "columns"},
		{"an import of nothing", request{method: "POST", path: "/v1/imports?format=dotgov", as: "operator"}, 422, "import.empty", ""},
		{"an import of a form", file("format=dotgov").with("Content-Type", "application/x-www-form-urlencoded"), 415, "body.media-type", "Content-Type"},
		{"an import of a type that is none", file("format=dotgov").with("Content-Type", "/"), 415, "body.media-type", "Content-Type"},
		{"an import in another coding", file("format=dotgov").with("Content-Encoding", "br"), 415, "body.encoding", "Content-Encoding"},
		{"an import that is not what its coding says", file("format=dotgov").with("Content-Encoding", "gzip"), 400, "body.unreadable", "-"},
		{"an import by nobody", file("format=dotgov").by(""), 401, "auth.required", ""},
		{"an import by an editor", file("format=dotgov").by("editor"), 403, "auth.role", ""},
		{"an import by a token that may only read", file("format=dotgov").by("reader"), 403, "auth.scope", ""},
		{"a list of jobs with a limit of 0", request{path: "/v1/imports?limit=0", as: "operator"}, 422, "parameter.invalid", "limit"},
		{"a list of jobs with a limit of 101", request{path: "/v1/imports?limit=101", as: "operator"}, 422, "parameter.invalid", "limit"},
		{"a list of jobs after one that does not exist", request{path: "/v1/imports?after=x", as: "operator"}, 422, "import.unknown", "after"},
		{"a list of jobs with a state", request{path: "/v1/imports?state=done", as: "operator"}, 422, "parameter.unknown", "state"},
		{"a job that does not exist", request{path: nobody, as: "operator"}, 404, "import.unknown", "id"},
		{"a job by what is too long", request{path: "/v1/imports/" + strings.Repeat("x", 65), as: "operator"}, 422, "parameter.invalid", "id"},
		{"a job with a parameter", request{path: nobody + "?full=true", as: "operator"}, 422, "parameter.unknown", "full"},
		{"cancelling a job that does not exist", request{method: "POST", path: nobody + "/cancel", as: "operator"}, 404, "import.unknown", "id"},
		{"deleting a job that does not exist", request{method: "DELETE", path: nobody, as: "operator"}, 404, "import.unknown", "id"},
		{"cancelling by an editor", request{method: "POST", path: nobody + "/cancel", as: "editor"}, 403, "auth.role", ""},
		{"a job by nobody", get(nobody), 401, "auth.required", ""},
		{"replacing a job", request{method: "PUT", path: nobody, as: "operator"}, 405, "request.method", "-"},
	}
}

// badEdge are what is refused before an operation looks at it.
func badEdge() []bad {
	batch := send("POST", "/v1/lookup", `{"queries":["192.0.2.1"]}`)
	return []bad{
		{"an answer in XML", get("/v1/teams").with("Accept", "application/xml"), 406, "request.accept", "Accept"},
		{"an answer in nothing", get("/v1/teams").with("Accept", "*/*;q=0"), 406, "request.accept", "Accept"},
		{"a lookup in HTML", get("/v1/lookup?q=192.0.2.1").with("Accept", "text/html"), 406, "request.accept", "Accept"},
		{"figures in JSON", get("/metrics").with("Accept", "application/json"), 406, "request.accept", "Accept"},
		{"a body in brotli", batch.with("Content-Encoding", "br"), 415, "body.encoding", "Content-Encoding"},
		{"a body in gzip twice", batch.with("Content-Encoding", "gzip, gzip"), 415, "body.encoding", "Content-Encoding"},
		{"a body that is not gzip", batch.with("Content-Encoding", "gzip"), 400, "body.unreadable", "-"},
		{"options of a path that does not exist", request{method: "OPTIONS", path: "/v1/nothing"}, 404, "request.path", "-"},
		{"a trace", request{method: "TRACE", path: "/v1/teams"}, 405, "request.method", "-"},
	}
}

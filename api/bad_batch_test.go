package api_test

import "strings"

// badBatches are the requests for a batch that are refused as a whole. What
// can't be read of a batch that goes on is in TestBatchForms.
func badBatches() []bad {
	post := func(query, media, body string) request {
		return request{method: "POST", path: "/v1/lookup" + query, body: body, header: map[string]string{"Content-Type": media}}
	}
	text := func(query string) request { return post(query, "text/plain", "192.0.2.1\n") }
	csv := func(query, body string) request { return post(query, "text/csv", body) }
	const ndjson = "application/x-ndjson"
	large := strings.Repeat(`"192.0.2.1",`, 100_000) // JSON that is streamed
	return []bad{
		{"a batch with a parameter that does not exist", text("?limit=1"), 422, "parameter.unknown", "limit"},
		{"a batch with a parameter twice", text("?use=abuse&use=general"), 422, "parameter.repeated", "use"},
		{"a batch with an escape that is none", text("?use=%zz"), 400, "request.query", "-"},
		{"a batch for an unknown use in the query", text("?use=fun"), 422, "use.unknown", "use"},
		{"a batch for an unknown class in the query", text("?class=fun"), 422, "incident-class.unknown", "class"},
		{"a batch grouped by something else", text("?group=team"), 422, "parameter.invalid", "group"},
		{"a batch with extract that is neither true nor false", text("?extract=perhaps"), 422, "parameter.invalid", "extract"},
		{"a batch of a table with extract", csv("?extract=true", "ip\n192.0.2.1"), 422, "parameter.invalid", "extract"},
		{"a batch of text with a column", text("?column=ip"), 422, "parameter.invalid", "column"},
		{"a batch of JSON with a column", post("?column=ip", "application/json", `{"queries":["x"]}`), 422, "parameter.invalid", "column"},
		{"a batch with a column that is too long", csv("?column="+strings.Repeat("a", 201), "ip\n192.0.2.1"), 422, "parameter.invalid", "column"},
		{"a batch of a web page's type", post("", "text/html", "192.0.2.1"), 415, "body.media-type", "Content-Type"},
		{"a batch of text in Latin 1", post("", "text/plain; charset=iso-8859-1", "192.0.2.1"), 415, "body.media-type", "Content-Type"},
		{"a batch of text without anything", post("", "text/plain", ""), 400, "body.missing", "-"},
		{"a batch of a table without anything", post("", "text/csv", ""), 400, "body.missing", "-"},
		{"a batch of text that is a web page", post("", "text/plain", "<!DOCTYPE html><p>"), 422, "import.html", "-"},
		{"a batch of NDJSON that is an archive", post("", ndjson, "PK\x03\x04"), 422, "import.encoding", "-"},
		{"a batch of text of blank lines", post("", "text/plain", "\n \n"), 422, "lookup.queries", "-"},
		{"a batch of NDJSON of blank lines", post("", ndjson, "\n\n"), 422, "lookup.queries", "-"},
		{"a batch of a table without rows", csv("", "ip,seen\n"), 422, "lookup.queries", "-"},
		{"a batch of a table without a header", csv("", "192.0.2.1\n192.0.2.2\n"), 422, "indicator.column", "-"},
		{"a batch of a table without the column", csv("?column=peer", "ip\n192.0.2.1\n"), 422, "indicator.column", "-"},
		{"a batch of a table with the column twice", csv("", "ip,ip\n192.0.2.1,192.0.2.2\n"), 422, "indicator.column", "-"},
		{"a batch of a table whose header is not UTF-8", csv("", "ip,\xff\n192.0.2.1,1\n"), 422, "row.encoding", "-"},
		{"a batch of a table whose header has an open quote", csv("", "\"ip\n192.0.2.1\n"), 422, "row.quote", "-"},
		{"a batch with another use in the body", post("?use=abuse", "application/json", `{"queries":["x"],"use":"general"}`), 422, "parameter.repeated", "/use"},
		{"a batch of too many, grouped", post("?group=recipient", "text/plain", strings.Repeat("AT\n", sceneBatch+1)), 422, "lookup.queries", "-"},
		{"a batch of too much", post("?group=recipient", "text/plain", strings.Repeat("x", sceneBatchBody+1)), 413, "body.too-large", "-"},
		{"a large batch for an unknown use", post("?group=recipient", "application/json", `{"use":"fun","queries":[`+large+`"AT"]}`), 422, "use.unknown", "/use"},
		{"a large batch with an unknown member", post("?group=recipient", "application/json", `{"limit":1,"queries":[`+large+`"AT"]}`), 422, "field.unknown", "/limit"},
		{"a large batch that is no object", post("?group=recipient", "application/json", `[`+large+`"AT"]`), 422, "field.type", ""},
		{"a large batch of one long string", post("", "application/json", `{"queries":["`+strings.Repeat("x", 3<<19)+`","AT"]}`), 422, "indicator.too-long", "/queries/0"},
	}
}

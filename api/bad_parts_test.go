package api_test

import (
	"strings"
)

// part is a list of team alpha, an item of it, and a body that a write takes.
type part struct{ list, one, item, body string }

func parts() []part {
	return []part{
		{"contacts", "contact", "5694da62-6314-4565-9c4d-1298538826be", `{"channel":"email","value":"bad@example.org"}`},
		{"keys", "key", strings.Repeat("A", 40), `{"fingerprint":"` + strings.Repeat("A", 40) + `"}`},
		{"resources", "resource", "nowhere.example.net", `{"type":"domain","value":"nowhere.example.net"}`},
		{"memberships", "membership", "nothing", `{"forum":"nothing","status":"member"}`},
		{"designations", "designation", "AT-national", `{"country":"AT","scope":"national"}`},
	}
}

// badParts are bad requests for the parts of a team, and for what else is about
// teams as a whole and about reference data.
func badParts() []bad {
	var all []bad
	for _, p := range parts() {
		all = append(all, p.bad("POST", p.list, p.body)...)
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			body := p.body
			if method == "DELETE" {
				body = ""
			}
			all = append(all, p.bad(method, p.list+"/"+p.item, body)...)
			all = append(all, bad{method + " an item that the team does not have, in " + p.list, op(method, p.list+"/"+p.item, body), 404, p.one + ".unknown", p.one})
		}
		all = append(all,
			bad{"a list of " + p.list + " of nobody", get("/v1/teams/nobody/" + p.list), 404, "team.unknown", "id"},
			bad{"a list of " + p.list + " with a parameter", get("/v1/teams/alpha/" + p.list + "?limit=1"), 422, "parameter.unknown", "limit"},
			bad{"a list of " + p.list + " of a team with a long name", get("/v1/teams/" + strings.Repeat("a", 65) + "/" + p.list), 422, "parameter.invalid", "id"},
			bad{"an item that is not in " + p.list, get("/v1/teams/alpha/" + p.list + "/" + p.item), 404, p.one + ".unknown", p.one},
			bad{"an item of " + p.list + " of nobody", get("/v1/teams/nobody/" + p.list + "/" + p.item), 404, "team.unknown", "id"},
			bad{"a method that " + p.list + " does not have", request{method: "PATCH", path: "/v1/teams/alpha/" + p.list}, 405, "request.method", "-"},
		)
	}
	for _, more := range [][]bad{badContacts(), badKeys(), badResources(), badForums(), badPut(), badDiffs(), badReference(), badLists()} {
		all = append(all, more...)
	}
	return all
}

// op is a write of the operator.
func op(method, part, body string) request { return write(method, part, body).by("operator") }

// bad are the ways in which each write can be wrong, whatever it is about.
func (p part) bad(method, part, body string) []bad {
	what := method + " " + p.list + ": "
	good := op(method, part, body)
	bare := good
	bare.header = nil
	if body != "" {
		bare.header = map[string]string{"Content-Type": "application/json"}
	}
	nobody := good
	nobody.path = strings.Replace(nobody.path, "alpha", "nobody", 1)
	list := []bad{
		{what + "no token", good.by(""), 401, "auth.required", ""},
		{what + "a consumer", good.by("consumer"), 403, "auth.role", ""},
		{what + "an editor of another team", good.by("other"), 403, "auth.role", ""},
		{what + "a token that may only read", good.by("reader"), 403, "auth.scope", ""},
		{what + "no revision", bare, 428, "revision.missing", ""},
		{what + "a revision that never was", good.with("If-Match", `"99"`), 412, "revision.unknown", ""},
		{what + "a revision that is no tag", good.with("If-Match", "1"), 400, "if-match.syntax", "If-Match"},
		{what + "a weak revision", good.with("If-Match", `W/"1"`), 400, "if-match.syntax", "If-Match"},
		{what + "a team that does not exist", nobody, 404, "team.unknown", "id"},
		{what + "a parameter", request{method: method, path: good.path + "?x=1", as: "operator", body: body, header: good.header}, 422, "parameter.unknown", "x"},
	}
	if body == "" {
		return list
	}
	as := func(text string) request { return op(method, part, text) }
	return append(list, []bad{
		{what + "no body", as("").with("Content-Type", "application/json"), 400, "body.missing", "-"},
		{what + "a body of no type", as(""), 415, "body.media-type", "Content-Type"},
		{what + "a body of another type", good.with("Content-Type", "application/xml"), 415, "body.media-type", "Content-Type"},
		{what + "a body that is too large", as(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`), 413, "body.too-large", "-"},
	}...)
}

func badContacts() []bad {
	add := func(body string) request { return op("POST", "contacts", body) }
	return []bad{
		{"a contact that is no JSON", add(`{"channel":`), 400, "json.syntax", ""},
		{"a contact that is a list", add(`[]`), 422, "field.type", ""},
		{"a contact with a name twice", add(`{"channel":"email","channel":"email"}`), 400, "json.duplicate-key", "/channel"},
		{"a contact with an unknown member", add(`{"channel":"email","value":"a@example.org","fax":"1"}`), 422, "field.unknown", "/fax"},
		{"a contact with a number for text", add(`{"channel":"email","value":1}`), 422, "field.type", "/value"},
		{"a contact without a value", add(`{"channel":"email"}`), 422, "field.missing", "/value"},
		{"a contact without a channel", add(`{"value":"a@example.org"}`), 422, "field.missing", "/channel"},
		{"a contact of an unknown channel", add(`{"channel":"pigeon","value":"x"}`), 422, "channel.unknown", "/channel"},
		{"a contact with a wrong address", add(`{"channel":"email","value":"a@@b"}`), 422, "email.syntax", "/value"},
		{"a contact with a wrong label", add(`{"channel":"email","value":"a@example.org","visibility":"pink"}`), 422, "tlp.unknown", "/visibility"},
		{"a contact of an unknown use", add(`{"channel":"email","value":"a@example.org","uses":["fun"]}`), 422, "use.unknown", "/uses/0"},
		{"a contact with a use twice", add(`{"channel":"email","value":"a@example.org","uses":["abuse","abuse"]}`), 422, "list.duplicate", "/uses/1"},
		{"a contact of an unknown class", add(`{"channel":"email","value":"a@example.org","classes":["fun"]}`), 422, "incident-class.unknown", "/classes/0"},
		{"a contact too far back", add(`{"channel":"email","value":"a@example.org","order":100}`), 422, "contact.order", "/order"},
		{"a contact with two lines of label", add(`{"channel":"email","value":"a@example.org","label":"a\nb"}`), 422, "text.line-break", "/label"},
		{"a new contact with an id", add(`{"id":"5694da62-6314-4565-9c4d-1298538826be","channel":"email","value":"a@example.org"}`), 422, "contact.unknown-id", "/id"},
		{"a new contact with an id that is none", add(`{"id":"1","channel":"email","value":"a@example.org"}`), 422, "id.syntax", "/id"},
		{"a contact that is there already", add(`{"channel":"email","value":"CLEAR@example.org"}`), 409, "item.exists", ""},
	}
}

func badKeys() []bad {
	add := func(body string) request { return op("POST", "keys", body) }
	upload := func(body string) request { return add(body).with("Content-Type", "application/pgp-keys") }
	return []bad{
		{"a key without a key", add(`{}`), 422, "field.missing", "/armor"},
		{"a key that is none", add(`{"armor":"x"}`), 422, "key.not-openpgp", "/armor"},
		{"a key with a wrong fingerprint", add(`{"fingerprint":"ABC"}`), 422, "key.fingerprint-malformed", "/fingerprint"},
		{"a key with a key id", add(`{"fingerprint":"ABCDEF0123456789"}`), 422, "key.fingerprint-is-key-id", "/fingerprint"},
		{"a key with a wrong label", add(`{"fingerprint":"` + strings.Repeat("A", 40) + `","visibility":"pink"}`), 422, "tlp.unknown", "/visibility"},
		{"a key with an unknown member", add(`{"armour":"x"}`), 422, "field.unknown", "/armour"},
		{"an uploaded file that is no key", upload("hello"), 422, "key.not-openpgp", ""},
		{"an uploaded page", upload("<!doctype html><html>"), 422, "key.html-page", ""},
		{"an uploaded certificate", upload("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 422, "key.not-openpgp", ""},
		{"an uploaded key that was cut", upload("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!"), 422, "key.armor-broken", ""},
		{"a blank upload", upload(" \n"), 422, "key.empty", ""},
		{"armour of a key that is not there", get("/v1/teams/alpha/keys/" + strings.Repeat("A", 40) + ".asc"), 404, "key.unknown", "key"},
	}
}

func badResources() []bad {
	add := func(body string) request { return op("POST", "resources", body) }
	return []bad{
		{"a resource of no type", add(`{"value":"example.net"}`), 422, "field.missing", "/type"},
		{"a resource of an unknown type", add(`{"type":"host","value":"example.net"}`), 422, "resource-type.unknown", "/type"},
		{"a resource without a value", add(`{"type":"domain"}`), 422, "field.missing", "/value"},
		{"a resource with host bits", add(`{"type":"prefix","value":"198.51.100.1/24"}`), 422, "prefix.host-bits", "/value"},
		{"a resource that is private", add(`{"type":"prefix","value":"10.0.0.0/24"}`), 422, "prefix.reserved", "/value"},
		{"a resource that is too wide", add(`{"type":"prefix","value":"0.0.0.0/0"}`), 422, "prefix.too-broad", "/value"},
		{"a resource of nobody", add(`{"type":"asn","value":"AS0"}`), 422, "asn.reserved", "/value"},
		{"a resource that is no domain", add(`{"type":"domain","value":"a b"}`), 422, "domain.syntax", "/value"},
		{"a resource with an unknown claim", add(`{"type":"domain","value":"example.net","claim":"sure"}`), 422, "claim.unknown", "/claim"},
		{"a resource within another", add(`{"type":"prefix","value":"192.0.2.0/25"}`), 422, "resource.overlap", ""},
		{"a resource that is there already", add(`{"type":"domain","value":"EXAMPLE.org"}`), 409, "item.exists", ""},
		{"a resource that becomes another that is there", op("PUT", "resources/example.org", `{"type":"prefix","value":"192.0.2.0/24"}`), 409, "item.exists", ""},
		{"a claim that the team confirms", write("PATCH", "resources/example.org", `{"claim":"confirmed"}`).by("editor"), 422, "auth.field", "/claim"},
		{"a country that an editor takes", write("POST", "resources", `{"type":"country","value":"AT"}`).by("editor"), 422, "auth.field", ""},
		{"a patch that is a list", op("PATCH", "resources/example.org", `[]`), 422, "field.type", ""},
		{"a patch with an unknown member", op("PATCH", "resources/example.org", `{"owner":null}`), 422, "field.unknown", "/owner"},
		{"a patch that takes the value", op("PATCH", "resources/example.org", `{"value":null}`), 422, "field.missing", "/value"},
	}
}

func badForums() []bad {
	member := func(body string) request { return op("POST", "memberships", body) }
	nation := func(body string) request { return op("POST", "designations", body) }
	return []bad{
		{"a membership of no forum", member(`{"status":"member"}`), 422, "field.missing", "/forum"},
		{"a membership of what is no forum", member(`{"forum":"A B","status":"member"}`), 422, "handle.syntax", "/forum"},
		{"a membership of no state", member(`{"forum":"forum"}`), 422, "field.missing", "/status"},
		{"a membership of an unknown state", member(`{"forum":"forum","status":"king"}`), 422, "membership-status.unknown", "/status"},
		{"a membership that ends before it begins", member(`{"forum":"forum","status":"ended","since":"2026-01-02","until":"2026-01-01"}`), 422, "date.order", "/until"},
		{"a membership since no day", member(`{"forum":"forum","status":"member","since":"2026"}`), 422, "date.syntax", "/since"},
		{"a membership with a sponsor that is none", member(`{"forum":"forum","status":"member","sponsors":["A B"]}`), 422, "handle.syntax", "/sponsors/0"},
		{"a membership with an unknown history", member(`{"forum":"forum","status":"member","history":[{"status":"x"}]}`), 422, "membership-status.unknown", "/history/0/status"},
		{"a membership that is there already", member(`{"forum":"first","status":"member"}`), 409, "item.exists", ""},
		{"a membership that an editor takes", write("POST", "memberships", `{"forum":"forum","status":"member"}`).by("editor"), 422, "auth.field", ""},
		{"a membership of another forum", write("POST", "memberships", `{"forum":"forum","status":"member"}`).by("secretariat"), 422, "auth.field", ""},
		{"a membership that an editor ends", write("DELETE", "memberships/first", "").by("editor"), 422, "auth.field", ""},
		{"a designation by no country", nation(`{"scope":"national"}`), 422, "field.missing", "/country"},
		{"a designation by an unknown country", nation(`{"country":"ZZ","scope":"national"}`), 422, "country.unknown", "/country"},
		{"a designation for nothing", nation(`{"country":"AT"}`), 422, "field.missing", "/scope"},
		{"a designation for an unknown scope", nation(`{"country":"AT","scope":"fun"}`), 422, "designation-scope.unknown", "/scope"},
		{"a designation with evidence that is no address", nation(`{"country":"AT","scope":"national","evidence":"x"}`), 422, "url.syntax", "/evidence"},
		{"a designation with a preference too large", nation(`{"country":"AT","scope":"national","preference":100}`), 422, "designation.preference", "/preference"},
		{"a designation that ends before it begins", nation(`{"country":"AT","scope":"national","since":"2026-01-02","until":"2026-01-01"}`), 422, "date.order", "/until"},
		{"a designation in two lines", nation(`{"country":"AT","scope":"national","by":"a\nb"}`), 422, "text.line-break", "/by"},
		{"a designation that an editor takes", write("POST", "designations", `{"country":"AT","scope":"national"}`).by("editor"), 422, "auth.field", ""},
	}
}

func badPut() []bad {
	const id = "5694da62-6314-4565-9c4d-1298538826be"
	put := func(body string) request {
		return request{method: "PUT", path: "/v1/teams/alpha", as: "operator", body: body, header: anyRevision()}
	}
	create := func(id, body string) request {
		return request{method: "PUT", path: "/v1/teams/" + id, as: "operator", body: body, header: map[string]string{"If-None-Match": "*"}}
	}
	good := `{"names":{"short":"X"}}`
	return []bad{
		{"a put by nobody", put(good).by(""), 401, "auth.required", ""},
		{"a put by a consumer", put(good).by("consumer"), 403, "auth.role", ""},
		{"a put on no revision", request{method: "PUT", path: "/v1/teams/alpha", as: "operator", body: good}, 428, "revision.missing", ""},
		{"a put on a revision that never was", put(good).with("If-Match", `"99"`), 412, "revision.unknown", ""},
		{"a put on what is no tag", put(good).with("If-Match", "x"), 400, "if-match.syntax", "If-Match"},
		{"a put of a team that does not exist", request{method: "PUT", path: "/v1/teams/nobody", as: "operator", body: good, header: anyRevision()}, 404, "team.unknown", "id"},
		{"a put of a deleted name", put(`{}`), 422, "team.nameless", "/names"},
		{"a put of a list", put(`[]`), 422, "field.type", ""},
		{"a put of no JSON", put(`{`), 400, "json.syntax", ""},
		{"a put of another type", put(good).with("Content-Type", "application/merge-patch+json"), 415, "body.media-type", "Content-Type"},
		{"a put with an unknown member", put(`{"names":{"short":"X"},"hots":"x"}`), 422, "field.unknown", "/hots"},
		{"a put with a wrong type", put(`{"names":{"short":"X"},"host":1}`), 422, "field.type", "/host"},
		{"a put with a wrong value", put(`{"names":{"short":"X"},"contacts":[{"channel":"email","value":"x"}]}`), 422, "email.syntax", "/contacts/0/value"},
		{"a put with another id", put(`{"id":"` + id + `","names":{"short":"X"}}`), 422, "field.read-only", "/id"},
		{"a put with a handle that is taken", put(`{"handle":"beta","names":{"short":"X"}}`), 409, "handle.taken", "/handle"},
		{"a put with a handle that is none", put(`{"handle":"A B","names":{"short":"X"}}`), 422, "handle.syntax", "/handle"},
		{"a put by an editor that takes the membership", put(good).by("editor"), 422, "auth.field", "/memberships"},
		{"a new team at a handle", create("new", `{"handle":"new","names":{"short":"X"}}`), 422, "id.syntax", "id"},
		{"a new team without a handle", create(id, good), 422, "handle.syntax", "/handle"},
		{"a new team with another id in its body", create(id, `{"id":"5694da62-6314-4565-9c4d-1298538826bf","handle":"new","names":{"short":"X"}}`), 422, "field.read-only", "/id"},
		{"a new team with a condition that is none", create(id, good).with("If-None-Match", `"1"`), 422, "if-none-match.syntax", "If-None-Match"},
		{"a new team with two conditions", create(id, good).with("If-Match", "*"), 422, "if-none-match.syntax", "If-None-Match"},
		{"a new team by an editor", create(id, `{"handle":"new","names":{"short":"X"}}`).by("editor"), 403, "auth.role", ""},
	}
}

func badDiffs() []bad {
	diff := func(query string) request { return get("/v1/teams/alpha/diff" + query).by("operator") }
	return []bad{
		{"a comparison by nobody", diff("").by(""), 401, "auth.required", ""},
		{"a comparison by a stranger", diff("").by("other"), 403, "auth.role", ""},
		{"a comparison from revision 0", diff("?from=0"), 422, "parameter.invalid", "from"},
		{"a comparison to revision 0", diff("?to=0"), 422, "parameter.invalid", "to"},
		{"a comparison to what is no number", diff("?to=new"), 422, "parameter.invalid", "to"},
		{"a comparison with a revision that never was", diff("?from=1&to=99"), 404, "revision.unknown", "to"},
		{"a comparison with a revision beyond numbers", diff("?to=9223372036854775807"), 404, "revision.unknown", "to"},
		{"a comparison backwards", diff("?from=99"), 422, "diff.order", "from"},
		{"a comparison of nobody", get("/v1/teams/nobody/diff").by("operator"), 404, "team.unknown", "id"},
		{"a comparison with a parameter that does not exist", diff("?since=1"), 422, "parameter.unknown", "since"},
	}
}

func badReference() []bad {
	const good = "prefix,country\n198.51.100.0/24,AT\n"
	set := func(query string) request { return upload("prefix-country/bad"+query, good) }
	return []bad{
		{"reference data of an unknown kind", get("/v1/reference/planets/x"), 422, "parameter.invalid", "kind"},
		{"reference data that is not loaded", get("/v1/reference/prefix-country/nothing"), 404, "reference.unknown", "source"},
		{"reference data with a parameter", get("/v1/reference?kind=x"), 422, "parameter.unknown", "kind"},
		{"an upload by nobody", set("").by(""), 401, "auth.required", ""},
		{"an upload by an editor", set("").by("editor"), 403, "auth.role", ""},
		{"an upload of an unknown kind", upload("planets/x", good), 422, "parameter.invalid", "kind"},
		{"an upload to what is no name", upload("prefix-country/A%20B", good), 422, "import.source", "source"},
		{"an upload in the name of teams", upload("prefix-country/team", good), 422, "import.source", "source"},
		{"an upload of no day", set("?as_of=today"), 422, "parameter.invalid", "as_of"},
		{"an upload of a day to come", set("?as_of=2030-01-01"), 422, "date.future", "as_of"},
		{"an upload of a format of another kind", set("?format=prefix-asn"), 422, "parameter.invalid", "format"},
		{"an upload of an unknown format", set("?format=xml"), 422, "parameter.invalid", "format"},
		{"an upload with a parameter that does not exist", set("?dry=1"), 422, "parameter.unknown", "dry"},
		{"an upload of nothing", upload("prefix-country/bad", ""), 400, "body.missing", "-"},
		{"an upload of another type", set("").with("Content-Type", "application/json"), 415, "body.media-type", "Content-Type"},
		{"an upload of another header", upload("prefix-country/bad", "a,b\n1,2\n"), 422, "import.header", ""},
		{"an upload of a page", upload("prefix-country/bad", "<!doctype html><html><body>no</body></html>"), 422, "import.html", ""},
		{"an upload of a header alone", upload("prefix-country/bad", "prefix,country\n"), 422, "import.empty", ""},
		{"a removal by nobody", request{method: "DELETE", path: "/v1/reference/prefix-country/x"}, 401, "auth.required", ""},
		{"a removal of what is not loaded", request{method: "DELETE", path: "/v1/reference/prefix-country/nothing", as: "operator"}, 404, "reference.unknown", "source"},
		{"a removal of an unknown kind", request{method: "DELETE", path: "/v1/reference/planets/x", as: "operator"}, 422, "parameter.invalid", "kind"},
	}
}

func badLists() []bad {
	return []bad{
		{"a list in an unknown order", get("/v1/teams?sort=age"), 422, "parameter.invalid", "sort"},
		{"a list of an unknown sector", get("/v1/teams?sector=fun"), 422, "parameter.invalid", "sector"},
		{"a list of what is no forum", get("/v1/teams?forum=A%20B"), 422, "handle.syntax", "forum"},
		{"a list of an unknown state", get("/v1/teams?state=fine"), 422, "parameter.invalid", "state"},
		{"a list of the deleted for nobody", get("/v1/teams?deleted=true"), 403, "auth.role", "deleted"},
		{"a list of the deleted for a consumer", get("/v1/teams?deleted=true").by("consumer"), 403, "auth.role", "deleted"},
		{"a list of the deleted by name", get("/v1/teams?deleted=true&sort=name").by("operator"), 422, "parameter.invalid", "sort"},
		{"a list of the deleted backwards", get("/v1/teams?deleted=true&sort=-handle").by("operator"), 422, "parameter.invalid", "sort"},
		{"a list with deleted that is neither", get("/v1/teams?deleted=perhaps").by("operator"), 422, "parameter.invalid", "deleted"},
		{"a list after a page in another order", get("/v1/teams?sort=name&after=" + cursorOf("handle", "", "alpha")), 422, "cursor.sort", "after"},
		{"a list after a page of nothing", get("/v1/teams?after=" + cursorOf("age", "", "alpha")), 422, "cursor.syntax", "after"},
		{"a list after a place that is none", get("/v1/teams?after=" + cursorOf("handle", "", "A B")), 422, "cursor.syntax", "after"},
		{"a list after half a place", get("/v1/teams?after=aGFuZGxl"), 422, "cursor.syntax", "after"},
		{"a team with a parameter", get("/v1/teams/alpha?fields=names"), 422, "parameter.unknown", "fields"},
		{"a team with an escape that is none", get("/v1/teams/alpha?%zz"), 400, "request.query", "-"},
		{"the audit trail since no time", get("/v1/audit?since=today").by("operator"), 422, "parameter.invalid", "since"},
		{"the audit trail until no time", get("/v1/audit?until=2026-13-01T00:00:00Z").by("operator"), 422, "parameter.invalid", "until"},
		{"the audit trail until an empty time", get("/v1/audit?until=").by("operator"), 422, "parameter.invalid", "until"},
		{"a page before an empty number", get("/v1/teams/alpha/history?limit=3&before=").by("operator"), 422, "parameter.invalid", "before"},
		{"a page of an empty size", get("/v1/teams?limit").by("operator"), 422, "parameter.invalid", "limit"},
		{"the audit trail of a name that is too long", get("/v1/audit?actor=" + strings.Repeat("a", 201)).by("operator"), 422, "parameter.invalid", "actor"},
		{"the audit trail of another parameter", get("/v1/audit?user=x").by("operator"), 422, "parameter.unknown", "user"},
		{"the audit trail for nobody", get("/v1/audit?actor=x"), 401, "auth.required", ""},
		{"a token that does not exist", get("/v1/tokens/rct_nothing").by("operator"), 404, "token.unknown", "id"},
		{"a token for a consumer", get("/v1/tokens/rct_nothing").by("consumer"), 403, "auth.role", ""},
		{"the own token of nobody", get("/v1/me/token"), 401, "auth.required", ""},
		{"words with a parameter", get("/v1/vocabularies?name=kinds"), 422, "parameter.unknown", "name"},
	}
}

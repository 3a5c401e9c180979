package api_test

import "strings"

// badExports are bad requests for exports and descriptions.
func badExports() []bad {
	long := strings.Repeat("x", 65)
	return []bad{
		{"an export in an unknown format", get("/v1/export/excel"), 404, "export.format", "format"},
		{"an export in no format", get("/v1/export/"), 404, "request.path", "-"},
		{"an export in a format that is too long", get("/v1/export/" + long), 422, "parameter.invalid", "format"},
		{"an export of our own records", get("/v1/export/rollcall").by("operator"), 404, "export.format", "format"},
		{"an export of an unknown country", get("/v1/export/vcard?country=Atlantis"), 422, "country.unknown", "country"},
		{"an export of a country that is too long", get("/v1/export/vcard?country=" + long), 422, "parameter.invalid", "country"},
		{"an export of an unknown kind", get("/v1/export/vcard?kind=fun"), 422, "parameter.invalid", "kind"},
		{"an export of an unknown sector", get("/v1/export/vcard?sector=fun"), 422, "parameter.invalid", "sector"},
		{"an export of a forum that can't be", get("/v1/export/vcard?forum=A%20B"), 422, "handle.syntax", "forum"},
		{"an export of an unknown state", get("/v1/export/stix?state=fine"), 422, "parameter.invalid", "state"},
		{"an export for an unknown label", get("/v1/export/stix?tlp=purple"), 422, "tlp.unknown", "tlp"},
		{"an export with a label that is too long", get("/v1/export/stix?tlp=" + long), 422, "parameter.invalid", "tlp"},
		{"an export with a parameter that does not exist", get("/v1/export/vcard?limit=3"), 422, "parameter.unknown", "limit"},
		{"an export that is sent", request{method: "POST", path: "/v1/export/vcard", body: "{}"}, 405, "request.method", "-"},
		{"an export with a revoked token", get("/v1/export/vcard").by("revoked"), 401, "auth.token-revoked", "Authorization"},

		{"a team in an unknown format", get("/v1/teams/alpha/export/excel"), 404, "export.format", "format"},
		{"a team in no format", get("/v1/teams/alpha/export/"), 404, "request.path", "-"},
		{"a team that does not exist as a card", get("/v1/teams/nobody/export/vcard"), 404, "team.unknown", "id"},
		{"a team whose handle is too long as a card", get("/v1/teams/" + long + "/export/vcard"), 422, "parameter.invalid", "id"},
		{"a team for an unknown label", get("/v1/teams/alpha/export/vcard?tlp=white-ish"), 422, "tlp.unknown", "tlp"},
		{"a team with a filter", get("/v1/teams/alpha/export/vcard?country=AT"), 422, "parameter.unknown", "country"},
		{"a card that is deleted", request{method: "DELETE", path: "/v1/teams/alpha/export/vcard", as: "operator"}, 405, "request.method", "-"},
		{"a card with another scheme", get("/v1/teams/alpha/export/vcard").with("Authorization", "Basic eDp5"), 401, "auth.scheme", "Authorization"},

		{"a description of a team that does not exist", get("/v1/teams/nobody/rfc2350"), 404, "team.unknown", "id"},
		{"a description of a handle that is too long", get("/v1/teams/" + long + "/rfc2350"), 422, "parameter.invalid", "id"},
		{"a description in a language that is none", get("/v1/teams/alpha/rfc2350?lang=1"), 422, "language.unknown", "lang"},
		{"a description in a language that is too long", get("/v1/teams/alpha/rfc2350?lang=" + long), 422, "parameter.invalid", "lang"},
		{"a description for an unknown label", get("/v1/teams/alpha/rfc2350?tlp=chartreuse"), 422, "tlp.unknown", "tlp"},
		{"a description that is masked a little", get("/v1/teams/alpha/rfc2350?obfuscate=some"), 422, "parameter.invalid", "obfuscate"},
		{"a description with a parameter that does not exist", get("/v1/teams/alpha/rfc2350?format=html"), 422, "parameter.unknown", "format"},
		{"a problem instead of a page", get("/v1/teams/nobody/rfc2350").with("Accept", "text/html"), 404, "team.unknown", "id"},
		{"a description that is sent", request{method: "PUT", path: "/v1/teams/alpha/rfc2350", body: "x"}, 405, "request.method", "-"},
		{"a security.txt of a team that does not exist", get("/v1/teams/nobody/security.txt"), 404, "team.unknown", "id"},
		{"a security.txt of a team without a contact", get("/v1/teams/gamma/security.txt"), 409, "securitytxt.no-contact", ""},
		{"a security.txt for more than a year", get("/v1/teams/alpha/security.txt?days=366"), 422, "parameter.invalid", "days"},
		{"a security.txt for no day", get("/v1/teams/alpha/security.txt?days=0"), 422, "parameter.invalid", "days"},
		{"a security.txt at what is no host", get("/v1/teams/alpha/security.txt?host=192.0.2.1"), 422, "domain.syntax", "host"},
		{"a security.txt with a policy over http", get("/v1/teams/alpha/security.txt?policy=http://example.org/"), 422, "securitytxt.value", "policy"},
		{"a security.txt with a policy of two lines", get("/v1/teams/alpha/security.txt?policy=https://example.org/%0AContact:%20mailto:evil@example.org"), 422, "securitytxt.value", "policy"},
		{"a security.txt with a key that is no URL", get("/v1/teams/alpha/security.txt?key=0123"), 422, "securitytxt.value", "key"},
		{"a security.txt with metadata elsewhere", get("/v1/teams/alpha/security.txt?csaf=https://example.org/x.json"), 422, "securitytxt.value", "csaf"},
		{"a description with an unknown token", get("/v1/teams/alpha/rfc2350").with("Authorization", "Bearer rct_aaaaaaaa_bbbbbbbb"), 401, "auth.token", "Authorization"},
	}
}

package format_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// contactOf and resourceOf shorten the table below.
func contactOf(channel, value string) string {
	v, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"contacts":[{"channel":%q,"value":%s}]}`, channel, v)
}

func resourceOf(kind, value string) string {
	return fmt.Sprintf(`{"resources":[{"type":%q,"value":%q}]}`, kind, value)
}

func armorOf(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "keys", name+".asc"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(string(data))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each record breaks the one rule that its name says, and is told so with the
// code and at the place given. Several problems are separated by spaces.
func TestBadRecords(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		// The JSON text.
		{"empty text", ``, "json.syntax@"},
		{"text that ends too early", `{"host":"x"`, "json.syntax@"},
		{"not JSON", `{host:"x"}`, "json.syntax@"},
		{"a comma too many", `{"host":"x",}`, "json.syntax@"},
		{"a second value behind the first", `{} {}`, "json.syntax@"},
		{"a list where a record belongs", `[]`, "field.type@"},
		{"null where a record belongs", `null`, "field.type@"},
		{"text where a record belongs", `"team"`, "field.type@"},
		{"not UTF-8", "{\"host\":\"\xff\"}", "json.encoding@"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "json.encoding@"},
		{"half a surrogate pair", `{"host":"\ud83d"}`, "json.encoding@"},
		{"surrogates in the wrong order", `{"host":"\ude00\ud83d"}`, "json.encoding@"},
		{"the same field twice", `{"host":"a","host":"b"}`, "json.duplicate-key@/host"},
		{"the same field twice, once escaped", `{"host":"a","\u0068ost":"b"}`, "json.duplicate-key@/host"},
		{"the same field twice in an item", `{"contacts":[{},{"label":"a","label":"b"}]}`, "json.duplicate-key@/contacts/1/label"},
		{"nested too deep", strings.Repeat("[", 40) + strings.Repeat("]", 40), "json.too-deep@"},
		{"more than 4 MiB", `{"host":"` + strings.Repeat("x", 4<<20) + `"}`, "json.too-large@"},
		// Fields and types.
		{"an unknown field", `{"colour":"red"}`, "field.unknown@/colour"},
		{"a misspelt field", `{"contry":"AT"}`, "field.unknown@/contry"},
		{"an unknown field with a slash", `{"a/b~c":1}`, "field.unknown@/a~1b~0c"},
		{"an unknown field in an item", `{"contacts":[{"channel":"email","value":"a@example.org","mail":"x"}]}`, "field.unknown@/contacts/0/mail"},
		{"a field in the wrong case", `{"Host":"x"}`, "field.unknown@/Host"},
		{"a number where text belongs", `{"host":5}`, "field.type@/host"},
		{"text where a list belongs", `{"kinds":"csirt"}`, "field.type@/kinds"},
		{"a list where an object belongs", `{"names":[]}`, "field.type@/names"},
		{"an object where a list belongs", `{"contacts":{}}`, "field.type@/contacts"},
		{"null in a list", `{"contacts":[null]}`, "field.type@/contacts/0"},
		{"true where a number belongs", `{"contacts":[{"channel":"email","value":"a@example.org","order":true}]}`, "field.type@/contacts/0/order"},
		{"half an order", `{"contacts":[{"channel":"email","value":"a@example.org","order":1.5}]}`, "field.type@/contacts/0/order"},
		{"an order as text", `{"contacts":[{"channel":"email","value":"a@example.org","order":"1"}]}`, "field.type@/contacts/0/order"},
		{"an order that no machine holds", `{"contacts":[{"channel":"email","value":"a@example.org","order":99999999999999999999}]}`, "field.range@/contacts/0/order"},
		{"an order below zero", `{"contacts":[{"channel":"email","value":"a@example.org","order":-1}]}`, "contact.order@/contacts/0/order"},
		{"an AS number as a number", `{"resources":[{"type":"asn","value":64496}]}`, "field.type@/resources/0/value"},
		{"evidence that the sender gives itself", `{"contacts":[{"channel":"email","value":"a@example.org","evidence":{"level":4}}]}`, "field.read-only@/contacts/0/evidence"},
		{"a revision that the sender gives itself", `{"contacts":[{"channel":"email","value":"a@example.org","revision":9}]}`, "field.read-only@/contacts/0/revision"},
		{"an origin that the sender gives itself", `{"resources":[{"type":"asn","value":"AS64496","origin":{"source":"ti"}}]}`, "field.read-only@/resources/0/origin"},
		{"a contact without channel and value", `{"contacts":[{}]}`, "field.missing@/contacts/0/channel field.missing@/contacts/0/value"},
		{"a contact without value", `{"contacts":[{"channel":"email"}]}`, "field.missing@/contacts/0/value"},
		{"a resource without type", `{"resources":[{"value":"AS64496"}]}`, "field.missing@/resources/0/type"},
		{"an empty word in a list", `{"kinds":[""]}`, "field.missing@/kinds/0"},
		{"a designation of nobody", `{"designations":[{}]}`, "field.missing@/designations/0/country field.missing@/designations/0/scope"},
		{"a membership of nothing", `{"memberships":[{}]}`, "field.missing@/memberships/0/forum field.missing@/memberships/0/status"},
		// Words.
		{"an unknown kind", `{"kinds":["csirt","team"]}`, "kind.unknown@/kinds/1"},
		{"an unknown status", `{"status":"asleep"}`, "status.unknown@/status"},
		{"an unknown service", `{"services":["coffee"]}`, "service.unknown@/services/0"},
		{"an unknown constituency", `{"constituency":{"types":[{"type":"pets"}]}}`, "constituency-type.unknown@/constituency/types/0/type"},
		{"an unknown scope", `{"constituency":{"types":[{"type":"isp","scope":"sideways"}]}}`, "constituency-scope.unknown@/constituency/types/0/scope"},
		{"an unknown sector", `{"constituency":{"sectors":["magic"]}}`, "sector.unknown@/constituency/sectors/0"},
		{"an unknown type of resource", `{"resources":[{"type":"planet","value":"Mars"}]}`, "resource-type.unknown@/resources/0/type"},
		{"an unknown claim", `{"resources":[{"type":"asn","value":"AS64496","claim":"mine"}]}`, "claim.unknown@/resources/0/claim"},
		{"an unknown channel", contactOf("pigeon", "x"), "channel.unknown@/contacts/0/channel"},
		{"an unknown use", `{"contacts":[{"channel":"email","value":"a@example.org","uses":["fun"]}]}`, "use.unknown@/contacts/0/uses/0"},
		{"an unknown incident class", `{"contacts":[{"channel":"email","value":"a@example.org","classes":["bad luck"]}]}`, "incident-class.unknown@/contacts/0/classes/0"},
		{"an unknown label", `{"contacts":[{"channel":"email","value":"a@example.org","visibility":"purple"}]}`, "tlp.unknown@/contacts/0/visibility"},
		{"an unknown membership", `{"memberships":[{"forum":"first","status":"friend"}]}`, "membership-status.unknown@/memberships/0/status"},
		{"an unknown designation", `{"designations":[{"country":"AT","scope":"galactic"}]}`, "designation-scope.unknown@/designations/0/scope"},
		{"an unknown assessor", `{"maturity":{"by":"mother"}}`, "assessor.unknown@/maturity/by"},
		{"an unknown section", `{"prose":[{"number":"9.9","text":"x"}]}`, "section.unknown@/prose/0/number"},
		// Values.
		{"a country that is none", `{"country":"ZZ"}`, "country.unknown@/country"},
		{"a country of three letters", `{"country":"AUT"}`, "country.unknown@/country"},
		{"a zone that is an offset", `{"zone":"UTC-0500"}`, "zone.unknown@/zone"},
		{"a zone that is an abbreviation", `{"zone":"CET"}`, "zone.unknown@/zone"},
		{"a zone that is a path", `{"zone":"../../etc/passwd"}`, "zone.unknown@/zone"},
		{"hours that do not exist", `{"hours":"Mon 25:00-26:00"}`, "hours.impossible@/hours"},
		{"hours that end when they start", `{"hours":"Mon 08:00-08:00"}`, "hours.impossible@/hours"},
		{"hours that overlap", `{"hours":"Mon-Fri 08:00-17:00; Wed 16:00-20:00"}`, "hours.overlap@/hours"},
		{"a day that does not exist", `{"hours":"Moonday 08:00-17:00"}`, "hours.day@/hours"},
		{"more stretches than are written back", `{"hours":"Mon-Sun 00:00-01:00; Mon-Sun 02:00-03:00; Mon-Sun 04:00-05:00; Mon-Sun 06:00-07:00; Mon-Sun 08:00-09:00"}`, "hours.syntax@/hours"},
		{"hours in prose", `{"hours":"8 a.m. to 5 p.m."}`, "hours.syntax@/hours"},
		{"a language that is none", `{"languages":["klingonese!"]}`, "language.unknown@/languages/0"},
		{"a date that does not exist", `{"established":"2025-02-30"}`, "date.syntax@/established"},
		{"a holiday that does not exist", `{"holidays":["2026-12-25","2026-02-30"]}`, "date.syntax@/holidays/1"},
		{"a date in words", `{"established":"September 8, 2008"}`, "date.syntax@/established"},
		{"a date before there were teams", `{"established":"1831-08-26"}`, "date.range@/established"},
		{"a website that is no URL", `{"website":"csirt.example.org"}`, "url.syntax@/website"},
		{"a website that runs", `{"website":"javascript:alert(1)"}`, "url.scheme@/website"},
		{"a website with a password", `{"website":"https://u:p@example.org/"}`, "url.userinfo@/website"},
		{"mail with a display name", contactOf("email", "CSIRT <csirt@example.org>"), "email.display-name@/contacts/0/value"},
		{"two addresses in one", contactOf("email", "a@example.org,b@example.org"), "email.several@/contacts/0/value"},
		{"mail without @", contactOf("email", "csirt.example.org"), "email.syntax@/contacts/0/value"},
		{"mail with two dots", contactOf("email", "a..b@example.org"), "email.syntax@/contacts/0/value"},
		{"mail with NUL", contactOf("email", "a\x00b@example.org"), "email.syntax@/contacts/0/value"},
		{"mail with a line break", contactOf("email", "a@example.org\r\nBcc: b@example.org"), "email.syntax@/contacts/0/value"},
		{"mail to an address literal", contactOf("email", "a@[192.0.2.1]"), "email.literal@/contacts/0/value"},
		{"mail that needs SMTPUTF8", contactOf("email", "jürgen@example.org"), "email.non-ascii@/contacts/0/value"},
		{"mail to look-alike letters", contactOf("email", "csirt@ехаmple.org"), "domain.confusable@/contacts/0/value"},
		{"mail with a quoted name", contactOf("email", `"a b"@example.org`), "email.quoted@/contacts/0/value"},
		{"a phone without country", contactOf("phone", "01534 500 050"), "phone.syntax@/contacts/0/value"},
		{"a phone that is too short", contactOf("phone", "+43 12"), "phone.impossible@/contacts/0/value"},
		{"a phone with extension", contactOf("phone", "+1 510 486 4107 ext. 9"), "phone.extension@/contacts/0/value"},
		{"a phone in words", contactOf("phone", "call us"), "phone.syntax@/contacts/0/value"},
		{"a file as URL", contactOf("url", "file:///etc/passwd"), "url.syntax@/contacts/0/value"},
		{"chat that no program opens", contactOf("chat", "signal:+4315056416"), "chat.scheme@/contacts/0/value"},
		{"an id that is no UUID", `{"contacts":[{"id":"1","channel":"email","value":"a@example.org"}]}`, "id.syntax@/contacts/0/id"},
		{"hours of a contact", `{"contacts":[{"channel":"email","value":"a@example.org","hours":"always"}]}`, "hours.syntax@/contacts/0/hours"},
		{"a prefix with host bits", resourceOf("prefix", "192.0.2.1/24"), "prefix.host-bits@/resources/0/value"},
		{"a private prefix", resourceOf("prefix", "10.0.0.0/8"), "prefix.reserved@/resources/0/value"},
		{"half of the Internet", resourceOf("prefix", "128.0.0.0/1"), "prefix.too-broad@/resources/0/value"},
		{"IPv4 in IPv6 clothes", resourceOf("prefix", "::ffff:192.0.2.0/120"), "prefix.mapped@/resources/0/value"},
		{"a prefix of 33 bits", resourceOf("prefix", "192.0.2.0/33"), "prefix.syntax@/resources/0/value"},
		{"a range", resourceOf("prefix", "192.0.2.0 - 192.0.2.255"), "prefix.syntax@/resources/0/value"},
		{"an AS number that is too large", resourceOf("asn", "AS4294967296"), "asn.syntax@/resources/0/value"},
		{"an AS number that nobody has", resourceOf("asn", "AS0"), "asn.reserved@/resources/0/value"},
		{"a domain with a space", resourceOf("domain", "exam ple.org"), "domain.syntax@/resources/0/value"},
		{"a domain in look-alike letters", resourceOf("domain", "аррӏе.com"), "domain.confusable@/resources/0/value"},
		{"a domain with a long label", resourceOf("domain", strings.Repeat("a", 64)+".org"), "domain.syntax@/resources/0/value"},
		{"a domain that is an address", resourceOf("domain", "192.0.2.1"), "domain.syntax@/resources/0/value"},
		{"a resource country that is none", resourceOf("country", "World"), "country.unknown@/resources/0/value"},
		{"a forum that is no handle", `{"memberships":[{"forum":"FIRST.org Inc","status":"member"}]}`, "handle.syntax@/memberships/0/forum"},
		{"a sponsor that is no handle", `{"memberships":[{"forum":"first","status":"member","sponsors":["X Y"]}]}`, "handle.syntax@/memberships/0/sponsors/0"},
		{"a time that is none", `{"keys":[{"fingerprint":"0123456789ABCDEF0123456789ABCDEF01234567","expires":"soon"}]}`, "time.syntax@/keys/0/expires"},
		// Keys.
		{"a key without a key", `{"keys":[{}]}`, "field.missing@/keys/0/armor"},
		{"a key that is text", `{"keys":[{"armor":"hello"}]}`, "key.not-openpgp@/keys/0/armor"},
		{"a fingerprint that is none", `{"keys":[{"fingerprint":"ABCD"}]}`, "key.fingerprint-malformed@/keys/0/fingerprint"},
		{"the fingerprint of another key", `{"keys":[{"fingerprint":"0123456789ABCDEF0123456789ABCDEF01234567","armor":` + armorOf(t, "good") + `}]}`, "key.fingerprint-mismatch@/keys/0/fingerprint"},
		{"facts that the key does not say", `{"keys":[{"algorithm":"ROT13","armor":` + armorOf(t, "good") + `}]}`, "field.read-only@/keys/0/algorithm"},
		{"a signature where a key belongs", `{"keys":[{"armor":` + armorOf(t, "signature") + `}]}`, "key.signature-only@/keys/0/armor"},
		// Text, and rules between values.
		{"NUL in a name", `{"names":{"short":"A\u0000B"}}`, "text.control@/names/short"},
		{"text that turns around", `{"host":"abc\u202Egpj.exe"}`, "text.bidi@/host"},
		{"a line break in a name", `{"names":{"full":"A\nB"}}`, "text.line-break@/names/full"},
		{"a name that is too long", `{"names":{"short":"` + strings.Repeat("x", 101) + `"}}`, "text.too-long@/names/short"},
		{"the same contact twice", `{"contacts":[{"channel":"email","value":"a@example.org"},{"channel":"email","value":"A@Example.org"}]}`, "contact.duplicate@/contacts/1"},
		{"overlapping prefixes", `{"resources":[{"type":"prefix","value":"192.0.2.0/24"},{"type":"prefix","value":"192.0.2.0/25"}]}`, "resource.overlap@/resources/1"},
		{"a SIM3 level of five", `{"maturity":{"levels":{"O-1":5}}}`, "maturity.level@/maturity/levels/O-1"},
		{"a SIM3 parameter that is none", `{"maturity":{"levels":{"X-1":1}}}`, "maturity.parameter@/maturity/levels"},
		{"all problems at once", `{"country":"ZZ","zone":5,"kinds":["x"],"contacts":[{"channel":"email","value":"x"},{"channel":"fax","value":"1"}]}`,
			"field.type@/zone kind.unknown@/kinds/0 country.unknown@/country email.syntax@/contacts/0/value channel.unknown@/contacts/1/channel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, bad := format.ReadProfile([]byte(c.in))
			if len(bad) == 0 {
				bad = p.Check(time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
			}
			if diff := cmp.Diff(c.want, codes(bad)); diff != "" {
				t.Errorf("ReadProfile(%.80s) (-want +got):\n%s%v", c.in, diff, bad)
			}
			for _, b := range bad {
				if b.Reason == "" || strings.HasSuffix(b.Reason, ".") || len(b.Value) > 130 {
					t.Errorf("problem %s at %s: value of %d bytes, reason %q", b.Code, b.Field, len(b.Value), b.Reason)
				}
			}
		})
	}
}

// codes writes problems as code@pointer.
func codes(list []directory.Problem) string {
	var out []string
	for _, p := range list {
		out = append(out, string(p.Code)+"@"+p.Field)
	}
	return strings.Join(out, " ")
}

func TestUnknownFieldsSuggestTheNearest(t *testing.T) {
	for in, want := range map[string]string{
		"contry": "perhaps country", "Host": "perhaps host", "langauges": "perhaps languages", "web-site": "perhaps website",
	} {
		_, bad := format.DecodeProfile([]byte(`{"` + in + `":1}`))
		if len(bad) != 1 || bad[0].Want != want {
			t.Errorf("DecodeProfile with %q = %v, want the advice %q", in, bad, want)
		}
	}
	_, bad := format.DecodeProfile([]byte(`{"colour":1}`))
	if len(bad) != 1 || !strings.HasPrefix(bad[0].Want, "one of names, ") {
		t.Errorf("DecodeProfile with an unlike name = %v, want the list of names", bad)
	}
}

func FuzzReadProfile(f *testing.F) {
	for _, s := range []string{`{}`, `{"names":{"short":"A"},"contacts":[{"channel":"email","value":"a@example.org"}]}`,
		`{"resources":[{"type":"prefix","value":"192.0.2.0/24"}],"hours":"24x7"}`, `{"host":"\ud83d\ude00"}`, `[[[`, `{"a":{"a":1,"a":2}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, bad := format.ReadProfile(data)
		if len(bad) > 0 {
			return
		}
		again, bad := format.ProfileFrom(format.ProfileTo(p))
		if len(bad) > 0 {
			t.Fatalf("what was accepted is refused the second time: %v", bad)
		}
		one, _ := json.Marshal(format.ProfileTo(p))
		two, _ := json.Marshal(format.ProfileTo(again))
		if string(one) != string(two) {
			t.Fatalf("the wire form changes:\n%s\n%s", one, two)
		}
	})
}

// Codes are public: each has a case that gives it, and words that help.
func TestEveryWireCodeHasACase(t *testing.T) {
	var cases strings.Builder
	for _, name := range []string{"wire_bad_test.go", "wire_patch_test.go", "rollcall_test.go", "rfc2350_test.go", "keyring_test.go", "ti_test.go", "first_test.go", "csvmap_test.go", "dirt_test.go"} {
		cases.WriteString(readFile(t, name))
	}
	seen := map[directory.Code]bool{}
	for _, c := range directory.Codes() {
		if slices.ContainsFunc(format.WireCodes(), func(w directory.CodeInfo) bool { return w.Code == c.Code }) {
			t.Errorf("%s is in the table of package directory too", c.Code)
		}
	}
	for _, c := range format.Codes() {
		if seen[c.Code] {
			t.Errorf("%s is in the table twice", c.Code)
		}
		seen[c.Code] = true
	}
	for _, c := range format.WireCodes() {
		if !seen[c.Code] || c.Title == "" || c.Advice == "" {
			t.Errorf("%s is not published, or without title and advice", c.Code)
		}
		if !strings.Contains(cases.String(), string(c.Code)) {
			t.Errorf("%s has no case", c.Code)
		}
	}
}

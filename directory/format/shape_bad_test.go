package format_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// jsonShape is a codec of a list of JSON objects, and how a file with one more
// object looks.
type jsonShape struct {
	read        func(io.Reader) directory.ImportItems
	file, good  string // file has %s for the list
	otherObject string // an object of another format
}

func jsonShapes() map[string]jsonShape {
	return map[string]jsonShape{
		"first":      {format.FIRST, `{"status":"OK","data":[%s]}`, `{"id":"good","team":"Good"}`, `[{"team":"x"}]`},
		"ti":         {format.TI, `[%s]`, `{"short_name":"Good"}`, `{"data":[{"short_name":"x"}]}`},
		"cna":        {format.CNA, `[%s]`, `{"shortName":"Good","cnaID":"CNA-2016-0001"}`, `{"cnas":[]}`},
		"cerebrate":  {format.Cerebrate, `[%s]`, `{"name":"Good","uuid":"5694da62-6314-4565-9c4d-1298538826be"}`, `{"Organisation":{"name":"x"}}`},
		"global-irt": {format.GlobalIRT, `{"status":"OK","status_code":200,"data":[%s]}`, `{"short-team-name":"Good"}`, `{"teams":[]}`},
	}
}

func TestBadLists(t *testing.T) {
	for name, s := range jsonShapes() {
		whole := fmt.Sprintf(s.file, s.good)
		for _, c := range []struct {
			name, text string
			code       directory.Code
		}{
			{"nothing", "", "import.empty"}, {"blank lines", " \n\n", "import.empty"}, {"a login page", "<!DOCTYPE html><html>", "import.html"},
			{"a packed page", zipped("<html></html>"), "import.html"}, {"XML", `<?xml version="1.0"?><x/>`, "import.html"},
			{"UTF-16", "\xff\xfe[\x00", "import.encoding"}, {"an archive", "PK\x03\x04xx", "import.encoding"},
			{"no entries", fmt.Sprintf(s.file, ""), "import.empty"}, {"another list", s.otherObject, "import.header"},
			{"cut off behind an item", strings.SplitAfter(whole, s.good)[0], "import.truncated"}, {"cut off within an item", whole[:strings.Index(whole, "Good")], "import.truncated"},
			{"gzip that ends early", zipped(whole)[:len(zipped(whole))-4], "import.truncated"},
			{"something behind the end", whole + "]", "json.syntax"}, {"two lists", whole + "[]", "json.syntax"}, {"no comma", fmt.Sprintf(s.file, s.good+" "+s.good), "json.syntax"},
			{"a comma too many", fmt.Sprintf(s.file, s.good+","), "json.syntax"}, {"single quotes", fmt.Sprintf(s.file, `{'a':1}`), "json.syntax"},
		} {
			in := collect(s.read(strings.NewReader(c.text)))
			problems := directory.ProblemsOf(in.fatal)
			if len(problems) != 1 || problems[0].Code != c.code || problems[0].Reason == "" || problems[0].Want == "" && c.code != "import.empty" && c.code != "import.html" {
				t.Errorf("%s, %s: %v, want %s", name, c.name, in.fatal, c.code)
			}
		}
		if in := collect(s.read(failing{strings.NewReader(whole[:len(whole)-1])})); in.fatal == nil || len(directory.ProblemsOf(in.fatal)) != 0 {
			t.Errorf("%s: fatal %v, want the reader's own error", name, in.fatal)
		}
		if in := collect(s.read(strings.NewReader(zipped("\uFEFF" + whole)))); len(in.records) != 1 || in.fatal != nil {
			t.Errorf("%s, packed: %d records, %v", name, len(in.records), in.fatal)
		}
	}
}

// badItem is an object that stands behind a good one.
type badItem struct {
	shape, object string
	code          directory.Code
	field         string
	skip          bool // the whole object
}

func badItems() []badItem {
	private := "-----BEGIN PGP PRIVATE KEY BLOCK-----\\n\\nxx\\n-----END PGP PRIVATE KEY BLOCK-----"
	return []badItem{
		{"first", `"text"`, "field.type", "", true}, {"first", `{"team":7}`, "field.type", "", true}, {"first", `{}`, "field.missing", "/team", true},
		{"first", `{"team":" \n"}`, "field.missing", "/team", true}, {"first", `{"team":"B","phone":{"a":1}}`, "field.type", "", true},
		{"first", `{"team":"B","country":"ZZ"}`, "country.unknown", "/country", false}, {"first", `{"team":"B","country":"Europe"}`, "country.pseudo", "/country", false},
		{"first", `{"team":"B","email":"nobody"}`, "email.syntax", "/email/0", false}, {"first", `{"team":"B","email":"a@example.org; b@example.org"}`, "email.several", "/email/0", false},
		{"first", `{"team":"B","email":"a(at)example.org"}`, "email.syntax", "/email/0", false}, {"first", `{"team":"B","website":"ftp://example.org/"}`, "url.scheme", "/website/0", false},
		{"first", `{"team":"B","host":"https://example.org/"}`, "host.url", "/host", false}, {"first", `{"team":"B","pgp-key":"see web"}`, "key.not-openpgp", "/pgp-key", false},
		{"first", `{"team":"B","pgp-key":"` + private + `"}`, "key.private", "/pgp-key", false}, {"first", `{"team":"B","pgp-fingerprint":"0123ABCD"}`, "key.fingerprint-is-key-id", "/pgp-fingerprint", false},
		{"first", `{"team":"B","last-modified":"never"}`, "date.syntax", "/last-modified", false}, {"first", `{"team":"B","establishment":"1066"}`, "date.syntax", "/establishment", false},
		{"first", `{"team":"B","other-communication":"Ask Ann"}`, "value.kept", "/other-communication/0", false}, {"first", `{"team":"B","team-type":"Band"}`, "kind.unknown", "/team-type", false},
		{"first", `{"team":"B","membership":"Friend"}`, "membership-status.unknown", "/membership", false}, {"first", `{"team":"B","constituency":"Pets"}`, "constituency-type.unknown", "/constituency", false},
		{"first", `{"team":"B","operating-hours":"nine to five"}`, "hours.syntax", "/operating-hours", false}, {"first", `{"team":"B\u0007"}`, "text.control", "/team", false},
		{"first", `{"team":"B\u202e"}`, "text.bidi", "/team", false}, {"first", `{"team":"` + strings.Repeat("b", 101) + `"}`, "text.too-long", "/team", false},

		{"ti", `[]`, "field.type", "", true}, {"ti", `{"short_name":"B","constituency":{"asns":["AS1"]}}`, "field.type", "", true}, {"ti", `{}`, "field.missing", "/official_name", true},
		{"ti", `{"short_name":"B","constituency":{"asns":[23456]}}`, "asn.reserved", "/constituency/asns/0", false}, {"ti", `{"short_name":"B","constituency":{"asns":[4294967296]}}`, "asn.syntax", "/constituency/asns/0", false},
		{"ti", `{"short_name":"B","constituency":{"domains":["example.*"]}}`, "domain.syntax", "/constituency/domains/0", false}, {"ti", `{"short_name":"B","constituency":{"ipranges":["192.0.2.1/24"]}}`, "prefix.host-bits", "/constituency/ipranges/0", false},
		{"ti", `{"short_name":"B","constituency":{"ipranges":["10.0.0.0/8"]}}`, "prefix.reserved", "/constituency/ipranges/0", false}, {"ti", `{"short_name":"B","country":{"code":"01","name":"World Wide"}}`, "country.pseudo", "/country/code", false},
		{"ti", `{"short_name":"B","classification":{"name":"Gold"}}`, "membership-status.unknown", "/classification/name", false}, {"ti", `{"short_name":"B","misp":{"org_uuid":"7"}}`, "id.syntax", "/misp/org_uuid", false},
		{"ti", `{"short_name":"B","phones":[{"usage":["fax"],"number":"+43 1 5056416"}]}`, "contact.fax", "/phones/0/number", false}, {"ti", `{"short_name":"B","phones":[{"usage":["voice"],"number":"ask"}]}`, "phone.syntax", "/phones/0/number", false},
		{"ti", `{"short_name":"B","pgp_keys":[{"fingerprint":"x"}]}`, "key.fingerprint-malformed", "/pgp_keys/0/fingerprint", false}, {"ti", `{"short_name":"B","emails":[{"address":"jean.dupont@example.org"}]}`, "contact.personal", "/emails/0/address", false},
		{"ti", `{"short_name":"B","business_hours_timezone":"UTC-0500"}`, "zone.unknown", "/business_hours_timezone", false},

		{"cerebrate", `7`, "field.type", "", true}, {"cerebrate", `{"uuid":"5694da62-6314-4565-9c4d-129853882600"}`, "field.missing", "/name", true}, {"cerebrate", `{"name":"B","uuid":"x"}`, "id.syntax", "/uuid", false},
		{"cerebrate", `{"name":"B","meta_fields":7}`, "field.type", "", true}, {"cerebrate", `{"name":"B","meta_fields":[{"field":"AS Number","value":{"a":1}}]}`, "field.type", "", true},
		{"cerebrate", `{"name":"B","nationality":"Atlantis"}`, "country.unknown", "/nationality", false}, {"cerebrate", `{"name":"B","nationality":"International"}`, "country.pseudo", "/nationality", false},
		{"cerebrate", `{"name":"B","type":"Band"}`, "kind.unknown", "/type", false}, {"cerebrate", `{"name":"B","sector":"Pets"}`, "sector.unknown", "/sector", false},
		{"cerebrate", `{"name":"B","url":"www.example.org"}`, "url.syntax", "/url", false}, {"cerebrate", `{"name":"B","contacts":"Ask Ann"}`, "value.kept", "/contacts", false},
		{"cerebrate", `{"name":"B","contacts":"Desk <desk@example.org>"}`, "email.display-name", "/contacts", false}, {"cerebrate", `{"name":"B","modified":"never"}`, "date.syntax", "/modified", false},
		{"cerebrate", `{"name":"B","meta_fields":[{"field":"oes-coverage","value":"all"}]}`, "value.kept", "/meta_fields/oes coverage", false},
		{"cerebrate", `{"name":"B","meta_fields":[{"field":"AS Number","value":"0"}]}`, "asn.reserved", "/meta_fields/as number", false},
		{"cerebrate", `{"name":"B","meta_fields":[{"field":"IPv4","value":"192.0.2.0/33"}]}`, "prefix.syntax", "/meta_fields/ipv4", false},
		{"cerebrate", `{"name":"B","meta_fields":[{"field":"key","value":"` + private + `"}]}`, "key.private", "/meta_fields/key", false},
		{"cerebrate", `{"name":"B","meta_fields":{"enisa-tistatus":"Gold"}}`, "membership-status.unknown", "/meta_fields/enisa tistatus", false},
		{"cerebrate", `{"name":"B","MetaTemplates":[7]}`, "field.type", "", true},

		{"global-irt", `"x"`, "field.type", "", true}, {"global-irt", `{"short-team-name":""}`, "field.missing", "/short-team-name", true},
		{"global-irt", `{"short-team-name":"B","phone-numbers":[{"number":7},{}],"email":{"a":1}}`, "field.type", "", true}, {"global-irt", `{"short-team-name":"B","operating-hours":7}`, "field.type", "/operating-hours", false},
		{"global-irt", `{"short-team-name":"B","operating-hours":{"mon_1_open":"25:00","mon_1_close":"26:00"}}`, "hours.impossible", "/operating-hours", false},
		{"global-irt", `{"short-team-name":"B","country-code":"03"}`, "country.pseudo", "/country-code", false}, {"global-irt", `{"short-team-name":"B","languages":["klingonese"]}`, "language.unknown", "/languages/0", false},
		{"global-irt", `{"short-team-name":"B","cert-type":["Band"]}`, "kind.unknown", "/cert-type", false}, {"global-irt", `{"short-team-name":"B","-first-member-type":"Friend"}`, "membership-status.unknown", "/-first-member-type", false},
		{"global-irt", `{"short-team-name":"B","-oas-code":"7"}`, "value.kept", "/-oas-code", false}, {"global-irt", `{"short-team-name":"B","enckeys":["0123"]}`, "key.fingerprint-malformed", "/enckeys/0", false},
		{"global-irt", `{"short-team-name":"B","email":"a b@example.org"}`, "email.syntax", "/email/0", false}, {"global-irt", `{"short-team-name":"B","phone-numbers":[{"type":"fax","number":"+43 1 5056416"}]}`, "contact.fax", "/phone-numbers/0", false},
	}
}

func TestBadItems(t *testing.T) {
	for _, c := range badItems() {
		s := jsonShapes()[c.shape]
		in := collect(s.read(strings.NewReader(fmt.Sprintf(s.file, s.good+","+c.object))))
		if in.fatal != nil {
			t.Errorf("%s %s: fatal %v", c.shape, c.object, in.fatal)
			continue
		}
		got, other := in.notes, in.skipped
		if c.skip {
			got, other = other, got
		}
		if len(got) != 1 || len(other) != 0 || got[0].Code != c.code || got[0].Field != c.field || got[0].Row != 2 || got[0].Reason == "" {
			t.Errorf("%s %s: notes %v, skipped %v, want %s at %q", c.shape, c.object, in.notes, in.skipped, c.code, c.field)
		}
		if want := map[bool]int{true: 1, false: 2}[c.skip]; len(in.records) != want {
			t.Errorf("%s %s: %d records, want %d", c.shape, c.object, len(in.records), want)
		}
		for _, r := range in.records {
			if slices.ContainsFunc(r.Raw, func(x directory.Raw) bool { return strings.Contains(x.Text, "PRIVATE") }) {
				t.Errorf("%s: a private key is kept", c.shape)
			}
		}
	}
}

func TestListsStopWhenAskedTo(t *testing.T) {
	for name, s := range jsonShapes() {
		n := 0
		for range s.read(strings.NewReader(fmt.Sprintf(s.file, s.good+","+s.good+","+s.good))) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%s: %d items, want 1", name, n)
		}
	}
}

// Every reader of a list holds its promises on anything: no panic, no record
// that the directory would refuse or a store could not hold, and what leaves in
// the same shape comes back the same.
func fuzzShape(f *testing.F, read func(io.Reader) directory.ImportItems, name string) {
	for _, c := range badItems() {
		if s := jsonShapes()[c.shape]; s.file != "" && c.shape == name {
			f.Add(fmt.Sprintf(s.file, s.good+","+c.object))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		first := collect(read(strings.NewReader(text)))
		rows := map[int]bool{}
		for _, r := range first.records {
			if rows[r.Row] || r.Key == "" || strings.ContainsRune(r.Key, 0) {
				t.Fatalf("row %d comes twice, or without a key: %q", r.Row, r.Key)
			}
			rows[r.Row] = true
			if _, bad := format.ProfileFrom(format.ProfileTo(r.Profile)); len(bad) > 0 {
				t.Fatalf("%s does not survive the wire: %v", r.Key, bad)
			}
			for _, p := range r.Profile.Check(day("2199-12-31")) {
				t.Fatalf("%s: %v", r.Key, p)
			}
		}
		for _, p := range first.skipped {
			if rows[p.Row] || p.Code == "" {
				t.Fatalf("row %d is kept and skipped: %v", p.Row, p)
			}
		}
	})
}

func FuzzCerebrate(f *testing.F) { fuzzShape(f, format.Cerebrate, "cerebrate") }

func FuzzGlobalIRT(f *testing.F) {
	f.Add("short-team-name,country-code,email,enckeys\nGOOD,AT,a@example.org;b@example.org,0123\n")
	fuzzShape(f, format.GlobalIRT, "global-irt")
}

func FuzzTICSV(f *testing.F) {
	f.Add("Team Name;TI Level;-Type of Constituency;Email\nGOOD;Listed;Government - External - National;a@example.org - b@example.org\n")
	fuzzShape(f, format.TICSV, "ti-csv")
}

func FuzzShapesRoundTrip(f *testing.F) {
	for _, c := range badItems() {
		if c.shape == "ti" || c.shape == "first" {
			f.Add(c.shape == "ti", c.object)
		}
	}
	f.Fuzz(func(t *testing.T, ti bool, object string) {
		s, file := shapes()[1], `{"data":[%s]}`
		if ti {
			s, file = shapes()[0], `[%s]`
		}
		roundTrips(t, s, fmt.Sprintf(file, object))
	})
}

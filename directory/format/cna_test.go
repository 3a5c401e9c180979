package format_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// toldOf writes what a codec said beside the records as row:code@field.
func toldOf(in imported) (told []string) {
	for _, list := range []struct {
		word string
		of   []directory.RowProblem
	}{{"", in.notes}, {"skipped:", in.skipped}} {
		for _, p := range list.of {
			told = append(told, fmt.Sprintf("%d:%s%s@%s", p.Row, list.word, p.Code, p.Field))
		}
	}
	return told
}

func cna(text string) imported { return collect(format.CNA(strings.NewReader(text))) }

func TestCNA(t *testing.T) {
	in := cna(readFile(t, "testdata", "cna-list.json"))
	if in.fatal != nil || len(in.records) != 3 {
		t.Fatalf("CNA = %d records, fatal %v, want 3 and none", len(in.records), in.fatal)
	}
	checked(t, in)
	got := *in.records[0]
	want := directory.SourceRecord{Row: 1, Rows: 1, Key: "CNA-2016-0001", Handle: "example-v", Profile: directory.Profile{
		Names:        directory.Names{Short: "Example_V", Full: "Example Vendor, Inc."},
		Kinds:        []directory.Word{"psirt"},
		Country:      "US",
		Constituency: directory.Constituency{Text: "All Example products,\nexcept those at their end of life."},
		Contacts: []directory.Contact{
			{Channel: "email", Value: "PSIRT@example.org", Uses: []directory.Word{"vulnerability"}, Label: "Security team"},
			{Channel: "url", Value: "https://www.example.org/report?a=1", Uses: []directory.Word{"vulnerability"}, Label: "Report page"},
			{Channel: "email", Value: "cve@example.org", Uses: []directory.Word{"vulnerability"}},
			{Channel: "url", Value: "https://www.example.org/form", Uses: []directory.Word{"vulnerability"}, Label: "Form"},
		},
		Prose: []directory.Section{
			{Number: "2.10", Language: "en", Text: "Alerts:\n\n- <https://www.example.org/alerts>\n\nSecurity advisories:\n\n- Advisories: <https://www.example.org/advisories>"},
			{Number: "3.3", Language: "en", Text: "- Top-level root in the CVE Program: Example Top, Inc."},
			{Number: "4.2", Language: "en", Text: "Disclosure policy:\n\n- Policy \\*one\\*: <https://www.example.org/policy>\n- 方針: <https://www.example.org/policy/ja> (Japanese)"},
		},
		Memberships: []directory.Membership{{Forum: "cve", Type: "CNA (Vendor, Open Source)", Status: "member"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the first CNA (-want +got):\n%s", diff)
	}
}

func TestCNADirt(t *testing.T) {
	in := cna(readFile(t, "testdata", "cna-list.json"))
	want := []string{
		"2:text.bidi@/organizationName", "2:country.unknown@/country",
		"2:email.syntax@/contact/0/email/0/emailAddr", "2:email.display-name@/contact/0/email/1/emailAddr",
		"2:contact.personal@/contact/0/email/2/emailAddr", "2:field.missing@/contact/0/email/3/emailAddr",
		"2:url.syntax@/contact/0/contact/0/url", "2:field.missing@/contact/0/contact/1/url", "2:url.scheme@/contact/0/form/0/url",
		"2:url.syntax@/disclosurePolicy/0/url", "3:field.missing@/cnaID",
		"4:skipped:field.missing@/shortName", "5:skipped:field.type@", "6:skipped:field.type@",
	}
	if diff := cmp.Diff(want, toldOf(in)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	p := in.records[1].Profile
	if got := p.Contacts; len(got) != 1 || got[0].Value != "jean.dupont@example.org" || got[0].Visibility != directory.Green {
		t.Errorf("contacts %+v, want the person's alone, and green", got)
	}
	if p.Country != "" || p.Names.Full != "Dirt and Dust" || p.Memberships[0].Type != "CNA-LR, Root (CERT)" {
		t.Errorf("country %q, name %q, type %q", p.Country, p.Names.Full, p.Memberships[0].Type)
	}
	const affiliation = "- Root in the CVE Program: root\n- CNA-LR: Last \\<resort\\> for x\\_y"
	if len(p.Prose) != 1 || p.Prose[0].Text != affiliation {
		t.Errorf("prose %+v, want %q", p.Prose, affiliation)
	}
	for _, n := range in.notes {
		if n.Value == "security(at)example(dot)org" && n.Want != "a bare address, perhaps security@example.org" {
			t.Errorf("want of the disguised address: %q", n.Want)
		}
	}
	if r := in.records[2]; r.Key != "name:noid" || r.Profile.Memberships[0].Type != "CNA" || r.Profile.Country != "" {
		t.Errorf("the CNA without an id: %+v", r)
	}
}

func TestCNALimits(t *testing.T) {
	var emails, links []string
	for i := range 60 {
		emails = append(emails, fmt.Sprintf(`{"emailAddr":"psirt%d@example.org"}`, i))
	}
	for range 3000 {
		links = append(links, `{"label":"a page of the resources","url":"https://www.example.org/page"}`)
	}
	in := cna(fmt.Sprintf(`[{"shortName":"%s","cnaID":"1","scope":"%s","contact":[{"email":[%s]}],"resources":[%s],"CNA":{"type":["%s"]}}]`,
		strings.Repeat("n", 101), strings.Repeat("é", 4001), strings.Join(emails, ","), strings.Join(links, ","), strings.Repeat("t", 100)))
	checked(t, in)
	told := strings.Join(toldOf(in), " ")
	for _, want := range []string{"text.too-long@/shortName", "text.too-long@/scope", "text.too-long@/CNA/type", "text.too-long@ ", "list.too-long@/contact/0/email/59"} {
		if !strings.Contains(told+" ", want) {
			t.Errorf("told %s, without %s", told, want)
		}
	}
	if p := in.records[0].Profile; len(p.Contacts) != 50 || len(p.Prose[0].Text) > 64<<10 || !strings.HasSuffix(p.Prose[0].Text, ">") {
		t.Errorf("%d contacts, %d bytes of prose", len(p.Contacts), len(p.Prose[0].Text))
	}
}

// Names of countries, in the spellings of the CVE Program, ISO 3166 and people.
func TestCNACountries(t *testing.T) {
	for name, want := range map[string]directory.Country{
		"USA": "US", "United States": "US", "U.S.A.": "US", "United States of America": "US", "us": "US", "UK": "GB", "United Kingdom": "GB",
		"South Korea": "KR", "Korea, South": "KR", "Korea, Republic of": "KR", "Republic of Korea": "KR", "Korea, North": "KP", "Korea": "",
		"The Netherlands": "NL", "Türkiye": "TR", "Turkey": "TR", "Turkiye": "TR", "Czech Republic": "CZ", "Czechia": "CZ", "Taiwan": "TW",
		"Hong Kong": "HK", "Viet Nam": "VN", "Vietnam": "VN", "Côte d'Ivoire": "CI", "Cote d’Ivoire": "CI", "Bosnia and Herzegovina": "BA",
		"Iran, Islamic Republic of": "IR", "Congo": "", "DR Congo": "CD", "Saint Lucia": "LC", "North Macedonia": "MK", "Kosovo": "XK", "EU": "EU",
		"AUT": "AT", "deu": "DE", "Österreich": "AT", "Macao": "MO", "Europe": "", "world wide": "", "QQ": "", "Georgia": "GE", "Ireland": "IE",
		"Norway": "NO", "South Africa": "ZA", "UAE": "AE", "Russia": "RU", "Russian Federation": "RU", "Eswatini": "SZ", "Myanmar": "MM",
	} {
		in := cna(fmt.Sprintf(`[{"shortName":"x","cnaID":"1","country":%q}]`, name))
		if len(in.records) != 1 || in.records[0].Profile.Country != want {
			t.Errorf("country %q = %+v, want %q", name, in.records, want)
		}
		if unknown := want == ""; unknown != (len(in.notes) == 1 && in.notes[0].Code == "country.unknown" && in.notes[0].Value == name) {
			t.Errorf("country %q: notes %v", name, in.notes)
		}
	}
}

func TestCNARefused(t *testing.T) {
	for in, want := range map[string]directory.Code{
		"": "import.empty", "[]": "import.empty", "<!doctype html>": "import.html", `{"cnas":[]}`: "import.header", `[{"shortName":"a"},`: "import.truncated",
		"null": "import.header", "\xff\xfe[\x00": "import.encoding", "PK\x03\x04": "import.encoding",
	} {
		p, ok := errors.AsType[directory.Problem](cna(in).fatal)
		if !ok || p.Code != want {
			t.Errorf("CNA(%q) = %v, want %s", in, p, want)
		}
	}
	if got := collect(format.CNA(failing{strings.NewReader("[")})).fatal; !errors.Is(got, errDisk) {
		t.Errorf("fatal %v, want the reader's own error", got)
	}
}

func TestCNAStopsWhenAskedTo(t *testing.T) {
	n := 0
	for range format.CNA(strings.NewReader(`[{"shortName":"a"},{"shortName":"b"}]`)) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

// sound fails for a record that the directory would refuse for anything but
// the day it is imported on, or that changes on the wire.
func sound(t *testing.T, in imported) {
	t.Helper()
	for _, r := range in.records {
		for _, p := range r.Profile.Check(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("record of line %d: %v", r.Row, p)
		}
		if _, bad := format.ProfileFrom(format.ProfileTo(r.Profile)); len(bad) > 0 {
			t.Errorf("record of line %d does not survive the wire: %v", r.Row, bad)
		}
		if r.Key == "" || r.Row == 0 {
			t.Errorf("record without key or row: %+v", r)
		}
	}
	for _, list := range [][]directory.RowProblem{in.notes, in.skipped} {
		for _, p := range list {
			if p.Code == "" || p.Reason == "" || p.Row == 0 {
				t.Errorf("a problem without code, reason or row: %+v", p)
			}
		}
	}
}

func FuzzCNA(f *testing.F) {
	f.Add(readFile(f, "testdata", "cna-list.json"))
	f.Add(`[{"shortName":"x","contact":[{"email":[{"emailAddr":"a(at)b.example"}]}],"country":"Korea, South"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		in := cna(text)
		sound(t, in)
	})
}

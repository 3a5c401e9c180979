package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// document reads one document; notes are written as line:code.
func document(t testing.TB, text string) (*directory.SourceRecord, []string, error) {
	t.Helper()
	var record *directory.SourceRecord
	var notes []string
	for item := range format.RFC2350(strings.NewReader(text)) {
		switch {
		case item.Fatal != nil:
			return nil, notes, item.Fatal
		case item.Skipped != nil:
			t.Fatalf("a document was skipped instead of refused: %v", item.Skipped)
		case item.Note != nil:
			notes = append(notes, fmt.Sprintf("%d:%s", item.Note.Row, item.Note.Code))
		default:
			if record != nil {
				t.Fatal("two records of one document")
			}
			record = item.Record
		}
	}
	return record, notes, nil
}

func contactLines(p directory.Profile) []string {
	var out []string
	for _, c := range p.Contacts {
		out = append(out, strings.Join(append([]string{c.Channel, c.Value}, c.Uses...), " "))
	}
	return out
}

func readFile(t testing.TB, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRFC2350Markdown(t *testing.T) {
	text := strings.Replace(readFile(t, "testdata", "rfc2350", "example.md"), "FPR", aKey(t, "good").Fingerprint.Spaced(), 1)
	r, notes, err := document(t, text)
	if err != nil {
		t.Fatal(err)
	}
	p := r.Profile
	got := map[string]any{
		"key": r.Key, "handle": r.Handle, "names": p.Names, "address": p.Address, "country": p.Country, "zone": p.Zone, "website": p.Website,
		"contacts": contactLines(p), "keys": len(p.Keys), "fingerprint": p.Keys[0].Fingerprint, "notes": notes,
	}
	line := func(s string) int { return strings.Count(text[:strings.Index(text, s)], "\n") + 1 }
	want := map[string]any{
		"key": "csirt@example.org", "handle": directory.Handle("example-csirt"),
		"names":   directory.Names{Short: "EXAMPLE-CSIRT", Full: "Example Computer Security Incident Response Team"},
		"address": "Example CSIRT\nExample Street 1\n1010 Vienna\nAustria", "country": directory.Country("AT"),
		"zone": directory.Zone("Europe/Vienna"), "website": "https://csirt.example.org/",
		"contacts": []string{"phone +4315056416", "phone +4315056417 emergency", "email csirt@example.org", "email abuse@example.org abuse",
			"email support@example.org", "chat xmpp:csirt@example.org", "chat matrix:r/csirt:example.org", "url https://report.example.org/form",
			"url https://bounty.example.org/report vulnerability"},
		"keys": 1, "fingerprint": aKey(t, "good").Fingerprint,
		"notes": []string{fmt.Sprintf("%d:rfc2350.unknown-section", line("### 2.12")), fmt.Sprintf("%d:rfc2350.key-mismatch", line("### 2.8")),
			fmt.Sprintf("%d:rfc2350.key-expiry", line("### 2.8"))},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RFC2350(example.md) (-want +got):\n%s", diff)
	}
	wantProse := map[string]string{
		"1": "This describes the Example CSIRT.", "1.1": "Version 3, 2026-11-01.", "2.9": "",
		"2.8": "* Fingerprint: `" + aKey(t, "good").Fingerprint.Spaced() + "`\n* Expires: 2020-01-01\n\nAn older key was 0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567.",
		"2.11": "Abuse reports: abuse AT example DOT org\n\nReport vulnerabilities at\n\nhttps://bounty.example.org/report.\n\n" +
			"For anything else, look at example.org or ask support&#64;example.org.\n\n### 2.12 Public Holidays\n\nWe are closed on the first of January.",
		"3.1": "We help.\n\n```\n# this is no heading\n## 7. Disclaimers\n```", "3.2": "1. Everybody at the Example University.\n2. Everybody else at example.org.",
		"3.3": "Example University", "4.2": "We share.", "5": "We answer.", "5.1.3": "", "7": "No warranty.",
	}
	for number, want := range wantProse {
		if got := proseOf(p, number); got != want {
			t.Errorf("section %s = %q, want %q", number, got, want)
		}
	}
}

func proseOf(p directory.Profile, number string) string {
	for _, s := range p.Prose {
		if s.Number == number {
			return s.Text
		}
	}
	return ""
}

// The plain text has the numbers of the RFC's body, other titles, a table of
// contents, and is for signed-in teams only.
func TestRFC2350PlainText(t *testing.T) {
	r, notes, err := document(t, readFile(t, "testdata", "rfc2350", "body.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Profile
	if diff := cmp.Diff([]string{"phone +31205551234", "email cert@example.org"}, contactLines(p)); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"56:rfc2350.unknown-section", "39:rfc2350.zone"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	wantNames := directory.Names{Short: "EXAMPLE-CERT", Full: "Example Computer Emergency Response Team", Former: []string{"EX-CERT"}}
	if diff := cmp.Diff(wantNames, p.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if len(p.Keys) != 1 || p.Keys[0].Fingerprint != "0123456789ABCDEF0123456789ABCDEF01234567" || p.Keys[0].Armor != "" {
		t.Errorf("keys = %+v, want the fingerprint alone", p.Keys)
	}
	if p.Country != "NL" || p.Zone != "" {
		t.Errorf("country %q, zone %q, want NL and none", p.Country, p.Zone)
	}
	var numbers []string
	for _, s := range p.Prose {
		numbers = append(numbers, s.Number)
		if s.Visibility != directory.Green {
			t.Errorf("section %s is %q, want green as the document", s.Number, s.Visibility)
		}
	}
	if diff := cmp.Diff(strings.Fields("1 1.1 2.1 2.2 2.3 2.4 2.7 2.8 2.11 3.1 5.1.1 5.1.2"), numbers); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if got, want := proseOf(p, "3.1"), "Coordinate.\nThere are 24 services and\n7 more of them."; got != want {
		t.Errorf("section 3.1 = %q, want %q", got, want)
	}
	for _, c := range p.Contacts {
		if c.Visibility != directory.Green {
			t.Errorf("contact %s is %q, want green as the document", c.Value, c.Visibility)
		}
	}
}

func TestRFC2350Names(t *testing.T) {
	for in, want := range map[string]directory.Names{
		"Example CSIRT":                      {Full: "Example CSIRT"},
		"EXAMPLE-CSIRT":                      {Short: "EXAMPLE-CSIRT"},
		"**Example Response Team (ERT)**":    {Full: "Example Response Team", Short: "ERT"},
		"Example Response Team (CSIRT)":      {Full: "Example Response Team (CSIRT)"},
		"ERT - Example Response Team":        {Full: "Example Response Team", Short: "ERT"},
		"ERT: Example Response Team":         {Full: "Example Response Team", Short: "ERT"},
		"CERT: Example Response Team":        {Full: "CERT: Example Response Team"},
		"* Full name: A B\n* Short name: AB": {Full: "A B", Short: "AB"},
		"None available.":                    {},
	} {
		r, _, err := document(t, "## 1. Document Information\n## 2.1 Name of the Team\n"+in+"\n## 2.7 E-mail\na@example.org\n## 7 Disclaimers\n")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Profile.Names); diff != "" {
			t.Errorf("names in %q (-want +got):\n%s", in, diff)
		}
	}
}

func TestRFC2350Addresses(t *testing.T) {
	for in, want := range map[string]string{
		"csirt@example.org":                             "csirt@example.org",
		"csirt(at)example(dot)org":                      "csirt@example.org",
		"csirt [at] example [dot] org":                  "csirt@example.org",
		"csirt {AT} example {DOT} co {DOT} uk":          "csirt@example.co.uk",
		"csirt AT example DOT org":                      "csirt@example.org",
		"csirt at example dot org":                      "csirt@example.org",
		"csirt(at)example.org":                          "csirt@example.org",
		"csirt&#64;example&period;org":                  "csirt@example.org",
		"csirt&commat;example.org":                      "csirt@example.org",
		"`csirt@example.org`.":                          "csirt@example.org",
		"[csirt@example.org](mailto:csirt@example.org)": "csirt@example.org",
		"Example CSIRT <csirt@example.org>":             "csirt@example.org",
		"a@example.org, b@example.org":                  "a@example.org b@example.org",
		"look at example.org":                           "",
		"None available.":                               "",
	} {
		r, _, err := document(t, "## 1. Document Information\n## 2.1 Name of the Team\nX Y\n## 2.7 E-mail\n"+in+"\n## 7 Disclaimers\n")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range r.Profile.Contacts {
			got = append(got, c.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("addresses in %q = %q, want %q", in, got, want)
		}
	}
}

func TestRFC2350Refused(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     directory.Code
	}{
		{"empty", " \n", "import.empty"},
		{"a web page", "<!DOCTYPE html><html><h2>1. Document Information</h2>", "import.html"},
		{"a web page behind a comment", "<!-- saved -->\n<html>", "import.html"},
		{"not UTF-8", "## 1. Document Information\n\xff", "import.encoding"},
		{"NUL", "## 1. Document Information\n\x00", "import.encoding"},
		{"more than 2 MiB", strings.Repeat("x", 3<<20), "import.too-large"},
		{"another text", "# Cooking\n\n## Soup\n\n## Bread\n", "rfc2350.no-sections"},
		{"nobody", "## 1. Document Information\n## 3. Charter\n## 7. Disclaimers\n", "rfc2350.nobody"},
	} {
		_, _, err := document(t, c.in)
		if p, ok := errors.AsType[directory.Problem](err); !ok || p.Code != c.want {
			t.Errorf("%s: RFC2350 = %v, want %s", c.name, err, c.want)
		}
	}
}

// What can't be read without a guess stays prose, and somebody is told.
func TestRFC2350Notes(t *testing.T) {
	for _, c := range []struct{ name, heading, text, want string }{
		{"an address without a country", "2.2 Address", "Example Street 1\nExampletown, CA 94107", "rfc2350.country"},
		{"an address with a country", "2.2 Address", "Example Street 1\nThe Netherlands.", ""},
		{"a country behind a comma", "2.2 Address", "Example Street 1, Vienna, Austria", ""},
		{"no address", "2.2 Address", "None available.", ""},
		{"an abbreviation of a zone", "2.3 Time Zone", "CET/CEST", "rfc2350.zone"},
		{"an offset", "2.3 Time Zone", "UTC-0500", "rfc2350.zone"},
		{"two zones", "2.3 Time Zone", "Europe/Vienna or Europe/London", "rfc2350.zone"},
		{"one zone twice", "2.3 Time Zone", "Europe/Vienna (Europe/Vienna)", ""},
		{"a zone that does not exist", "2.3 Time Zone", "Europe/Atlantis", "rfc2350.zone"},
		{"a number without a country", "2.4 Telephone Number", "01534 500 050", "rfc2350.phone"},
		{"a number with a country", "2.4 Telephone Number", "+44 1534 500 050", ""},
		{"a trunk zero", "2.4 Telephone Number", "+43 (0)1 5056416", ""},
		{"a number in words", "2.4 Telephone Number", "Ask the switchboard.", "rfc2350.phone"},
		{"no telephone", "2.4 Telephone Number", "None available.", ""},
		{"mail in words", "2.7 Electronic Mail Address", "See our website.", "rfc2350.email"},
		{"mail that nobody can send", "2.7 Electronic Mail Address", "csirt@example..org or csirt@-example-.org", "rfc2350.email"},
	} {
		text := "## 1. Document Information\n\n## 2.1 Name of the Team\n\nX Y\n\n## " + c.heading + "\n\n" + c.text + "\n\n## 7. Disclaimers\n"
		r, notes, err := document(t, text)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if c.want != "" {
			want = "7:" + c.want
		}
		if got := strings.Join(notes, " "); got != want {
			t.Errorf("%s: notes %q, want %q", c.name, got, want)
		}
		number, _, _ := strings.Cut(c.heading, " ")
		if got := proseOf(r.Profile, number); got != c.text && c.text != "None available." {
			t.Errorf("%s: the prose is %q, want %q", c.name, got, c.text)
		}
	}
}

func TestRFC2350BadKeys(t *testing.T) {
	secret := "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlFgEaURZ\n-----END PGP PRIVATE KEY BLOCK-----"
	r, notes, err := document(t, "## 1. Document Information\n## 2.1 Name of the Team\nX Y\n## 2.8 Public Keys\nOurs:\n\n"+secret+"\n## 7 Disclaimers\nNone of it.\n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(notes, "4:rfc2350.key") || len(r.Profile.Keys) > 0 {
		t.Errorf("a secret key: notes %v, %d keys", notes, len(r.Profile.Keys))
	}
	if got := proseOf(r.Profile, "2.8"); got != "Ours:" {
		t.Errorf("section 2.8 = %q, want it without the secret key", got)
	}
}

// render writes a profile as a document.
func render(t testing.TB, p directory.Profile, o format.RFC2350Options) string {
	t.Helper()
	var b bytes.Buffer
	team := directory.Team{Handle: "example-csirt", Revision: 7, Updated: day("2026-11-01"), Profile: p}
	if err := format.WriteRFC2350(&b, &team, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWriteRFC2350FromTheRecord(t *testing.T) {
	p := fullProfile(t)
	golden(t, "rfc2350/record.txt", []byte(render(t, p, format.RFC2350Options{})))
	golden(t, "rfc2350/record.md", []byte(render(t, p, format.RFC2350Options{Form: format.RFC2350Markdown, Language: "de", Obfuscate: true})))
}

func TestWriteRFC2350HasEveryHeading(t *testing.T) {
	for _, o := range []format.RFC2350Options{{}, {Form: format.RFC2350Markdown}} {
		text := render(t, directory.Profile{}, o)
		at := 0
		for _, s := range directory.Sections() {
			i := strings.Index(text[at:], s.Title+"\n")
			if i < 0 {
				t.Fatalf("heading %s %s is missing or out of order:\n%s", s.Number, s.Title, text)
			}
			at += i
		}
		if n := strings.Count(text, "None available."); n != 26 {
			t.Errorf("%d sections are said to be empty, want 26", n)
		}
	}
}

// What is written reads back as the same text and the same facts.
func TestRFC2350RoundTrip(t *testing.T) {
	text := strings.Replace(readFile(t, "testdata", "rfc2350", "example.md"), "FPR", aKey(t, "good").Fingerprint.Spaced(), 1)
	for _, text := range []string{text, readFile(t, "testdata", "rfc2350", "body.txt")} {
		first, _, err := document(t, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []format.RFC2350Options{{}, {Form: format.RFC2350Markdown}} {
			again, _, err := document(t, render(t, first.Profile, o))
			if err != nil {
				t.Fatal(err)
			}
			want, got := first.Profile, again.Profile
			got.Prose = slices.DeleteFunc(got.Prose, func(s directory.Section) bool { // made from the record
				return !slices.ContainsFunc(want.Prose, func(w directory.Section) bool { return w.Number == s.Number })
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q: read, written and read again (-first +again):\n%s", o.Form, diff)
			}
		}
	}
}

var (
	realHeading = regexp.MustCompile(`(?m)^#{2,4} (\d+(?:\.\d+)*)\.? (.*)$`)
	anyComment  = regexp.MustCompile(` *<!--.*?-->`)
	anyKey      = regexp.MustCompile(`(?s)-----BEGIN PGP.*END PGP PUBLIC KEY BLOCK-----`)
)

// sectionsOf takes a Markdown document apart, by its numbers and without any
// of the code under test.
func sectionsOf(text string) map[string]string {
	out := map[string]string{}
	heads := realHeading.FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		body := anyComment.ReplaceAllString(text[h[1]:end], "")
		out[text[h[2]:h[3]]+" "+text[h[4]:h[5]]] = strings.TrimSpace(anyKey.ReplaceAllString(body, "KEY"))
	}
	return out
}

func TestRealRFC2350(t *testing.T) {
	dir := os.Getenv("ROLLCALL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, "rfc2350-example.md"))
	if err != nil {
		t.Skipf("the real document is not here (set ROLLCALL_TEST_DATA): %v", err)
	}
	r, notes, err := document(t, string(data))
	if err != nil {
		t.Fatal(err)
	}
	p := r.Profile
	if diff := cmp.Diff([]string{"45:rfc2350.zone"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if len(p.Keys) != 1 || p.Keys[0].Fingerprint != "B0614CADF0EAF85433C715A508F419AA6FB92A90" || p.Country != "US" || len(contactLines(p)) != 2 ||
		p.Names.Full != "GitHub Security Incident Response Team (SIRT)" {
		t.Errorf("names %+v, country %q, contacts %v, %d keys", p.Names, p.Country, contactLines(p), len(p.Keys))
	}
	want := sectionsOf(string(data))
	if len(want) != len(directory.Sections()) {
		t.Fatalf("the real document has %d sections, want %d", len(want), len(directory.Sections()))
	}
	got := sectionsOf(render(t, p, format.RFC2350Options{Form: format.RFC2350Markdown}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read and written again (-real +ours):\n%s", diff)
	}
	again, _, err := document(t, render(t, p, format.RFC2350Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, again.Profile); diff != "" {
		t.Errorf("as plain text, read again (-first +again):\n%s", diff)
	}
}

// Time grows with the length of a text, whatever is in it.
func BenchmarkRFC2350(b *testing.B) {
	const head = "## 1. Document Information\n## 2.1 Name of the Team\nX Y\n## 2.8 Public Keys\n"
	for name, line := range map[string]string{"short lines": "x\n", "numbers": "2.1 Xy z\n\n", "digits": "0123 4567 ", "addresses": "a(at)b(dot)c ", "keys": "-----BEGIN PGP X-----\n", "no end": "<!--"} {
		for _, size := range []int{100_000, 1_000_000} {
			text := head + strings.Repeat(line, size/len(line))
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_, _, _ = document(b, text)
				}
			})
		}
	}
}

func FuzzRFC2350(f *testing.F) {
	for _, name := range []string{"example.md", "body.txt"} {
		f.Add(readFile(f, "testdata", "rfc2350", name))
	}
	f.Add("## 1. Document Information\n## 2.1 Name of the Team\nX Y\n## 2.7 E-mail\na(at)example(dot)org\n## 7 Disclaimers\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, _, err := document(t, text)
		if err != nil {
			return
		}
		if bad := r.Profile.Check(day("2026-11-21")); slices.ContainsFunc(bad, func(p directory.Problem) bool { return !strings.HasSuffix(string(p.Code), "too-long") }) {
			t.Fatalf("the profile breaks rules: %v", bad)
		}
		if _, bad := format.ProfileFrom(format.ProfileTo(r.Profile)); len(bad) > 0 {
			t.Fatalf("the profile does not survive the wire: %v", bad)
		}
		again, _, err := document(t, render(t, r.Profile, format.RFC2350Options{Form: format.RFC2350Markdown}))
		if err != nil && len(r.Profile.Contacts) > 0 {
			t.Fatalf("what was written can't be read: %v", err)
		}
		_ = again
	})
}

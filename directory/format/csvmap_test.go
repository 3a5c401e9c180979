package format_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func sheet(text string, m format.CSVMap) imported {
	return collect(format.CSV(strings.NewReader(text), m))
}

// oneTeam reads a row below a header, and fails unless it is kept.
func oneTeam(t *testing.T, text string) (*directory.SourceRecord, imported) {
	t.Helper()
	in := sheet(text, format.CSVMap{})
	if in.fatal != nil || len(in.records) != 1 {
		t.Fatalf("CSV(%q) = %d records, fatal %v, told %v", text, len(in.records), in.fatal, toldOf(in))
	}
	checked(t, in)
	return in.records[0], in
}

func TestCSV(t *testing.T) {
	in := sheet(readFile(t, "testdata", "teams.csv"), format.CSVMap{})
	if in.fatal != nil || len(in.records) != 2 {
		t.Fatalf("CSV = %d records, fatal %v, want 2 and none", len(in.records), in.fatal)
	}
	checked(t, in)
	want := directory.SourceRecord{Row: 2, Rows: 1, Key: "handle:exa-cert", Handle: "exa-cert", AsOf: day("2026-01-02"),
		Raw: []directory.Raw{{Field: "contacts.fax", Text: "+43 1 5056420"}}, Profile: directory.Profile{
			Names: directory.Names{Short: "EXA-CERT", Full: "Example Academic CERT; Vienna", Former: []string{"Old CERT", "CERT, National"}},
			Kinds: []directory.Word{"csirt", "psirt"}, Country: "AT", Zone: "Europe/Vienna", Languages: []directory.Language{"de", "en"},
			Hours: weekdays(t), Website: "https://www.example.org/cert", Host: "Example University", Address: "Example Street 1\n1010 Vienna",
			Established: "2008-09-08",
			Constituency: directory.Constituency{Text: "Everybody at example.org", Sectors: []directory.Word{"research", "health"},
				Types:     []directory.ConstituencyType{{Type: "research-education", Scope: "external"}},
				Countries: []directory.Country{"AT", "KR", "DE"}},
			Resources: []directory.Resource{
				{Type: "prefix", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Claim: "listed"}, {Type: "prefix", Prefix: netip.MustParsePrefix("2001:db8::/32"), Claim: "listed"},
				{Type: "asn", ASN: 64496, Claim: "listed"}, {Type: "asn", ASN: 64497, Claim: "listed"},
				{Type: "domain", Domain: "example.org", Claim: "listed"}, {Type: "domain", Domain: "example.net", Claim: "listed"},
			},
			Contacts: []directory.Contact{
				{Channel: "email", Value: "cert@example.org", Uses: []directory.Word{"general", "abuse"}},
				{Channel: "email", Value: "second@example.org"}, {Channel: "email", Value: "third@example.org"}, {Channel: "email", Value: "fourth@example.org"},
				{Channel: "email", Value: "jean.dupont@example.org", Uses: []directory.Word{"representative"}, Visibility: directory.Green},
				{Channel: "phone", Value: "+4315056416"}, {Channel: "phone", Value: "+4315056417"},
				{Channel: "phone", Value: "+4315056419", Uses: []directory.Word{"emergency"}},
			},
			Keys:        []directory.TeamKey{{Key: directory.Key{Fingerprint: "AAAABBBBCCCCDDDDEEEEFFFF0000111122223333", Version: 4}}},
			Prose:       []directory.Section{{Number: "3.1", Language: "en", Text: "We answer."}},
			Memberships: []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member"}, {Forum: "tf-csirt", Status: "member"}, {Forum: "ti", Type: "Accredited", Status: "accredited"}},
		}}
	if diff := cmp.Diff(want, *in.records[0], prefixes()); diff != "" {
		t.Errorf("the first team (-want +got):\n%s", diff)
	}
}

func weekdays(t *testing.T) directory.Hours {
	t.Helper()
	h, err := directory.ParseHours("Mon-Fri 08:00-17:00")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestCSVDirt(t *testing.T) {
	in := sheet(readFile(t, "testdata", "teams.csv"), format.CSVMap{})
	want := []string{
		"1:csv.column-unused@/Constituancy",
		"2:contact.personal@/Representative e-mail", "2:contact.fax@/Fax",
		"6:csv.column-unused@/33", "6:kind.unknown@/Type", "6:zone.unknown@/Time zone", "6:hours.day@/Operating hours", "6:url.syntax@/Website",
		"6:date.syntax@/Established", "6:membership-status.unknown@/Forum membership", "6:prefix.syntax@/Netblocks", "6:asn.syntax@/AS numbers",
		"6:email.syntax@/E-mail", "6:phone.syntax@/Telephone",
		"8:email.syntax@/E-mail", "8:skipped:csv.nobody@",
	}
	got := toldOf(in)
	less := func(list []string) map[string]int {
		n := map[string]int{}
		for _, s := range list {
			n[s]++
		}
		return n
	}
	if diff := cmp.Diff(less(want), less(got)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if in.notes[0].Want != "perhaps constituency" {
		t.Errorf("the unused column: want %q", in.notes[0].Want)
	}
	r := in.records[1]
	if r.Key != "name:second team|KR" || r.Handle != "second-team" || len(r.Profile.Contacts) != 0 || len(r.Profile.Memberships) != 0 || len(r.Profile.Resources) != 0 {
		t.Errorf("the second team: %+v", r)
	}
}

// Cells in the manners of spreadsheets: what is read, and what is told.
func TestCSVCells(t *testing.T) {
	armor := `"` + aKey(t, "good").Armor + `"`
	for _, c := range []struct{ name, header, row, want, told string }{
		{"a comma separates", "name,email", "A,a@example.org", "email a@example.org", ""},
		{"a tab separates", "name\temail", "A\ta@example.org", "email a@example.org", ""},
		{"Excel names the separator", "sep=;\na,b,c;email", "A;a@example.org", "email a@example.org", "csv"},
		{"a separator in quotes is none", "\"name\";\"email\";\"a,b,c,d\"", "A;a@example.org;", "email a@example.org", "csv"},
		{"a byte order mark", "\uFEFFEmail,Name", "a@example.org,A", "email a@example.org", ""},
		{"names in capitals", "NAME,E-MAIL ADDRESS", "A,a@example.org", "email a@example.org", ""},
		{"spaces around", " Name , Email ", " A , a@example.org ", "email a@example.org", ""},
		{"addresses with spaces between", "name,email", "A,a@example.org b@example.org", "email a@example.org|email b@example.org", ""},
		{"a mailto link", "name,email", "A,mailto:a@example.org", "email a@example.org", ""},
		{"one good of two", "name,email", "A,a@example.org;b", "email a@example.org", "email.syntax"},
		{"a display name", "name,email", "A,Desk <a@example.org>", "", "email.display-name"},
		{"a disguised address", "name,email", "A,a[at]example[dot]org", "", "email.syntax"},
		{"nothing in other words", "name;email;phone", "A;n/a;-", "", ""},
		{"a number of the country", "name;country;phone", "A;AT;01 5056416", "phone +4315056416", ""},
		{"the country behind the phone", "name;phone;country", "A;01 5056416;Austria", "phone +4315056416", ""},
		{"a number of no country", "name;phone", "A;01 5056416", "", "phone.syntax"},
		{"a number with the trunk zero", "name;phone", "A;+43 (0)1 5056416", "phone +4315056416", ""},
		{"words beside a number", "name;phone", "A;ask Bob +43 1 5056416", "", "phone.syntax"},
		{"two numbers without a separator", "name;phone", "A;+43 1 5056416 +43 1 5056417", "", "phone.syntax"},
		{"a fax among the phones", "name;phone", "A;\"+43 1 5056416; +43 1 5056417 (fax)\"", "phone +4315056416", "contact.fax"},
		{"an apostrophe of a spreadsheet", "name;phone", "A;'+4315056416", "phone +4315056416", ""},
		{"an address for abuse", "name;abuse email", "A;a@example.org", "email a@example.org abuse", ""},
		{"a field by its own name", "names.full;contacts.phone.emergency", "A;+4315056416", "phone +4315056416 emergency", ""},
		{"a page with a semicolon", "name,contact form", "A,https://example.org/a;b", "url https://example.org/a;b", ""},
		{"a matrix room", "name,matrix", "A,matrix:r/room:example.org", "chat matrix:r/room:example.org", ""},
		{"a key", "name;pgp key", "A;" + armor, "", ""},
		{"a key and the fingerprint of another", "name;pgp key;fingerprint", "A;" + armor + ";" + strings.Repeat("A", 40), "", "key.fingerprint-mismatch"},
		{"a key that is none", "name;pgp key", "A;see web page", "", "key"},
		{"two websites", "name;website;url", "A;https://a.example.org/;https://b.example.org/", "", "csv.several"},
		{"two names", "name;team", "A;B", "", "csv.several"},
		{"one name twice", "name;team", "A;A", "", ""},
		{"two texts", "name;constituency;constituency description", "A;x;y", "", "csv.several"},
		{"two hours", "name;hours;office hours", "A;24x7;Mon-Fri 08:00-17:00", "", "csv.several"},
		{"two dates", "name;last changed;updated", "A;2026-01-01;2026-01-02", "", "csv.several"},
		{"two states in one forum", "name;memberships;first membership", "A;FIRST;suspended", "", "csv.several"},
		{"the same section twice", "name;prose.3.1;prose.3.1", "A;x;y", "", "csv.several"},
		{"a forum with a bad name", "name;forum", "A;!!, FIRST", "", "handle.syntax"},
		{"a word for the world", "name;country", "A;Europe", "", "country.unknown"},
		{"a broken handle", "handle;name", "A B;A", "", "handle.syntax"},
		{"a date that has two readings", "name;established", "A;03/04/2008", "", "date.syntax"},
		{"a private network", "name;network", "A;10.0.0.0/8", "", "prefix.reserved"},
		{"a network and its mask", "name;network", "A;192.0.2.0 255.255.255.0", "", "prefix.syntax"},
		{"a name with a control character", "name", "A\aB", "", "text.control"},
		{"a bad UUID", "name;misp uuid", "A;123", "", "id.syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, in := oneTeam(t, c.header+"\n"+c.row+"\n")
			if got := strings.Join(contactLines(r.Profile), "|"); got != c.want {
				t.Errorf("contacts %q, want %q", got, c.want)
			}
			told := toldOf(in)
			if c.told == "" && len(told) > 0 || c.told != "" && (len(told) != 1 || !strings.Contains(told[0], ":"+c.told)) {
				t.Errorf("told %v, want %q", told, c.told)
			}
		})
	}
}

func TestCSVKeysAndHandles(t *testing.T) {
	for _, c := range []struct{ name, header, row, key, handle string }{
		{"the handle", "handle;name;email", "ONE;A Team;a@example.org", "handle:one", "one"},
		{"else mailbox and country", "name;email;country", "A Team;A@example.org;AT", "mailto:a@example.org|AT", "a-team"},
		{"a mailbox alone", "name;email", ";cert@example.org", "mailto:cert@example.org|", "example.org"},
		{"else the name", "name;phone", "A Team;+4315056416", "name:a team|", "a-team"},
		{"else the first contact", "name;phone", ";+4315056416", "phone:+4315056416|", ""},
	} {
		if r, _ := oneTeam(t, c.header+"\n"+c.row+"\n"); r.Key != c.key || string(r.Handle) != c.handle {
			t.Errorf("%s: key %q, handle %q, want %q and %q", c.name, r.Key, r.Handle, c.key, c.handle)
		}
	}
}

func TestCSVMap(t *testing.T) {
	const text = "Id|Org|Reach|Note|Email\n"
	m := format.CSVMap{Key: "id", Columns: map[string]string{"ORG": "names.full", "Reach": "contacts.email.abuse", "note": "-", "Level": "memberships.sector-x.example"}}
	in := sheet(strings.ReplaceAll("Id|Org|Reach|Note|Level\n7|Team Seven|a@example.org|secret|yes\n|Team Eight|b@example.org||\n", "|", ";"), m)
	checked(t, in)
	if diff := cmp.Diff([]string{"3:csv.key@/Id"}, toldOf(in)); diff != "" || in.fatal != nil {
		t.Fatalf("fatal %v, told (-want +got):\n%s", in.fatal, diff)
	}
	want := []string{"7 Team Seven [email a@example.org abuse] sector-x.example", "mailto:b@example.org| Team Eight [email b@example.org abuse]"}
	var got []string
	for _, r := range in.records {
		line := fmt.Sprintf("%s %s %v", r.Key, r.Profile.Names.Full, contactLines(r.Profile))
		for _, m := range r.Profile.Memberships {
			line += " " + m.Forum
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if in := sheet(strings.ReplaceAll(text, "|", "\t")+"1\tA\t\t\ta@example.org\n", format.CSVMap{Separator: ";"}); in.fatal == nil {
		t.Errorf("another separator than the map's: %+v, want no column to be known", in.records)
	}
}

func TestCSVBadMap(t *testing.T) {
	for name, c := range map[string]struct {
		m    format.CSVMap
		code directory.Code
	}{
		"a field that does not exist": {format.CSVMap{Columns: map[string]string{"name": "nmae"}}, "csv.map"},
		"a column that is not there":  {format.CSVMap{Columns: map[string]string{"Naam": "names.short"}}, "csv.map"},
		"a column named twice":        {format.CSVMap{Columns: map[string]string{"Name": "names.short", "NAME": "names.full"}}, "csv.map"},
		"a column without a name":     {format.CSVMap{Columns: map[string]string{"-": "names.short"}}, "csv.map"},
		"a key that is not there":     {format.CSVMap{Key: "number"}, "csv.map"},
		"a separator that is none":    {format.CSVMap{Separator: "|"}, "csv.map"},
		"a section that is none":      {format.CSVMap{Columns: map[string]string{"name": "prose.99"}}, "csv.map"},
		"nothing left to find":        {format.CSVMap{Columns: map[string]string{"name": "-", "email": "-"}}, "import.header"},
	} {
		p, ok := errors.AsType[directory.Problem](sheet("name,email\nA,a@example.org\n", c.m).fatal)
		if !ok || p.Code != c.code || p.Reason == "" || p.Want == "" {
			t.Errorf("%s: %+v, want %s", name, p, c.code)
		}
	}
}

func TestCSVFields(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range format.CSVFields() {
		if seen[f] {
			t.Errorf("field %s is listed twice", f)
		}
		seen[f] = true
		f = strings.NewReplacer("FORUM", "first", "NUMBER", "3.1").Replace(f)
		in := sheet("name,x\nA,\n", format.CSVMap{Columns: map[string]string{"x": f}})
		if in.fatal != nil || len(in.notes) != 0 || len(in.records) != 1 {
			t.Errorf("field %s: fatal %v, told %v", f, in.fatal, toldOf(in))
		}
	}
}

func TestCSVLongNameIsTheFullOne(t *testing.T) {
	name := strings.Repeat("n", 101)
	if r, in := oneTeam(t, "name\n"+name+"\n"); r.Profile.Names.Full != name || r.Profile.Names.Short != "" || len(in.notes) != 0 {
		t.Errorf("names %+v, told %v", r.Profile.Names, toldOf(in))
	}
}

func TestCSVLimits(t *testing.T) {
	var emails, names, forums, keys []string
	for i := range 210 {
		emails = append(emails, fmt.Sprintf("team%d@example.org", i))
		names = append(names, fmt.Sprintf("Name %d", i))
		forums = append(forums, fmt.Sprintf("forum-%d", i))
		keys = append(keys, fmt.Sprintf("%040X", i))
	}
	asns := make([]string, 20_001)
	for i := range asns {
		asns[i] = fmt.Sprint(70000 + i)
	}
	text := strings.Join([]string{strings.Repeat("n", 301), strings.Join(emails, ","), strings.Join(names, ";"), strings.Join(forums, ";"), strings.Join(keys, ";"),
		strings.Join(asns, " "), strings.Repeat("é", 20_000)}, "\t")
	_, in := oneTeam(t, "name\temail\taliases\tforums\tfingerprints\tasns\tprose.3.1\n"+text+"\n")
	got := map[string]int{}
	for _, s := range toldOf(in) {
		got[s]++
	}
	want := map[string]int{"2:text.too-long@/name": 1, "2:list.too-long@/email": 160, "2:list.too-long@/aliases": 10, "2:list.too-long@/forums": 160,
		"2:list.too-long@/keys": 190, "2:list.too-long@/resources": 1, "2:text.too-long@/prose.3.1": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestCSVStopsWhenAskedTo(t *testing.T) {
	n := 0
	for range format.CSV(strings.NewReader("name\nA\nB\n"), format.CSVMap{}) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d items, want 1", n)
	}
}

func FuzzCSV(f *testing.F) {
	seed(f, "csv", "teams.csv")
	f.Add([]byte("sep=;\nname;phone;country\nA;4.31506E+09;AT\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := collect(format.CSV(strings.NewReader(string(data)), format.CSVMap{}))
		sound(t, in)
		if in.fatal != nil || !countable(data) || strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(data), "\uFEFF"), "\r\n"), "sep=") {
			return
		}
		rows := 0
		numbers, texts := dataLines(data)
		for i := range numbers[1:] {
			if strings.Trim(texts[i+1], " \t,;\v\f\r\u0085\u00A0") != "" {
				rows++
			}
		}
		if got := len(in.records) + len(in.skipped); got < rows {
			t.Errorf("%d rows kept and skipped, want %d", got, rows)
		}
	})
}

// The fields are public: a map that names one shall work in a year too.
func TestCSVFieldsAreDocumented(t *testing.T) {
	text := readFile(t, "..", "..", "docs", "import.md")
	for _, f := range format.CSVFields() {
		if !strings.Contains(text, "`"+f+"`") {
			t.Errorf("docs/import.md does not name the field %s", f)
		}
	}
}

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

func firstFile(t testing.TB, text string) (records []directory.SourceRecord, told []string, fatal error) {
	t.Helper()
	for item := range format.FIRST(strings.NewReader(text)) {
		switch {
		case item.Fatal != nil:
			fatal = item.Fatal
		case item.Skipped != nil:
			told = append(told, fmt.Sprintf("%d:skipped:%s@%s", item.Skipped.Row, item.Skipped.Code, item.Skipped.Field))
		case item.Note != nil:
			told = append(told, fmt.Sprintf("%d:%s@%s", item.Note.Row, item.Note.Code, item.Note.Field))
		default:
			records = append(records, *item.Record)
		}
	}
	return records, told, fatal
}

func TestFIRST(t *testing.T) {
	records, told, err := firstFile(t, readFile(t, "testdata", "first-teams.json"))
	if err != nil {
		t.Fatal(err)
	}
	wantTold := []string{
		"1:host.url@/host", "1:contact.fax@/phone/2", "1:contact.fax@/phone/3", "1:contact.fax@/fax/0", "1:key.armor-repaired@/pgp-key", "1:key.fingerprint-mismatch@/pgp-fingerprint",
		"2:hours.syntax@/operating-hours", "2:date.range@/establishment", "2:zone.unknown@/timezone", "2:kind.unknown@/team-type",
		"2:membership-status.unknown@/membership", "2:constituency-type.unknown@/constituency", "2:phone.syntax@/phone/1",
		"3:skipped:field.missing@/team", "4:skipped:field.type@",
	}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("FIRST told (-want +got):\n%s", diff)
	}
	if len(records) != 2 {
		t.Fatalf("FIRST = %d records, want 2", len(records))
	}
	r, p := records[0], records[0].Profile
	got := map[string]any{
		"key": r.Key, "handle": r.Handle, "as of": r.AsOf, "names": p.Names, "kinds": p.Kinds, "established": p.Established, "website": p.Website,
		"contacts": contactLines(p), "hours": p.Hours, "zone": p.Zone, "memberships": p.Memberships, "constituency": p.Constituency,
		"fingerprint": p.Keys[0].Fingerprint,
	}
	want := map[string]any{
		"key": "exa-cert", "handle": directory.Handle("exa-cert"), "as of": day("2022-12-12").Add(10 * time.Hour),
		"names": directory.Names{Short: "EXA-CERT", Full: "Example Academic CERT"}, "kinds": []string{"psirt", "csirt", "soc"},
		"established": directory.Date("2008-09-08"), "website": "https://www.example.org/cert",
		"contacts": []string{"email cert@example.org", "phone +4315056416", "phone +4315056417", "phone +4315056419 emergency"},
		"hours":    directory.Hours{Always: true}, "zone": directory.Zone("Europe/Vienna"),
		"memberships": []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member", Since: "2010-01-02"}},
		"constituency": directory.Constituency{Types: []directory.ConstituencyType{{Type: "research-education"}},
			Countries: []directory.Country{"GB", "IN", "SG"}, Text: "Everybody\nat example.org"},
		"fingerprint": aKey(t, "good").Fingerprint,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FIRST (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"phone +15104864107"}, contactLines(records[1].Profile)); diff != "" {
		t.Errorf("contacts of the second team (-want +got):\n%s", diff)
	}
	for _, r := range records {
		if bad := r.Profile.Check(day("2026-11-21")); len(bad) > 0 {
			t.Errorf("%s breaks rules: %v", r.Key, bad)
		}
	}
}

func TestFIRSTRefused(t *testing.T) {
	for in, want := range map[string]directory.Code{
		"": "import.empty", "<html>": "import.html", `[]`: "import.header", `{"status":"OK"}`: "import.header", `{"data":{}}`: "import.header", `nothing`: "import.header",
		`{"status":"ERROR","data":[{"team":"x"}]}`: "import.header", `{"data":[]}`: "import.empty", `{"data":[`: "import.truncated", `{"data":[{"team":"x"}]`: "import.truncated",
		`{"data":[{"team":"x"} {}]}`: "json.syntax", `{"data":[{"team":"x"}]} []`: "json.syntax", `{"data":[{"team":"x"}]} {"data":[{"team"`: "import.truncated",
		`{"data":[{"team":"x"}]} {"total":1}`: "import.header",
	} {
		_, _, err := firstFile(t, in)
		if p, ok := errors.AsType[directory.Problem](err); !ok || p.Code != want {
			t.Errorf("FIRST(%q) = %v, want %s", in, err, want)
		}
	}
}

func FuzzFIRST(f *testing.F) {
	f.Add(readFile(f, "testdata", "first-teams.json"))
	f.Add(`{"data":[{"team":"X","phone":"1","country":"AT"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		records, _, _ := firstFile(t, text)
		for _, r := range records {
			if _, bad := format.ProfileFrom(format.ProfileTo(r.Profile)); len(bad) > 0 {
				t.Fatalf("%s does not survive the wire: %v", r.Key, bad)
			}
		}
	})
}

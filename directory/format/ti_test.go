package format_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// tiFile reads a file; told has rows, codes and places.
func tiFile(t testing.TB, text string) (records []directory.SourceRecord, told []string, fatal error) {
	t.Helper()
	for item := range format.TI(strings.NewReader(text)) {
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

func TestTI(t *testing.T) {
	records, told, err := tiFile(t, readFile(t, "testdata", "ti-teams.json"))
	if err != nil {
		t.Fatal(err)
	}
	wantTold := []string{
		"1:constituency-type.unknown@/constituency/types/2", "1:country.pseudo@/constituency/countries/1/code", "1:country.unknown@/constituency/countries/2/code", "1:asn.reserved@/constituency/asns/3",
		"1:prefix.host-bits@/constituency/ipranges/3", "1:prefix.reserved@/constituency/ipranges/4", "1:email.display-name@/emails/1/address",
		"1:contact.fax@/phones/2/number", "1:phone.syntax@/phones/3/number", "1:key.fingerprint-malformed@/pgp_keys/1/fingerprint",
		"2:hours.syntax@/business_hours", "2:zone.unknown@/business_hours_timezone", "2:membership-status.unknown@/classification/name",
		"3:skipped:field.missing@/official_name", "4:skipped:field.type@", "5:skipped:field.type@",
	}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("TI told (-want +got):\n%s", diff)
	}
	if len(records) != 2 {
		t.Fatalf("TI = %d records, want 2", len(records))
	}
	r, p := records[0], records[0].Profile
	var resources []string
	for _, x := range p.Resources {
		resources = append(resources, x.Value()+" "+x.Claim)
	}
	got := map[string]any{
		"id": r.ID, "key": r.Key, "handle": r.Handle, "names": p.Names, "host": p.Host, "country": p.Country, "address": p.Address, "zone": p.Zone,
		"hours": p.Hours.String(), "established": p.Established, "contacts": contactLines(p), "resources": resources, "memberships": p.Memberships,
		"constituency": p.Constituency, "fingerprint": p.Keys[0].Fingerprint, "expires": p.Keys[0].Expires,
	}
	want := map[string]any{
		"id": directory.TeamID("5694da62-6314-4565-9c4d-1298538826be"), "key": "exa-cert", "handle": directory.Handle("exa-cert"),
		"names": directory.Names{Short: "EXA-CERT", Full: "Example Academic CERT", Other: []string{"EXA"}}, "host": "Example University", "country": directory.Country("AT"),
		"address": "Example Street 1\n1010 Vienna\nAustria", "zone": directory.Zone("Europe/Vienna"), "hours": "Mon-Fri 08:00-17:00",
		"established": directory.Date("2003-01-01"),
		"contacts":    []string{"email cert@example.org", "phone +4315056416", "phone +4315056417 emergency"},
		"resources":   []string{"AS64496 listed", "AS64497 listed", "example.org listed", "example.net listed", "192.0.2.0/24 listed", "2001:db8::/32 listed"},
		"memberships": []directory.Membership{{Forum: "ti", Type: "Accredited", Status: "accredited", Since: "2005-02-03"}},
		"constituency": directory.Constituency{Countries: []directory.Country{"AT"},
			Types: []directory.ConstituencyType{{Type: "research-education", Scope: "both"}, {Type: "isp", Scope: "external"}}},
		"fingerprint": directory.Fingerprint("0123456789ABCDEF0123456789ABCDEF01234567"), "expires": day("2027-03-19"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("TI (-want +got):\n%s", diff)
	}
	for _, r := range records {
		if bad := r.Profile.Check(day("2026-11-21")); len(bad) > 0 {
			t.Errorf("%s breaks rules: %v", r.Key, bad)
		}
	}
}

func TestTIRefused(t *testing.T) {
	for in, want := range map[string]directory.Code{
		"": "import.empty", "<html>": "import.html", `{"teams":[]}`: "import.header", "[{}": "import.truncated", "[]": "import.empty",
		`[{"short_name":"x"}] []`: "json.syntax", `[{"short_name":"x"},]`: "json.syntax", `"teams"`: "import.header",
	} {
		_, _, err := tiFile(t, in)
		if p, ok := errors.AsType[directory.Problem](err); !ok || p.Code != want {
			t.Errorf("TI(%q) = %v, want %s", in, err, want)
		}
	}
}

func FuzzTI(f *testing.F) {
	f.Add(readFile(f, "testdata", "ti-teams.json"))
	f.Add(`[{"official_name":"X","constituency":{"ipranges":["192.0.2.0/24"]}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		records, _, _ := tiFile(t, text)
		for _, r := range records {
			if _, bad := format.ProfileFrom(format.ProfileTo(r.Profile)); len(bad) > 0 {
				t.Fatalf("%s does not survive the wire: %v", r.Key, bad)
			}
		}
	})
}

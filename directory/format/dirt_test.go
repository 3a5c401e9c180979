package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// The dirt that real lists carry: what could not be read is told, and kept in
// the source's own words.
func TestFIRSTDirt(t *testing.T) {
	text := readFile(t, "testdata", "first-dirt.json")
	_, told, err := firstFile(t, text)
	if err != nil {
		t.Fatal(err)
	}
	wantTold := []string{
		"1:zone.unknown@/timezone", "1:value.kept@/timezone-dst", "1:constituency-type.unknown@/constituency", "1:country.pseudo@/country-other/1",
		"1:value.kept@/website/1", "1:url.syntax@/website/2", "1:host.url@/host", "1:contact.fax@/phone/1", "1:contact.fax@/phone/2",
		"1:contact.fax@/fax/0", "1:value.kept@/other-communication/0", "2:date.range@/establishment", "2:value.kept@/timezone-dst", "2:value.kept@/pgp-id",
		"2:date.syntax@/last-modified", "3:hours.syntax@/operating-hours", "3:zone.unknown@/timezone", "3:membership-status.unknown@/membership",
		"3:contact.personal@/email/0", "4:text.control@/team", "4:country.pseudo@/country", "4:email.display-name@/email/0", "4:phone.syntax@/phone/0",
		"5:value.kept@/timezone-dst", "5:key.fingerprint-is-key-id@/pgp-fingerprint", "6:hours.syntax@/operating-hours", "7:skipped:field.type@",
	}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	wantKept := []string{
		"jersey_example_centre zone: UTC-0500", "jersey_example_centre zone.dst: BST",
		"jersey_example_centre constituency.types: Government, Private and Public sectors", "jersey_example_centre constituency.countries: 01",
		"jersey_example_centre website: https://www.example.org/b", "jersey_example_centre website: www.example.org",
		"jersey_example_centre host: https://www.example.org/", "jersey_example_centre contacts.fax: +44 1534 500051 (fax)",
		"jersey_example_centre contacts.fax: 01534 500 052", "jersey_example_centre contacts.other green: INOC-DBA: 64496*800\nAsk Ann: +44 1534 500053",
		"jersey_example_centre handle: jersey_example_centre", "ey established: 1831-08-26", "ey zone.dst: No DST — UTC+3 year-", "ey keys.id: 0x89ABCDEF",
		"ey as_of: yesterday", "third hours: 8 a.m. to 5 p.m.", "third zone: Pacific", "third memberships.first: Friend",
		"third memberships.first.since: 2011-05-06", "Fourth country: World Wide", "Fourth contacts.email green: Desk <desk@example.org>",
		"Fourth contacts.phone green: ask us", "Fourth handle: Fourth", "fifth zone.dst: GMT-5", "fifth keys.fingerprint: 0123ABCD", "sixth hours: 9-5",
	}
	if diff := cmp.Diff(wantKept, rawLines(collect(format.FIRST(strings.NewReader(text))))); diff != "" {
		t.Errorf("kept in the source's own words (-want +got):\n%s", diff)
	}
}

func TestTIDirt(t *testing.T) {
	text := readFile(t, "testdata", "ti-dirt.json")
	_, told, err := tiFile(t, text)
	if err != nil {
		t.Fatal(err)
	}
	wantTold := []string{
		"1:country.pseudo@/country/code", "1:hours.syntax@/business_hours", "1:zone.unknown@/business_hours_timezone", "1:host.url@/host_organisation",
		"1:constituency-type.unknown@/constituency/types/2", "1:country.pseudo@/constituency/countries/1/code",
		"1:country.pseudo@/constituency/countries/2/code", "1:asn.reserved@/constituency/asns/1", "1:domain.syntax@/constituency/domains/2",
		"1:prefix.host-bits@/constituency/ipranges/3", "1:contact.personal@/emails/2/address", "1:email.display-name@/emails/3/address",
		"1:value.kept@/phones/0/timezone", "1:contact.fax@/phones/2/number", "1:phone.syntax@/phones/3/number", "1:phone.syntax@/phones/4/number",
		"1:key.fingerprint-malformed@/pgp_keys/1/fingerprint", "2:date.syntax@/established", "2:membership-status.unknown@/classification/name",
		"2:date.syntax@/pgp_keys/0/expires", "2:key.fingerprint-is-key-id@/pgp_keys/0/fingerprint",
	}
	if diff := cmp.Diff(wantTold, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	wantKept := []string{
		"exa-cert country: 01 World Wide", "exa-cert hours: 8 a.m. to 5 p.m.", "exa-cert zone: UTC-0500", "exa-cert host: http://www.example.org/",
		"exa-cert constituency.types: Pets", "exa-cert constituency.countries: 00 World Wide", "exa-cert constituency.countries: 03 Europe",
		"exa-cert resources.asn: 0", "exa-cert resources.domain: cert.*", "exa-cert resources.prefix: 192.0.2.1/24",
		"exa-cert contacts.email green: Desk <desk@example.org>", "exa-cert contacts.phone.zone: +4315056416 Europe/Vienna",
		"exa-cert contacts.fax: +43 1 5056418", "exa-cert contacts.phone green: 01 5056417", "exa-cert contacts.phone.emergency green: at night",
		"exa-cert keys.fingerprint: xyz", "exa-cert misp.email green: misp@example.org", "example soc established: around 2010",
		"example soc memberships.ti: Gold", "example soc memberships.ti.since: 2010-01-01", "example soc keys.expires: soon",
		"example soc keys.fingerprint: 0123ABCD",
	}
	if diff := cmp.Diff(wantKept, rawLines(collect(format.TI(strings.NewReader(text))))); diff != "" {
		t.Errorf("kept in the source's own words (-want +got):\n%s", diff)
	}
}

// firstWith is what a list of FIRST with one team makes of one member.
func firstWith(t *testing.T, members string) directory.Profile {
	t.Helper()
	records, _, err := firstFile(t, `{"data":[{"team":"X",`+members+`}]}`)
	if err != nil || len(records) != 1 {
		t.Fatalf("%s: %d records, %v", members, len(records), err)
	}
	return records[0].Profile
}

func TestZonesAsListsWriteThem(t *testing.T) {
	for _, c := range []struct{ zone, dst, want string }{
		{"Europe/Istanbul", "", "Europe/Istanbul"}, {" Asia/Taipei\n", "", "Asia/Taipei"}, {"UTC", "", "UTC"}, {"US/Pacific", "", "US/Pacific"},
		{"UTC-0500", "", ""}, {"GMT+2", "", ""}, {"UTC-5", "UTC-4", ""}, {"GMT -5", "", ""}, {"Pacific", "", ""}, {"BST", "", ""}, {"UTC+3", "yes", ""}, {"CET", "no", ""},
		{"GMT+03:00", "No DST — UTC+3 year-", "Etc/GMT-3"}, {"UTC-5", "none", "Etc/GMT+5"}, {"UTC-0500", "GMT -5", "Etc/GMT+5"}, {"UTC+0", "no", "UTC"},
		{"UTC+5:30", "no", ""}, {"UTC+15", "no", ""}, {"UTC-13", "no", ""}, {"UTC+8", "northern winter", ""},
	} {
		if got := firstWith(t, fmt.Sprintf(`"timezone":%q,"timezone-dst":%q`, c.zone, c.dst)).Zone; string(got) != c.want {
			t.Errorf("zone %q with daylight saving %q = %q, want %q", c.zone, c.dst, got, c.want)
		}
	}
}

func TestHoursAsListsWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"24/7": "24x7", "24*7, 365": "24x7", "24 x 7": "24x7", "24x7x365": "24x7", "24 hours a day, 7 days a week": "24x7", "24h": "24x7", "around the clock": "24x7",
		"Mon–Friday 08:00–17:00": "Mon-Fri 08:00-17:00", "Monday to Friday, 9:00 - 17:00": "Mon-Fri 09:00-17:00", "8am-5pm Mon-Fri": "Mon-Fri 08:00-17:00",
		"8 a.m. to 5 p.m., Monday through Friday": "Mon-Fri 08:00-17:00", "Mon-Fri 9.30-18.00; Sat 10:00-12:00": "Mon-Fri 09:30-18:00; Sat 10:00-12:00",
		"Mon - Fri: 08h00 - 17h00": "Mon-Fri 08:00-17:00", "Thurs 12am-12pm": "Thu 00:00-12:00", "Mon-Fri 9-17": "Mon-Fri 09:00-17:00",
		"Mon-Fri 08:00-17:00 local time": "Mon-Fri 08:00-17:00", "Fri 10pm-6am": "Fri 22:00-06:00",
		"8 a.m. to 5 p.m.": "", "9-5": "", "Mon-Fri 9-5": "", "Mon-Fri 8-5pm": "", "office hours": "", "Mon-Fri 08:00-17:00 CET": "", "Mon-Fri 25:00-26:00": "",
		"Mon-Fri 13am-5pm": "", "weekdays 08:00-17:00": "", "": "",
	} {
		if got := firstWith(t, fmt.Sprintf(`"operating-hours":%q`, in)).Hours.String(); got != want {
			t.Errorf("hours %q = %q, want %q", in, got, want)
		}
	}
}

func TestDatesAsListsWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"September 8, 2008": "2008-09-08", "Sep 8, 2008": "2008-09-08", "8 September 2008": "2008-09-08", "08-Sep-2008": "2008-09-08", "2008/09/08": "2008-09-08",
		"20080908": "2008-09-08", "2008-09-08T10:00:00Z": "2008-09-08", "2008-09-08 10:00:00": "2008-09-08", "Mon, 08 Sep 2008 10:00:00 GMT": "2008-09-08",
		"08/09/2008": "", "September 2008": "", "2008": "", "1831-08-26": "", "2008-02-30": "", "soon": "",
	} {
		if got := firstWith(t, fmt.Sprintf(`"establishment":%q`, in)).Established; string(got) != want {
			t.Errorf("day %q = %q, want %q", in, got, want)
		}
	}
}

func TestPhonesAsListsWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"01534 500 050": "+441534500050", "+44 (0)1534 500050": "+441534500050", "tel:+44-1534-500050": "+441534500050", "+1 (510) 486-4357": "+15104864357",
		"+44 1534 500050 / +44 1534 500051": "+441534500050 +441534500051", "(fax)": "", "510-486-4107 (fax)": "", "call us": "", "Ann +44 1534 500050": "",
		"+1 202 555 0123 ext. 5": "",
	} {
		var got []string
		for _, c := range firstWith(t, fmt.Sprintf(`"country":"JE","phone":%q`, in)).Contacts {
			got = append(got, c.Value)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("phone %q = %q, want %q", in, got, want)
		}
	}
}

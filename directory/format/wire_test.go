package format_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

var update = flag.Bool("update-wire", false, "write the golden files of the wire format")

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

// aKey reads a key of the directory's tests.
func aKey(t testing.TB, name string) directory.Key {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "keys", name+".asc"))
	if err != nil {
		t.Fatal(err)
	}
	k, _, err := directory.ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fullProfile has a value in every field.
func fullProfile(t testing.TB) directory.Profile {
	hours, err := directory.ParseHours("Mon-Fri 08:00-17:00; Sat 22:00-02:00")
	if err != nil {
		t.Fatal(err)
	}
	return directory.Profile{
		Names: directory.Names{Short: "EXAMPLE-CSIRT", Full: "Example Computer Security Incident Response Team",
			Former: []string{"EX-CERT"}, Other: []string{}},
		Kinds: []string{"csirt", "nren"}, Status: "active", Host: "Example & Sons <Ltd>", Country: "AT",
		Address: "Example CSIRT\nExample Street 1\n1010 Vienna\nAustria", Zone: "Europe/Vienna", Hours: hours,
		Holidays: []directory.Date{"2026-12-25"}, Languages: []directory.Language{"de-AT", "en"}, Website: "https://csirt.example.org/", Established: "2008-09-08",
		Constituency: directory.Constituency{
			Types:   []directory.ConstituencyType{{Type: "research-education", Scope: "both"}, {Type: "isp"}},
			Sectors: []string{"research"}, Countries: []directory.Country{"AT", "XK"}, Text: "Everybody at example.org",
		},
		Resources: []directory.Resource{
			{Type: "prefix", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Claim: "confirmed", Holder: "Example University"},
			{Type: "prefix", Prefix: netip.MustParsePrefix("2001:db8::/32")},
			{Type: "asn", ASN: 64496, Visibility: directory.Green},
			{Type: "domain", Domain: "example.org"}, {Type: "country", Country: "AT"},
		},
		Contacts: []directory.Contact{
			{ID: "11111111-1111-4111-8111-111111111111", Revision: 3, Channel: "email", Value: "csirt@example.org"},
			{ID: "22222222-2222-4222-8222-222222222222", Revision: 1, Channel: "phone", Value: "+4315056416", Uses: []string{"emergency"},
				Person: "A. Example", Label: "duty officer", Hours: directory.Hours{Always: true}, Order: 5, Since: day("2026-05-01"), Classes: []string{"fraud"}, Visibility: directory.Amber},
			{ID: "33333333-3333-4333-8333-333333333333", Revision: 1, Channel: "url", Value: "https://report.example.org/form", Uses: []string{}},
			{ID: "44444444-4444-4444-8444-444444444444", Revision: 1, Channel: "chat", Value: "xmpp:csirt@example.org"},
		},
		Keys: []directory.TeamKey{
			{Key: aKey(t, "good"), Visibility: directory.Green},
			{Key: directory.Key{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567", Version: 4, Expires: day("2027-01-01")}},
		},
		Prose:    []directory.Section{{Number: "3.1", Language: "en", Text: "We help.\n\n* always\n"}, {Number: "3.1", Language: "de", Text: "Wir helfen – immer.", Visibility: directory.Green}},
		Services: []string{"incident-coordination"},
		Memberships: []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member", Sponsors: []directory.Handle{"other-csirt"},
			Since: "2010-01-01", Until: "2030-01-01", History: []directory.MembershipStatus{{Status: "candidate", Since: "2009-01-01"}}}},
		Designations: []directory.Designation{{Country: "AT", Scope: "national", By: "Federal Chancellery", Evidence: "https://example.org/act",
			Since: "2016-07-06", Until: "2040-01-01", Preference: 1}},
		Maturity: directory.Maturity{Model: "SIM3 v1", By: "self", Assessed: "2025-01-01", ValidUntil: "2028-01-01",
			Levels: map[string]int{"O-1": 3, "P-17": 0}, Visibility: directory.Red},
	}
}

func TestProfileIsTheSameAfterTheWire(t *testing.T) {
	full := fullProfile(t)
	for name, want := range map[string]directory.Profile{
		"every field": full,
		"nothing":     {},
		"none of anything": {Kinds: []string{}, Languages: []directory.Language{}, Resources: []directory.Resource{}, Contacts: []directory.Contact{},
			Keys: []directory.TeamKey{}, Prose: []directory.Section{}, Services: []string{}, Memberships: []directory.Membership{}, Designations: []directory.Designation{},
			Constituency: directory.Constituency{Sectors: []string{}}, Names: directory.Names{Former: []string{}}},
	} {
		text, err := json.Marshal(format.ProfileTo(want))
		if err != nil {
			t.Fatal(err)
		}
		var w format.Profile
		if err := json.Unmarshal(text, &w); err != nil {
			t.Fatal(err)
		}
		got, bad := format.ProfileFrom(w)
		if len(bad) > 0 {
			t.Errorf("%s: ProfileFrom(ProfileTo(p)) has problems: %v", name, bad)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("%s: ProfileFrom(ProfileTo(p)) differs (-want +got):\n%s", name, diff)
		}
	}
}

// The full profile has a value everywhere, or the round trip proves nothing
// about a field that is added later.
func TestFullProfileIsFull(t *testing.T) {
	seen := map[string]bool{}
	visitFields(reflect.ValueOf(fullProfile(t)), seen)
	for field, set := range seen {
		// The first two are of a merged team only, and nobody vouches for a contact by writing so.
		if !set && !strings.HasSuffix(field, ".Origin") && field != "TeamKey.Continuity" && field != "Contact.Vouched" {
			t.Errorf("the profile of the tests has no %s", field)
		}
	}
}

// visitFields notes for each field of our own structs whether it is ever set.
// Keys are not looked into: they are what the key's parser says.
func visitFields(v reflect.Value, seen map[string]bool) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			visitFields(v.Index(i), seen)
		}
	case reflect.Struct:
		if !strings.HasSuffix(v.Type().PkgPath(), "/directory") || v.Type() == reflect.TypeFor[directory.Key]() || v.Type() == reflect.TypeFor[directory.Origin]() {
			return
		}
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			seen[name] = seen[name] || !v.Field(i).IsZero()
			visitFields(v.Field(i), seen)
		}
	}
}

func TestWireNamesAreTheFieldsOfAProfile(t *testing.T) {
	var want, got []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[directory.Profile]()) {
		want = append(want, strings.ToLower(f.Name))
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[format.Profile]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		got = append(got, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("origins and changes name fields otherwise than the wire (-directory +wire):\n%s", diff)
	}
}

func TestEnumsAreTheVocabularies(t *testing.T) {
	words := map[string][]string{
		"Profile.Kinds": directory.Kinds, "Profile.Status": directory.Statuses, "Profile.Services": directory.Services,
		"Constituency.Sectors": directory.Sectors, "ConstituencyType.Type": directory.ConstituencyTypes,
		"ConstituencyType.Scope": directory.ConstituencyScopes, "Resource.Type": directory.ResourceTypes, "Resource.Claim": directory.Claims,
		"Contact.Channel": directory.Channels, "Contact.Uses": directory.Uses, "Contact.Classes": directory.IncidentClasses,
		"Membership.Status": directory.MembershipStatuses, "MembershipStatus.Status": directory.MembershipStatuses,
		"Designation.Scope": directory.DesignationScopes,
		"Maturity.By":       {"self", "peer", "auditor"},
		"Key.Continuity":    {directory.ContinuityUnproven, directory.ContinuityRefused},
	}
	for _, v := range []any{format.Profile{}, format.Constituency{}, format.ConstituencyType{}, format.Resource{}, format.Contact{},
		format.Membership{}, format.MembershipStatus{}, format.Designation{}, format.Maturity{}, format.Key{}, format.Section{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, enum := reflect.TypeOf(v).Name()+"."+f.Name, f.Tag.Get("enum")
			want, ok := words[name]
			if f.Name == "Visibility" {
				want, ok = []string{"clear", "green", "amber", "amber+strict", "red"}, true
			}
			if ok != (enum != "") {
				t.Errorf("%s: enum %q, vocabulary known: %v", name, enum, ok)
			}
			if ok {
				if diff := cmp.Diff(strings.Join(want, ","), enum); diff != "" {
					t.Errorf("%s: the enum is not the vocabulary:\n%s", name, diff)
				}
			}
		}
	}
}

func TestEveryWireFieldIsDocumented(t *testing.T) {
	for _, v := range []any{format.Team{}, format.Names{}, format.Constituency{}, format.ConstituencyType{}, format.Resource{},
		format.Contact{}, format.Evidence{}, format.Key{}, format.UserID{}, format.Section{}, format.Membership{}, format.MembershipStatus{},
		format.Designation{}, format.Maturity{}, format.Origin{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if !f.Anonymous && f.Tag.Get("doc") == "" {
				t.Errorf("%s.%s has no doc tag", reflect.TypeOf(v).Name(), f.Name)
			}
		}
	}
}

// testRecord is a team with its own profile, a layer and evidence.
func testRecord(t testing.TB) directory.Record {
	return directory.Record{
		ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "example-csirt", Revision: 7, Seq: 812,
		Created: day("2026-01-01"), Updated: day("2026-11-01").Add(1500 * time.Millisecond), OwnAt: day("2026-11-01"), OwnBy: "token:rct_4f2a9c1b",
		Own: fullProfile(t),
		Layers: []directory.Layer{{Source: "ti", Key: "EXAMPLE", AsOf: day("2026-10-01"), At: day("2026-10-02"), Hash: "abc", ID: "8694da62-6314-4565-9c4d-1298538826be", Profile: directory.Profile{
			Names:    directory.Names{Short: "EX"},
			Contacts: []directory.Contact{{ID: "55555555-5555-4555-8555-555555555555", Revision: 1, Channel: "email", Value: "old@example.org"}},
		}}},
		Evidence: []directory.Evidence{{ID: "e1", Contact: "11111111-1111-4111-8111-111111111111", Revision: 3, Level: directory.Answered,
			Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-10-10"), ValidUntil: day("2027-04-10"), By: "operator", Note: "called back\nsecond line", RawHash: "00ff"}},
	}
}

func TestTeamFromShowsEvidenceAndOrigins(t *testing.T) {
	r := testRecord(t)
	team := r.Team()
	team.Withheld = []string{"keys"}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(format.TeamFrom(&team, directory.Policy{}, day("2026-11-21"))); err != nil {
		t.Fatal(err)
	}
	golden(t, "wire-team.json", b.Bytes())
}

// Stored armour is read again on its way back, so every kind of key must say
// the same the second time.
func TestKeysAreTheSameAfterTheWire(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "keys", "*.asc"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no keys to test with: %v", err)
	}
	read := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		k, _, err := directory.ParseKey(data)
		if err != nil {
			continue // one of the files that are no keys
		}
		read++
		r := directory.Record{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "xx", Revision: 1}
		r.Own.Keys = []directory.TeamKey{{Key: k}}
		got, told := items(bytes.NewReader(export(t, r)))
		if len(got) != 1 {
			t.Errorf("%s: %s", f, told)
			continue
		}
		if diff := cmp.Diff(r.Own.Keys, got[0].Own.Keys); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f, diff)
		}
	}
	if read < 10 {
		t.Errorf("only %d keys were read", read)
	}
}

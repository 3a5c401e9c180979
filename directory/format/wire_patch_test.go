package format_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func TestPatchProfile(t *testing.T) {
	for _, c := range []struct {
		name, patch string
		touched     []string
		change      func(*directory.Profile)
	}{
		{"nothing", `{}`, nil, func(*directory.Profile) {}},
		{"a value", `{"host":"New host"}`, []string{"host"}, func(p *directory.Profile) { p.Host = "New host" }},
		{"null clears a value", `{"host":null,"zone":null,"hours":null}`, []string{"host", "zone", "hours"},
			func(p *directory.Profile) { p.Host, p.Zone, p.Hours = "", "", directory.Hours{} }},
		{"null clears a list", `{"contacts":null}`, []string{"contacts"}, func(p *directory.Profile) { p.Contacts = nil }},
		{"an empty list says none", `{"contacts":[]}`, []string{"contacts"}, func(p *directory.Profile) { p.Contacts = []directory.Contact{} }},
		{"a list replaces the whole list", `{"kinds":["psirt"]}`, []string{"kinds"}, func(p *directory.Profile) { p.Kinds = []string{"psirt"} }},
		{"names are merged", `{"names":{"full":"Other name","former":null}}`, []string{"names"},
			func(p *directory.Profile) { p.Names.Full, p.Names.Former = "Other name", nil }},
		{"null clears all names", `{"names":null}`, []string{"names"}, func(p *directory.Profile) { p.Names = directory.Names{} }},
		{"maturity is merged down to its levels", `{"maturity":{"levels":{"O-1":null,"O-2":4}}}`, []string{"maturity"},
			func(p *directory.Profile) { p.Maturity.Levels = map[string]int{"P-17": 0, "O-2": 4} }},
		{"a known contact keeps what the directory set",
			`{"contacts":[{"id":"22222222-2222-4222-8222-222222222222","channel":"phone","value":"+4315056417"}]}`, []string{"contacts"},
			func(p *directory.Profile) {
				p.Contacts = []directory.Contact{{ID: "22222222-2222-4222-8222-222222222222", Revision: 1, Channel: "phone", Value: "+4315056417", Since: day("2026-05-01")}}
			}},
		{"a phone is read as one of the team's country", `{"contacts":[{"channel":"phone","value":"01 5056416"}]}`, []string{"contacts"},
			func(p *directory.Profile) {
				p.Contacts = []directory.Contact{{Channel: "phone", Value: "+4315056416"}}
			}},
		{"a phone is read as one of the country in the patch", `{"country":"UK","contacts":[{"channel":"phone","value":"01534 500 050"}]}`, []string{"country", "contacts"},
			func(p *directory.Profile) {
				p.Country, p.Contacts = "GB", []directory.Contact{{Channel: "phone", Value: "+441534500050"}}
			}},
		{"id and handle are the caller's", `{"id":"x","handle":5,"status":"inactive"}`, []string{"status"}, func(p *directory.Profile) { p.Status = "inactive" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := fullProfile(t)
			c.change(&want)
			got, touched, bad := format.PatchProfile(fullProfile(t), []byte(c.patch))
			if len(bad) > 0 {
				t.Fatalf("PatchProfile(own, %s) has problems: %v", c.patch, bad)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Errorf("PatchProfile(own, %s) (-want +got):\n%s", c.patch, diff)
			}
			if diff := cmp.Diff(c.touched, touched, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("PatchProfile(own, %s) touched (-want +got):\n%s", c.patch, diff)
			}
		})
	}
}

func TestBadPatchesChangeNothing(t *testing.T) {
	for _, c := range []struct{ name, patch, want string }{
		{"not JSON", `{`, "json.syntax@"},
		{"a list", `[{"op":"remove","path":"/host"}]`, "field.type@"},
		{"null", `null`, "field.type@"},
		{"the same field twice", `{"host":null,"host":"x"}`, "json.duplicate-key@/host"},
		{"an unknown field", `{"hots":"x"}`, "field.unknown@/hots"},
		{"an unknown name", `{"names":{"nick":"x"}}`, "field.unknown@/names/nick"},
		{"a revision", `{"revision":7}`, "field.read-only@/revision"},
		{"origins", `{"origins":{}}`, "field.read-only@/origins"},
		{"the shown name", `{"name":"x"}`, "field.read-only@/name"},
		{"what was withheld", `{"withheld":[]}`, "field.read-only@/withheld"},
		{"a deletion", `{"deleted":"2026-01-01T00:00:00Z"}`, "field.read-only@/deleted"},
		{"a merge", `{"merged_into":null}`, "field.read-only@/merged_into"},
		{"text where names belong", `{"names":"x"}`, "field.type@/names"},
		{"a good and a bad value", `{"host":"x","country":"ZZ"}`, "country.unknown@/country"},
		{"null in a list", `{"kinds":[null]}`, "field.type@/kinds/0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := fullProfile(t)
			got, touched, bad := format.PatchProfile(own, []byte(c.patch))
			if diff := cmp.Diff(c.want, codes(bad)); diff != "" {
				t.Errorf("PatchProfile(own, %s) (-want +got):\n%s", c.patch, diff)
			}
			if diff := cmp.Diff(own, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" || touched != nil {
				t.Errorf("PatchProfile(own, %s) changed the profile, touched %v:\n%s", c.patch, touched, diff)
			}
		})
	}
}

// TestPatchOfWhatWasRead sends back a list as a reader got it: what only the
// directory sets is passed over, and gives nobody a proof.
func TestPatchOfWhatWasRead(t *testing.T) {
	patch := `{"contacts":[{"channel":"email","value":"a@example.org","revision":9,"since":"2026-01-01T00:00:00Z",
		"evidence":{"level":4,"state":"verified"},"origin":{"source":"ti"}}]}`
	got, touched, bad := format.PatchProfile(directory.Profile{}, []byte(patch))
	if len(bad) > 0 || len(touched) != 1 {
		t.Fatalf("PatchProfile = touched %v, problems %v; want contacts and none", touched, bad)
	}
	want := directory.Contact{Channel: "email", Value: "a@example.org"}
	if diff := cmp.Diff([]directory.Contact{want}, got.Contacts); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
}

// A rule that came later must not keep a team from editing something else.
func TestPatchLeavesOtherFieldsUnread(t *testing.T) {
	own := directory.Profile{Country: "??", Host: "old"}
	got, _, bad := format.PatchProfile(own, []byte(`{"host":"new"}`))
	if len(bad) > 0 || got.Host != "new" || got.Country != "??" {
		t.Errorf("PatchProfile(own, host) = %+v, %v", got, bad)
	}
}

func FuzzPatchProfile(f *testing.F) {
	for _, s := range []string{`{"host":"x"}`, `{"names":{"short":null,"other":["a"]}}`, `{"maturity":{"levels":{"O-1":null}}}`,
		`{"contacts":[{"id":"11111111-1111-4111-8111-111111111111","channel":"email","value":"a@example.org"}]}`, `{"keys":[]}`, `null`, `{"id":1}`} {
		f.Add([]byte(s))
	}
	own := fullProfile(f)
	before, err := json.Marshal(format.ProfileTo(own))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		got, touched, bad := format.PatchProfile(own, patch)
		after, err := json.Marshal(format.ProfileTo(own))
		if err != nil || !bytes.Equal(before, after) {
			t.Fatal("the profile that was patched changed itself")
		}
		if len(bad) > 0 {
			return
		}
		again, touchedAgain, bad := format.PatchProfile(got, patch)
		if len(bad) > 0 || !slices.Equal(touched, touchedAgain) {
			t.Fatalf("the same patch the second time: %v, touched %v and %v", bad, touched, touchedAgain)
		}
		if diff := cmp.Diff(format.ProfileTo(got), format.ProfileTo(again)); diff != "" {
			t.Fatalf("the same patch twice is not the same as once (RFC 7396):\n%s", diff)
		}
	})
}

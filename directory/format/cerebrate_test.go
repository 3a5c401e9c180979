package format_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

const cerebrateJSON = `[
 {"id":1,"uuid":"5694DA62-6314-4565-9c4d-1298538826be","name":"CERT.example","nationality":"Austria","sector":"Government","type":"CSIRT","url":"https://cert.example.org","contacts":"team@example.org","modified":"2026-11-01T09:00:00+00:00",
  "alignments":[{"individual_id":3}],
  "meta_fields":[
   {"id":1,"scope":"organisation","parent_id":1,"field":"ISO 3166-1 Code","value":"AT","meta_template_id":2},{"field":"team-name","value":"Example National CERT"},{"field":"short-team-name","value":"CERT-EX"},
   {"field":"first-member-type","value":"Full Member"},{"field":"enisa-tistatus","value":"Accredited"},{"field":"csirt-network-status","value":"Member"},{"field":"establishment","value":"2008-09-08"},
   {"field":"enisa-geo-group","value":"Central"},{"field":"is-approved","value":true},{"field":"email","value":"team@example.org"},{"field":"constituency","value":"National"},
   {"field":"AS Number","value":"64496"},{"field":"AS Number","value":64497},{"field":"IPv4","value":"192.0.2.0/24"},{"field":"IPv6","value":"2001:db8::/32"},{"field":"Domain","value":"example.org"},
   {"field":"Country","value":"Austria","meta_template":{"name":"CSIRT Constituency"}},{"field":"Country Code","value":"DE"},{"field":"Sector","value":"Energy"}]},
 {"Organisation":{"id":"2","uuid":"5694da62-6314-4565-9c4d-129853882600","name":"MISP Org","nationality":"Not specified","sector":"","type":"ADMIN","contacts":"soc@example.net, abuse@example.net","date_modified":"2024-05-06 07:08:09"}},
 {"name":"Nested","MetaTemplates":{"4":{"id":4,"name":"FIRST Directory","meta_template_fields":{"9":{"field":"country","metaFields":{"1":{"value":"KR"}}},"10":{"field":"timezone","metaFields":[{"value":"GMT+09:00"}]},
   "11":{"field":"timezone-dst","metaFields":[{"value":"none"}]},"12":{"field":"phone","metaFields":[{"value":"+82 2 405 5118"}]},"13":{"field":"empty","metaFields":[]}}}}},
 {"name":"Table","meta_fields":{"phone":["+43 1 5056416","+43 1 5056417"],"fax":"+43 1 5056420","website":"https://table.example.org/"}}
]`

func TestCerebrate(t *testing.T) {
	in := collect(format.Cerebrate(strings.NewReader(cerebrateJSON)))
	in.whole(t, 4)
	checked(t, in)
	wantTold := []string{"1:value.kept@/meta_fields/enisa geo group", "1:value.kept@/meta_fields/is approved", "2:kind.unknown@/type", "3:value.kept@/meta_fields/timezone dst", "4:contact.fax@/meta_fields/fax"}
	if diff := cmp.Diff(wantTold, toldOf(in)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	wantKept := []string{"5694da62-6314-4565-9c4d-1298538826be meta.enisa geo group green: Central", "5694da62-6314-4565-9c4d-1298538826be meta.is approved green: true",
		"5694da62-6314-4565-9c4d-129853882600 kinds: ADMIN", "name:nested meta.timezone dst green: none", "name:table contacts.fax: +43 1 5056420"}
	if diff := cmp.Diff(wantKept, rawLines(in)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if misp, nested, table := in.records[1].Profile, in.records[2].Profile, in.records[3].Profile; misp.Country != "" || len(misp.Contacts) != 2 ||
		nested.Country != "KR" || nested.Zone != "Etc/GMT-9" || len(nested.Contacts) != 1 || len(nested.Constituency.Countries) != 0 || len(table.Contacts) != 2 || table.Website == "" {
		t.Errorf("of MISP %+v\nunder templates %+v\nin a table %+v", misp, nested, table)
	}
	r, p := in.records[0], in.records[0].Profile
	var resources []string
	for _, x := range p.Resources {
		resources = append(resources, x.Value())
	}
	got := map[string]any{"id": r.ID, "key": r.Key, "as of": r.AsOf.Format("2006-01-02 15:04"), "names": p.Names, "country": p.Country, "kinds": p.Kinds, "website": p.Website, "contacts": contactLines(p),
		"memberships": p.Memberships, "constituency": p.Constituency, "resources": resources, "established": p.Established}
	want := map[string]any{"id": directory.TeamID("5694da62-6314-4565-9c4d-1298538826be"), "key": "5694da62-6314-4565-9c4d-1298538826be", "as of": "2026-11-01 09:00",
		"names": directory.Names{Short: "CERT.example", Full: "Example National CERT", Other: []string{"CERT-EX"}}, "country": directory.Country("AT"), "kinds": []string{"csirt"}, "website": "https://cert.example.org",
		"contacts":     []string{"email team@example.org"},
		"memberships":  []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member"}, {Forum: "ti", Type: "Accredited", Status: "accredited"}, {Forum: "csirts-network", Type: "Member", Status: "member"}},
		"constituency": directory.Constituency{Types: []directory.ConstituencyType{{Type: "national"}, {Type: "government"}}, Sectors: []string{"energy"}, Countries: []directory.Country{"AT", "DE"}},
		"resources":    []string{"192.0.2.0/24", "2001:db8::/32", "AS64496", "AS64497", "example.org"}, "established": directory.Date("2008-09-08")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Cerebrate (-want +got):\n%s", diff)
	}
}

// What MISP's client of Cerebrate reads: a bare array with these members.
func TestCerebrateExport(t *testing.T) {
	team := directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "cert.at", Updated: day("2026-11-01"), Profile: directory.Profile{
		Names: directory.Names{Short: "CERT.at"}, Kinds: []directory.Word{"csirt"}, Country: "AT", Website: "https://cert.at", Constituency: directory.Constituency{Sectors: []directory.Word{"public-administration"}},
		Contacts: []directory.Contact{{Channel: "email", Value: "team@cert.at"}, {Channel: "email", Value: "second@cert.at", Order: 1}}}}
	const want = `[
{"id":1523157104472388,"uuid":"5694da62-6314-4565-9c4d-1298538826be","name":"CERT.at","nationality":"Austria","sector":"Public Administration","type":"CSIRT","url":"https://cert.at","contacts":"team@cert.at\nsecond@cert.at","modified":"2026-11-01T00:00:00+00:00",`
	if got := exported(t, "cerebrate", teamsOf(team)); !strings.HasPrefix(got, want) {
		t.Errorf("cerebrate:\n%s, want\n%s", got, want)
	}
	if a, b := format.CerebrateID("5694da62-6314-4565-9c4d-1298538826be"), format.CerebrateID("5694da62-6314-4565-9c4d-129853882600"); a <= 0 || a > 1<<53 {
		t.Errorf("ids %d and %d", a, b)
	}
}

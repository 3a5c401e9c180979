package format_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

const irtJSON = `{"status":"OK","status_code":200,"version":"1.0","total":2,"last-modified":"2016-06-01","limit":100,"offset":0,"data":[
 {"short-team-name":"EXA-CERT","official-team-name":"Example Academic CERT","postal-address":"Example Street 1\r\nVienna\n","country-code":"at","additional-country-code":["DE","00"],
  "website":["https://www.example.org/cert"],"email":"cert@example.org","host":"Example University","establishment":"2008-09-08",
  "phone-numbers":["+43 1 5056416",{"type":"emergency","number":"01 5056419"},{"type":"fax","number":"+43 1 5056420"}],
  "enckeys":["0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567"],"operating-hours":{"mon_1_open":"08:00:00","mon_1_close":"12:00:00","mon_2_open":"13:00","mon_2_close":"17:00","fri_1_open":"08:00","fri_1_close":"12:00"},
  "constituency":"Research & Education","constituency-description":"Everybody","source-name":"FIRST","last-modified":"2016-05-04T10:00:00Z","-first-member-type":"Full Member","-ti-level":"Accredited","-oas-note":"x",
  "cert-type":["NREN","national-responsibility"],"languages":["de","en"],"team-members":[{"name":"Ann Example","email":"ann@example.org","is-first-rep":true,"languages":["de"]},{"name":"Bob"}],"added-later":{"a":1}},
 {"short-team-name":"EXA-CERT","operating-hours":"24/7","meta":{"source-name":"TI","schema_version":"2"},"phone-numbers":"+43 1 5056416"}
]}`

func TestGlobalIRT(t *testing.T) {
	in := collect(format.GlobalIRT(strings.NewReader(irtJSON)))
	in.whole(t, 2)
	checked(t, in)
	wantTold := []string{"1:country.pseudo@/additional-country-code/1", "1:contact.fax@/phone-numbers/2", "1:value.kept@/-oas-note"}
	if diff := cmp.Diff(wantTold, toldOf(in)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	r, p := in.records[0], in.records[0].Profile
	var people []string
	for _, c := range p.Contacts {
		people = append(people, strings.TrimSpace(fmt.Sprint(c.Person, " ", c.Visibility)))
	}
	got := map[string]any{"key": r.Key, "handle": r.Handle, "as of": r.AsOf, "names": p.Names, "kinds": p.Kinds, "country": p.Country, "hours": p.Hours.String(), "contacts": contactLines(p),
		"people": people, "memberships": p.Memberships, "constituency": p.Constituency, "languages": p.Languages, "key of the team": p.Keys[0].Fingerprint, "established": p.Established, "raw": rawLines(in)}
	want := map[string]any{"key": "first:exa-cert", "handle": directory.Handle("exa-cert"), "as of": day("2016-05-04").Add(10 * time.Hour), "names": directory.Names{Short: "EXA-CERT", Full: "Example Academic CERT"},
		"kinds": []string{"nren", "national-responsibility"}, "country": directory.Country("AT"), "hours": "Mon 08:00-12:00; Mon 13:00-17:00; Fri 08:00-12:00",
		"contacts": []string{"email cert@example.org", "phone +4315056416", "phone +4315056419 emergency", "email ann@example.org representative"}, "people": []string{"", "", "", "Ann Example amber"},
		"memberships":  []directory.Membership{{Forum: "first", Type: "Full Member", Status: "member"}, {Forum: "ti", Type: "Accredited", Status: "accredited"}},
		"constituency": directory.Constituency{Types: []directory.ConstituencyType{{Type: "research-education"}}, Countries: []directory.Country{"DE"}, Text: "Everybody"},
		"languages":    []directory.Language{"de", "en"}, "key of the team": directory.Fingerprint("0123456789ABCDEF0123456789ABCDEF01234567"), "established": directory.Date("2008-09-08"),
		"raw": []string{"first:exa-cert constituency.countries: 00", "first:exa-cert contacts.fax: +43 1 5056420", "first:exa-cert team-members amber: Bob", "first:exa-cert -oas-note green: x",
			"first:exa-cert source-name: FIRST", "ti:exa-cert source-name: TI"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GlobalIRT (-want +got):\n%s", diff)
	}
	if r := in.records[1]; r.Key != "ti:exa-cert" || !r.Profile.Hours.Always || len(r.Profile.Contacts) != 1 {
		t.Errorf("the same team of another source: %+v", r)
	}
}

func TestGlobalIRTCSV(t *testing.T) {
	text := "short-team-name,official-team-name,country-code,additional-country-code,website,email,phone-numbers,operating-hours,cert-type,-first-member-type\r\n" +
		"EXA-CERT,\"Example, Academic CERT\",AT,DE;CH,https://www.example.org/,cert@example.org|second@example.org,\"+43 1 5056416\n01 5056417\",24x7,NREN;PSIRT,Full Member\r\n\r\n" +
		"SECOND,,,,,,,,,\r\n"
	in := collect(format.GlobalIRT(strings.NewReader(text)))
	in.whole(t, 2)
	checked(t, in)
	p := in.records[0].Profile
	got := []any{in.records[0].Row, in.records[1].Row, p.Names.Full, p.Constituency.Countries, contactLines(p), p.Kinds, p.Hours.String(), len(p.Memberships), len(in.notes)}
	want := []any{2, 5, "Example, Academic CERT", []directory.Country{"DE", "CH"}, []string{"email cert@example.org", "email second@example.org", "phone +4315056416", "phone +4315056417"},
		[]string{"nren", "psirt"}, "24x7", 1, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CSV (-want +got):\n%s\n%v", diff, toldOf(in))
	}
}

func TestGlobalIRTRefusesOtherForms(t *testing.T) {
	for text, want := range map[string]directory.Code{"---\nstatus: OK\n": "import.header", "<teams/>": "import.header", "status: OK\ndata:\n": "import.header", "short-team-name\n": "import.empty"} {
		problems := directory.ProblemsOf(collect(format.GlobalIRT(strings.NewReader(text))).fatal)
		if len(problems) != 1 || problems[0].Code != want {
			t.Errorf("%q: %v, want %s", text, problems, want)
		}
	}
}

const tiOld = "Team Name;TI Level;First entered;Last changed;FIRST Membership;TI URL;Official Team Name;Former Team Names;Country;Date of Establishment;-Type of Constituency;Constituency ASNs;Constituency Domains;" +
	"Constituency Nets;Country of Constituents;Email;PGP Key (Team);Telephone;Emergency Phone;Telefax;Other communication;Address;-Business Hours;Contacting outside Business Hours;Team Representative;Email (Rep);PGP Key (Rep);WWW;FTP;*RFC2350;Operating Status\n" +
	`EXA-CERT;Accredited;2005-02-03;2012-03-04;Full Member;https://ti.example.org/exa;Example Academic CERT;Old CERT - Older CERT;AT;1 January 2003;"Research & Education - External and Internal - Government - N/A";AS64496 - 64497;*.ac.at - example.org;` +
	`192.0.2.0/24 - 2001:db8::/32;AT - 00 - Germany;cert@example.org - second@example.org;0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567;+43 1 5056416 - 01 5056417;01 5056417;+43 1 5056420;INOC-DBA 64496*800;"Example Street 1 - 1010 Vienna - Austria";` +
	`Monday to Friday, 9:00 - 17:00;Call Ann;Ann Example;ann@example.org;0x89ABCDEF;https://www.example.org/ - https://cert.example.org/;ftp://ftp.example.org/;https://www.example.org/rfc2350;Operational` + "\n" +
	"OLD;Not Operational;;;No;;;;;;;;;;;;;;;;;;;;;;;;;;Not Operational\n"

func TestTICSV(t *testing.T) {
	in := collect(format.TICSV(strings.NewReader(tiOld)))
	in.whole(t, 2)
	checked(t, in)
	r, p := in.records[0], in.records[0].Profile
	var resources []string
	for _, x := range p.Resources {
		resources = append(resources, x.Value())
	}
	got := map[string]any{"key": r.Key, "as of": r.AsOf, "names": p.Names, "country": p.Country, "established": p.Established, "address": p.Address, "hours": p.Hours.String(), "contacts": contactLines(p),
		"memberships": p.Memberships, "constituency": p.Constituency, "resources": resources, "website": p.Website, "person": p.Contacts[len(p.Contacts)-1].Person, "status": p.Status}
	want := map[string]any{"key": "exa-cert", "as of": day("2012-03-04"), "names": directory.Names{Short: "EXA-CERT", Full: "Example Academic CERT", Former: []string{"Old CERT", "Older CERT"}},
		"country": directory.Country("AT"), "established": directory.Date("2003-01-01"), "address": "Example Street 1\n1010 Vienna\nAustria", "hours": "Mon-Fri 09:00-17:00",
		"contacts":     []string{"email cert@example.org", "email second@example.org", "phone +4315056416", "phone +4315056417 general emergency", "email ann@example.org representative"},
		"memberships":  []directory.Membership{{Forum: "ti", Type: "Accredited", Status: "accredited", Since: "2005-02-03"}, {Forum: "first", Type: "Full Member", Status: "member"}},
		"constituency": directory.Constituency{Types: []directory.ConstituencyType{{Type: "research-education", Scope: "both"}, {Type: "government"}}, Countries: []directory.Country{"AT", "DE"}},
		"resources":    []string{"AS64496", "AS64497", "ac.at", "example.org", "192.0.2.0/24", "2001:db8::/32"}, "website": "https://www.example.org/", "person": "Ann Example", "status": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("TICSV (-want +got):\n%s", diff)
	}
	wantTold := []string{"2:value.kept@/Contacting outside Business Hours", "2:country.pseudo@/Country of Constituents", "2:value.kept@/*RFC2350", "2:value.kept@/WWW", "2:contact.fax@/Telefax",
		"2:value.kept@/Other communication", "2:value.kept@/PGP Key (Rep)", "2:value.kept@/FTP", "2:value.kept@/TI URL"}
	if diff := cmp.Diff(wantTold, toldOf(in)); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if old := in.records[1]; old.Profile.Status != "inactive" || old.Profile.Memberships[0].Status != "ended" || len(old.Profile.Memberships) != 1 {
		t.Errorf("a team that is no more: %+v", old.Profile)
	}
	commas := "Team Name,TI Level,Email\nA,Listed,a@example.org\n"
	if in := collect(format.TICSV(strings.NewReader(commas))); len(in.records) != 1 || len(in.notes) != 0 {
		t.Errorf("with commas: %+v %v", in.records, in.fatal)
	}
}

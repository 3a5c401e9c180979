package format_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func TestNationalCSIRTs(t *testing.T) {
	in := collect(format.NationalCSIRTs(bytes.NewReader(testdata(t, "national-csirts.sql"))))
	in.whole(t, 5)
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	uses := []directory.Word{"general", "abuse"}
	want := []*directory.SourceRecord{
		{Row: 11, Rows: 3, Key: "mailto:reports@example.org|AT", Handle: "cert.example", AsOf: day(2017, 6, 29), Profile: directory.Profile{
			Names: directory.Names{Short: "CERT.example", Full: "Computer Emergency Response Team Example",
				Other: []string{"Example CERT", "Emergency Response Team", "Response Team"}},
			Kinds: []directory.Word{"csirt", "national", "government"}, Status: "active", Country: "AT",
			Contacts: []directory.Contact{{Channel: "email", Value: "reports@example.org", Uses: uses}},
			Designations: []directory.Designation{
				{Country: "AT", Scope: "national", By: "not said; listed according to an import", Evidence: "https://example.org/teams/example"},
				{Country: "AT", Scope: "government", By: "not said; listed according to a directory", Evidence: "https://example.org/teams/example"},
			},
		}},
		{Row: 14, Rows: 1, Key: "mailto:old@example.org|GB", Handle: "old-cert", AsOf: day(2015, 9, 9), Profile: directory.Profile{
			Names: directory.Names{Short: "Old CERT", Full: "Former Team"},
			Kinds: []directory.Word{"csirt", "national"}, Status: "inactive", Country: "GB",
			Contacts:     []directory.Contact{{Channel: "email", Value: "old@example.org", Uses: uses}},
			Designations: []directory.Designation{{Country: "GB", Scope: "national", By: "not said; listed according to a meeting", Until: "2015-09-09"}},
		}},
		{Row: 15, Rows: 1, Key: "mailto:jean.dupont@example.org|TN", Handle: "cert-tn", AsOf: day(2011, 6, 10), Profile: directory.Profile{
			Names: directory.Names{Short: "CERT-TN"},
			Kinds: []directory.Word{"csirt"}, Status: "active", Country: "TN",
			Contacts: []directory.Contact{{Channel: "email", Value: "jean.dupont@example.org", Uses: uses,
				Person: "Jean Dupont", Visibility: directory.Green}},
			Designations: []directory.Designation{{Country: "TN", Scope: "academic", By: "not said; listed according to a meeting"}},
		}},
	}
	if diff := cmp.Diff(want, in.records, prefixes()); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var notes []string
	for _, n := range in.notes {
		notes = append(notes, string(n.Code))
	}
	if diff := cmp.Diff([]string{"csirts.scope", "contact.personal"}, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestNationalCSIRTsTakesTheOrderOfTheColumnsFromCOPY(t *testing.T) {
	text := "copy ONLY \"certs\" (\"email\", note, \"iso2\", team_name) from STDIN;\n" +
		`a\x40example.org` + "\t" + `\N` + "\tel\t" + `Caf\303\251 \\ CERT\b` + "\n\\.\n"
	in := collect(format.NationalCSIRTs(strings.NewReader(text)))
	in.whole(t, 1)
	r := in.records[0]
	if r.Key != "mailto:a@example.org|GR" || r.Profile.Names.Short != `Café \ CERT` || r.Handle != "cafe-cert" {
		t.Errorf("key %q, name %q, handle %q, want the escapes undone", r.Key, r.Profile.Names.Short, r.Handle)
	}
}

// What only the keeper of the list believed must not come in as a fact.
func TestNationalCSIRTsStoresNoEditorAndNoConfirmation(t *testing.T) {
	in := collect(format.NationalCSIRTs(bytes.NewReader(testdata(t, "national-csirts.sql"))))
	for _, r := range in.records {
		if text := fmt.Sprintf("%+v", *r); strings.Contains(text, "editor@") {
			t.Errorf("%s: the editor's address is in the record", r.Key)
		}
		for _, d := range r.Profile.Designations {
			if d.Preference != 0 || d.Since != "" {
				t.Errorf("%s: preference %d since %q, which the source does not say", r.Key, d.Preference, d.Since)
			}
		}
	}
}

func TestPersonalAddresses(t *testing.T) {
	for local, want := range map[string]directory.TLP{
		"first.last": "green", "First.Last-Name": "green", "first.m.last": "green", "first_last": "green",
		"cert": "", "cert.team": "", "incident.response": "", "it-security": "", "atencion.cert": "", "soc.duty": "",
		"f.last": "", "info": "", "csirt2.first": "", "last": "",
	} {
		text := codecs()["csirts"].before + csirtLine("AT", "X", local+"@example.org", "t", "", "national", "") + "\\.\n"
		in := collect(format.NationalCSIRTs(strings.NewReader(text)))
		in.whole(t, 1)
		if got := in.records[0].Profile.Contacts[0].Visibility; got != want {
			t.Errorf("visibility of %s@ = %q, want %q", local, got, want)
		}
	}
}

func TestDesignationScopes(t *testing.T) {
	for kind, want := range map[string]string{
		"national": "national", "National": "national", "Government": "government", "govcert": "government",
		"academic": "academic", "Government. - National": "national government", "Government, National": "national government",
		"national, governmental": "national government", "CIIP. - National": "national sector",
		"Government. - National. - Research & Education": "national government academic", `\N`: "national", "": "national",
		"imperial": "other",
	} {
		text := codecs()["csirts"].before + csirtLine("AT", "X", "a@example.org", "t", "", kind, "") + "\\.\n"
		in := collect(format.NationalCSIRTs(strings.NewReader(text)))
		var got []string
		for _, d := range in.records[0].Profile.Designations {
			got = append(got, d.Scope)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("scopes of %q = %v, want %s", kind, got, want)
		}
	}
}

func TestHandlesWished(t *testing.T) {
	for name, want := range map[string]directory.Handle{
		"CERT.at": "cert.at", "CNCERT/CC": "cncert-cc", "CERT Bulgaria": "cert-bulgaria", "Équipe d'État": "equipe-d-etat",
		"Straße Ærø Łódź": "strasse-aero-lodz", "--CERT--": "cert", "..a..": "", "中文": "", "中文 CERT": "cert", "": "",
		strings.Repeat("ab ", 40): directory.Handle(strings.TrimRight(strings.Repeat("ab-", 22)[:64], "-")),
	} {
		if got := format.WishHandle(name); got != want {
			t.Errorf("handle of %q = %q, want %q", name, got, want)
		}
	}
}

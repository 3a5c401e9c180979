package format_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// botEntry is what IntelMQ's expert bot for the Trusted Introducer looks at.
type botEntry struct {
	Constituency struct {
		ASNs    []int    `json:"asns"`
		Domains []string `json:"domains"`
	} `json:"constituency"`
	Emails []struct {
		Address string   `json:"address"`
		Usage   []string `json:"usage"`
	} `json:"emails"`
}

// contact is the mailbox that the bot takes.
func (e botEntry) contact() string {
	for _, m := range e.Emails {
		for _, u := range m.Usage {
			if u == "contact" {
				return m.Address
			}
		}
	}
	return ""
}

func mailTo(value string, order int, uses ...directory.Word) directory.Contact {
	return directory.Contact{Channel: "email", Value: value, Order: order, Uses: uses}
}

func TestTIExportForTheBot(t *testing.T) {
	for _, c := range []struct {
		name  string
		mails []directory.Contact
		want  string
	}{
		{"the general one", []directory.Contact{mailTo("abuse@example.org", 0, "abuse"), mailTo("cert@example.org", 0)}, "cert@example.org"},
		{"the one that is asked first", []directory.Contact{mailTo("b@example.org", 5), mailTo("a@example.org", 1, "general", "abuse")}, "a@example.org"},
		{"the one for abuse where none is general", []directory.Contact{mailTo("v@example.org", 0, "vulnerability"), mailTo("abuse@example.org", 0, "abuse")}, "abuse@example.org"},
		{"the one for vulnerabilities where there is no other", []directory.Contact{mailTo("v@example.org", 0, "vulnerability")}, "v@example.org"},
		{"never a representative", []directory.Contact{mailTo("ann@example.org", 0, "representative")}, ""},
		{"none", nil, ""},
	} {
		team := directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "exa", Profile: directory.Profile{Names: directory.Names{Short: "EXA"}, Contacts: c.mails,
			Resources: []directory.Resource{{Type: "asn", ASN: 64496}, {Type: "domain", Domain: "ac.at"}, {Type: "domain", Domain: "example.org"}, {Type: "country", Country: "AT"}}}}
		text := exported(t, "ti", teamsOf(team))
		var entries []botEntry
		if err := json.Unmarshal([]byte(text), &entries); err != nil || len(entries) != 1 {
			t.Fatalf("%s: %v\n%s", c.name, err, text)
		}
		if got := entries[0].contact(); got != c.want {
			t.Errorf("%s: %q, want %q\n%s", c.name, got, c.want, text)
		}
		if diff := cmp.Diff(fmt.Sprint([]any{[]int{64496}, []string{"*.ac.at", "example.org"}}), fmt.Sprint([]any{entries[0].Constituency.ASNs, entries[0].Constituency.Domains})); diff != "" {
			t.Errorf("%s: resources (-want +got):\n%s", c.name, diff)
		}
		in := collect(format.TI(strings.NewReader(text)))
		for i, x := range in.records[0].Profile.Contacts {
			if usesOf(x) != usesOf(contactNamed(c.mails, x.Value)) {
				t.Errorf("%s: contact %d comes back with the uses %v", c.name, i, x.Uses)
			}
		}
	}
}

func contactNamed(list []directory.Contact, value string) directory.Contact {
	for _, c := range list {
		if c.Value == value {
			return c
		}
	}
	return directory.Contact{}
}

// The members of the feed that its readers rely on are there for a team of
// which next to nothing is known.
func TestTIExportOfAlmostNothing(t *testing.T) {
	const want = `[
{"official_name":"","short_name":"exa","established":"","host_organisation":"","postal_address":"","country":{"code":"","name":""},"classification":{"code":"","name":"","since":""},` +
		`"constituency":{"types":[],"asns":[],"domains":[],"ipranges":[],"countries":[]},"business_hours":"","business_hours_timezone":"","pgp_keys":[],"phones":[],"emails":[],` +
		`"misp":{"org_uuid":"5694da62-6314-4565-9c4d-1298538826be","org_name":"exa","org_email":""}}
]
`
	if got := exported(t, "ti", teamsOf(directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "exa"})); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestFIRSTExport(t *testing.T) {
	key := aKey(t, "good")
	team := directory.Team{ID: "5694da62-6314-4565-9c4d-1298538826be", Handle: "exa", Origins: map[string]directory.Origin{"names": {Source: directory.SourceTeam, At: day("2026-11-01")}},
		Profile: directory.Profile{Names: directory.Names{Short: "EXA", Full: "Example <CERT> & Co"}, Established: "2008-09-08", Kinds: []directory.Word{"psirt", "csirt"}, Country: "AT",
			Memberships: []directory.Membership{{Forum: "first", Type: "gold", Status: "associate", Since: "2010-01-02"}}, Hours: directory.Hours{Always: true}, Zone: "Europe/Vienna",
			Keys: []directory.TeamKey{{Key: directory.Key{Fingerprint: "0123456789ABCDEF0123456789ABCDEF01234567"}}, {Key: key}},
			Contacts: []directory.Contact{mailTo("v@example.org", 0, "vulnerability"), mailTo("a@example.org", 1), mailTo("b@example.org", 2),
				{Channel: "phone", Value: "+4315056416"}, {Channel: "phone", Value: "+4315056417", Uses: []directory.Word{"emergency"}}}}}
	text := exported(t, "first", teamsOf(team))
	var answer struct {
		Status string           `json:"status"`
		Code   int              `json:"status-code"`
		Total  int              `json:"total"`
		Data   []map[string]any `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Status != "OK" || answer.Code != 200 || answer.Total != 1 || len(answer.Data) != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	got := answer.Data[0]
	armor := got["pgp-key"]
	delete(got, "pgp-key")
	delete(got, "evidence")
	want := map[string]any{"id": "exa", "team": "EXA", "team-full": "Example <CERT> & Co", "host": "", "membership": "Associate Member", "team-type": "PSIRT, CSIRT", "establishment": "September 8, 2008",
		"member-since": "January 2, 2010", "address": "", "country": "AT", "country-other": []any{}, "website": []any{}, "email": "a@example.org", "email-other": []any{"b@example.org"},
		"phone": []any{"+4315056416"}, "phone-emergency": "+4315056417", "timezone": "Europe/Vienna", "pgp-id": string(key.Fingerprint[24:]), "pgp-fingerprint": string(key.Fingerprint),
		"operating-hours": "24x7", "constituency": "", "constituency-description": "", "last-modified": "Sun, 01 Nov 2026 00:00:00 GMT"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FIRST (-want +got):\n%s", diff)
	}
	if armor != key.Armor || strings.Contains(text, `\u003c`) {
		t.Errorf("the key, or the characters of HTML, are not as they were:\n%s", text)
	}
}

// Every type of constituency has a word that comes back as the type.
func TestFIRSTConstituencies(t *testing.T) {
	for _, kind := range directory.ConstituencyTypes {
		team := directory.Team{Handle: "exa", Profile: directory.Profile{Constituency: directory.Constituency{Types: []directory.ConstituencyType{{Type: kind}, {Type: "vendor"}}}}}
		for _, s := range shapes() {
			text := exported(t, s.name, teamsOf(team))
			in := collect(s.read(strings.NewReader(text)))
			if got := in.records[0].Profile.Constituency.Types; len(got) == 0 || got[0].Type != kind || len(in.notes) != 0 || kind != "vendor" && len(got) != 2 {
				t.Errorf("%s: %s comes back as %v\n%s", s.name, kind, got, text)
			}
		}
	}
}

// A formula in a name stays a text in every spreadsheet, and comes back.
func TestCSVExportHoldsNoFormulas(t *testing.T) {
	for _, name := range []string{"=SUM(A1)", "+cmd", "-1", "@x", "'quoted'", "''", `a "b", c; d`, "line", "例え"} {
		team := directory.Team{Handle: "exa", Profile: directory.Profile{Names: directory.Names{Full: name}, Contacts: []directory.Contact{{Channel: "phone", Value: "+4315056416"}}}}
		text := exported(t, "csv", teamsOf(team))
		for cell := range strings.SplitSeq(strings.NewReplacer("\r\n", ",", `"`, "").Replace(text), ",") {
			if cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
				t.Errorf("%s: the cell %q can be a formula", name, cell)
			}
		}
		in := collect(readCSV(strings.NewReader(text)))
		if len(in.records) != 1 || in.records[0].Profile.Names.Full != name || len(in.records[0].Profile.Contacts) != 1 || len(in.notes) != 0 {
			t.Errorf("%s comes back as %+v, told %v", name, in.records, toldOf(in))
		}
	}
}

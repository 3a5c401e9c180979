package directory_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
)

func email(value string, uses ...string) directory.Contact {
	return directory.Contact{Channel: "email", Value: value, Uses: uses}
}

func domain(name string) directory.Resource {
	return directory.Resource{Type: "domain", Domain: directory.Domain(name)}
}

func prefix(s string) directory.Resource {
	return directory.Resource{Type: "prefix", Prefix: netip.MustParsePrefix(s)}
}

var compareUnordered = cmp.Options{
	cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}),
	cmpopts.IgnoreFields(directory.Contact{}, "Origin"), cmpopts.IgnoreFields(directory.Resource{}, "Origin"),
}

func TestMergeOfLayers(t *testing.T) {
	record := directory.Record{
		ID: "t", Handle: "example", OwnAt: daysAgo(5),
		Own: directory.Profile{
			Names:     directory.Names{Short: "Example CSIRT"},
			Country:   "AT",
			Resources: []directory.Resource{prefix("192.0.2.0/24")},
			Languages: []directory.Language{},
		},
		Layers: []directory.Layer{
			{Source: "old", AsOf: daysAgo(900), At: daysAgo(1), Profile: directory.Profile{
				Names: directory.Names{Short: "EXAMPLE", Full: "Old Full Name"}, Country: "DE", Host: "Old Host",
				Contacts:  []directory.Contact{email("old@example.org", "abuse"), email("both@example.org", "abuse")},
				Resources: []directory.Resource{domain("old.example.org")}, Kinds: []string{"csirt", "soc"}, Languages: []directory.Language{"de"},
			}},
			{Source: "new", AsOf: daysAgo(30), At: daysAgo(2), Profile: directory.Profile{
				Names: directory.Names{Full: "New Full Name"}, Host: "New Host",
				Contacts: []directory.Contact{email("new@example.org", "abuse"), email("BOTH@example.org", "general")}, Kinds: []string{"csirt"},
			}},
		},
	}
	team := record.Team()
	want := directory.Profile{
		Names:   directory.Names{Short: "Example CSIRT", Other: []string{"New Full Name", "EXAMPLE", "Old Full Name"}},
		Country: "AT", Host: "New Host", Kinds: []string{"csirt", "soc"}, Languages: []directory.Language{},
		Contacts:  []directory.Contact{email("new@example.org", "abuse"), email("BOTH@example.org", "general"), email("old@example.org", "abuse")},
		Resources: []directory.Resource{prefix("192.0.2.0/24")},
	}
	if diff := cmp.Diff(want, team.Profile, compareUnordered); diff != "" {
		t.Errorf("merged profile (-want +got):\n%s", diff)
	}
	for field, source := range map[string]string{"country": "team", "names": "team", "host": "new", "kinds": "new", "languages": "team"} {
		if got := team.Origins[field].Source; got != source {
			t.Errorf("origin of %s = %q, want %q", field, got, source)
		}
	}
	if got := team.Contacts[2].Origin; got.Source != "old" || !got.AsOf.Equal(daysAgo(900)) {
		t.Errorf("origin of the old contact = %+v, want source old as of %s", got, daysAgo(900))
	}
}

func TestRedact(t *testing.T) {
	labels := []directory.TLP{"", directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}
	team := directory.Team{ID: "t", Profile: directory.Profile{Memberships: []directory.Membership{
		{Forum: "forum", Status: "member"}, {Forum: "left", Status: "member", Until: "2020-01-01"}, {Forum: "asking", Status: "candidate"},
	}}}
	for i, l := range labels {
		c := email(string(rune('a'+i)) + "@example.org")
		c.ID, c.Visibility = directory.ContactID(rune('a'+i)), l
		team.Contacts = append(team.Contacts, c)
	}
	team.Maturity = directory.Maturity{Model: "SIM3 v1"}
	team.Evidence = []directory.Evidence{{Contact: "b", Note: "told on the phone"}, {Contact: "f"}}

	for _, c := range []struct {
		name      string
		viewer    directory.Principal
		contacts  int
		maturity  bool
		evidence  int
		seesNotes bool
	}{
		{"nobody sees CLEAR", directory.Principal{}, 2, false, 1, false},
		{"a named anonymous too", directory.Nobody(), 2, false, 1, false},
		{"a signed-in consumer sees GREEN", directory.Principal{Role: directory.Consumer}, 3, false, 1, false},
		{"a member of a shared forum sees AMBER", directory.Principal{Role: directory.Consumer, Team: "u", Forums: []string{"forum"}}, 4, false, 1, false},
		{"a forum that the team left shares nothing", directory.Principal{Role: directory.Consumer, Team: "u", Forums: []string{"left"}}, 3, false, 1, false},
		{"a forum that the team asks to join shares nothing", directory.Principal{Role: directory.Consumer, Forums: []string{"asking"}}, 3, false, 1, false},
		{"the forum's secretariat sees AMBER+STRICT", directory.Principal{Role: directory.Secretariat, Forum: "forum", Forums: []string{"forum"}}, 5, false, 1, false},
		{"another forum's secretariat sees GREEN", directory.Principal{Role: directory.Secretariat, Forum: "other"}, 3, false, 1, false},
		{"the team sees RED", directory.Principal{Role: directory.Editor, Team: "t"}, 6, true, 2, true},
		{"another team's editor sees GREEN", directory.Principal{Role: directory.Editor, Team: "u"}, 3, false, 1, false},
		{"the operator sees RED", directory.Principal{Role: directory.Operator}, 6, true, 2, true},
		{"a token that may not read sees CLEAR", directory.Principal{Role: directory.Operator, Scopes: []directory.Scope{directory.ScopeImport}}, 2, false, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := directory.Redact(&team, c.viewer)
			if len(got.Contacts) != c.contacts {
				t.Errorf("%d contacts, want %d", len(got.Contacts), c.contacts)
			}
			if seen := !got.Maturity.IsZero(); seen != c.maturity {
				t.Errorf("maturity seen = %v, want %v", seen, c.maturity)
			}
			if len(got.Evidence) != c.evidence || (got.Evidence[0].Note != "") != c.seesNotes {
				t.Errorf("evidence = %+v, want %d items, notes %v", got.Evidence, c.evidence, c.seesNotes)
			}
			if withheld := len(got.Withheld) > 0; withheld != (c.contacts < len(labels)) {
				t.Errorf("withheld = %v, want it to be told exactly when something was", got.Withheld)
			}
			if len(team.Contacts) != len(labels) {
				t.Fatal("Redact changed the team it was given")
			}
		})
	}
}

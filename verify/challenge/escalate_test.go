package challenge_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func TestWhom(t *testing.T) {
	contact := func(id, channel string, order int, uses ...string) directory.Contact {
		return directory.Contact{ID: directory.ContactID(id), Channel: channel, Order: order, Uses: uses}
	}
	team := &directory.Team{Profile: directory.Profile{
		Contacts: []directory.Contact{contact("web", "url", 0), contact("abuse", "email", 0, "abuse"), contact("desk2", "email", 2), contact("desk1", "email", 1),
			contact("phone", "phone", 0, "abuse", "emergency"), contact("boss", "email", 0, "representative")},
		Memberships: []directory.Membership{{Forum: "tf-csirt", Status: "listed", Sponsors: []directory.Handle{"b", "a"}}, {Forum: "first", Status: "member", Sponsors: []directory.Handle{"a"}},
			{Forum: "old", Status: "ended", Sponsors: []directory.Handle{"c"}}},
	}}
	asked := func(ids ...directory.ContactID) []directory.ContactID { return ids }
	tests := []struct {
		name   string
		to     challenge.Recipient
		silent directory.ContactID
		asked  []directory.ContactID
		want   string // "" is nobody
	}{
		{"the next of the same use is a telephone", challenge.ToNextContact, "abuse", nil, "phone"},
		{"then general use, in the team's order", challenge.ToNextContact, "abuse", asked("phone"), "desk1"},
		{"then the other", challenge.ToNextContact, "abuse", asked("phone", "desk1"), "desk2"},
		{"then nobody: the representative has a rung", challenge.ToNextContact, "abuse", asked("phone", "desk1", "desk2"), ""},
		{"general use stands in for general use", challenge.ToNextContact, "desk1", nil, "desk2"},
		{"then any other, mail first", challenge.ToNextContact, "desk1", asked("desk2"), "abuse"},
		{"a contact that is gone", challenge.ToNextContact, "gone", nil, "desk1"},
		{"the representative", challenge.ToRepresentative, "desk1", nil, "boss"},
		{"the representative is silent", challenge.ToRepresentative, "boss", nil, ""},
		{"sponsors", challenge.ToSponsor, "desk1", nil, "[a b]"},
		{"secretariats", challenge.ToSecretariat, "desk1", nil, "[first tf-csirt]"},
		{"an operator is no target", challenge.ToOperator, "desk1", nil, ""},
	}
	for _, tt := range tests {
		target, ok := challenge.Whom(tt.to, team, tt.silent, tt.asked)
		got := ""
		switch {
		case target.Contact != nil:
			got = string(target.Contact.ID)
		case target.Sponsors != nil:
			got = fmt.Sprint(target.Sponsors)
		case target.Forums != nil:
			got = fmt.Sprint(target.Forums)
		}
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: Whom = %q, %t, want %q", tt.name, got, ok, tt.want)
		}
	}
	if _, ok := challenge.Whom(challenge.ToSecretariat, &directory.Team{}, "x", nil); !ok {
		t.Error("a team without a forum has no secretariat, not even the instance's own")
	}
	if _, ok := challenge.Whom(challenge.ToSponsor, &directory.Team{}, "x", nil); ok {
		t.Error("a team without memberships has a sponsor")
	}
}

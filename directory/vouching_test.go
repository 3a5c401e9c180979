package directory

import "testing"

func TestVouches(t *testing.T) {
	mail := func(c Contact) Contact {
		c.ID, c.Revision, c.Channel, c.Value = "c", 2, "email", "csirt@mail.example.org"
		return c
	}
	own := Origin{Source: SourceTeam}
	for _, tt := range []struct {
		name    string
		contact Contact
		team    Team
		want    bool
	}{
		{"an editor entered it", mail(Contact{Origin: own}), Team{}, false},
		{"an operator entered it", mail(Contact{Origin: own, Vouched: true}), Team{}, true},
		{"a source lists it", mail(Contact{Origin: Origin{Source: "first"}}), Team{}, true},
		{"it came with a merge", mail(Contact{Origin: Origin{Source: mergedPrefix + "beta"}}), Team{}, false},
		{"the domain is the team's", mail(Contact{Origin: own}), Team{Controls: []Control{{Domain: "mail.example.org", State: ControlConfirmed}}}, true},
		{"the domain above is the team's", mail(Contact{Origin: own}), Team{Controls: []Control{{Domain: "example.org", State: ControlConfirmed}}}, true},
		{"a domain that ends alike", mail(Contact{Origin: own}), Team{Controls: []Control{{Domain: "ample.org", State: ControlConfirmed}}}, false},
		{"the proof waits", mail(Contact{Origin: own}), Team{Controls: []Control{{Domain: "example.org", State: ControlWaiting}}}, false},
		{"it answered", mail(Contact{Origin: own}), Team{Evidence: []Evidence{{Contact: "c", Revision: 2, Outcome: OutcomeProved, Level: Answered}}}, true},
		{"it did not", mail(Contact{Origin: own}), Team{Evidence: []Evidence{{Contact: "c", Revision: 2, Outcome: OutcomeFailed, Level: Answered}}}, false},
		{"what it was before answered", mail(Contact{Origin: own}), Team{Evidence: []Evidence{{Contact: "c", Revision: 1, Outcome: OutcomeProved, Level: Answered}}}, false},
		{"another one answered", mail(Contact{Origin: own}), Team{Evidence: []Evidence{{Contact: "d", Revision: 2, Outcome: OutcomeProved}}}, false},
	} {
		if got := tt.team.Vouches(&tt.contact); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

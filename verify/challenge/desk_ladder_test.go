package challenge_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// all are the questions to the team alpha, the oldest last.
func (o *office) all() []challenge.Challenge {
	o.t.Helper()
	return must[[]challenge.Challenge](o.t)(o.db.ListChallenges(context.Background(), challenge.ListFilter{Team: o.team.ID, Limit: 100}))
}

// silence asks contacts by a policy, and lets days pass without an answer.
func (o *office) silence(policy string, days int, contacts ...int) (first challenge.Challenge) {
	o.t.Helper()
	for i, n := range contacts {
		c := must[challenge.Challenge](o.t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[n].ID, Kind: challenge.KindCode, Policy: policy}))
		if o.pass(time.Hour); i == 0 {
			first = c
		}
		o.run()
	}
	o.days(days)
	return first
}

// TestLadderTurnsNotBack: two contacts that are silent are not asked in turn without an end, and an
// operator hears of them.
func TestLadderTurnsNotBack(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.edit(func(p *directory.Profile) { p.Contacts = p.Contacts[:2] })
		o.silence(challenge.PresetKeepFresh, 150, 0)
		if all := o.all(); len(all) != 2 {
			t.Errorf("%d questions, want that to the one and that to the other", len(all))
		}
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 {
			t.Errorf("cases %+v", got)
		}
	})
}

// TestLadderPastTheSilent: a contact that is silent itself is no help, and the next one is asked; where
// there is none an operator hears of it.
func TestLadderPastTheSilent(t *testing.T) {
	for _, tt := range []struct {
		name       string
		telephone  bool
		want, open int
	}{{"a third one", true, 3, 1}, {"nobody else", false, 2, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				if !tt.telephone {
					o.edit(func(p *directory.Profile) { p.Contacts = p.Contacts[:2] })
				}
				o.silence(challenge.PresetKeepFresh, 42, 0, 1)
				if got := len(o.all()); got != tt.want {
					t.Errorf("%d questions, want %d", got, tt.want)
				}
				if got := len(o.open(challenge.CaseUnreachable)) + len(o.open(challenge.CaseCall)); got != tt.open {
					t.Errorf("%d cases, want %d", got, tt.open)
				}
			})
		})
	}
}

// TestLadderInTime: who was asked so short a time ago that nothing may be sent now does not stand in,
// nor does who has opted out.
func TestLadderInTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop bool
	}{{"asked lately", false}, {"opted out", true}} {
		t.Run(tt.name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				ctx := context.Background()
				if tt.stop {
					c := o.ask(1, challenge.KindCode)
					must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventOptOut}))
					must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
					o.pass(60 * 24 * time.Hour)
				}
				first := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode, Policy: challenge.PresetKeepFresh}))
				o.days(20)
				if !tt.stop {
					c := o.ask(1, challenge.KindCode)
					must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
				}
				o.days(15)
				for _, c := range o.all() {
					if c.Parent == first.ID && c.Kind != challenge.KindPhone {
						t.Errorf("%s stands in, and is %s", c.Address, c.State)
					}
				}
				if got := o.open(challenge.CaseCall); len(got) != 1 {
					t.Errorf("calls to make: %+v", got)
				}
			})
		})
	}
}

// TestLadderNames: an operator is told who is to know of a silence, and how to reach them.
func TestLadderNames(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		must[directory.Team](t)(o.dir.Create(context.Background(), deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
			Names: directory.Names{Short: "BETA"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@beta.example"}}}}))
		o.edit(func(p *directory.Profile) {
			p.Contacts = p.Contacts[:1]
			p.Memberships = []directory.Membership{{Forum: "tf", Status: "member", Sponsors: []directory.Handle{"beta", "gone"}}}
		})
		o.silence(challenge.PresetYearly, 50, 0)
		want := "rung 2: sponsor is to know: gone; rung 3: secretariat is to know: tf"
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || got[0].Note != want {
			t.Errorf("cases %+v, want the note %q", got, want)
		}
	})
}

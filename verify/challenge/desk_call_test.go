package challenge_test

import (
	"context"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestLimitsOfCalls: a contact is called no more often than it is mailed, and not on a holiday.
func TestLimitsOfCalls(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(2, challenge.KindPhone)
		must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseCall, "", false); err != nil {
			t.Fatal(err)
		}
		o.days(3)
		c = o.ask(2, challenge.KindPhone)
		if c.State != challenge.StateScheduled || len(o.open(challenge.CaseCall)) != 0 {
			t.Errorf("after three days: %s, cases %+v", c.State, o.open(challenge.CaseCall))
		}
		o.days(30)
		if c = o.see(c.ID); c.State == challenge.StateScheduled || c.Sent.Before(deskDay.AddDate(0, 0, 30)) {
			t.Errorf("after a month: %s, asked %v", c.State, c.Sent)
		}
	})
}

// TestHolidayOfCalls: nobody is to call on a declared holiday.
func TestHolidayOfCalls(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		own, _ := challenge.Preset(challenge.PresetReactionTest)
		own.Name, own.Holidays = "own", []directory.Date{"2026-11-30"}
		o.policies = []challenge.Policy{own}
		o.work()
		c := must[challenge.Challenge](t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[2].ID, Kind: challenge.KindPhone, Policy: "own"}))
		o.run()
		if c = o.see(c.ID); c.State != challenge.StateScheduled {
			t.Errorf("on the holiday: %s", c.State)
		}
		o.days(2)
		if c = o.see(c.ID); c.State == challenge.StateScheduled {
			t.Errorf("afterwards: %s", c.State)
		}
	})
}

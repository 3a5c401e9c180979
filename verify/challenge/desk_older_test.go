package challenge_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// bounced lets the last mail of a question come back.
func (o *office) bounced(id challenge.ID, step string) {
	o.t.Helper()
	must[challenge.Challenge](o.t)(o.Apply(context.Background(), id, challenge.Event{Kind: challenge.EventBounced, Step: step}))
}

// TestOlderBounces: a bounce of the last question counts with one of the next, unless it is long ago or
// the address was seen to work since.
func TestOlderBounces(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer bool
		days   int
		want   bool
	}{{"two months ago", false, 60, true}, {"two months ago, and answered since", true, 60, false}, {"a year ago", false, 365, false}} {
		t.Run(tt.name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				ctx := context.Background()
				c := o.ask(0, challenge.KindCode)
				o.bounced(c.ID, challenge.StepFirst)
				if tt.answer {
					token, code := o.said()
					o.pass(time.Hour)
					if c, _, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || c.State != challenge.StateAnswered {
						t.Fatalf("%s, %v", c.State, err)
					}
				} else {
					must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
				}
				for range tt.days {
					o.pass(24 * time.Hour)
				}
				c = o.ask(0, challenge.KindCode)
				o.days(1)
				o.bounced(c.ID, challenge.StepFirst)
				if c = o.see(c.ID); c.Undeliverable() != tt.want {
					t.Errorf("undeliverable %t, want %t: %s, %+v", c.Undeliverable(), tt.want, c.State, c.Bounces)
				}
			})
		})
	}
}

// TestAnswerTakesEarlierMarksOff: what an earlier question had marked a contact with goes with any answer.
func TestAnswerTakesEarlierMarksOff(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		o.days(40)
		if o.mark(c.Contact) != challenge.FlagUnreachable {
			t.Fatalf("silent for 40 days: %q", o.mark(c.Contact))
		}
		o.pass(40 * 24 * time.Hour)
		must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: c.Contact, Kind: challenge.KindCode}))
		o.days(1)
		token, code := o.said()
		if _, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			t.Fatalf("%+v, %v", checked, err)
		}
		if got := o.mark(c.Contact); got != "" {
			t.Errorf("who answered is marked %q", got)
		}
	})
}

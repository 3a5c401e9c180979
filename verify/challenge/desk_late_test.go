package challenge_test

import (
	"context"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestSecondReader: a mailbox has more than one reader. What the second one says with the code of another
// mail is kept, though the first one has answered.
func TestSecondReader(t *testing.T) {
	for says, kind := range map[challenge.EventKind]challenge.CaseKind{challenge.EventWrongAddress: challenge.CaseWrongAddress, challenge.EventPleaseCall: challenge.CasePleaseCall} {
		t.Run(string(says), func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				ctx := context.Background()
				c := o.ask(0, challenge.KindCode)
				first, firstCode := o.said()
				o.days(3)
				second, secondCode := o.said()
				if second == first {
					t.Fatal("no reminder")
				}
				for _, typed := range []struct {
					token, code string
					says        challenge.EventKind
				}{{first, firstCode, challenge.EventCodeRight}, {second, secondCode, says}, {second, secondCode, says}} {
					if _, checked, err := o.Type(ctx, typed.token, typed.code, typed.says); err != nil || checked.Result != challenge.Right {
						t.Fatalf("%s: %+v, %v", typed.says, checked, err)
					}
				}
				if c = o.see(c.ID); c.State != challenge.StateAnswered || len(o.open(kind)) != 1 {
					t.Errorf("%s; cases %+v", c.State, o.open(kind))
				}
			})
		})
	}
}

// TestOpenedClosed: whoever fetches the link of a closed question again and again writes nothing.
func TestOpenedClosed(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		token, _ := o.said()
		must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
		before := must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, c.ID))
		for range 3 {
			if err := o.Opened(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		if after := must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, c.ID)); len(after) != len(before) || !o.see(c.ID).Opened.IsZero() {
			t.Errorf("the log has %d lines, and had %d; opened %v", len(after), len(before), o.see(c.ID).Opened)
		}
	})
}

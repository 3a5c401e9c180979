package challenge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// waiting asks n contacts of teams of their own, and has their mails in the outbox.
func (o *office) waiting(n int) (asked []challenge.ID) {
	o.t.Helper()
	ctx := context.Background()
	for i := range n {
		name := fmt.Sprintf("waiting-%d", i)
		team := must[directory.Team](o.t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle(name), Profile: directory.Profile{
			Names: directory.Names{Short: "WAITING"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@" + name + ".example"}}}}))
		asked = append(asked, must[challenge.Challenge](o.t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode})).ID)
	}
	must[int](o.t)(o.Tick(ctx, 10))
	return asked
}

// pauses pauses a question, and resumes it.
func (o *office) pauses(id challenge.ID) {
	o.t.Helper()
	ctx := context.Background()
	must[challenge.Challenge](o.t)(o.Pause(ctx, deskOperator, id, ""))
	must[challenge.Challenge](o.t)(o.Unpause(ctx, deskOperator, id, ""))
}

// TestDeskResumedMeanwhile: a sender that found a question paused, and notes so after it was
// resumed, does not hold its mail back for ever.
func TestDeskResumedMeanwhile(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		id := o.waiting(1)[0]
		must[challenge.Challenge](t)(o.Pause(ctx, deskOperator, id, ""))
		o.pass(time.Minute)
		err := o.db.Challenges(ctx, func(tx challenge.Tx) error { return tx.HoldMails(id, o.clock()) }) // it was claimed just before the pause
		if err != nil {
			t.Fatal(err)
		}
		o.seen = func() {
			o.seen = nil
			must[challenge.Challenge](t)(o.Unpause(ctx, deskOperator, id, ""))
		}
		must[int](t)(o.sender.Send(ctx, 10))
		if len(o.box) != 0 {
			t.Fatal("the sender did not find it paused")
		}
		o.run()
		if len(o.box) != 1 || o.see(id).Accepted.IsZero() {
			t.Errorf("%d mails after it was resumed, want 1", len(o.box))
		}
	})
}

// TestDeskPausedInHand: a mail that the relay is taking while its question is paused and resumed is
// nobody else's meanwhile, also after its lease was made longer.
func TestDeskPausedInHand(t *testing.T) {
	for name, slow := range map[string]time.Duration{"at once": 0, "lease kept": time.Minute} {
		t.Run(name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				asked := o.waiting(2)
				taken, inside := 0, false
				o.refuse = func() error {
					if taken++; inside {
						return nil // another sender's
					}
					inside = true
					defer func() { inside = false }()
					o.pass(slow)
					o.pauses(asked[0])
					o.pauses(asked[1])
					if n, err := o.sender.Send(context.Background(), 10); n != 0 || err != nil {
						t.Errorf("another sender began with %d mails, %v", n, err)
					}
					return nil
				}
				o.run()
				if taken != 2 {
					t.Errorf("%d mails for two questions", taken)
				}
			})
		})
	}
}

// TestDeskPausedDeferred: a mail that the relay would have later is held back when its question was
// paused meanwhile, and goes out once it is resumed.
func TestDeskPausedDeferred(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		id := o.waiting(1)[0]
		o.refuse = func() error {
			must[challenge.Challenge](t)(o.Pause(ctx, deskOperator, id, ""))
			return fmt.Errorf("greylisted")
		}
		must[int](t)(o.sender.Send(ctx, 10))
		o.refuse = nil
		if at := must[time.Time](t)(o.db.NextMail(ctx)); at.Year() != 9999 {
			t.Errorf("the mail of a paused question is due at %s", at)
		}
		must[challenge.Challenge](t)(o.Unpause(ctx, deskOperator, id, ""))
		o.run()
		if len(o.box) != 1 {
			t.Errorf("%d mails after it was resumed, want 1", len(o.box))
		}
	})
}

// TestDeskLeaseLost: a mail that another sender has begun with is not handed over by one whose
// lease of it is over.
func TestDeskLeaseLost(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.waiting(2)
		o.refuse = func() error {
			o.refuse = nil // a sender whose clock is ahead
			if list := must[[]challenge.OutMail](t)(o.db.ClaimMails(ctx, challenge.ClaimMails{N: 9, Owner: "other", Now: o.clock().Add(time.Hour), Lease: time.Hour})); len(list) != 2 {
				t.Errorf("the other sender has %d mails", len(list))
			}
			return nil
		}
		must[int](t)(o.sender.Send(ctx, 10))
		if len(o.box) != 0 {
			t.Errorf("%d mails went out that another sender has", len(o.box))
		}
	})
}

// TestKillSwitchInBatch: once the kill switch is on, no mail, notice or question of those that a
// sender has in hand leaves any more; all go out once it is off.
func TestKillSwitchInBatch(t *testing.T) {
	stop := func(o *office) {
		if err := o.dir.PauseChecks(context.Background(), deskOperator, directory.PauseOfChallenges, false, "stop"); err != nil {
			o.t.Error(err)
		}
	}
	goOn := func(o *office) {
		must[int](o.t)(o.dir.ResumeChecks(context.Background(), deskOperator, directory.PauseOfChallenges, directory.HeldNone))
		o.pass(6 * time.Minute)
	}
	t.Run("mails", func(t *testing.T) {
		offices(t, func(t *testing.T, o *office) {
			o.waiting(3)
			taken := 0
			o.refuse = func() error { taken++; stop(o); return nil }
			if n := must[int](t)(o.sender.Send(context.Background(), 10)); n != 1 || taken != 1 {
				t.Errorf("%d tried, the relay took %d; want only the one that was on its way", n, taken)
			}
			o.refuse = nil
			goOn(o)
			if o.run(); len(o.box) != 2 {
				t.Errorf("%d mails after the switch is off, want 2", len(o.box))
			}
		})
	})
	t.Run("notices", func(t *testing.T) {
		offices(t, func(t *testing.T, o *office) {
			ctx := context.Background()
			must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
				Names: directory.Names{Short: "BETA"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@beta.example"}}}}))
			n := o.notifier(expired("alpha.example"))
			if got := must[int](t)(n.Decide(ctx, 100)); got != 2 {
				t.Fatalf("%d notices, want 2", got)
			}
			taken := 0
			o.refuse = func() error { taken++; stop(o); return nil }
			if sent := must[int](t)(n.Send(ctx, 10)); sent != 1 || taken != 1 {
				t.Errorf("%d sent, the relay took %d; want only the one that was on its way", sent, taken)
			}
			o.refuse = nil
			goOn(o)
			if sent := must[int](t)(n.Send(ctx, 10)); sent != 1 {
				t.Errorf("%d notices after the switch is off, want 1", sent)
			}
		})
	})
	t.Run("webhooks", func(t *testing.T) {
		couriers(t, func(t *testing.T, w *endpoints) {
			w.hook(challenge.HookTerms{URL: "https://all.example/"})
			w.happens(1)
			w.claimed = func() { w.claimed = nil; stop(w.office) }
			if n := must[int](t)(w.courier.Deliver(context.Background(), 10)); n != 0 || len(w.got) != 0 {
				t.Errorf("%d delivered, %d posted with the switch on", n, len(w.got))
			}
			goOn(w.office)
			if got := w.deliver(); len(got) != 2 {
				t.Errorf("%d posts after the switch is off, want 2", len(got))
			}
		})
	})
}

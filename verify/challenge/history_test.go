package challenge_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestForget: two years after its end a question has no history any more; what it proved, what is
// counted of it and when its contact was asked are what they were.
func TestForget(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		token, code := o.said()
		o.pass(time.Hour)
		o.answers("csirt@alpha.example", replyInMail.FindString(string(o.box[0].Raw)), "away", "We are away.", "Auto-Submitted: auto-replied\r\n")
		if _, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			t.Fatalf("the code is %+v, %v", checked, err)
		}
		c = o.see(c.ID)
		open := o.ask(1, challenge.KindCode)
		const keep = 730 * 24 * time.Hour
		forget := func(history time.Duration) challenge.Forgotten {
			t.Helper()
			gone, more, err := o.Forget(ctx, history, 30*24*time.Hour)
			if err != nil || more {
				t.Fatalf("Forget: more is %t, %v", more, err)
			}
			return gone
		}
		if gone := forget(keep); gone != (challenge.Forgotten{}) {
			t.Errorf("at once %+v is forgotten", gone)
		}
		until := o.clock().Add(time.Minute)
		figures := func() challenge.Report {
			r := must[challenge.Report](t)(o.Figures(ctx, deskOperator, "", deskDay, until))
			r.Made = time.Time{}
			for i := range r.Groups { // who still waits, waits longer
				r.Groups[i].Human.Curve, r.Groups[i].Proof.Curve = nil, nil
			}
			return r
		}
		was, asked := figures(), must[map[directory.ContactID]challenge.LastAsked](t)(o.db.LastAsked(ctx, ""))
		o.pass(keep + time.Hour)
		if gone := forget(0); gone != (challenge.Forgotten{Raw: 1}) {
			t.Errorf("where history is kept for ever %+v is forgotten, want the automatic reply, which proves nothing", gone)
		}
		if gone := forget(keep); gone.Questions != 1 || gone.Lines < 4 || gone.Links != 1 || gone.Mails != 0 {
			t.Errorf("%+v is forgotten", gone)
		}
		if d := cmp.Diff(was, figures()); d != "" {
			t.Errorf("the figures are others:\n%s", d)
		}
		if d := cmp.Diff(asked, must[map[directory.ContactID]challenge.LastAsked](t)(o.db.LastAsked(ctx, ""))); d != "" {
			t.Errorf("when contacts were asked:\n%s", d)
		}
		if d := cmp.Diff(c, o.see(c.ID)); d != "" {
			t.Errorf("the question itself:\n%s", d)
		}
		if _, checked, err := o.Look(ctx, token); err != nil || checked.Result != challenge.Unknown {
			t.Errorf("its link is %+v, %v", checked, err)
		}
		if log := must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, open.ID)); len(log) == 0 {
			t.Error("a question that is open has lost its log")
		}
		// What happens to it all the same begins a new log, which is kept as long.
		if _, err := o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventOptOut}); err != nil {
			t.Fatal(err)
		}
		if gone := forget(keep); gone.Questions != 0 {
			t.Errorf("what happened just now is forgotten: %+v", gone)
		}
		team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, "alpha"))
		if len(team.Evidence) == 0 {
			t.Error("evidence is gone")
		}
	})
}

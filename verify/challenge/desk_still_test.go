package challenge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestResumeLeavesAlone: a campaign that goes on lets nothing go that stands still for another reason: an operator
// paused it, before or during the halt, or its address has opted out.
func TestResumeLeavesAlone(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(6)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		o.steer(c.ID, challenge.MoveStart)
		o.days(6)
		list := must[[]challenge.Challenge](t)(o.db.ListChallenges(ctx, challenge.ListFilter{Campaign: c.ID, Limit: 100}))
		before, during, out, free := list[0], list[1], list[2], list[3]
		must[challenge.Challenge](t)(o.Pause(ctx, deskOperator, before.ID, "they move"))
		must[challenge.Challenge](t)(o.Apply(ctx, out.ID, challenge.Event{Kind: challenge.EventOptOut}))
		o.steer(c.ID, challenge.MoveHalt)
		must[challenge.Challenge](t)(o.Pause(ctx, deskOperator, during.ID, "they move too"))
		o.pass(24 * time.Hour)
		o.steer(c.ID, challenge.MoveResume)
		for what, q := range map[string]challenge.Challenge{"paused before the halt": before, "paused during it": during, "opted out": out} {
			if o.see(q.ID).Paused.IsZero() {
				t.Errorf("what was %s goes on", what)
			}
		}
		if !o.see(free.ID).Paused.IsZero() {
			t.Error("what only the halt paused stands still")
		}
		sent := o.boxed()
		o.days(20)
		for _, q := range []challenge.Challenge{before, during, out} {
			if n := o.boxed()[strings.ToLower(q.Address)]; n != sent[strings.ToLower(q.Address)] {
				t.Errorf("%s got a mail", q.Address)
			}
		}
		if got := must[challenge.Challenge](t)(o.Unpause(ctx, deskOperator, before.ID, "")); !got.Paused.IsZero() || got.PausedBy != "" {
			t.Errorf("resumed by an operator: %+v", got)
		}
	})
}

// TestOptOutHoldsWhatWaits: a mail that waits in the outbox does not go to an address that has opted out by another
// question, be it of another team; it goes once an operator has let it, and not before the campaign does.
func TestOptOutHoldsWhatWaits(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		first := o.ask(0, challenge.KindCode)
		other := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
			Names: directory.Names{Short: "BETA"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@alpha.example"}}}}))
		o.pass(25 * time.Hour) // past the cap of one address
		second := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: other.ID, Contact: other.Contacts[0].ID, Kind: challenge.KindCode}))
		must[int](t)(o.Tick(ctx, 100)) // into the outbox
		must[challenge.Challenge](t)(o.Apply(ctx, first.ID, challenge.Event{Kind: challenge.EventOptOut}))
		n := len(o.box)
		o.days(40)
		if len(o.box) != n {
			t.Fatalf("%d mails after the opt-out", len(o.box)-n)
		}
		if got := o.see(second.ID); got.Paused.IsZero() || !got.Open() {
			t.Errorf("what waits: %+v", got)
		}
		if err := o.Close(ctx, deskOperator, first.ID, challenge.CaseOptOut, challenge.Closing{Allowed: true}); err != nil {
			t.Fatal(err)
		}
		o.days(2)
		if got := o.see(second.ID); !got.Paused.IsZero() || got.Accepted.IsZero() {
			t.Errorf("after it was allowed: %+v, %d mails", got, len(o.box)-n)
		}
	})
}

// TestHeldUpReminder: a reminder that holidays, declared late, hold up beyond the window does not go out, and does not
// keep the window from ending.
func TestHeldUpReminder(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.silence(challenge.PresetHalfYearly, 6, 0)
		var days []directory.Date
		for i := range 60 {
			days = append(days, directory.Date(deskDay.AddDate(0, 0, 7+i).Format(time.DateOnly)))
		}
		o.edit(func(p *directory.Profile) { p.Holidays = days })
		o.days(11)
		if got := o.see(c.ID); got.State != challenge.StateEscalated && got.State != challenge.StateExpired {
			t.Errorf("after the window: %s", got.State)
		}
		o.days(60)
		for _, p := range o.see(c.ID).Postings {
			if strings.HasPrefix(p.Step, "reminder") {
				t.Errorf("a reminder of %v", p.Asked)
			}
		}
	})
}

// TestLettersOfToday: what a letter says is so when it leaves, and no backlog of one recipient keeps others waiting.
func TestLettersOfToday(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.secretariats = []challenge.Secretariat{{Forum: "fa", Address: "a@forums.example"}, {Forum: "fb", Address: "b@forums.example"}}
		o.work()
		var questions []challenge.Challenge
		for i := range 6 {
			forum := "fa"
			if i == 5 {
				forum = "fb"
			}
			team := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle(fmt.Sprintf("team-%d", i)), Profile: directory.Profile{
				Names: directory.Names{Short: "T"}, Memberships: []directory.Membership{{Forum: forum, Status: "member"}}, Contacts: []directory.Contact{{Channel: "email", Value: fmt.Sprintf("csirt@t%d.example", i)}}}}))
			questions = append(questions, must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode, Policy: challenge.PresetYearly})))
		}
		label := strings.Repeat("x", 60)
		long := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle(label), Profile: directory.Profile{
			Names: directory.Names{Short: "T"}, Memberships: []directory.Membership{{Forum: "fa", Status: "member"}}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@" + label + "." + label + "." + label + ".example"}}}}))
		must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: long.ID, Contact: long.Contacts[0].ID, Kind: challenge.KindCode, Policy: challenge.PresetYearly}))
		o.run()
		o.days(46)
		n := o.notifier()
		if got := must[int](t)(n.Tell(ctx)); got != 2 {
			t.Fatalf("%d letters were decided, want one for each forum", got)
		}
		must[challenge.Challenge](t)(o.Apply(ctx, questions[0].ID, challenge.Event{ID: "code", Kind: challenge.EventCodeRight})) // before it leaves
		from := len(o.box)
		must[int](t)(n.Send(ctx, 10))
		if len(o.box) != from+2 {
			t.Fatalf("%d letters left", len(o.box)-from)
		}
		text := ""
		for _, env := range o.box[from:] {
			if env.To[0] == "a@forums.example" {
				text = strings.ReplaceAll(string(env.Raw), "=\r\n", "")
			}
		}
		if strings.Contains(text, "team-0") || !strings.Contains(text, "team-1/csirt@t1.example") || !strings.Contains(text, "* "+label+"\r\n") {
			t.Errorf("the letter:\n%s", text)
		}
		for _, l := range must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, questions[0].ID)) {
			if l.Event.Kind == "told" {
				t.Error("it is said to have been told of who answered")
			}
		}
	})
}

// TestSecretariatThatOptedOut: an address that wants no mails gets no letters either, and people have a case.
func TestSecretariatThatOptedOut(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.secretariats = []challenge.Secretariat{{Address: "csirt@beta.example"}}
		o.work()
		other := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
			Names: directory.Names{Short: "BETA"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@beta.example"}}}}))
		asked := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: other.ID, Contact: other.Contacts[0].ID, Kind: challenge.KindCode}))
		o.run()
		must[challenge.Challenge](t)(o.Apply(ctx, asked.ID, challenge.Event{Kind: challenge.EventOptOut}))
		o.silence(challenge.PresetYearly, 46, 0)
		if letters := o.told(o.notifier()); len(letters) != 0 {
			t.Errorf("letters %v", letters)
		}
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || !strings.Contains(got[0].Note, "can't be written to") {
			t.Errorf("cases %+v", got)
		}
	})
}

// TestSeenHaltedTooLate: a sender that has seen a halt, and writes after the campaign has gone on, pauses nothing.
func TestSeenHaltedTooLate(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(3)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		c = o.steer(c.ID, challenge.MoveStart)
		for o.pass(time.Hour); must[challenge.DeskFigures](t)(o.db.DeskFigures(ctx)).Mails == 0; o.pass(time.Hour) {
			must[int](t)(o.Tick(ctx, 100))
		}
		err := o.db.Challenges(ctx, func(tx challenge.Tx) (err error) { // halted, and nobody told of it yet
			if c, err = tx.Campaign(c.ID); err != nil {
				return err
			}
			c.State, c.Pending, c.Since, c.Halted = challenge.CampaignHalted, challenge.EventPaused, o.clock(), o.clock()
			return tx.PutCampaign(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		o.seen = func() {
			o.seen = nil
			o.steer(c.ID, challenge.MoveResume)
		}
		must[int](t)(o.sender.Send(ctx, 100))
		for _, q := range must[[]challenge.Challenge](t)(o.db.ListChallenges(ctx, challenge.ListFilter{Campaign: c.ID, Limit: 100})) {
			if !q.Paused.IsZero() {
				t.Errorf("%s stands still for ever", q.Address)
			}
		}
		o.days(6)
		if n := len(o.boxed()); n != 5 {
			t.Errorf("%d contacts have mail, want 5", n)
		}
	})
}

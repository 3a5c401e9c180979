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
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseCall, challenge.Closing{}); err != nil {
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

// TestCodeOfCalls: a call that reached somebody has the six digits of its question, which operators
// alone are shown, and only while there is something to call about.
func TestCodeOfCalls(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c, other := o.ask(2, challenge.KindPhone), o.ask(0, challenge.KindCode)
		code := o.PhoneCode(deskOperator, &c)
		if len(code) != 6 || code == o.PhoneCode(deskOperator, &other) {
			t.Fatalf("codes %q and %q", code, o.PhoneCode(deskOperator, &other))
		}
		if got := o.PhoneCode(directory.Principal{Name: "ed", Role: directory.Editor}, &c); got != "" {
			t.Errorf("an editor is shown %q", got)
		}
		reached := challenge.Call{Number: "+4315056416", Reached: true}
		for _, wrong := range []string{"", "12345", o.PhoneCode(deskOperator, &other)} {
			if _, err := o.Log(ctx, deskOperator, c.ID, reached, wrong); refusal(err) != challenge.CodeCall {
				t.Errorf("the code %q: %v", wrong, err)
			}
		}
		if got := o.see(c.ID); got.Call != nil {
			t.Errorf("a call with a wrong code was kept: %+v", got.Call)
		}
		must[challenge.Challenge](t)(o.Log(ctx, deskOperator, c.ID, challenge.Call{Number: "+4315056416"}, ""))
		if got := must[challenge.Challenge](t)(o.Log(ctx, deskOperator, c.ID, reached, code[:3]+" "+code[3:])); got.Call == nil || !got.Call.Reached {
			t.Errorf("the right code: %+v", got.Call)
		}
		done := must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
		if got := o.PhoneCode(deskOperator, &done); got != "" {
			t.Errorf("of a question that is over: %q", got)
		}
	})
}

// TestConfirmUnreachable: silence becomes evidence when an operator confirms it, and not where somebody
// has answered meanwhile; the next answer counts again.
func TestConfirmUnreachable(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		confirmed := challenge.Closing{Confirmed: true, Note: "called twice"}
		o.edit(func(p *directory.Profile) { p.Contacts = p.Contacts[:2] })
		c := o.silence(challenge.PresetYearly, 46, 0)
		if got := o.standing(0); got.State == directory.Failed {
			t.Fatalf("silence alone is %s", got.State)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseCall, confirmed); refusal(err) != challenge.CodeUnconfirmed {
			t.Errorf("confirming a call: %v", err)
		}
		if err := o.Close(ctx, directory.Principal{Name: "ed", Role: directory.Editor}, c.ID, challenge.CaseUnreachable, confirmed); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("an editor confirms: %v", err)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseUnreachable, confirmed); err != nil {
			t.Fatal(err)
		}
		if got := o.standing(0); got.State != directory.Failed {
			t.Errorf("confirmed: %+v", got)
		}
		if e := must[directory.Team](t)(o.dir.Team(ctx, directory.Principal{}, "alpha")).Evidence; len(e) == 0 || e[0].Method != challenge.MethodUnreachable || e[0].By != "operator" || e[0].Note != "" {
			t.Errorf("what everybody sees: %+v", e)
		}
		o.days(60)
		again := o.ask(0, challenge.KindCode)
		must[challenge.Challenge](t)(o.Apply(ctx, again.ID, challenge.Event{ID: "code", Kind: challenge.EventCodeRight}))
		if got := o.standing(0); got.State != directory.Verified {
			t.Errorf("after an answer: %+v", got)
		}
		// What was answered since is not unreachable, though its case may be open still.
		if err := o.db.Challenges(ctx, func(tx challenge.Tx) error {
			return tx.OpenCase(c.ID, challenge.Case{Kind: challenge.CaseUnreachable}, o.clock())
		}); err != nil {
			t.Fatal(err)
		}
		if err := o.follower.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseUnreachable, confirmed); refusal(err) != challenge.CodeUnconfirmed || len(o.open(challenge.CaseUnreachable)) != 1 {
			t.Errorf("confirming what has answered since: %v", err)
		}
	})
}

// TestHolidaysOfTeam: a team declares days on which it is not asked, also after the question was planned; nor is it
// reminded on one.
func TestHolidaysOfTeam(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		at := func(days int) directory.Date { return directory.Date(deskDay.AddDate(0, 0, days).Format("2006-01-02")) }
		c := must[challenge.Challenge](t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode}))
		o.edit(func(p *directory.Profile) { p.Holidays = []directory.Date{at(0), at(1)} })
		o.run()
		if c = o.see(c.ID); c.State != challenge.StateScheduled || len(o.box) != 0 {
			t.Fatalf("on the holiday: %s, %d mails", c.State, len(o.box))
		}
		o.days(2)
		if c = o.see(c.ID); len(o.box) != 1 || string(at(2)) != c.Sent.Format("2006-01-02") {
			t.Fatalf("after the holidays: %s, sent %v, %d mails", c.State, c.Sent, len(o.box))
		}
		o.edit(func(p *directory.Profile) { p.Holidays = []directory.Date{at(3), at(4)} })
		o.days(2)
		if len(o.box) != 1 {
			t.Errorf("reminded on a holiday: %d mails", len(o.box))
		}
		o.days(4)
		if len(o.box) < 2 {
			t.Errorf("%d mails after it, want a reminder", len(o.box))
		}
	})
}

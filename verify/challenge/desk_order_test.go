package challenge_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func refusal(err error) directory.Code {
	var e *directory.Error
	if !errors.As(err, &e) || len(e.Problems) != 1 {
		return ""
	}
	return e.Problems[0].Code
}

// TestDeskCall: a call counts once another operator has approved it, and not before.
func TestDeskCall(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		second := directory.Principal{Name: "second", Role: directory.Operator}
		c := o.ask(2, challenge.KindPhone)
		if cases := must[[]challenge.OpenCase](t)(o.ListCases(ctx, deskOperator, challenge.CaseFilter{Limit: 10})); len(cases) != 1 || cases[0].Kind != challenge.CaseCall {
			t.Fatalf("cases %+v, want one call", cases)
		}
		if _, err := o.Log(ctx, deskOperator, c.ID, challenge.Call{Number: "call them"}, ""); refusal(err) != challenge.CodeCall {
			t.Errorf("no number: %v", err)
		}
		if _, err := o.Log(ctx, deskOperator, c.ID, challenge.Call{Number: "+4315056416", At: deskDay.AddDate(0, 0, 1)}, ""); refusal(err) != challenge.CodeCall {
			t.Errorf("a call to come: %v", err)
		}
		if _, err := o.Judge(ctx, second, c.ID, true); refusal(err) != challenge.CodeCall {
			t.Errorf("approving what was not logged: %v", err)
		}
		must[challenge.Challenge](t)(o.Log(ctx, deskOperator, c.ID, challenge.Call{Number: "+4315056416", Reached: true}, o.PhoneCode(deskOperator, &c)))
		if _, err := o.Judge(ctx, deskOperator, c.ID, true); refusal(err) != challenge.CodeSecondOperator {
			t.Errorf("whoever called approves: %v", err)
		}
		if got := o.standing(2); got.Level >= directory.Answered {
			t.Errorf("level %d before approval", got.Level)
		}
		if got := must[challenge.Challenge](t)(o.Judge(ctx, second, c.ID, true)); got.State != challenge.StateAnswered {
			t.Errorf("approved: %s", got.State)
		}
		if got := o.standing(2); got.Level != directory.Answered {
			t.Errorf("level %d after approval", got.Level)
		}
		if _, err := o.Stop(ctx, deskOperator, c.ID, ""); refusal(err) != challenge.CodeOver {
			t.Errorf("stopping what is over: %v", err)
		}
		log := must[[]directory.AuditEntry](t)(o.dir.Audit(ctx, deskOperator, directory.AuditFilter{Limit: 50}))
		seen := map[string]string{}
		for _, a := range log {
			seen[a.Action] = a.Actor
		}
		if seen["log call"] != "op" || seen["approve call"] != "second" {
			t.Errorf("the audit log says %v", seen)
		}
	})
}

// TestDeskOptOut: an opt-out holds mails back until an operator has closed its case, and lets
// them go only where the contact allows it.
func TestDeskOptOut(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{ID: "out", Kind: challenge.EventOptOut}))
		o.days(30)
		if n := o.boxed()["csirt@alpha.example"]; n != 1 {
			t.Errorf("%d mails to who opted out, want the one before it", n)
		}
		outlook := must[[]challenge.Outlook](t)(o.Outlook(ctx, deskOperator, &o.team))
		if outlook[0].Mark != challenge.FlagOptOut || outlook[0].Open == nil || outlook[0].Open.ID != c.ID || outlook[1].Open != nil {
			t.Errorf("outlook %+v", outlook[0])
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseCall, challenge.Closing{}); directory.KindOf(err) != directory.NotFound {
			t.Errorf("closing a case that is not open: %v", err)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseOptOut, challenge.Closing{Note: "spoke with them", Allowed: true}); err != nil {
			t.Fatal(err)
		}
		o.days(20)
		if n := o.boxed()["csirt@alpha.example"]; n < 2 {
			t.Errorf("%d mails to who is asked again, want a reminder", n)
		}
	})
}

// TestDeskFound: what another registrar found counts under its name, and asks nobody.
func TestDeskFound(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		found := challenge.Found{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Level: directory.Proven, Source: "TF-CSIRT", At: deskDay.AddDate(0, -1, 0)}
		bad := found
		bad.Source, bad.Level, bad.At = "", 5, deskDay.AddDate(0, 1, 0)
		var e *directory.Error
		if _, err := o.TakeIn(ctx, deskOperator, bad); !errors.As(err, &e) || len(e.Problems) != 3 {
			t.Errorf("a bad result: %v", err)
		}
		c := must[challenge.Challenge](t)(o.TakeIn(ctx, deskOperator, found))
		if c.Open() || o.standing(0).Level != directory.Proven || len(o.boxed()) != 0 {
			t.Errorf("%+v at level %d, %d mails", c, o.standing(0).Level, len(o.boxed()))
		}
		team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, "alpha"))
		if e := team.Evidence; len(e) != 1 || e[0].By != "TF-CSIRT" || e[0].Method != challenge.MethodImported || !e[0].At.Equal(found.At) {
			t.Errorf("evidence %+v", e)
		}
		// With an open question, it answers that one where it proves as much.
		open := o.ask(1, challenge.KindCode)
		found.Contact, found.Level, found.At = o.team.Contacts[1].ID, directory.Answered, deskDay
		must[challenge.Challenge](t)(o.TakeIn(ctx, deskOperator, found))
		if got := o.see(open.ID); got.State != challenge.StateAnswered {
			t.Errorf("the open question is %s", got.State)
		}
	})
}

// TestDeskPlan: contacts are asked when their policy says so, each once, and who answered is
// left alone until the interval has passed.
func TestDeskPlan(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(6)
		if n := must[int](t)(o.Plan(ctx, 5)); n != 5 {
			t.Errorf("%d were asked, want the limit of 5", n)
		}
		if n := must[int](t)(o.Plan(ctx, 100)); n != 3 {
			t.Errorf("%d more were asked, want the other 3", n)
		}
		if n := must[int](t)(o.Plan(ctx, 100)); n != 0 {
			t.Errorf("%d were asked twice", n)
		}
		o.run()
		o.answerAll(1)
		list := must[[]challenge.Challenge](t)(o.List(ctx, deskOperator, challenge.ListFilter{Limit: 50}))
		var answered challenge.Challenge
		for _, c := range list {
			if c.State == challenge.StateAnswered {
				answered = c
			}
		}
		o.days(3)
		if err := o.follower.Sync(ctx); err != nil { // the index follows by itself in a server
			t.Fatal(err)
		}
		must[int](t)(o.Plan(ctx, 100))
		for _, c := range must[[]challenge.Challenge](t)(o.List(ctx, deskOperator, challenge.ListFilter{Contact: answered.Contact, Limit: 5})) {
			if c.ID != answered.ID {
				t.Errorf("who answered three days ago is asked again: %s", c.Due)
			}
		}
		team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, string(answered.Team)))
		for _, l := range must[[]challenge.Outlook](t)(o.Outlook(ctx, deskOperator, &team)) {
			if l.Contact.ID == answered.Contact && (l.Next.Why != challenge.DueTooLow || !l.Next.At.After(o.clock().AddDate(0, 3, 0))) {
				t.Errorf("next due %+v", l.Next)
			}
		}
	})
}

// TestDeskPlanSilent: who stays silent is planned for again after the policy's interval, who opted out not
// before an operator has decided, and whom our own relay did not let us ask as soon as may be.
func TestDeskPlanSilent(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(3)
		contact := func(i int) directory.ContactID {
			return must[directory.Team](t)(o.dir.Team(ctx, deskOperator, fmt.Sprintf("crowd-%d", i))).Contacts[0].ID
		}
		silent, out, unsent := contact(0), contact(1), contact(2)
		must[int](t)(o.Plan(ctx, 100))
		must[int](t)(o.Tick(ctx, 100))
		for _, c := range must[[]challenge.Challenge](t)(o.List(ctx, deskOperator, challenge.ListFilter{Contact: unsent, Limit: 1})) {
			must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventUnsendable, Step: challenge.StepFirst}))
		}
		o.run()
		for _, env := range o.box {
			if env.To[0] != "csirt@crowd1.example" {
				continue
			}
			token := linkInMail.FindStringSubmatch(strings.ReplaceAll(string(env.Raw), "=\r\n", ""))[1]
			if _, _, taken, err := o.OptOut(ctx, token); err != nil || !taken {
				t.Fatalf("opting out: %t, %v", taken, err)
			}
		}
		plan := func(days int) {
			for i := range days {
				o.pass(24 * time.Hour)
				must[int](t)(o.Tick(ctx, 100))
				must[int](t)(o.sender.Send(ctx, 100))
				if i%10 == 0 {
					if err := o.follower.Sync(ctx); err != nil {
						t.Fatal(err)
					}
					must[int](t)(o.Plan(ctx, 100))
				}
			}
		}
		asked := func(id directory.ContactID) int {
			return len(must[[]challenge.Challenge](t)(o.List(ctx, deskOperator, challenge.ListFilter{Contact: id, Limit: 50})))
		}
		plan(110)
		if got := [3]int{asked(silent), asked(out), asked(unsent)}; got != [3]int{1, 1, 2} {
			t.Errorf("questions within the interval to who is silent, opted out, and was not reached by our fault: %d, want 1, 1 and 2", got)
		}
		for i, want := range []challenge.DueWhy{challenge.DueAsked, challenge.DueOptOut} {
			team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, fmt.Sprintf("crowd-%d", i)))
			if l := must[[]challenge.Outlook](t)(o.Outlook(ctx, deskOperator, &team))[0]; l.Next.Why != want || l.Next.At.IsZero() != (want == challenge.DueOptOut) {
				t.Errorf("crowd-%d is due %+v, want %s", i, l.Next, want)
			}
		}
		plan(30)
		if got := [2]int{asked(silent), asked(out)}; got != [2]int{2, 1} {
			t.Errorf("questions after the interval to who is silent, and who opted out: %d, want 2 and 1", got)
		}
	})
}

// TestDeskTried: a code that is typed when none counts any more is in the log of its question, and changes nothing.
func TestDeskTried(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		token, code := o.said()
		for _, typed := range []string{"0000-0000", "0000-0000", "0000-0000", "0000-0000", "0000-0000", code, "0000-0000"} {
			if _, _, err := o.Type(ctx, token, typed, challenge.EventCodeRight); err != nil {
				t.Fatal(err)
			}
		}
		var wrong, tried int
		for _, l := range must[[]challenge.Logged](t)(o.db.ChallengeLog(ctx, c.ID)) {
			switch {
			case l.Event.Kind == challenge.EventCodeWrong:
				wrong++
			case l.Event.Kind == "code-tried" && l.Event.Status == string(challenge.Locked):
				tried++
			}
		}
		if wrong != 5 || tried != 2 || o.see(c.ID).State != challenge.StateSent {
			t.Errorf("%d wrong codes and %d for a locked one in the log, want 5 and 2; the question is %s", wrong, tried, o.see(c.ID).State)
		}
	})
}

// TestDeskStopped: with the kill switch on, nothing goes out, not even what waits in the outbox.
func TestDeskStopped(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode}))
		must[int](t)(o.Tick(ctx, 10))
		if err := o.dir.PauseChecks(ctx, deskOperator, directory.PauseOfChallenges, true, "trouble"); err != nil {
			t.Fatal(err)
		}
		o.days(2)
		if n := len(o.boxed()); n != 0 {
			t.Errorf("%d mails while everything is stopped", n)
		}
		if _, err := o.dir.ResumeChecks(ctx, deskOperator, directory.PauseOfChallenges, directory.HeldNone); err != nil {
			t.Fatal(err)
		}
		o.run()
		if n := len(o.boxed()); n != 1 {
			t.Errorf("%d mails after it was lifted, want 1", n)
		}
	})
}

// TestDeskPrivate: who sees what a team was asked, and how quickly it answered.
func TestDeskPrivate(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		own := directory.Principal{Name: "alpha", Role: directory.Editor, Team: o.team.ID}
		other := directory.Principal{Name: "beta", Role: directory.Editor, Team: "7d9b2f52-5f0e-4d55-9f3c-0a1f0e2f9f11"}
		for _, tt := range []struct {
			who directory.Principal
			ok  bool
		}{{deskOperator, true}, {own, true}, {other, false}, {directory.Nobody(), false}} {
			_, _, see := o.See(ctx, tt.who, c.ID)
			_, list := o.List(ctx, tt.who, challenge.ListFilter{Team: o.team.ID, Limit: 5})
			_, outlook := o.Outlook(ctx, tt.who, &o.team)
			_, _, figures := o.TeamFigures(ctx, tt.who, &o.team)
			for what, err := range map[string]error{"see": see, "list": list, "outlook": outlook, "figures": figures} {
				if (err == nil) != tt.ok {
					t.Errorf("%s as %s: %v", what, tt.who.Name, err)
				}
			}
		}
		if _, err := o.List(ctx, own, challenge.ListFilter{Limit: 5}); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("an editor lists everybody's: %v", err)
		}
		if _, err := o.Order(ctx, own, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID}); refusal(err) != challenge.CodeOpen {
			t.Errorf("asked already: %v", err)
		}
		if err := o.Consent(ctx, own, &o.team, true); err != nil {
			t.Fatal(err)
		}
		o.pass(time.Hour)
		o.answerAll(1)
		g, consent, err := o.TeamFigures(ctx, other, &o.team)
		if err != nil || !consent || g.Answered != 1 || g.Human.Median == nil || *g.Human.Median != 3600 {
			t.Errorf("with consent: %+v, %t, %v", g, consent, err)
		}
		if err := o.Consent(ctx, own, &o.team, false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.TeamFigures(ctx, other, &o.team); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("without consent again: %v", err)
		}
	})
}

package challenge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// mark is what a contact of the team alpha is marked with.
func (o *office) mark(contact directory.ContactID) challenge.FlagKind {
	o.t.Helper()
	for _, m := range must[[]challenge.Mark](o.t)(o.db.Marks(context.Background(), o.team.ID)) {
		if m.Contact == contact {
			return m.Flag
		}
	}
	return ""
}

// open are the open cases of a kind.
func (o *office) open(kind challenge.CaseKind) (list []challenge.OpenCase) {
	o.t.Helper()
	for _, c := range must[[]challenge.OpenCase](o.t)(o.db.ListCases(context.Background(), challenge.CaseFilter{Limit: 100})) {
		if c.Kind == kind {
			list = append(list, c)
		}
	}
	return list
}

// TestOptOutStays: nothing but an operator's word takes an opt-out off.
func TestOptOutStays(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		token, code := o.said()
		must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventBounced}))
		o.days(3)
		if _, _, taken, err := o.OptOut(ctx, token); err != nil || !taken {
			t.Fatalf("opt out: %t, %v", taken, err)
		}
		must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventBounced, Step: challenge.StepAgain}))
		after := o.see(c.ID)
		if got := o.mark(c.Contact); !after.Undeliverable() || got != challenge.FlagOptOut {
			t.Errorf("after a second bounce: %q", got)
		}
		if _, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			t.Fatalf("answered: %+v, %v", checked, err)
		}
		if got := o.mark(c.Contact); o.see(c.ID).State != challenge.StateAnswered || got != challenge.FlagOptOut || len(o.open(challenge.CaseOptOut)) != 1 {
			t.Errorf("after an answer: %q", got)
		}
	})
}

// TestOptOutAgain: who says stop again after an operator had let mails go is heard again.
func TestOptOutAgain(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		token, _ := o.said()
		for i := range 3 {
			if _, _, taken, err := o.OptOut(ctx, token); err != nil || !taken {
				t.Fatalf("opt out %d: %t, %v", i, taken, err)
			}
			if c := o.see(c.ID); o.mark(c.Contact) != challenge.FlagOptOut || len(o.open(challenge.CaseOptOut)) != 1 || c.Paused.IsZero() {
				t.Fatalf("opt out %d: mark %q, cases %v, paused %v", i, o.mark(c.Contact), o.open(challenge.CaseOptOut), c.Paused)
			}
			if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseOptOut, challenge.Closing{Note: "they agree", Allowed: true}); err != nil {
				t.Fatal(err)
			}
			if c := o.see(c.ID); o.mark(c.Contact) != "" || !c.Paused.IsZero() {
				t.Fatalf("allowed %d: mark %q, paused %v", i, o.mark(c.Contact), c.Paused)
			}
		}
	})
}

// TestOptOutOfAnEarlierQuestion: the link of any mail stops what is being asked now, and all cases
// about it have to be closed before it goes on.
func TestOptOutOfAnEarlierQuestion(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		first := o.ask(0, challenge.KindCode)
		old, _ := o.said()
		must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, first.ID, ""))
		o.pass(40 * 24 * time.Hour)
		second := o.ask(0, challenge.KindCode)
		o.days(1)
		token, _ := o.said()
		for _, link := range []string{old, token} {
			if _, _, taken, err := o.OptOut(ctx, link); err != nil || !taken {
				t.Fatalf("opt out: %t, %v", taken, err)
			}
			if c := o.see(second.ID); c.Paused.IsZero() {
				t.Errorf("what is asked goes on: %s", c.State)
			}
		}
		for i, id := range []challenge.ID{second.ID, first.ID} {
			if err := o.Close(ctx, deskOperator, id, challenge.CaseOptOut, challenge.Closing{Note: "", Allowed: true}); err != nil {
				t.Fatal(err)
			}
			if c, mark := o.see(second.ID), o.mark(first.Contact); c.Paused.IsZero() != (i == 1) || (mark == "") != (i == 1) {
				t.Errorf("after %d cases were closed: paused %v, mark %q", i+1, c.Paused, mark)
			}
		}
	})
}

// TestOptOutOfAnAddress: an opt-out holds for the address, in whichever team it stands and in whichever
// of its contacts.
func TestOptOutOfAnAddress(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		other := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
			Names: directory.Names{Short: "BETA"}, Contacts: []directory.Contact{{Channel: "email", Value: "CSIRT@alpha.example"}}}}))
		c := o.ask(0, challenge.KindCode)
		must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventOptOut}))
		must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, c.ID, ""))
		o.edit(func(p *directory.Profile) { p.Contacts[0].Value = "new@alpha.example" })
		o.edit(func(p *directory.Profile) {
			p.Contacts = append(p.Contacts, directory.Contact{Channel: "email", Value: "csirt@alpha.example"})
		})
		team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, "alpha"))
		anew := team.Contacts[len(team.Contacts)-1]
		if anew.ID == c.Contact {
			t.Fatal("the contact was not entered anew")
		}
		for _, listed := range []*directory.Team{&other, &team} {
			outlook := must[[]challenge.Outlook](t)(o.Outlook(ctx, deskOperator, listed))
			if last := outlook[len(outlook)-1]; last.Next.Why != challenge.DueOptOut {
				t.Errorf("%s at %s is due: %+v", last.Contact.Value, listed.Handle, last.Next)
			}
		}
		for _, ask := range []challenge.Ask{{Team: other.ID, Contact: other.Contacts[0].ID}, {Team: team.ID, Contact: anew.ID}} {
			ask.Kind = challenge.KindCode
			must[challenge.Challenge](t)(o.Ask(ctx, ask))
		}
		o.days(40)
		if got := o.boxed(); len(got) != 1 || got["csirt@alpha.example"] != 1 {
			t.Errorf("mails %v, want the one before the opt-out", got)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseOptOut, challenge.Closing{Note: "they agree", Allowed: true}); err != nil {
			t.Fatal(err)
		}
		o.days(3)
		n := 0
		for to, mails := range o.boxed() {
			if strings.EqualFold(to, "csirt@alpha.example") {
				n += mails
			}
		}
		if n < 3 {
			t.Errorf("mails %v, want both questions to go out", o.boxed())
		}
	})
}

// TestCasesOpenAgain: what comes up again after an operator has closed its case is a case again, and
// what is told of an open one is added to it.
func TestCasesOpenAgain(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		second := directory.Principal{Name: "second", Role: directory.Operator}
		c := o.ask(2, challenge.KindPhone)
		for i := range 3 {
			o.pass(time.Hour)
			must[challenge.Challenge](t)(o.Log(ctx, deskOperator, c.ID, challenge.Call{Number: "+4315056416", Reached: true}, o.PhoneCode(deskOperator, &c)))
			if got := o.open(challenge.CaseApprove); len(got) != 1 {
				t.Fatalf("call %d: cases %v", i, got)
			}
			if got := must[challenge.Challenge](t)(o.Judge(ctx, second, c.ID, false)); got.Call != nil || len(o.open(challenge.CaseApprove)) != 0 {
				t.Fatalf("call %d was rejected: %+v, cases %v", i, got.Call, o.open(challenge.CaseApprove))
			}
		}
		open := func(note string) {
			if err := o.db.Challenges(ctx, func(tx challenge.Tx) error {
				return tx.OpenCase(c.ID, challenge.Case{Kind: challenge.CaseUnreachable, Note: note}, o.clock())
			}); err != nil {
				t.Fatal(err)
			}
		}
		open("rung 2: sponsor")
		open("")
		open("rung 3: secretariat")
		open("rung 3: secretariat")
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || got[0].Note != "rung 2: sponsor; rung 3: secretariat" {
			t.Errorf("cases %+v", got)
		}
		if err := o.Close(ctx, deskOperator, c.ID, challenge.CaseUnreachable, challenge.Closing{}); err != nil {
			t.Fatal(err)
		}
		open("rung 4: operator")
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || got[0].Note != "rung 4: operator" || !got[0].Opened.Equal(o.clock()) || got[0].ClosedBy != "" {
			t.Errorf("opened again: %+v", got)
		}
	})
}

// TestOptOutAllowedLater: mails are let go to who opted out also once its case is closed, and a case is closed once
// otherwise.
func TestOptOutAllowedLater(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		out := func() bool { o.t.Helper(); return must[bool](t)(o.OptedOut(ctx, deskOperator, &c)) }
		must[challenge.Challenge](t)(o.Apply(ctx, c.ID, challenge.Event{Kind: challenge.EventOptOut}))
		allowed := challenge.Closing{Allowed: true}
		for _, step := range []struct {
			name string
			how  challenge.Closing
			kind challenge.CaseKind
			want directory.Code // "" is closed
			out  bool
		}{
			{"allowing a call", allowed, challenge.CaseCall, challenge.CodeNotOptedOut, true},
			{"without a word", challenge.Closing{}, challenge.CaseOptOut, "", true},
			{"without a word again", challenge.Closing{}, challenge.CaseOptOut, challenge.CodeCaseClosed, true},
			{"allowed later", allowed, challenge.CaseOptOut, "", false},
			{"allowed again", allowed, challenge.CaseOptOut, challenge.CodeCaseClosed, false},
		} {
			err := o.Close(ctx, deskOperator, c.ID, step.kind, step.how)
			if refusal(err) != step.want || (err == nil) != (step.want == "") || out() != step.out {
				t.Errorf("%s: %v, opted out %t", step.name, err, out())
			}
			if step.want == challenge.CodeCaseClosed && !strings.Contains(err.Error(), "closed already, by "+deskOperator.Name+" at 20") {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		if c = o.see(c.ID); o.mark(c.Contact) != "" || !c.Paused.IsZero() {
			t.Errorf("allowed: mark %q, paused %v", o.mark(c.Contact), c.Paused)
		}
	})
}

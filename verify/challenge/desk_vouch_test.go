package challenge_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestDeskVouch: nobody is mailed because a team's editor entered an address. What an operator entered
// is asked, and so is what an operator has found right, as long as it stays as it was.
func TestDeskVouch(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: o.team.ID}
		enter := func(p directory.Principal, value string) directory.Contact {
			t.Helper()
			o.team = must[directory.Team](t)(o.dir.Edit(ctx, p, string(o.team.ID), directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
				own.Contacts = append(own.Contacts[:3:3], directory.Contact{Channel: "email", Value: value, Order: 9})
				return nil
			}}))
			return o.team.Contacts[3]
		}
		ask := func(c directory.Contact) error {
			_, err := o.Order(ctx, editor, challenge.Ask{Team: o.team.ID, Contact: c.ID, Kind: challenge.KindCode})
			return err
		}
		refused := func(err error) bool {
			var e *directory.Error
			return errors.As(err, &e) && e.Kind == directory.Conflict && e.Problems[0].Code == challenge.CodeUnvouched
		}

		stranger := enter(editor, "stranger@elsewhere.example")
		if err := ask(stranger); !refused(err) {
			t.Errorf("an address that an editor entered: %v", err)
		}
		if _, err := o.Order(ctx, deskOperator, challenge.Ask{Team: o.team.ID, Contact: stranger.ID, Kind: challenge.KindCode}); !refused(err) {
			t.Errorf("asked by an operator, who knows the address as little: %v", err)
		}
		for range 4 {
			o.pass(12 * time.Hour)
			must[int](t)(o.Plan(ctx, 100))
			must[int](t)(o.Tick(ctx, 100))
			must[int](t)(o.sender.Send(ctx, 100))
		}
		if len(o.box) == 0 {
			t.Error("the others are not asked any more")
		}
		for _, m := range o.box {
			if m.To[0] == stranger.Value {
				t.Errorf("%s was mailed", stranger.Value)
			}
		}

		must[directory.Team](t)(o.dir.RecordEvidence(ctx, deskOperator, string(o.team.ID), directory.Evidence{Contact: stranger.ID, Level: directory.Deliverable, Outcome: directory.OutcomeProved, Method: "phone", At: o.clock(), Note: "asked their switchboard"}))
		if err := ask(stranger); err != nil {
			t.Errorf("after an operator's word: %v", err)
		}
		if err := ask(enter(editor, "another@elsewhere.example")); !refused(err) {
			t.Errorf("the word was about another address: %v", err)
		}
		if err := ask(enter(deskOperator, "third@elsewhere.example")); err != nil {
			t.Errorf("entered by an operator: %v", err)
		}
		if err := ask(enter(editor, "third@elsewhere.example")); err != nil && refused(err) {
			t.Errorf("sent back by an editor as it was: %v", err)
		}
	})
}

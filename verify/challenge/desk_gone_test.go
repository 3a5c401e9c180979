package challenge_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// newKey is another key of the team alpha.
func (o *office) newKey() directory.TeamKey {
	o.t.Helper()
	e := must[*openpgp.Entity](o.t)(openpgp.NewEntity("Alpha CSIRT", "", "csirt@alpha.example", &packet.Config{Time: func() time.Time { return deskDay.AddDate(-1, 0, 0) }, Algorithm: packet.PubKeyAlgoEdDSA}))
	var public bytes.Buffer
	if err := e.Serialize(&public); err != nil {
		o.t.Fatal(err)
	}
	key, _, err := directory.ParseKey(public.Bytes())
	if err != nil {
		o.t.Fatal(err)
	}
	return directory.TeamKey{Key: key}
}

// edit changes the team alpha.
func (o *office) edit(change func(*directory.Profile)) {
	o.t.Helper()
	must[directory.Team](o.t)(o.dir.Edit(context.Background(), deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
		change(own)
		return nil
	}}))
}

// TestDeskKeyGone: a question whose key went before its mail did is over, and does not stand in
// the way of the next one.
func TestDeskKeyGone(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		for _, kind := range []challenge.Kind{challenge.KindBoth, challenge.KindSigned} {
			c := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: kind}))
			must[int](t)(o.Tick(ctx, 10))
			own := o.team.Keys
			o.edit(func(p *directory.Profile) { p.Keys = nil })
			must[int](t)(o.sender.Send(ctx, 10))
			if c = o.see(c.ID); c.Outcome != challenge.OutcomeSuperseded || len(o.boxed()) != 0 {
				t.Errorf("%s: %s, %q; %d mails", kind, c.State, c.Outcome, len(o.boxed()))
			}
			o.edit(func(p *directory.Profile) { p.Keys = own })
			o.pass(40 * 24 * time.Hour)
		}
		must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode}))
	})
}

// TestDeskKeyGoneLater: nobody is reported for not answering with a key that went after the question.
func TestDeskKeyGoneLater(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindBoth)
		o.edit(func(p *directory.Profile) { p.Keys = nil })
		o.days(40)
		if c = o.see(c.ID); c.Outcome != challenge.OutcomeSuperseded || len(o.boxed()) != 1 {
			t.Errorf("%s, %q; mails to %v", c.State, c.Outcome, o.boxed())
		}
	})
}

// TestDeskKeyReplaced: a question that waits for its moment is asked with the key of that moment.
func TestDeskKeyReplaced(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindBoth, Due: deskDay.Add(time.Hour)}))
		key := o.newKey()
		o.edit(func(p *directory.Profile) { p.Keys = []directory.TeamKey{key} })
		for _, name := range []string{"cli:ann", "cli:ben"} {
			must[directory.Team](t)(o.dir.VouchForKey(ctx, directory.Principal{Name: name, Role: directory.Operator}, "alpha", key.Fingerprint, "called"))
		}
		o.pass(2 * time.Hour)
		o.run()
		if c = o.see(c.ID); c.State != challenge.StateSent || c.Key != string(key.Fingerprint) || len(o.boxed()) != 1 {
			t.Errorf("%s with the key %s, want sent with %s; %d mails", c.State, c.Key, key.Fingerprint, len(o.boxed()))
		}
	})
}

// TestDeskPolicyGone: a question whose policy is in no file any more goes on to its end.
func TestDeskPolicyGone(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		own, _ := challenge.Preset(challenge.PresetHalfYearly)
		own.Name = "own"
		o.policies = []challenge.Policy{own}
		o.work()
		ask := func(contact int) challenge.ID {
			return must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[contact].ID, Kind: challenge.KindCode, Policy: "own"})).ID
		}
		first, second := ask(0), ask(1)
		must[int](t)(o.Tick(ctx, 10))
		o.policies = nil
		o.work()
		must[int](t)(o.sender.Send(ctx, 10))
		if n := len(o.boxed()); n != 2 {
			t.Errorf("mails to %d contacts, want 2", n)
		}
		if c := must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, second, "")); c.Outcome != challenge.OutcomeStopped {
			t.Errorf("stopped: %s, %q", c.State, c.Outcome)
		}
		o.days(40)
		if c := o.see(first); c.Outcome != challenge.OutcomeUnanswered {
			t.Errorf("after 40 days: %s, %q", c.State, c.Outcome)
		}
	})
}

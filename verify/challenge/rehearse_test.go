package challenge_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// rehearsals returns what a rehearsal makes, by contact.
func (o *office) rehearsals(id challenge.CampaignID, firstOnly bool) (challenge.Rehearsal, map[string][]challenge.Rehearsed) {
	o.t.Helper()
	seen := map[string][]challenge.Rehearsed{}
	r, err := o.notifier().RehearseCampaign(context.Background(), deskOperator, id, firstOnly, func(m *challenge.Rehearsed) error {
		if m.Err != nil {
			o.t.Errorf("%s, %s: %v", m.Asked.Address, m.Turn, m.Err)
		}
		seen[m.Asked.Address] = append(seen[m.Asked.Address], *m)
		if m.N != len(seen[m.Asked.Address]) || m.Contact != len(seen) {
			o.t.Errorf("%s, %s: the mail %d of contact %d", m.Asked.Address, m.Turn, m.N, m.Contact)
		}
		return nil
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return r, seen
}

// turns says which mails there are, at which hour after the first, and to whom where that is another.
func turns(list []challenge.Rehearsed) string {
	var out []string
	for _, m := range list {
		word := fmt.Sprintf("%s+%.0fh", m.Turn, m.At.Sub(list[0].At).Hours())
		if m.To != m.Asked.Address {
			word += ":" + m.To
		}
		out = append(out, word)
	}
	return strings.Join(out, " ")
}

// TestRehearse makes every mail that the contacts of a campaign could get, and neither sends nor stores one.
func TestRehearse(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.crowd(5)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetReactionTest})
		r, seen := o.rehearsals(c.ID, true)
		if r.Contacts != 7 || r.Mails != 7 || r.Kinds[challenge.KindBoth] != 2 || r.Kinds[challenge.KindCode] != 5 || len(seen) != 7 {
			t.Fatalf("the first mails: %+v", r)
		}
		r, all := o.rehearsals(c.ID, false)
		if r.Contacts != 7 || r.Mails != 7*6+2 {
			t.Errorf("all mails: %+v", r)
		}
		alpha := all["csirt@alpha.example"]
		if m := alpha[0]; !m.Mail.Encrypted || m.Turn != challenge.TurnQuestion || !m.At.Equal(seen["csirt@alpha.example"][0].At) {
			t.Errorf("the first mail to the team with a key: encrypted %t, %s, at %s", m.Mail.Encrypted, m.Turn, m.At)
		}
		if got := turns(alpha); !strings.HasPrefix(got, "question+0h new-code+0h ") || strings.Count(got, "reminder+") != 3 || strings.Count(got, " again+") != 1 || !strings.HasSuffix(got, " next-contact+240h:duty@alpha.example") {
			t.Errorf("the mails about csirt@alpha.example: %s", got)
		}
		if got := turns(all["csirt@crowd0.example"]); strings.Contains(got, "next-contact") || strings.Count(got, "reminder+") != 3 { // it has no other contact
			t.Errorf("the mails about csirt@crowd0.example: %s", got)
		}
		for _, m := range alpha {
			if m.To == "duty@alpha.example" != strings.Contains(m.Mail.Subject, "Another contact of your team") || m.Turn == challenge.TurnReminder != strings.Contains(m.Mail.Subject, "Reminder") {
				t.Errorf("the %s to %s has the subject %q", m.Turn, m.To, m.Mail.Subject)
			}
		}
		if _, p := o.progress(c.ID); p.Total != 0 || len(o.boxed()) != 0 {
			t.Errorf("%d questions and %d mails after a rehearsal", p.Total, len(o.boxed()))
		}
	})
}

// TestRehearseWorthless: what stands in a rehearsed mail is worth nothing, before the campaign and while it runs: neither
// its link nor its code, nor a bounce to its return path, nor a reply with its tag.
func TestRehearseWorthless(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(1)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		_, all := o.rehearsals(c.ID, false)
		m := all["csirt@crowd0.example"][0].Mail
		o.steer(c.ID, challenge.MoveStart)
		o.days(8)
		if len(o.boxed()) == 0 {
			t.Fatal("the campaign does not run")
		}
		token := linkInMail.FindStringSubmatch(m.Text)
		if token == nil {
			t.Fatalf("no link in %q", m.Text)
		}
		if _, checked, err := o.Look(ctx, token[1]); err != nil || checked.Result != challenge.Unknown {
			t.Errorf("the link of a rehearsal: %+v, %v", checked, err)
		}
		if _, checked, err := o.Type(ctx, token[1], strings.TrimSpace(codeInMail.FindString(m.Text)), challenge.EventCodeRight); err != nil || checked.Result != challenge.Unknown {
			t.Errorf("the code of a rehearsal: %+v, %v", checked, err)
		}
		for _, got := range []challenge.Received{
			o.answers("MAILER-DAEMON@crowd0.example", m.From, "Undelivered Mail Returned to Sender", "550 5.1.1 no such user"),
			o.answers("csirt@crowd0.example", "rollcall@rollcall.example", "Re: "+m.Subject, "here we are"),
		} {
			if got.Challenge != "" || got.Event != "" {
				t.Errorf("a mail about a rehearsed one is taken for %+v", got)
			}
		}
	})
}

// TestRehearseTimes: the moments of a rehearsal are those of the campaign, where nobody answers; at no time of the day or
// year at which its mails would be held back.
func TestRehearseTimes(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.crowd(3)
		p, _ := challenge.Preset(challenge.PresetHalfYearly)
		p.Name, p.Holidays = "festive", []directory.Date{directory.Date(deskDay.AddDate(0, 0, 9).Format(time.DateOnly))}
		o.policies = []challenge.Policy{p}
		o.work()
		c := o.plan(challenge.Campaign{Policy: "festive", Scope: challenge.Scope{Forum: "tf"}})
		_, all := o.rehearsals(c.ID, false)
		if len(all) == 0 {
			t.Fatal("nobody is asked")
		}
		for _, list := range all {
			for _, m := range list {
				if m.At.Format(time.DateOnly) == string(p.Holidays[0]) {
					t.Errorf("%s, %s: on a holiday, %s", m.Asked.Address, m.Turn, m.At)
				}
			}
		}
		o.steer(c.ID, challenge.MoveStart)
		var moments []challenge.Rehearsed
		for _, list := range all {
			for _, m := range list {
				if m.Turn == challenge.TurnQuestion || m.Turn == challenge.TurnReminder {
					moments = append(moments, m)
				}
			}
		}
		slices.SortFunc(moments, func(a, b challenge.Rehearsed) int { return a.At.Compare(b.At) })
		for _, m := range moments {
			sent := o.boxed()[m.To]
			o.pass(m.At.Add(-time.Second).Sub(o.clock()))
			o.run()
			if o.boxed()[m.To] != sent {
				t.Errorf("%s: the %s went out before %s", m.To, m.Turn, m.At)
			}
			o.pass(time.Second)
			o.run()
			if o.boxed()[m.To] != sent+1 {
				t.Errorf("%s: the %s did not go out at %s", m.To, m.Turn, m.At)
			}
		}
		o.days(30)
		if n := len(o.box); n != len(moments) {
			t.Errorf("%d mails went out, and %d were rehearsed", n, len(moments))
		}
	})
}

// TestRehearseLadder: the letters to sponsors and secretariats are rehearsed, each to whom the letter would go, with the
// silence that it is about; and a return path in them takes nothing back.
func TestRehearseLadder(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.secretariats = []challenge.Secretariat{{Forum: "tf", Address: "office@tf.example"}}
		o.work()
		o.sponsored()
		c := o.plan(challenge.Campaign{Policy: challenge.PresetYearly, Scope: challenge.Scope{Forum: "tf"}})
		_, all := o.rehearsals(c.ID, false)
		list := all["csirt@alpha.example"]
		last := list[len(list)-2:]
		if last[0].Turn != "sponsor" || last[0].To != "csirt@beta.example" || last[1].Turn != "secretariat" || last[1].To != "office@tf.example" {
			t.Fatalf("the mails about csirt@alpha.example: %s", turns(list))
		}
		for i, days := range []float64{35, 45} {
			if got := last[i].At.Sub(list[0].At).Hours() / 24; got < days || got > days+3 {
				t.Errorf("the %s is told after %.1f days, want %.0f", last[i].Turn, got, days)
			}
			if !strings.Contains(last[i].Mail.Text, "alpha/csirt@alpha.example") {
				t.Errorf("the letter to the %s:\n%s", last[i].Turn, last[i].Mail.Text)
			}
			o.pass(last[i].At.Sub(o.clock()))
			if got := o.answers("MAILER-DAEMON@x.example", last[i].Mail.From, "Undelivered Mail Returned to Sender", "550 5.1.1 no such user"); got.Notice != "" || got.Challenge != "" {
				t.Errorf("a bounce of the letter to the %s is taken for %+v", last[i].Turn, got)
			}
		}
	})
}

// TestRehearseFailed: a mail that can't be made is told, and the others are made.
func TestRehearseFailed(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.crowd(1)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		composer := must[*mail.Composer](t)(mail.NewComposer(mail.ComposerConfig{Identity: must[*mail.Identity](t)(identityOnce()), Now: o.clock}))
		sender := must[*challenge.Sender](t)(challenge.NewSender(challenge.SenderConfig{Desk: o.Desk, Composer: composer, Pages: "https://rollcall.example/" + strings.Repeat("long", 60) + "/",
			Submit: func(context.Context, mail.Mail) mail.Result { return mail.Result{} }}))
		n := must[*challenge.Notifier](t)(challenge.NewNotifier(challenge.NotifierConfig{Sender: sender, Explain: catalog.Find, Confirm: "https://rollcall.example/confirm/", Stop: "https://rollcall.example/notices/",
			Known: func(context.Context, directory.TeamID) ([]verify.Verification, error) { return nil, nil }}))
		failed := 0
		r, err := n.RehearseCampaign(context.Background(), deskOperator, c.ID, true, func(m *challenge.Rehearsed) error {
			if m.Err != nil && len(m.Mail.Raw) == 0 {
				failed++
			}
			return nil
		})
		if err != nil || r.Failed != 3 || failed != 3 || r.Mails != 0 {
			t.Errorf("mails with a link that is too long: %+v, %v, %d told", r, err, failed)
		}
	})
}

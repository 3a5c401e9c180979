package challenge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// digests runs a test on offices whose notices ask about contacts, by the policy keep-fresh.
func digests(t *testing.T, test func(*testing.T, *office, *challenge.Notifier)) {
	offices(t, func(t *testing.T, o *office) {
		o.rule, o.listed = challenge.PresetKeepFresh, true
		o.work()
		test(t, o, o.notifier())
	})
}

// due returns why the contacts of alpha are asked next, in their order.
func (o *office) due() string {
	o.t.Helper()
	team, _ := o.follower.Index().Team(o.team.ID)
	var list []string
	for _, l := range must[[]challenge.Outlook](o.t)(o.Outlook(context.Background(), deskOperator, team)) {
		word := string(l.Next.Why)
		if !l.Next.At.IsZero() {
			word += "@" + l.Next.At.Format("01-02")
		}
		list = append(list, word)
	}
	return strings.Join(list, " ")
}

// asks returns which contacts the newest notice asks about, and to whom it went.
func (o *office) asks() string {
	o.t.Helper()
	env, text := o.last()
	out := env.To[0] + ":"
	for _, item := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n* ")[1:] {
		if strings.Contains(item, challenge.CodeConfirm) {
			address, _, _ := strings.Cut(item, "\n")
			out += " " + address
		}
	}
	return out
}

const day = 24 * time.Hour

// TestDigest: contacts that are due are asked about in a notice, again after 30 days and then of another reader, and
// after their interval once somebody has clicked.
func TestDigest(t *testing.T) {
	digests(t, func(t *testing.T, o *office, n *challenge.Notifier) {
		ctx := context.Background()
		if got := must[int](t)(o.Plan(ctx, 100)); got != 0 {
			t.Errorf("%d contacts are asked by mails of their own", got)
		}
		if got, want := o.due(), "digest@11-30 digest@11-30 never-proven@11-30"; got != want {
			t.Errorf("the outlook is %s, want %s", got, want)
		}
		if o.notices(n) != 1 || o.asks() != "csirt@alpha.example: csirt@alpha.example duty@alpha.example" {
			t.Fatalf("the first notice: %s", o.asks())
		}
		_, text := o.last()
		for want, times := range map[string]int{"Is it still right? Nobody has ever confirmed it.": 2, "contact.unproven": 1} { // of the telephone, which no notice asks about
			if strings.Count(text, want) != times {
				t.Errorf("%q stands not %d times in\n%s", want, times, text)
			}
		}
		for range 4 { // each week
			o.pass(7 * day)
			if o.notices(n) != 0 {
				t.Fatalf("a notice too soon, on %s", o.clock().Format(time.DateOnly))
			}
		}
		if got, want := o.due(), "digest@12-30 digest@12-30 never-proven@11-30"; got != want {
			t.Errorf("once they were listed the outlook is %s, want %s", got, want)
		}
		o.pass(3 * day)
		if o.notices(n) != 1 || o.asks() != "duty@alpha.example: csirt@alpha.example duty@alpha.example" {
			t.Fatalf("after 30 days of silence: %s", o.asks())
		}
		_, text = o.last()
		if _, r, err := o.ConfirmNotice(ctx, confirmInMail.FindStringSubmatch(text)[1]); err != nil || r != challenge.Right || len(o.confirmations()) != 3 {
			t.Fatalf("the click: %s, %v, %d items", r, err, len(o.confirmations()))
		}
		o.pass(7 * day)
		if o.notices(n) != 0 {
			t.Error("a notice on an index that does not have the click yet")
		}
		o.pass(-7 * day)
		if err := o.follower.Sync(ctx); err != nil {
			t.Fatal(err)
		}
		if got, want := o.due(), "digest@03-31 digest@03-31 interval@03-31"; got != want {
			t.Errorf("after the click the outlook is %s, want %s", got, want)
		}
		o.pass(89 * day)
		if o.notices(n) != 0 {
			t.Error("a notice within the interval")
		}
		o.pass(2 * day)
		if o.notices(n) != 1 || o.asks() != "csirt@alpha.example: csirt@alpha.example duty@alpha.example" {
			t.Errorf("after the interval: %s", o.asks())
		}
		if _, text := o.last(); !strings.Contains(text, "Last confirmed on 2026-12-31.") {
			t.Errorf("the notice does not say when it was confirmed:\n%s", text)
		}
	})
}

// TestDigestSilence: whoever does not react is passed over for the next one, in turn, four times at 30 days; then
// there is quiet for an interval.
func TestDigestSilence(t *testing.T) {
	digests(t, func(t *testing.T, o *office, n *challenge.Notifier) {
		var days []string
		begun := o.clock()
		for range 40 {
			if o.notices(n) == 1 {
				to, _, _ := strings.Cut(o.asks(), "@")
				days = append(days, to+fmt.Sprint(int(o.clock().Sub(begun).Hours())))
			}
			o.pass(7 * day)
		}
		if got, want := strings.Join(days, " "), "csirt0 duty840 csirt1680 duty2520 csirt4704 duty5544 csirt6384"; got != want { // in hours: weeks 0, 5, 10, 15, 28, 33 and 38
			t.Errorf("notices went out at %s, want %s", got, want)
		}
	})
}

// TestDigestRules: whom no notice asks about, and who is asked by mails of their own all the same.
func TestDigestRules(t *testing.T) {
	digests(t, func(t *testing.T, o *office, n *challenge.Notifier) {
		ctx := context.Background()
		editor := directory.Principal{Name: "ed", Role: directory.Editor, Team: o.team.ID}
		o.team = must[directory.Team](t)(o.dir.Edit(ctx, editor, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
			own.Contacts = append(own.Contacts, directory.Contact{Channel: "email", Value: "stranger@elsewhere.example", Order: 9}, directory.Contact{Channel: "url", Value: "https://alpha.example/report"})
			return nil
		}}))
		failed := o.team.Contacts[1]
		must[directory.Team](t)(o.dir.RecordEvidence(ctx, deskOperator, "alpha", directory.Evidence{Contact: failed.ID, Level: directory.Deliverable, Outcome: directory.OutcomeFailed, Method: "phone", At: o.clock(), Note: "nobody there"}))
		if got, want := o.due(), "digest@11-30 failed@11-30 never-proven@11-30 unvouched no-way"; got != want {
			t.Fatalf("the outlook is %s, want %s", got, want)
		}
		if o.notices(n) != 1 || o.asks() != "csirt@alpha.example: csirt@alpha.example" {
			t.Errorf("the notice asks: %s", o.asks())
		}
		if got := must[int](t)(o.Plan(ctx, 100)); got != 1 {
			t.Errorf("%d contacts are asked by themselves, want the one that failed", got)
		}
		if err := o.dir.PauseChecks(ctx, deskOperator, directory.PauseOfChallenges, true, "trouble"); err != nil {
			t.Fatal(err)
		}
		if got, want := o.due(), "stopped stopped stopped unvouched no-way"; got != want {
			t.Errorf("with the kill switch on the outlook is %s, want %s", got, want)
		}
		if _, err := o.dir.ResumeChecks(ctx, deskOperator, directory.PauseOfChallenges, directory.HeldNone); err != nil {
			t.Fatal(err)
		}
		_, text := o.last()
		if _, found, err := o.StopNotices(ctx, noticesInMail.FindStringSubmatch(text)[1]); err != nil || !found {
			t.Fatal(err)
		}
		if got := must[int](t)(o.Plan(ctx, 100)); got != 1 {
			t.Errorf("%d contacts of a team that wants no notices are asked by themselves, want 1 more", got)
		}
		o.run()
		env, text := o.last()
		if !strings.Contains(env.To[0], "@alpha.example") || !strings.Contains(text, "/answer/") {
			t.Errorf("the mail to %s:\n%s", env.To, text)
		}
		token, _ := o.said()
		if _, _, _, err := o.OptOut(ctx, token); err != nil {
			t.Fatal(err)
		}
		if got := o.due(); !strings.Contains(got, "opted-out") {
			t.Errorf("once one opted out the outlook is %s", got)
		}
	})
}

// TestDigestOff: without notices the questions of a digest go out by themselves, and no notice asks
// about who is being asked.
func TestDigestOff(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.rule = challenge.PresetKeepFresh
		o.work()
		if got := must[int](t)(o.Plan(context.Background(), 100)); got != 2 {
			t.Errorf("%d contacts are asked, want 2", got)
		}
		if got, want := o.due(), "never-proven@11-30 never-proven@11-30 never-proven@11-30"; got != want {
			t.Errorf("the outlook is %s, want %s", got, want)
		}
		o.listed = true
		o.work()
		made := 0
		err := o.notifier().Rehearse(context.Background(), func(_ *directory.Team, to *directory.Contact, m mail.Mail, err error) error {
			if made++; strings.Count(m.Text, challenge.CodeConfirm) != 0 || to.Value != "csirt@alpha.example" {
				t.Errorf("contacts that are being asked stand in the notice to %s:\n%s", to.Value, m.Text)
			}
			return err
		})
		if err != nil || made != 1 {
			t.Errorf("a dry run of notices: %d made, %v", made, err)
		}
	})
}

// TestDigestBack: a notice that comes back asked nobody: the next one goes to somebody else, and the count begins anew.
func TestDigestBack(t *testing.T) {
	digests(t, func(t *testing.T, o *office, n *challenge.Notifier) {
		if o.notices(n) != 1 {
			t.Fatal("no notice")
		}
		env, _ := o.last()
		if got := o.answers("MAILER-DAEMON@alpha.example", env.From, "Undelivered Mail Returned to Sender", "550 5.1.1 no such user"); got.Event != challenge.EventBounced {
			t.Fatalf("a bounce is %+v", got)
		}
		o.pass(8 * day)
		if o.notices(n) != 1 || !strings.HasPrefix(o.asks(), "duty@alpha.example: csirt") {
			t.Errorf("a week after the bounce: %s", o.asks())
		}
	})
}

// TestOutlooks: the contacts that stand for one reason, of all teams, in parts.
func TestOutlooks(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(5)
		beta := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "be.ta", Profile: directory.Profile{Names: directory.Names{Short: "BETA"},
			Contacts: []directory.Contact{{Channel: "phone", Value: "+4315056417"}}}}))
		must[directory.Team](t)(o.dir.Edit(ctx, directory.Principal{Name: "ed", Role: directory.Editor, Team: beta.ID}, "be.ta", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
			own.Contacts = append(own.Contacts, directory.Contact{Channel: "email", Value: "csirt@beta.example"})
			return nil
		}}))
		list, more, err := o.Outlooks(ctx, deskOperator, challenge.OutlookFilter{Why: challenge.DueUnvouched, Limit: 10})
		if err != nil || more || len(list) != 1 || list[0].Team.ID != beta.ID {
			t.Errorf("unvouched: %+v, %t, %v", list, more, err)
		}
		seen, after := 0, directory.TeamID("")
		for range 20 {
			list, more, err = o.Outlooks(ctx, deskOperator, challenge.OutlookFilter{Why: challenge.DueNever, After: after, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range list {
				seen += len(l.Contacts)
				after = l.Team.ID
			}
			if !more {
				break
			}
		}
		if more || seen != 9 { // three of alpha, five of the crowd, and a telephone
			t.Errorf("%d contacts were never proven, more: %t", seen, more)
		}
		if _, _, err := o.Outlooks(ctx, directory.Principal{Name: "ed", Role: directory.Editor, Team: beta.ID}, challenge.OutlookFilter{Why: challenge.DueNever, Limit: 2}); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("an editor lists the contacts of all: %v", err)
		}
	})
}

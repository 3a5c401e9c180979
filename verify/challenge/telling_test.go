package challenge_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// told has letters decided and sent, and returns them by address.
func (o *office) told(n *challenge.Notifier) map[string]string {
	o.t.Helper()
	from := len(o.box)
	must[int](o.t)(n.Tell(context.Background()))
	must[int](o.t)(n.Send(context.Background(), 100))
	out := map[string]string{}
	for _, env := range o.box[from:] {
		out[env.To[0]] += strings.ReplaceAll(string(env.Raw), "=\r\n", "")
	}
	return out
}

// sponsored makes alpha a member of tf, sponsored by beta, with one contact.
func (o *office) sponsored() {
	o.t.Helper()
	must[directory.Team](o.t)(o.dir.Create(context.Background(), deskOperator, directory.NewTeam{Handle: "beta", Profile: directory.Profile{
		Names: directory.Names{Short: "BETA"}, Languages: []directory.Language{"fr"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@beta.example"}}}}))
	o.edit(func(p *directory.Profile) {
		p.Contacts = p.Contacts[:1]
		p.Memberships = []directory.Membership{{Forum: "tf", Status: "member", Sponsors: []directory.Handle{"beta"}}}
	})
}

// TestSponsorAndSecretariatAreTold: silence goes up the ladder by mail, to each once, in their language, with nothing in it
// that is to be typed; and no operator has to tell them.
func TestSponsorAndSecretariatAreTold(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.secretariats = []challenge.Secretariat{{Forum: "tf", Address: "office@tf.example"}, {Address: "own@rollcall.example"}}
		o.work()
		o.sponsored()
		n := o.notifier()
		c := o.silence(challenge.PresetYearly, 34, 0)
		if got := o.told(n); len(got) != 0 {
			t.Fatalf("before the rung: %v", got)
		}
		o.days(2)
		letters := o.told(n)
		text := letters["csirt@beta.example"]
		if len(letters) != 1 || !strings.Contains(text, "alpha/csirt@alpha.example") || !strings.Contains(text, "pas de r=C3=A9ponse, question du 2026-11-30") {
			t.Fatalf("to the sponsor: %v", letters)
		}
		if regexp.MustCompile(`/(answer|confirm)/`).MatchString(text) || !strings.Contains(strings.ReplaceAll(text, "\r\n ", ""), "https://rollcall.example/notices/") {
			t.Errorf("the links of the letter:\n%s", text)
		}
		o.days(12)
		if letters = o.told(n); len(letters) != 1 || !strings.Contains(letters["office@tf.example"], "no answer, asked on 2026-11-30") || strings.Contains(letters["office@tf.example"], "/notices/") {
			t.Fatalf("to the secretariat: %v", letters)
		}
		o.days(5)
		if letters = o.told(n); len(letters) != 0 {
			t.Errorf("told again: %v", letters)
		}
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || got[0].Note != "" {
			t.Errorf("cases %+v, want the one that asks for a confirmation", got)
		}
		who := map[string]int{}
		for _, l := range must[[]challenge.Logged](t)(o.db.ChallengeLog(context.Background(), c.ID)) {
			if l.Event.Kind == "told" {
				who[l.Event.Source]++
			}
		}
		if who["the sponsor beta"] != 1 || who["the secretariat tf"] != 1 || len(who) != 2 {
			t.Errorf("the log says %v", who)
		}
	})
}

// TestToldOnceADay: many silent members are one letter, what is left of them another one on the next day, and who has
// answered meanwhile is not in it.
func TestToldOnceADay(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.secretariats = []challenge.Secretariat{{Address: "own@rollcall.example"}}
		o.work()
		var ids []challenge.ID
		for i := range mail.MaxItems + 10 {
			team := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle(fmt.Sprintf("team-%02d", i)), Profile: directory.Profile{
				Names: directory.Names{Short: "T"}, Contacts: []directory.Contact{{Channel: "email", Value: fmt.Sprintf("csirt@t%02d.example", i)}}}}))
			ids = append(ids, must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode, Policy: challenge.PresetYearly})).ID)
		}
		o.run()
		o.days(46)
		must[challenge.Challenge](t)(o.Apply(ctx, ids[3], challenge.Event{ID: "code", Kind: challenge.EventCodeRight}))
		n := o.notifier()
		first := o.told(n)["own@rollcall.example"]
		if strings.Count(first, "no answer") != mail.MaxItems || !strings.Contains(first, "in the next mail: 9") || strings.Contains(first, "team-03") {
			t.Fatalf("the first letter:\n%s", first)
		}
		if more := o.told(n); len(more) != 0 {
			t.Errorf("two letters on one day: %v", more)
		}
		o.days(1)
		if second := o.told(n)["own@rollcall.example"]; strings.Count(second, "no answer") != 9 || strings.Contains(second, "in the next mail") {
			t.Errorf("the second letter:\n%s", second)
		}
	})
}

// TestNobodyToTell: where the letter can't go, people have a case: a sponsor that wants no mails, an address that
// refuses them, a secretariat that nobody knows.
func TestNobodyToTell(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.secretariats = []challenge.Secretariat{{Forum: "tf", Address: "office@tf.example"}}
		o.work()
		o.sponsored()
		n := o.notifier()
		o.silence(challenge.PresetYearly, 36, 0)
		text := o.told(n)["csirt@beta.example"]
		stop := noticesInMail.FindStringSubmatch(strings.ReplaceAll(text, "\r\n ", ""))
		if stop == nil {
			t.Fatalf("no way to stop:\n%s", text)
		}
		if _, result, err := o.ConfirmNotice(ctx, stop[1]); err != nil || result != challenge.Unknown {
			t.Errorf("confirming a letter that asks nothing: %v, %v", result, err)
		}
		if _, ok, err := o.StopNotices(ctx, stop[1]); err != nil || !ok {
			t.Fatalf("stopping: %v, %v", ok, err)
		}
		// The letter comes back as well: there is nobody else, and nobody who wants it.
		back := func() {
			t.Helper()
			to := o.box[len(o.box)-1].From
			got := must[challenge.Received](t)(o.receiver.Look(ctx, mail.Envelope{To: []string{to}, At: o.clock(),
				Raw: []byte("From: MAILER-DAEMON@mx.example\r\nTo: " + to + "\r\nSubject: Undelivered Mail Returned to Sender\r\nContent-Type: text/plain\r\n\r\n550 5.1.1 User unknown\r\n")}))
			if got.Event != challenge.EventBounced || got.Notice == "" {
				t.Fatalf("the bounce: %+v", got)
			}
		}
		back()
		o.days(1)
		if again := o.told(n); len(again) != 0 {
			t.Errorf("told again: %v", again)
		}
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || got[0].Note != "rung 2: the sponsor beta is to know, and can't be written to" {
			t.Errorf("cases %+v", got)
		}
		// What is written to the secretariat comes back day after day: then it is for people.
		o.days(9)
		for i := range 3 {
			if letters := o.told(n); letters["office@tf.example"] == "" {
				t.Fatalf("try %d: %v", i, letters)
			}
			back()
			o.days(1)
		}
		if letters := o.told(n); len(letters) != 0 {
			t.Errorf("a fourth try: %v", letters)
		}
		if got := o.open(challenge.CaseUnreachable); len(got) != 1 || !strings.Contains(got[0].Note, "rung 3: the secretariat tf is to know, and can't be written to") {
			t.Errorf("cases %+v", got)
		}
	})
}

// TestToldByTwoNodes: two nodes that decide at once write one letter, and the kill switch holds it.
func TestToldByTwoNodes(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.secretariats = []challenge.Secretariat{{Address: "own@rollcall.example"}}
		o.work()
		o.silence(challenge.PresetYearly, 46, 0)
		one, two := o.notifier(), o.notifier()
		done := make(chan int, 2)
		for _, n := range []*challenge.Notifier{one, two} {
			go func() { k, _ := n.Tell(ctx); done <- k }()
		}
		if a, b := <-done, <-done; a+b != 1 {
			t.Errorf("%d and %d letters were decided, want one", a, b)
		}
		if err := o.dir.PauseChecks(ctx, deskOperator, directory.PauseOfChallenges, true, "test"); err != nil {
			t.Fatal(err)
		}
		from := len(o.box)
		if letters := o.told(one); len(letters) != 0 {
			t.Errorf("with the kill switch: %v", letters)
		}
		must[int](t)(o.dir.ResumeChecks(ctx, deskOperator, directory.PauseOfChallenges, directory.HeldNone))
		o.pass(time.Hour)
		if o.told(one); len(o.box) != from+1 {
			t.Errorf("%d letters, want one", len(o.box)-from)
		}
	})
}

// TestSecretariatsChecked: what is wrong with a list is said by field.
func TestSecretariatsChecked(t *testing.T) {
	found := challenge.CheckSecretariats([]challenge.Secretariat{{Forum: "TF CSIRT", Address: "office@tf.example"}, {Forum: "first", Address: "nobody"},
		{Forum: "first", Address: "a@first.example", Language: strings.Repeat("x", 36)}, {Address: "own@rollcall.example", Language: "fr"}})
	var fields []string
	for _, p := range found {
		fields = append(fields, p.Field)
	}
	if got := strings.Join(fields, " "); got != "/0/forum /1/address /2/forum /2/language" {
		t.Errorf("problems at %s", got)
	}
}

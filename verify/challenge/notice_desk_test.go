package challenge_test

import (
	"bufio"
	"bytes"
	"context"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// notifier is one node's notifier on the office's store, with what checks found.
func (o *office) notifier(found ...verify.Verification) *challenge.Notifier {
	o.t.Helper()
	return must[*challenge.Notifier](o.t)(challenge.NewNotifier(challenge.NotifierConfig{Sender: o.sender, Explain: catalog.Find,
		Known:   func(context.Context, directory.TeamID) ([]verify.Verification, error) { return found, nil },
		Confirm: "https://rollcall.example/confirm/", Stop: "https://rollcall.example/notices/"}))
}

// notices decides and sends what there is, and returns how many the relay took.
func (o *office) notices(n *challenge.Notifier) int {
	o.t.Helper()
	must[int](o.t)(n.Decide(context.Background(), 100))
	return must[int](o.t)(n.Send(context.Background(), 100))
}

var (
	confirmInMail = regexp.MustCompile(`https://rollcall\.example/confirm/([0-9A-Z]{32})`)
	noticesInMail = regexp.MustCompile(`https://rollcall\.example/notices/([0-9A-Z]{32})`)
)

func (o *office) confirmations() (items []directory.Evidence) {
	o.t.Helper()
	team := must[directory.Team](o.t)(o.dir.Team(context.Background(), deskOperator, "alpha"))
	for _, e := range team.Evidence {
		if e.Method == challenge.MethodConfirmed {
			items = append(items, e)
		}
	}
	return items
}

func expired(name string) verify.Verification {
	return verify.Verification{Check: "securitytxt", Subject: verify.Subject{Kind: "securitytxt", ID: name}, Verdict: "error",
		Findings: []verify.Finding{{Code: "securitytxt.expired", Severity: verify.Error, Evidence: "Expires: LOOK <here>"}}}
}

// TestNoticeToTeam follows a notice from decision to click: one goes out, encrypted, to the first reader; it is not
// repeated; a look changes nothing, and a click is worth level 0, once.
func TestNoticeToTeam(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		n := o.notifier(expired("alpha.example"))
		if sent := o.notices(n); sent != 1 || len(o.box) != 1 || o.box[0].To[0] != "csirt@alpha.example" {
			t.Fatalf("%d notices, %d mails", sent, len(o.box))
		}
		env, text := o.last()
		for _, want := range []string{"csirt@alpha.example", "duty@alpha.example", "+4315056416", "contact.unproven", "securitytxt.expired", "The file has expired", "needs attention"} {
			if !strings.Contains(text, want) {
				t.Errorf("the notice lacks %q:\n%s", want, text)
			}
		}
		header := must[textproto.MIMEHeader](t)(textproto.NewReader(bufio.NewReader(bytes.NewReader(env.Raw))).ReadMIMEHeader())
		stop := noticesInMail.FindStringSubmatch(header.Get("List-Unsubscribe"))
		if stop == nil || header.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" || header.Get("Auto-Submitted") != "auto-generated" || !strings.HasPrefix(header.Get("Content-Type"), "multipart/encrypted") {
			t.Errorf("the header: %v", header)
		}
		if strings.Contains(text, "LOOK") || strings.Contains(text, "ALPHA") {
			t.Errorf("what others wrote stands in the notice:\n%s", text)
		}
		if sent := o.notices(n); sent != 0 {
			t.Error("the same was told twice")
		}
		o.pass(8 * 24 * time.Hour)
		if sent := o.notices(n); sent != 0 {
			t.Error("nothing is new, and a notice went out")
		}
		token := confirmInMail.FindStringSubmatch(text)[1]
		for range 3 {
			if _, r, err := o.LookNotice(ctx, token); err != nil || r != challenge.Right || len(o.confirmations()) > 0 {
				t.Fatalf("looking: %s, %v, %v", r, err, o.confirmations())
			}
		}
		for _, wrong := range []string{strings.Repeat("0", 32), "x", ""} {
			if _, r, err := o.ConfirmNotice(ctx, wrong); err != nil || r != challenge.Unknown {
				t.Errorf("token %q: %s, %v", wrong, r, err)
			}
		}
		must[directory.Team](t)(o.dir.Edit(ctx, deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
			own.Contacts[1].Value = "night@alpha.example"
			return nil
		}}))
		if _, r, err := o.ConfirmNotice(ctx, strings.ToLower(token)); err != nil || r != challenge.Right {
			t.Fatalf("the click: %s, %v", r, err)
		}
		if items := o.confirmations(); len(items) != 2 || items[0].Level != directory.Listed || items[0].Outcome != directory.OutcomeProved { // not of the contact that changed
			t.Errorf("evidence of the click: %+v", items)
		}
		for i := range 3 {
			if s := o.standing(i); s.Level != directory.Listed || s.State != directory.Unverified {
				t.Errorf("contact %d stands at %+v after a click", i, s)
			}
		}
		if _, r, err := o.ConfirmNotice(ctx, token); err != nil || r != challenge.Used || len(o.confirmations()) != 2 {
			t.Errorf("the second click: %s, %v", r, err)
		}
		if err := o.db.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestNoticeNodes: two nodes decide and send at the same time, and a team gets one notice.
func TestNoticeNodes(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		var nodes sync.WaitGroup
		for range 4 {
			n := o.notifier(expired("alpha.example"))
			nodes.Go(func() {
				if _, err := n.Decide(context.Background(), 100); err != nil {
					t.Error(err)
				}
				if _, err := n.Send(context.Background(), 100); err != nil {
					t.Error(err)
				}
			})
		}
		nodes.Wait()
		if len(o.box) != 1 {
			t.Errorf("%d notices went out", len(o.box))
		}
	})
}

// TestNoticeHeld: the kill switch, the caps of the policy and a stop by the team hold notices.
func TestNoticeHeld(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		n := o.notifier()
		switched := func(on bool) {
			t.Helper()
			var err error
			if on {
				err = o.dir.PauseChecks(ctx, deskOperator, directory.PauseOfChallenges, true, "trouble")
			} else {
				_, err = o.dir.ResumeChecks(ctx, deskOperator, directory.PauseOfChallenges, directory.HeldNone)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		switched(true)
		if sent := o.notices(n); sent != 0 {
			t.Error("a notice was sent against the kill switch")
		}
		switched(false)
		if decided := must[int](t)(n.Decide(ctx, 100)); decided != 1 {
			t.Fatalf("%d notices after the switch", decided)
		}
		switched(true)
		if sent := must[int](t)(n.Send(ctx, 100)); sent != 0 {
			t.Error("a notice that was decided was sent against the kill switch")
		}
		switched(false)
		if sent := must[int](t)(n.Send(ctx, 100)); sent != 1 {
			t.Fatal("no notice after the switch")
		}
		_, text := o.last()
		if _, found, err := o.StopNotices(ctx, strings.Repeat("0", 32)); err != nil || found {
			t.Errorf("a wrong token stops: %v, %v", found, err)
		}
		if _, found, err := o.StopNotices(ctx, noticesInMail.FindStringSubmatch(text)[1]); err != nil || !found {
			t.Errorf("stopping: %v, %v", found, err)
		}
		o.pass(8 * 24 * time.Hour)
		news := o.notifier(expired("alpha.example"))
		if sent := o.notices(news); sent != 0 {
			t.Error("a notice went to a team that wants none")
		}
		if err := o.AllowNotices(ctx, directory.Principal{Name: "x", Role: directory.Nobody().Role}, &o.team); err == nil {
			t.Error("anybody may let notices begin again")
		}
		if err := o.AllowNotices(ctx, deskOperator, &o.team); err != nil {
			t.Fatal(err)
		}
		o.ask(0, challenge.KindCode)
		beta := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: "be.ta", Profile: directory.Profile{Names: directory.Names{Short: "BETA"},
			Contacts: []directory.Contact{{Channel: "email", Value: "csirt@alpha.example"}}}}))
		must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: beta.ID, Contact: beta.Contacts[0].ID, Kind: challenge.KindCode}))
		o.run()
		if sent := o.notices(news); sent != 0 { // the policy allows two mails a day to an address
			t.Error("a notice beyond the cap of the day")
		}
		o.pass(25 * time.Hour)
		if sent := o.notices(news); sent != 2 { // to both teams
			t.Errorf("%d notices once the cap allows them", sent)
		}
	})
}

// TestNoticeBack: a notice that does not arrive is news again, for the next reader; one that
// asks for no more by mail stops them; other answers are for people.
func TestNoticeBack(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		n := o.notifier()
		if o.notices(n) != 1 {
			t.Fatal("no notice")
		}
		env, _ := o.last()
		if got := o.answers("csirt@alpha.example", "rollcall@rollcall.example", "Re: "+tagOf(t, env), "thank you"); got.Notice == "" || len(o.aside) != 1 || o.aside[0] != "notice" {
			t.Errorf("a reply is %+v, aside %v", got, o.aside)
		}
		if got := o.answers("MAILER-DAEMON@evil.example", "rollcall@rollcall.example", "Undelivered: "+tagOf(t, env), "nobody there"); got.Event == challenge.EventBounced {
			t.Errorf("a forged bounce is %+v", got)
		}
		if got := o.answers("MAILER-DAEMON@alpha.example", env.From, "Undelivered Mail Returned to Sender", "550 5.1.1 no such user"); got.Event != challenge.EventBounced {
			t.Errorf("a bounce is %+v", got)
		}
		o.pass(8 * 24 * time.Hour)
		if o.notices(n) != 1 || o.box[1].To[0] != "duty@alpha.example" {
			t.Fatalf("after the bounce: %d mails", len(o.box))
		}
		env, _ = o.last()
		if got := o.answers("duty@alpha.example", "rollcall@rollcall.example", tagOf(t, env)+"-stop", ""); got.Event != challenge.EventOptOut {
			t.Errorf("a stop by mail is %+v", got)
		}
		o.pass(8 * 24 * time.Hour)
		if o.notices(o.notifier(expired("alpha.example"))) != 0 {
			t.Error("a notice after the stop")
		}
	})
}

// TestNoticeRelay: what the relay does not take now goes out later, the same mail; what is too old by then is decided
// anew, and what it refuses for good goes to the next reader.
func TestNoticeRelay(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		n := o.notifier()
		o.refuse = func() error { return context.DeadlineExceeded }
		for range 2 { // and is not tried again at once
			if o.notices(n) != 0 {
				t.Fatal("the relay took it")
			}
		}
		o.refuse = nil
		o.pass(3 * time.Minute)
		if o.notices(n) != 1 || len(o.box) != 1 {
			t.Fatalf("%d mails when the relay is back", len(o.box))
		}
		o.pass(8 * 24 * time.Hour)
		later := o.notifier(expired("alpha.example"))
		if must[int](t)(later.Decide(ctx, 100)) != 1 {
			t.Fatal("nothing is decided")
		}
		o.pass(4 * 24 * time.Hour) // nobody sent anything
		if o.notices(later) != 0 || len(o.box) != 1 {
			t.Error("an old notice went out")
		}
		o.pass(4 * 24 * time.Hour)
		o.refuse = func() error { return mail.ErrNotOurs } // 550
		if o.notices(later) != 0 {
			t.Error("a refused notice counts as sent")
		}
		o.refuse = nil
		o.pass(8 * 24 * time.Hour)
		if o.notices(later) != 1 || o.box[1].To[0] != "duty@alpha.example" {
			t.Errorf("after the refusal: %d mails", len(o.box))
		}
	})
}

func tagOf(t *testing.T, env mail.Envelope) string {
	t.Helper()
	header := must[textproto.MIMEHeader](t)(textproto.NewReader(bufio.NewReader(bytes.NewReader(env.Raw))).ReadMIMEHeader())
	tag, _, _ := strings.Cut(header.Get("Subject"), " ")
	return tag
}

// TestNoticeOfEveryCode: the advice of every code there is can stand in a mail, in every language.
func TestNoticeOfEveryCode(t *testing.T) {
	id := must[*mail.Identity](t)(identityOnce())
	composer := must[*mail.Composer](t)(mail.NewComposer(mail.ComposerConfig{Identity: id, Plain: true}))
	var list []verify.Attention
	for _, p := range catalog.Problems() {
		list = append(list, verify.Attention{Finding: verify.Finding{Code: p.Code, Severity: verify.Error, Subject: "alpha.example"}, Check: "x", Due: deskDay.AddDate(0, 0, 20)})
	}
	things := challenge.Things(&directory.Team{Handle: "alpha"}, list, catalog.Find, deskDay)
	if len(things) < 100 {
		t.Fatalf("%d codes", len(things))
	}
	for i, th := range things {
		l := mail.Letter{ID: "notice-1", Kind: mail.KindDigest, Language: mail.Languages()[i%len(mail.Languages())], To: "csirt@alpha.example", Handle: "alpha", Tag: "7F3K9Q2M",
			Link: "https://rollcall.example/confirm/1", Stop: "https://rollcall.example/notices/1", Date: deskDay, Items: []mail.Item{th.Item}}
		m, err := composer.Render(l)
		if err != nil {
			t.Errorf("%s: %v", th.Item.Code, err)
			continue
		}
		for line := range strings.Lines(m.Text) {
			if n := len([]rune(strings.TrimSpace(line))); n > 78 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%s: a line of %d characters: %s", th.Item.Code, n, line)
			}
		}
	}
}

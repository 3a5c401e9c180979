package challenge_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

var messageID = regexp.MustCompile(`(?m)^Message-ID: (<[^>]+>)`)

// TestDeskRelay: a relay that does not want a mail gets it again later, the
// same one; none is lost and none goes out twice.
func TestDeskRelay(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.refuse = func() error { return errors.New("greylisted") }
		c := o.ask(0, challenge.KindCode)
		if len(o.box) != 0 || !c.Accepted.IsZero() || !c.Open() {
			t.Fatalf("refused for now: %+v", c)
		}
		o.run() // too soon
		o.refuse = nil
		o.run()
		if len(o.box) != 0 {
			t.Fatal("it was tried again at once")
		}
		o.pass(2 * time.Minute)
		o.run()
		o.run()
		if c = o.see(c.ID); len(o.box) != 1 || c.Accepted.IsZero() {
			t.Fatalf("%d mails; %+v", len(o.box), c)
		}
		token, code := o.said()
		if _, checked, err := o.Type(context.Background(), token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			t.Errorf("the code of the mail that came later is %+v, %v", checked, err)
		}
	})
}

// TestDeskCrash: a process that ends between the relay's word and the note of it
// has handed over a mail that nobody knows of. It goes out again as the same one.
func TestDeskCrash(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode}))
		must[int](t)(o.Tick(ctx, 10))
		taken := 0
		o.refuse = func() error { taken++; o.full = errors.New("the process ends"); return nil } // the relay takes it, and nothing is written any more
		if _, err := o.sender.Send(ctx, 10); err == nil {
			t.Fatal("the process did not end")
		}
		o.full = nil
		o.work() // another process
		o.refuse = nil
		o.run()
		if len(o.box) != 0 {
			t.Fatal("the lease of the process that ended was not waited for")
		}
		o.pass(6 * time.Minute)
		o.run()
		if len(o.box) != 1 || o.see(c.ID).Accepted.IsZero() {
			t.Fatalf("%d mails after the lease", len(o.box))
		}
		token, code := o.said()
		if _, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			t.Errorf("the code is %+v, %v", checked, err)
		}
		if taken != 1 {
			t.Errorf("taken %d times by the relay before", taken)
		}
	})
}

// TestDeskDiskFull: what the relay took is written down as soon as that is possible, and
// nothing goes out before; nothing goes out twice.
func TestDeskDiskFull(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		var asked []challenge.ID
		for i := range 2 {
			asked = append(asked, must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[i].ID, Kind: challenge.KindCode})).ID)
		}
		full := &directory.Error{Kind: directory.Unavailable, Op: "write challenge", Err: errors.New("no space left on device")}
		o.full = full
		if n, err := o.Tick(ctx, 10); !errors.Is(err, full) || n != 0 {
			t.Errorf("timers on a full disk: %d, %v", n, err)
		}
		o.full = nil
		if n := must[int](t)(o.Tick(ctx, 10)); n != 2 {
			t.Errorf("%d questions went on, want 2: a full disk is no trouble of theirs", n)
		}
		taken := 0
		o.refuse = func() error { taken++; o.full = full; return nil }
		for range 3 {
			if n, err := o.sender.Send(ctx, 10); !errors.Is(err, full) || n > 1 {
				t.Errorf("a full disk: %d mails, %v", n, err)
			}
		}
		if taken != 1 {
			t.Errorf("%d mails were handed over while nothing could be written", taken)
		}
		o.refuse, o.full = nil, nil
		o.pass(6 * time.Minute) // the lease is over, and the note comes first
		o.run()
		for _, id := range asked {
			if c := o.see(id); c.Accepted.IsZero() {
				t.Errorf("nobody noted that the relay took %+v", c)
			}
		}
		if taken+len(o.box) != 2 {
			t.Errorf("%d mails for two questions", taken+len(o.box))
		}
	})
}

// TestDeskSenderEnds: a sender that is to end writes down what the relay took meanwhile.
func TestDeskSenderEnds(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := must[challenge.Challenge](t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID, Kind: challenge.KindCode}))
		must[int](t)(o.Tick(context.Background(), 10))
		ctx, stop := context.WithCancel(context.Background())
		o.refuse = func() error { stop(); return nil }
		if _, err := o.sender.Send(ctx, 10); !errors.Is(err, context.Canceled) {
			t.Errorf("it did not end: %v", err)
		}
		if c = o.see(c.ID); c.Accepted.IsZero() {
			t.Error("what the relay took would go out again")
		}
	})
}

// TestDeskSlowRelay: a relay that takes minutes for each mail does not make others begin with
// the mails that wait for it.
func TestDeskSlowRelay(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		for i := range 6 {
			name := "slow" + string(rune('a'+i))
			team := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle(name), Profile: directory.Profile{
				Names: directory.Names{Short: "SLOW"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@" + name + ".example"}}}}))
			must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode}))
		}
		must[int](t)(o.Tick(ctx, 10))
		taken, slow := 0, true
		o.refuse = func() error {
			if taken++; !slow {
				return nil // another sender's, which is one too many
			}
			slow = false
			o.pass(4 * time.Minute)
			if n, err := o.sender.Send(ctx, 10); n != 0 || err != nil {
				t.Errorf("another sender began with %d mails, %v", n, err)
			}
			slow = true
			return nil
		}
		if n := must[int](t)(o.sender.Send(ctx, 10)); n != 6 || taken != 6 {
			t.Errorf("%d mails tried, %d handed over, want 6", n, taken)
		}
	})
}

// TestDeskBounce: a mail that comes back twice on different days is the end, and
// the contact is marked; once is not.
func TestDeskBounce(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		bounce := func() challenge.Received {
			env, _ := o.last()
			raw := "From: MAILER-DAEMON@mx.alpha.example\r\nTo: <" + env.From + ">\r\nSubject: Undelivered Mail Returned to Sender\r\nDate: " + o.clock().Format(time.RFC1123Z) +
				"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n" +
				"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.alpha.example\r\n\r\nFinal-Recipient: rfc822; csirt@alpha.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
			return must[challenge.Received](t)(o.receiver.Look(context.Background(), mail.Envelope{To: []string{env.From}, Raw: []byte(raw), At: o.clock()}))
		}
		if got := bounce(); got.Event != challenge.EventBounced || got.Challenge != c.ID || got.Step != challenge.StepFirst {
			t.Fatalf("a bounce is %+v", got)
		}
		if c = o.see(c.ID); c.State != challenge.StateBounced {
			t.Fatalf("after one bounce: %s", c.State)
		}
		if s := o.standing(0); s.State == directory.Failed {
			t.Error("one bounce is no failure")
		}
		for range 10 {
			if o.pass(6 * time.Hour); len(o.box) < 2 {
				o.run()
			}
		}
		if len(o.box) != 2 {
			t.Fatalf("%d mails, want the first and one on another day", len(o.box))
		}
		bounce()
		if c = o.see(c.ID); c.State != challenge.StateEscalated {
			t.Errorf("after two bounces: %s, %s", c.State, c.Outcome)
		}
		if other := must[[]challenge.Challenge](t)(o.db.ListChallenges(context.Background(), challenge.ListFilter{Contact: o.team.Contacts[1].ID, Limit: 5})); len(other) != 1 {
			t.Errorf("the next contact has %d questions", len(other))
		}
		if s := o.standing(0); s.State != directory.Failed {
			t.Errorf("the contact stands at %+v", s)
		}
	})
}

// TestDeskAutomatic: what programs send is no answer, even when it quotes the
// whole mail with its code.
func TestDeskAutomatic(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		env, text := o.last()
		got := o.answers("csirt@alpha.example", env.From, "Automatic reply: question", "We are out of office.\n\n"+text, "Auto-Submitted: auto-replied\r\n")
		if got.Event != challenge.EventAutoReply || got.Challenge != c.ID {
			t.Errorf("an automatic reply is %+v", got)
		}
		got = o.answers("csirt@alpha.example", replyInMail.FindString(string(env.Raw)), "Re: question", text)
		if got.Event != challenge.EventPlainReply && got.Event != challenge.EventAutoReply {
			t.Errorf("a reply that quotes everything is %+v", got)
		}
		if c = o.see(c.ID); c.State.Final() || o.standing(0).Level >= directory.Answered {
			t.Errorf("a quotation answered the question: %s, %+v", c.State, o.standing(0))
		}
		if got := o.answers("spam@example.net", "rollcall@rollcall.example", "hello", "buy\n"); got.Challenge != "" || len(o.aside) != 1 {
			t.Errorf("mail of nobody is %+v, aside %q", got, o.aside)
		}
	})
}

// TestDeskNonce: what only the key opens, sent back, proves the key.
func TestDeskNonce(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindNonce)
		env, text := o.last()
		if strings.Contains(string(env.Raw), "Type this code") || !strings.Contains(string(env.Raw), "BEGIN PGP MESSAGE") {
			t.Fatal("the mail is not encrypted")
		}
		token, code := o.said()
		if code == "" {
			nonce := ""
			for _, word := range nonceInMail.FindAllString(text, -1) {
				if word != token {
					nonce = word
				}
			}
			got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: encrypted message", nonce+"\n")
			if got.Event != challenge.EventProof {
				t.Fatalf("the nonce sent back is %+v", got)
			}
		} else if _, checked, err := o.Type(context.Background(), token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right || !checked.Sealed {
			t.Fatalf("the code from inside is %+v, %v", checked, err)
		}
		if c = o.see(c.ID); c.State != challenge.StateAnswered {
			t.Errorf("the question is %s", c.State)
		}
		if s := o.standing(0); s.Level != directory.Proven {
			t.Errorf("the contact stands at %+v", s)
		}
	})
}

// TestDeskMoves: a contact that is edited while it is asked is asked no more, and
// an answer to the old one proves nothing.
func TestDeskMoves(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		c := o.ask(0, challenge.KindCode)
		_, err := o.dir.Edit(ctx, deskOperator, "alpha", directory.Edit{Revision: directory.AnyRevision, Apply: func(_ *directory.Team, own *directory.Profile) error {
			own.Contacts[0].Value = "new@alpha.example"
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			o.pass(24 * time.Hour)
			o.run()
		}
		if c = o.see(c.ID); c.Outcome != challenge.OutcomeSuperseded {
			t.Errorf("the question to what is not there any more is %s, %s", c.State, c.Outcome)
		}
		if len(o.box) != 1 {
			t.Errorf("%d mails", len(o.box))
		}
	})
}

// TestDeskLimits: one question at a time, as long between two as the policy says, and none
// while everything is paused.
func TestDeskLimits(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.ask(0, challenge.KindCode)
		if _, err := o.Ask(ctx, challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[0].ID}); !errors.Is(err, challenge.ErrAskedNow) {
			t.Errorf("a second question = %v", err)
		}
		token, code := o.said()
		if _, _, err := o.Type(ctx, token, code, challenge.EventCodeRight); err != nil {
			t.Fatal(err)
		}
		next := o.ask(0, challenge.KindCode)
		if next.State != challenge.StateScheduled || len(o.box) != 1 {
			t.Errorf("a question on the same day is %s, %d mails", next.State, len(o.box))
		}
		if err := o.dir.PauseChecks(ctx, deskOperator, "", false, "holiday"); err != nil {
			t.Fatal(err)
		}
		o.pass(31 * 24 * time.Hour)
		o.run()
		if len(o.box) != 1 {
			t.Errorf("a mail went out while all was paused")
		}
		if _, err := o.dir.ResumeChecks(ctx, deskOperator, "", directory.HeldNone); err != nil {
			t.Fatal(err)
		}
		for range 30 { // until it is a working hour again
			if o.pass(time.Hour); len(o.box) < 2 {
				o.run()
			}
		}
		if len(o.box) != 2 {
			t.Errorf("%d mails after the pause, want 2", len(o.box))
		}
	})
}

// TestDeskSilence follows a contact that never answers to the end of the ladder.
func TestDeskSilence(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		for range 60 {
			o.pass(12 * time.Hour)
			o.run()
		}
		c = o.see(c.ID)
		if c.Outcome != challenge.OutcomeUnanswered {
			t.Fatalf("after a month of silence: %s, %s", c.State, c.Outcome)
		}
		mails := map[string]int{}
		for _, env := range o.box {
			mails[env.To[0]+" "+messageID.FindStringSubmatch(string(env.Raw))[1]]++
		}
		for which, n := range mails {
			if n != 1 {
				t.Errorf("%s went out %d times", which, n)
			}
		}
		other := must[[]challenge.Challenge](t)(o.db.ListChallenges(context.Background(), challenge.ListFilter{Team: o.team.ID, Contact: o.team.Contacts[1].ID, Limit: 5}))
		if len(other) != 1 || other[0].Parent != c.ID {
			t.Errorf("the next contact has %d questions", len(other))
		}
		cases := must[[]challenge.OpenCase](t)(o.db.ListCases(context.Background(), challenge.CaseFilter{Limit: 10}))
		if len(cases) == 0 {
			t.Error("nobody was asked to look")
		}
	})
}

// TestDeskCrowd lets several senders and desks work on one store at once: each
// mail goes out once.
func TestDeskCrowd(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		for i := range 40 {
			team := must[directory.Team](t)(o.dir.Create(ctx, deskOperator, directory.NewTeam{Handle: directory.Handle("crowd-" + string(rune('a'+i/26)) + string(rune('a'+i%26))), Profile: directory.Profile{
				Names: directory.Names{Short: "CROWD"}, Contacts: []directory.Contact{{Channel: "email", Value: "csirt@crowd" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".example"}}}}))
			must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode}))
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 6 {
					if _, err := o.Tick(ctx, 15); err != nil {
						t.Error(err)
					}
					if _, err := o.sender.Send(ctx, 7); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for range 10 {
			o.run()
		}
		to := map[string]int{}
		for _, env := range o.box {
			to[env.To[0]]++
		}
		if len(to) != 40 || len(o.box) != 40 {
			t.Errorf("%d mails to %d contacts, want 40 to 40", len(o.box), len(to))
		}
	})
}

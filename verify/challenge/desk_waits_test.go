package challenge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// askedUntil asks a contact a question that ends at a time, and lets the timers fire.
func (o *office) askedUntil(contact int, kind challenge.Kind, until time.Time) challenge.Challenge {
	o.t.Helper()
	c := must[challenge.Challenge](o.t)(o.Ask(context.Background(), challenge.Ask{Team: o.team.ID, Contact: o.team.Contacts[contact].ID, Kind: kind, Until: until}))
	must[int](o.t)(o.Tick(context.Background(), 10))
	return c
}

// still lets a question stand still for a time.
func (o *office) still(id challenge.ID, d time.Duration) {
	o.t.Helper()
	must[challenge.Challenge](o.t)(o.Pause(context.Background(), deskOperator, id, ""))
	o.pass(d)
	must[challenge.Challenge](o.t)(o.Unpause(context.Background(), deskOperator, id, ""))
}

func (o *office) page(token string) challenge.Result {
	o.t.Helper()
	_, checked, err := o.Look(context.Background(), token)
	if err != nil {
		o.t.Fatal(err)
	}
	return checked.Result
}

const wholeDay = 24 * time.Hour

// TestWaitingMail: a mail that waits in the outbox, for whatever reason, goes out with all of its time.
func TestWaitingMail(t *testing.T) {
	waits := map[string]func(*office, challenge.ID, int){
		"paused": func(o *office, id challenge.ID, days int) { o.still(id, time.Duration(days)*wholeDay) },
		"kill switch": func(o *office, _ challenge.ID, days int) {
			if err := o.dir.PauseChecks(context.Background(), deskOperator, directory.PauseOfChallenges, false, "stop"); err != nil {
				o.t.Fatal(err)
			}
			o.days(days)
			must[int](o.t)(o.dir.ResumeChecks(context.Background(), deskOperator, directory.PauseOfChallenges, directory.HeldNone))
		},
	}
	for name, wait := range waits {
		for _, days := range []int{12, 60} {
			for _, until := range []time.Duration{0, 10 * wholeDay} {
				offices(t, func(t *testing.T, o *office) {
					end := time.Time{}
					if until > 0 {
						end = o.clock().Add(until)
					}
					c := o.askedUntil(0, challenge.KindCode, end)
					wait(o, c.ID, days)
					o.run()
					token, code := o.said()
					_, text := o.last()
					if by := o.clock().AddDate(0, 0, 9).Format("2006-01"); len(o.box) != 1 || !strings.Contains(text, by) {
						t.Errorf("%s for %d days: %d mails; the mail does not name a day in %s:\n%s", name, days, len(o.box), by, text)
					}
					o.pass(9 * wholeDay)
					if got := o.page(token); got != challenge.Right {
						t.Errorf("%s for %d days, to end in %s: the page of a new mail says %s", name, days, until, got)
					}
					if _, checked, err := o.Type(context.Background(), token, code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
						t.Errorf("%s for %d days: the right code is %s, %v", name, days, checked.Result, err)
					}
				})
			}
		}
	}
}

// TestOneClock: page, signed replies and encrypted ones go by the same end, and what was paused is given back once.
func TestOneClock(t *testing.T) {
	for left, want := range map[time.Duration]struct {
		page    challenge.Result
		event   challenge.EventKind
		refused mail.Refusal
	}{4 * wholeDay: {challenge.Right, challenge.EventProof, ""}, 6 * wholeDay: {challenge.Expired, challenge.EventPlainReply, mail.OutOfTime}} {
		offices(t, func(t *testing.T, o *office) {
			c := o.askedUntil(0, challenge.KindSigned, o.clock().Add(5*wholeDay))
			o.run()
			token, _ := o.said()
			_, text := o.last()
			o.still(c.ID, 6*wholeDay)
			o.pass(left)
			if got := o.page(token); got != want.page {
				t.Errorf("the page says %s after %s of five days, want %s", got, left, want.page)
			}
			if got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: x", o.signed(o.nonce()+"\n")); got.Event != want.event || got.Refused != string(want.refused) {
				t.Errorf("a signed reply after %s of five days is %+v", left, got)
			}
		})
	}
	offices(t, func(t *testing.T, o *office) {
		o.askedUntil(0, challenge.KindNonce, o.clock().Add(wholeDay))
		o.run()
		token, _ := o.said()
		_, text := o.last()
		o.pass(3 * wholeDay)
		if got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: x", "Here it is: "+o.nonce()+"\n"); o.page(token) != challenge.Expired || got.Event != challenge.EventPlainReply {
			t.Errorf("a nonce after the end is %+v, the page says %s", got, o.page(token))
		}
	})
	offices(t, func(t *testing.T, o *office) {
		c := o.askedUntil(0, challenge.KindCode, o.clock().Add(20*wholeDay))
		o.run()
		o.pass(time.Hour)
		o.still(c.ID, 10*wholeDay)
		for i := 0; len(o.see(c.ID).Postings) < 2 && i < 15; i++ {
			o.days(1)
		}
		token, _ := o.said() // of the reminder
		o.pass(o.see(c.ID).Until.Sub(o.clock()) + time.Hour)
		if got := o.page(token); got != challenge.Expired {
			t.Errorf("the page of a reminder says %s after the end: what was paused before it is given back twice", got)
		}
	})
}

// report is a machine-readable bounce of the newest mail.
func (o *office) report(recipient, status string) challenge.Received {
	o.t.Helper()
	env, _ := o.last()
	raw := "From: MAILER-DAEMON@mx.alpha.example\nTo: <" + env.From + ">\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nfailed\n--b\nContent-Type: message/delivery-status\n\n" +
		"Reporting-MTA: dns; mx.alpha.example\n\nFinal-Recipient: rfc822; " + recipient + "\nAction: failed\nStatus: " + status + "\n\n--b--\n"
	return must[challenge.Received](o.t)(o.receiver.Look(context.Background(), mail.Envelope{To: []string{env.From}, Raw: []byte(strings.ReplaceAll(raw, "\n", "\r\n")), At: o.clock()}))
}

// TestBounceOfWhom: what comes back on two days is held against an address only where it is about the address; and
// what has come back for any reason has not arrived.
func TestBounceOfWhom(t *testing.T) {
	for _, tt := range []struct {
		recipient, status string
		failed            bool
		cases             int // of our own trouble
	}{
		{"csirt@alpha.example", "5.1.1", true, 0},
		{"CSIRT@mx.alpha.example", "5.1.1", true, 0},
		{"csirt@alpha.example", "5.7.17", true, 0}, // the mailbox is somebody else's by now
		{"bob.left@elsewhere.example", "5.1.1", false, 0},
		{"csirt@alpha.example", "5.7.1", false, 1},
		{"csirt@alpha.example", "4.2.2", false, 0},
	} {
		offices(t, func(t *testing.T, o *office) {
			c := o.ask(0, challenge.KindCode)
			for range 2 {
				o.report(tt.recipient, tt.status)
				o.days(2)
			}
			q := o.see(c.ID)
			if got := o.standing(0).State == directory.Failed; got != tt.failed || q.Undeliverable() != tt.failed {
				t.Errorf("%s, %s: %+v, %s", tt.recipient, tt.status, o.standing(0), q.State)
			}
			o.days(5)
			if q := o.see(c.ID); len(q.Proofs) > 0 || o.standing(0).Level > directory.Listed {
				t.Errorf("%s, %s: it arrived, by %+v", tt.recipient, tt.status, q.Proofs)
			}
			if cases := o.open(challenge.CaseUnsendable); len(cases) != tt.cases {
				t.Errorf("%s, %s: cases %+v", tt.recipient, tt.status, cases)
			}
		})
	}
}

// TestDelayed: a mail that is late counts as arrived when nothing comes back for as long as it may still be tried.
func TestDelayed(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		env, _ := o.last()
		raw := "From: MAILER-DAEMON@mx.alpha.example\r\nTo: <" + env.From + ">\r\nSubject: Warning: message delayed 4 hours\r\n\r\nThe message has been delayed.\r\n"
		if got := must[challenge.Received](t)(o.receiver.Look(context.Background(), mail.Envelope{To: []string{env.From}, Raw: []byte(raw), At: o.clock()})); got.Class.Sort != mail.Delayed {
			t.Fatalf("%+v", got)
		}
		o.days(4)
		if q := o.see(c.ID); len(q.Proofs) > 0 {
			t.Errorf("it arrived while it was tried, by %+v", q.Proofs)
		}
		o.days(5)
		if q := o.see(c.ID); len(q.Proofs) != 1 || q.Proofs[0].Method != challenge.MethodAccepted {
			t.Errorf("nothing came back, and it has not arrived: %+v", q.Proofs)
		}
	})
}

// TestSignedWordsOfBounces: a signature tells a person from a program, however the words begin and wherever they went.
func TestSignedWordsOfBounces(t *testing.T) {
	for _, words := range []string{"Hi. This is the duty officer of ALPHA CSIRT.\n", "The following message to you: ", "I'm sorry to have to inform you late. "} {
		for _, back := range []bool{false, true} {
			offices(t, func(t *testing.T, o *office) {
				c := o.ask(0, challenge.KindSigned)
				env, text := o.last()
				o.pass(time.Hour)
				to := replyInMail.FindString(text)
				if back {
					to = env.From
				}
				if got := o.answers("csirt@alpha.example", to, "Re: x", o.signed(words+o.nonce()+"\n")); got.Event != challenge.EventProof || o.see(c.ID).State != challenge.StateAnswered {
					t.Errorf("%q, to the return path %t: %+v, %s", words, back, got, o.see(c.ID).State)
				}
			})
		}
	}
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		_, text := o.last()
		if got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: x", "I'm sorry to have to inform you that Anna has left us, please call me.\n"); got.Event != challenge.EventPlainReply || len(o.see(c.ID).Bounces) > 0 {
			t.Errorf("a person's words are %+v", got)
		}
	})
}

// TestGatewayQuotes: behind a gateway that decrypts, what programs send has the nonce too.
func TestGatewayQuotes(t *testing.T) {
	for name, make := range map[string]func(token, nonce string) string{
		"a notice of absence": func(token, nonce string) string {
			return "Precedence: bulk\nContent-Type: text/plain\n\nI am out of the office until Monday.\n\n-----Original Message-----\nhttps://rollcall.example/answer/" + token + "\n" + nonce + "\n"
		},
		"one without any header": func(token, nonce string) string {
			return "Content-Type: text/plain\n\nI am out of the office until Monday.\n\n-----Original Message-----\nhttps://rollcall.example/answer/" + token + "\n" + nonce + "\n"
		},
		"words of no known sort": func(token, nonce string) string {
			return "Content-Type: text/plain\n\nVisit our new web site.\n\nhttps://rollcall.example/answer/" + token + "\n" + nonce + "\n"
		},
		"an acknowledgement in HTML": func(_, nonce string) string {
			return "Content-Type: text/html\n\n<p>Your ticket no. 4711 was created.</p><blockquote>\n<b>your mail</b>\n" + nonce + "</blockquote>\n"
		},
		"a quotation in HTML": func(_, nonce string) string {
			return "Content-Type: text/html\n\n<p>Thank you.</p><BLOCKQUOTE type=cite><div>\n" + nonce + "</div></BLOCKQUOTE>\n"
		},
	} {
		offices(t, func(t *testing.T, o *office) {
			c := o.ask(0, challenge.KindNonce)
			token, _ := o.said()
			_, text := o.last()
			o.pass(time.Hour)
			if got := o.comes(replyInMail.FindString(text), make(token, o.nonce())); got.Event == challenge.EventProof || o.standing(0).Level >= directory.Answered {
				t.Errorf("%s: %+v, level %s", name, got, o.standing(0).Level)
			}
			own := "Content-Type: text/plain\n\nHere it is: " + o.nonce() + "\n\n-----Original Message-----\nhttps://rollcall.example/answer/" + token + "\n" + o.nonce() + "\n"
			if got := o.comes(replyInMail.FindString(text), own); got.Event != challenge.EventProof || o.see(c.ID).State != challenge.StateAnswered {
				t.Errorf("a person's answer above our mail: %+v", got)
			}
		})
	}
}

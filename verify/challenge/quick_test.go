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

// flagged returns the events of a question that were flagged as too quick.
func (o *office) flagged(id challenge.ID) string {
	o.t.Helper()
	var out []string
	for _, l := range must[[]challenge.Logged](o.t)(o.db.ChallengeLog(context.Background(), id)) {
		if l.Event.Quick {
			out = append(out, string(l.Event.Kind))
		}
	}
	return strings.Join(out, " ")
}

// TestQuickReply: a plain reply within two minutes of its mail is suspected, and one after that is not; of neither the
// question knows more than that something came.
func TestQuickReply(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		for _, tt := range []struct {
			after time.Duration
			quick bool
			class mail.Sort
		}{{time.Second, true, mail.Suspected}, {challenge.QuickWithin - time.Second, true, mail.Suspected}, {challenge.QuickWithin, false, mail.Reply}, {time.Hour, false, mail.Reply}} {
			c := o.ask(0, challenge.KindCode)
			env, _ := o.last()
			o.pass(tt.after)
			got := o.answers("csirt@alpha.example", "rollcall@rollcall.example", "Re: "+tagOf(t, env), "Thank you, we will look into it.") // which says not of which mail
			if got.Event != challenge.EventPlainReply || got.Quick != tt.quick || got.Class.Sort != tt.class {
				t.Errorf("a reply after %s is %+v", tt.after, got)
			}
			now := o.see(c.ID)
			if flagged := o.flagged(c.ID) == "plain-reply"; flagged != tt.quick || now.Quick.IsZero() == tt.quick || now.Replied.IsZero() || now.State != challenge.StateDelivered || now.Reached != directory.Listed || !now.Human.IsZero() {
				t.Errorf("after a reply after %s the question is %+v, flagged %t", tt.after, now, flagged)
			}
			must[challenge.Challenge](t)(o.Stop(context.Background(), deskOperator, c.ID, "next"))
			o.pass(60 * day)
		}
	})
}

// TestQuickCode: a code that was typed within seconds is proof, with a flag that the report counts.
func TestQuickCode(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		for _, quick := range []bool{true, false} {
			c := o.ask(1, challenge.KindCode)
			token, code := o.said()
			o.pass(5 * time.Second)
			if !quick {
				o.pass(time.Hour)
			}
			_, checked, err := o.Type(ctx, token, code, challenge.EventCodeRight)
			if err != nil || checked.Result != challenge.Right {
				t.Fatalf("the code: %+v, %v", checked, err)
			}
			now := o.see(c.ID)
			if now.State != challenge.StateAnswered || now.Reached != directory.Answered || now.Human.IsZero() || now.Quick.IsZero() == quick || (o.flagged(c.ID) == "code-right") != quick {
				t.Errorf("quick %t: %s, level %d, quick at %s, flagged %q", quick, now.State, now.Reached, now.Quick, o.flagged(c.ID))
			}
			if p := challenge.Count([]challenge.Challenge{now}); p.Quick != map[bool]int{true: 1}[quick] {
				t.Errorf("quick %t: the progress counts %d", quick, p.Quick)
			}
			o.pass(60 * day)
		}
	})
}

// TestQuickProof: a reply that is signed within seconds proves what it proves, with a flag. So does one that comes
// before it is written down that the relay took the mail.
func TestQuickProof(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindSigned)
		_, text := o.last()
		o.pass(time.Minute)
		if got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: question", o.signed("Our word is "+o.nonce()+"\n")); got.Event != challenge.EventProof || !got.Quick || got.Class.Sort == mail.Suspected {
			t.Errorf("a signed reply is %+v", got)
		}
		if now := o.see(c.ID); now.Reached != directory.Proven || now.State != challenge.StateAnswered || o.flagged(c.ID) != "proof" {
			t.Errorf("the question is %s, level %d, flagged %q", now.State, now.Reached, o.flagged(c.ID))
		}
	})
}

// TestQuickReminder: an answer is held against the mail that it names, or else against the newest one.
func TestQuickReminder(t *testing.T) {
	p, _ := challenge.Preset(challenge.PresetHalfYearly)
	base := scheduledAt(challenge.KindCode)
	c, _ := run(base, p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0))
	reminded, _ := run(c, p, at(challenge.EventReminder, 7*24+1))
	if reminded.State != challenge.StateReminded {
		t.Fatalf("the question is %s", reminded.State)
	}
	for _, tt := range []struct {
		name  string
		step  string
		after time.Duration // after the reminder
		kind  challenge.EventKind
		want  bool
	}{
		{"the newest mail", "", time.Second, challenge.EventPlainReply, true},
		{"the first mail, by its token", challenge.StepFirst, time.Second, challenge.EventPlainReply, false},
		{"the reminder, by its token", "reminder-1", time.Second, challenge.EventCodeRight, true},
		{"a minute too late", "reminder-1", 3 * time.Minute, challenge.EventCodeRight, false},
		{"a step that there is not", "code-4", time.Second, challenge.EventProof, true},
		{"an automatic reply is no act", "", time.Second, challenge.EventAutoReply, false},
		{"a bounce is no act", "reminder-1", time.Second, challenge.EventBounced, false},
	} {
		asked := reminded.Posting("reminder-1").Asked
		if got := challenge.TooQuick(&reminded, &challenge.Event{Kind: tt.kind, Step: tt.step, At: asked.Add(tt.after)}, asked.Add(time.Hour)); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}

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

// nonce is that of the last mail, beside its token.
func (o *office) nonce() string {
	o.t.Helper()
	token, _ := o.said()
	_, text := o.last()
	for _, word := range nonceInMail.FindAllString(text, -1) {
		if word != token {
			return word
		}
	}
	o.t.Fatalf("no nonce in the mail:\n%s", text)
	return ""
}

// TestAutomaticProvesNothing: a gateway signs, and opens, whatever passes it. What a program sent through
// it answers no question, of whichever kind; what a person sends by way of a ticket system does.
func TestAutomaticProvesNothing(t *testing.T) {
	const thanks = "Thank you for contacting us. Your request has been received.\n\n"
	for _, tt := range []struct {
		name    string
		kind    challenge.Kind
		subject string
		header  string
		body    func(nonce, quoted, whole string) string
		want    bool
	}{
		{"Auto-Submitted, quoting", challenge.KindSigned, "Re: x", "Auto-Submitted: auto-replied\r\n", func(_, quoted, _ string) string { return quoted }, false},
		{"Auto-Submitted, and the nonce in its own words", challenge.KindSigned, "Re: x", "Auto-Submitted: auto-generated\r\n", func(nonce, _, _ string) string { return nonce + "\n" }, false},
		{"Auto-Submitted, with both ways", challenge.KindBoth, "Re: x", "Auto-Submitted: auto-replied\r\n", func(nonce, _, _ string) string { return nonce + "\n" }, false},
		{"a ticket system that repeats the mail", challenge.KindSigned, "[csirt #4711] Re: x", "RT-Ticket: csirt #4711\r\n", func(_, _, whole string) string { return thanks + whole }, false},
		{"a ticket system that quotes the mail", challenge.KindSigned, "[csirt #4711] Re: x", "RT-Ticket: csirt #4711\r\n", func(_, quoted, _ string) string { return thanks + quoted }, false},
		{"a ticket system, unsigned", challenge.KindNonce, "[csirt #4711] Re: x", "RT-Ticket: csirt #4711\r\n", func(nonce, _, _ string) string { return thanks + nonce + "\n" }, false},
		{"a person by way of a ticket system", challenge.KindSigned, "[csirt #4711] Re: x", "RT-Ticket: csirt #4711\r\nPrecedence: bulk\r\n", func(nonce, quoted, _ string) string { return "We have received your message: " + nonce + "\n" + quoted }, true},
		{"Auto-Submitted: no", challenge.KindSigned, "Re: x", "Auto-Submitted: no\r\n", func(nonce, _, _ string) string { return nonce + "\n" }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				c := o.ask(0, tt.kind)
				_, text := o.last()
				_, whole, _ := strings.Cut(text, "\r\n\r\n")
				whole = strings.ReplaceAll(whole, "\r\n", "\n")
				body := tt.body(o.nonce(), "> "+strings.ReplaceAll(whole, "\n", "\n> ")+"\n", whole)
				if tt.kind != challenge.KindNonce {
					body = o.signed(body)
				}
				o.pass(time.Minute)
				got := o.answers("csirt@alpha.example", replyInMail.FindString(text), tt.subject, body, tt.header)
				if is := got.Event == challenge.EventProof; is != tt.want || tt.want != (o.see(c.ID).State == challenge.StateAnswered) {
					t.Errorf("%+v; the question is %s", got, o.see(c.ID).State)
				}
				if level := o.standing(0).Level; !tt.want && level >= directory.Answered {
					t.Errorf("level %d", level)
				}
			})
		})
	}
}

// TestForgedBounce: a bounce counts where it has what only who saw our mail can have; the tag of the
// subject is known to others too.
func TestForgedBounce(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(0, challenge.KindCode)
		env, _ := o.last()
		look := func(to, more string) challenge.Received {
			raw := "From: MAILER-DAEMON@mx.alpha.example\r\nTo: <" + to + ">\r\nSubject: Undelivered Mail Returned to Sender\r\n" + more + "Content-Type: text/plain\r\n\r\nUser unknown (#5.1.1): [" + c.Subject + "]\r\n"
			return must[challenge.Received](t)(o.receiver.Look(context.Background(), mail.Envelope{To: []string{to}, Raw: []byte(raw), At: o.clock()}))
		}
		if got := look("rollcall@rollcall.example", ""); got.Event != "" || got.Challenge != c.ID || len(o.aside) != 1 {
			t.Errorf("a bounce by the tag alone is %+v, aside %q", got, o.aside)
		}
		if c := o.see(c.ID); len(c.Bounces) != 0 {
			t.Errorf("it counts: %+v", c.Bounces)
		}
		id := "References: " + messageID.FindStringSubmatch(string(env.Raw))[1] + "\r\n"
		for to, more := range map[string]string{"rollcall@rollcall.example": id, env.From: ""} {
			if got := look(to, more); got.Event != challenge.EventBounced {
				t.Errorf("to %s: %+v", to, got)
			}
		}
	})
}

// TestNonceFromCapitals: an address is the same however its letters are written.
func TestNonceFromCapitals(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.edit(func(p *directory.Profile) { p.Contacts[0].Value = "CSIRT@Alpha.Example" })
		c := o.ask(0, challenge.KindNonce)
		_, text := o.last()
		if got := o.answers("csirt@alpha.example", replyInMail.FindString(text), "Re: x", o.nonce()+"\n"); got.Event != challenge.EventProof || o.see(c.ID).State != challenge.StateAnswered {
			t.Errorf("the nonce sent back is %+v", got)
		}
	})
}

// TestSignedByAlias: a signed reply may come from any address that the key names, and from no other.
func TestSignedByAlias(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		c := o.ask(1, challenge.KindSigned)
		_, text := o.last()
		to, body := replyInMail.FindString(text), o.signed("Our word is "+o.nonce()+"\n")
		if got := o.answers("other@alpha.example", to, "Re: x", body); got.Event == challenge.EventProof || got.Refused != "from-other" {
			t.Errorf("from another address: %+v", got)
		}
		if got := o.answers("csirt@alpha.example", to, "Re: x", body); got.Event != challenge.EventProof || o.see(c.ID).State != challenge.StateAnswered {
			t.Errorf("from the address of the key: %+v", got)
		}
	})
}

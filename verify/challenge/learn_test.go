package challenge_test

import (
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// TestDeskLearns: a reply's valid signature by the contact's own domain teaches the name of its key.
// What is not valid, or a stranger's, teaches nothing, however the mail looks.
func TestDeskLearns(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		o.ask(0, challenge.KindCode)
		_, text := o.last()
		to := replyInMail.FindString(text)
		known := func(domains ...string) string {
			t.Helper()
			var names []string
			for _, s := range must[[]verify.Selector](t)(o.db.Selectors(t.Context(), domains)) {
				names = append(names, s.Domain+" "+s.Name)
				if !s.Seen.Equal(o.clock()) {
					t.Errorf("%s was seen at %s, want %s", s.Name, s.Seen, o.clock())
				}
			}
			return strings.Join(names, ", ")
		}
		all := []string{"alpha.example", "evil.example", "example", "mail.alpha.example"}
		o.origin = mail.Authentication{DKIM: []mail.Signer{
			{Domain: "alpha.example", Selector: "forged", Result: "fail"}, {Domain: "alpha.example", Selector: "later", Result: "temperror"},
			{Domain: "evil.example", Selector: "e1", Result: "pass"}, {Domain: "example", Selector: "e2", Result: "pass"}, {Domain: "alpha.example", Result: "pass"},
			{Domain: "mail.alpha.example", Selector: "e3", Result: "pass"}}}
		if got := o.answers("csirt@alpha.example", to, "Re: question", "We are here.\n"); got.Event != challenge.EventPlainReply {
			t.Fatalf("a reply is %+v", got)
		}
		if got := known(all...); got != "" {
			t.Errorf("a reply that nobody vouches for teaches %q", got)
		}
		o.origin = mail.Authentication{DKIM: []mail.Signer{{Domain: "evil.example", Selector: "e1", Result: "pass"}, {Domain: "alpha.example", Selector: "s1", Result: "pass"}}}
		o.answers("csirt@alpha.example", to, "Re: question", "We are still here.\n")
		if got := known(all...); got != "alpha.example s1" {
			t.Errorf("a signed reply teaches %q, want alpha.example s1", got)
		}
		o.origin = mail.Authentication{DKIM: []mail.Signer{{Domain: "alpha.example", Selector: "s2", Result: "pass"}}}
		if got := o.answers("csirt@alpha.example", "stranger@rollcall.example", "hello", "Hello.\n"); got.Challenge != "" {
			t.Fatalf("a mail that belongs to nothing is %+v", got)
		}
		if got := known(all...); got != "alpha.example s1" {
			t.Errorf("after a mail that belongs to no question: %q", got)
		}
	})
}

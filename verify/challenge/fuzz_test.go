package challenge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// FuzzParsePolicy: whatever comes is refused with a place, or survives being
// written and read again.
func FuzzParsePolicy(f *testing.F) {
	for _, p := range challenge.Presets() {
		f.Add([]byte(`{"name":"` + p.Name + `","interval":"` + p.Interval.String() + `","quiet":"` + p.Quiet.String() + `","reminders":["1d"]}`))
	}
	f.Add([]byte(`{"reminders":[null,"3bd"],"minimum":-1,"ladder":[{}],"caps":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, problems := challenge.ParsePolicy(text)
		if len(problems) > 0 {
			return
		}
		again, problems := challenge.ParsePolicy([]byte(mustJSON(t, p)))
		if diff := cmp.Diff(p, again); diff != "" || len(problems) > 0 {
			t.Errorf("a sound policy does not survive: %v\n%s", problems, diff)
		}
	})
}

// FuzzSecrets: no text that people send makes the checks fall over, and none is
// right but the right one.
func FuzzSecrets(f *testing.F) {
	key := serverKey(f, "k")
	c, s := issued(f, key, 1)
	f.Add(s.Token, s.Code)
	f.Add("ı\u2011\xff", "７F3K")
	f.Fuzz(func(t *testing.T, token, code string) {
		got := key.CheckCode(&c, token, code, monday)
		if nonce := key.CheckNonce(&c, code, monday); nonce.Result == challenge.Right && len(code) < len(s.Nonce) {
			t.Errorf("%q is taken for the nonce", code)
		}
		if got.Result == challenge.Right && (len(token) < 32 || len(code) < 8) {
			t.Errorf("%q and %q are taken for token and code", token, code)
		}
		_ = challenge.VerifyAnswer(challenge.AnswerKey{Scheme: challenge.SchemeHMAC, Key: make([]byte, 32)}, token, []byte(code), monday)
	})
}

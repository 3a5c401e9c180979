package challenge_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// chance is randomness that repeats itself.
func chance(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func serverKey(t testing.TB, octet string) challenge.Key {
	t.Helper()
	key, err := challenge.NewKey([]byte(strings.Repeat(octet, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issued returns a challenge that was sent with secrets.
func issued(t testing.TB, key challenge.Key, seed byte) (challenge.Challenge, challenge.Secrets) {
	t.Helper()
	p, _ := challenge.Preset(challenge.PresetHalfYearly)
	c, _ := run(scheduledAt(challenge.KindCode), p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0))
	secrets, issue, err := key.Issue(chance(seed), &c, c.Expiry(p, monday), false)
	if err != nil {
		t.Fatal(err)
	}
	return c.WithIssue(challenge.StepFirst, issue), secrets
}

func TestCheckCode(t *testing.T) {
	key := serverKey(t, "k")
	c, s := issued(t, key, 1)
	_, foreign := issued(t, key, 2)
	now := monday.Add(time.Hour)
	typed := strings.ToLower(strings.NewReplacer("1", "l", "0", "o").Replace(s.Code))
	change := func(f func(*challenge.Challenge)) challenge.Challenge { d := c; f(&d); return d }
	step := func(kinds ...challenge.EventKind) challenge.Challenge {
		d := c
		for i, k := range kinds {
			d, _ = run(d, preset(t, challenge.PresetHalfYearly), at(k, 0.1+float64(i)/100))
		}
		return d
	}
	wrong := challenge.EventCodeWrong
	tests := []struct {
		name        string
		c           challenge.Challenge
		key         challenge.Key
		token, code string
		now         time.Time
		want        challenge.Result
		left        int
	}{
		{"as sent", c, key, s.Token, s.Code, now, challenge.Right, 5},
		{"in lower case, with l and o", c, key, strings.ToLower(s.Token), typed, now, challenge.Right, 5},
		{"with spaces and without a dash", c, key, s.Token, " " + strings.ReplaceAll(s.Code, "-", " ") + " ", now, challenge.Right, 5},
		{"another code", c, key, s.Token, "7F3K-9Q2M", now, challenge.Wrong, 4},
		{"no code", c, key, s.Token, "", now, challenge.Wrong, 4},
		{"a code with U, which is no letter of ours", c, key, s.Token, "UUUU-UUUU", now, challenge.Wrong, 4},
		{"a code of a megabyte", c, key, s.Token, strings.Repeat("A", 1<<20), now, challenge.Wrong, 4},
		{"the token as code", c, key, s.Token, s.Token, now, challenge.Wrong, 4},
		{"the code of another challenge", c, key, s.Token, foreign.Code, now, challenge.Wrong, 4},
		{"the token of another challenge", c, key, foreign.Token, foreign.Code, now, challenge.Unknown, 0},
		{"the right code with another's token", c, key, foreign.Token, s.Code, now, challenge.Unknown, 0},
		{"the nonce as token", c, key, s.Nonce, s.Code, now, challenge.Unknown, 0},
		{"no token", c, key, "", s.Code, now, challenge.Unknown, 0},
		{"a token that was cut", c, key, s.Token[:31], s.Code, now, challenge.Unknown, 0},
		{"another server's key", c, serverKey(t, "x"), s.Token, s.Code, now, challenge.Unknown, 0},
		{"another contact", change(func(d *challenge.Challenge) { d.Contact = "k2" }), key, s.Token, s.Code, now, challenge.Unknown, 0},
		{"the contact's next revision", change(func(d *challenge.Challenge) { d.Revision++ }), key, s.Token, s.Code, now, challenge.Unknown, 0},
		{"another campaign", change(func(d *challenge.Challenge) { d.Campaign = "2027" }), key, s.Token, s.Code, now, challenge.Unknown, 0},
		{"another challenge of the same contact", change(func(d *challenge.Challenge) { d.ID = "c2" }), key, s.Token, s.Code, now, challenge.Unknown, 0},
		{"on the last day", c, key, s.Token, s.Code, monday.AddDate(0, 0, 45), challenge.Right, 5},
		{"a second too late", c, key, s.Token, s.Code, monday.AddDate(0, 0, 45).Add(time.Second), challenge.Expired, 5},
		{"after four wrong codes", step(wrong, wrong, wrong, wrong), key, s.Token, s.Code, now, challenge.Right, 1},
		{"after five wrong codes", step(wrong, wrong, wrong, wrong, wrong), key, s.Token, s.Code, now, challenge.Locked, 0},
		{"a second time", step(challenge.EventCodeRight), key, s.Token, s.Code, now, challenge.Used, 5},
		{"after the end", step(challenge.EventStopped), key, s.Token, s.Code, now, challenge.Used, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.key.CheckCode(&tt.c, tt.token, tt.code, tt.now)
			if got.Result != tt.want || got.Left != tt.left {
				t.Errorf("CheckCode(%q, %.20q) = %s with %d left, want %s with %d", tt.token, tt.code, got.Result, got.Left, tt.want, tt.left)
			}
		})
	}
}

// TestNewCodeAfterLock: five wrong codes lock the mail's code and no other; the
// new one works, and the old link stays locked.
func TestNewCodeAfterLock(t *testing.T) {
	key, p := serverKey(t, "k"), preset(t, challenge.PresetHalfYearly)
	c, old := issued(t, key, 1)
	for i := range challenge.MaxAttempts {
		c, _ = run(c, p, at(challenge.EventCodeWrong, 0.1+float64(i)/100))
	}
	c, out := run(c, p, at(challenge.EventCodeAsked, 1))
	if len(out) != 1 || out[0].String() != "mail:code-1" {
		t.Fatalf("asking for a new code = %v, want a mail", out)
	}
	fresh, issue, err := key.Issue(chance(9), &c, monday.AddDate(0, 0, 20), true)
	if err != nil {
		t.Fatal(err)
	}
	c = c.WithIssue("code-1", issue)
	now := monday.Add(2 * time.Hour)
	if got := key.CheckCode(&c, old.Token, old.Code, now); got.Result != challenge.Locked {
		t.Errorf("the old code = %+v, want locked", got)
	}
	if got := key.CheckCode(&c, old.Token, fresh.Code, now); got.Result != challenge.Locked {
		t.Errorf("the new code with the old link = %+v, want locked", got)
	}
	if got := key.CheckCode(&c, fresh.Token, fresh.Code, now); got != (challenge.Checked{Result: challenge.Right, Step: "code-1", Sealed: true, Left: 5}) {
		t.Errorf("the new code = %+v, want right", got)
	}
	if _, out := run(c, p, at(challenge.EventCodeAsked, 2)); len(out) != 0 {
		t.Errorf("asking again before the new one was tried = %v, want nothing", out)
	}
}

// TestPauseKeepsSecrets: what a pause takes from a question is given back to its link.
func TestPauseKeepsSecrets(t *testing.T) {
	key, p := serverKey(t, "k"), preset(t, challenge.PresetHalfYearly)
	c, s := issued(t, key, 1)
	c.Until = monday.AddDate(0, 0, 45)
	check := func(name string, days int, want challenge.Result) {
		t.Helper()
		now := monday.AddDate(0, 0, days)
		if code, nonce := key.CheckCode(&c, s.Token, s.Code, now), key.CheckNonce(&c, s.Nonce, now); code.Result != want || nonce.Result != want {
			t.Errorf("%s: %s and %s on day %d, want %s", name, code.Result, nonce.Result, days, want)
		}
	}
	check("running", 46, challenge.Expired)
	c, _ = run(c, p, at(challenge.EventPaused, 24*10))
	check("paused", 50, challenge.Right)
	c, _ = run(c, p, at(challenge.EventResumed, 24*30))
	check("paused for twenty days", 65, challenge.Right)
	check("paused for twenty days", 66, challenge.Expired)
	if want := monday.AddDate(0, 0, 65); !c.Until.Equal(want) {
		t.Errorf("the campaign ends on %v for it, want %v", c.Until, want)
	}
}

func TestCheckNonce(t *testing.T) {
	key, p := serverKey(t, "k"), preset(t, challenge.PresetHalfYearly)
	c, s := issued(t, key, 1)
	_, lastYear := issued(t, key, 2)
	closed, _ := run(c, p, at(challenge.EventStopped, 1))
	done, _ := run(c, p, at(challenge.EventCodeRight, 1))
	tests := []struct {
		name  string
		c     challenge.Challenge
		nonce string
		now   time.Time
		want  challenge.Result
	}{
		{"as sent", c, s.Nonce, monday, challenge.Right},
		{"after the code", done, s.Nonce, monday.Add(2 * time.Hour), challenge.Right},
		{"last year's", c, lastYear.Nonce, monday, challenge.Unknown},
		{"the token", c, s.Token, monday, challenge.Unknown},
		{"too late", c, s.Nonce, monday.AddDate(1, 0, 0), challenge.Expired},
		{"after the end", closed, s.Nonce, monday, challenge.Used},
		{"nothing", c, "", monday, challenge.Unknown},
	}
	for _, tt := range tests {
		if got := key.CheckNonce(&tt.c, tt.nonce, tt.now); got.Result != tt.want {
			t.Errorf("%s: CheckNonce = %s, want %s", tt.name, got.Result, tt.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	key := serverKey(t, "k")
	c, s := issued(t, key, 1)
	lookup, err := key.Lookup(strings.ToLower(s.Token))
	if err != nil || lookup != c.Postings[0].Issue.Lookup {
		t.Errorf("Lookup(%q) = %s, %v, want %s", s.Token, lookup, err, c.Postings[0].Issue.Lookup)
	}
	if _, err := key.Lookup("short"); !errors.Is(err, challenge.ErrSecret) {
		t.Errorf("Lookup of a short text: %v, want ErrSecret", err)
	}
	if len(s.Token) != 32 || len(s.Nonce) != 32 || len(s.Code) != 9 || s.Token == s.Nonce {
		t.Errorf("secrets = %+v, want 160, 160 and 40 bits", s)
	}
	stored := mustJSON(t, c)
	for _, secret := range []string{s.Token, s.Nonce, s.Code, strings.ReplaceAll(s.Code, "-", "")} {
		if strings.Contains(stored, secret) {
			t.Errorf("a secret is stored in the clear: %s", secret)
		}
	}
	if _, _, err := key.Issue(bytes.NewReader(make([]byte, 44)), &c, monday, false); err == nil {
		t.Error("Issue with 44 octets of randomness: no error, and it needs 45")
	}
	if _, err := challenge.NewKey(make([]byte, 31)); !errors.Is(err, challenge.ErrKey) {
		t.Errorf("NewKey of 31 octets: %v, want ErrKey", err)
	}
	if subject, err := challenge.NewSubject(chance(3)); err != nil || !strings.HasPrefix(subject, "ROLLCALL-") || len(subject) != 17 {
		t.Errorf("NewSubject = %q, %v", subject, err)
	}
}

// TestPhoneCode: six digits, always the same for a question, and not those of another one.
func TestPhoneCode(t *testing.T) {
	seen := map[string]bool{}
	for i := range 200 {
		c := challenge.Challenge{ID: challenge.ID(fmt.Sprint("c", i)), Team: "t", Contact: "k"}
		code := serverKey(t, "k").PhoneCode(&c)
		if len(code) != 6 || strings.Trim(code, "0123456789") != "" || code != serverKey(t, "k").PhoneCode(&c) {
			t.Fatalf("PhoneCode = %q", code)
		}
		seen[code] = true
	}
	if len(seen) < 195 {
		t.Errorf("200 questions have %d codes", len(seen))
	}
}

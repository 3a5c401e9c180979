package challenge_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/serve/web"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// typist is who types codes on the page of links.
type typist struct {
	*office
	page *web.Desk
	id   challenge.ID
}

func (y typist) answer(token, code string, choice web.Choice) web.Said {
	y.t.Helper()
	return must[web.Result](y.t)(y.page.Answer(context.Background(), token, code, choice, web.Meta{})).Said
}

// lock types the code of a link wrong until it is locked.
func (y typist) lock(token string) {
	y.t.Helper()
	for range challenge.MaxAttempts {
		y.answer(token, "0000-0000", web.ForTeam)
	}
	if got := must[web.View](y.t)(y.page.Show(context.Background(), token)); got.Status != web.Locked {
		y.t.Fatalf("after %d wrong codes the link is %s", challenge.MaxAttempts, got.Status)
	}
}

// asks presses "send a new code", and wants to be told so, and so many mails that come of it.
func (y typist) asks(token string, want web.Said, mails int) {
	y.t.Helper()
	n := len(y.see(y.id).Postings)
	if got := y.answer(token, "", web.NewCode); got != want {
		y.t.Errorf("a new code was asked for, and the page says %q, want %q", got, want)
	}
	if got := len(y.see(y.id).Postings) - n; got != mails {
		y.t.Errorf("%d mails came of asking for a new code, want %d", got, mails)
	}
}

// reminded lets time pass until a reminder is out, and returns what it says.
func (y typist) reminded() (token, code string) {
	y.t.Helper()
	for range 10 {
		y.days(1)
		if c := y.see(y.id); c.Posting("reminder-1") != nil {
			return y.said()
		}
	}
	y.t.Fatal("no reminder")
	return "", ""
}

// TestDeskNewCode: whoever asks for a new code is told that one is on its way where one is, and
// else what is left.
func TestDeskNewCode(t *testing.T) {
	tests := map[string]func(y typist, token, code string){
		"the code works": func(y typist, token, _ string) { y.asks(token, web.SaidNothing, 0) },
		"the only mail": func(y typist, token, _ string) {
			y.lock(token)
			y.asks(token, web.SaidTaken, 1)
			y.asks(token, web.SaidTaken, 0) // it is on its way
			y.run()
			y.asks(token, web.SaidElsewhere, 0)
			next, code := y.said()
			if said := y.answer(next, code, web.ForTeam); said != web.SaidTaken {
				y.t.Errorf("the new code is %s", said)
			}
			y.asks(token, web.SaidUsed, 0)
		},
		"the same link again, once the new code is locked too": func(y typist, token, _ string) {
			y.lock(token)
			y.asks(token, web.SaidTaken, 1)
			y.run()
			next, _ := y.said()
			y.lock(next)
			y.asks(token, web.SaidTaken, 1)
			y.run()
			if last, _ := y.said(); last == next || last == token {
				y.t.Error("no mail with another code went out")
			}
		},
		"a reminder has a code": func(y typist, token, _ string) {
			reminder, _ := y.reminded()
			y.lock(token)
			y.asks(token, web.SaidElsewhere, 0)
			y.lock(reminder)
			y.asks(token, web.SaidTaken, 1)
		},
		"the first mail has one, and the reminder is locked": func(y typist, _, _ string) {
			reminder, _ := y.reminded()
			y.lock(reminder)
			y.asks(reminder, web.SaidElsewhere, 0)
		},
		"the reminder came back": func(y typist, token, _ string) {
			y.reminded()
			y.bounced(y.id, "reminder-1")
			y.lock(token)
			y.asks(token, web.SaidTaken, 1)
		},
		"another mail's code has answered": func(y typist, token, _ string) {
			reminder, code := y.reminded()
			y.lock(token)
			y.answer(reminder, code, web.ForTeam)
			y.asks(token, web.SaidUsed, 0)
		},
		"stopped": func(y typist, token, _ string) {
			y.lock(token)
			must[challenge.Challenge](y.t)(y.Stop(context.Background(), deskOperator, y.id, ""))
			y.asks(token, web.SaidUsed, 0)
		},
		"no mails are left": func(y typist, token, _ string) {
			last := token
			for range 3 {
				y.lock(last)
				y.asks(last, web.SaidTaken, 1)
				y.run()
				last, _ = y.said()
			}
			y.lock(last)
			y.asks(token, web.SaidSpent, 0)
			if got := y.open(challenge.CaseLocked); len(got) != 1 {
				y.t.Errorf("the operator has %+v", got)
			}
		},
		"paused": func(y typist, token, _ string) {
			y.lock(token)
			must[challenge.Challenge](y.t)(y.Pause(context.Background(), deskOperator, y.id, ""))
			y.asks(token, web.SaidSpent, 0)
			if got := y.open(challenge.CaseLocked); len(got) != 1 {
				y.t.Errorf("the operator has %+v", got)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			offices(t, func(t *testing.T, o *office) {
				c := o.ask(0, challenge.KindCode)
				token, code := o.said()
				o.pass(time.Hour)
				test(typist{o, web.NewDesk(o.Desk, o.follower.Index, nil), c.ID}, token, code)
			})
		})
	}
}

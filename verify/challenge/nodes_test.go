package challenge_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// node is one of several processes that work on one database.
type node struct {
	*challenge.Desk
	sender   *challenge.Sender
	receiver *challenge.Receiver
}

// nodes is the office's own node, and another one with a connection and an index of its own.
func (o *office) nodes(e storetest.Engine) []node {
	o.t.Helper()
	ctx := context.Background()
	first := node{o.Desk, o.sender, o.receiver}
	db, follower := o.db, o.follower
	o.db = e.Reopen(o.t, o.dsn)
	o.follower = must[*directory.Follower](o.t)(directory.NewFollower(directory.FollowerConfig{Store: o.db, Now: o.clock}))
	if err := o.follower.Sync(ctx); err != nil {
		o.t.Fatal(err)
	}
	o.work()
	second := node{o.Desk, o.sender, o.receiver}
	o.db, o.follower = db, follower
	o.Desk, o.sender, o.receiver = first.Desk, first.sender, first.receiver
	return []node{first, second}
}

// TestTwoNodes lets two nodes work on one campaign at once: it is halted and resumed on either while both send, and codes
// and bounces come in at both together. No mail goes out twice, none while it stands, and each answer counts once.
func TestTwoNodes(t *testing.T) {
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			ctx := context.Background()
			o := openOffice(t, e)
			o.crowd(20)
			nodes := o.nodes(e)
			c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
			at := func(do func(i int, n node) error) {
				t.Helper()
				var all sync.WaitGroup
				for i, n := range nodes {
					all.Go(func() {
						if err := do(i, n); err != nil {
							t.Errorf("node %d: %v", i, err)
						}
					})
				}
				all.Wait()
			}
			works := func(_ int, n node) error {
				_, err := n.Tick(ctx, 100)
				if err == nil {
					_, err = n.sender.Send(ctx, 100)
				}
				if err == nil {
					_, err = n.Steward(ctx)
				}
				return err
			}
			steers := func(by int, m challenge.Move) {
				t.Helper()
				at(func(i int, n node) error {
					if i != by {
						return works(i, n)
					}
					_, err := n.Steer(ctx, deskOperator, c.ID, m)
					return err
				})
			}
			hours := func(n int) {
				t.Helper()
				for range n / 2 {
					o.pass(2 * time.Hour)
					at(works)
				}
			}
			steers(0, challenge.MoveStart)
			hours(30)
			steers(1, challenge.MoveHalt)
			sent := o.sentSoFar()
			hours(48)
			if n := o.sentSoFar(); n != sent || sent == 0 || sent == 22 {
				t.Errorf("%d mails before the halt, %d after it", sent, n)
			}
			o.bouncesAt(t, nodes, at)
			steers(0, challenge.MoveResume)
			hours(30)
			steers(1, challenge.MoveHalt)
			hours(10)
			steers(1, challenge.MoveResume)
			hours(120)
			o.twice()
			if to := o.boxed(); len(to) != 22 {
				t.Errorf("%d contacts have mail at the end, want 22", len(to))
			}
			o.typedAt(t, at)
			_, p := o.progress(c.ID)
			if p.Total != 22 || p.States[challenge.StateAnswered] != 19 || p.Bounced != 1 {
				t.Errorf("at the end: %+v", p)
			}
			if err := o.db.Check(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func (o *office) sentSoFar() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.box)
}

// bouncesAt has one bounce of a mail to the crowd come in at all nodes together.
func (o *office) bouncesAt(t *testing.T, nodes []node, at func(func(int, node) error)) {
	t.Helper()
	env := o.crowdMail()[0]
	raw := "From: MAILER-DAEMON@mx.crowd.example\r\nTo: <" + env.From + ">\r\nSubject: Undelivered Mail Returned to Sender\r\nDate: " + o.clock().Format(time.RFC1123Z) +
		"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n" +
		"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.crowd.example\r\n\r\nFinal-Recipient: rfc822; " + env.To[0] + "\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
	found := make([]challenge.ID, len(nodes))
	at(func(i int, n node) error {
		got, err := n.receiver.Look(context.Background(), mail.Envelope{To: []string{env.From}, Raw: []byte(raw), At: o.clock()})
		if got.Event != challenge.EventBounced {
			t.Errorf("a bounce is %+v", got)
		}
		found[i] = got.Challenge
		return err
	})
	if c := o.see(found[0]); found[0] != found[1] || len(c.Bounces) != 1 {
		t.Errorf("one bounce that came to both counts as %+v", c.Bounces)
	}
}

// typedAt has the code of each mail to the crowd, but for the first contact, typed at all nodes together.
func (o *office) typedAt(t *testing.T, at func(func(int, node) error)) {
	t.Helper()
	box := o.crowdMail()
	for _, env := range box {
		if env.To[0] == box[0].To[0] {
			continue
		}
		text := strings.ReplaceAll(string(env.Raw), "=\r\n", "")
		_, body, _ := strings.Cut(text, "\r\n\r\n")
		token, code := linkInMail.FindStringSubmatch(text)[1], strings.TrimSpace(codeInMail.FindString(body))
		var mu sync.Mutex
		count := map[challenge.Result]int{}
		at(func(_ int, n node) error {
			_, checked, err := n.Type(context.Background(), token, code, challenge.EventCodeRight)
			mu.Lock()
			defer mu.Unlock()
			count[checked.Result]++
			return err
		})
		if count[challenge.Right] != 1 || count[challenge.Used] != 1 {
			t.Errorf("a code that was typed at both is %v", count)
		}
	}
}

// crowdMail is what went to the crowd, in clear.
func (o *office) crowdMail() []mail.Envelope {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(o.box), func(env mail.Envelope) bool { return !strings.Contains(env.To[0], "@crowd") })
}

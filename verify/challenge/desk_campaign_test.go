package challenge_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// crowd adds n teams, each with one mailbox. Every third is a member of the forum tf.
func (o *office) crowd(n int) { o.t.Helper(); o.crowdMore(0, n) }

// crowdMore adds n teams to those that there are of a crowd.
func (o *office) crowdMore(there, n int) {
	o.t.Helper()
	for i := there; i < there+n; i++ {
		p := directory.Profile{Names: directory.Names{Short: "CROWD"}, Contacts: []directory.Contact{{Channel: "email", Value: fmt.Sprintf("csirt@crowd%d.example", i)}}}
		if i%3 == 0 {
			p.Memberships = []directory.Membership{{Forum: "tf", Status: "member"}}
		}
		must[directory.Team](o.t)(o.dir.Create(context.Background(), deskOperator, directory.NewTeam{Handle: directory.Handle(fmt.Sprintf("crowd-%d", i)), Profile: p}))
	}
}

func (o *office) plan(c challenge.Campaign) challenge.Campaign {
	o.t.Helper()
	if c.Name == "" {
		c.Name = "Autumn"
	}
	if c.From.IsZero() {
		c.From, c.To = deskDay.Add(time.Hour), deskDay.AddDate(0, 0, 5)
	}
	return must[challenge.Campaign](o.t)(o.PlanCampaign(context.Background(), deskOperator, c))
}

func (o *office) steer(id challenge.CampaignID, m challenge.Move) challenge.Campaign {
	o.t.Helper()
	return must[challenge.Campaign](o.t)(o.Steer(context.Background(), deskOperator, id, m))
}

func (o *office) progress(id challenge.CampaignID) (challenge.Campaign, challenge.Progress) {
	o.t.Helper()
	c, p, err := o.Campaign(context.Background(), deskOperator, id)
	if err != nil {
		o.t.Fatal(err)
	}
	return c, p
}

// days lets time pass in hours, everything due being done in each.
func (o *office) days(n int) {
	o.t.Helper()
	for range n * 24 {
		o.pass(time.Hour)
		o.run()
	}
}

func (o *office) boxed() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	to := map[string]int{}
	for _, env := range o.box {
		to[env.To[0]]++
	}
	return to
}

// TestCampaign lets one run from the plan to the report: each contact is asked once, within
// the window and in working time, and the report adds up.
func TestCampaign(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(40)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		if _, p := o.progress(c.ID); c.State != challenge.CampaignPlanned || p.Total != 0 {
			t.Fatalf("planned: %+v, %+v", c, p)
		}
		o.steer(c.ID, challenge.MoveStart)
		got, p := o.progress(c.ID)
		if !got.Filled || got.State != challenge.CampaignRunning || p.Total != 42 || p.States[challenge.StateScheduled] != 42 || len(got.Skipped) != 0 {
			t.Fatalf("started: %+v, %+v; want 42 questions", got, p)
		}
		for _, q := range must[[]challenge.Challenge](t)(o.List(ctx, deskOperator, challenge.ListFilter{Campaign: c.ID, Limit: 100})) {
			if q.Due.Before(c.From) || !q.Due.Before(c.To) || q.Due.Hour() < 9 || q.Due.Hour() >= 17 || !q.Until.After(c.To) {
				t.Errorf("%s is asked at %s and holds until %s", q.Address, q.Due, q.Until)
			}
		}
		o.days(6)
		to := o.boxed()
		if len(to) != 42 {
			t.Errorf("mails to %d contacts, want 42", len(to))
		}
		for address, n := range to {
			if n != 1 {
				t.Errorf("%d mails to %s within the first days", n, address)
			}
		}
		o.answerAll(5)
		o.days(60)
		must[int](t)(o.Steward(ctx))
		r := must[challenge.Report](t)(o.Report(ctx, deskOperator, c.ID))
		total := 0
		for _, n := range r.Progress.States {
			total += n
		}
		if got, _ = o.progress(c.ID); got.State != challenge.CampaignDone || total != r.Progress.Total || r.Progress.Over != total || r.Progress.States[challenge.StateAnswered] != 5 {
			t.Errorf("the end: %s, %+v", got.State, r.Progress)
		}
		if r.Progress.Outcomes[challenge.OutcomeUnanswered] != total-5 {
			t.Errorf("outcomes %v of %d", r.Progress.Outcomes, total)
		}
		if open := must[int](t)(o.Steward(ctx)); open != 0 {
			t.Errorf("%d campaigns are open", open)
		}
	})
}

// TestFiguresByCampaign: figures of a stretch of time come by campaign too, under the names that people know, and those of
// no campaign are a group as well: few teams of it could else be worked out from the rest.
func TestFiguresByCampaign(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(18)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly, Scope: challenge.Scope{Forum: "tf"}})
		o.steer(c.ID, challenge.MoveStart)
		o.days(6)
		groups := func() string {
			var out []string
			for _, g := range must[challenge.Report](t)(o.Figures(ctx, deskOperator, "", time.Time{}, time.Time{})).Groups {
				if g.By == challenge.ByCampaign {
					out = append(out, fmt.Sprintf("%s: %d %t", g.Name, g.Teams, g.Suppressed))
				}
			}
			return strings.Join(out, "; ")
		}
		others := func(rest, n int) {
			for i := range n {
				team := must[directory.Team](t)(o.dir.Team(ctx, deskOperator, fmt.Sprintf("crowd-%d", 3*i+rest)))
				must[challenge.Challenge](t)(o.Ask(ctx, challenge.Ask{Team: team.ID, Contact: team.Contacts[0].ID, Kind: challenge.KindCode}))
			}
			o.days(2)
		}
		if got, want := groups(), "Autumn, from 2026-11-30: 6 false"; got != want {
			t.Errorf("figures of a campaign alone: %s, want %s", got, want)
		}
		others(1, 1)
		if got, want := groups(), "outside of campaigns: 0 true; Autumn, from 2026-11-30: 0 true"; got != want {
			t.Errorf("with one team outside: %s, want %s", got, want)
		}
		others(2, 5)
		if got, want := groups(), "outside of campaigns: 6 false; Autumn, from 2026-11-30: 6 false"; got != want {
			t.Errorf("with six teams outside: %s, want %s", got, want)
		}
		if r := must[challenge.Report](t)(o.Report(ctx, deskOperator, c.ID)); slices.ContainsFunc(r.Groups, func(g challenge.Group) bool { return g.By == challenge.ByCampaign }) {
			t.Error("the report of a campaign has a group of itself")
		}
	})
}

var idInMail = regexp.MustCompile(`(?mi)^Message-ID: (\S+)`)

// twice fails where the relay was given one mail twice.
func (o *office) twice() {
	o.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := map[string]bool{}
	for _, env := range o.box {
		id := idInMail.FindString(string(env.Raw))
		if id == "" || seen[id] {
			o.t.Errorf("to %s: %q went out twice", env.To[0], id)
		}
		seen[id] = true
	}
}

// answerAll types the codes of the first n mails in the box that are not encrypted.
func (o *office) answerAll(n int) {
	o.t.Helper()
	o.mu.Lock()
	box := slices.DeleteFunc(slices.Clone(o.box), func(env mail.Envelope) bool { return strings.Contains(string(env.Raw), "BEGIN PGP MESSAGE") })[:n]
	o.mu.Unlock()
	for _, env := range box {
		text := strings.ReplaceAll(string(env.Raw), "=\r\n", "")
		_, body, _ := strings.Cut(text, "\r\n\r\n")
		token, code := linkInMail.FindStringSubmatch(text), strings.TrimSpace(codeInMail.FindString(body))
		if token == nil || code == "" {
			o.t.Fatalf("no link or code in\n%s", text)
		}
		if _, checked, err := o.Type(context.Background(), token[1], code, challenge.EventCodeRight); err != nil || checked.Result != challenge.Right {
			o.t.Fatalf("typing %s: %+v, %v", code, checked, err)
		}
	}
}

// TestCampaignHalted: nothing goes out while a campaign stands, not even what was in the
// outbox; answers count; and everything has its time back.
func TestCampaignHalted(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(20)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		o.steer(c.ID, challenge.MoveStart)
		o.days(1)
		sent := len(o.boxed())
		o.pass(24 * time.Hour)
		must[int](t)(o.Tick(ctx, 100)) // into the outbox, and not handed over
		// A sender has one of them in hand at the halt, and is told to come again later.
		inHand := must[[]challenge.OutMail](t)(o.db.ClaimMails(ctx, challenge.ClaimMails{N: 1, Owner: "sender", Now: o.clock(), Lease: time.Hour}))
		o.steer(c.ID, challenge.MoveHalt)
		err := o.db.Challenges(ctx, func(tx challenge.Tx) error {
			mine, err := tx.SettleMail(inHand[0], o.clock().Add(time.Minute))
			if !mine {
				t.Error("the lease was lost")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		o.days(3)
		if n := len(o.boxed()); n != sent || sent == 0 {
			t.Errorf("%d mails before the halt, %d after it", sent, n)
		}
		if _, err := o.Steer(ctx, deskOperator, c.ID, challenge.MoveHalt); directory.KindOf(err) != directory.Conflict || !strings.Contains(err.Error(), "only a running one") {
			t.Errorf("halting twice: %v", err)
		}
		o.answerAll(1)
		resumed := o.steer(c.ID, challenge.MoveResume)
		if got := resumed.To.Sub(c.To); got != 72*time.Hour {
			t.Errorf("the window is longer by %s, want three days", got)
		}
		o.days(6)
		if n := len(o.boxed()); n != 22 {
			t.Errorf("%d contacts have mail at the end, want 22", n)
		}
		o.twice()
		o.steer(c.ID, challenge.MoveAbort)
		if _, p := o.progress(c.ID); p.Outcomes[challenge.OutcomeStopped] != 21 || p.States[challenge.StateAnswered] != 1 || p.Over != 22 {
			t.Errorf("aborted: %+v", p)
		}
	})
}

// TestCampaignHaltedUntold: what waits in the outbox does not leave either while the questions of a campaign
// that was halted, or aborted, have not been told of it yet; once they are, it goes on or is not wanted any more.
func TestCampaignHaltedUntold(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(20)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		c = o.steer(c.ID, challenge.MoveStart)
		waits := func() int { return must[challenge.DeskFigures](t)(o.db.DeskFigures(ctx)).Mails }
		queued := func() int { // into the outbox, and not handed over
			t.Helper()
			for range 6 * 24 {
				o.pass(time.Hour)
				must[int](t)(o.Tick(ctx, 100))
				if n := waits(); n > 0 {
					return n
				}
			}
			t.Fatal("nobody is asked any more")
			return 0
		}
		sent := queued()
		o.run()
		decide := func(state challenge.CampaignState, tell challenge.EventKind) {
			t.Helper()
			err := o.db.Challenges(ctx, func(tx challenge.Tx) (err error) { // as a process leaves it that ends between the two
				if c, err = tx.Campaign(c.ID); err != nil {
					return err
				}
				c.State, c.Pending, c.Since, c.Halted = state, tell, o.clock(), o.clock()
				return tx.PutCampaign(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				o.pass(2 * time.Minute)
				o.run()
			}
			if n := len(o.boxed()); n != sent {
				t.Errorf("%s: %d mails before, %d after it", state, sent, n)
			}
		}
		waiting := queued()
		decide(challenge.CampaignHalted, challenge.EventPaused)
		if n := waits(); n != waiting {
			t.Errorf("%d mails wait, want %d", n, waiting)
		}
		must[int](t)(o.Steward(ctx))
		o.steer(c.ID, challenge.MoveResume)
		must[int](t)(o.sender.Send(ctx, 100))
		if n := len(o.boxed()); n != sent+waiting {
			t.Errorf("%d mails after it was resumed, want %d", n, sent+waiting)
		}
		sent += waiting
		queued()
		decide(challenge.CampaignAborted, challenge.EventStopped)
		must[int](t)(o.Steward(ctx))
		o.run()
		if n := must[challenge.DeskFigures](t)(o.db.DeskFigures(ctx)); n.Mails != 0 || n.Open != 0 || len(o.boxed()) != sent {
			t.Errorf("after the abort %d mails wait, of %d questions, and %d are out; want none, none and %d", n.Mails, n.Open, len(o.boxed()), sent)
		}
	})
}

// TestDeskStoppedPaused: the mail of a question that is stopped while it is paused does not wait for ever.
func TestDeskStoppedPaused(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		id := o.waiting(1)[0]
		must[challenge.Challenge](t)(o.Pause(ctx, deskOperator, id, ""))
		must[challenge.Challenge](t)(o.Stop(ctx, deskOperator, id, ""))
		o.run()
		if n := must[challenge.DeskFigures](t)(o.db.DeskFigures(ctx)).Mails; n != 0 || len(o.box) != 0 {
			t.Errorf("%d mails wait, and %d are out; want none", n, len(o.box))
		}
	})
}

// TestCampaignInParts: a campaign of more questions than are read at once is counted, told and reported whole.
func TestCampaignInParts(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		const n = 1203
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		err := o.db.Challenges(ctx, func(tx challenge.Tx) error {
			c.State, c.Filled = challenge.CampaignRunning, true
			for i := range n {
				q := challenge.Challenge{ID: challenge.ID(fmt.Sprintf("%04d", i*7919%n)), Team: o.team.ID, Contact: directory.ContactID(fmt.Sprint("contact ", i)), Channel: "email", Kind: challenge.KindCode,
					Policy: challenge.PresetHalfYearly, Campaign: c.ID, State: challenge.StateSent, Created: o.clock().Add(time.Duration(i/700) * time.Second), Sent: o.clock(), Accepted: o.clock()}
				if err := tx.PutChallenge(q, time.Time{}); err != nil {
					return err
				}
			}
			return tx.PutCampaign(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		o.pass(time.Hour)
		o.steer(c.ID, challenge.MoveHalt)
		if _, p := o.progress(c.ID); p.Total != n || p.Paused != n {
			t.Errorf("%d questions, %d of them paused; want %d", p.Total, p.Paused, n)
		}
		r := must[challenge.Report](t)(o.Report(ctx, deskOperator, c.ID))
		f := must[challenge.Report](t)(o.Figures(ctx, deskOperator, "", deskDay.AddDate(0, 0, -1), o.clock().Add(time.Hour)))
		if r.Progress.Total != n || f.Progress.Total != n {
			t.Errorf("the report is of %d questions, the figures are of %d; want %d", r.Progress.Total, f.Progress.Total, n)
		}
		o.steer(c.ID, challenge.MoveAbort)
		if _, p := o.progress(c.ID); p.Over != n {
			t.Errorf("%d questions were stopped, want %d", p.Over, n)
		}
	})
}

// TestCampaignTested: a campaign neither starts nor goes on while our own mails would not be believed; it can be
// halted and ended all the same, and a move that can't be needs no test.
func TestCampaignTested(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		var wrong error
		tests := 0
		key := must[challenge.Key](t)(challenge.NewKey(bytes.Repeat([]byte{7}, 32)))
		o.Desk = must[*challenge.Desk](t)(challenge.NewDesk(challenge.DeskConfig{Store: o.db, Index: o.follower.Index, Key: key, Random: rand.Reader, Now: o.clock,
			Ready: func(context.Context) error { tests++; return wrong }}))
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		for _, m := range []challenge.Move{challenge.MoveStart, challenge.MoveHalt, challenge.MoveResume, challenge.MoveHalt, challenge.MoveAbort} {
			wrong = errors.New("spf: there is no record")
			before := must[challenge.Campaign](t)(o.db.Campaign(ctx, c.ID))
			_, err := o.Steer(ctx, deskOperator, c.ID, m)
			wants := m == challenge.MoveStart || m == challenge.MoveResume
			if !wants && err == nil {
				continue
			}
			var refused *directory.Error
			if !wants || !errors.As(err, &refused) || refused.Kind != directory.Conflict || refused.Op != string(m)+" campaign" || len(refused.Problems) != 1 ||
				refused.Problems[0].Code != challenge.CodeSelftest || !strings.Contains(refused.Problems[0].Reason, "spf: there is no record") {
				t.Errorf("%s while our mails would not be believed: %v", m, err)
			}
			if now := must[challenge.Campaign](t)(o.db.Campaign(ctx, c.ID)); now.State != before.State {
				t.Errorf("%s was refused, and the campaign is %s", m, now.State)
			}
			wrong = nil
			o.steer(c.ID, m)
		}
		was := tests
		if _, err := o.Steer(ctx, deskOperator, c.ID, challenge.MoveResume); directory.KindOf(err) != directory.Conflict || tests != was || tests != 4 {
			t.Errorf("resuming what is over: %v, after %d tests", err, tests-was)
		}
	})
}

// TestCampaignCut cuts the making of questions short at every part, and has two desks carry
// on at once: each contact has one question all the same.
func TestCampaignCut(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(30)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		dead, stop := context.WithCancel(ctx)
		stop()
		if _, err := o.Steer(dead, deskOperator, c.ID, challenge.MoveStart); !errors.Is(err, context.Canceled) {
			t.Errorf("Steer = %v, want it cut short", err)
		}
		// The state is what a process leaves behind that ends between its two transactions.
		err := o.db.Challenges(ctx, func(tx challenge.Tx) error {
			c.State = challenge.CampaignRunning
			return tx.PutCampaign(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := o.Steward(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got, p := o.progress(c.ID); !got.Filled || p.Total != 32 {
			t.Errorf("%+v with %d questions, want 32", got, p.Total)
		}
	})
}

// TestCampaignFilledAfterHalt: a question that is made after a halt is asked when it would have been if it had been
// made before.
func TestCampaignFilledAfterHalt(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(30)
		c := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		c = o.steer(c.ID, challenge.MoveStart)
		dues := func() map[directory.ContactID]time.Time {
			due := map[directory.ContactID]time.Time{}
			for _, q := range must[[]challenge.Challenge](t)(o.db.ListChallenges(ctx, challenge.ListFilter{Campaign: c.ID, Limit: 100})) {
				due[q.Contact] = q.Due.Add(q.Held)
			}
			return due
		}
		// The state is what a process leaves behind that ends before all questions are made.
		again := c
		again.Filled, again.Skipped = false, nil
		if err := o.db.Challenges(ctx, func(tx challenge.Tx) error { return tx.PutCampaign(again) }); err != nil {
			t.Fatal(err)
		}
		before := len(dues())
		o.crowdMore(30, 10)
		o.steer(c.ID, challenge.MoveHalt)
		o.pass(72 * time.Hour)
		c = o.steer(c.ID, challenge.MoveResume)
		must[int](t)(o.Steward(ctx))
		due := dues()
		if len(due) != before+10 {
			t.Fatalf("%d questions, and %d before the halt; want 10 more", len(due), before)
		}
		announced := c
		announced.To, announced.Held = c.To.Add(-c.Held), 0
		for contact, at := range due {
			q := must[[]challenge.Challenge](t)(o.db.ListChallenges(ctx, challenge.ListFilter{Contact: contact, Limit: 1}))[0]
			drawn, ok := announced.Moment(contact, q.Calendar, q.Kind)
			if want := drawn.Add(72 * time.Hour); !ok || !at.Equal(want) {
				t.Errorf("contact %s is asked at %s, want %s: three days after it was drawn", contact, at, want)
			}
		}
	})
}

// TestCampaignScope: who is asked, and why the others are not.
func TestCampaignScope(t *testing.T) {
	offices(t, func(t *testing.T, o *office) {
		ctx := context.Background()
		o.crowd(9)
		secretariat := directory.Principal{Name: "tf", Role: directory.Secretariat, Forum: "tf", Scopes: []directory.Scope{directory.ScopeAdmin, directory.ScopeRead}}
		if _, err := o.PlanCampaign(ctx, secretariat, challenge.Campaign{Name: "All", From: deskDay, To: deskDay.AddDate(0, 0, 5)}); directory.KindOf(err) != directory.Forbidden {
			t.Errorf("a secretariat plans a campaign of everybody: %v", err)
		}
		c := must[challenge.Campaign](t)(o.PlanCampaign(ctx, secretariat, challenge.Campaign{Name: "Members", Kind: challenge.KindSigned, Scope: challenge.Scope{Forum: "tf"}, From: deskDay, To: deskDay.AddDate(0, 0, 5)}))
		must[challenge.Campaign](t)(o.Steer(ctx, secretariat, c.ID, challenge.MoveStart))
		if got, p := o.progress(c.ID); p.Total != 0 || got.Skipped[challenge.SkipWay] != 3 {
			t.Errorf("signed, of teams without a key: %+v, %d questions", got.Skipped, p.Total)
		}
		o.ask(0, challenge.KindCode)
		weekend := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly, From: deskDay.AddDate(0, 0, 5), To: deskDay.AddDate(0, 0, 6)})
		o.steer(weekend.ID, challenge.MoveStart)
		if got, p := o.progress(weekend.ID); p.Total != 0 || got.Skipped[challenge.SkipHours] != 11 {
			t.Errorf("a Saturday: %+v, %d questions", got.Skipped, p.Total)
		}
		all := o.plan(challenge.Campaign{Policy: challenge.PresetHalfYearly})
		o.steer(all.ID, challenge.MoveStart)
		if got, p := o.progress(all.ID); p.Total != 10 || got.Skipped[challenge.SkipOpen] != 1 {
			t.Errorf("one is being asked already: %+v, %d questions", got.Skipped, p.Total)
		}
		bad := challenge.Campaign{From: deskDay.AddDate(0, 0, -2), To: deskDay.AddDate(0, 0, -3), Kind: challenge.KindWebhook, Policy: "none"}
		_, err := o.PlanCampaign(ctx, deskOperator, bad)
		var e *directory.Error
		if !errors.As(err, &e) || len(e.Problems) != 5 {
			t.Errorf("a bad campaign: %v", err)
		}
	})
}

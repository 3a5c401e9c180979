package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// past writes a question to which something happened twice, with a mail of its own and one more,
// each with its link.
func past(t testing.TB, db *store.DB, id string, at time.Time, state challenge.State) challenge.Challenge {
	t.Helper()
	c := challenge.Challenge{ID: challenge.ID(id), Team: TeamID(0), Contact: directory.ContactID("contact of " + id), Revision: 1, Channel: "email", Address: id + "@example.org",
		Campaign: "k", Kind: challenge.KindCode, Policy: "yearly", Subject: "ROLLCALL-" + id, State: state, Created: at, Due: at, Accepted: at}
	challenges(t, db, func(tx challenge.Tx) error {
		for i, step := range []string{challenge.StepFirst, "reminder-1"} {
			c.Postings = append(c.Postings, challenge.Posting{Step: step, Asked: at, Issue: challenge.Issue{Lookup: challenge.Digest(fmt.Sprint(id, i))}})
		}
		if err := tx.PutChallenge(c, time.Time{}); err != nil {
			return err
		}
		for _, p := range c.Postings {
			m := challenge.OutMail{Key: c.IdempotencyKey(p.Step), Challenge: c.ID, Step: p.Step, Letter: challenge.LetterFirst, Address: c.Address, Created: at}
			if err := tx.PostMail(m); err != nil {
				return err
			}
			if err := tx.PutLink(p.Issue.Lookup, c.ID); err != nil {
				return err
			}
			if err := tx.LogEvent(c.ID, at, challenge.Event{Kind: challenge.EventDue, At: at}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}

// testForget: of old questions that are over the history goes, and nothing that is still needed.
func testForget(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 2)
	at, day := Moment(), 24*time.Hour
	old := past(t, db, "old", at, challenge.StateClosed)
	kept := map[string]challenge.Challenge{
		"still open":      past(t, db, "open", at, challenge.StateSent),
		"young":           past(t, db, "young", at.Add(10*day), challenge.StateAnswered),
		"touched lately":  past(t, db, "touched", at, challenge.StateAnswered),
		"with a mail":     past(t, db, "mail", at, challenge.StateClosed),
		"with a case":     past(t, db, "case", at, challenge.StateClosed),
		"to be told":      past(t, db, "told", at, challenge.StateClosed),
		"closed the case": past(t, db, "done", at.Add(10*day), challenge.StateClosed),
	}
	touched, mail, open := kept["touched lately"], kept["with a mail"], kept["with a case"]
	challenges(t, db, func(tx challenge.Tx) error {
		for _, err := range []error{
			tx.LogEvent(touched.ID, at.Add(10*day), challenge.Event{Kind: challenge.EventOptOut}, nil),
			tx.PostMail(challenge.OutMail{Key: "waits", Challenge: mail.ID, Step: "code-1", Created: at, Due: at.Add(20 * day)}),
			tx.OpenCase(open.ID, challenge.Case{Kind: challenge.CaseCall}, at), tx.OpenCase(old.ID, challenge.Case{Kind: challenge.CaseCall}, at),
			tx.PutTelling(challenge.Telling{Recipient: "forum:x", Challenge: old.ID, Rung: 1, Created: at}), tx.Told(challenge.Telling{Recipient: "forum:x", Challenge: old.ID, Rung: 1, Letter: "told-1"}),
			tx.PutTelling(challenge.Telling{Recipient: "forum:x", Challenge: kept["to be told"].ID, Rung: 1, Created: at}),
			tx.MarkContact(&old, challenge.FlagUnanswered, at), tx.MarkContact(&touched, challenge.FlagOptOut, at),
			tx.KeepRaw("evidence", at, []byte("a mail that proves something")), tx.KeepRaw("nothing", at, []byte("a mail that proves nothing")), tx.KeepRaw("young", at.Add(10*day), []byte("a mail")),
			tx.Prove(TeamID(0), directory.Evidence{ID: "e", Contact: old.Contact, Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "challenge.code", At: at, By: "challenge", RawHash: "evidence"}),
		} {
			if err != nil {
				return err
			}
		}
		_, err := tx.CloseCase(old.ID, challenge.CaseCall, "op", at)
		return err
	})
	notice(t, db, "notice-old", at, false)
	notice(t, db, "notice-waits", at, true)
	notice(t, db, "notice-young", at.Add(10*day), false)

	asked, err := db.LastAsked(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	f := challenge.Forget{Before: at.Add(5 * day), Raw: at.Add(day)}
	want := challenge.Forgotten{Questions: 1, Lines: 2, Links: 2, Mails: 1, Tellings: 1, Notices: 1, Raw: 1}
	if n, err := db.Forgettable(ctx, f); err != nil || n != want {
		t.Errorf("Forgettable = %+v, %v; want %+v", n, err, want)
	}
	if n, err := db.Forgettable(ctx, challenge.Forget{}); err != nil || n != (challenge.Forgotten{}) {
		t.Errorf("Forgettable of nothing = %+v, %v", n, err)
	}
	if n, more, err := db.Forget(ctx, challenge.Forget{}); err != nil || more || n != (challenge.Forgotten{}) {
		t.Errorf("Forget of nothing = %+v, %t, %v", n, more, err)
	}
	if n, more, err := db.Forget(ctx, f); err != nil || more || n != want {
		t.Errorf("Forget = %+v, %t, %v; want %+v", n, more, err, want)
	}
	if n, more, err := db.Forget(ctx, f); err != nil || more || n != (challenge.Forgotten{}) {
		t.Errorf("Forget again = %+v, %t, %v; want nothing", n, more, err)
	}

	lines := func(c challenge.Challenge) int {
		log, err := db.ChallengeLog(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		return len(log)
	}
	if n := lines(old); n != 0 {
		t.Errorf("the old question has %d lines left", n)
	}
	_, err = db.ChallengeByToken(ctx, old.Postings[0].Issue.Lookup)
	wantKind(t, "the link of the old question", err, directory.NotFound)
	for why, c := range kept {
		if n := lines(c); n < 2 {
			t.Errorf("a question that is %s has %d lines left", why, n)
		}
		if _, err := db.ChallengeByToken(ctx, c.Postings[1].Issue.Lookup); err != nil {
			t.Errorf("the link of a question that is %s: %v", why, err)
		}
	}
	same, err := db.Challenge(ctx, old.ID)
	if d := cmp.Diff(old, same); err != nil || d != "" {
		t.Errorf("the question itself: %v\n%s", err, d)
	}
	if again, err := db.LastAsked(ctx, ""); err != nil || !cmp.Equal(asked, again) {
		t.Errorf("when contacts were asked: %v, %v; want %v", again, err, asked)
	}
	for hash, there := range map[string]bool{"evidence": true, "nothing": false, "young": true} {
		if _, err := db.Transcript(ctx, hash); (err == nil) != there {
			t.Errorf("the mail %s: %v, want it kept: %t", hash, err, there)
		}
	}
	for id, there := range map[challenge.NoticeID]bool{"notice-old": false, "notice-waits": true, "notice-young": true} {
		if _, err := db.NoticeByID(ctx, id); (err == nil) != there {
			t.Errorf("%s: %v, want it kept: %t", id, err, there)
		}
	}
	if marks, err := db.Marks(ctx, ""); err != nil || len(marks) != 2 {
		t.Errorf("marks %v, %v; want both, since the team is there", marks, err)
	}
	whole(t, db)
}

// testForgetGone: marks of a team that is gone go with time, but for opt-outs.
func testForgetGone(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 1)
	at := Moment()
	silent, out := past(t, db, "silent", at, challenge.StateClosed), past(t, db, "out", at, challenge.StateClosed)
	challenges(t, db, func(tx challenge.Tx) error {
		if err := tx.MarkContact(&silent, challenge.FlagUnreachable, at); err != nil {
			return err
		}
		return tx.MarkContact(&out, challenge.FlagOptOut, at)
	})
	gone := team(t, db, TeamID(0))
	gone.Revision, gone.Deleted = gone.Revision+1, at
	Write(t, db, gone)
	n, more, err := db.Forget(ctx, challenge.Forget{Before: at.Add(time.Hour)})
	if want := (challenge.Forgotten{Questions: 2, Lines: 4, Links: 4, Mails: 2, Marks: 1}); err != nil || more || n != want {
		t.Errorf("Forget = %+v, %t, %v; want %+v", n, more, err, want)
	}
	if marks, err := db.Marks(ctx, ""); err != nil || len(marks) != 1 || marks[0].Flag != challenge.FlagOptOut {
		t.Errorf("marks %v, %v; want the opt-out", marks, err)
	}
	archive, _ := backup(t, db)
	if _, err := db.Restore(ctx, bytes.NewReader(archive), true); err != nil {
		t.Errorf("what was forgotten is missing in a backup: %v", err)
	}
	whole(t, db)
}

// testForgetParts: much goes in parts, beside others that do the same.
func testForgetParts(t *testing.T, e Engine) {
	dsn, db := e.Open(t)
	planned(t, db, 1)
	const n = 250
	for i := range n {
		past(t, db, fmt.Sprintf("q%03d", i), Moment(), challenge.StateClosed)
	}
	type part struct {
		n   int
		err error
	}
	parts := make(chan part, 2)
	for _, node := range []*store.DB{db, e.Reopen(t, dsn)} {
		go func() {
			all := part{}
			for more := true; more && all.err == nil; {
				var gone challenge.Forgotten
				gone, more, all.err = node.Forget(context.Background(), challenge.Forget{Before: Moment().Add(time.Hour)})
				all.n += gone.Questions
			}
			parts <- all
		}()
	}
	one, two := <-parts, <-parts
	if one.err != nil || two.err != nil || one.n+two.n != n {
		t.Errorf("%d and %d questions were forgotten: %v, %v; want %d together", one.n, two.n, one.err, two.err, n)
	}
	whole(t, db)
}

// notice writes a notice to a team.
func notice(t testing.TB, db *store.DB, id challenge.NoticeID, at time.Time, waits bool) {
	t.Helper()
	n := challenge.TeamNotice{ID: id, Team: TeamID(0), Contact: "c", Subject: string(id), Lookup: challenge.Digest(id), Address: "a@example.org", Domain: "example.org", Created: at}
	if waits {
		n.Due = at
	}
	challenges(t, db, func(tx challenge.Tx) error {
		_, err := tx.PostNotice(n)
		return err
	})
}

// testListParts: questions come newest first or oldest first, in parts that neither leave one out nor
// repeat one, also of those that were made at one moment.
func testListParts(t *testing.T, e Engine) {
	_, db := e.Open(t)
	planned(t, db, 1)
	at := Moment()
	var want []challenge.ID
	for i, when := range []time.Time{at, at, at.Add(time.Second), at.Add(time.Second), at.Add(time.Hour)} {
		want = append(want, past(t, db, fmt.Sprintf("%d", i), when, challenge.StateClosed).ID)
	}
	past(t, db, "open", at.Add(time.Second), challenge.StateSent)
	read := func(f challenge.ListFilter) []challenge.Challenge {
		t.Helper()
		list, err := db.ListChallenges(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for limit := 1; limit < 8; limit++ {
		var got []challenge.ID
		for f := (challenge.ListFilter{Campaign: "k", Oldest: true, Limit: limit}); ; {
			part := read(f)
			for i := range part {
				if part[i].State.Final() {
					got = append(got, part[i].ID)
				}
			}
			if len(part) < limit {
				break
			}
			f.After, f.AfterID = part[len(part)-1].Created, part[len(part)-1].ID
		}
		wantEqual(t, fmt.Sprintf("the oldest first, %d at once", limit), got, want)
	}
	if list := read(challenge.ListFilter{Oldest: true, Open: true, Limit: 9}); len(list) != 1 || list[0].ID != "open" {
		t.Errorf("the open ones are %v", list)
	}
	if list := read(challenge.ListFilter{Oldest: true, After: at.Add(time.Second), AfterID: "3", Since: at, Before: at.Add(time.Hour), Limit: 9}); len(list) != 1 || list[0].ID != "open" {
		t.Errorf("after the fourth and before the last come %v", list)
	}
	if list := read(challenge.ListFilter{Campaign: "k", Limit: 1}); len(list) != 1 || list[0].ID != want[4] {
		t.Errorf("the newest is %v", list)
	}
	if list := read(challenge.ListFilter{Campaign: "another", Oldest: true, Limit: 1}); len(list) != 0 {
		t.Errorf("another campaign has %v", list)
	}
}

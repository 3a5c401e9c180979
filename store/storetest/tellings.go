package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// testTellings: who is to be told stands once, by recipient and then the oldest first, until a letter says it; and again
// when the letter did not arrive.
func testTellings(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 1)
	tell := func(recipient string, id challenge.ID, after time.Duration) challenge.Telling {
		return challenge.Telling{Recipient: recipient, Challenge: id, Rung: 2, Created: Moment().Add(after)}
	}
	list := []challenge.Telling{tell("forum:tf", "c1", 0), tell("team:b", "c2", 0), tell("team:b", "c1", time.Second)}
	challenges(t, db, func(tx challenge.Tx) error {
		for _, id := range []challenge.ID{"c1", "c2"} {
			if err := tx.PutChallenge(challenge.Challenge{ID: id, Team: TeamID(0), Contact: directory.ContactID("k" + id), Subject: "ROLLCALL-" + string(id), State: challenge.StateScheduled}, Moment()); err != nil {
				return err
			}
		}
		for _, i := range []int{2, 0, 1, 0} {
			if err := tx.PutTelling(list[i]); err != nil {
				return err
			}
		}
		return nil
	})
	waits := func(want ...challenge.Telling) {
		t.Helper()
		var got []challenge.Telling
		recipients, err := db.Listeners(ctx)
		for _, r := range recipients {
			list, failed := db.Untold(ctx, r, 10)
			got, err = append(got, list...), errors.Join(err, failed)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Fatalf("%v (-want +got):\n%s", err, d)
		}
	}
	waits(list...)
	if got, err := db.Untold(ctx, "team:b", 1); err != nil || len(got) != 1 || got[0] != list[1] {
		t.Errorf("the oldest of them: %v, %v", got, err)
	}
	said := func(i int, letter challenge.NoticeID) {
		t.Helper()
		challenges(t, db, func(tx challenge.Tx) error {
			x := list[i]
			x.Letter = letter
			return tx.Told(x)
		})
	}
	said(1, "told-1")
	said(2, "told-1")
	said(2, "told-2") // the first letter has said it
	waits(list[0])
	challenges(t, db, func(tx challenge.Tx) error { return tx.Untell("told-2", true) })
	waits(list[0])
	challenges(t, db, func(tx challenge.Tx) error { return tx.Untell("told-1", true) })
	list[1].Tries, list[2].Tries = 1, 1
	waits(list...)
	said(0, "told-4")
	challenges(t, db, func(tx challenge.Tx) error { return tx.Untell("told-4", false) })
	waits(list...)
	secretariat := challenge.TeamNotice{ID: "told-3", Recipient: "forum:tf", Contact: "forum:tf", Subject: "ROLLCALL-9", Lookup: "d", Salt: "s", Address: "o@tf.example", Domain: "tf.example", Created: Moment(), Due: Moment()}
	challenges(t, db, func(tx challenge.Tx) error {
		_, err := tx.PostNotice(secretariat)
		return err
	})
	if got, err := db.NoticeByID(ctx, "told-3"); err != nil || got.Team != "" || got.Recipient != "forum:tf" {
		t.Errorf("a notice to no team: %+v, %v", got, err)
	}
}

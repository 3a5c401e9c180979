package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// challenges runs fn in a transaction on challenges.
func challenges(t testing.TB, db *store.DB, fn func(challenge.Tx) error) {
	t.Helper()
	if err := db.Challenges(context.Background(), fn); err != nil {
		t.Fatalf("Challenges: %v", err)
	}
}

// hook is a subscription of a team.
func hook(id challenge.HookID, team directory.TeamID) challenge.Hook {
	return challenge.Hook{ID: id, Team: team, URL: "https://" + string(id) + ".example/", Active: true, Created: Moment(), By: "test", Secret: "sealed"}
}

// notify writes a notice about a team and its way to hooks.
func notify(t testing.TB, db *store.DB, at time.Time, team directory.TeamID, to ...challenge.HookID) (n int64) {
	t.Helper()
	challenges(t, db, func(tx challenge.Tx) (err error) {
		notice := challenge.Notice{ID: fmt.Sprintf("%x", at.UnixNano()), Type: "challenge.sent", At: at, Challenge: "c1", Team: team, Campaign: "k1", From: "scheduled", To: "sent"}
		if n, err = tx.PutEvent(notice, ""); err != nil {
			return err
		}
		for _, id := range to {
			if err := tx.PutDelivery(id, n, at); err != nil {
				return err
			}
		}
		return nil
	})
	return n
}

// leased claims deliveries and says which.
func leased(t testing.TB, db *store.DB, at time.Time) []challenge.Delivery {
	t.Helper()
	list, err := db.ClaimDeliveries(context.Background(), challenge.ClaimMails{N: 10, Owner: "test", Now: at, Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// testHooks: subscriptions and endpoints come back as they were written, and go.
func testHooks(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 1)
	one, all, off := hook("one", TeamID(0)), hook("two", ""), hook("three", TeamID(0))
	all.Created, off.Created, off.Active = all.Created.Add(time.Second), off.Created.Add(2*time.Second), false
	endpoint := challenge.Endpoint{Contact: "k1", Team: TeamID(0), Scheme: challenge.SchemeHMAC, Key: "sealed", Secret: "sealed too", Created: Moment(), By: "test"}
	challenges(t, db, func(tx challenge.Tx) error {
		for _, h := range []challenge.Hook{all, off, one} {
			if err := tx.PutHook(h); err != nil {
				return err
			}
		}
		hear, err := tx.HooksFor(TeamID(0))
		if err != nil {
			return err
		}
		wantEqual(t, "who hears of the team", hear, []challenge.Hook{one, all})
		return tx.PutEndpoint(endpoint)
	})
	for team, want := range map[directory.TeamID][]challenge.Hook{"": {one, all, off}, TeamID(0): {one, off}, "nobody": nil} {
		list, err := db.Hooks(ctx, team)
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, "the hooks of "+string(team), list, want)
	}
	_, err := db.Hook(ctx, "none")
	wantKind(t, "a hook that is not there", err, directory.NotFound)
	one.Note, one.Active = "changed", false
	challenges(t, db, func(tx challenge.Tx) error {
		if err := tx.PutHook(one); err != nil {
			return err
		}
		got, err := tx.Hook("one")
		wantEqual(t, "the hook in its transaction", got, one)
		return err
	})
	got, err := db.Endpoints(ctx, TeamID(0))
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "the endpoints", got, []challenge.Endpoint{endpoint})
	challenges(t, db, func(tx challenge.Tx) error {
		if _, found, err := tx.Endpoint("k2"); err != nil || found {
			t.Errorf("an endpoint of another contact: %v, %v", found, err)
		}
		was, err := tx.DropEndpoint("k1")
		again, failed := tx.DropEndpoint("k1")
		if err != nil || failed != nil || !was || again {
			t.Errorf("dropped %v, again %v: %v, %v", was, again, err, failed)
		}
		return nil
	})
	whole(t, db)
}

// testDeliveries: each hook's lowest is leased to one at a time, and what is noted
// about a lease that is over counts for nothing.
func testDeliveries(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 1)
	at := Moment()
	challenges(t, db, func(tx challenge.Tx) error {
		if err := tx.PutHook(hook("a", "")); err != nil {
			return err
		}
		return tx.PutHook(hook("b", ""))
	})
	for i := range 3 {
		notify(t, db, at.Add(time.Duration(i)), TeamID(0), "a", "b")
	}
	settle := func(d challenge.Delivery, state challenge.DeliveryState, due time.Time) (mine bool) {
		t.Helper()
		challenges(t, db, func(tx challenge.Tx) (err error) {
			d.State, d.Due, d.Begun, d.Status, d.Problem, d.Done = state, due, at, 500, "x", at
			mine, err = tx.SettleDelivery(d)
			return err
		})
		return mine
	}
	at = at.Add(time.Second)
	first := leased(t, db, at)
	if len(first) != 2 || first[0].N != 1 || first[1].N != 1 || first[0].Attempt != 1 || first[0].Type != "challenge.sent" || !bytes.Contains(first[0].Body, []byte(`"number":1`)) {
		t.Fatalf("leased %+v", first)
	}
	if again := leased(t, db, at); len(again) != 0 {
		t.Errorf("leased twice, or out of order: %+v", again)
	}
	at = at.Add(2 * time.Minute)
	second := leased(t, db, at)
	if len(second) != 2 || second[0].Attempt != 2 {
		t.Fatalf("after the lease: %+v", second)
	}
	if settle(first[0], challenge.DeliveryDone, time.Time{}) {
		t.Error("a lease that is over was settled")
	}
	if !settle(second[0], challenge.DeliveryDone, time.Time{}) || settle(second[0], challenge.DeliveryDone, time.Time{}) {
		t.Error("a lease is settled once")
	}
	if !settle(second[1], challenge.DeliveryWaiting, at.Add(time.Hour)) {
		t.Error("a lease can be put off")
	}
	if next := leased(t, db, at); len(next) != 1 || next[0].Hook != second[0].Hook || next[0].N != 2 {
		t.Errorf("what follows: %+v", next)
	}
	list, err := db.Deliveries(ctx, second[1].Hook, 0, 10)
	if err != nil || len(list) != 3 || list[0].N != 3 || list[2].Status != 500 || list[2].Problem != "x" || !list[2].Begun.Equal(at) || !list[2].Due.Equal(at.Add(time.Hour)) {
		t.Errorf("deliveries: %+v, %v", list, err)
	}
	if page, err := db.Deliveries(ctx, second[1].Hook, 3, 1); err != nil || len(page) != 1 || page[0].N != 2 {
		t.Errorf("a page: %+v, %v", page, err)
	}
	challenges(t, db, func(tx challenge.Tx) error {
		if n, err := tx.WaitingDeliveries("a"); err != nil || n < 2 {
			t.Errorf("%d wait, %v", n, err)
		}
		if err := tx.DropDeliveries("a", at); err != nil {
			return err
		}
		n, err := tx.WaitingDeliveries("a")
		if n != 0 {
			t.Errorf("%d wait after they were dropped", n)
		}
		was, failed := tx.DropHook("b")
		if !was || failed != nil {
			t.Errorf("dropped: %v, %v", was, failed)
		}
		return err
	})
	if left := leased(t, db, at.AddDate(0, 0, 1)); len(left) != 0 {
		t.Errorf("what was dropped is leased: %+v", left)
	}
	whole(t, db)
}

// testNotices: notices are numbered in order, read by filters, kept while something
// waits for them, and no number is given twice.
func testNotices(t *testing.T, e Engine) {
	ctx := context.Background()
	_, db := e.Open(t)
	planned(t, db, 2)
	at := Moment()
	if n, err := db.LastNotice(ctx); err != nil || n != 0 {
		t.Errorf("the last of none is %d, %v", n, err)
	}
	challenges(t, db, func(tx challenge.Tx) error { return tx.PutHook(hook("a", "")) })
	for i := range 4 {
		if n := notify(t, db, at.Add(time.Duration(i)*time.Hour), TeamID(i%2)); n != int64(i+1) {
			t.Errorf("notice %d has the number %d", i, n)
		}
	}
	challenges(t, db, func(tx challenge.Tx) error {
		n, err := tx.PutEvent(challenge.Notice{ID: "ping", Type: "ping", At: at, Team: TeamID(0)}, "a")
		if err != nil {
			return err
		}
		return tx.PutDelivery("a", n, at)
	})
	for _, c := range []struct {
		f    challenge.NoticeFilter
		want []int64
	}{
		{challenge.NoticeFilter{Limit: 10}, []int64{1, 2, 3, 4}}, {challenge.NoticeFilter{After: 1, Limit: 2}, []int64{2, 3}},
		{challenge.NoticeFilter{Team: TeamID(1), Limit: 10}, []int64{2, 4}}, {challenge.NoticeFilter{Campaign: "k1", Type: "challenge.sent", After: 3, Limit: 10}, []int64{4}},
		{challenge.NoticeFilter{Campaign: "k2", Limit: 10}, nil}, {challenge.NoticeFilter{Type: "ping", Limit: 10}, nil},
	} {
		list, err := db.Notices(ctx, c.f)
		var got []int64
		for _, n := range list {
			got = append(got, n.Number)
		}
		if err != nil {
			t.Fatal(err)
		}
		wantEqual(t, fmt.Sprintf("%+v", c.f), got, c.want)
	}
	prune := func(before time.Time) {
		t.Helper()
		if more, err := db.PruneNotices(ctx, before); err != nil || more {
			t.Fatalf("PruneNotices = %v, %v", more, err)
		}
	}
	prune(at.Add(90 * time.Minute)) // the ping waits
	if list, _ := db.Notices(ctx, challenge.NoticeFilter{Limit: 10}); len(list) != 2 || list[0].Number != 3 {
		t.Errorf("after pruning: %+v", list)
	}
	if list := leased(t, db, at.Add(time.Hour)); len(list) != 1 || list[0].Type != "ping" {
		t.Errorf("what waits was pruned: %+v", list)
	}
	challenges(t, db, func(tx challenge.Tx) error { return tx.DropDeliveries("a", at) })
	prune(at.AddDate(1, 0, 0))
	if n := notify(t, db, at, TeamID(0)); n != 6 {
		t.Errorf("after everything was pruned, the next number is %d, want 6", n)
	}
	var backup bytes.Buffer
	if _, err := db.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	_, other := e.Open(t)
	if _, err := other.Restore(ctx, &backup, false); err != nil {
		t.Fatal(err)
	}
	if n, err := other.LastNotice(ctx); err != nil || n != 6 {
		t.Errorf("the restored last number is %d, %v", n, err)
	}
	whole(t, other)
}

package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// testSelectors: the latest selectors of a domain are kept, each with the last time, and a
// backup holds them.
func testSelectors(t *testing.T, e Engine) {
	_, db := e.Open(t)
	at := func(minute int) time.Time { return Moment().Add(time.Duration(minute) * time.Minute) }
	see := func(domain, name string, minute int) {
		t.Helper()
		err := db.Challenges(context.Background(), func(tx challenge.Tx) error {
			return tx.SeeSelector(verify.Selector{Domain: domain, Name: name, Seen: at(minute)})
		})
		if err != nil {
			t.Fatalf("SeeSelector: %v", err)
		}
	}
	known := func(what string, db *store.DB, want string, domains ...string) {
		t.Helper()
		list, err := db.Selectors(context.Background(), domains)
		if err != nil {
			t.Fatalf("Selectors: %v", err)
		}
		got := ""
		for _, s := range list {
			got += fmt.Sprintf("%s %s %s\n", s.Domain, s.Name, s.Seen.Sub(Moment()))
		}
		equal(t, what, got, want)
	}
	known("before any", db, "", "a.example")
	known("of no domain", db, "")
	see("a.example", "s1", 1)
	see("a.example", "s2", 2)
	see("b.example", "s1", 3)
	known("two of one", db, "a.example s2 2m0s\na.example s1 1m0s\n", "a.example")
	known("of two domains, the latest first", db, "b.example s1 3m0s\na.example s2 2m0s\na.example s1 1m0s\n", "a.example", "b.example", "c.example")
	see("a.example", "s1", 4)
	see("a.example", "s2", 0)
	known("seen again, and what is no news", db, "a.example s1 4m0s\na.example s2 2m0s\n", "a.example")
	for i := range 2 * verify.MaxSelectors {
		see("a.example", fmt.Sprintf("k%d", i), 10+i)
	}
	see("a.example", "s1", 5) // too long ago to be among them
	want := "a.example k9 19m0s\na.example k8 18m0s\na.example k7 17m0s\na.example k6 16m0s\na.example k5 15m0s\n"
	known("the latest five", db, want, "a.example")
	known("and those of others", db, "b.example s1 3m0s\n", "b.example")
	archive, _ := backup(t, db)
	for _, other := range Engines(t) {
		_, to := other.Open(t)
		if _, err := to.Restore(context.Background(), bytes.NewReader(archive), true); err != nil {
			t.Fatalf("Restore: %v", err)
		}
		known("after a restore into "+other.Name, to, want, "a.example")
	}
}

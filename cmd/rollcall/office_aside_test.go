package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// TestAside: what is kept aside stays below its limit, the newest mail is kept whatever its
// size, and nothing of what strangers wrote gets into a name or a header.
func TestAside(t *testing.T) {
	c, log := newTestCall(t, config{Challenge: challengeConfig{Aside: t.TempDir(), AsideMax: 10_000}})
	a := c.newAside()
	day := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	keep := func(n, size int) {
		t.Helper()
		env := mail.Envelope{From: "mallory@example.org\nX-Rollcall-Aside: fine", Raw: []byte(strings.Repeat("x", size)), At: day.Add(time.Duration(n) * time.Second)}
		if err := a.keep(t.Context(), env, "no-question"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 100 {
		keep(n, 900)
	}
	list, err := a.list()
	if err != nil {
		t.Fatal(err)
	}
	bytes, dropped := a.figures()
	if bytes > 10_000 || len(list) < 8 || len(list)+int(dropped) != 100 || !list[len(list)-1].At.Equal(day.Add(99*time.Second)) {
		t.Errorf("%d mails with %d octets are kept, %d went: %+v", len(list), bytes, dropped, list)
	}
	for _, m := range list {
		if m.Why != "no-question" || m.From != "<mallory@example.orgX-Rollcall-Aside: fine>" {
			t.Errorf("%+v", m)
		}
	}
	if !strings.Contains(log.String(), "mails that were kept aside had to go") {
		t.Errorf("the log says nothing: %s", log)
	}
	keep(200, 20_000)
	if list, err = a.list(); err != nil || len(list) != 1 {
		t.Errorf("a mail that fills the folder: %d kept, %v", len(list), err)
	}
	another := c.newAside() // such as the next process of a pipe: it finds what is there
	for n := range 3 {
		if err := another.keep(t.Context(), mail.Envelope{Raw: fmt.Appendf(nil, "%d", n), At: day.Add(time.Hour)}, "unknown"); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = a.list(); err != nil || len(list) != 3 {
		t.Errorf("after another process: %d kept, %v", len(list), err)
	}
}

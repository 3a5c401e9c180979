package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestOutlookWords: a date is shown where something comes by itself, and nowhere else.
func TestOutlookWords(t *testing.T) {
	day := time.Date(2026, 12, 4, 9, 0, 0, 0, time.UTC)
	for _, why := range challenge.DueWhys() {
		l := challenge.Outlook{Contact: directory.Contact{Value: "csirt@example.org"}, Policy: "yearly", Kind: challenge.KindCode, Next: challenge.NextDue{Why: why}}
		if got := outlookWords(&l); strings.Contains(got, "next") != (why == challenge.DueDigest) || !strings.Contains(got, "("+string(why)+")") && !strings.Contains(got, ", "+string(why)+")") {
			t.Errorf("%s without a date: %q", why, got)
		}
	}
	l := challenge.Outlook{Policy: "yearly", Kind: challenge.KindCode, Next: challenge.NextDue{At: day, Why: challenge.DueInterval}}
	if got, want := outlookWords(&l), "next 2026-12-04 by code (yearly, interval)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestStoryQuick: what came too quickly is marked in the story of a question.
func TestStoryQuick(t *testing.T) {
	var out bytes.Buffer
	c := &call{world: world{stdout: &out}}
	err := c.printStory(&api.QuestionStory{Events: []api.QuestionEvent{{Event: "accepted", Step: "first"}, {Event: "plain-reply", Quick: true}}})
	if err != nil || strings.Count(out.String(), "(quick)") != 1 || !strings.Contains(out.String(), "plain-reply (quick)") {
		t.Errorf("%v\n%s", err, &out)
	}
}

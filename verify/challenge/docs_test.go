package challenge_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// TestDocs: every word that an operator can meet stands in docs/challenges.md.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/challenges.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	var words []string
	add := func(list ...any) {
		for _, w := range list {
			words = append(words, fmt.Sprint(w))
		}
	}
	for _, k := range challenge.Kinds() {
		add(k)
	}
	for _, s := range challenge.States() {
		add(s)
	}
	for _, r := range challenge.Recipients() {
		if r != challenge.ToNobody {
			add(r)
		}
	}
	add(challenge.OutcomeUnanswered, challenge.OutcomeUndeliverable, challenge.OutcomeNotSent, challenge.OutcomeWrongAddress, challenge.OutcomeSuperseded,
		challenge.OutcomeWithdrawn, challenge.OutcomeStopped)
	add(challenge.ReasonStopped, challenge.ReasonOptedOut, challenge.ReasonPaused, challenge.ReasonOpen, challenge.ReasonAgain, challenge.ReasonUnknown, challenge.ReasonAddress,
		challenge.ReasonDomain, challenge.ReasonOverall, challenge.ReasonHoliday, challenge.ReasonQuiet, challenge.ReasonHours)
	for _, p := range challenge.Presets() {
		add(p.Name)
		p.Settle, p.Drill, p.Notices, p.Holidays = p.Window, p.Window, p.Window, allDays(2026, 2027)[:1]
		var fields map[string]any
		if err := json.Unmarshal([]byte(mustJSON(t, p)), &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			add(name)
		}
	}
	for _, w := range words {
		if !strings.Contains(doc, "`"+w+"`") {
			t.Errorf("docs/challenges.md does not say what `%s` is", w)
		}
	}
	if n := fmt.Sprintf("each of the %d events", len(challenge.EventKinds())); !strings.Contains(doc, n) {
		t.Errorf("docs/challenges.md does not say %q", n)
	}
}

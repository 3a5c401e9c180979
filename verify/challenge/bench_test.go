package challenge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// BenchmarkLife is one question from its moment to an answer after one reminder,
// with its secrets.
func BenchmarkLife(b *testing.B) {
	p, _ := challenge.Preset(challenge.PresetReactionTest)
	key := serverKey(b, "k")
	random := chance(1)
	for b.Loop() {
		c := scheduledAt(challenge.KindCode)
		c.Calendar.Zone = "Europe/Vienna"
		c, _ = run(c, p, at(challenge.EventDue, 0), at(challenge.EventAccepted, 0))
		s, issue, err := key.Issue(random, &c, c.Expiry(p, monday), false)
		if err != nil {
			b.Fatal(err)
		}
		c = c.WithIssue(challenge.StepFirst, issue)
		c.Next(p)
		c, _ = run(c, p, at(challenge.EventReminder, 26))
		if got := key.CheckCode(&c, s.Token, s.Code, monday); got.Result != challenge.Right {
			b.Fatal(got)
		}
		if c, _ = run(c, p, at(challenge.EventCodeRight, 30)); c.State != challenge.StateAnswered {
			b.Fatal(c.State)
		}
	}
}

// BenchmarkMoment draws one contact's moment in a campaign of a fortnight.
func BenchmarkMoment(b *testing.B) {
	campaign := challenge.Campaign{ID: "x", Secret: make([]byte, 32), From: monday, To: monday.AddDate(0, 0, 14)}
	calendar := challenge.Calendar{Zone: "Europe/Vienna"}
	for b.Loop() {
		if _, ok := campaign.Moment("contact", calendar, challenge.KindCode); !ok {
			b.Fatal("no moment")
		}
	}
}

// BenchmarkSummarise makes the figures of 10,000 questions.
func BenchmarkSummarise(b *testing.B) {
	samples := make([]challenge.Sample, 10_000)
	for i := range samples {
		samples[i] = challenge.Sample{Team: directory.TeamID(fmt.Sprint(i)), Country: directory.Country([]string{"AT", "CH", "DE"}[i%3]),
			Human: challenge.Observation{After: time.Duration(i*7919%100_000) * time.Second, Event: i%4 > 0}, Proof: challenge.Observation{After: time.Hour}}
	}
	for b.Loop() {
		if got := challenge.Summarise(samples, challenge.Dimensions()...); len(got) != 5 {
			b.Fatal(len(got))
		}
	}
}

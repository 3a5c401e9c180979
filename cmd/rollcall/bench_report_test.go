package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// BenchmarkReport has a desk report on a campaign of so many questions (-benchtime 100000x), show how
// far it has come, and tell all of it that it is halted. The memory is what is live at most, above
// what was before: it is to grow by a small value for each question, and not by the question.
func BenchmarkReport(b *testing.B) {
	operator := directory.Principal{Name: "op", Role: directory.Operator}
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			f := newOfficeFaults(b, e, 0)
			c := f.manyQuestions(b.N)
			for _, part := range []struct {
				name string
				do   func() error
			}{
				{"report", func() error { _, err := f.desk.Report(context.Background(), operator, c.ID); return err }},
				{"figures", func() error {
					_, err := f.desk.Figures(context.Background(), operator, "", c.Created, time.Now().Add(time.Hour))
					return err
				}},
				{"progress", func() error { _, _, err := f.desk.Campaign(context.Background(), operator, c.ID); return err }},
				{"halt", func() error {
					_, err := f.desk.Steer(context.Background(), operator, c.ID, challenge.MoveHalt)
					return err
				}},
			} {
				begun := time.Now()
				most := liveMemory(func() {
					if err := part.do(); err != nil {
						b.Fatal(err)
					}
				})
				b.ReportMetric(time.Since(begun).Seconds(), part.name+"-s")
				b.ReportMetric(most, part.name+"-MB")
			}
		})
	}
}

// liveMemory is the most memory that is live while something is done, above what was before, in MB.
func liveMemory(do func()) float64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() float64 {
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64()) / (1 << 20)
	}
	runtime.GC()
	before, most := read(), 0.0
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-over:
				tick.Stop()
				return
			case <-tick.C:
				most = max(most, read())
			}
		}
	}()
	do()
	close(over)
	<-done
	return max(most, read()) - before
}

// manyQuestions is a campaign whose questions are in the midst of their lives: of five, three were
// answered after a reminder, one was closed, and one waits. They are of a thousand teams.
func (f *officeFaults) manyQuestions(n int) challenge.Campaign {
	f.t.Helper()
	f.teams(min(n, 1000))
	follower, err := f.call.newFollower(f.db)
	if err == nil {
		f.desk, err = f.call.newDesk(officeParts{store: f.db, index: follower.Index}, nil)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	c := f.campaign(time.Hour)
	policy, _ := challenge.Preset(challenge.PresetHalfYearly)
	for from := 0; from < n; from += 1000 {
		err := f.db.Challenges(context.Background(), func(tx challenge.Tx) error {
			for i := from; i < min(n, from+1000); i++ {
				team, _ := follower.Index().Team(storetest.TeamID(i % 1000))
				q := lived(team, policy, i)
				q.Campaign, q.Created = c.ID, c.Created.Add(time.Duration(i)*time.Millisecond)
				if err := tx.PutChallenge(q, time.Time{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	return c
}

// lived is one of them.
func lived(team *directory.Team, p challenge.Policy, i int) challenge.Challenge {
	start := time.Now().AddDate(0, 0, -20)
	contact := team.Contacts[0]
	contact.ID = directory.ContactID(fmt.Sprintf("20000000-0000-4000-8000-%012d", i))
	c := challenge.Schedule(challenge.ID(fmt.Sprintf("30000000-0000-4000-8000-%012d", i)), team, &contact, challenge.KindCode, p, start)
	c.Subject = fmt.Sprintf("ROLLCALL-%012d", i)
	at := func(kind challenge.EventKind, days float64, step string) {
		when := start.Add(time.Duration(days * float64(24*time.Hour))).Add(time.Duration(i*7919%86_400) * time.Second)
		c, _ = challenge.Step(c, challenge.Event{ID: fmt.Sprint(kind, step), Kind: kind, At: when, Step: step}, when, p)
	}
	at(challenge.EventDue, 0, "")
	at(challenge.EventAccepted, 0, "")
	for n := range c.Postings {
		c = c.WithIssue(c.Postings[n].Step, challenge.Issue{Lookup: challenge.Digest(fmt.Sprintf("%064d", i)), Code: challenge.Digest(fmt.Sprintf("%064d", i)), Expires: start.AddDate(0, 2, 0)})
	}
	at(challenge.EventSettled, 3, "")
	at(challenge.EventReminder, 9, "")
	at(challenge.EventAccepted, 9, "reminder-1")
	switch i % 5 {
	case 0, 1, 2:
		at(challenge.EventCodeRight, 10, "reminder-1")
	case 3:
		at(challenge.EventStopped, 11, "")
	}
	return c
}

package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	claimBatch = 32    // rows in one claim, as a runner asks for
	dueNow     = 1_000 // rows that are due, however many there are
)

// queue is a database with n subjects in the queue, all of them known already.
// dueNow are due now, the others some time in the next days.
type queue struct {
	db   *store.DB
	held []verify.Lease
}

func newQueue(tb testing.TB, e storetest.Engine, n int) *queue {
	tb.Helper()
	const each = 20
	_, db := e.Open(tb)
	for first := 0; first*each < n; first += 500 {
		var list []directory.Record
		var plans []verify.TeamPlan
		var rows []verify.Row
		for i := first; i < min(first+500, n/each); i++ {
			list = append(list, storetest.Small(i))
			p := verify.TeamPlan{Team: storetest.TeamID(i)}
			for k := range each {
				w := verify.Want{Check: "dns", Subject: verify.Subject{Kind: verify.SubjectDomain, ID: fmt.Sprintf("d%d-%d.example", i, k)}, Revision: 1, Every: 24 * time.Hour}
				p.Want = append(p.Want, w)
				rows = append(rows, verify.Row{Team: p.Team, Check: w.Check, Subject: w.Subject})
			}
			plans = append(plans, p)
		}
		storetest.Write(tb, db, list...)
		soon := min(len(plans), max(0, dueNow/each-first))
		plan(tb, db, storetest.Moment(), plans[:soon])
		plan(tb, db, storetest.Moment().Add(time.Duration(first+1)*time.Minute), plans[soon:])
		v := verify.Verification{Verdict: verify.VerdictOK, Since: storetest.Moment(), Checked: storetest.Moment(), Facts: []verify.Fact{{Name: "seen", Value: "something of the usual length"}}}
		if err := store.PutFound(context.Background(), db, rows, v); err != nil {
			tb.Fatal(err)
		}
	}
	return &queue{db: db}
}

func plan(tb testing.TB, db *store.DB, at time.Time, plans []verify.TeamPlan) {
	tb.Helper()
	if _, err := db.Plan(context.Background(), at, []string{"dns"}, plans); err != nil {
		tb.Fatal(err)
	}
}

// claim claims one batch and returns how long that took.
func (q *queue) claim(tb testing.TB) time.Duration {
	tb.Helper()
	if len(q.held)+claimBatch > dueNow {
		if err := q.db.Release(context.Background(), q.held, time.Time{}); err != nil {
			tb.Fatal(err)
		}
		q.held = q.held[:0]
	}
	begun := time.Now()
	jobs, err := q.db.Claim(context.Background(), verify.Claim{N: claimBatch, Owner: "bench", Lease: time.Minute, Now: storetest.Moment(), Checks: []string{"dns", "other"}})
	took := time.Since(begun)
	if err != nil || len(jobs) != claimBatch || jobs[0].Previous.Verdict != verify.VerdictOK {
		tb.Fatalf("Claim = %d jobs, %v", len(jobs), err)
	}
	for i := range jobs {
		q.held = append(q.held, jobs[i].Lease)
	}
	return took
}

// BenchmarkClaim measures claims in a second among 1,000 and among 100,000
// subjects, in turns, and how much dearer the latter are.
func BenchmarkClaim(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			queues := []*queue{newQueue(b, e, 1_000), newQueue(b, e, 100_000)}
			took := make([][]time.Duration, len(queues))
			for b.Loop() {
				for i, q := range queues {
					took[i] = append(took[i], q.claim(b))
				}
			}
			var median [2]time.Duration
			for i := range took {
				slices.Sort(took[i])
				median[i] = took[i][len(took[i])/2]
			}
			b.ReportMetric(claimBatch/median[0].Seconds(), "claims/s-of-1000")
			b.ReportMetric(claimBatch/median[1].Seconds(), "claims/s-of-100000")
			b.ReportMetric(median[1].Seconds()/median[0].Seconds(), "ratio")
		})
	}
}

package verify_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/dnscheck"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// dnsRun is one check of one domain, and what it asks.
type dnsRun struct {
	check     verify.Check
	target    verify.Target
	questions []verify.Question
}

// dnsRuns are the checks of domains of the lab's teams that ask the DNS alone,
// where each question is answered: what waits for a time-out measures patience.
func dnsRuns(b *testing.B, l *farLab, live verify.Network) (runs []dnsRun) {
	b.Helper()
	anchors, err := dnssec.ParseAnchors(l.TrustAnchor)
	if err != nil {
		b.Fatal(err)
	}
	checks := dnscheck.Checks(dnscheck.Config{Open: l.Allow, Anchors: anchors})
	for i := range l.Teams {
		for _, c := range checks {
			t := verify.Target{Subject: verify.Subject{Kind: c.Kinds[0], ID: l.Teams[i].Domain}, Now: time.Now().UTC()}
			if t.Subject.Kind != verify.SubjectDomain {
				continue
			}
			recorder := verify.Record(live)
			if _, err := c.Run(context.Background(), recorder, t); err != nil {
				continue
			}
			run := dnsRun{check: c, target: t}
			kept := recorder.Transcript(c.Name, t)
			for _, a := range kept.Answers {
				if a.Failure == nil {
					run.questions = append(run.questions, a.Question)
				}
			}
			if len(kept.Exchanges) == 0 && len(run.questions) == len(kept.Answers) {
				runs = append(runs, run)
			}
		}
	}
	return runs
}

// atOnce does all runs, as many at once as a runner does, and says what that took.
func atOnce(runs []dnsRun, do func(worker int, r *dnsRun)) (clock, used time.Duration) {
	work := make(chan *dnsRun)
	begun, before := time.Now(), processor()
	var all sync.WaitGroup
	for i := range benchWorkers {
		all.Go(func() {
			for r := range work {
				do(i, r)
			}
		})
	}
	for i := range runs {
		work <- &runs[i]
	}
	close(work)
	all.Wait()
	return time.Since(begun), processor() - before
}

const benchWorkers = 32

// BenchmarkDNS has the checks of domains ask the lab, which is a process of its
// own, and has a bare client ask the same questions at the same concurrency.
// "rate" is the rate of questions that the checks reach of that of the client, by the
// clock, and "rate-cpu" by this process's processor time.
func BenchmarkDNS(b *testing.B) {
	l := startFarLab(b)
	live, err := verify.NewLive(verify.LiveConfig{Resolvers: []string{l.Resolver.String()}, Allow: l.Allow, Roots: l.roots(), Map: l.dialMap})
	if err != nil {
		b.Fatal(err)
	}
	runs := dnsRuns(b, l, live)
	questions := 0
	for i := range runs {
		questions += len(runs[i].questions)
	}
	if len(runs) < 200 {
		b.Fatalf("%d checks ask the DNS alone", len(runs))
	}
	loops := make([]*bare, benchWorkers)
	for i := range loops {
		loops[i] = newBare(l)
	}
	var ours, theirs, oursCPU, theirsCPU time.Duration
	n := 0
	for b.Loop() {
		n++
		clock, used := atOnce(runs, func(_ int, r *dnsRun) {
			if _, err := r.check.Run(context.Background(), verify.Record(live), r.target); err != nil {
				b.Errorf("%s of %s: %v", r.check.Name, r.target.Subject, err)
			}
		})
		ours, oursCPU = ours+clock, oursCPU+used
		clock, used = atOnce(runs, func(worker int, r *dnsRun) {
			for _, q := range r.questions {
				at := l.Resolver
				if q.Server.IsValid() {
					at = l.dialMap(q.Server)
				}
				loops[worker].lookup(at, q.Name, dns.StringToType[q.Type], q.NoCheck)
			}
		})
		theirs, theirsCPU = theirs+clock, theirsCPU+used
	}
	all := float64(n * questions)
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "rate")
	b.ReportMetric(theirsCPU.Seconds()/oursCPU.Seconds(), "rate-cpu")
	b.ReportMetric(all/ours.Seconds(), "questions/s")
	b.ReportMetric(all/theirs.Seconds(), "bare-questions/s")
	b.Logf("%d checks with %d questions", len(runs), questions)
}

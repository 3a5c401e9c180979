package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/verify"
)

// checkFigures shows what checks are doing on all servers and workers of the
// database, when the figures are asked for. Where the store can't be asked
// there is no figure: zero would be a lie.
type checkFigures struct {
	store verify.Results
	now   func() time.Time

	rows, due, running, lag, held, paused, verdicts, runs *prometheus.Desc
}

func newCheckFigures(s verify.Results, now func() time.Time) *checkFigures {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("rollcall_checks_"+name, help, labels, nil)
	}
	return &checkFigures{store: s, now: now,
		rows:     desc("rows", "Subjects that are checked, by each check once."),
		due:      desc("due", "Checks that are due and wait for their turn."),
		running:  desc("running", "Checks that are leased to a server or worker."),
		lag:      desc("lag_seconds", "For how long the first of them has been due."),
		held:     desc("held", "Verdicts that are held back because too many turned bad at once."),
		paused:   desc("paused", "What is paused, by check (all: every check) and by whom: the guard or a person.", "check", "by"),
		verdicts: desc("verdicts", "Verdicts that hold now, by check.", "check", "verdict"),
		runs:     desc("runs_total", "Runs since the database was made, by check and by what came of them: a verdict, or the code of a trouble.", "check", "outcome"),
	}
}

// Describe implements [prometheus.Collector].
func (c *checkFigures) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.rows, c.due, c.running, c.lag, c.held, c.paused, c.verdicts, c.runs} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *checkFigures) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	f, err := c.store.Figures(ctx, c.now())
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.rows, float64(f.Rows))
	gauge(c.due, float64(f.Due))
	gauge(c.running, float64(f.Leased))
	gauge(c.lag, f.Lag.Seconds())
	gauge(c.held, float64(f.Held))
	paused := map[[2]string]float64{{"all", "guard"}: 0, {"all", "person"}: 0}
	for _, p := range f.Pauses {
		key := [2]string{"all", "person"}
		if p.Check != "" {
			key[0] = p.Check
		}
		if p.Guard {
			key[1] = "guard"
		}
		paused[key] = 1
	}
	for key, v := range paused {
		gauge(c.paused, v, key[0], key[1])
	}
	for _, v := range f.Verdicts {
		gauge(c.verdicts, float64(v.N), v.Check, v.Outcome)
	}
	for _, r := range f.Runs {
		to <- prometheus.MustNewConstMetric(c.runs, prometheus.CounterValue, float64(r.N), r.Check, r.Outcome)
	}
}

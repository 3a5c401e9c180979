package main

import (
	"cmp"
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

// officeFigures counts what an office does, and shows what waits on the whole
// database when the figures are asked for.
type officeFigures struct {
	store challenge.Store
	aside *asideFolder

	tried, timers    prometheus.Counter
	mails, replies   *prometheus.CounterVec
	posts, forgotten *prometheus.CounterVec
	notices          prometheus.Counter
	open, due, cases *prometheus.Desc
	waiting          *prometheus.Desc
	kept, dropped    *prometheus.Desc
}

func newOfficeFigures(s challenge.Store, aside *asideFolder) *officeFigures {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "rollcall_challenge_" + name, Help: help})
	}
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rollcall_challenge_"+name, help, nil, nil)
	}
	return &officeFigures{store: s, aside: aside,
		tried: counter("mails_tried_total", "Mails of the outbox that this process took up."),
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_challenge_mails_total",
			Help: "Mails that this process handed to the relay, by what it said: accepted, temporary or permanent."}, []string{"outcome"}),
		notices: counter("notices_sent_total", "Notices to teams that the relay took from this process."),
		timers:  counter("timers_total", "Timers of questions that this process fired."),
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_challenge_replies_total",
			Help: "Mails that this process took in, by what they were taken for; aside is what belongs to no question."}, []string{"event"}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_challenge_posts_total",
			Help: "Notices and questions that this process posted to endpoints, by outcome: delivered, status is another answer, failed is none, ours is trouble here."}, []string{"outcome"}),
		forgotten: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rollcall_challenge_forgotten_total",
			Help: "What this process removed because it was old enough: questions is those whose history went, lines, links, mails and tellings are of them, then notices and marks, and raw is mails that came in."}, []string{"of"}),
		waiting: desc("posts_waiting", "Notices and questions that are to be posted to endpoints."),
		open:    desc("open", "Questions that wait for something."),
		due:     desc("mails_waiting", "Mails that are to be handed to the relay."),
		cases:   desc("cases_open", "Cases that wait for an operator."),

		kept:    desc("aside_bytes", "Octets of the mails that are kept aside, as this process last counted them."),
		dropped: desc("aside_dropped_total", "Mails that this process took away from those kept aside, the oldest first, because there were too many."),
	}
}

func (f *officeFigures) sent(n int)    { f.tried.Add(float64(n)) }
func (f *officeFigures) noticed(n int) { f.notices.Add(float64(n)) }
func (f *officeFigures) ticked(n int)  { f.timers.Add(float64(n)) }

func (f *officeFigures) said(o mail.Outcome) { f.mails.WithLabelValues(string(o)).Inc() }

func (f *officeFigures) posted(outcome string) { f.posts.WithLabelValues(outcome).Inc() }

func (f *officeFigures) forgot(gone *challenge.Forgotten) {
	gone.Each(func(of string, n int) { f.forgotten.WithLabelValues(of).Add(float64(n)) })
}

func (f *officeFigures) taken(got *challenge.Received) {
	f.replies.WithLabelValues(cmp.Or(string(got.Event), "aside")).Inc()
}

// Describe implements [prometheus.Collector].
func (f *officeFigures) Describe(to chan<- *prometheus.Desc) {
	f.tried.Describe(to)
	f.mails.Describe(to)
	f.timers.Describe(to)
	f.notices.Describe(to)
	f.replies.Describe(to)
	f.posts.Describe(to)
	f.forgotten.Describe(to)
	for _, d := range []*prometheus.Desc{f.open, f.due, f.cases, f.waiting, f.kept, f.dropped} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (f *officeFigures) Collect(to chan<- prometheus.Metric) {
	f.tried.Collect(to)
	f.mails.Collect(to)
	f.timers.Collect(to)
	f.notices.Collect(to)
	f.replies.Collect(to)
	f.posts.Collect(to)
	f.forgotten.Collect(to)
	bytes, dropped := f.aside.figures()
	to <- prometheus.MustNewConstMetric(f.kept, prometheus.GaugeValue, float64(bytes))
	to <- prometheus.MustNewConstMetric(f.dropped, prometheus.CounterValue, float64(dropped))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	now, err := f.store.DeskFigures(ctx)
	if err != nil {
		return // zero would be a lie
	}
	for d, n := range map[*prometheus.Desc]int{f.open: now.Open, f.due: now.Mails, f.cases: now.Cases, f.waiting: now.Posts} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
}

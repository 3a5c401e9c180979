package api

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// metrics are the server's figures, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	lookups  map[lookupLabels]prometheus.Counter // all of them, so that reading needs no lock
	other    *operationMetrics                   // requests that no operation answers
	inFlight *prometheus.GaugeVec                // by operation; single lookups are over too soon to be seen
	refused  *prometheus.CounterVec              // by class and how the client was told

	failedSignIns prometheus.Counter
}

type lookupLabels struct {
	kind   directory.QueryKind
	status directory.Status
}

func newMetrics(cfg Config) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollcall_http_requests_total", Help: "Requests answered, by operation and HTTP status.",
		}, []string{"operation", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rollcall_http_request_seconds", Help: "Time to answer, by operation.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"operation"}),
		lookups: map[lookupLabels]prometheus.Counter{},
	}
	asked := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rollcall_lookups_total", Help: "Lookups answered, by kind of query and how they ended.",
	}, []string{"kind", "status"})
	for _, kind := range queryKinds() {
		for _, status := range statuses() {
			m.lookups[lookupLabels{kind, status}] = asked.WithLabelValues(string(kind), string(status))
		}
	}
	m.other = m.operation("none")
	m.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rollcall_http_requests_in_flight", Help: "Requests that are being answered or wait for something to happen, by operation.",
	}, []string{"operation"})
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rollcall_rate_limited_total", Help: "Requests refused for being too many, by class of the operation and by what the client was told from others.",
	}, []string{"class", "by"})
	m.failedSignIns = m.refused.WithLabelValues("sign-in", byAddress)
	m.registry.MustRegister(m.requests, m.seconds, asked, m.refused, m.inFlight,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.indexGauges(cfg)
	if cfg.Directory != nil {
		m.registry.MustRegister(jobCollector{cfg.Directory, prometheus.NewDesc("rollcall_import_jobs", "Import jobs in the store, by state.", []string{"state"}, nil)})
	}
	m.registry.MustRegister(cfg.Figures...)
	return m
}

func queryKinds() []directory.QueryKind {
	return []directory.QueryKind{directory.KindIP, directory.KindCIDR, directory.KindASN, directory.KindDomain, directory.KindURL,
		directory.KindEmail, directory.KindCountry, directory.KindFingerprint, directory.KindTeam}
}

func statuses() []directory.Status {
	return []directory.Status{directory.StatusMatch, directory.StatusNone, directory.StatusAmbiguous, directory.StatusUnavailable}
}

// indexGauges tell of the index at the moment they are read.
func (m *metrics) indexGauges(cfg Config) {
	gauge := func(name, help string, of func(*directory.Index) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if x := cfg.Index(); x != nil {
				return of(x)
			}
			return 0
		}))
	}
	gauge("rollcall_index_seq", "Number of the last change that the index holds.", func(x *directory.Index) float64 { return float64(x.Seq()) })
	gauge("rollcall_index_teams", "Live teams in the index.", func(x *directory.Index) float64 { return float64(x.Stats().Teams) })
	gauge("rollcall_index_prefixes", "Prefixes that teams list.", func(x *directory.Index) float64 { return float64(x.Stats().Prefixes) })
	gauge("rollcall_index_reference_entries", "Entries of reference data.", func(x *directory.Index) float64 { return float64(x.Stats().ReferenceEntries) })
	if cfg.IndexAge != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rollcall_index_age_seconds", Help: "Time since the index was level with the store; negative: never.",
		}, func() float64 { return cfg.IndexAge().Seconds() }))
	}
}

// gauge shows a number that moves.
func (m *metrics) gauge(name, help string, n *atomic.Int64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) }))
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// lookup returns the counter of answers like a. There is one for each kind and
// status that an answer can have.
func (m *metrics) lookup(a *directory.Answer) prometheus.Counter {
	return m.lookups[lookupLabels{a.Query.Kind, a.Status}]
}

// looked counts the answers of a stretch of a batch.
func (m *metrics) looked(l lookupLabels, n int) { m.lookups[l].Add(float64(n)) }

// jobCollector counts import jobs when the figures are asked for. Where the
// store can't be asked there is no figure: zero would be a lie.
type jobCollector struct {
	dir  *directory.Directory
	desc *prometheus.Desc
}

// Describe implements [prometheus.Collector].
func (c jobCollector) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements [prometheus.Collector].
func (c jobCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	states, err := c.dir.ImportJobStates(ctx)
	if err != nil {
		return
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), string(state))
	}
}

// operationMetrics are the figures of one operation. Counters are looked up by
// their labels once for each status, not for each request.
type operationMetrics struct {
	id       string
	requests *prometheus.CounterVec
	seconds  prometheus.Observer
	byStatus [500]atomic.Pointer[prometheus.Counter] // from status 100
}

func (m *metrics) operation(id string) *operationMetrics {
	return &operationMetrics{id: id, requests: m.requests, seconds: m.seconds.WithLabelValues(id)}
}

// seen counts one answered request.
func (o *operationMetrics) seen(status int, took time.Duration) {
	o.seconds.Observe(took.Seconds())
	if status < 100 || status > 599 {
		status = http.StatusOK // what net/http sends where a handler names none
	}
	c := o.byStatus[status-100].Load()
	if c == nil {
		counter := o.requests.WithLabelValues(o.id, strconv.Itoa(status))
		c = &counter
		o.byStatus[status-100].Store(c)
	}
	(*c).Inc()
}

// limited returns the counters of refused requests of a class.
func (m *metrics) limited(class rateClass) map[string]prometheus.Counter {
	list := map[string]prometheus.Counter{}
	for _, by := range []string{byAddress, byToken} {
		list[by] = m.refused.WithLabelValues(string(class), by)
	}
	return list
}

// clients tells how many clients the limits tell apart now.
func (m *metrics) clients(l *limiter) {
	if l == nil {
		return
	}
	for by, size := range map[string]func() int{byAddress: l.anonymous.size, byToken: l.token.size, "sign-in": l.failed.size} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rollcall_rate_clients", Help: "Clients whose requests are counted now.", ConstLabels: prometheus.Labels{"by": by},
		}, func() float64 { return float64(size()) }))
	}
}

package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Check is something that must work before requests are sent to the server.
type Check struct {
	Name string                      // "store", "migrations"
	Run  func(context.Context) error // the error is shown to whoever asks; it must not tell secrets
}

// Health says that the process answers.
type Health struct {
	Status  string `json:"status" enum:"ok" doc:"Always ok: a process that is not well does not answer" example:"ok"`
	Version string `json:"version,omitzero" doc:"Version of the program" example:"1.0.0"`
}

// Readiness says that the server can answer everything.
type Readiness struct {
	Status string   `json:"status" enum:"ready" doc:"Always ready; what is missing is a problem with status 503" example:"ready"`
	Checks []string `json:"checks" doc:"What was checked" example:"[\"index\",\"store\"]"`
	Seq    int64    `json:"seq" doc:"The change that the index holds" example:"812"`
	Age    float64  `json:"index_age_seconds" doc:"Time since the index was level with the store" example:"0.2"`
}

type (
	healthOutput struct{ Body Health }
	readyOutput  struct{ Body Readiness }
)

func (s *Server) registerHealth() {
	register(s, spec{id: "healthz", method: http.MethodGet, path: "/healthz", tag: "operation", access: open, rate: rateFree,
		summary: "Ask whether the process is up", more: "It looks at nothing else; a supervisor restarts what does not answer.", answer: Health{Status: "ok", Version: "1.0.0"}}, s.health)
	register(s, spec{id: "readyz", method: http.MethodGet, path: "/readyz", tag: "operation", access: open, rate: rateFree,
		summary: "Ask whether the server can answer everything", more: "503 with a reason for each check that fails.",
		errors: []int{http.StatusServiceUnavailable}, answer: Readiness{Status: "ready", Checks: []string{"index", "store"}, Seq: 812, Age: 0.2}}, s.ready)
	s.registerMetrics()
}

func (s *Server) health(context.Context, *struct{}) (*healthOutput, error) {
	return &healthOutput{Body: Health{Status: "ok", Version: s.cfg.Version}}, nil
}

func (s *Server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	out := &readyOutput{Body: Readiness{Status: "ready", Checks: []string{"index"}}}
	var bad []directory.Problem
	if p := s.indexProblem(&out.Body); p.Code != "" {
		bad = append(bad, p)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, check := range s.cfg.Ready {
		out.Body.Checks = append(out.Body.Checks, check.Name)
		if err := check.Run(ctx); err != nil {
			bad = append(bad, directory.Problem{Code: "ready.check", Value: check.Name, Reason: check.Name + ": " + reasonOf(err)})
		}
	}
	if len(bad) > 0 {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "check readiness", Problems: bad}
	}
	return out, nil
}

// reasonOf says what a domain error says; of any other the log alone tells.
func reasonOf(err error) string {
	if list := directory.ProblemsOf(err); len(list) > 0 {
		return list[0].Reason
	}
	return "does not work; the log says why"
}

// indexProblem looks at the index; the zero Problem means that it is fine.
func (s *Server) indexProblem(r *Readiness) directory.Problem {
	x := s.cfg.Index()
	if x == nil {
		return directory.Problem{Code: "ready.index", Reason: "index: not built yet"}
	}
	r.Seq = x.Seq()
	if s.cfg.IndexAge == nil {
		return directory.Problem{}
	}
	age := s.cfg.IndexAge()
	r.Age = age.Seconds()
	if age < 0 || age > s.cfg.MaxIndexAge {
		return directory.Problem{Code: "ready.index", Value: age.String(), Reason: fmt.Sprintf("index: not level with the store for %s", age.Round(time.Second)), Want: "at most " + s.cfg.MaxIndexAge.String()}
	}
	return directory.Problem{}
}

// registerMetrics serves the figures in Prometheus' own format.
func (s *Server) registerMetrics() {
	sp := spec{id: "metrics", method: http.MethodGet, path: "/metrics", tag: "operation", access: open, rate: rateFree, summary: "Show figures for Prometheus", answer: "rollcall_index_seq 812\n",
		more: "Counters and durations for each operation, lookups by kind and result, and the state of the index, in the text format of Prometheus."}
	op := sp.operation(s.huma.OpenAPI().Components.Schemas)
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{
		"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}, Example: "rollcall_index_seq 812\n"},
	}}
	delete(op.Responses, "422")
	s.huma.OpenAPI().AddOperation(&op)
	handler := s.metrics.handler()
	s.handle(&op, func(w http.ResponseWriter, r *http.Request, _ *call) int {
		handler.ServeHTTP(w, r)
		return http.StatusOK
	})
}

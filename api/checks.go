package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// CheckInfo describes one check that ships.
type CheckInfo struct {
	Name   string   `json:"name" doc:"Stable name" example:"mx"`
	Title  string   `json:"title" doc:"What is looked at" example:"mail to the domain has somewhere to go"`
	Aspect string   `json:"aspect" enum:"securitytxt,dns,keys" doc:"Where its results are shown" example:"dns"`
	Kinds  []string `json:"kinds" enum:"domain,contact,key" doc:"Kinds of subjects that it looks at" example:"[\"domain\"]"`
	Every  int      `json:"every_seconds" doc:"How long a conclusion lasts before the check is due again" example:"86400"`
	Codes  []string `json:"codes" doc:"What it can find, as in /v1/problems" example:"[\"mx.implicit\"]"`
}

// CheckList is the checks that ship, and for operators how they are getting on.
type CheckList struct {
	Checks []CheckInfo  `json:"checks" doc:"In the order in which reports show them"`
	Engine *CheckEngine `json:"engine,omitzero" doc:"How the checks are getting on; for operators"`
}

// CheckEngine is how the checks are getting on, over all nodes.
type CheckEngine struct {
	Paused   bool         `json:"paused" doc:"All checks are paused" example:"false"`
	Pauses   []CheckPause `json:"pauses" doc:"What is paused, and why"`
	Rows     int          `json:"rows" doc:"Checks of subjects that there are" example:"1200"`
	Due      int          `json:"due" doc:"How many of them are due" example:"3"`
	Running  int          `json:"running" doc:"How many are being worked on" example:"1"`
	Lag      float64      `json:"lag_seconds" doc:"Since when the one is due that is due for longest" example:"1.5"`
	Held     int          `json:"held" doc:"Verdicts that the guard holds back" example:"0"`
	Verdicts []CheckCount `json:"verdicts" doc:"What is known now, by check and verdict"`
	Runs     []CheckCount `json:"runs" doc:"Runs since ever, by check and what came of them: a verdict, or the code of the trouble"`
}

// CheckCount is a number of something.
type CheckCount struct {
	Check   string `json:"check" doc:"Name of the check" example:"mx"`
	Outcome string `json:"outcome" doc:"A verdict, or the code of trouble" example:"ok"`
	N       int64  `json:"n" doc:"How many" example:"400"`
}

// Code explains one code, of a finding or of a request that was refused.
type Code struct {
	Code     string   `json:"code" doc:"The code" example:"mx.implicit"`
	Kind     string   `json:"kind" enum:"finding,request" doc:"finding: what a check finds, or what keeps it from asking; request: why a request is refused" example:"finding"`
	Title    string   `json:"title" doc:"Of a finding what is wrong, of a request the rule" example:"Mail goes to the address of the domain itself"`
	Severity string   `json:"severity,omitzero" enum:"error,warning,recommendation,info,notification" doc:"Of a finding: how bad it usually is" example:"recommendation"`
	Spec     string   `json:"spec,omitzero" doc:"Where a standard demands it" example:"RFC 5321 section 5.1"`
	Advice   string   `json:"advice" doc:"What to do" example:"Add an MX record."`
	Sectxt   string   `json:"sectxt,omitzero" doc:"The code of the reference checker for security.txt, where it has one" example:"no_expire"`
	Checks   []string `json:"checks,omitzero" doc:"Of a finding: the checks that report it" example:"[\"mx\"]"`
}

// CodeList is a list of codes.
type CodeList struct {
	Problems []Code `json:"problems" doc:"In the order of their codes"`
}

// FindingCode is a code of the table of findings.
type FindingCode string

// Schema implements [huma.SchemaProvider]: the document lists the codes of the
// table, once.
func (FindingCode) Schema(r huma.Registry) *huma.Schema {
	if _, ok := r.Map()["FindingCode"]; !ok {
		codes := []any{}
		for _, p := range shipped().findings {
			codes = append(codes, string(p.Code))
		}
		r.Map()["FindingCode"] = &huma.Schema{Type: huma.TypeString, Enum: codes,
			Description: "A code of the table of findings, see /v1/problems. Codes are never renamed, only retired; new versions add some."}
	}
	return &huma.Schema{Ref: "#/components/schemas/FindingCode"}
}

type (
	checksOutput struct{ Body CheckList }
	codesInput   struct {
		Kind   string `query:"kind" enum:"finding,request" doc:"Only codes of this kind" example:"finding"`
		Prefix string `query:"prefix" maxLength:"64" doc:"Only codes that begin so" example:"mx."`
	}
	codesOutput struct{ Body CodeList }
	codeInput   struct {
		Code string `path:"code" maxLength:"64" doc:"The code" example:"mx.implicit"`
	}
	codeOutput struct{ Body Code }
)

func (s *Server) registerChecks() {
	info := CheckInfo{Name: "mx", Title: "mail to the domain has somewhere to go", Aspect: "dns", Kinds: []string{"domain"}, Every: 86400, Codes: []string{exampleCode}}
	engine := &CheckEngine{Pauses: []CheckPause{}, Rows: 1200, Due: 3, Running: 1, Lag: 1.5, Verdicts: []CheckCount{{"mx", "ok", 400}}, Runs: []CheckCount{{"mx", "ok", 5200}, {"mx", "dns.timeout", 12}}}
	register(s, spec{id: "list-checks", method: http.MethodGet, path: "/v1/checks", tag: "verification", access: public,
		summary: "List the checks", more: "What each looks at, how often, and what it can find. Operators also see how the checks are getting on.",
		answer: CheckList{Checks: []CheckInfo{info}, Engine: engine}}, s.listChecks)
	p := s.table.byCode[exampleCode]
	code := Code{Code: exampleCode, Kind: "finding", Title: p.Title, Severity: string(p.Severity), Spec: p.Spec, Advice: p.Advice, Checks: []string{"mx"}}
	register(s, spec{id: "list-problems", method: http.MethodGet, path: "/v1/problems", tag: "verification", access: open, rate: rateList,
		summary: "List the codes", more: "Every code that a finding or a problem can have. Codes are public: never renamed, only retired.",
		answer: CodeList{Problems: []Code{code}}}, s.listProblems)
	register(s, spec{id: "get-problem", method: http.MethodGet, path: "/v1/problems/{code}", tag: "verification", access: open,
		summary: "Explain a code", more: "Of a finding with the checks that report it.", errors: []int{notFound}, answer: code}, s.getProblem)
}

func (s *Server) listChecks(ctx context.Context, _ *struct{}) (*checksOutput, error) {
	out := &checksOutput{CheckList{Checks: []CheckInfo{}}}
	for i := range s.table.checks {
		c := &s.table.checks[i]
		info := CheckInfo{Name: c.Name, Title: c.Title, Aspect: string(s.table.aspects[c.Name]), Every: int(c.Every.Seconds()), Codes: []string{}}
		for _, k := range c.Kinds {
			info.Kinds = append(info.Kinds, string(k))
		}
		for _, p := range c.Problems {
			info.Codes = append(info.Codes, string(p.Code))
		}
		out.Body.Checks = append(out.Body.Checks, info)
	}
	if s.cfg.Verify == nil || s.cfg.Directory.MayWatchChecks(callFrom(ctx).viewer) != nil {
		return out, nil
	}
	f, err := s.cfg.Verify.Figures(ctx, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	out.Body.Engine = engineFrom(&f)
	return out, nil
}

func engineFrom(f *verify.Figures) *CheckEngine {
	return &CheckEngine{
		Paused: pausesCheck(f.Pauses, ""), Pauses: pausesFrom(f.Pauses), Rows: f.Rows, Due: f.Due, Running: f.Leased, Lag: f.Lag.Seconds(), Held: f.Held,
		Verdicts: countsFrom(f.Verdicts), Runs: countsFrom(f.Runs),
	}
}

func countsFrom(list []verify.Count) []CheckCount {
	out := make([]CheckCount, len(list))
	for i, c := range list {
		out[i] = CheckCount(c)
	}
	return out
}

func (s *Server) listProblems(ctx context.Context, in *codesInput) (*codesOutput, error) {
	if in.Kind == "" && callFrom(ctx).url.Query().Has("kind") { // Huma takes an empty one for none
		return nil, inParameter("kind", edgeError(directory.Invalid, "parameter.invalid", "", "an empty kind is none of the kinds", "finding or request, or no parameter"))
	}
	out := &codesOutput{CodeList{Problems: []Code{}}}
	for _, c := range s.table.codes() {
		if strings.HasPrefix(c.Code, in.Prefix) && (in.Kind == "" || in.Kind == c.Kind) {
			out.Body.Problems = append(out.Body.Problems, c)
		}
	}
	return out, nil
}

func (s *Server) getProblem(_ context.Context, in *codeInput) (*codeOutput, error) {
	for _, c := range s.table.codes() {
		if strings.EqualFold(c.Code, in.Code) {
			return &codeOutput{c}, nil
		}
	}
	return nil, inParameter("code", edgeError(directory.NotFound, "request.not-found", in.Code, "there is no such code", ""))
}

// codes returns the codes of both kinds, which share none: a test holds them
// against each other.
func (t *checkTable) codes() []Code {
	by := map[verify.Code][]string{}
	for _, c := range t.checks {
		for _, p := range c.Problems {
			by[p.Code] = append(by[p.Code], c.Name)
		}
	}
	var all []Code
	for _, p := range t.findings {
		all = append(all, Code{Code: string(p.Code), Kind: "finding", Title: p.Title, Severity: string(p.Severity), Spec: p.Spec, Advice: p.Advice, Sectxt: p.Sectxt, Checks: by[p.Code]})
	}
	for _, c := range AllCodes() {
		all = append(all, Code{Code: string(c.Code), Kind: "request", Title: c.Title, Spec: c.Spec, Advice: c.Advice})
	}
	slices.SortFunc(all, func(a, b Code) int { return strings.Compare(a.Code, b.Code) })
	return all
}

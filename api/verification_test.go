package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

// row is one row of the queue, of a subject as "kind:id".
func (s *scene) row(team directory.TeamID, check, subject string) verify.Row {
	kind, id, _ := strings.Cut(subject, ":")
	return verify.Row{Team: team, Check: check, Subject: verify.Subject{Kind: verify.SubjectKind(kind), ID: id}}
}

// found is the finding of a code as its check makes it.
func found(t testing.TB, code verify.Code, evidence string) verify.Finding {
	t.Helper()
	p, ok := catalog.Find(code)
	if !ok {
		t.Fatalf("there is no code %s", code)
	}
	return p.Find(evidence)
}

func (s *scene) verification(t testing.TB, role string) api.Verification {
	t.Helper()
	var v api.Verification
	s.do(t, get("/v1/teams/alpha/verification").by(role)).into(t, 200, &v)
	return v
}

func TestVerification(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		if v := s.verification(t, ""); v.Verdict != "" || len(v.DNS.Results) != 0 || len(v.Contacts) != 1 || v.Contacts[0].Evidence.State != "unverified" {
			t.Errorf("before anything ran = %+v", v)
		}
		begun := s.clock.Now()
		mx := verify.Result{Findings: []verify.Finding{found(t, "mx.implicit", "192.0.2.25"), found(t, "mx.special-address", "10.0.0.1").On("mail.example.org").AtLine(3).Right("192.0.2.1")},
			Facts: []verify.Fact{{Name: "mx", Value: "mail.example.org"}}}
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", mx)
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", verify.Result{})
		s.ran(t, s.row(s.alpha.ID, "spf", "domain:example.org"), verify.Outcome{Err: &verify.Trouble{Code: verify.DNSTimeout, Detail: "resolver 192.0.2.53"}})
		if err := s.dir.PauseChecks(context.Background(), operator(), "spf", false, ""); err != nil {
			t.Fatal(err)
		}
		v := s.verification(t, "editor")
		if v.Team.Handle != "alpha" || !v.At.Equal(begun) || v.Verdict != v.DNS.Verdict || v.SecurityTxt.Verdict != "" || len(v.Contacts) != 5 {
			t.Errorf("verification = %+v", v)
		}
		names := []string{}
		for _, r := range v.DNS.Results {
			names = append(names, r.Check+" "+r.Kind+":"+r.Subject+" "+r.Verdict)
		}
		special := found(t, "mx.special-address", "")
		worst := string(verify.VerdictOf([]verify.Finding{special}))
		want := []string{"mx domain:example.org " + worst, "smimea contact:red@example.org ok", "spf domain:example.org inconclusive"}
		if d := cmp.Diff(want, names); d != "" {
			t.Fatalf("results (-want +got):\n%s", d)
		}
		r := v.DNS.Results[0]
		if len(r.Findings) != 2 || r.Findings[0].Code != "mx.special-address" || r.Findings[0].Title == "" || r.Findings[0].Subject != "mail.example.org" || r.Findings[0].Line != 3 ||
			r.Findings[0].Corrected != "192.0.2.1" || r.Findings[1].Evidence != "192.0.2.25" || r.Findings[1].Severity != "info" {
			t.Errorf("findings = %+v, want the worst first, whole", r.Findings)
		}
		if d := cmp.Diff([]api.Fact{{Name: "mx", Value: "mail.example.org"}}, r.Facts); d != "" {
			t.Errorf("facts (-want +got):\n%s", d)
		}
		if !r.Since.Equal(begun) || !r.Checked.Equal(begun) || !r.Due.After(begun) || len(r.Evidence) != 64 || r.Paused || r.Title == "mx" {
			t.Errorf("result = %+v", r)
		}
		if r := v.DNS.Results[2]; r.Trouble != "dns.timeout" || !r.Paused || !r.Checked.IsZero() || r.Tried.IsZero() || r.Evidence != "" || len(r.Findings) != 0 {
			t.Errorf("a check without conclusion = %+v", r)
		}
		// Who may not read what was seen is not told by which hash it is found.
		for role, results := range map[string]int{"": 2, "other": 2, "member": 3, "secretariat": 2, "reader": 3} {
			v := s.verification(t, role)
			if len(v.DNS.Results) != results || (v.DNS.Results[0].Evidence != "") != (role == "reader") {
				t.Errorf("as %q %d results, the first with evidence %q", role, len(v.DNS.Results), v.DNS.Results[0].Evidence)
			}
		}
	})
}

// TestRetiredChecks: what a check found that does not ship any more is shown by
// what it looked at, until it is pruned.
func TestRetiredChecks(t *testing.T) {
	s := embedded(t)
	s.concluded(t, s.alpha.ID, "retired", "contact:clear@example.org", verify.Result{})
	s.concluded(t, s.alpha.ID, "retired", "domain:example.org", verify.Result{})
	v := s.verification(t, "")
	if len(v.Keys.Results) != 1 || len(v.DNS.Results) != 1 || v.DNS.Results[0].Title != "retired" {
		t.Errorf("verification = %+v", v)
	}
}

func TestListChecks(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{})
		s.clock.Advance(26 * time.Hour)
		for _, role := range roles {
			var list api.CheckList
			s.do(t, get("/v1/checks").by(role)).into(t, 200, &list)
			if len(list.Checks) != len(catalog.Checks()) {
				t.Errorf("%d checks as %q, want %d", len(list.Checks), role, len(catalog.Checks()))
			}
			if watches := role == "operator" || role == "reader"; watches != (list.Engine != nil) {
				t.Errorf("the engine as %q: %+v", role, list.Engine)
			}
			if e := list.Engine; e != nil && (e.Rows != 1 || e.Due != 1 || e.Lag <= 0 || e.Paused || !slices.Equal(e.Verdicts, []api.CheckCount{{"mx", "ok", 1}}) || len(e.Runs) != 1) {
				t.Errorf("engine = %+v", e)
			}
			if i := slices.IndexFunc(list.Checks, func(c api.CheckInfo) bool { return c.Name == "mx" }); i < 0 || list.Checks[i].Aspect != "dns" || list.Checks[i].Every != 86400 || !slices.Contains(list.Checks[i].Codes, "mx.implicit") {
				t.Errorf("checks = %+v", list.Checks)
			}
		}
	})
}

// TestProblems: every code of the tables is listed, once, with its kind, and the
// document lists those that findings can have.
func TestProblems(t *testing.T) {
	s := embedded(t)
	var all api.CodeList
	s.do(t, get("/v1/problems")).into(t, 200, &all)
	kinds := map[string]string{}
	for _, c := range all.Problems {
		if kinds[c.Code] != "" {
			t.Errorf("%s is there twice, of kinds %s and %s", c.Code, kinds[c.Code], c.Kind)
		}
		kinds[c.Code] = c.Kind
	}
	enum := document().Components.Schemas.Map()["FindingCode"].Enum
	for _, p := range catalog.Problems() {
		if kinds[string(p.Code)] != "finding" || !slices.Contains(enum, any(string(p.Code))) {
			t.Errorf("%s is listed as %q, and in the document: %v", p.Code, kinds[string(p.Code)], slices.Contains(enum, any(string(p.Code))))
		}
	}
	for _, c := range api.AllCodes() {
		if kinds[string(c.Code)] != "request" {
			t.Errorf("%s is listed as %q", c.Code, kinds[string(c.Code)])
		}
	}
	if n := len(catalog.Problems()); len(enum) != n || len(all.Problems) != n+len(api.AllCodes()) {
		t.Errorf("%d codes in the document, %d in the list, want %d and %d", len(enum), len(all.Problems), n, n+len(api.AllCodes()))
	}
	var some api.CodeList
	s.do(t, get("/v1/problems?kind=finding&prefix=mx.")).into(t, 200, &some)
	if len(some.Problems) == 0 || slices.ContainsFunc(some.Problems, func(c api.Code) bool {
		return !strings.HasPrefix(c.Code, "mx.") || c.Kind != "finding" || !slices.Equal(c.Checks, []string{"mx"})
	}) {
		t.Errorf("codes of mx = %+v", some)
	}
	if s.do(t, get("/v1/problems?kind=request&prefix=mx.")).into(t, 200, &some); len(some.Problems) != 0 {
		t.Errorf("codes of requests that begin with mx. = %+v", some)
	}
	var one api.Code
	s.do(t, get("/v1/problems/MX.Implicit")).into(t, 200, &one)
	if p, _ := catalog.Find("mx.implicit"); one.Code != "mx.implicit" || one.Severity != string(p.Severity) || one.Title != p.Title || one.Advice != p.Advice {
		t.Errorf("mx.implicit = %+v", one)
	}
	one = api.Code{}
	if s.do(t, get("/v1/problems/if-match.syntax")).into(t, 200, &one); one.Kind != "request" || one.Severity != "" {
		t.Errorf("if-match.syntax = %+v", one)
	}
}

func TestDigestOfTeam(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.concluded(t, s.alpha.ID, "mx", "domain:example.org", verify.Result{Findings: []verify.Finding{found(t, "mx.special-address", "10.0.0.1")}})
		s.concluded(t, s.alpha.ID, "smimea", "contact:red@example.org", verify.Result{Findings: []verify.Finding{{Code: "smimea.secret", Severity: verify.Error, Advice: "Mend it."}}})
		var d api.Digest
		s.do(t, get("/v1/teams/alpha/digest")).into(t, 200, &d)
		if d.Team.Handle != "alpha" || len(d.Items) < 2 || d.Items[0].Code != "mx.special-address" || d.Items[0].Subject != "example.org" || d.Items[0].Title == "" || d.Items[0].Check != "mx" || d.Items[0].Evidence != "10.0.0.1" {
			t.Errorf("digest = %+v", d)
		}
		for _, item := range d.Items {
			if item.Subject != "example.org" && item.Subject != "clear@example.org" {
				t.Errorf("a digest for nobody is about %q: %+v", item.Subject, item)
			}
		}
		a := s.do(t, get("/v1/teams/alpha/digest").with("Accept", "text/plain"))
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") || !strings.Contains(string(a.body), "ALPHA-CSIRT (alpha)") || strings.Contains(string(a.body), "red@") {
			t.Errorf("digest as text = %s", a.body)
		}
		if a := s.do(t, get("/v1/teams/alpha/digest").with("Accept", "text/plain").by("editor")); !strings.Contains(string(a.body), "red@example.org") {
			t.Errorf("digest for the editor = %s", a.body)
		}
		if a := s.do(t, get("/v1/teams/alpha/digest").with("Accept", "text/*;q=0.5, application/json")); a.header.Get("Content-Type") != "application/json" {
			t.Errorf("Content-Type = %q, want JSON where it is liked better", a.header.Get("Content-Type"))
		}
	})
}

// TestWithoutVerification: a server that keeps no results says so, and shows
// what it ships.
func TestWithoutVerification(t *testing.T) {
	s := embedded(t).changed(t, func(c *api.Config) { c.Verify = nil })
	for _, path := range []string{"/v1/teams/alpha/verification", "/v1/teams/alpha/verification/history", "/v1/verification/events", "/v1/teams/alpha/digest"} {
		if p := problemIn(t, s.do(t, get(path))); p.Status != 503 || p.Code != "server.unavailable" {
			t.Errorf("%s = %+v", path, p)
		}
	}
	for _, path := range []string{"/v1/checks", "/v1/problems", "/v1/teams/alpha/badge.svg"} {
		if a := s.do(t, get(path).by("operator")); a.status != 200 {
			t.Errorf("%s = %d", path, a.status)
		}
	}
	for _, q := range []request{{method: "POST", path: "/v1/teams/alpha/verification/run"}, send("POST", "/v1/verification/pause", `{}`), send("POST", "/v1/verification/resume", `{}`),
		get("/v1/teams/alpha/verification/evidence/" + strings.Repeat("0", 64))} {
		if p := problemIn(t, s.do(t, q.by("operator"))); p.Status != 503 {
			t.Errorf("%s = %+v", q.path, p)
		}
	}
}

// TestEveryCheckedSubjectIsNamed: what a check applies to is something that the
// directory knows the team to name, or its verdict would be shown to nobody.
func TestEveryCheckedSubjectIsNamed(t *testing.T) {
	s := embedded(t)
	a := s.do(t, patch(`{"website":"https://WWW.bücher.example:8443/team","contacts":[{"channel":"url","value":"https://Report.example.org/form","uses":["vulnerability"]},
		{"channel":"email","value":"Duty.Officer@Mail.Example.net"},{"channel":"email","value":"csirt@bücher.example"},{"channel":"phone","value":"+4315550100"}]}`))
	if a.status != 200 {
		t.Fatalf("%s", a.body)
	}
	s.newKey()
	team := mustTeam(t, s)
	subjects, n := team.CheckSubjects(), 0
	for _, c := range catalog.Checks() {
		for _, subject := range c.Applies(team) {
			if n++; !subjects.Has(string(subject.Kind), subject.ID) {
				t.Errorf("check %s applies to %s, which the team is not known to name", c.Name, subject)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d subjects in all, which proves little", n)
	}
}

package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

// checkReport is what is known of one subject. Its JSON form is what scripts
// rely on.
type checkReport struct {
	Subject  string         `json:"subject"` // as it was given, in canonical form
	Kind     string         `json:"kind"`    // domain, email, file or key
	Verdict  verify.Verdict `json:"verdict"`
	Grade    catalog.Grade  `json:"grade,omitempty"` // none where nothing was concluded
	Reason   string         `json:"reason"`          // for the grade, in a sentence
	At       time.Time      `json:"at"`
	Findings []checkFinding `json:"findings"` // by check, the worst first
	Checks   []checkOutcome `json:"checks"`
}

// checkFinding is a finding and the check that made it.
type checkFinding struct {
	verify.Finding
	Line  *int   `json:"line"` // null: of no line
	Title string `json:"title"`
	Check string `json:"check"`
}

// checkOutcome is how one check of the subject ended.
type checkOutcome struct {
	Check      string         `json:"check"`
	Subject    string         `json:"subject,omitempty"` // where it is another than the report's
	Verdict    verify.Verdict `json:"verdict"`
	Trouble    *checkTrouble  `json:"trouble,omitempty"`
	Facts      []verify.Fact  `json:"facts,omitempty"`
	Transcript string         `json:"transcript,omitempty"` // the file that --save wrote

	findings []verify.Finding
	reported []checkFinding
}

// checkTrouble is why there is no conclusion.
type checkTrouble struct {
	Code   verify.Code `json:"code"`
	Title  string      `json:"title,omitempty"`
	Detail string      `json:"detail,omitempty"`
}

// newReport puts what the checks of a subject found into one report.
func newReport(subject, kind string, at time.Time, outcomes []checkOutcome) *checkReport {
	r := &checkReport{Subject: subject, Kind: kind, At: at, Findings: []checkFinding{}, Checks: outcomes}
	slices.SortStableFunc(r.Checks, func(a, b checkOutcome) int { return cmp.Compare(rank(a), rank(b)) })
	var all []verify.Finding
	open := 0
	for i := range r.Checks {
		o := &r.Checks[i]
		if o.Subject == subject {
			o.Subject = ""
		}
		if o.Trouble != nil {
			open++
		}
		slices.SortStableFunc(o.findings, worseFirst)
		all = append(all, o.findings...)
		for _, f := range o.findings {
			o.reported = append(o.reported, reported(f, o.Check))
		}
		r.Findings = append(r.Findings, o.reported...)
	}
	r.Verdict = verify.VerdictOf(all)
	if open > 0 && r.Verdict != verify.VerdictError {
		r.Verdict, r.Reason = verify.VerdictInconclusive, "not every check could be concluded"
		return r
	}
	r.Grade, r.Reason = catalog.GradeOf(r.about(), all)
	return r
}

// about is what the report is about for its grade: where only its security.txt
// was looked at, a domain is that file.
func (r *checkReport) about() verify.SubjectKind {
	switch {
	case r.Kind == "email":
		return verify.SubjectContact
	case !slices.ContainsFunc(r.Checks, func(o checkOutcome) bool { return o.Check != "securitytxt" }):
		return catalog.File
	}
	return verify.SubjectKind(r.Kind)
}

// rank puts checks in the order of their reports: the worst first, then those
// without a conclusion, then those with nothing to say.
func rank(o checkOutcome) int {
	if o.Trouble != nil {
		return 2 // before those with less than warnings
	}
	switch i := slices.Index(verify.Severities(), verify.Worst(o.findings)); {
	case i < 0:
		return 10
	case i > 1:
		return i + 1
	default:
		return i
	}
}

func worseFirst(a, b verify.Finding) int {
	order := verify.Severities()
	return cmp.Or(cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity)), cmp.Compare(a.Line, b.Line))
}

func reported(f verify.Finding, check string) checkFinding {
	r := checkFinding{Finding: f, Check: check}
	if f.Line > 0 {
		r.Line = &f.Line
	}
	p, _ := catalog.Find(f.Code) // a test proves that each code has a row
	r.Title = p.Title
	return r
}

// outcomeOf says how a run ended.
func outcomeOf(check, subject string, o verify.Outcome) checkOutcome {
	out := checkOutcome{Check: check, Subject: subject, Verdict: verify.VerdictInconclusive}
	if o.Err != nil {
		out.Trouble = troubleOf(o.Err)
		return out
	}
	out.Verdict, out.Facts, out.findings = verify.VerdictOf(o.Result.Findings), o.Result.Facts, o.Result.Findings
	return out
}

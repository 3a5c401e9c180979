package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

// Verification is what is known of what a team says about itself.
type Verification struct {
	Team        TeamRef            `json:"team" doc:"The team"`
	At          time.Time          `json:"at" format:"date-time" doc:"The moment of which this is the state"`
	Verdict     string             `json:"verdict,omitzero" enum:"ok,warning,error,inconclusive" doc:"The worst of all results; absent where there is none" example:"warning"`
	SecurityTxt VerificationAspect `json:"securitytxt" doc:"The files of RFC 9116"`
	DNS         VerificationAspect `json:"dns" doc:"The DNS of domains: mail, certificates, signatures, registration"`
	Keys        VerificationAspect `json:"keys" doc:"OpenPGP keys, and where they are published"`
	Contacts    []ProvenContact    `json:"contacts" doc:"What was proven about each contact, when, how and until when"`
}

// VerificationAspect is what checks of one kind found.
type VerificationAspect struct {
	Verdict string        `json:"verdict,omitzero" enum:"ok,warning,error,inconclusive" doc:"The worst of the results; absent where there is none" example:"warning"`
	Results []CheckResult `json:"results" doc:"By check and subject"`
}

// CheckResult is what one check knows of one subject.
type CheckResult struct {
	Check    string    `json:"check" doc:"Name of the check, as in /v1/checks" example:"mx"`
	Title    string    `json:"title" doc:"What is looked at" example:"mail to the domain has somewhere to go"`
	Kind     string    `json:"kind" enum:"domain,contact,key" doc:"What the subject is" example:"domain"`
	Subject  string    `json:"subject" doc:"The domain, the contact's value or the key's fingerprint" example:"example.org"`
	Verdict  string    `json:"verdict" enum:"ok,warning,error,inconclusive" doc:"What was found; inconclusive: nothing yet, or not for too long" example:"warning"`
	Since    time.Time `json:"since,omitzero" format:"date-time" doc:"Since when the verdict is this one"`
	Checked  time.Time `json:"checked,omitzero" format:"date-time" doc:"The last conclusion; findings and facts are of then"`
	Tried    time.Time `json:"tried,omitzero" format:"date-time" doc:"The last attempt; absent where there was none yet"`
	Trouble  string    `json:"trouble,omitzero" doc:"Why the last attempt came to no conclusion, as a code; nobody's defect, and tried again" example:"dns.timeout"`
	Due      time.Time `json:"due,omitzero" format:"date-time" doc:"When it is looked at again"`
	Paused   bool      `json:"paused,omitzero" doc:"The check is paused, so that what is due waits"`
	Findings []Finding `json:"findings" doc:"What was found, the worst first; empty where nothing is wrong"`
	Facts    []Fact    `json:"facts" doc:"What was seen, good or bad"`
	Evidence string    `json:"evidence,omitzero" doc:"SHA-256 of all that was asked and answered, to be had from verification/evidence; for whoever may read it" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// Finding is one conclusion of a check.
type Finding struct {
	Code      FindingCode `json:"code" doc:"Stable code, as in /v1/problems" example:"mx.implicit"`
	Title     string      `json:"title" doc:"What is wrong" example:"Mail goes to the address of the domain itself"`
	Severity  string      `json:"severity" enum:"error,warning,recommendation,info,notification" doc:"How bad it is, by the word of the standard" example:"warning"`
	Spec      string      `json:"spec,omitzero" doc:"What demands it" example:"RFC 5321 section 5.1"`
	Subject   string      `json:"subject,omitzero" doc:"What it is about, where that is less than the subject of the check" example:"mail.example.org"`
	Line      int         `json:"line,omitzero" minimum:"1" doc:"Line of the file, from 1" example:"3"`
	Evidence  string      `json:"evidence,omitzero" doc:"The offending text as it was seen, at most 500 octets, control characters escaped" example:"Expires: 2024-01-01T00:00:00Z"`
	Advice    string      `json:"advice" doc:"What to do" example:"Add an MX record."`
	Corrected string      `json:"corrected,omitzero" doc:"What would be right in its place" example:"Expires: 2027-01-01T00:00:00Z"`
}

// Fact is something that a check saw.
type Fact struct {
	Name  string    `json:"name" doc:"What it is; a name may occur several times" example:"mx"`
	Value string    `json:"value" doc:"As it was seen" example:"10 mail.example.org."`
	Since time.Time `json:"since,omitzero" format:"date-time" doc:"When it was first seen, after it had not been there; absent where it was there at the first look already"`
}

// ProvenContact is a contact with its evidence.
type ProvenContact struct {
	ID       string          `json:"id" format:"uuid" doc:"Stable UUID" example:"0b2f3a5e-8a0e-5c39-9d43-b4fcb1fd0c8d"`
	Channel  string          `json:"channel" enum:"email,phone,url,chat" doc:"How the contact is reached" example:"email"`
	Value    string          `json:"value" doc:"Address, E.164 number or URI" example:"csirt@example.org"`
	Evidence format.Evidence `json:"evidence" doc:"What was proven"`
}

type (
	verificationInput struct {
		ID string `path:"id" maxLength:"64" doc:"Handle or id of the team" example:"example-csirt"`
	}
	verificationOutput struct{ Body Verification }
)

func (s *Server) registerVerification() {
	register(s, spec{id: "get-verification", method: http.MethodGet, path: "/v1/teams/{id}/verification", tag: "verification", access: public,
		summary: "Show what was found about a team",
		more: "What checks know now, by aspect, each with findings, facts, since when it is so and when it is looked at again; and what was proven about the contacts. " +
			"Of a domain, contact or key that the viewer may not see nothing is said. A check that could not ask says why (trouble) and leaves what was known.",
		errors: []int{notFound}, answer: exampleVerification()}, s.verification)
	s.registerVerificationHistory()
	s.registerVerificationEvents()
	s.registerTranscript()
	s.registerVerificationRun()
	s.registerSteering()
	s.registerControl()
	s.registerDigest()
	s.registerBadge()
	s.registerSources()
}

func exampleFinding() Finding {
	t := shipped()
	p := t.byCode[exampleCode]
	f := p.Find("")
	return t.finding(&f)
}

const exampleCode = "mx.implicit"

func exampleResult() CheckResult {
	return CheckResult{Check: "mx", Title: "mail to the domain has somewhere to go", Kind: "domain", Subject: "example.org", Verdict: "ok",
		Since: exampleDay().AddDate(0, 0, -20), Checked: exampleDay(), Tried: exampleDay(), Due: exampleDay().Add(21 * time.Hour),
		Findings: []Finding{exampleFinding()}, Facts: []Fact{{Name: "address", Value: "192.0.2.25"}},
		Evidence: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
}

func exampleVerification() Verification {
	return Verification{Team: exampleRef(), At: exampleDay(), Verdict: "ok",
		SecurityTxt: VerificationAspect{Results: []CheckResult{}}, DNS: VerificationAspect{Verdict: "ok", Results: []CheckResult{exampleResult()}}, Keys: VerificationAspect{Results: []CheckResult{}},
		Contacts: []ProvenContact{{ID: exampleContactID, Channel: "email", Value: "csirt@example.org", Evidence: exampleEvidence()}}}
}

func exampleRef() TeamRef {
	return TeamRef{ID: exampleTeamID, Handle: "example-csirt", Name: "EXAMPLE-CSIRT"}
}

// results returns what keeps the results of checks.
func (s *Server) results() (verify.Results, error) {
	if s.cfg.Verify == nil {
		return nil, &directory.Error{Kind: directory.Unavailable, Op: "read verifications", Problems: []directory.Problem{
			{Code: "server.unavailable", Reason: "this server keeps no results of checks"}}}
	}
	return s.cfg.Verify, nil
}

// known is a team as the viewer may see it, with what is known of what is seen.
type known struct {
	team     directory.Team
	list     []verify.Verification
	evidence bool // the viewer may read what was seen
}

// known reads what is known of a team. What a check looks at is as visible as
// where the team names it.
func (s *Server) known(ctx context.Context, ref string) (k known, err error) {
	results, err := s.results()
	if err != nil {
		return k, err
	}
	viewer := callFrom(ctx).viewer
	if k.team, err = s.seen(ctx, viewer, ref); err != nil {
		return k, err
	}
	if k.list, err = results.Verifications(ctx, k.team.ID); err != nil {
		return k, err
	}
	subjects := k.team.CheckSubjects()
	k.list = slices.DeleteFunc(k.list, func(v verify.Verification) bool { return !subjects.Has(string(v.Subject.Kind), v.Subject.ID) })
	k.evidence = s.cfg.Directory.MayReadTranscripts(viewer, &k.team) == nil
	return k, nil
}

func (s *Server) verification(ctx context.Context, in *verificationInput) (*verificationOutput, error) {
	k, err := s.known(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	pauses, err := s.cfg.Verify.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	out := Verification{Team: refOf(&k.team), At: now.UTC(), Contacts: []ProvenContact{}}
	aspects := map[catalog.Aspect]*VerificationAspect{catalog.SecurityTxt: &out.SecurityTxt, catalog.DNS: &out.DNS, catalog.Keys: &out.Keys}
	for _, a := range aspects {
		a.Results = []CheckResult{}
	}
	for i := range k.list {
		v := &k.list[i]
		r := s.table.result(v, k.evidence)
		r.Paused = pausesCheck(pauses, v.Check)
		a := aspects[s.table.aspect(v)]
		a.Results = append(a.Results, r)
		a.Verdict, out.Verdict = worse(a.Verdict, r.Verdict), worse(out.Verdict, r.Verdict)
	}
	for i := range k.team.Contacts {
		c := &k.team.Contacts[i]
		out.Contacts = append(out.Contacts, ProvenContact{ID: string(c.ID), Channel: c.Channel, Value: c.Value,
			Evidence: format.EvidenceFrom(directory.Assess(*c, k.team.Evidence, s.cfg.Policy, now))})
	}
	return &verificationOutput{out}, nil
}

func refOf(t *directory.Team) TeamRef {
	return TeamRef{ID: string(t.ID), Handle: string(t.Handle), Name: t.Name()}
}

// pausesCheck reports whether a check is paused, alone or with all.
func pausesCheck(pauses []directory.Pause, check string) bool {
	return slices.ContainsFunc(pauses, func(p directory.Pause) bool { return p.Check == "" || p.Check == check })
}

// worse returns the worse of two verdicts; "" is none.
func worse(a, b string) string {
	if a == "" || b != "" && slices.Index(directory.CheckVerdicts, b) < slices.Index(directory.CheckVerdicts, a) {
		return b
	}
	return a
}

// checkTable is what ships.
type checkTable struct {
	checks   []verify.Check
	titles   map[string]string // by name of a check
	aspects  map[string]catalog.Aspect
	findings []verify.Problem
	byCode   map[verify.Code]verify.Problem
}

// shipped is the table of the checks that ship. It is made once and never changed.
var shipped = sync.OnceValue(func() *checkTable {
	t := &checkTable{checks: catalog.Checks(), titles: map[string]string{}, aspects: catalog.AspectOf(), findings: catalog.Problems(), byCode: map[verify.Code]verify.Problem{}}
	for _, c := range t.checks {
		t.titles[c.Name] = c.Title
	}
	for _, p := range t.findings {
		t.byCode[p.Code] = p
	}
	return t
})

// find is what [verify.Digest] wants to be explained codes by.
func (t *checkTable) find(code verify.Code) (verify.Problem, bool) {
	p, ok := t.byCode[code]
	return p, ok
}

func (t *checkTable) aspect(v *verify.Verification) catalog.Aspect {
	if a, ok := t.aspects[v.Check]; ok {
		return a
	}
	return catalog.AspectLike(v.Subject.Kind)
}

// result puts a verification into its shape on the wire.
func (t *checkTable) result(v *verify.Verification, evidence bool) CheckResult {
	r := CheckResult{
		Check: v.Check, Title: cmp.Or(t.titles[v.Check], v.Check), Kind: string(v.Subject.Kind), Subject: v.Subject.ID, Verdict: string(v.Verdict),
		Since: instantOf(v.Since), Checked: instantOf(v.Checked), Tried: instantOf(v.Tried), Trouble: string(v.Trouble), Due: instantOf(v.Due),
		Findings: []Finding{}, Facts: []Fact{},
	}
	if evidence {
		r.Evidence = v.Raw
	}
	for i := range v.Findings {
		r.Findings = append(r.Findings, t.finding(&v.Findings[i]))
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		order := verify.Severities()
		return cmp.Compare(slices.Index(order, verify.Severity(a.Severity)), slices.Index(order, verify.Severity(b.Severity)))
	})
	for _, f := range v.Facts {
		r.Facts = append(r.Facts, Fact{Name: f.Name, Value: f.Value, Since: instantOf(f.Since)})
	}
	return r
}

func (t *checkTable) finding(f *verify.Finding) Finding {
	return Finding{
		Code: FindingCode(f.Code), Title: t.byCode[f.Code].Title, Severity: string(f.Severity), Spec: f.Spec, Subject: f.Subject, Line: f.Line,
		Evidence: f.Evidence, Advice: f.Advice, Corrected: f.Corrected,
	}
}

// instantOf keeps one instant from having two spellings.
func instantOf(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

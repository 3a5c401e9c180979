package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/lab"
)

// labRun runs the command against a lab, at the lab's time.
type labRun struct {
	t    *testing.T
	lab  *lab.Lab
	args []string // that say what the lab is
	env  func(string) string
}

func labTime() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func startLab(t *testing.T) *labRun {
	l, err := lab.Start(lab.Config{Now: labTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	var allow []string
	for _, p := range l.Allow() {
		allow = append(allow, p.String())
	}
	return &labRun{t: t, lab: l, env: environment("", ""), args: []string{
		"--allow", strings.Join(allow, ","), "--anchor", file("anchor", []byte(l.TrustAnchor())), "--rdap", lab.RDAPBootstrap,
		"--resolver", l.Resolver(), "--ca", file("ca.pem", l.RootPEM()),
	}}
}

// environment holds one variable.
func environment(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

// check runs "rollcall check ARGS" and returns output, messages and status.
func (r *labRun) check(args ...string) (stdout, stderr string, status int) {
	r.t.Helper()
	var out, errs bytes.Buffer
	w := world{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: r.env, now: labTime,
		lab: func(c *verify.LiveConfig) {
			c.Limiter = nil // the lab is in a hurry
			c.Map, c.Connect, c.Header, c.Total = r.lab.DialMap, time.Second, time.Second, 3*time.Second
			c.UDP, c.TCP, c.Query = 500*time.Millisecond, 500*time.Millisecond, 2*time.Second
		},
	}
	status = w.report(run(r.t.Context(), w, append([]string{"check"}, args...)))
	return out.String(), errs.String(), status
}

// online adds what says what the lab is; offline, the flags that mean something to a replay.
func (r *labRun) online(args ...string) []string  { return append(args, r.args...) }
func (r *labRun) offline(args ...string) []string { return append(args, r.args[:6]...) }

// reports reads the output of --json.
func (r *labRun) reports(out string) (list []checkReport) {
	r.t.Helper()
	for line := range strings.Lines(out) {
		var one checkReport
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			r.t.Fatalf("%v in %q", err, line)
		}
		list = append(list, one)
	}
	return list
}

// labSubjects are subjects of the lab with what is known of them beforehand.
func labSubjects() []struct {
	subject string
	verdict verify.Verdict
	grade   string
	status  int
	code    verify.Code // of one finding, or of the trouble
} {
	return []struct {
		subject string
		verdict verify.Verdict
		grade   string
		status  int
		code    verify.Code
	}{
		{"anchor.example", verify.VerdictOK, "A", 0, ""},
		{"csirt@anchor.example", verify.VerdictOK, "A", 0, ""},
		{"granary.example", verify.VerdictWarning, "C", 0, "securitytxt.expires-soon"},
		{"heron.example", verify.VerdictError, "D", 1, "securitytxt.expired"},
		{"csirt@heron.example", verify.VerdictError, "F", 1, "mx.null"},
		{"nobody-has-this.example", verify.VerdictError, "F", 1, "domain.missing"},
		{"lagoon.example", verify.VerdictInconclusive, "", 3, "fetch.refused"},
		{"fail.odd.example", verify.VerdictInconclusive, "", 3, "dns.servfail"},
	}
}

// TestCheckLab: each verdict, live, with its exit status, and again from what
// was recorded, when there is no lab any more.
func TestCheckLab(t *testing.T) {
	r := startLab(t)
	dir := t.TempDir()
	live := map[string]checkReport{}
	for i, tt := range labSubjects() {
		out, errs, status := r.check(r.online("--json", "--save", filepath.Join(dir, string(rune('a'+i))), tt.subject)...)
		list := r.reports(out)
		if len(list) != 1 || status != tt.status || errs != "" {
			t.Fatalf("check %s: status %d, %q, %d reports; want %d, nothing, 1", tt.subject, status, errs, len(list), tt.status)
		}
		got := list[0]
		if got.Subject != tt.subject || got.Verdict != tt.verdict || string(got.Grade) != tt.grade || !got.At.Equal(labTime()) || got.Findings == nil {
			t.Errorf("check %s = %s, grade %q as of %v; want %s, grade %q\n%s", tt.subject, got.Verdict, got.Grade, got.At, tt.verdict, tt.grade, out)
		}
		if tt.code != "" && !strings.Contains(out, `"code":"`+string(tt.code)+`"`) {
			t.Errorf("check %s does not speak of %s:\n%s", tt.subject, tt.code, out)
		}
		live[tt.subject] = got
	}
	if n := r.lab.Strays(); n != 0 {
		t.Errorf("%d connections to addresses that are not the lab's", n)
	}
	if err := r.lab.Close(); err != nil {
		t.Fatal(err)
	}
	for i, tt := range labSubjects() {
		files, err := filepath.Glob(filepath.Join(dir, string(rune('a'+i)), "*.json.gz"))
		// What compares the others asks nobody, and has none.
		asked := slices.DeleteFunc(slices.Clone(live[tt.subject].Checks), func(o checkOutcome) bool { return o.Check == "sources" })
		if err != nil || len(files) != len(asked) {
			t.Fatalf("%d transcripts of %s (%v), want one for each of %d checks", len(files), tt.subject, err, len(asked))
		}
		args := []string{"--json"}
		for _, f := range files {
			args = append(args, "--replay", f)
		}
		out, errs, _ := r.check(r.offline(args...)...)
		if errs != "" {
			t.Errorf("replay of %s: %s", tt.subject, errs)
		}
		sameOutcomes(t, tt.subject, []checkReport{live[tt.subject]}, r.reports(out))
	}
}

// sameOutcomes compares reports check by check: an address is recorded as an
// address and a domain, which make two reports.
func sameOutcomes(t *testing.T, subject string, live, replayed []checkReport) {
	t.Helper()
	outcomes := func(list []checkReport) (all []checkOutcome, findings []checkFinding) {
		for _, r := range list {
			for _, o := range r.Checks {
				if o.Subject, o.Transcript = "", ""; o.Check != "sources" { // a replay has a report for each subject, and compares within it
					all = append(all, o)
				}
			}
			findings = append(findings, slices.DeleteFunc(r.Findings, func(f checkFinding) bool { return f.Check == "sources" })...)
		}
		slices.SortFunc(all, func(a, b checkOutcome) int { return strings.Compare(a.Check, b.Check) })
		slices.SortStableFunc(findings, func(a, b checkFinding) int { return strings.Compare(a.Check, b.Check) })
		return all, findings
	}
	was, found := outcomes(live)
	is, again := outcomes(replayed)
	if diff := cmp.Diff(was, is, cmpopts.IgnoreUnexported(checkOutcome{})); diff != "" {
		t.Errorf("replay of %s is another (-live +replay):\n%s", subject, diff)
	}
	if diff := cmp.Diff(found, again); diff != "" {
		t.Errorf("replay of %s finds other things (-live +replay):\n%s", subject, diff)
	}
}

// TestCheckSeveral: several subjects run at once and are printed in their
// order; the worst is the exit status, and an error counts before what is
// inconclusive.
func TestCheckSeveral(t *testing.T) {
	r := startLab(t)
	for _, tt := range []struct {
		subjects string
		status   int
	}{
		{"fail.odd.example anchor.example", 3},
		{"fail.odd.example nobody-has-this.example anchor.example", 1},
		{"anchor.example ANCHOR.example. beacon.example", 0},
	} {
		out, _, status := r.check(r.online(append(strings.Fields(tt.subjects), "--json", "--check", "domain,mx")...)...)
		var got []string
		for _, one := range r.reports(out) {
			got = append(got, one.Subject)
			if len(one.Checks) != 2 {
				t.Errorf("%s: %d checks, want the two that were asked for", one.Subject, len(one.Checks))
			}
		}
		want := strings.Fields(strings.ReplaceAll(tt.subjects, " ANCHOR.example.", ""))
		if !slices.Equal(got, want) || status != tt.status {
			t.Errorf("check %s = %q, status %d; want %q, %d", tt.subjects, got, status, want, tt.status)
		}
	}
}

// TestCheckKnownKeys: with the team's key, what a signature says is believed or refuted.
func TestCheckKnownKeys(t *testing.T) {
	r := startLab(t)
	file := filepath.Join(t.TempDir(), "known.asc")
	var armor []byte
	for _, team := range r.lab.Teams() {
		if team.Handle == "anchor" || team.Handle == "parcel" {
			armor = append(armor, team.Keys[0].Armor...)
		}
	}
	if err := os.WriteFile(file, armor, 0o600); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]verify.Code{"anchor.example": "", "parcel.example": "securitytxt.signature-invalid"} {
		out, _, status := r.check(r.online("--json", "--check", "securitytxt", "--known-keys", file, subject)...)
		var errors []verify.Code
		for _, f := range r.reports(out)[0].Findings {
			if f.Severity == verify.Error {
				errors = append(errors, f.Code)
			}
		}
		if want == "" && (len(errors) > 0 || status != 0) || want != "" && (!slices.Equal(errors, []verify.Code{want}) || status != 1) {
			t.Errorf("check %s by its key: status %d, errors %q; want %q", subject, status, errors, want)
		}
		if strings.Contains(out, "signature-unverifiable") {
			t.Errorf("check %s by its key could not verify the signature:\n%s", subject, out)
		}
	}
}

// TestCheckConfigured: what is configured for servers holds by hand too, such
// as which key servers are asked: none, unless somebody names them.
func TestCheckConfigured(t *testing.T) {
	r := startLab(t)
	args := r.online("--json", "--check", "pgpkey-contact", "csirt@anchor.example")
	if out, _, _ := r.check(args...); strings.Contains(out, `"channel.vks"`) {
		t.Errorf("a key server was asked that nobody named:\n%s", out)
	}
	r.env = environment("ROLLCALL_VERIFY_VKS", lab.VKS)
	if out, errs, _ := r.check(args...); !strings.Contains(out, `"channel.vks"`) {
		t.Errorf("the configured key server was not asked: %s\n%s", errs, out)
	}
}

// TestCheckOwnRoot: what DNSSEC is anchored at, and where registries are found, can
// be configured for servers and workers too, not given by hand only.
func TestCheckOwnRoot(t *testing.T) {
	r := startLab(t)
	at := slices.Index(r.args, "--anchor")
	anchor := r.args[at+1]
	r.args = slices.Delete(slices.Clone(r.args), at, at+4) // and --rdap
	r.env = func(name string) string {
		return map[string]string{"ROLLCALL_VERIFY_ANCHOR": anchor, "ROLLCALL_VERIFY_RDAP": lab.RDAPBootstrap}[name]
	}
	out, errs, status := r.check(r.online("--json", "--check", "dnssec,expiry", "anchor.example")...)
	if status != 0 || strings.Contains(out, "dnssec.bogus") || !strings.Contains(out, `"registration-ends"`) {
		t.Errorf("status %d, %s\n%s\nwant a domain whose chain and registration are fine", status, errs, out)
	}
	for name, value := range map[string]string{"ROLLCALL_VERIFY_ANCHOR": filepath.Join(t.TempDir(), "none"), "ROLLCALL_VERIFY_RDAP": "http://rdap.example/dns.json"} {
		r.env = environment(name, value)
		if _, errs, status := r.check(r.online("--check", "dnssec", "anchor.example")...); status != exitUsage || !strings.Contains(errs, strings.ToLower(strings.TrimPrefix(name, "ROLLCALL_"))) {
			t.Errorf("%s=%s: status %d, %q; want it to be refused", name, value, status, errs)
		}
	}
}

// TestAnchorsOver: trust anchors that do not hold are refused with their dates, by hand and by a worker,
// and not taken for domains that are not signed.
func TestAnchorsOver(t *testing.T) {
	r := startLab(t)
	at := slices.Index(r.args, "--anchor")
	file := filepath.Join(t.TempDir(), "anchors")
	line, _, _ := strings.Cut(r.lab.TrustAnchor(), "\n")
	if err := os.WriteFile(file, []byte(line+" ; from 2020-01-01 until 2021-01-01\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = "none is in force at "
	r.args[at+1] = file
	if out, errs, status := r.check(r.online("--check", "dnssec", "anchor.example")...); status != exitUsage || !strings.Contains(errs, "anchor: ") || !strings.Contains(errs, want) || out != "" {
		t.Errorf("check: status %d, %q, %q; want %d and %q", status, out, errs, exitUsage, want)
	}
	list, err := anchorsIn(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{world: world{now: labTime}, cfg: &config{Verify: verifyConfig{Anchors: list}}}
	if _, err := c.newRunner(verify.RunnerConfig{}); err == nil || !strings.Contains(err.Error(), "verify_anchor: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("a worker: %v; want %q", err, want)
	}
}

// TestCheckReplayStored: what a server recorded is replayed by its hash, from
// its database.
func TestCheckReplayStored(t *testing.T) {
	r := startLab(t)
	dir := t.TempDir()
	live, _, _ := r.check(r.online("--json", "--check", "securitytxt", "--save", dir, "heron.example")...)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("transcripts: %q, %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range storetest.Engines(t) {
		t.Run(e.Name, func(t *testing.T) {
			dsn, db := e.Open(t)
			hash := keepTranscript(t, db, raw)
			r := &labRun{t: t, lab: r.lab, args: r.args, env: r.env}
			out, errs, status := r.check(r.offline("--json", "--replay", hash, "--db", dsn)...)
			if status != exitFailed || errs != "" {
				t.Fatalf("replay of a hash: status %d, %q; want %d", status, errs, exitFailed)
			}
			sameOutcomes(t, "heron.example", r.reports(live), r.reports(out))
			_, errs, status = r.check(r.offline("--replay", strings.Repeat("0", 64), "--db", dsn)...)
			if status != exitUsage || !strings.Contains(errs, "000000: no such file") {
				t.Errorf("replay of a hash that is not there: status %d, %q; want %d", status, errs, exitUsage)
			}
		})
	}
}

// keepTranscript stores a transcript as a worker does, and returns its hash.
func keepTranscript(t *testing.T, db *store.DB, raw []byte) string {
	t.Helper()
	transcript, err := verify.DecodeTranscript(raw)
	if err != nil {
		t.Fatal(err)
	}
	data, hash, err := transcript.Encode()
	if err != nil {
		t.Fatal(err)
	}
	storetest.Write(t, db, storetest.Small(0))
	ctx, subject := t.Context(), transcript.Target.Subject
	want := verify.Want{Check: transcript.Check, Subject: subject, Revision: 1, Every: 24 * time.Hour}
	if _, err := db.Plan(ctx, labTime(), []string{transcript.Check}, []verify.TeamPlan{{Team: storetest.TeamID(0), Want: []verify.Want{want}}}); err != nil {
		t.Fatal(err)
	}
	jobs, err := db.Claim(ctx, verify.Claim{N: 1, Owner: "test", Lease: time.Minute, Now: labTime(), Checks: []string{transcript.Check}})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("Claim = %d jobs, %v", len(jobs), err)
	}
	v := verify.Assess(verify.Verification{Check: transcript.Check, Subject: subject}, verify.Outcome{Raw: hash}, 24*time.Hour, labTime())
	if _, err := db.Finish(ctx, verify.Finish{Job: jobs[0], Now: labTime(), Result: v, Raw: data}); err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestCheckInterrupted: an interrupt is no verdict about anybody.
func TestCheckInterrupted(t *testing.T) {
	r := startLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	w := world{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: r.env, now: labTime,
		lab: func(c *verify.LiveConfig) { c.Map = r.lab.DialMap }}
	status := w.report(run(ctx, w, append([]string{"check", "anchor.example"}, r.args...)))
	if status != exitNotAsked || out.Len() > 0 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("an interrupted check: status %d, %q, %q; want %d and a word about it", status, out.String(), errs.String(), exitNotAsked)
	}
}

// TestNoNetwork: a machine without a network gives no verdict.
func TestNoNetwork(t *testing.T) {
	network := noNetwork{errors.New("no resolvers")}
	for _, c := range catalog.Checks() {
		o := runCheck(t.Context(), time.Minute, c, network, verify.Target{Subject: verify.Subject{Kind: c.Kinds[0], ID: "csirt@example.org"}, Now: labTime(),
			Control: &verify.Control{State: directory.ControlWaiting, Started: labTime()}, Selectors: []verify.Selector{{Domain: "example.org", Name: "s1"}}})
		if c.Kinds[0] == verify.SubjectKey {
			continue // is judged by what is at hand
		}
		if got := outcomeOf(c.Name, "", o); got.Verdict != verify.VerdictInconclusive || got.Trouble == nil || got.Trouble.Code != verify.CodeInternal {
			t.Errorf("%s without a network = %s, %+v; want no conclusion and %s", c.Name, got.Verdict, got.Trouble, verify.CodeInternal)
		}
	}
}

// TestRunCheckIsolated: neither a panic nor a check that does not end does harm to others.
func TestRunCheckIsolated(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, tt := range map[string]struct {
		run  func() (verify.Result, error)
		want verify.Code
	}{
		"panic":  {func() (verify.Result, error) { panic("a bug") }, verify.CodePanic},
		"hangs":  {func() (verify.Result, error) { <-release; return verify.Result{}, nil }, verify.CodeTimeout},
		"fails":  {func() (verify.Result, error) { return verify.Result{}, errors.New("odd") }, verify.CodeInternal},
		"is out": {func() (verify.Result, error) { return verify.Result{}, &verify.Trouble{Code: verify.FetchTimeout} }, verify.FetchTimeout},
	} {
		c := verify.Check{Name: "x", Run: func(context.Context, verify.Network, verify.Target) (verify.Result, error) { return tt.run() }}
		limit := time.Minute
		if tt.want == verify.CodeTimeout {
			limit = time.Millisecond
		}
		got := outcomeOf("x", "", runCheck(t.Context(), limit, c, nil, verify.Target{}))
		if got.Verdict != verify.VerdictInconclusive || got.Trouble == nil || got.Trouble.Code != tt.want || got.Trouble.Title == "" {
			t.Errorf("%s = %+v, %+v; want no conclusion and %s", name, got, got.Trouble, tt.want)
		}
	}
}

// TestCheckWriteFails: a report that did not arrive is neither fine nor an error that was found.
func TestCheckWriteFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("/dev/full: %v", err)
	}
	defer full.Close() //nolint:errcheck // it takes nothing
	var errs bytes.Buffer
	w := world{stdin: strings.NewReader(""), stdout: full, stderr: &errs, getenv: func(string) string { return "" }, now: labTime}
	status := w.report(run(t.Context(), w, []string{"check", "--key", "testdata/fixtures/key.asc"}))
	if status != exitNotAsked || !strings.Contains(errs.String(), "standard output: ") {
		t.Errorf("check to a full disk: status %d, %q; want %d and why", status, errs.String(), exitNotAsked)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
	"github.com/rollcall-csirt/rollcall/verify/dnssec"
)

// mostRuns is how many checks run at once: enough to be quick, few enough for
// the resolver and for those who are asked.
const mostRuns = 16

// checkSubject is one domain or address, and what is run about it.
type checkSubject struct {
	id, kind string
	runs     []*checkRun
	left     sync.WaitGroup
}

// checkRun is one run of one check.
type checkRun struct {
	check   verify.Check
	target  verify.Target
	outcome checkOutcome
}

// subjects checks what the arguments name.
func (p *checkPrinter) subjects(at time.Time) error {
	checks, err := p.chosen(at)
	if err != nil {
		return err
	}
	base := verify.Target{Now: at}
	if base.Claims.Keys, err = p.knownKeys(); err != nil {
		return err
	}
	var list []*checkSubject
	for _, arg := range p.args {
		s, err := p.subject(arg, checks, base)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(o *checkSubject) bool { return o.id == s.id }) {
			list = append(list, s)
		}
	}
	network, err := p.network(at)
	if err != nil {
		return err
	}
	saver, err := p.saver()
	if err != nil {
		return err
	}
	return p.runAll(list, func(r *checkRun) { p.run(r, network, saver) })
}

// chosen returns the checks to run as of a moment.
func (p *checkPrinter) chosen(at time.Time) ([]verify.Check, error) {
	cfg, err := p.catalog()
	if err != nil {
		return nil, err
	}
	if err := dnssec.InForce(cfg.DNS.Anchors, at); err != nil {
		return nil, usage(p.cmd, "anchor: %v", err)
	}
	all := cfg.Checks()
	if len(p.flags.checks) == 0 {
		return slices.DeleteFunc(all, func(c verify.Check) bool { return c.Claimed }), nil
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name)
	}
	for _, name := range p.flags.checks {
		if err := known("check", name, names); err != nil {
			return nil, usage(p.cmd, "%v", err)
		}
	}
	return slices.DeleteFunc(all, func(c verify.Check) bool { return !slices.Contains(p.flags.checks, c.Name) }), nil
}

// subject reads an argument and finds out what is to be run about it.
func (p *checkPrinter) subject(arg string, checks []verify.Check, target verify.Target) (*checkSubject, error) {
	s := &checkSubject{kind: "domain"}
	if strings.Contains(arg, "@") && !strings.Contains(arg, "/") {
		mail, err := directory.ParseEmail(arg)
		if err != nil {
			return nil, usage(p.cmd, "EMAIL: %v", err)
		}
		s.id, s.kind = string(mail), "email"
	} else {
		name, err := parseCheckDomain(arg)
		if err != nil {
			return nil, usage(p.cmd, "DOMAIN: %v", err)
		}
		s.id = name
	}
	for _, c := range checks {
		for _, about := range lookedAt(c, s.kind, s.id) {
			target.Subject = about
			s.runs = append(s.runs, &checkRun{check: c, target: target})
		}
	}
	if len(s.runs) == 0 {
		return nil, usage(p.cmd, "check: %s", bad(strings.Join(p.flags.checks, ","), "nothing that is run on a "+s.kind, "another, or none for all"))
	}
	return s, nil
}

// parseCheckDomain reads a domain, and says what to give instead of a URL.
func parseCheckDomain(arg string) (string, error) {
	if _, rest, ok := strings.Cut(arg, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		if d, err := directory.ParseDomain(host); err == nil {
			return "", bad(arg, "a URL", string(d))
		}
	}
	d, err := directory.ParseDomain(arg)
	if err == nil && d.Parent() == "" {
		err = bad(arg, "a single label", "a domain such as example.org")
	}
	return string(d), err
}

// lookedAt returns what a check looks at for a domain or an address: the same
// as for a team that has nothing else.
func lookedAt(c verify.Check, kind, id string) []verify.Subject {
	if kind == "domain" {
		if slices.Contains(c.Kinds, verify.SubjectDomain) {
			return []verify.Subject{{Kind: verify.SubjectDomain, ID: id}}
		}
		return nil
	}
	t := &directory.Team{Profile: directory.Profile{Contacts: []directory.Contact{{Channel: "email", Value: id}}}}
	list := c.Applies(t)
	own := verify.Subject{Kind: verify.SubjectContact, ID: id}
	if slices.Contains(c.Kinds, verify.SubjectContact) && !slices.Contains(list, own) {
		list = append(list, own)
	}
	return list
}

// runAll runs everything, some at once, and prints the reports in order, each
// as soon as it can be.
func (p *checkPrinter) runAll(list []*checkSubject, run func(*checkRun)) error {
	work := make(chan func())
	var workers sync.WaitGroup
	for range mostRuns {
		workers.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	progress := p.newProgress(list)
	for _, s := range list {
		s.left.Add(len(s.runs))
	}
	workers.Go(func() {
		defer close(work)
		for _, s := range list {
			for _, r := range s.runs {
				work <- func() {
					defer s.left.Done()
					run(r)
					progress.done(s.id, r.check.Name)
				}
			}
		}
	})
	err := p.inOrder(list, progress)
	workers.Wait()
	progress.clear()
	return err
}

// inOrder prints each report when it is there. An error of the output does not
// end what runs: that is bounded by time anyway.
func (p *checkPrinter) inOrder(list []*checkSubject, progress *checkProgress) (err error) {
	for _, s := range list {
		s.left.Wait()
		var outcomes []checkOutcome
		for _, r := range s.runs {
			outcomes = append(outcomes, r.outcome)
		}
		progress.clear()
		if err == nil && p.ctx.Err() != nil {
			err = notAsked("interrupted; %s and what follows was not checked", s.id)
		}
		outcomes = append(outcomes, sourcesOutcome(outcomes, s)...)
		if err == nil {
			err = p.report(newReport(s.id, s.kind, s.runs[0].target.Now, outcomes))
		}
	}
	return err
}

// run runs one check, records it and keeps how it ended.
func (p *checkPrinter) run(r *checkRun, network verify.Network, save *transcriptSaver) {
	recorder := verify.Record(network)
	o := runCheck(p.ctx, p.flags.timeout, r.check, recorder, r.target)
	if err := recorder.Whole(); o.Err == nil && err != nil {
		o = verify.Outcome{Err: err}
	}
	r.outcome = outcomeOf(r.check.Name, r.target.Subject.ID, o)
	if save == nil {
		return
	}
	file, err := save.keep(recorder.Transcript(r.check.Name, r.target))
	if err != nil {
		r.outcome.Verdict, r.outcome.findings = verify.VerdictInconclusive, nil
		r.outcome.Trouble = &checkTrouble{Code: verify.CodeInternal, Title: "The transcript could not be kept", Detail: err.Error()}
	}
	r.outcome.Transcript = file
}

// runCheck runs a check within its time; a panic ends that run only, and says
// nothing of the subject.
func runCheck(ctx context.Context, limit time.Duration, c verify.Check, n verify.Network, t verify.Target) verify.Outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &verify.Trouble{Code: verify.CodeTimeout, Detail: "not done after " + limit.String(), Ours: true})
	defer cancel()
	done := make(chan verify.Outcome, 1)
	go func() { done <- isolated(ctx, c, n, t) }()
	select {
	case o := <-done:
		if o.Err != nil && ctx.Err() != nil {
			o.Err = context.Cause(ctx) // what ended it says more than what came of that
		}
		return o
	case <-ctx.Done():
		// What does not heed its end can't be ended from outside: it counts for nothing.
		return verify.Outcome{Err: context.Cause(ctx)}
	}
}

func isolated(ctx context.Context, c verify.Check, n verify.Network, t verify.Target) (o verify.Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = verify.Outcome{Err: &verify.Trouble{Code: verify.CodePanic, Detail: fmt.Sprintf("%v\n%s", v, debug.Stack()), Ours: true}}
		}
	}()
	o.Result, o.Err = c.Run(ctx, n, t)
	return o
}

// troubleOf puts an error into words for the report.
func troubleOf(err error) *checkTrouble {
	var t *verify.Trouble
	switch {
	case errors.As(err, &t):
	case errors.Is(err, context.Canceled):
		t = &verify.Trouble{Code: verify.CodeCancelled, Detail: "interrupted"}
	default:
		t = &verify.Trouble{Code: verify.CodeInternal, Detail: err.Error()}
	}
	p, _ := catalog.Find(t.Code)
	detail := t.Detail
	if t.Err != nil {
		detail = strings.TrimPrefix(detail+": "+t.Err.Error(), ": ")
	}
	return &checkTrouble{Code: t.Code, Title: p.Title, Detail: verify.Quote(detail)}
}

// checkProgress tells people how far it is, on a terminal only.
type checkProgress struct {
	p     *checkPrinter
	total int

	mu    sync.Mutex
	n     int
	shown bool
}

func (p *checkPrinter) newProgress(list []*checkSubject) *checkProgress {
	g := &checkProgress{p: p}
	for _, s := range list {
		g.total += len(s.runs)
	}
	return g
}

func (g *checkProgress) done(subject, check string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
	if g.p.terminal(g.p.stderr) {
		g.shown = true
		fmt.Fprintf(g.p.stderr, "\r\x1b[K%d of %d checks done: %s of %s", g.n, g.total, check, subject)
	}
}

// clear takes the line away, so that a report can stand there.
func (g *checkProgress) clear() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shown {
		fmt.Fprint(g.p.stderr, "\r\x1b[K")
		g.shown = false
	}
}

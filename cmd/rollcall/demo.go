package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/verify/lab"
)

const demoLong = `Demo starts a real server on an embedded database in a temporary folder, fills it
with a few dozen invented teams in every state a contact can be in, runs some
commands and shows their output. Thirty of the teams live on a small Internet of
its own on this machine, with name servers, sites and key servers: what they
claim is checked there, and the verdicts are shown. A campaign asks them by mail
whether they answer, and its report shows who did, and how. Then it says where to
look further, and stops.

With --hold it keeps running until Ctrl-C; with --keep the folder stays. Nothing
leaves this machine.`

func demoCommand(w world) *cobra.Command {
	var keep, hold bool
	cmd := &cobra.Command{
		Use: "demo", Short: "Start everything with invented teams and show what it does",
		Long: demoLong, Example: "  rollcall demo\n  rollcall demo --hold",
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.demo(keep, hold) }),
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder with the database")
	cmd.Flags().BoolVar(&hold, "hold", false, "keep running until Ctrl-C")
	return cmd
}

func (c *call) demo(keep, hold bool) (err error) {
	dir, err := os.MkdirTemp("", "rollcall-demo-")
	if err != nil {
		return err
	}
	if !keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	post, asking, err := c.newDemoPost(dir)
	if err != nil {
		return err
	}
	defer post.close()
	l, err := lab.Start(lab.Config{Now: c.now})
	if err != nil {
		return err
	}
	demo := *c
	demo.cfg = &config{
		DB: filepath.Join(dir, "demo.db"), Listen: "127.0.0.1:0", ShutdownTimeout: c.cfg.ShutdownTimeout,
		Policy: c.cfg.Policy, MaxChange: c.cfg.MaxChange, Challenge: asking,
		Verify: verifyConfig{Resolvers: []string{l.Resolver()}}, // also for where mails come from: no question leaves this machine
	}
	demo.stderr = io.Discard // that the database is new is no news here
	demo.log = slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := demo.newServer()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	token, err := c.fillDemo(s)
	if err != nil {
		return errors.Join(err, s.close(), l.Close())
	}
	d, err := demo.newDemoLab(s, l)
	if err != nil {
		return errors.Join(err, s.close(), l.Close())
	}
	d.post = post
	return c.runDemo(s, d, demo.cfg.DB, token, hold)
}

// runDemo shows the server while it runs, and stops it.
func (c *call) runDemo(s *server, d *demoLab, db, token string, hold bool) error {
	ctx, stop := context.WithCancel(c.ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	endChecks := d.run(ctx)
	err := c.showDemo(s, db, token)
	if err == nil {
		err = c.showChecks(s, d, db)
	}
	if err == nil {
		err = c.showCampaign(s, d, db)
	}
	if err == nil {
		err = c.showPlaces(s, db)
	}
	if err == nil && hold {
		fmt.Fprintln(c.stdout, "The server keeps running. Stop it with Ctrl-C.")
		select {
		case <-c.ctx.Done():
		case err := <-done: // it failed by itself
			return errors.Join(err, endChecks())
		}
	}
	err = errors.Join(err, endChecks())
	stop()
	if err = errors.Join(err, <-done); err == nil {
		fmt.Fprintln(c.stdout, "Stopped: no more requests, then the index, then the database.")
	}
	return err
}

// demoStep is one command of the demo: what it shows, its arguments, and the
// same as a request.
type demoStep struct {
	label string
	title string
	args  []string
	token bool
	path  string
}

func demoSteps() []demoStep {
	return []demoStep{
		{"1.", "Whom to tell about an address: the team that has it, and every fallback behind it.",
			[]string{"192.0.2.17"}, false, "/v1/lookup?q=192.0.2.17"},
		{"2.", "Who takes reports of a vulnerability behind a URL that somebody pasted.",
			[]string{"--use", "vulnerability", "hxxps://www[.]meadow.example.org/login?x=1"}, false,
			"/v1/lookup?use=vulnerability&q=www.meadow.example.org"},
		{"3.", "A country with two national teams: both are shown, nothing is chosen.",
			[]string{"AQ"}, false, "/v1/lookup?q=AQ"},
		{"4.", "A contact that is TLP:GREEN, asked by nobody in particular ...",
			[]string{"192.0.2.100"}, false, "/v1/lookup?q=192.0.2.100"},
		{"  ", "... and with a token.",
			[]string{"192.0.2.100"}, true, "/v1/lookup?q=192.0.2.100"},
		{"5.", "Nobody is known, and why: every step that was tried.",
			[]string{"198.51.100.200"}, false, "/v1/lookup?q=198.51.100.200"},
	}
}

// showDemo runs the commands against the server and prints what they print.
func (c *call) showDemo(s *server, db, token string) error {
	stats := s.follower.Index().Stats()
	fmt.Fprintf(c.stdout, `Rollcall runs at %s on a database in %s:
%d invented teams with %d prefixes, %d networks, %d domains and %d keys; one team
became part of another, one ended, one publishes no contact. A token of the role
consumer: %s

`, s.url(), filepath.Dir(db), stats.Teams, stats.Prefixes, stats.ASNs, stats.Domains, stats.Keys, token)
	for _, step := range demoSteps() {
		if err := c.showStep(s, step, token); err != nil {
			return err
		}
	}
	return nil
}

// showPlaces says where to look while the server runs.
func (c *call) showPlaces(s *server, db string) error {
	fmt.Fprintf(c.stdout, `Where to look further while it runs (--hold):
  %[1]s/v1/teams          the teams, with the evidence for each contact
  %[1]s/v1/teams/harbour  one of them; its keys and its prose
  %[1]s/docs              the API, operation by operation, with examples
  %[1]s/openapi.yaml      the description of the API
  %[1]s/metrics           counters for Prometheus
  %[1]s/readyz            whether it can answer
  %[1]s/v1/policies       by which policies contacts are asked whether they answer
  %[3]s  the mails to those who are asked (POST /v1/challenges)
  rollcall team list --db %[2]s
  rollcall export --db %[2]s rfc2350 --team harbour

`, s.url(), db, filepath.Join(filepath.Dir(db), "mails"))
	return c.ctx.Err()
}

func (c *call) showStep(s *server, step demoStep, token string) error {
	args := append([]string{"lookup", "--server", s.url()}, step.args...)
	shown, header := "", ""
	w := c.world
	w.getenv = func(name string) string {
		if name == "ROLLCALL_TOKEN" && step.token {
			return token
		}
		return ""
	}
	if step.token {
		shown, header = "ROLLCALL_TOKEN="+token+" ", " -H 'Authorization: Bearer "+token+"'"
	}
	fmt.Fprintf(c.stdout, "%s %s\n\n   $ %srollcall %s\n", step.label, step.title, shown, strings.Join(quoted(args), " "))
	var out strings.Builder
	w.stdout, w.stderr = &out, &out
	err := run(c.ctx, w, append(slices.Clone(args), "--text"))
	code := w.report(err)
	for line := range strings.Lines(strings.TrimRight(out.String(), "\n") + "\n") {
		fmt.Fprint(c.stdout, "   "+line)
	}
	fmt.Fprintf(c.stdout, "   (exit status %d)\n\n   $ curl -s%s '%s%s'\n\n", code, header, s.url(), step.path)
	if code > exitFailed {
		return fmt.Errorf("demo: %q ended with %d: %w", step.args, code, err)
	}
	return nil
}

// quoted puts what a shell would take apart into quotes.
func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.ContainsAny(a, "?&[]* ") {
			out[i] = "'" + a + "'"
		}
	}
	return out
}

// ago is the time some days before now.
func (c *call) ago(days int) time.Time { return c.now().Add(-time.Duration(days) * 24 * time.Hour) }

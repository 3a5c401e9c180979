package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify"
	"github.com/rollcall-csirt/rollcall/verify/catalog"
)

func verifyCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Show and steer the checks of what teams claim",
		Long: `Verify shows what the checks are doing, pauses them, lets them go on, and has
those of one team run now. It speaks to the database, so that it holds for every
server and worker on it. "rollcall check" checks a domain without any of them.`,
		Example: `  rollcall verify status --db teams.db
  rollcall verify pause --db teams.db --now --why "a site complains"
  rollcall verify resume --db teams.db
  rollcall verify run --db teams.db example-csirt`,
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(verifyStatusCommand(w), verifyPauseCommand(w), verifyResumeCommand(w), verifyRunCommand(w), verifySourcesCommand(w))
	return cmd
}

func verifyStatusCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show what the checks are doing",
		Long: `Status prints what is paused and why, how many rows of the queue are due and for
how long, what the guard holds back, and the verdicts by check.`,
		Example: "  rollcall verify status --db teams.db\n  rollcall verify status --db teams.db --json",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.verifyStatus(asJSON) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// checksStatus is what status --json prints.
type checksStatus struct {
	Paused   []checksPause    `json:"paused"`
	Rows     int              `json:"rows"`
	Due      int              `json:"due"`
	Running  int              `json:"running"`
	Lag      float64          `json:"lag_seconds"`
	Held     int              `json:"held"`
	Verdicts map[string]tally `json:"verdicts"`
	Runs     map[string]tally `json:"runs"`
}

// tally counts by verdict, or code of a trouble.
type tally map[string]int64

type checksPause struct {
	Check string    `json:"check,omitempty"`
	Guard bool      `json:"guard,omitempty"`
	Now   bool      `json:"now,omitempty"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
	At    time.Time `json:"at"`
}

func statusFrom(f *verify.Figures) checksStatus {
	s := checksStatus{Paused: []checksPause{}, Rows: f.Rows, Due: f.Due, Running: f.Leased, Lag: f.Lag.Seconds(), Held: f.Held,
		Verdicts: tallies(f.Verdicts), Runs: tallies(f.Runs)}
	for _, p := range f.Pauses {
		s.Paused = append(s.Paused, checksPause(p))
	}
	return s
}

func tallies(list []verify.Count) map[string]tally {
	all := map[string]tally{}
	for _, c := range list {
		if all[c.Check] == nil {
			all[c.Check] = tally{}
		}
		all[c.Check][c.Outcome] = c.N
	}
	return all
}

func (c *call) verifyStatus(asJSON bool) error {
	return c.withStore(func(db *store.DB) error {
		f, err := db.Figures(c.ctx, c.now())
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.stdout, statusFrom(&f))
		}
		return c.printStatus(&f)
	}, store.MustExist)
}

func (c *call) printStatus(f *verify.Figures) error {
	for _, p := range f.Pauses {
		what := "all checks"
		if p.Check != "" {
			what = "check " + p.Check
		}
		fmt.Fprintf(c.stdout, "%s paused by %s since %s", plain(what), plain(p.By), p.At.UTC().Format("2006-01-02 15:04 MST"))
		if p.Why != "" {
			fmt.Fprintf(c.stdout, ": %s", plain(p.Why))
		}
		fmt.Fprintln(c.stdout)
	}
	if f.Held > 0 {
		fmt.Fprintf(c.stdout, "%d verdicts are held back; resume with --accept or --discard\n", f.Held)
	}
	fmt.Fprintf(c.stdout, "%d to check, %d due", f.Rows, f.Due)
	if f.Due > 0 {
		fmt.Fprintf(c.stdout, " (the first for %s)", f.Lag.Round(time.Second))
	}
	fmt.Fprintf(c.stdout, ", %d running\n", f.Leased)
	if len(f.Verdicts) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	verdicts := []verify.Verdict{verify.VerdictOK, verify.VerdictWarning, verify.VerdictError, verify.VerdictInconclusive}
	fmt.Fprint(t, "check")
	for _, v := range verdicts {
		fmt.Fprintf(t, "\t%s", v)
	}
	byCheck := tallies(f.Verdicts)
	for _, name := range slices.Sorted(maps.Keys(byCheck)) {
		fmt.Fprintf(t, "\n%s", plain(name))
		for _, v := range verdicts {
			fmt.Fprintf(t, "\t%d", byCheck[name][string(v)])
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}

func verifyPauseCommand(w world) *cobra.Command {
	var now bool
	var why string
	cmd := &cobra.Command{
		Use: "pause [CHECK]", Short: "Stop all checks, or one",
		Long: `Pause lets no check begin, or none of the one named, on any server or worker,
until "rollcall verify resume". What is running may finish; with --now it ends
within a second, and runs again later.`,
		Example: "  rollcall verify pause --db teams.db --why \"maintenance of our resolver\"\n  rollcall verify pause --db teams.db --now\n  rollcall verify pause --db teams.db securitytxt",
		Args:    atMostOne("CHECK"), RunE: w.action(func(c *call) error { return c.pauseChecks(now, why) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&now, "now", false, "end what is running, too")
	cmd.Flags().StringVar(&why, "why", "", "`TEXT` for others who look: why")
	return cmd
}

// atMostOne is for a command with one optional argument.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage(cmd, "%d arguments; want one %s at most", len(args), name)
		}
		return nil
	}
}

// named returns the first argument, "" for none.
func (c *call) named() string {
	if len(c.args) == 0 {
		return ""
	}
	return c.args[0]
}

// knownCheck refuses a slip in the name of a check, which would pause nothing.
func (c *call) knownCheck() error {
	if len(c.args) == 0 {
		return nil
	}
	var names []string
	for _, check := range catalog.Checks() {
		names = append(names, check.Name)
	}
	if !slices.Contains(names, c.args[0]) {
		return usage(c.cmd, "CHECK: there is no check %q; want one of %s", c.args[0], strings.Join(names, ", "))
	}
	return nil
}

func (c *call) pauseChecks(now bool, why string) error {
	if err := c.knownCheck(); err != nil {
		return err
	}
	return c.withDirectory(func(d *directory.Directory) error {
		if err := d.PauseChecks(c.ctx, c.operator(), c.named(), now, why); err != nil {
			return asUsage(err)
		}
		_, err := fmt.Fprintln(c.stdout, "paused, on every server and worker")
		return err
	}, store.MustExist)
}

func verifyResumeCommand(w world) *cobra.Command {
	var accept, discard bool
	cmd := &cobra.Command{
		Use: "resume [CHECK]", Short: "Let paused checks go on",
		Long: `Resume ends the pause of all checks, or of the one named. When the guard has
paused them because too many verdicts turned bad at once, those verdicts are
held back: --accept publishes them, --discard throws them away and checks again.
"rollcall verify status" tells how many there are.`,
		Example: "  rollcall verify resume --db teams.db\n  rollcall verify resume --db teams.db --discard\n  rollcall verify resume --db teams.db securitytxt",
		Args:    atMostOne("CHECK"), RunE: w.action(func(c *call) error { return c.resumeChecks(accept, discard) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&accept, "accept", false, "publish the verdicts that are held back")
	cmd.Flags().BoolVar(&discard, "discard", false, "throw them away, and check again")
	return cmd
}

func (c *call) resumeChecks(accept, discard bool) error {
	if err := c.exclusive("accept", "discard"); err != nil {
		return err
	}
	held := directory.HeldNone
	switch {
	case accept:
		held = directory.HeldAccept
	case discard:
		held = directory.HeldDiscard
	}
	return c.withDirectory(func(d *directory.Directory) error {
		n, err := d.ResumeChecks(c.ctx, c.operator(), c.named(), held)
		if err != nil {
			return asUsage(err)
		}
		done := "resumed"
		if n > 0 {
			done = fmt.Sprintf("resumed; %d verdicts that were held back: %s", n, held)
		}
		_, err = fmt.Fprintln(c.stdout, done)
		return err
	}, store.MustExist)
}

func verifyRunCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "run TEAM", Short: "Have the checks of one team run now",
		Long: `Run makes all checks of TEAM due. A server or worker begins with them within
seconds, before whatever else is due; "rollcall verify status" shows whether one
is at work.`,
		Example: "  rollcall verify run --db teams.db example-csirt",
		Args:    exactArgs("TEAM"), RunE: w.action((*call).runChecks),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) runChecks() error {
	return c.withDirectory(func(d *directory.Directory) error {
		n, err := d.RunChecks(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%d checks are due now\n", n)
		return err
	}, store.MustExist)
}

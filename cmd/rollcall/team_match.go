package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

// matchesFlags are the flags of rollcall team matches.
type matchesFlags struct {
	json         bool
	least        float64
	team, source string
	limit        int
}

func teamMatchesCommand(w world) *cobra.Command {
	f := &matchesFlags{}
	cmd := &cobra.Command{
		Use: "matches", Short: "List teams that may be one",
		Long: `Matches compares all teams as they are now and lists the pairs that may be one
team, the likeliest first, with what speaks for it (+) and against it (-). The
team named first had better stay. Pairs that were decided to be different are
left out until they have something new in common.`,
		Example: "  rollcall team matches --db teams.db\n  rollcall team matches --db teams.db --team example-csirt --min 0.2\n  rollcall team matches --db teams.db --source ti --json",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.listMatches(f) }),
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.BoolVar(&f.json, "json", false, "print one JSON object, as the API does")
	flags.Float64Var(&f.least, "min", 0.3, "least `SCORE`, 0.2 to 1")
	flags.StringVar(&f.team, "team", "", "only matches of this `TEAM`")
	flags.StringVar(&f.source, "source", "", "only where this source knows one of the two; team is what people entered (`NAME`)")
	flags.IntVar(&f.limit, "limit", 0, "at most so many (`N`; default: all)")
	return cmd
}

func (c *call) listMatches(f *matchesFlags) error {
	if f.least < 0.2 || f.least > 1 {
		return usage(c.cmd, "min: %v is no score that a match can have; want 0.2 to 1", f.least)
	}
	if f.limit < 0 {
		return usage(c.cmd, "limit: %d is below 0; want a number of matches, or 0 for all", f.limit)
	}
	q := directory.MatchQuery{Team: f.team, Source: f.source, MinScore: f.least, Limit: f.limit}
	if q.Limit == 0 {
		q.Limit = 1 << 30
	}
	return c.withStore(func(db *store.DB) error {
		var x *directory.Index
		err := db.View(c.ctx, func(r directory.Reader) (err error) {
			x, err = directory.LoadIndex(r, directory.IndexOptions{Policy: c.cfg.Policy})
			return err
		})
		if err != nil {
			return err
		}
		d, err := directory.New(directory.Config{Store: db, Now: c.now})
		if err != nil {
			return err
		}
		page, err := d.Matches(c.ctx, c.operator(), x, q)
		if err != nil {
			return err
		}
		return c.printMatches(f.json, page)
	}, store.MustExist)
}

func (c *call) printMatches(asJSON bool, page directory.MatchPage) error {
	if asJSON {
		out := api.MatchPage{Matches: make([]api.Match, len(page.Matches)), Next: page.Next, Total: page.Total, Seq: page.Seq}
		for i := range page.Matches {
			out.Matches[i] = api.MatchFrom(&page.Matches[i])
		}
		return printJSON(c.stdout, out)
	}
	var b strings.Builder
	for i := range page.Matches {
		m := &page.Matches[i]
		keep, other := m.Keep()
		fmt.Fprintf(&b, "%.2f %-8s %s = %s\n", m.Score, m.Exactness, matchSide(keep), matchSide(other))
		for _, r := range m.Reasons {
			mark := "+"
			if r.Weight < 0 {
				mark = "-"
			}
			fmt.Fprintf(&b, "    %s %s\n", mark, strings.TrimSpace(r.Kind+" "+r.Value))
		}
		if d := m.Decision; d != nil {
			fmt.Fprintf(&b, "    ! decided to be different by %s on %s, before they had all of this in common\n", d.By, d.At.UTC().Format("2006-01-02"))
		}
	}
	fmt.Fprintf(&b, "%d matches\n", page.Total)
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

func matchSide(t *directory.Team) string {
	var sources []string
	for _, s := range t.Sources {
		sources = append(sources, s.Source)
	}
	return fmt.Sprintf("%s (%s, %s; %s)", t.Handle, t.Name(), dash(string(t.Country)), strings.Join(sources, " "))
}

func teamMergeCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "merge FROM INTO", Short: "Make one team part of another",
		Long: `Merge is for two records of one team. What FROM knew goes along, below what
INTO's own people entered; its handle and id lead to INTO from then on. Fields
that people had entered in both are told. "rollcall team unmerge" takes it back.`,
		Example: "  rollcall team merge --db teams.db example-cert example-csirt",
		Args:    exactArgs("FROM", "INTO"), RunE: w.action((*call).mergeTeams),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) mergeTeams() error {
	return c.withDirectory(func(d *directory.Directory) error {
		t, conflicts, err := d.MergeTelling(c.ctx, c.operator(), c.args[0], c.args[1], directory.AnyRevision)
		if err != nil {
			return err
		}
		var b strings.Builder
		for _, x := range conflicts {
			fmt.Fprintf(&b, "%s: %s is shown, and not %s, which %s had\n", x.Field, strconv.Quote(x.After), strconv.Quote(x.Before), c.args[0])
		}
		fmt.Fprintf(&b, "%s is part of %s now, at revision %d\n", c.args[0], t.Handle, t.Revision)
		_, err = io.WriteString(c.stdout, b.String())
		return err
	}, store.MustExist)
}

func teamUnmergeCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "unmerge TEAM", Short: "Undo a merge",
		Long: `Unmerge makes TEAM, which became part of another, a team of its own again, as it
was before. What was edited since stays with the other; what sources imported
since goes back with their layers, and proof with its contact. The two are
decided to be different, so that no rule merges them again.`,
		Example: "  rollcall team unmerge --db teams.db example-cert",
		Args:    exactArgs("TEAM"), RunE: w.action((*call).unmergeTeam),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) unmergeTeam() error {
	return c.withDirectory(func(d *directory.Directory) error {
		u, err := d.Unmerge(c.ctx, c.operator(), c.args[0], directory.AnyRevision)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s is a team of its own again, at revision %d; %s goes on at revision %d\n", u.Team.Handle, u.Team.Revision, u.From.Handle, u.From.Revision)
		return err
	}, store.MustExist)
}

func teamDifferentCommand(w world) *cobra.Command {
	var reason string
	var reopen bool
	cmd := &cobra.Command{
		Use: "different TEAM OTHER", Short: "Decide that two teams are not one",
		Long: `Different takes a pair out of the list of matches, with a reason for those who
come after. It comes back when the two have something new in common, or with
--reopen.`,
		Example: "  rollcall team different --db teams.db --reason=two-teams example-csirt example-psirt\n  rollcall team different --db teams.db --reopen example-csirt example-psirt",
		Args:    exactArgs("TEAM", "OTHER"), RunE: w.action(func(c *call) error { return c.decideTeams(reason, reopen) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for others who look: why")
	cmd.Flags().BoolVar(&reopen, "reopen", false, "what was decided no longer holds")
	return cmd
}

func (c *call) decideTeams(reason string, reopen bool) error {
	if err := c.exclusive("reason", "reopen"); err != nil {
		return err
	}
	v := directory.MatchVerdict{
		Verdict: directory.VerdictDifferent, Reason: reason,
		Keep:  directory.MatchSide{Team: c.args[0], Revision: directory.AnyRevision},
		Other: directory.MatchSide{Team: c.args[1], Revision: directory.AnyRevision},
	}
	said := "different"
	if reopen {
		v.Verdict, said = directory.VerdictOpen, "open again"
	}
	return c.withDirectory(func(d *directory.Directory) error {
		out, err := d.Decide(c.ctx, c.operator(), v)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s and %s: %s\n", out.Keep.Handle, out.Other.Handle, said)
		return err
	}, store.MustExist)
}

// matchFlags are the flags of rollcall team match.
type matchFlags struct{ apply, dryRun, force, json bool }

func teamMatchCommand(w world) *cobra.Command {
	f := &matchFlags{}
	cmd := &cobra.Command{
		Use: "match --apply-rules", Short: "Merge what the rules say is one team",
		Long: `Match --apply-rules merges the teams that fulfil a rule of match_rules, as every
import does afterwards: all of it, or nothing. A rule names what two teams must
have in common, joined by +:

  uuid                         a source calls one by the UUID of the other
  key+country                  the same OpenPGP key, the same country
  mailbox+country+near-name    the same address and country, a name that is alike

Whatever a rule says, two teams are left to people where anything speaks against
their being one. Rules that would merge more than a share of all teams
(--max-change) stop: look at --dry-run, and repeat with --force.`,
		Example: "  rollcall team match --db teams.db --apply-rules --dry-run\n  rollcall team match --db teams.db --apply-rules --match-rules uuid,key+country",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.applyRules(f) }),
	}
	keyFlags(cmd.Flags(), "db", "match_rules", "max_change")
	flags := cmd.Flags()
	flags.BoolVar(&f.apply, "apply-rules", false, "merge by the rules")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be merged, and write nothing")
	flags.BoolVar(&f.force, "force", false, "merge as many as the rules say")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	return cmd
}

// rulesJSON is what team match --json prints.
type rulesJSON struct {
	Teams  int                   `json:"teams"`
	Merges []mergeJSON           `json:"merges"`
	Held   []api.Match           `json:"held"`
	DryRun bool                  `json:"dry_run"`
	Seq    int64                 `json:"seq,omitempty"`
	Error  *format.ReportProblem `json:"error,omitempty"`
}

// mergeJSON is one merge by a rule.
type mergeJSON struct {
	Rule    string            `json:"rule"`
	From    string            `json:"from"`
	Into    string            `json:"into"`
	Reasons []api.MatchReason `json:"reasons"`
}

func mergesTo(list []directory.RuleMerge) []mergeJSON {
	out := make([]mergeJSON, len(list))
	for i, m := range list {
		out[i] = mergeJSON{Rule: string(m.Rule), From: string(m.From.Handle), Into: string(m.Into.Handle), Reasons: []api.MatchReason{}}
		for _, r := range m.Reasons {
			out[i].Reasons = append(out[i].Reasons, api.MatchReason{Kind: r.Kind, Value: r.Value, Weight: r.Weight})
		}
	}
	return out
}

func (c *call) applyRules(f *matchFlags) error {
	if !f.apply {
		return usage(c.cmd, "nothing to do; want --apply-rules, or rollcall team matches for the list")
	}
	return c.withDirectory(func(d *directory.Directory) error {
		report, err := d.ApplyRules(c.ctx, c.operator(), directory.RuleOptions{DryRun: f.dryRun, Force: f.force, MaxMerge: c.cfg.MaxChange})
		if f.json {
			out := rulesJSON{Teams: report.Teams, Merges: mergesTo(report.Merges), Held: []api.Match{}, DryRun: f.dryRun, Seq: report.Seq, Error: format.ReportFrom(directory.ImportReport{}, err).Error}
			for i := range report.Held {
				out.Held = append(out.Held, api.MatchFrom(&report.Held[i]))
			}
			return firstError(err, printJSON(c.stdout, out))
		}
		return firstError(err, c.printRules(report, err))
	}, store.MustExist)
}

func (c *call) printRules(r directory.RuleReport, failed error) error {
	var b strings.Builder
	verb := "merged"
	if r.DryRun || failed != nil {
		verb = "would merge"
	}
	printMerges(&b, r.Merges, verb)
	for i := range r.Held {
		keep, other := r.Held[i].Keep()
		fmt.Fprintf(&b, "left to people: %s and %s, whose group has two teams that can't be one\n", keep.Handle, other.Handle)
	}
	fmt.Fprintf(&b, "%d teams: %d merges, %d left to people", r.Teams, len(r.Merges), len(r.Held))
	if r.DryRun || failed != nil {
		b.WriteString(" (nothing was written)")
	}
	_, err := fmt.Fprintln(c.stdout, b.String())
	return err
}

func printMerges(b *strings.Builder, list []directory.RuleMerge, verb string) {
	for _, m := range list {
		var why []string
		for _, r := range m.Reasons {
			why = append(why, strings.TrimSpace(r.Kind+" "+r.Value))
		}
		fmt.Fprintf(b, "%s %s into %s by rule %s (%s)\n", verb, m.From.Handle, m.Into.Handle, m.Rule, strings.Join(why, "; "))
	}
}

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func campaignCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "campaign", Short: "Ask many contacts within one window",
		Long: `Campaign plans, starts, halts and reports on campaigns, in which many contacts are
asked within one announced window. It speaks to the database: the questions go out
from whatever "rollcall serve --challenge on" is running on it.

It needs mail_dir (--mail-dir, ROLLCALL_MAIL_DIR or the configuration), the folder
that "rollcall mail init" makes; start, resume and rehearse need all that sending
needs, as "rollcall mail selftest" does.`,
		Example: `  rollcall campaign plan --db teams.db --mail-dir mail --from 2026-12-01 --to 2026-12-12 --forum tf-csirt "Winter 2026"
  rollcall campaign rehearse --config rollcall.toml --dir mails 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55
  rollcall campaign start --config rollcall.toml 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55
  rollcall campaign report --db teams.db --mail-dir mail --form html 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55`,
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(campaignListCommand(w), campaignPlanCommand(w), campaignShowCommand(w), campaignRehearseCommand(w), campaignReportCommand(w),
		campaignMoveCommand(w, challenge.MoveStart, "Start a campaign", "Start makes the questions of a planned campaign, once the self-test of our own mails\nhas passed."),
		campaignMoveCommand(w, challenge.MoveHalt, "Let a campaign stand still", "Halt has nothing more of a campaign sent; answers still count."),
		campaignMoveCommand(w, challenge.MoveResume, "Let a campaign go on", "Resume lets a campaign go on, once the self-test of our own mails has passed.\nEverything has that much more time."),
		campaignMoveCommand(w, challenge.MoveAbort, "End a campaign for good", "Abort ends a campaign: its open questions are closed, and count for nothing."))
	return cmd
}

// withDesk runs do on the desk of the configured database.
func (c *call) withDesk(do func(*challenge.Desk) error) error {
	return c.withTable(func(d *challenge.Desk, _ *directory.Index) error { return do(d) })
}

// withTable is withDesk with the directory that lies on it.
func (c *call) withTable(do func(*challenge.Desk, *directory.Index) error) error {
	return c.withParts(func(p officeParts) error {
		desk, err := c.newDesk(p, nil)
		if err != nil {
			return err
		}
		return asUsage(do(desk, p.index()))
	})
}

// withTeam is withTable for the team that the first argument names.
func (c *call) withTeam(do func(*challenge.Desk, *directory.Index, *directory.Team) error) error {
	return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
		team, err := teamNamed(x, c.args[0])
		if err != nil {
			return err
		}
		return do(d, x, team)
	})
}

// withOffice runs do on an office of the configured database, which does not work by itself.
func (c *call) withOffice(do func(*office) error) error {
	return c.withParts(func(p officeParts) error {
		p.ready = c.ready
		o, err := c.newOffice(p)
		if err != nil {
			return err
		}
		return errors.Join(asUsage(do(o)), o.submitter.Close())
	})
}

func (c *call) withParts(do func(officeParts) error) error {
	return c.withStore(func(db *store.DB) error {
		follower, err := c.newFollower(db)
		if err != nil {
			return err
		}
		return do(officeParts{store: db, index: follower.Index})
	}, store.MustExist)
}

func campaignFlags(cmd *cobra.Command, more ...string) {
	keyFlags(cmd.Flags(), append(more, "db", "mail_dir", "challenge_policies")...)
}

// allOfThem is a limit for lists that are printed whole.
const allOfThem = 1_000_000

func campaignListCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List campaigns", Long: "List prints the campaigns, newest first.",
		Example: "  rollcall campaign list --db teams.db --mail-dir mail", Args: exactArgs(),
		RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error {
				list, err := d.Campaigns(c.ctx, c.operator(), challenge.CampaignFilter{Limit: allOfThem})
				if err != nil {
					return err
				}
				return c.printCampaigns(list, asJSON)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *call) printCampaigns(list []challenge.Campaign, asJSON bool) error {
	for i := range list {
		list[i].Secret = nil
	}
	switch {
	case asJSON:
		if list == nil {
			list = []challenge.Campaign{}
		}
		return printJSON(c.stdout, list)
	case len(list) == 0:
		_, err := fmt.Fprintln(c.stdout, "no campaign was planned")
		return err
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for i := range list {
		fmt.Fprintf(t, "%s\t%s\t%s to %s\t%s\n", list[i].ID, list[i].State, list[i].From.Format(time.DateOnly), list[i].To.Format(time.DateOnly), list[i].Name)
	}
	return t.Flush()
}

func campaignPlanCommand(w world) *cobra.Command {
	var from, to string
	var plan challenge.Campaign
	var kind, country string
	cmd := &cobra.Command{
		Use: "plan NAME", Short: "Plan a campaign, which asks nobody yet",
		Long: `Plan keeps a new campaign and prints its id. Each contact's moment is drawn over
the working time of its team within the window. Without a scope it asks everybody.`,
		Example: "  rollcall campaign plan --db teams.db --mail-dir mail --from 2026-12-01 --to 2026-12-12 --forum tf-csirt \"Winter 2026\"",
		Args:    exactArgs("NAME"), RunE: w.action(func(c *call) error {
			plan.Name, plan.Kind = c.args[0], challenge.Kind(kind)
			return c.planCampaign(plan, from, to, country)
		}),
	}
	campaignFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "`TIME` at which the window begins: a day, or RFC 3339 such as 2026-12-01T09:00:00Z")
	f.StringVar(&to, "to", "", "`TIME` at which the window ends")
	f.StringVar(&plan.Policy, "policy", "", "`NAME` of the policy; without it, the one that holds for each contact")
	f.StringVar(&kind, "kind", "", "`KIND` of question: code, nonce, signed, both, drill or phone; without it, what fits each contact")
	f.StringVar(&plan.Scope.Forum, "forum", "", "ask the members of `FORUM` only")
	f.StringVar(&plan.Scope.Tier, "tier", "", "ask those whose membership is of `TYPE` or status")
	f.StringVar(&country, "country", "", "ask the teams of `COUNTRY`")
	f.StringVar(&plan.Scope.Sector, "sector", "", "ask the teams that serve `SECTOR`")
	f.StringSliceVar(&plan.Scope.Uses, "use", nil, "ask contacts for `USE` only")
	return cmd
}

func (c *call) planCampaign(plan challenge.Campaign, from, to, country string) (err error) {
	if plan.From, err = momentOf(from); err != nil {
		return usage(c.cmd, "from: %v", err)
	}
	if plan.To, err = momentOf(to); err != nil {
		return usage(c.cmd, "to: %v", err)
	}
	if country != "" {
		if plan.Scope.Country, err = directory.ParseCountry(country); err != nil {
			return usage(c.cmd, "country: %v", err)
		}
	}
	return c.withDesk(func(d *challenge.Desk) error {
		made, err := d.PlanCampaign(c.ctx, c.operator(), plan)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, made.ID)
		return err
	})
}

// momentOf reads a day or a moment.
func momentOf(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, bad(s, "not a time", "a day such as 2026-12-01, or 2026-12-01T09:00:00Z")
	}
	return t, nil
}

func campaignShowCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show CAMPAIGN", Short: "Show how far a campaign has come", Long: "Show prints the state of a campaign and counts its questions.",
		Example: "  rollcall campaign show --db teams.db --mail-dir mail 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55",
		Args:    exactArgs("CAMPAIGN"), RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error {
				one, progress, err := d.Campaign(c.ctx, c.operator(), challenge.CampaignID(c.args[0]))
				if err != nil {
					return wanting(err, "an id that rollcall campaign list prints")
				}
				if asJSON {
					return printJSON(c.stdout, api.CampaignOf(&one, &progress))
				}
				return c.printProgress(&one, &progress)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) printProgress(one *challenge.Campaign, p *challenge.Progress) error {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t%s\n", one.Name, one.State)
	fmt.Fprintf(t, "  window\t%s to %s\n", one.From.Format(time.RFC3339), one.To.Format(time.RFC3339))
	fmt.Fprintf(t, "  questions\t%d, of which %d went out and %d are over\n", p.Total, p.Asked, p.Over)
	fmt.Fprintf(t, "  mails\t%d, of which the relay took %d; %d contacts bounced\n", p.Mails, p.Accepted, p.Bounced)
	for _, s := range challenge.States() {
		if p.States[s] > 0 {
			fmt.Fprintf(t, "  %s\t%d\n", s, p.States[s])
		}
	}
	for _, o := range slices.Sorted(maps.Keys(p.Outcomes)) {
		fmt.Fprintf(t, "    %s\t%d\n", o, p.Outcomes[o])
	}
	for _, s := range slices.Sorted(maps.Keys(one.Skipped)) {
		fmt.Fprintf(t, "  not asked: %s\t%d\n", s, one.Skipped[s])
	}
	if !p.Next.IsZero() {
		fmt.Fprintf(t, "  next\t%s\n", p.Next.Format(time.RFC3339))
	}
	return t.Flush()
}

func campaignMoveCommand(w world, move challenge.Move, short, long string) *cobra.Command {
	tested := move == challenge.MoveStart || move == challenge.MoveResume
	cmd := &cobra.Command{
		Use: string(move) + " CAMPAIGN", Short: short, Long: long,
		Example: "  rollcall campaign " + string(move) + " --db teams.db --mail-dir mail 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55",
		Args:    exactArgs("CAMPAIGN"), RunE: w.action(func(c *call) error {
			steer := func(d *challenge.Desk) error {
				one, err := d.Steer(c.ctx, c.operator(), challenge.CampaignID(c.args[0]), move)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.stdout, "%s: %s\n", one.Name, one.State)
				return err
			}
			if tested {
				return c.withOffice(func(o *office) error { return steer(o.Desk) })
			}
			return c.withDesk(steer)
		}),
	}
	if tested {
		cmd.Example = "  rollcall campaign " + string(move) + " --config rollcall.toml 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55"
		keyFlags(cmd.Flags(), sendKeyNames("db", "challenge_policies", "mail_blocklists", "mail_plain", "mail_relay_from", "mail_templates", "verify_resolvers")...)
		return cmd
	}
	campaignFlags(cmd)
	return cmd
}

func campaignReportCommand(w world) *cobra.Command {
	var form string
	cmd := &cobra.Command{
		Use: "report CAMPAIGN", Short: "Print what a campaign came to",
		Long: `Report prints how many answered, how they were proven, and how quickly, by forum,
sector and country: as JSON, as CSV, or as one HTML page with its charts. Groups of
fewer than five teams have no figures.`,
		Example: "  rollcall campaign report --db teams.db --mail-dir mail --form html 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55 > report.html",
		Args:    exactArgs("CAMPAIGN"), RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error {
				return c.printReport(form, func() (challenge.Report, error) {
					return d.Report(c.ctx, c.operator(), challenge.CampaignID(c.args[0]))
				})
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&form, "form", "json", "`FORM` of the report: json, csv or html")
	return cmd
}

package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func challengeDueCommand(w world) *cobra.Command {
	var why string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "due [TEAM]", Short: "Show when contacts are asked, and why, or why not",
		Long: `Due prints for each contact of TEAM by which policy it is asked, when next and why,
and what it is being asked; or why it is not asked. With --why it prints those that
stand so, of TEAM or, without it, of all teams.`,
		Example: "  rollcall challenge due --db teams.db --mail-dir mail example-csirt\n  rollcall challenge due --db teams.db --mail-dir mail --why unvouched",
		Args:    cobra.ArbitraryArgs, RunE: w.action(func(c *call) error {
			reason := challenge.DueWhy(why)
			switch {
			case len(c.args) > 1:
				return usage(c.cmd, "%d arguments; want one TEAM at most", len(c.args))
			case why != "" && !slices.Contains(challenge.DueWhys(), reason):
				return usage(c.cmd, "why: %q is no reason; want one of %s", why, strings.Join(words(challenge.DueWhys()), ", "))
			case len(c.args) == 0 && why == "":
				return usage(c.cmd, "TEAM: missing; want the handle or id of a team, or --why for all teams")
			case len(c.args) == 0:
				return c.withTable(func(d *challenge.Desk, x *directory.Index) error { return c.dueOfAll(d, x, reason, asJSON) })
			}
			return c.withTeam(func(d *challenge.Desk, x *directory.Index, team *directory.Team) error {
				list, err := d.Outlook(c.ctx, c.operator(), team)
				if err != nil {
					return err
				}
				if why != "" {
					list = slices.DeleteFunc(list, func(o challenge.Outlook) bool { return o.Next.Why != reason })
				}
				if asJSON {
					return printJSON(c.stdout, api.OutlookOf(x, team, list, c.operator()))
				}
				return c.printOutlook(challenge.TeamOutlook{Contacts: list})
			})
		}),
	}
	campaignFlags(cmd, "challenge_notices")
	cmd.Flags().StringVar(&why, "why", "", "only contacts that stand so: `REASON`, such as unvouched or no-way")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func words[S ~string](list []S) (out []string) {
	for _, w := range list {
		out = append(out, string(w))
	}
	return out
}

// dueOfAll prints the contacts of all teams that stand for one reason.
func (c *call) dueOfAll(d *challenge.Desk, x *directory.Index, why challenge.DueWhy, asJSON bool) error {
	list, _, err := d.Outlooks(c.ctx, c.operator(), challenge.OutlookFilter{Why: why, Limit: allOfThem})
	switch {
	case err != nil:
		return err
	case asJSON:
		page := api.OutlookPage{Teams: []api.TeamOutlook{}}
		for i := range list {
			page.Teams = append(page.Teams, api.OutlookOf(x, list[i].Team, list[i].Contacts, c.operator()))
		}
		return printJSON(c.stdout, page)
	case len(list) == 0:
		_, err := fmt.Fprintln(c.stdout, "no contact stands so")
		return err
	}
	return c.printOutlook(list...)
}

// printOutlook prints contacts; those of a team that is named, with its handle.
func (c *call) printOutlook(teams ...challenge.TeamOutlook) error {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, team := range teams {
		for i := range team.Contacts {
			l := &team.Contacts[i]
			cells := []string{plain(l.Contact.Value), outlookWords(l)}
			if team.Team != nil {
				cells = slices.Insert(cells, 0, string(team.Team.Handle))
			}
			if l.Open != nil {
				cells = append(cells, fmt.Sprintf("is being asked: %s, %s", l.Open.ID, l.Open.State))
			}
			if l.Mark != "" {
				cells = append(cells, "marked "+string(l.Mark))
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
	}
	return t.Flush()
}

// outlookWords says when and why a contact is asked, or why not.
func outlookWords(l *challenge.Outlook) string {
	switch l.Next.Why {
	case challenge.DueNoPolicy:
		return "never: no policy holds for it (no-policy)"
	case challenge.DueNoWay:
		return "never: nothing that " + l.Policy + " asks for fits it (no-way)"
	case challenge.DueUnvouched:
		return "not before somebody beside the team's editors stands for it (unvouched)"
	case challenge.DueStopped:
		return "not before the kill switch is lifted (stopped)"
	case challenge.DueDigest:
		return fmt.Sprintf("next %s in a notice to the team (%s, digest)", l.Next.At.Format(time.DateOnly), l.Policy)
	}
	if l.Next.At.IsZero() {
		return fmt.Sprintf("not before somebody has looked (%s)", l.Next.Why)
	}
	return fmt.Sprintf("next %s by %s (%s, %s)", l.Next.At.Format(time.DateOnly), l.Kind, l.Policy, l.Next.Why)
}

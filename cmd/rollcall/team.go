package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

func teamCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "team", Short: "Show, list, match, merge and delete teams",
		Long:    "Team works on single teams of the database, as the operator: everything is shown.",
		Example: "  rollcall team list --db teams.db --country AT\n  rollcall team show --db teams.db example-csirt",
		Args:    cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(teamListCommand(w), teamShowCommand(w), teamDigestCommand(w), teamSuccessorCommand(w), teamKeysCommand(w), teamSecurityTxtCommand(w), teamSourcesCommand(w), teamDeleteCommand(w),
		teamControlCommand(w),
		teamMatchesCommand(w), teamMergeCommand(w), teamUnmergeCommand(w), teamDifferentCommand(w), teamMatchCommand(w))
	return cmd
}

func teamListCommand(w world) *cobra.Command {
	var country, kind string
	cmd := &cobra.Command{
		Use: "list", Short: "List the teams in the order of their handles",
		Long: "List prints handle, country, name and contacts of the teams, or of those of one\ncountry or kind.", Example: "  rollcall team list --db teams.db\n  rollcall team list --db teams.db --country AT --kind csirt",
		Args: exactArgs(), RunE: w.action(func(c *call) error { return c.listTeams(country, kind) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().StringVar(&country, "country", "", "`CODE` of one country")
	cmd.Flags().StringVar(&kind, "kind", "", "one `KIND`: "+strings.Join(directory.Kinds, ", "))
	return cmd
}

func (c *call) listTeams(country, kind string) error {
	filter := directory.TeamFilter{Kind: kind}
	if country != "" {
		code, err := directory.ParseCountry(country)
		if err != nil {
			return usage(c.cmd, "country: %v", err)
		}
		filter.Country = code
	}
	return c.withDirectory(func(d *directory.Directory) error {
		list, err := d.Teams(c.ctx, c.operator(), filter)
		if err != nil {
			return err
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		for i := range list {
			var contacts []string
			for _, x := range list[i].Contacts {
				contacts = append(contacts, x.Value)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", list[i].Handle, dash(string(list[i].Country)), list[i].Name(), dash(strings.Join(contacts, " ")))
		}
		return t.Flush()
	}, store.MustExist)
}

func teamShowCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show TEAM", Short: "Show one team as JSON",
		Long: "Show prints all that is known about the team with the handle or id TEAM, as the\nAPI shows it, with the source of each value and the evidence for each contact.", Example: "  rollcall team show --db teams.db example-csirt",
		Args: exactArgs("TEAM"), RunE: w.action((*call).showTeam),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) showTeam() error {
	return c.withDirectory(func(d *directory.Directory) error {
		t, err := d.Team(c.ctx, c.operator(), c.args[0])
		if err != nil {
			return err
		}
		e := json.NewEncoder(c.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(format.TeamFrom(&t, c.cfg.Policy, c.now()))
	}, store.MustExist)
}

func teamDeleteCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete TEAM", Short: "Delete a team, and keep its history",
		Long: "Delete ends a team. A tombstone with its history stays, and its handle is not\ngiven to another team.", Example: "  rollcall team delete --db teams.db example-csirt",
		Args: exactArgs("TEAM"), RunE: w.action((*call).deleteTeam),
	}
	keyFlags(cmd.Flags(), "db")
	return cmd
}

func (c *call) deleteTeam() error {
	return c.withDirectory(func(d *directory.Directory) error {
		if err := d.Delete(c.ctx, c.operator(), c.args[0], directory.AnyRevision); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.stdout, "deleted %s\n", c.args[0])
		return err
	}, store.MustExist)
}

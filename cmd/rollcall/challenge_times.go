package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// printReport prints a report in one of its forms.
func (c *call) printReport(form string, report func() (challenge.Report, error)) error {
	if !slices.Contains([]string{"json", "csv", "html"}, form) {
		return usage(c.cmd, "form: %q is not a form; want json, csv or html", form)
	}
	r, err := report()
	switch {
	case err != nil:
		return err
	case form == "csv":
		return r.WriteCSV(c.stdout)
	case form == "html":
		return r.WriteHTML(c.stdout)
	}
	return printJSON(c.stdout, r)
}

func challengeFiguresCommand(w world) *cobra.Command {
	var form, forum, since, until string
	cmd := &cobra.Command{
		Use: "figures", Short: "Print how quickly contacts answer",
		Long: `Figures prints how many answered, how they were proven, and how quickly, of all
questions that were made in a stretch of time: together and by campaign, forum,
sector and country. Groups of fewer than five teams have no figures.`,
		Example: "  rollcall challenge figures --db teams.db --mail-dir mail --form csv --since 2026-01-01 --until 2027-01-01\n  rollcall challenge figures --db teams.db --mail-dir mail --forum tf-csirt --form html > answers.html",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			var span [2]time.Time
			for i, s := range []string{since, until} {
				var err error
				if s == "" {
					continue
				}
				if span[i], err = momentOf(s); err != nil {
					return usage(c.cmd, "%s: %v", []string{"since", "until"}[i], err)
				}
			}
			return c.withDesk(func(d *challenge.Desk) error {
				return c.printReport(form, func() (challenge.Report, error) {
					return d.Figures(c.ctx, c.operator(), forum, span[0], span[1])
				})
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&forum, "forum", "", "members of the forum `NAME` only")
	cmd.Flags().StringVar(&since, "since", "", "questions made at or after `TIME` only")
	cmd.Flags().StringVar(&until, "until", "", "questions made before `TIME` only")
	cmd.Flags().StringVar(&form, "form", "json", "`FORM` of the figures: json, csv or html")
	return cmd
}

func challengeTimesCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "times TEAM", Short: "Print how quickly a team answers",
		Long:    "Times prints by when TEAM has answered its questions, and whether it lets others see\nthat. Questions without an answer count as waiting.",
		Example: "  rollcall challenge times --db teams.db --mail-dir mail example-csirt",
		Args:    exactArgs("TEAM"), RunE: w.action(func(c *call) error {
			return c.withTeam(func(d *challenge.Desk, _ *directory.Index, team *directory.Team) error {
				g, consent, err := d.TeamFigures(c.ctx, c.operator(), team)
				if err != nil {
					return err
				}
				times := api.TeamTimesOf(team, &g, consent)
				if asJSON {
					return printJSON(c.stdout, times)
				}
				return c.printTimes(&times)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) printTimes(times *api.TeamResponseTimes) error {
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "questions\t%d, of which %d were answered\n", times.Asked, times.Answered)
	for _, of := range []struct {
		name  string
		waits api.Waits
	}{{"a person", times.Human}, {"a proof by key", times.Proof}} {
		fmt.Fprintf(t, "until %s\thalf within %s, nine in ten within %s\n", of.name, secondsOf(of.waits.Median), secondsOf(of.waits.P90))
	}
	seen := "by its own, its forums' secretariats and operators"
	if times.Consent {
		seen = "by everybody who is signed in"
	}
	fmt.Fprintf(t, "seen\t%s\n", seen)
	return t.Flush()
}

// secondsOf is a time until something, for people.
func secondsOf(n *int64) string {
	if n == nil {
		return "(not reached)"
	}
	return (time.Duration(*n) * time.Second).String()
}

func challengeConsentCommand(w world) *cobra.Command {
	var withdraw bool
	cmd := &cobra.Command{
		Use: "consent TEAM", Short: "Let others see how quickly a team answers, on its behalf",
		Long:    "Consent notes that TEAM lets everybody who is signed in see how quickly it answers,\nor that it does no more. The audit trail has who noted it.",
		Example: "  rollcall challenge consent --db teams.db --mail-dir mail example-csirt\n  rollcall challenge consent --db teams.db --mail-dir mail --withdraw example-csirt",
		Args:    exactArgs("TEAM"), RunE: w.action(func(c *call) error {
			return c.withTeam(func(d *challenge.Desk, _ *directory.Index, team *directory.Team) error {
				return d.Consent(c.ctx, c.operator(), team, !withdraw)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&withdraw, "withdraw", false, "it lets them see no more")
	return cmd
}

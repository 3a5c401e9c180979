package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

// moved prints what became of a question.
func (c *call) moved(q *challenge.Challenge, err error) error {
	if err != nil {
		return err
	}
	state := string(q.State)
	if !q.Paused.IsZero() {
		state += ", paused"
	}
	_, err = fmt.Fprintf(c.stdout, "%s: %s\n", plain(q.Address), state)
	return err
}

// mostWords is how long a reason or a note may be, in characters, as in the API.
const mostWords = 500

func (c *call) wordsOf(flag, text string) error {
	if n := len([]rune(text)); n > mostWords {
		return usage(c.cmd, "%s: %d characters; want at most %d", flag, n, mostWords)
	}
	return nil
}

// challengeWorkCommand is one that moves a question, with a reason for the log.
func challengeWorkCommand(w world, name, short, long string, do func(*challenge.Desk, context.Context, directory.Principal, challenge.ID, string) (challenge.Challenge, error)) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: name + " QUESTION", Short: short, Long: long,
		Example: "  rollcall challenge " + name + " --db teams.db --mail-dir mail --why \"they moved house\" 4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11",
		Args:    exactArgs("QUESTION"), RunE: w.action(func(c *call) error {
			if err := c.wordsOf("why", why); err != nil {
				return err
			}
			return c.withDesk(func(d *challenge.Desk) error {
				q, err := do(d, c.ctx, c.operator(), challenge.ID(c.args[0]), why)
				return c.moved(&q, err)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "`TEXT` for the log: why")
	return cmd
}

func challengeCallCommand(w world) *cobra.Command {
	var one challenge.Call
	var at, code string
	cmd := &cobra.Command{
		Use: "call QUESTION", Short: "Log a telephone call about a question",
		Long: `Call logs that you dialled a number for a question, and whether a person of the team
answered. Read the six digits out that "rollcall challenge show" prints, and have
them read back: --code takes what you heard. The call counts once another operator
has approved it, with "rollcall challenge approve".`,
		Example: "  rollcall challenge call --db teams.db --mail-dir mail --number +4315056416 --reached --code 402917 4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11",
		Args:    exactArgs("QUESTION"), RunE: w.action(func(c *call) error {
			if one.Number == "" {
				return usage(c.cmd, "number: missing; want the number as it was dialled")
			}
			if at != "" {
				var err error
				if one.At, err = momentOf(at); err != nil {
					return usage(c.cmd, "at: %v", err)
				}
			}
			if one.Reached && code == "" {
				return usage(c.cmd, "code: missing; want the six digits of the question as they were read back")
			}
			return c.withDesk(func(d *challenge.Desk) error {
				q, err := d.Log(c.ctx, c.operator(), challenge.ID(c.args[0]), one, code)
				return c.moved(&q, err)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&one.Number, "number", "", "`NUMBER` as it was dialled, in the form +4315056416")
	cmd.Flags().StringVar(&at, "at", "", "`TIME` of the call; now unless given")
	cmd.Flags().BoolVar(&one.Reached, "reached", false, "a person of the team answered and read the code back")
	cmd.Flags().StringVar(&code, "code", "", "`DIGITS` that were read back")
	cmd.Flags().BoolVar(&one.Unannounced, "unannounced", false, "it came within promised hours and without notice")
	return cmd
}

func challengeJudgeCommand(w world, name, short, long string, good bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " QUESTION", Short: short, Long: long,
		Example: "  rollcall challenge " + name + " --db teams.db --mail-dir mail 4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11",
		Args:    exactArgs("QUESTION"), RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error {
				q, err := d.Judge(c.ctx, c.operator(), challenge.ID(c.args[0]), good)
				return c.moved(&q, err)
			})
		}),
	}
	campaignFlags(cmd)
	return cmd
}

func challengeCasesCommand(w world) *cobra.Command {
	var closed, asJSON bool
	cmd := &cobra.Command{
		Use: "cases", Short: "List what needs a person",
		Long:    "Cases prints what an operator is to look at, oldest first: calls to make and to\napprove, wrong addresses, opt-outs, replies by another key, codes that were guessed.",
		Example: "  rollcall challenge cases --db teams.db --mail-dir mail",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
				list, err := d.ListCases(c.ctx, c.operator(), challenge.CaseFilter{Closed: closed, Limit: allOfThem})
				if err != nil {
					return err
				}
				return c.printCases(x, list, asJSON)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&closed, "closed", false, "those that are closed instead")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) printCases(x *directory.Index, list []challenge.OpenCase, asJSON bool) error {
	out := api.DeskCaseList{Cases: []api.DeskCase{}}
	for i := range list {
		out.Cases = append(out.Cases, api.CaseOf(x, &list[i]))
	}
	switch {
	case asJSON:
		return printJSON(c.stdout, out)
	case len(list) == 0:
		_, err := fmt.Fprintln(c.stdout, "nothing needs a person")
		return err
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for i := range out.Cases {
		one := &out.Cases[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", one.Question, one.Kind, one.Opened.Format(time.DateOnly), one.Team.Handle, plain(one.Note))
	}
	return t.Flush()
}

func challengeCloseCommand(w world) *cobra.Command {
	var how challenge.Closing
	var kinds []string
	for _, k := range challenge.CaseKinds() {
		kinds = append(kinds, string(k))
	}
	cmd := &cobra.Command{
		Use: "close QUESTION KIND", Short: "Close a case",
		Long: "Close closes the case of a kind that a question has: " + strings.Join(kinds[:2], ", ") + ",\n" + strings.Join(kinds[2:7], ", ") + ",\n" + strings.Join(kinds[7:], ", ") + ".\n" +
			"An address that asked for no more mail gets none unless --allow says that it agreed\nto be mailed again, which can be said of a closed case too. A contact that ended as\nunreachable fails in public once --confirm says that nobody answers there, until\nsomebody does.",
		Example: "  rollcall challenge close --db teams.db --mail-dir mail --note \"they agreed\" --allow 4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11 opt-out",
		Args:    exactArgs("QUESTION", "KIND"), RunE: w.action(func(c *call) error {
			if !slices.Contains(kinds, c.args[1]) {
				return usage(c.cmd, "%q is not a kind of case; want %s", c.args[1], strings.Join(kinds, ", "))
			}
			if err := c.wordsOf("note", how.Note); err != nil {
				return err
			}
			return c.withDesk(func(d *challenge.Desk) error {
				if err := d.Close(c.ctx, c.operator(), challenge.ID(c.args[0]), challenge.CaseKind(c.args[1]), how); err != nil {
					return err
				}
				return c.printClosed(d, challenge.CaseKind(c.args[1]))
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&how.Note, "note", "", "`TEXT` for the log")
	cmd.Flags().BoolVar(&how.Allowed, "allow", false, "of an opt-out: the address may be mailed again")
	cmd.Flags().BoolVar(&how.Confirmed, "confirm", false, "of an unreachable contact: nobody answers there")
	return cmd
}

// printClosed says what came of closing a case: whether a contact that opted out is mailed again.
func (c *call) printClosed(d *challenge.Desk, kind challenge.CaseKind) error {
	said := "closed"
	if kind == challenge.CaseOptOut {
		q, _, err := d.See(c.ctx, c.operator(), challenge.ID(c.args[0]))
		if err != nil {
			return err
		}
		out, err := d.OptedOut(c.ctx, c.operator(), &q)
		if err != nil {
			return err
		}
		said = "closed; mails may go to the contact again"
		if out {
			said = "closed; the contact stays unmailed, --allow lets mails go to it again"
		}
	}
	_, err := fmt.Fprintln(c.stdout, said)
	return err
}

func challengeResultCommand(w world) *cobra.Command {
	var level int
	var source, at string
	cmd := &cobra.Command{
		Use: "result TEAM CONTACT", Short: "Take in what another registrar found out",
		Long:    "Result takes in, as evidence under its name, what another registrar found out about\nCONTACT, an address or an id. Nobody is asked.",
		Example: "  rollcall challenge result --db teams.db --mail-dir mail --source \"Example Registrar\" --level 2 --at 2026-11-02 example-csirt csirt@example.org",
		Args:    exactArgs("TEAM", "CONTACT"), RunE: w.action(func(c *call) error {
			f := challenge.Found{Level: directory.Level(level), Source: source}
			var err error
			if f.At, err = momentOf(at); err != nil {
				return usage(c.cmd, "at: %v", err)
			}
			return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
				team, contact, err := contactNamed(x, c.args[0], c.args[1])
				if err != nil {
					return err
				}
				f.Team, f.Contact = team.ID, contact.ID
				q, err := d.TakeIn(c.ctx, c.operator(), f)
				return c.moved(&q, err)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().IntVar(&level, "level", 0, "`LEVEL` that was proven, 1 to 4")
	cmd.Flags().StringVar(&source, "source", "", "`NAME` of the registrar, as people know it")
	cmd.Flags().StringVar(&at, "at", "", "`TIME` at which it was found, at most two years ago")
	return cmd
}

func challengeSwitchCommand(w world, name, short, long string, off bool) *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Example: "  rollcall challenge " + name + " --db teams.db",
		Args: exactArgs(), RunE: w.action(func(c *call) error {
			if err := c.wordsOf("why", why); err != nil {
				return err
			}
			return c.switchChallenges(off, why)
		}),
	}
	keyFlags(cmd.Flags(), "db")
	if off {
		cmd.Flags().StringVar(&why, "why", "", "`TEXT` for the log: why")
	}
	return cmd
}

func (c *call) switchChallenges(off bool, why string) error {
	return c.withDirectory(func(d *directory.Directory) (err error) {
		said := "questions go out again"
		if off {
			said = "nothing is sent to anybody any more"
			err = d.PauseChecks(c.ctx, c.operator(), directory.PauseOfChallenges, true, why)
		} else {
			_, err = d.ResumeChecks(c.ctx, c.operator(), directory.PauseOfChallenges, directory.HeldNone)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.stdout, said)
		return err
	}, store.MustExist)
}

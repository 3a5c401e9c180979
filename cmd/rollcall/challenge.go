package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

const challengeLong = `Challenge asks single contacts whether they answer, and steers questions: who is
due, what is open, which calls are to be made and approved, what needs a person.
It speaks to the database: mails go out from whatever is running on it with
challenge set to on. Questions to many at once are campaigns.

All but off and on need mail_dir (--mail-dir, ROLLCALL_MAIL_DIR or the
configuration), the folder that "rollcall mail init" makes.`

func challengeCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "challenge", Short: "Ask a contact whether it answers, and steer questions", Long: challengeLong,
		Example: `  rollcall challenge due --db teams.db --mail-dir mail example-csirt
  rollcall challenge ask --db teams.db --mail-dir mail example-csirt csirt@example.org
  rollcall challenge list --db teams.db --mail-dir mail --open
  rollcall challenge cases --db teams.db --mail-dir mail`,
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(challengeAskCommand(w), challengeDueCommand(w), challengeListCommand(w), challengeShowCommand(w),
		challengeWorkCommand(w, "stop", "Close a question without an answer", "Stop closes a question. It counts for nothing, and the contact can be asked again\nwhen limits allow.", (*challenge.Desk).Stop),
		challengeWorkCommand(w, "pause", "Let a question stand still", "Pause stops the timers of a question and holds its mails back. An answer counts.", (*challenge.Desk).Pause),
		challengeWorkCommand(w, "resume", "Let a question go on", "Resume lets a question go on, with the time back for which it stood still.", (*challenge.Desk).Unpause),
		challengeCallCommand(w),
		challengeJudgeCommand(w, "approve", "Approve a call that another operator logged", "Approve has the call that was logged for a question count as its answer. Whoever\ncalled can't approve it.", true),
		challengeJudgeCommand(w, "reject", "Reject a call that another operator logged", "Reject has the call that was logged for a question count for nothing.", false),
		challengeCasesCommand(w), challengeCloseCommand(w), challengeResultCommand(w),
		challengeFiguresCommand(w), challengeTimesCommand(w), challengeConsentCommand(w), challengePruneCommand(w),
		challengeSwitchCommand(w, "off", "Stop all questions: the kill switch", "Off has nothing more sent to anybody by any server on the database, not even what\nwaits in the outbox, until \"rollcall challenge on\". Answers still count.", true),
		challengeSwitchCommand(w, "on", "Let questions go out again", "On lifts the kill switch of \"rollcall challenge off\".", false))
	return cmd
}

// teamNamed finds a team by its handle or id.
func teamNamed(x *directory.Index, ref string) (*directory.Team, error) {
	if team, ok := x.ByHandle(directory.Handle(strings.ToLower(ref))); ok {
		return team, nil
	}
	if team, ok := x.Team(directory.TeamID(ref)); ok {
		return team, nil
	}
	return nil, &directory.Error{Kind: directory.NotFound, Op: "find team", Subject: ref, Problems: []directory.Problem{
		{Code: "team.unknown", Value: ref, Reason: "no team has this handle or id", Want: "a handle or UUID from the list of teams"}}}
}

// contactNamed finds a contact of a team, by its id or by its value.
func contactNamed(x *directory.Index, ref, contact string) (*directory.Team, *directory.Contact, error) {
	team, err := teamNamed(x, ref)
	if err != nil {
		return nil, nil, err
	}
	var have []string
	for i := range team.Contacts {
		k := &team.Contacts[i]
		if string(k.ID) == contact || strings.EqualFold(k.Value, contact) {
			return team, k, nil
		}
		have = append(have, k.Value)
	}
	return team, nil, bad(contact, "no contact of "+string(team.Handle), "one of "+strings.Join(have, ", "))
}

func challengeAskCommand(w world) *cobra.Command {
	var kind, policy, due string
	cmd := &cobra.Command{
		Use: "ask TEAM CONTACT", Short: "Have a contact asked whether it answers",
		Long: `Ask plans a question to CONTACT, an address or an id, and prints its id. It
goes out as soon as limits allow: quiet hours, holidays, caps, and 14 days or more
since the last question. A contact is asked one thing at a time.`,
		Example: "  rollcall challenge ask --db teams.db --mail-dir mail example-csirt csirt@example.org\n  rollcall challenge ask --db teams.db --mail-dir mail --kind both --due 2026-12-07T09:00:00Z example-csirt csirt@example.org",
		Args:    exactArgs("TEAM", "CONTACT"), RunE: w.action(func(c *call) error {
			a := challenge.Ask{Kind: challenge.Kind(kind), Policy: policy}
			if kind != "" && !a.Kind.ByMail() && a.Kind != challenge.KindPhone && a.Kind != challenge.KindWebhook {
				return usage(c.cmd, "kind: %q is not a kind; want code, nonce, signed, both, drill, webhook or phone", kind)
			}
			if due != "" {
				var err error
				if a.Due, err = momentOf(due); err != nil {
					return usage(c.cmd, "due: %v", err)
				}
			}
			return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
				team, contact, err := contactNamed(x, c.args[0], c.args[1])
				if err != nil {
					return err
				}
				a.Team, a.Contact = team.ID, contact.ID
				q, err := d.Order(c.ctx, c.operator(), a)
				if err != nil {
					return err
				}
				if out, err := d.OptedOut(c.ctx, c.operator(), &q); err != nil {
					return err
				} else if out {
					fmt.Fprintf(c.stderr, "it waits: %s has opted out; \"rollcall challenge close --allow\" lets it be asked\n", plain(q.Address))
				}
				_, err = fmt.Fprintln(c.stdout, q.ID)
				return err
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND` of question: code, nonce, signed, both, drill, webhook or phone; without it, what fits the contact")
	cmd.Flags().StringVar(&policy, "policy", "", "`NAME` of the policy; without it, the one that holds for the contact")
	cmd.Flags().StringVar(&due, "due", "", "`TIME` from which on it is asked; now unless given")
	return cmd
}

func challengeListCommand(w world) *cobra.Command {
	var f challenge.ListFilter
	var team, in string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List questions", Long: "List prints questions, newest first.",
		Example: "  rollcall challenge list --db teams.db --mail-dir mail --open\n  rollcall challenge list --db teams.db --mail-dir mail --team example-csirt --json",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			if f.Limit < 1 || f.Limit > 100_000 {
				return usage(c.cmd, "limit: %d; want 1 to 100000", f.Limit)
			}
			f.Campaign = challenge.CampaignID(in)
			return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
				if team != "" {
					t, err := teamNamed(x, team)
					if err != nil {
						return err
					}
					f.Team = t.ID
				}
				list, err := d.List(c.ctx, c.operator(), f)
				if err != nil {
					return err
				}
				return c.printQuestions(x, list, asJSON)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&team, "team", "", "questions to `TEAM` only")
	cmd.Flags().StringVar(&in, "campaign", "", "questions of the campaign `ID` only")
	cmd.Flags().BoolVar(&f.Open, "open", false, "only those that wait")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "at most `N` questions")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) printQuestions(x *directory.Index, list []challenge.Challenge, asJSON bool) error {
	out := make([]api.Question, len(list))
	for i := range list {
		out[i] = api.QuestionOf(x, &list[i], c.operator())
	}
	switch {
	case asJSON:
		return printJSON(c.stdout, api.QuestionPage{Questions: out})
	case len(out) == 0:
		_, err := fmt.Fprintln(c.stdout, "no question was asked")
		return err
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for i := range out {
		q := &out[i]
		came := q.State
		if q.Outcome != "" && q.State == string(challenge.StateClosed) {
			came = q.Outcome
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\tlevel %d\n", q.ID, q.Due.Format(time.DateOnly), q.Kind, came, plain(q.Address), q.Reached)
	}
	return t.Flush()
}

func challengeShowCommand(w world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show QUESTION", Short: "Show a question and what happened to it", Long: "Show prints how a question stands, and all that happened to it, oldest first.",
		Example: "  rollcall challenge show --db teams.db --mail-dir mail 4b0a1f5e-93a7-4f0c-8d3a-1c6f0d2b7e11",
		Args:    exactArgs("QUESTION"), RunE: w.action(func(c *call) error {
			return c.withTable(func(d *challenge.Desk, x *directory.Index) error {
				q, log, err := d.See(c.ctx, c.operator(), challenge.ID(c.args[0]))
				if err != nil {
					return wanting(err, "an id that rollcall challenge list prints")
				}
				story := api.StoryOf(x, &q, log, d.PhoneCode(c.operator(), &q), c.operator())
				if asJSON {
					return printJSON(c.stdout, story)
				}
				return c.printStory(&story)
			})
		}),
	}
	campaignFlags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, as the API does")
	return cmd
}

func (c *call) printStory(s *api.QuestionStory) error {
	q := &s.Question
	fmt.Fprintf(c.stdout, "%s of %s: %s by %s, %s, level %d\n", plain(q.Address), q.Team.Handle, q.Kind, q.Policy, q.State, q.Reached)
	if q.Outcome != "" {
		fmt.Fprintf(c.stdout, "  outcome %s\n", q.Outcome)
	}
	if q.Call != nil {
		fmt.Fprintf(c.stdout, "  called %s at %s by %s, reached somebody: %t\n", q.Call.Number, q.Call.At.Format(time.RFC3339), q.Call.Operator, q.Call.Reached)
	}
	if s.PhoneCode != "" {
		fmt.Fprintf(c.stdout, "  code to be read back on the telephone: %s\n", s.PhoneCode)
	}
	t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, e := range s.Events {
		what := e.Event
		if e.Quick {
			what += " (quick)"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", e.At.Format(time.RFC3339), what, strings.TrimSpace(e.Step+" "+e.Status+" "+e.By), strings.Join(e.Effects, "; "))
	}
	return t.Flush()
}

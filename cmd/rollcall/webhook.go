package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func webhookCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook", Short: "Have events about questions posted to endpoints",
		Long: `Webhook keeps the endpoints that are told what becomes of questions to contacts:
signed, in order, until each answers. It speaks to the database: the events go out
from whatever "rollcall serve --challenge on" is running on it.

It needs mail_dir (--mail-dir, ROLLCALL_MAIL_DIR or the configuration), the folder
that "rollcall mail init" makes.`,
		Example: `  rollcall webhook add --db teams.db --mail-dir mail --team example-csirt https://hooks.example.org/rollcall
  rollcall webhook list --db teams.db --mail-dir mail
  rollcall webhook ping --db teams.db --mail-dir mail c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11
  rollcall webhook show --db teams.db --mail-dir mail c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11`,
		Args: cobra.ArbitraryArgs, RunE: group,
	}
	cmd.AddCommand(webhookListCommand(w), webhookAddCommand(w), webhookShowCommand(w),
		webhookActCommand(w, "remove", "Remove a webhook", "Remove takes a webhook away, with what is known of its deliveries.", (*call).removeWebhook),
		webhookActCommand(w, "ping", "Try out a webhook", "Ping has an event of type ping posted in its turn. \"rollcall webhook show\" shows\nwhat came of it.", (*call).pingWebhook),
		webhookActCommand(w, "rotate", "Give a webhook a new secret", "Rotate prints a new secret, which is shown this once. For a day both sign.", (*call).rotateWebhook))
	return cmd
}

// withHooks runs do on the desk of the configured database, with a way to find teams.
func (c *call) withHooks(do func(*challenge.Desk, *directory.Index) error) error {
	return c.withParts(func(p officeParts) error {
		desk, err := c.newDesk(p, nil)
		if err != nil {
			return err
		}
		return asUsage(do(desk, p.index()))
	})
}

// hookTeam finds the team of --team, "" for none.
func (c *call) hookTeam(x *directory.Index, ref string) (directory.TeamID, error) {
	if ref == "" {
		return "", nil
	}
	if t, ok := x.ByHandle(directory.Handle(strings.ToLower(ref))); ok {
		return t.ID, nil
	}
	if t, ok := x.Team(directory.TeamID(ref)); ok {
		return t.ID, nil
	}
	return "", usage(c.cmd, "team: no team has this handle or id: %q", ref)
}

// unknownHook says what an id is to be.
func unknownHook(id string, err error) error {
	if directory.KindOf(err) == directory.NotFound {
		return fmt.Errorf("WEBHOOK: there is no webhook %q; want an id that \"rollcall webhook list\" shows", id)
	}
	return err
}

// hookJSON is a webhook as --json shows it.
type hookJSON struct {
	ID      challenge.HookID `json:"id"`
	Team    directory.TeamID `json:"team,omitempty"`
	URL     string           `json:"url"`
	Types   []string         `json:"types,omitempty"`
	Note    string           `json:"note,omitempty"`
	Active  bool             `json:"active"`
	Off     string           `json:"off,omitempty"`
	Created time.Time        `json:"created"`
	By      string           `json:"by"`
}

func hookTo(h *challenge.Hook) hookJSON {
	return hookJSON{h.ID, h.Team, h.URL, h.Types, h.Note, h.Active, h.Off, h.Created, h.By}
}

// hookState says whether a webhook is told of anything.
func hookState(h *challenge.Hook) string {
	switch {
	case h.Active:
		return "on"
	case h.Off != "":
		return "off: " + h.Off
	}
	return "off"
}

// hookOf names whose questions a webhook hears of.
func hookOf(x *directory.Index, h *challenge.Hook) string {
	if h.Team == "" {
		return "everybody"
	}
	if t, ok := x.Team(h.Team); ok {
		return string(t.Handle)
	}
	return string(h.Team)
}

func webhookListCommand(w world) *cobra.Command {
	var team string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List webhooks", Long: "List prints the webhooks, oldest first. No secret is shown.",
		Example: "  rollcall webhook list --db teams.db --mail-dir mail --team example-csirt", Args: exactArgs(),
		RunE: w.action(func(c *call) error { return c.listWebhooks(team, asJSON) }),
	}
	campaignFlags(cmd)
	cmd.Flags().StringVar(&team, "team", "", "only those of this `TEAM`, by handle or id")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one webhook on a line")
	return cmd
}

func (c *call) listWebhooks(team string, asJSON bool) error {
	return c.withHooks(func(d *challenge.Desk, x *directory.Index) error {
		id, err := c.hookTeam(x, team)
		if err != nil {
			return err
		}
		list, err := d.Hooks(c.ctx, c.operator(), id)
		if err != nil {
			return err
		}
		if asJSON {
			for i := range list {
				err = firstError(err, printJSON(c.stdout, hookTo(&list[i])))
			}
			return err
		}
		if len(list) == 0 {
			_, err := fmt.Fprintln(c.stdout, "there are no webhooks")
			return err
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tOF\tSTATE\tURL\tNOTE")
		for i := range list {
			h := &list[i]
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", h.ID, hookOf(x, h), hookState(h), h.URL, dash(h.Note))
		}
		return t.Flush()
	})
}

func webhookAddCommand(w world) *cobra.Command {
	var team, note string
	var types []string
	var quiet bool
	cmd := &cobra.Command{
		Use: "add URL", Short: "Have events posted to an endpoint",
		Long: `Add makes a webhook and prints its secret, with which events are signed. It is
shown this once. Without --team it hears of everybody's questions.`,
		Example: "  rollcall webhook add --db teams.db --mail-dir mail --type challenge.answered https://hooks.example.org/rollcall",
		Args:    exactArgs("URL"), RunE: w.action(func(c *call) error {
			return c.withHooks(func(d *challenge.Desk, x *directory.Index) error {
				id, err := c.hookTeam(x, team)
				if err != nil {
					return err
				}
				h, secret, err := d.AddHook(c.ctx, c.operator(), challenge.HookTerms{Team: id, URL: c.args[0], Types: types, Note: note, Active: true})
				if err != nil {
					return err
				}
				return c.printHookSecret(&h, secret, quiet)
			})
		}),
	}
	campaignFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&team, "team", "", "`TEAM` whose questions it hears of, by handle or id")
	flags.StringArrayVar(&types, "type", nil, "`TYPE` of events that it hears of, such as challenge.answered; may be repeated")
	flags.StringVar(&note, "note", "", "`TEXT`: what it is for")
	flags.BoolVarP(&quiet, "quiet", "q", false, "print id and secret only")
	return cmd
}

func (c *call) printHookSecret(h *challenge.Hook, secret string, quiet bool) error {
	if quiet || !c.terminal(c.stdout) {
		_, err := fmt.Fprintf(c.stdout, "%s %s\n", h.ID, secret)
		return err
	}
	_, err := fmt.Fprintf(c.stdout, "%s\n\nThis is the secret of webhook %s, and the only time that it is shown.\n", secret, h.ID)
	return err
}

func webhookShowCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show WEBHOOK", Short: "Show a webhook and its last deliveries", Long: "Show prints a webhook and what became of its last deliveries.",
		Example: "  rollcall webhook show --db teams.db --mail-dir mail c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11",
		Args:    exactArgs("WEBHOOK"), RunE: w.action((*call).showWebhook),
	}
	campaignFlags(cmd)
	return cmd
}

func (c *call) showWebhook() error {
	return c.withHooks(func(d *challenge.Desk, x *directory.Index) error {
		h, err := d.Hook(c.ctx, c.operator(), challenge.HookID(c.args[0]))
		if err != nil {
			return unknownHook(c.args[0], err)
		}
		list, err := d.Deliveries(c.ctx, c.operator(), h.ID, 0, 20)
		if err != nil {
			return err
		}
		types := "everything"
		if len(h.Types) > 0 {
			types = strings.Join(h.Types, ", ")
		}
		t := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "%s\t%s\n  of\t%s\n  events\t%s\n  state\t%s\n  made\t%s by %s\n", h.URL, dash(h.Note), hookOf(x, &h), types, hookState(&h), h.Created.Format(time.RFC3339), h.By)
		for i := range list {
			v := &list[i]
			fmt.Fprintf(t, "  %d\t%s\t%s\t%d tries\t%s\n", v.N, v.Type, v.State, v.Attempt, hookAnswer(v))
		}
		return t.Flush()
	})
}

// hookAnswer says how the last try of a delivery ended.
func hookAnswer(v *challenge.Delivery) string {
	answer := "not tried yet"
	switch {
	case v.Problem != "" && v.Status != 0:
		answer = fmt.Sprintf("%d, %s", v.Status, v.Problem)
	case v.Problem != "":
		answer = v.Problem
	case v.Status != 0:
		answer = fmt.Sprint(v.Status)
	}
	if !v.Due.IsZero() && v.Attempt > 0 {
		answer += ", again at " + v.Due.Format(time.RFC3339)
	}
	return answer
}

// webhookActCommand is a command that does something to one webhook.
func webhookActCommand(w world, name, short, long string, do func(*call, *challenge.Desk, challenge.HookID) error) *cobra.Command {
	cmd := &cobra.Command{
		Use: name + " WEBHOOK", Short: short, Long: long,
		Example: "  rollcall webhook " + name + " --db teams.db --mail-dir mail c1d7a0de-3b52-4a8e-9a3b-6f2f1f0f5d11",
		Args:    exactArgs("WEBHOOK"), RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error { return unknownHook(c.args[0], do(c, d, challenge.HookID(c.args[0]))) })
		}),
	}
	campaignFlags(cmd)
	return cmd
}

func (c *call) removeWebhook(d *challenge.Desk, id challenge.HookID) error {
	err := d.RemoveHook(c.ctx, c.operator(), id)
	if err == nil {
		_, err = fmt.Fprintf(c.stdout, "removed %s\n", id)
	}
	return err
}

func (c *call) pingWebhook(d *challenge.Desk, id challenge.HookID) error {
	n, err := d.Ping(c.ctx, c.operator(), id)
	if err == nil {
		_, err = fmt.Fprintf(c.stdout, "event %d waits to be posted\n", n.Number)
	}
	return err
}

func (c *call) rotateWebhook(d *challenge.Desk, id challenge.HookID) error {
	h, secret, err := d.RotateHook(c.ctx, c.operator(), id)
	if err != nil {
		return err
	}
	return c.printHookSecret(&h, secret, false)
}

package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func challengePruneCommand(w world) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "prune", Short: "Forget the history of old questions",
		Long: `Prune removes what questions left behind that ended longer ago than
challenge_history: their logs, links and further mails, notices to teams from
before then, and marks of teams that are gone; and mails that came in, which
prove nothing and are older than verify_keep. The questions stay with what they
came to. Whatever runs with challenge set to on does so by itself, once an hour.`,
		Example: "  rollcall challenge prune --db teams.db --mail-dir mail --dry-run",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			return c.withDesk(func(d *challenge.Desk) error { return c.prune(d, dry) })
		}),
	}
	campaignFlags(cmd, "challenge_history", "verify_keep")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would go")
	return cmd
}

func (c *call) prune(d *challenge.Desk, dry bool) error {
	history, raw := c.cfg.Challenge.History, c.cfg.Verify.KeepRaw
	all, err := d.Forgettable(c.ctx, c.operator(), history, raw)
	if err != nil {
		return err
	}
	for more := !dry; more; {
		if _, more, err = d.Forget(c.ctx, history, raw); err != nil {
			return err
		}
	}
	verb := "forgotten"
	if dry {
		verb = "to be forgotten"
	}
	since := "nothing of questions, which are kept forever"
	if history > 0 {
		since = fmt.Sprintf("of %d questions from before %s: %d lines, %d links, %d mails; %d notices, %d marks",
			all.Questions, c.now().Add(-history).UTC().Format(time.DateOnly), all.Lines, all.Links, all.Mails, all.Notices, all.Marks)
	}
	_, err = fmt.Fprintf(c.stdout, "%s: %s; %d mails that came in\n", verb, since, all.Raw)
	return err
}

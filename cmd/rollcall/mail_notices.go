package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify/mail"
)

func mailNoticesCommand(w world) *cobra.Command {
	var dry bool
	var dir, allow string
	cmd := &cobra.Command{
		Use: "notices", Short: "Show what teams would be told, or let notices begin again",
		Long: `Notices makes, with --dry-run, the notices that teams would get now, and says who
gets each; with --dir it writes them into a folder, one file a team. Nothing is
sent and nothing is stored; the links in these mails lead nowhere. Limits and quiet
hours, which spread the mails over time, are left out.

With --allow it lets notices to a team begin again that has stopped them.`,
		Example: "  rollcall mail notices --config rollcall.toml --dry-run --dir notices\n  rollcall mail notices --db teams.db --mail-dir mail --allow example-csirt",
		Args:    exactArgs(), RunE: w.action(func(c *call) error {
			switch {
			case dry == (allow != ""):
				return usage(c.cmd, "dry-run: want --dry-run or --allow TEAM, and one of them only; serve sends notices by itself, with challenge_notices")
			case dry:
				return c.withOffice(func(o *office) error { return c.rehearseNotices(o, dir) })
			}
			return c.allowNotices(allow)
		}),
	}
	keyFlags(cmd.Flags(), sendKeyNames("db", "challenge_policies", "mail_plain", "mail_templates", "policy_lasts", "policy_grace")...)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "send nothing, and show what would go out now")
	cmd.Flags().StringVar(&dir, "dir", "", "`FOLDER` for the mails, made where it is missing")
	cmd.Flags().StringVar(&allow, "allow", "", "handle or id of a `TEAM` whose notices begin again")
	return cmd
}

// rehearseNotices writes down the notices that would go out.
func (c *call) rehearseNotices(o *office, dir string) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	made, failed := 0, 0
	err := o.notifier.Rehearse(c.ctx, func(t *directory.Team, to *directory.Contact, m mail.Mail, err error) error {
		if err != nil {
			failed++
			_, err = fmt.Fprintf(c.stderr, "%s: %v\n", t.Handle, err)
			return err
		}
		made++
		if dir != "" {
			err = os.WriteFile(filepath.Join(dir, plainAddress(string(t.Handle))+".eml"), m.Raw, 0o600)
		}
		_, printed := fmt.Fprintf(c.stdout, "%s: to %s\n", t.Handle, to.Value)
		return errors.Join(err, printed)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%d notices would go out, %d can't be made\n", made, failed)
	return err
}

func (c *call) allowNotices(name string) error {
	return c.withParts(func(p officeParts) error {
		d, err := c.newDesk(p, nil)
		if err != nil {
			return err
		}
		team, ok := p.index().Team(directory.TeamID(name))
		if !ok {
			team, ok = p.index().ByHandle(directory.Handle(name))
		}
		if !ok {
			return usage(c.cmd, "allow: %q names no team; want its handle or id", name)
		}
		if err := d.AllowNotices(c.ctx, c.operator(), team); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.stdout, "%s gets notices again\n", team.Handle)
		return err
	})
}

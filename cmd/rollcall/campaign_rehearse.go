package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/verify/challenge"
)

func campaignRehearseCommand(w world) *cobra.Command {
	var dir string
	var first bool
	cmd := &cobra.Command{
		Use: "rehearse CAMPAIGN", Short: "Write every mail of a campaign to disk, and send none",
		Long: `Rehearse makes every mail that a contact of a campaign could get, as it would go
out, and writes each into a folder: the question, its reminders, what follows five
wrong codes or a bounce, and what the ladder sends to another contact of the team,
to sponsors and to secretariats.
Files sort by contact and then by when they would go out, and index.csv lists them
with the earliest moment of each, without regard to caps. With --first-only it makes
the questions alone.

Nothing is sent and nothing is stored; the links, codes and return paths in these
mails are of questions that there are not.`,
		Example: "  rollcall campaign rehearse --config rollcall.toml --dir mails 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55\n" +
			"  rollcall campaign rehearse --config rollcall.toml --dir mails --first-only 9d2c7f40-5a11-4c36-8f0e-2b7d1e6a3c55",
		Args: exactArgs("CAMPAIGN"), RunE: w.action(func(c *call) error {
			if dir == "" {
				return usage(c.cmd, "dir: missing; want the folder for the mails")
			}
			return c.withOffice(func(o *office) error { return c.rehearse(o, dir, first) })
		}),
	}
	keyFlags(cmd.Flags(), sendKeyNames("db", "challenge_policies", "mail_plain", "mail_templates")...)
	cmd.Flags().StringVar(&dir, "dir", "", "`FOLDER` for the mails, empty, or made where it is missing")
	cmd.Flags().BoolVar(&first, "first-only", false, "make the first mail to each contact only")
	return cmd
}

// indexName is the file that lists the mails of a rehearsal.
const indexName = "index.csv"

func (c *call) rehearse(o *office, dir string, first bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	switch there, err := os.ReadDir(dir); {
	case err != nil:
		return err
	case len(there) > 0:
		return usage(c.cmd, "dir: %s has files; want a new folder or an empty one", dir)
	}
	f, err := os.OpenFile(filepath.Join(dir, indexName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(f)
	index := csv.NewWriter(buffer)
	index.UseCRLF = true // RFC 4180 section 2.1
	_ = index.Write([]string{"contact", "step", "moment", "to", "file", "subject"})
	progress := c.newProgress(nil)
	r, err := o.notifier.RehearseCampaign(c.ctx, c.operator(), challenge.CampaignID(c.args[0]), first, func(m *challenge.Rehearsed) error {
		progress.show(func() string { return fmt.Sprintf("%d contacts", m.Contact) })
		if m.Err != nil {
			_, err := fmt.Fprintf(c.stderr, "%s: %s: %v\n", plain(m.Asked.Address), m.Turn, m.Err)
			return err
		}
		name := rehearsalName(m)
		_ = index.Write([]string{cell(m.Asked.Address), string(m.Turn), m.At.UTC().Format(time.RFC3339), cell(m.To), name, cell(m.Mail.Subject)})
		return os.WriteFile(filepath.Join(dir, name), m.Mail.Raw, 0o600)
	})
	progress.done()
	index.Flush()
	if err := errors.Join(err, index.Error(), buffer.Flush(), f.Close()); err != nil {
		if r.Contacts == 0 { // the same folder will do once the name of the campaign is right
			err = errors.Join(err, os.Remove(f.Name()))
		}
		return err
	}
	var skipped []string
	for _, s := range slices.Sorted(maps.Keys(r.Skipped)) {
		skipped = append(skipped, fmt.Sprintf("%d %s", r.Skipped[s], s))
	}
	_, err = fmt.Fprintf(c.stdout, "%d mails to %d contacts in %s, %d calls, %d failed; not asked: %s\n", r.Mails, r.Contacts, dir, r.Calls, r.Failed, strings.Join(append(skipped, "nobody else"), ", "))
	return err
}

// rehearsalName is the file of a mail: 000001-csirt@one.example-2-reminder-2026-12-04.eml. What goes to another contact
// has its address as well.
func rehearsalName(m *challenge.Rehearsed) string {
	name := fmt.Sprintf("%06d-%s-%d-%s", m.Contact, plainAddress(m.Asked.Address), m.N, m.Turn)
	if m.To != m.Asked.Address {
		name += "-" + plainAddress(m.To)
	}
	if m.N > 1 {
		name += "-" + m.At.UTC().Format(time.DateOnly)
	}
	return name + ".eml"
}

// cell keeps a value from being a formula in a spreadsheet.
func cell(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + s
	}
	return s
}

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

const exportLong = `Export writes what the database holds, and the whole of it: contacts that are not
public too. Formats:

  rollcall  everything about all teams as NDJSON: what they entered, the layers
            of each source, the evidence, tombstones. "rollcall import" reads it
            back; the history of edits, tokens and reference data are for
            "rollcall backup".
  rfc2350   the RFC 2350 document of one team (--team)
  keyring   the OpenPGP keys of all teams, or of one (--team), in ASCII armour

With --output the file appears whole or not at all.`

const exportExample = `  rollcall export --db teams.db rollcall > teams.ndjson
  rollcall export --db teams.db rfc2350 --team example-csirt --output rfc2350.md
  rollcall export --db teams.db keyring | gpg --import`

func exportCommand(w world) *cobra.Command {
	var team, output string
	cmd := &cobra.Command{
		Use: "export FORMAT", Short: "Write teams as our NDJSON, RFC 2350 text or an OpenPGP keyring",
		Long: exportLong, Example: exportExample, Args: exactArgs("FORMAT"),
		ValidArgs: []string{"rollcall", "rfc2350", "keyring"},
		RunE:      w.action(func(c *call) error { return c.export(team, output) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().StringVar(&team, "team", "", "handle or id of one `TEAM`")
	cmd.Flags().StringVarP(&output, "output", "o", "", "`FILE` to write instead of the standard output")
	return cmd
}

func (c *call) export(team, output string) error {
	writers := map[string]func(*directory.Directory, string, io.Writer) error{
		"rollcall": c.exportRollcall, "rfc2350": c.exportRFC2350, "keyring": c.exportKeyring,
	}
	write, ok := writers[c.args[0]]
	switch {
	case !ok:
		return usage(c.cmd, "FORMAT: %q is not a format of export; want rollcall, rfc2350 or keyring", c.args[0])
	case c.args[0] == "rollcall" && team != "":
		return usage(c.cmd, "team: the format rollcall holds all teams; want no --team")
	case c.args[0] == "rfc2350" && team == "":
		return usage(c.cmd, "team: an RFC 2350 document is about one team; want --team HANDLE")
	}
	return c.withDirectory(func(d *directory.Directory) error {
		return c.output(output, func(out io.Writer) error { return write(d, team, out) })
	}, store.MustExist)
}

// output runs write on the standard output, or on a file that replaces the
// named one only after all went well.
func (c *call) output(name string, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		return write(c.stdout)
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // after the rename there is nothing to remove
	err = firstError(write(f), f.Sync())
	if err = firstError(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (c *call) exportRollcall(d *directory.Directory, _ string, out io.Writer) error {
	return format.ExportRollcall(out, d.Records(c.ctx, c.operator()))
}

func (c *call) exportRFC2350(d *directory.Directory, team string, out io.Writer) error {
	t, err := d.Team(c.ctx, c.operator(), team)
	if err != nil {
		return err
	}
	return format.ExportRFC2350(out, &t, c.now())
}

func (c *call) exportKeyring(d *directory.Directory, team string, out io.Writer) error {
	list, err := c.someTeams(d, team)
	if err != nil {
		return err
	}
	for i := range list {
		for _, k := range list[i].Keys {
			if k.Armor == "" {
				continue // a source that names a fingerprint only
			}
			if _, err := fmt.Fprintf(out, "Team: %s (%s)\n\n%s\n", list[i].Name(), list[i].Handle, strings.TrimSpace(k.Armor)+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// someTeams returns the named team, or all.
func (c *call) someTeams(d *directory.Directory, ref string) ([]directory.Team, error) {
	if ref == "" {
		return d.Teams(c.ctx, c.operator(), directory.TeamFilter{})
	}
	t, err := d.Team(c.ctx, c.operator(), ref)
	return []directory.Team{t}, err
}

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

const exportLong = `Export writes what the database holds. Formats:

  rollcall  everything about all teams as NDJSON: what they entered, the layers
            of each source, the evidence, tombstones, contacts that are not
            public too. "rollcall import" reads it back; the history of edits,
            tokens and reference data are for "rollcall backup".
  rfc2350   the RFC 2350 document of one team (--team), as everyone may see it
  keyring   the OpenPGP keys of all teams, or of one (--team), in ASCII armour,
            as everyone may see them

With --all the last two hold what is not for everyone too.
With --output the file appears whole or not at all.`

const exportExample = `  rollcall export --db teams.db rollcall > teams.ndjson
  rollcall export --db teams.db rfc2350 --team example-csirt --output rfc2350.md
  rollcall export --db teams.db keyring | gpg --import`

func exportCommand(w world) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use: "export FORMAT", Short: "Write teams as our NDJSON, RFC 2350 text or an OpenPGP keyring",
		Long: exportLong, Example: exportExample, Args: exactArgs("FORMAT"),
		ValidArgs: []string{"rollcall", "rfc2350", "keyring"},
		RunE:      w.action(func(c *call) error { return c.export(f) }),
	}
	keyFlags(cmd.Flags(), "db")
	flags := cmd.Flags()
	flags.StringVar(&f.team, "team", "", "handle or id of one `TEAM`")
	flags.StringVarP(&f.output, "output", "o", "", "`FILE` to write instead of the standard output")
	flags.BoolVar(&f.all, "all", false, "rfc2350, keyring: also what is not for everyone")
	flags.BoolVar(&f.markdown, "markdown", false, "rfc2350: Markdown instead of plain text")
	flags.BoolVar(&f.obfuscate, "obfuscate", false, "rfc2350: write name(at)example(dot)org")
	flags.StringVar(&f.language, "language", "", "rfc2350: `TAG` of the language of the prose (default en)")
	return cmd
}

// exportFlags are the flags of rollcall export.
type exportFlags struct {
	team, output, language   string
	all, markdown, obfuscate bool
}

func (c *call) export(f *exportFlags) error {
	writers := map[string]func(*exportFlags, *directory.Directory, io.Writer) error{
		"rollcall": c.exportRollcall, "rfc2350": c.exportRFC2350, "keyring": c.exportKeyring,
	}
	write, ok := writers[c.args[0]]
	switch {
	case !ok:
		return usage(c.cmd, "FORMAT: %q is not a format of export; want rollcall, rfc2350 or keyring", c.args[0])
	case c.args[0] == "rollcall" && f.team != "":
		return usage(c.cmd, "team: the format rollcall holds all teams; want no --team")
	case c.args[0] == "rfc2350" && f.team == "":
		return usage(c.cmd, "team: an RFC 2350 document is about one team; want --team HANDLE")
	}
	return c.withDirectory(func(d *directory.Directory) error {
		return c.output(f.output, func(out io.Writer) error { return write(f, d, out) })
	}, store.MustExist)
}

// viewer is for whom an export is written.
func (c *call) viewer(f *exportFlags) directory.Principal {
	if f.all {
		return c.operator()
	}
	return directory.Nobody()
}

// replaceable refuses what must not be replaced by an output: the database
// itself, and whatever is no plain file.
func (c *call) replaceable(name string) error {
	info, err := os.Lstat(name)
	if err != nil {
		return nil // not there yet, or CreateTemp says what is wrong
	}
	if !info.Mode().IsRegular() {
		return usage(c.cmd, "%s: not a plain file; want the name of a file, or - for the standard output", name)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if db, err := os.Stat(c.cfg.DB + suffix); err == nil && os.SameFile(db, info) {
			return usage(c.cmd, "%s: the database itself; want another file", name)
		}
	}
	return nil
}

// output runs write on the standard output, or on a file that replaces the
// named one only after all went well.
func (c *call) output(name string, write func(io.Writer) error) error {
	if name == "" || name == "-" {
		return write(c.stdout)
	}
	if err := c.replaceable(name); err != nil {
		return err
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

func (c *call) exportRollcall(_ *exportFlags, d *directory.Directory, out io.Writer) error {
	return format.ExportRollcall(out, d.Records(c.ctx, c.operator()))
}

func (c *call) exportRFC2350(f *exportFlags, d *directory.Directory, out io.Writer) error {
	o := format.RFC2350Options{Markdown: f.markdown, Obfuscate: f.obfuscate}
	if f.language != "" {
		tag, err := directory.ParseLanguage(f.language)
		if err != nil {
			return usage(c.cmd, "language: %v", err)
		}
		o.Language = tag
	}
	t, err := d.Team(c.ctx, c.viewer(f), f.team)
	if err != nil {
		return err
	}
	return format.WriteRFC2350(out, &t, o)
}

func (c *call) exportKeyring(f *exportFlags, d *directory.Directory, out io.Writer) error {
	list, err := c.someTeams(d, c.viewer(f), f.team)
	if err != nil {
		return err
	}
	for i := range list {
		for _, k := range list[i].Keys {
			if k.Armor == "" {
				continue // a source that names a fingerprint only
			}
			if _, err := fmt.Fprintf(out, "%s (%s)\n\n%s\n\n", list[i].Name(), list[i].Handle, strings.TrimSpace(k.Armor)); err != nil {
				return err
			}
		}
	}
	return nil
}

// someTeams returns the named team, or all.
func (c *call) someTeams(d *directory.Directory, p directory.Principal, ref string) ([]directory.Team, error) {
	if ref == "" {
		return d.Teams(c.ctx, p, directory.TeamFilter{})
	}
	t, err := d.Team(c.ctx, p, ref)
	return []directory.Team{t}, err
}

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

const exportLong = `Export writes teams in one of these formats:

%s

Of a database (--db) you choose for whose eyes the export is: with --tlp LABEL it
holds nothing with a stricter Traffic Light Protocol label, and clear is the
default. The format rollcall holds everything, and "rollcall import" reads it
back; the history of edits, tokens and reference data are for "rollcall backup".
A server (--server) writes what the token (ROLLCALL_TOKEN, or --token) may see;
with --public no token is sent, and --tlp makes it less.

With --output the file appears whole or not at all. On the standard output an
export is whole only if the command ends with status 0.`

const exportExample = `  rollcall export --db teams.db rollcall > teams.ndjson
  rollcall export --db teams.db vcard --country AT --output austria.vcf
  rollcall export --db teams.db rfc2350 --team example-csirt --output rfc2350.md --markdown
  rollcall export --db teams.db keyring | gpg --import
  rollcall export --server https://rollcall.example.org stix --sector energy -o energy.json`

func exportCommand(w world) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use: "export FORMAT", Short: "Write teams as cards, STIX, keyrings, RFC 2350 documents and more",
		Long: fmt.Sprintf(exportLong, exportList()), Example: exportExample, Args: exactArgs("FORMAT"),
		ValidArgs: exportNames(),
		RunE:      w.action(func(c *call) error { return c.export(f) }),
	}
	keyFlags(cmd.Flags(), "db", "policy_lasts", "policy_grace")
	flags := cmd.Flags()
	flags.StringVar(&f.server, "server", "", "`URL` of a server to ask instead of a database")
	flags.StringVar(&f.token, "token", "", "`TOKEN` for the server (ROLLCALL_TOKEN)")
	flags.BoolVar(&f.public, "public", false, "what everyone may see: send no token, or --tlp clear")
	flags.StringVar(&f.tlp, "tlp", "", "nothing stricter than `LABEL`: clear, green, amber, amber+strict or red (default clear for a database)")
	flags.StringVar(&f.team, "team", "", "handle or id of one `TEAM`")
	flags.StringVar(&f.country, "country", "", "teams of the country with this `CODE`")
	flags.StringVar(&f.kind, "kind", "", "teams of this `KIND`: "+strings.Join(directory.Kinds, ", "))
	flags.StringVar(&f.sector, "sector", "", "teams with this NIS2 `SECTOR` in their constituency: "+strings.Join(directory.Sectors, ", "))
	flags.StringVar(&f.forum, "forum", "", "present members of this `FORUM`")
	flags.StringVar(&f.state, "state", "", "teams of which a contact in the export is in this `STATE`: "+strings.Join(exportStates(), ", "))
	flags.StringVarP(&f.output, "output", "o", "", "`FILE` to write instead of the standard output")
	flags.BoolVar(&f.markdown, "markdown", false, "rfc2350: Markdown instead of plain text")
	flags.BoolVar(&f.html, "html", false, "rfc2350: a page instead of plain text")
	flags.BoolVar(&f.obfuscate, "obfuscate", false, "rfc2350: write name(at)example(dot)org")
	flags.StringVar(&f.language, "language", "", "rfc2350: `TAG` of the language of the prose (default en)")
	return cmd
}

// exportFlags are the flags of rollcall export.
type exportFlags struct {
	server, token, tlp, team, output    string
	country, kind, sector, forum, state string
	language                            string
	public, markdown, html, obfuscate   bool
	filter                              directory.Filter
	label                               directory.TLP
	description                         format.RFC2350Options
}

// exportNames lists what can be written.
func exportNames() []string {
	names := []string{"rollcall", "rfc2350"}
	for _, e := range format.Exporters() {
		names = append(names, e.Name)
	}
	return names
}

// exportList is the list for the help.
func exportList() string {
	about := []string{"everything about all teams as NDJSON, for import", "the RFC 2350 document of one team (--team)"}
	for _, e := range format.Exporters() {
		about = append(about, e.About)
	}
	var b strings.Builder
	for i, name := range exportNames() {
		fmt.Fprintf(&b, "  %-16s %s\n", name, about[i])
	}
	return strings.TrimRight(b.String(), "\n")
}

func exportStates() []string {
	return []string{string(directory.Verified), string(directory.Due), string(directory.Overdue), string(directory.Unverified), string(directory.Disputed), string(directory.Failed)}
}

func (c *call) export(f *exportFlags) error {
	if err := firstError(c.checkExport(f), c.readExport(f)); err != nil {
		return err
	}
	if f.server != "" {
		return c.exportRemote(f)
	}
	write := c.exportTeams
	switch c.args[0] {
	case "rollcall":
		write = c.exportRollcall
	case "rfc2350":
		write = c.exportRFC2350
	}
	return c.withDirectory(func(d *directory.Directory) error {
		return c.output(f.output, func(out io.Writer) error { return write(f, d, out) })
	}, store.MustExist)
}

// checkExport refuses flags that say nothing together.
func (c *call) checkExport(f *exportFlags) error {
	name, names := c.args[0], exportNames()
	filters := f.country != "" || f.kind != "" || f.sector != "" || f.forum != "" || f.state != ""
	switch {
	case !slices.Contains(names, name):
		want := "one of " + strings.Join(names, ", ")
		if near := nearest(name, names); near != "" {
			want = near
		}
		return usage(c.cmd, "FORMAT: %q is not a format of export; want %s", name, want)
	case name == "rollcall" && (f.team != "" || filters):
		return usage(c.cmd, "the format rollcall holds all teams; want no --team and no filter")
	case name == "rollcall" && (f.tlp != "" || f.public):
		return usage(c.cmd, "the format rollcall holds everything, whatever its label; want no --tlp and no --public")
	case name == "rollcall" && f.server != "":
		return usage(c.cmd, "server: the format rollcall is written from a database; want --db")
	case name == "rfc2350" && f.team == "":
		return usage(c.cmd, "team: an RFC 2350 document is about one team; want --team HANDLE")
	case f.team != "" && filters:
		return usage(c.cmd, "team: one team needs no filter; want --team alone")
	case name != "rfc2350" && (f.markdown || f.html || f.obfuscate || f.language != ""):
		return usage(c.cmd, "--markdown, --html, --obfuscate and --language are for rfc2350")
	}
	return firstError(c.exclusive("db", "server"), c.exclusive("public", "token"), c.exclusive("public", "tlp"), c.exclusive("markdown", "html"))
}

// readExport reads the values of the flags.
func (c *call) readExport(f *exportFlags) (err error) {
	bad := func(flag string, err error) error {
		if err == nil {
			return nil
		}
		return usage(c.cmd, "%s: %v", flag, err)
	}
	f.filter = directory.Filter{Kind: f.kind, Sector: f.sector, Forum: strings.ToLower(f.forum), State: directory.State(f.state)}
	if f.country != "" {
		f.filter.Country, err = directory.ParseCountry(f.country)
	}
	var badLabel, badLanguage error
	if f.label = directory.Clear; f.tlp != "" {
		f.label, badLabel = directory.ParseTLP(f.tlp)
	}
	f.description = format.RFC2350Options{Form: format.RFC2350Text, Obfuscate: f.obfuscate}
	if f.language != "" {
		f.description.Language, badLanguage = directory.ParseLanguage(f.language)
	}
	switch {
	case f.markdown:
		f.description.Form = format.RFC2350Markdown
	case f.html:
		f.description.Form = format.RFC2350HTML
	}
	for _, known := range []error{known("kind", f.kind, directory.Kinds), known("sector", f.sector, directory.Sectors), known("state", f.state, exportStates())} {
		if known != nil {
			return usage(c.cmd, "%v", known)
		}
	}
	return firstError(bad("country", err), bad("tlp", badLabel), bad("language", badLanguage))
}

// viewer is for whom an export is written: the operator, who chooses what goes
// no further.
func (c *call) viewer(f *exportFlags) directory.Principal {
	p := c.operator()
	p.AtMost = f.label
	return p
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
	t, err := d.Team(c.ctx, c.viewer(f), f.team)
	if err != nil {
		return err
	}
	return format.WriteRFC2350(out, &t, f.description)
}

// exportTeams writes the named team, or all that pass the filters.
func (c *call) exportTeams(f *exportFlags, d *directory.Directory, out io.Writer) error {
	e, _ := format.FindExporter(c.args[0])
	now := c.now()
	teams := d.Each(c.ctx, c.viewer(f), f.filter, c.cfg.Policy, now)
	if f.team != "" {
		t, err := d.Team(c.ctx, c.viewer(f), f.team)
		teams = func(yield func(directory.Team, error) bool) { yield(t, err) }
	}
	return e.Write(out, format.ExportOptions{Now: now, Policy: c.cfg.Policy}, teams)
}

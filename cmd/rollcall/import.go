package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
)

const importLong = `Import takes in a directory of others, reference data, or our own export.

What a source says about a team becomes a layer of its own, with source and
date: what a team entered itself always wins, and a source's "confirmed" proves
nothing here. All of a file is written in one transaction, or none of it; the
second import of the same file changes nothing. Rows that can't be used are
skipped and reported with line, value and reason.

An import that would change or remove more than a share of what the source said
before (--max-change) stops: a truncated download looks just like that. Look at
the file, or at --dry-run, and repeat it with --force. With the format rollcall,
--force means that the file wins over teams that are here already.

The formats dotgov, national-csirts, ti and cna are whole directories: teams
that they no longer list lose that layer, unless --partial. For the others,
--complete says that the file is the whole source.

The columns of a csv file are known by usual names ("E-mail", "Time zone"). For
others, --map names a TOML file that says which field a column is; a column that
is not read is reported.

With --server the file is uploaded and the server imports it; an operator's
token (ROLLCALL_TOKEN, or --token, which others on the machine can see) allows
it. Output and exit status are the same. An interrupt cancels the import.

FILE may be - for the standard input. A new SQLite file is made where none is.

Exit status: 0 done, also where rows were skipped; 1 failed, or stopped because
it would change too much: nothing was written; 2 wrong usage; 3 the database or
the server can't be reached.

Formats:
`

const importExample = `  rollcall import --db teams.db national-csirts national-csirts.sql
  rollcall import --db teams.db --dry-run dotgov dotgov.csv
  rollcall import --db teams.db --source ripencc --as-of 2026-11-20 rir-delegated delegated-ripencc-extended-latest
  rollcall import --db teams.db --map members.toml --source example-sector csv members.csv
  rollcall import --db teams.db --team example-csirt rfc2350 rfc2350.md
  rollcall import --server https://rollcall.example.org ti teams.json
  rollcall export --db old.db rollcall | rollcall import --db new.db rollcall -`

// importFlags are the flags of rollcall import that are not configuration.
type importFlags struct {
	dryRun, force, json, complete, partial bool
	source, asOf, team, columns            string
	server, token                          string
	mapped                                 format.CSVMap // what columns names
}

func importCommand(w world) *cobra.Command {
	f := &importFlags{}
	cmd := &cobra.Command{
		Use: "import FORMAT FILE", Short: "Take in a directory of others, reference data, or an export",
		Long: importLong + formatList(), Example: importExample,
		Args:              exactArgs("FORMAT", "FILE"),
		RunE:              w.action(func(c *call) error { return c.importFile(f) }),
		ValidArgsFunction: completeImport,
	}
	keyFlags(cmd.Flags(), "db", "max_change", "match_rules")
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and write nothing")
	flags.BoolVar(&f.force, "force", false, "change as much as the file demands")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.StringVar(&f.source, "source", "", "`NAME` of the source (default: by the format)")
	flags.StringVar(&f.asOf, "as-of", "", "`DATE` that the file describes, as 2026-11-21")
	flags.StringVar(&f.team, "team", "", "handle or id of the one `TEAM` that all of the file is about")
	flags.StringVar(&f.columns, "map", "", "TOML `FILE` that names the fields of the columns of a csv file")
	flags.StringVar(&f.server, "server", "", "`URL` of a server that imports the file, instead of a database")
	flags.StringVar(&f.token, "token", "", "`TOKEN` of an operator for the server (ROLLCALL_TOKEN)")
	flags.BoolVar(&f.complete, "complete", false, "the file is the whole source: take out what it no longer lists")
	flags.BoolVar(&f.partial, "partial", false, "the file is a part of the source: take nothing out")
	return cmd
}

// formatList is the list for the help.
func formatList() string {
	var b strings.Builder
	for _, f := range format.Importers() {
		fmt.Fprintf(&b, "  %-16s %s\n", f.Name, f.About)
	}
	return strings.TrimRight(b.String(), "\n")
}

func completeImport(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var list []string
	for _, f := range format.Importers() {
		list = append(list, f.Name+"\t"+f.About)
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

func (c *call) importFile(f *importFlags) error {
	if err := firstError(c.exclusive("complete", "partial"), c.exclusive("db", "server")); err != nil {
		return err
	}
	from, err := c.importer(c.args[0])
	if err != nil {
		return err
	}
	if from, err = c.mapColumns(f, from); err != nil {
		return err
	}
	opt, err := c.importOptions(f, from)
	if err != nil {
		return err
	}
	in, err := c.input(c.args[1])
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	if opt.Source == "" && f.server == "" {
		start, _ := in.Peek(format.SourceLook) // shorter files are an error of the codec, not of this look
		opt.Source = from.SourceIn(start)
	}
	report, err := c.runImport(f, from, opt, in)
	err = fileError(c.args[1], err)
	switch {
	case f.json:
		report.DryRun = f.dryRun
		return firstError(err, printJSON(c.stdout, format.ReportFrom(report, err)))
	case err != nil && report.Rows == 0:
		return err
	}
	return firstError(err, c.printImport(from, report, err))
}

// runImport imports here, or lets a server do it.
func (c *call) runImport(f *importFlags, from format.Importer, opt directory.ImportOptions, in *input) (report directory.ImportReport, err error) {
	progress := c.newProgress(in)
	defer progress.done()
	if f.server != "" {
		s, err := c.newImportServer(f)
		if err != nil {
			return report, err
		}
		return s.run(c.ctx, opt, f.mapped, in, progress)
	}
	opt.Progress = progress.rows
	err = c.withDirectory(func(d *directory.Directory) error {
		report, err = from.Import(c.ctx, d, c.operator(), opt, in)
		return err
	}, c.importStore(f)...)
	return report, err
}

// importStore says how the database is opened: a dry run makes none.
func (c *call) importStore(f *importFlags) []store.Option {
	if f.dryRun {
		return []store.Option{store.MustExist}
	}
	return []store.Option{store.MigrateFirst}
}

func (c *call) importer(name string) (format.Importer, error) {
	from, ok := format.ImporterNamed(name)
	if !ok {
		var names []string
		for _, f := range format.Importers() {
			names = append(names, f.Name)
		}
		return from, usage(c.cmd, "FORMAT: %q is not a format of import; want one of %s", name, strings.Join(names, ", "))
	}
	return from, nil
}

func (c *call) importOptions(f *importFlags, from format.Importer) (directory.ImportOptions, error) {
	opt := directory.ImportOptions{
		Source: from.Source, Format: from.Name, Complete: from.Complete, DryRun: f.dryRun, Force: f.force,
		Team: f.team, MaxChange: c.cfg.MaxChange,
	}
	if f.source != "" {
		opt.Source = f.source
		if _, err := directory.ParseHandle(f.source); err != nil || f.source == directory.SourceTeam {
			return opt, usage(c.cmd, "source: %q is not a name for a source; want 2 to 64 of a-z, 0-9, dot and hyphen, and not %s", f.source, directory.SourceTeam)
		}
	}
	if f.asOf != "" {
		day, err := directory.ParseDate(f.asOf)
		if err != nil {
			return opt, usage(c.cmd, "as-of: %v", err)
		}
		opt.AsOf = day.Time()
		if opt.AsOf.After(c.now()) {
			return opt, usage(c.cmd, "as-of: %s has not come yet; want the day that the file describes", f.asOf)
		}
	}
	opt.Complete = (opt.Complete || f.complete) && !f.partial
	return opt, nil
}

// fileError names the file in an error about its content.
func fileError(name string, err error) error {
	if err != nil && directory.KindOf(err) == directory.Invalid {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

// firstError returns the first error that is one.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// input is the file that a command reads.
type input struct {
	*bufio.Reader
	count  *counter
	size   int64 // 0: unknown
	closer io.Closer
}

// Close closes the file.
func (i *input) Close() error { return i.closer.Close() }

// counter counts the bytes that were read.
type counter struct {
	io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	atomic.AddInt64(&c.n, int64(n)) // a batch is read and watched at the same time
	return n, err
}

// input opens FILE, or the standard input for "-".
func (c *call) input(name string) (*input, error) {
	var in input
	if name == "-" {
		in.count, in.closer = &counter{Reader: c.stdin}, io.NopCloser(nil)
	} else {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s: a folder; want a file", name)
		}
		if err != nil {
			return nil, firstError(err, f.Close())
		}
		in.count, in.size, in.closer = &counter{Reader: f}, info.Size(), f
	}
	in.Reader = bufio.NewReaderSize(in.count, 1<<16)
	return &in, nil
}

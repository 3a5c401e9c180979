package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-csirt/rollcall/store"
)

func migrateCommand(w world) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the schema of the database up to date",
		Long: `Migrate takes the steps that the schema of the database lacks, each in a
transaction of its own. "rollcall serve" and "rollcall import" do so by
themselves; run it by hand to choose the time, or with --dry-run to see what is
due. Steps only go forward: back up first.`,
		Example: "  rollcall migrate --db teams.db --dry-run\n  rollcall migrate --db teams.db",
		Args:    exactArgs(), RunE: w.action(func(c *call) error { return c.migrate(dryRun) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "list the steps, and take none")
	return cmd
}

func (c *call) migrate(dryRun bool) error {
	opts := []store.Option{store.AnySchema}
	if dryRun {
		opts = append(opts, store.MustExist)
	}
	return c.withStore(func(db *store.DB) error {
		steps, word := db.Migrate, "took"
		if dryRun {
			steps, word = db.Pending, "would take"
		}
		list, err := steps(c.ctx)
		for _, m := range list {
			fmt.Fprintf(c.stdout, "%s step %04d %s\n", word, m.Number, m.Name)
		}
		if err == nil && len(list) == 0 {
			fmt.Fprintln(c.stdout, "the schema is up to date")
		}
		return err
	}, opts...)
}

func backupCommand(w world) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy everything into one file, beside a running server",
		Long: `Backup writes the database as it is at one moment into FILE, while others read
and write. FILE appears whole or not at all; - is the standard output. The file
can be restored into SQLite and PostgreSQL alike. It holds what the database
holds, contacts that are not public too: keep it as you keep the database. A file
that holds something is refused without --force.`,
		Example: "  rollcall backup --db teams.db teams.backup\n  rollcall backup --db postgres://rollcall@db.example.org/rollcall - | gpg -e -r backup@example.org > teams.backup.gpg",
		Args:    exactArgs("FILE"), RunE: w.action(func(c *call) error { return c.backup(force) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&force, "force", false, "replace what FILE holds")
	return cmd
}

func (c *call) backup(force bool) error {
	return c.withStore(func(db *store.DB) error {
		var info store.BackupInfo
		if err := c.spare(c.args[0], force); err != nil {
			return err
		}
		err := c.output(c.args[0], func(out io.Writer) (err error) {
			info, err = db.Backup(c.ctx, out)
			return err
		})
		if err == nil {
			fmt.Fprintf(c.stderr, "backed up change %d of %s: %d teams, SHA-256 of the content %s\n", info.Seq, info.Engine, info.Rows["team"], info.Hash)
		}
		return err
	}, store.MustExist)
}

// spare refuses a file that holds something, unless it is to be replaced.
func (c *call) spare(name string, force bool) error {
	if name == "-" || force {
		return nil
	}
	if err := c.replaceable(name); err != nil {
		return err
	}
	if info, err := os.Stat(name); err == nil && info.Size() > 0 {
		return usage(c.cmd, "%s: the file holds something; want another name, or --force to replace it", name)
	}
	return nil
}

func restoreCommand(w world) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of everything",
		Long: `Restore replaces everything in the database by what the backup FILE (- for the
standard input) holds, in one transaction, and reads every row back before it
commits. A server that runs on the database goes on and serves what was
restored. A database that holds something is refused without --force.`,
		Example: "  rollcall restore --db new.db teams.backup\n  rollcall restore --db teams.db --force teams.backup",
		Args:    exactArgs("FILE"), RunE: w.action(func(c *call) error { return c.restore(force) }),
	}
	keyFlags(cmd.Flags(), "db")
	cmd.Flags().BoolVar(&force, "force", false, "replace what the database holds")
	return cmd
}

func (c *call) restore(force bool) error {
	in, err := c.input(c.args[0])
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	return c.withStore(func(db *store.DB) error {
		info, err := db.Restore(c.ctx, in, force)
		if err != nil {
			return fileError(c.args[0], err)
		}
		fmt.Fprintf(c.stdout, "restored change %d of %s from %s: %d teams, all read back\n", info.Seq, info.Engine, info.Created.Format("2006-01-02 15:04:05 MST"), info.Rows["team"])
		return nil
	}, store.MigrateFirst)
}

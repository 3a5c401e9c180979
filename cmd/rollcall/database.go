package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/postgres"
	"github.com/rollcall-csirt/rollcall/store/sqlite"
)

// isPostgres reports whether a database is named by URL.
func isPostgres(name string) bool { return strings.Contains(name, "://") }

// openStore opens the configured database. A command that only reads passes
// [store.MustExist], so that a slip in the name is an error and not an empty
// directory; one that writes passes [store.MigrateFirst].
func (c *call) openStore(opts ...store.Option) (*store.DB, error) {
	name := c.cfg.DB
	if name == "" {
		return nil, usage(c.cmd, "db: no database is named; want --db FILE or --db postgres://…, ROLLCALL_DB, or db in the configuration file")
	}
	if isPostgres(name) {
		db, err := postgres.Open(c.ctx, name, opts...)
		return c.opened(db, err)
	}
	_, err := os.Stat(name)
	fresh := errors.Is(err, fs.ErrNotExist)
	db, err := sqlite.Open(c.ctx, name, opts...)
	if err == nil && fresh {
		fmt.Fprintf(c.stderr, "rollcall: made a new database, %s\n", name)
	}
	return c.opened(db, err)
}

func (c *call) opened(db *store.DB, err error) (*store.DB, error) {
	if err != nil {
		return nil, err
	}
	db.Now = c.now
	return db, nil
}

// withStore runs do on the configured database and closes it.
func (c *call) withStore(do func(*store.DB) error, opts ...store.Option) error {
	db, err := c.openStore(opts...)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// withDirectory runs do on the door of the configured database.
func (c *call) withDirectory(do func(*directory.Directory) error, opts ...store.Option) error {
	return c.withStore(func(db *store.DB) error {
		d, err := directory.New(directory.Config{Store: db, Now: c.now, Rules: c.cfg.MatchRules})
		if err != nil {
			return err
		}
		return do(d)
	}, opts...)
}

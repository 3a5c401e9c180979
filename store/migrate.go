package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// Migration is one step of the schema.
type Migration struct {
	Number  int
	Name    string
	Hash    string    // SHA-256 of the file, in hex
	Applied time.Time // zero: not yet

	sql string
}

const (
	makeMigrations  = `CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, at BIGINT NOT NULL)`
	listMigrations  = `SELECT number, name, hash, at FROM migration ORDER BY number`
	noteMigration   = `INSERT INTO migration (number, name, hash, at) VALUES ($1, $2, $3, $4)`
	writeMeta       = `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`
	opMigrate       = "migrate"
	adviseMigration = "run rollcall migrate"
)

// Migrate brings the schema up to date, each step in a transaction of its own,
// and returns the steps it took. Several processes may do so at once: one
// does the work and the others find it done. It refuses ([directory.Unavailable])
// a schema newer than the program and one whose past steps differ from the
// program's.
func (db *DB) Migrate(ctx context.Context) ([]Migration, error) {
	var done []Migration
	for {
		m, err := db.migrateOnce(ctx)
		if err != nil || m == nil {
			return done, err
		}
		done = append(done, *m)
	}
}

// Pending returns the steps that [DB.Migrate] would take. It writes nothing.
func (db *DB) Pending(ctx context.Context) ([]Migration, error) {
	var pending []Migration
	err := db.view(ctx, "read schema", func(v *view) (err error) {
		pending, err = v.pending()
		return err
	})
	return pending, err
}

// checkSchema refuses a schema that is not the program's own.
func (db *DB) checkSchema(ctx context.Context) error {
	pending, err := db.Pending(ctx)
	if err != nil || len(pending) == 0 {
		return err
	}
	reason := "the database is older than this program: %d migrations are pending; " + adviseMigration
	if pending[0].Number == 1 {
		reason = "the database is empty: %d migrations are pending; " + adviseMigration
	}
	return Unavailable("", fmt.Sprintf(reason, len(pending)), nil)
}

// migrateOnce takes the next step, if there is one.
func (db *DB) migrateOnce(ctx context.Context) (*Migration, error) {
	begun, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, db.fail(opMigrate, "", err)
	}
	defer begun.Rollback() //nolint:errcheck // the first error is the one to tell
	t := &tx{view: view{ctx: ctx, db: db, tx: begun}}
	if db.dialect.MigrationLock != "" {
		if err := t.exec(db.dialect.MigrationLock); err != nil {
			return nil, db.fail(opMigrate, "", err)
		}
	}
	pending, err := t.pending()
	if err != nil || len(pending) == 0 {
		return nil, err
	}
	m := &pending[0]
	if err := t.apply(m); err != nil {
		return nil, db.fail(opMigrate, m.Name, err)
	}
	return m, db.fail(opMigrate, m.Name, begun.Commit())
}

func (t *tx) apply(m *Migration) error {
	m.Applied = t.db.Now().UTC()
	if err := t.exec(makeMigrations); err != nil {
		return err
	}
	if err := t.exec(m.sql); err != nil {
		return err
	}
	if m.Number == 1 {
		for _, name := range []string{"epoch", "instance"} {
			if err := t.exec(writeMeta, name, randomName()); err != nil {
				return err
			}
		}
	}
	return t.exec(noteMigration, int64(m.Number), m.Name, m.Hash, micros(m.Applied))
}

// randomName returns 128 random bits in hex.
func randomName() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails, as its documentation promises
	return hex.EncodeToString(b)
}

// pending compares the schema with the program's steps.
func (v *view) pending() ([]Migration, error) {
	all, err := readMigrations(v.db.dialect.Migrations)
	if err != nil {
		return nil, internal(opMigrate, "", err)
	}
	applied, err := v.applied()
	if err != nil {
		return nil, v.db.fail("read schema", "", err)
	}
	for i, a := range applied {
		if i >= len(all) {
			return nil, Unavailable("", fmt.Sprintf("the database has migration %d (%s), which this program does not know; use a newer rollcall", a.Number, a.Name), nil)
		}
		if a.Number != all[i].Number || a.Hash != all[i].Hash {
			return nil, Unavailable("", fmt.Sprintf("migration %d (%s) is not the one that made this database (%s): "+
				"it was changed afterwards, or the database belongs to another program", all[i].Number, all[i].Name, a.Name), nil)
		}
	}
	return all[len(applied):], nil
}

func (v *view) applied() ([]Migration, error) {
	var found int
	if err := v.tx.QueryRowContext(v.ctx, v.db.dialect.HasTable, "migration").Scan(&found); err != nil || found == 0 {
		return nil, err
	}
	return collect(v, func(rows *sql.Rows) (Migration, error) {
		var m Migration
		var at int64
		err := rows.Scan(&m.Number, &m.Name, &m.Hash, &at)
		m.Applied = timeOf(at)
		return m, err
	}, listMigrations)
}

// readMigrations reads NNNN_name.sql, which must count from 1 without a gap.
func readMigrations(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("the program has no migrations")
	}
	var all []Migration
	for i, file := range names {
		body, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(file, ".sql"), "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", file, i+1)
		}
		sum := sha256.Sum256(body)
		all = append(all, Migration{Number: i + 1, Name: name, Hash: hex.EncodeToString(sum[:]), sql: string(body)})
	}
	return all, nil
}

// latest is the number of the last applied migration.
func (v *view) latest() (int, error) {
	applied, err := v.applied()
	if err != nil || len(applied) == 0 {
		return 0, v.db.fail("read schema", "", err)
	}
	return applied[len(applied)-1].Number, nil
}

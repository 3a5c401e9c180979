package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	opRestore  = "restore"
	countAll   = `SELECT (SELECT COUNT(*) FROM team) + (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM token) + (SELECT COUNT(*) FROM reference_set)`
	setCounter = `UPDATE counter SET seq = $1 WHERE id = $2`
)

// Restore replaces everything by what a backup holds, in one transaction, and
// gives the store a new epoch, so that whoever follows its changes begins
// anew. Others may read and write meanwhile: they see all of the old or all of
// the new.
//
// The backup is read twice, first to see that it is whole. A database that
// holds something is refused ([directory.Conflict]) unless force is set; a
// backup that is damaged or newer than the program is refused
// ([directory.Invalid]). Before the transaction commits, Restore reads every
// row back; the figures it returns are of that reading.
func (db *DB) Restore(ctx context.Context, r io.Reader, force bool) (BackupInfo, error) {
	file, cleanup, err := spool(r)
	if err != nil {
		return BackupInfo{}, &directory.Error{Kind: directory.Unavailable, Op: opRestore, Err: err}
	}
	defer cleanup()
	check := &filler{db: db}
	if _, err := readArchive(file, check.header, check.look); err != nil {
		return BackupInfo{}, badBackup(err)
	}
	var info BackupInfo
	err = db.update(ctx, opRestore, func(t *tx) error {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return internal(opRestore, "", err)
		}
		info, err = t.restore(file, force)
		return err
	})
	if err != nil {
		return BackupInfo{}, err
	}
	return info, db.stillThere(ctx, info)
}

// stillThere asks a connection that took no part.
func (db *DB) stillThere(ctx context.Context, info BackupInfo) error {
	return db.View(ctx, func(r directory.Reader) error {
		h, err := r.Head()
		if err == nil && h.Seq < info.Seq {
			err = internal(opRestore, "", fmt.Errorf("the sequence ends at %d and not at %d", h.Seq, info.Seq))
		}
		return err
	})
}

func badBackup(err error) error {
	if _, ok := errors.AsType[*directory.Error](err); ok {
		return err
	}
	return &directory.Error{Kind: directory.Invalid, Op: opRestore, Err: err}
}

// spool makes r something that can be read twice.
func spool(r io.Reader) (io.ReadSeeker, func(), error) {
	if s, ok := r.(io.ReadSeeker); ok {
		// A pipe is a file too, but has no positions.
		if _, err := s.Seek(0, io.SeekStart); err == nil {
			return s, func() {}, nil
		}
	}
	f, err := os.CreateTemp("", "rollcall-restore-*")
	if err != nil {
		return nil, nil, err
	}
	cleanup := func() {
		f.Close()           //nolint:errcheck // only read from here on
		os.Remove(f.Name()) //nolint:errcheck // nothing can be done about it
	}
	_, err = io.Copy(f, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		cleanup()
		return nil, nil, fmt.Errorf("copy of the backup: %w", err)
	}
	return f, cleanup, nil
}

func (t *tx) restore(file io.Reader, force bool) (BackupInfo, error) {
	var rows int64
	if err := t.tx.QueryRowContext(t.ctx, countAll).Scan(&rows); err != nil {
		return BackupInfo{}, t.db.fail(opRestore, "", err)
	}
	if rows > 0 && !force {
		return BackupInfo{}, &directory.Error{Kind: directory.Conflict, Op: opRestore,
			Err: errors.New("the database is not empty; --force replaces what it holds")}
	}
	for _, table := range slices.Backward(tables()) {
		if kept(table) {
			continue
		}
		if err := t.exec(`DELETE FROM ` + table.name); err != nil {
			return BackupInfo{}, t.db.fail(opRestore, table.name, err)
		}
	}
	fill := &filler{db: t.db, tx: t}
	info, err := readArchive(file, fill.header, fill.row)
	if err == nil {
		err = fill.flush()
	}
	if err == nil {
		err = t.exec(writeMeta, "epoch", randomName())
	}
	if err != nil && t.db.fault(err) == FaultConflict {
		return BackupInfo{}, badBackup(errArchive("rows refer to others that are not there: %w", err))
	}
	if err != nil {
		return BackupInfo{}, t.db.fail(opRestore, "", err)
	}
	if t.db.dialect.Notify != "" {
		if err := t.exec(t.db.dialect.Notify); err != nil {
			return BackupInfo{}, t.db.fail(opRestore, "", err)
		}
	}
	return info, t.prove(info)
}

// kept tells the table whose row is changed in place: other writers wait for a
// lock on the row of the counter, and would find nothing after waiting for one
// that was deleted.
func kept(t table) bool { return t.name == counterTable.name }

// filler puts the rows of an archive into the tables, a batch at a time.
type filler struct {
	db     *DB
	tx     *tx
	tables map[string]table // as the archive has their columns
	open   table
	rows   []any
}

// header accepts archives of this schema and of older ones: columns that are
// missing get their default.
func (f *filler) header(h archiveHeader) error {
	all, err := readMigrations(f.db.dialect.Migrations)
	if err != nil {
		return internal(opRestore, "", err)
	}
	if h.Migration > len(all) {
		return fmt.Errorf("the backup has schema %d, this program knows %d; use a newer rollcall", h.Migration, len(all))
	}
	f.tables = map[string]table{}
	for _, has := range h.Tables {
		i := slices.IndexFunc(tables(), func(t table) bool { return t.name == has.Name })
		if i < 0 {
			return errArchive("table %q is unknown", has.Name)
		}
		t := tables()[i]
		var columns []column
		for _, name := range has.Columns {
			c := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
			if c < 0 {
				return errArchive("column %q of table %s is unknown", name, t.name)
			}
			columns = append(columns, t.columns[c])
		}
		t.columns = columns
		f.tables[t.name] = t
	}
	return nil
}

// values converts a row.
func (f *filler) values(name string, raw []json.RawMessage) (table, []any, error) {
	t, ok := f.tables[name]
	if !ok || len(raw) != len(t.columns) {
		return t, nil, errArchive("a row that fits no table: %q with %d values", name, len(raw))
	}
	var row []any
	for i, c := range t.columns {
		v, err := c.cell(raw[i])
		if err != nil {
			return t, nil, errArchive("table %s, column %s: %w", name, c.name, err)
		}
		row = append(row, v)
	}
	return t, row, nil
}

// look only checks a row.
func (f *filler) look(name string, raw []json.RawMessage) error {
	_, _, err := f.values(name, raw)
	return err
}

// fillRows is how many rows wait for each other. Blocks of reference data and
// transcripts are large and wait for none.
const fillRows = 64

func (f *filler) row(name string, raw []json.RawMessage) error {
	t, row, err := f.values(name, raw)
	if err != nil {
		return err
	}
	if f.open.name != name || len(f.rows) >= fillRows*len(t.columns) || name == blockTable.name || name == rawTable.name {
		if err := f.flush(); err != nil {
			return err
		}
		f.open = t
	}
	if name == counterTable.name {
		// In the order of the columns: id, seq.
		return f.tx.exec(setCounter, row[1], row[0])
	}
	f.rows = append(f.rows, row...)
	return nil
}

func (f *filler) flush() error {
	rows := f.rows
	f.rows = nil
	return f.tx.insertAll(f.open, "", rows)
}

package store

import (
	"context"
	"database/sql"
	"io"
	"strings"
)

// Backup writes everything to w, as it is at one moment, while others read and
// write. The archive can be restored into either engine. It holds what the
// database holds: contacts that are not public and the hashes of tokens.
func (db *DB) Backup(ctx context.Context, w io.Writer) (BackupInfo, error) {
	const op = "backup"
	var info BackupInfo
	err := db.view(ctx, op, func(v *view) error {
		head, err := v.Head()
		if err != nil {
			return err
		}
		latest, err := v.latest()
		if err != nil {
			return err
		}
		info = BackupInfo{Engine: db.Engine(), Migration: latest, Epoch: head.Epoch, Seq: head.Seq, Created: db.Now().UTC()}
		header := archiveHeader{Format: archiveFormat, Version: archiveVersion, BackupInfo: info}
		for _, t := range tables() {
			header.Tables = append(header.Tables, archiveTable{t.name, t.names()})
		}
		a, err := newArchiveWriter(w, header)
		if err != nil {
			return err
		}
		for _, t := range tables() {
			if err := v.archive(a, t); err != nil {
				return db.fail(op, t.name, err)
			}
		}
		info.Rows = a.rows
		info.Hash, err = a.close()
		return err
	})
	return info, err
}

// archive writes the rows of one table in the order of their keys, so that
// equal databases make equal archives.
func (v *view) archive(a *archiveWriter, t table) error {
	values, targets := t.scanners()
	return v.each(func(rows *sql.Rows) error {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		return a.row(t, values())
	}, `SELECT `+strings.Join(t.names(), ", ")+` FROM `+t.name+` ORDER BY `+t.order)
}

// scanners returns what a row of t is scanned into, and how to read it there.
func (t table) scanners() (values func() []any, targets []any) {
	for _, c := range t.columns {
		switch c.typ {
		case integer:
			targets = append(targets, new(int64))
		case blob:
			targets = append(targets, new([]byte))
		default:
			targets = append(targets, new(string))
		}
	}
	return func() []any {
		row := make([]any, len(targets))
		for i, p := range targets {
			switch p := p.(type) {
			case *int64:
				row[i] = *p
			case *[]byte:
				row[i] = *p // JSON writes bytes in base64
			case *string:
				row[i] = *p
			}
		}
		return row
	}, targets
}

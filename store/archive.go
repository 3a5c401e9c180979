package store

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// An archive is a gzip stream of lines, each one JSON value: a header, then
// for every row of every table an array of the table's name and the row's
// values, then a trailer. Bytes are in base64. It knows nothing of engines, so
// that what one wrote another can read.

const (
	archiveFormat  = "rollcall-backup"
	archiveVersion = 1
)

// BackupInfo describes a backup.
type BackupInfo struct {
	Engine    string         `json:"engine"` // that it was taken from
	Migration int            `json:"migration"`
	Epoch     string         `json:"epoch"` // of the database that it was taken from
	Seq       int64          `json:"seq"`   // number of the last change in it
	Created   time.Time      `json:"created"`
	Rows      map[string]int `json:"-"` // by table
	Hash      string         `json:"-"` // SHA-256 of its content, in hex
}

type archiveHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	BackupInfo
	Tables []archiveTable `json:"tables"`
}

type archiveTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

type archiveTrailer struct {
	Rows map[string]int `json:"rows"`
	Hash string         `json:"sha256"` // of all lines before
}

// archiveWriter writes an archive.
type archiveWriter struct {
	zip  *gzip.Writer
	buf  *bufio.Writer
	hash hash.Hash
	rows map[string]int
}

func newArchiveWriter(w io.Writer, h archiveHeader) (*archiveWriter, error) {
	a := &archiveWriter{zip: gzip.NewWriter(w), hash: sha256.New(), rows: map[string]int{}}
	a.buf = bufio.NewWriterSize(io.MultiWriter(a.zip, a.hash), 1<<16)
	return a, a.line(h)
}

func (a *archiveWriter) line(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.buf.Write(append(text, '\n'))
	return cantWrite(err)
}

// cantWrite tells trouble with the archive from trouble with the database.
func cantWrite(err error) error {
	if err == nil {
		return nil
	}
	return &directory.Error{Kind: directory.Unavailable, Op: "write backup", Err: err}
}

func (a *archiveWriter) row(t table, values []any) error {
	a.rows[t.name]++
	return a.line(append([]any{t.name}, values...))
}

// close writes the trailer and returns the hash in it.
func (a *archiveWriter) close() (string, error) {
	if err := a.buf.Flush(); err != nil {
		return "", cantWrite(err)
	}
	sum := hex.EncodeToString(a.hash.Sum(nil))
	err := a.line(archiveTrailer{Rows: a.rows, Hash: sum})
	return sum, cantWrite(errors.Join(err, a.buf.Flush(), a.zip.Close()))
}

// errArchive is what is wrong with an archive.
func errArchive(format string, args ...any) error {
	return fmt.Errorf("the backup is damaged or incomplete: "+format, args...)
}

// readArchive reads an archive to its end and gives every row to row, in the
// order of the file. The header is checked before the first row; that all is
// there is known when readArchive returns nil, and not before.
func readArchive(r io.Reader, header func(archiveHeader) error, row func(table string, values []json.RawMessage) error) (BackupInfo, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("not a Rollcall backup: %w", err)
	}
	in := bufio.NewReaderSize(zip, 1<<16)
	sum := sha256.New()
	line, err := nextLine(in)
	if err != nil {
		return BackupInfo{}, err
	}
	var h archiveHeader
	if err := json.Unmarshal(line, &h); err != nil || h.Format != archiveFormat {
		return BackupInfo{}, errors.New("not a Rollcall backup")
	}
	if h.Version != archiveVersion {
		return BackupInfo{}, fmt.Errorf("the backup has format version %d, this program reads %d", h.Version, archiveVersion)
	}
	if err := header(h); err != nil {
		return BackupInfo{}, err
	}
	h.Rows = map[string]int{}
	for {
		sum.Write(line)
		if line, err = nextLine(in); err != nil {
			return BackupInfo{}, err
		}
		if line[0] == '{' {
			h.Hash = hex.EncodeToString(sum.Sum(nil))
			return h.BackupInfo, checkTrailer(line, in, h.BackupInfo)
		}
		if err := readRow(line, h.Rows, row); err != nil {
			return BackupInfo{}, err
		}
	}
}

func nextLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadBytes('\n')
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errArchive("it ends too early")
	case err != nil:
		return nil, errArchive("%w", err)
	}
	return line, nil
}

func readRow(line []byte, counts map[string]int, row func(string, []json.RawMessage) error) error {
	var cells []json.RawMessage
	var name string
	if err := json.Unmarshal(line, &cells); err != nil {
		return errArchive("%w", err)
	}
	if len(cells) == 0 {
		return errArchive("an empty row")
	}
	if err := json.Unmarshal(cells[0], &name); err != nil {
		return errArchive("%w", err)
	}
	counts[name]++
	return row(name, cells[1:])
}

// checkTrailer compares what was read with what was written, and sees that
// nothing follows.
func checkTrailer(line []byte, in *bufio.Reader, info BackupInfo) error {
	var t archiveTrailer
	if err := json.Unmarshal(line, &t); err != nil {
		return errArchive("%w", err)
	}
	if t.Hash != info.Hash {
		return errArchive("its content has SHA-256 %s and should have %s", info.Hash, t.Hash)
	}
	for name, n := range t.Rows {
		if info.Rows[name] != n {
			return errArchive("table %s has %d rows and should have %d", name, info.Rows[name], n)
		}
	}
	// Reading on to the end makes gzip compare its own checksum.
	if n, err := io.Copy(io.Discard, in); err != nil || n > 0 {
		return errArchive("%d bytes behind its end: %w", n, errors.Join(err))
	}
	return nil
}

// cell converts one value for its column.
func (c column) cell(raw json.RawMessage) (any, error) {
	switch c.typ {
	case integer:
		var n int64
		err := json.Unmarshal(raw, &n)
		return n, err
	case blob:
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(s)
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

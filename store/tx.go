package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	takeSeq      = `UPDATE counter SET seq = seq + $1 RETURNING seq`
	touchToken   = `UPDATE token SET last_used = $1 WHERE id = $2 AND last_used < $1`
	bumpTeam     = `UPDATE team SET seq = $1 WHERE id = $2`
	countTeam    = `SELECT COUNT(*) FROM team WHERE id = $1`
	lastEvidence = `SELECT COALESCE(MAX(n), 0) FROM evidence WHERE team_id = $1`
	dropBlocks   = `DELETE FROM reference_block WHERE kind = $1 AND source = $2`
	dropSet      = `DELETE FROM reference_set WHERE kind = $1 AND source = $2`
)

// tx is a [directory.Tx].
type tx struct {
	view
	taken   span                 // numbers of the sequence that this transaction took
	used    int64                // how many of them have their change
	broken  error                // the first write that failed
	inserts map[insertKey]string // statements built so far
	noticed int64                // the number of the last event of a challenge, once it was asked
}

// span is the numbers from first to last; the zero value is none.
type span struct{ first, last int64 }

func (s span) size() int64 {
	if s.last == 0 {
		return 0
	}
	return s.last - s.first + 1
}

func (s span) has(n int64) bool { return s.last != 0 && n >= s.first && n <= s.last }

// exec runs one statement that writes. After it failed the transaction can't
// commit: PostgreSQL would refuse, SQLite would keep the half before.
func (t *tx) exec(query string, args ...any) error {
	err := checkArgs(args)
	if err == nil {
		_, err = t.tx.ExecContext(t.ctx, query, args...)
	}
	return t.broke(err)
}

// affect is exec, and tells how many rows there were to write.
func (t *tx) affect(query string, args ...any) (int, error) {
	err := checkArgs(args)
	if err != nil {
		return 0, t.broke(err)
	}
	result, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, t.broke(err)
	}
	n, err := result.RowsAffected()
	return int(n), t.broke(err)
}

func (t *tx) broke(err error) error {
	if err != nil && t.broken == nil {
		t.broken = err
	}
	return err
}

// checkArgs refuses what only one of the engines could keep: PostgreSQL has no
// NUL in text and no text that is not UTF-8.
func checkArgs(args []any) error {
	for _, a := range args {
		if s, ok := a.(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			return &directory.Error{Kind: directory.Invalid, Op: "write", Err: fmt.Errorf("text with a NUL or not UTF-8: %.40q", s)}
		}
	}
	return nil
}

// finish is the last that happens before a commit.
func (t *tx) finish(op string) error {
	switch {
	case t.broken != nil:
		return t.db.fail(op, "", t.broken)
	case t.used != t.taken.size():
		return internal(op, "", fmt.Errorf("%d numbers of the sequence taken, %d used", t.taken.size(), t.used))
	case t.used > 0 && t.db.dialect.Notify != "":
		return t.db.fail(op, "", t.exec(t.db.dialect.Notify))
	}
	return nil
}

// NextSeq implements [directory.Tx].
func (t *tx) NextSeq(n int) (int64, error) {
	const op = "take numbers"
	if n < 1 {
		return 0, internal(op, "", errors.New("less than one number asked for"))
	}
	var last int64
	if err := t.broke(t.tx.QueryRowContext(t.ctx, takeSeq, int64(n)).Scan(&last)); err != nil {
		return 0, t.db.fail(op, "", err)
	}
	first := last - int64(n) + 1
	if t.taken.last == 0 {
		t.taken.first = first
	}
	t.taken.last = last
	return first, nil
}

// use notes that the change with number seq is about to be written.
func (t *tx) use(op string, seq int64) error {
	if !t.taken.has(seq) {
		return t.broke(internal(op, "", fmt.Errorf("change %d is not of this transaction", seq)))
	}
	t.used++
	return nil
}

// Append implements [directory.Tx]. A change of type "team" moves the team's
// Seq, so that evidence counts as a change of its team.
func (t *tx) Append(c directory.Change, a directory.AuditEntry) error {
	const op = "write change"
	if err := t.use(op, c.Seq); err != nil {
		return err
	}
	if c.Type == "team" {
		if err := t.exec(bumpTeam, c.Seq, c.ID); err != nil {
			return t.db.fail(op, c.ID, err)
		}
	}
	if err := t.insertAll(changeTable, "", changeRow(c)); err != nil {
		return t.db.fail(op, c.ID, err)
	}
	a.Seq = c.Seq
	return t.db.fail(op, c.ID, t.insertAll(auditTable, "", auditRow(a)))
}

func changeRow(c directory.Change) []any {
	return []any{c.Seq, c.Type, c.ID, string(c.Op), c.Revision, micros(c.At)}
}

func auditRow(a directory.AuditEntry) []any {
	return []any{a.Seq, micros(a.At), a.Actor, a.Action, a.Subject, list(a.Fields), a.Detail}
}

// PutEvidence implements [directory.Tx].
func (t *tx) PutEvidence(id directory.TeamID, items []directory.Evidence) error {
	const op = "write evidence"
	var n, found int64
	if err := t.tx.QueryRowContext(t.ctx, countTeam, string(id)).Scan(&found); err != nil {
		return t.db.fail(op, string(id), err)
	}
	if found == 0 {
		return notFound(op, string(id))
	}
	if err := t.tx.QueryRowContext(t.ctx, lastEvidence, string(id)).Scan(&n); err != nil {
		return t.db.fail(op, string(id), err)
	}
	var rows []any
	// Items come newest first, as a record holds them; n counts upwards in
	// time, so that items of one moment keep their order.
	for _, e := range slices.Backward(items) {
		n++
		rows = append(rows, string(id), n, e.ID, string(e.Contact), e.Revision, int(e.Level), string(e.Outcome), e.Method,
			micros(e.At), micros(e.ValidUntil), e.By, e.Note, e.RawHash)
	}
	return t.db.fail(op, string(id), t.insertAll(evidenceTable, "", rows))
}

// PutToken implements [directory.Tx].
func (t *tx) PutToken(k directory.Token) error {
	row := []any{k.ID, k.Name, k.Hash, string(k.Role), string(k.Team), k.Forum, list(k.Scopes),
		micros(k.Created), k.By, micros(k.Expires), micros(k.LastUsed), micros(k.Revoked)}
	return t.db.fail("write token", k.ID, t.insertAll(tokenTable, tokenTable.overwrite(), row))
}

// PutReference implements [directory.Tx].
func (t *tx) PutReference(s directory.ReferenceSet, blocks [][]byte) error {
	const op = "write reference data"
	for _, drop := range []string{dropBlocks, dropSet} {
		if err := t.exec(drop, string(s.Kind), s.Source); err != nil {
			return t.db.fail(op, s.ID(), err)
		}
	}
	if len(blocks) == 0 {
		return nil
	}
	row := []any{string(s.Kind), s.Source, micros(s.AsOf), micros(s.Loaded), s.Rows, s.Hash, s.Seq}
	if err := t.insertAll(setTable, "", row); err != nil {
		return t.db.fail(op, s.ID(), err)
	}
	for n, data := range blocks {
		// One statement each: blocks are large.
		if err := t.insertAll(blockTable, "", []any{string(s.Kind), s.Source, n, data}); err != nil {
			return t.db.fail(op, s.ID(), err)
		}
	}
	return nil
}

// TouchTokens implements [directory.Store].
func (db *DB) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return db.update(ctx, "note use of tokens", func(t *tx) error {
		for _, id := range slices.Sorted(maps.Keys(used)) {
			if err := t.exec(touchToken, micros(used[id]), id); err != nil {
				return db.fail("note use of tokens", id, err)
			}
		}
		return nil
	})
}

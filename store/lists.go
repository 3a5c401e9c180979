package store

import (
	"database/sql"

	"github.com/rollcall-csirt/rollcall/directory"
)

const (
	tokenColumns = `SELECT id, name, hash, role, team, forum, scopes, created, created_by, expires, last_used, revoked FROM token`
	tokenList    = tokenColumns + ` ORDER BY created DESC, id`
	tokenByID    = tokenColumns + ` WHERE id = $1`
	setList      = `SELECT kind, source, as_of, loaded, entries, hash, seq FROM reference_set ORDER BY kind, source`
	blockAfter   = `SELECT n, data FROM reference_block WHERE kind = $1 AND source = $2 AND n > $3 ORDER BY n LIMIT 1`
	layerList    = `SELECT source_key, team_id, hash FROM layer WHERE source = $1`
)

// Tokens implements [directory.Reader].
func (v *view) Tokens() ([]directory.Token, error) {
	list, err := collect(v, scanToken, tokenList)
	return list, v.db.fail("read tokens", "", err)
}

// Token implements [directory.Reader].
func (v *view) Token(id string) (directory.Token, error) {
	list, err := collect(v, scanToken, tokenByID, id)
	if err != nil {
		return directory.Token{}, v.db.fail("read token", id, err)
	}
	if len(list) == 0 {
		return directory.Token{}, notFound("read token", id)
	}
	return list[0], nil
}

func scanToken(rows *sql.Rows) (directory.Token, error) {
	var t directory.Token
	var created, expires, used, revoked int64
	var scopes string
	err := rows.Scan(&t.ID, &t.Name, &t.Hash, &t.Role, &t.Team, &t.Forum, &scopes, &created, &t.By, &expires, &used, &revoked)
	if err != nil {
		return t, err
	}
	t.Created, t.Expires, t.LastUsed, t.Revoked = timeOf(created), timeOf(expires), timeOf(used), timeOf(revoked)
	t.Scopes, err = listOf[directory.Scope](scopes)
	return t, err
}

// References implements [directory.Reader].
func (v *view) References() ([]directory.ReferenceSet, error) {
	list, err := collect(v, func(rows *sql.Rows) (directory.ReferenceSet, error) {
		var s directory.ReferenceSet
		var asOf, loaded int64
		err := rows.Scan(&s.Kind, &s.Source, &asOf, &loaded, &s.Rows, &s.Hash, &s.Seq)
		s.AsOf, s.Loaded = timeOf(asOf), timeOf(loaded)
		return s, err
	}, setList)
	return list, v.db.fail("read reference data", "", err)
}

// ReferenceBlocks implements [directory.Reader]. It asks for one block at a
// time, so that yield may read too and little memory is held.
func (v *view) ReferenceBlocks(kind directory.ReferenceKind, source string, yield func([]byte) error) error {
	type block struct {
		n    int64
		data []byte
	}
	for last := int64(-1); ; {
		list, err := collect(v, func(rows *sql.Rows) (b block, err error) {
			err = rows.Scan(&b.n, &b.data)
			return b, err
		}, blockAfter, string(kind), source, last)
		if err != nil {
			return v.db.fail("read reference data", string(kind)+"/"+source, err)
		}
		if len(list) == 0 {
			return nil
		}
		if err := yield(list[0].data); err != nil {
			return err
		}
		last = list[0].n
	}
}

// Layers implements [directory.Reader].
func (v *view) Layers(source string) (map[string]directory.LayerRef, error) {
	layers := map[string]directory.LayerRef{}
	err := v.each(func(rows *sql.Rows) error {
		var key string
		var ref directory.LayerRef
		err := rows.Scan(&key, &ref.Team, &ref.Hash)
		layers[key] = ref
		return err
	}, layerList, source)
	return layers, v.db.fail("read layers", source, err)
}

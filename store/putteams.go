package store

import (
	"database/sql"
	"fmt"

	"github.com/rollcall-csirt/rollcall/directory"
)

// PutTeams implements [directory.Tx].
func (t *tx) PutTeams(writes []directory.TeamWrite) error {
	for len(writes) > 0 {
		n := chunk(writes)
		if err := t.broke(t.putChunk(writes[:n])); err != nil {
			return err
		}
		writes = writes[n:]
	}
	return nil
}

// chunk says how many writes fit into one statement. No team may be in it
// twice, since PostgreSQL refuses to overwrite a row it has just written.
func chunk(writes []directory.TeamWrite) int {
	seen := make(map[directory.TeamID]bool, batch)
	for i := range writes {
		if i == batch || seen[writes[i].Record.ID] {
			return i
		}
		seen[writes[i].Record.ID] = true
	}
	return len(writes)
}

const opPut = "write team"

func (t *tx) putChunk(writes []directory.TeamWrite) error {
	if err := t.checkRevisions(writes); err != nil {
		return err
	}
	if err := t.checkHandles(writes); err != nil {
		return err
	}
	rows, err := t.rowsOf(writes)
	if err != nil {
		return err
	}
	if err := t.dropLayers(writes); err != nil {
		return t.db.fail(opPut, "", err)
	}
	for _, part := range []struct {
		table table
		then  string
		rows  []any
	}{
		{teamTable, teamTable.overwrite(), rows.team},
		{layerTable, layerTable.overwrite(), rows.layer},
		{historyTable, "", rows.history},
		{changeTable, "", rows.change},
		{auditTable, "", rows.audit},
	} {
		if err := t.insertAll(part.table, part.then, part.rows); err != nil {
			return t.db.fail(opPut, subjectOf(writes), err)
		}
	}
	return nil
}

// subjectOf names what is written, for errors.
func subjectOf(writes []directory.TeamWrite) string {
	if len(writes) == 1 {
		return string(writes[0].Record.Handle)
	}
	return fmt.Sprintf("%s and %d more", writes[0].Record.Handle, len(writes)-1)
}

// checkRevisions is the optimistic check.
func (t *tx) checkRevisions(writes []directory.TeamWrite) error {
	ids := make([]any, len(writes))
	for i := range writes {
		ids[i] = string(writes[i].Record.ID)
	}
	have := make(map[directory.TeamID]int64, len(writes))
	err := t.each(func(rows *sql.Rows) error {
		var id directory.TeamID
		var revision int64
		err := rows.Scan(&id, &revision)
		have[id] = revision
		return err
	}, `SELECT id, revision FROM team WHERE id IN (`+parameters(1, len(ids))+`)`, ids...)
	if err != nil {
		return t.db.fail(opPut, subjectOf(writes), err)
	}
	for i := range writes {
		r := &writes[i].Record
		if was, stored := have[r.ID]; stored && was != r.Revision-1 || r.Revision < 1 {
			return conflict(opPut, string(r.Handle), directory.Problem{
				Code: "revision.stale", Field: "/revision", Value: fmt.Sprint(r.Revision - 1),
				Reason: fmt.Sprintf("the stored revision is %d", have[r.ID]), Want: "an edit of the stored revision",
			})
		}
	}
	return nil
}

// checkHandles sees to it before the database does, which on PostgreSQL would
// end the transaction and on neither engine say which handle it was.
func (t *tx) checkHandles(writes []directory.TeamWrite) error {
	owner := make(map[directory.Handle]directory.TeamID, len(writes))
	handles := make([]any, len(writes))
	for i := range writes {
		handles[i] = string(writes[i].Record.Handle)
	}
	err := t.each(func(rows *sql.Rows) error {
		var h directory.Handle
		var id directory.TeamID
		err := rows.Scan(&h, &id)
		owner[h] = id
		return err
	}, `SELECT handle, id FROM team WHERE handle IN (`+parameters(1, len(handles))+`)`, handles...)
	if err != nil {
		return t.db.fail(opPut, subjectOf(writes), err)
	}
	for i := range writes {
		r := &writes[i].Record
		if id, taken := owner[r.Handle]; taken && id != r.ID {
			return conflict(opPut, string(r.Handle), directory.Problem{
				Code: "handle.taken", Field: "/handle", Value: string(r.Handle),
				Reason: "another team has this handle", Want: "a handle that no team has or had",
			})
		}
		owner[r.Handle] = r.ID
	}
	return nil
}

// dropLayers forgets what sources said about the teams that are there already.
func (t *tx) dropLayers(writes []directory.TeamWrite) error {
	var old []any
	for i := range writes {
		if writes[i].Record.Revision > 1 {
			old = append(old, string(writes[i].Record.ID))
		}
	}
	if len(old) == 0 {
		return nil
	}
	return t.exec(`DELETE FROM layer WHERE team_id IN (`+parameters(1, len(old))+`)`, old...)
}

// teamRows are the values of the rows that writes make, row after row.
type teamRows struct{ team, layer, history, change, audit []any }

func (t *tx) rowsOf(writes []directory.TeamWrite) (teamRows, error) {
	var rows teamRows
	layerAt := map[[2]string]int{}
	for i := range writes {
		w, r := &writes[i], &writes[i].Record
		if err := t.use(opPut, r.Seq); err != nil {
			return rows, err
		}
		doc, err := EncodeRecord(*r)
		if err != nil {
			return rows, internal(opPut, string(r.Handle), err)
		}
		team := r.Team()
		rows.team = append(rows.team, string(r.ID), string(r.Handle), r.Revision, r.Seq, team.Name(), string(team.Country),
			kindsColumn(team.Kinds), gone(team.Live()), micros(r.Created), micros(r.Updated), doc)
		rows.history = append(rows.history, string(r.ID), r.Revision, r.Seq, micros(r.Updated), w.Actor, w.Action, list(w.Fields), doc)
		rows.change = append(rows.change, changeRow(directory.Change{
			Seq: r.Seq, Type: "team", ID: string(r.ID), Op: w.Op, Revision: r.Revision, At: r.Updated})...)
		rows.audit = append(rows.audit, auditRow(directory.AuditEntry{
			Seq: r.Seq, At: r.Updated, Actor: w.Actor, Action: w.Action, Subject: "team:" + string(r.ID), Fields: w.Fields, Detail: w.Detail})...)
		for _, l := range r.Layers {
			row := []any{l.Source, l.Key, string(r.ID), l.Hash}
			key := [2]string{l.Source, l.Key}
			// The last team that claims a source's record has it.
			if at, again := layerAt[key]; again {
				copy(rows.layer[at:], row)
				continue
			}
			layerAt[key] = len(rows.layer)
			rows.layer = append(rows.layer, row...)
		}
	}
	return rows, nil
}

func gone(live bool) int {
	if live {
		return 0
	}
	return 1
}

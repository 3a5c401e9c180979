package store

import (
	"database/sql"
	"runtime"
	"sync"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

const (
	teamByID     = `SELECT seq, doc FROM team WHERE id = $1`
	teamByHandle = `SELECT seq, doc FROM team WHERE handle = $1`
	teamList     = `SELECT seq, doc FROM team
		WHERE handle > $1 AND ($2 = '' OR country = $2) AND ($3 = '' OR REPLACE(kinds, ' ' || $3 || ' ', '') <> kinds) AND gone <= $4
		ORDER BY handle LIMIT $5`
	evidenceOf = `SELECT team_id, id, contact, revision, level, outcome, method, at, valid_until, vouched_by, note, raw_hash
		FROM evidence WHERE team_id = $1 ORDER BY at DESC, n DESC`
	evidenceBetween = `SELECT e.team_id, e.id, e.contact, e.revision, e.level, e.outcome, e.method, e.at, e.valid_until, e.vouched_by, e.note, e.raw_hash
		FROM evidence e JOIN team t ON t.id = e.team_id
		WHERE t.handle >= $1 AND t.handle <= $2 ORDER BY e.team_id, e.at DESC, e.n DESC`
	// What followers were not told of is not read: all who have read up to one
	// change shall have read the same.
	verdictsOf = `SELECT team_id, check_name, kind, subject, verdict, since, announced FROM verification
		WHERE team_id = $1 AND announced <> 0 ORDER BY check_name, kind, subject`
	verdictsBetween = `SELECT v.team_id, v.check_name, v.kind, v.subject, v.verdict, v.since, v.announced FROM verification v JOIN team t ON t.id = v.team_id
		WHERE t.handle >= $1 AND t.handle <= $2 AND v.announced <> 0 ORDER BY t.handle, v.check_name, v.kind, v.subject`
)

// Team implements [directory.Reader].
func (v *view) Team(id directory.TeamID) (directory.Record, error) {
	return v.one(teamByID, string(id))
}

// TeamByHandle implements [directory.Reader].
func (v *view) TeamByHandle(h directory.Handle) (directory.Record, error) {
	return v.one(teamByHandle, string(h))
}

func (v *view) one(query, key string) (directory.Record, error) {
	const op = "read team"
	list, err := collect(v, scanDocument, query, key)
	if err != nil {
		return directory.Record{}, v.db.fail(op, key, err)
	}
	if len(list) == 0 {
		return directory.Record{}, notFound(op, key)
	}
	r, err := list[0].record()
	if err != nil {
		return r, internal(op, key, err)
	}
	if r.Evidence, err = v.evidence(r.ID); err == nil {
		var s verdictScan
		r.Checks, err = collect(v, func(rows *sql.Rows) (directory.CheckVerdict, error) { return s.scan(rows) }, verdictsOf, string(r.ID))
	}
	if err == nil {
		r.Controls, err = v.controls(r.ID)
	}
	return r, v.db.fail(op, key, err)
}

func (v *view) evidence(id directory.TeamID) ([]directory.Evidence, error) {
	var list []directory.Evidence
	err := v.each(func(rows *sql.Rows) error {
		_, e, err := scanEvidence(rows)
		list = append(list, e)
		return err
	}, evidenceOf, string(id))
	return list, err
}

// Teams implements [directory.Reader].
func (v *view) Teams(f directory.TeamFilter) ([]directory.Record, error) {
	const op = "read teams"
	gone := 0
	if f.Deleted {
		gone = 1
	}
	docs, err := collect(v, scanDocument, teamList, string(f.After), string(f.Country), f.Kind, gone, most(f.Limit))
	if err != nil || len(docs) == 0 {
		return nil, v.db.fail(op, "", err)
	}
	records, err := decodeAll(docs)
	if err != nil {
		return nil, internal(op, "", err)
	}
	first, last := records[0].Handle, records[len(records)-1].Handle
	// One query for all: the pages of a filter that leaves much out read
	// evidence in vain, but no page ever asks once for each team.
	byTeam := map[directory.TeamID][]directory.Evidence{}
	err = v.each(func(rows *sql.Rows) error {
		id, e, err := scanEvidence(rows)
		byTeam[id] = append(byTeam[id], e)
		return err
	}, evidenceBetween, string(first), string(last))
	if err != nil {
		return nil, v.db.fail(op, "", err)
	}
	verdicts := map[directory.TeamID][]directory.CheckVerdict{}
	var s verdictScan
	err = v.each(func(rows *sql.Rows) error {
		verdict, err := s.scan(rows)
		verdicts[s.team] = append(verdicts[s.team], verdict)
		return err
	}, verdictsBetween, string(first), string(last))
	if err != nil {
		return nil, v.db.fail(op, "", err)
	}
	controls, err := v.controlsOfAll(first, last)
	for i := range records {
		id := records[i].ID
		records[i].Evidence, records[i].Checks, records[i].Controls = byTeam[id], verdicts[id], controls[id]
	}
	return records, v.db.fail(op, "", err)
}

// stored is a record as it comes out of its row.
type stored struct {
	seq int64
	doc []byte
}

func scanDocument(rows *sql.Rows) (stored, error) {
	var s stored
	err := rows.Scan(&s.seq, &s.doc)
	return s, err
}

// record decodes a row. Its column knows the number of the last change, the
// document only of the last one that made a revision.
func (s stored) record() (directory.Record, error) {
	r, err := DecodeRecord(s.doc)
	r.Seq = s.seq
	return r, err
}

// decodeAll decodes on all processors: reading the whole directory for the
// index is most of a cold start.
func decodeAll(docs []stored) ([]directory.Record, error) {
	records := make([]directory.Record, len(docs))
	workers := min(runtime.GOMAXPROCS(0), 1+len(docs)/256)
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(docs) && errs[w] == nil; i += workers {
				records[i], errs[w] = docs[i].record()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return records, nil
}

// verdictScan reads verdicts. A directory has a score of them for each domain,
// which share all their words: each is kept once.
type verdictScan struct {
	team     directory.TeamID // of the last one
	words    map[string]string
	row      [5]sql.RawBytes
	since    int64
	announce int64
}

// scan reads a verdict as it was announced. That a check came to no conclusion
// is announced once, and says nothing of when one still held.
func (s *verdictScan) scan(rows *sql.Rows) (v directory.CheckVerdict, err error) {
	if err = rows.Scan(&s.row[0], &s.row[1], &s.row[2], &s.row[3], &s.row[4], &s.since, &s.announce); err != nil {
		return v, err
	}
	s.team = directory.TeamID(s.word(0))
	v.Check, v.Kind, v.Subject, v.Verdict, v.Since = s.word(1), s.word(2), s.word(3), s.word(4), timeOf(s.since)
	if v.Verdict != string(verify.VerdictInconclusive) {
		v.Checked = timeOf(s.announce)
	}
	return v, nil
}

func (s *verdictScan) word(i int) string {
	w, ok := s.words[string(s.row[i])]
	if !ok {
		if s.words == nil {
			s.words = map[string]string{}
		}
		w = string(s.row[i])
		s.words[w] = w
	}
	return w
}

func scanEvidence(rows *sql.Rows) (directory.TeamID, directory.Evidence, error) {
	var e directory.Evidence
	var id directory.TeamID
	var at, until int64
	err := rows.Scan(&id, &e.ID, &e.Contact, &e.Revision, &e.Level, &e.Outcome, &e.Method, &at, &until, &e.By, &e.Note, &e.RawHash)
	e.At, e.ValidUntil = timeOf(at), timeOf(until)
	return id, e, err
}

package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// ImportRecords takes in whole records of our own format, with what teams
// entered, their layers and their evidence. A record that is here already is
// left alone unless opt.Force says that the file wins.
func (d *Directory) ImportRecords(ctx context.Context, p Principal, opt ImportOptions, items RecordItems) (ImportReport, error) {
	if err := authorise(p, actImport, nil); err != nil {
		return ImportReport{}, err
	}
	ri := &recordImport{d: d, p: p, opt: opt, report: ImportReport{DryRun: opt.DryRun}}
	if err := d.cfg.Store.View(ctx, func(tx Reader) error { return ri.plan(ctx, tx, items) }); err != nil {
		return ri.report, err
	}
	if opt.DryRun || len(ri.writes) == 0 {
		return ri.report, nil
	}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error { return opt.commit(tx, ri.apply(ctx, tx), &ri.report) })
	return ri.report, d.committed(ctx, err)
}

type recordImport struct {
	d      *Directory
	p      Principal
	opt    ImportOptions
	report ImportReport
	writes []TeamWrite
}

func (ri *recordImport) plan(ctx context.Context, tx Reader, items RecordItems) error {
	seen := map[TeamID]int{}
	for item := range items {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case item.Fatal != nil:
			return item.Fatal
		case item.Skipped != nil:
			ri.skip(item.Skipped.Row, item.Skipped.Problem)
		case seen[item.Record.ID] > 0:
			ri.skip(item.Row, problem("import.duplicate", string(item.Record.ID), fmt.Sprintf("the same team as line %d", seen[item.Record.ID]), "each team once"))
		default:
			seen[item.Record.ID] = item.Row
			if err := ri.take(tx, item.Row, *item.Record); err != nil {
				return err
			}
		}
		if ri.opt.Progress != nil {
			ri.opt.Progress(ri.report.Rows)
		}
	}
	return nil
}

func (ri *recordImport) skip(row int, p Problem) {
	ri.report.Rows++
	ri.report.Skipped++
	ri.report.Problems = append(ri.report.Problems, RowProblem{row, p})
}

// take plans one record.
func (ri *recordImport) take(tx Reader, row int, r Record) error {
	if p := ri.d.checkRecord(&r); p != nil {
		ri.skip(row, *p)
		return nil
	}
	old, err := tx.Team(r.ID)
	fresh := KindOf(err) == NotFound
	if err != nil && !fresh {
		return err
	}
	r.Own.Contacts = vouchAll(old.Own.Contacts, r.Own.Contacts)
	if holder, err := tx.TeamByHandle(r.Handle); err == nil && holder.ID != r.ID {
		ri.skip(row, problem("handle.taken", string(r.Handle), "another team has this handle", "a free handle").At("/handle"))
		return nil
	}
	switch {
	case fresh:
		ri.report.Created++
		ri.report.Records.Created++
	case sameRecord(&old, &r):
		ri.report.Rows++
		ri.report.Unchanged++
		ri.report.Records.Unchanged++
		return nil
	case !ri.opt.Force:
		ri.skip(row, problem("import.differs", string(r.Handle), "the team is here already and says something else", "--force, if the file is right"))
		return nil
	default:
		ri.report.Updated++
		ri.report.Records.Updated++
		r.Revision = old.Revision + 1
		r.overwrite(&old, ri.p.Name, ri.d.cfg.Now())
	}
	ri.report.Rows++
	before, after := old.Team(), r.Team()
	w := TeamWrite{Record: r, Op: OpUpsert, Actor: ri.p.Name, Action: "import rollcall", Fields: changed(&before.Profile, &after.Profile)}
	if !after.Live() {
		w.Op = OpDelete
	}
	ri.writes = append(ri.writes, w)
	if ri.opt.DryRun {
		ri.report.Differences = append(ri.report.Differences, Difference{
			Op: map[bool]string{true: "create", false: "update"}[fresh], Team: string(r.Handle), Key: string(r.ID),
			Fields: fieldChanges(&before.Profile, &after.Profile)})
	}
	return nil
}

// checkRecord returns the first problem of a record, or nil.
func (d *Directory) checkRecord(r *Record) *Problem {
	now := d.cfg.Now()
	if problems := r.Own.Check(now); len(problems) > 0 {
		p := problems[0].At("/own")
		return &p
	}
	for i := range r.Layers {
		if problems := r.Layers[i].Profile.Check(now); len(problems) > 0 {
			p := problems[0].At(fmt.Sprintf("/layers/%d/profile", i))
			return &p
		}
	}
	if t := r.Team(); t.Live() && t.Names.Short == "" && t.Names.Full == "" {
		p := nameless
		return &p
	}
	return nil
}

// sameRecord compares what an export carries.
func sameRecord(a, b *Record) bool {
	x, y := *a, *b
	for _, r := range []*Record{&x, &y} {
		r.Seq, r.Revision = 0, 0
	}
	s, errX := json.Marshal(&x)
	t, errY := json.Marshal(&y)
	return errX == nil && errY == nil && string(s) == string(t) && len(a.Evidence) == len(b.Evidence)
}

func (ri *recordImport) apply(ctx context.Context, tx Tx) error {
	for start := 0; start < len(ri.writes); start += importBatch {
		batch := ri.writes[start:min(start+importBatch, len(ri.writes))]
		first, err := tx.NextSeq(len(batch))
		if err != nil {
			return err
		}
		for i := range batch {
			batch[i].Record.Seq = first + int64(i)
		}
		ri.report.Seq = first + int64(len(batch)) - 1
		if err := tx.PutTeams(batch); err != nil {
			return err
		}
		for _, w := range batch {
			if err := addEvidence(tx, &w.Record); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// addEvidence writes the items that the store does not have yet.
func addEvidence(tx Tx, r *Record) error {
	if len(r.Evidence) == 0 {
		return nil
	}
	stored, err := tx.Team(r.ID)
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, e := range stored.Evidence {
		have[e.ID] = true
	}
	var news []Evidence
	for _, e := range r.Evidence {
		if !have[e.ID] {
			news = append(news, e)
		}
	}
	return tx.PutEvidence(r.ID, news)
}

// Records yields every record, tombstones too, in the order of their handles,
// for an export. It is the operator's alone: nothing is redacted.
func (d *Directory) Records(ctx context.Context, p Principal) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := authorise(p, actExport, nil); err != nil {
			yield(Record{}, err)
			return
		}
		const page = 500
		var after Handle
		err := d.cfg.Store.View(ctx, func(tx Reader) error {
			for {
				list, err := tx.Teams(TeamFilter{After: after, Limit: page, Deleted: true})
				if err != nil {
					return err
				}
				for _, r := range list {
					if !yield(r, nil) {
						return nil
					}
					after = r.Handle
				}
				if len(list) < page {
					return nil
				}
			}
		})
		if err != nil {
			yield(Record{}, err)
		}
	}
}

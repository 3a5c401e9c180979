package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// ImportReference takes in reference data. Each kind that the items hold
// becomes the source's new set of that kind, whole, in one transaction.
func (d *Directory) ImportReference(ctx context.Context, p Principal, opt ImportOptions, items ReferenceItems) (ImportReport, error) {
	if err := authorise(p, actReference, nil); err != nil {
		return ImportReport{}, err
	}
	if err := opt.check(); err != nil {
		return ImportReport{}, err
	}
	ri := &referenceImport{d: d, p: p, opt: opt, report: ImportReport{DryRun: opt.DryRun}, sets: map[ReferenceKind]*referenceDraft{}}
	if err := ri.read(ctx, items); err != nil {
		return ri.report, err
	}
	if err := unreadable(ri.report.Skipped, ri.report.Skipped+len(ri.sets)); err != nil {
		ri.report.Rows = ri.report.Skipped
		return ri.report, err
	}
	had := 0
	for _, kind := range slices.Sorted(maps.Keys(ri.sets)) {
		n, err := ri.compare(ctx, ri.sets[kind])
		if err != nil {
			return ri.report, err
		}
		had += n
	}
	ri.count()
	c := ri.report.Records
	if err := massChange(opt, had, c.Updated+c.Removed, c); err != nil || opt.DryRun {
		return ri.report, err
	}
	return ri.report, ri.write(ctx)
}

type referenceImport struct {
	d      *Directory
	p      Principal
	opt    ImportOptions
	report ImportReport
	sets   map[ReferenceKind]*referenceDraft
}

// referenceDraft is one set as it was read.
type referenceDraft struct {
	kind    ReferenceKind
	entries []referenceEntry
	info    ReferenceSet
	changed bool
}

type referenceEntry struct {
	ReferenceRow
	row    int
	result byte // 0 created, 1 updated, 2 unchanged
}

func (ri *referenceImport) read(ctx context.Context, items ReferenceItems) error {
	for item := range items {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case item.Fatal != nil:
			return item.Fatal
		case item.Note != nil:
			ri.report.Notes = append(ri.report.Notes, *item.Note)
		case item.Skipped != nil:
			ri.report.Skipped++
			ri.report.Problems = append(ri.report.Problems, *item.Skipped)
		default:
			s := ri.sets[item.Kind]
			if s == nil {
				s = &referenceDraft{kind: item.Kind, info: ReferenceSet{Kind: item.Kind, Source: ri.opt.Source, AsOf: ri.opt.AsOf}}
				ri.sets[item.Kind] = s
			}
			if s.info.AsOf.IsZero() {
				s.info.AsOf = item.AsOf
			}
			s.entries = append(s.entries, referenceEntry{ReferenceRow: item.Entry, row: item.Row})
			if ri.opt.Progress != nil {
				ri.opt.Progress(item.Row)
			}
		}
	}
	for _, s := range ri.sets {
		ri.unique(s)
	}
	return nil
}

// unique sorts a set and takes out entries that are said twice.
func (ri *referenceImport) unique(s *referenceDraft) {
	slices.SortStableFunc(s.entries, func(a, b referenceEntry) int { return a.order(&b.ReferenceRow) })
	kept := s.entries[:0]
	for _, e := range s.entries {
		if n := len(kept); n > 0 && kept[n-1].order(&e.ReferenceRow) == 0 {
			code, reason := Code("reference.duplicate"), "the same entry as"
			if !kept[n-1].same(&e.ReferenceRow) {
				code, reason = "reference.conflict", "contradicts"
			}
			ri.report.Skipped++
			ri.report.Problems = append(ri.report.Problems, RowProblem{e.row,
				problem(code, e.subject(), fmt.Sprintf("%s row %d", reason, kept[n-1].row), "each entry once")})
			continue
		}
		kept = append(kept, e)
	}
	s.entries = kept
}

// order compares the keys of two rows of one kind.
func (r *ReferenceRow) order(o *ReferenceRow) int {
	if r.Prefix.IsValid() {
		if c := r.Prefix.Addr().Compare(o.Prefix.Addr()); c != 0 {
			return c
		}
		return r.Prefix.Bits() - o.Prefix.Bits()
	}
	return int(int64(r.First) - int64(o.First))
}

func (r *ReferenceRow) same(o *ReferenceRow) bool {
	return r.Last == o.Last && r.Country == o.Country && slices.Equal(r.Origins, o.Origins)
}

func (r *ReferenceRow) subject() string {
	if r.Prefix != (netip.Prefix{}) {
		return r.Prefix.String()
	}
	return r.First.String()
}

// compare marks what is new against the stored set, and returns the size of
// that one.
func (ri *referenceImport) compare(ctx context.Context, s *referenceDraft) (had int, err error) {
	i := 0
	step := func(old ReferenceRow) error {
		had++
		for i < len(s.entries) && s.entries[i].order(&old) < 0 {
			i++
		}
		switch {
		case i == len(s.entries) || s.entries[i].order(&old) > 0:
			ri.report.Records.Removed++
		case s.entries[i].same(&old):
			s.entries[i].result = 2
		default:
			s.entries[i].result = 1
		}
		return nil
	}
	err = ri.d.cfg.Store.View(ctx, func(tx Reader) error {
		sets, err := tx.References()
		if err != nil {
			return err
		}
		for _, set := range sets { // the same again, vouched for at a later day
			s.changed = s.changed || set.ID() == s.info.ID() && s.info.AsOf.After(set.AsOf)
		}
		return tx.ReferenceBlocks(s.kind, ri.opt.Source, func(block []byte) error { return DecodeReference(block, step) })
	})
	return had, err
}

// count fills the report: entries by what became of them, and rows by what
// became of their first entry.
func (ri *referenceImport) count() {
	rows := map[int]byte{}
	for _, s := range ri.sets {
		for _, e := range s.entries {
			r := &ri.report.Records
			*[]*int{&r.Created, &r.Updated, &r.Unchanged}[e.result]++
			s.changed = s.changed || e.result != 2
			if was, ok := rows[e.row]; !ok || e.result < was {
				rows[e.row] = e.result
			}
		}
		s.changed = s.changed || ri.report.Records.Removed > 0
	}
	for _, result := range rows {
		*[]*int{&ri.report.Created, &ri.report.Updated, &ri.report.Unchanged}[result]++
	}
	ri.report.Rows = len(rows) + ri.report.Skipped
}

func (ri *referenceImport) write(ctx context.Context) error {
	err := ri.d.cfg.Store.Update(ctx, func(tx Tx) error {
		for _, kind := range slices.Sorted(maps.Keys(ri.sets)) {
			if s := ri.sets[kind]; s.changed {
				if err := ri.put(tx, s); err != nil {
					return err
				}
			}
		}
		return ri.opt.commit(tx, nil, &ri.report)
	})
	return ri.d.committed(ctx, err)
}

func (ri *referenceImport) put(tx Tx, s *referenceDraft) error {
	rows := make([]ReferenceRow, len(s.entries))
	for i := range s.entries {
		rows[i] = s.entries[i].ReferenceRow
	}
	blocks, sum := EncodeReference(rows), sha256.New()
	for _, b := range blocks {
		sum.Write(b)
	}
	seq, err := tx.NextSeq(1)
	if err != nil {
		return err
	}
	now := ri.d.cfg.Now()
	s.info.Loaded, s.info.Rows, s.info.Hash, s.info.Seq = now, len(rows), hex.EncodeToString(sum.Sum(nil)), seq
	ri.report.Seq = seq
	if err := tx.PutReference(s.info, blocks); err != nil {
		return err
	}
	return tx.Append(
		Change{Seq: seq, Type: "reference", ID: s.info.ID(), Op: OpUpsert, At: now},
		AuditEntry{Seq: seq, At: now, Actor: ri.p.Name, Action: string(actReference), Subject: "reference:" + s.info.ID(),
			Detail: fmt.Sprintf("%d entries", len(rows))})
}

// References describes the reference data that is loaded. Anybody may know.
func (d *Directory) References(ctx context.Context) (sets []ReferenceSet, err error) {
	err = d.cfg.Store.View(ctx, func(tx Reader) error {
		sets, err = tx.References()
		return err
	})
	return sets, err
}

// RemoveReference takes out one set of reference data; [NotFound] if there is
// none.
func (d *Directory) RemoveReference(ctx context.Context, p Principal, kind ReferenceKind, source string) error {
	if err := authorise(p, actReference, nil); err != nil {
		return err
	}
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		sets, err := tx.References()
		if err != nil {
			return err
		}
		set := ReferenceSet{Kind: kind, Source: source}
		i := slices.IndexFunc(sets, func(s ReferenceSet) bool { return s.ID() == set.ID() })
		if i < 0 {
			return &Error{Kind: NotFound, Op: string(actReference), Subject: set.ID(), Problems: []Problem{
				problem("reference.unknown", source, "no such reference data is loaded", "a source from the list of reference data")}}
		}
		seq, err := tx.NextSeq(1)
		if err == nil {
			err = tx.PutReference(set, nil)
		}
		if err != nil {
			return err
		}
		now := d.cfg.Now()
		return tx.Append(
			Change{Seq: seq, Type: "reference", ID: set.ID(), Op: OpDelete, At: now},
			AuditEntry{Seq: seq, At: now, Actor: p.Name, Action: "remove reference data", Subject: "reference:" + set.ID(), Detail: fmt.Sprintf("%d entries", sets[i].Rows)})
	})
	return d.committed(ctx, err)
}

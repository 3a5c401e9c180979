package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// importBatch is how many records go to the store at once.
const importBatch = 500

// apply writes what was planned. It plans nothing: a source that another
// import has moved meanwhile is a conflict.
func (im *importer) apply(ctx context.Context, tx Tx) error {
	refs, err := tx.Layers(im.opt.Source)
	if err != nil {
		return err
	}
	im.report.Seq = 0
	waiting := map[TeamID]bool{} // teams in the batch, whose records tx does not know yet
	batch := make([]TeamWrite, 0, importBatch)
	handles := map[Handle]bool{}
	for _, w := range im.writes {
		if refs[w.key].Hash != w.was {
			return &Error{Kind: Conflict, Op: "import", Subject: im.opt.Source, Problems: []Problem{
				problem("import.raced", w.key, "another import of this source ran at the same time", "the import once more")}}
		}
		tw, err := im.write(tx, &w, handles)
		if err != nil {
			return err
		}
		if again := waiting[tw.Record.ID]; again || len(batch) == importBatch {
			if batch, err = im.flush(ctx, tx, batch); err != nil {
				return err
			}
			clear(waiting)
			if again { // on what was just written
				if tw, err = im.write(tx, &w, handles); err != nil {
					return err
				}
			}
		}
		batch = append(batch, tw)
		waiting[tw.Record.ID] = true
	}
	_, err = im.flush(ctx, tx, batch)
	return err
}

func (im *importer) flush(ctx context.Context, tx Tx, batch []TeamWrite) ([]TeamWrite, error) {
	if len(batch) == 0 {
		return batch, ctx.Err()
	}
	first, err := tx.NextSeq(len(batch))
	if err != nil {
		return nil, err
	}
	for i := range batch {
		batch[i].Record.Seq = first + int64(i)
	}
	im.report.Seq = first + int64(len(batch)) - 1
	if err := tx.PutTeams(batch); err != nil {
		return nil, err
	}
	return batch[:0], ctx.Err()
}

// write makes the record that the store shall keep.
func (im *importer) write(tx Reader, w *pending, handles map[Handle]bool) (TeamWrite, error) {
	now := im.d.cfg.Now()
	tw := TeamWrite{Op: OpUpsert, Actor: im.p.Name, Action: "import " + im.opt.Source}
	r, err := follow(tx, w.team)
	fresh := KindOf(err) == NotFound
	switch {
	case fresh && w.source != nil:
		if r, err = im.newRecord(tx, w, handles, now); err != nil {
			return tw, err
		}
	case err != nil:
		return tw, err
	}
	before := r.Team()
	buried := !r.Deleted.IsZero() && len(r.Layers) > 0 // by a person: an import leaves no layers behind
	im.relayer(&r, &before, w, now)
	after := r.Team()
	r.succeed(&before, &after, tw.Action, now)
	r.Revision++
	r.Updated = now
	if buried {
		tw.Op = OpDelete
	} else if w.source != nil {
		r.Deleted = time.Time{}
	} else if len(r.Layers) == 0 && len(changed(&r.Own, &Profile{})) == 0 {
		r.Deleted, tw.Op = now, OpDelete
	}
	tw.Record, tw.Fields = r, changed(&before.Profile, &after.Profile)
	return tw, nil
}

func (im *importer) newRecord(tx Reader, w *pending, handles map[Handle]bool, now time.Time) (Record, error) {
	h, err := freeHandle(tx, w.source, handles)
	handles[h] = true
	return Record{ID: w.team, Handle: h, Created: now}, err
}

// relayer replaces the source's layer in r, or takes it out.
func (im *importer) relayer(r *Record, before *Team, w *pending, now time.Time) {
	i := slices.IndexFunc(r.Layers, func(l Layer) bool { return l.Source == im.opt.Source && l.Key == w.key })
	if w.source == nil {
		if i >= 0 {
			r.Layers = slices.Delete(slices.Clone(r.Layers), i, i+1)
		}
		return
	}
	l := Layer{Source: im.opt.Source, Key: w.key, AsOf: w.source.AsOf, At: now, Hash: w.hash, ID: w.source.ID, Profile: w.source.Profile, Raw: w.source.Raw}
	if l.AsOf.IsZero() {
		l.AsOf = im.opt.AsOf
	}
	// The item belongs to the codec, and apply may run twice.
	l.Profile.Resources, l.Profile.Contacts = slices.Clone(l.Profile.Resources), slices.Clone(l.Profile.Contacts)
	for j := range l.Profile.Resources {
		if l.Profile.Resources[j].Claim == "" {
			l.Profile.Resources[j].Claim = "listed"
		}
	}
	settleContacts(before, &l.Profile, r.ID, im.d.newID, now)
	l.Profile.Keys = keepRevocations(before.allKeys(), l.Profile.Keys)
	if i < 0 {
		r.Layers = append(slices.Clip(r.Layers), l)
		return
	}
	old := &r.Layers[i]
	l.Dates = redate(&old.Profile, &l.Profile, old.Dates, old.At)
	r.Layers = slices.Clone(r.Layers)
	r.Layers[i] = l
}

// freeHandle returns the record's wish, or the nearest handle that is free.
func freeHandle(tx Reader, s *SourceRecord, taken map[Handle]bool) (Handle, error) {
	wish := s.Handle
	if _, err := ParseHandle(string(wish)); err != nil {
		wish = "team-" + Handle(s.hash()[:12])
	}
	for n := range 1000 {
		h := wish
		switch {
		case n == 1 && s.Profile.Country != "":
			h = trimHandle(wish, "-"+strings.ToLower(string(s.Profile.Country)))
		case n > 0:
			h = trimHandle(wish, fmt.Sprintf("-%d", n))
		}
		if taken[h] {
			continue
		}
		_, err := tx.TeamByHandle(h)
		if KindOf(err) == NotFound {
			return h, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "team-" + Handle(s.hash()[:16]), nil
}

func trimHandle(h Handle, suffix string) Handle {
	return h[:min(len(h), 64-len(suffix))] + Handle(suffix)
}

// differences fills the report of a dry run.
func (im *importer) differences(tx Reader) error {
	for _, w := range im.writes {
		d := Difference{Op: w.op, Key: w.key}
		var before, after Profile
		var beforeRaw, afterRaw []Raw
		if w.source != nil {
			after, afterRaw, d.Team = w.source.Profile, w.source.Raw, string(w.source.Handle)
		}
		r, err := follow(tx, w.team)
		if err != nil && KindOf(err) != NotFound {
			return err
		}
		if err == nil {
			d.Team = string(r.Handle)
			for _, l := range r.Layers {
				if l.Source == im.opt.Source && l.Key == w.key {
					before, beforeRaw = l.Profile, l.Raw
				}
			}
		}
		d.Fields = fieldChanges(&before, &after)
		if old, now := rawText(beforeRaw), rawText(afterRaw); old != now {
			d.Fields = append(d.Fields, FieldChange{Field: "raw", Before: cut(old, 200), After: cut(now, 200)})
		}
		im.report.Differences = append(im.report.Differences, d)
	}
	return nil
}

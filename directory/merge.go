package directory

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// MergeConflict is a field that two teams both entered, each in its own way, when
// they became one. What the team that stays entered is shown.
type MergeConflict struct {
	FieldChange // Before is what is no longer shown, After what is
}

// Merge makes the team from part of the team into. Everything from knew goes
// along: each of its layers stays a layer, and what its own people entered
// becomes one, below what into's own people entered and above what was
// imported. Evidence goes along with its contacts. The handle and id of from
// lead to into from then on; [Directory.Unmerge] takes it back.
func (d *Directory) Merge(ctx context.Context, p Principal, from, into string, revision int64) (Team, error) {
	team, _, err := d.MergeTelling(ctx, p, from, into, revision)
	return team, err
}

// MergeTelling is [Directory.Merge], and tells what people had entered in both
// teams, each in its own way.
func (d *Directory) MergeTelling(ctx context.Context, p Principal, from, into string, revision int64) (Team, []MergeConflict, error) {
	var out Team
	var conflicts []MergeConflict
	err := d.cfg.Store.Update(ctx, func(tx Tx) error {
		source, _, err := d.forWrite(tx, p, actMerge, from, AnyRevision)
		if err != nil {
			return err
		}
		target, _, err := d.forWrite(tx, p, actMerge, into, revision)
		if err != nil {
			return err
		}
		if source.ID == target.ID {
			return mergeSame(from, into)
		}
		conflicts = conflictsOf(&source.Own, &target.Own)
		out, err = d.merge(tx, p.Name, &source, &target)
		return err
	})
	return Redact(&out, p), conflicts, d.committed(ctx, err)
}

func mergeSame(from, into string) error {
	return &Error{Kind: Invalid, Op: string(actMerge), Subject: from, Problems: []Problem{
		problem("merge.same", into, "the two are one team already", "two different teams")}}
}

// merge writes that source became part of target. What somebody decided about
// the two before no longer holds.
func (d *Directory) merge(tx Tx, actor string, source, target *Record) (Team, error) {
	now := d.cfg.Now()
	before := target.Team()
	j := join(source, target, now)
	after := j.into.Team()
	// Duplicates are the teams whose prefixes lie in one another.
	problems := slices.DeleteFunc(after.Check(now), func(p Problem) bool { return p.Code == "resource.overlap" })
	if len(problems) > 0 {
		return Team{}, &Error{Kind: Invalid, Op: string(actMerge), Subject: string(source.Handle), Problems: problems}
	}
	j.into.inherit(source, &before, &after, actor, now)
	seq, err := tx.NextSeq(2)
	if err != nil {
		return Team{}, err
	}
	j.from.Seq, j.into.Seq = seq, seq+1
	// unmerge knows the two by their following each other.
	err = tx.PutTeams([]TeamWrite{
		{Record: j.from, Op: OpDelete, Actor: actor, Action: string(actMerge), Fields: []string{"merged_into"}},
		{Record: j.into, Op: OpUpsert, Actor: actor, Action: string(actMerge), Fields: changed(&before.Profile, &after.Profile)},
	})
	if err == nil {
		err = tx.PutEvidence(target.ID, j.evidence)
	}
	if err == nil {
		err = d.forget(tx, actor, source.ID, target.ID)
	}
	if err != nil {
		return Team{}, err
	}
	j.into.Evidence = newestFirst(j.evidence, target.Evidence)
	return j.into.Team(), nil
}

// newestFirst puts items added to a team's evidence where the store will.
func newestFirst(added, had []Evidence) []Evidence {
	list := slices.Concat(added, had)
	slices.SortStableFunc(list, func(a, b Evidence) int { return b.At.Compare(a.At) })
	return list
}

// joint is what a merge makes of two records, before it is written.
type joint struct {
	from, into Record
	evidence   []Evidence // what goes along, as evidence of into
}

// join merges two records. It is pure, and leaves both as they are.
func join(source, target *Record, now time.Time) joint {
	j := joint{from: *source, into: *target}
	a := newAdoption(source, target, now)
	j.into.Layers = slices.Clone(target.Layers)
	if len(changed(&source.Own, &Profile{})) > 0 {
		j.into.Layers = append(j.into.Layers, a.layer(Layer{
			Source: mergedPrefix + string(source.Handle), Key: string(source.ID), At: source.OwnAt, Dates: source.OwnDates, Profile: source.Own}))
	}
	for _, l := range source.Layers {
		j.into.Layers = append(j.into.Layers, a.layer(l))
	}
	j.evidence = a.evidence(source)
	j.into.Revision++
	j.into.Updated = now
	j.from.Layers, j.from.Revision, j.from.Updated, j.from.MergedInto = nil, source.Revision+1, now, target.ID
	return j
}

// contactAt is one revision of a contact.
type contactAt struct {
	id       ContactID
	revision int
}

// adoption gives the contacts of one team their place in another. A contact
// that both have keeps the id it has in the team that stays.
type adoption struct {
	team   TeamID // that goes
	now    time.Time
	have   map[string][]*Contact // of the team that stays, by key; later variants follow the shown one
	proven map[ContactID]int     // highest revision that anything speaks of
	became map[contactAt]contactAt
}

func newAdoption(source, target *Record, now time.Time) *adoption {
	a := &adoption{team: source.ID, now: now, have: map[string][]*Contact{}, proven: map[ContactID]int{}, became: map[contactAt]contactAt{}}
	t := target.Team()
	for i := range t.Contacts {
		c := &t.Contacts[i]
		a.have[c.Key()] = []*Contact{c}
		a.proven[c.ID] = max(c.Revision, t.provenRevision(c.ID))
	}
	return a
}

func (a *adoption) layer(l Layer) Layer {
	l.Profile.Contacts = each(l.Profile.Contacts, a.contact)
	return l
}

// contact rewrites one contact of the team that goes. One with the same
// address and other hours is another revision: proof is about both.
func (a *adoption) contact(c *Contact) {
	was := contactAt{c.ID, c.Revision}
	variants := a.have[c.Key()]
	if len(variants) == 0 {
		a.became[was] = was
		return
	}
	i := slices.IndexFunc(variants, func(v *Contact) bool { return c.same(v) })
	if i >= 0 {
		v := variants[i]
		c.ID, c.Revision, c.Since = v.ID, v.Revision, v.Since
	} else {
		c.ID = variants[0].ID
		a.proven[c.ID]++
		c.Revision, c.Since = a.proven[c.ID], a.now
		kept := *c
		a.have[c.Key()] = append(variants, &kept)
	}
	a.became[was] = contactAt{c.ID, c.Revision}
}

// evidenceSpace is the name space of the ids that evidence has as evidence of
// the team that another became part of (RFC 9562 section 5.5).
var evidenceSpace = uuid.MustParse("0f4b6a52-7c1e-5d39-8f6e-6e2b9d0c4a11")

// movedEvidence returns the id that an item of a team has where the team went.
func movedEvidence(team TeamID, id string) string {
	return uuid.NewSHA1(evidenceSpace, []byte(string(team)+" "+id)).String()
}

// evidence returns what was proven about the contacts of source, as evidence
// of the team that it became part of. What is about older values of contacts
// that have another id there stays behind: it would seem to be about theirs.
func (a *adoption) evidence(source *Record) []Evidence {
	var list []Evidence
	renamed := map[ContactID]bool{}
	for was, is := range a.became {
		renamed[was.id] = renamed[was.id] || was != is
	}
	for _, e := range source.Evidence {
		is, ok := a.became[contactAt{e.Contact, e.Revision}]
		if !ok {
			if renamed[e.Contact] {
				continue
			}
			is = contactAt{e.Contact, e.Revision}
		}
		e.ID, e.Contact, e.Revision = movedEvidence(a.team, e.ID), is.id, is.revision
		list = append(list, e)
	}
	return list
}

// conflictsOf lists the fields that two teams entered differently, with what
// is shown once source is part of target.
func conflictsOf(source, target *Profile) []MergeConflict {
	var list []MergeConflict
	s, t := reflect.ValueOf(source).Elem(), reflect.ValueOf(target).Elem()
	for i := range s.NumField() {
		name := s.Type().Field(i).Name
		if s.Field(i).IsZero() || t.Field(i).IsZero() || name == "Memberships" || name == "Designations" {
			continue
		}
		goes, stays := fieldText(s.Field(i)), fieldText(t.Field(i))
		if goes != stays {
			list = append(list, MergeConflict{FieldChange{Field: strings.ToLower(name), Before: cut(goes, 200), After: cut(stays, 200)}})
		}
	}
	return list
}

// better orders two teams by which of them should stay: one that people
// entered, then the one that more sources know, then the older.
func better(a, b *Team) int {
	own := func(t *Team) int {
		if t.hasOwn() {
			return 0
		}
		return 1
	}
	return cmp.Or(own(a)-own(b), len(b.Sources)-len(a.Sources), a.Created.Compare(b.Created), strings.Compare(string(a.ID), string(b.ID)))
}

// hasOwn reports whether people entered the team's name or contacts here.
func (t *Team) hasOwn() bool {
	return slices.ContainsFunc(t.Sources, func(s TeamSource) bool { return entered(s.Source) })
}

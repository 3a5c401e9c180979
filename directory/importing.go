package directory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// importSpace is the name space of the ids of imported teams (RFC 9562 section
// 5.5): the same record of the same source is the same team on every instance
// and after every re-import.
var importSpace = uuid.MustParse("b4a0c1c2-8f0e-5c56-a2f4-55b3a6d0c9e1")

// smallSource is how many records a source must have before the mass-change
// guard looks at shares: one of three changing is no mass.
const smallSource = 10

// Import takes in what a source says. Each record becomes a layer of one team
// and never touches what people entered. All of it is written in one
// transaction, or none. The report is complete also when the error is
// [Conflict] from the mass-change guard.
func (d *Directory) Import(ctx context.Context, p Principal, opt ImportOptions, items ImportItems) (ImportReport, error) {
	if err := authorise(p, actImport, nil); err != nil {
		return ImportReport{}, err
	}
	if err := opt.check(); err != nil {
		return ImportReport{}, err
	}
	im := &importer{d: d, p: p, opt: opt, report: ImportReport{DryRun: opt.DryRun}}
	err := d.cfg.Store.View(ctx, func(tx Reader) error { return im.plan(ctx, tx, items) })
	if err == nil {
		err = im.guard()
	}
	if err != nil || opt.DryRun || len(im.writes) == 0 {
		return im.report, err
	}
	err = d.cfg.Store.Update(ctx, func(tx Tx) error { return opt.commit(tx, im.apply(ctx, tx), &im.report) })
	if err = d.committed(ctx, err); err == nil {
		im.mergeByRule(ctx)
	}
	return im.report, err
}

// commit is the last of a transaction that writes.
func (o ImportOptions) commit(tx Tx, err error, report *ImportReport) error {
	if err != nil || o.Commit == nil {
		return err
	}
	return o.Commit(tx, *report)
}

func (o ImportOptions) check() error {
	if _, err := ParseHandle(o.Source); err != nil || o.Source == SourceTeam {
		p := problem("import.source", o.Source, "not a name for a source", "2 to 64 of a-z, 0-9, dot and hyphen; not "+SourceTeam)
		return &Error{Kind: Invalid, Op: "import", Problems: []Problem{p.At("/source")}}
	}
	return nil
}

// importer is one import on its way from plan to store.
type importer struct {
	d      *Directory
	p      Principal
	opt    ImportOptions
	report ImportReport

	team   TeamID              // that all records go to; "": each its own
	refs   map[string]LayerRef // what the source was imported as before
	unread int                 // rows that the codec skipped
	seen   map[string]int      // keys of this import → row
	writes []pending
}

// pending is one record that the import will write.
type pending struct {
	op     string // create, update or remove
	key    string
	team   TeamID
	source *SourceRecord // nil when removed
	hash   string
	was    string // hash before
}

// plan reads all items and decides what each would do. It writes nothing.
func (im *importer) plan(ctx context.Context, tx Reader, items ImportItems) (err error) {
	if im.refs, err = tx.Layers(im.opt.Source); err != nil {
		return err
	}
	im.seen = make(map[string]int, len(im.refs))
	if im.opt.Team != "" {
		r, err := findIn(tx, im.opt.Team)
		if err != nil {
			return err
		}
		im.team = r.ID
	}
	mailboxes := &mailboxIndex{tx: tx}
	for item := range items {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case item.Fatal != nil:
			return item.Fatal
		case item.Skipped != nil:
			im.unread++
			im.skip(*item.Skipped, 1)
		case item.Note != nil:
			im.report.Notes = append(im.report.Notes, *item.Note)
		case item.Record != nil:
			if err := im.take(tx, item.Record, mailboxes); err != nil {
				return err
			}
		}
		if im.opt.Progress != nil {
			im.opt.Progress(im.report.Rows)
		}
	}
	if err := unreadable(im.unread, im.report.Rows); err != nil {
		return err
	}
	if im.opt.Complete {
		im.missing()
	}
	for _, list := range [][]RowProblem{im.report.Problems, im.report.Notes} {
		slices.SortStableFunc(list, func(a, b RowProblem) int { return a.Row - b.Row })
	}
	if im.opt.DryRun {
		return im.differences(tx)
	}
	return nil
}

func (im *importer) skip(p RowProblem, rows int) {
	im.report.Rows += rows
	im.report.Skipped += rows
	im.report.Problems = append(im.report.Problems, p)
}

// unreadable refuses a file of which the codec could read no row: it is of
// another format, most likely.
func unreadable(unread, rows int) error {
	if rows == 0 || unread < rows {
		return nil
	}
	return &Error{Kind: Invalid, Op: "import", Problems: []Problem{
		problem("import.nothing", strconv.Itoa(rows), "none of the rows could be read", "a file of this format")}}
}

// take plans one record.
func (im *importer) take(tx Reader, s *SourceRecord, mailboxes *mailboxIndex) error {
	rows := max(s.Rows, 1)
	if first, ok := im.seen[s.Key]; ok {
		im.skip(RowProblem{s.Row, problem("import.duplicate", s.Key, fmt.Sprintf("the same key as row %d", first), "each record once")}, rows)
		return nil
	}
	im.seen[s.Key] = s.Row
	if problems := s.Profile.Check(im.d.cfg.Now()); len(problems) > 0 {
		im.skip(RowProblem{s.Row, problems[0]}, rows)
		return nil
	}
	hash := s.hash()
	ref, known := im.refs[s.Key]
	if known && im.team != "" && ref.Team != im.team {
		im.skip(RowProblem{s.Row, problem("import.other-team", s.Key, "the record is on another team already, "+string(ref.Team), "that team, or the two merged")}, rows)
		return nil
	}
	if known && ref.Hash == hash {
		im.report.Rows += rows
		im.report.Unchanged += rows
		im.report.Records.Unchanged++
		return nil
	}
	w := pending{op: "update", key: s.Key, team: ref.Team, source: s, hash: hash, was: ref.Hash}
	if !known {
		w.op = "create"
		problem, err := im.place(tx, &w, mailboxes)
		if err != nil {
			return err
		}
		if problem != nil {
			im.skip(RowProblem{s.Row, *problem}, rows)
			return nil
		}
	}
	im.report.Rows += rows
	if known {
		im.report.Updated += rows
		im.report.Records.Updated++
	} else {
		im.report.Created += rows
		im.report.Records.Created++
	}
	im.writes = append(im.writes, w)
	return nil
}

// place finds the team that a new record belongs to: the one the import names,
// the one whose UUID the source knows, the one with the mailbox of a key's
// user id; else a team of its own.
func (im *importer) place(tx Reader, w *pending, mailboxes *mailboxIndex) (*Problem, error) {
	s := w.source
	switch {
	case im.team != "":
		w.team = im.team
		return nil, nil
	case s.ID != "":
		w.team = s.ID
		return nil, nil
	case len(s.Mailboxes) > 0:
		teams, err := mailboxes.teams(s.Mailboxes)
		if err != nil || len(teams) == 1 {
			w.team = append(teams, "")[0]
			return nil, err
		}
		p := problem("keyring.no-team", string(s.Mailboxes[0]), "no team has a contact with an address of this key", "the team first, or import with --team")
		if len(teams) > 1 {
			p = problem("keyring.several-teams", string(s.Mailboxes[0]), fmt.Sprintf("%d teams have a contact with an address of this key", len(teams)), "import with --team")
		}
		return &p, nil
	}
	w.team = TeamID(uuid.NewSHA1(importSpace, []byte(im.opt.Source+" "+s.Key)).String())
	return nil, nil
}

// mailboxIndex finds teams by contact address; it is made when first asked.
type mailboxIndex struct {
	tx Reader
	by map[string][]TeamID
}

func (m *mailboxIndex) teams(list []Email) ([]TeamID, error) {
	if m.by == nil {
		records, err := m.tx.Teams(TeamFilter{})
		if err != nil {
			return nil, err
		}
		m.by = map[string][]TeamID{}
		for i := range records {
			t := records[i].Team()
			for _, c := range t.Contacts {
				if c.Channel == "email" {
					m.by[c.Key()] = append(m.by[c.Key()], t.ID)
				}
			}
		}
	}
	var found []TeamID
	for _, e := range list {
		for _, id := range m.by["email:"+e.Key()] {
			if !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	return found, nil
}

// hash is of everything the source vouches for.
func (s *SourceRecord) hash() string {
	text, err := json.Marshal(struct {
		Profile *Profile
		AsOf    int64
		Raw     []Raw  `json:",omitempty"`
		ID      TeamID `json:",omitzero"`
	}{&s.Profile, s.AsOf.Unix(), s.Raw, s.ID})
	if err != nil {
		panic("directory: a profile that JSON can't hold: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// missing takes out what the source no longer has. A row that could not be read
// has no key, so what seems to be missing may be in the file after all: then
// nothing is taken out, unless somebody looked and forces it.
func (im *importer) missing() {
	if im.report.Skipped == 0 || im.opt.Force {
		im.vanished()
		return
	}
	gone := 0
	for key := range im.refs {
		if _, ok := im.seen[key]; !ok {
			gone++
		}
	}
	if gone > 0 {
		im.report.Notes = append(im.report.Notes, RowProblem{0, problem("import.kept", strconv.Itoa(gone),
			"records that seem to be missing from the file are kept, since rows were skipped and may be theirs", "the skipped rows mended, or --force")})
	}
}

// vanished plans the removal of records that the source no longer has.
func (im *importer) vanished() {
	for key, ref := range im.refs {
		if _, ok := im.seen[key]; !ok {
			im.writes = append(im.writes, pending{op: "remove", key: key, team: ref.Team, was: ref.Hash})
			im.report.Records.Removed++
		}
	}
	slices.SortStableFunc(im.writes, func(a, b pending) int {
		if a.op == "remove" && b.op == "remove" {
			return compare(a.key, b.key)
		}
		return 0
	})
}

// guard stops an import that would change too much of what its source said
// before: a truncated download or a changed format looks just like that.
func (im *importer) guard() error {
	c := im.report.Records
	return massChange(im.opt, len(im.refs), c.Updated+c.Removed, c)
}

func massChange(opt ImportOptions, had, touched int, c RecordCounts) error {
	most := opt.MaxChange
	if most == 0 {
		most = 0.2
	}
	if opt.Force || had < smallSource || float64(touched) <= most*float64(had) {
		return nil
	}
	reason := fmt.Sprintf("%d of the %d records of this source would change and %d vanish, which is more than %.0f %%", c.Updated, had, c.Removed, most*100)
	return &Error{Kind: Conflict, Op: "import", Subject: opt.Source, Problems: []Problem{
		problem("import.mass-change", strconv.Itoa(touched), reason, "a look at the file; --dry-run shows what would change, --force does it")}}
}

package directory

import (
	"iter"
	"time"
)

// ImportOptions say what is imported and how carefully.
type ImportOptions struct {
	Source   string    // name of the layer: "dotgov"
	Format   string    // for the audit entry
	AsOf     time.Time // the day the source vouches for; zero: unknown
	Complete bool      // records that the source no longer has are taken out
	DryRun   bool      // report, and write nothing
	Force    bool      // skip the mass-change guard
	Team     string    // handle or id of the team that all records belong to; "": each its own
	// MaxChange is the share of the source's records, 0 to 1, that may change
	// or vanish without Force. 0 is 0.2. Sources with fewer than ten records
	// are not guarded.
	MaxChange float64
	Progress  func(rows int) // called now and then; may be nil
	// Commit is called at the end of the transaction that writes, with what was
	// written; its error undoes all of it. It may be called again where the
	// store repeats the transaction. nil: nothing is added. It is not called
	// where nothing is to be written.
	Commit func(Tx, ImportReport) error
}

// SourceRecord is one team as a codec read it from a source.
type SourceRecord struct {
	Row     int    // number of the first row or line it was made from, from 1
	Rows    int    // how many rows it was made from
	Key     string // the source's stable key for it
	ID      TeamID // where the source knows the team's UUID; usually ""
	Handle  Handle // a wish; the directory makes it unique
	Profile Profile
	Raw     []Raw     // what no field of Profile could take
	AsOf    time.Time // zero: that of the import
	// Mailboxes tie a record to the team that has a contact with one of these
	// addresses; a keyring has nothing else to go by.
	Mailboxes []Email
}

// ImportItem is what a codec yields: a record, or the problem of a row that
// could not be read, or a note on one that could, or the reason why the file
// as a whole is no use.
type ImportItem struct {
	Record  *SourceRecord
	Skipped *RowProblem // the row is left out
	Note    *RowProblem // the row counts, but somebody should look
	Fatal   error       // the whole file is refused: a [Problem], or a read error
}

// RecordItem is what the codec of our own format yields: a whole record, the
// problem of a line, or the end of everything.
type RecordItem struct {
	Row     int
	Record  *Record
	Skipped *RowProblem
	Fatal   error
}

// RecordItems is that codec's output: streamed, and read once.
type RecordItems = iter.Seq[RecordItem]

// RowProblem is a [Problem] and where in the file it is.
type RowProblem struct {
	Row int // line or row number, from 1
	Problem
}

// ImportItems is a codec's output: streamed, and read once.
type ImportItems = iter.Seq[ImportItem]

// ImportReport says what an import did, or would do.
type ImportReport struct {
	// Rows = Created + Updated + Unchanged + Skipped. A row counts as what
	// became of the record it belongs to.
	Rows, Created, Updated, Unchanged, Skipped int
	Records                                    RecordCounts
	Problems                                   []RowProblem // one for each skipped row
	Notes                                      []RowProblem
	Differences                                []Difference // of a dry run
	DryRun                                     bool
	Seq                                        int64       // the last change written; 0 when nothing was
	Merges                                     []RuleMerge // what the rules did afterwards
}

// RecordCounts counts teams, or entries of reference data, not rows.
type RecordCounts struct{ Created, Updated, Unchanged, Removed int }

// Difference is what an import would do to one record.
type Difference struct {
	Op     string // create, update or remove
	Team   string // handle
	Key    string
	Fields []FieldChange
}

// FieldChange is one field before and after, as text for people.
type FieldChange struct{ Field, Before, After string }

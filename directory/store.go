package directory

import (
	"context"
	"time"
)

// Store keeps records. Two engines implement it; store/storetest is the suite
// that both must pass.
//
// Implementations MUST run fn of Update in one transaction that no other
// writer can interleave with, and undo all of it when fn returns an error or
// panics; MUST give fn of View one consistent picture; MUST return domain
// errors ([NotFound], [Conflict], [Unavailable]) and never an engine's own
// sentinel; and MUST NOT leave gaps in the change sequence.
type Store interface {
	// Update runs fn in one write transaction. It may run fn again when the
	// engine asks for a retry, so fn has no other effects.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one consistent picture.
	View(ctx context.Context, fn func(Reader) error) error
	// TouchTokens notes when tokens were last used. It is not a change.
	TouchTokens(ctx context.Context, used map[string]time.Time) error
}

// Reader is what can be asked of a [Store] within one transaction.
type Reader interface {
	SteeringReader
	ControlReader
	// Head returns the number of the last change and the epoch of the store.
	Head() (Head, error)
	// Team returns a record by id, tombstones too; [NotFound] else.
	Team(TeamID) (Record, error)
	// TeamByHandle returns a record by handle, tombstones too; [NotFound] else.
	TeamByHandle(Handle) (Record, error)
	// Teams returns records in the order of their handles.
	Teams(TeamFilter) ([]Record, error)
	// Changes returns at most limit changes with a number above after, in order.
	Changes(after int64, limit int) ([]Change, error)
	// History returns the revisions of a team below before (0: all), newest first.
	History(id TeamID, before int64, limit int) ([]Revision, error)
	// Audit returns the entries that a filter selects, newest first.
	Audit(AuditFilter) ([]AuditEntry, error)
	// Tokens returns all tokens, newest first.
	Tokens() ([]Token, error)
	// Token returns one token by its public id; [NotFound] else.
	Token(id string) (Token, error)
	// References describes the loaded reference data.
	References() ([]ReferenceSet, error)
	// ReferenceBlocks calls yield with each stored block of a set, in order.
	ReferenceBlocks(kind ReferenceKind, source string, yield func([]byte) error) error
	// Layers returns what a source has been imported as: its key → where it is.
	Layers(source string) (map[string]LayerRef, error)
	// Decisions returns the decisions about pairs of teams that name team, or
	// all for "", in the order of the pairs.
	Decisions(team TeamID) ([]MatchDecision, error)
	// ImportJobs returns all import jobs, newest first, without their reports.
	ImportJobs() ([]ImportJob, error)
	// ImportJob returns one job; [NotFound] else.
	ImportJob(id string) (ImportJob, error)
	// ImportBlock returns the nth block of what was uploaded for a job;
	// [NotFound] where there is none.
	ImportBlock(id string, n int) ([]byte, error)
}

// Tx is a [Reader] that also writes.
type Tx interface {
	Reader
	SteeringTx
	ControlTx
	// NextSeq takes n numbers of the one sequence and returns the first.
	NextSeq(n int) (first int64, err error)
	// PutTeams writes records with their history, change and audit rows. The
	// stored revision must be Record.Revision-1, else [Conflict]; a record that
	// is not stored yet may come with any revision, as from an export. The
	// handle must be unique.
	PutTeams([]TeamWrite) error
	// PutEvidence adds items about the contacts of one team.
	PutEvidence(TeamID, []Evidence) error
	// DropEvidence takes items of one team out by their ids, where a merge that
	// brought them is undone. Ids that it does not have are no error.
	DropEvidence(id TeamID, items []string) error
	// PutDecision adds a decision, or replaces the one about its pair; A is the
	// lower id.
	PutDecision(MatchDecision) error
	// DropDecision takes the decision about a pair out, if there is one.
	DropDecision(a, b TeamID) error
	// PutToken adds a token or replaces the one with its id.
	PutToken(Token) error
	// PutReference replaces a set of reference data; no blocks remove it.
	PutReference(set ReferenceSet, blocks [][]byte) error
	// PutImportJob adds a job or replaces the one with its id. It is not a change.
	PutImportJob(ImportJob) error
	// PutImportBlock adds a block to what was uploaded for a job.
	PutImportBlock(id string, n int, data []byte) error
	// DropImportJob removes a job with what was uploaded for it, or only that.
	DropImportJob(id string, uploadOnly bool) error
	// Append writes the change and audit rows of something that is not a team.
	Append(Change, AuditEntry) error
}

// Head is the state of the change sequence.
type Head struct {
	Seq   int64  // number of the last change; 0 in an empty store
	Epoch string // random; a restore gives a new one, after which nothing read before holds
}

// TeamFilter selects records. The zero value selects all live teams.
type TeamFilter struct {
	After   Handle  // only handles above this one
	Limit   int     // 0: all
	Country Country // "": any
	Kind    Word    // "": any
	Deleted bool    // tombstones and merged teams too
}

// AuditFilter selects audit entries. The zero value selects all.
type AuditFilter struct {
	Before  int64     // only entries with a number below this one; 0: all
	Limit   int       // 0: all
	Actor   string    // "": anybody
	Subject string    // "": anything
	Action  string    // "": whatever was done
	From    time.Time // only entries at or after this time
	To      time.Time // only entries before this time; zero: no end
}

// LayerRef is where a source's record went.
type LayerRef struct {
	Team TeamID
	Hash string // of the imported values
}

// TeamWrite is one record on its way to the store. Record.Seq is the number of
// its change.
type TeamWrite struct {
	Record Record
	Op     Op
	Actor  string
	Action string   // "create team", "import dotgov" …
	Fields []string // wire names of the top-level fields that changed
	Detail string   // more for the audit trail; "" is nothing
}

// Op is what a change did.
type Op string

// The operations; a consumer needs no others.
const (
	OpUpsert Op = "upsert"
	OpDelete Op = "delete" // also a merge: MergedInto says where to look
)

// Change is one entry of the change sequence.
type Change struct {
	Seq      int64
	Type     string // "team", "reference", "token", "match", "checks", "campaign", "challenge", "consent" or "webhook"
	ID       string // TeamID; "prefix-country/rir" for reference data; token id; both ids of a match with a slash between; a check, "all" or a TeamID
	Op       Op
	Revision int64 // of the team, else 0
	At       time.Time
}

// AuditEntry says who did what to what.
type AuditEntry struct {
	Seq     int64 // of the change it belongs to
	At      time.Time
	Actor   string
	Action  string
	Subject string   // "team:UUID", "token:rct_…", "reference:prefix-country/rir", "match:UUID/UUID", "checks:all", "campaign:UUID", "challenge:UUID", "consent:UUID"
	Fields  []string // what changed
	Detail  string
}

// Revision is one past or present state of a team.
type Revision struct {
	Revision int64
	Seq      int64
	At       time.Time
	Actor    string
	Action   string
	Fields   []string
	Before   *Record // nil for the first
	After    Record
}

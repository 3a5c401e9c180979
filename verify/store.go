package verify

import (
	"context"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Store keeps the queue of checks and what came of them. Both engines of
// package store implement it; store/storetest is the suite that they must pass.
// What people decide (pauses, run now) goes through [directory.Directory].
//
// Implementations MUST give a row to one claimant at a time, until its lease
// ends; MUST write all of a Finish or nothing; MUST write nothing of what comes
// from a lease that is over, and say so; and MUST number events without gaps,
// in the order in which they become visible.
type Store interface {
	Queue
	Results
}

// Queue is the part of a [Store] that a [Runner] works on. All times in it are
// the caller's.
type Queue interface {
	// Plan makes the rows of teams what they shall be: it adds new ones, removes
	// those of checks in known that are not wanted any more, with what was
	// concluded, and makes due what moved. A team that is gone loses all.
	Plan(ctx context.Context, at time.Time, known []string, teams []TeamPlan) (Planned, error)
	// Claim leases rows that are due, those first that somebody asked for, then
	// the longest due. It returns none of checks that are paused.
	Claim(context.Context, Claim) ([]Job, error)
	// Finish writes what came of jobs and when their rows are due again, and
	// ends the leases, all of it or nothing; of a lease that is over it writes
	// nothing, and the rest. It returns what became of each.
	Finish(context.Context, ...Finish) ([]Finished, error)
	// Extend makes leases last until then, and returns those that are over.
	Extend(ctx context.Context, leases []Lease, until time.Time) (lost []Lease, err error)
	// Release ends leases without a result. The rows are due at the given time,
	// or as before for zero. Leases that are over already are no error.
	Release(ctx context.Context, leases []Lease, due time.Time) error
	// Prune removes some of what is not needed any more, and reports whether
	// there may be more.
	Prune(context.Context, Retention) (more bool, err error)
	// Pauses returns what is paused now.
	Pauses(context.Context) ([]directory.Pause, error)
	// Selectors returns what is known of domains, the latest of each first, at most
	// [MaxSelectors] of each.
	Selectors(ctx context.Context, domains []string) ([]Selector, error)
}

// Results is the part of a [Store] that tells what was found.
type Results interface {
	// Verifications returns what is known of each subject of a team, in the
	// order of checks and subjects. Those that were never tried have no Tried.
	Verifications(context.Context, directory.TeamID) ([]Verification, error)
	// History returns the events of one row below number before (0: all), newest
	// first; of all rows of the team where Check, and the parts of Subject, are
	// empty.
	History(ctx context.Context, row Row, before int64, limit int) ([]Event, error)
	// Events returns at most limit events above number after, in order.
	Events(ctx context.Context, after int64, limit int) ([]Event, error)
	// LastEvent returns the number of the newest event, 0 for none.
	LastEvent(context.Context) (int64, error)
	// Transcript returns what [Transcript.Encode] made, by its hash;
	// [directory.NotFound] where it is not kept, or not any more.
	Transcript(ctx context.Context, hash string) ([]byte, error)
	// Pauses returns what is paused now.
	Pauses(context.Context) ([]directory.Pause, error)
	// Figures counts.
	Figures(ctx context.Context, at time.Time) (Figures, error)
}

// Row names one row of the queue: what is checked how.
type Row struct {
	Team    directory.TeamID
	Check   string
	Subject Subject
}

// TeamPlan is what shall be checked about one team.
type TeamPlan struct {
	Team directory.TeamID
	Want []Want
}

// Want is one row that shall be.
type Want struct {
	Check   string
	Subject Subject
	// Revision is of what is looked at: another number makes the row due and
	// what is under way void.
	Revision int64
	// Every is the check's interval. A row that would be due much later than
	// that was dated by a clock that was wrong, and is due at once.
	Every time.Duration
}

// Planned counts what a Plan changed.
type Planned struct{ Added, Removed, Moved int }

// Claim asks for work.
type Claim struct {
	N      int           // at most so many rows
	Owner  string        // who asks, for people
	Lease  time.Duration // how long the claimant is believed to be at work
	Now    time.Time
	Checks []string // that the claimant can run
}

// Lease is the right to finish one row. Fence is a number that no other claim
// has.
type Lease struct {
	Row
	Fence int64
}

// Job is a row that is leased.
type Job struct {
	Lease
	Revision  int64 // see [Want]
	Due       time.Time
	Attempt   int          // counts claims since the last Finish, this one too
	Previous  Verification // zero when there was none
	Announced time.Time    // when followers were last told of it
}

// Finish is what came of a job.
type Finish struct {
	Job      Job
	Now      time.Time
	Result   Verification         // what [Assess] made of it
	Raw      []byte               // the transcript that Result.Raw names; nil keeps none
	Evidence []directory.Evidence // newest first
	Control  *directory.Control   // what is known of a proof of control from then on; nil: nothing new
	Guard    Guard
}

// Concluded reports whether the job came to a conclusion.
func (f *Finish) Concluded() bool { return f.Result.Trouble == "" }

// Turned reports whether what was known has become worse: a warning or an error
// where nothing was wrong, an error where there was a warning.
func (f *Finish) Turned() bool {
	was := f.Job.Previous.Verdict
	switch f.Result.Verdict {
	case VerdictError:
		return was == VerdictOK || was == VerdictWarning
	case VerdictWarning:
		return was == VerdictOK
	}
	return false
}

// Changed reports whether the verdict is another one. That something was tried
// in vain for the first time is no change.
func (f *Finish) Changed() bool {
	was := f.Job.Previous.Verdict
	if was == "" {
		was = VerdictInconclusive
	}
	return f.Result.Verdict != was
}

// AnnounceEvery is how often followers are told that a verdict still holds.
const AnnounceEvery = 7 * 24 * time.Hour

// Announces reports whether the result is a change that followers shall see. An
// announcement that is yet to come is of a clock that was wrong.
func (f *Finish) Announces() bool {
	ago := f.Now.Sub(f.Job.Announced)
	return f.Changed() || len(f.Evidence) > 0 || f.Control != nil || f.Concluded() && (ago >= AnnounceEvery || ago < 0)
}

// Finished is what became of a [Finish].
type Finished struct {
	Fenced    bool // the lease was over: somebody else has the row, it was made due anew, or it is gone; nothing is to be done
	Announced bool // followers were told
	Held      bool // the guard holds the verdict back
	Tripped   bool // and this was the one that made it do so
}

// Guard stops publishing when too many verdicts turn worse at once, which is more
// likely to be our fault than everybody's. The zero Guard never does.
type Guard struct {
	Share  float64 // of all conclusions within Window
	Least  int     // below so many it never stops
	Window time.Duration
}

// Trips reports whether turned of concluded are too many.
func (g Guard) Trips(turned, concluded int64) bool {
	return g.Share > 0 && turned >= int64(g.Least) && float64(turned) > g.Share*float64(concluded)
}

// Retention says what [Queue.Prune] removes.
type Retention struct {
	At    time.Time
	Raw   time.Time // transcripts of before then to which nothing refers
	Known []string  // checks; rows of others that were due for Stale are removed
	Stale time.Duration
}

// Event is one step in what is known of one row: a verdict, findings or facts
// that are not what they were.
type Event struct {
	N            int64 // events are numbered from 1, over all teams
	At           time.Time
	Team         directory.TeamID
	Was          Verdict      // before; "" for the first
	Verification Verification // from then on
}

// Figures count the queue and its results, over all nodes.
type Figures struct {
	Rows     int           // in the queue
	Due      int           // and due
	Leased   int           // being worked on, or given up by who did
	Lag      time.Duration // since when the longest due one is due
	Held     int           // verdicts that the guard holds back
	Verdicts []Count       // of all rows, by check and verdict
	Runs     []Count       // since ever, by check and verdict, or code of the trouble
	Pauses   []directory.Pause
}

// Count is a number of something by check and verdict.
type Count struct {
	Check   string
	Outcome string // a [Verdict], or the [Code] of a [Trouble]
	N       int64
}

package store

import (
	"context"
	"io/fs"
	"time"
)

// Dialect is what differs between the engines.
type Dialect struct {
	Name       string // "sqlite" or "postgres"
	Migrations fs.FS  // NNNN_name.sql at its root
	// HasTable counts the tables named $1 that the connection sees.
	HasTable string
	// Lock is run first in every write transaction, to be its only one; ""
	// when beginning takes the lock.
	Lock string
	// SkipLocked ends a SELECT that takes rows nobody else has locked; "" where
	// a write transaction is alone.
	SkipLocked string
	// MigrationLock is run first in the transaction of a migration; "" as above.
	MigrationLock string
	// Notify is run last in a write transaction that changed something; "" when
	// nobody can be told.
	Notify string
	// Listen calls wake after each Notify until ctx ends, and comes back by
	// itself after the connection was lost; nil when there is only polling.
	Listen func(ctx context.Context, wake func())
	// Poll is how often [DB.Watch] looks for itself.
	Poll time.Duration
	// Fault says what an error of the driver means.
	Fault func(error) Fault
}

// Fault is the meaning of an engine's error.
type Fault int

// The faults.
const (
	FaultOther    Fault = iota // a mistake of ours, or something unheard of
	FaultRetry                 // the engine asks for the transaction to be run again
	FaultBusy                  // another writer holds the lock
	FaultFull                  // no space left
	FaultDown                  // the server or the file can't be reached
	FaultDenied                // not allowed to connect or to write
	FaultCorrupt               // what is stored can't be read
	FaultSchema                // a table is missing
	FaultConflict              // a unique or foreign key is violated
	FaultInput                 // a value that the engine can't keep
)

// words say what a fault means to the operator.
func (f Fault) words() string {
	switch f {
	case FaultRetry, FaultBusy:
		return "the database is locked by another writer"
	case FaultFull:
		return "the disk is full"
	case FaultDown:
		return "the database can't be reached"
	case FaultDenied:
		return "the database does not permit it"
	case FaultCorrupt:
		return "the database is damaged"
	case FaultSchema:
		return "the database has no tables yet; run rollcall migrate"
	}
	return ""
}

// Option says how a database is opened.
type Option int

// The options of the engines' Open.
const (
	MigrateFirst Option = iota + 1 // bring the schema up to date
	MustExist                      // SQLite: never make a new file
	AnySchema                      // open without looking at the schema, for [DB.Migrate] and [DB.Pending]
)

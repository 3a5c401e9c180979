// Package store keeps the directory, and what was found about it, in a
// relational database: [DB] implements [directory.Store] and [verify.Store] on
// database/sql with one SQL text for both engines, and [challenge.Store] for questions
// to contacts. The
// engines are store/sqlite (the embedded default) and store/postgres (for
// several nodes); what differs between them is their [Dialect].
//
// A record is kept whole, as a JSON document with a version of its own, beside
// the few columns that are searched. Every write of a team also writes its
// history, its change and its audit entry in the same transaction, and a
// transaction that took numbers of the change sequence without using each of
// them once does not commit: the sequence has no gaps by construction.
//
// Writers are strictly one after the other, on SQLite by its write lock and on
// PostgreSQL by the lock on the counter's row. Hence the order of commits is
// the order of the sequence: whoever has seen change n can see all before it.
//
// The queue of checks is a query: a row is due when its time has passed. Who
// leases rows moves that time to the end of the lease, in one statement that
// skips what others have locked; a number that no other lease has (the fence)
// decides whether a result still counts. What tells followers nothing new takes
// no number of the sequence, and then PostgreSQL needs no lock but the row's.
//
// Parameters are written $1 … $n in the order of their first appearance, since
// SQLite numbers them so and would silently bind any others wrongly.
//
// The package keeps no cache, writes no log and decides nothing about who may
// do what.
package store

// Package directory is the domain of Rollcall: incident response teams, how
// they are reached, and what was proven about each way of reaching them.
//
// [Directory] is the one door: every write, from the API, the command line, an
// import or a job, is one of its methods, which authorises, validates, and
// writes record, change and audit entry in one transaction of a [Store].
// [Index] is the other half: an immutable picture of the whole directory in
// memory that answers [Index.Lookup] without locks and without I/O, and that
// [Follower] keeps level with the store's change sequence.
//
// A [Record] is what is stored: the team's own [Profile] and one [Layer] for
// each source that was imported. A [Team] is what is shown: their merge, with
// the provenance of every field. [Redact] takes from a Team what a viewer may
// not see (TLP 2.0).
//
// Values are parsed once, at the border, into types that can't hold a wrong
// value: [Domain], [ASN], [Country], [Email], [Phone], [Hours], [Key] and so
// on. The package does no I/O, keeps no clock and writes no log.
package directory

// Package format holds the codecs by which a directory enters and leaves: one
// file of Go for each format.
//
// An importing codec is a function from an [io.Reader] to a stream of
// [directory.ImportItem], or of [directory.ReferenceItem] for facts about the
// Internet that belong to no team:
//
//	Dotgov         every .gov domain with its security contact (CSV)
//	NationalCSIRTs a PostgreSQL dump of a table of national CSIRTs
//	FIRST          the answer of the FIRST API (JSON)
//	TI             the Trusted Introducer's teams.json
//	TICSV          the Trusted Introducer's older list of members
//	GlobalIRT      the Global IRT format (JSON or CSV)
//	Cerebrate      organisations of Cerebrate or MISP (JSON)
//	CNA            the CVE Program's list of numbering authorities (JSON)
//	CSV            a spreadsheet of teams, its columns by name or by a map
//	PrefixCountry  address space and the country it was delegated to (CSV)
//	PrefixASN      address space and the networks that originate it
//	RIRDelegated   the statistics that the five regional registries publish
//
// [Importers] is the one list of what can be imported, for the command line and
// the API alike.
//
// All of them keep the same promises. Every row of data is accounted for: it
// is part of a record, or a problem says on which line it is, what the value
// was, why it is refused and what would be right. A file that is no use as a
// whole (a web page saved as data, another header, one that was cut short)
// ends with [directory.ImportItem.Fatal]. Input is UTF-8 with or without a
// byte order mark, of any size within the limits below; lists and spreadsheets
// may be packed with gzip. Memory grows with a file only where rows have to be
// grouped. No codec panics.
// Values that no field can take, or that have two meanings, are told, and kept
// as [directory.Raw].
//
// An [Exporter] is the other direction: teams as a viewer sees them, in a shape
// that others read. [Exporters] lists them.
//
// A codec does not decide: it says what a source says. Nothing here opens a
// file or a connection, and no value is believed because a source calls it
// confirmed. [Codes] lists the problems that are this package's own; those of
// single values come from [directory].
package format

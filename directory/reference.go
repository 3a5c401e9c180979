package directory

import (
	"iter"
	"net/netip"
	"time"
)

// ReferenceKind is a kind of reference data: facts about the Internet that no
// team enters, loaded whole and dated.
type ReferenceKind string

// The kinds.
const (
	PrefixCountry ReferenceKind = "prefix-country" // to which country a registry delegated a prefix
	PrefixASN     ReferenceKind = "prefix-asn"     // which network originates a prefix
	ASNCountry    ReferenceKind = "asn-country"    // to which country a registry delegated an AS number
)

// ReferenceSet describes one loaded set. Sets of one kind from several sources
// stand beside each other; the more specific prefix wins, then the newer set.
type ReferenceSet struct {
	Kind   ReferenceKind
	Source string    // "rir", "ripencc" …
	AsOf   time.Time // the day the data describes; zero: unknown
	Loaded time.Time
	Rows   int    // entries
	Hash   string // of the entries
	Seq    int64  // of the change that loaded it
}

// ID names the set in changes and audit entries.
func (s ReferenceSet) ID() string { return string(s.Kind) + "/" + s.Source }

// ReferenceRow is one entry: Prefix → Country, Prefix → Origins, or the AS
// numbers First to Last → Country.
type ReferenceRow struct {
	Prefix      netip.Prefix
	First, Last ASN
	Country     Country
	Origins     []ASN // usually one
}

// ReferenceItem is what a codec yields: an entry, or one of Skipped, Note and
// Fatal, and then Kind and Entry are not set. One row may make several entries.
type ReferenceItem struct {
	Row     int
	Kind    ReferenceKind
	Entry   ReferenceRow
	AsOf    time.Time   // the day the file says it describes; zero: it does not say
	Skipped *RowProblem // then Entry is not set
	Note    *RowProblem // then Entry is not set; somebody should look
	Fatal   error       // the whole file is refused: a [Problem], or a read error
}

// ReferenceItems is a codec's output: streamed, and read once.
type ReferenceItems = iter.Seq[ReferenceItem]

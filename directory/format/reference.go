package format

import (
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
)

var referenceCodes = []directory.CodeInfo{
	{Code: "country.region", Title: "A registry's code for a region, not a country", Advice: "Nothing: an address whose country the registry does not say has no country here either."},
	{Code: "origins.empty", Title: "A prefix without the network that originates it", Advice: "Give at least one AS number."},
}

// entries is one reading of a file of reference data: what all codecs for such
// files share. What two rows say about one prefix is compared by
// [directory.Directory], which sees whole sets; here rows go by and are gone.
type entries struct {
	kind  directory.ReferenceKind
	yield func(directory.ReferenceItem) bool
	done  bool                         // the consumer wants no more
	rows  int                          // rows of data, good and bad
	known map[string]directory.Country // countries parsed already
}

func newEntries(kind directory.ReferenceKind, yield func(directory.ReferenceItem) bool) *entries {
	return &entries{kind: kind, yield: yield, known: map[string]directory.Country{}}
}

func (e *entries) send(item directory.ReferenceItem) {
	if !e.done {
		e.done = !e.yield(item)
	}
}

func (e *entries) skip(n int, p directory.Problem) {
	e.send(directory.ReferenceItem{Row: n, Skipped: &directory.RowProblem{Row: n, Problem: p}})
}

func (e *entries) fail(err error) {
	e.send(directory.ReferenceItem{Fatal: err})
	e.done = true
}

// country parses a country code of a registry.
func (e *entries) country(s string) (directory.Country, error) {
	if c, ok := e.known[s]; ok {
		return c, nil
	}
	if strings.EqualFold(strings.TrimSpace(s), "AP") {
		return "", fault("country.region", s, "the registry's code for all of Asia and the Pacific", "a country, where the registry knows it")
	}
	c, err := directory.ParseCountry(s)
	if err == nil {
		e.known[strings.Clone(s)] = c
	}
	return c, err
}

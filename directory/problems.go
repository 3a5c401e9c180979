package directory

import "slices"

// CodeInfo documents one [Code]: what the rule is, where it comes from, and
// what to do. The published list of codes is made from [Codes].
type CodeInfo struct {
	Code   Code
	Title  string // the rule, in a few words
	Spec   string // RFC and section where a standard demands it, else ""
	Advice string // what the sender should do
}

// Codes returns every problem code of this package, sorted.
func Codes() []CodeInfo {
	all := slices.Concat(valueCodes, queryCodes, searchCodes, recordCodes, keyCodes, doorCodes)
	slices.SortFunc(all, func(a, b CodeInfo) int { return compare(a.Code, b.Code) })
	return all
}

func compare[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

package format

import (
	"cmp"
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Codes returns the problem codes of this package, sorted. The codes of single
// values are those of [directory.Codes].
func Codes() []directory.CodeInfo {
	all := slices.Concat(readCodes, csirtCodes, referenceCodes, rirCodes,
		wireCodes, rollcallCodes, documentCodes, keyringCodes, teamCodes, csvCodes, indicatorCodes)
	slices.SortFunc(all, func(a, b directory.CodeInfo) int { return cmp.Compare(a.Code, b.Code) })
	return all
}

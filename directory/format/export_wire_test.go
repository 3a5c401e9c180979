package format

import (
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

// WireCodes are the codes of the wire shape and of the formats built on it.
func WireCodes() []directory.CodeInfo {
	return slices.Concat(wireCodes, rollcallCodes, documentCodes, keyringCodes, teamCodes, csvCodes)
}

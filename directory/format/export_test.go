package format

import (
	"slices"

	"github.com/rollcall-csirt/rollcall/directory"
)

// DataCodes are the codes of the codecs for published lists and reference
// data.
func DataCodes() []directory.CodeInfo {
	return slices.Concat(readCodes, csirtCodes, referenceCodes, rirCodes)
}

// WishHandle is the handle that a name asks for.
func WishHandle(name string) directory.Handle { return wishHandle(name) }

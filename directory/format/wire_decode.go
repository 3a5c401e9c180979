package format

import "github.com/rollcall-csirt/rollcall/directory"

// Decode decodes one JSON text strictly into a struct with json tags that to
// points to, on the terms of [DecodeProfile]: for the other bodies that the
// API reads, so that all of them are refused alike.
func Decode(data []byte, to any) []directory.Problem { return decodeInto(data, to, false) }

package store

import (
	"encoding/json"
	"fmt"

	"github.com/rollcall-csirt/rollcall/directory"
)

// docVersion is the version of the stored form of a record. It grows when a
// change of [directory.Record] makes older documents mean something else; then
// decodeRecord is where they are understood. The golden file in testdata fails
// when the form changed unnoticed.
const docVersion = 1

type document struct {
	Version int `json:"v"`
	Record  directory.Record
}

// EncodeRecord returns the stored form of a record: all of it but the
// evidence, which has rows of its own.
func EncodeRecord(r directory.Record) (string, error) {
	body, err := json.Marshal(document{docVersion, r})
	return string(body), err
}

// DecodeRecord reads what [EncodeRecord] wrote, now or in an older version of
// the program.
func DecodeRecord(doc []byte) (directory.Record, error) {
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return directory.Record{}, fmt.Errorf("stored record: %w", err)
	}
	if d.Version != docVersion {
		return directory.Record{}, fmt.Errorf("stored record: version %d, this program reads %d", d.Version, docVersion)
	}
	return d.Record, nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/rollcall-csirt/rollcall/directory/format"
)

// columnMap is the file of import --map.
type columnMap struct {
	Source    string            `toml:"source"`    // name of the layer, unless --source names it
	Key       string            `toml:"key"`       // the column that identifies a team
	Separator string            `toml:"separator"` // between fields
	Columns   map[string]string `toml:"columns"`   // column to field
}

// mapColumns returns the format with the columns that --map names.
func (c *call) mapColumns(f *importFlags, in format.Importer) (format.Importer, error) {
	if f.columns == "" {
		return in, nil
	}
	if _, ok := in.WithColumns(format.CSVMap{}); !ok {
		return in, usage(c.cmd, "map: the format %s has no columns to name; want csv", in.Name)
	}
	text, err := os.ReadFile(f.columns)
	if err != nil {
		return in, &exitError{exitUsage, fmt.Errorf("map: %w", err)}
	}
	m, err := parseColumnMap(f.columns, string(text))
	if err != nil {
		return in, &exitError{exitUsage, err}
	}
	if f.source == "" {
		f.source = m.Source
	}
	f.mapped = format.CSVMap{Columns: m.Columns, Key: m.Key, Separator: m.Separator}
	in, _ = in.WithColumns(f.mapped)
	return in, nil
}

// parseColumnMap reads the map strictly: a name that is not known would be a
// column that is silently read another way.
func parseColumnMap(path, text string) (columnMap, error) {
	var m columnMap
	meta, err := toml.Decode(text, &m)
	if e, ok := errors.AsType[toml.ParseError](err); ok {
		return m, fmt.Errorf("map: %s line %d: %s", path, e.Position.Line, e.Message)
	}
	if err != nil {
		return m, fmt.Errorf("map: %s: %w", path, err)
	}
	if left := meta.Undecoded(); len(left) > 0 {
		return m, fmt.Errorf("map: %s line %d: there is no %s; want source, key, separator or the table columns",
			path, lineOf([]byte(text), strings.Split(left[0].String(), ".")[0]), left[0])
	}
	return m, nil
}

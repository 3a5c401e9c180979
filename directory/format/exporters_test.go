package format_test

import (
	"bytes"
	"iter"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// these yields teams as an export gets them.
func these(teams ...directory.Team) iter.Seq2[directory.Team, error] {
	return func(yield func(directory.Team, error) bool) {
		for _, t := range teams {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// write writes teams in the format of that name.
func write(t testing.TB, b *bytes.Buffer, name string, teams ...directory.Team) {
	t.Helper()
	e, ok := format.FindExporter(name)
	if !ok {
		t.Fatalf("there is no exporter %q", name)
	}
	if err := e.Write(b, format.ExportOptions{Now: day("2026-11-21"), Base: "https://rollcall.example.org/"}, these(teams...)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

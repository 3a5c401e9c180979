package format_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// shape is a format of others that teams enter and leave in.
type shape struct {
	name string
	read func(io.Reader) directory.ImportItems
}

func shapes() []shape {
	return []shape{{"ti", format.TI}, {"first", format.FIRST}}
}

// shown is the team that a record makes where it is the only layer.
func shown(r *directory.SourceRecord) directory.Team {
	id := r.ID
	if id == "" {
		id = "00000000-0000-4000-8000-000000000001"
	}
	record := directory.Record{ID: id, Handle: r.Handle, Revision: 1, Created: day("2026-11-20"), Updated: day("2026-11-20"),
		Layers: []directory.Layer{{Source: "list", Key: r.Key, AsOf: r.AsOf, At: day("2026-11-20"), Profile: r.Profile, Raw: r.Raw}}}
	return record.Team()
}

func teamsOf(teams ...directory.Team) format.Teams {
	return func(yield func(directory.Team, error) bool) {
		for _, t := range teams {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// exported writes teams in a format.
func exported(t testing.TB, name string, teams format.Teams) string {
	t.Helper()
	e, ok := format.FindExporter(name)
	if !ok {
		t.Fatalf("there is no exporter %q", name)
	}
	var b bytes.Buffer
	if err := e.Write(&b, format.ExportOptions{Now: day("2026-11-21")}, teams); err != nil {
		t.Fatalf("export %s: %v", name, err)
	}
	return b.String()
}

// sameLayer compares what two imports say, but for how a key was mended on its
// way in, and for values that a source gives of a key that it contradicts:
// these are kept, and not passed on.
func sameLayer() cmp.Options {
	return cmp.Options{
		prefixes(), cmpopts.EquateEmpty(), cmpopts.IgnoreFields(directory.SourceRecord{}, "Row", "ID"),
		cmpopts.IgnoreFields(directory.Key{}, "Repairs"),
		cmpopts.IgnoreSliceElements(func(r directory.Raw) bool { return r.Field == "keys.other" || r.Field == "keys.expires" }),
		cmpopts.SortSlices(func(a, b directory.Raw) bool { return a.Field+a.Text < b.Field+b.Text }),
	}
}

// again imports text, exports the teams, and imports that.
func again(t testing.TB, s shape, text string) (first, second imported) {
	t.Helper()
	first = collect(s.read(strings.NewReader(text)))
	var teams []directory.Team
	for _, r := range first.records {
		teams = append(teams, shown(r))
	}
	out := exported(t, s.name, teamsOf(teams...))
	second = collect(s.read(strings.NewReader(out)))
	if second.fatal != nil && len(teams) > 0 {
		t.Fatalf("the export is refused: %v\n%s", second.fatal, out)
	}
	return first, second
}

// What a shape carries is the same after a round, however dirty it came in:
// values that could be read as values, others in the source's own words.
func TestShapesRoundTripDirt(t *testing.T) {
	files := map[string][]string{"ti": {"ti-teams.json", "ti-dirt.json"}, "first": {"first-teams.json", "first-dirt.json"}}
	for _, s := range shapes() {
		for _, file := range files[s.name] {
			t.Run(file, func(t *testing.T) {
				first, second := again(t, s, readFile(t, "testdata", file))
				if first.fatal != nil || len(first.records) == 0 {
					t.Fatalf("nothing was imported: %v", first.fatal)
				}
				checked(t, first)
				if diff := cmp.Diff(first.records, second.records, sameLayer()); diff != "" {
					t.Errorf("import, export, import (-first +second):\n%s", diff)
				}
			})
		}
	}
}

// The raw words of the dirt, by row and field.
func rawLines(in imported) []string {
	var lines []string
	for _, r := range in.records {
		for _, x := range r.Raw {
			lines = append(lines, strings.TrimSpace(r.Key+" "+x.Field+" "+string(x.Visibility))+": "+x.Text)
		}
	}
	return lines
}

func readCSV(r io.Reader) directory.ImportItems { return format.CSV(r, format.CSVMap{}) }

// roundTrips fails unless import, export, import says what the first import
// said, record by record.
func roundTrips(t *testing.T, s shape, text string) {
	t.Helper()
	first := collect(s.read(strings.NewReader(text)))
	for _, r := range first.records {
		out := exported(t, s.name, teamsOf(shown(r)))
		second := collect(s.read(strings.NewReader(out)))
		if second.fatal != nil || len(second.records) != 1 {
			t.Fatalf("%s: the export is refused: %v %v\n%s", s.name, second.fatal, second.skipped, out)
		}
		if diff := cmp.Diff(r, second.records[0], sameLayer()); diff != "" {
			t.Errorf("%s: import, export, import (-first +second):\n%s\n%s", s.name, diff, out)
		}
	}
}

package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func seq(list ...directory.Record) iter.Seq2[directory.Record, error] {
	return func(yield func(directory.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func testRecords(t testing.TB) []directory.Record {
	return []directory.Record{
		testRecord(t),
		{ID: "6694da62-6314-4565-9c4d-1298538826be", Handle: "gone", Revision: 2, Created: day("2026-01-01"), Updated: day("2026-02-01"), Deleted: day("2026-02-01")},
		{ID: "7694da62-6314-4565-9c4d-1298538826be", Handle: "merged", Revision: 3, Created: day("2026-01-01"), Updated: day("2026-02-01"),
			MergedInto: "5694da62-6314-4565-9c4d-1298538826be"},
	}
}

func export(t testing.TB, list ...directory.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := format.ExportRollcall(&b, seq(list...)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// items reads a file and writes what came of it, one item in a word.
func items(r io.Reader) (list []directory.Record, told string) {
	var out []string
	for item := range format.Rollcall(r) {
		switch {
		case item.Fatal != nil:
			code := "error"
			if p, ok := errors.AsType[directory.Problem](item.Fatal); ok {
				code = string(p.Code)
			}
			out = append(out, fmt.Sprintf("%d:fatal:%s", item.Row, code))
		case item.Skipped != nil:
			out = append(out, fmt.Sprintf("%d:%s@%s", item.Skipped.Row, item.Skipped.Code, item.Skipped.Field))
		default:
			out = append(out, fmt.Sprintf("%d:ok", item.Row))
			list = append(list, *item.Record)
		}
	}
	return list, strings.Join(out, " ")
}

func TestRollcallRoundTrip(t *testing.T) {
	want := testRecords(t)
	first := export(t, want...)
	golden(t, "rollcall.ndjson", first)
	got, told := items(bytes.NewReader(first))
	if told != "2:ok 3:ok 4:ok" {
		t.Fatalf("Rollcall(export) = %s", told)
	}
	want[0].Seq = 0 // of one store
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("Rollcall(ExportRollcall(r)) (-want +got):\n%s", diff)
	}
	if second := export(t, got...); !bytes.Equal(first, second) {
		t.Errorf("export, import, export gives other bytes:\n%s", cmp.Diff(string(first), string(second)))
	}
}

func TestRollcallFiles(t *testing.T) {
	good := string(export(t, testRecords(t)...))
	lines := strings.SplitAfter(strings.TrimSuffix(good, "\n"), "\n")
	join := func(parts ...string) string { return strings.Join(parts, "") }
	for _, c := range []struct{ name, in, want string }{
		{"no team at all", string(export(t)), ""},
		{"an empty file", "", "1:fatal:import.empty"},
		{"a web page", "<!DOCTYPE html>\n<html>", "1:fatal:import.html"},
		{"another format", "Domain name,Domain type\n", "1:fatal:rollcall.header"},
		{"JSON of something else", `{"data":[]}` + "\n", "1:fatal:rollcall.header"},
		{"a later version", `{"format":"rollcall","version":2}` + "\n", "1:fatal:rollcall.version"},
		{"cut off behind a line", join(lines[0], lines[1]), "2:ok 3:fatal:rollcall.truncated"},
		{"cut off within a line", join(lines[0], lines[1][:100]), "2:json.syntax@ 3:fatal:rollcall.truncated"},
		{"cut off within the last line", good[:len(good)-5], "2:ok 3:ok 4:ok 5:fatal:rollcall.count"},
		{"a line that is missing", join(lines[0], lines[1], lines[3], lines[4]), "2:ok 3:ok 4:fatal:rollcall.count"},
		{"a line that came twice", join(lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]), "2:ok 3:ok 4:ok 5:ok 6:fatal:rollcall.count"},
		{"two files joined", good + good, "2:ok 3:ok 4:ok 6:fatal:rollcall.after-end"},
		{"Windows line ends and a byte order mark", "\uFEFF" + strings.ReplaceAll(good, "\n", "\r\n"), "2:ok 3:ok 4:ok"},
		{"no line break at the end", strings.TrimSuffix(good, "\n"), "2:ok 3:ok 4:ok"},
		{"empty lines between", strings.ReplaceAll(good, "\n", "\n\n"), "3:ok 5:ok 7:ok"},
		{"a bad line between good ones", join(lines[0], lines[1], "{oops}\n", lines[3], lines[4]), "2:ok 3:json.syntax@ 4:ok"},
		{"a bad value", join(lines[0], strings.Replace(lines[1], `"192.0.2.0/24"`, `"192.0.2.1/24"`, 1), lines[2], lines[3], lines[4]),
			"2:prefix.host-bits@/own/resources/0/value 3:ok 4:ok"},
		{"a bad value in a layer", join(lines[0], strings.Replace(lines[1], `"old@example.org"`, `"old"`, 1), lines[2], lines[3], lines[4]),
			"2:email.syntax@/layers/0/profile/contacts/0/value 3:ok 4:ok"},
		{"a layer in the team's name", join(lines[0], strings.Replace(lines[1], `"source":"ti"`, `"source":"team"`, 1), lines[2], lines[3], lines[4]),
			"2:layer.source@/layers/0/source 3:ok 4:ok"},
		{"an unknown outcome", join(lines[0], strings.Replace(lines[1], `"outcome":"proved"`, `"outcome":"perhaps"`, 1), lines[2], lines[3], lines[4]),
			"2:outcome.unknown@/evidence/0/outcome 3:ok 4:ok"},
		{"evidence of level nine", join(lines[0], strings.Replace(lines[1], `"level":2`, `"level":9`, 1), lines[2], lines[3], lines[4]),
			"2:field.range@/evidence/0/level 3:ok 4:ok"},
		{"a record without id", join(lines[0], lines[1], strings.Replace(lines[2], `"id":"6694da62-6314-4565-9c4d-1298538826be",`, ``, 1), lines[3], lines[4]),
			"2:ok 3:field.missing@/id 4:ok"},
		{"a revision below one", join(lines[0], lines[1], strings.Replace(lines[2], `"revision":2`, `"revision":0`, 1), lines[3], lines[4]),
			"2:ok 3:field.range@/revision 4:ok"},
		{"a line of more than 4 MiB", join(lines[0], lines[1], `{"id":"`+strings.Repeat("x", 5<<20)+"\"}\n", lines[3], lines[4]),
			"2:ok 3:rollcall.line-too-long@ 4:ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, got := items(strings.NewReader(c.in)); got != c.want {
				t.Errorf("Rollcall(%.60q) = %s, want %s", c.in, got, c.want)
			}
		})
	}
}

func TestRollcallSaysWhenItCannotRead(t *testing.T) {
	broken := errors.New("disk on fire")
	head := bytes.NewReader(export(t, testRecords(t)...)[:40])
	var last error
	for item := range format.Rollcall(io.MultiReader(head, iotest.ErrReader(broken))) {
		last = item.Fatal
	}
	if !errors.Is(last, broken) {
		t.Errorf("the last item of a broken file has the error %v, want %v", last, broken)
	}
}

func TestRollcallStopsWhenAsked(t *testing.T) {
	n := 0
	for range format.Rollcall(bytes.NewReader(export(t, testRecords(t)...))) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d items after the first was enough", n)
	}
}

func TestExportStopsAtTheFirstError(t *testing.T) {
	broken := errors.New("store gone")
	var b bytes.Buffer
	err := format.ExportRollcall(&b, func(yield func(directory.Record, error) bool) {
		if yield(testRecord(t), nil) {
			yield(directory.Record{}, broken)
		}
	})
	if !errors.Is(err, broken) {
		t.Errorf("ExportRollcall = %v, want %v", err, broken)
	}
	if _, told := items(&b); strings.Contains(told, "ok") && !strings.Contains(told, "fatal") {
		t.Errorf("half an export reads as %q, want it known as cut off", told)
	}
}

func TestExportRefusesWhatNoImportWouldRead(t *testing.T) {
	r := testRecord(t)
	r.Own.Address = strings.Repeat("x", 5<<20)
	if err := format.ExportRollcall(io.Discard, seq(r)); err == nil || !strings.Contains(err.Error(), "example-csirt") {
		t.Errorf("ExportRollcall of 5 MiB = %v, want an error that names the team", err)
	}
}

func FuzzRollcall(f *testing.F) {
	f.Add(export(f, testRecords(f)...))
	f.Add([]byte("{\"format\":\"rollcall\",\"version\":1}\n{\"end\":true,\"records\":0}\n"))
	f.Add([]byte("{\"format\":\"rollcall\",\"version\":1}\n{\"id\":\"5694da62-6314-4565-9c4d-1298538826be\",\"handle\":\"xx\",\"revision\":1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _ := items(bytes.NewReader(data))
		first := export(t, list...)
		again, told := items(bytes.NewReader(first))
		if len(again) != len(list) {
			t.Fatalf("%d records, after export %d: %s", len(list), len(again), told)
		}
		if second := export(t, again...); !bytes.Equal(first, second) {
			t.Fatalf("export, import, export gives other bytes:\n%s", cmp.Diff(string(first), string(second)))
		}
	})
}

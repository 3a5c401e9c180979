package format_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
	"github.com/rollcall-csirt/rollcall/store"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

var (
	operator = directory.Principal{Name: "op", Role: directory.Operator}
	consumer = directory.Principal{Name: "tool", Role: directory.Consumer}
)

func TestExportersAreNamed(t *testing.T) {
	names := map[string]bool{}
	for _, e := range format.Exporters() {
		if names[e.Name] || e.Name == "" || e.About == "" || !strings.Contains(e.MediaType, "/") || !strings.HasPrefix(e.Extension, ".") {
			t.Errorf("exporter %+v: a name twice, or something is missing", e)
		}
		names[e.Name] = true
	}
	for _, name := range []string{"ti", "first", "cerebrate", "csv"} {
		if _, ok := format.FindExporter(name); !ok || !names[name] {
			t.Errorf("there is no exporter %s", name)
		}
	}
	if _, ok := format.FindExporter("nothing"); ok {
		t.Error("FindExporter finds what is not there")
	}
}

// full is a disk without space.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// An export that ends early says so, and what is there does not read as whole.
func TestExportersEndEarly(t *testing.T) {
	g := generate(t)
	var teams []directory.Team
	for n := range 300 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	broken := func(yield func(directory.Team, error) bool) {
		for _, x := range teams {
			if !yield(x, nil) {
				return
			}
		}
		yield(directory.Team{}, errDisk)
	}
	for _, e := range format.Exporters() {
		var b bytes.Buffer
		if err := e.Write(&b, format.ExportOptions{Now: day("2026-11-21")}, broken); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v, want the error of the teams", e.Name, err)
		}
		if e.MediaType == "application/json" && json.Valid(b.Bytes()) {
			t.Errorf("%s: a part of the teams reads as the whole", e.Name)
		}
		if err := e.Write(&full{10}, format.ExportOptions{Now: day("2026-11-21")}, teamsOf(teams...)); !errors.Is(err, errFull) {
			t.Errorf("%s: %v, want the error of the writer", e.Name, err)
		}
	}
}

func TestExportersWriteNoTeams(t *testing.T) {
	for name, want := range map[string]string{"ti": "[\n]\n", "cerebrate": "[\n]\n",
		"first": `{"status":"OK","status-code":200,"version":"1.0","access":"public","data":[` + "\n" + `],"total":0,"offset":0,"limit":0}` + "\n"} {
		if got := exported(t, name, teamsOf()); got != want {
			t.Errorf("%s without teams:\n%q, want\n%q", name, got, want)
		}
	}
	if got := exported(t, "csv", teamsOf()); !strings.HasPrefix(got, "handle,names.short,") || strings.Count(got, "\n") != 1 {
		t.Errorf("csv without teams: %q, want the header", got)
	}
}

// Nothing that a viewer may not see is in any export for that viewer.
func TestExportersWriteWhatIsSeen(t *testing.T) {
	r := directory.Record{ID: "00000000-0000-4000-8000-000000000001", Handle: "team", Revision: 1, OwnAt: day("2026-11-01"), Own: directory.Profile{
		Names: directory.Names{Short: "Team"},
		Contacts: []directory.Contact{{ID: "c1", Channel: "email", Value: "open@example.org"}, {ID: "c2", Channel: "email", Value: "secret@example.org", Person: "Secret Person", Visibility: directory.Red},
			{ID: "c3", Channel: "phone", Value: "+4315056416", Visibility: directory.Green}},
		Prose:    []directory.Section{{Number: "3.1", Language: "en", Text: "secret mission", Visibility: directory.Amber}},
		Maturity: directory.Maturity{Model: "secret model", Levels: map[string]int{"O-1": 1}},
	}, Layers: []directory.Layer{{Source: "list", Key: "secret key of the source", Raw: []directory.Raw{{Field: "contacts.other", Text: "secret of Ann", Visibility: directory.Green}}}},
		Evidence: []directory.Evidence{{ID: "e", Contact: "c1", Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-11-02"), Note: "secret note", By: "op"}}}
	team := r.Team()
	for _, c := range []struct {
		who    directory.Principal
		number bool
	}{{directory.Nobody(), false}, {consumer, true}} {
		for _, e := range format.Exporters() {
			out := exported(t, e.Name, teamsOf(directory.Redact(&team, c.who)))
			lower := strings.ToLower(out)
			if strings.Contains(strings.ReplaceAll(lower, "secret of ann", ""), "secret") || !c.number && (strings.Contains(lower, "secret") || strings.Contains(out, "15056416")) {
				t.Errorf("%s for %q holds what is hidden:\n%s", e.Name, c.who.Name, out)
			}
		}
	}
}

// The exporters of others know what was proven too.
func TestExportersShowEvidence(t *testing.T) {
	r := directory.Record{ID: "00000000-0000-4000-8000-000000000001", Handle: "team", Revision: 1, OwnAt: day("2026-11-01"), Own: directory.Profile{
		Names: directory.Names{Short: "Team"}, Contacts: []directory.Contact{{ID: "c1", Channel: "email", Value: "open@example.org"}}},
		Evidence: []directory.Evidence{{ID: "e", Contact: "c1", Level: directory.Answered, Outcome: directory.OutcomeProved, Method: "phone", At: day("2026-11-02"), By: "op"}}}
	for _, name := range []string{"ti", "first", "cerebrate"} {
		const want = `"evidence":{"level":2,"level_name":"answered","state":"verified","at":"2026-11-02T00:00:00Z","method":"phone","valid_until":"2027-05-01T00:00:00Z"}`
		if out := exported(t, name, teamsOf(r.Team())); !strings.Contains(out, want) {
			t.Errorf("%s does not show %s:\n%s", name, want, out)
		}
	}
	if out := exported(t, "csv", teamsOf(r.Team())); !strings.Contains(out, "open@example.org: verified, level 2 answered (phone) 2026-11-02 until 2027-05-01") {
		t.Errorf("csv does not show the evidence:\n%s", out)
	}
}

// TestSoakEnginesExportTheSame has teams on both engines, for those who see all and what is
// open: a thousand, or ten thousand when soaking.
func TestSoakEnginesExportTheSame(t *testing.T) {
	n := 1_000 // ten thousand take minutes under the race detector
	if os.Getenv("ROLLCALL_SOAK") != "" {
		n = 10_000
	}
	g := generate(t)
	records := make([]directory.Record, n)
	for i := range records {
		records[i] = g.record(i)
	}
	hashes := map[string]map[string]string{} // export to engine to hash
	storetest.Each(t, func(t *testing.T, _ string, db *store.DB) {
		d, err := directory.New(directory.Config{Store: db, Now: func() time.Time { return day("2026-11-21") }})
		if err != nil {
			t.Fatal(err)
		}
		storetest.Write(t, db, records...)
		if err := db.Update(context.Background(), func(tx directory.Tx) error { return proofs(tx, records) }); err != nil {
			t.Fatal(err)
		}
		out := &bytes.Buffer{}
		if err := format.ExportRollcall(out, d.Records(context.Background(), operator)); err != nil {
			t.Fatal(err)
		}
		note := func(export, text string) {
			if hashes[export] == nil {
				hashes[export] = map[string]string{}
			}
			sum := sha256.Sum256([]byte(text))
			hashes[export][t.Name()] = hex.EncodeToString(sum[:8])
		}
		note("rollcall", out.String())
		teams, err := d.Teams(context.Background(), operator, directory.TeamFilter{})
		if err != nil || len(teams) < n*9/10 {
			t.Fatalf("%d teams, %v", len(teams), err)
		}
		for _, who := range []directory.Principal{operator, directory.Nobody()} {
			for _, e := range format.Exporters() {
				note(e.Name+" for "+who.Name, exported(t, e.Name, func(yield func(directory.Team, error) bool) {
					for i := range teams {
						if !yield(directory.Redact(&teams[i], who), nil) {
							return
						}
					}
				}))
			}
		}
	})
	for export, by := range hashes {
		for engine, hash := range by {
			for other, its := range by {
				if its != hash {
					t.Errorf("%s: %s gives %s and %s gives %s", export, engine, hash, other, its)
				}
			}
		}
	}
}

// proofs writes the evidence of every eighth record.
func proofs(tx directory.Tx, records []directory.Record) error {
	for i := 0; i < len(records); i += 8 {
		if err := tx.PutEvidence(records[i].ID, records[i].Evidence); err != nil {
			return err
		}
	}
	return nil
}

func generated(g *generator, n int) iter.Seq2[directory.Record, error] {
	return func(yield func(directory.Record, error) bool) {
		for i := range n {
			r := g.record(i)
			if i == 0 { // what the others are merged into
				r.ID, r.Deleted, r.MergedInto = "00000000-0000-4000-8000-000000000000", time.Time{}, ""
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Our own format gives the same bytes, with every script, layer, tombstone and
// proof, through the reader and the writer.
func TestRollcallRoundTripGenerated(t *testing.T) {
	g := generate(t)
	var one bytes.Buffer
	if err := format.ExportRollcall(&one, generated(g, 500)); err != nil {
		t.Fatal(err)
	}
	var records []directory.Record
	for item := range format.Rollcall(bytes.NewReader(one.Bytes())) {
		if item.Fatal != nil || item.Skipped != nil {
			t.Fatalf("row %d: %v %v", item.Row, item.Fatal, item.Skipped)
		}
		records = append(records, *item.Record)
	}
	var two bytes.Buffer
	err := format.ExportRollcall(&two, func(yield func(directory.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Errorf("the second export differs (%v):\n%s", err, cmp.Diff(one.String()[:min(one.Len(), 4000)], two.String()[:min(two.Len(), 4000)]))
	}
	for _, want := range []string{`"raw":[{"field":"contacts.fax"`, `"merged_into"`, `"deleted"`, `"evidence":[{"id"`, "例え", "𝔘", `"visibility":"green"`} {
		if !strings.Contains(one.String(), want) {
			t.Errorf("the export has no %s", want)
		}
	}
}

// BenchmarkExportGenerated writes teams in each format, beside our own wire shape, the
// plainest that there is.
func BenchmarkExportGenerated(b *testing.B) {
	g := generate(b)
	var teams []directory.Team
	for n := range 2000 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	rate := func(b *testing.B) {
		b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "teams/s")
	}
	b.Run("baseline", func(b *testing.B) {
		for b.Loop() {
			for i := range teams {
				if _, err := json.Marshal(format.TeamFrom(&teams[i], directory.Policy{}, day("2026-11-21"))); err != nil {
					b.Fatal(err)
				}
			}
		}
		rate(b)
	})
	for _, e := range format.Exporters() {
		b.Run(e.Name, func(b *testing.B) {
			for b.Loop() {
				var out bytes.Buffer
				if err := e.Write(&out, format.ExportOptions{Now: day("2026-11-21")}, teamsOf(teams...)); err != nil {
					b.Fatal(err)
				}
			}
			rate(b)
		})
	}
}

// BenchmarkImport reads 2,000 teams in each shape, beside encoding/json on the
// same bytes.
func BenchmarkImport(b *testing.B) {
	g := generate(b)
	var teams []directory.Team
	for n := range 2000 {
		r := g.record(n)
		teams = append(teams, r.Team())
	}
	for _, s := range append(shapes(), shape{"cerebrate", format.Cerebrate}, shape{"csv", readCSV}) {
		text := exported(b, s.name, teamsOf(teams...))
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				if in := collect(s.read(strings.NewReader(text))); len(in.records) != len(teams) {
					b.Fatal(fmt.Sprint(len(in.records), " records: ", in.fatal))
				}
			}
			b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		if s.name == "csv" {
			continue
		}
		b.Run(s.name+"-baseline", func(b *testing.B) {
			for b.Loop() {
				var v any
				if err := json.Unmarshal([]byte(text), &v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(teams)*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

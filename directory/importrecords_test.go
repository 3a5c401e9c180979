package directory_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// records makes a codec's output of whole records.
func records(list ...directory.Record) directory.RecordItems {
	return func(yield func(directory.RecordItem) bool) {
		for i := range list {
			if !yield(directory.RecordItem{Row: i + 2, Record: &list[i]}) {
				return
			}
		}
	}
}

// exported returns what an export of d carries.
func (d door) exported() []directory.Record {
	d.t.Helper()
	var list []directory.Record
	for r, err := range d.Records(context.Background(), operator) {
		if err != nil {
			d.t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func TestImportOfWholeRecords(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		ctx := context.Background()
		team := d.create("alpha")
		d.create("beta")
		if _, err := d.importing(directory.ImportOptions{}, sources(3)...); err != nil {
			t.Fatal(err)
		}
		proof := directory.Evidence{Contact: team.Contacts[0].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: daysAgo(1)}
		if _, err := d.RecordEvidence(ctx, operator, "alpha", proof); err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(ctx, operator, "beta", directory.AnyRevision); err != nil {
			t.Fatal(err)
		}
		before := d.exported()

		onEngines(t, func(t *testing.T, other door) {
			take := func(opt directory.ImportOptions, list ...directory.Record) directory.ImportReport {
				t.Helper()
				opt.Source = "rollcall"
				r, err := other.ImportRecords(ctx, operator, opt, records(list...))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if r := take(directory.ImportOptions{DryRun: true}, before...); r.Created != 5 || other.head() != 0 || len(r.Differences) != 5 {
				t.Errorf("dry run = %+v at %d, want 5 to create and nothing written", r, other.head())
			}
			if r := take(directory.ImportOptions{}, before...); r.Created != 5 || r.Rows != 5 || r.Seq != 5 {
				t.Fatalf("first import = %+v, want 5 created", r)
			}
			after := other.exported()
			for i := range after { // numbers of another sequence are its own
				after[i].Seq = before[i].Seq
			}
			if diff := cmp.Diff(before, after, compareUnordered[0]); diff != "" {
				t.Errorf("records after the trip (-want +got):\n%s", diff)
			}
			if r := take(directory.ImportOptions{}, before...); r.Unchanged != 5 || other.head() != 5 {
				t.Errorf("second import = %+v at %d, want 5 unchanged", r, other.head())
			}
			moved := before[0]
			moved.Own.Host = "elsewhere"
			r := take(directory.ImportOptions{}, moved, moved)
			if r.Skipped != 2 || r.Problems[0].Code != "import.differs" || r.Problems[1].Code != "import.duplicate" {
				t.Errorf("a record that says something else = %+v, want it left alone, and the second refused", r)
			}
			if r := take(directory.ImportOptions{Force: true}, moved); r.Updated != 1 {
				t.Errorf("forced import = %+v, want one updated", r)
			}
			if got, err := other.Team(ctx, operator, "alpha"); err != nil || got.Host != "elsewhere" || len(got.Evidence) != 1 || got.Revision != before[0].Revision+1 {
				t.Errorf("alpha = host %q, %d items of evidence, revision %d, %v", got.Host, len(got.Evidence), got.Revision, err)
			}
			taken, nameless := before[0], before[2]
			taken.ID = "00000000-0000-4000-8000-000000000001"
			nameless.ID, nameless.Handle, nameless.Layers = "00000000-0000-4000-8000-000000000002", "nameless", nil
			loud := before[2]
			loud.ID, loud.Handle, loud.Own.Host = "00000000-0000-4000-8000-000000000003", "loud", "a\x00b"
			r = take(directory.ImportOptions{}, taken, nameless, loud)
			var codes []directory.Code
			for _, p := range r.Problems {
				codes = append(codes, p.Code)
			}
			if diff := cmp.Diff([]directory.Code{"handle.taken", "team.nameless", "text.control"}, codes); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
		})
	})
}

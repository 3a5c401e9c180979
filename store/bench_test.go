package store_test

import (
	"context"
	"testing"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// dotgov is how many records the largest directory that is imported has.
const dotgov = 16539

func records(revision int64) []directory.Record {
	list := make([]directory.Record, dotgov)
	for i := range list {
		list[i] = storetest.Small(i)
		list[i].Revision = revision
	}
	return list
}

// BenchmarkPutTeams writes a whole directory: first anew, then once more.
func BenchmarkPutTeams(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			_, db := e.Open(b)
			revision := int64(0)
			for b.Loop() {
				b.StopTimer()
				revision++
				list := records(revision)
				b.StartTimer()
				storetest.Write(b, db, list...)
			}
			b.ReportMetric(float64(dotgov*revision)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkTeamsScan reads a whole directory, as a cold start does.
func BenchmarkTeamsScan(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			_, db := e.Open(b)
			storetest.Write(b, db, records(1)...)
			err := db.Update(context.Background(), func(tx directory.Tx) error {
				for i := range dotgov / 4 {
					ev := storetest.Evidence(string(storetest.TeamID(i)), storetest.Moment())
					if err := tx.PutEvidence(storetest.TeamID(i*4), []directory.Evidence{ev}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				err := db.View(context.Background(), func(r directory.Reader) error {
					list, err := r.Teams(directory.TeamFilter{Deleted: true})
					if len(list) != dotgov {
						b.Errorf("%d records", len(list))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite is one edit: what a person waits for.
func BenchmarkWrite(b *testing.B) {
	for _, e := range storetest.Engines(b) {
		b.Run(e.Name, func(b *testing.B) {
			_, db := e.Open(b)
			n := 0
			for b.Loop() {
				storetest.Write(b, db, storetest.Small(n))
				n++
			}
		})
	}
}

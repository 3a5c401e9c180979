package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// BenchmarkExportTeams downloads 100,000 teams in each format over loopback.
func BenchmarkExportTeams(b *testing.B) {
	const n = 100_000
	s := embedded(b)
	x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, func(yield func(directory.Record) bool) {
		for i := range n {
			r := directory.Record{ID: directory.TeamID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), Handle: directory.Handle(fmt.Sprintf("team-%d", i)), Revision: 1,
				Created: s.clock.Now(), Updated: s.clock.Now(), Own: directory.Profile{Names: directory.Names{Short: fmt.Sprintf("TEAM-%d", i)}, Country: "AT", Kinds: []string{"csirt"},
					Contacts: []directory.Contact{contact("csirt@example.org", directory.Clear), contact("red@example.org", directory.Red)}}}
			if !yield(r) {
				return
			}
		}
	})
	handler, err := api.New(api.Config{Directory: s.dir, Index: func() *directory.Index { return x }, Now: s.clock.Now})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	for _, e := range format.Exporters() {
		b.Run(e.Name, func(b *testing.B) {
			size := int64(0)
			for b.Loop() {
				r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/v1/export/"+e.Name, nil)
				if err != nil {
					b.Fatal(err)
				}
				resp, err := server.Client().Do(r)
				if err != nil {
					b.Fatal(err)
				}
				if size, err = io.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
			b.SetBytes(size)
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "teams/s")
		})
	}
}

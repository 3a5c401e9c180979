package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// benchTeams is the size of the directory whose teams are read.
const benchTeams = 100_000

// townServer serves n teams as large as real ones, and says how to ask for each.
func townServer(b *testing.B, n int) (http.Handler, [][]byte) {
	b.Helper()
	countries := []directory.Country{"AT", "DE", "NL", "US", "JP", "BR", "FR", "ZA"}
	requests := make([][]byte, n)
	x := directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 1, Epoch: "bench"}, func(yield func(directory.Record) bool) {
		for i := range n {
			requests[i] = fmt.Appendf(nil, "GET /v1/teams/team-%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i)
			id := directory.ContactID(fmt.Sprintf("0b2f3a5e-8a0e-5c39-9d43-%012d", i))
			at := time.Date(2026, 11, 1, 0, 0, i, 0, time.UTC)
			if !yield(directory.Record{
				ID: directory.TeamID(fmt.Sprintf("5694da62-6314-4565-9c4d-%012d", i)), Handle: directory.Handle(fmt.Sprintf("team-%d", i)),
				Revision: 1, Seq: int64(i), Created: at, Updated: at, OwnAt: at,
				Own: directory.Profile{
					Names: directory.Names{Short: fmt.Sprintf("TEAM-%d", i), Full: fmt.Sprintf("Computer Security Incident Response Team of Example %d", i)},
					Kinds: []string{"csirt"}, Country: countries[i%8], Host: fmt.Sprintf("Example %d", i), Zone: "Europe/Vienna",
					Resources: []directory.Resource{{Type: "domain", Domain: directory.Domain(fmt.Sprintf("team-%d.example.org", i))}},
					Contacts: []directory.Contact{
						{ID: id, Revision: 1, Channel: "email", Value: fmt.Sprintf("csirt@team-%d.example.org", i), Uses: []string{"general", "abuse"}, Since: at},
						{ID: id[:35] + "x", Revision: 1, Channel: "phone", Value: "+4315056416", Uses: []string{"emergency"}, Since: at},
					},
				},
				Evidence: []directory.Evidence{{Contact: id, Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: at}},
			}) {
				return
			}
		}
	})
	_, db := storetest.SQLite().Open(b)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		b.Fatal(err)
	}
	s, err := api.New(api.Config{Directory: dir, Index: func() *directory.Index { return x }})
	if err != nil {
		b.Fatal(err)
	}
	return s, requests
}

// BenchmarkTeam asks the server for teams and the fixed handler for as many
// bytes, in turn over loopback, and reports the median of the ratios of their
// requests per second: for 4,096 teams again and again, and for each team of
// the directory once.
func BenchmarkTeam(b *testing.B) {
	handler, requests := townServer(b, benchTeams)
	teams := httptest.NewServer(handler)
	b.Cleanup(teams.Close)
	plain := httptest.NewServer(fixed(medianSize(b, dial(b, teams), requests[:100])))
	b.Cleanup(plain.Close)
	ours, theirs := make([]*client, connections), make([]*client, connections)
	for i := range connections {
		ours[i], theirs[i] = dial(b, teams), dial(b, plain)
	}
	const round = 20_000
	compare := func(b *testing.B, part func(round int) [][]byte) {
		var ratios, rates, fixedRates []float64
		for i := 0; b.Loop(); i++ {
			f := rate(b, theirs, part(i), round)
			l := rate(b, ours, part(i), round)
			ratios, rates, fixedRates = append(ratios, l/f), append(rates, l), append(fixedRates, f)
		}
		b.ReportMetric(median(ratios), "ratio")
		b.ReportMetric(median(rates), "teams/s")
		b.ReportMetric(median(fixedRates), "fixed/s")
	}
	b.Run("in turn", func(b *testing.B) { compare(b, func(int) [][]byte { return requests[:4096] }) })
	b.Run("once", func(b *testing.B) {
		compare(b, func(i int) [][]byte { return requests[i%(len(requests)/round)*round:][:round] })
	})
}

// BenchmarkTeamPage reads pages of 100 of 100,000 teams, each page another one,
// from request to body.
func BenchmarkTeamPage(b *testing.B) {
	handler, _ := townServer(b, benchTeams)
	for _, query := range []string{"", "&sort=-updated", "&sort=name", "&country=AT", "&country=AT&sort=name", "&kind=soc", "&state=verified"} {
		b.Run(strings.Trim("all"+query, "&"), func(b *testing.B) {
			path := "/v1/teams?limit=100" + query
			var took []time.Duration
			for b.Loop() {
				w := httptest.NewRecorder()
				start := time.Now()
				handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				took = append(took, time.Since(start))
				if w.Code != http.StatusOK || !bytes.HasPrefix(w.Body.Bytes(), []byte(`{"teams":[`)) {
					b.Fatalf("%d %.200s", w.Code, w.Body)
				}
				path = "/v1/teams?limit=100" + query
				if link := w.Header().Get("Link"); link != "" {
					path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100])/float64(time.Millisecond), "p99-ms")
		})
	}
}

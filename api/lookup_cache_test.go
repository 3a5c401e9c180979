package api_test

import (
	"fmt"
	"math/rand/v2"
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

// agingIndex holds one team whose proof runs out an hour after t, whose grace
// ends a day later, and whose designation ends two days after t.
func agingIndex(t time.Time, seq int64, host string) *directory.Index {
	r := directory.Record{ID: "5694da62-6314-4565-9c4d-000000000001", Handle: "alpha", Revision: seq, Own: directory.Profile{
		Names: directory.Names{Short: "Alpha"}, Host: host, Country: "AT",
		Contacts:     []directory.Contact{{ID: "c", Revision: 1, Channel: "email", Value: "csirt@example.org"}},
		Designations: []directory.Designation{{Country: "AT", Scope: "national", Until: directory.Date(t.AddDate(0, 0, 2).Format(time.DateOnly))}},
	}}
	r.Evidence = []directory.Evidence{{ID: "e", Contact: "c", Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "phone",
		At: t.Add(-time.Hour), ValidUntil: t.Add(time.Hour)}}
	options := directory.IndexOptions{Policy: directory.Policy{Grace: 24 * time.Hour}}
	return directory.BuildIndex(options, directory.Head{Seq: seq, Epoch: "e"}, slices.Values([]directory.Record{r}))
}

// TestCachedAnswersAreTheAnswers asks one server the same few questions while
// the clock and the index move, and beside it each time another one that forgets
// what it answered before: the two never differ by a byte.
func TestCachedAnswersAreTheAnswers(t *testing.T) {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	now, index := start, agingIndex(start, 1, "first")
	_, db := storetest.SQLite().Open(t)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	serve := func() *api.Server {
		s, err := api.New(api.Config{Directory: dir, Now: func() time.Time { return now }, Index: func() *directory.Index { return index },
			Policy: directory.Policy{Grace: 24 * time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ask := func(h http.Handler, q string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/lookup?q="+q, nil))
		return fmt.Sprint(w.Code, w.Header().Get("Content-Type"), w.Body.String())
	}
	cached, forgetful := serve(), serve()
	rng := rand.New(rand.NewPCG(1, 2))
	states := map[string]bool{}
	for i := range 600 {
		switch rng.IntN(8) {
		case 0:
			now = now.Add(time.Duration(rng.IntN(90)) * time.Minute)
		case 1:
			index = agingIndex(start, int64(i), fmt.Sprint("host ", i))
		case 2:
			if now.After(start.AddDate(0, 0, 4)) {
				now = start
			}
		}
		q := []string{"AT", "alpha", "192.0.2.1", "csirt@example.org"}[rng.IntN(4)]
		api.ForgetAnswers(forgetful)
		got, want := ask(cached, q), ask(forgetful, q)
		if got != want {
			t.Fatalf("step %d, %s at %s:\ngot  %s\nwant %s", i, q, now, got, want)
		}
		for _, s := range []string{`"verified"`, `"due"`, `"overdue"`, `"none"`} {
			states[s] = states[s] || strings.Contains(want, s)
		}
	}
	if len(states) != 4 || !states[`"verified"`] || !states[`"due"`] || !states[`"overdue"`] || !states[`"none"`] {
		t.Errorf("states seen: %v, want all of them", states)
	}
}

// TestCacheIsBounded asks twice for far more than the cache may hold.
func TestCacheIsBounded(t *testing.T) {
	index := agingIndex(time.Now(), 1, "first")
	_, db := storetest.SQLite().Open(t)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	s, err := api.New(api.Config{Directory: dir, Index: func() *directory.Index { return index }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40_000 {
		for range 2 {
			r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v1/lookup?q=host-%d.example.org", i), nil)
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if n := api.CachedAnswers(s); n > 16_384 || n < 8_000 {
		t.Errorf("%d answers are cached, want at most 16,384, and most of that", n)
	}
}

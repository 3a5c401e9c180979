package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// tableOf makes reference data of two sets, the second of unknown date.
func tableOf(t *testing.T, kind directory.ReferenceKind, rows []directory.ReferenceRow) *directory.ReferenceTable {
	t.Helper()
	slices.SortFunc(rows, func(a, b directory.ReferenceRow) int { return a.Prefix.Compare(b.Prefix) })
	sets := []directory.ReferenceSet{
		{Kind: kind, Source: "one", AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Rows: len(rows)},
		{Kind: kind, Source: "two", Rows: len(rows)},
	}
	table, err := directory.NewReferenceTable(kind, sets, func(set directory.ReferenceSet, yield func([]byte) error) error {
		part := slices.DeleteFunc(slices.Clone(rows), func(r directory.ReferenceRow) bool {
			return (r.Prefix.Bits()%3 == 0) != (set.Source == "two")
		})
		for _, b := range directory.EncodeReference(part) {
			if err := yield(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// randomPrefix is one of few, so that they nest and meet.
func randomPrefix(rng *rand.Rand) netip.Prefix {
	if rng.IntN(3) == 0 {
		a := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(rng.IntN(3)), byte(rng.IntN(3)), 15: byte(rng.IntN(3))})
		return netip.PrefixFrom(a, []int{32, 40, 48, 64, 128}[rng.IntN(5)]).Masked()
	}
	a := netip.AddrFrom4([4]byte{192, byte(rng.IntN(3)), byte(rng.IntN(3)), byte(rng.IntN(3))})
	return netip.PrefixFrom(a, []int{8, 12, 16, 22, 24, 31, 32}[rng.IntN(7)]).Masked()
}

// randomWorld is an index with reference data of every kind that is asked for,
// and teams on every rung, whose proofs age.
func randomWorld(t *testing.T, rng *rand.Rand, now time.Time, seq int64) *directory.Index {
	t.Helper()
	countries := []directory.Country{"AT", "DE", "NL", "ZZ"}
	origins, nations, asns := []directory.ReferenceRow{}, []directory.ReferenceRow{}, []directory.ReferenceRow{}
	for range 30 {
		n := directory.ASN(64496 + rng.IntN(6))
		origins = append(origins, directory.ReferenceRow{Prefix: randomPrefix(rng), Origins: []directory.ASN{n, n + 1}[:1+rng.IntN(2)]})
		nations = append(nations, directory.ReferenceRow{Prefix: randomPrefix(rng), Country: countries[rng.IntN(4)]})
		asns = append(asns, directory.ReferenceRow{First: n, Last: n, Country: countries[rng.IntN(4)]})
	}
	var tables []*directory.ReferenceTable
	for i, kind := range []directory.ReferenceKind{directory.PrefixASN, directory.PrefixCountry, directory.ASNCountry} {
		if rng.IntN(4) > 0 {
			tables = append(tables, tableOf(t, kind, [][]directory.ReferenceRow{origins, nations, asns}[i]))
		}
	}
	var records []directory.Record
	for i := range 8 {
		name := fmt.Sprintf("team-%d", i)
		r := directory.Record{ID: directory.TeamID(fmt.Sprintf("5694da62-6314-4565-9c4d-%012d", i)), Handle: directory.Handle(name), Revision: 1, Own: directory.Profile{
			Names: directory.Names{Short: name}, Contacts: []directory.Contact{{ID: "c", Revision: 1, Channel: "email", Value: name + "@example.org"}}}}
		r.Own.Contacts[0].Visibility = []directory.TLP{directory.Clear, directory.Green}[rng.IntN(2)]
		switch rng.IntN(3) {
		case 0:
			r.Own.Resources = []directory.Resource{{Type: "prefix", Prefix: randomPrefix(rng)}}
		case 1:
			r.Own.Resources = []directory.Resource{{Type: "asn", ASN: directory.ASN(64496 + rng.IntN(6))}}
		}
		if rng.IntN(2) == 0 {
			r.Own.Designations = []directory.Designation{{Country: countries[rng.IntN(3)], Scope: "national", Until: directory.Date(now.AddDate(0, 0, rng.IntN(3)).Format(time.DateOnly))}}
		}
		r.Evidence = []directory.Evidence{{ID: "e", Contact: "c", Revision: 1, Level: 2, Outcome: directory.OutcomeProved, Method: "phone",
			At: now.Add(-time.Hour), ValidUntil: now.Add(time.Duration(rng.IntN(100)) * time.Minute)}}
		records = append(records, r)
	}
	options := directory.IndexOptions{LastResort: "team-0", Policy: directory.Policy{Grace: time.Hour}}
	return directory.BuildIndex(options, directory.Head{Seq: seq, Epoch: "e"}, slices.Values(records), tables...)
}

// TestFormsAreTheAnswers asks for addresses in small worlds in which all
// prefixes nest and meet, while the clock moves on and the world changes: what
// is filled into a form is what looking up and rendering give, to the byte.
func TestFormsAreTheAnswers(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	now := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	x := randomWorld(t, rng, now, 1)
	_, db := storetest.SQLite().Open(t)
	dir, err := directory.New(directory.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	policy := directory.Policy{Grace: time.Hour}
	s, err := api.New(api.Config{Directory: dir, Policy: policy, Now: func() time.Time { return now }, Index: func() *directory.Index { return x }})
	if err != nil {
		t.Fatal(err)
	}
	ways, forms := 0, 0
	for i := range 20_000 {
		if i%500 == 499 {
			forms += api.CachedForms(s)
			x = randomWorld(t, rng, now, int64(i))
		}
		now = now.Add(time.Duration(rng.IntN(3)) * time.Second)
		p := randomPrefix(rng)
		query := p.Addr().String()
		switch rng.IntN(8) {
		case 0:
			query = strings.ToUpper(p.Addr().StringExpanded())
		case 1:
			query = netip.AddrFrom16(p.Addr().As16()).String() // ::ffff:192.0.2.1
		}
		if _, ok := x.Way(p.Addr()); ok {
			ways++
		}
		q, err := directory.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		var a directory.Answer
		x.Lookup(q, directory.Ask{Viewer: directory.Nobody(), Now: now}, &a)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/lookup?q="+query, nil))
		if got, want := w.Body.String(), string(api.AppendAnswer(nil, &a))+"\n"; got != want {
			t.Fatalf("step %d, %s at %s:\ngot  %s\nwant %s", i, url.QueryEscape(query), now, got, want)
		}
	}
	if ways < 3000 || forms < 100 {
		t.Errorf("%d of 20,000 addresses had a way and %d forms were made, so this proves little", ways, forms)
	}
}

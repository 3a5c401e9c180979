package directory_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/store/storetest"
)

// handlesOf collects the handles of an iteration and its error.
func handlesOf(teams iter.Seq2[directory.Team, error]) (list []directory.Handle, err error) {
	for t, err := range teams {
		if err != nil {
			return list, err
		}
		list = append(list, t.Handle)
	}
	return list, nil
}

// manyRecords is as many records as several pages hold.
func manyRecords(n int) []directory.Record {
	records := make([]directory.Record, n)
	for i := range records {
		country := directory.Country("AT")
		if i%10 == 0 {
			country = "PT"
		}
		records[i] = directory.Record{
			ID: directory.TeamID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n-i)), Handle: directory.Handle(fmt.Sprintf("team-%05d", i)),
			Revision: 1, Created: now, Updated: now,
			Own: directory.Profile{Names: directory.Names{Short: fmt.Sprintf("Team %d", i)}, Country: country},
		}
	}
	return records
}

// fill writes records into the store.
func (d door) fill(records []directory.Record) {
	d.t.Helper()
	if err := put(d.store, records); err != nil {
		d.t.Fatal(err)
	}
}

func put(store directory.Store, records []directory.Record) error {
	return store.Update(context.Background(), func(tx directory.Tx) error {
		first, err := tx.NextSeq(len(records))
		writes := make([]directory.TeamWrite, len(records))
		for i, r := range records {
			r.Seq = first + int64(i)
			writes[i] = directory.TeamWrite{Record: r, Op: directory.OpUpsert, Actor: "test", Action: "create team"}
		}
		return errors.Join(err, tx.PutTeams(writes))
	})
}

func indexHolding(records []directory.Record) *directory.Index {
	return directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, slices.Values(records))
}

// The store's pages and the index give the same teams in the same order.
func TestEach(t *testing.T) {
	records := manyRecords(1203)
	records[7].Deleted = now
	records[8].MergedInto = records[9].ID
	var all, portugal []directory.Handle
	for i, r := range records {
		if i == 7 || i == 8 {
			continue
		}
		if all = append(all, r.Handle); r.Own.Country == "PT" {
			portugal = append(portugal, r.Handle)
		}
	}
	onEngines(t, func(t *testing.T, d door) {
		d.fill(records)
		ctx := context.Background()
		for name, each := range map[string]func(directory.Filter) iter.Seq2[directory.Team, error]{
			"store": func(f directory.Filter) iter.Seq2[directory.Team, error] {
				return d.Each(ctx, directory.Nobody(), f, directory.Policy{}, now)
			},
			"index": func(f directory.Filter) iter.Seq2[directory.Team, error] {
				return indexHolding(records).Each(ctx, directory.Nobody(), f, directory.Policy{}, now)
			},
		} {
			for want, f := range map[*[]directory.Handle]directory.Filter{&all: {}, &portugal: {Country: "PT"}, {}: {Kind: "csirt"}} {
				got, err := handlesOf(each(f))
				if diff := cmp.Diff(got, *want); err != nil || diff != "" && len(*want)+len(got) > 0 {
					t.Errorf("%s: Each(%+v) = %v (-got +want):\n%s", name, f, err, diff)
				}
			}
			n := 0
			for range each(directory.Filter{}) {
				if n++; n == 600 {
					break
				}
			}
			if n != 600 {
				t.Errorf("%s: Each after a break at 600 = %d teams", name, n)
			}
		}
	})
}

// What is written while the teams are read is not of their moment.
func TestEachIsOfOneMoment(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		d.fill(manyRecords(1100))
		var got []directory.Handle
		for team, err := range d.Each(context.Background(), operator, directory.Filter{}, directory.Policy{}, now) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, team.Handle); len(got) == 10 { // of the last page, to where it would come twice or never
				for handle, to := range map[string]directory.Handle{"team-01099": "aaa", "team-00003": "zzz"} {
					if _, err := d.Edit(context.Background(), operator, handle, directory.Edit{Revision: directory.AnyRevision, Handle: to,
						Apply: func(*directory.Team, *directory.Profile) error { return nil }}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if len(got) != 1100 || got[1099] != "team-01099" {
			t.Errorf("Each gave %d teams, the last %s; want 1100 and team-01099", len(got), got[len(got)-1])
		}
	})
}

func TestEachEnds(t *testing.T) {
	var none *directory.Index
	if _, err := handlesOf(none.Each(context.Background(), operator, directory.Filter{}, directory.Policy{}, now)); directory.KindOf(err) != directory.Unavailable {
		t.Errorf("Each of no index = %v, want unavailable", err)
	}
	onEngines(t, func(t *testing.T, d door) {
		records := manyRecords(1100)
		d.fill(records)
		for name, each := range map[string]func(context.Context) iter.Seq2[directory.Team, error]{
			"store": func(ctx context.Context) iter.Seq2[directory.Team, error] {
				return d.Each(ctx, operator, directory.Filter{}, directory.Policy{}, now)
			},
			"index": func(ctx context.Context) iter.Seq2[directory.Team, error] {
				return indexHolding(records).Each(ctx, operator, directory.Filter{}, directory.Policy{}, now)
			},
		} {
			ctx, cancel := context.WithCancel(context.Background())
			n := 0
			var last error
			for _, err := range each(ctx) {
				if n++; n == 20 {
					cancel()
				}
				last = err
			}
			if n >= 1100 || directory.KindOf(last) != directory.Unavailable || !errors.Is(last, context.Canceled) {
				t.Errorf("%s: Each after its context ended: %d items, the last %v; want fewer and the end of the context", name, n, last)
			}
			cancel()
		}
	})
}

// A filter sees what the viewer sees, and a viewer may ask to see less.
func TestEachRedactsFirst(t *testing.T) {
	onEngines(t, func(t *testing.T, d door) {
		team := d.create("alpha")
		contacts := []directory.Contact{team.Contacts[0], {Channel: "email", Value: "red@example.org", Visibility: directory.Red}}
		team, err := d.Edit(context.Background(), operator, "alpha", directory.Edit{Revision: team.Revision,
			Apply: func(_ *directory.Team, own *directory.Profile) error { own.Contacts = contacts; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.RecordEvidence(context.Background(), operator, "alpha", directory.Evidence{Contact: team.Contacts[1].ID, Level: 2, Outcome: directory.OutcomeProved, Method: "phone", At: now, Note: "secret"})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name   string
			viewer directory.Principal
			want   int
		}{
			{"the operator", operator, 1},
			{"nobody", directory.Nobody(), 0},
			{"the operator for everybody", directory.Principal{Role: directory.Operator, AtMost: directory.Clear}, 0},
			{"the operator for a forum", directory.Principal{Role: directory.Operator, AtMost: directory.AmberStrict}, 0},
			{"the operator for the team", directory.Principal{Role: directory.Operator, AtMost: directory.Red}, 1},
			{"nobody who asks for red", directory.Principal{AtMost: directory.Red}, 0},
		} {
			got, err := handlesOf(d.Each(context.Background(), c.viewer, directory.Filter{State: directory.Verified}, directory.Policy{}, now.Add(time.Hour)))
			if err != nil || len(got) != c.want {
				t.Errorf("%s: Each of teams with a verified contact = %v, %v; want %d", c.name, got, err, c.want)
			}
		}
	})
}

// AtMost takes away what is stricter, and gives nothing that a role does not have.
func TestAtMost(t *testing.T) {
	labels := []directory.TLP{directory.Clear, directory.Green, directory.Amber, directory.AmberStrict, directory.Red}
	team := directory.Team{ID: "t", Profile: directory.Profile{Memberships: []directory.Membership{{Forum: "first", Status: "member"}}}}
	for _, p := range []directory.Principal{
		directory.Nobody(), {Role: directory.Consumer}, {Role: directory.Consumer, Forums: []string{"first"}}, {Role: directory.Secretariat, Forum: "first"},
		{Role: directory.Editor, Team: "t"}, {Role: directory.Operator},
	} {
		for i, most := range labels {
			for j, label := range labels {
				less := p
				less.AtMost = most
				if got, want := less.Sees(label, &team), p.Sees(label, &team) && j <= i; got != want {
					t.Errorf("%s at most %s sees %s = %v, want %v", p.Role, most, label, got, want)
				}
			}
		}
	}
}

// BenchmarkEach reads 100,000 teams, from the store page by page and from the
// index; all-at-once is the baseline, one list of all of them. live-MB is the
// most memory in use at any of five moments above that at the start.
func BenchmarkEach(b *testing.B) {
	const n = 100_000
	records := manyRecords(n)
	_, db := storetest.SQLite().Open(b)
	d, err := directory.New(directory.Config{Store: db})
	if err != nil {
		b.Fatal(err)
	}
	for part := range slices.Chunk(records, 10_000) {
		if err := put(db, part); err != nil {
			b.Fatal(err)
		}
	}
	x := indexHolding(records)
	ctx := context.Background()
	for name, each := range map[string]func() iter.Seq2[directory.Team, error]{
		"store": func() iter.Seq2[directory.Team, error] {
			return d.Each(ctx, directory.Nobody(), directory.Filter{}, directory.Policy{}, now)
		},
		"index": func() iter.Seq2[directory.Team, error] {
			return x.Each(ctx, directory.Nobody(), directory.Filter{}, directory.Policy{}, now)
		},
		"all-at-once": func() iter.Seq2[directory.Team, error] {
			list, err := d.Teams(ctx, directory.Nobody(), directory.TeamFilter{})
			return func(yield func(directory.Team, error) bool) {
				for _, t := range list {
					if !yield(t, err) {
						return
					}
				}
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for _, err := range each() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "teams/s")
			b.StopTimer()
			least, most, i := inUse(), uint64(0), 0
			for range each() {
				if i++; i%(n/5) == 0 {
					most = max(most, inUse())
				}
			}
			b.ReportMetric(float64(int64(most)-int64(least))/(1<<20), "live-MB")
		})
	}
}

// inUse is what the heap holds after a collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

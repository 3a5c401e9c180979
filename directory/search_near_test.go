package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// A name that is not known has the near names that reading all of them finds.
func TestNearNamesEqualReading(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	letters := "abcdert  "
	name := func(most int) string {
		b := make([]byte, 1+rng.IntN(most))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return strings.Join(strings.Fields(string(b)), " ")
	}
	for round := range 12 {
		state := map[directory.TeamID]directory.Record{}
		x := indexOf(t)
		for i := range 120 {
			short := name(12)
			if i%10 == 0 {
				short += " " + strings.Repeat("abc ", 40) // longer than the table tells apart
			}
			r := rec(fmt.Sprintf("h%d", rng.IntN(60)), named(short))
			x, state[r.ID] = x.Apply(int64(i), []directory.Record{r}), r
		}
		for range 100 {
			q := name(9)
			if rng.IntN(10) == 0 {
				q += strings.Repeat(" abc", 40)
			}
			if q == "" {
				continue
			}
			if diff := cmp.Diff(readNear(state, q), directory.NearNames(x, q)); diff != "" {
				t.Fatalf("round %d: names near %q (-read +found):\n%s", round, q, diff)
			}
		}
	}
}

// readNear is the search for near names by reading all of them.
func readNear(state map[directory.TeamID]directory.Record, q string) []string {
	edits := 1
	if len(q) >= 6 {
		edits = 2
	}
	var list []string
	for _, r := range state {
		for _, n := range []string{plainFold(string(r.Handle)), plainFold(r.Own.Names.Short)} {
			d := plainEdits(q, n)
			if d > edits {
				if len(q) < 3 || !strings.Contains(n, q) {
					continue
				}
				d = edits + 1 + len(n) - len(q)
			}
			if line := fmt.Sprintf("%03d %s", d, n); n != "" && !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
	}
	slices.Sort(list)
	return list[:min(len(list), 10)]
}

// Of more names that look like a search than are wanted, it gets the most alike.
func TestLikeNamesEqualReading(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 13))
	parts := strings.Fields("bank cert at aa incident response team of ab ba zz university vienna")
	name := func(words int) string {
		list := make([]string, 1+rng.IntN(words))
		for i := range list {
			list[i] = parts[rng.IntN(len(parts))]
		}
		return strings.Join(list, " ")
	}
	var records []directory.Record
	names := map[string]bool{}
	for i := range 1500 {
		r := rec(fmt.Sprintf("h%d", i), named(name(8)))
		records = append(records, r)
		names[plainFold(string(r.Handle))], names[plainFold(r.Own.Names.Short)] = true, true
	}
	x, full := indexOf(t, records...), 0
	for range 40 {
		q := name(3)
		if at := rng.IntN(len(q)); rng.IntN(2) == 0 {
			q = plainFold(q[:at] + "x" + q[at+1:])
		}
		want := mostLike(names, q)
		if diff := cmp.Diff(want, directory.LikeNames(x, q)); diff != "" {
			t.Fatalf("names like %q (-read +found):\n%s", q, diff)
		}
		if len(want) == 64 {
			full++
		}
	}
	if full < 5 {
		t.Errorf("%d searches had more names like them than are wanted, want 5 or more", full)
	}
}

// mostLike is the search for names like a folded one by comparing all.
func mostLike(names map[string]bool, q string) (lines []string) {
	near := map[string]float64{}
	for n := range names {
		if like := plainNearness(q, n); like >= 0.6 && len(q) >= 3 {
			near[n] = like
		}
	}
	most := slices.SortedFunc(mapKeys(near), func(a, b string) int {
		switch {
		case near[a] > near[b]:
			return -1
		case near[a] < near[b]:
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, n := range most[:min(len(most), 64)] {
		lines = append(lines, fmt.Sprintf("%.9f %s", near[n], n))
	}
	return lines
}

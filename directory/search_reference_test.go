package directory_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-csirt/rollcall/directory"
)

// This file is a second search, which reads everything each time: what the
// index finds must be what it finds, in its order, with its scores.

// plainFold is the folding of the texts of these tests, which have no letters
// that Unicode does not decompose.
func plainFold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r), unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// plainText is what a team that is already redacted says: names apart, and the
// other texts by tier: 2 hosts, 1 constituency, 0 prose.
type plainText struct {
	names []string
	texts [3][]string
}

func plainTextOf(t *directory.Team) plainText {
	var p plainText
	for _, n := range slices.Concat([]string{string(t.Handle), t.Names.Short, t.Names.Full}, t.Names.Former, t.Names.Other) {
		if f := plainFold(n); f != "" && !slices.Contains(p.names, f) {
			p.names = append(p.names, f)
		}
	}
	add := func(tier int, text string) { p.texts[tier] = append(p.texts[tier], plainFold(text)) }
	add(2, t.Host)
	add(1, t.Constituency.Text)
	add(1, string(t.Country)+" "+t.Country.Name())
	for _, c := range t.Constituency.Types {
		add(1, c.Type)
	}
	for _, s := range t.Constituency.Sectors {
		add(1, s)
	}
	for _, c := range t.Constituency.Countries {
		add(1, string(c)+" "+c.Name())
	}
	for _, r := range t.Resources {
		add(2, r.Holder)
		add(1, string(r.Domain))
	}
	for _, s := range t.Prose {
		add(0, s.Text)
	}
	return p
}

// plainItem is a word, or a phrase, which is whole.
type plainItem struct {
	words []string
	whole bool
}

func plainItems(query string) []plainItem {
	var items []plainItem
	add := func(it plainItem) {
		for _, o := range items {
			if o.whole == it.whole && slices.Equal(o.words, it.words) {
				return
			}
		}
		items = append(items, it)
	}
	for i, part := range strings.Split(query, `"`) {
		words := strings.Fields(plainFold(part))
		if i%2 == 1 && len(words) > 0 {
			add(plainItem{words, true})
			continue
		}
		for _, w := range words {
			add(plainItem{[]string{w}, false})
		}
	}
	return items
}

// count returns how often an item is in a text as it was said, and how often
// with a word that only begins like it.
func (it plainItem) count(text string, prefix bool) (whole, begun int) {
	words := strings.Fields(text)
	for i := range words {
		if len(it.words) == 1 {
			switch {
			case words[i] == it.words[0]:
				whole++
			case prefix && !it.whole && strings.HasPrefix(words[i], it.words[0]):
				begun++
			}
		} else if i+len(it.words) <= len(words) && slices.Equal(words[i:i+len(it.words)], it.words) {
			whole++
		}
	}
	return whole, begun
}

// plainScore scores one item, 0 where it is nowhere; named reports whether it
// is in a name.
func (p *plainText) score(it plainItem, items int) (score float64, named bool) {
	whole, begun, words := 0, 0, 0
	for _, n := range p.names {
		w, b := it.count(n, true)
		whole, begun, words = whole+w, begun+b, words+len(strings.Fields(n))
	}
	form := func(whole int) float64 {
		if whole > 0 {
			return 1
		}
		return 0.8
	}
	if whole+begun > 0 {
		return form(whole) * (0.85 + 0.15*min(1, float64(items)/float64(words))), true
	}
	for _, tier := range []int{2, 1, 0} {
		whole, begun, words = 0, 0, 0
		for _, text := range p.texts[tier] {
			w, b := it.count(text, len(it.words[0]) >= 3)
			whole, begun, words = whole+w, begun+b, words+len(strings.Fields(text))
		}
		if whole+begun == 0 {
			continue
		}
		if tier > 0 {
			return form(whole) * []float64{0, 0.4, 0.6}[tier], false
		}
		n := float64(whole + begun)
		return form(whole) * 0.2 * (0.5 + 0.5*n/(n+1.2*(0.25+0.75*float64(words)/300))), false
	}
	return 0, false
}

// plainHit is one hit: "fit handle score".
type plainHit struct {
	fit    int // 0 exact … 3 near
	handle string
	score  float64
}

func (h plainHit) String() string {
	return fmt.Sprintf("%s %s %.9f", []string{"exact", "prefix", "words", "near"}[h.fit], h.handle, h.score)
}

// plainSearch searches redacted teams.
func plainSearch(teams []directory.Team, query string, takes func(*directory.Team) bool) []plainHit {
	var hits []plainHit
	items, name, anyNamed, found := plainItems(query), plainFold(query), false, map[directory.TeamID]bool{}
	for i := range teams {
		t := &teams[i]
		p := plainTextOf(t)
		sum, named := 0.0, true
		for _, it := range items {
			score, inName := p.score(it, len(items))
			if score == 0 {
				sum = 0
				break
			}
			sum, named = sum+score, named && inName
		}
		if sum == 0 {
			continue
		}
		found[t.ID] = true
		if !takes(t) {
			continue
		}
		h := plainHit{2, string(t.Handle), math.Round(sum/float64(len(items))*(1<<20)) / (1 << 20)}
		for _, n := range p.names {
			switch share := float64(len(name)) / float64(len(n)); {
			case !named || !strings.HasPrefix(n, name) || h.fit == 0:
			case n == name:
				h.fit, h.score = 0, 1
			case h.fit == 2 || h.score < share:
				h.fit, h.score = 1, share
			}
		}
		anyNamed = anyNamed || named
		hits = append(hits, h)
	}
	if !anyNamed {
		hits = append(hits, plainNear(teams, name, found, takes)...)
	}
	slices.SortFunc(hits, func(a, b plainHit) int {
		return cmp.Or(cmp.Compare(a.fit, b.fit), cmp.Compare(b.score, a.score), cmp.Compare(a.handle, b.handle))
	})
	return hits
}

// plainNear is for directories so small that no limit is reached.
func plainNear(teams []directory.Team, name string, found map[directory.TeamID]bool, takes func(*directory.Team) bool) []plainHit {
	var hits []plainHit
	for i := range teams {
		best := 0.0
		for _, n := range plainTextOf(&teams[i]).names {
			best = max(best, plainNearness(name, n))
		}
		if best >= 0.6 && len(name) >= 3 && !found[teams[i].ID] && takes(&teams[i]) {
			hits = append(hits, plainHit{3, string(teams[i].Handle), best})
		}
	}
	return hits
}

func plainNearness(a, b string) float64 {
	pairs := map[string]int{}
	for i := 1; i < len(a); i++ {
		pairs[a[i-1:i+1]]++
	}
	both := 0
	for i := 1; i < len(b); i++ {
		if pairs[b[i-1:i+1]] > 0 {
			pairs[b[i-1:i+1]]--
			both++
		}
	}
	near := 0.0
	if both > 0 {
		near = 2 * float64(both) / float64(len(a)+len(b)-2)
	}
	edits := 1
	if len(a) >= 6 {
		edits = 2
	}
	if d := plainEdits(a, b); d <= edits {
		near = max(near, 1-float64(d)/float64(max(len(a), len(b))))
	}
	if len(b) > len(a) && strings.Contains(b, a) {
		near = max(near, 0.5+0.5*float64(len(a))/float64(len(b)))
	}
	return near
}

// plainEdits is Levenshtein's distance, by the book.
func plainEdits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func TestPlainEdits(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{{"kitten", "sitting", 3}, {"", "abc", 3}, {"same", "same", 0}, {"ab", "ba", 2}} {
		if got := plainEdits(tc.a, tc.b); got != tc.want {
			t.Errorf("plainEdits(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

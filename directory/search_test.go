package directory_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/directory"
)

func TestParseSearchRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		code     directory.Code
	}{
		{"nothing", "", "query.empty"},
		{"blanks", " \t ", "query.empty"},
		{"no letter or digit", `-- "" *`, "query.syntax"},
		{"not UTF-8", "cert\xff", "query.encoding"},
		{"a control character", "cert\x00", "query.control"},
		{"two lines", "cert\nbund", "query.control"},
		{"characters that reorder text", "cert\u202ebund", "query.control"},
		{"more than 300 characters", strings.Repeat("é", 301), "query.too-long"},
		{"more than 16 words", strings.Repeat("a b ", 9), "search.words"},
	} {
		_, err := directory.ParseSearch(tc.in)
		if p := directory.ProblemsOf(err); len(p) != 1 || p[0].Code != tc.code {
			t.Errorf("%s: ParseSearch(%.40q) = %v, want %s", tc.name, tc.in, err, tc.code)
		}
	}
	for _, in := range []string{strings.Repeat("é", 300), strings.Repeat("a b ", 8), `"never closed`, `„so“ «so»`} {
		if _, err := directory.ParseSearch(in); err != nil {
			t.Errorf("ParseSearch(%.40q) = %v, want none", in, err)
		}
	}
}

func TestParseSearchCursorRefuses(t *testing.T) {
	x := searchedTeamsOf()
	q, _ := directory.ParseSearch("cert")
	r, err := x.Search(q, directory.SearchAsk{Now: now, Limit: 1})
	if err != nil || r.Next == "" {
		t.Fatalf("Search = %+v, %v, want a next page", r, err)
	}
	if c, err := directory.ParseSearchCursor(r.Next); err != nil || c.String() != r.Next {
		t.Errorf("ParseSearchCursor(%q) = %v, %v", r.Next, c, err)
	}
	for _, bad := range []string{"x", r.Next[:8], r.Next + "=", "!" + r.Next, "_" + r.Next[1:], r.Next + "LS0t$"} {
		if _, err := directory.ParseSearchCursor(bad); len(directory.ProblemsOf(err)) != 1 || directory.ProblemsOf(err)[0].Code != "search.after" {
			t.Errorf("ParseSearchCursor(%q) = %v, want search.after", bad, err)
		}
	}
}

func searched(handle string, change func(*directory.Profile)) directory.Record {
	return rec(handle, func(r *directory.Record) { change(&r.Own) })
}

func searchedTeamsOf() *directory.Index {
	return directory.BuildIndex(directory.IndexOptions{}, directory.Head{Seq: 3}, slices.Values([]directory.Record{
		searched("cert-at", func(p *directory.Profile) {
			p.Names = directory.Names{Short: "CERT.at", Full: "Austrian CERT"}
			p.Country = "AT"
			p.Resources = []directory.Resource{{Type: "domain", Domain: "cert.example", Holder: "Registry of Names", Visibility: directory.Amber}}
		}),
		searched("cert-atlantis", func(p *directory.Profile) {
			p.Names = directory.Names{Short: "CERT Atlantis", Former: []string{"Sunk", "Team"}}
		}),
		searched("bank", func(p *directory.Profile) {
			p.Names = directory.Names{Short: "Bank SOC"}
			p.Host = "Österreichische Großbank"
			p.Constituency = directory.Constituency{Text: "The cert of banks, 24/7", Sectors: []directory.Word{"drinking-water"}}
		}),
		searched("prose", func(p *directory.Profile) {
			p.Names = directory.Names{Short: "Prose"}
			p.Prose = []directory.Section{
				{Number: "3.1", Language: "en", Text: "Incident\nresponse is what the cert does.\n\n" + strings.Repeat("Nothing else is said here. ", 40) + "The end is special."},
				{Number: "3.2", Language: "en", Text: "response only, and incident", Visibility: directory.Green},
				{Number: "3.4", Language: "en", Text: "Incident.", Visibility: directory.Red},
			}
		}),
		searched("kyiv", func(p *directory.Profile) { p.Names = directory.Names{Short: "CERT München"} }),
		searched("tokyo", func(p *directory.Profile) { p.Names = directory.Names{Short: "中国国家互联网应急中心"} }),
	}))
}

// searchIn is what a search finds: "exactness handle", with the first match.
func searchIn(t *testing.T, x *directory.Index, query string, viewer directory.Principal) []string {
	t.Helper()
	q, err := directory.ParseSearch(query)
	if err != nil {
		t.Fatalf("ParseSearch(%q) = %v", query, err)
	}
	r, err := x.Search(q, directory.SearchAsk{Viewer: viewer, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, h := range r.Hits {
		line := fmt.Sprintf("%s %s", h.Exactness, h.Team.Handle)
		if len(h.Matches) > 0 {
			line += " " + h.Matches[0].Field
		}
		list = append(list, line)
	}
	return list
}

func TestSearch(t *testing.T) {
	x := searchedTeamsOf()
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"a name, then names that begin with it", "CERT at", []string{"exact cert-at /handle", "prefix cert-atlantis /handle"}},
		{"names that begin with a word come before those that have it, and texts follow by their tier", "cert",
			[]string{"prefix cert-at /handle", "prefix kyiv /names/short", "prefix cert-atlantis /handle", "words bank /constituency/text", "words prose /prose/0/text"}},
		{"accents do not matter", "munchen", []string{"words kyiv /names/short"}},
		{"nor does ß", "grossbank", []string{"words bank /host"}},
		{"all words must be there", "cert banks", []string{"words bank /constituency/text"}},
		{"in whatever text", "soc cert", []string{"words bank /names/short"}},
		{"a country by its name", "austria", []string{"prefix cert-at /names/full"}},
		{"a sector", "drinking water", []string{"words bank /constituency/sectors/0"}},
		{"punctuation parts words", "24-7", []string{"words bank /constituency/text"}},
		{"a phrase over a line's end", `"incident response"`, []string{"words prose /prose/0/text"}},
		{"a phrase is not one in another order", `"response incident"`, nil},
		{"a phrase does not run from one name into the next", `"sunk team"`, nil},
		{"a quoted word is a whole word", `"atlan"`, []string{"near cert-atlantis /handle"}},
		{"one letter begins names, and is a whole word elsewhere", "p", []string{"prefix prose /handle"}},
		{"the beginning of a name without spaces", "中国国家", []string{"prefix tokyo /names/short"}},
		{"a hidden holder is not found", "registry", nil},
		{"a hidden section is not found", "only", nil},
		{"a slip", "cert-atlantsi", []string{"near cert-atlantis /handle", "near cert-at /handle"}},
		{"a missing word", "the austrian cert", []string{"near cert-at /names/full"}},
		{"another way to write an umlaut", "cert muenchen", []string{"near kyiv /names/short"}},
		{"nothing", "qqqqqqqq", nil},
	} {
		if diff := cmp.Diff(tc.want, searchIn(t, x, tc.query, directory.Nobody())); diff != "" {
			t.Errorf("%s: search for %q (-want +got):\n%s", tc.name, tc.query, diff)
		}
	}
	if got := searchIn(t, x, "only", directory.Principal{Role: directory.Consumer}); len(got) != 1 {
		t.Errorf("a GREEN section as a consumer: %v, want it found", got)
	}
	if got := searchIn(t, x, "registry", directory.Principal{Role: directory.Operator}); len(got) != 1 {
		t.Errorf("an AMBER holder as the operator: %v, want it found", got)
	}
}

func TestSearchMatches(t *testing.T) {
	x := searchedTeamsOf()
	for _, tc := range []struct {
		name, query string
		want        []directory.SearchMatch
	}{
		{"a name", "cert.at", []directory.SearchMatch{{Field: "/handle", Text: "cert-at", Marks: []directory.Mark{{0, 4}, {5, 7}}}}},
		{"marks are counted in characters", "großb österr", []directory.SearchMatch{{Field: "/host", Text: "Österreichische Großbank", Marks: []directory.Mark{{0, 15}, {16, 24}}}}},
		{"each text shows what the ones before it did not", "bank banks", []directory.SearchMatch{
			{Field: "/handle", Text: "bank", Marks: []directory.Mark{{0, 4}}},
			{Field: "/constituency/text", Text: "The cert of banks, 24/7", Marks: []directory.Mark{{12, 17}}}}},
		{"an excerpt, on one line", "special", []directory.SearchMatch{{Field: "/prose/0/text", Text: "… here. Nothing else is said here. The end is special.", Marks: []directory.Mark{{46, 53}}}}},
		{"a phrase is one mark", `"incident response"`, []directory.SearchMatch{{Field: "/prose/0/text",
			Text: "Incident response is what the cert does. " + strings.Repeat("Nothing else is said here. ", 4) + "Nothing …", Marks: []directory.Mark{{0, 17}}}}},
		{"a near name has no marks", "the austrian cert", []directory.SearchMatch{{Field: "/names/full", Text: "Austrian CERT"}}},
	} {
		q, err := directory.ParseSearch(tc.query)
		if err != nil {
			t.Fatal(err)
		}
		r, err := x.Search(q, directory.SearchAsk{Now: now})
		if err != nil || len(r.Hits) == 0 {
			t.Errorf("%s: search for %q = %+v, %v", tc.name, tc.query, r, err)
			continue
		}
		if diff := cmp.Diff(tc.want, r.Hits[0].Matches); diff != "" {
			t.Errorf("%s: search for %q (-want +got):\n%s", tc.name, tc.query, diff)
		}
	}
}

func TestSearchOfNoIndexIsUnavailable(t *testing.T) {
	var x *directory.Index
	if _, err := x.Search(directory.SearchQuery{}, directory.SearchAsk{}); directory.KindOf(err) != directory.Unavailable {
		t.Errorf("Search on no index = %v, want unavailable", err)
	}
	empty := directory.BuildIndex(directory.IndexOptions{}, directory.Head{}, slices.Values([]directory.Record(nil)))
	q, _ := directory.ParseSearch("x")
	if r, err := empty.Search(q, directory.SearchAsk{}); err != nil || r.Total != 0 {
		t.Errorf("Search on an empty index = %+v, %v, want nothing", r, err)
	}
}

// An older index goes on finding what it found.
func TestSearchDuringApply(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	var records []directory.Record
	for n := range 16 {
		records = append(records, randomSearched(rng, n))
	}
	old := indexOf(t, records...)
	all := func() (lines []string) {
		for _, q := range searchWords {
			lines = append(lines, searchIn(t, old, q, directory.Principal{Role: directory.Operator})...)
		}
		return lines
	}
	before, x := all(), old
	for i := range 200 {
		x = x.Apply(int64(i), []directory.Record{randomSearched(rng, rng.IntN(16))})
	}
	if diff := cmp.Diff(before, all()); diff != "" || len(before) == 0 {
		t.Errorf("edits changed an older index (-then +now):\n%s", diff)
	}
}

// What a filter knows of a contact's state at any time is what Assess says.
func TestMomentsEqualAssess(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	outcomes := []directory.Outcome{directory.OutcomeProved, directory.OutcomeProved, directory.OutcomeFailed, directory.OutcomeDisputed, directory.OutcomeSettled}
	policy := directory.Policy{Lasts: 40 * time.Hour, Grace: 10 * time.Hour}
	for range 300 {
		c := directory.Contact{ID: "c", Revision: 1}
		var items []directory.Evidence
		var turns []time.Time
		for range rng.IntN(5) {
			e := directory.Evidence{Contact: "c", Revision: 1, Level: directory.Level(rng.IntN(5)), Outcome: outcomes[rng.IntN(5)], At: now.Add(time.Duration(rng.IntN(100)) * time.Hour)}
			switch rng.IntN(6) {
			case 0:
				e.ValidUntil = e.At.Add(5 * time.Hour)
			case 1:
				e.At = time.Time{}
			}
			items = append(items, e)
			turns = append(turns, e.At, policy.End(e), policy.Overdue(policy.End(e)))
		}
		turns = append(turns, now, now.AddDate(10, 0, 0))
		for _, turn := range turns {
			for _, at := range []time.Time{turn.Add(-1), turn, turn.Add(1), turn.Add(time.Hour)} {
				if at.Year() < 1900 {
					continue
				}
				want := directory.Assess(c, items, policy, at).State
				if got := directory.StateAt(&c, items, policy, at); got != want {
					t.Fatalf("state at %s = %s, want %s of %+v", at, got, want, items)
				}
			}
		}
	}
}

// FuzzParseSearch proves that every text is refused or searched, that its
// words are those of names, and that excerpts and marks fit what is found.
func FuzzParseSearch(f *testing.F) {
	for _, s := range []string{"cert bund", `"incident response" x`, "½ ﬃ Ａ", "Zürich 中文 한국어", "a\u00adb \u0301", strings.Repeat("ß", 70), "İstanbul Å"} {
		f.Add(s, "The "+s+" team")
	}
	f.Fuzz(func(t *testing.T, query, text string) {
		if words := strings.Join(directory.Words(text), " "); words != directory.FoldName(text) && !longWord(text) {
			t.Fatalf("Words(%q) = %q, want the words of %q", text, words, directory.FoldName(text))
		}
		q, err := directory.ParseSearch(query)
		if err != nil {
			return
		}
		x := indexOf(t, searched("a1", func(p *directory.Profile) { p.Names.Short = text }), searched("b1", func(p *directory.Profile) { p.Prose = []directory.Section{{Number: "1", Text: text}} }))
		r, err := x.Search(q, directory.SearchAsk{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range r.Hits {
			if h.Score <= 0 || h.Score > 1 || len(h.Matches) == 0 {
				t.Fatalf("search for %q in %q: score %v with %d matches", query, text, h.Score, len(h.Matches))
			}
			for _, m := range h.Matches {
				last := 0
				for _, mark := range m.Marks {
					if mark.Start < last || mark.End <= mark.Start || mark.End > utf8.RuneCountInString(m.Text) {
						t.Fatalf("search for %q in %q: marks %v in %q", query, text, m.Marks, m.Text)
					}
					last = mark.End
				}
			}
		}
		exact := directory.FoldName(query) == directory.FoldName(text) && !strings.ContainsAny(query, "\"“”„«»")
		if exact && (len(r.Hits) == 0 || r.Hits[0].Exactness != directory.ExactName) {
			t.Fatalf("search for %q among the name %q: %+v, want it exact", query, text, r.Hits)
		}
	})
}

// longWord reports whether a text has a word of which not all counts.
func longWord(text string) bool {
	return slices.ContainsFunc(strings.Fields(directory.FoldName(text)), func(w string) bool { return len(w) > 64 })
}

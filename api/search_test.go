package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

func (s *scene) searchFor(t *testing.T, role, q string, more ...string) api.SearchAnswer {
	t.Helper()
	v := url.Values{"q": {q}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	var a api.SearchAnswer
	s.do(t, get("/v1/search?"+v.Encode()).by(role)).into(t, 200, &a)
	return a
}

func handlesOf(a api.SearchAnswer) []string {
	var list []string
	for _, h := range a.Hits {
		list = append(list, h.Exactness+" "+h.Team.Handle)
	}
	return list
}

// The answers are those of the index, on both engines.
func TestSearch(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, tc := range []struct {
			name, q string
			filter  []string
			want    []string
		}{
			{"a handle", "alpha", nil, []string{"exact alpha"}},
			{"a name in another spelling", "Älpha csirt", nil, []string{"exact alpha"}},
			{"the beginning of a name", "alp", nil, []string{"prefix alpha"}},
			{"a host organisation", "university", nil, []string{"words alpha"}},
			{"a country", "austria", nil, []string{"words alpha", "words gamma"}},
			{"a name that is only near", "alpa csirt", nil, []string{"near alpha"}},
			{"nothing", "zzzzzz", nil, nil},
			{"a country as a filter", "a", []string{"country", "de"}, nil},
			{"a kind as a filter", "be", []string{"kind", "soc"}, []string{"prefix beta"}},
			{"a forum as a filter", "austria", []string{"forum", "first"}, []string{"words alpha"}},
			{"a state as a filter", "austria", []string{"state", "unverified"}, []string{"words alpha"}},
			{"a state that none has", "austria", []string{"state", "verified"}, nil},
			{"a sector that none has", "austria", []string{"sector", "energy"}, nil},
		} {
			if diff := cmp.Diff(tc.want, handlesOf(s.searchFor(t, "", tc.q, tc.filter...))); diff != "" {
				t.Errorf("%s: search for %q with %v (-want +got):\n%s", tc.name, tc.q, tc.filter, diff)
			}
		}
		want := []api.SearchMatch{{Field: "/host", Text: "Example University", Marks: [][]int{{8, 18}}}}
		if diff := cmp.Diff(want, s.searchFor(t, "", "universi").Hits[0].Matches); diff != "" {
			t.Errorf("matches (-want +got):\n%s", diff)
		}
	})
}

// A search follows edits at once, and by Link from page to page.
func TestSearchPages(t *testing.T) {
	s := embedded(t)
	for i := range 7 {
		s.create(directory.Handle(fmt.Sprintf("delta-%d", i)), directory.Profile{Names: directory.Names{Short: fmt.Sprintf("Delta %d", i)}, Host: "Größte Bank"})
	}
	path, seen := "/v1/search?q=groszte+bank+delta&limit=3", []string(nil)
	path = strings.Replace(path, "groszte", "gr%C3%B6%C3%9Fte", 1)
	for pages := 0; path != ""; pages++ {
		if pages == 3 {
			t.Fatalf("a fourth page: %s", path)
		}
		a := s.do(t, get(path))
		var page api.SearchAnswer
		a.into(t, 200, &page)
		seen = append(seen, handlesOf(page)...)
		link := a.header.Get("Link")
		if page.Total != 7 || (link == "") != (page.Next == "") || page.Next != "" && !strings.Contains(link, url.QueryEscape(page.Next)) {
			t.Errorf("%s: total %d, next %q, Link %q", path, page.Total, page.Next, link)
		}
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
	}
	if len(seen) != 7 || len(slices.Compact(slices.Sorted(slices.Values(seen)))) != 7 || seen[0] != "words delta-0" {
		t.Errorf("all pages = %v, want each of seven teams once", seen)
	}
}

// What is hidden from a role is not found, not counted and not quoted.
func TestSearchRedaction(t *testing.T) {
	s := embedded(t)
	words := map[string]directory.TLP{"clear": directory.Clear, "green": directory.Green, "amber": directory.Amber, "strict": directory.AmberStrict, "red": directory.Red}
	own := s.alpha.Profile
	own.Prose = nil
	for word, label := range words {
		number := map[string]string{"clear": "3.1", "green": "3.2", "amber": "3.4", "strict": "4.1", "red": "4.2"}[word]
		own.Prose = append(own.Prose, directory.Section{Number: number, Language: "en", Text: "The word is quux" + word + ".", Visibility: label})
	}
	edit := directory.Edit{Revision: s.alpha.Revision, Apply: func(_ *directory.Team, p *directory.Profile) error { p.Prose = own.Prose; return nil }}
	if _, err := s.dir.Edit(t.Context(), operator(), "alpha", edit); err != nil {
		t.Fatal(err)
	}
	for _, role := range roles {
		for word := range words {
			want := 0
			if slices.Contains(seen[role], word) {
				want = 1
			}
			a := s.searchFor(t, role, "quux"+word)
			if a.Total != want || len(a.Hits) != want {
				t.Errorf("search for the %s word as %q: %d of %d hits, want %d", word, role, len(a.Hits), a.Total, want)
			}
		}
		a := s.searchFor(t, role, "quux")
		for _, h := range a.Hits {
			for _, m := range h.Matches {
				word := strings.TrimSuffix(strings.TrimPrefix(m.Text, "The word is quux"), ".")
				if !slices.Contains(seen[role], word) {
					t.Errorf("an excerpt as %q: %q", role, m.Text)
				}
			}
		}
	}
}

func TestSearchWithoutIndex(t *testing.T) {
	s := embedded(t)
	handler, err := api.New(api.Config{Directory: s.dir, Index: func() *directory.Index { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.server.Config.Handler = handler
	if p := problemIn(t, s.do(t, get("/v1/search?q=alpha"))); p.Status != 503 || p.Code != "lookup.unavailable" {
		t.Errorf("a search without index = %d %s, want 503 lookup.unavailable", p.Status, p.Code)
	}
}

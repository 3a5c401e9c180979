package api_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

func cursorOf(sort, key, handle string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(sort + "\x00" + key + "\x00" + handle))
}

// handles follows a list to its end and returns the handles of all its pages.
func (s *scene) handles(t *testing.T, role, query string) []string {
	t.Helper()
	var got []string
	for path := "/v1/teams?" + query; path != ""; {
		a := s.do(t, get(path).by(role))
		var page api.TeamPage
		a.into(t, 200, &page)
		for _, team := range page.Teams {
			got = append(got, team.Handle)
		}
		link := a.header.Get("Link")
		path = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if u, err := url.Parse(path); err != nil || u.Query().Get("after") != page.Next {
			t.Errorf("Link %q and next %q, want one page", link, page.Next)
		}
	}
	return got
}

func TestListOrderAndFilters(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.create("delta", directory.Profile{Names: directory.Names{Short: "Ätna"}, Country: "CH", Constituency: directory.Constituency{Sectors: []string{"energy"}},
			Memberships: []directory.Membership{{Forum: "first", Status: "ended"}, {Forum: "tf-csirt", Status: "listed"}}})
		s.clock.Advance(60e9)
		s.do(t, send("PATCH", "/v1/teams/beta", `{"host":"New"}`).with("If-Match", "*"))
		for _, tt := range []struct {
			query string
			role  string
			want  string
		}{
			{"", "", "alpha beta delta gamma"},
			{"sort=-handle", "", "gamma delta beta alpha"},
			{"sort=name", "", "alpha delta beta gamma"},
			{"sort=-name", "consumer", "gamma beta delta alpha"},
			{"sort=country", "", "alpha gamma delta beta"},
			{"sort=-country", "", "beta delta gamma alpha"},
			{"sort=updated", "", "alpha delta gamma beta"},
			{"sort=-updated", "", "beta gamma delta alpha"},
			{"country=at", "", "alpha gamma"},
			{"country=AT&sort=-name", "", "gamma alpha"},
			{"kind=csirt", "", "alpha gamma"},
			{"kind=soc&country=DE", "", "beta"},
			{"sector=energy", "", "delta"},
			{"forum=first", "", "alpha"},
			{"forum=tf-csirt", "", "delta"},
			{"state=unverified", "", "alpha beta"},
			{"state=verified", "operator", ""},
			{"deleted=true", "operator", "alpha beta delta gamma"},
			{"deleted=true&sector=energy", "operator", "delta"},
		} {
			for _, limit := range []int{1, 3, 100} {
				got := strings.Join(s.handles(t, tt.role, fmt.Sprintf("%s&limit=%d", tt.query, limit)), " ")
				if got != tt.want {
					t.Errorf("%s in pages of %d = %q, want %q", tt.query, limit, got, tt.want)
				}
			}
		}
	})
}

// TestListHidesStates asks for the state of a contact that only some see.
func TestListHidesStates(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		hidden := s.alpha.Contacts[4] // TLP:RED
		s.do(t, send("POST", "/v1/teams/alpha/evidence", fmt.Sprintf(`{"contact":%q,"level":0,"outcome":"failed","method":"phone"}`, hidden.ID)))
		for _, role := range roles {
			got, want := s.handles(t, role, "state=failed"), []string(nil)
			if slices.Contains(seen[role], "red") {
				want = []string{"alpha"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("teams with a failed contact as %q = %v, want %v", role, got, want)
			}
		}
	})
}

func TestListDeleted(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.do(t, request{method: "DELETE", path: "/v1/teams/beta", as: "operator", header: map[string]string{"If-Match": "*"}})
		s.do(t, send("POST", "/v1/teams/gamma/merge", `{"into":"alpha"}`).with("If-Match", "*"))
		if got := s.handles(t, "operator", "limit=1"); !slices.Equal(got, []string{"alpha"}) {
			t.Errorf("live teams = %v, want alpha", got)
		}
		if got := s.handles(t, "operator", "deleted=true&limit=1"); !slices.Equal(got, []string{"alpha", "beta", "gamma"}) {
			t.Errorf("all teams = %v, want the deleted and the merged one too", got)
		}
		for _, role := range []string{"", "consumer", "editor", "secretariat"} {
			if p := problemIn(t, s.do(t, get("/v1/teams?deleted=true").by(role))); p.Status != 403 || p.Code != "auth.role" {
				t.Errorf("deleted teams as %q = %d %s, want 403 auth.role", role, p.Status, p.Code)
			}
		}
	})
}

// TestListWhileEdited turns pages while teams come, go and change.
func TestListWhileEdited(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 12 {
			s.create(directory.Handle(fmt.Sprintf("team-%02d", i)), directory.Profile{Names: directory.Names{Short: fmt.Sprintf("Team %02d", i)}, Country: "AT"})
		}
		for _, sort := range []string{"handle", "-handle", "name", "-name", "country", "updated"} {
			counts := map[string]int{}
			path := "/v1/teams?limit=3&sort=" + sort
			for n := 0; path != ""; n++ {
				a := s.do(t, get(path))
				var page api.TeamPage
				a.into(t, 200, &page)
				for _, team := range page.Teams {
					counts[team.Handle]++
				}
				path = strings.TrimSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
				s.clock.Advance(1e9)
				h := fmt.Sprintf("aa-%s-%d", strings.Trim(sort, "-"), n)
				a = s.do(t, send("POST", "/v1/teams", fmt.Sprintf(`{"handle":%q,"names":{"short":"AA"}}`, h+strings.Repeat("x", len(sort)))))
				if a.status != 201 {
					t.Fatalf("create = %d %s", a.status, a.body)
				}
				if len(page.Teams) > 0 && strings.HasPrefix(page.Teams[0].Handle, "aa-") { // the page's first goes
					s.do(t, request{method: "DELETE", path: "/v1/teams/" + page.Teams[0].Handle, as: "operator", header: map[string]string{"If-Match": "*"}})
				}
				if n > 60 {
					break // by time, new ones come for ever
				}
			}
			for i := range 12 {
				if h := fmt.Sprintf("team-%02d", i); counts[h] != 1 {
					t.Errorf("sort %s: %s was listed %d times, want once", sort, h, counts[h])
				}
			}
		}
	})
}

// TestPagesAreTeams holds each team of a page against the team alone, in every
// role, twice, so that what is kept is asked too.
func TestPagesAreTeams(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.do(t, send("POST", "/v1/teams/alpha/evidence", fmt.Sprintf(`{"contact":%q,"level":2,"outcome":"proved","method":"phone"}`, s.alpha.Contacts[0].ID)))
		for range 2 {
			for _, role := range roles {
				var page api.TeamPage
				s.do(t, get("/v1/teams").by(role)).into(t, 200, &page)
				for _, of := range page.Teams {
					for _, ref := range []string{of.Handle, of.ID, strings.ToUpper(of.Handle)} {
						var team format.Team
						s.do(t, get("/v1/teams/"+ref).by(role)).into(t, 200, &team)
						if diff := cmp.Diff(of, team); diff != "" {
							t.Errorf("%s as %q in a list and alone (-list +alone):\n%s", ref, role, diff)
						}
					}
				}
			}
		}
	})
}

// TestKeptTeamsAge asks for a team again and again while its proof ages: what
// is kept says at each moment what a fresh answer says.
func TestKeptTeamsAge(t *testing.T) {
	s := embedded(t)
	s.do(t, send("POST", "/v1/teams/alpha/evidence", fmt.Sprintf(`{"contact":%q,"level":2,"outcome":"proved","method":"phone","valid_until":"2026-12-01T00:00:00Z"}`, s.alpha.Contacts[0].ID)))
	states := map[string]int{}
	for _, at := range []string{"2026-11-21T20:00:00Z", "2026-12-01T00:00:00Z", "2026-12-01T00:00:00.000000001Z", "2026-12-31T00:00:00Z", "2026-12-31T00:00:00.000000001Z", "2027-06-01T00:00:00Z"} {
		s.clock.Advance(mustTime(t, at).Sub(s.clock.Now()))
		for range 2 {
			var team format.Team
			s.do(t, get("/v1/teams/alpha")).into(t, 200, &team)
			fresh := directory.Assess(mustTeam(t, s).Contacts[0], mustTeam(t, s).Evidence, directory.Policy{}, s.clock.Now())
			if team.Contacts[0].Evidence.State != string(fresh.State) {
				t.Errorf("state at %s = %s, want %s", at, team.Contacts[0].Evidence.State, fresh.State)
			}
			states[team.Contacts[0].Evidence.State]++
		}
	}
	if want := map[string]int{"verified": 4, "due": 4, "overdue": 4}; !cmp.Equal(states, want) {
		t.Errorf("states = %v, want %v", states, want)
	}
}

package api_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/verify"
)

// TestSources compares what a team publishes, as far as the viewer sees it.
func TestSources(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.concluded(t, s.alpha.ID, "securitytxt", "domain:example.org", verify.Result{Facts: []verify.Fact{
			{Name: "location", Value: "https://example.org/.well-known/security.txt"}, {Name: "contact", Value: "mailto:red@example.org"}}})
		s.concluded(t, s.alpha.ID, "caa", "domain:example.org", verify.Result{Facts: []verify.Fact{{Name: "caa", Value: "iodef mailto:clear@example.org"}}})
		for role, agree := range map[string]bool{"": false, "editor": true, "operator": true} {
			a := s.do(t, get("/v1/teams/alpha/verification/sources").by(role))
			var r api.SourceReport
			if err := json.Unmarshal(a.body, &r); err != nil || a.status != 200 || r.Agree != agree || len(r.Compared) != 1 || len(r.Compared[0].Statements) != 3 {
				t.Fatalf("as %q: %d %s, want agreement %v of three places", role, a.status, a.body, agree)
			}
			c := r.Compared[0]
			if c.Best != "profile" || slices.Contains(c.Statements[0].Values, "mailto:red@example.org") != agree {
				t.Errorf("as %q: %+v", role, c)
			}
			if !agree && (len(c.Findings) != 1 || c.Findings[0].Code != "sources.contacts-differ" || c.Findings[0].Subject != "securitytxt https://example.org/.well-known/security.txt") {
				t.Errorf("as %q: %+v", role, c.Findings)
			}
			var list api.Disagreements
			a = s.do(t, get("/v1/verification/sources").by(role))
			if err := json.Unmarshal(a.body, &list); err != nil || a.status != 200 || len(list.Teams) != map[bool]int{true: 0, false: 1}[agree] || list.Next != "" {
				t.Errorf("the list as %q: %d %s", role, a.status, a.body)
			}
		}
	})
}

// TestDisagreementPages goes through all teams page by page.
func TestDisagreementPages(t *testing.T) {
	s := embedded(t)
	for _, c := range []struct {
		id      directory.TeamID
		subject string
	}{{s.alpha.ID, "contact:clear@example.org"}, {s.beta.ID, "contact:beta@example.net"}} {
		s.concluded(t, c.id, "securitytxt", c.subject, verify.Result{Facts: []verify.Fact{{Name: "contact", Value: "mailto:other@example.org"}}})
	}
	var got []string
	path := "/v1/verification/sources?limit=1"
	for range 5 {
		var page api.Disagreements
		a := s.do(t, get(path))
		if err := json.Unmarshal(a.body, &page); err != nil || a.status != 200 || len(page.Teams) > 1 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		for _, r := range page.Teams {
			got = append(got, r.Team.Handle)
		}
		if path = "/v1/verification/sources?limit=1&after=" + page.Next; page.Next == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"alpha", "beta"}) {
		t.Errorf("pages = %q", got)
	}
}

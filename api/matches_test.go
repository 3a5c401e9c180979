package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-csirt/rollcall/api"
	"github.com/rollcall-csirt/rollcall/directory"
)

// pair makes two teams that look like one, unless they are there.
func (s *scene) pair(one, two directory.Handle) {
	s.t.Helper()
	for _, h := range []directory.Handle{one, two} {
		if _, err := s.dir.Team(context.Background(), operator(), string(h)); err != nil {
			s.create(h, directory.Profile{Names: directory.Names{Short: "PAIR " + strings.ToUpper(string(one))}, Country: "SE", Host: "Host of " + string(h),
				Contacts: []directory.Contact{contact("pair@"+string(one)+".example", directory.Clear)}})
		}
	}
}

// merged sees to it that the team goes is part of stays.
func (s *scene) merged(goes, stays directory.Handle) {
	s.t.Helper()
	s.pair(goes, stays)
	if team, err := s.dir.Team(context.Background(), operator(), string(goes)); err != nil || team.Handle == goes {
		if _, err := s.dir.Merge(context.Background(), operator(), string(goes), string(stays), directory.AnyRevision); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *scene) matches(t *testing.T, role, query string) api.MatchPage {
	t.Helper()
	var page api.MatchPage
	s.do(t, get("/v1/matches?"+query).by(role)).into(t, 200, &page)
	return page
}

func decide(verdict string, m api.Match) request {
	return send("POST", "/v1/matches/decide", fmt.Sprintf(`{"verdict":%q,"keep":{"team":%q,"revision":%d},"other":{"team":%q,"revision":%d},"reason":"seen"}`,
		verdict, m.Keep.Handle, m.Keep.Revision, m.Other.ID, m.Other.Revision))
}

// TestMatchToMergeAndBack is the whole way: a match is proposed, two people
// decide, one is told, and the merge is undone.
func TestMatchToMergeAndBack(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.pair("one", "two")
		page := s.matches(t, "operator", "team=two")
		if len(page.Matches) != 1 || page.Total != 1 || page.Next != "" {
			t.Fatalf("matches = %+v, want one", page)
		}
		m := page.Matches[0]
		if m.Exactness != "contact" || m.Reasons[0].Kind != "mailbox" || m.Reasons[0].Value != "pair@one.example" || m.Reasons[len(m.Reasons)-1].Weight >= 0 {
			t.Errorf("match = %+v, want the mailbox first, and both entries against it last", m)
		}
		var done api.MatchDecided
		a := s.do(t, decide("same", m))
		a.into(t, 200, &done)
		if done.Team.Handle != m.Keep.Handle || a.header.Get("ETag") != `"2"` || len(done.Conflicts) != 1 || done.Conflicts[0].Field != "host" || done.Conflicts[0].Shown != "Host of "+m.Keep.Handle {
			t.Errorf("decided = %+v, want %s with one conflict, about the host", done, m.Keep.Handle)
		}
		if p := problemIn(t, s.do(t, decide("different", m))); p.Status != 412 || p.Code != "revision.stale" {
			t.Errorf("a second verdict = %d %s, want 412 revision.stale", p.Status, p.Code)
		}
		if page := s.matches(t, "operator", "team=one"); page.Total != 0 {
			t.Errorf("after the merge there are still %+v", page.Matches)
		}
		q := request{method: "POST", path: "/v1/teams/" + m.Other.Handle + "/unmerge", as: "operator", header: map[string]string{"If-Match": `"1"`}}
		if p := problemIn(t, s.do(t, q)); p.Status != 412 {
			t.Errorf("undoing on an old revision = %d, want 412", p.Status)
		}
		var parted api.UnmergedTeams
		s.do(t, q.with("If-Match", `"2"`)).into(t, 200, &parted)
		if parted.Team.Handle != m.Other.Handle || parted.Team.Host != "Host of "+m.Other.Handle || parted.From.Handle != m.Keep.Handle {
			t.Errorf("undone: %s with host %q, and %s; want the two as they were", parted.Team.Handle, parted.Team.Host, parted.From.Handle)
		}
		// Undone is decided: it is not proposed again, until somebody says so.
		if page := s.matches(t, "operator", "team=one"); page.Total != 0 {
			t.Errorf("after the undoing there are %+v, want nothing", page.Matches)
		}
		m.Keep.Revision, m.Other.Revision = 3, 3
		if p := problemIn(t, s.do(t, decide("same", m))); p.Status != 409 || p.Code != "match.decided" || where(p) != "/verdict" {
			t.Errorf("merging what was decided = %d %s, want 409 match.decided", p.Status, p.Code)
		}
		s.do(t, decide("open", m)).into(t, 200, &done)
		if page := s.matches(t, "operator", "team=one"); page.Total != 1 {
			t.Errorf("reopened, there are %d matches, want 1", page.Total)
		}
	})
}

// TestMatchPages walks through all pages while teams come and go.
func TestMatchPages(t *testing.T) {
	s := embedded(t)
	for i := range 5 {
		s.pair(directory.Handle(fmt.Sprintf("a%d", i)), directory.Handle(fmt.Sprintf("b%d", i)))
	}
	var seen []string
	link := "/v1/matches?limit=2&source=team&min_score=0.5"
	for link != "" {
		a := s.do(t, get(link).by("operator"))
		var page api.MatchPage
		a.into(t, 200, &page)
		if page.Total != 5 {
			t.Errorf("total = %d, want 5", page.Total)
		}
		for _, m := range page.Matches {
			seen = append(seen, min(m.Keep.Handle, m.Other.Handle))
		}
		next, ok := strings.CutSuffix(strings.TrimPrefix(a.header.Get("Link"), "<"), `>; rel="next"`)
		if link = ""; ok {
			link = next
		}
		s.create(directory.Handle(fmt.Sprintf("new%d", len(seen))), directory.Profile{Names: directory.Names{Short: "NEW"}})
	}
	slices.Sort(seen)
	if want := []string{"a0", "a1", "a2", "a3", "a4"}; !slices.Equal(seen, want) {
		t.Errorf("pages have %v, want %v", seen, want)
	}
	if page := s.matches(t, "operator", "source=first"); page.Total != 0 || page.Matches == nil {
		t.Errorf("matches of another source = %+v, want an empty list", page)
	}
}

// TestMatchesHideWhatIsHidden: a secretariat gets matches about its members
// only, and neither a reason nor a score comes from what it may not see.
func TestMatchesHideWhatIsHidden(t *testing.T) {
	s := embedded(t)
	s.create("twin", directory.Profile{Names: directory.Names{Short: "TWIN"}, Country: "AT", Contacts: []directory.Contact{contact("red@example.org", directory.Clear)}})
	s.create("double", directory.Profile{Names: directory.Names{Short: "DOUBLE"}, Country: "AT", Contacts: []directory.Contact{contact("amber@example.org", directory.Clear)}})
	s.pair("one", "two")
	// example.org is also a domain of alpha's that everybody sees.
	for role, want := range map[string][2]string{"operator": {"mailbox red@example.org", "mailbox amber@example.org"}, "secretariat": {"", "mailbox amber@example.org"}} {
		page := s.matches(t, role, "team=alpha&min_score=0.2")
		got := map[string]string{}
		for _, m := range page.Matches {
			other := m.Other.Handle
			if other == "alpha" {
				other = m.Keep.Handle
			}
			for _, r := range m.Reasons {
				if r.Kind == "mailbox" {
					got[other] = r.Kind + " " + r.Value
				}
			}
		}
		if got["twin"] != want[0] || got["double"] != want[1] {
			t.Errorf("as %s: %v, want %q and %q", role, got, want[0], want[1])
		}
	}
	if page := s.matches(t, "secretariat", "team=one"); page.Total != 0 {
		t.Errorf("a secretariat sees matches of others: %+v", page.Matches)
	}
	if page := s.matches(t, "stranger", ""); page.Total != 0 {
		t.Errorf("a secretariat without members sees %+v", page.Matches)
	}
}
